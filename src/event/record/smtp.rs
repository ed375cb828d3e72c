//! `smtp`: a mail, in the fields of Zeek's `smtp` log.

use std::net::IpAddr;

use serde::Serialize;

/// One mail, or a session without any that went on as TLS.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Smtp {
    /// The number of the mail in its connection, from 1.
    pub trans_depth: u32,
    /// What the client calls itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub helo: Option<String>,
    /// The sender on the envelope.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mailfrom: Option<String>,
    /// The receivers on the envelope.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rcptto: Vec<String>,
    /// The header `Date`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
    /// The header `From`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The header `To`, one a receiver.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub to: Vec<String>,
    /// The header `Cc`, one a receiver.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cc: Vec<String>,
    /// The header `Reply-To`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<String>,
    /// The header `Message-ID`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub msg_id: Option<String>,
    /// The header `In-Reply-To`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_reply_to: Option<String>,
    /// The header `Subject`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The last header `Received`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_received: Option<String>,
    /// The one before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub second_received: Option<String>,
    /// The server's last answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_reply: Option<String>,
    /// The way of the mail, latest first: server, client, and who is named in `Received`.
    pub path: Vec<IpAddr>,
    /// The client's program.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    /// Whether the session went on as TLS.
    pub tls: bool,
}

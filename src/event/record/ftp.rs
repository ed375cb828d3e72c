//! `ftp`: a command and its answer, in the fields of Zeek's `ftp` log.

use std::net::IpAddr;

use serde::Serialize;

/// A command that moves or removes files, opens a data connection, or runs something, and how it
/// was answered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Ftp {
    /// The account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The password of a guest, who by custom gives a mail address; `<hidden>` of others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// The command.
    pub command: String,
    /// Its argument, with the whole path where it is a file's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arg: Option<String>,
    /// The size of the file, where the server says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_size: Option<u64>,
    /// The code of the last answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply_code: Option<u16>,
    /// Its text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply_msg: Option<String>,
    /// Whether the client opens the data connection.
    #[serde(rename = "data_channel.passive", skip_serializing_if = "Option::is_none")]
    pub passive: Option<bool>,
    /// Who opens it.
    #[serde(rename = "data_channel.orig_h", skip_serializing_if = "Option::is_none")]
    pub data_orig: Option<IpAddr>,
    /// To which address.
    #[serde(rename = "data_channel.resp_h", skip_serializing_if = "Option::is_none")]
    pub data_resp: Option<IpAddr>,
    /// To which port.
    #[serde(rename = "data_channel.resp_p", skip_serializing_if = "Option::is_none")]
    pub data_port: Option<u16>,
}

//! `redis`: a command and its reply, in the fields of Zeek's `redis` log.

use serde::Serialize;

/// A command of Redis.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Redis {
    /// The command.
    #[serde(rename = "cmd.name")]
    pub name: String,
    /// What it is about: its first argument.
    #[serde(rename = "cmd.key", skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Its second argument; of a command that administers the server, all the rest.
    #[serde(rename = "cmd.value", skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Whether it succeeded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub success: Option<bool>,
    /// What the server replied.
    #[serde(rename = "reply.value", skip_serializing_if = "Option::is_none")]
    pub reply: Option<String>,
}

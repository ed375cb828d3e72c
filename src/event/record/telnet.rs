//! `telnet`: what was done over a terminal connection. Our own; Zeek has no log of it.

use serde::Serialize;

/// A login, or a line that was typed after one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Telnet {
    /// The account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Of a login: whether it succeeded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub success: Option<bool>,
    /// Of a login: whether account and password are a pair that devices are shipped with and
    /// botnets try.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub factory_login: Option<bool>,
    /// The line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// What the line is for, if it is of those that matter: `download`, `write`, `execute`,
    /// `applet`, `shell`, `explore`, `kill`, `erase`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effect: Option<&'static str>,
}

//! `mysql`: a command and its result, in the fields of Zeek's `mysql` log.

use serde::Serialize;

/// A command of MySQL's protocol.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Mysql {
    /// The command; `login` for a login.
    pub cmd: &'static str,
    /// Its argument: a statement, a database, an account.
    pub arg: String,
    /// Whether it succeeded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub success: Option<bool>,
    /// Rows that it changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// What the server complains of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response: Option<String>,
}

//! `tds`: a login or a statement to Microsoft SQL Server. Our own; Zeek has no log of it.

use serde::Serialize;

/// A request of the tabular data stream.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tds {
    /// The account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// What the client calls its host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// What the client calls itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app: Option<String>,
    /// The server that it asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// The database that it asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
    /// `login`, `batch` or `rpc`.
    pub command: &'static str,
    /// The statement, or the procedure with its statement.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arg: Option<String>,
    /// Whether it succeeded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub success: Option<bool>,
    /// The number of the first error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<i32>,
    /// Its text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_msg: Option<String>,
}

//! `postgresql`: a request and its answer, in the fields of Zeek's `postgresql` log.

use std::borrow::Cow;

use serde::Serialize;

/// A request of PostgreSQL's protocol.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Postgresql {
    /// The account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The database.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
    /// What the client calls itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub application_name: Option<String>,
    /// What the client asked: `startup`, `simple_query`, `parse`, `terminate`, ...
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frontend: Option<&'static str>,
    /// The statement.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frontend_arg: Option<String>,
    /// How the server answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backend: Option<Cow<'static, str>>,
    /// What it said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backend_arg: Option<String>,
    /// Whether that is a success.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub success: Option<bool>,
    /// Rows that came back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
}

//! `mongodb`: a command and its result. Our own; Zeek has no log of it.

use serde::Serialize;

/// A command to MongoDB.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Mongodb {
    /// The command: `find`, `insert`, `dropDatabase`, ...
    pub command: String,
    /// The database.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
    /// What it is about: a collection, for most commands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub collection: Option<String>,
    /// Whether it succeeded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub success: Option<bool>,
    /// The name of the error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

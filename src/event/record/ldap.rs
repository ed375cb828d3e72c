//! `ldap`: directory operations other than searches.

use serde::Serialize;

/// An operation and its result.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Ldap {
    /// The number that ties request and result together.
    pub message_id: i64,
    /// The protocol version that a bind asks for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<i64>,
    /// The operation in Zeek's words: `bind simple`, `bind SASL`, `modify`, ...
    pub opcode: &'static str,
    /// The result in Zeek's words: `success`, `invalid credentials`, ...
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<&'static str>,
    /// What the server says beside the result.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub diagnostic_message: Option<String>,
    /// The entry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// The mechanism of a SASL bind, the attributes of a change; never a password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub argument: Option<String>,
}

//! `ldap_search`: searches in a directory.

use serde::Serialize;

/// A search and its result.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LdapSearch {
    /// The number that ties request and result together.
    pub message_id: i64,
    /// How deep: `base`, `single`, `tree`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<&'static str>,
    /// When aliases are followed: `never`, `searching`, `finding`, `always`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deref_aliases: Option<&'static str>,
    /// Where it starts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_object: Option<String>,
    /// Entries that came back.
    pub result_count: u64,
    /// The result in Zeek's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<&'static str>,
    /// What the server says beside the result.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub diagnostic_message: Option<String>,
    /// The filter as RFC 4515 writes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// The attributes that are asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub attributes: Vec<String>,
}

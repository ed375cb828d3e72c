//! `snmp`: a conversation with a management agent, in the fields of Zeek's `snmp` log.

use serde::Serialize;

/// A conversation of SNMP.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Snmp {
    /// Seconds from the first message to the last.
    pub duration: f64,
    /// `1`, `2c` or `3`.
    pub version: &'static str,
    /// The first community.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub community: Option<String>,
    /// The account, in version 3.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// How many communities were tried, if several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub communities: Option<u32>,
    /// Variables asked for.
    pub get_requests: u64,
    /// Variables asked for in bulk.
    pub get_bulk_requests: u64,
    /// Variables answered.
    pub get_responses: u64,
    /// Variables that were to be set.
    pub set_requests: u64,
    /// What the agent says it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_string: Option<String>,
}

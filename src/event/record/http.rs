//! `http`: a request with its response, in the fields of Zeek's log.

use serde::Serialize;

/// One request and its response, or what was seen of the two.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Http {
    /// Its place among the exchanges of the connection, from 1.
    pub trans_depth: u32,
    /// What is asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// The `Host` header.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// What it is asked of, with its escapes undone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
    /// The `Referer` header.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub referrer: Option<String>,
    /// The version of the response.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The `User-Agent` header.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    /// The `Origin` header.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// Bytes of the request's body that were seen, as they were sent.
    pub request_body_len: u64,
    /// Bytes of the response's body that were seen, as they were sent.
    pub response_body_len: u64,
    /// The status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_code: Option<u16>,
    /// The server's words for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_msg: Option<String>,
    /// The last preliminary status (1xx).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub info_code: Option<u16>,
    /// The server's words for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub info_msg: Option<String>,
    /// The account of basic authentication.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// Headers that a proxy adds, as `NAME -> value`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub proxied: Vec<String>,
    /// The kinds of what the client sent, by first bytes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub orig_mime_types: Vec<&'static str>,
    /// The names of what the server sent, where it says one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub resp_filenames: Vec<String>,
    /// The kinds of what the server sent, by first bytes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub resp_mime_types: Vec<&'static str>,
}

//! `files`: a file that crossed inside a protocol, in the fields of Zeek's log. Zeek knows a file
//! by an identifier; here the connection and the name beside it say which it is.

use serde::Serialize;

/// A file, or as much of it as was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Files {
    /// The protocol that carried it, as Zeek writes it: `HTTP`, `SMB`, `FTP_DATA`, ...
    pub source: &'static str,
    /// Its kind, by its first bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mime_type: Option<&'static str>,
    /// Its name, where the protocol says one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filename: Option<String>,
    /// Whether the client sent it.
    pub is_orig: bool,
    /// Bytes of it that were seen.
    pub seen_bytes: u64,
    /// Its size, where the protocol says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_bytes: Option<u64>,
    /// Bytes of it that were not captured.
    pub missing_bytes: u64,
    /// SHA-256 of the bytes that were seen; absent for files too large to hash on the way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

//! `tftp`: a file that is asked for or offered, in the fields of the `tftp` log of Zeek's package.

use serde::Serialize;

/// A request of TFTP, or the refusal of one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tftp {
    /// Whether the client writes; otherwise it reads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wrq: Option<bool>,
    /// The file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fname: Option<String>,
    /// `octet` or `netascii`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// The size that the client says it writes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// The number of an error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_code: Option<u16>,
    /// Its text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_msg: Option<String>,
}

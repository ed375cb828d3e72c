//! `smb_mapping`: a share that a client connected to.

use serde::Serialize;

/// A tree connect that was granted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SmbMapping {
    /// The share, as the client named it: `\\server\share`; unknown if the request was not seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// SMB1's name for the kind of resource: `A:`, `IPC`, `LPT1:`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// SMB1's name of the file system behind it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub native_file_system: Option<String>,
    /// `DISK`, `PIPE` or `PRINT`.
    pub share_type: &'static str,
    /// Our own: `SMB1` or `SMB2` (which stands for all later versions, as in Zeek).
    pub version: &'static str,
    /// Our own: who the session belongs to, where its set-up was seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// Our own: whether the share wants SMB3 encryption.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub encrypted: bool,
}

//! `smb_files`: what was done with a file or pipe of a share.

use serde::Serialize;

use super::smb_mapping::SmbMapping;

/// One action on a file, a directory or a pipe.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct SmbFiles {
    /// The action in Zeek's words: `SMB::FILE_OPEN`, `SMB::PIPE_OPEN`, `SMB::FILE_WRITE`, ...
    pub action: &'static str,
    /// The share, as the client named it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The name within the share; `<share_root>` for the share itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The file's size when it was opened.
    pub size: u64,
    /// The name before a rename.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prev_name: Option<String>,
    /// Last write to the content, seconds since the epoch.
    #[serde(rename = "times.modified", skip_serializing_if = "Option::is_none")]
    pub modified: Option<f64>,
    /// Last access.
    #[serde(rename = "times.accessed", skip_serializing_if = "Option::is_none")]
    pub accessed: Option<f64>,
    /// Creation.
    #[serde(rename = "times.created", skip_serializing_if = "Option::is_none")]
    pub created: Option<f64>,
    /// Last change of content or attributes.
    #[serde(rename = "times.changed", skip_serializing_if = "Option::is_none")]
    pub changed: Option<f64>,
    /// Where the first write or read of the open file begins (BZAR's name).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_offset_req: Option<u64>,
    /// How much the first write or read asks for (BZAR's name).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_len_req: Option<u64>,
    /// Our own: what the client asked to be allowed, as `read`, `write`, `delete`, `execute`,
    /// joined by commas.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access: Option<String>,
    /// Our own: what the open did: `opened`, `created`, `overwritten`, `superseded`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disposition: Option<&'static str>,
    /// Our own: whether it is a directory.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_directory: bool,
    /// Our own: bytes that the client asked to write until the close.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_written: Option<u64>,
    /// Our own: bytes that were read until the close.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_read: Option<u64>,
    /// Our own: `SMB1` or `SMB2`.
    pub version: &'static str,
    /// Our own: who the session belongs to, where its set-up was seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
}

impl SmbFiles {
    /// An action on something within `tree`.
    pub fn within(tree: &SmbMapping, action: &'static str) -> Self {
        let (path, username) = (tree.path.clone(), tree.username.clone());
        Self { action, path, version: tree.version, username, ..Self::default() }
    }
}

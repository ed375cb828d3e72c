//! `smb_cmd`: commands that tell something in themselves, above all those that fail and the
//! transactions of SMB1, whose shape gives exploits away.

use std::time::Duration;

use serde::Serialize;

use super::as_seconds;

/// A command and its answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SmbCmd {
    /// The command in Zeek's words, in capitals.
    pub command: &'static str,
    /// The function within a transaction or ioctl.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sub_command: Option<String>,
    /// What it is about: the dialect, the share, the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub argument: Option<String>,
    /// The NT status of the answer without its `STATUS_`; `SUCCESS`, or unknown if not seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// From request to answer, in seconds.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_seconds")]
    pub rtt: Option<Duration>,
    /// `SMB1` or `SMB2`.
    pub version: &'static str,
    /// Who the session belongs to, where its set-up was seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// The share that it happens in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tree: Option<String>,
    /// SMB1's name for the kind of share.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tree_service: Option<String>,
    /// Our own: whether this is the first message of the connection that is encrypted or
    /// compressed; nothing more is seen of such messages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opaque: Option<&'static str>,
    /// Our own: the shape of a transaction of SMB1.
    #[serde(flatten)]
    pub transaction: Option<SmbTransaction>,
}

/// The shape of a transaction: how much was announced, and in which messages it came.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SmbTransaction {
    /// Bytes of parameters that the request announces.
    pub total_params: u32,
    /// Bytes of data that the request announces.
    pub total_data: u32,
    /// Bytes of data that came, in the request and what followed it.
    pub sent_data: u64,
    /// Messages that carried more of it.
    pub secondaries: u32,
    /// The command of those messages; it should be the request's own kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secondary_command: Option<&'static str>,
    /// Whether a message that carries more is of another kind than the request.
    pub mixed: bool,
    /// The multiplex id of the request.
    pub mid: u16,
    /// The multiplex id of an answer that does not repeat the request's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply_mid: Option<u16>,
}

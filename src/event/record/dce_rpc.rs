//! `dce_rpc`: a remote procedure call, over TCP or a named pipe.

use std::time::Duration;

use serde::Serialize;

use super::as_seconds;

/// One call.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DceRpc {
    /// From the call to its answer, in seconds; unknown if there was none.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_seconds")]
    pub rtt: Option<Duration>,
    /// The pipe or port, as the server named it when the interface was bound, or the pipe's name
    /// within the share.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub named_pipe: Option<String>,
    /// The interface's name; `unknown-` and its UUID if it has none here.
    pub endpoint: String,
    /// The operation's name; `unknown-` and its number if it has none here.
    pub operation: String,
    /// Our own: what the call is about: a service, a task, a key, an account, a class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// Our own: what is to be executed or loaded: a binary path, a command line, a method, a query.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// Our own: the last 32 bits of the answer, which is where nearly every operation of Windows
    /// puts its result (0 is success); unknown if encrypted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub return_code: Option<u32>,
    /// Our own: the status of a fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<u32>,
    /// Our own: how well the call is protected: `none`, `connect`, `integrity`, `privacy`, ...
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth_level: Option<&'static str>,
}

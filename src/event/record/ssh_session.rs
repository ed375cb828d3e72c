//! `ssh_session`: what a secure shell session was used for. Our own.

use serde::Serialize;

/// What a session was used for after authentication, concluded from sizes and times.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SshSession {
    /// `interactive`, `upload`, `download` or `command`.
    pub session: &'static str,
    /// Encrypted bytes from the client since authentication.
    pub orig_bytes: u64,
    /// Encrypted bytes from the server since authentication.
    pub resp_bytes: u64,
    /// Small packets at typing pace that were echoed.
    pub keystrokes: u32,
}

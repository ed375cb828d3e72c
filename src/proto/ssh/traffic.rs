//! What a session is used for once somebody is in, told from sizes and times.
//!
//! A key that is pressed is one small packet, answered by another small one, at the pace of a hand.
//! A copy fills packets in one direction. What is neither ran a command.

use std::time::Duration;

use crate::event::SshSession;
use crate::proto::Role;
use crate::time::Timestamp;

/// SSH_MSG_CHANNEL_DATA with a few bytes, under any cipher: payload, padding and code.
const KEYSTROKE: u32 = 128;
/// Faster is pasted, or a tunnel.
const PACE: Duration = Duration::from_millis(15);
/// As many keystrokes are a person, or something that plays one.
const TYPED: u32 = 12;
/// Less in one direction says nothing about a copy.
const COPY: u64 = 16 * 1024;
/// A copy is one-sided by at least this factor.
const ONE_SIDED: u64 = 8;
/// So much in one direction decides before the session ends.
const CERTAIN: u64 = 1024 * 1024;

/// Watches a session after authentication.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    client_bytes: u64,
    server_bytes: u64,
    keystrokes: u32,
    last_key: Option<Timestamp>,
    /// A small packet of the client's waits for its echo.
    is_pressed: bool,
}

impl Traffic {
    /// `sender` sent `size` bytes: a packet or a segment.
    pub(super) fn on_data(&mut self, at: Timestamp, sender: Role, size: u32) {
        match sender {
            Role::Client => {
                self.client_bytes = self.client_bytes.saturating_add(u64::from(size));
                let is_paced = self.last_key.is_none_or(|last| at.since(last) >= PACE);
                self.is_pressed = size <= KEYSTROKE && is_paced;
                if size <= KEYSTROKE {
                    self.last_key = Some(at);
                }
            }
            Role::Server => {
                self.server_bytes = self.server_bytes.saturating_add(u64::from(size));
                if self.is_pressed && size <= KEYSTROKE {
                    self.keystrokes = self.keystrokes.saturating_add(1);
                }
                self.is_pressed = false;
            }
        }
    }

    /// What the session is, if that is certain before it ends.
    pub(super) fn early(&self) -> Option<SshSession> {
        let is_certain = self.keystrokes >= 2 * TYPED
            || self.client_bytes.max(self.server_bytes) >= CERTAIN && self.copy().is_some();
        is_certain.then(|| self.verdict()).flatten()
    }

    /// What the session was; `None` if nothing followed.
    pub(super) fn verdict(&self) -> Option<SshSession> {
        if self.client_bytes == 0 && self.server_bytes == 0 {
            return None;
        }
        let session = match self.copy() {
            // A person who prints a long file still types.
            _ if self.keystrokes >= TYPED => "interactive",
            Some(Role::Client) => "upload",
            Some(Role::Server) => "download",
            None => "command",
        };
        Some(SshSession {
            session,
            orig_bytes: self.client_bytes,
            resp_bytes: self.server_bytes,
            keystrokes: self.keystrokes,
        })
    }

    fn copy(&self) -> Option<Role> {
        let (up, down) = (self.client_bytes, self.server_bytes);
        if up >= COPY && up / ONE_SIDED >= down {
            Some(Role::Client)
        } else if down >= COPY && down / ONE_SIDED >= up {
            Some(Role::Server)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(millis: i64) -> Timestamp {
        Timestamp::from_nanos(millis * 1_000_000)
    }

    #[test]
    fn sees_somebody_typing() {
        let mut traffic = Traffic::default();

        for key in 0..30 {
            traffic.on_data(millis(key * 150), Role::Client, 36);
            traffic.on_data(millis(key * 150 + 2), Role::Server, 36);
        }

        assert_eq!(traffic.early().map(|session| session.session), Some("interactive"));
    }

    #[test]
    fn sees_a_file_go_up_or_down() {
        let (mut up, mut down) = (Traffic::default(), Traffic::default());

        for packet in 0..40 {
            up.on_data(millis(packet), Role::Client, 1448);
            down.on_data(millis(packet), Role::Server, 1448);
        }
        up.on_data(millis(41), Role::Server, 52);

        assert_eq!(up.verdict().map(|session| session.session), Some("upload"));
        assert_eq!(down.verdict().map(|session| session.session), Some("download"));
        assert_eq!(up.early(), None);
    }

    #[test]
    fn what_is_neither_ran_a_command() {
        let mut traffic = Traffic::default();

        assert_eq!(traffic.verdict(), None);
        for packet in 0..6 {
            traffic.on_data(millis(packet), Role::Client, 100);
            traffic.on_data(millis(packet), Role::Server, 200);
        }

        assert_eq!(traffic.verdict().map(|session| session.session), Some("command"));
    }
}

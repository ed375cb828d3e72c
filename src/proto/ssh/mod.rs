//! Secure shell (RFC 4253, RFC 4252): what is said in the clear, and what sizes and order tell of the
//! rest.

mod auth;
mod hello;
mod suite;
mod talk;
mod traffic;

use self::talk::Talk;
use super::bytes::be32;
use super::framing::{Framer, Lines, Size};
use super::render::text;
use super::{Dissector, Findings, Role};
use crate::time::Timestamp;

/// A banner is at most 255 characters (RFC 4253 section 4.2).
const MAX_BANNER: usize = 255;
/// A server may say something before its banner, but not a book.
const MAX_LINES: u32 = 1024;
/// Key-exchange messages are read up to here; the longest lists of algorithms take 3 KiB.
const MAX_MESSAGE: usize = 8 * 1024;

/// Reads one connection.
#[derive(Debug)]
pub(super) struct Dissection {
    client: Half,
    server: Half,
    talk: Talk,
}

/// One direction.
#[derive(Debug)]
struct Half {
    stage: Stage,
    lines: Lines,
    lines_seen: u32,
    framer: Framer,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Banner,
    Clear,
    /// Encrypted.
    Sealed,
    /// Encrypted, and the place among packets is lost: segments stand for them.
    Segments,
    Lost,
}

impl Dissection {
    pub(super) fn new() -> Self {
        let half = || Half {
            stage: Stage::Banner,
            lines: Lines::new(MAX_BANNER),
            lines_seen: 0,
            framer: Framer::new(MAX_MESSAGE),
        };
        Self { client: half(), server: half(), talk: Talk::default() }
    }
}

impl Dissector for Dissection {
    fn on_data(&mut self, at: Timestamp, sender: Role, mut data: &[u8], out: &mut Findings) {
        let Self { client, server, talk } = self;
        let half = match sender {
            Role::Client => &mut *client,
            Role::Server => &mut *server,
        };
        while !data.is_empty() {
            match half.stage {
                Stage::Banner => half.read_banner(sender, &mut data, talk),
                Stage::Clear => half.read_clear(sender, &mut data, talk),
                Stage::Sealed | Stage::Segments => half.read_sealed(at, sender, &mut data, talk),
                Stage::Lost => break,
            }
        }
        talk.tell(out);
        if client.stage == Stage::Lost && server.stage == Stage::Lost {
            talk.tell_record(out);
        }
    }

    fn on_gap(&mut self, sender: Role, bytes: u64) {
        let half = match sender {
            Role::Client => &mut self.client,
            Role::Server => &mut self.server,
        };
        match half.stage {
            Stage::Banner | Stage::Clear => half.stage = Stage::Lost,
            Stage::Sealed => {
                half.framer.lose(bytes);
                half.notice_loss();
            }
            Stage::Segments | Stage::Lost => {}
        }
    }

    fn on_end(&mut self, _: Timestamp, out: &mut Findings) {
        let talk = &mut self.talk;
        if let Some(auth) = &mut talk.auth {
            auth.on_end(&mut talk.attempts);
        }
        talk.tell(out);
        talk.tell_record(out);
        if let (false, Some(session)) = (talk.is_session_said, talk.traffic.verdict()) {
            talk.is_session_said = true;
            out.say(session);
        }
    }

    fn wants(&self, _: Role) -> bool {
        let is_lost = self.client.stage == Stage::Lost && self.server.stage == Stage::Lost;
        !(self.talk.is_session_said || is_lost && self.talk.is_record_said)
    }

    fn bytes(&self) -> usize {
        let halves = [&self.client, &self.server];
        let held: usize =
            halves.iter().map(|half| half.lines.heap_bytes() + half.framer.heap_bytes()).sum();
        // The two offers are as long as the messages that carried them.
        let offers = self.talk.offers.iter().flatten().count() * MAX_MESSAGE / 4;
        size_of::<Self>() + held + offers
    }
}

impl Half {
    fn read_banner(&mut self, sender: Role, data: &mut &[u8], talk: &mut Talk) {
        let Some(line) = self.lines.next(data) else { return };
        self.lines_seen += 1;
        if line.starts_with(b"SSH-") {
            let banner = text(line, MAX_BANNER);
            let is_version_2 = banner.starts_with("SSH-2") || banner.starts_with("SSH-1.99");
            self.stage = if is_version_2 { Stage::Clear } else { Stage::Lost };
            talk.on_banner(sender, banner);
        } else if self.lines_seen >= MAX_LINES {
            self.stage = Stage::Lost;
        }
    }

    fn read_clear(&mut self, sender: Role, data: &mut &[u8], talk: &mut Talk) {
        if let Some(message) = self.framer.next(data, clear_packet) {
            if talk.on_message(sender, &message) {
                self.stage = Stage::Sealed;
                // Only lengths are of interest from here on.
                self.framer = Framer::new(4);
            }
        } else if self.framer.is_lost() {
            self.stage = Stage::Lost;
        }
    }

    fn read_sealed(&mut self, at: Timestamp, sender: Role, data: &mut &[u8], talk: &mut Talk) {
        let suite = talk.suites.map(|[up, down]| match sender {
            Role::Client => up,
            Role::Server => down,
        });
        match suite.filter(|suite| suite.shows_length() && self.stage == Stage::Sealed) {
            Some(suite) => {
                while let Some(packet) = self.framer.next(data, |head| suite.measure(head)) {
                    talk.on_sealed(at, sender, packet.length);
                }
                self.notice_loss();
            }
            // A segment is a packet, more often than not: they are written one by one.
            None => {
                talk.on_sealed(at, sender, data.len() as u64);
                *data = &[];
            }
        }
    }

    fn notice_loss(&mut self) {
        if self.framer.is_lost() {
            self.stage = Stage::Segments;
        }
    }
}

/// An unencrypted packet: its length without the field, then the padding's.
fn clear_packet(data: &[u8]) -> Size {
    match be32(data, 0) {
        None => Size::Need(4),
        Some(length @ 2..=0x4_0000) => Size::Is(u64::from(length) + 4),
        Some(_) => Size::Lost,
    }
}

#[cfg(test)]
mod tests {
    use super::hello::tests::kexinit;
    use super::suite::Suite;
    use super::*;
    use crate::event::Record;
    use proptest::prelude::*;

    fn packet(payload: &[u8]) -> Vec<u8> {
        let padding = 16 - (payload.len() + 5) % 8;
        let mut packet = ((payload.len() + padding + 1) as u32).to_be_bytes().to_vec();
        packet.push(padding as u8);
        packet.extend(payload);
        packet.resize(packet.len() + padding, 0);
        packet
    }

    fn opened(mac: &str) -> (Dissection, Findings) {
        let mut ssh = Dissection::new();
        let mut out = Findings::default();
        let lists = ["curve25519-sha256", "ssh-ed25519", "aes256-ctr", mac, "none"];
        let mut reply = vec![31];
        for part in [&19u32.to_be_bytes()[..], &11u32.to_be_bytes(), b"ssh-ed25519", &[9; 4]] {
            reply.extend(part);
        }
        let client = [b"SSH-2.0-c\r\n".to_vec(), packet(&kexinit(lists)), packet(&[21])].concat();
        let server = [
            b"Welcome!\r\nSSH-2.0-s\r\n".to_vec(),
            packet(&kexinit(lists)),
            packet(&reply),
            packet(&[21]),
        ]
        .concat();
        for (sender, bytes) in [(Role::Server, server), (Role::Client, client)] {
            for piece in bytes.chunks(37) {
                ssh.on_data(Timestamp::EPOCH, sender, piece, &mut out);
            }
        }
        (ssh, out)
    }

    fn play(ssh: &mut Dissection, out: &mut Findings, sizes: &[i32]) {
        for (second, &size) in sizes.iter().enumerate() {
            let sender = if size > 0 { Role::Client } else { Role::Server };
            let at = Timestamp::from_secs(second as i64);
            ssh.on_data(at, sender, &vec![0xee; size.unsigned_abs() as usize], out);
        }
    }

    #[test]
    fn tells_algorithms_attempts_and_the_session_apart() {
        let (mut ssh, mut out) = opened("hmac-sha1");

        play(&mut ssh, &mut out, &[52, -52, 68, -68, 84, -68, 84, -36]);
        assert_eq!(out.records.len(), 3);
        play(&mut ssh, &mut out, &[68, -68, 132, -500]);
        ssh.on_end(Timestamp::from_secs(99), &mut out);

        let Some(Record::Ssh(record)) = out.records.get(2) else { panic!("{out:?}") };
        assert_eq!(record.version, Some(2));
        assert_eq!(record.cipher_alg.as_deref(), Some("aes256-ctr"));
        assert_eq!(record.auth_success, Some(true));
        assert_eq!(record.auth_attempts, 2);
        assert!(record.host_key_fingerprint.is_some());
        assert_eq!(record.hassh, record.hassh_server);
        assert!(matches!(&out.records[0], Record::Login(login) if login.success == Some(false)));
        assert!(matches!(&out.records[3], Record::SshSession(s) if s.session == "command"));
    }

    #[test]
    fn tells_packets_apart_where_their_lengths_show() {
        let (mut ssh, mut out) = opened("hmac-sha2-256-etm@openssh.com");
        let sealed = |payload: u32| {
            let wire =
                Suite::new("aes256-ctr", "hmac-sha2-256-etm@openssh.com").unwrap().wire(payload);
            let mut packet = (wire - 36).to_be_bytes().to_vec();
            packet.resize(wire as usize, 0xee);
            packet
        };

        // Extensions and the grant share a segment; the answer to `none` comes with a banner.
        let turns = [
            (Role::Client, vec![17]),
            (Role::Server, vec![300, 17]),
            (Role::Client, vec![35]),
            (Role::Server, vec![200, 24]),
            (Role::Client, vec![50]),
            (Role::Server, vec![24]),
            (Role::Client, vec![50]),
            (Role::Server, vec![1]),
        ];
        for (sender, payloads) in turns {
            let data: Vec<u8> = payloads.into_iter().flat_map(sealed).collect();
            ssh.on_data(Timestamp::EPOCH, sender, &data, &mut out);
        }

        let logins: Vec<_> = out
            .records
            .iter()
            .filter_map(|record| match record {
                Record::Login(login) => login.success,
                _ => None,
            })
            .collect();
        assert_eq!(logins, [false, true]);
    }

    #[test]
    fn says_what_it_knows_of_a_connection_that_ends_early() {
        let mut ssh = Dissection::new();
        let mut out = Findings::default();

        ssh.on_data(Timestamp::EPOCH, Role::Server, b"SSH-2.0-OpenSSH_9.6\r\n", &mut out);
        ssh.on_end(Timestamp::EPOCH, &mut out);

        let Some(Record::Ssh(record)) = out.records.first() else { panic!("{out:?}") };
        assert_eq!(record.server.as_deref(), Some("SSH-2.0-OpenSSH_9.6"));
        assert_eq!((record.version, record.auth_success, record.auth_attempts), (None, None, 0));
    }

    #[test]
    fn a_gap_among_sealed_packets_leaves_segments_to_count() {
        let (mut ssh, mut out) = opened("hmac-sha1-etm@openssh.com");
        play(&mut ssh, &mut out, &[52]);

        ssh.on_gap(Role::Server, 1000);
        play(&mut ssh, &mut out, &[-56, 72, -56]);

        assert!(ssh.wants(Role::Server));
        assert!(ssh.bytes() < 32 * 1024);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(pieces: Vec<(bool, Vec<u8>)>, opens: bool) {
            let (mut ssh, mut out) = if opens {
                opened("hmac-sha1-etm@openssh.com")
            } else {
                (Dissection::new(), Findings::default())
            };
            for (is_client, piece) in &pieces {
                let sender = if *is_client { Role::Client } else { Role::Server };
                ssh.on_data(Timestamp::EPOCH, sender, piece, &mut out);
                if piece.len() == 7 {
                    ssh.on_gap(sender, 7);
                }
            }
            ssh.on_end(Timestamp::EPOCH, &mut out);
            prop_assert!(ssh.bytes() < 48 * 1024);
        }
    }
}

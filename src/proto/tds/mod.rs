//! Tabular data stream ([MS-TDS]): logins to Microsoft SQL Server, statements, and their results.
//!
//! By default a client and a server agree to encrypt the login alone ([MS-TDS] 2.2.6.5): whose it is
//! then shows only if it fails, in the server's complaint.

mod login;
mod request;
mod tokens;

use self::login::LoginRequest;
use self::tokens::Outcome;
use super::budget::Budget;
use super::bytes::{be16, byte};
use super::framing::{Framer, Size};
use super::{Dissector, Findings, Protocol, Role};
use crate::event::{Login, Tds};
use crate::time::Timestamp;

/// A packet's size is negotiated, 4 KiB at first and 32 KiB at most; messages are read up to here.
const MAX_MESSAGE: usize = 4096;
/// A packet's header.
const HEADER: usize = 8;

/// Packet types ([MS-TDS] 2.2.3.1.1).
const BATCH: u8 = 0x01;
const RPC: u8 = 0x03;
const RESPONSE: u8 = 0x04;
const LOGIN: u8 = 0x10;
const PRELOGIN: u8 = 0x12;

/// Reads one connection.
#[derive(Debug)]
pub(super) struct Dissection {
    client: Half,
    server: Half,
    session: Session,
}

/// One direction.
#[derive(Debug)]
struct Half {
    framer: Framer,
    /// The message that is being put together of packets, without their headers.
    message: Vec<u8>,
}

#[derive(Debug, Default)]
struct Session {
    who: LoginRequest,
    is_logging_in: bool,
    asked: Option<Tds>,
    /// Everything is encrypted.
    is_sealed: bool,
    budget: Budget,
}

impl Dissection {
    pub(super) fn new() -> Self {
        let half = || Half { framer: Framer::new(HEADER + MAX_MESSAGE), message: Vec::new() };
        Self { client: half(), server: half(), session: Session::default() }
    }
}

impl Dissector for Dissection {
    fn on_data(&mut self, at: Timestamp, sender: Role, mut data: &[u8], out: &mut Findings) {
        let Self { client, server, session } = self;
        let Half { framer, message } = match sender {
            Role::Client => client,
            Role::Server => server,
        };
        while let Some(packet) = framer.next(&mut data, packet) {
            let Some((&[kind, status, ..], content)) = packet.head.split_first_chunk::<HEADER>()
            else {
                continue;
            };
            if is_tls(packet.head) {
                session.on_encrypted(sender);
                continue;
            }
            let room = MAX_MESSAGE.saturating_sub(message.len());
            message.extend(content.iter().take(room));
            if status & 1 == 1 {
                match sender {
                    Role::Client => session.on_request(at, kind, message, out),
                    Role::Server => session.on_response(at, kind, message, out),
                }
                *message = Vec::new();
            }
        }
        if framer.is_lost() {
            session.is_sealed = true;
        }
    }

    fn on_gap(&mut self, sender: Role, bytes: u64) {
        let half = match sender {
            Role::Client => &mut self.client,
            Role::Server => &mut self.server,
        };
        half.framer.lose(bytes);
        half.message = Vec::new();
        self.session.is_sealed |= half.framer.is_lost();
    }

    fn on_end(&mut self, at: Timestamp, out: &mut Findings) {
        if self.session.is_logging_in {
            self.session.log_in(None, out);
        }
        self.session.flush(at, out);
    }

    fn wants(&self, _: Role) -> bool {
        !self.session.is_sealed || self.session.asked.is_some() || self.session.is_logging_in
    }

    fn bytes(&self) -> usize {
        let held: usize = [&self.client, &self.server]
            .iter()
            .map(|half| half.framer.heap_bytes() + half.message.capacity())
            .sum();
        let arg = self.session.asked.as_ref().and_then(|asked| asked.arg.as_ref());
        size_of::<Self>() + held + arg.map_or(0, String::capacity) + self.session.who.heap_bytes()
    }
}

impl Session {
    /// A record of TLS outside of any packet: the login, if only that is encrypted, or everything.
    fn on_encrypted(&mut self, sender: Role) {
        if sender == Role::Client && !self.is_logging_in && self.asked.is_none() {
            self.begin_login();
        }
    }

    fn begin_login(&mut self) {
        self.is_logging_in = true;
        self.asked = Some(Tds { command: "login", ..Tds::default() });
    }

    fn on_request(&mut self, at: Timestamp, kind: u8, message: &[u8], out: &mut Findings) {
        match kind {
            LOGIN => {
                self.who = LoginRequest::read(message).unwrap_or_default();
                self.begin_login();
            }
            BATCH | RPC => {
                self.flush(at, out);
                let (command, arg) = if kind == BATCH {
                    ("batch", request::batch(message))
                } else {
                    ("rpc", request::procedure(message))
                };
                self.asked = Some(Tds { command, arg, ..Tds::default() });
            }
            _ => {}
        }
    }

    fn on_response(&mut self, at: Timestamp, kind: u8, message: &[u8], out: &mut Findings) {
        // The server's part of the pre-login has the type of a response; its first option is the
        // version ([MS-TDS] 2.2.6.5).
        if kind != RESPONSE || byte(message, 0) == Some(0) {
            return;
        }
        let outcome = Outcome::read(message);
        if self.is_logging_in && outcome.success.is_some() {
            if self.who.user.is_none() {
                self.who.user.clone_from(&outcome.user);
            }
            self.log_in(outcome.success, out);
        }
        if let Some(asked) = &mut self.asked {
            asked.success = outcome.success;
            asked.error = outcome.error;
            asked.error_msg = outcome.message;
            self.flush(at, out);
        }
    }

    fn log_in(&mut self, success: Option<bool>, out: &mut Findings) {
        self.is_logging_in = false;
        out.say(Login {
            protocol: Protocol::Tds.as_str(),
            method: if self.who.is_integrated { "ntlm" } else { "password" },
            user: self.who.user.clone(),
            domain: None,
            workstation: self.who.host.clone(),
            success,
            inferred: false,
        });
    }

    fn flush(&mut self, at: Timestamp, out: &mut Findings) {
        let Some(mut asked) = self.asked.take() else { return };
        if self.budget.allows(at) {
            asked.user.clone_from(&self.who.user);
            asked.host.clone_from(&self.who.host);
            asked.app.clone_from(&self.who.app);
            asked.server.clone_from(&self.who.server);
            asked.database.clone_from(&self.who.database);
            out.say(asked);
        }
    }
}

/// A packet, or a record of TLS between packets.
fn packet(data: &[u8]) -> Size {
    if data.len() < HEADER {
        return Size::Need(HEADER);
    }
    if is_tls(data) {
        return be16(data, 3).map_or(Size::Need(5), |length| Size::Is(u64::from(length) + 5));
    }
    match (byte(data, 0), be16(data, 2)) {
        (Some(1..=PRELOGIN), Some(length @ 8..)) => Size::Is(u64::from(length)),
        _ => Size::Lost,
    }
}

/// Whether it is a record of TLS; no packet type is as high.
fn is_tls(data: &[u8]) -> bool {
    matches!(byte(data, 0), Some(0x14..=0x17)) && byte(data, 1) == Some(3)
}

/// Bytes of UTF-16 as text, up to `limit` characters.
fn wide(data: &[u8], limit: usize) -> String {
    let (pairs, _) = data.as_chunks();
    let units = pairs.iter().map(|pair| u16::from_le_bytes(*pair));
    char::decode_utf16(units)
        .take(limit)
        .map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Record;
    use proptest::prelude::*;

    const C: Role = Role::Client;
    const S: Role = Role::Server;

    pub(super) fn utf16(text: &str) -> Vec<u8> {
        text.encode_utf16().flat_map(u16::to_le_bytes).collect()
    }

    fn framed(kind: u8, content: &[u8]) -> Vec<u8> {
        let mut packet = vec![kind, 1];
        packet.extend((content.len() as u16 + 8).to_be_bytes());
        packet.extend([0, 0, 1, 0]);
        packet.extend(content);
        packet
    }

    fn error(number: i32, message: &str) -> Vec<u8> {
        let text = utf16(message);
        let mut body = number.to_le_bytes().to_vec();
        body.extend([1, 14]);
        body.extend((text.len() as u16 / 2).to_le_bytes());
        body.extend(text);
        body.extend([0, 0, 0, 0, 0, 0]);
        let mut token = vec![0xaa];
        token.extend((body.len() as u16).to_le_bytes());
        token.extend(body);
        token
    }

    fn play(turns: &[(Role, Vec<u8>)]) -> Vec<Record> {
        let mut tds = Dissection::new();
        let mut out = Findings::default();
        for (sender, data) in turns {
            for piece in data.chunks(11) {
                tds.on_data(Timestamp::from_secs(1), *sender, piece, &mut out);
            }
        }
        tds.on_end(Timestamp::from_secs(1), &mut out);
        out.records
    }

    #[test]
    fn tells_a_login_and_what_is_run() {
        let batch =
            [&22u32.to_le_bytes()[..], &[0; 18], &utf16("EXEC xp_cmdshell 'whoami'")].concat();
        let records = play(&[
            (C, framed(LOGIN, &login::tests::request("sa", "PC", "app"))),
            (S, framed(RESPONSE, &[0xad, 2, 0, 1, 0x74, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])),
            (C, framed(BATCH, &batch)),
            (S, framed(RESPONSE, &error(15_281, "blocked"))),
        ]);

        let Record::Login(login) = &records[0] else { panic!("{records:?}") };
        assert_eq!((login.user.as_deref(), login.success), (Some("sa"), Some(true)));
        assert_eq!(login.workstation.as_deref(), Some("PC"));
        let Record::Tds(run) = &records[2] else { panic!("{records:?}") };
        assert_eq!(run.arg.as_deref(), Some("EXEC xp_cmdshell 'whoami'"));
        assert_eq!((run.success, run.error), (Some(false), Some(15_281)));
        assert_eq!(run.app.as_deref(), Some("app"));
    }

    #[test]
    fn finds_the_account_of_an_encrypted_login_in_the_complaint() {
        let mut sealed = vec![0x17, 3, 3, 0, 50];
        sealed.resize(55, 0xee);
        let records = play(&[
            (C, framed(PRELOGIN, &[0, 0, 6, 0, 1, 0xff, 1])),
            (S, framed(RESPONSE, &[0, 0, 6, 0, 1, 0xff, 1])),
            (C, sealed),
            (S, framed(RESPONSE, &error(18_456, "Login failed for user 'sa'."))),
        ]);

        let Record::Login(login) = &records[0] else { panic!("{records:?}") };
        assert_eq!((login.user.as_deref(), login.success), (Some("sa"), Some(false)));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(pieces: Vec<(bool, Vec<u8>)>) {
            let mut tds = Dissection::new();
            let mut out = Findings::default();
            let kinds = [LOGIN, RESPONSE, BATCH, RPC, PRELOGIN];
            for (number, (is_client, piece)) in pieces.iter().enumerate() {
                let sender = if *is_client { C } else { S };
                let packet = framed(kinds[number % kinds.len()], piece);
                tds.on_data(Timestamp::EPOCH, sender, &packet, &mut out);
            }
            for (is_client, piece) in &pieces {
                tds.on_data(Timestamp::EPOCH, if *is_client { C } else { S }, piece, &mut out);
            }
            tds.on_end(Timestamp::EPOCH, &mut out);
            prop_assert!(tds.bytes() < 64 * 1024);
        }
    }
}

//! MySQL and MariaDB (MySQL internals manual, "Client/Server Protocol"): logins and commands with
//! their results.

use super::budget::Budget;
use super::cursor::Cursor;
use super::framing::{Framers, Size};
use super::render::text;
use super::{Dissector, Findings, Protocol, Role};
use crate::event::{Login, Mysql};
use crate::time::Timestamp;

/// Packets are read up to here: a statement that is longer is cut off.
const MAX_PACKET: usize = 4096;
/// Accounts are kept up to here.
const MAX_USER: usize = 128;
/// Messages of the server are kept up to here.
const MAX_MESSAGE: usize = 512;

/// Capability flags.
const CONNECT_WITH_TLS: u32 = 0x0800;
const COMPRESS: u32 = 0x0020 | 0x0400_0000;
const PROTOCOL_41: u32 = 0x0200;
const QUERY_ATTRIBUTES: u32 = 0x0800_0000;

/// COM_QUIT, COM_QUERY, COM_CHANGE_USER, and those of prepared statements that get no answer.
const QUIT: u8 = 1;
const QUERY: u8 = 3;
const CHANGE_USER: u8 = 17;
const UNANSWERED: [u8; 3] = [QUIT, 24, 25];

/// Reads one connection.
#[derive(Debug)]
pub(super) struct Dissection {
    framers: Framers,
    session: Session,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The server greets.
    Greeting,
    /// The client answers with its account.
    Response,
    /// Both negotiate how to prove it.
    Proof,
    Commands,
    /// Nothing more can be read.
    Over,
}

#[derive(Debug)]
struct Session {
    stage: Stage,
    capabilities: u32,
    user: Option<String>,
    /// A command that waits for its result.
    asked: Option<Mysql>,
    budget: Budget,
}

impl Dissection {
    pub(super) fn new() -> Self {
        Self {
            framers: Framers::new(MAX_PACKET),
            session: Session {
                stage: Stage::Greeting,
                capabilities: 0,
                user: None,
                asked: None,
                budget: Budget::default(),
            },
        }
    }
}

impl Dissector for Dissection {
    fn on_data(&mut self, at: Timestamp, sender: Role, mut data: &[u8], out: &mut Findings) {
        let Self { framers, session } = self;
        while session.stage != Stage::Over
            && let Some(packet) = framers.of(sender).next(&mut data, packet)
        {
            let (header, payload) = packet.head.split_at_checked(4).unwrap_or_default();
            let number = header.last().copied().unwrap_or(0);
            match sender {
                Role::Client => session.on_client(at, number, payload, out),
                Role::Server => session.on_server(at, number, payload, out),
            }
        }
        if session.stage == Stage::Commands {
            framers.resume_behind(sender);
        } else if framers.is_lost(sender) {
            session.stage = Stage::Over;
        }
    }

    fn on_gap(&mut self, sender: Role, bytes: u64) {
        self.framers.lose(sender, bytes);
        if self.framers.is_lost(sender) && self.session.stage != Stage::Commands {
            self.session.stage = Stage::Over;
        }
    }

    fn on_end(&mut self, at: Timestamp, out: &mut Findings) {
        self.session.flush(at, out);
    }

    fn wants(&self, _: Role) -> bool {
        self.session.stage != Stage::Over || self.session.asked.is_some()
    }

    fn bytes(&self) -> usize {
        let asked = self.session.asked.as_ref().map_or(0, |asked| asked.arg.capacity());
        size_of::<Self>() + self.framers.heap_bytes() + asked + MAX_USER
    }
}

impl Session {
    fn on_client(&mut self, at: Timestamp, number: u8, payload: &[u8], out: &mut Findings) {
        match self.stage {
            Stage::Response if number > 0 => self.on_response(payload, out),
            // Who only asks for the version leaves with a command.
            Stage::Response => self.stage = Stage::Over,
            // A command starts the count anew; proofs go on with it.
            Stage::Commands if number == 0 => {
                self.flush(at, out);
                self.on_command(payload);
                if self.asked.as_ref().is_some_and(|asked| asked.success.is_none())
                    && payload.first().is_some_and(|command| UNANSWERED.contains(command))
                {
                    self.flush(at, out);
                }
            }
            Stage::Greeting | Stage::Proof | Stage::Commands | Stage::Over => {}
        }
    }

    /// Takes the answer to the greeting.
    fn on_response(&mut self, payload: &[u8], out: &mut Findings) {
        let mut rest = Cursor::new(payload);
        let flags = payload.first_chunk().map_or(0, |flags| u32::from_le_bytes(*flags));
        // Versions before 4.1 have half as many flags, and 24 bits for the size of packets.
        let is_old = flags & PROTOCOL_41 == 0;
        let flags = if is_old { flags & 0xffff } else { flags };
        if flags & CONNECT_WITH_TLS != 0 && payload.len() == 32 {
            out.becomes = Some(Protocol::Ssl);
            self.stage = Stage::Over;
            return;
        }
        self.capabilities &= flags;
        self.stage = Stage::Proof;
        rest.take(if is_old { 5 } else { 32 });
        self.on_user(rest);
        self.asked = Some(Mysql {
            cmd: "login",
            arg: self.user.clone().unwrap_or_default(),
            ..Mysql::default()
        });
    }

    fn on_user(&mut self, mut rest: Cursor<'_>) {
        let user = rest.until_zero().unwrap_or_else(|| rest.rest());
        self.user = Some(text(user, MAX_USER)).filter(|user| !user.is_empty());
    }

    fn on_command(&mut self, payload: &[u8]) {
        let Some((&command, rest)) = payload.split_first() else { return };
        let Some(cmd) = command_name(command) else { return };
        // Attributes may come before a statement: how many, in how many sets. With any at all the
        // statement stands behind their values.
        let has_attributes = self.capabilities & QUERY_ATTRIBUTES != 0;
        let rest = match rest {
            [0, 1, statement @ ..] if command == QUERY && has_attributes => statement,
            _ => rest,
        };
        let rest = rest.strip_suffix(&[0]).unwrap_or(rest);
        let arg = if command == CHANGE_USER {
            self.on_user(Cursor::new(rest));
            self.stage = Stage::Proof;
            self.user.clone().unwrap_or_default()
        } else {
            text(rest, MAX_PACKET)
        };
        self.asked = Some(Mysql { cmd, arg, ..Mysql::default() });
    }

    fn on_server(&mut self, at: Timestamp, number: u8, payload: &[u8], out: &mut Findings) {
        match (self.stage, payload.first()) {
            (Stage::Greeting, Some(10)) if number == 0 => {
                self.capabilities = capabilities(payload);
                self.stage = Stage::Response;
            }
            (Stage::Greeting, Some(9)) if number == 0 => self.stage = Stage::Response,
            // Too many connections, or a host that was shut out: nobody tried to log in.
            (Stage::Greeting, _) => self.stage = Stage::Over,
            (Stage::Proof, Some(0)) => {
                self.on_ok(payload);
                self.log_in(true, out);
                self.flush(at, out);
                let is_compressed = self.capabilities & COMPRESS != 0;
                self.stage = if is_compressed { Stage::Over } else { Stage::Commands };
            }
            (Stage::Proof, Some(0xff)) => {
                self.on_error(payload);
                self.log_in(false, out);
                self.flush(at, out);
                self.stage = Stage::Over;
            }
            (Stage::Commands, Some(first)) => {
                match first {
                    0 => self.on_ok(payload),
                    0xff => self.on_error(payload),
                    // The end of a list, or a result set: how many rows it has is in none of its
                    // packets, and Zeek says 0.
                    _ => {
                        if let Some(asked) = &mut self.asked {
                            (asked.success, asked.rows) = (Some(true), Some(0));
                        }
                    }
                }
                self.flush(at, out);
            }
            _ => {}
        }
    }

    fn on_ok(&mut self, payload: &[u8]) {
        if let Some(asked) = &mut self.asked {
            asked.success = Some(true);
            asked.rows = length_encoded(&mut Cursor::new(payload.get(1..).unwrap_or_default()));
        }
    }

    fn on_error(&mut self, payload: &[u8]) {
        if let Some(asked) = &mut self.asked {
            // Code, and since 4.1 a mark and five letters of state.
            let message = payload.get(3..).unwrap_or_default();
            let message = match message.first() {
                Some(b'#') => message.get(6..).unwrap_or_default(),
                _ => message,
            };
            asked.success = Some(false);
            asked.response = Some(text(message, MAX_MESSAGE));
        }
    }

    fn log_in(&self, success: bool, out: &mut Findings) {
        out.say(Login {
            protocol: Protocol::Mysql.as_str(),
            method: "password",
            user: self.user.clone(),
            domain: None,
            workstation: None,
            success: Some(success),
            inferred: false,
        });
    }

    fn flush(&mut self, at: Timestamp, out: &mut Findings) {
        if let Some(asked) = self.asked.take()
            && self.budget.allows(at)
        {
            out.say(asked);
        }
    }
}

/// Three bytes of length and a number come before a packet.
fn packet(data: &[u8]) -> Size {
    match data.first_chunk::<4>() {
        Some(&[a, b, c, _]) => Size::Is(u64::from(u32::from_le_bytes([a, b, c, 0])) + 4),
        None => Size::Need(4),
    }
}

/// The flags of a greeting.
fn capabilities(payload: &[u8]) -> u32 {
    let mut rest = Cursor::new(payload);
    let read = |rest: &mut Cursor<'_>| {
        rest.u8()?;
        rest.until_zero()?;
        rest.take(4 + 8 + 1)?;
        let low = rest.le16()?;
        rest.take(3)?;
        let high = rest.le16()?;
        Some(u32::from(high) << 16 | u32::from(low))
    };
    read(&mut rest).unwrap_or(0)
}

fn length_encoded(rest: &mut Cursor<'_>) -> Option<u64> {
    Some(match rest.u8()? {
        small @ 0..=0xfa => u64::from(small),
        0xfc => u64::from(rest.le16()?),
        0xfd => {
            let [a, b, c] = rest.take(3)?.first_chunk().copied()?;
            u64::from(u32::from_le_bytes([a, b, c, 0]))
        }
        0xfe => u64::from_le_bytes(rest.take(8)?.first_chunk().copied()?),
        _ => return None,
    })
}

/// Zeek's names of the commands.
fn command_name(command: u8) -> Option<&'static str> {
    const NAMES: [&str; 32] = [
        "sleep",
        "quit",
        "init_db",
        "query",
        "field_list",
        "create_db",
        "drop_db",
        "refresh",
        "shutdown",
        "statistics",
        "process_info",
        "connect",
        "process_kill",
        "debug",
        "ping",
        "time",
        "delayed_insert",
        "change_user",
        "binlog_dump",
        "table_dump",
        "connect_out",
        "register_slave",
        "stmt_prepare",
        "stmt_execute",
        "stmt_send_long_data",
        "stmt_close",
        "stmt_reset",
        "set_option",
        "stmt_fetch",
        "daemon",
        "binlog_dump_gtid",
        "reset_connection",
    ];
    NAMES.get(usize::from(command)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Record;
    use proptest::prelude::*;

    const C: Role = Role::Client;
    const S: Role = Role::Server;

    fn framed(number: u8, payload: &[u8]) -> Vec<u8> {
        let mut packet = (payload.len() as u32).to_le_bytes()[..3].to_vec();
        packet.push(number);
        packet.extend(payload);
        packet
    }

    fn greeting() -> Vec<u8> {
        let mut payload = b"\x0a8.0.36\0".to_vec();
        payload.extend([1, 0, 0, 0]);
        payload.extend([7; 9]);
        payload.extend([0xff, 0xff, 33, 2, 0, 0xff, 0xc1, 21]);
        payload.extend([0; 10]);
        payload.extend(b"123456789012\0mysql_native_password\0");
        framed(0, &payload)
    }

    fn response(user: &str) -> Vec<u8> {
        let mut payload = 0x0000_a285u32.to_le_bytes().to_vec();
        payload.extend([0, 0, 0, 1, 33]);
        payload.extend([0; 23]);
        payload.extend(user.as_bytes());
        payload.extend(b"\0\x14");
        payload.extend([9; 20]);
        framed(1, &payload)
    }

    fn play(turns: &[(Role, Vec<u8>)]) -> Findings {
        let mut mysql = Dissection::new();
        let mut out = Findings::default();
        for (sender, data) in turns {
            for piece in data.chunks(9) {
                mysql.on_data(Timestamp::from_secs(1), *sender, piece, &mut out);
            }
        }
        mysql.on_end(Timestamp::from_secs(1), &mut out);
        out
    }

    fn shown(out: &Findings) -> Vec<(&str, &str, Option<bool>)> {
        out.records
            .iter()
            .map(|record| match record {
                Record::Mysql(mysql) => (mysql.cmd, &*mysql.arg, mysql.success),
                Record::Login(login) => {
                    ("LOGIN", login.user.as_deref().unwrap_or_default(), login.success)
                }
                other => panic!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn tells_logins_and_commands() {
        let out = play(&[
            (S, greeting()),
            (C, response("root")),
            (S, framed(2, b"\xfecaching_sha2_password\0abc")),
            (C, framed(3, &[9; 32])),
            (S, framed(4, &[0, 0, 0, 2, 0, 0, 0])),
            (C, framed(0, b"\x03select 1")),
            (S, [framed(1, &[1]), framed(2, b"\x03def"), framed(3, &[0xfe, 0, 0, 2, 0])].concat()),
            (C, framed(0, b"\x03drop table x")),
            (S, framed(1, b"\xff\x1a\x04#42S02Unknown table")),
            (C, framed(0, b"\x01")),
        ]);

        assert_eq!(
            shown(&out),
            [
                ("LOGIN", "root", Some(true)),
                ("login", "root", Some(true)),
                ("query", "select 1", Some(true)),
                ("query", "drop table x", Some(false)),
                ("quit", "", None),
            ]
        );
        let Record::Mysql(failed) = &out.records[3] else { panic!() };
        assert_eq!(failed.response.as_deref(), Some("Unknown table"));
    }

    #[test]
    fn tells_a_refused_login() {
        let out = play(&[
            (S, greeting()),
            (C, response("root_nope")),
            (S, framed(2, b"\xff\x15\x04#28000Access denied")),
        ]);

        assert_eq!(
            shown(&out),
            [("LOGIN", "root_nope", Some(false)), ("login", "root_nope", Some(false))]
        );
    }

    #[test]
    fn goes_on_as_tls() {
        let mut request = 0x0000_aa85u32.to_le_bytes().to_vec();
        request.resize(32, 0);

        let out = play(&[(S, greeting()), (C, framed(1, &request))]);

        assert_eq!(out.becomes, Some(Protocol::Ssl));
        assert!(out.records.is_empty());
    }

    #[test]
    fn changing_the_user_is_a_login() {
        let out = play(&[
            (S, greeting()),
            (C, response("root")),
            (S, framed(2, &[0, 0, 0, 2, 0, 0, 0])),
            (C, framed(0, b"\x11root2\0\x14abc")),
            (S, framed(1, &[0, 0, 0, 2, 0, 0, 0])),
        ]);

        assert_eq!(
            shown(&out)[2..],
            [("LOGIN", "root2", Some(true)), ("change_user", "root2", Some(true))]
        );
    }

    #[test]
    fn finds_its_place_again_after_a_gap() {
        let mut mysql = Dissection::new();
        let mut out = Findings::default();
        let ok = framed(1, &[0, 0, 0, 2, 0, 0, 0]);
        for (sender, data) in [
            (S, greeting()),
            (C, response("root")),
            (S, framed(2, &[0, 0, 0, 2, 0, 0, 0])),
            (C, framed(0, b"\x03select 1")),
        ] {
            mysql.on_data(Timestamp::EPOCH, sender, &data, &mut out);
        }

        mysql.on_gap(S, 5000);
        mysql.on_data(Timestamp::EPOCH, C, &framed(0, b"\x03drop table x"), &mut out);
        mysql.on_data(Timestamp::EPOCH, S, &ok, &mut out);

        assert_eq!(
            shown(&out)[2..],
            [("query", "select 1", None), ("query", "drop table x", Some(true))]
        );
    }

    proptest! {
        #[test]
        fn no_bytes_panic(pieces: Vec<(bool, Vec<u8>)>, opens: bool) {
            let mut mysql = Dissection::new();
            let mut out = Findings::default();
            if opens {
                mysql.on_data(Timestamp::EPOCH, S, &greeting(), &mut out);
            }
            for (number, (is_client, piece)) in pieces.iter().enumerate() {
                let sender = if *is_client { C } else { S };
                let packet = framed((number % 3) as u8, piece);
                mysql.on_data(Timestamp::EPOCH, sender, &packet, &mut out);
                mysql.on_data(Timestamp::EPOCH, sender, piece, &mut out);
            }
            mysql.on_end(Timestamp::EPOCH, &mut out);
            prop_assert!(mysql.bytes() < 32 * 1024);
        }
    }
}

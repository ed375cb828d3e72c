//! PostgreSQL (PostgreSQL manual, "Frontend/Backend Protocol", version 3): logins, statements and
//! their results, as Zeek's `postgresql` script puts them together.

use std::borrow::Cow;

use super::budget::Budget;
use super::bytes::be32;
use super::cursor::Cursor;
use super::framing::{Framers, Size};
use super::render::text;
use super::{Dissector, Findings, Protocol, Role};
use crate::event::{Login, Postgresql};
use crate::time::Timestamp;

/// Messages are read up to here: a statement that is longer is cut off.
const MAX_MESSAGE: usize = 4096;
/// Names are kept up to here.
const MAX_NAME: usize = 128;
/// Longer answers are cut off.
const MAX_ANSWER: usize = 1024;

/// Codes in the place of a version.
const CANCEL: u32 = 80_877_102;
const TLS: u32 = 80_877_103;
const GSS: u32 = 80_877_104;

/// Reads one connection.
#[derive(Debug)]
pub(super) struct Dissection {
    framers: Framers,
    session: Session,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The client opens, without a type before its message.
    Startup,
    /// It asked for encryption: the server answers with one letter.
    Encryption(u32),
    /// The account is being proved.
    Proof,
    Queries,
    Over,
}

#[derive(Debug)]
struct Session {
    stage: Stage,
    user: Option<String>,
    database: Option<String>,
    application: Option<String>,
    method: &'static str,
    asked: Option<Postgresql>,
    rows: Option<u64>,
    budget: Budget,
}

impl Dissection {
    pub(super) fn new() -> Self {
        Self {
            framers: Framers::new(MAX_MESSAGE),
            session: Session {
                stage: Stage::Startup,
                user: None,
                database: None,
                application: None,
                method: "none",
                asked: None,
                rows: None,
                budget: Budget::default(),
            },
        }
    }
}

impl Dissector for Dissection {
    fn on_data(&mut self, at: Timestamp, sender: Role, mut data: &[u8], out: &mut Findings) {
        let Self { framers, session } = self;
        while session.stage != Stage::Over {
            let stage = session.stage;
            let Some(message) =
                framers.of(sender).next(&mut data, |head| stage.measure(sender, head))
            else {
                break;
            };
            match sender {
                Role::Client => session.on_client(at, message.head, out),
                Role::Server => session.on_server(at, message.head, out),
            }
        }
        if session.stage == Stage::Queries {
            framers.resume_behind(sender);
        } else if framers.is_lost(sender) {
            session.stage = Stage::Over;
        }
    }

    fn on_gap(&mut self, sender: Role, bytes: u64) {
        self.framers.lose(sender, bytes);
        // The server's answer to a proof tells enough.
        let is_proof = self.session.stage == Stage::Proof && sender == Role::Client;
        if self.framers.is_lost(sender) && self.session.stage != Stage::Queries && !is_proof {
            self.session.stage = Stage::Over;
        }
    }

    fn on_end(&mut self, at: Timestamp, out: &mut Findings) {
        if self.session.stage == Stage::Proof {
            self.session.log_in(None, out);
        }
        self.session.flush(at, out);
    }

    fn wants(&self, _: Role) -> bool {
        self.session.stage != Stage::Over || self.session.asked.is_some()
    }

    fn bytes(&self) -> usize {
        let asked = self.session.asked.as_ref().map_or(0, |asked| {
            asked.frontend_arg.as_ref().map_or(0, String::capacity)
                + asked.backend_arg.as_ref().map_or(0, String::capacity)
        });
        size_of::<Self>() + self.framers.heap_bytes() + asked + 3 * MAX_NAME
    }
}

impl Stage {
    fn measure(self, sender: Role, head: &[u8]) -> Size {
        match (self, sender) {
            (Self::Encryption(_), Role::Server) => Size::Is(1),
            (Self::Startup | Self::Encryption(_), Role::Client) => match be32(head, 0) {
                None => Size::Need(4),
                Some(length @ 8..=10_000) => Size::Is(u64::from(length)),
                Some(_) => Size::Lost,
            },
            // A type and a length that counts itself. 1 GiB is the largest that the server takes.
            _ => match (head.first(), be32(head, 1)) {
                (Some(kind), _) if !kind.is_ascii_alphanumeric() => Size::Lost,
                (_, None) => Size::Need(5),
                (_, Some(length @ 4..=0x4000_0000)) => Size::Is(u64::from(length) + 1),
                _ => Size::Lost,
            },
        }
    }
}

impl Session {
    fn on_client(&mut self, at: Timestamp, message: &[u8], out: &mut Findings) {
        if matches!(self.stage, Stage::Startup | Stage::Encryption(_)) {
            self.on_startup(message);
            return;
        }
        let (kind, body) = message
            .split_first()
            .map_or((0, &[][..]), |(kind, rest)| (*kind, rest.get(4..).unwrap_or_default()));
        let (frontend, arg) = match kind {
            b'Q' => ("simple_query", Some(body)),
            // A name, then the statement.
            b'P' => {
                let mut body = Cursor::new(body);
                body.until_zero();
                ("parse", Some(body.rest()))
            }
            b'X' => ("terminate", None),
            _ => return,
        };
        self.flush(at, out);
        let asked = self.asked();
        asked.frontend = Some(frontend);
        asked.frontend_arg = arg.map(|arg| {
            let end = arg.iter().position(|&byte| byte == 0).unwrap_or(arg.len());
            text(arg.get(..end).unwrap_or(arg), MAX_MESSAGE)
        });
        if kind == b'X' {
            self.flush(at, out);
        } else {
            self.rows = Some(0);
        }
    }

    fn on_startup(&mut self, message: &[u8]) {
        match be32(message, 4) {
            Some(code @ (TLS | GSS)) => {
                self.asked().frontend =
                    Some(if code == TLS { "ssl_request" } else { "gssenc_request" });
                self.stage = Stage::Encryption(code);
            }
            Some(CANCEL) | None => self.stage = Stage::Over,
            Some(_) => {
                let mut rest = Cursor::new(message.get(8..).unwrap_or_default());
                while let (Some(name), Some(value)) = (rest.until_zero(), rest.until_zero()) {
                    let value = Some(text(value, MAX_NAME));
                    match name {
                        b"user" => self.user = value,
                        b"database" => self.database = value,
                        b"application_name" => self.application = value,
                        _ => {}
                    }
                }
                self.asked().frontend = Some("startup");
                self.stage = Stage::Proof;
            }
        }
    }

    fn on_server(&mut self, at: Timestamp, message: &[u8], out: &mut Findings) {
        if let Stage::Encryption(code) = self.stage {
            self.on_encryption(at, code, message, out);
            return;
        }
        let (kind, body) = message
            .split_first()
            .map_or((0, &[][..]), |(kind, rest)| (*kind, rest.get(4..).unwrap_or_default()));
        match kind {
            b'R' => self.on_proof(body, out),
            b'E' => {
                if self.stage == Stage::Proof {
                    self.log_in(Some(false), out);
                }
                let message = fields(body);
                let asked = self.asked();
                asked.backend = Some(match asked.backend.take() {
                    Some(before) => Cow::Owned(format!("{before},error")),
                    None => Cow::Borrowed("error"),
                });
                append(&mut asked.backend_arg, &message);
                asked.success = Some(false);
                self.flush(at, out);
                if self.stage == Stage::Proof {
                    self.stage = Stage::Over;
                }
            }
            b'N' => append(&mut self.asked().backend_arg, &fields(body)),
            b'D' => self.rows = Some(self.rows.unwrap_or(0).saturating_add(1)),
            b'Z' => {
                self.stage = Stage::Queries;
                let rows = self.rows.take();
                if let Some(asked) = &mut self.asked {
                    asked.rows = rows;
                    asked.success =
                        asked.success.or(Some(matches!(body.first(), Some(b'I' | b'T'))));
                }
                self.flush(at, out);
            }
            _ => {}
        }
    }

    fn on_encryption(&mut self, at: Timestamp, code: u32, message: &[u8], out: &mut Findings) {
        let is_agreed = message == b"S" || message == b"G";
        let asked = self.asked();
        asked.backend = Some(Cow::Borrowed("ssl_reply"));
        asked.backend_arg = Some(text(message, 1));
        asked.success = Some(is_agreed);
        self.flush(at, out);
        self.stage = match (is_agreed, code) {
            (false, _) => Stage::Startup,
            (true, _) => Stage::Over,
        };
        if is_agreed && code == TLS {
            out.becomes = Some(Protocol::Ssl);
        }
    }

    /// Takes a step of authentication.
    fn on_proof(&mut self, body: &[u8], out: &mut Findings) {
        let identifier = be32(body, 0).unwrap_or(u32::MAX);
        if identifier == 0 {
            self.log_in(Some(true), out);
            self.stage = Stage::Queries;
            let asked = self.asked();
            asked.backend = Some(Cow::Borrowed("auth_ok"));
            asked.success = Some(true);
            return;
        }
        let (name, method) = match identifier {
            2 => ("KerberosV5", "kerberos"),
            3 => ("CleartextPassword", "password"),
            5 => ("MD5Password", "md5"),
            7 => ("GSSAPI", "gssapi"),
            8 => ("GSSAPIContinue", "gssapi"),
            9 => ("SSPI", "sspi"),
            10 => ("SASL", "scram"),
            11 => ("SASLContinue", "scram"),
            12 => ("SASLFinal", "scram"),
            _ => ("Unknown", "password"),
        };
        self.method = method;
        let asked = self.asked();
        asked.backend = Some(Cow::Borrowed("auth_request"));
        append(&mut asked.backend_arg, name);
    }

    /// What is being asked; a new request if nothing is.
    fn asked(&mut self) -> &mut Postgresql {
        self.asked.get_or_insert_default()
    }

    fn log_in(&self, success: Option<bool>, out: &mut Findings) {
        out.say(Login {
            protocol: Protocol::Postgresql.as_str(),
            method: self.method,
            user: self.user.clone(),
            domain: None,
            workstation: None,
            success,
            inferred: false,
        });
    }

    fn flush(&mut self, at: Timestamp, out: &mut Findings) {
        let Some(mut asked) = self.asked.take() else { return };
        if self.budget.allows(at) {
            asked.user.clone_from(&self.user);
            asked.database.clone_from(&self.database);
            asked.application_name.clone_from(&self.application);
            out.say(asked);
        }
    }
}

fn append(list: &mut Option<String>, item: &str) {
    let list = list.get_or_insert_default();
    if list.len() < MAX_ANSWER {
        if !list.is_empty() {
            list.push(',');
        }
        list.push_str(item);
    }
}

/// The fields of an error or a notice: a letter and a text each.
fn fields(body: &[u8]) -> String {
    let mut rest = Cursor::new(body);
    let mut out = None;
    while let Some(letter @ 1..) = rest.u8() {
        let Some(value) = rest.until_zero() else { break };
        let name = match letter {
            b'S' => "SeverityLocalized",
            b'V' => "Severity",
            b'C' => "Code",
            b'M' => "Message",
            b'D' => "Detail",
            b'H' => "Hint",
            b'P' => "Position",
            b'p' => "InternalPosition",
            b'q' => "InternalQuery",
            b'W' => "Where",
            b's' => "Schema",
            b't' => "Table",
            b'c' => "Column",
            b'd' => "Data",
            b'n' => "Constraint",
            b'F' => "File",
            b'L' => "Line",
            b'R' => "Routine",
            _ => continue,
        };
        append(&mut out, &format!("{name}={}", text(value, MAX_ANSWER)));
    }
    out.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Record;
    use proptest::prelude::*;

    const C: Role = Role::Client;
    const S: Role = Role::Server;

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let mut message = vec![kind];
        message.extend((body.len() as u32 + 4).to_be_bytes());
        message.extend(body);
        message
    }

    fn startup(code: u32, parameters: &[u8]) -> Vec<u8> {
        let length = (parameters.len() as u32 + 8).to_be_bytes();
        [&length[..], &code.to_be_bytes(), parameters].concat()
    }

    fn play(turns: &[(Role, Vec<u8>)]) -> Findings {
        let mut postgresql = Dissection::new();
        let mut out = Findings::default();
        for (sender, data) in turns {
            for piece in data.chunks(7) {
                postgresql.on_data(Timestamp::from_secs(1), *sender, piece, &mut out);
            }
        }
        postgresql.on_end(Timestamp::from_secs(1), &mut out);
        out
    }

    fn requests(out: &Findings) -> Vec<&Postgresql> {
        out.records
            .iter()
            .filter_map(|record| match record {
                Record::Postgresql(request) => Some(request),
                _ => None,
            })
            .collect()
    }

    fn logins(out: &Findings) -> Vec<(&str, Option<&str>, Option<bool>)> {
        out.records
            .iter()
            .filter_map(|record| match record {
                Record::Login(login) => Some((login.method, login.user.as_deref(), login.success)),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn tells_a_login_and_a_statement() {
        let out = play(&[
            (C, startup(TLS, &[])),
            (S, b"N".to_vec()),
            (C, startup(0x0003_0000, b"user\0me\0database\0db\0application_name\0psql\0\0")),
            (S, message(b'R', &[0, 0, 0, 5, 1, 2, 3, 4])),
            (C, message(b'p', b"md5abc\0")),
            (S, [message(b'R', &[0; 4]), message(b'S', b"a\0b\0"), message(b'Z', b"I")].concat()),
            (C, message(b'Q', b"COPY x FROM PROGRAM 'id'\0")),
            (S, [message(b'D', &[0, 0]), message(b'C', b"x\0"), message(b'Z', b"I")].concat()),
            (C, message(b'X', &[])),
        ]);

        assert_eq!(logins(&out), [("md5", Some("me"), Some(true))]);
        let requests = requests(&out);
        assert_eq!(requests[0].frontend, Some("ssl_request"));
        assert_eq!(requests[0].success, Some(false));
        assert_eq!(requests[1].backend.as_deref(), Some("auth_ok"));
        assert_eq!(requests[1].backend_arg.as_deref(), Some("MD5Password"));
        assert_eq!(requests[2].frontend_arg.as_deref(), Some("COPY x FROM PROGRAM 'id'"));
        assert_eq!((requests[2].success, requests[2].rows), (Some(true), Some(1)));
        assert_eq!(requests[2].application_name.as_deref(), Some("psql"));
        assert_eq!(requests[3].frontend, Some("terminate"));
    }

    #[test]
    fn tells_a_refused_login() {
        let out = play(&[
            (C, startup(0x0003_0000, b"user\0postgres\0\0")),
            (S, message(b'R', &[0, 0, 0, 10])),
            (S, message(b'E', b"SFATAL\0C28P01\0Mpassword authentication failed\0\0")),
        ]);

        assert_eq!(logins(&out), [("scram", Some("postgres"), Some(false))]);
        assert_eq!(
            requests(&out)[0].backend_arg.as_deref(),
            Some("SASL,SeverityLocalized=FATAL,Code=28P01,Message=password authentication failed")
        );
    }

    #[test]
    fn goes_on_as_tls() {
        let out = play(&[(C, startup(TLS, &[])), (S, b"S".to_vec())]);

        assert_eq!(out.becomes, Some(Protocol::Ssl));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(pieces: Vec<(bool, Vec<u8>)>, opens: bool) {
            let mut postgresql = Dissection::new();
            let mut out = Findings::default();
            if opens {
                let hello = startup(0x0003_0000, b"user\0me\0\0");
                postgresql.on_data(Timestamp::EPOCH, C, &hello, &mut out);
            }
            let kinds = b"REQNZDPX";
            for (number, (is_client, piece)) in pieces.iter().enumerate() {
                let sender = if *is_client { C } else { S };
                let framed = message(kinds[number % kinds.len()], piece);
                postgresql.on_data(Timestamp::EPOCH, sender, &framed, &mut out);
                postgresql.on_data(Timestamp::EPOCH, sender, piece, &mut out);
            }
            postgresql.on_end(Timestamp::EPOCH, &mut out);
            prop_assert!(postgresql.bytes() < 32 * 1024);
        }
    }
}

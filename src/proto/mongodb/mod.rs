//! MongoDB (MongoDB manual, "Wire Protocol"): commands by their names, logins and their results.
//!
//! A command is a document whose first element is its name; a login is a SASL conversation in
//! several of them.

mod bson;

use std::collections::VecDeque;

use self::bson::{Value, elements};
use super::budget::Budget;
use super::bytes::le32;
use super::cursor::Cursor;
use super::framing::{Framers, Size};
use super::render::text;
use super::{Dissector, Findings, Protocol, Role};
use crate::event::{Login, Mongodb};
use crate::time::Timestamp;

/// Messages are read up to here: a command's name comes first.
const MAX_MESSAGE: usize = 2048;
/// The largest message that a server takes.
const MAX_LENGTH: u32 = 48_000_000;
/// Names are kept up to here.
const MAX_NAME: usize = 128;
/// Commands that may wait for their results.
const MAX_PENDING: usize = 32;

const REPLY: u32 = 1;
const QUERY: u32 = 2004;
const MESSAGE: u32 = 2013;

/// Commands by which drivers keep a connection alive.
const ROUTINE: [&str; 4] = ["hello", "isMaster", "ismaster", "ping"];

/// Reads one connection.
#[derive(Debug)]
pub(super) struct Dissection {
    framers: Framers,
    session: Session,
}

#[derive(Debug, Default)]
struct Session {
    pending: VecDeque<Asked>,
    user: Option<String>,
    method: Option<&'static str>,
    budget: Budget,
}

/// A command that waits for its result.
#[derive(Debug)]
struct Asked {
    request: u32,
    record: Mongodb,
    is_login: bool,
    is_routine: bool,
}

impl Dissection {
    pub(super) fn new() -> Self {
        Self { framers: Framers::new(MAX_MESSAGE), session: Session::default() }
    }
}

impl Dissector for Dissection {
    fn on_data(&mut self, at: Timestamp, sender: Role, mut data: &[u8], out: &mut Findings) {
        let Self { framers, session } = self;
        let framer = framers.of(sender);
        while let Some(message) = framer.next(&mut data, message_size) {
            let Some(document) = document(message.head) else { continue };
            match sender {
                Role::Client => session.on_command(at, message.head, document, out),
                Role::Server => session.on_result(at, message.head, document, out),
            }
        }
    }

    fn on_gap(&mut self, sender: Role, bytes: u64) {
        self.framers.lose(sender, bytes);
    }

    fn on_end(&mut self, at: Timestamp, out: &mut Findings) {
        for asked in std::mem::take(&mut self.session.pending) {
            self.session.tell(at, asked, out);
        }
    }

    fn wants(&self, _: Role) -> bool {
        !self.framers.is_lost(Role::Client) || !self.session.pending.is_empty()
    }

    fn bytes(&self) -> usize {
        size_of::<Self>()
            + self.framers.heap_bytes()
            + self.session.pending.len() * (size_of::<Asked>() + 3 * MAX_NAME)
            + MAX_NAME
    }
}

impl Session {
    fn on_command(&mut self, at: Timestamp, head: &[u8], document: &[u8], out: &mut Findings) {
        let mut parts = elements(document);
        let Some((name, about)) = parts.next() else { return };
        let command = text(name, MAX_NAME);
        let mut database = None;
        for (name, value) in elements(document) {
            match (name, value) {
                (b"$db", Value::Text(value)) => database = Some(text(value, MAX_NAME)),
                (b"speculativeAuthenticate", Value::Document(inner)) => self.on_sasl(inner),
                _ => {}
            }
        }
        self.on_sasl(document);
        let is_login = ["saslStart", "saslContinue", "authenticate"].contains(&command.as_str());
        let collection = match about {
            Value::Text(about) => Some(text(about, MAX_NAME)),
            _ => None,
        };
        let is_routine = ROUTINE.contains(&command.as_str());
        let record = Mongodb {
            command,
            database: database.or_else(|| old_database(head)),
            collection,
            ..Mongodb::default()
        };
        let request = le32(head, 4).unwrap_or(0);
        if self.pending.len() >= MAX_PENDING
            && let Some(oldest) = self.pending.pop_front()
        {
            self.tell(at, oldest, out);
        }
        self.pending.push_back(Asked { request, record, is_login, is_routine });
    }

    /// Takes the account out of a step of a login.
    fn on_sasl(&mut self, document: &[u8]) {
        let mut payload = None;
        for (name, value) in elements(document) {
            match (name, value) {
                (b"mechanism", Value::Text(mechanism)) => self.method = Some(method(mechanism)),
                (b"payload", Value::Bytes(bytes) | Value::Text(bytes)) => payload = Some(bytes),
                // MONGODB-X509 and its predecessor name the account themselves.
                (b"user", Value::Text(user)) => self.user = Some(text(user, MAX_NAME)),
                _ => {}
            }
        }
        // `n,,n=user,r=...` (RFC 5802), or two zeros around it (RFC 4616).
        if let Some(payload) = payload
            && let Some(user) = user_of(payload)
        {
            self.user = Some(text(user, MAX_NAME));
        }
    }

    fn on_result(&mut self, at: Timestamp, head: &[u8], document: &[u8], out: &mut Findings) {
        let answers = le32(head, 8).unwrap_or(0);
        let Some(place) = self.pending.iter().position(|asked| asked.request == answers) else {
            return;
        };
        let Some(mut asked) = self.pending.remove(place) else { return };
        let mut is_done = true;
        for (name, value) in elements(document) {
            match (name, value) {
                (b"ok", Value::Number(number)) => asked.record.success = Some(number > 0.0),
                (b"ok", Value::Flag(flag)) => asked.record.success = Some(flag),
                (b"codeName", Value::Text(name)) => {
                    asked.record.error = Some(text(name, MAX_NAME));
                }
                (b"errmsg" | b"$err", Value::Text(message)) if asked.record.error.is_none() => {
                    asked.record.error = Some(text(message, MAX_NAME));
                }
                (b"done", Value::Flag(flag)) => is_done = flag,
                _ => {}
            }
        }
        if asked.is_login && (is_done || asked.record.success == Some(false)) {
            self.log_in(asked.record.success, out);
        }
        self.tell(at, asked, out);
    }

    fn log_in(&self, success: Option<bool>, out: &mut Findings) {
        out.say(Login {
            protocol: Protocol::Mongodb.as_str(),
            method: self.method.unwrap_or("password"),
            user: self.user.clone(),
            domain: None,
            workstation: None,
            success,
            inferred: false,
        });
    }

    fn tell(&mut self, at: Timestamp, asked: Asked, out: &mut Findings) {
        if !asked.is_routine && self.budget.allows(at) {
            out.say(asked.record);
        }
    }
}

/// A message begins with its length and says its kind at 12.
fn message_size(data: &[u8]) -> Size {
    match (le32(data, 0), le32(data, 12)) {
        (Some(length @ 16..=MAX_LENGTH), Some(1 | 2001..=2013)) => Size::Is(u64::from(length)),
        (Some(_), Some(_)) => Size::Lost,
        _ => Size::Need(16),
    }
}

/// The document of a command or a result; that of compressed messages is not to be had.
fn document(head: &[u8]) -> Option<&[u8]> {
    let mut rest = Cursor::new(head.get(16..)?);
    match le32(head, 12)? {
        MESSAGE => {
            rest.take(4)?;
            // Sections: the document itself, or sequences of documents that go with it.
            while let Some(kind) = rest.u8() {
                if kind == 0 {
                    return Some(rest.rest());
                }
                let length = rest.le32()? as usize;
                rest.take(length.checked_sub(4)?)?;
            }
            None
        }
        QUERY => {
            rest.take(4)?;
            rest.until_zero()?;
            rest.take(8)?;
            let document = rest.rest();
            // Older drivers wrap a command.
            match elements(document).next() {
                Some((b"$query" | b"query", Value::Document(inner))) => Some(inner),
                _ => Some(document),
            }
        }
        REPLY => {
            rest.take(20)?;
            Some(rest.rest())
        }
        _ => None,
    }
    .filter(|document| bson::length(document) >= 5)
}

/// The database of a command in the old form: what comes before the dot of `db.$cmd`.
fn old_database(head: &[u8]) -> Option<String> {
    if le32(head, 12) != Some(QUERY) {
        return None;
    }
    let name = Cursor::new(head.get(20..)?).until_zero()?;
    let database = name.split(|&byte| byte == b'.').next()?;
    Some(text(database, MAX_NAME))
}

fn method(mechanism: &[u8]) -> &'static str {
    match mechanism {
        b"SCRAM-SHA-1" => "scram-sha-1",
        b"SCRAM-SHA-256" => "scram-sha-256",
        b"MONGODB-X509" => "x509",
        b"MONGODB-CR" => "mongodb-cr",
        b"MONGODB-AWS" => "aws",
        b"GSSAPI" => "gssapi",
        b"PLAIN" => "plain",
        _ => "sasl",
    }
}

fn user_of(payload: &[u8]) -> Option<&[u8]> {
    if payload.first() == Some(&0) {
        return payload.split(|&byte| byte == 0).nth(1);
    }
    if !payload.starts_with(b"n,") {
        return None;
    }
    let mut parts = payload.split(|&byte| byte == b',').skip(2);
    parts.find_map(|part| part.strip_prefix(b"n="))
}

#[cfg(test)]
mod tests {
    use super::bson::tests::document;
    use super::*;
    use crate::event::Record;
    use proptest::prelude::*;

    const C: Role = Role::Client;
    const S: Role = Role::Server;

    fn message(request: u32, answers: u32, document: &[u8]) -> Vec<u8> {
        let length = 16 + 4 + 1 + document.len() as u32;
        let header = [length, request, answers, MESSAGE, 0];
        let mut out: Vec<u8> = header.iter().flat_map(|word| word.to_le_bytes()).collect();
        out.push(0);
        out.extend(document);
        out
    }

    fn play(turns: &[(Role, Vec<u8>)]) -> Vec<Record> {
        let mut mongodb = Dissection::new();
        let mut out = Findings::default();
        for (sender, data) in turns {
            for piece in data.chunks(13) {
                mongodb.on_data(Timestamp::from_secs(1), *sender, piece, &mut out);
            }
        }
        mongodb.on_end(Timestamp::from_secs(1), &mut out);
        out.records
    }

    const OK: (&str, Value<'_>) = ("ok", Value::Number(1.0));

    #[test]
    fn tells_a_login_that_fails_and_one_that_succeeds() {
        let start = document(&[
            ("saslStart", Value::Number(1.0)),
            ("mechanism", Value::Text(b"SCRAM-SHA-256")),
            ("payload", Value::Bytes(b"n,,n=admin,r=abc")),
            ("$db", Value::Text(b"admin")),
        ]);
        let challenge = document(&[OK, ("done", Value::Flag(false))]);
        let proof =
            document(&[("saslContinue", Value::Number(1.0)), ("payload", Value::Bytes(b"c=biws"))]);
        let refused = document(&[
            ("ok", Value::Number(0.0)),
            ("errmsg", Value::Text(b"Authentication failed.")),
            ("codeName", Value::Text(b"AuthenticationFailed")),
        ]);
        let accepted = document(&[OK, ("done", Value::Flag(true))]);
        let mut turns = Vec::new();
        for (base, end) in [(0, &refused), (10, &accepted)] {
            turns.push((C, message(base + 1, 0, &start)));
            turns.push((S, message(99, base + 1, &challenge)));
            turns.push((C, message(base + 2, 0, &proof)));
            turns.push((S, message(99, base + 2, end)));
        }

        let records = play(&turns);

        let logins: Vec<_> = records
            .iter()
            .filter_map(|record| match record {
                Record::Login(login) => Some((login.method, login.user.as_deref(), login.success)),
                _ => None,
            })
            .collect();
        assert_eq!(
            logins,
            [
                ("scram-sha-256", Some("admin"), Some(false)),
                ("scram-sha-256", Some("admin"), Some(true))
            ]
        );
    }

    #[test]
    fn tells_commands_by_name_and_leaves_routine_out() {
        let hello = document(&[("hello", Value::Number(1.0)), ("$db", Value::Text(b"admin"))]);
        let drop = document(&[("dropDatabase", Value::Number(1.0)), ("$db", Value::Text(b"shop"))]);
        let find = document(&[("find", Value::Text(b"users")), ("$db", Value::Text(b"shop"))]);

        let records = play(&[
            (C, message(1, 0, &hello)),
            (S, message(9, 1, &document(&[OK]))),
            (C, message(2, 0, &drop)),
            (S, message(9, 2, &document(&[OK]))),
            (C, message(3, 0, &find)),
        ]);

        let [Record::Mongodb(drop), Record::Mongodb(find)] = &records[..] else {
            panic!("{records:?}")
        };
        assert_eq!(
            (drop.command.as_str(), drop.database.as_deref()),
            ("dropDatabase", Some("shop"))
        );
        assert_eq!((find.collection.as_deref(), find.success), (Some("users"), None));
    }

    #[test]
    fn reads_commands_of_old_drivers() {
        let inner = document(&[("listDatabases", Value::Number(1.0))]);
        let body = [&[0; 4][..], b"admin.$cmd\0", &[0; 8], &inner].concat();
        let header = [16 + body.len() as u32, 1, 0, QUERY];
        let mut query: Vec<u8> = header.iter().flat_map(|word| word.to_le_bytes()).collect();
        query.extend(body);

        let records = play(&[(C, query)]);

        let [Record::Mongodb(record)] = &records[..] else { panic!("{records:?}") };
        assert_eq!(record.command, "listDatabases");
        assert_eq!(record.database.as_deref(), Some("admin"));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(pieces: Vec<(bool, Vec<u8>)>) {
            let mut mongodb = Dissection::new();
            let mut out = Findings::default();
            for (number, (is_client, piece)) in pieces.iter().enumerate() {
                let sender = if *is_client { C } else { S };
                let framed = message(number as u32, 0, piece);
                mongodb.on_data(Timestamp::EPOCH, sender, &framed, &mut out);
            }
            for (is_client, piece) in &pieces {
                mongodb.on_data(Timestamp::EPOCH, if *is_client { C } else { S }, piece, &mut out);
            }
            mongodb.on_end(Timestamp::EPOCH, &mut out);
            prop_assert!(mongodb.bytes() < 64 * 1024);
        }
    }
}

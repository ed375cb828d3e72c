//! Redis: commands, what they are about, and whether they worked; logins among them.

mod commands;
mod resp;

use std::collections::VecDeque;

use self::commands::Shape;
use self::resp::{Reader, Value};
use super::budget::Budget;
use super::{Dissector, Findings, Protocol, Role};
use crate::event::{Login, Redis};
use crate::time::Timestamp;

/// Commands that may wait for their replies; the oldest go first.
const MAX_PENDING: usize = 128;

/// Reads one connection.
#[derive(Debug)]
pub(super) struct Dissection {
    client: Reader,
    server: Reader,
    session: Session,
}

#[derive(Debug, Default)]
struct Session {
    pending: VecDeque<Asked>,
    /// Replies whose commands are not known any more.
    forgotten: u64,
    /// The server speaks unasked.
    is_subscribed: bool,
    budget: Budget,
}

/// A command without its reply.
#[derive(Debug)]
struct Asked {
    record: Redis,
    /// It is a login, to this account.
    login: Option<String>,
}

impl Dissection {
    pub(super) fn new() -> Self {
        Self { client: Reader::commands(), server: Reader::replies(), session: Session::default() }
    }
}

impl Dissector for Dissection {
    fn on_data(&mut self, at: Timestamp, sender: Role, mut data: &[u8], out: &mut Findings) {
        let Self { client, server, session } = self;
        match sender {
            Role::Client => {
                while let Some(command) = client.next(&mut data) {
                    session.on_command(at, command, out);
                }
            }
            Role::Server => {
                while let Some(reply) = server.next(&mut data) {
                    session.on_reply(at, &reply, out);
                }
            }
        }
    }

    fn on_gap(&mut self, sender: Role, bytes: u64) {
        match sender {
            Role::Client => self.client.lose(bytes),
            Role::Server => self.server.lose(bytes),
        }
        // Nobody knows which reply belongs to which command now.
        if self.client.is_lost() || self.server.is_lost() {
            self.client.give_up();
            self.server.give_up();
        }
    }

    fn on_end(&mut self, at: Timestamp, out: &mut Findings) {
        for asked in std::mem::take(&mut self.session.pending) {
            self.session.tell(at, asked, None, out);
        }
    }

    fn wants(&self, _: Role) -> bool {
        !self.client.is_lost() || !self.session.pending.is_empty()
    }

    fn bytes(&self) -> usize {
        let heap = |text: &Option<String>| text.as_ref().map_or(0, String::capacity);
        let pending: usize = self
            .session
            .pending
            .iter()
            .map(|Asked { record, login }| {
                size_of::<Asked>()
                    + record.name.capacity()
                    + heap(&record.key)
                    + heap(&record.value)
                    + heap(login)
            })
            .sum();
        size_of::<Self>() + self.client.heap_bytes() + self.server.heap_bytes() + pending
    }
}

impl Session {
    fn on_command(&mut self, at: Timestamp, command: Value, out: &mut Findings) {
        let mut words = command.items.into_iter();
        let Some(name) = words.next().filter(|name| !name.is_empty()) else { return };
        let words: Vec<String> = words.collect();
        let shape = Shape::of(&name);
        if shape == Shape::Subscribe {
            // Its confirmations come as messages do: unasked, and many for one command.
            self.is_subscribed = true;
        }
        let login = commands::login(&name, &words);
        let (key, value) = match shape {
            Shape::Secret => (None, None),
            Shape::Key => (words.first().cloned(), None),
            Shape::KeyValue | Shape::Plain | Shape::Subscribe => {
                (words.first().cloned(), words.get(1).cloned())
            }
            Shape::Administration => (words.first().cloned(), commands::rest(&words)),
        };
        let asked = Asked { record: Redis { name, key, value, ..Redis::default() }, login };
        if self.pending.len() >= MAX_PENDING
            && let Some(oldest) = self.pending.pop_front()
        {
            self.forgotten = self.forgotten.saturating_add(1);
            self.tell(at, oldest, None, out);
        }
        self.pending.push_back(asked);
    }

    fn on_reply(&mut self, at: Timestamp, reply: &Value, out: &mut Findings) {
        if reply.is_push || (self.is_subscribed && reply.is_list && self.is_confirmation(reply)) {
            return;
        }
        if self.forgotten > 0 {
            self.forgotten -= 1;
            return;
        }
        if let Some(asked) = self.pending.pop_front() {
            self.tell(at, asked, Some(reply), out);
        }
    }

    /// Whether a list is a message of a subscription, or confirms one.
    fn is_confirmation(&mut self, reply: &Value) -> bool {
        let kind = reply.items.first().map_or("", |kind| kind.as_str());
        let confirms = kind.ends_with("subscribe");
        if confirms
            && self
                .pending
                .front()
                .is_some_and(|asked| Shape::of(&asked.record.name) == Shape::Subscribe)
        {
            self.pending.pop_front();
        }
        confirms || matches!(kind, "message" | "pmessage" | "smessage" | "pong")
    }

    fn tell(&mut self, at: Timestamp, asked: Asked, reply: Option<&Value>, out: &mut Findings) {
        let mut record = asked.record;
        record.success = reply.map(|reply| !reply.is_error);
        record.reply = reply.and_then(Value::shown);
        if let Some(user) = asked.login {
            // A server without passwords says so; that is no refusal.
            let has_none =
                record.reply.as_deref().is_some_and(|reply| reply.contains("without any password"));
            out.say(Login {
                protocol: Protocol::Redis.as_str(),
                method: "password",
                user: Some(user),
                domain: None,
                workstation: None,
                success: record.success.filter(|_| !has_none),
                inferred: false,
            });
        }
        if self.budget.allows(at) {
            out.say(record);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Record;
    use proptest::prelude::*;

    const C: Role = Role::Client;
    const S: Role = Role::Server;

    fn bulk(words: &[&str]) -> String {
        let items: String =
            words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len())).collect();
        format!("*{}\r\n{items}", words.len())
    }

    fn play(turns: &[(Role, &str)]) -> Vec<Record> {
        let mut redis = Dissection::new();
        let mut out = Findings::default();
        for (sender, text) in turns {
            for piece in text.as_bytes().chunks(4) {
                redis.on_data(Timestamp::from_secs(1), *sender, piece, &mut out);
            }
        }
        redis.on_end(Timestamp::from_secs(1), &mut out);
        out.records
    }

    type Shown<'a> = (&'a str, Option<&'a str>, Option<&'a str>, Option<bool>);

    fn shown(records: &[Record]) -> Vec<Shown<'_>> {
        records
            .iter()
            .map(|record| match record {
                Record::Redis(redis) => {
                    (&*redis.name, redis.key.as_deref(), redis.value.as_deref(), redis.success)
                }
                Record::Login(login) => ("LOGIN", login.user.as_deref(), None, login.success),
                other => panic!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn tells_commands_with_their_replies() {
        let two = [bulk(&["SET", "k", "v", "EX", "9"]), bulk(&["GET", "none"])].concat();
        let records = play(&[
            (C, &two),
            (S, "+OK\r\n$-1\r\n"),
            (C, "PING\r\n"),
            (S, "+PONG\r\n"),
            (C, &bulk(&["EVAL", "return 1", "0"])),
            (S, "-NOAUTH Authentication required.\r\n"),
        ]);

        assert_eq!(
            shown(&records),
            [
                ("SET", Some("k"), Some("v"), Some(true)),
                ("GET", Some("none"), None, Some(true)),
                ("PING", None, None, Some(true)),
                ("EVAL", Some("return 1"), Some("0"), Some(false)),
            ]
        );
        let Record::Redis(set) = &records[0] else { panic!() };
        assert_eq!(set.reply.as_deref(), Some("OK"));
    }

    #[test]
    fn shows_what_an_intruder_sets() {
        let records = play(&[
            (C, &bulk(&["config", "set", "dir", "/var/spool/cron"])),
            (S, "+OK\r\n"),
            (C, &bulk(&["SLAVEOF", "192.0.2.66", "6379"])),
            (S, "+OK\r\n"),
        ]);

        assert_eq!(
            shown(&records),
            [
                ("config", Some("set"), Some("dir /var/spool/cron"), Some(true)),
                ("SLAVEOF", Some("192.0.2.66"), Some("6379"), Some(true)),
            ]
        );
    }

    #[test]
    fn tells_logins_and_keeps_their_passwords() {
        let records = play(&[
            (C, &bulk(&["AUTH", "secret"])),
            (S, "-WRONGPASS invalid username-password pair\r\n"),
            (C, &bulk(&["HELLO", "3", "AUTH", "me", "secret"])),
            (S, "%1\r\n+server\r\n+redis\r\n"),
        ]);

        assert_eq!(
            shown(&records),
            [
                ("LOGIN", Some("default"), None, Some(false)),
                ("AUTH", None, None, Some(false)),
                ("LOGIN", Some("me"), None, Some(true)),
                ("HELLO", None, None, Some(true)),
            ]
        );
        assert!(!format!("{records:?}").contains("secret"));
    }

    #[test]
    fn messages_of_a_subscription_answer_nothing() {
        let records = play(&[
            (C, &bulk(&["SUBSCRIBE", "a"])),
            (S, "*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n"),
            (S, "*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$2\r\nhi\r\n"),
            (C, &bulk(&["QUIT"])),
            (S, "+OK\r\n"),
        ]);

        assert_eq!(shown(&records), [("QUIT", None, None, Some(true))]);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(pieces: Vec<(bool, Vec<u8>)>, words: Vec<Vec<String>>) {
            let mut redis = Dissection::new();
            let mut out = Findings::default();
            for command in &words {
                let words: Vec<&str> = command.iter().map(String::as_str).collect();
                redis.on_data(Timestamp::EPOCH, C, bulk(&words).as_bytes(), &mut out);
                redis.on_data(Timestamp::EPOCH, S, b"*2\r\n*1\r\n:1\r\n$-1\r\n", &mut out);
            }
            for (is_client, piece) in &pieces {
                redis.on_data(Timestamp::EPOCH, if *is_client { C } else { S }, piece, &mut out);
            }
            redis.on_end(Timestamp::EPOCH, &mut out);
            prop_assert!(redis.bytes() < 128 * 1024);
        }
    }
}

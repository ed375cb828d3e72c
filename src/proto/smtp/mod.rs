//! SMTP (RFC 5321): mails, logins (RFC 4954), and the change to TLS (RFC 3207).

mod header;

use self::header::Header;
use super::framing::Lines;
use super::render::text;
use super::sasl::{Exchange, Step};
use super::{Dissector, Findings, Protocol, Role};
use crate::event::{Conversation, Smtp};
use crate::time::Timestamp;

/// Longer lines are cut off (RFC 5321 section 4.5.3.1.6 allows 1000 bytes).
const MAX_LINE: usize = 2048;
/// Receivers of one mail that are kept.
const MAX_RECEIVERS: usize = 64;
/// Commands that may wait for their answers.
const MAX_PENDING: u32 = 64;

/// Reads one connection.
#[derive(Debug)]
pub(super) struct Dissection {
    client: Lines,
    server: Lines,
    session: Session,
}

/// What the client's bytes are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    /// Commands.
    #[default]
    Commands,
    /// Commands, but the server has yet to allow the mail that DATA announced.
    DataAsked,
    /// The header of a mail, then its body, up to a line of a single dot.
    Header,
    Body,
}

#[derive(Debug, Default)]
struct Session {
    talk: Option<Conversation>,
    stage: Stage,
    mail: Smtp,
    mails: u32,
    has_activity: bool,
    header: Header,
    /// Bytes of a chunk that are still to come (RFC 3030).
    chunk: u64,
    is_last_chunk: bool,
    /// Commands since the last answer that matters.
    pending: u32,
    wants_tls: bool,
    exchange: Option<Exchange>,
}

impl Dissection {
    pub(super) fn new() -> Self {
        Self {
            client: Lines::new(MAX_LINE),
            server: Lines::new(MAX_LINE),
            session: Session::default(),
        }
    }
}

impl Dissector for Dissection {
    fn on_start(&mut self, talk: &Conversation) {
        self.session.talk = Some(*talk);
        self.session.begin_mail();
    }

    fn on_data(&mut self, _: Timestamp, sender: Role, mut data: &[u8], out: &mut Findings) {
        let Self { client, server, session } = self;
        match sender {
            Role::Client => loop {
                data = session.skip_chunk(data);
                let Some(line) = client.next(&mut data) else { return };
                session.on_client_line(line, out);
            },
            Role::Server => {
                while let Some(line) = server.next(&mut data) {
                    session.on_server_line(line, out);
                }
            }
        }
    }

    fn on_gap(&mut self, sender: Role, bytes: u64) {
        match sender {
            Role::Client if self.session.chunk >= bytes => self.session.chunk -= bytes,
            Role::Client => {
                self.session.chunk = 0;
                self.client.lose();
            }
            Role::Server => self.server.lose(),
        }
    }

    fn on_end(&mut self, _: Timestamp, out: &mut Findings) {
        if let Some(exchange) = self.session.exchange.take() {
            out.say(exchange.login(Protocol::Smtp, None));
        }
        self.session.finish_mail(out);
    }

    fn bytes(&self) -> usize {
        let mail = &self.session.mail;
        let receivers = mail.rcptto.len() + mail.to.len() + mail.cc.len();
        size_of::<Self>()
            + self.client.heap_bytes()
            + self.server.heap_bytes()
            + self.session.header.heap_bytes()
            + receivers * 64
            + 2048
    }
}

impl Session {
    fn begin_mail(&mut self) {
        let path = self.talk.map_or(Vec::new(), |talk| vec![talk.server.addr, talk.client.addr]);
        self.mail = Smtp {
            trans_depth: self.mails.saturating_add(1),
            helo: self.mail.helo.take(),
            path,
            ..Smtp::default()
        };
        self.header = Header::default();
        self.has_activity = false;
    }

    fn finish_mail(&mut self, out: &mut Findings) {
        if self.has_activity {
            let helo = self.mail.helo.clone();
            out.say(std::mem::take(&mut self.mail));
            self.mail.helo = helo;
            self.begin_mail();
        }
    }

    /// What follows of `data` after the chunk that is being sent.
    fn skip_chunk<'d>(&mut self, data: &'d [u8]) -> &'d [u8] {
        let skipped = usize::try_from(self.chunk).unwrap_or(usize::MAX).min(data.len());
        self.chunk -= skipped as u64;
        data.get(skipped..).unwrap_or_default()
    }

    fn on_client_line(&mut self, line: &[u8], out: &mut Findings) {
        match self.stage {
            Stage::Header | Stage::Body if line == b"." => {
                self.header.finish(&mut self.mail);
                self.stage = Stage::Commands;
                self.pending = 1;
                self.is_last_chunk = true;
            }
            Stage::Header if line.is_empty() => {
                self.header.finish(&mut self.mail);
                self.stage = Stage::Body;
            }
            Stage::Header => self.header.on_line(line, &mut self.mail),
            Stage::Body => {}
            Stage::Commands | Stage::DataAsked => {
                if let Some(exchange) = self.exchange.as_mut().filter(|e| e.is_asked()) {
                    exchange.on_response(line);
                } else {
                    self.on_command(&text(line, MAX_LINE), out);
                }
            }
        }
    }

    fn on_command(&mut self, line: &str, out: &mut Findings) {
        let (verb, arg) = line.split_once(' ').unwrap_or((line, ""));
        self.pending = self.pending.saturating_add(1).min(MAX_PENDING);
        match verb.to_ascii_uppercase().as_str() {
            "HELO" | "EHLO" => self.mail.helo = Some(arg.to_owned()),
            "MAIL" if starts_with(arg, "FROM:") => {
                // The answer to the mail before may have been missed.
                self.finish_mail(out);
                self.mail.mailfrom = address(arg);
                self.has_activity = true;
            }
            "RCPT" if starts_with(arg, "TO:") => {
                let receivers = &mut self.mail.rcptto;
                if let Some(receiver) = address(arg)
                    && receivers.len() < MAX_RECEIVERS
                    && !receivers.contains(&receiver)
                {
                    receivers.push(receiver);
                }
                self.has_activity = true;
            }
            "DATA" => self.stage = Stage::DataAsked,
            "BDAT" => {
                let mut words = arg.split(' ');
                self.chunk = words.next().and_then(|size| size.parse().ok()).unwrap_or(0);
                self.is_last_chunk = words.next().is_some_and(|word| word == "LAST");
                self.pending = 1;
            }
            "STARTTLS" => self.wants_tls = true,
            "AUTH" => self.exchange = Some(Exchange::begin(arg)),
            _ => {}
        }
    }

    fn on_server_line(&mut self, line: &[u8], out: &mut Findings) {
        let line = text(line, MAX_LINE);
        let (Some(code), kind) =
            (line.get(..3).and_then(|code| code.parse::<u16>().ok()), line.get(3..4))
        else {
            return;
        };
        let message = line.get(4..).unwrap_or_default();
        self.mail.last_reply = Some(format!("{code} {message}"));
        if kind == Some("-") {
            return;
        }
        if let Some(exchange) = &mut self.exchange {
            let step = match code {
                334 => exchange.on_challenge(),
                235 => Step::Done(Some(true)),
                454 | 500..=599 => Step::Done(Some(false)),
                _ => Step::Done(None),
            };
            if let (Step::Done(success), Some(exchange)) =
                (step, self.exchange.take_if(|_| code != 334))
            {
                out.say(exchange.login(Protocol::Smtp, success));
            }
            return;
        }
        match code {
            220 if self.wants_tls => {
                self.mail.tls = true;
                self.has_activity = true;
                out.becomes = Some(Protocol::Ssl);
            }
            354 if self.stage == Stage::DataAsked => self.stage = Stage::Header,
            _ if self.is_last_chunk && self.chunk == 0 => {
                self.is_last_chunk = false;
                self.finish_mail(out);
                self.mails = self.mails.saturating_add(1);
                self.begin_mail();
            }
            // The mail was not allowed.
            400..=599 if self.stage == Stage::DataAsked => self.stage = Stage::Commands,
            _ => {}
        }
        self.wants_tls = false;
    }
}

fn starts_with(arg: &str, prefix: &str) -> bool {
    arg.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

/// The address in the argument of MAIL or RCPT.
fn address(arg: &str) -> Option<String> {
    let (_, rest) = arg.split_once(':')?;
    let address = match rest.split_once('<') {
        Some((_, inside)) => inside.split('>').next(),
        None => rest.split_whitespace().next(),
    };
    address.filter(|address| address.contains('@')).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Record, Uid};
    use crate::net::{Endpoint, Transport};
    use proptest::prelude::*;

    fn talk() -> Conversation {
        let end = |addr: &str, port| Endpoint::new(addr.parse().unwrap(), port);
        Conversation {
            uid: Uid(1),
            transport: Transport::Tcp,
            client: end("192.0.2.1", 40_000),
            server: end("192.0.2.25", 25),
            inferred: false,
        }
    }

    /// `<` begins what the server says, `>` what the client says.
    fn play(lines: &[&str]) -> Findings {
        let mut smtp = Dissection::new();
        let mut out = Findings::default();
        smtp.on_start(&talk());
        for line in lines {
            let (sender, line) = line.split_at(1);
            let sender = if sender == "<" { Role::Server } else { Role::Client };
            let data = format!("{line}\r\n");
            for piece in data.as_bytes().chunks(5) {
                smtp.on_data(Timestamp::EPOCH, sender, piece, &mut out);
            }
        }
        smtp.on_end(Timestamp::EPOCH, &mut out);
        out
    }

    #[test]
    fn tells_each_mail_of_a_connection() {
        let out = play(&[
            "<220 mx ESMTP",
            ">EHLO pc",
            "<250-mx",
            "<250 SIZE",
            ">MAIL FROM:<a@example.org>",
            "<250 ok",
            ">RCPT TO:<b@example.com>",
            "<250 ok",
            ">DATA",
            "<354 go",
            ">Subject: a",
            ">\tb",
            ">To: \"X, Y\" <b@example.com>, c@example.com",
            ">Received: from pc (pc [198.51.100.7]) by mx",
            ">",
            ">Subject: not this",
            ">.",
            "<250 queued",
            ">MAIL FROM:<>",
            "<250 ok",
            ">QUIT",
            "<221 bye",
        ]);

        let [Record::Smtp(first), Record::Smtp(second)] = &out.records[..] else {
            panic!("{out:?}")
        };
        assert_eq!(first.helo.as_deref(), Some("pc"));
        assert_eq!(first.mailfrom.as_deref(), Some("a@example.org"));
        assert_eq!(first.rcptto, ["b@example.com"]);
        assert_eq!(first.subject.as_deref(), Some("a b"));
        assert_eq!(first.to, ["\"X, Y\" <b@example.com>", "c@example.com"]);
        assert_eq!(first.last_reply.as_deref(), Some("250 queued"));
        assert_eq!(first.path.len(), 3);
        assert_eq!((second.trans_depth, &second.mailfrom), (2, &None));
    }

    #[test]
    fn tells_logins_and_their_results() {
        let out = play(&[
            ">AUTH PLAIN AGFsaWNlAHNlY3JldA==",
            "<535 no",
            ">AUTH LOGIN",
            "<334 VXNlcm5hbWU6",
            ">Ym9i",
            "<334 UGFzc3dvcmQ6",
            ">c2VjcmV0",
            "<235 yes",
            ">AUTH CRAM-MD5",
            "<334 PDE+",
        ]);

        let logins: Vec<_> = out
            .records
            .iter()
            .map(|record| match record {
                Record::Login(login) => (login.method, login.user.as_deref(), login.success),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(
            logins,
            [
                ("plain", Some("alice"), Some(false)),
                ("login", Some("bob"), Some(true)),
                ("cram-md5", None, None)
            ]
        );
    }

    #[test]
    fn goes_on_as_tls() {
        let out = play(&["<220 mx", ">EHLO pc", "<250 STARTTLS", ">STARTTLS", "<220 ready"]);

        assert_eq!(out.becomes, Some(Protocol::Ssl));
        let [Record::Smtp(smtp)] = &out.records[..] else { panic!("{out:?}") };
        assert!(smtp.tls);
        assert_eq!(smtp.last_reply.as_deref(), Some("220 ready"));
    }

    #[test]
    fn passes_over_chunks() {
        let out = play(&[
            ">MAIL FROM:<a@example.org>",
            "<250 ok",
            ">RCPT TO:<b@example.com>",
            "<250 ok",
            ">BDAT 12 LAST",
            ">MAIL FROM:",
            "<250 queued",
        ]);

        let [Record::Smtp(smtp)] = &out.records[..] else { panic!("{out:?}") };
        assert_eq!(smtp.last_reply.as_deref(), Some("250 queued"));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(pieces: Vec<(bool, Vec<u8>)>, lines: Vec<(bool, String)>) {
            let mut smtp = Dissection::new();
            let mut out = Findings::default();
            smtp.on_start(&talk());
            let verbs = ["AUTH", "334", "BDAT", "DATA", "354", "Received:", "235", "MAIL FROM:<"];
            for (number, (is_client, line)) in lines.iter().enumerate() {
                let sender = if *is_client { Role::Client } else { Role::Server };
                let line = format!("{} {line}\n", verbs[number % verbs.len()]);
                smtp.on_data(Timestamp::EPOCH, sender, line.as_bytes(), &mut out);
            }
            for (is_client, piece) in &pieces {
                let sender = if *is_client { Role::Client } else { Role::Server };
                smtp.on_data(Timestamp::EPOCH, sender, piece, &mut out);
                smtp.on_gap(sender, piece.len() as u64);
            }
            smtp.on_end(Timestamp::EPOCH, &mut out);
            prop_assert!(smtp.bytes() < 64 * 1024);
        }
    }
}

//! Logins to mailboxes: POP3 (RFC 1939, RFC 5034) and IMAP (RFC 9051).

use super::framing::Lines;
use super::render::text;
use super::sasl::Exchange;
use super::{Dissector, Findings, Protocol, Role};
use crate::event::Login;
use crate::time::Timestamp;

/// Longer lines are cut off.
const MAX_LINE: usize = 1024;

/// Reads one connection until somebody is in, or it goes on as TLS.
#[derive(Debug)]
pub(super) struct Dissection {
    client: Lines,
    server: Lines,
    session: Session,
}

#[derive(Debug)]
struct Session {
    protocol: Protocol,
    user: Option<String>,
    asked: Option<Asked>,
    is_done: bool,
}

/// What the server has yet to answer.
#[derive(Debug)]
struct Asked {
    /// IMAP's number of the command.
    tag: String,
    what: What,
}

#[derive(Debug)]
enum What {
    Password {
        method: &'static str,
        user: Option<String>,
    },
    /// The account follows on a line of its own, its length having been said (RFC 9051 section 4.3).
    Literal,
    Exchange(Exchange),
    Tls,
}

impl Dissection {
    pub(super) const fn pop3() -> Self {
        Self::new(Protocol::Pop3)
    }

    pub(super) const fn imap() -> Self {
        Self::new(Protocol::Imap)
    }

    const fn new(protocol: Protocol) -> Self {
        Self {
            client: Lines::new(MAX_LINE),
            server: Lines::new(MAX_LINE),
            session: Session { protocol, user: None, asked: None, is_done: false },
        }
    }
}

impl Dissector for Dissection {
    fn on_data(&mut self, _: Timestamp, sender: Role, mut data: &[u8], out: &mut Findings) {
        let Self { client, server, session } = self;
        match sender {
            Role::Client => {
                while let Some(line) = client.next(&mut data) {
                    session.on_client_line(line);
                }
            }
            Role::Server => {
                while let Some(line) = server.next(&mut data) {
                    session.on_server_line(line, out);
                }
            }
        }
    }

    fn on_gap(&mut self, sender: Role, _: u64) {
        match sender {
            Role::Client => self.client.lose(),
            Role::Server => self.server.lose(),
        }
    }

    fn on_end(&mut self, _: Timestamp, out: &mut Findings) {
        if let Some(asked) = self.session.asked.take() {
            self.session.answer(asked.what, None, out);
        }
    }

    fn wants(&self, _: Role) -> bool {
        !self.session.is_done
    }

    fn bytes(&self) -> usize {
        // Names and tags are parts of lines.
        size_of::<Self>() + self.client.heap_bytes() + self.server.heap_bytes() + 512
    }
}

impl Session {
    fn on_client_line(&mut self, line: &[u8]) {
        match self.asked.as_mut().map(|asked| &mut asked.what) {
            Some(What::Exchange(exchange)) if exchange.is_asked() => {
                exchange.on_response(line);
                return;
            }
            Some(what @ What::Literal) => {
                let user = first_word(&text(line, MAX_LINE));
                *what = What::Password { method: "password", user };
                return;
            }
            _ => {}
        }
        let line = text(line, MAX_LINE);
        let (tag, command) = match self.protocol {
            Protocol::Imap => line.split_once(' ').unwrap_or((&line, "")),
            _ => ("", &*line),
        };
        let (verb, arg) = command.split_once(' ').unwrap_or((command, ""));
        if let Some(what) = self.command(&verb.to_ascii_uppercase(), arg) {
            self.asked = Some(Asked { tag: tag.to_owned(), what });
        }
    }

    fn command(&mut self, verb: &str, arg: &str) -> Option<What> {
        Some(match (verb, self.protocol) {
            ("USER", Protocol::Pop3) => {
                self.user = Some(arg.to_owned());
                return None;
            }
            ("PASS", Protocol::Pop3) => {
                What::Password { method: "password", user: self.user.clone() }
            }
            ("APOP", Protocol::Pop3) => What::Password { method: "apop", user: first_word(arg) },
            ("LOGIN", Protocol::Imap) if arg.starts_with('{') => What::Literal,
            ("LOGIN", Protocol::Imap) => {
                What::Password { method: "password", user: first_word(arg) }
            }
            ("AUTH", Protocol::Pop3) | ("AUTHENTICATE", Protocol::Imap) => {
                What::Exchange(Exchange::begin(arg))
            }
            ("STLS", Protocol::Pop3) | ("STARTTLS", Protocol::Imap) => What::Tls,
            _ => return None,
        })
    }

    fn on_server_line(&mut self, line: &[u8], out: &mut Findings) {
        let Some(asked) = &mut self.asked else { return };
        if line.starts_with(b"+") && !line.starts_with(b"+OK") {
            if let What::Exchange(exchange) = &mut asked.what {
                exchange.on_challenge();
            }
            return;
        }
        let status = match self.protocol {
            Protocol::Imap => match line.strip_prefix(asked.tag.as_bytes()) {
                Some(rest) => rest.trim_ascii_start(),
                None => return,
            },
            _ => line,
        };
        let says = |words: &[&[u8]]| {
            words.iter().any(|word| {
                status.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
            })
        };
        let success = match self.protocol {
            _ if says(&[b"OK", b"+OK"]) => true,
            _ if says(&[b"NO", b"BAD", b"-ERR"]) => false,
            _ => return,
        };
        if let Some(asked) = self.asked.take() {
            self.answer(asked.what, Some(success), out);
        }
    }

    fn answer(&mut self, what: What, success: Option<bool>, out: &mut Findings) {
        let login = match what {
            What::Tls => {
                if success == Some(true) {
                    out.becomes = Some(Protocol::Ssl);
                }
                return;
            }
            What::Literal => return,
            What::Exchange(exchange) => exchange.login(self.protocol, success),
            What::Password { method, user } => Login {
                protocol: self.protocol.as_str(),
                method,
                user,
                domain: None,
                workstation: None,
                success,
                inferred: false,
            },
        };
        out.say(login);
        self.is_done = success == Some(true);
    }
}

/// The first word, or what stands in quotation marks.
fn first_word(text: &str) -> Option<String> {
    let word = match text.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next(),
        None => text.split_whitespace().next(),
    };
    word.map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Record;
    use proptest::prelude::*;

    /// `<` begins what the server says, `>` what the client says.
    fn play(mut mailbox: Dissection, lines: &[&str]) -> Findings {
        let mut out = Findings::default();
        for line in lines {
            let (sender, line) = line.split_at(1);
            let sender = if sender == "<" { Role::Server } else { Role::Client };
            mailbox.on_data(Timestamp::EPOCH, sender, format!("{line}\r\n").as_bytes(), &mut out);
        }
        mailbox.on_end(Timestamp::EPOCH, &mut out);
        out
    }

    fn logins(out: &Findings) -> Vec<(&str, Option<&str>, Option<bool>)> {
        out.records
            .iter()
            .map(|record| match record {
                Record::Login(login) => (login.method, login.user.as_deref(), login.success),
                other => panic!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn tells_logins_over_pop3() {
        let out = play(
            Dissection::pop3(),
            &[
                "<+OK ready",
                ">USER a",
                "<+OK",
                ">PASS x",
                "<-ERR no",
                ">AUTH PLAIN",
                "<+ ",
                ">AGIAeA==",
                "<+OK in",
            ],
        );

        assert_eq!(
            logins(&out),
            [("password", Some("a"), Some(false)), ("plain", Some("b"), Some(true))]
        );
    }

    #[test]
    fn tells_logins_over_imap() {
        let out = play(
            Dissection::imap(),
            &[
                "<* OK ready",
                ">a1 LOGIN \"me too\" x",
                "<* CAPABILITY IMAP4rev1",
                "<a1 NO bad",
                ">a2 LOGIN {2}",
                "<+ go",
                ">me {6}",
                "<+ go",
                ">secret",
                "<a2 OK in",
            ],
        );

        assert_eq!(
            logins(&out),
            [("password", Some("me too"), Some(false)), ("password", Some("me"), Some(true))]
        );
    }

    #[test]
    fn goes_on_as_tls() {
        let imap = play(Dissection::imap(), &[">1 STARTTLS", "<1 OK begin"]);
        let pop3 = play(Dissection::pop3(), &[">STLS", "<-ERR no"]);

        assert_eq!(imap.becomes, Some(Protocol::Ssl));
        assert_eq!(pop3.becomes, None);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(pieces: Vec<(bool, Vec<u8>)>, is_imap: bool) {
            let mut mailbox = if is_imap { Dissection::imap() } else { Dissection::pop3() };
            let mut out = Findings::default();
            let starts = ["1 LOGIN ", "1 AUTHENTICATE ", "+ ", "1 OK ", "USER ", "PASS ", "-ERR"];
            for (number, (is_client, piece)) in pieces.iter().enumerate() {
                let sender = if *is_client { Role::Client } else { Role::Server };
                let line = [starts[number % starts.len()].as_bytes(), piece, b"\n"].concat();
                mailbox.on_data(Timestamp::EPOCH, sender, &line, &mut out);
                mailbox.on_gap(sender, 1);
            }
            mailbox.on_end(Timestamp::EPOCH, &mut out);
            prop_assert!(mailbox.bytes() < 32 * 1024);
        }
    }
}

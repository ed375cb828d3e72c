//! FTP (RFC 959, RFC 2428, RFC 4217): logins, files, and the connections that carry them.

mod addresses;
mod data;
mod paths;

pub(super) use data::Dissection as DataDissection;

use std::collections::VecDeque;
use std::net::IpAddr;

use self::paths::{Directory, quoted};
use super::framing::Lines;
use super::render::text;
use super::{Dissector, Expected, Findings, Protocol, Role};
use crate::event::{Conversation, Ftp, Login};
use crate::net::{Endpoint, Transport};
use crate::time::Timestamp;

/// Longer lines are cut off.
const MAX_LINE: usize = 2048;
/// As many commands may wait for their answers, as in Zeek.
const MAX_PENDING: usize = 20;
/// Accounts and passwords are kept up to here, as in Zeek.
const MAX_USER: usize = 128;
/// Commands that are told.
const TOLD: [&str; 11] =
    ["APPE", "DELE", "RETR", "STOR", "STOU", "ACCT", "PORT", "PASV", "EPRT", "EPSV", "SITE"];
/// Commands whose argument is a file.
const FILES: [&str; 5] = ["APPE", "DELE", "RETR", "STOR", "STOU"];
/// Accounts of guests, in Zeek's list.
const GUESTS: [&str; 4] = ["anonymous", "ftp", "ftpuser", "guest"];

/// Reads one control connection.
#[derive(Debug)]
pub(super) struct Dissection {
    client: Lines,
    server: Lines,
    session: Session,
}

#[derive(Debug, Default)]
struct Session {
    talk: Option<Conversation>,
    user: Option<String>,
    guest_password: Option<String>,
    directory: Directory,
    pending: VecDeque<Command>,
    /// The code of an answer of several lines.
    open_reply: Option<u16>,
    /// The data connection that was agreed upon last.
    data: Option<Endpoint>,
    file_size: Option<u64>,
}

/// A command that was not answered yet.
#[derive(Clone, Debug)]
struct Command {
    verb: String,
    arg: String,
    /// Where PORT and EPRT call the server to.
    data: Option<Endpoint>,
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
    }

    fn on_data(&mut self, _: Timestamp, sender: Role, mut data: &[u8], out: &mut Findings) {
        let Self { client, server, session } = self;
        match sender {
            Role::Client => {
                while let Some(line) = client.next(&mut data) {
                    session.on_command(line, out);
                }
            }
            Role::Server => {
                while let Some(line) = server.next(&mut data) {
                    session.on_line(line, out);
                }
            }
        }
    }

    fn on_gap(&mut self, sender: Role, _: u64) {
        match sender {
            Role::Client => self.client.lose(),
            Role::Server => {
                // Answers are matched by their order alone.
                self.server.lose();
                self.session.open_reply = None;
                self.session.pending.clear();
            }
        }
    }

    fn on_end(&mut self, _: Timestamp, out: &mut Findings) {
        for command in std::mem::take(&mut self.session.pending) {
            self.session.tell(&command, None, out);
        }
    }

    fn bytes(&self) -> usize {
        let pending: usize = self
            .session
            .pending
            .iter()
            .map(|command| size_of::<Command>() + command.verb.len() + command.arg.len())
            .sum();
        size_of::<Self>()
            + self.client.heap_bytes()
            + self.server.heap_bytes()
            + self.session.directory.heap_bytes()
            + pending
            + 2 * MAX_USER
    }
}

impl Session {
    fn on_command(&mut self, line: &[u8], out: &mut Findings) {
        // An interrupt of Telnet's may come before ABOR (RFC 959 section 4.1.3).
        let start = line.iter().position(|&byte| byte < 0xf0).unwrap_or(line.len());
        let line = text(line.get(start..).unwrap_or_default(), MAX_LINE);
        let (verb, arg) = line.split_once(' ').unwrap_or((&line, ""));
        let mut command =
            Command { verb: verb.to_ascii_uppercase(), arg: arg.trim().to_owned(), data: None };
        match command.verb.as_str() {
            "USER" => self.user = Some(command.arg.chars().take(MAX_USER).collect()),
            "PASS" => {
                let is_guest = self.user.as_deref().is_some_and(is_guest);
                self.guest_password =
                    is_guest.then(|| command.arg.chars().take(MAX_USER).collect());
                command.arg = String::new();
            }
            "PORT" | "EPRT" => {
                command.data = addresses::in_command(&command.verb, &command.arg);
                self.expect(command.data, None, out);
            }
            "RETR" | "STOR" | "APPE" | "STOU" => {
                // The data connection was agreed upon before it was said what for.
                let name = Some(command.arg.clone()).filter(|name| !name.is_empty());
                self.expect(self.data, name, out);
            }
            _ => {}
        }
        if self.pending.len() < MAX_PENDING {
            self.pending.push_back(command);
        }
    }

    fn on_line(&mut self, line: &[u8], out: &mut Findings) {
        let (code, is_last) = match reply(line) {
            Some(found) => found,
            None => return,
        };
        match self.open_reply {
            Some(open) if open != code || !is_last => return,
            None if !is_last => {
                self.open_reply = Some(code);
                return;
            }
            _ => self.open_reply = None,
        }
        let message = text(line.get(4..).unwrap_or_default(), MAX_LINE);
        let Some(command) = self.pending.front().cloned() else { return };
        if code == 150 && command.verb == "RETR" {
            self.file_size = last_number(&message);
        }
        if (100..200).contains(&code) {
            return;
        }
        self.pending.pop_front();
        self.on_reply(&command, code, message, out);
    }

    fn on_reply(&mut self, command: &Command, code: u16, message: String, out: &mut Findings) {
        match (command.verb.as_str(), code) {
            ("PASS", _) => self.log_in(success(code), "password", out),
            // A server may want no password, or refuse the name alone.
            ("USER", 230) => self.log_in(Some(true), "none", out),
            ("USER", 530 | 532) => self.log_in(Some(false), "password", out),
            ("AUTH", 234) => out.becomes = Some(Protocol::Ssl),
            ("CWD", 250) => self.directory.enter(&command.arg),
            ("CDUP", 200 | 250) => self.directory.enter(".."),
            ("PWD" | "XPWD", 257) => {
                if let Some(path) = quoted(&message) {
                    self.directory.enter(path);
                }
            }
            _ => {}
        }
        let mut command = command.clone();
        if let ("PASV" | "EPSV", 227 | 229) = (command.verb.as_str(), code) {
            command.data =
                self.talk.and_then(|talk| addresses::in_reply(&message, talk.server.addr));
            self.expect(command.data, None, out);
        }
        self.tell(&command, Some((code, message)), out);
    }

    fn tell(&mut self, command: &Command, reply: Option<(u16, String)>, out: &mut Findings) {
        if command.verb == "PASS" && reply.is_none() {
            self.log_in(None, "password", out);
        }
        let file_size = self.file_size.take();
        if !TOLD.contains(&command.verb.as_str()) {
            return;
        }
        let is_passive = matches!(command.verb.as_str(), "PASV" | "EPSV");
        let opener = self.talk.map(|talk| if is_passive { talk.client } else { talk.server });
        let arg = if FILES.contains(&command.verb.as_str()) {
            self.talk.map(|talk| self.url(talk.server.addr, &command.arg))
        } else {
            Some(command.arg.clone()).filter(|arg| !arg.is_empty())
        };
        let hidden = || Some("<hidden>".to_owned()).filter(|_| self.user.is_some());
        let (reply_code, reply_msg) = reply.unzip();
        out.say(Ftp {
            user: self.user.clone(),
            password: self.guest_password.clone().or_else(hidden),
            command: command.verb.clone(),
            arg,
            file_size,
            reply_code,
            reply_msg,
            passive: command.data.map(|_| is_passive),
            data_orig: command.data.and(opener).map(|opener| opener.addr),
            data_resp: command.data.map(|data| data.addr),
            data_port: command.data.map(|data| data.port),
        });
    }

    fn url(&self, server: IpAddr, file: &str) -> String {
        let path = self.directory.join(file);
        let slash = if path.starts_with('/') { "" } else { "/" };
        match server {
            IpAddr::V4(server) => format!("ftp://{server}{slash}{path}"),
            IpAddr::V6(server) => format!("ftp://[{server}]{slash}{path}"),
        }
    }

    /// Announces a data connection, or what an announced one carries.
    fn expect(&mut self, data: Option<Endpoint>, file: Option<String>, out: &mut Findings) {
        let (Some(data), Some(talk)) = (data, self.talk) else { return };
        self.data = Some(data);
        // Behind address translation a server may say an address that nobody can call: clients
        // call the one that they know.
        let is_known = [talk.client.addr, talk.server.addr].contains(&data.addr);
        let addr = if is_known { data.addr } else { talk.server.addr };
        out.expected.push(Expected {
            transport: Transport::Tcp,
            server: Endpoint::new(addr, data.port),
            protocol: Protocol::FtpData,
            file,
        });
    }

    fn log_in(&self, success: Option<bool>, method: &'static str, out: &mut Findings) {
        out.say(Login {
            protocol: Protocol::Ftp.as_str(),
            method,
            user: self.user.clone(),
            domain: None,
            workstation: None,
            success,
            inferred: false,
        });
    }
}

fn is_guest(user: &str) -> bool {
    GUESTS.iter().any(|guest| user.eq_ignore_ascii_case(guest))
}

/// What the answer to a password means: a server that is going down says nothing about it.
const fn success(code: u16) -> Option<bool> {
    match code {
        200..=299 => Some(true),
        430 | 500..=599 => Some(false),
        _ => None,
    }
}

/// Code and whether it is the last line of the answer.
fn reply(line: &[u8]) -> Option<(u16, bool)> {
    let digits = line.first_chunk::<3>()?;
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let code = digits.iter().fold(0, |code, digit| code * 10 + u16::from(digit - b'0'));
    match line.get(3) {
        None | Some(b' ') => Some((code, true)),
        Some(b'-') => Some((code, false)),
        Some(_) => None,
    }
}

fn last_number(message: &str) -> Option<u64> {
    message.rsplit(|c: char| !c.is_ascii_digit()).find(|part| !part.is_empty())?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Record, Uid};
    use proptest::prelude::*;

    fn talk() -> Conversation {
        let end = |addr: &str, port| Endpoint::new(addr.parse().unwrap(), port);
        Conversation {
            uid: Uid(1),
            transport: Transport::Tcp,
            client: end("192.0.2.1", 40_000),
            server: end("192.0.2.2", 21),
            inferred: false,
        }
    }

    /// Lines that begin with a digit are the server's.
    fn play(lines: &[&str]) -> Findings {
        let mut ftp = Dissection::new();
        let mut out = Findings::default();
        ftp.on_start(&talk());
        for line in lines {
            let is_server = line.starts_with(|c: char| c.is_ascii_digit() || c == ' ');
            let sender = if is_server { Role::Server } else { Role::Client };
            let data = format!("{line}\r\n");
            let (first, second) = data.as_bytes().split_at(data.len() / 2);
            ftp.on_data(Timestamp::EPOCH, sender, first, &mut out);
            ftp.on_data(Timestamp::EPOCH, sender, second, &mut out);
        }
        ftp.on_end(Timestamp::EPOCH, &mut out);
        out
    }

    #[test]
    fn tells_logins_that_fail_and_succeed() {
        let out = play(&[
            "220 ready",
            "USER root",
            "331 password",
            "PASS toor",
            "530 Login incorrect.",
            "USER root",
            "331 password",
            "PASS secret",
            "230-Welcome",
            " 230 not yet",
            "230 in",
        ]);

        let logins: Vec<_> = out
            .records
            .iter()
            .map(|record| match record {
                Record::Login(login) => (login.user.as_deref(), login.success),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(logins, [(Some("root"), Some(false)), (Some("root"), Some(true))]);
    }

    #[test]
    fn tells_a_file_and_announces_what_carries_it() {
        let out = play(&[
            "220 ready",
            "USER anonymous",
            "331 ok",
            "PASS me@example.org",
            "230 in",
            "CWD /pub/../bin",
            "250 ok",
            "PASV",
            "227 Entering Passive Mode (192,0,2,2,221,90)",
            "RETR bot.arm7",
            "150 Opening BINARY mode data connection for bot.arm7 (77 bytes).",
            "226 Transfer complete.",
        ]);

        let Record::Ftp(pasv) = &out.records[1] else { panic!("{out:?}") };
        assert_eq!((pasv.passive, pasv.data_port), (Some(true), Some(56_666)));
        let Record::Ftp(retr) = &out.records[2] else { panic!("{out:?}") };
        assert_eq!(retr.arg.as_deref(), Some("ftp://192.0.2.2/bin/bot.arm7"));
        assert_eq!((retr.file_size, retr.reply_code), (Some(77), Some(226)));
        assert_eq!(retr.password.as_deref(), Some("me@example.org"));
        let [first, named] = &out.expected[..] else { panic!("{:?}", out.expected) };
        assert_eq!((first.server.port, &first.file), (56_666, &None));
        assert_eq!(named.file.as_deref(), Some("bot.arm7"));
    }

    #[test]
    fn follows_active_mode_and_hides_passwords() {
        let out =
            play(&["USER me", "331 ok", "PASS x", "230 in", "PORT 192,0,2,1,131,46", "200 ok"]);

        let Record::Ftp(port) = &out.records[1] else { panic!("{out:?}") };
        assert_eq!((port.passive, port.data_port), (Some(false), Some(33_582)));
        assert_eq!(port.password.as_deref(), Some("<hidden>"));
        assert_eq!(port.data_orig, Some("192.0.2.2".parse().unwrap()));
    }

    #[test]
    fn goes_on_as_tls() {
        assert_eq!(play(&["AUTH TLS", "234 go ahead"]).becomes, Some(Protocol::Ssl));
        assert_eq!(play(&["AUTH TLS", "500 what"]).becomes, None);
    }

    #[test]
    fn an_unanswered_password_has_no_result() {
        let out = play(&["USER a", "331 ok", "PASS b", "421 too many users"]);

        assert!(matches!(&out.records[..], [Record::Login(login)] if login.success.is_none()));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(pieces: Vec<(bool, Vec<u8>)>, lines: Vec<(bool, String)>) {
            let mut ftp = Dissection::new();
            let mut out = Findings::default();
            ftp.on_start(&talk());
            let verbs = ["PORT", "PASV", "RETR", "227", "229", "150-", "CWD", "EPRT"];
            for (number, (is_client, line)) in lines.iter().enumerate() {
                let sender = if *is_client { Role::Client } else { Role::Server };
                let line = format!("{} {line}\n", verbs[number % verbs.len()]);
                ftp.on_data(Timestamp::EPOCH, sender, line.as_bytes(), &mut out);
            }
            for (is_client, piece) in &pieces {
                let sender = if *is_client { Role::Client } else { Role::Server };
                ftp.on_data(Timestamp::EPOCH, sender, piece, &mut out);
            }
            ftp.on_end(Timestamp::EPOCH, &mut out);
            prop_assert!(ftp.bytes() < 64 * 1024);
        }
    }
}

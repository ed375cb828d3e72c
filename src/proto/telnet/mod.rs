//! Telnet (RFC 854) and terminals without its options: logins by their prompts, and what is typed after.

mod commands;
mod factory;
mod terminal;

use self::commands::effect;
use self::factory::is_factory_login;
use self::terminal::{Keyboard, Screen, Seen};
use super::{Dissector, Findings, Protocol, Role};
use crate::event::{Login, Telnet};
use crate::time::Timestamp;

/// Lines after a login that are told; a person types more, a worm needs fewer.
const MAX_COMMANDS: u32 = 64;
/// Logins that are told.
const MAX_LOGINS: u32 = 64;
/// Lines that were typed before they were asked for.
const MAX_AHEAD: usize = 4;

/// Reads one connection.
#[derive(Debug, Default)]
pub(super) struct Dissection {
    keyboard: Keyboard,
    screen: Screen,
    session: Session,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    /// Nothing was asked.
    #[default]
    Greeting,
    User,
    Password,
    /// A password was given.
    Checking,
    In,
}

#[derive(Debug, Default)]
struct Session {
    stage: Stage,
    ahead: std::collections::VecDeque<String>,
    user: Option<String>,
    password: Option<String>,
    logins: u32,
    commands: u32,
}

impl Dissection {
    pub(super) fn new() -> Self {
        Self::default()
    }
}

impl Dissector for Dissection {
    fn on_data(&mut self, _: Timestamp, sender: Role, data: &[u8], out: &mut Findings) {
        let Self { keyboard, screen, session } = self;
        match sender {
            Role::Client => keyboard.feed(data, |line| session.on_line(line, out)),
            Role::Server => screen.feed(data, |seen| session.on_seen(seen, out)),
        }
    }

    fn on_gap(&mut self, sender: Role, _: u64) {
        match sender {
            Role::Client => self.keyboard = Keyboard::default(),
            Role::Server => self.screen = Screen::default(),
        }
    }

    fn on_end(&mut self, _: Timestamp, out: &mut Findings) {
        if self.session.stage == Stage::Checking {
            self.session.log_in(None, out);
        }
    }

    fn wants(&self, _: Role) -> bool {
        self.session.commands < MAX_COMMANDS && self.session.logins < MAX_LOGINS
    }

    fn bytes(&self) -> usize {
        size_of::<Self>()
            + self.keyboard.heap_bytes()
            + self.screen.heap_bytes()
            + (self.session.ahead.len() + 2) * terminal::MAX_LINE
    }
}

impl Session {
    /// The client finished a line.
    fn on_line(&mut self, line: &str, out: &mut Findings) {
        match self.stage {
            Stage::User => {
                self.user = Some(line.to_owned()).filter(|user| !user.is_empty());
                self.stage = Stage::Greeting;
            }
            Stage::Password => {
                self.password = Some(line.to_owned());
                self.stage = Stage::Checking;
            }
            Stage::In => self.on_command(line, out),
            Stage::Greeting | Stage::Checking => {
                if self.ahead.len() < MAX_AHEAD {
                    self.ahead.push_back(line.to_owned());
                }
            }
        }
    }

    fn on_command(&mut self, line: &str, out: &mut Findings) {
        if line.trim().is_empty() {
            return;
        }
        self.commands += 1;
        out.say(Telnet {
            user: self.user.clone(),
            command: Some(line.to_owned()),
            effect: effect(line),
            ..Telnet::default()
        });
    }

    /// The server wrote something that means something.
    fn on_seen(&mut self, seen: Seen, out: &mut Findings) {
        match (seen, self.stage) {
            (Seen::UserPrompt, _) => {
                self.refuse(out);
                self.user = None;
                self.ask(Stage::User, out);
            }
            (Seen::PasswordPrompt, Stage::In) => {}
            (Seen::PasswordPrompt, _) => {
                self.refuse(out);
                self.ask(Stage::Password, out);
            }
            (Seen::Refusal, Stage::Checking) => self.refuse(out),
            (Seen::Shell | Seen::Welcome, Stage::Checking) => self.log_in(Some(true), out),
            // A name without a password is enough for some, and none at all for others.
            (Seen::Shell, Stage::Greeting) => self.log_in(Some(true), out),
            _ => {}
        }
    }

    fn ask(&mut self, stage: Stage, out: &mut Findings) {
        self.stage = stage;
        if let Some(line) = self.ahead.pop_front() {
            self.on_line(&line, out);
        }
    }

    fn refuse(&mut self, out: &mut Findings) {
        if self.stage == Stage::Checking {
            self.log_in(Some(false), out);
        }
    }

    fn log_in(&mut self, success: Option<bool>, out: &mut Findings) {
        self.logins += 1;
        self.stage = if success == Some(true) { Stage::In } else { Stage::Greeting };
        let password = self.password.take();
        let is_factory = password
            .as_deref()
            .map(|password| is_factory_login(self.user.as_deref().unwrap_or_default(), password));
        out.say(Login {
            protocol: Protocol::Telnet.as_str(),
            method: if password.is_some() { "password" } else { "none" },
            user: self.user.clone(),
            domain: None,
            workstation: None,
            success,
            inferred: false,
        });
        out.say(Telnet {
            user: self.user.clone(),
            success,
            factory_login: is_factory.filter(|is_factory| *is_factory),
            ..Telnet::default()
        });
        if success == Some(true) {
            for line in std::mem::take(&mut self.ahead) {
                self.on_command(&line, out);
            }
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

    fn play(turns: &[(Role, &str)]) -> Vec<Record> {
        let mut telnet = Dissection::new();
        let mut out = Findings::default();
        for (sender, text) in turns {
            telnet.on_data(Timestamp::EPOCH, *sender, text.as_bytes(), &mut out);
        }
        telnet.on_end(Timestamp::EPOCH, &mut out);
        out.records
    }

    fn logins(records: &[Record]) -> Vec<(Option<&str>, Option<bool>)> {
        records
            .iter()
            .filter_map(|record| match record {
                Record::Login(login) => Some((login.user.as_deref(), login.success)),
                _ => None,
            })
            .collect()
    }

    fn commands(records: &[Record]) -> Vec<(&str, Option<&str>)> {
        records
            .iter()
            .filter_map(|record| match record {
                Record::Telnet(telnet) => Some((telnet.command.as_deref()?, telnet.effect)),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn tells_the_credential_list_of_a_botnet() {
        let records = play(&[
            (S, "\r\nDVR login: "),
            (C, "root\r\n"),
            (S, "root\r\nPassword: "),
            (C, "xc3511\r\n"),
            (S, "\r\nLogin incorrect\r\nDVR login: "),
            (C, "admin\r\n"),
            (S, "admin\r\nPassword: "),
            (C, "admin\r\n"),
            (S, "\r\n\r\nBusyBox v1.1\r\n# "),
            (C, "enable\r\n"),
            (C, "cat /proc/mounts; /bin/busybox ECCHI\r\n"),
        ]);

        assert_eq!(logins(&records), [(Some("root"), Some(false)), (Some("admin"), Some(true))]);
        let is_factory = |record: &&Record| matches!(record, Record::Telnet(telnet) if telnet.factory_login == Some(true));
        assert_eq!(records.iter().filter(is_factory).count(), 2);
        assert_eq!(commands(&records)[0], ("enable", Some("shell")));
        assert_eq!(commands(&records)[1].1, Some("applet"));
    }

    #[test]
    fn takes_lines_that_are_typed_before_they_are_asked_for() {
        let records = play(&[
            (C, "user\r\0secret\r\0uname -a\r\0"),
            (S, "Username: "),
            (S, "Password: "),
            (S, "\r\nrouter> "),
        ]);

        assert_eq!(logins(&records), [(Some("user"), Some(true))]);
        assert_eq!(commands(&records), [("uname -a", Some("explore"))]);
    }

    #[test]
    fn an_open_shell_is_a_login_without_a_password() {
        let records = play(&[(S, "\r\n~ # "), (C, "tftp -g -r x 192.0.2.1\n")]);

        assert_eq!(logins(&records), [(None, Some(true))]);
        assert_eq!(commands(&records)[0].1, Some("download"));
    }

    #[test]
    fn a_password_alone_and_its_refusal() {
        let records = play(&[
            (S, "User Access Verification\r\n\r\nPassword: "),
            (C, "cisco\r\n"),
            (S, "\r\n% Bad passwords\r\nPassword: "),
            (C, "cisco2\r\n"),
        ]);

        assert_eq!(logins(&records), [(None, Some(false)), (None, None)]);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(pieces: Vec<(bool, Vec<u8>)>, texts: Vec<(bool, String)>) {
            let mut telnet = Dissection::new();
            let mut out = Findings::default();
            let parts = ["login: ", "Password: ", "# ", "incorrect\n", "\u{ff}", "wget\r"];
            for (number, (is_client, text)) in texts.iter().enumerate() {
                let data = format!("{text}{}", parts[number % parts.len()]);
                let sender = if *is_client { C } else { S };
                telnet.on_data(Timestamp::EPOCH, sender, data.as_bytes(), &mut out);
            }
            for (is_client, piece) in &pieces {
                telnet.on_data(Timestamp::EPOCH, if *is_client { C } else { S }, piece, &mut out);
            }
            telnet.on_end(Timestamp::EPOCH, &mut out);
            prop_assert!(telnet.bytes() < 16 * 1024);
        }
    }
}

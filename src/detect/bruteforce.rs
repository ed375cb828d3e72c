//! `auth.bruteforce`: many refused logins, or many short sessions of one size with login services.
//!
//! Where the protocol tells the result (`login` records), refusals are counted: each guess, however
//! many share a connection. Owens and Matthews ("A Study of Passwords and Methods Used in Brute-Force
//! SSH Attacks", 2008) describe the guessers; the innocents are people who mistype and programs that
//! were not told of a new password, so one account is forgiven more than several.
//!
//! Connections of which no result was told, or only one concluded from sizes, are judged by their
//! shape. A failed login has a shape: the handshake, the refusal, the end. Guessing repeats it,
//! whatever the tool, and even where everything is encrypted; that is how flow-based detectors see it
//! (Hofstede, Jonker, Sperotto, Pras: "Flow-Based Web Application Brute-Force Attack and Compromise
//! Detection", 2017, and their SSHCure before it). A session that gets in is longer and looks like
//! its work. The same shape repeated on *several* hosts is what an exploit looks like that is tried
//! along a list.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::guesses::Guesses;
use super::logins::{self, Login, Spoken};
use super::logon::Logon;
use super::pace::Pace;
use super::report::{Gate, Sample, spoken};
use super::{Detector, Evidence, Family, Sight};
use crate::config::units::{self, ByteSize};
use crate::event::{Body, Conn, Conversation, Outcome, Uid};
use crate::inventory::{Inventory, Table, Tally, Weigh, stable_hash};
use crate::net::{Transport, is_group};
use crate::time::Timestamp;

/// When repeated sessions are guessing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The protocols and the shape of their failed logins.
    pub logins: Vec<Login>,
    /// Share by which two sessions may differ in the bytes of each side and still be alike: names
    /// and passwords differ in length, and tools guess up to six times a session.
    #[serde(deserialize_with = "units::share")]
    pub likeness: f64,
    /// Bytes by which they may always differ.
    #[serde(deserialize_with = "units::amount")]
    pub likeness_bytes: f64,
    /// Nats for each further host on which the same shape appears.
    #[serde(deserialize_with = "units::nats")]
    pub spread_nats: f64,
    /// Sessions of one shape that follow each other this evenly (standard deviation over mean)...
    #[serde(deserialize_with = "units::amount")]
    pub clockwork: f64,
    /// ... and at least this far apart are somebody's forgotten job with an old password, or a
    /// check ...
    #[serde(with = "units::span")]
    pub clockwork_gap: Duration,
    /// ... and weigh no more than this many nats.
    #[serde(deserialize_with = "units::nats")]
    pub clockwork_llr: f64,
    /// Sessions of which only one side was captured count for one of this many.
    pub blind_doubt: f64,
    /// Refused logins in a row that are forgiven on one server, where no names are seen.
    #[serde(deserialize_with = "units::amount")]
    pub guesses_forgiven: f64,
    /// Refused logins in a row that are forgiven where all were for one account, by its name: a
    /// program that holds an old password tries that one, again and again.
    #[serde(deserialize_with = "units::amount")]
    pub retries_forgiven: f64,
    /// Refused logins in a row that are forgiven where several accounts were tried, by their names:
    /// a few tries for each are what `auth.spray` weighs.
    #[serde(deserialize_with = "units::amount")]
    pub names_forgiven: f64,
    /// Refused logins an hour that are everyday life, and leak away.
    #[serde(deserialize_with = "units::amount")]
    pub guesses_hourly: f64,
    /// Nats for each further one.
    #[serde(deserialize_with = "units::nats")]
    pub guess_nats: f64,
    /// What a refused key counts for: clients offer all that they have until one fits.
    #[serde(deserialize_with = "units::share")]
    pub key_weight: f64,
    /// What a refused password counts for, of an account whose name cannot be seen, if it follows the
    /// one before within half a second and on another connection: no person types so fast.
    #[serde(deserialize_with = "units::amount")]
    pub hurry_weight: f64,
    /// Refused logins beyond what is forgiven after which a success still is a person's who
    /// remembered.
    #[serde(deserialize_with = "units::amount")]
    pub forgotten: f64,
    /// Nats for getting in after more than that.
    #[serde(deserialize_with = "units::nats")]
    pub got_in_nats: f64,
    /// Refused logins for one account that are at least this far apart on average are as likely
    /// a program with an old password ...
    #[serde(with = "units::span")]
    pub stale_gap: Duration,
    /// ... and weigh no more than this many nats; so do those for accounts that the client was let
    /// in with before.
    #[serde(deserialize_with = "units::nats")]
    pub stale_llr: f64,
    /// Servers remembered on which a client was refused; the one that was quiet longest makes room.
    #[serde(deserialize_with = "units::count")]
    pub servers_max: usize,
    /// The most nats for one protocol.
    #[serde(deserialize_with = "units::nats")]
    pub llr_max: f64,
    /// Shapes remembered for one client; the one that was quiet longest makes room.
    #[serde(deserialize_with = "units::count")]
    pub shapes_max: usize,
    /// Bytes for all clients; the outsider that was active least recently is forgotten first.
    #[serde(deserialize_with = "units::budget")]
    pub budget: ByteSize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            logins: logins::known(),
            likeness: 0.15,
            likeness_bytes: 100.0,
            spread_nats: 1.0,
            clockwork: 0.02,
            clockwork_gap: Duration::from_secs(60),
            clockwork_llr: 5.0,
            blind_doubt: 2.0,
            guesses_forgiven: 4.0,
            retries_forgiven: 8.0,
            names_forgiven: 12.0,
            guesses_hourly: 6.0,
            guess_nats: 1.2,
            key_weight: 0.1,
            hurry_weight: 2.5,
            forgotten: 2.0,
            got_in_nats: 2.0,
            stale_gap: Duration::from_secs(30),
            stale_llr: 5.0,
            servers_max: 12,
            llr_max: 10.0,
            shapes_max: 12,
            budget: ByteSize::mib(16),
        }
    }
}

/// Sessions that look alike.
#[derive(Debug)]
struct Shape {
    login: u8,
    /// Whether only one side was captured.
    is_blind: bool,
    client_bytes: f32,
    server_bytes: f32,
    /// Sessions, what is everyday leaked away.
    level: f32,
    count: u32,
    since: Timestamp,
    last: Timestamp,
    pace: Pace,
    targets: Tally,
    sample: Sample,
}

#[derive(Debug, Default)]
struct Client {
    shapes: Vec<Shape>,
    guesses: Guesses,
    /// Open connections of which a result was told, the latest last.
    told: VecDeque<Uid>,
    /// By subject.
    gates: Vec<(Box<str>, Gate)>,
}

/// Connections remembered at once of which a result was told. A tool has some dozens open.
const TOLD_MAX: usize = 128;

/// The detector.
#[derive(Debug)]
pub struct Bruteforce {
    config: Config,
    spoken: Spoken,
    clients: Table<IpAddr, Client>,
}

impl Bruteforce {
    /// The detector's id.
    pub const ID: &'static str = "auth.bruteforce";

    /// A detector that has seen nothing.
    pub fn new(config: &Config) -> Self {
        Self {
            clients: Table::new(config.budget.0),
            spoken: Spoken::new(&config.logins),
            config: config.clone(),
        }
    }
}

impl Detector for Bruteforce {
    fn id(&self) -> &'static str {
        Self::ID
    }

    fn on_event(&mut self, event: &Sight<'_>, inventory: &Inventory, out: &mut Vec<Evidence>) {
        if let Some(logon) = Logon::of(event, inventory) {
            let is_own = inventory.is_internal(logon.client());
            let config = &self.config;
            let has_shape = logon.talk.transport == Transport::Tcp
                && self.spoken.may_speak(logon.talk.service(), logon.protocol());
            out.extend(self.clients.update(logon.client(), is_own, Client::default, |client| {
                // What was only concluded is no better than the shape, and the shape of a few
                // sessions at once says more than as many refusals. Subject and gate are one, so
                // the greater weight counts and never both.
                if has_shape && !logon.is_inferred() {
                    client.was_told(logon.talk.uid);
                }
                client.guesses.note(&logon, config);
                client.guessing(&logon, config)
            }));
            return;
        }
        let (Body::Conn(conn), Some(talk)) = (&event.body, &event.conversation) else { return };
        if talk.transport != Transport::Tcp
            || !matches!(conn.outcome, None | Some(Outcome::Accepted | Outcome::AppFailed))
            || is_group(talk.server.addr)
        {
            return;
        }
        let service = talk.service();
        if !self.spoken.may_be(service, conn) {
            return;
        }
        let client = talk.client.addr;
        let is_own = inventory.is_internal(client);
        let told = self.clients.peek(&client).map(|known| known.told.contains(&talk.uid));
        if told == Some(true) {
            self.clients.update(client, is_own, Client::default, |client| {
                client.told.retain(|uid| *uid != talk.uid);
            });
            return;
        }
        let Some((index, login)) =
            self.config.logins.iter().enumerate().find(|(_, login)| login.is_spoken(service, conn))
        else {
            return;
        };
        if !login.fits(conn) || inventory.may_scan(client) {
            return;
        }
        let config = &self.config;
        let index = u8::try_from(index).unwrap_or(u8::MAX);
        out.extend(self.clients.update(client, is_own, Client::default, |client| {
            client.note(index, login, conn, talk, config);
            client.evidence(event.ts, index, talk, config)
        }));
    }

    fn state_bytes(&self) -> usize {
        self.clients.bytes()
    }
}

impl Client {
    /// Remembers not to judge a connection by its shape.
    fn was_told(&mut self, uid: Uid) {
        if !self.told.contains(&uid) {
            if self.told.len() >= TOLD_MAX {
                self.told.pop_front();
            }
            self.told.push_back(uid);
        }
    }

    /// What refused logins weigh, under the same subject as the shapes of the same protocol.
    fn guessing(&mut self, logon: &Logon<'_>, config: &Config) -> Option<Evidence> {
        let protocol = logon.protocol();
        let subject = config
            .logins
            .iter()
            .find(|login| login.goes_by(protocol))
            .map_or(protocol, |login| login.name.as_str());
        let Self { guesses, gates, .. } = self;
        let weighed = guesses.worst(protocol, config)?;
        if !gate(gates, subject).opens(weighed.llr, config.llr_max, weighed.count) {
            return None;
        }
        Some(Evidence {
            ts: logon.ts,
            host: logon.client(),
            detector: Bruteforce::ID,
            family: Family::Credential,
            llr: weighed.llr,
            subject: subject.to_owned(),
            peers: weighed.sample.peers(),
            peers_total: 1,
            service: Some(logon.talk.service()),
            techniques: techniques(subject, 1),
            conns: weighed.sample.conns(),
            // Kerberos and SNMP over UDP answer whoever is named as the source.
            forgeable: logon.talk.transport == Transport::Udp,
            summary: weighed.summary,
        })
    }

    fn note(
        &mut self,
        index: u8,
        login: &Login,
        conn: &Conn,
        talk: &Conversation,
        config: &Config,
    ) {
        let bytes = (conn.client.bytes as f64, conn.server.bytes as f64);
        let is_blind = Login::is_blind(conn);
        let found = self.shapes.iter().position(|shape| {
            shape.login == index && shape.is_blind == is_blind && shape.is_like(bytes, config)
        });
        let shape = match found.and_then(|at| self.shapes.get_mut(at)) {
            Some(shape) => shape,
            None => {
                if self.shapes.len() >= config.shapes_max {
                    let quiet = self
                        .shapes
                        .iter()
                        .enumerate()
                        .min_by_key(|(_, shape)| (shape.last, shape.count))
                        .map_or(0, |(at, _)| at);
                    self.shapes.remove(quiet);
                }
                self.shapes.push(Shape::new(index, is_blind, bytes, conn.start));
                let Some(shape) = self.shapes.last_mut() else { return };
                shape
            }
        };
        shape.add(bytes, conn.start, login.hourly);
        shape.targets.add(stable_hash(talk.server.addr));
        shape.sample.add(talk.server.addr, Some(*talk));
    }

    fn evidence(
        &mut self,
        ts: Timestamp,
        index: u8,
        talk: &Conversation,
        config: &Config,
    ) -> Option<Evidence> {
        let login = config.logins.get(usize::from(index))?;
        let (llr, shape) = self
            .shapes
            .iter()
            .filter(|shape| shape.login == index)
            .map(|shape| (shape.llr(login, config), shape))
            .max_by(|(a, _), (b, _)| a.total_cmp(b))?;
        let gate = gate(&mut self.gates, &login.name);
        if !gate.opens(llr, config.llr_max, u64::from(shape.count)) {
            return None;
        }
        let targets = shape.targets.count();
        let on = if targets == 1 {
            format!("with {}", talk.server.addr)
        } else {
            format!("with {targets} hosts")
        };
        Some(Evidence {
            ts,
            host: talk.client.addr,
            detector: Bruteforce::ID,
            family: Family::Credential,
            llr,
            subject: login.name.clone(),
            peers: shape.sample.peers(),
            peers_total: u64::from(targets),
            service: Some(talk.service()),
            techniques: techniques(&login.name, targets),
            conns: shape.sample.conns(),
            forgeable: false,
            summary: format!(
                "had {} short {} sessions {on} in {} that are all alike (about {:.0} bytes there, \
                 {:.0} back), as failed logins are",
                shape.count,
                login.name,
                spoken(shape.last.since(shape.since)),
                shape.client_bytes,
                shape.server_bytes,
            ),
        })
    }
}

/// The gate of a subject, made where it is missing. Subjects are protocols, so there are few.
fn gate<'a>(gates: &'a mut Vec<(Box<str>, Gate)>, subject: &str) -> &'a mut Gate {
    let at = gates.iter().position(|(known, _)| **known == *subject).unwrap_or_else(|| {
        gates.push((subject.into(), Gate::default()));
        gates.len() - 1
    });
    gates.get_mut(at).map(|(_, gate)| gate).expect("a gate was found or made here")
}

fn techniques(protocol: &str, targets: u32) -> &'static [&'static str] {
    match (protocol, targets) {
        ("smb", 2..) => &["T1110", "T1210", "T1021.002"],
        ("smb", _) => &["T1110", "T1021.002"],
        ("ssh", _) => &["T1110.001", "T1021.004"],
        ("rdp", _) => &["T1110.001", "T1021.001"],
        (_, 3..) => &["T1110.001", "T1110.003"],
        _ => &["T1110.001"],
    }
}

impl Shape {
    fn new(login: u8, is_blind: bool, bytes: (f64, f64), start: Timestamp) -> Self {
        Self {
            login,
            is_blind,
            client_bytes: bytes.0 as f32,
            server_bytes: bytes.1 as f32,
            level: 0.0,
            count: 0,
            since: start,
            last: start,
            pace: Pace::default(),
            targets: Tally::default(),
            sample: Sample::default(),
        }
    }

    fn is_like(&self, bytes: (f64, f64), config: &Config) -> bool {
        let near = |ours: f32, theirs: f64| {
            let ours = f64::from(ours);
            (ours - theirs).abs() <= (ours * config.likeness).max(config.likeness_bytes)
        };
        near(self.client_bytes, bytes.0) && near(self.server_bytes, bytes.1)
    }

    fn add(&mut self, bytes: (f64, f64), start: Timestamp, hourly: f64) {
        let gap = start.since(self.last);
        if self.count > 0 {
            self.pace.add(gap);
        }
        self.count = self.count.saturating_add(1);
        let weight = 1.0 / self.count.min(50) as f32;
        self.client_bytes += (bytes.0 as f32 - self.client_bytes) * weight;
        self.server_bytes += (bytes.1 as f32 - self.server_bytes) * weight;
        let leaked = f64::from(self.level) - gap.as_secs_f64() / 3600.0 * hourly;
        self.level = leaked.max(0.0) as f32 + 1.0;
        if leaked <= 0.0 {
            self.since = start;
        }
        self.since = self.since.min(start);
        self.last = self.last.max(start);
    }

    fn llr(&self, login: &Login, config: &Config) -> f64 {
        let doubt = if self.is_blind { config.blind_doubt } else { 1.0 };
        let over = f64::from(self.level) / doubt - login.forgiven;
        if over <= 0.0 {
            return 0.0;
        }
        let spread = f64::from(self.targets.count().saturating_sub(1).min(8)) * config.spread_nats;
        let is_clockwork = self.pace.is_clockwork(config.clockwork_gap, config.clockwork);
        let max = if is_clockwork { config.clockwork_llr } else { config.llr_max };
        (over * login.nats + spread.min(over)).min(max)
    }
}

impl Weigh for Client {
    fn heap_bytes(&self) -> usize {
        self.shapes.capacity() * size_of::<Shape>()
            + self.shapes.iter().map(|shape| shape.sample.heap_bytes()).sum::<usize>()
            + self.guesses.heap_bytes()
            + self.told.capacity() * size_of::<Uid>()
            + self.gates.capacity() * size_of::<(Box<str>, Gate)>()
            + self.gates.iter().map(|(subject, _)| subject.len()).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Account, Stage, tcp};
    use super::*;
    use crate::event::Opening;

    fn stage() -> Stage<Bruteforce> {
        Stage::new(Bruteforce::new(&Config::default()))
    }

    const CLIENT: &str = "10.0.0.66";

    #[test]
    fn convicts_seven_parallel_logins_that_fail_alike() {
        let mut stage = stage();

        stage.play((0..7).map(|n| {
            let at = f64::from(n) * 0.05;
            tcp(CLIENT, "10.0.0.3", 22).at(at).conn(2.2, (845, 2091 + n as u64 * 5), 10)
        }));

        assert!(stage.weight(CLIENT) >= 8.8, "{}", stage.weight(CLIENT));
        assert!(!stage.last(CLIENT).forgeable);
        assert!(stage.last(CLIENT).summary.contains("7 short ssh sessions with 10.0.0.3"));
    }

    #[test]
    fn convicts_a_patient_guesser() {
        let mut stage = stage();

        stage.play((0..60).map(|n| {
            let at = f64::from(n) * 240.0 + f64::from(n * 7 % 31);
            tcp(CLIENT, "10.0.0.3", 22).at(at).conn(2.0, (2060 + 64 * (n as u64 % 2), 1367), 10)
        }));

        assert!(stage.weight(CLIENT) >= 9.0);
    }

    #[test]
    fn convicts_an_exploit_that_is_tried_on_every_host_even_midstream() {
        let mut stage = stage();

        stage.play((0..12).map(|n| {
            tcp(CLIENT, &format!("10.0.0.{}", n % 4 + 1), 445)
                .opening(Opening::Midstream)
                .at(f64::from(n) * 2.0)
                .conn(0.002, (455, 429 + n as u64 % 3 * 18), 3)
        }));

        assert!(stage.weight(CLIENT) >= 9.0, "{}", stage.weight(CLIENT));
        assert!(stage.last(CLIENT).techniques.contains(&"T1210"));
    }

    #[test]
    fn ignores_automation_that_gets_in() {
        let mut stage = stage();

        stage.play((0..200).map(|n| {
            let bytes = (4000 + n * 977 % 9000, 5000 + n * 1733 % 60_000);
            tcp(CLIENT, "10.0.0.3", 22).at(n as f64).conn(3.0, bytes, 20)
        }));

        stage.assert_silent();
    }

    #[test]
    fn ignores_a_check_that_reads_the_banner() {
        let mut stage = stage();

        stage.play(
            (0..2000).map(|n| {
                tcp(CLIENT, "10.0.0.3", 22).at(f64::from(n) * 60.0).conn(0.1, (24, 40), 1)
            }),
        );

        stage.assert_silent();
    }

    #[test]
    fn does_not_convict_a_job_with_an_old_password() {
        let mut stage = stage();

        stage.play((0..2000).map(|n| {
            tcp(CLIENT, "10.0.0.3", 22).at(f64::from(n) * 300.0).conn(1.0, (2000, 1400), 9)
        }));

        assert!(stage.weight(CLIENT) <= 5.0, "{}", stage.weight(CLIENT));
    }

    #[test]
    fn ignores_someone_who_mistypes() {
        let mut stage = stage();

        stage.play((0..3).map(|n| {
            tcp(CLIENT, "10.0.0.3", 22).at(f64::from(n) * 20.0).conn(15.0, (2500, 2400), 12)
        }));

        stage.assert_silent();
    }

    #[test]
    fn ignores_a_mailbox_that_is_polled_and_a_database_that_is_asked() {
        let mut stage = stage();

        for n in 0..3000u32 {
            let at = f64::from(n) * 60.0 + f64::from(n % 7);
            stage.play([
                tcp(CLIENT, "10.0.0.4", 143).at(at).conn(0.3, (120, 600), 5),
                tcp("10.0.0.80", "10.0.0.5", 3306).at(at).conn(0.1, (350, 390), 6),
                tcp("10.0.0.81", "10.0.0.6", 80).at(at).conn(0.1, (400, 900), 1),
            ]);
        }

        stage.assert_silent();
    }

    #[test]
    fn ignores_a_share_that_is_mounted_now_and_then() {
        let mut stage = stage();

        stage.play((0..500).map(|n| {
            tcp(CLIENT, "10.0.0.5", 445).at(f64::from(n) * 600.0).conn(0.5, (900, 1000), 6)
        }));

        stage.assert_silent();
    }

    #[test]
    fn counts_every_guess_within_a_connection_and_no_connection_twice() {
        let mut stage = stage();

        for n in 0..4u32 {
            let session = tcp(CLIENT, "10.0.0.3", 22).at(f64::from(n) * 9.0);
            let wrong = Account::unnamed("ssh").refused();
            stage.play((0..3).map(|guess| session.login_after(f64::from(guess), wrong)));
            stage.play([session.conn(9.0, (1900, 2000), 14)]);
        }

        assert!((stage.weight(CLIENT) - 9.6).abs() < 0.1, "{}", stage.weight(CLIENT));
        assert!(stage.last(CLIENT).summary.contains("refused 12 ssh logins by 10.0.0.3"));
    }

    #[test]
    fn convicts_six_parallel_guesses_of_which_one_was_right() {
        let mut stage = stage();
        let login = Account::unnamed("ssh");

        stage.play([tcp(CLIENT, "10.0.0.3", 22).login(login)]);
        stage.play((1..6).map(|n| {
            tcp(CLIENT, "10.0.0.3", 22).at(2.0 + f64::from(n) * 0.01).login(login.refused())
        }));

        assert!(stage.weight(CLIENT) >= 8.2, "{}", stage.weight(CLIENT));
    }

    #[test]
    fn ignores_an_account_that_does_not_exist_and_somebody_who_tries_two() {
        let mut stage = stage();
        let gone = Account::of("krb", "gone").method("kerberos-account").refused();
        let names = ["root", "toor"];

        stage.play((0..40).map(|n| tcp(CLIENT, "10.0.0.4", 88).at(f64::from(n) * 0.1).login(gone)));
        stage.play((0..9).map(|n| {
            let account = Account::of("mysql", names[n / 5]).refused();
            tcp(CLIENT, "10.0.0.6", 3306).at(n as f64 * 3.0).login(account)
        }));
        let right = Account::of("mysql", "root");
        stage.play([tcp(CLIENT, "10.0.0.6", 3306).at(40.0).login(right)]);

        stage.assert_silent();
    }

    #[test]
    fn goes_by_results_where_they_contradict_the_shape() {
        let mut stage = stage();

        for n in 0..40u32 {
            let session = tcp(CLIENT, "10.0.0.3", 22).at(f64::from(n));
            stage.play([
                session.login(Account::unnamed("ssh")),
                session.conn(0.8, (1900, 2000), 14),
            ]);
        }

        stage.assert_silent();
    }

    #[test]
    fn says_more_of_a_guesser_who_gets_in() {
        let guess = |n: u32| {
            let names = ["root", "admin", "pi", "ubnt", "user"];
            let account = Account::of("telnet", names[n as usize % 5]);
            let session = tcp(CLIENT, "10.0.0.9", 23).at(f64::from(n) * 2.0);
            session.login(if n == 16 { account } else { account.refused() })
        };
        let (mut without, mut with) = (stage(), stage());

        without.play((0..16).map(guess));
        with.play((0..17).map(guess));

        assert!(with.weight(CLIENT) >= without.weight(CLIENT) + 1.9);
        assert!(with.last(CLIENT).summary.ends_with("and then got in"));
    }

    #[test]
    fn ignores_people_who_mistype_and_clients_that_offer_all_their_keys() {
        let mut stage = stage();

        for n in 0..40u32 {
            let at = f64::from(n) * 1800.0;
            let share = tcp(CLIENT, "10.0.0.5", 445).at(at);
            let shell = tcp(CLIENT, "10.0.0.3", 22).at(at + 60.0);
            let key = Account::unnamed("ssh").method("publickey");
            stage.play((0..3).map(|k| {
                share.login_after(f64::from(k) * 5.0, Account::of("smb", "anna").refused())
            }));
            stage.play([share.login_after(20.0, Account::of("smb", "anna"))]);
            stage.play((0..5).map(|k| shell.login_after(f64::from(k) * 0.1, key.refused())));
            stage.play([shell.login_after(1.0, key)]);
        }

        stage.assert_silent();
    }

    #[test]
    fn does_not_convict_a_program_that_was_not_told_of_a_new_password() {
        let mut stage = stage();
        let app = Account::of("mysql", "shop");
        stage.play([tcp(CLIENT, "10.0.0.6", 3306).login(app)]);

        stage.play((0..500).map(|n| {
            tcp(CLIENT, "10.0.0.6", 3306).at(86_400.0 + f64::from(n) * 0.5).login(app.refused())
        }));
        stage.play((0..500).map(|n| {
            let phone = tcp("10.0.0.70", "10.0.0.7", 143);
            phone
                .at(86_400.0 + f64::from(n) * 40.0 + f64::from(n % 7))
                .login(Account::of("imap", "bert").refused())
        }));

        assert!(stage.weight(CLIENT) <= 5.0, "{}", stage.weight(CLIENT));
        assert!(stage.weight("10.0.0.70") <= 5.0, "{}", stage.weight("10.0.0.70"));
    }
}

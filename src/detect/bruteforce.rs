//! `auth.bruteforce`: many short sessions of one size with login services.
//!
//! A failed login has a shape: the handshake, the refusal, the end. Guessing repeats it, whatever
//! the tool, and even where everything is encrypted; that is how flow-based detectors see it
//! (Hofstede, Jonker, Sperotto, Pras: "Flow-Based Web Application Brute-Force Attack and Compromise
//! Detection", 2017, and their SSHCure before it). A session that gets in is longer and looks like
//! its work. The same shape repeated on *several* hosts is what an exploit looks like that is tried
//! along a list.

use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::logins::{self, Login, Spoken};
use super::report::{Gate, Sample, spoken};
use super::{Detector, Evidence, Family, Sight};
use crate::config::units::{self, ByteSize};
use crate::event::{Body, Conn, Conversation, Outcome};
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
    /// Mean and summed squared deviation of the gaps, in seconds (Welford 1962).
    gap_mean: f64,
    gap_square: f64,
    targets: Tally,
    sample: Sample,
}

#[derive(Debug, Default)]
struct Client {
    shapes: Vec<Shape>,
    gates: Vec<(u8, Gate)>,
}

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
        let Some((index, login)) =
            self.config.logins.iter().enumerate().find(|(_, login)| login.is_spoken(service, conn))
        else {
            return;
        };
        if !login.fits(conn) || inventory.may_scan(talk.client.addr) {
            return;
        }
        let config = &self.config;
        let index = u8::try_from(index).unwrap_or(u8::MAX);
        let is_own = inventory.is_internal(talk.client.addr);
        out.extend(self.clients.update(talk.client.addr, is_own, Client::default, |client| {
            client.note(index, login, conn, talk, config);
            client.evidence(event.ts, index, talk, config)
        }));
    }

    fn state_bytes(&self) -> usize {
        self.clients.bytes()
    }
}

impl Client {
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
        let at = self.gates.iter().position(|(login, _)| *login == index).unwrap_or_else(|| {
            self.gates.push((index, Gate::default()));
            self.gates.len() - 1
        });
        let (_, gate) = self.gates.get_mut(at)?;
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
            techniques: techniques(login, targets),
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

fn techniques(login: &Login, targets: u32) -> &'static [&'static str] {
    match (login.name.as_str(), targets) {
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
            gap_mean: 0.0,
            gap_square: 0.0,
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
        let gap = start.since(self.last).as_secs_f64();
        if self.count > 0 {
            let gaps = f64::from(self.count);
            let off = gap - self.gap_mean;
            self.gap_mean += off / gaps;
            self.gap_square += off * (gap - self.gap_mean);
        }
        self.count = self.count.saturating_add(1);
        let weight = 1.0 / self.count.min(50) as f32;
        self.client_bytes += (bytes.0 as f32 - self.client_bytes) * weight;
        self.server_bytes += (bytes.1 as f32 - self.server_bytes) * weight;
        let leaked = f64::from(self.level) - gap / 3600.0 * hourly;
        self.level = leaked.max(0.0) as f32 + 1.0;
        if leaked <= 0.0 {
            self.since = start;
        }
        self.since = self.since.min(start);
        self.last = self.last.max(start);
    }

    /// Whether sessions follow each other like clockwork; needs a few to tell.
    fn is_clockwork(&self, config: &Config) -> bool {
        self.count >= 4
            && self.gap_mean >= config.clockwork_gap.as_secs_f64()
            && (self.gap_square / f64::from(self.count - 1)).sqrt()
                <= config.clockwork * self.gap_mean
    }

    fn llr(&self, login: &Login, config: &Config) -> f64 {
        let doubt = if self.is_blind { config.blind_doubt } else { 1.0 };
        let over = f64::from(self.level) / doubt - login.forgiven;
        if over <= 0.0 {
            return 0.0;
        }
        let spread = f64::from(self.targets.count().saturating_sub(1).min(8)) * config.spread_nats;
        let max = if self.is_clockwork(config) { config.clockwork_llr } else { config.llr_max };
        (over * login.nats + spread.min(over)).min(max)
    }
}

impl Weigh for Client {
    fn heap_bytes(&self) -> usize {
        self.shapes.capacity() * size_of::<Shape>()
            + self.shapes.iter().map(|shape| shape.sample.heap_bytes()).sum::<usize>()
            + self.gates.capacity() * size_of::<(u8, Gate)>()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Stage, tcp};
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
}

//! `auth.spray`: logins that are refused for many accounts, or on many servers, a few for each.
//!
//! A guesser who must not lock accounts tries one password on all of them, and one who stole a
//! password tries it on every host. Counting refusals for each account or server misses both; what
//! counts is how many *different* ones refuse the same source (Javed and Paxson, "Detecting Stealthy,
//! Distributed SSH Brute-Forcing", CCS 2013, on aggregates of failures over sites). As for scanners
//! (Jung et al. 2004), those that let it in speak for the source: behind a gateway or on a terminal
//! server many people log in, and some mistype.

use std::collections::VecDeque;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::logon::Logon;
use super::report::{Gate, Sample, spoken};
use super::seen::{Seen, peer_hash};
use super::{Detector, Evidence, Family, Sight};
use crate::config::units::{self, ByteSize};
use crate::event::{Body, Conversation, Uid};
use crate::inventory::{Inventory, Role, Table, Weigh, mix};
use crate::net::Transport;
use crate::time::Timestamp;

/// When different accounts or servers that refuse one source are a spray.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Accounts, or servers, that may refuse a source.
    #[serde(deserialize_with = "units::amount")]
    pub forgiven: f64,
    /// Times as many for gateways and monitors: many people and checks behind one address.
    #[serde(deserialize_with = "units::amount")]
    pub busy_factor: f64,
    /// Such accounts or servers an hour that are everyday life, and leak away.
    #[serde(deserialize_with = "units::amount")]
    pub hourly: f64,
    /// Nats for each further one.
    #[serde(deserialize_with = "units::nats")]
    pub nats: f64,
    /// What one counts for that let the source in before: somebody mistyped, or a password changed.
    #[serde(deserialize_with = "units::share")]
    pub known_weight: f64,
    /// How many that refuse are made up for by one that lets the source in for the first time,
    /// as long as no more refuse than are forgiven.
    #[serde(deserialize_with = "units::amount")]
    pub relief: f64,
    /// Nats for the first account or server that lets the source in after more refusals than that.
    #[serde(deserialize_with = "units::nats")]
    pub got_in_nats: f64,
    /// The most nats.
    #[serde(deserialize_with = "units::nats")]
    pub llr_max: f64,
    /// Accounts and servers remembered for one source, at least.
    #[serde(deserialize_with = "units::count")]
    pub targets_max: usize,
    /// Bytes for all sources; the outsider that was active least recently is forgotten first.
    #[serde(deserialize_with = "units::budget")]
    pub budget: ByteSize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            forgiven: 3.0,
            busy_factor: 3.0,
            hourly: 0.5,
            nats: 1.3,
            known_weight: 0.25,
            relief: 1.0,
            got_in_nats: 2.0,
            llr_max: 10.0,
            targets_max: 256,
            budget: ByteSize::mib(16),
        }
    }
}

/// Different accounts, or different servers.
#[derive(Clone, Copy, Debug, Default)]
struct Level {
    /// Those that refused, what is everyday leaked away.
    height: f64,
    /// Those that refused, in all.
    refused: u32,
}

/// What is known of one source.
#[derive(Debug, Default)]
struct Source {
    accounts: Level,
    servers: Level,
    refusals: u32,
    got_in: bool,
    /// Whether a refusal came over a handshake, which no forged source completes.
    is_proven: bool,
    since: Timestamp,
    last: Timestamp,
    /// Accounts and servers that refused it.
    refused: Seen,
    /// Accounts and servers that let it in.
    welcome: Seen,
    /// Connections in which a key was refused, until they end or let it in: one of a client's keys
    /// may still fit.
    keys: VecDeque<Uid>,
    sample: Sample,
    gate: Gate,
}

/// Connections remembered at once in which a key was refused.
const KEYS_MAX: usize = 64;

/// The detector.
#[derive(Debug)]
pub struct Spray {
    config: Config,
    sources: Table<IpAddr, Source>,
    /// Sources that wait for the end of a connection, so that nearly every end costs no look-up.
    waiting: usize,
}

impl Spray {
    /// The detector's id.
    pub const ID: &'static str = "auth.spray";

    /// A detector that has seen nothing.
    pub fn new(config: &Config) -> Self {
        Self { sources: Table::new(config.budget.0), config: config.clone(), waiting: 0 }
    }

    fn on_logon(&mut self, logon: &Logon<'_>, inventory: &Inventory) -> Option<Evidence> {
        let client = logon.client();
        let config = &self.config;
        let waiting = &mut self.waiting;
        let is_own = inventory.is_internal(client);
        self.sources.update(client, is_own, Source::default, |source| {
            if logon.is_in {
                source.drop_key(logon.talk.uid);
                source.succeed(logon, is_busy(client, inventory), config);
            } else if logon.is_key() {
                *waiting = waiting.saturating_add(1);
                source.wait(logon.talk.uid);
                return None;
            } else {
                source.fail(logon.name(), logon.talk, logon.ts, config);
            }
            source.evidence(logon.ts, logon.talk, is_busy(client, inventory), config)
        })
    }
}

/// Whether many log in from behind it.
fn is_busy(client: IpAddr, inventory: &Inventory) -> bool {
    [Role::Gateway, Role::Monitor].iter().any(|role| inventory.has_role(client, *role))
}

impl Detector for Spray {
    fn id(&self) -> &'static str {
        Self::ID
    }

    fn on_event(&mut self, event: &Sight<'_>, inventory: &Inventory, out: &mut Vec<Evidence>) {
        if let Some(logon) = Logon::of(event, inventory) {
            out.extend(self.on_logon(&logon, inventory));
            return;
        }
        let (Body::Conn(_), Some(talk)) = (&event.body, &event.conversation) else { return };
        let client = talk.client.addr;
        if self.waiting == 0
            || !self.sources.peek(&client).is_some_and(|source| source.keys.contains(&talk.uid))
        {
            return;
        }
        self.waiting -= 1;
        let config = &self.config;
        out.extend(self.sources.update(
            client,
            inventory.is_internal(client),
            Source::default,
            |source| {
                source.drop_key(talk.uid);
                source.fail(None, talk, event.ts, config);
                source.evidence(event.ts, talk, is_busy(client, inventory), config)
            },
        ));
    }

    fn state_bytes(&self) -> usize {
        self.sources.bytes()
    }
}

impl Source {
    fn wait(&mut self, uid: Uid) {
        if self.keys.contains(&uid) {
            return;
        }
        if self.keys.len() >= KEYS_MAX {
            self.keys.pop_front();
        }
        self.keys.push_back(uid);
    }

    fn drop_key(&mut self, uid: Uid) {
        self.keys.retain(|waiting| *waiting != uid);
    }

    fn fail(&mut self, name: Option<u64>, talk: &Conversation, ts: Timestamp, config: &Config) {
        let leak = ts.since(self.last).as_secs_f64() / 3600.0 * config.hourly;
        self.accounts.height = (self.accounts.height - leak).max(0.0);
        self.servers.height = (self.servers.height - leak).max(0.0);
        if self.accounts.height + self.servers.height <= 0.0 {
            self.since = ts;
        }
        self.last = self.last.max(ts);
        self.refusals = self.refusals.saturating_add(1);
        self.is_proven |= talk.transport != Transport::Udp;
        let server = talk.server.addr;
        for (hash, level) in name
            .map(|name| (account_key(name), &mut self.accounts))
            .into_iter()
            .chain([(server_key(server), &mut self.servers)])
        {
            if self.refused.insert(hash, config.targets_max) {
                level.refused = level.refused.saturating_add(1);
                level.height += if self.welcome.contains(hash) { config.known_weight } else { 1.0 };
            }
        }
        self.sample.add(server, Some(*talk));
    }

    fn succeed(&mut self, logon: &Logon<'_>, is_busy: bool, config: &Config) {
        let is_over = self.over(is_busy, config) > 0.0;
        let server = server_key(logon.server());
        let keys = logon.name().map(|name| (account_key(name), &mut self.accounts));
        for (hash, level) in keys.into_iter().chain([(server, &mut self.servers)]) {
            if !self.welcome.insert(hash, config.targets_max) {
                continue;
            }
            if is_over {
                self.got_in = true;
            } else {
                level.height = (level.height - config.relief).max(0.0);
            }
        }
        if is_over && self.got_in {
            self.sample.add(logon.server(), Some(*logon.talk));
        }
    }

    /// Accounts or servers beyond what is forgiven, whichever are more.
    fn over(&self, is_busy: bool, config: &Config) -> f64 {
        let factor = if is_busy { config.busy_factor } else { 1.0 };
        let height = self.accounts.height.max(self.servers.height);
        (height - config.forgiven * factor).max(0.0)
    }

    fn evidence(
        &mut self,
        ts: Timestamp,
        talk: &Conversation,
        is_busy: bool,
        config: &Config,
    ) -> Option<Evidence> {
        let over = self.over(is_busy, config);
        if over <= 0.0 {
            return None;
        }
        let got_in = if self.got_in { config.got_in_nats } else { 0.0 };
        let llr = (over * config.nats + got_in).min(config.llr_max);
        let many = self.accounts.refused.max(self.servers.refused);
        if !self.gate.opens(llr, config.llr_max, u64::from(many)) {
            return None;
        }
        Some(Evidence {
            ts,
            host: talk.client.addr,
            detector: Spray::ID,
            family: Family::Credential,
            llr,
            subject: "logins".to_owned(),
            peers: self.sample.peers(),
            peers_total: u64::from(self.servers.refused),
            service: Some(talk.service()),
            techniques: &["T1110.003"],
            conns: self.sample.conns(),
            forgeable: !self.is_proven,
            summary: self.summary(),
        })
    }

    fn summary(&self) -> String {
        let counted = |many: u32, one: &str, several: &str| match many {
            1 => format!("one {one}"),
            many => format!("{many} {several}"),
        };
        let accounts = match self.accounts.refused {
            0 => String::new(),
            many => format!("as {} ", counted(many, "account", "accounts")),
        };
        format!(
            "was refused {accounts}by {} in {}, {} logins in all{}",
            counted(self.servers.refused, "server", "servers"),
            spoken(self.last.since(self.since)),
            self.refusals,
            if self.got_in { ", and then got in" } else { "" },
        )
    }
}

fn account_key(name: u64) -> u64 {
    mix(name ^ 0xacc0)
}

fn server_key(server: IpAddr) -> u64 {
    peer_hash(server)
}

impl Weigh for Source {
    fn heap_bytes(&self) -> usize {
        self.refused.heap_bytes()
            + self.welcome.heap_bytes()
            + self.keys.capacity() * size_of::<Uid>()
            + self.sample.heap_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Account, Stage, tcp, udp};
    use super::*;

    const CLIENT: &str = "10.0.0.66";
    /// Every two neighbouring letters are a name.
    const LETTERS: &str = "abcdefghijklmnopqrstuvwxyz0123456789";

    fn stage() -> Stage<Spray> {
        Stage::new(Spray::new(&Config::default()))
    }

    fn name(n: usize) -> &'static str {
        &LETTERS[n % 35..n % 35 + 2]
    }

    #[test]
    fn convicts_one_password_for_ten_accounts() {
        let mut stage = stage();

        stage.play((0..10).map(|n| {
            let account = Account::of("krb_tcp", name(n)).domain("CORP").method("kerberos");
            tcp(CLIENT, "10.0.0.4", 88).at(n as f64 * 3.0).login(account.refused())
        }));

        assert!(stage.weight(CLIENT) >= 8.2, "{}", stage.weight(CLIENT));
        let summary = &stage.last(CLIENT).summary;
        assert!(summary.starts_with("was refused as 10 accounts by one server"), "{summary}");
        assert!(!stage.last(CLIENT).forgeable);
    }

    #[test]
    fn convicts_one_account_on_ten_servers_over_several_protocols() {
        let mut stage = stage();

        stage.play((0..10u32).map(|n| {
            let (protocol, port) = [("smb", 445), ("ssh", 22), ("http", 5985)][n as usize % 3];
            let account = match protocol {
                "ssh" => Account::unnamed("ssh"),
                protocol => Account::of(protocol, "administrator"),
            };
            tcp(CLIENT, &format!("10.0.1.{n}"), port).at(f64::from(n)).login(account.refused())
        }));

        assert!(stage.weight(CLIENT) >= 8.2, "{}", stage.weight(CLIENT));
        assert!(stage.last(CLIENT).summary.contains("as one account by 10 servers"));
    }

    #[test]
    fn says_more_when_one_of_them_lets_it_in() {
        let refusals = || {
            (0..6u32).map(|n| {
                tcp(CLIENT, &format!("10.0.1.{n}"), 22)
                    .at(f64::from(n))
                    .login(Account::unnamed("ssh").refused())
            })
        };
        let (mut without, mut with) = (stage(), stage());

        without.play(refusals());
        with.play(refusals());
        with.play([tcp(CLIENT, "10.0.1.99", 22).at(60.0).login(Account::unnamed("ssh"))]);

        assert!(with.weight(CLIENT) >= without.weight(CLIENT) + 1.9);
        assert!(with.last(CLIENT).summary.ends_with("and then got in"));
    }

    #[test]
    fn counts_a_host_where_none_of_the_keys_fits() {
        let mut stage = stage();
        let key = Account::unnamed("ssh").method("publickey");

        for n in 0..12u32 {
            let session = tcp(CLIENT, &format!("10.0.1.{n}"), 22).at(f64::from(n) * 2.0);
            stage.play((0..4).map(|k| session.login_after(f64::from(k) * 0.1, key.refused())));
            stage.play([session.conn(1.0, (2500, 2500), 12)]);
        }

        assert!(stage.weight(CLIENT) >= 8.2, "{}", stage.weight(CLIENT));
    }

    #[test]
    fn ignores_automation_that_offers_all_its_keys_until_one_fits() {
        let mut stage = stage();
        let key = Account::unnamed("ssh").method("publickey");

        for n in 0..100u32 {
            let session = tcp(CLIENT, &format!("10.0.1.{n}"), 22).at(f64::from(n) * 2.0);
            stage.play((0..3).map(|k| session.login_after(f64::from(k) * 0.1, key.refused())));
            stage.play([session.login_after(0.5, key), session.conn(1.0, (4500, 5500), 12)]);
        }

        stage.assert_silent();
    }

    #[test]
    fn ignores_a_terminal_server_on_a_monday_morning() {
        let mut stage = stage();

        for n in 0..35u32 {
            let account = Account::of("krb", name(n as usize)).domain("CORP");
            let morning = udp(CLIENT, "10.0.0.4", 88).at(f64::from(n) * 40.0);
            if n % 2 == 0 {
                stage.play([morning.login(account.refused())]);
            }
            stage.play([morning.login_after(10.0, account)]);
        }

        stage.assert_silent();
    }

    #[test]
    fn ignores_a_tool_whose_password_was_changed_on_hosts_that_it_knows() {
        let mut stage = stage();
        let night = |day: u32, is_refused: bool| {
            (0..12u32).map(move |n| {
                let account = Account::of("smb", "backup").domain("CORP");
                let at = f64::from(day) * 86_400.0 + f64::from(n) * 60.0;
                let visit = tcp(CLIENT, &format!("10.0.1.{n}"), 445).at(at);
                visit.login(if is_refused { account.refused() } else { account })
            })
        };

        for day in 0..7 {
            stage.play(night(day, false));
        }
        stage.play(night(7, true));

        stage.assert_silent();
    }

    #[test]
    fn ignores_someone_who_mistypes_everywhere() {
        let mut stage = stage();

        stage.play((0..60u32).map(|n| {
            let account = Account::of("ldap", "anna").domain("CORP").refused();
            tcp(CLIENT, &format!("10.0.1.{}", n % 3), 389).at(f64::from(n) * 7.0).login(account)
        }));

        stage.assert_silent();
    }
}

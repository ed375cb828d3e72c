//! `auth.shared`: an account lets in several hosts within minutes that never used it before.
//!
//! Replicas share what they harvest: a stolen account that lived on one workstation shows up on
//! three others at once. Who logs in from where is a habit (Siadati and Memon, "Detecting
//! Structurally Anomalous Logins Within Enterprise Networks", CCS 2017); how strong a habit, each
//! account shows by itself. After `u` uses of which `h` came from a host that was new to it,
//! the next one does so with probability `(h + ½) / (u + 1)` (Krichevsky and Trofimov 1981), for an
//! account in a thief's hands with about one half. An account that was just met has no habits, so
//! nothing is said of it.

use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::logon::Logon;
use super::report::{Gate, Sample, spoken};
use super::seen::{Seen, peer_hash};
use super::{Detector, Evidence, Family, Sight};
use crate::config::units::{self, ByteSize};
use crate::event::Conversation;
use crate::inventory::{Inventory, Table, Tally, Weigh, mix};
use crate::time::Timestamp;

/// When an account wanders.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Time within which hosts that are new to the account belong together.
    #[serde(with = "units::span")]
    pub within: Duration,
    /// How often a use of a stolen account comes from a host that is new to it.
    #[serde(deserialize_with = "units::odds")]
    pub stolen: f64,
    /// The most nats for each such host. The first is forgiven: people get new computers.
    #[serde(deserialize_with = "units::nats")]
    pub host_nats: f64,
    /// Hosts from which an account may be used and still be somebody's own; from more on, each new
    /// one weighs less in proportion, because that is what a service account is for.
    #[serde(deserialize_with = "units::count")]
    pub own_hosts: u32,
    /// Accounts that are used on one host from which on it is everybody's: a terminal server, a jump
    /// host, a gateway. That it is new to one more account weighs nothing.
    #[serde(deserialize_with = "units::count")]
    pub crowd: u32,
    /// The most nats. Just enough to be suspicious, and not to convict.
    #[serde(deserialize_with = "units::nats")]
    pub llr_max: f64,
    /// Hosts remembered for one account, at least.
    #[serde(deserialize_with = "units::count")]
    pub hosts_max: usize,
    /// Bytes for all accounts, and a quarter as many for the hosts that they are used on; what was
    /// used least recently is forgotten first.
    #[serde(deserialize_with = "units::budget")]
    pub budget: ByteSize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            within: Duration::from_secs(15 * 60),
            stolen: 0.5,
            host_nats: 2.5,
            own_hosts: 3,
            crowd: 4,
            llr_max: 6.5,
            hosts_max: 64,
            budget: ByteSize::mib(16),
        }
    }
}

/// A host that used the account for the first time, a moment ago.
#[derive(Clone, Copy, Debug)]
struct Newcomer {
    host: IpAddr,
    at: Timestamp,
    nats: f64,
    talk: Conversation,
}

/// What is known of one account.
#[derive(Debug, Default)]
struct Account {
    /// Hosts that use it.
    hosts: Seen,
    /// How many there were, without the newcomers.
    known: u32,
    /// Hours in which a host used it, over all hosts, without the newcomers' first.
    uses: f64,
    /// Hours and hosts that are counted already.
    hours: Seen,
    /// In order of time.
    newcomers: Vec<Newcomer>,
}

/// What is known of one host.
#[derive(Debug, Default)]
struct Host {
    /// Accounts that are used on it.
    accounts: Tally,
    gate: Gate,
}

/// Newcomers remembered at once for one account.
const NEWCOMERS_MAX: usize = 16;

/// The detector.
#[derive(Debug)]
pub struct Shared {
    config: Config,
    accounts: Table<u64, Account>,
    hosts: Table<IpAddr, Host>,
}

impl Shared {
    /// The detector's id.
    pub const ID: &'static str = "auth.shared";

    /// A detector that has seen nothing.
    pub fn new(config: &Config) -> Self {
        Self {
            accounts: Table::new(config.budget.0),
            hosts: Table::new(config.budget.0 / 4),
            config: config.clone(),
        }
    }
}

impl Detector for Shared {
    fn id(&self) -> &'static str {
        Self::ID
    }

    fn on_event(&mut self, event: &Sight<'_>, inventory: &Inventory, out: &mut Vec<Evidence>) {
        let Some(logon) = Logon::of(event, inventory) else { return };
        let client = logon.client();
        // Outside, people use their accounts from wherever they are. A machine's own account goes
        // where its address goes.
        if !logon.is_in || logon.is_machine() || !inventory.is_internal(client) {
            return;
        }
        let Some(account) = logon.account() else { return };
        let config = &self.config;
        let is_crowd = self.hosts.update(client, true, Host::default, |host| {
            let is_crowd = host.accounts.count() >= config.crowd;
            host.accounts.add(account);
            is_crowd
        });
        let newcomers = self.accounts.update(account, true, Account::default, |account| {
            account.note(&logon, is_crowd, config)
        });
        let [_, others @ ..] = newcomers.as_slice() else { return };
        let llr = others.iter().map(|newcomer| newcomer.nats).sum::<f64>().min(config.llr_max);
        for newcomer in &newcomers {
            let opens = self.hosts.update(newcomer.host, true, Host::default, |host| {
                host.gate.opens(llr, config.llr_max, newcomers.len() as u64)
            });
            if opens {
                out.push(evidence(&logon, newcomer, &newcomers, llr));
            }
        }
    }

    fn state_bytes(&self) -> usize {
        self.accounts.bytes() + self.hosts.bytes()
    }
}

impl Account {
    /// Takes a use, and returns the newcomers if that was one more.
    fn note(&mut self, logon: &Logon<'_>, is_crowd: bool, config: &Config) -> Vec<Newcomer> {
        let is_old = |newcomer: &Newcomer| logon.ts.since(newcomer.at) > config.within;
        let settled = self.newcomers.iter().filter(|newcomer| is_old(newcomer)).count();
        self.newcomers.retain(|newcomer| !is_old(newcomer));
        self.settle(settled);
        let client = logon.client();
        let host = peer_hash(client);
        let hour = logon.ts.as_nanos() / 3_600_000_000_000;
        let is_counted = !self.hours.insert(mix(host ^ hour as u64), config.hosts_max);
        if !self.hosts.insert(host, config.hosts_max) {
            self.uses += if is_counted { 0.0 } else { 1.0 };
            return Vec::new();
        }
        let nats = if is_crowd { 0.0 } else { self.surprise(config) };
        if nats <= 0.0 {
            self.settle(1);
            return Vec::new();
        }
        if self.newcomers.len() >= NEWCOMERS_MAX {
            self.newcomers.remove(0);
            self.settle(1);
        }
        self.newcomers.push(Newcomer { host: client, at: logon.ts, nats, talk: *logon.talk });
        self.newcomers.clone()
    }

    /// Takes newcomers among those that use it.
    fn settle(&mut self, newcomers: usize) {
        let newcomers = u32::try_from(newcomers).unwrap_or(u32::MAX);
        self.known = self.known.saturating_add(newcomers);
        self.uses += f64::from(newcomers);
    }

    /// Nats for one host more, by the habits from before the newcomers.
    fn surprise(&self, config: &Config) -> f64 {
        let known = f64::from(self.known);
        let usual = (known + 0.5) / (self.uses + 1.0);
        let own = (f64::from(config.own_hosts) / known.max(1.0)).min(1.0);
        (config.stolen / usual).ln().clamp(0.0, config.host_nats) * own
    }
}

fn evidence(logon: &Logon<'_>, newcomer: &Newcomer, newcomers: &[Newcomer], llr: f64) -> Evidence {
    let mut sample = Sample::default();
    for other in newcomers {
        let is_other = other.host != newcomer.host;
        sample.add(if is_other { other.host } else { other.talk.server.addr }, Some(other.talk));
    }
    let since = newcomers.first().map_or(logon.ts, |first| first.at);
    Evidence {
        ts: logon.ts,
        host: newcomer.host,
        detector: Shared::ID,
        family: Family::Credential,
        llr,
        subject: "account".to_owned(),
        peers: sample.peers(),
        peers_total: newcomers.len() as u64,
        service: Some(newcomer.talk.service()),
        techniques: &["T1078"],
        conns: sample.conns(),
        forgeable: false,
        summary: format!(
            "is one of {} hosts that logged in as {} in {}, none of which ever did before",
            newcomers.len(),
            logon.shown(),
            spoken(logon.ts.since(since)),
        ),
    }
}

impl Weigh for Account {
    fn heap_bytes(&self) -> usize {
        self.hosts.heap_bytes()
            + self.hours.heap_bytes()
            + self.newcomers.capacity() * size_of::<Newcomer>()
    }
}

impl Weigh for Host {}

#[cfg(test)]
mod tests {
    use super::super::testing::{self, Stage, tcp, udp};
    use super::*;

    const HOUR: f64 = 3600.0;
    const DAY: f64 = 86_400.0;

    fn stage() -> Stage<Shared> {
        Stage::new(Shared::new(&Config::default()))
    }

    fn anna() -> testing::Account {
        testing::Account::of("krb", "anna").domain("CORP").method("kerberos")
    }

    /// A week of `account` on `host`, eight hours a day.
    fn week(host: &str, account: testing::Account) -> Vec<crate::event::Event> {
        (0..56)
            .map(|n| {
                let at = f64::from(n / 8) * DAY + f64::from(n % 8) * HOUR;
                udp(host, "10.0.0.4", 88).at(at).login(account)
            })
            .collect()
    }

    fn wander(hosts: u32, account: testing::Account) -> Vec<crate::event::Event> {
        (0..hosts)
            .map(|n| {
                let at = 7.0 * DAY + f64::from(n) * 90.0;
                tcp(&format!("10.0.2.{n}"), &format!("10.0.3.{n}"), 445).at(at).login(account)
            })
            .collect()
    }

    #[test]
    fn accuses_all_hosts_on_which_a_settled_account_appears_at_once() {
        let mut stage = stage();
        stage.play(week("10.0.0.7", anna()));

        stage.play(wander(5, anna()));

        for n in 0..4 {
            let weight = stage.weight(&format!("10.0.2.{n}"));
            assert!(weight > 6.0, "{n}: {weight}");
        }
        assert!(stage.weight("10.0.0.7") < 0.1);
        assert_eq!(stage.last("10.0.2.0").techniques, ["T1078"]);
        assert!(stage.last("10.0.2.4").summary.contains("5 hosts that logged in as anna"));
    }

    #[test]
    fn says_less_while_it_knows_little() {
        let (mut week_old, mut day_old, mut fresh) = (stage(), stage(), stage());
        week_old.play(week("10.0.0.7", anna()));
        day_old.play(week("10.0.0.7", anna()).into_iter().take(8));

        week_old.play(wander(3, anna()));
        day_old.play(wander(3, anna()));
        fresh.play(wander(3, anna()));

        assert!(week_old.weight("10.0.2.2") > day_old.weight("10.0.2.2") + 1.0);
        fresh.assert_silent();
    }

    #[test]
    fn ignores_a_new_laptop_and_an_hour_at_two_other_desks() {
        let mut stage = stage();
        stage.play(week("10.0.0.7", anna()));

        stage.play([
            udp("10.0.0.8", "10.0.0.4", 88).at(7.0 * DAY).login(anna()),
            udp("10.0.0.9", "10.0.0.4", 88).at(7.0 * DAY + HOUR).login(anna()),
            udp("10.0.0.10", "10.0.0.4", 88).at(7.0 * DAY + 2.0 * HOUR).login(anna()),
        ]);

        stage.assert_silent();
    }

    #[test]
    fn ignores_a_service_account_that_is_rolled_out_further() {
        let mut stage = stage();
        let service = testing::Account::of("mysql", "shop");
        let at = |n: u32, when: f64| {
            tcp(&format!("10.0.5.{n}"), "10.0.0.6", 3306).at(when).login(service)
        };
        for hour in 0..168 {
            stage.play((0..20).map(|n| at(n, f64::from(hour) * HOUR + f64::from(n))));
        }

        stage.play((20..26).map(|n| at(n, 7.0 * DAY + f64::from(n) * 10.0)));

        let most = (20..26).map(|n| stage.weight(&format!("10.0.5.{n}"))).fold(0.0, f64::max);
        assert!(most < 3.0, "{most}");
    }

    #[test]
    fn ignores_jump_hosts_that_everybody_uses() {
        let mut stage = stage();
        stage.play(week("10.0.0.7", anna()));
        for admin in ["bert", "cleo", "dora", "emil"] {
            let account = testing::Account::of("smb", admin).domain("CORP");
            for jump in 0..6 {
                stage.play(week(&format!("10.0.2.{jump}"), account));
            }
        }

        stage.play(wander(6, anna()));

        stage.assert_silent();
    }

    #[test]
    fn ignores_the_same_name_on_unrelated_devices_and_refusals() {
        let mut stage = stage();
        let admin = testing::Account::of("telnet", "admin");
        for n in 0..10 {
            let (client, device) = (format!("10.0.2.{n}"), format!("10.0.3.{n}"));
            stage.play(
                (0..40)
                    .map(|hour| tcp(&client, &device, 23).at(f64::from(hour) * HOUR).login(admin)),
            );
        }
        stage.play(wander(6, testing::Account::of("telnet", "admin").refused()));

        stage.assert_silent();
    }
}

//! Logins that were refused, for `auth.bruteforce`: what one client tried on each server.

use std::net::IpAddr;
use std::time::Duration;

use super::bruteforce::Config;
use super::logon::{Logon, text_hash};
use super::pace::Pace;
use super::report::{Sample, spoken};
use super::seen::Seen;
use crate::event::Uid;
use crate::inventory::{Tally, mix, stable_hash};
use crate::time::Timestamp;

/// Faster than this nobody types two passwords, each into a window of its own.
const HURRY: Duration = Duration::from_millis(500);
/// A success belongs to the refusals around it within this time: tools try in parallel.
const TOGETHER: Duration = Duration::from_secs(10);

/// Servers and accounts that a client is remembered to have got in at, at least.
const WELCOME_MAX: usize = 64;

/// What one client tried in one protocol on one server.
#[derive(Debug)]
struct Tried {
    protocol: &'static str,
    server: IpAddr,
    /// Refusals, what is everyday leaked away.
    level: f64,
    /// Refusals in all.
    count: u32,
    since: Timestamp,
    last: Timestamp,
    last_uid: Uid,
    last_in: Option<Timestamp>,
    pace: Pace,
    /// Names that were tried, where they are in clear.
    names: Tally,
    has_names: bool,
    /// Whether all names tried had been let in before.
    is_customer: bool,
    /// Whether it got in after more refusals than are forgiven.
    got_in: bool,
    sample: Sample,
}

/// What one client tried anywhere.
#[derive(Debug, Default)]
pub(crate) struct Guesses {
    tried: Vec<Tried>,
    welcome: Seen,
    /// Where it got in last without having been refused.
    last_in: Option<(&'static str, IpAddr, Timestamp)>,
}

/// How much it weighs, and what to say of it.
pub(crate) struct Weighed<'a> {
    pub(crate) llr: f64,
    pub(crate) count: u64,
    pub(crate) summary: String,
    pub(crate) sample: &'a Sample,
}

impl Guesses {
    /// Takes an answer.
    pub(crate) fn note(&mut self, logon: &Logon<'_>, config: &Config) {
        let (protocol, server) = (logon.protocol(), logon.server());
        let place = stable_hash(server) ^ text_hash(protocol);
        let customer = logon.name().map(|name| mix(place ^ name));
        let found = self
            .tried
            .iter()
            .position(|tried| tried.protocol == protocol && tried.server == server);
        if logon.is_in {
            if let Some(customer) = customer {
                self.welcome.insert(customer, WELCOME_MAX);
            }
            match found.and_then(|at| self.tried.get_mut(at)) {
                Some(tried) => tried.succeed(logon, config),
                None => self.last_in = Some((protocol, server, logon.ts)),
            }
            return;
        }
        if !logon.is_proof() {
            return;
        }
        let at = found.unwrap_or_else(|| {
            self.make_room(config.servers_max);
            let last_in = self.last_in.filter(|at| (at.0, at.1) == (protocol, server));
            let last_in = last_in.map(|(_, _, at)| at);
            self.tried.push(Tried { last_in, ..Tried::new(protocol, server, logon.ts) });
            self.tried.len() - 1
        });
        let is_customer = customer.is_some_and(|customer| self.welcome.contains(customer));
        if let Some(tried) = self.tried.get_mut(at) {
            tried.is_customer &= is_customer;
            tried.fail(logon, config);
        }
    }

    /// What weighs most of what was tried in `protocol`.
    pub(crate) fn worst(&self, protocol: &str, config: &Config) -> Option<Weighed<'_>> {
        let weighed = |tried: &Tried| tried.llr(config);
        let tried = self
            .tried
            .iter()
            .filter(|tried| tried.protocol == protocol)
            .max_by(|a, b| weighed(a).total_cmp(&weighed(b)))?;
        Some(Weighed {
            llr: tried.llr(config),
            count: u64::from(tried.count),
            summary: tried.summary(),
            sample: &tried.sample,
        })
    }

    /// Bytes on the heap.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.tried.capacity() * size_of::<Tried>()
            + self.tried.iter().map(|tried| tried.sample.heap_bytes()).sum::<usize>()
            + self.welcome.heap_bytes()
    }

    fn make_room(&mut self, max: usize) {
        if self.tried.len() < max {
            return;
        }
        let quiet =
            self.tried.iter().enumerate().min_by_key(|(_, tried)| (tried.last, tried.count));
        let quiet = quiet.map_or(0, |(at, _)| at);
        self.tried.remove(quiet);
    }
}

impl Tried {
    fn new(protocol: &'static str, server: IpAddr, ts: Timestamp) -> Self {
        Self {
            protocol,
            server,
            level: 0.0,
            count: 0,
            since: ts,
            last: ts,
            last_uid: Uid(0),
            last_in: None,
            pace: Pace::default(),
            names: Tally::default(),
            has_names: true,
            is_customer: true,
            got_in: false,
            sample: Sample::default(),
        }
    }

    fn fail(&mut self, logon: &Logon<'_>, config: &Config) {
        let gap = logon.ts.since(self.last);
        if self.count > 0 {
            self.pace.add(gap);
        }
        let leaked = self.level - gap.as_secs_f64() / 3600.0 * config.guesses_hourly;
        if leaked <= 0.0 {
            self.since = logon.ts;
        }
        let is_hurry = self.count > 0 && gap < HURRY && self.last_uid != logon.talk.uid;
        let weight = match logon.name() {
            _ if logon.is_key() => config.key_weight,
            None if is_hurry => config.hurry_weight,
            _ => 1.0,
        };
        self.level = leaked.max(0.0) + weight;
        self.last_uid = logon.talk.uid;
        self.count = self.count.saturating_add(1);
        self.last = self.last.max(logon.ts);
        match logon.name() {
            Some(name) => {
                self.names.add(name);
            }
            None => self.has_names = false,
        }
        self.sample.add(self.server, Some(*logon.talk));
        let is_together = self.last_in.is_some_and(|at| logon.ts.since(at) <= TOGETHER);
        self.got_in |= is_together && self.over(config) > config.forgotten;
    }

    /// Whoever remembers the password at last is forgiven; whoever finds it after many is not.
    fn succeed(&mut self, logon: &Logon<'_>, config: &Config) {
        self.last_in = Some(logon.ts);
        if self.over(config) > config.forgotten {
            self.got_in = true;
            self.sample.add(self.server, Some(*logon.talk));
        } else {
            self.level = 0.0;
            self.names = Tally::default();
        }
    }

    /// Whether one account alone was tried, by its name: a password that was changed, as likely.
    fn is_one_account(&self) -> bool {
        self.has_names && self.names.count() <= 1
    }

    /// Refusals beyond what is forgiven.
    fn over(&self, config: &Config) -> f64 {
        let forgiven = match self.names.count() {
            _ if !self.has_names => config.guesses_forgiven,
            0 | 1 => config.retries_forgiven,
            _ => config.names_forgiven,
        };
        (self.level - forgiven).max(0.0)
    }

    fn llr(&self, config: &Config) -> f64 {
        let over = self.over(config);
        if over <= 0.0 {
            return 0.0;
        }
        let is_slow = self.pace.mean() >= config.stale_gap.as_secs_f64();
        let is_stale = self.is_customer || (self.is_one_account() && is_slow);
        let max = if is_stale {
            config.stale_llr
        } else if self.pace.is_clockwork(config.clockwork_gap, config.clockwork) {
            config.clockwork_llr
        } else {
            config.llr_max
        };
        let got_in = if self.got_in { config.got_in_nats } else { 0.0 };
        (over * config.guess_nats + got_in).min(max)
    }

    fn summary(&self) -> String {
        let accounts = match self.names.count() {
            0 => String::new(),
            1 => " for one account".to_owned(),
            many => format!(" for {many} accounts"),
        };
        let then = if self.got_in { ", and then got in" } else { "" };
        let within = self.last.since(self.since).max(Duration::from_millis(1));
        format!(
            "was refused {} {} logins{accounts} by {} in {}{then}",
            self.count,
            self.protocol,
            self.server,
            spoken(within),
        )
    }
}

//! `scan.adaptive`: who fails at one door of a host tries another one.
//!
//! A worm that is steered goes on after a failure: another service of the same target, then the next
//! target, where the order is another. Honest hosts that are refused give up, or try the same again: one
//! who may not log in over SSH has no business at the remote desktop. What counts is not how many fail
//! but what comes after it, so the pace does not matter, and success in the end excuses nothing.
//!
//! A *turn* is a first call to another kind of service of a target after the last kind that was tried
//! there had failed. With `θ` for the share of a worm's failures that are followed by one, it is worth
//! `ln(θ / p)` nats, where `p` is the most of three shares (Krichevsky and Trofimov 1981, with prior
//! failures that were not followed up): of this network's failures; of the target's callers that use
//! several kinds of its services, as clients of a domain controller do; of the caller's targets where it
//! used several without a failure, as administrators and monitors do.

use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::attempt::Attempt;
use super::report::{Gate, PEERS_MAX, REPORT_MIN};
use super::seen::peer_hash;
use super::services::{Class, Direction, class, kind};
use super::{Detector, Evidence, Family, Sight};
use crate::config::units::{self, ByteSize};
use crate::event::{Body, Conn, Conversation, Outcome, Record};
use crate::inventory::{Fetch, Inventory, Role, Table, Tally, Weigh};
use crate::net::Transport;
use crate::time::Timestamp;

/// When going on after a failure is worth a word.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The share of a steered worm's failures that are followed by another try at the same target: less
    /// than half of its tries succeed (arXiv:2606.03811: 44 %), and it has several ways for each.
    #[serde(deserialize_with = "units::odds")]
    pub worm_share: f64,
    /// The share of others' failures, before anything is known of the network...
    #[serde(deserialize_with = "units::odds")]
    pub usual: f64,
    /// ... and how many failures of its own outweigh that.
    #[serde(deserialize_with = "units::amount")]
    pub prior_failures: f64,
    /// What a turn after a short session is worth of one after a failure: whether it failed is guessed.
    #[serde(deserialize_with = "units::share")]
    pub short_share: f64,
    /// Bytes in all below which a session that nobody saw succeed was short.
    pub short: ByteSize,
    /// The most nats for one target.
    #[serde(deserialize_with = "units::nats")]
    pub target_max: f64,
    /// Nats for each kind of service beyond two that failed.
    #[serde(deserialize_with = "units::nats")]
    pub kind: f64,
    /// The most nats in all.
    #[serde(deserialize_with = "units::nats")]
    pub llr_max: f64,
    /// Targets remembered of one host; the one called least recently goes first.
    #[serde(deserialize_with = "units::count")]
    pub targets_max: usize,
    /// How long one is remembered.
    #[serde(with = "units::span")]
    pub remember: Duration,
    /// Bytes for those who call, and half as many for those who are called; what was used least
    /// recently is forgotten first.
    #[serde(deserialize_with = "units::budget")]
    pub budget: ByteSize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            worm_share: 0.4,
            usual: 0.08,
            prior_failures: 10.0,
            short_share: 0.5,
            short: ByteSize(4096),
            target_max: 2.6,
            kind: 0.8,
            llr_max: 8.0,
            targets_max: 32,
            remember: Duration::from_secs(14 * 86_400),
            budget: ByteSize::mib(16),
        }
    }
}

/// Sets of kinds of services, as bits (see [`kind`]).
type Kinds = u32;

/// What one host tried at another.
#[derive(Clone, Copy, Debug)]
struct Target {
    host: IpAddr,
    tried: Kinds,
    failed: Kinds,
    /// What was short, and nobody saw succeed.
    short: Kinds,
    opened: Kinds,
    /// The kind that was tried last, as a bit.
    latest: Kinds,
    /// Turns after a failure, and after something short.
    turns: (u8, u8),
    at: Timestamp,
}

impl Target {
    const fn new(host: IpAddr) -> Self {
        let (tried, failed, short, opened, latest) = (0, 0, 0, 0, 0);
        Self { host, tried, failed, short, opened, latest, turns: (0, 0), at: Timestamp::EPOCH }
    }

    /// Takes a call over a kind of service; whether it is a turn.
    const fn call(&mut self, bit: Kinds) -> bool {
        let is_new = self.tried & bit == 0;
        let has_failed = self.failed & self.latest != 0;
        let was_short = self.short & self.latest != 0;
        self.tried |= bit;
        self.latest = bit;
        if is_new && has_failed {
            self.turns.0 = self.turns.0.saturating_add(1);
        } else if is_new && was_short {
            self.turns.1 = self.turns.1.saturating_add(1);
        }
        is_new && (has_failed || was_short)
    }

    /// Whether it uses several kinds of services of this target, and none of them is known to have
    /// failed.
    const fn is_at_home(&self) -> bool {
        self.tried.count_ones() > 1 && self.failed == 0 && self.turns.0 == 0
    }
}

const _: () = assert!(size_of::<Target>() == 48, "docs/detectors.md says so");

/// A host that calls others.
#[derive(Debug, Default)]
struct Source {
    /// The one called last comes last.
    targets: Vec<Target>,
    gate: Gate,
}

impl Source {
    /// Takes that it calls `host` over a kind of service. Whether that is a turn, and whether it now
    /// uses several kinds there.
    fn call(&mut self, host: IpAddr, bit: Kinds, now: Timestamp, config: &Config) -> (bool, bool) {
        let known = self.targets.iter().position(|target| target.host == host);
        let known = known.map(|at| self.targets.remove(at));
        let fresh = known.filter(|known| now.since(known.at) < config.remember);
        let mut target = fresh.unwrap_or_else(|| Target::new(host));
        target.at = now;
        let has_turned = target.call(bit);
        if self.targets.len() >= config.targets_max.max(1) {
            self.targets.remove(0);
        }
        self.targets.push(target);
        (has_turned, target.tried.count_ones() > 1)
    }

    fn known(&mut self, host: IpAddr) -> Option<&mut Target> {
        self.targets.iter_mut().find(|target| target.host == host)
    }
}

impl Weigh for Source {
    fn heap_bytes(&self) -> usize {
        self.targets.capacity() * size_of::<Target>()
    }
}

/// A host that is called: by how many, and by how many over several kinds of services.
#[derive(Debug, Default)]
struct Called {
    callers: Tally,
    several: Tally,
}

impl Weigh for Called {}

/// The detector.
#[derive(Debug)]
pub struct Adaptive {
    config: Config,
    sources: Table<IpAddr, Source>,
    called: Table<IpAddr, Called>,
    /// Failures of this network, and those that were followed up by hosts that are no suspects.
    failures: f64,
    turns: f64,
}

impl Adaptive {
    /// The detector's id.
    pub const ID: &'static str = "scan.adaptive";

    /// A detector that has seen nothing.
    pub fn new(config: &Config) -> Self {
        Self {
            sources: Table::new(config.budget.0),
            called: Table::new(config.budget.0 / 2),
            failures: 0.0,
            turns: 0.0,
            config: config.clone(),
        }
    }

    /// Takes that a host called another one of ours over a way in.
    fn on_attempt(&mut self, attempt: &Attempt, inventory: &Inventory, out: &mut Vec<Evidence>) {
        let (src, dst, bit) = (attempt.src, attempt.dst, 1 << kind(attempt.service));
        // Whoever asks everybody everything, all day, goes by a list.
        if inventory.has_role(src, Role::Monitor) {
            return;
        }
        let config = &self.config;
        let (has_turned, is_several) = self
            .sources
            .update(src, true, Source::default, |own| own.call(dst, bit, attempt.start, config));
        let caller = peer_hash(src);
        self.called.update(dst, true, Called::default, |called| {
            called.callers.add(caller);
            if is_several {
                called.several.add(caller);
            }
        });
        // That nobody answers says that the host is down.
        if attempt.outcome == Some(Outcome::Refused) {
            self.fail(&attempt.conversation);
        }
        if has_turned {
            self.weigh(src, attempt.ts, out);
            // An outbreak does not make itself usual.
            let nats = self.sources.peek(&src).map_or(0.0, |source| self.nats(source));
            if nats < REPORT_MIN {
                self.turns += 1.0;
            }
        }
    }

    /// Takes that what was tried failed.
    fn fail(&mut self, talk: &Conversation) {
        let bit = 1 << kind(talk.service());
        let is_first = self.change(talk, |target| {
            let is_first = target.failed & bit == 0;
            target.failed |= bit;
            is_first
        });
        if is_first == Some(true) {
            self.failures += 1.0;
        }
    }

    /// Takes that what was tried succeeded.
    fn open(&mut self, talk: &Conversation) {
        let bit = 1 << kind(talk.service());
        self.change(talk, |target| {
            target.opened |= bit;
            target.failed &= !bit;
            target.short &= !bit;
        });
    }

    /// Takes how much passed in a session: hardly anything, where somebody is turned away.
    fn on_conn(&mut self, talk: &Conversation, conn: &Conn) {
        let bit = 1 << kind(talk.service());
        let bytes = conn.client.bytes.saturating_add(conn.server.bytes);
        let is_short = bytes < self.config.short.0 as u64 && conn.client.bytes > 0;
        if conn.outcome == Some(Outcome::AppFailed) {
            self.fail(talk);
        } else if is_short && class(talk.service()) == Class::Admin {
            self.change(talk, |target| target.short |= bit & !target.opened);
        } else if conn.server.bytes > 0 {
            self.change(talk, |target| target.short &= !bit);
        }
    }

    /// Changes what is known of a target, if its caller is.
    fn change<R>(
        &mut self,
        talk: &Conversation,
        change: impl FnOnce(&mut Target) -> R,
    ) -> Option<R> {
        self.sources.peek(&talk.client.addr)?;
        self.sources.update(talk.client.addr, true, Source::default, |source| {
            source.known(talk.server.addr).map(change)
        })
    }

    /// The weight of all that a host tried.
    fn nats(&self, source: &Source) -> f64 {
        let config = &self.config;
        let prior = config.prior_failures.max(0.01);
        let network = (self.turns + config.usual * prior) / (self.failures + prior);
        let at_home = source.targets.iter().filter(|target| target.is_at_home()).count() as f64;
        let others = source.targets.len().saturating_sub(1) as f64;
        let own = (at_home + config.usual) / (others + 1.0);
        let turned = source.targets.iter().filter(|target| target.turns != (0, 0));
        let nats: f64 = turned
            .map(|target| {
                let p = network.max(own).max(self.popularity(target.host));
                let each = (config.worm_share / p).ln().max(0.0);
                let (sure, guessed) = (f64::from(target.turns.0), f64::from(target.turns.1));
                (each * guessed.mul_add(config.short_share, sure)).min(config.target_max)
            })
            .sum();
        if nats <= 0.0 {
            return 0.0;
        }
        let kinds = source.targets.iter().fold(0, |kinds, target| kinds | target.failed);
        let more = f64::from(kinds.count_ones().saturating_sub(2));
        more.mul_add(config.kind, nats).min(config.llr_max)
    }

    /// The share of a target's other callers that use several kinds of its services.
    fn popularity(&self, host: IpAddr) -> f64 {
        self.called.peek(&host).map_or(self.config.usual, |called| {
            let others = |tally: &Tally| f64::from(tally.count().saturating_sub(1));
            (others(&called.several) + self.config.usual) / (others(&called.callers) + 1.0)
        })
    }

    fn weigh(&mut self, src: IpAddr, now: Timestamp, out: &mut Vec<Evidence>) {
        let Some(source) = self.sources.peek(&src) else { return };
        let nats = self.nats(source);
        let llr = if nats < REPORT_MIN { 0.0 } else { nats };
        let most = self.config.llr_max;
        let turned: Vec<_> = source
            .targets
            .iter()
            .filter(|target| target.turns != (0, 0))
            .map(|target| target.host)
            .collect();
        let kinds = source.targets.iter().filter(|target| target.turns != (0, 0));
        let kinds = kinds.fold(0, |kinds, target| kinds | target.tried).count_ones();
        let peers_total = turned.len() as u64;
        let speaks = self.sources.update(src, true, Source::default, |source| {
            source.gate.opens(llr, most, peers_total) || source.gate.sinks(llr)
        });
        if speaks {
            let hosts = if peers_total == 1 { "host" } else { "hosts" };
            out.push(Evidence {
                ts: now,
                host: src,
                detector: Self::ID,
                family: Family::Adaptation,
                llr,
                subject: "approach".to_owned(),
                peers: turned.into_iter().take(PEERS_MAX).collect(),
                peers_total,
                service: None,
                techniques: &["T1046", "T1595"],
                conns: Vec::new(),
                forgeable: false,
                summary: format!(
                    "failed at one service of {peers_total} {hosts} and went on to another \
                     ({kinds} kinds in all), which hosts of this network seldom do"
                ),
            });
        }
    }
}

impl Detector for Adaptive {
    fn id(&self) -> &'static str {
        Self::ID
    }

    fn on_event(&mut self, event: &Sight<'_>, inventory: &Inventory, out: &mut Vec<Evidence>) {
        let Some(talk) = &event.conversation else { return };
        match &event.body {
            Body::Record(record) => match &**record {
                Record::Login(login) if login.success == Some(false) => self.fail(talk),
                Record::Login(login) if login.success == Some(true) => self.open(talk),
                Record::Http(http) => match http.status_code {
                    Some(400..) => self.fail(talk),
                    Some(200..=399) => self.open(talk),
                    _ => {}
                },
                _ => {}
            },
            Body::Conn(conn) if talk.transport == Transport::Tcp => self.on_conn(talk, conn),
            Body::Contact(_) => {
                let Some(attempt) = event.attempt() else { return };
                let is_way = matches!(attempt.class, Class::Admin | Class::Web)
                    && attempt.service.transport == Transport::Tcp
                    && attempt.direction == Direction::Internal
                    && attempt.outcome.is_some_and(|outcome| outcome != Outcome::Unreachable);
                if is_way && attempt.outcome != Some(Outcome::Unanswered) {
                    self.on_attempt(attempt, inventory, out);
                }
            }
            _ => {}
        }
    }

    fn prefetch(&self, talk: &Conversation, what: Fetch) {
        if talk.transport == Transport::Tcp {
            self.sources.prefetch(&talk.client.addr, what);
            self.called.prefetch(&talk.server.addr, what);
        }
    }

    fn state_bytes(&self) -> usize {
        self.sources.bytes() + self.called.bytes()
    }
}

#[cfg(test)]
mod tests;

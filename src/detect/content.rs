//! `content.prevalence`: what a host received, it hands on to others, and its heirs do the same.
//!
//! EarlyBird (Singh et al., OSDI 2004) and Autograph (Kim and Karp, USENIX Security 2004) look for
//! content that is frequent and whose sources and destinations are many. So are updates, agents, drivers
//! and greetings. What tells a worm's from these is descent: common content comes up at many hosts that
//! nobody sent it to, while every host that sends a worm's, except the first, has received it before.
//!
//! For each fingerprint (`flow/fingerprints.rs`) of `N` own hosts: `s` hosts sent it of their own accord,
//! the first among them; `r` received it; `h` of these handed it on, the *heirs*. Among hosts to which it is common
//! one comes to send it with probability `p = (s − ½) / (N + 1)`, among a worm's victims with
//! `θ = (h + ½) / (r + 1)` (Krichevsky and Trofimov 1981). The log-odds that it is a worm's are
//!
//! ```text
//! prior + Σ heirs ln(θ / p) + generations + w · (r − h) · ln((1 − θ) / (1 − p))
//! ```
//!
//! where an heir of an heir counts for a generation, those that have not handed it on yet count a share
//! `w`, and `p` is what the heir usually does with what it gets, where that is more: a mirror, a
//! distribution point or a balancer hands on everything. A tree that is wide at its leaves, as software
//! distribution is, has a small `θ`.

mod spread;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::logon::text_hash;
use super::report::{Gate, REPORT_MIN};
use super::services::{Class, class};
use super::{Detector, Evidence, Sight};
use crate::config::units::{self, ByteSize};
use crate::event::{Body, Conn, Conversation, Opening, Outcome, Record, Uid};
use crate::inventory::{Inventory, Role, Table, Weigh};
use crate::net::is_group;
use crate::time::Timestamp;
use spread::{Crossing, Kind, News, Spread};

/// When content that is handed on is worth a word.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Log-odds that something which crosses is a worm's copy, before anything speaks for it, of what is
    /// handed on at all.
    #[serde(deserialize_with = "units::prior")]
    pub prior: f64,
    /// The most nats of one heir...
    #[serde(deserialize_with = "units::nats")]
    pub heir_max: f64,
    /// ... and those for each that has it from an heir.
    #[serde(deserialize_with = "units::nats")]
    pub generation: f64,
    /// What a host counts that has it and has not handed it on: it may yet.
    #[serde(deserialize_with = "units::share")]
    pub waiting: f64,
    /// How many contents of its own outweigh what is known of others, for what a host usually does.
    #[serde(deserialize_with = "units::amount")]
    pub prior_contents: f64,
    /// The most nats for equal content.
    #[serde(deserialize_with = "units::nats")]
    pub content_max: f64,
    /// The most nats for who had it first, from two heirs on.
    #[serde(deserialize_with = "units::nats")]
    pub origin_max: f64,
    /// The share that an equal shape is worth of equal content...
    #[serde(deserialize_with = "units::share")]
    pub shape_share: f64,
    /// ... and the most nats for it.
    #[serde(deserialize_with = "units::nats")]
    pub shape_max: f64,
    /// Hosts that send it of their own accord from which on it is everybody's, and nothing more is kept of
    /// it.
    #[serde(deserialize_with = "units::count")]
    pub common: usize,
    /// Hosts remembered that received it.
    #[serde(deserialize_with = "units::count")]
    pub holders_max: usize,
    /// Time within which a host that was entered fetches a copy, where it does.
    #[serde(with = "units::span")]
    pub fetched_within: Duration,
    /// Bytes of a file at least whose hash says something.
    pub file_min: ByteSize,
    /// Bytes for all fingerprints, and a quarter as many for hosts, an eighth for entries and for files of
    /// connections that go on; what was used least recently is forgotten first.
    #[serde(deserialize_with = "units::budget")]
    pub budget: ByteSize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            prior: -4.0,
            heir_max: 3.0,
            generation: 1.5,
            waiting: 0.5,
            prior_contents: 2.0,
            content_max: 5.0,
            origin_max: 4.0,
            shape_share: 0.5,
            shape_max: 2.5,
            common: 8,
            holders_max: 64,
            fetched_within: Duration::from_secs(3600),
            file_min: ByteSize(512),
            budget: ByteSize::mib(32),
        }
    }
}

/// What was last said of one kind of a host, and for which fingerprint.
#[derive(Clone, Copy, Debug, Default)]
struct Said {
    gate: Gate,
    key: u64,
}

/// What a host does with what it gets.
#[derive(Clone, Copy, Debug, Default)]
struct Bearer {
    /// Contents received, and of these handed on.
    received: f64,
    relayed: f64,
    content: Said,
    shape: Said,
}

/// Files of a connection: whether the client sent it, and its hash.
type Files = Vec<(bool, u64)>;

/// Files kept of one connection.
const FILES_MAX: usize = 8;

/// The detector.
#[derive(Debug)]
pub struct Prevalence {
    config: Config,
    spreads: Table<u64, Spread>,
    hosts: Table<IpAddr, Bearer>,
    /// Who entered whom, and when last.
    entries: Table<(IpAddr, IpAddr), Timestamp>,
    files: Table<Uid, Files>,
}

impl Prevalence {
    /// The detector's id.
    pub const ID: &'static str = "content.prevalence";

    /// A detector that has seen nothing.
    pub fn new(config: &Config) -> Self {
        let budget = config.budget.0;
        Self {
            spreads: Table::new(budget),
            hosts: Table::new(budget / 4),
            entries: Table::new(budget / 8),
            files: Table::new(budget / 8),
            config: config.clone(),
        }
    }

    fn on_record(&mut self, talk: &Conversation, record: &Record) {
        let Record::Files(file) = record else { return };
        let is_whole = file.missing_bytes == 0 && file.seen_bytes >= self.config.file_min.0 as u64;
        let Some(hash) = file.sha256.as_deref().filter(|_| is_whole) else { return };
        self.files.update(talk.uid, true, Vec::new, |files| {
            if files.len() < FILES_MAX {
                files.push((file.is_orig, text_hash(hash)));
            }
        });
    }

    fn on_conn(
        &mut self,
        (ts, talk, conn): (Timestamp, &Conversation, &Conn),
        inventory: &Inventory,
        out: &mut Vec<Evidence>,
    ) {
        let files = self.files.remove(&talk.uid).unwrap_or_default();
        let (client, server) = (talk.client.addr, talk.server.addr);
        let prints = conn.fingerprints.as_deref();
        let is_open = matches!(conn.outcome, Some(Outcome::Accepted | Outcome::AppFailed))
            || conn.opening == Opening::Midstream;
        if (prints.is_none() && files.is_empty())
            || !is_open
            || client == server
            || is_group(server)
            || inventory.may_scan(client)
        {
            return;
        }
        let is_way = match class(talk.service()) {
            Class::Admin => true,
            // Proxies pass on what they are given.
            Class::Web => {
                inventory.is_internal(server) && !inventory.has_role(client, Role::Gateway)
            }
            Class::Common | Class::Dynamic => false,
        };
        let within = self.config.fetched_within;
        let entered = self.entries.peek(&(server, client));
        let is_fetched =
            entered.is_some_and(|at| *at <= conn.start && conn.start.since(*at) <= within);
        let crossing = |kind, by_client, is_handed, keys| {
            let (from, to) = if by_client { (client, server) } else { (server, client) };
            let end = conn.start + conn.duration;
            Crossing { kind, from, to, is_handed, start: conn.start, end, talk: *talk, keys }
        };
        let keys = |by_client, keys: Option<&Vec<u64>>| {
            let files = files.iter().filter(|file| file.0 == by_client).map(|file| file.1);
            keys.into_iter().flatten().copied().chain(files).collect::<Vec<_>>()
        };
        let pushed = keys(true, prints.map(|prints| &prints.client));
        let served = keys(false, prints.map(|prints| &prints.server));
        let shape = prints.and_then(|prints| prints.shape).filter(|_| is_way);
        self.cross(&crossing(Kind::Content, true, is_way, pushed), ts, inventory, out);
        self.cross(&crossing(Kind::Content, false, is_fetched, served), ts, inventory, out);
        let shapes = shape.map_or_else(Vec::new, |shape| shape.to_vec());
        self.cross(&crossing(Kind::Shape, true, is_way, shapes), ts, inventory, out);
    }

    /// Takes that something crossed, and says what follows.
    fn cross(
        &mut self,
        crossing: &Crossing,
        ts: Timestamp,
        inventory: &Inventory,
        out: &mut Vec<Evidence>,
    ) {
        let is_own = inventory.is_internal(crossing.to);
        let mut news = News::default();
        for key in &crossing.keys {
            let config = &self.config;
            let of_key = self.spreads.update(*key, true, Spread::default, |spread| {
                spread.cross(crossing, is_own, config)
            });
            if of_key.is_common {
                self.tell(*key, f64::NEG_INFINITY, crossing, ts, out);
                self.spreads.update(*key, true, Spread::default, Spread::forget);
            }
            news.is_heir |= of_key.is_heir;
            news.is_received |= of_key.is_received;
        }
        if crossing.kind == Kind::Content {
            self.count(crossing, news, inventory);
        }
        if !(news.is_heir || news.is_received) {
            return;
        }
        let weighed = crossing.keys.iter().filter_map(|key| {
            let spread = self.spreads.peek(key).filter(|spread| spread.heirs().next().is_some())?;
            Some((*key, self.log_odds(spread, crossing.kind, inventory.own_hosts() as f64)))
        });
        // Of equals the first.
        let best = weighed.reduce(|best, next| if next.1 > best.1 { next } else { best });
        if let Some((key, odds)) = best {
            self.tell(key, odds, crossing, ts, out);
        }
    }

    /// Counts what sender and receiver do with contents, however many fingerprints tell of each.
    fn count(&mut self, crossing: &Crossing, news: News, inventory: &Inventory) {
        let mut count = |host, change: fn(&mut Bearer)| {
            self.hosts.update(host, inventory.is_internal(host), Bearer::default, change);
        };
        if news.is_heir {
            count(crossing.from, |bearer| bearer.relayed += 1.0);
        }
        if news.is_received {
            count(crossing.to, |bearer| bearer.received += 1.0);
        }
    }

    /// The log-odds that it is a worm's.
    fn log_odds(&self, spread: &Spread, kind: Kind, hosts: f64) -> f64 {
        let config = &self.config;
        let own = spread.holders.iter().filter(|holder| holder.is_own).count() as f64;
        let heirs = spread.heirs().count() as f64;
        let share = (heirs + 0.5) / (own + 1.0);
        let others = spread.spontaneous.len().saturating_sub(1) as f64;
        let chance = ((others + 0.5) / (hosts + 1.0)).min(0.99);
        let waiting = (own - heirs) * config.waiting * ((1.0 - share) / (1.0 - chance)).ln();
        let of_heirs = spread.heirs().map(|heir| {
            let usual = match kind {
                Kind::Content => self.habit(heir.host, chance).max(chance),
                Kind::Shape => chance,
            };
            let has_it_from_heir = spread.heirs().any(|other| other.host == heir.from);
            let generation = if has_it_from_heir { config.generation } else { 0.0 };
            (share / usual).ln().min(config.heir_max) + generation
        });
        config.prior + of_heirs.sum::<f64>() + waiting.min(0.0)
    }

    /// The share of contents that a host hands on, without the one in question.
    fn habit(&self, host: IpAddr, usual: f64) -> f64 {
        let bearer = self.hosts.peek(&host).copied().unwrap_or_default();
        let prior = self.config.prior_contents.max(0.01);
        let (relayed, received) =
            ((bearer.relayed - 1.0).max(0.0), (bearer.received - 1.0).max(0.0));
        ((relayed + prior * usual) / (received + prior)).min(1.0)
    }

    /// Says of the heirs, and of who had it first, what changed.
    fn tell(
        &mut self,
        key: u64,
        odds: f64,
        crossing: &Crossing,
        ts: Timestamp,
        out: &mut Vec<Evidence>,
    ) {
        let config = &self.config;
        let Some(spread) = self.spreads.peek(&key) else { return };
        let (share, most) = match crossing.kind {
            Kind::Content => (1.0, config.content_max),
            Kind::Shape => (config.shape_share, config.shape_max),
        };
        let origin_most = most.min(config.origin_max);
        let heirs = spread.heirs().map(|heir| (heir.host, most));
        let has_several = spread.heirs().nth(1).is_some();
        let origin = spread.origin.filter(|_| has_several).map(|origin| (origin, origin_most));
        for (host, most) in heirs.chain(origin) {
            let llr = (odds * share).clamp(0.0, most);
            let llr = if llr < REPORT_MIN { 0.0 } else { llr };
            let given = spread.given_by(host);
            let is_own = spread.holders.iter().any(|holder| holder.host == host);
            let speaks = self.hosts.update(host, is_own, Bearer::default, |bearer| {
                bearer.said(crossing.kind).speaks(key, llr, most, given.1)
            });
            if speaks {
                out.push(spread.evidence(host, llr, given, crossing, ts));
            }
        }
    }
}

impl Bearer {
    const fn said(&mut self, kind: Kind) -> &mut Said {
        match kind {
            Kind::Content => &mut self.content,
            Kind::Shape => &mut self.shape,
        }
    }
}

impl Said {
    /// Whether to speak now of what this fingerprint says; of several the one that weighs most counts.
    fn speaks(&mut self, key: u64, llr: f64, most: f64, peers: u64) -> bool {
        let opens = self.gate.opens(llr, most, peers);
        let speaks = opens || (self.key == key && self.gate.sinks(llr));
        if speaks {
            self.key = key;
        }
        speaks
    }
}

impl Detector for Prevalence {
    fn id(&self) -> &'static str {
        Self::ID
    }

    fn on_event(&mut self, event: &Sight<'_>, inventory: &Inventory, out: &mut Vec<Evidence>) {
        let Some(talk) = &event.conversation else { return };
        match &event.body {
            Body::Record(record) => self.on_record(talk, record),
            Body::Conn(conn) => self.on_conn((event.ts, talk, conn), inventory, out),
            Body::Contact(_) => {
                let entry = event.attempt().filter(|attempt| {
                    attempt.class == Class::Admin
                        && attempt.is_accepted()
                        && inventory.is_internal(attempt.dst)
                });
                if let Some(entry) = entry {
                    let make = || entry.start;
                    let note = |at: &mut Timestamp| *at = entry.start;
                    self.entries.update((entry.src, entry.dst), entry.is_own(), make, note);
                }
            }
            Body::Arp(_) | Body::Icmp(_) | Body::Weird(_) => {}
        }
    }

    fn state_bytes(&self) -> usize {
        self.spreads.bytes() + self.hosts.bytes() + self.entries.bytes() + self.files.bytes()
    }
}

impl Weigh for Bearer {}

impl Weigh for Timestamp {}

impl Weigh for Files {
    fn heap_bytes(&self) -> usize {
        self.capacity() * size_of::<(bool, u64)>()
    }
}

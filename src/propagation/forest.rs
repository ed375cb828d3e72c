//! Trees of hosts that turned, and how likely it is that each is a worm's.
//!
//! The arithmetic is in `docs/scoring.md`. What other detectors say of a host counts for its tree;
//! what the tree says of a host is never counted again, so the evidence cannot feed on itself.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use super::Nats;
use super::config::Config;
use super::exchange::{Axis, Exchange};
use super::memory::Memory;
use crate::detect::Gate;
use crate::inventory::{Table, Tally};
use crate::time::Timestamp;

/// A host that was entered, and does to others what its intruder does.
#[derive(Clone, Debug)]
pub(super) struct Turned {
    /// When it began.
    pub(super) onset: Timestamp,
    /// In what it is like its intruder.
    pub(super) axis: Axis,
    /// What it did.
    pub(super) deed: Exchange,
    /// Nats for the likeness: how seldom a host does so of its own accord.
    pub(super) likeness: f64,
    /// Nats for beginning so soon.
    pub(super) lag: f64,
    /// The exchange by which it was entered, most likely; its peer is the intruder.
    pub(super) entry: Exchange,
    /// How likely it was this one, of all that entered it, 0 to 1.
    pub(super) share: f64,
    /// Who else it may have been, and how likely.
    pub(super) runner_up: Option<(IpAddr, f64)>,
}

impl Turned {
    /// How long it took to begin, in seconds.
    fn lag_secs(&self) -> f64 {
        self.onset.since(self.entry.start).as_secs_f64().max(LAG_MIN)
    }

    /// Nats that it turned at all.
    pub(super) fn nats(&self) -> f64 {
        self.likeness + self.lag
    }
}

/// A tree of hosts that turned, below one that nobody here infected.
#[derive(Clone, Debug)]
pub(super) struct Tree {
    /// Who began.
    pub(super) root: IpAddr,
    /// Everybody in it, parents before their children; the root first.
    pub(super) members: Vec<IpAddr>,
    /// Log-odds that it is a worm's, in nats.
    pub(super) odds: f64,
    /// The ways by which its hosts were entered.
    pub(super) ways: Vec<Way>,
    /// The usual lag between being entered and going on, in seconds; none of few.
    pub(super) usual_lag: Option<f64>,
    /// The moment that names it: when the first of its trees was seen, and its root then.
    pub(super) name: (Timestamp, IpAddr),
}

/// The shortest lag, in seconds.
pub(super) const LAG_MIN: f64 = 0.001;
/// Ways remembered of one tree.
const WAYS_MAX: usize = 16;
/// A host that takes longer than its relatives, or less, by more than this is less likely one of them,
/// in nats; up to twice as much counts...
const LAG_SLACK: f64 = 1.5;
/// ... where so many have shown how long it takes.
const LAGS_MIN: usize = 4;

/// A way of entering hosts: one service, about the same sizes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Way {
    /// One that was entered so.
    pub(super) like: Exchange,
    /// How many turned that were.
    pub(super) turned: f64,
    /// About how many were in all by hosts of the tree, some 600 at most.
    pub(super) entered: f64,
}

impl Way {
    /// The share of those entered so that turns (Krichevsky and Trofimov 1981).
    pub(super) fn rate(&self) -> f64 {
        (self.turned + 0.5) / (self.entered.max(self.turned) + 1.0)
    }
}

impl Tree {
    /// Log-odds that a host which this tree has called is infected, before its own deeds speak: who
    /// was entered as others were turns as often as they did, and as soon.
    pub(super) fn link_prior(&self, turned: &Turned, config: &Config) -> f64 {
        let way = self.ways.iter().find(|way| way.like.is_alike(&turned.entry, Axis::Same));
        let of_way = match way {
            Some(way) if way.turned > 1.0 => log_odds(way.rate()),
            Some(way) => log_odds(way.rate()).min(config.link_prior),
            None => config.link_prior,
        };
        let of_lag = self.usual_lag.map_or(0.0, |usual| {
            (LAG_SLACK - (turned.lag_secs() / usual).ln().abs()).clamp(-LAG_SLACK * 2.0, 0.0)
        });
        of_way + of_lag
    }
}

/// Bytes of a host that turned: beside itself it stands in five lists, each of which costs some words
/// beside its content; twice, because who called it may be in them for its sake alone.
const TURNED_BYTES: usize = 2 * (size_of::<Turned>() + 6 * size_of::<(IpAddr, u64)>() + 96);
/// How often old trees are looked for.
const SWEEP_EVERY: Duration = Duration::from_secs(86_400);

/// All trees.
#[derive(Debug)]
pub(super) struct Forest {
    pub(super) turned: BTreeMap<IpAddr, Turned>,
    pub(super) trees: Vec<Tree>,
    children: BTreeMap<IpAddr, Vec<IpAddr>>,
    /// The tree of each host in one.
    places: BTreeMap<IpAddr, usize>,
    /// What each host's tree is called.
    names: BTreeMap<IpAddr, (Timestamp, IpAddr)>,
    pub(super) gates: BTreeMap<IpAddr, Gate>,
    is_stale: bool,
    /// When it was last looked through for what is too old.
    swept: Timestamp,
    budget: usize,
    /// Hosts that turned and are not followed, for want of space.
    pub(super) forgotten: u64,
}

impl Forest {
    /// No trees yet, and at most `budget` bytes of them.
    pub(super) fn new(budget: usize) -> Self {
        Self {
            turned: BTreeMap::new(),
            trees: Vec::new(),
            children: BTreeMap::new(),
            places: BTreeMap::new(),
            names: BTreeMap::new(),
            gates: BTreeMap::new(),
            is_stale: false,
            swept: Timestamp::default(),
            budget,
            forgotten: 0,
        }
    }

    /// Takes that `host` turned, or what is known better now of how.
    pub(super) fn turn(&mut self, host: IpAddr, turned: Turned) {
        let is_full = (self.turned.len() + 1) * TURNED_BYTES > self.budget;
        if is_full && !self.turned.contains_key(&host) {
            self.forgotten += 1;
            return;
        }
        self.turned.insert(host, turned);
        self.is_stale = true;
    }

    /// The tree of `host`.
    pub(super) fn tree(&self, host: IpAddr) -> Option<&Tree> {
        self.places.get(&host).and_then(|at| self.trees.get(*at))
    }

    /// Whether `host` descends from `ancestor`, or is it.
    pub(super) fn descends(&self, host: IpAddr, ancestor: IpAddr) -> bool {
        let mut at = host;
        for _ in 0..=self.turned.len() {
            if at == ancestor {
                return true;
            }
            let Some(turned) = self.turned.get(&at) else { return false };
            at = turned.entry.peer;
        }
        true
    }

    /// How many steps `host` is from the root of its tree.
    pub(super) fn generation(&self, host: IpAddr) -> u32 {
        let mut at = host;
        let mut steps = 0;
        while let Some(turned) = self.turned.get(&at) {
            at = turned.entry.peer;
            steps += 1;
            if steps as usize > self.turned.len() {
                break;
            }
        }
        steps
    }

    /// Bytes held.
    pub(super) fn bytes(&self) -> usize {
        self.turned.len() * TURNED_BYTES
    }

    /// The hosts that turned after `host` had called them, in order of their addresses.
    pub(super) fn children(&self, host: IpAddr) -> &[IpAddr] {
        self.children.get(&host).map_or(&[], Vec::as_slice)
    }

    /// Forgets hosts that turned longer ago than that, about once a day.
    pub(super) fn forget(&mut self, now: Timestamp, after: Duration) {
        if now.since(self.swept) < SWEEP_EVERY {
            return;
        }
        self.swept = now;
        let before = self.turned.len();
        self.turned.retain(|_, turned| now.since(turned.onset) < after);
        self.is_stale |= self.turned.len() < before;
        let parents: BTreeSet<_> = self.turned.values().map(|turned| turned.entry.peer).collect();
        let is_known = |host: &IpAddr| self.turned.contains_key(host) || parents.contains(host);
        self.names.retain(|host, _| is_known(host));
        self.gates.retain(|host, _| is_known(host));
    }

    /// Takes that others say something else of `host` now: its tree has to be weighed anew.
    pub(super) fn stir(&mut self, host: IpAddr) {
        self.is_stale |= self.places.contains_key(&host);
    }

    /// Builds the trees anew if anything changed; `true` if so.
    pub(super) fn grow(
        &mut self,
        hosts: &Table<IpAddr, Memory>,
        others: &Table<IpAddr, Nats>,
        config: &Config,
    ) -> bool {
        if !std::mem::take(&mut self.is_stale) {
            return false;
        }
        let mut children: BTreeMap<IpAddr, Vec<IpAddr>> = BTreeMap::new();
        for (host, turned) in &self.turned {
            children.entry(turned.entry.peer).or_default().push(*host);
        }
        let roots: Vec<_> =
            children.keys().copied().filter(|parent| !self.turned.contains_key(parent)).collect();
        self.trees.clear();
        self.places.clear();
        for root in roots {
            let mut members = vec![root];
            let mut next = 0;
            while let Some(parent) = members.get(next) {
                members.extend(children.get(parent).into_iter().flatten());
                next += 1;
            }
            self.plant(members, hosts, others, config);
        }
        self.children = children;
        true
    }

    fn plant(
        &mut self,
        members: Vec<IpAddr>,
        hosts: &Table<IpAddr, Memory>,
        others: &Table<IpAddr, Nats>,
        config: &Config,
    ) {
        let [root, turned @ ..] = members.as_slice() else { return };
        let turned: Vec<_> = turned.iter().filter_map(|host| self.turned.get(host)).collect();
        let mut ways = ways(turned.iter().map(|host| host.entry));
        // Whom several call is one host.
        let mut called = vec![Tally::default(); ways.len()];
        for deed in members.iter().filter_map(|host| hosts.peek(host)).flat_map(|own| &own.deeds) {
            let way = ways.iter().zip(&mut called);
            let way = way.into_iter().find(|(way, _)| way.like.is_alike(&deed.first, Axis::Same));
            if let Some((_, called)) = way {
                called.merge(&deed.targets);
            }
        }
        for (way, called) in ways.iter_mut().zip(&called) {
            way.entered = f64::from(called.count());
        }
        let count = turned.len() as f64;
        // Of those that have not turned, half have not had their time.
        let waiting: f64 = ways.iter().map(|way| (way.entered - way.turned).max(0.0) / 2.0).sum();
        let entered = count + waiting;
        let rate = (count + 0.5) / (entered + 1.0);
        let spread = turned.iter().map(|host| host.nats() + rate.ln()).sum::<f64>()
            + waiting * (1.0 - rate).ln();
        let mut lags: Vec<_> = turned.iter().map(|host| host.lag_secs()).collect();
        lags.sort_by(f64::total_cmp);
        let usual_lag = lags.get(lags.len() / 2).copied().filter(|_| lags.len() >= LAGS_MIN);
        let suspicion: f64 =
            members.iter().filter_map(|host| others.peek(host)).map(|nats| nats.0).sum();
        let since = turned.iter().map(|host| host.entry.start).min().unwrap_or_default();
        let named = members.iter().filter_map(|host| self.names.get(host)).min();
        let name = named.copied().unwrap_or((since, *root));
        let tree = Tree {
            root: *root,
            odds: config.prior + spread.max(0.0) + suspicion,
            ways,
            usual_lag,
            name,
            members,
        };
        for member in &tree.members {
            self.places.insert(*member, self.trees.len());
            self.names.insert(*member, name);
        }
        self.trees.push(tree);
    }
}

/// The ways by which hosts that turned were entered, and how many were by each.
fn ways(entries: impl Iterator<Item = Exchange>) -> Vec<Way> {
    let mut ways: Vec<Way> = Vec::new();
    for entry in entries {
        let known = ways.iter_mut().find(|way| way.like.is_alike(&entry, Axis::Same));
        if let Some(way) = known {
            way.turned += 1.0;
        } else if ways.len() < WAYS_MAX {
            ways.push(Way { like: entry, turned: 1.0, entered: 0.0 });
        }
    }
    ways
}

/// The probability of log-odds.
pub(super) fn probability(odds: f64) -> f64 {
    1.0 / (1.0 + (-odds).exp())
}

/// The log-odds of a probability.
pub(super) fn log_odds(probability: f64) -> f64 {
    let probability = probability.clamp(1e-9, 1.0 - 1e-9);
    (probability / (1.0 - probability)).ln()
}

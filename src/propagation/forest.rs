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

/// What ties a host to one that called it before: it does as that one does.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tie {
    /// When it began to do so.
    pub(super) onset: Timestamp,
    /// In what they are alike.
    pub(super) axis: Axis,
    /// What it did.
    pub(super) deed: Exchange,
    /// Nats for the likeness: how seldom a host does so of its own accord.
    pub(super) likeness: f64,
    /// Nats for beginning so soon.
    pub(super) lag: f64,
}

/// A deed that ties two hosts so many nats less than another may still have been the first.
const FIRST_SLACK: f64 = 2.0;

impl Tie {
    /// Nats that it turned at all.
    pub(super) fn nats(&self) -> f64 {
        self.likeness + self.lag
    }

    /// Takes another tie between the same two: the stronger stands, and the earliest of those that
    /// are about as strong was the beginning.
    pub(super) fn join(&mut self, other: Self) {
        let onset = self.onset.min(other.onset);
        let is_close = (self.nats() - other.nats()).abs() <= FIRST_SLACK;
        if other.nats() > self.nats() {
            *self = other;
        }
        if is_close {
            self.onset = onset;
        }
    }
}

/// A host that was entered, and does to others what its intruder does.
#[derive(Clone, Debug)]
pub(super) struct Turned {
    /// What says that it turned. Under a worm all who called it do the same, so that this need not
    /// be its intruder.
    pub(super) tie: Tie,
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
        self.tie.onset.since(self.entry.start).as_secs_f64().max(LAG_MIN)
    }
}

/// What a tree is called: when the first of its hosts was entered, and its root, as first seen.
pub(super) type Name = (Timestamp, IpAddr);

/// A tree of hosts that turned, below one that nobody here infected.
#[derive(Clone, Debug)]
pub(super) struct Tree {
    /// Who began.
    pub(super) root: IpAddr,
    /// Everybody in it, parents before their children; the root first.
    pub(super) members: Vec<IpAddr>,
    /// Log-odds that it is a worm's before anything speaks for it, in nats.
    prior: f64,
    /// Nats of the turns, 0 or more.
    spread: f64,
    /// What other detectors say of its hosts, in nats.
    suspicion: f64,
    /// The ways by which its hosts were entered.
    pub(super) ways: Vec<Way>,
    /// The lags between being entered and going on, in seconds, shortest first.
    lags: Vec<f64>,
    /// What it is called.
    pub(super) name: Name,
}

/// The shortest lag, in seconds.
pub(super) const LAG_MIN: f64 = 0.001;
/// Ways remembered of one tree.
const WAYS_MAX: usize = 16;
/// A host that takes longer than its relatives, or less, by more than a factor of e is less likely one of
/// them, in nats for each further one; up to so many count...
const LAG_SLACK: f64 = 1.0;
const LAG_MOST: f64 = 4.0;
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

/// What others say of the hosts counts up to so many times as much as what ties them together: hosts
/// that are suspected, each for its own reasons, are no chain.
const SUSPICION_MOST: f64 = 3.0;

impl Tree {
    /// Log-odds that it is a worm's, in nats.
    pub(super) fn odds(&self) -> f64 {
        self.odds_without(0.0)
    }

    /// The same without `own` nats of what others say of its hosts.
    pub(super) fn odds_without(&self, own: f64) -> f64 {
        let most = SUSPICION_MOST * self.spread;
        self.prior + self.spread + (self.suspicion - own).min(most)
    }

    /// The longest time that a host took to go on.
    pub(super) fn longest_lag(&self) -> Duration {
        Duration::from_secs_f64(self.lags.last().copied().unwrap_or(0.0))
    }

    /// The share of hosts that turn at all which have not `secs` seconds after they were entered.
    pub(super) fn waiting(&self, secs: f64) -> f64 {
        let later = self.lags.len() - self.lags.partition_point(|lag| *lag <= secs);
        (later as f64 + 0.5) / (self.lags.len() as f64 + 1.0)
    }

    /// Log-odds that a host which this tree has called is infected, before its own deeds speak: who
    /// was entered as others were turns as often as they did, and as soon.
    pub(super) fn link_prior(&self, turned: &Turned, config: &Config) -> f64 {
        let way = self.ways.iter().find(|way| way.like.is_alike(&turned.entry, Axis::Same));
        let of_way = match way {
            Some(way) if way.turned > 1.0 => log_odds(way.rate()),
            Some(way) => log_odds(way.rate()).min(config.link_prior),
            None => config.link_prior,
        };
        let usual = self.lags.get(self.lags.len() / 2).filter(|_| self.lags.len() >= LAGS_MIN);
        let of_lag = usual.map_or(0.0, |usual| {
            (LAG_SLACK - (turned.lag_secs() / usual).ln().abs()).clamp(-LAG_MOST, 0.0)
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
    names: BTreeMap<IpAddr, Name>,
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
        self.turned.retain(|_, turned| now.since(turned.tie.onset) < after);
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
        let mut named: BTreeMap<Name, usize> = BTreeMap::new();
        for name in self.names.values() {
            *named.entry(*name).or_default() += 1;
        }
        for root in roots {
            let mut members = vec![root];
            let mut next = 0;
            while let Some(parent) = members.get(next) {
                members.extend(children.get(parent).into_iter().flatten());
                next += 1;
            }
            self.plant(members, &named, hosts, others, config);
        }
        self.children = children;
        true
    }

    /// The name that a tree had before: the oldest of those whose root is in it, or at least half of
    /// whose hosts are. A host that turns out to be another tree's takes no name with it.
    fn name(&self, members: &[IpAddr], named: &BTreeMap<Name, usize>) -> Option<Name> {
        let hosts: BTreeSet<_> = members.iter().collect();
        let mut here: BTreeMap<Name, usize> = BTreeMap::new();
        for name in members.iter().filter_map(|host| self.names.get(host)) {
            *here.entry(*name).or_default() += 1;
        }
        let stays = |(name, count): (Name, usize)| {
            let is_most = named.get(&name).is_none_or(|all| 2 * count >= *all);
            (is_most || hosts.contains(&name.1)).then_some(name)
        };
        here.into_iter().find_map(stays)
    }

    fn plant(
        &mut self,
        members: Vec<IpAddr>,
        named: &BTreeMap<Name, usize>,
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
        let spread = turned.iter().map(|host| host.tie.nats() + rate.ln()).sum::<f64>()
            + waiting * (1.0 - rate).ln();
        let mut lags: Vec<_> = turned.iter().map(|host| host.lag_secs()).collect();
        lags.sort_by(f64::total_cmp);
        let suspicion: f64 =
            members.iter().filter_map(|host| others.peek(host)).map(|nats| nats.0).sum();
        let since = turned.iter().map(|host| host.entry.start).min().unwrap_or_default();
        let name = self.name(&members, named).unwrap_or((since, *root));
        let tree = Tree {
            root: *root,
            prior: config.prior,
            spread: spread.max(0.0),
            suspicion,
            ways,
            lags,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::testing::{ip, seconds};

    const PUSH: (u64, u64) = (21_054, 849);

    fn tie(onset: f64, likeness: f64) -> Tie {
        let deed = Exchange::sample("10.0.0.9", 445, onset, PUSH);
        Tie { onset: seconds(onset), axis: Axis::Same, deed, likeness, lag: 0.0 }
    }

    /// A host that `parent` entered at 100 s, and that began `lag` seconds later.
    fn turned(parent: &str, lag: f64) -> Turned {
        let entry = Exchange::sample(parent, 445, 100.0, PUSH);
        Turned { tie: tie(100.0 + lag, 4.5), entry, share: 1.0, runner_up: None }
    }

    fn grown(links: &[(&str, &str)], others: &[(&str, f64)]) -> Forest {
        let mut forest = Forest::new(1 << 20);
        for (at, (parent, child)) in links.iter().enumerate() {
            forest.turn(ip(child), turned(parent, at as f64 + 1.0));
        }
        let mut heard = Table::new(1 << 16);
        for (host, nats) in others {
            heard.update(ip(host), true, Nats::default, |known: &mut Nats| known.0 = *nats);
        }
        assert!(forest.grow(&Table::new(1 << 16), &heard, &Config::default()));
        forest
    }

    #[test]
    fn a_weak_beginning_gives_way_to_a_strong_one() {
        let mut weak = tie(10.0, 0.5);
        weak.join(tie(20.0, 4.5));
        let mut close = tie(10.0, 4.0);
        close.join(tie(20.0, 4.5));

        assert_eq!((weak.onset, weak.likeness), (seconds(20.0), 4.5));
        assert_eq!((close.onset, close.likeness), (seconds(10.0), 4.5));
    }

    #[test]
    fn parents_come_before_their_children_and_generations_are_counted() {
        let forest = grown(&[("10.0.0.1", "10.0.0.5"), ("10.0.0.5", "10.0.0.2")], &[]);

        let [tree] = forest.trees.as_slice() else { panic!("{:?}", forest.trees) };
        assert_eq!(tree.members, [ip("10.0.0.1"), ip("10.0.0.5"), ip("10.0.0.2")]);
        assert_eq!(forest.generation(ip("10.0.0.2")), 2);
        assert!(forest.descends(ip("10.0.0.2"), ip("10.0.0.1")));
        assert!(!forest.descends(ip("10.0.0.1"), ip("10.0.0.2")));
    }

    #[test]
    fn suspicion_counts_no_more_than_thrice_what_ties_the_hosts_together() {
        let hosts = [("10.0.0.1", 6.0), ("10.0.0.5", 6.0)];
        let forest = grown(&[("10.0.0.1", "10.0.0.5")], &hosts);

        let [tree] = forest.trees.as_slice() else { panic!("{:?}", forest.trees) };
        let ties = 4.5 + 0.75f64.ln();
        assert!((tree.odds() - (-8.0 + ties + (3.0 * ties).min(12.0))).abs() < 1e-9);
        assert!((tree.odds_without(6.0) - (-8.0 + ties + 6.0)).abs() < 1e-9);
    }

    #[test]
    fn half_of_those_that_turn_have_not_after_the_usual_time() {
        let links = [("10.0.0.1", "10.0.0.2"), ("10.0.0.1", "10.0.0.3"), ("10.0.0.1", "10.0.0.4")];
        let forest = grown(&links, &[]);

        let [tree] = forest.trees.as_slice() else { panic!("{:?}", forest.trees) };
        let waiting: Vec<_> = [0.5, 2.0, 60.0].map(|secs| tree.waiting(secs)).into();
        assert_eq!(waiting, [3.5 / 4.0, 1.5 / 4.0, 0.5 / 4.0]);
    }

    #[test]
    fn a_tree_that_gets_an_older_root_keeps_its_name() {
        let mut forest = grown(&[("10.0.0.5", "10.0.0.6")], &[]);
        let name = forest.trees[0].name;
        forest.turn(ip("10.0.0.5"), turned("10.0.0.1", 9.0));
        forest.grow(&Table::new(1 << 16), &Table::new(1 << 16), &Config::default());

        let [tree] = forest.trees.as_slice() else { panic!("{:?}", forest.trees) };
        assert_eq!((tree.root, tree.name), (ip("10.0.0.1"), name));
    }

    #[test]
    fn what_does_not_fit_is_counted_and_what_is_old_goes() {
        let mut forest = Forest::new(3 * TURNED_BYTES);
        for n in 2..7 {
            forest.turn(ip(&format!("10.0.0.{n}")), turned("10.0.0.1", f64::from(n)));
        }
        assert_eq!((forest.turned.len(), forest.forgotten), (3, 2));

        forest.forget(seconds(200_000.0), Duration::from_secs(100_000));
        assert!(forest.turned.is_empty());
    }
}

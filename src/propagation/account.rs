//! What is told of the trees: infections and incidents, as reports and JSON show them.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use super::Propagation;
use super::exchange::{Axis, Exchange};
use super::forest::{Tree, Turned, Way, probability};
use super::turn::is_profession;
use crate::detect::spoken;
use crate::incident::{Exposed, Incident, Infection, Origin, digest};
use crate::inventory::Inventory;
use crate::net::Service;
use crate::time::Timestamp;

/// Infections less likely than this are not told.
const SURE_MIN: f64 = 0.2;
/// A tree that is less likely a worm's than this is no incident.
const INCIDENT_MIN: f64 = 0.5;
/// Hosts told that may be next.
const EXPOSED_MAX: usize = 32;

/// Everything that is known of who infected whom.
#[derive(Clone, Debug, Default)]
pub struct Account {
    /// In order of time.
    pub infections: Vec<Infection>,
    /// In order of their beginning.
    pub incidents: Vec<Incident>,
}

/// What decides whether an account has to be made anew, much cheaper than one: the trees of which it
/// would tell, each with its name, its size and the bits of its odds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outline(Vec<((Timestamp, IpAddr), usize, u64)>);

impl Outline {
    /// Whether there is nothing to tell.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Hosts in the trees.
    pub fn hosts(&self) -> usize {
        self.0.iter().map(|(_, hosts, _)| hosts).sum()
    }
}

/// The trees of one name: where a host turns out to come from elsewhere, what was one is several.
#[derive(Default)]
struct Kin {
    /// The roots of those that are likely a worm's.
    roots: Vec<IpAddr>,
    /// Where they came from, the farthest first.
    origin: Origin,
    infections: Vec<Infection>,
}

impl Propagation {
    /// What an account would be about.
    pub fn outline(&self) -> Outline {
        let trees = self.forest.trees.iter().filter(|tree| probability(tree.odds()) >= SURE_MIN);
        Outline(trees.map(|tree| (tree.name, tree.members.len(), tree.odds().to_bits())).collect())
    }

    /// Tells who infected whom, and what that makes.
    pub fn account(&self, inventory: &Inventory) -> Account {
        let mut names: BTreeMap<String, Kin> = BTreeMap::new();
        for tree in &self.forest.trees {
            let id = name(tree);
            let victims = self.victims(tree, inventory);
            let turned = tree.members.iter().filter_map(|host| {
                self.forest.turned.get(host).map(|turned| self.infection(*host, turned, tree, &id))
            });
            let victims = victims.iter().map(|(host, (entry, sure))| Infection {
                from: entry.peer,
                to: *host,
                at: entry.end,
                confidence: *sure,
                generation: self.forest.generation(entry.peer) + 1,
                service: Some(self.door(*host, entry)),
                incident: id.clone(),
                reasons: vec!["entered as those were that turned".to_owned()],
                runner_up: None,
            });
            let all = turned.chain(victims).filter(|infection| infection.confidence >= SURE_MIN);
            let infections: Vec<_> = all.collect();
            let is_likely = probability(tree.odds()) >= INCIDENT_MIN
                && infections.iter().any(Infection::is_likely);
            let kin = names.entry(id).or_default();
            if is_likely {
                kin.roots.push(tree.root);
                kin.origin = kin.origin.max(self.origin(tree, inventory));
            }
            kin.infections.extend(infections);
        }
        let mut account = Account::default();
        for (id, Kin { roots, origin, infections }) in names {
            if !roots.is_empty() {
                account.incidents.extend(self.incident(
                    (roots, origin),
                    id,
                    &infections,
                    inventory,
                ));
            }
            account.infections.extend(infections);
        }
        account.infections.sort_by_key(|infection| (infection.at, infection.from, infection.to));
        account.incidents.sort_by(|a, b| (a.since, &a.id).cmp(&(b.since, &b.id)));
        account
    }

    /// The incident that `host` belongs to, if it is likelier than not that it does.
    pub fn incident_of(&self, host: IpAddr) -> Option<String> {
        let tree = self.forest.tree(host)?;
        let sure = match self.forest.turned.get(&host) {
            Some(turned) => self.sure(host, turned, tree),
            None => probability(tree.odds()),
        };
        (sure >= INCIDENT_MIN).then(|| name(tree))
    }

    /// How sure it is that a host that turned is infected, 0 to 1, whoever infected it.
    fn sure(&self, host: IpAddr, turned: &Turned, tree: &Tree) -> f64 {
        let others = self.others_of(host);
        let link = tree.link_prior(turned, &self.config) + turned.tie.nats() + others;
        probability(tree.odds()) * probability(link)
    }

    /// The service by which `entry` came to `host`: what was fetched from a caller came in by the door
    /// at which that had called.
    pub(super) fn door(&self, host: IpAddr, entry: &Exchange) -> Service {
        let entries = self.hosts.peek(&host).map_or(&[][..], |memory| &memory.entries);
        let calls = entries.iter().filter(|call| call.peer == entry.peer && !call.is_fetched);
        let before = calls.filter(|call| entry.is_fetched && call.start <= entry.start);
        before.max_by_key(|call| call.start).map_or(entry.service, |call| call.service)
    }

    fn infection(&self, host: IpAddr, turned: &Turned, tree: &Tree, id: &str) -> Infection {
        let sure = self.sure(host, turned, tree);
        let lag = turned.tie.onset.since(turned.entry.start);
        let mut reasons = vec![
            format!(
                "began {} later to do as its intruder does, alike in {} ({})",
                spoken(lag),
                turned.tie.axis.words(),
                turned.tie.deed.service
            ),
            match tree.members.len() - 1 {
                1 => "the only one of this chain so far".to_owned(),
                turned => format!("{turned} hosts of this chain did so"),
            },
        ];
        if self.others_of(host) >= 1.0 {
            reasons.push("other detectors suspect it too".to_owned());
        }
        Infection {
            from: turned.entry.peer,
            to: host,
            at: turned.entry.end.min(turned.tie.onset),
            confidence: sure * turned.share,
            generation: self.forest.generation(host),
            service: Some(self.door(host, &turned.entry)),
            incident: id.to_owned(),
            reasons,
            runner_up: turned
                .runner_up
                .map(|(other, share)| (other, sure * share))
                .filter(|(_, sure)| *sure >= 0.01),
        }
    }

    /// Hosts that were entered as those were that turned, have not turned themselves, and how likely
    /// each is infected: as many as of all that were entered so and have had the time to turn. One that
    /// waits longer than the others did is not cleared by that: it may have found nobody to call. Beside
    /// what was seen there stand one and a half hosts that were spared, and half a one that was not.
    fn victims(&self, tree: &Tree, inventory: &Inventory) -> BTreeMap<IpAddr, (Exchange, f64)> {
        let sure = probability(tree.odds());
        if sure < SURE_MIN {
            return BTreeMap::new();
        }
        let members: BTreeSet<_> = tree.members.iter().copied().collect();
        let ways = &tree.ways;
        let mut victims: BTreeMap<IpAddr, (Exchange, usize)> = BTreeMap::new();
        for (host, memory) in self.hosts.entries() {
            for entry in memory.entries.iter().filter(|entry| members.contains(&entry.peer)) {
                let is_way = |way: &Way| way.like.is_alike(entry, Axis::Same);
                let Some(at) = ways.iter().position(is_way) else { continue };
                let bearer = self.forest.turned.get(&entry.peer);
                let was_infected = bearer.is_none_or(|turned| turned.entry.start < entry.start);
                if !was_infected
                    || entry.is_answer
                    || self.forest.tree(*host).is_some()
                    || is_profession(*host, entry, inventory)
                {
                    continue;
                }
                let first = victims.entry(*host).or_insert((*entry, at));
                if (entry.start, entry.peer) < (first.0.start, first.0.peer) {
                    *first = (*entry, at);
                }
            }
        }
        // For each way: whom it did not turn, as far as that can be told by now.
        let mut spared = vec![0.0; ways.len()];
        let waiting = |entry: &Exchange| tree.waiting(self.told.since(entry.end).as_secs_f64());
        for (entry, at) in victims.values() {
            if let Some(spared) = spared.get_mut(*at) {
                *spared += 1.0 - waiting(entry);
            }
        }
        let with_rate = |(host, (entry, at)): (IpAddr, (Exchange, usize))| {
            let turned = ways.get(at).map_or(0.0, |way| way.turned);
            let spared = spared.get(at).copied().unwrap_or(0.0);
            (host, (entry, sure * (turned + 0.5) / (turned + spared + 2.0)))
        };
        victims.into_iter().map(with_rate).collect()
    }

    /// Where the first host of a tree has it from.
    fn origin(&self, tree: &Tree, inventory: &Inventory) -> Origin {
        let children = self.forest.children(tree.root);
        let entered = |child| self.forest.turned.get(child).map(|turned| turned.entry.start);
        let first = children.iter().filter_map(entered).min().unwrap_or(self.told);
        let seen = inventory.host(tree.root).map_or(first, |host| host.first_seen);
        if !inventory.is_internal(tree.root) {
            Origin::Outside
        } else if first.since(seen) <= tree.longest_lag() {
            Origin::Before
        } else {
            Origin::Inside
        }
    }

    fn incident(
        &self,
        (patient_zero, origin): (Vec<IpAddr>, Origin),
        id: String,
        infections: &[Infection],
        inventory: &Inventory,
    ) -> Option<Incident> {
        let sure: Vec<_> = infections.iter().filter(|found| found.is_likely()).collect();
        let first = sure.iter().map(|found| found.at).min()?;
        let mut infected: BTreeSet<_> = sure.iter().map(|found| found.to).collect();
        infected.extend(&patient_zero);
        // Hosts of the last generation have not had their time.
        let last = sure.iter().map(|found| found.generation).max().unwrap_or(0);
        let young = sure.iter().filter(|found| found.generation == last).count();
        let children = sure.len() as f64;
        let hosts = infected.len().saturating_sub(young).max(1) as f64;
        Some(Incident {
            id,
            since: first,
            updated: sure.iter().map(|found| found.at).max().unwrap_or(first),
            patient_zero,
            origin,
            hosts: infected.len() as u64,
            generations: last,
            reproduction_number: children / hosts,
            reproduction_interval: poisson_interval(children, hosts),
            doubling_time: doubling_time(&sure),
            exposed: self.exposed(&infected, &sure, inventory),
        })
    }

    /// Who is likely to be next: who offers a service over which this spread, those first that a host
    /// of it has called over it, the latest call first. Where none has, the host that was infected last
    /// is named for all.
    fn exposed(
        &self,
        infected: &BTreeSet<IpAddr>,
        infections: &[&Infection],
        inventory: &Inventory,
    ) -> Vec<Exposed> {
        let services: BTreeSet<_> = infections.iter().filter_map(|found| found.service).collect();
        let latest = infections.iter().max_by_key(|found| (found.at, found.to));
        let Some(latest) = latest else { return Vec::new() };
        let mut exposed = Vec::new();
        for (host, memory) in self.hosts.entries() {
            if infected.contains(host) || !inventory.is_internal(*host) {
                continue;
            }
            let caller = memory
                .entries
                .iter()
                .filter(|entry| infected.contains(&entry.peer) && services.contains(&entry.service))
                .max_by_key(|entry| (entry.start, entry.peer));
            let offered = services.iter().find(|service| inventory.offers(*host, **service));
            let (from, service) = match (caller, offered) {
                (Some(entry), _) => (entry.peer, entry.service),
                (None, Some(service)) => (latest.to, *service),
                (None, None) => continue,
            };
            let contacted = caller.is_some();
            let called = caller.map(|entry| entry.start);
            exposed.push((Reverse(called), Exposed { host: *host, from, service, contacted }));
        }
        exposed.sort_by_key(|(called, next)| (*called, next.host));
        exposed.truncate(EXPOSED_MAX);
        exposed.into_iter().map(|(_, next)| next).collect()
    }
}

/// A tree's name: a digest of when and with whom it began, as far as was known first.
fn name(tree: &Tree) -> String {
    let (since, root) = tree.name;
    digest(&format!("incident\n{root}\n{}", since.as_nanos()))
}

/// The interval that holds the mean number of children a host with 95 %, where each has a Poisson
/// number of them: the score interval of Rao for a Poisson mean, `m + z²/2n ± z √(m/n + z²/4n²)`.
fn poisson_interval(children: f64, hosts: f64) -> (f64, f64) {
    const Z: f64 = 1.96;
    if hosts <= 0.0 {
        return (0.0, 0.0);
    }
    let mean = children / hosts;
    let centre = mean + Z * Z / (2.0 * hosts);
    let half = Z * (mean / hosts + Z * Z / (4.0 * hosts * hosts)).sqrt();
    ((centre - half).max(0.0), centre + half)
}

/// The time in which infected hosts double: the slope of the logarithm of how many there are over
/// time, by least squares; none for fewer than three infections or where it does not grow.
fn doubling_time(infections: &[&Infection]) -> Option<Duration> {
    let mut times: Vec<_> = infections.iter().map(|found| found.at).collect();
    times.sort_unstable();
    let first = *times.first()?;
    if times.len() < 3 {
        return None;
    }
    let points: Vec<(f64, f64)> = times
        .iter()
        .zip(2u32..)
        .map(|(at, count)| (at.since(first).as_secs_f64(), f64::from(count).log2()))
        .collect();
    let count = points.len() as f64;
    let mean_x = points.iter().map(|(x, _)| x).sum::<f64>() / count;
    let mean_y = points.iter().map(|(_, y)| y).sum::<f64>() / count;
    let over = points.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum::<f64>();
    let under = points.iter().map(|(x, _)| (x - mean_x).powi(2)).sum::<f64>();
    let slope = over / under;
    (slope.is_finite() && slope > 0.0).then(|| Duration::from_secs_f64(1.0 / slope))
}

//! The alert book: one alert a host, kind of behaviour and class of targets, which grows instead of
//! multiplying, and never keeps a new kind or a new network to itself.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use sha1::{Digest, Sha1};

use crate::config::NetworkConfig;
use crate::detect::Evidence;
use crate::score::{HostScore, Verdict};
use crate::time::Timestamp;

use super::compose::{CommunityId, Composer, Facts, Identity, View, cost};
use super::{Alert, AlertConfig, AlertKind, Status, TargetClass, kind_of};

/// A report whose peers lie in more new networks than this is about many networks, so that a worm
/// that draws addresses at random is one alert and not sixteen.
const SPREAD: usize = 3;
/// Networks remembered of an alert about many.
const NETWORKS: usize = 64;

#[derive(Debug)]
struct Open {
    alert: Alert,
    /// Weight when it was last reported, in nats.
    weight: f64,
    /// When evidence was last added.
    active: Timestamp,
    /// For an alert about many networks, which; the first [`NETWORKS`].
    networks: BTreeSet<TargetClass>,
}

impl Open {
    /// Whether the alert has grown so much that somebody should hear of it again.
    fn is_outgrown_by(&self, view: &View<'_>, facts: &Facts, update_llr: f64) -> bool {
        let known = &self.alert;
        let weight = view.weight();
        let doubled = known.peers_total.saturating_mul(2).max(1);
        let has_new_network = self.networks.len() < NETWORKS
            && view.networks.iter().any(|network| !self.networks.contains(network));
        facts.verdict > known.verdict
            || (weight > self.weight && weight >= self.weight + update_llr)
            || facts.peers_total >= doubled
            || has_new(&facts.services, &known.services)
            || has_new(&facts.detectors, &known.detectors)
            || has_new(&facts.techniques, &known.techniques)
            || has_new_network
    }
}

/// Sixteen hexadecimal digits that stand for `name`.
pub(crate) fn digest(name: &str) -> String {
    Sha1::digest(name).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

fn has_new<T: PartialEq>(fresh: &[T], known: &[T]) -> bool {
    fresh.iter().any(|item| !known.contains(item))
}

/// Every alert, open and closed.
///
/// Alerts open while their host is at least suspicious and evidence of their kind is fresh. When the
/// budget is full, the alert goes that is closed, then least severe, then oldest.
#[derive(Debug)]
pub struct AlertBook {
    config: AlertConfig,
    network: NetworkConfig,
    sensor: Option<String>,
    community_id: CommunityId,
    open: BTreeMap<Identity, Open>,
    closed: BTreeMap<(Timestamp, String), Alert>,
    /// No alert falls quiet before this.
    next_close: Timestamp,
    bytes: usize,
    evicted: u64,
}

impl AlertBook {
    /// An empty book of the sensor of that name.
    pub fn new(
        config: &AlertConfig,
        network: &NetworkConfig,
        sensor: Option<&str>,
        community_id: CommunityId,
    ) -> Self {
        Self {
            config: config.clone(),
            network: network.clone(),
            sensor: sensor.map(str::to_owned),
            community_id,
            open: BTreeMap::new(),
            closed: BTreeMap::new(),
            next_close: Timestamp::from_nanos(i64::MAX),
            bytes: 0,
            evicted: 0,
        }
    }

    /// Takes other settings; open alerts stay as they are until they change.
    pub fn reload(&mut self, config: &AlertConfig, network: &NetworkConfig, sensor: Option<&str>) {
        self.config = config.clone();
        self.network = network.clone();
        self.sensor = sensor.map(str::to_owned);
        self.schedule();
    }

    /// The settings that it works by.
    pub const fn config(&self) -> &AlertConfig {
        &self.config
    }

    /// The sensor's name, if it has one.
    pub fn sensor(&self) -> Option<&str> {
        self.sensor.as_deref()
    }

    /// Looks at a host whose evidence changed; appends what is worth telling to `out`.
    pub fn on_change(&mut self, host: &HostScore, now: Timestamp, out: &mut Vec<Alert>) {
        self.on_tick(now, out);
        let mut kinds: BTreeMap<AlertKind, Vec<&Evidence>> = BTreeMap::new();
        for evidence in &host.evidence {
            if let Some(kind) = kind_of(evidence.detector) {
                kinds.entry(kind).or_default().push(evidence);
            }
        }
        for (kind, evidence) in kinds {
            for (class, group, networks) in self.classes(host.host, kind, &evidence) {
                let identity = Identity { host: host.host, kind, class };
                let internal = self.network.is_internal(host.host);
                let view = View { host, internal, group, networks, now };
                if self.open.contains_key(&identity) {
                    self.grow(identity, &view, out);
                } else {
                    self.open(identity, &view, out);
                }
            }
        }
        self.evict();
    }

    /// Takes that `host` belongs to an incident: its open alerts say so from now on.
    pub fn join(&mut self, host: IpAddr, incident: &str) {
        for (_, open) in self.open.range_mut(Identity::about(host)) {
            open.alert.incident = Some(incident.to_owned());
        }
    }

    /// Closes what has been quiet for long enough.
    pub fn on_tick(&mut self, now: Timestamp, out: &mut Vec<Alert>) {
        if now < self.next_close {
            return;
        }
        let quiet = self.config.quiet;
        for (_, mut open) in self.open.extract_if(.., |_, open| open.active + quiet <= now) {
            let ended = open.active + quiet;
            open.alert.status = Status::Closed;
            open.alert.updated = ended;
            out.push(open.alert.clone());
            self.closed.insert((open.alert.ts, open.alert.id.clone()), open.alert);
        }
        self.schedule();
    }

    /// Every alert as it stands, in the order in which they opened.
    pub fn alerts(&self) -> Vec<Alert> {
        let mut all: Vec<_> = self
            .closed
            .values()
            .chain(self.open.values().map(|open| &open.alert))
            .cloned()
            .collect();
        all.sort_by(|a, b| (a.ts, &a.id).cmp(&(b.ts, &b.id)));
        all
    }

    /// Alerts that are open.
    pub fn open_count(&self) -> usize {
        self.open.len()
    }

    /// Bytes held, for the budget's metric.
    pub const fn state_bytes(&self) -> usize {
        self.bytes
    }

    /// Alerts that had to go for want of memory.
    pub const fn evicted(&self) -> u64 {
        self.evicted
    }

    /// Sorts the evidence of one kind by class of targets: networks with an alert of their own,
    /// and those that share one.
    fn classes<'a>(
        &self,
        host: IpAddr,
        kind: AlertKind,
        evidence: &[&'a Evidence],
    ) -> Vec<(TargetClass, Vec<&'a Evidence>, BTreeSet<TargetClass>)> {
        let is_open = |class| self.open.contains_key(&Identity { host, kind, class });
        let mut groups: BTreeMap<TargetClass, Vec<&Evidence>> = BTreeMap::new();
        for evidence in evidence {
            let mut classes: BTreeSet<_> =
                evidence.peers.iter().map(|peer| TargetClass::of(*peer, &self.network)).collect();
            if classes.is_empty() {
                classes.insert(TargetClass::Unnamed);
            }
            for class in classes {
                groups.entry(class).or_default().push(evidence);
            }
        }
        let new: BTreeSet<_> = groups.keys().copied().filter(|class| !is_open(*class)).collect();
        let held = self.open_classes(host, kind);
        let share = is_open(TargetClass::Many)
            || new.len() > SPREAD
            || held + new.len() > self.config.max_networks;
        let mut result = Vec::new();
        let mut shared = Vec::new();
        for (class, group) in groups {
            if share && new.contains(&class) {
                shared.extend(group);
            } else {
                result.push((class, group, BTreeSet::new()));
            }
        }
        if !shared.is_empty() {
            let mut seen = BTreeSet::new();
            shared.retain(|e| seen.insert((e.detector, e.subject.as_str())));
            shared.sort_by(|a, b| b.llr.total_cmp(&a.llr));
            result.push((TargetClass::Many, shared, new));
        }
        result
    }

    fn open_classes(&self, host: IpAddr, kind: AlertKind) -> usize {
        let of = |class| Identity { host, kind, class };
        let lowest = TargetClass::Internal(ipnet::IpNet::default());
        self.open.range(of(lowest)..=of(TargetClass::Unnamed)).count()
    }

    fn open(&mut self, identity: Identity, view: &View<'_>, out: &mut Vec<Alert>) {
        let is_fresh = view.active() + self.config.quiet > view.now;
        if view.verdict() < Verdict::Suspicious || !is_fresh || view.weight() < self.config.min_llr
        {
            return;
        }
        let facts = view.facts(identity.class, &self.network);
        let mut alert = self.composer().compose(identity, view, facts);
        alert.id = self.id(identity, alert.ts);
        self.next_close = self.next_close.min(view.active() + self.config.quiet);
        self.bytes += cost(&alert);
        out.push(alert.clone());
        let networks = view.networks.iter().copied().take(NETWORKS).collect();
        let open = Open { alert, weight: view.weight(), active: view.active(), networks };
        self.open.insert(identity, open);
    }

    fn grow(&mut self, identity: Identity, view: &View<'_>, out: &mut Vec<Alert>) {
        let composer = self.composer();
        let Some(open) = self.open.get_mut(&identity) else { return };
        open.active = open.active.max(view.active());
        let facts = view.facts(identity.class, &self.network);
        let weight = view.weight();
        if !open.is_outgrown_by(view, &facts, self.config.update_llr) {
            return;
        }
        let known = &open.alert;
        let facts = facts.merged_with(known);
        let mut alert = composer.compose(identity, view, facts);
        alert.id.clone_from(&known.id);
        alert.incident.clone_from(&known.incident);
        alert.ts = known.ts;
        alert.status = Status::Update;
        self.bytes = (self.bytes + cost(&alert)).saturating_sub(cost(known));
        open.weight = open.weight.max(weight);
        let room = NETWORKS.saturating_sub(open.networks.len());
        let unseen: Vec<_> = view.networks.difference(&open.networks).copied().take(room).collect();
        open.networks.extend(unseen);
        out.push(alert.clone());
        open.alert = alert;
    }

    fn composer(&self) -> Composer {
        let Self { sensor, community_id, .. } = self;
        Composer { sensor: sensor.clone(), community_id: *community_id }
    }

    /// Depends on nothing but what the alert is about.
    fn id(&self, identity: Identity, first: Timestamp) -> String {
        let Identity { host, kind, class } = identity;
        let sensor = self.sensor.as_deref().unwrap_or_default();
        let name = format!("{sensor}\n{host}\n{}\n{class}\n{}", kind.as_str(), first.as_nanos());
        digest(&name)
    }

    fn schedule(&mut self) {
        let earliest = self.open.values().map(|open| open.active).min();
        self.next_close =
            earliest.map_or(Timestamp::from_nanos(i64::MAX), |at| at + self.config.quiet);
    }

    fn evict(&mut self) {
        while self.bytes > self.config.budget_of_hosts() {
            let gone = if let Some((_, alert)) = self.closed.pop_first() {
                alert
            } else {
                let least = self
                    .open
                    .iter()
                    .min_by_key(|(_, open)| (open.alert.severity, open.active, &open.alert.id))
                    .map(|(identity, _)| *identity);
                let Some(open) = least.and_then(|identity| self.open.remove(&identity)) else {
                    return;
                };
                open.alert
            };
            self.bytes = self.bytes.saturating_sub(cost(&gone));
            self.evicted += 1;
        }
    }
}

#[cfg(test)]
#[path = "alerts_tests.rs"]
mod tests;

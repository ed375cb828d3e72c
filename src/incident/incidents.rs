//! The incident book: one alert an incident, which grows, takes in others, and ends.
//!
//! It is told who infected whom as often as that changes, and says only what somebody should hear.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use crate::config::NetworkConfig;
use crate::score::{ScoreBoard, Verdict};
use crate::time::Timestamp;

use super::compose::{CommunityId, cost, merged};
use super::outbreak::{Context, Outbreak, kind, outbreaks};
use super::{Alert, AlertConfig, Incident, Infection, Status, digest, span};

/// Packet time for which an incident has to be unlikely before it is withdrawn: new evidence often
/// makes a tree unlikely for a moment and likely again.
const WITHDRAWN_AFTER: Duration = Duration::from_secs(600);
/// Incidents remembered that need one more host to open again; beyond, the lowest id goes first.
const DORMANT: usize = 4096;
/// Bytes of a host that an alert has named, its share of the tree included.
const NAMED_BYTES: usize = 64;

#[derive(Debug)]
struct Open {
    /// As it was last told.
    alert: Alert,
    generations: u32,
    /// Since when the alert has named each host.
    named: BTreeMap<IpAddr, Timestamp>,
    /// Hosts that joined and are not told yet.
    waiting: usize,
    /// When a host joined last.
    active: Timestamp,
    /// Since when it has been unlikely, if it is.
    unlikely: Option<Timestamp>,
    /// What happened to it and is not told yet, a sentence each.
    notes: Vec<String>,
}

impl Open {
    fn bytes(&self) -> usize {
        cost(&self.alert) + self.named.len() * NAMED_BYTES
    }

    /// The incident in which at least half of its hosts are.
    fn heir<'a>(&self, places: &BTreeMap<IpAddr, &'a str>) -> Option<&'a str> {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for place in self.named.keys().filter_map(|host| places.get(host)) {
            *counts.entry(place).or_default() += 1;
        }
        let (heir, count) = counts.into_iter().rev().max_by_key(|(_, count)| *count)?;
        (count * 2 >= self.named.len()).then_some(heir)
    }

    /// Whether it became worse, so that somebody should hear of it at once.
    fn is_worse(&self, outbreak: &Outbreak<'_>, verdict: Verdict) -> bool {
        let doubled = self.alert.hosts_total.saturating_mul(2);
        !self.notes.is_empty()
            || outbreak.incident.hosts >= doubled
            || outbreak.severity() > self.alert.severity
            || verdict > self.alert.verdict
    }

    /// Whether there is something about it that was not told yet.
    fn is_outgrown_by(&self, outbreak: &Outbreak<'_>) -> bool {
        self.waiting > 0
            || outbreak.incident.generations > self.generations
            || outbreak.services().iter().any(|service| !self.alert.services.contains(service))
    }
}

/// Every incident's alert, open and closed.
///
/// An alert opens when a tree is likelier than not a worm's and a host of it is at least suspicious.
/// It is told again at once when the incident doubled, became more severe or surer, or took in
/// another; and at most every `[alerts] incident_pause` when hosts, generations or services joined.
/// It closes after `[alerts] quiet` without a new host, when its hosts are in another incident, or
/// when it has been unlikely for ten minutes. When the budget is full, the alert goes that is closed,
/// then least severe, then quiet for longest.
#[derive(Debug)]
pub struct IncidentBook {
    config: AlertConfig,
    network: NetworkConfig,
    sensor: Option<String>,
    community_id: CommunityId,
    open: BTreeMap<String, Open>,
    /// Incidents that were quiet or had to go, and how many hosts they had: it takes one more to open
    /// them again.
    dormant: BTreeMap<String, u64>,
    closed: BTreeMap<(Timestamp, String), Alert>,
    /// Nothing is due before this, unless somebody infected somebody.
    due: Timestamp,
    changes: BTreeMap<Status, u64>,
    bytes: usize,
    evicted: u64,
}

/// What becomes of an incident that nobody tells of any more.
enum Fate {
    /// It has the id of an older tree, which was no incident.
    Renamed(String),
    /// It is part of another one.
    Merged(String),
    /// It was none.
    Withdrawn,
}

impl IncidentBook {
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
            dormant: BTreeMap::new(),
            closed: BTreeMap::new(),
            due: NEVER,
            changes: BTreeMap::new(),
            bytes: 0,
            evicted: 0,
        }
    }

    /// Takes other settings; open alerts stay as they are until they change.
    pub fn reload(&mut self, config: &AlertConfig, network: &NetworkConfig, sensor: Option<&str>) {
        self.config = config.clone();
        self.network = network.clone();
        self.sensor = sensor.map(str::to_owned);
        self.due = Timestamp::from_nanos(i64::MIN);
    }

    /// Whether there may be something to say though nobody infected anybody.
    pub fn is_due(&self, now: Timestamp) -> bool {
        now >= self.due
    }

    /// Looks at who infected whom; appends what is worth telling to `out`. At the end of the input
    /// nothing waits.
    pub fn look(
        &mut self,
        (incidents, infections): (&[Incident], &[Infection]),
        scores: &ScoreBoard,
        now: Timestamp,
        is_end: bool,
        out: &mut Vec<Alert>,
    ) {
        let first = out.len();
        let outbreaks = outbreaks(incidents, infections);
        self.due = NEVER;
        self.close_quiet(now, out);
        self.follow(&outbreaks, now, is_end, out);
        for (id, outbreak) in &outbreaks {
            if self.open.contains_key(*id) {
                self.grow(id, outbreak, scores, now, is_end, out);
            } else {
                self.open(id, outbreak, scores, now, out);
            }
        }
        for alert in out.iter().skip(first) {
            *self.changes.entry(alert.status).or_insert(0) += 1;
        }
        self.evict();
    }

    /// Every alert as it stands, in the order in which they opened.
    pub fn alerts(&self) -> Vec<Alert> {
        let open = self.open.values().map(|open| &open.alert);
        let mut all: Vec<_> = self.closed.values().chain(open).cloned().collect();
        all.sort_by(|a, b| (a.ts, &a.id).cmp(&(b.ts, &b.id)));
        all
    }

    /// The alerts that are open, by incident.
    pub fn open_alerts(&self) -> impl Iterator<Item = (&str, &Alert)> {
        self.open.iter().map(|(id, open)| (id.as_str(), &open.alert))
    }

    /// Incidents that are open.
    pub fn open_count(&self) -> usize {
        self.open.len()
    }

    /// What was told so far, by status.
    pub const fn changes(&self) -> &BTreeMap<Status, u64> {
        &self.changes
    }

    /// Bytes held, for the budget's metric.
    pub const fn state_bytes(&self) -> usize {
        self.bytes
    }

    /// Alerts that had to go for want of memory.
    pub const fn evicted(&self) -> u64 {
        self.evicted
    }

    fn open(
        &mut self,
        id: &str,
        outbreak: &Outbreak<'_>,
        scores: &ScoreBoard,
        now: Timestamp,
        out: &mut Vec<Alert>,
    ) {
        let is_known = self.dormant.get(id).is_some_and(|hosts| outbreak.incident.hosts <= *hosts);
        if is_known || Verdict::of(outbreak.score(scores)) < Verdict::Suspicious {
            return;
        }
        self.dormant.remove(id);
        let mut alert = outbreak.compose(scores, &BTreeMap::new(), &[], &self.context(now));
        let sensor = self.sensor.as_deref().unwrap_or_default();
        alert.id = digest(&format!("{sensor}\nincident alert\n{id}\n{}", now.as_nanos()));
        let open = Open {
            generations: outbreak.incident.generations,
            named: outbreak.hosts().into_iter().map(|host| (host, now)).collect(),
            waiting: 0,
            active: now,
            unlikely: None,
            notes: Vec::new(),
            alert,
        };
        self.due = self.due.min(now + self.config.quiet);
        self.bytes += open.bytes();
        out.push(open.alert.clone());
        self.open.insert(id.to_owned(), open);
    }

    fn grow(
        &mut self,
        id: &str,
        outbreak: &Outbreak<'_>,
        scores: &ScoreBoard,
        now: Timestamp,
        is_end: bool,
        out: &mut Vec<Alert>,
    ) {
        let Self { config, network, sensor, open, due, .. } = self;
        let Some(open) = open.get_mut(id) else { return };
        open.unlikely = None;
        let hosts = outbreak.hosts();
        let waiting = hosts.iter().filter(|host| !open.named.contains_key(host)).count();
        if waiting > open.waiting {
            open.active = now;
        }
        open.waiting = waiting;
        *due = (*due).min(open.active + config.quiet);
        let is_worse = open.is_worse(outbreak, Verdict::of(outbreak.score(scores)));
        if !is_worse && !open.is_outgrown_by(outbreak) {
            return;
        }
        let pause_ends = open.alert.updated + config.incident_pause;
        if !is_worse && !is_end && now < pause_ends {
            *due = (*due).min(pause_ends);
            return;
        }
        let before = open.bytes();
        for host in hosts {
            open.named.entry(host).or_insert(now);
        }
        let context =
            Context { now, network, sensor: sensor.as_deref(), community_id: self.community_id };
        let notes = std::mem::take(&mut open.notes);
        let mut alert = outbreak.compose(scores, &open.named, &notes, &context);
        let known = &open.alert;
        alert.id.clone_from(&known.id);
        alert.ts = known.ts;
        alert.status = Status::Update;
        // An open alert forgets nothing.
        alert.score = alert.score.max(known.score);
        alert.verdict = alert.verdict.max(known.verdict);
        alert.severity = alert.severity.max(known.severity);
        alert.services = merged(&alert.services, &known.services);
        alert.kind = kind(alert.services.len());
        open.generations = open.generations.max(outbreak.incident.generations);
        open.waiting = 0;
        open.alert = alert;
        self.bytes = (self.bytes + open.bytes()).saturating_sub(before);
        out.push(open.alert.clone());
    }

    /// Looks after open incidents that nobody tells of any more, in the order in which they opened.
    fn follow(
        &mut self,
        outbreaks: &BTreeMap<&str, Outbreak<'_>>,
        now: Timestamp,
        is_end: bool,
        out: &mut Vec<Alert>,
    ) {
        let gone = self.open.iter().filter(|(id, _)| !outbreaks.contains_key(id.as_str()));
        let mut gone: Vec<_> =
            gone.map(|(id, open)| (open.alert.ts, open.alert.id.clone(), id.clone())).collect();
        if gone.is_empty() {
            return;
        }
        gone.sort();
        let mut places = BTreeMap::new();
        for (id, outbreak) in outbreaks {
            places.extend(outbreak.hosts().into_iter().map(|host| (host, *id)));
        }
        for (_, _, id) in gone {
            match self.fate(&id, &places, now, is_end) {
                Some(Fate::Renamed(heir)) => {
                    let Some(mut open) = self.open.remove(&id) else { continue };
                    open.notes.push(format!("This incident was called {id} so far."));
                    open.alert.incident = Some(heir.clone());
                    self.open.insert(heir, open);
                }
                Some(Fate::Merged(heir)) => {
                    if let Some(open) = self.open.get_mut(&heir) {
                        open.notes
                            .push(format!("Incident {id} turned out to be part of this one."));
                    }
                    let why =
                        format!("Closed, because it is part of incident {heir}, which goes on.");
                    self.close(&id, now, &why, out);
                }
                Some(Fate::Withdrawn) => {
                    let why = "Withdrawn: by what was seen since, this was rather no worm.";
                    self.close(&id, now, why, out);
                }
                None => {}
            }
        }
    }

    /// What becomes of it, if that is decided.
    fn fate(
        &mut self,
        id: &str,
        places: &BTreeMap<IpAddr, &str>,
        now: Timestamp,
        is_end: bool,
    ) -> Option<Fate> {
        let heir = self.open.get(id)?.heir(places);
        if let Some(heir) = heir {
            let is_open = self.open.contains_key(heir);
            let fate = if is_open { Fate::Merged } else { Fate::Renamed };
            return Some(fate(heir.to_owned()));
        }
        let open = self.open.get_mut(id)?;
        let decided = *open.unlikely.get_or_insert(now) + WITHDRAWN_AFTER;
        if !is_end && now < decided {
            self.due = self.due.min(decided).min(open.active + self.config.quiet);
            return None;
        }
        Some(Fate::Withdrawn)
    }

    /// Closes what has been quiet for long enough.
    fn close_quiet(&mut self, now: Timestamp, out: &mut Vec<Alert>) {
        let quiet = self.config.quiet;
        let is_quiet = |open: &Open| open.active + quiet <= now;
        let ended: Vec<_> = self
            .open
            .iter()
            .filter(|(_, open)| is_quiet(open))
            .map(|(id, open)| (id.clone(), open.active + quiet, open.named.len() as u64))
            .collect();
        let why = format!("Closed: no host was infected for {}.", span(quiet));
        for (id, ended, hosts) in ended {
            self.close(&id, ended, &why, out);
            self.dormant.insert(id, hosts);
        }
    }

    fn close(&mut self, id: &str, ended: Timestamp, why: &str, out: &mut Vec<Alert>) {
        let Some(open) = self.open.remove(id) else { return };
        self.bytes = self.bytes.saturating_sub(open.bytes());
        let mut alert = open.alert;
        alert.status = Status::Closed;
        alert.updated = ended;
        alert.summary = format!("{why} What was known: {}", alert.summary);
        self.bytes += cost(&alert);
        out.push(alert.clone());
        self.closed.insert((alert.ts, alert.id.clone()), alert);
    }

    fn context(&self, now: Timestamp) -> Context<'_> {
        let Self { network, sensor, community_id, .. } = self;
        Context { now, network, sensor: sensor.as_deref(), community_id: *community_id }
    }

    fn evict(&mut self) {
        while self.bytes > self.config.budget_of_incidents() {
            let gone = if let Some((_, alert)) = self.closed.pop_first() {
                cost(&alert)
            } else {
                let least = self
                    .open
                    .iter()
                    .min_by_key(|(_, open)| (open.alert.severity, open.active, &open.alert.id))
                    .map(|(id, _)| id.clone());
                let Some((id, open)) = least.and_then(|id| self.open.remove_entry(&id)) else {
                    return;
                };
                // Else it would open again at once, and again.
                self.dormant.insert(id, open.alert.hosts_total);
                open.bytes()
            };
            self.bytes = self.bytes.saturating_sub(gone);
            self.evicted += 1;
        }
        while self.dormant.len() > DORMANT {
            self.dormant.pop_first();
            self.evicted += 1;
        }
    }
}

/// Later than any packet.
const NEVER: Timestamp = Timestamp::from_nanos(i64::MAX);

#[cfg(test)]
#[path = "incidents_tests.rs"]
mod tests;

//! The detection thread's state: events in, scores and alerts out, one event at a time, in order.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use super::Observer;
use super::ledger::Ledger;
use crate::config::{Config, NetworkConfig};
use crate::detect::{self, Detector, Evidence, Sight};
use crate::event::{Body, Event, community_id};
use crate::incident::{Alert, AlertBook, CommunityId, IncidentBook, Onsets, Status};
use crate::inventory::{Fetch, Inventory, InventoryConfig, Networks};
use crate::propagation::{Account, Propagation};
use crate::rules::Rules;
use crate::score::{Allowlist, Explanation, HostScore, ScoreBoard};
use crate::time::Timestamp;

/// Everything from events to alerts.
pub struct Analysis {
    inventory: Inventory,
    detectors: Vec<Box<dyn Detector>>,
    rules: Rules,
    propagation: Option<Propagation>,
    scores: ScoreBoard,
    alerts: AlertBook,
    ledger: Ledger,
    onsets: Onsets,
    allowlist: Allowlist,
    network: NetworkConfig,
    counts: Counts,
    evidence: Vec<Evidence>,
    changed: Vec<Alert>,
    touched: Vec<IpAddr>,
}

/// What has passed the detection thread.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// Events, by kind.
    pub events: BTreeMap<&'static str, u64>,
    /// Reports of evidence, by detector.
    pub evidence: BTreeMap<&'static str, u64>,
}

impl Counts {
    /// Events of all kinds.
    pub fn all_events(&self) -> u64 {
        self.events.values().sum()
    }

    /// Connections that ended.
    pub fn connections(&self) -> u64 {
        self.events.get("conn").copied().unwrap_or(0)
    }
}

impl Analysis {
    /// An analysis that has seen nothing.
    pub fn new(config: &Config) -> Self {
        let inventory = InventoryConfig {
            home_nets: Networks::new(config.network.home_nets.clone()),
            allowed_scanners: config.network.allowed_scanners.clone(),
            ..config.inventory.clone()
        };
        let (alerts, network, sensor) = (&config.alerts, &config.network, config.sensor.name());
        let name: CommunityId = |talk| community_id(talk, 0);
        Self {
            inventory: Inventory::new(&inventory),
            detectors: detect::all(&config.detect),
            rules: Rules::new(&config.rules),
            propagation: is_on(config, Propagation::ID)
                .then(|| Propagation::new(&config.detect.turn, config.score.prior)),
            scores: ScoreBoard::new(&config.score),
            alerts: AlertBook::new(alerts, network, sensor, name),
            ledger: Ledger::new(IncidentBook::new(alerts, network, sensor, name)),
            onsets: Onsets::default(),
            allowlist: Allowlist::new(&config.allow),
            network: config.network.clone(),
            counts: Counts::default(),
            evidence: Vec::new(),
            changed: Vec::new(),
            touched: Vec::new(),
        }
    }

    /// Takes from `config` what can change without forgetting ([`Config::is_live`]): the allowlist,
    /// the rules, the numbers of scores and alerts, the sensor's name. What was counted so far stays.
    pub fn reload(&mut self, config: &Config) {
        self.allowlist.reload(&config.allow);
        self.rules.reload(&config.rules);
        self.scores.reload(&config.score);
        // What is ours stays what it was: the inventory has sorted everybody by it.
        let (alerts, sensor) = (&config.alerts, config.sensor.name());
        self.alerts.reload(alerts, &self.network, sensor);
        self.ledger.book_mut().reload(alerts, &self.network, sensor);
    }

    /// Takes events, in order, through everything.
    ///
    /// What is known of their hosts is all over memory; so while one is looked at, that of some
    /// behind it is asked for, in two steps (decision 6 has the same for packets).
    pub fn on_events(&mut self, events: &[Event], observer: &mut dyn Observer) {
        /// How many events ahead the index is asked.
        const FIND: usize = 12;
        /// How many events ahead the hosts are.
        const READ: usize = 6;
        for (at, event) in events.iter().enumerate() {
            self.prefetch(events.get(at + FIND), Fetch::Index);
            self.prefetch(events.get(at + READ), Fetch::Entry);
            self.on_event(event, observer);
        }
    }

    /// Has fetched what an event will have read of each table.
    fn prefetch(&self, event: Option<&Event>, what: Fetch) {
        let Some(Event { conversation: Some(talk), body, .. }) = event else { return };
        self.inventory.prefetch(talk.client.addr, what);
        self.inventory.prefetch(talk.server.addr, what);
        if matches!(body, Body::Contact(_)) {
            for detector in &self.detectors {
                detector.prefetch(talk, what);
            }
        }
    }

    /// Takes one event through inventory, detectors, scores and alerts.
    pub fn on_event(&mut self, event: &Event, observer: &mut dyn Observer) {
        observer.on_event(event);
        *self.counts.events.entry(event.kind()).or_insert(0) += 1;
        if let (Body::Contact(_), Some(talk)) = (&event.body, &event.conversation) {
            self.onsets.on_contact(talk.client.addr);
        }
        let may_hide = self.allowlist.has_event_entries();
        let sight = Sight::new(event, &self.inventory);
        for detector in &mut self.detectors {
            if !(may_hide && self.allowlist.hides_event(detector.id(), event)) {
                detector.on_event(&sight, &self.inventory, &mut self.evidence);
            }
        }
        if !(may_hide && self.allowlist.hides_event("lateral", event)) {
            self.rules.on_event(event, &self.inventory, &mut self.evidence);
        }
        if let Some(propagation) = &mut self.propagation
            && !(may_hide && self.allowlist.hides_event(Propagation::ID, event))
        {
            propagation.on_event(event, &self.inventory, &mut self.evidence);
        }
        if !self.evidence.is_empty() {
            self.weigh(event.ts, observer);
        }
        self.inventory.on_event(event);
    }

    /// Lets time pass.
    pub fn on_tick(&mut self, now: Timestamp, observer: &mut dyn Observer) {
        for detector in &mut self.detectors {
            detector.on_tick(now, &self.inventory, &mut self.evidence);
        }
        if let Some(propagation) = &mut self.propagation {
            propagation.on_tick(now, &mut self.evidence);
        }
        self.scores.advance(now);
        self.weigh(now, observer);
        self.alerts.on_tick(now, &mut self.changed);
        self.look_at_incidents(now, false);
        self.tell(observer);
    }

    /// Ends: what the detectors held back comes out; open alerts stay open.
    pub fn finish(&mut self, now: Timestamp, observer: &mut dyn Observer) {
        self.on_tick(now, observer);
        if let Some(propagation) = &mut self.propagation {
            propagation.finish(now, &mut self.evidence);
            self.weigh(now, observer);
        }
        self.look_at_incidents(now, true);
        self.tell(observer);
    }

    fn look_at_incidents(&mut self, now: Timestamp, is_end: bool) {
        if let Some(propagation) = &self.propagation {
            let known = (propagation, &self.inventory, &self.scores);
            self.ledger.look(known, now, is_end, &mut self.changed);
        }
    }

    fn weigh(&mut self, now: Timestamp, observer: &mut dyn Observer) {
        for evidence in self.evidence.drain(..) {
            *self.counts.evidence.entry(evidence.detector).or_insert(0) += 1;
            if evidence.detector == Propagation::ID {
                self.ledger.stir();
            }
            if self.allowlist.hides(&evidence) {
                continue;
            }
            let Some(change) = self.scores.add(evidence) else { continue };
            self.touched.push(change.host);
            if let Some(host) = self.scores.get(change.host) {
                self.alerts.on_change(host, now, &mut self.changed);
                if let Some(propagation) = &mut self.propagation {
                    propagation.on_score(host, self.scores.config(), now);
                }
            }
        }
        self.tell(observer);
    }

    fn tell(&mut self, observer: &mut dyn Observer) {
        for mut alert in self.changed.drain(..) {
            if let Some(host) = alert.host {
                self.onsets.on_alert(host);
                let incident = self.propagation.as_ref().and_then(|own| own.incident_of(host));
                if let Some(incident) = incident {
                    self.alerts.join(host, &incident);
                    alert.incident = Some(incident);
                }
            }
            for named in &alert.hosts {
                self.onsets.on_alert(named.host);
                if let (Some(incident), true) = (&alert.incident, alert.status != Status::Closed) {
                    self.alerts.join(named.host, incident);
                }
            }
            observer.on_alert(&alert);
        }
    }

    /// Takes the hosts whose score changed since the last call, each once.
    pub fn take_touched(&mut self) -> Vec<IpAddr> {
        let mut touched = std::mem::take(&mut self.touched);
        touched.sort_unstable();
        touched.dedup();
        touched
    }

    /// What is known of the hosts.
    pub const fn inventory(&self) -> &Inventory {
        &self.inventory
    }

    /// The rules and what they remember.
    pub const fn rules(&self) -> &Rules {
        &self.rules
    }

    /// What is remembered of who did what to whom; nothing where that is switched off.
    pub const fn propagation(&self) -> Option<&Propagation> {
        self.propagation.as_ref()
    }

    /// Who infected whom, at most some seconds of packet time ago; after the end, all that is known.
    pub const fn account(&self) -> &Arc<Account> {
        self.ledger.account()
    }

    /// The alerts about incidents.
    pub const fn incidents(&self) -> &IncidentBook {
        self.ledger.book()
    }

    /// The scores.
    pub const fn scores(&self) -> &ScoreBoard {
        &self.scores
    }

    /// The score of `host` taken apart, as of now.
    pub fn explain(&self, host: &HostScore) -> Explanation {
        let hidden = self.allowlist.hidden_about(host.host);
        Explanation::new(host, self.scores.config(), self.scores.now(), &hidden)
    }

    /// The alerts.
    pub const fn alerts(&self) -> &AlertBook {
        &self.alerts
    }

    /// The allowlist and what it hid.
    pub const fn allowlist(&self) -> &Allowlist {
        &self.allowlist
    }

    /// How far each host got before its first alert.
    pub const fn onsets(&self) -> &Onsets {
        &self.onsets
    }

    /// What has passed.
    pub const fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Bytes that each detector holds, by its id.
    pub fn detector_bytes(&self) -> impl Iterator<Item = (&'static str, usize)> {
        let rules = std::iter::once(("rules", self.rules.state_bytes()));
        let propagation = self.propagation.iter().map(|own| (Propagation::ID, own.state_bytes()));
        self.detectors
            .iter()
            .map(|detector| (detector.id(), detector.state_bytes()))
            .chain(rules)
            .chain(propagation)
    }
}

/// Whether a detector is not switched off.
fn is_on(config: &Config, detector: &str) -> bool {
    !config.detect.disabled.iter().any(|id| id == detector)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::detect::Family;
    use crate::score::testing::{evidence, ip};

    fn weigh(analysis: &mut Analysis, secs: i64, subject: &str) {
        let mut fresh = evidence("scan.horizontal", Family::Failure, 14.0, secs);
        fresh.subject = subject.to_owned();
        analysis.evidence.push(fresh);
        analysis.weigh(Timestamp::from_secs(secs), &mut ());
    }

    #[test]
    fn a_reload_changes_scores_alerts_and_allowlist_and_forgets_nothing() {
        let entry = "source = \"10.0.0.5\"\ndetector = \"scan.slow\"\nreason = \"backup\"";
        let mut config =
            Config { allow: vec![toml::from_str(entry).unwrap()], ..Config::default() };
        let mut analysis = Analysis::new(&config);
        weigh(&mut analysis, 1, "tcp/445");
        let slow = evidence("scan.slow", Family::Novelty, 3.0, 2);
        analysis.evidence.push(slow);
        analysis.weigh(Timestamp::from_secs(2), &mut ());
        let before = analysis.scores().get(ip("10.0.0.5")).unwrap().score;

        config.score.caps.failure = 4.0;
        config.alerts.quiet = Duration::from_secs(60);
        let second = "source = \"10.0.0.9\"\nreason = \"our scanner\"";
        config.allow.insert(0, toml::from_str(second).unwrap());
        analysis.reload(&config);
        weigh(&mut analysis, 3, "tcp/22");
        analysis.on_tick(Timestamp::from_secs(100), &mut ());

        let after = analysis.scores().get(ip("10.0.0.5")).unwrap();
        assert!(before > 90.0 && after.score < 50.0, "{before} {}", after.score);
        assert_eq!(after.evidence.len(), 2);
        assert_eq!(analysis.alerts().open_count(), 0);
        assert_eq!(analysis.alerts().alerts().len(), 1);
        let hidden: Vec<_> =
            analysis.allowlist().reports().iter().map(|report| report.hidden_evidence).collect();
        assert_eq!(hidden, [0, 1]);
        assert_eq!(analysis.counts().evidence["scan.horizontal"], 2);
    }
}

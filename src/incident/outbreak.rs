//! What is known of one incident at one moment, and the alert that says it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::config::NetworkConfig;
use crate::detect::Evidence;
use crate::net::Service;
use crate::score::{HostScore, ScoreBoard, Verdict};
use crate::time::Timestamp;

use super::compose::{COMMUNITY_IDS, CommunityId, EVIDENCE, PEERS, sorted};
use super::{
    Alert, AlertKind, Incident, Infection, Named, Severity, Status, TargetClass, kind_of, paragraph,
};

/// Hosts that an alert names.
const HOSTS: usize = 4096;
/// From so many services on, a worm picks another way in for each target.
const ADAPTIVE_SERVICES: usize = 3;
/// From so many likely infections on, chance is out of the question.
const CRITICAL_INFECTIONS: usize = 2;

/// An incident with its likely infections.
#[derive(Debug)]
pub(super) struct Outbreak<'a> {
    pub(super) incident: &'a Incident,
    /// In order of time; at least one.
    pub(super) infections: Vec<&'a Infection>,
}

/// Sorts the likely infections by incident.
pub(super) fn outbreaks<'a>(
    incidents: &'a [Incident],
    infections: &'a [Infection],
) -> BTreeMap<&'a str, Outbreak<'a>> {
    let new = |incident: &'a Incident| {
        (incident.id.as_str(), Outbreak { incident, infections: Vec::new() })
    };
    let mut outbreaks: BTreeMap<_, _> = incidents.iter().map(new).collect();
    for infection in infections.iter().filter(|infection| infection.is_likely()) {
        if let Some(outbreak) = outbreaks.get_mut(infection.incident.as_str()) {
            outbreak.infections.push(infection);
        }
    }
    outbreaks
}

impl Outbreak<'_> {
    /// Its hosts, patient zero first, then in order of infection, each once.
    pub(super) fn hosts(&self) -> Vec<IpAddr> {
        let mut seen = BTreeSet::new();
        let infected = self.infections.iter().map(|infection| infection.to);
        let all = self.incident.patient_zero.iter().copied().chain(infected);
        all.filter(|host| seen.insert(*host)).collect()
    }

    /// The services over which its hosts were entered, sorted.
    pub(super) fn services(&self) -> Vec<Service> {
        sorted(self.infections.iter().filter_map(|infection| infection.service))
    }

    pub(super) fn severity(&self) -> Severity {
        if self.infections.len() >= CRITICAL_INFECTIONS {
            Severity::Critical
        } else {
            Severity::High
        }
    }

    /// The highest score of its hosts.
    pub(super) fn score(&self, scores: &ScoreBoard) -> f64 {
        let hosts = self.hosts();
        let scores = hosts.iter().filter_map(|host| scores.get(*host));
        scores.map(|host| host.score).fold(0.0, f64::max)
    }

    /// The alert about it, open as of now, without its id. `named` says since when an alert has named
    /// each host, and `notes` what happened to it, a sentence each.
    pub(super) fn compose(
        &self,
        scores: &ScoreBoard,
        named: &BTreeMap<IpAddr, Timestamp>,
        notes: &[String],
        context: &Context<'_>,
    ) -> Alert {
        let Context { now, network, sensor, community_id } = *context;
        let hosts = self.hosts();
        let known: Vec<_> = hosts.iter().filter_map(|host| scores.get(*host)).collect();
        let evidence = ranked(&known);
        let score = self.score(scores);
        let services = self.services();
        let (peers, peers_total) = peers(&evidence, &hosts);
        let conns = evidence.iter().flat_map(|e| &e.conns);
        let mut seen = BTreeSet::new();
        let mut alert = Alert {
            id: String::new(),
            ts: now,
            updated: now,
            status: Status::Open,
            kind: kind(services.len()),
            severity: self.severity(),
            host: None,
            hosts_total: hosts.len() as u64,
            hosts: hosts
                .iter()
                .take(HOSTS)
                .map(|host| Named { host: *host, since: named.get(host).copied().unwrap_or(now) })
                .collect(),
            score,
            verdict: Verdict::of(score),
            detectors: sorted(evidence.iter().map(|e| e.detector)),
            techniques: sorted(evidence.iter().flat_map(|e| e.techniques).copied()),
            services,
            peers,
            peers_total,
            targets: targets(&hosts, network).to_string(),
            community_ids: conns
                .filter(|conn| seen.insert(conn.uid))
                .take(COMMUNITY_IDS)
                .map(community_id)
                .collect(),
            incident: Some(self.incident.id.clone()),
            sensor: sensor.map(str::to_owned),
            summary: String::new(),
            evidence: evidence.iter().take(EVIDENCE).map(|e| (*e).clone()).collect(),
        };
        alert.summary = paragraph::of_incident(&alert, self, notes);
        alert
    }
}

/// What the alerts of a sensor have in common at one moment.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    pub(super) now: Timestamp,
    pub(super) network: &'a NetworkConfig,
    pub(super) sensor: Option<&'a str>,
    pub(super) community_id: CommunityId,
}

pub(super) const fn kind(services: usize) -> AlertKind {
    if services >= ADAPTIVE_SERVICES { AlertKind::AdaptiveWorm } else { AlertKind::Worm }
}

/// All that speaks against these hosts: what says that something spreads first, then the strongest.
fn ranked<'a>(hosts: &[&'a HostScore]) -> Vec<&'a Evidence> {
    let spreads = |e: &Evidence| {
        matches!(kind_of(e.detector), Some(AlertKind::Worm | AlertKind::AdaptiveWorm))
    };
    let all = hosts.iter().flat_map(|host| &host.evidence);
    let mut ranked: Vec<_> = all.filter(|e| kind_of(e.detector).is_some()).collect();
    ranked.sort_by(|a, b| {
        let key = |e: &'a Evidence| (e.host, e.detector, e.subject.as_str());
        spreads(b)
            .cmp(&spreads(a))
            .then_with(|| b.llr.total_cmp(&a.llr))
            .then_with(|| key(a).cmp(&key(b)))
    });
    ranked
}

/// Whom the hosts dealt with beside each other: a sample, and how many at least.
fn peers(evidence: &[&Evidence], hosts: &[IpAddr]) -> (Vec<IpAddr>, u64) {
    let hosts: BTreeSet<_> = hosts.iter().collect();
    let named: BTreeSet<_> =
        evidence.iter().flat_map(|e| &e.peers).filter(|peer| !hosts.contains(peer)).collect();
    // A report that names a sample may be about its hosts too.
    let counted = evidence.iter().map(|e| e.peers_total.saturating_sub(hosts.len() as u64)).max();
    let total = counted.unwrap_or(0).max(named.len() as u64);
    (named.into_iter().copied().take(PEERS).collect(), total)
}

/// The one network in which all hosts are, or that they are in several.
fn targets(hosts: &[IpAddr], network: &NetworkConfig) -> TargetClass {
    let classes: BTreeSet<_> = hosts.iter().map(|host| TargetClass::of(*host, network)).collect();
    match (classes.first(), classes.len()) {
        (Some(class), 1) => *class,
        _ => TargetClass::Many,
    }
}

//! What an alert says: its facts, gathered from the evidence of one identity.

use std::collections::BTreeSet;
use std::mem::size_of;
use std::net::IpAddr;
use std::ops::RangeInclusive;

use ipnet::IpNet;

use crate::config::NetworkConfig;
use crate::detect::Evidence;
use crate::event::Conversation;
use crate::net::Service;
use crate::score::{HostScore, Verdict};
use crate::time::Timestamp;

use super::{Alert, AlertKind, Severity, Status, TargetClass, paragraph};

/// Evidence that an alert carries.
pub(super) const EVIDENCE: usize = 8;
/// Peers that an alert names.
pub(super) const PEERS: usize = 16;
/// Connections that an alert names.
pub(super) const COMMUNITY_IDS: usize = 8;
/// Services that an alert names.
const SERVICES: usize = 64;
/// Beyond this, more of the same says nothing more; it ends the reports of a scan that goes on and
/// on. Above every family's default cap.
const LLR_CEILING: f64 = 12.0;

/// How a connection is named in alerts: `event::community_id`.
pub type CommunityId = fn(&Conversation) -> String;

/// What makes an alert the same alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Identity {
    pub(super) host: IpAddr,
    pub(super) kind: AlertKind,
    pub(super) class: TargetClass,
}

impl Identity {
    /// Where the alerts about `host` lie among all.
    pub(super) fn about(host: IpAddr) -> RangeInclusive<Self> {
        let lowest = TargetClass::Internal(IpNet::default());
        let first = Self { host, kind: AlertKind::Scan, class: lowest };
        let last = Self { host, kind: AlertKind::Sensor, class: TargetClass::Unnamed };
        first..=last
    }
}

/// The evidence of one identity at one moment.
pub(super) struct View<'a> {
    pub(super) host: &'a HostScore,
    pub(super) internal: bool,
    /// The evidence, strongest first.
    pub(super) group: Vec<&'a Evidence>,
    /// For many networks, which.
    pub(super) networks: BTreeSet<TargetClass>,
    pub(super) now: Timestamp,
}

/// What can make an alert grow.
pub(super) struct Facts {
    pub(super) score: f64,
    pub(super) verdict: Verdict,
    pub(super) detectors: Vec<&'static str>,
    pub(super) techniques: Vec<&'static str>,
    pub(super) services: Vec<Service>,
    pub(super) peers: Vec<IpAddr>,
    pub(super) peers_total: u64,
}

impl View<'_> {
    /// The weight of the evidence, in nats.
    pub(super) fn weight(&self) -> f64 {
        self.group.iter().map(|e| e.llr).sum::<f64>().min(LLR_CEILING)
    }

    /// When evidence was last added.
    pub(super) fn active(&self) -> Timestamp {
        self.group.iter().map(|e| e.ts).max().unwrap_or(self.now)
    }

    /// The verdict as of now, not that of the peak: what has faded opens nothing.
    pub(super) fn verdict(&self) -> Verdict {
        Verdict::of(self.host.score)
    }

    pub(super) fn facts(&self, class: TargetClass, network: &NetworkConfig) -> Facts {
        let belongs = |peer: &IpAddr| {
            let of_peer = TargetClass::of(*peer, network);
            if class == TargetClass::Many {
                self.networks.contains(&of_peer)
            } else {
                of_peer == class
            }
        };
        let mut peers: Vec<IpAddr> = Vec::new();
        let mut peers_total = 0;
        for evidence in &self.group {
            let inside: Vec<_> = evidence.peers.iter().copied().filter(belongs).collect();
            // A sample that lies in one class speaks for the rest; a mixed one only for itself.
            let whole = inside.len() == evidence.peers.len();
            let count = if whole { evidence.peers_total } else { inside.len() as u64 };
            peers_total = peers_total.max(count);
            for peer in inside {
                if !peers.contains(&peer) {
                    peers.push(peer);
                }
            }
        }
        let peers_total = peers_total.max(peers.len() as u64);
        peers.truncate(PEERS);
        Facts {
            score: self.host.score,
            verdict: self.verdict(),
            detectors: sorted(self.group.iter().map(|e| e.detector)),
            techniques: sorted(self.group.iter().flat_map(|e| e.techniques).copied()),
            services: sorted(self.group.iter().filter_map(|e| e.service)),
            peers,
            peers_total,
        }
    }
}

impl Facts {
    /// The same, with what the alert knew before: an open alert forgets nothing.
    pub(super) fn merged_with(self, known: &Alert) -> Self {
        let mut services = merged(&self.services, &known.services);
        services.truncate(SERVICES);
        Self {
            score: self.score.max(known.score),
            verdict: self.verdict.max(known.verdict),
            detectors: merged(&self.detectors, &known.detectors),
            techniques: merged(&self.techniques, &known.techniques),
            services,
            peers: self.peers,
            peers_total: self.peers_total.max(known.peers_total),
        }
    }
}

/// What every alert of a sensor has in common.
pub(super) struct Composer {
    pub(super) sensor: Option<String>,
    pub(super) community_id: CommunityId,
}

impl Composer {
    /// The alert of `identity`, open as of now, without its id.
    pub(super) fn compose(&self, identity: Identity, view: &View<'_>, facts: Facts) -> Alert {
        let Identity { host, kind, class } = identity;
        let mut alert = Alert {
            id: String::new(),
            ts: view.now,
            updated: view.now,
            status: Status::Open,
            kind,
            severity: severity(kind, facts.verdict, view.internal),
            host: Some(host),
            hosts: Vec::new(),
            hosts_total: 1,
            score: facts.score,
            verdict: facts.verdict,
            detectors: facts.detectors,
            techniques: facts.techniques,
            services: facts.services,
            community_ids: self.community_ids(view, &facts.peers),
            peers: facts.peers,
            peers_total: facts.peers_total,
            targets: class.to_string(),
            incident: None,
            sensor: self.sensor.clone(),
            summary: String::new(),
            evidence: view.group.iter().take(EVIDENCE).map(|e| (*e).clone()).collect(),
        };
        alert.summary = paragraph::write(&alert, class, view.internal);
        alert
    }

    /// A sample of the connections with these peers.
    fn community_ids(&self, view: &View<'_>, peers: &[IpAddr]) -> Vec<String> {
        let mut seen = BTreeSet::new();
        let named = |conn: &Conversation| {
            peers.is_empty()
                || peers.contains(&conn.client.addr)
                || peers.contains(&conn.server.addr)
        };
        let conns = view.group.iter().flat_map(|e| &e.conns);
        conns
            .filter(|conn| named(conn) && seen.insert(conn.uid))
            .take(COMMUNITY_IDS)
            .map(self.community_id)
            .collect()
    }
}

pub(super) fn sorted<T: Ord>(items: impl Iterator<Item = T>) -> Vec<T> {
    items.collect::<BTreeSet<_>>().into_iter().collect()
}

pub(super) fn merged<T: Ord + Copy>(a: &[T], b: &[T]) -> Vec<T> {
    sorted(a.iter().chain(b).copied())
}

/// How urgent: what an internal host does weighs more than what the internet does to us all day.
fn severity(kind: AlertKind, verdict: Verdict, internal: bool) -> Severity {
    let malicious = verdict == Verdict::Malicious;
    match kind {
        AlertKind::Worm | AlertKind::AdaptiveWorm | AlertKind::Fingerprint if malicious => {
            Severity::Critical
        }
        AlertKind::Worm | AlertKind::AdaptiveWorm => Severity::High,
        AlertKind::InferenceRelay | AlertKind::LateralMovement if malicious => Severity::High,
        AlertKind::Scan | AlertKind::Bruteforce if internal && malicious => Severity::High,
        AlertKind::Scan if !internal => Severity::Low,
        AlertKind::Bruteforce if !internal && !malicious => Severity::Low,
        AlertKind::Scan
        | AlertKind::Bruteforce
        | AlertKind::LateralMovement
        | AlertKind::InferenceRelay
        | AlertKind::Fingerprint
        | AlertKind::Sensor => Severity::Medium,
    }
}

/// Bytes that an alert takes, its place in the book included.
pub(super) fn cost(alert: &Alert) -> usize {
    let evidence: usize = alert
        .evidence
        .iter()
        .map(|e| {
            size_of::<Evidence>()
                + e.subject.len()
                + e.summary.len()
                + size_of_val(e.peers.as_slice())
                + size_of_val(e.conns.as_slice())
        })
        .sum();
    let ids: usize = alert.community_ids.iter().map(|id| size_of::<String>() + id.len()).sum();
    // Once for the alert, its identity and its bookkeeping.
    2 * size_of::<Alert>()
        + alert.summary.len()
        + size_of_val(alert.hosts.as_slice())
        + size_of_val(alert.peers.as_slice())
        + size_of_val(alert.services.as_slice())
        + size_of_val(alert.detectors.as_slice())
        + size_of_val(alert.techniques.as_slice())
        + evidence
        + ids
}

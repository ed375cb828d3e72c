//! What an operator gets: alerts with an identity and a life, not a flood.

use std::net::IpAddr;

use serde::Serialize;

use crate::detect::Evidence;
use crate::net::Service;
use crate::score::Verdict;
use crate::time::Timestamp;

/// Where an alert stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// First seen.
    Open,
    /// Grown since.
    Update,
    /// Quiet for long enough, or the input ended.
    Closed,
}

/// The kind of behaviour an alert is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AlertKind {
    /// Reconnaissance.
    Scan,
    /// Password guessing.
    Bruteforce,
    /// A step from host to host.
    LateralMovement,
    /// A worm.
    Worm,
    /// A worm that picks another way in for each target.
    AdaptiveWorm,
    /// A language model asked through another host.
    InferenceRelay,
    /// Behaviour like a recorded outbreak's.
    Fingerprint,
    /// The sensor itself cannot see as it should.
    Sensor,
}

/// How urgent an alert is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth a look this week.
    Low,
    /// Worth a look today.
    Medium,
    /// Worth a look now.
    High,
    /// Worth waking somebody.
    Critical,
}

/// One alert, as it stands after its last change.
#[derive(Clone, Debug)]
pub struct Alert {
    /// Stable across updates and across runs on the same input.
    pub id: String,
    /// When it first held.
    pub ts: Timestamp,
    /// When it last changed.
    pub updated: Timestamp,
    /// Where it stands.
    pub status: Status,
    /// What it is about.
    pub kind: AlertKind,
    /// How urgent it is.
    pub severity: Severity,
    /// About whom; `None` for the sensor's own.
    pub host: Option<IpAddr>,
    /// The host's posterior, 0 to 100.
    pub score: f64,
    /// The host's verdict.
    pub verdict: Verdict,
    /// Detector ids, sorted.
    pub detectors: Vec<&'static str>,
    /// ATT&CK technique ids, sorted.
    pub techniques: Vec<&'static str>,
    /// Services, sorted.
    pub services: Vec<Service>,
    /// A sample of peers, at most 16.
    pub peers: Vec<IpAddr>,
    /// Peers in all.
    pub peers_total: u64,
    /// The class of targets it is about: a network, or `external`.
    pub targets: String,
    /// A sample of Community IDs, at most 8.
    pub community_ids: Vec<String>,
    /// A paragraph for a person.
    pub summary: String,
    /// The evidence, strongest first.
    pub evidence: Vec<Evidence>,
}

//! What an operator gets: alerts with an identity and a life, not a flood.

mod alerts;
mod compose;
mod config;
mod incidents;
mod json;
mod onset;
mod outbreak;
mod paragraph;
mod sensor;
mod summary;
mod target;

use std::net::IpAddr;

use serde::Serialize;

use crate::detect::Evidence;
use crate::net::Service;
use crate::score::Verdict;
use crate::time::Timestamp;

pub use alerts::AlertBook;
pub(crate) use alerts::digest;
pub use compose::CommunityId;
pub use config::AlertConfig;
pub use incidents::IncidentBook;
pub use json::{EvidenceDoc, IncidentDoc, InfectionDoc, rounded};
pub use onset::Onsets;
pub(crate) use paragraph::{counted, span};
pub use sensor::{SensorWatch, Signs, Trouble};
pub use summary::{
    Exposed, HostReport, Incident, Infection, InputSummary, Origin, Summary, Traffic,
};
pub use target::{TargetClass, kind_of};

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

impl AlertKind {
    /// The name, as in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Scan => "scan",
            Self::Bruteforce => "bruteforce",
            Self::LateralMovement => "lateral-movement",
            Self::Worm => "worm",
            Self::AdaptiveWorm => "adaptive-worm",
            Self::InferenceRelay => "inference-relay",
            Self::Fingerprint => "fingerprint",
            Self::Sensor => "sensor",
        }
    }
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

impl Severity {
    /// The name, as in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

/// A host of an incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Named {
    /// Which.
    pub host: IpAddr,
    /// When the incident's alert first named it.
    pub since: Timestamp,
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
    /// About whom; `None` for an incident's and the sensor's own.
    pub host: Option<IpAddr>,
    /// For an incident, its hosts in the order in which they were infected, at most 4096.
    pub hosts: Vec<Named>,
    /// Hosts that it is about in all.
    pub hosts_total: u64,
    /// The highest posterior of a host while it is open, 0 to 100.
    pub score: f64,
    /// The verdict that it deserves.
    pub verdict: Verdict,
    /// Detector ids, sorted.
    pub detectors: Vec<&'static str>,
    /// ATT&CK technique ids, sorted.
    pub techniques: Vec<&'static str>,
    /// Services, sorted.
    pub services: Vec<Service>,
    /// A sample of peers, at most 16.
    pub peers: Vec<IpAddr>,
    /// Peers in all, at least.
    pub peers_total: u64,
    /// The class of targets it is about: `internal 10.1.0.0/16`, `external`, `many networks`.
    pub targets: String,
    /// A sample of Community IDs, at most 8.
    pub community_ids: Vec<String>,
    /// The incident it belongs to, where it is one.
    pub incident: Option<String>,
    /// The name of the sensor, where it has one.
    pub sensor: Option<String>,
    /// A paragraph for a person.
    pub summary: String,
    /// The evidence, strongest first, at most 8.
    pub evidence: Vec<Evidence>,
}

impl Alert {
    /// Since when it has named `host`, if it is about it.
    pub fn names(&self, host: IpAddr) -> Option<Timestamp> {
        if self.host == Some(host) {
            return Some(self.ts);
        }
        self.hosts.iter().find(|named| named.host == host).map(|named| named.since)
    }
}

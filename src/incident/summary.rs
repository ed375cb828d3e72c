//! What an analysis gives in the end: what came in, which hosts, which alerts.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use serde::Serialize;

use crate::net::Service;
use crate::score::{AllowReport, Hidden, HostScore};
use crate::source::InputReport;
use crate::time::Timestamp;

use super::Alert;

/// The result of one analysis. Everything but `elapsed` is deterministic.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// The inputs, in the order they were given.
    pub inputs: Vec<InputSummary>,
    /// Every host with evidence, highest peak first, ties by address.
    pub hosts: Vec<HostReport>,
    /// Who infected whom, in order of time.
    pub infections: Vec<Infection>,
    /// The trees that infections make.
    pub incidents: Vec<Incident>,
    /// Who had business with whom, as far as remembered, most connections first.
    pub traffic: Vec<Traffic>,
    /// Pairs of hosts and services whose business was forgotten for want of space.
    pub traffic_forgotten: u64,
    /// Every alert as it stands, in order of time.
    pub alerts: Vec<Alert>,
    /// What each entry of the allowlist hid.
    pub allowed: Vec<AllowReport>,
    /// Unusual things that a person should know, a sentence each.
    pub notices: Vec<String>,
    /// Packets read.
    pub packets: u64,
    /// Connections seen.
    pub connections: u64,
    /// Events that reached the detectors.
    pub events: u64,
    /// Hosts seen, with or without evidence.
    pub hosts_seen: u64,
    /// Over all hosts seen, the time between first and last sight of each.
    pub host_time: Duration,
    /// Wall time that the analysis took.
    pub elapsed: Duration,
}

impl Summary {
    /// When the first packet of any input came.
    pub fn first_ts(&self) -> Option<Timestamp> {
        self.inputs.iter().filter_map(|input| input.report.first_ts).min()
    }

    /// When the last packet of any input came.
    pub fn last_ts(&self) -> Option<Timestamp> {
        self.inputs.iter().filter_map(|input| input.report.last_ts).max()
    }

    /// The report on `host`.
    pub fn host(&self, host: IpAddr) -> Option<&HostReport> {
        self.hosts.iter().find(|report| report.score.host == host)
    }

    /// When the first alert named `host`: one of its own, or that of an incident it is in.
    pub fn first_alert(&self, host: IpAddr) -> Option<Timestamp> {
        self.alerts.iter().filter_map(|alert| alert.names(host)).min()
    }
}

/// What became of one input.
#[derive(Clone, Debug, Default)]
pub struct InputSummary {
    /// What the source says.
    pub report: InputReport,
    /// Frames that could not be used, by reason.
    pub decode_errors: BTreeMap<&'static str, u64>,
}

/// A host with evidence, and what else is known of it.
#[derive(Clone, Debug)]
pub struct HostReport {
    /// Its score and evidence.
    pub score: HostScore,
    /// Whether it is ours.
    pub internal: bool,
    /// When it was first seen.
    pub first_seen: Timestamp,
    /// When it was last seen.
    pub last_seen: Timestamp,
    /// What it is, as far as its behaviour tells, sorted.
    pub roles: Vec<&'static str>,
    /// Connections that it opened.
    pub connections: u64,
    /// Connections that it had opened when its first alert did.
    pub connections_to_alert: Option<u64>,
    /// Evidence that the allowlist hid.
    pub hidden: Vec<Hidden>,
}

/// One host infected another.
#[derive(Clone, Debug, PartialEq)]
pub struct Infection {
    /// Who.
    pub from: IpAddr,
    /// Whom.
    pub to: IpAddr,
    /// When.
    pub at: Timestamp,
    /// How sure, 0 to 1.
    pub confidence: f64,
    /// Distance of `to` from patient zero.
    pub generation: u32,
    /// Over which service, where known.
    pub service: Option<Service>,
    /// The incident that it belongs to.
    pub incident: String,
    /// What speaks for it, a phrase each, strongest first.
    pub reasons: Vec<String>,
    /// Who else could have done it, and how sure that is, 0 to 1.
    pub runner_up: Option<(IpAddr, f64)>,
}

impl Infection {
    /// Whether it is likelier than not.
    pub fn is_likely(&self) -> bool {
        self.confidence >= 0.5
    }
}

/// Where an incident came from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// Patient zero is one of ours, and was watched for longer than any victim took to go on: it got
    /// the worm in a way that no sensor of the network sees, or by hand.
    #[default]
    Inside,
    /// Patient zero had been seen for no longer than a victim takes to go on: who infected it may have
    /// come before that, or before the capture began.
    Before,
    /// Patient zero is none of ours.
    Outside,
}

impl Origin {
    /// What to say beside "patient zero", if anything.
    pub const fn words(self) -> Option<&'static str> {
        match self {
            Self::Inside => None,
            Self::Before => Some("perhaps infected before it was first seen"),
            Self::Outside => Some("from outside"),
        }
    }
}

/// A tree of infections.
#[derive(Clone, Debug, PartialEq)]
pub struct Incident {
    /// Stable across updates.
    pub id: String,
    /// When the first host was infected, as far as was seen.
    pub since: Timestamp,
    /// When it last grew.
    pub updated: Timestamp,
    /// Hosts that nobody here infected.
    pub patient_zero: Vec<IpAddr>,
    /// Where it came from, as far as can be told.
    pub origin: Origin,
    /// Hosts infected, patient zero among them.
    pub hosts: u64,
    /// Depth of the tree.
    pub generations: u32,
    /// Mean number of hosts that an infected host infects.
    pub reproduction_number: f64,
    /// An interval that holds it with 95 %.
    pub reproduction_interval: (f64, f64),
    /// In what time the number of infected hosts doubles, where it grew.
    pub doubling_time: Option<Duration>,
    /// Who is likely to be next, and why: those first that were contacted.
    pub exposed: Vec<Exposed>,
}

/// A host that an incident may reach next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Exposed {
    /// Which.
    pub host: IpAddr,
    /// The infected host that called it last, or that was infected last.
    pub from: IpAddr,
    /// Over which service.
    pub service: Service,
    /// Whether it was contacted over it already; otherwise it merely offers it.
    pub contacted: bool,
}

/// What passed between two hosts over one service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traffic {
    /// Who called.
    pub client: IpAddr,
    /// Who was called.
    pub server: IpAddr,
    /// For what.
    pub service: Service,
    /// Connections that were let in.
    pub connections: u64,
    /// When the last of them began.
    pub last: Timestamp,
}

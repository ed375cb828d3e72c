//! Alerts, evidence, infections and incidents as JSON. Names, once published, only ever gain neighbours.

use std::net::IpAddr;

use serde::{Serialize, Serializer};

use crate::detect::{Evidence, Family};
use crate::net::Service;
use crate::score::Verdict;
use crate::time::Timestamp;

use super::{Alert, AlertKind, Exposed, Incident, Infection, Origin, Severity, Status};

/// The name and version of the alert's shape.
const SCHEMA: &str = "wormwatch.alert/1";

/// `value` to `decimals` places, so that outputs do not carry the last bits of a sum.
pub fn rounded(value: f64, decimals: i32) -> f64 {
    let factor = 10_f64.powi(decimals);
    (value * factor).round() / factor
}

/// Evidence as JSON.
#[derive(Debug, Serialize)]
pub struct EvidenceDoc<'a> {
    ts: Timestamp,
    host: IpAddr,
    detector: &'static str,
    family: Family,
    llr: f64,
    peers: &'a [IpAddr],
    peers_total: u64,
    service: Option<Service>,
    subject: &'a str,
    techniques: &'static [&'static str],
    forgeable: bool,
    summary: &'a str,
}

impl<'a> From<&'a Evidence> for EvidenceDoc<'a> {
    fn from(evidence: &'a Evidence) -> Self {
        Self {
            ts: evidence.ts,
            host: evidence.host,
            detector: evidence.detector,
            family: evidence.family,
            llr: rounded(evidence.llr, 2),
            peers: &evidence.peers,
            peers_total: evidence.peers_total,
            service: evidence.service,
            subject: &evidence.subject,
            techniques: evidence.techniques,
            forgeable: evidence.forgeable,
            summary: &evidence.summary,
        }
    }
}

#[derive(Serialize)]
struct AlertDoc<'a> {
    schema: &'static str,
    id: &'a str,
    ts: Timestamp,
    updated: Timestamp,
    status: Status,
    kind: AlertKind,
    severity: Severity,
    host: Option<IpAddr>,
    hosts: Vec<IpAddr>,
    hosts_total: u64,
    score: f64,
    verdict: Verdict,
    detectors: &'a [&'static str],
    techniques: &'a [&'static str],
    services: &'a [Service],
    peers: &'a [IpAddr],
    peers_total: u64,
    targets: &'a str,
    community_ids: &'a [String],
    incident: Option<&'a str>,
    sensor: Option<&'a str>,
    summary: &'a str,
    evidence: Vec<EvidenceDoc<'a>>,
}

/// The object of `--alerts`, of `replay --json` and of every sink.
impl Serialize for Alert {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        AlertDoc {
            schema: SCHEMA,
            id: &self.id,
            ts: self.ts,
            updated: self.updated,
            status: self.status,
            kind: self.kind,
            severity: self.severity,
            host: self.host,
            hosts: self.host.into_iter().chain(self.hosts.iter().map(|of| of.host)).collect(),
            hosts_total: self.hosts_total,
            score: rounded(self.score, 1),
            verdict: self.verdict,
            detectors: &self.detectors,
            techniques: &self.techniques,
            services: &self.services,
            peers: &self.peers,
            peers_total: self.peers_total,
            targets: &self.targets,
            community_ids: &self.community_ids,
            incident: self.incident.as_deref(),
            sensor: self.sensor.as_deref(),
            summary: &self.summary,
            evidence: self.evidence.iter().map(EvidenceDoc::from).collect(),
        }
        .serialize(serializer)
    }
}

/// An infection as JSON.
#[derive(Debug, Serialize)]
pub struct InfectionDoc<'a> {
    from: IpAddr,
    to: IpAddr,
    at: Timestamp,
    confidence: f64,
    generation: u32,
    service: Option<Service>,
    incident: &'a str,
    reasons: &'a [String],
    runner_up: Option<RunnerUpDoc>,
}

#[derive(Debug, Serialize)]
struct RunnerUpDoc {
    from: IpAddr,
    confidence: f64,
}

impl<'a> From<&'a Infection> for InfectionDoc<'a> {
    fn from(infection: &'a Infection) -> Self {
        Self {
            from: infection.from,
            to: infection.to,
            at: infection.at,
            confidence: rounded(infection.confidence, 2),
            generation: infection.generation,
            service: infection.service,
            incident: &infection.incident,
            reasons: &infection.reasons,
            runner_up: infection
                .runner_up
                .map(|(from, sure)| RunnerUpDoc { from, confidence: rounded(sure, 2) }),
        }
    }
}

/// An incident as JSON.
#[derive(Debug, Serialize)]
pub struct IncidentDoc<'a> {
    id: &'a str,
    patient_zero: &'a [IpAddr],
    origin: Origin,
    hosts: u64,
    generations: u32,
    reproduction_number: f64,
    reproduction_interval: [f64; 2],
    doubling_time_s: Option<f64>,
    since: Timestamp,
    updated: Timestamp,
    exposed: &'a [Exposed],
}

impl<'a> From<&'a Incident> for IncidentDoc<'a> {
    fn from(incident: &'a Incident) -> Self {
        let (low, high) = incident.reproduction_interval;
        Self {
            id: &incident.id,
            patient_zero: &incident.patient_zero,
            origin: incident.origin,
            hosts: incident.hosts,
            generations: incident.generations,
            reproduction_number: rounded(incident.reproduction_number, 2),
            reproduction_interval: [rounded(low, 2), rounded(high, 2)],
            doubling_time_s: incident.doubling_time.map(|time| rounded(time.as_secs_f64(), 3)),
            since: incident.since,
            updated: incident.updated,
            exposed: &incident.exposed,
        }
    }
}

//! `replay --json`: one document whose names only ever gain neighbours.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::Serialize;

use crate::incident::{
    Alert, EvidenceDoc, HostReport, IncidentDoc, InfectionDoc, InputSummary, Summary, rounded,
};
use crate::score::{AllowReport, Verdict};
use crate::time::Timestamp;

/// The name and version of the document's shape.
const SCHEMA: &str = "wormwatch.replay/1";

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    inputs: Vec<InputDoc<'a>>,
    hosts: Vec<HostDoc<'a>>,
    infections: Vec<InfectionDoc<'a>>,
    incidents: Vec<IncidentDoc<'a>>,
    alerts: &'a [Alert],
    stats: StatsDoc<'a>,
}

#[derive(Serialize)]
struct InputDoc<'a> {
    path: &'a str,
    packets: u64,
    bytes: u64,
    first_ts: Option<Timestamp>,
    last_ts: Option<Timestamp>,
    truncated: bool,
    decode_errors: &'a BTreeMap<&'static str, u64>,
    damage: Option<&'a str>,
    time_went_back: u64,
}

#[derive(Serialize)]
struct HostDoc<'a> {
    host: IpAddr,
    /// The highest it ever was, which is what the verdict and the order of hosts follow.
    score: f64,
    verdict: Verdict,
    internal: bool,
    first_seen: Timestamp,
    last_seen: Timestamp,
    roles: &'a [&'static str],
    detectors: Vec<&'static str>,
    techniques: Vec<&'static str>,
    evidence: Vec<EvidenceDoc<'a>>,
    /// What age has left of it by the end of the input.
    score_now: f64,
    connections: u64,
}

#[derive(Serialize)]
struct StatsDoc<'a> {
    packets: u64,
    connections: u64,
    events: u64,
    elapsed_s: f64,
    hosts: u64,
    allowed: &'a [AllowReport],
    notices: &'a [String],
}

/// Writes the document of `summary`, on one line.
pub(super) fn render(summary: &Summary) -> String {
    let document = Document {
        schema: SCHEMA,
        inputs: summary.inputs.iter().map(InputDoc::from).collect(),
        hosts: summary.hosts.iter().map(HostDoc::from).collect(),
        infections: summary.infections.iter().map(InfectionDoc::from).collect(),
        incidents: summary.incidents.iter().map(IncidentDoc::from).collect(),
        alerts: &summary.alerts,
        stats: StatsDoc {
            packets: summary.packets,
            connections: summary.connections,
            events: summary.events,
            elapsed_s: rounded(summary.elapsed.as_secs_f64(), 3),
            hosts: summary.hosts_seen,
            allowed: &summary.allowed,
            notices: &summary.notices,
        },
    };
    serde_json::to_string(&document).expect("the document has only text for keys") + "\n"
}

impl<'a> From<&'a InputSummary> for InputDoc<'a> {
    fn from(input: &'a InputSummary) -> Self {
        let report = &input.report;
        Self {
            path: &report.name,
            packets: report.packets,
            bytes: report.bytes,
            first_ts: report.first_ts,
            last_ts: report.last_ts,
            truncated: report.damage.is_some(),
            decode_errors: &input.decode_errors,
            damage: report.damage.as_deref(),
            time_went_back: report.time_went_back,
        }
    }
}

impl<'a> From<&'a HostReport> for HostDoc<'a> {
    fn from(report: &'a HostReport) -> Self {
        let score = &report.score;
        Self {
            host: score.host,
            score: rounded(score.peak, 1),
            verdict: score.verdict,
            internal: report.internal,
            first_seen: report.first_seen,
            last_seen: report.last_seen,
            roles: &report.roles,
            detectors: score.detectors(),
            techniques: score.techniques(),
            evidence: score.evidence.iter().map(EvidenceDoc::from).collect(),
            score_now: rounded(score.score, 1),
            connections: report.connections,
        }
    }
}

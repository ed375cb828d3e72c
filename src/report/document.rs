//! What the page is told, as JSON. It is the page's own: programs read `replay --json`.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::Serialize;

use super::forest::{Tree, forest};
use crate::detect::Family;
use crate::incident::{EvidenceDoc, Exposed, HostReport, Infection, Summary, rounded, span};
use crate::net::Service;
use crate::score::{ExplainedFamily, Explanation, ScoreConfig, weigh};
use crate::time::Timestamp;

/// Inputs named.
const INPUTS: usize = 20;
/// Hosts drawn, of each incident and in the tables.
const HOSTS: usize = 500;
/// Hosts named for each incident that may be next.
const EXPOSED: usize = 100;
/// Services in the chart.
const SERVICES: usize = 20;

/// Everything on the page.
#[derive(Serialize)]
pub(super) struct Document<'a> {
    version: &'static str,
    inputs: Vec<InputDoc<'a>>,
    inputs_total: usize,
    first_ts: Option<Timestamp>,
    last_ts: Option<Timestamp>,
    packets: u64,
    connections: u64,
    hosts_seen: u64,
    notices: &'a [String],
    incidents: Vec<IncidentDoc<'a>>,
    hosts: Vec<HostDoc<'a>>,
    hosts_total: usize,
    services: Vec<ServiceDoc>,
    services_total: usize,
}

#[derive(Serialize)]
struct InputDoc<'a> {
    name: &'a str,
    packets: u64,
    damage: Option<&'a str>,
}

#[derive(Serialize)]
struct IncidentDoc<'a> {
    id: &'a str,
    since: Timestamp,
    updated: Timestamp,
    hosts: u64,
    generations: u32,
    reproduction_number: f64,
    reproduction_interval: [f64; 2],
    doubling: Option<String>,
    origin: Option<&'static str>,
    members: Vec<MemberDoc<'a>>,
    left_out: usize,
    exposed: &'a [Exposed],
    exposed_total: usize,
}

/// A host of a tree; those it infected come after it.
#[derive(Serialize)]
struct MemberDoc<'a> {
    host: IpAddr,
    depth: usize,
    at: Timestamp,
    from: Option<IpAddr>,
    service: Option<Service>,
    confidence: Option<f64>,
    reasons: &'a [String],
    runner_up: Option<(IpAddr, f64)>,
}

#[derive(Serialize)]
struct HostDoc<'a> {
    host: IpAddr,
    verdict: &'static str,
    peak: f64,
    internal: bool,
    roles: &'a [&'static str],
    first_seen: Timestamp,
    last_seen: Timestamp,
    connections: u64,
    techniques: Vec<&'static str>,
    /// The moment for which the sum is done.
    at: Timestamp,
    score: f64,
    prior: f64,
    log_odds: f64,
    families: Vec<FamilyDoc>,
    evidence: Vec<WeighedDoc<'a>>,
    hidden: Vec<String>,
}

#[derive(Serialize)]
struct FamilyDoc {
    family: String,
    sum: f64,
    cap: f64,
    counted: f64,
}

#[derive(Serialize)]
struct WeighedDoc<'a> {
    #[serde(flatten)]
    evidence: EvidenceDoc<'a>,
    /// What it counts for before its family's cap.
    nats: f64,
}

/// How often a service was used for harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
struct ServiceDoc {
    service: Service,
    evidence: u64,
    infections: u64,
}

impl<'a> Document<'a> {
    /// What the page shows of `summary`.
    pub(super) fn new(summary: &'a Summary, config: &ScoreConfig) -> Self {
        let services = services(summary);
        Self {
            version: env!("CARGO_PKG_VERSION"),
            inputs: summary
                .inputs
                .iter()
                .take(INPUTS)
                .map(|input| InputDoc {
                    name: &input.report.name,
                    packets: input.report.packets,
                    damage: input.report.damage.as_deref(),
                })
                .collect(),
            inputs_total: summary.inputs.len(),
            first_ts: summary.first_ts(),
            last_ts: summary.last_ts(),
            packets: summary.packets,
            connections: summary.connections,
            hosts_seen: summary.hosts_seen,
            notices: &summary.notices,
            incidents: forest(summary, HOSTS).iter().map(IncidentDoc::from).collect(),
            hosts: summary
                .hosts
                .iter()
                .take(HOSTS)
                .map(|host| HostDoc::new(host, config))
                .collect(),
            hosts_total: summary.hosts.len(),
            services_total: services.len(),
            services: services.into_iter().take(SERVICES).collect(),
        }
    }
}

impl<'a> From<&Tree<'a>> for IncidentDoc<'a> {
    fn from(tree: &Tree<'a>) -> Self {
        let incident = tree.incident;
        let (low, high) = incident.reproduction_interval;
        let members = tree.members.iter().map(|member| match member.infection {
            Some(infection) => MemberDoc::infected(infection, member.depth),
            None => MemberDoc::patient_zero(member.host, incident.since),
        });
        Self {
            id: &incident.id,
            since: incident.since,
            updated: incident.updated,
            hosts: incident.hosts,
            generations: incident.generations,
            reproduction_number: rounded(incident.reproduction_number, 2),
            reproduction_interval: [rounded(low, 2), rounded(high, 2)],
            doubling: incident.doubling_time.map(span),
            origin: incident.origin.words(),
            members: members.collect(),
            left_out: tree.left_out,
            exposed: incident.exposed.get(..EXPOSED).unwrap_or(&incident.exposed),
            exposed_total: incident.exposed.len(),
        }
    }
}

impl<'a> MemberDoc<'a> {
    const fn patient_zero(host: IpAddr, at: Timestamp) -> Self {
        Self {
            host,
            depth: 0,
            at,
            from: None,
            service: None,
            confidence: None,
            reasons: &[],
            runner_up: None,
        }
    }

    fn infected(infection: &'a Infection, depth: usize) -> Self {
        Self {
            host: infection.to,
            depth,
            at: infection.at,
            from: Some(infection.from),
            service: infection.service,
            confidence: Some(rounded(infection.confidence, 2)),
            reasons: &infection.reasons,
            runner_up: infection.runner_up.map(|(host, sure)| (host, rounded(sure, 2))),
        }
    }
}

impl<'a> HostDoc<'a> {
    fn new(report: &'a HostReport, config: &ScoreConfig) -> Self {
        let score = &report.score;
        let at = score.last_evidence;
        let explanation = Explanation::new(score, config, at, &report.hidden);
        Self {
            host: score.host,
            verdict: score.verdict.as_str(),
            peak: rounded(score.peak, 1),
            internal: report.internal,
            roles: &report.roles,
            first_seen: report.first_seen,
            last_seen: report.last_seen,
            connections: report.connections,
            techniques: score.techniques(),
            at,
            score: explanation.score,
            prior: explanation.prior,
            log_odds: explanation.log_odds,
            families: explanation.families.into_iter().map(FamilyDoc::from).collect(),
            evidence: score
                .evidence
                .iter()
                .map(|evidence| WeighedDoc {
                    evidence: EvidenceDoc::from(evidence),
                    nats: rounded(weigh(evidence, config, at).nats, 2),
                })
                .collect(),
            hidden: explanation.hidden,
        }
    }
}

impl From<ExplainedFamily> for FamilyDoc {
    fn from(family: ExplainedFamily) -> Self {
        let ExplainedFamily { family, sum, cap, counted, .. } = family;
        Self { family, sum, cap, counted }
    }
}

/// How often each service appears in evidence and infections, most often first.
fn services(summary: &Summary) -> Vec<ServiceDoc> {
    let mut counts: BTreeMap<Service, (u64, u64)> = BTreeMap::new();
    let evidence = summary.hosts.iter().flat_map(|host| &host.score.evidence);
    // A new device says nothing about what was attacked.
    for service in evidence.filter(|e| e.family != Family::Context).filter_map(|e| e.service) {
        counts.entry(service).or_default().0 += 1;
    }
    for service in summary.infections.iter().filter_map(|infection| infection.service) {
        counts.entry(service).or_default().1 += 1;
    }
    let mut services: Vec<_> = counts
        .into_iter()
        .map(|(service, (evidence, infections))| ServiceDoc { service, evidence, infections })
        .collect();
    services.sort_by_key(|doc| std::cmp::Reverse((doc.infections + doc.evidence, doc.infections)));
    services
}

#[cfg(test)]
mod tests {
    use super::super::testing::outbreak;
    use super::*;

    #[test]
    fn services_are_counted_in_evidence_and_infections() {
        let services = services(&outbreak());

        let told: Vec<_> =
            services.iter().map(|s| (s.service.to_string(), s.evidence, s.infections)).collect();
        assert_eq!(
            told,
            [
                ("tcp/445".to_owned(), 2, 3),
                ("tcp/22".to_owned(), 1, 1),
                ("tcp/3389".to_owned(), 0, 1)
            ]
        );
    }

    #[test]
    fn a_large_outbreak_is_cut_and_counted() {
        let mut summary = outbreak();
        let one = summary.hosts[0].clone();
        summary.hosts.resize(HOSTS + 7, one);

        let document = Document::new(&summary, &ScoreConfig::default());

        assert_eq!(document.hosts.len(), HOSTS);
        assert_eq!(document.hosts_total, HOSTS + 7);
    }
}

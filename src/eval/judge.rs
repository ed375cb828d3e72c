//! One capture's summary held against its truth.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::detect::{Evidence, Family};
use crate::incident::Summary;
use crate::score::{HostScore, ScoreConfig, Verdict, is_under, posterior, weigh};

use super::baseline::Baseline;
use super::truth::{Known, TrueHost, Truth};

/// What came of one capture.
#[derive(Clone, Debug, Default)]
pub struct Capture {
    /// The capture, relative to the folder evaluated.
    pub path: PathBuf,
    /// Its class.
    pub label: String,
    /// Where it comes from; captures of one origin share hosts, makers and habits.
    pub origin: String,
    /// Whether any suspicious host at all is a false positive.
    pub benign: bool,
    /// Why it could not be analysed; then nothing was found in it.
    pub failure: Option<String>,
    /// Whether hosts that are not named are known to be benign, so that a false alarm can be told.
    pub others_are_known: bool,
    /// Every host whose truth is known, by address: the named ones, and others with evidence.
    pub hosts: Vec<Judged>,
    /// Over its hosts, the time between first and last sight of each.
    pub host_time: Duration,
    /// Benign hosts that were seen and have no evidence, as far as they can be told.
    pub quiet_hosts: u64,
    /// Infections before the first alert about a malicious host, of those whose time is known.
    pub infected_before_alert: Option<u64>,
    /// Infections claimed and true.
    pub edges: Edges,
    /// What each baseline said, in the order asked for.
    pub rivals: Vec<Rival>,
}

/// What a baseline said of one capture.
#[derive(Clone, Debug)]
pub struct Rival {
    /// Which.
    pub baseline: Baseline,
    /// Malicious hosts that it accused.
    pub found: BTreeSet<IpAddr>,
    /// Benign hosts that it accused.
    pub false_alarms: BTreeSet<IpAddr>,
}

/// A host whose truth is known.
#[derive(Clone, Debug)]
pub struct Judged {
    /// The host.
    pub host: IpAddr,
    /// Whether it really is malicious.
    pub malicious: bool,
    /// The highest posterior, 0 to 100; that of the prior if nothing was found.
    pub score: f64,
    /// The verdict.
    pub verdict: Verdict,
    /// Detectors that spoke, sorted.
    pub detectors: Vec<&'static str>,
    /// Whether any of the detectors that should have spoken did; `None` if the truth names none.
    pub right_detector: Option<bool>,
    /// Detectors that should have spoken.
    pub classes: Vec<String>,
    /// ATT&CK techniques that its evidence speaks of, sorted.
    pub techniques: Vec<&'static str>,
    /// ATT&CK techniques that it used, as far as the truth tells.
    pub true_techniques: Vec<String>,
    /// Its evidence, weighed as of the last piece.
    pub evidence: Vec<Weighed>,
    /// From its first packet to its first alert.
    pub time_to_alert: Option<Duration>,
    /// Connections that it had opened by then.
    pub connections_to_alert: Option<u64>,
}

/// A piece of evidence, and what it counts for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weighed {
    /// Who said it.
    pub detector: &'static str,
    /// Its family.
    pub family: Family,
    /// What it counts for before its family's cap, in nats.
    pub nats: f64,
}

impl Weighed {
    /// As sums over families take it.
    pub(super) fn nats_of_family(&self) -> (Family, f64) {
        (self.family, self.nats)
    }
}

/// Infections claimed and true.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Edges {
    /// Claimed, where the truth could contradict.
    pub claimed: u64,
    /// True.
    pub real: u64,
    /// Both.
    pub hit: u64,
}

/// Holds `summary`, and whom the baselines accused, against `truth`. Without a summary, which is a
/// capture that could not be analysed, every malicious host was missed.
pub(super) fn judge(
    path: PathBuf,
    truth: &Truth,
    summary: Result<&Summary, String>,
    accused: Vec<(Baseline, BTreeSet<IpAddr>)>,
    score: &ScoreConfig,
) -> Capture {
    let nothing = Summary::default();
    let (summary, failure) = match summary {
        Ok(summary) => (summary, None),
        Err(failure) => (&nothing, Some(failure)),
    };
    let mut named = BTreeMap::new();
    for host in &truth.hosts {
        if let Ok(address) = host.address.parse::<IpAddr>() {
            named.insert(address, host);
        }
    }
    let known = |host: &IpAddr| match named.get(host).map_or(truth.others, |named| named.verdict) {
        Known::Malicious => Some(true),
        Known::Benign => Some(false),
        Known::Unknown => None,
    };
    let others = summary.hosts.iter().map(|report| report.score.host);
    let addresses: BTreeSet<IpAddr> = named.keys().copied().chain(others).collect();
    let others_are_known = truth.others == Known::Benign;
    let quiet = summary.hosts_seen.saturating_sub(addresses.len() as u64);
    let mut hosts = Vec::new();
    for host in addresses {
        if let Some(malicious) = known(&host) {
            hosts.push(judge_host(host, malicious, named.get(&host).copied(), summary, score));
        }
    }
    let rival = |(baseline, accused): (Baseline, BTreeSet<IpAddr>)| {
        let of = |malicious: bool| {
            accused.iter().copied().filter(|h| known(h) == Some(malicious)).collect()
        };
        Rival { baseline, found: of(true), false_alarms: of(false) }
    };
    Capture {
        path,
        label: truth.label.clone(),
        origin: truth.origin.split(": ").next().unwrap_or_default().to_owned(),
        benign: truth.benign,
        failure,
        others_are_known,
        quiet_hosts: if others_are_known { quiet } else { 0 },
        infected_before_alert: infected_before_alert(truth, &hosts, summary),
        edges: edges(truth, summary),
        host_time: summary.host_time,
        rivals: accused.into_iter().map(rival).collect(),
        hosts,
    }
}

fn judge_host(
    host: IpAddr,
    malicious: bool,
    truth: Option<&TrueHost>,
    summary: &Summary,
    score: &ScoreConfig,
) -> Judged {
    let report = summary.host(host);
    let classes = truth.map(|named| named.classes.clone()).unwrap_or_default();
    let detectors = report.map(|r| r.score.detectors()).unwrap_or_default();
    let spoke = |class: &String| detectors.iter().any(|detector| is_under(detector, class));
    let right_detector = (!classes.is_empty()).then(|| classes.iter().any(spoke));
    let alert = summary.first_alert(host);
    Judged {
        host,
        malicious,
        score: report.map_or_else(|| posterior(score.prior), |r| r.score.peak),
        verdict: report.map_or(Verdict::Benign, |r| r.score.verdict),
        right_detector,
        time_to_alert: report.zip(alert).map(|(r, alert)| alert.since(r.first_seen)),
        connections_to_alert: report.and_then(|r| r.connections_to_alert),
        techniques: report.map(|r| r.score.techniques()).unwrap_or_default(),
        true_techniques: truth.map(|named| named.techniques.clone()).unwrap_or_default(),
        evidence: report.map(|r| weighed(&r.score, score)).unwrap_or_default(),
        detectors,
        classes,
    }
}

fn weighed(host: &HostScore, score: &ScoreConfig) -> Vec<Weighed> {
    let weighed = |evidence: &Evidence| Weighed {
        detector: evidence.detector,
        family: evidence.family,
        nats: weigh(evidence, score, host.last_evidence).nats,
    };
    host.evidence.iter().map(weighed).collect()
}

fn infected_before_alert(truth: &Truth, hosts: &[Judged], summary: &Summary) -> Option<u64> {
    let infections: Vec<_> = truth.infections.iter().filter_map(|i| i.moment()).collect();
    if infections.is_empty() {
        return None;
    }
    let alerts = hosts.iter().filter(|h| h.malicious).filter_map(|h| summary.first_alert(h.host));
    let first = alerts.min();
    let before = infections.iter().filter(|at| first.is_none_or(|alert| **at < alert));
    Some(before.count() as u64)
}

fn edges(truth: &Truth, summary: &Summary) -> Edges {
    let real: BTreeSet<_> = truth.infections.iter().map(|i| (i.from, i.to)).collect();
    let claimed = summary.infections.iter().filter(|infection| infection.is_likely());
    let claimed: BTreeSet<_> = claimed.map(|i| (i.from, i.to)).collect();
    let hit = claimed.intersection(&real).count() as u64;
    // Where the truth names no infection and is not benign, it says nothing about them.
    let contradicts = truth.benign || !real.is_empty();
    Edges {
        claimed: if contradicts { claimed.len() as u64 } else { 0 },
        real: real.len() as u64,
        hit,
    }
}

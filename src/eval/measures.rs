//! How good the sensor is, in numbers.

use serde::{Deserialize, Serialize};

use crate::incident::rounded;
use crate::score::Verdict;

use super::Capture;

/// How good the sensor is on a set of captures. A number that has no meaning there (the recall of
/// nothing) is `None`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Measures {
    /// Captures.
    pub captures: u64,
    /// Of these, captures that could not be analysed.
    pub failed: u64,
    /// Malicious hosts.
    pub malicious_hosts: u64,
    /// Benign hosts that had evidence or are named.
    pub benign_hosts: u64,
    /// Share of malicious hosts that are at least suspicious.
    pub recall_suspicious: Option<f64>,
    /// Share of malicious hosts that are called malicious.
    pub recall_malicious: Option<f64>,
    /// Share of the hosts called suspicious or worse that are malicious.
    pub precision_suspicious: Option<f64>,
    /// Share of the hosts called malicious that are.
    pub precision_malicious: Option<f64>,
    /// Share of the malicious hosts found that the right detector spoke for.
    pub right_detector: Option<f64>,
    /// Benign hosts called suspicious or worse.
    pub false_alarms: u64,
    /// These for each capture that could show one.
    pub false_alarms_per_capture: Option<f64>,
    /// These for each host and day watched.
    pub false_alarms_per_host_day: Option<f64>,
    /// Infections before the first alert, summed over the captures that tell their time.
    pub infected_before_alert: Option<u64>,
    /// Median seconds from a malicious host's first packet to its first alert.
    pub seconds_to_alert: Option<f64>,
    /// Median connections that it had opened by then.
    pub connections_to_alert: Option<f64>,
    /// Share of the infections claimed that are true.
    pub edge_precision: Option<f64>,
    /// Share of the true infections that are claimed.
    pub edge_recall: Option<f64>,
    /// Mean squared error of the posterior over the hosts counted above: 0 is perfect, 0.25 is
    /// what a coin says. Hosts without any evidence are left out, they would only flatter it.
    pub brier: Option<f64>,
    /// Captures in which any suspicious host is a false positive, and which could be analysed.
    pub benign_captures: u64,
    /// Of these, captures with a host called suspicious or worse.
    pub benign_with_suspicious: u64,
    /// Of these, captures with a host called malicious.
    pub benign_with_malicious: u64,
}

impl Measures {
    /// Measures a set of captures.
    pub fn of<'a>(captures: impl IntoIterator<Item = &'a Capture>) -> Self {
        let captures: Vec<_> = captures.into_iter().collect();
        let hosts = || captures.iter().flat_map(|capture| &capture.hosts);
        let count = |malicious: bool, least: Verdict| {
            hosts().filter(|h| h.malicious == malicious && h.verdict >= least).count() as u64
        };
        let malicious_hosts = count(true, Verdict::Benign);
        let found = count(true, Verdict::Suspicious);
        let convicted = count(true, Verdict::Malicious);
        let false_alarms = count(false, Verdict::Suspicious);
        let false_convictions = count(false, Verdict::Malicious);
        let found_hosts = || hosts().filter(|h| h.malicious && h.verdict >= Verdict::Suspicious);
        let with_classes = found_hosts().filter_map(|h| h.right_detector);
        let right = with_classes.clone().filter(|right| *right).count() as u64;
        let can_show = captures.iter().filter(|c| c.others_are_known && c.failure.is_none());
        let days: f64 = can_show.clone().map(|c| c.host_time.as_secs_f64() / 86_400.0).sum();
        let benign: Vec<_> = captures.iter().filter(|c| c.benign && c.failure.is_none()).collect();
        let benign_with = |least: Verdict| {
            benign.iter().filter(|c| c.hosts.iter().any(|h| h.verdict >= least)).count() as u64
        };
        let edges = |part: fn(&Capture) -> u64| captures.iter().map(|c| part(c)).sum::<u64>();
        let (claimed, real) = (edges(|c| c.edges.claimed), edges(|c| c.edges.real));
        let hit = edges(|c| c.edges.hit);
        let infected: Vec<_> = captures.iter().filter_map(|c| c.infected_before_alert).collect();
        let errors: Vec<_> =
            hosts().map(|h| (h.score / 100.0 - f64::from(u8::from(h.malicious))).powi(2)).collect();
        Self {
            captures: captures.len() as u64,
            failed: captures.iter().filter(|c| c.failure.is_some()).count() as u64,
            malicious_hosts,
            benign_hosts: count(false, Verdict::Benign),
            recall_suspicious: share(found, malicious_hosts),
            recall_malicious: share(convicted, malicious_hosts),
            precision_suspicious: share(found, found + false_alarms),
            precision_malicious: share(convicted, convicted + false_convictions),
            right_detector: share(right, with_classes.count() as u64),
            false_alarms,
            false_alarms_per_capture: share(false_alarms, can_show.count() as u64),
            false_alarms_per_host_day: (days > 0.0).then(|| rounded(false_alarms as f64 / days, 4)),
            infected_before_alert: (!infected.is_empty()).then(|| infected.iter().sum()),
            seconds_to_alert: median(
                found_hosts().filter_map(|h| h.time_to_alert).map(|t| t.as_secs_f64()),
            ),
            connections_to_alert: median(
                found_hosts().filter_map(|h| h.connections_to_alert).map(|n| n as f64),
            ),
            edge_precision: share(hit, claimed),
            edge_recall: share(hit, real),
            brier: (!errors.is_empty())
                .then(|| rounded(errors.iter().sum::<f64>() / errors.len() as f64, 4)),
            benign_captures: benign.len() as u64,
            benign_with_suspicious: benign_with(Verdict::Suspicious),
            benign_with_malicious: benign_with(Verdict::Malicious),
        }
    }
}

pub(super) fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| rounded(part as f64 / whole as f64, 4))
}

fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = *values.get(middle)?;
    if values.len() % 2 == 1 {
        return Some(rounded(upper, 3));
    }
    let lower = *values.get(middle.checked_sub(1)?)?;
    Some(rounded(f64::midpoint(lower, upper), 3))
}

/// Which way a measure is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// More is better.
    Up,
    /// Less is better.
    Down,
}

/// A measure that can be compared and that an interval can be given for.
#[derive(Clone, Copy, Debug)]
pub struct Measure {
    /// Its name in JSON.
    pub name: &'static str,
    /// Which way it is better.
    pub better: Direction,
    /// Its value.
    pub of: fn(&Measures) -> Option<f64>,
}

/// Every measure that has a better and a worse.
pub const MEASURES: [Measure; 13] = {
    use Direction::{Down, Up};
    const fn measure(
        name: &'static str,
        better: Direction,
        of: fn(&Measures) -> Option<f64>,
    ) -> Measure {
        Measure { name, better, of }
    }
    [
        measure("recall_suspicious", Up, |m| m.recall_suspicious),
        measure("recall_malicious", Up, |m| m.recall_malicious),
        measure("precision_suspicious", Up, |m| m.precision_suspicious),
        measure("precision_malicious", Up, |m| m.precision_malicious),
        measure("right_detector", Up, |m| m.right_detector),
        measure("false_alarms_per_capture", Down, |m| m.false_alarms_per_capture),
        measure("false_alarms_per_host_day", Down, |m| m.false_alarms_per_host_day),
        measure("infected_before_alert", Down, |m| m.infected_before_alert.map(|n| n as f64)),
        measure("seconds_to_alert", Down, |m| m.seconds_to_alert),
        measure("connections_to_alert", Down, |m| m.connections_to_alert),
        measure("edge_precision", Up, |m| m.edge_precision),
        measure("edge_recall", Up, |m| m.edge_recall),
        measure("brier", Down, |m| m.brier),
    ]
};

//! How scores and truth go together at every threshold: the reliability curve, ROC and
//! precision-recall.
//!
//! All three run over the hosts that were counted: those that the truth names, and others that have
//! evidence. Hosts without evidence would only flatter the false-positive rate.

use serde::Serialize;

use crate::incident::rounded;

use super::{Capture, Judged};

/// Bins of the reliability curve.
const BINS: usize = 10;

/// One bin of the reliability curve: of the hosts whose posterior lies here, how many are
/// malicious. A calibrated sensor has `observed` near `mean_score`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Bin {
    /// Its lower end, 0 to 90.
    pub from: u32,
    /// Hosts in it.
    pub hosts: u64,
    /// Mean posterior, 0 to 100.
    pub mean_score: Option<f64>,
    /// Share that is malicious, 0 to 100.
    pub observed: Option<f64>,
}

/// The reliability curve over all hosts counted, in tenths.
pub fn reliability(captures: &[Capture]) -> Vec<Bin> {
    let hosts = captures.iter().flat_map(|capture| &capture.hosts);
    let outcome = |host: &Judged| Outcome {
        score: host.score,
        malicious: host.malicious,
        hosts: 1,
        weight: 1.0,
    };
    bins(hosts.map(outcome))
}

/// What was said of a host, or of many alike, and what is true.
pub(super) struct Outcome {
    /// The posterior, 0 to 100.
    pub(super) score: f64,
    /// Whether it is malicious.
    pub(super) malicious: bool,
    /// How many hosts these are.
    pub(super) hosts: u64,
    /// How much all of them count.
    pub(super) weight: f64,
}

/// The reliability curve of `outcomes`; means and shares are weighted, hosts are not.
pub(super) fn bins(outcomes: impl Iterator<Item = Outcome>) -> Vec<Bin> {
    #[derive(Clone, Copy, Default)]
    struct Sums {
        hosts: u64,
        weight: f64,
        scores: f64,
        malicious: f64,
    }
    let mut bins = [Sums::default(); BINS];
    for Outcome { score, malicious, hosts, weight } in outcomes {
        let index = ((score / 10.0) as usize).min(BINS - 1);
        if let Some(sums) = bins.get_mut(index) {
            sums.hosts += hosts;
            sums.weight += weight;
            sums.scores += weight * score;
            sums.malicious += if malicious { weight } else { 0.0 };
        }
    }
    let bin = |(from, sums): (u32, Sums)| {
        let mean = |sum: f64| (sums.hosts > 0).then(|| rounded(sum / sums.weight, 1));
        Bin {
            from: from * 10,
            hosts: sums.hosts,
            mean_score: mean(sums.scores),
            observed: mean(sums.malicious * 100.0),
        }
    };
    (0..).zip(bins).map(bin).collect()
}

/// What it would be to call every host malicious whose score is at least `threshold`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Point {
    /// The least score that is called malicious, 0 to 100.
    pub threshold: f64,
    /// Malicious hosts that are called so.
    pub true_positives: u64,
    /// Benign hosts that are called so.
    pub false_positives: u64,
    /// Share of the malicious hosts that are called so: the ROC curve's height, 0 to 1.
    pub recall: f64,
    /// Share of the benign hosts that are called so: the ROC curve's other axis, 0 to 1.
    pub false_positive_rate: f64,
    /// Share of those called so that are, 0 to 1.
    pub precision: f64,
}

/// ROC and precision-recall over all thresholds, highest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Curves {
    /// A point for every score that occurs.
    pub points: Vec<Point>,
    /// Area under the ROC curve, by trapezia: the chance that a malicious host scores above a benign
    /// one, ties counting half (Fawcett, "An introduction to ROC analysis", 2006). 0 to 1.
    pub roc_area: Option<f64>,
    /// Average precision: Σ (recall step · precision), no interpolation. 0 to 1.
    pub average_precision: Option<f64>,
}

impl Curves {
    /// The curves over all hosts counted; empty without a malicious or without a benign one.
    pub fn of(captures: &[Capture]) -> Self {
        let mut hosts: Vec<_> = captures
            .iter()
            .flat_map(|capture| &capture.hosts)
            .map(|host| (host.score, host.malicious))
            .collect();
        hosts.sort_by(|a, b| b.0.total_cmp(&a.0));
        let malicious = hosts.iter().filter(|(_, malicious)| *malicious).count() as u64;
        let benign = hosts.len() as u64 - malicious;
        if malicious == 0 || benign == 0 {
            return Self::default();
        }
        let mut curves = Self::default();
        let (mut hits, mut alarms) = (0, 0);
        let (mut area, mut precision_sum) = (0.0, 0.0);
        for same in hosts.chunk_by(|a, b| a.0.total_cmp(&b.0).is_eq()) {
            let Some((threshold, _)) = same.first() else { continue };
            let (hits_before, alarms_before) = (hits, alarms);
            hits += same.iter().filter(|(_, malicious)| *malicious).count() as u64;
            alarms = alarms + same.len() as u64 - (hits - hits_before);
            let precision = hits as f64 / (hits + alarms) as f64;
            area += (alarms - alarms_before) as f64 * (hits + hits_before) as f64 / 2.0;
            precision_sum += (hits - hits_before) as f64 * precision;
            curves.points.push(Point {
                threshold: *threshold,
                true_positives: hits,
                false_positives: alarms,
                recall: rounded(hits as f64 / malicious as f64, 4),
                false_positive_rate: rounded(alarms as f64 / benign as f64, 4),
                precision: rounded(precision, 4),
            });
        }
        curves.roc_area = Some(rounded(area / (malicious as f64 * benign as f64), 4));
        curves.average_precision = Some(rounded(precision_sum / malicious as f64, 4));
        curves
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::capture_of;
    use super::*;

    #[test]
    fn a_perfect_order_has_all_the_area() {
        let curves =
            Curves::of(&[capture_of(&[(99.0, true), (80.0, true), (40.0, false), (1.0, false)])]);

        assert_eq!((curves.roc_area, curves.average_precision), (Some(1.0), Some(1.0)));
        assert_eq!(curves.points.len(), 4);
        assert_eq!(curves.points[1].recall, 1.0);
        assert_eq!(curves.points[3].precision, 0.5);
    }

    #[test]
    fn ties_count_half_and_the_reverse_order_has_none() {
        let tie = Curves::of(&[capture_of(&[(50.0, true), (50.0, false)])]);
        let reverse = Curves::of(&[capture_of(&[(10.0, true), (50.0, false)])]);

        assert_eq!(tie.roc_area, Some(0.5));
        assert_eq!(reverse.roc_area, Some(0.0));
        assert_eq!(reverse.average_precision, Some(0.5));
    }

    #[test]
    fn without_both_kinds_of_hosts_there_is_no_curve() {
        assert_eq!(Curves::of(&[capture_of(&[(50.0, true)])]), Curves::default());
    }
}

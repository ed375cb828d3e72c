//! The same result cut in other ways: by label with intervals, by the class that the truth expects,
//! by ATT&CK technique, by family of evidence.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::detect::Family;
use crate::incident::rounded;
use crate::score::{FAMILIES, ScoreConfig, Verdict, is_under, sum_up};

use super::bootstrap::{Interval, intervals};
use super::measures::share;
use super::{Capture, Judged, Measures, Weighed};

/// The measures of some captures, and how sure they are.
#[derive(Clone, Debug, Serialize)]
pub struct Group {
    /// The measures.
    #[serde(flatten)]
    pub measures: Measures,
    /// 95 % intervals by the measure's name, where there are captures enough.
    pub intervals: BTreeMap<&'static str, Interval>,
}

impl Group {
    /// Measures `captures`.
    pub fn of(captures: &[&Capture]) -> Self {
        Self { measures: Measures::of(captures.iter().copied()), intervals: intervals(captures) }
    }
}

/// What came of the hosts that a class of detectors should have spoken for.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ClassRow {
    /// The class in the truth: a detector's id or a prefix.
    pub class: String,
    /// Malicious hosts of which the truth expects it, perhaps among others.
    pub hosts: u64,
    /// Share of them that a detector of the class spoke for, 0 to 1.
    pub spoken_for: Option<f64>,
    /// Share of them that are at least suspicious, 0 to 1.
    pub recall_suspicious: Option<f64>,
    /// Share of them that are called malicious, 0 to 1.
    pub recall_malicious: Option<f64>,
}

/// What came of an ATT&CK technique.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TechniqueRow {
    /// The technique's id.
    pub technique: String,
    /// Malicious hosts with evidence of it.
    pub malicious_hosts: u64,
    /// Benign hosts with evidence of it.
    pub benign_hosts: u64,
    /// Malicious hosts with evidence of it that are at least suspicious.
    pub found: u64,
    /// Benign hosts with evidence of it that are at least suspicious.
    pub false_alarms: u64,
    /// Share of the suspicious hosts with evidence of it that are malicious, 0 to 1.
    pub precision: Option<f64>,
    /// Malicious hosts that used it, as far as the truth tells.
    pub used: u64,
    /// Share of these with evidence of it, 0 to 1.
    pub recall: Option<f64>,
}

/// What a family of evidence contributes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FamilyRow {
    /// The family.
    pub family: Family,
    /// Malicious hosts that it spoke for.
    pub malicious_hosts: u64,
    /// Benign hosts that it spoke against.
    pub benign_hosts: u64,
    /// Malicious hosts found that would not be suspicious without it.
    pub decisive: u64,
    /// Benign hosts that are suspicious because of it.
    pub decisive_false: u64,
    /// Mean of what it counted for on malicious hosts, after its cap, in nats.
    pub mean_malicious: Option<f64>,
    /// The same on benign hosts.
    pub mean_benign: Option<f64>,
}

fn hosts(captures: &[Capture]) -> impl Iterator<Item = &Judged> {
    captures.iter().flat_map(|capture| &capture.hosts)
}

/// A row for each class that the truth names, by name.
pub(super) fn classes(captures: &[Capture]) -> Vec<ClassRow> {
    let names: BTreeSet<_> = hosts(captures).flat_map(|host| &host.classes).collect();
    let row = |class: &String| {
        let of: Vec<_> =
            hosts(captures).filter(|h| h.malicious && h.classes.contains(class)).collect();
        let count = |wanted: &dyn Fn(&Judged) -> bool| {
            share(of.iter().filter(|host| wanted(host)).count() as u64, of.len() as u64)
        };
        ClassRow {
            class: class.clone(),
            hosts: of.len() as u64,
            spoken_for: count(&|host| host.detectors.iter().any(|id| is_under(id, class))),
            recall_suspicious: count(&|host| host.verdict >= Verdict::Suspicious),
            recall_malicious: count(&|host| host.verdict == Verdict::Malicious),
        }
    };
    names.into_iter().map(row).collect()
}

/// A row for each technique of which there is evidence or truth, by id.
pub(super) fn techniques(captures: &[Capture]) -> Vec<TechniqueRow> {
    let spoken = hosts(captures).flat_map(|host| host.techniques.iter().copied());
    let told = hosts(captures).flat_map(|host| host.true_techniques.iter().map(String::as_str));
    let names: BTreeSet<&str> = spoken.chain(told).collect();
    let row = |technique: &str| {
        let count = |malicious: bool, least: Verdict| {
            let counted = hosts(captures).filter(|host| {
                host.malicious == malicious
                    && host.verdict >= least
                    && host.techniques.contains(&technique)
            });
            counted.count() as u64
        };
        let used: Vec<_> = hosts(captures)
            .filter(|host| host.true_techniques.iter().any(|used| used == technique))
            .collect();
        let seen = used.iter().filter(|host| host.techniques.contains(&technique)).count() as u64;
        let (found, false_alarms) =
            (count(true, Verdict::Suspicious), count(false, Verdict::Suspicious));
        TechniqueRow {
            technique: technique.to_owned(),
            malicious_hosts: count(true, Verdict::Benign),
            benign_hosts: count(false, Verdict::Benign),
            found,
            false_alarms,
            precision: share(found, found + false_alarms),
            used: used.len() as u64,
            recall: share(seen, used.len() as u64),
        }
    };
    names.into_iter().map(row).collect()
}

/// What a family counts for on a host, in nats; nothing if it is silent.
fn counted(host: &Judged, family: Family, score: &ScoreConfig) -> Option<f64> {
    let sums = sum_up(&host.evidence.iter().map(Weighed::nats_of_family), &score.caps);
    sums.iter().find(|sum| sum.family == family).map(|sum| sum.counted)
}

/// Log-odds of a host without what one family says, in nats.
fn odds_without(host: &Judged, left_out: Family, score: &ScoreConfig) -> f64 {
    let others = host.evidence.iter().filter(|evidence| evidence.family != left_out);
    let sums = sum_up(&others.map(Weighed::nats_of_family), &score.caps);
    score.prior + sums.iter().map(|sum| sum.counted).sum::<f64>()
}

/// A row for each family that spoke, in the order in which scores are explained.
pub(super) fn families(captures: &[Capture], score: &ScoreConfig) -> Vec<FamilyRow> {
    let row = |family: Family| {
        let spoken: Vec<_> = hosts(captures)
            .filter_map(|host| Some((host, counted(host, family, score)?)))
            .collect();
        let of = |malicious: bool| spoken.iter().filter(move |(h, _)| h.malicious == malicious);
        let decisive = |malicious: bool| {
            let decided = of(malicious).filter(|(host, _)| {
                host.verdict >= Verdict::Suspicious && odds_without(host, family, score) < 0.0
            });
            decided.count() as u64
        };
        let mean = |malicious: bool| {
            let sum: f64 = of(malicious).map(|(_, nats)| nats).sum();
            let count = of(malicious).count();
            (count > 0).then(|| rounded(sum / count as f64, 2))
        };
        (!spoken.is_empty()).then(|| FamilyRow {
            family,
            malicious_hosts: of(true).count() as u64,
            benign_hosts: of(false).count() as u64,
            decisive: decisive(true),
            decisive_false: decisive(false),
            mean_malicious: mean(true),
            mean_benign: mean(false),
        })
    };
    FAMILIES.into_iter().filter_map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::capture_of;
    use super::*;

    #[test]
    fn a_family_is_decisive_where_the_others_do_not_suffice() {
        let mut capture = capture_of(&[(98.0, true), (99.0, true), (60.0, false)]);
        let says = |family, nats| Weighed { detector: "made.up", family, nats };
        let evidence = [
            vec![says(Family::Failure, 9.0)],
            vec![says(Family::Failure, 14.0), says(Family::Credential, 7.0)],
            vec![says(Family::Novelty, 9.0), says(Family::Context, 5.0)],
        ];
        for (host, evidence) in capture.hosts.iter_mut().zip(evidence) {
            host.evidence = evidence;
        }

        let rows = families(&[capture], &ScoreConfig::default());

        let row = |family| rows.iter().find(|row| row.family == family).unwrap();
        let failure = row(Family::Failure);
        assert_eq!((failure.malicious_hosts, failure.decisive), (2, 1));
        assert_eq!(failure.mean_malicious, Some(9.5));
        assert_eq!(row(Family::Credential).decisive, 0);
        assert_eq!((row(Family::Novelty).decisive, row(Family::Novelty).decisive_false), (0, 1));
        assert_eq!(row(Family::Context).decisive_false, 0);
    }

    #[test]
    fn techniques_count_who_has_evidence_and_who_used_them() {
        let mut capture = capture_of(&[(99.0, true), (1.0, true), (60.0, false), (2.0, false)]);
        capture.hosts[0].techniques = vec!["T1046", "T1210"];
        capture.hosts[0].true_techniques = vec!["T1210".to_owned()];
        capture.hosts[1].true_techniques = vec!["T1210".to_owned()];
        capture.hosts[2].techniques = vec!["T1046"];
        capture.hosts[3].techniques = vec!["T1046"];

        let [scan, exploit] = techniques(&[capture]).try_into().unwrap();

        assert_eq!((scan.technique.as_str(), scan.found, scan.false_alarms), ("T1046", 1, 1));
        assert_eq!((scan.benign_hosts, scan.precision, scan.recall), (2, Some(0.5), None));
        assert_eq!((exploit.used, exploit.recall), (2, Some(0.5)));
    }

    #[test]
    fn classes_ask_whether_one_of_theirs_spoke() {
        let mut capture = capture_of(&[(99.0, true), (60.0, true), (1.0, true)]);
        for host in &mut capture.hosts {
            host.classes = vec!["lateral".to_owned()];
        }
        capture.hosts[0].detectors = vec!["lateral.wmi"];
        capture.hosts[1].detectors = vec!["scan.slow"];

        let [row] = classes(&[capture]).try_into().unwrap();

        assert_eq!((row.hosts, row.spoken_for), (3, Some(0.3333)));
        assert_eq!((row.recall_suspicious, row.recall_malicious), (Some(0.6667), Some(0.3333)));
    }
}

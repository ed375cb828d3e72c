//! This result beside a stored earlier one: what got better, what got worse.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Direction, Finding, Group, MEASURES, Measures};

/// An earlier result, as `wormwatch eval --json` wrote it. What it does not say counts as unknown,
/// so that results of earlier versions can be read.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Earlier {
    /// The name and version of its shape.
    #[serde(default)]
    pub schema: String,
    /// Measures by label.
    #[serde(default)]
    pub labels: BTreeMap<String, Measures>,
    /// Measures over all captures.
    #[serde(default)]
    pub all: Measures,
    /// Malicious hosts that were missed.
    #[serde(default)]
    pub misses: Vec<EarlierHost>,
    /// Benign hosts that were suspicious or worse.
    #[serde(default)]
    pub false_alarms: Vec<EarlierHost>,
}

/// A host of an earlier result, or of this one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct EarlierHost {
    /// The capture.
    pub path: PathBuf,
    /// The host.
    pub host: String,
}

/// Which way a measure went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Turn {
    /// To the better.
    Better,
    /// To the worse.
    Worse,
    /// It could not be told before, or cannot now.
    Other,
}

/// A measure that is not what it was.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    /// Which measure.
    pub measure: &'static str,
    /// What it was.
    pub before: Option<f64>,
    /// What it is.
    pub after: Option<f64>,
    /// Which way that is.
    pub turn: Turn,
}

/// What differs from an earlier result.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Comparison {
    /// Measures that changed, by label; labels where none did are left out.
    pub labels: BTreeMap<String, Vec<Change>>,
    /// The same over all captures.
    pub all: Vec<Change>,
    /// Labels that only one of the two has: they are not compared.
    pub only_in_one: Vec<String>,
    /// Malicious hosts that are found, and were not.
    pub newly_found: Vec<EarlierHost>,
    /// Malicious hosts that are missed, and were not.
    pub newly_missed: Vec<EarlierHost>,
    /// Benign hosts that are suspicious, and were not.
    pub new_false_alarms: Vec<EarlierHost>,
    /// Benign hosts that were suspicious, and are not.
    pub gone_false_alarms: Vec<EarlierHost>,
}

impl Comparison {
    /// Compares this result with an earlier one.
    pub(super) fn new(
        earlier: &Earlier,
        labels: &BTreeMap<String, Group>,
        all: &Group,
        misses: &[Finding<'_>],
        false_alarms: &[Finding<'_>],
    ) -> Self {
        let mut comparison = Self { all: changes(&earlier.all, &all.measures), ..Self::default() };
        let names: BTreeSet<_> = labels.keys().chain(earlier.labels.keys()).collect();
        for name in names {
            let (Some(before), Some(after)) = (earlier.labels.get(name), labels.get(name)) else {
                comparison.only_in_one.push(name.clone());
                continue;
            };
            let changed = changes(before, &after.measures);
            if !changed.is_empty() {
                comparison.labels.insert(name.clone(), changed);
            }
        }
        let now = |findings: &[Finding<'_>]| -> BTreeSet<EarlierHost> {
            let host = |f: &Finding<'_>| EarlierHost { path: f.path.into(), host: f.host.clone() };
            findings.iter().map(host).collect()
        };
        let then = |hosts: &[EarlierHost]| hosts.iter().cloned().collect::<BTreeSet<_>>();
        let (missed, were_missed) = (now(misses), then(&earlier.misses));
        let (alarmed, were_alarmed) = (now(false_alarms), then(&earlier.false_alarms));
        let without = |these: &BTreeSet<EarlierHost>, those: &BTreeSet<EarlierHost>| {
            these.difference(those).cloned().collect()
        };
        Self {
            newly_found: without(&were_missed, &missed),
            newly_missed: without(&missed, &were_missed),
            new_false_alarms: without(&alarmed, &were_alarmed),
            gone_false_alarms: without(&were_alarmed, &alarmed),
            ..comparison
        }
    }
}

fn changes(before: &Measures, after: &Measures) -> Vec<Change> {
    let change = |measure: &super::Measure| {
        let (before, after) = ((measure.of)(before), (measure.of)(after));
        let turn = match (before, after, measure.better) {
            (Some(before), Some(after), Direction::Up) if after > before => Turn::Better,
            (Some(before), Some(after), Direction::Down) if after < before => Turn::Better,
            (Some(_), Some(_), _) => Turn::Worse,
            _ => Turn::Other,
        };
        (before != after).then_some(Change { measure: measure.name, before, after, turn })
    };
    MEASURES.iter().filter_map(change).collect()
}

#[cfg(test)]
mod tests {
    use super::super::Report;
    use super::super::tests::capture_of;
    use super::*;
    use crate::score::ScoreConfig;

    fn earlier(hosts: &[(f64, bool)]) -> Earlier {
        let captures = [capture_of(hosts)];
        let report = Report::new(&captures, &ScoreConfig::default());
        serde_json::from_str(&report.to_json()).unwrap()
    }

    fn compared(before: &[(f64, bool)], after: &[(f64, bool)]) -> Comparison {
        let captures = [capture_of(after)];
        let mut report = Report::new(&captures, &ScoreConfig::default());
        report.compare(&earlier(before));
        report.compared.unwrap()
    }

    fn turns(comparison: &Comparison) -> BTreeMap<&str, Turn> {
        comparison.all.iter().map(|change| (change.measure, change.turn)).collect()
    }

    #[test]
    fn the_same_result_differs_in_nothing() {
        let hosts = [(99.0, true), (10.0, true), (60.0, false)];

        assert_eq!(compared(&hosts, &hosts), Comparison::default());
    }

    #[test]
    fn more_recall_is_better_and_more_false_alarms_are_worse() {
        let change = compared(&[(10.0, true), (20.0, false)], &[(99.0, true), (60.0, false)]);

        let turns = turns(&change);
        assert_eq!(turns["recall_suspicious"], Turn::Better);
        assert_eq!(turns["false_alarms_per_capture"], Turn::Worse);
        assert_eq!(turns["precision_suspicious"], Turn::Other, "there was none to compare with");
        assert_eq!(change.labels["made-up"], change.all);
        assert_eq!((change.newly_found.len(), change.new_false_alarms.len()), (1, 1));
        assert!(change.newly_missed.is_empty() && change.gone_false_alarms.is_empty());
    }

    #[test]
    fn a_lower_brier_score_is_better() {
        let change = compared(&[(80.0, true)], &[(99.0, true)]);

        assert_eq!(turns(&change)["brier"], Turn::Better);
    }

    #[test]
    fn labels_of_one_side_are_named_and_not_compared() {
        let captures = [capture_of(&[(99.0, true)])];
        let mut report = Report::new(&captures, &ScoreConfig::default());
        let old = r#"{"schema":"wormwatch.eval/1","labels":{"worm":{"recall_malicious":1.0}}}"#;

        report.compare(&serde_json::from_str(old).unwrap());

        assert_eq!(report.compared.unwrap().only_in_one, ["made-up", "worm"]);
    }
}

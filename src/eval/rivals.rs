//! wormwatch beside the baselines: who finds how much at what cost, class by class, and where a
//! baseline is ahead.

use std::collections::BTreeMap;

use serde::Serialize;

use super::baseline::Baseline;
use super::measures::share;
use super::{Capture, Judged, by_label};
use crate::score::Verdict;

/// How we are called in the table.
const OURSELVES: &str = "wormwatch";

/// What one detector finds in one class of captures. For wormwatch an alarm is a host that is at
/// least suspicious, for a baseline one that it accuses.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// Which detector.
    pub detector: &'static str,
    /// Malicious hosts in the class.
    pub malicious_hosts: u64,
    /// Of these, hosts found.
    pub found: u64,
    /// Share found, 0 to 1.
    pub recall: Option<f64>,
    /// Benign hosts with an alarm.
    pub false_alarms: u64,
    /// Share of the alarms that are about malicious hosts, 0 to 1.
    pub precision: Option<f64>,
    /// Captures in which any alarm is false.
    pub benign_captures: u64,
    /// Of these, captures with an alarm.
    pub benign_with_alarm: u64,
}

/// A class in which a baseline is ahead.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Gap {
    /// The class; `all` for all captures.
    pub label: String,
    /// The baseline.
    pub baseline: &'static str,
    /// What it does better, in words.
    pub what: String,
}

/// Everybody beside everybody.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Standing {
    /// The baselines, and where each was published.
    pub sources: BTreeMap<&'static str, &'static str>,
    /// Rows by label, wormwatch first.
    pub labels: BTreeMap<String, Vec<Row>>,
    /// Rows over all captures.
    pub all: Vec<Row>,
    /// Where a baseline is ahead.
    pub gaps: Vec<Gap>,
}

impl Standing {
    /// Holds the baselines that watched `captures` beside wormwatch; `None` if none did.
    pub fn of(captures: &[Capture]) -> Option<Self> {
        let mut baselines: Vec<_> =
            captures.iter().flat_map(|c| &c.rivals).map(|rival| rival.baseline).collect();
        baselines.sort_unstable();
        baselines.dedup();
        if baselines.is_empty() {
            return None;
        }
        let rows = |of: &[&Capture]| -> Vec<Row> {
            let rivals = baselines.iter().map(|baseline| theirs(*baseline, of));
            std::iter::once(ours(of)).chain(rivals).collect()
        };
        let labels: BTreeMap<_, _> = by_label(captures)
            .into_iter()
            .map(|(label, of)| (label.to_owned(), rows(&of)))
            .collect();
        let all = rows(&captures.iter().collect::<Vec<_>>());
        let mut gaps: Vec<_> =
            labels.iter().flat_map(|(label, rows)| behind(label, rows)).collect();
        gaps.extend(behind("all", &all));
        let sources = baselines.iter().map(|b| (b.as_str(), b.source())).collect();
        Some(Self { sources, labels, all, gaps })
    }
}

fn ours(captures: &[&Capture]) -> Row {
    let alarmed = |h: &&Judged| h.verdict >= Verdict::Suspicious;
    row(OURSELVES, captures, |capture| {
        let alarms = |malicious: bool| {
            capture.hosts.iter().filter(alarmed).filter(|h| h.malicious == malicious).count() as u64
        };
        (alarms(true), alarms(false))
    })
}

fn theirs(baseline: Baseline, captures: &[&Capture]) -> Row {
    row(baseline.as_str(), captures, |capture| {
        let of = capture.rivals.iter().filter(|rival| rival.baseline == baseline);
        of.fold((0, 0), |(found, wrong), rival| {
            (found + rival.found.len() as u64, wrong + rival.false_alarms.len() as u64)
        })
    })
}

/// A row from what `alarms` gives for each capture: true ones and false ones.
fn row(
    detector: &'static str,
    captures: &[&Capture],
    alarms: impl Fn(&Capture) -> (u64, u64),
) -> Row {
    let hosts = captures.iter().flat_map(|capture| &capture.hosts);
    let malicious_hosts = hosts.filter(|host| host.malicious).count() as u64;
    let (mut found, mut false_alarms) = (0, 0);
    let (mut benign_captures, mut benign_with_alarm) = (0, 0);
    for capture in captures {
        let (right, wrong) = alarms(capture);
        found += right;
        false_alarms += wrong;
        if capture.benign && capture.failure.is_none() {
            benign_captures += 1;
            benign_with_alarm += u64::from(wrong > 0);
        }
    }
    Row {
        detector,
        malicious_hosts,
        found,
        recall: share(found, malicious_hosts),
        false_alarms,
        precision: share(found, found + false_alarms),
        benign_captures,
        benign_with_alarm,
    }
}

/// Where wormwatch is not ahead: a baseline finds more, or raises fewer false alarms. One that finds
/// nothing where there is something to find is not ahead for its silence.
fn behind(label: &str, rows: &[Row]) -> Vec<Gap> {
    let Some((ours, theirs)) = rows.split_first() else { return Vec::new() };
    let mut gaps = Vec::new();
    for row in theirs {
        let mut gap = |what| {
            gaps.push(Gap { label: label.to_owned(), baseline: row.detector, what });
        };
        let of = row.malicious_hosts;
        if row.found > ours.found {
            gap(format!("finds {} of {of} malicious hosts, {OURSELVES} {}", row.found, ours.found));
        }
        if row.false_alarms < ours.false_alarms && (row.found > 0 || of == 0) {
            let found = if of > 0 {
                format!(
                    ", and finds {} of {of} malicious hosts, {OURSELVES} {}",
                    row.found, ours.found
                )
            } else {
                String::new()
            };
            gap(format!(
                "raises {} false alarms, {OURSELVES} {}{found}",
                row.false_alarms, ours.false_alarms
            ));
        }
    }
    gaps
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::net::IpAddr;

    use super::super::Rival;
    use super::super::tests::capture_of;
    use super::*;

    /// What a baseline said: it accuses the first hosts of each kind.
    fn said(baseline: Baseline, found: u8, false_alarms: u8) -> Rival {
        let hosts =
            |count: u8| -> BTreeSet<IpAddr> { (0..count).map(|n| [10, 0, 0, n].into()).collect() };
        Rival { baseline, found: hosts(found), false_alarms: hosts(false_alarms) }
    }

    fn gaps(hosts: &[(f64, bool)], rival: Rival) -> Vec<String> {
        let mut capture = capture_of(hosts);
        capture.rivals = vec![rival];
        let gaps = Standing::of(&[capture]).unwrap().gaps;
        gaps.into_iter().filter(|gap| gap.label == "all").map(|gap| gap.what).collect()
    }

    #[test]
    fn rows_count_alarms_of_both_kinds() {
        let mut capture = capture_of(&[(99.0, true), (10.0, true), (60.0, false), (2.0, false)]);
        capture.rivals = vec![said(Baseline::Trw, 2, 2)];

        let standing = Standing::of(&[capture]).unwrap();

        let [ours, trw] = standing.all.as_slice() else { panic!("two rows") };
        assert_eq!((ours.detector, ours.found, ours.false_alarms), ("wormwatch", 1, 1));
        assert_eq!((ours.recall, ours.precision), (Some(0.5), Some(0.5)));
        assert_eq!((trw.detector, trw.recall, trw.precision), ("trw", Some(1.0), Some(0.5)));
    }

    #[test]
    fn a_baseline_that_finds_more_is_a_gap() {
        let rival = said(Baseline::Slips, 2, 9);

        assert_eq!(
            gaps(&[(99.0, true), (10.0, true)], rival),
            ["finds 2 of 2 malicious hosts, wormwatch 1"]
        );
    }

    #[test]
    fn fewer_false_alarms_are_a_gap_unless_it_sleeps() {
        let hosts = [(99.0, true), (60.0, false)];

        assert_eq!(
            gaps(&hosts, said(Baseline::Trw, 1, 0)),
            ["raises 0 false alarms, wormwatch 1, and finds 1 of 1 malicious hosts, wormwatch 1"]
        );
        assert!(gaps(&hosts, said(Baseline::Trw, 0, 0)).is_empty());
        assert_eq!(
            gaps(&[(60.0, false)], said(Baseline::Trw, 0, 0)),
            ["raises 0 false alarms, wormwatch 1"]
        );
        assert!(gaps(&hosts, said(Baseline::Trw, 1, 1)).is_empty());
    }

    #[test]
    fn without_baselines_there_is_nothing_to_show() {
        assert_eq!(Standing::of(&[capture_of(&[(99.0, true)])]), None);
    }
}

//! Everything that an evaluation found, as one document: `wormwatch eval --json`.
//!
//! `docs/evaluation.md` says what each name means. Names, once published, only gain neighbours.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use super::groups::{self, ClassRow, FamilyRow, Group, TechniqueRow};
use super::{Bin, Capture, Comparison, Curves, Earlier, Judged, Standing, by_label, reliability};
use crate::incident::rounded;
use crate::score::{ScoreConfig, Verdict};

/// The name and version of the document's shape.
pub const SCHEMA: &str = "wormwatch.eval/1";

/// Everything that an evaluation found.
#[derive(Debug, Serialize)]
pub struct Report<'a> {
    /// The name and version of the shape.
    pub schema: &'static str,
    /// Measures by label.
    pub labels: BTreeMap<String, Group>,
    /// Measures over all captures.
    pub all: Group,
    /// Measures by the class that the truth expects.
    pub classes: Vec<ClassRow>,
    /// Measures by ATT&CK technique.
    pub techniques: Vec<TechniqueRow>,
    /// What each family of evidence contributes.
    pub families: Vec<FamilyRow>,
    /// The reliability curve.
    pub reliability: Vec<Bin>,
    /// ROC and precision-recall.
    pub curves: Curves,
    /// wormwatch beside baselines, where these were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub baselines: Option<Standing>,
    /// What differs from an earlier result, where one was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compared: Option<Comparison>,
    /// Malicious hosts that are not even suspicious.
    pub misses: Vec<Finding<'a>>,
    /// Malicious hosts that are suspicious only.
    pub weak: Vec<Finding<'a>>,
    /// Benign hosts that are suspicious or worse.
    pub false_alarms: Vec<Finding<'a>>,
    /// Malicious hosts that were found, but not by a detector that should have spoken.
    pub wrong_detectors: Vec<Finding<'a>>,
    /// Captures that could not be analysed.
    pub unreadable: Vec<Unreadable<'a>>,
    /// What the caller's thresholds have against the result.
    pub failures: Vec<String>,
}

/// A host that was judged wrongly, or for the wrong reason.
#[derive(Debug, Serialize)]
pub struct Finding<'a> {
    /// The capture.
    pub path: &'a Path,
    /// Its label.
    pub label: &'a str,
    /// The host.
    pub host: String,
    /// Its verdict.
    pub verdict: Verdict,
    /// Its highest posterior, 0 to 100.
    pub score: f64,
    /// Detectors that spoke.
    pub detectors: &'a [&'static str],
    /// Detectors that should have spoken.
    pub expected: &'a [String],
}

/// A capture that could not be analysed.
#[derive(Debug, Serialize)]
pub struct Unreadable<'a> {
    /// The capture.
    pub path: &'a Path,
    /// Why not.
    pub why: &'a str,
}

impl<'a> Report<'a> {
    /// The report on `captures`, which were scored with `score`.
    pub fn new(captures: &'a [Capture], score: &ScoreConfig) -> Self {
        let labels =
            by_label(captures).into_iter().map(|(label, of)| (label.to_owned(), Group::of(&of)));
        let find = |wanted: fn(&Judged) -> bool| -> Vec<Finding<'a>> {
            let findings = captures.iter().flat_map(|capture| {
                capture.hosts.iter().filter(move |host| wanted(host)).map(|host| Finding {
                    path: &capture.path,
                    label: &capture.label,
                    host: host.host.to_string(),
                    verdict: host.verdict,
                    score: rounded(host.score, 1),
                    detectors: &host.detectors,
                    expected: &host.classes,
                })
            });
            findings.collect()
        };
        let unreadable = captures.iter().filter_map(|capture| {
            capture.failure.as_deref().map(|why| Unreadable { path: &capture.path, why })
        });
        Self {
            schema: SCHEMA,
            labels: labels.collect(),
            all: Group::of(&captures.iter().collect::<Vec<_>>()),
            classes: groups::classes(captures),
            techniques: groups::techniques(captures),
            families: groups::families(captures, score),
            reliability: reliability(captures),
            curves: Curves::of(captures),
            baselines: Standing::of(captures),
            compared: None,
            misses: find(|host| host.malicious && host.verdict == Verdict::Benign),
            weak: find(|host| host.malicious && host.verdict == Verdict::Suspicious),
            false_alarms: find(|host| !host.malicious && host.verdict >= Verdict::Suspicious),
            wrong_detectors: find(|host| {
                host.malicious
                    && host.verdict >= Verdict::Suspicious
                    && host.right_detector == Some(false)
            }),
            unreadable: unreadable.collect(),
            failures: Vec::new(),
        }
    }

    /// Adds what differs from an earlier result.
    pub fn compare(&mut self, earlier: &Earlier) {
        let Self { labels, all, misses, false_alarms, .. } = &*self;
        self.compared = Some(Comparison::new(earlier, labels, all, misses, false_alarms));
    }

    /// As JSON.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("the report has only text for keys") + "\n"
    }
}

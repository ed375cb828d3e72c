//! `wormwatch eval`: how good the sensor is, as a table, with every miss and false alarm on a line.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write;
use std::path::Path;

use comfy_table::CellAlignment;
use serde::Serialize;

use super::args::EvalArgs;
use super::look::{BOLD, clean};
use super::progress::Bar;
use super::{Engine, EngineError, Error, Look, Replay, Status, emit, tuned};
use crate::eval::{self, Bin, Capture, Judged, Measures, Request, reliability};
use crate::incident::rounded;
use crate::score::{Verdict, posterior};

/// The name and version of the JSON document's shape.
const SCHEMA: &str = "wormwatch.eval/1";

/// Evaluates, prints, and holds the result against the thresholds.
pub(super) fn execute(
    args: &EvalArgs,
    engine: &dyn Engine,
    out: &mut dyn Write,
    look: Look,
) -> Result<Status, Error> {
    let config = tuned(&args.tuning)?;
    let request = Request {
        folder: args.folder.clone(),
        labels: args.label.clone(),
        jobs: args.jobs,
        unseen: posterior(config.score.prior),
    };
    let analyse = |path: &Path| {
        let inputs = [path.to_owned()];
        let replay = Replay { inputs: &inputs, threads: 1, events: None, progress: &|_| {} };
        engine.replay(&config, &replay).map_err(|error| chain(&error))
    };
    let bar = Bar::of_captures();
    let captures = eval::evaluate(&request, analyse, |done, of| bar.count(done, of))?;
    bar.clear();
    if captures.is_empty() {
        return Err(Error::NothingToEvaluate(args.folder.clone()));
    }
    let report = Report::new(&captures, args);
    let text = if args.json { report.json() } else { report.table(look) };
    emit(out, &text)?;
    Ok(if report.failures.is_empty() { Status::Done } else { Status::Reached })
}

fn chain(error: &EngineError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let _ = write!(text, ": {cause}");
        source = cause.source();
    }
    text
}

#[derive(Serialize)]
struct Report<'a> {
    schema: &'static str,
    labels: BTreeMap<String, Measures>,
    all: Measures,
    reliability: Vec<Bin>,
    misses: Vec<Finding<'a>>,
    weak: Vec<Finding<'a>>,
    false_alarms: Vec<Finding<'a>>,
    wrong_detectors: Vec<Finding<'a>>,
    unreadable: Vec<Unreadable<'a>>,
    failures: Vec<String>,
}

/// A host that was judged wrongly, or for the wrong reason.
#[derive(Serialize)]
struct Finding<'a> {
    path: &'a Path,
    label: &'a str,
    host: String,
    verdict: Verdict,
    score: f64,
    detectors: &'a [&'static str],
    expected: &'a [String],
}

#[derive(Serialize)]
struct Unreadable<'a> {
    path: &'a Path,
    why: &'a str,
}

impl<'a> Report<'a> {
    fn new(captures: &'a [Capture], args: &EvalArgs) -> Self {
        let (labels, all) = eval::by_label(captures);
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
            misses: find(|host| host.malicious && host.verdict == Verdict::Benign),
            weak: find(|host| host.malicious && host.verdict == Verdict::Suspicious),
            false_alarms: find(|host| !host.malicious && host.verdict >= Verdict::Suspicious),
            wrong_detectors: find(|host| {
                host.malicious
                    && host.verdict >= Verdict::Suspicious
                    && host.right_detector == Some(false)
            }),
            unreadable: unreadable.collect(),
            reliability: reliability(captures),
            failures: failures(&all, args),
            labels,
            all,
        }
    }

    fn json(&self) -> String {
        serde_json::to_string_pretty(self).expect("the report has only text for keys") + "\n"
    }

    fn table(&self, look: Look) -> String {
        let mut page = String::new();
        page += &self.columns(&FOUND);
        page.push('\n');
        page += &self.columns(&COST);
        for (what, count) in [
            ("malicious", self.all.benign_with_malicious),
            ("suspicious", self.all.benign_with_suspicious),
        ] {
            let of = self.all.benign_captures;
            if of > 0 {
                let percent = 100.0 * count as f64 / of as f64;
                page += &format!(
                    "\nbenign captures with a {what} host{}: {count} of {of} ({percent:.1} %)",
                    if what == "suspicious" { " or worse" } else { "" },
                );
            }
        }
        page.push('\n');
        let lists = [
            ("missed", &self.misses),
            ("suspicious only", &self.weak),
            ("false alarms", &self.false_alarms),
            ("found for another reason", &self.wrong_detectors),
        ];
        for (title, findings) in lists {
            if findings.is_empty() {
                continue;
            }
            let title = format!("{title} ({})", findings.len());
            page += &format!("\n{}\n", look.paint(BOLD, &title));
            for finding in findings {
                page += &finding.line();
            }
        }
        if !self.unreadable.is_empty() {
            page += &format!("\n{}\n", look.paint(BOLD, "could not be analysed"));
            for Unreadable { path, why } in &self.unreadable {
                page += &format!("  {}: {}\n", path.display(), clean(why));
            }
        }
        for failure in &self.failures {
            page += &format!("\nbelow the threshold: {failure}\n");
        }
        page
    }
}

impl Report<'_> {
    /// A table of some measures, a line a label and one for all.
    fn columns(&self, columns: &[Column]) -> String {
        let mut table = Look::default().table();
        table.set_header(["label"].into_iter().chain(columns.iter().map(|(title, _)| *title)));
        let all = ("all".to_owned(), &self.all);
        let labels = self.labels.iter().map(|(label, measures)| (label.clone(), measures));
        for (label, measures) in labels.chain([all]) {
            let numbers = columns.iter().map(|(_, column)| column(measures));
            table.add_row([clean(&label)].into_iter().chain(numbers));
        }
        for column in table.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        table.trim_fmt() + "\n"
    }
}

impl Finding<'_> {
    fn line(&self) -> String {
        let Self { path, host, verdict, score, detectors, expected, .. } = self;
        let spoke =
            if detectors.is_empty() { "nothing spoke".to_owned() } else { detectors.join(", ") };
        let wanted = if expected.is_empty() {
            String::new()
        } else {
            format!(" (expected {})", expected.join(" or "))
        };
        let path = path.display();
        format!("  {path}  {host}  {}  {score:.1}  {spoke}{wanted}\n", verdict.as_str())
    }
}

type Column = (&'static str, fn(&Measures) -> String);

/// Who was found, and rightly so.
const FOUND: [Column; 9] = [
    ("captures", |m| m.captures.to_string()),
    ("malicious\nhosts", |m| m.malicious_hosts.to_string()),
    ("benign\nhosts", |m| m.benign_hosts.to_string()),
    ("recall\nsuspicious", |m| percent(m.recall_suspicious)),
    ("recall\nmalicious", |m| percent(m.recall_malicious)),
    ("precision\nsuspicious", |m| percent(m.precision_suspicious)),
    ("precision\nmalicious", |m| percent(m.precision_malicious)),
    ("right\ndetector", |m| percent(m.right_detector)),
    ("Brier\nscore", |m| number(m.brier, 4)),
];

/// What it cost, in false alarms and in time.
const COST: [Column; 7] = [
    ("false alarms\n/capture", |m| number(m.false_alarms_per_capture, 3)),
    ("false alarms\n/host-day", |m| number(m.false_alarms_per_host_day, 3)),
    ("infected\nbefore alert", |m| number(m.infected_before_alert.map(|n| n as f64), 0)),
    ("s to\nalert", |m| number(m.seconds_to_alert, 1)),
    ("connections\nto alert", |m| number(m.connections_to_alert, 1)),
    ("edge\nprecision", |m| percent(m.edge_precision)),
    ("edge\nrecall", |m| percent(m.edge_recall)),
];

fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "-".to_owned(), |share| format!("{:.1} %", share * 100.0))
}

fn number(value: Option<f64>, decimals: usize) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.decimals$}"))
}

/// What the caller's thresholds have against the result.
fn failures(all: &Measures, args: &EvalArgs) -> Vec<String> {
    let benign_share =
        |count: u64| (all.benign_captures > 0).then(|| count as f64 / all.benign_captures as f64);
    let least = [
        ("recall at suspicious", all.recall_suspicious, args.min_recall),
        ("recall at malicious", all.recall_malicious, args.min_recall_malicious),
    ];
    let most = [
        (
            "share of benign captures with a suspicious host",
            benign_share(all.benign_with_suspicious),
            args.max_benign_suspicious,
        ),
        (
            "share of benign captures with a malicious host",
            benign_share(all.benign_with_malicious),
            args.max_benign_malicious,
        ),
    ];
    let mut failures = Vec::new();
    for (what, is, limit) in least {
        // A threshold on nothing is not met: a corpus that went missing must not pass.
        if let Some(limit) = limit
            && is.is_none_or(|is| is < limit)
        {
            failures.push(format!("{what} is {}, at least {limit} is asked for", number(is, 4)));
        }
    }
    for (what, is, limit) in most {
        if let Some(limit) = limit
            && is.is_none_or(|is| is > limit)
        {
            failures.push(format!("{what} is {}, at most {limit} is allowed", number(is, 4)));
        }
    }
    failures
}

//! `wormwatch rules`: what rules there are, whether they are well-formed, and whether they do what
//! their tests say.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;

use super::args::{RuleCheckArgs, RuleListArgs, RuleTestArgs, RulesCommand};
use super::look::{clean, counted};
use super::{Engine, Error, Look, Replay, Status, emit};
use crate::config::Config;
use crate::detect::Family;
use crate::rules::{Case, Input, Rule, RuleSet, cases, load};

/// Does what is asked of the rules.
pub(super) fn execute(
    command: &RulesCommand,
    engine: &dyn Engine,
    out: &mut dyn Write,
    look: Look,
) -> Result<Status, Error> {
    match command {
        RulesCommand::List(args) => list(args, out, look),
        RulesCommand::Check(args) => check(args, out),
        RulesCommand::Test(args) => test(args, engine, out),
    }
}

/// The rules at `paths`; without any, those of the configuration.
fn rules(paths: &[PathBuf], config: Option<&Path>) -> Result<Arc<RuleSet>, Error> {
    let config = match config {
        Some(path) => Config::load(path)?,
        None => Config::default(),
    };
    if paths.is_empty() {
        return Ok(config.rules.set());
    }
    let mut files = Vec::new();
    for path in paths {
        files.extend(load(path)?);
    }
    Ok(Arc::new(RuleSet::new(&files, &config.rules.levels, &config.rules.disabled)?))
}

/// A rule, for a program.
#[derive(Serialize)]
struct Listed<'a> {
    id: &'a str,
    title: &'a str,
    group: &'a str,
    detector: &'a str,
    family: Family,
    #[serde(rename = "type")]
    kind: &'a str,
    level: &'a str,
    llr: f64,
    evidence: bool,
    techniques: &'a [&'a str],
    logs: &'a [&'a str],
    file: &'a str,
    description: &'a str,
}

impl<'a> Listed<'a> {
    fn new(rule: &'a Rule) -> Self {
        Self {
            id: &rule.id,
            title: &rule.title,
            group: &rule.group,
            detector: rule.detector,
            family: rule.family,
            kind: rule.type_name(),
            level: rule.level.as_str(),
            llr: rule.llr,
            evidence: rule.speaks,
            techniques: rule.techniques,
            logs: &rule.kinds,
            file: &rule.file,
            description: &rule.description,
        }
    }

    /// What stands in a table about it.
    fn cells(&self) -> [String; 6] {
        let logs = if self.logs.is_empty() { self.kind.to_owned() } else { self.logs.join(", ") };
        let worth = if self.evidence { self.llr.to_string() } else { "–".to_owned() };
        let cells =
            [self.detector, self.title, self.level, &worth, &self.techniques.join(", "), &logs];
        cells.map(clean)
    }
}

const HEAD: [&str; 6] = ["detector", "rule", "level", "nats", "techniques", "logs"];

fn list(args: &RuleListArgs, out: &mut dyn Write, look: Look) -> Result<Status, Error> {
    let set = rules(&args.paths, args.config.as_deref())?;
    let listed: Vec<_> = set.rules().iter().map(Listed::new).collect();
    let mut page = String::new();
    if args.json {
        for rule in &listed {
            let line = serde_json::to_string(rule).expect("a rule is made of texts and numbers");
            let _ = writeln!(page, "{line}");
        }
    } else if args.markdown {
        let _ = writeln!(page, "| {} |\n|{}", HEAD.join(" | "), " --- |".repeat(HEAD.len()));
        for rule in &listed {
            let _ = writeln!(
                page,
                "| {} |",
                rule.cells().map(|cell| cell.replace('|', "\\|")).join(" | ")
            );
        }
    } else {
        let mut table = look.table();
        table.set_header(HEAD);
        for rule in &listed {
            table.add_row(rule.cells());
        }
        let _ = writeln!(page, "{table}\n{}", counted(listed.len() as u64, "rule"));
    }
    emit(out, &page)?;
    Ok(Status::Done)
}

fn check(args: &RuleCheckArgs, out: &mut dyn Write) -> Result<Status, Error> {
    let set = rules(&args.paths, args.config.as_deref())?;
    let mut page = String::new();
    for note in set.notes() {
        let _ = writeln!(page, "note: {}", clean_lines(&note.to_string()));
    }
    let correlations = set.rules().iter().filter(|rule| rule.is_correlation()).count() as u64;
    let detections = set.rules().len() as u64 - correlations;
    let _ = writeln!(
        page,
        "{} and {}: nothing wrong",
        counted(detections, "detection"),
        counted(correlations, "correlation")
    );
    emit(out, &page)?;
    Ok(Status::Done)
}

fn clean_lines(text: &str) -> String {
    text.lines().map(clean).collect::<Vec<_>>().join("\n")
}

/// How the cases went.
#[derive(Default)]
struct Tally {
    passed: u64,
    failed: u64,
    skipped: u64,
}

fn test(args: &RuleTestArgs, engine: &dyn Engine, out: &mut dyn Write) -> Result<Status, Error> {
    let set = rules(std::slice::from_ref(&args.path), None)?;
    let cases = cases(&args.path, &set)?;
    let mut tally = Tally::default();
    let mut page = String::new();
    for case in &cases {
        let matched = match &case.input {
            Input::Events(_) => Some(case.run(&set)),
            Input::Capture(name) => {
                let capture = args.captures.as_ref().map(|folder| folder.join(name));
                match capture.filter(|capture| capture.exists()) {
                    Some(capture) => Some(replay(case, capture, &set, engine)?),
                    None => None,
                }
            }
        };
        match matched {
            None => tally.skipped += 1,
            Some(matched) if matched == case.matches => tally.passed += 1,
            Some(matched) => {
                tally.failed += 1;
                complain(&mut page, case, &matched);
            }
        }
    }
    for rule in set.rules().iter().filter(|rule| !cases.iter().any(|case| case.rules == rule.file))
    {
        let _ = writeln!(page, "{}:{}: no test: {}", rule.file, rule.line, clean(&rule.title));
    }
    let _ = writeln!(
        page,
        "{} of {}: {} passed, {} failed, {} without their capture",
        counted(cases.len() as u64, "case"),
        counted(set.rules().len() as u64, "rule"),
        tally.passed,
        tally.failed,
        tally.skipped
    );
    emit(out, &page)?;
    Ok(if tally.failed == 0 { Status::Done } else { Status::Reached })
}

fn complain(page: &mut String, case: &Case, matched: &BTreeSet<String>) {
    let names = |ids: &BTreeSet<String>| match ids.len() {
        0 => "nothing".to_owned(),
        _ => ids.iter().map(|id| clean(id)).collect::<Vec<_>>().join(", "),
    };
    let (file, line, name) = (&case.file, case.line, clean(&case.name));
    let (should, did) = (names(&case.matches), names(matched));
    let _ = writeln!(page, "{file}:{line}: {name}: should match {should}, matched {did}");
}

/// The ids of the rules in the case's file that are evidence in `capture`.
fn replay(
    case: &Case,
    capture: PathBuf,
    set: &Arc<RuleSet>,
    engine: &dyn Engine,
) -> Result<BTreeSet<String>, Error> {
    let mut config = Config::default();
    config.rules.use_set(Arc::clone(set));
    let request =
        Replay { inputs: &[capture], threads: 1, events: None, progress: &|_| {}, listener: None };
    let summary = engine.replay(&config, &request).map_err(Error::Replay)?;
    let subjects = summary.hosts.iter().flat_map(|host| &host.score.evidence).map(|e| &e.subject);
    let is_own = |id: &&String| set.find(id).is_some_and(|rule| rule.file == case.rules);
    Ok(subjects.filter(is_own).cloned().collect())
}

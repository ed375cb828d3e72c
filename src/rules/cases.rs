//! Test cases beside rules: events that a rule is for, and near misses that it is not for.
//!
//! `NAME.test.yml` stands beside `NAME.yml` and is a list of cases. A case gives events, or the
//! name of a capture, and says which rules of `NAME.yml` match; none, for a near miss.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use yaml_serde::{Mapping, Value};

use super::document::Document;
use super::files::{self, RuleFile};
use super::mistake::{Mistake, RuleError, nearest};
use super::set::RuleSet;
use super::vocabulary::{self, Word};
use super::watch::{Seen, Watch};
use super::{Fields, Rule};
use crate::inventory::Networks;
use crate::time::Timestamp;

/// What an event has where the case does not say otherwise.
const DEFAULTS: [(&str, &str); 2] = [("id.orig_h", "10.0.0.1"), ("id.resp_h", "10.0.0.2")];
/// Correlations of a case remember at most this.
const BUDGET: usize = 16 << 20;

/// A case of a rule's test.
#[derive(Clone, Debug)]
pub struct Case {
    /// What it shows.
    pub name: String,
    /// Where it stands.
    pub file: String,
    /// The line of its name, from 1.
    pub line: usize,
    /// The file of the rules that it tests.
    pub rules: String,
    /// Ids of the rules of that file that have to match.
    pub matches: BTreeSet<String>,
    /// What happens.
    pub input: Input,
}

/// What happens in a case.
#[derive(Clone, Debug)]
pub enum Input {
    /// These events.
    Events(Vec<CaseEvent>),
    /// What this capture shows; the name is relative to the folder of captures.
    Capture(PathBuf),
}

/// An event of a case.
#[derive(Clone, Debug)]
pub struct CaseEvent {
    kind: &'static str,
    at: Timestamp,
    fields: Mapping,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: String,
    #[serde(default)]
    events: Vec<Mapping>,
    capture: Option<PathBuf>,
    matches: Vec<String>,
}

/// The cases beside the rules at `path`, a file or a folder of them, for the rules of `set`.
///
/// # Errors
/// If a file cannot be read, or a case is wrong; with file and line.
pub fn cases(path: &Path, set: &RuleSet) -> Result<Vec<Case>, RuleError> {
    let mut cases = Vec::new();
    let mut mistakes = Vec::new();
    for file in files::find(path, true)? {
        cases.extend(read(&files::read(&file)?, set, &mut mistakes));
    }
    if mistakes.is_empty() { Ok(cases) } else { Err(RuleError::Wrong(mistakes)) }
}

/// The file of the rules that a file of cases tests.
fn tested(file: &str) -> String {
    file.replace(".test.", ".")
}

fn read(file: &RuleFile, set: &RuleSet, mistakes: &mut Vec<Mistake>) -> Vec<Case> {
    let rules = tested(&file.name);
    let mut cases = Vec::new();
    for document in Document::split(&file.name, &file.text) {
        let written: Vec<Written> = match yaml_serde::from_str(&document.text) {
            Ok(written) => written,
            Err(error) => {
                let line = error.location().map_or(1, |location| location.line());
                mistakes.push(document.mistake_at(line.saturating_sub(1), error.to_string()));
                continue;
            }
        };
        for case in written {
            match check(case, &rules, &document, set) {
                Ok(case) => cases.push(case),
                Err(mistake) => mistakes.push(mistake),
            }
        }
    }
    cases
}

fn check(
    written: Written,
    rules: &str,
    document: &Document,
    set: &RuleSet,
) -> Result<Case, Mistake> {
    let at = document.line_with(&written.name).unwrap_or_default();
    let wrong = |what: String| document.mistake_at(at, what);
    let own: Vec<&Rule> = set.rules().iter().filter(|rule| rule.file == rules).collect();
    if own.is_empty() {
        return Err(wrong(format!("there are no rules in {rules}")));
    }
    let mut matches = BTreeSet::new();
    for name in &written.matches {
        let is_it = |rule: &&Rule| rule.id == *name || rule.name.as_ref() == Some(name);
        let Some(rule) = own.iter().copied().find(is_it) else {
            let names = own.iter().map(|rule| rule.name.as_ref().unwrap_or(&rule.id).as_str());
            return Err(wrong(format!(
                "no rule of {rules} is called {name}{}",
                nearest(name, names)
            )));
        };
        if !rule.speaks {
            return Err(wrong(format!("{name} only counts for correlations and is never told")));
        }
        matches.insert(rule.id.clone());
    }
    let input = match (written.capture, written.events.is_empty()) {
        (Some(capture), true) => Input::Capture(capture),
        (None, false) => {
            let events = written.events.into_iter().enumerate();
            Input::Events(
                events
                    .map(|(index, fields)| event(index, fields).map_err(wrong))
                    .collect::<Result<_, _>>()?,
            )
        }
        _ => return Err(wrong("a case has either `events` or a `capture`".to_owned())),
    };
    Ok(Case {
        file: document.file.to_string(),
        line: document.first_line + at,
        name: written.name,
        rules: rules.to_owned(),
        matches,
        input,
    })
}

fn event(index: usize, mut fields: Mapping) -> Result<CaseEvent, String> {
    let log = fields.remove("log");
    let log = log.as_ref().and_then(Value::as_str).ok_or("an event says its `log`")?;
    let kind = vocabulary::kind(log).ok_or_else(|| {
        format!("no event of {log} is made here{}", nearest(log, vocabulary::services()))
    })?;
    let at = match fields.remove("at") {
        None => index as f64,
        Some(at) => at.as_f64().ok_or("`at` is a number of seconds")?,
    };
    for name in fields.keys() {
        let name = name.as_str().unwrap_or_default();
        if kind.word(name) != Word::Field(kind.filled().find(|field| *field == name).unwrap_or(""))
        {
            return Err(format!(
                "no field of {log} is called `{name}`{}",
                nearest(name, kind.filled())
            ));
        }
    }
    Ok(CaseEvent { kind: kind.name, at: Timestamp::from_nanos((at * 1e9) as i64), fields })
}

impl CaseEvent {
    fn fill(&self, fields: &mut Fields, is_own: &dyn Fn(IpAddr) -> bool) {
        fields.clear();
        for (name, value) in &self.fields {
            if let Some(name) = name.as_str() {
                fields.put_named(name, value);
            }
        }
        for (name, value) in DEFAULTS {
            fields.put_missing(name, value);
        }
        for (name, of) in [("local_orig", "id.orig_h"), ("local_resp", "id.resp_h")] {
            let is_local =
                fields.text_of(of).and_then(|text| text.parse().ok()).is_some_and(is_own);
            fields.put_missing(name, is_local);
        }
    }
}

impl Case {
    /// The ids of the rules in its file that match its events; none for a capture.
    pub fn run(&self, set: &RuleSet) -> BTreeSet<String> {
        let Input::Events(events) = &self.input else { return BTreeSet::new() };
        let own = Networks::private();
        let is_own = |addr| own.contains(addr);
        let (mut watch, mut fields, mut found) =
            (Watch::new(BUDGET), Fields::default(), Vec::new());
        for event in events {
            event.fill(&mut fields, &is_own);
            let seen = Seen {
                kind: event.kind,
                at: event.at,
                fields: &mut fields,
                conversation: None,
                is_own: &is_own,
                roles: &|_| Vec::new(),
            };
            watch.on_event(set, seen, &mut found);
        }
        let ids = found.iter().filter_map(|found| set.rules().get(found.rule));
        ids.filter(|rule| rule.file == self.rules).map(|rule| rule.id.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::Levels;

    const RULE: &str = "\
title: Root logs in
id: r-root
name: root
logsource: {product: zeek, service: login}
detection: {s: {user: root}, condition: s}
level: low
";

    fn run(cases: &str) -> Result<Vec<bool>, Vec<String>> {
        let file = |name: &str, text: &str| RuleFile {
            name: name.to_owned(),
            group: "x".to_owned(),
            text: text.to_owned(),
        };
        let set = RuleSet::new(&[file("x/a.yml", RULE)], &Levels::default(), &[]).unwrap();
        let mut mistakes = Vec::new();
        let cases = read(&file("x/a.test.yml", cases), &set, &mut mistakes);
        if !mistakes.is_empty() {
            return Err(mistakes.iter().map(|m| format!("{}: {}", m.line, m.what)).collect());
        }
        Ok(cases.iter().map(|case| case.run(&set) == case.matches).collect())
    }

    #[test]
    fn compares_what_matches_with_what_should() {
        let cases = "\
- name: root
  events:
  - {log: login, user: root}
  matches: [root]
- name: not root
  events: [{log: login, user: toor}]
  matches: []
- name: wrong
  events: [{log: login, user: toor}]
  matches: [r-root]
";
        assert_eq!(run(cases).unwrap(), [true, true, false]);
    }

    #[test]
    fn a_case_that_tests_nothing_is_a_mistake() {
        let with = |events: &str, matches: &str| {
            run(&format!("# cases\n- name: one\n  events: [{events}]\n  matches: [{matches}]\n"))
                .unwrap_err()
                .join("; ")
        };

        assert_eq!(
            with("{log: login, usr: root}", ""),
            "2: no field of login is called `usr`: did you mean `user`?"
        );
        assert_eq!(
            with("{log: lgoin}", ""),
            "2: no event of lgoin is made here: did you mean `login`?"
        );
        assert_eq!(with("{user: root}", ""), "2: an event says its `log`");
        assert_eq!(
            with("{log: login}", "roott"),
            "2: no rule of x/a.yml is called roott: did you mean `root`?"
        );
        assert_eq!(with("", "root"), "2: a case has either `events` or a `capture`");
    }
}

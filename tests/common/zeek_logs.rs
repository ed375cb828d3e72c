//! Our records against Zeek's, field by field: what a real Zeek wrote for the attack captures, and
//! what Zeek's own tests expect.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Map, Value};

/// A record as its fields.
pub(crate) type Record = Map<String, Value>;

/// What is no disagreement although it differs.
#[derive(Clone, Copy)]
pub(crate) struct Allowance {
    /// Why a record of Zeek's is not compared, if it is not.
    pub(crate) left_out: fn(&Record) -> Option<&'static str>,
    /// Whether two values of a field that differ say the same: Zeek's, then ours.
    pub(crate) alike: fn(&str, Option<&Value>, Option<&Value>) -> bool,
}

impl Allowance {
    /// Everything is compared, and has to be equal.
    pub(crate) const NONE: Self = Self { left_out: |_| None, alike: |_, _, _| false };
}

/// What is compared of a kind of log.
pub(crate) struct Comparison {
    /// The log's name.
    pub(crate) kind: &'static str,
    /// Fields that say which record it is, beside the ends of the connection.
    pub(crate) identity: &'static [&'static str],
    /// Fields that should be equal.
    pub(crate) fields: &'static [&'static str],
    /// Baselines, by a part of their names, that cannot be compared, and why.
    pub(crate) incomparable: &'static [(&'static str, &'static str)],
}

/// How many of Zeek's records we have, and how many of those agree in each field.
#[derive(Debug, Default)]
pub(crate) struct Agreement {
    /// Zeek's records.
    pub(crate) zeek: usize,
    /// Ours.
    pub(crate) ours: usize,
    /// Those that both have.
    pub(crate) found: usize,
    /// Those of both that agree in every field.
    pub(crate) equal: usize,
    /// Those of Zeek's that are not compared, by the reason.
    pub(crate) left_out: BTreeMap<&'static str, usize>,
    same: BTreeMap<&'static str, usize>,
}

impl Agreement {
    /// Zeek's records that are compared.
    pub(crate) fn compared(&self) -> usize {
        self.zeek - self.left_out.values().sum::<usize>()
    }

    /// Percentage of those that we have.
    pub(crate) fn found(&self) -> f64 {
        100.0 * self.found as f64 / self.compared().max(1) as f64
    }

    /// Percentage of those that we have with every field equal.
    pub(crate) fn equal(&self) -> f64 {
        100.0 * self.equal as f64 / self.compared().max(1) as f64
    }

    /// Percentage of the records of both that agree in `field`.
    pub(crate) fn same(&self, field: &str) -> f64 {
        100.0 * *self.same.get(field).unwrap_or(&0) as f64 / self.found.max(1) as f64
    }

    /// Prints a line a field.
    pub(crate) fn print(&self, name: &str, fields: &[&str]) {
        println!(
            "{name}: {} records of Zeek's, {} of ours, {:.1} % found, {:.1} % equal",
            self.zeek,
            self.ours,
            self.found(),
            self.equal()
        );
        for (reason, count) in &self.left_out {
            println!("  not compared: {count} ({reason})");
        }
        for field in fields {
            println!("  {field:<20} {:>6.1} %", self.same(field));
        }
    }
}

impl Comparison {
    /// Compares with what a real Zeek wrote for the attack captures.
    pub(crate) fn with_logs(&self, corpus: &Path) -> Agreement {
        self.with_logs_but(corpus, Allowance::NONE)
    }

    /// The same, but for what is allowed.
    pub(crate) fn with_logs_but(&self, corpus: &Path, allowed: Allowance) -> Agreement {
        let mut agreement = Agreement::default();
        for log in logs(&corpus.join("zeek-logs"), self.kind) {
            let folder = log.parent().expect("a log lies in a folder");
            let name = folder.strip_prefix(corpus.join("zeek-logs")).expect("below the logs");
            let ours = self.ours(&corpus.join(name));
            let name = name.to_string_lossy();
            self.compare(&mut agreement, allowed, &name, &json_lines(&log), ours);
        }
        agreement
    }

    /// Compares with what Zeek's own tests expect.
    pub(crate) fn with_baselines(&self, corpus: &Path) -> Agreement {
        self.with_baselines_but(corpus, Allowance::NONE)
    }

    /// The same, but for what is allowed.
    pub(crate) fn with_baselines_but(&self, corpus: &Path, allowed: Allowance) -> Agreement {
        let mut agreement = Agreement::default();
        let captures = captures(corpus);
        let ending = format!("__{}.log", self.kind);
        for log in files(&corpus.join("zeek-baseline")) {
            let name = log.file_name().expect("a file").to_string_lossy().into_owned();
            let folder = log.parent().and_then(Path::file_name).expect("in a folder");
            let capture = captures.get(&*folder.to_string_lossy());
            let is_other = self.incomparable.iter().any(|(part, _)| name.contains(part));
            if let (true, false, Some(capture)) = (name.ends_with(&ending), is_other, capture) {
                let ours = self.ours(capture);
                self.compare(&mut agreement, allowed, &name, &table(&log), ours);
            }
        }
        agreement
    }

    fn ours(&self, capture: &Path) -> Vec<Record> {
        records(capture, self.kind)
    }

    fn compare(
        &self,
        agreement: &mut Agreement,
        allowed: Allowance,
        name: &str,
        zeek: &[Record],
        ours: Vec<Record>,
    ) {
        let same = |field: &str, theirs: &Record, mine: &Record| {
            let (theirs, mine) = (theirs.get(field), mine.get(field));
            same(theirs, mine) || (allowed.alike)(field, theirs, mine)
        };
        let show = std::env::var_os("WORMWATCH_SHOW_DIFFERENCES").is_some();
        agreement.zeek += zeek.len();
        agreement.ours += ours.len();
        let mut by_identity: BTreeMap<String, Vec<Record>> = BTreeMap::new();
        for record in ours {
            by_identity.entry(self.identity(&record)).or_default().push(record);
        }
        for theirs in zeek {
            if let Some(reason) = (allowed.left_out)(theirs) {
                *agreement.left_out.entry(reason).or_default() += 1;
                continue;
            }
            let candidates = by_identity.entry(self.identity(theirs)).or_default();
            let equal = |mine: &Record| {
                self.fields.iter().filter(|field| same(field, theirs, mine)).count()
            };
            let best = (0..candidates.len()).rev().max_by_key(|&at| equal(&candidates[at]));
            let Some(best) = best else {
                if show {
                    println!("  missing {name} {}", Value::Object(theirs.clone()));
                }
                continue;
            };
            let mine = candidates.remove(best);
            agreement.found += 1;
            agreement.equal += usize::from(equal(&mine) == self.fields.len());
            for field in self.fields {
                if same(field, theirs, &mine) {
                    *agreement.same.entry(field).or_default() += 1;
                } else if show {
                    let (theirs, mine) = (theirs.get(*field), mine.get(*field));
                    println!("  differs {name} {field}: zeek {theirs:?} ours {mine:?}");
                }
            }
        }
        if show {
            for record in by_identity.into_values().flatten() {
                println!("  extra {name} {}", Value::Object(record));
            }
        }
    }

    fn identity(&self, record: &Record) -> String {
        let ends = ["id.orig_h", "id.orig_p", "id.resp_h", "id.resp_p"];
        let fields = ends.iter().chain(self.identity);
        fields.map(|field| record.get(*field).map_or(String::new(), Value::to_string)).collect()
    }
}

/// Our records of a kind for a capture.
pub(crate) fn records(capture: &Path, kind: &str) -> Vec<Record> {
    let dir = tempfile::tempdir().unwrap();
    let status = Command::new(env!("CARGO_BIN_EXE_wormwatch"))
        .args(["replay", "--json", "--events"])
        .args([dir.path(), capture])
        .output()
        .unwrap();
    assert!(status.status.success(), "{}", capture.display());
    let log = dir.path().join(format!("{kind}.log"));
    if log.exists() { json_lines(&log) } else { Vec::new() }
}

/// Whether two values are equal; what is absent is as good as an empty list.
fn same(theirs: Option<&Value>, ours: Option<&Value>) -> bool {
    let is_nothing = |value: &Value| value.is_null() || value.as_array().is_some_and(Vec::is_empty);
    let theirs = theirs.filter(|value| !is_nothing(value));
    let ours = ours.filter(|value| !is_nothing(value));
    match (theirs, ours) {
        (Some(Value::Array(theirs)), Some(Value::Array(ours))) => {
            theirs.len() == ours.len()
                && theirs.iter().zip(ours).all(|(a, b)| same(Some(a), Some(b)))
        }
        // A table without types does not tell a list of one from what is in it.
        (Some(theirs @ Value::String(_)), Some(Value::Array(ours))) if ours.len() == 1 => {
            same(Some(theirs), ours.first())
        }
        (Some(Value::Number(theirs)), Some(Value::Number(ours))) => {
            let difference = theirs.as_f64().unwrap() - ours.as_f64().unwrap();
            difference.abs() < 1e-5
        }
        (theirs, ours) => theirs == ours,
    }
}

/// All files below `dir`, sorted.
fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut dirs = vec![dir.to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { dirs.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}

fn logs(dir: &Path, kind: &str) -> Vec<PathBuf> {
    let name = format!("{kind}.log");
    files(dir).into_iter().filter(|path| path.ends_with(&name)).collect()
}

/// Captures by their names.
fn captures(corpus: &Path) -> BTreeMap<String, PathBuf> {
    let folders = std::fs::read_dir(corpus).unwrap().map(|entry| entry.unwrap().path());
    let is_captures = |path: &PathBuf| {
        path.is_dir() && !path.file_name().unwrap().to_string_lossy().starts_with("zeek-")
    };
    let files = folders.filter(is_captures).flat_map(|folder| files(&folder));
    files.map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), path)).collect()
}

fn json_lines(log: &Path) -> Vec<Record> {
    let text = std::fs::read_to_string(log).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A log in Zeek's own format, with values as they would be in JSON.
fn table(log: &Path) -> Vec<Record> {
    let text = String::from_utf8_lossy(&std::fs::read(log).unwrap()).into_owned();
    let header = |name: &str| -> Vec<String> {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.map(|line| line.split('\t').skip(1).map(str::to_owned).collect()).unwrap_or_default()
    };
    let types = header("#types");
    let mut lines = text.lines().filter(|line| !line.starts_with('#'));
    let mut fields = header("#fields");
    if fields.is_empty() {
        let names = lines.next().unwrap_or_default().split('\t');
        fields = names.map(str::to_owned).collect();
    }
    lines
        .map(|line| {
            let kinds = types.iter().map(String::as_str).chain(std::iter::repeat(""));
            let values = line.split('\t').zip(fields.iter().zip(kinds));
            let values = values.filter(|(value, _)| *value != "-");
            values.map(|(value, (field, kind))| (field.clone(), parse(value, kind))).collect()
        })
        .collect()
}

fn parse(value: &str, kind: &str) -> Value {
    if let Some((_, inner)) = kind.split_once('[') {
        let inner = inner.trim_end_matches(']');
        let items = value.split(',').filter(|_| value != "(empty)");
        return items.map(|item| parse(item, inner)).collect();
    }
    match kind {
        "bool" => Value::Bool(value == "T"),
        "count" | "port" | "int" => value.parse::<u64>().map_or(Value::Null, Value::from),
        "interval" | "double" => value.parse::<f64>().map_or(Value::Null, Value::from),
        // Where types are left out, numbers are told by their looks.
        "" if value.bytes().all(|b| b.is_ascii_digit()) => parse(value, "count"),
        _ if value == "(empty)" => Value::from(""),
        _ => Value::from(value),
    }
}

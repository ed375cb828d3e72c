//! The whole program on real captures that nobody of this project made.
//!
//! The corpus lies beside the repository (`../shared/corpus`, or where `WORMWATCH_CORPUS` says);
//! without it these tests say so and pass.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test says what it skips, and fails"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

/// Where the corpus is, if it is.
fn corpus() -> Option<PathBuf> {
    let dir = std::env::var_os("WORMWATCH_CORPUS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus"),
        PathBuf::from,
    );
    if dir.join("INDEX.tsv").exists() {
        return Some(dir);
    }
    println!("skipped: no corpus");
    None
}

/// Every capture of the folders that `wanted` chooses, sorted.
fn captures(corpus: &Path, wanted: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for folder in std::fs::read_dir(corpus).unwrap().flatten() {
        let name = folder.file_name().into_string().unwrap();
        if !folder.path().is_dir() || name.starts_with("zeek-") || !wanted(&name) {
            continue;
        }
        for file in std::fs::read_dir(folder.path()).unwrap().flatten() {
            if !file.path().to_string_lossy().ends_with(".truth.toml") {
                found.push(file.path());
            }
        }
    }
    found.sort();
    found
}

fn wormwatch(arguments: &[&str], file: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_wormwatch")).args(arguments).arg(file).output().unwrap()
}

/// Runs `job` on every path, two at a time, and gathers the complaints in order.
fn for_each(paths: &[PathBuf], job: impl Fn(&Path) -> Result<(), String> + Sync) -> Vec<String> {
    let next = AtomicUsize::new(0);
    let complaints = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                while let Some(path) = paths.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(complaint) = job(path) {
                        complaints.lock().unwrap().insert(path.clone(), complaint);
                    }
                }
            });
        }
    });
    let complaints = complaints.into_inner().unwrap();
    complaints.into_iter().map(|(path, why)| format!("{}: {why}", path.display())).collect()
}

fn replay_json(file: &Path, more: &[&str]) -> Result<Value, String> {
    let output = wormwatch(&[&["replay", "--json"], more].concat(), file);
    if output.status.code() != Some(0) {
        let stderr = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{}: {stderr}", output.status));
    }
    serde_json::from_slice(&output.stdout).map_err(|error| error.to_string())
}

/// What `capinfos` counts; files that it finds damaged are left out.
fn capinfos(paths: &[PathBuf]) -> Option<BTreeMap<PathBuf, u64>> {
    let mut counts = BTreeMap::new();
    for chunk in paths.chunks(100) {
        let output = Command::new("capinfos").args(["-T", "-r", "-c"]).args(chunk).output().ok()?;
        for line in String::from_utf8_lossy(&output.stdout).lines() {
            let mut fields = line.split('\t');
            if let (Some(path), Some(Ok(count))) =
                (fields.next(), fields.next_back().map(str::parse))
            {
                counts.insert(PathBuf::from(path), count);
            }
        }
        // Files that break off are listed with the packets before the break, and complained of.
        for line in String::from_utf8_lossy(&output.stderr).lines() {
            counts.retain(|path, _| !line.contains(&*path.to_string_lossy()));
        }
    }
    Some(counts)
}

#[test]
fn replays_every_capture_and_counts_as_capinfos_does() {
    let Some(corpus) = corpus() else { return };
    let paths = captures(&corpus, |_| true);
    let expected = capinfos(&paths);
    if expected.is_none() {
        println!("skipped: no capinfos, counts are not compared");
    }

    let complaints = for_each(&paths, |path| {
        let report = replay_json(path, &[])?;
        let input = &report["inputs"][0];
        let intact = !input["truncated"].as_bool().ok_or("no `truncated`")?;
        let count = input["packets"].as_u64().ok_or("no `packets`")?;
        match expected.as_ref().and_then(|expected| expected.get(path)) {
            Some(&expected) if intact && count != expected => {
                Err(format!("{count} packets, capinfos counts {expected}"))
            }
            Some(_) if !intact => Err(format!("called damaged, but capinfos reads it: {input}")),
            _ => Ok(()),
        }
    });

    assert!(
        complaints.is_empty(),
        "{} of {}:\n{}",
        complaints.len(),
        paths.len(),
        complaints.join("\n")
    );
}

#[test]
fn gives_the_same_bytes_whatever_the_number_of_threads() {
    let Some(corpus) = corpus() else { return };
    let paths = captures(&corpus, |folder| folder != "malformed-edge-case" && folder != "benign");

    let complaints = for_each(&paths, |path| {
        let mut runs = [["1", "1"], ["2", "1"], ["4", "2"]].into_iter().map(|[threads, _]| {
            let mut report = replay_json(path, &["--threads", threads])?;
            report["stats"]["elapsed_s"] = Value::Null;
            Ok::<_, String>(report.to_string())
        });
        let one = runs.next().ok_or("no run")??;
        for run in runs {
            if run? != one {
                return Err("the number of threads changes the output".to_owned());
            }
        }
        Ok(())
    });

    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn sees_both_spreaders_of_a_worm_without_a_single_handshake() {
    let Some(corpus) = corpus() else { return };
    let capture = corpus.join("worm/0xl3x1.zeek-EternalSafety__wannacry.pcap");

    let report = replay_json(&capture, &[]).unwrap();

    let verdict = |address: &str| {
        report["hosts"]
            .as_array()
            .unwrap()
            .iter()
            .find(|host| host["host"] == address)
            .map(|host| host["verdict"].clone())
    };
    assert_eq!(verdict("192.168.116.149"), Some("malicious".into()));
    assert_eq!(verdict("192.168.116.138"), Some("malicious".into()));
}

#[test]
fn finds_scanners_and_guessers_and_leaves_the_innocent_alone() {
    let Some(corpus) = corpus() else { return };
    let labels = ["scan-horizontal", "scan-vertical", "scan-slow", "bruteforce", "benign"];

    let output = wormwatch(
        &[
            &["eval", "--min-recall", "0.95", "--max-benign-malicious", "0.01"][..],
            &["--max-benign-suspicious", "0.03"],
            &labels.map(|label| ["--label", label]).concat(),
        ]
        .concat(),
        &corpus,
    );

    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

//! Every capture of the corpus is read to the frame that `capinfos` counts.
//!
//! The corpus is looked for beside the repository or where `WORMWATCH_CORPUS` says.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests are tests")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use wormwatch::source::{CaptureSet, InputReport, Next, Source};

fn corpus() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus");
    let corpus = std::env::var_os("WORMWATCH_CORPUS").map_or_else(beside, PathBuf::from);
    corpus.is_dir().then_some(corpus)
}

/// Captures of the corpus: those that have a ground truth beside them.
fn captures(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            captures(&path, found);
        } else if let Some(capture) =
            path.to_str().unwrap().strip_suffix(".truth.toml").map(PathBuf::from)
            && capture.exists()
        {
            found.push(capture);
        }
    }
}

fn read(inputs: &[PathBuf]) -> Vec<InputReport> {
    let mut set = CaptureSet::open(inputs).unwrap();
    let mut latest = None;
    loop {
        let mut frames = Vec::new();
        if set.next(32, &mut frames) == Next::End {
            break;
        }
        for frame in frames {
            assert!(latest <= Some(frame.ts), "time runs back");
            assert!(frame.wire_len as usize >= frame.data.len());
            latest = Some(frame.ts);
        }
    }
    let (read, total) = set.progress().unwrap();
    assert_eq!(read, total);
    set.inputs()
}

/// What capinfos counts, by path, and what it complains about.
fn capinfos(paths: &[PathBuf]) -> Option<(BTreeMap<PathBuf, u64>, String)> {
    let mut counts = BTreeMap::new();
    let mut complaints = String::new();
    for some in paths.chunks(200) {
        let output = Command::new("capinfos").args(["-MTmrQc"]).args(some).output().ok()?;
        for line in String::from_utf8_lossy(&output.stdout).lines() {
            let (path, count) = line.rsplit_once(',').unwrap();
            counts.insert(
                PathBuf::from(path.trim_matches('"')),
                count.trim_matches('"').parse().unwrap(),
            );
        }
        complaints.push_str(&String::from_utf8_lossy(&output.stderr));
    }
    Some((counts, complaints))
}

#[test]
fn counts_the_frames_that_capinfos_counts() {
    let Some(corpus) = corpus() else {
        println!("skipped: no corpus");
        return;
    };
    let mut paths = Vec::new();
    captures(&corpus, &mut paths);
    paths.sort();
    let Some((expected, complaints)) = capinfos(&paths) else {
        println!("skipped: no capinfos");
        return;
    };
    let mut wrong = Vec::new();
    let mut compared = 0;

    for path in &paths {
        let [report] = <[InputReport; 1]>::try_from(read(std::slice::from_ref(path))).unwrap();
        let complained = complaints.contains(path.to_str().unwrap());
        match expected.get(path) {
            Some(&count) => {
                compared += 1;
                if count != report.packets || complained != report.damage.is_some() {
                    wrong.push(format!("{count} by capinfos, {report:?}"));
                }
            }
            // Link types that capinfos does not know.
            None if complained => {}
            None => wrong.push(format!("no count by capinfos, {report:?}")),
        }
    }

    println!("{compared} of {} captures compared", paths.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(compared * 100 >= paths.len() * 99, "capinfos could read {compared} only");
}

#[test]
fn a_directory_holds_what_its_files_hold() {
    let Some(corpus) = corpus() else {
        println!("skipped: no corpus");
        return;
    };
    let folder = corpus.join("scan-horizontal");
    let mut paths = Vec::new();
    captures(&folder, &mut paths);
    paths.sort();
    let alone: Vec<(String, u64)> = paths
        .iter()
        .flat_map(|path| read(std::slice::from_ref(path)))
        .map(|report| (report.name, report.packets))
        .collect();

    let together: Vec<(String, u64)> =
        read(&[folder]).into_iter().map(|report| (report.name, report.packets)).collect();

    assert_eq!(together, alone);
}

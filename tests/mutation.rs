//! That the fixtures would notice if a detector were gone: each is switched off in turn, and at least
//! one fixture must no longer be judged as its truth says.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a test says what it saw, and fails")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use wormwatch::cli::{Engine, Replay};
use wormwatch::config::Config;
use wormwatch::detect;
use wormwatch::engine::ReplayEngine;
use wormwatch::eval::{Capture, Judged, Listener, Request, evaluate};
use wormwatch::score::Verdict;

/// The verdict on every fixture under `config`.
fn judge(config: &Config) -> Vec<Capture> {
    let request = Request {
        folders: vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")],
        labels: Vec::new(),
        jobs: 2,
        score: config.score.clone(),
        baselines: Vec::new(),
    };
    let analyse = |path: &Path, _: Listener<'_>| {
        let inputs = [path.to_owned()];
        let replay =
            Replay { inputs: &inputs, threads: 1, events: None, progress: &|_| {}, listener: None };
        ReplayEngine.replay(config, &replay)
    };
    evaluate(&request, analyse, |_, _| {}).unwrap()
}

fn without(detector: &str) -> Config {
    let mut config = Config::default();
    config.detect.disabled.push(detector.to_owned());
    config
}

/// The fixtures in which `is_wrong` holds of a host.
fn fixtures_with(captures: &[Capture], is_wrong: fn(&Judged) -> bool) -> BTreeSet<PathBuf> {
    let wrong = captures.iter().filter(|capture| capture.hosts.iter().any(is_wrong));
    wrong.map(|capture| capture.path.parent().unwrap().to_owned()).collect()
}

/// A malicious host that nobody suspects, or not for what it does; an innocent one that is suspected.
fn is_misjudged(host: &Judged) -> bool {
    let is_suspected = host.verdict >= Verdict::Suspicious;
    host.malicious != is_suspected || (host.malicious && host.right_detector == Some(false))
}

#[test]
fn every_detector_is_missed_by_a_fixture_when_it_is_off() {
    let whole = fixtures_with(&judge(&Config::default()), is_misjudged);
    let mut unnoticed = Vec::new();
    for detector in detect::ids() {
        let captures = judge(&without(detector));

        let spoke = captures
            .iter()
            .flat_map(|capture| &capture.hosts)
            .any(|host| host.detectors.contains(&detector));
        assert!(!spoke, "{detector} is off");
        let broken: Vec<_> =
            fixtures_with(&captures, is_misjudged).difference(&whole).cloned().collect();
        println!("without {detector}: {broken:?} fail");
        if broken.is_empty() {
            unnoticed.push(detector);
        }
    }

    assert!(unnoticed.is_empty(), "no fixture notices that these are off: {unnoticed:?}");
}

//! The captures in `fixtures/`: that they are what the code writes, and that a replay of each says
//! what its ground truth says, no less and no more.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends where it cannot go on")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;
use wormwatch::synth::families::{FAMILIES, GUARDS};
use wormwatch::synth::fixtures::{FIXTURES, write_all};

#[derive(Deserialize)]
struct Truth {
    benign: bool,
    #[serde(rename = "host", default)]
    hosts: Vec<HostTruth>,
}

#[derive(Deserialize)]
struct HostTruth {
    address: String,
    verdict: String,
    #[serde(default)]
    classes: Vec<String>,
}

#[derive(Deserialize)]
struct Replay {
    schema: String,
    hosts: Vec<Host>,
    stats: Stats,
}

#[derive(Deserialize)]
struct Host {
    host: String,
    verdict: String,
    score: f64,
    detectors: Vec<String>,
}

#[derive(Deserialize)]
struct Stats {
    packets: u64,
}

fn fixtures_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

fn truth(name: &str) -> Truth {
    let path = fixtures_dir().join(name).join("capture.pcap.zst.truth.toml");
    toml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn replay(name: &str) -> Replay {
    let capture = fixtures_dir().join(name).join("capture.pcap.zst");
    let output = Command::new(env!("CARGO_BIN_EXE_wormwatch"))
        .args(["replay", "--json"])
        .arg(capture)
        .output()
        .unwrap();
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// What a person reads when a fixture is judged wrongly.
fn judged(replay: &Replay) -> String {
    let line = |host: &Host| {
        format!("  {} {} {:.1} {}\n", host.host, host.verdict, host.score, host.detectors.join(" "))
    };
    replay.hosts.iter().map(line).collect()
}

/// Context "multiplies, never convicts", nor does novelty or an account that wanders: with them the
/// rest of a small attack is a suspicion at least.
fn expected_verdicts(name: &str) -> &'static [&'static str] {
    let is_weak = ["host-", "auth-shared", "novelty-", "scan-slow-hit-list"]
        .iter()
        .any(|weak| name.starts_with(weak));
    if is_weak { &["suspicious", "malicious"] } else { &["malicious"] }
}

#[test]
fn the_code_writes_the_same_bytes_again() {
    let dir = tempfile::tempdir().unwrap();

    write_all(dir.path()).unwrap();

    let (written, kept) = (files_below(dir.path()), files_below(&fixtures_dir()));
    assert_eq!(written, kept, "run: cargo run --example fixtures -- fixtures");
    for path in written {
        let same = std::fs::read(dir.path().join(&path)).unwrap()
            == std::fs::read(fixtures_dir().join(&path)).unwrap();
        assert!(same, "{}: run: cargo run --example fixtures -- fixtures", path.display());
    }
}

#[test]
fn fixtures_stay_small() {
    for fixture in FIXTURES {
        let capture = fixtures_dir().join(fixture.name).join("capture.pcap.zst");
        let bytes = capture.metadata().unwrap().len();

        assert!(bytes < 100_000, "{}: {bytes} bytes", fixture.name);
    }
}

#[test]
fn families_stay_small() {
    let mut total = 0;
    for family in FAMILIES {
        let capture = fixtures_dir().join(family.name).join("capture.pcap.zst");
        let bytes = capture.metadata().unwrap().len();
        total += bytes;

        assert!(bytes < 400_000, "{}: {bytes} bytes", family.name);
    }

    assert!(total < 5_400_000, "{total} bytes");
}

/// What is stated as found is found at least, whoever is innocent stays so, and the rest is the gap
/// that `fixtures/README.md` shows. More may be found than is stated: then state it.
#[test]
fn of_each_worm_as_many_hosts_are_found_as_the_list_says() {
    let mut wrong = String::new();
    for family in FAMILIES {
        let truth = truth(family.name);
        let named = |verdict: &str| -> BTreeSet<_> {
            let hosts = truth.hosts.iter().filter(|host| host.verdict == verdict);
            hosts.map(|host| host.address.as_str()).collect()
        };
        let (spread, unknown) = (named("malicious"), named("unknown"));
        let replay = replay(family.name);
        let suspected: BTreeSet<_> = replay
            .hosts
            .iter()
            .filter(|host| host.verdict != "benign")
            .map(|host| host.host.as_str())
            .collect();
        let found = suspected.intersection(&spread).count();
        let innocents =
            suspected.iter().any(|host| !spread.contains(host) && !unknown.contains(host));
        if spread.len() != family.spread || found < family.found || innocents {
            wrong += &format!(
                "{}: {found} of {} found, stated {} of {}\n{}",
                family.name,
                spread.len(),
                family.found,
                family.spread,
                judged(&replay)
            );
        }
    }

    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn each_guard_has_a_capture_that_is_benign() {
    for (what, fixtures) in GUARDS {
        for name in *fixtures {
            assert!(truth(name).benign, "{what}: {name}");
        }
    }

    assert_eq!(GUARDS.len(), 12);
}

#[test]
fn each_attack_is_named_by_its_detector() {
    let mut attacks = 0;
    let mut missed = String::new();
    for fixture in FIXTURES {
        let truth = truth(fixture.name);
        let replay = replay(fixture.name);
        assert_eq!(replay.schema, "wormwatch.replay/1");
        assert!(replay.stats.packets > 100, "{}", fixture.name);
        for expected in &truth.hosts {
            attacks += 1;
            let seen = replay.hosts.iter().find(|host| host.host == expected.address);
            let verdicts = expected_verdicts(fixture.name);
            let convicted = seen.is_some_and(|host| verdicts.contains(&host.verdict.as_str()));
            let named = seen.is_some_and(|host| {
                host.detectors
                    .iter()
                    .any(|id| expected.classes.iter().any(|class| id.starts_with(class.as_str())))
            });
            if !(convicted && named) {
                missed += &format!("{}:\n{}", fixture.name, judged(&replay));
            }
        }
    }

    assert_eq!(attacks, 17);
    assert!(missed.is_empty(), "missed:\n{missed}");
}

#[test]
fn nobody_else_is_suspected() {
    let mut innocents = 0;
    let mut wrong = String::new();
    for fixture in FIXTURES {
        let truth = truth(fixture.name);
        innocents += usize::from(truth.benign);
        let guilty: BTreeSet<_> = truth.hosts.iter().map(|host| host.address.as_str()).collect();
        let replay = replay(fixture.name);
        let suspected = replay
            .hosts
            .iter()
            .any(|host| host.verdict != "benign" && !guilty.contains(host.host.as_str()));
        if suspected {
            wrong += &format!("{}:\n{}", fixture.name, judged(&replay));
        }
    }

    assert_eq!(innocents, FIXTURES.len() - 13);
    assert!(wrong.is_empty(), "suspected without reason:\n{wrong}");
}

fn files_below(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut waiting = vec![dir.to_path_buf()];
    while let Some(next) = waiting.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                waiting.push(path);
            } else {
                found.push(path.strip_prefix(dir).unwrap().to_path_buf());
            }
        }
    }
    found.sort();
    found
}

//! `wormwatch synth` as a person runs it: what it writes can be replayed, and what is wrong with a
//! scenario is said in a way that helps.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test ends where it cannot go on"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn wormwatch(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_wormwatch")).args(arguments).output().unwrap()
}

fn scenario(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name).join("scenario.toml")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Packets that a replay of `capture` finds, and whether it was whole.
fn replayed(capture: &Path) -> (u64, bool) {
    let output = wormwatch(&["replay", "--json", capture.to_str().unwrap()]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let errors = document["inputs"][0]["decode_errors"].as_object().unwrap();
    let is_whole = document["inputs"][0]["truncated"] == false && errors.is_empty();
    (document["stats"]["packets"].as_u64().unwrap(), is_whole)
}

#[test]
fn every_format_holds_the_same_packets_and_is_read_to_its_end() {
    let dir = tempfile::tempdir().unwrap();
    let scenario = scenario("worm-smb");
    let mut counts = Vec::new();

    for name in ["a.pcap", "a.pcap.zst", "a.pcapng", "a.pcapng.zst"] {
        let path = dir.path().join(name);
        let arguments = ["synth", scenario.to_str().unwrap(), "-o", path.to_str().unwrap()];
        let output = wormwatch(&arguments);
        assert!(output.status.success(), "{}", text(&output.stderr));
        let told = text(&output.stdout);
        assert!(told.contains(" infections") && !told.contains(" 0 infections"), "{told}");
        assert!(dir.path().join(format!("{name}.truth.toml")).exists());
        counts.push(replayed(&path));
    }

    assert!(counts[0].0 > 1000);
    assert!(counts.iter().all(|count| *count == (counts[0].0, true)), "{counts:?}");
}

#[test]
fn standard_output_gets_the_same_bytes_as_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.pcap");
    let scenario = scenario("worm-near-miss-racks");
    let scenario = scenario.to_str().unwrap();

    wormwatch(&["synth", scenario, "-o", path.to_str().unwrap()]);
    let output = wormwatch(&["synth", scenario, "-o", "-"]);

    assert!(output.stdout == std::fs::read(path).unwrap());
}

#[test]
fn another_seed_is_another_capture() {
    let scenario = scenario("worm-near-miss-racks");
    let with = |seed| {
        let arguments = ["synth", scenario.to_str().unwrap(), "-o", "-", "--seed", seed];
        wormwatch(&arguments).stdout
    };

    assert!(with("7") == with("7"));
    assert!(with("7") != with("8"));
}

#[test]
fn mistakes_are_wrong_use_and_say_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let capture = dir.path().join("a.pcap");
    let capture = capture.to_str().unwrap();
    let written = |text: &str| {
        let path = dir.path().join("s.toml");
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let good = std::fs::read_to_string(scenario("worm-smb")).unwrap();
    let misspelt = written(&good.replace("role = \"file-server\"", "role = \"file-sever\""));
    let output = wormwatch(&["synth", &misspelt, "-o", capture]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("unknown variant `file-sever`"), "{output:?}");

    let unknown = written(&good.replace("\"workstation-4\"", "\"workstation-99\""));
    let output = wormwatch(&["synth", &unknown, "-o", capture]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("no host has this name or address"), "{output:?}");

    let output = wormwatch(&["synth", "no-such.toml", "-o", capture]);
    assert!(text(&output.stderr).contains("cannot read the scenario no-such.toml"), "{output:?}");

    let scenario = scenario("worm-smb");
    let output = wormwatch(&["synth", scenario.to_str().unwrap(), "-o", "a.txt"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("end its name in .pcap, .pcapng"), "{output:?}");
}

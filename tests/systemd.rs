//! The systemd unit is valid, and as confined as it claims.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test")]

#[path = "support/tools.rs"]
mod tools;

use std::path::Path;

use tools::{command, present, said};

const UNIT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/systemd/wormwatch.service");

/// The highest exposure that the unit may have, in tenths, on systemd's scale from 0 to 100.
const MOST_EXPOSED: u32 = 15;

#[test]
fn the_unit_is_valid() {
    if !present(&["systemd-analyze"]) {
        return;
    }
    // Verification wants to see the program, which is installed nowhere: it gets the one just built.
    let folder = tempfile::tempdir().unwrap();
    let unit = folder.path().join("wormwatch.service");
    let text = std::fs::read_to_string(UNIT).unwrap();
    assert!(text.contains("ExecStart=/usr/bin/wormwatch run -c /etc/wormwatch/wormwatch.toml\n"));
    let built = text.replace("/usr/bin/wormwatch", env!("CARGO_BIN_EXE_wormwatch"));
    std::fs::write(&unit, built).unwrap();

    let verified = command("systemd-analyze").arg("verify").arg(&unit).output().unwrap();

    assert!(verified.status.success() && said(&verified).is_empty(), "{}", said(&verified));
}

#[test]
fn the_unit_is_hardly_exposed() {
    if !present(&["systemd-analyze"]) {
        return;
    }
    let judged = command("systemd-analyze")
        .args(["security", "--offline=true", "--no-pager", UNIT])
        .output()
        .unwrap();
    let words = said(&judged);
    let (_, level) = words.rsplit_once("wormwatch.service: ").expect("an overall level");
    let tenths: u32 = level.split(' ').next().unwrap().replace('.', "").parse().unwrap();

    assert!(tenths <= MOST_EXPOSED, "{words}");
}

#[test]
fn the_unit_has_one_capability_and_a_watchdog() {
    let text = std::fs::read_to_string(Path::new(UNIT)).unwrap();
    let values =
        |key: &str| text.lines().filter_map(|line| line.strip_prefix(key)).collect::<Vec<_>>();

    assert_eq!(values("AmbientCapabilities="), ["CAP_NET_RAW"]);
    assert_eq!(values("CapabilityBoundingSet="), ["CAP_NET_RAW"]);
    assert_eq!(values("Type="), ["notify"]);
    assert_eq!(values("WatchdogSec="), ["30s"]);
}

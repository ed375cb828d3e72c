//! The whole daemon on live lateral movement: real servers, an administrator of one of them, and
//! hosts that take the same tools from server to server, each in a network namespace of its own.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test")]
#![allow(clippy::disallowed_methods, reason = "live traffic takes wall time")]

#[path = "support/keys.rs"]
mod keys;
#[path = "support/netns.rs"]
mod netns;
#[expect(dead_code, reason = "tests/live.rs asks the daemon for more")]
#[path = "support/sensor.rs"]
mod sensor;
#[path = "support/tools.rs"]
mod tools;
#[path = "support/walkers.rs"]
mod walkers;

use std::net::IpAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use netns::Lab;
use sensor::Sensor;
use serde_json::Value;
use walkers::{ADMINISTRATOR, WALKERS, Walker};

/// How long the slowest walker may take to be found, from the moment all have begun.
const PATIENCE: Duration = Duration::from_secs(150);

/// How often the administrator goes through their work at least, for something to be held against
/// them.
const ROUNDS: usize = 5;

/// What is missing before this walker counts as found, on disk and on the board.
fn missing(walker: &Walker, alerts: &[Value], board: &[Value]) -> Option<String> {
    let host = walker.host().to_string();
    let alerts: Vec<_> = alerts.iter().filter(|alert| alert["host"] == host).collect();
    let view = board.iter().find(|view| view["host"] == host);
    let told = alerts.iter().any(|alert| {
        names(&alert["detectors"]).any(|name| name == walker.detector)
            && walker
                .techniques
                .iter()
                .all(|wanted| names(&alert["techniques"]).any(|name| name == *wanted))
    });
    let on_board = view.is_some_and(|view| view["verdict"] != "benign");
    (!told || !on_board).then(|| {
        let Walker { name, detector, techniques, .. } = walker;
        format!("{name} ({host}), {detector} {techniques:?}: board {view:#?}, alerts {alerts:#?}")
    })
}

fn names(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str)
}

#[test]
fn finds_who_walks_from_host_to_host_and_spares_who_administers_one() {
    let possible =
        tools::present(&netns::TOOLS) && tools::present(&walkers::TOOLS) && netns::permitted();
    if !possible {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    walkers::furnish(folder.path());
    let mut lab = Lab::new();
    let mut sensor = Sensor::start(&lab);
    walkers::open_servers(&mut lab, folder.path());
    walkers::let_administrator_work(&mut lab, folder.path());
    let mut at_work = walkers::unleash(&mut lab, folder.path());

    let begun = Instant::now();
    let mut unfound: Vec<String>;
    loop {
        let (alerts, board) = (sensor.alerts(), sensor.hosts());
        unfound = WALKERS.iter().filter_map(|walker| missing(walker, &alerts, &board)).collect();
        let is_done = unfound.is_empty() && walkers::rounds(folder.path()) >= ROUNDS;
        if is_done || begun.elapsed() > PATIENCE {
            break;
        }
        std::thread::sleep(Duration::from_secs(1));
    }
    for child in &mut at_work {
        let _ = child.kill();
        let _ = child.wait();
    }
    let walking: Vec<IpAddr> = WALKERS.iter().map(Walker::host).collect();
    let wronged: Vec<_> = sensor
        .hosts()
        .into_iter()
        .filter(|view| view["verdict"] != "benign")
        .filter(|view| !walking.contains(&view["host"].as_str().unwrap().parse().unwrap()))
        .collect();
    let rounds = walkers::rounds(folder.path());
    let ended = sensor.stop();

    assert!(unfound.is_empty(), "not found: {unfound:#?}\n{}", logs(folder.path()));
    assert!(wronged.is_empty(), "wronged: {wronged:#?}");
    assert!(sensor.alerts().iter().all(|alert| alert["host"] != ADMINISTRATOR));
    assert!(rounds >= ROUNDS, "the administrator did not work\n{}", logs(folder.path()));
    assert!(ended.success(), "{ended}");
}

/// What everybody's tools said.
fn logs(folder: &Path) -> String {
    WALKERS
        .iter()
        .map(|walker| walker.name)
        .chain(["administrator"])
        .map(|name| {
            let said = std::fs::read_to_string(folder.join(format!("{name}.log")));
            format!("== {name}\n{}", said.unwrap_or_default())
        })
        .collect()
}

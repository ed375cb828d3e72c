//! The whole daemon on live traffic: real attack tools, real servers and a good user, each in a
//! network namespace of its own.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test")]
#![allow(clippy::disallowed_methods, reason = "live traffic takes wall time")]

#[path = "support/keys.rs"]
mod keys;
#[path = "support/netns.rs"]
mod netns;
#[path = "support/people.rs"]
mod people;
#[path = "support/prometheus.rs"]
mod prometheus;
#[path = "support/sensor.rs"]
mod sensor;
#[path = "support/tools.rs"]
mod tools;

use std::net::IpAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use netns::Lab;
use people::{ATTACKERS, Attacker, GOOD};
use prometheus::{Prometheus, queries};
use sensor::{LISTEN, Sensor};

/// How long the slowest attack may take to be caught, from the moment all have begun.
const PATIENCE: Duration = Duration::from_secs(150);

/// How long the good user works at least, for something to be held against them.
const WORK: Duration = Duration::from_secs(60);

fn possible(more: &[&str]) -> bool {
    tools::present(&netns::TOOLS)
        && tools::present(&people::TOOLS)
        && tools::present(more)
        && netns::permitted()
}

/// What is missing before this attacker counts as caught, on disk and among the metrics.
fn missing(sensor: &Sensor, attacker: &Attacker) -> Option<String> {
    let host = attacker.host();
    let about = |alert: &&serde_json::Value| alert["host"] == host.to_string();
    let alerts = sensor.alerts();
    let convicting = alerts.iter().filter(about).any(|alert| {
        let detectors = alert["detectors"].as_array();
        alert["verdict"] == "malicious"
            && detectors.is_some_and(|names| {
                names.iter().any(|name| name.as_str().unwrap().starts_with(attacker.detector))
            })
    });
    let score = sensor.score(host);
    (!convicting || score.is_none_or(|score| score < 90.0)).then(|| {
        let seen: Vec<_> = alerts.iter().filter(about).collect();
        format!("{} ({host}): score {score:?}, alerts {seen:#?}", attacker.name)
    })
}

#[test]
fn catches_every_attacker_and_spares_everybody_else() {
    if !possible(&[]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut lab = Lab::new();
    let mut sensor = Sensor::start(&lab);
    people::open_servers(&mut lab, folder.path());
    people::let_good_user_work(&mut lab, folder.path());
    let mut at_work: Vec<_> = ATTACKERS
        .iter()
        .map(|attacker| people::unleash(&mut lab, attacker, folder.path()))
        .collect();

    let begun = Instant::now();
    let mut free: Vec<String>;
    loop {
        free = ATTACKERS.iter().filter_map(|attacker| missing(&sensor, attacker)).collect();
        let passed = begun.elapsed();
        if (free.is_empty() && passed > WORK) || passed > PATIENCE {
            break;
        }
        std::thread::sleep(Duration::from_secs(2));
    }
    for child in &mut at_work {
        let _ = child.kill();
        let _ = child.wait();
    }
    let attackers: Vec<IpAddr> = ATTACKERS.iter().map(Attacker::host).collect();
    let wronged: Vec<_> = sensor
        .hosts()
        .into_iter()
        .filter(|view| view["verdict"] != "benign")
        .filter(|view| !attackers.contains(&view["host"].as_str().unwrap().parse().unwrap()))
        .collect();
    let page = sensor.page("/metrics").unwrap();
    let ended = sensor.stop();

    assert!(free.is_empty(), "not caught: {free:#?}\n{}", logs(folder.path()));
    assert!(wronged.is_empty(), "wronged: {wronged:#?}");
    let names_good = |alert: &serde_json::Value| {
        alert["host"] == GOOD || alert["hosts"].as_array().unwrap().iter().any(|of| of == GOOD)
    };
    assert!(!sensor.alerts().iter().any(names_good));
    let counted = |kind: &str| {
        let series = format!("wormwatch_alerts_total{{kind=\"{kind}\"");
        page.lines()
            .filter(|line| line.starts_with(&series))
            .filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok())
            .sum::<u64>()
    };
    assert!(counted("scan") >= 6 && counted("bruteforce") >= 1, "{page}");
    assert!(ended.success(), "{ended}");
}

#[test]
fn answers_every_query_of_the_dashboard_from_live_traffic() {
    if !possible(&["prometheus"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut lab = Lab::new();
    let sensor = Sensor::start(&lab);
    people::open_servers(&mut lab, folder.path());
    people::let_good_user_work(&mut lab, folder.path());
    let mut scan = people::unleash(&mut lab, &ATTACKERS[0], folder.path());

    let scraper = Prometheus::start(&lab.prefix("sw"), 9090, LISTEN);
    let dashboard = Path::new(env!("CARGO_MANIFEST_DIR")).join("grafana/overview.json");
    let scanner = ATTACKERS[0].address;
    let caught = format!("wormwatch_host_score{{host=\"{scanner}\"}} >= 90");
    let wanted = [queries(&dashboard), vec![("the scanner's score".to_owned(), caught)]].concat();
    let unanswered = scraper.unanswered(wanted, Duration::from_secs(60));
    let broken = scraper.broken_rules();
    let _ = scan.kill();
    let _ = scan.wait();

    assert!(unanswered.is_empty(), "{unanswered:#?}\n{:?}", sensor.page("/metrics"));
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn keeps_systemd_informed_reloads_and_stops() {
    if !possible(&[]) {
        return;
    }
    let lab = Lab::new();
    let mut sensor = Sensor::start(&lab);

    // Alive while nothing at all comes in: an idle network is no hang.
    sensor.hear("WATCHDOG=1");
    sensor.hear("WATCHDOG=1");
    assert_eq!(sensor.page("/readyz").as_deref(), Some("ok\n"));
    assert_eq!(sensor.page("/healthz").as_deref(), Some("ok\n"));
    // Started by root, and yet each thread has CAP_NET_RAW (bit 13) and nothing else.
    for thread in sensor.capabilities() {
        assert_eq!(thread, 1 << 13);
    }

    sensor.write_configuration("[no-such-section]\n");
    sensor.signal("HUP");
    sensor.hear("RELOADING=1");
    sensor.hear("READY=1");
    assert!(metrics_say(&sensor, "wormwatch_config_last_reload_successful 0"));

    std::fs::rename(sensor.alert_file(), sensor.alert_file().with_extension("1")).unwrap();
    sensor.write_configuration(&sensor.configuration());
    sensor.signal("HUP");
    sensor.hear("RELOADING=1");
    sensor.hear("READY=1");
    assert!(metrics_say(&sensor, "wormwatch_config_last_reload_successful 1"));
    let deadline = Instant::now() + Duration::from_secs(10);
    while !sensor.alert_file().exists() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(sensor.alert_file().exists(), "the alert file was not opened anew");

    let ended = sensor.stop();
    sensor.hear("STOPPING=1");
    assert!(ended.success(), "{ended}");
}

fn metrics_say(sensor: &Sensor, line: &str) -> bool {
    sensor.page("/metrics").is_some_and(|page| page.lines().any(|found| found == line))
}

/// What the attackers' tools said.
fn logs(folder: &Path) -> String {
    ATTACKERS
        .iter()
        .map(|attacker| {
            let log = folder.join(format!("{}.log", attacker.name));
            format!("== {}\n{}", attacker.line, std::fs::read_to_string(log).unwrap_or_default())
        })
        .collect()
}

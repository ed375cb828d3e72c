//! The alerts about incidents as they are told, on the project's own captures.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test fails where it must")]

use std::path::{Path, PathBuf};

use wormwatch::config::Config;
use wormwatch::incident::{Alert, AlertKind, Severity, Status};
use wormwatch::pipeline::{self, Observer, Options, Outcome};
use wormwatch::source::CaptureSet;

/// Keeps every alert that is told.
#[derive(Default)]
struct Listener(Vec<Alert>);

impl Observer for Listener {
    fn on_alert(&mut self, alert: &Alert) {
        self.0.push(alert.clone());
    }
}

impl Listener {
    fn about_incidents(&self) -> Vec<&Alert> {
        let is_about = |alert: &&Alert| alert.host.is_none() && alert.kind != AlertKind::Sensor;
        self.0.iter().filter(is_about).collect()
    }
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

fn replay(name: &str, threads: usize) -> (Listener, Outcome) {
    let mut source = CaptureSet::open(&[fixtures().join(name).join("capture.pcap.zst")]).unwrap();
    let mut listener = Listener::default();
    let options = Options { threads, prompt: true };
    let config = Config::default();
    let outcome = pipeline::run(&config, &mut source, options, &mut listener, &mut || None);
    (listener, outcome)
}

fn count(told: &[&Alert], status: Status) -> usize {
    told.iter().filter(|alert| alert.status == status).count()
}

#[test]
fn two_worms_are_two_incidents_each_of_which_opens_once() {
    let (listener, outcome) = replay("worm-two", 1);

    let told = listener.about_incidents();
    assert_eq!((count(&told, Status::Open), count(&told, Status::Closed)), (2, 0));
    // Some forty hosts within minutes: a few lines for each, and not one for each host.
    assert!(told.len() <= 24, "{}", told.len());
    let book = outcome.analysis.incidents();
    let account = outcome.analysis.account();
    assert_eq!((book.open_count(), account.incidents.len()), (2, 2));
    for incident in &account.incidents {
        let mut of_it = told.iter().filter(|of| of.incident.as_ref() == Some(&incident.id));
        let first = of_it.next().unwrap();
        let last = of_it.next_back().unwrap();
        assert_eq!((first.status, last.status), (Status::Open, Status::Update));
        assert_eq!((&first.id, first.ts), (&last.id, last.ts));
        assert_eq!((last.severity, last.hosts_total), (Severity::Critical, incident.hosts));
        assert_eq!(last.hosts[0].host, incident.patient_zero[0]);
        assert!(last.summary.contains(&format!("contain --incident {}", incident.id)));
    }
    // The hosts' own alerts say to which they belong, and each speaks of its own.
    let of_host = listener.0.iter().filter(|alert| alert.host.is_some());
    let ids: std::collections::BTreeSet<_> =
        of_host.filter_map(|of| of.incident.as_ref()).collect();
    assert_eq!(ids.len(), 2);
}

#[test]
fn a_slow_worm_is_told_host_by_host_and_closed_when_it_is_quiet() {
    let (listener, outcome) = replay("worm-slow", 1);

    let told = listener.about_incidents();
    assert_eq!((count(&told, Status::Open), count(&told, Status::Closed)), (1, 1));
    let closed = told.last().unwrap();
    assert_eq!(closed.status, Status::Closed);
    assert!(closed.summary.starts_with("Closed: no host was infected for 1 d 0 h."));
    assert_eq!(outcome.analysis.incidents().open_count(), 0);
    // Closed is not forgotten.
    assert_eq!(outcome.analysis.account().incidents.len(), 1);
}

#[test]
fn a_worm_that_changes_its_way_is_adaptive() {
    let (listener, _) = replay("worm-adaptive", 1);

    let told = listener.about_incidents();
    assert!(told.iter().any(|alert| alert.kind == AlertKind::AdaptiveWorm));
    assert!(told.iter().all(|a| (a.kind == AlertKind::AdaptiveWorm) == (a.services.len() >= 3)));
}

#[test]
fn the_stream_is_the_same_for_any_number_of_threads() {
    let lines = |threads| -> Vec<String> {
        let (listener, _) = replay("worm-smb", threads);
        listener.0.iter().map(|alert| serde_json::to_string(alert).unwrap()).collect()
    };

    let one = lines(1);
    assert!(one.iter().any(|line| line.contains("\"host\":null,\"hosts\":[\"10.31.2.13\",")));
    assert_eq!(one, lines(4));
}

/// Not for a moment: what is told and withdrawn has woken somebody.
#[test]
fn what_looks_like_a_worm_and_is_none_opens_no_incident() {
    let folders = std::fs::read_dir(fixtures()).unwrap().flatten();
    let names = folders.map(|entry| entry.file_name().into_string().unwrap());
    let innocent = names.filter(|name| name.starts_with("guard-") || name.contains("near-miss-"));
    let mut seen = 0;
    for name in innocent {
        let (listener, _) = replay(&name, 1);
        assert_eq!(listener.about_incidents().len(), 0, "{name}");
        seen += 1;
    }
    assert!(seen >= 18, "{seen}");
}

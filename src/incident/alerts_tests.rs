//! Stories about the life of alerts.

use super::*;
use crate::config::units::ByteSize;
use crate::detect::Family;
use crate::event::{Conversation, Uid};
use crate::incident::Severity;
use crate::net::{Endpoint, Service, Transport};
use crate::score::testing::{about, evidence, ip, on, to};
use crate::score::{ScoreBoard, ScoreConfig};

/// A board and a book, wired as the pipeline does.
struct Desk {
    board: ScoreBoard,
    book: AlertBook,
}

impl Desk {
    fn new() -> Self {
        Self::with(&AlertConfig::default())
    }

    fn with(config: &AlertConfig) -> Self {
        let network = NetworkConfig::default();
        let name = |conn: &Conversation| format!("1:{}", conn.uid.0);
        Self {
            board: ScoreBoard::new(&ScoreConfig::default()),
            book: AlertBook::new(config, &network, Some("core"), name),
        }
    }

    fn report(&mut self, evidence: Evidence) -> Vec<Alert> {
        let (host, now) = (evidence.host, evidence.ts);
        let mut out = Vec::new();
        self.board.add(evidence);
        self.book.on_change(self.board.get(host).unwrap(), now, &mut out);
        out
    }

    fn tick(&mut self, secs: i64) -> Vec<Alert> {
        let mut out = Vec::new();
        self.book.on_tick(Timestamp::from_secs(secs), &mut out);
        out
    }
}

fn scan(llr: f64, secs: i64) -> Evidence {
    evidence("scan.horizontal", Family::Failure, llr, secs)
}

fn login(llr: f64, secs: i64) -> Evidence {
    Evidence {
        techniques: &["T1110.001"],
        ..evidence("auth.bruteforce", Family::Credential, llr, secs)
    }
}

const HOUR: i64 = 3600;

#[test]
fn opens_when_the_host_is_suspicious_and_not_before() {
    let mut desk = Desk::new();

    assert!(desk.report(scan(5.9, 0)).is_empty());
    let [alert] = desk.report(scan(6.0, 1)).try_into().unwrap();

    assert_eq!((alert.status, alert.kind), (Status::Open, AlertKind::Scan));
    assert_eq!((alert.verdict, alert.score), (Verdict::Suspicious, 50.0));
    assert_eq!(alert.targets, "internal 10.1.0.0/16");
    assert_eq!(alert.ts, Timestamp::from_secs(1));
    assert_eq!(alert.sensor.as_deref(), Some("core"));
}

#[test]
fn more_of_the_same_is_not_told_for_every_packet() {
    let mut desk = Desk::new();
    desk.report(scan(8.2, 0));

    let told: usize = (1..100).map(|n| desk.report(scan(8.2 + 0.01 * n as f64, n)).len()).sum();

    assert_eq!(told, 0);
}

#[test]
fn a_scan_that_goes_on_and_on_is_a_few_lines() {
    let mut desk = Desk::new();

    let told: usize = (1..10_000_u32)
        .map(|n| {
            let more = Evidence { peers_total: u64::from(n), ..scan(f64::from(n), i64::from(n)) };
            desk.report(more).len()
        })
        .sum();

    // Once to open, at most 6 for weight, 13 for doubled peers.
    assert!((5..=20).contains(&told), "{told}");
    assert_eq!(desk.book.alerts().len(), 1);
}

#[test]
fn tells_when_it_grows() {
    let mut desk = Desk::new();
    let [opened] = desk.report(scan(6.5, 0)).try_into().unwrap();

    let [worse] = desk.report(scan(9.0, 1)).try_into().unwrap();
    let twice = Evidence { peers_total: 4, ..scan(9.0, 2) };
    let [wider] = desk.report(twice.clone()).try_into().unwrap();
    let ssh = Evidence { service: Some(Service::tcp(22)), ..on("tcp/22", scan(0.3, 3)) };
    let [other_service] = desk.report(ssh).try_into().unwrap();
    let slow = evidence("scan.slow", Family::Novelty, 0.2, 4);
    let [other_detector] = desk.report(slow).try_into().unwrap();

    for update in [&worse, &wider, &other_service, &other_detector] {
        assert_eq!((update.status, &update.id), (Status::Update, &opened.id));
        assert_eq!(update.ts, opened.ts);
    }
    assert_eq!(worse.verdict, Verdict::Malicious);
    assert_eq!(wider.peers_total, 4);
    assert_eq!(other_service.services, [Service::tcp(22), Service::tcp(445)]);
    assert_eq!(other_detector.detectors, ["scan.horizontal", "scan.slow"]);
    assert!(desk.report(twice).is_empty());
}

#[test]
fn a_new_kind_opens_another_alert() {
    let mut desk = Desk::new();
    let [scanning] = desk.report(scan(9.0, 0)).try_into().unwrap();

    let [guessing] = desk.report(login(2.0, 1)).try_into().unwrap();

    assert_eq!((guessing.status, guessing.kind), (Status::Open, AlertKind::Bruteforce));
    assert_ne!(guessing.id, scanning.id);
    assert_eq!(guessing.techniques, ["T1110.001"]);
}

#[test]
fn two_weak_kinds_open_together_when_they_convict_together() {
    let mut desk = Desk::new();

    assert!(desk.report(scan(4.0, 0)).is_empty());
    let opened = desk.report(login(4.0, 1));

    let kinds: Vec<_> = opened.iter().map(|alert| alert.kind).collect();
    assert_eq!(kinds, [AlertKind::Scan, AlertKind::Bruteforce]);
}

#[test]
fn a_trace_of_another_kind_is_no_alert() {
    let mut desk = Desk::new();
    desk.report(scan(9.0, 0));

    assert!(desk.report(login(0.5, 1)).is_empty());
    assert!(desk.report(evidence("host.new", Family::Context, 1.0, 2)).is_empty());
}

#[test]
fn a_new_network_opens_another_alert() {
    let mut desk = Desk::new();
    let [first] = desk.report(scan(9.0, 0)).try_into().unwrap();

    let both = to(&["10.1.0.1", "10.1.0.2", "10.2.0.1", "192.0.2.9"], scan(9.0, 1));
    let [there, outside] = desk.report(both).try_into().unwrap();

    assert_eq!(there.targets, "internal 10.2.0.0/16");
    assert_eq!((there.peers.as_slice(), there.peers_total), (&[ip("10.2.0.1")][..], 1));
    assert_eq!(outside.targets, "external");
    assert_eq!([there.status, outside.status], [Status::Open, Status::Open]);
    assert_ne!(there.id, first.id);
}

#[test]
fn targets_all_over_the_place_are_one_alert_that_names_each_new_network() {
    let mut desk = Desk::new();
    let wide = ["10.1.0.1", "10.2.0.1", "10.3.0.1", "10.4.0.1"];

    let [opened] = desk.report(to(&wide, scan(9.0, 0))).try_into().unwrap();
    let [wider] =
        desk.report(to(&["10.1.0.1", "10.9.0.1"], on("tcp/22", scan(0.1, 1)))).try_into().unwrap();
    let same = desk.report(to(&["10.9.0.2"], on("tcp/23", scan(0.1, 2))));

    assert_eq!(opened.targets, "many networks");
    assert_eq!((wider.status, wider.id), (Status::Update, opened.id));
    assert!(same.is_empty());
}

#[test]
fn the_seventeenth_network_shares_an_alert() {
    let mut desk = Desk::new();

    for n in 0..20_i64 {
        let peer = format!("10.{n}.0.1");
        desk.report(to(&[&peer], on(&peer, scan(9.0, n))));
    }

    let alerts = desk.book.alerts();
    assert_eq!(alerts.len(), 17);
    assert_eq!(alerts.iter().filter(|a| a.targets == "many networks").count(), 1);
    assert_eq!(alerts.last().unwrap().peers_total, 4);
}

#[test]
fn closes_when_quiet_and_opens_anew_when_it_comes_back() {
    let mut desk = Desk::new();
    let [opened] = desk.report(scan(9.0, 0)).try_into().unwrap();

    assert!(desk.tick(24 * HOUR - 1).is_empty());
    let [closed] = desk.tick(24 * HOUR).try_into().unwrap();
    let other_kind = desk.report(login(3.0, 25 * HOUR));
    let back = desk.report(scan(9.0, 26 * HOUR));

    assert_eq!((closed.status, &closed.id), (Status::Closed, &opened.id));
    assert_eq!(closed.updated, Timestamp::from_secs(24 * HOUR));
    assert_eq!(other_kind.len(), 1, "the old scan stays closed: {other_kind:?}");
    assert_eq!(back.len(), 1);
    assert_ne!(back[0].id, opened.id);
    assert_eq!(desk.book.alerts().len(), 3);
}

#[test]
fn a_shorter_quiet_time_closes_what_it_would_have_closed() {
    let mut desk = Desk::new();
    desk.report(scan(9.0, 0));

    let quiet = std::time::Duration::from_secs(3600);
    let config = AlertConfig { quiet, ..AlertConfig::default() };
    desk.book.reload(&config, &NetworkConfig::default(), Some("core"));

    assert_eq!(desk.tick(HOUR).len(), 1);
}

#[test]
fn growth_keeps_it_open() {
    let mut desk = Desk::new();
    desk.report(scan(9.0, 0));
    desk.report(scan(9.1, 20 * HOUR));

    assert!(desk.tick(25 * HOUR).is_empty());
    assert_eq!(desk.tick(44 * HOUR).len(), 1);
    assert_eq!(desk.book.open_count(), 0);
}

#[test]
fn a_host_whose_guilt_has_faded_opens_nothing_for_a_trifle() {
    let mut desk = Desk::new();
    desk.report(scan(10.0, 0));
    desk.tick(40 * 24 * HOUR);

    let later = desk.report(login(2.0, 40 * 24 * HOUR));

    assert!(later.is_empty());
    assert_eq!(desk.board.get(ip("10.0.0.5")).unwrap().verdict, Verdict::Malicious);
}

#[test]
fn ids_depend_on_nothing_but_what_the_alert_is_about() {
    let id = |host: &str, secs| {
        let mut desk = Desk::new();
        desk.report(about(host, scan(9.0, secs)))[0].id.clone()
    };

    assert_eq!(id("10.0.0.5", 7), id("10.0.0.5", 7));
    assert_eq!(id("10.0.0.5", 7).len(), 16);
    assert_ne!(id("10.0.0.5", 7), id("10.0.0.5", 8));
    assert_ne!(id("10.0.0.5", 7), id("10.0.0.6", 7));
}

#[test]
fn an_outsider_that_scans_wakes_nobody() {
    let severity_of = |evidence| Desk::new().report(evidence)[0].severity;
    let turn = evidence("propagation.turn", Family::Causality, 8.0, 0);

    assert_eq!(severity_of(about("192.0.2.7", scan(10.0, 0))), Severity::Low);
    assert_eq!(severity_of(scan(10.0, 0)), Severity::High);
    assert_eq!(severity_of(turn.clone()), Severity::High);
    let mut desk = Desk::new();
    desk.report(scan(6.0, 0));
    let worm = desk.report(turn);
    assert_eq!(worm.iter().map(|a| a.severity).max(), Some(Severity::Critical));
}

#[test]
fn names_a_sample_of_connections_with_its_peers() {
    let mut desk = Desk::new();
    let conn = |uid, server: &str| Conversation {
        uid: Uid(uid),
        transport: Transport::Tcp,
        client: Endpoint::new(ip("10.0.0.5"), 40_000),
        server: Endpoint::new(ip(server), 445),
        inferred: false,
    };
    let conns = vec![conn(1, "10.1.0.1"), conn(1, "10.1.0.1"), conn(2, "192.0.2.1")];

    let [alert] = desk.report(Evidence { conns, ..scan(9.0, 0) }).try_into().unwrap();

    assert_eq!(alert.community_ids, ["1:1"]);
}

#[test]
fn what_joins_an_incident_is_every_open_alert_of_its_host_and_nobody_elses() {
    let mut desk = Desk::new();
    desk.report(scan(10.0, 0));
    desk.report(login(10.0, 0));
    desk.report(on("tcp/22", to(&["192.0.2.1"], scan(10.0, 0))));
    desk.report(about("10.0.0.4", scan(10.0, 0)));
    desk.report(about("10.0.0.6", scan(10.0, 0)));

    desk.book.join(ip("10.0.0.5"), "worm");

    let joined = |alert: &Alert| alert.incident.as_deref() == Some("worm");
    let alerts = desk.book.alerts();
    let (of_host, others): (Vec<_>, Vec<_>) =
        alerts.iter().partition(|alert| alert.host == Some(ip("10.0.0.5")));
    assert_eq!((of_host.len(), others.len()), (3, 2));
    assert!(of_host.iter().all(|alert| joined(alert)));
    assert!(!others.iter().any(|alert| joined(alert)));
}

#[test]
fn a_flood_of_alerts_stays_in_the_budget_and_keeps_the_severe() {
    let config = AlertConfig { budget: ByteSize(200_000), ..AlertConfig::default() };
    let mut desk = Desk::with(&config);
    desk.report(scan(10.0, 0));

    for n in 0..2000_u32 {
        let host = std::net::Ipv4Addr::from_bits(0xc000_0200 + n).to_string();
        desk.report(about(&host, scan(10.0, i64::from(n))));
        assert!(desk.book.state_bytes() <= 200_000);
    }

    let alerts = desk.book.alerts();
    assert_eq!(alerts[0].host, Some(ip("10.0.0.5")));
    assert_eq!(alerts.len() as u64 + desk.book.evicted(), 2001);
}

#[test]
fn a_paragraph_tells_who_what_whom_when_how_sure_and_what_next() {
    let mut desk = Desk::new();
    let first = Evidence { peers_total: 3, ..scan(4.0, 0) };
    desk.report(first);
    let later = Evidence {
        peers_total: 214,
        summary: "214 of 220 first contacts on tcp/445 failed".to_owned(),
        ..scan(10.0, 204)
    };

    let [alert] = desk.report(later).try_into().unwrap();

    insta::assert_snapshot!(alert.summary, @"10.0.0.5, an internal host, has been looking for targets: at least 214 hosts in 10.1.0.0/16 on tcp/445, on 1970-01-01 00:03 UTC. 214 of 220 first contacts on tcp/445 failed. The sensor is sure: malicious, 98.2 of 100. Next: find out who runs this host; if nobody meant to scan, take it off the network and look at what it reached.");
}

#[test]
fn json_has_the_published_names_in_their_order() {
    let mut desk = Desk::new();
    let [alert] = desk.report(scan(10.0, 0)).try_into().unwrap();

    let json = serde_json::to_string_pretty(&alert).unwrap();

    insta::assert_snapshot!(json, @r#"
    {
      "schema": "wormwatch.alert/1",
      "id": "adb07ead57784cc5",
      "ts": "1970-01-01T00:00:00.000000000Z",
      "updated": "1970-01-01T00:00:00.000000000Z",
      "status": "open",
      "kind": "scan",
      "severity": "high",
      "host": "10.0.0.5",
      "hosts": [
        "10.0.0.5"
      ],
      "hosts_total": 1,
      "score": 98.2,
      "verdict": "malicious",
      "detectors": [
        "scan.horizontal"
      ],
      "techniques": [
        "T1046"
      ],
      "services": [
        "tcp/445"
      ],
      "peers": [
        "10.1.0.1",
        "10.1.0.2"
      ],
      "peers_total": 2,
      "targets": "internal 10.1.0.0/16",
      "community_ids": [],
      "incident": null,
      "sensor": "core",
      "summary": "10.0.0.5, an internal host, has been looking for targets: at least 2 hosts in 10.1.0.0/16 on tcp/445, on 1970-01-01 00:00 UTC. 2 of 2 first contacts on tcp/445 failed. The sensor is sure: malicious, 98.2 of 100. Next: find out who runs this host; if nobody meant to scan, take it off the network and look at what it reached.",
      "evidence": [
        {
          "ts": "1970-01-01T00:00:00.000000000Z",
          "host": "10.0.0.5",
          "detector": "scan.horizontal",
          "family": "failure",
          "llr": 10.0,
          "peers": [
            "10.1.0.1",
            "10.1.0.2"
          ],
          "peers_total": 2,
          "service": "tcp/445",
          "subject": "tcp/445",
          "techniques": [
            "T1046"
          ],
          "forgeable": false,
          "summary": "2 of 2 first contacts on tcp/445 failed"
        }
      ]
    }
    "#);
}

//! What a person sees, from a summary made by hand.

mod calibrate;
mod contain;
mod eval;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use clap::Parser;

use super::*;
use crate::config::NetworkConfig;
use crate::detect::{Evidence, Family};
use crate::incident::{AlertBook, AlertConfig, HostReport, InputSummary, Trouble};
use crate::pipeline::published::{HostView, Published};
use crate::score::testing::{about, evidence, forgeable, ip};
use crate::score::{Allowlist, Explanation, ScoreBoard, ScoreConfig};
use crate::source::InputReport;
use crate::time::Timestamp;
use crate::web;

/// Answers every replay with the same summary, or with the same complaint.
struct Canned(Result<Summary, &'static str>);

impl Engine for Canned {
    fn replay(&self, config: &Config, _: &Replay<'_>) -> Result<Summary, EngineError> {
        let mut summary = self.0.clone()?;
        let internal = |host| config.network.is_internal(host);
        for report in &mut summary.hosts {
            report.internal = internal(report.score.host);
        }
        Ok(summary)
    }

    fn run(&self, _: Config, _: &Path) -> Result<(), EngineError> {
        Err("no interface".into())
    }
}

fn type_in(words: &[&str], engine: &Canned) -> (Result<Status, Error>, String) {
    let cli = Cli::try_parse_from(["wormwatch"].iter().chain(words)).unwrap();
    let mut out = Vec::new();
    let status = execute(cli, engine, &mut out, Look::default());
    (status, String::from_utf8(out).unwrap())
}

/// A capture that was cut off, in which one host scans, one guesses passwords and one is odd.
fn outbreak() -> Summary {
    let reports = [
        Evidence {
            peers_total: 214,
            summary: "214 of 220 first contacts on tcp/445 failed".to_owned(),
            ..forgeable("scan.horizontal", Family::Failure, 14.0, 90)
        },
        Evidence {
            summary: "40 short sessions in 20 s".to_owned(),
            ..evidence("auth.bruteforce", Family::Credential, 3.5, 95)
        },
        about("192.0.2.66", evidence("auth.bruteforce", Family::Credential, 7.0, 100)),
        about("10.0.0.9", evidence("scan.slow", Family::Novelty, 2.0, 30)),
    ];
    let mut board = ScoreBoard::new(&ScoreConfig::default());
    let network = NetworkConfig::default();
    let mut book = AlertBook::new(&AlertConfig::default(), &network, None, |_| String::new());
    let mut told = Vec::new();
    for report in reports {
        let (host, now) = (report.host, report.ts);
        board.add(report);
        book.on_change(board.get(host).unwrap(), now, &mut told);
    }
    let mut allow = Allowlist::new(&[
        toml::from_str("source = \"10.0.0.77\"\nreason = \"our scanner\"").unwrap(),
        toml::from_str("source = \"10.0.0.78\"\nreason = \"old\"\nexpires = 1969-12-01").unwrap(),
    ]);
    allow.hides(&about("10.0.0.77", evidence("scan.icmp", Family::Failure, 9.0, 20)));
    let report = |score: crate::score::HostScore| HostReport {
        internal: false,
        first_seen: Timestamp::from_secs(1),
        last_seen: Timestamp::from_secs(204),
        roles: if score.host == ip("10.0.0.5") { vec!["workstation"] } else { Vec::new() },
        connections: 240,
        connections_to_alert: None,
        hidden: allow.hidden_about(score.host),
        score,
    };
    let hosts: Vec<_> = board.hosts().into_iter().map(report).collect();
    Summary {
        inputs: vec![InputSummary {
            report: InputReport {
                name: "out\u{1b}break.pcap".to_owned(),
                packets: 4981,
                bytes: 1_073_409,
                first_ts: Some(Timestamp::from_secs(1)),
                last_ts: Some(Timestamp::from_secs(204)),
                damage: Some("the file ends within a packet".to_owned()),
                ..InputReport::default()
            },
            decode_errors: [("bad_checksum", 2), ("unknown_link", 1)].into(),
        }],
        hosts,
        alerts: book.alerts(),
        allowed: allow.reports(),
        notices: vec!["only one direction of the traffic is seen".to_owned()],
        packets: 4981,
        connections: 300,
        events: 910,
        hosts_seen: 223,
        elapsed: Duration::from_millis(12),
        ..Summary::default()
    }
}

#[test]
fn replay_shows_who_did_what_to_how_many() {
    let (status, page) = type_in(&["replay", "x.pcap"], &Canned(Ok(outbreak())));

    assert_eq!(status.unwrap(), Status::Done);
    insta::assert_snapshot!(page, @r"
    out�break.pcap: 4981 packets, 1.0 MiB, 1970-01-01 00:00:01 to 00:03:24 UTC (3 min 23 s)
    300 connections, 910 events, 223 hosts

     verdict      score   host          what it did                                                    to how many
    ───────────────────────────────────────────────────────────────────────────────────────────────────────────────
     malicious    99.9    10.0.0.5      scan.horizontal: 214 of 220 first contacts on tcp/445 failed   214
                          workstation   auth.bruteforce: 40 short sessions in 20 s                     2
     suspicious   73.1    192.0.2.66    auth.bruteforce: 2 of 2 first contacts on tcp/445 failed       2
                          external

    1 host with faint evidence, 1.7 at the most (all with --json).
    3 alerts: 2 high, 1 low.

    10.0.0.5, an internal host, has been looking for targets: at least 214 hosts in 10.1.0.0/16 on tcp/445, on 1970-01-01 00:01 UTC. 214 of 220 first contacts on tcp/445 failed. The sensor is sure: malicious, 98.2 of 100. Next: find out who runs this host; if nobody meant to scan, take it off the network and look at what it reached.

    To know:
      out�break.pcap: read up to the damage, 4981 packets: the file ends within a packet
      out�break.pcap: 3 frames not understood: 2 bad_checksum, 1 unknown_link
      only one direction of the traffic is seen
      allow entry 1 (our scanner) hid 1 report of evidence and 0 events about 10.0.0.77
      allow entry 2 (old) expired on 1969-12-01: 0 reports no longer hidden
    ");
}

#[test]
fn replay_of_quiet_traffic_says_so() {
    let (_, page) = type_in(&["replay", "x.pcap"], &Canned(Ok(Summary::default())));

    assert!(page.contains("No host is suspicious."), "{page}");
    assert!(!page.contains("To know"), "{page}");
}

#[test]
fn replay_json_has_the_published_names_in_their_order() {
    let (_, text) = type_in(&["replay", "--json", "x.pcap"], &Canned(Ok(outbreak())));
    let mut document: serde_json::Value = serde_json::from_str(&text).unwrap();
    document["alerts"] = document["alerts"].as_array().unwrap().len().into();
    assert_eq!(text.lines().count(), 1);
    let names = |text: &str, open: &str, published: &[&str]| {
        let object = &text[text.find(open).unwrap()..];
        let mut place = 0;
        for name in published {
            let at = object.find(&format!("\"{name}\":")).unwrap_or_else(|| panic!("{name}"));
            assert!(at >= place, "{name} is out of order");
            place = at;
        }
    };

    let top = ["schema", "inputs", "hosts", "infections", "incidents", "alerts", "stats"];
    names(&text, "{", &top);
    let input = ["path", "packets", "bytes", "first_ts", "last_ts", "truncated", "decode_errors"];
    names(&text, "\"inputs\"", &input);
    let host = [
        "host",
        "score",
        "verdict",
        "internal",
        "first_seen",
        "last_seen",
        "roles",
        "detectors",
        "techniques",
        "evidence",
    ];
    names(&text, "\"hosts\"", &host);
    names(&text, "\"stats\"", &["packets", "connections", "events", "elapsed_s"]);
    assert_eq!(document["schema"], "wormwatch.replay/1");
    assert_eq!(document["hosts"][0]["host"], "10.0.0.5");
    assert_eq!(document["hosts"][0]["internal"], true);
    assert_eq!(document["hosts"][0]["score"], 99.9);
    assert_eq!(document["inputs"][0]["truncated"], true);
    assert_eq!(document["inputs"][0]["first_ts"], "1970-01-01T00:00:01.000000000Z");
    assert_eq!(document["alerts"], 3);
    assert_eq!(document["stats"]["allowed"][0]["reason"], "our scanner");
}

#[test]
fn only_the_time_it_took_differs_between_runs() {
    let mut later = outbreak();
    later.elapsed = Duration::from_secs(7);
    let strip = |summary| {
        let (_, text) = type_in(&["replay", "--json", "x"], &Canned(Ok(summary)));
        let mut document: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert!(document["stats"].as_object_mut().unwrap().remove("elapsed_s").is_some());
        document
    };

    assert_eq!(strip(outbreak()), strip(later));
}

#[test]
fn fail_on_sets_the_exit_status() {
    let status = |limit, summary| {
        type_in(&["replay", "x", "--fail-on", limit], &Canned(Ok(summary))).0.unwrap().code()
    };
    let mut milder = outbreak();
    milder.hosts.remove(0);

    assert_eq!(status("malicious", outbreak()), 1);
    assert_eq!(status("malicious", milder.clone()), 0);
    assert_eq!(status("suspicious", milder), 1);
    assert_eq!(status("suspicious", Summary::default()), 0);
}

#[test]
fn alerts_go_to_a_file_one_a_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("alerts.jsonl");

    let words = ["replay", "x", "--alerts", path.to_str().unwrap()];
    type_in(&words, &Canned(Ok(outbreak()))).0.unwrap();

    let lines = std::fs::read_to_string(&path).unwrap();
    let kinds: Vec<_> = lines
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["kind"].clone())
        .collect();
    assert_eq!(kinds, ["scan", "bruteforce", "bruteforce"]);
}

#[test]
fn a_report_goes_to_a_file_and_the_text_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report.html");
    let engine = Canned(Ok(outbreak()));

    let (_, text) = type_in(&["replay", "x", "--report", path.to_str().unwrap()], &engine);
    let (nowhere, _) = type_in(&["replay", "x", "--report", "/nowhere/report.html"], &engine);

    let page = std::fs::read_to_string(&path).unwrap();
    assert!(page.starts_with("<!DOCTYPE html>") && page.contains("214 of 220 first contacts"));
    assert_eq!(text, type_in(&["replay", "x"], &engine).1);
    assert_eq!(nowhere.unwrap_err().to_string(), "cannot write /nowhere/report.html");
}

#[test]
fn who_infected_whom_is_drawn_as_text_or_as_a_graph_alone() {
    let summary = Summary { hosts: outbreak().hosts, ..crate::report::testing::outbreak() };
    let engine = Canned(Ok(summary));

    let (_, page) = type_in(&["replay", "x"], &engine);
    let (_, graph) = type_in(&["replay", "x", "--graph", "mermaid"], &engine);

    let (before, tree) = page.split_once("\nWho infected whom\n\nworm-1: ").unwrap();
    assert!(before.contains("scan.horizontal"), "{page}");
    assert!(tree.contains("\n├─ 08:13:00 tcp/445 97 % → 10.0.0.2"), "{page}");
    assert!(graph.starts_with("flowchart LR\n") && !graph.contains("Who infected whom"));
}

#[test]
fn home_nets_can_be_given_on_the_spot() {
    let words = ["replay", "x", "--json", "--home-net", "192.0.2.0/24"];

    let (_, text) = type_in(&words, &Canned(Ok(outbreak())));

    let document: serde_json::Value = serde_json::from_str(&text).unwrap();
    let internal: Vec<_> =
        document["hosts"].as_array().unwrap().iter().map(|h| &h["internal"]).collect();
    assert_eq!(internal, [false, true, false]);
}

#[test]
fn input_that_cannot_be_read_is_an_error_with_its_cause() {
    let (status, page) = type_in(&["replay", "x"], &Canned(Err("x: no such file")));

    let error = status.unwrap_err();
    assert_eq!(error.to_string(), "cannot analyse the input");
    assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "x: no such file");
    assert_eq!(page, "");
}

#[test]
fn trouble_of_the_sensor_is_an_alert_that_accuses_nobody() {
    let now = Timestamp::from_secs(9);
    let alerts = vec![Trouble::OneWay.alert(None, now, "half is missing")];
    let engine = Canned(Ok(Summary { alerts, ..Summary::default() }));

    let words = ["replay", "x.pcap", "--json", "--fail-on", "suspicious"];
    let (status, json) = type_in(&words, &engine);
    let (_, page) = type_in(&["replay", "x.pcap"], &engine);

    assert!(matches!(status, Ok(Status::Done)), "{status:?}");
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["hosts"], serde_json::json!([]));
    assert_eq!(json["alerts"][0]["kind"], "sensor");
    assert_eq!(json["alerts"][0]["host"], serde_json::Value::Null);
    assert!(!page.contains("1 alert"), "{page}");
}

#[test]
fn explain_takes_the_score_apart() {
    let (_, page) = type_in(&["explain", "10.0.0.5", "x.pcap"], &Canned(Ok(outbreak())));

    insta::assert_snapshot!(page, @r"
    10.0.0.5: malicious, 99.9 at 1970-01-01 00:01:35 (highest ever 99.9)

       -6.00  prior: before anything is known of a host
      +10.00  failure: its cap, of 11.90
                +11.90  scan.horizontal (tcp/445), 1970-01-01 00:01:30: 14.00 x 0.85 because a source address can be forged
                    214 of 220 first contacts on tcp/445 failed
       +3.50  credential
                +3.50  auth.bruteforce (tcp/445), 1970-01-01 00:01:35: 3.50
                    40 short sessions in 20 s
    --------
       +7.50  log-odds in nats = 99.9 of 100, malicious (from 90)
    ");
}

/// The daemon's pages on a free port, with `outbreak` on the board.
fn daemon() -> (String, tokio::sync::oneshot::Sender<()>, std::thread::JoinHandle<()>) {
    let published = Arc::new(Published::default());
    let config = ScoreConfig::default();
    published.update_hosts(outbreak().hosts.iter().map(|report| {
        let at = report.score.last_evidence;
        let explanation = Explanation::new(&report.score, &config, at, &report.hidden);
        HostView::new(&report.score, explanation, true, Vec::new())
    }));
    let view = Arc::new(web::View {
        heart: web::Heart::new(Arc::clone(&published), web::now()),
        published,
        alert_log: None,
        started: 1.0,
        config_loaded: AtomicBool::new(true),
    });
    let listener = web::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let served = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let until = async {
            let _ = stopped.await;
        };
        runtime.block_on(web::serve(listener, web::router(view), until)).unwrap();
    });
    (url, stop, served)
}

#[test]
fn explain_asks_a_daemon_and_says_the_same() {
    let (url, stop, served) = daemon();
    let nobody = Canned(Err("no capture was named"));

    let (_, asked) = type_in(&["explain", "10.0.0.5", "--api", &url], &nobody);
    let (_, replayed) = type_in(&["explain", "10.0.0.5", "x.pcap"], &Canned(Ok(outbreak())));
    let (innocent, _) = type_in(&["explain", "10.0.0.200", "--api", &url], &nobody);
    drop(stop);
    served.join().unwrap();

    assert_eq!(asked, replayed);
    assert!(matches!(innocent, Err(Error::UnknownHost(_))), "{innocent:?}");
}

#[test]
fn explain_of_an_innocent_gives_the_prior() {
    let (status, page) = type_in(&["explain", "10.0.0.200", "x"], &Canned(Ok(outbreak())));

    assert_eq!(status.unwrap(), Status::Done);
    assert!(page.contains("nothing is held against it"), "{page}");
    assert!(page.contains("0.2 of 100"), "{page}");
}

#[test]
fn explain_says_what_the_allowlist_keeps_out() {
    let (_, page) = type_in(&["explain", "10.0.0.77", "x"], &Canned(Ok(outbreak())));

    assert!(page.contains("not counted: what allow entry 1 (our scanner) hides"), "{page}");
}

/// Nobody reads: `wormwatch replay x | head -0`.
struct Gone;

impl Write for Gone {
    fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
        Err(std::io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_reader_that_left_changes_no_status() {
    let words = ["wormwatch", "replay", "x", "--fail-on", "malicious"];
    let cli = Cli::try_parse_from(words).unwrap();

    let status = execute(cli, &Canned(Ok(outbreak())), &mut Gone, Look::default());

    assert_eq!(status.unwrap(), Status::Reached);
}

#[test]
fn colours_appear_only_where_wanted() {
    let colours = |look| {
        let page = replay::render(&outbreak(), look);
        page.contains("\u{1b}[")
    };

    assert!(!colours(Look::default()));
    assert!(colours(Look { colour: true, terminal: false }));
}

#[test]
fn config_check_and_show_agree() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w.toml");
    let file = path.to_str().unwrap();
    let engine = Canned(Err("unused"));

    let (_, defaults) = type_in(&["config", "show"], &engine);
    std::fs::write(&path, &defaults).unwrap();
    let (fine, said) = type_in(&["config", "check", file], &engine);
    let (_, effective) = type_in(&["config", "show", file], &engine);
    std::fs::write(&path, "[score]\npriour = -5.0\n").unwrap();
    let (wrong, _) = type_in(&["config", "check", file], &engine);

    assert_eq!(fine.unwrap(), Status::Done);
    assert!(said.ends_with("w.toml: nothing wrong\n"), "{said}");
    assert_eq!(effective, Config::default().to_toml());
    assert!(wrong.unwrap_err().to_string().contains("did you mean `prior`?"));
}

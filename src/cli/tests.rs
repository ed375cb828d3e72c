//! What a person sees, from a summary made by hand.

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

/// A corpus of one scan and one benign capture; the engine sees the outbreak in both.
fn corpus() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let truth = |name: &str, text: &str| {
        std::fs::write(folder.path().join(format!("{name}.truth.toml")), text).unwrap();
    };
    truth(
        "a.pcap",
        "label = \"scan\"\nbenign = false\nothers = \"benign\"\n\
         [[host]]\naddress = \"10.0.0.5\"\nverdict = \"malicious\"\nclasses = [\"scan\"]\n\
         [[host]]\naddress = \"10.0.0.6\"\nverdict = \"malicious\"\nclasses = [\"scan\"]\n",
    );
    truth("b.pcap", "label = \"benign\"\nbenign = true\nothers = \"benign\"\n");
    folder
}

#[test]
fn eval_prints_measures_and_every_mistake() {
    let folder = corpus();

    let words = ["eval", folder.path().to_str().unwrap(), "--jobs", "2"];
    let (status, page) = type_in(&words, &Canned(Ok(outbreak())));

    assert_eq!(status.unwrap(), Status::Done);
    insta::assert_snapshot!(page, @r"
    who was found
     label    captures   malicious   benign       recall      recall    precision   precision      right    Brier
                             hosts    hosts   suspicious   malicious   suspicious   malicious   detector    score
    ──────────────────────────────────────────────────────────────────────────────────────────────────────────────
     benign          1           0        3            -           -        0.0 %       0.0 %          -   0.5109
     scan            1           2        2       50.0 %      50.0 %       50.0 %     100.0 %    100.0 %   0.3827
     all             2           2        5       50.0 %      50.0 %       25.0 %      50.0 %    100.0 %   0.4376

    what it cost
     label    false alarms   false alarms       infected    s to   connections        edge     edge
                  /capture      /host-day   before alert   alert      to alert   precision   recall
    ────────────────────────────────────────────────────────────────────────────────────────────────
     benign          2.000              -              -       -             -           -        -
     scan            1.000              -              -    89.0             -           -        -
     all             1.500              -              -    89.0             -           -        -

    benign captures
      with a malicious host: 1 of 1 (100.0 %)
      with a suspicious host or worse: 1 of 1 (100.0 %)

    by class in the truth (spoken for: a detector of the class had evidence; the truth may expect several classes)
     class   malicious   spoken       recall      recall
                 hosts      for   suspicious   malicious
    ─────────────────────────────────────────────────────
     scan            2   50.0 %       50.0 %      50.0 %

    by family of evidence (hosts that a family had evidence about; decisive: not suspicious without it; nats after the cap)
     family       malicious   decisive    mean   benign   decisive    mean
                      hosts               nats    hosts    wrongly    nats
    ───────────────────────────────────────────────────────────────────────
     failure              1          1   10.00        1          1   10.00
     novelty              0          0       -        2          0    2.00
     credential           1          0    3.50        3          2    5.83

    by ATT&CK technique (hosts with evidence of a technique; found and false alarms: those that are suspicious)
     technique   malicious   found   benign    false   precision       used   recall
                     hosts            hosts   alarms               in truth
    ─────────────────────────────────────────────────────────────────────────────────
     T1046               1       1        5        3      25.0 %          0        -

    reliability of the score (calibrated is: as many per cent malicious as the mean score says)
     score       hosts    mean   malicious
                         score
    ───────────────────────────────────────
     0 to 10         3     1.2      33.3 %
     70 to 80        2    73.1       0.0 %
     90 to 100       2    99.9      50.0 %

    ranking (over the hosts counted above)
      area under the ROC curve: 0.4500
      average precision: 0.3929

    missed (1)
      a.pcap  10.0.0.6  benign  0.2  nothing spoke (expected scan)

    false alarms (3)
      a.pcap  192.0.2.66  suspicious  73.1  auth.bruteforce
      b.pcap  10.0.0.5  malicious  99.9  auth.bruteforce, scan.horizontal
      b.pcap  192.0.2.66  suspicious  73.1  auth.bruteforce
    ");
}

#[test]
fn eval_thresholds_set_the_exit_status() {
    let folder = corpus();
    let code = |threshold: &[&str]| {
        let words = [&["eval", folder.path().to_str().unwrap()], threshold].concat();
        type_in(&words, &Canned(Ok(outbreak()))).0.unwrap().code()
    };

    assert_eq!(code(&["--min-recall", "0.5"]), 0);
    assert_eq!(code(&["--min-recall", "0.6"]), 1);
    assert_eq!(code(&["--min-recall-malicious", "0.5"]), 0);
    assert_eq!(code(&["--max-benign-malicious", "1"]), 0);
    assert_eq!(code(&["--max-benign-malicious", "0.5"]), 1);
    assert_eq!(code(&["--max-benign-suspicious", "0.99"]), 1);
    // There is no benign capture with that label, so nothing shows that the limit is kept.
    assert_eq!(code(&["--label", "scan", "--max-benign-malicious", "0.5"]), 1);
}

#[test]
fn eval_json_carries_the_same_numbers() {
    let folder = corpus();

    let words = ["eval", folder.path().to_str().unwrap(), "--json"];
    let (_, text) = type_in(&words, &Canned(Ok(outbreak())));

    let document: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(document["schema"], "wormwatch.eval/1");
    assert_eq!(document["all"]["recall_suspicious"], 0.5);
    assert_eq!(document["labels"]["benign"]["benign_with_malicious"], 1);
    assert_eq!(document["misses"][0]["host"], "10.0.0.6");
    assert_eq!(document["reliability"].as_array().unwrap().len(), 10);
}

#[test]
fn eval_tells_what_changed_since_an_earlier_result() {
    let folder = corpus();
    let earlier = folder.path().join("earlier.json");
    let eval = ["eval", folder.path().to_str().unwrap()];
    let compare = [&eval[..], &["--compare", earlier.to_str().unwrap()]].concat();
    let (_, text) = type_in(&[&eval[..], &["--json"]].concat(), &Canned(Ok(Summary::default())));
    std::fs::write(&earlier, &text).unwrap();

    let (_, same) = type_in(&compare, &Canned(Ok(Summary::default())));
    let (_, page) = type_in(&compare, &Canned(Ok(outbreak())));
    std::fs::write(&earlier, "{\"schema\":\"wormwatch.eval/9\"}").unwrap();
    let (other, _) = type_in(&compare, &Canned(Ok(Summary::default())));

    assert!(same.contains("what changed since the earlier result\n  nothing\n"), "{same}");
    assert!(page.contains("  better: all: recall_suspicious 0.0000 -> 0.5000\n"), "{page}");
    assert!(page.contains("  worse: all: false_alarms_per_capture 0.0000 -> 1.5000\n"), "{page}");
    assert!(page.contains("  better: found: a.pcap 10.0.0.5\n"), "{page}");
    assert!(page.contains("  worse: false alarm: b.pcap 192.0.2.66\n"), "{page}");
    assert!(matches!(other, Err(Error::OtherSchema { .. })));
}

#[test]
fn eval_html_is_one_file_that_loads_nothing() {
    let folder = corpus();
    let html = folder.path().join("page.html");

    let words = ["eval", folder.path().to_str().unwrap(), "--html", html.to_str().unwrap()];
    type_in(&words, &Canned(Ok(outbreak()))).0.unwrap();

    let page = std::fs::read_to_string(html).unwrap();
    assert_eq!(page.matches("<svg").count(), 3, "{page}");
    assert!(page.contains("<li>a.pcap  10.0.0.6  benign  0.2"), "{page}");
    for outside in ["http:", "https:", "src=", "href=", "url(", "@import", "<script"] {
        assert!(!page.contains(outside), "{outside}");
    }
}

#[test]
fn eval_markdown_has_the_same_sections() {
    let folder = corpus();

    let words = ["eval", folder.path().to_str().unwrap(), "--markdown"];
    let (_, page) = type_in(&words, &Canned(Ok(outbreak())));

    assert!(page.starts_with("### Who was found\n\n| label | captures |"), "{page}");
    assert!(page.contains("| all | 2 | 2 | 5 | 50.0 % |"), "{page}");
    assert!(page.contains("### Missed (1)\n\n- a.pcap  10.0.0.6"), "{page}");
}

#[test]
fn eval_shows_baselines_and_names_where_they_are_ahead() {
    let folder = corpus();

    let words = ["eval", folder.path().to_str().unwrap(), "--baseline", "trw,slips"];
    let (_, page) = type_in(&words, &Canned(Ok(outbreak())));

    assert!(page.contains("beside published detectors"), "{page}");
    assert!(page.contains("  benign: trw raises 0 false alarms, wormwatch 2\n"), "{page}");
    assert!(page.contains("  slips: Slips, network_discovery"), "{page}");
    assert!(!page.contains("fanout"), "{page}");
}

#[test]
fn eval_of_an_empty_folder_is_wrong_use() {
    let folder = tempfile::tempdir().unwrap();

    let words = ["eval", folder.path().to_str().unwrap()];
    let (status, _) = type_in(&words, &Canned(Ok(outbreak())));

    assert!(matches!(status, Err(Error::NothingToEvaluate(_))));
}

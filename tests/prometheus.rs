//! The metrics page, the alerting rules and the dashboard, as Prometheus' own tools see them.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test")]
#![allow(clippy::disallowed_methods, reason = "a test waits for a real Prometheus")]

#[path = "support/prometheus.rs"]
mod prometheus;
#[path = "support/tools.rs"]
mod tools;

use std::collections::BTreeSet;
use std::io::Write;
use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use prometheus::{Prometheus, queries};
use tools::{command, present, said};
use wormwatch::incident::{AlertKind, Infection, Severity, Status, Trouble};
use wormwatch::net::Service;
use wormwatch::pipeline::published::{
    HostView, IncidentBoard, InterfaceStats, Published, QueueStats, Stats, TableStats,
};
use wormwatch::propagation::Account;
use wormwatch::score::{Explanation, HostScore, ScoreConfig, Verdict};
use wormwatch::sink::alerts::AlertLog;
use wormwatch::sink::metrics::{ProcessView, render};
use wormwatch::time::Timestamp;
use wormwatch::web::{self, Heart, View};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// A board with something in every place, `n` steps into a run.
fn publish(board: &Published, n: u64) {
    let host = |last, score, verdict| {
        let scored = HostScore {
            host: [192, 0, 2, last].into(),
            score,
            peak: score,
            verdict,
            first_evidence: Timestamp::from_secs(1),
            last_evidence: Timestamp::from_secs(2),
            evidence: Vec::new(),
        };
        let explanation =
            Explanation::new(&scored, &ScoreConfig::default(), Timestamp::from_secs(2), &[]);
        HostView::new(&scored, explanation, true, vec!["workstation"])
    };
    board.update_hosts([host(7, 97.5, Verdict::Malicious), host(8, 61.0, Verdict::Suspicious)]);
    board.update_stats(Stats {
        packets: 1000 * n,
        bytes: 90_000 * n,
        duplicates: n,
        time_went_back: n,
        skipped: [("truncated", n)].into(),
        connections_open: 12,
        connections_total: 30 * n,
        events: [("conn", 30 * n), ("arp", n)].into(),
        evidence: [("scan.horizontal", n)].into(),
        allowlisted: [("nessus".to_owned(), n)].into(),
        hosts_known: 40,
        interfaces: vec![InterfaceStats {
            name: "tap0".to_owned(),
            packets: 1000 * n,
            bytes: 90_000 * n,
            kernel_drops: Some(n),
            interface_drops: None,
        }],
        tables: vec![TableStats {
            name: "flows",
            entries: 12,
            bytes: 1 << 20,
            budget: 1 << 28,
            evictions: n,
        }],
        queues: vec![QueueStats { name: "events", depth: 3, capacity: 1024 }],
        last_packet: Some(Timestamp::from_secs(1_700_000_000)),
        capture_lag: Some(Duration::from_millis(3)),
        one_way: false,
    });
    let infection = Infection {
        from: [192, 0, 2, 7].into(),
        to: [192, 0, 2, 8].into(),
        at: Timestamp::from_secs(1),
        confidence: 0.97,
        generation: 1,
        service: Some(Service::tcp(445)),
        incident: "w".to_owned(),
        reasons: Vec::new(),
        runner_up: None,
    };
    let account = Account { infections: vec![infection], ..Account::default() };
    let alert = Trouble::OneWay.alert(None, Timestamp::EPOCH, "a stand-in");
    let open = [("w", &alert)].into_iter();
    let changes = [(Status::Update, n)].into();
    board.update_incidents(IncidentBoard::new(&Arc::new(account), open, &changes));
    board.set_capturing(true);
    board.beat();
}

/// A page with something in every place.
fn full_page() -> String {
    let folder = tempfile::tempdir().unwrap();
    let log = AlertLog::open(&folder.path().join("alerts.jsonl")).unwrap();
    let counters = log.queue().counters();
    let board = Published::default();
    publish(&board, 1);
    board.record_alert(AlertKind::Worm, Severity::Critical, Status::Open, "{}".into());
    let process = ProcessView {
        alert_log: Some(&counters),
        started: 1.7e9,
        heartbeat_age: Duration::from_millis(300),
        config_loaded: true,
    };
    render(&board, &process).unwrap()
}

/// The metrics of a page as rows of `docs/metrics.md`.
fn rows(page: &str) -> BTreeSet<String> {
    let mut rows = BTreeSet::new();
    for (name, help) in
        page.lines().filter_map(|line| line.strip_prefix("# HELP ")?.split_once(' '))
    {
        let start = format!("# TYPE {name} ");
        let kind = page.lines().find_map(|line| line.strip_prefix(&start)).unwrap();
        // The labels of all series, sorted as the page has them; the page knows no order of its own.
        let mut labels = BTreeSet::new();
        let series = format!("{name}{{");
        for line in page.lines().filter_map(|line| line.strip_prefix(&series)) {
            let inside = line.rsplit_once('}').unwrap().0;
            labels
                .extend(inside.split("\",").map(|pair| pair.split_once('=').unwrap().0.to_owned()));
        }
        let labels: Vec<_> = labels.iter().map(|label| format!("`{label}`")).collect();
        rows.insert(format!("| `{name}` | {kind} | {} | {help} |", labels.join(", ")));
    }
    rows
}

#[test]
fn the_documentation_lists_every_metric_and_no_other() {
    let text = std::fs::read_to_string(Path::new(ROOT).join("docs/metrics.md")).unwrap();

    let listed: BTreeSet<_> =
        text.lines().filter(|line| line.starts_with("| `")).map(str::to_owned).collect();

    let exported = rows(&full_page());
    let missing: Vec<_> = exported.difference(&listed).collect();
    let invented: Vec<_> = listed.difference(&exported).collect();
    assert!(exported.len() > 30);
    assert!(missing.is_empty() && invented.is_empty(), "{missing:#?}\n{invented:#?}");
}

#[test]
fn the_metrics_page_is_clean() {
    if !present(&["promtool"]) {
        return;
    }

    let page = full_page();
    let mut promtool = command("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    promtool.stdin.take().unwrap().write_all(page.as_bytes()).unwrap();
    let checked = promtool.wait_with_output().unwrap();

    assert!(page.contains("wormwatch_alerts_total{kind=\"worm\",severity=\"critical\"} 1\n"));
    assert!(checked.status.success() && said(&checked).is_empty(), "{}", said(&checked));
}

#[test]
fn the_rules_are_clean_and_fire_when_they_should() {
    if !present(&["promtool"]) {
        return;
    }
    for arguments in [
        ["check", "rules", "wormwatch.rules.yml"],
        ["check", "config", "scrape.yml"],
        ["test", "rules", "wormwatch.rules.test.yml"],
    ] {
        let checked = command("promtool")
            .args(arguments)
            .current_dir(Path::new(ROOT).join("prometheus"))
            .output()
            .unwrap();

        assert!(checked.status.success(), "{arguments:?}: {}", said(&checked));
    }
}

#[test]
fn every_rule_has_a_test() {
    let read = |name: &str| std::fs::read_to_string(Path::new(ROOT).join("prometheus").join(name));
    let tests = read("wormwatch.rules.test.yml").unwrap();
    let rules = read("wormwatch.rules.yml").unwrap();

    let names: Vec<_> =
        rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();

    assert!(names.len() > 10);
    for name in names {
        assert!(tests.contains(&format!("alertname: {name}\n        exp_alerts:\n")), "{name}");
    }
}

#[test]
fn every_query_of_the_dashboard_fits_the_metrics() {
    if !present(&["prometheus", "curl"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let log = AlertLog::open(&folder.path().join("alerts.jsonl")).unwrap();
    let published = Arc::new(Published::default());
    let view = Arc::new(View {
        heart: Heart::new(Arc::clone(&published), Instant::now()),
        published: Arc::clone(&published),
        alert_log: Some(log.queue().counters()),
        started: 1.7e9,
        config_loaded: AtomicBool::new(true),
    });
    let listener = web::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let target = listener.local_addr().unwrap().to_string();
    // Both end with the process of this test.
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(web::serve(listener, web::router(view), std::future::pending()))
    });
    std::thread::spawn(move || {
        for n in 1.. {
            publish(&published, n);
            std::thread::sleep(Duration::from_millis(200));
        }
    });
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();

    let scraper = Prometheus::start(&[], port, &target);
    // Here is something of everything, so no query may live by its stand-in for nothing.
    let strict = queries(&Path::new(ROOT).join("grafana/overview.json"))
        .into_iter()
        .map(|(panel, expr)| {
            (panel, expr.replace(" > 0 or vector(0)", "").replace(" or vector(0)", ""))
        })
        .collect();
    let unanswered = scraper.unanswered(strict, Duration::from_secs(30));

    assert!(unanswered.is_empty(), "{unanswered:#?}");
    assert!(scraper.broken_rules().is_empty(), "{:#?}", scraper.broken_rules());
}

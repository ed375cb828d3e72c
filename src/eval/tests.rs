//! Metrics on summaries made by hand.

use std::fs;
use std::net::IpAddr;
use std::time::Duration;

use super::*;
use crate::detect::Family;
use crate::incident::{HostReport, Infection, InputSummary};
use crate::score::testing::{about, evidence, ip};
use crate::score::{ScoreBoard, Verdict};
use crate::time::Timestamp;

/// A capture with hosts of these scores (0 to 100), malicious or not; the first has 10.0.0.0.
pub(super) fn capture_of(hosts: &[(f64, bool)]) -> Capture {
    let judged = |(n, (score, malicious)): (u8, &(f64, bool))| Judged {
        host: [10, 0, 0, n].into(),
        malicious: *malicious,
        score: *score,
        verdict: Verdict::of(*score),
        detectors: Vec::new(),
        right_detector: None,
        classes: Vec::new(),
        techniques: Vec::new(),
        true_techniques: Vec::new(),
        evidence: Vec::new(),
        time_to_alert: None,
        connections_to_alert: None,
    };
    Capture {
        path: "made-up.pcap".into(),
        label: "made-up".to_owned(),
        benign: hosts.iter().all(|(_, malicious)| !malicious),
        others_are_known: true,
        hosts: (0..).zip(hosts).map(judged).collect(),
        ..Capture::default()
    }
}

/// A corpus in a temporary folder, and what the sensor says about each capture in it.
struct Corpus {
    folder: tempfile::TempDir,
    summaries: BTreeMap<String, Summary>,
}

impl Corpus {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), summaries: BTreeMap::new() }
    }

    fn add(&mut self, name: &str, truth: &str, summary: Summary) {
        fs::write(self.folder.path().join(format!("{name}.truth.toml")), truth).unwrap();
        self.summaries.insert(name.to_owned(), summary);
    }

    fn evaluate(&self, labels: &[&str], jobs: usize) -> Vec<Capture> {
        let request = Request {
            folders: vec![self.folder.path().to_owned()],
            labels: labels.iter().map(|label| (*label).to_owned()).collect(),
            jobs,
            score: ScoreConfig::default(),
            baselines: Vec::new(),
        };
        let analyse = |path: &Path, _: Listener<'_>| {
            let name = path.file_name().unwrap().to_str().unwrap();
            self.summaries.get(name).cloned().ok_or("cannot read it")
        };
        evaluate(&request, analyse, |_, _| {}).unwrap()
    }

    fn all(&self) -> Measures {
        Measures::of(&self.evaluate(&[], 1))
    }
}

/// A summary in which these hosts have this much evidence of a scan; who gets at least 6 nats is
/// suspicious, from 8.2 on malicious, and has an alert 10 s after it was first seen.
fn summary(hosts: &[(&str, f64)]) -> Summary {
    let mut board = ScoreBoard::new(&ScoreConfig::default());
    for (host, llr) in hosts {
        board.add(about(host, evidence("scan.horizontal", Family::Failure, *llr, 10)));
    }
    let mut summary = Summary {
        inputs: vec![InputSummary::default()],
        host_time: Duration::from_secs(86_400 * 2),
        ..Summary::default()
    };
    for score in board.hosts() {
        if score.peak >= 50.0 {
            summary.alerts.push(alert(score.host, 10));
        }
        summary.hosts.push(HostReport {
            internal: true,
            first_seen: Timestamp::EPOCH,
            last_seen: Timestamp::from_secs(60),
            roles: Vec::new(),
            connections: 20,
            connections_to_alert: (score.peak >= 50.0).then_some(7),
            hidden: Vec::new(),
            score,
        });
    }
    summary
}

fn alert(host: IpAddr, secs: i64) -> crate::incident::Alert {
    use crate::incident::{Alert, AlertKind, Severity, Status};
    Alert {
        id: "0".to_owned(),
        ts: Timestamp::from_secs(secs),
        updated: Timestamp::from_secs(secs),
        status: Status::Open,
        kind: AlertKind::Scan,
        severity: Severity::High,
        host: Some(host),
        hosts: Vec::new(),
        hosts_total: 1,
        score: 90.0,
        verdict: Verdict::Malicious,
        detectors: Vec::new(),
        techniques: Vec::new(),
        services: Vec::new(),
        peers: Vec::new(),
        peers_total: 0,
        targets: "external".to_owned(),
        community_ids: Vec::new(),
        incident: None,
        sensor: None,
        summary: String::new(),
        evidence: Vec::new(),
    }
}

/// Truth of a scan by these hosts, on which the detectors under `class` should speak.
fn scan_truth(others: &str, hosts: &[&str], class: &str) -> String {
    let mut truth = format!("label = \"scan\"\nbenign = false\nothers = \"{others}\"\n");
    for host in hosts {
        truth += &format!("[[host]]\naddress = \"{host}\"\nverdict = \"malicious\"\n");
        truth += &format!("classes = [\"{class}\"]\n");
    }
    truth
}

const BENIGN: &str = "label = \"benign\"\nbenign = true\nothers = \"benign\"";

#[test]
fn recall_and_precision_count_hosts() {
    let mut corpus = Corpus::new();
    let truth = scan_truth("benign", &["10.0.0.1", "10.0.0.2", "10.0.0.3"], "scan");
    let found = [("10.0.0.1", 9.0), ("10.0.0.2", 7.0), ("10.0.0.8", 9.0), ("10.0.0.9", 1.0)];
    corpus.add("a.pcap", &truth, summary(&found));

    let measures = corpus.all();

    assert_eq!((measures.malicious_hosts, measures.benign_hosts), (3, 2));
    assert_eq!(measures.recall_suspicious, Some(0.6667));
    assert_eq!(measures.recall_malicious, Some(0.3333));
    assert_eq!(measures.precision_suspicious, Some(0.6667));
    assert_eq!(measures.precision_malicious, Some(0.5));
    assert_eq!(measures.false_alarms, 1);
    assert_eq!(measures.false_alarms_per_capture, Some(1.0));
    assert_eq!(measures.false_alarms_per_host_day, Some(0.5));
}

#[test]
fn others_that_nobody_knows_are_not_scored() {
    let mut corpus = Corpus::new();
    let found = [("10.0.0.1", 9.0), ("10.0.0.8", 9.0)];
    corpus.add("a.pcap", &scan_truth("unknown", &["10.0.0.1"], "scan"), summary(&found));

    let measures = corpus.all();

    assert_eq!((measures.benign_hosts, measures.false_alarms), (0, 0));
    assert_eq!(measures.precision_suspicious, Some(1.0));
    assert_eq!(measures.false_alarms_per_capture, None);
}

#[test]
fn a_named_host_that_nobody_knows_is_not_scored_either() {
    let mut corpus = Corpus::new();
    let truth = "label = \"c2\"\nbenign = false\nothers = \"benign\"\n\
                 [[host]]\naddress = \"10.0.0.1\"\nverdict = \"unknown\"";
    corpus.add("a.pcap", truth, summary(&[("10.0.0.1", 9.0)]));

    let measures = corpus.all();

    assert_eq!((measures.malicious_hosts, measures.benign_hosts), (0, 0));
    assert_eq!(measures.recall_malicious, None);
}

#[test]
fn the_right_detector_is_asked_of_hosts_that_were_found() {
    let mut corpus = Corpus::new();
    let found = || summary(&[("10.0.0.1", 9.0)]);
    corpus.add("a.pcap", &scan_truth("benign", &["10.0.0.1"], "scan"), found());
    corpus.add("b.pcap", &scan_truth("benign", &["10.0.0.1"], "lateral"), found());
    corpus.add("c.pcap", &scan_truth("benign", &["10.0.0.7"], "lateral"), found());

    assert_eq!(corpus.all().right_detector, Some(0.5));
}

#[test]
fn benign_captures_count_by_their_worst_host() {
    let mut corpus = Corpus::new();
    corpus.add("a.pcap", BENIGN, summary(&[("10.0.0.1", 9.0), ("10.0.0.2", 9.0)]));
    corpus.add("b.pcap", BENIGN, summary(&[("10.0.0.1", 6.5)]));
    corpus.add("c.pcap", BENIGN, summary(&[("10.0.0.1", 2.0)]));
    corpus.add("d.pcap", BENIGN, summary(&[]));

    let measures = corpus.all();

    assert_eq!(measures.benign_captures, 4);
    assert_eq!(measures.benign_with_suspicious, 2);
    assert_eq!(measures.benign_with_malicious, 1);
    assert_eq!(measures.false_alarms_per_capture, Some(0.75));
}

#[test]
fn delays_are_medians_over_the_hosts_found() {
    let mut corpus = Corpus::new();
    let mut late = summary(&[("10.0.0.1", 9.0)]);
    late.alerts[0].ts = Timestamp::from_secs(40);
    late.hosts[0].connections_to_alert = Some(30);
    corpus.add("a.pcap", &scan_truth("benign", &["10.0.0.1"], "scan"), late);
    let early = summary(&[("10.0.0.1", 9.0)]);
    corpus.add("b.pcap", &scan_truth("benign", &["10.0.0.1"], "scan"), early);
    corpus.add("c.pcap", &scan_truth("benign", &["10.0.0.1"], "scan"), summary(&[]));

    let measures = corpus.all();

    assert_eq!(measures.seconds_to_alert, Some(25.0));
    assert_eq!(measures.connections_to_alert, Some(18.5));
}

/// It names the one host at once, and the other when that one was infected; a host's own alert may
/// come sooner.
#[test]
fn the_alert_of_an_incident_counts_for_each_host_from_when_it_names_it() {
    let mut corpus = Corpus::new();
    let mut told = summary(&[("10.0.0.1", 9.0), ("10.0.0.2", 9.0), ("10.0.0.3", 9.0)]);
    let named = |host, secs| crate::incident::Named { host, since: Timestamp::from_secs(secs) };
    told.alerts.retain(|alert| alert.host == Some(ip("10.0.0.1")));
    told.alerts.push(crate::incident::Alert {
        host: None,
        hosts: vec![
            named(ip("10.0.0.1"), 12),
            named(ip("10.0.0.2"), 12),
            named(ip("10.0.0.3"), 50),
        ],
        hosts_total: 3,
        ..alert(ip("10.0.0.9"), 12)
    });
    let first = |host: &str| told.first_alert(ip(host)).map(|at| at.as_nanos() / 1_000_000_000);
    assert_eq!(
        ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.9"].map(first),
        [Some(10), Some(12), Some(50), None]
    );
    let hosts = ["10.0.0.1", "10.0.0.2", "10.0.0.3"];
    corpus.add("a.pcap", &scan_truth("benign", &hosts, "scan"), told);

    assert_eq!(corpus.all().seconds_to_alert, Some(12.0));
}

#[test]
fn the_brier_score_is_the_mean_squared_error() {
    let mut corpus = Corpus::new();
    // 98.2 for a malicious host, 0.2 for one that was missed, 50.0 for a benign one.
    let truth = scan_truth("benign", &["10.0.0.1", "10.0.0.2"], "scan");
    corpus.add("a.pcap", &truth, summary(&[("10.0.0.1", 10.0), ("10.0.0.9", 6.0)]));

    let expected: f64 = (0.018_f64.powi(2) + 0.998_f64.powi(2) + 0.5_f64.powi(2)) / 3.0;
    assert_eq!(corpus.all().brier, Some(crate::incident::rounded(expected, 4)));
    let bins = reliability(&corpus.evaluate(&[], 1));
    let filled: Vec<_> =
        bins.iter().filter(|b| b.hosts > 0).map(|b| (b.from, b.mean_score, b.observed)).collect();
    assert_eq!(
        filled,
        [(0, Some(0.2), Some(100.0)), (50, Some(50.0), Some(0.0)), (90, Some(98.2), Some(100.0))]
    );
}

#[test]
fn infections_are_compared_as_edges() {
    let mut corpus = Corpus::new();
    let edge = |from: &str, to: &str| format!("[[infection]]\nfrom = \"{from}\"\nto = \"{to}\"\n");
    let at = |secs: i64| format!("at = 1970-01-01T00:00:{secs:02}Z\n");
    let truth = scan_truth("benign", &["10.0.0.1"], "scan")
        + &edge("10.0.0.1", "10.0.0.2")
        + &at(5)
        + &edge("10.0.0.2", "10.0.0.3")
        + &at(50);
    let claim = |from: &str, to: &str| Infection {
        from: ip(from),
        to: ip(to),
        at: Timestamp::EPOCH,
        confidence: 0.9,
        generation: 1,
        service: None,
        incident: String::new(),
        reasons: Vec::new(),
        runner_up: None,
    };
    let mut claims = summary(&[("10.0.0.1", 9.0)]);
    claims.infections = vec![
        claim("10.0.0.1", "10.0.0.2"),
        claim("10.0.0.1", "10.0.0.3"),
        claim("10.0.0.1", "10.0.0.4"),
    ];
    corpus.add("a.pcap", &truth, claims);

    let measures = corpus.all();

    assert_eq!(measures.edge_precision, Some(0.3333));
    assert_eq!(measures.edge_recall, Some(0.5));
    // The alert came at 10 s: one infection was over, the other was still to come.
    assert_eq!(measures.infected_before_alert, Some(1));
}

#[test]
fn a_capture_that_cannot_be_analysed_counts_as_missed() {
    let mut corpus = Corpus::new();
    corpus.add("a.pcap", &scan_truth("benign", &["10.0.0.1"], "scan"), summary(&[]));
    corpus.add("b.pcap", BENIGN, summary(&[]));
    corpus.summaries.clear();

    let measures = corpus.all();

    assert_eq!((measures.captures, measures.failed), (2, 2));
    assert_eq!(measures.recall_suspicious, Some(0.0));
    assert_eq!(measures.benign_captures, 0, "nothing was shown of it");
}

#[test]
fn the_number_of_jobs_changes_nothing() {
    let mut corpus = Corpus::new();
    for n in 0..30 {
        let llr = f64::from(n) / 3.0;
        let truth = scan_truth("benign", &["10.0.0.1"], "scan");
        corpus.add(&format!("{n:02}.pcap"), &truth, summary(&[("10.0.0.1", llr + 0.1)]));
    }

    let one = format!("{:?}", corpus.evaluate(&[], 1));

    assert_eq!(one, format!("{:?}", corpus.evaluate(&[], 7)));
    assert_eq!(corpus.evaluate(&[], 3).len(), 30);
}

#[test]
fn labels_choose_and_group_captures() {
    let mut corpus = Corpus::new();
    corpus.add("a.pcap", &scan_truth("benign", &["10.0.0.1"], "scan"), summary(&[]));
    corpus.add("b.pcap", BENIGN, summary(&[]));

    let all = corpus.evaluate(&[], 2);

    assert_eq!(by_label(&all).into_keys().collect::<Vec<_>>(), ["benign", "scan"]);
    assert_eq!(all.len(), 2);
    assert_eq!(corpus.evaluate(&["sc"], 1).len(), 1);
    assert_eq!(corpus.evaluate(&["nothing"], 1).len(), 0);
}

#[test]
fn baselines_hear_every_event_and_are_held_against_the_same_truth() {
    let mut corpus = Corpus::new();
    let truth = scan_truth("benign", &["10.0.0.1"], "scan");
    corpus.add("a.pcap", &truth, summary(&[("10.0.0.1", 9.0)]));
    let request = Request {
        folders: vec![corpus.folder.path().to_owned()],
        labels: Vec::new(),
        jobs: 1,
        score: ScoreConfig::default(),
        baselines: vec![Baseline::Trw],
    };
    let analyse = |_: &Path, hear: Listener<'_>| {
        for n in 0..9 {
            for scanner in ["10.0.0.1", "10.0.0.2"] {
                let target = format!("10.0.1.{n}");
                hear(&crate::detect::testing::tcp(scanner, &target, 445).refused());
            }
        }
        Ok::<_, String>(corpus.summaries["a.pcap"].clone())
    };

    let captures = evaluate(&request, analyse, |_, _| {}).unwrap();

    let [rival] = captures[0].rivals.as_slice() else { panic!("one baseline") };
    assert_eq!(rival.found, [ip("10.0.0.1")].into());
    assert_eq!(rival.false_alarms, [ip("10.0.0.2")].into());
    assert_eq!(captures[0].hosts.len(), 1, "what a baseline says is not held against wormwatch");
}

#[test]
fn captures_of_several_folders_are_told_apart() {
    let (mut one, mut other) = (Corpus::new(), Corpus::new());
    one.add("a.pcap", BENIGN, summary(&[]));
    other.add("a.pcap", BENIGN, summary(&[]));
    let request = Request {
        folders: vec![one.folder.path().to_owned(), other.folder.path().to_owned()],
        labels: Vec::new(),
        jobs: 1,
        score: ScoreConfig::default(),
        baselines: Vec::new(),
    };

    let captures = evaluate(&request, |_, _| Ok::<_, String>(summary(&[])), |_, _| {}).unwrap();

    let expected = request.folders.iter().map(|f| Path::new(f.file_name().unwrap()).join("a.pcap"));
    assert_eq!(
        captures.iter().map(|c| c.path.clone()).collect::<Vec<_>>(),
        expected.collect::<Vec<_>>()
    );
}

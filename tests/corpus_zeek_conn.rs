//! Connection tracking against what a real Zeek writes for every attack capture of the corpus.

#![allow(
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test; its table goes to standard output"
)]

mod common;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use common::simple_decoder::events_of;
use serde_json::Value;
use wormwatch::event::Body;
use wormwatch::flow::FlowConfig;

/// Who, with whom, when: proto, client, server, microseconds of the first packet.
type Identity = (String, String, u64, String, u64, i64);

#[derive(Debug, Clone)]
struct Record {
    state: String,
    history: String,
    service: String,
    bytes: Option<(u64, u64)>,
    packets: (u64, u64),
    ip_bytes: (u64, u64),
    missed: u64,
    duration: f64,
}

/// How many of Zeek's records we have, and how many of those agree in each field.
#[derive(Debug, Default, Clone, Copy)]
struct Agreement {
    zeek: usize,
    ours: usize,
    matched: usize,
    state: usize,
    history: usize,
    service: usize,
    bytes: usize,
    packets: usize,
    missed: usize,
    duration: usize,
}

impl Agreement {
    fn add(&mut self, other: Self) {
        self.zeek += other.zeek;
        self.ours += other.ours;
        self.matched += other.matched;
        self.state += other.state;
        self.history += other.history;
        self.service += other.service;
        self.bytes += other.bytes;
        self.packets += other.packets;
        self.missed += other.missed;
        self.duration += other.duration;
    }

    fn share(&self, count: usize) -> f64 {
        100.0 * count as f64 / self.zeek.max(1) as f64
    }

    fn row(&self, name: &str) -> String {
        format!(
            "{name:<60} {:>6} {:>6} {:>6.1} {:>6.1} {:>6.1} {:>6.1} {:>6.1} {:>6.1} {:>6.1} {:>6.1}",
            self.zeek,
            self.ours,
            self.share(self.matched),
            self.share(self.state),
            self.share(self.history),
            self.share(self.service),
            self.share(self.bytes),
            self.share(self.packets),
            self.share(self.missed),
            self.share(self.duration),
        )
    }
}

#[test]
fn agrees_with_zeek_on_the_attack_captures() {
    let Some(corpus) = common::corpus().filter(|dir| dir.join("zeek-logs").is_dir()) else {
        eprintln!("skipped: no corpus");
        return;
    };
    let mut total = Agreement::default();
    println!(
        "{:<60} {:>6} {:>6} {:>6} {:>6} {:>6} {:>6} {:>6} {:>6} {:>6} {:>6}",
        "capture",
        "zeek",
        "ours",
        "found%",
        "state%",
        "hist%",
        "serv%",
        "bytes%",
        "pkts%",
        "miss%",
        "dur%"
    );
    for log in logs(&corpus.join("zeek-logs")) {
        let folder = log.parent().expect("a log lies in a folder");
        let name = folder.strip_prefix(corpus.join("zeek-logs")).expect("below the logs");
        let zeek = zeek_records(&log);
        let ours = our_records(&corpus.join(name));
        let agreement = compare(name, &zeek, &ours);
        println!("{}", agreement.row(&name.to_string_lossy()));
        total.add(agreement);
    }
    println!("{}", total.row("all"));
    // What differs, and why, is in docs/zeek-differences.md.
    assert!(total.share(total.matched) >= 97.0, "{total:?}");
    assert!(total.share(total.state) >= 97.0, "{total:?}");
    assert!(total.share(total.history) >= 95.0, "{total:?}");
    assert!(total.share(total.service) >= 95.0, "{total:?}");
    assert!(total.share(total.bytes) >= 95.0, "{total:?}");
    assert!(total.share(total.packets) >= 95.0, "{total:?}");
}

#[test]
fn agrees_with_zeeks_own_baselines() {
    let Some(corpus) = common::corpus().filter(|dir| dir.join("zeek-baseline").is_dir()) else {
        eprintln!("skipped: no corpus");
        return;
    };
    let captures = captures(&corpus);
    let (mut total, mut same, mut same_state) = (0, 0, 0);
    for folder in std::fs::read_dir(corpus.join("zeek-baseline")).unwrap() {
        let folder = folder.unwrap().path();
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        let Some(capture) = captures.get(&name).filter(|_| folder.is_dir()) else { continue };
        for log in std::fs::read_dir(&folder).unwrap() {
            let log = log.unwrap().path();
            let test = log.file_name().unwrap().to_string_lossy().into_owned();
            if !test.ends_with("__conn.log") || SET_OTHERWISE.iter().any(|t| test.starts_with(t)) {
                continue;
            }
            let Some(zeek) = baseline(&log) else { continue };
            let mut ours = summaries(&our_records(capture));
            for line in &zeek {
                total += 1;
                let exact = ours.iter().position(|mine| mine == line);
                let state = |line: &Summary| (line.0.clone(), line.1.clone());
                let near = ours.iter().position(|mine| state(mine) == state(line));
                same += usize::from(exact.is_some());
                same_state += usize::from(near.is_some());
                if exact.is_none() && std::env::var_os("WORMWATCH_SHOW_DIFFERENCES").is_some() {
                    println!(
                        "  differs {name} {test}\n    zeek {line:?}\n    ours {near:?} {ours:?}"
                    );
                }
                if let Some(at) = exact.or(near) {
                    ours.remove(at);
                }
            }
        }
    }
    println!("baselines: {total} records, {same_state} with the same state, {same} alike");
    assert!(total > 50, "{total}");
    assert!(same_state * 100 >= total * BASELINE_STATE, "{same_state} of {total}");
    assert!(same * 100 >= total * BASELINE_ALIKE, "{same} of {total}");
}

/// Percentage of baseline records with the same ends and state, and with the same history, bytes
/// and packets beside.
const BASELINE_STATE: usize = 90;
const BASELINE_ALIKE: usize = 85;

/// Baselines of tests that filter packets, verify checksums, or count what we do not.
const SET_OTHERWISE: &[&str] =
    &["core.checksums_ignore_nets", "core.local-flip", "core.pcap", "core.unknown-ip-protocol"];

/// Ends with their protocol, state; then history, bytes and packets.
type Summary = (String, String, String);

fn captures(corpus: &Path) -> BTreeMap<String, PathBuf> {
    let folders = std::fs::read_dir(corpus).unwrap().map(|entry| entry.unwrap().path());
    let folders = folders.filter(|path| {
        path.is_dir() && !path.file_name().unwrap().to_string_lossy().starts_with("zeek-")
    });
    let files = folders.flat_map(|folder| std::fs::read_dir(folder).unwrap());
    let named = files.map(|entry| {
        let path = entry.unwrap().path();
        (path.file_name().unwrap().to_string_lossy().into_owned(), path)
    });
    named.collect()
}

fn baseline(log: &Path) -> Option<Vec<Summary>> {
    let text = std::fs::read_to_string(log).unwrap();
    let fields = text.lines().find_map(|line| line.strip_prefix("#fields\t"))?;
    let column = |name: &str| fields.split('\t').position(|field| field == name);
    let wanted = [
        "proto",
        "id.orig_h",
        "id.orig_p",
        "id.resp_h",
        "id.resp_p",
        "conn_state",
        "history",
        "orig_bytes",
        "resp_bytes",
        "orig_pkts",
        "resp_pkts",
    ];
    let columns: Option<Vec<usize>> = wanted.iter().map(|name| column(name)).collect();
    let columns = columns?;
    let records = text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| {
        let values: Vec<&str> = line.split('\t').collect();
        let value = |at: usize| values.get(columns[at]).copied().unwrap_or("-");
        let known = ["tcp", "udp", "icmp"].contains(&value(0));
        known.then(|| {
            let ends = format!("{} {}:{} {}:{}", value(0), value(1), value(2), value(3), value(4));
            let rest = (6..11).map(value).collect::<Vec<_>>().join(" ");
            (ends, value(5).to_owned(), rest)
        })
    });
    Some(records.collect())
}

fn summaries(records: &BTreeMap<Identity, Record>) -> Vec<Summary> {
    let records = records.iter().map(|((proto, client, client_port, server, port, _), record)| {
        let ends = format!("{proto} {client}:{client_port} {server}:{port}");
        let bytes = record.bytes.map_or("- -".to_owned(), |(up, down)| format!("{up} {down}"));
        let history = if record.history.is_empty() { "-" } else { &record.history };
        let (up, down) = record.packets;
        (ends, record.state.clone(), format!("{history} {bytes} {up} {down}"))
    });
    records.collect()
}

fn logs(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut dirs = vec![dir.to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                dirs.push(path);
            } else if path.file_name().is_some_and(|name| name == "conn.log") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn zeek_records(log: &Path) -> BTreeMap<Identity, Record> {
    let text = std::fs::read_to_string(log).unwrap();
    let records = text.lines().map(|line| {
        let v: Value = serde_json::from_str(line).unwrap();
        let text = |name: &str| v[name].as_str().unwrap_or_default().to_owned();
        let number = |name: &str| v[name].as_u64().unwrap_or_default();
        let micros = (v["ts"].as_f64().unwrap() * 1e6).round() as i64;
        // Zeek knows SCTP by its number only.
        let proto = match (text("proto").as_str(), number("ip_proto")) {
            ("unknown_transport", 132) => "sctp".to_owned(),
            (proto, _) => proto.to_owned(),
        };
        let identity = (
            proto,
            text("id.orig_h"),
            number("id.orig_p"),
            text("id.resp_h"),
            number("id.resp_p"),
            micros,
        );
        let record = Record {
            state: text("conn_state"),
            history: text("history"),
            service: text("service"),
            bytes: v["orig_bytes"].as_u64().zip(v["resp_bytes"].as_u64()),
            packets: (number("orig_pkts"), number("resp_pkts")),
            ip_bytes: (number("orig_ip_bytes"), number("resp_ip_bytes")),
            missed: number("missed_bytes"),
            duration: v["duration"].as_f64().unwrap_or_default(),
        };
        (identity, record)
    });
    records.collect()
}

fn our_records(capture: &Path) -> BTreeMap<Identity, Record> {
    let events = events_of(capture, &FlowConfig::default()).unwrap();
    let records = events.into_iter().filter_map(|event| {
        let conversation = event.conversation?;
        let Body::Conn(conn) = event.body else { return None };
        let identity = (
            conversation.transport.as_str().to_owned(),
            conversation.client.addr.to_string(),
            u64::from(conversation.client.port),
            conversation.server.addr.to_string(),
            u64::from(conversation.server.port),
            conn.start.as_nanos().div_euclid(1000),
        );
        let lasts = !conn.duration.is_zero();
        let record = Record {
            state: format!("{:?}", conn.state),
            history: conn.history,
            service: conn.service.unwrap_or_default().to_owned(),
            bytes: lasts.then_some((conn.client.bytes, conn.server.bytes)),
            packets: (conn.client.packets, conn.server.packets),
            ip_bytes: (conn.client.ip_bytes, conn.server.ip_bytes),
            missed: conn.missed_bytes,
            duration: conn.duration.as_secs_f64(),
        };
        Some((identity, record))
    });
    records.collect()
}

fn compare(
    name: &Path,
    zeek: &BTreeMap<Identity, Record>,
    ours: &BTreeMap<Identity, Record>,
) -> Agreement {
    let mut agreement = Agreement { zeek: zeek.len(), ours: ours.len(), ..Agreement::default() };
    let show = std::env::var_os("WORMWATCH_SHOW_DIFFERENCES").is_some();
    for (identity, theirs) in zeek {
        let Some(mine) = ours.get(identity) else {
            if show {
                println!("  missing {} {identity:?} {theirs:?}", name.display());
            }
            continue;
        };
        let same_service = theirs.service.split(',').any(|service| service == mine.service);
        let same = [
            theirs.state == mine.state,
            theirs.history == mine.history,
            same_service,
            theirs.bytes == mine.bytes,
            theirs.packets == mine.packets && theirs.ip_bytes == mine.ip_bytes,
            theirs.missed == mine.missed,
            (theirs.duration - mine.duration).abs() < 1e-3,
        ];
        agreement.matched += 1;
        agreement.state += usize::from(same[0]);
        agreement.history += usize::from(same[1]);
        agreement.service += usize::from(same[2]);
        agreement.bytes += usize::from(same[3]);
        agreement.packets += usize::from(same[4]);
        agreement.missed += usize::from(same[5]);
        agreement.duration += usize::from(same[6]);
        if show && same.contains(&false) {
            println!(
                "  differs {} {identity:?}\n    zeek {theirs:?}\n    ours {mine:?}",
                name.display()
            );
        }
    }
    agreement
}

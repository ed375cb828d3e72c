//! What dissectors say of services against what a real Zeek writes for the same captures, field by
//! field, and against Zeek's own test baselines.

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
use wormwatch::event::{Body, Event};
use wormwatch::flow::FlowConfig;

/// A record as text: absent fields and empty ones are the same.
type Fields = BTreeMap<String, String>;

/// Fields that are compared, by log.
const COMPARED: &[(&str, &[&str])] = &[
    (
        "ssh",
        &[
            "version",
            "client",
            "server",
            "cipher_alg",
            "mac_alg",
            "compression_alg",
            "kex_alg",
            "host_key_alg",
            "host_key_fingerprint",
            "auth_success",
            "auth_attempts",
        ],
    ),
    (
        "ssl",
        &[
            "version",
            "cipher",
            "curve",
            "server_name",
            "resumed",
            "last_alert",
            "next_protocol",
            "established",
            "ssl_history",
            "cert_chain_fps",
            "client_cert_chain_fps",
            "subject",
            "issuer",
            "client_subject",
            "client_issuer",
        ],
    ),
    (
        "smtp",
        &[
            "trans_depth",
            "helo",
            "mailfrom",
            "rcptto",
            "date",
            "from",
            "to",
            "cc",
            "subject",
            "msg_id",
            "last_reply",
            "path",
            "user_agent",
            "tls",
        ],
    ),
    (
        "ftp",
        &[
            "user",
            "password",
            "command",
            "arg",
            "file_size",
            "reply_code",
            "reply_msg",
            "data_channel.passive",
            "data_channel.orig_h",
            "data_channel.resp_h",
            "data_channel.resp_p",
        ],
    ),
    ("mysql", &["cmd", "arg", "success", "rows", "response"]),
    ("redis", &["cmd.name", "cmd.key", "cmd.value", "success", "reply.value"]),
    (
        "rfb",
        &[
            "client_major_version",
            "client_minor_version",
            "server_major_version",
            "server_minor_version",
            "authentication_method",
            "auth",
            "share_flag",
            "desktop_name",
            "width",
            "height",
        ],
    ),
    (
        "snmp",
        &[
            "version",
            "community",
            "get_requests",
            "get_bulk_requests",
            "get_responses",
            "set_requests",
            "display_string",
        ],
    ),
];

/// Fields that only some of the logs have: Zeek writes them if a policy script is loaded.
const SOMETIMES: [&str; 4] = ["subject", "issuer", "client_subject", "client_issuer"];

/// How many of Zeek's records we have, and how many of those agree in each field.
#[derive(Debug, Default)]
struct Agreement {
    records: usize,
    found: usize,
    fields: BTreeMap<&'static str, (usize, usize)>,
}

impl Agreement {
    fn share(&self, field: &str) -> f64 {
        let (same, all) = self.fields[field];
        100.0 * same as f64 / all.max(1) as f64
    }

    fn found(&self) -> f64 {
        100.0 * self.found as f64 / self.records.max(1) as f64
    }
}

#[test]
fn agrees_with_zeek_on_the_attack_captures() {
    let Some(corpus) = common::corpus().filter(|dir| dir.join("zeek-logs").is_dir()) else {
        eprintln!("skipped: no corpus");
        return;
    };
    let mut totals: BTreeMap<&str, Agreement> = BTreeMap::new();
    for folder in folders(&corpus.join("zeek-logs")) {
        let logs: Vec<_> = COMPARED
            .iter()
            .map(|(kind, _)| (*kind, folder.join(format!("{kind}.log"))))
            .filter(|(_, log)| log.is_file())
            .collect();
        if logs.is_empty() {
            continue;
        }
        let capture = corpus.join(folder.strip_prefix(corpus.join("zeek-logs")).unwrap());
        let events = events_of(&capture, &FlowConfig::default()).unwrap();
        for (kind, log) in logs {
            let zeek = json_records(&log);
            let ours = our_records(&events, kind);
            compare(kind, &capture, &zeek, &ours, totals.entry(kind).or_default());
        }
    }
    print(&totals);

    // What differs, and why, is in docs/zeek-differences.md.
    let ssh = &totals["ssh"];
    assert!(ssh.found() >= 99.0, "{ssh:?}");
    for field in ["version", "client", "server", "cipher_alg", "mac_alg", "compression_alg"] {
        assert!(ssh.share(field) >= 99.0, "{field}");
    }
    for field in ["kex_alg", "host_key_alg", "host_key_fingerprint"] {
        assert!(ssh.share(field) >= 99.0, "{field}");
    }
    let ssl = &totals["ssl"];
    assert!(ssl.found() >= 95.0, "{ssl:?}");
    for (_, fields) in COMPARED.iter().filter(|(kind, _)| *kind == "ssl") {
        for field in fields.iter().filter(|field| !SOMETIMES.contains(field)) {
            assert!(ssl.share(field) >= 95.0, "{field}");
        }
    }
}

#[test]
fn counts_no_fewer_attempts_than_zeek() {
    let Some(corpus) = common::corpus().filter(|dir| dir.join("zeek-logs/bruteforce").is_dir())
    else {
        eprintln!("skipped: no corpus");
        return;
    };
    for folder in folders(&corpus.join("zeek-logs/bruteforce")) {
        let log = folder.join("ssh.log");
        if !log.is_file() {
            continue;
        }
        let capture = corpus.join(folder.strip_prefix(corpus.join("zeek-logs")).unwrap());
        let events = events_of(&capture, &FlowConfig::default()).unwrap();
        let ours = our_records(&events, "ssh");
        for (ends, zeek) in json_records(&log) {
            let Some((_, mine)) = ours.iter().find(|(mine, _)| *mine == ends) else { continue };
            let attempts = |record: &Fields| record["auth_attempts"].parse::<u32>().unwrap();
            assert!(attempts(mine) >= attempts(&zeek), "{ends}: {zeek:?} {mine:?}");
            assert!(attempts(mine) <= attempts(&zeek) + 1, "{ends}: {zeek:?} {mine:?}");
            if zeek.get("auth_success").is_some_and(|success| success == "true") {
                assert_eq!(mine.get("auth_success"), zeek.get("auth_success"), "{ends}");
            }
        }
    }
}

#[test]
fn agrees_with_zeeks_own_baselines() {
    let Some(corpus) = common::corpus().filter(|dir| dir.join("zeek-baseline").is_dir()) else {
        eprintln!("skipped: no corpus");
        return;
    };
    let captures = captures(&corpus);
    let mut totals: BTreeMap<&str, Agreement> = BTreeMap::new();
    for folder in std::fs::read_dir(corpus.join("zeek-baseline")).unwrap() {
        let folder = folder.unwrap().path();
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        let Some(capture) = captures.get(&name).filter(|_| folder.is_dir()) else { continue };
        let mut logs = Vec::new();
        for log in std::fs::read_dir(&folder).unwrap() {
            let log = log.unwrap().path();
            let test = log.file_name().unwrap().to_string_lossy().into_owned();
            let kind = COMPARED.iter().find(|(kind, _)| test.ends_with(&format!("__{kind}.log")));
            if let Some((kind, _)) = kind
                && !SET_OTHERWISE.iter().any(|other| test.starts_with(other))
            {
                logs.push((*kind, log));
            }
        }
        logs.sort();
        if logs.is_empty() {
            continue;
        }
        let events = events_of(capture, &FlowConfig::default()).unwrap();
        for (kind, log) in logs {
            let zeek = table_records(&log);
            let ours = our_records(&events, kind);
            compare(kind, capture, &zeek, &ours, totals.entry(kind).or_default());
        }
    }
    print(&totals);

    for (kind, least) in
        [("ssh", 100.0), ("ssl", 80.0), ("rfb", 99.0), ("mysql", 90.0), ("redis", 90.0)]
    {
        assert!(totals[kind].found() >= least, "{kind} {:?}", totals[kind]);
    }
    for (kind, least) in [("ftp", 90.0), ("smtp", 75.0), ("snmp", 99.0)] {
        assert!(totals[kind].found() >= least, "{kind} {:?}", totals[kind]);
    }
}

/// Baselines of tests that tune what is written, or read what we do not (QUIC).
const SET_OTHERWISE: &[&str] = &[
    "scripts.base.protocols.ftp.ftp-max-",
    "scripts.base.protocols.ftp.ftp-password-pass-command",
    "scripts.base.protocols.quic",
];

/// Adds the agreement of one log. Of several records of a connection each is held against the most
/// similar one.
fn compare(
    kind: &'static str,
    capture: &Path,
    zeek: &[(String, Fields)],
    ours: &[(String, Fields)],
    agreement: &mut Agreement,
) {
    let fields = COMPARED.iter().find(|(name, _)| *name == kind).unwrap().1;
    let show = std::env::var_os("WORMWATCH_SHOW_DIFFERENCES").is_some();
    let mut left: Vec<&(String, Fields)> = ours.iter().collect();
    for (ends, theirs) in zeek {
        agreement.records += 1;
        let agrees = |mine: &Fields, field: &str| {
            let (mine, theirs) = (value(mine, field), value(theirs, field));
            // Zeek cuts fingerprints short.
            mine == theirs || (field == "host_key_fingerprint" && mine.starts_with(theirs))
        };
        let likeness = |mine: &Fields| fields.iter().filter(|field| agrees(mine, field)).count();
        let best = left
            .iter()
            .enumerate()
            .filter(|(_, (mine, _))| mine == ends)
            .max_by_key(|(at, (_, mine))| (likeness(mine), std::cmp::Reverse(*at)));
        let Some(at) = best.map(|(at, _)| at) else {
            if show {
                println!("  missing {} {kind} {ends} {theirs:?}", capture.display());
            }
            continue;
        };
        let (_, mine) = left.remove(at);
        agreement.found += 1;
        for field in fields.iter().copied() {
            if SOMETIMES.contains(&field) && !theirs.contains_key(field) {
                continue;
            }
            let (same, all) = agreement.fields.entry(field).or_default();
            *all += 1;
            *same += usize::from(agrees(mine, field));
            if show && !agrees(mine, field) {
                println!(
                    "  differs {} {kind} {ends} {field}: zeek {:?} ours {:?}",
                    capture.display(),
                    value(theirs, field),
                    value(mine, field)
                );
            }
        }
    }
}

fn value<'a>(fields: &'a Fields, field: &str) -> &'a str {
    fields.get(field).map_or("", String::as_str)
}

fn print(totals: &BTreeMap<&str, Agreement>) {
    for (kind, agreement) in totals {
        println!("{kind}: {} of {} records", agreement.found, agreement.records);
        for (field, (same, all)) in &agreement.fields {
            println!("  {field:<22} {same:>5} of {all:>5}");
        }
    }
}

fn our_records(events: &[Event], kind: &str) -> Vec<(String, Fields)> {
    let record = |event: &Event| {
        let Body::Record(record) = &event.body else { return None };
        let talk = event.conversation.filter(|_| record.kind() == kind)?;
        let Value::Object(fields) = serde_json::to_value(&**record).unwrap() else { return None };
        let ends = format!(
            "{}:{} {}:{}",
            talk.client.addr, talk.client.port, talk.server.addr, talk.server.port
        );
        Some((ends, fields.iter().map(|(name, value)| (name.clone(), text(value))).collect()))
    };
    events.iter().filter_map(record).collect()
}

fn json_records(log: &Path) -> Vec<(String, Fields)> {
    let lines = std::fs::read_to_string(log).unwrap();
    let record = |line: &str| {
        let value: Value = serde_json::from_str(line).unwrap();
        let fields: Fields = value
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, value)| (name.clone(), text(value)))
            .collect();
        (ends(&fields), fields)
    };
    lines.lines().map(record).collect()
}

fn table_records(log: &Path) -> Vec<(String, Fields)> {
    let lines = std::fs::read_to_string(log).unwrap();
    let names: Vec<&str> = lines
        .lines()
        .find_map(|line| line.strip_prefix("#fields\t"))
        .unwrap()
        .split('\t')
        .collect();
    let record = |line: &str| {
        let fields: Fields = names
            .iter()
            .zip(line.split('\t'))
            .map(|(name, value)| {
                let value = match value {
                    "-" | "(empty)" => String::new(),
                    "T" => "true".to_owned(),
                    "F" => "false".to_owned(),
                    other => other.replace("\\x2c", ","),
                };
                ((*name).to_owned(), value)
            })
            .collect();
        (ends(&fields), fields)
    };
    lines.lines().filter(|line| !line.starts_with('#')).map(record).collect()
}

fn ends(fields: &Fields) -> String {
    format!(
        "{}:{} {}:{}",
        fields["id.orig_h"], fields["id.orig_p"], fields["id.resp_h"], fields["id.resp_p"]
    )
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(text).collect::<Vec<_>>().join(","),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

fn folders(dir: &Path) -> Vec<PathBuf> {
    let mut found = vec![dir.to_owned()];
    let mut at = 0;
    while let Some(dir) = found.get(at).cloned() {
        at += 1;
        let inside = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
        found.extend(inside.filter(|path| path.is_dir()));
    }
    found.sort();
    found
}

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

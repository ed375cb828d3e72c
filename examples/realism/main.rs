//! Holds a generated capture against real ones: `cargo run --release --example realism --
//! SYNTH.pcap DIR` prints, for each of a dozen statistics of the first order, its value in the one
//! and its range in those of DIR that have at least fifty connections in more than a minute. With
//! `--svg FILE` it draws them too.

mod plot;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Parser;
use serde_json::Value;
use wormwatch::cli::{Engine, Replay};
use wormwatch::config::Config;
use wormwatch::engine::ReplayEngine;

/// Compares a generated capture with real ones.
#[derive(Parser)]
struct Arguments {
    /// The generated capture.
    synth: PathBuf,
    /// The folder of real captures.
    real: PathBuf,
    /// Draw the comparison into this file.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

/// Fewer connections show nothing.
const FEWEST: usize = 50;
/// Nor does less time, in seconds.
const SHORTEST: f64 = 60.0;
/// How long a window for distinct peers is, in seconds.
const WINDOW: f64 = 600.0;
/// States of a connection that was not let in (Zeek's names).
const FAILED: [&str; 6] = ["S0", "REJ", "RSTOS0", "RSTRH", "SH", "SHR"];
/// States of one that ended in a reset.
const RESET: [&str; 2] = ["RSTO", "RSTR"];

type Statistics = BTreeMap<&'static str, f64>;

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let synth = statistics(&arguments.synth)?.context("too few connections in too little time")?;
    let mut real: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    let mut captures = 0;
    let mut files: Vec<_> = std::fs::read_dir(&arguments.real)
        .with_context(|| format!("cannot read {}", arguments.real.display()))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.is_file() && path.extension().is_none_or(|end| end != "toml"))
        .collect();
    files.sort();
    for file in files {
        // Test captures of parsers are broken on purpose; what cannot be read shows nothing.
        let Ok(Some(statistics)) = statistics(&file) else { continue };
        captures += 1;
        for (name, value) in statistics {
            real.entry(name).or_default().push(value);
        }
    }
    let mut table = format!("{captures} real captures\n\n");
    table.push_str("| statistic | generated | real: least | median | most | |\n");
    table.push_str("| --- | --: | --: | --: | --: | --- |\n");
    for (name, value) in &synth {
        let Some(range) = real.get_mut(name) else { continue };
        range.sort_by(f64::total_cmp);
        let (least, most) = (quantile(range, 0.0), quantile(range, 1.0));
        let is_in = (least..=most).contains(value);
        let verdict = if is_in { "in range" } else { "**outside**" };
        let median = quantile(range, 0.5);
        table.push_str(&format!(
            "| {name} | {value:.3} | {least:.3} | {median:.3} | {most:.3} | {verdict} |\n"
        ));
    }
    if let Some(file) = arguments.svg {
        let row = |(name, generated): (&&'static str, &f64)| {
            let real = real.get(name)?;
            Some(plot::Row { name, generated: *generated, real })
        };
        let rows: Vec<_> = synth.iter().filter_map(row).collect();
        std::fs::write(&file, plot::draw(&rows)?)
            .with_context(|| format!("cannot write {}", file.display()))?;
    }
    std::io::Write::write_all(&mut std::io::stdout(), table.as_bytes())?;
    Ok(())
}

/// What a capture's connections look like; `None` if there are too few.
fn statistics(capture: &Path) -> anyhow::Result<Option<Statistics>> {
    let folder = tempfile::tempdir()?;
    let inputs = [capture.to_owned()];
    let request = Replay {
        inputs: &inputs,
        threads: 1,
        events: Some(folder.path()),
        listener: None,
        progress: &|_| {},
    };
    ReplayEngine
        .replay(&Config::default(), &request)
        .map_err(|error| anyhow::anyhow!("{}: {error}", capture.display()))?;
    let connections = records(&folder.path().join("conn.log"));
    let answers = records(&folder.path().join("dns.log"));
    Ok(of_connections(&connections, &answers))
}

fn records(log: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

fn number(record: &Value, key: &str) -> f64 {
    record.get(key).and_then(Value::as_f64).unwrap_or(0.0)
}

fn word<'a>(record: &'a Value, key: &str) -> &'a str {
    record.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn of_connections(connections: &[Value], answers: &[Value]) -> Option<Statistics> {
    let tcp: Vec<_> = connections.iter().filter(|record| word(record, "proto") == "tcp").collect();
    let mut times: Vec<f64> = connections.iter().map(|record| number(record, "ts")).collect();
    times.sort_by(f64::total_cmp);
    let span = times.last()? - times.first()?;
    if connections.len() < FEWEST || tcp.len() < FEWEST / 2 || span <= SHORTEST {
        return None;
    }
    let mut by_host: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    let mut peers: BTreeMap<(&str, i64), BTreeSet<&str>> = BTreeMap::new();
    for record in connections {
        let (host, ts) = (word(record, "id.orig_h"), number(record, "ts"));
        by_host.entry(host).or_default().push(ts);
        let window = (ts / WINDOW) as i64;
        peers.entry((host, window)).or_default().insert(word(record, "id.resp_h"));
    }
    let (mut paces, mut gaps) = (Vec::new(), Vec::new());
    for times in by_host.values_mut().filter(|times| times.len() >= 5) {
        times.sort_by(f64::total_cmp);
        let first_to_last = times.last()? - times.first()?;
        paces.push(times.len() as f64 / first_to_last.max(60.0) * 3600.0);
        gaps.extend(times.windows(2).filter_map(|pair| Some(pair.get(1)? - pair.first()?)));
    }
    let share = |part: usize, whole: usize| part as f64 / whole.max(1) as f64;
    let with_state = |states: &[&str]| {
        let those = tcp.iter().filter(|record| states.contains(&word(record, "conn_state")));
        share(those.count(), tcp.len())
    };
    let of_tcp = |key: &str| -> Vec<f64> {
        let answered = tcp.iter().filter(|record| number(record, "resp_bytes") > 0.0);
        answered.map(|record| number(record, key)).collect()
    };
    let sum = |keys: [&str; 2]| -> f64 {
        connections.iter().map(|record| number(record, keys[0]) + number(record, keys[1])).sum()
    };
    let with = |wanted: fn(&Value) -> bool| {
        share(connections.iter().filter(|record| wanted(record)).count(), connections.len())
    };
    let packets = sum(["orig_pkts", "resp_pkts"]);
    let mut received = of_tcp("resp_bytes");
    let typical = median(&mut received).max(1.0);
    let mut all = Statistics::from([
        ("connections per host and hour", median(&mut paces)),
        (
            "distinct peers in 10 min",
            median(&mut peers.values().map(|peers| peers.len() as f64).collect::<Vec<_>>()),
        ),
        ("failed share of TCP", with_state(&FAILED)),
        ("reset share of TCP", with_state(&RESET)),
        ("duration of TCP, s", median(&mut of_tcp("duration"))),
        ("bytes sent", median(&mut of_tcp("orig_bytes"))),
        ("bytes received", typical),
        ("bytes received, 99th percentile to median", quantile(&received, 0.99) / typical),
        ("packets per connection", packets / connections.len() as f64),
        ("bytes per packet", sum(["orig_ip_bytes", "resp_ip_bytes"]) / packets.max(1.0)),
        ("UDP share", with(|record| word(record, "proto") == "udp")),
        ("DNS share", with(|record| number(record, "id.resp_p") == 53.0)),
        ("gap between a host's connections, s", median(&mut gaps)),
    ]);
    let answered: Vec<_> = answers.iter().filter(|record| record.get("rcode").is_some()).collect();
    if answered.len() >= 20 {
        let missing = answered.iter().filter(|record| number(record, "rcode") == 3.0).count();
        all.insert("names that do not exist", share(missing, answered.len()));
    }
    Some(all)
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    quantile(values, 0.5)
}

/// A quantile of sorted values; 0 if there are none.
fn quantile(values: &[f64], share: f64) -> f64 {
    let last = values.len().saturating_sub(1);
    values.get((last as f64 * share) as usize).copied().unwrap_or(0.0)
}

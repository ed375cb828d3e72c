//! Who infected whom, on the project's own captures and on real ones.

#![allow(
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test says what it skips, and fails"
)]

mod common;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use wormwatch::cli::{Engine, Replay};
use wormwatch::config::Config;
use wormwatch::engine::ReplayEngine;
use wormwatch::incident::{Infection, Summary};

type Edges = BTreeSet<(IpAddr, IpAddr)>;

fn replay(capture: &Path) -> Summary {
    let inputs = [capture.to_owned()];
    let replay =
        Replay { inputs: &inputs, threads: 1, events: None, progress: &|_| {}, listener: None };
    ReplayEngine.replay(&Config::default(), &replay).unwrap()
}

/// The infections that are likelier than not.
fn claimed(summary: &Summary) -> Vec<&Infection> {
    summary.infections.iter().filter(|found| found.is_likely()).collect()
}

fn edges(summary: &Summary) -> Edges {
    claimed(summary).iter().map(|found| (found.from, found.to)).collect()
}

/// What the truth beside a capture says: whether all is benign, and who infected whom.
fn truth(capture: &Path) -> (bool, Edges) {
    let text = std::fs::read_to_string(format!("{}.truth.toml", capture.display())).unwrap();
    let truth: toml::Table = text.parse().unwrap();
    let addr = |edge: &toml::Value, end: &str| edge[end].as_str().unwrap().parse().unwrap();
    let infections = truth.get("infection").and_then(toml::Value::as_array);
    let edges = infections.into_iter().flatten().map(|edge| (addr(edge, "from"), addr(edge, "to")));
    (truth.get("benign").and_then(toml::Value::as_bool) == Some(true), edges.collect())
}

fn fixtures() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let captures = std::fs::read_dir(folder).unwrap().flatten();
    let captures = captures.map(|entry| entry.path().join("capture.pcap.zst"));
    let mut captures: Vec<_> = captures.filter(|capture| capture.exists()).collect();
    captures.sort();
    captures
}

/// Those who infected and were not infected.
fn origins(edges: &Edges) -> BTreeSet<IpAddr> {
    let infected: BTreeSet<_> = edges.iter().map(|(_, to)| *to).collect();
    edges.iter().map(|(from, _)| *from).filter(|from| !infected.contains(from)).collect()
}

#[test]
fn worms_are_told_edge_by_edge_and_healthy_networks_have_none() {
    let (mut real, mut told, mut right) = (0, 0, 0);
    let mut wrong_origins = Vec::new();
    for capture in fixtures() {
        let (benign, truth) = truth(&capture);
        let summary = replay(&capture);
        let found = edges(&summary);
        let name = capture.parent().unwrap().file_name().unwrap().to_string_lossy().into_owned();
        if benign {
            assert_eq!(found, Edges::new(), "{name}");
            continue;
        }
        let hit = found.intersection(&truth).count();
        if !truth.is_empty() {
            println!(
                "{name}: {} infections, {} told, {hit} of them right",
                truth.len(),
                found.len()
            );
            let zero: BTreeSet<_> = summary
                .incidents
                .iter()
                .flat_map(|incident| &incident.patient_zero)
                .copied()
                .collect();
            if zero != origins(&truth) {
                wrong_origins.push(name);
            }
        }
        real += truth.len();
        told += found.len();
        right += hit;
    }

    println!("{real} infections, {told} told, {right} of them right");
    assert!(right * 100 >= told * 95, "precision: {right} of {told}");
    assert!(right * 10 >= real * 9, "recall: {right} of {real}");
    assert_eq!(wrong_origins, Vec::<String>::new());
}

fn corpus() -> Option<PathBuf> {
    let corpus = common::corpus();
    if corpus.is_none() {
        println!("skipped: no corpus");
    }
    corpus
}

#[test]
fn wannacry_goes_from_the_right_host_to_the_right_host() {
    let Some(corpus) = corpus() else { return };

    let summary = replay(&corpus.join("worm/0xl3x1.zeek-EternalSafety__wannacry.pcap"));

    let [infection] = claimed(&summary).try_into().unwrap();
    let ends = (infection.from.to_string(), infection.to.to_string());
    assert_eq!(ends, ("192.168.116.149".to_owned(), "192.168.116.138".to_owned()));
    // The end of the exchange that carried five megabytes.
    assert!(infection.at.to_string().starts_with("2017-05-18T08:13:05"), "{}", infection.at);
    let [incident] = summary.incidents.as_slice() else { panic!("{:?}", summary.incidents) };
    assert_eq!(incident.patient_zero, [infection.from]);
    assert_eq!((incident.hosts, incident.generations), (2, 1));
    // The victim went on: a third host got the same five megabytes, and the capture ends.
    let next = summary.infections.iter().find(|found| found.generation == 2).unwrap();
    assert_eq!((next.from, next.to.to_string()), (infection.to, "192.168.116.172".to_owned()));
}

#[test]
fn real_healthy_networks_have_no_infections() {
    let Some(corpus) = corpus() else { return };
    let mut seen = 0;
    for entry in std::fs::read_dir(corpus.join("benign")).unwrap().flatten() {
        let capture = entry.path();
        if capture.to_string_lossy().ends_with(".truth.toml") {
            continue;
        }
        seen += 1;
        assert_eq!(edges(&replay(&capture)), Edges::new(), "{}", capture.display());
    }
    assert!(seen > 500, "{seen}");
}

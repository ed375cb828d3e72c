//! The worms in `fixtures/`, stopped when a third of their infections have happened: nothing that
//! they do later crosses the cuts that `contain` advises.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test says what it saw, and fails")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use serde::Deserialize;
use wormwatch::cli::{Engine, Replay};
use wormwatch::config::Config;
use wormwatch::contain::Plan;
use wormwatch::engine::ReplayEngine;
use wormwatch::eval::{self, TrueInfection};
use wormwatch::event::{Body, Event, Outcome};
use wormwatch::incident::{Incident, Infection, Summary};
use wormwatch::inventory::{Inventory, Networks};
use wormwatch::net::Service;
use wormwatch::synth::scenario::worm_file::Way;
use wormwatch::time::Timestamp;

#[derive(Deserialize)]
struct Truth {
    #[serde(default, rename = "infection")]
    infections: Vec<Labelled>,
}

#[derive(Deserialize)]
struct Labelled {
    worm: String,
    way: Way,
}

/// Every fixture with infections, and its truth.
fn fixtures() -> Vec<(PathBuf, PathBuf)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let mut found = eval::find(&folder).unwrap();
    found.retain(|(_, truth)| !eval::Truth::load(truth).unwrap().infections.is_empty());
    found
}

/// The true infections by each worm of a fixture, in order of time.
fn worms(path: &Path) -> Vec<Vec<Infection>> {
    let known = eval::Truth::load(path).unwrap().infections;
    let labels: Truth = toml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let as_found = |(known, label): (&TrueInfection, &Labelled)| Infection {
        from: known.from,
        to: known.to,
        at: known.moment().unwrap(),
        confidence: 1.0,
        generation: 1,
        service: Some(Service::tcp(label.way.port())),
        incident: label.worm.clone(),
        reasons: Vec::new(),
        runner_up: None,
    };
    let mut all: Vec<_> = known.iter().zip(&labels.infections).map(as_found).collect();
    all.sort_by_key(|infection| infection.at);
    let names: BTreeSet<_> = all.iter().map(|infection| infection.incident.clone()).collect();
    let of = |name: &String| all.iter().filter(|of| of.incident == *name).cloned().collect();
    names.iter().map(of).collect()
}

/// The incident that somebody would know who saw these infections and no more.
fn incident(infections: &[Infection]) -> Incident {
    let first = infections.first().unwrap();
    let victims: BTreeSet<_> = infections.iter().map(|infection| infection.to).collect();
    let intruders: BTreeSet<_> = infections.iter().map(|infection| infection.from).collect();
    Incident {
        id: first.incident.clone(),
        since: first.at,
        updated: infections.last().unwrap().at,
        patient_zero: intruders.difference(&victims).copied().collect(),
        origin: wormwatch::incident::Origin::Inside,
        hosts: intruders.union(&victims).count() as u64,
        generations: 1,
        reproduction_number: 1.0,
        reproduction_interval: (0.0, 9.0),
        doubling_time: None,
        exposed: Vec::new(),
    }
}

/// What a capture shows before and after a moment: who had business with whom, and who was let in
/// later.
fn replayed(capture: &Path, moment: Timestamp) -> (Inventory, Vec<Event>) {
    let seen = Mutex::new((Inventory::default(), Vec::new()));
    let inputs = [capture.to_owned()];
    let listener = |event: &Event| {
        let (inventory, later) = &mut *seen.lock().unwrap();
        if event.ts <= moment {
            inventory.on_event(event);
        } else if matches!(&event.body, Body::Contact(c) if c.outcome == Some(Outcome::Accepted)) {
            later.push(event.clone());
        }
    };
    let request = Replay {
        inputs: &inputs,
        threads: 1,
        events: None,
        progress: &|_| {},
        listener: Some(&listener),
    };
    ReplayEngine.replay(&Config::default(), &request).unwrap();
    seen.into_inner().unwrap()
}

#[test]
fn nothing_that_a_worm_does_later_crosses_the_cuts() {
    let mut manners = BTreeSet::new();
    for (capture, truth) in fixtures() {
        for infections in worms(&truth) {
            let (past, later) = infections.split_at(infections.len().div_ceil(3));
            let incident = incident(past);
            let (inventory, remaining) = replayed(&capture, incident.updated);
            let summary = Summary {
                infections: past.to_vec(),
                traffic: inventory.traffic().listed(),
                traffic_forgotten: inventory.traffic().evicted(),
                ..Summary::default()
            };
            let home = Networks::private();

            let plan = Plan::new(&incident, &summary, &home);

            let name = capture.parent().unwrap().file_name().unwrap().to_string_lossy();
            let name = format!("{name}, {}", incident.id);
            let nothing_done = Plan { cuts: Vec::new(), ..plan.clone() };
            let would_have = nothing_done.crossing(later).len();
            let kinds: BTreeSet<_> = plan.cuts.iter().map(|cut| cut.rule.kind()).collect();
            println!(
                "{name}: {} suspects, novelty {:.2}, {} cuts {kinds:?}, {} connections of {}; {would_have} \
                 infections stopped",
                plan.spread.suspects.len(),
                plan.spread.novelty(),
                plan.cuts.len(),
                plan.connections,
                summary.traffic.iter().map(|of| of.connections).sum::<u64>(),
            );
            manners.extend(kinds);
            assert!(would_have > 0, "{name}: nothing was left to stop");
            assert_eq!(plan.crossing(later), Vec::<&Infection>::new(), "{name}");
            assert_eq!(reached(&plan, &remaining), Vec::<String>::new(), "{name}");
            assert!(plan.is_exact(), "{name}");
        }
    }
    assert!(manners.contains("isolate") && manners.len() > 1, "{manners:?}");
}

/// Calls in the rest of the capture by which a suspect still reaches somebody clean in a way that
/// the incident may take, and calls between others that are stopped.
fn reached(plan: &Plan, remaining: &[Event]) -> Vec<String> {
    let mut wrong = Vec::new();
    let talks = remaining.iter().filter_map(|event| event.conversation.as_ref());
    for talk in talks {
        let (client, server, service) = (talk.client.addr, talk.server.addr, talk.service());
        let [calls, is_called] = [client, server].map(|host| plan.spread.suspects.contains(&host));
        let is_way = !plan.spread.is_predictable() || plan.spread.services.contains_key(&service);
        let is_clean = plan.home.contains(server) && !is_called;
        let is_stopped = plan.stops(client, server, service);
        if calls && is_clean && is_way && !is_stopped {
            wrong.push(format!("{client} reaches {server} over {service}"));
        }
        if !calls && !is_called && is_stopped {
            wrong.push(format!("{client} is kept from {server} over {service}"));
        }
    }
    wrong
}

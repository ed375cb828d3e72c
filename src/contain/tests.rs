//! Incidents made by hand, and what to cut; small ones against every set of cuts that there is.

use std::collections::BTreeSet;
use std::net::IpAddr;

use proptest::prelude::*;

use super::*;
use crate::incident::{Exposed, Incident, Infection, Summary, Traffic};
use crate::inventory::Networks;
use crate::net::Service;
use crate::time::Timestamp;

const SMB: Service = Service::tcp(445);
const SSH: Service = Service::tcp(22);
const WEB: Service = Service::tcp(443);

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn infection(from: &str, to: &str, service: Option<Service>) -> Infection {
    Infection {
        from: ip(from),
        to: ip(to),
        at: Timestamp::from_secs(1),
        confidence: 0.9,
        generation: 1,
        service,
        incident: "a".to_owned(),
        reasons: Vec::new(),
        runner_up: None,
    }
}

fn incident(patient_zero: &[&str]) -> Incident {
    Incident {
        id: "a".to_owned(),
        since: Timestamp::EPOCH,
        updated: Timestamp::EPOCH,
        patient_zero: patient_zero.iter().map(|host| ip(host)).collect(),
        origin: crate::incident::Origin::Inside,
        hosts: 0,
        generations: 0,
        reproduction_number: 0.0,
        reproduction_interval: (0.0, 0.0),
        doubling_time: None,
        exposed: Vec::new(),
    }
}

fn traffic(client: &str, server: &str, service: Service, connections: u64) -> Traffic {
    let last = Timestamp::from_secs(1);
    Traffic { client: ip(client), server: ip(server), service, connections, last }
}

/// Patient zero has infected `victims` hosts, 10.0.0.1 and up, over `service`.
fn outbreak(zero: &str, victims: u8, service: Service) -> (Incident, Summary) {
    let infections =
        (1..=victims).map(|n| infection(zero, &format!("10.0.0.{n}"), Some(service))).collect();
    (incident(&[zero]), Summary { infections, ..Summary::default() })
}

fn planned((incident, summary): &(Incident, Summary)) -> Plan {
    Plan::new(incident, summary, &Networks::private())
}

fn rules(plan: &Plan) -> Vec<Rule> {
    plan.cuts.iter().map(|cut| cut.rule).collect()
}

#[test]
fn shields_the_few_servers_from_the_many_suspects() {
    let mut story = outbreak("10.0.0.100", 8, SMB);
    story.1.traffic = vec![
        traffic("10.0.0.77", "10.0.1.1", SMB, 500),
        traffic("10.0.0.1", "10.0.1.1", SMB, 20),
        traffic("10.0.0.2", "203.0.113.9", WEB, 900),
        traffic("10.0.0.3", "10.0.0.4", SMB, 70),
    ];
    story.0.exposed.push(Exposed {
        host: ip("10.0.1.2"),
        from: ip("10.0.0.1"),
        service: SMB,
        contacted: false,
    });

    let plan = planned(&story);

    let expected = [
        Rule::Shield(ip("10.0.1.1"), SMB),
        Rule::Shield(ip("10.0.1.2"), SMB),
        Rule::ShieldRest(SMB, Family::V4),
    ];
    assert_eq!(rules(&plan), expected);
    assert_eq!((plan.connections, plan.price), (20, 23));
    assert!(plan.is_exact());
    assert!(plan.stops(ip("10.0.0.1"), ip("10.0.1.1"), SMB));
    assert!(plan.stops(ip("10.0.0.1"), ip("10.0.9.9"), SMB), "never seen, and safe all the same");
    assert!(!plan.stops(ip("10.0.0.77"), ip("10.0.1.1"), SMB), "the clean go on working");
    assert!(!plan.stops(ip("10.0.0.2"), ip("203.0.113.9"), WEB));
}

#[test]
fn blocks_the_few_suspects_among_many_servers() {
    let mut story = outbreak("10.0.0.100", 1, SSH);
    story.1.infections = vec![infection("10.0.0.100", "10.0.0.1", Some(SSH)); 6];
    story.1.traffic =
        (1..=9).map(|n| traffic("10.0.0.77", &format!("10.0.1.{n}"), SSH, 3)).collect();

    let plan = planned(&story);

    let expected = [Rule::Block(ip("10.0.0.1"), SSH), Rule::Block(ip("10.0.0.100"), SSH)];
    assert_eq!(rules(&plan), expected);
    assert_eq!((plan.connections, plan.price), (0, 2));
}

#[test]
fn isolates_all_where_any_service_may_be_next() {
    let mut story = outbreak("203.0.113.66", 3, SMB);
    story.1.infections.push(infection("10.0.0.3", "10.0.0.4", Some(SSH)));
    story.1.traffic = vec![
        traffic("10.0.0.1", "203.0.113.9", WEB, 40),
        traffic("10.0.0.77", "10.0.0.1", SSH, 2),
        traffic("10.0.0.1", "10.0.0.2", SMB, 9),
    ];

    let plan = planned(&story);

    let mut expected: Vec<_> =
        (1..=4).map(|n| Rule::Isolate(IpAddr::from([10, 0, 0, n]))).collect();
    expected.push(Rule::Bar(ip("203.0.113.66")));
    assert_eq!(rules(&plan), expected);
    assert_eq!((plan.cuts[0].connections, plan.connections), (42, 42));
}

#[test]
fn whoever_is_more_likely_healthy_is_no_suspect() {
    let mut story = outbreak("10.0.0.100", 6, SMB);
    story.1.infections[5].confidence = 0.4;
    story.1.infections.push(Infection {
        incident: "b".to_owned(),
        ..infection("10.0.0.1", "10.0.0.50", Some(SMB))
    });

    let plan = planned(&story);

    assert_eq!(plan.spread.suspects.len(), 6);
    assert!(!plan.spread.suspects.contains(&ip("10.0.0.6")));
}

#[test]
fn says_when_forgotten_traffic_makes_prices_doubtful() {
    let mut story = outbreak("10.0.0.100", 6, SMB);
    story.1.traffic_forgotten = 3;

    assert!(!planned(&story).is_exact());
}

#[test]
fn an_infection_that_was_stopped_has_no_heirs() {
    let plan = planned(&outbreak("10.0.0.100", 6, SMB));
    let later = [
        infection("10.0.0.1", "10.0.0.20", Some(SMB)),
        infection("10.0.0.20", "10.0.0.21", Some(SMB)),
        infection("10.0.0.2", "10.0.0.3", Some(SMB)),
        infection("10.0.0.2", "10.0.0.22", Some(SSH)),
        infection("10.0.0.22", "10.0.0.23", Some(SMB)),
        infection("10.0.0.2", "10.0.0.24", None),
        infection("10.0.0.99", "10.0.0.25", Some(SMB)),
    ];

    let crossing: Vec<_> =
        plan.crossing(&later).into_iter().map(|infection| infection.to.to_string()).collect();

    assert_eq!(crossing, ["10.0.0.22", "10.0.0.23", "10.0.0.24"]);
}

/// Suspects, clean hosts and an outsider of the small worlds below.
const SUSPECTS: [&str; 2] = ["10.0.0.1", "10.0.0.2"];
const CLEAN: [&str; 2] = ["10.0.1.1", "10.0.1.2"];
const OUTSIDER: &str = "203.0.113.9";
const SERVICES: [Service; 2] = [SMB, SSH];

/// Both suspects are known, and so is that only the two services are used; the traffic is whatever.
fn small_world(flows: &[(usize, usize, bool, u64)]) -> (Incident, Summary) {
    let [zero, victim] = SUSPECTS;
    let through = |service, times| vec![infection(zero, victim, Some(service)); times];
    let hosts = [SUSPECTS.as_slice(), &CLEAN, &[OUTSIDER]].concat();
    let as_traffic = |(client, server, is_ssh, connections): &(usize, usize, bool, u64)| {
        let service = SERVICES[usize::from(*is_ssh)];
        traffic(hosts[*client], hosts[*server], service, *connections)
    };
    let summary = Summary {
        infections: [through(SMB, 12), through(SSH, 6)].concat(),
        traffic: flows.iter().filter(|flow| flow.0 != flow.1).map(as_traffic).collect(),
        ..Summary::default()
    };
    (incident(&[zero]), summary)
}

/// The least that a set of rules costs that leaves nothing open, by trying all 4096.
fn by_force(summary: &Summary) -> u64 {
    let suspects = SUSPECTS.map(ip);
    let mut universe: Vec<_> = suspects.map(Rule::Isolate).to_vec();
    for service in SERVICES {
        universe.extend(suspects.map(|host| Rule::Block(host, service)));
        universe.extend(CLEAN.map(|host| Rule::Shield(ip(host), service)));
        universe.push(Rule::ShieldRest(service, Family::V4));
    }
    let offers =
        |host, service| summary.traffic.iter().any(|of| of.server == host && of.service == service);
    let price = |rule: &Rule| {
        let hurt = summary.traffic.iter().filter(|of| {
            let ends = [of.client, of.server].map(|end| suspects.contains(&end));
            let crosses = ends[0] != ends[1];
            crosses
                && match *rule {
                    Rule::Isolate(host) => of.client == host || of.server == host,
                    Rule::Block(host, service) => of.client == host && of.service == service,
                    Rule::Shield(host, service) => {
                        ends[0] && of.server == host && of.service == service
                    }
                    _ => false,
                }
        });
        1 + hurt.map(|of| of.connections).sum::<u64>()
    };
    let is_closed = |held: &BTreeSet<Rule>| {
        SERVICES.iter().all(|&service| {
            let targets = CLEAN.map(ip).into_iter().chain([ip("10.0.9.9")]);
            targets.into_iter().all(|target| {
                let shield = if offers(target, service) {
                    Rule::Shield(target, service)
                } else {
                    Rule::ShieldRest(service, Family::V4)
                };
                held.contains(&shield)
                    || suspects.iter().all(|&host| {
                        held.contains(&Rule::Isolate(host))
                            || held.contains(&Rule::Block(host, service))
                    })
            })
        })
    };
    let sets = (0..1usize << universe.len()).map(|set| -> BTreeSet<Rule> {
        let chosen = universe.iter().enumerate().filter(|(rule, _)| set >> rule & 1 == 1);
        chosen.map(|(_, rule)| *rule).collect()
    });
    sets.filter(is_closed).map(|set| set.iter().map(price).sum()).min().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn nothing_cheaper_keeps_suspects_from_the_clean(
        flows in proptest::collection::vec((0usize..5, 0usize..5, any::<bool>(), 1u64..9), 0..12),
    ) {
        let story = small_world(&flows);

        let plan = planned(&story);

        prop_assert_eq!(plan.price, by_force(&story.1));
        prop_assert!(plan.connections <= plan.price);
        for suspect in SUSPECTS.map(ip) {
            for target in CLEAN.map(ip).into_iter().chain([ip("10.0.9.9")]) {
                prop_assert!(SERVICES.iter().all(|service| plan.stops(suspect, target, *service)));
            }
        }
    }
}

//! Everyday traffic that all detectors together must leave alone.

mod clients;
mod machines;
mod servers;

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::testing::{icmp, ip, is_at, ping, tcp, udp, who_has};
use super::{DetectConfig, Detector, Evidence, Sight, all};
use crate::event::{Event, Opening};
use crate::inventory::Inventory;

/// All detectors over one story, in order of time.
fn watch(mut events: Vec<Event>) -> Vec<Evidence> {
    events.sort_by_key(|event| event.ts);
    let mut inventory = Inventory::default();
    let mut detectors: Vec<Box<dyn Detector>> = all(&DetectConfig::default());
    let mut said = Vec::new();
    for event in &events {
        for detector in &mut detectors {
            detector.on_event(&Sight::new(event, &inventory), &inventory, &mut said);
        }
        inventory.on_event(event);
    }
    said
}

/// The sum of the latest weights of a host, as a score would begin.
fn weight(said: &[Evidence], host: &str) -> f64 {
    let mut latest = BTreeMap::new();
    for evidence in said.iter().filter(|evidence| evidence.host == ip(host)) {
        latest.insert((evidence.detector, &evidence.subject), evidence.llr);
    }
    latest.values().sum()
}

fn outsider(n: u32) -> String {
    format!("{}.{}.{}.9", 20 + n % 190, n % 251, n / 190)
}

#[test]
fn a_resolver_whose_servers_do_not_all_answer() {
    let said = watch(
        (0..2000)
            .flat_map(|n| {
                let at = f64::from(n) * 0.2;
                let asked = udp("10.0.0.53", &outsider(n), 53).at(at);
                let client = format!("10.0.1.{}", n % 40 + 1);
                [
                    udp(&client, "10.0.0.53", 53).at(at).accepted(),
                    if n % 6 == 0 { asked.unanswered() } else { asked.accepted() },
                    udp("10.0.0.53", &format!("2001:db8:{n:x}::53"), 53).at(at).unanswered(),
                ]
            })
            .collect(),
    );

    assert!(said.is_empty(), "{said:#?}");
}

#[test]
fn a_mail_server_whose_recipients_are_partly_gone() {
    let said = watch(
        (0..600)
            .map(|n| {
                let talk = tcp("10.0.0.25", &outsider(n), 25).at(f64::from(n) * 5.0);
                if n % 5 == 0 { talk.unanswered() } else { talk.accepted() }
            })
            .collect(),
    );

    assert!(said.is_empty(), "{said:#?}");
}

#[test]
fn a_browser_that_opens_a_page_with_sixty_hosts() {
    let said = watch(
        (0..60)
            .flat_map(|n| {
                let at = f64::from(n) * 0.01;
                let quic = udp("10.0.0.7", &outsider(n), 443).at(at);
                (0..6)
                    .map(|k| {
                        let talk =
                            tcp("10.0.0.7", &outsider(n), 443).client_port(50_000 + k).at(at);
                        if n % 10 == 3 { talk.unanswered() } else { talk.accepted() }
                    })
                    .chain([if n % 3 == 0 { quic.unanswered() } else { quic.accepted() }])
                    .collect::<Vec<_>>()
            })
            .collect(),
    );

    assert!(said.is_empty(), "{said:#?}");
}

#[test]
fn a_monitor_in_its_first_and_in_its_hundredth_round() {
    let said = watch(
        (0..100)
            .flat_map(|round| {
                (1..=120).flat_map(move |n| {
                    let host = format!("10.0.3.{n}");
                    let at = f64::from(round) * 300.0 + f64::from(n) * 0.1;
                    let is_down = n % 15 == 0;
                    [
                        ping("10.0.0.9", &host).at(at),
                        tcp("10.0.0.9", &host, 22).at(at + 0.01),
                        udp("10.0.0.9", &host, 161).at(at + 0.02),
                    ]
                    .map(|talk| if is_down { talk.unanswered() } else { talk.accepted() })
                })
            })
            .collect(),
    );

    assert!(weight(&said, "10.0.0.9") < 5.5, "{said:#?}");
}

#[test]
fn a_dhcp_server_and_a_file_server_that_ask_back() {
    let said = watch(
        (1..=80)
            .flat_map(|n| {
                let client = format!("10.0.0.{n}");
                let at = f64::from(n) * 3.0;
                [
                    udp("10.0.0.254", &client, 68).client_port(67).at(at).unanswered(),
                    udp("10.0.0.253", &client, 137).client_port(137).at(at).unanswered(),
                    tcp(&client, "10.0.0.253", 445).at(at).accepted(),
                ]
            })
            .collect(),
    );

    assert!(said.is_empty(), "{said:#?}");
}

#[test]
fn a_device_whose_cloud_is_down() {
    let said = watch(
        (0..5000)
            .map(|n| {
                let cloud = format!("203.0.113.{}", n % 4 + 1);
                tcp("10.0.0.44", &cloud, 8883).at(f64::from(n) * 20.0).unanswered()
            })
            .collect(),
    );

    assert!(said.is_empty(), "{said:#?}");
}

#[test]
fn an_office_whose_uplink_fails() {
    let mut story: Vec<Event> =
        (0..50).map(|n| tcp("10.0.0.7", &outsider(n), 443).at(f64::from(n)).accepted()).collect();
    story.extend((0..150u32).map(|n| {
        let host = format!("10.0.0.{}", n % 3 + 7);
        tcp(&host, &outsider(100 + n), 443).at(1000.0 + f64::from(n)).unanswered()
    }));

    let said = watch(story);

    for host in ["10.0.0.7", "10.0.0.8", "10.0.0.9"] {
        assert!(weight(&said, host) < 5.0, "{said:#?}");
    }
}

#[test]
fn a_day_of_backscatter() {
    let said = watch(
        (0..3000)
            .flat_map(|n| {
                let victim = outsider(n % 7);
                let telescope = format!("10.9.{}.{}", n / 250 % 250, n % 250);
                let at = f64::from(n) * 28.0;
                [
                    tcp(&telescope, &victim, 80).opening(Opening::SynAck).at(at).backscatter(),
                    tcp(&victim, &telescope, 40_000).opening(Opening::Rst).at(at).cut_off(1.0),
                    icmp(at, &victim, &telescope, 3),
                ]
            })
            .collect(),
    );

    assert!(said.is_empty(), "{said:#?}");
}

#[test]
fn peers_that_come_and_go_both_ways() {
    let said = watch(
        (0..1500)
            .flat_map(|n| {
                let at = f64::from(n) * 0.4;
                let port = 1025 + (n * 7919 % 60_000) as u16;
                let out = udp("10.0.0.7", &outsider(n), port).client_port(51_413).at(at);
                let inward = udp(&outsider(n * 3), "10.0.0.7", 51_413).client_port(port).at(at);
                [
                    if n % 4 == 0 { out.accepted() } else { out.unanswered() },
                    inward.accepted(),
                    tcp("10.0.0.7", &outsider(n), 6346).at(at).unanswered(),
                    tcp("10.0.0.7", &outsider(n * 5), port).at(at).refused(),
                ]
            })
            .collect(),
    );

    assert!(said.is_empty(), "{said:#?}");
}

#[test]
fn a_tap_that_sees_only_the_clients() {
    let said = watch(
        (0..400)
            .flat_map(|n| {
                let at = f64::from(n);
                let server = format!("10.0.2.{}", n % 200 + 1);
                [
                    tcp("10.0.0.7", &server, 445).at(at).accepted_unseen(),
                    udp("10.0.0.7", &server, 161).at(at + 0.1).unanswered(),
                    ping("10.0.0.7", &server).at(at + 0.2).unanswered(),
                ]
            })
            .collect(),
    );

    assert!(weight(&said, "10.0.0.7") < 5.5, "{said:#?}");
}

#[test]
fn a_subnet_that_wakes_up() {
    let said = watch(
        (1..=100u8)
            .flat_map(|n| {
                let host = format!("10.0.0.{n}");
                let at = f64::from(n) * 2.0;
                [
                    who_has(at, &host, n, &host),
                    who_has(at + 0.1, &host, n, "10.0.0.254"),
                    is_at(at + 0.1, "10.0.0.254", 254, &host),
                    who_has(at + 0.2, "10.0.0.254", 254, &host),
                    udp(&host, "224.0.0.251", 5353).client_port(5353).at(at).unanswered(),
                    udp(&host, "10.0.0.255", 137).client_port(137).at(at).unanswered(),
                    udp(&host, "10.0.0.254", 123).at(at).accepted(),
                ]
            })
            .collect(),
    );

    assert!(said.is_empty(), "{said:#?}");
}

#[test]
fn what_is_said_is_the_same_in_every_run() {
    let story = || {
        (0..400u32)
            .map(|n| {
                let host = format!("10.0.0.{}", n % 9 + 1);
                let talk = tcp(&host, &format!("10.0.1.{}", n % 97), (n % 7 * 100 + 22) as u16);
                talk.at(f64::from(n) * 0.3).refused()
            })
            .collect::<Vec<_>>()
    };

    let (first, second) = (watch(story()), watch(story()));

    assert!(!first.is_empty());
    assert_eq!(format!("{first:?}"), format!("{second:?}"));
    assert!(first.iter().all(|evidence| {
        evidence.peers.len() <= 16 && evidence.conns.len() <= 8 && evidence.llr >= 1.0
    }));
    let hosts: std::collections::BTreeSet<IpAddr> = first.iter().map(|e| e.host).collect();
    for host in hosts {
        let subjects: std::collections::BTreeSet<_> =
            first.iter().filter(|e| e.host == host).map(|e| (e.detector, &e.subject)).collect();
        assert!(subjects.len() <= 48, "{}", subjects.len());
    }
}

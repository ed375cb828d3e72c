//! Scans of the ports of one host.

use super::{EVIL, OUTSIDER, scatter};
use crate::detect::testing::{Talk, judge, tcp, udp};
use crate::event::{Event, Opening};

const VICTIM: &str = "10.0.4.5";

/// The ports that scanners try first.
const TOP: [u16; 20] = [
    80, 23, 443, 21, 22, 25, 3389, 110, 445, 139, 143, 53, 135, 3306, 8080, 1723, 111, 995, 993,
    5900,
];

/// Four of the ports are open, three filtered, and the others closed.
fn mixed(talk: Talk, port: u16) -> Event {
    match port {
        22 | 80 | 443 | 445 => talk.accepted(),
        135..=139 => talk.unanswered(),
        _ => talk.refused(),
    }
}

#[test]
fn twenty_ports_some_open_some_filtered() {
    judge(
        TOP.iter()
            .zip(0..)
            .map(|(port, n)| mixed(tcp(EVIL, VICTIM, *port).at(f64::from(n) * 0.002), *port)),
    )
    .assert_malicious(&[EVIL]);
}

#[test]
fn ten_ports_of_a_host_that_offers_four_of_them() {
    let ports = [21, 22, 23, 25, 80, 110, 139, 443, 445, 3389];
    judge(
        ports
            .iter()
            .zip(0..)
            .map(|(port, n)| mixed(tcp(EVIL, VICTIM, *port).at(f64::from(n) * 0.001), *port)),
    )
    .assert_suspicious(&[EVIL]);
}

#[test]
fn a_port_each_second_in_random_order() {
    judge((0..100).map(|n| {
        let port = (scatter(n) % 1000 + 1) as u16;
        mixed(tcp(EVIL, VICTIM, port).at(f64::from(n)), port)
    }))
    .assert_malicious(&[EVIL]);
}

#[test]
fn a_port_every_five_minutes_from_outside() {
    judge((0..60).map(|n| {
        let port = (scatter(n) % 1000 + 1) as u16;
        tcp(OUTSIDER, VICTIM, port).at(f64::from(n) * 300.0).unanswered()
    }))
    .assert_malicious(&[OUTSIDER]);
}

#[test]
fn acknowledgements_that_belong_to_nothing() {
    let scan = |answer: fn(Talk) -> Event| {
        TOP.iter().zip(0..).map(move |(port, n)| {
            let at = f64::from(n) * 0.001;
            answer(tcp(EVIL, VICTIM, *port).opening(Opening::Ack).client_port(61_000).at(at))
        })
    };

    judge(scan(Talk::refused)).assert_malicious(&[EVIL]);
    judge(scan(|talk| talk.cut_off(5.0))).assert_suspicious(&[EVIL]);
}

#[test]
fn ten_segments_that_no_stack_sends_answered_or_not() {
    for opening in [Opening::Null, Opening::Xmas, Opening::Fin] {
        for answer in [Talk::refused, Talk::unanswered, |talk: Talk| talk.cut_off(0.1)] {
            judge(TOP.iter().take(10).zip(0..).map(|(port, n)| {
                answer(tcp(EVIL, VICTIM, *port).opening(opening).at(f64::from(n) * 0.001))
            }))
            .assert_malicious(&[EVIL]);
        }
    }
}

#[test]
fn datagrams_whose_refusals_come_once_a_second() {
    judge((0..100).map(|n| {
        let talk = udp(EVIL, VICTIM, (scatter(n) % 60_000 + 1) as u16).at(f64::from(n) * 0.05);
        if n % 20 == 0 { talk.refused() } else { talk.unanswered() }
    }))
    .assert_malicious(&[EVIL]);
}

#[test]
fn twenty_well_known_datagram_ports() {
    let ports = [
        53, 67, 68, 69, 123, 135, 137, 138, 139, 161, 162, 445, 500, 514, 520, 631, 1434, 1900,
        4500, 49_152,
    ];
    judge(ports.iter().zip(0..).map(|(port, n)| {
        let talk = udp(EVIL, VICTIM, *port).at(f64::from(n) * 0.4);
        if n == 0 { talk.accepted() } else { talk.unanswered() }
    }))
    .assert_malicious(&[EVIL]);
}

#[test]
fn a_thousand_ports_of_which_the_capture_shows_an_instant() {
    judge((0..1000u16).map(|n| {
        let at = f64::from(n) * 1e-4;
        tcp(EVIL, VICTIM, n + 1).at(at).cut_off(0.1 - at)
    }))
    .assert_malicious(&[EVIL]);
}

#[test]
fn a_hundred_ports_of_an_ipv6_host() {
    judge(
        (1..=100)
            .map(|port| mixed(tcp("fd00::66", "fd00::5", port).at(f64::from(port) * 0.01), port)),
    )
    .assert_malicious(&["fd00::66"]);
}

#[test]
fn a_scan_of_which_only_the_refusals_are_captured() {
    judge((1..=200).map(|port| {
        tcp(EVIL, VICTIM, port).opening(Opening::Rst).at(f64::from(port) * 0.01).backscatter()
    }))
    .assert_malicious(&[EVIL]);
}

#[test]
fn a_scan_of_which_only_the_probes_are_captured() {
    judge(
        (1..=100).map(|port| tcp(OUTSIDER, VICTIM, port).at(f64::from(port) * 0.01).cut_off(2.0)),
    )
    .assert_malicious(&[OUTSIDER]);
}

#[test]
fn every_port_of_eight_hosts() {
    judge((0..1600u32).map(|n| {
        let port = (n % 200 + 1) as u16;
        let host = format!("10.0.4.{}", n / 200 + 1);
        mixed(tcp(EVIL, &host, port).at(f64::from(n) * 0.003), port)
    }))
    .assert_malicious(&[EVIL]);
}

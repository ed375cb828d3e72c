//! Sweeps over hosts, fast and slow, by tools and by worms.

use super::{EVIL, OUTSIDER, scatter};
use crate::detect::testing::{Talk, icmp, is_at, judge, ping, tcp, udp, who_has};
use crate::event::{Event, Opening};

/// Every fourth host is alive; of these half are open.
fn mixed(talk: Talk, n: u32) -> Event {
    match n % 8 {
        0 => talk.accepted(),
        4 => talk.refused(),
        _ => talk.unanswered(),
    }
}

#[test]
fn a_subnet_is_asked_by_ping_and_two_ports() {
    judge((1..=254u32).flat_map(|n| {
        let (at, host) = (f64::from(n) * 0.02, format!("10.0.3.{n}"));
        [
            mixed(ping(EVIL, &host).at(at), n),
            mixed(tcp(EVIL, &host, 443).at(at + 0.1), n),
            mixed(tcp(EVIL, &host, 80).opening(Opening::Ack).at(at + 0.2), n),
        ]
    }))
    .assert_malicious(&[EVIL]);
}

#[test]
fn a_subnet_is_asked_for_by_arp() {
    judge((1..=254u8).flat_map(|n| {
        let (at, host) = (f64::from(n) * 0.005, format!("10.0.0.{n}"));
        let asked = who_has(at, EVIL, 66, &host);
        let answered = is_at(at + 0.001, &host, n, EVIL);
        if n % 8 == 0 { vec![asked, answered] } else { vec![asked] }
    }))
    .assert_malicious(&[EVIL]);
}

#[test]
fn a_slash_sixteen_in_random_order() {
    judge((0..2000).map(|n| {
        let number = scatter(n) % 65_536;
        let host = format!("10.7.{}.{}", number >> 8, number & 255);
        mixed(tcp(EVIL, &host, 445).at(f64::from(n) * 0.001), scatter(n))
    }))
    .assert_malicious(&[EVIL]);
}

#[test]
fn an_outsider_in_random_order_over_our_slash_sixteen() {
    judge((0..300).map(|n| {
        let number = scatter(n) % 65_536;
        let host = format!("10.7.{}.{}", number >> 8, number & 255);
        mixed(tcp(OUTSIDER, &host, 8080).at(f64::from(n) * 3.0), scatter(n))
    }))
    .assert_malicious(&[OUTSIDER]);
}

#[test]
fn single_probes_that_end_with_the_capture() {
    judge((0..400u32).map(|n| {
        let host = format!("10.9.{}.{}", scatter(n) >> 4 & 255, scatter(n) & 255);
        let at = f64::from(n) * 0.0005;
        tcp(OUTSIDER, &host, 80).at(at).cut_off(0.2 - at)
    }))
    .assert_malicious(&[OUTSIDER]);
}

#[test]
fn a_thing_that_looks_for_telnet_all_over_the_internet() {
    judge((0..250u32).map(|n| {
        let host = format!("{}.{}.{}.{}", n % 200 + 11, scatter(n) & 255, n % 251, n % 241 + 1);
        let port = if n % 10 == 0 { 2323 } else { 23 };
        let talk = tcp(EVIL, &host, port).at(f64::from(n) * 0.01);
        match n % 40 {
            0 => talk.accepted(),
            1 => talk.refused(),
            _ => talk.unanswered(),
        }
    }))
    .assert_malicious(&[EVIL]);
}

#[test]
fn a_thing_that_looks_for_three_kinds_of_things() {
    judge((0..90u32).map(|n| {
        let host = format!("{}.{}.{}.{}", n % 200 + 11, scatter(n) & 255, n % 251, n % 241 + 1);
        let port = [37_215, 52_869, 5555][n as usize % 3];
        tcp(EVIL, &host, port).at(f64::from(n) * 0.05).unanswered()
    }))
    .assert_malicious(&[EVIL]);
}

#[test]
fn a_database_worm_in_single_datagrams() {
    judge((0..500u32).map(|n| {
        let host = format!("{}.{}.{}.{}", n % 200 + 11, scatter(n) & 255, n % 251, n % 241 + 1);
        udp(EVIL, &host, 1434).client_port(1137).at(f64::from(n) * 0.002).unanswered()
    }))
    .assert_malicious(&[EVIL]);
}

#[test]
fn a_subnet_is_asked_for_management_by_datagrams() {
    judge(
        (1..=254u32)
            .map(|n| mixed(udp(EVIL, &format!("10.0.3.{n}"), 161).at(f64::from(n) * 0.05), n)),
    )
    .assert_malicious(&[EVIL]);
}

#[test]
fn one_host_a_minute_ten_minutes_or_an_hour() {
    for pace in [60.0, 600.0, 3600.0] {
        judge((0..30).map(|n| {
            let host = format!("10.0.3.{}", scatter(n) % 250 + 1);
            mixed(tcp(EVIL, &host, 445).at(f64::from(n) * pace), scatter(n))
        }))
        .assert_malicious(&[EVIL]);
    }
}

#[test]
fn a_worm_that_gets_into_half_of_the_hosts_it_tries() {
    judge((0..60).map(|n| {
        let port = [445, 22, 3389, 5985][n as usize % 4];
        let talk =
            tcp(EVIL, &format!("10.0.{}.{}", n % 3 + 2, n + 10), port).at(f64::from(n) * 40.0);
        if n / 4 % 2 == 0 { talk.accepted() } else { talk.refused() }
    }))
    .assert_suspicious(&[EVIL]);
}

#[test]
fn a_newcomer_that_tries_a_dozen_doors() {
    let quiet = (0..48)
        .map(|hour| tcp("10.0.0.1", "10.0.0.2", 445).at(f64::from(hour) * 3600.0).accepted());
    let doors = (0..12).map(|n| {
        let port = [445, 22, 3389, 5985][n as usize % 4];
        let talk =
            tcp(EVIL, &format!("10.0.6.{}", 30 + n), port).at(180_000.0 + f64::from(n) * 20.0);
        if n % 4 == 1 { talk.accepted() } else { talk.refused() }
    });

    judge(quiet.chain(doors)).assert_suspicious(&[EVIL]);
}

#[test]
fn ipv6_hosts_side_by_side_and_their_addresses() {
    judge((1..=120u32).flat_map(|n| {
        let (at, host) = (f64::from(n) * 0.01, format!("fd00:3::{n:x}"));
        [
            mixed(tcp("fd00::66", &host, 22).at(at), n),
            icmp(at, "fd00::66", &format!("ff02::1:ff00:{n:x}"), 135),
        ]
    }))
    .assert_malicious(&["fd00::66"]);
}

#[test]
fn bare_fins_to_the_same_port_of_a_subnet() {
    judge((1..=60u32).map(|n| {
        let host = format!("10.0.3.{n}");
        tcp(EVIL, &host, 22).opening(Opening::Fin).at(f64::from(n) * 0.01).unanswered()
    }))
    .assert_malicious(&[EVIL]);
}

#[test]
fn decoys_do_not_hide_the_scanner() {
    let scan = judge((1..=120u32).flat_map(|n| {
        let host = format!("10.0.3.{n}");
        [EVIL, "10.0.0.67", "10.0.0.68"]
            .map(|source| mixed(tcp(source, &host, 445).at(f64::from(n) * 0.01), n))
    }));

    // Nothing tells a decoy from the scanner but what is done with the answer.
    scan.assert_malicious(&[EVIL, "10.0.0.67", "10.0.0.68"]);
}

#[test]
fn a_sweep_on_a_tap_that_also_shows_everyday_life() {
    let life = (0..400u32).flat_map(|n| {
        let client = format!("10.0.1.{}", n % 30 + 1);
        let at = f64::from(n) * 0.5;
        [
            tcp(&client, &format!("203.0.113.{}", n % 90), 443).at(at).accepted(),
            tcp(&client, &format!("10.0.4.{}", n % 5 + 1), 445).at(at).accepted(),
        ]
    });
    let sweep = (0..40u32).map(|n| {
        mixed(tcp(EVIL, &format!("10.0.3.{}", n + 1), 3389).at(20.0 + f64::from(n) * 4.0), n)
    });

    judge(life.chain(sweep)).assert_malicious(&[EVIL]);
}

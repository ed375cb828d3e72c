//! Victims that call back, and the servers that everybody calls back.

use super::super::testing::{Stage, tcp};
use super::*;
use crate::event::Event;

const DAY: f64 = 86_400.0;
const INTRUDER: &str = "10.0.0.66";
const VICTIM: &str = "10.0.0.7";

/// Ten days in which forty hosts use a file server and a web server, twenty of them over SSH too.
fn office() -> Stage<Reversal> {
    let mut stage = Stage::new(Reversal::new(&Config::default()));
    let days = (0..10).flat_map(|day| {
        (1..=40).flat_map(move |n| {
            let host = format!("10.0.0.{n}");
            let at = f64::from(day) * DAY + f64::from(n) * 60.0;
            let neighbour = format!("10.0.1.{n}");
            [
                tcp(&host, "10.0.9.5", 445).at(at).accepted(),
                tcp(&host, "10.0.9.6", 443).at(at + 1.0).accepted(),
                tcp(&host, &neighbour, 22).at(at + 2.0).accepted(),
                tcp(&neighbour, "10.0.9.7", 443).at(at + 3.0).accepted(),
            ]
        })
    });
    stage.play(days);
    stage
}

fn enter(victim: &str, at: f64) -> Event {
    tcp(INTRUDER, victim, 445).at(at).accepted()
}

fn call(victim: &str, at: f64) -> Event {
    tcp(victim, INTRUDER, 8443).at(at).accepted()
}

#[test]
fn speaks_of_a_victim_that_calls_its_intruder_and_suspects_it_of_nothing_yet() {
    let mut stage = office();

    stage.play([enter(VICTIM, 10.0 * DAY), call(VICTIM, 10.0 * DAY + 4.0)]);

    let weight = stage.weight(VICTIM);
    assert!((2.5..=3.0).contains(&weight), "{weight}");
    let last = stage.last(VICTIM);
    assert_eq!(
        (last.family, last.peers.as_slice()),
        (Family::Causality, &[super::super::testing::ip(INTRUDER)][..])
    );
    assert!(last.summary.contains("4.0 s after"), "{}", last.summary);
    assert_eq!(stage.weight(INTRUDER), 0.0);
}

#[test]
fn weighs_more_what_lasts_repeats_and_fetches_and_still_convicts_nobody() {
    let mut stage = office();
    let from = 10.0 * DAY;
    stage.play([enter(VICTIM, from), call(VICTIM, from + 4.0)]);
    let called = stage.weight(VICTIM);

    stage.play([tcp(VICTIM, INTRUDER, 8443).at(from + 4.0).conn(7200.0, (900, 20_000), 4)]);
    let lasted = stage.weight(VICTIM);
    stage.play((1..=5).map(|n| call(VICTIM, from + 7300.0 + f64::from(n) * 60.0)));

    assert!(lasted >= called + 0.9, "{called} {lasted}");
    assert!((lasted..=4.5).contains(&stage.weight(VICTIM)), "{}", stage.weight(VICTIM));
}

#[test]
fn weighs_less_the_later_it_comes() {
    let weight = |lag: f64| {
        let mut stage = office();
        stage.play([enter(VICTIM, 10.0 * DAY), call(VICTIM, 10.0 * DAY + lag)]);
        stage.weight(VICTIM)
    };

    assert!(weight(0.01) >= 2.9);
    assert!(weight(3600.0) <= weight(0.01));
    assert_eq!(weight(9.0 * DAY), 0.0);
}

#[test]
fn ignores_a_host_that_had_called_before() {
    let mut stage = office();

    stage.play([
        call(VICTIM, 10.0 * DAY),
        enter(VICTIM, 10.0 * DAY + 60.0),
        call(VICTIM, 10.0 * DAY + 64.0),
    ]);

    assert_eq!(stage.weight(VICTIM), 0.0);
}

#[test]
fn takes_it_back_when_everybody_calls_who_entered_it() {
    // A deployment server reaches every host, and each fetches its package from it.
    let mut stage = office();

    stage.play((1..=20).flat_map(|n| {
        let (host, at) = (format!("10.0.0.{n}"), 10.0 * DAY + f64::from(n) * 30.0);
        [enter(&host, at), call(&host, at + 2.0)]
    }));

    for n in 1..=20 {
        assert_eq!(stage.weight(&format!("10.0.0.{n}")), 0.0, "{n}");
    }
}

#[test]
fn takes_it_back_of_a_server_that_calls_all_its_clients() {
    // A print server tells each client how its job goes.
    let mut stage = office();

    stage.play((1..=20).flat_map(|n| {
        let (client, at) = (format!("10.0.0.{n}"), 10.0 * DAY + f64::from(n) * 300.0);
        [
            tcp(&client, "10.0.9.8", 445).at(at).accepted(),
            tcp("10.0.9.8", &client, 49_200).at(at + 1.0).accepted(),
        ]
    }));

    assert_eq!(stage.weight("10.0.9.8"), 0.0);
}

#[test]
fn ignores_peers_that_call_each_other_on_one_service() {
    let mut stage = office();

    stage.play((1..=20).flat_map(|n| {
        let (a, b, at) = (format!("10.0.0.{n}"), format!("10.0.0.{}", n + 20), 10.0 * DAY);
        [tcp(&a, &b, 7680).at(at).accepted(), tcp(&b, &a, 7680).at(at + 9.0).accepted()]
    }));

    stage.assert_silent();
}

#[test]
fn counts_the_time_from_the_last_entry() {
    // It was tried in vain for days before it was let in.
    let mut stage = office();

    stage.play((1..=4).map(|day| enter(VICTIM, (5.0 + f64::from(day)) * DAY)));
    stage.play([enter(VICTIM, 10.0 * DAY), call(VICTIM, 10.0 * DAY + 4.0)]);

    assert!(stage.weight(VICTIM) >= 2.5, "{}", stage.weight(VICTIM));
}

#[test]
fn ignores_a_call_to_a_server_that_many_call_anyway() {
    let mut stage = office();

    stage.play([
        tcp("10.0.9.7", "10.0.0.3", 445).at(10.0 * DAY).accepted(),
        tcp("10.0.0.3", "10.0.9.7", 443).at(10.0 * DAY + 5.0).accepted(),
    ]);

    stage.assert_silent();
}

#[test]
fn ignores_protocols_whose_servers_call_back() {
    let mut stage = office();
    let from = 10.0 * DAY;

    stage.play([
        tcp(VICTIM, "10.0.9.9", 21).at(from).accepted(),
        tcp("10.0.9.9", VICTIM, 40_000).client_port(20).at(from + 0.1).accepted(),
        tcp(VICTIM, "10.0.9.10", 23).at(from).accepted(),
        tcp("10.0.9.10", VICTIM, 6000).at(from + 3.0).accepted(),
    ]);

    stage.assert_silent();
}

#[test]
fn ignores_a_network_that_was_just_met() {
    let mut stage = Stage::new(Reversal::new(&Config::default()));

    stage.play((1..=40).flat_map(|n| {
        let (a, b) = (format!("10.0.0.{n}"), format!("10.0.1.{n}"));
        let at = f64::from(n);
        [tcp(&a, &b, 22).at(at).accepted(), tcp(&b, &a, 8443).at(at + 20.0).accepted()]
    }));

    stage.assert_silent();
}

#[test]
fn stays_within_its_budget() {
    let config = Config { budget: ByteSize::kib(64), ..Config::default() };
    let mut stage = Stage::new(Reversal::new(&config));

    stage.play((0..5000u32).flat_map(|n| {
        let (host, at) = (format!("10.1.{}.{}", n / 250, n % 250 + 1), f64::from(n));
        [enter(&host, at), call(&host, at + 0.5)]
    }));

    assert!(stage.detector.state_bytes() <= (64 << 10) * 3 / 2 + 4096);
}

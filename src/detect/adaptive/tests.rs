//! Who tries one door after the other, and who only seems to.

use super::super::testing::{Account, Stage, tcp};
use super::*;
use crate::event::Event;

const WORM: &str = "10.0.0.66";
const HOUR: f64 = 3600.0;

/// A morning in which thirty desks use a file server and a web server, and some mistype.
fn office() -> Stage<Adaptive> {
    let mut stage = Stage::new(Adaptive::new(&Config::default()));
    for n in 1..=30 {
        let (desk, at) = (format!("10.0.0.{n}"), f64::from(n) * 60.0);
        let share = tcp(&desk, "10.0.9.5", 445).at(at);
        stage.play([share.accepted(), share.conn(9.0, (9_000, 40_000), 9)]);
        if n % 3 == 0 {
            stage.play([share.login(Account::of("smb", "eve").refused())]);
        }
        let web = tcp(&desk, "10.0.9.6", 443).at(at + 20.0);
        stage.play([web.accepted(), web.conn(9.0, (9_000, 40_000), 9)]);
    }
    stage
}

/// A try that is refused at the login.
fn refused(from: &str, to: &str, port: u16, at: f64) -> [Event; 3] {
    let talk = tcp(from, to, port).at(at);
    let login = talk.login_after(0.3, Account::unnamed("any").refused());
    [talk.accepted(), login, talk.conn(1.0, (800, 900), 4)]
}

/// A session of somebody who is let in.
fn let_in(from: &str, to: &str, port: u16, at: f64) -> [Event; 3] {
    let talk = tcp(from, to, port).at(at);
    let login = talk.login_after(0.3, Account::unnamed("any"));
    [talk.accepted(), login, talk.conn(60.0, (4_000, 90_000), 40)]
}

/// Two doors of each of `targets` hosts, hours apart, in another order at each.
fn steered(stage: &mut Stage<Adaptive>, targets: usize) {
    let doors = [22, 445, 3389, 5985, 6379];
    for n in 0..targets {
        let target = format!("10.0.1.{}", n + 1);
        let at = (n as f64 + 2.0) * 20.0 * HOUR;
        stage.play(refused(WORM, &target, doors[n % 5], at));
        stage.play(let_in(WORM, &target, doors[(n + 2) % 5], at + 7.0 * HOUR));
    }
}

#[test]
fn speaks_of_who_goes_on_at_the_next_door_however_slowly() {
    let mut stage = office();

    // Once may happen to anybody.
    steered(&mut stage, 1);
    stage.assert_silent();
    steered(&mut stage, 3);
    let three = stage.weight(WORM);

    assert!((5.0..=8.0).contains(&three), "{three}");
    let last = stage.last(WORM);
    assert_eq!((last.family, last.peers_total), (Family::Adaptation, 3));
    assert!(last.summary.contains("of 3 hosts"), "{}", last.summary);
}

#[test]
fn says_nothing_of_who_tries_the_same_again_or_gives_up() {
    let mut stage = office();

    for n in 1..20 {
        let target = format!("10.0.1.{n}");
        stage.play(refused(WORM, &target, 22, f64::from(n) * HOUR));
        stage.play(refused(WORM, &target, 22, f64::from(n) * HOUR + 60.0));
    }

    stage.assert_silent();
}

#[test]
fn says_nothing_of_who_is_let_in_and_then_uses_another_service() {
    let mut stage = office();

    for n in 1..20 {
        let target = format!("10.0.1.{n}");
        stage.play(let_in(WORM, &target, 22, f64::from(n) * HOUR));
        stage.play(let_in(WORM, &target, 443, f64::from(n) * HOUR + 60.0));
    }

    stage.assert_silent();
}

#[test]
fn an_administrator_who_mistypes_at_some_of_many_hosts_is_none() {
    let mut stage = office();

    for n in 1..=20 {
        let (target, at) = (format!("10.0.1.{n}"), f64::from(n) * HOUR);
        if n % 5 == 0 {
            stage.play(refused(WORM, &target, 22, at));
        } else {
            stage.play(let_in(WORM, &target, 22, at));
        }
        stage.play(let_in(WORM, &target, 443, at + 60.0));
    }

    assert!(stage.weight(WORM) < 2.0, "{}", stage.weight(WORM));
}

#[test]
fn a_round_of_short_checks_is_a_list_and_no_approach() {
    let mut stage = office();

    for n in 1..30 {
        for (step, port) in [22, 443, 3306, 6379].into_iter().enumerate() {
            let target = format!("10.0.1.{n}");
            let check =
                tcp(WORM, &target, port).at(9000.0 + f64::from(n) * 2.0 + step as f64 * 0.1);
            stage.play([check.accepted(), check.conn(0.05, (40, 80), 1)]);
        }
    }

    assert!(stage.weight(WORM) < 2.0, "{}", stage.weight(WORM));
}

#[test]
fn what_all_clients_of_a_server_do_is_usual() {
    let mut stage = office();

    for n in 1..=30 {
        let (desk, at) = (format!("10.0.0.{n}"), 9000.0 + f64::from(n) * 60.0);
        stage.play(refused(&desk, "10.0.9.7", 445, at));
        stage.play(let_in(&desk, "10.0.9.7", 443, at + 5.0));
    }

    assert!((11..=30).all(|n| stage.weight(&format!("10.0.0.{n}")) < 2.0));
}

#[test]
fn a_host_that_is_down_is_no_door() {
    let mut stage = office();

    for n in 1..10 {
        for (step, port) in [22, 443, 3389].into_iter().enumerate() {
            let at = f64::from(n) * HOUR + step as f64;
            stage.play([tcp(WORM, &format!("10.0.1.{n}"), port).at(at).unanswered()]);
        }
    }

    stage.assert_silent();
}

#[test]
fn a_flood_of_callers_stays_in_the_budget() {
    let config = Config { budget: ByteSize::mib(1), ..Config::default() };
    let mut stage = Stage::new(Adaptive::new(&config));

    for n in 0..40_000u32 {
        let from = std::net::Ipv4Addr::from_bits(0x0a10_0000 + n % 20_000).to_string();
        let to = std::net::Ipv4Addr::from_bits(0x0a20_0000 + n * 7 % 30_000).to_string();
        stage.play([tcp(&from, &to, 22).at(f64::from(n) * 0.01).refused()]);
    }

    assert!(stage.detector.state_bytes() <= (3 << 20) / 2, "{}", stage.detector.state_bytes());
}

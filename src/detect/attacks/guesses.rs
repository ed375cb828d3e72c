//! Password guessing, by the tools' own shapes.

use super::{EVIL, OUTSIDER};
use crate::detect::testing::{Talk, judge, tcp};
use crate::event::{Body, Event, Opening};

const SERVER: &str = "10.0.4.22";

/// `count` sessions, `parallel` at a time, each `took` seconds.
fn sessions(
    count: u32,
    parallel: u32,
    took: f64,
    port: u16,
    session: impl Fn(Talk, u64) -> Event,
) -> Vec<Event> {
    (0..count)
        .map(|n| {
            let at = f64::from(n / parallel) * (took + 0.1) + f64::from(n % parallel) * 0.01;
            let talk = tcp(EVIL, SERVER, port).client_port(40_000 + n as u16).at(at);
            session(talk, u64::from(n))
        })
        .collect()
}

#[test]
fn shell_logins_one_by_one_and_sixteen_at_a_time() {
    for (count, parallel) in [(7, 1), (7, 7), (12, 4), (12, 1), (16, 16)] {
        judge(sessions(count, parallel, 3.0, 22, |talk, n| {
            talk.conn(3.0, (1500 + n % 3 * 8, 1900), 11)
        }))
        .assert_malicious(&[EVIL]);
    }
}

#[test]
fn shell_logins_with_six_guesses_each() {
    judge(sessions(10, 1, 14.0, 22, |talk, n| talk.conn(14.0, (2300 + n % 5 * 8, 2300), 16)))
        .assert_malicious(&[EVIL]);
}

#[test]
fn shell_logins_every_five_minutes() {
    judge((0..40u64).map(|n| {
        let at = n as f64 * 300.0 + (n * 13 % 47) as f64;
        tcp(OUTSIDER, SERVER, 22).at(at).conn(2.0, (1700, 1800), 11)
    }))
    .assert_malicious(&[OUTSIDER]);
}

#[test]
fn shell_logins_without_their_handshakes() {
    judge(sessions(10, 2, 3.0, 22, |talk, _| {
        talk.opening(Opening::Midstream).conn(3.0, (1500, 1900), 11)
    }))
    .assert_malicious(&[EVIL]);
}

/// Leaves only one side of a session.
fn half(mut event: Event, keep_client: bool) -> Event {
    let Body::Conn(conn) = &mut event.body else { panic!("a connection") };
    if keep_client {
        conn.server = Default::default();
    } else {
        conn.client = Default::default();
        conn.opening = Opening::SynAck;
    }
    event
}

#[test]
fn shell_logins_of_which_one_side_is_captured() {
    for keep_client in [true, false] {
        judge(sessions(24, 4, 3.0, 22, |talk, n| {
            half(talk.conn(3.0, (1500 + n % 3 * 8, 1900), 11), keep_client)
        }))
        .assert_malicious(&[EVIL]);
    }
}

#[test]
fn file_transfer_logins() {
    judge(sessions(12, 4, 3.0, 21, |talk, n| talk.conn(3.0, (32 + n % 3, 96), 4)))
        .assert_suspicious(&[EVIL]);
    judge(sessions(40, 4, 3.0, 21, |talk, n| talk.conn(3.0, (32 + n % 3, 96), 4)))
        .assert_malicious(&[EVIL]);
}

#[test]
fn terminal_logins() {
    judge(sessions(12, 3, 6.0, 23, |talk, n| talk.conn(6.0, (40 + n % 5, 160), 9)))
        .assert_malicious(&[EVIL]);
}

#[test]
fn desktop_logins() {
    judge(sessions(15, 4, 1.0, 3389, |talk, n| talk.conn(1.0, (1300 + n % 4 * 6, 1700), 6)))
        .assert_malicious(&[EVIL]);
    judge(sessions(15, 4, 1.0, 5900, |talk, _| talk.conn(1.0, (29, 68), 4)))
        .assert_malicious(&[EVIL]);
}

#[test]
fn share_logins() {
    judge(sessions(14, 1, 0.2, 445, |talk, n| talk.conn(0.2, (780 + n % 6, 640), 4)))
        .assert_malicious(&[EVIL]);
}

#[test]
fn database_logins() {
    judge(sessions(30, 8, 0.1, 3306, |talk, n| talk.conn(0.1, (90 + n % 6, 170), 1)))
        .assert_malicious(&[EVIL]);
    judge(sessions(30, 8, 0.1, 5432, |talk, n| talk.conn(0.1, (110 + n % 6, 120), 2)))
        .assert_malicious(&[EVIL]);
}

#[test]
fn one_password_on_ten_hosts() {
    judge((0..10u32).map(|n| {
        let at = f64::from(n) * 5.0;
        tcp(EVIL, &format!("10.0.4.{}", n + 1), 22).at(at).conn(3.0, (1500, 1900), 11)
    }))
    .assert_malicious(&[EVIL]);
}

//! Copies that are handed on, and all that merely looks like it.

use proptest::prelude::*;

use super::super::testing::{Stage, Talk, ip, tcp};
use super::*;
use crate::detect::Family;
use crate::event::{Event, Files as File, Fingerprints};

const HOUR: f64 = 3600.0;

/// A house of eighty hosts.
fn house() -> Stage<Prevalence> {
    let mut stage = Stage::new(Prevalence::new(&Config::default()));
    stage.play(
        (1..=40).map(|n| tcp(&host(n), &format!("10.0.1.{n}"), 443).at(f64::from(n)).accepted()),
    );
    stage
}

fn host(n: u32) -> String {
    format!("10.0.0.{n}")
}

/// Fingerprints of the content with that number.
fn keys(content: u64) -> Vec<u64> {
    (1..=4).map(|n| content * 100 + n).collect()
}

fn carries(talk: Talk, fingerprints: Fingerprints) -> Event {
    let mut event = talk.conn(2.0, (20_000, 900), 6);
    if let Body::Conn(conn) = &mut event.body {
        conn.fingerprints = Some(Box::new(fingerprints));
    }
    event
}

/// A host sends content to another, as its client.
fn push(from: &str, to: &str, port: u16, at: f64, content: u64) -> Event {
    let client = keys(content);
    carries(tcp(from, to, port).at(at), Fingerprints { client, ..Fingerprints::default() })
}

/// A host gets content from a server.
fn fetch(by: &str, from: &str, port: u16, at: f64, content: u64) -> Event {
    let server = keys(content);
    carries(tcp(by, from, port).at(at), Fingerprints { server, ..Fingerprints::default() })
}

/// From the first of these hosts to the second, from there to the third, and so on.
fn chain(hosts: &[u32], content: impl Fn(usize) -> u64) -> Vec<Event> {
    let steps = hosts.windows(2).enumerate();
    let push = |(step, ends): (usize, &[u32])| {
        push(&host(ends[0]), &host(ends[1]), 445, HOUR + 60.0 * step as f64, content(step))
    };
    steps.map(push).collect()
}

#[test]
fn an_heir_speaks_and_so_does_who_had_it_first() {
    let mut stage = house();

    stage.play(chain(&[1, 2, 3, 4, 5], |_| 7));

    for heir in [2, 3, 4] {
        assert!(stage.weight(&host(heir)) >= 4.0, "{heir} {}", stage.weight(&host(heir)));
    }
    assert_eq!(stage.weight(&host(1)), 4.0);
    assert!(stage.last(&host(1)).summary.starts_with("was the first to send the same content"));
    assert_eq!(stage.weight(&host(5)), 0.0, "it has only received");
    let last = stage.last(&host(3));
    assert_eq!((last.family, last.peers.as_slice()), (Family::Content, &[ip("10.0.0.4")][..]));
    assert!(last.summary.contains("received the same content from 10.0.0.2"), "{}", last.summary);
}

#[test]
fn the_first_speaks_from_two_heirs_on() {
    let mut stage = house();

    stage.play(chain(&[1, 2, 3], |_| 7));
    let with_one = stage.weight(&host(1));
    stage.play([push(&host(3), &host(4), 445, 2.0 * HOUR, 7)]);

    assert_eq!(with_one, 0.0);
    assert!(stage.weight(&host(1)) >= 2.0, "{}", stage.weight(&host(1)));
}

#[test]
fn nobody_is_convicted_by_content_alone() {
    let mut stage = house();

    stage.play(chain(&(1..=30).collect::<Vec<_>>(), |_| 7));

    let most = stage.said.iter().map(|evidence| evidence.llr).fold(0.0, f64::max);
    assert!((5.0 - most).abs() < 1e-9, "{most}");
}

#[test]
fn repetition_adds_nothing() {
    let mut once = house();
    let mut often = house();
    let steps = chain(&[1, 2, 3, 4], |_| 7);

    once.play(steps.clone());
    often.play(steps);
    often.play((0..200).map(|n| {
        let ends = [(1, 2), (2, 3), (3, 4)][n % 3];
        push(&host(ends.0), &host(ends.1), 445, 2.0 * HOUR + n as f64, 7)
    }));

    assert_eq!(often.weight(&host(2)), once.weight(&host(2)));
    assert_eq!(often.said.len(), once.said.len());
}

#[test]
fn what_comes_up_everywhere_is_silent() {
    // A greeting that every Windows host sends: to servers, and to neighbours that send it as well.
    let mut stage = house();

    stage.play((1..=30).flat_map(|n| {
        let at = HOUR + f64::from(n) * 60.0;
        let neighbour = host(if n > 1 { n / 2 } else { 30 });
        [
            push(&host(n), "10.0.1.1", 445, at, 7),
            push(&host(n), &neighbour, 445, at + 5.0, 7),
            push("10.0.1.1", &host(n), 445, at + 9.0, 7),
        ]
    }));

    stage.assert_silent();
}

#[test]
fn software_distribution_is_silent() {
    // Two points get the package of the night, and write it to twenty desks each.
    let mut stage = house();

    for night in 1..=3u32 {
        let (from, content) = (f64::from(night) * 24.0 * HOUR, 100 + u64::from(night));
        stage.play([1, 2].map(|point| {
            push("10.0.1.9", &format!("10.0.2.{point}"), 445, from + f64::from(point), content)
        }));
        stage.play((1..=40).map(|n| {
            let point = format!("10.0.2.{}", n % 2 + 1);
            push(&point, &host(n), 445, from + 60.0 + f64::from(n) * 20.0, content)
        }));
    }

    stage.assert_silent();
}

#[test]
fn a_swarm_is_silent() {
    // Everybody exchanges pieces with everybody, in both directions, on ports of their own.
    let mut stage = house();

    stage.play((0..400u32).map(|n| {
        let (from, to) = (host(n * 7 % 14 + 1), host(n * 5 % 14 + 15 - n % 2 * 14));
        let (port, at) = (51_000 + (n % 14) as u16, HOUR + f64::from(n) * 5.0);
        let piece = u64::from(n % 20);
        if n % 3 == 0 {
            push(&from, &to, port, at, piece)
        } else {
            fetch(&from, &to, port, at, piece)
        }
    }));

    stage.assert_silent();
}

#[test]
fn who_serves_what_it_received_is_silent() {
    // Update delivery among peers: each has it from another that it asked.
    let mut stage = house();

    stage
        .play((2..=30).map(|n| fetch(&host(n), &host(n / 2), 7680, HOUR + f64::from(n) * 60.0, 7)));
    stage.play(
        (2..=30).map(|n| fetch(&host(n), &host(n / 2), 8080, 3.0 * HOUR + f64::from(n) * 60.0, 8)),
    );

    stage.assert_silent();
}

#[test]
fn a_copy_that_victims_fetch_is_handed_on_too() {
    let mut stage = house();

    stage.play((1..=5).flat_map(|n| {
        let (intruder, victim, at) = (host(n), host(n + 1), HOUR + f64::from(n) * 100.0);
        [
            tcp(&intruder, &victim, 22).at(at).accepted(),
            fetch(&victim, &intruder, 8080, at + 3.0, 7),
        ]
    }));

    assert!(stage.weight(&host(3)) >= 4.0, "{}", stage.weight(&host(3)));
    assert_eq!(stage.weight(&host(6)), 0.0);
}

#[test]
fn a_copy_that_changes_is_known_by_its_shape() {
    let mut stage = house();

    stage.play((1..=5u32).map(|n| {
        let found = Fingerprints {
            client: keys(500 + u64::from(n)),
            shape: Some([1, 1000 + u64::from(n)]),
            ..Fingerprints::default()
        };
        carries(tcp(&host(n), &host(n + 1), 445).at(HOUR + f64::from(n) * 60.0), found)
    }));

    assert!((2.0..=2.5).contains(&stage.weight(&host(3))), "{}", stage.weight(&host(3)));
    assert!(stage.said.iter().all(|evidence| evidence.subject == "shape"));
}

#[test]
fn a_relay_that_hands_on_everything_is_silent_from_the_second_day_on() {
    // Three mirrors in a row take in something new each day.
    let mut stage = house();
    let mirror = |day: u64| {
        let at = day as f64 * 24.0 * HOUR;
        (1..=4u32).map(move |n| push(&host(n), &host(n + 1), 873, at + f64::from(n) * 60.0, day))
    };
    stage.play(mirror(1));
    let said = stage.said.len();

    stage.play((2..=30).flat_map(mirror));

    assert!(said > 0);
    assert_eq!(stage.said.len(), said);
}

#[test]
fn who_passes_on_what_still_comes_in_is_a_proxy() {
    let mut stage = house();

    stage.play((1..=6).map(|n| {
        // All of them begin within the two seconds that each takes.
        push(&host(n), &host(n + 1), 8080, HOUR + f64::from(n) * 0.1, 7)
    }));

    stage.assert_silent();
}

#[test]
fn a_file_is_known_by_its_hash() {
    let mut stage = house();

    stage.play((1..=5u32).flat_map(|n| {
        let talk = tcp(&host(n), &host(n + 1), 445).at(HOUR + f64::from(n) * 60.0);
        let file = File {
            source: "SMB",
            mime_type: None,
            filename: None,
            is_orig: true,
            seen_bytes: 20_000,
            total_bytes: None,
            missing_bytes: 0,
            sha256: Some("ab".repeat(32)),
        };
        let over = talk.conn(2.0, (20_000, 900), 6);
        let body = Body::Record(Box::new(Record::Files(file)));
        [Event { body, ts: over.ts, packet: 1, conversation: over.conversation }, over]
    }));

    assert!(stage.weight(&host(3)) >= 4.0);
    assert_eq!(stage.detector.files.len(), 0);
}

#[test]
fn stays_within_its_budget() {
    let config = Config { budget: ByteSize::kib(64), ..Config::default() };
    let mut stage = Stage::new(Prevalence::new(&config));

    stage
        .play((0..5000u32).map(|n| {
            push(&host(n % 200), &host(n % 177 + 1), 445, f64::from(n), u64::from(n / 3))
        }));

    assert!(stage.detector.state_bytes() <= 96 << 10, "{}", stage.detector.state_bytes());
    assert!(stage.detector.spreads.evicted() > 0);
}

proptest! {
    #[test]
    fn whatever_crosses_weighs_no_more_than_it_may(
        crossings in proptest::collection::vec((0u32..12, 0u32..12, 0u64..4, any::<bool>(), 0u8..3), 0..200),
    ) {
        let mut stage = house();
        stage.play(crossings.into_iter().zip(1u32..).filter(|(it, _)| it.0 != it.1).map(|(it, n)| {
            let (from, to, content, is_push, port) = it;
            let at = HOUR + f64::from(n) * 10.0;
            let port = [445, 80, 40_000][usize::from(port)];
            if is_push {
                push(&host(from + 1), &host(to + 1), port, at, content)
            } else {
                fetch(&host(from + 1), &host(to + 1), port, at, content)
            }
        }));
        for evidence in &stage.said {
            prop_assert!((0.0..=5.0).contains(&evidence.llr), "{evidence:?}");
        }
    }
}

//! Answers that drip are found between neighbours, whichever way their segments take.

use std::sync::LazyLock;

use crate::event::Drips;
use crate::flow::testkit::*;
use crate::inventory::mix;

/// What is said: bytes that look random.
static NOISE: LazyLock<Vec<u8>> = LazyLock::new(|| (0..20_000).map(|at| mix(at) as u8).collect());

const ASKER: End = ("10.0.0.1", 40_000);
const MODEL: End = ("10.0.0.2", 443);

/// Two questions, each answered by so many segments, 40 ms apart, each of which comes `times` times.
fn asked([asker, model]: [End; 2], segments: usize, times: u32, is_long: bool) -> Option<Drips> {
    let mut wire = Wire::new();
    wire.without_hints = is_long;
    wire.wait(1).send(asker, model, tcp(SYN, 100, 0));
    wire.wait(1).send(model, asker, tcp(SYN | ACK, 500, 101));
    wire.wait(1).send(asker, model, tcp(ACK, 101, 501));
    let (mut up, mut down) = (101u32, 501u32);
    for _ in 0..2 {
        wire.wait(50).send(asker, model, data(up, down, &NOISE[..900]));
        up += 900;
        wire.wait(600);
        for at in 0..segments {
            for _ in 0..times {
                wire.send(model, asker, data(down, up, &NOISE[at * 10..at * 10 + 190]));
            }
            down += 190;
            wire.wait(2).send(asker, model, tcp(ACK, up, down));
            wire.wait(38);
        }
    }
    wire.conn().drips.map(|found| *found)
}

#[test]
fn are_found_on_the_short_way_as_on_the_long_one() {
    let short = asked([ASKER, MODEL], 80, 1, false).unwrap();

    assert_eq!((short.answers, short.ends.len()), (2, 2));
    assert_eq!(asked([ASKER, MODEL], 80, 1, true), Some(short));
}

#[test]
fn are_looked_for_between_neighbours_only() {
    assert_eq!(asked([CLIENT, SERVER], 80, 1, false), None);
}

#[test]
fn count_a_segment_once_that_came_twice() {
    // Ten are too few for an answer, however often they come.
    assert_eq!(asked([ASKER, MODEL], 10, 3, false), None);
}

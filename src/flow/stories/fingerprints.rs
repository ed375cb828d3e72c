//! Fingerprints do not depend on how a stream came: cut, out of order, repeated.

use std::sync::LazyLock;

use proptest::prelude::*;

use crate::event::{Fingerprints, KEYS};
use crate::flow::testkit::*;
use crate::inventory::mix;

/// What is said: bytes that look random.
static NOISE: LazyLock<Vec<u8>> = LazyLock::new(|| (0..20_000).map(|at| mix(at) as u8).collect());

const ONE: End = ("10.0.0.1", 40_000);
const OTHER: End = ("10.0.0.2", 445);

/// The fingerprints of a conversation in which each in turn says a piece of the noise, given by its place
/// and length. With a `chance` each is cut, shuffled and repeated as that says.
fn carried(ends: [End; 2], turns: &[(usize, usize)], chance: Option<u64>) -> Option<Fingerprints> {
    let [one, other] = ends;
    let mut wire = Wire::new();
    wire.wait(1).send(one, other, tcp(SYN, 100, 0));
    wire.wait(1).send(other, one, tcp(SYN | ACK, 500, 101));
    wire.wait(1).send(one, other, tcp(ACK, 101, 501));
    let mut next = [101u32, 501];
    for (turn, (at, length)) in turns.iter().enumerate() {
        let (own, ends) = (turn % 2, if turn % 2 == 0 { (one, other) } else { (other, one) });
        let said = &NOISE[*at..at + length];
        let draw = |n: usize| chance.map_or(0, |chance| mix(chance ^ (turn * 1000 + n) as u64));
        let (mut pieces, mut begin) = (Vec::new(), 0);
        while begin < said.len() {
            let size = 200 + draw(begin) as usize % 1200;
            let end = said.len().min(begin + size);
            pieces.push((begin, &said[begin..end]));
            begin = end;
        }
        if chance.is_some() {
            pieces.sort_by_key(|(begin, _)| draw(begin + 7));
            let again: Vec<_> = pieces.iter().step_by(3).copied().collect();
            pieces.extend(again);
        }
        for (begin, piece) in pieces {
            let segment = data(next[own] + begin as u32, next[1 - own], piece);
            wire.wait(1).send(ends.0, ends.1, segment);
        }
        next[own] += said.len() as u32;
    }
    wire.conn().fingerprints.map(|found| *found)
}

#[test]
fn are_taken_between_neighbours_only() {
    let turns = [(0, 100), (100, 100), (200, 9000)];

    let near = carried([ONE, OTHER], &turns, None).unwrap();

    assert_eq!((near.client.len(), near.server.len(), near.shape), (KEYS, 0, None));
    assert_eq!(carried([CLIENT, SERVER], &turns, None), None);
}

proptest! {
    #[test]
    fn how_it_came_changes_nothing(
        turns in proptest::collection::vec((0usize..9, 1usize..6000), 1..9),
        chance: u64,
    ) {
        let turns: Vec<_> = turns.into_iter().map(|(at, length)| (at * 1000, length)).collect();

        let plain = carried([ONE, OTHER], &turns, None);

        prop_assert_eq!(plain, carried([ONE, OTHER], &turns, Some(chance)));
    }
}

//! The short way through a settled connection says what the general way says.

use proptest::prelude::*;

use crate::decode::{TcpFlags, TcpSegment};
use crate::flow::testkit::*;
use crate::net::{Endpoint, Ends, Transport};

const DATA: [u8; 60] = [0xf7; 60];

/// A segment of an established connection.
#[derive(Clone, Copy, Debug)]
struct Step {
    up: bool,
    flags: u8,
    /// How far its numbers lie beside those that would be next.
    beside: (i8, i8),
    length: usize,
    is_shut: bool,
    is_cut: bool,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    // Mostly what goes the short way, and now and then something else.
    let flags = prop_oneof![8 => Just(ACK), 4 => Just(PSH | ACK), 1 => any::<u8>()];
    let beside = || prop_oneof![12 => Just(0), 1 => -3i8..4, 1 => any::<i8>()];
    let length = prop_oneof![2 => Just(0usize), 3 => 1usize..60];
    let rarely = || prop::bool::weighted(0.05);
    let step = (any::<bool>(), flags, (beside(), beside()), length, rarely(), rarely());
    let step = step.prop_map(|(up, flags, beside, length, is_shut, is_cut)| Step {
        up,
        flags,
        beside,
        length,
        is_shut,
        is_cut,
    });
    prop::collection::vec(step, 0..40)
}

/// A connection of which nobody reads anything any more: its first bytes were of no protocol. And the
/// sequence numbers that come next.
fn settled(without_hints: bool) -> (Wire, [u32; 2]) {
    let mut wire = Wire::new();
    wire.without_hints = without_hints;
    wire.handshake();
    let mut next = [101, 501];
    for _ in 0..300 {
        wire.up(data(next[0], next[1], &DATA));
        next[0] += 60;
        wire.down(data(next[1], next[0], &DATA));
        next[1] += 60;
    }
    (wire, next)
}

/// What a table says of a connection with these segments.
fn told(steps: &[Step], without_hints: bool) -> Vec<String> {
    let (mut wire, mut next) = settled(without_hints);
    for step in steps {
        let (own, other) = if step.up { (0, 1) } else { (1, 0) };
        let segment = Segment {
            flags: step.flags,
            seq: next[own].wrapping_add_signed(step.beside.0.into()),
            ack: next[other].wrapping_add_signed(step.beside.1.into()),
            window: if step.is_shut { 0 } else { 1024 },
            data: &DATA[..step.length],
            cut_to: if step.is_cut { step.length / 2 } else { usize::MAX },
        };
        next[own] = next[own].wrapping_add(step.length as u32);
        if step.up {
            wire.up(segment)
        } else {
            wire.down(segment)
        };
    }
    wire.tick(200_000).finish();
    wire.events.iter().map(|event| format!("{event:?}")).collect()
}

#[test]
fn the_next_segment_goes_the_short_way() {
    let (mut wire, next) = settled(false);
    let end = |(addr, port): End| Endpoint::new(addr.parse().unwrap(), port);
    let ends = Ends::new(Transport::Tcp, end(CLIENT), end(SERVER));
    let mut hint = wire.table.hint(&ends);
    wire.table.prefetch(&mut hint);
    let lookup = wire.table.lookup(&ends, Some(hint));
    let mut segment = TcpSegment {
        src_port: CLIENT.1,
        dst_port: SERVER.1,
        seq: next[0],
        ack: next[1],
        flags: TcpFlags(ACK),
        window: 1024,
        payload_len: 60,
        payload: &DATA,
    };

    assert!(wire.table.go_on(&lookup, 100, &segment));
    assert!(!wire.table.go_on(&lookup, 100, &segment), "it is a repetition now");
    segment.seq += 60;
    assert!(wire.table.go_on(&lookup, 100, &segment));
    segment.seq += 60;
    segment.flags = TcpFlags(FIN | ACK);
    assert!(!wire.table.go_on(&lookup, 100, &segment));
}

proptest! {
    #[test]
    fn both_ways_say_the_same(steps in steps()) {
        prop_assert_eq!(told(&steps, false), told(&steps, true));
    }
}

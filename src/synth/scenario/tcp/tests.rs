use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use proptest::prelude::*;

use super::super::body::Framing;
use super::*;
use crate::net::MacAddr;

fn end(last: u8, stack: Stack) -> End {
    End {
        addr: Ipv4Addr::new(10, 0, 0, last),
        mac: MacAddr([2, 0, 0, 0, 0, last]),
        subnet: Some(0),
        stack,
        hops: 0,
        outer: None,
    }
}

fn call(loss: u32, seed: u64) -> Call {
    let mut call = Call {
        client: end(1, Stack::Linux),
        server: end(2, Stack::Linux),
        ports: (40_000, 80),
        start: Timestamp::from_secs(100),
        path: Path {
            to_client: Duration::from_micros(300),
            to_server: Duration::from_millis(20),
            gap: Duration::from_micros(100),
            loss,
            mss: 1460,
        },
        fate: Fate::Accepted,
        lines: Vec::new(),
        linger: Duration::ZERO,
        close: Close::Fin(Side::Client),
        seed,
    };
    call.say(Side::Client, Duration::ZERO, Body::of(b"GET".to_vec()));
    let answer = Body::framed(Framing::Plain, b"HTTP".to_vec(), 300_000, 7);
    call.say(Side::Server, Duration::from_millis(5), answer);
    call.say(Side::Client, Duration::from_secs(1), Body::of(b"thanks".to_vec()));
    call
}

fn played(call: Call) -> Vec<(Shown, Vec<u8>)> {
    let mut playing = call.play();
    let mut payload = Vec::new();
    let mut all = Vec::new();
    while let Some(shown) = playing.pass(&mut payload) {
        all.push((shown, payload.clone()));
    }
    all
}

/// What a receiver has put together, whatever came twice or late.
fn received(segments: &[(Shown, Vec<u8>)], side: Side) -> Vec<u8> {
    let mut bytes = BTreeMap::new();
    let isn = segments.iter().find(|(shown, _)| shown.from == side).unwrap().0.segment.seq;
    let speaks = |(shown, data): &&(Shown, Vec<u8>)| shown.from == side && !data.is_empty();
    for (shown, payload) in segments.iter().filter(speaks) {
        let at = shown.segment.seq.wrapping_sub(isn).wrapping_sub(1);
        for (offset, byte) in (at..).zip(payload) {
            bytes.insert(offset, *byte);
        }
    }
    bytes.into_values().collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn every_byte_arrives_in_order_of_time_whatever_is_lost(loss in 0u32..4000, seed: u64) {
        let segments = played(call(loss, seed));

        prop_assert!(segments.is_sorted_by_key(|(shown, _)| shown.ts));
        let answer = received(&segments, Side::Server);
        prop_assert_eq!(answer.len(), 300_000);
        prop_assert!(answer.starts_with(b"HTTPFiller 00000007"));
        prop_assert_eq!(received(&segments, Side::Client), b"GETthanks");
    }

    #[test]
    fn acknowledgements_never_run_ahead_nor_back(loss in 0u32..4000, seed: u64) {
        let mut sent = [None::<u32>; 2];
        let mut acknowledged = [None::<u32>; 2];

        for (shown, payload) in played(call(loss, seed)) {
            let side = usize::from(shown.from == Side::Server);
            let Segment { seq, ack, flags, .. } = shown.segment;
            let used = u32::from(flags & (TcpFlags::SYN | TcpFlags::FIN) != 0) + payload.len() as u32;
            let end = seq.wrapping_add(used);
            sent[side] = Some(sent[side].map_or(end, |sent| {
                if end.wrapping_sub(sent) < 1 << 31 { end } else { sent }
            }));
            if flags & TcpFlags::ACK != 0 {
                if let Some(last) = acknowledged[side] {
                    prop_assert!(ack.wrapping_sub(last) < 1 << 31, "back: {shown:?}");
                }
                acknowledged[side] = Some(ack);
                if loss == 0 {
                    let theirs = sent[1 - side].unwrap();
                    prop_assert!(theirs.wrapping_sub(ack) < 1 << 31, "ahead: {shown:?}");
                }
            }
        }
    }
}

#[test]
fn losses_are_repaired_and_seen() {
    let clean = played(call(0, 3)).len();

    let lossy = (0..20).map(|seed| played(call(2000, seed)).len()).max().unwrap();

    assert!(lossy > clean, "{lossy} {clean}");
}

#[test]
fn each_stack_shows_itself_in_its_syn() {
    let syn = |stack| {
        let call = Call { client: end(1, stack), ..call(0, 1) };
        played(call).first().unwrap().0.segment.options
    };

    let mut embedded = Options::default();
    embedded.push(&[2, 4, 5, 180]);
    assert_eq!(syn(Stack::Embedded), embedded);
    let mut windows = embedded;
    windows.push(&[1, 3, 3, 8, 1, 1, 4, 2]);
    assert_eq!(syn(Stack::Windows), windows);
    assert_ne!(syn(Stack::Linux), windows);
}

#[test]
fn a_short_exchange_is_what_a_textbook_shows() {
    let mut short = call(0, 1);
    short.lines.truncate(1);

    let flags: Vec<u8> = played(short).iter().map(|(shown, _)| shown.segment.flags).collect();

    let (syn, ack, psh, fin) = (TcpFlags::SYN, TcpFlags::ACK, TcpFlags::PSH, TcpFlags::FIN);
    assert_eq!(flags, [syn, syn | ack, ack, psh | ack, ack, fin | ack, fin | ack, ack]);
}

#[test]
fn a_refused_one_is_a_syn_and_a_reset_and_an_unanswered_one_is_tried_again() {
    let with = |fate| played(Call { fate, ..call(0, 1) });

    let refused = with(Fate::Refused);
    let unanswered = with(Fate::Unanswered { syns: 3 });

    assert_eq!(refused.len(), 2);
    assert_eq!(refused[1].0.segment.seq, 0);
    let times: Vec<_> = unanswered.iter().map(|(shown, _)| shown.ts).collect();
    assert_eq!(times, [100, 101, 103].map(Timestamp::from_secs));
    assert!(unanswered.windows(2).all(|pair| { pair[0].0.segment.seq == pair[1].0.segment.seq }));
}

//! Time-outs, memory, and what must hold whatever is sent.

use std::collections::BTreeMap;

use proptest::prelude::*;

use crate::config::units::ByteSize;
use crate::event::{Body, Outcome};
use crate::flow::FlowConfig;
use crate::flow::testkit::*;

#[test]
fn an_unanswered_attempt_is_forgotten() {
    let mut wire = Wire::new();

    wire.up(tcp(SYN, 100, 0)).tick(5_000).tick(20_000);

    assert_eq!(wire.conns().len(), 1);
    assert_eq!((wire.table.stats().open, wire.table.stats().bytes), (0, 0));
}

#[test]
fn time_outs_hold_without_ticks() {
    let mut wire = Wire::new();

    wire.udp(CLIENT, SERVER, b"?").udp(SERVER, CLIENT, b"!").wait(61_000).udp(CLIENT, SERVER, b"?");

    assert_eq!(wire.conns().len(), 1);
    assert_eq!(wire.table.stats().open, 1);
}

#[test]
fn a_year_between_two_packets_ends_everything() {
    let mut wire = Wire::new();
    wire.handshake().udp(CLIENT, SERVER, b"?").icmp("192.0.2.1", "192.0.2.2", 8, 0);

    wire.tick(365 * 86_400_000);

    assert_eq!((wire.table.stats().open, wire.conns().len()), (0, 3));
}

#[test]
fn a_flood_evicts_itself_and_not_the_established() {
    let mut wire = Wire::with(&FlowConfig { budget: ByteSize(64 << 10), ..FlowConfig::default() });
    wire.handshake().up(data(101, 501, b"SSH-2.0-a\r\n")).down(data(501, 112, b"SSH-2.0-b\r\n"));

    for port in 1..5000 {
        wire.send(("203.0.113.5", port), SERVER, tcp(SYN, 1, 0));
    }
    assert!(wire.table.stats().bytes <= 64 << 10);
    assert!(wire.table.stats().evicted > 4000);
    wire.up(data(112, 512, b"still here"));

    let unknown = wire.contacts().iter().filter(|(_, c)| c.outcome.is_none()).count();
    assert_eq!(unknown as u64, wire.table.stats().evicted);
    wire.finish();
    let ssh = wire.conns().into_iter().find(|(_, conn)| conn.service == Some("ssh"));
    assert_eq!(ssh.map(|(_, conn)| conn.outcome), Some(Some(Outcome::Accepted)));
}

#[test]
fn a_second_packet_without_content_makes_room_for_what_it_costs() {
    let mut wire = Wire::with(&FlowConfig { budget: ByteSize(4000), ..FlowConfig::default() });

    for port in 1..100 {
        let client = ("203.0.113.5", port);
        wire.send(client, SERVER, tcp(SYN, 1, 0));
        wire.send(client, SERVER, tcp(RST | ACK, 1, 1));
        assert!(wire.table.stats().bytes <= 4000);
    }
}

#[test]
fn ends_come_in_order_of_beginning() {
    let mut wire = Wire::new();

    for port in [9, 7, 8, 1, 30_000] {
        wire.send(("203.0.113.5", port), SERVER, tcp(SYN, 1, 0));
    }
    wire.finish();

    let ports: Vec<u16> = wire.conns().iter().map(|(c, _)| c.client.port).collect();
    assert_eq!(ports, [9, 7, 8, 1, 30_000]);
}

#[test]
fn once_the_service_is_known_nothing_is_kept() {
    let mut wire = Wire::new();
    wire.handshake().up(data(101, 501, b"SSH-2.0-a\r\n"));
    let before = wire.table.stats().bytes;

    wire.up(data(200, 501, b"out of order")).up(data(300, 501, b"and again"));

    // Two places, no content.
    assert!(wire.table.stats().bytes - before < 200);
}

#[derive(Clone, Debug)]
enum Action {
    Tcp { up: bool, peer: u8, flags: u8, seq: u32, ack: u32, length: u8, window: u16 },
    Udp { up: bool, peer: u8, length: u8 },
    Icmp { up: bool, peer: u8, kind: u8, code: u8, quotes: Option<(u8, u8)> },
    Wait(u32),
}

fn near() -> impl Strategy<Value = u32> {
    prop_oneof![4 => 0u32..64, 1 => any::<u32>(), 1 => (u32::MAX - 8)..=u32::MAX]
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        8 => (any::<bool>(), 0u8..6, any::<u8>(), near(), near(), 0u8..40, 0u16..2).prop_map(
            |(up, peer, flags, seq, ack, length, window)| Action::Tcp {
                up, peer, flags: flags & 0x3f, seq, ack, length, window
            }
        ),
        2 => (any::<bool>(), 0u8..6, 0u8..40)
            .prop_map(|(up, peer, length)| Action::Udp { up, peer, length }),
        2 => (any::<bool>(), 0u8..6, 0u8..20, 0u8..14, proptest::option::of((0u8..20, 0u8..6)))
            .prop_map(|(up, peer, kind, code, quotes)| Action::Icmp { up, peer, kind, code, quotes }),
        3 => prop_oneof![0u32..3000, 0u32..4_000_000].prop_map(Action::Wait),
    ]
}

const NOISE: &[u8] = b"GET / HTTP/1.1\r\n\xff\xfe\x16\x03\x01\x00\x05\x01SSH-2.0-\0\0\0";
const PEERS: [End; 6] = [
    ("198.51.100.1", 445),
    ("198.51.100.1", 446),
    ("198.51.100.2", 40_001),
    ("198.51.100.3", 22),
    ("224.0.0.1", 5000),
    ("198.51.100.4", 53),
];

fn run(actions: &[Action], budget: usize) -> Wire {
    let mut wire = Wire::with(&FlowConfig { budget: ByteSize(budget), ..FlowConfig::default() });
    for action in actions {
        let ends = |up: bool, peer: u8| {
            let peer = PEERS[usize::from(peer)];
            if up { (CLIENT, peer) } else { (peer, CLIENT) }
        };
        match *action {
            Action::Tcp { up, peer, flags, seq, ack, length, window } => {
                let (src, dst) = ends(up, peer);
                let start = usize::from(window) * 8;
                let payload = &NOISE[start.min(NOISE.len())..];
                let payload = &payload[..usize::from(length).min(payload.len())];
                let segment = Segment { window, data: payload, ..tcp(flags, seq, ack) };
                wire.send(src, dst, segment);
            }
            Action::Udp { up, peer, length } => {
                let (src, dst) = ends(up, peer);
                wire.udp(src, dst, &NOISE[..usize::from(length).min(NOISE.len())]);
            }
            Action::Icmp { up, peer, kind, code, quotes } => {
                let (src, dst) = ends(up, peer);
                let about =
                    quotes.map(|(protocol, peer)| (protocol, CLIENT, PEERS[usize::from(peer)]));
                wire.icmp_about(src.0, dst.0, (kind, code), about);
            }
            Action::Wait(millis) => {
                wire.tick(u64::from(millis));
            }
        }
        assert!(wire.table.stats().bytes <= budget as u64);
    }
    wire.finish();
    wire
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn whatever_is_sent_each_connection_has_one_contact_and_one_record(
        actions in proptest::collection::vec(action(), 0..120),
        budget in prop_oneof![Just(1usize << 20), 4000usize..9000],
    ) {
        let wire = run(&actions, budget);

        let mut seen: BTreeMap<_, (u32, u32, bool)> = BTreeMap::new();
        let mut last = (crate::time::Timestamp::from_nanos(i64::MIN), 0);
        for event in &wire.events {
            prop_assert!((event.ts, event.packet) >= last, "time ran back");
            last = (event.ts, event.packet);
            let Some(conversation) = event.conversation else { continue };
            let counts = seen.entry(conversation.uid).or_default();
            match &event.body {
                Body::Contact(_) => counts.0 += 1,
                Body::Conn(_) => counts.1 += 1,
                Body::Icmp(icmp) => counts.2 |= matches!(icmp.kind, 3 | 4 | 11 | 12),
                _ => {}
            }
        }
        for (contacts, conns, is_error) in seen.values() {
            prop_assert_eq!(*conns, 1);
            prop_assert_eq!(*contacts, u32::from(!is_error));
        }
        prop_assert_eq!(wire.table.stats().bytes, 0);
        prop_assert_eq!(wire.table.stats().open, 0);
        prop_assert_eq!(wire.table.stats().total as usize, wire.conns().len());
    }

    #[test]
    fn the_same_packets_give_the_same_events(
        actions in proptest::collection::vec(action(), 0..60),
        budget in 4000usize..9000,
    ) {
        let (once, again) = (run(&actions, budget), run(&actions, budget));

        prop_assert_eq!(format!("{:?}", once.events), format!("{:?}", again.events));
    }
}

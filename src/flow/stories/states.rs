//! Zeek's states, history letters and sizes.

use crate::event::ConnState;
use crate::flow::testkit::*;

#[test]
fn a_whole_conversation_is_sf() {
    let mut wire = Wire::new();

    wire.handshake()
        .up(data(101, 501, b"0123456789"))
        .down(data(501, 111, b"abcde"))
        .up(tcp(FIN | ACK, 111, 506))
        .down(tcp(FIN | ACK, 506, 112))
        .up(tcp(ACK, 112, 507));

    let conn = wire.conn();
    assert_eq!((conn.state, conn.history.as_str()), (ConnState::SF, "ShADdFf"));
    assert_eq!((conn.client.bytes, conn.server.bytes), (10, 5));
    assert_eq!((conn.client.packets, conn.server.packets), (5, 3));
    assert_eq!((conn.client.ip_bytes, conn.server.ip_bytes), (5 * 40 + 10, 3 * 40 + 5));
    assert_eq!((conn.client.turns, conn.server.turns), (0, 1));
    assert_eq!(conn.missed_bytes, 0);
    // The last acknowledgement comes after both have closed, and Zeek does not count its time.
    assert_eq!(conn.duration.as_millis(), 6);
}

#[test]
fn each_way_to_begin_and_end_has_its_state() {
    type Story = fn(&mut Wire) -> &mut Wire;
    let stories: &[(Story, &str)] = &[
        (|w| w.up(tcp(SYN, 100, 0)), "S0 S"),
        (|w| w.up(tcp(SYN, 100, 0)).up(tcp(SYN, 100, 0)), "S0 S"),
        (|w| w.up(tcp(SYN, 100, 0)).down(tcp(RST | ACK, 0, 101)), "REJ Sr"),
        (|w| w.handshake(), "S1 ShA"),
        (|w| w.handshake().up(tcp(FIN | ACK, 101, 501)), "S2 ShAF"),
        (|w| w.handshake().down(tcp(FIN | ACK, 501, 101)), "S3 ShAf"),
        (|w| w.handshake().up(tcp(RST, 101, 0)), "RSTO ShAR"),
        (|w| w.handshake().down(tcp(RST, 501, 0)), "RSTR ShAr"),
        (
            |w| w.up(tcp(SYN, 100, 0)).down(tcp(SYN | ACK, 500, 101)).up(tcp(RST, 101, 0)),
            "RSTO ShR",
        ),
        (|w| w.up(tcp(SYN, 100, 0)).up(tcp(RST, 101, 0)), "RSTOS0 SR"),
        (|w| w.up(tcp(SYN, 100, 0)).up(tcp(FIN | ACK, 101, 1)), "SH SF"),
        (|w| w.down(tcp(SYN | ACK, 500, 101)), "OTH ^h"),
        (|w| w.down(tcp(SYN | ACK, 500, 101)).down(tcp(FIN | ACK, 501, 101)), "SHR ^hf"),
        (|w| w.down(tcp(SYN | ACK, 500, 101)).down(tcp(RST, 501, 0)), "RSTRH ^hr"),
        (|w| w.up(data(101, 501, b"?")).down(data(501, 102, b"!")), "OTH Dd"),
        (|w| w.down(tcp(RST | ACK, 501, 1)), "RSTRH ^r"),
        (|w| w.up(tcp(RST, 501, 1)), "OTH R"),
        (|w| w.up(tcp(ACK, 101, 501)), "OTH A"),
        (|w| w.up(tcp(0, 101, 0)), "OTH "),
        (|w| w.up(tcp(FIN | PSH | URG, 101, 0)), "SH F"),
        (|w| w.up(tcp(SYN | FIN, 101, 0)), "SH Q"),
        (|w| w.up(tcp(FIN | RST, 101, 0)), "OTH I"),
    ];

    for (index, (story, expected)) in stories.iter().enumerate() {
        let mut wire = Wire::new();
        story(&mut wire);
        assert_eq!(wire.summary(), *expected, "story {index}");
    }
}

#[test]
fn retransmissions_and_zero_windows_are_counted_in_tens() {
    let mut wire = Wire::new();
    wire.handshake();

    for _ in 0..12 {
        wire.up(data(101, 501, b"abc"));
        wire.down(Segment { window: 0, ..tcp(ACK, 501, 104) });
    }

    assert_eq!(wire.summary(), "S1 ShADawTwT");
}

#[test]
fn a_gap_is_what_was_acknowledged_and_not_seen() {
    let mut wire = Wire::new();

    wire.handshake().up(data(101, 501, b"abc")).up(data(114, 501, b"xyz")).down(tcp(ACK, 501, 117));

    let conn = wire.conn();
    assert_eq!(conn.history, "ShADaG");
    assert_eq!(conn.missed_bytes, 10);
    assert_eq!(conn.client.bytes, 16);
}

#[test]
fn what_the_snap_length_cut_off_is_missing() {
    let mut wire = Wire::new();

    wire.handshake()
        .up(Segment { cut_to: 4, ..data(101, 501, b"GET / HTTP/1.1\r\n") })
        .down(tcp(ACK, 501, 117));

    let conn = wire.conn();
    assert_eq!((conn.client.bytes, conn.missed_bytes), (16, 16));
}

#[test]
fn segments_out_of_order_are_no_gap() {
    let mut wire = Wire::new();

    wire.handshake()
        .up(data(104, 501, b"P/1.1\r\n\r\n"))
        .up(data(101, 501, b"GET"))
        .down(tcp(ACK, 501, 113));

    let conn = wire.conn();
    assert_eq!((conn.missed_bytes, conn.client.bytes), (0, 12));
}

#[test]
fn a_keep_alive_is_a_retransmission_and_adds_nothing() {
    let mut wire = Wire::new();

    wire.handshake()
        .up(data(101, 501, b"abc"))
        .down(tcp(ACK, 501, 104))
        .up(data(103, 501, b"c"))
        .down(tcp(ACK, 501, 104));

    let conn = wire.conn();
    assert_eq!((conn.history.as_str(), conn.client.bytes), ("ShADaT", 3));
}

#[test]
fn a_window_probe_beyond_a_closed_window_is_data() {
    let mut wire = Wire::new();

    wire.handshake()
        .down(Segment { window: 0, ..tcp(ACK, 501, 101) })
        .up(data(101, 501, b"a"))
        .down(Segment { window: 0, ..tcp(ACK, 501, 101) });

    let conn = wire.conn();
    assert_eq!((conn.history.as_str(), conn.client.bytes), ("ShAawD", 1));
}

#[test]
fn a_reset_with_data_adds_no_bytes() {
    let mut wire = Wire::new();

    wire.handshake().down(Segment { data: b"go away", ..tcp(RST | ACK, 501, 101) });

    let conn = wire.conn();
    assert_eq!((conn.state, conn.server.bytes), (ConnState::RSTR, 0));
}

#[test]
fn both_may_open_at_once() {
    let mut wire = Wire::new();

    wire.up(tcp(SYN, 100, 0))
        .down(tcp(SYN, 500, 0))
        .up(tcp(SYN | ACK, 100, 501))
        .down(tcp(SYN | ACK, 500, 101))
        .up(data(101, 501, b"x"));

    assert_eq!(wire.conn().state, ConnState::S1);
    assert!(wire.weirds().contains(&"simultaneous_open"));
}

#[test]
fn sizes_survive_the_end_of_the_sequence_space() {
    let mut wire = Wire::new();

    wire.up(tcp(SYN, u32::MAX - 1, 0))
        .down(tcp(SYN | ACK, 500, u32::MAX))
        .up(data(u32::MAX, 501, b"abcdefgh"))
        .up(tcp(FIN | ACK, 7, 501))
        .down(tcp(FIN | ACK, 501, 8));

    assert_eq!(wire.conn().client.bytes, 8);
}

#[test]
fn datagrams_have_zeeks_states() {
    let (asker, resolver) = (("192.0.2.1", 40_000), ("192.0.2.53", 9999));

    let mut asked = Wire::new();
    asked.udp(asker, resolver, b"?");
    let mut answered = Wire::new();
    answered.udp(asker, resolver, b"?").udp(resolver, asker, b"!!");
    let mut unasked = Wire::new();
    unasked.udp(("192.0.2.53", 53), asker, b"!!");

    assert_eq!(asked.summary(), "S0 D");
    assert_eq!(answered.summary(), "SF Dd");
    assert_eq!(answered.conns()[0].1.server.bytes, 2);
    assert_eq!(unasked.summary(), "SHR ^d");
}

#[test]
fn pings_have_neither_state_nor_history() {
    let mut wire = Wire::new();

    wire.icmp("192.0.2.1", "192.0.2.2", 8, 0).icmp("192.0.2.2", "192.0.2.1", 0, 0);

    assert_eq!(wire.summary(), "OTH ");
    let (conversation, conn) = wire.conns()[0].clone();
    assert_eq!((conversation.client.port, conversation.server.port), (8, 0));
    assert_eq!((conn.client.bytes, conn.server.bytes), (56, 56));
}

#[test]
fn oddities_are_told_by_zeeks_names() {
    type Story = fn(&mut Wire) -> &mut Wire;
    let stories: &[(Story, &str)] = &[
        (|w| w.up(tcp(SYN, 100, 0)).up(data(101, 1, b"x")), "data_before_established"),
        (|w| w.up(tcp(SYN, 100, 0)).up(tcp(SYN, 900, 0)), "SYN_seq_jump"),
        (|w| w.up(tcp(SYN, 100, 0)).up(tcp(ACK, 101, 7)), "possible_split_routing"),
        (|w| w.up(tcp(SYN, 100, 0)).up(tcp(FIN | ACK, 101, 0)), "inappropriate_FIN"),
        (|w| w.handshake().up(tcp(ACK, 101, 400)), "TCP_ack_underflow_or_misorder"),
        (|w| w.handshake().up(data(50, 501, b"x")), "TCP_seq_underflow_or_misorder"),
        (|w| w.up(tcp(SYN, 100, 0)).down(tcp(SYN | ACK, 500, 77)), "bad_SYN_ack"),
        (|w| w.up(tcp(SYN | RST, 100, 0)), "TCP_christmas"),
        (|w| w.handshake().up(tcp(RST, 101, 0)).up(data(101, 501, b"x")), "data_after_reset"),
        (|w| w.down(tcp(SYN | ACK, 500, 101)), "unsolicited_SYN_response"),
        (|w| w.up(tcp(FIN, 500, 101)), "spontaneous_FIN"),
        (
            |w| w.handshake().up(data(105, 501, b"efgh")).up(data(101, 501, b"abcdXXXX")),
            "Retransmission_inconsistency",
        ),
    ];

    for (story, expected) in stories {
        let mut wire = Wire::new();
        story(&mut wire);
        assert!(wire.weirds().contains(expected), "{expected}: {:?}", wire.weirds());
    }
}

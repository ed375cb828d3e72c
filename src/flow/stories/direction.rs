//! Who opened what, when the opening was not seen; and when one connection ends and the next
//! begins.

use crate::event::{ConnState, Opening, Outcome};
use crate::flow::testkit::*;

const SMB_REPLY: &[u8] = b"\0\0\0\x20\xffSMB\x72\0\0\0\0\x98aaaaaaaaaaaaaaaaaaaaaa";
const SMB_REQUEST: &[u8] = b"\0\0\0\x20\xffSMB\x72\0\0\0\0\x18aaaaaaaaaaaaaaaaaaaaaa";

#[test]
fn the_reply_bit_of_any_smb_message_tells_the_server() {
    let (a, b) = (("192.0.2.1", 50_000), ("192.0.2.2", 50_001));
    let mut wire = Wire::new();

    wire.send(a, b, data(1, 1, SMB_REPLY)).send(b, a, data(1, 37, SMB_REQUEST));

    let (conversation, contact) = wire.contacts()[0];
    assert_eq!(conversation.client.port, 50_001);
    assert!(conversation.inferred);
    assert_eq!(contact.opening, Opening::Midstream);
    let conn = wire.conn();
    assert_eq!((conn.service, conn.history.as_str()), (Some("smb"), "^dD"));
}

#[test]
fn a_message_corrects_what_ports_suggested() {
    let (low, high) = (("192.0.2.1", 2000), ("192.0.2.2", 50_000));
    let mut wire = Wire::new();

    // By its ports, the first acknowledgement would be the server's.
    wire.send(low, high, tcp(ACK, 1, 1)).send(low, high, data(1, 1, SMB_REQUEST)).send(
        high,
        low,
        tcp(ACK, 1, 37),
    );

    let (conversation, contact) = wire.contacts()[0];
    assert_eq!(conversation.client.port, 2000);
    assert_eq!((contact.client_packets, contact.server_packets), (2, 1));
    assert_eq!(wire.conn().history, "ADa");
}

#[test]
fn a_syn_ack_comes_from_the_server_even_at_a_high_port() {
    let (server, client) = (("192.0.2.1", 50_000), ("192.0.2.2", 80));
    let mut wire = Wire::new();

    wire.send(server, client, tcp(SYN | ACK, 500, 101)).send(client, server, tcp(ACK, 101, 501));

    let (conversation, contact) = wire.contacts()[0];
    assert_eq!(conversation.server.port, 50_000);
    assert!(conversation.inferred);
    assert_eq!(contact.outcome, Some(Outcome::Accepted));
}

#[test]
fn a_syn_that_was_captured_after_its_answer_is_still_an_opening() {
    let mut wire = Wire::new();

    wire.down(tcp(SYN | ACK, 500, 101)).up(tcp(SYN, 100, 0)).up(tcp(ACK, 101, 501));

    let (conversation, contact) = wire.contacts()[0];
    assert_eq!((contact.opening, contact.outcome), (Opening::Syn, Some(Outcome::Accepted)));
    assert!(!conversation.inferred);
}

#[test]
fn a_silent_session_keeps_its_direction_for_an_hour() {
    let mut wire = Wire::new();
    wire.handshake().up(data(101, 501, b"SSH-2.0-a\r\n")).down(data(501, 112, b"SSH-2.0-b\r\n"));

    wire.tick(50 * 60_000).down(data(512, 112, b"tick"));

    assert_eq!(wire.contacts().len(), 1);
    let conn = wire.conn();
    assert_eq!((conn.history.as_str(), conn.service), ("ShADd", Some("ssh")));
}

#[test]
fn a_syn_with_another_number_is_another_attempt() {
    let mut wire = Wire::new();

    wire.handshake().up(tcp(SYN, 9000, 0)).down(tcp(SYN | ACK, 7000, 9001)).finish();

    assert_eq!(wire.contacts().len(), 2);
    assert_eq!(wire.conns().len(), 2);
    assert!(wire.weirds().contains(&"active_connection_reuse"));
}

#[test]
fn a_closed_connections_ports_can_be_used_again() {
    let mut wire = Wire::new();
    let whole = |wire: &mut Wire| {
        wire.handshake().up(tcp(FIN | ACK, 101, 501)).down(tcp(FIN | ACK, 501, 102));
    };

    whole(&mut wire);
    whole(&mut wire);
    wire.finish();

    let states: Vec<_> = wire.conns().iter().map(|(_, conn)| conn.state).collect();
    assert_eq!(states, [ConnState::SF, ConnState::SF]);
    assert_ne!(wire.conns()[0].0.uid, wire.conns()[1].0.uid);
}

#[test]
fn the_other_side_may_open_on_ports_that_were_refused() {
    let mut wire = Wire::new();

    wire.up(tcp(SYN, 100, 0)).down(tcp(RST | ACK, 0, 101)).down(tcp(SYN, 900, 0));
    wire.finish();

    let openings: Vec<_> = wire.conns().iter().map(|(c, _)| c.client.port).collect();
    assert_eq!(openings, [CLIENT.1, SERVER.1]);
}

#[test]
fn late_packets_of_a_closed_connection_open_nothing() {
    let mut wire = Wire::new();

    wire.handshake().up(tcp(FIN | ACK, 101, 501)).down(tcp(FIN | ACK, 501, 102));
    wire.tick(3000).up(tcp(ACK, 102, 502)).down(tcp(RST, 502, 0)).tick(3000);

    assert_eq!((wire.contacts().len(), wire.conns().len()), (1, 1));
}

#[test]
fn a_closed_connection_is_told_soon_and_once() {
    let mut wire = Wire::new();
    wire.handshake().up(data(101, 501, b"hello")).up(tcp(FIN | ACK, 106, 501));
    wire.down(tcp(FIN | ACK, 501, 107)).tick(100);
    assert_eq!(wire.conns().len(), 0);

    // The last acknowledgement, then silence, then what is late.
    wire.up(tcp(ACK, 107, 502)).tick(200);
    let told = wire.conns();
    wire.down(tcp(RST, 502, 0)).tick(3000).up(tcp(RST, 107, 0)).tick(6000).finish();

    let [(_, conn)] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!((conn.state, conn.client.bytes, conn.client.packets), (ConnState::SF, 5, 5));
    assert_eq!((wire.contacts().len(), wire.conns().len()), (1, 1));
    assert_eq!(wire.table.stats().open, 0);
    assert_eq!(wire.table.stats().bytes, 0);
}

//! The first outcome of an attempt, once and as early as it is known.

use crate::event::{Opening, Outcome};
use crate::flow::testkit::*;
use crate::net::MacAddr;

#[test]
fn a_syn_ack_accepts() {
    let mut wire = Wire::new();

    wire.up(tcp(SYN, 100, 0)).down(tcp(SYN | ACK, 500, 101));

    let contact = wire.contact();
    assert_eq!((contact.outcome, contact.opening), (Some(Outcome::Accepted), Opening::Syn));
    assert_eq!((contact.client_packets, contact.server_packets), (1, 1));
    assert_eq!(contact.waited.as_millis(), 1);
}

#[test]
fn a_reset_refuses() {
    let mut wire = Wire::new();

    wire.up(tcp(SYN, 100, 0)).down(tcp(RST | ACK, 0, 101)).up(tcp(SYN, 100, 0)).down(tcp(
        RST | ACK,
        0,
        101,
    ));

    assert_eq!(wire.contact().outcome, Some(Outcome::Refused));
    assert_eq!(wire.conn().client.packets, 2);
}

#[test]
fn silence_is_no_answer_after_five_seconds() {
    let mut wire = Wire::new();

    wire.up(tcp(SYN, 100, 0)).tick(4_900);
    assert!(wire.contacts().is_empty());
    wire.tick(200);

    assert_eq!(wire.contact().outcome, Some(Outcome::Unanswered));
}

#[test]
fn a_late_answer_changes_only_the_record() {
    let mut wire = Wire::new();

    wire.up(tcp(SYN, 100, 0)).tick(6_000).down(tcp(SYN | ACK, 500, 101)).up(tcp(ACK, 101, 501));

    assert_eq!(wire.contact().outcome, Some(Outcome::Unanswered));
    assert_eq!(wire.conn().outcome, Some(Outcome::Accepted));
}

#[test]
fn an_answer_is_late_even_if_no_tick_came_between() {
    let mut wire = Wire::new();

    wire.up(tcp(SYN, 100, 0)).wait(6_000).down(tcp(SYN | ACK, 500, 101));

    assert_eq!(wire.contact().outcome, Some(Outcome::Unanswered));
}

#[test]
fn retransmissions_of_one_syn_are_one_attempt() {
    let mut wire = Wire::new();

    wire.up(tcp(SYN, 100, 0));
    for pause in [1000, 2000, 4000, 8000, 16_000] {
        wire.tick(pause).up(tcp(SYN, 100, 0));
    }

    assert_eq!(wire.contact().outcome, Some(Outcome::Unanswered));
    assert_eq!(wire.conn().client.packets, 6);
}

#[test]
fn the_third_syn_is_hopeless_even_if_time_stands_still() {
    let mut wire = Wire::new();
    let syn = tcp(SYN, 100, 0);

    wire.send(CLIENT, SERVER, syn).send(CLIENT, SERVER, syn);
    assert!(wire.contacts().is_empty());
    wire.send(CLIENT, SERVER, syn);

    assert_eq!(wire.contact().outcome, Some(Outcome::Unanswered));
}

#[test]
fn copies_of_one_syn_from_several_taps_are_not_hopeless() {
    let mut wire = Wire::new();

    for _ in 0..3 {
        wire.up(tcp(SYN, 100, 0));
    }
    wire.down(tcp(SYN | ACK, 500, 101));

    assert_eq!(wire.contact().outcome, Some(Outcome::Accepted));
}

#[test]
fn an_attempt_is_unknown_when_the_input_ends() {
    let mut wire = Wire::new();

    wire.up(tcp(SYN, 100, 0)).wait(1500).finish();

    let contact = wire.contact();
    assert_eq!((contact.outcome, contact.waited.as_millis()), (None, 1500));
    assert_eq!(wire.conns()[0].1.outcome, None);
}

#[test]
fn the_clients_acknowledgement_proves_an_answer_that_was_not_captured() {
    let mut wire = Wire::new();

    wire.up(tcp(SYN, 100, 0)).up(tcp(ACK, 101, 501));

    let contact = wire.contact();
    assert_eq!((contact.outcome, contact.server_packets), (Some(Outcome::Accepted), 0));
}

#[test]
fn the_servers_side_alone_is_accepted_without_client_packets() {
    let mut wire = Wire::new();

    wire.down(tcp(SYN | ACK, 500, 101)).tick(6000);

    let contact = wire.contact();
    assert_eq!((contact.outcome, contact.opening), (Some(Outcome::Accepted), Opening::SynAck));
    assert_eq!(contact.client_packets, 0);
}

#[test]
fn who_resets_a_syn_ack_never_asked() {
    let mut wire = Wire::new();

    wire.down(tcp(SYN | ACK, 500, 101)).up(tcp(RST, 101, 0));

    assert_eq!((wire.contact().outcome, wire.contact().opening), (None, Opening::SynAck));
}

#[test]
fn probes_without_an_answer_are_unanswered_and_with_a_reset_refused() {
    let probes = [(0, Opening::Null), (FIN, Opening::Fin), (FIN | PSH | URG, Opening::Xmas)];
    for (flags, opening) in probes {
        let (mut silent, mut reset) = (Wire::new(), Wire::new());

        silent.up(tcp(flags, 7, 0)).tick(6000);
        reset.up(tcp(flags, 7, 0)).down(tcp(RST | ACK, 0, 7));

        assert_eq!(silent.contact().outcome, Some(Outcome::Unanswered), "{opening:?}");
        assert_eq!(reset.contact().outcome, Some(Outcome::Refused), "{opening:?}");
        assert_eq!((silent.contact().opening, reset.contact().opening), (opening, opening));
    }
}

#[test]
fn an_acknowledgement_out_of_nowhere_can_be_refused_and_is_else_unknown() {
    let (mut silent, mut reset) = (Wire::new(), Wire::new());

    silent.up(tcp(ACK, 7, 9)).tick(6000);
    reset.up(tcp(ACK, 7, 9)).down(tcp(RST, 9, 0));

    assert_eq!((silent.contact().outcome, silent.contact().opening), (None, Opening::Ack));
    assert_eq!(reset.contact().outcome, Some(Outcome::Refused));
}

#[test]
fn the_end_of_an_old_connection_is_no_failure() {
    for flags in [FIN | ACK, RST, RST | ACK] {
        let mut wire = Wire::new();

        wire.up(tcp(flags, 7, 9)).tick(6000);

        assert_eq!(wire.contact().outcome, None, "{flags:#x}");
    }
}

#[test]
fn midstream_data_both_ways_is_accepted() {
    let mut wire = Wire::new();

    wire.up(data(101, 501, b"?"));
    assert!(wire.contacts().is_empty());
    wire.down(tcp(ACK, 501, 102));

    let contact = wire.contact();
    assert_eq!((contact.outcome, contact.opening), (Some(Outcome::Accepted), Opening::Midstream));
}

#[test]
fn midstream_data_that_goes_on_one_way_is_accepted() {
    let mut wire = Wire::new();

    wire.up(data(101, 501, b"abc")).up(data(104, 501, b"def"));

    assert_eq!(wire.contact().outcome, Some(Outcome::Accepted));
    assert_eq!(wire.contact().server_packets, 0);
}

#[test]
fn a_datagram_is_answered_or_not() {
    let (mut answered, mut silent) = (Wire::new(), Wire::new());

    answered.udp(CLIENT, SERVER, b"?").udp(SERVER, CLIENT, b"!");
    silent.udp(CLIENT, SERVER, b"?").tick(9_900);
    assert!(silent.contacts().is_empty());
    silent.tick(200);

    assert_eq!(answered.contact().outcome, Some(Outcome::Accepted));
    assert_eq!(silent.contact().outcome, Some(Outcome::Unanswered));
    assert_eq!(silent.contact().opening, Opening::Datagram);
}

#[test]
fn icmp_errors_tell_the_outcome_of_what_they_quote() {
    let cases = [
        ((3, 3), Some(Outcome::Refused)),
        ((3, 1), Some(Outcome::Unreachable)),
        ((3, 13), Some(Outcome::Unreachable)),
        ((3, 4), None),
        ((11, 0), None),
    ];
    for (error, expected) in cases {
        for protocol in [6, 17] {
            let mut wire = Wire::new();
            match protocol {
                6 => wire.up(tcp(SYN, 100, 0)),
                _ => wire.udp(CLIENT, SERVER, b"?"),
            };

            wire.icmp_about(ROUTER.0, CLIENT.0, error, Some((protocol, CLIENT, SERVER)));

            let outcomes: Vec<_> = wire.contacts().iter().map(|(_, c)| c.outcome).collect();
            assert_eq!(outcomes, expected.map(Some).into_iter().collect::<Vec<_>>(), "{error:?}");
        }
    }
}

#[test]
fn an_error_about_the_servers_packet_is_not_the_clients_failure() {
    let mut wire = Wire::new();

    wire.udp(CLIENT, SERVER, b"?").icmp_about(
        CLIENT.0,
        SERVER.0,
        (3, 3),
        Some((17, SERVER, CLIENT)),
    );

    assert!(wire.contacts().is_empty());
}

#[test]
fn an_error_is_an_event_and_a_record_and_no_contact() {
    let mut wire = Wire::new();

    for _ in 0..100 {
        wire.icmp_about(ROUTER.0, CLIENT.0, (3, 1), Some((6, CLIENT, SERVER)));
    }
    wire.finish();

    assert!(wire.contacts().is_empty());
    assert_eq!(wire.icmps().len(), 16);
    assert_eq!(wire.conns()[0].1.client.packets, 100);
}

#[test]
fn a_ping_is_an_attempt() {
    let (mut answered, mut silent) = (Wire::new(), Wire::new());

    answered.icmp("192.0.2.1", "192.0.2.2", 8, 0).icmp("192.0.2.2", "192.0.2.1", 0, 0);
    silent.icmp("192.0.2.1", "192.0.2.2", 8, 0).icmp("192.0.2.1", "192.0.2.2", 8, 0).tick(11_000);

    assert_eq!(answered.contact().outcome, Some(Outcome::Accepted));
    assert_eq!(silent.contact().outcome, Some(Outcome::Unanswered));
    assert_eq!(silent.icmps().len(), 1);
    assert_eq!(silent.contacts()[0].0.service().port, 8);
}

#[test]
fn nobody_owes_a_group_or_an_announcement_an_answer() {
    let mut wire = Wire::new();

    wire.udp(CLIENT, ("224.0.0.251", 5353), b"?")
        .udp(("192.0.2.1", 68), ("255.255.255.255", 67), b"?")
        .icmp("fe80::1", "ff02::1", 134, 0)
        .icmp("fe80::1", "fe80::2", 136, 0)
        .tick(11_000);

    let contacts = wire.contacts();
    assert!(contacts.iter().all(|(_, contact)| contact.outcome.is_none()), "{contacts:?}");
    assert_eq!(contacts.iter().filter(|(_, contact)| contact.to_group).count(), 3);
}

#[test]
fn a_broadcast_is_known_by_its_hardware_address() {
    let mut wire = Wire::new();
    let datagram = crate::decode::TransportHeader::Udp(crate::decode::UdpDatagram {
        src_port: 137,
        dst_port: 137,
        payload_len: 1,
        payload: b"?",
    });
    let macs = (MacAddr([2, 0, 0, 0, 0, 1]), MacAddr::BROADCAST);

    wire.packet("192.0.2.1", "192.0.2.255", 29, datagram, Some(macs)).tick(11_000);

    assert_eq!((wire.contact().to_group, wire.contact().outcome), (true, None));
}

#[test]
fn sctp_answers_refuses_or_stays_silent() {
    let (mut answered, mut refused, mut silent) = (Wire::new(), Wire::new(), Wire::new());

    answered.sctp(CLIENT, SERVER, 1).sctp(SERVER, CLIENT, 2);
    refused.sctp(CLIENT, SERVER, 1).sctp(SERVER, CLIENT, 6);
    silent.sctp(CLIENT, SERVER, 1).tick(11_000);

    assert_eq!(answered.contact().outcome, Some(Outcome::Accepted));
    assert_eq!(refused.contact().outcome, Some(Outcome::Refused));
    assert_eq!(silent.contact().outcome, Some(Outcome::Unanswered));
    assert_eq!(silent.contact().opening, Opening::Syn);
}

//! From what the table holds to what events say.

use std::net::IpAddr;

use super::connection::{Connection, Counters, Detail};
use super::oddity::Oddity;
use super::state::{datagram_state, tcp_state};
use crate::event::{Body, Conn, ConnState, Contact, Event, Outcome, Side, Weird};
use crate::net::Transport;
use crate::time::Timestamp;

/// The contact of `connection`, known at `now` by packet `number`.
pub(super) fn contact(
    connection: &Connection,
    outcome: Option<Outcome>,
    number: u64,
    now: Timestamp,
) -> Event {
    let saturate = |packets: u64| u32::try_from(packets).unwrap_or(u32::MAX);
    let body = Body::Contact(Contact {
        outcome,
        opening: connection.opening,
        start: connection.start,
        client_packets: saturate(connection.client.packets),
        server_packets: saturate(connection.server.packets),
        waited: now.since(connection.start),
        to_group: connection.facts.to_group,
    });
    event(connection, body, number, now)
}

/// The record of `connection`, which is over; its history goes into the record.
pub(super) fn conn(connection: &mut Connection, number: u64, now: Timestamp) -> Event {
    let (state, history, bytes, missed_bytes) = match &mut connection.detail {
        Detail::Syn(_) => (ConnState::S0, "S".to_owned(), (0, 0), 0),
        Detail::Tcp(tcp) => (
            tcp_state(&tcp.client, &tcp.server, tcp.history.letters()),
            tcp.history.to_text(),
            (
                tcp.client.payload_bytes(tcp.server.state),
                tcp.server.payload_bytes(tcp.client.state),
            ),
            tcp.missed_bytes,
        ),
        detail @ (Detail::Datagrams(_) | Detail::Resting(_) | Detail::ReadDatagrams(_)) => {
            let bytes = detail.datagrams_mut().map_or((0, 0), |it| (it.client, it.server));
            let sent = (connection.client.packets > 0, connection.server.packets > 0);
            let is_icmp = connection.key.transport() == Transport::Icmp;
            // Zeek gives ICMP neither a state nor a history.
            let state = if is_icmp { ConnState::OTH } else { datagram_state(sent.0, sent.1) };
            let history = if is_icmp { String::new() } else { datagram_history(connection) };
            (state, history, bytes, 0)
        }
    };
    let side = |counters: Counters, bytes: u64, turns: u32| Side {
        packets: counters.packets,
        ip_bytes: counters.ip_bytes,
        bytes,
        turns,
    };
    let (fingerprints, drips) = match &mut connection.detail {
        Detail::Tcp(tcp) => (tcp.prints.finish(), tcp.dripping.finish()),
        _ => (None, None),
    };
    let body = Body::Conn(Box::new(Conn {
        start: connection.start,
        duration: connection.duration(),
        service: connection.service.map(|service| service.as_str()),
        state,
        outcome: connection.outcome,
        opening: connection.opening,
        history,
        client: side(connection.client, bytes.0, connection.turns.0),
        server: side(connection.server, bytes.1, connection.turns.1),
        missed_bytes,
        vlan: connection.vlan,
        tunnel: connection.tunnel,
        macs: connection.macs,
        fingerprints,
        drips,
    }));
    event(connection, body, number, now)
}

/// An oddity of `connection`.
pub(super) fn weird(
    connection: &Connection,
    oddity: Oddity,
    (src, dst): (IpAddr, IpAddr),
    number: u64,
    now: Timestamp,
) -> Event {
    let body = Body::Weird(Weird { name: oddity.as_str(), src: Some(src), dst: Some(dst) });
    event(connection, body, number, now)
}

fn event(connection: &Connection, body: Body, number: u64, now: Timestamp) -> Event {
    Event { ts: now, packet: number, conversation: Some(connection.conversation()), body }
}

fn datagram_history(connection: &Connection) -> String {
    let mut history = String::new();
    if connection.facts.flipped {
        history.push('^');
    }
    history.push_str(match (connection.client.packets, connection.server.packets) {
        (0, _) => "d",
        (_, 0) => "D",
        _ if connection.facts.server_first => "dD",
        _ => "Dd",
    });
    history
}

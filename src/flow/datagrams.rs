//! UDP, SCTP and ICMP packets at the table: exchanges of question and answer.

use super::arrival::Arrival;
use super::connection::{Connection, Datagrams, Detail, Facts};
use super::direction::{self, Direction};
use super::icmp;
use super::key::{FlowKey, Hint, Lookup};
use super::outcome::Judgement;
use super::reading::Reading;
use super::store::NOWHERE;
use super::table::FlowTable;
use crate::decode::{IcmpMessage, IpPacket, Packet};
use crate::event::{self, Conversation, Event, Opening, Outcome};
use crate::net::{Ends, Transport, is_group};
use crate::proto::{Findings, Ports, Role, Verdict, recognise_datagram};
use crate::time::Timestamp;

/// Datagrams of each direction that are looked at for their protocol.
const SNIFFED_DATAGRAMS: u64 = 4;

// Chunk types of RFC 9260 section 3.2.
const SCTP_DATA: u8 = 0;
const SCTP_INIT: u8 = 1;
const SCTP_INIT_ACK: u8 = 2;
const SCTP_SACK: u8 = 3;
const SCTP_ABORT: u8 = 6;
const SCTP_COOKIE_ECHO: u8 = 10;
const SCTP_COOKIE_ACK: u8 = 11;

impl FlowTable {
    /// Takes a UDP datagram, or an SCTP packet that begins with `chunk`.
    pub(super) fn on_datagram(
        &mut self,
        arrival: &Arrival<'_>,
        chunk: Option<u8>,
        out: &mut Vec<Event>,
    ) {
        let transport = arrival.lookup.key.transport();
        let slot = match self.find(arrival.lookup, arrival.number, out) {
            Some(slot) => slot,
            None => {
                let direction = match chunk {
                    None if is_group(arrival.dst.addr) => {
                        Direction { sender: Role::Client, inferred: false, weak: false }
                    }
                    None => direction::datagram_direction(
                        transport,
                        arrival.payload,
                        arrival.src,
                        arrival.dst,
                        self.known.as_ref(),
                    ),
                    Some(chunk) => sctp_direction(chunk, arrival),
                };
                let opening = chunk.map_or(Opening::Datagram, sctp_opening);
                let detail = Detail::Datagrams(Datagrams::default());
                self.begin(arrival, opening, direction, detail, Facts::default(), out)
            }
        };
        let Some(connection) = self.store.get_mut(slot) else { return };
        let sender = connection.role(arrival.lookup.sender);
        count_datagram(connection, sender, arrival, self.now);
        if transport == Transport::Udp
            && connection.service.is_none()
            && connection.counters_mut(sender).packets <= SNIFFED_DATAGRAMS
        {
            let ports = Ports { sender: arrival.src.port, receiver: arrival.dst.port };
            if let Verdict::Is(protocol, _) = recognise_datagram(arrival.payload, ports) {
                connection.service = Some(protocol);
                self.begin_reading(slot);
            }
        } else if matches!(connection.detail, Detail::Resting(_)) {
            self.begin_reading(slot);
        }
        let findings = self.read_datagram(slot, sender, arrival);
        let Some(connection) = self.store.get_mut(slot) else { return };
        let judged = match (sender, chunk) {
            _ if connection.facts.settled => None,
            (Role::Server, Some(SCTP_ABORT)) => Some(Judgement::Known(Outcome::Refused)),
            (Role::Server, _) => Some(Judgement::Known(Outcome::Accepted)),
            // Only who was answered sends a cookie or data.
            (Role::Client, Some(SCTP_DATA | SCTP_SACK | SCTP_COOKIE_ECHO))
                if connection.opening == Opening::Syn =>
            {
                Some(Judgement::Known(Outcome::Accepted))
            }
            _ => None,
        };
        self.settle_or_keep(slot, judged, arrival.number, out);
        if let Some((conversation, findings)) = findings {
            self.tell(&conversation, findings, arrival.number, out);
        }
        self.make_room(0, arrival.number, out);
    }

    /// Has a connection read whose protocol is known, if anything reads that.
    fn begin_reading(&mut self, slot: u32) {
        let Some(connection) = self.store.get_mut(slot) else { return };
        let before = connection.cost();
        if let Some(dissector) = connection.service.and_then(self.dissectors) {
            let reading = Reading::new(dissector, connection.conversation());
            connection.detail.read_datagrams(reading);
        }
        self.bytes = self.bytes + connection.cost() - before;
    }

    /// Gives a datagram to what reads its connection, if anything does; returns what that says.
    fn read_datagram(
        &mut self,
        slot: u32,
        sender: Role,
        arrival: &Arrival<'_>,
    ) -> Option<(Conversation, Findings)> {
        let lens = self.lens();
        let connection = self.store.get_mut(slot)?;
        let before = connection.cost();
        let Detail::ReadDatagrams(read) = &mut connection.detail else { return None };
        let reading = &mut read.1;
        if reading.wants(sender) {
            reading.on_datagram(lens, sender, arrival.payload, arrival.payload_len);
        }
        let findings = reading.take_findings();
        if reading.is_done() {
            connection.detail.put_down(Detail::Datagrams);
        } else if reading.is_resting() {
            connection.detail.put_down(Detail::Resting);
        }
        self.bytes = self.bytes + connection.cost() - before;
        findings.map(|findings| (connection.conversation(), findings))
    }

    /// Takes an ICMP message.
    pub(super) fn on_icmp(
        &mut self,
        number: u64,
        packet: &Packet<'_>,
        ip: &IpPacket<'_>,
        message: &IcmpMessage<'_>,
        out: &mut Vec<Event>,
    ) {
        let kind = icmp::kind(message);
        let (src, dst) = icmp::endpoints(message, ip.src, ip.dst);
        let content = (message.payload, message.payload_len);
        let ports = (src.port, dst.port);
        let (key, sender) = match kind {
            icmp::Kind::Error | icmp::Kind::OneWay => {
                let about = message.quoted.map(|quoted| quoted.dst).filter(|&dst| dst != ip.src);
                FlowKey::one_way(src, dst, about)
            }
            _ => FlowKey::new(&Ends::new(Transport::Icmp, src, dst)),
        };
        let hint = Hint { hash: self.store.hash(&key), place: NOWHERE };
        let lookup = Lookup { key, sender, hint };
        let arrival = Arrival::new(number, packet, ip, &lookup, ports, content);
        let found = self.find(arrival.lookup, number, out);
        let is_first = found.is_none();
        let slot = match found {
            Some(slot) => slot,
            None => {
                let direction = match kind {
                    icmp::Kind::Reply(_) => {
                        Direction { sender: Role::Server, inferred: true, weak: false }
                    }
                    _ => Direction { sender: Role::Client, inferred: false, weak: false },
                };
                // An error is about another connection and no contact of its own.
                let is_error = kind == icmp::Kind::Error;
                let facts = Facts {
                    one_way: !matches!(kind, icmp::Kind::Query(_) | icmp::Kind::Reply(_)),
                    reported: is_error,
                    settled: is_error,
                    ..Facts::default()
                };
                let detail = Detail::Datagrams(Datagrams::default());
                self.begin(&arrival, Opening::Datagram, direction, detail, facts, out)
            }
        };
        let Some(connection) = self.store.get_mut(slot) else { return };
        let sender = connection.role(arrival.lookup.sender);
        count_datagram(connection, sender, &arrival, self.now);
        let is_news = match kind {
            icmp::Kind::Error => {
                connection.counters_mut(sender).packets <= self.config.icmp_errors_per_flow
            }
            _ => is_first,
        };
        let judged = (sender == Role::Server && !connection.facts.settled)
            .then_some(Judgement::Known(Outcome::Accepted));
        if is_news {
            out.push(Event {
                ts: self.now,
                packet: number,
                conversation: Some(connection.conversation()),
                body: event::Body::Icmp(icmp::event(message, ip.src, ip.dst)),
            });
        }
        self.settle_or_keep(slot, judged, number, out);
        if kind == icmp::Kind::Error {
            self.apply_error(number, message, out);
        }
    }

    /// An ICMP error is the outcome of the attempt that it quotes, if the client's packet failed.
    fn apply_error(&mut self, number: u64, message: &IcmpMessage<'_>, out: &mut Vec<Event>) {
        let Some(outcome) = icmp::outcome(message) else { return };
        let Some(quoted) = message.quoted.and_then(icmp::quoted_endpoints) else { return };
        let (transport, src, dst) = quoted;
        let lookup = self.lookup(&Ends::new(transport, src, dst), None);
        let Some(slot) = self.find(&lookup, number, out) else { return };
        let Some(connection) = self.store.get(slot) else { return };
        if connection.facts.settled || connection.role(lookup.sender) == Role::Server {
            return;
        }
        self.settle(slot, Some(Judgement::Known(outcome)), number, out);
    }
}

fn sctp_opening(chunk: u8) -> Opening {
    match chunk {
        SCTP_INIT => Opening::Syn,
        SCTP_INIT_ACK => Opening::SynAck,
        SCTP_ABORT => Opening::Rst,
        _ => Opening::Midstream,
    }
}

fn sctp_direction(chunk: u8, arrival: &Arrival<'_>) -> Direction {
    match chunk {
        SCTP_INIT => Direction { sender: Role::Client, inferred: false, weak: false },
        SCTP_INIT_ACK | SCTP_COOKIE_ACK | SCTP_ABORT => {
            Direction { sender: Role::Server, inferred: true, weak: false }
        }
        SCTP_COOKIE_ECHO => Direction { sender: Role::Client, inferred: true, weak: false },
        _ => {
            let guess = direction::datagram_direction(
                Transport::Sctp,
                arrival.payload,
                arrival.src,
                arrival.dst,
                None,
            );
            Direction { inferred: true, ..guess }
        }
    }
}

fn count_datagram(
    connection: &mut Connection,
    sender: Role,
    arrival: &Arrival<'_>,
    now: Timestamp,
) {
    connection.count(sender, arrival.ip_len, arrival.payload_len > 0);
    connection.last = now;
    if let Some(datagrams) = connection.detail.datagrams_mut() {
        match sender {
            Role::Client => datagrams.client += u64::from(arrival.payload_len),
            Role::Server => datagrams.server += u64::from(arrival.payload_len),
        }
    }
}

//! The connection table: packets in, events out.

use std::net::IpAddr;
use std::ops::Add;
use std::sync::Arc;

use super::config::FlowConfig;
use super::connection::{Connection, Counters, Detail, Facts};
use super::direction::{self, Direction};
use super::expiry;
use super::icmp;
use super::key::{End, FlowKey, Orientation};
use super::outcome::{self, Judgement};
use super::report;
use super::store::{NOWHERE, Queue, Store};
use super::tcp::Tcp;
use crate::decode::{self, Body, IcmpMessage, IpPacket, Packet, TcpFlags, TcpSegment};
use crate::decode::{TransportHeader, Tunnel};
use crate::event::{self, Event, Opening, Outcome};
use crate::net::{Endpoint, MacAddr, Service, Transport, is_group};
use crate::proto::{Ports, Role, Verdict, recognise_datagram};
use crate::time::Timestamp;

/// Tells whether a host is known to serve something, for connections whose opening was not seen.
pub type KnownServices = Arc<dyn Fn(IpAddr, Service) -> bool + Send + Sync>;

/// Counts of a table, for metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FlowStats {
    /// Connections held.
    pub open: u64,
    /// Connections ever begun.
    pub total: u64,
    /// Connections that went before their time because the budget was used up.
    pub evicted: u64,
    /// Bytes charged to the budget.
    pub bytes: u64,
}

impl Add for FlowStats {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            open: self.open + other.open,
            total: self.total + other.total,
            evicted: self.evicted + other.evicted,
            bytes: self.bytes + other.bytes,
        }
    }
}

/// Connections of one shard.
pub struct FlowTable {
    config: FlowConfig,
    known: Option<KnownServices>,
    store: Store,
    now: Timestamp,
    bytes: usize,
    total: u64,
    evicted: u64,
}

impl std::fmt::Debug for FlowTable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FlowTable").field("stats", &self.stats()).finish_non_exhaustive()
    }
}

/// What a packet looks like to the table.
#[derive(Clone, Copy)]
struct Arrival<'p> {
    number: u64,
    key: FlowKey,
    sender: End,
    src: Endpoint,
    dst: Endpoint,
    ip_len: u32,
    macs: Option<(MacAddr, MacAddr)>,
    vlan: Option<u16>,
    tunnel: Option<Tunnel>,
    payload: &'p [u8],
    payload_len: u32,
}

impl FlowTable {
    /// An empty table.
    pub fn new(config: &FlowConfig) -> Self {
        Self {
            config: config.clone(),
            known: None,
            store: Store::default(),
            now: Timestamp::from_nanos(i64::MIN),
            bytes: 0,
            total: 0,
            evicted: 0,
        }
    }

    /// Asks `known` who serves what, where the first message does not tell.
    #[must_use]
    pub fn with_known_services(mut self, known: KnownServices) -> Self {
        self.known = Some(known);
        self
    }

    /// Counts so far.
    pub fn stats(&self) -> FlowStats {
        FlowStats {
            open: self.store.len() as u64,
            total: self.total,
            evicted: self.evicted,
            bytes: self.bytes as u64,
        }
    }

    /// Takes packet `number`; what it makes known is appended to `out`.
    pub fn on_packet(&mut self, number: u64, packet: &Packet<'_>, out: &mut Vec<Event>) {
        self.now = self.now.max(packet.ts);
        match &packet.body {
            Body::Arp(arp) => out.push(arp_event(arp, number, self.now)),
            Body::Ip(ip) => match &ip.transport {
                TransportHeader::Tcp(segment) => self.on_tcp(number, packet, ip, segment, out),
                TransportHeader::Udp(datagram) => {
                    let ports = (datagram.src_port, datagram.dst_port);
                    let content = (datagram.payload, datagram.payload_len);
                    let arrival = arrival(number, packet, ip, Transport::Udp, ports, content);
                    self.on_datagram(arrival, Opening::Datagram, None, out);
                }
                TransportHeader::Sctp(sctp) => {
                    let ports = (sctp.src_port, sctp.dst_port);
                    let content = (sctp.payload, sctp.payload_len);
                    let arrival = arrival(number, packet, ip, Transport::Sctp, ports, content);
                    self.on_datagram(arrival, sctp_opening(sctp.chunk), Some(sctp.chunk), out);
                }
                TransportHeader::Icmp(message) => self.on_icmp(number, packet, ip, message, out),
            },
        }
    }

    /// Lets time pass: what became due by `now` is appended to `out`.
    pub fn on_tick(&mut self, number: u64, now: Timestamp, out: &mut Vec<Event>) {
        self.now = self.now.max(now);
        for queue in Queue::ALL {
            while let Some(slot) = self.store.front(queue) {
                let due = |connection| expiry::is_due(&self.config, connection, self.now);
                if !self.store.get(slot).is_some_and(due) {
                    break;
                }
                self.on_due(slot, number, out);
            }
        }
    }

    /// Ends all connections, because the input has ended: in order of start, then of first packet.
    pub fn finish(&mut self, number: u64, now: Timestamp, out: &mut Vec<Event>) {
        self.now = self.now.max(now);
        let mut order: Vec<_> = self
            .store
            .slots()
            .map(|(slot, connection)| (connection.start, connection.number, slot))
            .collect();
        order.sort_unstable();
        for (_, _, slot) in order {
            self.end(slot, Judgement::Unknown, number, out);
        }
    }

    fn on_tcp(
        &mut self,
        number: u64,
        packet: &Packet<'_>,
        ip: &IpPacket<'_>,
        segment: &TcpSegment<'_>,
        out: &mut Vec<Event>,
    ) {
        let ports = (segment.src_port, segment.dst_port);
        let content = (segment.payload, segment.payload_len);
        let arrival = arrival(number, packet, ip, Transport::Tcp, ports, content);
        let found = self.find(&arrival.key, number, out);
        let found = found.and_then(|slot| self.unless_reused(slot, &arrival, segment, out));
        let slot = match found {
            Some(slot) => slot,
            None => self.begin_tcp(&arrival, segment, out),
        };
        self.continue_tcp(slot, &arrival, segment, out);
    }

    /// The connection with `key`, unless its time was up.
    fn find(&mut self, key: &FlowKey, number: u64, out: &mut Vec<Event>) -> Option<u32> {
        let slot = self.store.find(key)?;
        // An attempt that is due goes on to wait for something else, which may be due as well.
        for _ in 0..Queue::ALL.len() {
            match self.store.get(slot) {
                Some(c) if c.key == *key && expiry::is_due(&self.config, c, self.now) => {
                    self.on_due(slot, number, out);
                }
                Some(c) if c.key == *key => return Some(slot),
                _ => return None,
            }
        }
        None
    }

    /// Ends a connection whose ports a SYN takes for a new one.
    fn unless_reused(
        &mut self,
        slot: u32,
        arrival: &Arrival<'_>,
        segment: &TcpSegment<'_>,
        out: &mut Vec<Event>,
    ) -> Option<u32> {
        if !segment.flags.has(TcpFlags::SYN) {
            return Some(slot);
        }
        let connection = self.store.get_mut(slot)?;
        let sender = connection.role(arrival.sender);
        let reuse = match &mut connection.detail {
            Detail::Syn(isn) => {
                let again = segment.flags.has(TcpFlags::ACK) || sender == Role::Server;
                !again && *isn != segment.seq
            }
            Detail::Tcp(tcp) => tcp.is_reused_by(segment, sender),
            Detail::Datagrams { .. } => false,
        };
        if !reuse {
            return Some(slot);
        }
        self.report_oddities(slot, arrival, out);
        self.end(slot, Judgement::Unknown, arrival.number, out);
        None
    }

    fn begin_tcp(
        &mut self,
        arrival: &Arrival<'_>,
        segment: &TcpSegment<'_>,
        out: &mut Vec<Event>,
    ) -> u32 {
        let opening = direction::tcp_opening(segment);
        let known = self.known.as_ref();
        let direction = direction::tcp_direction(opening, segment, arrival.src, arrival.dst, known);
        let plain = TcpFlags::SYN | TcpFlags::FIN | TcpFlags::RST | TcpFlags::ACK | TcpFlags::URG;
        let is_plain_syn = segment.flags.0 & plain == TcpFlags::SYN
            && segment.payload_len == 0
            && segment.window != 0;
        let detail =
            if is_plain_syn { Detail::Syn(segment.seq) } else { Detail::Tcp(Box::new(Tcp::new())) };
        self.begin(arrival, opening, direction, detail, Facts::default(), out)
    }

    fn begin(
        &mut self,
        arrival: &Arrival<'_>,
        opening: Opening,
        direction: Direction,
        detail: Detail,
        facts: Facts,
        out: &mut Vec<Event>,
    ) -> u32 {
        let sender_is_client = direction.sender == Role::Client;
        let (client, macs) = if sender_is_client {
            (arrival.sender, arrival.macs)
        } else {
            (arrival.sender.other(), arrival.macs.map(|(src, dst)| (dst, src)))
        };
        let connection = Connection {
            key: arrival.key,
            start: self.now,
            number: arrival.number,
            last: self.now,
            queued: self.now,
            next: NOWHERE,
            previous: NOWHERE,
            client: Counters::default(),
            server: Counters::default(),
            detail,
            macs,
            vlan: arrival.vlan,
            tunnel: arrival.tunnel,
            orientation: Orientation { client, inferred: direction.inferred },
            queue: match arrival.key.transport() {
                Transport::Tcp => Queue::TcpAttempt,
                _ => Queue::DatagramAttempt,
            },
            opening,
            outcome: None,
            service: None,
            talker: None,
            facts: Facts {
                to_group: is_group(if sender_is_client { arrival.dst } else { arrival.src }.addr),
                may_flip: direction.weak,
                flipped: !sender_is_client,
                server_first: !sender_is_client,
                ..facts
            },
        };
        let cost = connection.cost();
        self.make_room(cost, NOWHERE, arrival.number, out);
        self.bytes += cost;
        self.total += 1;
        let mut connection = connection;
        if let (Detail::Tcp(tcp), false) = (&mut connection.detail, sender_is_client) {
            // An empty history, marked as turned round.
            tcp.history.flip();
        }
        self.store.insert(connection)
    }

    fn continue_tcp(
        &mut self,
        slot: u32,
        arrival: &Arrival<'_>,
        segment: &TcpSegment<'_>,
        out: &mut Vec<Event>,
    ) {
        let now = self.now;
        let Some(connection) = self.store.get_mut(slot) else { return };
        let mut sender = connection.role(arrival.sender);
        connection.count(sender, arrival.ip_len, segment.payload_len > 0);
        if let Detail::Syn(isn) = connection.detail {
            let is_same = sender == Role::Client
                && segment.flags.0 & !(TcpFlags::PSH | 0xc0) == TcpFlags::SYN
                && segment.payload_len == 0
                && segment.window != 0;
            if is_same {
                connection.last = now;
                let judged = outcome::after_repeated_syn(connection);
                self.settle(slot, judged, arrival.number, out);
                return;
            }
            let before = connection.cost();
            connection.detail = Detail::Tcp(Box::new(Tcp::after_syn(isn)));
            self.bytes += connection.cost() - before;
        }
        let before = connection.cost();
        let Detail::Tcp(tcp) = &mut connection.detail else { return };
        let step = tcp.on_segment(segment, sender, self.config.prefix_bytes);
        let is_over = tcp.is_over();
        let is_odd = tcp.oddities.has_fresh();
        if step.counts {
            connection.last = now;
        }
        if let Some((protocol, role)) = step.protocol {
            connection.service.get_or_insert(protocol);
            let facts = connection.facts;
            if facts.may_flip && !facts.reported && role.is_some_and(|role| role != sender) {
                connection.flip();
                sender = connection.role(arrival.sender);
            }
            connection.facts.may_flip = false;
        }
        let after = connection.cost();
        let was_over = std::mem::replace(&mut connection.facts.over, is_over);
        let judged = if connection.facts.settled {
            None
        } else {
            outcome::after_segment(connection, segment, sender)
        };
        self.bytes = self.bytes + after - before;
        if is_odd {
            self.report_oddities(slot, arrival, out);
        }
        if judged.is_some() || is_over != was_over {
            self.settle(slot, judged, arrival.number, out);
        } else {
            self.keep_alive(slot);
        }
        if after > before {
            self.make_room(0, slot, arrival.number, out);
        }
    }

    fn on_datagram(
        &mut self,
        arrival: Arrival<'_>,
        opening: Opening,
        chunk: Option<u8>,
        out: &mut Vec<Event>,
    ) {
        let transport = arrival.key.transport();
        let slot = match self.find(&arrival.key, arrival.number, out) {
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
                    Some(chunk) => sctp_direction(chunk, &arrival),
                };
                let detail = Detail::Datagrams { client: 0, server: 0 };
                self.begin(&arrival, opening, direction, detail, Facts::default(), out)
            }
        };
        let Some(connection) = self.store.get_mut(slot) else { return };
        let sender = connection.role(arrival.sender);
        count_datagram(connection, sender, &arrival, self.now);
        if transport == Transport::Udp
            && connection.service.is_none()
            && connection.counters_mut(sender).packets <= SNIFFED_DATAGRAMS
        {
            let ports = Ports { sender: arrival.src.port, receiver: arrival.dst.port };
            if let Verdict::Is(protocol, _) = recognise_datagram(arrival.payload, ports) {
                connection.service = Some(protocol);
            }
        }
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
    }

    fn on_icmp(
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
        let mut arrival =
            arrival(number, packet, ip, Transport::Icmp, (src.port, dst.port), content);
        if matches!(kind, icmp::Kind::Error | icmp::Kind::OneWay) {
            let about = message.quoted.map(|quoted| quoted.dst).filter(|&dst| dst != ip.src);
            (arrival.key, arrival.sender) = FlowKey::one_way(src, dst, about);
        }
        let found = self.find(&arrival.key, number, out);
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
                let is_error = kind == icmp::Kind::Error;
                let facts = Facts {
                    one_way: !matches!(kind, icmp::Kind::Query(_) | icmp::Kind::Reply(_)),
                    is_error,
                    reported: is_error,
                    settled: is_error,
                    ..Facts::default()
                };
                let detail = Detail::Datagrams { client: 0, server: 0 };
                self.begin(&arrival, Opening::Datagram, direction, detail, facts, out)
            }
        };
        let Some(connection) = self.store.get_mut(slot) else { return };
        let sender = connection.role(arrival.sender);
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
        let (key, sender) = FlowKey::new(quoted.0, quoted.1, quoted.2);
        let Some(slot) = self.find(&key, number, out) else { return };
        let Some(connection) = self.store.get(slot) else { return };
        if connection.facts.settled || connection.role(sender) == Role::Server {
            return;
        }
        self.settle(slot, Some(Judgement::Known(outcome)), number, out);
    }

    fn settle_or_keep(
        &mut self,
        slot: u32,
        judged: Option<Judgement>,
        number: u64,
        out: &mut Vec<Event>,
    ) {
        if judged.is_some() {
            self.settle(slot, judged, number, out);
        } else {
            self.keep_alive(slot);
        }
    }

    /// Takes note of a judgement, reports the contact if it is the first, and moves the connection
    /// to the queue where it now belongs.
    fn settle(&mut self, slot: u32, judged: Option<Judgement>, number: u64, out: &mut Vec<Event>) {
        let now = self.now;
        let Some(connection) = self.store.get_mut(slot) else { return };
        if let Some(judgement) = judged {
            let outcome = judgement.outcome();
            connection.outcome = outcome.or(connection.outcome);
            connection.facts.settled = matches!(
                outcome,
                Some(Outcome::Accepted | Outcome::Refused | Outcome::Unreachable)
            );
            if !connection.facts.reported {
                connection.facts.reported = true;
                out.push(report::contact(connection, outcome, number, now));
            }
        }
        let queue = queue_of(connection);
        if queue != connection.queue {
            self.store.enqueue(slot, queue, now);
        } else {
            self.keep_alive(slot);
        }
    }

    fn keep_alive(&mut self, slot: u32) {
        let now = self.now;
        let Some(connection) = self.store.get(slot) else { return };
        let queue = queue_of(connection);
        if queue != connection.queue || expiry::should_move(&self.config, connection, now) {
            self.store.enqueue(slot, queue, now);
        }
    }

    /// The time of a connection in its queue is up: an attempt gets its outcome and waits on, the
    /// rest is over.
    fn on_due(&mut self, slot: u32, number: u64, out: &mut Vec<Event>) {
        let Some(connection) = self.store.get_mut(slot) else { return };
        if connection.facts.reported {
            self.end(slot, Judgement::Unknown, number, out);
            return;
        }
        let judgement = outcome::after_timeout(connection);
        if connection.facts.over
            && expiry::timeout(&self.config, Queue::Over) <= self.now.since(connection.last)
        {
            self.end(slot, judgement, number, out);
        } else {
            self.settle(slot, Some(judgement), number, out);
        }
    }

    /// Ends a connection: its contact if it has none yet, with this judgement, and its record.
    fn end(&mut self, slot: u32, judgement: Judgement, number: u64, out: &mut Vec<Event>) {
        let Some(mut connection) = self.store.remove(slot) else { return };
        self.bytes -= connection.cost();
        if !connection.facts.reported {
            let outcome = judgement.outcome();
            connection.outcome = outcome;
            out.push(report::contact(&connection, outcome, number, self.now));
        }
        out.push(report::conn(&connection, number, self.now));
    }

    /// Evicts connections other than `keep` until `extra` more bytes fit into the budget.
    fn make_room(&mut self, extra: usize, keep: u32, number: u64, out: &mut Vec<Event>) {
        while self.bytes + extra > self.config.budget_bytes {
            let Some(slot) = expiry::victim(&self.store).filter(|&slot| slot != keep) else {
                break;
            };
            self.evicted += 1;
            self.end(slot, Judgement::Unknown, number, out);
        }
    }

    fn report_oddities(&mut self, slot: u32, arrival: &Arrival<'_>, out: &mut Vec<Event>) {
        let now = self.now;
        let Some(connection) = self.store.get_mut(slot) else { return };
        let Detail::Tcp(tcp) = &mut connection.detail else { return };
        let fresh = tcp.oddities.take_fresh();
        let ends = (arrival.src.addr, arrival.dst.addr);
        let connection = &*connection;
        out.extend(fresh.map(|o| report::weird(connection, o, ends, arrival.number, now)));
    }
}

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
    if let Detail::Datagrams { client, server } = &mut connection.detail {
        match sender {
            Role::Client => *client += u64::from(arrival.payload_len),
            Role::Server => *server += u64::from(arrival.payload_len),
        }
    }
}

/// Where a connection belongs.
fn queue_of(connection: &Connection) -> Queue {
    let facts = connection.facts;
    match connection.key.transport() {
        Transport::Tcp if !facts.reported => Queue::TcpAttempt,
        _ if !facts.reported => Queue::DatagramAttempt,
        Transport::Icmp => Queue::Icmp,
        Transport::Udp | Transport::Sctp => Queue::Datagrams,
        Transport::Tcp if facts.over => Queue::Over,
        Transport::Tcp => match connection.outcome {
            Some(Outcome::Accepted) if connection.is_two_sided() => Queue::Established,
            Some(Outcome::Accepted) => Queue::Partial,
            _ => Queue::Tried,
        },
    }
}

fn arrival<'p>(
    number: u64,
    packet: &Packet<'_>,
    ip: &IpPacket<'_>,
    transport: Transport,
    (src_port, dst_port): (u16, u16),
    (payload, payload_len): (&'p [u8], u32),
) -> Arrival<'p> {
    let (src, dst) = (Endpoint::new(ip.src, src_port), Endpoint::new(ip.dst, dst_port));
    let (key, sender) = FlowKey::new(transport, src, dst);
    Arrival {
        number,
        key,
        sender,
        src,
        dst,
        ip_len: ip.ip_len,
        macs: packet.macs,
        vlan: packet.vlan,
        tunnel: packet.tunnel,
        payload,
        payload_len,
    }
}

fn arp_event(arp: &decode::Arp, number: u64, now: Timestamp) -> Event {
    /// REQUEST, in RFC 826's numbering.
    const REQUEST: u16 = 1;
    let body = event::Body::Arp(event::Arp {
        is_request: arp.operation == REQUEST,
        sender_mac: arp.sender_mac,
        sender: arp.sender,
        target_mac: arp.target_mac,
        target: arp.target,
    });
    Event { ts: now, packet: number, conversation: None, body }
}

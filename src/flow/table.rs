//! The connection table: packets in, events out.

use std::net::IpAddr;
use std::ops::Add;
use std::sync::Arc;

use super::arrival::Arrival;
use super::config::FlowConfig;
use super::connection::{Connection, Counters, Detail, Facts};
use super::direction::Direction;
use super::expectations::Expectations;
use super::expiry::{self, Timeouts};
use super::fingerprints::Prints;
use super::key::{FlowKey, Hint, Lookup, Orientation};
use super::outcome::{self, Judgement};
use super::reading::Dissectors;
use super::report;
use super::store::{NOWHERE, Queue, Store};
use super::telling;
use crate::decode::{self, Body, Packet, TransportHeader};
use crate::event::{self, Event, Opening, Outcome};
use crate::net::{Ends, Service, Transport, is_group};
use crate::proto::{self, Role};
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
    pub(super) config: FlowConfig,
    pub(super) timeouts: Timeouts,
    pub(super) known: Option<KnownServices>,
    pub(super) store: Store,
    pub(super) now: Timestamp,
    pub(super) bytes: usize,
    pub(super) expected: Expectations,
    pub(super) dissectors: Dissectors,
    total: u64,
    evicted: u64,
}

impl std::fmt::Debug for FlowTable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FlowTable").field("stats", &self.stats()).finish_non_exhaustive()
    }
}

impl FlowTable {
    /// An empty table.
    pub fn new(config: &FlowConfig) -> Self {
        Self {
            config: config.clone(),
            timeouts: Timeouts::new(config),
            known: None,
            store: Store::default(),
            now: Timestamp::from_nanos(i64::MIN),
            bytes: 0,
            expected: Expectations::default(),
            dissectors: proto::dissector,
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

    /// Where to look for the connection between these ends.
    ///
    /// This and the next two are for who knows of several packets at once: their connections are
    /// all over memory, and to wait for that of one at a time is most of what a packet costs. So
    /// each step asks the processor for what the next one reads, and changes nothing.
    #[inline]
    pub fn hint(&self, ends: &Ends) -> Hint {
        let (key, _) = FlowKey::new(ends);
        let hash = self.store.hash(&key);
        self.store.prefetch_index(hash);
        Hint { hash, place: NOWHERE }
    }

    /// Looks where the connection is, and has what every packet of it reads fetched.
    #[inline]
    pub fn prefetch(&self, hint: &mut Hint) {
        if let Some(place) = self.store.guess(hint.hash) {
            hint.place = place;
            self.store.prefetch(place);
        }
    }

    /// Has what TCP's packets read beside that fetched.
    #[inline]
    pub fn prefetch_detail(&self, hint: &Hint) {
        if let Some(connection) = self.store.get(hint.place) {
            connection.prefetch_detail();
        }
    }

    /// Takes packet `number`; what it makes known is appended to `out`. `hint` is what was found out
    /// about its ends before.
    #[inline]
    pub fn on_packet(
        &mut self,
        number: u64,
        packet: &Packet<'_>,
        hint: Option<Hint>,
        out: &mut Vec<Event>,
    ) {
        self.now = self.now.max(packet.ts);
        let lookup = packet.ends().map(|ends| self.lookup(&ends, hint));
        if let (Body::Ip(ip), Some(lookup)) = (&packet.body, &lookup)
            && let TransportHeader::Tcp(segment) = &ip.transport
            && self.go_on(lookup, ip.ip_len, segment)
        {
            return;
        }
        self.on_any_packet(lookup.as_ref(), number, packet, out);
    }

    /// By what the connection between these ends is found.
    #[inline]
    pub(super) fn lookup(&self, ends: &Ends, hint: Option<Hint>) -> Lookup {
        let (key, sender) = FlowKey::new(ends);
        let hint = hint.unwrap_or_else(|| Hint { hash: self.store.hash(&key), place: NOWHERE });
        Lookup { key, sender, hint }
    }

    /// Takes a packet, whatever it is.
    pub(super) fn on_any_packet(
        &mut self,
        lookup: Option<&Lookup>,
        number: u64,
        packet: &Packet<'_>,
        out: &mut Vec<Event>,
    ) {
        let ip = match &packet.body {
            Body::Arp(arp) => return out.push(arp_event(arp, number, self.now)),
            Body::Ip(ip) => ip,
        };
        let (ports, content) = match &ip.transport {
            TransportHeader::Tcp(tcp) => {
                ((tcp.src_port, tcp.dst_port), (tcp.payload, tcp.payload_len))
            }
            TransportHeader::Udp(udp) => {
                ((udp.src_port, udp.dst_port), (udp.payload, udp.payload_len))
            }
            TransportHeader::Sctp(sctp) => {
                ((sctp.src_port, sctp.dst_port), (sctp.payload, sctp.payload_len))
            }
            TransportHeader::Icmp(message) => {
                return self.on_icmp(number, packet, ip, message, out);
            }
        };
        let Some(lookup) = lookup else { return };
        let arrival = Arrival::new(number, packet, ip, lookup, ports, content);
        match &ip.transport {
            TransportHeader::Tcp(tcp) => self.on_tcp(&arrival, tcp, out),
            TransportHeader::Sctp(sctp) => self.on_datagram(&arrival, Some(sctp.chunk), out),
            _ => self.on_datagram(&arrival, None, out),
        }
    }

    /// Lets time pass: what became due by `now` is appended to `out`.
    pub fn on_tick(&mut self, number: u64, now: Timestamp, out: &mut Vec<Event>) {
        self.now = self.now.max(now);
        for queue in Queue::ALL {
            while let Some(slot) = self.store.front(queue) {
                let due = |connection| self.timeouts.is_due(connection, self.now);
                if !self.store.get(slot).is_some_and(due) {
                    break;
                }
                self.store.prefetch_behind(slot);
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
        for (at, &(_, _, slot)) in order.iter().enumerate() {
            if let Some(&(_, _, later)) = order.get(at + 16) {
                self.store.prefetch(later);
            }
            if let Some(later) = order.get(at + 6).and_then(|&(_, _, later)| self.store.get(later))
            {
                later.prefetch_detail();
            }
            self.end(slot, Judgement::Unknown, number, out);
        }
    }

    /// The connection that is looked up, unless its time was up.
    #[inline]
    pub(super) fn find(
        &mut self,
        lookup: &Lookup,
        number: u64,
        out: &mut Vec<Event>,
    ) -> Option<u32> {
        let slot = self.store.find(lookup)?;
        if !self.timeouts.is_due(self.store.get(slot)?, self.now) {
            return Some(slot);
        }
        self.outlast(slot, &lookup.key, number, out)
    }

    /// The connection in `slot` is due; gives it if it is still the one with `key` afterwards.
    #[cold]
    fn outlast(
        &mut self,
        slot: u32,
        key: &FlowKey,
        number: u64,
        out: &mut Vec<Event>,
    ) -> Option<u32> {
        // An attempt that is due goes on to wait for something else, which may be due as well.
        for _ in 0..Queue::ALL.len() {
            match self.store.get(slot) {
                Some(c) if c.key == *key && self.timeouts.is_due(c, self.now) => {
                    self.on_due(slot, number, out);
                }
                Some(c) if c.key == *key => return Some(slot),
                _ => return None,
            }
        }
        None
    }

    /// Takes in a connection that begins with this packet, which is not counted yet.
    pub(super) fn begin(
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
            (arrival.lookup.sender, arrival.macs)
        } else {
            (arrival.lookup.sender.other(), arrival.macs.map(|(src, dst)| (dst, src)))
        };
        let mut connection = Connection {
            key: arrival.lookup.key,
            start: self.now,
            number: arrival.number,
            last: self.now,
            queued: self.now,
            next: NOWHERE,
            previous: NOWHERE,
            client: Counters::default(),
            server: Counters::default(),
            turns: (0, 0),
            detail,
            macs,
            vlan: arrival.vlan,
            tunnel: arrival.tunnel,
            orientation: Orientation { client, inferred: direction.inferred },
            queue: match arrival.lookup.key.transport() {
                Transport::Tcp => Queue::TcpAttempt,
                _ => Queue::DatagramAttempt,
            },
            opening,
            outcome: None,
            service: None,
            talker: None,
            facts: Facts {
                to_group: is_group(if sender_is_client { arrival.dst } else { arrival.src }.addr)
                    || macs.is_some_and(|(_, server)| server.is_group()),
                may_flip: direction.weak,
                flipped: !sender_is_client,
                server_first: !sender_is_client,
                ..facts
            },
        };
        if !self.expected.is_empty() {
            let lens = self.lens();
            telling::meet(&mut self.expected, &mut connection, lens);
        }
        let cost = connection.cost();
        self.make_room(cost, arrival.number, out);
        self.bytes += cost;
        self.total += 1;
        if let (Detail::Tcp(tcp), false) = (&mut connection.detail, sender_is_client) {
            // An empty history, marked as turned round.
            tcp.history.flip();
        }
        self.store.insert(connection)
    }

    /// Takes note of a judgement if there is one, else only that the connection lives.
    pub(super) fn settle_or_keep(
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
    pub(super) fn settle(
        &mut self,
        slot: u32,
        judged: Option<Judgement>,
        number: u64,
        out: &mut Vec<Event>,
    ) {
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

    #[inline]
    pub(super) fn keep_alive(&mut self, slot: u32) {
        let now = self.now;
        let Some(connection) = self.store.get(slot) else { return };
        // Once established and settled, only a new judgement moves it to another queue.
        if connection.queue == Queue::Established
            && connection.facts.settled
            && !self.timeouts.should_move(connection, now)
        {
            return;
        }
        let queue = queue_of(connection);
        if queue != connection.queue || self.timeouts.should_move(connection, now) {
            self.store.enqueue(slot, queue, now);
        }
    }

    /// The time of a connection in its queue is up: an attempt gets its outcome and waits on, the
    /// rest is over.
    fn on_due(&mut self, slot: u32, number: u64, out: &mut Vec<Event>) {
        let Some(connection) = self.store.get_mut(slot) else { return };
        if connection.queue == Queue::Over {
            self.tell_over(slot, number, out);
            return;
        }
        if connection.facts.reported {
            self.end(slot, Judgement::Unknown, number, out);
            return;
        }
        let judgement = outcome::after_timeout(connection);
        let is_late = self.timeouts.is_over(Queue::Told, connection.last, self.now);
        if connection.facts.over && is_late {
            self.end(slot, judgement, number, out);
        } else {
            self.settle(slot, Some(judgement), number, out);
        }
    }

    /// Writes the record of a connection that is over, and keeps the place for what comes late.
    fn tell_over(&mut self, slot: u32, number: u64, out: &mut Vec<Event>) {
        let (lens, now) = (self.lens(), self.now);
        let Some(connection) = self.store.get_mut(slot) else { return };
        let before = connection.cost();
        let rest = telling::rest(&mut self.expected, connection, lens);
        let conversation = connection.conversation();
        let record = report::conn(connection, number, now);
        connection.facts.told = true;
        if let Detail::Tcp(tcp) = &mut connection.detail {
            tcp.prints = Prints::default();
            tcp.forget_content();
        }
        self.bytes = self.bytes + connection.cost() - before;
        self.store.enqueue(slot, Queue::Told, now);
        if let Some(rest) = rest {
            self.tell(&conversation, rest, number, out);
        }
        out.push(record);
    }

    /// Ends a connection: its contact if it has none yet, with this judgement, and its record, unless
    /// that was written.
    pub(super) fn end(
        &mut self,
        slot: u32,
        judgement: Judgement,
        number: u64,
        out: &mut Vec<Event>,
    ) {
        let Some(mut connection) = self.store.remove(slot) else { return };
        self.bytes -= connection.cost();
        if connection.facts.told {
            return;
        }
        if !connection.facts.reported {
            let outcome = judgement.outcome();
            connection.outcome = outcome;
            out.push(report::contact(&connection, outcome, number, self.now));
        }
        let lens = self.lens();
        if let Some(rest) = telling::rest(&mut self.expected, &mut connection, lens) {
            self.tell(&connection.conversation(), rest, number, out);
        }
        out.push(report::conn(&mut connection, number, self.now));
    }

    /// Evicts connections until `extra` more bytes fit into the budget.
    pub(super) fn make_room(&mut self, extra: usize, number: u64, out: &mut Vec<Event>) {
        while self.bytes + extra > self.config.budget.0 {
            let Some(slot) = expiry::victim(&self.store) else { break };
            self.evicted += 1;
            self.end(slot, Judgement::Unknown, number, out);
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
        Transport::Tcp if facts.told => Queue::Told,
        // A reset may be one that the other end never got: what follows it belongs to the record.
        Transport::Tcp if facts.over && !connection.has_closed() => Queue::Told,
        Transport::Tcp if facts.over => Queue::Over,
        Transport::Tcp => match connection.outcome {
            Some(Outcome::Accepted) if connection.is_two_sided() => Queue::Established,
            Some(Outcome::Accepted) => Queue::Partial,
            _ => Queue::Tried,
        },
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

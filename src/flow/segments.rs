//! TCP packets at the table: whose connection they are, and what follows from what they did.

use super::arrival::Arrival;
use super::connection::{Detail, Facts};
use super::direction;
use super::drips::Dripping;
use super::fingerprints::{Prints, are_near};
use super::oddity::Oddity;
use super::outcome::{self, Judgement};
use super::report;
use super::table::FlowTable;
use super::tcp::Tcp;
use super::telling;
use crate::decode::{TcpFlags, TcpSegment};
use crate::event::Event;
use crate::proto::Role;

impl FlowTable {
    /// Takes a segment.
    pub(super) fn on_tcp(
        &mut self,
        arrival: &Arrival<'_>,
        segment: &TcpSegment<'_>,
        out: &mut Vec<Event>,
    ) {
        let found = self.find(arrival.lookup, arrival.number, out);
        let found = found.and_then(|slot| self.unless_reused(slot, arrival, segment, out));
        let slot = match found {
            Some(slot) => slot,
            None => self.begin_tcp(arrival, segment, out),
        };
        self.continue_tcp(slot, arrival, segment, out);
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
        let sender = connection.role(arrival.lookup.sender);
        let reuse = match &mut connection.detail {
            Detail::Syn(isn) => {
                let again = segment.flags.has(TcpFlags::ACK) || sender == Role::Server;
                !again && *isn != segment.seq
            }
            Detail::Tcp(tcp) => tcp.is_reused_by(segment, sender),
            Detail::Datagrams(_) | Detail::Resting(_) | Detail::ReadDatagrams(_) => false,
        };
        if !reuse {
            return Some(slot);
        }
        if matches!(connection.detail, Detail::Syn(_)) {
            let ends = (arrival.src.addr, arrival.dst.addr);
            out.push(report::weird(connection, Oddity::SynSeqJump, ends, arrival.number, self.now));
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
        let detail = if is_plain_syn {
            Detail::Syn(segment.seq)
        } else {
            let (prints, dripping) = watches(arrival);
            Detail::Tcp(Box::new(Tcp::new(prints, dripping)))
        };
        self.begin(arrival, opening, direction, detail, Facts::default(), out)
    }

    fn continue_tcp(
        &mut self,
        slot: u32,
        arrival: &Arrival<'_>,
        segment: &TcpSegment<'_>,
        out: &mut Vec<Event>,
    ) {
        let (now, lens) = (self.now, self.lens());
        let Some(connection) = self.store.get_mut(slot) else { return };
        let mut sender = connection.role(arrival.lookup.sender);
        connection.count(sender, arrival.ip_len, segment.payload_len > 0);
        let before = connection.cost();
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
            let (prints, dripping) = watches(arrival);
            connection.detail = Detail::Tcp(Box::new(Tcp::after_syn(isn, prints, dripping)));
            if connection.service.is_some() {
                telling::meet(&mut self.expected, connection, lens);
            }
        }
        let Detail::Tcp(tcp) = &mut connection.detail else { return };
        let step = tcp.on_segment(segment, sender, lens);
        let (is_over, has_closed) = (tcp.is_over(), tcp.has_closed());
        let is_odd = tcp.oddities.has_fresh();
        if step.counts {
            connection.last = now;
        }
        if let Some(protocol) = step.protocol {
            connection.service.get_or_insert(protocol);
            let facts = connection.facts;
            if facts.may_flip && !facts.reported && step.wrong_way {
                connection.flip();
                sender = connection.role(arrival.lookup.sender);
            }
            connection.facts.may_flip = false;
        }
        let talk = step.protocol.map(|_| connection.conversation());
        if has_closed {
            telling::name(&mut self.expected, connection, lens);
        }
        let findings = match &mut connection.detail {
            Detail::Tcp(tcp) => tcp.read(lens, talk),
            _ => None,
        };
        let findings = findings.map(|findings| (connection.conversation(), findings));
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
        if let Some((conversation, findings)) = findings {
            self.tell(&conversation, findings, arrival.number, out);
        }
        if after > before {
            self.make_room(0, arrival.number, out);
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

/// Fingerprints are taken where a copy may go on from either end, and a model's answers looked for where
/// the model is one of the house.
fn watches(arrival: &Arrival<'_>) -> (Prints, Dripping) {
    if are_near(arrival.src.addr, arrival.dst.addr) {
        (Prints::on(), Dripping::on())
    } else {
        (Prints::default(), Dripping::default())
    }
}

//! The shortest way through a connection, for the segment that nearly every segment is: the next
//! one, or an acknowledgement, of a TCP connection that is established, and whose content nobody
//! looks at any more.
//!
//! It decides nothing: whatever is unusual goes the general way, which gives the same for these
//! segments as well (a test holds the two together).

use super::connection::Detail;
use super::endpoint::{Endpoint, State};
use super::history::Once;
use super::key::Lookup;
use super::store::Queue;
use super::table::FlowTable;
use super::tcp::Tcp;
use crate::decode::{TcpFlags, TcpSegment};
use crate::proto::Role;

impl FlowTable {
    /// Takes a segment if it is one of these.
    #[inline]
    pub(super) fn go_on(&mut self, of: &Lookup, ip_len: u32, segment: &TcpSegment<'_>) -> bool {
        let (now, slot) = (self.now, of.hint.place);
        let Some(connection) = self.store.get_mut(slot) else { return false };
        let sender = connection.role(of.sender);
        let is_settled = connection.facts.settled && connection.queue == Queue::Established;
        if connection.key != of.key || !is_settled || self.timeouts.is_due(connection, now) {
            return false;
        }
        let Detail::Tcp(tcp) = &mut connection.detail else { return false };
        if !tcp.goes_on(segment, sender) {
            return false;
        }
        tcp.dripping.on_data(sender, now, segment.payload_len);
        connection.count(sender, ip_len, segment.payload_len > 0);
        connection.last = now;
        if self.timeouts.should_move(connection, now) {
            self.store.enqueue(slot, Queue::Established, now);
        }
        true
    }
}

impl Tcp {
    /// Takes the segment if all that it does is to move the numbers of both sides on.
    #[inline]
    fn goes_on(&mut self, segment: &TcpSegment<'_>, sender: Role) -> bool {
        const CONTROLS: u8 = TcpFlags::SYN | TcpFlags::FIN | TcpFlags::RST | TcpFlags::ACK;
        let is_whole = segment.payload.len() == segment.payload_len as usize;
        let is_plain = segment.flags.0 & CONTROLS == TcpFlags::ACK;
        let is_plain = is_plain && segment.window != 0 && segment.ack != 0;
        if self.content.is_some()
            || self.prints.is_on()
            || !is_whole
            || !is_plain
            || !self.has_both_sides()
        {
            return false;
        }
        let (side, peer) = self.sides(sender);
        let (at, acked) = (side.relative(segment.seq), peer.relative_ack(segment.ack));
        let is_next = at == side.last && at == side.stream.next();
        let is_known = acked >= peer.acked && acked <= peer.stream.next();
        if !is_next || !is_known || !side.is_flowing() || !peer.is_flowing() {
            return false;
        }
        side.last += i64::from(segment.payload_len);
        side.stream.advance(side.last);
        peer.acked = acked;
        peer.stream.note_ack(acked);
        match segment.payload_len {
            0 => self.history.once(sender, Once::Ack, 'A'),
            _ => self.history.once(sender, Once::Data, 'D'),
        };
        true
    }
}

impl Endpoint {
    /// Whether it is established, and nothing waits for anything.
    #[inline]
    fn is_flowing(&self) -> bool {
        let closes = self.wants_close || self.has_fin;
        self.state == State::Established && !closes && self.stream.is_in_order()
    }
}

//! Which states a segment leads a side of a connection to, and what is odd about it on the way
//! (RFC 9293 section 3.10, seen from outside).

use super::endpoint::State;
use super::oddity::Oddity;
use super::tcp::Tcp;
use crate::decode::{TcpFlags, TcpSegment};
use crate::proto::Role;

impl Tcp {
    /// Enters the states that this segment leads to; whether the sender's side closes.
    pub(super) fn change_state(
        &mut self,
        segment: &TcpSegment<'_>,
        sender: Role,
        advance: i64,
    ) -> bool {
        match self.side(sender).state {
            State::Inactive => self.leave_inactive(segment, sender),
            State::SynSent | State::SynAckSent => self.leave_syn_sent(segment, sender),
            State::Established | State::Partial => self.leave_established(segment, sender),
            State::Closed => self.leave_closed(segment, sender, advance),
            State::Reset => {
                self.note_after_reset(segment);
                false
            }
        }
    }

    fn leave_inactive(&mut self, segment: &TcpSegment<'_>, sender: Role) -> bool {
        let flags = segment.flags;
        let mut closes = false;
        if flags.has(TcpFlags::SYN) {
            self.open(segment, sender);
        }
        let (side, peer) = self.sides(sender);
        let mut odd = None;
        if flags.has(TcpFlags::FIN) {
            side.enter(State::Closed);
            closes = true;
            if peer.state != State::Partial && !flags.has(TcpFlags::SYN) {
                odd = Some(Oddity::SpontaneousFin);
            }
        }
        if flags.has(TcpFlags::RST) {
            side.enter(State::Reset);
            closes = true;
            if peer.state == State::Inactive {
                odd = Some(Oddity::SpontaneousRst);
            }
        }
        if side.state == State::Inactive {
            let early_ack =
                sender == Role::Server && segment.payload_len == 0 && peer.state == State::SynSent;
            if early_ack {
                // Some stacks acknowledge a SYN before they answer it.
            } else if flags.has(TcpFlags::ACK) && peer.state == State::Established {
                // The SYN was missed, the SYN-ACK was not, and this completes the handshake.
                side.enter(State::Established);
                self.is_partial = false;
            } else {
                side.enter(State::Partial);
            }
        }
        if let Some(odd) = odd {
            self.oddities.note(odd);
        }
        closes
    }

    fn open(&mut self, segment: &TcpSegment<'_>, sender: Role) {
        let ack = segment.flags.has(TcpFlags::ACK);
        if sender == Role::Client {
            self.client.enter(if ack { State::SynAckSent } else { State::SynSent });
            if ack {
                self.oddities.note(Oddity::OriginatorSynAck);
            }
            return;
        }
        let (side, peer) = (&mut self.server, &mut self.client);
        let odd = if !ack {
            Some(Oddity::SimultaneousOpen)
        } else if matches!(peer.state, State::Inactive) {
            Some(Oddity::UnsolicitedSynAck)
        } else if peer.state != State::Partial
            && !(0..=peer.last).contains(&peer.relative(segment.ack))
        {
            Some(Oddity::BadSynAck)
        } else {
            None
        };
        if peer.state == State::SynSent {
            peer.enter(State::Established);
        }
        side.enter(State::Established);
        if let Some(odd) = odd {
            self.oddities.note(odd);
        }
    }

    fn leave_syn_sent(&mut self, segment: &TcpSegment<'_>, sender: Role) -> bool {
        let flags = segment.flags;
        let (side, peer) = self.sides(sender);
        let mut odd = None;
        let mut closes = false;
        if flags.has(TcpFlags::SYN | TcpFlags::ACK)
            && flags.0 & (TcpFlags::FIN | TcpFlags::RST) == 0
            && side.state != State::SynAckSent
            && sender == Role::Client
        {
            odd = Some(Oddity::RepeatedSynWithAck);
        }
        if flags.has(TcpFlags::FIN) {
            if matches!(peer.state, State::Inactive | State::SynSent) {
                odd = Some(Oddity::InappropriateFin);
            }
            side.enter(State::Closed);
            closes = true;
        }
        if flags.has(TcpFlags::RST) {
            side.enter(State::Reset);
            closes = true;
        } else if segment.payload_len > 0 {
            odd = Some(Oddity::DataBeforeEstablished);
        }
        if let Some(odd) = odd {
            self.oddities.note(odd);
        }
        closes
    }

    fn leave_established(&mut self, segment: &TcpSegment<'_>, sender: Role) -> bool {
        let flags = segment.flags;
        let (side, peer) = self.sides(sender);
        let mut odd = None;
        let mut closes = false;
        if flags.has(TcpFlags::SYN) {
            if side.state == State::Partial
                && peer.state == State::Inactive
                && !flags.has(TcpFlags::ACK)
            {
                odd = Some(Oddity::SynAfterPartial);
                side.enter(State::SynSent);
            } else if sender == Role::Server && !flags.has(TcpFlags::ACK) {
                odd = Some(Oddity::RepeatedSynReply);
            }
        }
        if flags.has(TcpFlags::FIN) && !flags.has(TcpFlags::RST) {
            side.enter(State::Closed);
            if peer.state == State::Reset && peer.previous == State::Closed {
                // FIN, then RST, then the other FIN: a normal end after all.
                peer.enter(State::Closed);
            }
            closes = true;
        }
        if flags.has(TcpFlags::RST) {
            side.enter(State::Reset);
            closes = true;
        }
        if let Some(odd) = odd {
            self.oddities.note(odd);
        }
        closes
    }

    fn leave_closed(&mut self, segment: &TcpSegment<'_>, sender: Role, advance: i64) -> bool {
        let flags = segment.flags;
        if flags.has(TcpFlags::SYN) {
            self.oddities.note(Oddity::SynAfterClose);
        }
        if flags.has(TcpFlags::FIN) && advance > 0 {
            self.oddities.note(Oddity::FinAdvanced);
        }
        let (side, peer) = self.sides(sender);
        if flags.has(TcpFlags::RST) && peer.state != State::Closed {
            side.enter(State::Reset);
            return !side.did_close;
        }
        false
    }

    fn note_after_reset(&mut self, segment: &TcpSegment<'_>) {
        if segment.flags.has(TcpFlags::SYN) {
            self.oddities.note(Oddity::SynAfterReset);
        }
        if segment.flags.has(TcpFlags::FIN) {
            self.oddities.note(Oddity::FinAfterReset);
        }
        if segment.payload_len > 0 && !segment.flags.has(TcpFlags::RST) {
            self.oddities.note(Oddity::DataAfterReset);
        }
    }
}

//! One side of a TCP connection: its state and its place in the sequence space.
//!
//! Numbers are kept relative to the side's SYN (RFC 9293 section 3.4), in 64 bits, so that they
//! never wrap; a side whose SYN was not seen is numbered as if it had sent one just before.

use super::history::Scaled;
use super::reassembly::Stream;

/// What a side has done, as Zeek tells it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum State {
    /// Nothing.
    #[default]
    Inactive,
    /// A SYN.
    SynSent,
    /// A SYN-ACK as the first packet of the connection.
    SynAckSent,
    /// Something else without a SYN.
    Partial,
    /// Its part of the handshake.
    Established,
    /// A FIN.
    Closed,
    /// A RST.
    Reset,
}

/// One side. In this order in memory: what every segment reads is in the first cache line.
#[derive(Debug, Default)]
#[repr(C, align(64))]
pub(super) struct Endpoint {
    pub(super) state: State,
    pub(super) previous: State,
    /// Whether it sent what closes it.
    pub(super) wants_close: bool,
    /// Whether it closed and all its data was delivered.
    pub(super) did_close: bool,
    /// Whether it sent a FIN.
    pub(super) has_fin: bool,
    /// Absolute sequence number of its SYN.
    pub(super) start: u32,
    /// One past the highest sequence number it sent, relative.
    pub(super) last: i64,
    /// The highest acknowledgement of the other side, relative.
    pub(super) acked: i64,
    pub(super) stream: Stream,
    /// One past its FIN, relative.
    pub(super) fin_end: i64,
    pub(super) history_syn: i64,
    pub(super) history_fin: i64,
    pub(super) history_rst: i64,
    pub(super) retransmissions: Scaled,
    pub(super) gaps: Scaled,
    pub(super) zero_windows: Scaled,
}

impl Endpoint {
    /// Starts numbering at a SYN with sequence number `seq`, of which a segment of `length` is
    /// seen.
    pub(super) fn start_at_syn(&mut self, seq: u32, length: u32) {
        self.start = seq;
        self.acked = 0;
        self.last = i64::from(length);
    }

    /// Starts numbering in the middle, as if a SYN had come just before `seq`.
    pub(super) fn start_midstream(&mut self, seq: u32) {
        self.start = seq.wrapping_sub(1);
        self.acked = 0;
        self.last = 1;
    }

    /// Starts numbering a silent side from what the other side acknowledges.
    pub(super) fn start_from_ack(&mut self, ack: u32) {
        self.start = ack.wrapping_sub(1);
        self.acked = 0;
        self.last = 0;
    }

    /// `seq` relative to the SYN, taken as the nearest to what was sent last.
    pub(super) fn relative(&self, seq: u32) -> i64 {
        nearest(self.start, self.last, seq)
    }

    /// `ack` relative to the SYN, taken as the nearest to what was acknowledged last.
    pub(super) fn relative_ack(&self, ack: u32) -> i64 {
        nearest(self.start, self.acked, ack)
    }

    /// Enters `state`.
    pub(super) fn enter(&mut self, state: State) {
        if self.state != state {
            self.previous = self.state;
            self.state = state;
        }
    }

    /// Whether none of its data was acknowledged (its SYN may be).
    pub(super) const fn has_no_data_acked(&self) -> bool {
        self.acked <= 1
    }

    /// Payload bytes it sent, by sequence numbers: what was sent or acknowledged, whichever is
    /// more, without SYN and FIN.
    pub(super) fn payload_bytes(&self, peer: State) -> u64 {
        // A half-open connection that its opener aborts: the RST's number may be from any time.
        let aborted_attempt = self.previous == State::SynSent
            && self.state == State::Reset
            && peer == State::Inactive;
        if aborted_attempt && !self.has_no_data_acked() {
            return 0;
        }
        let mut size = u64::try_from(self.last.max(self.acked)).unwrap_or(0);
        size = size.saturating_sub(1);
        if self.has_fin {
            size = size.saturating_sub(1);
        }
        size
    }

    /// Whether established, or closing after it was.
    pub(super) fn is_clean(&self) -> bool {
        self.state == State::Established
            || (self.state == State::Closed && self.previous == State::Established)
    }

    /// Whether data that it sent is still to be delivered, so that its closing has to wait.
    pub(super) fn has_data_pending(&self, peer: &Self) -> bool {
        let next = self.stream.next();
        if self.last < next {
            return false;
        }
        // A FIN takes one number and no byte; a RST takes none.
        if next != self.last - 1 && next != self.last {
            return true;
        }
        self.state != State::Reset && peer.stream.has_unacknowledged()
    }
}

/// The 64-bit number nearest to `anchor` whose low 32 bits, counted from `start`, are `seq`'s.
fn nearest(start: u32, anchor: i64, seq: u32) -> i64 {
    let at = start.wrapping_add(anchor as u32);
    anchor + i64::from(seq.wrapping_sub(at) as i32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_run_on_when_the_sequence_space_wraps() {
        let mut side = Endpoint::default();
        side.start_at_syn(u32::MAX - 10, 1);

        let beyond = side.relative(20);
        side.last = beyond;
        side.last = side.relative(20u32.wrapping_add(1 << 31).wrapping_sub(1));

        assert_eq!(beyond, 31);
        assert_eq!(side.last, 31 + (1 << 31) - 1);
    }

    #[test]
    fn what_lies_before_the_start_is_negative() {
        let mut side = Endpoint::default();
        side.start_at_syn(1000, 1);

        assert_eq!(side.relative(990), -10);
    }

    #[test]
    fn counts_payload_without_syn_and_fin() {
        let mut side = Endpoint { state: State::Closed, has_fin: true, ..Endpoint::default() };
        side.start_at_syn(0, 1);
        side.last = 102;

        assert_eq!(side.payload_bytes(State::Established), 100);
    }
}

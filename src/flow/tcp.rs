//! What a TCP segment does to a connection: states, history, sizes, gaps (RFC 9293, told as Zeek
//! tells it).

use std::slice;

use prefetch_index::prefetch_index;

use super::contents::Content;
use super::drips::Dripping;
use super::endpoint::{Endpoint, State};
use super::fingerprints::Prints;
use super::history::{History, Once};
use super::oddity::{Oddities, Oddity};
use super::reading::Lens;
use crate::decode::{TcpFlags, TcpSegment};
use crate::proto::{Protocol, Role};

/// A jump of more than this in the sequence number of a SYN or RST is not believed (Zeek's
/// `TOO_LARGE_SEQ_DELTA`).
const MAX_JUMP: i64 = 1 << 20;

/// A TCP connection beyond its first SYN.
///
/// In this order in memory: what every segment reads lies at the beginning of either side and of
/// what follows them, three cache lines in all.
#[derive(Debug, Default)]
#[repr(C)]
pub(super) struct Tcp {
    pub(super) client: Endpoint,
    pub(super) server: Endpoint,
    /// Who looks at the bytes, as long as they can tell something.
    pub(super) content: Option<Box<Content>>,
    pub(super) prints: Prints,
    pub(super) dripping: Dripping,
    /// Bytes that were acknowledged and not captured.
    pub(super) missed_bytes: u64,
    pub(super) oddities: Oddities,
    /// Whether it began without its SYN.
    pub(super) is_partial: bool,
    client_seen: bool,
    server_seen: bool,
    pub(super) history: History,
}

const _: () = assert!(size_of::<Tcp>() <= 6 * 64, "two lines a side and two for the rest");

/// What a segment brought about.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Step {
    /// Whether the connection's duration includes this segment: not if both sides had closed.
    pub(super) counts: bool,
    /// The protocol, if this segment gave it away.
    pub(super) protocol: Option<Protocol>,
    /// The protocol's message came from the side that was taken for the other.
    pub(super) wrong_way: bool,
}

impl Tcp {
    /// A connection of which nothing was seen.
    pub(super) fn new(prints: Prints, dripping: Dripping) -> Self {
        Self { content: Some(Box::default()), prints, dripping, ..Self::default() }
    }

    /// A connection of which one plain SYN with sequence number `isn` was seen.
    pub(super) fn after_syn(isn: u32, prints: Prints, dripping: Dripping) -> Self {
        let mut tcp = Self::new(prints, dripping);
        tcp.client.start_at_syn(isn, 1);
        tcp.client.state = State::SynSent;
        tcp.client_seen = true;
        tcp.history.once(Role::Client, Once::Syn, 'S');
        tcp
    }

    /// Whether both sides have closed, so that what still comes adds nothing.
    pub(super) const fn has_closed(&self) -> bool {
        self.client.did_close && self.server.did_close
    }

    /// Whether both sides have sent something.
    pub(super) const fn has_both_sides(&self) -> bool {
        self.client_seen && self.server_seen
    }

    /// Whether nothing more is expected: a RST, a FIN from both sides, or from the only one seen.
    pub(super) fn is_over(&self) -> bool {
        let states = (self.client.state, self.server.state);
        matches!(
            states,
            (State::Reset, _)
                | (_, State::Reset)
                | (State::Closed, State::Closed | State::Inactive)
                | (State::Inactive, State::Closed)
        )
    }

    /// Whether both sides have sent a FIN or RST.
    pub(super) fn both_ended(&self) -> bool {
        let ended = |side: &Endpoint| matches!(side.state, State::Closed | State::Reset);
        ended(&self.client) && ended(&self.server)
    }

    /// Whether `segment`, a SYN or SYN-ACK from `sender`, begins another connection between the
    /// same ports.
    pub(super) fn is_reused_by(&mut self, segment: &TcpSegment<'_>, sender: Role) -> bool {
        let ack = segment.flags.has(TcpFlags::ACK);
        let side = self.side(sender);
        // A half connection, of which only the server is seen, can begin again with a SYN-ACK.
        let is_half = sender == Role::Server && self.client.state == State::Inactive;
        if (ack && !is_half) || side.state == State::Inactive {
            return false;
        }
        let is_repeated = segment.seq == side.start;
        if self.both_ended() {
            if self.client.state != State::Reset && self.server.state != State::Reset {
                self.oddities.note(Oddity::PrematureReuse);
            }
            return true;
        }
        if !is_repeated && !ack {
            let attempted = side.state == State::SynSent;
            self.oddities.note(if attempted { Oddity::SynSeqJump } else { Oddity::ActiveReuse });
        }
        !is_repeated
    }

    /// The side of `role`.
    pub(super) const fn side(&self, role: Role) -> &Endpoint {
        match role {
            Role::Client => &self.client,
            Role::Server => &self.server,
        }
    }

    /// Turns client and server round.
    pub(super) fn flip(&mut self) {
        std::mem::swap(&mut self.client, &mut self.server);
        std::mem::swap(&mut self.client_seen, &mut self.server_seen);
        self.history.flip();
        if let Some(content) = &mut self.content {
            content.flip();
        }
        self.prints.flip();
        self.dripping.flip();
    }

    /// Has the cache lines fetched that every segment reads, of which none was read yet.
    #[inline]
    pub(super) fn prefetch(&self) {
        prefetch_index(slice::from_ref(&self.client), 0);
        prefetch_index(slice::from_ref(&self.server), 0);
        prefetch_index(slice::from_ref(&self.content), 0);
    }

    /// Bytes on the heap beside the struct itself.
    pub(super) fn heap_bytes(&self) -> usize {
        self.client.stream.heap_bytes()
            + self.server.stream.heap_bytes()
            + self.content.as_ref().map_or(0, |content| content.bytes())
            + self.prints.heap_bytes()
            + self.dripping.heap_bytes()
    }

    /// Takes the next segment, sent by `sender`, whose content is looked at through `lens`.
    pub(super) fn on_segment(
        &mut self,
        segment: &TcpSegment<'_>,
        sender: Role,
        lens: Lens,
    ) -> Step {
        let flags = segment.flags;
        let (syn, fin) = (flags.has(TcpFlags::SYN), flags.has(TcpFlags::FIN));
        let (rst, ack) = (flags.has(TcpFlags::RST), flags.has(TcpFlags::ACK));
        self.note_partial(sender, syn, ack);
        // Data in a RST is a message for people (RFC 9293 section 3.10.7.3), not part of the stream.
        let length = u32::from(syn) + u32::from(fin) + if rst { 0 } else { segment.payload_len };
        self.number(segment, sender, length);

        let (side, _) = self.sides(sender);
        let at = side.relative(segment.seq);
        let end = at + i64::from(length);
        let underflow = at < 0;
        if underflow && !rst {
            self.oddities.note(Oddity::SeqUnderflow);
        }
        self.write_history(segment, sender, at);
        self.note_zero_window(segment, sender);
        let counts = !self.has_closed();
        if syn {
            self.note_odd_syn(segment);
        }
        if fin {
            let (side, _) = self.sides(sender);
            side.has_fin = true;
            side.fin_end = end;
        }
        let acked = if ack { self.acknowledge(segment, sender) } else { 0 };
        let advance = self.advance(segment, sender, end);
        let closes = self.change_state(segment, sender, advance);
        let mut step = Step { counts, ..Step::default() };
        let mut found = None;
        if ack {
            let behind_a_hole = self.give_up_holes(segment, sender, acked, lens);
            found = behind_a_hole.map(|(protocol, role)| (protocol, role == Some(sender)));
        }
        match sender {
            Role::Client => self.client_seen = true,
            Role::Server => self.server_seen = true,
        }
        if segment.payload_len > 0 && !rst && !underflow {
            if advance > 0 {
                self.dripping.on_data(sender, lens.at, segment.payload_len);
            }
            let told = self.take_data(segment, sender, at + i64::from(syn), lens);
            let told = told.map(|(protocol, role)| (protocol, role.is_some_and(|r| r != sender)));
            found = found.or(told);
        }
        if closes {
            let (side, _) = self.sides(sender);
            side.wants_close = true;
        }
        self.note_closing();
        if let Some((protocol, wrong_way)) = found {
            step.protocol = Some(protocol);
            if matches!(protocol, Protocol::Ssh | Protocol::Ssl) {
                self.prints.note_secret();
            }
            step.wrong_way = wrong_way;
        }
        step
    }

    pub(super) fn sides(&mut self, sender: Role) -> (&mut Endpoint, &mut Endpoint) {
        match sender {
            Role::Client => (&mut self.client, &mut self.server),
            Role::Server => (&mut self.server, &mut self.client),
        }
    }

    fn note_partial(&mut self, sender: Role, syn: bool, ack: bool) {
        match sender {
            Role::Client if !self.client_seen => self.is_partial = !syn || ack,
            Role::Server if !self.server_seen && !self.is_partial => self.is_partial = !syn,
            _ => {}
        }
    }

    /// Gives the sender's side its place in the sequence space, where this segment decides it.
    fn number(&mut self, segment: &TcpSegment<'_>, sender: Role, length: u32) {
        let syn = segment.flags.has(TcpFlags::SYN);
        let (side, _) = self.sides(sender);
        let jumps = segment.seq != side.start;
        match side.state {
            State::Inactive if syn => side.start_at_syn(segment.seq, length),
            State::Inactive => side.start_midstream(segment.seq),
            State::SynSent | State::SynAckSent if syn && jumps => {
                side.start_at_syn(segment.seq, length);
                self.oddities.note(Oddity::SynSeqJump);
            }
            State::Established | State::Partial if syn => {
                let carried = side.payload_bytes(State::Established) > 0;
                // Perhaps it was never established, and this SYN is the one that does it.
                side.start_at_syn(segment.seq, length);
                if carried {
                    self.oddities.note(Oddity::SynInside);
                }
                if jumps {
                    self.oddities.note(Oddity::SynSeqJump);
                }
            }
            // A forged or stray RST came first: its number means nothing.
            State::Reset if syn && side.previous == State::Inactive => {
                side.start_at_syn(segment.seq, length);
            }
            _ => {}
        }
    }

    fn write_history(&mut self, segment: &TcpSegment<'_>, sender: Role, at: i64) {
        let flags = segment.flags;
        let (syn, fin) = (flags.has(TcpFlags::SYN), flags.has(TcpFlags::FIN));
        let (rst, ack) = (flags.has(TcpFlags::RST), flags.has(TcpFlags::ACK));
        let (side, history) = match sender {
            Role::Client => (&mut self.client, &mut self.history),
            Role::Server => (&mut self.server, &mut self.history),
        };
        match (syn, fin, rst) {
            (_, true, true) => {
                history.once(sender, Once::Inconsistent, 'I');
            }
            (true, true, _) | (true, _, true) => {
                history.once(sender, Once::MultiFlag, 'Q');
            }
            (true, false, false) => {
                let letter = if ack { 'H' } else { 'S' };
                if history.once(sender, Once::Syn, letter) && at != side.history_syn {
                    history.push(sender, letter);
                }
                side.history_syn = at;
            }
            (false, true, false) => {
                let end = at + i64::from(segment.payload_len);
                if history.once(sender, Once::Fin, 'F') && end != side.history_fin {
                    history.push(sender, 'F');
                }
                side.history_fin = end;
            }
            (false, false, true) => {
                if history.once(sender, Once::Rst, 'R') && at != side.history_rst {
                    history.push(sender, 'R');
                }
                side.history_rst = at;
            }
            (false, false, false) if segment.payload_len > 0 => {
                history.once(sender, Once::Data, 'D');
            }
            (false, false, false) if ack => {
                history.once(sender, Once::Ack, 'A');
            }
            (false, false, false) => {}
        }
    }

    /// A zero window is news unless the other side has nothing more to send.
    fn note_zero_window(&mut self, segment: &TcpSegment<'_>, sender: Role) {
        if segment.window != 0 || segment.flags.has(TcpFlags::RST) {
            return;
        }
        let (side, peer) = self.sides(sender);
        let matters = peer.state != State::Closed && side.state != State::Reset;
        if matters && side.zero_windows.hit() {
            self.history.push(sender, 'W');
        }
    }

    fn note_odd_syn(&mut self, segment: &TcpSegment<'_>) {
        if segment.flags.has(TcpFlags::RST) {
            self.oddities.note(Oddity::Christmas);
        }
        if segment.flags.has(TcpFlags::URG) {
            self.oddities.note(Oddity::BaroqueSyn);
        }
        if segment.payload_len > 0 {
            self.oddities.note(Oddity::SynWithData);
        }
    }

    /// Notes what the sender acknowledges; returns it relative to the other side's SYN.
    fn acknowledge(&mut self, segment: &TcpSegment<'_>, sender: Role) -> i64 {
        let rst = segment.flags.has(TcpFlags::RST);
        let controls = segment.flags.0 & (TcpFlags::SYN | TcpFlags::FIN | TcpFlags::RST) != 0;
        let any_odd = self.oddities.any();
        let (side, peer) = self.sides(sender);
        if peer.state == State::Inactive {
            let has_opened =
                matches!(side.state, State::SynSent | State::SynAckSent | State::Established);
            peer.start_from_ack(segment.ack);
            if has_opened && !controls && !any_odd {
                self.oddities.note(Oddity::SplitRouting);
            }
            return 1;
        }
        let acked = peer.relative_ack(segment.ack);
        if acked < 0 {
            self.oddities.note(Oddity::AckUnderflow);
            return 0;
        }
        // An acknowledgement of 0 far away is a broken one sooner than a large transfer; those in
        // RSTs are not reliable at all.
        let is_broken = segment.ack == 0 && acked - peer.acked > MAX_JUMP;
        if !rst && !is_broken {
            peer.acked = peer.acked.max(acked);
        }
        acked
    }

    /// Moves the sender's side on to `end`; returns by how much the segment goes beyond what was
    /// sent before.
    fn advance(&mut self, segment: &TcpSegment<'_>, sender: Role, end: i64) -> i64 {
        let flags = segment.flags;
        let opens_or_resets = flags.0 & (TcpFlags::SYN | TcpFlags::RST) != 0;
        let (side, _) = self.sides(sender);
        let ahead = end - side.last;
        if opens_or_resets && ahead.abs() > MAX_JUMP {
            return ahead;
        }
        if flags.has(TcpFlags::FIN) && side.last == 1 {
            // Only SYN and FIN of a transfer of more than 2 GiB: the FIN is right.
            side.last = end;
        } else if side.state == State::Reset {
            // Nothing that follows a reset is believed.
        } else if ahead > 0 {
            side.last = end;
        } else if segment.payload_len > 0 && side.retransmissions.hit() {
            self.history.push(sender, 'T');
        }
        ahead
    }

    /// Takes note of sides that have closed. One whose data is not all delivered waits for that:
    /// until then, packets still count for the connection's duration.
    fn note_closing(&mut self) {
        for sender in [Role::Client, Role::Server] {
            let (side, peer) = self.sides(sender);
            if side.wants_close && !side.did_close && !side.has_data_pending(peer) {
                side.did_close = true;
            }
        }
    }
}

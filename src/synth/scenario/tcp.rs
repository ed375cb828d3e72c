//! A TCP conversation as stacks have it: handshake, slow start, delayed acknowledgements,
//! retransmission, and the ways to end.
//!
//! It is played a burst at a time, and what waits is a few numbers a segment: a gigabyte in the
//! night costs no more memory than a page. The tap is somewhere between the ends, so each
//! direction has a round trip of its own, from the tap to that end and back.

mod burst;
mod stack;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::Duration;

use super::super::conversation::{End as Close, Fate, Side};
use super::super::rng::Rng;
use super::body::Body;
use super::place::{End, Stack};
use super::wire::{Options, Segment};
use crate::decode::TcpFlags;
use crate::time::Timestamp;
use burst::Burst;

/// Somebody speaks.
#[derive(Clone, Debug)]
pub struct Line {
    /// Who.
    pub from: Side,
    /// How long it thinks before.
    pub after: Duration,
    /// What it says.
    pub body: Body,
}

/// What lies between two ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Path {
    /// From the tap to the client and back.
    pub to_client: Duration,
    /// From the tap to the server and back.
    pub to_server: Duration,
    /// From one full segment to the next, as the narrowest link lets them through.
    pub gap: Duration,
    /// Segments in a hundred thousand that are lost; as many change places with the next.
    pub loss: u32,
    /// The largest segment that the network in between lets through.
    pub mss: u16,
}

/// A conversation, ready to be played.
#[derive(Clone, Debug)]
pub struct Call {
    /// Who opens it.
    pub client: End,
    /// Who is called.
    pub server: End,
    /// The ports of client and server.
    pub ports: (u16, u16),
    /// When the first SYN passes.
    pub start: Timestamp,
    /// What lies between.
    pub path: Path,
    /// What comes of it.
    pub fate: Fate,
    /// Who says what, in order.
    pub lines: Vec<Line>,
    /// How long it stays open when all is said.
    pub linger: Duration,
    /// How it ends.
    pub close: Close,
    /// Decides sequence numbers, losses, and every other detail.
    pub seed: u64,
}

/// The initial window in segments (RFC 6928).
const INITIAL_WINDOW: usize = 10;
/// Segments that are under way at most; a default send buffer holds about so many.
const LARGEST_WINDOW: usize = 48;
/// How long a stack takes to answer.
const REACTION: Duration = Duration::from_micros(40);
/// How long an acknowledgement may wait for something to travel with (RFC 9293 section 3.8.6.3
/// allows 500 ms; stacks use 40).
const DELAY: Duration = Duration::from_millis(40);
/// A segment that waits for its time.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    ts: Timestamp,
    from: Side,
    flags: u8,
    seq: u32,
    ack: u32,
    /// The line that it carries, and which bytes of it.
    line: u32,
    offset: u32,
    length: u16,
    /// What the receiver has beyond a hole (RFC 2018); nothing if both are equal.
    sack: (u32, u32),
}

impl Waiting {
    /// Nothing but a header.
    const BARE: Self = Self {
        ts: Timestamp::EPOCH,
        from: Side::Client,
        flags: 0,
        seq: 0,
        ack: 0,
        line: 0,
        offset: 0,
        length: 0,
        sack: (0, 0),
    };
}

#[derive(Clone, Copy, Debug, Default)]
struct Half {
    first: u32,
    next: u32,
    window: usize,
    ident: u16,
    /// The last timestamp that the other side has shown.
    echo: u32,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Open,
    Line { index: usize, said: u32 },
    Close,
    Done,
}

/// A segment as it passes, without its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shown {
    /// When.
    pub ts: Timestamp,
    /// Who sends it.
    pub from: Side,
    /// Its identification.
    pub ident: u16,
    /// Its header.
    pub segment: Segment,
}

/// A conversation while it is played.
#[derive(Debug)]
pub struct Playing {
    call: Call,
    rng: Rng,
    step: Step,
    clock: Timestamp,
    last: Side,
    client: Half,
    server: Half,
    queue: VecDeque<Waiting>,
}

impl Call {
    /// Begins to play.
    pub fn play(self) -> Playing {
        let mut rng = Rng::new(self.seed);
        let mut half = || {
            let first = rng.bits() as u32;
            Half { first, next: first, window: INITIAL_WINDOW, ident: rng.short(), echo: 0 }
        };
        Playing {
            client: half(),
            server: half(),
            rng,
            step: Step::Open,
            clock: self.start,
            last: Side::Client,
            queue: VecDeque::new(),
            call: self,
        }
    }

    /// About how long it takes until all is said.
    pub fn duration(&self) -> Duration {
        let said: Duration = self.lines.iter().map(|line| line.after).sum();
        let bytes: u64 = self.lines.iter().map(|line| u64::from(line.body.len())).sum();
        let trips = self.lines.len() as u32 + 4 + (bytes / 30_000) as u32;
        said + (self.path.to_client + self.path.to_server) * trips
            + self.path.gap * (bytes / 1400) as u32
    }

    /// Adds a line.
    pub fn say(&mut self, from: Side, after: Duration, body: Body) {
        self.lines.push(Line { from, after, body });
    }
}

impl Playing {
    /// Whose conversation it is: client and server.
    pub const fn ends(&self) -> (&End, &End) {
        (&self.call.client, &self.call.server)
    }

    /// When the next segment passes; `None` when the conversation is over.
    pub fn next_ts(&mut self) -> Option<Timestamp> {
        loop {
            let is_over = matches!(self.step, Step::Done);
            // Nothing that is still to be made passes before the clock.
            match self.queue.front() {
                Some(first) if is_over || first.ts <= self.clock => return Some(first.ts),
                None if is_over => return None,
                _ => {}
            }
            match self.step {
                Step::Open => self.open(),
                Step::Line { index, said } => self.line(index, said),
                Step::Close => self.close(),
                Step::Done => {}
            }
            self.queue.make_contiguous().sort_by_key(|waiting| waiting.ts);
        }
    }

    /// The next segment, with its payload in `payload`.
    pub fn pass(&mut self, payload: &mut Vec<u8>) -> Option<Shown> {
        self.next_ts()?;
        let waiting = self.queue.pop_front()?;
        payload.clear();
        if waiting.length > 0
            && let Some(line) = self.call.lines.get(waiting.line as usize)
        {
            line.body.read(waiting.offset, waiting.length, payload);
        }
        Some(self.show(&waiting))
    }

    fn show(&mut self, waiting: &Waiting) -> Shown {
        let Call { client, server, ports: (mine, theirs), seed, .. } = self.call;
        let (own, other, ports) = match waiting.from {
            Side::Client => (client.stack, server.stack, (mine, theirs)),
            Side::Server => (server.stack, client.stack, (theirs, mine)),
        };
        let is_syn = waiting.flags & TcpFlags::SYN != 0;
        let is_first = is_syn && waiting.from == Side::Client;
        let (half, peer) = match waiting.from {
            Side::Client => (&mut self.client, &mut self.server),
            Side::Server => (&mut self.server, &mut self.client),
        };
        let mut options = Options::default();
        if is_syn {
            let mss = self.call.path.mss.to_be_bytes();
            stack::syn_options(&mut options, own, (!is_first).then_some(other), mss);
        }
        let timestamps = own == Stack::Linux && (other == Stack::Linux || is_first);
        if timestamps && waiting.flags & TcpFlags::RST == 0 {
            // Milliseconds since some moment that only this host knows (RFC 7323 section 5.4).
            let boot = (seed >> if waiting.from == Side::Client { 8 } else { 24 }) as u32;
            let now = (waiting.ts.as_nanos() / 1_000_000) as u32;
            let value = boot.wrapping_add(now);
            options.push(if is_syn { &[8, 10] } else { &[1, 1, 8, 10] });
            options.push(&value.to_be_bytes());
            options.push(&half.echo.to_be_bytes());
            peer.echo = value;
        }
        if is_syn && own == Stack::Linux && (is_first || other != Stack::Embedded) {
            options.push(&[1, 3, 3, 7]);
        }
        if waiting.sack.0 != waiting.sack.1 && own != Stack::Embedded && other != Stack::Embedded {
            options.push(&[1, 1, 5, 10]);
            options.push(&waiting.sack.0.to_be_bytes());
            options.push(&waiting.sack.1.to_be_bytes());
        }
        let ident = half.ident;
        half.ident = ident.wrapping_add(1);
        let segment = Segment {
            ports,
            seq: waiting.seq,
            ack: if waiting.flags & TcpFlags::ACK == 0 { 0 } else { waiting.ack },
            flags: waiting.flags,
            window: stack::window(own, other, waiting.flags, waiting.ack),
            options,
        };
        Shown { ts: waiting.ts, from: waiting.from, ident, segment }
    }

    fn open(&mut self) {
        self.step = Step::Done;
        let start = self.clock;
        match self.call.fate {
            Fate::Accepted | Fate::HalfOpen => {
                self.push(Side::Client, TcpFlags::SYN, start);
                if self.rng.below(100_000) < u64::from(self.call.path.loss) {
                    // Lost beyond the tap; sent again after a second (RFC 6298 section 2).
                    self.client.next = self.client.first;
                    self.wait(Duration::from_secs(1));
                    self.push(Side::Client, TcpFlags::SYN, self.clock);
                }
                self.wait(self.call.path.to_server + REACTION);
                self.push(Side::Server, TcpFlags::SYN | TcpFlags::ACK, self.clock);
                self.wait(self.call.path.to_client + REACTION);
                if self.call.fate == Fate::HalfOpen {
                    self.push(Side::Client, TcpFlags::RST, self.clock);
                } else {
                    self.push(Side::Client, TcpFlags::ACK, self.clock);
                    self.step = Step::Line { index: 0, said: 0 };
                }
            }
            Fate::Refused => {
                self.push(Side::Client, TcpFlags::SYN, start);
                self.wait(self.call.path.to_server + REACTION);
                // RFC 9293 section 3.5.2: a reset that answers a SYN has sequence number 0.
                self.server.next = 0;
                self.push(Side::Server, TcpFlags::RST | TcpFlags::ACK, self.clock);
            }
            Fate::Unanswered { syns } => {
                for attempt in 0..syns {
                    if attempt > 0 {
                        self.wait(Duration::from_secs(1 << (attempt - 1).min(6)));
                        self.client.next = self.client.first;
                    }
                    self.push(Side::Client, TcpFlags::SYN, self.clock);
                }
            }
            // The router's answer is no TCP: whoever makes the call lets the router speak.
            Fate::Prohibited { .. } => self.push(Side::Client, TcpFlags::SYN, start),
        }
    }

    /// Plays one window of the line `index`, of which `said` bytes are out.
    fn line(&mut self, index: usize, said: u32) {
        let Some(line) = self.call.lines.get(index) else {
            self.step = Step::Close;
            return;
        };
        let (from, length) = (line.from, line.body.len());
        if said == 0 {
            let turned =
                if from == self.last { REACTION } else { self.round_trip(from) + REACTION };
            self.wait(turned + line.after);
            self.last = from;
        }
        let prompt = self
            .call
            .lines
            .get(index + 1)
            .is_some_and(|next| next.from != from && next.after < DELAY);
        let (client, server) = (self.call.client.stack, self.call.server.stack);
        let mss = stack::segment_size(self.call.path.mss, client, server);
        let (receiver, sender) = match from {
            Side::Client => (server, client),
            Side::Server => (client, server),
        };
        let window = self.half(from).window.min(stack::room(receiver, sender));
        let mut segments = Vec::with_capacity(window);
        let mut offset = said;
        while offset < length && segments.len() < window {
            let take = u32::from(mss).min(length - offset);
            segments.push((offset, take as u16));
            offset += take;
        }
        let is_last = offset >= length;
        self.send(&Burst { from, line: index as u32, said, segments: &segments, is_last, prompt });
        self.step = if is_last {
            Step::Line { index: index + 1, said: 0 }
        } else {
            Step::Line { index, said: offset }
        };
    }

    fn close(&mut self) {
        self.step = Step::Done;
        // Whatever was to be acknowledged has been by then.
        self.wait(self.call.linger + DELAY + self.call.path.to_client + self.call.path.to_server);
        match self.call.close {
            Close::Fin(side) => {
                self.push(side, TcpFlags::FIN | TcpFlags::ACK, self.clock);
                self.wait(self.round_trip(side.other()) + REACTION);
                self.push(side.other(), TcpFlags::FIN | TcpFlags::ACK, self.clock);
                self.wait(self.round_trip(side) + REACTION);
                self.push(side, TcpFlags::ACK, self.clock);
            }
            Close::Reset(side) => self.push(side, TcpFlags::RST | TcpFlags::ACK, self.clock),
            Close::Stays => {}
        }
    }

    fn push(&mut self, from: Side, flags: u8, ts: Timestamp) {
        let ack = self.half(from.other()).next;
        let half = self.half_mut(from);
        let seq = half.next;
        if flags & (TcpFlags::SYN | TcpFlags::FIN) != 0 {
            half.next = seq.wrapping_add(1);
        }
        self.queue.push_back(Waiting { ts, from, flags, seq, ack, ..Waiting::BARE });
    }

    fn wait(&mut self, time: Duration) {
        self.clock = self.clock + time;
    }

    const fn round_trip(&self, to: Side) -> Duration {
        match to {
            Side::Client => self.call.path.to_client,
            Side::Server => self.call.path.to_server,
        }
    }

    const fn half(&self, side: Side) -> &Half {
        match side {
            Side::Client => &self.client,
            Side::Server => &self.server,
        }
    }

    const fn half_mut(&mut self, side: Side) -> &mut Half {
        match side {
            Side::Client => &mut self.client,
            Side::Server => &mut self.server,
        }
    }
}

//! A TCP conversation as stacks have it: handshake, slow start, delayed acknowledgements,
//! retransmission, and the ways to end.
//!
//! It is played a burst at a time, and what waits is a few numbers a segment: a gigabyte in the
//! night costs no more memory than a page. The tap is somewhere between the ends, so each
//! direction has a round trip of its own, from the tap to that end and back.

use std::collections::VecDeque;
use std::time::Duration;

use super::super::conversation::{End as Close, Fate, Side};
use super::super::rng::Rng;
use super::body::Body;
use super::place::{End, Stack};
use super::wire::{self, Options, Segment};
use crate::time::Timestamp;

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
/// The least time-out before a retransmission that stacks use.
const LEAST_TIMEOUT: Duration = Duration::from_millis(200);

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
        let is_syn = waiting.flags & wire::SYN != 0;
        let is_first = is_syn && waiting.from == Side::Client;
        let (half, peer) = match waiting.from {
            Side::Client => (&mut self.client, &mut self.server),
            Side::Server => (&mut self.server, &mut self.client),
        };
        let mut options = Options::default();
        if is_syn {
            let mss = self.call.path.mss.to_be_bytes();
            syn_options(&mut options, own, (!is_first).then_some(other), mss);
        }
        let timestamps = own == Stack::Linux && (other == Stack::Linux || is_first);
        if timestamps && waiting.flags & wire::RST == 0 {
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
            ack: if waiting.flags & wire::ACK == 0 { 0 } else { waiting.ack },
            flags: waiting.flags,
            window: window(own, other, waiting.flags, waiting.ack),
            options,
        };
        Shown { ts: waiting.ts, from: waiting.from, ident, segment }
    }

    fn open(&mut self) {
        self.step = Step::Done;
        let start = self.clock;
        match self.call.fate {
            Fate::Accepted | Fate::HalfOpen => {
                self.push(Side::Client, wire::SYN, start);
                if self.rng.below(100_000) < u64::from(self.call.path.loss) {
                    // Lost beyond the tap; sent again after a second (RFC 6298 section 2).
                    self.client.next = self.client.first;
                    self.wait(Duration::from_secs(1));
                    self.push(Side::Client, wire::SYN, self.clock);
                }
                self.wait(self.call.path.to_server + REACTION);
                self.push(Side::Server, wire::SYN | wire::ACK, self.clock);
                self.wait(self.call.path.to_client + REACTION);
                if self.call.fate == Fate::HalfOpen {
                    self.push(Side::Client, wire::RST, self.clock);
                } else {
                    self.push(Side::Client, wire::ACK, self.clock);
                    self.step = Step::Line { index: 0, said: 0 };
                }
            }
            Fate::Refused => {
                self.push(Side::Client, wire::SYN, start);
                self.wait(self.call.path.to_server + REACTION);
                // RFC 9293 section 3.5.2: a reset that answers a SYN has sequence number 0.
                self.server.next = 0;
                self.push(Side::Server, wire::RST | wire::ACK, self.clock);
            }
            Fate::Unanswered { syns } => {
                for attempt in 0..syns {
                    if attempt > 0 {
                        self.wait(Duration::from_secs(1 << (attempt - 1).min(6)));
                        self.client.next = self.client.first;
                    }
                    self.push(Side::Client, wire::SYN, self.clock);
                }
            }
            // The router's answer is no TCP: whoever makes the call lets the router speak.
            Fate::Prohibited { .. } => self.push(Side::Client, wire::SYN, start),
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
        let mss = self.segment_size();
        let window = self.half(from).window.min(self.room(from.other()));
        let first_seq = self.half(from).next;
        let mut segments = Vec::with_capacity(window);
        let mut offset = said;
        while offset < length && segments.len() < window {
            let take = u32::from(mss).min(length - offset);
            segments.push((offset, take as u16));
            offset += take;
        }
        let lost = self.first_lost(segments.len());
        let is_last = offset >= length;
        self.send_burst(from, index as u32, (said, first_seq), &segments, is_last, lost, prompt);
        self.step = if is_last {
            Step::Line { index: index + 1, said: 0 }
        } else {
            Step::Line { index, said: offset }
        };
    }

    /// The first of so many segments that gets lost, and whether it gets past the tap.
    fn first_lost(&mut self, segments: usize) -> Option<(usize, bool)> {
        let loss = u64::from(self.call.path.loss);
        if loss == 0 {
            return None;
        }
        let index = (0..segments).find(|_| self.rng.below(100_000) < loss)?;
        Some((index, self.rng.chance(50)))
    }

    /// Sends `segments` of a line, and lets the other side acknowledge them.
    #[allow(clippy::too_many_arguments, reason = "one burst is described by all of these")]
    fn send_burst(
        &mut self,
        from: Side,
        line: u32,
        (said, first_seq): (u32, u32),
        segments: &[(u32, u16)],
        is_last: bool,
        lost: Option<(usize, bool)>,
        prompt: bool,
    ) {
        let path = self.call.path;
        let (listener_trip, speaker_trip) = (self.round_trip(from.other()), self.round_trip(from));
        let theirs = self.half(from.other()).next;
        let begin = self.clock;
        let seq_of = |offset: u32| first_seq.wrapping_add(offset - said);
        let mut passed = begin;
        let mut first_ack = None;
        let mut unacknowledged = 0;
        let last = segments.len().saturating_sub(1);
        let reordered = lost.is_none()
            && path.loss > 0
            && last > 2
            && self.rng.below(100_000) < u64::from(path.loss);
        for (number, &(offset, length)) in segments.iter().enumerate() {
            let ts = begin + path.gap * number as u32;
            passed = ts;
            let (seq, end) = (seq_of(offset), seq_of(offset + u32::from(length)));
            let pushes = number == last && is_last;
            let flags = if pushes { wire::PSH | wire::ACK } else { wire::ACK };
            let data =
                Waiting { ts, from, flags, seq, ack: theirs, line, offset, length, sack: (0, 0) };
            let hole = lost.filter(|(at, _)| *at <= number);
            let is_hole = lost.is_some_and(|(at, _)| at == number);
            if lost != Some((number, false)) {
                // Two segments that change places arrive as if the first had been held up.
                let late =
                    if reordered && number == 1 { path.gap + REACTION } else { Duration::ZERO };
                self.queue.push_back(Waiting { ts: ts + late, ..data });
            }
            if is_hole {
                continue;
            }
            let answered = ts + listener_trip + REACTION;
            if let Some((at, _)) = hole {
                let (hole_offset, hole_length) = segments.get(at).copied().unwrap_or_default();
                let right = seq_of(hole_offset + u32::from(hole_length));
                self.acknowledge(from.other(), answered, seq_of(hole_offset), (right, end));
                continue;
            }
            unacknowledged += 1;
            let is_due = unacknowledged == 2 || (number == last && !is_last);
            if is_due && !(pushes && prompt) {
                first_ack = first_ack.or(Some(answered));
                self.acknowledge(from.other(), answered, end, (0, 0));
                unacknowledged = 0;
            } else if pushes && !prompt {
                self.acknowledge(from.other(), answered + DELAY, end, (0, 0));
            }
        }
        let (end_offset, end_length) = segments.last().copied().unwrap_or((said, 0));
        let end = seq_of(end_offset + u32::from(end_length));
        self.half_mut(from).next = end;
        self.clock = passed + path.gap;
        let window = &mut self.half_mut(from).window;
        if let Some((at, _)) = lost {
            *window = (*window / 2).max(2);
            let following = last - at;
            let wait = if following >= 3 {
                path.gap * 3 + listener_trip + speaker_trip
            } else {
                LEAST_TIMEOUT + listener_trip + speaker_trip
            };
            let (offset, length) = segments.get(at).copied().unwrap_or_default();
            let flags = if at == last && is_last { wire::PSH | wire::ACK } else { wire::ACK };
            let ts = self.clock + wait;
            let seq = seq_of(offset);
            let sack = (0, 0);
            let again = Waiting { ts, from, flags, seq, ack: theirs, line, offset, length, sack };
            self.queue.push_back(again);
            let answered = ts + listener_trip + REACTION;
            self.acknowledge(from.other(), answered, end, (0, 0));
            self.clock = answered + speaker_trip;
        } else {
            *window = (*window * 2).min(LARGEST_WINDOW);
            if let Some(first_ack) = first_ack.filter(|_| !is_last) {
                self.clock = self.clock.max(first_ack + speaker_trip);
            } else if is_last {
                self.clock = passed;
            }
        }
    }

    fn acknowledge(&mut self, from: Side, ts: Timestamp, ack: u32, sack: (u32, u32)) {
        let seq = self.half(from).next;
        let (line, offset, length) = (0, 0, 0);
        self.queue.push_back(Waiting {
            ts,
            from,
            flags: wire::ACK,
            seq,
            ack,
            line,
            offset,
            length,
            sack,
        });
    }

    fn close(&mut self) {
        self.step = Step::Done;
        // Whatever was to be acknowledged has been by then.
        self.wait(self.call.linger + DELAY + self.call.path.to_client + self.call.path.to_server);
        match self.call.close {
            Close::Fin(side) => {
                self.push(side, wire::FIN | wire::ACK, self.clock);
                self.wait(self.round_trip(side.other()) + REACTION);
                self.push(side.other(), wire::FIN | wire::ACK, self.clock);
                self.wait(self.round_trip(side) + REACTION);
                self.push(side, wire::ACK, self.clock);
            }
            Close::Reset(side) => self.push(side, wire::RST | wire::ACK, self.clock),
            Close::Stays => {}
        }
    }

    fn push(&mut self, from: Side, flags: u8, ts: Timestamp) {
        let ack = self.half(from.other()).next;
        let half = self.half_mut(from);
        let seq = half.next;
        if flags & (wire::SYN | wire::FIN) != 0 {
            half.next = seq.wrapping_add(1);
        }
        let (line, offset, length, sack) = (0, 0, 0, (0, 0));
        self.queue.push_back(Waiting { ts, from, flags, seq, ack, line, offset, length, sack });
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

    /// Segments that the receiver's window holds: few, where it is small or cannot be scaled.
    const fn room(&self, receiver: Side) -> usize {
        let (own, other) = match receiver {
            Side::Client => (self.call.client.stack, self.call.server.stack),
            Side::Server => (self.call.server.stack, self.call.client.stack),
        };
        match (own, other) {
            (Stack::Embedded, _) => 3,
            (_, Stack::Embedded) => 40,
            _ => LARGEST_WINDOW,
        }
    }

    /// What fits beside the options that every segment carries.
    const fn segment_size(&self) -> u16 {
        let both = matches!(
            (self.call.client.stack, self.call.server.stack),
            (Stack::Linux, Stack::Linux)
        );
        let mss = if self.call.path.mss < 64 { 64 } else { self.call.path.mss };
        if both { mss - 12 } else { mss }
    }
}

/// What each stack offers in its SYN, or takes up in its answer to `offered`.
fn syn_options(options: &mut Options, own: Stack, offered: Option<Stack>, [high, low]: [u8; 2]) {
    let wanted = offered != Some(Stack::Embedded);
    options.push(&[2, 4, high, low]);
    match own {
        Stack::Windows if wanted => options.push(&[1, 3, 3, 8, 1, 1, 4, 2]),
        // Timestamps follow, then a window scale.
        Stack::Linux if wanted && offered != Some(Stack::Windows) => options.push(&[4, 2]),
        Stack::Linux if wanted => options.push(&[1, 1, 4, 2]),
        _ => {}
    }
}

/// The window that a stack shows, which moves a little with what it has yet to read.
const fn window(own: Stack, other: Stack, flags: u8, ack: u32) -> u16 {
    if flags & wire::RST != 0 {
        return 0;
    }
    let scaled = !matches!(other, Stack::Embedded) && flags & wire::SYN == 0;
    match own {
        Stack::Embedded => 5840,
        _ if !scaled => 64_240,
        Stack::Windows => 1020 + (ack >> 11 & 7) as u16,
        Stack::Linux => 501 - (ack >> 12 & 15) as u16,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::net::Ipv4Addr;

    use proptest::prelude::*;

    use super::super::body::Framing;
    use super::*;
    use crate::net::MacAddr;

    fn end(last: u8, stack: Stack) -> End {
        End {
            addr: Ipv4Addr::new(10, 0, 0, last),
            mac: MacAddr([2, 0, 0, 0, 0, last]),
            subnet: Some(0),
            stack,
            hops: 0,
            outer: None,
        }
    }

    fn call(loss: u32, seed: u64) -> Call {
        let mut call = Call {
            client: end(1, Stack::Linux),
            server: end(2, Stack::Linux),
            ports: (40_000, 80),
            start: Timestamp::from_secs(100),
            path: Path {
                to_client: Duration::from_micros(300),
                to_server: Duration::from_millis(20),
                gap: Duration::from_micros(100),
                loss,
                mss: 1460,
            },
            fate: Fate::Accepted,
            lines: Vec::new(),
            linger: Duration::ZERO,
            close: Close::Fin(Side::Client),
            seed,
        };
        call.say(Side::Client, Duration::ZERO, Body::of(b"GET".to_vec()));
        let answer = Body::framed(Framing::Plain, b"HTTP".to_vec(), 300_000, 7);
        call.say(Side::Server, Duration::from_millis(5), answer);
        call.say(Side::Client, Duration::from_secs(1), Body::of(b"thanks".to_vec()));
        call
    }

    fn played(call: Call) -> Vec<(Shown, Vec<u8>)> {
        let mut playing = call.play();
        let mut payload = Vec::new();
        let mut all = Vec::new();
        while let Some(shown) = playing.pass(&mut payload) {
            all.push((shown, payload.clone()));
        }
        all
    }

    /// What a receiver has put together, whatever came twice or late.
    fn received(segments: &[(Shown, Vec<u8>)], side: Side) -> Vec<u8> {
        let mut bytes = BTreeMap::new();
        let isn = segments.iter().find(|(shown, _)| shown.from == side).unwrap().0.segment.seq;
        let speaks = |(shown, data): &&(Shown, Vec<u8>)| shown.from == side && !data.is_empty();
        for (shown, payload) in segments.iter().filter(speaks) {
            let at = shown.segment.seq.wrapping_sub(isn).wrapping_sub(1);
            for (offset, byte) in (at..).zip(payload) {
                bytes.insert(offset, *byte);
            }
        }
        bytes.into_values().collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn every_byte_arrives_in_order_of_time_whatever_is_lost(loss in 0u32..4000, seed: u64) {
            let segments = played(call(loss, seed));

            prop_assert!(segments.is_sorted_by_key(|(shown, _)| shown.ts));
            let answer = received(&segments, Side::Server);
            prop_assert_eq!(answer.len(), 300_000);
            prop_assert!(answer.starts_with(b"HTTPFiller 00000007"));
            prop_assert_eq!(received(&segments, Side::Client), b"GETthanks");
        }

        #[test]
        fn acknowledgements_never_run_ahead_nor_back(loss in 0u32..4000, seed: u64) {
            let mut sent = [None::<u32>; 2];
            let mut acknowledged = [None::<u32>; 2];

            for (shown, payload) in played(call(loss, seed)) {
                let side = usize::from(shown.from == Side::Server);
                let Segment { seq, ack, flags, .. } = shown.segment;
                let used = u32::from(flags & (wire::SYN | wire::FIN) != 0) + payload.len() as u32;
                let end = seq.wrapping_add(used);
                sent[side] = Some(sent[side].map_or(end, |sent| {
                    if end.wrapping_sub(sent) < 1 << 31 { end } else { sent }
                }));
                if flags & wire::ACK != 0 {
                    if let Some(last) = acknowledged[side] {
                        prop_assert!(ack.wrapping_sub(last) < 1 << 31, "back: {shown:?}");
                    }
                    acknowledged[side] = Some(ack);
                    if loss == 0 {
                        let theirs = sent[1 - side].unwrap();
                        prop_assert!(theirs.wrapping_sub(ack) < 1 << 31, "ahead: {shown:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn losses_are_repaired_and_seen() {
        let clean = played(call(0, 3)).len();

        let lossy = (0..20).map(|seed| played(call(2000, seed)).len()).max().unwrap();

        assert!(lossy > clean, "{lossy} {clean}");
    }

    #[test]
    fn each_stack_shows_itself_in_its_syn() {
        let syn = |stack| {
            let call = Call { client: end(1, stack), ..call(0, 1) };
            played(call).first().unwrap().0.segment.options
        };

        let mut embedded = Options::default();
        embedded.push(&[2, 4, 5, 180]);
        assert_eq!(syn(Stack::Embedded), embedded);
        let mut windows = embedded;
        windows.push(&[1, 3, 3, 8, 1, 1, 4, 2]);
        assert_eq!(syn(Stack::Windows), windows);
        assert_ne!(syn(Stack::Linux), windows);
    }

    #[test]
    fn a_short_exchange_is_what_a_textbook_shows() {
        let mut short = call(0, 1);
        short.lines.truncate(1);

        let flags: Vec<u8> = played(short).iter().map(|(shown, _)| shown.segment.flags).collect();

        let (syn, ack, psh, fin) = (wire::SYN, wire::ACK, wire::PSH, wire::FIN);
        assert_eq!(flags, [syn, syn | ack, ack, psh | ack, ack, fin | ack, fin | ack, ack]);
    }

    #[test]
    fn a_refused_one_is_a_syn_and_a_reset_and_an_unanswered_one_is_tried_again() {
        let with = |fate| played(Call { fate, ..call(0, 1) });

        let refused = with(Fate::Refused);
        let unanswered = with(Fate::Unanswered { syns: 3 });

        assert_eq!(refused.len(), 2);
        assert_eq!(refused[1].0.segment.seq, 0);
        let times: Vec<_> = unanswered.iter().map(|(shown, _)| shown.ts).collect();
        assert_eq!(times, [100, 101, 103].map(Timestamp::from_secs));
        assert!(
            unanswered.windows(2).all(|pair| { pair[0].0.segment.seq == pair[1].0.segment.seq })
        );
    }
}

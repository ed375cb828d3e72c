//! A window of segments on its way: what passes the tap, what is acknowledged, and how what was lost
//! comes after all.

use std::time::Duration;

use super::super::super::conversation::Side;
use super::{DELAY, LARGEST_WINDOW, Playing, REACTION, Waiting};
use crate::decode::TcpFlags;
use crate::time::Timestamp;

/// The least time-out before a retransmission that stacks use.
const LEAST_TIMEOUT: Duration = Duration::from_millis(200);
/// Segments behind a lost one whose acknowledgements make the sender repeat it at once (RFC 5681
/// section 3.2).
const DUPLICATES: usize = 3;

/// Some segments of a line that are sent at once.
#[derive(Debug)]
pub(super) struct Burst<'a> {
    /// Who sends them.
    pub(super) from: Side,
    /// The line's number.
    pub(super) line: u32,
    /// Bytes of the line before them.
    pub(super) said: u32,
    /// Where each begins in the line, and its length.
    pub(super) segments: &'a [(u32, u16)],
    /// Whether the line ends with them.
    pub(super) is_last: bool,
    /// Whether the other side answers so soon that its answer acknowledges them.
    pub(super) prompt: bool,
}

/// A segment that gets lost.
#[derive(Clone, Copy, Debug)]
struct Loss {
    /// Its number in the burst.
    at: usize,
    /// Whether it gets past the tap.
    is_seen: bool,
}

/// How a burst passed.
struct Passed {
    /// When the last segment did.
    last: Timestamp,
    /// When the first acknowledgement was sent.
    first_ack: Option<Timestamp>,
}

impl Burst<'_> {
    fn segment(&self, number: usize) -> (u32, u16) {
        self.segments.get(number).copied().unwrap_or((self.said, 0))
    }

    const fn last(&self) -> usize {
        self.segments.len().saturating_sub(1)
    }

    /// Whether segment `number` ends the line.
    const fn pushes(&self, number: usize) -> bool {
        number == self.last() && self.is_last
    }
}

impl Playing {
    /// Sends a burst, and lets the other side acknowledge it.
    pub(super) fn send(&mut self, burst: &Burst<'_>) {
        let first_seq = self.half(burst.from).next;
        let lost = self.first_lost(burst.segments.len());
        let passed = self.pass_segments(burst, first_seq, lost);
        let (offset, length) = burst.segment(burst.last());
        let end = first_seq.wrapping_add(offset + u32::from(length) - burst.said);
        self.half_mut(burst.from).next = end;
        self.clock = passed.last + self.call.path.gap;
        match lost {
            Some(loss) => self.repair(burst, first_seq, loss.at),
            None => self.widen(burst, &passed),
        }
    }

    /// The first of so many segments that gets lost.
    fn first_lost(&mut self, segments: usize) -> Option<Loss> {
        let loss = u64::from(self.call.path.loss);
        if loss == 0 {
            return None;
        }
        let at = (0..segments).find(|_| self.rng.below(100_000) < loss)?;
        Some(Loss { at, is_seen: self.rng.chance(50) })
    }

    fn pass_segments(&mut self, burst: &Burst<'_>, first_seq: u32, lost: Option<Loss>) -> Passed {
        let path = self.call.path;
        let listener_trip = self.round_trip(burst.from.other());
        let begin = self.clock;
        let seq_of = |offset: u32| first_seq.wrapping_add(offset - burst.said);
        let mut passed = Passed { last: begin, first_ack: None };
        let mut unacknowledged = 0;
        let is_reordered = lost.is_none()
            && path.loss > 0
            && burst.last() > 2
            && self.rng.below(100_000) < u64::from(path.loss);
        for (number, &(offset, length)) in burst.segments.iter().enumerate() {
            let ts = begin + path.gap * number as u32;
            passed.last = ts;
            // Two segments that change places arrive as if the first had been held up.
            let is_late = is_reordered && number == 1;
            let late = if is_late { path.gap + REACTION } else { Duration::ZERO };
            if lost.is_none_or(|loss| loss.at != number || loss.is_seen) {
                self.repeat(burst, number, first_seq, ts + late);
            }
            let end = seq_of(offset + u32::from(length));
            let answered = ts + listener_trip + REACTION;
            match lost {
                Some(loss) if loss.at == number => continue,
                Some(loss) if loss.at < number => {
                    let (hole, hole_length) = burst.segment(loss.at);
                    let sack = (seq_of(hole + u32::from(hole_length)), end);
                    self.acknowledge(burst.from.other(), answered, seq_of(hole), sack);
                    continue;
                }
                _ => {}
            }
            unacknowledged += 1;
            let pushes = burst.pushes(number);
            let is_due = unacknowledged == 2 || (number == burst.last() && !burst.is_last);
            if is_due && !(pushes && burst.prompt) {
                passed.first_ack = passed.first_ack.or(Some(answered));
                self.acknowledge(burst.from.other(), answered, end, (0, 0));
                unacknowledged = 0;
            } else if pushes && !burst.prompt {
                self.acknowledge(burst.from.other(), answered + DELAY, end, (0, 0));
            }
        }
        passed
    }

    /// Lets segment `number` pass at `ts`, for the first time or again.
    fn repeat(&mut self, burst: &Burst<'_>, number: usize, first_seq: u32, ts: Timestamp) {
        let (offset, length) = burst.segment(number);
        let pushes = if burst.pushes(number) { TcpFlags::PSH } else { 0 };
        self.queue.push_back(Waiting {
            ts,
            from: burst.from,
            flags: pushes | TcpFlags::ACK,
            seq: first_seq.wrapping_add(offset - burst.said),
            ack: self.half(burst.from.other()).next,
            line: burst.line,
            offset,
            length,
            sack: (0, 0),
        });
    }

    /// Sends the segment `lost` again when its sender has noticed, which then slows down.
    fn repair(&mut self, burst: &Burst<'_>, first_seq: u32, lost: usize) {
        let (listener_trip, speaker_trip) =
            (self.round_trip(burst.from.other()), self.round_trip(burst.from));
        let window = &mut self.half_mut(burst.from).window;
        *window = (*window / 2).max(2);
        let noticed = match burst.last() - lost {
            DUPLICATES.. => self.call.path.gap * DUPLICATES as u32,
            _ => LEAST_TIMEOUT,
        };
        let ts = self.clock + noticed + listener_trip + speaker_trip;
        self.repeat(burst, lost, first_seq, ts);
        let answered = ts + listener_trip + REACTION;
        let end = self.half(burst.from).next;
        self.acknowledge(burst.from.other(), answered, end, (0, 0));
        self.clock = answered + speaker_trip;
    }

    /// Goes on with a larger window (slow start, RFC 5681 section 3.1) when it is acknowledged.
    fn widen(&mut self, burst: &Burst<'_>, passed: &Passed) {
        let window = &mut self.half_mut(burst.from).window;
        *window = (*window * 2).min(LARGEST_WINDOW);
        if burst.is_last {
            self.clock = passed.last;
        } else if let Some(first_ack) = passed.first_ack {
            self.clock = self.clock.max(first_ack + self.round_trip(burst.from));
        }
    }

    fn acknowledge(&mut self, from: Side, ts: Timestamp, ack: u32, sack: (u32, u32)) {
        let seq = self.half(from).next;
        let flags = TcpFlags::ACK;
        self.queue.push_back(Waiting { ts, from, flags, seq, ack, sack, ..Waiting::BARE });
    }
}

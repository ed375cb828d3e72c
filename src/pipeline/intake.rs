//! The first stage after the source: keeps the time, drops duplicates, decodes, counts what it
//! skips.

use std::time::Duration;

use super::batch::Tick;
use crate::config::Config;
use crate::decode::{Decoder, FragmentStats, Packet, Skip};
use crate::event::{Body, Event, Weird};
use crate::source::duplicates::{self, Duplicates};
use crate::source::{Frame, InputReport, Source};
use crate::time::Timestamp;

/// Time between ticks while packets flow.
const TICK: Duration = Duration::from_secs(1);

/// What came in and what was skipped.
#[derive(Clone, Debug, Default)]
pub struct IntakeStats {
    /// Frames read.
    pub packets: u64,
    /// Captured bytes read.
    pub bytes: u64,
    /// Frames recognised as copies of another, and used once.
    pub duplicates: u64,
    /// Frames that could not be used, for each input by reason.
    pub skipped: Vec<[u64; Skip::COUNT]>,
    /// What the source says of each input.
    pub inputs: Vec<InputReport>,
    /// Time of the latest frame.
    pub last_packet: Option<Timestamp>,
    /// What became of fragmented datagrams.
    pub fragments: FragmentStats,
}

impl IntakeStats {
    /// Frames skipped for `reason`, over all inputs.
    pub fn skipped_for(&self, reason: Skip) -> u64 {
        self.skipped.iter().filter_map(|counts| counts.get(reason.index())).sum()
    }
}

/// Reads frames in, one after another.
pub(super) struct Intake {
    decoder: Decoder,
    duplicates: Duplicates,
    metronome: Metronome,
    stats: IntakeStats,
}

impl Intake {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            decoder: Decoder::new(&config.decode),
            duplicates: Duplicates::new(duplicates::WINDOW),
            metronome: Metronome::default(),
            stats: IntakeStats::default(),
        }
    }

    /// Counts a frame, gives it its number (from 1) and tells which ticks come before it.
    #[inline]
    pub(super) fn on_frame(&mut self, frame: &Frame<'_>, ticks: &mut Vec<Tick>) -> u64 {
        self.stats.packets += 1;
        self.stats.bytes += frame.data.len() as u64;
        self.stats.last_packet = Some(frame.ts);
        self.metronome.advance(self.stats.packets, frame.ts, ticks);
        self.stats.packets
    }

    /// Tells which ticks have come in a silence.
    pub(super) fn on_idle(&mut self, now: Timestamp, ticks: &mut Vec<Tick>) {
        self.metronome.advance(self.stats.packets + 1, now, ticks);
    }

    /// Decodes a frame and hands its packet on, where it lies; one that cannot be used is counted.
    #[inline]
    pub(super) fn decode(&mut self, frame: &Frame<'_>, on_packet: impl FnOnce(&Packet<'_>)) {
        let Self { decoder, duplicates, stats, .. } = self;
        let linked = match Decoder::link(frame) {
            Ok(linked) => linked,
            Err(skip) => return count(stats, frame.input, skip),
        };
        if let Some(ip) = linked.ip_bytes()
            && duplicates.is_duplicate(frame.ts, frame.interface, ip)
        {
            stats.duplicates += 1;
            return;
        }
        match &decoder.network(frame, linked) {
            Ok(packet) => on_packet(packet),
            Err(skip) => count(stats, frame.input, *skip),
        }
    }

    /// Passes on what was odd in the frame that was decoded last.
    #[inline]
    pub(super) fn oddities(&mut self, number: u64, ts: Timestamp, mut each: impl FnMut(Event)) {
        let odd = self.decoder.oddities();
        if odd.is_empty() {
            return;
        }
        let (src, dst) = odd.ends().unzip();
        for oddity in odd.iter() {
            let body = Body::Weird(Weird { name: oddity.as_str(), src, dst });
            each(Event { ts, packet: number, conversation: None, body });
        }
    }

    /// Takes over what the source says of its inputs.
    pub(super) fn report(&mut self, source: &dyn Source) {
        self.stats.inputs = source.inputs();
        self.stats.fragments = self.decoder.fragment_stats();
    }

    /// The latest packet time; the epoch before the first frame.
    pub(super) fn now(&self) -> Timestamp {
        self.metronome.now.or(self.stats.last_packet).unwrap_or_default()
    }

    /// Where the input ends.
    pub(super) fn end(&self) -> Tick {
        Tick { number: self.stats.packets, ordinal: 0, now: self.now() }
    }

    pub(super) const fn stats(&self) -> &IntakeStats {
        &self.stats
    }

    pub(super) fn into_stats(self) -> IntakeStats {
        self.stats
    }
}

/// Counts a frame that cannot be used.
#[cold]
fn count(stats: &mut IntakeStats, input: u16, skip: Skip) {
    let input = usize::from(input);
    if stats.skipped.len() <= input {
        stats.skipped.resize(input + 1, [0; Skip::COUNT]);
    }
    if let Some(count) = stats.skipped.get_mut(input).and_then(|of| of.get_mut(skip.index())) {
        *count += 1;
    }
}

/// Turns packet time into ticks: one a second while packets flow, and across a silence at steps
/// that double, so that timers fire near their time and a gap of a year costs some thirty ticks.
#[derive(Debug, Default)]
struct Metronome {
    ticked: Option<Timestamp>,
    now: Option<Timestamp>,
}

impl Metronome {
    /// Pushes the ticks due before the packet `number` at `now`.
    #[inline]
    fn advance(&mut self, number: u64, now: Timestamp, out: &mut Vec<Tick>) {
        self.now = self.now.max(Some(now));
        match self.ticked {
            Some(ticked) if now.since(ticked) < TICK => {}
            Some(ticked) => self.ticked = Some(tick(number, ticked, now, out)),
            None => self.ticked = Some(now),
        }
    }
}

/// Pushes the ticks between `ticked` and `now`; gives the last.
fn tick(number: u64, mut ticked: Timestamp, now: Timestamp, out: &mut Vec<Tick>) -> Timestamp {
    let mut ordinal = 0;
    let mut step = TICK;
    while now.since(ticked) >= TICK {
        ticked = if now.since(ticked) >= step { ticked + step } else { now };
        out.push(Tick { number, ordinal, now: ticked });
        ordinal += 1;
        step *= 2;
    }
    ticked
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticks(times: &[i64]) -> Vec<(u64, i64)> {
        let mut metronome = Metronome::default();
        let mut out = Vec::new();
        for (number, time) in (1..).zip(times) {
            metronome.advance(number, Timestamp::from_secs(*time), &mut out);
        }
        out.iter().map(|tick| (tick.number, tick.now.as_nanos() / 1_000_000_000)).collect()
    }

    #[test]
    fn ticks_once_a_second_while_packets_flow() {
        assert_eq!(ticks(&[10, 10, 11, 11, 12]), [(3, 11), (5, 12)]);
    }

    #[test]
    fn crosses_a_silence_in_steps_that_double() {
        assert_eq!(ticks(&[0, 10]), [(2, 1), (2, 3), (2, 7), (2, 10)]);
    }

    #[test]
    fn crosses_a_year_in_a_few_ticks() {
        assert!(ticks(&[0, 31_536_000]).len() < 32);
    }

    #[test]
    fn stands_still_when_time_runs_back() {
        assert_eq!(ticks(&[10, 5, 3]), []);
    }
}

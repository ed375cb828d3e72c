//! The first stage after the source: keeps the time, drops duplicates, decodes, counts what it
//! skips.

use std::time::Duration;

use super::Lane;
use super::batch::Tick;
use super::burst::Coming;
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

    /// Takes frames, in order, and hands on what is in them; whether a timer fired among them.
    /// `burst` is empty, and room for what is known of each before its turn.
    pub(super) fn on_burst<L: Lane>(
        &mut self,
        frames: &[Frame<'_>],
        burst: &mut Vec<Coming<L::Expected>>,
        lane: &mut L,
    ) -> bool {
        for frame in frames {
            burst.push(Coming::new(frame, &self.duplicates, lane));
        }
        lane.fetch(burst.iter_mut().filter_map(|coming| coming.expected.as_mut()));
        let mut has_ticked = false;
        for (frame, coming) in frames.iter().zip(burst.drain(..)) {
            let Coming { digest, is_plain, expected } = coming;
            self.stats.packets += 1;
            self.stats.bytes += frame.data.len() as u64;
            self.stats.last_packet = Some(frame.ts);
            let number = self.stats.packets;
            has_ticked |= self.metronome.advance(number, frame.ts, |tick| lane.on_tick(tick));
            if let Some(digest) = digest
                && self.duplicates.has_seen(frame.ts, frame.interface, digest)
            {
                self.stats.duplicates += 1;
                continue;
            }
            let plain = |packet: &Packet<'_>| lane.on_packet(number, packet, expected.as_ref());
            if !is_plain || Decoder::plain(frame, plain).is_none() {
                self.on_unusual(number, frame, lane);
            }
        }
        has_ticked
    }

    /// Takes a frame that is not plain: hands its packet on, where it lies; one that cannot be used
    /// is counted.
    fn on_unusual(&mut self, number: u64, frame: &Frame<'_>, lane: &mut impl Lane) {
        match &self.decoder.decode(frame) {
            Ok(packet) => lane.on_packet(number, packet, None),
            Err(skip) => count(&mut self.stats, frame.input, *skip),
        }
        let odd = self.decoder.oddities();
        let (src, dst) = odd.ends().unzip();
        for oddity in odd.iter() {
            let body = Body::Weird(Weird { name: oddity.as_str(), src, dst });
            lane.on_oddity(Event { ts: frame.ts, packet: number, conversation: None, body });
        }
    }

    /// Tells which ticks have come in a silence.
    pub(super) fn on_idle(&mut self, now: Timestamp, lane: &mut impl Lane) {
        self.metronome.advance(self.stats.packets + 1, now, |tick| lane.on_tick(tick));
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
    /// Gives the ticks due before the packet `number` at `now`; whether there are any.
    #[inline]
    fn advance(&mut self, number: u64, now: Timestamp, each: impl FnMut(Tick)) -> bool {
        self.now = self.now.max(Some(now));
        let Some(ticked) = self.ticked else {
            self.ticked = Some(now);
            return false;
        };
        // In nanoseconds, for every packet asks.
        let is_due = u128::from(now.nanos_since(ticked)) >= TICK.as_nanos();
        if is_due {
            self.ticked = Some(tick(number, ticked, now, each));
        }
        is_due
    }
}

/// Gives the ticks between `ticked` and `now`; returns the last.
fn tick(
    number: u64,
    mut ticked: Timestamp,
    now: Timestamp,
    mut each: impl FnMut(Tick),
) -> Timestamp {
    let mut ordinal = 0;
    let mut step = TICK;
    while now.since(ticked) >= TICK {
        ticked = if now.since(ticked) >= step { ticked + step } else { now };
        each(Tick { number, ordinal, now: ticked });
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
            metronome.advance(number, Timestamp::from_secs(*time), |tick| out.push(tick));
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

//! Answers that drip: what a language model's server sends, token by token, also where it is encrypted.
//!
//! A model makes tens of tokens a second, and a server passes each on at once, in a segment of its own
//! (Weiss et al., "What Was Your Prompt? A Remote Keylogging Attack on AI Assistants", USENIX Security
//! 2024, read the tokens' lengths off them; "Whisper Leak", arXiv:2511.03675, sizes and timing). So an answer is a turn of many small segments at an even
//! pace, for a second or longer, after a question of a few hundred bytes at least, and the client says
//! nothing meanwhile. Keystrokes and desktops are answered one by one; what is typed is a few bytes;
//! downloads and films fill their segments; notifications are seconds apart; a feed never ends.
//!
//! A turn is measured by five numbers; nothing of its content is looked at.

use std::time::Duration;

use crate::event::Drips;
use crate::proto::Role;
use crate::time::Timestamp;

/// Bytes of a question at least: the head of a request and a few words; keystrokes have fewer.
const QUESTION_MIN: u32 = 256;
/// Segments of an answer at least.
const SEGMENTS_MIN: u32 = 12;
/// The pace of tokens: a large model on a small machine makes one a second, a small one on a large
/// machine two hundred.
const PACE: (Duration, Duration) = (Duration::from_millis(5), Duration::from_secs(1));
/// Bytes of a segment on average, at most: one token in its wrapping of JSON takes up to four hundred.
const MEAN_MAX: u32 = 600;
/// How long an answer takes.
const TAKES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(10));
/// Moments kept of one connection, the latest.
const ENDS: usize = 4;

/// A connection's answers: whether they are looked for, and what was found so far.
#[derive(Debug, Default)]
pub(super) struct Dripping {
    is_on: bool,
    meter: Option<Box<Meter>>,
}

/// Measures turns as their segments come.
#[derive(Debug, Default)]
struct Meter {
    /// Bytes that the client said in its last turn.
    question: u32,
    /// The server's turn: its first and last segment, how many, their bytes, and how many of the gaps
    /// between them have the pace of tokens.
    first: Timestamp,
    last: Timestamp,
    segments: u32,
    bytes: u32,
    paced: u32,
    /// Turns that were such answers, and when the latest ended.
    answers: u32,
    ends: [Timestamp; ENDS],
}

const _: () = assert!(size_of::<Meter>() == 72, "docs/architecture.md says so");

impl Dripping {
    /// To be looked for.
    pub(super) const fn on() -> Self {
        Self { is_on: true, meter: None }
    }

    /// Takes that `sender` sent so many bytes that it had not sent before.
    #[inline]
    pub(super) fn on_data(&mut self, sender: Role, at: Timestamp, bytes: u32) {
        if self.is_on && bytes > 0 {
            self.meter.get_or_insert_default().take(sender, at, bytes);
        }
    }

    /// Turns client and server round: what was measured was somebody else's turn.
    pub(super) fn flip(&mut self) {
        self.meter = None;
    }

    /// What was found, if anything was.
    pub(super) fn finish(&mut self) -> Option<Box<Drips>> {
        self.meter.take()?.finish().map(Box::new)
    }

    /// Bytes on the heap.
    pub(super) const fn heap_bytes(&self) -> usize {
        if self.meter.is_some() { size_of::<Meter>() } else { 0 }
    }
}

impl Meter {
    fn take(&mut self, sender: Role, at: Timestamp, bytes: u32) {
        if sender == Role::Client {
            if self.segments > 0 {
                self.end();
            }
            self.question = self.question.saturating_add(bytes);
            return;
        }
        if self.segments == 0 {
            self.first = at;
        } else {
            let gap = at.since(self.last);
            self.paced += u32::from(gap >= PACE.0 && gap <= PACE.1);
        }
        self.last = at;
        self.segments = self.segments.saturating_add(1);
        self.bytes = self.bytes.saturating_add(bytes);
    }

    /// The server's turn is over.
    fn end(&mut self) {
        if self.is_answer() {
            self.answers = self.answers.saturating_add(1);
            self.ends.rotate_left(1);
            if let Some(end) = self.ends.last_mut() {
                *end = self.last;
            }
        }
        (self.question, self.segments, self.bytes, self.paced) = (0, 0, 0, 0);
    }

    fn is_answer(&self) -> bool {
        let took = self.last.since(self.first);
        let gaps = self.segments.saturating_sub(1);
        self.question >= QUESTION_MIN
            && self.segments >= SEGMENTS_MIN
            && (TAKES.0..=TAKES.1).contains(&took)
            && self.bytes / self.segments.max(1) <= MEAN_MAX
            // Four of five: the first token and the last ones may come together with others.
            && self.paced.saturating_mul(5) >= gaps.saturating_mul(4)
    }

    fn finish(mut self) -> Option<Drips> {
        self.end();
        let kept = ENDS.min(self.answers as usize);
        let ends = self.ends.get(ENDS - kept..)?.to_vec();
        (self.answers > 0).then_some(Drips { answers: self.answers, ends })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What each says: (whether the client, milliseconds since the segment before, bytes).
    fn drips(said: impl IntoIterator<Item = (bool, u64, u32)>) -> Option<Drips> {
        let mut dripping = Dripping::on();
        let mut at = Timestamp::from_secs(0);
        for (by_client, after, bytes) in said {
            at = at + Duration::from_millis(after);
            let sender = if by_client { Role::Client } else { Role::Server };
            dripping.on_data(sender, at, bytes);
        }
        dripping.finish().map(|found| *found)
    }

    /// A question and an answer of `n` segments.
    fn exchange(question: u32, n: u64, gap: u64, bytes: u32) -> Vec<(bool, u64, u32)> {
        let mut said = vec![(true, 50, question), (false, 700, bytes)];
        said.extend((1..n).map(|n| (false, gap + n % 7, bytes + (n % 9) as u32)));
        said
    }

    #[test]
    fn finds_answers_that_drip_and_when_they_ended() {
        let mut said = exchange(900, 60, 40, 190);
        said.extend(exchange(1800, 80, 25, 230));

        let found = drips(said).unwrap();

        assert_eq!((found.answers, found.ends.len()), (2, 2));
        let first = found.ends[0].as_nanos() / 1_000_000;
        assert!((3100..3400).contains(&first), "{first}");
    }

    #[test]
    fn keeps_the_latest_moments() {
        let found = drips((0..9).flat_map(|_| exchange(900, 60, 40, 190))).unwrap();

        assert_eq!((found.answers, found.ends.len()), (9, ENDS));
        assert!(found.ends.is_sorted());
    }

    #[test]
    fn ignores_what_is_typed_and_echoed() {
        assert_eq!(drips((0..500).map(|n| (n % 2 == 0, 120, 36))), None);
    }

    #[test]
    fn ignores_a_program_that_prints_after_a_command_was_typed() {
        let mut said: Vec<_> = (0..20).map(|n| (n % 2 == 0, 120, 36)).collect();
        said.extend(exchange(36, 200, 90, 110));

        assert_eq!(drips(said), None);
    }

    #[test]
    fn ignores_desktops_whose_user_moves_the_mouse() {
        let said = (0..900).map(|n| (n % 5 == 0, 30, if n % 5 == 0 { 70 } else { 400 }));

        assert_eq!(drips(said), None);
    }

    #[test]
    fn ignores_downloads_films_and_cursors() {
        assert_eq!(drips(exchange(600, 4000, 1, 1448)), None);
        assert_eq!(drips(exchange(600, 400, 20, 1448)), None);
    }

    #[test]
    fn ignores_long_polls_and_notifications() {
        assert_eq!(drips((0..40).flat_map(|_| exchange(700, 1, 0, 300))), None);
        assert_eq!(drips(exchange(700, 200, 5000, 180)), None);
    }

    #[test]
    fn ignores_a_feed_that_does_not_end_and_a_list_that_ends_at_once() {
        assert_eq!(drips(exchange(700, 9000, 100, 180)), None);
        assert_eq!(drips(exchange(700, 30, 10, 180)), None);
    }

    #[test]
    fn looks_for_nothing_where_it_is_off() {
        let mut off = Dripping::default();
        for n in 0..100 {
            off.on_data(Role::Server, Timestamp::from_secs(n), 100);
        }

        assert!(off.finish().is_none());
        assert_eq!(off.heap_bytes(), 0);
    }
}

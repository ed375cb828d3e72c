//! Puts what many hosts say at once into one order of time.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use super::packet::Stamped;
use crate::time::Timestamp;

/// A stream of frames in order of time.
pub type Stream = Box<dyn Iterator<Item = Stamped> + Send>;

/// Merges streams by time; of equal times the stream that was added first goes first.
///
/// It holds one frame of each stream, so a long capture with few streams at once costs little.
#[derive(Default)]
pub struct Timeline {
    waiting: BinaryHeap<Waiting>,
    added: u64,
}

impl Timeline {
    /// Adds frames that are in order of time among themselves.
    pub fn add(&mut self, mut stream: Stream) {
        self.added += 1;
        if let Some(next) = stream.next() {
            self.waiting.push(Waiting { next, order: self.added, rest: stream });
        }
    }

    /// Adds frames in any order.
    pub fn add_all(&mut self, mut frames: Vec<Stamped>) {
        frames.sort_by_key(|packet| packet.ts);
        self.add(Box::new(frames.into_iter()));
    }

    /// When the next frame passes; `None` if there is none.
    pub fn next_ts(&self) -> Option<Timestamp> {
        self.waiting.peek().map(|first| first.next.ts)
    }
}

impl Iterator for Timeline {
    type Item = Stamped;

    fn next(&mut self) -> Option<Stamped> {
        let mut first = self.waiting.pop()?;
        match first.rest.next() {
            Some(following) => {
                let packet = std::mem::replace(&mut first.next, following);
                self.waiting.push(first);
                Some(packet)
            }
            None => Some(first.next),
        }
    }
}

struct Waiting {
    next: Stamped,
    order: u64,
    rest: Stream,
}

/// Reversed, because the heap gives its greatest element and the earliest frame is wanted.
impl Ord for Waiting {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.next.ts, other.order).cmp(&(self.next.ts, self.order))
    }
}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Waiting {}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64, mark: u8) -> Stamped {
        Stamped { ts: Timestamp::from_secs(secs), frame: vec![mark] }
    }

    #[test]
    fn merges_by_time_and_then_by_order_of_adding() {
        let mut timeline = Timeline::default();
        timeline.add_all(vec![at(5, 1), at(1, 1)]);
        timeline.add_all(vec![at(1, 2), at(3, 2)]);

        let merged: Vec<_> =
            timeline.map(|packet| (packet.ts.as_nanos() / 1_000_000_000, packet.frame)).collect();

        assert_eq!(merged, [(1, vec![1]), (1, vec![2]), (3, vec![2]), (5, vec![1])]);
    }
}

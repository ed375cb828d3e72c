//! Whether the packet loop is alive, by the wall clock: the loop counts its turns, and this is the
//! place that looks when the count last moved.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::pipeline::published::Published;

/// The packet loop turns at least once a second, idle or not; ten missed turns are a stall.
pub const STALL: Duration = Duration::from_secs(10);

/// Watches the packet loop's heartbeat.
#[derive(Debug)]
pub struct Heart {
    published: Arc<Published>,
    seen: Mutex<Seen>,
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    beats: u64,
    moved: Instant,
}

impl Heart {
    /// A watch on `published` that starts its clock at `now`.
    pub fn new(published: Arc<Published>, now: Instant) -> Self {
        let seen = Mutex::new(Seen { beats: published.beats(), moved: now });
        Self { published, seen }
    }

    /// How long the loop has not turned, as of `now`; right to within the interval between calls.
    pub fn age(&self, now: Instant) -> Duration {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let beats = self.published.beats();
        if beats != seen.beats {
            *seen = Seen { beats, moved: now };
        }
        now.saturating_duration_since(seen.moved)
    }

    /// How many turns the loop has made.
    pub fn beats(&self) -> u64 {
        self.published.beats()
    }
}

/// The wall clock's monotonic side, for the edges.
pub fn now() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "an edge: health is about wall time")]
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_until_the_loop_turns() {
        let published = Arc::new(Published::default());
        let start = now();
        let heart = Heart::new(Arc::clone(&published), start);

        assert_eq!(heart.age(start + STALL), STALL);
        published.beat();
        assert_eq!(heart.age(start + STALL), Duration::ZERO);
        assert_eq!(heart.age(start + STALL + STALL), STALL);
    }
}

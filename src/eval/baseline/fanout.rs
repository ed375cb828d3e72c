//! Fan-out: too many distinct destinations within a window, whatever came of it.
//!
//! Source: Heberlein, Dias, Levitt, Mukherjee, Wood, Wolber, "A Network Security Monitor", IEEE
//! S&P 1990, as Jung et al. 2004 (section 2) sum it up: a source that connects to more than 15
//! distinct destinations within a given time. The window is not published; it is the shortest that
//! Snort's port-scan inspector has, 60 s.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use super::Accuser;
use super::attempt::{Attempt, Fate};
use crate::time::Timestamp;

pub(super) const SOURCE: &str = "Heberlein et al. 1990 (NSM), as summed up by Jung et al. 2004: more \
    than 15 distinct destinations over TCP or UDP; in 60 s, the shortest window of Snort's port_scan";

/// Destinations that are still fine.
const MOST: usize = 15;
/// Within this time.
const WINDOW: Duration = Duration::from_secs(60);

/// Whom each source called last when.
#[derive(Default)]
pub(super) struct Fanout {
    sources: BTreeMap<IpAddr, BTreeMap<IpAddr, Timestamp>>,
}

impl Accuser for Fanout {
    fn on_attempt(&mut self, attempt: &Attempt) -> bool {
        if attempt.fate == Fate::Aborted {
            return false;
        }
        let called = self.sources.entry(attempt.src).or_default();
        let last = called.entry(attempt.dst).or_insert(attempt.start);
        *last = attempt.start.max(*last);
        // Attempts come in the order in which their fates were known, so a window may lie on either
        // side of one that waited for its time-out.
        let near =
            |at: Timestamp| attempt.start.since(at) < WINDOW && at.since(attempt.start) < WINDOW;
        if called.len() > MOST {
            called.retain(|_, at| near(*at));
        }
        called.len() > MOST
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::testing::tcp;
    use crate::event::Event;

    fn accuses(events: impl IntoIterator<Item = Event>) -> bool {
        let mut fanout = Fanout::default();
        let mut attempts = events.into_iter().filter_map(|event| Attempt::of(&event));
        attempts.any(|attempt| fanout.on_attempt(&attempt))
    }

    fn contact(n: u8, every: f64) -> crate::detect::testing::Talk {
        tcp("10.0.0.1", &format!("10.0.1.{n}"), 443).at(f64::from(n) * every)
    }

    #[test]
    fn sixteen_destinations_in_a_minute_are_too_many_even_if_all_answer() {
        assert!(accuses((0..16).map(|n| contact(n, 3.0).accepted())));
        assert!(!accuses((0..15).map(|n| contact(n, 3.0).accepted())));
    }

    #[test]
    fn sixteen_in_two_minutes_are_not() {
        assert!(!accuses((0..200).map(|n| contact(n, 7.5).refused())));
    }

    #[test]
    fn the_same_destinations_again_and_again_are_not() {
        assert!(!accuses((0..200).map(|n| contact(n % 10, 0.1).accepted())));
    }
}

//! The sequential test that the scan detectors share: a random walk over first contacts.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::config::units;
use crate::time::Timestamp;

/// How often a first contact succeeds, for a healthy host and for a scanner.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Odds {
    /// Probability that a healthy host's first contact succeeds (θ0).
    #[serde(deserialize_with = "units::odds")]
    pub benign: f64,
    /// Probability that a scanner's does (θ1).
    #[serde(deserialize_with = "units::odds")]
    pub scanner: f64,
}

impl Odds {
    /// Nats that a failure is worth.
    pub(crate) fn failure(self) -> f64 {
        ((1.0 - self.scanner) / (1.0 - self.benign)).ln()
    }

    /// Nats that a success is worth; negative.
    pub(crate) fn success(self) -> f64 {
        (self.scanner / self.benign).ln()
    }
}

/// The walk: the sum of the log-likelihood ratios of first contacts, with a floor.
///
/// The floor is what makes it the reverse test of Schechter, Jung and Berger (2004), which asks
/// whether *some* run of latest contacts looks like a scan: walking from the latest contact
/// backwards and taking the maximum gives the same number as walking forwards and clamping at zero
/// (Page's CUSUM), so a clean past, or one that the scanner arranged for itself, earns no credit.
/// With one exception: that a host answers is known at once and that it does not only after a
/// time-out, so of contacts made together the failures come last. Successes are therefore
/// remembered for a minute, and only so many. The upper bound lets the walk come down again when
/// the scan is over.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Walk {
    height: f32,
    succeeded: Timestamp,
}

impl Walk {
    /// The walk never climbs higher, in nats.
    const CEILING: f64 = 18.0;
    /// Nor does it sink lower: six successes at the odds of Jung et al.
    const FLOOR: f64 = -8.4;
    /// Successes are forgotten after this time: twice the longest time-out for an opening.
    const CREDIT: Duration = Duration::from_secs(60);

    /// Takes a step up.
    pub(crate) fn fail(&mut self, nats: f64, now: Timestamp) {
        if self.height < 0.0 && now.since(self.succeeded) > Self::CREDIT {
            self.height = 0.0;
        }
        self.height = (f64::from(self.height) + nats).min(Self::CEILING) as f32;
    }

    /// Takes a step down (`nats` is negative), and tells whether it is on the ground.
    pub(crate) fn succeed(&mut self, nats: f64, now: Timestamp) -> bool {
        self.succeeded = now;
        self.height = (f64::from(self.height) + nats).max(Self::FLOOR) as f32;
        self.height <= 0.0
    }

    /// How high it stands above the ground, in nats.
    pub(crate) fn height(self) -> f64 {
        f64::from(self.height).max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JUNG: Odds = Odds { benign: 0.8, scanner: 0.2 };

    fn second(n: i64) -> Timestamp {
        Timestamp::from_secs(n)
    }

    #[test]
    fn convicts_after_as_few_contacts_as_the_paper_says() {
        let mut walk = Walk::default();

        let failures = (1..).find(|n| {
            walk.fail(JUNG.failure(), second(*n));
            walk.height() >= 99f64.ln()
        });

        assert_eq!(failures, Some(4));
    }

    #[test]
    fn gives_no_credit_for_a_clean_past() {
        let mut newcomer = Walk::default();
        let mut veteran = Walk::default();
        for n in 0..10_000 {
            veteran.succeed(JUNG.success(), second(n));
        }

        for n in 0..5 {
            newcomer.fail(JUNG.failure(), second(10_100 + n));
            veteran.fail(JUNG.failure(), second(10_100 + n));
        }

        assert!((newcomer.height() - veteran.height()).abs() < 1e-6);
    }

    #[test]
    fn waits_for_failures_of_contacts_made_together() {
        let mut walk = Walk::default();

        for _ in 0..20 {
            walk.succeed(JUNG.success(), second(0));
        }
        for _ in 0..5 {
            walk.fail(JUNG.failure(), second(30));
        }

        assert!(walk.height() < 0.1);
    }

    #[test]
    fn stays_low_for_a_host_that_fails_one_time_in_five() {
        let mut walk = Walk::default();
        let mut highest = 0.0f64;

        for n in 0..10_000 {
            if n % 5 == 0 {
                walk.fail(JUNG.failure(), second(n * 600));
            } else {
                walk.succeed(JUNG.success(), second(n * 600));
            }
            highest = highest.max(walk.height());
        }

        assert!(highest < 2.0, "{highest}");
    }
}

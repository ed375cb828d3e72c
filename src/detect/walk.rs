//! The sequential test that the scan detectors share: a random walk over first contacts.

use serde::{Deserialize, Serialize};

/// How often a first contact succeeds, for a healthy host and for a scanner.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Odds {
    /// Probability that a healthy host's first contact succeeds (θ0).
    pub benign: f64,
    /// Probability that a scanner's does (θ1).
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

/// The walk: the sum of the log-likelihood ratios of all first contacts, never below zero.
///
/// The lower bound is what makes it the reverse test of Schechter, Jung and Berger (2004), which
/// asks whether *some* run of latest contacts looks like a scan: walking from the latest contact
/// backwards and taking the maximum gives the same number as walking forwards and clamping at zero
/// (Page's CUSUM), so a clean past, or one that the scanner arranged for itself, earns no credit.
/// The upper bound lets it come down again when the scan is over.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Walk {
    height: f32,
}

impl Walk {
    /// The walk never climbs higher, in nats.
    const CEILING: f64 = 18.0;

    /// Takes a step of so many nats and tells whether it went back to the ground.
    pub(crate) fn step(&mut self, nats: f64) -> bool {
        let height = (f64::from(self.height) + nats).clamp(0.0, Self::CEILING);
        self.height = height as f32;
        height <= 0.0
    }

    /// How high it stands, in nats.
    pub(crate) fn height(self) -> f64 {
        f64::from(self.height)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JUNG: Odds = Odds { benign: 0.8, scanner: 0.2 };

    #[test]
    fn convicts_after_as_few_contacts_as_the_paper_says() {
        let mut walk = Walk::default();

        let failures = (1..).find(|_| {
            walk.step(JUNG.failure());
            walk.height() >= 99f64.ln()
        });

        assert_eq!(failures, Some(4));
    }

    #[test]
    fn gives_no_credit_for_a_clean_past() {
        let mut newcomer = Walk::default();
        let mut veteran = Walk::default();
        for _ in 0..10_000 {
            veteran.step(JUNG.success());
        }

        for _ in 0..5 {
            newcomer.step(JUNG.failure());
            veteran.step(JUNG.failure());
        }

        assert!((newcomer.height() - veteran.height()).abs() < 1e-6);
    }

    #[test]
    fn stays_low_for_a_host_that_fails_one_time_in_five() {
        let mut walk = Walk::default();
        let mut highest = 0.0f64;

        for n in 0..10_000 {
            walk.step(if n % 5 == 0 { JUNG.failure() } else { JUNG.success() });
            highest = highest.max(walk.height());
        }

        assert!(highest < 2.0, "{highest}");
    }
}

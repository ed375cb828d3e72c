//! Threshold random walk, as published.
//!
//! Source: Jung, Paxson, Berger, Balakrishnan, "Fast Portscan Detection Using Sequential Hypothesis
//! Testing", IEEE S&P 2004, section 4. For each source the likelihood ratio of "scanner" to "benign"
//! starts at 1. The first contact with each destination multiplies it by θ1/θ0 if it succeeds and by
//! (1−θ1)/(1−θ0) if it fails. At η1 = β/α the source is a scanner, at η0 = (1−β)/(1−α) it is benign;
//! either is final. TCP alone.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::Accuser;
use super::attempt::{Attempt, Fate};

pub(super) const SOURCE: &str = "Jung, Paxson, Berger, Balakrishnan 2004, section 4: first contacts \
    over TCP, theta0 = 0.8, theta1 = 0.2, alpha = 0.01, beta = 0.99, decisions final";

/// Chance that a benign source's first contact succeeds (section 4.2).
const THETA0: f64 = 0.8;
/// Chance that a scanner's does.
const THETA1: f64 = 0.2;
/// Most false alarms that are wanted.
const ALPHA: f64 = 0.01;
/// Least detections that are wanted.
const BETA: f64 = 0.99;

/// The walks of all sources.
#[derive(Default)]
pub(super) struct Trw {
    sources: BTreeMap<IpAddr, Source>,
}

/// How far a source is.
enum Source {
    /// Undecided: logarithm of the likelihood ratio, and who was contacted.
    Pending(f64, BTreeSet<IpAddr>),
    /// Decided: whether it is a scanner.
    Decided(bool),
}

impl Accuser for Trw {
    fn on_attempt(&mut self, attempt: &Attempt) -> bool {
        if !attempt.is_tcp() || attempt.fate == Fate::Aborted {
            return false;
        }
        let source = self
            .sources
            .entry(attempt.src)
            .or_insert_with(|| Source::Pending(0.0, BTreeSet::new()));
        let Source::Pending(walk, contacted) = source else {
            return matches!(source, Source::Decided(true));
        };
        if contacted.insert(attempt.dst) {
            *walk += if attempt.fate == Fate::Failed {
                ((1.0 - THETA1) / (1.0 - THETA0)).ln()
            } else {
                (THETA1 / THETA0).ln()
            };
            if *walk >= (BETA / ALPHA).ln() {
                *source = Source::Decided(true);
                return true;
            }
            if *walk <= ((1.0 - BETA) / (1.0 - ALPHA)).ln() {
                *source = Source::Decided(false);
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::super::attempt::Attempt;
    use super::*;
    use crate::detect::testing::{tcp, udp};
    use crate::event::Event;

    fn accuses(events: impl IntoIterator<Item = Event>) -> bool {
        let mut trw = Trw::default();
        let mut attempts = events.into_iter().filter_map(|event| Attempt::of(&event));
        attempts.any(|attempt| trw.on_attempt(&attempt))
    }

    fn contact(n: u8) -> crate::detect::testing::Talk {
        tcp("10.0.0.1", &format!("10.0.1.{n}"), 445)
    }

    /// ln 99 = 4.60 lies between three and four times ln 4 = 1.39.
    #[test]
    fn four_failed_first_contacts_are_a_scan_and_three_are_not() {
        assert!(accuses((0..4).map(|n| contact(n).refused())));
        assert!(!accuses((0..3).map(|n| contact(n).refused())));
    }

    #[test]
    fn successes_take_failures_back() {
        let mixed =
            (0..40).map(|n| if n % 2 == 0 { contact(n).accepted() } else { contact(n).refused() });

        assert!(!accuses(mixed));
    }

    #[test]
    fn only_the_first_contact_with_a_destination_counts() {
        assert!(!accuses((0..40).map(|_| contact(1).refused())));
    }

    #[test]
    fn who_was_found_benign_stays_so() {
        let good = (0..4).map(|n| contact(n).accepted());
        let bad = (10..40).map(|n| contact(n).refused());

        assert!(!accuses(good.chain(bad)));
    }

    #[test]
    fn udp_is_not_its_business() {
        let sweep = (0..40).map(|n| udp("10.0.0.1", &format!("10.0.1.{n}"), 161).unanswered());

        assert!(!accuses(sweep));
    }
}

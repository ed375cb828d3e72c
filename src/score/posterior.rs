//! The arithmetic of a score, in one place, so that `explain` and the board cannot disagree.
//!
//! log-odds = prior + Σ over families of min(cap, Σ llr · scale · decay · discount), turned into
//! 0..100 by the logistic function. A family never subtracts: a worm must not buy innocence with good
//! manners. `context` multiplies the odds that other evidence made (which is adding in nats), by no
//! more than that evidence itself, so alone it says nothing.

use std::time::Duration;

use crate::detect::{Evidence, Family};
use crate::time::Timestamp;

use super::{Caps, ScoreConfig};

/// Every family, in the order in which a score is explained.
pub const FAMILIES: [Family; 11] = [
    Family::Failure,
    Family::Novelty,
    Family::Decoy,
    Family::Credential,
    Family::Adaptation,
    Family::Lateral,
    Family::Causality,
    Family::Content,
    Family::Inference,
    Family::Fingerprint,
    Family::Context,
];

/// What one piece of evidence counts for at one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weight {
    /// What calibration makes of it, a factor from 0 to 10; 1 unless the configuration says otherwise.
    pub scale: f64,
    /// Packet time since it held.
    pub age: Duration,
    /// What age leaves of it, 0 to 1.
    pub decay: f64,
    /// What the chance of forgery leaves of it, 0 to 1.
    pub discount: f64,
    /// What it counts for before its family's cap, in nats.
    pub nats: f64,
}

/// What one family adds at one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FamilySum {
    /// The family.
    pub family: Family,
    /// The sum of its evidence, in nats.
    pub sum: f64,
    /// The most that it can add, in nats.
    pub cap: f64,
    /// What it adds, in nats.
    pub counted: f64,
}

/// Weighs one piece of evidence as of `now`.
pub fn weigh(evidence: &Evidence, config: &ScoreConfig, now: Timestamp) -> Weight {
    let age = now.since(evidence.ts);
    let decay = (-age.as_secs_f64() / config.half_life.as_secs_f64()).exp2();
    let discount = if evidence.forgeable { config.forgeable_weight } else { 1.0 };
    let scale = config.scale(evidence.detector);
    Weight { scale, age, decay, discount, nats: evidence.llr * scale * decay * discount }
}

/// Sums up every family of `evidence` as of `now`, in the order of [`FAMILIES`], absent ones left
/// out.
pub fn family_sums(evidence: &[Evidence], config: &ScoreConfig, now: Timestamp) -> Vec<FamilySum> {
    sum_up(&evidence.iter().map(|e| (e.family, weigh(e, config, now).nats)), &config.caps)
}

/// The same of evidence that has been weighed: its families and nats.
pub fn sum_up(
    weights: &(impl Iterator<Item = (Family, f64)> + Clone),
    caps: &Caps,
) -> Vec<FamilySum> {
    let mut sums = Vec::new();
    let mut others = 0.0;
    for family in FAMILIES {
        let mut of_family = weights.clone().filter(|(of, _)| *of == family).peekable();
        if of_family.peek().is_none() {
            continue;
        }
        let sum: f64 = of_family.map(|(_, nats)| nats).sum();
        let cap = caps.of(family);
        let mut counted = sum.clamp(0.0, cap);
        if family == Family::Context {
            counted = counted.min(others);
        }
        others += counted;
        sums.push(FamilySum { family, sum, cap, counted });
    }
    sums
}

/// The log-odds that the host of `evidence` is infected as of `now`, in nats.
pub fn log_odds(evidence: &[Evidence], config: &ScoreConfig, now: Timestamp) -> f64 {
    let sums = family_sums(evidence, config, now);
    config.prior + sums.iter().map(|sum| sum.counted).sum::<f64>()
}

/// Log-odds in nats as a posterior from 0 to 100, in tenths, rounded down.
///
/// Rounded down so that what is printed never claims a verdict that was not reached, and to tenths
/// so that the last bits of `exp`, which differ between machines, reach no output.
pub fn posterior(log_odds: f64) -> f64 {
    let score = 100.0 / (1.0 + (-log_odds).exp());
    (score * 10.0 + 1e-9).floor() / 10.0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::{evidence, forgeable};
    use super::*;

    fn config() -> ScoreConfig {
        ScoreConfig::default()
    }

    const NOW: Timestamp = Timestamp::from_secs(0);

    #[test]
    fn nothing_known_leaves_the_prior() {
        assert_eq!(log_odds(&[], &config(), NOW), -6.0);
        assert_eq!(posterior(-6.0), 0.2);
    }

    #[test]
    fn a_family_adds_no_more_than_its_cap() {
        let many = [
            evidence("scan.slow", Family::Novelty, 5.0, 0),
            evidence("novelty.edge", Family::Novelty, 5.0, 0),
        ];

        let odds = log_odds(&many, &config(), NOW);

        assert_eq!(odds, -6.0 + 6.0);
        assert_eq!(posterior(odds), 50.0);
    }

    #[test]
    fn two_families_convict_where_one_does_not() {
        let novelty = evidence("novelty.edge", Family::Novelty, 6.0, 0);
        let lateral = evidence("lateral.service", Family::Lateral, 5.0, 0);

        let one = posterior(log_odds(std::slice::from_ref(&novelty), &config(), NOW));
        let two = posterior(log_odds(&[novelty, lateral], &config(), NOW));

        assert_eq!(one, 50.0);
        assert_eq!(two, 99.3);
    }

    #[test]
    fn evidence_counts_for_half_after_its_half_life() {
        let scan = evidence("scan.horizontal", Family::Failure, 8.0, 0);
        let week = Timestamp::from_secs(7 * 24 * 3600);

        let weight = weigh(&scan, &config(), week);

        assert_eq!(weight.decay, 0.5);
        assert_eq!(weight.nats, 4.0);
    }

    #[test]
    fn a_scale_multiplies_the_evidence_of_its_detector() {
        let scan = evidence("scan.horizontal", Family::Failure, 8.0, 0);
        let config = ScoreConfig { scales: [("scan".to_owned(), 0.5)].into(), ..config() };

        assert_eq!(weigh(&scan, &config, NOW).nats, 4.0);
        assert_eq!(weigh(&scan, &ScoreConfig::default(), NOW).nats, 8.0);
    }

    #[test]
    fn evidence_from_the_future_counts_in_full() {
        let scan = evidence("scan.horizontal", Family::Failure, 8.0, 60);

        assert_eq!(weigh(&scan, &config(), NOW).nats, 8.0);
    }

    #[test]
    fn a_clear_scan_convicts_alone_even_if_it_could_be_forged() {
        let scan = forgeable("scan.horizontal", Family::Failure, 10.0, 0);

        let score = posterior(log_odds(&[scan], &config(), NOW));

        assert_eq!(score, 92.4);
    }

    /// The table of `docs/scoring.md`.
    #[test]
    fn each_family_alone_reaches_what_is_published() {
        let alone = |family| {
            let strong = evidence("x.y", family, 100.0, 0);
            posterior(log_odds(&[strong], &config(), NOW))
        };

        let reached: Vec<_> = FAMILIES.iter().map(|family| alone(*family)).collect();

        assert_eq!(reached, [98.2, 50.0, 26.8, 98.2, 50.0, 88.0, 88.0, 50.0, 26.8, 50.0, 0.2]);
    }

    #[test]
    fn context_alone_says_nothing() {
        let new = evidence("host.new", Family::Context, 1.0, 0);

        assert_eq!(log_odds(&[new], &config(), NOW), -6.0);
    }

    #[test]
    fn context_multiplies_by_no_more_than_the_rest() {
        let new = evidence("host.new", Family::Context, 1.0, 0);
        let faint = evidence("scan.slow", Family::Novelty, 0.25, 0);
        let clear = evidence("scan.horizontal", Family::Failure, 7.0, 0);

        assert_eq!(log_odds(&[faint, new.clone()], &config(), NOW), -5.5);
        assert_eq!(log_odds(&[clear, new], &config(), NOW), 2.0);
    }

    #[test]
    fn good_manners_buy_no_innocence() {
        let mut good = evidence("scan.slow", Family::Novelty, 1.0, 0);
        good.llr = -50.0;
        let scan = evidence("scan.horizontal", Family::Failure, 10.0, 0);

        assert_eq!(log_odds(&[good, scan], &config(), NOW), 4.0);
    }

    #[test]
    fn what_is_printed_claims_no_verdict_that_was_not_reached() {
        assert_eq!(posterior((0.8999_f64 / 0.1001).ln()), 89.9);
        assert_eq!(posterior(0.0), 50.0);
        assert_eq!(posterior(800.0), 100.0);
        assert_eq!(posterior(-800.0), 0.0);
    }

    proptest! {
        #[test]
        fn a_score_lies_between_prior_and_caps(
            parts in prop::collection::vec((0_usize..11, 0.0_f64..40.0, -9_000_000_i64..9_000_000), 0..40),
        ) {
            let evidence: Vec<_> = parts
                .iter()
                .map(|(family, llr, at)| evidence("x.y", FAMILIES[*family], *llr, *at))
                .collect();

            let odds = log_odds(&evidence, &config(), NOW);

            prop_assert!((-6.0..=65.0).contains(&odds));
            prop_assert!((0.0..=100.0).contains(&posterior(odds)));
        }
    }
}

//! The fit: penalised maximum likelihood by coordinate search.
//!
//! What is minimised is the negative log-likelihood of all hosts, quiet ones among them, plus a
//! penalty for leaving the configured constants: (ln factor / σ)² / 2 for every cap and scale, and the
//! same for the prior's difference. It is the posterior mode under a log-normal belief around what is
//! configured, so a detector that spoke twice does not move far. The caps make the likelihood neither
//! smooth nor convex; there are some twenty constants and a few hundred distinct hosts, so steps that
//! halve along one constant after the other find the minimum as well as anything, and the same one
//! each time.

use super::model::{Constants, Host, loss};

/// How far a scale is expected to be off: a factor of e^0.5 = 1.65 is one standard deviation.
const SCALE_SIGMA: f64 = 0.5;
/// The same of a cap: they say what families can do at most, and should move less.
const CAP_SIGMA: f64 = 0.25;
/// The same of the prior, in nats.
const PRIOR_SIGMA: f64 = 1.0;
/// Steps along a constant: the logarithm of a factor, for the prior nats.
const STEPS: [f64; 5] = [0.4, 0.2, 0.1, 0.05, 0.02];
/// Rounds over all constants at one step at the most.
const ROUNDS: usize = 50;
/// What a step must gain, so that rounding does not make it go on.
const LEAST_GAIN: f64 = 1e-9;

/// Constants that fit `hosts`, beginning at `configured`.
pub(super) fn fit(hosts: &[Host<'_>], configured: &Constants) -> Constants {
    let mut at = configured.clone();
    let count = 1 + at.families.len() + at.scales.len();
    let mut cost = objective(hosts, &at, configured);
    for step in STEPS {
        for _ in 0..ROUNDS {
            let mut moved = false;
            for index in 0..count {
                for step in [step, -step] {
                    let tried = stepped(&at, index, step);
                    let tried_cost = objective(hosts, &tried, configured);
                    if tried_cost < cost - LEAST_GAIN {
                        (at, cost, moved) = (tried, tried_cost, true);
                    }
                }
            }
            if !moved {
                break;
            }
        }
    }
    tidy(at)
}

/// The constants with the one at `index` moved by `step`.
fn stepped(constants: &Constants, index: usize, step: f64) -> Constants {
    let mut stepped = constants.clone();
    let Some(index) = index.checked_sub(1) else {
        // A prior must stay below zero: an infected host is the exception.
        stepped.prior = (stepped.prior + step).min(-0.1);
        return stepped;
    };
    if let Some(family) = constants.families.iter().nth(index) {
        *stepped.caps.of_mut(*family) *= step.exp();
    } else if let Some(scale) = stepped.scales.values_mut().nth(index - constants.families.len()) {
        *scale *= step.exp();
    }
    stepped
}

fn objective(hosts: &[Host<'_>], constants: &Constants, configured: &Constants) -> f64 {
    let surprise: f64 = hosts.iter().map(|h| loss(h, constants.log_odds(h.evidence))).sum();
    let off = |now: f64, was: f64, sigma: f64| ((now / was).ln() / sigma).powi(2) / 2.0;
    let caps =
        constants.families.iter().map(|of| (constants.caps.of(*of), configured.caps.of(*of)));
    let scales = constants.scales.values().zip(configured.scales.values());
    surprise
        + ((constants.prior - configured.prior) / PRIOR_SIGMA).powi(2) / 2.0
        + caps.filter(|(_, was)| *was > 0.0).map(|(now, was)| off(now, was, CAP_SIGMA)).sum::<f64>()
        + scales.map(|(now, was)| off(*now, *was, SCALE_SIGMA)).sum::<f64>()
}

/// The constants to two decimals: more would claim a precision that nobody has.
fn tidy(mut constants: Constants) -> Constants {
    let cents = |value: f64| (value * 100.0).round() / 100.0;
    constants.prior = cents(constants.prior);
    for family in &constants.families {
        let cap = constants.caps.of_mut(*family);
        *cap = cents(*cap);
    }
    constants.scales.values_mut().for_each(|scale| *scale = cents(*scale));
    constants
}

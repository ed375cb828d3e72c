//! How far a measure could be off: intervals by resampling captures.
//!
//! Percentile bootstrap (Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13):
//! as many captures as there are are drawn with replacement, measured, and this a thousand times; the
//! middle 95 % are the interval. The unit is the capture, because hosts of one capture are not
//! independent. It cannot see what no capture shows: where all agree, the interval is a point, and
//! with n captures a rate of up to 3/n could still hide (the "rule of three").

use std::collections::BTreeMap;

use serde::Serialize;

use crate::incident::rounded;
use crate::synth::rng::Rng;

use super::{Capture, MEASURES, Measures};

/// Times that captures are drawn.
const DRAWS: usize = 1000;
/// Below this number of captures an interval would pretend to know something.
const LEAST_CAPTURES: usize = 5;
/// Any number will do, if it is always the same.
const SEED: u64 = 0x7770_726d;

/// Where a measure lies with 95 % confidence.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Interval {
    /// Its lower end.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

/// The interval of each measure, by its name; none for a few captures, and none for a measure that
/// is undefined in most draws.
pub(super) fn intervals(captures: &[&Capture]) -> BTreeMap<&'static str, Interval> {
    let mut draws: BTreeMap<&'static str, Vec<f64>> = BTreeMap::new();
    if captures.len() < LEAST_CAPTURES {
        return BTreeMap::new();
    }
    let mut rng = Rng::new(SEED);
    for _ in 0..DRAWS {
        let drawn = captures
            .iter()
            .filter_map(|_| captures.get(rng.below(captures.len() as u64) as usize).copied());
        let measures = Measures::of(drawn);
        for measure in MEASURES {
            if let Some(value) = (measure.of)(&measures) {
                draws.entry(measure.name).or_default().push(value);
            }
        }
    }
    let enough = draws.into_iter().filter(|(_, values)| values.len() * 2 > DRAWS);
    enough.filter_map(|(name, values)| Some((name, middle(values)?))).collect()
}

/// The middle 95 % of `values`.
fn middle(mut values: Vec<f64>) -> Option<Interval> {
    values.sort_by(f64::total_cmp);
    let at = |share: f64| values.get((share * (values.len() - 1) as f64).round() as usize).copied();
    Some(Interval { low: rounded(at(0.025)?, 4), high: rounded(at(0.975)?, 4) })
}

#[cfg(test)]
mod tests {
    use super::super::tests::capture_of;
    use super::*;

    fn recall(captures: &[Capture]) -> Option<Interval> {
        intervals(&captures.iter().collect::<Vec<_>>()).get("recall_suspicious").copied()
    }

    #[test]
    fn surrounds_the_measure_and_narrows_with_more_captures() {
        let half = |n: usize| -> Vec<Capture> {
            (0..n).map(|n| capture_of(&[(if n % 2 == 0 { 99.0 } else { 1.0 }, true)])).collect()
        };

        let few = recall(&half(10)).unwrap();
        let many = recall(&half(400)).unwrap();

        assert!(few.low < 0.3 && few.high > 0.7, "{few:?}");
        assert!(many.low > 0.42 && many.low < 0.5, "{many:?}");
        assert!(many.high < 0.58 && many.high > 0.5, "{many:?}");
    }

    #[test]
    fn says_the_same_each_time() {
        let captures: Vec<_> = (0..20)
            .map(|n| capture_of(&[(f64::from(n) * 5.0, true), (60.0, n % 3 == 0)]))
            .collect();
        let all: Vec<_> = captures.iter().collect();

        assert_eq!(intervals(&all), intervals(&all));
    }

    #[test]
    fn pretends_nothing_about_a_few_captures_or_about_what_is_not_there() {
        let four: Vec<_> = (0..4).map(|_| capture_of(&[(99.0, true)])).collect();
        let benign: Vec<_> = (0..20).map(|_| capture_of(&[(1.0, false)])).collect();

        assert_eq!(recall(&four), None);
        assert_eq!(recall(&benign), None);
    }
}

//! Chances with heavy tails, from additions, multiplications and divisions alone.
//!
//! IEEE 754 rounds those the same way on every machine; the logarithm of a system's library it does
//! not. So the two functions that distributions need are written out here.

use std::time::Duration;

use super::super::rng::Rng;

/// The natural logarithm of 2.
const LN_2: f64 = std::f64::consts::LN_2;

/// Bits of the fraction of a double.
const FRACTION: u32 = 52;

/// The natural logarithm of a positive normal number, to about 1e-12.
pub fn ln(x: f64) -> f64 {
    let bits = x.to_bits();
    let exponent = ((bits >> FRACTION) & 0x7ff) as i64 - 1023;
    let mantissa = f64::from_bits((bits & ((1 << FRACTION) - 1)) | (1023 << FRACTION));
    // ln m = 2 artanh((m - 1) / (m + 1)), whose argument is at most a third.
    let z = (mantissa - 1.0) / (mantissa + 1.0);
    let square = z * z;
    let mut term = z;
    let mut sum = 0.0;
    for step in 0..14u32 {
        sum += term / f64::from(2 * step + 1);
        term *= square;
    }
    exponent as f64 * LN_2 + 2.0 * sum
}

/// `e` to the power of `x`, for `x` between -700 and 700, to about 1e-12 of the result.
pub fn exp(x: f64) -> f64 {
    let x = x.clamp(-700.0, 700.0);
    let doublings = (x / LN_2) as i64;
    let rest = x - doublings as f64 * LN_2;
    let (mut term, mut sum) = (1.0, 1.0);
    for step in 1..20u32 {
        term *= rest / f64::from(step);
        sum += term;
    }
    sum * f64::from_bits(((1023 + doublings) as u64) << FRACTION)
}

/// A number above 0 and at most 1.
fn uniform(rng: &mut Rng) -> f64 {
    ((rng.bits() >> 11) + 1) as f64 / (1u64 << 53) as f64
}

/// Whether something with a chance of `share`, from 0 to 1, happens this time.
pub fn happens(rng: &mut Rng, share: f64) -> bool {
    uniform(rng) <= share
}

/// The wait for the next of events that come independently, one in `mean` on average.
pub fn wait(rng: &mut Rng, mean: Duration) -> Duration {
    let nanos = -ln(uniform(rng)) * mean.as_nanos() as f64;
    Duration::from_nanos(nanos as u64)
}

/// A size of bounded Pareto distribution: `least` to `most`, with the exponent `tail`. The smaller
/// the exponent, the more of the whole is in the few largest.
pub fn pareto(rng: &mut Rng, (least, most): (u64, u64), tail: f64) -> u64 {
    let scale = exp(-ln(uniform(rng)) / tail);
    ((least as f64 * scale) as u64).min(most)
}

/// One of `many` by popularity: the n-th is chosen about 1/n times as often as the first (Zipf).
pub fn rank(rng: &mut Rng, many: u64) -> u64 {
    let drawn = exp(uniform(rng) * ln(many as f64 + 1.0)) as u64;
    drawn.saturating_sub(1).min(many.saturating_sub(1))
}

/// A number that belongs to `parts` and never changes (SplitMix64's mixing of each in turn).
pub fn fixed(parts: &[u64]) -> u64 {
    parts.iter().fold(0x57_6f72_6d77_6174, |state, part| Rng::new(state ^ part).bits())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logarithm_and_power_are_those_of_the_textbook() {
        for x in [1e-12, 0.003, 0.5, 1.0, 1.5, 2.0, 10.0, 123_456.789, 1e15] {
            assert!((ln(x) - x.ln()).abs() < 1e-10, "{x}");
        }
        for x in [-40.0, -1.0, -0.001, 0.0, 0.3, 1.0, 25.0] {
            assert!((exp(x) / x.exp() - 1.0).abs() < 1e-10, "{x}");
        }
    }

    #[test]
    fn waits_have_their_mean_and_sizes_their_range() {
        let mut rng = Rng::new(5);
        let waits: Duration = (0..20_000).map(|_| wait(&mut rng, Duration::from_secs(10))).sum();
        let sizes: Vec<u64> =
            (0..20_000).map(|_| pareto(&mut rng, (100, 1_000_000), 1.1)).collect();

        let mean = waits.as_secs_f64() / 20_000.0;
        assert!((9.7..10.3).contains(&mean), "{mean}");
        assert!(sizes.iter().all(|size| (100..=1_000_000).contains(size)));
        let small = sizes.iter().filter(|size| **size < 200).count();
        // 1 - 2^-1.1 of them are below twice the least.
        assert!((10_300..11_000).contains(&small), "{small}");
    }

    #[test]
    fn the_first_is_the_most_popular_and_the_last_is_reached() {
        let mut rng = Rng::new(5);
        let mut counts = [0u32; 50];
        for _ in 0..20_000 {
            counts[rank(&mut rng, 50) as usize] += 1;
        }

        assert!(counts[0] > counts[1] && counts[1] > counts[10]);
        assert!(counts[49] > 0);
    }
}

//! Attacks as tools and worms carry them out, which all detectors and the score together must name,
//! and nobody else beside them: not the victims, not the router.

mod guesses;
mod ports;
mod sweeps;

/// Whoever attacks from inside.
const EVIL: &str = "10.0.0.66";
/// Whoever attacks from outside.
const OUTSIDER: &str = "198.51.100.66";

/// A number that looks random, the same in every run.
fn scatter(n: u32) -> u32 {
    (n + 1).wrapping_mul(2_654_435_761) >> 7
}

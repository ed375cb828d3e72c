//! How many hosts of this network do a thing of their own accord.

use super::exchange::{Axis, Exchange};
use crate::inventory::{Table, Tally, Weigh};

/// For each manner of calling others, the hosts that took to it without having been called like
/// that before. Who does what was done to it is not counted: under a worm everybody does.
#[derive(Debug)]
pub(super) struct Prevalence {
    manners: Table<u64, Doers>,
}

#[derive(Debug, Default)]
struct Doers(Tally);

impl Weigh for Doers {}

impl Prevalence {
    pub(super) fn new(budget: usize) -> Self {
        Self { manners: Table::new(budget) }
    }

    /// Takes that the host of that hash does the like of its own accord.
    pub(super) fn add(&mut self, exchange: &Exchange, axis: Axis, host: u64) {
        let Some(key) = exchange.key(axis) else { return };
        self.manners.update(key, true, Doers::default, |doers| doers.0.add(host));
    }

    /// The probability that one of `hosts` hosts, taken at random, comes to do the like of its own
    /// accord: the share of those that did, beside the one that it is compared with. Half a host more
    /// might have on the whole axis (Krichevsky and Trofimov 1981), and on this place of it as much
    /// as the place takes up.
    pub(super) fn of(&self, exchange: &Exchange, axis: Axis, hosts: f64) -> f64 {
        let doers: u32 = exchange
            .keys(axis)
            .filter_map(|key| self.manners.peek(&key))
            .map(|doers| doers.0.count())
            .sum();
        ((f64::from(doers.saturating_sub(1)) + 0.5 * axis.width()) / (hosts + 1.0)).min(1.0)
    }

    pub(super) fn bytes(&self) -> usize {
        self.manners.bytes()
    }

    pub(super) fn evicted(&self) -> u64 {
        self.manners.evicted()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_more_hosts_do_is_likelier_for_the_next() {
        let mut manners = Prevalence::new(1 << 16);
        let seen = Exchange::sample("10.0.0.1", 445, 1.0, (21_054, 849));
        let near = Exchange::sample("10.0.0.1", 445, 1.0, (21_500, 849));
        let far = Exchange::sample("10.0.0.1", 445, 1.0, (900, 849));
        let share = |manners: &Prevalence, of| manners.of(of, Axis::Same, 99.0);
        assert!((share(&manners, &seen) - 0.5 * 0.05 / 100.0).abs() < 1e-12);

        for host in 0..11 {
            manners.add(&seen, Axis::Same, host);
        }

        // The one that it is compared with is left out; how many they are is an estimate.
        assert!((0.08..=0.12).contains(&share(&manners, &seen)), "{}", share(&manners, &seen));
        assert_eq!(share(&manners, &near), share(&manners, &seen));
        assert!((share(&manners, &far) - 0.025 / 100.0).abs() < 1e-12);
    }
}

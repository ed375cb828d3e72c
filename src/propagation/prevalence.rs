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

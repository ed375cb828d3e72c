//! How many different things there were: exact while they are few, then a HyperLogLog of 1 KiB.

/// Things kept exactly before the sketch takes over; 64 hashes take half of its space.
pub const EXACT_MAX: usize = 64;

/// Bits of the hash that choose a register. 2^10 registers give a standard error of
/// 1.04 / √1024 = 3.3 % (Flajolet, Fusy, Gandouet, Meunier 2007).
const INDEX_BITS: u32 = 10;
const REGISTERS: usize = 1 << INDEX_BITS;
/// The bias correction for 1024 registers (same paper, figure 3).
const ALPHA: f64 = 0.7213 / (1.0 + 1.079 / REGISTERS as f64);
/// The highest rank: a hash of which all bits behind the index are clear.
const RANK_MAX: u32 = 64 - INDEX_BITS + 1;

/// A count of different things by their hash.
///
/// Sketches merge: the count of the union comes from the union of the sketches, in any order and
/// any number of times. The hash must be the same on all sides
/// ([`crate::inventory::stable_hash`]).
#[derive(Clone, Debug)]
pub enum Sketch {
    /// The hashes themselves, sorted.
    Exact(Vec<u64>),
    /// A HyperLogLog.
    Estimate(Box<Registers>),
}

/// The registers of a HyperLogLog, and the sums that its estimate is made of: a detector asks for
/// it at every new thing, and a thousand additions each time would be most of its work.
#[derive(Clone, Debug)]
pub struct Registers {
    ranks: [u8; REGISTERS],
    /// The sum of `2^-rank` over all registers, in units of `2^-RANK_MAX`, so that it is exact.
    sum: u128,
    /// Registers of rank 0.
    empty: u32,
}

impl Default for Sketch {
    fn default() -> Self {
        Self::Exact(Vec::new())
    }
}

impl Sketch {
    /// Counts a thing; `true` if the count changed.
    pub fn insert(&mut self, hash: u64) -> bool {
        match self {
            Self::Exact(hashes) => {
                let Err(at) = hashes.binary_search(&hash) else { return false };
                if hashes.len() < EXACT_MAX {
                    hashes.insert(at, hash);
                } else {
                    let mut registers = Box::new(Registers::new());
                    for known in hashes.iter() {
                        registers.insert(*known);
                    }
                    registers.insert(hash);
                    *self = Self::Estimate(registers);
                }
                true
            }
            Self::Estimate(registers) => registers.insert(hash),
        }
    }

    /// Adds all that `other` has counted.
    pub fn merge(&mut self, other: &Self) {
        match other {
            Self::Exact(hashes) => {
                for hash in hashes {
                    self.insert(*hash);
                }
            }
            Self::Estimate(theirs) => {
                if let Self::Exact(hashes) = self {
                    let mut registers = theirs.clone();
                    for hash in hashes.iter() {
                        registers.insert(*hash);
                    }
                    *self = Self::Estimate(registers);
                } else if let Self::Estimate(ours) = self {
                    for (index, rank) in theirs.ranks.iter().enumerate() {
                        ours.raise(index, *rank);
                    }
                }
            }
        }
    }

    /// How many different things were counted.
    pub fn count(&self) -> f64 {
        match self {
            Self::Exact(hashes) => hashes.len() as f64,
            Self::Estimate(registers) => registers.count(),
        }
    }

    /// Bytes on the heap.
    pub fn heap_bytes(&self) -> usize {
        match self {
            Self::Exact(hashes) => hashes.capacity() * size_of::<u64>(),
            Self::Estimate(_) => size_of::<Registers>(),
        }
    }
}

impl Registers {
    fn new() -> Self {
        let sum = (REGISTERS as u128) << RANK_MAX;
        Self { ranks: [0; REGISTERS], sum, empty: REGISTERS as u32 }
    }

    /// Counts a thing; `true` if a register was raised.
    fn insert(&mut self, hash: u64) -> bool {
        let index = (hash >> (64 - INDEX_BITS)) as usize;
        let rank = ((hash << INDEX_BITS) | (1 << (INDEX_BITS - 1))).leading_zeros() as u8 + 1;
        self.raise(index, rank)
    }

    /// Raises a register to `rank`; `true` if it was lower.
    fn raise(&mut self, index: usize, rank: u8) -> bool {
        let weight = |rank: u8| 1u128 << RANK_MAX.saturating_sub(u32::from(rank));
        match self.ranks.get_mut(index) {
            Some(old) if *old < rank => {
                self.sum = self.sum + weight(rank) - weight(*old);
                self.empty -= u32::from(*old == 0);
                *old = rank;
                true
            }
            _ => false,
        }
    }

    fn count(&self) -> f64 {
        let size = REGISTERS as f64;
        let sum = self.sum as f64 / (1u64 << RANK_MAX) as f64;
        let raw = ALPHA * size * size / sum;
        // Linear counting is better while registers are empty (same paper, section 4).
        if raw <= 2.5 * size && self.empty > 0 {
            size * (size / f64::from(self.empty)).ln()
        } else {
            raw
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::inventory::mix;

    fn sketch(things: impl IntoIterator<Item = u64>) -> Sketch {
        let mut sketch = Sketch::default();
        for thing in things {
            sketch.insert(mix(thing));
        }
        sketch
    }

    #[test]
    fn is_exact_while_small() {
        let sketch = sketch((0..64).chain(0..64));

        assert!((sketch.count() - 64.0).abs() < f64::EPSILON);
        assert!(matches!(sketch, Sketch::Exact(_)));
    }

    #[test]
    fn estimates_within_a_tenth_and_stays_a_kilobyte() {
        for many in [65u64, 200, 1000, 3000, 10_000, 100_000] {
            let sketch = sketch(0..many);

            let error = (sketch.count() / many as f64 - 1.0).abs();
            assert!(error < 0.1, "{many}: {}", sketch.count());
            assert!(sketch.heap_bytes() <= 1024 + 32);
        }
    }

    #[test]
    fn keeps_sums_that_fit_its_registers() {
        let Sketch::Estimate(registers) = sketch(0..5000) else { panic!("they are many") };

        let sum: f64 = registers.ranks.iter().map(|rank| (-f64::from(*rank)).exp2()).sum();
        assert_eq!(registers.sum as f64, sum * (1u64 << RANK_MAX) as f64);
        let empty = registers.ranks.iter().filter(|rank| **rank == 0).count();
        assert_eq!(registers.empty as usize, empty);
    }

    proptest! {
        #[test]
        fn merging_is_counting_together(
            ours in proptest::collection::vec(0u64..500, 0..300),
            theirs in proptest::collection::vec(0u64..500, 0..300),
        ) {
            let together = sketch(ours.iter().chain(&theirs).copied());
            let mut merged = sketch(ours.iter().copied());
            let mut reversed = sketch(theirs.iter().copied());
            reversed.merge(&merged);
            merged.merge(&sketch(theirs.iter().copied()));
            merged.merge(&sketch(theirs));

            prop_assert!((merged.count() - together.count()).abs() < 1e-9);
            prop_assert!((reversed.count() - together.count()).abs() < 1e-9);
        }
    }
}

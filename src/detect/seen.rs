//! Who was met before: a small set that forgets the oldest half.

use std::net::IpAddr;

use crate::inventory::{mix, stable_hash};
use crate::net::Service;

/// Remembers between `max` and twice as many things by a 32-bit hash, four bytes each.
///
/// Two generations: when the younger is full it becomes the older, and the older is forgotten. What
/// is met again counts as young. A thing that was forgotten counts as new; for a detector of
/// first contacts that only matters to hosts that meet thousands, and these are met as often as they
/// like to be counted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    young: Vec<u32>,
    old: Vec<u32>,
}

impl Seen {
    /// Remembers `hash`; `true` if it was not known.
    pub(crate) fn insert(&mut self, hash: u64, max: usize) -> bool {
        let key = (hash >> 32) as u32;
        let Err(at) = self.young.binary_search(&key) else { return false };
        let is_new = self.old.binary_search(&key).is_err();
        if self.young.len() >= max {
            self.old = std::mem::take(&mut self.young);
            self.young.push(key);
        } else {
            self.young.insert(at, key);
        }
        is_new
    }

    /// Whether `hash` is remembered.
    pub(crate) fn contains(&self, hash: u64) -> bool {
        let key = (hash >> 32) as u32;
        self.young.binary_search(&key).is_ok() || self.old.binary_search(&key).is_ok()
    }

    /// Bytes on the heap.
    pub(crate) fn heap_bytes(&self) -> usize {
        (self.young.capacity() + self.old.capacity()) * size_of::<u32>()
    }
}

/// A hash of a destination.
pub(crate) fn peer_hash(peer: IpAddr) -> u64 {
    stable_hash(peer)
}

/// A hash of a destination and what was wanted there.
pub(crate) fn edge_hash(peer: IpAddr, service: Service) -> u64 {
    mix(stable_hash(peer) ^ u64::from(service.port) << 8 ^ service.transport as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_what_it_met_and_forgets_the_oldest() {
        let mut seen = Seen::default();

        for n in 0..100u64 {
            assert!(seen.insert(mix(n), 64));
        }
        assert!(!seen.insert(mix(99), 64));
        assert!(!seen.insert(mix(0), 64));
        for n in 1000..2000u64 {
            seen.insert(mix(n), 64);
        }

        assert!(seen.insert(mix(5), 64));
        assert!(seen.heap_bytes() <= 2 * 128 * 4);
    }
}

//! Where an entry of a table is, by the hash of its key: what the packet path asks most, and what
//! each event asks a dozen times.
//!
//! A hash table for one purpose. Each place holds half of a hash and a slot, eight bytes, so that a
//! search usually reads one cache line, whose address follows from the hash alone; therefore the
//! lines of many look-ups can be fetched side by side ([`Index::prefetch`]), which the two levels of a
//! general table (control bytes, then entries) do not allow. Linear probing; what is removed is
//! closed up by moving its followers back (Knuth, TAOCP 3, section 6.4, algorithm R), so nothing
//! is ever searched for past an empty place, and no tombstone is left.

use prefetch_index::prefetch_index;

/// What is to be fetched before a look-up: one after the other, with time in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fetch {
    /// The part of the index that the look-up reads.
    Index,
    /// What that leads to.
    Entry,
}

/// A slot that is none.
pub(crate) const NOWHERE: u32 = u32::MAX;

/// Half a hash, and the slot of the entry that has it.
#[derive(Clone, Copy, Debug)]
struct Place {
    tag: u32,
    slot: u32,
}

const EMPTY: Place = Place { tag: 0, slot: NOWHERE };

/// Slots of entries by the hashes of their keys.
#[derive(Debug, Default)]
pub(crate) struct Index {
    /// As many as a power of two, or none.
    places: Vec<Place>,
    len: usize,
}

impl Index {
    /// Bytes an entry takes here: 8 at a load between 3/8 and 3/4.
    pub(crate) const BYTES: usize = 16;

    const SMALLEST: usize = 64;

    /// Entries held.
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// The half of a hash that is kept; its upper bits say where a search begins.
    const fn tag(hash: u64) -> u32 {
        (hash >> 32) as u32
    }

    /// Where the search for a tag begins.
    const fn home(&self, tag: u32) -> usize {
        // The product of two numbers below 2^32, over 2^32: below the second.
        ((tag as u64 * self.places.len() as u64) >> 32) as usize
    }

    const fn after(&self, at: usize) -> usize {
        if at + 1 == self.places.len() { 0 } else { at + 1 }
    }

    fn place(&self, at: usize) -> Place {
        self.places.get(at).copied().unwrap_or(EMPTY)
    }

    /// Has the place fetched where a search for `hash` begins.
    #[inline]
    pub(crate) fn prefetch(&self, hash: u64) {
        prefetch_index(&self.places, self.home(Self::tag(hash)));
    }

    /// The slot with this hash for which `is_it` holds.
    #[inline]
    pub(crate) fn find(&self, hash: u64, mut is_it: impl FnMut(u32) -> bool) -> Option<u32> {
        let tag = Self::tag(hash);
        let mut at = self.home(tag);
        loop {
            let place = self.place(at);
            if place.slot == NOWHERE {
                return None;
            }
            if place.tag == tag && is_it(place.slot) {
                return Some(place.slot);
            }
            at = self.after(at);
        }
    }

    /// Takes a slot in; it must not be held already.
    pub(crate) fn insert(&mut self, hash: u64, slot: u32) {
        if (self.len + 1) * 4 > self.places.len() * 3 {
            self.grow();
        }
        self.put(Place { tag: Self::tag(hash), slot });
        self.len += 1;
    }

    /// Takes a slot out.
    pub(crate) fn remove(&mut self, hash: u64, slot: u32) {
        let mut hole = self.home(Self::tag(hash));
        while self.place(hole).slot != slot {
            if self.place(hole).slot == NOWHERE {
                return;
            }
            hole = self.after(hole);
        }
        self.len -= 1;
        let mut at = hole;
        loop {
            at = self.after(at);
            let place = self.place(at);
            if place.slot == NOWHERE {
                break;
            }
            // It may move back to the hole unless its search begins after it.
            let home = self.home(place.tag);
            let begins_after =
                if hole <= at { hole < home && home <= at } else { hole < home || home <= at };
            if !begins_after {
                self.set(hole, place);
                hole = at;
            }
        }
        self.set(hole, EMPTY);
    }

    fn set(&mut self, at: usize, place: Place) {
        if let Some(known) = self.places.get_mut(at) {
            *known = place;
        }
    }

    fn put(&mut self, place: Place) {
        let mut at = self.home(place.tag);
        while self.place(at).slot != NOWHERE {
            at = self.after(at);
        }
        self.set(at, place);
    }

    #[cold]
    fn grow(&mut self) {
        let size = (self.places.len() * 2).max(Self::SMALLEST);
        let old = std::mem::replace(&mut self.places, vec![EMPTY; size]);
        for place in old.into_iter().filter(|place| place.slot != NOWHERE) {
            self.put(place);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_empty_index_holds_nothing() {
        let mut index = Index::default();

        assert_eq!(index.find(7, |_| true), None);
        index.remove(7, 1);
        assert_eq!(index.len(), 0);
    }

    proptest! {
        /// Few different homes, at the end of the table as well, so that runs meet and wrap.
        #[test]
        fn holds_what_was_put_in_and_not_taken_out(
            steps in prop::collection::vec((0u64..24, any::<bool>()), 0..400),
        ) {
            let hash = |n: u64| (n % 6) * (u64::MAX / 5) / 2 + (n << 32);
            let mut index = Index::default();
            let mut model = BTreeMap::new();

            for (n, is_insert) in steps {
                if is_insert && !model.contains_key(&n) {
                    index.insert(hash(n), n as u32);
                    model.insert(n, ());
                } else if !is_insert && model.remove(&n).is_some() {
                    index.remove(hash(n), n as u32);
                }

                prop_assert_eq!(index.len(), model.len());
                for n in 0..24 {
                    let found = index.find(hash(n), |slot| slot == n as u32).is_some();
                    prop_assert_eq!(found, model.contains_key(&n));
                }
            }
        }
    }
}

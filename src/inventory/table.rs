//! A table with a budget in bytes, that forgets outsiders before the hosts of the house.

use std::hash::{BuildHasher, Hash};
use std::slice;

use foldhash::fast::RandomState;
use prefetch_index::prefetch_index;

use crate::index::{Fetch, Index, NOWHERE};
use crate::slots::Slots;

/// Something that knows what it costs.
pub trait Weigh {
    /// Bytes on the heap beyond the value's own size.
    fn heap_bytes(&self) -> usize {
        0
    }
}

/// A table that never holds more than its budget.
///
/// Two lists, one for the own network and one for everybody else, each in order of last use. When
/// the budget is exceeded the outsider that was used least recently goes first, so that a flood of
/// forged outside addresses cannot push out what is known of the own hosts; only when no outsider
/// is left, the own host that was used least recently. Hashing is randomly keyed; nothing that
/// leaves the table depends on it.
///
/// Every event looks into a dozen of these tables, at places all over memory, so what counts is
/// how many cache lines a look-up touches: entries lie side by side, and the links of the lists
/// apart from them, since moving an entry to the end of its list changes those of three others.
#[derive(Debug)]
pub struct Table<K, V> {
    index: Index,
    hasher: RandomState,
    entries: Slots<Option<(K, V)>>,
    links: Slots<Link>,
    free: Vec<u32>,
    own: Ends,
    others: Ends,
    heap: usize,
    budget: usize,
    evicted: u64,
}

/// An entry's place in its list.
#[derive(Clone, Copy, Debug)]
struct Link {
    earlier: u32,
    later: u32,
    is_own: bool,
}

/// A list: what was used least and most recently.
#[derive(Clone, Copy, Debug)]
struct Ends {
    oldest: u32,
    newest: u32,
}

const EMPTY: Ends = Ends { oldest: NOWHERE, newest: NOWHERE };

impl<K: Eq + Hash, V: Weigh> Table<K, V> {
    /// Bytes of one entry beside what its value holds on the heap: key, value, the links of the
    /// list and a slot of the hash table at its usual load.
    pub const ENTRY_BYTES: usize = size_of::<K>() + size_of::<V>() + 32;

    /// An empty table that stays within `budget` bytes.
    pub fn new(budget: usize) -> Self {
        Self {
            index: Index::default(),
            hasher: RandomState::default(),
            entries: Slots::default(),
            links: Slots::default(),
            free: Vec::new(),
            own: EMPTY,
            others: EMPTY,
            heap: 0,
            budget,
            evicted: 0,
        }
    }

    /// The value of `key`, without counting it as used.
    pub fn peek(&self, key: &K) -> Option<&V> {
        let (_, value) = self.entry(self.find(key)?)?;
        Some(value)
    }

    /// Has fetched what a look-up of `key` will read; of an entry the first part.
    #[inline]
    pub fn prefetch(&self, key: &K, what: Fetch) {
        let hash = self.hasher.hash_one(key);
        match what {
            Fetch::Index => self.index.prefetch(hash),
            Fetch::Entry => {
                let place = self.index.find(hash, |_| true);
                if let Some(entry) = place.and_then(|at| self.entries.get(at)) {
                    prefetch_index(slice::from_ref(entry), 0);
                }
            }
        }
    }

    /// Changes the value of `key`, made first where it is missing, and evicts what is then too
    /// much. `is_own` must always be the same for a key; what was said first counts.
    pub fn update<R>(
        &mut self,
        key: K,
        is_own: bool,
        make: impl FnOnce() -> V,
        change: impl FnOnce(&mut V) -> R,
    ) -> R {
        let (before, at) = match self.find(&key) {
            Some(at) => {
                self.move_to_end(at);
                (None, at)
            }
            None => (Some(0), self.insert(key, make(), is_own)),
        };
        let value = self
            .entries
            .get_mut(at)
            .and_then(Option::as_mut)
            .map(|(_, value)| value)
            .expect("an entry was found or made here");
        let before = before.unwrap_or_else(|| value.heap_bytes());
        let result = change(value);
        self.heap = (self.heap + value.heap_bytes()).saturating_sub(before);
        self.evict();
        result
    }

    /// Forgets `key`.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        let at = self.find(key)?;
        self.take(at)
    }

    /// The values, in no order that an output may depend on.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.entries.iter().flatten().map(|(_, value)| value)
    }

    /// The entries, in no order that an output may depend on.
    pub fn entries(&self) -> impl Iterator<Item = (&K, &V)> {
        self.entries.iter().flatten().map(|(key, value)| (key, value))
    }

    /// Entries held.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.len() * Self::ENTRY_BYTES + self.heap
    }

    /// Entries that had to go for want of space.
    pub fn evicted(&self) -> u64 {
        self.evicted
    }

    fn evict(&mut self) {
        while self.bytes() > self.budget && self.len() > 1 {
            let oldest = match self.others.oldest {
                NOWHERE => self.own.oldest,
                oldest => oldest,
            };
            if self.take(oldest).is_none() {
                return;
            }
            self.evicted += 1;
        }
    }

    fn entry(&self, at: u32) -> Option<&(K, V)> {
        self.entries.get(at)?.as_ref()
    }

    fn find(&self, key: &K) -> Option<u32> {
        let same = |at| self.entry(at).is_some_and(|(known, _)| known == key);
        self.index.find(self.hasher.hash_one(key), same)
    }

    fn insert(&mut self, key: K, value: V, is_own: bool) -> u32 {
        let hash = self.hasher.hash_one(&key);
        let link = Link { earlier: NOWHERE, later: NOWHERE, is_own };
        let entry = Some((key, value));
        let at = match self.free.pop() {
            Some(at) => {
                if let Some(place) = self.entries.get_mut(at) {
                    *place = entry;
                }
                if let Some(place) = self.links.get_mut(at) {
                    *place = link;
                }
                at
            }
            None => {
                self.links.push(link);
                self.entries.push(entry)
            }
        };
        self.index.insert(hash, at);
        self.append(at);
        at
    }

    fn take(&mut self, at: u32) -> Option<V> {
        let (key, value) = self.entries.get_mut(at)?.take()?;
        self.unlink(at);
        let hash = self.hasher.hash_one(&key);
        self.index.remove(hash, at);
        self.free.push(at);
        self.heap = self.heap.saturating_sub(value.heap_bytes());
        Some(value)
    }

    fn move_to_end(&mut self, at: u32) {
        if self.own.newest != at && self.others.newest != at {
            self.unlink(at);
            self.append(at);
        }
    }

    fn append(&mut self, at: u32) {
        let Some(link) = self.links.get_mut(at) else { return };
        let ends = if link.is_own { &mut self.own } else { &mut self.others };
        let before = std::mem::replace(&mut ends.newest, at);
        if before == NOWHERE {
            ends.oldest = at;
        }
        (link.earlier, link.later) = (before, NOWHERE);
        if let Some(before) = self.links.get_mut(before) {
            before.later = at;
        }
    }

    fn unlink(&mut self, at: u32) {
        let Some(&Link { earlier, later, is_own }) = self.links.get(at) else { return };
        let ends = if is_own { &mut self.own } else { &mut self.others };
        match self.links.get_mut(earlier) {
            Some(before) => before.later = later,
            None => ends.oldest = later,
        }
        match self.links.get_mut(later) {
            Some(after) => after.earlier = earlier,
            None => ends.newest = earlier,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Weigh for Vec<u8> {
        fn heap_bytes(&self) -> usize {
            self.capacity()
        }
    }

    #[test]
    fn forgets_outsiders_first_and_stays_in_its_budget() {
        let budget = 10 * Table::<u32, Vec<u8>>::ENTRY_BYTES;
        let mut table = Table::<u32, Vec<u8>>::new(budget);
        table.update(1, true, Vec::new, |_| ());

        for outsider in 100..1000 {
            table.update(outsider, false, Vec::new, |_| ());
            assert!(table.bytes() <= budget);
        }

        assert!(table.peek(&1).is_some());
        assert!(table.peek(&999).is_some());
        assert!(table.peek(&100).is_none());
        assert_eq!(table.evicted(), 901 - 10);
    }

    #[test]
    fn accounts_for_what_a_value_grows_by() {
        let mut table = Table::<u32, Vec<u8>>::new(1 << 20);

        table.update(1, true, Vec::new, |value| value.reserve_exact(1000));
        let grown = table.bytes();
        table.remove(&1);

        assert_eq!(grown, 1000 + Table::<u32, Vec<u8>>::ENTRY_BYTES);
        assert_eq!(table.bytes(), 0);
    }

    #[test]
    fn keeps_what_was_used_last() {
        let mut table = Table::<u32, Vec<u8>>::new(2 * Table::<u32, Vec<u8>>::ENTRY_BYTES);
        table.update(1, false, Vec::new, |_| ());
        table.update(2, false, Vec::new, |_| ());
        table.update(1, false, Vec::new, |_| ());

        table.update(3, false, Vec::new, |_| ());

        assert!(table.peek(&1).is_some());
        assert!(table.peek(&2).is_none());
    }

    proptest::proptest! {
        #[test]
        fn forgets_in_order_of_last_use(
            uses in proptest::collection::vec((0u32..40, proptest::prelude::any::<bool>()), 0..300),
        ) {
            let room = 10;
            let mut table = Table::<u32, Vec<u8>>::new(room * Table::<u32, Vec<u8>>::ENTRY_BYTES);
            let (mut own, mut others) = (Vec::new(), Vec::new());

            for (key, is_removal) in uses {
                let list = if key < 20 { &mut own } else { &mut others };
                list.retain(|known| *known != key);
                if is_removal {
                    table.remove(&key);
                    continue;
                }
                list.push(key);
                table.update(key, key < 20, Vec::new, |_| ());
                if own.len() + others.len() > room {
                    if others.is_empty() { own.remove(0) } else { others.remove(0) };
                }

                let known: Vec<u32> = (0..40).filter(|key| table.peek(key).is_some()).collect();
                let mut expected = [own.as_slice(), others.as_slice()].concat();
                expected.sort_unstable();
                proptest::prop_assert_eq!(known, expected);
                proptest::prop_assert_eq!(table.values().count(), table.len());
            }
        }
    }
}

//! A table with a budget in bytes, that forgets outsiders before the hosts of the house.

use std::hash::Hash;

use foldhash::fast::RandomState;
use hashlink::LruCache;
use hashlink::lru_cache::Entry;

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
#[derive(Debug)]
pub struct Table<K, V> {
    own: LruCache<K, V, RandomState>,
    others: LruCache<K, V, RandomState>,
    heap: usize,
    budget: usize,
    evicted: u64,
}

impl<K: Eq + Hash, V: Weigh> Table<K, V> {
    /// Bytes of one entry beside what its value holds on the heap: key, value, the two links of
    /// the list and a slot of the hash table at its usual load.
    pub const ENTRY_BYTES: usize = size_of::<K>() + size_of::<V>() + 32;

    /// An empty table that stays within `budget` bytes.
    pub fn new(budget: usize) -> Self {
        Self {
            own: LruCache::with_hasher(usize::MAX, RandomState::default()),
            others: LruCache::with_hasher(usize::MAX, RandomState::default()),
            heap: 0,
            budget,
            evicted: 0,
        }
    }

    /// The value of `key`, without counting it as used.
    pub fn peek(&self, key: &K) -> Option<&V> {
        self.own.peek(key).or_else(|| self.others.peek(key))
    }

    /// Changes the value of `key`, made first where it is missing, and evicts what is then too
    /// much. `is_own` must always be the same for a key.
    pub fn update<R>(
        &mut self,
        key: K,
        is_own: bool,
        make: impl FnOnce() -> V,
        change: impl FnOnce(&mut V) -> R,
    ) -> R {
        let list = if is_own { &mut self.own } else { &mut self.others };
        let (before, value) = match list.entry(key) {
            Entry::Occupied(mut entry) => {
                entry.to_back();
                let value = entry.into_mut();
                (value.heap_bytes(), value)
            }
            Entry::Vacant(entry) => (0, entry.insert(make())),
        };
        let result = change(value);
        self.heap = (self.heap + value.heap_bytes()).saturating_sub(before);
        self.evict();
        result
    }

    /// Forgets `key`.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        let value = self.own.remove(key).or_else(|| self.others.remove(key))?;
        self.heap = self.heap.saturating_sub(value.heap_bytes());
        Some(value)
    }

    /// The values, in no order that an output may depend on.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.own.iter().chain(self.others.iter()).map(|(_, value)| value)
    }

    /// Entries held.
    pub fn len(&self) -> usize {
        self.own.len() + self.others.len()
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
            let Some((_, value)) = self.others.remove_lru().or_else(|| self.own.remove_lru())
            else {
                return;
            };
            self.heap = self.heap.saturating_sub(value.heap_bytes());
            self.evicted += 1;
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
}

//! A small table that forgets its oldest entry: what a dissector remembers of requests, handles
//! and trees whose numbers the other side chooses.
//!
//! It is searched from the newest entry on. With a few dozen entries that beats hashing, and no
//! choice of keys can make it slower than its capacity.

use std::collections::VecDeque;

/// At most `N` entries, the newest at the end.
#[derive(Debug)]
pub(super) struct Recent<K, V, const N: usize> {
    entries: VecDeque<(K, V)>,
}

impl<K, V, const N: usize> Default for Recent<K, V, N> {
    fn default() -> Self {
        Self { entries: VecDeque::new() }
    }
}

impl<K: PartialEq, V, const N: usize> Recent<K, V, N> {
    /// Remembers `value` under `key`; returns what had to go for it: the value that was there, or
    /// the oldest of all.
    pub(super) fn insert(&mut self, key: K, value: V) -> Option<V> {
        let mut gone = self.remove(&key);
        if self.entries.len() >= N {
            gone = self.entries.pop_front().map(|(_, value)| value);
        }
        self.entries.push_back((key, value));
        gone
    }

    /// What is remembered under `key`.
    pub(super) fn get(&self, key: &K) -> Option<&V> {
        self.entries.iter().rev().find(|(other, _)| other == key).map(|(_, value)| value)
    }

    /// What is remembered under `key`, to change it.
    pub(super) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.entries.iter_mut().rev().find(|(other, _)| other == key).map(|(_, value)| value)
    }

    /// Forgets and returns what is remembered under `key`.
    pub(super) fn remove(&mut self, key: &K) -> Option<V> {
        let at = self.entries.iter().rposition(|(other, _)| other == key)?;
        self.entries.remove(at).map(|(_, value)| value)
    }

    /// Forgets and returns the newest entry for which `matches` holds.
    pub(super) fn remove_last(&mut self, matches: impl Fn(&V) -> bool) -> Option<V> {
        let at = self.entries.iter().rposition(|(_, value)| matches(value))?;
        self.entries.remove(at).map(|(_, value)| value)
    }

    /// Every value, the oldest first.
    pub(super) fn values(&self) -> impl Iterator<Item = &V> {
        self.entries.iter().map(|(_, value)| value)
    }

    /// Every value, the newest first, to change it.
    pub(super) fn newest_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.entries.iter_mut().rev().map(|(_, value)| value)
    }

    /// Forgets and returns everything, the oldest first.
    pub(super) fn take(&mut self) -> impl Iterator<Item = V> + use<K, V, N> {
        std::mem::take(&mut self.entries).into_iter().map(|(_, value)| value)
    }

    /// Bytes that the table itself holds on the heap, without what its values hold.
    pub(super) fn heap_bytes(&self) -> usize {
        self.entries.capacity() * size_of::<(K, V)>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forgets_the_oldest_first() {
        let mut table: Recent<u8, &str, 2> = Recent::default();

        assert_eq!(table.insert(1, "one"), None);
        assert_eq!(table.insert(2, "two"), None);
        assert_eq!(table.insert(3, "three"), Some("one"));

        assert_eq!(table.get(&1), None);
        assert_eq!(table.get(&2), Some(&"two"));
        assert_eq!(table.take().collect::<Vec<_>>(), ["two", "three"]);
    }

    #[test]
    fn replaces_what_has_the_same_key() {
        let mut table: Recent<u8, &str, 2> = Recent::default();
        table.insert(1, "one");
        table.insert(2, "two");

        assert_eq!(table.insert(1, "uno"), Some("one"));

        assert_eq!(table.values().collect::<Vec<_>>(), [&"two", &"uno"]);
        assert_eq!(table.remove(&2), Some("two"));
        assert_eq!(table.remove_last(|value| *value == "uno"), Some("uno"));
        assert_eq!(table.remove(&1), None);
    }
}

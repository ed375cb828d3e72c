//! Numbered places that stay where they are while a table grows.
//!
//! To grow copies nothing and asks for no more than a chunk too much, where a vector would ask for
//! all of it anew each time, and the system would have to clear that first.

/// Places of a chunk.
const CHUNK: u32 = 256;

/// Places for the entries of a table, by number.
#[derive(Debug)]
pub(crate) struct Slots<T> {
    chunks: Vec<Vec<T>>,
    len: u32,
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self { chunks: Vec::new(), len: 0 }
    }
}

impl<T> Slots<T> {
    /// What is in a place.
    #[inline]
    pub(crate) fn get(&self, slot: u32) -> Option<&T> {
        self.chunks.get((slot / CHUNK) as usize)?.get((slot % CHUNK) as usize)
    }

    /// What is in a place.
    #[inline]
    pub(crate) fn get_mut(&mut self, slot: u32) -> Option<&mut T> {
        self.chunks.get_mut((slot / CHUNK) as usize)?.get_mut((slot % CHUNK) as usize)
    }

    /// Adds a place at the end; gives its number.
    pub(crate) fn push(&mut self, value: T) -> u32 {
        if self.len.is_multiple_of(CHUNK) {
            // The first chunk grows as it is needed, so that a small table stays small.
            let room = if self.chunks.is_empty() { 0 } else { CHUNK as usize };
            self.chunks.push(Vec::with_capacity(room));
        }
        if let Some(chunk) = self.chunks.last_mut() {
            chunk.push(value);
        }
        self.len += 1;
        self.len - 1
    }

    /// What is in all places, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.chunks.iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_keeps_its_number() {
        let mut slots = Slots::default();

        for n in 0..3 * CHUNK + 7 {
            assert_eq!(slots.push(n), n);
        }
        *slots.get_mut(CHUNK).unwrap() = 7;

        assert_eq!(slots.get(CHUNK), Some(&7));
        assert_eq!(slots.get(3 * CHUNK), Some(&(3 * CHUNK)));
        assert_eq!(slots.get(3 * CHUNK + 7), None);
        assert_eq!(slots.iter().count() as u32, 3 * CHUNK + 7);
    }
}

//! A large buffered view on a byte stream, out of which frames are lent without copying.
//!
//! Memory grows only with bytes that really arrived: a length field alone never allocates.

use std::io::{self, ErrorKind, Read};

/// How much a decompressor is asked for at once. Decoders throw away what they produced in the call
/// that meets the damage, so small bites lose little of a damaged file.
const PACKED_BITE: usize = 4096;

/// The part of a stream that is in memory.
pub(super) struct Window {
    reader: Box<dyn Read + Send>,
    buf: Vec<u8>,
    /// Where the unread bytes begin in `buf`.
    start: usize,
    /// Where they end.
    end: usize,
    /// How many bytes of the stream lie before `start`.
    offset: u64,
    bite: usize,
    ended: bool,
    failure: Option<io::Error>,
}

impl Window {
    /// Looks at `reader` through a buffer of `size` bytes, which grows only for a longer record.
    pub(super) fn new(reader: Box<dyn Read + Send>, size: usize, packed: bool) -> Self {
        let bite = if packed { PACKED_BITE } else { usize::MAX };
        Self {
            reader,
            buf: vec![0; size.max(64)],
            start: 0,
            end: 0,
            offset: 0,
            bite,
            ended: false,
            failure: None,
        }
    }

    /// How far into the stream the next unread byte lies.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// The unread bytes in memory.
    #[inline]
    pub(super) fn bytes(&self) -> &[u8] {
        self.buf.get(self.start..self.end).unwrap_or_default()
    }

    /// Where in the buffer the unread bytes begin, for [`Window::lend`].
    #[inline]
    pub(super) fn position(&self) -> usize {
        self.start
    }

    /// Bytes at a position taken before; valid until the next [`Window::ensure`].
    #[inline]
    pub(super) fn lend(&self, at: usize, len: usize) -> &[u8] {
        self.buf.get(at..at + len).unwrap_or_default()
    }

    /// Reads until at least `wanted` unread bytes are in memory; false if the stream ends before.
    #[inline]
    pub(super) fn ensure(&mut self, wanted: usize) -> bool {
        self.end - self.start >= wanted || self.refill(wanted)
    }

    /// Marks `count` bytes as read; `count` must not exceed what [`Window::ensure`] granted.
    #[inline]
    pub(super) fn consume(&mut self, count: usize) {
        let count = count.min(self.end - self.start);
        self.start += count;
        self.offset += count as u64;
    }

    /// Reads past `count` bytes of any number; false if the stream ends before.
    pub(super) fn skip(&mut self, mut count: u64) -> bool {
        loop {
            let here = (self.end - self.start) as u64;
            let step = here.min(count);
            self.consume(usize::try_from(step).expect("no more than is in memory"));
            count -= step;
            if count == 0 {
                return true;
            }
            if !self.refill(1) {
                return false;
            }
        }
    }

    /// Why the stream ended, if not at its end.
    pub(super) fn failure(&self) -> Option<&io::Error> {
        self.failure.as_ref()
    }

    #[cold]
    fn refill(&mut self, wanted: usize) -> bool {
        while self.end - self.start < wanted {
            if self.ended {
                return false;
            }
            self.make_room(wanted);
            let until = self.buf.len().min(self.end.saturating_add(self.bite));
            let room = self.buf.get_mut(self.end..until).unwrap_or_default();
            match self.reader.read(room) {
                Ok(0) => self.ended = true,
                Ok(count) => self.end += count.min(room.len()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    self.failure = Some(error);
                    self.ended = true;
                }
            }
        }
        true
    }

    /// Moves what is left to the front once little fits behind it, and doubles a buffer that a
    /// single record has really filled.
    fn make_room(&mut self, wanted: usize) {
        let missing = wanted - (self.end - self.start);
        if self.buf.len() - self.end < missing.max(self.bite.min(self.buf.len())) {
            self.buf.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.end == self.buf.len() {
            self.buf.resize(self.buf.len() * 2, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    #[test]
    fn lends_what_was_asked_for_across_refills() {
        let stream: Vec<u8> = (0..=255).cycle().take(1000).collect();
        let mut window = Window::new(Box::new(Cursor::new(stream.clone())), 64, false);
        let mut seen = Vec::new();

        while window.ensure(50) {
            let at = window.position();
            window.consume(50);
            seen.extend_from_slice(window.lend(at, 50));
        }

        assert_eq!(seen, stream);
        assert_eq!(window.offset(), 1000);
    }

    #[test]
    fn a_claimed_length_alone_allocates_nothing() {
        let mut window = Window::new(Box::new(Cursor::new(vec![7; 100])), 64, false);

        let granted = window.ensure(1 << 30);

        assert!(!granted);
        assert!(window.buf.len() <= 256, "{}", window.buf.len());
    }

    #[test]
    fn a_record_longer_than_the_buffer_makes_it_grow() {
        let mut window = Window::new(Box::new(Cursor::new(vec![7; 10_000])), 64, true);

        assert!(window.ensure(9_000));
        assert_eq!(window.bytes().len(), 10_000.min(window.bytes().len()));
        assert!(window.skip(10_000));
        assert!(!window.skip(1));
    }
}

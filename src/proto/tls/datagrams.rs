//! Records and fragments of DTLS (RFC 6347 sections 4.1 and 4.2.2).

use super::dissect::MAX_HANDSHAKE;
use crate::proto::cursor::Cursor;

/// A record of a datagram.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record<'a> {
    pub(super) kind: u8,
    pub(super) epoch: u16,
    pub(super) content: &'a [u8],
}

impl<'a> Record<'a> {
    pub(super) fn read(data: &mut Cursor<'a>) -> Option<Self> {
        let kind = data.u8()?;
        data.be16()?;
        let epoch = data.be16()?;
        data.take(6)?;
        let length = data.be16()?;
        Some(Self { kind, epoch, content: data.take(usize::from(length))? })
    }
}

/// A message that comes in fragments, in order; one that does not is left.
#[derive(Debug, Default)]
pub(super) struct Fragments {
    kind: u8,
    number: u16,
    length: usize,
    held: Vec<u8>,
}

impl Fragments {
    /// Takes a record's content and calls `message` for each message that is complete.
    pub(super) fn feed(&mut self, content: &[u8], mut message: impl FnMut(u8, &[u8])) {
        let mut rest = Cursor::new(content);
        while let Some(fragment) = Fragment::read(&mut rest) {
            if fragment.offset == 0 && fragment.data.len() == fragment.length {
                message(fragment.kind, fragment.data);
            } else if self.add(&fragment) {
                message(self.kind, &self.held);
                self.held = Vec::new();
            }
        }
    }

    /// Adds a fragment; whether the message is complete.
    fn add(&mut self, fragment: &Fragment<'_>) -> bool {
        if fragment.offset == 0 {
            self.kind = fragment.kind;
            self.number = fragment.number;
            self.length = fragment.length;
            self.held.clear();
        }
        let follows = fragment.number == self.number
            && fragment.kind == self.kind
            && fragment.length == self.length
            && fragment.offset == self.held.len();
        let fits = self.held.len() + fragment.data.len() <= self.length.min(MAX_HANDSHAKE);
        if !follows || !fits {
            return false;
        }
        self.held.extend_from_slice(fragment.data);
        self.held.len() == self.length
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.held.capacity()
    }
}

struct Fragment<'a> {
    kind: u8,
    length: usize,
    number: u16,
    offset: usize,
    data: &'a [u8],
}

impl<'a> Fragment<'a> {
    fn read(data: &mut Cursor<'a>) -> Option<Self> {
        let kind = data.u8()?;
        let length = data.be24()? as usize;
        let number = data.be16()?;
        let offset = data.be24()? as usize;
        let size = data.be24()? as usize;
        Some(Self { kind, length, number, offset, data: data.take(size)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fragment(number: u8, length: u8, offset: u8, data: &[u8]) -> Vec<u8> {
        let size = data.len() as u8;
        [&[11, 0, 0, length, 0, number, 0, 0, offset, 0, 0, size][..], data].concat()
    }

    fn feed(fragments: &mut Fragments, content: &[u8]) -> Vec<Vec<u8>> {
        let mut out = Vec::new();
        fragments.feed(content, |_, body| out.push(body.to_vec()));
        out
    }

    #[test]
    fn puts_a_message_together() {
        let mut fragments = Fragments::default();

        assert!(feed(&mut fragments, &fragment(1, 5, 0, b"ab")).is_empty());
        assert!(feed(&mut fragments, &fragment(1, 5, 0, b"ab")).is_empty());
        assert_eq!(feed(&mut fragments, &fragment(1, 5, 2, b"cde")), [b"abcde"]);
        assert_eq!(feed(&mut fragments, &fragment(2, 1, 0, b"z")), [b"z"]);
        assert!(feed(&mut fragments, &fragment(3, 5, 2, b"cde")).is_empty());
        assert_eq!(fragments.heap_bytes(), 0);
    }
}

//! Reading a message field by field, never past its end.

/// What is left of a message. Every read either takes what it asks for or nothing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(super) const fn new(data: &'a [u8]) -> Self {
        Self { rest: data }
    }

    /// What was not read yet.
    pub(super) const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next `count` bytes.
    pub(super) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }

    /// The next `count` bytes, or those that are left.
    pub(super) fn take_most(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.rest.split_at(count.min(self.rest.len()));
        self.rest = rest;
        taken
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    pub(super) fn be16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn be24(&mut self) -> Option<u32> {
        self.array().map(|[a, b, c]| u32::from_be_bytes([0, a, b, c]))
    }

    pub(super) fn le16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn le32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    /// What stands before the next zero byte, which is taken too.
    pub(super) fn until_zero(&mut self) -> Option<&'a [u8]> {
        let end = self.rest.iter().position(|&b| b == 0)?;
        let taken = self.take(end)?;
        self.take(1)?;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(*array)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_fields_in_order_and_stops_at_the_end() {
        let mut cursor = Cursor::new(&[1, 0, 2, 0, 0, 3, 4, 0, b'a', b'b', 0, 9]);

        assert_eq!(cursor.u8(), Some(1));
        assert_eq!(cursor.be16(), Some(2));
        assert_eq!(cursor.be24(), Some(3));
        assert_eq!(cursor.le16(), Some(4));
        assert_eq!(cursor.until_zero(), Some(&b"ab"[..]));
        assert_eq!(cursor.le32(), None);
        assert_eq!(cursor.rest(), [9]);
        assert_eq!(cursor.until_zero(), None);
        assert_eq!(cursor.take_most(7), [9]);
        assert!(cursor.is_empty());
        assert_eq!(cursor.u8(), None);
    }
}

//! What crosses, byte for byte and without keeping it: an opening, then filler in the protocol's
//! own records.
//!
//! Filler means nothing and can do nothing. It carries a stamp, so that two files differ
//! everywhere and the same file is the same wherever it goes, which is all that content-based
//! detection can hold on to.

use std::sync::Arc;

/// How a protocol cuts what it carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Framing {
    /// Not at all.
    #[default]
    Plain,
    /// Into lines, as mail is (RFC 5322 section 2.1.1).
    Lines,
    /// TLS application data (RFC 8446 section 5.1): at most 2^14 bytes each.
    Tls,
    /// SMB3 encrypted messages ([MS-SMB2] section 2.2.41): here 64 KiB each.
    Smb,
}

/// One message: who has said what.
#[derive(Clone, Debug, Default)]
pub struct Body {
    /// What it begins with.
    pub opening: Arc<[u8]>,
    /// How many bytes it has in all; at least those of the opening are sent.
    pub length: u32,
    /// How the rest is cut.
    pub framing: Framing,
    /// What makes its filler differ from another's.
    pub stamp: u32,
}

impl Framing {
    /// The bytes of a record's header, and of what a full record holds.
    const fn sizes(self) -> (usize, usize) {
        match self {
            Self::Plain | Self::Lines => (0, usize::MAX),
            Self::Tls => (5, 1 << 14),
            Self::Smb => (56, 1 << 16),
        }
    }

    /// The header of a record that holds `length` bytes, filled up with zeros.
    fn header(self, length: usize, stamp: u32) -> [u8; 56] {
        let mut header = [0; 56];
        let put = |header: &mut [u8; 56], at: usize, bytes: &[u8]| {
            if let Some(room) = header.get_mut(at..at + bytes.len()) {
                room.copy_from_slice(bytes);
            }
        };
        match self {
            Self::Plain | Self::Lines => {}
            Self::Tls => {
                put(&mut header, 0, &[23, 3, 3]);
                put(&mut header, 3, &(length as u16).to_be_bytes());
            }
            Self::Smb => {
                put(&mut header, 0, &(52 + length as u32).to_be_bytes());
                put(&mut header, 4, b"\xfdSMB");
                // Signature and nonce; then the size of what is encrypted, that it is, and a session.
                put(&mut header, 8, &stamp.to_le_bytes().repeat(7));
                put(&mut header, 40, &(length as u32).to_le_bytes());
                put(&mut header, 46, &[1, 0, 1, 4, 0, 0, 0, 4]);
            }
        }
        header
    }
}

impl Body {
    /// A message of exactly these bytes.
    pub fn of(opening: Vec<u8>) -> Self {
        let length = opening.len() as u32;
        Self { opening: opening.into(), length, ..Self::default() }
    }

    /// A message of `length` bytes (or one more than a header of its last record, where they would
    /// not suffice) in records of `framing`, after an opening.
    pub fn framed(framing: Framing, opening: Vec<u8>, length: usize, stamp: u32) -> Self {
        let (header, full) = framing.sizes();
        let rest = length.saturating_sub(opening.len());
        let tail = if header == 0 { 0 } else { rest % (header + full) };
        let missing = if tail > 0 && tail <= header { header + 1 - tail } else { 0 };
        let length = (opening.len().max(length) + missing) as u32;
        Self { opening: opening.into(), length, framing, stamp }
    }

    /// How many bytes are said.
    pub fn len(&self) -> u32 {
        self.length.max(self.opening.len() as u32)
    }

    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Puts bytes `from` to `from + length` into `out`, replacing what it held.
    pub fn read(&self, from: u32, length: u16, out: &mut Vec<u8>) {
        out.clear();
        let (from, length) = (from as usize, usize::from(length));
        let opening = self.opening.get(from..).unwrap_or_default();
        out.extend_from_slice(opening.get(..length).unwrap_or(opening));
        let begin = out.len();
        if begin == length {
            return;
        }
        let at = (from + begin) - self.opening.len();
        self.fill(at, length - begin, out);
        self.frame(at, out.get_mut(begin..).unwrap_or_default());
    }

    /// Adds `length` bytes of filler, from its byte `at` on.
    fn fill(&self, at: usize, length: usize, out: &mut Vec<u8>) {
        let block = block(self.stamp, self.framing == Framing::Lines);
        let end = out.len() + length;
        out.extend_from_slice(block.get(at % 64..).unwrap_or_default());
        while out.len() < end {
            out.extend_from_slice(&block);
        }
        out.truncate(end);
    }

    /// Writes the headers of the records that begin in or shortly before filler's byte `at`.
    fn frame(&self, at: usize, filler: &mut [u8]) {
        let (header, full) = self.framing.sizes();
        if header == 0 {
            return;
        }
        let (size, whole) = (header + full, self.len() as usize - self.opening.len());
        let mut begin = at / size * size;
        while begin < at + filler.len() {
            let length = full.min(whole.saturating_sub(begin + header));
            let bytes = self.framing.header(length, self.stamp);
            for (offset, byte) in (begin..).zip(bytes.iter().take(header)) {
                if let Some(room) = offset.checked_sub(at).and_then(|at| filler.get_mut(at)) {
                    *room = *byte;
                }
            }
            begin += size;
        }
    }
}

/// Sixty-four bytes of filler with a stamp in them, perhaps as a line.
fn block(stamp: u32, is_line: bool) -> [u8; 64] {
    let mut block = *b"Filler ........ of a generated capture, it means nothing at all ";
    if is_line && let [.., before, last] = &mut block {
        (*before, *last) = (b'\r', b'\n');
    }
    let digits = (0..8u32).rev().map(|digit| (stamp >> (4 * digit)) as u8 & 15);
    for (room, digit) in block.iter_mut().skip(7).zip(digits) {
        *room = if digit < 10 { b'0' + digit } else { b'a' + digit - 10 };
    }
    block
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn whole(body: &Body) -> Vec<u8> {
        let mut out = Vec::new();
        body.read(0, body.len() as u16, &mut out);
        out
    }

    proptest! {
        #[test]
        fn pieces_join_to_the_whole(
            length in 100u32..40_000, cut in 1u16..3000, kind in 0u8..3, stamp: u32,
        ) {
            let framing = [Framing::Plain, Framing::Tls, Framing::Smb][usize::from(kind)];
            let body = Body::framed(framing, b"opening".to_vec(), length as usize, stamp);

            let (mut joined, mut piece) = (Vec::new(), Vec::new());
            while (joined.len() as u32) < body.len() {
                let left = body.len() - joined.len() as u32;
                body.read(joined.len() as u32, cut.min(left as u16), &mut piece);
                joined.extend_from_slice(&piece);
            }

            prop_assert_eq!(joined, whole(&body));
        }

        #[test]
        fn records_fill_a_message_to_its_last_byte(length in 1usize..60_000) {
            let bytes = whole(&Body::framed(Framing::Tls, Vec::new(), length, 7));

            let mut at = 0;
            while at < bytes.len() {
                prop_assert_eq!(&bytes[at..at + 3], &[23, 3, 3]);
                at += 5 + usize::from(u16::from_be_bytes([bytes[at + 3], bytes[at + 4]]));
            }
            prop_assert_eq!(at, bytes.len());
            prop_assert!(bytes.len() >= length && bytes.len() <= length + 5);
        }
    }

    #[test]
    fn stamps_make_all_the_difference() {
        let body = |stamp| whole(&Body::framed(Framing::Plain, Vec::new(), 6400, stamp));

        let (one, other) = (body(1), body(0x00ab_cdef));

        assert!(one.starts_with(b"Filler 00000001 of"));
        assert!(other.starts_with(b"Filler 00abcdef of"));
        assert!(one.chunks(64).zip(other.chunks(64)).all(|(a, b)| a != b));
    }

    #[test]
    fn an_encrypted_message_counts_itself() {
        let bytes = whole(&Body::framed(Framing::Smb, Vec::new(), 1000, 7));

        assert_eq!(u32::from_be_bytes(bytes[..4].try_into().unwrap()), 996);
        assert_eq!(&bytes[4..8], b"\xfdSMB");
        assert_eq!(u32::from_le_bytes(bytes[40..44].try_into().unwrap()), 1000 - 56);
    }
}

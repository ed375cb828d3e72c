//! A message of SMB 1 ([MS-CIFS] 2.2.3): its header, and its commands' words and bytes.

use super::names;
use super::shares::NAME_LIMIT;
use crate::proto::bytes::{byte, filled, le16, le32, part, text, utf16};

/// The header's length (2.2.3.1).
pub(super) const HEADER: usize = 32;

/// A message's header.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    pub(super) status: u32,
    pub(super) command: u8,
    pub(super) is_reply: bool,
    is_nt_status: bool,
    pub(super) is_unicode: bool,
    pub(super) tree: u32,
    pub(super) session: u64,
    pub(super) mid: u16,
    /// Process and multiplex id: what ties an answer to its request.
    pub(super) request: u32,
}

impl Header {
    pub(super) fn read(head: &[u8]) -> Option<Self> {
        let flags = le16(head, 10)?;
        let (pid, mid) = (le16(head, 26)?, le16(head, 30)?);
        Some(Self {
            status: le32(head, 5)?,
            command: byte(head, 4)?,
            is_reply: byte(head, 9)? & 0x80 != 0,
            is_nt_status: flags & 0x4000 != 0,
            is_unicode: flags & 0x8000 != 0,
            tree: u32::from(le16(head, 24)?),
            session: u64::from(le16(head, 28)?),
            mid,
            request: u32::from(pid) << 16 | u32::from(mid),
        })
    }

    /// Whether the answer is an error; a warning or a call for more is none.
    pub(super) const fn failed(&self) -> bool {
        if self.is_nt_status { self.status >> 30 == 3 } else { self.status & 0xff != 0 }
    }

    pub(super) fn status_name(&self) -> String {
        if self.is_nt_status || self.status == 0 {
            return names::status(self.status);
        }
        let [class, _, low, high] = self.status.to_le_bytes();
        names::old_status(class, u16::from_le_bytes([low, high]))
    }
}

/// A command's words and bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Block<'a> {
    /// The message, by whose beginning offsets are counted.
    pub(super) head: &'a [u8],
    pub(super) words: &'a [u8],
    /// Where its bytes begin.
    bytes: usize,
}

impl<'a> Block<'a> {
    pub(super) fn at(head: &'a [u8], at: usize) -> Option<Self> {
        let count = usize::from(byte(head, at)?) * 2;
        Some(Self { head, words: part(head, at + 1, count), bytes: at + 1 + count + 2 })
    }

    /// The strings in its bytes, from byte number `skip` on.
    pub(super) fn strings(&self, skip: usize, is_unicode: bool) -> Strings<'a> {
        Strings { head: self.head, at: self.bytes.saturating_add(skip), is_unicode }
    }

    pub(super) fn bytes(&self) -> &'a [u8] {
        self.head.get(self.bytes..).unwrap_or_default()
    }
}

/// Strings that follow each other; those of UTF-16 start at even offsets.
#[derive(Clone, Copy, Debug)]
pub(super) struct Strings<'a> {
    head: &'a [u8],
    at: usize,
    is_unicode: bool,
}

impl Strings<'_> {
    pub(super) fn next(&mut self) -> String {
        if !self.is_unicode {
            return self.ascii();
        }
        self.at = self.at.min(self.head.len()).next_multiple_of(2);
        let rest = self.head.get(self.at..).unwrap_or_default();
        let (units, _) = rest.as_chunks::<2>();
        let length = units.iter().position(|unit| *unit == [0, 0]).unwrap_or(units.len());
        self.at += 2 * (length + 1);
        utf16(part(rest, 0, 2 * length), NAME_LIMIT)
    }

    pub(super) fn ascii(&mut self) -> String {
        self.at = self.at.min(self.head.len());
        let rest = self.head.get(self.at..).unwrap_or_default();
        let length = rest.iter().position(|&b| b == 0).unwrap_or(rest.len());
        self.at += length + 1;
        text(part(rest, 0, length), NAME_LIMIT)
    }

    /// A string behind the byte that says that it is one.
    pub(super) fn tagged(&mut self) -> Option<String> {
        self.at += 1;
        filled(self.next())
    }
}

//! The record layer (RFC 8446 section 5.1): pieces of content in whatever way they arrive.

use crate::proto::bytes::be16;

/// Content types.
pub(super) const CHANGE_CIPHER: u8 = 20;
pub(super) const ALERT: u8 = 21;
pub(super) const HANDSHAKE: u8 = 22;
pub(super) const APPLICATION: u8 = 23;
pub(super) const HEARTBEAT: u8 = 24;

/// The largest record that any version allows, and some.
const MAX_RECORD: u16 = 0x4000 + 2048 + 256;

/// What comes next in a direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// A record of this type begins.
    Start(u8),
    /// Content of the record that began.
    Content(u8, &'a [u8]),
}

/// One direction's records.
#[derive(Debug, Default)]
pub(super) struct Records {
    header: [u8; 5],
    have: usize,
    left: u16,
    is_lost: bool,
    has_begun: bool,
}

impl Records {
    /// The next piece, taken from `data`; `None` once more bytes are needed.
    pub(super) fn next<'d>(&mut self, data: &mut &'d [u8]) -> Option<Piece<'d>> {
        let [kind, ..] = self.header;
        if self.left > 0 && !data.is_empty() {
            let (content, rest) = data.split_at(usize::from(self.left).min(data.len()));
            self.left -= content.len() as u16;
            *data = rest;
            return Some(Piece::Content(kind, content));
        }
        if self.left > 0 || self.is_lost {
            *data = &[];
            return None;
        }
        while let (Some(slot), Some((&byte, rest))) =
            (self.header.get_mut(self.have), data.split_first())
        {
            *slot = byte;
            self.have += 1;
            *data = rest;
        }
        if self.have < self.header.len() {
            return None;
        }
        self.have = 0;
        let [kind, major, _, ..] = self.header;
        let length = be16(&self.header, 3).unwrap_or(u16::MAX);
        // SSL 2 (draft-hickman-netscape-ssl-00) opens with two bytes of length, and a type of 1.
        if !self.has_begun && kind & 0x80 != 0 && major_of_hello(self.header) {
            self.has_begun = true;
            let length = be16(&self.header, 0).unwrap_or(0) & 0x7fff;
            self.left = length.saturating_sub(3);
            self.header = [0; 5];
            return Some(Piece::Start(OLD_HELLO));
        }
        self.has_begun = true;
        if !(CHANGE_CIPHER..=26).contains(&kind)
            || major != 3 && major != 0x7f
            || length > MAX_RECORD
        {
            self.is_lost = true;
            *data = &[];
            return None;
        }
        self.left = length;
        Some(Piece::Start(kind))
    }

    /// `bytes` are missing.
    pub(super) fn lose(&mut self, bytes: u64) {
        match u16::try_from(bytes) {
            Ok(bytes) if bytes <= self.left => self.left -= bytes,
            _ => self.is_lost = true,
        }
    }

    pub(super) const fn is_lost(&self) -> bool {
        self.is_lost
    }
}

/// The client hello of SSL 2, which has no content type.
pub(super) const OLD_HELLO: u8 = 0;

fn major_of_hello([_, _, kind, major, _]: [u8; 5]) -> bool {
    kind == 1 && (major == 0 || major == 3)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pieces(records: &mut Records, mut data: &[u8]) -> Vec<(u8, Option<usize>)> {
        let mut out = Vec::new();
        while let Some(piece) = records.next(&mut data) {
            out.push(match piece {
                Piece::Start(kind) => (kind, None),
                Piece::Content(kind, content) => (kind, Some(content.len())),
            });
        }
        out
    }

    #[test]
    fn passes_content_on_as_it_arrives() {
        let mut records = Records::default();

        assert_eq!(pieces(&mut records, &[22, 3]), []);
        assert_eq!(pieces(&mut records, &[3, 0, 4, 9]), [(22, None), (22, Some(1))]);
        assert_eq!(
            pieces(&mut records, &[9, 9, 9, 20, 3, 3, 0, 1, 1]),
            [(22, Some(3)), (20, None), (20, Some(1))]
        );
    }

    #[test]
    fn survives_a_gap_inside_a_record() {
        let mut records = Records::default();
        pieces(&mut records, &[23, 3, 3, 1, 0]);

        records.lose(255);
        assert_eq!(pieces(&mut records, &[0, 21, 3, 3, 0, 2]), [(23, Some(1)), (21, None)]);
        records.lose(3);
        assert!(records.is_lost());
    }

    #[test]
    fn reads_past_the_hello_of_ssl_2() {
        let mut records = Records::default();

        assert_eq!(pieces(&mut records, &[0x80, 5, 1, 3, 1, 9, 9]), [(0, None), (0, Some(2))]);
        assert_eq!(pieces(&mut records, &[22, 3, 1, 0, 9]), [(22, None)]);
    }

    #[test]
    fn is_lost_in_what_is_no_record() {
        let mut records = Records::default();

        assert_eq!(pieces(&mut records, b"GET / HTTP/1.1"), []);
        assert!(records.is_lost());
    }

    proptest! {
        #[test]
        fn no_bytes_panic(data: Vec<Vec<u8>>) {
            let mut records = Records::default();
            for piece in &data {
                pieces(&mut records, piece);
                records.lose(piece.len() as u64 / 3);
            }
        }
    }
}

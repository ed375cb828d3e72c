//! One IP datagram that waits for the rest of its fragments.

use super::bytes::len32;
use super::ip::{Fragment, Ip};
use super::{Oddities, Oddity, Skip};
use crate::time::Timestamp;

/// The pieces of a datagram so far. Its memory is what arrived, never what a header announced.
#[derive(Debug)]
pub(super) struct Datagram {
    pub(super) first_seen: Timestamp,
    /// Set by the fragment with offset 0.
    head: Option<Head>,
    /// Length of the payload, set by the fragment that says nothing follows.
    total: Option<u32>,
    /// Bytes in `pieces`, which never overlap.
    have: u32,
    data: Vec<u8>,
    /// Sorted by offset.
    pieces: Vec<Piece>,
}

/// What the first fragment says about the whole.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    pub(super) ttl: u8,
    pub(super) protocol: u8,
    /// Headers in front of the payload, in bytes.
    pub(super) len: u32,
}

#[derive(Clone, Copy, Debug)]
struct Piece {
    offset: u32,
    len: u32,
    /// Where in `data` it is.
    at: u32,
}

impl Datagram {
    pub(super) fn new(first_seen: Timestamp) -> Self {
        Self { first_seen, head: None, total: None, have: 0, data: Vec::new(), pieces: Vec::new() }
    }

    /// Memory beside the struct itself.
    pub(super) fn heap_bytes(&self) -> usize {
        self.data.capacity() + self.pieces.capacity() * size_of::<Piece>()
    }

    /// What the first fragment said, once every byte is there.
    pub(super) fn complete(&self) -> Option<Head> {
        self.head.filter(|_| self.total == Some(self.have))
    }

    /// Adds the bytes of a fragment that nothing before it brought.
    pub(super) fn add(
        &mut self,
        ip: &Ip<'_>,
        fragment: Fragment,
        odd: &mut Oddities,
    ) -> Result<(), Skip> {
        let bytes = ip.payload.bytes;
        let end = fragment.offset + len32(bytes);
        let reaches = self.pieces.last().map_or(0, |last| last.offset + last.len);
        let fits = match self.total {
            Some(total) => end <= total && (fragment.more || end == total),
            None => fragment.more || end >= reaches,
        };
        if !fits {
            odd.note(Oddity::FragmentSizeInconsistency, ip.src, ip.dst);
            return Err(Skip::BadFragment);
        }
        if !fragment.more {
            self.total = Some(end);
        }
        if fragment.offset == 0 && self.head.is_none() {
            let len = ip.len.saturating_sub(len32(bytes));
            // The fragment header is not part of the datagram (RFC 8200 section 4.5).
            let len = if ip.is_v6() { len.saturating_sub(8) } else { len };
            self.head = Some(Head { ttl: ip.ttl, protocol: ip.protocol, len });
        }
        match self.insert(fragment.offset, bytes) {
            Overlap::Differs => odd.note(Oddity::FragmentInconsistency, ip.src, ip.dst),
            Overlap::Partial => odd.note(Oddity::FragmentOverlap, ip.src, ip.dst),
            Overlap::None => {}
        }
        Ok(())
    }

    /// Keeps the bytes that are new.
    fn insert(&mut self, start: u32, bytes: &[u8]) -> Overlap {
        let end = start + len32(bytes);
        let part = |from: u32, to: u32| {
            bytes.get((from - start) as usize..(to - start) as usize).unwrap_or_default()
        };
        let before = self.have;
        let (mut differs, mut repeats) = (false, false);
        let mut place = self.pieces.partition_point(|piece| piece.offset + piece.len <= start);
        let mut at = start;
        while at < end {
            let next = self.pieces.get(place).copied().filter(|piece| piece.offset < end);
            let gap_end = next.map_or(end, |piece| piece.offset);
            if at < gap_end {
                self.keep(place, at, part(at, gap_end));
                place += 1;
                at = gap_end;
            }
            if let Some(piece) = next {
                let stop = end.min(piece.offset + piece.len);
                let from = (piece.at + (at - piece.offset)) as usize;
                let kept = self.data.get(from..from + (stop - at) as usize);
                repeats = true;
                differs |= kept != Some(part(at, stop));
                at = stop;
                place += 1;
            }
        }
        match (differs, repeats && self.have > before) {
            (true, _) => Overlap::Differs,
            (false, true) => Overlap::Partial,
            (false, false) => Overlap::None,
        }
    }

    fn keep(&mut self, place: usize, offset: u32, bytes: &[u8]) {
        let piece = Piece { offset, len: len32(bytes), at: len32(&self.data) };
        self.data.extend_from_slice(bytes);
        self.pieces.insert(place, piece);
        self.have += piece.len;
    }

    /// Lends its bytes, in order, to `whole`.
    pub(super) fn assemble(self, whole: &mut Vec<u8>) {
        whole.clear();
        let in_order = self.pieces.iter().scan(0, |next, piece| {
            let follows = piece.at == *next;
            *next = piece.at + piece.len;
            Some(follows)
        });
        if in_order.min().unwrap_or(true) {
            *whole = self.data;
            return;
        }
        for piece in &self.pieces {
            let at = piece.at as usize;
            whole.extend_from_slice(self.data.get(at..at + piece.len as usize).unwrap_or_default());
        }
    }
}

/// How a fragment meets those before it. An exact copy is none: networks and taps make them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Overlap {
    None,
    Partial,
    Differs,
}

//! Classic capture files, as libpcap and its relatives have written them since 1998.
//!
//! The format is draft-ietf-opsawg-pcap; the deviations are those of libpcap's `sf-pcap.c`.

use super::window::Window;
use super::{Flaw, MAX_FRAME, Record, link_type};
use crate::source::LinkType;
use crate::time::Timestamp;

/// Microseconds, the original format.
const MICROS: u32 = 0xa1b2_c3d4;
/// Nanoseconds.
const NANOS: u32 = 0xa1b2_3c4d;
/// Alexey Kuznetzov's "modified" format: record headers of 24 bytes, which end in the interface's
/// index, the protocol and the packet's type.
const MODIFIED: u32 = 0xa1b2_cd34;

/// Length of the file header.
pub(super) const FILE_HEADER: usize = 24;

/// Recognises the file by its first bytes.
pub(super) fn recognises(head: &[u8]) -> bool {
    head.first_chunk().is_some_and(|&magic| byte_order(magic).is_some())
}

/// The magic number in native order, and whether the file is big-endian.
fn byte_order(magic: [u8; 4]) -> Option<(u32, bool)> {
    let is_known = |magic| matches!(magic, MICROS | NANOS | MODIFIED);
    let (little, big) = (u32::from_le_bytes(magic), u32::from_be_bytes(magic));
    if is_known(little) {
        Some((little, false))
    } else if is_known(big) {
        Some((big, true))
    } else {
        None
    }
}

/// How the two length fields of a record are ordered: old writers disagreed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lengths {
    /// Captured length first, as documented.
    Documented,
    /// Wire length first, before version 2.3.
    Swapped,
    /// Version 2.3, and DG/UX's 543.0: whichever is smaller is the captured length.
    Unsure,
}

/// A file whose header has been read.
#[derive(Debug)]
pub(super) struct Pcap {
    big_endian: bool,
    /// Nanoseconds in a unit of the fraction field.
    fraction: i64,
    record_header: usize,
    lengths: Lengths,
    link: LinkType,
}

impl Pcap {
    /// Reads the file header, whose magic number has been recognised.
    pub(super) fn open(window: &mut Window) -> Result<Self, Flaw> {
        if !window.ensure(FILE_HEADER) {
            return Err(Flaw::CutOff);
        }
        let words = window.bytes().first_chunk::<FILE_HEADER>().map(|head| head.as_chunks::<4>().0);
        let Some(&[magic, version, _zone, _accuracy, _snaplen, network]) = words else {
            return Err(Flaw::CutOff);
        };
        let Some((kind, big_endian)) = byte_order(magic) else {
            return Err(Flaw::broken("it does not begin like a capture file"));
        };
        let [a, b, c, d] = version;
        let (major, minor) = match big_endian {
            true => (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])),
            false => (u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d])),
        };
        let lengths = match (major, minor) {
            (..=1, _) | (2, ..=2) => Lengths::Swapped,
            (2, 3) | (543, 0) => Lengths::Unsure,
            (2, _) => Lengths::Documented,
            _ => {
                return Err(Flaw::broken(format!("its format version {major}.{minor} is unknown")));
            }
        };
        window.consume(FILE_HEADER);
        Ok(Self {
            big_endian,
            fraction: if kind == NANOS { 1 } else { 1000 },
            record_header: if kind == MODIFIED { 24 } else { 16 },
            lengths,
            link: link_type(word(network, big_endian)),
        })
    }

    /// Reads the next record; `None` at the end of the file.
    #[inline]
    pub(super) fn advance(&self, window: &mut Window) -> Result<Option<Record>, Flaw> {
        if !window.ensure(self.record_header) {
            return if window.bytes().is_empty() { Ok(None) } else { Err(Flaw::CutOff) };
        }
        let Some(header) = self.header(window.bytes()) else { return Err(Flaw::CutOff) };
        if header.captured as usize > MAX_FRAME {
            return Err(Flaw::too_long(header.captured));
        }
        let length = self.record_header + header.captured as usize;
        if !window.ensure(length) {
            return Err(Flaw::CutOff);
        }
        let record = self.record(header, window.position() + self.record_header);
        window.consume(length);
        Ok(Some(record))
    }

    /// Reads records as long as all of the next one is in memory, `most` at most.
    #[inline]
    pub(super) fn gather(&self, window: &mut Window, most: usize, records: &mut Vec<Record>) {
        let (bytes, start) = (window.bytes(), window.position());
        let mut used = 0;
        for _ in 0..most {
            let Some(header) = bytes.get(used..).and_then(|bytes| self.header(bytes)) else {
                break;
            };
            let end = used + self.record_header + header.captured as usize;
            if end > bytes.len() || header.captured as usize > MAX_FRAME {
                break;
            }
            records.push(self.record(header, start + used + self.record_header));
            used = end;
        }
        window.consume(used);
    }

    #[inline]
    fn header(&self, bytes: &[u8]) -> Option<Header> {
        let &[secs, fraction, captured, wire] = bytes.first_chunk::<16>()?.as_chunks::<4>().0
        else {
            return None;
        };
        let captured = word(captured, self.big_endian);
        let wire = word(wire, self.big_endian);
        let (captured, wire) = match self.lengths {
            Lengths::Documented => (captured, wire),
            Lengths::Swapped => (wire, captured),
            Lengths::Unsure => (captured.min(wire), captured.max(wire)),
        };
        // At most 2^32 * 10^9 + 2^32 * 1000, which fits.
        let nanos = i64::from(word(secs, self.big_endian)) * 1_000_000_000
            + i64::from(word(fraction, self.big_endian)) * self.fraction;
        Some(Header { ts: Timestamp::from_nanos(nanos), captured, wire })
    }

    /// A record whose frame is at `at`.
    #[inline]
    fn record(&self, header: Header, at: usize) -> Record {
        Record {
            ts: header.ts,
            link: self.link,
            interface: 0,
            wire_len: header.wire.max(header.captured),
            at,
            len: header.captured as usize,
        }
    }
}

/// What stands before a frame.
#[derive(Clone, Copy, Debug)]
struct Header {
    ts: Timestamp,
    captured: u32,
    wire: u32,
}

#[inline]
fn word(bytes: [u8; 4], big_endian: bool) -> u32 {
    if big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
}

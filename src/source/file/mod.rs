//! Capture files: what they are is told by their content, never by their name.
//!
//! A file is read as a stream through one buffer, unpacked on the way if need be, and every frame is
//! lent out of that buffer. Damage ends a file but is no error: what was read up to there counts.

mod clock;
pub(super) mod disk;
mod other;
mod pcap;
mod pcapng;
#[cfg(test)]
pub(super) mod samples;
#[cfg(test)]
mod tests;
mod unpack;
mod window;

use std::fmt;
use std::io::{self, Cursor, ErrorKind, Read};

use self::pcap::Pcap;
use self::pcapng::Pcapng;
use self::unpack::Packing;
use self::window::Window;
use super::LinkType;
use crate::time::Timestamp;

/// The longest frame that is believed. Networks carry up to 64 KiB, and offloading makes it 512 KiB
/// (Linux "BIG TCP"); the rest is room for what nobody thought of.
pub(super) const MAX_FRAME: usize = 16 << 20;

/// Compressed within compressed, as log rotation over a compressing writer makes it.
const MAX_PACKINGS: usize = 2;

/// Bytes that tell what a file is.
const HEAD: usize = 16;

/// Why a file is not read at all.
#[derive(Debug)]
pub enum Unreadable {
    /// It is something else: what, and what to do about it.
    NotACapture(String, &'static str),
    /// Reading its first bytes failed.
    Io(io::Error),
}

/// Frames that the writer of a file says were lost; `None` where it does not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drops {
    /// By the kernel, for want of buffer.
    pub kernel: Option<u64>,
    /// By the interface or its driver.
    pub interface: Option<u64>,
}

impl Drops {
    fn plus(self, other: Self) -> Self {
        let sum = |a: Option<u64>, b: Option<u64>| match (a, b) {
            (Some(a), Some(b)) => Some(a.saturating_add(b)),
            (a, b) => a.or(b),
        };
        Self {
            kernel: sum(self.kernel, other.kernel),
            interface: sum(self.interface, other.interface),
        }
    }

    /// What `newer` says, and this where it says nothing.
    fn or(self, newer: Self) -> Self {
        Self { kernel: newer.kernel.or(self.kernel), interface: newer.interface.or(self.interface) }
    }
}

/// Where a frame lies in the window, and what its record says about it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record {
    pub(super) ts: Timestamp,
    pub(super) link: LinkType,
    /// Counted from 0 within the file.
    pub(super) interface: u32,
    pub(super) wire_len: u32,
    at: usize,
    len: usize,
}

impl Record {
    /// Captured bytes.
    pub(super) fn len(&self) -> usize {
        self.len
    }
}

/// What is wrong with a record.
#[derive(Debug)]
enum Flaw {
    /// The file ends, or cannot be read on, before the record does.
    CutOff,
    /// It contradicts itself or the format.
    Broken(String),
}

impl Flaw {
    #[cold]
    fn broken(what: impl Into<String>) -> Self {
        Self::Broken(what.into())
    }

    #[cold]
    fn too_long(claimed: u32) -> Self {
        Self::Broken(format!("it claims {claimed} bytes, more than any frame has"))
    }
}

#[derive(Debug)]
enum Format {
    Empty,
    Pcap(Pcap),
    Pcapng(Box<Pcapng>),
}

/// A frame of one file, borrowed until the reader advances.
#[derive(Clone, Copy, Debug)]
pub struct FileFrame<'a> {
    /// When it was captured, as the file says.
    pub ts: Timestamp,
    /// What its first byte belongs to.
    pub link: LinkType,
    /// Which of the file's interfaces it came from, counted from 0.
    pub interface: u32,
    /// Its length on the wire in bytes, at least `data.len()`.
    pub wire_len: u32,
    /// What was captured of it.
    pub data: &'a [u8],
}

/// Reads one capture file, frame by frame, from any byte stream.
pub struct CaptureReader {
    window: Window,
    format: Format,
    packing: Option<Packing>,
    /// Records that lie in the window side by side, the first `taken` of which are used up.
    ahead: Vec<Record>,
    taken: usize,
    records: u64,
    ended: bool,
    damage: Option<String>,
}

impl fmt::Debug for CaptureReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CaptureReader")
            .field("format", &self.format)
            .field("packing", &self.packing)
            .field("records", &self.records)
            .field("damage", &self.damage)
            .finish_non_exhaustive()
    }
}

impl CaptureReader {
    /// Finds out what `stream` is and reads up to its first record, through a buffer of `buffer` bytes.
    ///
    /// An empty file, and one cut off within its header, is a damaged capture and no error: programs
    /// that write captures leave such files behind.
    ///
    /// # Errors
    ///
    /// If the stream is no capture, or its first bytes cannot be read.
    pub fn new(stream: Box<dyn Read + Send>, buffer: usize) -> Result<Self, Unreadable> {
        let (mut stream, mut packing) = (stream, None);
        for depth in 0..=MAX_PACKINGS {
            let (head, rest, failure) = peek(stream);
            stream = rest;
            match (failure, packing) {
                (None, _) => {}
                (Some(error), None) => return Err(Unreadable::Io(error)),
                // Cut off so early that it may still have become a capture.
                (Some(error), Some(_)) if is_cut(&error) => {}
                (Some(error), Some(packing)) => {
                    return Err(not_inside(packing, &format!("cannot be unpacked ({error})")));
                }
            }
            match Packing::of(&head) {
                Some(outer) if depth < MAX_PACKINGS => {
                    stream = outer.unpack(stream).map_err(Unreadable::Io)?;
                    packing = Some(outer);
                }
                _ => return Self::unpacked(stream, &head, packing, buffer),
            }
        }
        Err(Unreadable::NotACapture("packed too often".to_owned(), "unpack it first"))
    }

    fn unpacked(
        stream: Box<dyn Read + Send>,
        head: &[u8],
        packing: Option<Packing>,
        buffer: usize,
    ) -> Result<Self, Unreadable> {
        let mut window = Window::new(stream, buffer, packing.is_some());
        let opened = if head.is_empty() {
            Err("empty: not even a file header".to_owned())
        } else if pcap::recognises(head) {
            Pcap::open(&mut window).map(Format::Pcap).map_err(|flaw| match flaw {
                Flaw::CutOff => "cut off in the middle of the file header".to_owned(),
                Flaw::Broken(what) => format!("unreadable from its header on: {what}"),
            })
        } else if pcapng::recognises(head) {
            Ok(Format::Pcapng(Box::default()))
        } else {
            let (what, advice) = other::describe(head);
            return Err(match packing {
                Some(packing) => not_inside(packing, &format!("is {what}")),
                None => Unreadable::NotACapture(what, advice),
            });
        };
        let (format, damage) = match opened {
            Ok(format) => (format, None),
            Err(damage) => (Format::Empty, Some(damage)),
        };
        let ended = damage.is_some();
        let ahead = Vec::new();
        Ok(Self { window, format, packing, ahead, taken: 0, records: 0, ended, damage })
    }

    /// Goes to the next frame; false if there is none, because the file ends or is damaged.
    #[inline]
    pub fn advance(&mut self) -> bool {
        let is_there = self.peek().is_some();
        self.taken += usize::from(is_there);
        is_there
    }

    /// The record after the one gone to. If it has to be read from the stream, those before it are
    /// in memory no more.
    #[inline]
    pub(super) fn peek(&mut self) -> Option<Record> {
        if self.taken >= self.ahead.len() {
            self.ahead.clear();
            self.taken = 0;
            self.read_on();
        }
        self.ahead.get(self.taken).copied()
    }

    /// The records after the one gone to, as far as they are in memory and up to `most`.
    #[inline]
    pub(super) fn gather(&mut self, most: usize) -> &[Record] {
        let wanted = (self.taken + most).saturating_sub(self.ahead.len());
        match &self.format {
            _ if self.ended => {}
            Format::Empty => {}
            Format::Pcap(pcap) => {
                let before = self.ahead.len();
                pcap.gather(&mut self.window, wanted, &mut self.ahead);
                self.records += (self.ahead.len() - before) as u64;
            }
            Format::Pcapng(_) => {
                let is_next_there = |of: &Self| match &of.format {
                    Format::Pcapng(pcapng) => pcapng.has_next_in(of.window.bytes()),
                    _ => false,
                };
                while self.ahead.len() < self.taken + most && is_next_there(self) && self.read_on()
                {
                }
            }
        }
        let coming = self.ahead.get(self.taken..).unwrap_or_default();
        coming.get(..most).unwrap_or(coming)
    }

    /// Goes on by `count` of the records that were gathered.
    #[inline]
    pub(super) fn take(&mut self, count: usize) {
        self.taken += count;
    }

    /// The last `count` records that were gone to.
    #[inline]
    pub(super) fn taken(&self, count: usize) -> &[Record] {
        let from = self.taken.saturating_sub(count);
        self.ahead.get(from..self.taken).unwrap_or_default()
    }

    /// Reads the next record, and puts it behind those that are there.
    #[inline]
    fn read_on(&mut self) -> bool {
        if self.ended {
            return false;
        }
        let before = self.window.offset();
        let step = match &mut self.format {
            Format::Empty => Ok(None),
            Format::Pcap(pcap) => pcap.advance(&mut self.window),
            Format::Pcapng(pcapng) => pcapng.advance(&mut self.window),
        };
        match step {
            Ok(Some(record)) => {
                self.records += 1;
                self.ahead.push(record);
                true
            }
            Ok(None) => self.finish(None, before),
            Err(flaw) => self.finish(Some(flaw), before),
        }
    }

    /// The frame that [`CaptureReader::advance`] went to.
    pub fn frame(&self) -> Option<FileFrame<'_>> {
        let record = *self.ahead.get(self.taken.checked_sub(1)?)?;
        Some(FileFrame {
            ts: record.ts,
            link: record.link,
            interface: record.interface,
            wire_len: record.wire_len,
            data: self.window.lend(record.at, record.len),
        })
    }

    /// Why reading stopped before the end, in words for a person.
    pub fn damage(&self) -> Option<&str> {
        self.damage.as_deref()
    }

    /// Frames that the writer says were lost so far.
    pub fn drops(&self) -> Drops {
        match &self.format {
            Format::Pcapng(pcapng) => pcapng.drops(),
            Format::Pcap(_) | Format::Empty => Drops::default(),
        }
    }

    /// Whether the file ends before it says what it is.
    pub fn is_blank(&self) -> bool {
        matches!(self.format, Format::Empty)
    }

    /// The name of one of the file's interfaces, where the file has names.
    pub fn interface_name(&self, number: u32) -> Option<&str> {
        match &self.format {
            Format::Pcapng(pcapng) => pcapng.interface_name(number),
            Format::Pcap(_) | Format::Empty => None,
        }
    }

    #[inline]
    pub(super) fn data(&self, record: Record) -> &[u8] {
        self.window.lend(record.at, record.len)
    }

    #[cold]
    fn finish(&mut self, flaw: Option<Flaw>, before: u64) -> bool {
        self.ended = true;
        let record = self.records + 1;
        // Blocks that were skipped since the last record do not help to find the damage.
        let at = if matches!(self.format, Format::Pcap(_)) { before } else { self.window.offset() };
        let place = match self.packing {
            None => format!("record {record} at byte {at}"),
            Some(packing) => {
                format!("record {record} at byte {at} of what {} unpacks", packing.name())
            }
        };
        self.damage = match (flaw, self.window.failure()) {
            (Some(Flaw::Broken(what)), _) => Some(format!("damaged in {place}: {what}")),
            (_, Some(error)) if is_cut(error) => Some(format!("cut off in the middle of {place}")),
            (_, Some(error)) => Some(format!("unreadable from {place} on: {error}")),
            (Some(Flaw::CutOff), None) => Some(format!("cut off in the middle of {place}")),
            (None, None) => None,
        };
        false
    }
}

/// The link type of a header field, whose upper half tells about frame check sequences.
///
/// 12 and 14 are what raw IP was called where LINKTYPE_RAW was not yet agreed on; libpcap reads them so.
pub(super) fn link_type(field: u32) -> LinkType {
    match field & 0xffff {
        12 | 14 => LinkType::RAW,
        kind => LinkType(kind as u16),
    }
}

/// A decompressor that ran out of bytes says so in its own way; the person wants to hear the same.
fn is_cut(error: &io::Error) -> bool {
    error.kind() == ErrorKind::UnexpectedEof
}

fn not_inside(packing: Packing, what: &str) -> Unreadable {
    let advice = "give a packed capture file, not a packed archive or anything else";
    Unreadable::NotACapture(format!("{} data whose content {what}", packing.name()), advice)
}

/// Reads the first bytes of a stream and gives them back with a stream that still begins with them,
/// and with what kept it from reading more.
fn peek(mut stream: Box<dyn Read + Send>) -> (Vec<u8>, Box<dyn Read + Send>, Option<io::Error>) {
    let mut head = Vec::with_capacity(HEAD);
    let failure = stream.by_ref().take(HEAD as u64).read_to_end(&mut head).err();
    let rest = Cursor::new(head.clone()).chain(stream);
    (head, Box::new(rest), failure)
}

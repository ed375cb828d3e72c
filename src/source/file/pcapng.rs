//! pcapng files: sections of either byte order, interfaces of any link type and clock.
//!
//! The format is draft-ietf-opsawg-pcapng. Blocks that say nothing about packets, interfaces or drops
//! are skipped as a stream, however long they are.

use std::collections::BTreeMap;

use super::clock::Clock;
use super::window::Window;
use super::{Drops, Flaw, MAX_FRAME, Record, link_type};
use crate::source::LinkType;
use crate::time::Timestamp;

const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const OBSOLETE_PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const STATISTICS: u32 = 5;
const ENHANCED_PACKET: u32 = 6;

const BYTE_ORDER_MAGIC: u32 = 0x1a2b_3c4d;

/// What an interface description or a statistics block may measure; real ones have some hundred bytes.
const MAX_DESCRIPTION: u32 = 1 << 20;
/// What may stand around a frame in its block: comments and other options.
const MAX_OPTIONS: u32 = 1 << 20;
/// Interfaces that a file may describe before it is taken for damaged.
const MAX_INTERFACES: usize = 1 << 16;

/// Recognises the file by its first bytes; a file cut off within its first twelve is taken at its
/// word.
pub(super) fn recognises(head: &[u8]) -> bool {
    let is_section = head.starts_with(&SECTION_HEADER.to_be_bytes());
    let magic = head.get(8..12);
    is_section
        && magic.is_none_or(|magic| {
            magic == BYTE_ORDER_MAGIC.to_be_bytes() || magic == BYTE_ORDER_MAGIC.to_le_bytes()
        })
}

/// An interface as the current section describes it.
#[derive(Debug)]
struct Interface {
    link: LinkType,
    snaplen: u32,
    clock: Clock,
    /// Its number within the file.
    number: u32,
    drops: Drops,
}

/// A file that is being read.
#[derive(Debug, Default)]
pub(super) struct Pcapng {
    big_endian: bool,
    interfaces: Vec<Interface>,
    /// Interfaces of all sections: one that comes back under its name keeps its number.
    numbers: BTreeMap<(String, LinkType), u32>,
    names: Vec<String>,
    /// For packets that carry no time of their own, or an impossible one.
    latest: Timestamp,
    /// Drops of the sections that are over.
    drops: Drops,
}

impl Pcapng {
    /// The name of an interface by its number within the file.
    pub(super) fn interface_name(&self, number: u32) -> Option<&str> {
        self.names.get(number as usize).map(String::as_str)
    }

    /// Frames that the writer says were lost so far.
    pub(super) fn drops(&self) -> Drops {
        self.interfaces.iter().fold(self.drops, |sum, interface| sum.plus(interface.drops))
    }

    /// Reads blocks up to the next packet; `None` at the end of the file.
    #[inline]
    pub(super) fn advance(&mut self, window: &mut Window) -> Result<Option<Record>, Flaw> {
        loop {
            if !window.ensure(12) {
                return if window.bytes().is_empty() { Ok(None) } else { Err(Flaw::CutOff) };
            }
            let words = window.bytes().first_chunk::<12>().map(|head| head.as_chunks::<4>().0);
            let Some(&[kind, length, magic]) = words else { return Err(Flaw::CutOff) };
            // The section header's type reads the same in both byte orders.
            if u32::from_be_bytes(kind) == SECTION_HEADER {
                self.begin_section(magic)?;
            }
            let length = self.word(length);
            if length < 12 || !length.is_multiple_of(4) {
                return Err(Flaw::broken(format!("a block cannot be {length} bytes long")));
            }
            match self.word(kind) {
                ENHANCED_PACKET => return self.packet(window, length, true).map(Some),
                OBSOLETE_PACKET => return self.packet(window, length, false).map(Some),
                SIMPLE_PACKET => return self.simple_packet(window, length).map(Some),
                INTERFACE => {
                    let interface = self.describe(self.body(window, length, MAX_DESCRIPTION)?)?;
                    self.interfaces.push(interface);
                    window.consume(length as usize);
                }
                STATISTICS => {
                    let (index, drops) =
                        self.statistics(self.body(window, length, MAX_DESCRIPTION)?);
                    if let Some(interface) = self.interfaces.get_mut(index as usize) {
                        interface.drops = interface.drops.or(drops);
                    }
                    window.consume(length as usize);
                }
                _ => self.skip(window, length)?,
            }
        }
    }

    /// Whether the next block is a packet, all of which is among `bytes`, which are in memory.
    #[inline]
    pub(super) fn has_next_in(&self, bytes: &[u8]) -> bool {
        let words = bytes.first_chunk::<8>().map(|head| head.as_chunks::<4>().0);
        let Some(&[kind, length]) = words else { return false };
        let is_packet =
            matches!(self.word(kind), ENHANCED_PACKET | OBSOLETE_PACKET | SIMPLE_PACKET);
        is_packet && bytes.len() >= self.word(length) as usize
    }

    fn begin_section(&mut self, magic: [u8; 4]) -> Result<(), Flaw> {
        self.big_endian = match (u32::from_be_bytes(magic), u32::from_le_bytes(magic)) {
            (BYTE_ORDER_MAGIC, _) => true,
            (_, BYTE_ORDER_MAGIC) => false,
            _ => return Err(Flaw::broken("its byte order is neither of the two")),
        };
        self.drops = self.drops();
        self.interfaces.clear();
        Ok(())
    }

    /// The bytes between a block's two frames, once all of it is in memory and its lengths agree.
    fn body<'w>(&self, window: &'w mut Window, length: u32, limit: u32) -> Result<&'w [u8], Flaw> {
        if length > limit {
            return Err(Flaw::too_long(length));
        }
        let length_in_memory = length as usize;
        if !window.ensure(length_in_memory) {
            return Err(Flaw::CutOff);
        }
        let block = window.bytes().get(..length_in_memory).unwrap_or_default();
        let Some((rest, &trailer)) = block.split_last_chunk::<4>() else {
            return Err(Flaw::CutOff);
        };
        self.check_trailer(trailer, length)?;
        Ok(rest.get(8..).unwrap_or_default())
    }

    fn check_trailer(&self, trailer: [u8; 4], length: u32) -> Result<(), Flaw> {
        let trailer = self.word(trailer);
        if trailer == length {
            return Ok(());
        }
        Err(Flaw::broken(format!("its length is {length} at its front and {trailer} at its end")))
    }

    /// An enhanced packet block, or the obsolete one: they differ in the width of the first field.
    #[inline]
    fn packet(&mut self, window: &mut Window, length: u32, enhanced: bool) -> Result<Record, Flaw> {
        let body = self.body(window, length, MAX_FRAME as u32 + MAX_OPTIONS)?;
        let room = body.len().saturating_sub(20);
        let words = body.first_chunk::<20>().map(|head| head.as_chunks::<4>().0);
        let Some(&[index, high, low, captured, wire]) = words else {
            return Err(Flaw::broken("its block is too short for a packet"));
        };
        let index = match (enhanced, index) {
            (true, index) => self.word(index),
            (false, [a, b, ..]) => u32::from(self.half([a, b])),
        };
        let Some(interface) = self.interfaces.get(index as usize) else {
            return Err(Flaw::broken(format!(
                "it names interface {index}, which is not described"
            )));
        };
        let captured = self.word(captured);
        let len = captured as usize;
        if len > room {
            return Err(Flaw::broken(format!("it claims {captured} bytes in a block of {length}")));
        }
        if len > MAX_FRAME {
            return Err(Flaw::too_long(captured));
        }
        let ts = interface.clock.moment(self.word(high), self.word(low)).unwrap_or(self.latest);
        let record = Record {
            ts,
            link: interface.link,
            interface: interface.number,
            wire_len: self.word(wire).max(captured),
            at: window.position() + 28,
            len,
        };
        self.latest = ts;
        window.consume(length as usize);
        Ok(record)
    }

    fn simple_packet(&self, window: &mut Window, length: u32) -> Result<Record, Flaw> {
        let body = self.body(window, length, MAX_FRAME as u32 + 16)?;
        let Some((&wire, data)) = body.split_first_chunk::<4>() else {
            return Err(Flaw::broken("its block is too short for a packet"));
        };
        let Some(interface) = self.interfaces.first() else {
            return Err(Flaw::broken("it comes before any interface"));
        };
        let wire = self.word(wire);
        let snapped = if interface.snaplen == 0 { wire } else { wire.min(interface.snaplen) };
        let len = data.len().min(snapped as usize);
        let record = Record {
            ts: self.latest,
            link: interface.link,
            interface: interface.number,
            wire_len: wire,
            at: window.position() + 12,
            len,
        };
        window.consume(length as usize);
        Ok(record)
    }

    fn describe(&mut self, body: &[u8]) -> Result<Interface, Flaw> {
        let Some((&[a, b, _, _, c, d, e, f], options)) = body.split_first_chunk::<8>() else {
            return Err(Flaw::broken("its interface description is too short"));
        };
        if self.interfaces.len() >= MAX_INTERFACES || self.names.len() >= MAX_INTERFACES {
            return Err(Flaw::broken("it describes more interfaces than any machine has"));
        }
        let link = link_type(u32::from(self.half([a, b])));
        let mut clock = Clock::default();
        let mut name = String::new();
        for (code, value) in self.options(options) {
            match (code, value) {
                (2, value) => name = String::from_utf8_lossy(value).chars().take(64).collect(),
                (9, &[resolution, ..]) => clock.set_resolution(resolution),
                (14, value) => {
                    if let Some(&offset) = value.first_chunk() {
                        clock.set_offset(self.long(offset) as i64);
                    }
                }
                _ => {}
            }
        }
        if name.is_empty() {
            name = format!("interface {}", self.interfaces.len());
        }
        let number = self.number(name, link);
        let snaplen = self.word([c, d, e, f]);
        Ok(Interface { link, snaplen, clock, number, drops: Drops::default() })
    }

    fn number(&mut self, name: String, link: LinkType) -> u32 {
        let next = self.names.len() as u32;
        let names = &mut self.names;
        *self.numbers.entry((name, link)).or_insert_with_key(|(name, _)| {
            names.push(name.clone());
            next
        })
    }

    /// The interface that a statistics block is about and the drops that it tells.
    fn statistics(&self, body: &[u8]) -> (u32, Drops) {
        let mut drops = Drops::default();
        let Some((&[a, b, c, d, ..], options)) = body.split_first_chunk::<12>() else {
            return (u32::MAX, drops);
        };
        for (code, value) in self.options(options) {
            let count = value.first_chunk().map(|&count| self.long(count));
            match code {
                5 => drops.interface = count,
                7 => drops.kernel = count,
                _ => {}
            }
        }
        (self.word([a, b, c, d]), drops)
    }

    fn skip(&self, window: &mut Window, length: u32) -> Result<(), Flaw> {
        if !window.skip(u64::from(length) - 4) || !window.ensure(4) {
            return Err(Flaw::CutOff);
        }
        let trailer = window.bytes().first_chunk().copied().unwrap_or_default();
        self.check_trailer(trailer, length)?;
        window.consume(4);
        Ok(())
    }

    /// The options of a block up to `opt_endofopt` or the first one that does not fit.
    fn options<'b>(&self, mut bytes: &'b [u8]) -> impl Iterator<Item = (u16, &'b [u8])> + use<'b> {
        let big_endian = self.big_endian;
        std::iter::from_fn(move || {
            let (&[a, b, c, d], rest) = bytes.split_first_chunk::<4>()?;
            let code = half([a, b], big_endian);
            let length = usize::from(half([c, d], big_endian));
            let value = rest.get(..length)?;
            bytes = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
            (code != 0).then_some((code, value))
        })
    }

    #[inline]
    fn half(&self, bytes: [u8; 2]) -> u16 {
        half(bytes, self.big_endian)
    }

    #[inline]
    fn word(&self, bytes: [u8; 4]) -> u32 {
        if self.big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
    }

    fn long(&self, bytes: [u8; 8]) -> u64 {
        if self.big_endian { u64::from_be_bytes(bytes) } else { u64::from_le_bytes(bytes) }
    }
}

fn half(bytes: [u8; 2], big_endian: bool) -> u16 {
    if big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) }
}

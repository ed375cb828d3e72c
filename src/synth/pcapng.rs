//! Writes capture files with several interfaces: pcapng (draft-ietf-opsawg-pcapng), one section,
//! Ethernet, nanoseconds.

use std::io::{self, Write};

use super::pcap::captured;
use crate::source::LinkType;
use crate::time::Timestamp;

const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const ENHANCED_PACKET: u32 = 6;
const BYTE_ORDER: u32 = 0x1a2b_3c4d;
/// Options of an interface: its name, and what a unit of time is.
const IF_NAME: u16 = 2;
const IF_TSRESOL: u16 = 9;

/// Writes frames as one little-endian section.
#[derive(Debug)]
pub struct PcapngWriter<W: Write> {
    out: W,
}

impl<W: Write> PcapngWriter<W> {
    /// Writes the section header and a description of each interface: its name and snap length.
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn new<'n>(
        out: W,
        interfaces: impl IntoIterator<Item = (&'n str, u32)>,
    ) -> io::Result<Self> {
        let mut writer = Self { out };
        let mut header = BYTE_ORDER.to_le_bytes().to_vec();
        // Version 1.0, and a section whose length is not said.
        header.extend_from_slice(&[1, 0, 0, 0]);
        header.extend_from_slice(&u64::MAX.to_le_bytes());
        writer.block(SECTION_HEADER, &header)?;
        for (name, snap_length) in interfaces {
            let mut body = u32::from(LinkType::ETHERNET.0).to_le_bytes().to_vec();
            body.extend_from_slice(&snap_length.to_le_bytes());
            option(&mut body, IF_NAME, name.as_bytes());
            option(&mut body, IF_TSRESOL, &[9]);
            option(&mut body, 0, &[]);
            writer.block(INTERFACE, &body)?;
        }
        Ok(writer)
    }

    /// Writes one frame of an interface, by its number; it had `length` bytes on the wire. Times
    /// before 1970 do not fit the format and are clamped.
    ///
    /// # Errors
    /// If it cannot be written, or is longer than the format can say.
    pub fn write(
        &mut self,
        ts: Timestamp,
        interface: u32,
        frame: &[u8],
        length: u32,
    ) -> io::Result<()> {
        let nanos = u64::try_from(ts.as_nanos()).unwrap_or(0);
        let kept = captured(frame)?;
        let padded = kept.next_multiple_of(4);
        let (high, low) = ((nanos >> 32) as u32, nanos as u32);
        let fields = [ENHANCED_PACKET, 32 + padded, interface, high, low, kept, length];
        let mut header = [0; 28];
        for (room, field) in header.as_chunks_mut::<4>().0.iter_mut().zip(fields) {
            *room = field.to_le_bytes();
        }
        self.out.write_all(&header)?;
        self.out.write_all(frame)?;
        self.out.write_all([0; 3].get(..(padded - kept) as usize).unwrap_or_default())?;
        self.out.write_all(&(32 + padded).to_le_bytes())
    }

    /// Gives the stream back.
    pub fn into_inner(self) -> W {
        self.out
    }

    fn block(&mut self, kind: u32, body: &[u8]) -> io::Result<()> {
        let length = 12 + captured(body)?;
        self.out.write_all(&kind.to_le_bytes())?;
        self.out.write_all(&length.to_le_bytes())?;
        self.out.write_all(body)?;
        self.out.write_all(&length.to_le_bytes())
    }
}

/// Adds an option, filled up to four bytes.
fn option(body: &mut Vec<u8>, code: u16, value: &[u8]) {
    body.extend_from_slice(&code.to_le_bytes());
    body.extend_from_slice(&(value.len() as u16).to_le_bytes());
    body.extend_from_slice(value);
    body.resize(body.len().next_multiple_of(4), 0);
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::source::file::CaptureReader;

    #[test]
    fn what_is_written_is_read_again() {
        let mut writer = PcapngWriter::new(Vec::new(), [("north", 96), ("south", 1500)]).unwrap();
        let at = Timestamp::from_nanos(1_767_225_600_123_456_789);

        writer.write(at, 1, b"five!", 60).unwrap();
        writer.write(at, 0, b"four", 4).unwrap();

        let file = Cursor::new(writer.into_inner());
        let mut reader = CaptureReader::new(Box::new(file), 4096).unwrap();
        let mut frames = Vec::new();
        while reader.advance() {
            let frame = reader.frame().unwrap();
            let name = reader.interface_name(frame.interface).unwrap().to_owned();
            frames.push((frame.ts, name, frame.wire_len, frame.data.to_vec()));
        }
        assert_eq!(
            frames,
            [
                (at, "south".to_owned(), 60, b"five!".to_vec()),
                (at, "north".to_owned(), 4, b"four".to_vec()),
            ]
        );
        assert_eq!(reader.damage(), None);
    }
}

//! Writes capture files: classic pcap with micro- or nanoseconds, compressed where the name says so.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use super::packet::Stamped;
use super::sink::{FOR_EVER, Sink};
use crate::source::LinkType;
use crate::time::Timestamp;

/// How finely a capture file tells the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// Magic number `a1b2c3d4`.
    Micros,
    /// Magic number `a1b23c4d`.
    Nanos,
}

/// The snap length of whoever keeps whole frames.
pub const SNAP_LENGTH: u32 = 262_144;

/// Writes frames as a little-endian pcap stream with Ethernet as its link type.
#[derive(Debug)]
pub struct PcapWriter<W: Write> {
    out: W,
    resolution: Resolution,
}

impl<W: Write> PcapWriter<W> {
    /// Writes the file header; no frame will be longer than `snap_length`.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn new(mut out: W, resolution: Resolution, snap_length: u32) -> io::Result<Self> {
        let magic: u32 = match resolution {
            Resolution::Micros => 0xa1b2_c3d4,
            Resolution::Nanos => 0xa1b2_3c4d,
        };
        out.write_all(&magic.to_le_bytes())?;
        // Version 2.4, then the time zone and accuracy that everybody leaves 0.
        out.write_all(&[2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0])?;
        out.write_all(&snap_length.to_le_bytes())?;
        out.write_all(&u32::from(LinkType::ETHERNET.0).to_le_bytes())?;
        Ok(Self { out, resolution })
    }

    /// Writes one frame, which had `length` bytes on the wire. Times before 1970 or after 2106 do not
    /// fit the format and are clamped.
    ///
    /// # Errors
    /// If it cannot be written, or is longer than the format can say.
    pub fn write(&mut self, ts: Timestamp, frame: &[u8], length: u32) -> io::Result<()> {
        let nanos = ts.as_nanos().max(0);
        let secs = u32::try_from(nanos / 1_000_000_000).unwrap_or(u32::MAX);
        let nanos = u32::try_from(nanos % 1_000_000_000).unwrap_or(0);
        let fraction = match self.resolution {
            Resolution::Micros => nanos / 1000,
            Resolution::Nanos => nanos,
        };
        let mut header = [0; 16];
        let fields = [secs, fraction, captured(frame)?, length];
        for (room, field) in header.as_chunks_mut::<4>().0.iter_mut().zip(fields) {
            *room = field.to_le_bytes();
        }
        self.out.write_all(&header)?;
        self.out.write_all(frame)
    }

    /// Gives the stream back.
    pub fn into_inner(self) -> W {
        self.out
    }
}

/// A frame's length as capture files say it.
pub(super) fn captured(frame: &[u8]) -> io::Result<u32> {
    u32::try_from(frame.len())
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "frame too long for a capture"))
}

/// Writes `packets` to the file `path`, zstd-compressed if its name ends in `.zst`, and returns
/// their number.
///
/// # Errors
/// If the file cannot be written.
pub fn write_file(
    path: &Path,
    resolution: Resolution,
    packets: impl Iterator<Item = Stamped>,
) -> io::Result<u64> {
    let file = BufWriter::with_capacity(1 << 20, File::create(path)?);
    let is_packed = path.extension().is_some_and(|extension| extension == "zst");
    let sink = Sink::new(file, is_packed.then_some(FOR_EVER))?;
    let mut writer = PcapWriter::new(sink, resolution, SNAP_LENGTH)?;
    let mut written = 0;
    for Stamped { ts, frame } in packets {
        writer.write(ts, &frame, captured(&frame)?)?;
        written += 1;
    }
    writer.into_inner().finish()?;
    Ok(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet() -> Stamped {
        Stamped { ts: Timestamp::from_nanos(3_000_000_000 + 123_456_789), frame: vec![7; 60] }
    }

    fn written(resolution: Resolution) -> Vec<u8> {
        let mut writer = PcapWriter::new(Vec::new(), resolution, SNAP_LENGTH).unwrap();
        let Stamped { ts, frame } = packet();
        writer.write(ts, &frame, 60).unwrap();
        writer.into_inner()
    }

    #[test]
    fn writes_header_and_records_in_both_resolutions() {
        let micros = written(Resolution::Micros);
        let nanos = written(Resolution::Nanos);

        assert_eq!(micros.len(), 24 + 16 + 60);
        assert_eq!(micros[..4], [0xd4, 0xc3, 0xb2, 0xa1]);
        assert_eq!(nanos[..4], [0x4d, 0x3c, 0xb2, 0xa1]);
        assert_eq!(micros[24..28], 3u32.to_le_bytes());
        assert_eq!(micros[28..32], 123_456u32.to_le_bytes());
        assert_eq!(nanos[28..32], 123_456_789u32.to_le_bytes());
        assert_eq!(micros[32..36], 60u32.to_le_bytes());
    }

    #[test]
    fn compresses_what_is_called_zst() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.pcap.zst");

        let count =
            write_file(&path, Resolution::Micros, std::iter::repeat_n(packet(), 10)).unwrap();

        let raw = zstd::decode_all(File::open(&path).unwrap()).unwrap();
        assert_eq!(count, 10);
        assert_eq!(raw.len(), 24 + 10 * 76);
        assert!(path.metadata().unwrap().len() < 200);
    }
}

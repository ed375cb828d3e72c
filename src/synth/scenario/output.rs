//! Capture files of a scenario: one, or one for each tap that wants its own.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use super::stage::Passing;
use super::tap::Tap;
use crate::time::Timestamp;

/// A format of capture files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Format {
    /// pcapng instead of pcap.
    pub is_next: bool,
    /// Compressed with zstd.
    pub is_packed: bool,
}

impl Format {
    /// The format that a file's name asks for; `None` if it names none.
    pub fn of(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?;
        let (name, is_packed) = match name.strip_suffix(".zst") {
            Some(name) => (name, true),
            None => (name, false),
        };
        let is_next = name.ends_with(".pcapng");
        (is_next || name.ends_with(".pcap")).then_some(Self { is_next, is_packed })
    }
}

/// Where frames go.
type Out<'a> = Box<dyn Write + 'a>;

/// One file.
struct Capture<'a> {
    out: Sink<'a>,
    format: Format,
    packets: u64,
    bytes: u64,
}

enum Sink<'a> {
    Plain(Out<'a>),
    Packed(Box<zstd::Encoder<'static, Out<'a>>>),
}

impl Write for Sink<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(out) => out.write(bytes),
            Self::Packed(out) => out.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(out) => out.flush(),
            Self::Packed(out) => out.flush(),
        }
    }
}

/// All files of a scenario, and the taps that fill them.
pub struct Captures<'a> {
    captures: Vec<Capture<'a>>,
    /// Each tap with the number of its file and of its interface there.
    taps: Vec<(Tap, usize, u32)>,
    frame: Vec<u8>,
}

/// The path of a tap's own file: `F.pcap.zst` becomes `F.NAME.pcap.zst`.
pub fn path_of(path: &Path, tap: &Tap) -> PathBuf {
    if !tap.apart {
        return path.to_owned();
    }
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or("capture.pcap");
    let (stem, end) = name.split_at(name.find(".pcap").unwrap_or(name.len()));
    path.with_file_name(format!("{stem}.{}{end}", tap.name))
}

impl<'a> Captures<'a> {
    /// Files beside each other, begun at `path`; `level` is zstd's, where they are packed.
    ///
    /// # Errors
    /// If one cannot be made.
    pub fn create(path: &Path, format: Format, level: i32, taps: Vec<Tap>) -> io::Result<Self> {
        Self::new(taps, format, level, |tap| {
            let file = File::create(path_of(path, tap))?;
            Ok(Box::new(BufWriter::with_capacity(1 << 20, file)))
        })
    }

    /// Everything into one stream, as pcap.
    ///
    /// # Errors
    /// If it cannot be written to.
    pub fn stream(out: &'a mut dyn Write, taps: Vec<Tap>) -> io::Result<Self> {
        let mut taps = taps;
        for tap in &mut taps {
            tap.apart = false;
        }
        let mut out = Some(out);
        Self::new(taps, Format { is_next: false, is_packed: false }, 0, |_| {
            let out = out.take().ok_or_else(|| io::Error::other("one stream is one file"))?;
            Ok(Box::new(BufWriter::with_capacity(1 << 20, out)))
        })
    }

    fn new(
        taps: Vec<Tap>,
        format: Format,
        level: i32,
        mut open: impl FnMut(&Tap) -> io::Result<Out<'a>>,
    ) -> io::Result<Self> {
        let mut captures: Vec<Capture<'a>> = Vec::new();
        let mut placed: Vec<(Tap, usize, u32)> = Vec::new();
        for tap in taps {
            let common = placed.iter().filter(|(other, ..)| !other.apart && !tap.apart);
            let interface = common.clone().count() as u32;
            let file = match common.map(|(_, file, _)| *file).next() {
                Some(file) => file,
                None => {
                    let out = open(&tap)?;
                    let out = if format.is_packed {
                        let mut encoder = zstd::Encoder::new(out, level)?;
                        encoder.include_checksum(true)?;
                        Sink::Packed(Box::new(encoder))
                    } else {
                        Sink::Plain(out)
                    };
                    captures.push(Capture { out, format, packets: 0, bytes: 0 });
                    captures.len() - 1
                }
            };
            placed.push((tap, file, interface));
        }
        for (number, capture) in captures.iter_mut().enumerate() {
            let taps: Vec<_> =
                placed.iter().filter(|(_, file, _)| *file == number).map(|(tap, ..)| tap).collect();
            capture.begin(&taps)?;
        }
        Ok(Self { captures, taps: placed, frame: Vec::with_capacity(2048) })
    }

    /// Lets every tap see a packet.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn pass(&mut self, passing: &Passing, payload: &[u8]) -> io::Result<()> {
        for (tap, file, interface) in &mut self.taps {
            let Some(length) = tap.show(passing, payload, &mut self.frame) else { continue };
            if let Some(capture) = self.captures.get_mut(*file) {
                capture.write(passing.ts, *interface, &self.frame, length)?;
            }
        }
        Ok(())
    }

    /// Completes the files; returns their packets and the bytes of these.
    ///
    /// # Errors
    /// If one cannot be written.
    pub fn finish(self) -> io::Result<(u64, u64)> {
        let mut total = (0, 0);
        for capture in self.captures {
            total.0 += capture.packets;
            total.1 += capture.bytes;
            match capture.out {
                Sink::Plain(mut out) => out.flush()?,
                Sink::Packed(encoder) => encoder.finish()?.flush()?,
            }
        }
        Ok(total)
    }
}

impl Capture<'_> {
    fn begin(&mut self, taps: &[&Tap]) -> io::Result<()> {
        let longest = taps.iter().map(|tap| tap.snap_length).max().unwrap_or(0);
        if !self.format.is_next {
            // Microseconds, version 2.4, time zone and accuracy 0, Ethernet.
            self.out.write_all(&0xa1b2_c3d4_u32.to_le_bytes())?;
            self.out.write_all(&[2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0])?;
            self.out.write_all(&longest.to_le_bytes())?;
            return self.out.write_all(&1u32.to_le_bytes());
        }
        // Section header (block type, length, byte order, version 1.0, length of the section unknown).
        let mut header = 0x1a2b_3c4d_u32.to_le_bytes().to_vec();
        header.extend_from_slice(&[1, 0, 0, 0]);
        header.extend_from_slice(&u64::MAX.to_le_bytes());
        self.block(0x0a0d_0d0a, &header)?;
        for tap in taps {
            // An interface: Ethernet, snap length, its name (option 2), nanoseconds (option 9).
            let mut body = vec![1, 0, 0, 0];
            body.extend_from_slice(&tap.snap_length.to_le_bytes());
            let name = tap.name.as_bytes();
            body.extend_from_slice(&[2, 0]);
            body.extend_from_slice(&(name.len() as u16).to_le_bytes());
            body.extend_from_slice(name);
            body.resize(body.len().next_multiple_of(4), 0);
            body.extend_from_slice(&[9, 0, 1, 0, 9, 0, 0, 0, 0, 0, 0, 0]);
            self.block(1, &body)?;
        }
        Ok(())
    }

    fn block(&mut self, kind: u32, body: &[u8]) -> io::Result<()> {
        let length = (12 + body.len()) as u32;
        self.out.write_all(&kind.to_le_bytes())?;
        self.out.write_all(&length.to_le_bytes())?;
        self.out.write_all(body)?;
        self.out.write_all(&length.to_le_bytes())
    }

    fn write(&mut self, ts: Timestamp, tap: u32, frame: &[u8], length: u32) -> io::Result<()> {
        self.packets += 1;
        self.bytes += u64::from(length);
        let nanos = u64::try_from(ts.as_nanos()).unwrap_or(0);
        let kept = frame.len() as u32;
        if self.format.is_next {
            let mut head = [0u8; 28];
            let padded = kept.next_multiple_of(4);
            let fields = [6, 32 + padded, tap, (nanos >> 32) as u32, nanos as u32, kept, length];
            for (room, field) in head.as_chunks_mut::<4>().0.iter_mut().zip(fields) {
                *room = field.to_le_bytes();
            }
            self.out.write_all(&head)?;
            self.out.write_all(frame)?;
            let padding = [0; 3];
            self.out.write_all(padding.get(..(padded - kept) as usize).unwrap_or_default())?;
            return self.out.write_all(&(32 + padded).to_le_bytes());
        }
        let mut head = [0u8; 16];
        let secs = u32::try_from(nanos / 1_000_000_000).unwrap_or(u32::MAX);
        let micros = (nanos % 1_000_000_000 / 1000) as u32;
        for (room, field) in
            head.as_chunks_mut::<4>().0.iter_mut().zip([secs, micros, kept, length])
        {
            *room = field.to_le_bytes();
        }
        self.out.write_all(&head)?;
        self.out.write_all(frame)
    }
}

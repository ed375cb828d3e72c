//! Capture files of a scenario: one, or one for each tap that wants its own.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use super::super::pcap::{PcapWriter, Resolution, SNAP_LENGTH};
use super::super::pcapng::PcapngWriter;
use super::super::sink::Sink;
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

/// Where a file goes.
type Out<'a> = Sink<Box<dyn Write + 'a>>;

/// One file.
struct Capture<'a> {
    writer: Writer<'a>,
    packets: u64,
    bytes: u64,
}

enum Writer<'a> {
    Pcap(PcapWriter<Out<'a>>),
    Pcapng(PcapngWriter<Out<'a>>),
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
        mut open: impl FnMut(&Tap) -> io::Result<Box<dyn Write + 'a>>,
    ) -> io::Result<Self> {
        let mut outs: Vec<Out<'a>> = Vec::new();
        let mut placed: Vec<(Tap, usize, u32)> = Vec::new();
        for tap in taps {
            let common = placed.iter().filter(|(other, ..)| !other.apart && !tap.apart);
            let interface = common.clone().count() as u32;
            let file = match common.map(|(_, file, _)| *file).next() {
                Some(file) => file,
                None => {
                    outs.push(Sink::new(open(&tap)?, format.is_packed.then_some(level))?);
                    outs.len() - 1
                }
            };
            placed.push((tap, file, interface));
        }
        let mut captures = Vec::with_capacity(outs.len());
        for (number, out) in outs.into_iter().enumerate() {
            let taps = placed.iter().filter(|(_, file, _)| *file == number).map(|(tap, ..)| tap);
            captures.push(Capture::begin(out, format, taps)?);
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
            match capture.writer {
                Writer::Pcap(writer) => writer.into_inner().finish()?,
                Writer::Pcapng(writer) => writer.into_inner().finish()?,
            }
        }
        Ok(total)
    }
}

impl<'a> Capture<'a> {
    /// A file that these taps fill.
    fn begin<'t>(
        out: Out<'a>,
        format: Format,
        taps: impl Iterator<Item = &'t Tap> + Clone,
    ) -> io::Result<Self> {
        let writer = if format.is_next {
            let interfaces = taps.map(|tap| (tap.name.as_str(), tap.snap_length));
            Writer::Pcapng(PcapngWriter::new(out, interfaces)?)
        } else {
            let longest = taps.map(|tap| tap.snap_length).max().unwrap_or(SNAP_LENGTH);
            Writer::Pcap(PcapWriter::new(out, Resolution::Micros, longest)?)
        };
        Ok(Self { writer, packets: 0, bytes: 0 })
    }

    fn write(&mut self, ts: Timestamp, tap: u32, frame: &[u8], length: u32) -> io::Result<()> {
        self.packets += 1;
        self.bytes += u64::from(length);
        match &mut self.writer {
            Writer::Pcap(writer) => writer.write(ts, frame, length),
            Writer::Pcapng(writer) => writer.write(ts, tap, frame, length),
        }
    }
}

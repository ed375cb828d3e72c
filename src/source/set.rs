//! Several capture files as one timeline: rotated captures one after the other, two taps side by side.
//!
//! [`CaptureSet::open`] looks at each file's first frame and closes it again. A file is opened for
//! good only when the timeline reaches that frame, so a directory of ten thousand rotated files has one
//! or two open at a time; where thousands overlap, only [`KEPT_OPEN`] keep their descriptors (see
//! [`DiskFile`]) and buffers shrink so that together they stay near [`BUFFERS`]. Frames are merged by
//! the times the files give, ties in the order of the inputs; a frame whose file runs backwards is
//! delivered at once, clamped to the latest time delivered, and counted.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::file::disk::DiskFile;
use super::file::{CaptureReader, Record};
use super::find::{Found, Kind, find};
use super::{Frame, InputReport, Next, Source, SourceError};
use crate::time::Timestamp;

/// Files that keep their descriptor while they are read; the usual limit of a process is 1024.
const KEPT_OPEN: usize = 256;
/// Bytes of buffer for one file, if there are few of them: a part of what the cache next to a core
/// holds, so that a packet is still there when its turn comes.
const BUFFER: usize = 1 << 17;
/// Bytes of buffer for all files together, as far as [`SMALLEST_BUFFER`] allows.
const BUFFERS: usize = 64 << 20;
/// Bytes of buffer for one file, however many there are.
const SMALLEST_BUFFER: usize = 16 << 10;

/// Capture files, merged by time.
#[derive(Debug)]
pub struct CaptureSet {
    inputs: Vec<Input>,
    /// Files not opened yet, the next one last.
    waiting: Vec<Turn>,
    /// Files being read, by the time of their next frame, except the one in `current`.
    open: BinaryHeap<Reverse<Turn>>,
    /// The input whose frame was delivered last.
    current: Option<u16>,
    /// Whose turn it is when `current` has no earlier frame.
    rival: Option<Turn>,
    latest: Timestamp,
    interfaces: Vec<String>,
    bytes_read: Arc<AtomicU64>,
    /// Bytes of all files; `None` if a stream without end is among them.
    bytes_total: Option<u64>,
}

/// When the next frame of an input is due; ties go to the input named first.
type Turn = (Timestamp, u16);

#[derive(Debug)]
struct Input {
    path: PathBuf,
    reader: Option<Box<CaptureReader>>,
    report: InputReport,
    /// Numbers over all inputs of the interfaces that this one has shown.
    interfaces: Vec<Option<u16>>,
}

impl CaptureSet {
    /// Opens capture files, directories of them, and standard input (`-`).
    ///
    /// In a directory, everything that is no capture is passed over; a file named by itself must be one.
    ///
    /// # Errors
    ///
    /// If an input cannot be read or is no capture, a directory holds none, standard input is named
    /// twice, or the inputs are more than 65,535.
    pub fn open(inputs: &[PathBuf]) -> Result<Self, SourceError> {
        if inputs.is_empty() {
            return Err(SourceError::NoInput);
        }
        let found = find(inputs, BUFFER)?;
        if found.len() > usize::from(u16::MAX) {
            return Err(SourceError::TooMany(found.len()));
        }
        let mut set = Self {
            inputs: Vec::with_capacity(found.len()),
            waiting: Vec::new(),
            open: BinaryHeap::new(),
            current: None,
            rival: None,
            latest: Timestamp::from_nanos(i64::MIN),
            interfaces: Vec::new(),
            bytes_read: Arc::default(),
            bytes_total: Some(0),
        };
        for (index, found) in (0..).zip(found) {
            set.add(index, found);
        }
        set.waiting.sort_by_key(|&turn| Reverse(turn));
        Ok(set)
    }

    /// Bytes read of the input files and bytes they have, packed ones as they lie on disk; `None` if
    /// the end of an input cannot be known, as with standard input.
    pub fn progress(&self) -> Option<(u64, u64)> {
        let total = self.bytes_total?;
        // Damaged files are not read to their end.
        if self.current.is_none() && self.open.is_empty() && self.waiting.is_empty() {
            return Some((total, total));
        }
        Some((self.bytes_read.load(Ordering::Relaxed).min(total), total))
    }

    fn add(&mut self, index: u16, found: Found) {
        let Found { path, kind } = found;
        let report = InputReport { name: path.display().to_string(), ..InputReport::default() };
        let mut input = Input { path, reader: None, report, interfaces: Vec::new() };
        match kind {
            Kind::File { size, first } => {
                self.bytes_total = self.bytes_total.map(|total| total.saturating_add(size));
                // A file without a frame has its turn at once, so that its damage is reported.
                self.waiting.push((first.unwrap_or(Timestamp::from_nanos(i64::MIN)), index));
            }
            Kind::Stream(mut reader) => {
                self.bytes_total = None;
                match reader.peek() {
                    Some(record) => self.open.push(Reverse((record.ts, index))),
                    None => input.close(&reader),
                }
                input.reader = Some(reader);
            }
        }
        self.inputs.push(input);
    }

    /// Goes to the next frame in time and says whose it is.
    #[inline]
    fn advance(&mut self) -> Option<u16> {
        if let Some(index) = self.current {
            let turn = self.inputs.get_mut(usize::from(index)).and_then(|input| input.turn(index));
            match (turn, self.rival) {
                (Some(_), None) => return Some(index),
                (Some(turn), Some(rival)) if turn <= rival => return Some(index),
                (Some(turn), Some(_)) => self.open.push(Reverse(turn)),
                (None, _) => {}
            }
        }
        self.change_over()
    }

    /// Finds the input whose turn it is, opening files that have become due.
    #[cold]
    fn change_over(&mut self) -> Option<u16> {
        loop {
            let first_open = self.open.peek().map(|&Reverse(turn)| turn);
            match self.waiting.last() {
                Some(&due) if first_open.is_none_or(|first| due <= first) => {
                    self.waiting.pop();
                    self.begin(due.1);
                }
                _ => break,
            }
        }
        self.current = self.open.pop().map(|Reverse((_, index))| index);
        let first_open = self.open.peek().map(|&Reverse(turn)| turn);
        let first_waiting = self.waiting.last().copied();
        self.rival = first_open.into_iter().chain(first_waiting).min();
        self.current
    }

    fn begin(&mut self, index: u16) {
        let open = self.open.len();
        let buffer = (BUFFERS / (open + 1)).clamp(SMALLEST_BUFFER, BUFFER);
        let Some(input) = self.inputs.get_mut(usize::from(index)) else { return };
        let counter = Arc::clone(&self.bytes_read);
        let disk = DiskFile::open(input.path.clone(), open < KEPT_OPEN, Some(counter));
        let reader = disk.map_err(|error| error.to_string()).and_then(|disk| {
            CaptureReader::new(Box::new(disk), buffer)
                .map_err(|_| "it is no capture any more".to_owned())
        });
        match reader {
            Ok(reader) => {
                input.reader = Some(Box::new(reader));
                if let Some(turn) = input.turn(index) {
                    self.open.push(Reverse(turn));
                }
            }
            Err(why) => {
                input.report.damage =
                    Some(format!("it could be read at first, but then not: {why}"));
            }
        }
    }

    /// The number over all inputs of an interface, given out in the order of first appearance.
    #[inline]
    fn interface_number(&mut self, index: u16, local: u32) -> u16 {
        let known = self
            .inputs
            .get(usize::from(index))
            .and_then(|input| *input.interfaces.get(local as usize)?);
        known.unwrap_or_else(|| self.new_interface(index, local))
    }

    #[cold]
    fn new_interface(&mut self, index: u16, local: u32) -> u16 {
        let Some(input) = self.inputs.get_mut(usize::from(index)) else { return u16::MAX };
        // Beyond what a frame can number, all further interfaces share the last number.
        let number = u16::try_from(self.interfaces.len()).unwrap_or(u16::MAX);
        let name = match input.reader.as_ref().and_then(|reader| reader.interface_name(local)) {
            Some(name) => format!("{name} of {}", input.report.name),
            None => input.report.name.clone(),
        };
        if self.interfaces.len() <= usize::from(u16::MAX) {
            self.interfaces.push(name);
        }
        let local = local as usize;
        if input.interfaces.len() <= local {
            input.interfaces.resize(local + 1, None);
        }
        if let Some(slot) = input.interfaces.get_mut(local) {
            *slot = Some(number);
        }
        number
    }
}

impl Input {
    /// When the next frame is due; closes the file after its last one.
    #[inline]
    fn turn(&mut self, index: u16) -> Option<Turn> {
        let next = self.reader.as_mut()?.peek();
        if let Some(record) = next {
            return Some((record.ts, index));
        }
        if let Some(reader) = self.reader.take() {
            self.close(&reader);
        }
        None
    }

    fn close(&mut self, reader: &CaptureReader) {
        self.report.damage = reader.damage().map(str::to_owned);
        let drops = reader.drops();
        self.report.kernel_drops = drops.kernel;
        self.report.interface_drops = drops.interface;
    }
}

impl Source for CaptureSet {
    fn next<'a>(&'a mut self, most: usize, frames: &mut Vec<Frame<'a>>) -> Next {
        let Some(index) = self.advance() else { return Next::End };
        let slot = usize::from(index);
        let next = |input: &mut Input| input.reader.as_mut().and_then(|reader| reader.peek());
        let Some(first) = self.inputs.get_mut(slot).and_then(next) else { return Next::End };
        let interface = self.interface_number(index, first.interface);
        let Self { inputs, rival, latest, .. } = self;
        let Some(input) = inputs.get_mut(slot) else { return Next::End };
        let (Some(reader), report) = (&mut input.reader, &mut input.report) else {
            return Next::End;
        };
        let run = reader.gather(most);
        let is_due = |record: &Record| rival.is_none_or(|rival| (record.ts, index) <= rival);
        let belongs = |record: &Record| record.interface == first.interface && is_due(record);
        // The first one is due, whatever the others say.
        let count = run.iter().skip(1).take_while(|record| belongs(record)).count() + 1;
        reader.take(count);
        let reader = &*reader;
        for record in reader.taken(count) {
            frames.push(Frame {
                ts: report.count(record.ts, record.len(), latest),
                link: record.link,
                input: index,
                interface,
                wire_len: record.wire_len,
                data: reader.data(*record),
            });
        }
        Next::Frames
    }

    fn inputs(&self) -> Vec<InputReport> {
        let report = |input: &Input| {
            let mut report = input.report.clone();
            if let Some(reader) = &input.reader {
                let drops = reader.drops();
                report.kernel_drops = drops.kernel;
                report.interface_drops = drops.interface;
            }
            report
        };
        self.inputs.iter().map(report).collect()
    }

    fn interface_name(&self, interface: u16) -> String {
        let name = self.interfaces.get(usize::from(interface)).cloned();
        name.unwrap_or_else(|| format!("interface {interface}"))
    }
}

#[cfg(test)]
mod tests;

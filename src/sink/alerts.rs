//! The alert file: JSON lines, one write an alert, by a thread of its own, so that a slow disk
//! never holds up detection.
//!
//! A line that cannot be written (full disk, read-only file system) waits in memory and is tried
//! again; what does not fit there is counted as lost and logged once a minute. A write that only
//! half succeeds is taken back, so a reader never meets a torn line.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError, bounded};
use tracing::{error, info};

use crate::incident::Alert;

/// Lines between detection and the writer; an alert is about 2 KiB, so 2 MiB at most.
const QUEUE: usize = 1024;

/// Lines that wait for a disk that does not take them; beyond, the oldest is lost.
const PENDING: usize = 4096;

/// How long to wait before a disk that refused is tried again.
const RETRY: Duration = Duration::from_secs(5);

/// How often the same trouble is worth a line in the log.
const COMPLAINT: Duration = Duration::from_mins(1);

/// Somewhere that alerts are delivered to.
pub trait AlertSink: Send {
    /// Takes one alert; `line` is its JSON object without a line feed, rendered once for all sinks.
    /// Never waits: what cannot be taken is counted by the sink.
    fn deliver(&self, alert: &Alert, line: &Arc<str>);
}

/// Why the alert file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AlertLogError {
    /// The file cannot be opened for appending.
    #[error("cannot open the alert file {path} for appending")]
    Open {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The writer's thread cannot be started.
    #[error("cannot start the thread that writes alerts")]
    Thread(#[source] io::Error),
}

/// What became of the lines.
#[derive(Debug, Default)]
pub struct AlertLogCounters {
    written: AtomicU64,
    errors: AtomicU64,
    lost: AtomicU64,
    pending: AtomicU64,
}

impl AlertLogCounters {
    /// Lines in the file.
    pub fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// Writes that failed; each line is tried again.
    pub fn errors(&self) -> u64 {
        self.errors.load(Ordering::Relaxed)
    }

    /// Lines that will never be in the file.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Lines that wait for the disk.
    pub fn pending(&self) -> u64 {
        self.pending.load(Ordering::Relaxed)
    }
}

enum Message {
    Line(Arc<str>),
    Reopen,
    Close,
}

/// The alert file and the thread that writes it.
#[derive(Debug)]
pub struct AlertLog {
    queue: AlertQueue,
    writer: JoinHandle<()>,
}

impl AlertLog {
    /// Opens `path` for appending, creating it readable by owner and group only, and starts the
    /// writer.
    pub fn open(path: &Path) -> Result<Self, AlertLogError> {
        let counters = Arc::new(AlertLogCounters::default());
        let file = LineFile::open(path, Arc::clone(&counters))?;
        let (sender, receiver) = bounded(QUEUE);
        let writer = std::thread::Builder::new()
            .name("alerts".to_owned())
            .spawn(move || file.serve(&receiver))
            .map_err(AlertLogError::Thread)?;
        Ok(Self { queue: AlertQueue { sender, counters }, writer })
    }

    /// A handle to deliver alerts with.
    pub fn queue(&self) -> AlertQueue {
        self.queue.clone()
    }

    /// Writes everything that still waits, asks the disk to keep it, and ends the writer.
    pub fn close(self) {
        let Self { queue, writer } = self;
        if queue.sender.send(Message::Close).is_err() || writer.join().is_err() {
            error!("the thread that writes alerts ended early");
        }
    }
}

/// A handle to the alert file.
#[derive(Clone, Debug)]
pub struct AlertQueue {
    sender: Sender<Message>,
    counters: Arc<AlertLogCounters>,
}

impl AlertQueue {
    /// Opens the file anew, after it was rotated away.
    pub fn reopen(&self) {
        if self.sender.send(Message::Reopen).is_err() {
            error!("the thread that writes alerts has ended");
        }
    }

    /// What became of the lines so far.
    pub fn counters(&self) -> Arc<AlertLogCounters> {
        Arc::clone(&self.counters)
    }

    fn push(&self, line: Arc<str>) {
        match self.sender.try_send(Message::Line(line)) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.counters.lost.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

impl AlertSink for AlertQueue {
    fn deliver(&self, _: &Alert, line: &Arc<str>) {
        self.push(Arc::clone(line));
    }
}

/// The file as its one writer sees it.
#[derive(Debug)]
struct LineFile {
    path: PathBuf,
    file: File,
    /// Whether the file ends within a line that could not be taken back.
    torn: bool,
    pending: VecDeque<Arc<str>>,
    counters: Arc<AlertLogCounters>,
    complained: Option<Instant>,
}

impl LineFile {
    fn open(path: &Path, counters: Arc<AlertLogCounters>) -> Result<Self, AlertLogError> {
        let file = append_to(path)
            .map_err(|source| AlertLogError::Open { path: path.to_owned(), source })?;
        Ok(Self {
            path: path.to_owned(),
            file,
            torn: false,
            pending: VecDeque::new(),
            counters,
            complained: None,
        })
    }

    fn serve(mut self, messages: &Receiver<Message>) {
        loop {
            let message = if self.pending.is_empty() {
                messages.recv().map_err(|_| RecvTimeoutError::Disconnected)
            } else {
                messages.recv_timeout(RETRY)
            };
            match message {
                Ok(Message::Line(line)) => self.append(line),
                Ok(Message::Reopen) => self.reopen(),
                Err(RecvTimeoutError::Timeout) => self.flush(),
                Ok(Message::Close) | Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        self.finish();
    }

    fn append(&mut self, line: Arc<str>) {
        self.pending.push_back(line);
        if self.pending.len() > PENDING {
            self.pending.pop_front();
            self.counters.lost.fetch_add(1, Ordering::Relaxed);
        }
        self.flush();
    }

    /// Writes what waits, in order, until the disk refuses.
    fn flush(&mut self) {
        while let Some(line) = self.pending.front() {
            match write_line(&mut self.file, line, &mut self.torn) {
                Ok(()) => {
                    self.pending.pop_front();
                    self.counters.written.fetch_add(1, Ordering::Relaxed);
                }
                Err(trouble) => {
                    self.counters.errors.fetch_add(1, Ordering::Relaxed);
                    self.complain(&trouble);
                    break;
                }
            }
        }
        self.counters.pending.store(self.pending.len() as u64, Ordering::Relaxed);
    }

    fn reopen(&mut self) {
        match append_to(&self.path) {
            Ok(file) => {
                self.file = file;
                self.torn = false;
                info!(path = %self.path.display(), "opened the alert file anew");
            }
            Err(trouble) => error!(
                path = %self.path.display(), %trouble,
                "cannot open the alert file anew; writing on into the old one"
            ),
        }
        self.flush();
    }

    fn finish(&mut self) {
        self.flush();
        if !self.pending.is_empty() {
            let lost = self.pending.len() as u64;
            self.counters.lost.fetch_add(lost, Ordering::Relaxed);
            error!(path = %self.path.display(), lost, "the disk did not take the last alerts");
        }
        // A pipe or device has nothing to synchronise, and says so.
        if let Err(trouble) = self.file.sync_data()
            && trouble.kind() != io::ErrorKind::InvalidInput
        {
            error!(path = %self.path.display(), %trouble, "cannot sync the alert file");
        }
    }

    fn complain(&mut self, trouble: &io::Error) {
        #[expect(clippy::disallowed_methods, reason = "an edge: limits log lines by wall time")]
        let now = Instant::now();
        if self.complained.is_none_or(|last| now.duration_since(last) >= COMPLAINT) {
            self.complained = Some(now);
            error!(
                path = %self.path.display(), %trouble, pending = self.pending.len(),
                lost = self.counters.lost(), "cannot write alerts; they wait in memory"
            );
        }
    }
}

fn append_to(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o640).open(path)
}

/// Writes one line with one system call, or nothing.
fn write_line(file: &mut File, line: &str, torn: &mut bool) -> io::Result<()> {
    let mut bytes = Vec::with_capacity(line.len() + 2);
    if *torn {
        bytes.push(b'\n');
    }
    bytes.extend_from_slice(line.as_bytes());
    bytes.push(b'\n');
    let before = file.metadata()?.len();
    let written = file.write(&bytes)?;
    if written < bytes.len() {
        *torn = file.set_len(before).is_err();
        return Err(io::Error::new(io::ErrorKind::StorageFull, "the disk took half a line"));
    }
    *torn = false;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(path: &Path) -> Vec<String> {
        std::fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect()
    }

    #[test]
    fn appends_and_outlives_rotation() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("alerts.jsonl");
        std::fs::write(&path, "{\"n\":0}\n").unwrap();
        let log = AlertLog::open(&path).unwrap();
        let queue = log.queue();

        queue.push("{\"n\":1}".into());
        while queue.counters().written() < 1 {
            std::thread::yield_now();
        }
        let rotated = folder.path().join("alerts.jsonl.1");
        std::fs::rename(&path, &rotated).unwrap();
        queue.reopen();
        queue.push("{\"n\":2}".into());
        log.close();

        assert_eq!(lines(&rotated), ["{\"n\":0}", "{\"n\":1}"]);
        assert_eq!(lines(&path), ["{\"n\":2}"]);
    }

    #[test]
    fn keeps_alerts_while_the_disk_is_full_and_writes_them_after() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("alerts.jsonl");
        // The kernel's device whose every write fails with ENOSPC.
        std::os::unix::fs::symlink("/dev/full", &path).unwrap();
        let counters = Arc::new(AlertLogCounters::default());
        let mut file = LineFile::open(&path, Arc::clone(&counters)).unwrap();

        file.append("{\"n\":1}".into());
        file.append("{\"n\":2}".into());
        assert_eq!((counters.written(), counters.pending(), counters.lost()), (0, 2, 0));
        std::fs::remove_file(&path).unwrap();
        file.reopen();

        assert_eq!(lines(&path), ["{\"n\":1}", "{\"n\":2}"]);
        assert_eq!((counters.written(), counters.pending()), (2, 0));
    }

    #[test]
    fn forgets_the_oldest_when_too_many_wait() {
        let counters = Arc::new(AlertLogCounters::default());
        let mut file = LineFile::open(Path::new("/dev/full"), Arc::clone(&counters)).unwrap();

        for n in 0..PENDING + 3 {
            file.append(n.to_string().into());
        }

        assert_eq!(counters.lost(), 3);
        assert_eq!(file.pending.front().map(AsRef::as_ref), Some("3"));
    }

    #[test]
    fn says_which_file_cannot_be_opened() {
        let trouble = AlertLog::open(Path::new("/nonexistent/alerts.jsonl")).unwrap_err();

        assert!(trouble.to_string().contains("/nonexistent/alerts.jsonl"));
    }
}

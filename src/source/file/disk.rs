//! A file on disk that may let go of its descriptor between reads.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Reads a regular file from its beginning.
///
/// Captures of thousands of hosts can all overlap in time, so all of them are in the middle of being
/// read at once. Those beyond what a process may keep open are opened anew for each buffer-full,
/// which costs microseconds and keeps the timeline right.
#[derive(Debug)]
pub(in crate::source) struct DiskFile {
    path: PathBuf,
    file: Option<File>,
    keep_open: bool,
    position: u64,
    /// Bytes read of all files, for a progress bar.
    read: Option<Arc<AtomicU64>>,
}

impl DiskFile {
    /// Opens `path`, keeping its descriptor or not, and counts what is read in `read`.
    pub(in crate::source) fn open(
        path: PathBuf,
        keep_open: bool,
        read: Option<Arc<AtomicU64>>,
    ) -> io::Result<Self> {
        let file = Some(File::open(&path)?);
        Ok(Self { path, file, keep_open, position: 0, read })
    }
}

impl Read for DiskFile {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let mut file = match self.file.take() {
            Some(file) => file,
            None => {
                let mut file = File::open(&self.path)?;
                file.seek(SeekFrom::Start(self.position))?;
                file
            }
        };
        let count = file.read(buf)?;
        self.position += count as u64;
        if let Some(read) = &self.read {
            read.fetch_add(count as u64, Ordering::Relaxed);
        }
        if self.keep_open {
            self.file = Some(file);
        }
        Ok(count)
    }
}

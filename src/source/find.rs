//! Finds the capture files that a person means by the inputs named.

use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};

use super::SourceError;
use super::file::disk::DiskFile;
use super::file::{CaptureReader, Unreadable};
use crate::time::Timestamp;

/// What it takes to see a file's first record, short of a large one.
const PROBE_BUFFER: usize = 16 << 10;

/// An input before it is read.
#[derive(Debug)]
pub(super) struct Found {
    /// Where it is; `-` is standard input.
    pub(super) path: PathBuf,
    pub(super) kind: Kind,
}

/// What kind of input it is.
#[derive(Debug)]
pub(super) enum Kind {
    /// Can be opened again: its size and the time of its first frame.
    File { size: u64, first: Option<Timestamp> },
    /// Standard input or a pipe, which can be read only once and is being read.
    Stream(Box<CaptureReader>),
}

/// Looks at every input in the order given; a directory stands for the capture files in it and below
/// it, sorted by path.
pub(super) fn find(inputs: &[PathBuf], buffer: usize) -> Result<Vec<Found>, SourceError> {
    let mut found = Vec::new();
    let mut stdin_taken = false;
    for path in inputs {
        if path.as_os_str() == "-" {
            if std::mem::replace(&mut stdin_taken, true) {
                return Err(SourceError::StdinTwice);
            }
            let reader = CaptureReader::new(Box::new(io::stdin()), buffer)
                .map_err(|why| refuse(path, why))?;
            found.push(stream(path, reader));
            continue;
        }
        let about = fs::metadata(path).map_err(|source| unreadable(path, source))?;
        if about.is_dir() {
            let before = found.len();
            walk(path, &mut found)?;
            if found.len() == before {
                return Err(SourceError::NothingInside(path.clone()));
            }
        } else if about.is_file() {
            found.push(probe(path, &about)?.map_err(|why| refuse(path, why))?.0);
        } else {
            let file = fs::File::open(path).map_err(|source| unreadable(path, source))?;
            let reader =
                CaptureReader::new(Box::new(file), buffer).map_err(|why| refuse(path, why))?;
            found.push(stream(path, reader));
        }
    }
    Ok(found)
}

fn stream(path: &Path, reader: CaptureReader) -> Found {
    Found { path: path.to_owned(), kind: Kind::Stream(Box::new(reader)) }
}

/// Adds the captures in a directory. Links to directories are not followed, since they can form
/// loops; what is neither file nor directory is passed over.
fn walk(directory: &Path, found: &mut Vec<Found>) -> Result<(), SourceError> {
    let mut pending = vec![directory.to_owned()];
    let mut files = Vec::new();
    while let Some(directory) = pending.pop() {
        let entries = fs::read_dir(&directory).map_err(|source| unreadable(&directory, source))?;
        for entry in entries {
            let entry = entry.map_err(|source| unreadable(&directory, source))?;
            let path = entry.path();
            let kind = entry.file_type().map_err(|source| unreadable(&path, source))?;
            if kind.is_dir() {
                pending.push(path);
            } else {
                files.push(path);
            }
        }
    }
    files.sort();
    for path in files {
        // A link that leads nowhere is no capture.
        let Ok(about) = fs::metadata(&path) else { continue };
        if !about.is_file() || about.len() == 0 {
            continue;
        }
        match probe(&path, &about)? {
            Ok((_, true)) | Err(Unreadable::NotACapture(..)) => {}
            Ok((file, false)) => found.push(file),
            Err(why @ Unreadable::Io(_)) => return Err(refuse(&path, why)),
        }
    }
    Ok(())
}

/// Reads up to a file's first frame; the flag says that the file ends before it says what it is.
fn probe(path: &Path, about: &Metadata) -> Result<Result<(Found, bool), Unreadable>, SourceError> {
    let file =
        DiskFile::open(path.to_owned(), true, None).map_err(|source| unreadable(path, source))?;
    let mut reader = match CaptureReader::new(Box::new(file), PROBE_BUFFER) {
        Ok(reader) => reader,
        Err(why) => return Ok(Err(why)),
    };
    let first = reader.peek().map(|record| record.ts);
    let kind = Kind::File { size: about.len(), first };
    Ok(Ok((Found { path: path.to_owned(), kind }, reader.is_blank())))
}

fn unreadable(path: &Path, source: io::Error) -> SourceError {
    SourceError::Unreadable { path: path.to_owned(), source }
}

fn refuse(path: &Path, why: Unreadable) -> SourceError {
    let path = path.to_owned();
    match why {
        Unreadable::Io(source) => SourceError::Unreadable { path, source },
        Unreadable::NotACapture(what, advice) => SourceError::NotACapture { path, what, advice },
    }
}

//! Events as files: JSON lines, a file a kind, as Zeek lays out its logs.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use crate::event::{Event, Line};

/// Why events could not be written.
#[derive(Debug, thiserror::Error)]
pub enum EventsError {
    /// The directory cannot be made.
    #[error("cannot create the directory {}", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A log cannot be opened or written.
    #[error("cannot write {}", path.display())]
    Log {
        /// The log.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// Writes events to `DIR/conn.log`, `DIR/arp.log` and so on; a log is created with its first event.
#[derive(Debug)]
pub struct EventWriter {
    dir: PathBuf,
    logs: Vec<Log>,
}

#[derive(Debug)]
struct Log {
    kind: &'static str,
    path: PathBuf,
    file: BufWriter<File>,
}

impl EventWriter {
    /// Writes into `dir`, which is made if it is missing. Logs of an earlier run are replaced.
    ///
    /// # Errors
    ///
    /// If the directory cannot be made.
    pub fn create(dir: &Path) -> Result<Self, EventsError> {
        std::fs::create_dir_all(dir)
            .map_err(|source| EventsError::Directory { path: dir.to_owned(), source })?;
        Ok(Self { dir: dir.to_owned(), logs: Vec::new() })
    }

    /// Writes `event`; `is_local` tells which addresses are the site's own.
    ///
    /// # Errors
    ///
    /// If the log cannot be created or written.
    pub fn write(
        &mut self,
        event: &Event,
        is_local: &dyn Fn(IpAddr) -> bool,
    ) -> Result<(), EventsError> {
        let log = self.log(event.kind())?;
        serde_json::to_writer(&mut log.file, &Line { event, is_local })
            .map_err(io::Error::from)
            .and_then(|()| log.file.write_all(b"\n"))
            .map_err(|source| EventsError::Log { path: log.path.clone(), source })
    }

    /// Writes what is buffered.
    ///
    /// # Errors
    ///
    /// If a log cannot be written.
    pub fn flush(&mut self) -> Result<(), EventsError> {
        for log in &mut self.logs {
            log.file
                .flush()
                .map_err(|source| EventsError::Log { path: log.path.clone(), source })?;
        }
        Ok(())
    }

    fn log(&mut self, kind: &'static str) -> Result<&mut Log, EventsError> {
        let place = match self.logs.iter().position(|log| log.kind == kind) {
            Some(place) => place,
            None => {
                let path = self.dir.join(format!("{kind}.log"));
                let file = File::create(&path)
                    .map_err(|source| EventsError::Log { path: path.clone(), source })?;
                self.logs.push(Log { kind, path, file: BufWriter::with_capacity(1 << 16, file) });
                self.logs.len() - 1
            }
        };
        let place = self.logs.get_mut(place);
        Ok(place.expect("the log was found or has just been added"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Body, Weird};
    use crate::time::Timestamp;

    fn weird(secs: i64) -> Event {
        Event {
            ts: Timestamp::from_secs(secs),
            packet: 1,
            conversation: None,
            body: Body::Weird(Weird { name: "odd", src: None, dst: None }),
        }
    }

    #[test]
    fn makes_a_file_for_each_kind_that_occurs() {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = EventWriter::create(&dir.path().join("events")).unwrap();

        writer.write(&weird(1), &|_| true).unwrap();
        writer.write(&weird(2), &|_| true).unwrap();
        writer.flush().unwrap();

        let names: Vec<_> = std::fs::read_dir(dir.path().join("events"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        let text = std::fs::read_to_string(dir.path().join("events/weird.log")).unwrap();
        assert_eq!(names, ["weird.log"]);
        assert_eq!(text, "{\"ts\":1.0,\"name\":\"odd\"}\n{\"ts\":2.0,\"name\":\"odd\"}\n");
    }

    #[test]
    fn names_the_path_that_cannot_be_written() {
        let dir = tempfile::tempdir().unwrap();
        let blocked = dir.path().join("file");
        std::fs::write(&blocked, "").unwrap();

        let error = EventWriter::create(&blocked).unwrap_err();

        assert!(error.to_string().contains("file"), "{error}");
    }
}

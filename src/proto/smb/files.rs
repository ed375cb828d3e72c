//! Files and pipes that are open, and what crosses in them.

use crate::event::SmbFiles;
use crate::proto::dce_rpc::Association;
use crate::proto::file::FileWatch;
use crate::proto::{Dissector, Findings, Role};
use crate::time::Timestamp;

/// What is open under a handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A file, or something that was opened before the capture began.
    File,
    Pipe,
    Printer,
}

/// What is done with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Open,
    Read,
    Write,
    Close,
}

impl Kind {
    /// The word for `verb` in Zeek's `action` field.
    pub(super) const fn action(self, verb: Verb) -> &'static str {
        match (self, verb) {
            (Self::File, Verb::Open) => "SMB::FILE_OPEN",
            (Self::File, Verb::Read) => "SMB::FILE_READ",
            (Self::File, Verb::Write) => "SMB::FILE_WRITE",
            (Self::File, Verb::Close) => "SMB::FILE_CLOSE",
            (Self::Pipe, Verb::Open) => "SMB::PIPE_OPEN",
            (Self::Pipe, Verb::Read) => "SMB::PIPE_READ",
            (Self::Pipe, Verb::Write) => "SMB::PIPE_WRITE",
            (Self::Pipe, Verb::Close) => "SMB::PIPE_CLOSE",
            (Self::Printer, Verb::Open) => "SMB::PRINT_OPEN",
            (Self::Printer, Verb::Read) => "SMB::PRINT_READ",
            (Self::Printer, Verb::Write) => "SMB::PRINT_WRITE",
            (Self::Printer, Verb::Close) => "SMB::PRINT_CLOSE",
        }
    }
}

/// Something open.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) kind: Kind,
    /// What every record about it says.
    pub(super) record: SmbFiles,
    /// Its calls, if it is a pipe that carries some.
    rpc: Option<Box<Association>>,
    up: Transfer,
    down: Transfer,
}

/// What crosses in one direction.
#[derive(Debug, Default)]
struct Transfer {
    watch: Option<Box<FileWatch>>,
    /// Where in the file the bytes that pass now belong.
    at: u64,
    /// Behind the last byte that was watched.
    next: u64,
    /// Bytes that were asked for or sent.
    total: u64,
    size: Option<u64>,
}

impl Open {
    pub(super) fn new(kind: Kind, record: SmbFiles) -> Self {
        let size = (record.size > 0).then_some(record.size);
        let down = Transfer { size, ..Transfer::default() };
        Self { kind, record, rpc: None, up: Transfer::default(), down }
    }

    /// Whether it is held for its calls.
    pub(super) const fn has_calls(&self) -> bool {
        self.rpc.is_some()
    }

    /// The client says how large the file is going to be.
    pub(super) const fn will_have(&mut self, size: u64) {
        self.up.size = Some(size);
    }

    /// Bytes of `sender` are going to pass that belong at `offset`; the first time this happens to
    /// a file that has a name, it is told.
    pub(super) fn begin(&mut self, sender: Role, offset: u64, length: u64, out: &mut Findings) {
        let (kind, verb) =
            (self.kind, if sender == Role::Client { Verb::Write } else { Verb::Read });
        let transfer = self.transfer(sender);
        transfer.at = offset;
        let is_first = transfer.total == 0;
        transfer.total = transfer.total.saturating_add(length);
        if is_first && length > 0 && kind != Kind::Pipe && self.record.name.is_some() {
            out.say(SmbFiles {
                action: kind.action(verb),
                data_offset_req: Some(offset),
                data_len_req: Some(length),
                ..self.record.clone()
            });
        }
    }

    /// Bytes of `sender` pass.
    pub(super) fn on_bytes(
        &mut self,
        at: Timestamp,
        sender: Role,
        bytes: &[u8],
        out: &mut Findings,
    ) {
        if self.kind == Kind::File && self.record.name.is_none() && Association::begins(bytes) {
            // Opened before the capture began; what passes gives it away.
            self.kind = Kind::Pipe;
        }
        if self.kind == Kind::Pipe {
            let name = self.record.name.as_deref();
            let rpc = self.rpc.get_or_insert_with(|| Box::new(Association::over_pipe(name)));
            rpc.on_data(at, sender, bytes, out);
            return;
        }
        let name = self.record.name.clone();
        self.transfer(sender)
            .on_bytes(bytes, || FileWatch::new("SMB", name).by_client(sender == Role::Client));
    }

    /// Bytes of `sender` should have passed and did not come.
    pub(super) fn on_missing(&mut self, sender: Role, bytes: u64) {
        if let Some(rpc) = &mut self.rpc {
            rpc.on_gap(sender, bytes);
        }
        let transfer = self.transfer(sender);
        transfer.at = transfer.at.saturating_add(bytes);
    }

    /// It is closed, or forgotten.
    pub(super) fn close(mut self, at: Timestamp, out: &mut Findings) {
        self.stop_calls(at, out);
        let (written, read) = (self.up.total, self.down.total);
        for transfer in [self.up, self.down] {
            if let Some(mut watch) = transfer.watch {
                if let Some(size) = transfer.size {
                    watch.set_total(size);
                }
                out.say(watch.finish());
            }
        }
        if (written > 0 || read > 0) && self.kind != Kind::Pipe && self.record.name.is_some() {
            out.say(SmbFiles {
                action: self.kind.action(Verb::Close),
                bytes_written: (written > 0).then_some(written),
                bytes_read: (read > 0).then_some(read),
                ..self.record
            });
        }
    }

    /// Follows its calls no longer.
    pub(super) fn stop_calls(&mut self, at: Timestamp, out: &mut Findings) {
        if let Some(mut rpc) = self.rpc.take() {
            rpc.on_end(at, out);
        }
    }

    /// Bytes held on the heap.
    pub(super) fn heap_bytes(&self) -> usize {
        let texts = [
            &self.record.path,
            &self.record.name,
            &self.record.prev_name,
            &self.record.access,
            &self.record.username,
        ];
        texts.into_iter().flatten().map(String::capacity).sum::<usize>()
            + self.rpc.as_ref().map_or(0, |rpc| rpc.bytes())
            + self.up.heap_bytes()
            + self.down.heap_bytes()
    }

    const fn transfer(&mut self, sender: Role) -> &mut Transfer {
        match sender {
            Role::Client => &mut self.up,
            Role::Server => &mut self.down,
        }
    }
}

impl Transfer {
    /// Takes bytes that belong where the last ones ended. What was watched already is not watched
    /// again: requests overtake each other, and parts of a file are read twice.
    fn on_bytes(&mut self, bytes: &[u8], start: impl FnOnce() -> FileWatch) {
        let known = usize::try_from(self.next.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let before = self.at;
        self.at = self.at.saturating_add(bytes.len() as u64);
        let fresh = bytes.get(known..).unwrap_or_default();
        if fresh.is_empty() {
            return;
        }
        let watch = self.watch.get_or_insert_with(|| Box::new(start()));
        if before > self.next {
            watch.on_gap(before - self.next);
        }
        watch.on_bytes(fresh);
        self.next = self.at;
    }

    fn heap_bytes(&self) -> usize {
        self.watch.as_ref().map_or(0, |watch| size_of::<FileWatch>() + watch.heap_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Record;

    const NOW: Timestamp = Timestamp::from_secs(0);

    fn open(name: Option<&str>) -> Open {
        let record = SmbFiles { name: name.map(str::to_owned), ..SmbFiles::default() };
        Open::new(Kind::File, record)
    }

    #[test]
    fn a_file_is_told_when_its_first_bytes_come_and_when_it_is_closed() {
        let mut out = Findings::default();
        let mut open = open(Some("a.exe"));
        for (offset, bytes) in [(0, b"MZ.."), (4, b"rest")] {
            open.begin(Role::Client, offset, 4, &mut out);
            open.on_bytes(NOW, Role::Client, bytes, &mut out);
        }
        open.close(NOW, &mut out);

        let [Record::SmbFiles(write), Record::Files(file), Record::SmbFiles(close)] =
            &out.records[..]
        else {
            panic!("{out:?}")
        };
        assert_eq!((write.action, write.data_len_req), ("SMB::FILE_WRITE", Some(4)));
        assert_eq!((file.seen_bytes, file.missing_bytes, file.is_orig), (8, 0, true));
        assert_eq!(file.mime_type, Some("application/x-dosexec"));
        assert_eq!((close.action, close.bytes_written), ("SMB::FILE_CLOSE", Some(8)));
    }

    #[test]
    fn parts_that_are_missing_or_come_twice_are_no_content() {
        let mut out = Findings::default();
        let mut open = open(Some("a"));
        for (offset, bytes) in [(0, b"abcd"), (2, b"cdef"), (10, b"klmn"), (0, b"abcd")] {
            open.begin(Role::Server, offset, 4, &mut out);
            open.on_bytes(NOW, Role::Server, bytes, &mut out);
        }
        open.close(NOW, &mut out);

        let file = out.records.iter().find_map(|record| match record {
            Record::Files(file) => Some(file),
            _ => None,
        });
        let file = file.unwrap();
        assert_eq!((file.seen_bytes, file.missing_bytes), (10, 4));
    }

    #[test]
    fn what_passes_tells_that_an_unnamed_handle_is_a_pipe() {
        let mut out = Findings::default();
        let mut open = open(None);
        let bind = [5, 0, 11, 3, 0x10, 0, 0, 0, 72, 0, 0, 0, 1, 0, 0, 0];

        open.begin(Role::Client, 0, 16, &mut out);
        open.on_bytes(NOW, Role::Client, &bind, &mut out);

        assert_eq!(open.kind, Kind::Pipe);
        assert!(open.has_calls() && out.records.is_empty());
    }
}

//! An FTP data connection: all of it is one file, or a listing.

use crate::event::Files;
use crate::proto::file::FileWatch;
use crate::proto::{Dissector, Findings, Role};
use crate::time::Timestamp;

/// Watches what crosses.
#[derive(Debug, Default)]
pub(in crate::proto) struct Dissection {
    name: Option<String>,
    file: Option<FileWatch>,
}

impl Dissector for Dissection {
    fn on_announced(&mut self, file: &str) {
        self.name = Some(file.to_owned());
    }

    fn on_data(&mut self, _: Timestamp, sender: Role, data: &[u8], _: &mut Findings) {
        let file = self.file.get_or_insert_with(|| {
            FileWatch::new("FTP_DATA", None).by_client(sender == Role::Client)
        });
        file.on_bytes(data);
    }

    fn on_gap(&mut self, _: Role, bytes: u64) {
        if let Some(file) = &mut self.file {
            file.on_gap(bytes);
        }
    }

    fn on_end(&mut self, _: Timestamp, out: &mut Findings) {
        if let Some(file) = self.file.take() {
            // The name may be said only while the file crosses.
            out.say(Files { filename: self.name.take(), ..file.finish() });
        }
    }

    fn bytes(&self) -> usize {
        size_of::<Self>() + self.file.as_ref().map_or(0, FileWatch::heap_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Record;

    #[test]
    fn tells_the_file_that_was_announced() {
        let mut data = Dissection::default();
        let mut out = Findings::default();

        data.on_data(Timestamp::EPOCH, Role::Server, b"\x7fELF", &mut out);
        data.on_announced("bot.mips");
        data.on_gap(Role::Server, 10);
        data.on_data(Timestamp::EPOCH, Role::Server, b"tail", &mut out);
        data.on_end(Timestamp::EPOCH, &mut out);

        let Some(Record::Files(file)) = out.records.first() else { panic!("{out:?}") };
        assert_eq!(file.filename.as_deref(), Some("bot.mips"));
        assert_eq!((file.seen_bytes, file.missing_bytes, file.is_orig), (8, 10, false));
        assert_eq!(file.mime_type, Some("application/x-executable"));
    }
}

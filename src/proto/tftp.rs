//! TFTP (RFC 1350, RFC 2347 to 2349): the request, and the file in the connection that answers it
//! from another port.

use super::cursor::Cursor;
use super::file::FileWatch;
use super::render::text;
use super::{Dissector, Expected, Findings, Protocol, Role};
use crate::event::{Conversation, Tftp};
use crate::net::Transport;
use crate::time::Timestamp;

/// Names are kept up to here.
const MAX_NAME: usize = 512;
/// The usual size of a block; the last one is shorter.
const BLOCK: usize = 512;

const READ: u16 = 1;
const WRITE: u16 = 2;
const DATA: u16 = 3;
const ERROR: u16 = 5;
const OPTIONS: u16 = 6;

/// Reads the connection of the request, or that of the file.
#[derive(Debug)]
pub(super) struct Dissection {
    talk: Option<Conversation>,
    name: Option<String>,
    file: Option<FileWatch>,
    /// The block that is to come.
    next: u16,
    size: usize,
    is_done: bool,
}

impl Dissection {
    pub(super) const fn new() -> Self {
        Self { talk: None, name: None, file: None, next: 1, size: BLOCK, is_done: false }
    }
}

impl Dissector for Dissection {
    fn on_start(&mut self, talk: &Conversation) {
        self.talk = Some(*talk);
    }

    fn on_announced(&mut self, file: &str) {
        self.name = Some(file.to_owned());
    }

    fn on_data(&mut self, _: Timestamp, sender: Role, data: &[u8], out: &mut Findings) {
        let mut rest = Cursor::new(data);
        match rest.be16().filter(|_| !self.is_done) {
            Some(kind @ (READ | WRITE)) if sender == Role::Client => {
                self.on_request(kind == WRITE, rest, out);
            }
            Some(DATA) => self.on_block(sender, rest, out),
            Some(OPTIONS) => self.on_options(rest),
            Some(ERROR) => {
                self.is_done = true;
                out.say(Tftp {
                    fname: self.name.clone(),
                    error_code: rest.be16(),
                    error_msg: rest.until_zero().map(|message| text(message, MAX_NAME)),
                    ..Tftp::default()
                });
            }
            _ => {}
        }
    }

    fn on_gap(&mut self, _: Role, _: u64) {}

    fn on_end(&mut self, _: Timestamp, out: &mut Findings) {
        if let Some(file) = self.file.take() {
            out.say(file.finish());
        }
    }

    fn wants(&self, _: Role) -> bool {
        !self.is_done
    }

    fn bytes(&self) -> usize {
        size_of::<Self>()
            + self.name.as_ref().map_or(0, String::capacity)
            + self.file.as_ref().map_or(0, FileWatch::heap_bytes)
    }
}

impl Dissection {
    fn on_request(&mut self, is_write: bool, mut rest: Cursor<'_>, out: &mut Findings) {
        let (Some(name), Some(mode)) = (rest.until_zero(), rest.until_zero()) else { return };
        let name = text(name, MAX_NAME);
        // Asked again, because the answer was lost or nobody answers.
        if self.name.as_ref() == Some(&name) {
            return;
        }
        let mut size = None;
        while let (Some(option), Some(value)) = (rest.until_zero(), rest.until_zero()) {
            if is_write && option.eq_ignore_ascii_case(b"tsize") {
                size = number(value);
            }
        }
        // The answer comes from a new port to the one that asked (RFC 1350 section 4).
        if let Some(talk) = self.talk {
            out.expected.push(Expected {
                transport: Transport::Udp,
                server: talk.client,
                protocol: Protocol::Tftp,
                file: Some(name.clone()),
            });
        }
        out.say(Tftp {
            wrq: Some(is_write),
            fname: Some(name.clone()),
            mode: Some(text(mode, 16).to_ascii_lowercase()),
            size,
            ..Tftp::default()
        });
        self.name = Some(name);
    }

    fn on_options(&mut self, mut rest: Cursor<'_>) {
        while let (Some(option), Some(value)) = (rest.until_zero(), rest.until_zero()) {
            let value = number(value);
            if option.eq_ignore_ascii_case(b"blksize") {
                self.size = value.and_then(|value| usize::try_from(value).ok()).unwrap_or(BLOCK);
            }
        }
    }

    fn on_block(&mut self, sender: Role, mut rest: Cursor<'_>, out: &mut Findings) {
        let Some(number) = rest.be16() else { return };
        // Whose answer was lost sends the same block again.
        let ahead = number.wrapping_sub(self.next);
        if ahead >= 0x8000 {
            return;
        }
        let file = self.file.get_or_insert_with(|| {
            FileWatch::new("TFTP", self.name.clone()).by_client(sender == Role::Client)
        });
        if ahead > 0 {
            file.on_gap(u64::from(ahead).saturating_mul(self.size as u64));
        }
        file.on_bytes(rest.rest());
        self.next = number.wrapping_add(1);
        if rest.rest().len() < self.size
            && let Some(file) = self.file.take()
        {
            self.is_done = true;
            out.say(file.finish());
        }
    }
}

fn number(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Record, Uid};
    use crate::net::Endpoint;
    use proptest::prelude::*;

    fn talk() -> Conversation {
        let end = |addr: &str, port| Endpoint::new(addr.parse().unwrap(), port);
        Conversation {
            uid: Uid(1),
            transport: Transport::Udp,
            client: end("192.0.2.1", 40_000),
            server: end("192.0.2.2", 69),
            inferred: false,
        }
    }

    fn block(number: u16, data: &[u8]) -> Vec<u8> {
        [&[0, 3][..], &number.to_be_bytes(), data].concat()
    }

    #[test]
    fn announces_the_connection_that_carries_the_file() {
        let mut tftp = Dissection::new();
        let mut out = Findings::default();
        tftp.on_start(&talk());

        let request = b"\0\x01bot.arm\0OCTET\0blksize\x001024\0";
        tftp.on_data(Timestamp::EPOCH, Role::Client, request, &mut out);

        let Some(Record::Tftp(asked)) = out.records.first() else { panic!("{out:?}") };
        assert_eq!((asked.wrq, asked.fname.as_deref()), (Some(false), Some("bot.arm")));
        assert_eq!(asked.mode.as_deref(), Some("octet"));
        assert_eq!(out.expected[0].server, talk().client);
        assert_eq!(out.expected[0].file.as_deref(), Some("bot.arm"));
    }

    #[test]
    fn puts_the_file_together_and_takes_no_block_twice() {
        let mut tftp = Dissection::new();
        let mut out = Findings::default();
        tftp.on_announced("bot.arm");

        for data in [&[b'a'; 512][..], &[b'a'; 512], &[b'b'; 100]].iter().zip([1, 1, 2]) {
            let block = block(data.1, data.0);
            tftp.on_data(Timestamp::EPOCH, Role::Client, &block, &mut out);
        }

        let [Record::Files(file)] = &out.records[..] else { panic!("{out:?}") };
        assert_eq!((file.seen_bytes, file.missing_bytes), (612, 0));
        assert_eq!(file.filename.as_deref(), Some("bot.arm"));
    }

    #[test]
    fn obeys_a_block_size_and_notices_gaps() {
        let mut tftp = Dissection::new();
        let mut out = Findings::default();

        tftp.on_data(Timestamp::EPOCH, Role::Client, b"\0\x06blksize\x008\0", &mut out);
        tftp.on_data(Timestamp::EPOCH, Role::Client, &block(1, &[1; 8]), &mut out);
        tftp.on_data(Timestamp::EPOCH, Role::Client, &block(3, &[1; 3]), &mut out);

        let [Record::Files(file)] = &out.records[..] else { panic!("{out:?}") };
        assert_eq!((file.seen_bytes, file.missing_bytes), (11, 8));
    }

    #[test]
    fn tells_a_refusal() {
        let mut tftp = Dissection::new();
        let mut out = Findings::default();

        tftp.on_data(Timestamp::EPOCH, Role::Server, b"\0\x05\0\x01File not found\0", &mut out);

        let [Record::Tftp(refusal)] = &out.records[..] else { panic!("{out:?}") };
        assert_eq!(refusal.error_code, Some(1));
        assert_eq!(refusal.error_msg.as_deref(), Some("File not found"));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(datagrams: Vec<(bool, u8, Vec<u8>)>) {
            let mut tftp = Dissection::new();
            let mut out = Findings::default();
            tftp.on_start(&talk());
            for (is_client, kind, data) in &datagrams {
                let sender = if *is_client { Role::Client } else { Role::Server };
                let framed = [&[0, kind % 8][..], data].concat();
                tftp.on_data(Timestamp::EPOCH, sender, &framed, &mut out);
            }
            tftp.on_end(Timestamp::EPOCH, &mut out);
            prop_assert!(tftp.bytes() < 8 * 1024);
        }
    }
}

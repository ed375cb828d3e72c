//! One direction of an SMB connection, cut into commands.
//!
//! A message of NetBIOS framing may carry megabytes of a file, and a compound of SMB2 carries
//! several commands. So a command is handed out with its first bytes, which hold all that
//! describes it; the handler answers which part of the rest is content, and gets that as it passes.

use crate::proto::bytes::{be32, byte, le32, part};

/// What is held of a command: header, names, the outside of a security blob.
const HEAD: usize = 2048;
/// A message's header ([MS-SMB2] 2.1): a zero, or the type of a NetBIOS session packet, and a
/// length.
const FRAME: usize = 4;
/// An SMB2 header up to the field that tells where the next command begins.
const NEXT_COMMAND: usize = 24;

/// A part of a command that is content of a file or pipe, counted from the command's first byte.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Content {
    pub(super) start: usize,
    pub(super) length: usize,
}

/// Who understands the commands.
pub(super) trait Handler {
    /// A command of `length` bytes begins with `head`. Returns what of it is content.
    fn on_command(&mut self, head: &[u8], length: usize) -> Content;
    /// The next bytes of the content.
    fn on_content(&mut self, bytes: &[u8]);
    /// Bytes of the content are missing.
    fn on_missing(&mut self, bytes: usize);
}

/// One direction.
#[derive(Debug, Default)]
pub(super) struct Lane {
    /// The beginning of a frame or command that did not come whole.
    held: Vec<u8>,
    place: Place,
}

/// Where in the stream the next byte is.
#[derive(Clone, Copy, Debug, Default)]
enum Place {
    /// Anywhere: at the very beginning, or after a loss.
    #[default]
    Somewhere,
    /// In the header of a message.
    Frame,
    /// In the head of a command; so many bytes of its message are left, those held included.
    Head { left: usize },
    /// Behind the head of a command: bytes to pass, then content, then bytes to pass, then more
    /// commands of the same message.
    Body { before: usize, content: usize, after: usize, left: usize },
}

impl Lane {
    /// Takes the next bytes.
    pub(super) fn on_data(&mut self, data: &[u8], handler: &mut impl Handler) {
        let mut data = data;
        while !data.is_empty() {
            match self.place {
                Place::Somewhere => self.seek(&mut data),
                Place::Frame => self.frame(&mut data),
                Place::Head { left } => self.head(left, &mut data, handler),
                Place::Body { .. } => self.body(&mut data, handler),
            }
        }
    }

    /// Bytes are missing.
    pub(super) fn on_gap(&mut self, bytes: u64, handler: &mut impl Handler) {
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        let held = self.held.len();
        self.held = Vec::new();
        // What is left of a message that is known to go on, and is passed over.
        let rest = match self.place {
            Place::Body { before, content, after, left } => {
                let lost = bytes.saturating_sub(before).min(content);
                if lost > 0 {
                    handler.on_missing(lost);
                }
                let behind_content = before + content;
                if bytes < behind_content {
                    let before = before.saturating_sub(bytes);
                    self.place = Place::Body { before, content: content - lost, after, left };
                    return;
                }
                behind_content + after + left
            }
            Place::Head { left } => left.saturating_sub(held),
            Place::Somewhere | Place::Frame => 0,
        };
        self.place = match rest.checked_sub(bytes) {
            Some(0) if rest > 0 => Place::Frame,
            Some(left) if left > 0 => Place::Body { before: left, content: 0, after: 0, left: 0 },
            _ => Place::Somewhere,
        };
    }

    /// Bytes held on the heap.
    pub(super) fn heap_bytes(&self) -> usize {
        self.held.capacity()
    }

    /// Looks for the header of a message.
    fn seek(&mut self, data: &mut &[u8]) {
        // A header may lie across two pieces: they are joined by as much as that takes.
        const ENOUGH: usize = FRAME + 4;
        if !self.held.is_empty() {
            let kept = self.held.len();
            self.held.extend_from_slice(part(data, 0, ENOUGH - 1));
            if let Some(at) = beginning(&self.held).filter(|&at| at < kept) {
                self.held = part(&self.held, at, kept - at).to_vec();
                self.place = Place::Frame;
                return;
            }
            self.held.truncate(kept);
        }
        if let Some(at) = beginning(data) {
            self.held.clear();
            *data = data.get(at..).unwrap_or_default();
            self.place = Place::Frame;
            return;
        }
        self.held.extend_from_slice(
            data.get(data.len().saturating_sub(ENOUGH - 1)..).unwrap_or_default(),
        );
        let surplus = self.held.len().saturating_sub(ENOUGH - 1);
        self.held.drain(..surplus);
        *data = &[];
    }

    fn frame(&mut self, data: &mut &[u8]) {
        let Some(frame) = gather(&mut self.held, data, FRAME) else { return };
        let length = be32(frame, 0).unwrap_or(0) as usize & 0x00ff_ffff;
        let kind = byte(frame, 0);
        let taken = if self.held.is_empty() { FRAME } else { 0 };
        *data = data.get(taken..).unwrap_or_default();
        // Where a beginning was looked for, more than this header is held.
        let behind = self.held.get(FRAME..).unwrap_or_default().to_vec();
        let seen = behind.len();
        self.held.clear();
        self.place = match kind {
            Some(0) if length >= 4 => {
                self.held = behind;
                Place::Head { left: length }
            }
            // Session request and its answers, keep-alive (RFC 1002 section 4.3).
            Some(0 | 0x81..=0x85) if length == 0 => Place::Frame,
            Some(0 | 0x81..=0x85) if length < 256 => {
                let before = length.saturating_sub(seen);
                Place::Body { before, content: 0, after: 0, left: 0 }
            }
            _ => Place::Somewhere,
        };
        self.settle();
    }

    fn head(&mut self, left: usize, data: &mut &[u8], handler: &mut impl Handler) {
        let Some(start) = gather(&mut self.held, data, left.min(NEXT_COMMAND)) else { return };
        let length = match start.first_chunk() {
            Some(b"\xfeSMB") => match le32(start, 20).unwrap_or(0) as usize {
                next if next >= 64 && next < left => next,
                _ => left,
            },
            Some(b"\xffSMB" | b"\xfdSMB" | b"\xfcSMB") => left,
            _ => {
                self.held = Vec::new();
                self.place = Place::Somewhere;
                return;
            }
        };
        // `start` may lie in `data` still: gathering more begins with it again.
        let Some(head) = gather(&mut self.held, data, length.min(HEAD)) else { return };
        let content = handler.on_command(head, length);
        let start = content.start.min(length);
        let end = start.saturating_add(content.length).min(length);
        let here = part(head, start, end - start);
        if !here.is_empty() {
            handler.on_content(here);
        }
        let seen = head.len();
        let taken = if self.held.is_empty() { seen } else { 0 };
        *data = data.get(taken..).unwrap_or_default();
        // One large message must not be paid for until the connection ends.
        self.held = Vec::new();
        let (start, end) = (start.max(seen), end.max(seen));
        self.place = Place::Body {
            before: start - seen,
            content: end - start,
            after: length - end,
            left: left - length,
        };
        self.settle();
    }

    fn body(&mut self, data: &mut &[u8], handler: &mut impl Handler) {
        let Place::Body { before, content, after, left } = self.place else { return };
        let passed = before.min(data.len());
        let rest = data.get(passed..).unwrap_or_default();
        let bytes = part(rest, 0, content);
        if !bytes.is_empty() {
            handler.on_content(bytes);
        }
        let rest = rest.get(bytes.len()..).unwrap_or_default();
        let is_through = bytes.len() == content && passed == before;
        let skipped = if is_through { after.min(rest.len()) } else { 0 };
        *data = rest.get(skipped..).unwrap_or_default();
        self.place = Place::Body {
            before: before - passed,
            content: content - bytes.len(),
            after: after - skipped,
            left,
        };
        self.settle();
    }

    /// Goes on to the next command or message, if the body is through.
    const fn settle(&mut self) {
        if let Place::Body { before: 0, content: 0, after: 0, left } = self.place {
            self.place = if left == 0 { Place::Frame } else { Place::Head { left } };
        }
    }
}

/// The first `wanted` bytes of what is held and what comes. If nothing is held they stay where they
/// are, and the caller moves on; otherwise they are moved to what is held.
fn gather<'h, 'd: 'h>(
    held: &'h mut Vec<u8>,
    data: &mut &'d [u8],
    wanted: usize,
) -> Option<&'h [u8]> {
    let there: &'d [u8] = data;
    if held.is_empty() && there.len() >= wanted {
        return there.get(..wanted);
    }
    let missing = wanted.saturating_sub(held.len());
    let (taken, rest) = data.split_at(missing.min(data.len()));
    held.extend_from_slice(taken);
    *data = rest;
    held.get(..wanted)
}

/// Where in `data` a message begins: a zero, a length, and the mark of SMB in one of its versions.
fn beginning(data: &[u8]) -> Option<usize> {
    if matches!(data.first(), Some(0x81..=0x85)) && byte(data, 1).is_some_and(|flags| flags <= 1) {
        return Some(0);
    }
    data.windows(FRAME + 4)
        .position(|window| matches!(window, [0, _, _, _, 0xfc..=0xff, b'S', b'M', b'B']))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Takes the byte behind an SMB1 header's mark as the place where content begins.
    #[derive(Debug, Default, PartialEq, Clone)]
    struct Log {
        commands: Vec<(u8, usize)>,
        content: Vec<u8>,
        missing: usize,
    }

    impl Handler for Log {
        fn on_command(&mut self, head: &[u8], length: usize) -> Content {
            self.commands.push((head[0], length));
            assert!(head.len() == length.min(HEAD));
            let start = usize::from(head.get(4).copied().unwrap_or(0));
            Content { start, length: if start == 0 { 0 } else { length - start.min(length) } }
        }

        fn on_content(&mut self, bytes: &[u8]) {
            self.content.extend_from_slice(bytes);
        }

        fn on_missing(&mut self, bytes: usize) {
            self.missing += bytes;
        }
    }

    fn framed(message: &[u8]) -> Vec<u8> {
        [&(message.len() as u32).to_be_bytes()[..], message].concat()
    }

    fn smb1(content: &[u8]) -> Vec<u8> {
        framed(&[b"\xffSMB\x20", &[0; 27][..], content].concat())
    }

    fn smb2(next: u32, length: usize) -> Vec<u8> {
        let mut out = vec![0; length];
        out[..4].copy_from_slice(b"\xfeSMB");
        out[20..24].copy_from_slice(&next.to_le_bytes());
        out
    }

    fn hear(pieces: &[&[u8]]) -> Log {
        let (mut lane, mut log) = (Lane::default(), Log::default());
        for piece in pieces {
            lane.on_data(piece, &mut log);
        }
        log
    }

    #[test]
    fn hands_out_commands_and_content_however_the_stream_is_cut() {
        let stream =
            [smb1(b"content"), framed(&[smb2(72, 72), smb2(0, 70)].concat()), smb1(b"!")].concat();
        let whole = hear(&[&stream]);

        assert_eq!(whole.commands, [(0xff, 39), (0xfe, 72), (0xfe, 70), (0xff, 33)]);
        assert_eq!(whole.content, b"content!");
        for split in 1..stream.len() {
            let (first, second) = stream.split_at(split);
            assert_eq!(hear(&[first, second]), whole, "cut at {split}");
        }
        let bytes: Vec<&[u8]> = stream.chunks(1).collect();
        assert_eq!(hear(&bytes), whole);
    }

    #[test]
    fn passes_the_content_of_a_large_message_without_keeping_it() {
        let stream = smb1(&vec![7; 100_000]);
        let (mut lane, mut log) = (Lane::default(), Log::default());

        for piece in stream.chunks(1000) {
            lane.on_data(piece, &mut log);
            assert!(lane.heap_bytes() <= 2 * HEAD);
        }

        assert_eq!(log.content.len(), 100_000);
        assert_eq!(lane.heap_bytes(), 0);
    }

    #[test]
    fn begins_anywhere_and_passes_session_packets() {
        let request = [&[0x81, 0, 0, 68][..], &[b'C'; 68]].concat();
        let behind = [&b"the end of something \0\0\0"[..], &smb1(b"x")].concat();

        assert_eq!(hear(&[&request, &smb1(b"x")]).content, b"x");
        assert_eq!(hear(&[&behind]).content, b"x");
        for split in 1..behind.len() {
            let (first, second) = behind.split_at(split);
            assert_eq!(hear(&[first, second]).content, b"x", "cut at {split}");
        }
    }

    #[test]
    fn a_gap_in_content_is_missing_content_and_one_beyond_is_a_new_beginning() {
        let (mut lane, mut log) = (Lane::default(), Log::default());
        let stream = smb1(&vec![7; 10_000]);

        lane.on_data(&stream[..4000], &mut log);
        lane.on_gap(1000, &mut log);
        lane.on_data(&stream[5000..], &mut log);
        assert_eq!((log.content.len(), log.missing), (9000, 1000));

        lane.on_data(&smb1(b"a"), &mut log);
        lane.on_data(&stream[..4000], &mut log);
        lane.on_gap(20_000, &mut log);
        lane.on_data(&smb1(b"b"), &mut log);
        assert_eq!(log.content.last(), Some(&b'b'));
        assert_eq!(log.commands.len(), 4);
    }

    #[test]
    fn a_gap_in_a_head_loses_that_message_only() {
        let (mut lane, mut log) = (Lane::default(), Log::default());
        let stream = smb1(&[7; 100]);

        lane.on_data(&stream[..20], &mut log);
        lane.on_gap(30, &mut log);
        lane.on_data(&stream[50..], &mut log);
        lane.on_data(&smb1(b"b"), &mut log);

        assert_eq!(log.content, b"b");
    }

    #[test]
    fn what_is_no_message_is_passed() {
        let stream = [framed(b"not SMB at all"), smb1(b"b")].concat();

        assert_eq!(hear(&[&smb1(b"a"), &stream]).content, b"ab");
    }

    proptest! {
        #[test]
        fn no_bytes_panic(pieces: Vec<(u8, Vec<u8>)>) {
            let (mut lane, mut log) = (Lane::default(), Log::default());
            for (kind, piece) in &pieces {
                match kind % 4 {
                    0 => lane.on_data(piece, &mut log),
                    1 => lane.on_data(&smb1(piece), &mut log),
                    2 => lane.on_data(&framed(&[&smb2(u32::from(*kind), 70)[..], piece].concat()), &mut log),
                    _ => lane.on_gap(piece.len() as u64, &mut log),
                }
                prop_assert!(lane.heap_bytes() <= 2 * HEAD);
            }
        }
    }
}

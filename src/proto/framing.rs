//! Cutting a direction into messages while holding no more than what a message begins with.
//!
//! A length field decides how much is skipped, never how much is kept: a message longer than the
//! limit is handed out with its first bytes, and the rest passes by unseen.

use super::Role;

/// How long the message at the start of some bytes is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Size {
    /// This many bytes are needed to tell.
    Need(usize),
    /// It is this long, its header included.
    Is(u64),
    /// No message begins like this: the place in the stream is lost.
    Lost,
}

/// A message, or the beginning of a long one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Message<'a> {
    /// Its first bytes, header included, up to the framer's limit.
    pub(super) head: &'a [u8],
    /// How long it says it is.
    pub(super) length: u64,
}

/// The framers of both directions.
#[derive(Debug)]
pub(super) struct Framers {
    client: Framer,
    server: Framer,
}

impl Framers {
    /// Hands out at most `limit` bytes of a message.
    pub(super) const fn new(limit: usize) -> Self {
        Self { client: Framer::new(limit), server: Framer::new(limit) }
    }

    /// The framer of what `sender` sends.
    pub(super) const fn of(&mut self, sender: Role) -> &mut Framer {
        match sender {
            Role::Client => &mut self.client,
            Role::Server => &mut self.server,
        }
    }

    /// Lends a framer to who needs all of its dissector for each message; [`Framers::put`] brings
    /// it back.
    pub(super) const fn take(&mut self, sender: Role) -> Framer {
        let framer = self.of(sender);
        let empty = Framer::new(framer.limit);
        std::mem::replace(framer, empty)
    }

    /// Brings back what was taken.
    pub(super) fn put(&mut self, sender: Role, framer: Framer) {
        *self.of(sender) = framer;
    }

    /// `bytes` of what `sender` sent are missing.
    pub(super) fn lose(&mut self, sender: Role, bytes: u64) {
        self.of(sender).lose(bytes);
    }

    /// Whether the place in what `sender` sends is lost.
    pub(super) const fn is_lost(&self, sender: Role) -> bool {
        match sender {
            Role::Client => self.client.is_lost(),
            Role::Server => self.server.is_lost(),
        }
    }

    /// Whoever speaks has heard the other out, where both take turns: what that one says next
    /// begins a message.
    pub(super) fn resume_behind(&mut self, speaker: Role) {
        let other = self.of(speaker.other());
        if other.is_lost() {
            other.restart();
        }
    }

    /// Bytes held on the heap.
    pub(super) fn heap_bytes(&self) -> usize {
        self.client.heap_bytes() + self.server.heap_bytes()
    }
}

/// Cuts one direction into messages that say their own length.
#[derive(Debug)]
pub(super) struct Framer {
    held: Vec<u8>,
    /// What is still to come of a message that was handed out.
    skip: u64,
    limit: usize,
    is_handed_out: bool,
    is_lost: bool,
}

impl Framer {
    /// Hands out at most `limit` bytes of a message.
    pub(super) const fn new(limit: usize) -> Self {
        Self { held: Vec::new(), skip: 0, limit, is_handed_out: false, is_lost: false }
    }

    /// The next message, taken from what is held and `data`, which moves on by what it used;
    /// `None` once more bytes are needed.
    pub(super) fn next<'a, 'd: 'a>(
        &'a mut self,
        data: &mut &'d [u8],
        measure: impl Fn(&[u8]) -> Size,
    ) -> Option<Message<'a>> {
        self.forget_handed_out();
        self.pass(data);
        if self.is_lost || data.is_empty() {
            *data = &[];
            return None;
        }
        let whole: &'d [u8] = data;
        if self.held.is_empty()
            && let Size::Is(length @ 1..) = measure(whole)
            && let Some(head) = whole.get(..self.wanted(length))
        {
            *data = whole.get(head.len()..).unwrap_or_default();
            self.skip = length - head.len() as u64;
            self.pass(data);
            return Some(Message { head, length });
        }
        let length = self.collect(data, measure)?;
        self.skip = length.saturating_sub(self.held.len() as u64);
        self.pass(data);
        self.is_handed_out = true;
        Some(Message { head: &self.held, length })
    }

    /// `bytes` are missing: harmless where they would have been skipped.
    pub(super) fn lose(&mut self, bytes: u64) {
        self.forget_handed_out();
        if self.skip >= bytes {
            self.skip -= bytes;
        } else {
            self.give_up();
        }
    }

    /// Reads this direction no further.
    pub(super) fn give_up(&mut self) {
        self.held = Vec::new();
        self.skip = 0;
        self.is_handed_out = false;
        self.is_lost = true;
    }

    /// Takes the next bytes to be the start of a message, whatever came before.
    pub(super) fn restart(&mut self) {
        self.give_up();
        self.is_lost = false;
    }

    /// Finds the place in the stream again, if it was lost and `data` looks like the start of a
    /// message.
    pub(super) fn resume_at(&mut self, data: &[u8], measure: impl Fn(&[u8]) -> Size) {
        if self.is_lost && matches!(measure(data), Size::Is(_)) {
            self.restart();
        }
    }

    /// Whether the place in the stream is lost.
    pub(super) const fn is_lost(&self) -> bool {
        self.is_lost
    }

    /// Bytes held on the heap.
    pub(super) fn heap_bytes(&self) -> usize {
        self.held.capacity()
    }

    /// Collects the head of a message and returns how long all of it is.
    fn collect(&mut self, data: &mut &[u8], measure: impl Fn(&[u8]) -> Size) -> Option<u64> {
        loop {
            let (target, length) = match measure(&self.held) {
                Size::Is(length) if length > 0 => (self.wanted(length), Some(length)),
                Size::Need(bytes) if bytes.max(self.held.len() + 1) <= self.limit => {
                    (bytes.max(self.held.len() + 1), None)
                }
                _ => {
                    self.give_up();
                    *data = &[];
                    return None;
                }
            };
            let missing = target.saturating_sub(self.held.len());
            let (taken, rest) = data.split_at(missing.min(data.len()));
            self.held.extend_from_slice(taken);
            *data = rest;
            if self.held.len() < target {
                return None;
            }
            if length.is_some() {
                return length;
            }
        }
    }

    fn wanted(&self, length: u64) -> usize {
        usize::try_from(length).unwrap_or(usize::MAX).min(self.limit)
    }

    fn forget_handed_out(&mut self) {
        if self.is_handed_out {
            self.is_handed_out = false;
            self.held.clear();
            // One large message must not be paid for until the connection ends.
            self.held.shrink_to(256);
        }
    }

    fn pass(&mut self, data: &mut &[u8]) {
        let passed = usize::try_from(self.skip).unwrap_or(usize::MAX).min(data.len());
        self.skip -= passed as u64;
        *data = data.get(passed..).unwrap_or_default();
    }
}

/// Cuts one direction into lines.
#[derive(Debug)]
pub(super) struct Lines {
    held: Vec<u8>,
    limit: usize,
    is_handed_out: bool,
}

impl Lines {
    /// Hands out at most `limit` bytes of a line.
    pub(super) const fn new(limit: usize) -> Self {
        Self { held: Vec::new(), limit, is_handed_out: false }
    }

    /// The next line without its end; `None` once more bytes are needed.
    pub(super) fn next<'a, 'd: 'a>(&'a mut self, data: &mut &'d [u8]) -> Option<&'a [u8]> {
        if self.is_handed_out {
            self.is_handed_out = false;
            self.held.clear();
        }
        let whole: &'d [u8] = data;
        let Some(end) = whole.iter().position(|&b| b == b'\n') else {
            let room = self.limit.saturating_sub(self.held.len());
            self.held.extend(data.iter().take(room));
            *data = &[];
            return None;
        };
        let (line, rest) = whole.split_at(end);
        *data = rest.get(1..).unwrap_or_default();
        let line = if self.held.is_empty() {
            line.get(..self.limit).unwrap_or(line)
        } else {
            let room = self.limit.saturating_sub(self.held.len());
            self.held.extend(line.iter().take(room));
            self.is_handed_out = true;
            &self.held
        };
        Some(line.strip_suffix(b"\r").unwrap_or(line))
    }

    /// Bytes are missing: the line they were part of is not to be trusted, nor is its rest.
    pub(super) fn lose(&mut self) {
        self.held.clear();
        self.is_handed_out = false;
    }

    /// Bytes held on the heap.
    pub(super) fn heap_bytes(&self) -> usize {
        self.held.capacity()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// One byte of length, itself included.
    fn short(data: &[u8]) -> Size {
        match data.first() {
            Some(&length) => Size::Is(u64::from(length)),
            None => Size::Need(1),
        }
    }

    fn cut(framer: &mut Framer, mut data: &[u8]) -> Vec<(Vec<u8>, u64)> {
        let mut out = Vec::new();
        while let Some(message) = framer.next(&mut data, short) {
            out.push((message.head.to_vec(), message.length));
        }
        out
    }

    #[test]
    fn cuts_messages_wherever_the_stream_is_split() {
        let stream = [3, 1, 2, 1, 4, 7, 8, 9];
        let expected = vec![(vec![3, 1, 2], 3), (vec![1], 1), (vec![4, 7, 8, 9], 4)];

        for split in 0..stream.len() {
            let mut framer = Framer::new(16);
            let (first, second) = stream.split_at(split);
            let mut found = cut(&mut framer, first);
            found.extend(cut(&mut framer, second));
            assert_eq!(found, expected, "split at {split}");
        }
    }

    #[test]
    fn hands_out_the_beginning_of_a_long_message_and_skips_its_rest() {
        let mut framer = Framer::new(4);

        assert_eq!(cut(&mut framer, &[200, 1]), []);
        assert_eq!(cut(&mut framer, &[2, 3, 4, 5]), [(vec![200, 1, 2, 3], 200)]);
        assert_eq!(cut(&mut framer, &[0; 194]), []);
        assert_eq!(cut(&mut framer, &[2, 9]), [(vec![2, 9], 2)]);
        assert!(framer.heap_bytes() <= 256);
    }

    #[test]
    fn survives_a_gap_inside_what_it_skips_and_no_other() {
        let mut framer = Framer::new(4);
        cut(&mut framer, &[100, 1, 2, 3, 4]);

        framer.lose(90);
        assert!(!framer.is_lost());
        assert_eq!(cut(&mut framer, &[0, 0, 0, 0, 0, 2, 1]), [(vec![2, 1], 2)]);

        framer.lose(1);
        assert!(framer.is_lost());
        assert_eq!(cut(&mut framer, &[2, 1]), []);
    }

    #[test]
    fn a_message_without_length_ends_the_stream() {
        let mut framer = Framer::new(4);

        assert_eq!(cut(&mut framer, &[0, 0, 0]), []);
        assert!(framer.is_lost());
    }

    #[test]
    fn cuts_lines_and_shortens_long_ones() {
        let mut lines = Lines::new(4);
        let mut data: &[u8] = b"ab\r\ncd\nabcdefgh\n\npart";
        let mut found = Vec::new();
        while let Some(line) = lines.next(&mut data) {
            found.push(line.to_vec());
        }

        assert_eq!(found, [&b"ab"[..], b"cd", b"abcd", b""]);
        let mut rest: &[u8] = b"ly\n";
        assert_eq!(lines.next(&mut rest), Some(&b"part"[..]));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(pieces: Vec<Vec<u8>>, limit in 1usize..64) {
            let mut framer = Framer::new(limit);
            let mut lines = Lines::new(limit);
            for piece in &pieces {
                let mut data = &piece[..];
                while framer.next(&mut data, short).is_some() {}
                let mut data = &piece[..];
                while lines.next(&mut data).is_some() {}
                framer.lose(piece.len() as u64);
                prop_assert!(framer.heap_bytes() <= limit.max(256) + 256);
                prop_assert!(lines.heap_bytes() <= 2 * limit + 16);
                framer.restart();
            }
        }
    }
}

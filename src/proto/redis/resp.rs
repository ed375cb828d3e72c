//! The serialisation of Redis (RESP 2 and 3), and the inline commands that telnet users type.
//!
//! A value is a line, a counted string, or a number of further values. Only how many are still to
//! come is remembered of nesting, so that no depth costs anything.

use crate::proto::bytes::byte;
use crate::proto::render::text;

/// A line that is longer is no protocol of Redis's, except for an inline command.
const MAX_LINE: usize = 1024;
/// Of each string that many bytes are kept.
const MAX_STRING: usize = 512;
/// Of each value that many strings are kept.
const MAX_ITEMS: usize = 8;

/// A command, or a reply.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Value {
    /// Its strings, the first few.
    pub(super) items: Vec<String>,
    pub(super) is_error: bool,
    pub(super) is_list: bool,
    /// It was sent unasked (RESP 3).
    pub(super) is_push: bool,
}

impl Value {
    /// A reply as text; a list in brackets; `None` for nothing.
    pub(super) fn shown(&self) -> Option<String> {
        if self.is_list {
            return Some(format!("[{}]", self.items.join(", ")));
        }
        self.items.first().cloned()
    }
}

/// Reads one direction.
#[derive(Debug)]
pub(super) struct Reader {
    is_client: bool,
    line: Vec<u8>,
    value: Value,
    /// Values that are still to come until the one at hand is complete.
    open: u64,
    string: Option<Counted>,
    is_lost: bool,
}

/// A counted string.
#[derive(Debug)]
struct Counted {
    left: u64,
    kept: Vec<u8>,
}

impl Reader {
    pub(super) fn commands() -> Self {
        Self { is_client: true, ..Self::replies() }
    }

    pub(super) fn replies() -> Self {
        Self {
            is_client: false,
            line: Vec::new(),
            value: Value::default(),
            open: 0,
            string: None,
            is_lost: false,
        }
    }

    /// The next complete value.
    pub(super) fn next(&mut self, data: &mut &[u8]) -> Option<Value> {
        while !data.is_empty() && !self.is_lost {
            let is_complete =
                if self.string.is_some() { self.read_string(data) } else { self.read_line(data) };
            if is_complete && self.open == 0 {
                return Some(std::mem::take(&mut self.value));
            }
        }
        *data = &[];
        None
    }

    pub(super) fn lose(&mut self, bytes: u64) {
        match &mut self.string {
            Some(string) if string.left >= bytes => string.left -= bytes,
            _ => self.give_up(),
        }
    }

    pub(super) fn give_up(&mut self) {
        *self = Self { is_lost: true, is_client: self.is_client, ..Self::replies() };
    }

    pub(super) const fn is_lost(&self) -> bool {
        self.is_lost
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.line.capacity()
            + self.string.as_ref().map_or(0, |string| string.kept.capacity())
            + self.value.items.iter().map(|item| item.capacity() + 24).sum::<usize>()
    }

    /// Whether a value ended.
    fn read_string(&mut self, data: &mut &[u8]) -> bool {
        let Some(string) = &mut self.string else { return false };
        let size = usize::try_from(string.left).unwrap_or(usize::MAX).min(data.len());
        let (part, rest) = data.split_at(size);
        *data = rest;
        let room = MAX_STRING.saturating_sub(string.kept.len());
        string.kept.extend(part.iter().take(room));
        string.left -= size as u64;
        if string.left > 0 {
            return false;
        }
        let mut kept = std::mem::take(&mut string.kept);
        self.string = None;
        // The line end behind it was counted in.
        if let Some(content) = kept.strip_suffix(b"\r\n") {
            kept.truncate(content.len());
        }
        self.add(&kept);
        self.end_value()
    }

    fn read_line(&mut self, data: &mut &[u8]) -> bool {
        let Some(end) = data.iter().position(|&byte| byte == b'\n') else {
            let room = (MAX_LINE + 1).saturating_sub(self.line.len());
            self.line.extend(data.iter().take(room));
            *data = &[];
            if self.line.len() > MAX_LINE {
                self.give_up();
            }
            return false;
        };
        let (line, rest) = data.split_at(end);
        *data = rest.get(1..).unwrap_or_default();
        let mut whole = std::mem::take(&mut self.line);
        whole.extend(line.iter().take(MAX_LINE));
        let line = whole.strip_suffix(b"\r").unwrap_or(&whole);
        self.on_line(line)
    }

    fn on_line(&mut self, line: &[u8]) -> bool {
        let rest = line.get(1..).unwrap_or_default();
        let is_top = self.open == 0;
        match byte(line, 0) {
            Some(kind @ (b'*' | b'~' | b'>' | b'%' | b'|')) => {
                if is_top && kind != b'|' {
                    self.value.is_list = true;
                    self.value.is_push = kind == b'>';
                }
                let Some(count) = number(rest) else { return self.unexpected() };
                let count = u64::try_from(count).unwrap_or(0);
                // A map counts pairs; an attribute is no value itself, one follows it.
                let values = match kind {
                    b'%' => count.saturating_mul(2),
                    b'|' => count.saturating_mul(2).saturating_add(1),
                    _ => count,
                };
                self.open = self.open.saturating_add(values);
                if values == 0 { self.end_value() } else { self.end_header(is_top) }
            }
            Some(kind @ (b'$' | b'!' | b'=')) => {
                if is_top && kind == b'!' {
                    self.value.is_error = true;
                }
                match number(rest) {
                    Some(length @ 0..) => {
                        // With the line end behind it.
                        let left = length.unsigned_abs().saturating_add(2);
                        self.string = Some(Counted { left, kept: Vec::new() });
                        false
                    }
                    Some(_) => self.end_value(),
                    None => self.unexpected(),
                }
            }
            Some(kind @ (b'+' | b'-' | b':' | b'_' | b'#' | b',' | b'(')) if !self.is_client => {
                if is_top && kind == b'-' {
                    self.value.is_error = true;
                }
                if kind != b'_' {
                    self.add(rest);
                }
                self.end_value()
            }
            // An inline command: words on a line.
            Some(_) if self.is_client && is_top => {
                for word in line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()) {
                    self.add(word);
                }
                true
            }
            None if self.is_client && is_top => false,
            _ => self.unexpected(),
        }
    }

    /// A header of a list stands for itself in what is still to come of an outer one.
    const fn end_header(&mut self, is_top: bool) -> bool {
        if !is_top {
            self.open = self.open.saturating_sub(1);
        }
        false
    }

    const fn end_value(&mut self) -> bool {
        self.open = self.open.saturating_sub(1);
        true
    }

    fn unexpected(&mut self) -> bool {
        self.give_up();
        false
    }

    fn add(&mut self, item: &[u8]) {
        if self.value.items.len() < MAX_ITEMS {
            self.value.items.push(text(item, MAX_STRING));
        }
    }
}

fn number(digits: &[u8]) -> Option<i64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(mut reader: Reader, data: &[u8]) -> Vec<Value> {
        let mut out = Vec::new();
        for mut piece in data.chunks(3) {
            while let Some(value) = reader.next(&mut piece) {
                out.push(value);
            }
        }
        out
    }

    fn shown(data: &[u8]) -> Vec<Option<String>> {
        read(Reader::replies(), data).iter().map(Value::shown).collect()
    }

    #[test]
    fn finds_where_replies_end() {
        let replies = shown(
            b"+OK\r\n:7\r\n$2\r\nhi\r\n$-1\r\n*2\r\n*2\r\n:1\r\n:2\r\n$1\r\nx\r\n*0\r\n_\r\n",
        );

        let expected =
            [Some("OK"), Some("7"), Some("hi"), None, Some("[1, 2, x]"), Some("[]"), None];
        assert_eq!(replies.iter().map(Option::as_deref).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn reads_what_version_3_adds() {
        let replies = read(
            Reader::replies(),
            b"%1\r\n+a\r\n#t\r\n|1\r\n+x\r\n+y\r\n+real\r\n>2\r\n+message\r\n+m\r\n!3\r\nERR\r\n",
        );

        assert_eq!(replies.len(), 4);
        assert!(replies[2].is_push);
        assert!(replies[3].is_error);
    }

    #[test]
    fn counts_that_lie_cost_nothing() {
        let mut reader = Reader::replies();
        let mut data: &[u8] =
            b"*9223372036854775807\r\n*9223372036854775807\r\n$9223372036854775807\r\n";

        assert_eq!(reader.next(&mut data), None);
        let mut data: &[u8] = &[b'x'; 10_000];
        assert_eq!(reader.next(&mut data), None);
        assert!(reader.heap_bytes() < 4096);
    }

    #[test]
    fn reads_inline_commands() {
        let commands = read(Reader::commands(), b"\r\nCONFIG  GET dir\r\n*1\r\n$4\r\nPING\r\n");

        assert_eq!(commands[0].items, ["CONFIG", "GET", "dir"]);
        assert_eq!(commands[1].items, ["PING"]);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(data: Vec<u8>, is_client: bool) {
            let reader = if is_client { Reader::commands() } else { Reader::replies() };
            read(reader, &data);
        }
    }
}

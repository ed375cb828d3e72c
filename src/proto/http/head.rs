//! The head of an HTTP/1 message (RFC 9112 sections 2 to 5): collected over pieces, then taken
//! apart. Lenient where servers are, because what attackers send is often not quite HTTP: `httparse`
//! refuses spaces in a target, bytes beyond ASCII and more headers than it was given room for.

use std::borrow::Cow;

use super::super::bytes::text;

/// Bytes of a head that are kept; common servers refuse more than 8 to 64 KiB, and a ticket of
/// Kerberos may take most of that.
const MAX_HEAD: usize = 48 << 10;

/// Collects a head until its empty line.
#[derive(Debug, Default)]
pub(super) struct Collector {
    held: Vec<u8>,
    /// Whether the current line has something in it.
    in_line: bool,
    /// Whether the first line is complete.
    has_first: bool,
}

/// What became of the bytes given to a collector.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Collected<'d> {
    /// All were taken, and more are needed.
    More,
    /// A whole head, and what follows it.
    Whole(Cow<'d, [u8]>, &'d [u8]),
    /// No head is as long as this.
    TooLong,
}

impl Collector {
    /// Whether nothing of a head was seen yet.
    pub(super) const fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Bytes on the heap.
    pub(super) const fn heap_bytes(&self) -> usize {
        self.held.capacity()
    }

    /// Takes the next bytes.
    pub(super) fn take<'d>(&mut self, data: &'d [u8]) -> Collected<'d> {
        let Some(end) = self.find_end(data) else {
            if self.held.len() + data.len() > MAX_HEAD {
                *self = Self::default();
                return Collected::TooLong;
            }
            self.held.extend_from_slice(data);
            return Collected::More;
        };
        let (head, rest) = data.split_at_checked(end).unwrap_or((data, &[]));
        let mut held = std::mem::take(self).held;
        if held.is_empty() {
            return Collected::Whole(Cow::Borrowed(head), rest);
        }
        held.extend_from_slice(head);
        Collected::Whole(Cow::Owned(held), rest)
    }

    /// Where in `data` the head ends: after an empty line, or after a first line without a version,
    /// which nothing follows (HTTP/0.9).
    fn find_end(&mut self, data: &[u8]) -> Option<usize> {
        for (at, &byte) in data.iter().enumerate() {
            match byte {
                b'\n' if self.in_line => {
                    self.in_line = false;
                    if !self.has_first {
                        self.has_first = true;
                        let last = data.get(..at).unwrap_or_default();
                        if !ends_with_version(&self.held, last) {
                            return Some(at + 1);
                        }
                    }
                }
                b'\n' => return Some(at + 1),
                b'\r' => {}
                _ => self.in_line = true,
            }
        }
        None
    }
}

/// Whether a first line, of which `held` was there before and `last` is its end, names a version of
/// HTTP: a request at its end, a response at its beginning.
fn ends_with_version(held: &[u8], last: &[u8]) -> bool {
    let line = [held, last].concat();
    let is_version = |word: &[u8]| word.starts_with(b"HTTP/");
    is_version(&line) || line.trim_ascii_end().rsplit(|&b| b == b' ').next().is_some_and(is_version)
}

/// A whole head.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head<'h> {
    first: &'h [u8],
    fields: &'h [u8],
}

impl<'h> Head<'h> {
    /// Divides a head into its first line and its fields.
    pub(super) fn new(head: &'h [u8]) -> Self {
        let end = head.iter().position(|&b| b == b'\n').map_or(head.len(), |at| at + 1);
        let (first, fields) = head.split_at_checked(end).unwrap_or((head, &[]));
        Self { first: first.trim_ascii(), fields }
    }

    /// Names and values, in order.
    pub(super) fn fields(&self) -> Fields<'h> {
        Fields(self.fields)
    }

    /// Method, target and version of a request; a target may contain spaces.
    pub(super) fn request(&self) -> Option<Request<'h>> {
        let space = self.first.iter().position(|&b| b == b' ')?;
        let (method, rest) = self.first.split_at_checked(space)?;
        let is_letter = |b: &u8| b.is_ascii_alphabetic() || matches!(b, b'-' | b'_');
        if method.is_empty() || method.len() > 32 || !method.iter().all(is_letter) {
            return None;
        }
        let rest = rest.trim_ascii();
        let last = rest.iter().rposition(|&b| b == b' ').map_or(0, |at| at + 1);
        let word = rest.get(last..).unwrap_or_default();
        let (target, version) = match word.strip_prefix(b"HTTP/") {
            Some(version) => (rest.get(..last).unwrap_or_default().trim_ascii(), Some(version)),
            None => (rest, None),
        };
        (!target.is_empty()).then_some(Request { method, target, version })
    }

    /// Version, status and reason of a response.
    pub(super) fn response(&self) -> Option<Response<'h>> {
        let mut words = self.first.splitn(3, |&b| b == b' ');
        let version = words.next()?.strip_prefix(b"HTTP/")?;
        let digits = words.next()?;
        if digits.len() != 3 || !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let status = digits.iter().fold(0, |sum, b| sum * 10 + u16::from(b - b'0'));
        let reason = words.next().unwrap_or_default().trim_ascii();
        Some(Response { version, status, reason })
    }
}

/// The first line of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Request<'h> {
    pub(super) method: &'h [u8],
    pub(super) target: &'h [u8],
    /// Absent in HTTP/0.9.
    pub(super) version: Option<&'h [u8]>,
}

/// The first line of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Response<'h> {
    pub(super) version: &'h [u8],
    pub(super) status: u16,
    pub(super) reason: &'h [u8],
}

/// The fields of a head; lines that go on (RFC 9112 section 5.2) belong to the value.
#[derive(Debug)]
pub(super) struct Fields<'h>(&'h [u8]);

impl<'h> Iterator for Fields<'h> {
    type Item = (&'h [u8], &'h [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        while !self.0.is_empty() {
            let end = field_end(self.0);
            let (field, rest) = self.0.split_at_checked(end)?;
            self.0 = rest;
            let Some(colon) = field.iter().position(|&b| b == b':') else { continue };
            let (name, value) = field.split_at_checked(colon)?;
            return Some((name.trim_ascii(), value.get(1..).unwrap_or_default().trim_ascii()));
        }
        None
    }
}

/// Where the first field ends: at a line's end that no white space follows.
fn field_end(fields: &[u8]) -> usize {
    let mut from = 0;
    while let Some(length) = fields.get(from..).and_then(|it| it.iter().position(|&b| b == b'\n')) {
        from += length + 1;
        if !matches!(fields.get(from), Some(b' ' | b'\t')) {
            return from;
        }
    }
    fields.len()
}

/// Bytes of a value that are kept for people to read.
const MAX_VALUE: usize = 2048;

/// A value as text.
pub(super) fn value_text(value: &[u8]) -> String {
    let text = text(value, MAX_VALUE);
    // Only a value of several lines has line ends in it.
    if text.contains('\n') { text.split_whitespace().collect::<Vec<_>>().join(" ") } else { text }
}

/// A target with its escapes (RFC 3986 section 2.1) undone.
pub(super) fn unescape(target: &[u8]) -> String {
    let target = target.get(..MAX_VALUE).unwrap_or(target);
    let digit = |at: usize| char::from(*target.get(at)?).to_digit(16);
    let mut bytes = Vec::with_capacity(target.len());
    let mut at = 0;
    while let Some(&byte) = target.get(at) {
        match (byte, digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push((high * 16 + low) as u8);
                at += 3;
            }
            _ => {
                bytes.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn whole(collected: Collected<'_>) -> (Vec<u8>, Vec<u8>) {
        match collected {
            Collected::Whole(head, rest) => (head.into_owned(), rest.to_vec()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn collects_a_head_from_pieces() {
        let mut collector = Collector::default();

        assert_eq!(collector.take(b"GET / HTTP/1.1\r\nHost: a\r"), Collected::More);
        assert_eq!(collector.take(b"\n\r"), Collected::More);
        let (head, rest) = whole(collector.take(b"\nbody"));

        assert_eq!(head, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(rest, b"body");
        assert!(collector.is_empty());
    }

    #[test]
    fn a_request_without_a_version_is_one_line() {
        let (head, rest) = whole(Collector::default().take(b"GET /x\r\nGET /y\r\n"));

        assert_eq!((head.as_slice(), rest.as_slice()), (&b"GET /x\r\n"[..], &b"GET /y\r\n"[..]));
        let request = Head::new(&head).request().unwrap();
        assert_eq!((request.target, request.version), (&b"/x"[..], None));
    }

    #[test]
    fn gives_up_on_endless_heads() {
        let mut collector = Collector::default();
        let line = [&b"GET / HTTP/1.1\r\nA: "[..], &[b'a'; 1000]].concat();

        let too_long = (0..100).any(|_| collector.take(&line) == Collected::TooLong);

        assert!(too_long);
        assert!(collector.is_empty());
    }

    #[test]
    fn reads_targets_with_spaces_and_odd_bytes() {
        let head = b"GET /a b\xff ${x} HTTP/1.0\r\n\r\n";

        let request = Head::new(head).request().unwrap();

        assert_eq!(request.target, b"/a b\xff ${x}");
        assert_eq!(request.version, Some(&b"1.0"[..]));
    }

    #[test]
    fn a_folded_field_is_one() {
        let head = b"GET / HTTP/1.1\r\nTransfer-Encoding:\r\n chunked\r\nno colon\r\nB : c\r\n\r\n";

        let fields: Vec<_> = Head::new(head).fields().collect();

        assert_eq!(fields, [(&b"Transfer-Encoding"[..], &b"chunked"[..]), (&b"B"[..], &b"c"[..])]);
    }

    #[test]
    fn reads_a_response_without_a_reason() {
        let response = Head::new(b"HTTP/1.1 200 \r\n\r\n").response().unwrap();

        assert_eq!(
            (response.status, response.reason, response.version),
            (200, &b""[..], &b"1.1"[..])
        );
        assert_eq!(Head::new(b"HTTP/1.1 2000 x\r\n\r\n").response(), None);
    }

    #[test]
    fn undoes_escapes_once() {
        assert_eq!(unescape(b"/a%20b%2525%4"), "/a b%25%4");
        assert_eq!(unescape(b"%zz%"), "%zz%");
    }

    proptest! {
        #[test]
        fn no_bytes_panic(pieces: Vec<Vec<u8>>) {
            let mut collector = Collector::default();
            for piece in &pieces {
                let mut rest = piece.as_slice();
                while let Collected::Whole(head, more) = collector.take(rest) {
                    let head = Head::new(&head);
                    let _ = (head.request(), head.response(), head.fields().count());
                    prop_assert!(more.len() < rest.len());
                    rest = more;
                }
            }
        }
    }
}

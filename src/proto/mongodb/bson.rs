//! BSON (bsonspec.org 1.1), as far as commands need it: the elements of one document.

use crate::proto::bytes::le32;
use crate::proto::cursor::Cursor;

/// A value that commands and their results use.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Value<'a> {
    Number(f64),
    Text(&'a [u8]),
    Bytes(&'a [u8]),
    Document(&'a [u8]),
    Flag(bool),
    Other,
}

/// The elements of `document`, as many as are there and can be read.
pub(super) fn elements(document: &[u8]) -> Elements<'_> {
    let length = le32(document, 0).map_or(0, |length| length as usize);
    let inside = document.get(4..length.min(document.len())).unwrap_or_default();
    Elements { rest: Cursor::new(inside) }
}

/// How long `document` says it is.
pub(super) fn length(document: &[u8]) -> usize {
    le32(document, 0).map_or(usize::MAX, |length| length.max(5) as usize)
}

pub(super) struct Elements<'a> {
    rest: Cursor<'a>,
}

impl<'a> Iterator for Elements<'a> {
    type Item = (&'a [u8], Value<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let kind = self.rest.u8().filter(|&kind| kind != 0)?;
        let name = self.rest.until_zero()?;
        Some((name, value(kind, &mut self.rest)?))
    }
}

fn value<'a>(kind: u8, rest: &mut Cursor<'a>) -> Option<Value<'a>> {
    Some(match kind {
        0x01 => Value::Number(f64::from_le_bytes(array(rest)?)),
        0x02 | 0x0d | 0x0e => {
            let length = rest.le32()? as usize;
            let text = rest.take_most(length);
            Value::Text(text.strip_suffix(&[0]).unwrap_or(text))
        }
        0x03 | 0x04 => {
            let length = le32(rest.rest(), 0)? as usize;
            Value::Document(rest.take_most(length.max(5)))
        }
        0x05 => {
            let length = rest.le32()? as usize;
            rest.u8()?;
            Value::Bytes(rest.take_most(length))
        }
        0x08 => Value::Flag(rest.u8()? != 0),
        0x10 => Value::Number(f64::from(i32::from_le_bytes(array(rest)?))),
        0x09 | 0x11 | 0x12 => {
            let number = i64::from_le_bytes(array(rest)?);
            if kind == 0x12 { Value::Number(number as f64) } else { Value::Other }
        }
        0x07 => other(rest.take(12)?),
        0x13 => other(rest.take(16)?),
        0x06 | 0x0a | 0x7f | 0xff => Value::Other,
        0x0b => {
            rest.until_zero()?;
            other(rest.until_zero()?)
        }
        0x0f => {
            let length = le32(rest.rest(), 0)? as usize;
            other(rest.take_most(length.max(4)))
        }
        _ => return None,
    })
}

const fn other<'a>(_: &[u8]) -> Value<'a> {
    Value::Other
}

fn array<const N: usize>(rest: &mut Cursor<'_>) -> Option<[u8; N]> {
    rest.take(N)?.first_chunk().copied()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// An element of a document.
    pub(in crate::proto::mongodb) fn element(name: &str, value: Value<'_>) -> Vec<u8> {
        let (kind, body) = match value {
            Value::Number(number) => (1, number.to_le_bytes().to_vec()),
            Value::Text(text) => {
                (2, [&(text.len() as u32 + 1).to_le_bytes()[..], text, &[0]].concat())
            }
            Value::Document(document) => (3, document.to_vec()),
            Value::Bytes(bytes) => {
                (5, [&(bytes.len() as u32).to_le_bytes()[..], &[0], bytes].concat())
            }
            Value::Flag(flag) => (8, vec![u8::from(flag)]),
            Value::Other => (10, vec![]),
        };
        [&[kind][..], name.as_bytes(), &[0], &body].concat()
    }

    /// A document of elements.
    pub(in crate::proto::mongodb) fn document(elements: &[(&str, Value<'_>)]) -> Vec<u8> {
        let body: Vec<u8> =
            elements.iter().flat_map(|(name, value)| element(name, *value)).collect();
        [&(body.len() as u32 + 5).to_le_bytes()[..], &body, &[0]].concat()
    }

    #[test]
    fn reads_what_commands_are_made_of() {
        let inner = document(&[("a", Value::Flag(true))]);
        let data = document(&[
            ("find", Value::Text(b"users")),
            ("n", Value::Number(2.0)),
            ("inner", Value::Document(&inner)),
            ("none", Value::Other),
            ("bytes", Value::Bytes(b"xyz")),
        ]);

        let found: Vec<_> = elements(&data).collect();

        assert_eq!(found[0], (&b"find"[..], Value::Text(b"users")));
        assert_eq!(found[2].1, Value::Document(&inner));
        assert_eq!(found[4].1, Value::Bytes(b"xyz"));
        assert_eq!(found.len(), 5);
    }

    #[test]
    fn a_document_that_is_cut_off_gives_what_is_there() {
        let data = document(&[("a", Value::Number(1.0)), ("b", Value::Text(b"text"))]);

        assert_eq!(elements(&data[..14]).count(), 1);
        assert_eq!(elements(&[]).count(), 0);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(data: Vec<u8>) {
            let _ = elements(&data).count();
        }
    }
}

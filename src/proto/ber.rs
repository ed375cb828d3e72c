//! Walking through BER (X.690), as LDAP, Kerberos and SPNEGO use it: low tags, definite lengths.
//!
//! It is lax on purpose. An element whose content is cut off gives what is there, so that the
//! first fields of a ticket are known though its last kilobytes were not kept.

use super::bytes::{ber, part, text};

/// One element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Element<'a> {
    /// Class, constructed bit and number.
    pub(super) tag: u8,
    /// What is there of its content.
    pub(super) content: &'a [u8],
}

/// The elements that follow each other in some bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Elements<'a>(pub(super) &'a [u8]);

impl<'a> Iterator for Elements<'a> {
    type Item = Element<'a>;

    fn next(&mut self) -> Option<Element<'a>> {
        let (tag, start, length) = ber(self.0)?;
        let content = part(self.0, start, length);
        self.0 = self.0.get(start.saturating_add(length)..).unwrap_or_default();
        Some(Element { tag, content })
    }
}

impl<'a> Elements<'a> {
    /// The first element with `tag` among those that follow; the search goes on behind it.
    pub(super) fn seek(&mut self, tag: u8) -> Option<Element<'a>> {
        self.find(|element| element.tag == tag)
    }

    /// The next element, if it has `tag`.
    pub(super) fn expect(&mut self, tag: u8) -> Option<Element<'a>> {
        self.next().filter(|element| element.tag == tag)
    }
}

impl<'a> Element<'a> {
    /// The elements in it.
    pub(super) const fn elements(self) -> Elements<'a> {
        Elements(self.content)
    }

    /// The first element in it: what an explicit tag wraps.
    pub(super) fn inner(self) -> Option<Element<'a>> {
        self.elements().next()
    }

    /// Its value as an INTEGER or ENUMERATED that fits 64 bits.
    pub(super) fn integer(self) -> Option<i64> {
        let first = *self.content.first()?;
        if self.content.len() > 8 {
            return None;
        }
        let sign = if first & 0x80 == 0 { 0 } else { -1i64 };
        Some(self.content.iter().fold(sign, |sum, &byte| (sum << 8) | i64::from(byte)))
    }

    /// Its value as text of at most `limit` bytes.
    pub(super) fn text(self, limit: usize) -> String {
        text(self.content, limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn walks_through_siblings_and_into_them() {
        let data = [0x30, 5, 2, 1, 7, 5, 0, 4, 2, b'a', b'b'];
        let mut elements = Elements(&data);

        let sequence = elements.next().unwrap();

        assert_eq!(sequence.inner().and_then(Element::integer), Some(7));
        assert_eq!(elements.seek(4).map(|found| found.text(9)), Some("ab".to_owned()));
        assert_eq!(elements.next(), None);
    }

    #[test]
    fn gives_what_is_there_of_what_is_cut_off() {
        let data = [0x30, 0x82, 0x10, 0, 0x04, 0x20, b'x'];

        let element = Elements(&data).next().and_then(Element::inner).unwrap();

        assert_eq!(element, Element { tag: 4, content: b"x" });
    }

    #[test]
    fn reads_signed_numbers() {
        let integer = |content| Element { tag: 2, content }.integer();

        assert_eq!(integer(&[0xff, 0x76]), Some(-138));
        assert_eq!(integer(&[0, 0x80]), Some(128));
        assert_eq!(integer(&[0; 9]), None);
        assert_eq!(integer(&[]), None);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(data: Vec<u8>) {
            for element in Elements(&data) {
                let _ = (element.integer(), element.text(16));
                prop_assert!(element.elements().count() <= element.content.len());
            }
        }
    }
}

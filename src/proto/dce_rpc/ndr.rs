//! Arguments of calls in NDR (C706 chapter 14), as far as names and paths go.
//!
//! Only what comes before the wanted argument is walked over, and whatever does not fit ends the
//! walk: an argument that is not where the documentation puts it is not guessed.

use crate::proto::bytes::{le16, le32, part, text, utf16};

/// Units of a string that are kept.
pub(super) const TEXT_LIMIT: usize = 512;

/// Walks over the arguments of a call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arguments<'a> {
    data: &'a [u8],
    at: usize,
}

impl<'a> Arguments<'a> {
    pub(super) const fn new(data: &'a [u8]) -> Self {
        Self { data, at: 0 }
    }

    /// What is left.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.data.get(self.at..).unwrap_or_default()
    }

    /// Passes over `bytes` bytes.
    pub(super) fn skip(&mut self, bytes: usize) -> Option<()> {
        let next = self.at.saturating_add(bytes);
        self.at = next.min(self.data.len());
        (next == self.at).then_some(())
    }

    /// Passes over the 20 bytes of a context handle.
    pub(super) fn handle(&mut self) -> Option<()> {
        self.align(4);
        self.skip(20)
    }

    /// A number of 32 bits.
    pub(super) fn u32(&mut self) -> Option<u32> {
        self.align(4);
        let value = le32(self.data, self.at)?;
        self.at += 4;
        Some(value)
    }

    /// A number of 16 bits.
    pub(super) fn u16(&mut self) -> Option<u16> {
        self.align(2);
        let value = le16(self.data, self.at)?;
        self.at += 2;
        Some(value)
    }

    /// A string of UTF-16: its size, an offset of 0, its length, its units.
    pub(super) fn wide(&mut self) -> Option<String> {
        let bytes = self.counted(2)?;
        Some(utf16(bytes, TEXT_LIMIT))
    }

    /// A string of 8-bit characters.
    pub(super) fn narrow(&mut self) -> Option<String> {
        let bytes = self.counted(1)?;
        Some(text(bytes, TEXT_LIMIT))
    }

    /// A string behind a pointer, whose target follows at once; `Some(None)` if it is null.
    pub(super) fn wide_if_any(&mut self) -> Option<Option<String>> {
        match self.u32()? {
            0 => Some(None),
            _ => self.wide().map(Some),
        }
    }

    /// The same of 8-bit characters.
    pub(super) fn narrow_if_any(&mut self) -> Option<Option<String>> {
        match self.u32()? {
            0 => Some(None),
            _ => self.narrow().map(Some),
        }
    }

    /// An RPC_UNICODE_STRING ([MS-DTYP] 2.3.10) whose characters follow at once.
    pub(super) fn counted_wide(&mut self) -> Option<String> {
        self.align(4);
        let length = usize::from(self.u16()?) / 2;
        self.u16()?;
        match self.u32()? {
            0 => Some(String::new()),
            _ => {
                let bytes = self.counted(2)?;
                Some(utf16(bytes, length.min(TEXT_LIMIT)))
            }
        }
    }

    /// A BSTR behind a pointer ([MS-OAUT] 2.2.23.2): its size twice, and once in bytes.
    pub(super) fn bstr(&mut self) -> Option<String> {
        if self.u32()? == 0 {
            return Some(String::new());
        }
        self.u32()?;
        let (_, units) = (self.u32()?, self.u32()?);
        let bytes = self.take(units, 2)?;
        Some(utf16(bytes, TEXT_LIMIT))
    }

    /// An array of bytes: its size, then they.
    pub(super) fn bytes(&mut self) -> Option<&'a [u8]> {
        let size = self.u32()?;
        self.take(size, 1)
    }

    fn counted(&mut self, width: usize) -> Option<&'a [u8]> {
        let (size, offset, length) = (self.u32()?, self.u32()?, self.u32()?);
        if offset != 0 || length > size {
            return None;
        }
        self.take(length, width)
    }

    fn take(&mut self, count: u32, width: usize) -> Option<&'a [u8]> {
        let bytes = (count as usize).checked_mul(width)?;
        let out = part(self.data, self.at, bytes);
        // What is cut off still has a beginning, and nothing behind it.
        self.at = self.at.saturating_add(bytes).min(self.data.len());
        Some(out)
    }

    const fn align(&mut self, to: usize) {
        self.at = self.at.next_multiple_of(to);
    }
}

/// The strings of UTF-16 in some arguments, wherever they are: at most `limit` of them.
///
/// A string is told from other bytes by its three counts and by being mostly ASCII. It serves calls
/// whose structures are too deep to walk, as a printer driver's or a method's arguments.
pub(super) fn strings(data: &[u8], limit: usize) -> Vec<String> {
    let mut found = Vec::new();
    let mut at = 0;
    while at + 16 <= data.len() && found.len() < limit {
        let units = string_at(data, at);
        match units {
            Some(units) => {
                found.push(utf16(part(data, at + 12, units * 2), TEXT_LIMIT));
                at = (at + 12 + units * 2).next_multiple_of(4);
            }
            None => at += 4,
        }
    }
    found
}

/// Units of the longest string that is looked for: command lines with encoded scripts are long.
const LONGEST: u32 = 16 * 1024;
/// Units by which text is told from other numbers: most of what names and runs things is ASCII.
const SAMPLE: usize = 32;

/// How many units the string at `at` has, if one is there.
fn string_at(data: &[u8], at: usize) -> Option<usize> {
    let (size, middle, length) = (le32(data, at)?, le32(data, at + 4)?, le32(data, at + 8)?);
    // A conformant and varying string has an offset of 0 in the middle, a BSTR its size in bytes.
    let is_bstr = size == length && middle == length.wrapping_mul(2);
    let is_string = middle == 0 && length <= size;
    if !(2..=LONGEST).contains(&length) || !(is_bstr || is_string) {
        return None;
    }
    let units = (0..(length as usize).min(SAMPLE)).map_while(|unit| le16(data, at + 12 + 2 * unit));
    let (mut total, mut plain) = (0, 0);
    for unit in units.take_while(|&unit| unit != 0) {
        if unit < 0x20 || (0xd800..0xf900).contains(&unit) {
            return None;
        }
        total += 1;
        plain += usize::from(unit < 0x7f);
    }
    (2 * plain > total).then_some(length as usize)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A string as [`Arguments::wide`] reads it, padded to 4 bytes.
    pub(in crate::proto) fn wide(text: &str) -> Vec<u8> {
        let mut units: Vec<u16> = text.encode_utf16().collect();
        units.push(0);
        let count = (units.len() as u32).to_le_bytes();
        let mut out = [&count[..], &[0; 4], &count].concat();
        out.extend(units.into_iter().flat_map(u16::to_le_bytes));
        out.resize(out.len().next_multiple_of(4), 0);
        out
    }

    #[test]
    fn walks_over_arguments() {
        let data =
            [vec![0; 20], wide("svc"), vec![1, 0, 0, 0], wide("shown"), vec![7, 0, 0, 0]].concat();
        let mut arguments = Arguments::new(&data);

        arguments.handle().unwrap();
        assert_eq!(arguments.wide().as_deref(), Some("svc"));
        assert_eq!(arguments.wide_if_any(), Some(Some("shown".to_owned())));
        assert_eq!(arguments.u32(), Some(7));
        assert_eq!(arguments.u32(), None);
    }

    #[test]
    fn a_null_pointer_is_no_string() {
        assert_eq!(Arguments::new(&[0; 4]).wide_if_any(), Some(None));
        assert_eq!(Arguments::new(&[0; 4]).bstr().as_deref(), Some(""));
        assert_eq!(Arguments::new(&[0; 8]).counted_wide().as_deref(), Some(""));
    }

    #[test]
    fn an_array_ends_where_its_size_says() {
        let mut arguments = Arguments::new(&[3, 0, 0, 0, b'a', b'b', b'c', 0xbf, 9, 0, 0, 0]);

        assert_eq!(arguments.bytes(), Some(&b"abc"[..]));
        assert_eq!(arguments.u32(), Some(9));
    }

    #[test]
    fn gives_the_beginning_of_a_string_that_is_cut_off() {
        let data = wide("C:\\Windows\\long name");

        assert_eq!(Arguments::new(&data[..32]).wide().as_deref(), Some("C:\\Windows"));
    }

    #[test]
    fn takes_no_numbers_for_text() {
        let pointers =
            [&[5, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0][..], b"UserUserUserUserUser"].concat();

        assert_eq!(strings(&pointers, 9), Vec::<String>::new());
        assert_eq!(strings(&[3; 64], 9), Vec::<String>::new());
    }

    #[test]
    fn finds_strings_among_other_things() {
        let data = [vec![9; 12], wide("one"), vec![0; 8], wide("two"), vec![0xff; 16]].concat();

        assert_eq!(strings(&data, 9), ["one", "two"]);
        assert_eq!(strings(&data, 1), ["one"]);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(data: Vec<u8>, skip: u16) {
            let mut arguments = Arguments::new(&data);
            let _ = arguments.skip(usize::from(skip) % 32);
            let _ = (arguments.wide(), arguments.narrow_if_any(), arguments.counted_wide());
            let _ = (arguments.bstr(), arguments.handle(), arguments.rest());
            let _ = strings(&data, 8);
        }
    }
}

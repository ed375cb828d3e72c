//! Reading numbers out of captured bytes without ever running past them.

/// The big-endian 16-bit number at `at`.
pub(super) fn be16(data: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*data.get(at..)?.first_chunk()?))
}

/// The little-endian 16-bit number at `at`.
pub(super) fn le16(data: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*data.get(at..)?.first_chunk()?))
}

/// The big-endian 32-bit number at `at`.
pub(super) fn be32(data: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*data.get(at..)?.first_chunk()?))
}

/// The little-endian 32-bit number at `at`.
pub(super) fn le32(data: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*data.get(at..)?.first_chunk()?))
}

/// The little-endian 64-bit number at `at`.
pub(super) fn le64(data: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*data.get(at..)?.first_chunk()?))
}

/// What is there of the `length` bytes at `at`: captures and messages are cut off.
pub(super) fn part(data: &[u8], at: usize, length: usize) -> &[u8] {
    let rest = data.get(at..).unwrap_or_default();
    rest.get(..length).unwrap_or(rest)
}

/// Little-endian UTF-16 up to its first NUL, at most `limit` units of it.
pub(super) fn utf16(data: &[u8], limit: usize) -> String {
    let (units, _) = data.as_chunks::<2>();
    let units = units.iter().map(|&pair| u16::from_le_bytes(pair)).take_while(|&unit| unit != 0);
    char::decode_utf16(units.take(limit))
        .map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect()
}

/// Text of an 8-bit alphabet up to its first NUL, at most `limit` bytes of it.
pub(super) fn text(data: &[u8], limit: usize) -> String {
    let data = part(data, 0, limit);
    let end = data.iter().position(|&b| b == 0).unwrap_or(data.len());
    String::from_utf8_lossy(part(data, 0, end)).into_owned()
}

/// `text`, unless it is empty.
pub(super) fn filled(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

/// The byte at `at`.
pub(super) fn byte(data: &[u8], at: usize) -> Option<u8> {
    data.get(at).copied()
}

/// Whether `data` begins with `prefix`, letters compared without case.
pub(super) fn starts_with_any_case(data: &[u8], prefix: &[u8]) -> bool {
    data.get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix))
}

/// Whether `needle` occurs in `data`.
pub(super) fn contains(data: &[u8], needle: &[u8]) -> bool {
    !needle.is_empty() && data.windows(needle.len()).any(|window| window == needle)
}

/// The first line of `data` without its end, or all of it.
pub(super) fn first_line(data: &[u8]) -> &[u8] {
    let end = data.iter().position(|&b| b == b'\n').unwrap_or(data.len());
    let line = data.get(..end).unwrap_or(data);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// The tag and content of the BER element at the start of `data`: (tag, content start, length).
pub(super) fn ber(data: &[u8]) -> Option<(u8, usize, usize)> {
    let tag = byte(data, 0)?;
    let first = byte(data, 1)?;
    if first < 0x80 {
        return Some((tag, 2, usize::from(first)));
    }
    let count = usize::from(first & 0x7f);
    if !(1..=4).contains(&count) {
        return None;
    }
    let digits = data.get(2..2 + count)?;
    let length = digits.iter().fold(0usize, |sum, &b| (sum << 8) | usize::from(b));
    Some((tag, 2 + count, length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_nothing_past_the_end() {
        assert_eq!(be16(&[1], 0), None);
        assert_eq!(be32(&[0, 0, 1, 2], 0), Some(258));
        assert_eq!(be32(&[0, 0, 1, 2], 1), None);
        assert_eq!(le16(&[2, 1], 0), Some(258));
        assert_eq!(le32(&[], usize::MAX), None);
    }

    #[test]
    fn reads_text_up_to_its_end_and_no_further_than_allowed() {
        assert_eq!(utf16(b"a\0b\0\0\0c\0", 9), "ab");
        assert_eq!(utf16(b"a\0b\0c", 9), "ab");
        assert_eq!(utf16(b"a\0b\0c\0", 2), "ab");
        assert_eq!(utf16(&[0x00, 0xd8], 9), "\u{fffd}");
        assert_eq!(text(b"ab\0c", 9), "ab");
        assert_eq!(text(b"abc", 2), "ab");
        assert_eq!(part(b"abc", 1, 9), b"bc");
        assert_eq!(part(b"abc", 7, 9), b"");
    }

    #[test]
    fn reads_long_and_short_ber_lengths() {
        assert_eq!(ber(&[0x30, 3, 0, 0, 0]), Some((0x30, 2, 3)));
        assert_eq!(ber(&[0x30, 0x84, 0, 0, 1, 0]), Some((0x30, 6, 256)));
        assert_eq!(ber(&[0x30, 0x85, 0, 0, 0, 1, 0]), None);
    }
}

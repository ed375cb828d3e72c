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
    fn reads_long_and_short_ber_lengths() {
        assert_eq!(ber(&[0x30, 3, 0, 0, 0]), Some((0x30, 2, 3)));
        assert_eq!(ber(&[0x30, 0x84, 0, 0, 1, 0]), Some((0x30, 6, 256)));
        assert_eq!(ber(&[0x30, 0x85, 0, 0, 0, 1, 0]), None);
    }
}

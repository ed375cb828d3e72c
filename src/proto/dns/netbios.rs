//! What the NetBIOS name service (RFC 1002 section 4.2) has of its own: names in half bytes, and
//! two kinds of records.

use std::net::Ipv4Addr;

use super::super::bytes::{byte, part};
use super::message::printable;

/// Bytes of a name; the sixteenth is a suffix that says what it is for.
const NAME: usize = 15;

/// Names of a node that are kept.
const MAX_NAMES: usize = 16;

/// A name of 32 letters, two for each byte (RFC 1001 section 14.1), without its padding and suffix.
pub(super) fn decode(encoded: &str) -> Option<String> {
    let letters = encoded.split('.').next()?.as_bytes().get(..2 * NAME + 2)?;
    let half = |letter: u8| letter.to_ascii_uppercase().checked_sub(b'A').filter(|half| *half < 16);
    let (pairs, _) = letters.as_chunks::<2>();
    let bytes = pairs.iter().map(|&[high, low]| Some((half(high)? << 4) | half(low)?));
    let bytes: Vec<u8> = bytes.collect::<Option<_>>()?;
    Some(trimmed(&bytes))
}

/// A name as it stands in a list of names, without padding and suffix.
fn trimmed(name: &[u8]) -> String {
    let name = part(name, 0, NAME);
    let end = name.iter().rposition(|b| !matches!(b, b' ' | 0)).map_or(0, |last| last + 1);
    printable(part(name, 0, end).to_vec())
}

/// The first address of an address record: flags, then the address.
pub(super) fn address(data: &[u8]) -> Option<String> {
    let octets = *data.get(2..)?.first_chunk::<4>()?;
    Some(Ipv4Addr::from(octets).to_string())
}

/// The names of a node: a count, then names of 16 bytes with two of flags.
pub(super) fn names(data: &[u8]) -> Option<String> {
    let count = usize::from(byte(data, 0)?).min(MAX_NAMES);
    let entries = data.get(1..)?.chunks_exact(NAME + 3).take(count);
    let mut names: Vec<String> = entries.map(trimmed).collect();
    names.dedup();
    (!names.is_empty()).then(|| names.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_half_bytes_of_either_case() {
        let workgroup = "fhepfcelehfcepfffacacacacacacaaa";

        assert_eq!(decode(workgroup).as_deref(), Some("WORKGROUP"));
        assert_eq!(decode(&workgroup.to_uppercase()).as_deref(), Some("WORKGROUP"));
        assert_eq!(decode("ckaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa").as_deref(), Some("*"));
        assert_eq!(decode("www.example.com"), None);
        assert_eq!(decode("zhepfcelehfcepfffacacacacacacaaa"), None);
    }

    #[test]
    fn reads_addresses_and_names() {
        let data =
            [&b"\x02"[..], b"HOST           \0\x04\0", b"HOST           \x20\x04\0"].concat();

        assert_eq!(address(&[0, 0, 192, 0, 2, 7]).as_deref(), Some("192.0.2.7"));
        assert_eq!(names(&data).as_deref(), Some("HOST"));
        assert_eq!(names(b"\xff"), None);
    }
}

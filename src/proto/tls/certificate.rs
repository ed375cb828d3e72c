//! Whose certificate it is and who signed it: the two names of X.509 (RFC 5280 section 4.1), written
//! as RFC 4514 and Zeek write them.
//!
//! Only the way to these two is read. A full parser for the rest would tell nothing about worms.

use std::borrow::Cow;
use std::fmt::Write;

use crate::proto::bytes::ber;
use crate::proto::render::hex;

/// A name is cut off here.
const MAX_NAME: usize = 1024;
/// A name has a handful of parts.
const MAX_PARTS: usize = 64;

/// The names in a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Names {
    pub(super) subject: String,
    pub(super) issuer: String,
}

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const OID: u8 = 0x06;

impl Names {
    /// Reads the names of a DER certificate, of which the end may be missing.
    pub(super) fn read(certificate: &[u8]) -> Option<Self> {
        let mut certificate = Der::new(certificate).enter(SEQUENCE)?.enter(SEQUENCE)?;
        // Version, serial number, algorithm; the version may be left out.
        let (tag, _) = certificate.next()?;
        if tag == 0xa0 {
            certificate.next()?;
        }
        certificate.next()?;
        let (_, issuer) = certificate.next()?;
        certificate.next()?;
        let (_, subject) = certificate.next()?;
        Some(Self { subject: name(subject), issuer: name(issuer) })
    }
}

/// The parts of a Name, last first (RFC 4514 section 2.1).
fn name(data: &[u8]) -> String {
    let mut parts = Vec::new();
    let mut sets = Der::new(data);
    while let Some((SET, set)) = sets.next() {
        let mut values = Vec::new();
        let mut pairs = Der::new(set);
        while let Some((SEQUENCE, pair)) = pairs.next() {
            let mut pair = Der::new(pair);
            if let (Some((OID, oid)), Some((tag, value))) = (pair.next(), pair.next()) {
                values.push(attribute(oid, tag, value));
            }
            if values.len() >= MAX_PARTS {
                break;
            }
        }
        parts.push(values.join("+"));
        if parts.len() >= MAX_PARTS {
            break;
        }
    }
    parts.reverse();
    let mut joined = parts.join(",");
    let end = joined.char_indices().nth(MAX_NAME).map_or(joined.len(), |(at, _)| at);
    joined.truncate(end);
    joined
}

fn attribute(oid: &[u8], tag: u8, value: &[u8]) -> String {
    match attribute_type(oid) {
        Some(kind) => format!("{kind}={}", escaped(&string(tag, value))),
        None => {
            let shown = value.get(..MAX_NAME / 2).unwrap_or(value);
            format!("{}=#{tag:02x}{:02x}{}", dotted(oid), value.len(), hex(shown))
        }
    }
}

/// The short names that OpenSSL prints.
fn attribute_type(oid: &[u8]) -> Option<&'static str> {
    Some(match oid {
        [0x55, 4, last] => match last {
            3 => "CN",
            4 => "SN",
            5 => "serialNumber",
            6 => "C",
            7 => "L",
            8 => "ST",
            9 => "street",
            10 => "O",
            11 => "OU",
            12 => "title",
            13 => "description",
            15 => "businessCategory",
            17 => "postalCode",
            18 => "postOfficeBox",
            41 => "name",
            42 => "GN",
            43 => "initials",
            46 => "dnQualifier",
            65 => "pseudonym",
            97 => "organizationIdentifier",
            _ => return None,
        },
        // 1.2.840.113549.1.9.1 and .2
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 1] => "emailAddress",
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 2] => "unstructuredName",
        // 0.9.2342.19200300.100.1.1 and .25
        [0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 1] => "UID",
        [0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 25] => "DC",
        // 1.3.6.1.4.1.311.60.2.1.1 to .3
        [0x2b, 6, 1, 4, 1, 0x82, 0x37, 60, 2, 1, 1] => "jurisdictionL",
        [0x2b, 6, 1, 4, 1, 0x82, 0x37, 60, 2, 1, 2] => "jurisdictionST",
        [0x2b, 6, 1, 4, 1, 0x82, 0x37, 60, 2, 1, 3] => "jurisdictionC",
        _ => return None,
    })
}

fn string(tag: u8, value: &[u8]) -> Cow<'_, str> {
    let value = value.get(..4 * MAX_NAME).unwrap_or(value);
    match tag {
        // BMPString and UniversalString: two and four bytes a character.
        0x1e => {
            let (pairs, _) = value.as_chunks();
            let units = pairs.iter().map(|pair| u16::from_be_bytes(*pair));
            char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
        }
        0x1c => {
            let (words, _) = value.as_chunks();
            let letters = words.iter().map(|word| char::from_u32(u32::from_be_bytes(*word)));
            letters.map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
        }
        // TeletexString, in practice Latin-1.
        0x14 => value.iter().map(|&byte| char::from(byte)).collect(),
        _ => String::from_utf8_lossy(value),
    }
}

/// RFC 4514 section 2.4; control characters as their codes.
fn escaped(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    let last = value.chars().count().saturating_sub(1);
    for (at, letter) in value.chars().enumerate() {
        let is_edge = (letter == ' ' && (at == 0 || at == last)) || (letter == '#' && at == 0);
        if letter.is_control() {
            let _ = write!(out, "\\{:02X}", u32::from(letter));
            continue;
        }
        if is_edge || matches!(letter, ',' | '+' | '"' | '\\' | '<' | '>' | ';') {
            out.push('\\');
        }
        out.push(letter);
    }
    out
}

fn dotted(oid: &[u8]) -> String {
    let mut out = String::new();
    let mut number = 0u64;
    for &byte in oid.iter().take(MAX_PARTS) {
        number = number.wrapping_shl(7) | u64::from(byte & 0x7f);
        if byte & 0x80 != 0 {
            continue;
        }
        let _ = if out.is_empty() {
            let first = (number / 40).min(2);
            write!(out, "{first}.{}", number - first * 40)
        } else {
            write!(out, ".{number}")
        };
        number = 0;
    }
    out
}

/// The elements of a piece of DER.
#[derive(Clone, Copy)]
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    const fn new(data: &'a [u8]) -> Self {
        Self(data)
    }

    /// Tag and content of the next element; of a content that is cut off, what is there.
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (tag, start, length) = ber(self.0)?;
        let content = self.0.get(start..)?;
        let (content, rest) = content.split_at(length.min(content.len()));
        self.0 = rest;
        Some((tag, content))
    }

    fn enter(mut self, tag: u8) -> Option<Self> {
        self.next().filter(|(found, _)| *found == tag).map(|(_, content)| Self(content))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    fn element(tag: u8, content: &[u8]) -> Vec<u8> {
        let mut out = vec![tag, 0x82];
        out.extend((content.len() as u16).to_be_bytes());
        out.extend(content);
        out
    }

    fn part(oid: &[u8], tag: u8, value: &[u8]) -> Vec<u8> {
        let pair = [element(OID, oid), element(tag, value)].concat();
        element(SET, &element(SEQUENCE, &pair))
    }

    /// A certificate as far as its subject.
    pub(in crate::proto::tls) fn certificate(issuer: &str, subject: &str) -> Vec<u8> {
        let issuer =
            [part(&[0x55, 4, 6], 0x13, b"DE"), part(&[0x55, 4, 3], 0x0c, issuer.as_bytes())];
        let subject = part(&[0x55, 4, 3], 0x0c, subject.as_bytes());
        let body = [
            element(0xa0, &[2, 1, 2]),
            element(2, &[1]),
            element(SEQUENCE, &[]),
            element(SEQUENCE, &issuer.concat()),
            element(SEQUENCE, &[]),
            element(SEQUENCE, &subject),
        ];
        element(SEQUENCE, &element(SEQUENCE, &body.concat()))
    }

    #[test]
    fn reads_both_names_in_reverse() {
        let names = Names::read(&certificate("Some, CA", "host.example")).unwrap();

        assert_eq!(names.issuer, "CN=Some\\, CA,C=DE");
        assert_eq!(names.subject, "CN=host.example");
    }

    #[test]
    fn shows_attributes_that_have_no_name() {
        assert_eq!(attribute(&[0x2a, 3, 4], 0x13, b"x"), "1.2.3.4=#130178");
        assert_eq!(attribute(&[0x55, 4, 3], 0x1e, &[0, 65, 0, 66]), "CN=AB");
        assert_eq!(escaped(" a\n#"), "\\ a\\0A#");
    }

    #[test]
    fn lies_about_lengths_do_no_harm() {
        let mut lying = certificate("ca", "host");
        lying[2] = 0xff;
        assert!(Names::read(&lying).is_some());

        let whole = certificate("ca", "host");
        for end in 0..whole.len() {
            let _ = Names::read(&whole[..end]);
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(data: Vec<u8>, at: u16, byte: u8) {
            let _ = Names::read(&data);
            let mut bent = certificate("ca", "host");
            let place = usize::from(at) % bent.len();
            bent[place] = byte;
            let _ = Names::read(&bent);
        }
    }
}

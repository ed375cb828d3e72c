//! JA4, the fingerprint of a TLS client (FoxIO, 2023): the one of its family under BSD-3-Clause.
//!
//! Sorted, so that clients that shuffle their extensions look like themselves; without the numbers
//! of RFC 8701, which are random by design.

use sha2::{Digest, Sha256};

use super::hello::{ClientHello, PROTOCOLS, SERVER_NAME, is_grease};
use crate::proto::render::hex;

/// The fingerprint of `hello`; `transport` is `t` for TCP, `d` for DTLS, `q` for QUIC.
pub(super) fn ja4(hello: &ClientHello, transport: char) -> String {
    let suites = sorted(&hello.suites, |_| true);
    let all = hello.extensions.iter().filter(|&&kind| !is_grease(kind)).count();
    let extensions = sorted(&hello.extensions, |kind| kind != SERVER_NAME && kind != PROTOCOLS);
    let signatures: Vec<String> =
        hello.signatures.iter().filter(|&&s| !is_grease(s)).map(|s| format!("{s:04x}")).collect();
    let mut behind = extensions.join(",");
    if !signatures.is_empty() {
        behind.push('_');
        behind.push_str(&signatures.join(","));
    }
    format!(
        "{transport}{}{}{:02}{:02}{}_{}_{}",
        version(hello),
        if hello.extensions.contains(&SERVER_NAME) { 'd' } else { 'i' },
        suites.len().min(99),
        all.min(99),
        protocol(hello.protocols.as_deref()),
        short_hash(&suites.join(",")),
        // Without extensions there is nothing to hash.
        if all == 0 { NOTHING.to_owned() } else { short_hash(&behind) },
    )
}

const NOTHING: &str = "000000000000";

fn sorted(numbers: &[u16], keep: impl Fn(u16) -> bool) -> Vec<String> {
    let mut kept: Vec<u16> =
        numbers.iter().copied().filter(|&number| !is_grease(number) && keep(number)).collect();
    kept.sort_unstable();
    kept.iter().map(|number| format!("{number:04x}")).collect()
}

fn short_hash(text: &str) -> String {
    if text.is_empty() {
        return NOTHING.to_owned();
    }
    let digest = Sha256::digest(text.as_bytes());
    hex(digest.first_chunk::<6>().map_or(&[][..], |start| start))
}

fn version(hello: &ClientHello) -> &'static str {
    let offered = hello.versions.iter().copied().filter(|&version| !is_grease(version)).max();
    match offered.unwrap_or(hello.version) {
        0x0304 => "13",
        0x0303 => "12",
        0x0302 => "11",
        0x0301 => "10",
        0x0300 => "s3",
        0x0002 => "s2",
        0xfeff => "d1",
        0xfefd => "d2",
        0xfefc => "d3",
        _ => "00",
    }
}

/// First and last character of the first protocol, of its hexadecimal digits if one is no letter or
/// digit.
fn protocol(name: Option<&[u8]>) -> String {
    let Some((&first, &last)) = name.and_then(|name| name.first().zip(name.last())) else {
        return "00".to_owned();
    };
    if first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric() {
        return format!("{}{}", char::from(first), char::from(last));
    }
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0');
    format!("{}{}", digit(first >> 4), digit(last & 0xf))
}

#[cfg(test)]
mod tests {
    use super::super::hello::tests::client_hello;
    use super::*;

    #[test]
    fn agrees_with_the_published_example() {
        let suites = [
            0x2a2a, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013,
            0xc014, 0x009c, 0x009d, 0x002f, 0x0035,
        ];
        let extra = [
            0x9a9a, 0x001b, 0x0033, 0x4469, 0x0017, 0x002d, 0x0005, 0x0023, 0x0012, 0x000b, 0xff01,
            0x000a, 0x0015,
        ];

        let hello = ClientHello::read(&client_hello(&suites, &extra), false).unwrap();

        assert_eq!(ja4(&hello, 't'), "t13d1516h2_8daaf6152771_e5627efa2ab1");
    }

    #[test]
    fn has_a_form_for_what_is_missing() {
        let hello = ClientHello { version: 0x0301, ..ClientHello::default() };

        assert_eq!(ja4(&hello, 't'), "t10i000000_000000000000_000000000000");
        assert_eq!(protocol(Some(&[0xab, 0xcd])), "ad");
        assert_eq!(protocol(Some(b"h")), "hh");
        assert_eq!(protocol(Some(b"")), "00");
    }
}

//! TLS over streams and datagrams: what tells it, and what its handshake shows.

mod certificate;
mod datagrams;
mod dissect;
mod handshake;
mod hello;
mod ja4;
mod names;
mod records;
mod suites;

pub(super) use dissect::Dissection;

use super::bytes::{be16, byte};
use super::{Ports, Protocol, Verdict};

/// The largest record that TLS 1.2 allows (RFC 5246 section 6.2.3).
const MAX_RECORD: u16 = 16_384 + 2048;

/// TLS records (RFC 8446 section 5.1), and the SSL 2 greeting that old clients still send.
pub(super) fn stream(data: &[u8], _: Ports) -> Verdict {
    let verdict = record(data, 3, 0..=4);
    if verdict != Verdict::Unknown {
        return verdict;
    }
    // SSL 2: length with the high bit set, CLIENT-HELLO, version 2 or 3.x, 9 bytes of lengths.
    let is_hello = byte(data, 0).is_some_and(|b| b & 0x80 != 0) && byte(data, 2) == Some(1);
    let version = be16(data, 3);
    let specs = be16(data, 5).is_some_and(|length| length > 0 && length % 3 == 0 && length < 512);
    if is_hello && matches!(version, Some(0x0002 | 0x0300..=0x0303)) && specs {
        return Verdict::client(Protocol::Ssl);
    }
    Verdict::Unknown
}

fn record(data: &[u8], major: u8, minors: std::ops::RangeInclusive<u8>) -> Verdict {
    let Some(kind @ 0x14..=0x18) = byte(data, 0) else { return Verdict::Unknown };
    let version = (byte(data, 1), byte(data, 2));
    if version.0.is_some_and(|b| b != major) || version.1.is_some_and(|b| !minors.contains(&b)) {
        return Verdict::Unknown;
    }
    let Some(length) = be16(data, 3) else { return Verdict::NeedMore };
    if length == 0 || length > MAX_RECORD {
        return Verdict::Unknown;
    }
    match (kind, byte(data, 5)) {
        (0x16, None) => Verdict::NeedMore,
        (0x16, Some(1 | 16)) => Verdict::client(Protocol::Ssl),
        (0x16, Some(2 | 11 | 12 | 13 | 14 | 22)) => Verdict::server(Protocol::Ssl),
        // A handshake message after the cipher change is encrypted and looks like anything.
        (0x16, Some(_)) if length < 2048 => Verdict::either(Protocol::Ssl),
        (0x14, _) if length == 1 => Verdict::either(Protocol::Ssl),
        (0x15, _) if length == 2 || length < 64 => Verdict::either(Protocol::Ssl),
        (0x17, _) => Verdict::either(Protocol::Ssl),
        (0x18, _) if length < 16_384 => Verdict::either(Protocol::Ssl),
        _ => Verdict::Unknown,
    }
}

/// DTLS records (RFC 6347 section 4.1): version counted down from 254, epoch and sequence number.
pub(super) fn datagram(data: &[u8], _: Ports) -> Verdict {
    let kind = byte(data, 0);
    let is_version = matches!(be16(data, 1), Some(0xfeff | 0xfefd | 0x0100));
    let fits = be16(data, 11).is_some_and(|length| {
        length > 0 && length <= MAX_RECORD && usize::from(length) + 13 <= data.len()
    });
    if !matches!(kind, Some(0x14..=0x17)) || !is_version || !fits {
        return Verdict::Unknown;
    }
    match (kind, byte(data, 13)) {
        (Some(0x16), Some(1)) => Verdict::client(Protocol::Ssl),
        (Some(0x16), Some(2 | 3)) => Verdict::server(Protocol::Ssl),
        _ => Verdict::either(Protocol::Ssl),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PORTS: Ports = Ports { sender: 40_000, receiver: 40_001 };

    #[test]
    fn tells_the_hello_of_either_side() {
        let client = [0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3];
        let server = [0x16, 3, 3, 0, 0x5a, 2, 0, 0, 0x56, 3, 3];

        assert_eq!(stream(&client, PORTS), Verdict::client(Protocol::Ssl));
        assert_eq!(stream(&server, PORTS), Verdict::server(Protocol::Ssl));
        assert_eq!(stream(&[0x17, 3, 3, 0, 40, 9, 9], PORTS), Verdict::either(Protocol::Ssl));
        assert_eq!(stream(&client[..4], PORTS), Verdict::NeedMore);
    }

    #[test]
    fn refuses_lengths_that_no_record_has() {
        assert_eq!(stream(&[0x17, 3, 3, 0xff, 0xff, 0], PORTS), Verdict::Unknown);
        assert_eq!(stream(&[0x17, 3, 9, 0, 40, 0], PORTS), Verdict::Unknown);
    }
}

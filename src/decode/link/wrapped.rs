//! Link types that wrap another one or a bare packet in a few bytes of their own.

use super::{Head, Layer, Step, Stepped, any_ip};
use crate::decode::Skip;
use crate::decode::bytes::be16;
use crate::source::LinkType;

/// Per-Packet Information: a header that names the type of what follows (little-endian throughout).
pub(super) fn ppi(bytes: &[u8]) -> Result<(LinkType, &[u8]), Skip> {
    let &[version, _, l0, l1, k0, k1, k2, k3, ..] = bytes else { return Err(Skip::TruncatedLink) };
    let len = usize::from(u16::from_le_bytes([l0, l1]));
    if version != 0 || len < 8 {
        return Err(Skip::BadLink);
    }
    inner(u32::from_le_bytes([k0, k1, k2, k3]), bytes.get(len..))
}

/// Apple's PKTAP: length, type of record (1 is a packet), type of the frame, all little-endian.
pub(super) fn pktap(bytes: &[u8]) -> Result<(LinkType, &[u8]), Skip> {
    let &[l0, l1, l2, l3, 1, 0, 0, 0, k0, k1, k2, k3, ..] = bytes else {
        return Err(if bytes.len() < 12 { Skip::TruncatedLink } else { Skip::NonIp });
    };
    let len = usize::try_from(u32::from_le_bytes([l0, l1, l2, l3])).map_err(|_| Skip::BadLink)?;
    if len < 12 {
        return Err(Skip::BadLink);
    }
    inner(u32::from_le_bytes([k0, k1, k2, k3]), bytes.get(len..))
}

fn inner(link: u32, rest: Option<&[u8]>) -> Result<(LinkType, &[u8]), Skip> {
    let link = u16::try_from(link).map_err(|_| Skip::UnsupportedLink)?;
    Ok((LinkType(link), rest.ok_or(Skip::TruncatedLink)?))
}

/// Serial line IP: 16 bytes (direction and how the header was compressed), then a packet. One that
/// went over the line compressed does not begin with a version nibble.
pub(super) fn slip(bytes: &[u8]) -> Stepped<'_> {
    let rest = bytes.get(16..).ok_or(Skip::TruncatedLink)?;
    match rest.first().map(|first| first >> 4) {
        Some(4 | 6) => any_ip(rest),
        Some(_) => Err(Skip::Encrypted),
        None => Err(Skip::TruncatedLink),
    }
}

/// Frame relay (Q.922 address, RFC 2427 multiprotocol header or Cisco's bare EtherType).
pub(super) fn frame_relay(bytes: &[u8]) -> Stepped<'_> {
    // The lowest bit marks the last byte of an address of two to four.
    let last = bytes.iter().take(4).position(|byte| byte & 1 == 1).ok_or(Skip::BadLink)?;
    if last == 0 {
        return Err(Skip::BadLink);
    }
    let rest = bytes.get(last + 1..).ok_or(Skip::TruncatedLink)?;
    match *rest {
        // A zero pads the header to an even length.
        [0x03, 0x00, nlpid, ref rest @ ..] | [0x03, nlpid, ref rest @ ..] => match (nlpid, rest) {
            (0xcc, _) => Ok(Step::Found(Layer::Ip4(rest))),
            (0x8e, _) => Ok(Step::Found(Layer::Ip6(rest))),
            (0x80, [0, 0, 0, k0, k1, rest @ ..]) => {
                Ok(Step::Next(Head::EtherType(u16::from_be_bytes([*k0, *k1])), rest))
            }
            // Bridged Ethernet, with (1) and without (7) its frame check.
            (0x80, [0x00, 0x80, 0xc2, 0x00, 0x01 | 0x07, frame @ ..]) => {
                Ok(Step::Next(Head::Ethernet, frame))
            }
            (0xcf, _) => Ok(Step::Next(Head::Ppp, rest)),
            _ => Err(Skip::NonIp),
        },
        [k0, k1, ref rest @ ..] => match u16::from_be_bytes([k0, k1]) {
            kind @ 0x0600.. => Ok(Step::Next(Head::EtherType(kind), rest)),
            _ => Err(Skip::NonIp),
        },
        _ => Err(Skip::TruncatedLink),
    }
}

/// OpenBSD's IPsec interface: family, index and flags in twelve bytes, then a packet.
pub(super) fn enc(bytes: &[u8]) -> Stepped<'_> {
    any_ip(bytes.get(12..).ok_or(Skip::TruncatedLink)?)
}

/// OpenBSD's firewall log: a header whose first byte is its length without padding, then a packet.
pub(super) fn pflog(bytes: &[u8]) -> Stepped<'_> {
    let len = bytes.first().map(|len| usize::from(*len).next_multiple_of(4));
    let len = len.filter(|len| *len >= 48).ok_or(Skip::BadLink)?;
    if be16(bytes, 0).is_none() {
        return Err(Skip::TruncatedLink);
    }
    any_ip(bytes.get(len..).ok_or(Skip::TruncatedLink)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::frames::{cat, ether, holds_syn, seen, syn};

    #[test]
    fn reads_the_frame_that_ppi_and_pktap_name() {
        let ppi = cat(&[&[0, 0, 12, 0, 1, 0, 0, 0], b"more", &ether(0x0800, &syn())]);
        let pktap = cat(&[&[16, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0], b"more", &ether(0x0800, &syn())]);

        holds_syn(192, &ppi);
        holds_syn(258, &pktap);
        // PPI in PPI would be a loop.
        assert_eq!(seen(192, &[0, 0, 8, 0, 192, 0, 0, 0, 0]), Err(Skip::UnsupportedLink));
    }

    #[test]
    fn reads_serial_line_ip() {
        holds_syn(8, &cat(&[&[0; 16], &syn()]));
        assert_eq!(seen(8, &[0x80; 17]), Err(Skip::Encrypted));
    }

    #[test]
    fn reads_frame_relay_of_every_kind() {
        let snap = [0x80, 0, 0, 0, 8, 0];

        holds_syn(107, &cat(&[&[0x18, 0x41, 3, 0xcc], &syn()]));
        holds_syn(107, &cat(&[&[0x18, 0x40, 0x40, 0x41, 3, 0xcc], &syn()]));
        holds_syn(107, &cat(&[&[0x18, 0x41, 3, 0], &snap, &syn()]));
        holds_syn(107, &cat(&[&[0x18, 0x41, 8, 0], &syn()]));
        assert_eq!(seen(107, &[0x18, 0x41, 3, 0x08, 1]), Err(Skip::NonIp));
        assert_eq!(seen(107, &[0, 0, 0, 0, 0]), Err(Skip::BadLink));
    }

    #[test]
    fn reads_openbsd_logs() {
        let log = cat(&[&[61, 2], &[0; 62], &syn()]);

        holds_syn(117, &log);
        holds_syn(109, &cat(&[&[0; 12], &syn()]));
    }

    #[test]
    fn says_which_link_types_are_not_supported() {
        // Bluetooth and USB.
        assert_eq!(seen(187, &syn()), Err(Skip::UnsupportedLink));
        assert_eq!(seen(220, &syn()), Err(Skip::UnsupportedLink));
        assert!(Skip::UnsupportedLink.is_error());
    }
}

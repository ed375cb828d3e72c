//! Frames that an operating system cooked: loopback, Linux "any" captures, netfilter's log.

use super::{Head, Labels, Layer, Step, Stepped, any_ip};
use crate::decode::Skip;
use crate::decode::bytes::{at_most, be16};
use crate::net::MacAddr;

/// The netlink interface, whose "protocol" is a netlink family (ARPHRD_NETLINK).
const NETLINK: u16 = 824;

/// BSD loopback: an address family in the byte order of a host that is not known here. IPv6 has a
/// different number on every system.
pub(super) fn null(bytes: &[u8]) -> Stepped<'_> {
    let Some((&family, rest)) = bytes.split_first_chunk::<4>() else {
        return Err(Skip::TruncatedLink);
    };
    let family = u32::from_be_bytes(family);
    match if family > 0xffff { family.swap_bytes() } else { family } {
        2 => Ok(Step::Found(Layer::Ip4(rest))),
        10 | 23 | 24 | 28 | 30 => Ok(Step::Found(Layer::Ip6(rest))),
        // Some write an EtherType there.
        kind @ 0x0600..=0xffff => {
            Ok(Step::Next(Head::EtherType(u16::try_from(kind).unwrap_or(0)), rest))
        }
        _ => Err(Skip::NonIp),
    }
}

/// Linux cooked capture, version 1: packet type, ARPHRD type, address and its length, protocol.
pub(super) fn sll<'a>(bytes: &'a [u8], labels: &mut Labels) -> Stepped<'a> {
    let &[_, _, h0, h1, l0, l1, a0, a1, a2, a3, a4, a5, _, _, p0, p1, ref rest @ ..] = bytes else {
        return Err(Skip::TruncatedLink);
    };
    labels.macs = sender(u16::from_be_bytes([l0, l1]), [a0, a1, a2, a3, a4, a5]);
    protocol(u16::from_be_bytes([h0, h1]), u16::from_be_bytes([p0, p1]), rest)
}

/// Linux cooked capture, version 2: protocol first, and the interface's index.
pub(super) fn sll2<'a>(bytes: &'a [u8], labels: &mut Labels) -> Stepped<'a> {
    let Some((head, rest)) = bytes.split_first_chunk::<20>() else {
        return Err(Skip::TruncatedLink);
    };
    let &[p0, p1, _, _, _, _, _, _, h0, h1, _, len, a0, a1, a2, a3, a4, a5, _, _] = head;
    labels.macs = sender(u16::from(len), [a0, a1, a2, a3, a4, a5]);
    protocol(u16::from_be_bytes([h0, h1]), u16::from_be_bytes([p0, p1]), rest)
}

/// The sender's address; the receiver's is zero, because it was not recorded.
fn sender(len: u16, address: [u8; 6]) -> Option<(MacAddr, MacAddr)> {
    (len == 6 && address != [0; 6]).then_some((MacAddr(address), MacAddr::default()))
}

fn protocol(hardware: u16, kind: u16, rest: &[u8]) -> Stepped<'_> {
    match kind {
        _ if hardware == NETLINK => Err(Skip::NonIp),
        // ETH_P_802_2: an LLC header follows. The other small numbers are not IP.
        0x0004 => Ok(Step::Next(Head::Llc, rest)),
        0..0x0600 => Err(Skip::NonIp),
        _ => Ok(Step::Next(Head::EtherType(kind), rest)),
    }
}

/// A netfilter log message: attributes of which one is the packet, from its IP header. They are in
/// the byte order of the capturing host; a length that fits says which.
pub(super) fn nflog<'a>(bytes: &'a [u8], labels: &mut Labels) -> Stepped<'a> {
    const HWADDR: u16 = 8;
    const PAYLOAD: u16 = 9;

    let &[_, version, _, _, ref attributes @ ..] = bytes else { return Err(Skip::TruncatedLink) };
    if version != 0 {
        return Err(Skip::BadLink);
    }
    let little = attributes.first_chunk().is_some_and(|len| {
        let len = usize::from(u16::from_le_bytes(*len));
        (4..=attributes.len()).contains(&len)
    });
    let word = |low: u8, high: u8| {
        if little { u16::from_le_bytes([low, high]) } else { u16::from_be_bytes([low, high]) }
    };

    let mut rest = attributes;
    while let &[l0, l1, k0, k1, ref value @ ..] = rest {
        let len = usize::from(word(l0, l1));
        let Some(value_len) = len.checked_sub(4) else { return Err(Skip::BadLink) };
        // The two upper bits are netlink's own flags.
        match word(k0, k1) & 0x3fff {
            PAYLOAD => return any_ip(at_most(value, value_len)),
            HWADDR => {
                if let Some(address) = value.get(4..).and_then(|rest| rest.first_chunk()) {
                    labels.macs = sender(be16(value, 0).unwrap_or(0), *address);
                }
            }
            _ => {}
        }
        rest = rest.get(len.next_multiple_of(4)..).unwrap_or_default();
    }
    Err(Skip::TruncatedLink)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::frames::{SYN6, cat, frame_at, holds_syn, seen, syn, syn6};
    use crate::decode::{DecodeConfig, Decoder};
    use crate::source::LinkType;

    fn macs(link: LinkType, frame: &[u8]) -> Option<(MacAddr, MacAddr)> {
        let mut decoder = Decoder::new(&DecodeConfig::default());
        decoder.decode(&frame_at(0, link, frame)).unwrap().macs
    }

    #[test]
    fn reads_loopback_in_both_byte_orders() {
        for link in [0, 108] {
            holds_syn(link, &cat(&[&[2, 0, 0, 0], &syn()]));
            holds_syn(link, &cat(&[&[0, 0, 0, 2], &syn()]));
            for family in [10, 24, 28, 30] {
                let little = cat(&[&[family, 0, 0, 0], &syn6()]);
                let big = cat(&[&[0, 0, 0, family], &syn6()]);
                assert_eq!(seen(link, &little).as_deref(), Ok(SYN6));
                assert_eq!(seen(link, &big).as_deref(), Ok(SYN6));
            }
        }
        assert_eq!(seen(0, &[7, 0, 0, 0, 0]), Err(Skip::NonIp));
        assert_eq!(seen(0, &[2, 0, 0]), Err(Skip::TruncatedLink));
    }

    #[test]
    fn reads_raw_packets_of_either_version() {
        for link in [12, 14, 101] {
            holds_syn(link, &syn());
            assert_eq!(seen(link, &syn6()).as_deref(), Ok(SYN6));
        }
        holds_syn(228, &syn());
        assert_eq!(seen(229, &syn6()).as_deref(), Ok(SYN6));
        assert_eq!(seen(229, &syn()), Err(Skip::BadIpVersion));
        assert_eq!(seen(101, &[0x50]), Err(Skip::BadIpVersion));
    }

    #[test]
    fn reads_linux_cooked_frames_with_the_sender() {
        let head = [0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0];
        let first = cat(&[&head, &[8, 0], &syn()]);
        let vlan = cat(&[&head, &[0x81, 0, 0, 5, 8, 0], &syn()]);
        let second = cat(&[&[8, 0, 0, 0, 0, 0, 0, 2, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0], &syn()]);
        let sender = Some((MacAddr([2, 0, 0, 0, 0, 1]), MacAddr::default()));

        holds_syn(113, &first);
        holds_syn(113, &vlan);
        holds_syn(276, &second);
        assert_eq!(macs(LinkType::LINUX_SLL, &first), sender);
        assert_eq!(macs(LinkType::LINUX_SLL2, &second), sender);
    }

    #[test]
    fn leaves_cooked_frames_that_are_not_ip() {
        let netlink = cat(&[&[0, 4, 3, 0x38], &[0; 10], &[8, 0], &syn()]);
        let spanning_tree = cat(&[&[0, 2, 0, 1], &[0; 10], &[0, 4], &[0x42, 0x42, 3]]);

        assert_eq!(seen(113, &netlink), Err(Skip::NonIp));
        assert_eq!(seen(113, &spanning_tree), Err(Skip::NonIp));
    }

    #[test]
    fn reads_netfilter_log_in_both_byte_orders() {
        let len = (syn().len() + 4) as u16;
        let little = cat(&[
            &[2, 0, 0, 7],
            &[16, 0, 8, 0, 0, 6, 0, 0, 2, 0, 0, 0, 0, 1, 0, 0],
            &[5, 0, 10, 0, 0, 0, 0, 0],
            &len.to_le_bytes(),
            &[9, 0],
            &syn(),
        ]);
        let big =
            cat(&[&[2, 0, 0, 7], &[0, 8, 0, 1, 8, 0, 3, 0], &len.to_be_bytes(), &[0, 9], &syn()]);

        holds_syn(239, &little);
        holds_syn(239, &big);
        assert_eq!(
            macs(LinkType::NFLOG, &little),
            Some((MacAddr([2, 0, 0, 0, 0, 1]), MacAddr::default()))
        );
        assert_eq!(seen(239, &[2, 0, 0, 7, 0, 0, 0, 0]), Err(Skip::BadLink));
        assert_eq!(seen(239, &[2, 0, 0, 7, 8, 0, 1, 0, 8, 0, 3, 0]), Err(Skip::TruncatedLink));
    }
}

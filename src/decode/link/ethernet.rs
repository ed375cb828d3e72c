//! Ethernet II, IEEE 802.3, and what is stacked between them and IP: VLAN, MPLS, provider bridging.

use super::{Head, Labels, Layer, Step, Stepped};
use crate::decode::Skip;
use crate::decode::bytes::{at_most, be16, be32};
use crate::net::MacAddr;

/// How many MPLS labels are followed; deployments stay below ten.
const MAX_LABELS: usize = 16;

/// An Ethernet frame, from its destination address.
#[inline]
pub(super) fn frame<'a>(bytes: &'a [u8], labels: &mut Labels) -> Stepped<'a> {
    let Some((&[d0, d1, d2, d3, d4, d5, s0, s1, s2, s3, s4, s5, k0, k1], rest)) =
        bytes.split_first_chunk::<14>()
    else {
        return Err(Skip::TruncatedLink);
    };
    labels.macs = Some((MacAddr([s0, s1, s2, s3, s4, s5]), MacAddr([d0, d1, d2, d3, d4, d5])));
    payload(u16::from_be_bytes([k0, k1]), rest, labels)
}

/// An Ethernet frame with `len` bytes of a switch chip's tag before its type.
pub(super) fn tagged<'a>(bytes: &'a [u8], len: usize, labels: &mut Labels) -> Stepped<'a> {
    let Some((&[d0, d1, d2, d3, d4, d5, s0, s1, s2, s3, s4, s5], rest)) =
        bytes.split_first_chunk::<12>()
    else {
        return Err(Skip::TruncatedLink);
    };
    labels.macs = Some((MacAddr([s0, s1, s2, s3, s4, s5]), MacAddr([d0, d1, d2, d3, d4, d5])));
    typed(rest, len)
}

/// What follows an EtherType or, below 0x600, an IEEE 802.3 length (clause 3.2.6).
#[inline]
pub(super) fn payload<'a>(kind: u16, bytes: &'a [u8], labels: &mut Labels) -> Stepped<'a> {
    match kind {
        0x0800 => Ok(Step::Found(Layer::Ip4(bytes))),
        0x86dd => Ok(Step::Found(Layer::Ip6(bytes))),
        0x0806 => Ok(Step::Found(Layer::Arp(bytes))),
        _ => stacked(kind, bytes, labels),
    }
}

fn stacked<'a>(kind: u16, bytes: &'a [u8], labels: &mut Labels) -> Stepped<'a> {
    match kind {
        // IEEE 802.1Q, 802.1ad, and the numbers that vendors used for QinQ before it.
        0x8100 | 0x88a8 | 0x9100 | 0x9200 | 0x9300 => {
            let tag = be16(bytes, 0).ok_or(Skip::TruncatedLink)?;
            // Identifier 0 only carries a priority.
            if tag & 0x0fff != 0 {
                labels.vlan = Some(tag & 0x0fff);
            }
            typed(bytes, 2)
        }
        0x8847 | 0x8848 => Ok(Step::Next(Head::Mpls, bytes)),
        0x8864 => super::ppp::pppoe(bytes),
        0x880b => Ok(Step::Next(Head::Ppp, bytes)),
        // Transparent Ethernet bridging.
        0x6558 => ethernet_after(bytes, 0),
        // Provider backbone bridging (802.1ah): four bytes of service tag.
        0x88e7 => ethernet_after(bytes, 4),
        // Cisco FabricPath: two bytes of tree and time to live.
        0x8903 => ethernet_after(bytes, 2),
        // TRILL (RFC 6325 section 3.2): options are counted in words across two bytes.
        0x22f3 => {
            let options = usize::from(be16(bytes, 0).ok_or(Skip::TruncatedLink)? >> 6 & 0x1f);
            ethernet_after(bytes, 6 + options * 4)
        }
        // Cisco VN-Tag, Cisco metadata (security group), HSR, 802.1BR E-tag.
        0x8926 | 0x892f => typed(bytes, 4),
        0x8909 | 0x893f => typed(bytes, 6),
        0x894f => nsh(bytes),
        0x88e5 => macsec(bytes),
        // LLC in a jumbo frame.
        0x8870 => Ok(Step::Next(Head::Llc, bytes)),
        0..0x0600 => Ok(Step::Next(Head::Llc, at_most(bytes, usize::from(kind)))),
        _ => Err(Skip::NonIp),
    }
}

/// A tag of `len` bytes, then an EtherType.
fn typed(bytes: &[u8], len: usize) -> Stepped<'_> {
    let kind = be16(bytes, len).ok_or(Skip::TruncatedLink)?;
    let rest = bytes.get(len + 2..).ok_or(Skip::TruncatedLink)?;
    Ok(Step::Next(Head::EtherType(kind), rest))
}

fn ethernet_after(bytes: &[u8], len: usize) -> Stepped<'_> {
    Ok(Step::Next(Head::Ethernet, bytes.get(len..).ok_or(Skip::TruncatedLink)?))
}

/// IEEE 802.1AE: readable where it only authenticates (bits E and C of the tag are clear).
fn macsec(bytes: &[u8]) -> Stepped<'_> {
    let flags = *bytes.first().ok_or(Skip::TruncatedLink)?;
    if flags & 0x0c != 0 {
        return Err(Skip::Encrypted);
    }
    typed(bytes, if flags & 0x20 != 0 { 14 } else { 6 })
}

/// An IEEE 802.2 header: SNAP (RFC 1042), or IP's own service access point.
pub(super) fn llc(bytes: &[u8]) -> Stepped<'_> {
    match *bytes {
        [0xaa, 0xaa, 0x03, oui0, oui1, oui2, k0, k1, ref rest @ ..] => {
            match (oui0, oui1, oui2) {
                // RFC 1042, and 802.1H's bridge tunnel for the types that need it.
                (0, 0, 0) | (0, 0, 0xf8) => {
                    Ok(Step::Next(Head::EtherType(u16::from_be_bytes([k0, k1])), rest))
                }
                _ => Err(Skip::NonIp),
            }
        }
        [0xaa, 0xaa, 0x03, ..] => Err(Skip::TruncatedLink),
        [0x06, 0x06, 0x03, ref rest @ ..] => Ok(Step::Found(Layer::Ip4(rest))),
        [_, _, _, ..] => Err(Skip::NonIp),
        _ => Err(Skip::TruncatedLink),
    }
}

/// A label stack (RFC 3032), then whatever the labels mean: IP by its first nibble (RFC 4928), or an
/// Ethernet pseudowire with or without control word (RFC 4448).
pub(super) fn mpls(mut bytes: &[u8]) -> Stepped<'_> {
    for _ in 0..MAX_LABELS {
        let (entry, rest) = bytes.split_first_chunk::<4>().ok_or(Skip::TruncatedLink)?;
        bytes = rest;
        if u32::from_be_bytes(*entry) & 0x100 != 0 {
            return below_labels(bytes);
        }
    }
    Err(Skip::TooDeep)
}

fn below_labels(bytes: &[u8]) -> Stepped<'_> {
    let first = *bytes.first().ok_or(Skip::TruncatedLink)?;
    match first >> 4 {
        4 if first & 0x0f >= 5 => Ok(Step::Found(Layer::Ip4(bytes))),
        6 => Ok(Step::Found(Layer::Ip6(bytes))),
        // Generic associated channel (RFC 5586): OAM, not traffic.
        1 if !is_ethernet(bytes) => Err(Skip::NonIp),
        0 if bytes.get(4..).is_some_and(is_ethernet) => ethernet_after(bytes, 4),
        _ if is_ethernet(bytes) => Ok(Step::Next(Head::Ethernet, bytes)),
        _ => Err(Skip::NonIp),
    }
}

/// Whether this reads like an Ethernet frame with traffic in it. Where nothing but the operator's
/// configuration says so, guessing by its type field is all that is left.
pub(in crate::decode) fn is_ethernet(bytes: &[u8]) -> bool {
    match be16(bytes, 12) {
        Some(0x0800) => bytes.get(14).is_some_and(|first| first >> 4 == 4),
        Some(0x86dd) => bytes.get(14).is_some_and(|first| first >> 4 == 6),
        Some(0x0806) => be32(bytes, 14) == Some(0x0001_0800),
        Some(kind) => matches!(kind, 0x8100 | 0x88a8 | 0x8847 | 0x8864),
        None => false,
    }
}

/// A Network Service Header (RFC 8300 section 2.2): its length is in words.
fn nsh(bytes: &[u8]) -> Stepped<'_> {
    let &[flags, length, _, next, ..] = bytes else { return Err(Skip::TruncatedLink) };
    let words = usize::from(length & 0x3f);
    if flags >> 6 != 0 || words < 2 {
        return Err(Skip::BadLink);
    }
    // The O bit marks operation and maintenance packets.
    if flags & 0x20 != 0 {
        return Err(Skip::NonIp);
    }
    Ok(Step::Next(Head::NextProtocol(next), bytes.get(words * 4..).ok_or(Skip::TruncatedLink)?))
}

/// The registry that NSH and VXLAN-GPE share.
pub(super) fn next_protocol(kind: u8, bytes: &[u8]) -> Stepped<'_> {
    match kind {
        1 => Ok(Step::Found(Layer::Ip4(bytes))),
        2 => Ok(Step::Found(Layer::Ip6(bytes))),
        3 => Ok(Step::Next(Head::Ethernet, bytes)),
        4 => nsh(bytes),
        5 => Ok(Step::Next(Head::Mpls, bytes)),
        _ => Err(Skip::NonIp),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::frames::{SYN6, cat, ether, frame_at, holds_syn, ip4, seen, syn, syn6};
    use crate::decode::{DecodeConfig, Decoder};
    use crate::source::LinkType;

    fn vlan_of(frame: &[u8]) -> Option<u16> {
        let mut decoder = Decoder::new(&DecodeConfig::default());
        decoder.decode(&frame_at(0, LinkType::ETHERNET, frame)).unwrap().vlan
    }

    #[test]
    fn reads_ethernet_with_its_addresses_and_ignores_padding() {
        let padded = cat(&[&ether(0x0800, &syn()), &[0; 6]]);
        let mut decoder = Decoder::new(&DecodeConfig::default());

        holds_syn(1, &padded);
        assert_eq!(seen(1, &ether(0x86dd, &syn6())).as_deref(), Ok(SYN6));

        let packet = decoder.decode(&frame_at(0, LinkType::ETHERNET, &padded)).unwrap();
        let (src, dst) = packet.macs.unwrap();
        assert_eq!(src.to_string(), "02:00:00:00:00:01");
        assert_eq!(dst.to_string(), "02:00:00:00:00:09");
    }

    #[test]
    fn reads_802_3_with_snap_and_with_ips_own_access_point() {
        let snap = cat(&[&[0xaa, 0xaa, 3, 0, 0, 0, 8, 0], &syn()]);
        let own = cat(&[&[6, 6, 3], &syn()]);

        holds_syn(1, &ether(snap.len() as u16, &snap));
        holds_syn(1, &ether(own.len() as u16, &own));
        holds_syn(1, &ether(0x8870, &snap));
        holds_syn(100, &snap);
    }

    #[test]
    fn names_the_innermost_vlan() {
        let single = ether(0x8100, &cat(&[&[0xe0, 7, 8, 0], &syn()]));
        let double = ether(0x88a8, &cat(&[&[0, 5, 0x81, 0, 0, 6, 8, 0], &syn()]));
        let triple = ether(0x9100, &cat(&[&[0, 5, 0x92, 0, 0, 6, 0x81, 0, 0, 9, 8, 0], &syn()]));
        let priority = ether(0x8100, &cat(&[&[0xe0, 0, 8, 0], &syn()]));

        assert_eq!(vlan_of(&single), Some(7));
        assert_eq!(vlan_of(&double), Some(6));
        assert_eq!(vlan_of(&triple), Some(9));
        assert_eq!(vlan_of(&priority), None);
    }

    #[test]
    fn gives_up_on_endless_tags() {
        let tags = [0, 5, 0x81, 0].repeat(40);

        assert_eq!(seen(1, &ether(0x8100, &tags)), Err(Skip::TooDeep));
    }

    #[test]
    fn reads_mpls_with_ip_and_with_pseudowires() {
        let stack = [0, 1, 0, 64, 0, 2, 1, 64];
        let inner = ether(0x0800, &syn());

        holds_syn(1, &ether(0x8847, &cat(&[&stack, &syn()])));
        holds_syn(1, &ether(0x8847, &cat(&[&stack, &inner])));
        holds_syn(1, &ether(0x8848, &cat(&[&stack, &[0, 0, 0, 1], &inner])));
        assert_eq!(
            seen(1, &ether(0x8847, &[&stack[..], &[0x10, 0, 0, 7]].concat())),
            Err(Skip::NonIp)
        );
        assert_eq!(seen(1, &ether(0x8847, &[0, 1, 0, 64].repeat(40))), Err(Skip::TooDeep));
    }

    #[test]
    fn reads_what_providers_and_switches_put_in_front() {
        let inner = ether(0x0800, &syn());
        let ip = cat(&[&[8, 0], &syn()]);

        holds_syn(1, &ether(0x6558, &inner));
        holds_syn(1, &ether(0x88e7, &cat(&[&[0; 4], &inner])));
        holds_syn(1, &ether(0x8903, &cat(&[&[0; 2], &inner])));
        holds_syn(1, &ether(0x22f3, &cat(&[&[0, 0x40], &[0; 8], &inner])));
        holds_syn(1, &ether(0x8926, &cat(&[&[0; 4], &ip])));
        holds_syn(1, &ether(0x892f, &cat(&[&[0; 4], &ip])));
        holds_syn(1, &ether(0x8909, &cat(&[&[1, 1, 0, 1, 0, 9], &ip])));
        holds_syn(1, &ether(0x893f, &cat(&[&[0; 6], &ip])));
        holds_syn(1, &ether(0x894f, &cat(&[&[0, 2, 2, 1, 0, 0, 0, 0], &syn()])));
        holds_syn(1, &ether(0x894f, &cat(&[&[0, 2, 2, 3, 0, 0, 0, 0], &inner])));
        holds_syn(284, &cat(&[&[2; 12], &[0; 4], &ip]));
        holds_syn(285, &cat(&[&[2; 12], &[0; 8], &ip]));
        holds_syn(282, &cat(&[&[0; 4], &inner]));
    }

    #[test]
    fn reads_macsec_only_where_it_does_not_encrypt() {
        let clear = cat(&[&[0x20, 0], &[0; 12], &[8, 0], &syn()]);
        let secret = cat(&[&[0x2c, 0], &[0; 12], &[8, 0], &syn()]);

        holds_syn(1, &ether(0x88e5, &clear));
        assert_eq!(seen(1, &ether(0x88e5, &secret)), Err(Skip::Encrypted));
    }

    #[test]
    fn tells_other_protocols_from_damage() {
        let spanning_tree = [0x42, 0x42, 3, 0, 0, 0, 0, 0];

        assert_eq!(seen(1, &ether(0x88cc, &[2, 7])), Err(Skip::NonIp));
        assert_eq!(seen(1, &ether(8, &spanning_tree)), Err(Skip::NonIp));
        assert_eq!(seen(1, &[0; 13]), Err(Skip::TruncatedLink));
        assert_eq!(seen(1, &ether(0x0800, &syn6())), Err(Skip::BadIpVersion));
        assert_eq!(seen(1, &ether(0x0800, &ip4(2, &[0x11, 0]))), Err(Skip::OtherProtocol));
    }
}

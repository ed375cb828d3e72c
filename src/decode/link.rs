//! Link layers: from the first byte of a frame to the first byte of IP or ARP.

use super::bytes::{be16, be32, behind};
use super::{Context, Skip};
use crate::net::MacAddr;
use crate::source::LinkType;

/// What comes next, and is not decoded yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layer {
    /// A frame of this link type.
    Link(LinkType),
    /// What this EtherType (or, up to 1500, this LLC length) says.
    EtherType(u16),
    /// What this PPP protocol number says (RFC 1661).
    Ppp(u16),
    /// An MPLS label stack (RFC 3032).
    Mpls,
    /// IEEE 802.2 LLC.
    Llc,
    /// IPv4 or IPv6, by the version nibble.
    Ip,
    /// ARP.
    Arp,
}

const IPV4: u16 = 0x0800;
const ARP: u16 = 0x0806;
const IPV6: u16 = 0x86dd;

/// Takes one layer off.
pub(super) fn strip<'a>(
    layer: Layer,
    data: &'a [u8],
    context: &mut Context,
) -> Result<(Layer, &'a [u8]), Skip> {
    match layer {
        Layer::Link(link) => strip_link(link, data, context),
        Layer::EtherType(kind) => strip_ether_type(kind, data, context),
        Layer::Ppp(protocol) => strip_ppp(protocol, data),
        Layer::Mpls => strip_mpls(data).ok_or(Skip::TruncatedLink),
        Layer::Llc => strip_llc(data),
        Layer::Ip | Layer::Arp => Ok((layer, data)),
    }
}

fn strip_link<'a>(
    link: LinkType,
    data: &'a [u8],
    context: &mut Context,
) -> Result<(Layer, &'a [u8]), Skip> {
    let cut = Skip::TruncatedLink;
    match link.0 {
        1 => ethernet(data, context).ok_or(cut),
        // Raw IP: the registered number, those of two BSDs, and the two that name the version.
        12 | 14 | 101 | 228 | 229 => Ok((Layer::Ip, data)),
        0 | 108 => loopback(data),
        9 | 50 => ppp_framed(data).ok_or(cut),
        51 => pppoe(data).ok_or(cut),
        104 => cisco_hdlc(data).ok_or(cut),
        113 => {
            let kind = be16(data, 14).ok_or(cut)?;
            if let Some(mac) = data.get(6..).and_then(|rest| rest.first_chunk()) {
                if be16(data, 4) == Some(6) {
                    context.macs = Some((MacAddr(*mac), MacAddr::default()));
                }
            }
            Ok((cooked(kind), behind(data, 16).ok_or(cut)?))
        }
        276 => {
            let kind = be16(data, 0).ok_or(cut)?;
            if let Some(mac) = data.get(12..).and_then(|rest| rest.first_chunk()) {
                if data.get(11) == Some(&6) {
                    context.macs = Some((MacAddr(*mac), MacAddr::default()));
                }
            }
            Ok((cooked(kind), behind(data, 20).ok_or(cut)?))
        }
        105 => wireless(data, context),
        127 => {
            let len = le16(data, 2).ok_or(cut)?;
            Ok((Layer::Link(LinkType::IEEE802_11), behind(data, len.into()).ok_or(cut)?))
        }
        // Prism and AVS: fixed and self-describing monitor headers before 802.11.
        119 => Ok((Layer::Link(LinkType::IEEE802_11), behind(data, 144).ok_or(cut)?)),
        163 => {
            let len = be32(data, 4).and_then(|len| usize::try_from(len).ok()).ok_or(cut)?;
            Ok((Layer::Link(LinkType::IEEE802_11), behind(data, len).ok_or(cut)?))
        }
        192 => {
            let len = le16(data, 2).ok_or(cut)?;
            let inner = le16(data, 4).ok_or(cut)?;
            // A PPI frame in a PPI frame is nonsense; the depth limit would catch it too.
            Ok((Layer::Link(LinkType(inner)), behind(data, len.into()).ok_or(cut)?))
        }
        239 => nflog(data).ok_or(cut),
        _ => Err(Skip::UnsupportedLink),
    }
}

fn le16(data: &[u8], at: usize) -> Option<u16> {
    be16(data, at).map(u16::swap_bytes)
}

#[inline]
fn ethernet<'a>(data: &'a [u8], context: &mut Context) -> Option<(Layer, &'a [u8])> {
    let (header, rest) = data.split_first_chunk::<14>()?;
    let [d0, d1, d2, d3, d4, d5, s0, s1, s2, s3, s4, s5, k0, k1] = *header;
    context.macs = Some((MacAddr([s0, s1, s2, s3, s4, s5]), MacAddr([d0, d1, d2, d3, d4, d5])));
    Some((Layer::EtherType(u16::from_be_bytes([k0, k1])), rest))
}

#[inline]
fn strip_ether_type<'a>(
    kind: u16,
    data: &'a [u8],
    context: &mut Context,
) -> Result<(Layer, &'a [u8]), Skip> {
    let cut = Skip::TruncatedLink;
    match kind {
        IPV4 | IPV6 => Ok((Layer::Ip, data)),
        ARP => Ok((Layer::Arp, data)),
        // VLAN: customer, service, and the numbers used before 802.1ad.
        0x8100 | 0x88a8 | 0x9100 | 0x9200 | 0x9300 => {
            let tag = be16(data, 0).ok_or(cut)?;
            let inner = be16(data, 2).ok_or(cut)?;
            context.vlan = Some(tag & 0x0fff);
            Ok((Layer::EtherType(inner), behind(data, 4).ok_or(cut)?))
        }
        0x8847 | 0x8848 => Ok((Layer::Mpls, data)),
        0x8864 => pppoe(data).ok_or(cut),
        0x6558 => Ok((Layer::Link(LinkType::ETHERNET), data)),
        // Cisco FabricPath: the inner frame follows its 16-byte header.
        0x8903 => Ok((Layer::Link(LinkType::ETHERNET), behind(data, 2).ok_or(cut)?)),
        // VN-Tag (802.1Qbh): four bytes, then an EtherType.
        0x8926 => {
            let inner = be16(data, 4).ok_or(cut)?;
            Ok((Layer::EtherType(inner), behind(data, 6).ok_or(cut)?))
        }
        0x88e5 => Err(Skip::EncryptedLink),
        0..=1500 => Ok((Layer::Llc, data)),
        _ => Err(Skip::NotIp),
    }
}

/// EtherType of a Linux cooked header: 1 to 4 stand for Novell and LLC frames.
fn cooked(kind: u16) -> Layer {
    if kind == 4 {
        Layer::Llc
    } else {
        Layer::EtherType(kind.max(if kind < 4 { 0x600 } else { 0 }))
    }
}

/// LLC with SNAP carries an EtherType; LLC alone carries IP under the old SAP 6.
fn strip_llc(data: &[u8]) -> Result<(Layer, &[u8]), Skip> {
    match data {
        [0xaa, 0xaa, 0x03, 0, 0, 0 | 0xf8, k0, k1, rest @ ..] => {
            Ok((Layer::EtherType(u16::from_be_bytes([*k0, *k1])), rest))
        }
        [0x06, 0x06, 0x03, rest @ ..] => Ok((Layer::Ip, rest)),
        [_, _, _, ..] => Err(Skip::NotIp),
        _ => Err(Skip::TruncatedLink),
    }
}

/// The address family comes in the byte order of the machine that captured; AF_INET is 2
/// everywhere, AF_INET6 has four values.
fn loopback(data: &[u8]) -> Result<(Layer, &[u8]), Skip> {
    let family = be32(data, 0).ok_or(Skip::TruncatedLink)?;
    let family = if family > 0xffff { family.swap_bytes() } else { family };
    match family {
        2 | 10 | 24 | 28 | 30 => Ok((Layer::Ip, behind(data, 4).unwrap_or_default())),
        _ => Err(Skip::NotIp),
    }
}

/// PPP with or without HDLC-like framing (RFC 1662), and with a compressed protocol field.
fn ppp_framed(data: &[u8]) -> Option<(Layer, &[u8])> {
    // Cisco HDLC shares the link type: unicast or multicast address, control 0.
    if let [0x0f | 0x8f, 0x00, ..] = data {
        return cisco_hdlc(data);
    }
    let data = data.strip_prefix(&[0xff, 0x03]).unwrap_or(data);
    ppp(data)
}

fn ppp(data: &[u8]) -> Option<(Layer, &[u8])> {
    let first = *data.first()?;
    if first & 1 == 1 {
        return Some((Layer::Ppp(first.into()), behind(data, 1)?));
    }
    Some((Layer::Ppp(be16(data, 0)?), behind(data, 2)?))
}

fn cisco_hdlc(data: &[u8]) -> Option<(Layer, &[u8])> {
    Some((Layer::EtherType(be16(data, 2)?), behind(data, 4)?))
}

fn strip_ppp(protocol: u16, data: &[u8]) -> Result<(Layer, &[u8]), Skip> {
    match protocol {
        0x0021 | 0x0057 => Ok((Layer::Ip, data)),
        0x0281 | 0x0283 => Ok((Layer::Mpls, data)),
        _ => Err(Skip::NotIp),
    }
}

/// A PPPoE session packet (RFC 2516): version 1, type 1, code 0.
fn pppoe(data: &[u8]) -> Option<(Layer, &[u8])> {
    let (header, rest) = data.split_first_chunk::<6>()?;
    let [_, code, _, _, len0, len1] = *header;
    let len = usize::from(u16::from_be_bytes([len0, len1]));
    let rest = rest.get(..len).unwrap_or(rest);
    if code == 0 { ppp(rest) } else { Some((Layer::EtherType(0x8863), rest)) }
}

/// Labels up to the bottom of the stack; then IP by its version, or an Ethernet pseudowire with
/// (RFC 4385) or without a control word.
fn strip_mpls(mut data: &[u8]) -> Option<(Layer, &[u8])> {
    for _ in 0..16 {
        let label = be32(data, 0)?;
        data = behind(data, 4)?;
        if label & 0x100 != 0 {
            return match data.first()? >> 4 {
                4 | 6 => Some((Layer::Ip, data)),
                0 if be16(data, 0) == Some(0) => {
                    Some((Layer::Link(LinkType::ETHERNET), behind(data, 4)?))
                }
                _ => Some((Layer::Link(LinkType::ETHERNET), data)),
            };
        }
    }
    None
}

/// An IEEE 802.11 frame (2020 edition, section 9.2).
fn wireless<'a>(data: &'a [u8], context: &mut Context) -> Result<(Layer, &'a [u8]), Skip> {
    let cut = Skip::TruncatedLink;
    let (control, flags) = match data {
        [control, flags, ..] => (*control, *flags),
        _ => return Err(cut),
    };
    let (kind, subtype) = (control >> 2 & 3, control >> 4);
    // Data frames only; bit 2 of the subtype means that there is none in it.
    if kind != 2 || subtype & 4 != 0 {
        return Err(Skip::WirelessControl);
    }
    if flags & 0x40 != 0 {
        return Err(Skip::EncryptedLink);
    }
    let mac = |at: usize| data.get(at..).and_then(|rest| rest.first_chunk()).map(|m| MacAddr(*m));
    let (to_ds, from_ds) = (flags & 1 != 0, flags & 2 != 0);
    let (src, dst) = match (to_ds, from_ds) {
        (false, false) => (mac(10), mac(4)),
        (false, true) => (mac(16), mac(4)),
        (true, false) => (mac(10), mac(16)),
        (true, true) => (mac(24), mac(16)),
    };
    context.macs = src.zip(dst);
    let mut len = if to_ds && from_ds { 30 } else { 24 };
    let is_qos = subtype & 8 != 0;
    let is_aggregate = is_qos && data.get(len).ok_or(cut)? & 0x80 != 0;
    if is_qos {
        len += 2;
    }
    // The order bit of a QoS frame means that the HT control field is there.
    if is_qos && flags & 0x80 != 0 {
        len += 4;
    }
    if is_aggregate {
        // The first subframe: addresses and length before its LLC header.
        len += 14;
    }
    Ok((Layer::Llc, behind(data, len).ok_or(cut)?))
}

/// A netfilter log message: type-length-value fields in host byte order, the packet among them.
fn nflog(data: &[u8]) -> Option<(Layer, &[u8])> {
    const PAYLOAD: u16 = 9;
    let mut rest = behind(data, 4)?;
    while rest.len() >= 4 {
        // The byte order is that of the machine which captured; no field is 256 bytes short.
        let (mut len, mut kind) = (le16(rest, 0)?, le16(rest, 2)?);
        if kind & 0xff == 0 && kind != 0 || usize::from(len) > rest.len() {
            (len, kind) = (be16(rest, 0)?, be16(rest, 2)?);
        }
        let len = usize::from(len);
        if len < 4 {
            return None;
        }
        if kind & 0x7fff == PAYLOAD {
            return Some((Layer::Ip, rest.get(4..len).or_else(|| rest.get(4..))?));
        }
        rest = behind(rest, len.next_multiple_of(4))?;
    }
    None
}

//! Encapsulations of packets in packets; each is believed by its port *and* by what it holds.

use super::bytes::{be16, be32, behind};
use super::ip::Ip;
use super::link::Layer;
use super::transport::UDP;
use super::{Skip, Tunnel};
use crate::source::LinkType;

const ETHERNET: Layer = Layer::Link(LinkType::ETHERNET);

type Inner<'a> = (Tunnel, Layer, &'a [u8]);

/// What is inside, if `ip` is a tunnel.
#[inline]
pub(super) fn open<'a>(ip: &Ip<'a>) -> Result<Option<Inner<'a>>, Skip> {
    match ip.protocol {
        4 | 41 => Ok(Some((Tunnel::IpInIp, Layer::Ip, ip.payload))),
        47 => gre(ip.payload).map(Some),
        UDP => Ok(in_udp(ip.payload)),
        _ => Ok(None),
    }
}

/// GRE (RFC 2784, 2890), routing (RFC 1701), PPTP's version 1 (RFC 2637), NVGRE and ERSPAN.
fn gre(data: &[u8]) -> Result<Inner<'_>, Skip> {
    let bad = Skip::BadTunnel;
    let flags = be16(data, 0).ok_or(bad)?;
    let kind = be16(data, 2).ok_or(bad)?;
    let has = |bit: u16| flags & bit != 0;
    let mut len = 4;
    if flags & 7 == 1 {
        len += 4; // key: payload length and call
        len += if has(0x1000) { 4 } else { 0 };
        len += if has(0x0080) { 4 } else { 0 };
        let inner = behind(data, len).ok_or(bad)?;
        if inner.is_empty() {
            return Err(Skip::OtherProtocol); // a bare acknowledgement
        }
        return Ok((Tunnel::Gre, Layer::Link(LinkType::PPP), inner));
    }
    len += if has(0x8000) || has(0x4000) { 4 } else { 0 };
    len += if has(0x2000) { 4 } else { 0 };
    let has_sequence = has(0x1000);
    len += if has_sequence { 4 } else { 0 };
    if has(0x4000) {
        // Source route entries, up to an empty one.
        for _ in 0..16 {
            let entry = usize::from(*data.get(len + 3).ok_or(bad)?);
            len += 4 + entry;
            if entry == 0 {
                break;
            }
        }
    }
    let inner = behind(data, len).ok_or(bad)?;
    match kind {
        // ERSPAN type I has neither sequence number nor header of its own; type II has both.
        0x88be if !has_sequence => Ok((Tunnel::Erspan, ETHERNET, inner)),
        0x88be => Ok((Tunnel::Erspan, ETHERNET, behind(inner, 8).ok_or(bad)?)),
        // Type III: 12 bytes, and 8 more if the last bit of the flags says so.
        0x22eb => {
            let more = if inner.get(11).ok_or(bad)? & 1 == 1 { 8 } else { 0 };
            Ok((Tunnel::Erspan, ETHERNET, behind(inner, 12 + more).ok_or(bad)?))
        }
        // Cisco WCCP may put a redirect header before IP.
        0x883e => match inner.first().map(|first| first >> 4) {
            Some(4) => Ok((Tunnel::Gre, Layer::Ip, inner)),
            _ => Ok((Tunnel::Gre, Layer::Ip, behind(inner, 4).ok_or(bad)?)),
        },
        0x880b => Ok((Tunnel::Gre, Layer::Link(LinkType::PPP), inner)),
        kind => Ok((Tunnel::Gre, Layer::EtherType(kind), inner)),
    }
}

#[inline]
fn in_udp(datagram: &[u8]) -> Option<Inner<'_>> {
    let (header, data) = datagram.split_first_chunk::<8>()?;
    let [s0, s1, d0, d1, ..] = *header;
    let (src, dst) = (u16::from_be_bytes([s0, s1]), u16::from_be_bytes([d0, d1]));
    match dst {
        4789 | 8472 => vxlan(data),
        4790 => vxlan_gpe(data),
        6081 => geneve(data),
        _ if src == 2152 || dst == 2152 => gtp_u(data),
        _ if src == 3544 || dst == 3544 => teredo(data),
        _ => None,
    }
}

/// VXLAN (RFC 7348): the I flag alone, reserved bits zero (Cisco's policy bits aside).
fn vxlan(data: &[u8]) -> Option<Inner<'_>> {
    let word = be32(data, 0)?;
    let inner = behind(data, 8)?;
    (word & 0x7f00_0000 == 0x0800_0000 && inner.len() >= 14 && data.get(7) == Some(&0)).then_some((
        Tunnel::Vxlan,
        ETHERNET,
        inner,
    ))
}

/// VXLAN-GPE (draft-ietf-nvo3-vxlan-gpe): as VXLAN, with the protocol of what is inside.
fn vxlan_gpe(data: &[u8]) -> Option<Inner<'_>> {
    let word = be32(data, 0)?;
    let inner = behind(data, 8)?;
    if word & 0xc800_0000 != 0x0800_0000 {
        return None;
    }
    match word & 0xff {
        1 | 2 => Some((Tunnel::Vxlan, Layer::Ip, inner)),
        0 | 3 => Some((Tunnel::Vxlan, ETHERNET, inner)),
        5 => Some((Tunnel::Vxlan, Layer::Mpls, inner)),
        _ => None,
    }
}

/// GENEVE (RFC 8926): version 0, options in units of 4.
fn geneve(data: &[u8]) -> Option<Inner<'_>> {
    let first = *data.first()?;
    let kind = be16(data, 2)?;
    let inner = behind(data, 8 + 4 * usize::from(first & 0x3f))?;
    let is_plausible = first >> 6 == 0 && data.get(7) == Some(&0);
    match kind {
        _ if !is_plausible => None,
        0x6558 => Some((Tunnel::Geneve, ETHERNET, inner)),
        0x0800 | 0x86dd => Some((Tunnel::Geneve, Layer::Ip, inner)),
        _ => None,
    }
}

/// GTP-U (3GPP TS 29.281): version 1, a T-PDU, extension headers in units of 4.
fn gtp_u(data: &[u8]) -> Option<Inner<'_>> {
    let [flags, kind, ..] = *data.first_chunk::<8>()?;
    if flags >> 4 != 3 || kind != 0xff {
        return None;
    }
    let mut len = 8;
    if flags & 7 != 0 {
        let mut next = *data.get(11)?;
        len = 12;
        for _ in 0..8 {
            if next == 0 {
                break;
            }
            let extension = 4 * usize::from(*data.get(len)?);
            if extension == 0 {
                return None;
            }
            len += extension;
            next = *data.get(len - 1)?;
        }
    }
    ip_inside(Tunnel::GtpU, behind(data, len)?)
}

/// Teredo (RFC 4380): perhaps authentication (0x0001) and origin indication (0x0000), then IPv6.
fn teredo(data: &[u8]) -> Option<Inner<'_>> {
    let mut data = data;
    if be16(data, 0)? == 1 {
        let (client, auth) = (usize::from(*data.get(2)?), usize::from(*data.get(3)?));
        data = behind(data, 13 + client + auth)?;
    }
    if be16(data, 0)? == 0 {
        data = behind(data, 8)?;
    }
    (data.first()? >> 4 == 6 && data.len() >= 40).then_some((Tunnel::Teredo, Layer::Ip, data))
}

fn ip_inside(tunnel: Tunnel, inner: &[u8]) -> Option<Inner<'_>> {
    matches!(inner.first()? >> 4, 4 | 6).then_some((tunnel, Layer::Ip, inner))
}

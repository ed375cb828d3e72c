//! IPv4 (RFC 791) and IPv6 (RFC 8200) headers, extension headers included.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Skip;
use super::bytes::{be16, be32, behind};

/// Extension headers of one IPv6 packet, at most; a real one has two or three.
const EXTENSIONS: usize = 12;

/// An IP header and what it carries.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ip<'a> {
    pub(super) src: IpAddr,
    pub(super) dst: IpAddr,
    pub(super) ttl: u8,
    /// Length of the packet that the header claims, header included.
    pub(super) len: u32,
    /// IANA number of what is carried.
    pub(super) protocol: u8,
    /// Set if it is part of a packet.
    pub(super) fragment: Option<Fragment>,
    /// Length of the payload that the header claims; at least `payload.len()`.
    pub(super) payload_len: u32,
    /// The captured part of the payload.
    pub(super) payload: &'a [u8],
}

/// Which part of a packet a fragment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fragment {
    pub(super) id: u32,
    /// In bytes.
    pub(super) offset: u32,
    pub(super) more: bool,
}

/// Reads an IP header of either version.
#[inline]
pub(super) fn parse(data: &[u8]) -> Result<Ip<'_>, Skip> {
    match data.first().map(|first| first >> 4) {
        Some(4) => parse_v4(data),
        Some(6) => parse_v6(data),
        Some(_) => Err(Skip::BadIp),
        None => Err(Skip::TruncatedIp),
    }
}

#[inline]
fn parse_v4(data: &[u8]) -> Result<Ip<'_>, Skip> {
    let fixed: &[u8; 20] = data.first_chunk().ok_or(Skip::TruncatedIp)?;
    let [version, _, len0, len1, id0, id1, off0, off1, ttl, protocol, _, _, addrs @ ..] = *fixed;
    let [s0, s1, s2, s3, d0, d1, d2, d3] = addrs;
    let header = usize::from(version & 0x0f) * 4;
    if header < 20 {
        return Err(Skip::BadIp);
    }
    let body = behind(data, header).ok_or(Skip::TruncatedIp)?;
    // Segmentation offload leaves the length 0: the frame is then the packet.
    let claimed = usize::from(u16::from_be_bytes([len0, len1]));
    let len = if claimed == 0 { data.len() } else { claimed };
    let payload_len = len.checked_sub(header).ok_or(Skip::BadIp)?;
    let field = u16::from_be_bytes([off0, off1]);
    let fragment = (field & 0x3fff != 0).then(|| Fragment {
        id: u16::from_be_bytes([id0, id1]).into(),
        offset: u32::from(field & 0x1fff) * 8,
        more: field & 0x2000 != 0,
    });
    Ok(Ip {
        src: IpAddr::V4(Ipv4Addr::new(s0, s1, s2, s3)),
        dst: IpAddr::V4(Ipv4Addr::new(d0, d1, d2, d3)),
        ttl,
        len: narrow(len),
        protocol,
        fragment,
        payload_len: narrow(payload_len),
        // Short frames are padded: what lies behind the packet is not part of it.
        payload: body.get(..payload_len).unwrap_or(body),
    })
}

fn parse_v6(data: &[u8]) -> Result<Ip<'_>, Skip> {
    let (fixed, body) = data.split_first_chunk::<40>().ok_or(Skip::TruncatedIp)?;
    let addr = |at: usize| -> Option<IpAddr> {
        let bytes: &[u8; 16] = fixed.get(at..)?.first_chunk()?;
        Some(IpAddr::V6(Ipv6Addr::from(*bytes)))
    };
    let (Some(src), Some(dst)) = (addr(8), addr(24)) else { return Err(Skip::TruncatedIp) };
    let [_, _, _, _, len0, len1, next, ttl, ..] = *fixed;
    // Length 0 means a jumbogram (RFC 2675) or segmentation offload: the frame is the packet.
    let claimed = usize::from(u16::from_be_bytes([len0, len1]));
    let claimed = if claimed == 0 { body.len() } else { claimed };
    let mut ip = Ip {
        src,
        dst,
        ttl,
        len: narrow(claimed + 40),
        protocol: next,
        fragment: None,
        payload_len: narrow(claimed),
        payload: body.get(..claimed).unwrap_or(body),
    };
    for _ in 0..EXTENSIONS {
        let header = match ip.protocol {
            // Hop-by-hop, routing, destination, mobility, HIP, shim6: length in units of 8.
            0 | 43 | 60 | 135 | 139 | 140 => {
                8 + 8 * usize::from(*ip.payload.get(1).ok_or(Skip::TruncatedIp)?)
            }
            // Authentication header: length in units of 4, less 2.
            51 => 8 + 4 * usize::from(*ip.payload.get(1).ok_or(Skip::TruncatedIp)?),
            44 => {
                let field = be16(ip.payload, 2).ok_or(Skip::TruncatedIp)?;
                let id = be32(ip.payload, 4).ok_or(Skip::TruncatedIp)?;
                let (offset, more) = (u32::from(field & 0xfff8), field & 1 != 0);
                // An atomic fragment (RFC 6946) is whole.
                if offset != 0 || more {
                    ip.fragment = Some(Fragment { id, offset, more });
                }
                8
            }
            _ => return Ok(ip),
        };
        ip.protocol = *ip.payload.first().ok_or(Skip::TruncatedIp)?;
        ip.payload = behind(ip.payload, header).ok_or(Skip::TruncatedIp)?;
        ip.payload_len = ip.payload_len.saturating_sub(narrow(header));
        if ip.fragment.is_some() {
            return Ok(ip);
        }
    }
    Err(Skip::BadIp)
}

/// Lengths of packets fit in 32 bits; a source that claims otherwise is cut there.
fn narrow(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

//! Packets inside packets: which encapsulation it is, and where the inner packet begins.
//!
//! Nothing on the wire says "this UDP datagram is a tunnel". So a tunnel is recognised by its port
//! *and* by contents that fit: version, flags, reserved bits, and an inner packet of the version it
//! should have. Anything else stays the datagram that it is.

use super::bytes::{be16, be32, len32};
use super::link::{Head, is_ethernet};
use super::{Skip, Tunnel, UdpDatagram};

/// An inner packet: how it was wrapped, what its first byte belongs to, and its bytes, which reach to
/// the end of the outer packet.
pub(super) type Inner<'a> = (Tunnel, Head, &'a [u8]);

/// How many extension headers of GTP-U are followed; one or two are usual.
const MAX_GTP_EXTENSIONS: usize = 8;

/// Looks for a tunnel in a UDP payload. The ports are IANA's; 8472 is what Linux used for VXLAN
/// before there was a number.
#[inline]
pub(super) fn in_udp<'a>(datagram: &UdpDatagram<'a>) -> Option<Inner<'a>> {
    match (datagram.src_port, datagram.dst_port) {
        (_, 4789 | 8472) => vxlan(datagram.payload),
        (_, 4790) => vxlan_gpe(datagram.payload),
        (_, 6081) => geneve(datagram.payload),
        // Answers of these two come back from the port.
        (_, 2152) | (2152, _) => gtp_u(datagram),
        (_, 3544) | (3544, _) => teredo(datagram),
        _ => None,
    }
}

/// RFC 7348 section 5, with the group policy bit of its common extension. Linux drops frames that
/// set any other.
fn vxlan(payload: &[u8]) -> Option<Inner<'_>> {
    let &[flags, more, _, _, _, _, _, 0, ref frame @ ..] = payload else { return None };
    let fits = flags & !0x80 == 0x08 && more & !0x48 == 0 && is_ethernet(frame);
    fits.then_some((Tunnel::Vxlan, Head::Ethernet, frame))
}

/// VXLAN-GPE: the flags have a version, the P bit announces the next protocol, O is maintenance.
fn vxlan_gpe(payload: &[u8]) -> Option<Inner<'_>> {
    let &[flags, 0, 0, next, _, _, _, 0, ref rest @ ..] = payload else { return None };
    if flags & !0x02 != 0x0c {
        return None;
    }
    let fits = match next {
        1 => is_ip(rest, 4),
        2 => is_ip(rest, 6),
        3 => is_ethernet(rest),
        4 | 5 => true,
        _ => false,
    };
    fits.then_some((Tunnel::Vxlan, Head::NextProtocol(next), rest))
}

/// RFC 8926 section 3.4: options in words, then a frame or a packet. Control packets (O) stay.
fn geneve(payload: &[u8]) -> Option<Inner<'_>> {
    let &[version, flags, k0, k1, _, _, _, 0, ref rest @ ..] = payload else { return None };
    if version >> 6 != 0 || flags & 0xbf != 0 {
        return None;
    }
    let inner = rest.get(usize::from(version & 0x3f) * 4..)?;
    let kind = u16::from_be_bytes([k0, k1]);
    let fits = match kind {
        0x6558 => is_ethernet(inner),
        0x0800 => is_ip(inner, 4),
        0x86dd => is_ip(inner, 6),
        _ => false,
    };
    fits.then_some((Tunnel::Geneve, Head::EtherType(kind), inner))
}

/// 3GPP TS 29.281 section 5: version 1, protocol type GTP, message 255 (a packet of the user).
fn gtp_u<'a>(datagram: &UdpDatagram<'a>) -> Option<Inner<'a>> {
    let &[flags, 255, l0, l1, _, _, _, _, ref rest @ ..] = datagram.payload else { return None };
    let len = u32::from(u16::from_be_bytes([l0, l1]));
    if flags & 0xf8 != 0x30 || len + 8 > datagram.payload_len {
        return None;
    }
    let mut inner = rest;
    // Sequence, N-PDU and extension type are there, all three, if any flag is.
    if flags & 0x07 != 0 {
        let &[_, _, _, mut next, ref after @ ..] = rest else { return None };
        inner = after;
        if flags & 0x04 == 0 {
            next = 0;
        }
        for _ in 0..MAX_GTP_EXTENSIONS {
            if next == 0 {
                break;
            }
            let len = usize::from(*inner.first()?) * 4;
            next = *inner.get(len.checked_sub(1)?)?;
            inner = inner.get(len..)?;
        }
        if next != 0 {
            return None;
        }
    }
    (is_ip(inner, 4) || is_ip(inner, 6)).then_some((Tunnel::GtpU, Head::AnyIp, inner))
}

/// RFC 4380 section 5.1.1: perhaps authentication, perhaps an origin, then IPv6. A bubble (a packet
/// that only opens a hole in a NAT) has no inner traffic and stays a datagram.
fn teredo<'a>(datagram: &UdpDatagram<'a>) -> Option<Inner<'a>> {
    let mut inner = datagram.payload;
    if let &[0, 1, id_len, auth_len, ref rest @ ..] = inner {
        inner = rest.get(usize::from(id_len) + usize::from(auth_len) + 9..)?;
    }
    if let [0, 0, _, _, _, _, _, _, rest @ ..] = inner {
        inner = rest;
    }
    let (len, next) = (u32::from(be16(inner, 4)?), *inner.get(6)?);
    let front = len32(datagram.payload) - len32(inner);
    let fits = is_ip(inner, 6) && front + 40 + len <= datagram.payload_len;
    (fits && len > 0 && next != 59).then_some((Tunnel::Teredo, Head::AnyIp, inner))
}

/// Whether this begins like an IP packet of this version.
fn is_ip(bytes: &[u8], version: u8) -> bool {
    match (version, bytes) {
        (4, [first, _, l0, l1, ..]) => {
            let len = u16::from_be_bytes([*l0, *l1]);
            first >> 4 == 4 && first & 0x0f >= 5 && (len == 0 || len >= 20)
        }
        (6, [first, ..]) => first >> 4 == 6,
        _ => false,
    }
}

/// Looks into an IP payload whose protocol is a tunnel; `None` where it is not.
pub(super) fn in_ip(protocol: u8, payload: &[u8]) -> Option<Result<Inner<'_>, Skip>> {
    Some(match protocol {
        4 | 41 => {
            let version = if protocol == 4 { 4 } else { 6 };
            match payload.first() {
                Some(first) if first >> 4 == version => Ok((Tunnel::IpInIp, Head::AnyIp, payload)),
                Some(_) => Err(Skip::BadTunnel),
                None => Err(Skip::TruncatedIp),
            }
        }
        47 => gre(payload),
        // EtherIP (RFC 3378): version 3, reserved bits.
        97 => match payload {
            [0x30, 0x00, frame @ ..] => Ok((Tunnel::IpInIp, Head::Ethernet, frame)),
            _ => Err(Skip::BadTunnel),
        },
        // MPLS in IP (RFC 4023), Ethernet behind segment routing (RFC 8986 section 4.9).
        137 => Ok((Tunnel::IpInIp, Head::Mpls, payload)),
        143 => Ok((Tunnel::IpInIp, Head::Ethernet, payload)),
        _ => return None,
    })
}

/// GRE (RFC 2784, RFC 2890, routing of RFC 1701), its version 1 for PPTP (RFC 2637), and ERSPAN.
fn gre(payload: &[u8]) -> Result<Inner<'_>, Skip> {
    let head = be16(payload, 0).ok_or(Skip::TruncatedTransport)?;
    let kind = be16(payload, 2).ok_or(Skip::TruncatedTransport)?;
    let (checksum, routing, key, sequence) =
        (head & 0x8000 != 0, head & 0x4000 != 0, head & 0x2000 != 0, head & 0x1000 != 0);
    let word = |present: bool| if present { 4 } else { 0 };
    if head & 0x07 == 1 {
        // The payload length is in the key's upper half; without sequence there is none.
        if kind != 0x880b || !key {
            return Err(Skip::BadTunnel);
        }
        if !sequence {
            return Err(Skip::NoPayload);
        }
        let rest = payload.get(12 + word(head & 0x80 != 0)..).ok_or(Skip::TruncatedTransport)?;
        return Ok((Tunnel::Gre, Head::Ppp, rest));
    }
    if head & 0x07 != 0 {
        return Err(Skip::BadTunnel);
    }
    let len = 4 + word(checksum || routing) + word(key) + word(sequence);
    let mut rest = payload.get(len..).ok_or(Skip::TruncatedTransport)?;
    if routing {
        rest = after_routes(rest)?;
    }
    match kind {
        0x88be if sequence => erspan_2(rest),
        // Type I has no header of its own.
        0x88be => Ok((Tunnel::Erspan, Head::Ethernet, rest)),
        0x22eb => erspan_3(rest),
        // WCCP: version 2 puts four bytes before the packet.
        0x883e if rest.first().is_some_and(|first| first >> 4 == 4) => {
            Ok((Tunnel::Gre, Head::AnyIp, rest))
        }
        0x883e => Ok((Tunnel::Gre, Head::AnyIp, rest.get(4..).ok_or(Skip::TruncatedTransport)?)),
        // Keep-alives and OSI: no EtherType, and no IEEE 802.3 length either.
        0..0x0600 => Err(Skip::NonIp),
        _ => Ok((Tunnel::Gre, Head::EtherType(kind), rest)),
    }
}

/// Source routes (RFC 1701): family, offset, length; a zero length ends them.
fn after_routes(mut bytes: &[u8]) -> Result<&[u8], Skip> {
    loop {
        let &[_, _, _, len, ref rest @ ..] = bytes else { return Err(Skip::TruncatedTransport) };
        if len == 0 {
            return Ok(rest);
        }
        bytes = rest.get(usize::from(len)..).ok_or(Skip::TruncatedTransport)?;
    }
}

/// ERSPAN type II: version 1 in eight bytes.
fn erspan_2(bytes: &[u8]) -> Result<Inner<'_>, Skip> {
    let first = *bytes.first().ok_or(Skip::TruncatedTransport)?;
    if first >> 4 != 1 {
        return Err(Skip::BadTunnel);
    }
    Ok((Tunnel::Erspan, Head::Ethernet, bytes.get(8..).ok_or(Skip::TruncatedTransport)?))
}

/// ERSPAN type III: version 2 in twelve bytes, eight more with the O bit; the frame type says
/// Ethernet (0) or IP (2).
fn erspan_3(bytes: &[u8]) -> Result<Inner<'_>, Skip> {
    let flags = be32(bytes, 8).ok_or(Skip::TruncatedTransport)?;
    if bytes.first().map(|first| first >> 4) != Some(2) {
        return Err(Skip::BadTunnel);
    }
    let len = if flags & 1 == 1 { 20 } else { 12 };
    let rest = bytes.get(len..).ok_or(Skip::TruncatedTransport)?;
    match flags >> 10 & 0x1f {
        0 => Ok((Tunnel::Erspan, Head::Ethernet, rest)),
        2 => Ok((Tunnel::Erspan, Head::AnyIp, rest)),
        _ => Err(Skip::BadTunnel),
    }
}

//! Packets inside packets: which encapsulation it is, and where the inner packet begins.
//!
//! Nothing on the wire says "this UDP datagram is a tunnel". So a tunnel is recognised by its port
//! *and* by contents that fit: version, flags, reserved bits, and an inner packet of the version it
//! should have. Anything else stays the datagram that it is.

use super::bytes::{be16, len32};
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

/// Whether a datagram from or to this port may be a tunnel at all.
#[inline]
pub(super) const fn may_be_at(port: u16) -> bool {
    matches!(port, 2152 | 3544 | 4789 | 4790 | 6081 | 8472)
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
        47 => super::gre::decode(payload),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::frames::{
        SYN, SYN6, cat, ether, holds, holds_syn, inside, ip4, ip6, seen, syn, syn6, udp,
    };
    use crate::net::MacAddr;

    /// Asserts that a UDP payload sent to this port is left alone.
    #[track_caller]
    fn stays(port: u16, payload: &[u8]) {
        let (line, kind, _) = inside(&ip4(17, &udp(1000, port, payload)));
        let len = payload.len();
        let expected = format!("udp 192.0.2.1:1000 > 192.0.2.9:{port} {len}/{len}");
        assert_eq!((line, kind), (expected, None));
    }

    fn vxlan_of(frame: &[u8]) -> Vec<u8> {
        cat(&[&[8, 0, 0, 0, 0, 0, 9, 0], frame])
    }

    #[test]
    fn opens_ip_in_ip_of_all_four_kinds() {
        holds(&ip4(4, &syn()), Tunnel::IpInIp, SYN);
        holds(&ip4(41, &syn6()), Tunnel::IpInIp, SYN6);
        assert_eq!(seen(101, &ip6(4, &syn())).as_deref(), Ok(SYN));
        assert_eq!(seen(101, &ip6(41, &syn6())).as_deref(), Ok(SYN6));
        assert_eq!(seen(101, &ip4(4, &syn6())), Err(Skip::BadTunnel));
    }

    #[test]
    fn opens_ethernet_and_mpls_behind_ip() {
        let frame = ether(0x0800, &syn());

        holds(&ip4(97, &cat(&[&[0x30, 0], &frame])), Tunnel::IpInIp, SYN);
        holds(&ip4(137, &cat(&[&[0, 1, 1, 64], &syn()])), Tunnel::IpInIp, SYN);
        holds_syn(101, &ip6(143, &frame));
        assert_eq!(seen(101, &ip4(97, &[0, 0])), Err(Skip::BadTunnel));
    }

    #[test]
    fn opens_vxlan_and_takes_the_addresses_inside() {
        let frame = ether(0x0800, &syn());
        let inner = Some((MacAddr([2, 0, 0, 0, 0, 1]), MacAddr([2, 0, 0, 0, 0, 9])));

        for port in [4789, 8472] {
            let packet = ip4(17, &udp(1000, port, &vxlan_of(&frame)));
            assert_eq!(inside(&packet), (SYN.to_owned(), Some(Tunnel::Vxlan), inner));
        }
        let grouped = cat(&[&[0x88, 0, 0, 5, 0, 0, 9, 0], &frame]);
        holds(&ip4(17, &udp(1000, 4789, &grouped)), Tunnel::Vxlan, SYN);
        for (kind, inner) in [(1, &syn()), (3, &frame)] {
            let generic = cat(&[&[0x0c, 0, 0, kind, 0, 0, 9, 0], inner]);
            holds(&ip4(17, &udp(1000, 4790, &generic)), Tunnel::Vxlan, SYN);
        }
    }

    #[test]
    fn has_no_hardware_addresses_inside_a_tunnel_of_ip() {
        let (_, _, macs) = inside(&ip4(4, &syn()));

        assert_eq!(macs, None);
    }

    #[test]
    fn opens_geneve_with_options() {
        let frame = ether(0x0800, &syn());
        let plain = cat(&[&[0, 0, 0x65, 0x58, 0, 0, 9, 0], &frame]);
        let options = cat(&[&[2, 0x40, 8, 0, 0, 0, 9, 0], &[1; 8], &syn()]);

        holds(&ip4(17, &udp(1000, 6081, &plain)), Tunnel::Geneve, SYN);
        holds(&ip4(17, &udp(1000, 6081, &options)), Tunnel::Geneve, SYN);
        stays(6081, &cat(&[&[0, 0x80, 0x65, 0x58, 0, 0, 9, 0], &frame]));
    }

    #[test]
    fn opens_gtp_with_extension_headers() {
        let len = |more: usize| ((syn().len() + more) as u16).to_be_bytes();
        let plain = cat(&[&[0x30, 255], &len(0), &[0, 0, 0, 1], &syn()]);
        let sequence = cat(&[&[0x32, 255], &len(4), &[0, 0, 0, 1, 0, 1, 0, 0], &syn()]);
        let extended =
            cat(&[&[0x34, 255], &len(8), &[0, 0, 0, 1, 0, 0, 0, 0x85, 1, 0, 9, 0], &syn()]);
        let echo = [0x32, 1, 0, 4, 0, 0, 0, 0, 0, 1, 0, 0];

        for payload in [&plain, &sequence, &extended] {
            holds(&ip4(17, &udp(2152, 2152, payload)), Tunnel::GtpU, SYN);
            holds(&ip4(17, &udp(2152, 50_000, payload)), Tunnel::GtpU, SYN);
        }
        stays(2152, &echo);
        stays(2152, &cat(&[&[0x30, 255, 0xff, 0xff], &[0, 0, 0, 1], &syn()]));
    }

    #[test]
    fn opens_teredo_with_both_indications_and_leaves_bubbles() {
        let both = cat(&[&[0, 1, 0, 0], &[0; 9], &[0, 0, 1, 2, 3, 4, 5, 6], &syn6()]);

        holds(&ip4(17, &udp(1000, 3544, &syn6())), Tunnel::Teredo, SYN6);
        holds(&ip4(17, &udp(3544, 1000, &both)), Tunnel::Teredo, SYN6);
        stays(3544, &ip6(59, &[]));
        stays(3544, &syn());
    }

    #[test]
    fn leaves_datagrams_that_only_share_a_port() {
        for port in [4789, 4790, 8472, 6081, 2152, 3544] {
            stays(port, b"");
            stays(port, b"d1:ad2:id20:");
            stays(port, &[0xff; 64]);
            stays(port, &[0; 64]);
        }
        // Spanning tree inside VXLAN: a real tunnel, and still nothing to follow.
        stays(4789, &vxlan_of(&ether(38, &[0x42, 0x42, 3])));
        stays(4790, &cat(&[&[0x0c, 0, 0, 3, 0, 0, 9, 0], &ether(0x88cc, &[2, 7])]));
    }

    #[test]
    fn names_the_innermost_of_nested_tunnels() {
        let inner = ether(0x0800, &ip4(47, &cat(&[&[0, 0, 8, 0], &syn()])));

        holds(&ip4(17, &udp(1000, 4789, &vxlan_of(&inner))), Tunnel::Gre, SYN);
    }

    #[test]
    fn gives_up_on_endless_tunnels() {
        let five = (0..5).fold(syn(), |inner, _| ip4(4, &inner));
        let six = ip4(4, &five);

        holds_syn(101, &five);
        assert_eq!(seen(101, &six), Err(Skip::TooDeep));
    }
}

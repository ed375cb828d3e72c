//! GRE in its many uses: plain, NVGRE, PPTP, WCCP, and the mirrored frames of ERSPAN.

use super::bytes::{be16, be32};
use super::link::Head;
use super::tunnel::Inner;
use super::{Skip, Tunnel};

/// GRE (RFC 2784, RFC 2890, routing of RFC 1701), its version 1 for PPTP (RFC 2637), and ERSPAN.
pub(super) fn decode(payload: &[u8]) -> Result<Inner<'_>, Skip> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::frames::{SYN, SYN6, cat, ether, holds, ip4, seen, syn, syn6};

    #[test]
    fn opens_gre_with_every_optional_field() {
        let gre = |head: &[u8], inner: &[u8]| ip4(47, &cat(&[head, inner]));

        holds(&gre(&[0, 0, 8, 0], &syn()), Tunnel::Gre, SYN);
        holds(&gre(&[0x80, 0, 8, 0, 1, 1, 0, 0], &syn()), Tunnel::Gre, SYN);
        holds(
            &gre(&[0xb0, 0, 0x86, 0xdd, 1, 1, 0, 0, 2, 2, 2, 2, 3, 3, 3, 3], &syn6()),
            Tunnel::Gre,
            SYN6,
        );
        holds(&gre(&[0x20, 0, 0x65, 0x58, 0, 0, 9, 0], &ether(0x0800, &syn())), Tunnel::Gre, SYN);
        let routes = [0x40, 0, 8, 0, 0, 0, 0, 0, 8, 0, 0, 4, 1, 2, 3, 4, 0, 0, 0, 0];
        holds(&gre(&routes, &syn()), Tunnel::Gre, SYN);
        holds(&gre(&[0, 0, 0x88, 0x3e], &syn()), Tunnel::Gre, SYN);
        holds(&gre(&[0, 0, 0x88, 0x3e, 0, 0, 0, 0], &syn()), Tunnel::Gre, SYN);
        assert_eq!(seen(101, &gre(&[0, 0, 0, 0], &[])), Err(Skip::NonIp));
        assert_eq!(seen(101, &gre(&[0, 5, 8, 0], &syn())), Err(Skip::BadTunnel));
        assert_eq!(seen(101, &gre(&[0, 0], &[])), Err(Skip::TruncatedTransport));
    }

    #[test]
    fn opens_pptp_and_leaves_its_acknowledgements() {
        let ppp = cat(&[&[0xff, 3, 0, 0x21], &syn()]);
        let data = cat(&[&[0x30, 0x81, 0x88, 0x0b, 0, 35, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0], &ppp]);
        let ack = [0x20, 0x81, 0x88, 0x0b, 0, 0, 0, 1, 0, 0, 0, 1];

        holds(&ip4(47, &data), Tunnel::Gre, SYN);
        assert_eq!(seen(101, &ip4(47, &ack)), Err(Skip::NoPayload));
    }

    #[test]
    fn opens_all_three_types_of_erspan() {
        let frame = ether(0x0800, &syn());
        let second = [0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x10, 5, 0, 1, 0, 0, 0, 0];
        let third = [0x10, 0, 0x22, 0xeb, 0, 0, 0, 1, 0x20, 5, 0, 1, 0, 0, 0, 0, 0, 0, 0];

        holds(&ip4(47, &cat(&[&[0, 0, 0x88, 0xbe], &frame])), Tunnel::Erspan, SYN);
        holds(&ip4(47, &cat(&[&second, &frame])), Tunnel::Erspan, SYN);
        holds(&ip4(47, &cat(&[&third, &[0], &frame])), Tunnel::Erspan, SYN);
        holds(&ip4(47, &cat(&[&third, &[1], &[0; 8], &frame])), Tunnel::Erspan, SYN);
    }
}

//! ICMP and ICMPv6: queries, and errors with the packet that they quote.

use std::net::{IpAddr, Ipv6Addr};

use etherparse::{IpNumber, Ipv4HeaderSlice, Ipv6ExtensionsSlice, Ipv6HeaderSlice};

use super::bytes::{be16, len32};
use super::ip::Span;
use super::{IcmpMessage, Quoted, Skip};

/// Reads an ICMP (RFC 792) or ICMPv6 (RFC 4443) message.
pub(super) fn decode(v6: bool, span: Span<'_>) -> Result<IcmpMessage<'_>, Skip> {
    let Some((&[kind, code, _, _, i0, i1, s0, s1], payload)) = span.bytes.split_first_chunk::<8>()
    else {
        return Err(span.lacks(8, Skip::TruncatedTransport, Skip::BadTransport));
    };
    let (id, seq) = match (v6, kind) {
        // Echo, timestamp, information, address mask (RFC 792, RFC 950).
        (false, 0 | 8 | 13..=18) | (true, 128 | 129) => {
            (u16::from_be_bytes([i0, i1]), u16::from_be_bytes([s0, s1]))
        }
        // Extended echo (RFC 8335 section 2) has one byte for the sequence.
        (false, 42 | 43) | (true, 160 | 161) => (u16::from_be_bytes([i0, i1]), u16::from(s0)),
        _ => (0, 0),
    };
    let quotes = matches!((v6, kind), (false, 3 | 4 | 5 | 11 | 12) | (true, 1..=4));
    let target = match (v6, kind) {
        (true, 135 | 136) => payload.first_chunk::<16>().map(|t| IpAddr::V6(Ipv6Addr::from(*t))),
        _ => None,
    };
    Ok(IcmpMessage {
        v6,
        kind,
        code,
        id,
        seq,
        quoted: if quotes { quoted(payload) } else { None },
        target,
        payload_len: len32(payload).saturating_add(span.missing),
        payload,
    })
}

/// The packet at the start of an error's payload: at least an IP header and 8 bytes (RFC 792).
fn quoted(bytes: &[u8]) -> Option<Quoted> {
    let (src, dst, protocol, payload) = match bytes.first()? >> 4 {
        4 => {
            let head = Ipv4HeaderSlice::from_slice(bytes).ok()?;
            let whole = head.fragments_offset().value() == 0;
            let payload = bytes.get(head.slice().len()..).filter(|_| whole);
            let (src, dst) = (head.source_addr(), head.destination_addr());
            (src.into(), dst.into(), head.protocol(), payload)
        }
        6 => {
            let head = Ipv6HeaderSlice::from_slice(bytes).ok()?;
            let rest = bytes.get(40..)?;
            let (chain, next, payload, _) =
                Ipv6ExtensionsSlice::from_slice_lax(head.next_header(), rest);
            let payload = (!later_fragment(&chain)).then_some(payload);
            (head.source_addr().into(), head.destination_addr().into(), next, payload)
        }
        _ => return None,
    };
    let (src_port, dst_port) = payload.map_or((0, 0), |payload| ports(protocol, payload));
    Some(Quoted { src, dst, protocol: protocol.0, src_port, dst_port })
}

fn later_fragment(chain: &Ipv6ExtensionsSlice<'_>) -> bool {
    chain.clone().into_iter().any(|extension| match extension {
        etherparse::Ipv6ExtensionSlice::Fragment(head) => head.fragment_offset().value() != 0,
        _ => false,
    })
}

/// Ports of the quoted packet, or the identifier of a quoted echo in place of the source port.
fn ports(protocol: IpNumber, payload: &[u8]) -> (u16, u16) {
    let at = |place| be16(payload, place).unwrap_or(0);
    match (protocol, payload.first()) {
        // TCP, UDP, DCCP, SCTP and UDP-Lite all begin with their ports.
        (IpNumber(6 | 17 | 33 | 132 | 136), _) => (at(0), at(2)),
        (IpNumber::ICMP, Some(0 | 8 | 13..=18 | 42 | 43))
        | (IpNumber::IPV6_ICMP, Some(128 | 129 | 160 | 161)) => (at(4), 0),
        _ => (0, 0),
    }
}

//! ICMP and ICMPv6: queries, and errors with the packet that they quote.

use std::net::{IpAddr, Ipv6Addr};

use etherparse::{Ipv4HeaderSlice, Ipv6HeaderSlice};

use super::bytes::{be16, len32};
use super::ip::{self, Ip, Span};
use super::{IcmpMessage, Oddities, Quoted, Skip};

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
            (src.into(), dst.into(), head.protocol().0, payload)
        }
        6 => quoted_v6(bytes)?,
        _ => return None,
    };
    let (src_port, dst_port) = payload.map_or((0, 0), |payload| ports(protocol, payload));
    Some(Quoted { src, dst, protocol, src_port, dst_port })
}

/// Source, destination, protocol, and the start of what it carried. The lax extension slices of
/// etherparse 0.21 do not fit here: iterating one that was cut off reads past its end.
fn quoted_v6(bytes: &[u8]) -> Option<(IpAddr, IpAddr, u8, Option<&[u8]>)> {
    let head = Ipv6HeaderSlice::from_slice(bytes).ok()?;
    let ip = Ip {
        src: head.source_addr().into(),
        dst: head.destination_addr().into(),
        ttl: head.hop_limit(),
        len: len32(bytes),
        protocol: head.next_header().0,
        payload: Span { bytes: bytes.get(40..)?, missing: 0 },
        fragment: None,
    };
    match ip::extensions(ip, &mut Oddities::default()) {
        Ok(ip) => {
            let whole = ip.fragment.is_none_or(|fragment| fragment.offset == 0);
            Some((ip.src, ip.dst, ip.protocol, Some(ip.payload.bytes).filter(|_| whole)))
        }
        Err(_) => Some((ip.src, ip.dst, ip.protocol, None)),
    }
}

/// Ports of the quoted packet, or the identifier of a quoted echo in place of the source port.
fn ports(protocol: u8, payload: &[u8]) -> (u16, u16) {
    let at = |place| be16(payload, place).unwrap_or(0);
    match (protocol, payload.first()) {
        // TCP, UDP, DCCP, SCTP and UDP-Lite all begin with their ports.
        (6 | 17 | 33 | 132 | 136, _) => (at(0), at(2)),
        (1, Some(0 | 8 | 13..=18 | 42 | 43)) | (58, Some(128 | 129 | 160 | 161)) => (at(4), 0),
        _ => (0, 0),
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use crate::decode::frames::{
        A, A6, B, B6, cat, frame_at, ip4, ip4_between, ip6, seen, syn, syn6, udp,
    };
    use crate::decode::{Body, DecodeConfig, Decoder, IcmpMessage, Quoted, Skip, TransportHeader};
    use crate::source::LinkType;

    /// What is asked of a message, and the addresses that choose its flow worker.
    fn message<T>(packet: &[u8], ask: impl Fn(&IcmpMessage<'_>) -> T) -> (T, (IpAddr, IpAddr)) {
        let mut decoder = Decoder::new(&DecodeConfig::default());
        let packet = decoder.decode(&frame_at(0, LinkType::RAW, packet)).unwrap();
        let Body::Ip(ip) = &packet.body else { panic!("it is IP") };
        let TransportHeader::Icmp(icmp) = &ip.transport else { panic!("it is ICMP") };
        (ask(icmp), packet.shard_pair())
    }

    fn quoted(packet: &[u8]) -> (Option<Quoted>, (IpAddr, IpAddr)) {
        message(packet, |icmp| icmp.quoted)
    }

    /// An error from a router, about a packet of others.
    fn error(kind: u8, code: u8, about: &[u8]) -> Vec<u8> {
        let router = ([198, 51, 100, 1].into(), A);
        ip4_between(router, 1, (0, 0), &cat(&[&[kind, code, 0, 0, 0, 0, 0, 0], about]))
    }

    #[test]
    fn reads_identifiers_of_queries_only() {
        let echo = [8, 0, 0, 0, 0, 7, 0, 3];
        let unreachable = [3, 1, 0, 0, 0, 7, 0, 3];

        assert_eq!(seen(101, &ip4(1, &echo)).as_deref(), Ok("icmp 192.0.2.1 > 192.0.2.9 8/0 7 3"));
        assert_eq!(
            seen(101, &ip6(58, &[128, 0, 0, 0, 0, 7, 0, 3])).as_deref(),
            Ok("icmp 2001:db8::1 > 2001:db8::9 128/0 7 3")
        );
        assert_eq!(
            seen(101, &ip4(1, &unreachable)).as_deref(),
            Ok("icmp 192.0.2.1 > 192.0.2.9 3/1 0 0")
        );
        assert_eq!(seen(101, &ip4(1, &echo[..7])), Err(Skip::BadTransport));
        assert_eq!(seen(101, &ip4(58, &echo)), Err(Skip::OtherProtocol));
    }

    #[test]
    fn gives_the_connection_that_an_error_is_about() {
        let expected =
            Quoted { src: A.into(), dst: B.into(), protocol: 6, src_port: 40_000, dst_port: 445 };

        for kind in [3, 4, 5, 11, 12] {
            // RFC 792 promises no more than 8 bytes of the payload.
            let (seen, pair) = quoted(&error(kind, 0, &syn()[..28]));
            assert_eq!(seen, Some(expected));
            assert_eq!(pair, (A.into(), B.into()));
        }
    }

    #[test]
    fn gives_it_in_ipv6_behind_extension_headers() {
        let about = ip6(60, &cat(&[&[17, 0, 0, 0, 0, 0, 0, 0], &udp(1000, 161, b"x")]));
        let packet = ip6(58, &cat(&[&[1, 4, 0, 0, 0, 0, 0, 0], &about]));
        let expected =
            Quoted { src: A6.into(), dst: B6.into(), protocol: 17, src_port: 1000, dst_port: 161 };

        assert_eq!(quoted(&packet), (Some(expected), (A6.into(), B6.into())));
        let plain = ip6(58, &cat(&[&[3, 0, 0, 0, 0, 0, 0, 0], &syn6()]));
        assert_eq!(quoted(&plain).0.map(|quoted| quoted.dst_port), Some(445));
    }

    #[test]
    fn gives_a_quoted_echo_by_its_identifier() {
        let about = ip4(1, &[8, 0, 0, 0, 0, 7, 0, 3]);

        let (seen, _) = quoted(&error(11, 0, &about));

        let ports = seen.map(|quoted| (quoted.protocol, quoted.src_port, quoted.dst_port));
        assert_eq!(ports, Some((1, 7, 0)));
    }

    #[test]
    fn lives_with_quotes_that_are_cut_off_or_nonsense() {
        let later = ip4_between((A, B), 17, (9, 0x00b9), b"no ports");
        let ports = |packet: &[u8]| quoted(packet).0.map(|quoted| quoted.dst_port);

        assert_eq!(ports(&error(3, 1, &syn()[..20])), Some(0));
        assert_eq!(ports(&error(3, 1, &later)), Some(0));
        assert_eq!(quoted(&error(3, 1, &syn()[..19])).0, None);
        assert_eq!(quoted(&error(3, 1, b"nonsense")).0, None);
        assert_eq!(quoted(&error(8, 0, &syn())).0, None);
    }

    #[test]
    fn lives_with_a_quote_cut_off_in_its_extension_headers() {
        for (kind, rest) in [(0, 0), (43, 7), (44, 3), (51, 9), (60, 1)] {
            let about = ip6(kind, &[0x40; 64]);
            let packet = ip6(58, &cat(&[&[1, 0, 0, 0, 0, 0, 0, 0], &about[..40 + rest]]));
            let protocol = quoted(&packet).0.map(|quoted| (quoted.protocol, quoted.src_port));
            assert_eq!(protocol, Some((kind, 0)));
        }
    }

    #[test]
    fn reads_the_target_of_neighbour_discovery() {
        let solicit = cat(&[&[135, 0, 0, 0, 0, 0, 0, 0], &B6.octets()]);

        let (target, pair) = message(&ip6(58, &solicit), |icmp| icmp.target);

        assert_eq!(target, Some(B6.into()));
        assert_eq!(pair, (A6.into(), B6.into()));
    }
}

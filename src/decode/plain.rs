//! The shortest way through the decoder, for the packet that nearly every packet is: TCP or UDP,
//! whole, captured to its end, without IP options or extension headers, and no tunnel.
//!
//! It decides nothing: whatever is unusual about a packet goes the general way, which gives the
//! same for these packets as well (a test holds the two together) and takes three times as long.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::bytes::len32;
use super::link::{self, Labels, Layer};
use super::{
    Body, IpPacket, Linked, Packet, TcpFlags, TcpSegment, TransportHeader, UdpDatagram, tunnel,
};
use crate::net::{Ends, MacAddr, Transport};
use crate::source::{Frame, LinkType};

const ETHERNET_HEADER: usize = 14;
const IPV4_HEADER: usize = 20;
const IPV6_HEADER: usize = 40;
const TCP: u8 = 6;
const UDP: u8 = 17;

/// The network layer of one of these packets, in numbers, so that it stays in registers.
#[derive(Clone, Copy)]
struct Network<'a> {
    is_v6: bool,
    src: u128,
    dst: u128,
    ttl: u8,
    protocol: u8,
    /// All of the IP packet, without padding.
    bytes: &'a [u8],
    payload: &'a [u8],
}

/// What a frame shows before its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Glance<'a> {
    /// Who talks to whom, if it is one of these packets as far as that tells.
    pub ends: Option<Ends>,
    /// The outermost IP packet, without padding; `None` if there is none.
    pub ip: Option<&'a [u8]>,
}

/// Looks at a frame.
#[inline]
pub(super) fn glance<'a>(frame: &Frame<'a>) -> Glance<'a> {
    // Each way goes to its end by itself: where they met, all would have to go through memory.
    match ethernet(frame).and_then(ipv4) {
        Some(network) => Glance { ends: ends(&network), ip: Some(network.bytes) },
        None => glance_generally(frame),
    }
}

#[inline(never)]
fn glance_generally<'a>(frame: &Frame<'a>) -> Glance<'a> {
    let Ok(linked) = link::decode(frame) else { return Glance { ends: None, ip: None } };
    match network(linked) {
        Some(network) => Glance { ends: ends(&network), ip: Some(network.bytes) },
        None => Glance { ends: None, ip: linked.ip_bytes() },
    }
}

#[inline]
fn ends(network: &Network<'_>) -> Option<Ends> {
    let Network { is_v6, src, dst, protocol, payload, .. } = *network;
    let transport = match protocol {
        TCP => Transport::Tcp,
        _ => Transport::Udp,
    };
    let &[s0, s1, d0, d1] = payload.first_chunk::<4>()?;
    let src = (src, u16::from_be_bytes([s0, s1]));
    let dst = (dst, u16::from_be_bytes([d0, d1]));
    Some(Ends { transport, is_v6, src, dst })
}

/// Lends the packet of a frame, if it is one of these. (It is lent and not given since it is large,
/// and to move it would take longer than to read it.)
#[inline]
pub(super) fn read<R>(frame: &Frame<'_>, then: impl FnOnce(&Packet<'_>) -> R) -> Option<R> {
    match ethernet(frame) {
        Some(bytes) => lend(frame, macs(frame), ipv4(bytes)?, then),
        None => {
            let linked = link::decode(frame).ok()?;
            lend(frame, linked.labels, network(linked)?, then)
        }
    }
}

#[inline]
fn lend<R>(
    frame: &Frame<'_>,
    labels: Labels,
    network: Network<'_>,
    then: impl FnOnce(&Packet<'_>) -> R,
) -> Option<R> {
    let Labels { macs, vlan } = labels;
    let Network { is_v6, src, dst, ttl, protocol, bytes, payload } = network;
    let transport = match protocol {
        TCP => TransportHeader::Tcp(tcp(payload)?),
        _ => TransportHeader::Udp(udp(payload)?),
    };
    let (src, dst) = (address(is_v6, src), address(is_v6, dst));
    let body = Body::Ip(IpPacket { src, dst, ttl, ip_len: len32(bytes), transport });
    let Frame { ts, interface, .. } = *frame;
    Some(then(&Packet { ts, interface, macs, vlan, tunnel: None, body }))
}

#[inline]
const fn address(is_v6: bool, bits: u128) -> IpAddr {
    match is_v6 {
        true => IpAddr::V6(Ipv6Addr::from_bits(bits)),
        false => IpAddr::V4(Ipv4Addr::from_bits(bits as u32)),
    }
}

/// IPv4 right behind an Ethernet header.
#[inline]
fn ethernet<'a>(frame: &Frame<'a>) -> Option<&'a [u8]> {
    let (header, bytes) = frame.data.split_first_chunk::<ETHERNET_HEADER>()?;
    let &[.., k0, k1] = header;
    let is_ipv4 = u16::from_be_bytes([k0, k1]) == 0x0800;
    (is_ipv4 && frame.link == LinkType::ETHERNET).then_some(bytes)
}

/// What an Ethernet header says beside.
#[inline]
fn macs(frame: &Frame<'_>) -> Labels {
    let macs = frame.data.split_first_chunk::<6>().and_then(|(dst, rest)| {
        let src = rest.first_chunk::<6>()?;
        Some((MacAddr(*src), MacAddr(*dst)))
    });
    Labels { macs, vlan: None }
}

/// IP behind whatever else the link layer is.
fn network(linked: Linked<'_>) -> Option<Network<'_>> {
    match linked.layer {
        Layer::Ip4(bytes) => ipv4(bytes),
        Layer::Ip6(bytes) => ipv6(bytes),
        Layer::Arp(_) => None,
    }
}

#[inline]
fn ipv4(bytes: &[u8]) -> Option<Network<'_>> {
    let head = bytes.first_chunk::<IPV4_HEADER>()?;
    let &[0x45, _, l0, l1, _, _, f0, f1, ttl, protocol, _, _, s0, s1, s2, s3, d0, d1, d2, d3] =
        head
    else {
        return None;
    };
    let is_fragment = u16::from_be_bytes([f0, f1]) & 0x3fff != 0;
    let bytes = bytes.get(..usize::from(u16::from_be_bytes([l0, l1])))?;
    let payload = bytes.get(IPV4_HEADER..)?;
    if is_fragment || !matches!(protocol, TCP | UDP) {
        return None;
    }
    let src = u32::from_be_bytes([s0, s1, s2, s3]).into();
    let dst = u32::from_be_bytes([d0, d1, d2, d3]).into();
    Some(Network { is_v6: false, src, dst, ttl, protocol, bytes, payload })
}

#[inline]
fn ipv6(bytes: &[u8]) -> Option<Network<'_>> {
    let head = bytes.first_chunk::<IPV6_HEADER>()?;
    let &[0x60..=0x6f, _, _, _, l0, l1, protocol @ (TCP | UDP), ttl, ref addresses @ ..] = head
    else {
        return None;
    };
    let length = usize::from(u16::from_be_bytes([l0, l1]));
    let bytes = bytes.get(..IPV6_HEADER + length)?;
    let payload = bytes.get(IPV6_HEADER..)?;
    let &[src, dst] = addresses.as_chunks::<16>().0 else { return None };
    let (src, dst) = (u128::from_be_bytes(src), u128::from_be_bytes(dst));
    Some(Network { is_v6: true, src, dst, ttl, protocol, bytes, payload })
}

#[inline]
fn tcp(segment: &[u8]) -> Option<TcpSegment<'_>> {
    let &[s0, s1, d0, d1, q0, q1, q2, q3, a0, a1, a2, a3, offset, flags, w0, w1, _, _, _, _] =
        segment.first_chunk::<20>()?;
    let header = usize::from(offset >> 4) * 4;
    if header < 20 {
        return None;
    }
    let payload = segment.get(header..)?;
    Some(TcpSegment {
        src_port: u16::from_be_bytes([s0, s1]),
        dst_port: u16::from_be_bytes([d0, d1]),
        seq: u32::from_be_bytes([q0, q1, q2, q3]),
        ack: u32::from_be_bytes([a0, a1, a2, a3]),
        flags: TcpFlags(flags),
        window: u16::from_be_bytes([w0, w1]),
        payload_len: len32(payload),
        payload,
    })
}

#[inline]
fn udp(datagram: &[u8]) -> Option<UdpDatagram<'_>> {
    let (&[s0, s1, d0, d1, l0, l1, _, _], payload) = datagram.split_first_chunk::<8>()?;
    let (src_port, dst_port) = (u16::from_be_bytes([s0, s1]), u16::from_be_bytes([d0, d1]));
    let is_whole = usize::from(u16::from_be_bytes([l0, l1])) == datagram.len();
    if !is_whole || tunnel::may_be_at(src_port) || tunnel::may_be_at(dst_port) {
        return None;
    }
    Some(UdpDatagram { src_port, dst_port, payload_len: len32(payload), payload })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::decode::frames::{cat, ether, frame_at, ip4, ip6, tcp, udp};
    use crate::decode::{DecodeConfig, Decoder};

    /// What the general way makes of a packet, and what copies of it have in common.
    fn generally(link: LinkType, bytes: &[u8]) -> String {
        let mut decoder = Decoder::new(&DecodeConfig::default());
        let frame = frame_at(0, link, bytes);
        let linked = link::decode(&frame).unwrap();
        let packet = decoder.decode(&frame).unwrap();
        format!("{packet:?} {:?} {:?}", packet.ends(), linked.ip_bytes())
    }

    /// What the short way makes of it, if it can.
    fn shortly(link: LinkType, bytes: &[u8]) -> Option<String> {
        let frame = frame_at(0, link, bytes);
        let packet = Decoder::plain(&frame, |packet| format!("{packet:?}"))?;
        let Glance { ends, ip } = Decoder::glance(&frame);
        Some(format!("{packet} {ends:?} {ip:?}"))
    }

    #[test]
    fn takes_whole_tcp_and_udp_and_leaves_the_rest() {
        let mut cut = ip4(6, &tcp(2, b"data"));
        cut.pop();
        let mut fragment = ip4(6, &tcp(2, b"data"));
        fragment[6] |= 0x20;
        let is_plain = |packet: &[u8]| shortly(LinkType::RAW, packet).is_some();

        assert!(is_plain(&ip4(6, &tcp(2, b"data"))));
        assert!(is_plain(&ip6(6, &tcp(2, b"data"))));
        assert!(is_plain(&ip4(17, &udp(1000, 53, b"data"))));
        assert!(!is_plain(&ip4(17, &udp(1000, 4789, b"data"))));
        assert!(!is_plain(&ip4(1, &[8; 20])));
        assert!(!is_plain(&ip6(0, &[6; 20])));
        assert!(!is_plain(&cut));
        assert!(!is_plain(&fragment));
    }

    proptest! {
        #[test]
        fn says_what_the_general_way_says(
            is_tcp: bool,
            is_v6: bool,
            content in prop::collection::vec(any::<u8>(), 0..60),
            changes in prop::collection::vec((0usize..68, any::<u8>()), 0..3),
            padding in 0usize..8,
        ) {
            let (protocol, transport) = match is_tcp {
                true => (6, tcp(0x18, &content)),
                false => (17, udp(1000, 2000, &content)),
            };
            let (kind, mut packet) = match is_v6 {
                true => (0x86dd, ip6(protocol, &transport)),
                false => (0x0800, ip4(protocol, &transport)),
            };
            packet.resize(packet.len() + padding, 0);
            for (at, value) in changes {
                if let Some(byte) = packet.get_mut(at) {
                    *byte = value;
                }
            }
            let tag = if is_v6 { [0, 7, 0x86, 0xdd] } else { [0, 7, 8, 0] };
            for (link, data) in [
                (LinkType::RAW, packet.clone()),
                (LinkType::ETHERNET, ether(kind, &packet)),
                (LinkType::ETHERNET, ether(0x8100, &cat(&[&tag, &packet]))),
            ] {
                if let Some(shortly) = shortly(link, &data) {
                    prop_assert_eq!(shortly, generally(link, &data));
                }
            }
        }
    }
}

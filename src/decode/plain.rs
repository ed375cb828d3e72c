//! The shortest way through the decoder, for the packet that nearly every packet is: TCP or UDP in
//! a whole IPv4 packet without options, captured to its end, and no tunnel.
//!
//! It decides nothing: whatever is unusual about a packet goes the general way, which gives the
//! same for these packets as well (a test holds the two together) and takes three times as long.

use std::net::Ipv4Addr;

use super::bytes::len32;
use super::{IpPacket, TcpFlags, TcpSegment, TransportHeader, UdpDatagram, tunnel};

const IPV4_HEADER: usize = 20;
const TCP: u8 = 6;
const UDP: u8 = 17;

/// Reads the packet, if it is one of these.
#[inline]
pub(super) fn ipv4<'a>(bytes: &'a [u8]) -> Option<IpPacket<'a>> {
    let head = bytes.first_chunk::<IPV4_HEADER>()?;
    let &[0x45, _, l0, l1, _, _, f0, f1, ttl, protocol, _, _, s0, s1, s2, s3, d0, d1, d2, d3] =
        head
    else {
        return None;
    };
    let is_fragment = u16::from_be_bytes([f0, f1]) & 0x3fff != 0;
    let total = u16::from_be_bytes([l0, l1]);
    let payload = bytes.get(IPV4_HEADER..usize::from(total))?;
    if is_fragment {
        return None;
    }
    let transport = match protocol {
        TCP => TransportHeader::Tcp(tcp(payload)?),
        UDP => TransportHeader::Udp(udp(payload)?),
        _ => return None,
    };
    Some(IpPacket {
        src: Ipv4Addr::new(s0, s1, s2, s3).into(),
        dst: Ipv4Addr::new(d0, d1, d2, d3).into(),
        ttl,
        ip_len: u32::from(total),
        transport,
    })
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
    use crate::decode::frames::{frame_at, ip4, tcp, udp};
    use crate::decode::{Body, DecodeConfig, Decoder};
    use crate::source::LinkType;

    /// What the general way makes of a packet, without taking the short one.
    fn generally(bytes: &[u8]) -> String {
        let mut decoder = Decoder::new(&DecodeConfig::default());
        let frame = frame_at(0, LinkType::RAW, bytes);
        let linked = Decoder::link(&frame).unwrap();
        let packet = decoder.unusual(&frame, linked).unwrap();
        let Body::Ip(ip) = packet.body else { panic!("an IP packet") };
        format!("{ip:?}")
    }

    #[test]
    fn takes_whole_tcp_and_udp_and_leaves_the_rest() {
        let mut cut = ip4(6, &tcp(2, b"data"));
        cut.pop();
        let mut fragment = ip4(6, &tcp(2, b"data"));
        fragment[6] |= 0x20;

        assert!(ipv4(&ip4(6, &tcp(2, b"data"))).is_some());
        assert!(ipv4(&ip4(17, &udp(1000, 53, b"data"))).is_some());
        assert!(ipv4(&ip4(17, &udp(1000, 4789, b"data"))).is_none());
        assert!(ipv4(&ip4(1, &[8; 20])).is_none());
        assert!(ipv4(&cut).is_none());
        assert!(ipv4(&fragment).is_none());
    }

    proptest! {
        #[test]
        fn says_what_the_general_way_says(
            is_tcp: bool,
            content in prop::collection::vec(any::<u8>(), 0..60),
            changes in prop::collection::vec((0usize..48, any::<u8>()), 0..3),
            padding in 0usize..8,
        ) {
            let mut packet = match is_tcp {
                true => ip4(6, &tcp(0x18, &content)),
                false => ip4(17, &udp(1000, 2000, &content)),
            };
            packet.resize(packet.len() + padding, 0);
            for (at, value) in changes {
                if let Some(byte) = packet.get_mut(at) {
                    *byte = value;
                }
            }
            if let Some(ip) = ipv4(&packet) {
                prop_assert_eq!(format!("{ip:?}"), generally(&packet));
            }
        }
    }
}

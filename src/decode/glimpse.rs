//! Who talks to whom, from the places where nearly every packet has it, long before its turn.
//!
//! Nothing is checked and nothing depends on it: what a glimpse says is only used to have memory
//! fetched in time.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::bytes::{be16, be32};
use crate::net::{Endpoint, Transport};
use crate::source::LinkType;

/// The ends of a packet, as they seem to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Glimpse {
    /// TCP or UDP.
    pub transport: Transport,
    /// Who sends.
    pub src: Endpoint,
    /// Who gets it.
    pub dst: Endpoint,
}

/// The ends of a plain packet: TCP or UDP over IP, over Ethernet with at most one VLAN tag or over
/// nothing. `None` for everything else.
#[inline]
pub fn glimpse(link: LinkType, data: &[u8]) -> Option<Glimpse> {
    let network = match link {
        LinkType::ETHERNET => match be16(data, 12)? {
            0x0800 | 0x86dd => data.get(14..)?,
            0x8100 => data.get(18..)?,
            _ => return None,
        },
        LinkType::RAW | LinkType::IPV4 | LinkType::IPV6 => data,
        _ => return None,
    };
    let first = *network.first()?;
    let (protocol, src, dst, header): (u8, IpAddr, IpAddr, usize) = match first >> 4 {
        4 => {
            let addr = |at| Some(Ipv4Addr::from_bits(be32(network, at)?).into());
            (*network.get(9)?, addr(12)?, addr(16)?, usize::from(first & 0x0f) * 4)
        }
        6 => {
            let addr =
                |at: usize| Some(Ipv6Addr::from(*network.get(at..)?.first_chunk::<16>()?).into());
            (*network.get(6)?, addr(8)?, addr(24)?, 40)
        }
        _ => return None,
    };
    let transport = match protocol {
        6 => Transport::Tcp,
        17 => Transport::Udp,
        _ => return None,
    };
    let port = |at| be16(network, header + at);
    let (src, dst) = (Endpoint::new(src, port(0)?), Endpoint::new(dst, port(2)?));
    Some(Glimpse { transport, src, dst })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::frames::{cat, ether, frame_at, ip4, syn, syn6, tcp};
    use crate::decode::{Body, DecodeConfig, Decoder, TransportHeader};

    /// What the decoder makes of it.
    fn decoded(link: LinkType, data: &[u8]) -> Option<Glimpse> {
        let mut decoder = Decoder::new(&DecodeConfig::default());
        let packet = decoder.decode(&frame_at(0, link, data)).ok()?;
        let Body::Ip(ip) = packet.body else { return None };
        let TransportHeader::Tcp(tcp) = ip.transport else { return None };
        Some(Glimpse {
            transport: Transport::Tcp,
            src: Endpoint::new(ip.src, tcp.src_port),
            dst: Endpoint::new(ip.dst, tcp.dst_port),
        })
    }

    #[test]
    fn sees_what_the_decoder_sees_in_plain_packets() {
        let tagged = cat(&[&[0, 7, 8, 0], &syn()]);
        for (link, data) in [
            (LinkType::ETHERNET, ether(0x0800, &syn())),
            (LinkType::ETHERNET, ether(0x86dd, &syn6())),
            (LinkType::ETHERNET, ether(0x8100, &tagged)),
            (LinkType::RAW, ip4(6, &tcp(2, &[]))),
        ] {
            let seen = glimpse(link, &data);

            assert!(seen.is_some());
            assert_eq!(seen, decoded(link, &data));
        }
    }

    proptest::proptest! {
        #[test]
        fn takes_any_bytes(link in 0u16..300, data: Vec<u8>) {
            let _ = glimpse(LinkType(link), &data);
        }
    }
}

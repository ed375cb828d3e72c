//! From a frame to the one innermost packet that matters: link layers, tunnels, IP, transport.

mod arp;
mod bytes;
mod config;
mod datagram;
mod decoder;
mod fragment;
mod gre;
mod icmp;
mod ip;
mod link;
mod oddity;
mod plain;
mod skip;
mod transport;
mod tunnel;

#[cfg(test)]
mod frames;

use std::net::IpAddr;

pub use config::DecodeConfig;
pub use decoder::Decoder;
pub use fragment::FragmentStats;
pub use link::Linked;
pub use oddity::{Oddities, Oddity};
pub use plain::Glance;
pub use skip::Skip;

use crate::net::{Endpoint, Ends, MacAddr, Transport};
use crate::time::Timestamp;

/// A decoded packet: the innermost addresses and transport, payload borrowed from the frame.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// When it was captured.
    pub ts: Timestamp,
    /// Which interface saw it.
    pub interface: u16,
    /// Source and destination hardware address of the innermost frame that carried it, where the
    /// link has them. The destination is zero where only the source was recorded (Linux "any").
    /// `None` inside tunnels of IP, whose ends are not the owners of the inner addresses.
    pub macs: Option<(MacAddr, MacAddr)>,
    /// The innermost VLAN identifier outside any tunnel.
    pub vlan: Option<u16>,
    /// The innermost tunnel that was taken off.
    pub tunnel: Option<Tunnel>,
    /// What it is.
    pub body: Body<'a>,
}

impl Packet<'_> {
    /// Who talks to whom, if it is TCP, UDP or SCTP.
    #[inline]
    pub fn ends(&self) -> Option<Ends> {
        let Body::Ip(ip) = &self.body else { return None };
        let (transport, src, dst) = match &ip.transport {
            TransportHeader::Tcp(tcp) => (Transport::Tcp, tcp.src_port, tcp.dst_port),
            TransportHeader::Udp(udp) => (Transport::Udp, udp.src_port, udp.dst_port),
            TransportHeader::Sctp(sctp) => (Transport::Sctp, sctp.src_port, sctp.dst_port),
            TransportHeader::Icmp(_) => return None,
        };
        let (src, dst) = (Endpoint::new(ip.src, src), Endpoint::new(ip.dst, dst));
        Some(Ends::new(transport, src, dst))
    }

    /// The two addresses that choose the flow worker, whichever comes first. An ICMP error belongs
    /// where the connection is that it is about, so it gives the quoted packet's.
    #[inline]
    pub fn shard_pair(&self) -> (IpAddr, IpAddr) {
        match &self.body {
            Body::Arp(arp) => (arp.sender, arp.target),
            Body::Ip(ip) => match ip.transport {
                TransportHeader::Icmp(IcmpMessage { quoted: Some(quoted), .. }) => {
                    (quoted.src, quoted.dst)
                }
                _ => (ip.src, ip.dst),
            },
        }
    }
}

/// What a packet carries.
#[derive(Clone, Copy, Debug)]
pub enum Body<'a> {
    /// An ARP message for IPv4 over Ethernet.
    Arp(Arp),
    /// An IPv4 or IPv6 packet, whole or reassembled.
    Ip(IpPacket<'a>),
}

/// An encapsulation that was removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tunnel {
    /// Generic Routing Encapsulation (RFC 2784), NVGRE included.
    Gre,
    /// Encapsulated Remote SPAN, types I to III.
    Erspan,
    /// VXLAN (RFC 7348).
    Vxlan,
    /// GENEVE (RFC 8926).
    Geneve,
    /// IP in IP (RFC 2003), 4in6 and 6in4 (RFC 2473, RFC 4213), and Ethernet or MPLS right behind an
    /// IP header (RFC 3378, RFC 4023, RFC 8986).
    IpInIp,
    /// GPRS Tunnelling Protocol, user plane.
    GtpU,
    /// Teredo (RFC 4380).
    Teredo,
}

/// An ARP message (RFC 826).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arp {
    /// 1 request, 2 reply.
    pub operation: u16,
    /// Hardware address of the sender.
    pub sender_mac: MacAddr,
    /// Protocol address of the sender.
    pub sender: IpAddr,
    /// Hardware address of the target (zero in a request).
    pub target_mac: MacAddr,
    /// Protocol address of the target.
    pub target: IpAddr,
}

/// The network layer of a packet.
#[derive(Clone, Copy, Debug)]
pub struct IpPacket<'a> {
    /// Source address.
    pub src: IpAddr,
    /// Destination address.
    pub dst: IpAddr,
    /// Time to live, or hop limit.
    pub ttl: u8,
    /// Length of the IP packet, header included, in bytes (of all fragments where reassembled).
    pub ip_len: u32,
    /// What it carries.
    pub transport: TransportHeader<'a>,
}

/// The transport header and the captured part of its payload.
#[derive(Clone, Copy, Debug)]
pub enum TransportHeader<'a> {
    /// TCP.
    Tcp(TcpSegment<'a>),
    /// UDP.
    Udp(UdpDatagram<'a>),
    /// ICMP and ICMPv6.
    Icmp(IcmpMessage<'a>),
    /// SCTP.
    Sctp(SctpPacket<'a>),
}

/// TCP flags, as on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TcpFlags(pub u8);

impl TcpFlags {
    /// No more data from the sender.
    pub const FIN: u8 = 0x01;
    /// Synchronise sequence numbers.
    pub const SYN: u8 = 0x02;
    /// Reset the connection.
    pub const RST: u8 = 0x04;
    /// Push function.
    pub const PSH: u8 = 0x08;
    /// The acknowledgement field is significant.
    pub const ACK: u8 = 0x10;
    /// The urgent pointer is significant.
    pub const URG: u8 = 0x20;

    /// Whether all bits of `mask` are set.
    pub const fn has(self, mask: u8) -> bool {
        self.0 & mask == mask
    }
}

/// A TCP segment.
#[derive(Clone, Copy, Debug)]
pub struct TcpSegment<'a> {
    /// Source port.
    pub src_port: u16,
    /// Destination port.
    pub dst_port: u16,
    /// Sequence number.
    pub seq: u32,
    /// Acknowledgement number; meaningful with ACK.
    pub ack: u32,
    /// Flags.
    pub flags: TcpFlags,
    /// Window, unscaled.
    pub window: u16,
    /// Payload length that the IP header claims, in bytes; at least `payload.len()`.
    pub payload_len: u32,
    /// The captured part of the payload.
    pub payload: &'a [u8],
}

/// A UDP datagram.
#[derive(Clone, Copy, Debug)]
pub struct UdpDatagram<'a> {
    /// Source port.
    pub src_port: u16,
    /// Destination port.
    pub dst_port: u16,
    /// Payload length that the headers claim, in bytes; at least `payload.len()`.
    pub payload_len: u32,
    /// The captured part of the payload.
    pub payload: &'a [u8],
}

/// An SCTP packet.
#[derive(Clone, Copy, Debug)]
pub struct SctpPacket<'a> {
    /// Source port.
    pub src_port: u16,
    /// Destination port.
    pub dst_port: u16,
    /// Type of the first chunk (RFC 9260 section 3.2): 1 INIT, 2 INIT ACK, 6 ABORT, ...
    pub chunk: u8,
    /// Length of all chunks, in bytes.
    pub payload_len: u32,
    /// The captured part of the chunks.
    pub payload: &'a [u8],
}

/// An ICMP or ICMPv6 message.
#[derive(Clone, Copy, Debug)]
pub struct IcmpMessage<'a> {
    /// Whether it is ICMPv6.
    pub v6: bool,
    /// Type.
    pub kind: u8,
    /// Code.
    pub code: u8,
    /// Identifier of echo and other queries, 0 for others.
    pub id: u16,
    /// Sequence number of echo and other queries, 0 for others.
    pub seq: u16,
    /// For error messages, the start of the packet that they quote.
    pub quoted: Option<Quoted>,
    /// For ICMPv6 neighbour solicitation and advertisement, the target.
    pub target: Option<IpAddr>,
    /// Length after the 8-byte header, in bytes.
    pub payload_len: u32,
    /// The captured part of what follows the 8-byte header.
    pub payload: &'a [u8],
}

/// The packet that an ICMP error message quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quoted {
    /// Source address: who sent the packet that failed.
    pub src: IpAddr,
    /// Destination address: where it could not go.
    pub dst: IpAddr,
    /// IANA protocol number.
    pub protocol: u8,
    /// Source port, or ICMP identifier; 0 where it is cut off.
    pub src_port: u16,
    /// Destination port, or 0.
    pub dst_port: u16,
}

//! From a frame to the one innermost packet that matters: link layers, tunnels, IP, transport.

mod bytes;
mod fragments;
mod ip;
mod link;
mod skip;
mod transport;
mod tunnels;

use std::net::IpAddr;

use crate::net::MacAddr;
use crate::source::Frame;
use crate::time::Timestamp;

pub use fragments::DecodeConfig;
pub use skip::Skip;

use fragments::{Progress, Reassembler};
use link::Layer;

/// Layers that are taken off one frame, at most: a tunnel in a tunnel over MPLS in VLANs is ten.
const DEPTH: usize = 24;

/// What the outer layers say of the packet inside.
#[derive(Clone, Copy, Debug, Default)]
struct Context {
    macs: Option<(MacAddr, MacAddr)>,
    vlan: Option<u16>,
    tunnel: Option<Tunnel>,
}

/// A frame without its link layer.
#[derive(Clone, Copy, Debug)]
pub struct Network<'a> {
    context: Context,
    layer: Layer,
    data: &'a [u8],
}

impl<'a> Network<'a> {
    /// The IP packet, as far as it was captured; `None` for ARP.
    pub fn ip(&self) -> Option<&'a [u8]> {
        (self.layer == Layer::Ip).then_some(self.data)
    }
}

/// Something odd that decoding came across, in Zeek's words where it has some.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Oddity {
    /// What is odd.
    pub name: &'static str,
    /// Who sent it.
    pub src: IpAddr,
    /// To whom.
    pub dst: IpAddr,
}

/// Turns frames into packets; keeps fragments until their packets are whole.
#[derive(Debug)]
pub struct Decoder {
    reassembler: Reassembler,
    assembled: Vec<u8>,
    oddity: Option<Oddity>,
}

impl Decoder {
    /// A decoder that holds nothing.
    pub fn new(config: &DecodeConfig) -> Self {
        Self { reassembler: Reassembler::new(config), assembled: Vec::new(), oddity: None }
    }

    /// Takes the link layers off.
    ///
    /// # Errors
    /// Why there is no IP or ARP below them.
    #[inline]
    pub fn link<'a>(&mut self, frame: &Frame<'a>) -> Result<Network<'a>, Skip> {
        self.oddity = None;
        let mut context = Context::default();
        let (layer, data) = descend(Layer::Link(frame.link), frame.data, &mut context)?;
        Ok(Network { context, layer, data })
    }

    /// Goes from the network layer to the innermost packet.
    ///
    /// # Errors
    /// Why there is none, or not yet.
    #[inline]
    pub fn packet<'a>(
        &'a mut self,
        frame: &Frame<'a>,
        network: Network<'a>,
    ) -> Result<Packet<'a>, Skip> {
        let Network { mut context, mut layer, mut data } = network;
        let mut assembled = Some(&mut self.assembled);
        for _ in 0..DEPTH {
            if layer == Layer::Arp {
                return Ok(Packet::new(frame, context, Body::Arp(arp(data)?)));
            }
            let mut ip = ip::parse(data)?;
            if let Some(part) = ip.fragment {
                let (progress, overlaps) = self.reassembler.add(frame.ts, &ip, part);
                if overlaps {
                    let (src, dst) = (ip.src, ip.dst);
                    self.oddity = Some(Oddity { name: "fragment_inconsistency", src, dst });
                }
                let whole = match progress {
                    Progress::Held => return Err(Skip::FragmentHeld),
                    Progress::Bad => return Err(Skip::BadFragment),
                    Progress::Whole(whole) => whole,
                };
                // Fragments inside a packet that was itself in fragments: one level is enough.
                let store = assembled.take().ok_or(Skip::TooDeep)?;
                *store = whole;
                ip.len = ip.len.saturating_sub(ip.payload_len).saturating_add(store.len() as u32);
                ip.payload_len = store.len() as u32;
                ip.payload = store;
            }
            if let Some((tunnel, inner, rest)) = tunnels::open(&ip)? {
                context.tunnel = Some(tunnel);
                (layer, data) = descend(inner, rest, &mut Context::default())
                    .map_err(|skip| if skip.is_error() { Skip::BadTunnel } else { skip })?;
                continue;
            }
            let transport = transport::parse(&ip)?;
            let (src, dst, ttl, ip_len) = (ip.src, ip.dst, ip.ttl, ip.len);
            let body = Body::Ip(IpPacket { src, dst, ttl, ip_len, transport });
            return Ok(Packet::new(frame, context, body));
        }
        Err(Skip::TooDeep)
    }

    /// What was odd in the frame that was decoded last.
    #[inline]
    pub const fn oddity(&self) -> Option<Oddity> {
        self.oddity
    }

    /// Bytes that fragments hold.
    pub const fn fragment_bytes(&self) -> usize {
        self.reassembler.bytes()
    }

    /// Fragmented packets that were given up before they were whole.
    pub const fn fragments_evicted(&self) -> u64 {
        self.reassembler.evicted()
    }
}

/// Takes layers off until IP or ARP.
#[inline]
fn descend<'a>(
    mut layer: Layer,
    mut data: &'a [u8],
    context: &mut Context,
) -> Result<(Layer, &'a [u8]), Skip> {
    for _ in 0..DEPTH {
        if matches!(layer, Layer::Ip | Layer::Arp) {
            return Ok((layer, data));
        }
        (layer, data) = link::strip(layer, data, context)?;
    }
    Err(Skip::TooDeep)
}

fn arp(data: &[u8]) -> Result<Arp, Skip> {
    let message: &[u8; 28] = data.first_chunk().ok_or(Skip::BadArp)?;
    let [0, _, 8, 0, 6, 4, op0, op1, ends @ ..] = *message else { return Err(Skip::BadArp) };
    let [h0, h1, h2, h3, h4, h5, s0, s1, s2, s3, t0, t1, t2, t3, t4, t5, d0, d1, d2, d3] = ends;
    Ok(Arp {
        operation: u16::from_be_bytes([op0, op1]),
        sender_mac: MacAddr([h0, h1, h2, h3, h4, h5]),
        sender: IpAddr::from([s0, s1, s2, s3]),
        target_mac: MacAddr([t0, t1, t2, t3, t4, t5]),
        target: IpAddr::from([d0, d1, d2, d3]),
    })
}

/// A decoded packet: the innermost addresses and transport, payload borrowed from the frame.
#[derive(Clone, Debug)]
pub struct Packet<'a> {
    /// When it was captured.
    pub ts: Timestamp,
    /// Which interface saw it.
    pub interface: u16,
    /// Source and destination hardware address of the frame that carried it, where the link has them.
    pub macs: Option<(MacAddr, MacAddr)>,
    /// The innermost VLAN identifier outside any tunnel.
    pub vlan: Option<u16>,
    /// The innermost tunnel that was taken off.
    pub tunnel: Option<Tunnel>,
    /// What it is.
    pub body: Body<'a>,
}

impl<'a> Packet<'a> {
    fn new(frame: &Frame<'_>, context: Context, body: Body<'a>) -> Self {
        let Context { macs, vlan, tunnel } = context;
        Self { ts: frame.ts, interface: frame.interface, macs, vlan, tunnel, body }
    }

    /// The pair of addresses, smaller first, that decides which worker tracks it: both directions
    /// of a connection have the same, and so has an ICMP error about it.
    #[inline]
    pub fn shard_pair(&self) -> (IpAddr, IpAddr) {
        let (a, b) = match &self.body {
            Body::Arp(arp) => (arp.sender, arp.target),
            Body::Ip(ip) => match &ip.transport {
                TransportHeader::Icmp(IcmpMessage { quoted: Some(quoted), .. }) => {
                    (quoted.src, quoted.dst)
                }
                _ => (ip.src, ip.dst),
            },
        };
        if a <= b { (a, b) } else { (b, a) }
    }
}

/// What a packet carries.
#[derive(Clone, Debug)]
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
    /// IP in IP (RFC 2003), 4in6 and 6in4 (RFC 2473, RFC 4213).
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
#[derive(Clone, Debug)]
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
#[derive(Clone, Debug)]
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

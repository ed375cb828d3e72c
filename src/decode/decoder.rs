//! The way from a frame to a packet: link layer, then IP and tunnels until a transport header.

use super::bytes::len32;
use super::fragment::Fragments;
use super::ip::{self, Ip, Span};
use super::link::{self, Labels, Layer};
use super::{
    Body, DecodeConfig, FragmentStats, IpPacket, Linked, Oddities, Oddity, Packet, Skip,
    TransportHeader, Tunnel, arp, icmp, transport, tunnel,
};
use crate::net::MacAddr;
use crate::source::Frame;

/// How many IP packets may lie inside each other. Zeek stops at 2 tunnels; mirrored overlay
/// networks (ERSPAN over VXLAN over a site's own tunnel) need 3 or 4.
const MAX_NESTING: usize = 6;

/// How many nested packets may be reassembled for one frame: a tunnel's packets are fragmented
/// inside or outside it, rarely both, hardly ever thrice.
const MAX_WHOLES: usize = 3;

/// Turns frames into packets. Keeps nothing from one frame to the next but waiting fragments, so
/// all fragments of a datagram must come to the same decoder.
#[derive(Debug)]
pub struct Decoder {
    fragments: Fragments,
    /// Payloads made whole, lent to the packet until the next frame.
    wholes: [Vec<u8>; MAX_WHOLES],
    odd: Oddities,
}

impl Decoder {
    /// A decoder that waits for fragments as `config` says.
    pub fn new(config: &DecodeConfig) -> Self {
        Self {
            fragments: Fragments::new(config),
            wholes: Default::default(),
            odd: Oddities::default(),
        }
    }

    /// Decodes a frame to its innermost packet: [`link`](Self::link), then
    /// [`network`](Self::network).
    ///
    /// # Errors
    /// The reason why there is no packet.
    #[inline]
    pub fn decode<'a>(&'a mut self, frame: &Frame<'a>) -> Result<Packet<'a>, Skip> {
        let linked = Self::link(frame)?;
        self.network(frame, linked)
    }

    /// Takes off the link layer. This is all that recognising duplicates needs, and it changes
    /// nothing, so that a duplicate can be dropped before its fragments are counted twice.
    ///
    /// # Errors
    /// The reason why there is neither IP nor ARP.
    #[inline]
    pub fn link<'a>(frame: &Frame<'a>) -> Result<Linked<'a>, Skip> {
        link::decode(frame)
    }

    /// Decodes what [`link`](Self::link) found in `frame`. The payload is borrowed from the frame, or
    /// from the decoder where it was reassembled.
    ///
    /// # Errors
    /// The reason why there is no packet.
    pub fn network<'a>(
        &'a mut self,
        frame: &Frame<'a>,
        linked: Linked<'a>,
    ) -> Result<Packet<'a>, Skip> {
        self.odd.clear();
        let Self { fragments, wholes, odd } = self;
        let mut wholes = wholes.iter_mut();
        let Linked { mut labels, mut layer, mut missing } = linked;
        let mut tunnel = None;

        for depth in 1.. {
            let mut ip = match layer {
                Layer::Ip4(bytes) => ip::v4(Span { bytes, missing }, odd)?,
                Layer::Ip6(bytes) => ip::v6(Span { bytes, missing }, odd)?,
                Layer::Arp(bytes) => {
                    let body = Body::Arp(arp::decode(bytes)?);
                    return Ok(packet(frame, labels, tunnel, body));
                }
            };
            let mut partial = false;
            if let Some(fragment) = ip.fragment {
                let whole = wholes.next().ok_or(Skip::TooDeep)?;
                let place = (labels.vlan, tunnel);
                match fragments.add(frame.ts, place, ip, fragment, whole, odd) {
                    Ok(reassembled) => ip = ip::extensions(reassembled, odd)?,
                    Err(Skip::FragmentCut) if fragment.offset == 0 => partial = true,
                    Err(skip) => return Err(skip),
                }
                if !partial && ip.fragment.is_some() {
                    return Err(Skip::BadFragment);
                }
            }

            match header(&ip, partial, odd)? {
                Found::Transport(transport) => {
                    let Ip { src, dst, ttl, len, .. } = ip;
                    let body = Body::Ip(IpPacket { src, dst, ttl, ip_len: len, transport });
                    return Ok(packet(frame, labels, tunnel, body));
                }
                Found::Tunnel(inner) => {
                    if depth == MAX_NESTING {
                        odd.note(Oddity::ExceededTunnelMaxDepth, ip.src, ip.dst);
                        break;
                    }
                    tunnel = Some(inner.kind);
                    (layer, missing) = (inner.layer, inner.missing);
                    // Addresses of an inner frame are its own; the VLAN stays the one outside.
                    labels.macs = inner.macs;
                }
            }
        }
        Err(Skip::TooDeep)
    }

    /// Takes what was strange about the latest frame, packet or not. Ask when done with its packet.
    pub fn oddities(&mut self) -> Oddities {
        std::mem::take(&mut self.odd)
    }

    /// What became of fragmented datagrams so far.
    pub fn fragment_stats(&self) -> FragmentStats {
        self.fragments.stats()
    }
}

#[inline]
fn packet<'a>(
    frame: &Frame<'a>,
    labels: Labels,
    tunnel: Option<Tunnel>,
    body: Body<'a>,
) -> Packet<'a> {
    let Labels { macs, vlan } = labels;
    Packet { ts: frame.ts, interface: frame.interface, macs, vlan, tunnel, body }
}

/// What an IP payload begins with.
enum Found<'a> {
    Transport(TransportHeader<'a>),
    Tunnel(Inner<'a>),
}

/// A packet inside this one.
struct Inner<'a> {
    kind: Tunnel,
    macs: Option<(MacAddr, MacAddr)>,
    layer: Layer<'a>,
    missing: u32,
}

/// Reads the header of an IP payload. `partial` marks a first fragment whose rest cannot come.
#[inline]
fn header<'a>(ip: &Ip<'a>, partial: bool, odd: &mut Oddities) -> Result<Found<'a>, Skip> {
    let transport = match (ip.protocol, ip.is_v6()) {
        (6, _) => TransportHeader::Tcp(transport::tcp(ip, odd)?),
        (17, _) => {
            let datagram = transport::udp(ip, partial, odd)?;
            if let Some(inner) = tunnel::in_udp(&datagram) {
                let missing = datagram.payload_len - len32(datagram.payload);
                // What turns out to carry no IP stays the datagram that it is.
                if let Ok(inner) = enter(inner, missing) {
                    return Ok(Found::Tunnel(inner));
                }
            }
            TransportHeader::Udp(datagram)
        }
        (1, false) | (58, true) => TransportHeader::Icmp(icmp::decode(ip.is_v6(), ip.payload)?),
        (132, _) => TransportHeader::Sctp(transport::sctp(ip.payload)?),
        (protocol, _) => {
            let inner = tunnel::in_ip(protocol, ip.payload.bytes).ok_or(Skip::OtherProtocol)??;
            return enter(inner, ip.payload.missing).map(Found::Tunnel);
        }
    };
    Ok(Found::Transport(transport))
}

fn enter((kind, head, bytes): tunnel::Inner<'_>, missing: u32) -> Result<Inner<'_>, Skip> {
    let mut labels = Labels::default();
    let layer = link::resolve(head, bytes, &mut labels)?;
    Ok(Inner { kind, macs: labels.macs, layer, missing })
}

//! The way from a frame to a packet: link layer, then IP and tunnels until a transport header.

use super::bytes::len32;
use super::fragment::Fragments;
use super::ip::{self, Ip, Span};
use super::link::{self, Labels, Layer};
use super::{
    Body, DecodeConfig, FragmentStats, Glance, IpPacket, Linked, Oddities, Oddity, Packet, Skip,
    TransportHeader, Tunnel, arp, icmp, plain, transport, tunnel,
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
    /// Payloads made whole, lent to the packet until the next frame: at most 64 KiB each.
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

    /// What a frame shows before its turn. It has ends if it is what nearly every frame is: TCP or
    /// UDP, whole and in no tunnel. What [`plain`](Self::plain) reads is such a frame.
    #[inline]
    pub fn glance<'a>(frame: &Frame<'a>) -> Glance<'a> {
        plain::glance(frame)
    }

    /// Lends the packet of such a frame to `then`: the same as [`decode`](Self::decode) gives for
    /// it, sooner.
    #[inline]
    pub fn plain<R>(frame: &Frame<'_>, then: impl FnOnce(&Packet<'_>) -> R) -> Option<R> {
        plain::read(frame, then)
    }

    /// Decodes a frame layer by layer to its innermost packet. The payload is borrowed from the frame,
    /// or from the decoder where it was reassembled.
    ///
    /// # Errors
    /// The reason why there is no packet.
    #[inline]
    pub fn decode<'a>(&'a mut self, frame: &Frame<'a>) -> Result<Packet<'a>, Skip> {
        self.odd.clear();
        let Self { fragments, wholes, odd } = self;
        let mut wholes = wholes.iter_mut();
        let Linked { mut labels, mut layer, mut missing } = link::decode(frame)?;
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
                let whole = match fragments.add(frame.ts, place, ip, fragment, whole, odd) {
                    Err(Skip::FragmentCut) if fragment.offset == 0 => {
                        partial = true;
                        Ip { fragment: None, ..ip }
                    }
                    result => result?,
                };
                // What is whole may go on with extension headers, but not with another fragment.
                ip = ip::extensions(whole, odd)?;
                if ip.fragment.is_some() {
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::config::units::ByteSize;
    use crate::decode::frames::{
        cat, ether, frame_at, ip4, ip4_between, ip6, seen, syn, syn6, tcp, udp,
    };
    use crate::source::LinkType;

    /// Every link type with a reader, and one without.
    const LINKS: [u16; 29] = [
        0, 1, 8, 9, 12, 14, 50, 51, 100, 101, 104, 105, 107, 108, 109, 113, 117, 119, 127, 163,
        192, 204, 228, 229, 239, 258, 276, 285, 187,
    ];

    /// One frame for every part of the decoder.
    fn samples() -> Vec<(u16, Vec<u8>)> {
        let frame = ether(0x0800, &syn());
        let snap = cat(&[&[0xaa, 0xaa, 3, 0, 0, 0, 8, 0], &syn()]);
        let wifi = cat(&[&[0x88, 1], &[2; 20], &[0, 0], &[0x80, 0], &[3; 12], &[0, 60], &snap]);
        let error = cat(&[&[3, 1, 0, 0, 0, 0, 0, 0], &syn()]);
        let error6 = cat(&[&[1, 4, 0, 0, 0, 0, 0, 0], &syn6()]);
        let chain =
            cat(&[&[43, 0], &[0; 6], &[51, 2, 4, 1], &[0; 4], &[9; 16], &[44, 2], &[0; 14]]);
        let chain = cat(&[&chain, &[6, 0, 0, 0, 0, 0, 0, 9], &tcp(2, b"abc")]);
        let arp = cat(&[&[0, 1, 8, 0, 6, 4, 0, 1], &[5; 20]]);
        let gre = |head: &[u8], inner: &[u8]| ether(0x0800, &ip4(47, &cat(&[head, inner])));
        let to = |port: u16, head: &[u8], inner: &[u8]| {
            ether(0x0800, &ip4(17, &udp(1000, port, &cat(&[head, inner]))))
        };
        let nflog = cat(&[&[2, 0, 0, 7, 8, 0, 1, 0, 8, 0, 3, 0, 47, 0, 9, 0], &syn()]);
        let pseudowire = cat(&[&[0, 1, 1, 64, 0, 0, 0, 0], &frame]);
        vec![
            (1, frame.clone()),
            (1, ether(0x86dd, &syn6())),
            (1, ether(0x8100, &cat(&[&[0, 7, 0x88, 0x47, 0, 1, 1, 64], &syn()]))),
            (1, ether(0x8847, &pseudowire)),
            (1, ether(0x8864, &cat(&[&[0x11, 0, 0, 1, 0, 45, 0, 0x21], &syn()]))),
            (1, ether(0x0806, &arp)),
            (1, ether(0x0800, &ip4(1, &error))),
            (1, ether(0x86dd, &ip6(58, &error6))),
            (1, ether(0x86dd, &ip6(60, &chain))),
            (
                1,
                ether(
                    0x0800,
                    &ip4_between(([1; 4].into(), [2; 4].into()), 17, (7, 0x2000), &[8; 64]),
                ),
            ),
            (1, ether(0x0800, &ip4(132, &[1; 20]))),
            (1, gre(&[0x70, 0, 8, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 0, 0, 0, 0], &syn())),
            (
                1,
                gre(
                    &[0x10, 0, 0x22, 0xeb, 0, 0, 0, 1, 0x20, 5, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0],
                    &frame,
                ),
            ),
            (1, gre(&[0x30, 1, 0x88, 0x0b, 0, 9, 0, 1, 0, 0, 0, 1, 0x21], &syn())),
            (1, to(4789, &[8, 0, 0, 0, 0, 0, 9, 0], &frame)),
            (1, to(4790, &[12, 0, 0, 4, 0, 0, 9, 0, 0, 2, 2, 1, 0, 0, 0, 0], &syn())),
            (1, to(6081, &[1, 0, 0x65, 0x58, 0, 0, 9, 0, 1, 1, 1, 1], &frame)),
            (1, to(2152, &[0x34, 255, 0, 51, 0, 0, 0, 1, 0, 0, 0, 0x85, 1, 0, 9, 0], &syn())),
            (1, to(3544, &[0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], &syn6())),
            (0, cat(&[&[2, 0, 0, 0], &syn()])),
            (9, cat(&[&[0xff, 3, 0, 0x21], &syn()])),
            (105, wifi.clone()),
            (127, cat(&[&[0, 0, 17, 0, 3, 0, 0, 0], &[0; 9], &wifi])),
            (107, cat(&[&[0x18, 0x41, 3, 0, 0x80, 0, 0, 0, 8, 0], &syn()])),
            (113, cat(&[&[0, 0, 0, 1, 0, 6, 2, 2, 2, 2, 2, 2, 0, 0, 8, 0], &syn()])),
            (192, cat(&[&[0, 0, 8, 0, 105, 0, 0, 0], &wifi])),
            (239, nflog),
            (258, cat(&[&[12, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0], &frame])),
        ]
    }

    #[test]
    fn understands_every_sample_and_lives_with_each_cut_of_it() {
        for (link, data) in samples() {
            let mut decoder = Decoder::new(&DecodeConfig::default());
            for len in 0..=data.len() {
                let cut = Frame {
                    wire_len: data.len() as u32,
                    ..frame_at(0, LinkType(link), &data[..len])
                };
                let _ = decoder.decode(&cut);
                // As if it had been as short on the wire.
                let _ = decoder.decode(&frame_at(0, LinkType(link), &data[..len]));
            }
            let result = seen(link, &data);
            assert!(
                matches!(result, Ok(_) | Err(Skip::FragmentHeld)),
                "{link} {data:x?} {result:?}"
            );
        }
    }

    #[test]
    fn forgets_the_oddities_of_the_frame_before() {
        let odd = ip4_between(([1; 4].into(), [2; 4].into()), 17, (7, 0x6000), &[8; 64]);
        let plain = syn();
        let mut decoder = Decoder::new(&DecodeConfig::default());

        let _ = decoder.decode(&frame_at(0, LinkType::RAW, &odd));
        let _ = decoder.decode(&frame_at(0, LinkType::RAW, &plain));

        assert!(decoder.oddities().is_empty());
    }

    #[test]
    fn notes_between_whom_tunnels_were_too_deep() {
        let packet = (0..6).fold(syn(), |inner, _| ip4(4, &inner));
        let mut decoder = Decoder::new(&DecodeConfig::default());

        assert_eq!(decoder.decode(&frame_at(0, LinkType::RAW, &packet)).err(), Some(Skip::TooDeep));
        let oddities = decoder.oddities();
        assert!(oddities.iter().eq([Oddity::ExceededTunnelMaxDepth]));
        assert!(oddities.ends().is_some());
    }

    proptest! {
        #[test]
        fn no_bytes_panic(link in prop::sample::select(&LINKS[..]), data: Vec<u8>, wire in 0u32..70_000) {
            let mut decoder = Decoder::new(&DecodeConfig::default());
            let frame = frame_at(0, LinkType(link), &data);
            let _ = decoder.decode(&Frame { wire_len: frame.wire_len.max(wire), ..frame });
        }

        #[test]
        fn no_damage_panics_or_outgrows_the_budget(
            choices in prop::collection::vec(
                (any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>(), 0u32..90_000),
                1..60,
            ),
        ) {
            let samples = samples();
            let config = DecodeConfig { budget: ByteSize(2000), ..DecodeConfig::default() };
            let mut decoder = Decoder::new(&config);
            for (secs, (which, place, byte, wire)) in choices.iter().enumerate() {
                let (link, mut data) = samples[which.index(samples.len())].clone();
                let place = place.index(data.len());
                data[place] = *byte;
                let frame = frame_at(secs as i64, LinkType(link), &data);
                let frame = Frame { wire_len: frame.wire_len.max(*wire), ..frame };
                let _ = decoder.decode(&frame);
                prop_assert!(decoder.fragment_stats().bytes <= 2000);
            }
        }
    }
}

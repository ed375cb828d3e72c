//! IPv4 and IPv6: addresses, true length, extension headers, and whether it is a fragment.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use etherparse::err::ipv4::{HeaderError, HeaderSliceError};
use etherparse::{Ipv4HeaderSlice, Ipv6HeaderSlice};

use super::bytes::{be32, len32};
use super::{Oddities, Oddity, Skip};

/// How many extension headers are followed; RFC 8200 section 4.1 recommends an order of seven.
const MAX_EXTENSIONS: usize = 16;

/// A stretch of a packet: what was captured of it, and how much more was on the wire.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) missing: u32,
}

impl<'a> Span<'a> {
    /// Length on the wire, in bytes.
    #[inline]
    pub(super) fn wire(self) -> u32 {
        len32(self.bytes).saturating_add(self.missing)
    }

    /// What is left after `len` bytes; `None` where the wire had fewer.
    #[inline]
    pub(super) fn after(self, len: usize) -> Option<Self> {
        if let Some(bytes) = self.bytes.get(len..) {
            return Some(Self { bytes, missing: self.missing });
        }
        let beyond = u32::try_from(len - self.bytes.len()).ok()?;
        Some(Self { bytes: &[], missing: self.missing.checked_sub(beyond)? })
    }

    /// The first `len` bytes by what a header claims, which may be more than there was.
    #[inline]
    pub(super) fn claimed(self, len: u32) -> Self {
        match usize::try_from(len).ok().and_then(|len| self.bytes.get(..len)) {
            Some(bytes) => Self { bytes, missing: 0 },
            None => Self { bytes: self.bytes, missing: len.saturating_sub(len32(self.bytes)) },
        }
    }

    /// Why `len` bytes at the front cannot be read: `cut` if they were on the wire, else `bad`.
    #[cold]
    pub(super) fn lacks(self, len: u32, cut: Skip, bad: Skip) -> Skip {
        if self.wire() >= len { cut } else { bad }
    }
}

/// An IP packet up to the header of its payload.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ip<'a> {
    pub(super) src: IpAddr,
    pub(super) dst: IpAddr,
    pub(super) ttl: u8,
    /// Length with headers, in bytes.
    pub(super) len: u32,
    /// What the payload is (IANA protocol number).
    pub(super) protocol: u8,
    pub(super) payload: Span<'a>,
    /// Set where the payload is a piece of a datagram.
    pub(super) fragment: Option<Fragment>,
}

/// What a fragment says of itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fragment {
    pub(super) id: u32,
    /// Where its bytes belong in the datagram.
    pub(super) offset: u32,
    /// Whether others follow.
    pub(super) more: bool,
    /// Whether it forbids what was done to it.
    pub(super) df: bool,
}

impl Ip<'_> {
    pub(super) fn is_v6(&self) -> bool {
        self.src.is_ipv6()
    }
}

/// Reads an IPv4 header (RFC 791 section 3.1) and AH behind it.
#[inline]
pub(super) fn v4<'a>(span: Span<'a>, odd: &mut Oddities) -> Result<Ip<'a>, Skip> {
    let head = match Ipv4HeaderSlice::from_slice(span.bytes) {
        Ok(head) => head,
        Err(error) => return Err(bad_v4(&error, span, odd)),
    };
    let src = IpAddr::V4(head.source_addr());
    let dst = IpAddr::V4(head.destination_addr());
    let wire = span.wire();
    // Segmentation offload leaves the length to the hardware: then the frame's is all there is.
    let len = match u32::from(head.total_len()) {
        0 => wire,
        len => len,
    };
    if len > wire {
        odd.note(Oddity::TruncatedIpLen, src, dst);
    }
    let header = head.slice().len();
    if len < len32(head.slice()) {
        odd.note(Oddity::InvalidIpHeaderSize, src, dst);
        return Err(Skip::BadIpLength);
    }
    let payload = span.claimed(len).after(header).ok_or(Skip::BadIpLength)?;
    let offset = u32::from(head.fragments_offset().value()) * 8;
    let more = head.more_fragments();
    let fragment = (more || offset != 0).then(|| Fragment {
        id: u32::from(head.identification()),
        offset,
        more,
        df: head.dont_fragment(),
    });
    let protocol = head.protocol().0;
    // AH (RFC 4302) is the only header that IPv4 puts before the payload.
    let is_authenticated = protocol == 51 && fragment.is_none();
    let ip = Ip { src, dst, ttl: head.ttl(), len, protocol, payload, fragment };
    if is_authenticated { extensions(ip, odd) } else { Ok(ip) }
}

#[cold]
fn bad_v4(error: &HeaderSliceError, span: Span<'_>, odd: &mut Oddities) -> Skip {
    match error {
        HeaderSliceError::Len(_) => Skip::TruncatedIp,
        HeaderSliceError::Content(HeaderError::UnexpectedVersion { .. }) => Skip::BadIpVersion,
        HeaderSliceError::Content(HeaderError::HeaderLengthSmallerThanHeader { .. }) => {
            if let (Some(src), Some(dst)) = (be32(span.bytes, 12), be32(span.bytes, 16)) {
                let (src, dst) = (Ipv4Addr::from_bits(src), Ipv4Addr::from_bits(dst));
                odd.note(Oddity::InvalidIpHeaderSize, src.into(), dst.into());
            }
            Skip::BadIpHeader
        }
    }
}

/// Reads an IPv6 header (RFC 8200 section 3) and its extension headers, up to a fragment header.
#[inline]
pub(super) fn v6<'a>(span: Span<'a>, odd: &mut Oddities) -> Result<Ip<'a>, Skip> {
    let head = Ipv6HeaderSlice::from_slice(span.bytes).map_err(|error| match error {
        etherparse::err::ipv6::HeaderSliceError::Len(_) => Skip::TruncatedIp,
        etherparse::err::ipv6::HeaderSliceError::Content(_) => Skip::BadIpVersion,
    })?;
    let src = IpAddr::V6(head.source_addr());
    let dst = IpAddr::V6(head.destination_addr());
    let wire = span.wire();
    let len = match u32::from(head.payload_length()) {
        // Offload, a jumbogram, or really nothing.
        0 => wire,
        len => len + 40,
    };
    if len > wire {
        odd.note(Oddity::TruncatedIpLen, src, dst);
    }
    let payload = span.claimed(len).after(40).ok_or(Skip::BadIpLength)?;
    let protocol = head.next_header().0;
    let ip = Ip { src, dst, ttl: head.hop_limit(), len, protocol, payload, fragment: None };
    if head.payload_length() == 0 && is_jumbo(protocol, payload.bytes) {
        return Err(Skip::Jumbogram);
    }
    extensions(ip, odd)
}

/// Whether the first option of a hop-by-hop header is a jumbo payload (RFC 2675 section 2).
fn is_jumbo(protocol: u8, payload: &[u8]) -> bool {
    protocol == 0 && matches!(payload, [_, _, 0xc2, 4, ..])
}

/// Takes off extension headers until a payload, or a piece of one.
pub(super) fn extensions<'a>(mut ip: Ip<'a>, odd: &mut Oddities) -> Result<Ip<'a>, Skip> {
    for _ in 0..MAX_EXTENSIONS {
        let span = ip.payload;
        let len = match (ip.protocol, ip.is_v6()) {
            // Hop-by-hop, routing, destination, mobility, HIP, Shim6: length in units of 8 bytes.
            (0 | 43 | 60 | 135 | 139 | 140, true) => {
                let [next, units] = field(span, 0)?;
                if ip.protocol == 43 {
                    route(&mut ip, usize::from(units), odd);
                }
                ip.protocol = next;
                (usize::from(units) + 1) * 8
            }
            // AH counts words, less two.
            (51, _) => {
                let [next, words] = field(span, 0)?;
                ip.protocol = next;
                (usize::from(words) + 2) * 4
            }
            (44, true) => {
                let [next, _] = field(span, 0)?;
                let place = u32::from(u16::from_be_bytes(field(span, 2)?));
                let [id0, id1] = field(span, 4)?;
                let [id2, id3] = field(span, 6)?;
                let (offset, more) = (place & 0xfff8, place & 1 == 1);
                ip.protocol = next;
                // An atomic fragment is no fragment (RFC 6946).
                if more || offset != 0 {
                    let id = u32::from_be_bytes([id0, id1, id2, id3]);
                    ip.fragment = Some(Fragment { id, offset, more, df: false });
                    ip.payload = span.after(8).ok_or(Skip::BadExtension)?;
                    return Ok(ip);
                }
                8
            }
            (59, true) => return Err(Skip::NoPayload),
            _ => return Ok(ip),
        };
        ip.payload = span.after(len).ok_or(Skip::BadExtension)?;
        if ip.payload.bytes.is_empty() && ip.payload.missing > 0 {
            return Err(Skip::TruncatedIp);
        }
    }
    Err(Skip::BadExtension)
}

fn field(span: Span<'_>, at: usize) -> Result<[u8; 2], Skip> {
    match span.bytes.get(at..).and_then(|rest| rest.first_chunk()) {
        Some(field) => Ok(*field),
        None => Err(span.lacks(len32(span.bytes) + 2, Skip::TruncatedIp, Skip::BadExtension)),
    }
}

/// While a routing header has segments left, the destination is the next stop; the one that the
/// packet is really for is in the header, and is the one that will answer.
fn route(ip: &mut Ip<'_>, units: usize, odd: &mut Oddities) {
    let &[_, _, kind, left, ..] = ip.payload.bytes else { return };
    if kind == 0 {
        odd.note(Oddity::Routing0Hdr, ip.src, ip.dst);
    }
    let addresses = units / 2;
    let place = match kind {
        // RFC 2460 section 4.4 and the home address of RFC 6275 section 6.4: in order of travel.
        0 | 2 => addresses.checked_sub(1),
        // RFC 8754 section 2: last stop first.
        4 => addresses.checked_sub(1).map(|_| 0),
        _ => None,
    };
    let Some(place) = place.filter(|_| left > 0 && usize::from(left) <= addresses) else { return };
    if let Some(last) = ip.payload.bytes.get(8 + place * 16..).and_then(|rest| rest.first_chunk()) {
        ip.dst = IpAddr::V6(Ipv6Addr::from(*last));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::frames::{
        A, B, SYN, SYN6, cat, ether, frame_at, holds_syn, ip4, ip6, line, seen, syn, syn6, tcp,
    };
    use crate::decode::{Body, DecodeConfig, Decoder, IpPacket};
    use crate::source::{Frame, LinkType};

    fn oddities(packet: &[u8]) -> Vec<&'static str> {
        let mut decoder = Decoder::new(&DecodeConfig::default());
        let _ = decoder.decode(&frame_at(0, LinkType::RAW, packet));
        decoder.oddities().iter().map(Oddity::as_str).collect()
    }

    fn changed(mut packet: Vec<u8>, at: usize, bytes: &[u8]) -> Vec<u8> {
        packet[at..at + bytes.len()].copy_from_slice(bytes);
        packet
    }

    #[test]
    fn reads_options_and_keeps_the_true_length() {
        let mut packet = ip4(6, &cat(&[&[1; 8], &tcp(2, b"abc")]));
        packet[0] = 0x47;
        let mut decoder = Decoder::new(&DecodeConfig::default());

        let decoded = decoder.decode(&frame_at(0, LinkType::RAW, &packet)).unwrap();

        assert_eq!(line(&decoded), SYN);
        let Body::Ip(IpPacket { ip_len, ttl, .. }) = decoded.body else { panic!("it is IP") };
        assert_eq!((ip_len, ttl), (51, 64));
    }

    #[test]
    fn takes_the_length_of_the_frame_where_offload_left_none() {
        holds_syn(101, &changed(syn(), 2, &[0, 0]));
        assert_eq!(seen(101, &changed(syn6(), 4, &[0, 0])).as_deref(), Ok(SYN6));
    }

    #[test]
    fn keeps_the_claimed_length_of_what_was_cut() {
        let packet = ip4(6, &tcp(0x18, &[7; 900]));
        let cut = Frame { wire_len: 940, ..frame_at(0, LinkType::RAW, &packet[..60]) };
        let mut decoder = Decoder::new(&DecodeConfig::default());

        let decoded = decoder.decode(&cut).unwrap();

        assert_eq!(line(&decoded), "tcp 192.0.2.1:40000 > 192.0.2.9:445 PA 20/900");
        assert!(decoder.oddities().is_empty());
    }

    #[test]
    fn notes_a_length_that_was_never_on_the_wire() {
        let packet = changed(syn(), 2, &[4, 0]);

        assert_eq!(
            seen(101, &packet).as_deref(),
            Ok("tcp 192.0.2.1:40000 > 192.0.2.9:445 S 3/984")
        );
        assert_eq!(oddities(&packet), ["truncated_IP_len"]);
    }

    #[test]
    fn refuses_headers_that_contradict_themselves() {
        assert_eq!(seen(101, &changed(syn(), 0, &[0x44])), Err(Skip::BadIpHeader));
        assert_eq!(oddities(&changed(syn(), 0, &[0x44])), ["invalid_IP_header_size"]);
        assert_eq!(seen(101, &changed(syn(), 2, &[0, 19])), Err(Skip::BadIpLength));
        assert_eq!(seen(101, &syn()[..19]), Err(Skip::TruncatedIp));
        assert_eq!(seen(101, &syn6()[..39]), Err(Skip::TruncatedIp));
        assert_eq!(seen(1, &ether(0x86dd, &syn())), Err(Skip::BadIpVersion));
    }

    #[test]
    fn walks_every_extension_header() {
        let segment = tcp(2, b"abc");
        for kind in [0, 43, 60, 135, 139, 140] {
            let packet = ip6(kind, &cat(&[&[60, 1], &[0; 14], &[6, 0], &[0; 6], &segment]));
            assert_eq!(seen(101, &packet).as_deref(), Ok(SYN6), "header {kind}");
        }
        // Authentication: three words fixed, one of check value; and an atomic fragment.
        let authenticated =
            ip6(51, &cat(&[&[44, 2], &[0; 14], &[6, 0, 0, 0, 0, 0, 0, 9], &segment]));
        assert_eq!(seen(101, &authenticated).as_deref(), Ok(SYN6));
        holds_syn(101, &ip4(51, &cat(&[&[6, 2], &[0; 14], &segment])));
    }

    #[test]
    fn bounds_the_chain() {
        let endless = ip6(60, &[60, 0, 0, 0, 0, 0, 0, 0].repeat(40));
        let over = ip6(60, &[6, 200, 0, 0, 0, 0, 0, 0]);

        assert_eq!(seen(101, &endless), Err(Skip::BadExtension));
        assert_eq!(seen(101, &over), Err(Skip::BadExtension));
        assert_eq!(seen(101, &ip6(59, &[])), Err(Skip::NoPayload));
        assert_eq!(seen(101, &ip6(50, &[0; 20])), Err(Skip::OtherProtocol));
    }

    #[test]
    fn follows_a_routing_header_to_the_last_stop() {
        let stops = [[0x20; 16], [0x30; 16]].concat();
        let packet = |kind, left| {
            let head = [6, 4, kind, left, 0, 0, 0, 0];
            ip6(43, &cat(&[&head, &stops, &tcp(2, b"abc")]))
        };
        let to = |packet: &[u8]| seen(101, packet).unwrap().split(' ').nth(3).unwrap().to_owned();

        assert!(to(&packet(0, 2)).starts_with("[3030:"));
        assert!(to(&packet(4, 1)).starts_with("[2020:"));
        assert!(to(&packet(4, 0)).starts_with("[2001:db8::9]"));
        assert_eq!(oddities(&packet(0, 2)), ["routing0_hdr"]);
    }

    #[test]
    fn leaves_jumbograms() {
        let packet = ip6(0, &cat(&[&[6, 0, 0xc2, 4, 0, 1, 0, 0], &tcp(2, b"abc")]));

        assert_eq!(seen(101, &changed(packet, 4, &[0, 0])), Err(Skip::Jumbogram));
    }

    #[test]
    fn gives_the_packet_without_padding_to_the_search_for_duplicates() {
        let padded = ether(0x0800, &cat(&[&ip4(6, &tcp(2, &[])), &[0; 6]]));
        let arp = ether(0x0806, &[0; 28]);
        let ip_bytes = |frame: &[u8]| {
            let frame = frame_at(0, LinkType::ETHERNET, frame);
            Decoder::glance(&frame).ip.map(<[u8]>::to_vec)
        };

        assert_eq!(ip_bytes(&padded), Some(ip4(6, &tcp(2, &[]))));
        assert_eq!(ip_bytes(&ether(0x86dd, &syn6())), Some(syn6()));
        assert_eq!(ip_bytes(&arp), None);
        assert_eq!((A.to_string(), B.to_string()), ("192.0.2.1".into(), "192.0.2.9".into()));
    }
}

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
    let ip = Ip { src, dst, ttl: head.ttl(), len, protocol: head.protocol().0, payload, fragment };
    // AH (RFC 4302) is the only header that IPv4 puts before the payload.
    if ip.protocol == 51 && ip.fragment.is_none() { extensions(ip, odd) } else { Ok(ip) }
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

//! Everything below the network layer, from a frame to IP or ARP.
//!
//! The headers below IP nest in any order (VLAN in MPLS in VLAN, Ethernet in Ethernet), so they are
//! taken off in a loop with a bound and not by functions that call each other.

mod cooked;
mod ethernet;
mod ppp;
mod wifi;
mod wrapped;

pub(super) use ethernet::is_ethernet;

use super::Skip;
use super::bytes::{at_most, be16, len32};
use crate::net::MacAddr;
use crate::source::{Frame, LinkType};

/// How many headers may lie between the link header and IP. The deepest sane stack (provider
/// backbone bridging over MPLS over QinQ) has about eight.
const MAX_HEADERS: usize = 16;

/// A frame whose link layer is understood.
#[derive(Clone, Copy, Debug)]
pub struct Linked<'a> {
    pub(super) labels: Labels,
    pub(super) layer: Layer<'a>,
    /// Bytes at the end of the frame that were on the wire and not captured.
    pub(super) missing: u32,
}

impl<'a> Linked<'a> {
    /// The outermost IP packet as captured, without padding after it: what two copies of a packet
    /// from two mirror ports have in common. `None` for ARP.
    pub fn ip_bytes(&self) -> Option<&'a [u8]> {
        let (bytes, fixed, field) = match self.layer {
            Layer::Ip4(bytes) => (bytes, 0, 2),
            Layer::Ip6(bytes) => (bytes, 40, 4),
            Layer::Arp(_) => return None,
        };
        // A length of zero was left to the hardware by segmentation offload.
        let len = be16(bytes, field).filter(|len| *len != 0);
        Some(len.map_or(bytes, |len| at_most(bytes, fixed + usize::from(len))))
    }
}

/// What the link layer says about a packet beside its contents.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Labels {
    pub(super) macs: Option<(MacAddr, MacAddr)>,
    pub(super) vlan: Option<u16>,
}

/// The first layer that is not a link layer.
#[derive(Clone, Copy, Debug)]
pub(super) enum Layer<'a> {
    /// An IPv4 packet.
    Ip4(&'a [u8]),
    /// An IPv6 packet.
    Ip6(&'a [u8]),
    /// An ARP message.
    Arp(&'a [u8]),
}

/// What the next byte belongs to, below IP.
#[derive(Clone, Copy, Debug)]
pub(super) enum Head {
    /// An Ethernet frame, from its destination address.
    Ethernet,
    /// The payload of this EtherType.
    EtherType(u16),
    /// An IEEE 802.2 header.
    Llc,
    /// A PPP protocol field.
    Ppp,
    /// An MPLS label stack.
    Mpls,
    /// The payload of this "next protocol" of VXLAN-GPE and NSH (RFC 8300 section 2.5).
    NextProtocol(u8),
    /// IPv4 or IPv6, told apart by the version nibble.
    AnyIp,
}

/// What taking off one header leads to.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step<'a> {
    /// Another header.
    Next(Head, &'a [u8]),
    /// The end of the link layer.
    Found(Layer<'a>),
}

type Stepped<'a> = Result<Step<'a>, Skip>;

/// Takes off everything below IP and ARP.
#[inline]
pub(super) fn decode<'a>(frame: &Frame<'a>) -> Result<Linked<'a>, Skip> {
    let mut labels = Labels::default();
    let step = if frame.link == LinkType::ETHERNET {
        ethernet::frame(frame.data, &mut labels)?
    } else {
        first_header(frame.link, frame.data, &mut labels)?
    };
    let layer = match step {
        Step::Found(layer) => layer,
        Step::Next(head, bytes) => resolve(head, bytes, &mut labels)?,
    };
    let missing = frame.wire_len.saturating_sub(len32(frame.data));
    Ok(Linked { labels, layer, missing })
}

/// Takes off headers, beginning with `head`, until IP or ARP.
pub(super) fn resolve<'a>(
    mut head: Head,
    mut bytes: &'a [u8],
    labels: &mut Labels,
) -> Result<Layer<'a>, Skip> {
    for _ in 0..MAX_HEADERS {
        let step = match head {
            Head::Ethernet => ethernet::frame(bytes, labels)?,
            Head::EtherType(kind) => ethernet::payload(kind, bytes, labels)?,
            Head::Llc => ethernet::llc(bytes)?,
            Head::Mpls => ethernet::mpls(bytes)?,
            Head::NextProtocol(kind) => ethernet::next_protocol(kind, bytes)?,
            Head::Ppp => ppp::frame(bytes)?,
            Head::AnyIp => any_ip(bytes)?,
        };
        match step {
            Step::Found(layer) => return Ok(layer),
            Step::Next(next, rest) => (head, bytes) = (next, rest),
        }
    }
    Err(Skip::TooDeep)
}

/// IP of the version that its first nibble says.
fn any_ip(bytes: &[u8]) -> Stepped<'_> {
    match bytes.first().map(|first| first >> 4) {
        Some(4) => Ok(Step::Found(Layer::Ip4(bytes))),
        Some(6) => Ok(Step::Found(Layer::Ip6(bytes))),
        Some(_) => Err(Skip::BadIpVersion),
        None => Err(Skip::TruncatedIp),
    }
}

/// Takes off the header that a link type begins with. The numbers are those of the tcpdump group's
/// registry; the names in [`LinkType`] cover the common ones.
fn first_header<'a>(link: LinkType, bytes: &'a [u8], labels: &mut Labels) -> Stepped<'a> {
    match link.0 {
        // PPI and PKTAP name the type of the frame inside; one level, so that it ends.
        192 => wrapped::ppi(bytes).and_then(|(inner, rest)| plain_header(inner, rest, labels)),
        258 => wrapped::pktap(bytes).and_then(|(inner, rest)| plain_header(inner, rest, labels)),
        _ => plain_header(link, bytes, labels),
    }
}

fn plain_header<'a>(link: LinkType, bytes: &'a [u8], labels: &mut Labels) -> Stepped<'a> {
    match link.0 {
        0 | 108 => cooked::null(bytes),
        1 => ethernet::frame(bytes, labels),
        8 => wrapped::slip(bytes),
        9 | 50 => ppp::serial(bytes),
        51 => ppp::pppoe(bytes),
        // DLT_RAW itself differs between systems: 12 on most, 14 on OpenBSD.
        12 | 14 | 101 => any_ip(bytes),
        100 => ethernet::llc(bytes),
        104 => ppp::cisco_hdlc(bytes),
        105 => wifi::frame(bytes, false, labels),
        107 => wrapped::frame_relay(bytes),
        109 => wrapped::enc(bytes),
        113 => cooked::sll(bytes, labels),
        117 => wrapped::pflog(bytes),
        119 => wifi::prism(bytes, labels),
        127 => wifi::radiotap(bytes, labels),
        163 => wifi::avs(bytes, labels),
        // One byte in front says the direction.
        204 => ppp::serial(bytes.get(1..).ok_or(Skip::TruncatedLink)?),
        228 => Ok(Step::Found(Layer::Ip4(bytes))),
        229 => Ok(Step::Found(Layer::Ip6(bytes))),
        239 => cooked::nflog(bytes, labels),
        276 => cooked::sll2(bytes, labels),
        // Switch chips' tags: Broadcom's, in front of the frame or in it, and Marvell's two.
        281 | 284 => ethernet::tagged(bytes, 4, labels),
        282 => ethernet::frame(bytes.get(4..).ok_or(Skip::TruncatedLink)?, labels),
        285 => ethernet::tagged(bytes, 8, labels),
        _ => Err(Skip::UnsupportedLink),
    }
}

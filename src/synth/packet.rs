//! Frames: Ethernet with ARP, IPv4 or IPv6, and TCP, UDP or ICMP, with right lengths and checksums.

use std::net::IpAddr;

use etherparse::{
    IpFragOffset, IpHeaders, IpNumber, Ipv4Extensions, Ipv4Header, Ipv6Extensions, Ipv6FlowLabel,
    Ipv6Header, PacketBuilder, TcpHeader,
};

use crate::net::MacAddr;
use crate::time::Timestamp;

/// Who sends or gets a frame, as the capture point sees it.
///
/// For a host behind a router the hardware address is the router's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Station {
    /// Hardware address.
    pub mac: MacAddr,
    /// Network address.
    pub addr: IpAddr,
    /// Time to live (hop limit) of what it sends, when it passes the capture point.
    pub ttl: u8,
}

/// A frame and when it passed the capture point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamped {
    /// When.
    pub ts: Timestamp,
    /// From the destination's hardware address to the last byte before the check sequence.
    pub frame: Vec<u8>,
}

/// The flags of a TCP segment that generated traffic needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// Opens the direction.
    pub syn: bool,
    /// The acknowledgement number counts.
    pub ack: bool,
    /// Data to deliver at once.
    pub psh: bool,
    /// Closes the direction.
    pub fin: bool,
    /// Aborts.
    pub rst: bool,
}

impl Flags {
    /// SYN.
    pub const SYN: Self = Self { syn: true, ack: false, psh: false, fin: false, rst: false };
    /// SYN and ACK.
    pub const SYN_ACK: Self = Self { ack: true, ..Self::SYN };
    /// ACK.
    pub const ACK: Self = Self { syn: false, ack: true, psh: false, fin: false, rst: false };
    /// PSH and ACK.
    pub const PSH_ACK: Self = Self { psh: true, ..Self::ACK };
    /// FIN and ACK.
    pub const FIN_ACK: Self = Self { fin: true, ..Self::ACK };
    /// RST.
    pub const RST: Self = Self { syn: false, ack: false, psh: false, fin: false, rst: true };
    /// RST and ACK.
    pub const RST_ACK: Self = Self { ack: true, ..Self::RST };
}

/// A TCP segment without its addresses.
#[derive(Clone, Copy, Debug, Default)]
pub struct Segment<'a> {
    /// Source and destination port.
    pub ports: (u16, u16),
    /// Sequence number.
    pub seq: u32,
    /// Acknowledgement number; ignored without the flag.
    pub ack: u32,
    /// Flags.
    pub flags: Flags,
    /// Window, unscaled.
    pub window: u16,
    /// What it carries.
    pub payload: &'a [u8],
}

/// Most a frame's payload may be; above it the length fields would no longer hold.
const MAX_PAYLOAD: usize = 9000;

/// Options of a SYN: maximum segment size 1460, SACK permitted, window scale 7 (RFC 9293, 2018,
/// 7323), padded to a multiple of four.
const SYN_OPTIONS: [u8; 12] = [2, 4, 0x05, 0xb4, 1, 1, 4, 2, 1, 3, 3, 7];

/// A TCP segment in a frame.
pub fn tcp(from: &Station, to: &Station, ident: u16, segment: &Segment<'_>) -> Vec<u8> {
    let (source, destination) = segment.ports;
    let mut header = TcpHeader::new(source, destination, segment.seq, segment.window);
    header.syn = segment.flags.syn;
    header.ack = segment.flags.ack;
    header.psh = segment.flags.psh;
    header.fin = segment.flags.fin;
    header.rst = segment.flags.rst;
    if segment.flags.ack {
        header.acknowledgment_number = segment.ack;
    }
    if segment.flags.syn {
        header.set_options_raw(&SYN_OPTIONS).expect("twelve bytes of options fit");
    }
    let payload = limited(segment.payload);
    let builder = ethernet(from, to).ip(ip(from, to, ident, IpNumber::TCP)).tcp_header(header);
    let mut frame = Vec::with_capacity(builder.size(payload.len()));
    builder.write(&mut frame, payload).expect("a vector takes any frame of a legal size");
    frame
}

/// A UDP datagram in a frame.
pub fn udp(from: &Station, to: &Station, ident: u16, ports: (u16, u16), payload: &[u8]) -> Vec<u8> {
    let payload = limited(payload);
    let builder = ethernet(from, to).ip(ip(from, to, ident, IpNumber::UDP)).udp(ports.0, ports.1);
    let mut frame = Vec::with_capacity(builder.size(payload.len()));
    builder.write(&mut frame, payload).expect("a vector takes any frame of a legal size");
    frame
}

/// Whether an echo message asks or answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Echo {
    /// Type 8 (ICMPv6: 128).
    Request,
    /// Type 0 (ICMPv6: 129).
    Reply,
}

/// An ICMP or ICMPv6 echo message in a frame, with identifier and sequence number.
pub fn echo(from: &Station, to: &Station, ident: u16, kind: Echo, id: u16, seq: u16) -> Vec<u8> {
    // What `ping` of iputils fills after its time stamp: bytes that count up.
    let payload: Vec<u8> = (0x10..0x38).collect();
    let mut frame = Vec::with_capacity(98);
    let written = match from.addr {
        IpAddr::V4(_) => {
            let builder = ethernet(from, to).ip(ip(from, to, ident, IpNumber::ICMP));
            match kind {
                Echo::Request => builder.icmpv4_echo_request(id, seq),
                Echo::Reply => builder.icmpv4_echo_reply(id, seq),
            }
            .write(&mut frame, &payload)
        }
        IpAddr::V6(_) => {
            let builder = ethernet(from, to).ip(ip(from, to, ident, IpNumber::IPV6_ICMP));
            match kind {
                Echo::Request => builder.icmpv6_echo_request(id, seq),
                Echo::Reply => builder.icmpv6_echo_reply(id, seq),
            }
            .write(&mut frame, &payload)
        }
    };
    written.expect("a vector takes any frame of a legal size");
    frame
}

/// An ICMP "destination unreachable" (type 3) with `code`, quoting the start of `about`, a frame
/// that carried IPv4.
pub fn unreachable(from: &Station, to: &Station, ident: u16, code: u8, about: &[u8]) -> Vec<u8> {
    // RFC 792: the internet header and the first 64 bits of the datagram's data.
    let quoted = about.get(14..42).unwrap_or_default();
    let builder =
        ethernet(from, to).ip(ip(from, to, ident, IpNumber::ICMP)).icmpv4_raw(3, code, [0; 4]);
    let mut frame = Vec::with_capacity(builder.size(quoted.len()));
    builder.write(&mut frame, quoted).expect("a vector takes any frame of a legal size");
    frame
}

/// An ARP request from `asker` for `target`, broadcast; `None` if either is not an IPv4 address.
pub fn arp_request(asker: &Station, target: IpAddr) -> Option<Vec<u8>> {
    arp(1, (asker.mac, asker.addr), (MacAddr::default(), target), MacAddr::BROADCAST)
}

/// An ARP reply from `owner` to `asker`; `None` if either is not an IPv4 address.
pub fn arp_reply(owner: &Station, asker: &Station) -> Option<Vec<u8>> {
    arp(2, (owner.mac, owner.addr), (asker.mac, asker.addr), asker.mac)
}

/// A gratuitous ARP request, with which `owner` announces its address (RFC 5227 section 2.3).
pub fn arp_announcement(owner: &Station) -> Option<Vec<u8>> {
    arp_request(owner, owner.addr)
}

/// Puts an IEEE 802.1Q tag with the identifier `vlan` into an untagged frame.
pub fn tagged(mut frame: Vec<u8>, vlan: u16) -> Vec<u8> {
    if frame.len() >= 12 {
        let [high, low] = (vlan & 0x0fff).to_be_bytes();
        frame.splice(12..12, [0x81, 0x00, high, low]);
    }
    frame
}

fn ethernet(
    from: &Station,
    to: &Station,
) -> etherparse::PacketBuilderStep<etherparse::Ethernet2Header> {
    PacketBuilder::ethernet2(from.mac.0, to.mac.0)
}

fn ip(from: &Station, to: &Station, ident: u16, protocol: IpNumber) -> IpHeaders {
    match (from.addr, to.addr) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => IpHeaders::Ipv4(
            Ipv4Header {
                identification: ident,
                dont_fragment: true,
                fragment_offset: IpFragOffset::ZERO,
                time_to_live: from.ttl,
                protocol,
                source: source.octets(),
                destination: destination.octets(),
                ..Ipv4Header::default()
            },
            Ipv4Extensions::default(),
        ),
        (source, destination) => IpHeaders::Ipv6(
            Ipv6Header {
                traffic_class: 0,
                flow_label: Ipv6FlowLabel::ZERO,
                payload_length: 0,
                next_header: protocol,
                hop_limit: from.ttl,
                source: sixteen(source),
                destination: sixteen(destination),
            },
            Ipv6Extensions::default(),
        ),
    }
}

fn sixteen(addr: IpAddr) -> [u8; 16] {
    match addr {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    }
}

fn limited(payload: &[u8]) -> &[u8] {
    payload.get(..MAX_PAYLOAD).unwrap_or(payload)
}

fn arp(
    operation: u16,
    (sender_mac, sender): (MacAddr, IpAddr),
    (target_mac, target): (MacAddr, IpAddr),
    destination: MacAddr,
) -> Option<Vec<u8>> {
    let (IpAddr::V4(sender), IpAddr::V4(target)) = (sender, target) else { return None };
    let mut frame = Vec::with_capacity(60);
    frame.extend_from_slice(&destination.0);
    frame.extend_from_slice(&sender_mac.0);
    // EtherType ARP; hardware type Ethernet, protocol IPv4, address lengths 6 and 4 (RFC 826).
    frame.extend_from_slice(&[0x08, 0x06, 0, 1, 0x08, 0, 6, 4]);
    frame.extend_from_slice(&operation.to_be_bytes());
    frame.extend_from_slice(&sender_mac.0);
    frame.extend_from_slice(&sender.octets());
    frame.extend_from_slice(&target_mac.0);
    frame.extend_from_slice(&target.octets());
    // A switch sees no frame shorter than 60 bytes.
    frame.resize(60, 0);
    Some(frame)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use etherparse::{NetSlice, SlicedPacket, TransportSlice};

    use super::*;

    fn station(last: u8) -> Station {
        Station {
            mac: MacAddr([2, 0, 0, 0, 0, last]),
            addr: IpAddr::V4(Ipv4Addr::new(10, 0, 0, last)),
            ttl: 64,
        }
    }

    #[test]
    fn a_segment_is_read_back_with_right_checksums() {
        let segment = Segment {
            ports: (40_000, 445),
            seq: 7,
            ack: 9,
            flags: Flags::PSH_ACK,
            window: 512,
            payload: b"hello",
        };

        let frame = tcp(&station(1), &station(2), 5, &segment);

        let sliced = SlicedPacket::from_ethernet(&frame).unwrap();
        let Some(NetSlice::Ipv4(ip)) = sliced.net else { panic!("no IPv4") };
        let Some(TransportSlice::Tcp(tcp)) = sliced.transport else { panic!("no TCP") };
        assert_eq!(ip.header().identification(), 5);
        assert_eq!(ip.header().header_checksum(), ip.header().to_header().calc_header_checksum());
        assert_eq!((tcp.source_port(), tcp.destination_port()), (40_000, 445));
        assert!(tcp.psh() && tcp.ack() && !tcp.syn());
        assert_eq!(tcp.payload(), b"hello");
        let checksum = tcp.to_header().calc_checksum_ipv4(&ip.header().to_header(), b"hello");
        assert_eq!(tcp.checksum(), checksum.unwrap());
    }

    #[test]
    fn an_error_quotes_the_datagram_it_is_about() {
        let lost = udp(&station(1), &station(2), 1, (5000, 53), b"question");

        let frame = unreachable(&station(2), &station(1), 2, 3, &lost);

        assert_eq!(frame[14 + 20..14 + 22], [3, 3]);
        assert_eq!(&frame[14 + 28..], &lost[14..42]);
    }

    #[test]
    fn arp_speaks_ipv4_only() {
        let v6 = Station { addr: "2001:db8::1".parse().unwrap(), ..station(1) };

        assert_eq!(arp_request(&station(1), station(2).addr).map(|frame| frame.len()), Some(60));
        assert_eq!(arp_request(&v6, station(2).addr), None);
    }

    #[test]
    fn a_tag_goes_between_addresses_and_type() {
        let plain = udp(&station(1), &station(2), 1, (1, 2), b"");

        let frame = tagged(plain.clone(), 20);

        assert_eq!(frame[12..16], [0x81, 0, 0, 20]);
        assert_eq!(frame[16..], plain[12..]);
    }
}

//! Hand-built frames for the tests of this stage, and a short way to say what became of them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Body, DecodeConfig, Decoder, Packet, Skip, TransportHeader, Tunnel};
use crate::net::MacAddr;
use crate::source::{Frame, LinkType};
use crate::time::Timestamp;

pub(super) const A: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
pub(super) const B: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 9);
pub(super) const A6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
pub(super) const B6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 9);

/// What [`seen`] says of [`syn`] and [`syn6`].
pub(super) const SYN: &str = "tcp 192.0.2.1:40000 > 192.0.2.9:445 S 3/3";
pub(super) const SYN6: &str = "tcp [2001:db8::1]:40000 > [2001:db8::9]:445 S 3/3";

/// Joins byte strings.
pub(super) fn cat(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

/// An Ethernet frame from 02:…:01 to 02:…:09.
pub(super) fn ether(kind: u16, payload: &[u8]) -> Vec<u8> {
    cat(&[&[2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 1], &kind.to_be_bytes(), payload])
}

/// An IPv4 packet between any two hosts; `place` is the field of flags and fragment offset.
pub(super) fn ip4_between(
    (src, dst): (Ipv4Addr, Ipv4Addr),
    protocol: u8,
    (id, place): (u16, u16),
    payload: &[u8],
) -> Vec<u8> {
    let len = u16::try_from(20 + payload.len()).unwrap().to_be_bytes();
    let (id, place) = (id.to_be_bytes(), place.to_be_bytes());
    let head = [0x45, 0, len[0], len[1], id[0], id[1], place[0], place[1], 64, protocol, 0, 0];
    cat(&[&head, &src.octets(), &dst.octets(), payload])
}

/// An IPv4 packet from A to B.
pub(super) fn ip4(protocol: u8, payload: &[u8]) -> Vec<u8> {
    ip4_between((A, B), protocol, (0, 0), payload)
}

/// An IPv6 packet from A to B.
pub(super) fn ip6(next: u8, payload: &[u8]) -> Vec<u8> {
    let len = u16::try_from(payload.len()).unwrap().to_be_bytes();
    cat(&[&[0x60, 0, 0, 0, len[0], len[1], next, 64], &A6.octets(), &B6.octets(), payload])
}

/// A TCP segment from port 40000 to 445.
pub(super) fn tcp(flags: u8, payload: &[u8]) -> Vec<u8> {
    let ports = [0x9c, 0x40, 0x01, 0xbd];
    cat(&[&ports, &[0, 0, 0, 1, 0, 0, 0, 2, 0x50, flags, 0x20, 0, 0, 0, 0, 0], payload])
}

/// A UDP datagram.
pub(super) fn udp(src_port: u16, dst_port: u16, payload: &[u8]) -> Vec<u8> {
    let len = u16::try_from(8 + payload.len()).unwrap();
    let fields = [src_port, dst_port, len, 0].map(u16::to_be_bytes);
    cat(&[&fields.concat(), payload])
}

/// An IPv4 packet with a TCP SYN and three bytes.
pub(super) fn syn() -> Vec<u8> {
    ip4(6, &tcp(2, b"abc"))
}

/// The same in IPv6.
pub(super) fn syn6() -> Vec<u8> {
    ip6(6, &tcp(2, b"abc"))
}

/// A frame at second `secs` of which everything was captured.
pub(super) fn frame_at(secs: i64, link: LinkType, data: &[u8]) -> Frame<'_> {
    Frame {
        ts: Timestamp::from_secs(secs),
        link,
        input: 0,
        interface: 0,
        wire_len: data.len() as u32,
        data,
    }
}

/// What a new decoder makes of a frame.
pub(super) fn seen(link: u16, data: &[u8]) -> Result<String, Skip> {
    let mut decoder = Decoder::new(&DecodeConfig::default());
    decoder.decode(&frame_at(0, LinkType(link), data)).map(|packet| line(&packet))
}

/// Asserts that this frame of this link type holds what [`syn`] builds.
#[track_caller]
pub(super) fn holds_syn(link: u16, data: &[u8]) {
    assert_eq!(seen(link, data).as_deref(), Ok(SYN));
}

/// Decodes a packet that lies in an Ethernet frame of other hosts, in a VLAN.
pub(super) fn inside(packet: &[u8]) -> (String, Option<Tunnel>, Option<(MacAddr, MacAddr)>) {
    let frame = cat(&[&[7; 12], &[0x81, 0, 0, 5, 8, 0], packet]);
    let mut decoder = Decoder::new(&DecodeConfig::default());
    let packet = decoder.decode(&frame_at(0, LinkType::ETHERNET, &frame)).unwrap();
    assert_eq!(packet.vlan, Some(5), "the VLAN stays the one outside");
    (line(&packet), packet.tunnel, packet.macs)
}

/// Asserts what a packet holds, and in which tunnel.
#[track_caller]
pub(super) fn holds(packet: &[u8], tunnel: Tunnel, expected: &str) {
    let (line, kind, _) = inside(packet);
    assert_eq!((line.as_str(), kind), (expected, Some(tunnel)));
}

/// A packet in one line: transport, ends, flags, captured and claimed payload.
pub(super) fn line(packet: &Packet<'_>) -> String {
    let ip = match &packet.body {
        Body::Arp(arp) => return format!("arp {} {} > {}", arp.operation, arp.sender, arp.target),
        Body::Ip(ip) => ip,
    };
    let at = |addr: IpAddr, port: u16| std::net::SocketAddr::new(addr, port);
    match ip.transport {
        TransportHeader::Tcp(tcp) => format!(
            "tcp {} > {} {} {}/{}",
            at(ip.src, tcp.src_port),
            at(ip.dst, tcp.dst_port),
            flags(tcp.flags.0),
            tcp.payload.len(),
            tcp.payload_len
        ),
        TransportHeader::Udp(udp) => format!(
            "udp {} > {} {}/{}",
            at(ip.src, udp.src_port),
            at(ip.dst, udp.dst_port),
            udp.payload.len(),
            udp.payload_len
        ),
        TransportHeader::Icmp(icmp) => format!(
            "icmp {} > {} {}/{} {} {}",
            ip.src, ip.dst, icmp.kind, icmp.code, icmp.id, icmp.seq
        ),
        TransportHeader::Sctp(sctp) => format!(
            "sctp {} > {} chunk {}",
            at(ip.src, sctp.src_port),
            at(ip.dst, sctp.dst_port),
            sctp.chunk
        ),
    }
}

fn flags(flags: u8) -> String {
    let names = "FSRPAUEC".chars().enumerate();
    let set: String =
        names.filter(|(bit, _)| flags >> bit & 1 == 1).map(|(_, name)| name).collect();
    if set.is_empty() { "-".to_owned() } else { set }
}

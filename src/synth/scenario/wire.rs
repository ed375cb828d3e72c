//! Frames by the million: Ethernet and IPv4, with TCP, UDP, ICMP or ARP.
//!
//! [`super::super::packet`] asks a library to put each header into a vector of its own; a week of a
//! company has a hundred million frames, so here one buffer is written in one pass. A test holds
//! the one against the other.

use std::net::Ipv4Addr;

use crate::net::MacAddr;

/// One end of a frame, as the capture point sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edge {
    /// Hardware address.
    pub mac: MacAddr,
    /// Network address.
    pub addr: Ipv4Addr,
    /// Time to live of what it sends.
    pub ttl: u8,
}

/// What an IPv4 frame carries, without its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    /// A TCP segment.
    Tcp(Segment),
    /// A UDP datagram from and to these ports.
    Udp(u16, u16),
    /// An ICMP message: type, code, and the four bytes whose meaning depends on them.
    Icmp(u8, u8, [u8; 4]),
}

/// The fields of a TCP segment that change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Segment {
    /// Source and destination port.
    pub ports: (u16, u16),
    /// Sequence number.
    pub seq: u32,
    /// Acknowledgement number.
    pub ack: u32,
    /// Flags as they lie on the wire.
    pub flags: u8,
    /// Window, as it lies on the wire.
    pub window: u16,
    /// Options, padded to a multiple of four.
    pub options: Options,
}

/// TCP options, at most the forty bytes that fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    bytes: [u8; 40],
    length: u8,
}

impl Default for Options {
    fn default() -> Self {
        Self { bytes: [0; 40], length: 0 }
    }
}

impl Options {
    /// Adds `bytes`; what does not fit is left out.
    pub fn push(&mut self, bytes: &[u8]) {
        let length = usize::from(self.length);
        if let Some(room) = self.bytes.get_mut(length..length + bytes.len()) {
            room.copy_from_slice(bytes);
            self.length += bytes.len() as u8;
        }
    }

    fn as_slice(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.length)).unwrap_or_default()
    }
}

/// Writes an IPv4 frame into `out`, replacing what it held. `ident` is its identification; the
/// payload must fit into an IPv4 packet. `damaged` makes the checksum of the transport wrong.
pub fn frame(
    out: &mut Vec<u8>,
    (from, to): (&Edge, &Edge),
    ident: u16,
    layer: &Layer,
    payload: &[u8],
    damaged: bool,
) {
    let (protocol, head) = match layer {
        Layer::Tcp(segment) => (6, 20 + segment.options.as_slice().len()),
        Layer::Udp(..) => (17, 8),
        Layer::Icmp(..) => (1, 8),
    };
    let total = (20 + head + payload.len()) as u16;
    out.clear();
    ethernet(out, from.mac, to.mac, 0x0800);
    let [total_high, total_low] = total.to_be_bytes();
    let [ident_high, ident_low] = ident.to_be_bytes();
    let [a, b, c, d] = from.addr.octets();
    let [e, f, g, h] = to.addr.octets();
    let mut ip = [
        0x45, 0, total_high, total_low, ident_high, ident_low, 0x40, 0, from.ttl, protocol, 0, 0,
        a, b, c, d, e, f, g, h,
    ];
    let [high, low] = finish(sum(&ip)).to_be_bytes();
    let [_, _, _, _, _, _, _, _, _, _, first, second, ..] = &mut ip;
    (*first, *second) = (high, low);
    out.extend_from_slice(&ip);
    let start = out.len();
    let at = match layer {
        Layer::Tcp(segment) => {
            tcp_header(out, segment);
            16
        }
        Layer::Udp(source, destination) => {
            out.extend_from_slice(&source.to_be_bytes());
            out.extend_from_slice(&destination.to_be_bytes());
            out.extend_from_slice(&((8 + payload.len()) as u16).to_be_bytes());
            out.extend_from_slice(&[0, 0]);
            6
        }
        Layer::Icmp(kind, code, rest) => {
            out.extend_from_slice(&[*kind, *code, 0, 0]);
            out.extend_from_slice(rest);
            2
        }
    };
    out.extend_from_slice(payload);
    let body = out.get(start..).unwrap_or_default();
    let mut total = sum(body);
    if protocol != 1 {
        let [high, low] = ((head + payload.len()) as u16).to_be_bytes();
        total += sum(&[a, b, c, d, e, f, g, h, 0, protocol, high, low]);
    }
    let checksum = match finish(total) {
        // RFC 768: zero would say that there is none.
        0 if protocol == 17 => 0xffff,
        checksum => checksum,
    };
    let checksum = if damaged { checksum ^ 0x5555 } else { checksum };
    if let Some(field) = out.get_mut(start + at..start + at + 2) {
        field.copy_from_slice(&checksum.to_be_bytes());
    }
}

/// Writes an ARP message (RFC 826) into `out`: operation, sender, target, and whom the frame is for.
pub fn arp(
    out: &mut Vec<u8>,
    operation: u16,
    (sender_mac, sender): (MacAddr, Ipv4Addr),
    (target_mac, target): (MacAddr, Ipv4Addr),
    destination: MacAddr,
) {
    out.clear();
    ethernet(out, sender_mac, destination, 0x0806);
    out.extend_from_slice(&[0, 1, 0x08, 0, 6, 4]);
    out.extend_from_slice(&operation.to_be_bytes());
    out.extend_from_slice(&sender_mac.0);
    out.extend_from_slice(&sender.octets());
    out.extend_from_slice(&target_mac.0);
    out.extend_from_slice(&target.octets());
    // A switch sees no frame shorter than 60 bytes.
    out.resize(60, 0);
}

fn ethernet(out: &mut Vec<u8>, from: MacAddr, to: MacAddr, kind: u16) {
    let ([a, b, c, d, e, f], [g, h, i, j, k, l]) = (to.0, from.0);
    let [high, low] = kind.to_be_bytes();
    out.extend_from_slice(&[a, b, c, d, e, f, g, h, i, j, k, l, high, low]);
}

fn tcp_header(out: &mut Vec<u8>, segment: &Segment) {
    let options = segment.options.as_slice();
    out.extend_from_slice(&segment.ports.0.to_be_bytes());
    out.extend_from_slice(&segment.ports.1.to_be_bytes());
    out.extend_from_slice(&segment.seq.to_be_bytes());
    out.extend_from_slice(&segment.ack.to_be_bytes());
    out.extend_from_slice(&[((20 + options.len()) as u8) << 2, segment.flags]);
    out.extend_from_slice(&segment.window.to_be_bytes());
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(options);
}

/// The sum of RFC 1071 in the order of a little-endian machine, which does not matter before
/// [`finish`] puts it right (its section 2, "byte order independence").
fn sum(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<4>();
    let mut total: u64 = words.iter().map(|word| u64::from(u32::from_le_bytes(*word))).sum();
    let mut last = [0u8; 4];
    for (to, from) in last.iter_mut().zip(rest) {
        *to = *from;
    }
    total += u64::from(u32::from_le_bytes(last));
    total
}

fn finish(total: u64) -> u16 {
    let mut total = total;
    while total >> 16 != 0 {
        total = (total & 0xffff) + (total >> 16);
    }
    !(total as u16).swap_bytes()
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use proptest::prelude::*;

    use super::super::super::packet::{self, Flags, Station};
    use super::*;
    use crate::decode::TcpFlags;

    fn edge(last: u8) -> Edge {
        let mac = MacAddr([2, 0, 0, 0, 0, last]);
        Edge { mac, addr: Ipv4Addr::new(10, 0, 0, last), ttl: 64 }
    }

    fn station(edge: &Edge) -> Station {
        Station { mac: edge.mac, addr: IpAddr::V4(edge.addr), ttl: edge.ttl }
    }

    proptest! {
        #[test]
        fn frames_are_those_of_the_library(
            seq: u32, ack: u32, window: u16, ident: u16, sport: u16, dport: u16,
            payload in prop::collection::vec(any::<u8>(), 0..1500),
        ) {
            let (from, to) = (edge(1), edge(2));
            let ends = (&station(&from), &station(&to));
            let mut out = Vec::new();

            let segment = Segment {
                ports: (sport, dport), seq, ack, flags: TcpFlags::PSH | TcpFlags::ACK, window,
                options: Options::default(),
            };
            frame(&mut out, (&from, &to), ident, &Layer::Tcp(segment), &payload, false);
            let expected = packet::Segment {
                ports: (sport, dport), seq, ack, flags: Flags::PSH_ACK, window, payload: &payload,
            };
            prop_assert_eq!(&out, &packet::tcp(ends.0, ends.1, ident, &expected));

            frame(&mut out, (&from, &to), ident, &Layer::Udp(sport, dport), &payload, false);
            prop_assert_eq!(&out, &packet::udp(ends.0, ends.1, ident, (sport, dport), &payload));
        }
    }

    #[test]
    fn echoes_and_arp_are_those_of_the_library() {
        let (from, to) = (edge(1), edge(2));
        let mut out = Vec::new();
        let data: Vec<u8> = (0x10..0x38).collect();

        frame(&mut out, (&from, &to), 7, &Layer::Icmp(8, 0, [0, 5, 0, 9]), &data, false);
        let echo = packet::echo(&station(&from), &station(&to), 7, packet::Echo::Request, 5, 9);
        assert_eq!(out, echo);

        let whom = (MacAddr::default(), to.addr);
        arp(&mut out, 1, (from.mac, from.addr), whom, MacAddr::BROADCAST);
        assert_eq!(Some(out), packet::arp_request(&station(&from), IpAddr::V4(to.addr)));
    }

    #[test]
    fn a_damaged_frame_has_a_wrong_checksum() {
        let (mut good, mut bad) = (Vec::new(), Vec::new());

        frame(&mut good, (&edge(1), &edge(2)), 7, &Layer::Udp(1, 2), b"x", false);
        frame(&mut bad, (&edge(1), &edge(2)), 7, &Layer::Udp(1, 2), b"x", true);

        assert_ne!(good[40..42], bad[40..42]);
        assert_eq!(good[42..], bad[42..]);
    }

    #[test]
    fn options_beyond_forty_bytes_are_left_out() {
        let mut options = Options::default();

        options.push(&[1; 38]);
        options.push(&[2; 4]);
        options.push(&[3; 2]);

        assert_eq!(options.as_slice().len(), 40);
        assert_eq!(options.as_slice()[38..], [3, 3]);
    }
}

//! Packets on their way to another thread: headers by value, payloads side by side in one buffer.

use std::ops::Range;

use crate::decode::{
    Body, IcmpMessage, IpPacket, Packet, SctpPacket, TcpSegment, TransportHeader, UdpDatagram,
};
use crate::time::Timestamp;

/// A moment at which timers fire: after every packet with a smaller number, before the others.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tick {
    /// Number of the packet that made it fire.
    pub(super) number: u64,
    /// Its place among the ticks that this packet made fire.
    pub(super) ordinal: u32,
    /// Packet time.
    pub(super) now: Timestamp,
}

/// What one flow worker gets at a time.
#[derive(Debug, Default)]
pub(super) struct Batch {
    packets: Vec<Queued>,
    payloads: Vec<u8>,
    /// Ticks that fall into the batch, in order; every worker gets them all.
    pub(super) ticks: Vec<Tick>,
    /// Set in the last batch: where and when the input ended.
    pub(super) end: Option<Tick>,
}

/// A packet that waits, without its payload.
#[derive(Debug)]
pub(super) struct Queued {
    pub(super) number: u64,
    pub(super) packet: Packet<'static>,
    payload: Range<usize>,
}

impl Batch {
    /// Copies `packet` in.
    pub(super) fn push(&mut self, number: u64, packet: &Packet<'_>) {
        let start = self.payloads.len();
        self.payloads.extend_from_slice(payload(packet));
        let payload = start..self.payloads.len();
        self.packets.push(Queued { number, packet: without_payload(packet), payload });
    }

    /// The packets in order of arrival.
    pub(super) fn queued(&self) -> &[Queued] {
        &self.packets
    }

    /// One of them with its payload.
    pub(super) fn packet(&self, queued: &Queued) -> Packet<'_> {
        let mut packet: Packet<'_> = queued.packet;
        if let Some(place) = payload_mut(&mut packet) {
            *place = self.payloads.get(queued.payload.clone()).unwrap_or_default();
        }
        packet
    }
}

fn payload<'a>(packet: &Packet<'a>) -> &'a [u8] {
    match &packet.body {
        Body::Arp(_) => &[],
        Body::Ip(ip) => match &ip.transport {
            TransportHeader::Tcp(tcp) => tcp.payload,
            TransportHeader::Udp(udp) => udp.payload,
            TransportHeader::Icmp(icmp) => icmp.payload,
            TransportHeader::Sctp(sctp) => sctp.payload,
        },
    }
}

fn payload_mut<'p, 'a>(packet: &'p mut Packet<'a>) -> Option<&'p mut &'a [u8]> {
    match &mut packet.body {
        Body::Arp(_) => None,
        Body::Ip(ip) => Some(match &mut ip.transport {
            TransportHeader::Tcp(tcp) => &mut tcp.payload,
            TransportHeader::Udp(udp) => &mut udp.payload,
            TransportHeader::Icmp(icmp) => &mut icmp.payload,
            TransportHeader::Sctp(sctp) => &mut sctp.payload,
        }),
    }
}

/// The same packet, borrowed from nobody.
fn without_payload(packet: &Packet<'_>) -> Packet<'static> {
    let Packet { ts, interface, macs, vlan, tunnel, .. } = *packet;
    let payload: &[u8] = &[];
    let body = match packet.body {
        Body::Arp(arp) => Body::Arp(arp),
        Body::Ip(IpPacket { src, dst, ttl, ip_len, transport }) => {
            let transport = match transport {
                TransportHeader::Tcp(tcp) => TransportHeader::Tcp(TcpSegment { payload, ..tcp }),
                TransportHeader::Udp(udp) => TransportHeader::Udp(UdpDatagram { payload, ..udp }),
                TransportHeader::Icmp(icmp) => {
                    TransportHeader::Icmp(IcmpMessage { payload, ..icmp })
                }
                TransportHeader::Sctp(sctp) => {
                    TransportHeader::Sctp(SctpPacket { payload, ..sctp })
                }
            };
            Body::Ip(IpPacket { src, dst, ttl, ip_len, transport })
        }
    };
    Packet { ts, interface, macs, vlan, tunnel, body }
}

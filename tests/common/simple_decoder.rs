//! Ethernet, Linux cooked and raw captures to packets, with nothing that tunnels or fragments: so
//! that connection tracking can be held against real traffic by itself.

use std::net::IpAddr;
use std::path::Path;

use etherparse::{LaxNetSlice, LaxSlicedPacket, TransportSlice};
use wormwatch::decode::{
    Body, IcmpMessage, IpPacket, Packet, Quoted, SctpPacket, TcpFlags, TcpSegment, TransportHeader,
    UdpDatagram,
};
use wormwatch::event::Event;
use wormwatch::flow::{FlowConfig, FlowTable};
use wormwatch::time::Timestamp;

/// All events of a capture, with a tick at every full second of packet time.
pub(crate) fn events_of(path: &Path, config: &FlowConfig) -> Result<Vec<Event>, pcap::Error> {
    let mut capture = pcap::Capture::from_file(path)?;
    let link = capture.get_datalink().0;
    let mut table = FlowTable::new(config);
    let mut out = Vec::new();
    let (mut number, mut now) = (0, Timestamp::from_nanos(i64::MIN));
    while let Ok(frame) = capture.next_packet() {
        number += 1;
        let time = frame.header.ts;
        let nanos = time.tv_sec * 1_000_000_000 + time.tv_usec * 1000;
        let before = now;
        now = now.max(Timestamp::from_nanos(nanos));
        let second = now.as_nanos().div_euclid(1_000_000_000);
        if number > 1 && second > before.as_nanos().div_euclid(1_000_000_000) {
            table.on_tick(number, Timestamp::from_secs(second), &mut out);
        }
        if let Some(packet) = decode(link, now, frame.data) {
            table.on_packet(number, &packet, None, &mut out);
        }
    }
    table.finish(number, now, &mut out);
    Ok(out)
}

/// The packet in a frame of link type `link`, if it is a plain one.
pub(crate) fn decode(link: i32, ts: Timestamp, frame: &[u8]) -> Option<Packet<'_>> {
    let sliced = match link {
        1 => LaxSlicedPacket::from_ethernet(frame).ok()?,
        101 | 12 | 228 | 229 => LaxSlicedPacket::from_ip(frame).ok()?,
        113 => LaxSlicedPacket::from_ip(frame.get(16..)?).ok()?,
        276 => LaxSlicedPacket::from_ip(frame.get(20..)?).ok()?,
        0 | 108 => LaxSlicedPacket::from_ip(frame.get(4..)?).ok()?,
        _ => return None,
    };
    let net = sliced.net.as_ref()?;
    let (src, dst, ttl, ip_len, header_len, protocol) = match net {
        LaxNetSlice::Ipv4(v4) => {
            let header = v4.header();
            (
                IpAddr::V4(header.source_addr()),
                IpAddr::V4(header.destination_addr()),
                header.ttl(),
                u32::from(header.total_len()),
                u32::from(header.ihl()) * 4,
                v4.payload().ip_number.0,
            )
        }
        LaxNetSlice::Ipv6(v6) => {
            let header = v6.header();
            let payload = v6.payload();
            let extensions =
                u32::from(header.payload_length()).saturating_sub(payload.payload.len() as u32);
            let extensions = if v6.extensions().is_empty() { 0 } else { extensions };
            (
                IpAddr::V6(header.source_addr()),
                IpAddr::V6(header.destination_addr()),
                header.hop_limit(),
                u32::from(header.payload_length()) + 40,
                40 + extensions,
                payload.ip_number.0,
            )
        }
        LaxNetSlice::Arp(_) => return None,
    };
    let ip_payload = net.ip_payload_ref()?;
    if ip_payload.fragmented {
        return None;
    }
    // Segmentation offload leaves the length at 0.
    let ip_len = if ip_len == 0 { header_len + ip_payload.payload.len() as u32 } else { ip_len };
    let left = ip_len.saturating_sub(header_len);
    let transport = match &sliced.transport {
        Some(TransportSlice::Tcp(tcp)) => {
            let flags = (u8::from(tcp.cwr()) << 7)
                | (u8::from(tcp.ece()) << 6)
                | (u8::from(tcp.urg()) << 5)
                | (u8::from(tcp.ack()) << 4)
                | (u8::from(tcp.psh()) << 3)
                | (u8::from(tcp.rst()) << 2)
                | (u8::from(tcp.syn()) << 1)
                | u8::from(tcp.fin());
            let length = left.saturating_sub(u32::from(tcp.data_offset()) * 4);
            let payload = tcp.payload().get(..length as usize).unwrap_or(tcp.payload());
            TransportHeader::Tcp(TcpSegment {
                src_port: tcp.source_port(),
                dst_port: tcp.destination_port(),
                seq: tcp.sequence_number(),
                ack: tcp.acknowledgment_number(),
                flags: TcpFlags(flags),
                window: tcp.window_size(),
                payload_len: length,
                payload,
            })
        }
        Some(TransportSlice::Udp(udp)) => {
            let length = u32::from(udp.length()).saturating_sub(8);
            let payload = udp.payload();
            TransportHeader::Udp(UdpDatagram {
                src_port: udp.source_port(),
                dst_port: udp.destination_port(),
                payload_len: length.max(payload.len() as u32),
                payload,
            })
        }
        _ if protocol == 132 => {
            let data = ip_payload.payload;
            let word = |at: usize| data.get(at..at + 2).map(|b| u16::from_be_bytes([b[0], b[1]]));
            TransportHeader::Sctp(SctpPacket {
                src_port: word(0)?,
                dst_port: word(2)?,
                chunk: *data.get(12)?,
                payload_len: left.saturating_sub(12),
                payload: data.get(12..)?,
            })
        }
        _ if protocol == 1 || protocol == 58 => icmp(ip_payload.payload, protocol == 58, left)?,
        _ => return None,
    };
    Some(Packet {
        ts,
        interface: 0,
        macs: None,
        vlan: None,
        tunnel: None,
        body: Body::Ip(IpPacket { src, dst, ttl, ip_len, transport }),
    })
}

fn icmp(data: &[u8], v6: bool, length: u32) -> Option<TransportHeader<'_>> {
    let (kind, code) = (*data.first()?, *data.get(1)?);
    let payload = data.get(8..)?;
    let word = |at: usize| data.get(at..at + 2).map(|b| u16::from_be_bytes([b[0], b[1]]));
    let is_error = if v6 { kind < 128 } else { matches!(kind, 3 | 4 | 11 | 12) };
    Some(TransportHeader::Icmp(IcmpMessage {
        v6,
        kind,
        code,
        id: word(4)?,
        seq: word(6)?,
        quoted: if is_error { quoted(payload) } else { None },
        target: None,
        payload_len: length.saturating_sub(8),
        payload,
    }))
}

fn quoted(data: &[u8]) -> Option<Quoted> {
    let (src, dst, protocol, rest): (IpAddr, IpAddr, u8, usize) = if data.first()? >> 4 == 4 {
        let v4 = |at: usize| data.get(at..at + 4)?.first_chunk::<4>().copied();
        let header = usize::from(data.first()? & 0xf) * 4;
        (v4(12)?.into(), v4(16)?.into(), *data.get(9)?, header)
    } else {
        let v6 = |at: usize| data.get(at..at + 16)?.first_chunk::<16>().copied();
        (v6(8)?.into(), v6(24)?.into(), *data.get(6)?, 40)
    };
    let port = |at: usize| {
        data.get(rest + at..rest + at + 2).map_or(0, |b| u16::from_be_bytes([b[0], b[1]]))
    };
    Some(Quoted { src, dst, protocol, src_port: port(0), dst_port: port(2) })
}

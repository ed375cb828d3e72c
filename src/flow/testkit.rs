//! Packets by hand, for stories: a wire between two hosts, and what the table says of it.

use std::net::IpAddr;
use std::time::Duration;

use super::{FlowConfig, FlowTable};
use crate::decode::{
    Body as PacketBody, IcmpMessage, IpPacket, Packet, Quoted, SctpPacket, TcpFlags, TcpSegment,
    TransportHeader, UdpDatagram,
};
use crate::event::{Body, Conn, Contact, Conversation, Event, Icmp};
use crate::net::MacAddr;
use crate::time::Timestamp;

pub(super) const FIN: u8 = TcpFlags::FIN;
pub(super) const SYN: u8 = TcpFlags::SYN;
pub(super) const RST: u8 = TcpFlags::RST;
pub(super) const PSH: u8 = TcpFlags::PSH;
pub(super) const ACK: u8 = TcpFlags::ACK;
pub(super) const URG: u8 = TcpFlags::URG;

/// An address and a port.
pub(super) type End = (&'static str, u16);

pub(super) const CLIENT: End = ("192.0.2.1", 40_000);
pub(super) const SERVER: End = ("198.51.100.2", 445);
pub(super) const ROUTER: End = ("203.0.113.9", 0);

/// A segment before it is sent.
#[derive(Clone, Copy)]
pub(super) struct Segment {
    pub(super) flags: u8,
    pub(super) seq: u32,
    pub(super) ack: u32,
    pub(super) window: u16,
    pub(super) data: &'static [u8],
    pub(super) cut_to: usize,
}

/// A segment with these flags and numbers.
pub(super) fn tcp(flags: u8, seq: u32, ack: u32) -> Segment {
    Segment { flags, seq, ack, window: 1024, data: b"", cut_to: usize::MAX }
}

/// A segment with data.
pub(super) fn data(seq: u32, ack: u32, data: &'static [u8]) -> Segment {
    Segment { data, ..tcp(PSH | ACK, seq, ack) }
}

/// A table under observation.
pub(super) struct Wire {
    pub(super) table: FlowTable,
    pub(super) events: Vec<Event>,
    /// Whether packets come without a hint, and so go no short way.
    pub(super) without_hints: bool,
    now: Timestamp,
    number: u64,
}

impl Wire {
    pub(super) fn new() -> Self {
        Self::with(&FlowConfig::default())
    }

    pub(super) fn with(config: &FlowConfig) -> Self {
        Self {
            table: FlowTable::new(config),
            events: Vec::new(),
            without_hints: false,
            now: Timestamp::from_secs(1000),
            number: 0,
        }
    }

    /// Lets time pass without a tick.
    pub(super) fn wait(&mut self, millis: u64) -> &mut Self {
        self.now = self.now + Duration::from_millis(millis);
        self
    }

    /// Lets time pass, with a tick at its end.
    pub(super) fn tick(&mut self, millis: u64) -> &mut Self {
        self.wait(millis);
        self.table.on_tick(self.number, self.now, &mut self.events);
        self
    }

    /// Ends the input.
    pub(super) fn finish(&mut self) -> &mut Self {
        self.table.finish(self.number, self.now, &mut self.events);
        self
    }

    pub(super) fn send(&mut self, src: End, dst: End, segment: Segment) -> &mut Self {
        let captured = segment.data.len().min(segment.cut_to);
        let transport = TransportHeader::Tcp(TcpSegment {
            src_port: src.1,
            dst_port: dst.1,
            seq: segment.seq,
            ack: segment.ack,
            flags: TcpFlags(segment.flags),
            window: segment.window,
            payload_len: segment.data.len() as u32,
            payload: &segment.data[..captured],
        });
        self.packet(src.0, dst.0, 40 + segment.data.len() as u32, transport, None)
    }

    /// From client to server.
    pub(super) fn up(&mut self, segment: Segment) -> &mut Self {
        self.wait(1).send(CLIENT, SERVER, segment)
    }

    /// From server to client.
    pub(super) fn down(&mut self, segment: Segment) -> &mut Self {
        self.wait(1).send(SERVER, CLIENT, segment)
    }

    /// The three packets of a handshake; sequence numbers go on at 101 and 501.
    pub(super) fn handshake(&mut self) -> &mut Self {
        self.up(tcp(SYN, 100, 0)).down(tcp(SYN | ACK, 500, 101)).up(tcp(ACK, 101, 501))
    }

    pub(super) fn udp(&mut self, src: End, dst: End, payload: &'static [u8]) -> &mut Self {
        let transport = TransportHeader::Udp(UdpDatagram {
            src_port: src.1,
            dst_port: dst.1,
            payload_len: payload.len() as u32,
            payload,
        });
        self.wait(1).packet(src.0, dst.0, 28 + payload.len() as u32, transport, None)
    }

    pub(super) fn sctp(&mut self, src: End, dst: End, chunk: u8) -> &mut Self {
        let transport = TransportHeader::Sctp(SctpPacket {
            src_port: src.1,
            dst_port: dst.1,
            chunk,
            payload_len: 20,
            payload: &[0; 20],
        });
        self.wait(1).packet(src.0, dst.0, 52, transport, None)
    }

    pub(super) fn icmp(&mut self, src: &str, dst: &str, kind: u8, code: u8) -> &mut Self {
        self.icmp_about(src, dst, (kind, code), None)
    }

    /// An error of `(type, code)` that quotes a packet of protocol `about.0` from `about.1` to
    /// `about.2`.
    pub(super) fn icmp_about(
        &mut self,
        src: &str,
        dst: &str,
        (kind, code): (u8, u8),
        about: Option<(u8, End, End)>,
    ) -> &mut Self {
        let quoted = about.map(|(protocol, src, dst)| Quoted {
            src: src.0.parse().unwrap(),
            dst: dst.0.parse().unwrap(),
            protocol,
            src_port: src.1,
            dst_port: dst.1,
        });
        let transport = TransportHeader::Icmp(IcmpMessage {
            v6: src.contains(':'),
            kind,
            code,
            id: 7,
            seq: 1,
            quoted,
            target: None,
            payload_len: 56,
            payload: &[0; 56],
        });
        self.wait(1).packet(src, dst, 84, transport, None)
    }

    pub(super) fn packet(
        &mut self,
        src: &str,
        dst: &str,
        ip_len: u32,
        transport: TransportHeader<'_>,
        macs: Option<(MacAddr, MacAddr)>,
    ) -> &mut Self {
        let (src, dst): (IpAddr, IpAddr) = (src.parse().unwrap(), dst.parse().unwrap());
        self.number += 1;
        let packet = Packet {
            ts: self.now,
            interface: 0,
            macs,
            vlan: None,
            tunnel: None,
            body: PacketBody::Ip(IpPacket { src, dst, ttl: 64, ip_len, transport }),
        };
        let hint = packet.ends().filter(|_| !self.without_hints).map(|ends| {
            let mut hint = self.table.hint(&ends);
            self.table.prefetch(&mut hint);
            hint
        });
        self.table.on_packet(self.number, &packet, hint, &mut self.events);
        self
    }

    pub(super) fn contacts(&self) -> Vec<(Conversation, Contact)> {
        self.of(|body| if let Body::Contact(contact) = body { Some(*contact) } else { None })
    }

    pub(super) fn conns(&self) -> Vec<(Conversation, Conn)> {
        self.of(|body| if let Body::Conn(conn) = body { Some((**conn).clone()) } else { None })
    }

    pub(super) fn icmps(&self) -> Vec<(Conversation, Icmp)> {
        self.of(|body| if let Body::Icmp(icmp) = body { Some(*icmp) } else { None })
    }

    pub(super) fn weirds(&self) -> Vec<&'static str> {
        let weirds =
            self.of(|body| if let Body::Weird(weird) = body { Some(*weird) } else { None });
        weirds.into_iter().map(|(_, weird)| weird.name).collect()
    }

    /// The only contact.
    pub(super) fn contact(&self) -> Contact {
        let contacts = self.contacts();
        assert_eq!(contacts.len(), 1, "{contacts:?}");
        contacts[0].1
    }

    /// The only record, once the input has ended.
    pub(super) fn conn(&mut self) -> Conn {
        self.finish();
        let conns = self.conns();
        assert_eq!(conns.len(), 1, "{conns:?}");
        conns[0].1.clone()
    }

    /// State and history of the only record.
    pub(super) fn summary(&mut self) -> String {
        let conn = self.conn();
        format!("{:?} {}", conn.state, conn.history)
    }

    fn of<T>(&self, pick: impl Fn(&Body) -> Option<T>) -> Vec<(Conversation, T)> {
        let picked =
            self.events.iter().filter_map(|event| Some((event.conversation?, pick(&event.body)?)));
        picked.collect()
    }
}

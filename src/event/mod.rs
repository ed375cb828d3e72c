//! The one language between the packet path and the detectors: what happened, in Zeek's names.
//!
//! Events reach the detection thread in order of (time, packet number), whatever the number of
//! threads that made them.

mod community_id;
mod json;
mod record;
mod uid;

pub use community_id::community_id;
pub use json::Line;
pub use record::*;

use std::net::IpAddr;
use std::time::Duration;

use serde::Serialize;

use crate::decode::Tunnel;
use crate::net::{Endpoint, MacAddr, Service, Transport};
use crate::time::Timestamp;

/// Something that happened on the network.
#[derive(Clone, Debug)]
pub struct Event {
    /// Packet time at which it became known; never runs back from one event to the next.
    pub ts: Timestamp,
    /// Number of the packet (from 1) that made it known; orders events of equal time.
    pub packet: u64,
    /// The connection it belongs to, where there is one.
    pub conversation: Option<Conversation>,
    /// What happened.
    pub body: Body,
}

/// Which connection: who opened it to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conversation {
    /// Identifies the connection within a run; deterministic.
    pub uid: Uid,
    /// The transport protocol.
    pub transport: Transport,
    /// Who opened it (Zeek's originator).
    pub client: Endpoint,
    /// Who was called (Zeek's responder).
    pub server: Endpoint,
    /// Whether the direction was inferred, because the opening was not seen.
    pub inferred: bool,
}

impl Conversation {
    /// What the client asked for: the transport and the server's port.
    pub fn service(&self) -> Service {
        Service {
            transport: self.transport,
            port: if self.transport == Transport::Icmp {
                self.client.port
            } else {
                self.server.port
            },
        }
    }
}

/// A connection's identifier; written as Zeek does, `C` and base 62.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uid(pub u128);

/// What happened.
#[derive(Clone, Debug)]
pub enum Body {
    /// The first outcome of a connection attempt is known.
    Contact(Contact),
    /// A connection is over, or the input is.
    Conn(Box<Conn>),
    /// An ARP message.
    Arp(Arp),
    /// An ICMP query that opens an exchange, or an ICMP error.
    Icmp(Icmp),
    /// Traffic that breaks its protocol's rules.
    Weird(Weird),
    /// Something was done inside a protocol.
    Record(Box<Record>),
}

/// How a connection attempt ended, as far as the transport tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The server answered and the exchange was established.
    Accepted,
    /// The server said no: RST, ICMP port unreachable, SCTP ABORT.
    Refused,
    /// Nobody answered in time.
    Unanswered,
    /// A router or host reported that the destination cannot be reached or is filtered.
    Unreachable,
    /// The transport worked and the application said no.
    AppFailed,
}

impl Outcome {
    /// Whether the client did not get what it asked for.
    pub const fn failed(self) -> bool {
        !matches!(self, Self::Accepted)
    }
}

/// What the first packet of a connection was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Opening {
    /// A TCP SYN, or an SCTP INIT: a connection seen from its start.
    Syn,
    /// A SYN-ACK whose SYN was not seen: one-way capture, or backscatter.
    SynAck,
    /// Data (or an acknowledgement inside an exchange) of a connection that began before.
    Midstream,
    /// A lone acknowledgement without data and without a connection (ACK scan, keep-alive).
    Ack,
    /// No flag at all (NULL scan).
    Null,
    /// A lone FIN without a connection (FIN and Maimon scan, or the end of an old connection).
    Fin,
    /// FIN, PSH and URG together (XMAS scan).
    Xmas,
    /// A RST without a connection: backscatter, or the end of an old connection.
    Rst,
    /// A UDP datagram, an ICMP query.
    Datagram,
}

impl Opening {
    /// Whether no legitimate stack opens like this.
    pub const fn is_stealth_probe(self) -> bool {
        matches!(self, Self::Null | Self::Xmas)
    }
}

/// The first outcome of a connection attempt.
#[derive(Clone, Copy, Debug)]
pub struct Contact {
    /// How it ended; `None` if the input ended while it was still opening.
    pub outcome: Option<Outcome>,
    /// What the first packet was.
    pub opening: Opening,
    /// When the first packet was seen.
    pub start: Timestamp,
    /// Packets seen from the client so far; 0 if only the server was seen (backscatter).
    pub client_packets: u32,
    /// Packets seen from the server so far; 0 with `Accepted` means that the server's side is not
    /// captured and its answer was concluded from the client's.
    pub server_packets: u32,
    /// How long the client has waited: until the outcome, or until the input ended.
    pub waited: Duration,
    /// Whether the destination is a multicast, broadcast or unspecified address.
    pub to_group: bool,
}

/// Zeek's connection states.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum ConnState {
    /// Attempt seen, no reply.
    S0,
    /// Established, not terminated.
    S1,
    /// Established, close attempt by the client seen, no reply from the server.
    S2,
    /// Established, close attempt by the server seen, no reply from the client.
    S3,
    /// Normal establishment and termination.
    SF,
    /// Attempt rejected.
    REJ,
    /// Established, client aborted.
    RSTO,
    /// Server aborted.
    RSTR,
    /// Client sent a SYN followed by a RST, no SYN-ACK seen.
    RSTOS0,
    /// Server sent a SYN-ACK followed by a RST, no SYN seen.
    RSTRH,
    /// Client sent a SYN followed by a FIN, no SYN-ACK seen.
    SH,
    /// Server sent a SYN-ACK followed by a FIN, no SYN seen.
    SHR,
    /// No SYN seen, midstream traffic.
    OTH,
}

/// A connection that is over: Zeek's `conn` record.
#[derive(Clone, Debug)]
pub struct Conn {
    /// When its first packet was seen.
    pub start: Timestamp,
    /// From first to last packet.
    pub duration: Duration,
    /// Application protocol in Zeek's name, guessed from the first payload bytes.
    pub service: Option<&'static str>,
    /// Zeek's state.
    pub state: ConnState,
    /// Our outcome; `None` if unknown.
    pub outcome: Option<Outcome>,
    /// What the first packet was.
    pub opening: Opening,
    /// Zeek's history letters.
    pub history: String,
    /// What the client sent.
    pub client: Side,
    /// What the server sent.
    pub server: Side,
    /// Payload bytes that were missing in the capture, both directions.
    pub missed_bytes: u64,
    /// The VLAN of its first packet.
    pub vlan: Option<u16>,
    /// The tunnel of its first packet.
    pub tunnel: Option<Tunnel>,
    /// Hardware addresses of client and server as first seen, where the link has them.
    pub macs: Option<(MacAddr, MacAddr)>,
    /// By what its content and its shape are known again, where they were taken; not in any log.
    pub fingerprints: Option<Box<Fingerprints>>,
    /// Answers that came as a language model's do, where they were looked for; not in any log.
    pub drips: Option<Box<Drips>>,
}

/// Answers of a server that came token by token.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Drips {
    /// How many.
    pub answers: u32,
    /// When the latest of them ended, in order of time.
    pub ends: Vec<Timestamp>,
}

/// Hashes of the content of either direction that are kept.
pub const KEYS: usize = 4;

/// Keyed hashes of what a connection carried; equal ones mean equal things within a run and wherever
/// the key is the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fingerprints {
    /// Of windows of the client's bytes, at most [`KEYS`], ascending.
    pub client: Vec<u64>,
    /// Of the server's.
    pub server: Vec<u64>,
    /// Of the sizes of turns, on two scales: what differs a little is the same on one of them.
    pub shape: Option<[u64; 2]>,
}

/// What one side of a connection sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Side {
    /// Packets.
    pub packets: u64,
    /// Bytes of IP packets, headers included.
    pub ip_bytes: u64,
    /// Payload bytes (TCP: by sequence numbers, as Zeek).
    pub bytes: u64,
    /// Times this side began to send payload after the other had sent some.
    pub turns: u32,
}

/// An ARP message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arp {
    /// Whether it asks; otherwise it answers.
    pub is_request: bool,
    /// Hardware address of the sender.
    pub sender_mac: MacAddr,
    /// Address of the sender; unspecified in a probe (RFC 5227).
    pub sender: IpAddr,
    /// Hardware address of the target; zero in a request.
    pub target_mac: MacAddr,
    /// Address that is asked for or answered to.
    pub target: IpAddr,
}

/// An ICMP query that opens an exchange, or an ICMP error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Icmp {
    /// Whether it is ICMPv6.
    pub v6: bool,
    /// Who sent it.
    pub src: IpAddr,
    /// Who gets it.
    pub dst: IpAddr,
    /// Type.
    pub kind: u8,
    /// Code.
    pub code: u8,
    /// For an error: who sent what failed, and what it asked for.
    pub about: Option<(Endpoint, Endpoint, u8)>,
}

/// Traffic that breaks its protocol's rules, in Zeek's names where it has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weird {
    /// What is odd.
    pub name: &'static str,
    /// Who sent it, where known.
    pub src: Option<IpAddr>,
    /// To whom.
    pub dst: Option<IpAddr>,
}

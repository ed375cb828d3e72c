//! The words for who talks to whom: hardware addresses, endpoints, services.

use std::fmt;
use std::net::IpAddr;

use serde::{Serialize, Serializer};

/// An IEEE 802 hardware address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MacAddr(pub [u8; 6]);

impl MacAddr {
    /// The broadcast address.
    pub const BROADCAST: Self = Self([0xff; 6]);

    /// Whether the group bit is set: multicast or broadcast.
    pub fn is_group(self) -> bool {
        let [first, ..] = self.0;
        first & 1 == 1
    }
}

impl fmt::Display for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl Serialize for MacAddr {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The transport protocol of a connection, in Zeek's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// Transmission Control Protocol (RFC 9293).
    Tcp,
    /// User Datagram Protocol (RFC 768).
    Udp,
    /// ICMP (RFC 792) or ICMPv6 (RFC 4443).
    Icmp,
    /// Stream Control Transmission Protocol (RFC 9260).
    Sctp,
}

impl Transport {
    /// The name in lower case, as Zeek writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Icmp => "icmp",
            Self::Sctp => "sctp",
        }
    }

    /// The IANA protocol number; `v6` chooses ICMPv6 for ICMP.
    pub const fn number(self, v6: bool) -> u8 {
        match self {
            Self::Tcp => 6,
            Self::Udp => 17,
            Self::Icmp if v6 => 58,
            Self::Icmp => 1,
            Self::Sctp => 132,
        }
    }
}

/// One end of a connection. For ICMP the port is the type (client) or code (server), as in Zeek.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    /// The address.
    pub addr: IpAddr,
    /// The port.
    pub port: u16,
}

impl Endpoint {
    /// The endpoint at `addr` and `port`.
    pub const fn new(addr: IpAddr, port: u16) -> Self {
        Self { addr, port }
    }
}

/// The two ends of a packet and what runs between them, as numbers: every packet has them compared
/// and hashed, which the bytes of an [`IpAddr`] are not made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    /// What runs between them.
    pub transport: Transport,
    /// Whether the addresses are IPv6.
    pub is_v6: bool,
    /// Address and port of who sends.
    pub src: (u128, u16),
    /// Address and port of who gets it.
    pub dst: (u128, u16),
}

impl Ends {
    /// From `src` to `dst`, whose addresses are of one family.
    #[inline]
    pub fn new(transport: Transport, src: Endpoint, dst: Endpoint) -> Self {
        let number = |end: Endpoint| (bits(end.addr), end.port);
        Self { transport, is_v6: src.addr.is_ipv6(), src: number(src), dst: number(dst) }
    }
}

/// An address as a number.
#[inline]
pub const fn bits(addr: IpAddr) -> u128 {
    match addr {
        IpAddr::V4(v4) => v4.to_bits() as u128,
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.addr {
            IpAddr::V4(addr) => write!(f, "{addr}:{}", self.port),
            IpAddr::V6(addr) => write!(f, "[{addr}]:{}", self.port),
        }
    }
}

/// What a server offers: a transport and a port, written `tcp/445`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Service {
    /// The transport protocol.
    pub transport: Transport,
    /// The server's port; for ICMP the message type.
    pub port: u16,
}

impl Service {
    /// A TCP service.
    pub const fn tcp(port: u16) -> Self {
        Self { transport: Transport::Tcp, port }
    }

    /// A UDP service.
    pub const fn udp(port: u16) -> Self {
        Self { transport: Transport::Udp, port }
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.transport.as_str(), self.port)
    }
}

impl Serialize for Service {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Whether nobody owns this address alone: multicast, broadcast, unspecified.
pub fn is_group(addr: IpAddr) -> bool {
    match addr {
        IpAddr::V4(v4) => v4.is_multicast() || v4.is_broadcast() || v4.is_unspecified(),
        IpAddr::V6(v6) => v6.is_multicast() || v6.is_unspecified(),
    }
}

//! Where a packet comes from and goes to, before a tap decides how much of that it sees.

use std::net::Ipv4Addr;

use crate::net::MacAddr;

/// The TCP/IP stack of a host, as far as it shows on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stack {
    /// Time to live 128; window scale 8; no timestamps.
    #[default]
    Windows,
    /// Time to live 64; window scale 7; timestamps.
    Linux,
    /// Time to live 64; a maximum segment size is all it offers.
    Embedded,
}

impl Stack {
    /// The time to live of what it sends.
    pub const fn ttl(self) -> u8 {
        match self {
            Self::Windows => 128,
            Self::Linux | Self::Embedded => 64,
        }
    }
}

/// One end of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// Its address.
    pub addr: Ipv4Addr,
    /// Its own hardware address.
    pub mac: MacAddr,
    /// The subnet it lives in, by number; `None` for the Internet.
    pub subnet: Option<u8>,
    /// Its stack.
    pub stack: Stack,
    /// Routers between it and the router of the house.
    pub hops: u8,
    /// The address and port that it has beyond its subnet, behind a translator of addresses.
    pub outer: Option<(Ipv4Addr, u16)>,
}

/// A group or broadcast address within `subnet`.
pub const fn group(addr: Ipv4Addr, subnet: Option<u8>) -> End {
    let [_, second, third, fourth] = addr.octets();
    // RFC 1112 section 6.4: the lower 23 bits of the group; what is no group is for everybody.
    let mac = if addr.is_multicast() {
        MacAddr([0x01, 0x00, 0x5e, second & 0x7f, third, fourth])
    } else {
        MacAddr::BROADCAST
    };
    End { addr, mac, subnet, stack: Stack::Linux, hops: 0, outer: None }
}

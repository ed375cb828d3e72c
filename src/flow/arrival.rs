//! A packet as the table looks at it.

use super::key::Lookup;
use crate::decode::{IpPacket, Packet, Tunnel};
use crate::net::{Endpoint, MacAddr};

/// What the table needs of a packet, whatever its transport.
#[derive(Clone, Copy)]
pub(super) struct Arrival<'p> {
    pub(super) number: u64,
    pub(super) lookup: &'p Lookup,
    pub(super) src: Endpoint,
    pub(super) dst: Endpoint,
    pub(super) ip_len: u32,
    pub(super) macs: Option<(MacAddr, MacAddr)>,
    pub(super) vlan: Option<u16>,
    pub(super) tunnel: Option<Tunnel>,
    pub(super) payload: &'p [u8],
    pub(super) payload_len: u32,
}

impl<'p> Arrival<'p> {
    /// Packet `number`, whose connection is found by `lookup`, between these ports and with this payload and its claimed length.
    #[inline]
    pub(super) fn new(
        number: u64,
        packet: &Packet<'_>,
        ip: &IpPacket<'_>,
        lookup: &'p Lookup,
        (src_port, dst_port): (u16, u16),
        (payload, payload_len): (&'p [u8], u32),
    ) -> Self {
        Self {
            number,
            lookup,
            src: Endpoint::new(ip.src, src_port),
            dst: Endpoint::new(ip.dst, dst_port),
            ip_len: ip.ip_len,
            macs: packet.macs,
            vlan: packet.vlan,
            tunnel: packet.tunnel,
            payload,
            payload_len,
        }
    }
}

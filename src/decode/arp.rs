//! ARP for IPv4 over Ethernet addresses (RFC 826).

use std::net::IpAddr;

use super::{Arp, Skip};
use crate::net::MacAddr;

/// Reads an ARP message.
pub(super) fn decode(bytes: &[u8]) -> Result<Arp, Skip> {
    let &[h0, h1, p0, p1, hardware_len, protocol_len, o0, o1, ref rest @ ..] = bytes else {
        return Err(Skip::TruncatedArp);
    };
    let kinds = (u16::from_be_bytes([h0, h1]), u16::from_be_bytes([p0, p1]));
    // 1 is Ethernet, 6 the IEEE 802 networks that use the same addresses.
    if !matches!(kinds, (1 | 6, 0x0800)) || (hardware_len, protocol_len) != (6, 4) {
        return Err(Skip::OtherArp);
    }
    let Some(&[a, b, c, d, e, f, s0, s1, s2, s3, u, v, w, x, y, z, t0, t1, t2, t3]) =
        rest.first_chunk::<20>()
    else {
        return Err(Skip::TruncatedArp);
    };
    Ok(Arp {
        operation: u16::from_be_bytes([o0, o1]),
        sender_mac: MacAddr([a, b, c, d, e, f]),
        sender: IpAddr::from([s0, s1, s2, s3]),
        target_mac: MacAddr([u, v, w, x, y, z]),
        target: IpAddr::from([t0, t1, t2, t3]),
    })
}

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

#[cfg(test)]
mod tests {
    use crate::decode::Skip;
    use crate::decode::frames::{cat, ether, seen};

    const REQUEST: [u8; 28] =
        [0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1, 192, 0, 2, 1, 0, 0, 0, 0, 0, 0, 192, 0, 2, 9];

    #[test]
    fn reads_requests_with_padding_and_in_a_vlan() {
        let tagged = cat(&[&[0, 7, 8, 6], &REQUEST]);

        assert_eq!(
            seen(1, &ether(0x0806, &cat(&[&REQUEST, &[0; 18]]))).as_deref(),
            Ok("arp 1 192.0.2.1 > 192.0.2.9")
        );
        assert_eq!(seen(1, &ether(0x8100, &tagged)).as_deref(), Ok("arp 1 192.0.2.1 > 192.0.2.9"));
    }

    #[test]
    fn leaves_other_address_families() {
        let mut infiniband = REQUEST;
        infiniband[1] = 32;
        infiniband[4] = 20;

        assert_eq!(seen(1, &ether(0x0806, &infiniband)), Err(Skip::OtherArp));
        assert_eq!(seen(1, &ether(0x0806, &REQUEST[..27])), Err(Skip::TruncatedArp));
    }
}

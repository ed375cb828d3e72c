//! Industrial and building control.

use super::bytes::{be16, byte, le16};
use super::{Ports, Protocol, Role, Verdict};

/// Modbus/TCP (Modbus Messaging on TCP/IP, section 3.1.3): protocol 0 and an exact length. Eight
/// loose bytes, so the port must confirm.
pub(super) fn modbus(data: &[u8], ports: Ports) -> Verdict {
    let is_header = be16(data, 2) == Some(0)
        && be16(data, 4).is_some_and(|length| {
            (2..=254).contains(&length) && usize::from(length) + 6 <= data.len()
        })
        && byte(data, 7).is_some_and(|function| matches!(function & 0x7f, 1..=24 | 43 | 90));
    if is_header && ports.touch(502) {
        return Verdict::Is(Protocol::Modbus, ports.role_at(502));
    }
    Verdict::Unknown
}

/// DNP3 link header over TCP.
pub(super) fn dnp3(data: &[u8], _: Ports) -> Verdict {
    dnp3_header(data, Protocol::Dnp3Tcp)
}

/// DNP3 link header over UDP.
pub(super) fn dnp3_datagram(data: &[u8], _: Ports) -> Verdict {
    dnp3_header(data, Protocol::Dnp3Udp)
}

/// 0x0564, a length of at least 5, and a control byte whose DIR bit is set by the master
/// (IEEE 1815 section 9.2.4).
fn dnp3_header(data: &[u8], protocol: Protocol) -> Verdict {
    if be16(data, 0) != Some(0x0564) || data.len() < 10 {
        return Verdict::Unknown;
    }
    match (byte(data, 2), byte(data, 3)) {
        (Some(5..), Some(control)) => Verdict::Is(
            protocol,
            Some(if control & 0x80 != 0 { Role::Client } else { Role::Server }),
        ),
        _ => Verdict::Unknown,
    }
}

/// EtherNet/IP encapsulation (CIP volume 2, section 2-3): a known command and an exact length.
pub(super) fn enip(data: &[u8], ports: Ports) -> Verdict {
    let is_command =
        matches!(le16(data, 0), Some(0x0004 | 0x0063 | 0x0064 | 0x0065 | 0x0066 | 0x006f | 0x0070));
    let is_exact = le16(data, 2).is_some_and(|length| usize::from(length) + 24 == data.len());
    let has_status_zero = data.get(8..12) == Some(&[0, 0, 0, 0]);
    if is_command && is_exact && has_status_zero {
        return Verdict::Is(Protocol::Enip, ports.role_at(44818));
    }
    Verdict::Unknown
}

/// BACnet/IP (ASHRAE 135 annex J): type 0x81, a function, an exact length.
pub(super) fn bacnet(data: &[u8], _: Ports) -> Verdict {
    let is_exact = be16(data, 2).is_some_and(|length| usize::from(length) == data.len());
    if byte(data, 0) == Some(0x81) && byte(data, 1).is_some_and(|f| f <= 0x0c) && is_exact {
        return Verdict::either(Protocol::Bacnet);
    }
    Verdict::Unknown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wants_the_port_for_modbus() {
        let read = [0, 1, 0, 0, 0, 6, 1, 3, 0, 0, 0, 10];

        let on_port = modbus(&read, Ports { sender: 40_000, receiver: 502 });
        let elsewhere = modbus(&read, Ports { sender: 40_000, receiver: 40_001 });

        assert_eq!(on_port, Verdict::client(Protocol::Modbus));
        assert_eq!(elsewhere, Verdict::Unknown);
    }

    #[test]
    fn reads_the_direction_bit_of_dnp3() {
        let ports = Ports { sender: 40_000, receiver: 40_001 };

        let master = dnp3(&[5, 0x64, 8, 0xc4, 1, 0, 2, 0, 9, 9], ports);
        let outstation = dnp3(&[5, 0x64, 8, 0x44, 1, 0, 2, 0, 9, 9], ports);

        assert_eq!(master, Verdict::client(Protocol::Dnp3Tcp));
        assert_eq!(outstation, Verdict::server(Protocol::Dnp3Tcp));
    }
}

//! Protocols of one message a datagram: names, time, addresses, management.

use super::bytes::{be16, be32, ber, byte, contains};
use super::{Ports, Protocol, Role, Verdict};

/// DNS (RFC 1035 section 4.1.1) and its relatives on 5353, 5355 and 137.
pub(super) fn dns(data: &[u8], ports: Ports) -> Verdict {
    let relaxed = [53, 5353, 5355, 137].iter().any(|&port| ports.touch(port));
    dns_message(data, relaxed)
}

/// DNS over TCP: the length of the message comes first, and the whole of it here.
pub(super) fn dns_over_stream(data: &[u8], ports: Ports) -> Verdict {
    let Some(length) = be16(data, 0) else { return Verdict::Unknown };
    let rest = data.get(2..).unwrap_or_default();
    if usize::from(length) < 17 || (usize::from(length) != rest.len() && !ports.touch(53)) {
        return Verdict::Unknown;
    }
    dns_message(rest, ports.touch(53))
}

/// A header with a known operation and zero Z bit, sane counts, and a first name that ends within
/// the message. `relaxed` accepts answers without a question.
fn dns_message(data: &[u8], relaxed: bool) -> Verdict {
    let (Some(flags), Some(questions), Some(answers)) =
        (be16(data, 2), be16(data, 4), be16(data, 6))
    else {
        return Verdict::Unknown;
    };
    let (Some(authorities), Some(additional)) = (be16(data, 8), be16(data, 10)) else {
        return Verdict::Unknown;
    };
    let is_reply = flags & 0x8000 != 0;
    let operation = (flags >> 11) & 0xf;
    let max_operation = if relaxed { 8 } else { 0 };
    let counts_fit = u32::from(answers) + u32::from(authorities) + u32::from(additional)
        <= (data.len() / 10) as u32;
    let asks = questions == 1 || (relaxed && questions <= 32 && (questions > 0 || answers > 0));
    if operation > max_operation || !counts_fit || !asks || (!is_reply && !relaxed && answers > 0) {
        return Verdict::Unknown;
    }
    let Some(end) = name_end(data, 12) else { return Verdict::Unknown };
    let is_class = |class: u16| matches!(class & 0x7fff, 1 | 3 | 4 | 254 | 255);
    if questions > 0 && !be16(data, end + 2).is_some_and(is_class) {
        return Verdict::Unknown;
    }
    Verdict::Is(Protocol::Dns, Some(if is_reply { Role::Server } else { Role::Client }))
}

/// Where the name at `at` ends; labels are at most 63 bytes long and a pointer ends a name.
fn name_end(data: &[u8], mut at: usize) -> Option<usize> {
    // A name is at most 255 bytes (RFC 1035 section 3.1), so at most 128 labels.
    for _ in 0..128 {
        match byte(data, at)? {
            0 => return Some(at + 1),
            length @ 1..=63 => at += 1 + usize::from(length),
            0xc0..=0xff => return Some(at + 2),
            _ => return None,
        }
    }
    None
}

/// DHCP (RFC 2131 section 2): operation, hardware type, and the magic cookie at 236.
pub(super) fn dhcp(data: &[u8], _: Ports) -> Verdict {
    if be32(data, 236) != Some(0x6382_5363) {
        return Verdict::Unknown;
    }
    match byte(data, 0) {
        Some(1) => Verdict::client(Protocol::Dhcp),
        Some(2) => Verdict::server(Protocol::Dhcp),
        _ => Verdict::Unknown,
    }
}

/// NTP (RFC 5905 section 7.3) by its size and version, confirmed by the port: the rest is numbers.
pub(super) fn ntp(data: &[u8], ports: Ports) -> Verdict {
    let Some(first) = byte(data, 0) else { return Verdict::Unknown };
    let (version, mode) = ((first >> 3) & 7, first & 7);
    if !ports.touch(123) || !(1..=4).contains(&version) {
        return Verdict::Unknown;
    }
    match mode {
        3 if data.len() >= 48 => Verdict::client(Protocol::Ntp),
        4 | 5 if data.len() >= 48 => Verdict::server(Protocol::Ntp),
        1 | 2 if data.len() >= 48 => Verdict::either(Protocol::Ntp),
        6 if data.len() >= 12 => {
            let is_reply = byte(data, 1).is_some_and(|b| b & 0x80 != 0);
            Verdict::Is(Protocol::Ntp, Some(if is_reply { Role::Server } else { Role::Client }))
        }
        7 if data.len() >= 8 => Verdict::Is(
            Protocol::Ntp,
            Some(if first & 0x80 != 0 { Role::Server } else { Role::Client }),
        ),
        _ => Verdict::Unknown,
    }
}

/// QUIC long header (RFC 9000 section 17.2): fixed bit, a known version, short connection ids.
pub(super) fn quic(data: &[u8], ports: Ports) -> Verdict {
    let Some(first) = byte(data, 0) else { return Verdict::Unknown };
    if first & 0x80 == 0 || data.len() < 20 {
        return Verdict::Unknown;
    }
    let known = match be32(data, 1) {
        // Version negotiation comes from a server.
        Some(0) => first & 0x40 != 0 && ports.sender == 443,
        Some(1 | 0x6b33_43cf) => first & 0x40 != 0,
        Some(version) => {
            (0xff00_0011..=0xff00_0022).contains(&version)
                || (0xface_b001..=0xface_b00f).contains(&version)
                || version.to_be_bytes().starts_with(b"Q0")
        }
        None => false,
    };
    let short_ids = byte(data, 5).is_some_and(|length| length <= 20);
    if !known || !short_ids {
        return Verdict::Unknown;
    }
    // A client pads its Initial to 1200 bytes, but so does a server: only the port tells.
    Verdict::Is(Protocol::Quic, ports.role_at(443))
}

/// STUN (RFC 8489 section 5): the magic cookie and an exact length.
pub(super) fn stun(data: &[u8], _: Ports) -> Verdict {
    let is_exact = be16(data, 2).is_some_and(|length| usize::from(length) + 20 == data.len());
    let Some(kind) = be16(data, 0) else { return Verdict::Unknown };
    if be32(data, 4) != Some(0x2112_a442) || !is_exact || kind & 0xc000 != 0 {
        return Verdict::Unknown;
    }
    let is_reply = kind & 0x0100 != 0;
    Verdict::Is(Protocol::Stun, Some(if is_reply { Role::Server } else { Role::Client }))
}

/// SNMP (RFC 3416, RFC 3412): SEQUENCE, version 0, 1 or 3, then a community or a SEQUENCE; version
/// 1 and 2 name the operation behind the community.
pub(super) fn snmp(data: &[u8], ports: Ports) -> Verdict {
    let Some((0x30, start, length)) = ber(data) else { return Verdict::Unknown };
    if start + length != data.len() || data.get(start..start + 2) != Some(&[0x02, 0x01]) {
        return Verdict::Unknown;
    }
    let rest = data.get(start + 3..).unwrap_or_default();
    match (byte(data, start + 2), ber(rest)) {
        (Some(0 | 1), Some((0x04, at, length))) => match byte(rest, at + length) {
            Some(0xa0 | 0xa1 | 0xa3 | 0xa5 | 0xa6) => Verdict::client(Protocol::Snmp),
            Some(0xa2) => Verdict::server(Protocol::Snmp),
            // A trap is sent by the agent to the manager's port 162, unasked.
            Some(0xa4 | 0xa7 | 0xa8) => Verdict::either(Protocol::Snmp),
            _ => Verdict::Unknown,
        },
        (Some(3), Some((0x30, ..))) => Verdict::Is(Protocol::Snmp, ports.role_at(161)),
        _ => Verdict::Unknown,
    }
}

/// RADIUS (RFC 2865 section 3): a code, an exact length, and attributes that fill it.
pub(super) fn radius(data: &[u8], _: Ports) -> Verdict {
    let Some(length) = be16(data, 2).map(usize::from) else { return Verdict::Unknown };
    if length != data.len() || !(20..=4096).contains(&length) {
        return Verdict::Unknown;
    }
    let mut rest = data.get(20..).unwrap_or_default();
    while let Some(&size) = rest.get(1) {
        if size < 2 {
            return Verdict::Unknown;
        }
        let Some(next) = rest.get(usize::from(size)..) else { return Verdict::Unknown };
        rest = next;
    }
    if !rest.is_empty() {
        return Verdict::Unknown;
    }
    match byte(data, 0) {
        Some(1 | 4 | 12 | 40 | 43) => Verdict::client(Protocol::Radius),
        Some(2 | 3 | 5 | 11 | 41 | 42 | 44 | 45) => Verdict::server(Protocol::Radius),
        _ => Verdict::Unknown,
    }
}

/// ISAKMP (RFC 7296 section 3.1): version 1 or 2, a known exchange, an exact length.
pub(super) fn ike(data: &[u8], ports: Ports) -> Verdict {
    // Behind NAT the message follows four zero bytes (RFC 3948 section 2.2).
    let data = if ports.touch(4500) && be32(data, 0) == Some(0) {
        data.get(4..).unwrap_or_default()
    } else {
        data
    };
    let is_exact = be32(data, 24).is_some_and(|length| length as usize == data.len());
    let is_version = matches!(byte(data, 17), Some(0x10 | 0x20));
    let is_exchange = matches!(byte(data, 18), Some(1..=6 | 32..=37));
    if !is_exact || !is_version || !is_exchange {
        return Verdict::Unknown;
    }
    let opens = data.get(8..16) == Some(&[0; 8]);
    Verdict::Is(Protocol::Ike, opens.then_some(Role::Client))
}

/// TFTP (RFC 1350): a read or write request with a file name and a mode. Later blocks run between
/// other ports and say too little.
pub(super) fn tftp(data: &[u8], _: Ports) -> Verdict {
    if !matches!(be16(data, 0), Some(1 | 2)) {
        return Verdict::Unknown;
    }
    let mut words = data.get(2..).unwrap_or_default().split(|&b| b == 0);
    let name = words.next().unwrap_or_default();
    let mode = words.next().unwrap_or_default();
    let is_name = !name.is_empty() && name.iter().all(|b| (0x20..0x7f).contains(b));
    let is_mode =
        [&b"netascii"[..], b"octet", b"mail"].iter().any(|m| mode.eq_ignore_ascii_case(m));
    if is_name && is_mode { Verdict::client(Protocol::Tftp) } else { Verdict::Unknown }
}

/// Syslog (RFC 3164, RFC 5424): `<priority>` of at most 191, then text.
pub(super) fn syslog(data: &[u8], _: Ports) -> Verdict {
    if byte(data, 0) != Some(b'<') {
        return Verdict::Unknown;
    }
    let digits: Vec<u8> =
        data.iter().skip(1).take(4).copied().take_while(u8::is_ascii_digit).collect();
    let priority = digits.iter().fold(0u32, |sum, &b| sum * 10 + u32::from(b - b'0'));
    let closes = byte(data, 1 + digits.len()) == Some(b'>');
    if (1..=3).contains(&digits.len()) && priority <= 191 && closes && data.len() > 8 {
        return Verdict::client(Protocol::Syslog);
    }
    Verdict::Unknown
}

/// NetBIOS datagrams (RFC 1002 section 4.4): a message type, and names encoded in capital letters.
pub(super) fn netbios_datagram(data: &[u8], ports: Ports) -> Verdict {
    let is_type = matches!(byte(data, 0), Some(0x10..=0x16));
    if ports.touch(138) && is_type && byte(data, 14) == Some(0x20) {
        return Verdict::either(Protocol::NetbiosDgm);
    }
    Verdict::Unknown
}

/// ONC RPC (RFC 5531 section 9): calls name the program; replies only repeat a number.
pub(super) fn rpc(data: &[u8], _: Ports) -> Verdict {
    if be32(data, 4) != Some(0) || be32(data, 8) != Some(2) {
        return Verdict::Unknown;
    }
    match be32(data, 12) {
        Some(100_000) => Verdict::client(Protocol::Portmapper),
        Some(100_003) => Verdict::client(Protocol::Nfs),
        Some(100_005) => Verdict::client(Protocol::Mount),
        _ => Verdict::Unknown,
    }
}

/// ONC RPC over a stream: the record mark with the last-fragment bit comes first.
pub(super) fn rpc_over_stream(data: &[u8], ports: Ports) -> Verdict {
    if byte(data, 0) != Some(0x80) {
        return Verdict::Unknown;
    }
    data.get(4..).map_or(Verdict::Unknown, |message| rpc(message, ports))
}

/// BitTorrent's distributed hash table (BEP 5): a bencoded dictionary with its one-letter keys.
pub(super) fn bittorrent(data: &[u8], _: Ports) -> Verdict {
    let is_query = data.starts_with(b"d1:ad2:id20:") || data.starts_with(b"d1:rd2:id20:");
    let is_error = data.starts_with(b"d1:eli") && contains(data, b"1:y1:e");
    if is_query || is_error { Verdict::either(Protocol::Bittorrent) } else { Verdict::Unknown }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::recognise_datagram;

    const PORTS: Ports = Ports { sender: 40_000, receiver: 40_001 };

    fn query(flags: u16) -> Vec<u8> {
        let mut data = vec![0x12, 0x34];
        data.extend(flags.to_be_bytes());
        data.extend([0, 1, 0, 0, 0, 0, 0, 0]);
        data.extend(b"\x07example\x03org\x00\x00\x01\x00\x01");
        data
    }

    #[test]
    fn tells_a_query_from_its_answer_on_any_port() {
        let asked = recognise_datagram(&query(0x0100), PORTS);
        let answered = recognise_datagram(&query(0x8180), PORTS);

        assert_eq!(asked, Verdict::client(Protocol::Dns));
        assert_eq!(answered, Verdict::server(Protocol::Dns));
    }

    #[test]
    fn tells_dns_over_tcp_by_its_exact_length() {
        let message = query(0x0100);
        let mut framed = (message.len() as u16).to_be_bytes().to_vec();
        framed.extend(message);

        assert_eq!(dns_over_stream(&framed, PORTS), Verdict::client(Protocol::Dns));
        framed.push(0);
        assert_eq!(dns_over_stream(&framed, PORTS), Verdict::Unknown);
    }

    #[test]
    fn tells_management_protocols() {
        let snmp_get = b"\x30\x13\x02\x01\x01\x04\x06public\xa0\x06\x02\x01\x01\x02\x01\x00";
        let mut radius_request = vec![1, 9, 0, 26];
        radius_request.resize(20, 0);
        radius_request.extend(b"\x01\x06user");
        let mut ntp_request = vec![0x23];
        ntp_request.resize(48, 0);

        let ntp_ports = Ports { sender: 40_000, receiver: 123 };
        assert_eq!(recognise_datagram(snmp_get, PORTS), Verdict::client(Protocol::Snmp));
        assert_eq!(recognise_datagram(&radius_request, PORTS), Verdict::client(Protocol::Radius));
        assert_eq!(recognise_datagram(&ntp_request, ntp_ports), Verdict::client(Protocol::Ntp));
        assert_eq!(
            recognise_datagram(b"<34>Oct 11 host su", PORTS),
            Verdict::client(Protocol::Syslog)
        );
        assert_eq!(
            recognise_datagram(b"\0\x01boot.img\0octet\0", PORTS),
            Verdict::client(Protocol::Tftp)
        );
    }
}

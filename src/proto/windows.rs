//! What Windows networks speak: SMB, DCE/RPC, Kerberos, LDAP, RDP.

use super::bytes::{be16, be32, ber, byte, contains, le16, le32};
use super::{Ports, Protocol, Role, Verdict};

/// SMB over NetBIOS session framing ([MS-SMB2] 2.1): a 4-byte length, then 0xFF, 0xFE or 0xFD and
/// `SMB`. The reply bit in its header says who sent it, in any message of the connection.
pub(super) fn smb(data: &[u8], _: Ports) -> Verdict {
    match byte(data, 0) {
        Some(0x00) => smb_message(data),
        // NetBIOS session request and positive response (RFC 1002 section 4.3); SMB follows.
        Some(0x81) if be16(data, 2) == Some(68) => match data.get(72..) {
            Some(rest) if !rest.is_empty() => smb_message(rest),
            _ => Verdict::client(Protocol::Smb),
        },
        Some(0x82) if data == [0x82, 0, 0, 0] => Verdict::server(Protocol::Smb),
        _ => Verdict::Unknown,
    }
}

fn smb_message(data: &[u8]) -> Verdict {
    let magic = data.get(4..8);
    let role = match magic {
        Some(b"\xffSMB") => byte(data, 13).map(|flags| flags & 0x80 != 0),
        Some(b"\xfeSMB") => le32(data, 20).map(|flags| flags & 1 != 0),
        Some(b"\xfdSMB" | b"\xfcSMB") => return Verdict::either(Protocol::Smb),
        None if data.len() < 8 && data.first() == Some(&0) => return Verdict::NeedMore,
        _ => return Verdict::Unknown,
    };
    Verdict::Is(Protocol::Smb, role.map(|reply| if reply { Role::Server } else { Role::Client }))
}

/// DCE/RPC connection-oriented header (C706 chapter 12.6.3.1): version 5.0 or 5.1, a packet type,
/// a data representation, a plausible fragment length.
pub(super) fn dce_rpc(data: &[u8], _: Ports) -> Verdict {
    if byte(data, 0) != Some(5) || !matches!(byte(data, 1), Some(0 | 1)) {
        return Verdict::Unknown;
    }
    let (Some(kind), Some(representation)) = (byte(data, 2), byte(data, 4)) else {
        return Verdict::NeedMore;
    };
    let length = match representation {
        0x10 => le16(data, 8),
        0x00 => be16(data, 8),
        _ => return Verdict::Unknown,
    };
    let Some(length) = length else { return Verdict::NeedMore };
    if length < 16 || byte(data, 6) != Some(0) || byte(data, 7) != Some(0) {
        return Verdict::Unknown;
    }
    match kind {
        0 | 11 | 14 | 16 | 18 | 19 => Verdict::client(Protocol::DceRpc),
        2 | 3 | 12 | 13 | 15 => Verdict::server(Protocol::DceRpc),
        _ => Verdict::Unknown,
    }
}

/// DCE/RPC connectionless header (C706 chapter 12.5): version 4, type, representation.
pub(super) fn dce_rpc_datagram(data: &[u8], _: Ports) -> Verdict {
    let is_header = data.len() >= 80
        && byte(data, 0) == Some(4)
        && matches!(byte(data, 4), Some(0x00 | 0x10))
        && byte(data, 3).is_some_and(|flags2| flags2 & 0xfc == 0);
    match byte(data, 1) {
        Some(0) if is_header => Verdict::client(Protocol::DceRpc),
        Some(1..=10) if is_header => Verdict::server(Protocol::DceRpc),
        _ => Verdict::Unknown,
    }
}

/// Kerberos over TCP (RFC 4120 section 7.2.2): a 4-byte length before the message.
pub(super) fn kerberos(data: &[u8], _: Ports) -> Verdict {
    let Some(length) = be32(data, 0) else { return Verdict::Unknown };
    if !(16..0x10_0000).contains(&length) {
        return Verdict::Unknown;
    }
    data.get(4..)
        .map_or(Verdict::Unknown, |rest| kerberos_message(rest, length as usize, Protocol::KrbTcp))
}

/// Kerberos over UDP: the bare message.
pub(super) fn kerberos_datagram(data: &[u8], _: Ports) -> Verdict {
    kerberos_message(data, data.len(), Protocol::Krb)
}

/// An ASN.1 application tag 10 to 15 or 30 around a SEQUENCE (RFC 4120 section 5).
fn kerberos_message(data: &[u8], length: usize, protocol: Protocol) -> Verdict {
    let Some((tag, start, content)) = ber(data) else { return Verdict::Unknown };
    if start + content != length || byte(data, start) != Some(0x30) {
        return Verdict::Unknown;
    }
    match tag {
        0x6a | 0x6c | 0x6e => Verdict::client(protocol),
        0x6b | 0x6d | 0x6f | 0x7e => Verdict::server(protocol),
        _ => Verdict::Unknown,
    }
}

/// LDAP over TCP.
pub(super) fn ldap(data: &[u8], _: Ports) -> Verdict {
    ldap_message(data, Protocol::LdapTcp)
}

/// LDAP over UDP, as domain members use it to find a controller.
pub(super) fn ldap_datagram(data: &[u8], _: Ports) -> Verdict {
    ldap_message(data, Protocol::LdapUdp)
}

/// LDAPMessage (RFC 4511 section 4.1.1): SEQUENCE, INTEGER message id, then the operation's tag.
fn ldap_message(data: &[u8], protocol: Protocol) -> Verdict {
    let Some((0x30, start, length)) = ber(data) else { return Verdict::Unknown };
    let Some(inner) = data.get(start..) else { return Verdict::Unknown };
    let Some((0x02, id_start, id_length @ 1..=4)) = ber(inner) else { return Verdict::Unknown };
    if length < 5 {
        return Verdict::Unknown;
    }
    match byte(inner, id_start + id_length) {
        // bind, unbind, search, modify, add, delete, rename, compare, abandon, extended
        Some(0x60 | 0x42 | 0x63 | 0x66 | 0x68 | 0x4a | 0x6c | 0x6e | 0x50 | 0x77) => {
            Verdict::client(protocol)
        }
        Some(0x61 | 0x64 | 0x65 | 0x73 | 0x67 | 0x69 | 0x6b | 0x6d | 0x6f | 0x78 | 0x79) => {
            Verdict::server(protocol)
        }
        _ => Verdict::Unknown,
    }
}

/// TPKT (RFC 1006) with an X.224 connection request or confirm. Remote Desktop asks with a cookie
/// or a negotiation structure ([MS-RDPBCGR] 2.2.1.1); industrial peers name their selectors.
pub(super) fn tpkt(data: &[u8], ports: Ports) -> Verdict {
    if byte(data, 0) != Some(3) || byte(data, 1) != Some(0) {
        return Verdict::Unknown;
    }
    let Some(length) = be16(data, 2) else { return Verdict::NeedMore };
    if !(7..4096).contains(&length) {
        return Verdict::Unknown;
    }
    let role = match byte(data, 5) {
        Some(0xe0) => Role::Client,
        Some(0xd0) => Role::Server,
        Some(_) if byte(data, 4) == Some(2) && byte(data, 5) == Some(0xf0) => {
            return if ports.touch(102) {
                Verdict::either(Protocol::S7comm)
            } else if ports.touch(3389) {
                Verdict::Is(Protocol::Rdp, ports.role_at(3389))
            } else {
                Verdict::Unknown
            };
        }
        None => return Verdict::NeedMore,
        _ => return Verdict::Unknown,
    };
    let options = data.get(11..).unwrap_or_default();
    let names_selectors = matches!(options.first(), Some(0xc0..=0xc2));
    if names_selectors {
        return Verdict::Is(Protocol::S7comm, Some(role));
    }
    let negotiates =
        options.first().is_some_and(|&kind| (1..=3).contains(&kind)) && le16(options, 2) == Some(8);
    // Old clients send an empty line for a cookie.
    let is_plain = options.is_empty() || options == b"\r\n";
    if contains(options, b"Cookie: ") || negotiates || is_plain {
        return Verdict::Is(Protocol::Rdp, Some(role));
    }
    Verdict::Unknown
}

#[cfg(test)]
mod tests {
    use super::*;

    const PORTS: Ports = Ports { sender: 40_000, receiver: 40_001 };

    fn smb1(flags: u8) -> Vec<u8> {
        let mut data = vec![0, 0, 0, 47, 0xff, b'S', b'M', b'B', 0x72, 0, 0, 0, 0, flags];
        data.resize(51, 0);
        data
    }

    #[test]
    fn tells_smb_and_its_direction_in_any_message() {
        let mut smb2 = vec![0, 0, 0, 64, 0xfe, b'S', b'M', b'B', 64, 0];
        smb2.resize(68, 0);
        let mut reply2 = smb2.clone();
        reply2[20] = 1;

        assert_eq!(smb(&smb1(0x18), PORTS), Verdict::client(Protocol::Smb));
        assert_eq!(smb(&smb1(0x98), PORTS), Verdict::server(Protocol::Smb));
        assert_eq!(smb(&smb2, PORTS), Verdict::client(Protocol::Smb));
        assert_eq!(smb(&reply2, PORTS), Verdict::server(Protocol::Smb));
        assert_eq!(smb(&smb1(0)[..6], PORTS), Verdict::NeedMore);
    }

    #[test]
    fn tells_rpc_kerberos_ldap_and_rdp() {
        let bind = [5, 0, 11, 3, 0x10, 0, 0, 0, 72, 0, 0, 0, 1, 0, 0, 0];
        let as_req = [0, 0, 0, 20, 0x6a, 18, 0x30, 16, 0, 0];
        let ldap_bind = [0x30, 12, 2, 1, 1, 0x60, 7, 2, 1, 3, 4, 0, 0x80, 0];
        let rdp_request = [3, 0, 0, 19, 14, 0xe0, 0, 0, 0, 0, 0, 1, 0, 8, 0, 3, 0, 0, 0];

        assert_eq!(dce_rpc(&bind, PORTS), Verdict::client(Protocol::DceRpc));
        assert_eq!(kerberos(&as_req, PORTS), Verdict::client(Protocol::KrbTcp));
        assert_eq!(ldap(&ldap_bind, PORTS), Verdict::client(Protocol::LdapTcp));
        assert_eq!(tpkt(&rdp_request, PORTS), Verdict::client(Protocol::Rdp));
    }

    #[test]
    fn tells_industrial_sessions_from_remote_desktops() {
        let cotp =
            [3, 0, 0, 22, 17, 0xe0, 0, 0, 0, 1, 0, 0xc0, 1, 10, 0xc1, 2, 1, 0, 0xc2, 2, 1, 2];

        assert_eq!(tpkt(&cotp, PORTS), Verdict::client(Protocol::S7comm));
    }
}

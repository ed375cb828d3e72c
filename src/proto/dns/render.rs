//! Resource records, types and codes in Zeek's words.

use std::borrow::Cow;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::super::bytes::{be16, byte, part, text};
use super::message::{Reader, Resource};
use super::netbios;

/// Bytes of a text record that are kept.
const MAX_TEXT: usize = 512;

/// Type of a record of NetBIOS names, and of a node's names (RFC 1002 section 4.2.1.3).
const NETBIOS: (u16, u16) = (32, 33);

/// What `resource` says; `None` where Zeek's log has nothing for its type either.
pub(super) fn answer(reader: Reader<'_>, resource: &Resource, is_netbios: bool) -> Option<String> {
    let data = reader.data(resource);
    let name = |skip| reader.name_in(resource, skip).map(|(name, _)| name);
    match resource.kind {
        kind if is_netbios && kind == NETBIOS.0 => netbios::address(data),
        kind if is_netbios && kind == NETBIOS.1 => netbios::names(data),
        1 => data.first_chunk::<4>().map(|&octets| Ipv4Addr::from(octets).to_string()),
        28 | 38 => data.first_chunk::<16>().map(|&octets| Ipv6Addr::from(octets).to_string()),
        2 | 5 | 6 | 12 => name(0),
        15 => name(2),
        33 => name(6),
        16 => Some(strings("TXT", data)),
        99 => Some(strings("SPF", data)),
        29 => Some(format!("LOC:  {} {} {}", byte(data, 1)?, byte(data, 2)?, byte(data, 3)?)),
        43 => Some(format!("DS {} {}", byte(data, 2)?, byte(data, 3)?)),
        44 => {
            let print = part(data, 2, MAX_TEXT / 2).iter();
            Some(print.fold("SSHFP: ".to_owned(), |text, byte| format!("{text}{byte:02x}")))
        }
        46 => {
            let signer = name(18).filter(|name| !name.is_empty());
            Some(format!("RRSIG {} {}", be16(data, 0)?, signer.as_deref().unwrap_or("<Root>")))
        }
        47 => name(0).map(|next| format!("NSEC {} {next}", reader.name_of(resource))),
        48 => Some(format!("DNSKEY {}", byte(data, 3)?)),
        50 => Some("NSEC3".to_owned()),
        51 => Some("NSEC3PARAM".to_owned()),
        // What Zeek reads and does not log: well-known services, hardware, NetBIOS, options.
        11 | 13 | 32 | 41 | 250 => None,
        kind => Some(format!("<unknown type={kind}>")),
    }
}

/// The strings of a record, each with its length.
fn strings(kind: &str, mut data: &[u8]) -> String {
    let mut out = String::new();
    while let Some((&length, rest)) = data.split_first() {
        if out.len() > MAX_TEXT {
            break;
        }
        let string = part(rest, 0, usize::from(length));
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(&format!("{kind} {length} {}", text(string, MAX_TEXT)));
        data = rest.get(usize::from(length)..).unwrap_or_default();
    }
    out
}

/// The name of a type.
pub(super) fn kind(kind: u16, is_netbios: bool) -> Cow<'static, str> {
    const NAMES: [&str; 66] = [
        "",
        "A",
        "NS",
        "MD",
        "MF",
        "CNAME",
        "SOA",
        "MB",
        "MG",
        "MR",
        "NULL",
        "WKS",
        "PTR",
        "HINFO",
        "MINFO",
        "MX",
        "TXT",
        "RP",
        "AFSDB",
        "X25",
        "ISDN",
        "RT",
        "NSAP",
        "NSAP-PTR",
        "SIG",
        "KEY",
        "PX",
        "GPOS",
        "AAAA",
        "LOC",
        "NXT",
        "EID",
        "NIMLOC",
        "SRV",
        "ATMA",
        "NAPTR",
        "KX",
        "CERT",
        "A6",
        "DNAME",
        "SINK",
        "OPT",
        "APL",
        "DS",
        "SSHFP",
        "IPSECKEY",
        "RRSIG",
        "NSEC",
        "DNSKEY",
        "DHCID",
        "NSEC3",
        "NSEC3PARAM",
        "TLSA",
        "SMIMEA",
        "",
        "HIP",
        "NINFO",
        "RKEY",
        "TALINK",
        "CDS",
        "CDNSKEY",
        "OPENPGPKEY",
        "CSYNC",
        "ZONEMD",
        "SVCB",
        "HTTPS",
    ];
    let named = match kind {
        33 if is_netbios => "NBSTAT",
        99 => "SPF",
        249 => "TKEY",
        250 => "TSIG",
        251 => "IXFR",
        252 => "AXFR",
        253 => "MAILB",
        254 => "MAILA",
        255 => "*",
        256 => "URI",
        257 => "CAA",
        32_768 => "TA",
        32_769 => "DLV",
        65_281 => "WINS",
        65_282 => "WINS-R",
        _ => NAMES.get(usize::from(kind)).copied().unwrap_or_default(),
    };
    if named.is_empty() { format!("query-{kind}").into() } else { named.into() }
}

/// The name of a class.
pub(super) fn class(class: u16) -> Cow<'static, str> {
    let named = match class {
        1 => "C_INTERNET",
        2 => "C_CSNET",
        3 => "C_CHAOS",
        4 => "C_HESIOD",
        254 => "C_NONE",
        255 => "C_ANY",
        _ => return format!("qclass-{class}").into(),
    };
    named.into()
}

/// The name of a result.
pub(super) fn rcode(rcode: u8) -> &'static str {
    const NAMES: [&str; 11] = [
        "NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED", "YXDOMAIN", "YXRRSET",
        "NXRRSet", "NOTAUTH", "NOTZONE",
    ];
    NAMES.get(usize::from(rcode)).copied().unwrap_or("unassigned")
}

/// The name of an operation.
pub(super) const fn opcode(opcode: u8, is_netbios: bool) -> &'static str {
    match (opcode, is_netbios) {
        (0, false) => "query",
        (1, false) => "iquery",
        (2, false) => "server-status",
        (4, false) => "notify",
        (5, false) => "dynamic-update",
        (6, false) => "dso",
        (0, true) => "netbios-query",
        (5, true) => "netbios-registration",
        (6, true) => "netbios-release",
        (7, true) => "netbios-wack",
        (8, true) => "netbios-refresh",
        _ => "unassigned",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_types_as_zeek_does() {
        assert_eq!(kind(1, false), "A");
        assert_eq!(kind(28, false), "AAAA");
        assert_eq!(kind(33, false), "SRV");
        assert_eq!(kind(33, true), "NBSTAT");
        assert_eq!(kind(65, false), "HTTPS");
        assert_eq!(kind(54, false), "query-54");
        assert_eq!(kind(9999, false), "query-9999");
        assert_eq!(class(32_769), "qclass-32769");
        assert_eq!((rcode(3), rcode(15)), ("NXDOMAIN", "unassigned"));
    }

    #[test]
    fn texts_have_their_lengths() {
        assert_eq!(strings("TXT", b"\x02ab\x03cde"), "TXT 2 ab TXT 3 cde");
        assert_eq!(strings("TXT", b"\x09ab"), "TXT 9 ab");
        assert!(strings("TXT", &[1; 60_000]).len() < 2 * MAX_TEXT);
    }
}

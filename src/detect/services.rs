//! What a port is worth to a worm and to everybody else; one list for all detectors.

use std::net::IpAddr;

use crate::inventory::Inventory;
use crate::net::{Service, Transport};

/// How a service is usually called, which decides what a failure to reach it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Ways in: remote administration, file sharing, databases, device management, and ports
    /// that known worms attack. Called on few hosts, which one knows to be there.
    Admin,
    /// The web: called on dozens of hosts a page, some of which are always dead.
    Web,
    /// Other services with a well-known port (below 1024), name resolution and time among them.
    Common,
    /// Everything else: P2P, games, calls, RPC, passive FTP. Ports chosen at random, peers that
    /// come and go; a failure says nothing about who failed.
    Dynamic,
}

/// Ways in over TCP. Sources: IANA for the names; Antonakakis et al. 2017 (Mirai) and the ports of
/// its descendants for device management; CISA KEV and worm history for the rest.
const ADMIN_TCP: [u16; 45] = [
    21, 22, 23, 81, 102, 111, 135, 139, 389, 445, 502, 512, 513, 514, 623, 873, 1433, 1521, 2222,
    2323, 2375, 2376, 3306, 3389, 4786, 4899, 5432, 5555, 5800, 5900, 5901, 5985, 5986, 6379, 7547,
    8291, 8728, 9200, 9527, 11211, 26257, 27017, 37215, 52869, 60001,
];

/// Ways in over UDP: RPC, SNMP, IPMI, SQL Server's resolver (Slammer, Moore et al. 2003).
const ADMIN_UDP: [u16; 4] = [111, 161, 623, 1434];

/// Where web servers and their proxies listen.
const WEB: [u16; 8] = [80, 443, 3128, 8000, 8008, 8080, 8443, 8888];

/// The class of a service.
pub fn class(service: Service) -> Class {
    let port = service.port;
    match service.transport {
        Transport::Tcp if ADMIN_TCP.binary_search(&port).is_ok() => Class::Admin,
        Transport::Udp if ADMIN_UDP.binary_search(&port).is_ok() => Class::Admin,
        Transport::Tcp | Transport::Udp if WEB.binary_search(&port).is_ok() => Class::Web,
        Transport::Udp if matches!(port, 1900 | 3478 | 3702 | 5351 | 5353 | 5355) => Class::Common,
        _ if port < 1024 => Class::Common,
        _ => Class::Dynamic,
    }
}

/// What kind of business a port is for, as a number below 32: all of mail is one, all of the web,
/// all that a Windows client calls its server on. A client has business of one or two kinds with a
/// host; who goes through them all is looking for something.
pub(super) fn kind(service: Service) -> u8 {
    match service.port {
        25 | 110 | 143 | 465 | 587 | 993 | 995 | 2525 => 0,
        _ if WEB.binary_search(&service.port).is_ok() => 1,
        88 | 135 | 137..=139 | 389 | 445 | 464 | 593 | 636 | 3268 | 3269 => 2,
        20 | 21 | 989 | 990 => 3,
        22 | 2222 => 4,
        23 | 992 | 2323 => 5,
        512..=514 => 6,
        515 | 631 | 9100 => 7,
        1433 | 1521 | 3306 | 5432 | 6379 | 9200 | 11211 | 26257 | 27017 => 8,
        3389 => 9,
        5800 | 5900 | 5901 => 10,
        5985 | 5986 => 11,
        111 | 2049 => 12,
        161 | 162 => 13,
        53 | 853 => 14,
        _ if class(service) == Class::Dynamic => 15,
        port => 16 + (port % 16) as u8,
    }
}

/// Whether a packet from `from` to `to` is rather an answer whose question was not captured: it
/// comes from a port where servers sit and goes to one where clients do.
///
/// So are DHCP's (RFC 2131: 67 to 68; RFC 8415: 547 to 546), whose questions are broadcast, and UDP
/// between equal ports (NetBIOS names, NTP, IKE), where either side may have begun. A scanner can
/// choose such a source port (53 is a classic); it is then missed on high ports.
pub(super) fn looks_like_reply(transport: Transport, from: u16, to: u16) -> bool {
    if transport == Transport::Udp && (from == to || matches!((from, to), (67, 68) | (547, 546))) {
        return true;
    }
    to >= 1024
        && class(Service { transport, port: to }) == Class::Dynamic
        && class(Service { transport, port: from }) != Class::Dynamic
}

/// Which way an attempt went, seen from the own network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// From inside to inside.
    Internal,
    /// From inside to outside.
    Outbound,
    /// From outside to inside.
    Inbound,
    /// From outside to outside: a transit tap, or `home_nets` is not set.
    Transit,
}

impl Direction {
    /// The direction from `src` to `dst`.
    pub fn of(src: IpAddr, dst: IpAddr, inventory: &Inventory) -> Self {
        match (inventory.is_internal(src), inventory.is_internal(dst)) {
            (true, true) => Self::Internal,
            (true, false) => Self::Outbound,
            (false, true) => Self::Inbound,
            (false, false) => Self::Transit,
        }
    }

    /// The hosts it goes to, for a sentence.
    pub const fn targets(self) -> &'static str {
        match self {
            Self::Internal | Self::Inbound => "internal",
            Self::Outbound | Self::Transit => "external",
        }
    }

    /// A word for a subject.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Internal => "internal",
            Self::Outbound => "outbound",
            Self::Inbound => "inbound",
            Self::Transit => "transit",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_sorted_so_that_they_can_be_searched() {
        assert!(ADMIN_TCP.is_sorted() && ADMIN_UDP.is_sorted() && WEB.is_sorted());
    }

    #[test]
    fn sorts_ports_into_what_they_are_for() {
        assert_eq!(class(Service::tcp(445)), Class::Admin);
        assert_eq!(class(Service::udp(443)), Class::Web);
        assert_eq!(class(Service::udp(5353)), Class::Common);
        assert_eq!(class(Service::tcp(25)), Class::Common);
        assert_eq!(class(Service::tcp(6346)), Class::Dynamic);
    }

    #[test]
    fn knows_kinds_of_business() {
        assert_eq!(kind(Service::tcp(25)), kind(Service::tcp(993)));
        assert_ne!(kind(Service::tcp(22)), kind(Service::tcp(23)));
        assert!((0..=u16::MAX).all(|port| kind(Service::tcp(port)) < 32));
    }

    #[test]
    fn takes_a_lone_dns_answer_for_an_answer_and_a_query_for_a_query() {
        assert!(looks_like_reply(Transport::Udp, 53, 40_000));
        assert!(looks_like_reply(Transport::Tcp, 443, 51_000));
        assert!(looks_like_reply(Transport::Udp, 67, 68));
        assert!(looks_like_reply(Transport::Udp, 137, 137));
        assert!(!looks_like_reply(Transport::Tcp, 53, 53));
        assert!(!looks_like_reply(Transport::Udp, 40_000, 53));
        assert!(!looks_like_reply(Transport::Tcp, 53, 445));
        assert!(!looks_like_reply(Transport::Udp, 51_413, 6881));
    }
}

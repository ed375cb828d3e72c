//! Who opened a connection whose opening was not seen: asked of the first message, then of what is
//! known to serve, then of the ports.

use crate::decode::{TcpFlags, TcpSegment};
use crate::event::Opening;
use crate::net::{Endpoint, Service, Transport};
use crate::proto::{Ports, Role, Verdict, recognise_datagram, recognise_stream};

use super::table::KnownServices;

/// Ports from here on are handed out to clients (the IANA dynamic range starts at 49152, but Linux
/// starts at 32768).
const FIRST_EPHEMERAL: u16 = 32_768;

/// Ports above 1023 at which something is commonly served, in order.
const COMMON_SERVER_PORTS: &[u16] = &[
    1080, 1194, 1433, 1434, 1521, 1723, 1812, 1813, 1883, 1900, 2049, 2181, 2222, 2323, 2375, 2376,
    2404, 3000, 3128, 3268, 3269, 3306, 3389, 3478, 4369, 4444, 4500, 4786, 4840, 5000, 5060, 5061,
    5222, 5269, 5353, 5355, 5432, 5555, 5601, 5671, 5672, 5683, 5900, 5901, 5984, 5985, 5986, 6379,
    6443, 6667, 7001, 7547, 8000, 8008, 8080, 8081, 8086, 8088, 8443, 8883, 8888, 9000, 9042, 9090,
    9092, 9100, 9200, 9300, 9418, 10250, 11211, 11434, 15672, 20000, 25565, 27017, 27018, 37215,
    44818, 47808, 50070, 52869, 61616,
];

/// A direction, and what it rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Direction {
    /// Which role the sender of the first packet has.
    pub(super) sender: Role,
    /// Whether the opening was not seen.
    pub(super) inferred: bool,
    /// Whether only ports spoke for it, so that a later message may correct it.
    pub(super) weak: bool,
}

impl Direction {
    const fn seen(sender: Role) -> Self {
        Self { sender, inferred: false, weak: false }
    }

    const fn inferred(sender: Role) -> Self {
        Self { sender, inferred: true, weak: false }
    }

    const fn guessed(sender: Role) -> Self {
        Self { sender, inferred: true, weak: true }
    }
}

/// What kind of opening a TCP segment is, if it is the first of its connection.
pub(super) fn tcp_opening(segment: &TcpSegment<'_>) -> Opening {
    let flags = segment.flags;
    let ack = flags.has(TcpFlags::ACK);
    if flags.has(TcpFlags::SYN) {
        if ack { Opening::SynAck } else { Opening::Syn }
    } else if flags.has(TcpFlags::RST) {
        Opening::Rst
    } else if ack && segment.payload_len > 0 {
        Opening::Midstream
    } else if flags.has(TcpFlags::FIN | TcpFlags::PSH | TcpFlags::URG) && !ack {
        Opening::Xmas
    } else if flags.has(TcpFlags::FIN) {
        Opening::Fin
    } else if ack {
        Opening::Ack
    } else {
        Opening::Null
    }
}

/// The direction of a TCP connection that begins with `segment`.
pub(super) fn tcp_direction(
    opening: Opening,
    segment: &TcpSegment<'_>,
    src: Endpoint,
    dst: Endpoint,
    known: Option<&KnownServices>,
) -> Direction {
    match opening {
        // A probe that no stack sends in the middle of a connection: its sender began it.
        Opening::Syn | Opening::Null | Opening::Xmas | Opening::Datagram => {
            return Direction::seen(Role::Client);
        }
        Opening::Fin if !segment.flags.has(TcpFlags::ACK) => return Direction::seen(Role::Client),
        Opening::SynAck => return Direction::inferred(Role::Server),
        _ => {}
    }
    let ports = Ports { sender: src.port, receiver: dst.port };
    if opening == Opening::Midstream
        && let Verdict::Is(_, Some(role)) = recognise_stream(segment.payload, ports)
    {
        return Direction::inferred(role);
    }
    if let Some(role) = by_known_service(Transport::Tcp, src, dst, known) {
        return Direction::inferred(role);
    }
    let tie = match opening {
        // Refusals are sent by servers.
        Opening::Rst => Role::Server,
        // A lone acknowledgement between two high ports is a probe sooner than an answer.
        Opening::Ack => Role::Client,
        _ => lower_port(src.port, dst.port),
    };
    Direction::guessed(by_ports(src.port, dst.port).unwrap_or(tie))
}

/// The direction of an exchange that begins with a datagram.
pub(super) fn datagram_direction(
    transport: Transport,
    payload: &[u8],
    src: Endpoint,
    dst: Endpoint,
    known: Option<&KnownServices>,
) -> Direction {
    let ports = Ports { sender: src.port, receiver: dst.port };
    let said = match transport {
        Transport::Udp => recognise_datagram(payload, ports),
        _ => Verdict::Unknown,
    };
    match said {
        Verdict::Is(_, Some(Role::Server)) => return Direction::inferred(Role::Server),
        Verdict::Is(_, Some(Role::Client)) => return Direction::seen(Role::Client),
        _ => {}
    }
    if by_known_service(transport, src, dst, known) == Some(Role::Server) {
        return Direction::inferred(Role::Server);
    }
    // The sender of the first datagram is the client, unless it speaks from where something is
    // served to where nothing is.
    let answers = is_server_port(src.port) && !is_server_port(dst.port);
    if answers { Direction::inferred(Role::Server) } else { Direction::seen(Role::Client) }
}

fn by_known_service(
    transport: Transport,
    src: Endpoint,
    dst: Endpoint,
    known: Option<&KnownServices>,
) -> Option<Role> {
    let known = known?;
    let serves = |end: Endpoint| known(end.addr, Service { transport, port: end.port });
    match (serves(src), serves(dst)) {
        (true, false) => Some(Role::Server),
        (false, true) => Some(Role::Client),
        _ => None,
    }
}

/// The sender's role, if one port is more of a server's than the other.
fn by_ports(sender: u16, receiver: u16) -> Option<Role> {
    match rank(sender).cmp(&rank(receiver)) {
        std::cmp::Ordering::Less => Some(Role::Server),
        std::cmp::Ordering::Greater => Some(Role::Client),
        std::cmp::Ordering::Equal => None,
    }
}

fn lower_port(sender: u16, receiver: u16) -> Role {
    if sender < receiver { Role::Server } else { Role::Client }
}

/// 0 for well-known ports (RFC 6335 section 6), then ports of common services, then the rest.
fn rank(port: u16) -> u8 {
    match port {
        0 => 3,
        1..1024 => 0,
        _ if COMMON_SERVER_PORTS.binary_search(&port).is_ok() => 1,
        _ if port < FIRST_EPHEMERAL => 2,
        _ => 3,
    }
}

fn is_server_port(port: u16) -> bool {
    rank(port) <= 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(addr: &str, port: u16) -> Endpoint {
        Endpoint::new(addr.parse().unwrap(), port)
    }

    fn segment(flags: u8, payload: &[u8]) -> TcpSegment<'_> {
        TcpSegment {
            src_port: 0,
            dst_port: 0,
            seq: 1,
            ack: 1,
            flags: TcpFlags(flags),
            window: 1,
            payload_len: payload.len() as u32,
            payload,
        }
    }

    fn role(flags: u8, payload: &[u8], src_port: u16, dst_port: u16) -> Direction {
        let segment = segment(flags, payload);
        let (src, dst) = (end("192.0.2.1", src_port), end("192.0.2.2", dst_port));
        tcp_direction(tcp_opening(&segment), &segment, src, dst, None)
    }

    const ACK: u8 = TcpFlags::ACK;

    #[test]
    fn common_ports_are_in_order() {
        assert!(COMMON_SERVER_PORTS.is_sorted());
    }

    #[test]
    fn the_first_message_outweighs_the_ports() {
        let reply = b"HTTP/1.1 200 OK\r\n\r\n";

        assert_eq!(role(ACK, reply, 50_000, 80), Direction::inferred(Role::Server));
        assert_eq!(role(ACK, b"??", 50_000, 80), Direction::guessed(Role::Client));
    }

    #[test]
    fn what_is_known_to_serve_outweighs_the_ports() {
        let server = end("192.0.2.1", 50_000);
        let known = move |addr, service: Service| addr == server.addr && service.port == 50_000;
        let known: KnownServices = std::sync::Arc::new(known);
        let segment = segment(ACK, b"??");

        let direction =
            tcp_direction(Opening::Midstream, &segment, server, end("192.0.2.2", 80), Some(&known));

        assert_eq!(direction, Direction::inferred(Role::Server));
    }

    #[test]
    fn ports_decide_last() {
        assert_eq!(role(ACK, b"??", 445, 50_000).sender, Role::Server);
        assert_eq!(role(ACK, b"??", 50_000, 8080).sender, Role::Client);
        assert_eq!(role(ACK, b"??", 40_000, 50_000).sender, Role::Server);
        assert_eq!(role(TcpFlags::RST | ACK, b"", 40_000, 50_000).sender, Role::Server);
    }

    #[test]
    fn a_probe_is_its_senders() {
        for flags in [0, TcpFlags::FIN, TcpFlags::FIN | TcpFlags::PSH | TcpFlags::URG] {
            assert_eq!(role(flags, b"", 80, 50_000), Direction::seen(Role::Client));
        }
        assert_eq!(role(ACK, b"", 40_000, 50_000).sender, Role::Client);
    }

    #[test]
    fn an_answer_to_an_unseen_question_is_the_servers() {
        let direction = |payload: &[u8], src, dst| {
            let (src, dst) = (end("192.0.2.1", src), end("192.0.2.2", dst));
            datagram_direction(Transport::Udp, payload, src, dst, None)
        };

        assert_eq!(direction(b"??", 53, 50_000), Direction::inferred(Role::Server));
        assert_eq!(direction(b"??", 53, 161), Direction::seen(Role::Client));
        assert_eq!(direction(b"??", 50_000, 53), Direction::seen(Role::Client));
    }
}

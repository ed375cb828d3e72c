//! ICMP and ICMPv6 as exchanges: which message answers which, and what an error says of the
//! connection that it quotes.

use std::net::IpAddr;

use crate::decode::{IcmpMessage, Quoted};
use crate::event::{self, Outcome};
use crate::net::{Endpoint, Transport};

/// What an ICMP message is to a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Asks; the answer has this type.
    Query(u8),
    /// Answers; the question has this type.
    Reply(u8),
    /// An announcement that has the form of an answer, and is seldom one.
    Announcement(u8),
    /// Reports that another packet failed.
    Error,
    /// Nobody answers it.
    OneWay,
}

/// What `message` is (RFC 792, RFC 950, RFC 1256, RFC 4443, RFC 4861, RFC 4620).
pub(super) fn kind(message: &IcmpMessage<'_>) -> Kind {
    match (message.v6, message.kind) {
        (false, 8) => Kind::Query(0),
        (false, 0) => Kind::Reply(8),
        (false, 13) => Kind::Query(14),
        (false, 14) => Kind::Reply(13),
        (false, 15) => Kind::Query(16),
        (false, 16) => Kind::Reply(15),
        (false, 17) => Kind::Query(18),
        (false, 18) => Kind::Reply(17),
        (false, 10) => Kind::Query(9),
        (false, 9) => Kind::Announcement(10),
        (false, 3 | 4 | 11 | 12) => Kind::Error,
        (true, 128) => Kind::Query(129),
        (true, 129) => Kind::Reply(128),
        (true, 133) => Kind::Query(134),
        (true, 134) => Kind::Announcement(133),
        (true, 135) => Kind::Query(136),
        (true, 136) => Kind::Announcement(135),
        (true, 139) => Kind::Query(140),
        (true, 140) => Kind::Reply(139),
        (true, 1..=4) => Kind::Error,
        _ => Kind::OneWay,
    }
}

/// The endpoints of `message`, as Zeek numbers them: the sender's port is the type, the receiver's
/// the type of the counterpart or, where there is none, the code.
pub(super) fn endpoints(
    message: &IcmpMessage<'_>,
    src: IpAddr,
    dst: IpAddr,
) -> (Endpoint, Endpoint) {
    let counterpart = match kind(message) {
        Kind::Query(other) | Kind::Reply(other) | Kind::Announcement(other) => other,
        Kind::Error | Kind::OneWay => message.code,
    };
    (Endpoint::new(src, u16::from(message.kind)), Endpoint::new(dst, u16::from(counterpart)))
}

/// What an error tells of the attempt that it quotes.
pub(super) fn outcome(message: &IcmpMessage<'_>) -> Option<Outcome> {
    match (message.v6, message.kind, message.code) {
        // Fragmentation needed is advice, not a failure (RFC 1191).
        (false, 3, 4) => None,
        (false, 3, 3) | (true, 1, 4) => Some(Outcome::Refused),
        (false, 3, _) | (true, 1, _) => Some(Outcome::Unreachable),
        _ => None,
    }
}

/// The conversation that a quoted packet belongs to: its sender, its receiver.
pub(super) fn quoted_endpoints(quoted: Quoted) -> Option<(Transport, Endpoint, Endpoint)> {
    let transport = match quoted.protocol {
        1 | 58 => Transport::Icmp,
        6 => Transport::Tcp,
        17 => Transport::Udp,
        132 => Transport::Sctp,
        _ => return None,
    };
    // The quote has an ICMP query's identifier and not its type; a query that errors come back for
    // is an echo request.
    let (src_port, dst_port) = match (transport, quoted.protocol) {
        (Transport::Icmp, 58) => (128, 129),
        (Transport::Icmp, _) => (8, 0),
        _ => (quoted.src_port, quoted.dst_port),
    };
    Some((transport, Endpoint::new(quoted.src, src_port), Endpoint::new(quoted.dst, dst_port)))
}

/// The event that `message` makes.
pub(super) fn event(message: &IcmpMessage<'_>, src: IpAddr, dst: IpAddr) -> event::Icmp {
    let about = message.quoted.map(|quoted| {
        (
            Endpoint::new(quoted.src, quoted.src_port),
            Endpoint::new(quoted.dst, quoted.dst_port),
            quoted.protocol,
        )
    });
    event::Icmp { v6: message.v6, src, dst, kind: message.kind, code: message.code, about }
}

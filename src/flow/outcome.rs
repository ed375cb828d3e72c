//! When the first outcome of an attempt is known, and what it is.

use super::connection::{Connection, Detail};
use super::endpoint::State;
use crate::decode::{TcpFlags, TcpSegment};
use crate::event::{Opening, Outcome};
use crate::proto::Role;
use std::time::Duration;

/// SYNs without any answer after which nobody will answer: the first and two retransmissions,
/// which RFC 6298 section 2.4 puts at least 1 s and 2 s apart.
const HOPELESS_SYNS: u64 = 3;

/// Time in which `HOPELESS_SYNS` are retransmissions; less is one packet seen by several taps.
/// No time at all is a capture whose timestamps ran back and were clamped.
const RETRANSMISSION_SPAN: Duration = Duration::from_secs(2);

/// What became of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Judgement {
    /// It ended like this.
    Known(Outcome),
    /// Nothing more will tell.
    Unknown,
}

impl Judgement {
    /// As events say it.
    pub(super) const fn outcome(self) -> Option<Outcome> {
        match self {
            Self::Known(outcome) => Some(outcome),
            Self::Unknown => None,
        }
    }
}

const ACCEPTED: Option<Judgement> = Some(Judgement::Known(Outcome::Accepted));
const REFUSED: Option<Judgement> = Some(Judgement::Known(Outcome::Refused));
const UNANSWERED: Judgement = Judgement::Known(Outcome::Unanswered);

/// Judges a TCP connection after `segment` from `sender`.
pub(super) fn after_segment(
    connection: &mut Connection,
    segment: &TcpSegment<'_>,
    sender: Role,
) -> Option<Judgement> {
    match connection.opening {
        Opening::Syn => after_syn(connection, segment, sender),
        Opening::SynAck => after_syn_ack(connection, segment, sender),
        Opening::Rst => None,
        _ => after_midstream(connection, segment, sender),
    }
}

/// Judges an attempt of which only SYNs were seen.
pub(super) fn after_repeated_syn(connection: &Connection) -> Option<Judgement> {
    let span = connection.duration();
    let is_hopeless = !connection.facts.to_group
        && connection.client.packets >= HOPELESS_SYNS
        && (span >= RETRANSMISSION_SPAN || span.is_zero());
    is_hopeless.then_some(UNANSWERED)
}

fn after_syn(connection: &Connection, segment: &TcpSegment<'_>, sender: Role) -> Option<Judgement> {
    let flags = segment.flags;
    let Detail::Tcp(tcp) = &connection.detail else { return None };
    if flags.has(TcpFlags::RST) {
        return if sender == Role::Server { REFUSED } else { None };
    }
    match sender {
        Role::Server => {
            let opens = flags.has(TcpFlags::SYN | TcpFlags::ACK);
            let talks = segment.payload_len > 0 || flags.has(TcpFlags::FIN);
            // A bare acknowledgement may be of an older connection (RFC 5961 section 4), unless
            // both sides have sent a SYN.
            let completes = flags.has(TcpFlags::ACK) && tcp.server.state == State::Established;
            if opens || talks || completes { ACCEPTED } else { None }
        }
        Role::Client => {
            // Only who got a SYN-ACK acknowledges it, even if the capture does not have it.
            let acknowledges = flags.has(TcpFlags::ACK)
                && !flags.has(TcpFlags::SYN)
                && segment.seq != tcp.client.start;
            if acknowledges { ACCEPTED } else { None }
        }
    }
}

fn after_syn_ack(
    connection: &mut Connection,
    segment: &TcpSegment<'_>,
    sender: Role,
) -> Option<Judgement> {
    let flags = segment.flags;
    if sender == Role::Server {
        return None;
    }
    if flags.has(TcpFlags::RST) {
        // Who never asked says so: backscatter, or a scanner's half-open probe whose SYN is not
        // captured.
        return Some(Judgement::Unknown);
    }
    if flags.has(TcpFlags::SYN) {
        // The SYN came late: two interfaces, or a reordered capture.
        connection.opening = Opening::Syn;
        connection.orientation.inferred = false;
    }
    ACCEPTED
}

fn after_midstream(
    connection: &mut Connection,
    segment: &TcpSegment<'_>,
    sender: Role,
) -> Option<Judgement> {
    let is_probe = is_probe(connection);
    if segment.flags.has(TcpFlags::RST) {
        let answers = sender == Role::Server && connection.server.packets == 1;
        let may_be_probe = is_probe || matches!(connection.opening, Opening::Ack | Opening::Fin);
        return match (answers && may_be_probe, connection.is_two_sided()) {
            (true, _) => REFUSED,
            (false, true) => Some(Judgement::Unknown),
            (false, false) => None,
        };
    }
    let Detail::Tcp(tcp) = &connection.detail else { return None };
    let has_payload = connection.talker.is_some();
    if is_probe {
        return if sender == Role::Server { ACCEPTED } else { None };
    }
    let side = tcp.side(sender);
    let goes_on = segment.payload_len > 0 && side.last > 1 + i64::from(segment.payload_len);
    let is_exchange = has_payload && (connection.is_two_sided() || goes_on);
    if has_payload || connection.is_two_sided() {
        connection.opening = Opening::Midstream;
    }
    if is_exchange { ACCEPTED } else { None }
}

/// Judges an attempt whose time is up.
pub(super) fn after_timeout(connection: &mut Connection) -> Judgement {
    let facts = connection.facts;
    // To a group, everybody may answer and nobody has to.
    if facts.to_group || facts.one_way {
        return Judgement::Unknown;
    }
    if !connection.is_tcp() {
        // Packets of the server's would have settled it.
        return UNANSWERED;
    }
    match connection.opening {
        // An answer of some kind came, but none that decides.
        Opening::Syn if connection.server.packets > 0 => Judgement::Unknown,
        Opening::Syn => UNANSWERED,
        Opening::SynAck => Judgement::Known(Outcome::Accepted),
        Opening::Rst => Judgement::Unknown,
        _ if connection.is_two_sided() => Judgement::Known(Outcome::Accepted),
        _ if is_probe(connection) => UNANSWERED,
        _ => Judgement::Unknown,
    }
}

/// Whether no stack opens or continues like this: NULL, XMAS, FIN without ACK.
fn is_probe(connection: &Connection) -> bool {
    match connection.opening {
        Opening::Fin => !connection.orientation.inferred,
        opening => opening.is_stealth_probe(),
    }
}

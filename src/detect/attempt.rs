//! What counts as an attempt to reach somebody, so that all scan detectors agree on it.
//!
//! Backscatter, answers, broadcasts and traffic that began before the capture accuse nobody.

use std::net::IpAddr;
use std::time::Duration;

use super::services::{Class, Direction, class, looks_like_reply};
use crate::event::{Body, Contact, Conversation, Event, Opening, Outcome};
use crate::inventory::Inventory;
use crate::net::{Service, Transport, is_group};
use crate::time::Timestamp;

/// One attempt of one host to reach another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attempt {
    /// When its outcome became known.
    pub(crate) ts: Timestamp,
    /// When it began.
    pub(crate) start: Timestamp,
    /// Who tried.
    pub(crate) src: IpAddr,
    /// Whom.
    pub(crate) dst: IpAddr,
    /// What for.
    pub(crate) service: Service,
    /// What that is worth.
    pub(crate) class: Class,
    /// Which way.
    pub(crate) direction: Direction,
    /// How it ended; `None` if the input ended first.
    pub(crate) outcome: Option<Outcome>,
    /// The first packet.
    pub(crate) opening: Opening,
    /// How long it has waited for an answer, at least.
    pub(crate) waited: Duration,
    /// Whether the target is known to have offered the service to somebody.
    pub(crate) is_offered: bool,
    /// The connection.
    pub(crate) conversation: Conversation,
}

impl Attempt {
    /// The attempt that an event tells of, if any and if its host may not do as it likes.
    pub(crate) fn of(event: &Event, inventory: &Inventory) -> Option<Self> {
        let (Body::Contact(contact), Some(talk)) = (&event.body, &event.conversation) else {
            return None;
        };
        let is_answer =
            matches!(contact.opening, Opening::SynAck | Opening::Rst | Opening::Midstream)
                || contact.client_packets == 0
                || (contact.opening != Opening::Syn
                    && contact.server_packets == 0
                    && looks_like_reply(talk.transport, talk.client.port, talk.server.port));
        if is_answer || is_directed_broadcast(talk.server.addr, talk.transport) {
            return None;
        }
        Self::between_hosts(event, contact, talk, inventory)
    }

    /// The attempt behind a refusal whose question was not captured: where only answers are seen, a
    /// scan of closed ports is RSTs that nobody asked for. The RSTs of a flood's victims are, too
    /// (backscatter), so only refusals of own hosts count: what we send out, an outsider asked for.
    pub(crate) fn behind_refusal(event: &Event, inventory: &Inventory) -> Option<Self> {
        let (Body::Contact(contact), Some(talk)) = (&event.body, &event.conversation) else {
            return None;
        };
        if contact.opening != Opening::Rst
            || contact.client_packets > 0
            || talk.transport != Transport::Tcp
            || !inventory.is_internal(talk.server.addr)
        {
            return None;
        }
        let attempt = Self::between_hosts(event, contact, talk, inventory)?;
        Some(Self { outcome: Some(Outcome::Refused), waited: Duration::ZERO, ..attempt })
    }

    /// What a contact says of an attempt, if it is one of a host to reach another, and if it may
    /// not scan.
    fn between_hosts(
        event: &Event,
        contact: &Contact,
        talk: &Conversation,
        inventory: &Inventory,
    ) -> Option<Self> {
        let (src, dst) = (talk.client.addr, talk.server.addr);
        if contact.to_group
            || src == dst
            || is_group(src)
            || is_group(dst)
            || inventory.may_scan(src)
        {
            return None;
        }
        let service = talk.service();
        Some(Self {
            ts: event.ts,
            start: contact.start,
            src,
            dst,
            service,
            class: class(service),
            direction: Direction::of(src, dst, inventory),
            outcome: contact.outcome,
            opening: contact.opening,
            waited: contact.waited.max(resent_for(contact)),
            is_offered: inventory.offers(dst, service),
            conversation: *talk,
        })
    }

    /// Whether no stack opens or goes on like this: NULL, XMAS, and a FIN without ACK (RFC 9293,
    /// section 3.10: every segment after the SYN acknowledges). Such a FIN is its sender's own, so
    /// the direction needed no inference.
    pub(crate) fn is_stealth_probe(&self) -> bool {
        self.opening.is_stealth_probe()
            || (self.opening == Opening::Fin && !self.conversation.inferred)
    }

    /// How much of a failure it is, 0 to 1. An attempt that was cut off by the end of the input
    /// fails the more the longer it waited: an answer from the own network takes milliseconds and
    /// from the other side of the earth less than half a second, so a second of silence is most of
    /// the way to a failure. Refusals are seen or not; silence is only worth what the sensor's view
    /// of the answering side is.
    pub(crate) fn failure(&self, failure_weight: f64) -> f64 {
        match self.outcome {
            Some(Outcome::Accepted | Outcome::AppFailed) => 0.0,
            Some(Outcome::Refused | Outcome::Unreachable) => 1.0,
            Some(Outcome::Unanswered) => failure_weight,
            None => failure_weight * (1.0 - (-self.waited.as_secs_f64()).exp()),
        }
    }

    /// Whether who tried is one of ours.
    pub(crate) const fn is_own(&self) -> bool {
        matches!(self.direction, Direction::Internal | Direction::Outbound)
    }

    /// Whether the other end let it in.
    pub(crate) fn is_accepted(&self) -> bool {
        matches!(self.outcome, Some(Outcome::Accepted | Outcome::AppFailed))
    }
}

/// How long a client must have waited to send its SYN as often as it did. It waits a second for the
/// first time and twice as long each time (RFC 6298, sections 2.1 and 5.5); this holds even where
/// the capture's clock cannot be trusted.
fn resent_for(contact: &Contact) -> Duration {
    if contact.opening == Opening::Syn && contact.server_packets == 0 && contact.outcome.is_none() {
        Duration::from_secs((1 << contact.client_packets.saturating_sub(1).min(6)) - 1)
    } else {
        Duration::ZERO
    }
}

/// The last address of a /24 in IPv4 over UDP: nearly always a subnet's broadcast address. Masks
/// are not known to a passive sensor.
fn is_directed_broadcast(dst: IpAddr, transport: Transport) -> bool {
    matches!(dst, IpAddr::V4(v4) if v4.octets()[3] == 255) && transport == Transport::Udp
}

#[cfg(test)]
mod tests {
    use super::super::testing::{seconds, tcp, udp};
    use super::*;
    use crate::inventory::InventoryConfig;

    fn attempt(event: &Event) -> Option<Attempt> {
        Attempt::of(event, &Inventory::default())
    }

    #[test]
    fn blames_nobody_for_backscatter_and_answers() {
        let syn_ack = tcp("203.0.113.5", "10.0.0.1", 40_000).opening(Opening::SynAck).backscatter();
        let rst = tcp("203.0.113.5", "10.0.0.1", 40_000).opening(Opening::Rst).cut_off(1.0);
        let reply = udp("192.0.2.53", "10.0.0.1", 40_000).client_port(53).unanswered();
        let midstream = tcp("10.0.0.1", "10.0.0.2", 445).opening(Opening::Midstream).accepted();

        for event in [syn_ack, rst, reply, midstream] {
            assert!(attempt(&event).is_none(), "{event:?}");
        }
    }

    #[test]
    fn leaves_broadcasts_and_allowed_scanners_alone() {
        let broadcast = udp("10.0.0.1", "10.0.0.255", 137).unanswered();
        let scan = tcp("10.0.0.66", "10.0.0.2", 445).refused();
        let config = InventoryConfig {
            allowed_scanners: serde_json::from_str(r#"["10.0.0.66"]"#).unwrap(),
            ..InventoryConfig::default()
        };

        assert!(attempt(&broadcast).is_none());
        assert!(attempt(&scan).is_some());
        assert!(Attempt::of(&scan, &Inventory::new(&config)).is_none());
    }

    #[test]
    fn counts_silence_at_the_end_of_the_input_by_how_long_it_lasted() {
        let short = attempt(&tcp("10.0.0.1", "10.0.0.2", 445).cut_off(0.001)).unwrap();
        let long = attempt(&tcp("10.0.0.1", "10.0.0.2", 445).cut_off(3.0)).unwrap();
        let refused = attempt(&tcp("10.0.0.1", "10.0.0.2", 445).refused()).unwrap();

        assert!(short.failure(1.0) < 0.01);
        assert!(long.failure(1.0) > 0.9);
        assert!(long.failure(0.1) < 0.1);
        assert!((refused.failure(0.1) - 1.0).abs() < f64::EPSILON);
        assert_eq!(long.start, seconds(0.0));
    }

    #[test]
    fn takes_a_syn_sent_three_times_for_three_seconds_of_silence() {
        let mut event = tcp("10.0.0.1", "10.0.0.2", 445).cut_off(0.0);
        let Body::Contact(contact) = &mut event.body else { panic!("a contact") };
        contact.client_packets = 3;

        let attempt = attempt(&event).unwrap();

        assert!(attempt.failure(1.0) > 0.9);
    }
}

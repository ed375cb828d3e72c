//! What all baselines count: an attempt of one host to reach another, and how it ended.
//!
//! They get the benefit of the doubt where captures are cut off: an attempt that nobody had answered
//! when the input ended is a failure, as if its time-out had been waited for.

use std::net::IpAddr;

use crate::event::{Body, Conn, ConnState, Contact, Event, Opening, Outcome};
use crate::net::{Service, Transport};
use crate::time::Timestamp;

/// One attempt of one host to reach another over TCP, beginning with a SYN, or over UDP.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attempt {
    /// When its first packet came.
    pub(super) start: Timestamp,
    /// When its fate was known.
    pub(super) ts: Timestamp,
    /// Who tried.
    pub(super) src: IpAddr,
    /// Whom.
    pub(super) dst: IpAddr,
    /// For what.
    pub(super) service: Service,
    /// How it ended.
    pub(super) fate: Fate,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// The server answered.
    Accepted,
    /// The server refused, a router did, or nobody answered.
    Failed,
    /// The server had answered, and the client reset the connection before any data: a half-open
    /// scan of an open port. Comes after `Accepted`, about the same connection.
    Aborted,
}

impl Attempt {
    /// The attempt that an event tells of, if it does.
    ///
    /// Traffic that began before the capture, answers without a question, stray segments, broadcasts
    /// and ICMP are no attempts to any of the published methods.
    pub(super) fn of(event: &Event) -> Option<Self> {
        let talk = event.conversation.as_ref()?;
        if !matches!(talk.transport, Transport::Tcp | Transport::Udp) {
            return None;
        }
        let (start, fate) = match &event.body {
            Body::Contact(contact) => (contact.start, of_contact(contact)?),
            Body::Conn(conn) if is_aborted(conn) => (conn.start, Fate::Aborted),
            _ => return None,
        };
        let (src, dst) = (talk.client.addr, talk.server.addr);
        let service = talk.service();
        (src != dst).then_some(Self { start, ts: event.ts, src, dst, service, fate })
    }

    pub(super) fn is_tcp(&self) -> bool {
        self.service.transport == Transport::Tcp
    }
}

fn of_contact(contact: &Contact) -> Option<Fate> {
    let is_attempt = matches!(contact.opening, Opening::Syn | Opening::Datagram)
        && contact.client_packets > 0
        && !contact.to_group;
    if !is_attempt {
        return None;
    }
    match contact.outcome {
        Some(Outcome::Accepted | Outcome::AppFailed) => Some(Fate::Accepted),
        Some(Outcome::Refused | Outcome::Unanswered | Outcome::Unreachable) => Some(Fate::Failed),
        None => (contact.server_packets == 0).then_some(Fate::Failed),
    }
}

fn is_aborted(conn: &Conn) -> bool {
    conn.opening == Opening::Syn
        && conn.state == ConnState::RSTO
        && conn.client.bytes == 0
        && conn.server.bytes == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::testing::{ping, tcp, udp};

    const HERE: &str = "10.0.0.1";
    const THERE: &str = "10.0.0.2";

    fn fate(event: &Event) -> Option<Fate> {
        Attempt::of(event).map(|attempt| attempt.fate)
    }

    #[test]
    fn silence_until_the_end_of_the_input_is_a_failure() {
        assert_eq!(fate(&tcp(HERE, THERE, 445).cut_off(0.1)), Some(Fate::Failed));
        assert_eq!(fate(&tcp(HERE, THERE, 445).unanswered()), Some(Fate::Failed));
        assert_eq!(fate(&udp(HERE, THERE, 161).refused()), Some(Fate::Failed));
        assert_eq!(fate(&tcp(HERE, THERE, 445).accepted()), Some(Fate::Accepted));
    }

    #[test]
    fn answers_pings_and_the_middle_of_connections_are_no_attempts() {
        assert_eq!(fate(&tcp(HERE, THERE, 445).opening(Opening::SynAck).backscatter()), None);
        assert_eq!(fate(&tcp(HERE, THERE, 445).opening(Opening::Midstream).accepted()), None);
        assert_eq!(fate(&tcp(HERE, THERE, 445).opening(Opening::Xmas).refused()), None);
        assert_eq!(fate(&ping(HERE, THERE).unanswered()), None);
    }

    #[test]
    fn a_reset_before_any_data_is_told_when_the_connection_is_over() {
        let aborted = |bytes| {
            let mut event = tcp(HERE, THERE, 445).conn(0.1, (bytes, 0), 0);
            if let Body::Conn(conn) = &mut event.body {
                conn.state = ConnState::RSTO;
            }
            fate(&event)
        };

        assert_eq!(aborted(0), Some(Fate::Aborted));
        assert_eq!(aborted(10), None);
        assert_eq!(fate(&tcp(HERE, THERE, 445).conn(0.1, (0, 0), 0)), None);
    }
}

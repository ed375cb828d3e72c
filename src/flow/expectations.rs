//! Connections that others announced: FTP's data, TFTP's answers, the end point mapper's dynamic
//! ports. Nothing in their first bytes has to tell what they are.
//!
//! Only a connection between the same two addresses is believed: a shard sees no other, and an
//! announcement about a third host is how bounce attacks look, not how files travel.

use std::net::IpAddr;
use std::time::Duration;

use foldhash::fast::RandomState;
use hashlink::LinkedHashMap;

use crate::event::Conversation;
use crate::net::{Endpoint, Transport};
use crate::proto::Expected;
use crate::time::Timestamp;

/// Announcements that are remembered; the oldest goes first.
const CAPACITY: usize = 512;

/// How long an announcement holds: who agreed upon a connection opens it at once, and a port of the
/// dynamic range soon means something else.
const LIFETIME: Duration = Duration::from_secs(300);

/// Bytes of a file name that are kept.
const MAX_NAME: usize = 512;

/// Announced connections of one table, oldest first.
#[derive(Debug, Default)]
pub(super) struct Expectations {
    waiting: LinkedHashMap<Key, (Timestamp, Expected), RandomState>,
}

/// Who is to be called over what, and by whom.
type Key = (Transport, Endpoint, IpAddr);

impl Expectations {
    /// Whether nothing is expected.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Takes note of a connection that `conversation` announced at `now`.
    pub(super) fn add(&mut self, conversation: &Conversation, expected: Expected, now: Timestamp) {
        let (client, server) = (conversation.client.addr, conversation.server.addr);
        let caller = match expected.server.addr {
            addr if addr == server => client,
            addr if addr == client => server,
            _ => return,
        };
        let key = (expected.transport, expected.server, caller);
        let mut expected = expected;
        expected.file = expected.file.filter(|file| file.len() <= MAX_NAME);
        self.waiting.remove(&key);
        self.waiting.insert(key, (now, expected));
        let is_old = |at: Timestamp| now.since(at) > LIFETIME;
        while self.waiting.front().is_some_and(|(_, (at, _))| is_old(*at))
            || self.waiting.len() > CAPACITY
        {
            self.waiting.pop_front();
        }
    }

    /// What was announced about a connection between these ends, either of which may have been
    /// taken for the client.
    pub(super) fn find(&self, conversation: &Conversation, now: Timestamp) -> Option<&Expected> {
        let found = keys(conversation).into_iter().find_map(|key| self.waiting.get(&key));
        found.filter(|(at, _)| now.since(*at) <= LIFETIME).map(|(_, expected)| expected)
    }

    /// The same, which then is expected no longer.
    pub(super) fn take(&mut self, conversation: &Conversation, now: Timestamp) -> Option<Expected> {
        let found = keys(conversation).into_iter().find_map(|key| self.waiting.remove(&key));
        found.filter(|(at, _)| now.since(*at) <= LIFETIME).map(|(_, expected)| expected)
    }
}

fn keys(conversation: &Conversation) -> [Key; 2] {
    let Conversation { transport, client, server, .. } = *conversation;
    [(transport, server, client.addr), (transport, client, server.addr)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Uid;
    use crate::proto::Protocol;

    fn conversation(client: &str, server: &str) -> Conversation {
        let end = |text: &str| {
            let (addr, port) = text.rsplit_once(':').unwrap();
            Endpoint::new(addr.parse().unwrap(), port.parse().unwrap())
        };
        Conversation {
            uid: Uid(1),
            transport: Transport::Tcp,
            client: end(client),
            server: end(server),
            inferred: false,
        }
    }

    fn expected(addr: &str, port: u16) -> Expected {
        Expected {
            transport: Transport::Tcp,
            server: Endpoint::new(addr.parse().unwrap(), port),
            protocol: Protocol::DceRpc,
            file: None,
        }
    }

    #[test]
    fn an_announced_connection_is_known_once() {
        let mut expectations = Expectations::default();
        let (control, data) = (
            conversation("192.0.2.1:40000", "192.0.2.2:135"),
            conversation("192.0.2.1:40001", "192.0.2.2:49152"),
        );

        expectations.add(&control, expected("192.0.2.2", 49152), Timestamp::from_secs(1));

        assert!(expectations.find(&data, Timestamp::from_secs(2)).is_some());
        assert!(expectations.take(&data, Timestamp::from_secs(2)).is_some());
        assert!(expectations.take(&data, Timestamp::from_secs(2)).is_none());
    }

    #[test]
    fn what_a_server_opens_to_its_client_is_known_too() {
        let mut expectations = Expectations::default();
        let (control, data) = (
            conversation("192.0.2.1:40000", "192.0.2.2:21"),
            conversation("192.0.2.2:20", "192.0.2.1:40001"),
        );

        expectations.add(&control, expected("192.0.2.1", 40001), Timestamp::from_secs(1));

        assert!(expectations.take(&data, Timestamp::from_secs(2)).is_some());
    }

    #[test]
    fn nobody_announces_for_third_hosts() {
        let mut expectations = Expectations::default();
        let control = conversation("192.0.2.1:40000", "192.0.2.2:21");

        expectations.add(&control, expected("192.0.2.3", 40001), Timestamp::from_secs(1));

        assert!(expectations.is_empty());
    }

    #[test]
    fn announcements_grow_old_and_few_are_kept() {
        let mut expectations = Expectations::default();
        let control = conversation("192.0.2.1:40000", "192.0.2.2:21");
        let data = conversation("192.0.2.1:40001", "192.0.2.2:1");

        for port in 1..2000 {
            expectations.add(&control, expected("192.0.2.2", port), Timestamp::from_secs(1));
        }
        assert_eq!(expectations.waiting.len(), CAPACITY);
        expectations.add(&control, expected("192.0.2.2", 1), Timestamp::from_secs(2));
        assert!(expectations.find(&data, Timestamp::from_secs(303)).is_none());
        expectations.add(&control, expected("192.0.2.2", 2), Timestamp::from_secs(400));

        assert_eq!(expectations.waiting.len(), 1);
    }
}

//! Who has business with whom: what it would cost to keep two hosts apart.

use std::net::IpAddr;

use super::table::{Table, Weigh};
use crate::incident;
use crate::net::Service;
use crate::time::Timestamp;

/// Connections that were let in, by who called whom for what.
///
/// Business between two own hosts is kept longest: what the Internet is asked for is most of what
/// there is, and the least of what a cut is about.
#[derive(Debug)]
pub struct Traffic {
    table: Table<(IpAddr, IpAddr, Service), Business>,
}

/// What passed between two hosts over one service.
#[derive(Clone, Copy, Debug)]
struct Business {
    connections: u64,
    last: Timestamp,
}

impl Weigh for Business {}

impl Traffic {
    /// No traffic yet, and never more than `budget` bytes of it.
    pub fn new(budget: usize) -> Self {
        Self { table: Table::new(budget) }
    }

    /// Counts a connection that began at `start` and was let in; `is_own` where both ends are ours.
    pub fn add(
        &mut self,
        (client, server, service): (IpAddr, IpAddr, Service),
        start: Timestamp,
        is_own: bool,
    ) {
        let make = || Business { connections: 0, last: start };
        self.table.update((client, server, service), is_own, make, |business| {
            business.connections += 1;
            business.last = business.last.max(start);
        });
    }

    /// All that is remembered, most connections first, ties by client, server and service.
    pub fn listed(&self) -> Vec<incident::Traffic> {
        let as_told = |(&(client, server, service), business): (&(_, _, _), &Business)| {
            let Business { connections, last } = *business;
            incident::Traffic { client, server, service, connections, last }
        };
        let mut all: Vec<_> = self.table.entries().map(as_told).collect();
        all.sort_unstable_by(|a, b| {
            let key = |of: &incident::Traffic| (of.client, of.server, of.service);
            b.connections.cmp(&a.connections).then_with(|| key(a).cmp(&key(b)))
        });
        all
    }

    /// Pairs of hosts and services remembered.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether there was none.
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// Pairs that were forgotten for want of space.
    pub fn evicted(&self) -> u64 {
        self.table.evicted()
    }

    /// Bytes held.
    pub fn state_bytes(&self) -> usize {
        self.table.bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::units::ByteSize;
    use crate::detect::testing::{icmp, ip, tcp, udp};
    use crate::event::{Body, Event};
    use crate::inventory::{Inventory, InventoryConfig};

    fn learned(events: impl IntoIterator<Item = Event>, budget: usize) -> Inventory {
        let traffic = ByteSize(budget);
        let mut inventory =
            Inventory::new(&InventoryConfig { traffic, ..InventoryConfig::default() });
        for event in events {
            inventory.on_event(&event);
        }
        inventory
    }

    fn to_group(mut event: Event) -> Event {
        if let Body::Contact(contact) = &mut event.body {
            contact.to_group = true;
        }
        event
    }

    #[test]
    fn counts_what_was_let_in_and_nothing_else() {
        let inventory = learned(
            [
                tcp("10.0.0.1", "10.0.0.9", 445).at(1.0).accepted(),
                tcp("10.0.0.1", "10.0.0.9", 445).at(3.0).accepted(),
                tcp("10.0.0.1", "10.0.0.8", 445).at(4.0).refused(),
                tcp("10.0.0.1", "10.0.0.7", 445).at(5.0).unanswered(),
                tcp("10.0.0.1", "203.0.113.5", 443).at(6.0).accepted(),
                udp("10.0.0.1", "10.0.0.53", 53).at(7.0).accepted(),
                tcp("198.51.100.1", "203.0.113.5", 443).at(8.0).accepted(),
                to_group(udp("10.0.0.1", "224.0.0.251", 5353).at(9.0).accepted()),
                icmp(10.0, "10.0.0.1", "10.0.0.9", 8),
            ],
            1 << 20,
        );

        let listed: Vec<_> = inventory
            .traffic()
            .listed()
            .into_iter()
            .map(|of| (of.server.to_string(), of.service.to_string(), of.connections))
            .collect();

        let expected =
            [("10.0.0.9", "tcp/445", 2), ("10.0.0.53", "udp/53", 1), ("203.0.113.5", "tcp/443", 1)];
        let expected =
            expected.map(|(server, service, count)| (server.to_owned(), service.to_owned(), count));
        assert_eq!(listed, expected);
        assert_eq!(inventory.traffic().listed()[0].client, ip("10.0.0.1"));
        assert_eq!(inventory.traffic().listed()[0].last, Timestamp::from_secs(3));
    }

    #[test]
    fn forgets_the_internet_before_the_house() {
        let outside = (0..2000u32)
            .map(|n| tcp("10.0.0.1", &format!("203.0.{}.{}", n / 250, n % 250), 443).accepted());
        let events = [tcp("10.0.0.1", "10.0.0.9", 445).accepted()].into_iter().chain(outside);

        let inventory = learned(events, 64 << 10);

        let traffic = inventory.traffic();
        assert!(traffic.state_bytes() <= 64 << 10);
        assert_eq!(traffic.len() as u64 + traffic.evicted(), 2001);
        assert!(traffic.listed().iter().any(|of| of.server == ip("10.0.0.9")));
    }
}

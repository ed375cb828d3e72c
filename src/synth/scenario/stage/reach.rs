//! Whether and how one reaches another: who is there, which path, whose address, which next hop.

use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::time::Duration;

use super::super::super::conversation::Fate;
use super::super::super::rng::Rng;
use super::super::chance::fixed;
use super::super::place::{End, Stack};
use super::super::tcp::Path;
use super::super::world::Party;
use super::Stage;
use crate::time::Timestamp;

/// Hosts whose hardware addresses are remembered at once.
const NEIGHBOURS: usize = 24;
/// For how long.
const NEIGHBOUR_LIFE: Duration = Duration::from_mins(15);

impl Stage {
    /// What comes of a call: who is off or is not there is silent, and so is a closed port of
    /// Windows, whose firewall says nothing. Nobody gets through a translator from outside.
    pub(super) fn fate(&mut self, from: Party, to: Party, port: u16) -> Fate {
        let silence = Fate::Unanswered { syns: 3 };
        let world = self.world.clone();
        match to {
            Party::Host(id) => {
                let host = world.host(id);
                let hidden =
                    self.is_translated(&host.end) && host.end.subnet != world.end(from).subnet;
                if !world.is_up(id, self.now) || hidden {
                    silence
                } else if host.services.contains(&port) {
                    Fate::Accepted
                } else if host.end.stack == Stack::Windows {
                    silence
                } else {
                    Fate::Refused
                }
            }
            Party::Outside(number) => {
                // A server that is gone is gone for the whole scenario.
                let drawn = fixed(&[u64::from(number), world.seed, 31]) % 100_000;
                let dead = world.internet.dead * 100_000.0;
                match (drawn as f64) < dead {
                    true if drawn.is_multiple_of(3) => Fate::Refused,
                    true => silence,
                    false => Fate::Accepted,
                }
            }
            Party::Nobody(_) => silence,
        }
    }

    fn is_translated(&self, end: &End) -> bool {
        end.subnet
            .and_then(|subnet| self.world.subnets.get(usize::from(subnet)))
            .is_some_and(|subnet| subnet.nat.is_some())
    }

    /// The client `end`, with the address and port that it has beyond its subnet when it calls
    /// `other`.
    pub(super) fn beyond(&mut self, end: End, other: End) -> End {
        let Some(addr) = self.nat_between(&end, &other) else { return end };
        self.translated = (self.translated + 1) % 60_000;
        End { outer: Some((addr, 2000 + self.translated)), ..end }
    }

    /// The server `end`, with the address that it is called by from where `other` is.
    pub(super) fn called(&self, end: End, other: &End, port: u16) -> End {
        match self.nat_between(&end, other) {
            Some(addr) => End { outer: Some((addr, port)), ..end },
            None => end,
        }
    }

    /// The address behind which `end` is for `other`.
    fn nat_between(&self, end: &End, other: &End) -> Option<Ipv4Addr> {
        if end.subnet == other.subnet || end.outer.is_some() || other.mac.is_group() {
            return None;
        }
        self.world.subnets.get(usize::from(end.subnet?))?.nat
    }

    pub(super) fn path(&mut self, client: &End, server: &End) -> Path {
        let internet = &self.world.internet;
        let around = |rng: &mut Rng, micros| rng.around(Duration::from_micros(micros));
        let (trip, gap, loss) = match (client.subnet, server.subnet) {
            (Some(one), Some(other)) if one == other => {
                (around(&mut self.rng, 260), Duration::from_micros(13), 0)
            }
            (Some(_), Some(_)) => (around(&mut self.rng, 700), Duration::from_micros(13), 1),
            _ => {
                let trip = internet.round_trip;
                let loss = (internet.loss * 100_000.0) as u32;
                (self.rng.around(trip), Duration::from_micros(110), loss)
            }
        };
        let near = Duration::from_micros(90).min(trip / 3);
        let (to_client, to_server) =
            if client.subnet.is_some() { (near, trip - near) } else { (trip - near, near) };
        Path { to_client, to_server, gap, loss, mss: 1460 }
    }

    /// Finds the next hop from `from` to `to` by ARP, and lets the router on the way find the last.
    /// Returns whether a packet can be sent at all.
    pub(super) fn reach(&mut self, from: &End, to: &End, at: Timestamp, silent: bool) -> bool {
        if to.mac.is_group() {
            return true;
        }
        let world = self.world.clone();
        let router_of =
            |end: &End| end.subnet.and_then(|subnet| world.subnets.get(usize::from(subnet)));
        if let Some(own) = router_of(from) {
            let is_neighbour = from.subnet == to.subnet;
            let next = if is_neighbour { *to } else { own.router };
            if !self.remembers(from, next.addr, at) {
                if is_neighbour && silent {
                    for attempt in 0..3 {
                        self.arp(at + Duration::from_secs(attempt), 1, from, &next);
                    }
                    return false;
                }
                self.resolve(at, from, &next);
            }
            if is_neighbour {
                return true;
            }
        }
        if let Some(last) = router_of(to) {
            let router = last.router;
            let known = self.remembers_as_router(to, at);
            if !known && silent {
                self.arp(at + Duration::from_micros(600), 1, &router, to);
            } else if !known {
                self.resolve(at + Duration::from_micros(600), &router, to);
            }
        }
        true
    }

    fn resolve(&mut self, at: Timestamp, asker: &End, owner: &End) {
        self.arp(at, 1, asker, owner);
        self.arp(at + Duration::from_micros(120), 2, owner, asker);
    }

    fn remembers(&mut self, host: &End, neighbour: Ipv4Addr, at: Timestamp) -> bool {
        let Party::Host(id) = self.world.owner(host.addr) else { return true };
        self.hosts
            .get_mut(id.0 as usize)
            .is_none_or(|host| remember(&mut host.neighbours, NEIGHBOURS, neighbour, at))
    }

    fn remembers_as_router(&mut self, host: &End, at: Timestamp) -> bool {
        host.subnet
            .and_then(|subnet| self.routers.get_mut(usize::from(subnet)))
            .is_none_or(|known| remember(known, 4 * NEIGHBOURS, host.addr, at))
    }
}

/// Whether `neighbour` is known at `at`; from now on it is.
fn remember(
    known: &mut VecDeque<(Ipv4Addr, Timestamp)>,
    most: usize,
    neighbour: Ipv4Addr,
    at: Timestamp,
) -> bool {
    if let Some(entry) = known.iter_mut().find(|(addr, _)| *addr == neighbour) {
        let is_fresh = at < entry.1;
        if !is_fresh {
            entry.1 = at + NEIGHBOUR_LIFE;
        }
        return is_fresh;
    }
    if known.len() == most {
        known.pop_front();
    }
    known.push_back((neighbour, at + NEIGHBOUR_LIFE));
    false
}

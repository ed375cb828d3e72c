//! The little network in which every scenario plays, and what it takes to put something into it.
//!
//! The capture point is a mirror port of the access switch of 10.20.2.0/24: hosts there show their
//! own hardware addresses, everybody else shows the router's (10.20.2.1).

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use super::conversation::{Conversation, End, Fate, Side, View};
use super::packet::{Stamped, Station};
use super::rng::Rng;
use super::timeline::Timeline;
use crate::net::MacAddr;
use crate::time::Timestamp;

/// Monday, 2 March 2026, 08:00 UTC: when every scenario begins.
pub const START: Timestamp = Timestamp::from_secs(1_772_438_400);

/// The hardware address of the router, locally administered as all of them are here.
const ROUTER: MacAddr = MacAddr([0x02, 0x57, 0x0a, 0x14, 0x02, 0x01]);

/// A minute.
pub const MINUTE: Duration = Duration::from_secs(60);
/// An hour.
pub const HOUR: Duration = Duration::from_secs(3600);
/// A day.
pub const DAY: Duration = Duration::from_secs(86_400);

/// A host of the mirrored subnet, 10.20.2.`last`.
pub const fn local(last: u8) -> Station {
    let mac = MacAddr([0x02, 0x57, 0x0a, 0x14, 0x02, last]);
    Station { mac, addr: IpAddr::V4(Ipv4Addr::new(10, 20, 2, last)), ttl: 64 }
}

/// A host of another internal subnet, 10.20.`third`.`last`, behind the router.
pub const fn routed(third: u8, last: u8) -> Station {
    Station { mac: ROUTER, addr: IpAddr::V4(Ipv4Addr::new(10, 20, third, last)), ttl: 63 }
}

/// A host of the Internet: the three documentation networks (RFC 5737) for the first 762 numbers,
/// the benchmarking network (RFC 2544) beyond.
pub const fn outside(number: u32) -> Station {
    let last = (number % 254 + 1) as u8;
    let addr = match number / 254 {
        0 => Ipv4Addr::new(198, 51, 100, last),
        1 => Ipv4Addr::new(203, 0, 113, last),
        2 => Ipv4Addr::new(192, 0, 2, last),
        more => Ipv4Addr::new(198, 18 + (more >> 8 & 1) as u8, (more & 0xff) as u8, last),
    };
    Station { mac: ROUTER, addr: IpAddr::V4(addr), ttl: 52 }
}

/// The router itself, as the mirrored subnet sees it.
pub const fn router() -> Station {
    local(1)
}

/// The resolver that everybody asks.
pub const fn resolver() -> Station {
    routed(4, 53)
}

/// A scenario in the making.
pub struct Scene {
    /// Random numbers of the scenario.
    pub rng: Rng,
    timeline: Timeline,
    opened: u32,
}

impl Scene {
    /// An empty scenario; the seed decides everything random in it.
    pub fn new(seed: u64) -> Self {
        Self { rng: Rng::new(seed), timeline: Timeline::default(), opened: 0 }
    }

    /// A conversation that begins `after` the start of the scenario, accepted, without a word
    /// said, closed by the client: a starting point to change and then [`Self::play`].
    pub fn call(
        &mut self,
        after: Duration,
        client: Station,
        server: Station,
        port: u16,
    ) -> Conversation {
        let rtt = self.rtt(&client, &server);
        Conversation {
            client,
            server,
            ports: (self.ephemeral_port(), port),
            start: START + after,
            rtt,
            gap: Duration::from_micros(120),
            mss: 1460,
            fate: Fate::Accepted,
            turns: Vec::new(),
            end: End::Fin(Side::Client),
            view: View::Both,
            seed: self.rng.bits(),
        }
    }

    /// Puts a conversation into the scenario.
    pub fn play(&mut self, conversation: Conversation) {
        self.timeline.add(Box::new(conversation.play()));
    }

    /// Puts frames into the scenario.
    pub fn show(&mut self, frames: Vec<Stamped>) {
        self.timeline.add_all(frames);
    }

    /// The next port that a stack takes for a new connection (RFC 6335 section 6).
    pub const fn ephemeral_port(&mut self) -> u16 {
        self.opened = self.opened.wrapping_add(1);
        49_152 + (self.opened % 16_384) as u16
    }

    /// A round trip between two stations: a switch, a router or the Internet away.
    pub fn rtt(&mut self, client: &Station, server: &Station) -> Duration {
        let mean = match (client.mac == ROUTER, server.mac == ROUTER) {
            (false, false) => Duration::from_micros(300),
            _ if [client, server].iter().any(|station| station.ttl < 60) => {
                Duration::from_millis(24)
            }
            _ => Duration::from_micros(1400),
        };
        self.rng.around(mean)
    }

    /// Everything in order of time.
    pub fn into_timeline(self) -> Timeline {
        self.timeline
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outside_addresses_are_for_documentation_or_benchmarks() {
        assert_eq!(outside(0).addr.to_string(), "198.51.100.1");
        assert_eq!(outside(253).addr.to_string(), "198.51.100.254");
        assert_eq!(outside(254).addr.to_string(), "203.0.113.1");
        assert_eq!(outside(761).addr.to_string(), "192.0.2.254");
        assert!(outside(100_000).addr.to_string().starts_with("198.1"));
    }

    #[test]
    fn the_seed_decides_everything() {
        let capture = |seed| {
            let mut scene = Scene::new(seed);
            let call = scene.call(MINUTE, local(5), routed(4, 10), 445);
            scene.play(call);
            scene.into_timeline().collect::<Vec<_>>()
        };

        assert_eq!(capture(1), capture(1));
        assert_ne!(capture(1), capture(2));
    }
}

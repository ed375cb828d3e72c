//! `host.new`: a device that nobody has seen before appears and soon calls others inside.
//!
//! It is context: most new devices are laptops. It makes what else is said of the host weigh a
//! little more, for an intruder's own machine is new, too.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::arrival::{Arrivals, Terms};
use super::{Detector, Evidence, Sight};
use crate::config::units::{self, ByteSize};
use crate::event::Body;
use crate::inventory::Inventory;

/// When an arrival is worth a word.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Packet time that the sensor must have watched before a host is new. A day, so that everybody
    /// with daily habits was met.
    #[serde(with = "units::span")]
    pub learning: Duration,
    /// Time after the arrival in which its calls count.
    #[serde(with = "units::span")]
    pub within: Duration,
    /// Different internal hosts called for the first report; twice as many for the second.
    #[serde(deserialize_with = "units::count")]
    pub peers: u32,
    /// The most nats, given at twice as many peers; half of it at first. Context multiplies what
    /// others say and never convicts, hence one.
    #[serde(deserialize_with = "units::nats")]
    pub llr_max: f64,
    /// Bytes for all arrivals; the oldest is forgotten first.
    #[serde(deserialize_with = "units::budget")]
    pub budget: ByteSize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            learning: Duration::from_secs(86_400),
            within: Duration::from_secs(3600),
            peers: 4,
            llr_max: 1.0,
            budget: ByteSize::mib(1),
        }
    }
}

/// The detector.
#[derive(Debug)]
pub struct NewHost {
    arrivals: Arrivals,
    learning: Duration,
}

impl NewHost {
    /// The detector's id.
    pub const ID: &'static str = "host.new";

    /// A detector that has seen nothing.
    pub fn new(config: &Config) -> Self {
        let terms = Terms {
            within: config.within,
            peers: config.peers,
            llr_max: config.llr_max,
            budget: config.budget,
        };
        Self { arrivals: Arrivals::new(terms), learning: config.learning }
    }
}

impl Detector for NewHost {
    fn id(&self) -> &'static str {
        Self::ID
    }

    fn on_event(&mut self, event: &Sight<'_>, inventory: &Inventory, out: &mut Vec<Evidence>) {
        let src = match (&event.body, &event.conversation) {
            (Body::Arp(arp), _) => arp.sender,
            (Body::Contact(contact), Some(talk)) if contact.client_packets > 0 => talk.client.addr,
            _ => return,
        };
        let has_learned =
            inventory.since().is_some_and(|since| event.ts.since(since) >= self.learning);
        if has_learned
            && inventory.host(src).is_none()
            && inventory.is_internal(src)
            && !crate::net::is_group(src)
        {
            self.arrivals.arrive(src, event.ts);
        }
        out.extend(self.arrivals.on_event(event, Self::ID, "appeared for the first time"));
    }

    fn state_bytes(&self) -> usize {
        self.arrivals.state_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Stage, tcp};
    use super::*;

    const DAY: f64 = 86_400.0;

    fn stage() -> Stage<NewHost> {
        Stage::new(NewHost::new(&Config::default()))
    }

    #[test]
    fn mentions_a_newcomer_that_calls_several_at_once() {
        let mut stage = stage();
        stage.play([tcp("10.0.0.1", "10.0.0.2", 445).accepted()]);

        stage.play(
            (1..20).map(|n| tcp("10.0.0.99", &format!("10.0.0.{n}"), 445).at(2.0 * DAY).accepted()),
        );

        assert!((stage.weight("10.0.0.99") - 1.0).abs() < 1e-9);
        assert_eq!(stage.said.len(), 2);
        assert!(stage.last("10.0.0.99").summary.contains("for the first time and called 8"));
    }

    #[test]
    fn ignores_everybody_while_it_learns() {
        let mut stage = stage();

        stage.play((1..20).map(|n| tcp("10.0.0.99", &format!("10.0.0.{n}"), 445).accepted()));

        stage.assert_silent();
    }

    #[test]
    fn ignores_a_newcomer_that_uses_three_servers_and_the_web() {
        let mut stage = stage();
        stage.play([tcp("10.0.0.1", "10.0.0.2", 445).accepted()]);

        for n in 1..=3 {
            let server = format!("10.0.0.{n}");
            stage.play([tcp("10.0.0.99", &server, 445).at(2.0 * DAY).accepted()]);
        }
        stage
            .play((1..50).map(|n| {
                tcp("10.0.0.99", &format!("203.0.113.{n}"), 443).at(2.0 * DAY).accepted()
            }));

        stage.assert_silent();
    }
}

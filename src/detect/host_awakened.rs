//! `host.awakened`: a device that was silent for long speaks again and soon calls others inside.
//!
//! It is context, as [`super::host_new`] is: most sleepers come back from a holiday. A worm that
//! waits, or a forgotten machine that was taken over, comes back too.

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
    /// How long the host must have been silent. A week, so that weekends and short holidays are
    /// none.
    #[serde(with = "units::span")]
    pub silence: Duration,
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
            silence: Duration::from_secs(7 * 86_400),
            within: Duration::from_secs(3600),
            peers: 4,
            llr_max: 1.0,
            budget: ByteSize::mib(1),
        }
    }
}

/// The detector.
#[derive(Debug)]
pub struct AwakenedHost {
    arrivals: Arrivals,
    silence: Duration,
}

impl AwakenedHost {
    /// The detector's id.
    pub const ID: &'static str = "host.awakened";

    /// A detector that has seen nothing.
    pub fn new(config: &Config) -> Self {
        let terms = Terms {
            within: config.within,
            peers: config.peers,
            llr_max: config.llr_max,
            budget: config.budget,
        };
        Self { arrivals: Arrivals::new(terms), silence: config.silence }
    }
}

impl Detector for AwakenedHost {
    fn id(&self) -> &'static str {
        Self::ID
    }

    fn on_event(&mut self, event: &Sight<'_>, inventory: &Inventory, out: &mut Vec<Evidence>) {
        let src = match (&event.body, &event.conversation) {
            (Body::Arp(arp), _) => arp.sender,
            (Body::Contact(contact), Some(talk)) if contact.client_packets > 0 => talk.client.addr,
            _ => return,
        };
        let slept = inventory.host(src).map(|host| event.ts.since(host.last_seen));
        if slept.is_some_and(|slept| slept >= self.silence) && inventory.is_internal(src) {
            self.arrivals.arrive(src, event.ts);
        }
        out.extend(self.arrivals.on_event(event, Self::ID, "spoke again after a long silence"));
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

    fn stage() -> Stage<AwakenedHost> {
        let mut stage = Stage::new(AwakenedHost::new(&Config::default()));
        stage.play([tcp("10.0.0.99", "10.0.0.2", 445).accepted()]);
        stage
    }

    #[test]
    fn mentions_a_sleeper_that_calls_several_at_once() {
        let mut stage = stage();

        stage.play(
            (1..20).map(|n| tcp("10.0.0.99", &format!("10.0.0.{n}"), 445).at(9.0 * DAY).accepted()),
        );

        assert!((stage.weight("10.0.0.99") - 1.0).abs() < 1e-9);
    }

    #[test]
    fn ignores_a_weekend() {
        let mut stage = stage();

        stage.play(
            (1..20).map(|n| tcp("10.0.0.99", &format!("10.0.0.{n}"), 445).at(3.0 * DAY).accepted()),
        );

        stage.assert_silent();
    }

    #[test]
    fn ignores_one_that_takes_its_time() {
        let mut stage = stage();

        stage.play((1..20).map(|n| {
            let at = 9.0 * DAY + f64::from(n) * 1800.0;
            tcp("10.0.0.99", &format!("10.0.0.{n}"), 445).at(at).accepted()
        }));

        stage.assert_silent();
    }
}

//! `scan.dark`: contact with addresses where nobody lives, or with decoys.
//!
//! Nobody has business with an address that never sent anything, so calling several of them is what
//! guessing looks like (Moore, Shannon, Voelker, Savage: "Network Telescopes", 2004; Whyte,
//! Kranakis, van Oorschot: "DNS-based Detection of Scanning Worms", 2005, for the reason that
//! legitimate calls know where they go). A decoy is the same with certainty. An address that is
//! only switched off was known to several hosts; they go on calling it, and that accuses nobody.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::attempt::Attempt;
use super::report::{Gate, REPORT_MIN, Sample};
use super::seen::{Seen, peer_hash};
use super::services::Direction;
use super::{Detector, Evidence, Family, Sight};
use crate::config::units::{self, ByteSize};
use crate::event::Outcome;
use crate::inventory::{Inventory, Networks, Table, Weigh};

/// What is dark.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Addresses and networks that nobody should ever call: honeypots, unused ranges.
    pub decoys: Networks,
    /// Nats for the first decoy called; each further one adds as much.
    #[serde(deserialize_with = "units::nats")]
    pub decoy_nats: f64,
    /// Living hosts in a /24 (IPv6: /64) from which its silent addresses count as dark. Three: in
    /// a network of which the sensor sees less it cannot tell.
    pub neighbours: u32,
    /// Sources that may have called a silent address before it counts as merely switched off.
    pub callers_max: u8,
    /// Dark addresses that every host is forgiven.
    #[serde(deserialize_with = "units::amount")]
    pub forgiven: f64,
    /// Dark addresses that each host that lets it in makes up for: who calls many hosts, a monitor
    /// for one, calls some that are off.
    #[serde(deserialize_with = "units::amount")]
    pub relief: f64,
    /// The most that all of them make up for.
    #[serde(deserialize_with = "units::amount")]
    pub relief_max: f64,
    /// Nats for each further dark address.
    #[serde(deserialize_with = "units::nats")]
    pub nats: f64,
    /// The most nats.
    #[serde(deserialize_with = "units::nats")]
    pub llr_max: f64,
    /// Addresses remembered for one source, at least.
    #[serde(deserialize_with = "units::count")]
    pub targets_max: usize,
    /// Bytes for all sources and dark addresses; those active least recently are forgotten first.
    #[serde(deserialize_with = "units::budget")]
    pub budget: ByteSize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            decoys: Networks::default(),
            decoy_nats: 2.5,
            neighbours: 3,
            callers_max: 2,
            forgiven: 2.0,
            relief: 0.5,
            relief_max: 100.0,
            nats: 0.7,
            llr_max: 5.0,
            targets_max: 512,
            budget: ByteSize::mib(8),
        }
    }
}

#[derive(Debug, Default)]
struct Source {
    seen: Seen,
    decoys: u32,
    dark: u32,
    living: u32,
    has_talked: bool,
    gate: Gate,
    sample: Sample,
}

/// Who has called a silent address: the first ones, up to the limit.
#[derive(Debug, Default)]
struct Callers(Vec<u32>);

/// The detector.
#[derive(Debug)]
pub struct Dark {
    config: Config,
    sources: Table<IpAddr, Source>,
    addresses: Table<IpAddr, Callers>,
}

impl Dark {
    /// The detector's id.
    pub const ID: &'static str = "scan.dark";

    /// A detector that has seen nothing.
    pub fn new(config: &Config) -> Self {
        Self {
            sources: Table::new(config.budget.0 / 2),
            addresses: Table::new(config.budget.0 / 2),
            config: config.clone(),
        }
    }

    /// Whether a silent address is called by so few that it is no old acquaintance.
    fn is_dark(&mut self, attempt: &Attempt, inventory: &Inventory) -> bool {
        let is_home = matches!(attempt.direction, Direction::Internal | Direction::Inbound);
        if !is_home
            || attempt.is_accepted()
            // Whoever says no is there.
            || attempt.outcome == Some(Outcome::Refused)
            || inventory.is_alive(attempt.dst)
            || inventory.neighbours(attempt.dst) < self.config.neighbours
        {
            return false;
        }
        let caller = (peer_hash(attempt.src) >> 32) as u32;
        let max = usize::from(self.config.callers_max);
        self.addresses.update(attempt.dst, true, Callers::default, |callers| {
            if !callers.0.contains(&caller) && callers.0.len() <= max {
                callers.0.push(caller);
            }
            callers.0.len() <= max
        })
    }
}

impl Detector for Dark {
    fn id(&self) -> &'static str {
        Self::ID
    }

    fn on_event(&mut self, event: &Sight<'_>, inventory: &Inventory, out: &mut Vec<Evidence>) {
        let Some(attempt) = event.attempt() else { return };
        let is_decoy = self.config.decoys.contains(attempt.dst);
        let is_inside = matches!(attempt.direction, Direction::Internal | Direction::Inbound);
        let is_living = is_inside && attempt.is_accepted();
        if !is_decoy && !is_living {
            // The end of the input says little; a moment's silence says nothing.
            let failure = attempt.failure(inventory.failure_weight());
            if failure < 0.5 || !self.is_dark(attempt, inventory) {
                return;
            }
        }
        let config = &self.config;
        let is_own = attempt.is_own();
        out.extend(self.sources.update(attempt.src, is_own, Source::default, |source| {
            if !source.seen.insert(peer_hash(attempt.dst), config.targets_max) {
                return None;
            }
            if !is_decoy && attempt.is_accepted() {
                source.living += 1;
                return None;
            }
            source.decoys += u32::from(is_decoy);
            source.dark += u32::from(!is_decoy);
            source.has_talked |= attempt.is_accepted();
            source.sample.add(attempt.dst, Some(attempt.conversation));
            source.evidence(attempt, config)
        }));
    }

    fn state_bytes(&self) -> usize {
        self.sources.bytes() + self.addresses.bytes()
    }
}

impl Source {
    fn evidence(&mut self, attempt: &Attempt, config: &Config) -> Option<Evidence> {
        let relief = (f64::from(self.living) * config.relief).min(config.relief_max);
        let dark = (f64::from(self.dark) - config.forgiven - relief).max(0.0) * config.nats;
        let llr = (dark + f64::from(self.decoys) * config.decoy_nats).min(config.llr_max);
        let total = u64::from(self.dark + self.decoys);
        if llr < REPORT_MIN || !self.gate.opens(llr, config.llr_max, total) {
            return None;
        }
        let summary = match (self.decoys, self.dark) {
            (decoys, 0) => format!("called {decoys} decoys, lastly on {}", attempt.service),
            (0, dark) => format!(
                "called {dark} addresses that never sent anything, lastly on {}",
                attempt.service
            ),
            (decoys, dark) => format!(
                "called {decoys} decoys and {dark} addresses that never sent anything, lastly on {}",
                attempt.service
            ),
        };
        Some(Evidence {
            ts: attempt.ts,
            host: attempt.src,
            detector: Dark::ID,
            family: Family::Decoy,
            llr,
            subject: "dark".to_owned(),
            peers: self.sample.peers(),
            peers_total: total,
            service: Some(attempt.service),
            techniques: &["T1018"],
            conns: self.sample.conns(),
            forgeable: !self.has_talked,
            summary,
        })
    }
}

impl Weigh for Source {
    fn heap_bytes(&self) -> usize {
        self.seen.heap_bytes() + self.sample.heap_bytes()
    }
}

impl Weigh for Callers {
    fn heap_bytes(&self) -> usize {
        self.0.capacity() * size_of::<u32>()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Stage, is_at, tcp};
    use super::*;

    fn stage() -> Stage<Dark> {
        let mut stage = Stage::new(Dark::new(&Config::default()));
        stage.play((1..=5).map(|n| is_at(0.0, &format!("10.0.0.{n}"), n, "10.0.0.1")));
        stage
    }

    #[test]
    fn weighs_addresses_where_nobody_lives() {
        let mut stage = stage();

        stage.play((100..112).map(|n| tcp("10.0.0.5", &format!("10.0.0.{n}"), 445).unanswered()));

        assert!(stage.weight("10.0.0.5") >= 4.9);
        assert!(stage.last("10.0.0.5").summary.contains("never sent anything"));
    }

    #[test]
    fn weighs_a_decoy_at_once() {
        let config = Config {
            decoys: serde_json::from_str(r#"["10.0.9.0/24"]"#).unwrap(),
            ..Config::default()
        };
        let mut stage = Stage::new(Dark::new(&config));

        stage.play([tcp("10.0.0.5", "10.0.9.17", 22).accepted()]);

        assert!(stage.weight("10.0.0.5") >= 2.5);
        assert!(!stage.last("10.0.0.5").forgeable);
    }

    #[test]
    fn ignores_an_address_that_many_still_call() {
        let mut stage = stage();
        for dead in 100..112 {
            for n in 1..=3 {
                let talk = tcp(&format!("10.0.0.{n}"), &format!("10.0.0.{dead}"), 9100);
                stage.play([talk.at(f64::from(n)).refused()]);
            }
        }

        assert!(stage.weight("10.0.0.3") < 0.1);
    }

    #[test]
    fn ignores_a_few_dead_shares_and_an_unknown_network() {
        let mut stage = stage();

        stage.play((100..104).map(|n| tcp("10.0.0.5", &format!("10.0.0.{n}"), 445).unanswered()));
        stage.play((1..50).map(|n| tcp("10.0.0.5", &format!("10.77.0.{n}"), 445).unanswered()));

        stage.assert_silent();
    }

    #[test]
    fn ignores_a_host_that_answered_before_it_was_switched_off() {
        let mut stage = stage();
        for n in 100..120 {
            let server = format!("10.0.0.{n}");
            stage.play([tcp("10.0.0.5", &server, 445).accepted()]);
        }

        stage.play(
            (100..120)
                .map(|n| tcp("10.0.0.5", &format!("10.0.0.{n}"), 445).at(86_400.0).unanswered()),
        );

        stage.assert_silent();
    }
}

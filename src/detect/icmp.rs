//! `scan.icmp`: one source that pings a network, or asks for all of an IPv6 subnet's neighbours.
//!
//! Pings run the sequential test of [`super::walk`] over first contacts, so a monitor whose hosts
//! answer stays on the ground. Neighbour solicitations (RFC 4861) are IPv6's ARP and are counted as
//! [`super::arp`] counts requests; where they go to a solicited-node group, its last three octets
//! stand for the target (RFC 4291, section 2.7.1).

use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::attempt::Attempt;
use super::report::{Gate, Sample, spoken};
use super::seen::{Seen, peer_hash};
use super::services::Direction;
use super::walk::{Odds, Walk};
use super::{Detector, Evidence, Family, Sight};
use crate::config::units::{self, ByteSize};
use crate::event::Body;
use crate::inventory::{Inventory, Role, Table, Weigh};
use crate::net::Transport;
use crate::time::Timestamp;

/// When pings are a sweep.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Odds of a first ping, as for [`super::horizontal::Config::targeted`].
    pub odds: Odds,
    /// Silent hosts that every source is forgiven. Four: a person who looks for a fault pings
    /// along the way, and many networks drop pings from outside.
    #[serde(deserialize_with = "units::amount")]
    pub forgiven: f64,
    /// What a silent host outside counts, of one: many drop pings.
    #[serde(deserialize_with = "units::share")]
    pub outside_weight: f64,
    /// Hosts first pinged within one second from which pings that the end of the input cut off
    /// count half, however short the wait.
    #[serde(deserialize_with = "units::count")]
    pub burst: u32,
    /// New solicited neighbours within [`Config::window`] that every host is forgiven.
    #[serde(deserialize_with = "units::amount")]
    pub neighbours_forgiven: f64,
    /// Nats for each further one.
    #[serde(deserialize_with = "units::nats")]
    pub neighbour_nats: f64,
    /// What a gateway's solicitations count, of one: they follow other hosts' traffic.
    #[serde(deserialize_with = "units::share")]
    pub gateway_weight: f64,
    /// Time in which that many neighbours leak away.
    #[serde(with = "units::span")]
    pub window: Duration,
    /// The most nats for one subject.
    #[serde(deserialize_with = "units::nats")]
    pub llr_max: f64,
    /// Targets remembered for one source, at least.
    #[serde(deserialize_with = "units::count")]
    pub targets_max: usize,
    /// Bytes for all sources; the outsider that was active least recently is forgotten first.
    #[serde(deserialize_with = "units::budget")]
    pub budget: ByteSize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            odds: Odds { benign: 0.8, scanner: 0.2 },
            forgiven: 4.0,
            outside_weight: 0.5,
            burst: 16,
            neighbours_forgiven: 16.0,
            neighbour_nats: 0.35,
            gateway_weight: 0.15,
            window: Duration::from_secs(300),
            llr_max: 10.0,
            targets_max: 512,
            budget: ByteSize::mib(8),
        }
    }
}

#[derive(Debug, Default)]
struct Pings {
    walk: Walk,
    since: Timestamp,
    asked: u32,
    silent: u32,
    burst_since: Timestamp,
    burst: u32,
    gate: Gate,
    sample: Sample,
}

#[derive(Debug, Default)]
struct Neighbours {
    level: f32,
    since: Timestamp,
    last: Timestamp,
    asked: u32,
    gate: Gate,
}

#[derive(Debug, Default)]
struct Source {
    seen: Seen,
    pings: Pings,
    neighbours: Neighbours,
}

/// The detector.
#[derive(Debug)]
pub struct IcmpSweep {
    config: Config,
    sources: Table<IpAddr, Source>,
}

impl IcmpSweep {
    /// The detector's id.
    pub const ID: &'static str = "scan.icmp";

    /// A detector that has seen nothing.
    pub fn new(config: &Config) -> Self {
        Self { sources: Table::new(config.budget.0), config: config.clone() }
    }
}

/// Echo, timestamp, information and mask requests; echo for ICMPv6 (IANA ICMP parameters).
const QUERIES: [u16; 5] = [8, 13, 15, 17, 128];
/// Neighbour solicitation (RFC 4861, section 4.3).
const SOLICITATION: u8 = 135;

impl Detector for IcmpSweep {
    fn id(&self) -> &'static str {
        Self::ID
    }

    fn on_event(&mut self, event: &Sight<'_>, inventory: &Inventory, out: &mut Vec<Evidence>) {
        let config = &self.config;
        match &event.body {
            Body::Contact(_) => {
                let Some(attempt) = event.attempt() else { return };
                let service = attempt.service;
                if service.transport != Transport::Icmp || !QUERIES.contains(&service.port) {
                    return;
                }
                let weight = inventory.failure_weight();
                let is_own = attempt.is_own();
                out.extend(self.sources.update(attempt.src, is_own, Source::default, |source| {
                    source.ping(attempt, weight, config)
                }));
            }
            Body::Icmp(icmp) if icmp.v6 && icmp.kind == SOLICITATION => {
                // From the unspecified address it is duplicate address detection (RFC 4862).
                if icmp.src.is_unspecified() || inventory.may_scan(icmp.src) {
                    return;
                }
                let is_gateway = inventory.has_role(icmp.src, Role::Gateway);
                let weight = if is_gateway { config.gateway_weight } else { 1.0 };
                out.extend(self.sources.update(icmp.src, true, Source::default, |source| {
                    source.solicit(event.ts, icmp.src, icmp.dst, weight, config)
                }));
            }
            _ => {}
        }
    }

    fn state_bytes(&self) -> usize {
        self.sources.bytes()
    }
}

impl Source {
    fn ping(
        &mut self,
        attempt: &Attempt,
        failure_weight: f64,
        config: &Config,
    ) -> Option<Evidence> {
        if !self.seen.insert(peer_hash(attempt.dst), config.targets_max) {
            return None;
        }
        let pings = &mut self.pings;
        if attempt.start.since(pings.burst_since).as_secs() >= 1 {
            pings.burst_since = attempt.start;
            pings.burst = 0;
        }
        pings.burst = pings.burst.saturating_add(1);
        if pings.asked == 0 {
            pings.since = attempt.start;
        }
        pings.asked = pings.asked.saturating_add(1);
        if attempt.is_accepted() {
            if pings.walk.succeed(config.odds.success(), attempt.ts) {
                pings.asked = 0;
                pings.silent = 0;
                pings.sample.clear();
            }
            return None;
        }
        let mut failure = attempt.failure(failure_weight);
        if attempt.outcome.is_none() && pings.burst > config.burst {
            failure = failure.max(0.5 * failure_weight);
        }
        if matches!(attempt.direction, Direction::Outbound) {
            failure *= config.outside_weight;
        }
        pings.silent = pings.silent.saturating_add(1);
        pings.walk.fail(failure * config.odds.failure(), attempt.ts);
        pings.sample.add(attempt.dst, Some(attempt.conversation));
        pings.evidence(attempt, config)
    }

    fn solicit(
        &mut self,
        ts: Timestamp,
        host: IpAddr,
        target: IpAddr,
        weight: f64,
        config: &Config,
    ) -> Option<Evidence> {
        if !self.seen.insert(!peer_hash(target), config.targets_max) {
            return None;
        }
        let forgiven = config.neighbours_forgiven;
        let neighbours = &mut self.neighbours;
        let idle = ts.since(neighbours.last).as_secs_f64() / config.window.as_secs_f64().max(1.0);
        neighbours.level = (f64::from(neighbours.level) - idle * forgiven).max(0.0) as f32;
        if neighbours.level == 0.0 {
            neighbours.since = ts;
            neighbours.asked = 0;
        }
        neighbours.level += weight as f32;
        neighbours.last = ts;
        neighbours.asked += 1;
        let llr = (f64::from(neighbours.level) - forgiven) * config.neighbour_nats;
        let llr = llr.min(config.llr_max);
        if !neighbours.gate.opens(llr, config.llr_max, u64::from(neighbours.asked)) {
            return None;
        }
        Some(Evidence {
            ts,
            host,
            detector: IcmpSweep::ID,
            family: Family::Failure,
            llr,
            subject: "neighbours".to_owned(),
            peers: Vec::new(),
            peers_total: u64::from(neighbours.asked),
            service: None,
            techniques: &["T1018"],
            conns: Vec::new(),
            forgeable: false,
            summary: format!(
                "solicited {} IPv6 neighbours in {} that it had not asked for before",
                neighbours.asked,
                spoken(ts.since(neighbours.since)),
            ),
        })
    }
}

impl Pings {
    fn evidence(&mut self, attempt: &Attempt, config: &Config) -> Option<Evidence> {
        let above = self.walk.height() - config.forgiven * config.odds.failure();
        let llr = above.min(config.llr_max);
        if !self.gate.opens(llr, config.llr_max, u64::from(self.silent)) {
            return None;
        }
        Some(Evidence {
            ts: attempt.ts,
            host: attempt.src,
            detector: IcmpSweep::ID,
            family: Family::Failure,
            llr,
            subject: "ping".to_owned(),
            peers: self.sample.peers(),
            peers_total: u64::from(self.asked),
            service: Some(attempt.service),
            techniques: &["T1018"],
            conns: self.sample.conns(),
            forgeable: true,
            summary: format!(
                "pinged {} hosts in {}, {} did not answer",
                self.asked,
                spoken(attempt.ts.since(self.since)),
                self.silent,
            ),
        })
    }
}

impl Weigh for Source {
    fn heap_bytes(&self) -> usize {
        self.seen.heap_bytes() + self.pings.sample.heap_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Stage, icmp, ping};
    use super::*;

    fn stage() -> Stage<IcmpSweep> {
        Stage::new(IcmpSweep::new(&Config::default()))
    }

    #[test]
    fn convicts_a_sweep() {
        let mut stage = stage();

        stage.play((1..255).map(|n| {
            let at = f64::from(n) * 1e-4;
            ping("10.0.0.66", &format!("10.0.0.{n}")).at(at).cut_off(2.2 - at)
        }));

        assert!(stage.weight("10.0.0.66") >= 9.0);
        assert!(stage.last("10.0.0.66").summary.contains("did not answer"));
    }

    #[test]
    fn convicts_a_sweep_that_finds_one_in_five_and_takes_hours() {
        let mut stage = stage();

        stage.play((1..60).map(|n| {
            let talk = ping("10.0.0.66", &format!("10.0.0.{n}")).at(f64::from(n) * 300.0);
            if n % 5 == 0 { talk.accepted() } else { talk.unanswered() }
        }));

        assert!(stage.weight("10.0.0.66") >= 9.0);
    }

    #[test]
    fn convicts_who_solicits_a_whole_subnet() {
        let mut stage = stage();

        stage.play((0..100).map(|n| {
            icmp(f64::from(n) * 0.1, "fe80::66", &format!("ff02::1:ff00:{n:x}"), SOLICITATION)
        }));

        assert!(stage.weight("fe80::66") >= 9.0);
    }

    #[test]
    fn ignores_a_monitor_with_some_dead_hosts() {
        let mut stage = stage();

        for round in 0..100 {
            stage.play((1..=200).map(|n| {
                let talk = ping("10.0.0.9", &format!("10.0.0.{n}")).at(f64::from(round) * 60.0);
                if n % 10 == 0 { talk.unanswered() } else { talk.accepted() }
            }));
        }

        stage.assert_silent();
    }

    #[test]
    fn ignores_one_that_looks_for_a_fault() {
        let mut stage = stage();

        for round in 0..100 {
            stage.play((1..=4).map(|n| {
                let at = f64::from(round) + f64::from(n) * 10.0;
                ping("10.0.0.7", &format!("10.0.0.{n}")).at(at).unanswered()
            }));
        }

        stage.assert_silent();
    }

    #[test]
    fn ignores_everyday_neighbours_and_duplicate_address_detection() {
        let mut stage = stage();

        stage.play((0..500).map(|n| {
            icmp(f64::from(n) * 60.0, "fe80::7", &format!("ff02::1:ff00:{n:x}"), SOLICITATION)
        }));
        stage.play(
            (0..500).map(|n| icmp(40_000.0, "::", &format!("ff02::1:ff00:{n:x}"), SOLICITATION)),
        );

        stage.assert_silent();
    }
}

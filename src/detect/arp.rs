//! `scan.arp`: one host that asks for the hardware addresses of a whole network.
//!
//! ARP requests are broadcast, so the sensor hears all of them even where it sees no other traffic
//! of the scanner. A host asks for those it talks to, a few a minute, and again and again for the
//! same; a gateway asks for whomever traffic comes in for, in that traffic's order. A sweep asks for
//! *new* targets, fast, mostly one address after the other, and most of them do not exist (Whyte,
//! van Oorschot, Kranakis: "ARP-based Detection of Scanning Worms within an Enterprise Network",
//! 2005, whose factors these are).

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::report::{Gate, Sample, spoken};
use super::seen::{Seen, peer_hash};
use super::{Detector, Evidence, Family, Sight};
use crate::config::units::{self, ByteSize};
use crate::event::{Arp, Body};
use crate::inventory::{Inventory, Role, Table, Weigh};
use crate::net::MacAddr;
use crate::time::Timestamp;

/// When asking is a sweep.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Time in which what is forgiven leaks away.
    #[serde(with = "units::span")]
    pub window: Duration,
    /// New targets by weight within the window that every host is forgiven. Twelve: a host that
    /// starts up asks for its gateway, servers and printers; a busy file server for its clients.
    #[serde(deserialize_with = "units::amount")]
    pub forgiven: f64,
    /// Nats for each further one.
    #[serde(deserialize_with = "units::nats")]
    pub nats: f64,
    /// What any new target counts.
    #[serde(deserialize_with = "units::amount")]
    pub base_weight: f64,
    /// What it counts more when it lies at most four beside the one before: sweeps walk, traffic
    /// does not.
    #[serde(deserialize_with = "units::amount")]
    pub sequential_weight: f64,
    /// What it counts more when it follows the one before within [`Config::fast`].
    #[serde(deserialize_with = "units::amount")]
    pub fast_weight: f64,
    /// Ten new targets a second are more than the traffic of one host makes.
    #[serde(with = "units::span")]
    pub fast: Duration,
    /// Time for a target to show that it is there. Hosts answer within milliseconds.
    #[serde(with = "units::span")]
    pub patience: Duration,
    /// What a target counts, of the above, when it is known to be there.
    #[serde(deserialize_with = "units::share")]
    pub alive_factor: f64,
    /// What a gateway's requests count, of the above: they follow other hosts' traffic.
    #[serde(deserialize_with = "units::share")]
    pub gateway_factor: f64,
    /// Share of targets asked in sequence or fast, or missing while others are seen to answer, that
    /// makes a sweep. Below both, a gateway that starts up looks the same ...
    #[serde(deserialize_with = "units::share")]
    pub sweep_share: f64,
    /// ... see above, missing.
    #[serde(deserialize_with = "units::share")]
    pub missing_share: f64,
    /// ... and this many nats are the most, as for anything that a known gateway asks.
    #[serde(deserialize_with = "units::nats")]
    pub llr_unsure: f64,
    /// The most nats.
    #[serde(deserialize_with = "units::nats")]
    pub llr_max: f64,
    /// Targets remembered for one sender, at least.
    #[serde(deserialize_with = "units::count")]
    pub targets_max: usize,
    /// Bytes for all senders; the one active least recently is forgotten first.
    #[serde(deserialize_with = "units::budget")]
    pub budget: ByteSize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            window: Duration::from_secs(300),
            forgiven: 12.0,
            nats: 0.35,
            base_weight: 0.5,
            sequential_weight: 0.6,
            fast_weight: 0.4,
            fast: Duration::from_millis(100),
            patience: Duration::from_secs(1),
            alive_factor: 0.2,
            gateway_factor: 0.2,
            sweep_share: 0.3,
            missing_share: 0.6,
            llr_unsure: 4.5,
            llr_max: 10.0,
            targets_max: 512,
            budget: ByteSize::mib(8),
        }
    }
}

/// A target that has yet to show that it is there.
#[derive(Clone, Copy, Debug)]
struct Asked {
    at: Timestamp,
    target: IpAddr,
    weight: f32,
}

#[derive(Debug, Default)]
struct Sender {
    seen: Seen,
    pending: VecDeque<Asked>,
    since: Timestamp,
    last: Timestamp,
    last_target: u32,
    /// New targets by weight, leaking.
    level: f32,
    asked: u32,
    in_sequence: u32,
    swept: u32,
    alive: u32,
    missing: u32,
    gate: Gate,
    sample: Sample,
}

/// The detector.
#[derive(Debug)]
pub struct ArpSweep {
    config: Config,
    senders: Table<IpAddr, Sender>,
    /// Who sends probes from no address at all, to tell which host it was when it takes one.
    nameless: Table<MacAddr, IpAddr>,
}

impl ArpSweep {
    /// The detector's id.
    pub const ID: &'static str = "scan.arp";
    /// One part in this many of the budget is for the owners of hardware addresses.
    const NAMES_SHARE: usize = 8;

    /// A detector that has seen nothing.
    pub fn new(config: &Config) -> Self {
        Self {
            senders: Table::new(config.budget.0),
            nameless: Table::new(config.budget.0 / Self::NAMES_SHARE),
            config: config.clone(),
        }
    }

    /// Who asks. A probe (RFC 5227) carries no sender address; a host sends three for the address
    /// it is about to take, but `arping -D` in a loop is a sweep all the same, so the host is the
    /// one that last spoke from this hardware address, and nobody if none did.
    fn sender(&mut self, arp: &Arp) -> Option<IpAddr> {
        if !arp.sender.is_unspecified() {
            self.nameless.update(arp.sender_mac, true, || arp.sender, |known| *known = arp.sender);
            return Some(arp.sender);
        }
        self.nameless.peek(&arp.sender_mac).copied()
    }
}

impl Detector for ArpSweep {
    fn id(&self) -> &'static str {
        Self::ID
    }

    fn on_event(&mut self, event: &Sight<'_>, inventory: &Inventory, out: &mut Vec<Evidence>) {
        let Body::Arp(arp) = &event.body else { return };
        let Some(host) = self.sender(arp) else { return };
        // Gratuitous ARP and announcements ask for the sender's own address.
        if !arp.is_request || arp.target == arp.sender || arp.sender_mac.is_group() {
            return;
        }
        if inventory.may_scan(host) {
            return;
        }
        let is_forged = inventory
            .host(host)
            .and_then(|known| known.mac)
            .is_some_and(|mac| mac != arp.sender_mac);
        let is_gateway = inventory.has_role(host, Role::Gateway);
        let config = &self.config;
        out.extend(self.senders.update(host, true, Sender::default, |sender| {
            if !sender.seen.insert(peer_hash(arp.target), config.targets_max) {
                return None;
            }
            sender.ask(event.ts, arp.target, is_gateway, config);
            sender.settle(event.ts, inventory, config);
            sender.evidence(event.ts, host, (is_forged, is_gateway), config)
        }));
    }

    fn state_bytes(&self) -> usize {
        self.senders.bytes() + self.nameless.bytes()
    }
}

impl Sender {
    /// Targets that wait at most; a faster sweep settles the oldest before its time.
    const PENDING_MAX: usize = 32;

    fn ask(&mut self, ts: Timestamp, target: IpAddr, is_gateway: bool, config: &Config) {
        let gap = ts.since(self.last);
        let idle = gap.as_secs_f64() / config.window.as_secs_f64().max(1.0);
        self.level = (f64::from(self.level) - idle * config.forgiven).max(0.0) as f32;
        if self.level == 0.0 && self.pending.is_empty() {
            self.start_again(ts);
        }
        let number = match target {
            IpAddr::V4(v4) => v4.to_bits(),
            IpAddr::V6(v6) => v6.to_bits() as u32,
        };
        let is_next = self.asked > 0 && (1..=4).contains(&number.abs_diff(self.last_target));
        let is_fast = self.asked > 0 && gap <= config.fast;
        let mut weight = config.base_weight;
        weight += if is_next { config.sequential_weight } else { 0.0 };
        weight += if is_fast { config.fast_weight } else { 0.0 };
        weight *= if is_gateway { config.gateway_factor } else { 1.0 };
        self.pending.push_back(Asked { at: ts, target, weight: weight as f32 });
        self.asked += 1;
        self.in_sequence += u32::from(is_next);
        self.swept += u32::from(is_next || is_fast);
        self.last_target = number;
        self.last = ts;
        self.sample.add(target, None);
    }

    /// Weighs the targets that had their time.
    fn settle(&mut self, now: Timestamp, inventory: &Inventory, config: &Config) {
        while let Some(asked) = self.pending.front().copied() {
            if now.since(asked.at) < config.patience && self.pending.len() <= Self::PENDING_MAX {
                return;
            }
            self.pending.pop_front();
            let is_alive = inventory.is_alive(asked.target);
            let factor = if is_alive { config.alive_factor as f32 } else { 1.0 };
            self.level += asked.weight * factor;
            self.alive += u32::from(is_alive);
            self.missing += u32::from(!is_alive);
        }
    }

    fn start_again(&mut self, ts: Timestamp) {
        self.since = ts;
        self.asked = 0;
        self.in_sequence = 0;
        self.swept = 0;
        self.alive = 0;
        self.missing = 0;
        self.sample.clear();
    }

    /// Whether it walks, runs, or knocks where nobody lives.
    fn is_sweep(&self, config: &Config) -> bool {
        let missing = f64::from(self.missing) / f64::from((self.missing + self.alive).max(1));
        f64::from(self.swept) >= config.sweep_share * f64::from(self.asked)
            || (self.alive > 0 && missing >= config.missing_share)
    }

    fn evidence(
        &mut self,
        ts: Timestamp,
        host: IpAddr,
        (is_forged, is_gateway): (bool, bool),
        config: &Config,
    ) -> Option<Evidence> {
        let is_sure = !is_gateway && self.is_sweep(config);
        let max = if is_sure { config.llr_max } else { config.llr_unsure };
        let llr = ((f64::from(self.level) - config.forgiven) * config.nats).min(max);
        if !self.gate.opens(llr, config.llr_max, u64::from(self.asked)) {
            return None;
        }
        Some(Evidence {
            ts,
            host,
            detector: ArpSweep::ID,
            family: Family::Failure,
            llr,
            subject: "arp".to_owned(),
            peers: self.sample.peers(),
            peers_total: u64::from(self.asked),
            service: None,
            techniques: &["T1018"],
            conns: Vec::new(),
            forgeable: is_forged,
            summary: format!(
                "asked by ARP for {} addresses in {}, {} of them next to the one before, {} of \
                 which nobody is known to have",
                self.asked,
                spoken(ts.since(self.since)),
                self.in_sequence,
                self.missing,
            ),
        })
    }
}

impl Weigh for Sender {
    fn heap_bytes(&self) -> usize {
        self.seen.heap_bytes()
            + self.sample.heap_bytes()
            + self.pending.capacity() * size_of::<Asked>()
    }
}

impl Weigh for IpAddr {}

#[cfg(test)]
mod tests {
    use super::super::testing::{Stage, is_at, tcp, who_has};
    use super::*;

    fn stage() -> Stage<ArpSweep> {
        Stage::new(ArpSweep::new(&Config::default()))
    }

    const SCANNER: &str = "10.0.0.128";

    #[test]
    fn convicts_a_sweep_in_order() {
        let mut stage = stage();

        stage.play(
            (1..255).map(|n| who_has(f64::from(n) * 0.004, SCANNER, 9, &format!("10.0.0.{n}"))),
        );

        assert!(stage.weight(SCANNER) >= 9.0);
        assert!(!stage.last(SCANNER).forgeable);
        assert!(stage.last(SCANNER).summary.contains("next to the one before"));
    }

    #[test]
    fn convicts_a_sweep_in_random_order_at_one_in_two_seconds() {
        let mut stage = stage();

        stage.play((1..200u32).flat_map(|n| {
            let target = n * 97 % 251 + 1;
            let at = f64::from(n) * 2.0;
            let request = who_has(at, SCANNER, 9, &format!("10.0.0.{target}"));
            let answer = is_at(at, &format!("10.0.0.{target}"), target as u8, SCANNER);
            std::iter::once(request).chain((target < 50).then_some(answer))
        }));

        assert!(stage.weight(SCANNER) >= 9.0, "{}", stage.weight(SCANNER));
    }

    #[test]
    fn says_that_another_hardware_address_could_have_planted_it() {
        let mut stage = stage();
        stage.play([is_at(0.0, SCANNER, 9, "10.0.0.1")]);

        stage.play((1..100).map(|n| who_has(1.0, SCANNER, 66, &format!("10.0.0.{n}"))));

        assert!(stage.said.iter().any(|evidence| evidence.forgeable));
    }

    #[test]
    fn names_the_owner_of_probes_without_an_address() {
        let mut stage = stage();
        stage.play([who_has(0.0, SCANNER, 9, "10.0.0.1")]);

        stage.play((1..100).map(|n| who_has(1.0, "0.0.0.0", 9, &format!("10.0.0.{n}"))));

        assert!(stage.weight(SCANNER) >= 9.0);
    }

    #[test]
    fn ignores_a_gateway_that_asks_for_its_hosts() {
        let mut stage = stage();
        for n in 0..6 {
            let outside = format!("203.0.113.{n}");
            let event = tcp("10.0.0.77", &outside, 443).macs(7, 1).conn(1.0, (500, 5000), 2);
            stage.play([event]);
        }
        for n in 2..=40 {
            stage.play([is_at(1.0, &format!("10.0.0.{n}"), n, "10.0.0.1")]);
        }

        stage.play((0..80u32).map(|n| {
            let target = format!("10.0.0.{}", n * 31 % 60 + 2);
            who_has(f64::from(n), "10.0.0.1", 1, &target)
        }));

        stage.assert_silent();
    }

    #[test]
    fn does_not_convict_an_unknown_gateway_that_starts_up() {
        let mut stage = stage();

        stage.play((0..120u32).map(|n| {
            let target = format!("10.0.0.{}", n * 97 % 251 + 1);
            who_has(f64::from(n) * 1.7, "10.0.0.1", 1, &target)
        }));

        assert!(stage.weight("10.0.0.1") <= 4.5, "{}", stage.weight("10.0.0.1"));
    }

    #[test]
    fn ignores_a_host_that_keeps_its_neighbours_warm() {
        let mut stage = stage();

        for round in 0..500 {
            stage.play((1..=10).map(|n| {
                who_has(f64::from(round * 30), "10.0.0.5", 5, &format!("10.0.0.{}", n * 20))
            }));
        }

        stage.assert_silent();
    }

    #[test]
    fn ignores_announcements_and_a_dhcp_server_that_checks_its_leases() {
        let mut stage = stage();

        stage.play((1..200u8).map(|n| {
            let own = format!("10.0.0.{n}");
            who_has(f64::from(n), &own, n, &own)
        }));
        stage.play(
            (1..200).map(|n| who_has(f64::from(n) * 60.0, "10.0.0.2", 2, &format!("10.0.0.{n}"))),
        );

        stage.assert_silent();
    }
}

//! Slips' port scans: connections that were not established, by the hour.
//!
//! Source: `stratosphereips/StratosphereLinuxIPS`, `modules/network_discovery/horizontal_portscan.py`
//! and `vertical_portscan.py` (facts and figures, no code): within a time window of an hour, which is
//! its default, TCP or UDP connections that were not established from one source to at least 5
//! destinations on one port, leaving out destinations whose address came out of DNS, or to at least 5
//! ports of one destination. This is its *evidence*; Slips raises an alert when enough evidence of a
//! window adds up, and it has many modules besides, so the whole of it finds other things and accuses
//! fewer hosts for these.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use super::Accuser;
use super::attempt::{Attempt, Fate};
use crate::net::Transport;
use crate::time::Timestamp;

pub(super) const SOURCE: &str = "Slips, network_discovery, evidence of its two port scans: 5 \
    destinations (not resolved by DNS) on one port, or 5 ports of one destination, not established, TCP \
    or UDP, in windows of 1 h";

/// `time_window_width`, by default.
const WINDOW: Duration = Duration::from_secs(3600);
/// `minimum_dstips_to_set_evidence`.
const HOSTS: usize = 5;
/// `minimum_dports_to_set_evidence`.
const PORTS: usize = 5;

/// What was not established in each window; late news of a window that is over still counts there.
#[derive(Default)]
pub(super) struct Slips {
    first: Option<Timestamp>,
    resolved: BTreeSet<IpAddr>,
    hosts: BTreeMap<(u64, IpAddr, Transport, u16), BTreeSet<IpAddr>>,
    ports: BTreeMap<(u64, IpAddr, Transport, IpAddr), BTreeSet<u16>>,
}

impl Accuser for Slips {
    fn on_attempt(&mut self, attempt: &Attempt) -> bool {
        let first = *self.first.get_or_insert(attempt.start);
        if attempt.fate != Fate::Failed {
            return false;
        }
        let Attempt { src, dst, service, .. } = *attempt;
        let window = attempt.start.nanos_since(first) / WINDOW.as_nanos() as u64;
        let ports = self.ports.entry((window, src, service.transport, dst)).or_default();
        ports.insert(service.port);
        let is_vertical = ports.len() >= PORTS;
        if self.resolved.contains(&dst) {
            return is_vertical;
        }
        let hosts = self.hosts.entry((window, src, service.transport, service.port)).or_default();
        hosts.insert(dst);
        is_vertical || hosts.len() >= HOSTS
    }

    fn on_resolved(&mut self, addr: IpAddr) {
        self.resolved.insert(addr);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::testing::{Talk, ip, tcp, udp};
    use crate::event::Event;

    fn accuses(slips: &mut Slips, events: impl IntoIterator<Item = Event>) -> bool {
        let mut attempts = events.into_iter().filter_map(|event| Attempt::of(&event));
        attempts.any(|attempt| slips.on_attempt(&attempt))
    }

    fn sweep(n: u8) -> Talk {
        tcp("10.0.0.1", &format!("10.0.1.{n}"), 445).at(f64::from(n) * 600.0)
    }

    #[test]
    fn five_destinations_in_an_hour_are_a_horizontal_scan() {
        assert!(accuses(&mut Slips::default(), (0..5).map(|n| sweep(n).unanswered())));
        assert!(!accuses(&mut Slips::default(), (0..4).map(|n| sweep(n).unanswered())));
        assert!(!accuses(&mut Slips::default(), (0..5).map(|n| sweep(n).accepted())));
    }

    #[test]
    fn five_destinations_in_three_hours_are_not() {
        let slow = |n: u8| sweep(n).at(f64::from(n) * 2160.0).unanswered();

        assert!(!accuses(&mut Slips::default(), (0..20).map(slow)));
    }

    #[test]
    fn destinations_that_dns_named_are_left_out() {
        let mut slips = Slips::default();
        slips.on_resolved(ip("10.0.1.3"));

        assert!(!accuses(&mut slips, (0..5).map(|n| sweep(n).refused())));
        assert!(accuses(&mut slips, [sweep(5).refused()]));
    }

    #[test]
    fn five_ports_of_a_destination_are_a_vertical_scan_over_udp_too() {
        let port = |n| udp("10.0.0.1", "10.0.0.2", n).unanswered();

        assert!(accuses(&mut Slips::default(), (1..=5).map(port)));
        assert!(!accuses(&mut Slips::default(), (1..=4).map(port)));
    }
}

//! Zeek's scan policy: failed connections with many hosts, or on many ports of one.
//!
//! Source: `zeek/zeek`, `scripts/policy/misc/scan.zeek` with its defaults: within epochs of five
//! minutes, failed TCP connections of one source on one port with at least 25 hosts, or on at least
//! 15 ports of one host. Failed is: never answered, rejected, or reset by the source before any data
//! crossed. Its reverse test (a SYN-ACK without SYN) is left out.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use super::Accuser;
use super::attempt::{Attempt, Fate};
use crate::time::Timestamp;

pub(super) const SOURCE: &str = "Zeek, policy/misc/scan.zeek, defaults: failed TCP connections on one \
    port with 25 hosts, or on 15 ports of one host, in epochs of 5 min";

/// `Scan::addr_scan_interval` and `Scan::port_scan_interval`.
const EPOCH: Duration = Duration::from_secs(300);
/// `Scan::addr_scan_threshold`.
const HOSTS: usize = 25;
/// `Scan::port_scan_threshold`.
const PORTS: usize = 15;

/// What failed in the current epoch.
#[derive(Default)]
pub(super) struct ZeekScan {
    epoch: Option<Timestamp>,
    hosts: BTreeMap<(IpAddr, u16), BTreeSet<IpAddr>>,
    ports: BTreeMap<(IpAddr, IpAddr), BTreeSet<u16>>,
}

impl Accuser for ZeekScan {
    fn on_attempt(&mut self, attempt: &Attempt) -> bool {
        self.turn(attempt.ts);
        if !attempt.is_tcp() || attempt.fate == Fate::Accepted {
            return false;
        }
        let Attempt { src, dst, service, .. } = *attempt;
        let hosts = self.hosts.entry((src, service.port)).or_default();
        hosts.insert(dst);
        let ports = self.ports.entry((src, dst)).or_default();
        ports.insert(service.port);
        hosts.len() >= HOSTS || ports.len() >= PORTS
    }
}

impl ZeekScan {
    /// Begins a new epoch if it is time; the first begins with the first attempt.
    fn turn(&mut self, now: Timestamp) {
        let begun = *self.epoch.get_or_insert(now);
        let epochs = now.nanos_since(begun) / EPOCH.as_nanos() as u64;
        if epochs > 0 {
            let ahead = epochs * EPOCH.as_nanos() as u64;
            self.epoch =
                Some(Timestamp::from_nanos(begun.as_nanos().saturating_add_unsigned(ahead)));
            self.hosts.clear();
            self.ports.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::testing::{Talk, tcp, udp};
    use crate::event::{Body, ConnState, Event};

    fn accuses(events: impl IntoIterator<Item = Event>) -> bool {
        let mut zeek = ZeekScan::default();
        let mut attempts = events.into_iter().filter_map(|event| Attempt::of(&event));
        attempts.any(|attempt| zeek.on_attempt(&attempt))
    }

    fn sweep(n: u8) -> Talk {
        tcp("10.0.0.1", &format!("10.0.1.{n}"), 445).at(f64::from(n))
    }

    fn port(n: u16) -> Talk {
        tcp("10.0.0.1", "10.0.0.2", n).at(f64::from(n))
    }

    #[test]
    fn twenty_five_failed_hosts_on_a_port_are_an_address_scan() {
        assert!(accuses((0..25).map(|n| sweep(n).refused())));
        assert!(!accuses((0..24).map(|n| sweep(n).refused())));
        assert!(!accuses((0..200).map(|n| sweep(n).accepted())));
    }

    #[test]
    fn fifteen_failed_ports_of_a_host_are_a_port_scan() {
        assert!(accuses((1..=15).map(|n| port(n).refused())));
        assert!(!accuses((1..=14).map(|n| port(n).refused())));
    }

    #[test]
    fn what_failed_five_minutes_ago_is_forgotten() {
        let slow = |n: u8| sweep(n).at(f64::from(n) * 15.0).refused();

        assert!(!accuses((0..100).map(slow)));
    }

    #[test]
    fn a_half_open_scan_of_open_ports_counts_and_udp_does_not() {
        let half_open = (1..=15).map(|n| {
            let mut event = port(n).conn(0.01, (0, 0), 0);
            if let Body::Conn(conn) = &mut event.body {
                conn.state = ConnState::RSTO;
            }
            event
        });

        assert!(accuses(half_open));
        assert!(!accuses((1..=100).map(|n| udp("10.0.0.1", "10.0.0.2", n).refused())));
    }
}

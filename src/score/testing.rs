//! Evidence for tests, short enough to read.

use std::net::IpAddr;

use crate::detect::{Evidence, Family};
use crate::net::Service;
use crate::time::Timestamp;

/// Parses an address that a test wrote.
pub(crate) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// Evidence about 10.0.0.5 that a spoofer could not plant.
pub(crate) fn evidence(detector: &'static str, family: Family, llr: f64, secs: i64) -> Evidence {
    Evidence {
        ts: Timestamp::from_secs(secs),
        host: ip("10.0.0.5"),
        detector,
        family,
        llr,
        subject: "tcp/445".to_owned(),
        peers: vec![ip("10.1.0.1"), ip("10.1.0.2")],
        peers_total: 2,
        service: Some(Service::tcp(445)),
        techniques: &["T1046"],
        conns: Vec::new(),
        forgeable: false,
        summary: "2 of 2 first contacts on tcp/445 failed".to_owned(),
    }
}

/// The same that a spoofer could plant.
pub(crate) fn forgeable(detector: &'static str, family: Family, llr: f64, secs: i64) -> Evidence {
    Evidence { forgeable: true, ..evidence(detector, family, llr, secs) }
}

/// The same about another host.
pub(crate) fn about(host: &str, evidence: Evidence) -> Evidence {
    Evidence { host: ip(host), ..evidence }
}

/// The same with another subject.
pub(crate) fn on(subject: &str, evidence: Evidence) -> Evidence {
    Evidence { subject: subject.to_owned(), ..evidence }
}

/// The same with other peers.
pub(crate) fn to(peers: &[&str], evidence: Evidence) -> Evidence {
    Evidence {
        peers: peers.iter().map(|peer| ip(peer)).collect(),
        peers_total: peers.len() as u64,
        ..evidence
    }
}

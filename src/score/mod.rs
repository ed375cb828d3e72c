//! From evidence to one number a host: the posterior that it is infected.

use std::net::IpAddr;

use serde::Serialize;

use crate::detect::Evidence;
use crate::time::Timestamp;

/// What a score means to an operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Below 50.
    Benign,
    /// From 50.
    Suspicious,
    /// From 90.
    Malicious,
}

/// A host with evidence, as it stands.
#[derive(Clone, Debug)]
pub struct HostScore {
    /// The host.
    pub host: IpAddr,
    /// The posterior now, 0 to 100.
    pub score: f64,
    /// The highest posterior it ever reached, 0 to 100.
    pub peak: f64,
    /// The verdict that the peak deserves.
    pub verdict: Verdict,
    /// When the first evidence came.
    pub first_evidence: Timestamp,
    /// When the last evidence came.
    pub last_evidence: Timestamp,
    /// The evidence held, strongest first, one an identity (detector, subject).
    pub evidence: Vec<Evidence>,
}

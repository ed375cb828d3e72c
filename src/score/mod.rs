//! From evidence to one number a host: the posterior that it is infected.

mod allow;
mod board;
mod config;
mod entry;
mod explain;
mod posterior;
#[cfg(test)]
pub(crate) mod testing;

use std::net::IpAddr;

use serde::Serialize;

use crate::detect::Evidence;
use crate::time::Timestamp;

pub use allow::{AllowReport, Allowlist, Hidden};
pub use board::{Change, ScoreBoard};
pub use config::{Caps, ScoreConfig};
pub use entry::{AllowEntry, Expiry};
pub use explain::{ExplainedEvidence, ExplainedFamily, Explanation};
pub use posterior::{FAMILIES, FamilySum, Weight, family_sums, log_odds, posterior, sum_up, weigh};

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

impl Verdict {
    /// The verdict that a posterior from 0 to 100 deserves.
    pub fn of(score: f64) -> Self {
        if score >= 90.0 {
            Self::Malicious
        } else if score >= 50.0 {
            Self::Suspicious
        } else {
            Self::Benign
        }
    }

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Benign => "benign",
            Self::Suspicious => "suspicious",
            Self::Malicious => "malicious",
        }
    }
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

impl HostScore {
    /// The ids of the detectors that spoke, sorted, each once.
    pub fn detectors(&self) -> Vec<&'static str> {
        let mut ids: Vec<_> = self.evidence.iter().map(|e| e.detector).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// The ATT&CK technique ids of its evidence, sorted, each once.
    pub fn techniques(&self) -> Vec<&'static str> {
        let mut ids: Vec<_> = self.evidence.iter().flat_map(|e| e.techniques).copied().collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }
}

/// Whether the detector `id` is `prefix` or lies under it: `lateral.wmi` under `lateral`.
pub fn is_under(id: &str, prefix: &str) -> bool {
    id.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts_begin_at_50_and_90() {
        assert_eq!(Verdict::of(49.9), Verdict::Benign);
        assert_eq!(Verdict::of(50.0), Verdict::Suspicious);
        assert_eq!(Verdict::of(89.9), Verdict::Suspicious);
        assert_eq!(Verdict::of(90.0), Verdict::Malicious);
    }

    #[test]
    fn a_prefix_ends_at_a_dot() {
        assert!(is_under("scan.horizontal", "scan"));
        assert!(is_under("scan.horizontal", "scan.horizontal"));
        assert!(!is_under("scan.horizontal", "scan.h"));
        assert!(!is_under("scan", "scan.horizontal"));
    }
}

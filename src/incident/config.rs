//! When somebody is told.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::config::units::{self, ByteSize};

/// `[alerts]`: when an alert opens, is reported again, and closes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AlertConfig {
    /// The file that the daemon appends alerts to, one JSON object a line.
    pub file: PathBuf,
    /// Packet time without growth after which an alert is closed.
    #[serde(with = "units::span")]
    pub quiet: Duration,
    /// The least weight of evidence that a kind of behaviour needs for an alert, in nats.
    #[serde(deserialize_with = "units::nats")]
    pub min_llr: f64,
    /// The growth of evidence that is worth another report, in nats.
    #[serde(deserialize_with = "units::nats")]
    pub update_llr: f64,
    /// Target networks with an alert of their own, for one host and kind; more share one.
    #[serde(deserialize_with = "units::count")]
    pub max_networks: usize,
    /// The least packet time between two reports of an incident that grows, unless it doubled or
    /// became worse.
    #[serde(with = "units::span")]
    pub incident_pause: Duration,
    /// Memory for alerts: an eighth for those about incidents, the rest for those about hosts.
    #[serde(deserialize_with = "units::budget")]
    pub budget: ByteSize,
}

impl Default for AlertConfig {
    fn default() -> Self {
        Self {
            file: PathBuf::from("/var/log/wormwatch/alerts.jsonl"),
            quiet: Duration::from_secs(24 * 3600),
            min_llr: 1.0,
            update_llr: 1.0,
            max_networks: 16,
            incident_pause: Duration::from_secs(60),
            budget: ByteSize::mib(32),
        }
    }
}

impl AlertConfig {
    /// Bytes for alerts about incidents.
    pub const fn budget_of_incidents(&self) -> usize {
        self.budget.0 / 8
    }

    /// Bytes for alerts about hosts.
    pub const fn budget_of_hosts(&self) -> usize {
        self.budget.0 - self.budget_of_incidents()
    }
}

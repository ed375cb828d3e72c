//! The parameters of `propagation.turn`, `[detect."propagation.turn"]` in the configuration file.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::config::units::{self, ByteSize};

/// When a host that was entered counts as one that goes on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Log-odds that a chain of hosts, each of which does what was done to it, is a worm's, before
    /// anything speaks for it, in nats. Networks have thousands of services and sizes, so some chain
    /// comes about by chance sooner or later.
    #[serde(deserialize_with = "units::prior")]
    pub prior: f64,
    /// Log-odds that a host which a worm has called is infected, before anything speaks for it.
    #[serde(deserialize_with = "units::prior")]
    pub link_prior: f64,
    /// Nats below which it is no turn at all.
    #[serde(deserialize_with = "units::nats")]
    pub llr_min: f64,
    /// The most nats that one likeness is worth.
    #[serde(deserialize_with = "units::nats")]
    pub likeness_max: f64,
    /// The most nats for beginning soon after.
    #[serde(deserialize_with = "units::nats")]
    pub lag_max: f64,
    /// The share of what other detectors say of one host that counts for its tree: in part they speak
    /// of the same deeds...
    #[serde(deserialize_with = "units::share")]
    pub others_share: f64,
    /// ... and the most nats of it.
    #[serde(deserialize_with = "units::nats")]
    pub others_max: f64,
    /// The most nats for a host that was entered as others were, and has done nothing yet.
    #[serde(deserialize_with = "units::nats")]
    pub victim_max: f64,
    /// The most nats for a host that nobody here infected and that called one host which turned: an
    /// administrator has called everybody, those too that somebody else infects.
    #[serde(deserialize_with = "units::nats")]
    pub origin_max: f64,
    /// The most nats that all of it is worth for one host.
    #[serde(deserialize_with = "units::nats")]
    pub llr_max: f64,
    /// Exchanges remembered of one host on either side; of those that entered it the smallest goes
    /// first, of its own the oldest.
    #[serde(deserialize_with = "units::count")]
    pub exchanges_max: usize,
    /// Packet time after which it is forgotten that a host turned: a worm sleeps two weeks at most.
    #[serde(with = "units::span")]
    pub remember: Duration,
    /// Bytes in all: nine sixteenths for what hosts did, two each for the manners of a network and for
    /// trees, one each for mail, open conversations and what others say. What was used least recently is
    /// forgotten first; of trees, newcomers are counted and not followed.
    #[serde(deserialize_with = "units::budget")]
    pub budget: ByteSize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            prior: -8.0,
            link_prior: -2.2,
            llr_min: 0.0,
            likeness_max: 4.5,
            lag_max: 3.0,
            others_share: 0.5,
            others_max: 6.0,
            victim_max: 3.0,
            origin_max: 4.0,
            llr_max: 8.0,
            exchanges_max: 24,
            remember: Duration::from_secs(28 * 86_400),
            budget: ByteSize::mib(96),
        }
    }
}

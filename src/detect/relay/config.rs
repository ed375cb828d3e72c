//! `[detect."inference.relay"]`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::config::units::{self, ByteSize};
use crate::inventory::Networks;

/// When questions to a language model are worth a word.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Servers of language models that everybody may ask.
    pub servers: Networks,
    /// Time within which an asker was entered before its first question, for that to count.
    #[serde(with = "units::span")]
    pub within: Duration,
    /// Steps from the server to the asker, at most.
    #[serde(deserialize_with = "units::count")]
    pub generations: usize,
    /// Answers of a server from which on it is taken for one of models, where only their cadence tells.
    #[serde(deserialize_with = "units::count")]
    pub drips: u32,
    /// The share of a worm's askers that descend from their server.
    #[serde(deserialize_with = "units::odds")]
    pub worm_share: f64,
    /// The share of others that do, where nothing is known of the network yet...
    #[serde(deserialize_with = "units::odds")]
    pub usual_share: f64,
    /// ... and how many of its askers outweigh that.
    #[serde(deserialize_with = "units::amount")]
    pub prior_askers: f64,
    /// How much likelier others are entered through a web server: mostly it is a visit.
    #[serde(deserialize_with = "units::amount")]
    pub web_factor: f64,
    /// The most nats for having been entered.
    #[serde(deserialize_with = "units::nats")]
    pub entered_max: f64,
    /// Time that the sensor must have watched before a server of models is new.
    #[serde(with = "units::span")]
    pub learning: Duration,
    /// Askers that a server never entered, more than it did, from which on it is one of the house...
    #[serde(deserialize_with = "units::count")]
    pub sanctioned_by: u32,
    /// ... and the nats that this takes away.
    #[serde(deserialize_with = "units::nats")]
    pub sanctioned: f64,
    /// Nats for a server that is new and not one of the house.
    #[serde(deserialize_with = "units::nats")]
    pub fresh: f64,
    /// Nats for each other asker of the server that descends from it...
    #[serde(deserialize_with = "units::nats")]
    pub converging: f64,
    /// ... and the most for all of them.
    #[serde(deserialize_with = "units::nats")]
    pub converging_max: f64,
    /// Time after an answer in which a first contact may follow from it.
    #[serde(with = "units::span")]
    pub acts_within: Duration,
    /// The most nats for each answer, after the first, that a first contact followed...
    #[serde(deserialize_with = "units::nats")]
    pub act_max: f64,
    /// ... and for all of them.
    #[serde(deserialize_with = "units::nats")]
    pub acts_max: f64,
    /// The most nats for an asker: alone it is no suspicion.
    #[serde(deserialize_with = "units::nats")]
    pub llr_max: f64,
    /// The most nats for the server of two such askers or more.
    #[serde(deserialize_with = "units::nats")]
    pub server_max: f64,
    /// Peers and services remembered that a host called, at least.
    #[serde(deserialize_with = "units::count")]
    pub peers_max: usize,
    /// Bytes for all hosts; the one that was active least recently is forgotten first.
    #[serde(deserialize_with = "units::budget")]
    pub budget: ByteSize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            servers: Networks::default(),
            within: Duration::from_hours(48),
            generations: 7,
            drips: 2,
            worm_share: 0.8,
            usual_share: 0.02,
            prior_askers: 25.0,
            web_factor: 4.0,
            entered_max: 3.0,
            learning: Duration::from_hours(24),
            sanctioned_by: 3,
            sanctioned: 2.0,
            fresh: 0.5,
            converging: 0.75,
            converging_max: 1.5,
            acts_within: Duration::from_mins(1),
            act_max: 1.5,
            acts_max: 3.0,
            llr_max: 5.0,
            server_max: 4.0,
            peers_max: 128,
            budget: ByteSize::mib(24),
        }
    }
}

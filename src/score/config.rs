//! The numbers that turn evidence into a posterior.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::is_under;
use crate::config::units::{self, ByteSize};
use crate::detect::Family;

/// `[score]`: how evidence adds up. `docs/scoring.md` says where each number comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ScoreConfig {
    /// Log-odds that a host is infected before anything is known of it, in nats.
    #[serde(deserialize_with = "units::prior")]
    pub prior: f64,
    /// Packet time after which evidence counts for half.
    #[serde(with = "units::span")]
    pub half_life: Duration,
    /// What evidence that a blind spoofer could have planted counts for, 0 to 1.
    #[serde(deserialize_with = "units::share")]
    pub forgeable_weight: f64,
    /// Memory for hosts and their evidence.
    #[serde(deserialize_with = "units::budget")]
    pub budget: ByteSize,
    /// The most that one family can add.
    pub caps: Caps,
    /// What the evidence of detectors is multiplied by, under their ids or prefixes; 1 for all others.
    /// `wormwatch calibrate` writes them.
    #[serde(deserialize_with = "units::factors", skip_serializing_if = "BTreeMap::is_empty")]
    pub scales: BTreeMap<String, f64>,
}

impl ScoreConfig {
    /// What the evidence of `detector` is multiplied by: the factor of its longest name or prefix.
    pub fn scale(&self, detector: &str) -> f64 {
        let named = self.scales.iter().filter(|(name, _)| is_under(detector, name));
        named.max_by_key(|(name, _)| name.len()).map_or(1.0, |(_, factor)| *factor)
    }
}

impl Default for ScoreConfig {
    fn default() -> Self {
        Self {
            prior: -6.0,
            half_life: Duration::from_secs(7 * 24 * 3600),
            forgeable_weight: 0.85,
            budget: ByteSize::mib(64),
            caps: Caps::default(),
            scales: BTreeMap::new(),
        }
    }
}

/// `[score.caps]`: the most that each family can add to a host's log-odds, in nats, because
/// evidence inside one family is not independent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Caps {
    /// Contacts that fail.
    #[serde(deserialize_with = "units::nats")]
    pub failure: f64,
    /// Peers and edges that are new.
    #[serde(deserialize_with = "units::nats")]
    pub novelty: f64,
    /// Addresses that nobody has business with.
    #[serde(deserialize_with = "units::nats")]
    pub decoy: f64,
    /// Logins that fail, accounts that wander.
    #[serde(deserialize_with = "units::nats")]
    pub credential: f64,
    /// Approach that changes with the last outcome.
    #[serde(deserialize_with = "units::nats")]
    pub adaptation: f64,
    /// Administration protocols used as a worm would.
    #[serde(deserialize_with = "units::nats")]
    pub lateral: f64,
    /// Victims that do what was done to them.
    #[serde(deserialize_with = "units::nats")]
    pub causality: f64,
    /// The same content along several edges.
    #[serde(deserialize_with = "units::nats")]
    pub content: f64,
    /// Language models asked on the quiet.
    #[serde(deserialize_with = "units::nats")]
    pub inference: f64,
    /// Behaviour like a recorded outbreak's.
    #[serde(deserialize_with = "units::nats")]
    pub fingerprint: f64,
    /// New or awakened devices.
    #[serde(deserialize_with = "units::nats")]
    pub context: f64,
}

impl Default for Caps {
    fn default() -> Self {
        Self {
            failure: 10.0,
            novelty: 6.0,
            decoy: 5.0,
            credential: 10.0,
            adaptation: 6.0,
            lateral: 8.0,
            causality: 8.0,
            content: 6.0,
            inference: 5.0,
            fingerprint: 6.0,
            context: 1.0,
        }
    }
}

impl Caps {
    /// The cap of `family`, in nats.
    pub const fn of(&self, family: Family) -> f64 {
        match family {
            Family::Failure => self.failure,
            Family::Novelty => self.novelty,
            Family::Decoy => self.decoy,
            Family::Credential => self.credential,
            Family::Adaptation => self.adaptation,
            Family::Lateral => self.lateral,
            Family::Causality => self.causality,
            Family::Content => self.content,
            Family::Inference => self.inference,
            Family::Fingerprint => self.fingerprint,
            Family::Context => self.context,
        }
    }

    /// The same, to be changed.
    pub const fn of_mut(&mut self, family: Family) -> &mut f64 {
        match family {
            Family::Failure => &mut self.failure,
            Family::Novelty => &mut self.novelty,
            Family::Decoy => &mut self.decoy,
            Family::Credential => &mut self.credential,
            Family::Adaptation => &mut self.adaptation,
            Family::Lateral => &mut self.lateral,
            Family::Causality => &mut self.causality,
            Family::Content => &mut self.content,
            Family::Inference => &mut self.inference,
            Family::Fingerprint => &mut self.fingerprint,
            Family::Context => &mut self.context,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(scales: &str) -> Result<ScoreConfig, String> {
        toml::from_str(&format!("[scales]\n{scales}")).map_err(|error| error.to_string())
    }

    #[test]
    fn the_longest_name_says_how_much_a_detector_counts() {
        let config = read("lateral = 0.5\n\"lateral.wmi\" = 2.0").unwrap();

        let scales = ["lateral.wmi", "lateral.dcom", "scan.slow"].map(|id| config.scale(id));

        assert_eq!(scales, [2.0, 0.5, 1.0]);
    }

    #[test]
    fn scales_are_finite_and_not_negative() {
        assert!(read("lateral = -0.5").unwrap_err().contains("a factor from 0 to 10"));
        assert!(read("lateral = inf").is_err());
        assert!(read("lateral = 11.0").is_err());
    }
}

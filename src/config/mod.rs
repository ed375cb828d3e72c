//! The configuration: one TOML file, checked once, in which every mistake is an error with a line.

mod changes;
mod check;
mod error;
mod file;
mod network;
pub mod units;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::daemon::LogSettings;
use crate::decode::DecodeConfig;
use crate::detect::DetectConfig;
use crate::flow::FlowConfig;
use crate::incident::AlertConfig;
use crate::inventory::InventoryConfig;
use crate::rules::RuleConfig;
use crate::score::{AllowEntry, ScoreConfig};
use crate::source::live::LiveConfig;
use crate::web::WebSettings;

pub use error::{ConfigError, Mistake};
pub use file::EXAMPLE;
pub use network::NetworkConfig;

/// Everything an operator may change; one section a stage.
///
/// A stage's section is a field here: a struct that implements `Default`, `Serialize` and
/// `Deserialize` with `default` and `deny_unknown_fields`. Its lines in `systemd/wormwatch.toml`
/// are compared with its defaults by a test.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// `[sensor]`: who is watching.
    pub sensor: SensorConfig,
    /// `[network]`: what is ours.
    pub network: NetworkConfig,
    /// `[capture]`: which interfaces the daemon listens on.
    pub capture: LiveConfig,
    /// `[decode]`: what decoding may hold.
    pub decode: DecodeConfig,
    /// `[flow]`: how connections are tracked.
    pub flow: FlowConfig,
    /// `[inventory]`: what is learned of hosts.
    pub inventory: InventoryConfig,
    /// `[detect.<id>]`: when each detector speaks.
    pub detect: DetectConfig,
    /// `[rules]`: the Sigma rules that events are compared with.
    pub rules: RuleConfig,
    /// `[score]`: how evidence adds up.
    pub score: ScoreConfig,
    /// `[alerts]`: when somebody is told.
    pub alerts: AlertConfig,
    /// `[web]`: the HTTP door.
    pub web: WebSettings,
    /// `[log]`: what the daemon says of itself.
    pub log: LogSettings,
    /// `[[allow]]`: what is known and wanted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<AllowEntry>,
}

/// `[sensor]`: who is watching.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SensorConfig {
    /// The sensor's name, which every alert carries; empty for none.
    pub name: String,
    /// Threads that track connections; 1 does everything on one thread.
    #[serde(deserialize_with = "units::count")]
    pub threads: usize,
}

impl Default for SensorConfig {
    fn default() -> Self {
        Self { name: String::new(), threads: 1 }
    }
}

impl SensorConfig {
    /// The name, if it has one.
    pub fn name(&self) -> Option<&str> {
        (!self.name.is_empty()).then_some(self.name.as_str())
    }
}

impl Config {
    /// Reads a configuration file, and the rules that it asks for.
    ///
    /// # Errors
    /// If it cannot be read, is no TOML, or says something that has no meaning here, or if its
    /// rules do; with file, line and the nearest known name.
    pub fn load(path: &std::path::Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
        let mut config = Self::parse(&text, path)?;
        config.rules.load(path.parent().unwrap_or(path))?;
        Ok(config)
    }

    /// Reads a configuration from `text`, which came from `path`.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn parse(text: &str, path: &std::path::Path) -> Result<Self, ConfigError> {
        let config: Self = toml::from_str(text)
            .map_err(|error| ConfigError::new(&error, text, PathBuf::from(path)))?;
        config.check().map_err(|mismatch| ConfigError::of(&mismatch, text, PathBuf::from(path)))?;
        Ok(config)
    }

    /// Writes the configuration in effect as TOML.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("a configuration is made of tables, numbers and strings")
    }
}

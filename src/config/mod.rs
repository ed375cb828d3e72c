//! The configuration: one TOML file, checked once, in which every mistake is an error with a line.

mod error;
mod file;
mod network;
pub mod units;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::incident::AlertConfig;
use crate::score::{AllowEntry, ScoreConfig};

pub use error::ConfigError;
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
    /// `[score]`: how evidence adds up.
    pub score: ScoreConfig,
    /// `[alerts]`: when somebody is told.
    pub alerts: AlertConfig,
    /// `[web]`: the HTTP door.
    pub web: WebConfig,
    /// `[log]`: what the daemon says of itself.
    pub log: LogConfig,
    /// `[[allow]]`: what is known and wanted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<AllowEntry>,
}

/// `[sensor]`: who is watching.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SensorConfig {
    /// The sensor's name, which every alert carries; empty for none.
    pub name: String,
}

impl SensorConfig {
    /// The name, if it has one.
    pub fn name(&self) -> Option<&str> {
        (!self.name.is_empty()).then_some(self.name.as_str())
    }
}

/// `[web]`: the HTTP door, for metrics, health and the host board.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WebConfig {
    /// Address and port to listen on.
    pub listen: SocketAddr,
}

impl Default for WebConfig {
    fn default() -> Self {
        Self { listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9477) }
    }
}

/// `[log]`: what the daemon says of itself, on standard error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogConfig {
    /// What is worth saying, as `tracing` filters are written: `info`, `wormwatch=debug,warn`.
    pub filter: String,
    /// How a line looks.
    pub format: LogFormat,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { filter: "info".to_owned(), format: LogFormat::Text }
    }
}

/// How a line of the log looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl Config {
    /// Reads a configuration file.
    ///
    /// # Errors
    /// If it cannot be read, is no TOML, or says something that has no meaning here; with file,
    /// line and the nearest known name.
    pub fn load(path: &std::path::Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
        Self::parse(&text, path)
    }

    /// Reads a configuration from `text`, which came from `path`.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn parse(text: &str, path: &std::path::Path) -> Result<Self, ConfigError> {
        toml::from_str(text).map_err(|error| ConfigError::new(&error, text, PathBuf::from(path)))
    }

    /// Writes the configuration in effect as TOML.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("a configuration is made of tables, numbers and strings")
    }
}

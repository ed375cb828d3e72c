//! What the daemon asks of the pipeline, so that signals, privileges and HTTP know nothing of
//! packets.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crossbeam_channel::Receiver;
use serde::{Deserialize, Serialize};

use super::log::LogSettings;
use crate::pipeline::published::Published;
use crate::sink::alerts::AlertSink;
use crate::web::WebSettings;

/// Whatever an engine has to say about why it cannot go on.
pub type EngineError = Box<dyn Error + Send + Sync>;

/// What the daemon itself needs of the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// `[web]`.
    pub web: WebSettings,
    /// `[log]`.
    pub log: LogSettings,
    /// `[alerts]`.
    pub alerts: AlertSettings,
}

/// `[alerts]` of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AlertSettings {
    /// The file that alerts are appended to, one JSON object a line.
    pub file: PathBuf,
}

impl Default for AlertSettings {
    fn default() -> Self {
        Self { file: PathBuf::from("/var/log/wormwatch/alerts.jsonl") }
    }
}

/// What the daemon tells a running pipeline.
#[derive(Debug)]
pub enum Command<C> {
    /// Work by this configuration from now on.
    Reload(Box<C>),
    /// Take no more packets, finish what was taken, deliver the last alerts, return.
    Stop,
}

/// What a running pipeline is connected to.
pub struct Wiring<C> {
    /// Where it publishes what it knows, and beats its heart on every turn of the packet loop.
    pub published: Arc<Published>,
    /// What it is told. It looks at least once a second.
    pub commands: Receiver<Command<C>>,
    /// Where its alerts go.
    pub alerts: Box<dyn AlertSink>,
}

/// The pipeline, as the daemon sees it.
pub trait Engine: Send + 'static {
    /// The whole configuration, checked.
    type Config: Clone + Send + 'static;
    /// The opened capture.
    type Capture: Send + 'static;

    /// Reads and checks a configuration file.
    fn load(path: &Path) -> Result<Self::Config, EngineError>;

    /// What the daemon itself needs of it.
    fn settings(config: &Self::Config) -> Settings;

    /// The names of the settings that differ and take effect only after a restart.
    fn needs_restart(running: &Self::Config, asked: &Self::Config) -> Vec<String>;

    /// Opens the capture. Of all privileges only CAP_NET_RAW is left then.
    fn open(config: &Self::Config) -> Result<Self::Capture, EngineError>;

    /// Works until it is told to stop, and returns when all is delivered. Runs on a plain thread.
    fn run(
        config: Self::Config,
        capture: Self::Capture,
        wiring: Wiring<Self::Config>,
    ) -> Result<(), EngineError>;
}

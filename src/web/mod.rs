//! The read-only HTTP door: metrics, health, the host board, recent alerts.

mod api;
mod health;
mod server;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use serde::{Deserialize, Serialize};

pub use self::api::router;
pub use self::health::{Heart, STALL, now};
pub use self::server::{WebError, bind, serve};
use crate::pipeline::published::Published;
use crate::sink::alerts::AlertLogCounters;

/// `[web]` of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WebSettings {
    /// Address and port to listen on. There is no login: keep it on loopback, or behind a proxy
    /// that asks for one.
    pub listen: SocketAddr,
}

impl Default for WebSettings {
    fn default() -> Self {
        Self { listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 9477)) }
    }
}

/// Everything that the pages show.
#[derive(Debug)]
pub struct View {
    /// What detection publishes.
    pub published: Arc<Published>,
    /// The packet loop's heartbeat.
    pub heart: Heart,
    /// What became of the lines of the alert file, where there is one.
    pub alert_log: Option<Arc<AlertLogCounters>>,
    /// When the process started, in seconds since the epoch.
    pub started: f64,
    /// Whether the configuration last asked for is in use.
    pub config_loaded: AtomicBool,
}

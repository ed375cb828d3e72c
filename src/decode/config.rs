//! What an operator may choose about decoding: how much waits for missing fragments, and how long.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::config::units::{self, ByteSize};

/// The `[decode]` section.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct DecodeConfig {
    /// Memory for fragments that wait for the rest of their datagram, in bytes.
    #[serde(deserialize_with = "units::budget")]
    pub budget: ByteSize,
    /// How long, in packet time, a datagram waits after its first fragment.
    #[serde(with = "units::span")]
    pub fragment_timeout: Duration,
}

impl Default for DecodeConfig {
    /// 4 MiB as in Linux (`ipfrag_high_thresh`), and its 30 s; RFC 8200 section 4.5 allows 60 s.
    fn default() -> Self {
        Self { budget: ByteSize::mib(4), fragment_timeout: Duration::from_secs(30) }
    }
}

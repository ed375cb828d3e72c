//! `[[errand]]`: who brings what to whom, how often, and who goes on with it.

use std::time::Duration;

use serde::de::{self, Unexpected};
use serde::{Deserialize, Deserializer};
use toml::Spanned;

use super::file::integer;
use crate::config::units::span;

/// An errand: one host visits others, one after another. Whoever was visited may go on with another
/// errand, or with the same one.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ErrandFile {
    /// What others call it.
    pub name: Spanned<String>,
    /// Who does it: hosts by name or address, or all whose names are this and a number. Without it,
    /// whoever is sent by another errand; with it, of those only these.
    #[serde(default)]
    pub by: Vec<Spanned<String>>,
    /// Whom they visit, likewise.
    pub to: Vec<Spanned<String>>,
    /// In what words.
    pub over: Over,
    /// A host that each visit goes through: `by` calls it, and it calls on, at the same time.
    #[serde(default)]
    pub through: Option<Spanned<String>>,
    /// Bytes that go from `by` to `to`, the same ones in each visit of a round, and along a chain.
    #[serde(deserialize_with = "size")]
    pub bytes: u32,
    /// Bytes that come back.
    #[serde(default = "answer", deserialize_with = "size")]
    pub answer: u32,
    /// Whether `to` call and fetch, instead of being called.
    #[serde(default)]
    pub fetched: bool,
    /// Whether only those of `to` are visited that live in the same subnet.
    #[serde(default)]
    pub near: bool,
    /// How many of `to` are visited, chosen at random each time; 0 for all in their order.
    #[serde(default, deserialize_with = "picks")]
    pub picks: u32,
    /// When it begins, after the start; without it, when another errand sends somebody.
    #[serde(default, with = "humantime_serde")]
    pub after: Option<Duration>,
    /// From one round to the next; without it, there is one.
    #[serde(default, deserialize_with = "some_span")]
    pub every: Option<Duration>,
    /// Within which time of a round's beginning, or of being sent, each begins.
    #[serde(default = "soon", with = "span")]
    pub within: Duration,
    /// From one visit to the next, half to one and a half of it.
    #[serde(default = "pause", with = "span")]
    pub pause: Duration,
    /// Errands that whoever was visited begins then, once a round.
    #[serde(default)]
    pub then: Vec<Spanned<String>>,
    /// The account that it logs in with, over `smb` and `ssh`.
    #[serde(default = "account")]
    pub account: String,
}

/// What a visit speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// SMB3 with an NTLM login: a file is written to a share, or fetched under encryption.
    Smb,
    /// Secure shell with a key.
    Ssh,
    /// HTTP, on 80 or another port.
    Http(u16),
    /// Windows remote management, on 5985.
    Winrm,
    /// TLS, on 443 or another port.
    Tls(u16),
    /// TCP without structure.
    Tcp(u16),
    /// A datagram, and its answer.
    Udp(u16),
    /// BitTorrent's handshake and pieces, on a port of the host's own.
    Bittorrent,
}

impl Over {
    /// The port, where all hosts have the same.
    pub const fn port(self) -> Option<u16> {
        match self {
            Self::Smb => Some(445),
            Self::Ssh => Some(22),
            Self::Winrm => Some(5985),
            Self::Http(port) | Self::Tls(port) | Self::Tcp(port) | Self::Udp(port) => Some(port),
            Self::Bittorrent => None,
        }
    }

    fn of(text: &str) -> Option<Self> {
        let (word, port) = match text.split_once('/') {
            Some((word, port)) => (word, Some(port.parse().ok().filter(|port| *port > 0)?)),
            None => (text, None),
        };
        Some(match (word, port) {
            ("smb", None) => Self::Smb,
            ("ssh", None) => Self::Ssh,
            ("winrm", None) => Self::Winrm,
            ("bittorrent", None) => Self::Bittorrent,
            ("http", port) => Self::Http(port.unwrap_or(80)),
            ("tls", port) => Self::Tls(port.unwrap_or(443)),
            ("tcp", Some(port)) => Self::Tcp(port),
            ("udp", Some(port)) => Self::Udp(port),
            _ => return None,
        })
    }
}

impl<'de> Deserialize<'de> for Over {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let expected = "`smb`, `ssh`, `winrm`, `bittorrent`, `http`, `http/8530`, `tls`, \
                        `tls/8443`, `tcp/7680` or `udp/7946`";
        Self::of(&text).ok_or_else(|| de::Error::invalid_value(Unexpected::Str(&text), &expected))
    }
}

const fn answer() -> u32 {
    200
}

const fn soon() -> Duration {
    Duration::from_secs(1)
}

const fn pause() -> Duration {
    Duration::from_secs(2)
}

fn account() -> String {
    "svc-deploy".to_owned()
}

fn size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    integer(deserializer, (1, 1 << 30), "a number of bytes from 1 to 1073741824")
}

fn picks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    integer(deserializer, (0, 20_000), "a number of hosts from 0 to 20000")
}

fn some_span<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    span::deserialize(deserializer).map(Some)
}

//! `[[worm]]`: how a worm behaves. What its exploit would be is nowhere said, since none is sent.

use std::time::Duration;

use ipnet::Ipv4Net;
use serde::{Deserialize, Deserializer};
use toml::Spanned;

use super::file::integer;
use super::role::{Role, System};
use crate::config::units::{share, span};

/// A worm.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WormFile {
    /// What it is called in the truth.
    pub name: Spanned<String>,
    /// Hosts that have it from the beginning, by name or address; or `outside`, which enters from
    /// the Internet.
    pub patient_zero: Vec<Spanned<String>>,
    /// When it begins, after the start of the scenario.
    #[serde(with = "humantime_serde")]
    pub after: Duration,
    /// The services that it enters through; with several, another for each target and attempt.
    pub services: Vec<Way>,
    /// Systems that it can enter; without them all.
    #[serde(default)]
    pub systems: Option<Vec<System>>,
    /// Detectors, or beginnings of their names, that ought to speak.
    #[serde(default)]
    pub classes: Vec<String>,
    /// `[worm.search]`.
    #[serde(default)]
    pub search: SearchFile,
    /// `[worm.entry]`.
    #[serde(default)]
    pub entry: EntryFile,
    /// `[worm.account]`: the account that it logs in with.
    #[serde(default)]
    pub account: Option<AccountFile>,
    /// `[worm.inference]`: where it thinks.
    #[serde(default)]
    pub inference: Option<InferenceFile>,
    /// It stops when so many hosts have it, 1 to 100 000.
    #[serde(default = "unlimited", deserialize_with = "host_limit")]
    pub most: u32,
}

/// A way into a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Way {
    /// File sharing of Windows, TCP port 445.
    Smb,
    /// Secure shell, 22.
    Ssh,
    /// Telnet, 23.
    Telnet,
    /// A web server, 80.
    Http,
    /// Windows remote management, 5985.
    Winrm,
    /// Remote desktop, 3389.
    Rdp,
    /// File transfer, 21.
    Ftp,
    /// A database, 5432.
    Postgresql,
    /// A key-value store, 6379.
    Redis,
    /// Mail that somebody opens.
    Mail,
}

/// `[worm.search]`: how it finds targets.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SearchFile {
    /// In which order.
    pub strategy: Strategy,
    /// Where; without it in the subnets of the scenario.
    pub networks: Vec<Ipv4Net>,
    /// The share of attempts in its own subnet, for `random`.
    #[serde(deserialize_with = "share")]
    pub local: f64,
    /// From one attempt to the next on average, 1 ms to 30 days.
    #[serde(with = "span")]
    pub pace: Duration,
    /// Whether the pace is that of a clock instead of random.
    pub regular: bool,
    /// Attempts after which it sleeps, 0 for never.
    pub burst: u32,
    /// For how long it sleeps.
    #[serde(with = "span")]
    pub sleep: Duration,
    /// Attempts that one host makes at most, 1 to 10 000 000.
    #[serde(deserialize_with = "attempts")]
    pub attempts: u32,
    /// Whether it tries the next service after a failure, on the same target.
    pub persistent: bool,
}

impl Default for SearchFile {
    fn default() -> Self {
        Self {
            strategy: Strategy::Random,
            networks: Vec::new(),
            local: 0.5,
            pace: Duration::from_secs(1),
            regular: false,
            burst: 0,
            sleep: Duration::from_mins(10),
            attempts: 10_000_000,
            persistent: false,
        }
    }
}

/// In which order targets are tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// Addresses at random.
    #[default]
    Random,
    /// Addresses one after another, from its own on.
    Sequential,
    /// Hosts that exist and have the service, from a list made beforehand and split at each
    /// infection (Staniford, Paxson, Weaver 2002).
    HitList,
    /// Hosts that it knows from what the victim talks to: it goes where something listens.
    Known,
}

/// `[worm.entry]`: how it gets in, and what follows.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EntryFile {
    /// The share of attempts on a host that has the service and system that succeed.
    #[serde(deserialize_with = "share")]
    pub success: f64,
    /// The share of hosts that cannot be entered whatever is tried.
    #[serde(deserialize_with = "share")]
    pub immune: f64,
    /// Bytes that it copies, 1 to 1 000 000 000.
    #[serde(deserialize_with = "bytes")]
    pub size: u32,
    /// Whether every copy differs.
    pub polymorphic: bool,
    /// How the copy gets there.
    pub copies: Copies,
    /// From an entry to the victim's own first attempt, on average.
    #[serde(with = "span")]
    pub latency: Duration,
    /// The share of victims that open a lasting connection back to their intruder.
    #[serde(deserialize_with = "share")]
    pub reversal: f64,
    /// Guesses at a password in one attempt, where the service asks for one; 1 to 1000.
    #[serde(deserialize_with = "guesses")]
    pub guesses: u32,
}

impl Default for EntryFile {
    fn default() -> Self {
        Self {
            success: 1.0,
            immune: 0.0,
            size: 300_000,
            polymorphic: false,
            copies: Copies::Pushed,
            latency: Duration::from_secs(20),
            reversal: 0.0,
            guesses: 1,
        }
    }
}

/// How a copy gets to the victim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Copies {
    /// Over the connection that it entered by.
    Pushed,
    /// The victim fetches it from its intruder over HTTP.
    Fetched,
    /// The victim fetches it from a server of the Internet.
    Hosted,
}

/// `[worm.account]`: what it logs in with.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountFile {
    /// The account's name.
    pub name: String,
    /// Whether every infected host uses it; otherwise each has one of its own.
    #[serde(default)]
    pub shared: bool,
}

/// `[worm.inference]`: a language model that steers it.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct InferenceFile {
    /// Hosts that can run the model, by name or address; an infected host without calls the
    /// nearest of its ancestors that can.
    pub gpus: Vec<Spanned<String>>,
    /// How it is asked.
    pub api: Api,
    /// Whether the questions are encrypted.
    pub tls: bool,
    /// The port that it is asked on.
    pub port: u16,
    /// The model's name.
    pub model: String,
    /// From one token of an answer to the next, on average.
    #[serde(with = "span")]
    pub cadence: Duration,
    /// Tokens of an answer, on average, 1 to 100 000.
    #[serde(deserialize_with = "tokens")]
    pub tokens: u32,
    /// From an answer to what it leads to, on average.
    #[serde(with = "span")]
    pub acts_after: Duration,
}

impl Default for InferenceFile {
    fn default() -> Self {
        Self {
            gpus: Vec::new(),
            api: Api::Ollama,
            tls: false,
            port: 11_434,
            model: "open-weights:32b".to_owned(),
            cadence: Duration::from_millis(45),
            tokens: 180,
            acts_after: Duration::from_secs(2),
        }
    }
}

/// How a language model is asked over HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Api {
    /// `POST /api/chat`, an answer of one JSON object a line.
    Ollama,
    /// `POST /v1/chat/completions`, an answer of server-sent events.
    Openai,
}

const fn unlimited() -> u32 {
    100_000
}

fn host_limit<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    integer(deserializer, (1, 100_000), "a number of hosts from 1 to 100000")
}

fn attempts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    integer(deserializer, (1, 10_000_000), "a number of attempts from 1 to 10000000")
}

fn bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    integer(deserializer, (1, 1_000_000_000), "a number of bytes from 1 to 1000000000")
}

fn guesses<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    integer(deserializer, (1, 1000), "a number of guesses from 1 to 1000")
}

fn tokens<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    integer(deserializer, (1, 100_000), "a number of tokens from 1 to 100000")
}

impl Way {
    /// The TCP port that it goes through.
    pub const fn port(self) -> u16 {
        match self {
            Self::Smb => 445,
            Self::Ssh => 22,
            Self::Telnet => 23,
            Self::Http => 80,
            Self::Winrm => 5985,
            Self::Rdp => 3389,
            Self::Ftp => 21,
            Self::Postgresql => 5432,
            Self::Redis => 6379,
            Self::Mail => 25,
        }
    }
}

impl SearchFile {
    /// Whether a host of this role is a target: telephones are not.
    pub const fn wants(role: Role) -> bool {
        !matches!(role, Role::Phone)
    }
}

//! The scenario file: every key, with its unit and range. `docs/synth.md` explains them to people.

use std::net::Ipv4Addr;
use std::time::Duration;

use ipnet::Ipv4Net;
use serde::de::{self, Unexpected};
use serde::{Deserialize, Deserializer};
use toml::Spanned;
use toml::value::Datetime;

use super::errand_file::ErrandFile;
use super::role::{Role, System};
use super::worm_file::WormFile;
use crate::config::units::share;

/// A scenario as it is written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScenarioFile {
    /// What to see, in a line.
    pub title: String,
    /// The class of the capture in its truth.
    #[serde(default = "benign")]
    pub label: String,
    /// What decides everything random.
    #[serde(default = "one")]
    pub seed: u64,
    /// When it begins; without offset in UTC.
    pub start: Spanned<Datetime>,
    /// How long it lasts: 1 s to 366 days.
    #[serde(deserialize_with = "duration")]
    pub duration: Duration,
    /// The domain of the house, for names and accounts.
    #[serde(default = "domain")]
    pub domain: String,
    /// `[[subnet]]`.
    #[serde(rename = "subnet")]
    pub subnets: Vec<SubnetFile>,
    /// `[[hosts]]`.
    pub hosts: Vec<HostsFile>,
    /// `[background]`.
    #[serde(default)]
    pub background: BackgroundFile,
    /// `[internet]`.
    #[serde(default)]
    pub internet: InternetFile,
    /// `[[outage]]`.
    #[serde(rename = "outage", default)]
    pub outages: Vec<OutageFile>,
    /// `[[errand]]`.
    #[serde(rename = "errand", default)]
    pub errands: Vec<ErrandFile>,
    /// `[[tap]]`; without any, everything is seen.
    #[serde(rename = "tap", default)]
    pub taps: Vec<TapFile>,
    /// `[[worm]]`.
    #[serde(rename = "worm", default)]
    pub worms: Vec<WormFile>,
}

/// `[[subnet]]`: hosts between which no router stands.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubnetFile {
    /// What others call it.
    pub name: Spanned<String>,
    /// Its addresses, /8 to /30; the first is the router's.
    pub network: Spanned<Ipv4Net>,
    /// The one address that its hosts have beyond it, where they are translated.
    #[serde(default)]
    pub nat: Option<Ipv4Addr>,
}

/// `[[hosts]]`: hosts of a kind.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostsFile {
    /// What they are there for.
    pub role: Role,
    /// Where they live.
    pub subnet: Spanned<String>,
    /// How many: 1 to 20 000.
    #[serde(default = "one_host", deserialize_with = "host_count")]
    pub count: u32,
    /// The number of the first within the subnet: 2 means `.2` in a /24. Without it, they follow
    /// those before them.
    #[serde(default)]
    pub first: Option<Spanned<u32>>,
    /// Their names, followed by a number where there are several; without it the role's.
    #[serde(default)]
    pub name: Option<String>,
    /// Their system; without it the role's.
    #[serde(default)]
    pub system: Option<System>,
    /// TCP ports that are open; without them the role's.
    #[serde(default)]
    pub services: Option<Vec<u16>>,
    /// Whether they are on day and night; without it, the role's habit.
    #[serde(default)]
    pub always_on: Option<bool>,
}

/// `[background]`: what ordinary hosts do.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BackgroundFile {
    /// Multiplies every rate, 0 to 100.
    #[serde(deserialize_with = "factor")]
    pub scale: f64,
    /// Multiplies the sizes of transfers, 0.001 to 100.
    #[serde(deserialize_with = "size_factor")]
    pub volume: f64,
    /// The share of workstations that stay on over night.
    #[serde(deserialize_with = "share")]
    pub stay_on: f64,
    /// How many web sites of the Internet there are, 1 to 100 000.
    #[serde(deserialize_with = "site_count")]
    pub sites: u32,
    /// `[background.rates]`.
    pub rates: Rates,
}

impl Default for BackgroundFile {
    fn default() -> Self {
        Self { scale: 1.0, volume: 1.0, stay_on: 0.2, sites: 20_000, rates: Rates::default() }
    }
}

/// `[background.rates]`: how often a host does something, per hour at its busiest; 0 to 3600.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rates {
    /// Pages of the web.
    #[serde(deserialize_with = "rate")]
    pub web: f64,
    /// Names that are looked up for nothing: mistyped, searched for, gone.
    #[serde(deserialize_with = "rate")]
    pub names: f64,
    /// Looks into the mailbox; each fifth sends something.
    #[serde(deserialize_with = "rate")]
    pub mail: f64,
    /// Visits to a file share.
    #[serde(deserialize_with = "rate")]
    pub files: f64,
    /// Tickets and directory searches beyond the logon.
    #[serde(deserialize_with = "rate")]
    pub directory: f64,
    /// Visits to a server of the house.
    #[serde(deserialize_with = "rate")]
    pub intranet: f64,
    /// Documents printed.
    #[serde(deserialize_with = "rate")]
    pub print: f64,
    /// Phone calls, of a phone.
    #[serde(deserialize_with = "rate")]
    pub calls: f64,
    /// Video meetings.
    #[serde(deserialize_with = "rate")]
    pub meetings: f64,
    /// Questions to a language model.
    #[serde(deserialize_with = "rate")]
    pub assistant: f64,
    /// Sessions of developers and administrators over SSH.
    #[serde(deserialize_with = "rate")]
    pub ssh: f64,
    /// Queries of web servers to databases.
    #[serde(deserialize_with = "rate")]
    pub database: f64,
    /// Multicast questions for printers, names and players.
    #[serde(deserialize_with = "rate")]
    pub discovery: f64,
    /// Clocks that are set.
    #[serde(deserialize_with = "rate")]
    pub time: f64,
    /// What systems and programs tell their makers.
    #[serde(deserialize_with = "rate")]
    pub telemetry: f64,
    /// Calls of a thing to its cloud.
    #[serde(deserialize_with = "rate")]
    pub cloud: f64,
    /// Peers that a file-sharing client calls.
    #[serde(deserialize_with = "rate")]
    pub peers: f64,
    /// Rounds of the monitor.
    #[serde(deserialize_with = "rate")]
    pub monitoring: f64,
    /// Mails that arrive from outside.
    #[serde(deserialize_with = "rate")]
    pub inbound_mail: f64,
    /// People at home who work through the gateway: sessions that begin.
    #[serde(deserialize_with = "rate")]
    pub remote_work: f64,
    /// Runs of the tool that configures servers.
    #[serde(deserialize_with = "rate")]
    pub automation: f64,
}

impl Default for Rates {
    fn default() -> Self {
        Self {
            web: 6.0,
            names: 2.0,
            mail: 6.0,
            files: 3.0,
            directory: 1.0,
            intranet: 2.0,
            print: 0.15,
            calls: 0.4,
            meetings: 0.08,
            assistant: 0.5,
            ssh: 0.5,
            database: 60.0,
            discovery: 4.0,
            time: 0.5,
            telemetry: 2.0,
            cloud: 12.0,
            peers: 40.0,
            monitoring: 12.0,
            inbound_mail: 60.0,
            remote_work: 2.0,
            automation: 0.1,
        }
    }
}

/// `[internet]`: the way out.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct InternetFile {
    /// The round trip to a server, half to one and a half times of it.
    #[serde(with = "crate::config::units::span")]
    pub round_trip: Duration,
    /// The share of segments that get lost, 0 to 0.2.
    #[serde(deserialize_with = "loss")]
    pub loss: f64,
    /// The share of servers that do not answer.
    #[serde(deserialize_with = "share")]
    pub dead: f64,
}

impl Default for InternetFile {
    fn default() -> Self {
        Self { round_trip: Duration::from_millis(24), loss: 0.001, dead: 0.01 }
    }
}

/// `[[outage]]`: a host, or the link of a whole subnet, that is away for a while.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutageFile {
    /// The host's name or address.
    #[serde(default)]
    pub host: Option<Spanned<String>>,
    /// The subnet's name, instead of a host.
    #[serde(default)]
    pub subnet: Option<Spanned<String>>,
    /// When, after the start.
    #[serde(with = "humantime_serde")]
    pub after: Duration,
    /// For how long.
    #[serde(deserialize_with = "lasting")]
    pub lasts: Spanned<Duration>,
}

/// `[[tap]]`: where something is seen.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TapFile {
    /// What it is called; part of its file's name, if there are several and `apart` is set.
    pub name: Spanned<String>,
    /// The subnets whose traffic passes it; without them all.
    #[serde(default)]
    pub sees: Option<Vec<Spanned<String>>>,
    /// The share of packets that it loses, 0 to 1.
    #[serde(default, deserialize_with = "share")]
    pub loss: f64,
    /// Bytes that it keeps of a packet, 14 to 262 144.
    #[serde(default = "whole", deserialize_with = "snap_length")]
    pub snap_length: u32,
    /// Whether it writes a file of its own, instead of into the common one.
    #[serde(default)]
    pub apart: bool,
    /// The share of packets whose transport checksum is wrong when it sees them.
    #[serde(default, deserialize_with = "share")]
    pub damage: f64,
}

fn benign() -> String {
    "benign".to_owned()
}

const fn one() -> u64 {
    1
}

const fn one_host() -> u32 {
    1
}

const fn whole() -> u32 {
    262_144
}

fn domain() -> String {
    "corp.example".to_owned()
}

fn within<'de, D: Deserializer<'de>>(
    deserializer: D,
    (least, most): (f64, f64),
    expected: &'static str,
) -> Result<f64, D::Error> {
    let value = f64::deserialize(deserializer)?;
    if (least..=most).contains(&value) {
        return Ok(value);
    }
    Err(de::Error::invalid_value(Unexpected::Float(value), &expected))
}

fn rate<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    within(deserializer, (0.0, 3600.0), "a number per hour from 0 to 3600")
}

fn factor<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    within(deserializer, (0.0, 100.0), "a factor from 0 to 100")
}

fn size_factor<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    within(deserializer, (0.001, 100.0), "a factor from 0.001 to 100")
}

fn loss<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    within(deserializer, (0.0, 0.2), "a share from 0 to 0.2")
}

/// Reads an integer from `least` to `most`.
pub(super) fn integer<'de, D: Deserializer<'de>>(
    deserializer: D,
    (least, most): (i64, i64),
    expected: &'static str,
) -> Result<u32, D::Error> {
    let value = i64::deserialize(deserializer)?;
    if (least..=most).contains(&value)
        && let Ok(value) = u32::try_from(value)
    {
        return Ok(value);
    }
    Err(de::Error::invalid_value(Unexpected::Signed(value), &expected))
}

fn host_count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    integer(deserializer, (1, 20_000), "a number of hosts from 1 to 20000")
}

fn site_count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    integer(deserializer, (1, 100_000), "a number of sites from 1 to 100000")
}

fn snap_length<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    integer(deserializer, (14, 262_144), "a number of bytes from 14 to 262144")
}

fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let span: Duration = humantime_serde::deserialize(deserializer)?;
    if (Duration::from_secs(1)..=Duration::from_hours(366 * 24)).contains(&span) {
        return Ok(span);
    }
    Err(de::Error::custom("invalid value: expected a duration from 1s to 366 days"))
}

/// A duration above zero, and where it stands.
fn lasting<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Spanned<Duration>, D::Error> {
    let span = Spanned::<humantime_serde::Serde<Duration>>::deserialize(deserializer)?;
    let place = span.span();
    let span = span.into_inner().into_inner();
    if span.is_zero() {
        return Err(de::Error::custom("invalid value: a duration of zero, expected more"));
    }
    Ok(Spanned::new(place, span))
}

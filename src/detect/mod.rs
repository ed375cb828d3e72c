//! Detectors: one file each, one trait; each weighs what it sees and convicts nobody.

pub mod adaptive;
pub mod arp;
mod arrival;
#[cfg(test)]
mod attacks;
mod attempt;
pub mod bruteforce;
mod config;
pub mod content;
pub mod dark;
pub mod edge;
mod guesses;
pub mod horizontal;
pub mod host_awakened;
pub mod host_new;
pub mod icmp;
#[cfg(test)]
mod innocents;
pub mod logins;
mod logon;
mod pace;
pub mod relay;
mod report;
pub mod reversal;
mod seen;
mod services;
pub mod shared;
mod sight;
pub mod sketch;
pub mod slow;
pub mod spray;
#[cfg(test)]
pub(crate) mod testing;
pub mod vertical;
mod walk;

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

pub use config::{DetectConfig, all, ids};
pub(crate) use logon::text_hash;
pub(crate) use report::{Gate, Sample, spoken};
pub(crate) use seen::{Seen, edge_hash, peer_hash};
pub use services::{Class, Direction, class};
pub use sight::Sight;
pub use walk::Odds;

use crate::event::Conversation;
use crate::inventory::{Fetch, Inventory};
use crate::net::Service;
use crate::time::Timestamp;

/// Kinds of evidence that are independent of each other; a score caps each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// Contacts that fail.
    Failure,
    /// Peers and edges that are new.
    Novelty,
    /// Addresses that nobody has business with.
    Decoy,
    /// Logins that fail, accounts that wander.
    Credential,
    /// Approach that changes with the last outcome.
    Adaptation,
    /// Administration protocols used as a worm would.
    Lateral,
    /// Victims that do what was done to them.
    Causality,
    /// The same content along several edges.
    Content,
    /// Language models asked on the quiet.
    Inference,
    /// Behaviour like a recorded outbreak's.
    Fingerprint,
    /// New or awakened devices; multiplies, never convicts.
    Context,
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", format!("{self:?}").to_lowercase())
    }
}

/// How much more likely what was seen is under "infected" than under "benign", and why.
///
/// Evidence is cumulative in its subject: a later report with the same (host, detector, subject)
/// replaces the earlier one, so `llr` is the whole weight so far, never an increment.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// When it held.
    pub ts: Timestamp,
    /// About whom.
    pub host: IpAddr,
    /// The detector's id, as in `docs/detectors.md`.
    pub detector: &'static str,
    /// What it is independent of.
    pub family: Family,
    /// Log-likelihood ratio in nats, whole weight of this subject so far.
    pub llr: f64,
    /// What tells this report from others of the same detector on the same host, e.g. a service
    /// or a target; small and bounded in number by the detector.
    pub subject: String,
    /// A sample of the other ends, at most 16, in order of appearance.
    pub peers: Vec<IpAddr>,
    /// How many other ends there are in all.
    pub peers_total: u64,
    /// The service, where it is one.
    pub service: Option<Service>,
    /// ATT&CK technique ids.
    pub techniques: &'static [&'static str],
    /// A sample of connections, at most 8.
    pub conns: Vec<Conversation>,
    /// Whether a blind spoofer could have planted it.
    pub forgeable: bool,
    /// One sentence that a person can read.
    pub summary: String,
}

/// A detector: turns events into evidence.
pub trait Detector: Send {
    /// The id, as in `docs/detectors.md`.
    fn id(&self) -> &'static str;

    /// Looks at one event. `inventory` does not contain the event yet.
    fn on_event(&mut self, event: &Sight<'_>, inventory: &Inventory, out: &mut Vec<Evidence>);

    /// Has fetched what it will read when the client of `talk` is seen to call the server. It changes
    /// nothing, and to do nothing only costs time.
    fn prefetch(&self, talk: &Conversation, what: Fetch) {
        let _ = (talk, what);
    }

    /// Looks at the time, once a second of packet time at the most, and once at the end of input.
    fn on_tick(&mut self, now: Timestamp, inventory: &Inventory, out: &mut Vec<Evidence>) {
        let _ = (now, inventory, out);
    }

    /// Bytes of state held, for the budget's metric.
    fn state_bytes(&self) -> usize;
}

//! Connections: who talks to whom, how it began, how it ended.
//!
//! The table takes decoded packets in order of time and gives events: a `Contact` as soon as the
//! outcome of an attempt is known, a `Conn` when the connection is over. States and history letters
//! are Zeek's; `docs/zeek-differences.md` lists where they differ and why.

mod arrival;
mod config;
mod connection;
mod contents;
mod datagrams;
mod direction;
mod drips;
mod endpoint;
mod expectations;
mod expiry;
mod fingerprints;
mod history;
mod icmp;
mod key;
mod oddity;
mod outcome;
mod reading;
mod reassembly;
mod report;
mod segments;
mod settled;
mod state;
mod store;
mod table;
mod tcp;
mod telling;
mod transitions;

#[cfg(test)]
mod stories;
#[cfg(test)]
mod testkit;

pub use config::FlowConfig;
pub use key::Hint;
pub use table::{FlowStats, FlowTable, KnownServices};

//! What can go wrong for the person at the terminal; each is exit status 2.

use std::io;
use std::net::IpAddr;
use std::path::PathBuf;

use super::EngineError;
use crate::config::ConfigError;
use crate::eval::TruthError;
use crate::eval::calibrate::CalibrateError;
use crate::rules::RuleError;
use crate::synth::scenario::world::ScenarioError;

/// Why a command could not be carried out.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The rules cannot be used.
    #[error(transparent)]
    Rules(#[from] RuleError),
    /// The scenario cannot be played.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// A capture's name does not say what it is to be.
    #[error(
        "cannot tell the format of {}: end its name in .pcap, .pcapng, .pcap.zst or .pcapng.zst",
        .0.display()
    )]
    Format(PathBuf),
    /// The input cannot be analysed.
    #[error("cannot analyse the input")]
    Replay(#[source] EngineError),
    /// The daemon ended.
    #[error("cannot watch the network")]
    Run(#[source] EngineError),
    /// The folder to evaluate cannot be used.
    #[error(transparent)]
    Truth(#[from] TruthError),
    /// There is nothing to evaluate.
    #[error("no capture with truth (NAME.truth.toml) beside it in {}", listed(.0))]
    NothingToEvaluate(Vec<PathBuf>),
    /// The captures do not suffice to fit constants.
    #[error(transparent)]
    Calibrate(#[from] CalibrateError),
    /// An earlier result cannot be read.
    #[error("cannot read {}", path.display())]
    ReadEarlier {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// An earlier result makes no sense.
    #[error("{} is no result of `wormwatch eval --json`", path.display())]
    WrongEarlier {
        /// Which.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// An earlier result is of another shape.
    #[error("{} is not of the schema `{expected}`", path.display())]
    OtherSchema {
        /// Which.
        path: PathBuf,
        /// What it should be.
        expected: &'static str,
    },
    /// A file cannot be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The output cannot be written.
    #[error("cannot write the output")]
    Output(#[source] io::Error),
    /// A daemon cannot be asked.
    #[error("cannot ask the daemon at {url}")]
    Ask {
        /// Where.
        url: String,
        /// Why.
        source: super::http::HttpError,
    },
    /// The daemon knows nothing of the host.
    #[error("the daemon has nothing against {0}")]
    UnknownHost(IpAddr),
    /// There is no such incident.
    #[error("no incident `{id}` in the input, {}", only(known))]
    UnknownIncident {
        /// What was asked for.
        id: String,
        /// What there is.
        known: Vec<String>,
    },
    /// The daemon's answer makes no sense.
    #[error("cannot understand the daemon's answer")]
    Answer(#[source] serde_json::Error),
}

fn only(known: &[String]) -> String {
    if known.is_empty() { "nor any other".to_owned() } else { format!("only {}", known.join(", ")) }
}

fn listed(paths: &[PathBuf]) -> String {
    let paths: Vec<_> = paths.iter().map(|path| path.display().to_string()).collect();
    paths.join(" or ")
}

//! The command line: what the person at the terminal types and sees.
//!
//! The commands know nothing of the pipeline; they ask an [`Engine`] for a [`Summary`] and show it.

mod args;
mod calibrate;
mod config;
mod contain;
mod error;
mod eval;
mod explain;
mod http;
mod look;
mod manual;
mod progress;
mod replay;
mod replay_json;
mod rules;
mod synth;
#[cfg(test)]
mod tests;

use std::io::Write;
use std::path::{Path, PathBuf};

use crate::config::Config;
use crate::event::Event;
use crate::incident::Summary;

pub use args::Cli;
pub use error::Error;
pub use look::Look;
pub use progress::Progress;

use args::{Command, ConfigCommand, Tuning};

/// Why the engine could not do what it was asked.
pub type EngineError = Box<dyn std::error::Error + Send + Sync>;

/// What to replay, and how.
pub struct Replay<'a> {
    /// Capture files, folders, or `-` for standard input.
    pub inputs: &'a [PathBuf],
    /// Threads to use; the result does not depend on it.
    pub threads: usize,
    /// The folder to which events go as JSON lines, if anybody wants them.
    pub events: Option<&'a Path>,
    /// Hears how far it is, about every 10,000 packets.
    pub progress: &'a (dyn Fn(Progress) + Sync),
    /// Hears every event, in order, before the detectors do, if anybody wants to.
    pub listener: Option<&'a (dyn Fn(&Event) + Sync)>,
}

/// What the commands need of the rest of the program.
pub trait Engine: Sync {
    /// Analyses captures to their end.
    ///
    /// # Errors
    /// If an input cannot be read at all, or the events cannot be written.
    fn replay(&self, config: &Config, request: &Replay<'_>) -> Result<Summary, EngineError>;

    /// Runs as a daemon until it is told to stop; `path` is where the configuration came from.
    ///
    /// # Errors
    /// If it cannot start, or cannot go on.
    fn run(&self, config: Config, path: &Path) -> Result<(), EngineError>;
}

/// How a command ended, as the exit status says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Done: 0.
    Done,
    /// Done, and a threshold that the caller set was reached: 1.
    Reached,
}

impl Status {
    /// The exit status.
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Reached => 1,
        }
    }
}

/// Does what the command line asks for; everything a person or a program should read goes to
/// `out`.
///
/// # Errors
/// If it is asked for something that cannot be: exit status 2.
pub fn execute(
    cli: Cli,
    engine: &dyn Engine,
    out: &mut dyn Write,
    look: Look,
) -> Result<Status, Error> {
    match cli.command {
        Command::Replay(args) => replay::execute(&args, engine, out, look),
        Command::Run(args) => {
            let config = Config::load(&args.config)?;
            engine.run(config, &args.config).map_err(Error::Run)?;
            Ok(Status::Done)
        }
        Command::Contain(args) => contain::execute(&args, engine, out, look),
        Command::Explain(args) => explain::execute(&args, engine, out),
        Command::Eval(args) => eval::execute(&args, engine, out, look),
        Command::Synth(args) => synth::execute(&args, out),
        Command::Calibrate(args) => calibrate::execute(&args, engine, out, look),
        Command::Rules(command) => rules::execute(&command, engine, out, look),
        Command::Config(ConfigCommand::Check { file }) => config::check(&file, out),
        Command::Config(ConfigCommand::Show { file }) => config::show(file.as_deref(), out),
        Command::Completions { shell } => manual::completions(shell, out),
        Command::Man { folder } => manual::write_pages(&folder),
    }
}

/// The configuration that the arguments ask for.
fn tuned(tuning: &Tuning) -> Result<Config, Error> {
    let mut config = match &tuning.config {
        Some(path) => Config::load(path)?,
        None => Config::default(),
    };
    if !tuning.home_net.is_empty() {
        config.network.home_nets.clone_from(&tuning.home_net);
    }
    Ok(config)
}

/// What is in the captures, with a bar while it is found out.
fn replayed(engine: &dyn Engine, config: &Config, inputs: &[PathBuf]) -> Result<Summary, Error> {
    let bar = progress::Bar::over(inputs);
    let request = Replay {
        inputs,
        threads: 1,
        events: None,
        progress: &|progress| bar.advance(progress),
        listener: None,
    };
    let summary = engine.replay(config, &request).map_err(Error::Replay)?;
    bar.clear();
    Ok(summary)
}

/// Writes `text`; that nobody reads any more (`| head`) is no error.
fn emit(out: &mut dyn Write, text: &str) -> Result<(), Error> {
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(Error::Output(error)),
        _ => Ok(()),
    }
}

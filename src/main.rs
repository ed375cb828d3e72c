//! The `wormwatch` command.

use std::path::Path;
use std::process::ExitCode;

use clap::Parser;

use wormwatch::cli::{self, Cli, Engine, EngineError, Look, Replay};
use wormwatch::config::Config;
use wormwatch::incident::Summary;

/// The exit status for wrong use and unreadable input.
const WRONG: u8 = 2;

/// The pipeline as the commands see it.
struct Pipeline;

impl Engine for Pipeline {
    fn replay(&self, _: &Config, _: &Replay<'_>) -> Result<Summary, EngineError> {
        Err(unwired().into())
    }

    fn run(&self, _: Config, _: &Path) -> Result<(), EngineError> {
        Err(unwired().into())
    }
}

fn unwired() -> anyhow::Error {
    anyhow::anyhow!("this branch has no pipeline")
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let mut out = std::io::stdout().lock();
    match cli::execute(cli, &Pipeline, &mut out, Look::of_stdout()) {
        Ok(status) => ExitCode::from(status.code()),
        Err(error) => {
            eprintln!("wormwatch: {:#}", anyhow::Error::new(error));
            ExitCode::from(WRONG)
        }
    }
}

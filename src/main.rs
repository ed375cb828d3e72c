//! The `wormwatch` command.

use std::process::ExitCode;

use clap::Parser;

use wormwatch::cli::{self, Cli, Look};
use wormwatch::engine::ReplayEngine;

/// Connections, records and evidence are small, many, and freed in another order than they came in:
/// what the system's allocator is slowest at.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The exit status for wrong use and unreadable input.
const WRONG: u8 = 2;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let mut out = std::io::stdout().lock();
    match cli::execute(cli, &ReplayEngine, &mut out, Look::of_stdout()) {
        Ok(status) => ExitCode::from(status.code()),
        Err(error) => {
            eprintln!("wormwatch: {:#}", anyhow::Error::new(error));
            ExitCode::from(WRONG)
        }
    }
}

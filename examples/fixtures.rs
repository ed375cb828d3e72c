//! Writes the project's fixtures: `cargo run --example fixtures -- fixtures`.

use std::path::PathBuf;

use anyhow::Context;

fn main() -> anyhow::Result<()> {
    let dir: PathBuf =
        std::env::args_os().nth(1).context("usage: fixtures DIR (the folder to write to)")?.into();
    wormwatch::synth::fixtures::write_all(&dir)
        .with_context(|| format!("cannot write fixtures to {}", dir.display()))
}

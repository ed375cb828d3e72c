//! Writes the benchmark's capture: `cargo run --release --example bench_capture -- --packets
//! 5000000 OUT.pcap`.

use std::path::PathBuf;

use anyhow::Context;
use clap::Parser;
use wormwatch::synth::mixture::Mixture;
use wormwatch::synth::pcap::{Resolution, write_file};

/// Writes a capture of a busy link, the same for the same seed.
#[derive(Parser)]
struct Arguments {
    /// How many packets.
    #[arg(long, default_value_t = 5_000_000)]
    packets: usize,
    /// Whether everything in it is new, which no ordinary link's traffic is.
    #[arg(long)]
    restless: bool,
    /// What decides everything random in it.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The file to write; compressed if it ends in .zst.
    out: PathBuf,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let mixture = if arguments.restless { Mixture::restless } else { Mixture::everyday };
    let packets = mixture(arguments.seed).take(arguments.packets);
    write_file(&arguments.out, Resolution::Nanos, packets)
        .with_context(|| format!("cannot write {}", arguments.out.display()))?;
    Ok(())
}

//! Captures from scenario files: a house with its people, and perhaps a worm in it.
//!
//! A scenario is a file in TOML ([`mod@file`], [`errand_file`], [`worm_file`]) that becomes a [`world::World`] when it has
//! been checked. The [`stage::Stage`] lets the world act: habits of hosts ([`apps`]), errands ([`errand`]) and worms
//! ([`worm`]) start conversations ([`tcp`], with what [`speech`], [`smb`], [`tickets`] and
//! [`inference`] say), and gives one packet after the other. A [`tap::Tap`] makes frames of packets
//! ([`wire`]), and [`output`] files of frames. Nothing is kept that is over.

pub mod apps;
pub mod body;
pub mod chance;
pub mod errand;
pub mod errand_file;
pub mod file;
pub mod inference;
pub mod names;
pub mod output;
pub mod place;
pub mod rhythm;
pub mod role;
pub mod smb;
pub mod speech;
pub mod stage;
pub mod tap;
pub mod tcp;
#[cfg(test)]
mod tests;
pub mod tickets;
pub mod truth;
pub mod wire;
pub mod world;
pub mod worm;
pub mod worm_file;

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use output::{Captures, Format, path_of};
use stage::Stage;
use tap::Tap;
use world::World;

/// What came of a scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The capture files.
    pub files: Vec<PathBuf>,
    /// Packets in all of them.
    pub packets: u64,
    /// Bytes of these packets on the wire.
    pub bytes: u64,
    /// Hosts that were infected.
    pub infections: usize,
    /// The most that went on at once: what memory grows with.
    pub most_at_once: usize,
}

/// Plays `world` into the file `path` (and, for taps apart, beside it), and writes the truth beside
/// each file. `level` is zstd's, for a file that is packed.
///
/// # Errors
/// If a file cannot be written.
pub fn write(world: World, path: &Path, format: Format, level: i32) -> io::Result<Written> {
    let taps = Tap::all(&world);
    let mut files: Vec<PathBuf> = Vec::new();
    for tap in &taps {
        let file = path_of(path, tap);
        if !files.contains(&file) {
            files.push(file);
        }
    }
    let captures = Captures::create(path, format, level, taps)?;
    let (stage, mut written) = play(world, captures)?;
    for file in &files {
        let views: Vec<_> =
            Tap::all(&stage.world).into_iter().filter(|tap| path_of(path, tap) == *file).collect();
        let mut name = file.clone().into_os_string();
        name.push(".truth.toml");
        std::fs::write(name, truth::of(&stage, &views).to_toml())?;
    }
    written.files = files;
    Ok(written)
}

/// Plays `world` into `out`, as one pcap stream without truth.
///
/// # Errors
/// If it cannot be written.
pub fn stream(world: World, out: &mut dyn Write) -> io::Result<Written> {
    let captures = Captures::stream(out, Tap::all(&world))?;
    play(world, captures).map(|(_, written)| written)
}

fn play(world: World, mut captures: Captures<'_>) -> io::Result<(Stage, Written)> {
    let mut stage = Stage::new(world);
    let mut most_at_once = 0;
    while let Some(passing) = stage.advance() {
        captures.pass(&passing, stage.payload())?;
        most_at_once = most_at_once.max(stage.going_on());
    }
    let (packets, bytes) = captures.finish()?;
    let infections = stage.outbreak.edges().len();
    Ok((stage, Written { files: Vec::new(), packets, bytes, infections, most_at_once }))
}

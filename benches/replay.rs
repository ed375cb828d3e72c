//! How fast is `wormwatch replay`, beside `tcpdump -r FILE -w /dev/null` and a bare loop over the
//! same records, in one run on one machine?
//!
//! `cargo bench --bench replay` generates two captures once (`target/bench/`, 5 million packets each,
//! about 3 and 1 GB): an ordinary network's mixture, and one where everything is new (see
//! `wormwatch::synth::mixture`). Each is read into the page cache, and then every contender is timed
//! in turn, `ROUNDS` times over, so that a busy minute hits all of them. The best of each is printed,
//! with its share of the bare loop's speed. With `-- FILE.pcap` it measures another capture.
//!
//! "One core" means pinned by `taskset`: threads of the contender then share that core.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a benchmark measures wall time and prints what it measured"
)]

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use wormwatch::synth::mixture::Mixture;
use wormwatch::synth::pcap::{Resolution, write_file};

const PACKETS: usize = 5_000_000;
const ROUNDS: usize = 3;

/// How this program is told to be the bare loop, in a process of its own like the others.
const BARE: &str = "--bare-loop";

fn main() -> anyhow::Result<()> {
    let arguments: Vec<_> = std::env::args().skip(1).filter(|each| each != "--bench").collect();
    if let [mode, file] = arguments.as_slice()
        && mode == BARE
    {
        println!("{}", bare_loop(Path::new(file))?);
        return Ok(());
    }
    match arguments.as_slice() {
        [] => {
            compare(&generated("everyday", Mixture::everyday)?)?;
            println!();
            compare(&generated("restless", Mixture::restless)?)
        }
        [file] => compare(Path::new(file)),
        _ => bail!("usage: cargo bench --bench replay [-- FILE.pcap]"),
    }
}

/// Times every contender on a capture and prints how they did.
fn compare(capture: &Path) -> anyhow::Result<()> {
    let packets = bare_loop(capture)?;
    let bytes = capture.metadata()?.len();
    println!(
        "{}: {packets} packets, {:.0} MB, best of {ROUNDS} rounds\n",
        capture.display(),
        bytes as f64 / 1e6
    );

    let contenders = contenders(capture)?;
    let mut best = vec![Duration::MAX; contenders.len()];
    for _ in 0..ROUNDS {
        for (contender, best) in contenders.iter().zip(&mut best) {
            *best = (*best).min(contender.run()?);
        }
    }

    let bare = best.first().copied().unwrap_or(Duration::MAX);
    println!("{:<40} {:>8} {:>14} {:>10}", "", "seconds", "packets/s", "of bare");
    for (contender, best) in contenders.iter().zip(best) {
        println!(
            "{:<40} {:>8.2} {:>14.0} {:>10.3}",
            contender.name,
            best.as_secs_f64(),
            packets as f64 / best.as_secs_f64(),
            bare.as_secs_f64() / best.as_secs_f64()
        );
    }
    Ok(())
}

/// A command to be timed.
struct Contender {
    name: &'static str,
    words: Vec<String>,
}

impl Contender {
    fn run(&self) -> anyhow::Result<Duration> {
        let Some((program, rest)) = self.words.split_first() else { bail!("nothing to run") };
        let begin = Instant::now();
        let status = Command::new(program)
            .args(rest)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .with_context(|| format!("cannot run {program}"))?;
        let taken = begin.elapsed();
        ensure!(status.success(), "{} failed: {status}", self.words.join(" "));
        Ok(taken)
    }
}

fn contenders(capture: &Path) -> anyhow::Result<Vec<Contender>> {
    let file = capture.to_str().context("the capture's path is not UTF-8")?;
    let this = std::env::current_exe()?;
    let this = this.to_str().context("this program's path is not UTF-8")?;
    let wormwatch = env!("CARGO_BIN_EXE_wormwatch");
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    let pinned = ["taskset", "-c", "0"];
    let replay = [wormwatch, "replay", "--json", "--threads"];
    Ok(vec![
        Contender {
            name: "bare loop, one core",
            words: words(&[&pinned[..], &[this, BARE, file]].concat()),
        },
        Contender {
            name: "tcpdump -r FILE -w /dev/null, one core",
            words: words(&[&pinned[..], &["tcpdump", "-r", file, "-w", "/dev/null"]].concat()),
        },
        Contender {
            name: "wormwatch replay --threads 1, one core",
            words: words(&[&pinned[..], &replay, &["1", file]].concat()),
        },
        Contender {
            name: "wormwatch replay --threads 1",
            words: words(&[&replay[..], &["1", file]].concat()),
        },
        Contender {
            name: "wormwatch replay",
            words: words(&[wormwatch, "replay", "--json", file]),
        },
    ])
}

/// Generates the capture unless it is there already.
fn generated(name: &str, mixture: fn(u64) -> Mixture) -> anyhow::Result<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench");
    std::fs::create_dir_all(&dir)?;
    let capture = dir.join(format!("{name}.pcap"));
    let unfinished = capture.with_extension("tmp");
    if !capture.exists() {
        println!("generating {}", capture.display());
        write_file(&unfinished, Resolution::Nanos, mixture(1).take(PACKETS))?;
        std::fs::rename(&unfinished, &capture)?;
    }
    Ok(capture)
}

/// Walks over the records of a little-endian pcap file, looks at one byte of each, and counts them:
/// the least that any reader has to do.
fn bare_loop(file: &Path) -> anyhow::Result<u64> {
    let open = File::open(file).with_context(|| format!("cannot open {}", file.display()))?;
    let mut input = BufReader::with_capacity(1 << 20, open);
    let mut header = [0; 24];
    input.read_exact(&mut header)?;
    ensure!(
        matches!(header, [0xd4, 0xc3, 0xb2, 0xa1, ..] | [0x4d, 0x3c, 0xb2, 0xa1, ..]),
        "{} is not a little-endian pcap file",
        file.display()
    );
    let (mut packets, mut seen) = (0u64, 0u64);
    let mut record = [0; 16];
    let mut frame = vec![0; 262_144];
    loop {
        match input.read_exact(&mut record) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => break,
            Err(error) => return Err(error.into()),
        }
        let [.., a, b, c, d, _, _, _, _] = record;
        let length = u32::from_le_bytes([a, b, c, d]) as usize;
        let frame = frame.get_mut(..length).context("a record is longer than any frame")?;
        input.read_exact(frame)?;
        packets += 1;
        seen = seen.wrapping_add(u64::from(frame.first().copied().unwrap_or(0)));
    }
    std::hint::black_box(seen);
    Ok(packets)
}

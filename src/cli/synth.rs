//! `wormwatch synth`: a scenario becomes a capture with its truth.

use std::fmt::Write as _;
use std::io::Write;
use std::path::Path;

use super::args::SynthArgs;
use super::{Error, Status, emit};
use crate::synth::scenario::output::Format;
use crate::synth::scenario::world::World;
use crate::synth::scenario::{self, Written};
use crate::synth::sink::FAST;

/// Reads the scenario, plays it, and says what came of it.
pub(super) fn execute(args: &SynthArgs, out: &mut dyn Write) -> Result<Status, Error> {
    let world = World::load(&args.scenario, args.seed)?;
    if args.output == Path::new("-") {
        match scenario::stream(world, out) {
            // Nobody reads any more (`| head`).
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {}
            written => {
                written.map_err(Error::Output)?;
            }
        }
        return Ok(Status::Done);
    }
    let format = Format::of(&args.output).ok_or_else(|| Error::Format(args.output.clone()))?;
    let span = world.end.since(world.start);
    let hosts = world.hosts.len();
    let written = scenario::write(world, &args.output, format, FAST)
        .map_err(|source| Error::Write { path: args.output.clone(), source })?;
    emit(out, &told(&written, hosts, span))?;
    Ok(Status::Done)
}

fn told(written: &Written, hosts: usize, span: std::time::Duration) -> String {
    let mut text = String::new();
    for file in &written.files {
        let _ = writeln!(text, "{} and its .truth.toml", file.display());
    }
    let span = humantime_serde::re::humantime::format_duration(span);
    let Written { packets, bytes, infections, most_at_once, .. } = written;
    let _ = writeln!(
        text,
        "{packets} packets, {bytes} bytes, {hosts} hosts, {span}; {infections} infections; at most \
         {most_at_once} things at once"
    );
    text
}

//! `wormwatch contain`: what to cut, and what that costs. It prints, and leaves the cutting to people.

mod json;
mod nftables;
mod table;

use std::io::Write;

use super::args::{ContainArgs, ContainFormat};
use super::{Engine, Error, Look, Status, emit, replayed, tuned};
use crate::contain::Plan;
use crate::incident::{Incident, Summary};
use crate::inventory::Networks;

/// Replays, and prints a plan for each incident that was asked for.
pub(super) fn execute(
    args: &ContainArgs,
    engine: &dyn Engine,
    out: &mut dyn Write,
    look: Look,
) -> Result<Status, Error> {
    let config = tuned(&args.tuning)?;
    let summary = replayed(engine, &config, &args.inputs)?;
    let home = Networks::new(config.network.home_nets);
    let plans: Vec<_> = wanted(args.incident.as_deref(), &summary)?
        .into_iter()
        .map(|incident| Plan::new(incident, &summary, &home))
        .collect();
    let text = match args.format {
        ContainFormat::Table => table::render(&plans, look),
        ContainFormat::Nftables => nftables::render(&plans),
        ContainFormat::Json => json::render(&plans),
    };
    emit(out, &text)?;
    Ok(Status::Done)
}

/// The incident of this id, or all.
fn wanted<'a>(id: Option<&str>, summary: &'a Summary) -> Result<Vec<&'a Incident>, Error> {
    let Some(id) = id else { return Ok(summary.incidents.iter().collect()) };
    let found: Vec<_> = summary.incidents.iter().filter(|incident| incident.id == id).collect();
    if found.is_empty() {
        let known = summary.incidents.iter().map(|incident| incident.id.clone()).collect();
        return Err(Error::UnknownIncident { id: id.to_owned(), known });
    }
    Ok(found)
}

//! `wormwatch config`.

use std::io::Write;
use std::path::Path;

use super::{Error, Status, emit};
use crate::config::{Config, EXAMPLE};

/// Says that the file is fine, or fails with what is wrong and where.
pub(super) fn check(file: &Path, out: &mut dyn Write) -> Result<Status, Error> {
    Config::load(file)?;
    emit(out, &format!("{}: nothing wrong\n", file.display()))?;
    Ok(Status::Done)
}

/// Prints the configuration in effect, or the commented defaults.
pub(super) fn show(file: Option<&Path>, out: &mut dyn Write) -> Result<Status, Error> {
    match file {
        Some(file) => emit(out, &Config::load(file)?.to_toml())?,
        None => emit(out, EXAMPLE)?,
    }
    Ok(Status::Done)
}

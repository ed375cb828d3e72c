//! What several test binaries share: where the corpus is, and a small decoder for plain captures.

#![allow(dead_code, reason = "each test binary uses its own part")]

pub(crate) mod simple_decoder;
pub(crate) mod zeek_logs;

use std::path::PathBuf;

/// The corpus, if it is there: `WORMWATCH_CORPUS`, or `shared/corpus` beside the repository.
pub(crate) fn corpus() -> Option<PathBuf> {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus");
    let dir = std::env::var_os("WORMWATCH_CORPUS").map_or_else(beside, PathBuf::from);
    dir.is_dir().then_some(dir)
}

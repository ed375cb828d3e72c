//! How far a long replay is: a bar on standard error, on a terminal only.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Inputs smaller than this are done before a bar could be read.
const LONG: u64 = 64 << 20;

/// How far a replay is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Packets read.
    pub packets: u64,
    /// Bytes of the input files read.
    pub bytes: u64,
}

/// The bar of a replay; hidden where nobody would see it.
pub(super) struct Bar(ProgressBar);

impl Bar {
    /// A bar over the sizes of `inputs`, folders walked; a spinner where the size is unknown.
    pub(super) fn over(inputs: &[PathBuf]) -> Self {
        let sizes: Option<Vec<u64>> = inputs.iter().map(size_of).collect();
        let total = sizes.map(|sizes| sizes.iter().sum::<u64>());
        let is_long = total.is_none_or(|total| total >= LONG);
        if !is_long || !std::io::stderr().is_terminal() {
            return Self(ProgressBar::hidden());
        }
        let (bar, template) = match total {
            Some(total) => (
                ProgressBar::new(total),
                "{bar:30} {bytes}/{total_bytes} ({bytes_per_sec}) {msg}, {eta} to go",
            ),
            None => (ProgressBar::new_spinner(), "{spinner} {bytes} ({bytes_per_sec}) {msg}"),
        };
        Self::styled(bar, template)
    }

    /// A bar over a number of captures.
    pub(super) fn of_captures() -> Self {
        if !std::io::stderr().is_terminal() {
            return Self(ProgressBar::hidden());
        }
        Self::styled(ProgressBar::new(0), "{bar:30} {pos}/{len} captures, {eta} to go")
    }

    fn styled(bar: ProgressBar, template: &str) -> Self {
        bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(5));
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(250));
        Self(bar)
    }

    pub(super) fn advance(&self, progress: Progress) {
        if !self.0.is_hidden() {
            self.0.set_position(progress.bytes);
            self.0.set_message(format!("{} packets", progress.packets));
        }
    }

    pub(super) fn count(&self, done: usize, of: usize) {
        self.0.set_length(of as u64);
        self.0.set_position(done as u64);
    }

    pub(super) fn clear(&self) {
        self.0.finish_and_clear();
    }
}

/// Bytes of a file or of the files in a folder; `None` for standard input and pipes.
fn size_of(input: &PathBuf) -> Option<u64> {
    let metadata = std::fs::metadata(input).ok()?;
    if metadata.is_file() {
        return Some(metadata.len());
    }
    let entries = std::fs::read_dir(input).ok()?;
    Some(entries.filter_map(|entry| size_of(&entry.ok()?.path())).sum())
}

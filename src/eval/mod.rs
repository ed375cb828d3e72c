//! The sensor held against captures whose truth is known.

pub mod baseline;
mod bootstrap;
pub mod calibrate;
mod compare;
mod curves;
mod groups;
mod judge;
mod measures;
mod report;
mod rivals;
#[cfg(test)]
mod tests;
mod truth;

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::event::Event;
use crate::incident::Summary;
use crate::score::ScoreConfig;

use baseline::{Baseline, Panel};

pub use bootstrap::Interval;
pub use compare::{Change, Comparison, Earlier, EarlierHost, Turn};
pub use curves::{Bin, Curves, Point, reliability};
pub use groups::{ClassRow, FamilyRow, Group, TechniqueRow};
pub use judge::{Capture, Edges, Judged, Rival, Weighed};
pub use measures::{Direction, MEASURES, Measure, Measures};
pub use report::{Finding, Report, SCHEMA, Unreadable};
pub use rivals::{Gap, Row, Standing};
pub use truth::{Known, TrueHost, TrueInfection, Truth, TruthError, find};

/// What to evaluate, and how.
#[derive(Clone, Debug)]
pub struct Request {
    /// The folders to walk.
    pub folders: Vec<PathBuf>,
    /// Labels, or their beginnings, to keep; empty for all.
    pub labels: Vec<String>,
    /// Captures analysed at a time.
    pub jobs: usize,
    /// The numbers that the scores were made with.
    pub score: ScoreConfig,
    /// Published detectors that watch the same events.
    pub baselines: Vec<Baseline>,
}

/// Somebody who hears every event of one capture, in order.
pub type Listener<'a> = &'a (dyn Fn(&Event) + Sync);

/// A capture with its truth, and the name that it has in the results.
struct Task {
    path: PathBuf,
    name: PathBuf,
    truth: Truth,
}

/// Analyses every capture under the folders that has truth beside it, with `analyse`, and holds the
/// results against the truth, in the order of folders and paths. `done` hears of every capture.
///
/// A capture that cannot be analysed is a result as well: what is in it was missed.
///
/// # Errors
/// If a folder or a file of truth cannot be read or understood.
pub fn evaluate<E: Display>(
    request: &Request,
    analyse: impl Fn(&Path, Listener<'_>) -> Result<Summary, E> + Sync,
    done: impl Fn(usize, usize) + Sync,
) -> Result<Vec<Capture>, TruthError> {
    let tasks = tasks(request)?;
    let next = AtomicUsize::new(0);
    let finished = AtomicUsize::new(0);
    let results = Mutex::new(BTreeMap::new());
    let work = || {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(Task { path, name, truth }) = tasks.get(index) else { return };
            let panel = Mutex::new(Panel::new(&request.baselines));
            let summary = analyse(path, &|event| {
                if let Ok(mut panel) = panel.lock() {
                    panel.on_event(event);
                }
            });
            let summary = summary.map_err(|error| error.to_string());
            let summary = summary.as_ref().map_err(Clone::clone);
            let accused = panel.into_inner().map(Panel::accused).unwrap_or_default();
            let capture = judge::judge(name.clone(), truth, summary, accused, &request.score);
            if let Ok(mut results) = results.lock() {
                results.insert(index, capture);
            }
            done(finished.fetch_add(1, Ordering::Relaxed) + 1, tasks.len());
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..request.jobs.max(1) {
            scope.spawn(work);
        }
        work();
    });
    let results = results.into_inner().unwrap_or_default();
    Ok(results.into_values().collect())
}

/// The captures that are asked for. Where there are several folders, names begin with theirs.
fn tasks(request: &Request) -> Result<Vec<Task>, TruthError> {
    let mut tasks = Vec::new();
    for folder in &request.folders {
        let prefix = match folder.file_name() {
            Some(name) if request.folders.len() > 1 => PathBuf::from(name),
            _ => PathBuf::new(),
        };
        for (path, truth) in find(folder)? {
            let truth = Truth::load(&truth)?;
            let wanted = request.labels.is_empty()
                || request.labels.iter().any(|label| truth.label.starts_with(label.as_str()));
            if wanted {
                let name = prefix.join(path.strip_prefix(folder).unwrap_or(&path));
                tasks.push(Task { path, name, truth });
            }
        }
    }
    Ok(tasks)
}

/// The captures of each label, by name.
pub fn by_label(captures: &[Capture]) -> BTreeMap<&str, Vec<&Capture>> {
    let mut labels: BTreeMap<&str, Vec<&Capture>> = BTreeMap::new();
    for capture in captures {
        labels.entry(&capture.label).or_default().push(capture);
    }
    labels
}

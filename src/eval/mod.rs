//! The sensor held against captures whose truth is known.

mod judge;
mod measures;
#[cfg(test)]
mod tests;
mod truth;

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::incident::Summary;

pub use judge::{Capture, Edges, Judged};
pub use measures::{Bin, Measures, reliability};
pub use truth::{Known, TrueHost, TrueInfection, Truth, TruthError, find};

/// What to evaluate, and how.
#[derive(Clone, Debug)]
pub struct Request {
    /// The folder to walk.
    pub folder: PathBuf,
    /// Labels, or their beginnings, to keep; empty for all.
    pub labels: Vec<String>,
    /// Captures analysed at a time.
    pub jobs: usize,
    /// The score of a host without evidence, 0 to 100.
    pub unseen: f64,
}

/// Analyses every capture under the folder that has truth beside it, with `analyse`, and holds the
/// results against the truth, in the order of the paths. `done` hears of every capture.
///
/// A capture that cannot be analysed is a result as well: what is in it was missed.
///
/// # Errors
/// If the folder or a file of truth cannot be read or understood.
pub fn evaluate<E: Display>(
    request: &Request,
    analyse: impl Fn(&Path) -> Result<Summary, E> + Sync,
    done: impl Fn(usize, usize) + Sync,
) -> Result<Vec<Capture>, TruthError> {
    let mut tasks = Vec::new();
    for (capture, truth) in find(&request.folder)? {
        let truth = Truth::load(&truth)?;
        let wanted = request.labels.is_empty()
            || request.labels.iter().any(|label| truth.label.starts_with(label.as_str()));
        if wanted {
            tasks.push((capture, truth));
        }
    }
    let next = AtomicUsize::new(0);
    let finished = AtomicUsize::new(0);
    let results = Mutex::new(BTreeMap::new());
    let work = || {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some((path, truth)) = tasks.get(index) else { return };
            let summary = analyse(path).map_err(|error| error.to_string());
            let name = path.strip_prefix(&request.folder).unwrap_or(path).to_owned();
            let capture =
                judge::judge(name, truth, summary.as_ref().map_err(Clone::clone), request.unseen);
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

/// The measures of each label, by name, and of all.
pub fn by_label(captures: &[Capture]) -> (BTreeMap<String, Measures>, Measures) {
    let mut labels: BTreeMap<&str, Vec<&Capture>> = BTreeMap::new();
    for capture in captures {
        labels.entry(&capture.label).or_default().push(capture);
    }
    let measured =
        labels.into_iter().map(|(label, of)| (label.to_owned(), Measures::of(of))).collect();
    (measured, Measures::of(captures))
}

//! `wormwatch eval`: how good the sensor is, as tables, with every miss and false alarm on a line.

mod html;
mod markdown;
mod section;
mod sections;
mod svg;
mod text;

use std::fmt::Write as _;
use std::io::Write;
use std::path::Path;

use super::args::EvalArgs;
use super::progress::Bar;
use super::{Engine, EngineError, Error, Look, Replay, Status, emit, tuned};
use crate::config::Config;
use crate::eval::{self, Capture, Earlier, Listener, Measures, Report, Request};
use section::number;
pub(super) use section::percent;

/// Evaluates, prints, and holds the result against the thresholds.
pub(super) fn execute(
    args: &EvalArgs,
    engine: &dyn Engine,
    out: &mut dyn Write,
    look: Look,
) -> Result<Status, Error> {
    let config = tuned(&args.tuning)?;
    // Read first: a minute's work should not end with a wrong name.
    let earlier = args.compare.as_deref().map(read_earlier).transpose()?;
    let request = Request {
        folders: args.folders.clone(),
        labels: args.label.clone(),
        jobs: args.jobs,
        score: config.score.clone(),
        baselines: args.baselines(),
    };
    let captures = judged(engine, &config, &request)?;
    let mut report = Report::new(&captures, &config.score);
    report.failures = failures(&report.all.measures, args);
    if let Some(earlier) = &earlier {
        report.compare(earlier);
    }
    if let Some(path) = &args.html {
        std::fs::write(path, html::page(&report))
            .map_err(|source| Error::Write { path: path.clone(), source })?;
    }
    let text = if args.json {
        report.to_json()
    } else if args.markdown {
        markdown::page(&report)
    } else {
        text::page(&report, look)
    };
    emit(out, &text)?;
    Ok(if report.failures.is_empty() { Status::Done } else { Status::Reached })
}

/// Replays the captures that are asked for, and holds each against its truth.
pub(super) fn judged(
    engine: &dyn Engine,
    config: &Config,
    request: &Request,
) -> Result<Vec<Capture>, Error> {
    let analyse = |path: &Path, listener: Listener<'_>| {
        let inputs = [path.to_owned()];
        let listener = (!request.baselines.is_empty()).then_some(listener);
        let replay =
            Replay { inputs: &inputs, threads: 1, events: None, progress: &|_| {}, listener };
        engine.replay(config, &replay).map_err(|error| chain(&error))
    };
    let bar = Bar::of_captures();
    let captures = eval::evaluate(request, analyse, |done, of| bar.count(done, of))?;
    bar.clear();
    if captures.is_empty() {
        return Err(Error::NothingToEvaluate(request.folders.clone()));
    }
    Ok(captures)
}

fn read_earlier(path: &Path) -> Result<Earlier, Error> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| Error::ReadEarlier { path: path.to_owned(), source })?;
    let earlier: Earlier = serde_json::from_str(&text)
        .map_err(|source| Error::WrongEarlier { path: path.to_owned(), source })?;
    if earlier.schema == eval::SCHEMA {
        Ok(earlier)
    } else {
        Err(Error::OtherSchema { path: path.to_owned(), expected: eval::SCHEMA })
    }
}

fn chain(error: &EngineError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let _ = write!(text, ": {cause}");
        source = cause.source();
    }
    text
}

/// What the caller's thresholds have against the result.
fn failures(all: &Measures, args: &EvalArgs) -> Vec<String> {
    let benign_share =
        |count: u64| (all.benign_captures > 0).then(|| count as f64 / all.benign_captures as f64);
    let least = [
        ("recall at suspicious", all.recall_suspicious, args.min_recall),
        ("recall at malicious", all.recall_malicious, args.min_recall_malicious),
    ];
    let most = [
        (
            "share of benign captures with a suspicious host",
            benign_share(all.benign_with_suspicious),
            args.max_benign_suspicious,
        ),
        (
            "share of benign captures with a malicious host",
            benign_share(all.benign_with_malicious),
            args.max_benign_malicious,
        ),
    ];
    let mut failures = Vec::new();
    for (what, is, limit) in least {
        // A threshold on nothing is not met: a corpus that went missing must not pass.
        if let Some(limit) = limit
            && is.is_none_or(|is| is < limit)
        {
            failures.push(format!("{what} is {}, at least {limit} is asked for", number(is, 4)));
        }
    }
    for (what, is, limit) in most {
        if let Some(limit) = limit
            && is.is_none_or(|is| is > limit)
        {
            failures.push(format!("{what} is {}, at most {limit} is allowed", number(is, 4)));
        }
    }
    failures
}

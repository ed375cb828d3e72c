//! `wormwatch explain`: from captures, or from a daemon.

use std::io::Write;

use super::args::ExplainArgs;
use super::http::{self, HttpError};
use super::look::clean;
use super::progress::Bar;
use super::{Engine, Error, Replay, Status, emit, tuned};
use crate::score::{Explanation, posterior};

/// Explains one host.
pub(super) fn execute(
    args: &ExplainArgs,
    engine: &dyn Engine,
    out: &mut dyn Write,
) -> Result<Status, Error> {
    let explanation = match &args.api {
        Some(url) => Some(ask(url, args)?),
        None => analyse(args, engine)?,
    };
    let text = match (explanation, args.json) {
        (Some(explanation), true) => {
            serde_json::to_string_pretty(&explanation).map_err(Error::Answer)? + "\n"
        }
        (Some(explanation), false) => on_lines(&explanation),
        (None, true) => "null\n".to_owned(),
        (None, false) => {
            let prior = tuned(&args.tuning)?.score.prior;
            let score = posterior(prior);
            format!(
                "{}: nothing is held against it; its score is the prior's, {score:.1} of 100\n",
                args.host
            )
        }
    };
    emit(out, &text)?;
    Ok(Status::Done)
}

fn on_lines(explanation: &Explanation) -> String {
    explanation.to_string().lines().map(|line| clean(line) + "\n").collect()
}

fn ask(url: &str, args: &ExplainArgs) -> Result<Explanation, Error> {
    let answer =
        http::get(url, &format!("/api/explain/{}", args.host)).map_err(|source| match source {
            HttpError::Status(404) => Error::UnknownHost(args.host),
            source => Error::Ask { url: url.to_owned(), source },
        })?;
    serde_json::from_str(&answer).map_err(Error::Answer)
}

/// Explains the host as of its last evidence, which is what it is accused of.
fn analyse(args: &ExplainArgs, engine: &dyn Engine) -> Result<Option<Explanation>, Error> {
    let config = tuned(&args.tuning)?;
    let bar = Bar::over(&args.inputs);
    let request = Replay {
        inputs: &args.inputs,
        threads: 1,
        events: None,
        progress: &|progress| bar.advance(progress),
    };
    let summary = engine.replay(&config, &request).map_err(Error::Replay)?;
    bar.clear();
    Ok(summary.host(args.host).map(|report| {
        let at = report.score.last_evidence;
        Explanation::new(&report.score, &config.score, at, &report.hidden)
    }))
}

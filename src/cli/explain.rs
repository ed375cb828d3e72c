//! `wormwatch explain`: from captures, or from a daemon.

use std::io::Write;

use super::args::ExplainArgs;
use super::http::{self, HttpError};
use super::look::clean;
use super::{Engine, Error, Status, emit, replayed, tuned};
use crate::score::{Explanation, posterior};

/// Explains one host.
pub(super) fn execute(
    args: &ExplainArgs,
    engine: &dyn Engine,
    out: &mut dyn Write,
) -> Result<Status, Error> {
    let answer = match &args.api {
        Some(url) => Answer::Held(ask(url, args)?),
        None => analyse(args, engine)?,
    };
    let text = match (answer, args.json) {
        (Answer::Held(explanation), true) => {
            serde_json::to_string_pretty(&explanation).map_err(Error::Answer)? + "\n"
        }
        (Answer::Held(explanation), false) => on_lines(&explanation),
        (Answer::Nothing { .. }, true) => "null\n".to_owned(),
        (Answer::Nothing { score, hidden }, false) => {
            let host = args.host;
            let mut text = format!(
                "{host}: nothing is held against it; its score is the prior's, {score:.1} of 100\n"
            );
            for entry in hidden {
                text += &format!("not counted: what {entry} hides\n");
            }
            text
        }
    };
    emit(out, &text)?;
    Ok(Status::Done)
}

/// What there is against a host.
enum Answer {
    /// Something, taken apart.
    Held(Explanation),
    /// Nothing that counts.
    Nothing {
        /// The score of the prior, 0 to 100.
        score: f64,
        /// The entries of the allowlist that hid something.
        hidden: Vec<String>,
    },
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
fn analyse(args: &ExplainArgs, engine: &dyn Engine) -> Result<Answer, Error> {
    let config = tuned(&args.tuning)?;
    let summary = replayed(engine, &config, &args.inputs)?;
    if let Some(report) = summary.host(args.host) {
        let at = report.score.last_evidence;
        let explanation = Explanation::new(&report.score, &config.score, at, &report.hidden);
        return Ok(Answer::Held(explanation));
    }
    let hiding = summary.allowed.iter().filter(|allow| allow.hosts.contains(&args.host));
    let hidden = hiding.map(|a| format!("allow entry {} ({})", a.entry, clean(&a.reason)));
    Ok(Answer::Nothing { score: posterior(config.score.prior), hidden: hidden.collect() })
}

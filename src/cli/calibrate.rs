//! `wormwatch calibrate`: constants of the score fitted on captures with ground truth, and what that
//! is worth on captures that the fit did not see.

use std::io::Write;

use super::args::CalibrateArgs;
use super::eval::{judged, percent};
use super::look::{BOLD, clean, counted};
use super::{Engine, Error, Look, Status, emit, tuned};
use crate::eval::Request;
use crate::eval::calibrate::{Calibration, Quality, calibrate};

/// Fits, prints, and writes the constants into a file.
pub(super) fn execute(
    args: &CalibrateArgs,
    engine: &dyn Engine,
    out: &mut dyn Write,
    look: Look,
) -> Result<Status, Error> {
    let mut config = tuned(&args.tuning)?;
    // Scales are what is fitted: with some in place already, the fit would be on top of them.
    config.score.scales.clear();
    let request = Request {
        folders: args.folders.clone(),
        labels: Vec::new(),
        jobs: args.jobs,
        score: config.score.clone(),
        baselines: Vec::new(),
    };
    let captures = judged(engine, &config, &request)?;
    let calibration = calibrate(&captures, &config.score)?;
    if let Some(path) = &args.output {
        std::fs::write(path, file(&calibration))
            .map_err(|source| Error::Write { path: path.clone(), source })?;
    }
    let text = if args.json {
        serde_json::to_string_pretty(&calibration).expect("names are text") + "\n"
    } else {
        page(&calibration, look)
    };
    emit(out, &text)?;
    Ok(Status::Done)
}

/// The constants as a configuration, with where they come from above them.
fn file(calibration: &Calibration) -> String {
    let Calibration { before, held_out, .. } = calibration;
    let mut text = format!(
        "# Constants of the score, fitted by `wormwatch calibrate` {} on {} malicious and {} benign\n\
         # hosts with evidence and {} without, in {} from {}.\n\
         # Held out over origins in {} parts: Brier score {:.6} (as configured: {:.6}), log loss {:.6}\n\
         # ({:.6}) nats a host. `docs/evaluation.md` says how.\n\
         # Other settings were as configured then: put these sections into the same configuration.\n#\n",
        env!("CARGO_PKG_VERSION"),
        calibration.malicious_hosts,
        calibration.benign_hosts,
        calibration.quiet_hosts,
        counted(calibration.captures, "capture"),
        counted(calibration.origins.len() as u64, "origin"),
        calibration.folds,
        held_out.brier,
        before.brier,
        held_out.log_loss,
        before.log_loss,
    );
    for origin in &calibration.origins {
        text += &format!("# - {}\n", clean(origin));
    }
    text + "\n" + &calibration.fitted.to_toml()
}

fn page(calibration: &Calibration, look: Look) -> String {
    let Calibration { before, held_out, configured, fitted, .. } = calibration;
    let mut page = format!(
        "{}, {} from {}: {} malicious hosts, {} benign with evidence, {} without\n",
        look.paint(BOLD, "learned from"),
        counted(calibration.captures, "capture"),
        counted(calibration.origins.len() as u64, "origin"),
        calibration.malicious_hosts,
        calibration.benign_hosts,
        calibration.quiet_hosts,
    );
    for unreadable in &calibration.unreadable {
        page += &format!("left out, could not be analysed: {}\n", clean(unreadable));
    }
    page += &format!(
        "\n{} (held out: each host judged by constants from other origins, in {} parts)\n",
        look.paint(BOLD, "what it is worth"),
        calibration.folds
    );
    let mut table = Look::default().table();
    table.set_header(["", "configured", "fitted, held out"]);
    table.add_row(["Brier score".to_owned(), f(before.brier, 6), f(held_out.brier, 6)]);
    table.add_row([
        "log loss, nats a host".to_owned(),
        f(before.log_loss, 6),
        f(held_out.log_loss, 6),
    ]);
    for (name, was, is) in [
        ("malicious hosts that are suspicious", before.found, held_out.found),
        ("benign hosts that are suspicious", before.false_alarms, held_out.false_alarms),
    ] {
        table.add_row([name.to_owned(), was.to_string(), is.to_string()]);
    }
    page += &(table.trim_fmt() + "\n");
    page += &reliability(before, held_out);
    page += &format!("\n{} (from all origins)\n", look.paint(BOLD, "constants"));
    let mut table = Look::default().table();
    table.set_header(["", "configured", "fitted"]);
    table.add_row(["prior, nats".to_owned(), f(configured.prior, 2), f(fitted.prior, 2)]);
    for family in &fitted.families {
        let name = format!("cap of {family}, nats");
        table.add_row([name, f(configured.caps.of(*family), 2), f(fitted.caps.of(*family), 2)]);
    }
    for ((detector, was), is) in configured.scales.iter().zip(fitted.scales.values()) {
        table.add_row([format!("scale of {detector}"), f(*was, 2), f(*is, 2)]);
    }
    page + &table.trim_fmt() + "\n"
}

fn f(value: f64, decimals: usize) -> String {
    format!("{value:.decimals$}")
}

fn reliability(before: &Quality, held_out: &Quality) -> String {
    let mut table = Look::default().table();
    table.set_header([
        "score",
        "configured:\nhosts",
        "mean\nscore",
        "malicious",
        "held out:\nhosts",
        "mean\nscore",
        "malicious",
    ]);
    for (was, is) in before.reliability.iter().zip(&held_out.reliability) {
        if was.hosts + is.hosts == 0 {
            continue;
        }
        let mut row = vec![format!("{} to {}", was.from, was.from + 10)];
        for bin in [was, is] {
            row.push(bin.hosts.to_string());
            row.push(bin.mean_score.map_or_else(|| "-".to_owned(), |score| f(score, 1)));
            row.push(percent(bin.observed.map(|share| share / 100.0)));
        }
        table.add_row(row);
    }
    format!("\n{}\n", table.trim_fmt())
}

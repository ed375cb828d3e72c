//! `wormwatch replay`: what came in, who is suspicious and why, and what is unusual about the input.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

use comfy_table::Cell;

use super::args::ReplayArgs;
use super::look::{BOLD, clean, counted, severity_style, size, verdict_style};
use super::progress::Bar;
use super::{Engine, Error, Look, Replay, Status, emit, replay_json, tuned};
use crate::detect::Evidence;
use crate::incident::{AlertKind, HostReport, Severity, Summary, kind_of, span};
use crate::report;
use crate::score::Verdict;
use crate::time::Timestamp;

/// Inputs that are named one by one.
const INPUTS: usize = 8;
/// Hosts in the table.
const HOSTS: usize = 50;
/// Things that one host did in the table.
const DEEDS: usize = 3;

/// Replays, writes what was asked for, and tells whether `--fail-on` was reached.
pub(super) fn execute(
    args: &ReplayArgs,
    engine: &dyn Engine,
    out: &mut dyn Write,
    look: Look,
) -> Result<Status, Error> {
    let config = tuned(&args.tuning)?;
    let bar = Bar::over(&args.inputs);
    let request = Replay {
        inputs: &args.inputs,
        threads: args.threads,
        events: args.events.as_deref(),
        progress: &|progress| bar.advance(progress),
        listener: None,
    };
    let start = clock();
    let mut summary = engine.replay(&config, &request).map_err(Error::Replay)?;
    summary.elapsed = start.elapsed();
    bar.clear();
    if let Some(path) = &args.alerts {
        write_alerts(path, &summary)?;
    }
    if let Some(path) = &args.report {
        std::fs::write(path, report::html(&summary, &config.score))
            .map_err(|source| Error::Write { path: path.clone(), source })?;
    }
    let text = if args.json {
        replay_json::render(&summary)
    } else if let Some(format) = args.graph {
        report::graph(&summary, format.into())
    } else {
        render(&summary, look)
    };
    emit(out, &text)?;
    let worst = summary.hosts.iter().map(|report| report.score.verdict).max();
    let reached = args.fail_on.is_some_and(|limit| worst >= Some(Verdict::from(limit)));
    Ok(if reached { Status::Reached } else { Status::Done })
}

#[expect(clippy::disallowed_methods, reason = "an edge: tells a person how long it took")]
fn clock() -> Instant {
    Instant::now()
}

fn write_alerts(path: &Path, summary: &Summary) -> Result<(), Error> {
    let mut lines = String::new();
    for alert in &summary.alerts {
        lines += &serde_json::to_string(alert).expect("an alert has only text for keys");
        lines.push('\n');
    }
    std::fs::write(path, lines).map_err(|source| Error::Write { path: path.to_owned(), source })
}

/// Writes the page that a person reads.
pub(super) fn render(summary: &Summary, look: Look) -> String {
    let mut page = String::new();
    header(&mut page, summary);
    hosts(&mut page, summary, look);
    infections(&mut page, summary, look);
    alerts(&mut page, summary, look);
    unusual(&mut page, summary);
    page
}

/// `write!` into a string, which cannot fail.
macro_rules! line {
    ($page:expr, $($text:tt)*) => {
        writeln!($page, $($text)*).expect("a string takes any text")
    };
}

fn header(page: &mut String, summary: &Summary) {
    for input in summary.inputs.iter().take(INPUTS) {
        let report = &input.report;
        let packets = counted(report.packets, "packet");
        let when = match (report.first_ts, report.last_ts) {
            (Some(first), Some(last)) => format!(", {}", period(first, last)),
            _ => String::new(),
        };
        line!(page, "{}: {packets}, {}{when}", clean(&report.name), size(report.bytes));
    }
    let more = summary.inputs.len().saturating_sub(INPUTS);
    if more > 0 {
        line!(page, "and {}", counted(more as u64, "more input"));
    }
    if summary.inputs.len() > 1 {
        line!(page, "{} in all", counted(summary.packets, "packet"));
    }
    line!(
        page,
        "{}, {}, {}\n",
        counted(summary.connections, "connection"),
        counted(summary.events, "event"),
        counted(summary.hosts_seen, "host")
    );
}

fn hosts(page: &mut String, summary: &Summary, look: Look) {
    let (worth, faint): (Vec<_>, Vec<_>) =
        summary.hosts.iter().partition(|r| r.score.verdict >= Verdict::Suspicious);
    if worth.is_empty() {
        line!(page, "No host is suspicious.");
    } else {
        let mut table = look.table();
        let titles = ["verdict", "score", "host", "what it did", "to how many"];
        table.set_header(titles.map(|title| styled(Cell::new(title), look, BOLD)));
        for report in worth.iter().take(HOSTS) {
            table.add_row(row(report, look));
        }
        line!(page, "{}\n", table.trim_fmt());
        let more = worth.len().saturating_sub(HOSTS);
        if more > 0 {
            line!(page, "and {} (all with --json)", counted(more as u64, "more host"));
        }
    }
    if let Some(strongest) = faint.first() {
        let score = strongest.score.peak;
        let few = counted(faint.len() as u64, "host");
        line!(page, "{few} with faint evidence, {score:.1} at the most (all with --json).");
    }
}

fn row(report: &HostReport, look: Look) -> Vec<Cell> {
    let score = &report.score;
    let mut deeds: Vec<_> = deeds(&score.evidence);
    let more = deeds.len().saturating_sub(DEEDS);
    deeds.truncate(DEEDS);
    let mut did: Vec<_> =
        deeds.iter().map(|e| format!("{}: {}", e.detector, clean(&e.summary))).collect();
    let mut many: Vec<_> = deeds.iter().map(|e| e.peers_total.to_string()).collect();
    if more > 0 {
        did.push(format!("and {}", counted(more as u64, "more thing")));
        many.push(String::new());
    }
    let mut host = score.host.to_string();
    for role in &report.roles {
        let _ = write!(host, "\n{role}");
    }
    if !report.internal {
        host.push_str("\nexternal");
    }
    let verdict = Cell::new(score.verdict.as_str());
    vec![
        styled(verdict, look, verdict_style(score.verdict)),
        Cell::new(format!("{:.1}", score.peak)),
        Cell::new(host),
        Cell::new(did.join("\n")),
        Cell::new(many.join("\n")),
    ]
}

/// The strongest evidence of each kind of behaviour, strongest first.
fn deeds(evidence: &[Evidence]) -> Vec<&Evidence> {
    let mut kinds = Vec::new();
    let mut deeds = Vec::new();
    for evidence in evidence {
        let kind = kind_of(evidence.detector);
        if !kinds.contains(&kind) {
            kinds.push(kind);
            deeds.push(evidence);
        }
    }
    deeds
}

/// Styles a whole cell, so that the table counts columns and not escapes.
fn styled(cell: Cell, look: Look, style: anstyle::Style) -> Cell {
    use comfy_table::{Attribute, Color};
    if !look.colour {
        return cell;
    }
    let cell = match style.get_fg_color() {
        Some(anstyle::Color::Ansi(anstyle::AnsiColor::Red)) => cell.fg(Color::Red),
        Some(anstyle::Color::Ansi(anstyle::AnsiColor::Yellow)) => cell.fg(Color::Yellow),
        Some(anstyle::Color::Ansi(anstyle::AnsiColor::Green)) => cell.fg(Color::Green),
        _ => cell,
    };
    if style.get_effects().contains(anstyle::Effects::BOLD) {
        cell.add_attribute(Attribute::Bold)
    } else {
        cell
    }
}

/// Who infected whom, as trees.
fn infections(page: &mut String, summary: &Summary, look: Look) {
    let tree = report::text_tree(summary);
    if tree.is_empty() {
        return;
    }
    line!(page, "\n{}\n", look.paint(BOLD, "Who infected whom"));
    for text in tree.lines() {
        line!(page, "{}", clean(text));
    }
    line!(page, "");
}

fn alerts(page: &mut String, summary: &Summary, look: Look) {
    // What the sensor says of itself stands further below, under what to know.
    let told: Vec<_> =
        summary.alerts.iter().filter(|alert| alert.kind != AlertKind::Sensor).collect();
    if told.is_empty() {
        return;
    }
    let mut severities: BTreeMap<Severity, u64> = BTreeMap::new();
    for alert in &told {
        *severities.entry(alert.severity).or_default() += 1;
    }
    let counts: Vec<_> = severities
        .iter()
        .rev()
        .map(|(severity, count)| {
            look.paint(severity_style(*severity), &format!("{count} {}", severity.as_str()))
        })
        .collect();
    let all = counted(told.len() as u64, "alert");
    line!(page, "{all}: {}.", counts.join(", "));
    // What is said of an incident says more than what is said of one of its hosts.
    let worst = told
        .iter()
        .max_by_key(|a| (a.severity, a.host.is_none(), a.verdict, a.hosts_total, a.peers_total));
    if let Some(alert) = worst {
        line!(page, "\n{}", clean(&alert.summary));
    }
}

/// A line for each thing that a person should know before trusting the result.
fn unusual(page: &mut String, summary: &Summary) {
    let mut lines = Vec::new();
    for input in &summary.inputs {
        let name = clean(&input.report.name);
        if let Some(damage) = &input.report.damage {
            let read = counted(input.report.packets, "packet");
            lines.push(format!("{name}: read up to the damage, {read}: {}", clean(damage)));
        }
        if input.report.time_went_back > 0 {
            let times = counted(input.report.time_went_back, "packet");
            lines.push(format!("{name}: {times} out of order by time, taken as of the latest"));
        }
        let skipped: u64 = input.decode_errors.values().sum();
        if skipped > 0 {
            let reasons: Vec<_> =
                input.decode_errors.iter().map(|(why, n)| format!("{n} {why}")).collect();
            let frames = counted(skipped, "frame");
            lines.push(format!("{name}: {frames} not understood: {}", reasons.join(", ")));
        }
    }
    lines.extend(summary.notices.iter().map(|notice| clean(notice)));
    for allow in &summary.allowed {
        let entry = format!("allow entry {} ({})", allow.entry, clean(&allow.reason));
        if allow.hidden_evidence + allow.hidden_events > 0 {
            let reports = counted(allow.hidden_evidence, "report");
            let events = counted(allow.hidden_events, "event");
            let about: Vec<_> = allow.hosts.iter().map(ToString::to_string).collect();
            let about = if about.is_empty() {
                String::new()
            } else {
                format!(" about {}", about.join(", "))
            };
            lines.push(format!("{entry} hid {reports} of evidence and {events}{about}"));
        }
        if let (true, Some(expires)) = (allow.expired, allow.expires) {
            let missed = counted(allow.missed, "report");
            lines.push(format!("{entry} expired on {expires}: {missed} no longer hidden"));
        }
    }
    if !lines.is_empty() {
        line!(page, "\nTo know:");
    }
    for text in lines {
        line!(page, "  {text}");
    }
}

/// `2017-05-18 08:12:07 to 08:15:31 UTC (3 min 24 s)`.
fn period(first: Timestamp, last: Timestamp) -> String {
    let (from, to) = (report::second(first), report::second(last));
    let same_day = from.get(..10) == to.get(..10);
    let to = if same_day { to.get(11..).unwrap_or(&to) } else { &to };
    format!("{from} to {to} UTC ({})", span(last.since(first)))
}

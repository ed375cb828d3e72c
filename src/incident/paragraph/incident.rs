//! The paragraph about an incident: who began, how far it got and how fast, who is next, what to do.

use std::fmt::Display;

use super::{confidence, counted, minute, span};
use crate::incident::outbreak::Outbreak;
use crate::incident::{Alert, AlertKind, Exposed};
use crate::score::Verdict;

/// Services that a paragraph names.
const SERVICES: usize = 4;
/// Hosts that may be next which it names.
const NEXT: usize = 4;

/// Writes the paragraph for `alert`, whose other fields are complete; `notes` come first.
pub(in crate::incident) fn of_incident(
    alert: &Alert,
    outbreak: &Outbreak<'_>,
    notes: &[String],
) -> String {
    let mut sentences = notes.to_vec();
    sentences.push(extent(alert, outbreak));
    sentences.extend(pace(outbreak));
    sentences.extend(latest(outbreak));
    sentences.extend(next(&outbreak.incident.exposed));
    sentences.push(confidence(alert));
    sentences.push(format!(
        "Next: isolate these hosts before cleaning any of them; `wormwatch contain --incident {}` \
         says what to cut.",
        outbreak.incident.id
    ));
    sentences.join(" ")
}

fn extent(alert: &Alert, outbreak: &Outbreak<'_>) -> String {
    let incident = outbreak.incident;
    let what = match alert.kind {
        AlertKind::AdaptiveWorm => "A worm that picks another way in for each target",
        _ => "A worm",
    };
    let zero = listed(&incident.patient_zero, NEXT);
    let more = alert.hosts_total.saturating_sub(incident.patient_zero.len() as u64);
    let over = match alert.services.as_slice() {
        [] => String::new(),
        services => format!(" over {}", listed(services, SERVICES)),
    };
    let does = if alert.verdict == Verdict::Malicious { "is" } else { "seems to be" };
    let origin = incident.origin.words().map_or(String::new(), |words| format!(", {words}"));
    format!(
        "{what} {does} spreading from host to host: {zero} (patient zero{origin}) and {} in {}{over}, since {} \
         UTC.",
        counted(more, "more host"),
        counted(u64::from(incident.generations), "generation"),
        minute(incident.since),
    )
}

fn pace(outbreak: &Outbreak<'_>) -> Option<String> {
    let time = outbreak.incident.doubling_time?;
    Some(format!("The number of infected hosts doubles in {}.", span(time)))
}

fn latest(outbreak: &Outbreak<'_>) -> Option<String> {
    let latest = outbreak.infections.last()?;
    let over = latest.service.map(|service| format!(" over {service}")).unwrap_or_default();
    Some(format!(
        "The latest is {}, infected by {}{over} on {} UTC.",
        latest.to,
        latest.from,
        minute(latest.at)
    ))
}

fn next(exposed: &[Exposed]) -> Option<String> {
    if exposed.is_empty() {
        return None;
    }
    let one = |next: &Exposed| {
        let how = if next.contacted { "called over" } else { "offers" };
        format!("{} ({how} {})", next.host, next.service)
    };
    let named: Vec<_> = exposed.iter().map(one).collect();
    Some(format!("May be next: {}.", listed(&named, NEXT)))
}

/// `a, b and 7 more`.
fn listed<T: Display>(items: &[T], most: usize) -> String {
    let named: Vec<_> = items.iter().take(most).map(ToString::to_string).collect();
    let rest = items.len().saturating_sub(most);
    match (named.as_slice(), rest) {
        ([first @ .., last], 0) if !first.is_empty() => format!("{} and {last}", first.join(", ")),
        (_, 0) => named.join(", "),
        (_, rest) => format!("{} and {rest} more", named.join(", ")),
    }
}

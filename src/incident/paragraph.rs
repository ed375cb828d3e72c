//! The paragraph that a person reads at three in the morning: who did what to how many, when, how
//! sure the sensor is, and what to do next.

mod incident;

use std::time::Duration;

use crate::score::Verdict;
use crate::time::Timestamp;

use super::{Alert, AlertKind, TargetClass};

pub(super) use incident::of_incident;

/// Sentences of evidence that a paragraph quotes.
const QUOTED: usize = 3;
/// Services that a paragraph names.
const SERVICES: usize = 4;

/// Writes the paragraph for `alert`, whose other fields are complete.
pub(super) fn write(alert: &Alert, class: TargetClass, internal: bool) -> String {
    let mut sentences = vec![opening(alert, class, internal)];
    let mut quoted: Vec<_> = alert.evidence.iter().map(|e| sentence(&e.summary)).collect();
    quoted.dedup();
    quoted.truncate(QUOTED);
    sentences.append(&mut quoted);
    sentences.push(confidence(alert));
    sentences.push(next_step(alert.kind, internal).to_owned());
    sentences.join(" ")
}

fn opening(alert: &Alert, class: TargetClass, internal: bool) -> String {
    let host = alert.host.map_or_else(|| "The sensor".to_owned(), |host| host.to_string());
    let place = if internal { "an internal host" } else { "an external address" };
    let did = match alert.kind {
        AlertKind::Scan => "has been looking for targets",
        AlertKind::Bruteforce => "has been guessing passwords",
        AlertKind::LateralMovement => "has moved to other hosts as an intruder would",
        AlertKind::Worm => "is spreading from host to host",
        AlertKind::AdaptiveWorm => "is probing each target in a different way",
        AlertKind::InferenceRelay => "is asking a language model through another host",
        AlertKind::Fingerprint => "behaves like a recorded outbreak",
        AlertKind::Sensor => "cannot see as it should",
    };
    let to_whom = match class {
        TargetClass::Internal(net) => format!(" in {net}"),
        TargetClass::External => " outside your networks".to_owned(),
        TargetClass::Many => " in many networks".to_owned(),
        TargetClass::Unnamed => String::new(),
    };
    let how_many = match alert.peers_total {
        0 => String::new(),
        1 => match alert.peers.first() {
            Some(peer) => format!(": 1 host ({peer}){to_whom}"),
            None => format!(": 1 host{to_whom}"),
        },
        n => format!(": at least {n} hosts{to_whom}"),
    };
    format!("{host}, {place}, {did}{how_many}{}, {}.", services(alert), when(alert))
}

fn services(alert: &Alert) -> String {
    let names: Vec<_> = alert.services.iter().take(SERVICES).map(ToString::to_string).collect();
    let more = alert.services.len().saturating_sub(SERVICES);
    match (names.is_empty(), more) {
        (true, _) => String::new(),
        (false, 0) => format!(" on {}", names.join(", ")),
        (false, more) => format!(" on {} and {more} more services", names.join(", ")),
    }
}

fn when(alert: &Alert) -> String {
    let first = alert.evidence.iter().map(|e| e.ts).min().unwrap_or(alert.ts).min(alert.ts);
    let (from, to) = (minute(first), minute(alert.updated));
    if from == to {
        return format!("on {from} UTC");
    }
    format!("between {from} and {to} UTC ({})", span(alert.updated.since(first)))
}

fn confidence(alert: &Alert) -> String {
    let Alert { score, .. } = alert;
    match alert.verdict {
        Verdict::Malicious => format!("The sensor is sure: malicious, {score:.1} of 100."),
        _ => format!("The sensor is not certain: {}, {score:.1} of 100.", alert.verdict.as_str()),
    }
}

const fn next_step(kind: AlertKind, internal: bool) -> &'static str {
    match (kind, internal) {
        (AlertKind::Scan, true) => {
            "Next: find out who runs this host; if nobody meant to scan, take it off the network \
             and look at what it reached."
        }
        (AlertKind::Scan, false) => {
            "Next: check whether any of the targets answered and what is exposed there; block the \
             address at the edge if it goes on."
        }
        (AlertKind::Bruteforce, true) => {
            "Next: take this host off the network, look for a login that worked on the targets, \
             and change the passwords it tried."
        }
        (AlertKind::Bruteforce, false) => {
            "Next: block the address, and look on the targets for a login that worked."
        }
        (AlertKind::LateralMovement, _) => {
            "Next: ask the owner whether this administration was planned; if not, isolate both \
             ends and reset the account that was used."
        }
        (AlertKind::Worm | AlertKind::AdaptiveWorm | AlertKind::Fingerprint, _) => {
            "Next: isolate this host and every peer named here now, before cleaning any of them."
        }
        (AlertKind::InferenceRelay, _) => {
            "Next: isolate this host and the one that serves the model, and look for more that ask it."
        }
        (AlertKind::Sensor, _) => "Next: check the tap, the mirror port and the sensor's load.",
    }
}

/// A fragment as a sentence.
fn sentence(text: &str) -> String {
    let mut letters = text.trim().chars();
    let mut sentence: String =
        letters.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    sentence.push_str(letters.as_str());
    if !sentence.is_empty() && !sentence.ends_with(['.', '!', '?']) {
        sentence.push('.');
    }
    sentence
}

/// `2017-05-18 08:12`.
fn minute(moment: Timestamp) -> String {
    let text = moment.to_string();
    text.get(..16).unwrap_or(&text).replace('T', " ")
}

/// `1 packet`, `2 packets`.
pub(crate) fn counted(count: u64, thing: &str) -> String {
    format!("{count} {thing}{}", if count == 1 { "" } else { "s" })
}

/// A duration in the two units that matter.
pub(crate) fn span(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0 => format!("{} ms", duration.as_millis()),
        1..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds / 3600 % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fragments_become_sentences() {
        assert_eq!(sentence("3 of 4 failed"), "3 of 4 failed.");
        assert_eq!(sentence("élan was lost."), "Élan was lost.");
        assert_eq!(sentence("  "), "");
    }

    #[test]
    fn spans_are_told_in_two_units() {
        let told: Vec<_> = [0, 59, 204, 7260, 90_000].map(|s| span(Duration::from_secs(s))).into();

        assert_eq!(told, ["0 ms", "59 s", "3 min 24 s", "2 h 1 min", "1 d 1 h"]);
    }
}

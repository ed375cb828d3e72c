//! From well-formed documents to rules that fit each other and the events that there are.

mod correlation;
mod detection;
mod filter;

use std::collections::{BTreeMap, HashMap};

use rsigma_parser::Status;

use super::config::Levels;
use super::intern;
use super::mistake::{Mistake, nearest};
use super::read::{Body, Draft};
use super::rule::{About, Level, Part, Rule, What};
use crate::detect::Family;
use crate::inventory::mix;
use correlation::{PARTS_MAX, correlation};
use detection::detection;
use filter::check_filter;

/// What is brought together.
#[derive(Debug, Default)]
pub(super) struct Compiled {
    pub(super) rules: Vec<Rule>,
    /// What is no mistake and still worth knowing.
    pub(super) notes: Vec<Mistake>,
    pub(super) mistakes: Vec<Mistake>,
}

/// Brings `drafts` together.
pub(super) fn compile(drafts: &[Draft], levels: &Levels) -> Compiled {
    let mut out = Compiled::default();
    let (filters, drafts): (Vec<_>, Vec<_>) =
        drafts.iter().partition(|draft| matches!(draft.body, Body::Filter(_)));
    let drafts: Vec<_> = drafts.into_iter().filter(|draft| is_in_use(draft, &mut out)).collect();
    let names = names(&drafts, &mut out);
    for filter in &filters {
        check_filter(filter, &names, &mut out);
    }
    for draft in &drafts {
        let rule = match &draft.body {
            Body::Detection(rule) => detection(draft, rule, &filters, levels, &mut out),
            Body::Correlation(rule) => correlation(draft, rule, &drafts, &names, levels, &mut out),
            Body::Filter(_) => None,
        };
        // A rule with a mistake keeps its place, so that the numbers of the others are right.
        out.rules.push(rule.unwrap_or_else(|| blank(draft, levels)));
    }
    if out.mistakes.is_empty() {
        find_circles(&drafts, &mut out);
    }
    if out.mistakes.is_empty() {
        settle(&drafts, &mut out.rules);
    }
    out
}

fn is_in_use(draft: &Draft, out: &mut Compiled) -> bool {
    let status = match &draft.body {
        Body::Detection(rule) => rule.status,
        Body::Correlation(rule) => rule.status,
        Body::Filter(rule) => rule.status,
    };
    let out_of_use = matches!(status, Some(Status::Deprecated | Status::Unsupported));
    if out_of_use {
        let what = "not used: its `status` says so";
        out.notes.push(draft.document.mistake(&["status"], what));
    }
    !out_of_use
}

/// Ids and names, and the place of the rule that has them.
type Names<'a> = BTreeMap<&'a str, usize>;

fn names<'a>(drafts: &[&'a Draft], out: &mut Compiled) -> Names<'a> {
    let mut names = Names::new();
    for (index, draft) in drafts.iter().enumerate() {
        for (key, name) in [("id", draft.id()), ("name", draft.name())] {
            let Some(name) = name else { continue };
            match names.insert(name, index) {
                Some(other) if other != index => {
                    let other = drafts.get(other).map(|other| other.document.file.as_ref());
                    let what = format!(
                        "`{key}` {name} belongs to another rule, in {}",
                        other.unwrap_or("the same file")
                    );
                    out.mistakes.push(draft.document.mistake(&[key], what));
                }
                _ => {}
            }
        }
    }
    names
}

/// What all rules have, out of the document's head.
fn blank(draft: &Draft, levels: &Levels) -> Rule {
    let level = draft.level().unwrap_or(Level::Informational);
    let family = draft.custom.family.unwrap_or(Family::Lateral);
    let techniques: Vec<_> = draft.tags().iter().filter_map(|tag| technique(tag)).collect();
    Rule {
        id: draft.id().unwrap_or_default().to_owned(),
        name: draft.name().map(str::to_owned),
        title: draft.title().to_owned(),
        description: draft.description().trim().to_owned(),
        file: draft.document.file.to_string(),
        line: draft.document.first_line,
        level,
        group: draft.group.clone(),
        detector: intern::word(&format!("{}.{}", prefix(family), draft.group)),
        family,
        llr: draft.custom.llr.unwrap_or_else(|| levels.of(level)),
        techniques: intern::list(&techniques),
        speaks: true,
        kinds: Vec::new(),
        fingerprint: digest(&draft.document.text, draft.document.file.len() as u64),
        about: About::Client,
        what: What::Detection(Vec::new()),
    }
}

/// What a detector id of this family begins with, so that its alert is of the right kind.
const fn prefix(family: Family) -> &'static str {
    match family {
        Family::Lateral => "lateral",
        Family::Credential => "auth",
        Family::Failure | Family::Decoy => "scan",
        Family::Adaptation => "scan.adaptive",
        Family::Novelty => "novelty",
        Family::Causality => "propagation",
        Family::Content => "content",
        Family::Inference => "inference",
        Family::Fingerprint => "fingerprint",
        Family::Context => "host",
    }
}

/// `T1021.002` of `attack.t1021.002`.
fn technique(tag: &str) -> Option<String> {
    let id = tag.strip_prefix("attack.t")?;
    let fits = id.len() >= 4 && id.chars().all(|c| c.is_ascii_digit() || c == '.');
    fits.then(|| format!("T{id}"))
}

/// Complains where nothing says what a match is worth.
fn check_level(draft: &Draft, mistakes: &mut Vec<Mistake>) {
    if draft.level().is_none() && draft.custom.llr.is_none() {
        let what = "a rule needs a `level`: informational, low, medium, high or critical";
        mistakes.push(draft.document.mistake(&["title"], what));
    }
}

/// Whom the rule is about.
fn about(draft: &Draft, group: &[String], mistakes: &mut Vec<Mistake>) -> Option<About> {
    match draft.custom.host.as_deref() {
        None if !group.is_empty() => Some(About::Group(0)),
        None => Some(About::Client),
        Some(name) => {
            if let Some(part) = group.iter().position(|known| known == name) {
                return Some(About::Group(part));
            }
            match name {
                "id.orig_h" | "src_ip" => Some(About::Client),
                "id.resp_h" | "dst_ip" => Some(About::Server),
                _ => {
                    let known = ["id.orig_h", "id.resp_h"].into_iter();
                    let hint = nearest(name, known.chain(group.iter().map(String::as_str)));
                    let what = format!(
                        "`host` is id.orig_h, id.resp_h or a name in `group-by`, not `{name}`{hint}"
                    );
                    mistakes.push(draft.document.mistake(&["custom", "host"], what));
                    None
                }
            }
        }
    }
}

/// A correlation that waits for itself never ends.
fn find_circles(drafts: &[&Draft], out: &mut Compiled) {
    let parts = |index: usize| -> Vec<usize> {
        match out.rules.get(index).map(|rule| &rule.what) {
            Some(What::Correlation(correlation)) => {
                correlation.parts.iter().map(|part| part.rule).collect()
            }
            _ => Vec::new(),
        }
    };
    let mut found = Vec::new();
    for (index, draft) in drafts.iter().enumerate() {
        let (mut reached, mut next) = (vec![false; drafts.len()], parts(index));
        while let Some(rule) = next.pop() {
            if let Some(seen) = reached.get_mut(rule)
                && !std::mem::replace(seen, true)
            {
                next.extend(parts(rule));
            }
        }
        if reached.get(index) == Some(&true) {
            let what = "this correlation depends on itself";
            found.push(draft.document.mistake(&["correlation", "rules"], what));
        }
    }
    out.mistakes.extend(found);
}

/// What one rule means for another: who speaks for itself, and what makes a version of a rule.
fn settle(drafts: &[&Draft], rules: &mut [Rule]) {
    let mut called: BTreeMap<usize, bool> = BTreeMap::new();
    for (draft, rule) in drafts.iter().zip(rules.iter()) {
        let Body::Correlation(body) = &draft.body else { continue };
        let What::Correlation(correlation) = &rule.what else { continue };
        for part in &correlation.parts {
            *called.entry(part.rule).or_default() |= body.generate;
        }
    }
    for (index, speaks) in called {
        if let Some(rule) = rules.get_mut(index) {
            rule.speaks = speaks;
        }
    }
    for rule in rules.iter_mut() {
        rule.speaks &= rule.llr > 0.0;
    }
    // References go no deeper than there are correlations.
    let correlations = rules.iter().filter(|rule| rule.is_correlation()).count();
    let own: Vec<_> = rules.iter().map(|rule| rule.fingerprint).collect();
    for _ in 0..correlations.min(PARTS_MAX) {
        let known: Vec<_> = rules.iter().map(|rule| rule.fingerprint).collect();
        for (rule, own) in rules.iter_mut().zip(&own) {
            let What::Correlation(correlation) = &rule.what else { continue };
            let of = |part: &Part| known.get(part.rule).copied().unwrap_or_default();
            rule.fingerprint = correlation.parts.iter().fold(*own, |sum, part| mix(sum ^ of(part)));
        }
    }
}

/// A number for a text: FNV-1a, mixed. Nobody gains from two rules of one number.
pub(super) fn digest(text: &str, seed: u64) -> u64 {
    let start = 0xcbf2_9ce4_8422_2325 ^ seed;
    let sum = text
        .bytes()
        .fold(start, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    mix(sum)
}

/// What the parser keeps in a hash map, in an order that is always the same.
pub(super) fn sorted<V>(map: &HashMap<String, V>) -> Vec<(&str, &V)> {
    #[expect(clippy::disallowed_methods, reason = "sorted at once")]
    let mut sorted: Vec<_> = map.iter().map(|(name, value)| (name.as_str(), value)).collect();
    sorted.sort_unstable_by_key(|(name, _)| *name);
    sorted
}

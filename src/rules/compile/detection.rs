//! Detections: is each field one that an event can have, and does it all compile.

use rsigma_eval::compile_rule;
use rsigma_eval::compiler::compile_detection;
use rsigma_parser::{
    ConditionExpr, Detection as SigmaDetection, DetectionItem, LogSource, Modifier,
    SelectorPattern, SigmaRule, SigmaString, SigmaValue, SpecialChar, StringPart,
};

use super::filter::{self, narrow};
use super::{Compiled, about, blank, check_level, digest, sorted};
use crate::rules::config::Levels;
use crate::rules::document::Document;
use crate::rules::mistake::{Mistake, nearest};
use crate::rules::read::{Draft, blame};
use crate::rules::rule::{Detection, Rule, What};
use crate::rules::vocabulary::{self, Kind, Source, Word};

/// The rule of a detection; what is wrong with it goes to `out`.
pub(super) fn detection(
    draft: &Draft,
    rule: &SigmaRule,
    filters: &[&Draft],
    levels: &Levels,
    out: &mut Compiled,
) -> Option<Rule> {
    let document = &draft.document;
    let kinds = match source_of(&rule.logsource) {
        Source::Kinds(kinds) => kinds,
        Source::Foreign => {
            let what = "never matches: wormwatch makes no events of this log source";
            out.notes.push(document.mistake(&["logsource"], what));
            Vec::new()
        }
        Source::UnknownService => {
            let service = rule.logsource.service.as_deref().unwrap_or_default();
            let hint = nearest(service, vocabulary::services());
            let what = format!("`service` {service} is no log of Zeek{hint}");
            out.mistakes.push(document.mistake(&["logsource", "service"], what));
            return None;
        }
        Source::Nothing => {
            let what = "a `logsource` names a product, a service or a category";
            out.mistakes.push(document.mistake(&["logsource"], what));
            return None;
        }
    };
    let before = out.mistakes.len();
    check_level(draft, &mut out.mistakes);
    check_compiles(document, rule, &mut out.mistakes);
    let about = about(draft, &[], &mut out.mistakes);
    if out.mistakes.len() > before {
        return None;
    }
    let mut rule = rule.clone();
    let narrowed = narrow(draft, &mut rule, filters);
    let detections = for_kinds(document, &rule, &kinds, &narrowed, out);
    let mut made = blank(draft, levels);
    made.kinds = detections.iter().map(|(kind, _)| *kind).collect();
    made.fingerprint =
        narrowed.iter().fold(made.fingerprint, |sum, filter| digest(&filter.document.text, sum));
    made.about = about?;
    made.what = What::Detection(detections);
    Some(made)
}

/// The events that the log source is about.
pub(super) fn source_of(source: &LogSource) -> Source {
    let [product, category, service] =
        [&source.product, &source.category, &source.service].map(|word| word.as_deref());
    vocabulary::source(product, category, service)
}

/// Complains about each part of the detection that cannot be compiled.
fn check_compiles(document: &Document, rule: &SigmaRule, mistakes: &mut Vec<Mistake>) {
    let before = mistakes.len();
    for (name, detection) in sorted(&rule.detection.named) {
        if let Err(error) = compile_detection(detection) {
            let mut path = vec!["detection", name];
            path.extend(first_broken(detection));
            mistakes.push(document.mistake(&path, error.to_string()));
        }
    }
    if mistakes.len() > before {
        return;
    }
    for condition in &rule.detection.conditions {
        check_names(document, rule, condition, mistakes);
    }
}

/// The field whose item cannot be compiled by itself.
fn first_broken(detection: &SigmaDetection) -> Option<&str> {
    match detection {
        SigmaDetection::AllOf(items) => items
            .iter()
            .find(|item| compile_detection(&SigmaDetection::AllOf(vec![(*item).clone()])).is_err())
            .and_then(|item| item.field.name.as_deref()),
        SigmaDetection::AnyOf(parts) => parts.iter().find_map(first_broken),
        SigmaDetection::Keywords(_) => None,
    }
}

/// A name in the condition that nothing has, be it as `1 of filter*`, is a misspelt one.
fn check_names(
    document: &Document,
    rule: &SigmaRule,
    condition: &ConditionExpr,
    mistakes: &mut Vec<Mistake>,
) {
    let names: Vec<_> = sorted(&rule.detection.named).into_iter().map(|(name, _)| name).collect();
    let (is_there, text) = match condition {
        ConditionExpr::And(parts) | ConditionExpr::Or(parts) => {
            for part in parts {
                check_names(document, rule, part, mistakes);
            }
            return;
        }
        ConditionExpr::Not(part) => return check_names(document, rule, part, mistakes),
        ConditionExpr::Identifier(name) => (names.contains(&name.as_str()), name),
        ConditionExpr::Selector { pattern: SelectorPattern::Them, .. } => return,
        ConditionExpr::Selector { pattern: pattern @ SelectorPattern::Pattern(text), .. } => {
            (names.iter().any(|name| pattern.matches_detection_name(name)), text)
        }
    };
    if !is_there {
        let what = format!("nothing in the detection is called `{text}`{}", nearest(text, names));
        mistakes.push(document.mistake(&["detection", "condition"], what));
    }
}

/// Compiles the rule for each kind of event that has its fields.
fn for_kinds(
    document: &Document,
    rule: &SigmaRule,
    kinds: &[&'static Kind],
    filters: &[&Draft],
    out: &mut Compiled,
) -> Vec<(&'static str, Detection)> {
    let mut compiled = Vec::new();
    let mut problems = Vec::new();
    for kind in kinds {
        let mut translated = rule.clone();
        let mut trouble = Vec::new();
        for (name, _) in sorted(&rule.detection.named) {
            let Some(detection) = translated.detection.named.get_mut(name) else { continue };
            let (document, path) = filter::home(document, name, filters);
            translate(detection, kind, &mut |field, word| {
                let path: Vec<_> = path.iter().copied().chain([field]).collect();
                trouble.push((word, document.mistake(&path, complaint(field, kind, word))));
            });
        }
        let unknown = trouble.iter().any(|(word, _)| *word == Word::Unknown);
        if !unknown {
            match compile_rule(&translated) {
                Ok(rule) => compiled.push((kind.name, Detection::new(rule))),
                Err(error) => out.mistakes.push(blame(document, &error.to_string())),
            }
        }
        problems.push(trouble);
    }
    // A rule over all kinds is about those that have its fields; there have to be some.
    let unwanted = if compiled.is_empty() { Word::Unknown } else { Word::Unfilled };
    let first = problems
        .into_iter()
        .min_by_key(|trouble| trouble.iter().filter(|(word, _)| *word == Word::Unknown).count());
    for (word, mistake) in first.into_iter().flatten() {
        match word {
            Word::Unknown if unwanted == Word::Unknown => out.mistakes.push(mistake),
            Word::Unfilled => out.notes.push(mistake),
            _ => {}
        }
    }
    compiled
}

fn complaint(field: &str, kind: &Kind, word: Word) -> String {
    match word {
        Word::Unfilled => {
            format!("`{field}` is never there: wormwatch does not fill it in for {}", kind.name)
        }
        _ => {
            format!("no field of {} is called `{field}`{}", kind.name, nearest(field, kind.names()))
        }
    }
}

/// Writes `x?` at the start or end of a field as `x?*` or `*x?` of the whole: of values with
/// wildcards `rsigma` anchors the wrong end.
fn unfold(item: &mut DetectionItem) {
    let has_wildcards =
        |value: &SigmaValue| matches!(value, SigmaValue::String(text) if text.contains_wildcards());
    let others = item.field.modifiers.iter().filter(|modifier| {
        !matches!(
            modifier,
            Modifier::StartsWith | Modifier::EndsWith | Modifier::All | Modifier::Cased
        )
    });
    if others.count() > 0 || !item.values.iter().any(has_wildcards) {
        return;
    }
    let anything = StringPart::Special(SpecialChar::WildcardMulti);
    for (modifier, at_end) in [(Modifier::StartsWith, true), (Modifier::EndsWith, false)] {
        if !item.field.has_modifier(modifier) {
            continue;
        }
        item.field.modifiers.retain(|other| *other != modifier);
        for value in &mut item.values {
            if let SigmaValue::String(text) = value {
                let place = if at_end { text.parts.len() } else { 0 };
                text.parts.insert(place, anything.clone());
            }
        }
    }
}

/// Renames fields to Zeek's names, and tells of those that are none or never there.
fn translate(detection: &mut SigmaDetection, kind: &Kind, tell: &mut dyn FnMut(&str, Word)) {
    let mut rename = |name: &mut String| match kind.word(name) {
        Word::Field(field) => field.clone_into(name),
        word => tell(name, word),
    };
    match detection {
        SigmaDetection::AllOf(items) => {
            for item in items {
                unfold(item);
                if let Some(name) = &mut item.field.name {
                    rename(name);
                }
                if item.field.has_modifier(Modifier::FieldRef) {
                    for value in &mut item.values {
                        if let SigmaValue::String(text) = value
                            && let Some(mut name) = text.as_plain()
                        {
                            rename(&mut name);
                            *text = SigmaString::new(&name);
                        }
                    }
                }
            }
        }
        SigmaDetection::AnyOf(parts) => {
            for part in parts {
                translate(part, kind, tell);
            }
        }
        SigmaDetection::Keywords(_) => {}
    }
}

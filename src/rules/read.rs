//! From a YAML document to a rule that is well-formed by itself.

use rsigma_parser::{CorrelationRule, FilterRule, SigmaRule, parse_sigma_yaml};
use serde::Deserialize;
use yaml_serde::{Mapping, Value};

use super::document::Document;
use super::files::{RuleFile, group_name};
use super::mistake::{Mistake, nearest};
use super::rule::Level;
use crate::detect::Family;

/// The keys that a document may have, besides whatever else somebody keeps there.
const KEYS: [&str; 25] = [
    "title",
    "id",
    "name",
    "related",
    "taxonomy",
    "status",
    "description",
    "license",
    "author",
    "references",
    "date",
    "modified",
    "logsource",
    "detection",
    "fields",
    "falsepositives",
    "level",
    "tags",
    "scope",
    "custom",
    "custom_attributes",
    "correlation",
    "generate",
    "filter",
    "action",
];

const CORRELATION_KEYS: [&str; 8] =
    ["type", "rules", "group-by", "timespan", "timeframe", "condition", "aliases", "generate"];

/// The most nats that a rule may claim: as much as any family adds.
const LLR_MAX: f64 = 10.0;

/// A document, read and not yet brought together with others.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) document: Document,
    /// The group of its file.
    pub(super) group: String,
    pub(super) custom: Custom,
    pub(super) body: Body,
}

/// What a document is.
#[derive(Debug)]
pub(super) enum Body {
    Detection(Box<SigmaRule>),
    Correlation(Box<CorrelationRule>),
    Filter(Box<FilterRule>),
}

/// `custom:`, what wormwatch adds to Sigma.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Custom {
    /// What a match is worth, in nats; instead of what its level is worth.
    pub(super) llr: Option<f64>,
    /// What its evidence is independent of.
    pub(super) family: Option<Family>,
    /// Instead of the folder's name.
    pub(super) group: Option<String>,
    /// Whom it is about: `id.orig_h`, `id.resp_h`, or a name in `group-by`.
    pub(super) host: Option<String>,
}

impl Draft {
    pub(super) fn title(&self) -> &str {
        match &self.body {
            Body::Detection(rule) => &rule.title,
            Body::Correlation(rule) => &rule.title,
            Body::Filter(rule) => &rule.title,
        }
    }

    pub(super) fn id(&self) -> Option<&str> {
        match &self.body {
            Body::Detection(rule) => rule.id.as_deref(),
            Body::Correlation(rule) => rule.id.as_deref(),
            Body::Filter(rule) => rule.id.as_deref(),
        }
    }

    pub(super) fn name(&self) -> Option<&str> {
        match &self.body {
            Body::Detection(rule) => rule.name.as_deref(),
            Body::Correlation(rule) => rule.name.as_deref(),
            Body::Filter(_) => None,
        }
    }

    pub(super) fn level(&self) -> Option<Level> {
        match &self.body {
            Body::Detection(rule) => rule.level,
            Body::Correlation(rule) => rule.level,
            Body::Filter(_) => None,
        }
        .map(Level::from)
    }

    pub(super) fn tags(&self) -> &[String] {
        match &self.body {
            Body::Detection(rule) => &rule.tags,
            Body::Correlation(rule) => &rule.tags,
            Body::Filter(_) => &[],
        }
    }

    pub(super) fn description(&self) -> &str {
        match &self.body {
            Body::Detection(rule) => rule.description.as_deref(),
            Body::Correlation(rule) => rule.description.as_deref(),
            Body::Filter(rule) => rule.description.as_deref(),
        }
        .unwrap_or_default()
    }
}

/// Reads the documents of `file`; what is wrong with them goes to `mistakes`.
pub(super) fn read(file: &RuleFile, mistakes: &mut Vec<Mistake>) -> Vec<Draft> {
    let mut drafts = Vec::new();
    for document in Document::split(&file.name, &file.text) {
        let before = mistakes.len();
        let draft = attempt(document, &file.group, mistakes);
        drafts.extend(draft.filter(|_| mistakes.len() == before));
    }
    drafts
}

fn attempt(document: Document, group: &str, mistakes: &mut Vec<Mistake>) -> Option<Draft> {
    let value: Value = match yaml_serde::from_str(&document.text) {
        Ok(value) => value,
        Err(error) => {
            let line = error.location().map_or(1, |location| location.line());
            let what = format!("not YAML: {error}");
            mistakes.push(document.mistake_at(line.saturating_sub(1), what));
            return None;
        }
    };
    let Some(keys) = value.as_mapping() else {
        mistakes.push(document.mistake_at(0, "a rule is a mapping, with `title` and so on"));
        return None;
    };
    check_keys(&document, keys, &[], &KEYS, mistakes);
    if keys.contains_key("action") {
        let what = "`action` is no part of today's Sigma: write the documents out";
        mistakes.push(document.mistake(&["action"], what));
        return None;
    }
    if let Some(correlation) = keys.get("correlation").and_then(Value::as_mapping) {
        check_keys(&document, correlation, &["correlation"], &CORRELATION_KEYS, mistakes);
    }
    let custom = custom(&document, keys, mistakes)?;
    let body = body(&document, mistakes)?;
    let group = custom.group.clone().unwrap_or_else(|| group.to_owned());
    let draft = Draft { document, group, custom, body };
    if draft.id().is_none() && !matches!(draft.body, Body::Filter(_)) {
        let what = "a rule needs an `id`, which names it in evidence; any UUID does";
        mistakes.push(draft.document.mistake(&["title"], what));
    }
    Some(draft)
}

/// Complains about keys that look like misspelt ones.
fn check_keys(
    document: &Document,
    keys: &Mapping,
    path: &[&str],
    known: &[&str],
    mistakes: &mut Vec<Mistake>,
) {
    for key in keys.keys().filter_map(Value::as_str).filter(|key| !known.contains(key)) {
        let hint = nearest(key, known.iter().copied());
        if !hint.is_empty() || !path.is_empty() {
            let path: Vec<_> = path.iter().copied().chain([key]).collect();
            mistakes.push(document.mistake(&path, format!("unknown key `{key}`{hint}")));
        }
    }
}

fn custom(document: &Document, keys: &Mapping, mistakes: &mut Vec<Mistake>) -> Option<Custom> {
    let Some(value) = keys.get("custom") else { return Some(Custom::default()) };
    let mut wrong = |key: &str, what: String| {
        mistakes.push(document.mistake(&["custom", key], what));
    };
    let custom = match Custom::deserialize(value) {
        Ok(custom) => custom,
        Err(error) => {
            let what = error.to_string();
            // What is in back quotes first is the key, or the value, that is wrong.
            let word = what.split('`').nth(1).unwrap_or_default().to_owned();
            let hint = nearest(&word, what.split('`').skip(3).step_by(2));
            let key = keys
                .get("custom")
                .and_then(Value::as_mapping)
                .and_then(|custom| custom.iter().find(|(_, value)| value.as_str() == Some(&word)))
                .and_then(|(key, _)| key.as_str())
                .unwrap_or(&word)
                .to_owned();
            wrong(&key, format!("`custom`: {what}{hint}"));
            return None;
        }
    };
    if custom.llr.is_some_and(|llr| !(0.0..=LLR_MAX).contains(&llr)) {
        wrong("llr", format!("`llr` is between 0 and {LLR_MAX} nats"));
    }
    if custom.group.as_ref().is_some_and(|group| group != &group_name(group)) {
        wrong("group", "`group` is made of lower-case letters, digits, `-` and `_`".to_owned());
    }
    Some(custom)
}

fn body(document: &Document, mistakes: &mut Vec<Mistake>) -> Option<Body> {
    let mut collection = match parse_sigma_yaml(&document.text) {
        Ok(collection) => collection,
        Err(error) => {
            mistakes.push(blame(document, &error.to_string()));
            return None;
        }
    };
    mistakes.extend(collection.errors.iter().map(|error| blame(document, error)));
    if let Some(rule) = collection.rules.pop() {
        Some(Body::Detection(Box::new(rule)))
    } else if let Some(rule) = collection.correlations.pop() {
        Some(Body::Correlation(Box::new(rule)))
    } else {
        collection.filters.pop().map(|filter| Body::Filter(Box::new(filter)))
    }
}

/// A mistake for a message of the parser, at the line that it is most probably about.
pub(super) fn blame(document: &Document, message: &str) -> Mistake {
    let message = message.split_whitespace().collect::<Vec<_>>().join(" ");
    let quoted = message.split(['\'', '`']).skip(1).step_by(2).filter(|word| !word.is_empty());
    let line = quoted.filter_map(|word| document.line_with(word)).next();
    if let Some(line) = line {
        return document.mistake_at(line, message);
    }
    let lower = message.to_lowercase();
    let path: &[&str] = if lower.contains("condition") && lower.contains("correlation") {
        &["correlation", "condition"]
    } else if lower.contains("condition") {
        &["detection", "condition"]
    } else if lower.contains("correlation") || lower.contains("timeframe") {
        &["correlation"]
    } else if lower.contains("detection") {
        &["detection"]
    } else {
        &[]
    };
    document.mistake(path, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(text: &str) -> Vec<String> {
        let mut mistakes = Vec::new();
        let file =
            RuleFile { name: "a.yml".to_owned(), group: "x".to_owned(), text: text.to_owned() };
        assert_eq!(read(&file, &mut mistakes).is_empty(), !mistakes.is_empty());
        mistakes.iter().map(|m| format!("{}: {}", m.line, m.what)).collect()
    }

    const GOOD: &str = "\
title: One
id: 1
logsource: {product: zeek, service: dns}
detection:
    selection:
        query: x
    condition: selection
level: low
";

    #[test]
    fn takes_a_rule() {
        assert_eq!(complaints(&GOOD.replace("id: 1", "id: a1")), [""; 0]);
    }

    #[test]
    fn names_the_line_of_what_is_wrong() {
        let with = |from: &str, to: &str| {
            complaints(&GOOD.replace("id: 1", "id: a1").replace(from, to)).join("; ")
        };

        assert!(with("    selection:\n", "    selection: [\n").starts_with("7: not YAML: did not"));
        assert_eq!(
            with("id: a1", ""),
            "1: a rule needs an `id`, which names it in evidence; any UUID does"
        );
        assert_eq!(
            with("level: low", "levle: low"),
            "8: unknown key `levle`: did you mean `level`?"
        );
        assert!(with("level: low", "level: hgh").starts_with("8: invalid level"));
        assert!(with("query: x", "query|contians: x").starts_with("6: Unknown modifier"));
        assert!(with("condition: selection", "condition: selection and (").starts_with("7: "));
    }

    #[test]
    fn checks_our_own_additions() {
        let with = |custom: &str| {
            complaints(&format!("{}custom: {{{custom}}}\n", GOOD.replace("id: 1", "id: a1")))
        };

        assert_eq!(with("llr: 2.5, family: credential, host: id.resp_h"), [""; 0]);
        assert_eq!(with("llr: 40"), ["9: `llr` is between 0 and 10 nats"]);
        assert!(with("famly: lateral")[0].ends_with("did you mean `family`?"));
        assert!(with("family: laterl")[0].ends_with("did you mean `lateral`?"));
    }
}

//! Sigma's filters: conditions of a site's own that are put into rules as they are loaded, so that
//! the rules stay as they are.

use rsigma_eval::compiler::compile_detection;
use rsigma_parser::{ConditionExpr, FilterRule, FilterRuleTarget, SelectorPattern, SigmaRule};

use super::{Compiled, Names, sorted};
use crate::rules::document::Document;
use crate::rules::mistake::nearest;
use crate::rules::read::{Body, Draft};

/// Puts the filters that are meant for the rule into its condition; says which.
pub(super) fn narrow<'a>(
    draft: &Draft,
    rule: &mut SigmaRule,
    filters: &[&'a Draft],
) -> Vec<&'a Draft> {
    let mut narrowed = Vec::new();
    for filter in filters {
        let Body::Filter(body) = &filter.body else { continue };
        if !is_meant(body, draft, rule) {
            continue;
        }
        let number = narrowed.len();
        for (name, detection) in sorted(&body.detection.named) {
            rule.detection.named.insert(of_filter(number, name), detection.clone());
        }
        for with in &body.detection.conditions {
            let with = renamed(with, number);
            for condition in &mut rule.detection.conditions {
                *condition = ConditionExpr::And(vec![condition.clone(), with.clone()]);
            }
        }
        narrowed.push(*filter);
    }
    narrowed
}

/// A name that no detection has, and that `of them` leaves out.
fn of_filter(number: usize, name: &str) -> String {
    format!("_filter {number} {name}")
}

fn renamed(condition: &ConditionExpr, number: usize) -> ConditionExpr {
    let all = |parts: &[ConditionExpr]| parts.iter().map(|part| renamed(part, number)).collect();
    match condition {
        ConditionExpr::And(parts) => ConditionExpr::And(all(parts)),
        ConditionExpr::Or(parts) => ConditionExpr::Or(all(parts)),
        ConditionExpr::Not(part) => ConditionExpr::Not(Box::new(renamed(part, number))),
        ConditionExpr::Identifier(name) => ConditionExpr::Identifier(of_filter(number, name)),
        ConditionExpr::Selector { quantifier, pattern } => ConditionExpr::Selector {
            quantifier: quantifier.clone(),
            pattern: SelectorPattern::Pattern(of_filter(
                number,
                match pattern {
                    SelectorPattern::Them => "*",
                    SelectorPattern::Pattern(pattern) => pattern,
                },
            )),
        },
    }
}

fn is_meant(filter: &FilterRule, draft: &Draft, rule: &SigmaRule) -> bool {
    let is_named = match &filter.rules {
        FilterRuleTarget::Any => true,
        FilterRuleTarget::Specific(names) => names.iter().any(|name| {
            draft.id() == Some(name.as_str())
                || draft.name() == Some(name.as_str())
                || rule.title == *name
        }),
    };
    let fits = |wanted: &Option<String>, has: &Option<String>| {
        wanted.as_ref().is_none_or(|wanted| Some(wanted) == has.as_ref())
    };
    is_named
        && filter.logsource.as_ref().is_none_or(|source| {
            fits(&source.product, &rule.logsource.product)
                && fits(&source.category, &rule.logsource.category)
                && fits(&source.service, &rule.logsource.service)
        })
}

/// Complains about a filter that cannot be used.
pub(super) fn check_filter(filter: &Draft, names: &Names<'_>, out: &mut Compiled) {
    let Body::Filter(body) = &filter.body else { return };
    if let FilterRuleTarget::Specific(rules) = &body.rules {
        for rule in rules.iter().filter(|rule| !names.contains_key(rule.as_str())) {
            let hint = nearest(rule, names.keys().copied());
            let what = format!("no rule has the id or name `{rule}`{hint}");
            out.notes.push(filter.document.mistake(&["filter", "rules", rule], what));
        }
    }
    for (name, detection) in sorted(&body.detection.named) {
        if let Err(error) = compile_detection(detection) {
            let path = ["filter", name];
            out.mistakes.push(filter.document.mistake(&path, error.to_string()));
        }
    }
}

/// The document in which a detection stands, and where.
pub(super) fn home<'a>(
    document: &'a Document,
    name: &'a str,
    filters: &[&'a Draft],
) -> (&'a Document, Vec<&'a str>) {
    let of_filter = name.strip_prefix("_filter ").and_then(|rest| rest.split_once(' '));
    let filter = of_filter
        .and_then(|(number, name)| Some((filters.get(number.parse::<usize>().ok()?)?, name)));
    match filter {
        Some((filter, name)) => (&filter.document, vec!["filter", name]),
        None => (document, vec!["detection", name]),
    }
}

//! Correlations: which rules they watch, by which fields, and what has to be so.

use std::time::Duration;

use rsigma_parser::{ConditionExpr, CorrelationCondition, CorrelationRule, CorrelationType};

use super::detection::source_of;
use super::{Compiled, Names, about, blank, check_level, sorted};
use crate::rules::config::Levels;
use crate::rules::mistake::nearest;
use crate::rules::read::{Body, Draft};
use crate::rules::rule::{Bound, Correlation, Part, Pattern, Rule, What};
use crate::rules::vocabulary::{Source, Word};

/// Longer correlations would need state for longer than a score remembers their evidence.
const WITHIN_MAX: Duration = Duration::from_secs(31 * 24 * 3600);
/// A count beyond this would need too much state for each group.
const LIMIT_MAX: u64 = 10_000;
/// More rules than a person reads in one correlation.
pub(super) const PARTS_MAX: usize = 64;

/// The rule of a correlation; what is wrong with it goes to `out`.
pub(super) fn correlation(
    draft: &Draft,
    rule: &CorrelationRule,
    drafts: &[&Draft],
    names: &Names<'_>,
    levels: &Levels,
    out: &mut Compiled,
) -> Option<Rule> {
    let document = &draft.document;
    let before = out.mistakes.len();
    let mut wrong = |path: &[&str], what: String| {
        let path: Vec<_> = ["correlation"].iter().chain(path).copied().collect();
        out.mistakes.push(document.mistake(&path, what));
    };
    let within = Duration::from_secs(rule.timespan.seconds);
    if within.is_zero() || within > WITHIN_MAX {
        let key = if document.line_with("timespan:").is_some() { "timespan" } else { "timeframe" };
        wrong(&[key], format!("`{key}` is more than nothing and at most 31 days"));
    }
    let pattern = pattern(rule, &mut wrong);
    if rule.rules.is_empty() || rule.rules.len() > PARTS_MAX {
        wrong(&["rules"], format!("`rules` names between one and {PARTS_MAX} rules"));
    }
    let mut parts = Vec::new();
    for name in &rule.rules {
        let Some(&index) = names.get(name.as_str()) else {
            let hint = nearest(name, names.keys().copied());
            wrong(&["rules", name], format!("no rule has the id or name `{name}`{hint}"));
            continue;
        };
        let field = |path: &[&str], field: &String, wrong: &mut dyn FnMut(&[&str], String)| {
            let known = drafts.get(index).map_or(Ok(None), |draft| resolve(draft, field));
            match known {
                Ok(name) => name.unwrap_or(field).to_owned(),
                Err(hint) => {
                    let path: Vec<_> = path.iter().copied().chain([field.as_str()]).collect();
                    wrong(&path, format!("no event of rule `{name}` has a field `{field}`{hint}"));
                    field.clone()
                }
            }
        };
        let group = rule
            .group_by
            .iter()
            .map(|by| {
                let alias = rule.aliases.iter().find(|alias| alias.alias == *by);
                match alias.map(|alias| alias.mapping.get(name)) {
                    Some(Some(aliased)) => field(&["aliases", by], aliased, &mut wrong),
                    Some(None) => {
                        wrong(&["aliases", by], format!("alias `{by}` leaves out rule `{name}`"));
                        by.clone()
                    }
                    None => field(&["group-by"], by, &mut wrong),
                }
            })
            .collect();
        let counted = match &rule.condition {
            CorrelationCondition::Threshold { field: Some(fields), .. } => fields.as_slice(),
            _ => &[],
        };
        let value = counted.iter().map(|by| field(&["condition"], by, &mut wrong)).collect();
        parts.push(Part { rule: index, name: name.clone(), group, value });
    }
    for alias in &rule.aliases {
        let is_stray = |name: &str| !rule.rules.iter().any(|known| known == name);
        for (name, _) in sorted(&alias.mapping).into_iter().filter(|(name, _)| is_stray(name)) {
            wrong(&["aliases", name], format!("`{name}` is not among the `rules`"));
        }
    }
    check_level(draft, &mut out.mistakes);
    let about = about(draft, &rule.group_by, &mut out.mistakes);
    if out.mistakes.len() > before {
        return None;
    }
    let mut made = blank(draft, levels);
    made.about = about?;
    made.what = What::Correlation(Correlation { pattern: pattern?, parts, within });
    Some(made)
}

/// What has to be so, if it can be watched.
fn pattern(rule: &CorrelationRule, wrong: &mut dyn FnMut(&[&str], String)) -> Option<Pattern> {
    let bounds = |wrong: &mut dyn FnMut(&[&str], String)| {
        let CorrelationCondition::Threshold { predicates, .. } = &rule.condition else {
            wrong(&["condition"], "a count needs a limit, like `gte: 5`".to_owned());
            return None;
        };
        if predicates.iter().any(|(_, limit)| *limit > LIMIT_MAX) {
            wrong(&["condition"], format!("limits go up to {LIMIT_MAX}"));
        }
        let bound = |&(operator, limit)| Bound { operator, limit };
        Some(predicates.iter().map(bound).collect())
    };
    match rule.correlation_type {
        CorrelationType::EventCount => Some(Pattern::EventCount(bounds(wrong)?)),
        CorrelationType::ValueCount => {
            let has_field =
                matches!(rule.condition, CorrelationCondition::Threshold { field: Some(_), .. });
            if !has_field {
                wrong(&["condition"], "value_count needs a `field` to count".to_owned());
            }
            Some(Pattern::ValueCount(bounds(wrong)?))
        }
        CorrelationType::Temporal => match &rule.condition {
            CorrelationCondition::Extended(expression) => {
                check_names(expression, rule, wrong);
                Some(Pattern::Temporal(Some(expression.clone())))
            }
            CorrelationCondition::Threshold { .. } => Some(Pattern::Temporal(None)),
        },
        CorrelationType::TemporalOrdered => {
            if matches!(rule.condition, CorrelationCondition::Extended(_)) {
                let what = "temporal_ordered means all `rules` in their order";
                wrong(&["condition"], what.to_owned());
            }
            Some(Pattern::Ordered)
        }
        other => {
            let what = format!(
                "`{}` is not watched here: event_count, value_count, temporal and temporal_ordered are",
                other.as_str()
            );
            wrong(&["type"], what);
            None
        }
    }
}

fn check_names(
    expression: &ConditionExpr,
    rule: &CorrelationRule,
    wrong: &mut dyn FnMut(&[&str], String),
) {
    match expression {
        ConditionExpr::And(parts) | ConditionExpr::Or(parts) => {
            for part in parts {
                check_names(part, rule, wrong);
            }
        }
        ConditionExpr::Not(part) => check_names(part, rule, wrong),
        ConditionExpr::Identifier(name) if !rule.rules.contains(name) => {
            let hint = nearest(name, rule.rules.iter().map(String::as_str));
            wrong(&["condition"], format!("`{name}` is not among the `rules`{hint}"));
        }
        ConditionExpr::Identifier(_) | ConditionExpr::Selector { .. } => {}
    }
}

/// Zeek's name of a field of the events of `draft`; `None` where its events are not known; the
/// nearest name if there is no such field.
fn resolve(draft: &Draft, field: &str) -> Result<Option<&'static str>, String> {
    let Body::Detection(rule) = &draft.body else { return Ok(None) };
    let Source::Kinds(kinds) = source_of(&rule.logsource) else { return Ok(None) };
    let words: Vec<_> = kinds.iter().map(|kind| kind.word(field)).collect();
    let found = words.iter().find_map(|word| match word {
        Word::Field(name) => Some(*name),
        _ => None,
    });
    if found.is_some() || words.contains(&Word::Unfilled) {
        return Ok(found);
    }
    Err(nearest(field, kinds.iter().flat_map(|kind| kind.names())))
}

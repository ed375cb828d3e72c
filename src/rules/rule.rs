//! A rule as it is used: what it says of a host, and when.

use std::time::Duration;

use rsigma_eval::compiler::eval_condition;
use rsigma_eval::{CompiledRule, evaluate_rule};
use rsigma_parser::{ConditionExpr, ConditionOperator};
use serde::Serialize;

use super::Fields;
use crate::detect::Family;

/// How bad it is, in Sigma's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Worth knowing; says nothing about the host.
    Informational,
    /// Seen every day.
    Low,
    /// Seen now and then.
    Medium,
    /// Seldom innocent.
    High,
    /// Never innocent.
    Critical,
}

impl Level {
    /// Sigma's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Informational => "informational",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

impl From<rsigma_parser::Level> for Level {
    fn from(level: rsigma_parser::Level) -> Self {
        use rsigma_parser::Level as Sigma;
        match level {
            Sigma::Informational => Self::Informational,
            Sigma::Low => Self::Low,
            Sigma::Medium => Self::Medium,
            Sigma::High => Self::High,
            Sigma::Critical => Self::Critical,
        }
    }
}

/// A rule: where it is from, and what it means when it matches.
#[derive(Debug)]
pub struct Rule {
    /// Its `id`, which names it in evidence.
    pub id: String,
    /// Its `name`, by which correlations may call it.
    pub name: Option<String>,
    /// Its `title`.
    pub title: String,
    /// Its `description`.
    pub description: String,
    /// Where it stands.
    pub file: String,
    /// The line on which its document begins.
    pub line: usize,
    /// How bad it is.
    pub level: Level,
    /// The folder it is in, or what it says instead.
    pub group: String,
    /// The detector that its evidence names: `lateral.<group>`.
    pub detector: &'static str,
    /// What its evidence is independent of.
    pub family: Family,
    /// What a match is worth, in nats.
    pub llr: f64,
    /// ATT&CK techniques of its tags.
    pub techniques: &'static [&'static str],
    /// Whether a match is evidence by itself: it weighs something, and is not there only for a
    /// correlation.
    pub speaks: bool,
    /// The kinds of events that it looks at, by Zeek's name; empty if wormwatch makes none.
    pub kinds: Vec<&'static str>,
    /// What tells this version of it from others, its references included.
    pub(super) fingerprint: u64,
    /// Whom it is about.
    pub(super) about: About,
    pub(super) what: What,
}

impl Rule {
    /// What it is, in Sigma's words: a detection, or the type of a correlation.
    pub const fn type_name(&self) -> &'static str {
        match &self.what {
            What::Detection(_) => "detection",
            What::Correlation(correlation) => correlation.pattern.as_str(),
        }
    }

    /// Whether it watches a pattern over several events.
    pub const fn is_correlation(&self) -> bool {
        matches!(self.what, What::Correlation(_))
    }
}

/// Which of the two ends a match is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum About {
    /// Who opened the connection.
    Client,
    /// Who was called.
    Server,
    /// The address in this part of the group.
    Group(usize),
}

/// What a rule looks for.
#[derive(Debug)]
pub(super) enum What {
    /// One event; for each kind, the compiled detection.
    Detection(Vec<(&'static str, Detection)>),
    /// A pattern over several.
    Correlation(Correlation),
}

/// A detection, compiled for the fields of one kind of event.
#[derive(Debug)]
pub(super) struct Detection(CompiledRule);

impl Detection {
    pub(super) const fn new(rule: CompiledRule) -> Self {
        Self(rule)
    }

    /// The compiled rule.
    pub(super) const fn compiled(&self) -> &CompiledRule {
        &self.0
    }

    /// Whether it matches.
    pub(super) fn holds(&self, fields: &Fields) -> bool {
        let mut names = Vec::new();
        let holds = |condition| eval_condition(condition, &self.0.detections, fields, &mut names);
        self.0.conditions.iter().any(holds)
    }

    /// Whether it matches; and then the fields it asked for, with their values, sorted.
    pub(super) fn matches(&self, fields: &Fields) -> Option<Vec<(String, String)>> {
        let result = evaluate_rule(&self.0, fields)?;
        // Detections are kept in a hash map, whose order must reach nobody.
        let mut asked: Vec<_> = result
            .as_detection()
            .map(|detection| detection.matched_fields.as_slice())
            .unwrap_or_default()
            .iter()
            .map(|matched| {
                let value = match &matched.value {
                    serde_json::Value::String(text) => text.clone(),
                    other => other.to_string(),
                };
                (matched.field.clone(), value)
            })
            .collect();
        asked.sort_unstable();
        asked.dedup();
        Some(asked)
    }
}

/// A pattern over several events.
#[derive(Debug)]
pub(super) struct Correlation {
    pub(super) pattern: Pattern,
    /// The rules whose matches it watches.
    pub(super) parts: Vec<Part>,
    /// How far its events may be apart.
    pub(super) within: Duration,
}

/// One of the rules that a correlation watches.
#[derive(Debug)]
pub(super) struct Part {
    /// Its place in the set.
    pub(super) rule: usize,
    /// How the correlation calls it.
    pub(super) name: String,
    /// The fields whose values make the group.
    pub(super) group: Vec<String>,
    /// The fields whose different values are counted.
    pub(super) value: Vec<String>,
}

/// What has to be so.
#[derive(Debug)]
pub(super) enum Pattern {
    /// So many events.
    EventCount(Vec<Bound>),
    /// So many different values.
    ValueCount(Vec<Bound>),
    /// All parts, or those of the expression, in any order.
    Temporal(Option<ConditionExpr>),
    /// All parts, in the order in which they stand.
    Ordered,
}

impl Pattern {
    /// Sigma's word.
    pub(super) const fn as_str(&self) -> &'static str {
        match self {
            Self::EventCount(_) => "event_count",
            Self::ValueCount(_) => "value_count",
            Self::Temporal(_) => "temporal",
            Self::Ordered => "temporal_ordered",
        }
    }
}

/// One limit of a count.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bound {
    pub(super) operator: ConditionOperator,
    pub(super) limit: u64,
}

impl Bound {
    /// Whether `count` keeps it.
    pub(super) const fn holds(self, count: u64) -> bool {
        match self.operator {
            ConditionOperator::Lt => count < self.limit,
            ConditionOperator::Lte => count <= self.limit,
            ConditionOperator::Gt => count > self.limit,
            ConditionOperator::Gte => count >= self.limit,
            ConditionOperator::Eq => count == self.limit,
            ConditionOperator::Neq => count != self.limit,
        }
    }
}

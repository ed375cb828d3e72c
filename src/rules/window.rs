//! What correlations remember: for each group of events just as much as decides.
//!
//! A count keeps its last events up to the highest limit, a count of values each value's last
//! moment, a sequence for each of its steps when the chain that leads there began. So every window
//! is bounded by the rule and takes constant time an event, whoever sends the events. All windows
//! share one table with a budget; the key holds the rule's fingerprint, so a rule that a reload
//! leaves as it was finds its windows again, and one that changed begins anew.

use std::collections::VecDeque;
use std::net::IpAddr;

use foldhash::fast::FixedState;
use hashlink::LinkedHashMap;
use rsigma_parser::{ConditionExpr, Quantifier};

use super::Fields;
use super::compile::digest;
use super::rule::{Bound, Correlation, Part, Pattern, Rule};
use crate::detect::Sample;
use crate::event::Conversation;
use crate::inventory::{Table, Weigh};
use crate::time::Timestamp;

/// Longer names of groups are cut.
const KEY_MAX: usize = 256;
/// Values that are counted however low the limit is, so that a report says how many there were.
const VALUES_MIN: usize = 64;
/// Between the parts of a group's name.
const SEPARATOR: char = '\u{1f}';

/// The windows of all correlations.
#[derive(Debug)]
pub(super) struct Windows {
    table: Table<(u64, Box<str>), Window>,
}

/// An event, as correlations see it.
#[derive(Clone, Copy)]
pub(super) struct Moment<'a> {
    pub(super) at: Timestamp,
    pub(super) fields: &'a Fields,
    pub(super) conversation: Option<Conversation>,
    pub(super) client: Option<IpAddr>,
    pub(super) server: Option<IpAddr>,
    /// Whether it concerns a host of ours.
    pub(super) is_own: bool,
}

/// A pattern that holds.
#[derive(Debug)]
pub(super) struct Held {
    /// The values that make the group.
    pub(super) group: Vec<String>,
    /// How many events or values there are.
    pub(super) count: u64,
    /// Who took part, both ends.
    pub(super) sample: Sample,
}

impl Windows {
    pub(super) fn new(budget: usize) -> Self {
        Self { table: Table::new(budget) }
    }

    pub(super) fn bytes(&self) -> usize {
        self.table.bytes()
    }

    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    pub(super) fn evicted(&self) -> u64 {
        self.table.evicted()
    }

    /// Takes a match of `parts` of the correlation that `rule` is; each pattern that now holds
    /// goes to `held`.
    pub(super) fn on_match(
        &mut self,
        rule: &Rule,
        correlation: &Correlation,
        parts: &[usize],
        moment: Moment<'_>,
        held: &mut Vec<Held>,
    ) {
        // From the last step to the first: one event is not two steps of a sequence.
        let mut steps: Vec<_> = parts
            .iter()
            .filter_map(|&step| {
                let part = correlation.parts.get(step)?;
                Some((group_of(part, moment.fields)?, step, part))
            })
            .collect();
        steps.sort_unstable_by(|(one, a, _), (other, b, _)| one.cmp(other).then(b.cmp(a)));
        if matches!(correlation.pattern, Pattern::EventCount(_) | Pattern::ValueCount(_)) {
            // And it is one event, whichever rules it matches.
            steps.dedup_by(|(one, ..), (other, ..)| one == other);
        }
        let mut steps = steps.into_iter().peekable();
        while let Some((group, step, part)) = steps.next() {
            let is_last = steps.peek().is_none_or(|(next, ..)| *next != group);
            let key = (rule.fingerprint, key_of(&group));
            let bytes = key.1.len();
            // Nothing leads to a later step where nothing is remembered: most events end here.
            let is_later = matches!(correlation.pattern, Pattern::Ordered) && step > 0;
            if is_later && self.table.peek(&key).is_none() {
                continue;
            }
            let found = self.table.update(
                key,
                moment.is_own,
                || Window::new(correlation, bytes),
                |window| {
                    window.on_event(correlation, step, part, &moment);
                    let count = is_last.then(|| window.holds(correlation)).flatten()?;
                    Some((count, window.sample.clone()))
                },
            );
            if let Some((count, sample)) = found {
                held.push(Held { group, count, sample });
            }
        }
    }
}

/// The values that make the group of an event; an event without them is in none.
fn group_of(part: &Part, fields: &Fields) -> Option<Vec<String>> {
    part.group.iter().map(|name| fields.text_of(name).map(|text| text.into_owned())).collect()
}

fn key_of(group: &[String]) -> Box<str> {
    let mut key = String::new();
    for value in group {
        key.push_str(value);
        key.push(SEPARATOR);
    }
    key.truncate(key.floor_char_boundary(KEY_MAX));
    key.into_boxed_str()
}

/// What one group of one correlation remembers.
#[derive(Debug)]
struct Window {
    state: State,
    sample: Sample,
    latest: Timestamp,
    key_bytes: usize,
}

#[derive(Debug)]
enum State {
    /// When its last events were.
    Events(VecDeque<Timestamp>),
    /// When each value was seen last, the oldest first.
    Values(LinkedHashMap<u64, Timestamp, FixedState>),
    /// When each part matched last.
    Parts(Vec<Option<Timestamp>>),
    /// For each step, when the chain began that reaches it; as late as possible.
    Chain(Vec<Option<Timestamp>>),
}

impl Weigh for Window {
    fn heap_bytes(&self) -> usize {
        let state = match &self.state {
            State::Events(events) => events.capacity() * size_of::<Timestamp>(),
            // Value, moment, two links, and a slot of the hash table.
            State::Values(values) => values.len() * 48,
            State::Parts(parts) | State::Chain(parts) => {
                parts.capacity() * size_of::<Option<Timestamp>>()
            }
        };
        state + self.sample.heap_bytes() + self.key_bytes
    }
}

impl Window {
    fn new(correlation: &Correlation, key_bytes: usize) -> Self {
        let none = || vec![None; correlation.parts.len()];
        let state = match &correlation.pattern {
            Pattern::EventCount(_) => State::Events(VecDeque::new()),
            Pattern::ValueCount(_) => {
                State::Values(LinkedHashMap::with_hasher(FixedState::default()))
            }
            Pattern::Temporal(_) => State::Parts(none()),
            Pattern::Ordered => State::Chain(none()),
        };
        Self { state, sample: Sample::default(), latest: Timestamp::EPOCH, key_bytes }
    }

    fn on_event(
        &mut self,
        correlation: &Correlation,
        step: usize,
        part: &Part,
        moment: &Moment<'_>,
    ) {
        let at = moment.at;
        if at.since(self.latest) > correlation.within {
            // Nothing of what was before counts any more.
            self.sample.clear();
        }
        self.latest = at;
        let oldest = at - correlation.within;
        match &mut self.state {
            State::Events(events) => {
                while events.front().is_some_and(|event| *event < oldest) {
                    events.pop_front();
                }
                if events.len() > highest(&correlation.pattern) {
                    events.pop_front();
                }
                events.push_back(at);
            }
            State::Values(values) => {
                while values.front().is_some_and(|(_, last)| *last < oldest) {
                    values.pop_front();
                }
                if let Some(value) = value_of(part, moment.fields) {
                    values.remove(&value);
                    if values.len() > highest(&correlation.pattern).max(VALUES_MIN) {
                        values.pop_front();
                    }
                    values.insert(value, at);
                }
            }
            State::Parts(parts) => {
                for last in parts.iter_mut() {
                    *last = last.filter(|last| *last >= oldest);
                }
                if let Some(last) = parts.get_mut(step) {
                    *last = Some(at);
                }
            }
            State::Chain(chain) => {
                for start in chain.iter_mut() {
                    *start = start.filter(|start| *start >= oldest);
                }
                let start = match step.checked_sub(1) {
                    None => Some(at),
                    Some(before) => chain.get(before).copied().flatten(),
                };
                if let (Some(place), Some(start)) = (chain.get_mut(step), start) {
                    *place = Some(start);
                }
            }
        }
        if let Some(client) = moment.client {
            self.sample.add(client, moment.conversation);
        }
        if let Some(server) = moment.server {
            self.sample.add(server, None);
        }
    }

    /// How many events or values there are, if the pattern holds.
    fn holds(&self, correlation: &Correlation) -> Option<u64> {
        match (&self.state, &correlation.pattern) {
            (State::Events(events), Pattern::EventCount(bounds)) => within(bounds, events.len()),
            (State::Values(values), Pattern::ValueCount(bounds)) => within(bounds, values.len()),
            (State::Parts(parts), Pattern::Temporal(expression)) => {
                let seen = parts.iter().filter(|last| last.is_some()).count();
                let holds = match expression {
                    None => seen == parts.len(),
                    Some(expression) => is_so(expression, &correlation.parts, parts),
                };
                holds.then_some(seen as u64)
            }
            (State::Chain(chain), Pattern::Ordered) => {
                chain.last().copied().flatten().map(|_| chain.len() as u64)
            }
            _ => None,
        }
    }
}

/// The highest limit of a count: what lies beyond decides nothing.
fn highest(pattern: &Pattern) -> usize {
    match pattern {
        Pattern::EventCount(bounds) | Pattern::ValueCount(bounds) => {
            bounds.iter().map(|bound| bound.limit as usize).max().unwrap_or_default()
        }
        Pattern::Temporal(_) | Pattern::Ordered => 0,
    }
}

fn within(bounds: &[Bound], count: usize) -> Option<u64> {
    let count = count as u64;
    bounds.iter().all(|bound| bound.holds(count)).then_some(count)
}

/// A number for the values of the counted fields.
fn value_of(part: &Part, fields: &Fields) -> Option<u64> {
    part.value.iter().try_fold(0, |sum, name| Some(digest(&fields.text_of(name)?, sum)))
}

fn is_so(expression: &ConditionExpr, names: &[Part], seen: &[Option<Timestamp>]) -> bool {
    let count = |fits: &dyn Fn(&str) -> bool, must_be_seen: bool| {
        let fitting = names.iter().zip(seen).filter(|(part, _)| fits(&part.name));
        fitting.filter(|(_, last)| last.is_some() || !must_be_seen).count() as u64
    };
    match expression {
        ConditionExpr::And(parts) => parts.iter().all(|part| is_so(part, names, seen)),
        ConditionExpr::Or(parts) => parts.iter().any(|part| is_so(part, names, seen)),
        ConditionExpr::Not(part) => !is_so(part, names, seen),
        ConditionExpr::Identifier(name) => count(&|known| known == name, true) > 0,
        ConditionExpr::Selector { quantifier, pattern } => {
            let fits = |name: &str| pattern.matches_detection_name(name);
            let seen = count(&fits, true);
            match quantifier {
                Quantifier::Any => seen > 0,
                Quantifier::All => seen == count(&fits, false),
                Quantifier::Count(least) => seen >= *least,
            }
        }
    }
}

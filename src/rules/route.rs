//! Which rules an event is worth comparing with, by what they cannot do without.
//!
//! Most rules want a field to be one of a few words: an operation, a command. Such a rule stands in
//! a table under those words, and an event that has none of them never meets it. `rsigma`'s own
//! index is not used because it misses rules that want a word not to be there, or in a list.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use foldhash::fast::FixedState;
use rsigma_eval::{CompiledDetection, CompiledDetectionItem, CompiledMatcher, CompiledRule};
use rsigma_parser::ConditionExpr;

use super::Fields;

/// Longer lists of words are cheaper to search by their own matcher.
const WORDS_MAX: usize = 256;

/// The rules for one kind of event.
#[derive(Debug, Default)]
pub(super) struct Route {
    /// Rules that every event is compared with.
    always: Vec<usize>,
    /// For each field, the rules that want it to be one of some words, in lower case.
    by_word: BTreeMap<String, Words>,
    /// Rules that ask what the two hosts are for, sorted.
    about_roles: Vec<usize>,
}

/// The rules under each word. The words are the rules', so a fixed hash will do.
type Words = hashbrown::HashMap<String, Vec<usize>, FixedState>;

/// Fields and words of which an event must have at least one.
type Need = BTreeMap<String, BTreeSet<String>>;

impl Route {
    /// Adds a rule, by its place in the set.
    pub(super) fn add(&mut self, place: usize, rule: &CompiledRule) {
        let parts = super::compile::sorted(&rule.detections);
        if parts.into_iter().any(|(_, part)| asks_for_roles(part)) {
            self.about_roles.push(place);
        }
        let Some(need) = need_of_rule(rule) else {
            self.always.push(place);
            return;
        };
        for (field, words) in need {
            let table = self.by_word.entry(field).or_default();
            for word in words {
                table.entry(word).or_default().push(place);
            }
        }
    }

    /// Whether any of these rules asks what the two hosts are for.
    pub(super) fn want_roles(&self, rules: &[usize]) -> bool {
        rules.iter().any(|rule| self.about_roles.binary_search(rule).is_ok())
    }

    /// The rules that may match, in the order of their places.
    pub(super) fn candidates(&self, fields: &Fields, found: &mut Vec<usize>) {
        found.clear();
        found.extend_from_slice(&self.always);
        for (field, words) in &self.by_word {
            fields.for_each(field, &mut |word| {
                if let Some(rules) = words.get(word) {
                    found.extend_from_slice(rules);
                }
            });
        }
        found.sort_unstable();
        found.dedup();
    }
}

fn is_about_roles(item: &CompiledDetectionItem) -> bool {
    matches!(item.field.as_deref(), Some("orig_roles" | "resp_roles"))
}

fn asks_for_roles(detection: &CompiledDetection) -> bool {
    match detection {
        CompiledDetection::AllOf(items) => items.iter().any(is_about_roles),
        CompiledDetection::AnyOf(parts) => parts.iter().any(asks_for_roles),
        CompiledDetection::Keywords(_) => false,
    }
}

fn need_of_rule(rule: &CompiledRule) -> Option<Need> {
    any(rule.conditions.iter().map(|condition| need(condition, &rule.detections)))
}

fn need(
    condition: &ConditionExpr,
    detections: &HashMap<String, CompiledDetection>,
) -> Option<Need> {
    match condition {
        ConditionExpr::And(parts) => all(parts.iter().map(|part| need(part, detections))),
        ConditionExpr::Or(parts) => any(parts.iter().map(|part| need(part, detections))),
        ConditionExpr::Not(_) => None,
        ConditionExpr::Identifier(name) => need_of_detection(detections.get(name)?),
        ConditionExpr::Selector { pattern, .. } => any(super::compile::sorted(detections)
            .into_iter()
            .filter(|(name, _)| pattern.matches_detection_name(name))
            .map(|(_, detection)| need_of_detection(detection))),
    }
}

fn need_of_detection(detection: &CompiledDetection) -> Option<Need> {
    match detection {
        CompiledDetection::AllOf(items) => all(items.iter().map(need_of_item)),
        CompiledDetection::AnyOf(parts) => any(parts.iter().map(need_of_detection)),
        CompiledDetection::Keywords(_) => None,
    }
}

fn need_of_item(item: &CompiledDetectionItem) -> Option<Need> {
    // Roles are looked up once it is known that a rule asks for them.
    if is_about_roles(item) {
        return None;
    }
    let mut words = BTreeSet::new();
    words_of(&item.matcher, &mut words)?;
    Some(Need::from([(item.field.clone()?, words)]))
}

/// The words that the matcher is content with, if they are few and it wants nothing else.
fn words_of(matcher: &CompiledMatcher, words: &mut BTreeSet<String>) -> Option<()> {
    match matcher {
        CompiledMatcher::Exact { value, .. } => {
            words.insert(value.to_lowercase());
        }
        // Whole numbers, as `Fields` writes them.
        CompiledMatcher::NumericEq(number) if number.fract() == 0.0 && number.abs() < 1e15 => {
            words.insert(format!("{number:.0}"));
        }
        // A group in which all have to match is content with fewer, never with others.
        CompiledMatcher::AnyOf(children)
        | CompiledMatcher::CaseInsensitiveGroup { children, .. } => {
            for child in children {
                words_of(child, words)?;
            }
        }
        _ => return None,
    }
    (words.len() <= WORDS_MAX).then_some(())
}

/// What is needed where each of these has to be so: the need that lets the fewest events through.
fn all(parts: impl Iterator<Item = Option<Need>>) -> Option<Need> {
    parts.flatten().min_by_key(|need| need.values().map(BTreeSet::len).sum::<usize>())
}

/// What is needed where any of these may be so.
fn any(parts: impl Iterator<Item = Option<Need>>) -> Option<Need> {
    let mut sum = Need::new();
    for need in parts {
        for (field, words) in need? {
            sum.entry(field).or_default().extend(words);
        }
    }
    (!sum.is_empty()).then_some(sum)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rsigma_eval::{compile_rule, evaluate_rule};
    use rsigma_parser::parse_sigma_yaml;

    use super::*;

    fn rule(detection: &str) -> CompiledRule {
        let text = format!("title: x\nlogsource: {{product: zeek}}\ndetection: {{{detection}}}\n");
        let collection = parse_sigma_yaml(&text).unwrap();
        assert_eq!(collection.errors, [""; 0]);
        compile_rule(&collection.rules[0]).unwrap()
    }

    fn is_candidate(detection: &str, event: &[(&str, &[&str])]) -> bool {
        let mut route = Route::default();
        route.add(3, &rule(detection));
        let mut found = Vec::new();
        route.candidates(&fields(event), &mut found);
        found == [3]
    }

    fn fields(event: &[(&str, &[&str])]) -> Fields {
        let mut fields = Fields::default();
        for (name, values) in event {
            match values {
                [value] => fields.put_named(name, value),
                values => fields.put_named(name, values),
            }
        }
        fields
    }

    #[test]
    fn only_events_with_the_word_meet_the_rule() {
        let detection = "s: {operation: [CreateServiceW, CreateServiceA]}, condition: s";

        assert!(is_candidate(detection, &[("operation", &["createServiceW"])]));
        assert!(!is_candidate(detection, &[("operation", &["OpenServiceW"])]));
        assert!(!is_candidate(detection, &[]));
    }

    #[test]
    fn what_may_match_without_the_word_is_always_met() {
        for detection in [
            "s: {a: x}, condition: not s",
            "s: {a: x}, t: {b|contains: y}, condition: s or t",
            "s: {a|contains: x}, condition: s",
            "s: [x, y], condition: s",
            "s: {a: null}, condition: s",
        ] {
            assert!(is_candidate(detection, &[("c", &["z"])]), "{detection}");
        }
        let filtered = "s: {a: x}, f: {b: y}, condition: s and not f";
        assert!(is_candidate(filtered, &[("a", &["x"]), ("b", &["z"])]));
        assert!(!is_candidate(filtered, &[("b", &["z"])]));
    }

    #[test]
    fn a_number_is_one_however_it_is_written() {
        let detection = "s: {port: [137, 5355], rcode|lt: 1}, condition: s";

        for port in ["5355", "5355.0", "+137", "0137"] {
            assert!(is_candidate(detection, &[("port", &[port])]), "{port}");
        }
        assert!(!is_candidate(detection, &[("port", &["53"])]));
    }

    #[test]
    fn roles_are_not_there_yet() {
        let detection = "s: {a: x, resp_roles: monitor}, condition: s";

        assert!(is_candidate(detection, &[("a", &["x"])]));
        assert!(is_candidate("s: {resp_roles: monitor}, condition: s", &[]));
    }

    #[test]
    fn a_word_in_a_list_counts() {
        let detection = "s: {answers: 10.0.0.1}, condition: s";

        assert!(is_candidate(detection, &[("answers", &["a.example", "10.0.0.1"])]));
    }

    proptest! {
        #[test]
        fn no_rule_that_matches_is_left_out(
            condition in prop::sample::select(vec![
                "s and t", "s or t", "s and not t", "not s", "1 of s*", "all of them",
                "(s or t) and not u", "s and (t or u)",
            ]),
            modifier in prop::sample::select(vec!["", "|contains", "|cased", "|startswith"]),
            values in prop::collection::vec(prop::sample::select(vec!["x", "Y", "xy", "é"]), 4),
            event in prop::collection::vec(
                prop::collection::vec(prop::sample::select(vec!["x", "X", "y", "xy", "É"]), 1..3), 3),
        ) {
            let detection = format!(
                "s: {{a{modifier}: [{}, {}]}}, t: {{b: {}}}, u: {{c{modifier}: {}}}, condition: {condition}",
                values[0], values[1], values[2], values[3],
            );
            let pairs: Vec<_> = ["a", "b", "c"].into_iter().zip(event.iter().map(Vec::as_slice)).collect();

            let matches = evaluate_rule(&rule(&detection), &fields(&pairs)).is_some();

            prop_assert!(!matches || is_candidate(&detection, &pairs), "{detection} {pairs:?}");
        }
    }
}

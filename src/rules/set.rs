//! A set of rules that belong together, checked, and sorted by the events that they ask for.

use std::collections::BTreeMap;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::compile::compile;
use super::config::Levels;
use super::files::RuleFile;
use super::mistake::{Mistake, RuleError, nearest};
use super::read::read;
use super::route::Route;
use super::rule::{Detection, Rule, What};

/// Rules by the events that they ask for.
#[derive(Debug, Default)]
pub struct RuleSet {
    rules: Vec<Rule>,
    notes: Vec<Mistake>,
    /// The rules for each kind of event. The keys are in the program, so a fixed hash will do.
    routes: HashMap<&'static str, Route, FixedState>,
    /// For each rule, the correlations that watch it, and as which part.
    watched_by: Vec<Vec<(usize, usize)>>,
    /// For each rule, how many correlations lie between it and events; none watches a higher one.
    heights: Vec<usize>,
}

impl RuleSet {
    /// Reads and checks all rules of `files`. What `disabled` names is no evidence by itself.
    ///
    /// # Errors
    /// If any of them is wrong; all mistakes are named, each with file, line and field.
    pub fn new(
        files: &[RuleFile],
        levels: &Levels,
        disabled: &[String],
    ) -> Result<Self, RuleError> {
        let mut mistakes = Vec::new();
        let drafts: Vec<_> = files.iter().flat_map(|file| read(file, &mut mistakes)).collect();
        let compiled = compile(&drafts, levels);
        // A rule that cannot be read is missing to those that refer to it; that is no second mistake.
        let mistakes = if mistakes.is_empty() { compiled.mistakes } else { mistakes };
        if !mistakes.is_empty() {
            return Err(RuleError::Wrong(mistakes));
        }
        let mut set = Self { rules: compiled.rules, notes: compiled.notes, ..Self::default() };
        set.disable(disabled);
        set.connect();
        Ok(set)
    }

    /// Every rule, in the order of files and documents.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// What is no mistake and still worth knowing: rules that can never match, and why.
    pub fn notes(&self) -> &[Mistake] {
        &self.notes
    }

    /// Whether any rule asks for events of this kind.
    pub fn asks_for(&self, kind: &str) -> bool {
        self.routes.contains_key(kind)
    }

    /// The rule of this id or name.
    pub fn find(&self, name: &str) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.id == name || rule.name.as_deref() == Some(name))
    }

    /// The rules for events of this kind.
    pub(super) fn route(&self, kind: &str) -> Option<&Route> {
        self.routes.get(kind)
    }

    /// The detection of the rule at this place, for events of this kind.
    pub(super) fn detection(&self, rule: usize, kind: &str) -> Option<&Detection> {
        match self.rules.get(rule).map(|rule| &rule.what) {
            Some(What::Detection(detections)) => {
                detections.iter().find(|(of, _)| *of == kind).map(|(_, detection)| detection)
            }
            _ => None,
        }
    }

    /// The correlations that watch the rule at this place, and as which part.
    pub(super) fn watched_by(&self, rule: usize) -> &[(usize, usize)] {
        self.watched_by.get(rule).map(Vec::as_slice).unwrap_or_default()
    }

    /// How many correlations lie between the rule at this place and events.
    pub(super) fn height(&self, rule: usize) -> usize {
        self.heights.get(rule).copied().unwrap_or_default()
    }

    fn disable(&mut self, disabled: &[String]) {
        for id in disabled {
            if let Some(rule) = self.rules.iter_mut().find(|rule| rule.id == *id) {
                rule.speaks = false;
            } else {
                let hint = nearest(id, self.rules.iter().map(|rule| rule.id.as_str()));
                self.notes.push(Mistake {
                    file: "[rules] disabled".to_owned(),
                    line: 0,
                    what: format!("no rule has the id {id}{hint}"),
                    text: String::new(),
                });
            }
        }
    }

    fn connect(&mut self) {
        self.watched_by = vec![Vec::new(); self.rules.len()];
        self.heights = vec![0; self.rules.len()];
        for (index, rule) in self.rules.iter().enumerate() {
            let What::Correlation(correlation) = &rule.what else { continue };
            for (part, watched) in correlation.parts.iter().enumerate() {
                if let Some(by) = self.watched_by.get_mut(watched.rule) {
                    by.push((index, part));
                }
            }
        }
        // There are no circles, so this ends.
        let mut next: BTreeMap<usize, usize> = self
            .rules
            .iter()
            .enumerate()
            .filter(|(_, rule)| !rule.is_correlation())
            .map(|(index, _)| (index, 0))
            .collect();
        while let Some((index, height)) = next.pop_first() {
            if let Some(known) = self.heights.get_mut(index) {
                *known = height.max(*known);
            }
            for (correlation, _) in self.watched_by(index).to_vec() {
                if self.height(correlation) <= height {
                    next.entry(correlation)
                        .and_modify(|known| *known = (*known).max(height + 1))
                        .or_insert(height + 1);
                }
            }
        }
        for (index, rule) in self.rules.iter().enumerate() {
            let is_asked = rule.speaks || !self.watched_by(index).is_empty();
            let What::Detection(detections) = &rule.what else { continue };
            for (kind, detection) in detections.iter().filter(|_| is_asked) {
                self.routes.entry(kind).or_default().add(index, detection.compiled());
            }
        }
    }
}

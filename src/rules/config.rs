//! `[rules]`: which rules there are, and what a match is worth.

use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use serde::{Deserialize, Serialize};

use super::files::load;
use super::mistake::RuleError;
use super::rule::Level;
use super::set::RuleSet;
use super::shipped;
use crate::config::units::{self, ByteSize};

/// `[rules]`: the Sigma rules that events are compared with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RuleConfig {
    /// Whether the rules that come with wormwatch are used.
    pub shipped: bool,
    /// A folder of more rules; empty for none.
    pub directory: PathBuf,
    /// Ids of rules that are no evidence.
    pub disabled: Vec<String>,
    /// Memory for what correlations remember and for what was reported.
    #[serde(deserialize_with = "units::budget")]
    pub budget: ByteSize,
    /// What a match is worth by the rule's level.
    pub levels: Levels,
    /// The rules themselves, once they are loaded.
    #[serde(skip)]
    loaded: Loaded,
}

/// `[rules.levels]`: what a match is worth by the rule's level, in nats.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Levels {
    /// Worth knowing.
    #[serde(deserialize_with = "units::nats")]
    pub informational: f64,
    /// Seen every day.
    #[serde(deserialize_with = "units::nats")]
    pub low: f64,
    /// Seen now and then.
    #[serde(deserialize_with = "units::nats")]
    pub medium: f64,
    /// Seldom innocent.
    #[serde(deserialize_with = "units::nats")]
    pub high: f64,
    /// Never innocent.
    #[serde(deserialize_with = "units::nats")]
    pub critical: f64,
}

impl Default for Levels {
    fn default() -> Self {
        Self { informational: 0.0, low: 0.5, medium: 2.0, high: 4.0, critical: 7.0 }
    }
}

impl Levels {
    /// What a match of this level is worth, in nats.
    pub const fn of(&self, level: Level) -> f64 {
        match level {
            Level::Informational => self.informational,
            Level::Low => self.low,
            Level::Medium => self.medium,
            Level::High => self.high,
            Level::Critical => self.critical,
        }
    }
}

impl Default for RuleConfig {
    fn default() -> Self {
        Self {
            shipped: true,
            directory: PathBuf::new(),
            disabled: Vec::new(),
            budget: ByteSize::mib(16),
            levels: Levels::default(),
            loaded: Loaded(None),
        }
    }
}

/// Rules that a configuration was loaded with. They are no setting, so two of them are equal.
#[derive(Clone, Debug, Default)]
struct Loaded(Option<Arc<RuleSet>>);

impl PartialEq for Loaded {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// The shipped rules at their default weights: most who ask want these, and they never change.
static SHIPPED: LazyLock<Arc<RuleSet>> = LazyLock::new(|| {
    let set = RuleSet::new(&shipped::files(), &Levels::default(), &[]);
    Arc::new(set.expect("a test loads the shipped rules"))
});

impl RuleConfig {
    /// Reads and checks the rules; `base` is the folder that `directory` is relative to.
    ///
    /// # Errors
    /// If they cannot be read, or any of them is wrong.
    pub fn load(&mut self, base: &Path) -> Result<(), RuleError> {
        let mut files = if self.shipped { shipped::files() } else { Vec::new() };
        if !self.directory.as_os_str().is_empty() {
            files.extend(load(&base.join(&self.directory))?);
        }
        self.loaded = Loaded(Some(Arc::new(RuleSet::new(&files, &self.levels, &self.disabled)?)));
        Ok(())
    }

    /// The rules: those that were loaded, else the shipped ones, if they are wanted.
    pub fn set(&self) -> Arc<RuleSet> {
        match &self.loaded.0 {
            Some(set) => Arc::clone(set),
            None if self.shipped => Arc::clone(&SHIPPED),
            None => Arc::default(),
        }
    }

    /// Takes `set` for the rules.
    pub fn use_set(&mut self, set: Arc<RuleSet>) {
        self.loaded = Loaded(Some(set));
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::config::Config;

    const RULE: &str = "title: a\nid: a\nlogsource: {product: zeek, service: dns}\n\
                        detection: {s: {query: x}, condition: s}\nlevel: low\n";

    fn load_with(rule: &str) -> Result<Config, String> {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("rules")).unwrap();
        fs::write(folder.path().join("rules/a.yml"), rule).unwrap();
        let file = folder.path().join("wormwatch.toml");
        fs::write(&file, "[rules]\nshipped = false\ndirectory = \"rules\"\n").unwrap();
        Config::load(&file).map_err(|error| error.to_string())
    }

    #[test]
    fn a_configuration_brings_its_rules() {
        let config = load_with(RULE).unwrap();

        assert_eq!(config.rules.set().rules().len(), 1);
    }

    #[test]
    fn a_wrong_rule_is_a_wrong_configuration() {
        let error = load_with(&RULE.replace("query", "qurey")).unwrap_err();

        assert!(error.contains("a.yml:4: no field of dns is called `qurey`"), "{error}");
        assert!(error.contains("did you mean `query`?"), "{error}");
    }

    #[test]
    fn without_a_file_there_are_the_shipped_rules_or_none() {
        let shipped = RuleConfig::default();
        let none = RuleConfig { shipped: false, ..RuleConfig::default() };

        assert!(shipped.set().rules().len() > 40);
        assert!(none.set().rules().is_empty());
        assert!(Arc::ptr_eq(&shipped.set(), &RuleConfig::default().set()));
    }
}

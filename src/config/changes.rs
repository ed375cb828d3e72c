//! What differs between two configurations, setting by setting, and which of it needs a restart.

use toml::{Table, Value};

use super::Config;

/// What takes effect on a reload: these settings, and whole sections of these names.
const LIVE: [&str; 6] = ["sensor.name", "rules", "score", "alerts", "log.level", "allow"];
/// What does not, although its section does.
const FIXED: [&str; 2] = ["alerts.file", "rules.budget"];

impl Config {
    /// Whether the setting of this dotted name takes effect while the daemon runs.
    pub fn is_live(setting: &str) -> bool {
        let is_in = |section: &str| {
            setting
                .strip_prefix(section)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        LIVE.iter().any(|section| is_in(section)) && !FIXED.contains(&setting)
    }

    /// The dotted names of all settings that differ between the two.
    pub fn changes(&self, other: &Self) -> Vec<String> {
        let table = |config| Table::try_from(config).unwrap_or_default();
        let mut changed = Vec::new();
        compare("", &table(self), &table(other), &mut changed);
        changed
    }
}

fn compare(section: &str, one: &Table, other: &Table, changed: &mut Vec<String>) {
    let only_other = other.keys().filter(|key| !one.contains_key(*key));
    for key in one.keys().chain(only_other) {
        let name = if key.contains('.') { format!("\"{key}\"") } else { key.clone() };
        let path = if section.is_empty() { name } else { format!("{section}.{name}") };
        match (one.get(key), other.get(key)) {
            (Some(Value::Table(one)), Some(Value::Table(other))) => {
                compare(&path, one, other, changed);
            }
            (one, other) if one != other => changed.push(path),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::units::ByteSize;

    #[test]
    fn names_every_setting_that_differs() {
        let mut other = Config::default();
        other.detect.horizontal.web.benign = 0.7;
        other.flow.budget = ByteSize::mib(1);
        other.sensor.name = "a".to_owned();
        other.allow = vec![toml::from_str("source = \"10.0.0.5\"\nreason = \"x\"").unwrap()];

        let changes = Config::default().changes(&other);

        let expected =
            ["detect.\"scan.horizontal\".web.benign", "flow.budget", "sensor.name", "allow"];
        assert_eq!(changes, expected);
        assert_eq!(other.changes(&other), [""; 0]);
    }

    #[test]
    fn a_section_is_live_as_a_whole_but_for_its_exceptions() {
        for live in
            ["sensor.name", "rules", "score.caps.failure", "alerts.quiet", "log.level", "allow"]
        {
            assert!(Config::is_live(live), "{live}");
        }
        for fixed in ["sensor.threads", "rules.budget", "alerts.file", "log.format", "scores.x"] {
            assert!(!Config::is_live(fixed), "{fixed}");
        }
    }
}

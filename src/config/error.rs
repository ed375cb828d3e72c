//! What is wrong with a configuration file, where, and what was probably meant.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;

use toml::de::{DeTable, DeValue};

use super::Config;
use super::check::Mismatch;
use crate::rules::RuleError;

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file says something that has no meaning here.
    #[error("{0}")]
    Wrong(Box<Mistake>),
    /// Its rules cannot be used.
    #[error(transparent)]
    Rules(#[from] RuleError),
}

/// Where and what.
#[derive(Debug)]
pub struct Mistake {
    path: PathBuf,
    what: String,
    place: Option<Place>,
}

#[derive(Debug)]
struct Place {
    /// From 1.
    line: usize,
    /// From 1, in characters.
    column: usize,
    text: String,
    marked: usize,
}

impl ConfigError {
    pub(super) fn new(error: &toml::de::Error, text: &str, path: PathBuf) -> Self {
        Self::Wrong(Box::new(Mistake::reading(error, text, path, known_keys)))
    }
}

impl Mistake {
    /// What is wrong with `text`, which came from `path`; `homes` lists every (section, key) that
    /// there is, for keys that stand in the wrong one.
    pub(crate) fn reading(
        error: &toml::de::Error,
        text: &str,
        path: PathBuf,
        homes: fn() -> Vec<(String, String)>,
    ) -> Self {
        let span = error.span();
        let place = span.clone().map(|span| Place::of(&span, text));
        let position = match &place {
            Some(place) => format!(" at line {}, column {}", place.line, place.column),
            None => String::new(),
        };
        let path_of = span.and_then(|span| path_of(text, &span));
        let what = match (unknown_field(error.message()), path_of) {
            (Some((key, known)), path) => {
                let section = path.map(|path| path.section).unwrap_or_default();
                let hint = hint(key, &known, &section, homes);
                format!("unknown key `{key}`{}{position}{hint}", inside(&section))
            }
            (None, Some(path)) => {
                let Path { section, key } = path;
                format!("`{key}`{}{position}: {}", inside(&section), error.message())
            }
            (None, None) => format!("{}{position}", error.message()),
        };
        Self { path, what, place }
    }

    /// That `what` is wrong with what stands at `span` of `text`.
    pub(crate) fn at(span: &Range<usize>, what: &str, text: &str, path: PathBuf) -> Self {
        let place = Place::of(span, text);
        let key = path_of(text, span);
        let key = key.map_or_else(String::new, |Path { section, key }| {
            format!("`{key}`{}", inside(&section))
        });
        let what = format!("{key} at line {}, column {}: {what}", place.line, place.column);
        Self { path, what: what.trim_start().to_owned(), place: Some(place) }
    }
}

impl ConfigError {
    /// Where in `text` the setting stands that `mismatch` is about, if it does.
    pub(super) fn of(mismatch: &Mismatch, text: &str, path: PathBuf) -> Self {
        let place = span_of(text, &mismatch.path).map(|span| Place::of(&span, text));
        let position = match &place {
            Some(place) => format!(" at line {}, column {}", place.line, place.column),
            None => String::new(),
        };
        let (key, section) = mismatch.path.split_last().unwrap_or((&"", &[]));
        let what = format!("`{key}`{}{position}: {}", inside(&dotted(section)), mismatch.what);
        Self::Wrong(Box::new(Mistake { path, what, place }))
    }
}

/// The value at `path`, if the file has it.
fn span_of(text: &str, path: &[&str]) -> Option<Range<usize>> {
    let (table, _) = DeTable::parse_recoverable(text);
    let (key, sections) = path.split_last()?;
    let mut table = table.get_ref();
    for section in sections {
        table = table.iter().find(|(key, _)| key.get_ref() == section)?.1.get_ref().as_table()?;
    }
    Some(table.iter().find(|(name, _)| name.get_ref() == key)?.1.span())
}

/// A table's path as TOML writes it: detectors' ids have a dot of their own.
fn dotted<S: AsRef<str>>(keys: &[S]) -> String {
    let quoted = |key: &S| match key.as_ref() {
        key if key.contains('.') => format!("\"{key}\""),
        key => key.to_owned(),
    };
    keys.iter().map(quoted).collect::<Vec<_>>().join(".")
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.what)?;
        let Some(Place { line, column, text, marked }) = &self.place else { return Ok(()) };
        let gutter = " ".repeat(line.to_string().len());
        let indent = " ".repeat(column - 1);
        let marks = "^".repeat(*marked);
        write!(f, "\n{gutter} |\n{line} | {text}\n{gutter} | {indent}{marks}")
    }
}

impl Place {
    fn of(span: &Range<usize>, text: &str) -> Self {
        let start = text.floor_char_boundary(span.start.min(text.len()));
        let end = text.floor_char_boundary(span.end.clamp(start, text.len()));
        let (before, after) = text.split_at(start);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = text.get(line_start..).unwrap_or_default().lines().next().unwrap_or_default();
        let marked = after.get(..end - start).unwrap_or_default();
        let marked = marked.lines().next().unwrap_or_default().chars().count();
        Self {
            line: before.matches('\n').count() + 1,
            column: before.get(line_start..).unwrap_or_default().chars().count() + 1,
            text: line.to_owned(),
            marked: marked.max(1),
        }
    }
}

/// The key and the known names of serde's message about an unknown field.
fn unknown_field(message: &str) -> Option<(&str, Vec<&str>)> {
    let rest = message.strip_prefix("unknown field `")?;
    let (key, rest) = rest.split_once('`')?;
    let known = rest.split('`').skip(1).step_by(2).collect();
    Some((key, known))
}

/// The nearest known name, or the section where the key belongs.
fn hint(key: &str, known: &[&str], section: &str, homes: fn() -> Vec<(String, String)>) -> String {
    let nearest = known
        .iter()
        .map(|name| (strsim::damerau_levenshtein(key, name), *name))
        .min()
        .filter(|(distance, name)| *distance <= name.chars().count().max(3) / 3);
    if let Some((_, name)) = nearest {
        return format!(": did you mean `{name}`?");
    }
    let begins = format!("{key}.");
    if let Some(id) = known.iter().find(|name| name.starts_with(&begins)) {
        return format!(": a name with a dot is quoted, as in [{section}.\"{id}\"]");
    }
    let homes: Vec<_> = homes()
        .into_iter()
        .filter(|(home, name)| name == key && home != section)
        .map(|(home, _)| format!("[{home}]"))
        .collect();
    if !homes.is_empty() {
        return format!(": it belongs in {}", homes.join(" or "));
    }
    match known {
        [] => String::new(),
        known => format!(": known here are `{}`", known.join("`, `")),
    }
}

/// Every (section, key) that the defaults hold.
fn known_keys() -> Vec<(String, String)> {
    fn collect(section: &str, table: &toml::Table, into: &mut Vec<(String, String)>) {
        for (key, value) in table {
            if let toml::Value::Table(inner) = value {
                let key = dotted(std::slice::from_ref(key));
                let path = if section.is_empty() { key } else { format!("{section}.{key}") };
                collect(&path, inner, into);
            } else {
                into.push((section.to_owned(), key.clone()));
            }
        }
    }
    let mut keys = Vec::new();
    if let Ok(defaults) = toml::Table::try_from(Config::default()) {
        collect("", &defaults, &mut keys);
    }
    keys
}

/// Where a key stands.
struct Path {
    /// The dotted path of its table; empty at the top.
    section: String,
    key: String,
}

fn inside(section: &str) -> String {
    if section.is_empty() { String::new() } else { format!(" in [{section}]") }
}

/// The key that stands, or whose value or item stands, at `span`.
fn path_of(text: &str, span: &Range<usize>) -> Option<Path> {
    let (table, _) = DeTable::parse_recoverable(text);
    let mut keys = keys_to(table.get_ref(), span)?;
    let key = keys.pop()?;
    Some(Path { section: dotted(&keys), key })
}

fn keys_to(table: &DeTable<'_>, span: &Range<usize>) -> Option<Vec<String>> {
    for (key, value) in table {
        let found = key.span() == *span || value.span() == *span;
        let below = match value.get_ref() {
            _ if found => Some(Vec::new()),
            DeValue::Table(table) => keys_to(table, span),
            DeValue::Array(items) => items.iter().find_map(|item| match item.get_ref() {
                _ if item.span() == *span => Some(Vec::new()),
                DeValue::Table(table) => keys_to(table, span),
                _ => None,
            }),
            _ => None,
        };
        if let Some(mut keys) = below {
            keys.insert(0, key.get_ref().to_string());
            return Some(keys);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::path::Path as FilePath;

    use super::*;

    fn complaint(text: &str) -> String {
        Config::parse(text, FilePath::new("wormwatch.toml")).unwrap_err().to_string()
    }

    #[test]
    fn names_the_line_and_the_nearest_known_key() {
        insta::assert_snapshot!(complaint("[web]\n\nlisten_ = \"127.0.0.1:1\"\n"), @r#"
        wormwatch.toml: unknown key `listen_` in [web] at line 3, column 1: did you mean `listen`?
          |
        3 | listen_ = "127.0.0.1:1"
          | ^^^^^^^
        "#);
    }

    #[test]
    fn names_the_nearest_known_section() {
        insta::assert_snapshot!(complaint("[sensor]\nname = \"a\"\n[alert]\nquiet = \"1h\"\n"), @r"
        wormwatch.toml: unknown key `alert` at line 3, column 2: did you mean `alerts`?
          |
        3 | [alert]
          |  ^^^^^
        ");
    }

    #[test]
    fn says_where_a_misplaced_key_belongs() {
        insta::assert_snapshot!(complaint("[sensor]\nhome_nets = []\n"), @r"
        wormwatch.toml: unknown key `home_nets` in [sensor] at line 2, column 1: it belongs in [network]
          |
        2 | home_nets = []
          | ^^^^^^^^^
        ");
    }

    #[test]
    fn names_the_nearest_interface_setting() {
        insta::assert_snapshot!(complaint("[capture]\ninterfces = [\"eth0\"]\n"), @r#"
        wormwatch.toml: unknown key `interfces` in [capture] at line 2, column 1: did you mean `interfaces`?
          |
        2 | interfces = ["eth0"]
          | ^^^^^^^^^
        "#);
    }

    #[test]
    fn names_the_nearest_detector() {
        insta::assert_snapshot!(complaint("[detect.\"scan.horizontl\"]\nforgiven = 2.0\n"), @r#"
        wormwatch.toml: unknown key `scan.horizontl` in [detect] at line 1, column 9: did you mean `scan.horizontal`?
          |
        1 | [detect."scan.horizontl"]
          |         ^^^^^^^^^^^^^^^^
        "#);
    }

    #[test]
    fn scales_are_of_detectors_that_there_are() {
        let said = complaint("[score.scales]\nlateral = 0.9\n\"scan.slw\" = 2.0\n");
        assert!(said.contains("no detector is called `scan.slw` or begins so"), "{said}");
        let said = complaint("[score.scales]\n\"\" = 2.0\n");
        assert!(said.contains("no detector is called ``"), "{said}");
    }

    #[test]
    fn names_the_nearest_key_of_a_detector() {
        insta::assert_snapshot!(complaint("[detect.\"scan.horizontal\"]\nforgivn = 2.0\n"), @r#"
        wormwatch.toml: unknown key `forgivn` in [detect."scan.horizontal"] at line 2, column 1: did you mean `forgiven`?
          |
        2 | forgivn = 2.0
          | ^^^^^^^
        "#);
    }

    #[test]
    fn says_that_a_detectors_id_is_quoted() {
        insta::assert_snapshot!(complaint("[detect.scan.horizontal]\nforgiven = 2.0\n"), @r#"
        wormwatch.toml: unknown key `scan` in [detect] at line 1, column 9: a name with a dot is quoted, as in [detect."scan.horizontal"]
          |
        1 | [detect.scan.horizontal]
          |         ^^^^
        "#);
    }

    #[test]
    fn lists_the_known_keys_when_none_is_near() {
        insta::assert_snapshot!(complaint("[web]\nxyzzy = 1\n"), @r"
        wormwatch.toml: unknown key `xyzzy` in [web] at line 2, column 1: known here are `listen`
          |
        2 | xyzzy = 1
          | ^^^^^
        ");
    }

    #[test]
    fn marks_a_value_that_cannot_be() {
        insta::assert_snapshot!(complaint("[score]\nforgeable_weight = 1.5\n"), @r"
        wormwatch.toml: `forgeable_weight` in [score] at line 2, column 20: invalid value: floating point `1.5`, expected a share between 0 and 1
          |
        2 | forgeable_weight = 1.5
          |                    ^^^
        ");
    }

    #[test]
    fn marks_an_item_of_a_list() {
        insta::assert_snapshot!(complaint("[network]\nhome_nets = [\"10.0.0.0/8\", \"10.0.0/33\"]\n"), @r#"
        wormwatch.toml: `home_nets` in [network] at line 2, column 28: `10.0.0/33` is neither a network nor an address
          |
        2 | home_nets = ["10.0.0.0/8", "10.0.0/33"]
          |                            ^^^^^^^^^^^
        "#);
    }

    #[test]
    fn marks_broken_syntax() {
        insta::assert_snapshot!(complaint("[web\nlisten = 1\n"), @r"
        wormwatch.toml: unclosed table, expected `]` at line 1, column 5
          |
        1 | [web
          |     ^
        ");
    }

    #[test]
    fn marks_an_allow_entry_without_reason() {
        insta::assert_snapshot!(complaint("[[allow]]\nsource = \"10.0.0.5\"\n"), @r"
        wormwatch.toml: `allow` at line 1, column 1: missing field `reason`
          |
        1 | [[allow]]
          | ^^^^^^^^^
        ");
    }

    #[test]
    fn names_unknown_keys_of_allow_entries() {
        insta::assert_snapshot!(complaint("[[allow]]\nsource = \"10.0.0.5\"\nreasn = \"ü\"\n"), @r#"
        wormwatch.toml: unknown key `reasn` in [allow] at line 3, column 1: did you mean `reason`?
          |
        3 | reasn = "ü"
          | ^^^^^
        "#);
    }

    #[test]
    fn counts_columns_in_characters() {
        insta::assert_snapshot!(complaint("sensor = { name = \"ü\", nam = 1 }\n"), @r#"
        wormwatch.toml: unknown key `nam` in [sensor] at line 1, column 24: did you mean `name`?
          |
        1 | sensor = { name = "ü", nam = 1 }
          |                        ^^^
        "#);
    }

    #[test]
    fn whole_numbers_are_numbers() {
        let config = Config::parse("[score]\nprior = -5\n", FilePath::new("x")).unwrap();

        assert_eq!(config.score.prior, -5.0);
    }

    #[test]
    fn says_which_file_cannot_be_read() {
        let error = Config::load(FilePath::new("/nonexistent/wormwatch.toml")).unwrap_err();

        assert_eq!(error.to_string(), "cannot read the configuration /nonexistent/wormwatch.toml");
    }
}

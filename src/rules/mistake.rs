//! What is wrong with a rule: where, and what was probably meant.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// Mistakes that are shown; the rest are counted.
const SHOWN: usize = 20;

/// One mistake in a file of rules or of their tests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The file, as it was given.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// Which field is wrong, and how.
    pub what: String,
    /// The line itself.
    pub text: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, what, text } = self;
        write!(f, "{file}:{line}: {what}")?;
        if text.trim().is_empty() {
            return Ok(());
        }
        let gutter = " ".repeat(line.to_string().len());
        write!(f, "\n{gutter} |\n{line} | {text}")
    }
}

/// Why a set of rules cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RuleError {
    /// A file or folder cannot be read.
    #[error("cannot read the rules in {}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There are mistakes in them.
    #[error("{}", listed(.0))]
    Wrong(Vec<Mistake>),
}

fn listed(mistakes: &[Mistake]) -> String {
    let mut lines: Vec<_> = mistakes.iter().take(SHOWN).map(ToString::to_string).collect();
    if let Some(more @ 1..) = mistakes.len().checked_sub(SHOWN) {
        lines.push(format!("and {more} more"));
    }
    lines.join("\n")
}

/// `: did you mean ...?`, if one of `known` is near to `word`.
pub(super) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    known
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&word.to_lowercase(), &name.to_lowercase()), name))
        .filter(|(distance, name)| *distance <= name.chars().count().max(3) / 3)
        .min()
        .map_or_else(String::new, |(_, name)| format!(": did you mean `{name}`?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_file_line_and_text() {
        let mistake = Mistake {
            file: "rules/a.yml".to_owned(),
            line: 12,
            what: "no such field".to_owned(),
            text: "        qeury: x".to_owned(),
        };

        assert_eq!(
            mistake.to_string(),
            "rules/a.yml:12: no such field\n   |\n12 |         qeury: x"
        );
    }

    #[test]
    fn guesses_only_what_is_near() {
        let known = ["query", "qtype_name", "answers"];

        assert_eq!(nearest("qeury", known), ": did you mean `query`?");
        assert_eq!(nearest("Query", known), ": did you mean `query`?");
        assert_eq!(nearest("CommandLine", known), "");
    }

    #[test]
    fn a_long_list_of_mistakes_ends() {
        let mistake = Mistake {
            file: "a.yml".to_owned(),
            line: 1,
            what: "wrong".to_owned(),
            text: String::new(),
        };

        let text = RuleError::Wrong(vec![mistake; 23]).to_string();

        assert_eq!(text.lines().count(), 21);
        assert!(text.ends_with("and 3 more"), "{text}");
    }
}

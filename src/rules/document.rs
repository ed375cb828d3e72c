//! A file of rules as its YAML documents, and where in them something stands.
//!
//! The YAML reader gives values without their places. So places are found again in the text, by
//! walking the keys that lead there: good enough for an error message, which is all they are for.

use std::sync::Arc;

use super::mistake::Mistake;

/// One YAML document of a file.
#[derive(Clone, Debug)]
pub(super) struct Document {
    /// The file, as it was given.
    pub(super) file: Arc<str>,
    /// The line on which the document begins, from 1.
    pub(super) first_line: usize,
    /// The document.
    pub(super) text: Arc<str>,
}

impl Document {
    /// The documents of `text`; those of only comments and blank lines are none.
    pub(super) fn split(file: &str, text: &str) -> Vec<Self> {
        let file: Arc<str> = file.into();
        let mut documents = Vec::new();
        let (mut part, mut first_line) = (String::new(), 1);
        for (index, line) in text.lines().enumerate() {
            let is_end = line == "---" || line.starts_with("--- ") || line == "...";
            if is_end {
                documents.push((first_line, std::mem::take(&mut part)));
                first_line = index + 2;
            } else {
                part.push_str(line);
                part.push('\n');
            }
        }
        documents.push((first_line, part));
        let says_something = |text: &str| {
            text.lines().any(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#'))
        };
        documents
            .into_iter()
            .filter(|(_, text)| says_something(text))
            .map(|(first_line, text)| Self { file: file.clone(), first_line, text: text.into() })
            .collect()
    }

    /// A mistake at the place to which `path` leads, key by key, as far as it is there.
    pub(super) fn mistake(&self, path: &[&str], what: impl Into<String>) -> Mistake {
        self.mistake_at(self.find(path), what)
    }

    /// A mistake on line `index` of the document, from 0.
    pub(super) fn mistake_at(&self, index: usize, what: impl Into<String>) -> Mistake {
        Mistake {
            file: self.file.to_string(),
            line: self.first_line + index,
            what: what.into(),
            text: self.text.lines().nth(index).unwrap_or_default().to_owned(),
        }
    }

    /// The first line, from 0, that has `word` in it.
    pub(super) fn line_with(&self, word: &str) -> Option<usize> {
        self.text.lines().position(|line| line.contains(word))
    }

    /// The line, from 0, of the last key of `path` that can be found below the ones before it.
    fn find(&self, path: &[&str]) -> usize {
        let lines: Vec<_> = self.text.lines().collect();
        let (mut at, mut from) = (0, 0);
        for key in path {
            let found = lines.iter().enumerate().skip(from).find(|(_, line)| stands(line, key));
            let Some((index, _)) = found else { break };
            at = index;
            from = index + 1;
        }
        at
    }
}

/// Whether `line` is the one of the mapping key (its modifiers aside), or the list item, `key`.
fn stands(line: &str, key: &str) -> bool {
    let quoted = |text: &str| text.trim_matches(['\'', '"']).to_owned();
    let mut line = line.trim_start();
    while let Some(item) = line.strip_prefix("- ") {
        line = item.trim_start();
    }
    match line.split_once(": ").map(|(name, _)| name).or_else(|| line.trim_end().strip_suffix(':'))
    {
        Some(name) => {
            let name = quoted(name);
            name == key || name.split('|').next() == Some(key)
        }
        None => {
            let value = line.split(" #").next().unwrap_or_default();
            quoted(value.trim_end()) == key
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
# a comment
title: One
detection:
    selection:
        - query|contains: 'x'
        - 'answers': # why
            - one
            - 'two' # why
    condition: selection
---
title: Two
---
# nothing
";

    #[test]
    fn splits_a_file_and_counts_its_lines() {
        let documents = Document::split("a.yml", TEXT);

        let begin: Vec<_> = documents.iter().map(|d| (d.first_line, d.text.len() > 10)).collect();
        assert_eq!(begin, [(1, true), (11, true)]);
        assert_eq!(documents[1].mistake(&["title"], "x").line, 11);
    }

    #[test]
    fn finds_where_a_key_or_an_item_stands() {
        let document = &Document::split("a.yml", TEXT)[0];
        let line = |path: &[&str]| document.mistake(path, "").line;

        assert_eq!(line(&["detection", "selection", "query|contains"]), 5);
        assert_eq!(line(&["detection", "selection", "query"]), 5);
        assert_eq!(line(&["detection", "selection", "answers"]), 6);
        assert_eq!(line(&["detection", "selection", "answers", "two"]), 8);
        assert_eq!(line(&["detection", "condition"]), 9);
    }

    #[test]
    fn what_is_missing_is_reported_where_it_should_be() {
        let document = &Document::split("a.yml", TEXT)[0];

        assert_eq!(document.mistake(&["detection", "nowhere"], "").line, 3);
        assert_eq!(document.mistake(&["id"], "").line, 1);
    }
}

//! Which files hold rules.

use std::fs;
use std::path::{Path, PathBuf};

use super::mistake::RuleError;

/// How deep folders may lie in each other: no set of rules is deeper, a circle of links is.
const DEPTH_MAX: usize = 16;
/// A rule is a page of text; what is larger is something else.
const BYTES_MAX: u64 = 1 << 20;

/// A file of rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleFile {
    /// The file, as it was given.
    pub name: String,
    /// The group that its rules belong to.
    pub group: String,
    /// What is in it.
    pub text: String,
}

/// The group of rules that a folder's name stands for.
pub(super) fn group_name(folder: &str) -> String {
    let fits = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
    folder.chars().map(|c| if matches!(c, '-' | '_') { c } else { fits(c) }).collect()
}

/// Whether the file holds test cases of rules.
pub(super) fn is_test(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.ends_with(".test.yml") || name.ends_with(".test.yaml")
}

fn is_yaml(path: &Path) -> bool {
    matches!(path.extension().and_then(|e| e.to_str()), Some("yml" | "yaml"))
}

/// The files of rules at `path`, a file or a folder of them, sorted; `tests` asks for the test
/// cases beside them instead.
///
/// # Errors
/// If something cannot be read.
pub(super) fn find(path: &Path, tests: bool) -> Result<Vec<PathBuf>, RuleError> {
    let mut found = Vec::new();
    if path.is_dir() {
        walk(path, DEPTH_MAX, &mut found)?;
        found.retain(|file| is_test(file) == tests);
    } else if is_test(path) == tests {
        found.push(path.to_owned());
    }
    Ok(found)
}

fn walk(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<(), RuleError> {
    let unreadable = |source| RuleError::Unreadable { path: folder.to_owned(), source };
    let mut entries = fs::read_dir(folder)
        .map_err(unreadable)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(unreadable)?;
    entries.sort();
    for entry in entries {
        let is_hidden = entry
            .file_name()
            .and_then(|name| name.to_str())
            .is_none_or(|name| name.starts_with('.'));
        if is_hidden {
            continue;
        }
        if entry.is_dir() {
            if depth > 0 {
                walk(&entry, depth - 1, found)?;
            }
        } else if is_yaml(&entry) {
            found.push(entry);
        }
    }
    Ok(())
}

/// Reads the files of rules at `path`.
///
/// # Errors
/// If something cannot be read.
pub fn load(path: &Path) -> Result<Vec<RuleFile>, RuleError> {
    find(path, false)?.iter().map(|file| read(file)).collect()
}

pub(super) fn read(path: &Path) -> Result<RuleFile, RuleError> {
    let unreadable = |source| RuleError::Unreadable { path: path.to_owned(), source };
    let size = fs::metadata(path).map_err(unreadable)?.len();
    if size > BYTES_MAX {
        let what = format!("{size} bytes are no file of rules");
        return Err(unreadable(std::io::Error::other(what)));
    }
    let text = fs::read_to_string(path).map_err(unreadable)?;
    let folder = path.parent().and_then(Path::file_name).and_then(|name| name.to_str());
    Ok(RuleFile {
        name: path.display().to_string(),
        group: group_name(folder.unwrap_or("rules")),
        text,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_rules_and_tests_apart_in_a_fixed_order() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("b Group")).unwrap();
        for file in ["z.yml", "a.yaml", "a.test.yml", "b Group/c.yml", ".hidden.yml", "readme.md"] {
            fs::write(folder.path().join(file), "title: x").unwrap();
        }
        let names = |tests| -> Vec<_> {
            let files = find(folder.path(), tests).unwrap();
            files.iter().map(|f| f.file_name().unwrap().to_str().unwrap().to_owned()).collect()
        };

        assert_eq!(names(false), ["a.yaml", "c.yml", "z.yml"]);
        assert_eq!(names(true), ["a.test.yml"]);
        assert_eq!(load(folder.path()).unwrap()[1].group, "b_group");
    }

    #[test]
    fn says_what_cannot_be_read() {
        let error = load(Path::new("/nowhere/rules.yml")).unwrap_err();

        assert_eq!(error.to_string(), "cannot read the rules in /nowhere/rules.yml");
    }
}

//! The rules that come with wormwatch, in the program itself, so that it needs no folder of them.

use super::files::RuleFile;

/// File, group, text; `build.rs` makes the list of what is in `rules/`.
const FILES: &[(&str, &str, &str)] = include!(concat!(env!("OUT_DIR"), "/shipped_rules.rs"));

/// The files, sorted.
pub(super) fn files() -> Vec<RuleFile> {
    FILES
        .iter()
        .map(|(name, group, text)| RuleFile {
            name: (*name).to_owned(),
            group: (*group).to_owned(),
            text: (*text).to_owned(),
        })
        .collect()
}

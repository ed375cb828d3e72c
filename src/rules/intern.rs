//! Words that live as long as the program.
//!
//! Evidence names detectors and techniques by `&'static str`, because those of the detectors are in
//! the program. Those of rules come from files. Each is kept once for good: a reload of the same
//! rules keeps nothing new, and a set of rules has a few hundred short words.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

static WORDS: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
static LISTS: Mutex<BTreeSet<&'static [&'static str]>> = Mutex::new(BTreeSet::new());

/// The word, for good.
pub(super) fn word(text: &str) -> &'static str {
    let mut words = WORDS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = words.get(text) {
        return known;
    }
    let kept: &'static str = Box::leak(text.to_owned().into_boxed_str());
    words.insert(kept);
    kept
}

/// The list of words, for good.
pub(super) fn list(texts: &[String]) -> &'static [&'static str] {
    let texts: Vec<_> = texts.iter().map(|text| word(text)).collect();
    let mut lists = LISTS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = lists.get(texts.as_slice()) {
        return known;
    }
    let kept: &'static [&'static str] = Box::leak(texts.into_boxed_slice());
    lists.insert(kept);
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_each_word_and_list_once() {
        let one = list(&["T1021".to_owned(), "T1569".to_owned()]);
        let two = list(&["T1021".to_owned(), "T1569".to_owned()]);

        assert_eq!(one, ["T1021", "T1569"]);
        assert!(std::ptr::eq(one, two));
        assert!(std::ptr::eq(word("T1021"), one[0]));
    }
}

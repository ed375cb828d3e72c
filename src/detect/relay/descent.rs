//! Who was entered from whom: the way from an asker up to the server that it asks.

use std::net::IpAddr;
use std::time::Duration;

use crate::time::Timestamp;

/// Hosts looked at on the way up.
const LOOKED_AT: usize = 32;
/// Entries remembered of one host; the oldest goes first.
const ENTRIES_MAX: usize = 16;

/// A host was let in by another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) by: IpAddr,
    pub(super) at: Timestamp,
    /// Through a web server, which is mostly a visit.
    pub(super) is_web: bool,
}

/// How an asker descends from its server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Descent {
    /// When it was entered itself.
    pub(super) at: Timestamp,
    /// Who entered it: the server, or one that the server or its victims entered.
    pub(super) by: IpAddr,
    /// Hosts that were as near or nearer, itself not counted.
    pub(super) breadth: usize,
    /// Whether a web server was the way in of any step.
    pub(super) is_web: bool,
}

/// Adds an entry: of one host only the latest through each way counts.
pub(super) fn note(entries: &mut Vec<Entry>, entry: Entry) {
    entries.retain(|known| (known.by, known.is_web) != (entry.by, entry.is_web));
    if entries.len() >= ENTRIES_MAX {
        entries.remove(0);
    }
    entries.push(entry);
}

/// The shortest way up from `asker` to `server` in which each was entered before it entered the next,
/// the asker before its first question at `asked` and no longer than `within` before.
pub(super) fn find<'a>(
    (asker, server): (IpAddr, IpAddr),
    asked: Timestamp,
    within: Duration,
    generations: usize,
    entries_of: impl Fn(IpAddr) -> Option<&'a [Entry]>,
) -> Option<Descent> {
    let mut seen = vec![asker];
    let own = entries_of(asker)?.iter();
    let recent = own.filter(|entry| entry.at < asked && asked.since(entry.at) <= within);
    let mut level: Vec<(Entry, Descent)> = recent
        .map(|entry| {
            let Entry { by, at, is_web } = *entry;
            (*entry, Descent { at, by, breadth: 0, is_web })
        })
        .collect();
    for _ in 0..generations {
        for (entry, _) in &level {
            if !seen.contains(&entry.by) {
                seen.push(entry.by);
            }
        }
        // Of several ways the one whose entry is nearest to the question.
        let found = level.iter().filter(|(entry, _)| entry.by == server);
        if let Some((_, descent)) = found.max_by_key(|(_, descent)| (!descent.is_web, descent.at)) {
            return Some(Descent { breadth: seen.len() - 1, ..*descent });
        }
        if level.is_empty() || seen.len() >= LOOKED_AT {
            return None;
        }
        let mut above: Vec<(Entry, Descent)> = Vec::new();
        for (entry, descent) in &level {
            for earlier in entries_of(entry.by).unwrap_or_default() {
                let is_on_the_way = earlier.at < entry.at
                    && !seen.contains(&earlier.by)
                    && !above.iter().any(|(known, _)| known == earlier);
                if is_on_the_way && above.len() < LOOKED_AT {
                    let is_web = descent.is_web || earlier.is_web;
                    above.push((*earlier, Descent { is_web, ..*descent }));
                }
            }
        }
        level = above;
    }
    None
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::super::testing::ip;
    use super::*;

    /// Entries as (by, into, second).
    fn find_in(told: &[(u8, u8, i64)], asker: u8, server: u8, asked: i64) -> Option<Descent> {
        let host = |n: u8| ip(&format!("10.0.0.{n}"));
        let mut entries = BTreeMap::<IpAddr, Vec<Entry>>::new();
        for (by, into, second) in told {
            let at = Timestamp::from_secs(*second);
            let entry = Entry { by: host(*by), at, is_web: false };
            note(entries.entry(host(*into)).or_default(), entry);
        }
        find(
            (host(asker), host(server)),
            Timestamp::from_secs(asked),
            Duration::from_hours(1),
            7,
            |of| entries.get(&of).map(Vec::as_slice),
        )
    }

    #[test]
    fn finds_a_parent_and_a_grandparent() {
        let told = [(1, 2, 100), (2, 3, 200)];

        let parent = find_in(&told, 2, 1, 150).unwrap();
        let grandparent = find_in(&told, 3, 1, 250).unwrap();

        assert_eq!((parent.by, parent.breadth), (ip("10.0.0.1"), 1));
        assert_eq!((grandparent.by, grandparent.breadth), (ip("10.0.0.2"), 2));
        assert_eq!(grandparent.at, Timestamp::from_secs(200));
    }

    #[test]
    fn minds_the_order_and_the_time() {
        assert_eq!(find_in(&[(1, 2, 300), (2, 3, 200)], 3, 1, 400), None);
        assert_eq!(find_in(&[(1, 2, 300)], 2, 1, 200), None);
        assert_eq!(find_in(&[(1, 2, 300)], 2, 1, 4000), None);
        assert!(find_in(&[(1, 2, 300)], 2, 1, 3900).is_some());
    }

    #[test]
    fn counts_everybody_who_might_have_been_the_server() {
        let told = [(1, 9, 50), (4, 9, 60), (5, 9, 70), (9, 3, 100), (8, 3, 110)];

        let found = find_in(&told, 3, 1, 120).unwrap();

        assert_eq!(found.breadth, 5);
    }

    #[test]
    fn ends_where_hosts_entered_each_other() {
        assert_eq!(find_in(&[(2, 3, 10), (3, 2, 20), (2, 3, 30)], 3, 1, 40), None);
    }
}

//! The infections of each incident as a tree that can be written from top to bottom.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::incident::{Incident, Infection, Summary};

/// One incident, drawn.
pub(super) struct Tree<'a> {
    /// Which.
    pub(super) incident: &'a Incident,
    /// Its hosts: each stands below who infected it, siblings in order of time.
    pub(super) members: Vec<Member<'a>>,
    /// Hosts that are not drawn.
    pub(super) left_out: usize,
}

/// A host of a tree.
pub(super) struct Member<'a> {
    /// Which.
    pub(super) host: IpAddr,
    /// Steps from patient zero.
    pub(super) depth: usize,
    /// Whether no sibling stands below it.
    pub(super) last: bool,
    /// How it was infected; nobody knows of patient zero.
    pub(super) infection: Option<&'a Infection>,
}

/// The trees of `summary`, each with the `most` hosts that were infected first.
pub(super) fn forest(summary: &Summary, most: usize) -> Vec<Tree<'_>> {
    let mut infections: BTreeMap<&str, Vec<&Infection>> = BTreeMap::new();
    for infection in &summary.infections {
        infections.entry(&infection.incident).or_default().push(infection);
    }
    let trees = summary.incidents.iter().map(|incident| {
        let mut infections = infections.remove(incident.id.as_str()).unwrap_or_default();
        infections.sort_by_key(|infection| (infection.at, infection.generation, infection.to));
        tree(incident, &infections, most)
    });
    trees.collect()
}

/// `infections` in order of time, of which the first counts where a host has several.
fn tree<'a>(incident: &'a Incident, infections: &[&'a Infection], most: usize) -> Tree<'a> {
    let mut seen = BTreeSet::new();
    let mut roots: Vec<_> =
        incident.patient_zero.iter().copied().filter(|zero| seen.insert(*zero)).collect();
    roots.truncate(most);
    let mut room = most.saturating_sub(roots.len());
    let mut children: BTreeMap<IpAddr, Vec<&Infection>> = BTreeMap::new();
    for infection in infections {
        if seen.insert(infection.to) && room > 0 {
            room -= 1;
            children.entry(infection.from).or_default().push(infection);
        }
    }
    let root = |host| Member { host, depth: 0, last: true, infection: None };
    let mut pending: Vec<_> = roots.into_iter().rev().map(root).collect();
    let mut members = Vec::new();
    while let Some(member) = pending.pop() {
        // Taken out, so that not even a circle would be walked twice.
        let below = children.remove(&member.host).unwrap_or_default();
        let youngest = below.last().map(|infection| infection.to);
        pending.extend(below.into_iter().rev().map(|infection| Member {
            host: infection.to,
            depth: member.depth + 1,
            last: Some(infection.to) == youngest,
            infection: Some(infection),
        }));
        members.push(member);
    }
    let left_out = seen.len().saturating_sub(members.len());
    Tree { incident, members, left_out }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{infection, outbreak};
    use super::*;

    fn hosts(tree: &Tree<'_>) -> Vec<(String, usize)> {
        tree.members.iter().map(|member| (member.host.to_string(), member.depth)).collect()
    }

    #[test]
    fn each_host_stands_below_who_infected_it() {
        let summary = outbreak();

        let trees = forest(&summary, 500);

        let first: Vec<_> = hosts(&trees[0]);
        let expected =
            [("10.0.0.1", 0), ("10.0.0.2", 1), ("10.0.0.4", 2), ("10.0.0.5", 3), ("10.0.0.3", 1)];
        assert_eq!(first, expected.map(|(host, depth)| (host.to_owned(), depth)));
        assert_eq!(trees.len(), 2);
        assert_eq!(trees[0].left_out, 0);
    }

    #[test]
    fn the_first_hosts_are_drawn_and_the_others_counted() {
        let summary = outbreak();

        let trees = forest(&summary, 3);

        let hosts: Vec<_> = hosts(&trees[0]).into_iter().map(|(host, _)| host).collect();
        assert_eq!(hosts, ["10.0.0.1", "10.0.0.2", "10.0.0.3"]);
        assert_eq!(trees[0].left_out, 2);
    }

    #[test]
    fn a_circle_ends() {
        let mut summary = outbreak();
        summary.infections.push(infection("10.0.0.5", "10.0.0.1", 900, 4, "worm-1"));

        assert_eq!(forest(&summary, 500)[0].members.len(), 5);
    }
}

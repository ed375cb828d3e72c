//! How origins are cut into parts, each of which is judged by a fit on the others.

use std::collections::{BTreeMap, BTreeSet};

use super::model::Host;

/// Parts, where there are origins enough.
const FOLDS: usize = 5;

/// Cuts the origins of `hosts` into parts with about the same number of malicious hosts: the largest
/// origin first, each into the part that has fewest, ties to the first.
pub(super) fn folds<'a>(hosts: &[Host<'a>]) -> Vec<BTreeSet<&'a str>> {
    let mut origins: BTreeMap<&str, u64> = BTreeMap::new();
    for host in hosts {
        *origins.entry(host.origin).or_insert(0) += if host.malicious { host.count } else { 0 };
    }
    let with_malice = origins.values().filter(|malicious| **malicious > 0).count();
    let mut folds = vec![(0, 0, BTreeSet::new()); FOLDS.min(with_malice)];
    let mut ordered: Vec<_> = origins.into_iter().collect();
    ordered.sort_by_key(|(origin, malicious)| (std::cmp::Reverse(*malicious), *origin));
    for (origin, malicious) in ordered {
        let fewest = folds.iter_mut().min_by_key(|(hosts, origins, _)| (*hosts, *origins));
        if let Some((hosts, count, fold)) = fewest {
            *hosts += malicious;
            *count += 1;
            fold.insert(origin);
        }
    }
    folds.into_iter().map(|(_, _, fold)| fold).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(origin: &str, malicious: bool) -> Host<'_> {
        Host { origin, malicious, evidence: &[], is_quiet: false, count: 1, weight: 1.0 }
    }

    #[test]
    fn every_origin_is_in_one_part_and_malice_in_all() {
        let names: Vec<_> = (0..20).map(|n| format!("origin {n:02}")).collect();
        let hosts: Vec<_> = names
            .iter()
            .enumerate()
            .flat_map(|(n, name)| (0..=n).map(move |of| host(name, n < 10 && of % 2 == 0)))
            .collect();

        let folds = folds(&hosts);

        assert_eq!(folds.len(), 5);
        assert_eq!(folds.iter().map(BTreeSet::len).sum::<usize>(), 20);
        for fold in &folds {
            assert!(hosts.iter().any(|host| host.malicious && fold.contains(host.origin)));
        }
    }

    #[test]
    fn two_origins_make_two_parts() {
        let hosts = [host("a", true), host("b", true), host("c", false)];

        let folds = folds(&hosts);

        assert_eq!(folds.len(), 2);
        assert_eq!(folds.iter().map(BTreeSet::len).sum::<usize>(), 3);
    }
}

//! What is learned from, and the constants that are learned.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::super::{Capture, Weighed};
use crate::detect::Family;
use crate::score::{Caps, ScoreConfig, sum_up};

/// A host to learn from, or many without evidence that are all alike.
#[derive(Clone)]
pub(super) struct Host<'a> {
    /// Where its capture comes from.
    pub(super) origin: &'a str,
    /// Whether it is malicious.
    pub(super) malicious: bool,
    /// Its evidence, weighed with all scales at 1.
    pub(super) evidence: &'a [Weighed],
    /// Whether it stands for benign hosts without evidence.
    pub(super) is_quiet: bool,
    /// How many hosts it stands for.
    pub(super) count: u64,
    /// How much all of them count.
    pub(super) weight: f64,
}

/// The hosts of a capture whose truth is known; none if nothing could be seen in it.
pub(super) fn hosts(capture: &Capture) -> impl Iterator<Item = Host<'_>> {
    let origin = capture.origin.as_str();
    let seen = if capture.failure.is_none() { capture.hosts.as_slice() } else { &[] };
    let judged = seen.iter().map(move |host| Host {
        origin,
        malicious: host.malicious,
        evidence: &host.evidence,
        is_quiet: false,
        count: 1,
        weight: 1.0,
    });
    let quiet = (capture.failure.is_none() && capture.quiet_hosts > 0).then_some(Host {
        origin,
        malicious: false,
        evidence: &[],
        is_quiet: true,
        count: capture.quiet_hosts,
        weight: capture.quiet_hosts as f64,
    });
    judged.chain(quiet)
}

/// Weighs hosts so that `rate` of them are malicious, and leaves their number.
pub(super) fn weigh(hosts: &mut [Host<'_>], rate: f64) {
    let count = |malicious: bool| -> f64 {
        hosts.iter().filter(|host| host.malicious == malicious).map(|host| host.count as f64).sum()
    };
    let (malicious, benign) = (count(true), count(false));
    let all = malicious + benign;
    for host in hosts {
        let (rate, count) = if host.malicious { (rate, malicious) } else { (1.0 - rate, benign) };
        host.weight = host.count as f64 * rate * all / count;
    }
}

/// Weighted negative log-likelihood of what `host` is under log-odds of `odds`, in nats.
pub(super) fn loss(host: &Host<'_>, odds: f64) -> f64 {
    let against = if host.malicious { -odds } else { odds };
    // ln(1 + e^x) without overflow.
    host.weight * (against.max(0.0) + (-against.abs()).exp().ln_1p())
}

/// What is fitted.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Constants {
    /// Log-odds before any evidence, in nats.
    pub prior: f64,
    /// The most that each family can add, in nats.
    pub caps: Caps,
    /// What each detector's evidence is multiplied by, 1 before any fit; those that spoke. The Sigma
    /// rules, which are many and speak seldom, share one (`lateral`).
    pub scales: BTreeMap<String, f64>,
    /// Families that spoke; caps of the others cannot be learned, and stay.
    #[serde(skip)]
    pub families: BTreeSet<Family>,
}

impl Constants {
    /// The constants of `score`, as far as `hosts` have evidence about them.
    pub(super) fn of(score: &ScoreConfig, hosts: &[Host<'_>]) -> Self {
        let evidence = || hosts.iter().flat_map(|host| host.evidence);
        Self {
            prior: score.prior,
            caps: score.caps.clone(),
            scales: evidence().map(|one| (scale_of(one).to_owned(), 1.0)).collect(),
            families: evidence().map(|one| one.family).collect(),
        }
    }

    /// Log-odds of a host with this evidence, in nats.
    pub(super) fn log_odds(&self, evidence: &[Weighed]) -> f64 {
        let scaled = evidence.iter().map(|one| (one.family, one.nats * self.scale(one)));
        self.prior + sum_up(&scaled, &self.caps).iter().map(|sum| sum.counted).sum::<f64>()
    }

    /// As a configuration that `-c` takes.
    pub fn to_toml(&self) -> String {
        #[derive(Serialize)]
        struct File<'c> {
            score: &'c Constants,
        }
        toml::to_string(&File { score: self }).expect("numbers under names are TOML")
    }

    fn scale(&self, evidence: &Weighed) -> f64 {
        self.scales.get(scale_of(evidence)).copied().unwrap_or(1.0)
    }
}

/// Under which name a piece of evidence is scaled.
fn scale_of(evidence: &Weighed) -> &'static str {
    match evidence.family {
        Family::Lateral => evidence.detector.split('.').next().unwrap_or(evidence.detector),
        _ => evidence.detector,
    }
}

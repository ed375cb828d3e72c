//! `wormwatch calibrate`: constants of the score, fitted on captures whose truth is known.
//!
//! The score's model stays as it is (`score/posterior.rs`): log-odds = prior + Σ over families of
//! min(cap, Σ scale · nats). What is fitted are the prior, each family's cap and a scale for each
//! detector, by penalised maximum likelihood (`fit.rs`). What that is worth is told by
//! cross-validation over *origins*: captures of one origin share hosts, makers and habits, so none
//! may be on both sides. Every figure about the fitted constants is about hosts that the fit did
//! not see; only the constants that are written come from all.
//!
//! Captures are collected for the malice in them, so they say nothing about how frequent it is. Hosts
//! are weighted until malicious ones are as frequent as the configured prior says (case-control
//! sampling with known base rate: King, Zeng, "Logistic Regression in Rare Events Data", 2001), in
//! each fit among the hosts that it sees, and in every figure among all.
//!
//! Evidence counts as of a host's last evidence, as `wormwatch explain` shows it, and not at its
//! peak as in `wormwatch eval`, so the figures "before" differ a little from there.

mod fit;
mod folds;
mod model;

use std::collections::BTreeSet;

use serde::Serialize;

use super::curves::{Outcome, bins};
use super::{Bin, Capture};
use crate::incident::rounded;
use crate::score::{ScoreConfig, posterior};

pub use model::Constants;

use fit::fit;
use folds::folds;
use model::{Host, loss};

/// Constants fitted on captures, and how good they are.
#[derive(Clone, Debug, Serialize)]
pub struct Calibration {
    /// Captures that had a host to learn from.
    pub captures: u64,
    /// Captures that could not be analysed, and were left out.
    pub unreadable: Vec<String>,
    /// Origins that they come from.
    pub origins: Vec<String>,
    /// Malicious hosts.
    pub malicious_hosts: u64,
    /// Benign hosts with evidence, or named.
    pub benign_hosts: u64,
    /// Benign hosts without evidence.
    pub quiet_hosts: u64,
    /// Parts that the origins were cut into.
    pub folds: usize,
    /// With the constants as they are.
    pub before: Quality,
    /// With fitted ones, each host judged by a fit that saw no capture of its origin.
    pub held_out: Quality,
    /// The constants as they are: those that are shipped, or what a configuration makes of them.
    pub configured: Constants,
    /// Fitted on all captures.
    pub fitted: Constants,
}

/// How well posteriors go with the truth, over all hosts, quiet ones among them.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Quality {
    /// Mean negative log-likelihood, in nats.
    pub log_loss: f64,
    /// Mean squared error, 0 to 1.
    pub brier: f64,
    /// Malicious hosts that are at least suspicious, unweighted.
    pub found: u64,
    /// Benign hosts that are, unweighted.
    pub false_alarms: u64,
    /// The reliability curve.
    pub reliability: Vec<Bin>,
}

/// Why nothing can be fitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CalibrateError {
    /// Cross-validation over origins needs some.
    #[error(
        "malicious hosts come from only {0} origin(s); to fit on one and judge on another takes at \
         least 2: say `origin` in the truth beside each capture"
    )]
    FewOrigins(usize),
    /// Nor can be told what evidence is worth where everybody is malicious.
    #[error(
        "no host is known to be benign: add captures whose truth says `others = \"benign\"`, or \
         names benign hosts"
    )]
    NobodyBenign,
}

/// Fits constants on `captures`, which were scored with `score`.
///
/// # Errors
/// If malicious hosts come from fewer than two origins.
pub fn calibrate(captures: &[Capture], score: &ScoreConfig) -> Result<Calibration, CalibrateError> {
    let mut hosts: Vec<Host> = captures.iter().flat_map(model::hosts).collect();
    let rate = probability(score.prior);
    model::weigh(&mut hosts, rate);
    let configured = Constants::of(score, &hosts);
    let with_malice: BTreeSet<_> =
        hosts.iter().filter(|host| host.malicious).map(|host| host.origin).collect();
    if with_malice.len() < 2 {
        return Err(CalibrateError::FewOrigins(with_malice.len()));
    }
    if hosts.iter().all(|host| host.malicious) {
        return Err(CalibrateError::NobodyBenign);
    }
    let folds = folds(&hosts);
    let mut held_out = Vec::new();
    for fold in &folds {
        let is_inside = |host: &&Host| fold.contains(host.origin);
        let mut rest: Vec<Host> = hosts.iter().filter(|host| !is_inside(host)).cloned().collect();
        model::weigh(&mut rest, rate);
        let constants = fit(&rest, &configured);
        let judged = hosts.iter().filter(is_inside);
        held_out.extend(judged.map(|host| (host, constants.log_odds(host.evidence))));
    }
    let as_configured: Vec<_> =
        hosts.iter().map(|host| (host, configured.log_odds(host.evidence))).collect();
    let origins: BTreeSet<_> = hosts.iter().map(|host| host.origin.to_owned()).collect();
    let count = |wanted: &dyn Fn(&Host) -> bool| -> u64 {
        hosts.iter().filter(|host| wanted(host)).map(|host| host.count).sum()
    };
    let unreadable = captures.iter().filter_map(|capture| {
        Some(format!("{}: {}", capture.path.display(), capture.failure.as_deref()?))
    });
    Ok(Calibration {
        unreadable: unreadable.collect(),
        captures: captures.iter().filter(|c| model::hosts(c).next().is_some()).count() as u64,
        origins: origins.into_iter().collect(),
        malicious_hosts: count(&|host| host.malicious),
        benign_hosts: count(&|host| !host.malicious && !host.is_quiet),
        quiet_hosts: count(&|host| host.is_quiet),
        folds: folds.len(),
        before: quality(&as_configured),
        held_out: quality(&held_out),
        fitted: fit(&hosts, &configured),
        configured,
    })
}

/// How well log-odds go with the truth.
fn quality(judged: &[(&Host, f64)]) -> Quality {
    let total: f64 = judged.iter().map(|(host, _)| host.weight).sum();
    let mean = |of: &dyn Fn(&Host, f64) -> f64| {
        judged.iter().map(|(host, odds)| of(host, *odds)).sum::<f64>() / total
    };
    let error = |host: &Host, odds| probability(odds) - f64::from(u8::from(host.malicious));
    let outcome = |(host, odds): &(&Host, f64)| Outcome {
        score: posterior(*odds),
        malicious: host.malicious,
        hosts: host.count,
        weight: host.weight,
    };
    let suspicious = |malicious: bool| {
        let those =
            judged.iter().filter(|(host, odds)| host.malicious == malicious && *odds >= 0.0);
        those.map(|(host, _)| host.count).sum()
    };
    Quality {
        found: suspicious(true),
        false_alarms: suspicious(false),
        log_loss: rounded(mean(&|host, odds| loss(host, odds)), 6),
        brier: rounded(mean(&|host, odds| host.weight * error(host, odds).powi(2)), 6),
        reliability: bins(judged.iter().map(outcome)),
    }
}

fn probability(log_odds: f64) -> f64 {
    1.0 / (1.0 + (-log_odds).exp())
}

#[cfg(test)]
mod tests {
    use super::super::Weighed;
    use super::super::tests::capture_of;
    use super::*;
    use crate::detect::Family;

    /// A capture of `origin` in which a detector gave each host this weight.
    fn capture(origin: &str, detector: &'static str, hosts: &[(f64, bool)]) -> Capture {
        let mut capture = capture_of(hosts);
        capture.origin = origin.to_owned();
        capture.quiet_hosts = 300;
        for (host, (nats, _)) in capture.hosts.iter_mut().zip(hosts) {
            host.evidence = vec![Weighed { detector, family: Family::Novelty, nats: *nats }];
        }
        capture
    }

    /// A detector that is right whenever it speaks, and speaks too softly.
    fn shy() -> Vec<Capture> {
        let capture = |n: u8| {
            let origin = format!("origin {n}");
            capture(&origin, "scan.slow", &[(4.0, true), (4.5, true), (0.1, false)])
        };
        (0..6).map(capture).collect()
    }

    #[test]
    fn a_detector_that_is_always_right_is_worth_more() {
        let calibration = calibrate(&shy(), &ScoreConfig::default()).unwrap();

        assert!(calibration.fitted.scales["scan.slow"] > 1.1, "{:?}", calibration.fitted);
        assert!(calibration.held_out.brier < calibration.before.brier);
        assert!(calibration.held_out.log_loss < calibration.before.log_loss);
    }

    #[test]
    fn a_detector_that_is_always_wrong_is_worth_less() {
        let mut captures = shy();
        for n in 0..6 {
            let hosts = [(7.0, false), (6.5, false)];
            captures.push(capture(&format!("origin {n}"), "novelty.edge", &hosts));
        }

        let calibration = calibrate(&captures, &ScoreConfig::default()).unwrap();

        assert!(calibration.fitted.scales["novelty.edge"] < 0.9, "{:?}", calibration.fitted);
    }

    #[test]
    fn a_detector_that_is_right_in_one_place_only_is_worth_nothing_elsewhere() {
        let mut captures = Vec::new();
        for n in 0..4 {
            let hosts = [(5.5, n == 0), (5.5, n == 0), (5.5, n == 0)];
            let mut of_origin = capture(&format!("origin {n}"), "novelty.edge", &hosts);
            of_origin.hosts.extend(capture("", "scan.slow", &[(4.0, true)]).hosts);
            captures.push(of_origin);
        }

        let calibration = calibrate(&captures, &ScoreConfig::default()).unwrap();

        let mut hosts: Vec<Host> = captures.iter().flat_map(model::hosts).collect();
        model::weigh(&mut hosts, probability(ScoreConfig::default().prior));
        let fitted = &calibration.fitted;
        let seen: Vec<_> = hosts.iter().map(|h| (h, fitted.log_odds(h.evidence))).collect();
        assert!(calibration.held_out.log_loss > quality(&seen).log_loss);
    }

    #[test]
    fn malicious_hosts_weigh_what_the_prior_says() {
        let captures = shy();
        let mut hosts: Vec<Host> = captures.iter().flat_map(model::hosts).collect();

        model::weigh(&mut hosts, 0.01);

        let sum = |malicious| -> f64 {
            hosts.iter().filter(|h| h.malicious == malicious).map(|h| h.weight).sum()
        };
        assert!((sum(true) / (sum(true) + sum(false)) - 0.01).abs() < 1e-12);
        let count: u64 = hosts.iter().map(|host| host.count).sum();
        assert!((sum(true) + sum(false) - count as f64).abs() < 1e-6);
    }

    #[test]
    fn what_could_not_be_analysed_teaches_nothing() {
        let mut captures = shy();
        let whole = calibrate(&captures, &ScoreConfig::default()).unwrap();
        let mut broken = capture("origin 7", "scan.slow", &[(0.0, true), (0.0, true)]);
        broken.failure = Some("it is damaged".to_owned());
        captures.push(broken);

        let calibration = calibrate(&captures, &ScoreConfig::default()).unwrap();

        assert_eq!(calibration.fitted, whole.fitted);
        assert_eq!(calibration.unreadable, ["made-up.pcap: it is damaged"]);
    }

    #[test]
    fn where_everybody_is_malicious_nothing_can_be_learned() {
        let captures: Vec<_> = ["a", "b"]
            .map(|origin| Capture {
                quiet_hosts: 0,
                ..capture(origin, "scan.slow", &[(4.0, true)])
            })
            .into();

        let error = calibrate(&captures, &ScoreConfig::default()).unwrap_err();

        assert_eq!(error, CalibrateError::NobodyBenign);
    }

    #[test]
    fn one_origin_is_not_enough() {
        let captures = [capture("one", "scan.slow", &[(4.0, true)])];

        let error = calibrate(&captures, &ScoreConfig::default()).unwrap_err();

        assert_eq!(error, CalibrateError::FewOrigins(1));
    }

    #[test]
    fn what_is_fitted_reads_back_as_a_configuration() {
        let calibration = calibrate(&shy(), &ScoreConfig::default()).unwrap();

        let text = calibration.fitted.to_toml();
        let config = crate::config::Config::parse(&text, std::path::Path::new("x.toml")).unwrap();

        assert_eq!(config.score.prior, calibration.fitted.prior);
        assert_eq!(config.score.scale("scan.slow"), calibration.fitted.scales["scan.slow"]);
    }
}

//! A score taken apart, so that a person can redo the sum on paper.

use std::fmt::{self, Write};

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

use super::{Hidden, HostScore, ScoreConfig, Verdict, family_sums, posterior, weigh};

/// Everything that makes up one host's score at one moment; also what the daemon's API answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// The host.
    pub host: String,
    /// The moment, RFC 3339.
    pub at: String,
    /// Its verdict: that of the highest posterior it ever reached.
    pub verdict: String,
    /// The posterior at that moment, 0 to 100.
    pub score: f64,
    /// The highest it ever reached.
    pub peak: f64,
    /// Log-odds before any evidence, in nats.
    pub prior: f64,
    /// Log-odds with it, in nats.
    pub log_odds: f64,
    /// What each family adds.
    pub families: Vec<ExplainedFamily>,
    /// What the allowlist kept out of the sum.
    pub hidden: Vec<String>,
}

/// One family's part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExplainedFamily {
    /// Its name.
    pub family: String,
    /// What its evidence sums up to, in nats.
    pub sum: f64,
    /// The most it may add, in nats.
    pub cap: f64,
    /// What it adds, in nats.
    pub counted: f64,
    /// Its evidence, strongest first.
    pub evidence: Vec<ExplainedEvidence>,
}

/// One piece of evidence's part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExplainedEvidence {
    /// When it held, RFC 3339.
    pub ts: String,
    /// The detector's id.
    pub detector: String,
    /// What tells it from others of the same detector.
    pub subject: String,
    /// Its whole weight, in nats.
    pub llr: f64,
    /// What calibration makes of it, a factor.
    #[serde(default = "unscaled")]
    pub scale: f64,
    /// Its age in seconds.
    pub age_s: f64,
    /// What age leaves of it, 0 to 1.
    pub decay: f64,
    /// What the chance of forgery leaves of it, 0 to 1.
    pub discount: f64,
    /// What it counts for before the cap, in nats.
    pub nats: f64,
    /// Other ends in all.
    pub peers_total: u64,
    /// What was seen.
    pub summary: String,
}

impl Explanation {
    /// Takes the score of `host` apart as of `at`.
    pub fn new(host: &HostScore, config: &ScoreConfig, at: Timestamp, hidden: &[Hidden]) -> Self {
        let sums = family_sums(&host.evidence, config, at);
        let log_odds = config.prior + sums.iter().map(|sum| sum.counted).sum::<f64>();
        let families = sums.iter().map(|sum| ExplainedFamily {
            family: sum.family.to_string(),
            sum: cents(sum.sum),
            cap: sum.cap,
            counted: cents(sum.counted),
            evidence: host
                .evidence
                .iter()
                .filter(|evidence| evidence.family == sum.family)
                .map(|evidence| {
                    let weight = weigh(evidence, config, at);
                    ExplainedEvidence {
                        ts: evidence.ts.to_string(),
                        detector: evidence.detector.to_owned(),
                        subject: evidence.subject.clone(),
                        llr: cents(evidence.llr),
                        scale: weight.scale,
                        age_s: weight.age.as_secs_f64(),
                        decay: (weight.decay * 1000.0).round() / 1000.0,
                        discount: weight.discount,
                        nats: cents(weight.nats),
                        peers_total: evidence.peers_total,
                        summary: evidence.summary.clone(),
                    }
                })
                .collect(),
        });
        Self {
            host: host.host.to_string(),
            at: at.to_string(),
            verdict: host.verdict.as_str().to_owned(),
            score: posterior(log_odds),
            peak: host.peak,
            prior: config.prior,
            log_odds: cents(log_odds),
            families: families.collect(),
            hidden: hidden.iter().map(in_words).collect(),
        }
    }
}

/// The scale of a daemon that knows none.
const fn unscaled() -> f64 {
    1.0
}

fn in_words(hidden: &Hidden) -> String {
    let Hidden { entry, reason, detector, llr } = hidden;
    format!("{detector}, up to {llr:+.2} nats, hidden by allow entry {entry} ({reason})")
}

fn cents(nats: f64) -> f64 {
    (nats * 100.0).round() / 100.0
}

/// The sum as one would write it down.
impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, at, verdict, score, peak, prior, log_odds, .. } = self;
        let at = short(at);
        writeln!(f, "{host}: {verdict}, {score:.1} at {at} (highest ever {peak:.1})\n")?;
        writeln!(f, "{prior:>+8.2}  prior: before anything is known of a host")?;
        for family in &self.families {
            let ExplainedFamily { family: name, sum, cap, counted, evidence } = family;
            write!(f, "{counted:>+8.2}  {name}")?;
            if (sum - counted).abs() >= 0.005 {
                let why = if *counted >= *cap { "its cap" } else { "no more than the rest" };
                write!(f, ": {why}, of {sum:.2}")?;
            }
            writeln!(f)?;
            for part in evidence {
                writeln!(f, "            {}", one_line(part)?)?;
                writeln!(f, "                {}", part.summary)?;
            }
        }
        writeln!(f, "--------")?;
        let odds = verdict_words(*score);
        writeln!(f, "{log_odds:>+8.2}  log-odds in nats = {score:.1} of 100, {odds}")?;
        for hidden in &self.hidden {
            writeln!(f, "\nnot counted: {hidden}")?;
        }
        Ok(())
    }
}

fn one_line(part: &ExplainedEvidence) -> Result<String, fmt::Error> {
    let ExplainedEvidence { ts, detector, subject, llr, scale, decay, discount, nats, .. } = part;
    let mut line = format!("{nats:+.2}  {detector} ({subject}), {}: {llr:.2}", short(ts));
    if (scale - 1.0).abs() >= 0.005 {
        write!(line, " x {scale:.2} by calibration")?;
    }
    if *decay < 0.9995 {
        write!(line, " x {decay:.3} for its age of {}", age(part.age_s))?;
    }
    if *discount < 1.0 {
        write!(line, " x {discount:.2} because a source address can be forged")?;
    }
    Ok(line)
}

/// RFC 3339 to the second, for people.
fn short(moment: &str) -> String {
    moment.get(..19).unwrap_or(moment).replace('T', " ")
}

fn age(seconds: f64) -> String {
    match seconds {
        s if s < 3600.0 => format!("{:.0} min", s / 60.0),
        s if s < 48.0 * 3600.0 => format!("{:.1} h", s / 3600.0),
        s => format!("{:.1} d", s / 86_400.0),
    }
}

fn verdict_words(score: f64) -> &'static str {
    match Verdict::of(score) {
        Verdict::Benign => "below suspicious (50)",
        Verdict::Suspicious => "suspicious (from 50), below malicious (90)",
        Verdict::Malicious => "malicious (from 90)",
    }
}

#[cfg(test)]
mod tests {
    use super::super::ScoreBoard;
    use super::super::testing::{evidence, forgeable, ip};
    use super::*;
    use crate::detect::Family;

    fn explained(at: i64) -> Explanation {
        let config = ScoreConfig::default();
        let mut board = ScoreBoard::new(&config);
        board.add(forgeable("scan.horizontal", Family::Failure, 14.0, 0));
        board.add(evidence("novelty.edge", Family::Novelty, 1.5, 86_400));
        board.add(evidence("host.new", Family::Context, 3.0, 86_400));
        let hidden =
            [Hidden { entry: 1, reason: "monitoring".to_owned(), detector: "scan.icmp", llr: 4.0 }];
        let host = board.get(ip("10.0.0.5")).unwrap();
        Explanation::new(host, &config, Timestamp::from_secs(at), &hidden)
    }

    #[test]
    fn the_sum_can_be_redone_on_paper() {
        let text = explained(86_400).to_string();

        insta::assert_snapshot!(text, @r"
        10.0.0.5: malicious, 99.8 at 1970-01-02 00:00:00 (highest ever 99.8)

           -6.00  prior: before anything is known of a host
          +10.00  failure: its cap, of 10.78
                    +10.78  scan.horizontal (tcp/445), 1970-01-01 00:00:00: 14.00 x 0.906 for its age of 24.0 h x 0.85 because a source address can be forged
                        2 of 2 first contacts on tcp/445 failed
           +1.50  novelty
                    +1.50  novelty.edge (tcp/445), 1970-01-02 00:00:00: 1.50
                        2 of 2 first contacts on tcp/445 failed
           +1.00  context: its cap, of 3.00
                    +3.00  host.new (tcp/445), 1970-01-02 00:00:00: 3.00
                        2 of 2 first contacts on tcp/445 failed
        --------
           +6.50  log-odds in nats = 99.8 of 100, malicious (from 90)

        not counted: scan.icmp, up to +4.00 nats, hidden by allow entry 1 (monitoring)
        ");
    }

    #[test]
    fn its_parts_add_up() {
        let explanation = explained(20 * 86_400);

        let counted: f64 = explanation.families.iter().map(|family| family.counted).sum();
        assert!((explanation.prior + counted - explanation.log_odds).abs() < 0.02);
        assert!(explanation.score < explanation.peak);
    }

    #[test]
    fn it_crosses_the_api_unharmed() {
        let explanation = explained(90_000);

        let json = serde_json::to_string(&explanation).unwrap();

        assert_eq!(serde_json::from_str::<Explanation>(&json).unwrap(), explanation);
    }
}

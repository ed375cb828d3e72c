//! The field's published detectors, re-made in their simplest form over the same events, so that a
//! gain is measured and not claimed.
//!
//! Each is one file with its source and its published parameters, which nobody tuned for the
//! captures at hand. They see what wormwatch's own detectors see (the same decoding, the same
//! connections, the same end of input), so a difference is one of method. They run on captures,
//! never on a live network, and their memory is bounded by the capture's size alone.

mod attempt;
mod fanout;
mod slips;
mod trw;
mod zeek_scan;

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::event::{Body, Event, Record};

use attempt::Attempt;

/// A published detector to compare with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Baseline {
    /// Threshold random walk: Jung, Paxson, Berger, Balakrishnan 2004.
    Trw,
    /// Distinct destinations in a window: Heberlein et al. 1990.
    Fanout,
    /// Zeek's `policy/misc/scan.zeek`.
    ZeekScan,
    /// Slips' horizontal and vertical port scans.
    Slips,
}

impl Baseline {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 4] = [Self::Trw, Self::Fanout, Self::ZeekScan, Self::Slips];

    /// The name, as on the command line and in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Trw => "trw",
            Self::Fanout => "fanout",
            Self::ZeekScan => "zeek-scan",
            Self::Slips => "slips",
        }
    }

    /// Where it was published and with which parameters it runs, in one line.
    pub const fn source(self) -> &'static str {
        match self {
            Self::Trw => trw::SOURCE,
            Self::Fanout => fanout::SOURCE,
            Self::ZeekScan => zeek_scan::SOURCE,
            Self::Slips => slips::SOURCE,
        }
    }

    /// The one of this name, if there is one.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|baseline| baseline.as_str() == name)
    }

    fn start(self) -> Box<dyn Accuser> {
        match self {
            Self::Trw => Box::new(trw::Trw::default()),
            Self::Fanout => Box::new(fanout::Fanout::default()),
            Self::ZeekScan => Box::new(zeek_scan::ZeekScan::default()),
            Self::Slips => Box::new(slips::Slips::default()),
        }
    }
}

/// What a baseline is while it looks at one capture.
trait Accuser: Send {
    /// Looks at one attempt; whether its source is now accused.
    fn on_attempt(&mut self, attempt: &Attempt) -> bool;

    /// A name was resolved to this address.
    fn on_resolved(&mut self, addr: IpAddr) {
        let _ = addr;
    }
}

/// Baselines at work on one capture.
pub(super) struct Panel(Vec<(Baseline, Box<dyn Accuser>, BTreeSet<IpAddr>)>);

impl Panel {
    pub(super) fn new(baselines: &[Baseline]) -> Self {
        let start = |baseline: &Baseline| (*baseline, baseline.start(), BTreeSet::new());
        Self(baselines.iter().map(start).collect())
    }

    /// Shows an event to all of them; events come in the order of time.
    pub(super) fn on_event(&mut self, event: &Event) {
        if self.0.is_empty() {
            return;
        }
        for addr in resolved(event) {
            self.0.iter_mut().for_each(|(_, accuser, _)| accuser.on_resolved(addr));
        }
        let Some(attempt) = Attempt::of(event) else { return };
        for (_, accuser, accused) in &mut self.0 {
            if accuser.on_attempt(&attempt) {
                accused.insert(attempt.src);
            }
        }
    }

    /// Whom each of them accused.
    pub(super) fn accused(self) -> Vec<(Baseline, BTreeSet<IpAddr>)> {
        self.0.into_iter().map(|(baseline, _, accused)| (baseline, accused)).collect()
    }
}

/// The addresses that a DNS answer names.
fn resolved(event: &Event) -> impl Iterator<Item = IpAddr> {
    let answers = match &event.body {
        Body::Record(record) => match record.as_ref() {
            Record::Dns(dns) => dns.answers.as_deref(),
            _ => None,
        },
        _ => None,
    };
    answers.into_iter().flatten().filter_map(|answer| answer.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::testing::{ip, tcp};

    #[test]
    fn names_lead_back_to_their_baselines() {
        for baseline in Baseline::ALL {
            assert_eq!(Baseline::named(baseline.as_str()), Some(baseline));
        }
        assert_eq!(Baseline::named("snort"), None);
    }

    #[test]
    fn every_baseline_convicts_a_fast_sweep_and_none_a_busy_client() {
        let mut panel = Panel::new(&Baseline::ALL);

        for n in 0..60_u8 {
            let at = f64::from(n);
            panel.on_event(&tcp("10.0.0.1", &format!("10.0.1.{n}"), 445).at(at).refused());
            panel.on_event(&tcp("10.0.0.2", &format!("10.0.1.{}", n % 8), 443).at(at).accepted());
        }

        for (baseline, accused) in panel.accused() {
            assert_eq!(accused, [ip("10.0.0.1")].into(), "{}", baseline.as_str());
        }
    }
}

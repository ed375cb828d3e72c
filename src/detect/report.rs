//! When to say something, and the sample that goes with it.

use std::net::IpAddr;

use crate::event::Conversation;

/// Evidence carries at most this many peers.
pub(crate) const PEERS_MAX: usize = 16;
/// Evidence carries at most this many connections.
pub(crate) const CONNS_MAX: usize = 8;
/// Below this many nats nothing is reported: it is the everyday oddity of a healthy host.
pub(crate) const REPORT_MIN: f64 = 2.0;
/// A report is repeated when it weighs this much more.
pub(crate) const REPORT_STEP: f64 = 1.0;

/// The other ends to show, in order of appearance, few enough to read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sample {
    peers: Vec<IpAddr>,
    conns: Vec<Conversation>,
}

impl Sample {
    /// Adds a peer and its connection, while there is room.
    pub(crate) fn add(&mut self, peer: IpAddr, conversation: Option<Conversation>) {
        if self.peers.len() < PEERS_MAX && !self.peers.contains(&peer) {
            self.peers.push(peer);
        }
        if self.conns.len() < CONNS_MAX {
            self.conns.extend(conversation);
        }
    }

    /// The peers.
    pub(crate) fn peers(&self) -> Vec<IpAddr> {
        self.peers.clone()
    }

    /// The connections.
    pub(crate) fn conns(&self) -> Vec<Conversation> {
        self.conns.clone()
    }

    /// Forgets all.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Bytes on the heap.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.peers.capacity() * size_of::<IpAddr>()
            + self.conns.capacity() * size_of::<Conversation>()
    }
}

/// Lets a growing weight through when it first matters, when it grew, when it reached its most, and
/// when twice as many peers are concerned: a scan of a /16 is about twenty reports.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Gate {
    llr: f32,
    peers: u32,
}

impl Gate {
    /// Whether to report now; remembers that it was. `most` is the most that `llr` can be.
    pub(crate) fn opens(&mut self, llr: f64, most: f64, peers: u64) -> bool {
        let peers = u32::try_from(peers).unwrap_or(u32::MAX);
        let last = f64::from(self.llr);
        let first = self.llr == 0.0;
        let opens = llr >= REPORT_MIN
            && (first
                || llr >= last + REPORT_STEP
                || (llr >= most && llr > last + 0.01)
                || (llr >= last && peers >= self.peers.saturating_mul(2)));
        if opens {
            self.llr = llr as f32;
            self.peers = peers;
        }
        opens
    }

    /// Whether to report that it weighs less than was said, by a tenth of a step; remembers that it
    /// was.
    pub(crate) fn sinks(&mut self, llr: f64) -> bool {
        let sinks = f64::from(self.llr) >= llr + REPORT_STEP / 10.0;
        if sinks {
            self.llr = llr as f32;
        }
        sinks
    }

    /// The weight last reported, 0 if none was.
    pub(crate) fn reported(self) -> f64 {
        f64::from(self.llr)
    }
}

/// A duration for a sentence: `0.2 s`, `12 s`, `7 min`, `3 h`, `2 d`.
pub(crate) fn spoken(duration: std::time::Duration) -> String {
    let secs = duration.as_secs_f64();
    match secs {
        s if s < 0.1 => format!("{:.1} ms", s * 1e3),
        s if s < 10.0 => format!("{s:.1} s"),
        s if s < 120.0 => format!("{s:.0} s"),
        s if s < 7200.0 => format!("{:.0} min", s / 60.0),
        s if s < 172_800.0 => format!("{:.0} h", s / 3600.0),
        s => format!("{:.0} d", s / 86_400.0),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn reports_seldom_however_long_a_scan_lasts() {
        let mut gate = Gate::default();

        let reports =
            (1..=65_536u64).filter(|n| gate.opens((*n as f64).min(10.0), 10.0, *n)).count();

        assert!((9..=25).contains(&reports), "{reports}");
    }

    #[test]
    fn keeps_quiet_about_little() {
        let mut gate = Gate::default();

        assert!(!gate.opens(1.9, 10.0, 100));
        assert!(gate.opens(2.1, 10.0, 100));
        assert!(!gate.opens(2.9, 10.0, 150));
        assert!(gate.opens(3.2, 10.0, 150));
        assert!(!gate.opens(2.0, 10.0, 1000));
    }

    #[test]
    fn speaks_of_time_as_people_do() {
        assert_eq!(spoken(Duration::from_micros(190)), "0.2 ms");
        assert_eq!(spoken(Duration::from_millis(2200)), "2.2 s");
        assert_eq!(spoken(Duration::from_secs(6240)), "104 min");
        assert_eq!(spoken(Duration::from_secs(3 * 86_400)), "3 d");
    }
}

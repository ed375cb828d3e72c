//! Every host with evidence, within a budget in bytes.

use std::collections::BTreeMap;
use std::mem::size_of;
use std::net::IpAddr;

use crate::detect::Evidence;
use crate::event::Conversation;
use crate::time::Timestamp;

use super::{HostScore, ScoreConfig, Verdict, log_odds, posterior, weigh};

/// Evidence kept a host. Caps make more of it worthless long before.
const EVIDENCE_PER_HOST: usize = 32;
/// Bounds of what the contract of [`Evidence`] promises, enforced so that no string from the wire
/// can break the budget.
const PEERS: usize = 16;
const CONNS: usize = 8;
const SUBJECT_BYTES: usize = 128;
const SUMMARY_BYTES: usize = 512;
/// A host's share of the tree and of its own record.
const HOST_BYTES: usize = size_of::<HostScore>() + 2 * size_of::<IpAddr>();

/// What a piece of evidence did to its host.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Change {
    /// The host.
    pub host: IpAddr,
    /// The verdict of its peak before.
    pub before: Verdict,
    /// The verdict of its peak after.
    pub verdict: Verdict,
    /// Its posterior after, 0 to 100.
    pub score: f64,
}

/// The scores of all hosts.
///
/// Holds at most 32 pieces of evidence a host: the weakest of the same family goes first. Holds at
/// most `budget` bytes in all: when it is full, an eighth is cleared, lowest current score first,
/// then oldest evidence, then lowest address; the host that is just being added to stays.
#[derive(Debug)]
pub struct ScoreBoard {
    config: ScoreConfig,
    hosts: BTreeMap<IpAddr, HostScore>,
    now: Timestamp,
    bytes: usize,
    evicted_hosts: u64,
    evicted_evidence: u64,
}

impl ScoreBoard {
    /// An empty board.
    pub fn new(config: &ScoreConfig) -> Self {
        Self {
            config: config.clone(),
            hosts: BTreeMap::new(),
            now: Timestamp::from_nanos(i64::MIN),
            bytes: 0,
            evicted_hosts: 0,
            evicted_evidence: 0,
        }
    }

    /// Takes other numbers; hosts keep their evidence and their peaks.
    pub fn reload(&mut self, config: &ScoreConfig) {
        self.config = config.clone();
    }

    /// Tells the board that it is `now`, so that evidence ages; time never runs back.
    pub fn advance(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
    }

    /// Adds evidence in place of earlier evidence of the same host, detector and subject.
    ///
    /// Evidence without weight (`llr` zero, negative or no number) takes the earlier away; `None`
    /// if there was none.
    pub fn add(&mut self, evidence: Evidence) -> Option<Change> {
        let evidence = within_bounds(evidence);
        self.advance(evidence.ts);
        let address = evidence.host;
        let worthless = !(evidence.llr.is_finite() && evidence.llr > 0.0);
        if worthless {
            let known = self.hosts.get(&address)?;
            known.evidence.iter().find(|held| same_identity(held, &evidence))?;
        }
        let at = evidence.ts;
        let host = self.hosts.entry(address).or_insert_with(|| {
            self.bytes += HOST_BYTES;
            HostScore {
                host: address,
                score: 0.0,
                peak: 0.0,
                verdict: Verdict::Benign,
                first_evidence: at,
                last_evidence: at,
                evidence: Vec::new(),
            }
        });
        let before = host.verdict;
        let bytes_before: usize = host.evidence.iter().map(cost).sum();
        host.evidence.retain(|held| !same_identity(held, &evidence));
        if !worthless {
            host.last_evidence = host.last_evidence.max(at);
            insert_ordered(&mut host.evidence, evidence);
            if host.evidence.len() > EVIDENCE_PER_HOST {
                drop_weakest(&mut host.evidence, &self.config, self.now);
                self.evicted_evidence += 1;
            }
        }
        host.score = posterior(log_odds(&host.evidence, &self.config, self.now));
        host.peak = host.peak.max(host.score);
        host.verdict = Verdict::of(host.peak);
        let change = Change { host: address, before, verdict: host.verdict, score: host.score };
        let bytes_after: usize = host.evidence.iter().map(cost).sum();
        self.bytes = (self.bytes + bytes_after).saturating_sub(bytes_before);
        if self.bytes > self.config.budget.0 {
            self.evict(address);
        }
        Some(change)
    }

    /// The host as of its last evidence.
    pub fn get(&self, host: IpAddr) -> Option<&HostScore> {
        self.hosts.get(&host)
    }

    /// All hosts as of now, highest peak first, ties by address.
    pub fn hosts(&self) -> Vec<HostScore> {
        let mut hosts: Vec<_> = self.hosts.values().cloned().collect();
        for host in &mut hosts {
            host.score = posterior(log_odds(&host.evidence, &self.config, self.now));
        }
        hosts.sort_by(|a, b| b.peak.total_cmp(&a.peak).then(a.host.cmp(&b.host)));
        hosts
    }

    /// The numbers that it works by.
    pub const fn config(&self) -> &ScoreConfig {
        &self.config
    }

    /// The latest packet time it heard of; the lowest there is before any.
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// Hosts held.
    pub fn len(&self) -> usize {
        self.hosts.len()
    }

    /// Whether it holds no host.
    pub fn is_empty(&self) -> bool {
        self.hosts.is_empty()
    }

    /// Bytes held, for the budget's metric.
    pub const fn state_bytes(&self) -> usize {
        self.bytes
    }

    /// Hosts that had to go for want of memory.
    pub const fn evicted_hosts(&self) -> u64 {
        self.evicted_hosts
    }

    /// Pieces of evidence that had to go because their host had stronger ones.
    pub const fn evicted_evidence(&self) -> u64 {
        self.evicted_evidence
    }

    fn evict(&mut self, keep: IpAddr) {
        let mut weakest: Vec<_> = self
            .hosts
            .values()
            .filter(|host| host.host != keep)
            .map(|host| {
                let score = posterior(log_odds(&host.evidence, &self.config, self.now));
                (score, host.last_evidence, host.host)
            })
            .collect();
        weakest.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)).then(a.2.cmp(&b.2)));
        // An eighth at once, so that a flood of forged hosts does not sort the board for each.
        let target = self.config.budget.0 - self.config.budget.0 / 8;
        for (_, _, address) in weakest {
            if self.bytes <= target {
                break;
            }
            if let Some(gone) = self.hosts.remove(&address) {
                let freed = HOST_BYTES + gone.evidence.iter().map(cost).sum::<usize>();
                self.bytes = self.bytes.saturating_sub(freed);
                self.evicted_hosts += 1;
            }
        }
    }
}

fn same_identity(a: &Evidence, b: &Evidence) -> bool {
    a.detector == b.detector && a.subject == b.subject
}

/// Keeps `held` strongest first, ties by identity, so that sums do not depend on arrival.
fn insert_ordered(held: &mut Vec<Evidence>, new: Evidence) {
    let place = held.partition_point(|other| {
        let order = other.llr.total_cmp(&new.llr).reverse();
        order.then(other.detector.cmp(new.detector)).then(other.subject.cmp(&new.subject)).is_lt()
    });
    held.insert(place, new);
}

/// Drops the weakest of the family that has the most evidence: families are what convicts, so none
/// may push another out.
fn drop_weakest(held: &mut Vec<Evidence>, config: &ScoreConfig, now: Timestamp) {
    let count = |family| held.iter().filter(|e| e.family == family).count();
    let Some(crowded) = held.iter().map(|e| e.family).max_by_key(|f| (count(*f), *f)) else {
        return;
    };
    let weakest = held
        .iter()
        .enumerate()
        .filter(|(_, e)| e.family == crowded)
        .min_by(|a, b| weigh(a.1, config, now).nats.total_cmp(&weigh(b.1, config, now).nats));
    if let Some((index, _)) = weakest {
        held.remove(index);
    }
}

fn within_bounds(mut evidence: Evidence) -> Evidence {
    cut(&mut evidence.subject, SUBJECT_BYTES);
    cut(&mut evidence.summary, SUMMARY_BYTES);
    evidence.peers.truncate(PEERS);
    evidence.peers.shrink_to_fit();
    evidence.conns.truncate(CONNS);
    evidence.conns.shrink_to_fit();
    evidence
}

fn cut(text: &mut String, bytes: usize) {
    text.truncate(text.floor_char_boundary(bytes));
    text.shrink_to_fit();
}

fn cost(evidence: &Evidence) -> usize {
    size_of::<Evidence>()
        + evidence.subject.capacity()
        + evidence.summary.capacity()
        + evidence.peers.capacity() * size_of::<IpAddr>()
        + evidence.conns.capacity() * size_of::<Conversation>()
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::super::testing::{about, evidence, ip, on};
    use super::*;
    use crate::config::units::ByteSize;
    use crate::detect::Family;

    fn board() -> ScoreBoard {
        ScoreBoard::new(&ScoreConfig::default())
    }

    fn scan(llr: f64, secs: i64) -> Evidence {
        evidence("scan.horizontal", Family::Failure, llr, secs)
    }

    #[test]
    fn later_evidence_of_the_same_subject_replaces_the_earlier() {
        let mut board = board();

        board.add(scan(3.0, 0));
        let change = board.add(scan(7.0, 1)).unwrap();

        assert_eq!(board.get(ip("10.0.0.5")).unwrap().evidence.len(), 1);
        assert_eq!(change.score, 73.1);
        assert_eq!((change.before, change.verdict), (Verdict::Benign, Verdict::Suspicious));
    }

    #[test]
    fn evidence_of_other_subjects_adds_up_to_the_cap() {
        let mut board = board();

        board.add(on("tcp/445", scan(6.0, 0)));
        let change = board.add(on("tcp/22", scan(6.0, 0))).unwrap();

        assert_eq!(change.score, 98.2);
    }

    #[test]
    fn evidence_taken_back_leaves_the_peak_and_its_verdict() {
        let mut board = board();
        board.add(scan(10.0, 0));

        let change = board.add(scan(0.0, 1)).unwrap();

        assert_eq!(change.score, 0.2);
        let host = board.get(ip("10.0.0.5")).unwrap();
        assert_eq!((host.peak, host.verdict), (98.2, Verdict::Malicious));
        assert!(host.evidence.is_empty());
    }

    #[test]
    fn worthless_evidence_about_nobody_is_nothing() {
        let mut board = board();

        for llr in [0.0, -3.0, f64::NAN, f64::INFINITY] {
            assert_eq!(board.add(scan(llr, 0)), None);
        }
        assert!(board.is_empty());
    }

    #[test]
    fn scores_fade_and_peaks_stay() {
        let mut board = board();
        board.add(scan(10.0, 0));

        board.advance(Timestamp::from_secs(14 * 24 * 3600));

        let [host] = board.hosts().try_into().unwrap();
        assert_eq!((host.score, host.peak), (2.9, 98.2));
    }

    #[test]
    fn the_highest_peak_comes_first_and_ties_go_by_address() {
        let mut board = board();
        for (host, llr) in [("10.0.0.9", 4.0), ("10.0.0.2", 9.0), ("10.0.0.10", 9.0)] {
            board.add(about(host, scan(llr, 0)));
        }

        let order: Vec<_> = board.hosts().iter().map(|h| h.host.to_string()).collect();

        assert_eq!(order, ["10.0.0.2", "10.0.0.10", "10.0.0.9"]);
    }

    #[test]
    fn the_weakest_of_the_crowded_family_goes_first() {
        let mut board = board();
        board.add(evidence("lateral.wmi", Family::Lateral, 0.1, 0));
        for subject in 0..40 {
            board.add(on(&format!("tcp/{subject}"), scan(1.0 + f64::from(subject), 0)));
        }

        let host = board.get(ip("10.0.0.5")).unwrap();

        assert_eq!(host.evidence.len(), 32);
        assert_eq!(board.evicted_evidence(), 9);
        assert!(host.evidence.iter().any(|e| e.family == Family::Lateral));
        let weakest_scan =
            host.evidence.iter().filter(|e| e.family == Family::Failure).map(|e| e.llr);
        assert_eq!(weakest_scan.fold(f64::MAX, f64::min), 10.0);
    }

    #[test]
    fn a_flood_of_hosts_stays_in_the_budget_and_keeps_the_worst() {
        let config = ScoreConfig { budget: ByteSize(100_000), ..ScoreConfig::default() };
        let mut board = ScoreBoard::new(&config);
        board.add(about("10.9.9.9", scan(10.0, 0)));

        for n in 0..2000_u32 {
            let host = Ipv4Addr::from_bits(0xc000_0000 + n).to_string();
            board.add(about(&host, scan(2.0, i64::from(n))));
            assert!(board.state_bytes() <= 100_000);
        }

        assert!(board.get(ip("10.9.9.9")).is_some());
        assert!(board.get(ip("192.0.7.207")).is_some());
        assert!(board.get(ip("192.0.0.0")).is_none());
        assert_eq!(board.evicted_hosts() + board.len() as u64, 2001);
    }

    #[test]
    fn an_empty_board_accounts_for_nothing() {
        let config = ScoreConfig { budget: ByteSize(0), ..ScoreConfig::default() };
        let mut board = ScoreBoard::new(&config);

        board.add(about("10.0.0.1", scan(1.0, 0)));
        board.add(about("10.0.0.2", scan(1.0, 0)));

        assert_eq!(board.len(), 1);
        let only = board.get(ip("10.0.0.2")).unwrap();
        assert_eq!(board.state_bytes(), HOST_BYTES + cost(&only.evidence[0]));
    }

    #[test]
    fn long_strings_and_samples_are_cut() {
        let mut board = board();
        let mut long = scan(1.0, 0);
        long.summary = "é".repeat(4000);
        long.subject = "x".repeat(4000);
        long.peers = vec![ip("10.0.0.1"); 400];

        board.add(long.clone());
        board.add(long);

        let host = board.get(ip("10.0.0.5")).unwrap();
        assert_eq!(host.evidence.len(), 1);
        let kept = &host.evidence[0];
        assert_eq!((kept.summary.len(), kept.subject.len(), kept.peers.len()), (512, 128, 16));
    }

    #[test]
    fn the_order_of_arrival_does_not_matter() {
        let parts =
            [on("a", scan(1.1, 0)), on("b", scan(0.7, 0)), on("c", scan(0.7, 0)), scan(2.3, 0)];
        let (mut forward, mut backward) = (board(), board());

        for part in &parts {
            forward.add(part.clone());
        }
        for part in parts.iter().rev() {
            backward.add(part.clone());
        }

        let order = |b: &ScoreBoard| format!("{:?}", b.get(ip("10.0.0.5")).unwrap().evidence);
        assert_eq!(order(&forward), order(&backward));
    }
}

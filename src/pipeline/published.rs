//! What the detection thread lets the rest of the process see: the host board, incidents,
//! counters, recent alerts, and a heartbeat.
//!
//! Detection writes about once a second and on alerts; HTTP reads whenever it is asked. Neither
//! waits for the other for longer than a copy takes, and nothing here flows back into detection.

mod incidents;

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use dashmap::DashMap;
use serde::Serialize;

use crate::detect::{Evidence, Family};
use crate::incident::{AlertKind, Severity, Status};
use crate::net::Service;
use crate::score::{Explanation, HostScore, Verdict};
use crate::time::Timestamp;

pub use incidents::{IncidentBoard, IncidentFigures, IncidentPage, IncidentView, SERVICE_LIMIT};

/// Hosts on the board; beyond, the lowest score goes first. A host takes about 3 KiB with typical
/// evidence, so a full board some 12 MiB; 32 pieces with the longest sentences allowed are 50 KiB.
pub const HOST_LIMIT: usize = 4096;

/// Pieces of evidence published for each host, strongest first.
pub const EVIDENCE_LIMIT: usize = 16;

/// Alert lines kept for `/api/alerts`; beyond, the oldest goes first.
pub const ALERT_LIMIT: usize = 1000;

/// A host with evidence, as HTTP shows it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HostView {
    /// The host.
    pub host: IpAddr,
    /// The posterior now, 0 to 100.
    pub score: f64,
    /// The highest posterior it ever reached, 0 to 100.
    pub peak: f64,
    /// The verdict that the peak deserves.
    pub verdict: Verdict,
    /// Whether it belongs to the home networks.
    pub internal: bool,
    /// When the first evidence came.
    pub first_evidence: Timestamp,
    /// When the last evidence came.
    pub last_evidence: Timestamp,
    /// Roles learned from its behaviour, sorted.
    pub roles: Vec<&'static str>,
    /// Detectors that spoke, sorted.
    pub detectors: Vec<&'static str>,
    /// ATT&CK technique ids, sorted.
    pub techniques: Vec<&'static str>,
    /// How much evidence is held in all.
    pub evidence_total: usize,
    /// The strongest evidence, at most [`EVIDENCE_LIMIT`].
    pub evidence: Vec<EvidenceView>,
    /// The score taken apart, which has a page of its own.
    #[serde(skip)]
    pub explanation: Arc<Explanation>,
}

impl HostView {
    /// The view of `scored`, taken apart in `explanation`, with what the inventory knows of the host.
    pub fn new(
        scored: &HostScore,
        explanation: Explanation,
        internal: bool,
        roles: Vec<&'static str>,
    ) -> Self {
        let mut detectors: Vec<_> = scored.evidence.iter().map(|held| held.detector).collect();
        let mut techniques: Vec<_> =
            scored.evidence.iter().flat_map(|held| held.techniques.iter().copied()).collect();
        for words in [&mut detectors, &mut techniques] {
            words.sort_unstable();
            words.dedup();
        }
        Self {
            host: scored.host,
            score: scored.score,
            peak: scored.peak,
            verdict: scored.verdict,
            internal,
            first_evidence: scored.first_evidence,
            last_evidence: scored.last_evidence,
            roles,
            detectors,
            techniques,
            evidence_total: scored.evidence.len(),
            evidence: scored.evidence.iter().take(EVIDENCE_LIMIT).map(EvidenceView::from).collect(),
            explanation: Arc::new(explanation),
        }
    }
}

/// One piece of evidence, as HTTP shows it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EvidenceView {
    /// When it held.
    pub ts: Timestamp,
    /// The detector's id.
    pub detector: &'static str,
    /// What it is independent of.
    pub family: Family,
    /// Log-likelihood ratio in nats.
    pub llr: f64,
    /// What tells it from others of the same detector.
    pub subject: String,
    /// A sample of the other ends.
    pub peers: Vec<IpAddr>,
    /// Other ends in all.
    pub peers_total: u64,
    /// The service, where it is one.
    pub service: Option<Service>,
    /// ATT&CK technique ids.
    pub techniques: &'static [&'static str],
    /// Whether a blind spoofer could have planted it.
    pub forgeable: bool,
    /// One sentence for a person.
    pub summary: String,
}

impl From<&Evidence> for EvidenceView {
    fn from(held: &Evidence) -> Self {
        Self {
            ts: held.ts,
            detector: held.detector,
            family: held.family,
            llr: held.llr,
            subject: held.subject.clone(),
            peers: held.peers.clone(),
            peers_total: held.peers_total,
            service: held.service,
            techniques: held.techniques,
            forgeable: held.forgeable,
            summary: held.summary.clone(),
        }
    }
}

/// What one interface delivered and lost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InterfaceStats {
    /// Its name.
    pub name: String,
    /// Frames delivered.
    pub packets: u64,
    /// Captured bytes delivered.
    pub bytes: u64,
    /// Frames the kernel dropped for want of buffer; `None` where nobody says.
    pub kernel_drops: Option<u64>,
    /// Frames the interface dropped; `None` where nobody says.
    pub interface_drops: Option<u64>,
}

/// How full one bounded table is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TableStats {
    /// Its name, as in `docs/architecture.md`.
    pub name: &'static str,
    /// Entries held.
    pub entries: u64,
    /// Bytes held.
    pub bytes: u64,
    /// Bytes it may hold.
    pub budget: u64,
    /// Entries that went early, for want of room.
    pub evictions: u64,
}

/// How full one queue between threads is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueueStats {
    /// Its name.
    pub name: &'static str,
    /// Items waiting.
    pub depth: u64,
    /// Items it takes.
    pub capacity: u64,
}

/// Counters of the whole pipeline, each since the start of the process.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stats {
    /// Frames read.
    pub packets: u64,
    /// Captured bytes read.
    pub bytes: u64,
    /// Frames recognised as copies of another and not counted again.
    pub duplicates: u64,
    /// Frames whose time ran back and was clamped.
    pub time_went_back: u64,
    /// Frames that could not be used, by reason.
    pub skipped: BTreeMap<&'static str, u64>,
    /// Connections tracked now.
    pub connections_open: u64,
    /// Connections seen.
    pub connections_total: u64,
    /// Events, by kind.
    pub events: BTreeMap<&'static str, u64>,
    /// Reports of evidence, by detector.
    pub evidence: BTreeMap<&'static str, u64>,
    /// Evidence that the allowlist hid, by the name of the entry.
    pub allowlisted: BTreeMap<String, u64>,
    /// Hosts in the inventory.
    pub hosts_known: u64,
    /// Every interface, in the order of the configuration.
    pub interfaces: Vec<InterfaceStats>,
    /// Every bounded table.
    pub tables: Vec<TableStats>,
    /// Every queue between threads.
    pub queues: Vec<QueueStats>,
    /// Time of the latest packet.
    pub last_packet: Option<Timestamp>,
    /// Wall time less packet time when the latest packet was taken up; `None` before one was.
    pub capture_lag: Option<Duration>,
    /// Whether only one direction of the traffic is visible.
    pub one_way: bool,
}

/// The one thing that detection writes and everybody may read.
#[derive(Debug)]
pub struct Published {
    hosts: DashMap<IpAddr, HostView>,
    host_limit: usize,
    stats: RwLock<Arc<Stats>>,
    incidents: RwLock<Arc<IncidentBoard>>,
    alerts: Mutex<AlertRing>,
    beats: AtomicU64,
    capturing: AtomicBool,
}

#[derive(Debug, Default)]
struct AlertRing {
    lines: VecDeque<Arc<str>>,
    opened: BTreeMap<(AlertKind, Severity), u64>,
    changes: BTreeMap<Status, u64>,
}

impl Default for Published {
    fn default() -> Self {
        Self::with_host_limit(HOST_LIMIT)
    }
}

impl Published {
    /// An empty board that holds at most `host_limit` hosts.
    pub fn with_host_limit(host_limit: usize) -> Self {
        Self {
            hosts: DashMap::new(),
            host_limit: host_limit.max(1),
            stats: RwLock::default(),
            incidents: RwLock::default(),
            alerts: Mutex::default(),
            beats: AtomicU64::new(0),
            capturing: AtomicBool::new(false),
        }
    }

    /// Puts these hosts on the board, in place of what it said of them before.
    pub fn update_hosts(&self, views: impl IntoIterator<Item = HostView>) {
        for view in views {
            self.hosts.insert(view.host, view);
        }
        self.shed_hosts();
    }

    /// Takes a host off the board, once nothing is held against it.
    pub fn remove_host(&self, host: IpAddr) {
        self.hosts.remove(&host);
    }

    /// Makes room: lowest score first, then the one whose evidence is oldest. A sixteenth goes at
    /// once, so that a full board is not sorted for every newcomer.
    fn shed_hosts(&self) {
        if self.hosts.len() <= self.host_limit {
            return;
        }
        let mut ranked: Vec<_> =
            self.hosts.iter().map(|view| (view.score, view.last_evidence, view.host)).collect();
        ranked.sort_unstable_by(|a, b| {
            a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)).then_with(|| a.2.cmp(&b.2))
        });
        let keep = self.host_limit - self.host_limit / 16;
        for (_, _, host) in ranked.iter().take(ranked.len().saturating_sub(keep)) {
            self.hosts.remove(host);
        }
    }

    /// One host, if it is on the board.
    pub fn host(&self, host: IpAddr) -> Option<HostView> {
        self.hosts.get(&host).map(|view| view.value().clone())
    }

    /// The score of one host taken apart, if it is on the board.
    pub fn explanation(&self, host: IpAddr) -> Option<Arc<Explanation>> {
        self.hosts.get(&host).map(|view| Arc::clone(&view.explanation))
    }

    /// The `limit` worst hosts that `wanted` accepts, highest score first, ties by address, and how
    /// many it accepts in all.
    pub fn worst_hosts(
        &self,
        limit: usize,
        wanted: impl Fn(&HostView) -> bool,
    ) -> (Vec<HostView>, usize) {
        let mut ranked: Vec<_> = self
            .hosts
            .iter()
            .filter(|view| wanted(view.value()))
            .map(|view| (view.score, view.host))
            .collect();
        ranked.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        let total = ranked.len();
        let worst = ranked.iter().take(limit).filter_map(|(_, host)| self.host(*host)).collect();
        (worst, total)
    }

    /// Hosts on the board by verdict; every verdict is there, with 0 if need be.
    pub fn verdicts(&self) -> BTreeMap<Verdict, u64> {
        let mut counts: BTreeMap<_, _> =
            [Verdict::Benign, Verdict::Suspicious, Verdict::Malicious].map(|v| (v, 0)).into();
        for view in &self.hosts {
            *counts.entry(view.verdict).or_insert(0) += 1;
        }
        counts
    }

    /// Replaces the counters.
    pub fn update_stats(&self, stats: Stats) {
        *self.stats.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(stats);
    }

    /// The counters as last published.
    pub fn stats(&self) -> Arc<Stats> {
        Arc::clone(&self.stats.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Replaces what is known of incidents.
    pub fn update_incidents(&self, incidents: IncidentBoard) {
        *self.incidents.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(incidents);
    }

    /// What is known of incidents, as last published.
    pub fn incidents(&self) -> Arc<IncidentBoard> {
        Arc::clone(&self.incidents.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Notes an alert: `line` is its JSON object, without a line feed, as every sink gets it.
    pub fn record_alert(
        &self,
        kind: AlertKind,
        severity: Severity,
        status: Status,
        line: Arc<str>,
    ) {
        let mut ring = self.ring();
        *ring.changes.entry(status).or_insert(0) += 1;
        if status == Status::Open {
            *ring.opened.entry((kind, severity)).or_insert(0) += 1;
        }
        if ring.lines.len() >= ALERT_LIMIT {
            ring.lines.pop_front();
        }
        ring.lines.push_back(line);
    }

    /// The latest alert lines, newest first.
    pub fn recent_alerts(&self, limit: usize) -> Vec<Arc<str>> {
        self.ring().lines.iter().rev().take(limit).cloned().collect()
    }

    /// Alerts opened, by kind and severity.
    pub fn alerts_opened(&self) -> BTreeMap<(AlertKind, Severity), u64> {
        self.ring().opened.clone()
    }

    /// Alert lines, by what they say of their alert.
    pub fn alert_changes(&self) -> BTreeMap<Status, u64> {
        self.ring().changes.clone()
    }

    fn ring(&self) -> MutexGuard<'_, AlertRing> {
        self.alerts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says that the packet loop is alive. The loop calls it on every turn, idle ones included.
    pub fn beat(&self) {
        self.beats.fetch_add(1, Ordering::Relaxed);
    }

    /// How many turns the packet loop has made.
    pub fn beats(&self) -> u64 {
        self.beats.load(Ordering::Relaxed)
    }

    /// Says whether packets can come in at all.
    pub fn set_capturing(&self, open: bool) {
        self.capturing.store(open, Ordering::Release);
    }

    /// Whether packets can come in at all.
    pub fn is_capturing(&self) -> bool {
        self.capturing.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::score::ScoreConfig;

    fn view(last: u8, score: f64) -> HostView {
        let scored = HostScore {
            host: Ipv4Addr::new(192, 0, 2, last).into(),
            score,
            peak: score,
            verdict: if score >= 90.0 { Verdict::Malicious } else { Verdict::Benign },
            first_evidence: Timestamp::from_secs(1),
            last_evidence: Timestamp::from_secs(i64::from(last)),
            evidence: Vec::new(),
        };
        let explanation =
            Explanation::new(&scored, &ScoreConfig::default(), Timestamp::from_secs(1), &[]);
        HostView::new(&scored, explanation, true, vec!["workstation"])
    }

    fn addresses(views: &[HostView]) -> Vec<String> {
        views.iter().map(|view| view.host.to_string()).collect()
    }

    #[test]
    fn lists_the_worst_first_and_ties_by_address() {
        let board = Published::default();

        board.update_hosts([view(9, 50.0), view(3, 99.0), view(2, 50.0)]);
        let (worst, total) = board.worst_hosts(2, |_| true);

        assert_eq!(addresses(&worst), ["192.0.2.3", "192.0.2.2"]);
        assert_eq!(total, 3);
    }

    #[test]
    fn sheds_the_lowest_score_when_full() {
        let board = Published::with_host_limit(32);

        board.update_hosts((1..=33).map(|n| view(n, f64::from(n))));
        let (left, _) = board.worst_hosts(100, |_| true);

        assert_eq!(left.len(), 30);
        assert_eq!(left.last().map(|view| view.score), Some(4.0));
    }

    #[test]
    fn counts_every_verdict_even_where_there_is_none() {
        let board = Published::default();

        board.update_hosts([view(1, 95.0), view(2, 96.0)]);
        let counts = board.verdicts();

        assert_eq!(counts[&Verdict::Malicious], 2);
        assert_eq!(counts[&Verdict::Suspicious], 0);
    }

    #[test]
    fn keeps_the_latest_alerts_and_counts_openings_once() {
        let board = Published::default();

        for n in 0..ALERT_LIMIT + 5 {
            let status = if n == 0 { Status::Open } else { Status::Update };
            board.record_alert(AlertKind::Scan, Severity::High, status, n.to_string().into());
        }

        assert_eq!(board.recent_alerts(1)[0].as_ref(), (ALERT_LIMIT + 4).to_string());
        assert_eq!(board.recent_alerts(usize::MAX).len(), ALERT_LIMIT);
        assert_eq!(board.alerts_opened()[&(AlertKind::Scan, Severity::High)], 1);
    }
}

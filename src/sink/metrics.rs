//! `/metrics`: what the pipeline published, in Prometheus' text format.
//!
//! Every page is built from one snapshot in a registry of its own, so the packet path touches no
//! metric, and a label that is gone (an interface, a host that was among the worst) is gone from
//! the page too. Labels come from closed sets; the bounded exceptions are `wormwatch_host_score` and the
//! services of `wormwatch_infections`.

mod page;

use std::time::Duration;

use page::Page;

use super::alerts::AlertLogCounters;
use super::process::ProcessUse;
use crate::incident::{AlertKind, Severity, Status};
use crate::pipeline::published::{Published, Stats};
use crate::score::Verdict;

/// Hosts that have a score of their own among the metrics.
pub const WORST_HOSTS: usize = 20;

/// The content type of the page.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The page could not be built.
#[derive(Debug, thiserror::Error)]
#[error("cannot render the metrics")]
pub struct MetricsError(#[from] prometheus::Error);

/// What is known about this process at the moment of a scrape.
#[derive(Clone, Copy, Debug)]
pub struct ProcessView<'a> {
    /// Counters of the alert file, where there is one.
    pub alert_log: Option<&'a AlertLogCounters>,
    /// When the process started, in seconds since the epoch.
    pub started: f64,
    /// How long ago the packet loop last turned.
    pub heartbeat_age: Duration,
    /// Whether the configuration that was last asked for is the one in use.
    pub config_loaded: bool,
}

/// Renders the page.
pub fn render(published: &Published, process: &ProcessView<'_>) -> Result<String, MetricsError> {
    let page = Page::default();
    let stats = published.stats();
    add_capture(&page, published, &stats)?;
    add_work(&page, &stats)?;
    add_tables(&page, &stats)?;
    add_hosts(&page, published, &stats)?;
    add_incidents(&page, published)?;
    add_alerts(&page, published, process.alert_log)?;
    add_process(&page, process)?;
    page.finish()
}

fn add_capture(page: &Page, published: &Published, stats: &Stats) -> Result<(), MetricsError> {
    let by_interface = |count: fn(&crate::pipeline::published::InterfaceStats) -> u64| {
        stats.interfaces.iter().map(move |seen| ([seen.name.as_str()], count(seen)))
    };
    page.counters(
        "wormwatch_packets_total",
        "Frames that the capture delivered.",
        ["interface"],
        by_interface(|seen| seen.packets),
    )?;
    page.counters(
        "wormwatch_captured_bytes_total",
        "Bytes of frames that the capture delivered, as captured.",
        ["interface"],
        by_interface(|seen| seen.bytes),
    )?;
    let drops = stats.interfaces.iter().flat_map(|seen| {
        [("kernel", seen.kernel_drops), ("interface", seen.interface_drops)]
            .into_iter()
            .filter_map(|(by, count)| count.map(|count| ([seen.name.as_str(), by], count)))
    });
    page.counters(
        "wormwatch_capture_drops_total",
        "Frames lost before wormwatch saw them, by who dropped them; absent where nobody says.",
        ["interface", "by"],
        drops,
    )?;
    page.gauges(
        "wormwatch_capture_drops_known",
        "Whether the kernel says how many frames it dropped (1) or not (0).",
        ["interface"],
        stats
            .interfaces
            .iter()
            .map(|seen| ([seen.name.as_str()], truth(seen.kernel_drops.is_some()))),
    )?;
    page.gauge(
        "wormwatch_capture_open",
        "Whether packets can come in at all (1) or not (0).",
        truth(published.is_capturing()),
    )?;
    page.gauge(
        "wormwatch_capture_one_way",
        "Whether only one direction of the traffic is visible (1) or both (0).",
        truth(stats.one_way),
    )?;
    if let Some(lag) = stats.capture_lag {
        page.gauge(
            "wormwatch_capture_lag_seconds",
            "Wall time less packet time when the latest packet was taken up.",
            lag.as_secs_f64(),
        )?;
    }
    if let Some(last) = stats.last_packet {
        page.gauge(
            "wormwatch_last_packet_timestamp_seconds",
            "Time of the latest packet, in seconds since the epoch.",
            last.as_secs_f64(),
        )?;
    }
    Ok(())
}

fn add_work(page: &Page, stats: &Stats) -> Result<(), MetricsError> {
    page.counter(
        "wormwatch_duplicate_packets_total",
        "Frames recognised as copies of another (two mirror ports) and not counted again.",
        stats.duplicates,
    )?;
    page.counter(
        "wormwatch_reordered_packets_total",
        "Frames whose time ran back and was clamped.",
        stats.time_went_back,
    )?;
    page.counters(
        "wormwatch_skipped_packets_total",
        "Frames that could not be used, by reason.",
        ["reason"],
        stats.skipped.iter().map(|(reason, count)| ([*reason], *count)),
    )?;
    page.counter("wormwatch_connections_total", "Connections seen.", stats.connections_total)?;
    page.gauge(
        "wormwatch_open_connections",
        "Connections tracked now.",
        stats.connections_open as f64,
    )?;
    page.counters(
        "wormwatch_events_total",
        "Events that reached the detectors, by kind.",
        ["kind"],
        stats.events.iter().map(|(kind, count)| ([*kind], *count)),
    )?;
    page.counters(
        "wormwatch_evidence_total",
        "Reports of evidence, by detector.",
        ["detector"],
        stats.evidence.iter().map(|(detector, count)| ([*detector], *count)),
    )?;
    page.counters(
        "wormwatch_allowlisted_total",
        "Evidence that the allowlist hid, by the name of its entry.",
        ["entry"],
        stats.allowlisted.iter().map(|(entry, count)| ([entry.as_str()], *count)),
    )
}

fn add_tables(page: &Page, stats: &Stats) -> Result<(), MetricsError> {
    let tables = || stats.tables.iter();
    page.gauges(
        "wormwatch_table_entries",
        "Entries in a bounded table.",
        ["table"],
        tables().map(|table| ([table.name], table.entries as f64)),
    )?;
    page.gauges(
        "wormwatch_table_bytes",
        "Bytes in a bounded table.",
        ["table"],
        tables().map(|table| ([table.name], table.bytes as f64)),
    )?;
    page.gauges(
        "wormwatch_table_budget_bytes",
        "Bytes that a table may hold.",
        ["table"],
        tables().map(|table| ([table.name], table.budget as f64)),
    )?;
    page.counters(
        "wormwatch_table_evictions_total",
        "Entries that left a table early, for want of room.",
        ["table"],
        tables().map(|table| ([table.name], table.evictions)),
    )?;
    page.gauges(
        "wormwatch_queue_depth",
        "Items waiting in a queue between threads.",
        ["queue"],
        stats.queues.iter().map(|queue| ([queue.name], queue.depth as f64)),
    )?;
    page.gauges(
        "wormwatch_queue_capacity",
        "Items that a queue between threads takes.",
        ["queue"],
        stats.queues.iter().map(|queue| ([queue.name], queue.capacity as f64)),
    )
}

fn add_hosts(page: &Page, published: &Published, stats: &Stats) -> Result<(), MetricsError> {
    page.gauge("wormwatch_known_hosts", "Hosts in the inventory.", stats.hosts_known as f64)?;
    page.gauges(
        "wormwatch_hosts",
        "Hosts with evidence, by verdict.",
        ["verdict"],
        published
            .verdicts()
            .into_iter()
            .map(|(verdict, count)| ([verdict_name(verdict)], count as f64)),
    )?;
    let (worst, _) = published.worst_hosts(WORST_HOSTS, |_| true);
    page.gauges(
        "wormwatch_host_score",
        "Posterior of the few worst hosts, 0 to 100.",
        ["host"],
        worst.iter().map(|view| ([view.host.to_string()], view.score)),
    )
}

fn add_incidents(page: &Page, published: &Published) -> Result<(), MetricsError> {
    let board = published.incidents();
    let figures = board.figures();
    page.gauge("wormwatch_open_incidents", "Incidents that are open.", figures.open as f64)?;
    page.counters(
        "wormwatch_incident_alerts_total",
        "Alert records about incidents, by the status they report.",
        ["status"],
        STATUSES.map(|(status, name)| ([name], board.changes().get(&status).copied().unwrap_or(0))),
    )?;
    page.gauges(
        "wormwatch_infections",
        "Hosts that were likely infected in open incidents, by service.",
        ["service"],
        figures.infections.iter().map(|(service, count)| {
            let name = service.map_or_else(|| "other".to_owned(), |service| service.to_string());
            ([name], *count as f64)
        }),
    )?;
    page.gauge(
        "wormwatch_largest_incident_hosts",
        "Hosts in the open incident that has most; 0 if none is open.",
        figures.hosts as f64,
    )?;
    page.gauge(
        "wormwatch_largest_incident_generations",
        "Generations of the open incident that has most hosts; 0 if none is open.",
        f64::from(figures.generations),
    )?;
    page.gauge(
        "wormwatch_largest_incident_reproduction_number",
        "Hosts that each infected host infects in the open incident that has most; 0 if none is open.",
        figures.reproduction_number,
    )
}

fn add_alerts(
    page: &Page,
    published: &Published,
    log: Option<&AlertLogCounters>,
) -> Result<(), MetricsError> {
    // Every series is there from the start: a rate over a series that appears with its first
    // alert would miss just that alert.
    let opened = published.alerts_opened();
    page.counters(
        "wormwatch_alerts_total",
        "Alerts opened, by kind and severity.",
        ["kind", "severity"],
        KINDS.into_iter().flat_map(|(kind, name)| {
            let opened = &opened;
            SEVERITIES.into_iter().map(move |(severity, level)| {
                ([name, level], opened.get(&(kind, severity)).copied().unwrap_or(0))
            })
        }),
    )?;
    let changes = published.alert_changes();
    page.counters(
        "wormwatch_alert_changes_total",
        "Alert records written, by the status they report.",
        ["status"],
        STATUSES.map(|(status, name)| ([name], changes.get(&status).copied().unwrap_or(0))),
    )?;
    let Some(log) = log else { return Ok(()) };
    page.counter("wormwatch_alert_file_lines_total", "Lines in the alert file.", log.written())?;
    page.counter(
        "wormwatch_alert_file_errors_total",
        "Writes to the alert file that failed; they are tried again.",
        log.errors(),
    )?;
    page.counter(
        "wormwatch_alert_file_lost_total",
        "Alert lines that will never be in the file.",
        log.lost(),
    )?;
    page.gauge(
        "wormwatch_alert_file_pending",
        "Alert lines that wait for the disk.",
        log.pending() as f64,
    )
}

fn add_process(page: &Page, process: &ProcessView<'_>) -> Result<(), MetricsError> {
    page.gauges(
        "wormwatch_build_info",
        "Which wormwatch this is; always 1.",
        ["version"],
        [([env!("CARGO_PKG_VERSION")], 1.0)],
    )?;
    page.gauge(
        "wormwatch_packet_loop_heartbeat_age_seconds",
        "How long ago the packet loop last turned.",
        process.heartbeat_age.as_secs_f64(),
    )?;
    page.gauge(
        "wormwatch_config_last_reload_successful",
        "Whether the configuration last asked for is in use (1) or was refused (0).",
        truth(process.config_loaded),
    )?;
    page.gauge(
        "process_start_time_seconds",
        "Start of the process, in seconds since the epoch.",
        process.started,
    )?;
    let Some(used) = ProcessUse::read() else { return Ok(()) };
    page.float_counter(
        "process_cpu_seconds_total",
        "Processor time in user and kernel mode.",
        used.cpu_seconds,
    )?;
    page.gauge("process_resident_memory_bytes", "Memory in RAM.", used.resident_bytes as f64)?;
    page.gauge("process_virtual_memory_bytes", "Address space.", used.virtual_bytes as f64)?;
    page.gauge("process_threads", "Threads.", used.threads as f64)?;
    page.gauge("process_open_fds", "Open file descriptors.", used.open_fds as f64)?;
    if let Some(max) = used.max_fds {
        page.gauge("process_max_fds", "File descriptors that may be open.", max as f64)?;
    }
    Ok(())
}

const KINDS: [(AlertKind, &str); 8] = [
    (AlertKind::Scan, "scan"),
    (AlertKind::Bruteforce, "bruteforce"),
    (AlertKind::LateralMovement, "lateral-movement"),
    (AlertKind::Worm, "worm"),
    (AlertKind::AdaptiveWorm, "adaptive-worm"),
    (AlertKind::InferenceRelay, "inference-relay"),
    (AlertKind::Fingerprint, "fingerprint"),
    (AlertKind::Sensor, "sensor"),
];

const SEVERITIES: [(Severity, &str); 4] = [
    (Severity::Low, "low"),
    (Severity::Medium, "medium"),
    (Severity::High, "high"),
    (Severity::Critical, "critical"),
];

const STATUSES: [(Status, &str); 3] =
    [(Status::Open, "open"), (Status::Update, "update"), (Status::Closed, "closed")];

/// The name of a verdict, as JSON and metrics write it.
pub fn verdict_name(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Benign => "benign",
        Verdict::Suspicious => "suspicious",
        Verdict::Malicious => "malicious",
    }
}

fn truth(holds: bool) -> f64 {
    if holds { 1.0 } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::incident::{Infection, Trouble};
    use crate::net::Service;
    use crate::pipeline::published::{HostView, IncidentBoard, InterfaceStats, SERVICE_LIMIT};
    use crate::propagation::Account;
    use crate::score::{Explanation, HostScore, ScoreConfig};
    use crate::time::Timestamp;

    const PROCESS: ProcessView<'_> = ProcessView {
        alert_log: None,
        started: 1.0,
        heartbeat_age: Duration::ZERO,
        config_loaded: true,
    };

    #[test]
    fn says_nothing_of_drops_that_nobody_counts() {
        let board = Published::default();
        let quiet = InterfaceStats { name: "tap1".to_owned(), ..Default::default() };
        let told =
            InterfaceStats { name: "tap0".to_owned(), kernel_drops: Some(7), ..Default::default() };
        board.update_stats(Stats { interfaces: vec![told, quiet], ..Stats::default() });

        let page = render(&board, &PROCESS).unwrap();

        assert!(
            page.contains("wormwatch_capture_drops_total{by=\"kernel\",interface=\"tap0\"} 7\n")
        );
        assert!(!page.contains("by=\"interface\""));
        assert!(page.contains("wormwatch_capture_drops_known{interface=\"tap1\"} 0\n"));
    }

    #[test]
    fn shows_only_the_few_worst_hosts() {
        let board = Published::default();
        board.update_hosts((1..=30_u8).map(|n| {
            let scored = HostScore {
                host: [192, 0, 2, n].into(),
                score: f64::from(n),
                peak: f64::from(n),
                verdict: Verdict::Benign,
                first_evidence: Timestamp::EPOCH,
                last_evidence: Timestamp::EPOCH,
                evidence: Vec::new(),
            };
            let explanation =
                Explanation::new(&scored, &ScoreConfig::default(), Timestamp::from_secs(2), &[]);
            HostView::new(&scored, explanation, true, Vec::new())
        }));

        let page = render(&board, &PROCESS).unwrap();
        let series = page.lines().filter(|line| line.starts_with("wormwatch_host_score{"));

        assert_eq!(series.count(), WORST_HOSTS);
        assert!(page.contains("wormwatch_host_score{host=\"192.0.2.30\"} 30\n"));
        assert!(!page.contains("192.0.2.10\""));
    }

    #[test]
    fn counts_infections_by_the_services_with_most_and_adds_up_the_rest() {
        let infection = |n: u16, port: u16| Infection {
            from: [10, 0, 0, 1].into(),
            to: [10, 0, (n >> 8) as u8, n as u8].into(),
            at: Timestamp::from_secs(i64::from(n)),
            confidence: 0.9,
            generation: 1,
            service: Some(Service::tcp(port)),
            incident: "w".to_owned(),
            reasons: Vec::new(),
            runner_up: None,
        };
        let mut infections: Vec<_> = (2..50).map(|n| infection(n, 8000 + n)).collect();
        infections.extend((50..80).map(|n| infection(n, 22)));
        let unlikely = Infection { confidence: 0.3, ..infection(90, 22) };
        infections
            .extend([unlikely, Infection { incident: "closed".to_owned(), ..infection(91, 22) }]);
        let account = Account { infections, ..Account::default() };
        let alert = Trouble::OneWay.alert(None, Timestamp::EPOCH, "");
        let board = Published::default();
        let open = [("w", &alert)].into_iter();
        let changes = [(Status::Update, 7)].into();
        board.update_incidents(IncidentBoard::new(&Arc::new(account), open, &changes));

        let page = render(&board, &PROCESS).unwrap();
        let series = page.lines().filter(|line| line.starts_with("wormwatch_infections{"));

        assert_eq!(series.count(), SERVICE_LIMIT + 1);
        assert!(page.contains("wormwatch_infections{service=\"tcp/22\"} 30\n"));
        assert!(page.contains("wormwatch_infections{service=\"other\"} 41\n"));
        assert!(page.contains("wormwatch_open_incidents 1\n"));
        assert!(page.contains("wormwatch_incident_alerts_total{status=\"update\"} 7\n"));
    }

    #[test]
    fn has_every_incident_series_while_there_is_none() {
        let page = render(&Published::default(), &PROCESS).unwrap();

        assert!(page.contains("wormwatch_open_incidents 0\n"));
        assert!(page.contains("wormwatch_infections{service=\"other\"} 0\n"));
        assert!(page.contains("wormwatch_incident_alerts_total{status=\"open\"} 0\n"));
        assert!(page.contains("wormwatch_largest_incident_hosts 0\n"));
    }

    #[test]
    fn has_every_alert_series_before_the_first_alert() {
        let page = render(&Published::default(), &PROCESS).unwrap();

        let zeros = page
            .lines()
            .filter(|line| line.starts_with("wormwatch_alerts_total{") && line.ends_with(" 0"));
        assert_eq!(zeros.count(), KINDS.len() * SEVERITIES.len());
    }
}

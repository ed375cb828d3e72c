//! The wire through the pipeline, for the daemon.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crossbeam_channel::TryRecvError;

use crate::config::Config;
use crate::daemon::{AlertSettings, Command, Engine, EngineError, Settings, Wiring};
use crate::decode::Skip;
use crate::incident::{Alert, SensorWatch, Signs};
use crate::inventory::Role;
use crate::pipeline::published::{
    HostView, IncidentBoard, InterfaceStats, Published, Stats, TableStats,
};
use crate::pipeline::{self, Analysis, Observer, Options, Turn, View};
use crate::propagation::{Account, Propagation};
use crate::score::HostScore;
use crate::sink::alerts::AlertSink;
use crate::source::live::LiveSource;
use crate::time::Timestamp;

/// Packet time after which every host is published again, because scores fade with time.
const REPUBLISH: Duration = Duration::from_secs(60);

/// The engine behind the daemon.
#[derive(Clone, Copy, Debug)]
pub struct LiveEngine;

impl Engine for LiveEngine {
    type Config = Config;
    type Capture = LiveSource;

    fn load(path: &Path) -> Result<Config, EngineError> {
        Ok(Config::load(path)?)
    }

    fn settings(config: &Config) -> Settings {
        Settings {
            web: config.web.clone(),
            log: config.log.clone(),
            alerts: AlertSettings { file: config.alerts.file.clone() },
        }
    }

    fn needs_restart(running: &Config, asked: &Config) -> Vec<String> {
        let changes = running.changes(asked);
        changes.into_iter().filter(|setting| !Config::is_live(setting)).collect()
    }

    fn open(config: &Config) -> Result<LiveSource, EngineError> {
        Ok(LiveSource::open(&config.capture)?)
    }

    fn run(
        config: Config,
        mut source: LiveSource,
        wiring: Wiring<Config>,
    ) -> Result<(), EngineError> {
        let Wiring { published, commands, alerts } = wiring;
        let stop = source.stop_handle();
        let mut observer = Publisher::new(published, alerts, &config);
        let mut commands = || match commands.try_recv() {
            Ok(Command::Reload(config)) => Some(pipeline::Command::Reload(config)),
            // Without a daemon there is nobody to go on for.
            Ok(Command::Stop) | Err(TryRecvError::Disconnected) => {
                stop.stop();
                None
            }
            Err(TryRecvError::Empty) => None,
        };
        let options = Options { threads: config.sensor.threads, prompt: true };
        pipeline::run(&config, &mut source, options, &mut observer, &mut commands);
        Ok(())
    }
}

/// What the tables may take whose budget is fixed, by name, in bytes.
struct Budgets(BTreeMap<&'static str, usize>);

impl Budgets {
    fn of(config: &Config) -> Self {
        Self(BTreeMap::from([
            ("connections", config.flow.budget.0),
            ("fragments", config.decode.budget.0),
            ("hosts", config.inventory.budget.0),
            ("rules", config.rules.budget.0),
            ("propagation", config.detect.turn.budget.0),
            ("traffic", config.inventory.traffic.0),
        ]))
    }
}

/// Publishes what the detection thread knows.
struct Publisher {
    published: Arc<Published>,
    alerts: Box<dyn AlertSink>,
    budgets: Budgets,
    sensor: SensorWatch,
    /// When all hosts were published last.
    full: Option<Timestamp>,
    /// Who infected whom, and how many alerts about incidents there were, as published last.
    incidents: (Arc<Account>, u64),
    /// Packets at the last look, and how late the latest of them was then.
    lag: (u64, Option<Duration>),
}

impl Observer for Publisher {
    fn on_alert(&mut self, alert: &Alert) {
        match serde_json::to_string(alert) {
            Ok(line) => {
                let line: Arc<str> = line.into();
                self.alerts.deliver(alert, &line);
                self.published.record_alert(alert.kind, alert.severity, alert.status, line);
            }
            Err(error) => tracing::error!(%error, id = alert.id, "cannot render an alert"),
        }
    }

    fn on_tick(&mut self, now: Timestamp, view: View<'_>) {
        let analysis = view.analysis;
        if self.full.is_none_or(|full| now.since(full) >= REPUBLISH) {
            self.full = Some(now);
            let hosts = analysis.scores().hosts();
            self.published.update_hosts(hosts.iter().map(|host| view_of(analysis, host)));
        } else {
            let touched = view.touched.iter().filter_map(|host| analysis.scores().get(*host));
            self.published.update_hosts(touched.map(|host| view_of(analysis, host)));
        }
        if let (Some(at), true) = (view.intake.last_packet, view.intake.packets > self.lag.0) {
            self.lag = (view.intake.packets, Some(wall_time().since(at)));
        }
        self.show_incidents(analysis);
        let stats = self.stats(&view);
        self.look_at_sensor(now, analysis, &stats);
        self.published.update_stats(stats);
    }

    fn turns(&self) -> Option<Turn> {
        let published = Arc::clone(&self.published);
        Some(Arc::new(move || published.beat()))
    }
}

fn view_of(analysis: &Analysis, host: &HostScore) -> HostView {
    let inventory = analysis.inventory();
    let roles = inventory.roles(host.host).into_iter().map(Role::as_str).collect();
    let explanation = analysis.explain(host);
    HostView::new(host, explanation, inventory.is_internal(host.host), roles)
}

impl Publisher {
    fn new(published: Arc<Published>, alerts: Box<dyn AlertSink>, config: &Config) -> Self {
        Self {
            published,
            alerts,
            budgets: Budgets::of(config),
            sensor: SensorWatch::default(),
            full: None,
            incidents: (Arc::default(), 0),
            lag: (0, None),
        }
    }

    /// Publishes who infected whom, if that changed.
    fn show_incidents(&mut self, analysis: &Analysis) {
        let (account, book) = (analysis.account(), analysis.incidents());
        let told = book.changes().values().sum();
        let is_known = Arc::ptr_eq(&self.incidents.0, account) && self.incidents.1 == told;
        if !is_known {
            self.incidents = (Arc::clone(account), told);
            let board = IncidentBoard::new(account, book.open_alerts(), book.changes());
            self.published.update_incidents(board);
        }
    }

    /// Alerts when the sensor itself begins to miss something.
    fn look_at_sensor(&mut self, now: Timestamp, analysis: &Analysis, stats: &Stats) {
        // To forget old business with the Internet is what that table is for.
        let tables = stats.tables.iter().filter(|table| table.name != "traffic");
        let drops = stats.interfaces.iter().map(|seen| (seen.name.clone(), seen.kernel_drops));
        let signs = Signs {
            one_way: analysis.inventory().visibility().warning(),
            drops: drops.filter_map(|(name, drops)| Some((name, drops?))).collect(),
            evictions: tables.map(|table| (table.name, table.evictions)).collect(),
        };
        let mut changed = Vec::new();
        self.sensor.look(now, analysis.alerts().sensor(), &signs, &mut changed);
        for alert in &changed {
            self.on_alert(alert);
        }
    }

    fn stats(&self, view: &View<'_>) -> Stats {
        let View { analysis, intake, flow, .. } = view;
        let inventory = analysis.inventory();
        let skipped = |skip: &Skip| (skip.as_str(), intake.skipped_for(*skip));
        Stats {
            packets: intake.packets,
            bytes: intake.bytes,
            duplicates: intake.duplicates,
            time_went_back: intake.inputs.iter().map(|input| input.time_went_back).sum(),
            skipped: Skip::ALL.iter().map(skipped).collect(),
            connections_open: flow.open,
            connections_total: flow.total,
            events: analysis.counts().events.clone(),
            evidence: analysis.counts().evidence.clone(),
            allowlisted: analysis
                .allowlist()
                .reports()
                .into_iter()
                .map(|report| (report.scope, report.hidden_evidence))
                .collect(),
            hosts_known: inventory.len() as u64,
            interfaces: intake
                .inputs
                .iter()
                .map(|input| InterfaceStats {
                    name: input.name.clone(),
                    packets: input.packets,
                    bytes: input.bytes,
                    kernel_drops: input.kernel_drops,
                    interface_drops: input.interface_drops,
                })
                .collect(),
            tables: self.tables(view),
            queues: Vec::new(),
            last_packet: intake.last_packet,
            capture_lag: self.lag.1,
            one_way: inventory.visibility().warning().is_some(),
        }
    }

    fn tables(&self, view: &View<'_>) -> Vec<TableStats> {
        let View { analysis, intake, flow, .. } = view;
        let (inventory, scores) = (analysis.inventory(), analysis.scores());
        let fragments = intake.fragments;
        let bytes = |bytes: usize| bytes as u64;
        let table = |name, entries, bytes, evictions| TableStats {
            name,
            entries,
            bytes,
            budget: match name {
                "scores" => scores.config().budget.0,
                "alerts" => analysis.alerts().config().budget_of_hosts(),
                "incidents" => analysis.alerts().config().budget_of_incidents(),
                name => self.budgets.0.get(name).copied().unwrap_or(0),
            } as u64,
            evictions,
        };
        vec![
            table("connections", flow.open, flow.bytes, flow.evicted),
            table("fragments", fragments.waiting as u64, bytes(fragments.bytes), fragments.evicted),
            table(
                "hosts",
                inventory.len() as u64,
                bytes(inventory.state_bytes()),
                inventory.evicted(),
            ),
            table(
                "traffic",
                inventory.traffic().len() as u64,
                bytes(inventory.traffic().state_bytes()),
                inventory.traffic().evicted(),
            ),
            table(
                "rules",
                analysis.rules().len() as u64,
                bytes(analysis.rules().state_bytes()),
                analysis.rules().evicted(),
            ),
            table(
                "propagation",
                analysis.propagation().map_or(0, |own| own.len() as u64),
                bytes(analysis.propagation().map_or(0, Propagation::state_bytes)),
                analysis.propagation().map_or(0, Propagation::evicted),
            ),
            table(
                "scores",
                scores.len() as u64,
                bytes(scores.state_bytes()),
                scores.evicted_hosts(),
            ),
            table(
                "alerts",
                analysis.alerts().open_count() as u64,
                bytes(analysis.alerts().state_bytes()),
                analysis.alerts().evicted(),
            ),
            table(
                "incidents",
                analysis.incidents().open_count() as u64,
                bytes(analysis.incidents().state_bytes()),
                analysis.incidents().evicted(),
            ),
        ]
    }
}

/// The time on the wall, to say how far behind the sensor is.
fn wall_time() -> Timestamp {
    #[expect(clippy::disallowed_methods, reason = "an edge: the sensor's lag is wall time")]
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::EPOCH + now
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::incident::Status;
    use crate::source::CaptureSet;

    /// Delivers nowhere.
    struct Nowhere;

    impl AlertSink for Nowhere {
        fn deliver(&self, _: &Alert, _: &Arc<str>) {}
    }

    #[test]
    fn publishes_incidents_as_the_capture_goes_on() {
        let config = Config::default();
        let published = Arc::new(Published::default());
        let mut publisher = Publisher::new(Arc::clone(&published), Box::new(Nowhere), &config);
        let capture = "fixtures/worm-two/capture.pcap.zst";
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(capture);
        let mut source = CaptureSet::open(&[path]).unwrap();
        let options = Options { threads: 1, prompt: true };
        let mut most = 0;
        let mut look = || {
            most = most.max(published.incidents().figures().open);
            None
        };

        pipeline::run(&config, &mut source, options, &mut publisher, &mut look);

        let board = published.incidents();
        let figures = board.figures();
        assert_eq!((most, figures.open), (2, 2));
        assert_eq!(board.changes()[&Status::Open], 2);
        let services: Vec<_> =
            figures.infections.keys().flatten().map(ToString::to_string).collect();
        assert_eq!(services, ["tcp/22", "tcp/445"]);
        // All but the two who began.
        assert_eq!(figures.infections.values().sum::<u64>(), 35);
        assert_eq!(figures.hosts, 19);
        let (incidents, total) = board.incidents(10);
        assert_eq!((incidents.len(), total), (2, 2));
        let table = |name| published.stats().tables.iter().find(|of| of.name == name).cloned();
        assert_eq!(table("incidents").map(|of| of.entries), Some(2));
        let told = published.recent_alerts(1000);
        let opened = |line: &&Arc<str>| {
            line.contains("\"status\":\"open\"") && line.contains("\"host\":null,")
        };
        assert_eq!(told.iter().filter(opened).count(), 2);
    }

    #[test]
    fn names_exactly_what_a_reload_leaves_as_it_was() {
        let read = |text: &str| Config::parse(text, Path::new("x")).unwrap();
        let running = read("");
        let asked = read(
            "[sensor]\nname = \"a\"\nthreads = 2\n[alerts]\nquiet = \"1h\"\nfile = \"/tmp/a\"\n\
             [score]\nprior = -5\n[detect.\"scan.icmp\"]\nburst = 3\n\
             [log]\nlevel = \"warn\"\nformat = \"json\"\n",
        );

        let restart = LiveEngine::needs_restart(&running, &asked);

        assert_eq!(
            restart,
            ["alerts.file", "detect.\"scan.icmp\".burst", "log.format", "sensor.threads"]
        );
    }
}

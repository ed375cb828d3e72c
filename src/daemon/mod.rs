//! `wormwatch run`: the pipeline as a service. Gives up privileges, opens the capture, then
//! answers HTTP and signals while the pipeline works on plain threads.

mod engine;
mod log;
mod notify;
mod privileges;
mod supervise;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crossbeam_channel::bounded;
use tokio::sync::oneshot;
use tracing::{info, warn};

pub use self::engine::{AlertSettings, Command, Engine, EngineError, Settings, Wiring};
pub use self::log::{LogError, LogFormat, LogSettings};
pub use self::privileges::PrivilegeError;
use self::supervise::Supervisor;
use crate::pipeline::published::Published;
use crate::sink::alerts::{AlertLog, AlertLogError};
use crate::web::{self, Heart, View, WebError};

/// Commands that wait for the pipeline; more reloads than these at once are one reload.
const COMMANDS: usize = 4;

/// Why the daemon did not start, or ended.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// The configuration cannot be used.
    #[error("cannot use the configuration")]
    Config(#[source] EngineError),
    /// The log cannot be set up.
    #[error(transparent)]
    Log(#[from] LogError),
    /// There is no HTTP door.
    #[error(transparent)]
    Web(#[from] WebError),
    /// There is no alert file.
    #[error(transparent)]
    Alerts(#[from] AlertLogError),
    /// The capture cannot be opened.
    #[error("cannot open the capture")]
    Capture(#[source] EngineError),
    /// Privileges could not be given up.
    #[error(transparent)]
    Privileges(#[from] PrivilegeError),
    /// The process has no thread or event queue left.
    #[error("cannot start a thread or its event loop")]
    Runtime(#[source] std::io::Error),
    /// The pipeline failed.
    #[error("the pipeline ended with an error")]
    Engine(#[source] EngineError),
    /// The pipeline ended although nobody stopped it.
    #[error("the pipeline ended although nobody stopped it: no interface is left")]
    Ended,
    /// The pipeline panicked.
    #[error("the pipeline panicked")]
    Panicked,
    /// The queues could not be emptied in time.
    #[error("the pipeline did not finish within {0:?}")]
    Stuck(Duration),
}

/// Runs the daemon by the configuration at `path` until SIGTERM or SIGINT. Call it before any
/// thread is started: capabilities are given up by thread.
pub fn run<E: Engine>(path: &Path) -> Result<(), DaemonError> {
    let config = E::load(path).map_err(DaemonError::Config)?;
    let settings = E::settings(&config);
    let log = log::start(&settings.log)?;
    let listener = web::bind(settings.web.listen)?;
    // Before the capture, which may start threads; the one capability that it takes is kept.
    privileges::drop_most()?;
    if privileges::too_many_left() {
        warn!("a system-call filter keeps capabilities from being given up");
    }
    let capture = E::open(&config).map_err(DaemonError::Capture)?;
    let alert_log = AlertLog::open(&settings.alerts.file)?;
    info!(
        version = env!("CARGO_PKG_VERSION"), config = %path.display(),
        listen = %listener.local_addr().map_or(settings.web.listen, |bound| bound),
        alerts = %settings.alerts.file.display(), "started"
    );

    let published = Arc::new(Published::default());
    published.set_capturing(true);
    let view = Arc::new(View {
        published: Arc::clone(&published),
        heart: Heart::new(Arc::clone(&published), web::now()),
        alert_log: Some(alert_log.queue().counters()),
        started: started(),
        config_loaded: AtomicBool::new(true),
    });
    let (commands, commanded) = bounded(COMMANDS);
    let wiring = Wiring { published, commands: commanded, alerts: Box::new(alert_log.queue()) };
    let (ended, end) = oneshot::channel();
    let engine_config = config.clone();
    let engine = std::thread::Builder::new()
        .name("pipeline".to_owned())
        .spawn(move || {
            // Dropped on return and on panic alike, which ends the wait for it.
            let _ended: oneshot::Sender<()> = ended;
            E::run(engine_config, capture, wiring)
        })
        .map_err(DaemonError::Runtime)?;

    let supervisor = Supervisor::<E> {
        path,
        config,
        log,
        alerts: alert_log.queue(),
        commands,
        view: Arc::clone(&view),
    };
    let outcome = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("web")
        .enable_all()
        .build()
        .map_err(DaemonError::Runtime)?
        .block_on(supervisor.watch(listener, end));
    view.published.set_capturing(false);
    let outcome = outcome.and_then(|stopped| match engine.join() {
        Ok(Ok(())) if stopped => Ok(()),
        Ok(Ok(())) => Err(DaemonError::Ended),
        Ok(Err(trouble)) => Err(DaemonError::Engine(trouble)),
        Err(_) => Err(DaemonError::Panicked),
    });
    alert_log.close();
    info!(clean = outcome.is_ok(), "ended");
    outcome
}

/// The moment the process started, in seconds since the epoch, to the second or so.
fn started() -> f64 {
    #[expect(clippy::disallowed_methods, reason = "an edge: scrapers want the start in wall time")]
    let now = SystemTime::now();
    now.duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{Ipv4Addr, TcpStream};
    use std::path::PathBuf;
    use std::sync::{Mutex, PoisonError};

    use serde::Deserialize;

    use super::*;
    use crate::incident::{Alert, AlertKind, Severity, Status};
    use crate::net::Service;
    use crate::score::Verdict;
    use crate::time::Timestamp;

    /// Signals go to the whole process, so one daemon at a time.
    static ALONE: Mutex<()> = Mutex::new(());

    #[derive(Clone, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Config {
        word: String,
        web: web::WebSettings,
        alerts: AlertSettings,
    }

    /// Sends its word as an alert at every reload and once more at the end.
    struct Rehearsal;

    impl Engine for Rehearsal {
        type Config = Config;
        type Capture = ();

        fn load(path: &Path) -> Result<Config, EngineError> {
            Ok(toml::from_str(&std::fs::read_to_string(path)?)?)
        }

        fn settings(config: &Config) -> Settings {
            Settings {
                web: config.web.clone(),
                alerts: config.alerts.clone(),
                log: LogSettings::default(),
            }
        }

        fn needs_restart(running: &Config, asked: &Config) -> Vec<String> {
            (running.web != asked.web).then(|| "web.listen".to_owned()).into_iter().collect()
        }

        fn open(config: &Config) -> Result<(), EngineError> {
            if config.word == "blind" { Err("no such interface".into()) } else { Ok(()) }
        }

        fn run(mut config: Config, (): (), wiring: Wiring<Config>) -> Result<(), EngineError> {
            let say = |word: &str| {
                let line: Arc<str> = format!("{{\"summary\":\"{word}\"}}").into();
                wiring.alerts.deliver(&alert(), &line);
                let (kind, severity) = (AlertKind::Scan, Severity::High);
                wiring.published.record_alert(kind, severity, Status::Open, line);
            };
            loop {
                wiring.published.beat();
                match wiring.commands.recv_timeout(Duration::from_millis(10)) {
                    Ok(Command::Reload(asked)) => {
                        config = *asked;
                        say(&config.word);
                    }
                    Ok(Command::Stop) => {
                        say(&format!("last words of {}", config.word));
                        return Ok(());
                    }
                    Err(_) if config.word == "fail" => return Err("the tap was pulled".into()),
                    Err(_) => {}
                }
            }
        }
    }

    fn alert() -> Alert {
        Alert {
            id: "a".to_owned(),
            ts: Timestamp::EPOCH,
            updated: Timestamp::EPOCH,
            status: Status::Open,
            kind: AlertKind::Scan,
            severity: Severity::High,
            host: Some(Ipv4Addr::new(192, 0, 2, 7).into()),
            hosts: Vec::new(),
            hosts_total: 1,
            score: 99.0,
            verdict: Verdict::Malicious,
            detectors: Vec::new(),
            techniques: Vec::new(),
            services: vec![Service::tcp(445)],
            peers: Vec::new(),
            peers_total: 0,
            targets: "external".to_owned(),
            community_ids: Vec::new(),
            incident: None,
            sensor: None,
            summary: String::new(),
            evidence: Vec::new(),
        }
    }

    /// A folder with a configuration, and the port that it names.
    struct Home {
        folder: tempfile::TempDir,
        port: u16,
    }

    impl Home {
        fn new() -> Self {
            let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            let port = free.local_addr().unwrap().port();
            Self { folder: tempfile::tempdir().unwrap(), port }
        }

        fn config(&self) -> PathBuf {
            self.folder.path().join("wormwatch.toml")
        }

        fn alerts(&self) -> PathBuf {
            self.folder.path().join("alerts.jsonl")
        }

        fn write(&self, word: &str) {
            let text = format!(
                "word = \"{word}\"\nweb.listen = \"127.0.0.1:{}\"\nalerts.file = \"{}\"\n",
                self.port,
                self.alerts().display()
            );
            std::fs::write(self.config(), text).unwrap();
        }

        fn page(&self, path: &str) -> String {
            let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)) else {
                return String::new();
            };
            write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
            let mut page = String::new();
            let _ = stream.read_to_string(&mut page);
            page
        }

        /// Waits for something that another thread brings about.
        fn until(&self, path: &str, wanted: &str) {
            let start = web::now();
            while !self.page(path).contains(wanted) {
                assert!(start.elapsed() < Duration::from_secs(20), "no {wanted} at {path}");
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    }

    fn send(signal: &str) {
        let pid = std::process::id().to_string();
        assert!(
            std::process::Command::new("kill").args([signal, &pid]).status().unwrap().success()
        );
    }

    #[test]
    fn reloads_on_hangup_and_loses_nothing_on_terminate() {
        let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let home = Home::new();
        home.write("first");
        let config = home.config();
        let daemon = std::thread::spawn(move || run::<Rehearsal>(&config));
        home.until("/readyz", "200 OK");

        home.write("second");
        send("-HUP");
        home.until("/api/alerts", "second");
        std::fs::write(home.config(), "word = 7").unwrap();
        send("-HUP");
        home.until("/metrics", "wormwatch_config_last_reload_successful 0");
        std::fs::rename(home.alerts(), home.alerts().with_extension("1")).unwrap();
        home.write("third");
        send("-HUP");
        home.until("/metrics", "wormwatch_config_last_reload_successful 1");
        home.until("/api/alerts", "third");
        send("-TERM");

        daemon.join().unwrap().unwrap();
        let rotated = std::fs::read_to_string(home.alerts().with_extension("1")).unwrap();
        let fresh = std::fs::read_to_string(home.alerts()).unwrap();
        assert_eq!(rotated, "{\"summary\":\"second\"}\n");
        assert_eq!(fresh, "{\"summary\":\"third\"}\n{\"summary\":\"last words of third\"}\n");
    }

    #[test]
    fn ends_with_an_error_when_the_pipeline_does() {
        let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let home = Home::new();
        home.write("fail");
        let config = home.config();

        let outcome = std::thread::spawn(move || run::<Rehearsal>(&config)).join().unwrap();

        assert!(matches!(outcome, Err(DaemonError::Engine(_))), "{outcome:?}");
    }

    #[test]
    fn starts_nothing_without_a_port_or_a_capture() {
        let home = Home::new();
        home.write("blind");
        let blind = run::<Rehearsal>(&home.config()).unwrap_err();
        let taken = std::net::TcpListener::bind(("127.0.0.1", home.port)).unwrap();
        home.write("first");
        let busy = run::<Rehearsal>(&home.config()).unwrap_err();
        drop(taken);

        assert!(matches!(blind, DaemonError::Capture(_)), "{blind:?}");
        assert!(matches!(busy, DaemonError::Web(WebError::Taken(_))), "{busy:?}");
        assert!(!home.alerts().exists());
    }
}

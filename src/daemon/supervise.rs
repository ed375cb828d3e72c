//! What the daemon's main thread does while the pipeline works: signals, the watchdog, HTTP.

use std::error::Error;
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crossbeam_channel::{Sender, TrySendError};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tracing::{error, info, warn};

use super::engine::{Command, Engine};
use super::log::LogHandle;
use super::{DaemonError, notify};
use crate::sink::alerts::AlertQueue;
use crate::web::{self, View};

/// How long the pipeline may take to empty its queues; systemd's own limit is 90 s.
const DRAIN: Duration = Duration::from_mins(1);

/// How often the heartbeat is looked at, at least; a quarter of the watchdog's time if shorter.
const LOOK: Duration = Duration::from_secs(1);

/// How many looks pass between two lines for `systemctl status`.
const LOOKS_PER_STATUS: u32 = 10;

/// Everything that signals act on.
pub(super) struct Supervisor<'a, E: Engine> {
    pub(super) path: &'a Path,
    /// What the daemon was started with.
    pub(super) config: E::Config,
    pub(super) log: LogHandle,
    pub(super) alerts: AlertQueue,
    pub(super) commands: Sender<Command<E::Config>>,
    pub(super) view: Arc<View>,
}

impl<E: Engine> Supervisor<'_, E> {
    /// Returns when the pipeline has ended: whether somebody asked for it.
    pub(super) async fn watch(
        self,
        listener: TcpListener,
        mut engine_end: oneshot::Receiver<()>,
    ) -> Result<bool, DaemonError> {
        let mut signals = Signals::catch().map_err(DaemonError::Runtime)?;
        let (close, closed) = oneshot::channel::<()>();
        let web = tokio::spawn(web::serve(listener, web::router(Arc::clone(&self.view)), async {
            // An error says that this function is over, which is as good a reason to close.
            let _ = closed.await;
        }));
        let watchdog = notify::watchdog();
        let mut looks = interval(watchdog.map_or(LOOK, |limit| LOOK.min(limit / 4)));
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut pulse = Pulse::default();

        let stopped = loop {
            tokio::select! {
                _ = looks.tick() => self.look(&mut pulse, watchdog.is_some()),
                asked = signals.next() => match asked {
                    Asked::Reload => self.reload(),
                    Asked::Stop => break true,
                },
                _ = &mut engine_end => break false,
            }
        };
        if stopped {
            info!("asked to stop; emptying the queues");
            notify::stopping();
            self.drain(&mut signals, engine_end).await?;
        }
        let _ = close.send(());
        if let Ok(Err(trouble)) = web.await {
            warn!(%trouble, "the HTTP door ended early");
        }
        Ok(stopped)
    }

    /// Looks at the heartbeat and passes it on, if there is one.
    fn look(&self, pulse: &mut Pulse, watched: bool) {
        self.view.heart.age(web::now());
        pulse.looks = pulse.looks.wrapping_add(1);
        let beats = self.view.heart.beats();
        if beats != pulse.beats {
            pulse.beats = beats;
            if !pulse.ready {
                pulse.ready = true;
                info!("packets are read");
                notify::ready(&self.status());
            }
            if watched {
                notify::alive();
            }
        }
        if pulse.ready && pulse.looks.is_multiple_of(LOOKS_PER_STATUS) {
            notify::status(&self.status());
        }
    }

    fn status(&self) -> String {
        let stats = self.view.published.stats();
        let verdicts = self.view.published.verdicts();
        let count = |verdict| verdicts.get(&verdict).copied().unwrap_or(0);
        format!(
            "{} packets, {} connections open, {} hosts malicious, {} suspicious",
            stats.packets,
            stats.connections_open,
            count(crate::score::Verdict::Malicious),
            count(crate::score::Verdict::Suspicious),
        )
    }

    /// Reads the configuration anew and opens the alert file anew. What cannot be used is an error
    /// in the log, and what was used before stays.
    fn reload(&self) {
        notify::reloading();
        self.alerts.reopen();
        let loaded = match E::load(self.path) {
            Ok(asked) => self.adopt(asked),
            Err(trouble) => {
                error!(
                    config = %self.path.display(), trouble = %chain(trouble.as_ref()),
                    "the new configuration cannot be used; the old one stays"
                );
                false
            }
        };
        self.view.config_loaded.store(loaded, Ordering::Relaxed);
        notify::ready(&self.status());
    }

    fn adopt(&self, asked: E::Config) -> bool {
        if let Err(trouble) = self.log.apply(&E::settings(&asked).log) {
            error!(trouble = %chain(&trouble), "the new configuration cannot be used; the old one stays");
            return false;
        }
        for name in E::needs_restart(&self.config, &asked) {
            warn!(setting = %name, "changed, and takes effect after a restart");
        }
        if self.commands.try_send(Command::Reload(Box::new(asked))).is_err() {
            error!("the pipeline takes no new configuration; the old one stays");
            return false;
        }
        info!(config = %self.path.display(), "the configuration was read anew");
        true
    }

    async fn drain(
        &self,
        signals: &mut Signals,
        engine_end: oneshot::Receiver<()>,
    ) -> Result<(), DaemonError> {
        let finished = async {
            // The queue may hold reloads that the pipeline has not looked at yet.
            while let Err(TrySendError::Full(_)) = self.commands.try_send(Command::Stop) {
                sleep(Duration::from_millis(20)).await;
            }
            // The sender is never used, only dropped, when the pipeline's thread ends.
            let _ = engine_end.await;
        };
        let asked_again = async { while !matches!(signals.next().await, Asked::Stop) {} };
        tokio::select! {
            waited = timeout(DRAIN, finished) => waited.map_err(|_| DaemonError::Stuck(DRAIN)),
            () = asked_again => {
                warn!("asked to stop again; not waiting any longer");
                Err(DaemonError::Stuck(Duration::ZERO))
            }
        }
    }
}

/// What the last look at the heartbeat saw.
#[derive(Debug, Default)]
struct Pulse {
    beats: u64,
    looks: u32,
    ready: bool,
}

/// What a signal asks for.
enum Asked {
    Reload,
    Stop,
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    fn catch() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.terminate.recv() => Asked::Stop,
            _ = self.interrupt.recv() => Asked::Stop,
            _ = self.hang_up.recv() => Asked::Reload,
        }
    }
}

/// An error and what caused it, on one line.
fn chain(trouble: &dyn Error) -> String {
    let mut words = trouble.to_string();
    let mut cause = trouble.source();
    while let Some(deeper) = cause {
        words.push_str(": ");
        words.push_str(&deeper.to_string());
        cause = deeper.source();
    }
    words
}

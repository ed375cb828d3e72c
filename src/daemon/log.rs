//! The daemon's own log, on standard error: for a person on a terminal, for the journal, or as JSON.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, de};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::{EnvFilter, ParseError};
use tracing_subscriber::fmt::format::{Format, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Registry, reload};

/// The environment variable that overrules the configured level.
const OVERRULE: &str = "RUST_LOG";

/// `[log]` of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogSettings {
    /// What is worth a line: `error`, `warn`, `info`, `debug`, `trace`, or a list of
    /// `module=level`, as in `RUST_LOG`, which overrules it.
    #[serde(deserialize_with = "level")]
    pub level: String,
    /// How a line looks.
    pub format: LogFormat,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self { level: "info".to_owned(), format: LogFormat::Auto }
    }
}

/// Reads a level or a list of levels.
fn level<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let level = String::deserialize(deserializer)?;
    match EnvFilter::builder().parse(&level) {
        Ok(_) => Ok(level),
        Err(error) => Err(de::Error::custom(format!("`{level}` is no level: {error}"))),
    }
}

/// How a line of the log looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// `journal` where standard error is the journal, else `text`.
    #[default]
    Auto,
    /// Time, level and words; colours only on a terminal.
    Text,
    /// As systemd's journal likes it: priority in front, no time of its own (sd-daemon(3)).
    Journal,
    /// One JSON object a line.
    Json,
}

/// The log cannot be set up as asked.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The level is not one.
    #[error("`level` in [log] is not a level or a list of module=level: {level}")]
    Level {
        /// What it is.
        level: String,
        /// Why it is not a level.
        source: ParseError,
    },
}

/// Changes the level of the running log.
#[derive(Debug)]
pub(super) struct LogHandle {
    filter: Option<reload::Handle<EnvFilter, Registry>>,
}

impl LogHandle {
    /// Takes over the level of `settings`, unless the environment overrules it.
    pub(super) fn apply(&self, settings: &LogSettings) -> Result<(), LogError> {
        let filter = filter(settings)?;
        if let Some(handle) = &self.filter
            && let Err(trouble) = handle.reload(filter)
        {
            tracing::error!(%trouble, "cannot change the log level");
        }
        Ok(())
    }
}

/// Starts the log. In a process that has one already (a test), that one stays.
pub(super) fn start(settings: &LogSettings) -> Result<LogHandle, LogError> {
    use std::io::IsTerminal;

    let (filter, handle) = reload::Layer::new(filter(settings)?);
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let registry = tracing_subscriber::registry().with(filter);
    let started = match settings.format.resolved() {
        LogFormat::Json => registry.with(lines.json().with_ansi(false)).try_init(),
        LogFormat::Journal => {
            let plain = Format::default().without_time().with_ansi(false).with_level(false);
            registry.with(lines.with_ansi(false).event_format(Prioritised(plain))).try_init()
        }
        LogFormat::Auto | LogFormat::Text => {
            registry.with(lines.with_ansi(std::io::stderr().is_terminal())).try_init()
        }
    };
    Ok(LogHandle { filter: started.is_ok().then_some(handle) })
}

impl LogFormat {
    fn resolved(self) -> Self {
        match self {
            Self::Auto if std::env::var_os("JOURNAL_STREAM").is_some() => Self::Journal,
            other => other,
        }
    }
}

fn filter(settings: &LogSettings) -> Result<EnvFilter, LogError> {
    let level = std::env::var(OVERRULE)
        .ok()
        .filter(|level| !level.is_empty())
        .unwrap_or_else(|| settings.level.clone());
    EnvFilter::builder().parse(&level).map_err(|source| LogError::Level { level, source })
}

/// Puts the priority in front of each line, as sd-daemon(3) describes.
struct Prioritised<T>(Format<tracing_subscriber::fmt::format::Full, T>);

impl<S, N, T> FormatEvent<S, N> for Prioritised<T>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    Format<tracing_subscriber::fmt::format::Full, T>: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        write!(writer, "<{}>", priority(*event.metadata().level()))?;
        self.0.format_event(context, writer, event)
    }
}

/// syslog(3)'s number for a level.
fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        _ => 7,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_a_level_that_is_none() {
        let settings = LogSettings { level: "wormwatch=loud".to_owned(), ..Default::default() };

        let trouble = filter(&settings).unwrap_err();

        assert!(trouble.to_string().contains("wormwatch=loud"));
        assert!(filter(&LogSettings::default()).is_ok());
    }
}

//! What an operator says about live capture.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::time::Duration;

use pcap::{Capture, Linktype};
use serde::{Deserialize, Serialize};

use crate::config::units::{self, ByteSize};
use crate::source::SourceError;

/// Live capture, as the configuration file has it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct LiveConfig {
    /// The interfaces to capture on, each with its own kernel buffer and thread.
    pub interfaces: Vec<String>,
    /// A BPF expression (pcap-filter(7)) that packets must match; all if empty.
    pub filter: String,
    /// Bytes of each packet to look at; less saves memory and hides what was transferred.
    pub snap_length: ByteSize,
    /// Bytes of kernel buffer for each interface: what may arrive while the sensor is busy.
    pub buffer: ByteSize,
    /// Whether to see packets that are not addressed to this machine, as a sensor on a mirror port must.
    pub promiscuous: bool,
    /// How long the kernel may gather packets before it hands them over.
    #[serde(with = "units::span")]
    pub read_timeout: Duration,
    /// With several interfaces, how long a packet waits for earlier ones from the others; at least
    /// twice the read timeout.
    #[serde(with = "units::span")]
    pub reorder_window: Duration,
    /// How long to wait between attempts to open an interface that went away.
    #[serde(with = "units::span")]
    pub reopen_after: Duration,
}

impl Default for LiveConfig {
    fn default() -> Self {
        Self {
            interfaces: Vec::new(),
            filter: String::new(),
            snap_length: ByteSize(65_535),
            buffer: ByteSize::mib(32),
            promiscuous: true,
            read_timeout: Duration::from_millis(10),
            reorder_window: Duration::from_millis(50),
            reopen_after: Duration::from_secs(1),
        }
    }
}

impl LiveConfig {
    /// Checks what can be checked without touching an interface.
    ///
    /// # Errors
    ///
    /// If no interface is named or one is named twice, the filter does not compile for Ethernet, or a
    /// number is out of its range.
    pub fn check(&self) -> Result<(), SourceError> {
        if self.interfaces.is_empty() {
            return Err(SourceError::NoInterface);
        }
        compile(&self.filter).map_err(|error| bad_filter(&self.filter, &error))?;
        self.check_values().map_err(|(key, what)| SourceError::Capture {
            interface: self.interfaces.join(", "),
            reason: format!("{key} {what}"),
        })
    }

    /// Checks the values, whether or not there is an interface yet.
    ///
    /// # Errors
    ///
    /// The key of the first one that cannot work, and why.
    pub fn check_values(&self) -> Result<(), (&'static str, String)> {
        let wrong = |key, what: String| Err((key, what));
        let mut seen = BTreeSet::new();
        if let Some(twice) = self.interfaces.iter().find(|name| !seen.insert(name.as_str())) {
            return wrong("interfaces", format!("names {twice} twice"));
        }
        if !SNAP_LENGTHS.contains(&self.snap_length) {
            return wrong("snap_length", between(&SNAP_LENGTHS));
        }
        if !BUFFERS.contains(&self.buffer) {
            return wrong("buffer", between(&BUFFERS));
        }
        let read_timeouts = Duration::from_millis(1)..=Duration::from_millis(100);
        if !read_timeouts.contains(&self.read_timeout) {
            return wrong("read_timeout", "must be between 1ms and 100ms".to_owned());
        }
        if !(self.read_timeout * 2..=Duration::from_secs(1)).contains(&self.reorder_window) {
            let what = "must be between twice the read_timeout and 1s";
            return wrong("reorder_window", what.to_owned());
        }
        compile(&self.filter)
            .map_err(|error| ("filter", format!("{} (see pcap-filter(7))", reason(&error))))
    }
}

/// The shortest that holds the headers, the longest that libpcap takes.
const SNAP_LENGTHS: RangeInclusive<ByteSize> = ByteSize(64)..=ByteSize::kib(256);
/// Less does not outlast a pause of the scheduler, more is refused by some kernels.
const BUFFERS: RangeInclusive<ByteSize> = ByteSize::mib(1)..=ByteSize::mib(1024);

fn between(range: &RangeInclusive<ByteSize>) -> String {
    format!("must be between {} and {}", range.start(), range.end())
}

fn compile(filter: &str) -> Result<(), pcap::Error> {
    Capture::dead(Linktype::ETHERNET)?.compile(filter, true).map(|_| ())
}

pub(super) fn bad_filter(filter: &str, error: &dyn ToString) -> SourceError {
    SourceError::BadFilter { filter: filter.to_owned(), reason: reason(error) }
}

/// What libpcap said, without the words that the crate puts before it.
pub(super) fn reason(error: &dyn ToString) -> String {
    let text = error.to_string();
    text.strip_prefix("libpcap error: ").unwrap_or(&text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(interfaces: &[&str]) -> LiveConfig {
        let interfaces = interfaces.iter().map(|&name| name.to_owned()).collect();
        LiveConfig { interfaces, ..LiveConfig::default() }
    }

    #[test]
    fn is_read_with_units_and_refuses_what_it_does_not_know() {
        let config: LiveConfig =
            toml::from_str("interfaces = [\"eth0\"]\nread_timeout = \"20ms\"").unwrap();

        assert_eq!(config, LiveConfig { read_timeout: Duration::from_millis(20), ..on(&["eth0"]) });
        assert!(toml::from_str::<LiveConfig>("interface = \"eth0\"").is_err());
    }

    #[test]
    fn quotes_a_filter_that_does_not_compile() {
        let config = LiveConfig { filter: "tcp prot 445".to_owned(), ..on(&["eth0"]) };

        let error = config.check().unwrap_err().to_string();

        assert!(error.contains("`tcp prot 445` is not valid"), "{error}");
        assert!(LiveConfig { filter: "tcp port 445".to_owned(), ..config }.check().is_ok());
    }

    #[test]
    fn refuses_what_cannot_work() {
        for config in [
            on(&[]),
            on(&["eth0", "eth1", "eth0"]),
            LiveConfig { snap_length: ByteSize(10), ..on(&["eth0"]) },
            LiveConfig { buffer: ByteSize(10), ..on(&["eth0"]) },
            LiveConfig { read_timeout: Duration::from_secs(1), ..on(&["eth0"]) },
            LiveConfig { reorder_window: Duration::ZERO, ..on(&["eth0"]) },
        ] {
            assert!(config.check().is_err(), "{config:?}");
        }
    }
}

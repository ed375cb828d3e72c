//! What an operator says about live capture.

use std::time::Duration;

use pcap::{Capture, Linktype};
use serde::{Deserialize, Serialize};

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
    pub snap_length: u32,
    /// Bytes of kernel buffer for each interface: what may arrive while the sensor is busy.
    pub buffer_bytes: u32,
    /// Whether to see packets that are not addressed to this machine, as a sensor on a mirror port must.
    pub promiscuous: bool,
    /// How long the kernel may gather packets before it hands them over.
    #[serde(with = "humantime_serde")]
    pub read_timeout: Duration,
    /// With several interfaces, how long a packet waits for earlier ones from the others; at least
    /// twice the read timeout.
    #[serde(with = "humantime_serde")]
    pub reorder_window: Duration,
    /// How long to wait between attempts to open an interface that went away.
    #[serde(with = "humantime_serde")]
    pub reopen_after: Duration,
}

impl Default for LiveConfig {
    fn default() -> Self {
        Self {
            interfaces: Vec::new(),
            filter: String::new(),
            snap_length: 65_535,
            buffer_bytes: 32 << 20,
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
        let mut sorted = self.interfaces.clone();
        sorted.sort();
        for pair in sorted.windows(2) {
            if let [one, other] = pair
                && one == other
            {
                return Err(invalid(one, &"it is named twice"));
            }
        }
        let all = self.interfaces.join(", ");
        if !(64..=262_144).contains(&self.snap_length) {
            return Err(invalid(&all, &"snap_length must be between 64 and 262144 bytes"));
        }
        if !(1 << 20..=1 << 30).contains(&self.buffer_bytes) {
            return Err(invalid(&all, &"buffer_bytes must be between 1 MiB and 1 GiB"));
        }
        let read_timeout = Duration::from_millis(1)..=Duration::from_millis(100);
        if !read_timeout.contains(&self.read_timeout) {
            return Err(invalid(&all, &"read_timeout must be between 1ms and 100ms"));
        }
        if !(self.read_timeout * 2..=Duration::from_secs(1)).contains(&self.reorder_window) {
            return Err(invalid(
                &all,
                &"reorder_window must be between twice the read_timeout and 1s",
            ));
        }
        let dead = Capture::dead(Linktype::ETHERNET).map_err(|error| invalid(&all, &error))?;
        match dead.compile(&self.filter, true) {
            Ok(_) => Ok(()),
            Err(error) => Err(bad_filter(&self.filter, &error)),
        }
    }
}

fn invalid(interface: &str, reason: &dyn ToString) -> SourceError {
    SourceError::Capture { interface: interface.to_owned(), reason: reason.to_string() }
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
            LiveConfig { snap_length: 10, ..on(&["eth0"]) },
            LiveConfig { buffer_bytes: 10, ..on(&["eth0"]) },
            LiveConfig { read_timeout: Duration::from_secs(1), ..on(&["eth0"]) },
            LiveConfig { reorder_window: Duration::ZERO, ..on(&["eth0"]) },
        ] {
            assert!(config.check().is_err(), "{config:?}");
        }
    }
}

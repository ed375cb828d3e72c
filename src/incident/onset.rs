//! How far a host got before anybody was told: connections opened up to its first alert.

use std::net::IpAddr;

use hashbrown::HashMap;

/// Hosts counted; further ones are not, which only a flood of forged sources reaches.
const HOSTS: usize = 1 << 18;

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    opened: u64,
    until_alert: Option<u64>,
}

/// Counts each host's connections, and what the count was at its first alert.
///
/// Holds at most 262,144 hosts of about 50 bytes; the first come stay. Keyed by a random hash.
#[derive(Debug, Default)]
pub struct Onsets {
    hosts: HashMap<IpAddr, Count, foldhash::quality::RandomState>,
}

impl Onsets {
    /// Counts a connection that `host` opened.
    pub fn on_contact(&mut self, host: IpAddr) {
        if let Some(count) = self.entry(host) {
            count.opened += 1;
        }
    }

    /// Notes an alert about `host`; only the first matters.
    pub fn on_alert(&mut self, host: IpAddr) {
        if let Some(count) = self.entry(host) {
            count.until_alert.get_or_insert(count.opened);
        }
    }

    /// Connections that `host` opened.
    pub fn opened(&self, host: IpAddr) -> u64 {
        self.hosts.get(&host).map_or(0, |count| count.opened)
    }

    /// Connections that it opened up to its first alert; `None` without one.
    pub fn until_alert(&self, host: IpAddr) -> Option<u64> {
        self.hosts.get(&host)?.until_alert
    }

    fn entry(&mut self, host: IpAddr) -> Option<&mut Count> {
        if self.hosts.len() >= HOSTS {
            return self.hosts.get_mut(&host);
        }
        Some(self.hosts.entry(host).or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remembers_the_count_at_the_first_alert() {
        let host: IpAddr = "10.0.0.5".parse().unwrap();
        let mut onsets = Onsets::default();

        for _ in 0..3 {
            onsets.on_contact(host);
        }
        assert_eq!(onsets.until_alert(host), None);
        onsets.on_alert(host);
        onsets.on_contact(host);
        onsets.on_alert(host);

        assert_eq!((onsets.until_alert(host), onsets.opened(host)), (Some(3), 4));
    }
}

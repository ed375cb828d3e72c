//! What the kernel says of this process, under the names every Prometheus exporter uses.

use std::fs;

/// USER_HZ, the unit of times in `/proc`, which Linux fixes at 100 for user space on every
/// architecture that Rust supports as tier 1 (proc_pid_stat(5)).
const TICKS_PER_SECOND: f64 = 100.0;

/// What this process uses.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct ProcessUse {
    /// Processor time in user and kernel mode, in seconds.
    pub(super) cpu_seconds: f64,
    /// Memory in RAM, in bytes.
    pub(super) resident_bytes: u64,
    /// Address space, in bytes.
    pub(super) virtual_bytes: u64,
    /// Threads.
    pub(super) threads: u64,
    /// Open file descriptors.
    pub(super) open_fds: u64,
    /// How many may be open; `None` if there is no limit.
    pub(super) max_fds: Option<u64>,
}

impl ProcessUse {
    /// Reads `/proc/self`; `None` where there is none.
    pub(super) fn read() -> Option<Self> {
        let stat = fs::read_to_string("/proc/self/stat").ok()?;
        let status = fs::read_to_string("/proc/self/status").ok()?;
        let limits = fs::read_to_string("/proc/self/limits").ok()?;
        let open = fs::read_dir("/proc/self/fd").ok()?.count() as u64;
        Self::parse(&stat, &status, &limits, open)
    }

    fn parse(stat: &str, status: &str, limits: &str, open_fds: u64) -> Option<Self> {
        // The command name stands in parentheses and may hold anything, parentheses included.
        let (_, after_name) = stat.rsplit_once(") ")?;
        let mut fields = after_name.split_ascii_whitespace().skip(11);
        let user: f64 = fields.next()?.parse().ok()?;
        let system: f64 = fields.next()?.parse().ok()?;
        let status_number = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key))?;
            line.split_ascii_whitespace().next()?.parse::<u64>().ok()
        };
        let max_fds = limits
            .lines()
            .find_map(|line| line.strip_prefix("Max open files"))
            .and_then(|line| line.split_ascii_whitespace().next()?.parse().ok());
        Some(Self {
            cpu_seconds: (user + system) / TICKS_PER_SECOND,
            resident_bytes: status_number("VmRSS:")?.saturating_mul(1024),
            virtual_bytes: status_number("VmSize:")?.saturating_mul(1024),
            threads: status_number("Threads:")?,
            open_fds,
            max_fds,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_times_past_a_name_with_parentheses() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 99 0 0 0 150 50 0 0 20 0 3 0 12 1 2";
        let status = "VmSize:\t    2048 kB\nVmRSS:\t    1024 kB\nThreads:\t3\n";
        let limits = "Max open files            1024                 4096                 files\n";

        let used = ProcessUse::parse(stat, status, limits, 9).unwrap();

        assert!((used.cpu_seconds - 2.0).abs() < 1e-9);
        assert_eq!((used.resident_bytes, used.virtual_bytes), (1 << 20, 2 << 20));
        assert_eq!((used.threads, used.open_fds, used.max_fds), (3, 9, Some(1024)));
    }

    #[test]
    fn reads_this_very_process() {
        let used = ProcessUse::read().unwrap();

        assert!(used.resident_bytes > 0 && used.open_fds > 0 && used.threads > 0);
    }
}

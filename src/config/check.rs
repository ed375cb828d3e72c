//! What a value by itself cannot show: settings that contradict each other.

use super::Config;
use super::units::ByteSize;
use crate::detect::{self, DetectConfig};
use crate::score::is_under;

/// More of each direction is never looked at, and every connection may hold so much.
const LARGEST_PREFIX: ByteSize = ByteSize::mib(1);

/// A setting that cannot be what it is, given the others.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mismatch {
    /// Its section, key by key, and its own key.
    pub(super) path: Vec<&'static str>,
    /// What is wrong, in words.
    pub(super) what: String,
}

impl Config {
    /// Checks what involves more than one setting.
    pub(super) fn check(&self) -> Result<(), Mismatch> {
        let wrong =
            |path: &[&'static str], what: String| Err(Mismatch { path: path.to_vec(), what });
        if let Err((key, what)) = self.capture.check_values() {
            return wrong(&["capture", key], what);
        }
        if self.flow.prefix > LARGEST_PREFIX {
            let what = format!("{} is more than {LARGEST_PREFIX}", self.flow.prefix);
            return wrong(&["flow", "prefix"], what);
        }
        let known = detect::ids();
        if let Some(id) = self.detect.disabled.iter().find(|id| !known.contains(&id.as_str())) {
            let what = format!("there is no detector `{id}`, only {}", known.join(", "));
            return wrong(&["detect", "disabled"], what);
        }
        let is_scaled =
            |name: &str| is_under(name, "lateral") || known.iter().any(|id| is_under(id, name));
        if let Some(name) = self.score.scales.keys().find(|name| !is_scaled(name)) {
            let what = format!(
                "no detector is called `{name}` or begins so, only {}, and lateral.GROUP for rules",
                known.join(", ")
            );
            return wrong(&["score", "scales"], what);
        }
        if let Some((detector, key)) = senseless_odds(&self.detect) {
            let what = "a healthy host's first contacts must succeed more often than a scanner's";
            return wrong(&["detect", detector, key], what.to_owned());
        }
        let visibility = &self.inventory.visibility;
        if visibility.share_harmless >= visibility.share_blind {
            let what = "must be more than share_harmless".to_owned();
            return wrong(&["inventory", "visibility", "share_blind"], what);
        }
        Ok(())
    }
}

/// The first odds of which nothing can be concluded.
fn senseless_odds(detect: &DetectConfig) -> Option<(&'static str, &'static str)> {
    let horizontal = &detect.horizontal;
    let all = [
        ("scan.horizontal", "targeted", horizontal.targeted),
        ("scan.horizontal", "web", horizontal.web),
        ("scan.horizontal", "common", horizontal.common),
        ("scan.horizontal", "raced", horizontal.raced),
        ("scan.icmp", "odds", detect.icmp.odds),
    ];
    all.into_iter()
        .find(|(_, _, odds)| odds.benign <= odds.scanner)
        .map(|(detector, key, _)| (detector, key))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn complaint(text: &str) -> String {
        Config::parse(text, Path::new("wormwatch.toml")).unwrap_err().to_string()
    }

    #[test]
    fn marks_the_setting_that_contradicts_another() {
        insta::assert_snapshot!(complaint("[capture]\nread_timeout = \"50ms\"\nreorder_window = \"60ms\"\n"), @r#"
        wormwatch.toml: `reorder_window` in [capture] at line 3, column 18: must be between twice the read_timeout and 1s
          |
        3 | reorder_window = "60ms"
          |                  ^^^^^^
        "#);
    }

    #[test]
    fn only_detectors_that_exist_can_be_switched_off() {
        assert!(Config::parse("[detect]\ndisabled = [\"scan.slow\"]\n", Path::new("x")).is_ok());
        let complaint = complaint("[detect]\ndisabled = [\"scan.slo\"]\n");
        assert!(complaint.contains("there is no detector `scan.slo`, only scan."), "{complaint}");
    }

    #[test]
    fn names_the_setting_even_where_the_file_leaves_it_out() {
        insta::assert_snapshot!(complaint("[inventory.visibility]\nshare_harmless = 0.9\n"), @r"
        wormwatch.toml: `share_blind` in [inventory.visibility]: must be more than share_harmless
        ");
    }

    #[test]
    fn refuses_odds_that_prove_nothing() {
        insta::assert_snapshot!(complaint("[detect.\"scan.horizontal\"]\nweb = { benign = 0.2, scanner = 0.3 }\n"), @r#"
        wormwatch.toml: `web` in [detect."scan.horizontal"] at line 2, column 7: a healthy host's first contacts must succeed more often than a scanner's
          |
        2 | web = { benign = 0.2, scanner = 0.3 }
          |       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        "#);
    }

    #[test]
    fn compiles_the_capture_filter_without_an_interface() {
        insta::assert_snapshot!(complaint("[capture]\nfilter = \"tcp prot 445\"\n"), @r#"
        wormwatch.toml: `filter` in [capture] at line 2, column 10: can't parse filter expression: syntax error (see pcap-filter(7))
          |
        2 | filter = "tcp prot 445"
          |          ^^^^^^^^^^^^^^
        "#);
    }

    #[test]
    fn no_interface_is_no_mistake_until_somebody_captures() {
        let config = Config::parse("[capture]\ninterfaces = []\n", Path::new("x")).unwrap();

        assert!(config.capture.check().unwrap_err().to_string().contains("set `interfaces`"));
    }

    #[test]
    fn refuses_values_out_of_range() {
        for text in [
            "sensor.threads = 0",
            "sensor.threads = -1",
            "flow.prefix = \"2 MiB\"",
            "flow.budget = \"1 KiB\"",
            "flow.udp_timeout = \"0s\"",
            "flow.udp_timeout = 60",
            "capture.interfaces = [\"eth0\", \"eth0\"]",
            "capture.buffer = \"2 GiB\"",
            "capture.snap_length = \"10 B\"",
            "detect.\"scan.icmp\".odds = { benign = 1.0, scanner = 0.2 }",
            "detect.\"scan.arp\".sweep_share = 1.5",
            "detect.\"scan.arp\".nats = -0.5",
            "inventory.roles.p2p_ports = 0",
            "log.level = \"wormwatch=loud\"",
        ] {
            assert!(Config::parse(text, Path::new("x")).is_err(), "{text}");
        }
    }
}

//! All detectors and their parameters, `[detect.<id>]` in the configuration file.

use serde::{Deserialize, Serialize};

use crate::propagation;

use super::{
    Detector, adaptive, arp, bruteforce, content, dark, edge, horizontal, host_awakened, host_new,
    icmp, relay, reversal, shared, slow, spray, vertical,
};

/// The parameters of every detector, under its id.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DetectConfig {
    /// Ids of detectors that stay off.
    pub disabled: Vec<String>,
    /// One service, or any, on many hosts.
    #[serde(rename = "scan.horizontal")]
    pub horizontal: horizontal::Config,
    /// Many ports of one host.
    #[serde(rename = "scan.vertical")]
    pub vertical: vertical::Config,
    /// Many hosts never met before, at any pace.
    #[serde(rename = "scan.slow")]
    pub slow: slow::Config,
    /// What fails at one service of a host is tried at another.
    #[serde(rename = "scan.adaptive")]
    pub adaptive: adaptive::Config,
    /// A whole network asked for by ARP.
    #[serde(rename = "scan.arp")]
    pub arp: arp::Config,
    /// A whole network pinged.
    #[serde(rename = "scan.icmp")]
    pub icmp: icmp::Config,
    /// Addresses where nobody lives, and decoys.
    #[serde(rename = "scan.dark")]
    pub dark: dark::Config,
    /// Many refused logins, or short, similar sessions with login services.
    #[serde(rename = "auth.bruteforce")]
    pub bruteforce: bruteforce::Config,
    /// Refused logins with many accounts or on many servers.
    #[serde(rename = "auth.spray")]
    pub spray: spray::Config,
    /// An account that is suddenly used from several hosts.
    #[serde(rename = "auth.shared")]
    pub shared: shared::Config,
    /// A host administers another one for the first time.
    #[serde(rename = "novelty.edge")]
    pub edge: edge::Config,
    /// A host that was entered goes on as its intruder does.
    #[serde(rename = "propagation.turn")]
    pub turn: propagation::Config,
    /// A host that was entered calls its intruder.
    #[serde(rename = "propagation.reversal")]
    pub reversal: reversal::Config,
    /// What hosts received they hand on, and so do those that get it.
    #[serde(rename = "content.prevalence")]
    pub content: content::Config,
    /// A language model asked from hosts that its server entered.
    #[serde(rename = "inference.relay")]
    pub relay: relay::Config,
    /// A device appears.
    #[serde(rename = "host.new")]
    pub host_new: host_new::Config,
    /// A device awakens.
    #[serde(rename = "host.awakened")]
    pub host_awakened: host_awakened::Config,
}

/// Every detector that is not switched off, in a fixed order.
pub fn all(config: &DetectConfig) -> Vec<Box<dyn Detector>> {
    let mut all: Vec<Box<dyn Detector>> = vec![
        Box::new(horizontal::Horizontal::new(&config.horizontal)),
        Box::new(vertical::Vertical::new(&config.vertical)),
        Box::new(slow::Slow::new(&config.slow)),
        Box::new(adaptive::Adaptive::new(&config.adaptive)),
        Box::new(arp::ArpSweep::new(&config.arp)),
        Box::new(icmp::IcmpSweep::new(&config.icmp)),
        Box::new(dark::Dark::new(&config.dark)),
        Box::new(bruteforce::Bruteforce::new(&config.bruteforce)),
        Box::new(spray::Spray::new(&config.spray)),
        Box::new(shared::Shared::new(&config.shared)),
        Box::new(edge::Edge::new(&config.edge)),
        Box::new(reversal::Reversal::new(&config.reversal)),
        Box::new(content::Prevalence::new(&config.content)),
        Box::new(relay::Relay::new(&config.relay)),
        Box::new(host_new::NewHost::new(&config.host_new)),
        Box::new(host_awakened::AwakenedHost::new(&config.host_awakened)),
    ];
    all.retain(|detector| !config.disabled.iter().any(|id| id == detector.id()));
    all
}

/// The ids of every detector there is, in the same order.
pub fn ids() -> Vec<&'static str> {
    let all = all(&DetectConfig::default());
    all.iter().map(|detector| detector.id()).chain([propagation::Propagation::ID]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn survives_a_trip_through_toml() {
        let config = DetectConfig::default();

        let text = toml::to_string(&config).unwrap();
        let back: DetectConfig = toml::from_str(&text).unwrap();

        assert_eq!(text, toml::to_string(&back).unwrap());
        assert!(text.contains("[\"scan.horizontal\"]"));
    }

    #[test]
    fn changes_one_number_and_refuses_an_unknown_one() {
        let text = "[\"host.new\"]\npeers = 9\n[\"scan.arp\"]\nwindow = \"1m\"\n";
        let config: DetectConfig = toml::from_str(text).unwrap();
        let wrong = toml::from_str::<DetectConfig>("[\"scan.arp\"]\nwindows = \"1m\"\n");

        assert_eq!(config.host_new.peers, 9);
        assert_eq!(config.host_new.learning.as_secs(), 86_400);
        assert_eq!(config.arp.window.as_secs(), 60);
        assert!(wrong.unwrap_err().to_string().contains("unknown field `windows`"));
    }

    #[test]
    fn leaves_out_what_is_switched_off() {
        let config: DetectConfig = toml::from_str("disabled = [\"scan.slow\"]").unwrap();

        let left: Vec<_> = all(&config).iter().map(|detector| detector.id()).collect();

        assert_eq!(left.len(), all(&DetectConfig::default()).len() - 1);
        assert!(!left.contains(&"scan.slow"));
    }

    #[test]
    fn has_a_detector_for_every_section() {
        let config = toml::to_string(&DetectConfig::default()).unwrap();

        for id in ids() {
            assert!(config.contains(&format!("[\"{id}\"]")), "{id}");
        }
    }
}

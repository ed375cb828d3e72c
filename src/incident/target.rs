//! What makes two alerts about one host different: the kind of behaviour and the class of targets.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::config::NetworkConfig;
use crate::score::is_under;

use super::AlertKind;

/// Prefix lengths of what counts as one network: a /16 of IPv4, a site's /48 of IPv6 (RFC 6177).
const V4_BITS: u8 = 16;
const V6_BITS: u8 = 48;

/// Where the targets of a behaviour are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TargetClass {
    /// In this network of ours.
    Internal(IpNet),
    /// Anywhere else.
    External,
    /// In more networks than have an alert each.
    Many,
    /// Nobody is named.
    Unnamed,
}

impl TargetClass {
    /// The class of one peer.
    pub fn of(peer: IpAddr, network: &NetworkConfig) -> Self {
        if !network.is_internal(peer) {
            return Self::External;
        }
        let bits = if peer.is_ipv4() { V4_BITS } else { V6_BITS };
        IpNet::new(peer, bits).map_or(Self::External, |net| Self::Internal(net.trunc()))
    }
}

impl fmt::Display for TargetClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Internal(net) => write!(f, "internal {net}"),
            Self::External => f.write_str("external"),
            Self::Many => f.write_str("many networks"),
            Self::Unnamed => f.write_str("unnamed"),
        }
    }
}

/// Detector prefixes and the kind of alert that their evidence is for; the first that fits counts.
const KINDS: [(&str, AlertKind); 9] = [
    ("scan.adaptive", AlertKind::AdaptiveWorm),
    ("scan", AlertKind::Scan),
    ("auth", AlertKind::Bruteforce),
    ("lateral", AlertKind::LateralMovement),
    ("novelty", AlertKind::LateralMovement),
    ("propagation", AlertKind::Worm),
    ("content", AlertKind::Worm),
    ("inference", AlertKind::InferenceRelay),
    ("fingerprint", AlertKind::Fingerprint),
];

/// The kind of alert that a detector's evidence is for; `None` for context, which is never an
/// alert.
pub fn kind_of(detector: &str) -> Option<AlertKind> {
    KINDS.iter().find(|(prefix, _)| is_under(detector, prefix)).map(|(_, kind)| *kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peers_of_one_network_are_one_class() {
        let network = NetworkConfig::default();
        let class = |addr: &str| TargetClass::of(addr.parse().unwrap(), &network).to_string();

        assert_eq!(class("10.1.2.3"), "internal 10.1.0.0/16");
        assert_eq!(class("10.1.200.3"), "internal 10.1.0.0/16");
        assert_eq!(class("fd00:1:2:3::4"), "internal fd00:1:2::/48");
        assert_eq!(class("192.0.2.1"), "external");
        assert_eq!(class("2001:db8::1"), "external");
    }

    #[test]
    fn every_detector_has_its_kind_and_context_has_none() {
        assert_eq!(kind_of("scan.horizontal"), Some(AlertKind::Scan));
        assert_eq!(kind_of("scan.adaptive"), Some(AlertKind::AdaptiveWorm));
        assert_eq!(kind_of("auth.bruteforce"), Some(AlertKind::Bruteforce));
        assert_eq!(kind_of("propagation.turn"), Some(AlertKind::Worm));
        assert_eq!(kind_of("host.new"), None);
    }
}

//! `[network]`: which addresses are ours.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use serde::{Deserialize, Deserializer, Serialize, de};

use crate::inventory::Networks;

/// `[network]`: what is ours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NetworkConfig {
    /// Networks and addresses whose hosts are internal.
    #[serde(deserialize_with = "networks")]
    pub home_nets: Vec<IpNet>,
    /// Hosts and networks that may scan: vulnerability scanners, asset discovery.
    pub allowed_scanners: Networks,
}

/// Reads networks; a bare address is a network of its own.
fn networks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<IpNet>, D::Error> {
    let written = Vec::<Network>::deserialize(deserializer)?;
    Ok(written.into_iter().map(|network| network.0).collect())
}

/// One network as people write it.
struct Network(IpNet);

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(NetworkVisitor)
    }
}

/// Parses while the item is visited, so that a mistake is marked where it stands in the list.
struct NetworkVisitor;

impl de::Visitor<'_> for NetworkVisitor {
    type Value = Network;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a network or an address")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Network, E> {
        text.parse()
            .or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
            .map(Network)
            .map_err(|_| E::custom(format!("`{text}` is neither a network nor an address")))
    }
}

/// Private (RFC 1918), shared with the carrier (RFC 6598), link-local (RFC 3927, RFC 4291), unique
/// local (RFC 4193) and loopback addresses.
impl Default for NetworkConfig {
    fn default() -> Self {
        let v4 = |a, b, bits| Ipv4Net::new_assert(Ipv4Addr::new(a, b, 0, 0), bits).into();
        let v6 = |first, last, bits| {
            Ipv6Net::new_assert(Ipv6Addr::new(first, 0, 0, 0, 0, 0, 0, last), bits).into()
        };
        Self {
            home_nets: vec![
                v4(10, 0, 8),
                v4(172, 16, 12),
                v4(192, 168, 16),
                v4(100, 64, 10),
                v4(169, 254, 16),
                v4(127, 0, 8),
                v6(0xfe80, 0, 10),
                v6(0xfc00, 0, 7),
                v6(0, 1, 128),
            ],
            allowed_scanners: Networks::default(),
        }
    }
}

impl NetworkConfig {
    /// Whether `addr` is ours; an IPv4-mapped IPv6 address counts as IPv4.
    pub fn is_internal(&self, addr: IpAddr) -> bool {
        let addr = addr.to_canonical();
        self.home_nets.iter().any(|net| net.contains(&addr))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_addresses_are_ours_by_default() {
        let network = NetworkConfig::default();
        let ours =
            ["10.255.0.1", "172.31.9.9", "192.168.1.1", "100.64.0.1", "127.0.0.1", "fd00::1"];
        let theirs = ["11.0.0.1", "172.32.0.1", "192.0.2.1", "2001:db8::1", "ff02::1"];

        assert!(ours.iter().all(|addr| network.is_internal(addr.parse().unwrap())));
        assert!(!theirs.iter().any(|addr| network.is_internal(addr.parse().unwrap())));
    }
    #[test]
    fn a_bare_address_is_a_network_of_its_own() {
        let network: NetworkConfig =
            toml::from_str("home_nets = [\"10.0.0.5\", \"2001:db8::7\"]").unwrap();

        assert!(network.is_internal("10.0.0.5".parse().unwrap()));
        assert!(network.is_internal("2001:db8::7".parse().unwrap()));
        assert!(!network.is_internal("10.0.0.6".parse().unwrap()));
    }
}

//! `[network]`: which addresses are ours.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use serde::{Deserialize, Serialize};

/// `[network]`: what is ours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NetworkConfig {
    /// Networks whose hosts are internal.
    pub home_nets: Vec<IpNet>,
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
}

//! Sets of networks that are asked for every address: prefixes compared as integers.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A set of networks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Networks {
    listed: Vec<IpNet>,
    v4: Vec<(u32, u32)>,
    v6: Vec<(u128, u128)>,
}

impl Networks {
    /// The set of these networks.
    pub fn new(listed: Vec<IpNet>) -> Self {
        let mut v4 = Vec::new();
        let mut v6 = Vec::new();
        for net in &listed {
            match net {
                IpNet::V4(net) => v4.push((net.network().to_bits(), net.netmask().to_bits())),
                IpNet::V6(net) => v6.push((net.network().to_bits(), net.netmask().to_bits())),
            }
        }
        Self { listed, v4, v6 }
    }

    /// Private (RFC 1918), shared with the carrier (RFC 6598), link-local (RFC 3927, RFC 4291),
    /// unique local (RFC 4193) and loopback addresses.
    pub fn private() -> Self {
        let nets = [
            "10.0.0.0/8",
            "172.16.0.0/12",
            "192.168.0.0/16",
            "100.64.0.0/10",
            "169.254.0.0/16",
            "127.0.0.0/8",
            "fe80::/10",
            "fc00::/7",
            "::1/128",
        ];
        Self::new(nets.iter().filter_map(|net| net.parse().ok()).collect())
    }

    /// Whether `addr` lies in one of them; an IPv4-mapped IPv6 address counts as IPv4.
    pub fn contains(&self, addr: IpAddr) -> bool {
        match addr.to_canonical() {
            IpAddr::V4(v4) => {
                let bits = v4.to_bits();
                self.v4.iter().any(|(net, mask)| bits & mask == *net)
            }
            IpAddr::V6(v6) => {
                let bits = v6.to_bits();
                self.v6.iter().any(|(net, mask)| bits & mask == *net)
            }
        }
    }

    /// The networks, as given.
    pub fn listed(&self) -> &[IpNet] {
        &self.listed
    }
}

impl Serialize for Networks {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.listed.iter().map(ToString::to_string))
    }
}

impl<'de> Deserialize<'de> for Networks {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let texts = Vec::<String>::deserialize(deserializer)?;
        let mut listed = Vec::with_capacity(texts.len());
        for text in texts {
            let net = text
                .parse()
                .or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
                .map_err(|_| serde::de::Error::custom(format!("`{text}` is not a network")))?;
            listed.push(net);
        }
        Ok(Self::new(listed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_its_own() {
        let home = Networks::private();

        for own in ["10.1.2.3", "100.64.0.1", "169.254.9.9", "fd00::1", "::ffff:192.168.0.1"] {
            assert!(home.contains(own.parse().unwrap()), "{own}");
        }
        for other in ["100.128.0.1", "172.32.0.1", "240.0.0.1", "2001:db8::1", "11.0.0.1"] {
            assert!(!home.contains(other.parse().unwrap()), "{other}");
        }
    }

    #[test]
    fn reads_networks_and_single_addresses_and_names_what_is_neither() {
        let nets: Networks =
            serde_json::from_str(r#"["192.0.2.0/24", "2001:db8::7", "198.51.100.77/24"]"#).unwrap();
        let wrong = serde_json::from_str::<Networks>(r#"["192.0.2.0/99"]"#).unwrap_err();

        assert!(nets.contains("192.0.2.9".parse().unwrap()));
        assert!(nets.contains("2001:db8::7".parse().unwrap()));
        assert!(!nets.contains("2001:db8::8".parse().unwrap()));
        assert!(nets.contains("198.51.100.1".parse().unwrap()));
        assert!(wrong.to_string().contains("`192.0.2.0/99` is not a network"), "{wrong}");
    }
}

//! Why a frame cannot be used: a counter each, never a log line.

macro_rules! skips {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $is_error:literal;)*) => {
        /// Why a frame was not used.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Skip { $($(#[$doc])* $name,)* }

        impl Skip {
            /// All reasons, in order of [`Skip::index`].
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];
            /// How many reasons there are.
            pub const COUNT: usize = Self::ALL.len();

            /// The name in metrics and JSON.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// Whether the frame is damaged, rather than of no use to a sensor of IP traffic.
            pub const fn is_error(self) -> bool {
                match self { $(Self::$name => $is_error,)* }
            }

            /// A place in an array of [`Skip::COUNT`] counters.
            pub const fn index(self) -> usize {
                self as usize
            }
        }
    };
}

skips! {
    /// The link type is none that carries IP in a way known here.
    UnsupportedLink = "unsupported_link", false;
    /// The frame ends inside the link-layer header.
    TruncatedLink = "truncated_link", true;
    /// A frame that carries neither IP nor ARP: STP, LLDP, IPX and the like.
    NotIp = "not_ip", false;
    /// An 802.11 frame that carries no data: management, control, null.
    WirelessControl = "wireless_control", false;
    /// The payload is encrypted below IP: 802.11 with protection, MACsec.
    EncryptedLink = "encrypted_link", false;
    /// An ARP message that is cut off, or not for IPv4 over Ethernet.
    BadArp = "bad_arp", true;
    /// The frame ends inside the IP header.
    TruncatedIp = "truncated_ip", true;
    /// An IP header that contradicts itself.
    BadIp = "bad_ip", true;
    /// A fragment that waits for the others.
    FragmentHeld = "fragment_held", false;
    /// A fragment that cannot belong to a packet.
    BadFragment = "bad_fragment", true;
    /// An IP protocol that opens no connections: IGMP, OSPF, ESP, VRRP and the like.
    OtherProtocol = "other_protocol", false;
    /// The packet ends inside the TCP, UDP, ICMP or SCTP header.
    TruncatedTransport = "truncated_transport", true;
    /// A transport header that contradicts itself.
    BadTransport = "bad_transport", true;
    /// A tunnel that ends inside its header, or whose inside is no packet.
    BadTunnel = "bad_tunnel", true;
    /// Layers in layers, deeper than anybody needs.
    TooDeep = "too_deep", true;
    /// A copy of a packet that another port, or the same one, mirrored before.
    Duplicate = "duplicate", false;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_its_own_place_and_name() {
        for (index, skip) in Skip::ALL.iter().enumerate() {
            assert_eq!(skip.index(), index);
        }
        let names: std::collections::BTreeSet<_> = Skip::ALL.iter().map(|s| s.as_str()).collect();
        assert_eq!(names.len(), Skip::COUNT);
    }
}

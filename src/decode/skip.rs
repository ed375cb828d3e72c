//! Why a frame became no packet: a small closed set, so that counting is one array increment.

/// The reason a frame gives no [`Packet`](super::Packet).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Skip {
    /// The link carries neither IP nor ARP: LLDP, spanning tree, PPP control, keep-alives.
    NonIp,
    /// An 802.11 management or control frame, or a data frame without data.
    WifiControl,
    /// Encrypted or compressed below IP: 802.11 protected frames, MACsec, MPPE.
    Encrypted,
    /// A fragment made by the link layer (802.11, PPP multilink); these are not reassembled.
    LinkFragment,
    /// ARP for something other than IPv4 over Ethernet addresses.
    OtherArp,
    /// An IP protocol that carries no connections: IGMP, OSPF, VRRP, ESP, ...
    OtherProtocol,
    /// A header chain that ends without a payload: IPv6 "no next header", a GRE acknowledgement.
    NoPayload,
    /// An IPv6 jumbogram (RFC 2675).
    Jumbogram,
    /// A fragment that waits for the rest of its datagram.
    FragmentHeld,
    /// The link type of the capture is not supported.
    UnsupportedLink,
    /// The captured bytes end within the link-layer headers.
    TruncatedLink,
    /// A link-layer header contradicts itself.
    BadLink,
    /// The 802.11 frame check failed at the receiver, which says so in the radiotap header.
    BadFcs,
    /// The captured bytes end within an ARP message.
    TruncatedArp,
    /// The captured bytes end within the IP headers.
    TruncatedIp,
    /// The version field is not the one that the layer below announced.
    BadIpVersion,
    /// The IPv4 header length is below 20 bytes (RFC 791 section 3.1).
    BadIpHeader,
    /// The IPv4 total length is shorter than the header.
    BadIpLength,
    /// An extension header runs over the end of the packet, or there are too many.
    BadExtension,
    /// A fragment that was captured only in part; its datagram can never be whole.
    FragmentCut,
    /// A fragment that no sender may send: over 65535 bytes, empty, or against what is known.
    BadFragment,
    /// A fragment whose datagram did not fit the budget.
    FragmentDropped,
    /// The captured bytes end within the transport header.
    TruncatedTransport,
    /// A transport header contradicts itself or does not fit its packet.
    BadTransport,
    /// A tunnel header contradicts itself.
    BadTunnel,
    /// More encapsulations than are followed.
    TooDeep,
}

impl Skip {
    /// Every reason, in the order of [`index`](Self::index).
    pub const ALL: [Self; 26] = [
        Self::NonIp,
        Self::WifiControl,
        Self::Encrypted,
        Self::LinkFragment,
        Self::OtherArp,
        Self::OtherProtocol,
        Self::NoPayload,
        Self::Jumbogram,
        Self::FragmentHeld,
        Self::UnsupportedLink,
        Self::TruncatedLink,
        Self::BadLink,
        Self::BadFcs,
        Self::TruncatedArp,
        Self::TruncatedIp,
        Self::BadIpVersion,
        Self::BadIpHeader,
        Self::BadIpLength,
        Self::BadExtension,
        Self::FragmentCut,
        Self::BadFragment,
        Self::FragmentDropped,
        Self::TruncatedTransport,
        Self::BadTransport,
        Self::BadTunnel,
        Self::TooDeep,
    ];

    /// How many reasons there are: the length of an array of counters.
    pub const COUNT: usize = Self::ALL.len();

    /// Its place in an array of counters, below [`COUNT`](Self::COUNT).
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The name in metrics and in `decode_errors`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NonIp => "non_ip",
            Self::WifiControl => "wifi_control",
            Self::Encrypted => "encrypted",
            Self::LinkFragment => "link_fragment",
            Self::OtherArp => "other_arp",
            Self::OtherProtocol => "other_protocol",
            Self::NoPayload => "no_payload",
            Self::Jumbogram => "jumbogram",
            Self::FragmentHeld => "fragment_held",
            Self::UnsupportedLink => "unsupported_link",
            Self::TruncatedLink => "truncated_link",
            Self::BadLink => "bad_link",
            Self::BadFcs => "bad_fcs",
            Self::TruncatedArp => "truncated_arp",
            Self::TruncatedIp => "truncated_ip",
            Self::BadIpVersion => "bad_ip_version",
            Self::BadIpHeader => "bad_ip_header",
            Self::BadIpLength => "bad_ip_length",
            Self::BadExtension => "bad_extension",
            Self::FragmentCut => "fragment_cut",
            Self::BadFragment => "bad_fragment",
            Self::FragmentDropped => "fragment_dropped",
            Self::TruncatedTransport => "truncated_transport",
            Self::BadTransport => "bad_transport",
            Self::BadTunnel => "bad_tunnel",
            Self::TooDeep => "too_deep",
        }
    }

    /// Whether something was lost or damaged, or the sensor is blind to it. The others are healthy
    /// traffic that has nothing to say about connections.
    pub const fn is_error(self) -> bool {
        self as u8 >= Self::UnsupportedLink as u8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_fit_an_array_in_the_order_of_all() {
        for (place, skip) in Skip::ALL.into_iter().enumerate() {
            assert_eq!(skip.index(), place, "{}", skip.as_str());
        }
    }

    #[test]
    fn names_are_unique_and_in_snake_case() {
        let names: std::collections::BTreeSet<_> = Skip::ALL.iter().map(|s| s.as_str()).collect();

        assert_eq!(names.len(), Skip::COUNT);
        assert!(names.iter().all(|n| n.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')));
    }

    #[test]
    fn tells_healthy_traffic_from_damage() {
        assert!(!Skip::NonIp.is_error());
        assert!(!Skip::FragmentHeld.is_error());
        assert!(Skip::UnsupportedLink.is_error());
        assert!(Skip::TruncatedIp.is_error());
    }
}

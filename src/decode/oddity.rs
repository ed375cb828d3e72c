//! What was strange about a frame, whether or not it became a packet: a set of bits, filled on
//! paths that ordinary traffic never takes.

use std::net::IpAddr;

/// Something a correct sender does not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Oddity {
    /// A fragment repeats part of another one with the same bytes, and brings new ones.
    FragmentOverlap,
    /// A fragment repeats part of another one with different bytes.
    FragmentInconsistency,
    /// Fragments disagree about where their datagram ends.
    FragmentSizeInconsistency,
    /// A fragment reaches beyond 65535 bytes (the "ping of death").
    ExcessivelyLargeFragment,
    /// A fragment other than the last is in a packet of fewer than 64 bytes.
    ExcessivelySmallFragment,
    /// A fragment that forbids fragmentation.
    FragmentWithDf,
    /// A fragment was captured only in part.
    IncompletelyCapturedFragment,
    /// The IP header claims more than was on the wire.
    TruncatedIpLen,
    /// An IPv4 header length or total length that is too small.
    InvalidIpHeaderSize,
    /// A routing header of type 0, which RFC 5095 forbids.
    Routing0Hdr,
    /// A TCP data offset below 5 words, or beyond the packet.
    BadTcpHeaderLen,
    /// UDP and IP disagree about the length.
    UdpDatagramLengthMismatch,
    /// More encapsulations than are followed.
    ExceededTunnelMaxDepth,
}

impl Oddity {
    const ALL: [Self; 13] = [
        Self::FragmentOverlap,
        Self::FragmentInconsistency,
        Self::FragmentSizeInconsistency,
        Self::ExcessivelyLargeFragment,
        Self::ExcessivelySmallFragment,
        Self::FragmentWithDf,
        Self::IncompletelyCapturedFragment,
        Self::TruncatedIpLen,
        Self::InvalidIpHeaderSize,
        Self::Routing0Hdr,
        Self::BadTcpHeaderLen,
        Self::UdpDatagramLengthMismatch,
        Self::ExceededTunnelMaxDepth,
    ];

    /// Zeek's name for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FragmentOverlap => "fragment_overlap",
            Self::FragmentInconsistency => "fragment_inconsistency",
            Self::FragmentSizeInconsistency => "fragment_size_inconsistency",
            Self::ExcessivelyLargeFragment => "excessively_large_fragment",
            Self::ExcessivelySmallFragment => "excessively_small_fragment",
            Self::FragmentWithDf => "fragment_with_DF",
            Self::IncompletelyCapturedFragment => "incompletely_captured_fragment",
            Self::TruncatedIpLen => "truncated_IP_len",
            Self::InvalidIpHeaderSize => "invalid_IP_header_size",
            Self::Routing0Hdr => "routing0_hdr",
            Self::BadTcpHeaderLen => "bad_TCP_header_len",
            Self::UdpDatagramLengthMismatch => "UDP_datagram_length_mismatch",
            Self::ExceededTunnelMaxDepth => "exceeded_tunnel_max_depth",
        }
    }

    const fn bit(self) -> u16 {
        1 << self as u16
    }
}

/// The oddities of one frame, and between whom.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Oddities {
    set: u16,
    ends: Option<(IpAddr, IpAddr)>,
}

impl Oddities {
    /// Whether there is nothing to tell, as for nearly every frame.
    pub const fn is_empty(&self) -> bool {
        self.set == 0
    }

    /// Source and destination of the IP packet that the latest oddity was found in.
    pub const fn ends(&self) -> Option<(IpAddr, IpAddr)> {
        self.ends
    }

    /// The oddities, in the order of the enum.
    pub fn iter(&self) -> impl Iterator<Item = Oddity> + use<> {
        let set = self.set;
        Oddity::ALL.into_iter().filter(move |oddity| set & oddity.bit() != 0)
    }

    pub(super) fn clear(&mut self) {
        self.set = 0;
        self.ends = None;
    }

    #[cold]
    pub(super) fn note(&mut self, oddity: Oddity, src: IpAddr, dst: IpAddr) {
        self.set |= oddity.bit();
        self.ends = Some((src, dst));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_each_oddity_once_in_a_fixed_order() {
        let (a, b) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        let mut seen = Oddities::default();

        seen.note(Oddity::FragmentWithDf, a, b);
        seen.note(Oddity::FragmentOverlap, a, b);
        seen.note(Oddity::FragmentWithDf, a, b);

        let names: Vec<_> = seen.iter().map(Oddity::as_str).collect();
        assert_eq!(names, ["fragment_overlap", "fragment_with_DF"]);
        assert_eq!(seen.ends(), Some((a, b)));
    }

    #[test]
    fn every_oddity_has_its_own_bit() {
        let all = Oddity::ALL.iter().fold(0u16, |set, oddity| set | oddity.bit());

        assert_eq!(all.count_ones() as usize, Oddity::ALL.len());
    }
}

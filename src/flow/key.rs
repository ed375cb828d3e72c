//! How a connection is found: a key that is the same for both directions. Who opened it is a
//! different question, and a different type (`Orientation`).

use std::hash::{Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::event::Uid;
use crate::net::{Endpoint, Ends, Transport, bits};
use crate::time::Timestamp;

/// Which end of a key sent a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The endpoint that sorts first.
    Low,
    /// The endpoint that sorts last.
    High,
}

/// Who opened a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Orientation {
    /// The client's end of the key.
    pub(super) client: End,
    /// Whether that was inferred, because the opening was not seen.
    pub(super) inferred: bool,
}

/// What both directions of a connection have in common, in 40 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FlowKey {
    low: [u64; 2],
    high: [u64; 2],
    low_port: u16,
    high_port: u16,
    /// Transport in bits 0 to 1, IPv6 in bit 2, one-way direction in bits 3 to 4, whether it is no
    /// connection's in bit 5, and from bit 8 on what an ICMP error is about.
    kind: u32,
}

/// What is found out about where a connection is before its packet's turn.
#[derive(Clone, Copy, Debug)]
pub struct Hint {
    /// The key's hash in the table that it is for.
    pub(super) hash: u64,
    /// Where the connection probably is; [`NOWHERE`](crate::index::NOWHERE) while nobody has looked.
    pub(super) place: u32,
}

/// By what the connection of a packet is found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lookup {
    pub(super) key: FlowKey,
    /// Which end of the key sent the packet.
    pub(super) sender: End,
    pub(super) hint: Hint,
}

const IS_V6: u32 = 1 << 2;
const ONE_WAY_LOW: u32 = 1 << 3;
const ONE_WAY_HIGH: u32 = 1 << 4;
const VACANT: u32 = 1 << 5;
const ABOUT_SHIFT: u32 = 8;

impl FlowKey {
    /// The key of a packet between these ends, and which end of it sends.
    #[inline]
    pub(super) fn new(ends: &Ends) -> (Self, End) {
        let mut kind = match ends.transport {
            Transport::Tcp => 0,
            Transport::Udp => 1,
            Transport::Icmp => 2,
            Transport::Sctp => 3,
        };
        if ends.is_v6 {
            kind |= IS_V6;
        }
        let (sender, low, high) = match ends.src <= ends.dst {
            true => (End::Low, ends.src, ends.dst),
            false => (End::High, ends.dst, ends.src),
        };
        let (low, low_port) = (words(low.0), low.1);
        let (high, high_port) = (words(high.0), high.1);
        (Self { low, high, low_port, high_port, kind }, sender)
    }

    /// The key of an ICMP message that nobody answers. `about` is the destination that an error
    /// complains of, where it is not the sender: so a router's errors are one flow a destination,
    /// whichever shard they land in.
    pub(super) fn one_way(src: Endpoint, dst: Endpoint, about: Option<IpAddr>) -> (Self, End) {
        let (mut key, sender) = Self::new(&Ends::new(Transport::Icmp, src, dst));
        key.kind |= match sender {
            End::Low => ONE_WAY_LOW,
            End::High => ONE_WAY_HIGH,
        };
        if let Some(addr) = about {
            let [a, b] = words(bits(addr));
            key.kind |= (mix(a ^ b.rotate_left(32)) as u32) << ABOUT_SHIFT;
        }
        (key, sender)
    }

    /// The key of no connection: what stands in a place that is free.
    pub(super) const VACANT: Self =
        Self { low: [0; 2], high: [0; 2], low_port: 0, high_port: 0, kind: VACANT };

    /// Whether it is no connection's.
    #[inline]
    pub(super) const fn is_vacant(&self) -> bool {
        self.kind & VACANT != 0
    }

    /// The transport protocol.
    pub(super) const fn transport(&self) -> Transport {
        match self.kind & 3 {
            0 => Transport::Tcp,
            1 => Transport::Udp,
            2 => Transport::Icmp,
            _ => Transport::Sctp,
        }
    }

    /// The endpoint at `end`.
    pub(super) fn endpoint(&self, end: End) -> Endpoint {
        let (words, port) = match end {
            End::Low => (self.low, self.low_port),
            End::High => (self.high, self.high_port),
        };
        Endpoint::new(address(words, self.kind & IS_V6 != 0), port)
    }

    /// An identifier that depends on nothing but the connection: 96 bits, as Zeek's.
    pub(super) fn uid(&self, start: Timestamp, number: u64) -> Uid {
        let [a, b] = self.low;
        let [c, d] = self.high;
        let ports = (u64::from(self.low_port) << 48)
            | (u64::from(self.high_port) << 32)
            | u64::from(self.kind);
        let lane = |seed: u64| {
            [a, b, c, d, ports, start.as_nanos() as u64, number]
                .into_iter()
                .fold(mix(seed), |state, word| mix(state ^ word))
        };
        let high = lane(0x5741_524d) as u32;
        Uid((u128::from(high) << 64) | u128::from(lane(0x574f_524d)))
    }
}

/// One hash input per eight bytes; deriving it would feed the hasher field by field.
impl Hash for FlowKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let [a, b] = self.low;
        let [c, d] = self.high;
        if self.kind & IS_V6 == 0 {
            state.write_u64((b << 32) | d);
        } else {
            state.write_u64(a);
            state.write_u64(b);
            state.write_u64(c);
            state.write_u64(d);
        }
        state.write_u64(
            (u64::from(self.low_port) << 48)
                | (u64::from(self.high_port) << 32)
                | u64::from(self.kind),
        );
    }
}

impl End {
    /// The other end.
    pub(super) const fn other(self) -> Self {
        match self {
            Self::Low => Self::High,
            Self::High => Self::Low,
        }
    }
}

const fn words(addr: u128) -> [u64; 2] {
    [(addr >> 64) as u64, addr as u64]
}

fn address([high, low]: [u64; 2], v6: bool) -> IpAddr {
    if v6 {
        IpAddr::V6(Ipv6Addr::from_bits((u128::from(high) << 64) | u128::from(low)))
    } else {
        IpAddr::V4(Ipv4Addr::from_bits(low as u32))
    }
}

/// The finaliser of SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number
/// generators", 2014): every input bit moves every output bit, on every platform the same.
const fn mix(word: u64) -> u64 {
    let word = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(addr: &str, port: u16) -> Endpoint {
        Endpoint::new(addr.parse().unwrap(), port)
    }

    #[test]
    fn both_directions_have_one_key() {
        let (a, b) = (endpoint("192.0.2.1", 40_000), endpoint("192.0.2.2", 80));

        let (there, sent_there) = FlowKey::new(&Ends::new(Transport::Tcp, a, b));
        let (back, sent_back) = FlowKey::new(&Ends::new(Transport::Tcp, b, a));

        assert_eq!(there, back);
        assert_eq!(sent_there, sent_back.other());
        assert_eq!(there.endpoint(sent_there), a);
        assert_eq!(there.endpoint(sent_back), b);
    }

    #[test]
    fn transports_and_families_do_not_mix() {
        let v4 = (endpoint("0.0.0.1", 1), endpoint("0.0.0.2", 2));
        let v6 = (endpoint("::1", 1), endpoint("::2", 2));

        let tcp = FlowKey::new(&Ends::new(Transport::Tcp, v4.0, v4.1)).0;

        assert_ne!(tcp, FlowKey::new(&Ends::new(Transport::Udp, v4.0, v4.1)).0);
        assert_ne!(tcp, FlowKey::new(&Ends::new(Transport::Tcp, v6.0, v6.1)).0);
        assert_eq!(
            FlowKey::new(&Ends::new(Transport::Tcp, v6.0, v6.1)).0.endpoint(End::High),
            v6.1
        );
    }

    #[test]
    fn identifiers_are_the_same_in_every_run() {
        let key = FlowKey::new(&Ends::new(
            Transport::Tcp,
            endpoint("192.0.2.1", 40_000),
            endpoint("192.0.2.2", 80),
        ))
        .0;

        let uid = key.uid(Timestamp::from_secs(1), 7);

        assert_eq!(uid, key.uid(Timestamp::from_secs(1), 7));
        assert_ne!(uid, key.uid(Timestamp::from_secs(1), 8));
        assert_eq!(uid.0 >> 96, 0);
    }

    #[test]
    fn the_key_stays_small() {
        assert_eq!(size_of::<FlowKey>(), 40);
    }
}

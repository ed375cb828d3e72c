//! What passed between a client and a server over a way in, small enough to remember thousands, and
//! along which axes two of them are alike.

use std::net::IpAddr;

use super::said::Said;
use crate::detect::{Class, class};
use crate::inventory::mix;
use crate::net::{Service, Transport};
use crate::time::Timestamp;

/// What passed between two hosts, seen from one of them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Exchange {
    /// The other end.
    pub(super) peer: IpAddr,
    /// What the client asked for.
    pub(super) service: Service,
    /// When it began.
    pub(super) start: Timestamp,
    /// When it was over.
    pub(super) end: Timestamp,
    /// Payload bytes of the client, as a power of two.
    pub(super) sent: f32,
    /// Payload bytes of the server, as a power of two.
    pub(super) received: f32,
    /// What records told of it.
    pub(super) said: Said,
    /// Whether the host had called this peer before itself: it answers for what it did.
    pub(super) is_answer: bool,
    /// Whether the host fetched this from a peer that had called it shortly before: bytes are then
    /// counted as if the peer had sent them of its own accord.
    pub(super) is_fetched: bool,
}

/// In what two exchanges are alike, the most telling first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Axis {
    /// One service, and sizes within a tenth: the same copy, the same dialogue.
    Same,
    /// As much sent, within a twentieth, over any service: the same copy by another way.
    Copy,
    /// One service, and the same account.
    Account,
    /// One service, and the same software of the client.
    Software,
    /// One service, and sizes within a factor of two: a dialogue that varies, a copy that changes.
    Like,
    /// Any way in at all.
    Way,
}

impl Axis {
    /// All of them.
    pub(super) const ALL: [Self; 6] =
        [Self::Same, Self::Copy, Self::Account, Self::Software, Self::Like, Self::Way];

    /// The bit of this axis in a set of them.
    pub(super) const fn bit(self) -> u8 {
        1 << self as u8
    }

    /// The share of its axis that a place takes up: among some eight octaves of sizes, and few
    /// accounts and programs that most use.
    pub(super) const fn width(self) -> f64 {
        match self {
            Self::Same => 0.05,
            Self::Copy => 0.025,
            Self::Account | Self::Software => 0.5,
            Self::Like => 0.4,
            Self::Way => 1.0,
        }
    }

    /// In words, after "alike in".
    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::Same => "service and sizes",
            Self::Copy => "how much it sends, whatever the way",
            Self::Account => "service and account",
            Self::Software => "service and software",
            Self::Like => "service and, within a factor of two, sizes",
            Self::Way => "that it enters others at all",
        }
    }
}

/// Octaves of bytes sent below which a size is nothing to go by: dialogues, not copies (4 KiB).
const COPY_MIN: f32 = 12.0;
/// Steps an octave by which each axis tells sizes apart.
const SAME_STEPS: f32 = 8.0;
const COPY_STEPS: f32 = 16.0;
const LIKE_STEPS: f32 = 1.0;

impl Exchange {
    /// Bytes as a power of two.
    pub(super) fn octaves(bytes: u64) -> f32 {
        ((bytes + 1) as f64).log2() as f32
    }

    /// Whether it went through a door that administrators use, and somebody opened.
    pub(super) fn is_entry(&self) -> bool {
        let is_door = class(self.service) == Class::Admin;
        self.service.transport == Transport::Tcp && is_door && !self.is_fetched
    }

    /// Whether a blind spoofer could have made it: a datagram needs no answer.
    pub(super) fn is_forgeable(&self) -> bool {
        self.service.transport == Transport::Udp
    }

    /// Where it stands on an axis, if it stands there at all. What is alike has the same place or the
    /// next one.
    fn place(&self, axis: Axis) -> Option<i64> {
        let steps = |steps: f32| Some((self.sent * steps).floor() as i64);
        match axis {
            Axis::Same => steps(SAME_STEPS),
            Axis::Copy => steps(COPY_STEPS).filter(|_| self.sent >= COPY_MIN),
            Axis::Account => Some(i64::from(self.said.account)).filter(|account| *account != 0),
            Axis::Software => Some(i64::from(self.said.software)).filter(|software| *software != 0),
            Axis::Like => steps(LIKE_STEPS),
            Axis::Way => Some(0).filter(|_| self.is_entry()),
        }
    }

    /// A hash of its place on an axis.
    pub(super) fn key(&self, axis: Axis) -> Option<u64> {
        self.place(axis).map(|place| self.hash(axis, place))
    }

    /// Hashes of all places where something would be that is alike.
    pub(super) fn keys(&self, axis: Axis) -> impl Iterator<Item = u64> {
        let reach = match axis {
            Axis::Same | Axis::Copy | Axis::Like => 1,
            Axis::Account | Axis::Software | Axis::Way => 0,
        };
        let places = self.place(axis).into_iter().flat_map(move |at| at - reach..=at + reach);
        places.map(move |place| self.hash(axis, place))
    }

    fn hash(&self, axis: Axis, place: i64) -> u64 {
        let service = match axis {
            Axis::Copy | Axis::Way => 0,
            _ => {
                let how = self.service.transport as u64 | u64::from(self.is_fetched) << 7;
                u64::from(self.service.port) << 8 | how
            }
        };
        mix(mix(place as u64 ^ (axis as u64) << 56) ^ service)
    }

    /// Whether `other` is the same in that respect.
    pub(super) fn is_alike(&self, other: &Self, axis: Axis) -> bool {
        let near = |a: f32, b: f32, octaves: f32| (a - b).abs() <= octaves;
        let is_one_service = self.service == other.service && self.is_fetched == other.is_fetched;
        match axis {
            Axis::Same => {
                is_one_service
                    && near(self.sent, other.sent, 1.0 / SAME_STEPS)
                    && near(self.received, other.received, 0.5)
            }
            Axis::Copy => {
                self.sent.min(other.sent) >= COPY_MIN
                    && near(self.sent, other.sent, 1.0 / COPY_STEPS)
            }
            Axis::Account => {
                is_one_service && self.said.account != 0 && self.said.account == other.said.account
            }
            Axis::Software => {
                is_one_service
                    && self.said.software != 0
                    && self.said.software == other.said.software
            }
            Axis::Like => {
                is_one_service
                    && near(self.sent, other.sent, 1.0 / LIKE_STEPS)
                    && near(self.received, other.received, 1.5)
            }
            Axis::Way => self.is_entry() && other.is_entry(),
        }
    }
}

#[cfg(test)]
impl Exchange {
    /// One of a second with `peer` on a TCP port, of so many bytes there and back.
    pub(super) fn sample(peer: &str, port: u16, at: f64, (sent, received): (u64, u64)) -> Self {
        use crate::detect::testing::{ip, seconds};
        Self {
            peer: ip(peer),
            service: Service::tcp(port),
            start: seconds(at),
            end: seconds(at + 1.0),
            sent: Self::octaves(sent),
            received: Self::octaves(received),
            said: Said::default(),
            is_answer: false,
            is_fetched: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exchange(port: u16, sent: u64, received: u64) -> Exchange {
        Exchange::sample("10.0.0.1", port, 0.0, (sent, received))
    }

    fn alike(a: &Exchange, b: &Exchange) -> Vec<Axis> {
        Axis::ALL.into_iter().filter(|axis| a.is_alike(b, *axis)).collect()
    }

    #[test]
    fn the_same_copy_is_known_by_its_size_and_by_another_way_too() {
        let pushed = exchange(445, 21_054, 849);

        assert_eq!(
            alike(&pushed, &exchange(445, 21_066, 849)),
            [Axis::Same, Axis::Copy, Axis::Like, Axis::Way]
        );
        assert_eq!(alike(&pushed, &exchange(3389, 21_400, 9_000)), [Axis::Copy, Axis::Way]);
        assert_eq!(alike(&pushed, &exchange(445, 15_000, 849)), [Axis::Like, Axis::Way]);
        assert_eq!(alike(&pushed, &exchange(80, 600, 849)), []);
    }

    #[test]
    fn what_is_alike_has_neighbouring_keys() {
        for (a, b) in [((445, 21_054), (445, 22_000)), ((445, 4_200), (80, 4_300))] {
            let (a, b) = (exchange(a.0, a.1, 849), exchange(b.0, b.1, 849));
            for axis in alike(&a, &b) {
                assert!(a.keys(axis).any(|key| Some(key) == b.key(axis)), "{axis:?}");
            }
        }
    }
}

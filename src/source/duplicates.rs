//! Recognises a packet that was captured twice, so that nothing is counted twice.
//!
//! Two mirror ports see a packet that crosses both; one port that is mirrored in both directions, and a
//! router between two mirrored networks, show it on the way in and on the way out. The copies come
//! within milliseconds, perhaps with another VLAN tag and other MAC addresses, with a lower TTL and so
//! another header checksum, perhaps with another traffic class. What stays is compared: addresses,
//! identification, fragment offset, protocol, length, and what follows the IP header, as one keyed
//! 64-bit digest. Of TCP and UDP that is the first [`HEAD`] bytes: the checksum among them stands for
//! the rest, and who made another segment with the same numbers and the same sum would hide no more
//! than a retransmission does, of which only the first counts either. Where no checksum vouches for
//! the rest, all of it is compared. (IP options are left out: routers write in them.)
//!
//! Senders repeat themselves too, and such packets must not vanish. Which repetitions can be told from
//! copies?
//!
//! * With an identification (IPv4), a copy has the same and a repetition the next one, since senders
//!   must not repeat it soon (RFC 6864, 4.1, RFC 791, 3.2). Equal packets are one. Identifications
//!   that tools and stacks put into every packet do not count as one (see [`is_constant`]).
//! * TCP segments that occupy sequence numbers (SYN, FIN or data) are retransmitted after 200 ms or so
//!   (RFC 6298, 2.4 asks for a second; Linux takes 200 ms). An earlier one, after a loss that the peer reported, is
//!   taken for a copy; it carries nothing new. Equal segments are one.
//! * Everything else is anonymous: IPv6 and constant identifications without such a TCP segment, so UDP
//!   requests, pure acknowledgements, resets, pings, and what is not IP, such as ARP. On one interface it
//!   is never a copy. Several interfaces are counted against each other: the n-th such packet on
//!   one interface is a copy if another one has shown n of them already.
//!
//! Copies further apart than the window, cut to different lengths by the mirrors, or translated (NAT,
//! proxies) are not recognised.

use std::hash::{BuildHasher, Hasher};
use std::time::Duration;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use crate::time::Timestamp;

/// How far apart the copies of a packet may be: the delays of switches, and of the queues of two
/// capture interfaces, stay within it, retransmission timers do not.
pub const WINDOW: Duration = Duration::from_millis(10);

/// Packets that are remembered: a window of 1.6 million packets a second. Beyond that the older half
/// goes.
const CAPACITY: usize = 1 << 14;

/// Bytes behind the IP header that are compared where a checksum stands for the rest: a transport
/// header, with the beginning of what it carries where it is shorter than TCP's.
const HEAD: usize = 20;

/// Interfaces on which one anonymous packet is counted; on further ones it is never a copy.
const INTERFACES: usize = 4;

/// The packets of the last moments.
///
/// Two generations, each a window long: what is older than the window is not a copy, and goes with
/// the older generation all at once. So on a quiet link a few are held, close to the core, and at
/// most 16,384 of 33 bytes each, at a load of their tables between 7/16 and 7/8: 1.2 MiB.
#[derive(Debug)]
pub struct Duplicates {
    /// In nanoseconds.
    window: u64,
    /// Keyed at random, for senders must not choose what collides; no answer depends on the key.
    key: foldhash::quality::RandomState,
    young: HashTable<Sighting>,
    old: HashTable<Sighting>,
    /// When the young generation began.
    since: Timestamp,
}

#[derive(Clone, Copy, Debug)]
struct Sighting {
    digest: u64,
    ts: Timestamp,
    counts: [Count; INTERFACES],
}

/// How often an interface has shown the packet; unused with a count of zero.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    interface: u16,
    packets: u16,
}

/// What the copies of a packet have in common.
#[derive(Clone, Copy, Debug)]
pub struct Digest {
    of: u64,
    identity: Identity,
}

/// Whether equal packets must be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Identity {
    Unique,
    Anonymous,
}

impl Default for Duplicates {
    fn default() -> Self {
        Self::new(WINDOW)
    }
}

impl Duplicates {
    /// Remembers packets for `window` of packet time.
    pub fn new(window: Duration) -> Self {
        Self {
            window: u64::try_from(window.as_nanos()).unwrap_or(u64::MAX),
            key: foldhash::quality::RandomState::default(),
            young: HashTable::new(),
            old: HashTable::new(),
            since: Timestamp::from_nanos(i64::MIN),
        }
    }

    /// By what the copies of a packet are recognised.
    ///
    /// `network` begins with the network-layer header, whatever link layers and tags came before it; what
    /// follows an IP packet as padding is left out of account.
    #[inline]
    pub fn digest(&self, network: &[u8]) -> Digest {
        summarise(network, &self.key)
    }

    /// Whether the packet was seen before; one that was not is remembered. Times must not run
    /// backwards.
    #[inline]
    pub fn has_seen(
        &mut self,
        ts: Timestamp,
        interface: u16,
        Digest { of, identity }: Digest,
    ) -> bool {
        if ts.nanos_since(self.since) > self.window || self.young.len() >= CAPACITY / 2 {
            self.age(ts);
        }
        let window = self.window;
        let same =
            |sighting: &Sighting| sighting.digest == of && ts.nanos_since(sighting.ts) <= window;
        let Self { young, old, .. } = self;
        let unseen = match young.entry(of, same, |known| known.digest) {
            Entry::Occupied(mut seen) => return seen.get_mut().is_copy(identity, interface),
            Entry::Vacant(place) => place,
        };
        if let Some(seen) = old.find_mut(of, same) {
            return seen.is_copy(identity, interface);
        }
        let mut counts = [Count::default(); INTERFACES];
        if let Some(first) = counts.first_mut() {
            *first = Count { interface, packets: 1 };
        }
        unseen.insert(Sighting { digest: of, ts, counts });
        false
    }

    /// Begins a generation at `ts` and forgets the one before the last.
    #[cold]
    fn age(&mut self, ts: Timestamp) {
        std::mem::swap(&mut self.young, &mut self.old);
        self.young.clear();
        self.since = ts;
    }
}

impl Sighting {
    /// Whether an equal packet on `interface` is a copy of this one.
    fn is_copy(&mut self, identity: Identity, interface: u16) -> bool {
        identity == Identity::Unique || self.has_shown_elsewhere(interface)
    }

    /// Counts the packet on `interface`; true if another one has shown as many.
    fn has_shown_elsewhere(&mut self, interface: u16) -> bool {
        let most = self.counts.iter().map(|count| count.packets).max().unwrap_or(0);
        let counted =
            self.counts.iter_mut().find(|count| count.packets == 0 || count.interface == interface);
        let Some(counted) = counted else { return false };
        counted.interface = interface;
        counted.packets = counted.packets.saturating_add(1);
        counted.packets <= most
    }
}

/// Digests what copies of a packet have in common, and says whether equal digests mean one packet.
#[inline]
fn summarise(network: &[u8], key: &impl BuildHasher) -> Digest {
    let mut hasher = key.build_hasher();
    let identity = match network.first().map(|byte| byte >> 4) {
        Some(4) => ipv4(network, &mut hasher),
        Some(6) => ipv6(network, &mut hasher),
        _ => None,
    };
    let identity = identity.unwrap_or_else(|| {
        hasher.write(network);
        Identity::Anonymous
    });
    Digest { of: hasher.finish(), identity }
}

/// RFC 791, 3.1.
#[inline]
fn ipv4(network: &[u8], hasher: &mut impl Hasher) -> Option<Identity> {
    let header = network.first_chunk::<20>()?;
    let &[first, _, l0, l1, i0, i1, f0, f1, _, protocol, _, _, addresses @ ..] = header;
    let header_length = usize::from(first & 0x0f) * 4;
    let total = usize::from(u16::from_be_bytes([l0, l1]));
    // Offloading leaves a total length of zero.
    let end = if total < header_length { network.len() } else { total.min(network.len()) };
    let payload = network.get(header_length.max(20)..end)?;
    let is_first_fragment = (f0 & 0x1f, f1) == (0, 0);
    // Length, identification and fragment offset.
    let [about, ..] = *header.as_chunks::<8>().0 else { return None };
    hasher.write_u64(u64::from_be_bytes(addresses));
    hasher.write_u64(u64::from_be_bytes(about) << 16 | u64::from(protocol) << 8 | 4);
    compare(is_first_fragment && has_checksum(protocol, payload), payload, hasher);
    let has_identification = !is_constant(u16::from_be_bytes([i0, i1]));
    let is_unique =
        has_identification || is_first_fragment && protocol == TCP && occupies_sequence(payload);
    Some(if is_unique { Identity::Unique } else { Identity::Anonymous })
}

/// RFC 8200, 3.
fn ipv6(network: &[u8], hasher: &mut impl Hasher) -> Option<Identity> {
    let (&header, rest) = network.split_first_chunk::<40>()?;
    let [_, _, _, _, l0, l1, next, _, addresses @ ..] = header;
    let length = usize::from(u16::from_be_bytes([l0, l1]));
    // Jumbograms and offloading leave a length of zero.
    let payload = if length == 0 { rest } else { rest.get(..length).unwrap_or(rest) };
    hasher.write(&addresses);
    hasher.write_u64(u64::from_be_bytes([l0, l1, next, 6, 0, 0, 0, 0]));
    compare(has_checksum(next, payload), payload, hasher);
    let is_unique = next == TCP && occupies_sequence(payload);
    Some(if is_unique { Identity::Unique } else { Identity::Anonymous })
}

const TCP: u8 = 6;
const UDP: u8 = 17;

/// Whether an IP payload that begins with a transport header has a checksum that was captured. UDP
/// may leave it out (RFC 768), and then it is zero.
#[inline]
fn has_checksum(protocol: u8, payload: &[u8]) -> bool {
    match protocol {
        TCP => true,
        UDP => payload.get(6..8).is_some_and(|sum| sum != [0, 0]),
        _ => false,
    }
}

/// Puts an IP payload into the digest, or as much of it as a checksum does not stand for.
#[inline]
fn compare(has_checksum: bool, payload: &[u8], hasher: &mut impl Hasher) {
    match payload.first_chunk::<HEAD>() {
        Some(head) if has_checksum => {
            let &[a, b, c, d, e] = head.as_chunks::<4>().0 else { return };
            let word = |a: [u8; 4], b: [u8; 4]| {
                u64::from(u32::from_ne_bytes(a)) << 32 | u64::from(u32::from_ne_bytes(b))
            };
            hasher.write_u64(word(a, b));
            hasher.write_u64(word(c, d));
            hasher.write_u32(u32::from_ne_bytes(e));
        }
        _ => hasher.write(payload),
    }
}

/// Whether an identification says nothing: zero of packets that are not to be fragmented (Linux), one
/// of scapy, 54321 of ZMap.
const fn is_constant(identification: u16) -> bool {
    matches!(identification, 0 | 1 | 54_321)
}

/// Whether a TCP segment carries a SYN, a FIN or data (RFC 9293, 3.1).
fn occupies_sequence(segment: &[u8]) -> bool {
    let Some(&[.., offset, flags]) = segment.first_chunk::<14>() else { return false };
    const FIN_OR_SYN: u8 = 0x03;
    const RESET: u8 = 0x04;
    let header_length = usize::from(offset >> 4) * 4;
    flags & RESET == 0 && (flags & FIN_OR_SYN != 0 || segment.len() > header_length)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An IPv4 packet with a TTL and an identification.
    fn ipv4(identification: u16, ttl: u8, protocol: u8, payload: &[u8]) -> Vec<u8> {
        let mut packet = vec![0x45, 0, 0, 0, 0, 0, 0x40, 0, ttl, protocol, ttl, ttl];
        packet.extend([192, 0, 2, 1, 192, 0, 2, 2]);
        packet[2..4].copy_from_slice(&(20 + payload.len() as u16).to_be_bytes());
        packet[4..6].copy_from_slice(&identification.to_be_bytes());
        packet.extend(payload);
        packet
    }

    fn tcp(sequence: u8, flags: u8, data: &[u8]) -> Vec<u8> {
        let mut segment = vec![0, 80, 4, 0, 0, 0, 0, sequence, 0, 0, 0, 9, 0x50, flags];
        segment.extend([1, 0, 0, 0, 0, 0]);
        segment.extend(data);
        segment
    }

    fn ipv6(hop_limit: u8, next: u8, payload: &[u8]) -> Vec<u8> {
        let mut packet = vec![0x60, 0, 0, 0, 0, payload.len() as u8, next, hop_limit];
        packet.extend([7; 32]);
        packet.extend(payload);
        packet
    }

    fn is_duplicate(
        duplicates: &mut Duplicates,
        ts: Timestamp,
        interface: u16,
        network: &[u8],
    ) -> bool {
        let digest = duplicates.digest(network);
        duplicates.has_seen(ts, interface, digest)
    }

    fn micros(micros: i64) -> Timestamp {
        Timestamp::from_nanos(micros * 1000)
    }

    #[test]
    fn a_copy_behind_a_router_and_with_padding_is_recognised() {
        let mut duplicates = Duplicates::default();
        let mut routed = ipv4(77, 63, 17, b"request");
        routed[1] = 0xb8;
        routed.extend([0; 20]);

        assert!(!is_duplicate(&mut duplicates, micros(0), 0, &ipv4(77, 64, 17, b"request")));
        assert!(is_duplicate(&mut duplicates, micros(30), 0, &routed));
        assert!(is_duplicate(&mut duplicates, micros(60), 1, &ipv4(77, 62, 17, b"request")));
    }

    #[test]
    fn what_differs_where_copies_do_not_is_another_packet() {
        let mut duplicates = Duplicates::default();
        let mut other_fragment = ipv4(77, 64, 17, b"request");
        other_fragment[7] = 9;

        for packet in [
            ipv4(77, 64, 17, b"request"),
            ipv4(78, 64, 17, b"request"),
            ipv4(77, 64, 6, b"request"),
            ipv4(77, 64, 17, b"requesT"),
            ipv4(77, 64, 17, b"request "),
            other_fragment,
        ] {
            assert!(!is_duplicate(&mut duplicates, micros(0), 0, &packet));
        }
    }

    #[test]
    fn a_copy_that_comes_too_late_is_a_packet_of_its_own() {
        let mut duplicates = Duplicates::default();
        let packet = ipv4(77, 64, 17, b"request");

        assert!(!is_duplicate(&mut duplicates, micros(0), 0, &packet));
        assert!(is_duplicate(&mut duplicates, micros(10_000), 0, &packet));
        assert!(!is_duplicate(&mut duplicates, micros(10_001), 0, &packet));
    }

    #[test]
    fn a_segment_with_data_is_one_even_without_identification() {
        let mut duplicates = Duplicates::default();

        for segment in [tcp(1, 0x10, b"data"), tcp(1, 0x02, b""), tcp(2, 0x11, b"")] {
            assert!(!is_duplicate(&mut duplicates, micros(0), 0, &ipv6(64, 6, &segment)));
            assert!(is_duplicate(&mut duplicates, micros(5), 0, &ipv6(63, 6, &segment)));
            assert!(!is_duplicate(&mut duplicates, micros(5), 0, &ipv4(0, 64, 6, &segment)));
            assert!(is_duplicate(&mut duplicates, micros(9), 0, &ipv4(0, 63, 6, &segment)));
        }
    }

    #[test]
    fn keeps_what_senders_repeat_without_a_mark() {
        let mut duplicates = Duplicates::default();
        let arp = [0, 1, 8, 0, 6, 4, 0, 1, 2, 2, 2, 2, 2, 2, 192, 0, 2, 1];

        for packet in [
            ipv4(0, 64, 17, b"request"),
            ipv4(1, 64, 17, b"request"),
            ipv6(64, 17, b"request"),
            ipv6(64, 6, &tcp(1, 0x10, b"")),
            ipv6(64, 6, &tcp(1, 0x14, b"")),
            arp.to_vec(),
            Vec::new(),
        ] {
            for _ in 0..3 {
                assert!(!is_duplicate(&mut duplicates, micros(0), 0, &packet));
            }
        }
    }

    #[test]
    fn a_checksum_stands_for_what_follows_and_without_one_all_is_compared() {
        let mut duplicates = Duplicates::default();
        let datagram = |sum: u8, last: u8| {
            let mut datagram = vec![0, 53, 4, 0, 0, 108, 0, sum];
            datagram.resize(107, 9);
            datagram.push(last);
            ipv4(77, 64, 17, &datagram)
        };

        assert!(!is_duplicate(&mut duplicates, micros(0), 0, &datagram(1, 1)));
        assert!(!is_duplicate(&mut duplicates, micros(0), 0, &datagram(2, 2)));
        assert!(is_duplicate(&mut duplicates, micros(0), 0, &datagram(2, 2)));
        assert!(!is_duplicate(&mut duplicates, micros(0), 0, &datagram(0, 1)));
        assert!(!is_duplicate(&mut duplicates, micros(0), 0, &datagram(0, 2)));
    }

    #[test]
    fn counts_unmarked_packets_of_two_taps_against_each_other() {
        let mut duplicates = Duplicates::default();
        let packet = ipv4(0, 64, 17, b"request");

        let answers: Vec<bool> = [0, 0, 1, 1, 1, 0, 2, 0]
            .into_iter()
            .map(|interface| is_duplicate(&mut duplicates, micros(1), interface, &packet))
            .collect();

        // Three of tap 0 and three of tap 1 are three, the seventh is a third tap's copy of the first.
        assert_eq!(answers, [false, false, true, true, false, true, true, false]);
    }

    #[test]
    fn remembers_a_bounded_number_of_packets_the_latest() {
        let mut duplicates = Duplicates::default();
        let packet = |n: u32| ipv4(7, 64, 17, &n.to_be_bytes());
        let many = 3 * CAPACITY as u32;

        for n in 0..many {
            assert!(!is_duplicate(&mut duplicates, micros(0), 0, &packet(n)));
        }

        assert_eq!(duplicates.young.len() + duplicates.old.len(), CAPACITY);
        assert!(is_duplicate(
            &mut duplicates,
            micros(0),
            0,
            &packet(many - CAPACITY as u32 / 2 + 1)
        ));
        assert!(!is_duplicate(&mut duplicates, micros(0), 0, &packet(0)));
    }

    proptest::proptest! {
        #[test]
        fn takes_any_bytes(packets in proptest::collection::vec(
            proptest::collection::vec(proptest::prelude::any::<u8>(), 0..64), 0..20)) {
            let mut duplicates = Duplicates::default();
            for packet in packets {
                is_duplicate(&mut duplicates, micros(0), 0, &packet);
            }
        }
    }
}

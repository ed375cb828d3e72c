//! Fingerprints of what crosses: of its bytes, and of the shape of the exchange.
//!
//! *Content* (Singh et al., "Automated Worm Fingerprinting", OSDI 2004: EarlyBird): a hash rolls over
//! every window of 64 bytes, and what is kept is a sample of windows that the content itself chooses,
//! so that equal content is known again at any offset. EarlyBird samples a fixed share; here it is
//! the [`KEYS`] smallest keyed hashes (Broder 1997), so that the least copy has as many as the largest.
//! The hash is Gear's (Xia et al. 2014): a shift, an addition and a table look-up a byte.
//!
//! Only bulk is sampled: what one side sends behind the first [`TALK`] bytes without being answered.
//! Greetings, logins and requests are short and everybody's; a copy is neither.
//!
//! *Shape*: how many bytes each side sends in turn, in octaves. A worm that encrypts every copy
//! anew still says the same things in the same order.
//!
//! Nothing is kept but hashes and counts, and nothing is looked at beyond the first [`DEPTH`] bytes of a
//! direction, in order as reassembly gives them: how the stream was cut into segments changes nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::event::{Fingerprints, KEYS};
use crate::inventory::mix;
use crate::proto::Role;

/// Bytes of a direction that are looked at: greetings and a login, and the beginning of what follows.
const DEPTH: i64 = 8 << 10;

/// Bytes that a side says before more of it is bulk: more than a TLS hello, a login or the head of a
/// web page usually has.
const TALK: u32 = 512;

/// Bytes of bulk that are hashed of a direction. The first bytes of a program tell it from others; more
/// cost time with every connection.
const HASHED: u32 = 2 << 10;

/// Bytes of a window: the width of the hash, one bit a byte.
const WINDOW: u32 = 64;

/// Turns whose sizes make a shape, at most...
const TURNS_MAX: usize = 16;
/// ... and at least: a question and its answer have the shape of all others.
const TURNS_MIN: usize = 6;
/// From this size on turns are alike: a copy, whatever it weighs.
const TURN_MAX: u32 = 4 << 10;

/// Gear's table: a random number for each byte.
#[expect(clippy::indexing_slicing, reason = "the compiler checks it")]
const GEAR: [u64; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < table.len() {
        table[byte] = mix(byte as u64);
        byte += 1;
    }
    table
};

/// A connection's fingerprints: whether they are still being taken, and what was taken so far.
#[derive(Debug, Default)]
pub(super) struct Prints {
    is_on: bool,
    taken: Option<Box<Fingerprinter>>,
}

/// Takes the fingerprints of a connection as its bytes come.
#[derive(Clone, Debug, Default)]
struct Fingerprinter {
    client: Direction,
    server: Direction,
    /// Who talks, and how much so far.
    talker: Option<Role>,
    said: u32,
    first: Option<Role>,
    /// Whether it is encrypted, so that only its shape tells something.
    is_secret: bool,
    /// Sizes of turns, as octaves and as octaves that begin half of one later.
    turns: [(u8, u8); TURNS_MAX],
    turned: usize,
}

const _: () = assert!(size_of::<Fingerprinter>() == 160, "docs/architecture.md says so");

/// What was sampled of one direction.
#[derive(Clone, Copy, Debug)]
struct Direction {
    /// Number of the byte that comes next.
    next: i64,
    rolling: u64,
    /// Bytes in `rolling`, of one turn and without a gap.
    rolled: u32,
    hashed: u32,
    /// Ascending.
    keys: [u64; KEYS],
}

impl Default for Direction {
    fn default() -> Self {
        Self { next: 1, rolling: 0, rolled: 0, hashed: 0, keys: [u64::MAX; KEYS] }
    }
}

impl Prints {
    /// To be taken from now on.
    pub(super) const fn on() -> Self {
        Self { is_on: true, taken: None }
    }

    /// Whether the next bytes can change anything.
    #[inline]
    pub(super) const fn is_on(&self) -> bool {
        self.is_on
    }

    /// Up to which sequence number bytes are wanted, and a segment's length beyond: one that lies across the
    /// limit has to be kept as well where it comes too early.
    pub(super) const fn until(&self) -> i64 {
        if self.is_on { 1 + DEPTH + u16::MAX as i64 } else { 0 }
    }

    /// Takes bytes of `sender`, the first of which is number `from`; `key` is the sensor's.
    pub(super) fn feed(&mut self, sender: Role, from: i64, data: &[u8], key: u64) {
        if self.is_on {
            self.is_on = self.taken.get_or_insert_default().feed(sender, from, data, key);
        }
    }

    /// Turns client and server round.
    pub(super) fn flip(&mut self) {
        if let Some(taken) = &mut self.taken {
            taken.flip();
        }
    }

    /// Takes note that everything is encrypted for this one connection: no content comes again.
    pub(super) fn note_secret(&mut self) {
        if let Some(taken) = &mut self.taken {
            taken.is_secret = true;
        }
    }

    /// What was found out, if anything was.
    pub(super) fn finish(&mut self) -> Option<Box<Fingerprints>> {
        self.taken.take()?.finish().map(Box::new)
    }

    /// Bytes on the heap.
    pub(super) const fn heap_bytes(&self) -> usize {
        if self.taken.is_some() { size_of::<Fingerprinter>() } else { 0 }
    }
}

impl Fingerprinter {
    /// Takes bytes of `sender`, the first of which is number `from`; `key` is the sensor's. Returns
    /// whether more can change anything.
    fn feed(&mut self, sender: Role, from: i64, data: &[u8], key: u64) -> bool {
        if self.talker != Some(sender) {
            self.turn(sender);
        }
        let room = usize::try_from((1 + DEPTH).saturating_sub(from)).unwrap_or(0);
        let seen = data.get(..room).unwrap_or(data);
        let talk = TALK.saturating_sub(self.said) as usize;
        let direction = match sender {
            Role::Client => &mut self.client,
            Role::Server => &mut self.server,
        };
        if direction.next != from {
            direction.rolled = 0;
        }
        direction.next = from + data.len() as i64;
        if !self.is_secret {
            direction.sample(seen.get(talk..).unwrap_or_default(), key);
        }
        self.said = self.said.saturating_add(seen.len() as u32);
        seen.len() == data.len() && room > data.len()
    }

    fn turn(&mut self, sender: Role) {
        self.end_turn();
        self.talker = Some(sender);
        self.first = self.first.or(Some(sender));
        self.said = 0;
        (self.client.rolled, self.server.rolled) = (0, 0);
    }

    fn end_turn(&mut self) {
        if self.said > 0
            && let Some(turn) = self.turns.get_mut(self.turned)
        {
            let size = self.said.min(TURN_MAX);
            // Times the square root of two: half an octave.
            *turn = (size.ilog2() as u8, (size * 181 / 128).max(1).ilog2() as u8);
            self.turned += 1;
        }
    }

    fn flip(&mut self) {
        std::mem::swap(&mut self.client, &mut self.server);
        self.talker = self.talker.map(Role::other);
        self.first = self.first.map(Role::other);
    }

    fn finish(mut self) -> Option<Fingerprints> {
        self.end_turn();
        let found = |direction: &Direction| {
            let keys = if self.is_secret { &[] } else { &direction.keys[..] };
            keys.iter().copied().filter(|key| *key != u64::MAX).collect()
        };
        let found = Fingerprints {
            client: found(&self.client),
            server: found(&self.server),
            shape: self.shape(),
        };
        let is_any = !found.client.is_empty() || !found.server.is_empty() || found.shape.is_some();
        is_any.then_some(found)
    }

    /// Two hashes of the turns' sizes: where a size is just above a step in one, it is not in the other.
    fn shape(&self) -> Option<[u64; 2]> {
        if self.turned < TURNS_MIN {
            return None;
        }
        let turns = self.turns.get(..self.turned)?;
        let begin = u64::from(self.first == Some(Role::Server));
        let hash = |size: fn(&(u8, u8)) -> u8| {
            turns.iter().fold(begin, |hash, turn| mix(hash ^ u64::from(size(turn))))
        };
        Some([hash(|turn| turn.0), !hash(|turn| turn.1)])
    }
}

impl Direction {
    fn sample(&mut self, data: &[u8], key: u64) {
        let room = HASHED.saturating_sub(self.hashed) as usize;
        let data = data.get(..room).unwrap_or(data);
        self.hashed += data.len() as u32;
        let mut largest = self.keys.last().copied().unwrap_or(0);
        for byte in data {
            let gear = GEAR.get(usize::from(*byte)).copied().unwrap_or(0);
            self.rolling = (self.rolling << 1).wrapping_add(gear);
            self.rolled += 1;
            if self.rolled >= WINDOW {
                let hash = scatter(self.rolling, key);
                if hash < largest {
                    largest = self.keep(hash);
                }
            }
        }
    }

    /// Keeps a hash that is smaller than the largest, unless it is known; returns the largest.
    #[cold]
    fn keep(&mut self, hash: u64) -> u64 {
        if !self.keys.contains(&hash)
            && let Some(last) = self.keys.last_mut()
        {
            *last = hash;
            self.keys.sort_unstable();
        }
        self.keys.last().copied().unwrap_or(0)
    }
}

/// Whether two hosts may be of one house, so that a copy may go on from either: both private, or in one
/// /16 (IPv6: /48). What is ours by configuration is not known to the packet path; who has public
/// addresses in several such networks sees less.
pub(super) fn are_near(a: IpAddr, b: IpAddr) -> bool {
    match (a.to_canonical(), b.to_canonical()) {
        (IpAddr::V4(a), IpAddr::V4(b)) => {
            let is_private = |addr: Ipv4Addr| addr.is_private() || addr.is_link_local();
            (a.to_bits() ^ b.to_bits()) >> 16 == 0 || (is_private(a) && is_private(b))
        }
        (IpAddr::V6(a), IpAddr::V6(b)) => {
            let is_private =
                |addr: Ipv6Addr| addr.is_unique_local() || addr.is_unicast_link_local();
            (a.to_bits() ^ b.to_bits()) >> 80 == 0 || (is_private(a) && is_private(b))
        }
        _ => false,
    }
}

/// Scatters a rolling hash, which tells its bytes apart and whose order anybody could work out, by a key
/// that is the sensor's: who knew what is sampled could put something else in its place.
const fn scatter(rolling: u64, key: u64) -> u64 {
    let mixed = (rolling ^ key).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed ^ (mixed >> 32)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What is said in turns, each cut into pieces of at most `cut` bytes.
    fn fingerprints(turns: &[(Role, Vec<u8>)], cut: usize) -> Option<Fingerprints> {
        let mut printer = Fingerprinter::default();
        let mut next = [1, 1];
        for (sender, said) in turns {
            let at = &mut next[usize::from(*sender == Role::Server)];
            for piece in said.chunks(cut) {
                if !printer.feed(*sender, *at, piece, 7) {
                    return printer.finish();
                }
                *at += piece.len() as i64;
            }
        }
        printer.finish()
    }

    /// Bytes that look random and are always the same.
    fn noise(seed: u64, length: usize) -> Vec<u8> {
        (0..length as u64).map(|at| mix(at ^ seed << 32) as u8).collect()
    }

    fn pushed(head: usize, copy: &[u8]) -> Vec<(Role, Vec<u8>)> {
        let greeting = |n| noise(n, 90);
        let mut said = noise(head as u64, head);
        said.extend_from_slice(copy);
        vec![
            (Role::Server, greeting(1)),
            (Role::Client, greeting(2)),
            (Role::Server, greeting(3)),
            (Role::Client, said),
        ]
    }

    fn common(a: &Fingerprints, b: &Fingerprints) -> usize {
        a.client.iter().filter(|key| b.client.contains(key)).count()
    }

    #[test]
    fn equal_content_is_known_at_another_offset() {
        let copy = noise(9, 20_000);

        let (one, other) =
            (fingerprints(&pushed(100, &copy), 1460), fingerprints(&pushed(333, &copy), 536));

        let (one, other) = (one.unwrap(), other.unwrap());
        assert_eq!(one.client.len(), KEYS);
        assert!(common(&one, &other) >= KEYS - 1, "{one:?} {other:?}");
    }

    #[test]
    fn other_content_shares_nothing() {
        let one = fingerprints(&pushed(100, &noise(9, 20_000)), 1460).unwrap();
        let other = fingerprints(&pushed(100, &noise(10, 20_000)), 1460).unwrap();

        assert_eq!(common(&one, &other), 0);
    }

    #[test]
    fn greetings_are_no_content() {
        let talk: Vec<_> = (0..20u64)
            .map(|n| (if n % 2 == 0 { Role::Client } else { Role::Server }, noise(n, 400)))
            .collect();

        let found = fingerprints(&talk, 1460).unwrap();

        assert!(found.client.is_empty() && found.server.is_empty());
        assert!(found.shape.is_some());
    }

    #[test]
    fn a_shape_survives_other_bytes_and_sizes_that_vary_a_little() {
        let talk = |seed: u64, more: usize| -> Vec<(Role, Vec<u8>)> {
            let sizes = [90, 200, 300, 250, 500, 120, 100, 80];
            let sender = |n| if n % 2 == 0 { Role::Client } else { Role::Server };
            let mut talk: Vec<_> = sizes
                .iter()
                .zip(0u64..)
                .map(|(size, n)| (sender(n), noise(seed + n, size + more)))
                .collect();
            talk.push((Role::Client, noise(seed, 14_000 + 1000 * more)));
            talk
        };
        let shape = |seed, more| fingerprints(&talk(seed, more), 1460).unwrap().shape.unwrap();
        let (one, other) = (shape(1, 0), shape(100, 2));
        let mut longer = talk(1, 0);
        longer[2].1.extend(noise(1, 900));
        let different = fingerprints(&longer, 1460).unwrap().shape.unwrap();

        assert!(one[0] == other[0] || one[1] == other[1], "{one:?} {other:?}");
        assert!(one[0] != different[0] && one[1] != different[1]);
    }

    #[test]
    fn keeps_nothing_of_what_is_encrypted_but_its_shape() {
        let mut prints = Prints::on();
        prints.feed(Role::Client, 1, &noise(1, 100), 7);
        prints.note_secret();
        prints.feed(Role::Server, 1, &noise(2, 8000), 7);

        assert!(prints.finish().is_none());
    }

    #[test]
    fn turns_round_with_the_connection() {
        let other = |turns: &[(Role, Vec<u8>)]| -> Vec<_> {
            turns.iter().map(|(sender, said)| (sender.other(), said.clone())).collect()
        };
        let mut turns = pushed(100, &noise(9, 3000));
        turns.extend(turns.clone());
        let mut prints = Prints::on();
        let mut next = [1, 1];
        for (sender, said) in other(&turns) {
            let at = &mut next[usize::from(sender == Role::Server)];
            prints.feed(sender, *at, &said, 7);
            *at += said.len() as i64;
        }

        prints.flip();

        assert_eq!(prints.finish().map(|found| *found), fingerprints(&turns, 1460));
    }

    #[test]
    fn another_key_samples_other_windows() {
        let keys = |key| {
            let mut printer = Fingerprinter::default();
            printer.feed(Role::Client, 1, &noise(1, 8000), key);
            printer.finish().unwrap().client
        };

        assert_eq!(keys(7), keys(7));
        assert!(keys(7).iter().all(|key| !keys(8).contains(key)));
    }

    fn sender() -> impl Strategy<Value = Role> {
        prop_oneof![Just(Role::Client), Just(Role::Server)]
    }

    proptest! {
        #[test]
        fn how_it_is_cut_changes_nothing(
            turns in proptest::collection::vec((sender(), 0u64..9, 1usize..6000), 1..12),
            cut in 1usize..3000,
        ) {
            let turns: Vec<_> =
                turns.into_iter().map(|(sender, seed, length)| (sender, noise(seed, length))).collect();

            prop_assert_eq!(fingerprints(&turns, cut), fingerprints(&turns, usize::MAX));
        }

        #[test]
        fn no_bytes_panic(
            pieces in proptest::collection::vec((sender(), any::<i64>(), any::<Vec<u8>>()), 0..40),
            key: u64,
        ) {
            let mut printer = Fingerprinter::default();
            for (sender, from, data) in &pieces {
                // A stream has less than 2^62 bytes.
                printer.feed(*sender, from >> 1, data, key);
            }
            let found = printer.finish().unwrap_or_default();
            prop_assert!(found.client.len() <= KEYS && found.client.is_sorted());
        }
    }
}

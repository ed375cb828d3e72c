//! Puts fragmented packets together, within a budget.
//!
//! Where fragments overlap, the bytes that came first stay: what a sensor believes must not depend
//! on who speaks last, and no stack of today keeps the later bytes of IPv6 (RFC 5722). Overlaps
//! are recorded, because nothing but an attack or a broken middlebox makes them. A packet that
//! lacks a part is dropped after its time, first fragment included: its transport header alone
//! would open connections that the receiver never saw.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::ip::{Fragment, Ip};
use crate::time::Timestamp;

/// The largest packet that IPv4 and IPv6 without jumbograms can carry, in bytes.
const PACKET_MAX: usize = 65_535;
/// Fragments of one packet, at most; 64 KiB in the smallest pieces that any link makes.
const PIECES_MAX: usize = 128;

/// `[decode]`: what decoding may hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DecodeConfig {
    /// Bytes that fragments may take while they wait for the rest of their packets; the packet
    /// that began first goes first.
    pub fragment_budget_bytes: usize,
    /// How long a packet may take to become whole (Linux: 30 s; RFC 8200 section 4.5: 60 s).
    #[serde(with = "humantime_serde")]
    pub fragment_timeout: Duration,
}

impl Default for DecodeConfig {
    fn default() -> Self {
        Self { fragment_budget_bytes: 4 << 20, fragment_timeout: Duration::from_secs(30) }
    }
}

/// What became of a fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// The packet is whole: its payload.
    Whole(Vec<u8>),
    /// More is to come.
    Held,
    /// The fragment cannot belong to a packet.
    Bad,
}

type Key = (IpAddr, IpAddr, u8, u32);

#[derive(Debug)]
struct Partial {
    began: Timestamp,
    /// Pieces by offset, none over another.
    pieces: BTreeMap<u32, Vec<u8>>,
    /// Length of the whole payload, once the last fragment came.
    len: Option<u32>,
    bytes: usize,
    overlaps: bool,
}

/// The packets that wait for parts.
#[derive(Debug)]
pub(super) struct Reassembler {
    config: DecodeConfig,
    partials: BTreeMap<Key, Partial>,
    order: VecDeque<(Timestamp, Key)>,
    bytes: usize,
    evicted: u64,
}

/// Bookkeeping of one packet and of one fragment, in bytes, on top of what they carry.
const PARTIAL_BYTES: usize = size_of::<Partial>() + 3 * size_of::<Key>();
const PIECE_BYTES: usize = 64;

impl Reassembler {
    pub(super) fn new(config: &DecodeConfig) -> Self {
        Self {
            config: config.clone(),
            partials: BTreeMap::new(),
            order: VecDeque::new(),
            bytes: 0,
            evicted: 0,
        }
    }

    /// Bytes held.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Packets that went before they were whole, for want of room or of time.
    pub(super) const fn evicted(&self) -> u64 {
        self.evicted
    }

    /// Takes a fragment in; tells what became of it and whether it contradicts what is there.
    pub(super) fn add(&mut self, now: Timestamp, ip: &Ip<'_>, part: Fragment) -> (Progress, bool) {
        self.expire(now);
        let end = part.offset as usize + ip.payload.len();
        let is_cut = (ip.payload.len() as u32) < ip.payload_len;
        let is_odd = part.more && !ip.payload.len().is_multiple_of(8);
        if ip.payload.is_empty() || end > PACKET_MAX || is_cut || is_odd {
            return (Progress::Bad, false);
        }
        let key = (ip.src, ip.dst, ip.protocol, part.id);
        if !self.partials.contains_key(&key) {
            self.order.push_back((now, key));
            self.bytes += PARTIAL_BYTES;
        }
        let partial = self.partials.entry(key).or_insert_with(|| Partial {
            began: now,
            pieces: BTreeMap::new(),
            len: None,
            bytes: PARTIAL_BYTES,
            overlaps: false,
        });
        let before = partial.bytes;
        partial.insert(part, ip.payload);
        self.bytes += partial.bytes - before;
        let overlaps = std::mem::take(&mut partial.overlaps);
        if let Some(whole) = partial.whole() {
            self.forget(&key);
            return (Progress::Whole(whole), overlaps);
        }
        while self.bytes > self.config.fragment_budget_bytes {
            let Some((_, oldest)) = self.order.pop_front() else { break };
            self.evict(&oldest);
        }
        (Progress::Held, overlaps)
    }

    fn expire(&mut self, now: Timestamp) {
        while let Some((began, key)) = self.order.front().copied() {
            if now.since(began) < self.config.fragment_timeout {
                break;
            }
            self.order.pop_front();
            // The same key may have begun anew since.
            if self.partials.get(&key).is_some_and(|partial| partial.began == began) {
                self.evict(&key);
            }
        }
    }

    fn evict(&mut self, key: &Key) {
        if self.partials.contains_key(key) {
            self.evicted += 1;
            self.forget(key);
        }
    }

    fn forget(&mut self, key: &Key) {
        if let Some(gone) = self.partials.remove(key) {
            self.bytes = self.bytes.saturating_sub(gone.bytes);
        }
    }
}

impl Partial {
    /// Keeps those bytes of the fragment that no earlier one brought.
    fn insert(&mut self, part: Fragment, payload: &[u8]) {
        let mut at = part.offset;
        let end = part.offset + payload.len() as u32;
        if !part.more {
            self.overlaps |= self.len.is_some_and(|len| len != end);
            self.len = self.len.or(Some(end));
        }
        if self.pieces.len() >= PIECES_MAX {
            return;
        }
        let held: Vec<(u32, u32)> =
            self.pieces.iter().map(|(from, piece)| (*from, from + piece.len() as u32)).collect();
        for (from, to) in held.into_iter().chain([(end, end)]) {
            if to <= at && from < end {
                continue;
            }
            if from < end && to > at {
                // The very same fragment twice is a repetition, not a contradiction.
                self.overlaps |= !self.repeats(part.offset, payload, from, to);
            }
            if from > at {
                let until = from.min(end);
                let start = (at - part.offset) as usize;
                let stop = (until - part.offset) as usize;
                if let Some(bytes) = payload.get(start..stop).filter(|bytes| !bytes.is_empty()) {
                    self.pieces.insert(at, bytes.to_vec());
                    self.bytes += bytes.len() + PIECE_BYTES;
                }
            }
            at = at.max(to);
            if at >= end {
                break;
            }
        }
    }

    fn repeats(&self, offset: u32, payload: &[u8], from: u32, to: u32) -> bool {
        from == offset
            && to == offset + payload.len() as u32
            && self.pieces.get(&from).is_some_and(|piece| piece == payload)
    }

    /// The payload, if no byte is missing.
    fn whole(&self) -> Option<Vec<u8>> {
        let len = self.len?;
        let mut whole = Vec::new();
        for (from, piece) in &self.pieces {
            if *from as usize != whole.len() {
                return None;
            }
            whole.extend_from_slice(piece);
        }
        whole.truncate(len as usize);
        (whole.len() == len as usize).then_some(whole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(payload: &[u8]) -> Ip<'_> {
        Ip {
            src: "192.0.2.1".parse().unwrap(),
            dst: "192.0.2.2".parse().unwrap(),
            ttl: 64,
            len: 20 + payload.len() as u32,
            protocol: 17,
            fragment: None,
            payload_len: payload.len() as u32,
            payload,
        }
    }

    fn part(offset: u32, more: bool) -> Fragment {
        Fragment { id: 7, offset, more }
    }

    fn add(table: &mut Reassembler, at: i64, payload: &[u8], part: Fragment) -> (Progress, bool) {
        table.add(Timestamp::from_secs(at), &ip(payload), part)
    }

    #[test]
    fn puts_fragments_together_in_any_order() {
        for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
            let mut table = Reassembler::new(&DecodeConfig::default());
            let parts = [
                (&b"abcdefgh"[..], part(0, true)),
                (&b"ijklmnop"[..], part(8, true)),
                (&b"qr"[..], part(16, false)),
            ];

            let last = order.map(|index| add(&mut table, 0, parts[index].0, parts[index].1));

            assert_eq!(last[2], (Progress::Whole(b"abcdefghijklmnopqr".to_vec()), false));
            assert_eq!(table.bytes(), 0);
        }
    }

    #[test]
    fn keeps_what_came_first_and_records_the_overlap() {
        let mut table = Reassembler::new(&DecodeConfig::default());
        add(&mut table, 0, b"aaaaaaaabbbbbbbb", part(0, true));

        let (_, overlap) = add(&mut table, 0, b"XXXXXXXXcccccccc", part(8, true));
        let (whole, _) = add(&mut table, 0, b"d", part(24, false));

        assert!(overlap);
        assert_eq!(whole, Progress::Whole(b"aaaaaaaabbbbbbbbccccccccd".to_vec()));
    }

    #[test]
    fn a_repeated_fragment_contradicts_nothing() {
        let mut table = Reassembler::new(&DecodeConfig::default());
        add(&mut table, 0, b"aaaaaaaa", part(0, true));

        assert_eq!(add(&mut table, 0, b"aaaaaaaa", part(0, true)), (Progress::Held, false));
    }

    #[test]
    fn forgets_a_packet_that_never_becomes_whole() {
        let mut table = Reassembler::new(&DecodeConfig::default());
        add(&mut table, 0, b"aaaaaaaa", part(0, true));

        let late = add(&mut table, 31, b"b", part(8, false));

        assert_eq!(late.0, Progress::Held);
        assert_eq!(table.evicted(), 1);
    }

    #[test]
    fn never_holds_more_than_its_budget() {
        let config = DecodeConfig { fragment_budget_bytes: 10_000, ..DecodeConfig::default() };
        let mut table = Reassembler::new(&config);

        for id in 0..1000 {
            table.add(Timestamp::EPOCH, &ip(&[0; 800]), Fragment { id, ..part(0, true) });
            assert!(table.bytes() <= 10_000);
        }

        assert!(table.evicted() > 900);
    }

    #[test]
    fn refuses_what_no_stack_sends() {
        let mut table = Reassembler::new(&DecodeConfig::default());

        assert_eq!(add(&mut table, 0, b"abc", part(0, true)).0, Progress::Bad);
        assert_eq!(add(&mut table, 0, b"", part(8, false)).0, Progress::Bad);
        assert_eq!(add(&mut table, 0, &[0; 64], part(65_528, false)).0, Progress::Bad);
    }
}

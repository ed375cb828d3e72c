//! Putting IP datagrams together again from their fragments, within a budget.
//!
//! Overlaps: the bytes that came first win, for IPv4 and IPv6 alike, and the overlap is recorded.
//! (Current systems drop such datagrams; older ones differ, which is how overlaps evade sensors. A
//! sensor that dropped them would see nothing at all.) A datagram whose rest never comes gives
//! nothing: the receiver's transport did not get it either, so no contact took place, and a packet
//! delivered at its time-out would run time back. Only where the *capture* cut the first fragment
//! off, so that no rest can ever complete it, it is passed on at once with what there is.

use std::net::IpAddr;

use foldhash::fast::RandomState;
use hashlink::LinkedHashMap;

use super::bytes::len32;
use super::ip::{Fragment, Ip, Span};
use super::{DecodeConfig, Oddities, Oddity, Skip, Tunnel};
use crate::time::Timestamp;

/// The largest datagram that a 16-bit length describes.
const MAX_DATAGRAM: u32 = 65_535;

/// A packet below this that is not the last of its datagram was split to hide something: no link
/// has so small a maximum (Zeek's limit; RFC 791 section 3.2 asks for 68).
const SMALL: u32 = 64;

/// What a table entry takes beside the bytes it holds: key, datagram, links and hash slot.
const ENTRY_BYTES: usize = size_of::<Key>() + size_of::<Datagram>() + 4 * size_of::<usize>();

/// The datagrams that wait for fragments, oldest first.
#[derive(Debug)]
pub(super) struct Fragments {
    waiting: LinkedHashMap<Key, Datagram, RandomState>,
    used: usize,
    config: DecodeConfig,
    stats: FragmentStats,
}

/// What became of fragmented datagrams so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FragmentStats {
    /// Datagrams made whole.
    pub reassembled: u64,
    /// Datagrams given up because the time-out passed.
    pub expired: u64,
    /// Datagrams given up to stay within the budget.
    pub evicted: u64,
    /// Datagrams that wait.
    pub waiting: usize,
    /// Memory that they take, in bytes.
    pub bytes: usize,
}

/// Which datagram a fragment is of (RFC 791 section 3.2, RFC 8200 section 4.5), kept apart by VLAN
/// and tunnel because addresses may repeat there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    src: IpAddr,
    dst: IpAddr,
    id: u32,
    /// IPv4 only; in IPv6 just the first fragment knows what it carries.
    protocol: u8,
    vlan: Option<u16>,
    tunnel: Option<Tunnel>,
}

#[derive(Debug)]
struct Datagram {
    first_seen: Timestamp,
    /// Set by the fragment with offset 0.
    head: Option<Head>,
    /// Length of the payload, set by the fragment that says nothing follows.
    total: Option<u32>,
    /// Bytes in `pieces`, which never overlap.
    have: u32,
    data: Vec<u8>,
    /// Sorted by offset.
    pieces: Vec<Piece>,
}

#[derive(Clone, Copy, Debug)]
struct Head {
    ttl: u8,
    protocol: u8,
    /// Headers in front of the payload, in bytes.
    len: u32,
    dst: IpAddr,
}

#[derive(Clone, Copy, Debug)]
struct Piece {
    offset: u32,
    len: u32,
    /// Where in `data` it is.
    at: u32,
}

impl Fragments {
    pub(super) fn new(config: &DecodeConfig) -> Self {
        Self {
            waiting: LinkedHashMap::default(),
            used: 0,
            config: config.clone(),
            stats: FragmentStats::default(),
        }
    }

    pub(super) fn stats(&self) -> FragmentStats {
        FragmentStats { waiting: self.waiting.len(), bytes: self.used, ..self.stats }
    }

    /// Adds a fragment. If that makes its datagram whole, `whole` becomes its payload, lent to the
    /// packet that is returned.
    pub(super) fn add<'a>(
        &mut self,
        ts: Timestamp,
        (vlan, tunnel): (Option<u16>, Option<Tunnel>),
        ip: Ip<'_>,
        fragment: Fragment,
        whole: &'a mut Vec<u8>,
        odd: &mut Oddities,
    ) -> Result<Ip<'a>, Skip> {
        self.expire(ts);
        check(&ip, fragment, odd)?;
        if ip.payload.missing > 0 {
            return Err(Skip::FragmentCut);
        }

        let protocol = if ip.is_v6() { 0 } else { ip.protocol };
        let key = Key { src: ip.src, dst: ip.dst, id: fragment.id, protocol, vlan, tunnel };
        if !self.waiting.contains_key(&key) {
            self.used += ENTRY_BYTES;
            self.waiting.insert(key, Datagram::new(ts));
        }
        let Some(datagram) = self.waiting.get_mut(&key) else { return Err(Skip::FragmentDropped) };
        let before = datagram.heap_bytes();
        let added = datagram.add(&ip, fragment, odd);
        self.used += datagram.heap_bytes() - before;
        added?;

        let ready = datagram.head.filter(|_| datagram.total == Some(datagram.have));
        let Some(head) = ready else {
            return Err(if self.evict(&key) { Skip::FragmentDropped } else { Skip::FragmentHeld });
        };
        if let Some(datagram) = self.remove(&key) {
            datagram.assemble(whole);
        }
        self.stats.reassembled += 1;
        Ok(Ip {
            src: ip.src,
            dst: head.dst,
            ttl: head.ttl,
            len: head.len + len32(whole),
            protocol: head.protocol,
            payload: Span { bytes: whole, missing: 0 },
            fragment: None,
        })
    }

    /// Gives up what has waited too long. The order of arrival is the order of the table, because
    /// packet time does not run back.
    fn expire(&mut self, now: Timestamp) {
        while let Some((key, oldest)) = self.waiting.front() {
            if now.since(oldest.first_seen) <= self.config.fragment_timeout {
                return;
            }
            let key = *key;
            self.remove(&key);
            self.stats.expired += 1;
        }
    }

    /// Gives up the oldest until the rest fits, and says whether `key` was among them.
    fn evict(&mut self, key: &Key) -> bool {
        let mut lost = false;
        while self.used > self.config.fragment_bytes {
            let Some(oldest) = self.waiting.front().map(|(oldest, _)| *oldest) else { break };
            lost |= oldest == *key;
            self.remove(&oldest);
            self.stats.evicted += 1;
        }
        lost
    }

    fn remove(&mut self, key: &Key) -> Option<Datagram> {
        let datagram = self.waiting.remove(key)?;
        self.used = self.used.saturating_sub(ENTRY_BYTES + datagram.heap_bytes());
        Some(datagram)
    }
}

/// Refuses what cannot be part of any datagram, and notes what is merely odd.
fn check(ip: &Ip<'_>, fragment: Fragment, odd: &mut Oddities) -> Result<(), Skip> {
    let len = ip.payload.wire();
    if ip.payload.missing > 0 {
        odd.note(Oddity::IncompletelyCapturedFragment, ip.src, ip.dst);
    }
    if fragment.df {
        odd.note(Oddity::FragmentWithDf, ip.src, ip.dst);
    }
    if fragment.more && ip.len < SMALL {
        odd.note(Oddity::ExcessivelySmallFragment, ip.src, ip.dst);
    }
    if fragment.offset.saturating_add(len) > MAX_DATAGRAM {
        odd.note(Oddity::ExcessivelyLargeFragment, ip.src, ip.dst);
        return Err(Skip::BadFragment);
    }
    // All but the last are multiples of eight, or the next could not follow.
    if len == 0 || (fragment.more && !len.is_multiple_of(8)) {
        return Err(Skip::BadFragment);
    }
    Ok(())
}

impl Datagram {
    fn new(first_seen: Timestamp) -> Self {
        Self { first_seen, head: None, total: None, have: 0, data: Vec::new(), pieces: Vec::new() }
    }

    fn heap_bytes(&self) -> usize {
        self.data.capacity() + self.pieces.capacity() * size_of::<Piece>()
    }

    fn add(&mut self, ip: &Ip<'_>, fragment: Fragment, odd: &mut Oddities) -> Result<(), Skip> {
        let bytes = ip.payload.bytes;
        let end = fragment.offset + len32(bytes);
        let reaches = self.pieces.last().map_or(0, |last| last.offset + last.len);
        let fits = match self.total {
            Some(total) => end <= total && (fragment.more || end == total),
            None => fragment.more || end >= reaches,
        };
        if !fits {
            odd.note(Oddity::FragmentSizeInconsistency, ip.src, ip.dst);
            return Err(Skip::BadFragment);
        }
        if !fragment.more {
            self.total = Some(end);
        }
        if fragment.offset == 0 && self.head.is_none() {
            let len = ip.len.saturating_sub(len32(bytes));
            // The fragment header is not part of the datagram (RFC 8200 section 4.5).
            let len = if ip.is_v6() { len.saturating_sub(8) } else { len };
            self.head = Some(Head { ttl: ip.ttl, protocol: ip.protocol, len, dst: ip.dst });
        }
        match self.insert(fragment.offset, bytes) {
            Overlap::Differs => odd.note(Oddity::FragmentInconsistency, ip.src, ip.dst),
            Overlap::Partial => odd.note(Oddity::FragmentOverlap, ip.src, ip.dst),
            Overlap::None => {}
        }
        Ok(())
    }

    /// Keeps the bytes that are new.
    fn insert(&mut self, start: u32, bytes: &[u8]) -> Overlap {
        let end = start + len32(bytes);
        let part = |from: u32, to: u32| {
            bytes.get((from - start) as usize..(to - start) as usize).unwrap_or_default()
        };
        let before = self.have;
        let (mut differs, mut repeats) = (false, false);
        let mut place = self.pieces.partition_point(|piece| piece.offset + piece.len <= start);
        let mut at = start;
        while at < end {
            let next = self.pieces.get(place).copied().filter(|piece| piece.offset < end);
            let gap_end = next.map_or(end, |piece| piece.offset);
            if at < gap_end {
                self.keep(place, at, part(at, gap_end));
                place += 1;
                at = gap_end;
            }
            if let Some(piece) = next {
                let stop = end.min(piece.offset + piece.len);
                let from = (piece.at + (at - piece.offset)) as usize;
                let kept = self.data.get(from..from + (stop - at) as usize);
                repeats = true;
                differs |= kept != Some(part(at, stop));
                at = stop;
                place += 1;
            }
        }
        match (differs, repeats && self.have > before) {
            (true, _) => Overlap::Differs,
            (false, true) => Overlap::Partial,
            (false, false) => Overlap::None,
        }
    }

    fn keep(&mut self, place: usize, offset: u32, bytes: &[u8]) {
        let piece = Piece { offset, len: len32(bytes), at: len32(&self.data) };
        self.data.extend_from_slice(bytes);
        self.pieces.insert(place, piece);
        self.have += piece.len;
    }

    fn assemble(self, whole: &mut Vec<u8>) {
        whole.clear();
        let in_order = self.pieces.iter().scan(0, |next, piece| {
            let follows = piece.at == *next;
            *next = piece.at + piece.len;
            Some(follows)
        });
        if in_order.min().unwrap_or(true) {
            *whole = self.data;
            return;
        }
        for piece in &self.pieces {
            let at = piece.at as usize;
            whole.extend_from_slice(self.data.get(at..at + piece.len as usize).unwrap_or_default());
        }
    }
}

/// How a fragment meets those before it. An exact copy is none: networks and taps make them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Overlap {
    None,
    Partial,
    Differs,
}

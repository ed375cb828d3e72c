//! What is remembered of one host: how it was entered, and what it did to others for the first time.

use std::net::IpAddr;

use super::exchange::{Axis, Exchange};
use crate::detect::{Seen, peer_hash};
use crate::inventory::{Tally, Weigh};
use crate::time::Timestamp;

/// Manners remembered of one host, at least.
const HABITS_MAX: usize = 256;

/// What a host did to others in one manner.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deed {
    /// The first time.
    pub(super) first: Exchange,
    /// The axes on which it was something new for this host, as bits.
    pub(super) new: u8,
    /// To how many it was done.
    pub(super) targets: Tally,
}

/// A host: what was done to it, and what it does.
#[derive(Clone, Debug, Default)]
pub(super) struct Memory {
    /// How others entered it, one for each of them and each manner.
    pub(super) entries: Vec<Exchange>,
    /// What it did, one for each manner.
    pub(super) deeds: Vec<Deed>,
    habits: Seen,
    called: Seen,
    /// Whether it was told that a worm called it.
    pub(super) was_suspected: bool,
}

impl Memory {
    /// Takes that another host called. Of the like from the same host, before `onset`, the latest
    /// counts: what came of it came after it.
    pub(super) fn enter(&mut self, mut entry: Exchange, onset: Option<Timestamp>, max: usize) {
        entry.is_answer = self.called.contains(peer_hash(entry.peer));
        let known = self
            .entries
            .iter_mut()
            .find(|known| known.peer == entry.peer && known.is_alike(&entry, Axis::Same));
        if let Some(known) = known {
            if onset.is_none_or(|onset| entry.start < onset)
                && entry.start > known.start
                && !entry.is_answer
            {
                *known = entry;
            }
            return;
        }
        if self.entries.len() >= max {
            // What carried least is least likely to have carried a copy.
            let least = (0..self.entries.len()).min_by(|a, b| {
                let sent = |at: &usize| self.entries.get(*at).map_or(0.0, |entry| entry.sent);
                sent(a).total_cmp(&sent(b))
            });
            if let Some(least) = least {
                self.entries.remove(least);
            }
        }
        self.entries.push(entry);
    }

    /// Takes that it called another host. Returns the deed if that was new on some axis: another
    /// account in a conversation as ever is.
    pub(super) fn act(&mut self, exchange: Exchange, max: usize) -> Option<Deed> {
        let target = peer_hash(exchange.peer);
        self.called.insert(target, HABITS_MAX);
        // What is done all day needs no axis.
        let known = self.deeds.iter().position(|deed| deed.first.is_alike(&exchange, Axis::Same));
        if let Some(at) = known {
            // The latest comes last, so that what it never does again is forgotten first.
            let mut deed = self.deeds.remove(at);
            deed.targets.add(target);
            self.deeds.push(deed);
            if deed.first.said.is_same(exchange.said) {
                return None;
            }
        }
        let mut new = 0;
        for axis in Axis::ALL {
            let is_habit = exchange.keys(axis).any(|key| self.habits.contains(key));
            if let Some(key) = exchange.key(axis) {
                self.habits.insert(key, HABITS_MAX);
                new |= if is_habit { 0 } else { axis.bit() };
            }
        }
        let mut targets = Tally::default();
        targets.add(target);
        let deed = Deed { first: exchange, new, targets };
        if known.is_none() {
            if self.deeds.len() >= max {
                self.deeds.remove(0);
            }
            self.deeds.push(deed);
        }
        (new != 0).then_some(deed)
    }

    /// How many manners it has that could be alike with `deed` on an axis.
    pub(super) fn deeds_like(&self, deed: &Deed, axis: Axis) -> usize {
        let is_near = |own: &&Deed| match axis {
            Axis::Copy => own.first.key(axis).is_some(),
            Axis::Way => own.first.is_entry(),
            _ => own.first.service == deed.first.service,
        };
        self.deeds.iter().filter(is_near).count()
    }

    /// Whether `host` was called after `from` was over, within `secs` seconds.
    pub(super) fn called_back(&self, host: IpAddr, from: Timestamp, secs: u64) -> bool {
        self.deeds.iter().any(|deed| {
            deed.first.peer == host
                && deed.first.start >= from
                && deed.first.start.since(from).as_secs() < secs
        })
    }
}

impl Weigh for Memory {
    fn heap_bytes(&self) -> usize {
        self.entries.capacity() * size_of::<Exchange>()
            + self.deeds.capacity() * size_of::<Deed>()
            + self.habits.heap_bytes()
            + self.called.heap_bytes()
    }
}

//! The connection tables, cut into a fixed number of shards.
//!
//! A connection's shard depends on its address pair alone, never on the number of threads, so a
//! table that runs full evicts the same connection whether one thread runs it or eight.

use std::hash::{BuildHasher, Hasher};
use std::net::IpAddr;

use foldhash::fast::FixedState;

use super::batch::{Batch, Tick};
use super::burst::BURST;
use crate::config::units::ByteSize;
use crate::decode::Packet;
use crate::event::Event;
use crate::flow::{FlowConfig, FlowStats, FlowTable, Hint};
use crate::net::{Ends, bits};

/// Shards of the connection table; a multiple of every sensible number of threads.
pub const SHARDS: usize = 16;

/// Orders what the shards say: packet number, then its ticks in order before the packet, shard.
pub(super) type Rank = (u64, u32, usize);

/// The place of the packet itself, behind all ticks that it made fire.
pub(super) const PACKET: u32 = u32::MAX;

/// Which shard a packet between these two addresses belongs to, whichever way it goes.
#[inline]
pub(super) fn shard_of((a, b): (IpAddr, IpAddr)) -> usize {
    shard_between(a.is_ipv6() || b.is_ipv6(), bits(a), bits(b))
}

#[inline]
fn shard_between(is_v6: bool, a: u128, b: u128) -> usize {
    // The key is fixed: results must not differ between runs, and who floods one shard evicts
    // only from that shard's share of the budget.
    const KEY: FixedState = FixedState::with_seed(0x5eed_0fa1);
    let mut hasher = KEY.build_hasher();
    let (low, high) = (a.min(b), a.max(b));
    if is_v6 {
        hasher.write_u128(low);
        hasher.write_u128(high);
    } else {
        hasher.write_u64((low as u64) << 32 | high as u64);
    }
    usize::try_from(hasher.finish() % SHARDS as u64).unwrap_or(0)
}

/// The shards that one thread runs: every `step`-th from `first`.
pub(super) struct ShardSet {
    tables: Vec<FlowTable>,
    /// Which of them a shard is; beyond all for the shards of other threads.
    places: [usize; SHARDS],
    first: usize,
    step: usize,
    scratch: Vec<Event>,
}

/// A packet before its turn.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expected {
    /// Where its shard's table is.
    table: usize,
    /// What that found out about its connection.
    hint: Hint,
}

impl ShardSet {
    /// The share of worker `first` out of `workers`.
    pub(super) fn new(config: &FlowConfig, first: usize, workers: usize) -> Self {
        let share = FlowConfig { budget: ByteSize(config.budget.0 / SHARDS), ..config.clone() };
        let tables = (first..SHARDS).step_by(workers).map(|_| FlowTable::new(&share)).collect();
        // To divide by the number of threads for each packet would be felt.
        let place = |shard: usize| match shard % workers == first {
            true => shard / workers,
            false => SHARDS,
        };
        let places = std::array::from_fn(place);
        Self { tables, places, first, step: workers, scratch: Vec::new() }
    }

    /// Works through a batch and ranks what comes out.
    pub(super) fn on_batch(&mut self, batch: &Batch, out: &mut Vec<(Rank, Event)>) {
        let mut ticks = batch.ticks.iter().peekable();
        for burst in batch.queued().chunks(BURST) {
            let mut expected: Vec<_> =
                burst.iter().map(|queued| self.expect(&queued.packet.ends()?)).collect();
            self.fetch(expected.iter_mut().flatten());
            for (queued, expected) in burst.iter().zip(&expected) {
                while let Some(tick) = ticks.next_if(|tick| tick.number <= queued.number) {
                    self.rank_tick(*tick, out);
                }
                let packet = batch.packet(queued);
                self.rank_packet(queued.number, &packet, expected.as_ref(), out);
            }
        }
        for tick in ticks {
            self.rank_tick(*tick, out);
        }
        if let Some(end) = batch.end {
            self.finish(end, |rank, event| out.push((rank, event)));
        }
    }

    /// Looks where a packet between these ends will go, which comes soon.
    #[inline]
    pub(super) fn expect(&self, ends: &Ends) -> Option<Expected> {
        let table = self.index(shard_between(ends.is_v6, ends.src.0, ends.dst.0));
        let hint = self.tables.get(table)?.hint(ends);
        Some(Expected { table, hint })
    }

    /// Has what the packets of a burst will read fetched, once all of them are expected.
    #[inline]
    pub(super) fn fetch<'e>(&self, burst: impl Iterator<Item = &'e mut Expected>) {
        let mut found: [Option<&Expected>; BURST] = [None; BURST];
        for (expected, found) in burst.zip(&mut found) {
            if let Some(table) = self.tables.get(expected.table) {
                table.prefetch(&mut expected.hint);
            }
            *found = Some(expected);
        }
        for expected in found.into_iter().flatten() {
            if let Some(table) = self.tables.get(expected.table) {
                table.prefetch_detail(&expected.hint);
            }
        }
    }

    /// Takes a packet and what was found out about it before; what it makes known is appended to
    /// `out`. Gives its shard.
    #[inline]
    pub(super) fn on_packet(
        &mut self,
        number: u64,
        packet: &Packet<'_>,
        expected: Option<&Expected>,
        out: &mut Vec<Event>,
    ) -> usize {
        let index = match expected {
            Some(expected) => expected.table,
            None => self.index(shard_of(packet.shard_pair())),
        };
        if let Some(table) = self.tables.get_mut(index) {
            table.on_packet(number, packet, expected.map(|expected| expected.hint), out);
        }
        self.first + index * self.step
    }

    /// Fires the timers of every shard, in order; what they say is appended to `out`.
    pub(super) fn on_tick(&mut self, tick: Tick, out: &mut Vec<Event>) {
        for table in &mut self.tables {
            table.on_tick(tick.number, tick.now, out);
        }
    }

    /// The same for a packet of a batch, ranked.
    fn rank_packet(
        &mut self,
        number: u64,
        packet: &Packet<'_>,
        expected: Option<&Expected>,
        out: &mut Vec<(Rank, Event)>,
    ) {
        let mut scratch = std::mem::take(&mut self.scratch);
        let shard = self.on_packet(number, packet, expected, &mut scratch);
        let rank = (number, PACKET, shard);
        out.extend(scratch.drain(..).map(|event| (rank, event)));
        self.scratch = scratch;
    }

    /// The same for a tick of a batch, ranked.
    fn rank_tick(&mut self, tick: Tick, out: &mut Vec<(Rank, Event)>) {
        for (index, table) in self.tables.iter_mut().enumerate() {
            table.on_tick(tick.number, tick.now, &mut self.scratch);
            let rank = (tick.number, tick.ordinal, self.first + index * self.step);
            out.extend(self.scratch.drain(..).map(|event| (rank, event)));
        }
    }

    /// Ends every connection because the input ended, shard by shard, and gives the events of each
    /// before the next: all of them would take as much memory as the connections did.
    pub(super) fn finish(&mut self, end: Tick, mut each: impl FnMut(Rank, Event)) {
        for (index, table) in self.tables.iter_mut().enumerate() {
            table.finish(end.number, end.now, &mut self.scratch);
            let rank = (end.number, PACKET, self.first + index * self.step);
            for event in self.scratch.drain(..) {
                each(rank, event);
            }
        }
    }

    /// Where the table of a shard is.
    fn index(&self, shard: usize) -> usize {
        self.places.get(shard).copied().unwrap_or(SHARDS)
    }

    /// Sum over the shards.
    pub(super) fn stats(&self) -> FlowStats {
        self.tables
            .iter()
            .map(FlowTable::stats)
            .fold(FlowStats::default(), |sum, stats| sum + stats)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_directions_have_one_shard() {
        let (a, b): (IpAddr, IpAddr) = ([192, 0, 2, 9].into(), [192, 0, 2, 1].into());

        assert_eq!(shard_of((a, b)), shard_of((b, a)));
    }
}

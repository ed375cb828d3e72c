//! The connection tables, cut into a fixed number of shards.
//!
//! A connection's shard depends on its address pair alone, never on the number of threads, so a
//! table that runs full evicts the same connection whether one thread runs it or eight.

use std::hash::{BuildHasher, Hasher};
use std::net::IpAddr;

use foldhash::fast::FixedState;

use super::ahead::{self, Ahead, FIND, KNOW, READ};
use super::batch::{Batch, Tick};
use crate::config::units::ByteSize;
use crate::decode::{Glimpse, Packet};
use crate::event::Event;
use crate::flow::{FlowConfig, FlowStats, FlowTable};

/// Shards of the connection table; a multiple of every sensible number of threads.
pub const SHARDS: usize = 16;

/// Orders what the shards say: packet number, then its ticks in order before the packet, shard.
pub(super) type Rank = (u64, u32, usize);

/// The place of the packet itself, behind all ticks that it made fire.
pub(super) const PACKET: u32 = u32::MAX;

/// Which shard a packet between these two addresses belongs to, whichever way it goes.
#[inline]
pub(super) fn shard_of((a, b): (IpAddr, IpAddr)) -> usize {
    let pair = if a <= b { (a, b) } else { (b, a) };
    // The key is fixed: results must not differ between runs, and who floods one shard evicts
    // only from that shard's share of the budget.
    let mut hasher = FixedState::with_seed(0x5eed_0fa1).build_hasher();
    for addr in [pair.0, pair.1] {
        match addr {
            IpAddr::V4(v4) => hasher.write_u32(v4.to_bits()),
            IpAddr::V6(v6) => hasher.write_u128(v6.to_bits()),
        }
    }
    usize::try_from(hasher.finish() % SHARDS as u64).unwrap_or(0)
}

/// The shards that one thread runs: every `step`-th from `first`.
pub(super) struct ShardSet {
    tables: Vec<FlowTable>,
    first: usize,
    step: usize,
    scratch: Vec<Event>,
    /// What is known of the packets that come next.
    ahead: ahead::Queue,
    /// What was known of the packet whose turn it is.
    current: Option<Ahead>,
}

impl ShardSet {
    /// The share of worker `first` out of `workers`.
    pub(super) fn new(config: &FlowConfig, first: usize, workers: usize) -> Self {
        let share = FlowConfig { budget: ByteSize(config.budget.0 / SHARDS), ..config.clone() };
        let tables = (first..SHARDS).step_by(workers).map(|_| FlowTable::new(&share)).collect();
        let ahead = ahead::Queue::new();
        Self { tables, first, step: workers, scratch: Vec::new(), ahead, current: None }
    }

    /// Works through a batch and ranks what comes out.
    pub(super) fn on_batch(&mut self, batch: &Batch, out: &mut Vec<(Rank, Event)>) {
        let mut ticks = batch.ticks.iter().peekable();
        let mut coming = batch.queued().iter();
        for queued in batch.queued() {
            for next in coming.by_ref().take((KNOW + 1).saturating_sub(self.ahead.len())) {
                self.expect(next.packet.glimpse());
            }
            self.advance();
            while let Some(tick) = ticks.next_if(|tick| tick.number <= queued.number) {
                self.rank_tick(*tick, out);
            }
            self.rank_packet(queued.number, &batch.packet(queued), out);
        }
        for tick in ticks {
            self.rank_tick(*tick, out);
        }
        if let Some(end) = batch.end {
            self.finish(end, |rank, event| out.push((rank, event)));
        }
    }

    /// Packets that are expected.
    pub(super) fn expected(&self) -> usize {
        self.ahead.len()
    }

    /// Expects a packet behind those that are expected already. A wrong expectation costs time and
    /// nothing else.
    #[inline]
    pub(super) fn expect(&mut self, glimpse: Option<Glimpse>) {
        let ahead = glimpse.and_then(|glimpse| {
            let shard = shard_of((glimpse.src.addr, glimpse.dst.addr));
            let table = self.tables.get(self.index(shard))?;
            let lookup = table.lookup(&glimpse);
            table.prefetch_index(&lookup);
            Some(Ahead { glimpse, shard, lookup, place: None })
        });
        self.ahead.push_back(ahead);
    }

    /// Goes on to the next packet that is expected, and has memory fetched for some after it.
    #[inline]
    pub(super) fn advance(&mut self) {
        self.current = self.ahead.pop_front().flatten();
        let Self { tables, ahead, first, step, .. } = self;
        let table = |shard: usize| tables.get(shard.saturating_sub(*first) / *step);
        if let Some(Some(next)) = ahead.get_mut(FIND)
            && let Some(table) = table(next.shard)
        {
            next.place = table.guess(&next.lookup);
            if let Some(place) = next.place {
                table.prefetch(place);
            }
        }
        if let Some(Some(Ahead { shard, place: Some(place), .. })) = ahead.get(READ)
            && let Some(table) = table(*shard)
        {
            table.prefetch_detail(*place);
        }
    }

    /// Takes a packet, the one that was expected if any was; what it makes known is appended to
    /// `out`. Gives its shard.
    #[inline]
    pub(super) fn on_packet(
        &mut self,
        number: u64,
        packet: &Packet<'_>,
        out: &mut Vec<Event>,
    ) -> usize {
        let known = self.current.filter(|ahead| packet.glimpse() == Some(ahead.glimpse));
        let shard = known.map_or_else(|| shard_of(packet.shard_pair()), |ahead| ahead.shard);
        let index = self.index(shard);
        if let Some(table) = self.tables.get_mut(index) {
            let lookup = known.as_ref().map(|ahead| &ahead.lookup);
            table.on_packet_of(lookup, number, packet, out);
        }
        shard
    }

    /// Fires the timers of every shard, in order; what they say is appended to `out`.
    pub(super) fn on_tick(&mut self, tick: Tick, out: &mut Vec<Event>) {
        for table in &mut self.tables {
            table.on_tick(tick.number, tick.now, out);
        }
    }

    /// The same for a packet of a batch, ranked.
    fn rank_packet(&mut self, number: u64, packet: &Packet<'_>, out: &mut Vec<(Rank, Event)>) {
        let mut scratch = std::mem::take(&mut self.scratch);
        let shard = self.on_packet(number, packet, &mut scratch);
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
    const fn index(&self, shard: usize) -> usize {
        shard.saturating_sub(self.first) / self.step
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

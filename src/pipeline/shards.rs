//! The connection tables, cut into a fixed number of shards.
//!
//! A connection's shard depends on its address pair alone, never on the number of threads, so a
//! table that runs full evicts the same connection whether one thread runs it or eight.

use std::hash::{BuildHasher, Hasher};
use std::net::IpAddr;

use foldhash::fast::FixedState;

use super::batch::{Batch, Tick};
use crate::config::units::ByteSize;
use crate::decode::Packet;
use crate::event::Event;
use crate::flow::{FlowConfig, FlowStats, FlowTable};

/// Shards of the connection table; a multiple of every sensible number of threads.
pub const SHARDS: usize = 16;

/// Orders what the shards say: packet number, then its ticks in order before the packet, shard.
pub(super) type Rank = (u64, u32, usize);

/// The place of the packet itself, behind all ticks that it made fire.
pub(super) const PACKET: u32 = u32::MAX;

/// Which shard a packet belongs to: by the keyed, symmetric hash of its address pair.
pub(super) fn shard_of(pair: (IpAddr, IpAddr)) -> usize {
    // The key is fixed: results must not differ between runs, and who floods one shard evicts
    // only from that shard's share of the budget.
    let mut hasher = FixedState::with_seed(0x5eed_0fa1_10e5).build_hasher();
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
}

impl ShardSet {
    /// The share of worker `first` out of `workers`.
    pub(super) fn new(config: &FlowConfig, first: usize, workers: usize) -> Self {
        let share = FlowConfig { budget: ByteSize(config.budget.0 / SHARDS), ..config.clone() };
        let tables = (first..SHARDS).step_by(workers).map(|_| FlowTable::new(&share)).collect();
        Self { tables, first, step: workers, scratch: Vec::new() }
    }

    /// Feeds one packet to its shard.
    pub(super) fn on_packet(
        &mut self,
        number: u64,
        shard: usize,
        packet: &Packet<'_>,
        out: &mut Vec<Event>,
    ) {
        if let Some(table) = self.tables.get_mut(shard.saturating_sub(self.first) / self.step) {
            table.on_packet(number, packet, out);
        }
    }

    /// Fires the timers of every shard, in order, and ranks what they say.
    fn on_tick_ranked(&mut self, tick: Tick, out: &mut Vec<(Rank, Event)>) {
        for (index, table) in self.tables.iter_mut().enumerate() {
            table.on_tick(tick.number, tick.now, &mut self.scratch);
            let shard = self.first + index * self.step;
            let rank = (tick.number, tick.ordinal, shard);
            out.extend(self.scratch.drain(..).map(|event| (rank, event)));
        }
    }

    /// Fires the timers of every shard, in order.
    pub(super) fn on_tick(&mut self, tick: Tick, out: &mut Vec<Event>) {
        for table in &mut self.tables {
            table.on_tick(tick.number, tick.now, out);
        }
    }

    /// Works through a batch and ranks what comes out.
    pub(super) fn on_batch(&mut self, batch: &Batch, out: &mut Vec<(Rank, Event)>) {
        let mut ticks = batch.ticks.iter().peekable();
        for (number, shard, packet) in batch.packets() {
            while let Some(tick) = ticks.next_if(|tick| tick.number <= number) {
                self.on_tick_ranked(*tick, out);
            }
            let mut events = std::mem::take(&mut self.scratch);
            self.on_packet(number, shard, &packet, &mut events);
            out.extend(events.drain(..).map(|event| ((number, PACKET, shard), event)));
            self.scratch = events;
        }
        for tick in ticks {
            self.on_tick_ranked(*tick, out);
        }
        if let Some(end) = batch.end {
            for (index, table) in self.tables.iter_mut().enumerate() {
                table.finish(end.number, end.now, &mut self.scratch);
                let rank = (end.number, PACKET, self.first + index * self.step);
                out.extend(self.scratch.drain(..).map(|event| (rank, event)));
            }
        }
    }

    /// Ends every connection because the input ended.
    pub(super) fn finish(&mut self, end: Tick, out: &mut Vec<Event>) {
        for table in &mut self.tables {
            table.finish(end.number, end.now, out);
        }
    }

    /// Sum over the shards.
    pub(super) fn stats(&self) -> FlowStats {
        self.tables
            .iter()
            .map(FlowTable::stats)
            .fold(FlowStats::default(), |sum, stats| sum + stats)
    }
}

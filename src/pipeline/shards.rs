//! The connection tables, cut into a fixed number of shards.
//!
//! A connection's shard depends on its address pair alone, never on the number of threads, so a
//! table that runs full evicts the same connection whether one thread runs it or eight.

use std::hash::{BuildHasher, Hasher};
use std::net::IpAddr;

use foldhash::fast::FixedState;

use super::batch::{Batch, Queued, Tick};
use crate::config::units::ByteSize;
use crate::event::Event;
use crate::flow::{FlowConfig, FlowStats, FlowTable};

/// Shards of the connection table; a multiple of every sensible number of threads.
pub const SHARDS: usize = 16;

/// Packets whose connections are looked up together: twice what a core can wait for at once, and
/// few enough that what was fetched for the last is still there when its turn comes.
pub(super) const AHEAD: usize = 32;

/// Orders what the shards say: packet number, then its ticks in order before the packet, shard.
pub(super) type Rank = (u64, u32, usize);

/// The place of the packet itself, behind all ticks that it made fire.
pub(super) const PACKET: u32 = u32::MAX;

/// Which shard a packet belongs to: by the keyed, symmetric hash of its address pair.
pub(super) fn shard_of(pair: (IpAddr, IpAddr)) -> usize {
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
}

impl ShardSet {
    /// The share of worker `first` out of `workers`.
    pub(super) fn new(config: &FlowConfig, first: usize, workers: usize) -> Self {
        let share = FlowConfig { budget: ByteSize(config.budget.0 / SHARDS), ..config.clone() };
        let tables = (first..SHARDS).step_by(workers).map(|_| FlowTable::new(&share)).collect();
        Self { tables, first, step: workers, scratch: Vec::new() }
    }

    /// Works through a batch and ranks what comes out.
    ///
    /// Tens of thousands of connections fit no cache that is near, so a packet waits several times
    /// for memory to find its own. The connections of some packets are looked up before the first
    /// of them is worked on, because look-ups that do not depend on each other wait together.
    pub(super) fn on_batch(&mut self, batch: &Batch, out: &mut Vec<(Rank, Event)>) {
        let mut ticks = batch.ticks.iter().peekable();
        for packets in batch.queued().chunks(AHEAD) {
            let places = self.fetch(packets);
            for (queued, place) in packets.iter().zip(places) {
                let Queued { number, shard, .. } = *queued;
                while let Some(tick) = ticks.next_if(|tick| tick.number <= number) {
                    self.on_tick(*tick, out);
                }
                let index = self.index(shard);
                let Some(table) = self.tables.get_mut(index) else { continue };
                table.on_packet_at(place, number, &batch.packet(queued), &mut self.scratch);
                let rank = (number, PACKET, shard);
                out.extend(self.scratch.drain(..).map(|event| (rank, event)));
            }
        }
        for tick in ticks {
            self.on_tick(*tick, out);
        }
        if let Some(end) = batch.end {
            self.finish(end, |rank, event| out.push((rank, event)));
        }
    }

    /// Fires the timers of every shard, in order, and ranks what they say.
    pub(super) fn on_tick(&mut self, tick: Tick, out: &mut Vec<(Rank, Event)>) {
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

    /// Has the memory of the packets' connections fetched; tells where they probably are.
    fn fetch(&self, packets: &[Queued]) -> [Option<u32>; AHEAD] {
        let table = |queued: &Queued| self.tables.get(self.index(queued.shard));
        let mut places = [None; AHEAD];
        for (queued, place) in packets.iter().zip(&mut places) {
            *place = table(queued).and_then(|table| table.locate(&queued.packet));
        }
        let touch = |(queued, place): (&Queued, Option<u32>)| Some(table(queued)?.touch(place?));
        let read = packets.iter().zip(places).filter_map(touch).fold(0, |sum, read| sum ^ read);
        std::hint::black_box(read);
        places
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

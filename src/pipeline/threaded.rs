//! The stages on several threads: this one reads and decodes, workers track connections, and one
//! thread detects.
//!
//! Every batch goes to every worker, empty or not, and every worker answers every batch; so the
//! detection thread knows when it has all events up to a packet, sorts them into the order that
//! one thread would have made, and goes on. All queues are bounded: a slow stage slows the source,
//! and then the kernel's counters say so.

use std::thread;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::analysis::Analysis;
use super::batch::{Batch, Tick};
use super::intake::{Intake, IntakeStats};
use super::shards::{PACKET, Rank, SHARDS, ShardSet, shard_of};
use super::{Command, Lane, Observer, Options, Outcome, View, feed};
use crate::config::Config;
use crate::decode::Packet;
use crate::event::Event;
use crate::flow::FlowStats;
use crate::net::Ends;
use crate::source::Source;
use crate::time::Timestamp;

/// Packets in a batch, over all workers: enough to make a queue's cost vanish, few enough to stay
/// in a second-level cache.
const BATCH: usize = 4096;
/// Batches that may wait in one queue.
const DEPTH: usize = 4;

/// What detection needs to know of a batch beside the workers' events.
#[derive(Default)]
struct Notes {
    ticks: Vec<Tick>,
    is_end: bool,
    oddities: Vec<(Rank, Event)>,
    looks: Option<(Timestamp, IntakeStats)>,
    command: Option<Command>,
}

/// What a worker makes of a batch.
struct Done {
    events: Vec<(Rank, Event)>,
    flow: FlowStats,
}

/// The packet loop's side of the queues.
struct Queues {
    batches: Vec<Batch>,
    notes: Notes,
    held: usize,
    prompt: bool,
    to_workers: Vec<Sender<Batch>>,
    to_detection: Sender<Notes>,
}

impl Queues {
    /// Hands over what has gathered. A closed queue means that its thread has died; the scope
    /// passes its panic on once this thread is done.
    fn flush(&mut self) {
        self.held = 0;
        for (batch, queue) in self.batches.iter_mut().zip(&self.to_workers) {
            batch.ticks.clone_from(&self.notes.ticks);
            let _ = queue.send(std::mem::take(batch));
        }
        let _ = self.to_detection.send(std::mem::take(&mut self.notes));
    }
}

impl Lane for Queues {
    // The workers see for themselves what comes.
    type Expected = ();

    fn expect(&mut self, _: &Ends) -> Option<()> {
        None
    }

    fn fetch<'e>(&mut self, _: impl Iterator<Item = &'e mut ()>) {}

    fn on_tick(&mut self, tick: Tick) {
        self.notes.ticks.push(tick);
    }

    fn on_packet(&mut self, number: u64, packet: &Packet<'_>, _: Option<&()>) {
        let worker = shard_of(packet.shard_pair()) % self.batches.len().max(1);
        if let Some(batch) = self.batches.get_mut(worker) {
            batch.push(number, packet);
        }
        self.held += 1;
        if self.held >= BATCH {
            self.flush();
        }
    }

    fn on_oddity(&mut self, event: Event) {
        self.notes.oddities.push(((event.packet, PACKET, SHARDS), event));
    }

    fn on_look(&mut self, now: Timestamp, intake: &IntakeStats, command: Option<Command>) {
        self.notes.looks = Some((now, intake.clone()));
        if command.is_some() {
            self.notes.command = command;
        }
        // Ticks are bounded too: a capture with one packet a minute must not gather them for hours.
        if self.prompt || self.notes.command.is_some() || self.notes.ticks.len() >= BATCH {
            self.flush();
        }
    }
}

/// Runs `source` to its end.
pub(super) fn run(
    config: &Config,
    source: &mut dyn Source,
    options: Options,
    observer: &mut dyn Observer,
    commands: &mut dyn FnMut() -> Option<Command>,
) -> Outcome {
    let workers = options.threads.min(SHARDS);
    let mut intake = Intake::new(config);
    let turn = observer.turns();
    let (analysis, flow) = thread::scope(|scope| {
        let (to_detection, notes) = bounded(DEPTH);
        let (mut to_workers, mut from_workers) = (Vec::new(), Vec::new());
        for worker in 0..workers {
            let (to_worker, batches) = bounded(DEPTH);
            let (done, from_worker) = bounded(DEPTH);
            scope.spawn(move || track(config, worker, workers, &batches, &done));
            to_workers.push(to_worker);
            from_workers.push(from_worker);
        }
        let detection = scope.spawn(move || detect(config, &notes, &from_workers, observer));
        let mut queues = Queues {
            batches: (0..workers).map(|_| Batch::default()).collect(),
            notes: Notes::default(),
            held: 0,
            prompt: options.prompt,
            to_workers,
            to_detection,
        };
        feed(source, &mut intake, &mut queues, turn.as_ref(), commands);
        queues.flush();
        for batch in &mut queues.batches {
            batch.end = Some(intake.end());
        }
        queues.notes.is_end = true;
        queues.notes.looks = Some((intake.now(), intake.stats().clone()));
        queues.flush();
        drop(queues);
        detection.join()
    })
    .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    Outcome { analysis, intake: intake.into_stats(), flow }
}

/// A flow worker: batches in, ranked events out.
fn track(
    config: &Config,
    worker: usize,
    workers: usize,
    batches: &Receiver<Batch>,
    done: &Sender<Done>,
) {
    let mut shards = ShardSet::new(&config.flow, worker, workers);
    for batch in batches {
        let mut events = Vec::new();
        shards.on_batch(&batch, &mut events);
        if done.send(Done { events, flow: shards.stats() }).is_err() {
            return;
        }
    }
}

/// The detection thread: everything in order.
fn detect(
    config: &Config,
    notes: &Receiver<Notes>,
    from_workers: &[Receiver<Done>],
    observer: &mut dyn Observer,
) -> (Analysis, FlowStats) {
    let mut analysis = Analysis::new(config);
    let mut flow = FlowStats::default();
    for mut note in notes {
        let mut events = std::mem::take(&mut note.oddities);
        flow = FlowStats::default();
        for worker in from_workers {
            if let Ok(done) = worker.recv() {
                events.extend(done.events);
                flow = flow + done.flow;
            }
        }
        // Stable, and made of sorted runs: what one shard said stays in its order.
        events.sort_by_key(|(rank, _)| *rank);
        let mut ticks = note.ticks.iter().peekable();
        for (rank, event) in &events {
            while let Some(tick) = ticks.next_if(|tick| (tick.number, tick.ordinal, SHARDS) < *rank)
            {
                analysis.on_tick(tick.now, observer);
            }
            analysis.on_event(event, observer);
        }
        for tick in ticks {
            analysis.on_tick(tick.now, observer);
        }
        if let Some(Command::Reload(config)) = note.command {
            analysis.reload(&config);
        }
        if let Some((now, intake)) = note.looks {
            if note.is_end {
                analysis.finish(now, observer);
            }
            let touched = analysis.take_touched();
            let (analysis, intake) = (&analysis, &intake);
            observer.on_tick(now, View { analysis, intake, flow, touched: &touched });
        }
    }
    (analysis, flow)
}

//! Every stage on one thread, a handful of packets at a time.

use super::analysis::Analysis;
use super::batch::{Batch, Tick};
use super::intake::{Intake, IntakeStats};
use super::shards::{AHEAD, Rank, ShardSet};
use super::{Command, Lane, Observer, Outcome, View, feed};
use crate::config::Config;
use crate::decode::Packet;
use crate::event::Event;
use crate::source::Source;
use crate::time::Timestamp;

struct InLine<'a> {
    shards: ShardSet,
    analysis: Analysis,
    observer: &'a mut dyn Observer,
    /// Packets that wait until their connections are looked up together.
    waiting: Batch,
    events: Vec<(Rank, Event)>,
}

impl InLine<'_> {
    /// Works off the packets that wait; everything else comes after them.
    fn catch_up(&mut self) {
        self.shards.on_batch(&self.waiting, &mut self.events);
        self.waiting.clear();
        self.analyse();
    }

    fn analyse(&mut self) {
        for (_, event) in self.events.drain(..) {
            self.analysis.on_event(&event, self.observer);
        }
    }
}

impl Lane for InLine<'_> {
    fn on_tick(&mut self, tick: Tick) {
        self.catch_up();
        self.shards.on_tick(tick, &mut self.events);
        self.analyse();
        self.analysis.on_tick(tick.now, self.observer);
    }

    #[inline]
    fn on_packet(&mut self, number: u64, shard: usize, packet: &Packet<'_>) {
        self.waiting.push(number, shard, packet);
        if self.waiting.len() >= AHEAD {
            self.catch_up();
        }
    }

    fn on_oddity(&mut self, event: Event) {
        self.catch_up();
        self.analysis.on_event(&event, self.observer);
    }

    fn on_look(&mut self, now: Timestamp, intake: &IntakeStats, command: Option<Command>) {
        self.catch_up();
        if let Some(Command::Reload(config)) = command {
            self.analysis.reload(&config);
        }
        let touched = self.analysis.take_touched();
        let (analysis, flow) = (&self.analysis, self.shards.stats());
        let view = View { analysis, intake, flow, touched: &touched };
        self.observer.on_tick(now, view);
    }
}

/// Runs `source` to its end.
pub(super) fn run(
    config: &Config,
    source: &mut dyn Source,
    observer: &mut dyn Observer,
    commands: &mut dyn FnMut() -> Option<Command>,
) -> Outcome {
    let mut intake = Intake::new(config);
    let turn = observer.turns();
    let mut lane = InLine {
        shards: ShardSet::new(&config.flow, 0, 1),
        analysis: Analysis::new(config),
        observer,
        waiting: Batch::default(),
        events: Vec::new(),
    };
    feed(source, &mut intake, &mut lane, turn.as_ref(), commands);
    lane.catch_up();
    let InLine { shards, analysis, observer, .. } = &mut lane;
    shards.finish(intake.end(), |_, event| analysis.on_event(&event, &mut **observer));
    lane.analysis.finish(intake.now(), lane.observer);
    let flow = lane.shards.stats();
    let touched = lane.analysis.take_touched();
    let (analysis, intake_stats) = (&lane.analysis, intake.stats());
    let view = View { analysis, intake: intake_stats, flow, touched: &touched };
    lane.observer.on_tick(intake.now(), view);
    Outcome { analysis: lane.analysis, intake: intake.into_stats(), flow }
}

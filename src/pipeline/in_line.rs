//! Every stage on one thread, burst by burst.

use super::analysis::Analysis;
use super::batch::Tick;
use super::intake::{Intake, IntakeStats};
use super::shards::{Expected, ShardSet};
use super::{Command, Lane, Observer, Outcome, View, feed};
use crate::config::Config;
use crate::decode::Packet;
use crate::event::Event;
use crate::net::Ends;
use crate::source::Source;
use crate::time::Timestamp;

/// Events that wait for each other at most, to be analysed together.
const TOGETHER: usize = 128;

struct InLine<'a> {
    shards: ShardSet,
    analysis: Analysis,
    observer: &'a mut dyn Observer,
    /// What the shards have said and the analysis has not seen yet.
    events: Vec<Event>,
}

impl InLine<'_> {
    fn analyse(&mut self) {
        self.analysis.on_events(&self.events, self.observer);
        self.events.clear();
    }
}

impl Lane for InLine<'_> {
    type Expected = Expected;

    #[inline]
    fn expect(&mut self, ends: &Ends) -> Option<Expected> {
        self.shards.expect(ends)
    }

    #[inline]
    fn fetch<'e>(&mut self, burst: impl Iterator<Item = &'e mut Expected>) {
        self.shards.fetch(burst);
    }

    fn on_tick(&mut self, tick: Tick) {
        self.analyse();
        self.shards.on_tick(tick, &mut self.events);
        self.analyse();
        self.analysis.on_tick(tick.now, self.observer);
    }

    #[inline]
    fn on_packet(&mut self, number: u64, packet: &Packet<'_>, expected: Option<&Expected>) {
        self.shards.on_packet(number, packet, expected, &mut self.events);
        if self.events.len() >= TOGETHER {
            self.analyse();
        }
    }

    fn on_oddity(&mut self, event: Event) {
        self.analyse();
        self.analysis.on_event(&event, self.observer);
    }

    fn on_look(&mut self, now: Timestamp, intake: &IntakeStats, command: Option<Command>) {
        self.analyse();
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
        events: Vec::new(),
    };
    feed(source, &mut intake, &mut lane, turn.as_ref(), commands);
    lane.analyse();
    let InLine { shards, analysis, observer, events, .. } = &mut lane;
    shards.finish(intake.end(), |_, event| {
        events.push(event);
        if events.len() >= TOGETHER {
            analysis.on_events(events, &mut **observer);
            events.clear();
        }
    });
    lane.analyse();
    lane.analysis.finish(intake.now(), lane.observer);
    let flow = lane.shards.stats();
    let touched = lane.analysis.take_touched();
    let (analysis, intake_stats) = (&lane.analysis, intake.stats());
    let view = View { analysis, intake: intake_stats, flow, touched: &touched };
    lane.observer.on_tick(intake.now(), view);
    Outcome { analysis: lane.analysis, intake: intake.into_stats(), flow }
}

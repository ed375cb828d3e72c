//! The one place that knows the order of the stages, and on which thread each runs.
//!
//! With one thread everything happens in line, packet by packet. With more, the calling thread
//! reads and decodes, flow workers run their shards, and a detection thread puts the workers'
//! events back into the order that one thread would have made; so the output is the same, byte for
//! byte, whatever the number of threads.

mod analysis;
mod batch;
mod burst;
mod in_line;
mod intake;
mod ledger;
pub mod published;
mod shards;
mod threaded;

use std::net::IpAddr;

use crate::config::Config;
use crate::decode::Packet;
use crate::event::Event;
use crate::flow::FlowStats;
use crate::net::Ends;
use crate::source::{Next, Source};
use crate::time::Timestamp;

pub use analysis::{Analysis, Counts};
pub use intake::IntakeStats;
pub use shards::SHARDS;

use batch::Tick;
use burst::BURST;
use intake::Intake;

/// What the edges may ask of a running pipeline.
#[derive(Debug)]
pub enum Command {
    /// Take what can change while running from this configuration.
    Reload(Box<Config>),
}

/// How to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Flow workers; 1 runs everything on the calling thread.
    pub threads: usize,
    /// Whether somebody waits for each result (live capture), so that nothing may lie in a batch
    /// for longer than a second of packet time.
    pub prompt: bool,
}

/// What the detection thread shows of the pipeline.
#[derive(Clone, Copy)]
pub struct View<'a> {
    /// Inventory, scores, alerts.
    pub analysis: &'a Analysis,
    /// What came in and what was skipped.
    pub intake: &'a IntakeStats,
    /// The connection tables.
    pub flow: FlowStats,
    /// The hosts whose score changed since the last look, each once.
    pub touched: &'a [IpAddr],
}

/// Somebody who watches the pipeline at work; called on the detection thread.
pub trait Observer: Send {
    /// An event happened; called before the detectors see it.
    fn on_event(&mut self, event: &Event) {
        let _ = event;
    }

    /// An alert opened, grew or closed.
    fn on_alert(&mut self, alert: &crate::incident::Alert) {
        let _ = alert;
    }

    /// Packet time moved on, or the input ended.
    fn on_tick(&mut self, now: Timestamp, view: View<'_>) {
        let _ = (now, view);
    }

    /// The packet loop made a turn; called on the calling thread of [`run`], idle turns included.
    fn turns(&self) -> Option<Turn> {
        None
    }
}

/// What [`Observer::turns`] gives: called once for each turn of the packet loop.
pub type Turn = std::sync::Arc<dyn Fn() + Send + Sync>;

/// Nobody watches.
impl Observer for () {}

/// What is left when the input has ended.
pub struct Outcome {
    /// Inventory, scores, alerts.
    pub analysis: Analysis,
    /// What came in and what was skipped.
    pub intake: IntakeStats,
    /// The connection tables at their end.
    pub flow: FlowStats,
}

/// Runs `source` to its end through every stage.
///
/// `commands` is asked for a command about once a second of packet time, and when it is quiet.
pub fn run(
    config: &Config,
    source: &mut dyn Source,
    options: Options,
    observer: &mut dyn Observer,
    commands: &mut dyn FnMut() -> Option<Command>,
) -> Outcome {
    if options.threads <= 1 {
        in_line::run(config, source, observer, commands)
    } else {
        threaded::run(config, source, options, observer, commands)
    }
}

/// What the packet loop feeds; either everything else in line, or the queues to other threads.
trait Lane {
    /// What is found out about a packet before its turn.
    type Expected;

    /// Looks where a packet between these ends will go, which comes soon.
    fn expect(&mut self, ends: &Ends) -> Option<Self::Expected>;

    /// Prepares for the packets of a burst, each of which is expected.
    fn fetch<'e>(&mut self, burst: impl Iterator<Item = &'e mut Self::Expected>)
    where
        Self::Expected: 'e;

    /// Timers fire.
    fn on_tick(&mut self, tick: Tick);

    /// A packet came, of which this was found out.
    fn on_packet(&mut self, number: u64, packet: &Packet<'_>, expected: Option<&Self::Expected>);

    /// Decoding found something odd in the packet that came last.
    fn on_oddity(&mut self, event: Event);

    /// About once a second of packet time, and when it is quiet: time to look around.
    fn on_look(&mut self, now: Timestamp, intake: &IntakeStats, command: Option<Command>);
}

/// The packet loop: reads to the end, decodes, and keeps the time.
fn feed(
    source: &mut dyn Source,
    intake: &mut Intake,
    lane: &mut impl Lane,
    turn: Option<&Turn>,
    commands: &mut dyn FnMut() -> Option<Command>,
) {
    let mut burst = Vec::with_capacity(BURST);
    loop {
        let mut frames = Vec::with_capacity(BURST);
        let is_time = match source.next(BURST, &mut frames) {
            Next::Frames => intake.on_burst(&frames, &mut burst, lane),
            Next::Idle(now) => {
                intake.on_idle(now, lane);
                true
            }
            Next::End => break,
        };
        drop(frames);
        if is_time {
            if let Some(turn) = turn {
                turn();
            }
            intake.report(source);
            lane.on_look(intake.now(), intake.stats(), commands());
        }
    }
    intake.report(source);
}

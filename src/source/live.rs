//! Live capture on one or several interfaces through libpcap.
//!
//! Each interface has a thread ([`lane`]) that takes packets from the kernel in batches. Here they
//! are merged by time: a frame waits until every other interface has shown a later one, or until no
//! earlier one can still be on its way. The wall clock is read here and nowhere further in: to wait, and to
//! say how late it is when no packet does.

mod config;
mod lane;

use std::fmt;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, SystemTime};

use crossbeam_channel::{Receiver, Select, Sender, TryRecvError, bounded};

pub use self::config::LiveConfig;
use self::lane::{Batch, Control, DropCounters, Head, Lane};
use super::{Frame, InputReport, Next, Source, SourceError};
use crate::time::Timestamp;

/// Batches between an interface's thread and the merge.
const QUEUE: usize = 32;

/// How long nothing may come before the time is told.
const IDLE: Duration = Duration::from_millis(100);

/// Frames from interfaces, as they arrive.
pub struct LiveSource {
    inputs: Vec<Input>,
    stop: StopHandle,
    /// How long a frame waits for earlier ones from other interfaces.
    reorder_window: Duration,
    latest: Timestamp,
}

/// Ends a live capture from another thread.
#[derive(Clone)]
pub struct StopHandle(Arc<Control>);

impl StopHandle {
    /// Makes [`LiveSource`] deliver what has been captured so far, and then the end.
    pub fn stop(&self) {
        self.0.stop();
    }
}

impl fmt::Debug for StopHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("StopHandle").field(&self.0.stopped).finish()
    }
}

impl fmt::Debug for LiveSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LiveSource").field("inputs", &self.inputs()).finish_non_exhaustive()
    }
}

/// The merge's side of an interface.
struct Input {
    report: InputReport,
    drops: Arc<DropCounters>,
    full: Receiver<Batch>,
    empty: Sender<Batch>,
    batch: Batch,
    /// The place of the next frame in the batch.
    next: usize,
    ended: bool,
}

impl LiveSource {
    /// Starts to capture on every interface of the configuration.
    ///
    /// # Errors
    ///
    /// If the configuration cannot work ([`LiveConfig::check`]), an interface does not exist or is
    /// down, or the permission to capture is missing.
    pub fn open(config: &LiveConfig) -> Result<Self, SourceError> {
        config.check()?;
        let captures: Vec<_> = config
            .interfaces
            .iter()
            .map(|interface| lane::open(interface, config))
            .collect::<Result<_, _>>()?;
        let control = Arc::new(Control::default());
        let mut source = Self {
            inputs: Vec::with_capacity(captures.len()),
            stop: StopHandle(Arc::clone(&control)),
            reorder_window: config.reorder_window,
            latest: Timestamp::from_nanos(i64::MIN),
        };
        for ((number, interface), capture) in config.interfaces.iter().enumerate().zip(captures) {
            let (to_merge, full) = bounded(QUEUE);
            let (empty, to_lane) = bounded(QUEUE);
            let drops = Arc::new(DropCounters::default());
            let lane = Lane {
                number,
                interface: interface.clone(),
                config: config.clone(),
                control: Arc::clone(&control),
                drops: Arc::clone(&drops),
                full: to_merge,
                empty: to_lane,
            };
            thread::Builder::new()
                .name(format!("capture-{interface}"))
                .spawn(move || lane.run(capture))
                .map_err(|error| SourceError::Capture {
                    interface: interface.clone(),
                    reason: error.to_string(),
                })?;
            let report = InputReport { name: interface.clone(), ..InputReport::default() };
            let batch = Batch::new();
            source.inputs.push(Input { report, drops, full, empty, batch, next: 0, ended: false });
        }
        Ok(source)
    }

    /// A handle that ends the capture.
    pub fn stop_handle(&self) -> StopHandle {
        self.stop.clone()
    }

    /// Finds the input whose frame is next in time, waiting for it no longer than [`IDLE`].
    fn select(&mut self) -> Selected {
        loop {
            let mut first: Option<(Timestamp, usize)> = None;
            let mut all_ended = true;
            let mut all_shown = true;
            for (index, input) in self.inputs.iter_mut().enumerate() {
                let head = input.head();
                all_ended &= input.ended && head.is_none();
                all_shown &= input.ended || head.is_some();
                if let Some(head) = head
                    && first.is_none_or(|(ts, _)| head.ts < ts)
                {
                    first = Some((head.ts, index));
                }
            }
            match first {
                None if all_ended => return Selected::End,
                None => {
                    if !self.wait(IDLE) {
                        return Selected::Idle;
                    }
                }
                Some((_, index)) if all_shown => return Selected::Input(index),
                Some((_, index)) => {
                    let waited =
                        self.inputs.get(index).map_or(Duration::MAX, |i| i.batch.taken.elapsed());
                    let left = self.reorder_window.saturating_sub(waited);
                    if left.is_zero() {
                        return Selected::Input(index);
                    }
                    self.wait(left);
                }
            }
        }
    }

    /// The time before which no other interface can have a frame.
    fn undisputed(&self, index: usize) -> Timestamp {
        let others = self.inputs.iter().enumerate().filter(|(other, _)| *other != index);
        let nothing = |input: &Input| match input.ended {
            true => Timestamp::from_nanos(i64::MAX),
            false => Timestamp::from_nanos(i64::MIN),
        };
        let heads = others.map(|(_, input)| input.peek().map_or(nothing(input), |head| head.ts));
        heads.min().unwrap_or(Timestamp::from_nanos(i64::MAX))
    }

    /// Waits until an input without a frame has something to say; false if none has in time.
    fn wait(&self, time: Duration) -> bool {
        let mut select = Select::new();
        for input in &self.inputs {
            if !input.ended && input.peek().is_none() {
                select.recv(&input.full);
            }
        }
        select.ready_timeout(time).is_ok()
    }
}

enum Selected {
    Input(usize),
    Idle,
    End,
}

impl Input {
    fn peek(&self) -> Option<Head> {
        self.batch.frames.get(self.next).copied()
    }

    /// The next frame that has arrived.
    #[inline]
    fn head(&mut self) -> Option<Head> {
        if let Some(head) = self.peek() {
            return Some(head);
        }
        match self.full.try_recv() {
            Ok(batch) => {
                let used = std::mem::replace(&mut self.batch, batch);
                self.next = 0;
                // If the queue of empty batches is full, there are enough of them.
                let _ = self.empty.try_send(used);
            }
            Err(TryRecvError::Empty) => {}
            Err(TryRecvError::Disconnected) => self.ended = true,
        }
        self.peek()
    }
}

impl Source for LiveSource {
    fn next<'a>(&'a mut self, most: usize, frames: &mut Vec<Frame<'a>>) -> Next {
        let index = match self.select() {
            Selected::Input(index) => index,
            Selected::Idle => {
                // Packets of the last moments may still be with the kernel.
                self.latest = self.latest.max(wall_clock() - self.reorder_window);
                return Next::Idle(self.latest);
            }
            Selected::End => return Next::End,
        };
        let until = self.undisputed(index);
        let Self { inputs, latest, .. } = self;
        let Some(Input { report, batch, next, .. }) = inputs.get_mut(index) else {
            return Next::End;
        };
        let number = u16::try_from(index).unwrap_or(u16::MAX);
        let coming = batch.frames.iter().skip(*next).take(most).enumerate();
        for (_, head) in coming.take_while(|(at, head)| *at == 0 || head.ts < until) {
            *next += 1;
            frames.push(Frame {
                ts: report.count(head.ts, head.len, latest),
                link: batch.link,
                input: number,
                interface: number,
                wire_len: head.wire_len,
                data: batch.bytes.get(head.at..head.at + head.len).unwrap_or_default(),
            });
        }
        Next::Frames
    }

    fn inputs(&self) -> Vec<InputReport> {
        let report = |input: &Input| {
            let (kernel_drops, interface_drops) = input.drops.read();
            InputReport { kernel_drops, interface_drops, ..input.report.clone() }
        };
        self.inputs.iter().map(report).collect()
    }

    fn interface_name(&self, interface: u16) -> String {
        let input = self.inputs.get(usize::from(interface));
        input.map_or_else(|| format!("interface {interface}"), |input| input.report.name.clone())
    }
}

impl Drop for LiveSource {
    fn drop(&mut self) {
        self.stop.stop();
    }
}

/// The time of day.
#[allow(clippy::disallowed_methods, reason = "live capture is where time enters")]
fn wall_clock() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp::EPOCH + since
}

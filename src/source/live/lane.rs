//! One interface: a thread that empties the kernel's buffer into batches of frames.
//!
//! The only queue that may overflow is the kernel's: if the sensor is busy, this thread waits, the
//! kernel's buffer fills, and the kernel counts what it drops.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender};
use pcap::{Active, BreakLoop, Capture, Device, Packet, Precision, Stat};
use tracing::{info, warn};

use super::config::{LiveConfig, bad_filter, reason};
use crate::source::file::link_type;
use crate::source::{LinkType, SourceError};
use crate::time::Timestamp;

/// Frames that are taken from the kernel at once at most.
const BATCH_FRAMES: usize = 4096;
/// Bytes after which a batch is handed on.
const BATCH_BYTES: usize = 1 << 20;
/// How often drops are asked for, in packet time: a system call each.
const STATISTICS: Duration = Duration::from_secs(1);
/// The longest that a stop waits for packets which the kernel already has.
const DRAIN: Duration = Duration::from_millis(500);

/// A drop counter that nobody has told yet.
const UNKNOWN: u64 = u64::MAX;

/// Frames that were captured together.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) link: LinkType,
    pub(super) bytes: Vec<u8>,
    pub(super) frames: Vec<Head>,
    /// When they were taken from the kernel.
    pub(super) taken: Instant,
}

/// A frame in a batch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    pub(super) ts: Timestamp,
    pub(super) wire_len: u32,
    pub(super) at: usize,
    pub(super) len: usize,
}

impl Batch {
    #[allow(clippy::disallowed_methods, reason = "how long frames wait for other interfaces")]
    pub(super) fn new() -> Self {
        let taken = Instant::now();
        Self { link: LinkType::ETHERNET, bytes: Vec::new(), frames: Vec::new(), taken }
    }

    fn push(&mut self, packet: &Packet<'_>, nanos_in_fraction: i64) {
        let (secs, fraction) = (packet.header.ts.tv_sec, packet.header.ts.tv_usec);
        let nanos = secs.saturating_mul(1_000_000_000).saturating_add(fraction * nanos_in_fraction);
        self.frames.push(Head {
            ts: Timestamp::from_nanos(nanos),
            wire_len: packet.header.len.max(packet.header.caplen),
            at: self.bytes.len(),
            len: packet.data.len(),
        });
        self.bytes.extend_from_slice(packet.data);
    }

    fn is_full(&self) -> bool {
        self.bytes.len() >= BATCH_BYTES
    }
}

/// What the threads and their stop handle share.
#[derive(Default)]
pub(super) struct Control {
    pub(super) stopped: AtomicBool,
    /// Wakes each thread out of the kernel.
    breakers: Mutex<Vec<(usize, BreakLoop)>>,
}

impl Control {
    pub(super) fn stop(&self) {
        self.stopped.store(true, Ordering::SeqCst);
        let breakers = self.breakers.lock().unwrap_or_else(PoisonError::into_inner);
        for (_, breaker) in breakers.iter() {
            breaker.breakloop();
        }
    }

    fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }

    fn wake_with(&self, lane: usize, breaker: BreakLoop) {
        let mut breakers = self.breakers.lock().unwrap_or_else(PoisonError::into_inner);
        breakers.retain(|(other, _)| *other != lane);
        breakers.push((lane, breaker));
    }
}

/// Drops of one interface since the start, over all times it was opened.
#[derive(Debug)]
pub(super) struct DropCounters {
    kernel: AtomicU64,
    interface: AtomicU64,
}

impl Default for DropCounters {
    fn default() -> Self {
        Self { kernel: AtomicU64::new(UNKNOWN), interface: AtomicU64::new(UNKNOWN) }
    }
}

impl DropCounters {
    /// Drops by the kernel and by the interface.
    pub(super) fn read(&self) -> (Option<u64>, Option<u64>) {
        let known = |counter: &AtomicU64| {
            Some(counter.load(Ordering::Relaxed)).filter(|&count| count != UNKNOWN)
        };
        (known(&self.kernel), known(&self.interface))
    }

    fn add(counter: &AtomicU64, more: u32) {
        let before = counter.load(Ordering::Relaxed);
        let before = if before == UNKNOWN { 0 } else { before };
        counter.store(before + u64::from(more), Ordering::Relaxed);
    }
}

/// The thread's side of an interface.
pub(super) struct Lane {
    pub(super) number: usize,
    pub(super) interface: String,
    pub(super) config: LiveConfig,
    pub(super) control: Arc<Control>,
    pub(super) drops: Arc<DropCounters>,
    pub(super) full: Sender<Batch>,
    pub(super) empty: Receiver<Batch>,
}

/// Why a capture ended.
enum Ended {
    /// Nobody wants more packets.
    Stopped,
    /// The interface went away.
    Lost(String),
}

impl Lane {
    /// Captures until stopped; an interface that goes away is opened again when it is back.
    pub(super) fn run(&self, first: Capture<Active>) {
        let mut capture = first;
        loop {
            match self.pump(capture) {
                Ended::Stopped => return,
                Ended::Lost(reason) => {
                    warn!(interface = self.interface, reason, "capture interrupted, trying again");
                }
            }
            capture = loop {
                if !self.pause() {
                    return;
                }
                if let Ok(capture) = open(&self.interface, &self.config) {
                    info!(interface = self.interface, "capture resumed");
                    break capture;
                }
            };
        }
    }

    /// Waits before the next attempt; false if stopped meanwhile.
    fn pause(&self) -> bool {
        let step = Duration::from_millis(20);
        let steps = self.config.reopen_after.as_millis() / step.as_millis();
        for _ in 0..=steps {
            if self.control.is_stopped() {
                return false;
            }
            thread::sleep(step);
        }
        true
    }

    fn pump(&self, mut capture: Capture<Active>) -> Ended {
        self.control.wake_with(self.number, capture.breakloop_handle());
        let breaker = capture.breakloop_handle();
        let mut counted = Stat { received: 0, dropped: 0, if_dropped: 0 };
        let mut counted_at = None;
        loop {
            if self.control.is_stopped() {
                self.drain(capture, &mut counted);
                return Ended::Stopped;
            }
            let mut batch = self.empty_batch(&capture);
            let outcome = self.take(&mut capture, &mut batch, &breaker);
            let was_woken = batch.is_full() || self.control.is_stopped();
            let last = batch.frames.last().map(|head| head.ts);
            if !self.hand_on(batch) {
                return Ended::Stopped;
            }
            let due = |at: Timestamp| last.is_some_and(|last| last.since(at) >= STATISTICS);
            if counted_at.is_none_or(due) {
                self.count_drops(&mut capture, &mut counted);
                counted_at = last.or(counted_at);
            }
            match outcome {
                Err(error) if !was_woken => {
                    self.count_drops(&mut capture, &mut counted);
                    return Ended::Lost(reason(&error));
                }
                _ => {}
            }
        }
    }

    #[allow(clippy::disallowed_methods, reason = "how long frames wait for other interfaces")]
    fn empty_batch(&self, capture: &Capture<Active>) -> Batch {
        let mut batch = self.empty.try_recv().unwrap_or_else(|_| Batch::new());
        batch.bytes.clear();
        batch.frames.clear();
        batch.link = link_type(u32::try_from(capture.get_datalink().0).unwrap_or(u32::MAX));
        batch
    }

    /// Waits for packets and takes what there is; wakes itself when the batch is full.
    fn take(
        &self,
        capture: &mut Capture<Active>,
        batch: &mut Batch,
        breaker: &BreakLoop,
    ) -> Result<usize, pcap::Error> {
        let nanos_in_fraction = if has_nanoseconds(&self.interface) { 1 } else { 1000 };
        capture.dispatch(Some(BATCH_FRAMES), |packet| {
            batch.push(&packet, nanos_in_fraction);
            if batch.is_full() {
                breaker.breakloop();
            }
        })
    }

    /// Waits until there is room in the queue; false if nobody listens any more.
    #[allow(clippy::disallowed_methods, reason = "how long frames wait for other interfaces")]
    fn hand_on(&self, mut batch: Batch) -> bool {
        if batch.frames.is_empty() {
            return true;
        }
        batch.taken = Instant::now();
        self.full.send(batch).is_ok()
    }

    /// Hands on what the kernel has at the moment of the stop; a block that is being filled becomes
    /// visible within the read timeout.
    #[allow(clippy::disallowed_methods, reason = "packets up to the moment of the stop are wanted")]
    fn drain(&self, mut capture: Capture<Active>, counted: &mut Stat) {
        self.count_drops(&mut capture, counted);
        let Ok(mut capture) = capture.setnonblock() else { return };
        let breaker = capture.breakloop_handle();
        let start = Instant::now();
        let mut quiet_since = start;
        let stopped_at = super::wall_clock();
        while start.elapsed() < DRAIN
            && quiet_since.elapsed() < self.config.read_timeout * 2 + Duration::from_millis(10)
        {
            let mut batch = self.empty_batch(&capture);
            // An error is the break that ended the capture, or repeats itself until time is up.
            let _ = self.take(&mut capture, &mut batch, &breaker);
            let Some(last) = batch.frames.last() else {
                thread::sleep(Duration::from_millis(2));
                continue;
            };
            let is_past = last.ts > stopped_at;
            quiet_since = Instant::now();
            if !self.hand_on(batch) || is_past {
                break;
            }
        }
        self.count_drops(&mut capture, counted);
    }

    /// Adds the drops since the last time. The kernel counts in 32 bits, which wrap.
    fn count_drops(&self, capture: &mut Capture<Active>, counted: &mut Stat) {
        let Ok(now) = capture.stats() else { return };
        DropCounters::add(&self.drops.kernel, now.dropped.wrapping_sub(counted.dropped));
        // libpcap reads the interface's counter from sysfs, which knows only network devices.
        if is_network_device(&self.interface) {
            let more = now.if_dropped.wrapping_sub(counted.if_dropped);
            DropCounters::add(&self.drops.interface, more);
        }
        *counted = now;
    }
}

/// Opens an interface and sets its filter.
pub(super) fn open(interface: &str, config: &LiveConfig) -> Result<Capture<Active>, SourceError> {
    let precision = if has_nanoseconds(interface) { Precision::Nano } else { Precision::Micro };
    let millis = |time: Duration| i32::try_from(time.as_millis()).unwrap_or(i32::MAX);
    let mut capture = Capture::from_device(interface)
        .map_err(|error| explain(interface, &error))?
        .precision(precision)
        .promisc(config.promiscuous)
        .snaplen(i32::try_from(config.snap_length.0).unwrap_or(i32::MAX))
        .buffer_size(i32::try_from(config.buffer.0).unwrap_or(i32::MAX))
        .timeout(millis(config.read_timeout))
        .immediate_mode(false)
        .open()
        .map_err(|error| explain(interface, &error))?;
    capture.filter(&config.filter, true).map_err(|error| bad_filter(&config.filter, &error))?;
    Ok(capture)
}

/// Finds out what libpcap means.
fn explain(interface: &str, error: &pcap::Error) -> SourceError {
    let interface = interface.to_owned();
    let reason = reason(&error);
    let devices = Device::list().unwrap_or_default();
    if !devices.is_empty() && devices.iter().all(|device| device.name != interface) {
        let names: Vec<String> =
            devices.into_iter().map(|device| device.name).filter(|name| is_usual(name)).collect();
        return SourceError::NoSuchInterface { interface, existing: names.join(", ") };
    }
    let says = |word: &str| reason.to_ascii_lowercase().contains(word);
    if says("permission") || says("cap_net_raw") || says("not permitted") {
        return SourceError::Forbidden { interface, reason };
    }
    // libpcap leaves the text empty where it has a code for it, as for an interface that is down.
    let reason =
        if reason.is_empty() { "the interface is down or not ready".to_owned() } else { reason };
    SourceError::Capture { interface, reason }
}

/// Devices of libpcap that are no network interfaces; their times have microseconds.
const UNUSUAL: [&str; 5] = ["nflog", "nfqueue", "usbmon", "bluetooth", "dbus"];

fn is_usual(interface: &str) -> bool {
    !UNUSUAL.iter().any(|prefix| interface.starts_with(prefix))
}

fn has_nanoseconds(interface: &str) -> bool {
    is_usual(interface)
}

fn is_network_device(interface: &str) -> bool {
    interface != "any" && is_usual(interface)
}

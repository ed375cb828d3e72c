//! When a connection's time is up, and who goes first when memory is short.

use std::time::Duration;

use super::config::FlowConfig;
use super::connection::Connection;
use super::store::{Queue, Store};
use crate::time::Timestamp;

/// A packet moves its connection to the end of its queue only if this fraction of the time-out has
/// passed since the last move: the order stays that of activity to within it, and the common
/// packet touches no neighbour.
const MOVE_AFTER: u64 = 16;

/// How long a connection may wait in each queue, in nanoseconds: every packet asks, and a division
/// by a thousand million for each answer would be felt.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timeouts([u64; Queue::ALL.len()]);

impl Timeouts {
    pub(super) fn new(config: &FlowConfig) -> Self {
        let nanos = |queue| u64::try_from(timeout(config, queue).as_nanos()).unwrap_or(u64::MAX);
        Self(Queue::ALL.map(nanos))
    }

    #[inline]
    fn of(&self, queue: Queue) -> u64 {
        self.0.get(queue as usize).copied().unwrap_or(u64::MAX)
    }

    /// Whether `since` is so long ago that who has waited in `queue` since then is due.
    #[inline]
    pub(super) fn is_over(&self, queue: Queue, since: Timestamp, now: Timestamp) -> bool {
        now.nanos_since(since) >= self.of(queue)
    }

    /// Whether the connection's time in its queue is up.
    #[inline]
    pub(super) fn is_due(&self, connection: &Connection, now: Timestamp) -> bool {
        let since = match connection.queue {
            // An attempt waits from its first packet, and what is over from its end.
            Queue::TcpAttempt | Queue::DatagramAttempt | Queue::Over | Queue::Told => {
                connection.queued
            }
            _ => connection.last,
        };
        self.is_over(connection.queue, since, now)
    }

    /// Whether a packet at `now` should move the connection to the end of its queue.
    #[inline]
    pub(super) fn should_move(&self, connection: &Connection, now: Timestamp) -> bool {
        match connection.queue {
            Queue::TcpAttempt | Queue::DatagramAttempt | Queue::Over | Queue::Told => false,
            queue => now.nanos_since(connection.queued) > self.of(queue) / MOVE_AFTER,
        }
    }
}

const fn timeout(config: &FlowConfig, queue: Queue) -> Duration {
    match queue {
        Queue::TcpAttempt => config.attempt_timeout,
        Queue::DatagramAttempt => config.datagram_attempt_timeout,
        Queue::Tried => config.unanswered_linger,
        Queue::Partial => config.tcp_partial_timeout,
        Queue::Established => config.tcp_idle_timeout,
        Queue::Over => config.tcp_report_delay,
        Queue::Told => config.tcp_close_linger,
        Queue::Datagrams => config.udp_timeout,
        Queue::Icmp => config.icmp_timeout,
    }
}

/// Who goes when the budget is used up: what is kept for late packets; then the unestablished whose
/// attempt is the oldest, so that a flood of SYNs evicts itself; if there are none, whoever was active
/// least recently.
pub(super) fn victim(store: &Store) -> Option<u32> {
    const UNESTABLISHED: [Queue; 3] = [Queue::TcpAttempt, Queue::DatagramAttempt, Queue::Tried];
    let oldest = |queues: &[Queue], age: fn(&Connection) -> Timestamp| {
        queues
            .iter()
            .filter_map(|&queue| store.front(queue))
            .filter_map(|slot| Some((age(store.get(slot)?), slot)))
            .min()
            .map(|(_, slot)| slot)
    };
    oldest(&[Queue::Told], |connection| connection.queued)
        .or_else(|| oldest(&UNESTABLISHED, |connection| connection.start))
        .or_else(|| oldest(&Queue::ALL, |connection| connection.queued))
}

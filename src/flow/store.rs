//! Where connections live: slots that are reused, an index by key, and queues in order of time.
//!
//! Nothing ever walks the index, so its random seed reaches no output; what expires or is evicted
//! is found at the front of a queue.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;

use super::connection::Connection;
use super::key::{FlowKey, Lookup};
use crate::index::Index;
pub(super) use crate::index::NOWHERE;
use crate::slots::Slots;
use crate::time::Timestamp;

/// What a connection waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Queue {
    /// The first outcome of a TCP attempt.
    TcpAttempt,
    /// The first outcome of another attempt.
    DatagramAttempt,
    /// A late answer to an attempt that went unanswered.
    Tried,
    /// More of a TCP connection that is not known to be established both ways.
    Partial,
    /// More of an established TCP connection.
    Established,
    /// What was overtaken by the end of a TCP connection.
    Over,
    /// Late packets of one that was reported.
    Told,
    /// More UDP or SCTP.
    Datagrams,
    /// More ICMP.
    Icmp,
}

impl Queue {
    /// All of them; those of the unestablished first, oldest start at the front.
    pub(super) const ALL: [Self; 9] = [
        Self::TcpAttempt,
        Self::DatagramAttempt,
        Self::Tried,
        Self::Partial,
        Self::Established,
        Self::Over,
        Self::Told,
        Self::Datagrams,
        Self::Icmp,
    ];
}

#[derive(Clone, Copy, Debug)]
struct Ends {
    first: u32,
    last: u32,
}

/// All connections of one table.
#[derive(Debug)]
pub(super) struct Store {
    /// A free one holds a vacant connection and no `None`, so that a connection's cache lines can be
    /// asked for without reading one first.
    slots: Slots<Connection>,
    free: Vec<u32>,
    index: Index,
    hasher: RandomState,
    queues: [Ends; Queue::ALL.len()],
}

impl Default for Store {
    fn default() -> Self {
        Self {
            slots: Slots::default(),
            free: Vec::new(),
            index: Index::default(),
            hasher: RandomState::default(),
            queues: [Ends { first: NOWHERE, last: NOWHERE }; Queue::ALL.len()],
        }
    }
}

impl Store {
    /// Connections held.
    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    /// The hash by which a connection is found.
    #[inline]
    pub(super) fn hash(&self, key: &FlowKey) -> u64 {
        self.hasher.hash_one(key)
    }

    /// The slot of the connection that is looked up.
    #[inline]
    pub(super) fn find(&self, lookup: &Lookup) -> Option<u32> {
        if self.holds(lookup.hint.place, &lookup.key) {
            return Some(lookup.hint.place);
        }
        self.index.find(lookup.hint.hash, |slot| self.holds(slot, &lookup.key))
    }

    /// Has the part of the index fetched that a search for `hash` will read.
    #[inline]
    pub(super) fn prefetch_index(&self, hash: u64) {
        self.index.prefetch(hash);
    }

    /// Has the connection in `slot` fetched.
    #[inline]
    pub(super) fn prefetch(&self, slot: u32) {
        if let Some(connection) = self.slots.get(slot) {
            connection.prefetch();
        }
    }

    /// Has the connection behind that in `slot` fetched, in its queue.
    pub(super) fn prefetch_behind(&self, slot: u32) {
        if let Some(connection) = self.slots.get(slot) {
            self.prefetch(connection.next);
        }
    }

    /// Where the connection is whose hash is `hash`, if there is one; that of another is possible,
    /// if hardly ever seen.
    #[inline]
    pub(super) fn guess(&self, hash: u64) -> Option<u32> {
        self.index.find(hash, |_| true)
    }

    /// Whether the connection in `slot` is the one with `key`.
    #[inline]
    pub(super) fn holds(&self, slot: u32, key: &FlowKey) -> bool {
        self.slots.get(slot).is_some_and(|connection| connection.key == *key)
    }

    /// The connection in `slot`.
    pub(super) fn get(&self, slot: u32) -> Option<&Connection> {
        self.slots.get(slot).filter(|connection| !connection.is_vacant())
    }

    /// The connection in `slot`.
    pub(super) fn get_mut(&mut self, slot: u32) -> Option<&mut Connection> {
        self.slots.get_mut(slot).filter(|connection| !connection.is_vacant())
    }

    /// Takes a connection in, at the end of its queue; its key must be new.
    pub(super) fn insert(&mut self, connection: Connection) -> u32 {
        let hash = self.hash(&connection.key);
        let queue = connection.queue;
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None => self.slots.push(Connection::vacant()),
        };
        if let Some(place) = self.slots.get_mut(slot) {
            *place = connection;
        }
        self.index.insert(hash, slot);
        self.link(slot, queue);
        slot
    }

    /// Takes a connection out.
    pub(super) fn remove(&mut self, slot: u32) -> Option<Connection> {
        self.unlink(slot);
        let place = self.get_mut(slot)?;
        let connection = std::mem::replace(place, Connection::vacant());
        self.index.remove(self.hash(&connection.key), slot);
        self.free.push(slot);
        Some(connection)
    }

    /// Moves a connection to the end of `queue`.
    pub(super) fn enqueue(&mut self, slot: u32, queue: Queue, now: Timestamp) {
        self.unlink(slot);
        if let Some(connection) = self.get_mut(slot) {
            connection.queue = queue;
            connection.queued = now;
            self.link(slot, queue);
        }
    }

    /// The slot at the front of `queue`.
    pub(super) fn front(&self, queue: Queue) -> Option<u32> {
        let first = self.queues.get(queue as usize)?.first;
        (first != NOWHERE).then_some(first)
    }

    /// All connections, in no order of meaning.
    pub(super) fn slots(&self) -> impl Iterator<Item = (u32, &Connection)> {
        (0..).zip(self.slots.iter()).filter(|(_, connection)| !connection.is_vacant())
    }

    fn link(&mut self, slot: u32, queue: Queue) {
        let Some(ends) = self.queues.get_mut(queue as usize) else { return };
        let last = std::mem::replace(&mut ends.last, slot);
        if last == NOWHERE {
            ends.first = slot;
        }
        if let Some(before) = self.get_mut(last) {
            before.next = slot;
        }
        if let Some(connection) = self.get_mut(slot) {
            connection.previous = last;
            connection.next = NOWHERE;
        }
    }

    fn unlink(&mut self, slot: u32) {
        let Some(connection) = self.get(slot) else { return };
        let (previous, next) = (connection.previous, connection.next);
        let queue = connection.queue;
        if let Some(before) = self.get_mut(previous) {
            before.next = next;
        }
        if let Some(after) = self.get_mut(next) {
            after.previous = previous;
        }
        if let Some(ends) = self.queues.get_mut(queue as usize) {
            if ends.first == slot {
                ends.first = next;
            }
            if ends.last == slot {
                ends.last = previous;
            }
        }
    }
}

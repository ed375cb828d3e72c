//! Where connections live: slots that are reused, an index by key, and queues in order of time.
//!
//! Nothing ever walks the index, so its random seed reaches no output; what expires or is evicted
//! is found at the front of a queue.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::connection::Connection;
use super::key::FlowKey;
use crate::time::Timestamp;

/// No slot.
pub(super) const NOWHERE: u32 = u32::MAX;

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
    /// Late packets of a TCP connection that is over.
    Over,
    /// More UDP or SCTP.
    Datagrams,
    /// More ICMP.
    Icmp,
}

impl Queue {
    /// All of them; those of the unestablished first, oldest start at the front.
    pub(super) const ALL: [Self; 8] = [
        Self::TcpAttempt,
        Self::DatagramAttempt,
        Self::Tried,
        Self::Partial,
        Self::Established,
        Self::Over,
        Self::Datagrams,
        Self::Icmp,
    ];
}

#[derive(Clone, Copy, Debug)]
struct Ends {
    first: u32,
    last: u32,
}

/// What the index holds of a connection: enough of its hash that another's entry hardly ever has
/// to be looked at, and where it is.
#[derive(Clone, Copy, Debug)]
struct Place {
    tag: u32,
    slot: u32,
}

/// All connections of one table.
#[derive(Debug)]
pub(super) struct Store {
    slots: Vec<Option<Connection>>,
    free: Vec<u32>,
    index: HashTable<Place>,
    hasher: RandomState,
    queues: [Ends; Queue::ALL.len()],
}

impl Default for Store {
    fn default() -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            index: HashTable::new(),
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

    /// The slot of the connection with `key`.
    pub(super) fn find(&self, key: &FlowKey) -> Option<u32> {
        let hash = self.hasher.hash_one(key);
        let tag = hash as u32;
        let same = |place: &Place| place.tag == tag && self.holds(place.slot, key);
        self.index.find(hash, same).map(|place| place.slot)
    }

    /// The slot where the connection with `key` is, if there is one: told from the index alone,
    /// so that another's slot is possible, if hardly ever seen.
    pub(super) fn guess(&self, key: &FlowKey) -> Option<u32> {
        let hash = self.hasher.hash_one(key);
        self.index.find(hash, |place| place.tag == hash as u32).map(|place| place.slot)
    }

    /// Whether the connection in `slot` is the one with `key`.
    pub(super) fn holds(&self, slot: u32, key: &FlowKey) -> bool {
        self.get(slot).is_some_and(|connection| connection.key == *key)
    }

    /// The connection in `slot`.
    pub(super) fn get(&self, slot: u32) -> Option<&Connection> {
        self.slots.get(slot as usize)?.as_ref()
    }

    /// The connection in `slot`.
    pub(super) fn get_mut(&mut self, slot: u32) -> Option<&mut Connection> {
        self.slots.get_mut(slot as usize)?.as_mut()
    }

    /// Takes a connection in, at the end of its queue; its key must be new.
    pub(super) fn insert(&mut self, connection: Connection) -> u32 {
        let hash = self.hasher.hash_one(connection.key);
        let queue = connection.queue;
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None => {
                // Growth by an eighth: doubling would hold twice the budget for a moment.
                if self.slots.len() == self.slots.capacity() {
                    self.slots.reserve_exact((self.slots.len() / 8).max(64));
                }
                self.slots.push(None);
                (self.slots.len() - 1) as u32
            }
        };
        if let Some(place) = self.slots.get_mut(slot as usize) {
            *place = Some(connection);
        }
        let Self { index, slots, hasher, .. } = self;
        index.insert_unique(hash, Place { tag: hash as u32, slot }, |place| {
            let connection = slots.get(place.slot as usize).and_then(Option::as_ref);
            connection.map_or(0, |connection| hasher.hash_one(connection.key))
        });
        self.link(slot, queue);
        slot
    }

    /// Takes a connection out.
    pub(super) fn remove(&mut self, slot: u32) -> Option<Connection> {
        self.unlink(slot);
        let connection = self.slots.get_mut(slot as usize)?.take()?;
        let hash = self.hasher.hash_one(connection.key);
        if let Ok(entry) = self.index.find_entry(hash, |place| place.slot == slot) {
            entry.remove();
        }
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
        (0..).zip(&self.slots).filter_map(|(slot, place)| Some((slot, place.as_ref()?)))
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

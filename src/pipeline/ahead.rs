//! What comes next, and has its memory fetched before its turn.
//!
//! Tens of thousands of connections fit no cache that is near, so a packet would wait several times
//! for memory to find its own: for the index, the connection, its detail. While the packets before
//! it are worked on, each of these is asked for in time for the next step to find it there.

use std::collections::VecDeque;

use crate::decode::Glimpse;
use crate::flow::Lookup;

/// Frames before its turn at which a packet's connection is looked for in the index.
pub(super) const FIND: usize = 16;
/// Frames before its turn at which its connection is read for where the rest lies.
pub(super) const READ: usize = 6;
/// Frames before its turn at which a packet should be known at the latest.
pub(super) const KNOW: usize = 32;

/// What is known of a packet before its turn.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ahead {
    /// Between whom it seems to be.
    pub(super) glimpse: Glimpse,
    /// The shard.
    pub(super) shard: usize,
    /// By what the shard finds its connection.
    pub(super) lookup: Lookup,
    /// Where it probably is, once that was looked up.
    pub(super) place: Option<u32>,
}

/// Packets in the order in which they come; `None` for one that is not known.
pub(super) type Queue = VecDeque<Option<Ahead>>;

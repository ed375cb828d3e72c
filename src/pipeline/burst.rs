//! What is found out about the frames of a burst before their turn.
//!
//! Tens of thousands of connections fit no cache that is near, so a packet would wait several times
//! for memory to find its own: for the index, the connection, its detail. A source lends frames in
//! bursts; each of these waits is asked for over the whole burst before the first packet of it is
//! worked on (decision 6).

use super::Lane;
use crate::decode::{Decoder, Glance};
use crate::source::Frame;
use crate::source::duplicates::{Digest, Duplicates};

/// Frames in a burst at most: enough to hide memory behind work, few enough that what was found out
/// about the first is still next to the core when its turn comes.
pub(super) const BURST: usize = 32;

/// What is known of a frame before its turn; nothing of it depends on the frames before. What the frame
/// is is not kept: a decoded packet is larger than the header that it can be read from again.
pub(super) struct Coming<E> {
    /// By what copies of it are recognised.
    pub(super) digest: Option<Digest>,
    /// Whether it may be plain.
    pub(super) is_plain: bool,
    /// What was found out about its connection.
    pub(super) expected: Option<E>,
}

impl<E> Coming<E> {
    /// Looks at a frame.
    #[inline]
    pub(super) fn new<L>(frame: &Frame<'_>, duplicates: &Duplicates, lane: &mut L) -> Self
    where
        L: Lane<Expected = E>,
    {
        let Glance { ends, ip } = Decoder::glance(frame);
        Self {
            digest: ip.map(|ip| duplicates.digest(ip)),
            is_plain: ends.is_some(),
            expected: ends.and_then(|ends| lane.expect(&ends)),
        }
    }
}

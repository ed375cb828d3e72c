//! An event as the detectors look at it.

use std::ops::Deref;

use super::attempt::Attempt;
use crate::event::Event;
use crate::inventory::Inventory;

/// An event, and the attempt that it tells of: half of the detectors ask for it, and it takes
/// several look-ups to find out.
#[derive(Clone, Copy, Debug)]
pub struct Sight<'a> {
    event: &'a Event,
    attempt: Option<Attempt>,
}

impl<'a> Sight<'a> {
    /// Looks at `event`, which `inventory` does not contain yet.
    pub fn new(event: &'a Event, inventory: &Inventory) -> Self {
        Self { event, attempt: Attempt::of(event, inventory) }
    }

    /// The attempt of one host to reach another, if it is one and if its host may not do as it
    /// likes.
    pub(crate) const fn attempt(&self) -> Option<&Attempt> {
        self.attempt.as_ref()
    }
}

impl Deref for Sight<'_> {
    type Target = Event;

    fn deref(&self) -> &Event {
        self.event
    }
}

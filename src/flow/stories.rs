//! What becomes of connections, as stories: states and histories, outcomes, directions, time,
//! memory.

mod direction;
mod drips;
mod fingerprints;
mod limits;
mod outcomes;
mod reading;
mod settled;
mod states;

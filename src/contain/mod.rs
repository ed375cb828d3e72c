//! What to cut so that an incident reaches nothing clean, and what that costs. Advice only: nothing
//! here acts on a network.
//!
//! Whoever is in the incident is a suspect, every other own host is clean. How a suspect may reach
//! a clean host depends on how well the incident can be foretold. One that keeps to few services is
//! cut off from those, be it at its hosts or at the clean ones, whatever is [cheapest](cover). One
//! that takes another service every other time may take any next, so its hosts are isolated.

mod cover;
mod flow;
mod plan;
mod rule;
mod spread;
#[cfg(test)]
mod tests;

pub use plan::{Cut, Plan};
pub use rule::{Family, Rule};
pub use spread::Spread;

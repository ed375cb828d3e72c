//! Where results go: alert files, metrics.

pub mod alerts;
pub mod events;
pub mod metrics;
mod process;

//! Where results go: alert files, metrics.

pub mod alerts;
pub mod metrics;
mod process;

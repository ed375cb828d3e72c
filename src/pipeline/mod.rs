//! Wires the stages together; the only place that knows their order.

pub mod published;

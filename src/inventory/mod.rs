//! What each host is, learned from what it does.

/// Everything known about the hosts of the network.
#[derive(Debug, Default)]
pub struct Inventory {}

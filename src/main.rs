//! The `wormwatch` command.

fn main() {}

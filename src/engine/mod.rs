//! Joins the front doors to the pipeline: `replay` for captures, `live` for the daemon.

mod live;
mod replay;

pub use live::LiveEngine;
pub use replay::ReplayEngine;

//! Pictures of an analysis: a page that shows the trees over time, the trees as text, and the graph
//! for other tools.
//!
//! All of them are drawn from a [`Summary`](crate::incident::Summary) alone, so they say nothing that
//! `replay --json` does not say, and the same input gives the same picture.

mod document;
mod dot;
mod forest;
mod graph;
mod html;
mod mermaid;
#[cfg(test)]
pub(crate) mod testing;
mod text_tree;
mod words;

pub use graph::{Format, graph};
pub use html::html;
pub use text_tree::text_tree;
pub(crate) use words::{counted, second};

//! wormwatch: a passive sensor that sees network worms by what no worm can avoid.
//!
//! One straight line: `source` → `decode` → `flow` + `proto` → `event` → `detect` → `score` →
//! `incident` → `sink`. Each stage knows the type it takes and the type it gives; only `pipeline`
//! knows the order. `docs/architecture.md` follows a packet through it.

pub mod cli;
pub mod config;
pub mod contain;
pub mod daemon;
pub mod decode;
pub mod detect;
pub mod engine;
pub mod eval;
pub mod event;
pub mod flow;
pub mod incident;
mod index;
pub mod inventory;
pub mod net;
pub mod pipeline;
pub mod propagation;
pub mod proto;
pub mod report;
pub mod rules;
pub mod score;
pub mod sink;
mod slots;
pub mod source;
pub mod synth;
pub mod time;
pub mod web;

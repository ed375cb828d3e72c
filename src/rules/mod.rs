//! Sigma rules over events: what SOC teams write about Zeek's logs, run on what wormwatch sees.
//!
//! A rule is read and checked once ([`RuleSet`]), sorted by the kinds of events that it asks for,
//! and then costs nothing for any other. Parsing and matching of single events are `rsigma`'s;
//! correlations are our own, because theirs keeps every event of a window, counts whole seconds,
//! and evicts in the order of a hash map. `docs/rules.md` is the page for those who write rules.

mod cases;
mod compile;
mod config;
mod document;
mod fields;
mod files;
mod intern;
mod mistake;
mod read;
mod route;
mod rule;
mod set;
mod shipped;
mod stage;
#[cfg(test)]
mod tests;
mod vocabulary;
mod watch;
mod window;

pub use cases::{Case, CaseEvent, Input, cases};
pub use config::{Levels, RuleConfig};
pub use fields::Fields;
pub use files::{RuleFile, load};
pub use mistake::{Mistake, RuleError};
pub use rule::{Level, Rule};
pub use set::RuleSet;
pub use stage::Rules;
pub use watch::{Match, Seen, Watch};

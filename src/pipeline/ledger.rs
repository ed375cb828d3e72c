//! Who infected whom, made anew when it changed, and the alerts about it.

use std::sync::Arc;
use std::time::Duration;

use crate::incident::{Alert, IncidentBook};
use crate::inventory::Inventory;
use crate::propagation::{Account, Outline, Propagation};
use crate::score::ScoreBoard;
use crate::time::Timestamp;

/// An account is made at most so often in packet time, ...
const PAUSE: Duration = Duration::from_secs(1);
/// ... and less often by as much again for each so many hosts in trees, as the trees themselves are.
const LARGE: usize = 256;
/// After this much packet time it is made anew though no tree has changed: hosts may have been called
/// that are next.
const STALE: Duration = Duration::from_secs(600);

/// The account of who infected whom, and the incident book that is told it.
pub(super) struct Ledger {
    book: IncidentBook,
    account: Arc<Account>,
    outline: Outline,
    /// When the account was made.
    made: Option<Timestamp>,
    /// Whether something was said that may change it.
    is_stirred: bool,
}

impl Ledger {
    /// A ledger of nothing, told to `book`.
    pub(super) fn new(book: IncidentBook) -> Self {
        Self {
            book,
            account: Arc::default(),
            outline: Outline::default(),
            made: None,
            is_stirred: false,
        }
    }

    /// Takes that something was said of who infected whom.
    pub(super) const fn stir(&mut self) {
        self.is_stirred = true;
    }

    /// Lets time pass; appends the alerts that are worth telling to `out`. At the end of the input
    /// nothing waits.
    pub(super) fn look(
        &mut self,
        (propagation, inventory, scores): (&Propagation, &Inventory, &ScoreBoard),
        now: Timestamp,
        is_end: bool,
        out: &mut Vec<Alert>,
    ) {
        let outline = propagation.outline();
        let age = self.made.map(|made| now.since(made));
        let pause = PAUSE * (1 + u32::try_from(outline.hosts() / LARGE).unwrap_or(u32::MAX - 1));
        let has_changed = self.is_stirred || outline != self.outline;
        let is_stale = !outline.is_empty() && age.is_none_or(|age| age >= STALE);
        let is_made = is_end || is_stale || (has_changed && age.is_none_or(|age| age >= pause));
        if is_made {
            self.account = Arc::new(propagation.account(inventory));
            self.outline = outline;
            self.made = Some(now);
            self.is_stirred = false;
        }
        if is_made || self.book.is_due(now) {
            let Account { incidents, infections } = self.account.as_ref();
            self.book.look((incidents, infections), scores, now, is_end, out);
        }
    }

    /// Who infected whom, as of the last look that found it changed.
    pub(super) const fn account(&self) -> &Arc<Account> {
        &self.account
    }

    /// The alerts about incidents.
    pub(super) const fn book(&self) -> &IncidentBook {
        &self.book
    }

    /// The same, to take other settings.
    pub(super) const fn book_mut(&mut self) -> &mut IncidentBook {
        &mut self.book
    }
}

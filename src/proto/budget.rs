//! How much a connection may say. A pipelined database command is a dozen bytes, its record
//! hundreds: who floods a server must not flood the detectors, and must not blind them for good.

use super::Findings;
use crate::time::Timestamp;

/// Records at once.
const BURST: i64 = 1000;
/// Nanoseconds until another one.
const REFILL: i64 = 20_000_000;

/// A token bucket in packet time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    left: i64,
    last: Timestamp,
}

impl Default for Budget {
    fn default() -> Self {
        Self { left: BURST, last: Timestamp::EPOCH }
    }
}

impl Budget {
    /// Whether another record may be said at `at`.
    pub(super) fn allows(&mut self, at: Timestamp) -> bool {
        let passed = at.as_nanos().saturating_sub(self.last.as_nanos()) / REFILL;
        if passed > 0 {
            self.left = self.left.saturating_add(passed).min(BURST);
            self.last = at;
        }
        self.left -= i64::from(self.left > 0);
        self.left > 0
    }

    /// Leaves out what was said at `at` behind the first `known` records and is not allowed any
    /// more.
    pub(super) fn trim(&mut self, at: Timestamp, known: usize, out: &mut Findings) {
        let fresh = out.records.len().saturating_sub(known);
        let allowed = (0..fresh).take_while(|_| self.allows(at)).count();
        out.records.truncate(known.saturating_add(allowed));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_out_what_is_too_much_and_nothing_that_was_there() {
        let mut budget = Budget::default();
        let mut out = Findings::default();
        for _ in 0..5003 {
            out.say(crate::event::LdapSearch::default());
        }

        budget.trim(Timestamp::from_secs(1), 3, &mut out);

        assert_eq!(out.records.len(), 3 + 999);
    }

    #[test]
    fn allows_a_burst_and_then_a_trickle() {
        let mut budget = Budget::default();
        let mut allowed = |second| budget.allows(Timestamp::from_secs(second));

        assert_eq!((0..5000).filter(|_| allowed(1)).count(), 999);
        assert_eq!((0..5000).filter(|_| allowed(2)).count(), 49);
        assert_eq!((0..5000).filter(|_| allowed(1000)).count(), 999);
    }
}

//! Think, then act: first contacts that follow an answer, against the asker's own usual rate of them.

use std::collections::VecDeque;
use std::time::Duration;

use crate::time::Timestamp;

/// A program needs so long at least to read an answer and to do what it says.
const SOONEST: Duration = Duration::from_millis(100);
/// A host that does nothing for longer is at rest: nights do not make its days look quiet.
const REST: Duration = Duration::from_mins(10);
/// First contacts remembered, for answers that become known only when their connection ends...
const LATEST: usize = 8;
/// ... and answers that are counted one by one; beyond, both counts are halved.
const ANSWERS_MAX: u32 = 64;

/// What a host does after answers, and otherwise.
#[derive(Clone, Debug, Default)]
pub(super) struct Acts {
    /// Answers, and those that were followed by a first contact.
    pub(super) answers: u32,
    pub(super) followed: u32,
    /// First contacts that followed no answer.
    others: u32,
    /// Time in which it did anything.
    active: Duration,
    last: Timestamp,
    /// The last answer, until something follows it.
    open: Option<Timestamp>,
    latest: VecDeque<Timestamp>,
}

impl Acts {
    /// Takes that the host does something.
    pub(super) fn on_sign(&mut self, at: Timestamp) {
        if self.last != Timestamp::default() {
            self.active += at.since(self.last).min(REST);
        }
        self.last = self.last.max(at);
    }

    /// Takes a first contact over a way in; returns whether it is the first that follows an answer.
    pub(super) fn on_contact(&mut self, at: Timestamp, within: Duration) -> bool {
        if self.open.is_some_and(|answer| follows(answer, at, within)) {
            self.open = None;
            self.followed += 1;
            return true;
        }
        self.others = self.others.saturating_add(1);
        if self.latest.len() >= LATEST {
            self.latest.pop_front();
        }
        self.latest.push_back(at);
        false
    }

    /// Takes an answer that ended at `at`, which may have been a while ago.
    pub(super) fn on_answer(&mut self, at: Timestamp, within: Duration) {
        if self.answers >= ANSWERS_MAX {
            self.answers /= 2;
            self.followed /= 2;
        }
        self.answers += 1;
        if let Some(found) = self.latest.iter().position(|act| follows(at, *act, within)) {
            self.latest.remove(found);
            self.others = self.others.saturating_sub(1);
            self.followed += 1;
            self.open = None;
        } else {
            self.open = Some(at);
        }
    }

    /// Nats for what follows the answers. Each is followed with a probability that is unknown if an
    /// answer is what it acts upon (Krichevsky and Trofimov 1981), and with `1 − e^(−rate · within)` if
    /// first contacts come by chance (Poisson, its rate by Jeffreys' prior).
    pub(super) fn nats(&self, within: Duration) -> f64 {
        let (acted, not) = (self.followed, self.answers.saturating_sub(self.followed));
        let active = self.active.max(within).as_secs_f64();
        let expected = (f64::from(self.others) + 0.5) / active * within.as_secs_f64();
        let chance = (1.0 - (-expected).exp()).clamp(1e-6, 1.0 - 1e-6);
        let half = |n: u32| (0..n).map(|i| (f64::from(i) + 0.5).ln()).sum::<f64>();
        let whole: f64 = (1..=acted + not).map(|i| f64::from(i).ln()).sum();
        let coupled = half(acted) + half(not) - whole;
        let by_chance = f64::from(acted).mul_add(chance.ln(), f64::from(not) * (1.0 - chance).ln());
        coupled - by_chance
    }

    /// Bytes on the heap.
    pub(super) fn heap_bytes(&self) -> usize {
        self.latest.capacity() * size_of::<Timestamp>()
    }
}

/// Whether what happened at `act` may be what an answer at `answer` led to.
fn follows(answer: Timestamp, act: Timestamp, within: Duration) -> bool {
    (SOONEST..=within).contains(&act.since(answer))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::mix;

    const WITHIN: Duration = Duration::from_mins(1);

    /// A host that is active all day, asks at these seconds, and calls somebody new at those.
    fn acts(answers: &[i64], contacts: &[i64]) -> Acts {
        let mut acts = Acts::default();
        for second in 0..86_400 {
            let now = Timestamp::from_secs(second);
            if second % 300 == 0 {
                acts.on_sign(now);
            }
            if contacts.contains(&second) {
                acts.on_contact(now, WITHIN);
            }
            if answers.contains(&second) {
                acts.on_answer(now, WITHIN);
            }
        }
        acts
    }

    #[test]
    fn weighs_contacts_that_follow_answers() {
        let coupled = acts(&[9000, 30_000, 70_000], &[9003, 30_010, 70_001]);
        let uncoupled = acts(&[9000, 30_000, 70_000], &[8000, 33_010, 71_001]);

        assert_eq!((coupled.answers, coupled.followed), (3, 3));
        assert!(coupled.nats(WITHIN) > 6.0, "{}", coupled.nats(WITHIN));
        assert_eq!(uncoupled.followed, 0);
        assert!(uncoupled.nats(WITHIN) < 0.0, "{}", uncoupled.nats(WITHIN));
    }

    #[test]
    fn expects_as_much_of_a_host_that_calls_new_ones_all_the_time() {
        let contacts: Vec<i64> =
            (0..86_400).filter(|second| mix(*second as u64).is_multiple_of(30)).collect();
        let answers: Vec<i64> = (1..40).map(|n| n * 2000).collect();

        let busy = acts(&answers, &contacts);

        assert!(busy.followed >= 30);
        assert!(busy.nats(WITHIN) < 1.0, "{}", busy.nats(WITHIN));
    }

    #[test]
    fn counts_one_contact_for_one_answer() {
        let acts = acts(&[9000], &[9002, 9003, 9004]);

        assert_eq!((acts.answers, acts.followed, acts.others), (1, 1, 2));
    }

    #[test]
    fn finds_what_followed_an_answer_that_became_known_later() {
        let mut acts = Acts::default();

        acts.on_contact(Timestamp::from_secs(1002), WITHIN);
        acts.on_answer(Timestamp::from_secs(1000), WITHIN);
        acts.on_answer(Timestamp::from_secs(1001), WITHIN);

        assert_eq!((acts.answers, acts.followed, acts.others), (2, 1, 0));
    }

    #[test]
    fn sleeps_at_night() {
        let mut acts = Acts::default();

        acts.on_sign(Timestamp::from_secs(1000));
        acts.on_sign(Timestamp::from_secs(1060));
        acts.on_sign(Timestamp::from_secs(50_000));

        assert_eq!(acts.active, Duration::from_secs(60) + REST);
    }
}

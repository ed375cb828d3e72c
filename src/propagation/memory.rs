//! What is remembered of one host: how it was entered, and what it did to others for the first time.

use std::net::IpAddr;
use std::time::Duration;

use super::exchange::{Axis, Exchange};
use crate::detect::{Seen, edge_hash, peer_hash};
use crate::inventory::{Tally, Weigh};
use crate::net::Service;
use crate::time::Timestamp;

/// Manners remembered of one host, at least.
const HABITS_MAX: usize = 256;

/// Peers remembered for their time.
const LATELY_MAX: usize = 8;
/// What passes the other way within this time belongs to the call: an intruder who has to think
/// between the door and the copy takes minutes.
const LATELY: Duration = Duration::from_mins(10);

/// The last peers of a host, and when that was.
#[derive(Clone, Debug, Default)]
struct Lately(Vec<(IpAddr, Timestamp)>);

impl Lately {
    fn add(&mut self, peer: IpAddr, now: Timestamp) {
        self.0.retain(|(known, _)| *known != peer);
        if self.0.len() >= LATELY_MAX {
            self.0.remove(0);
        }
        self.0.push((peer, now));
    }

    /// Whether `peer` was one of them, shortly before `at`.
    fn has(&self, peer: IpAddr, at: Timestamp) -> bool {
        let is_it = |(known, then): &(IpAddr, Timestamp)| {
            *known == peer && *then <= at && at.since(*then) < LATELY
        };
        self.0.iter().any(is_it)
    }

    fn heap_bytes(&self) -> usize {
        self.0.capacity() * size_of::<(IpAddr, Timestamp)>()
    }
}

/// What a host did to others in one manner.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deed {
    /// The first time.
    pub(super) first: Exchange,
    /// The axes on which it was something new for this host, as bits.
    pub(super) new: u8,
    /// To how many it was done.
    pub(super) targets: Tally,
}

/// A host: what was done to it, and what it does.
#[derive(Clone, Debug, Default)]
pub(super) struct Memory {
    /// How others entered it, one for each of them and each manner.
    pub(super) entries: Vec<Exchange>,
    /// What it did, one for each manner.
    pub(super) deeds: Vec<Deed>,
    /// Who called it lately.
    callers: Lately,
    /// Whom it called lately.
    callees: Lately,
    habits: Seen,
    /// Doors that it knocked at.
    called: Seen,
    /// Whether it was told that a worm called it.
    pub(super) was_suspected: bool,
}

impl Memory {
    /// Takes that another host called. Of the like from the same host, before `onset`, the latest
    /// counts: what came of it came after it.
    pub(super) fn enter(&mut self, mut entry: Exchange, onset: Option<Timestamp>, max: usize) {
        entry.is_answer |= !entry.is_fetched && self.callees.has(entry.peer, entry.start);
        let known = self
            .entries
            .iter_mut()
            .find(|known| known.peer == entry.peer && known.is_alike(&entry, Axis::Same));
        if let Some(known) = known {
            if onset.is_none_or(|onset| entry.start < onset)
                && entry.start > known.start
                && !entry.is_answer
            {
                *known = entry;
            }
            return;
        }
        if self.entries.len() >= max {
            // What carried least is least likely to have carried a copy.
            let least = (0..self.entries.len()).min_by(|a, b| {
                let sent = |at: &usize| self.entries.get(*at).map_or(0.0, |entry| entry.sent);
                sent(a).total_cmp(&sent(b))
            });
            if let Some(least) = least {
                self.entries.remove(least);
            }
        }
        self.entries.push(entry);
    }

    /// Takes that `peer` called at `now`, and was let in.
    pub(super) fn on_caller(&mut self, peer: IpAddr, now: Timestamp) {
        self.callers.add(peer, now);
    }

    /// Whether a call of `peer` at `at` fetches what that host brought: it called shortly before, and
    /// had never been called for that service itself.
    pub(super) fn fetches(&self, peer: IpAddr, service: Service, at: Timestamp) -> bool {
        self.callers.has(peer, at) && !self.called.contains(edge_hash(peer, service))
    }

    /// Takes that it called `peer`, whatever comes of it; whether it fetches what that brought.
    pub(super) fn on_call(&mut self, peer: IpAddr, service: Service, now: Timestamp) -> bool {
        self.callees.add(peer, now);
        let fetches = self.fetches(peer, service, now);
        if !fetches {
            self.called.insert(edge_hash(peer, service), HABITS_MAX);
        }
        fetches
    }

    /// Takes that it did something to another host. Returns the deed if that was new on some axis: another
    /// account in a conversation as ever is.
    pub(super) fn act(&mut self, exchange: Exchange, max: usize) -> Option<Deed> {
        let target = peer_hash(exchange.peer);
        // What is done all day needs no axis.
        let known = self.deeds.iter().position(|deed| deed.first.is_alike(&exchange, Axis::Same));
        if let Some(at) = known {
            // The latest comes last, so that what it never does again is forgotten first.
            let mut deed = self.deeds.remove(at);
            deed.targets.add(target);
            self.deeds.push(deed);
            if deed.first.said.is_same(exchange.said) {
                return None;
            }
        }
        let mut new = 0;
        for axis in Axis::ALL {
            let is_habit = exchange.keys(axis).any(|key| self.habits.contains(key));
            if let Some(key) = exchange.key(axis) {
                self.habits.insert(key, HABITS_MAX);
                new |= if is_habit { 0 } else { axis.bit() };
            }
        }
        let mut targets = Tally::default();
        targets.add(target);
        let deed = Deed { first: exchange, new, targets };
        if known.is_none() {
            if self.deeds.len() >= max {
                self.deeds.remove(0);
            }
            self.deeds.push(deed);
        }
        (new != 0).then_some(deed)
    }

    /// How many manners it has that could be alike with `deed` on an axis.
    pub(super) fn deeds_like(&self, deed: &Deed, axis: Axis) -> usize {
        let is_near = |own: &&Deed| match axis {
            Axis::Copy => own.first.key(axis).is_some(),
            Axis::Way => own.first.is_entry(),
            _ => own.first.service == deed.first.service,
        };
        self.deeds.iter().filter(is_near).count()
    }

    /// Whether `host` was called after `from` was over, within `secs` seconds.
    pub(super) fn called_back(&self, host: IpAddr, from: Timestamp, secs: u64) -> bool {
        self.deeds.iter().any(|deed| {
            deed.first.peer == host
                && deed.first.start >= from
                && deed.first.start.since(from).as_secs() < secs
        })
    }
}

impl Weigh for Memory {
    fn heap_bytes(&self) -> usize {
        self.entries.capacity() * size_of::<Exchange>()
            + self.deeds.capacity() * size_of::<Deed>()
            + self.callers.heap_bytes()
            + self.callees.heap_bytes()
            + self.habits.heap_bytes()
            + self.called.heap_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::testing::{ip, seconds};

    const PUSH: (u64, u64) = (21_054, 849);

    #[test]
    fn of_too_many_entries_the_smallest_goes() {
        let mut memory = Memory::default();
        for (n, sent) in [(1, 5_000), (2, 200), (3, 9_000)] {
            let peer = format!("10.0.0.{n}");
            memory.enter(Exchange::sample(&peer, 445, 1.0, (sent, 100)), None, 2);
        }

        let peers: Vec<_> = memory.entries.iter().map(|entry| entry.peer).collect();
        assert_eq!(peers, [ip("10.0.0.1"), ip("10.0.0.3")]);
    }

    #[test]
    fn of_the_like_from_one_host_the_latest_before_the_beginning_counts() {
        let mut memory = Memory::default();
        let onset = Some(seconds(50.0));
        for at in [10.0, 40.0, 60.0] {
            memory.enter(Exchange::sample("10.0.0.1", 445, at, PUSH), onset, 8);
        }

        let starts: Vec<_> = memory.entries.iter().map(|entry| entry.start).collect();
        assert_eq!(starts, [seconds(40.0)]);
    }

    #[test]
    fn who_was_just_called_answers() {
        let mut memory = Memory::default();
        memory.on_call(ip("10.0.0.1"), Service::tcp(389), seconds(10.0));
        memory.enter(Exchange::sample("10.0.0.1", 445, 12.0, PUSH), None, 8);
        memory.enter(Exchange::sample("10.0.0.1", 3389, 4000.0, PUSH), None, 8);

        let answers: Vec<_> = memory.entries.iter().map(|entry| entry.is_answer).collect();
        assert_eq!(answers, [true, false]);
    }

    #[test]
    fn a_call_back_fetches_where_that_door_is_new_and_the_caller_was_just_there() {
        let (peer, port) = (ip("10.0.0.1"), Service::tcp(8080));
        let mut memory = Memory::default();
        memory.on_call(peer, Service::tcp(443), seconds(1.0));
        assert!(!memory.fetches(peer, port, seconds(2.0)));
        memory.on_caller(peer, seconds(100.0));

        // The fetching itself does not make the door known.
        memory.on_call(peer, port, seconds(101.0));

        assert!(memory.fetches(peer, port, seconds(101.0)));
        assert!(!memory.fetches(peer, Service::tcp(443), seconds(101.0)));
        assert!(!memory.fetches(ip("10.0.0.2"), port, seconds(101.0)));
        assert!(!memory.fetches(peer, port, seconds(701.0)));
    }

    #[test]
    fn what_it_does_all_day_is_no_news() {
        let mut memory = Memory::default();
        let deed = memory.act(Exchange::sample("10.0.0.1", 445, 1.0, PUSH), 8);
        let again = memory.act(Exchange::sample("10.0.0.2", 445, 2.0, PUSH), 8);

        assert!(deed.is_some_and(|deed| deed.new & Axis::Same.bit() != 0));
        assert!(again.is_none());
        assert_eq!(memory.deeds[0].targets.count(), 2);
    }
}

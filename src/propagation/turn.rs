//! Whether a host turned, and who made it: what it does is compared with what those do who called it.

use std::net::IpAddr;
use std::time::Duration;

use super::exchange::{Axis, Exchange};
use super::forest::{LAG_MIN, Tie, Turned, probability};
use super::memory::{Deed, Memory};
use super::{MAIL, Propagation};
use crate::detect::{Class, class};
use crate::inventory::{Inventory, Role};
use crate::time::Timestamp;

/// From the fastest worm's lag (a millisecond) to the slowest's (two weeks) there are so many factors
/// of e; a worm whose pace is unknown has each as likely.
const LAGS: f64 = 21.0;
/// A call back to the intruder within this time belongs to the entry: the copy is fetched.
const CALL_BACK_SECS: u64 = 60;
/// Nats, of one entry against another: for each factor of e in what was sent, and in how long ago it
/// was; and for not being the first of its kind.
const COPY_WEIGHT: f64 = 1.5;
const LAG_WEIGHT: f64 = 1.0;
const SECOND: f64 = 1.2;

impl Propagation {
    /// Compares what `host` did with what those do who called it before. Returns the axes on which
    /// that explains it.
    pub(super) fn compare(&mut self, host: IpAddr, deed: &Deed, inventory: &Inventory) -> u8 {
        let Some(memory) = self.hosts.peek(&host) else { return 0 };
        if is_profession(host, &deed.first, inventory) {
            return 0;
        }
        let known_for = inventory
            .host(host)
            .map_or(Duration::ZERO, |known| deed.first.start.since(known.first_seen));
        // Between the hosts that call others at all, which are few at first, and all there are, many of
        // which never would.
        let hosts = ((self.hosts.len() as f64) * inventory.own_hosts().max(1) as f64).sqrt();
        let mut explained = 0;
        let mut best: Option<Tie> = None;
        for entry in &memory.entries {
            if entry.is_answer
                || entry.start >= deed.first.start
                || entry.peer == deed.first.peer
                || self.forest.descends(entry.peer, host)
            {
                continue;
            }
            let Some(intruder) = self.hosts.peek(&entry.peer) else { continue };
            for axis in Axis::ALL.into_iter().filter(|axis| deed.new & axis.bit() != 0) {
                let is_like = |theirs: &Deed| {
                    theirs.first.start < deed.first.start
                        && theirs.first.is_alike(&deed.first, axis)
                };
                // What was done to this host, its caller has done.
                let is_done_to_it = entry.is_alike(&deed.first, axis);
                if !is_done_to_it && !intruder.deeds.iter().any(is_like) {
                    continue;
                }
                explained |= axis.bit();
                // The more that each does, the sooner some of it is alike by chance; what was done to this
                // host is one thing.
                let theirs = if is_done_to_it { 1 } else { intruder.deeds_like(deed, axis) };
                let trials = memory.deeds_like(deed, axis).max(1) * theirs.max(1);
                let share = (self.manners.of(&deed.first, axis, hosts) * trials as f64).min(1.0);
                let likeness = (-share.ln()).clamp(0.0, self.config.likeness_max);
                let lag = lag_nats(entry, &deed.first, known_for, self.config.lag_max);
                let is_copy = matches!(axis, Axis::Same | Axis::Copy);
                let lag = if is_copy { lag.max(0.0) } else { lag };
                // That a host enters another at all means something only right after it was entered.
                if axis == Axis::Way && lag <= 0.0 {
                    continue;
                }
                let (onset, deed) = (deed.first.start, deed.first);
                let tie = Tie { onset, axis, deed, likeness, lag };
                if best.is_none_or(|best| tie.nats() > best.nats()) {
                    best = Some(tie);
                }
            }
        }
        if let Some(tie) = best.filter(|tie| tie.nats() >= self.config.llr_min) {
            self.turn(host, tie);
        }
        explained
    }

    /// Takes that `host` turned, and weighs who made it.
    fn turn(&mut self, host: IpAddr, fresh: Tie) {
        let mut tie = self.forest.turned.get(&host).map_or(fresh, |known| known.tie);
        tie.join(fresh);
        let Some(candidates) = self.candidates(host, tie.onset) else { return };
        let [(entry, share), others @ ..] = candidates.as_slice() else { return };
        let runner_up = others.first().map(|(other, share)| (other.peer, *share));
        let turned = Turned { tie, entry: *entry, share: *share, runner_up };
        self.forest.turn(host, turned);
    }

    /// Who may have infected `host` before `onset`, and how likely each is, most likely first; one
    /// exchange for each intruder.
    fn candidates(&self, host: IpAddr, onset: Timestamp) -> Option<Vec<(Exchange, f64)>> {
        let memory = self.hosts.peek(&host)?;
        let mut weighed: Vec<(Exchange, f64)> = Vec::new();
        for entry in &memory.entries {
            if entry.is_answer || entry.start >= onset || self.forest.descends(entry.peer, host) {
                continue;
            }
            let weight = self.weigh(entry, memory, onset);
            match weighed.iter_mut().find(|(known, _)| known.peer == entry.peer) {
                Some(known) if known.1 < weight => *known = (*entry, weight),
                Some(_) => {}
                None => weighed.push((*entry, weight)),
            }
        }
        // The first of its kind infects; the next finds that done.
        let firsts = weighed.clone();
        for (entry, weight) in &mut weighed {
            let is_earlier = |(other, _): &(Exchange, f64)| {
                other.end < entry.end && other.is_alike(entry, Axis::Same)
            };
            if firsts.iter().any(is_earlier) {
                *weight -= SECOND;
            }
        }
        weighed.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.peer.cmp(&b.0.peer)));
        let most = weighed.first()?.1;
        let sum: f64 = weighed.iter().map(|(_, weight)| (weight - most).exp()).sum();
        for (_, weight) in &mut weighed {
            *weight = (*weight - most).exp() / sum;
        }
        Some(weighed)
    }

    /// How likely it is that an infection came by `entry`, in nats, against the other entries of the
    /// same host: a copy has to cross, who is let in gets further, what came of it came soon, the
    /// copy may be fetched from who brought it, and who brings it has it.
    fn weigh(&self, entry: &Exchange, memory: &Memory, onset: Timestamp) -> f64 {
        let octaves = f64::from(entry.sent.max(entry.received - 3.0));
        let lag = onset.since(entry.start).as_secs_f64() + 1.0;
        let login = match entry.said.is_in {
            Some(true) => 2.0,
            Some(false) => -3.0,
            None => 0.0,
        };
        let fetched =
            entry.is_fetched || memory.called_back(entry.peer, entry.start, CALL_BACK_SECS);
        let bearer = self.infected(entry.peer) + 0.01;
        COPY_WEIGHT * octaves * std::f64::consts::LN_2 - LAG_WEIGHT * lag.ln()
            + login
            + if fetched { 3.0 } else { 0.0 }
            + bearer.ln()
    }

    /// The probability that `host` is infected, as far as is known.
    fn infected(&self, host: IpAddr) -> f64 {
        let alone = probability(self.host_prior + self.others_of(host));
        self.forest.tree(host).map_or(alone, |tree| probability(tree.odds()).max(alone))
    }
}

/// Whether it is this host's business to do to others what is done to it: relays of mail and of the
/// web pass on what they get, and domain controllers keep each other up to date.
pub(super) fn is_profession(host: IpAddr, deed: &Exchange, inventory: &Inventory) -> bool {
    let has_role = |host, role| inventory.has_role(host, role);
    match class(deed.service) {
        _ if deed.service == MAIL => has_role(host, Role::MailServer),
        Class::Web => has_role(host, Role::Gateway),
        _ => has_role(host, Role::DomainController) && has_role(deed.peer, Role::DomainController),
    }
}

/// Nats for beginning so soon after being called. Under a worm each factor of the lag is as likely as
/// any other; a healthy host begins at any moment of the time that it is known.
fn lag_nats(entry: &Exchange, deed: &Exchange, known_for: Duration, most: f64) -> f64 {
    let lag = deed.start.since(entry.start).as_secs_f64().max(LAG_MIN);
    let nats = (known_for.as_secs_f64().max(lag) / (LAGS * lag)).ln();
    // Who passes on what is still coming in is a relay, a proxy or a jump host: it has to be soon.
    let is_nested = deed.start < entry.end && deed.end <= entry.end;
    let most = if is_nested { 1.0 } else { most };
    nats.clamp(-1.0, most)
}

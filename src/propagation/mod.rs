//! Who infected whom: `propagation.turn`, the trees that it makes, and what they say of each host.
//!
//! A worm is what does to others what was done to it. So each host's ways of calling others are
//! compared with those of whoever called it before: if it takes to one of them after it was called,
//! and hosts of this network seldom do so of their own accord, it has turned. Hosts that turned make
//! trees; a tree in which few were called and many turned, soon, is a worm's. No signature of the
//! worm is needed, and a chain over different services is a chain.

mod account;
mod config;
mod exchange;
mod forest;
mod memory;
mod prevalence;
mod said;
#[cfg(test)]
mod tests;
mod told;
mod turn;

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;

pub use account::{Account, Outline};
pub use config::Config;

use crate::detect::{Class, Evidence, Family, class};
use crate::event::{Body, Conn, Conversation, Event, Opening, Outcome, Uid};
use crate::inventory::{Inventory, Table, Weigh, stable_hash};
use crate::net::{Service, Transport, is_group};
use crate::score::{HostScore, ScoreConfig, family_sums};
use crate::time::Timestamp;
use exchange::{Axis, Exchange};
use forest::{Forest, Turned, Way, log_odds, probability};
use memory::Memory;
use prevalence::Prevalence;
use said::Said;
use turn::is_profession;

/// Where mail is handed on (RFC 5321).
const MAIL: Service = Service::tcp(25);
/// A deed that nothing has explained within this time was its host's own idea...
const DECIDED_AFTER_SECS: u64 = 60;
/// ... and if more than this many wait, the oldest were.
const UNDECIDED_MAX: usize = 4096;
/// Up to so many hosts that turned the trees are looked at with every conversation; beyond, at each
/// second of packet time, and one second less often for as many again.
const LARGE: usize = 256;

/// The stage: events and scores in, evidence and infections out.
#[derive(Debug)]
pub struct Propagation {
    config: Config,
    /// Log-odds of a host before anything is known, as the score has them.
    host_prior: f64,
    hosts: Table<IpAddr, Memory>,
    manners: Prevalence,
    /// What records told of connections that go on.
    said: Table<Uid, Said>,
    /// Mail on its way: by a hash of the mailbox, who sent what.
    letters: Table<u32, Memory>,
    /// What other detectors say of hosts, in nats, as far as it counts.
    others: Table<IpAddr, Nats>,
    forest: Forest,
    /// What hosts did for the first time, until it is known whether they were called before.
    undecided: VecDeque<Undecided>,
    /// Hosts that were just called by a worm, how, and what that is worth.
    victims: BTreeMap<IpAddr, (Exchange, f64)>,
    /// When the trees were last looked at.
    told: Timestamp,
}

/// A first deed: it may turn out to be what was done to its host, in a conversation that goes on.
#[derive(Clone, Copy, Debug)]
struct Undecided {
    host: IpAddr,
    first: Exchange,
    new: u8,
}

/// Families that say what this stage says too: that a host does something for the first time, and
/// that others do the same.
const OWN: [Family; 4] = [Family::Causality, Family::Content, Family::Novelty, Family::Context];

#[derive(Clone, Copy, Debug, Default)]
struct Nats(f64);

impl Weigh for Nats {}

impl Propagation {
    /// The detector's id.
    pub const ID: &'static str = "propagation.turn";

    /// A stage that has seen nothing; a host's log-odds begin at `host_prior`.
    pub fn new(config: &Config, host_prior: f64) -> Self {
        let budget = config.budget.0;
        Self {
            hosts: Table::new(budget / 16 * 9),
            manners: Prevalence::new(budget / 8),
            said: Table::new(budget / 16),
            letters: Table::new(budget / 16),
            others: Table::new(budget / 16),
            forest: Forest::new(budget / 8),
            undecided: VecDeque::new(),
            victims: BTreeMap::new(),
            told: Timestamp::default(),
            host_prior,
            config: config.clone(),
        }
    }

    /// Looks at one event. `inventory` does not contain the event yet.
    pub fn on_event(&mut self, event: &Event, inventory: &Inventory, out: &mut Vec<Evidence>) {
        let Some(talk) = &event.conversation else { return };
        match &event.body {
            Body::Record(record) if Said::is_told_by(record) => {
                self.said.update(talk.uid, true, Said::default, |said| said.read(record));
            }
            Body::Contact(contact) if contact.outcome == Some(Outcome::Accepted) => {
                self.on_contact(talk, event.ts, inventory);
            }
            Body::Conn(conn) => {
                self.on_conn(talk, conn, inventory);
                if self.forest.turned.len() <= LARGE {
                    self.tell(event.ts, out);
                }
            }
            _ => {}
        }
    }

    /// Lets time pass.
    pub fn on_tick(&mut self, now: Timestamp, out: &mut Vec<Evidence>) {
        self.decide(now);
        self.forest.forget(now, self.config.remember);
        // To build a large forest takes longer, so it is built less often: a host's share stays the same.
        let pause = self.forest.turned.len() / LARGE;
        if now.since(self.told).as_secs() >= pause as u64 {
            self.tell(now, out);
        }
    }

    /// Says what has waited.
    pub fn finish(&mut self, now: Timestamp, out: &mut Vec<Evidence>) {
        self.tell(now, out);
    }

    /// Hears what is said of a host. What this stage itself said is left out.
    pub fn on_score(&mut self, host: &HostScore, config: &ScoreConfig, now: Timestamp) {
        let sums = family_sums(&host.evidence, config, now);
        let others = sums.iter().filter(|sum| !OWN.contains(&sum.family));
        let sum: f64 = others.map(|sum| sum.counted).sum();
        let counted = (sum * self.config.others_share).min(self.config.others_max);
        if (self.others_of(host.host) - counted).abs() < 0.01 {
            return;
        }
        self.others.update(host.host, true, Nats::default, |nats| nats.0 = counted);
        self.forest.stir(host.host);
    }

    /// Bytes of state held.
    pub fn state_bytes(&self) -> usize {
        self.hosts.bytes()
            + self.manners.bytes()
            + self.said.bytes()
            + self.letters.bytes()
            + self.others.bytes()
            + self.forest.bytes()
            + self.undecided.capacity() * size_of::<Undecided>()
    }

    /// Hosts remembered.
    pub fn len(&self) -> usize {
        self.hosts.len()
    }

    /// Whether nobody is remembered.
    pub fn is_empty(&self) -> bool {
        self.hosts.is_empty()
    }

    /// Hosts and manners that had to go for want of space, and hosts that turned and are not
    /// followed.
    pub fn evicted(&self) -> u64 {
        self.hosts.evicted()
            + self.manners.evicted()
            + self.letters.evicted()
            + self.said.evicted()
            + self.others.evicted()
            + self.forest.forgotten
    }

    fn on_conn(&mut self, talk: &Conversation, conn: &Conn, inventory: &Inventory) {
        let said = self.said.remove(&talk.uid).unwrap_or_default();
        let (client, server) = (talk.client.addr, talk.server.addr);
        if client == server || is_group(client) || is_group(server) || !carried(talk, conn) {
            return;
        }
        if said.is_fetching {
            self.fetch(talk, conn, inventory);
        }
        if !is_way(talk, inventory) || inventory.may_scan(client) {
            return;
        }
        let (from_own, to_own) = (inventory.is_internal(client), inventory.is_internal(server));
        let exchange = |peer| Exchange {
            peer,
            service: talk.service(),
            start: conn.start,
            end: conn.start + conn.duration,
            sent: Exchange::octaves(conn.client.bytes),
            received: Exchange::octaves(conn.server.bytes),
            said,
            is_answer: false,
            is_fetched: false,
        };
        // First what the client does: that is what the server is compared with.
        if from_own {
            self.read_mail(client, said.from);
        }
        self.act(client, from_own, exchange(server), inventory);
        let max = self.config.exchanges_max;
        for mailbox in said.readers() {
            let put = |letters: &mut Memory| letters.enter(exchange(client), None, max);
            self.letters.update(mailbox, true, Memory::default, put);
        }
        if to_own {
            self.enter(server, exchange(client), inventory);
        }
    }

    /// A door was opened: what its host fetches from the caller now is what that brought.
    fn on_contact(&mut self, talk: &Conversation, now: Timestamp, inventory: &Inventory) {
        let (client, server) = (talk.client.addr, talk.server.addr);
        if talk.transport != Transport::Tcp {
            return;
        }
        if inventory.is_internal(client) {
            let calls = |memory: &mut Memory| memory.on_call(server, talk.service(), now);
            let fetches = self.hosts.update(client, true, Memory::default, calls);
            if fetches && !inventory.may_scan(client) && !inventory.may_scan(server) {
                self.said.update(talk.uid, true, Said::default, |said| said.is_fetching = true);
            }
        }
        if inventory.is_internal(server) && is_way(talk, inventory) {
            let called = |memory: &mut Memory| memory.on_caller(client, now);
            self.hosts.update(server, true, Memory::default, called);
        }
    }

    /// What a host fetches from one that has just called it came with that call.
    fn fetch(&mut self, talk: &Conversation, conn: &Conn, inventory: &Inventory) {
        let (victim, intruder) = (talk.client.addr, talk.server.addr);
        let exchange = |peer| Exchange {
            peer,
            service: talk.service(),
            start: conn.start,
            end: conn.start + conn.duration,
            sent: Exchange::octaves(conn.server.bytes),
            received: Exchange::octaves(conn.client.bytes),
            said: Said::default(),
            is_answer: false,
            is_fetched: true,
        };
        self.act(intruder, inventory.is_internal(intruder), exchange(victim), inventory);
        self.enter(victim, exchange(intruder), inventory);
    }

    /// Whoever writes from a mailbox has read what came to it: to a host that writes, its letters are
    /// calls of those who sent them.
    fn read_mail(&mut self, host: IpAddr, mailbox: u32) {
        if mailbox == 0 {
            return;
        }
        let Some(letters) = self.letters.remove(&mailbox) else { return };
        let onset = self.forest.turned.get(&host).map(|turned| turned.tie.onset);
        let max = self.config.exchanges_max;
        self.hosts.update(host, true, Memory::default, |memory| {
            for letter in letters.entries.into_iter().filter(|letter| letter.peer != host) {
                memory.enter(letter, onset, max);
            }
        });
    }

    /// `host`, one of ours, was called.
    fn enter(&mut self, host: IpAddr, mut entry: Exchange, inventory: &Inventory) {
        // Who fetched something from this host comes back to it.
        let is_from_here = |known: &Exchange| known.is_fetched && known.peer == host;
        let caller = self.hosts.peek(&entry.peer);
        let has_other_parent = |known: &Turned| known.entry.peer != host;
        entry.is_answer = caller.is_some_and(|caller| caller.entries.iter().any(is_from_here))
            && !self.forest.turned.get(&entry.peer).is_some_and(has_other_parent);
        let onset = self.forest.turned.get(&host).map(|turned| turned.tie.onset);
        let max = self.config.exchanges_max;
        self.hosts.update(host, true, Memory::default, |memory| memory.enter(entry, onset, max));
        self.suspect(host, &entry, inventory);
        // A conversation that lasted may end after what came of it.
        let Some(memory) = self.hosts.peek(&host) else { return };
        let late: Vec<_> =
            memory.deeds.iter().filter(|deed| deed.first.start > entry.start).copied().collect();
        for deed in late {
            self.compare(host, &deed, inventory);
        }
    }

    /// A host that a worm called as it called those that turned is likely to be next.
    fn suspect(&mut self, host: IpAddr, entry: &Exchange, inventory: &Inventory) {
        let Some(tree) = self.forest.tree(entry.peer) else { return };
        let ways = tree.ways.iter().filter(|way| way.like.is_alike(entry, Axis::Same));
        let rate = ways.map(Way::rate).fold(0.0, f64::max);
        let odds = log_odds(probability(tree.odds()) * rate);
        let is_next = odds > 0.0
            && self.forest.tree(host).is_none()
            && !is_profession(host, entry, inventory);
        if is_next {
            let llr = (odds - self.host_prior).clamp(0.0, self.config.victim_max);
            // Told once, however often it is called.
            let is_news = |memory: &mut Memory| !std::mem::replace(&mut memory.was_suspected, true);
            if self.hosts.update(host, true, Memory::default, is_news) {
                self.victims.insert(host, (*entry, llr));
            }
        }
    }

    /// `host` called another.
    fn act(&mut self, host: IpAddr, is_own: bool, exchange: Exchange, inventory: &Inventory) {
        let max = self.config.exchanges_max;
        let act = |memory: &mut Memory| memory.act(exchange, max);
        let Some(deed) = self.hosts.update(host, is_own, Memory::default, act) else { return };
        // What outsiders do is not what is usual here, and nobody here knows who called them.
        if !is_own {
            return;
        }
        let explained = self.compare(host, &deed, inventory);
        self.undecided.push_back(Undecided { host, first: exchange, new: deed.new & !explained });
    }

    /// Counts what hosts did of their own accord, as soon as it is old enough to be sure of that.
    fn decide(&mut self, now: Timestamp) {
        while let Some(first) = self.undecided.front() {
            let is_old = now.since(first.first.end).as_secs() >= DECIDED_AFTER_SECS;
            if !is_old && self.undecided.len() <= UNDECIDED_MAX {
                return;
            }
            let Some(Undecided { host, first, new }) = self.undecided.pop_front() else { return };
            if self.forest.turned.contains_key(&host) {
                continue;
            }
            for axis in Axis::ALL.into_iter().filter(|axis| new & axis.bit() != 0) {
                self.manners.add(&first, axis, stable_hash(host));
            }
        }
    }

    /// What other detectors say of `host`, in nats, as far as it counts.
    fn others_of(&self, host: IpAddr) -> f64 {
        self.others.peek(&host).map_or(0.0, |nats| nats.0)
    }
}

/// Whether that is a way on which worms come, and somebody here is part of it.
fn is_way(talk: &Conversation, inventory: &Inventory) -> bool {
    let (from_own, to_own) =
        (inventory.is_internal(talk.client.addr), inventory.is_internal(talk.server.addr));
    match class(talk.service()) {
        Class::Admin => to_own || from_own,
        Class::Web => to_own,
        Class::Common => talk.service() == MAIL && (to_own || from_own),
        Class::Dynamic => false,
    }
}

/// Whether anything crossed that could have brought a worm.
fn carried(talk: &Conversation, conn: &Conn) -> bool {
    let is_open = matches!(conn.outcome, Some(Outcome::Accepted | Outcome::AppFailed))
        || conn.opening == Opening::Midstream;
    match talk.transport {
        Transport::Tcp => is_open && conn.client.bytes > 0 && conn.server.packets > 0,
        // A datagram is answered or not, and has arrived all the same (Slammer, Moore et al. 2003).
        Transport::Udp => conn.client.bytes > 0,
        _ => false,
    }
}

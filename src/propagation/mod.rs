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
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

pub use account::Account;
pub use config::Config;

use crate::detect::{Class, Evidence, Family, class, spoken, text_hash};
use crate::event::{Body, Conn, Conversation, Event, Opening, Outcome, Record, Uid};
use crate::inventory::{Inventory, Role, Table, Weigh, stable_hash};
use crate::net::{Service, Transport, is_group};
use crate::score::{HostScore, ScoreConfig, family_sums};
use crate::time::Timestamp;
use exchange::{Axis, Exchange, MAILBOXES, Said};
use forest::{Forest, Turned, Way, log_odds, probability};
use memory::{Deed, Memory};
use prevalence::Prevalence;

/// From the fastest worm's lag (a millisecond) to the slowest's (two weeks) there are so many factors
/// of e; a worm whose pace is unknown has each as likely.
const LAGS: f64 = 21.0;
/// The shortest lag, in seconds.
const LAG_MIN: f64 = 0.001;
/// A call back to the intruder within this time belongs to the entry: the copy is fetched.
const CALL_BACK_SECS: u64 = 60;
/// Where mail is handed on (RFC 5321).
const MAIL: Service = Service::tcp(25);
/// Nats, of one entry against another: for each factor of e in what was sent, and in how long ago it
/// was; and for not being the first of its kind.
const COPY_WEIGHT: f64 = 1.5;
const LAG_WEIGHT: f64 = 1.0;
const SECOND: f64 = 1.2;
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
    /// What other detectors say of hosts, in nats.
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
impl Weigh for Said {}

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
            Body::Record(record) => self.on_record(talk, record),
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
        let counted: f64 = others.map(|sum| sum.counted).sum();
        let counted = counted * self.config.others_share;
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

    fn on_record(&mut self, talk: &Conversation, record: &Record) {
        let mut change = |change: &dyn Fn(&mut Said)| {
            self.said.update(talk.uid, true, Said::default, change);
        };
        match record {
            Record::Login(login) => {
                let account = login.user.as_deref().map_or(0, |user| short(&user.to_lowercase()));
                let is_in = login.success;
                change(&|said| {
                    said.account = if account == 0 { said.account } else { account };
                    said.is_in = is_in.or(said.is_in);
                });
            }
            Record::Smtp(smtp) => {
                let from = smtp.mailfrom.as_deref().map_or(0, mailbox);
                let mut to = [0; MAILBOXES];
                for (place, to) in to.iter_mut().zip(smtp.rcptto.iter().chain(&smtp.to)) {
                    *place = mailbox(to);
                }
                change(&|said| (said.from, said.to) = (from, to));
            }
            Record::Ssh(ssh) => {
                let software = ssh.client.as_deref().map_or(0, short);
                change(&|said| said.software = software);
            }
            _ => {}
        }
    }

    fn on_conn(&mut self, talk: &Conversation, conn: &Conn, inventory: &Inventory) {
        let said = self.said.remove(&talk.uid).unwrap_or_default();
        let (client, server) = (talk.client.addr, talk.server.addr);
        let is_own = inventory.is_internal(server);
        let is_way = match class(talk.service()) {
            Class::Admin => is_own || inventory.is_internal(client),
            Class::Web => is_own,
            Class::Common => talk.service() == MAIL && (is_own || inventory.is_internal(client)),
            Class::Dynamic => false,
        };
        if !is_way
            || client == server
            || is_group(client)
            || is_group(server)
            || inventory.may_scan(client)
            || !carried(talk, conn)
        {
            return;
        }
        let exchange = |peer| Exchange {
            peer,
            service: talk.service(),
            start: conn.start,
            end: conn.start + conn.duration,
            sent: Exchange::octaves(conn.client.bytes),
            received: Exchange::octaves(conn.server.bytes),
            said,
            is_answer: false,
        };
        // First what the client does: that is what the server is compared with.
        if inventory.is_internal(client) {
            self.read_mail(client, said.from);
        }
        self.act(client, exchange(server), inventory);
        // Who writes to itself, as machines do whose mail to `root` is gathered somewhere, is not read
        // by the next machine of that name.
        let others = said.to.into_iter().filter(|mailbox| *mailbox != 0 && *mailbox != said.from);
        for mailbox in others {
            let max = self.config.exchanges_max;
            let letter = exchange(client);
            self.letters
                .update(mailbox, true, Memory::default, |box_| box_.enter(letter, None, max));
        }
        if is_own {
            self.enter(server, exchange(client), inventory);
        }
    }

    /// Whoever writes from a mailbox has read what came to it: to a host that writes, its letters are
    /// calls of those who sent them.
    fn read_mail(&mut self, host: IpAddr, mailbox: u32) {
        if mailbox == 0 {
            return;
        }
        let Some(letters) = self.letters.remove(&mailbox) else { return };
        let onset = self.forest.turned.get(&host).map(|turned| turned.onset);
        let max = self.config.exchanges_max;
        self.hosts.update(host, true, Memory::default, |memory| {
            for letter in letters.entries.into_iter().filter(|letter| letter.peer != host) {
                memory.enter(letter, onset, max);
            }
        });
    }

    /// `host` was called.
    fn enter(&mut self, host: IpAddr, entry: Exchange, inventory: &Inventory) {
        let onset = self.forest.turned.get(&host).map(|turned| turned.onset);
        let is_own = inventory.is_internal(host);
        let max = self.config.exchanges_max;
        self.hosts.update(host, is_own, Memory::default, |memory| memory.enter(entry, onset, max));
        self.suspect(host, &entry, inventory);
        // A conversation that lasted may end after what came of it.
        let Some(memory) = self.hosts.peek(&host) else { return };
        let late: Vec<_> =
            memory.deeds.iter().filter(|deed| deed.first.start > entry.start).copied().collect();
        for deed in late {
            if !is_profession(host, &deed.first, inventory) {
                self.compare(host, &deed, inventory);
            }
        }
    }

    /// A host that a worm called as it called those that turned is likely to be next.
    fn suspect(&mut self, host: IpAddr, entry: &Exchange, inventory: &Inventory) {
        let Some(tree) = self.forest.tree(entry.peer) else { return };
        let ways = tree.ways.iter().filter(|way| way.like.is_alike(entry, Axis::Same));
        let rate = ways.map(Way::rate).fold(0.0, f64::max);
        let odds = log_odds(probability(tree.odds) * rate);
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
    fn act(&mut self, host: IpAddr, exchange: Exchange, inventory: &Inventory) {
        let is_own = inventory.is_internal(host);
        let max = self.config.exchanges_max;
        let act = |memory: &mut Memory| memory.act(exchange, max);
        let Some(deed) = self.hosts.update(host, is_own, Memory::default, act) else { return };
        let may_turn = is_own && !is_profession(host, &exchange, inventory);
        let explained = if may_turn { self.compare(host, &deed, inventory) } else { 0 };
        let new = deed.new & !explained;
        // What outsiders do is not what is usual here.
        if is_own {
            self.undecided.push_back(Undecided { host, first: exchange, new });
        }
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

    /// Compares what `host` did with what those do who called it before. Returns the axes on which
    /// that explains it.
    fn compare(&mut self, host: IpAddr, deed: &Deed, inventory: &Inventory) -> u8 {
        let Some(memory) = self.hosts.peek(&host) else { return 0 };
        let known_for = inventory
            .host(host)
            .map_or(Duration::ZERO, |known| deed.first.start.since(known.first_seen));
        // Between the hosts that call others at all, which are few at first, and all there are, many of
        // which never would.
        let hosts = ((self.hosts.len() as f64) * inventory.own_hosts().max(1) as f64).sqrt();
        let mut explained = 0;
        let mut best: Option<(f64, f64, Axis)> = None;
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
                if !intruder.deeds.iter().any(is_like) {
                    continue;
                }
                explained |= axis.bit();
                // The more that each does, the sooner some of it is alike by chance; what was done to this
                // host is one thing.
                let is_done_to_it = entry.is_alike(&deed.first, axis);
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
                if best.is_none_or(|(a, b, _)| likeness + lag > a + b) {
                    best = Some((likeness, lag, axis));
                }
            }
        }
        if let Some((likeness, lag, axis)) = best
            && likeness + lag >= self.config.llr_min
        {
            self.turn(host, deed.first, (likeness, lag, axis));
        }
        explained
    }

    /// Takes that `host` turned, and weighs who made it.
    fn turn(&mut self, host: IpAddr, deed: Exchange, (likeness, lag, axis): (f64, f64, Axis)) {
        let known = self.forest.turned.get(&host);
        let onset = known.map_or(deed.start, |known| known.onset.min(deed.start));
        let Some(candidates) = self.candidates(host, onset) else { return };
        let [(entry, share), others @ ..] = candidates.as_slice() else { return };
        let runner_up = others.first().map(|(other, share)| (other.peer, *share));
        let better = known.filter(|known| known.nats() >= likeness + lag);
        let (likeness, lag, axis, deed) = better.map_or((likeness, lag, axis, deed), |known| {
            (known.likeness, known.lag, known.axis, known.deed)
        });
        let turned =
            Turned { onset, axis, deed, likeness, lag, entry: *entry, share: *share, runner_up };
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
        let fetched = memory.called_back(entry.peer, entry.start, CALL_BACK_SECS);
        let bearer = self.infected(entry.peer) + 0.01;
        COPY_WEIGHT * octaves * std::f64::consts::LN_2 - LAG_WEIGHT * lag.ln()
            + login
            + if fetched { 3.0 } else { 0.0 }
            + bearer.ln()
    }

    /// The probability that `host` is infected, as far as is known.
    fn infected(&self, host: IpAddr) -> f64 {
        let alone = probability(self.host_prior + self.others_of(host));
        self.forest.tree(host).map_or(alone, |tree| probability(tree.odds).max(alone))
    }

    fn others_of(&self, host: IpAddr) -> f64 {
        self.others.peek(&host).map_or(0.0, |nats| nats.0)
    }

    /// Log-odds that `host` is infected, by its tree alone: what others say of it is left out.
    fn odds_of(&self, host: IpAddr) -> Option<f64> {
        let tree = self.forest.tree(host)?;
        let others = self.others_of(host).clamp(0.0, self.config.others_max);
        let of_tree = probability(tree.odds - others);
        let of_link = match self.forest.turned.get(&host) {
            Some(turned) => probability(tree.link_prior(turned, &self.config) + turned.nats()),
            None => 1.0,
        };
        Some(log_odds(of_tree * of_link))
    }

    /// Says what the trees make of their hosts, where that is news.
    fn tell(&mut self, now: Timestamp, out: &mut Vec<Evidence>) {
        self.told = now;
        let victims = std::mem::take(&mut self.victims);
        out.extend(victims.into_iter().map(|(host, victim)| as_victim(host, victim, now)));
        let others = |host: IpAddr| self.others.peek(&host).map_or(0.0, |nats| nats.0);
        if !self.forest.grow(&self.hosts, &others, &self.config) {
            return;
        }
        let mut news = Vec::new();
        for tree in &self.forest.trees {
            for host in &tree.members {
                let Some(odds) = self.odds_of(*host) else { continue };
                let is_lone_origin = *host == tree.root && self.forest.children(*host).len() < 2;
                let most =
                    if is_lone_origin { self.config.origin_max } else { self.config.llr_max };
                news.push((*host, (odds - self.host_prior).clamp(0.0, most)));
            }
        }
        let most = self.config.llr_max;
        for (host, llr) in news {
            let gate = self.forest.gates.entry(host).or_default();
            if gate.opens(llr, most, 1) || gate.sinks(llr) {
                out.extend(self.evidence(host, llr, now));
            }
        }
    }

    fn evidence(&self, host: IpAddr, llr: f64, now: Timestamp) -> Option<Evidence> {
        let tree = self.forest.tree(host)?;
        let children = self.forest.children(host);
        let turned = self.forest.turned.get(&host);
        let size = tree.members.len();
        let (service, summary) = match turned {
            Some(turned) => {
                let lag = turned.onset.since(turned.entry.start);
                let summary = format!(
                    "was called by {} on {}, and {} later began to do as that host does, alike in {}; \
                     {size} hosts make one chain",
                    turned.entry.peer,
                    turned.entry.service,
                    spoken(lag),
                    turned.axis.words(),
                );
                (Some(turned.deed.service), summary)
            }
            None => {
                let child = children.first().and_then(|child| self.forest.turned.get(child));
                let summary = format!(
                    "{} of the hosts that it called went on to do as it does; {size} hosts make one \
                     chain",
                    children.len(),
                );
                (child.map(|child| child.entry.service), summary)
            }
        };
        let peers: Vec<_> = turned
            .map(|turned| turned.entry.peer)
            .into_iter()
            .chain(children.iter().copied())
            .collect();
        Some(Evidence {
            ts: now,
            host,
            detector: Self::ID,
            family: Family::Causality,
            llr,
            subject: "tree".to_owned(),
            peers_total: peers.len() as u64,
            peers: peers.into_iter().take(16).collect(),
            service,
            techniques: &["T1021", "T1570"],
            conns: Vec::new(),
            forgeable: turned
                .is_some_and(|turned| turned.entry.is_forgeable() || turned.deed.is_forgeable()),
            summary,
        })
    }
}

/// What being called by a worm says of a host that has done nothing yet.
fn as_victim(host: IpAddr, (entry, llr): (Exchange, f64), now: Timestamp) -> Evidence {
    let summary = format!(
        "was called by {} on {} as others were that then went on to do the same",
        entry.peer, entry.service
    );
    Evidence {
        ts: now,
        host,
        detector: Propagation::ID,
        family: Family::Causality,
        llr,
        subject: "called".to_owned(),
        peers: vec![entry.peer],
        peers_total: 1,
        service: Some(entry.service),
        techniques: &["T1021"],
        conns: Vec::new(),
        forgeable: entry.is_forgeable(),
        summary,
    }
}

/// Whether it is this host's business to do to others what is done to it: relays of mail and of the
/// web pass on what they get, and domain controllers keep each other up to date.
fn is_profession(host: IpAddr, deed: &Exchange, inventory: &Inventory) -> bool {
    let has_role = |host, role| inventory.has_role(host, role);
    match class(deed.service) {
        _ if deed.service == MAIL => has_role(host, Role::MailServer),
        Class::Web => has_role(host, Role::Gateway),
        _ => has_role(host, Role::DomainController) && has_role(deed.peer, Role::DomainController),
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

/// A hash of a mailbox: its name without the domain, which senders write or leave out.
fn mailbox(address: &str) -> u32 {
    let name = address.trim_matches(|c| matches!(c, '<' | '>' | ' '));
    let name = name.split('@').next().unwrap_or(name).to_lowercase();
    // Bounces come from nobody (RFC 5321, section 4.5.5).
    if name.is_empty() { 0 } else { short(&name) }
}

fn short(text: &str) -> u32 {
    (text_hash(text) >> 32) as u32
}

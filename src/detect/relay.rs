//! `inference.relay`: hosts ask a language model of whoever entered them, and act upon its answers.
//!
//! The worm of arXiv:2606.03811 is steered by a model that only some of its victims can run; the others
//! call back to one of these to think. So do developers, assistants and services with the models of
//! their house. What tells the worm from these:
//!
//! * an asker of the worm was *entered* from its server, or from one that the server entered, shortly
//!   before its first question. No user of a model was ever entered by it. Where the asker descends
//!   from its server through one of `b` hosts, the weight is `ln θ − ln(b · ρ · e^−w)`: ρ is the share of
//!   this network's askers that were entered by their server, `w` the lag from entry to question, under a
//!   worm log-uniform, otherwise uniform over the time that the asker is known (as in
//!   `propagation.reversal`);
//! * an asker of the worm *acts* upon an answer: within a minute it calls hosts that it never called,
//!   over ways in, more often than it usually does (`relay/acts.rs`);
//! * several such askers *converge* on one server;
//! * the server was none before.
//!
//! Questions are read over HTTP, at any port (`relay/exchange.rs`); where they are encrypted, the cadence of
//! the answers tells (`flow/drips.rs`), from the second on.
//!
//! Without the first or the second nothing else counts: a call to a model is what many make.

mod acts;
mod config;
mod descent;
mod exchange;
mod telling;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::time::Duration;

use super::attempt::Attempt;
use super::report::{Gate, REPORT_MIN};
use super::seen::{Seen, edge_hash, peer_hash};
use super::services::{Class, Direction, class};
use super::{Detector, Evidence, Sight};
use crate::event::{Body, Conn, Conversation, Record, Uid};
use crate::inventory::{Fetch, Inventory, Role, Table, Weigh};
use crate::net::Transport;
use crate::time::Timestamp;
use acts::Acts;
pub use config::Config;
use descent::{Descent, Entry};
use telling::{of_asker, of_server};

/// From the fastest worm's lag to the slowest's (two weeks) there are so many factors of e, and the
/// most that the lag counts either way; as in `propagation.reversal`.
const LAGS: f64 = 21.0;
const LAG_MIN: f64 = 1e-3;
const LAG_NATS_MAX: f64 = 3.0;
/// Servers remembered of one asker; whom it asked first is kept.
const SERVERS_MAX: usize = 4;
/// Askers remembered of one server; beyond, they are only counted.
const ASKERS_MAX: usize = 32;

/// One server that a host asks.
#[derive(Clone, Copy, Debug)]
struct Asked {
    server: IpAddr,
    first: Timestamp,
    talk: Conversation,
    questions: u32,
    /// The latest connection in which the question itself was seen.
    in_clear: Option<Uid>,
    descent: Option<Descent>,
    /// Nats for the descent.
    entered: f64,
}

/// What a host is as a server of models.
#[derive(Clone, Debug)]
struct Served {
    since: Timestamp,
    askers: Vec<IpAddr>,
    /// Askers that it entered neither itself nor through others.
    unentered: u32,
    gate: Gate,
}

/// One host: whom it called, who entered it, whom it asks and who asks it.
#[derive(Debug, Default)]
struct Host {
    met: Seen,
    entries: Vec<Entry>,
    acts: Acts,
    asked: Vec<Asked>,
    served: Option<Box<Served>>,
    /// Nats as an asker, as last weighed.
    llr: f64,
    gate: Gate,
}

/// The network's askers that are no evidence, and those among them that their server had entered.
#[derive(Clone, Copy, Debug, Default)]
struct Usual {
    askers: f64,
    entered: f64,
}

/// The detector.
#[derive(Debug)]
pub struct Relay {
    config: Config,
    hosts: Table<IpAddr, Host>,
    usual: Usual,
}

impl Relay {
    /// The detector's id.
    pub const ID: &'static str = "inference.relay";

    /// A detector that has seen nothing.
    pub fn new(config: &Config) -> Self {
        Self { hosts: Table::new(config.budget.0), usual: Usual::default(), config: config.clone() }
    }

    /// Takes that a host calls another one inside: an entry, an act, or neither.
    fn on_contact(&mut self, attempt: &Attempt, inventory: &Inventory, out: &mut Vec<Evidence>) {
        let (src, dst, at) = (attempt.src, attempt.dst, attempt.start);
        let (within, max) = (self.config.acts_within, self.config.peers_max);
        let is_way = matches!(attempt.class, Class::Admin | Class::Web);
        let (is_first, has_acted) = self.hosts.update(src, true, Host::default, |host| {
            host.acts.on_sign(at);
            host.met.insert(peer_hash(dst), max);
            let is_first = host.met.insert(edge_hash(dst, attempt.service), max);
            let is_third = host.asked.iter().all(|asked| asked.server != dst);
            let is_act = is_first && is_way && is_third;
            (is_first, is_act && host.acts.on_contact(at, within))
        });
        if has_acted {
            self.weigh(src, attempt.ts, inventory, out);
        }
        // Whoever called first is answered, not entered.
        let calls_it = |host: &Host| host.met.contains(peer_hash(src));
        let is_entry = is_first
            && is_way
            && attempt.is_accepted()
            && !self.hosts.peek(&dst).is_some_and(calls_it);
        if is_entry {
            let entry = Entry { by: src, at, is_web: attempt.class == Class::Web };
            self.hosts.update(dst, true, Host::default, |host| {
                descent::note(&mut host.entries, entry);
            });
        }
    }

    /// Takes what came of a connection: answers that only their cadence tells.
    fn on_conn(
        &mut self,
        (ts, talk, conn): (Timestamp, &Conversation, &Conn),
        inventory: &Inventory,
        out: &mut Vec<Evidence>,
    ) {
        let Some(drips) = &conn.drips else { return };
        // Over a way to administer a host, programs print.
        if class(talk.service()) == Class::Admin || conn.service == Some("ssh") {
            return;
        }
        let was_read = |asked: &Asked| asked.in_clear == Some(talk.uid);
        if self.hosts.peek(&talk.client.addr).is_some_and(|host| host.asked.iter().any(was_read)) {
            return;
        }
        for end in &drips.ends {
            self.on_answer(talk, *end, false, inventory);
        }
        self.weigh(talk.client.addr, ts, inventory, out);
    }

    /// Takes that a question was answered at `at`, be it read or known by its cadence.
    fn on_answer(
        &mut self,
        talk: &Conversation,
        at: Timestamp,
        is_read: bool,
        inventory: &Inventory,
    ) {
        let (asker, server) = (talk.client.addr, talk.server.addr);
        let is_inside = inventory.is_internal(asker) && inventory.is_internal(server);
        let is_open = self.config.servers.contains(server) || inventory.may_scan(asker);
        if !is_inside || asker == server || is_open || inventory.has_role(asker, Role::Gateway) {
            return;
        }
        let asked = self.hosts.peek(&asker).map_or(&[][..], |host| &host.asked);
        if asked.iter().all(|asked| asked.server != server) {
            if asked.len() >= SERVERS_MAX {
                return;
            }
            self.begin(talk, at, inventory);
        }
        let within = self.config.acts_within;
        self.hosts.update(asker, true, Host::default, |host| {
            host.acts.on_answer(at, within);
            if let Some(asked) = host.asked.iter_mut().find(|asked| asked.server == server) {
                asked.questions = asked.questions.saturating_add(1);
                asked.in_clear = if is_read { Some(talk.uid) } else { asked.in_clear };
            }
        });
    }

    /// Takes the first question of an asker to a server.
    fn begin(&mut self, talk: &Conversation, at: Timestamp, inventory: &Inventory) {
        let (asker, server) = (talk.client.addr, talk.server.addr);
        let config = &self.config;
        let entries = |of: IpAddr| self.hosts.peek(&of).map(|host| host.entries.as_slice());
        let find = |within| descent::find((asker, server), at, within, config.generations, entries);
        let found = find(config.within);
        let entered = found.map_or(0.0, |descent| {
            let known_for =
                inventory.host(asker).map_or(Duration::ZERO, |host| at.since(host.first_seen));
            self.entered_nats(&descent, at, known_for)
        });
        // It was entered long ago: that is how things are here.
        let is_old = found.is_none() && find(Duration::MAX).is_some();
        if found.is_none() {
            self.usual.askers += 1.0;
            self.usual.entered += f64::from(u8::from(is_old));
        }
        let asked = Asked {
            server,
            first: at,
            talk: *talk,
            questions: 0,
            in_clear: None,
            descent: found,
            entered,
        };
        self.hosts.update(asker, true, Host::default, |host| {
            host.asked.push(asked);
        });
        self.hosts.update(server, true, Host::default, |host| {
            let served = host.served.get_or_insert_with(|| Box::new(Served::since(at)));
            if !served.askers.contains(&asker) {
                if served.askers.len() < ASKERS_MAX {
                    served.askers.push(asker);
                }
                if found.is_none() && !is_old {
                    served.unentered = served.unentered.saturating_add(1);
                }
            }
        });
    }

    /// Nats for descending from the server, asked first at `at` by an asker that is known for so long.
    fn entered_nats(&self, descent: &Descent, at: Timestamp, known_for: Duration) -> f64 {
        let config = &self.config;
        let prior = config.prior_askers.max(1.0);
        let usual = (self.usual.entered + prior * config.usual_share) / (self.usual.askers + prior);
        let lag = at.since(descent.at).as_secs_f64().max(LAG_MIN);
        let lag = (known_for.as_secs_f64().max(LAG_MIN) / (LAGS * lag)).ln();
        let lag = lag.clamp(-LAG_NATS_MAX, LAG_NATS_MAX);
        let web = if descent.is_web { config.web_factor.max(1.0) } else { 1.0 };
        let chance = (usual * descent.breadth.max(1) as f64 * web * (-lag).exp()).min(1.0);
        (config.worm_share.ln() - chance.ln()).clamp(0.0, config.entered_max)
    }

    /// Weighs an asker anew, and with it its servers and those that ask these.
    fn weigh(
        &mut self,
        asker: IpAddr,
        ts: Timestamp,
        inventory: &Inventory,
        out: &mut Vec<Evidence>,
    ) {
        let Some(host) = self.hosts.peek(&asker) else { return };
        let is_new = |asked: &Asked| asked.questions <= self.config.drips;
        let servers: Vec<(IpAddr, bool)> =
            host.asked.iter().map(|asked| (asked.server, is_new(asked))).collect();
        let had = host.llr >= REPORT_MIN;
        self.weigh_asker(asker, ts, inventory, out);
        let has = self.hosts.peek(&asker).is_some_and(|host| host.llr >= REPORT_MIN);
        for (server, is_new) in servers {
            let served = self.hosts.peek(&server).and_then(|host| host.served.as_ref());
            let Some(served) = served else { continue };
            // One changes what is said of the others when it begins to ask and when it becomes suspect.
            if is_new || had != has {
                for other in served.askers.clone().into_iter().filter(|other| *other != asker) {
                    self.weigh_asker(other, ts, inventory, out);
                }
            }
            self.weigh_server(server, ts, out);
        }
    }

    /// Says what is to be said of an asker: of the server for which it weighs most.
    fn weigh_asker(
        &mut self,
        asker: IpAddr,
        ts: Timestamp,
        inventory: &Inventory,
        out: &mut Vec<Evidence>,
    ) {
        let Some(host) = self.hosts.peek(&asker) else { return };
        let acts = self.acts_nats(&host.acts);
        let weighed =
            host.asked.iter().map(|asked| (self.nats(asker, asked, acts, inventory), *asked));
        // Of equals the first.
        let best = weighed.reduce(|best, next| if next.0 > best.0 { next } else { best });
        let Some((llr, asked)) = best else { return };
        let llr = if llr < REPORT_MIN { 0.0 } else { llr };
        let counts = (host.acts.followed, host.acts.answers);
        let others = self.kin(asker, asked.server);
        let most = self.config.llr_max;
        let speaks = self.hosts.update(asker, true, Host::default, |host| {
            host.llr = llr;
            host.gate.opens(llr, most, u64::from(asked.questions)) || host.gate.sinks(llr)
        });
        if speaks {
            let acted = Some(counts).filter(|_| acts > 0.0);
            out.push(of_asker(asker, &asked, acted, others, (ts, llr)));
        }
    }

    /// The weight of one server for its asker, to which acts add `acts` nats.
    fn nats(&self, asker: IpAddr, asked: &Asked, acts: f64, inventory: &Inventory) -> f64 {
        let config = &self.config;
        let served = self.hosts.peek(&asked.server).and_then(|host| host.served.as_ref());
        let is_model = asked.in_clear.is_some() || asked.questions >= config.drips;
        let counts = is_model && asked.entered + acts > 0.0;
        let Some(served) = served.filter(|_| counts) else { return 0.0 };
        let watched = inventory.since().map_or(Duration::ZERO, |since| served.since.since(since));
        let kin = self.kin(asker, asked.server);
        let descending = kin + usize::from(asked.entered > 0.0);
        let is_of_the_house =
            served.unentered >= config.sanctioned_by && served.unentered as usize > descending;
        let standing = if is_of_the_house {
            -config.sanctioned
        } else if watched >= config.learning {
            config.fresh
        } else {
            0.0
        };
        let converging = (kin as f64 * config.converging).min(config.converging_max);
        let converging = if asked.entered > 0.0 { converging } else { 0.0 };
        (asked.entered + acts + standing + converging).clamp(0.0, config.llr_max)
    }

    /// Nats for what follows answers: nothing for the first, which may be chance.
    fn acts_nats(&self, acts: &Acts) -> f64 {
        let config = &self.config;
        let most = f64::from(acts.followed.saturating_sub(1)) * config.act_max;
        acts.nats(config.acts_within).clamp(0.0, most.min(config.acts_max))
    }

    /// Other askers of the server that descend from it.
    fn kin(&self, asker: IpAddr, server: IpAddr) -> usize {
        let served = self.hosts.peek(&server).and_then(|host| host.served.as_ref());
        let askers = served.map_or(&[][..], |served| &served.askers);
        let descends = |other: &&IpAddr| {
            let host = self.hosts.peek(other);
            let asked = host.and_then(|host| host.asked.iter().find(|it| it.server == server));
            **other != asker && asked.is_some_and(|asked| asked.entered > 0.0)
        };
        askers.iter().filter(descends).count()
    }

    /// Says what is to be said of a server: its askers convict each other's, and it is what they share.
    fn weigh_server(&mut self, server: IpAddr, ts: Timestamp, out: &mut Vec<Evidence>) {
        let served = self.hosts.peek(&server).and_then(|host| host.served.as_ref());
        let Some(served) = served else { return };
        let suspects = served.askers.iter().filter_map(|asker| {
            let host = self.hosts.peek(asker).filter(|host| host.llr >= REPORT_MIN)?;
            let asked = host.asked.iter().find(|asked| asked.server == server)?;
            Some((*asker, host.llr, asked.talk))
        });
        let suspects: Vec<(IpAddr, f64, Conversation)> = suspects.collect();
        let sum: f64 = suspects.iter().map(|(_, llr, _)| llr).sum();
        let best = suspects.iter().map(|(_, llr, _)| *llr).fold(0.0, f64::max);
        // One may be chance; what the others say of the server is half of what it says of them.
        let llr = ((sum - best) / 2.0).min(self.config.server_max);
        let llr = if llr < REPORT_MIN { 0.0 } else { llr };
        let (most, many) = (self.config.server_max, suspects.len() as u64);
        let speaks = self.hosts.update(server, true, Host::default, |host| {
            host.served
                .as_mut()
                .is_some_and(|served| served.gate.opens(llr, most, many) || served.gate.sinks(llr))
        });
        if speaks {
            out.push(of_server(server, &suspects, (ts, llr)));
        }
    }
}

impl Detector for Relay {
    fn id(&self) -> &'static str {
        Self::ID
    }

    fn on_event(&mut self, event: &Sight<'_>, inventory: &Inventory, out: &mut Vec<Evidence>) {
        match (&event.body, &event.conversation) {
            (Body::Record(record), Some(talk)) => {
                if let Record::Http(http) = &**record
                    && exchange::is_answered_question(http)
                {
                    self.on_answer(talk, event.ts, true, inventory);
                    self.weigh(talk.client.addr, event.ts, inventory, out);
                }
                return;
            }
            (Body::Conn(conn), Some(talk)) => {
                return self.on_conn((event.ts, talk, conn), inventory, out);
            }
            _ => {}
        }
        let Some(attempt) = event.attempt() else { return };
        let is_inside =
            attempt.direction == Direction::Internal && attempt.service.transport == Transport::Tcp;
        if is_inside {
            self.on_contact(attempt, inventory, out);
        }
    }

    fn prefetch(&self, talk: &Conversation, what: Fetch) {
        if talk.transport == Transport::Tcp {
            self.hosts.prefetch(&talk.client.addr, what);
            self.hosts.prefetch(&talk.server.addr, what);
        }
    }

    fn state_bytes(&self) -> usize {
        self.hosts.bytes()
    }
}

impl Served {
    fn since(at: Timestamp) -> Self {
        Self { since: at, askers: Vec::new(), unentered: 0, gate: Gate::default() }
    }
}

impl Weigh for Host {
    fn heap_bytes(&self) -> usize {
        let served = self.served.as_ref().map_or(0, |served| {
            size_of::<Served>() + served.askers.capacity() * size_of::<IpAddr>()
        });
        self.met.heap_bytes()
            + self.acts.heap_bytes()
            + self.entries.capacity() * size_of::<Entry>()
            + self.asked.capacity() * size_of::<Asked>()
            + served
    }
}

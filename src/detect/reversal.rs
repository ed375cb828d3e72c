//! `propagation.reversal`: a host that was entered calls whoever entered it, for the first time.
//!
//! A victim fetches its copy, reports, asks its parent's model, or lets itself be steered: the edge
//! turns round (ATT&CK T1105, T1090). Honest hosts do so too, and out of habit: agents call the server
//! that installed them, FTP's active mode and a print spooler call their clients; peers call each other
//! on one and the same service, which is left out. So what counts is how seldom it happens here. After `n` hosts that it entered, of which `r` called back, an intruder's
//! next one does with probability `(r + a·ρ) / (n + a)`, and likewise a victim calls the next one that
//! enters it; `ρ` is the network's share, with half a pair more that might have (Krichevsky and Trofimov
//! 1981), without the calls that are evidence: an outbreak does not make itself usual. How many call the service without having been entered says the same of servers.
//!
//! Time tells chance from consequence. Under a worm of unknown pace each factor of the lag from a
//! millisecond to two weeks is as likely (log-uniform, as in `propagation.turn`); so it is for a habit;
//! while a host that calls by chance begins at any moment of the time that it is known. With `w` for
//! the logarithm of the former density over the latter, the weight is
//! `ln θ − ln(max(habits, popularity) + ρ·e^−w)`.

use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::attempt::Attempt;
use super::report::{Gate, REPORT_MIN, spoken};
use super::seen::{Seen, peer_hash};
use super::services::Class;
use super::{Detector, Evidence, Family, Sight};
use crate::config::units::{self, ByteSize};
use crate::event::{Body, Conn, Conversation};
use crate::inventory::{Fetch, Inventory, Role, Table, Weigh};
use crate::net::{Service, Transport};
use crate::time::Timestamp;

/// When a call back is worth a word.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The share of a worm's victims that call their intruder.
    #[serde(deserialize_with = "units::odds")]
    pub worm_share: f64,
    /// How many pairs of its own outweigh what is known of the network.
    #[serde(deserialize_with = "units::amount")]
    pub prior_pairs: f64,
    /// The most nats that the time since the entry adds or takes away.
    #[serde(deserialize_with = "units::nats")]
    pub lag_max: f64,
    /// The most nats for having called at all...
    #[serde(deserialize_with = "units::nats")]
    pub call_max: f64,
    /// ... and those for each of three things more: that it lasts, that it repeats, that it fetches
    /// something.
    #[serde(deserialize_with = "units::nats")]
    pub more: f64,
    /// How long a call lasts at least that lasts.
    #[serde(with = "units::span")]
    pub lasts: Duration,
    /// How many calls repeat.
    #[serde(deserialize_with = "units::count")]
    pub repeats: u32,
    /// Bytes that the intruder sends at least where something is fetched.
    pub fetched: ByteSize,
    /// Peers remembered that a host called, at least.
    #[serde(deserialize_with = "units::count")]
    pub peers_max: usize,
    /// Bytes for all hosts, and half as many for pairs of them; what was used least recently is forgotten
    /// first.
    #[serde(deserialize_with = "units::budget")]
    pub budget: ByteSize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            worm_share: 0.5,
            prior_pairs: 2.0,
            lag_max: 3.0,
            call_max: 3.0,
            more: 0.5,
            lasts: Duration::from_secs(10 * 60),
            repeats: 5,
            fetched: ByteSize(4096),
            peers_max: 128,
            budget: ByteSize::mib(16),
        }
    }
}

/// From the fastest worm's lag to the slowest's (two weeks) there are so many factors of e.
const LAGS: f64 = 21.0;
/// The fastest worm's lag.
const LAG_MIN: f64 = 1e-3;
/// Calls back remembered of one host on either side, to weigh again when habits show.
const CALLS_MAX: usize = 16;

/// Pairs of which one host entered the other, and those among them that turned round.
#[derive(Clone, Copy, Debug, Default)]
struct Pairs {
    entered: f64,
    reversed: f64,
}

impl Pairs {
    /// The share that turns round, without the pair in question, where others show `usual`.
    fn share(self, usual: f64, prior: f64) -> f64 {
        let (others, prior) = ((self.entered - 1.0).max(0.0), prior.max(0.01));
        ((self.reversed - 1.0).max(0.0) + prior * usual) / (others + prior)
    }
}

/// One host: whom it called, and what its pairs do.
#[derive(Debug, Default)]
struct Side {
    called: Seen,
    /// As an intruder, and who called it back.
    intruder: Pairs,
    callers: Vec<IpAddr>,
    /// As a victim, and whom it called back.
    victim: Pairs,
    answered: Vec<IpAddr>,
    gate: Gate,
}

/// A victim and its intruder.
#[derive(Clone, Copy, Debug)]
struct Pair {
    /// When it was entered last, how often in all, and through what first.
    entered: Timestamp,
    entries: u32,
    service: Service,
    call: Option<Call>,
}

/// A call back.
#[derive(Clone, Copy, Debug)]
struct Call {
    at: Timestamp,
    talk: Conversation,
    /// Nats for when it came.
    lag: f64,
    /// The share of the network's hosts that call the service without having been entered.
    popularity: f64,
    times: u32,
    lasted: bool,
    fetched: bool,
}

/// Victim, then intruder.
type Ends = (IpAddr, IpAddr);

/// The detector.
#[derive(Debug)]
pub struct Reversal {
    config: Config,
    hosts: Table<IpAddr, Side>,
    pairs: Table<Ends, Pair>,
    /// Of the network; of each intruder and victim only the first call back, for more are a habit, and
    /// only if it is no evidence.
    network: Pairs,
}

impl Reversal {
    /// The detector's id.
    pub const ID: &'static str = "propagation.reversal";

    /// A detector that has seen nothing.
    pub fn new(config: &Config) -> Self {
        Self {
            hosts: Table::new(config.budget.0),
            pairs: Table::new(config.budget.0 / 2),
            network: Pairs::default(),
            config: config.clone(),
        }
    }

    /// Takes that a client was let in: that may be a call back, an entry, or neither.
    fn on_contact(&mut self, attempt: &Attempt, inventory: &Inventory, out: &mut Vec<Evidence>) {
        let (src, dst) = (attempt.src, attempt.dst);
        let calls = (src, dst);
        if is_callback(&attempt.conversation) {
            return;
        }
        if self.pairs.peek(&calls).is_some_and(|pair| pair.service != attempt.service) {
            self.call_back(attempt, inventory);
            self.weigh(calls, attempt.ts, inventory, out);
        }
        let is_own = inventory.is_internal(src);
        let max = self.config.peers_max;
        let is_first = self
            .hosts
            .update(src, is_own, Side::default, |side| side.called.insert(peer_hash(dst), max));
        let is_entry = is_first || attempt.class == Class::Admin;
        let entered = (dst, src);
        if !is_entry || !inventory.is_internal(dst) {
            return;
        }
        if self.pairs.peek(&entered).is_some() {
            self.pairs.update(entered, is_own, || Pair::at(attempt), |pair| pair.again(attempt));
            return;
        }
        // Whoever called first is answered, not entered.
        let calls_it = |side: &Side| side.called.contains(peer_hash(src));
        if self.hosts.peek(&dst).is_some_and(calls_it) || inventory.has_role(dst, Role::P2pPeer) {
            return;
        }
        self.pairs.update(entered, is_own, || Pair::at(attempt), |_| ());
        self.network.entered += 1.0;
        self.hosts.update(src, is_own, Side::default, |side| side.intruder.entered += 1.0);
        self.hosts.update(dst, true, Side::default, |side| side.victim.entered += 1.0);
    }

    /// Takes that the victim called, if not for the first time.
    fn call_back(&mut self, attempt: &Attempt, inventory: &Inventory) {
        let (victim, intruder) = (attempt.src, attempt.dst);
        let is_own = inventory.is_internal(intruder);
        let callers = self.hosts.peek(&intruder).map_or(0, |side| side.callers.len());
        let known_for = inventory
            .host(victim)
            .map_or(Duration::ZERO, |host| attempt.start.since(host.first_seen));
        let most = self.config.lag_max;
        let is_first = self.pairs.update(
            (victim, intruder),
            is_own,
            || Pair::at(attempt),
            |pair| {
                if let Some(call) = &mut pair.call {
                    call.times = call.times.saturating_add(1);
                    return false;
                }
                let clients = inventory.clients_of(intruder, attempt.service) as usize;
                let hosts = inventory.own_hosts() as f64 + 1.0;
                pair.call = Some(Call {
                    at: attempt.start,
                    talk: attempt.conversation,
                    lag: pair.lag_nats(attempt.start, known_for).clamp(-most, most),
                    popularity: clients.saturating_sub(callers) as f64 / hosts,
                    times: 1,
                    lasted: false,
                    fetched: false,
                });
                true
            },
        );
        if !is_first {
            return;
        }
        let note = |pairs: &mut Pairs, peers: &mut Vec<IpAddr>, peer| {
            pairs.reversed += 1.0;
            if peers.len() < CALLS_MAX {
                peers.push(peer);
            }
            pairs.reversed
        };
        let of_intruder = self.hosts.update(intruder, is_own, Side::default, |side| {
            note(&mut side.intruder, &mut side.callers, victim)
        });
        let of_victim = self.hosts.update(victim, true, Side::default, |side| {
            note(&mut side.victim, &mut side.answered, intruder)
        });
        let is_habit = of_intruder > 1.5 || of_victim > 1.5;
        let side = self.hosts.peek(&victim);
        let call = self.pairs.peek(&(victim, intruder)).and_then(|pair| pair.call);
        let nats = side.zip(call).map_or(0.0, |(side, call)| self.nats(side, intruder, &call));
        if !is_habit && nats < REPORT_MIN {
            self.network.reversed += 1.0;
        }
    }

    /// Weighs a victim and, because its call tells of the intruder's habits, those before it.
    fn weigh(&mut self, of: Ends, now: Timestamp, inventory: &Inventory, out: &mut Vec<Evidence>) {
        let (victim, intruder) = of;
        self.report(victim, now, inventory, out);
        let callers = self.hosts.peek(&intruder).map_or_else(Vec::new, |side| side.callers.clone());
        for caller in callers.into_iter().filter(|caller| *caller != victim) {
            self.report(caller, now, inventory, out);
        }
    }

    /// Says what is to be said of a victim: of the call that weighs most, if that changed.
    fn report(
        &mut self,
        victim: IpAddr,
        now: Timestamp,
        inventory: &Inventory,
        out: &mut Vec<Evidence>,
    ) {
        let Some(side) = self.hosts.peek(&victim) else { return };
        let calls = side.answered.iter().filter_map(|intruder| {
            let pair = self.pairs.peek(&(victim, *intruder))?;
            let call = pair.call?;
            Some((self.nats(side, *intruder, &call), *intruder, pair.entered, call))
        });
        // Of equals the first.
        let best = calls.reduce(|best, call| if call.0 > best.0 { call } else { best });
        let Some((llr, intruder, entered, call)) = best else { return };
        let llr = if llr < REPORT_MIN { 0.0 } else { llr };
        let most = 3.0f64.mul_add(self.config.more, self.config.call_max);
        let many = side.answered.len() as u64;
        let speaks = self.hosts.update(victim, true, Side::default, |side| {
            side.gate.opens(llr, most, many) || side.gate.sinks(llr)
        });
        if speaks {
            let is_own = inventory.is_internal(intruder);
            out.push(evidence((victim, intruder, is_own), now, llr, entered, &call, many));
        }
    }

    /// The weight of one call back.
    fn nats(&self, side: &Side, intruder: IpAddr, call: &Call) -> f64 {
        let config = &self.config;
        let network = (self.network.reversed + 0.5) / (self.network.entered + 1.0);
        let share = |pairs: Pairs| pairs.share(network, config.prior_pairs);
        let theirs = self.hosts.peek(&intruder).map_or(0.0, |other| share(other.intruder));
        let habit = theirs.max(share(side.victim)).max(call.popularity);
        let chance = network * (-call.lag).exp();
        let nats = (config.worm_share.ln() - (habit + chance).ln()).min(config.call_max);
        // What comes no sooner than by chance is no consequence.
        if nats <= 0.0 || call.lag <= 0.0 {
            return 0.0;
        }
        let more = [call.lasted, call.times >= config.repeats, call.fetched];
        let more = more.into_iter().filter(|is_so| *is_so).count() as f64;
        more.mul_add(config.more, nats)
    }

    /// Takes what became of a call back.
    fn on_conn(&mut self, talk: &Conversation, conn: &Conn, inventory: &Inventory) -> Option<Ends> {
        let ends = (talk.client.addr, talk.server.addr);
        self.pairs.peek(&ends)?.call?;
        let lasted = conn.duration >= self.config.lasts;
        let fetched = conn.server.bytes >= self.config.fetched.0 as u64;
        if !(lasted || fetched) {
            return None;
        }
        let is_own = inventory.is_internal(ends.1);
        let known = *self.pairs.peek(&ends)?;
        self.pairs.update(
            ends,
            is_own,
            || known,
            |pair| {
                if let Some(call) = &mut pair.call {
                    call.lasted |= lasted;
                    call.fetched |= fetched;
                }
            },
        );
        Some(ends)
    }
}

impl Detector for Reversal {
    fn id(&self) -> &'static str {
        Self::ID
    }

    fn on_event(&mut self, event: &Sight<'_>, inventory: &Inventory, out: &mut Vec<Evidence>) {
        if let (Body::Conn(conn), Some(talk)) = (&event.body, &event.conversation) {
            if let Some(ends) = self.on_conn(talk, conn, inventory) {
                self.weigh(ends, event.ts, inventory, out);
            }
            return;
        }
        let Some(attempt) = event.attempt() else { return };
        // A datagram's source may be forged, and who asks whom is hard to tell.
        let is_pair = attempt.is_accepted()
            && attempt.service.transport == Transport::Tcp
            && (inventory.is_internal(attempt.src) || inventory.is_internal(attempt.dst));
        if is_pair {
            self.on_contact(attempt, inventory, out);
        }
    }

    fn prefetch(&self, talk: &Conversation, what: Fetch) {
        if talk.transport == Transport::Tcp {
            self.hosts.prefetch(&talk.client.addr, what);
            self.pairs.prefetch(&(talk.client.addr, talk.server.addr), what);
        }
    }

    fn state_bytes(&self) -> usize {
        self.hosts.bytes() + self.pairs.bytes()
    }
}

impl Pair {
    const fn at(attempt: &Attempt) -> Self {
        Self { entered: attempt.start, entries: 1, service: attempt.service, call: None }
    }

    /// Takes that it was entered again.
    const fn again(&mut self, attempt: &Attempt) {
        if self.call.is_none() {
            self.entered = attempt.start;
            self.entries = self.entries.saturating_add(1);
        }
    }

    /// Nats for a call at this moment, so soon after the last entry: the density of the lag under a worm
    /// of unknown pace over that of a host which begins at any moment of the time that it is known, of
    /// which each entry has its share.
    fn lag_nats(&self, at: Timestamp, known_for: Duration) -> f64 {
        let lag = at.since(self.entered).as_secs_f64().max(LAG_MIN);
        let share = known_for.as_secs_f64().max(LAG_MIN) / f64::from(self.entries);
        (share / (LAGS * lag)).ln()
    }
}

/// Whether a protocol's server calls its client like that, whoever that is: FTP's active mode from
/// port 20 (RFC 959, section 3.2), identification (RFC 1413), and displays of X11.
fn is_callback(talk: &Conversation) -> bool {
    talk.client.port == 20 || matches!(talk.server.port, 113 | 6000..=6063)
}

fn evidence(
    (victim, intruder, is_own): (IpAddr, IpAddr, bool),
    ts: Timestamp,
    llr: f64,
    entered: Timestamp,
    call: &Call,
    many: u64,
) -> Evidence {
    let more = [
        (call.lasted, ", for long"),
        (call.times > 1, ", repeatedly"),
        (call.fetched, ", and fetched something"),
    ];
    let more: String = more.into_iter().filter(|(is_so, _)| *is_so).map(|(_, text)| text).collect();
    Evidence {
        ts,
        host: victim,
        detector: Reversal::ID,
        family: Family::Causality,
        llr,
        subject: "call back".to_owned(),
        peers: vec![intruder],
        peers_total: many,
        service: Some(call.talk.service()),
        techniques: if is_own { &["T1090", "T1105"] } else { &["T1105"] },
        conns: vec![call.talk],
        forgeable: false,
        summary: format!(
            "called {intruder} for the first time, {} after being entered by it{more}; hosts of this \
             network seldom do",
            spoken(call.at.since(entered)),
        ),
    }
}

impl Weigh for Side {
    fn heap_bytes(&self) -> usize {
        let listed = self.callers.capacity() + self.answered.capacity();
        self.called.heap_bytes() + listed * size_of::<IpAddr>()
    }
}

impl Weigh for Pair {}

#[cfg(test)]
mod tests;

//! `novelty.edge`: a host reaches an administration service of another for the first time.
//!
//! Who administers whom hardly changes, so a first edge says something; how much depends on how often
//! this client makes new ones, how often this server gets new ones, and what hosts of the client's
//! role do (Neil et al., "Scan Statistics for the Online Detection of Locally Anomalous Subgraphs",
//! Technometrics 2013, model the rate of new edges of the source and of the destination). New edges
//! of a benign host are a Poisson process whose rate is unknown: with a Gamma prior, `a` edges in
//! `a / r` days, and `n` edges seen in `t` days, its mean is `(n + a) / (t + a / r)`. The prior's rate
//! `r` is what the hosts of the role have shown, by the same formula. An edge weighs the logarithm of
//! a worm's rate over that, for the client or for the server, whichever is less: what everybody
//! calls, or who calls everybody, is no news. With no days seen this is next to nothing, so there is
//! no training phase and no early noise.
//!
//! It is weak on purpose. Many new edges at once are the business of `scan.slow`; this detector falls
//! silent there, because both speak of the same novelty.

use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::attempt::Attempt;
use super::report::{Gate, Sample};
use super::seen::{Seen, edge_hash};
use super::services::{Class, Direction};
use super::{Detector, Evidence, Family, Sight};
use crate::config::units::{self, ByteSize};
use crate::inventory::{Inventory, Role, Table, Weigh};
use crate::net::{Service, Transport};
use crate::time::Timestamp;

/// When a first edge is worth a word.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// New edges a day of a host that a worm has entered. The slow, adaptive ones try some hosts
    /// for each that they enter, and enter one every eight hours.
    #[serde(deserialize_with = "units::amount")]
    pub worm_daily: f64,
    /// New edges a day of a host of which nothing is known, nor of others like it.
    #[serde(deserialize_with = "units::amount")]
    pub usual_daily: f64,
    /// How many edges of its own outweigh what is known of others like it.
    #[serde(deserialize_with = "units::amount")]
    pub prior_edges: f64,
    /// Packet time after which what was learned counts for half.
    #[serde(with = "units::span")]
    pub half_life: Duration,
    /// Share of the logarithm that an edge is given: edges of one host are not independent, a new
    /// task brings several.
    #[serde(deserialize_with = "units::share")]
    pub share: f64,
    /// Nats that every host is forgiven.
    #[serde(deserialize_with = "units::nats")]
    pub forgiven: f64,
    /// Packet time after which an edge weighs half.
    #[serde(with = "units::span")]
    pub fades: Duration,
    /// The most nats of one host for a few edges...
    #[serde(deserialize_with = "units::nats")]
    pub llr_max: f64,
    /// ... at most as many as this; with twice as many ...
    #[serde(deserialize_with = "units::amount")]
    pub few: f64,
    /// ... it is no more than this, so that together with `scan.slow` novelty alone stays below a
    /// suspicion.
    #[serde(deserialize_with = "units::nats")]
    pub llr_many: f64,
    /// Edges remembered for one client, at least.
    #[serde(deserialize_with = "units::count")]
    pub edges_max: usize,
    /// Bytes for all clients, and half as many for all servers; who was active least recently is
    /// forgotten first.
    #[serde(deserialize_with = "units::budget")]
    pub budget: ByteSize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            worm_daily: 6.0,
            usual_daily: 4.0,
            prior_edges: 2.0,
            half_life: Duration::from_secs(7 * 86_400),
            share: 0.5,
            forgiven: 0.5,
            fades: Duration::from_secs(86_400),
            llr_max: 3.0,
            few: 6.0,
            llr_many: 0.8,
            edges_max: 128,
            budget: ByteSize::mib(16),
        }
    }
}

/// How many new edges in how much time; both fade, so it is a rate of late.
#[derive(Clone, Copy, Debug, Default)]
struct Rate {
    edges: f64,
    days: f64,
}

impl Rate {
    /// Lets `elapsed` pass without a new edge.
    fn pass(&mut self, elapsed: Duration, half_life: Duration) {
        let kept = (-elapsed.as_secs_f64() / half_life.as_secs_f64()).exp2();
        self.edges *= kept;
        self.days = self.days * kept + days(elapsed, half_life);
    }

    /// New edges a day to be expected, where those like it have `usual`.
    fn daily(self, usual: f64, prior_edges: f64) -> f64 {
        let usual = usual.max(0.01);
        (self.edges + prior_edges) / (self.days + prior_edges / usual)
    }
}

/// Days that `elapsed` counts for when it fades as it passes: the integral of what is kept.
fn days(elapsed: Duration, half_life: Duration) -> f64 {
    let life = half_life.as_secs_f64() / std::f64::consts::LN_2;
    life * (1.0 - (-elapsed.as_secs_f64() / life).exp()) / 86_400.0
}

/// One end of edges: what it does as a client, or as a server.
#[derive(Clone, Copy, Debug)]
struct End {
    rate: Rate,
    last: Timestamp,
}

impl End {
    /// An end that was seen since `since`, and had no edge until now.
    fn new(since: Timestamp, now: Timestamp, half_life: Duration) -> Self {
        let rate = Rate { edges: 0.0, days: days(now.since(since), half_life) };
        Self { rate, last: now }
    }

    fn pass(&mut self, now: Timestamp, half_life: Duration) {
        self.rate.pass(now.since(self.last), half_life);
        self.last = self.last.max(now);
    }
}

#[derive(Debug)]
struct Client {
    end: End,
    edges: Seen,
    /// Nats of its new edges, and how many they are; both fade.
    height: f64,
    fresh: f64,
    sample: Sample,
    gate: Gate,
}

/// The roles whose hosts are compared with each other, in order of precedence; the last pool is for
/// everybody else.
const POOLS: [Role; 5] =
    [Role::Monitor, Role::Gateway, Role::DomainController, Role::FileServer, Role::Workstation];

/// The detector.
#[derive(Debug)]
pub struct Edge {
    config: Config,
    clients: Table<IpAddr, Client>,
    servers: Table<(IpAddr, Service), End>,
    /// Of the clients of each role.
    pools: [Rate; POOLS.len() + 1],
    /// Of all servers.
    served: Rate,
}

impl Edge {
    /// The detector's id.
    pub const ID: &'static str = "novelty.edge";

    /// A detector that has seen nothing.
    pub fn new(config: &Config) -> Self {
        Self {
            clients: Table::new(config.budget.0),
            servers: Table::new(config.budget.0 / 2),
            pools: Default::default(),
            served: Rate::default(),
            config: config.clone(),
        }
    }

    /// Takes a new edge of `attempt.dst`; returns the rate that was to be expected before.
    fn at_server(&mut self, attempt: &Attempt, inventory: &Inventory) -> f64 {
        let config = &self.config;
        let make = || {
            End::new(first_seen(attempt.dst, attempt.ts, inventory), attempt.ts, config.half_life)
        };
        let served = &mut self.served;
        let usual = served.daily(config.usual_daily, config.prior_edges);
        self.servers.update((attempt.dst, attempt.service), true, make, |end| {
            let before = end.rate.days;
            end.pass(attempt.ts, config.half_life);
            served.learn((end.rate.days - before).max(0.0));
            let daily = end.rate.daily(usual, config.prior_edges);
            end.rate.edges += 1.0;
            daily
        })
    }
}

impl Rate {
    /// Takes what one more edge of one of many shows: that it was made, and after how long.
    fn learn(&mut self, days: f64) {
        self.edges += 1.0;
        self.days += days;
        // Of late: a thousand edges are enough to know, and older ones make room.
        if self.edges > 1000.0 {
            self.edges *= 0.5;
            self.days *= 0.5;
        }
    }
}

impl Detector for Edge {
    fn id(&self) -> &'static str {
        Self::ID
    }

    fn on_event(&mut self, event: &Sight<'_>, inventory: &Inventory, out: &mut Vec<Evidence>) {
        let Some(attempt) = event.attempt() else { return };
        if attempt.class != Class::Admin
            || attempt.direction != Direction::Internal
            || !attempt.is_accepted()
        {
            return;
        }
        let hash = edge_hash(attempt.dst, attempt.service);
        if self.clients.peek(&attempt.src).is_some_and(|client| client.edges.contains(hash)) {
            return;
        }
        let served_daily = self.at_server(attempt, inventory);
        let config = &self.config;
        let pool = POOLS
            .iter()
            .position(|role| inventory.has_role(attempt.src, *role))
            .unwrap_or(POOLS.len());
        let Some(pool) = self.pools.get_mut(pool) else { return };
        let usual = pool.daily(config.usual_daily, config.prior_edges);
        let make = || Client {
            end: End::new(
                first_seen(attempt.src, attempt.ts, inventory),
                attempt.ts,
                config.half_life,
            ),
            edges: Seen::default(),
            height: 0.0,
            fresh: 0.0,
            sample: Sample::default(),
            gate: Gate::default(),
        };
        out.extend(self.clients.update(attempt.src, true, make, |client| {
            client.edges.insert(hash, config.edges_max);
            let (before, last) = (client.end.rate.days, client.end.last);
            client.end.pass(attempt.ts, config.half_life);
            pool.learn((client.end.rate.days - before).max(0.0));
            let daily = client.end.rate.daily(usual, config.prior_edges);
            client.end.rate.edges += 1.0;
            let surprise = (config.worm_daily / daily.max(served_daily)).ln().max(0.0);
            client.note(attempt, attempt.ts.since(last), surprise * config.share, config);
            client.evidence(attempt, config)
        }));
    }

    fn state_bytes(&self) -> usize {
        self.clients.bytes() + self.servers.bytes()
    }
}

/// Since when `addr` is known; not at all if it never sent anything.
fn first_seen(addr: IpAddr, now: Timestamp, inventory: &Inventory) -> Timestamp {
    inventory.host(addr).map_or(now, |host| host.first_seen)
}

impl Client {
    fn note(&mut self, attempt: &Attempt, elapsed: Duration, nats: f64, config: &Config) {
        let kept = (-elapsed.as_secs_f64() / config.fades.as_secs_f64()).exp2();
        self.height = self.height * kept + nats;
        self.fresh = self.fresh * kept + 1.0;
        if self.fresh < 1.5 {
            self.sample.clear();
        }
        self.sample.add(attempt.dst, Some(attempt.conversation));
    }

    fn llr(&self, config: &Config) -> f64 {
        // Doublings beyond a few: at one, no more than what many are given.
        let beyond = (self.fresh / config.few).log2().clamp(0.0, 1.0);
        let most = config.llr_max - beyond * (config.llr_max - config.llr_many);
        (self.height - config.forgiven).clamp(0.0, most)
    }

    fn evidence(&mut self, attempt: &Attempt, config: &Config) -> Option<Evidence> {
        let llr = self.llr(config);
        let many = self.fresh.round() as u64;
        if !self.gate.opens(llr, config.llr_max, many) && !self.gate.sinks(llr) {
            return None;
        }
        let edges = match many {
            0 | 1 => "an administration service".to_owned(),
            many => format!("{many} administration services"),
        };
        Some(Evidence {
            ts: attempt.ts,
            host: attempt.src,
            detector: Edge::ID,
            family: Family::Novelty,
            llr,
            subject: "edges".to_owned(),
            peers: self.sample.peers(),
            peers_total: many,
            service: Some(attempt.service),
            techniques: &["T1021"],
            conns: self.sample.conns(),
            // A handshake takes both sides; a datagram's source may have been forged.
            forgeable: attempt.service.transport == Transport::Udp,
            summary: format!(
                "reached {edges} for the first time within a day or so, lastly {} on {}; it makes \
                 about {} such contacts a week",
                attempt.service,
                attempt.dst,
                weekly(self.end.rate, many),
            ),
        })
    }
}

/// Contacts a week beside the `fresh` ones, for a sentence.
fn weekly(rate: Rate, fresh: u64) -> String {
    let usual = (rate.edges - fresh as f64).max(0.0) / rate.days.max(1.0) * 7.0;
    if usual < 0.95 { "no".to_owned() } else { format!("{usual:.0}") }
}

impl Weigh for Client {
    fn heap_bytes(&self) -> usize {
        self.edges.heap_bytes() + self.sample.heap_bytes()
    }
}

impl Weigh for End {}

#[cfg(test)]
mod tests {
    use super::super::testing::{Stage, tcp, udp};
    use super::*;
    use crate::event::Event;

    const HOUR: f64 = 3600.0;
    const DAY: f64 = 86_400.0;
    const CLIENT: &str = "10.0.0.7";

    fn stage() -> Stage<Edge> {
        Stage::new(Edge::new(&Config::default()))
    }

    /// Ten workstations that use one file server from the first day on, and a server of each
    /// administrator's own.
    fn office(days: u32) -> impl Iterator<Item = Event> {
        (0..days * 4).flat_map(|quarter| {
            (1..=10).flat_map(move |n| {
                let host = format!("10.0.0.{n}");
                let at = f64::from(quarter) * 6.0 * HOUR + f64::from(n) * 60.0;
                let other = format!("10.0.3.{n}");
                [
                    tcp(&host, "10.0.1.5", 445).at(at).accepted(),
                    udp(&host, "10.0.1.53", 53).at(at + 1.0).accepted(),
                    tcp("10.0.9.9", &other, 22).at(at + 2.0).accepted(),
                ]
            })
        })
    }

    fn edges(count: u32, from: f64, gap: f64) -> impl Iterator<Item = Event> {
        (1..=count).map(move |n| {
            tcp(CLIENT, &format!("10.0.3.{n}"), 3389).at(from + f64::from(n) * gap).accepted()
        })
    }

    #[test]
    fn mentions_a_workstation_that_takes_to_administration_after_ten_days() {
        let mut stage = stage();
        stage.play(office(10));

        stage.play(edges(4, 10.0 * DAY, HOUR));

        assert!(stage.weight(CLIENT) > 2.0, "{}", stage.weight(CLIENT));
        let last = stage.last(CLIENT);
        assert_eq!((last.family, last.forgeable), (Family::Novelty, false));
        assert!(last.summary.contains("for the first time"), "{}", last.summary);
    }

    #[test]
    fn says_less_while_it_knows_little() {
        let weight = |days: u32| {
            let mut stage = stage();
            stage.play(office(days));
            stage.play(edges(4, f64::from(days) * DAY, HOUR));
            stage.weight(CLIENT)
        };

        assert!(weight(14) > 2.0);
        assert!(weight(1) < 0.1, "{}", weight(1));
        assert!(weight(0) < 0.1);
    }

    #[test]
    fn never_convicts_and_leaves_many_edges_to_others() {
        let mut stage = stage();
        stage.play(office(10));

        stage.play(edges(60, 10.0 * DAY, 5.0));

        let most = stage.said.iter().map(|evidence| evidence.llr).fold(0.0, f64::max);
        assert!(most <= 3.0, "{most}");
        assert!(stage.weight(CLIENT) <= 0.9, "{}", stage.weight(CLIENT));
    }

    #[test]
    fn ignores_a_server_that_everybody_takes_to() {
        let mut stage = stage();
        stage.play(office(10));

        stage.play((1..=10).map(|n| {
            tcp(&format!("10.0.0.{n}"), "10.0.1.6", 445)
                .at(10.0 * DAY + f64::from(n) * HOUR)
                .accepted()
        }));

        stage.assert_silent();
    }

    #[test]
    fn ignores_an_administrator_who_gets_to_know_two_hosts_a_day() {
        let mut stage = stage();
        stage.play(office(14));

        stage.play((1..=28).map(|n| {
            tcp("10.0.9.9", &format!("10.0.4.{n}"), 22).at(f64::from(n) * DAY / 2.0).accepted()
        }));
        stage.play([
            tcp("10.0.9.9", "10.0.4.100", 22).at(14.2 * DAY).accepted(),
            tcp("10.0.9.9", "10.0.4.101", 22).at(14.3 * DAY).accepted(),
        ]);

        stage.assert_silent();
    }

    #[test]
    fn ignores_what_fails_and_what_lies_outside() {
        let mut stage = stage();
        stage.play(office(10));

        for n in 1..20 {
            let at = 10.0 * DAY + f64::from(n) * HOUR;
            stage.play([
                tcp(CLIENT, &format!("10.0.3.{n}"), 3389).at(at).refused(),
                tcp(CLIENT, &format!("198.51.100.{n}"), 22).at(at).accepted(),
                tcp(CLIENT, &format!("10.0.3.{n}"), 443).at(at).accepted(),
            ]);
        }

        stage.assert_silent();
    }
}

//! `scan.horizontal`: one source that tries one service, or any, on many hosts, and mostly fails.
//!
//! Threshold Random Walk (Jung, Paxson, Berger, Balakrishnan: "Fast Portscan Detection Using
//! Sequential Hypothesis Testing", 2004) over a source's *first* contacts, with the reverse test of
//! Schechter, Jung and Berger ("Fast Detection of Scanning Worm Infections", 2004), see
//! [`super::walk`]. Both papers knew a network where four first contacts of five succeed. Today's
//! does not look like that everywhere: browsers race IPv6 against IPv4 and give up on half, and
//! P2P peers are mostly gone. So what a failure is worth depends on the direction and the service,
//! and for services on arbitrary ports it counts only where the targets lie side by side, as a
//! sweep's do and as peers' do not.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::attempt::Attempt;
use super::report::{Gate, Sample, spoken};
use super::seen::{Seen, edge_hash, peer_hash};
use super::services::{Class, Direction, class};
use super::walk::{Odds, Walk};
use super::{Detector, Evidence, Family, Sight};
use crate::config::units::{self, ByteSize};
use crate::event::{Conversation, Opening, Outcome};
use crate::inventory::{Fetch, Inventory, Table, Weigh, mix, neighbourhood, stable_hash};
use crate::net::{Service, Transport};
use crate::time::Timestamp;

/// When failing first contacts are a scan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Odds for ways in, and for everything that stays or comes inside. Jung et al. 2004,
    /// section 4: θ0 = 0.8, θ1 = 0.2.
    pub targeted: Odds,
    /// Odds for web servers outside: a page calls dozens, and trackers and dead links fail.
    pub web: Odds,
    /// Odds for other well-known services outside.
    pub common: Odds,
    /// Odds for what clients try beside something else: IPv6 (RFC 8305) and QUIC outside. A network
    /// where either is broken or blocked fails nearly always, and clients try anyway.
    pub raced: Odds,
    /// Failures that every host is forgiven: a printer that is off, a share that moved.
    #[serde(deserialize_with = "units::amount")]
    pub forgiven: f64,
    /// Nats to which failing web and other everyday calls outside can add up, as long as there
    /// are few: an uplink that is down makes all of them fail.
    #[serde(deserialize_with = "units::nats")]
    pub everyday_cap: f64,
    /// Failing web hosts from which this cap is raised, by two nats for each doubling.
    #[serde(deserialize_with = "units::count")]
    pub everyday_many: u32,
    /// What an everyday failure counts, of one, while nobody outside was heard for a minute: the
    /// uplink is down.
    #[serde(deserialize_with = "units::share")]
    pub uplink_down_weight: f64,
    /// How many more hosts of one /24 (IPv6: /64) must have failed than answered on one service for
    /// the next ones to count in full, whatever the port.
    #[serde(deserialize_with = "units::count")]
    pub dense_from: u8,
    /// What a failure counts, of one, on a host that was called on another service before: the
    /// test is about first contacts with *hosts*, and a host that is off is off on all ports.
    pub acquainted_weight: f64,
    /// What a failure counts, of one, on a service that the host is known to have offered to
    /// somebody: that is an outage sooner than a guess.
    pub offered_weight: f64,
    /// What a stray ACK or FIN counts, of one, that is refused: mostly the end of a connection that
    /// began before, but not on dozens of hosts.
    pub stray_refused_weight: f64,
    /// What one counts on a way in that is not answered, among neighbours.
    pub stray_silent_weight: f64,
    /// Hosts first called within one second from which calls that the end of the input cut off
    /// count half, however short the wait: nobody needs so many at once. The web is exempt.
    #[serde(deserialize_with = "units::count")]
    pub burst: u32,
    /// The same for ways in, which people and tools open a few at a time.
    #[serde(deserialize_with = "units::count")]
    pub burst_admin: u32,
    /// The most nats for one subject.
    #[serde(deserialize_with = "units::nats")]
    pub llr_max: f64,
    /// First contacts remembered for one source, at least.
    #[serde(deserialize_with = "units::count")]
    pub contacts_max: usize,
    /// Services watched for one source; the one with the lowest walk makes room.
    #[serde(deserialize_with = "units::count")]
    pub services_max: usize,
    /// Bytes for all sources; the outsider that was active least recently is forgotten first.
    #[serde(deserialize_with = "units::budget")]
    pub budget: ByteSize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            targeted: Odds { benign: 0.8, scanner: 0.2 },
            web: Odds { benign: 0.6, scanner: 0.2 },
            common: Odds { benign: 0.5, scanner: 0.2 },
            raced: Odds { benign: 0.3, scanner: 0.2 },
            forgiven: 1.75,
            everyday_cap: 3.0,
            everyday_many: 32,
            uplink_down_weight: 0.25,
            dense_from: 3,
            acquainted_weight: 0.25,
            offered_weight: 0.15,
            stray_refused_weight: 0.5,
            stray_silent_weight: 0.25,
            burst: 16,
            burst_admin: 6,
            llr_max: 10.0,
            contacts_max: 512,
            services_max: 15,
            budget: ByteSize::mib(32),
        }
    }
}

/// What a walk is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Subject {
    direction: Direction,
    /// `None`: whatever the service.
    service: Option<Service>,
}

#[derive(Debug)]
struct Tried {
    subject: Subject,
    walk: Walk,
    /// The first failure since the walk last stood on the ground.
    since: Timestamp,
    failed: u32,
    succeeded: u32,
    is_everyday: bool,
    /// Whether anybody let it in since: nobody gets that far with a forged address.
    has_talked: bool,
    gate: Gate,
    sample: Sample,
}

#[derive(Debug, Default)]
struct Source {
    seen: Seen,
    tried: Vec<Tried>,
    /// By (service, /24), most recent last: how many hosts more failed there than answered.
    dense: Vec<(u32, u8)>,
    burst_since: Timestamp,
    burst: u32,
    /// What the calls of the burst would have counted more, had one known that it is one.
    owed: f32,
}

/// How far the sensor can trust what it does not see.
#[derive(Clone, Copy, Debug)]
struct View {
    failure_weight: f64,
    outside_is_silent: bool,
}

/// The detector.
#[derive(Debug)]
pub struct Horizontal {
    config: Config,
    sources: Table<IpAddr, Source>,
}

impl Horizontal {
    /// The detector's id.
    pub const ID: &'static str = "scan.horizontal";
    /// Neighbourhoods that are remembered for one source.
    const DENSE_MAX: usize = 16;

    /// A detector that has seen nothing.
    pub fn new(config: &Config) -> Self {
        Self { sources: Table::new(config.budget.0), config: config.clone() }
    }
}

impl Detector for Horizontal {
    fn id(&self) -> &'static str {
        Self::ID
    }

    fn prefetch(&self, talk: &Conversation, what: Fetch) {
        self.sources.prefetch(&talk.client.addr, what);
    }

    fn on_event(&mut self, event: &Sight<'_>, inventory: &Inventory, out: &mut Vec<Evidence>) {
        let Some(attempt) = event.attempt() else { return };
        if attempt.service.transport == Transport::Icmp {
            return; // scan.icmp's
        }
        let view = View {
            failure_weight: inventory.failure_weight(),
            outside_is_silent: inventory.outside_is_silent(attempt.start),
        };
        let is_own = attempt.is_own();
        let config = &self.config;
        self.sources.update(attempt.src, is_own, Source::default, |source| {
            config.weigh(source, attempt, view, out);
        });
    }

    fn state_bytes(&self) -> usize {
        self.sources.bytes()
    }
}

impl Config {
    fn odds(&self, attempt: &Attempt, is_dense: bool) -> Option<(Odds, bool)> {
        let is_outside = matches!(attempt.direction, Direction::Outbound | Direction::Transit);
        match attempt.class {
            Class::Admin => Some((self.targeted, false)),
            // Failures only side by side, successes wherever they are.
            Class::Dynamic if is_dense || attempt.is_accepted() => Some((self.targeted, false)),
            Class::Dynamic => None,
            _ if !is_outside || (is_dense && attempt.class != Class::Web) => {
                Some((self.targeted, false))
            }
            _ if attempt.dst.is_ipv6() => Some((self.raced, true)),
            Class::Web if attempt.service.transport == Transport::Udp => Some((self.raced, true)),
            Class::Web => Some((self.web, true)),
            Class::Common => Some((self.common, true)),
        }
    }

    /// What a failure counts for its first packet, of one.
    fn stray(&self, attempt: &Attempt, is_everyday: bool, is_dense: bool) -> f64 {
        match attempt.opening {
            _ if attempt.is_stealth_probe() => 1.0,
            Opening::Ack | Opening::Fin if is_everyday => 0.0,
            Opening::Ack | Opening::Fin if attempt.outcome == Some(Outcome::Refused) => {
                self.stray_refused_weight
            }
            Opening::Ack | Opening::Fin if is_dense && attempt.class == Class::Admin => {
                self.stray_silent_weight
            }
            Opening::Ack | Opening::Fin => 0.0,
            _ => 1.0,
        }
    }

    fn weigh(&self, source: &mut Source, attempt: &Attempt, view: View, out: &mut Vec<Evidence>) {
        let max = self.contacts_max;
        if !source.seen.insert(edge_hash(attempt.dst, attempt.service), max) {
            return;
        }
        let is_acquainted = !source.seen.insert(peer_hash(attempt.dst), max);
        let failure = source.failure(attempt, view.failure_weight, self);
        let is_dense = source.is_dense(attempt, failure, self.dense_from);
        let Some((odds, is_everyday)) = self.odds(attempt, is_dense) else { return };

        let failure = failure
            * self.stray(attempt, is_everyday, is_dense)
            * if is_acquainted { self.acquainted_weight } else { 1.0 }
            * if attempt.is_offered { self.offered_weight } else { 1.0 }
            * if is_everyday && view.outside_is_silent { self.uplink_down_weight } else { 1.0 };
        let one = Subject { direction: attempt.direction, service: Some(attempt.service) };
        self.step(source, one, attempt, failure, odds, is_everyday);
        out.extend(self.evidence(source, one, attempt));

        let is_scattered = attempt.class == Class::Dynamic && !is_dense;
        let is_first =
            !is_everyday && !is_scattered && source.seen.insert(!peer_hash(attempt.dst), max);
        if is_first {
            let any = Subject { direction: attempt.direction, service: None };
            self.step(source, any, attempt, failure, odds, false);
            out.extend(self.evidence(source, any, attempt));
        }
    }

    fn step(
        &self,
        source: &mut Source,
        subject: Subject,
        attempt: &Attempt,
        failure: f64,
        odds: Odds,
        is_everyday: bool,
    ) {
        if attempt.is_accepted() {
            let tried = source.tried(subject, attempt.start, is_everyday, self.services_max);
            let Some(tried) = tried else { return };
            tried.succeeded = tried.succeeded.saturating_add(1);
            tried.has_talked = true;
            if tried.walk.succeed(odds.success(), attempt.ts) {
                tried.start_again(attempt.start);
            }
        } else if failure > 0.0 {
            let tried = source.tried(subject, attempt.start, is_everyday, self.services_max);
            let Some(tried) = tried else { return };
            tried.failed = tried.failed.saturating_add(1);
            tried.walk.fail(failure * odds.failure(), attempt.ts);
            tried.sample.add(attempt.dst, Some(attempt.conversation));
        }
    }

    /// The weight of a walk: what stands above the forgiven failures, and under the cap of the
    /// everyday ones, of which `told` was used up by others.
    fn llr(&self, tried: &Tried, told: f64) -> f64 {
        let odds = if tried.is_everyday { self.web } else { self.targeted };
        let above = tried.walk.height() - self.forgiven * odds.failure();
        let cap = if tried.is_everyday {
            // A worm may pick web servers at random. Name servers are asked by the hundred anyway.
            let is_web = tried.subject.service.is_some_and(|service| {
                service.transport == Transport::Tcp && class(service) == Class::Web
            });
            let many = f64::from(tried.failed) / f64::from(self.everyday_many.max(1));
            let doublings = if is_web { many.log2().max(0.0) } else { 0.0 };
            self.everyday_cap + 2.0 * doublings - told
        } else {
            self.llr_max
        };
        above.min(cap).clamp(0.0, self.llr_max)
    }

    fn evidence(
        &self,
        source: &mut Source,
        subject: Subject,
        attempt: &Attempt,
    ) -> Option<Evidence> {
        // What the services told already is not told again for all of them together, and everyday
        // failures share one cap.
        let everyday = |tried: &&Tried| tried.is_everyday && tried.subject != subject;
        let told_everyday: f64 =
            source.tried.iter().filter(everyday).map(|tried| tried.gate.reported()).sum();
        let told: f64 = source
            .tried
            .iter()
            .filter(|tried| {
                tried.subject.direction == subject.direction && tried.subject.service.is_some()
            })
            .map(|tried| tried.gate.reported())
            .sum();
        let tried = source.tried.iter_mut().find(|tried| tried.subject == subject)?;
        let known = if subject.service.is_none() { told } else { 0.0 };
        let llr = self.llr(tried, told_everyday) - known;
        if !tried.gate.opens(llr, self.llr_max, u64::from(tried.failed)) {
            return None;
        }
        let what = match subject.service {
            Some(service) => service.to_string(),
            None => "one service or another".to_owned(),
        };
        let summary = format!(
            "tried {what} on {} {} hosts in {}, {} did not answer or refused",
            tried.failed + tried.succeeded,
            subject.direction.targets(),
            spoken(attempt.ts.since(tried.since)),
            tried.failed,
        );
        let techniques: &'static [&'static str] = match subject.direction {
            Direction::Internal => &["T1046", "T1018"],
            _ => &["T1046", "T1595"],
        };
        Some(Evidence {
            ts: attempt.ts,
            host: attempt.src,
            detector: Horizontal::ID,
            family: Family::Failure,
            llr,
            subject: format!(
                "{} {}",
                subject.direction.as_str(),
                subject.service.map_or_else(|| "any".to_owned(), |service| service.to_string())
            ),
            peers: tried.sample.peers(),
            peers_total: u64::from(tried.failed + tried.succeeded),
            service: subject.service,
            techniques,
            conns: tried.sample.conns(),
            forgeable: !tried.has_talked,
            summary,
        })
    }
}

impl Tried {
    fn start_again(&mut self, ts: Timestamp) {
        self.since = ts;
        self.failed = 0;
        self.succeeded = 0;
        self.has_talked = false;
        self.sample.clear();
    }
}

impl Source {
    /// How much of a failure an attempt is, bursts included.
    fn failure(&mut self, attempt: &Attempt, failure_weight: f64, config: &Config) -> f64 {
        if attempt.start.since(self.burst_since).as_secs() >= 1 {
            self.burst_since = attempt.start;
            self.burst = 0;
            self.owed = 0.0;
        }
        self.burst = self.burst.saturating_add(1);
        if attempt.is_stealth_probe() && !attempt.is_accepted() {
            return 1.0; // the probe itself is the evidence, whatever it met
        }
        let failure = attempt.failure(failure_weight);
        let is_admin = attempt.class == Class::Admin;
        if attempt.outcome.is_some() || attempt.class == Class::Web {
            return failure;
        }
        self.owed += (0.5 * failure_weight - failure).max(0.0) as f32;
        if self.burst < if is_admin { config.burst_admin } else { config.burst } {
            return failure;
        }
        failure + f64::from(std::mem::take(&mut self.owed))
    }

    /// Counts an attempt in its neighbourhood and tells whether that is dense with failures by now.
    /// A mail server delivers to many hosts of a big provider, and some refuse: those that answer
    /// make up for as many that do not.
    fn is_dense(&mut self, attempt: &Attempt, failure: f64, from: u8) -> bool {
        let around = stable_hash(neighbourhood(attempt.dst));
        let key = mix(around ^ u64::from(attempt.service.port)) as u32;
        let known = self.dense.iter().position(|(known, _)| *known == key);
        let mut surplus = known.map_or(0, |at| self.dense.remove(at).1);
        let was_dense = surplus >= from;
        if attempt.is_accepted() {
            surplus = surplus.saturating_sub(1);
        } else if failure > 0.0 {
            surplus = surplus.saturating_add(1);
        }
        if surplus > 0 {
            if self.dense.len() >= Horizontal::DENSE_MAX {
                self.dense.remove(0);
            }
            self.dense.push((key, surplus));
        }
        was_dense
    }

    fn tried(
        &mut self,
        subject: Subject,
        ts: Timestamp,
        is_everyday: bool,
        services_max: usize,
    ) -> Option<&mut Tried> {
        if let Some(at) = self.tried.iter().position(|tried| tried.subject == subject) {
            return self.tried.get_mut(at);
        }
        if self.tried.len() > services_max {
            let lowest = self
                .tried
                .iter()
                .enumerate()
                .min_by(|(_, a), (_, b)| {
                    a.walk.height().total_cmp(&b.walk.height()).then(a.since.cmp(&b.since))
                })
                .map(|(at, _)| at)?;
            self.tried.remove(lowest);
        }
        self.tried.push(Tried {
            subject,
            walk: Walk::default(),
            since: ts,
            failed: 0,
            succeeded: 0,
            is_everyday,
            has_talked: false,
            gate: Gate::default(),
            sample: Sample::default(),
        });
        self.tried.last_mut()
    }
}

impl Weigh for Source {
    fn heap_bytes(&self) -> usize {
        self.seen.heap_bytes()
            + self.tried.capacity() * size_of::<Tried>()
            + self.tried.iter().map(|tried| tried.sample.heap_bytes()).sum::<usize>()
            + self.dense.capacity() * size_of::<(u32, u8)>()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Stage, tcp, udp};
    use super::*;

    fn stage() -> Stage<Horizontal> {
        Stage::new(Horizontal::new(&Config::default()))
    }

    fn neighbour(n: u32) -> String {
        format!("10.0.{}.{}", n / 250, n % 250 + 1)
    }

    fn outsider(n: u32) -> String {
        format!("{}.{}.{}.{}", 20 + n % 190, n * 7 % 251, n * 13 % 241, n % 250 + 1)
    }

    #[test]
    fn convicts_a_sweep_that_nobody_answers() {
        let mut stage = stage();

        stage
            .play((0..30).map(|n| {
                tcp("10.0.0.251", &neighbour(n), 445).at(f64::from(n) * 0.1).unanswered()
            }));

        assert!(stage.weight("10.0.0.251") >= 9.0);
        let last = stage.last("10.0.0.251");
        assert_eq!(last.subject, "internal tcp/445");
        assert!(last.summary.contains("tcp/445 on ") && last.summary.contains("internal hosts"));
        assert!(last.forgeable);
        assert!(last.peers.len() <= 16 && last.conns.len() <= 8);
    }

    #[test]
    fn convicts_a_sweep_of_which_the_input_shows_two_seconds() {
        let mut stage = stage();

        stage.play((0..256u32).map(|n| {
            let at = f64::from(n) * 0.007;
            tcp("10.0.0.251", &neighbour(n), 80).at(at).cut_off(1.8 - at)
        }));

        assert!(stage.weight("10.0.0.251") >= 9.0);
    }

    #[test]
    fn convicts_an_outsider_who_tries_nine_hosts_in_two_hours() {
        let mut stage = stage();

        stage.play((0..9).map(|n| {
            tcp("198.51.100.3", &neighbour(n), 445).at(f64::from(n) * 700.0).unanswered()
        }));

        assert!(stage.weight("198.51.100.3") >= 8.2, "{}", stage.weight("198.51.100.3"));
    }

    #[test]
    fn a_clean_past_does_not_protect() {
        let mut stage = stage();
        stage.play((0..1000).map(|n| tcp("10.0.0.251", &outsider(n), 443).at(0.0).accepted()));
        stage.play((0..200).map(|n| tcp("10.0.0.251", &neighbour(n), 445).at(1.0).accepted()));

        stage.play((200..220).map(|n| tcp("10.0.0.251", &neighbour(n), 445).at(2.0).refused()));

        assert!(stage.weight("10.0.0.251") >= 9.0);
    }

    #[test]
    fn a_scan_that_found_something_was_not_forged() {
        let mut stage = stage();

        stage.play((0..40).map(|n| {
            let talk = tcp("10.0.0.251", &neighbour(n), 445);
            if n % 10 == 9 { talk.accepted() } else { talk.refused() }
        }));

        assert!(stage.weight("10.0.0.251") >= 9.0);
        assert!(!stage.last("10.0.0.251").forgeable);
    }

    #[test]
    fn convicts_one_that_tries_another_service_on_each_host() {
        let mut stage = stage();
        let ports = [22, 23, 445, 3389, 5900, 2323, 135, 5985, 1433, 3306, 6379, 21];

        stage.play(ports.iter().zip(0..).map(|(port, n)| {
            tcp("10.0.0.251", &neighbour(n), *port).at(f64::from(n) * 60.0).refused()
        }));

        assert!(stage.weight("10.0.0.251") >= 9.0);
        assert_eq!(stage.last("10.0.0.251").subject, "internal any");
    }

    #[test]
    fn does_not_count_one_service_twice() {
        let mut stage = stage();

        stage.play((0..100).map(|n| tcp("10.0.0.251", &neighbour(n), 445).unanswered()));

        assert!(stage.weight("10.0.0.251") <= 11.0, "{}", stage.weight("10.0.0.251"));
    }

    #[test]
    fn convicts_a_udp_sweep_of_an_arbitrary_port_side_by_side() {
        let mut stage = stage();

        stage.play(
            (0..60u32).map(|n| {
                udp("198.51.100.3", &format!("203.0.113.{n}"), 40_125).at(0.01).cut_off(2.0)
            }),
        );

        assert!(stage.weight("198.51.100.3") >= 9.0);
    }

    #[test]
    fn ignores_peers_that_are_gone() {
        let mut stage = stage();

        stage.play((0..500).map(|n| tcp("10.0.0.7", &outsider(n), 6346).unanswered()));
        stage.play((0..500).map(|n| {
            let port = 1024 + (n * 37 % 60_000) as u16;
            udp("10.0.0.7", &outsider(n), port).at(1.0).unanswered()
        }));

        stage.assert_silent();
    }

    #[test]
    fn ignores_a_browser_that_loses_one_in_four() {
        let mut stage = stage();

        stage.play((0..400).map(|n| {
            let talk = tcp("10.0.0.7", &outsider(n), 443).at(f64::from(n));
            if n % 4 == 0 { talk.unanswered() } else { talk.accepted() }
        }));

        stage.assert_silent();
    }

    #[test]
    fn ignores_a_host_whose_ipv6_leads_nowhere() {
        let mut stage = stage();

        for n in 0..60 {
            let site = format!("2001:db8:{n:x}::1");
            stage.play([tcp("fd00::7", &site, 443).at(f64::from(n)).unanswered()]);
            stage.play([tcp("10.0.0.7", &outsider(n), 443).at(f64::from(n)).accepted()]);
        }

        assert!(stage.weight("fd00::7") < 5.0, "{}", stage.weight("fd00::7"));
        assert!(stage.weight("10.0.0.7") < 0.1);
    }

    #[test]
    fn does_not_convict_a_device_whose_cloud_or_uplink_is_down() {
        let mut stage = stage();

        stage.play(
            (0..30).map(|n| tcp("10.0.0.7", &outsider(n), 443).at(f64::from(n)).unanswered()),
        );
        for retry in 0..1000 {
            let at = 100.0 + f64::from(retry);
            stage.play([tcp("10.0.0.8", "203.0.113.9", 8883).at(at).unanswered()]);
        }

        assert!(stage.weight("10.0.0.7") < 5.0);
        assert!(stage.weight("10.0.0.8") < 0.1);
    }

    #[test]
    fn forgives_a_printer_and_a_share_that_are_off() {
        let mut stage = stage();

        stage.play([
            tcp("10.0.0.7", "10.0.0.20", 9100).unanswered(),
            tcp("10.0.0.7", "10.0.0.21", 445).unanswered(),
            tcp("10.0.0.7", "10.0.0.22", 445).unanswered(),
        ]);

        stage.assert_silent();
    }

    #[test]
    fn keeps_still_where_no_answer_is_captured() {
        let mut stage = stage();
        stage.play((0..50).map(|n| tcp("10.0.0.9", &neighbour(n), 445).accepted_unseen()));

        stage.play((0..60).map(|n| udp("10.0.0.7", &neighbour(n), 161).at(1.0).unanswered()));

        assert!(stage.weight("10.0.0.7") < 2.0, "{}", stage.weight("10.0.0.7"));
    }

    #[test]
    fn stays_within_its_budget_under_a_flood_of_forged_sources() {
        let config = Config { budget: ByteSize::mib(1), ..Config::default() };
        let mut stage = Stage::new(Horizontal::new(&config));

        stage.play((0..20_000).map(|n| tcp(&outsider(n), "10.0.0.1", 445).unanswered()));

        assert!(stage.detector.state_bytes() <= 1 << 20);
        stage.assert_silent();
    }
}

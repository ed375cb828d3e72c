//! `scan.slow`: a host that keeps meeting hosts it never met, at whatever pace.
//!
//! Multi-resolution detection (Sekar, Xie, Reiter, Zhang: "A Multi-Resolution Approach for Worm
//! Detection and Containment", 2006): a healthy host's number of distinct destinations is a concave
//! function of the window, because it returns to the same ones; a worm's grows with the window
//! however slow it is. So several windows are watched at once, with thresholds that grow as a small
//! power of the window. Success does not matter here, which is what catches a worm that knows where
//! it goes. Counted are hosts met for the *first time*, on ways in wherever they are, and on any
//! one TCP service inside; a backup server that visits its fifty clients every night met them once.
//! All ways in together are watched as if they were one more: who tries SMB here and SSH there meets
//! few on each.

use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::attempt::Attempt;
use super::report::{Gate, Sample, spoken};
use super::seen::peer_hash;
use super::services::{Class, Direction};
use super::sketch::{EXACT_MAX, Sketch};
use super::{Detector, Evidence, Family, Sight};
use crate::config::units::{self, ByteSize};
use crate::event::{Conversation, Opening};
use crate::inventory::{Fetch, Inventory, Role, Table, Weigh};
use crate::net::{Service, Transport};
use crate::time::Timestamp;

/// The windows: 10 s, 1 min, 5 min, 1 h, 8 h, 1 d, 3 d, 14 d, in seconds.
pub const WINDOWS: [u64; 8] = [10, 60, 300, 3600, 28_800, 86_400, 259_200, 1_209_600];

/// How many of them a first round fills, be it a monitor's or a nightly backup's: those of up to 8 h.
const HASTY: usize = 5;

/// When new peers are too many.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// New hosts on one way in (SSH, SMB, RDP, ...) within 10 s from which a host is odd. Eight:
    /// administrators and their tools start with a few at a time.
    #[serde(deserialize_with = "units::amount")]
    pub admin_hosts: f64,
    /// The same for all ways in together. Ten: a client of a Windows domain meets its
    /// controllers, file and print servers on several of them within its first seconds.
    #[serde(deserialize_with = "units::amount")]
    pub any_admin_hosts: f64,
    /// New internal hosts on any other one TCP service within 10 s from which a host is odd.
    #[serde(deserialize_with = "units::amount")]
    pub other_hosts: f64,
    /// The threshold grows as the window to this power. 0.16 takes eight hosts in 10 s to
    /// fifty in 14 days; the concave growth of Sekar et al. 2006, figure 1, flattened the more
    /// because peers met before do not count.
    #[serde(deserialize_with = "units::share")]
    pub exponent: f64,
    /// Nats at the threshold.
    #[serde(deserialize_with = "units::nats")]
    pub nats_at_threshold: f64,
    /// Nats for each doubling above it.
    #[serde(deserialize_with = "units::nats")]
    pub nats_per_doubling: f64,
    /// Share by which the threshold falls when all of them fail.
    #[serde(deserialize_with = "units::share")]
    pub failing_discount: f64,
    /// Factor on the threshold for resolvers, gateways, monitors and domain controllers, which meet
    /// many by trade.
    #[serde(deserialize_with = "units::amount")]
    pub role_factor: f64,
    /// The most nats for one source as long as most let it in. Below what convicts or even makes
    /// suspicious by itself: a monitor's first round looks like this.
    #[serde(deserialize_with = "units::nats")]
    pub llr_max: f64,
    /// The most nats for a source that makes no first round: many fail, or it never met too many
    /// within eight hours and yet too many within days. Enough to be suspicious.
    #[serde(deserialize_with = "units::nats")]
    pub llr_max_search: f64,
    /// Share of failing hosts from which it holds. Two of five: the walk of `scan.horizontal` says
    /// nothing of a source that fails every other time.
    pub failing_share: f64,
    /// Services watched for one source, all ways in together among them; the one with fewest
    /// hosts makes room.
    #[serde(deserialize_with = "units::count")]
    pub services_max: usize,
    /// Bytes for all sources; the outsider that was active least recently is forgotten first.
    #[serde(deserialize_with = "units::budget")]
    pub budget: ByteSize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            admin_hosts: 8.0,
            any_admin_hosts: 10.0,
            other_hosts: 24.0,
            exponent: 0.16,
            nats_at_threshold: 2.0,
            nats_per_doubling: 3.0,
            failing_discount: 0.4,
            role_factor: 3.0,
            llr_max: 5.0,
            llr_max_search: 6.5,
            failing_share: 0.4,
            services_max: 7,
            budget: ByteSize::mib(64),
        }
    }
}

/// Everybody that was met on one service.
#[derive(Debug)]
struct Met {
    /// `None`: any way in.
    service: Option<Service>,
    /// Who and when first, while few.
    first: Vec<(u64, Timestamp)>,
    /// Everybody, once they are many.
    all: Option<Box<Many>>,
    failed: u32,
    total: u32,
    forgeable: bool,
    gate: Gate,
    sample: Sample,
}

/// The count of all ever met, now and at the beginning of this and the last turn of each window.
#[derive(Debug, Default)]
struct Many {
    sketch: Sketch,
    marks: [[(Timestamp, f32); 2]; WINDOWS.len()],
}

#[derive(Debug, Default)]
struct Source {
    met: Vec<Met>,
    /// Whether too many were ever met at once, as in somebody's first round.
    is_hasty: bool,
}

/// The detector.
#[derive(Debug)]
pub struct Slow {
    config: Config,
    sources: Table<IpAddr, Source>,
}

impl Slow {
    /// The detector's id.
    pub const ID: &'static str = "scan.slow";

    /// A detector that has seen nothing.
    pub fn new(config: &Config) -> Self {
        Self { sources: Table::new(config.budget.0), config: config.clone() }
    }
}

impl Detector for Slow {
    fn id(&self) -> &'static str {
        Self::ID
    }

    fn prefetch(&self, talk: &Conversation, what: Fetch) {
        self.sources.prefetch(&talk.client.addr, what);
    }

    fn on_event(&mut self, event: &Sight<'_>, inventory: &Inventory, out: &mut Vec<Evidence>) {
        let Some(attempt) = event.attempt() else { return };
        let threshold = match (attempt.class, attempt.direction) {
            (Class::Admin, _) => self.config.admin_hosts,
            (_, Direction::Internal) if attempt.service.transport == Transport::Tcp => {
                self.config.other_hosts
            }
            _ => return,
        };
        if matches!(attempt.opening, Opening::Ack | Opening::Fin) {
            return;
        }
        let weight = inventory.failure_weight();
        let config = &self.config;
        // Few hosts come so far that it matters what they are.
        let factor = || {
            let by_trade = [Role::Resolver, Role::Gateway, Role::Monitor, Role::DomainController]
                .iter()
                .any(|role| inventory.has_role(attempt.src, *role));
            if by_trade { config.role_factor } else { 1.0 }
        };
        let any = (attempt.class == Class::Admin).then_some((None, config.any_admin_hosts));
        let subjects = std::iter::once((Some(attempt.service), threshold)).chain(any);
        self.sources.update(attempt.src, attempt.is_own(), Source::default, |source| {
            for (service, threshold) in subjects {
                let told = source.told_of_others(service);
                let mut is_hasty = source.is_hasty;
                let Some(met) = source.met(service, config.services_max) else { continue };
                if met.meet(attempt, weight) && met.may_be_odd(threshold, config) {
                    let hosts = threshold * factor();
                    out.extend(met.evidence(attempt, hosts, told, &mut is_hasty, config));
                    source.is_hasty = is_hasty;
                }
            }
        });
    }

    fn state_bytes(&self) -> usize {
        self.sources.bytes()
    }
}

impl Source {
    /// What was reported of other services: the same host is not odd twice over.
    fn told_of_others(&self, service: Option<Service>) -> f64 {
        let others = self.met.iter().filter(|met| met.service != service);
        others.map(|met| met.gate.reported()).sum()
    }

    fn met(&mut self, service: Option<Service>, max: usize) -> Option<&mut Met> {
        if let Some(at) = self.met.iter().position(|met| met.service == service) {
            return self.met.get_mut(at);
        }
        if self.met.len() >= max {
            let fewest =
                self.met.iter().enumerate().min_by_key(|(_, met)| met.total).map(|(at, _)| at)?;
            self.met.remove(fewest);
        }
        self.met.push(Met {
            service,
            first: Vec::new(),
            all: None,
            failed: 0,
            total: 0,
            forgeable: true,
            gate: Gate::default(),
            sample: Sample::default(),
        });
        self.met.last_mut()
    }
}

impl Met {
    /// Hosts whose addresses are not kept for a report.
    const UNREMARKABLE: u32 = 3;

    /// Notes an attempt; `true` if its target is new. That a service fails which the host is known
    /// to have offered is no failure of the source's.
    fn meet(&mut self, attempt: &Attempt, failure_weight: f64) -> bool {
        let hash = peer_hash(attempt.dst);
        let is_new = match &mut self.all {
            Some(many) => many.insert(hash, attempt.ts),
            None if self.first.iter().any(|(known, _)| *known == hash) => false,
            None => {
                self.first.push((hash, attempt.ts));
                if self.first.len() > EXACT_MAX {
                    self.all = Some(Box::new(Many::of(&self.first, attempt.ts)));
                    self.first = Vec::new();
                }
                true
            }
        };
        if !is_new {
            return false;
        }
        self.total = self.total.saturating_add(1);
        self.failed += u32::from(!attempt.is_offered && attempt.failure(failure_weight) >= 0.5);
        self.forgeable &= !attempt.is_accepted();
        // Most hosts never meet more than these few, and are never reported.
        if self.total > Self::UNREMARKABLE {
            self.sample.add(attempt.dst, Some(attempt.conversation));
        }
        true
    }

    /// Whether there are hosts enough for the shortest window, which most never meet in their whole
    /// life, whatever the source's role.
    fn may_be_odd(&self, hosts: f64, config: &Config) -> bool {
        let least = (1.0 - config.failing_discount) * config.role_factor.min(1.0);
        self.all.is_some() || self.first.len() as f64 >= hosts * least
    }

    /// Hosts met first within `window` seconds before `now`, and the time that the count covers.
    fn count(&self, index: usize, now: Timestamp) -> (f64, Duration) {
        let window = Duration::from_secs(WINDOWS.get(index).copied().unwrap_or(0));
        match &self.all {
            Some(many) => many.count(index, now),
            None => {
                let new = self.first.iter().filter(|(_, first)| now.since(*first) <= window);
                (new.count() as f64, window)
            }
        }
    }

    fn evidence(
        &mut self,
        attempt: &Attempt,
        hosts: f64,
        told: f64,
        is_hasty: &mut bool,
        config: &Config,
    ) -> Option<Evidence> {
        let failing = f64::from(self.failed) / f64::from(self.total.max(1));
        let hosts = hosts * (1.0 - failing * config.failing_discount);
        // Most hosts meet fewer in their whole life than are odd in the shortest window.
        if self.all.is_none() && (self.first.len() as f64) < hosts {
            return None;
        }
        let limit = |window: f64| hosts * (window / 10.0).max(1.0).powf(config.exponent);
        let filled: [_; WINDOWS.len()] = std::array::from_fn(|index| {
            let (count, covered) = self.count(index, attempt.ts);
            (count, covered, count / limit(covered.as_secs_f64()))
        });
        let (count, window, ratio) =
            filled.into_iter().max_by(|(_, _, a), (_, _, b)| a.total_cmp(b))?;
        if ratio < 1.0 {
            return None;
        }
        // A count of many covers up to two windows; of one it is in proportion.
        *is_hasty |= filled.iter().zip(WINDOWS).take(HASTY).any(|((count, covered, _), window)| {
            let window = window as f64;
            count * (window / covered.as_secs_f64()).min(1.0) >= limit(window)
        });
        let is_search = !*is_hasty || failing >= config.failing_share;
        let max = if is_search { config.llr_max_search } else { config.llr_max } - told;
        let llr = (config.nats_at_threshold + config.nats_per_doubling * ratio.log2()).min(max);
        if !self.gate.opens(llr, max, count as u64) {
            return None;
        }
        let what = match self.service {
            Some(service) => service.to_string(),
            None => "one way in or another".to_owned(),
        };
        Some(Evidence {
            ts: attempt.ts,
            host: attempt.src,
            detector: Slow::ID,
            family: Family::Novelty,
            llr,
            subject: self.service.map_or_else(|| "any".to_owned(), |service| service.to_string()),
            peers: self.sample.peers(),
            peers_total: u64::from(self.total),
            service: self.service,
            techniques: &["T1046"],
            conns: self.sample.conns(),
            forgeable: self.forgeable,
            summary: format!(
                "met {count:.0} hosts on {what} within {} that it had never called before, where up \
                 to {:.0} would be usual",
                spoken(window),
                count / ratio,
            ),
        })
    }
}

impl Many {
    fn of(first: &[(u64, Timestamp)], now: Timestamp) -> Self {
        let mut many = Self::default();
        for (hash, _) in first {
            many.sketch.insert(*hash);
        }
        for (marks, window) in many.marks.iter_mut().zip(WINDOWS) {
            let begin = now - Duration::from_secs(window);
            let before = first.iter().filter(|(_, first)| *first < begin).count();
            *marks = [(begin, before as f32), (begin, before as f32)];
        }
        many
    }

    /// Counts a host; `true` if the estimate says that it is new.
    fn insert(&mut self, hash: u64, now: Timestamp) -> bool {
        let mut total = None;
        for ([last, this], window) in self.marks.iter_mut().zip(WINDOWS) {
            if now.since(this.0) >= Duration::from_secs(window) {
                let count = *total.get_or_insert_with(|| self.sketch.count());
                *last = *this;
                *this = (now, count as f32);
            }
        }
        self.sketch.insert(hash)
    }

    fn count(&self, index: usize, now: Timestamp) -> (f64, Duration) {
        let Some([(begin, before), _]) = self.marks.get(index) else {
            return (0.0, Duration::ZERO);
        };
        ((self.sketch.count() - f64::from(*before)).max(0.0), now.since(*begin))
    }
}

impl Weigh for Source {
    fn heap_bytes(&self) -> usize {
        self.met.capacity() * size_of::<Met>()
            + self
                .met
                .iter()
                .map(|met| {
                    met.first.capacity() * size_of::<(u64, Timestamp)>()
                        + met.sample.heap_bytes()
                        + met
                            .all
                            .as_ref()
                            .map_or(0, |many| size_of::<Many>() + many.sketch.heap_bytes())
                })
                .sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Stage, ip, tcp, udp};
    use super::*;

    fn stage() -> Stage<Slow> {
        Stage::new(Slow::new(&Config::default()))
    }

    fn neighbour(n: u32) -> String {
        format!("10.0.{}.{}", n / 250, n % 250 + 1)
    }

    const HOUR: f64 = 3600.0;

    #[test]
    fn notices_a_host_that_meets_one_more_every_two_hours() {
        let mut stage = stage();

        stage.play((0..168).map(|n| {
            tcp("10.0.0.251", &neighbour(n), 445).at(f64::from(n) * 2.0 * HOUR).accepted()
        }));

        assert!(stage.weight("10.0.0.251") > 6.4, "{}", stage.weight("10.0.0.251"));
        assert!(!stage.last("10.0.0.251").forgeable);
        let said = &stage.last("10.0.0.251").summary;
        assert!(said.contains("tcp/445 within") && said.contains("never called before"), "{said}");
    }

    #[test]
    fn notices_a_fast_spread_even_if_all_let_it_in() {
        let mut stage = stage();

        stage.play(
            (0..40).map(|n| tcp("10.0.0.251", &neighbour(n), 22).at(f64::from(n) * 0.2).accepted()),
        );

        assert_eq!(stage.weight("10.0.0.251"), 5.0);
    }

    #[test]
    fn a_first_round_is_not_taken_for_a_steady_search_when_another_host_comes_later() {
        let mut stage = stage();
        let first_round = |n: u32| tcp("10.0.0.251", &neighbour(n), 22).at(f64::from(n)).accepted();

        stage.play((0..150).map(first_round));
        stage.play(
            (150..170)
                .map(|n| tcp("10.0.0.251", &neighbour(n), 22).at(f64::from(n) * HOUR).accepted()),
        );

        assert_eq!(stage.weight("10.0.0.251"), 5.0);
    }

    #[test]
    fn a_round_of_sixty_servers_in_a_day_is_no_search() {
        let mut stage = stage();

        stage
            .play((0..62).map(|n| {
                tcp("10.0.0.251", &neighbour(n), 445).at(f64::from(n) * 900.0).accepted()
            }));

        assert!(stage.weight("10.0.0.251") <= 5.0, "{}", stage.weight("10.0.0.251"));
    }

    #[test]
    fn a_search_of_hundreds_on_a_service_of_any_kind_is_one() {
        let mut stage = stage();

        stage.play(
            (0..800).map(|n| {
                tcp("10.0.0.251", &neighbour(n), 8080).at(f64::from(n) * 540.0).accepted()
            }),
        );

        assert!(stage.weight("10.0.0.251") > 6.4, "{}", stage.weight("10.0.0.251"));
    }

    #[test]
    fn never_convicts_by_itself() {
        let mut stage = stage();

        stage.play((0..50_000).map(|n| tcp("10.0.0.251", &neighbour(n), 445).unanswered()));

        assert!(stage.weight("10.0.0.251") <= 6.5);
        assert!(stage.said.len() < 30, "{}", stage.said.len());
    }

    #[test]
    fn is_not_alarmed_twice_by_a_monitor_that_begins() {
        let mut stage = stage();

        for n in 0..200 {
            let at = f64::from(n) * 0.02;
            stage.play(
                [22, 80, 443, 8080, 445]
                    .map(|port| tcp("10.0.0.251", &neighbour(n), port).at(at).accepted()),
            );
        }

        assert!(stage.weight("10.0.0.251") <= 5.0, "{}", stage.weight("10.0.0.251"));
    }

    #[test]
    fn ignores_a_backup_that_visits_its_clients_every_night() {
        let mut stage = stage();
        stage.play((0..50).map(|n| {
            tcp("10.0.0.251", &neighbour(n), 22).at(f64::from(n) * 24.0 * HOUR).accepted()
        }));
        let told = stage.said.len();

        for night in 51..80 {
            stage.play((0..50).map(|n| {
                tcp("10.0.0.251", &neighbour(n), 22).at(f64::from(night) * 24.0 * HOUR).accepted()
            }));
        }

        assert_eq!(stage.said.len(), told);
        assert!(stage.weight("10.0.0.251") < 3.0, "{}", stage.weight("10.0.0.251"));
    }

    #[test]
    fn ignores_browsing_and_mail_and_peers() {
        let mut stage = stage();

        for n in 0..800u32 {
            let outsider = format!("{}.{}.7.9", 20 + n % 180, n / 180);
            stage.play([
                tcp("10.0.0.7", &outsider, 443).at(f64::from(n)).accepted(),
                tcp("10.0.0.25", &outsider, 25).at(f64::from(n)).accepted(),
                udp("10.0.0.8", &outsider, 6881).at(f64::from(n)).unanswered(),
                udp("10.0.0.53", &outsider, 53).at(f64::from(n)).accepted(),
            ]);
        }

        stage.assert_silent();
    }

    #[test]
    fn ignores_an_administrator_with_a_dozen_servers() {
        let mut stage = stage();

        for hour in 0..200 {
            stage.play((0..14).map(|n| {
                let at = f64::from(hour) * HOUR + f64::from(n) * 120.0;
                tcp("10.0.0.9", &neighbour(n), 22).at(at).accepted()
            }));
        }

        stage.assert_silent();
    }

    #[test]
    fn takes_little_room_for_a_host_that_met_thousands() {
        let mut stage = stage();
        for service in 1..40 {
            stage.play((0..3000).map(|n| tcp("10.0.0.251", &neighbour(n), service).unanswered()));
        }

        let source = stage.detector.sources.peek(&ip("10.0.0.251")).unwrap();

        assert!(source.heap_bytes() < 20_000, "{}", source.heap_bytes());
    }
}

//! `scan.vertical`: one source that tries many ports of one host.
//!
//! What tells it from a busy client is that the ports are many, well known or never offered, and
//! that next to none lets it in. Passive FTP, RPC and media streams use many ports too, but high
//! ones that were agreed upon, so these succeed; a client whose server is down tries the same port
//! again. Counting distinct failed ports goes back to the first port-scan detectors (Staniford,
//! Hoagland, McAlerney: "Practical Automated Detection of Stealthy Portscans", 2002, weigh them as
//! here by how unlikely they are); a segment without flags or with FIN, PSH and URG is sent by no
//! TCP (RFC 9293, section 3.10), so it weighs more than a refused SYN.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::attempt::Attempt;
use super::report::{Gate, Sample, spoken};
use super::services::{self, Class, Direction, class};
use super::{Detector, Evidence, Family, Sight};
use crate::config::units::{self, ByteSize};
use crate::event::{Conversation, Opening, Outcome};
use crate::inventory::{Fetch, Inventory, Table, Weigh};
use crate::net::{Service, Transport};
use crate::time::Timestamp;

/// When tried ports are a scan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Failed ports that every client is forgiven. Three: mail clients that look for their server
    /// try a handful, of which some answer.
    #[serde(deserialize_with = "units::amount")]
    pub forgiven: f64,
    /// Nats for each further failed port.
    #[serde(deserialize_with = "units::nats")]
    pub nats: f64,
    /// What a failed attempt on an arbitrary high port counts, of one: agreed ports that a firewall
    /// closes, and calls that are over.
    #[serde(deserialize_with = "units::share")]
    pub dynamic_weight: f64,
    /// What a stray ACK or FIN to an arbitrary port counts, of one: mostly the end of a connection
    /// that began earlier, but hundreds of ports are not.
    #[serde(deserialize_with = "units::share")]
    pub stray_weight: f64,
    /// What a stray one to a well-known port counts, of one, that is not answered: a client has
    /// old connections with few such ports of one server.
    #[serde(deserialize_with = "units::share")]
    pub stray_known_weight: f64,
    /// What a refusal from a well-known port counts, of one, whose question was not captured.
    #[serde(deserialize_with = "units::share")]
    pub unasked_weight: f64,
    /// What a NULL or XMAS segment or a bare FIN counts, of one.
    #[serde(deserialize_with = "units::amount")]
    pub stealth_weight: f64,
    /// What a port that lets it in takes off, of one, if others of its kind failed: a mail client
    /// looks for its server on several.
    #[serde(deserialize_with = "units::share")]
    pub accepted_relief: f64,
    /// What it takes off if only others did.
    #[serde(deserialize_with = "units::share")]
    pub stranger_relief: f64,
    /// What a failed port counts, of one, if the host is known to have offered the service to
    /// somebody: that is an outage sooner than a guess.
    #[serde(deserialize_with = "units::share")]
    pub offered_weight: f64,
    /// What the third and each further failed port of one kind (mail, web, files, ...) counts, of
    /// one: whoever looks for a mail server tries all of mail's ports.
    pub same_kind_weight: f64,
    /// Kinds of business (mail, web, files, ...) that one may fail to do with one host in a hurry;
    /// each further one counts as one more port.
    pub kinds: u32,
    /// Different well-known ports begun within one second from which calls that the end of the
    /// input cut off count in full, however short the wait.
    #[serde(deserialize_with = "units::count")]
    pub burst: u32,
    /// Ports remembered for one pair of hosts; later ones are taken for new.
    #[serde(deserialize_with = "units::count")]
    pub ports_max: usize,
    /// Time without an attempt after which a pair begins anew.
    #[serde(with = "units::span")]
    pub forget_after: std::time::Duration,
    /// Targets reported for one source; what it does to others adds nothing.
    #[serde(deserialize_with = "units::count")]
    pub targets_max: usize,
    /// The most nats for one target.
    #[serde(deserialize_with = "units::nats")]
    pub llr_max: f64,
    /// Bytes for all pairs; the outsider's that was active least recently is forgotten first.
    #[serde(deserialize_with = "units::budget")]
    pub budget: ByteSize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            forgiven: 3.0,
            nats: 1.45,
            dynamic_weight: 0.1,
            stray_weight: 0.12,
            stray_known_weight: 0.4,
            unasked_weight: 0.6,
            stealth_weight: 2.0,
            accepted_relief: 0.5,
            stranger_relief: 0.2,
            offered_weight: 0.25,
            same_kind_weight: 0.2,
            kinds: 2,
            burst: 6,
            ports_max: 128,
            forget_after: std::time::Duration::from_secs(86_400),
            targets_max: 8,
            llr_max: 10.0,
            budget: ByteSize::mib(32),
        }
    }
}

/// One source and one target.
#[derive(Debug)]
struct Pair {
    since: Timestamp,
    last: Timestamp,
    /// Ports tried, sorted, the transport in the high bits.
    ports: Vec<u32>,
    /// Failed ports by weight, what let it in taken off.
    failed: f32,
    tried: u32,
    stealthy: u32,
    /// Kinds of business that failed, as bits.
    failed_kinds: u32,
    /// Those that failed twice.
    failed_again: u32,
    /// Whether there ever was a burst.
    hurried: bool,
    burst_since: Timestamp,
    burst: u32,
    has_talked: bool,
    gate: Gate,
    conns: Vec<Conversation>,
}

/// Targets that were reported for a source.
#[derive(Debug, Default)]
struct Reported(Vec<IpAddr>);

/// The detector.
#[derive(Debug)]
pub struct Vertical {
    config: Config,
    pairs: Table<(IpAddr, IpAddr), Pair>,
    reported: Table<IpAddr, Reported>,
}

impl Vertical {
    /// The detector's id.
    pub const ID: &'static str = "scan.vertical";
    /// One part in this many of the budget is for the list of reported targets.
    const REPORTED_SHARE: usize = 16;

    /// A detector that has seen nothing.
    pub fn new(config: &Config) -> Self {
        Self {
            pairs: Table::new(config.budget.0),
            reported: Table::new(config.budget.0 / Self::REPORTED_SHARE),
            config: config.clone(),
        }
    }
}

impl Detector for Vertical {
    fn id(&self) -> &'static str {
        Self::ID
    }

    fn prefetch(&self, talk: &Conversation, what: Fetch) {
        self.pairs.prefetch(&(talk.client.addr, talk.server.addr), what);
    }

    fn on_event(&mut self, event: &Sight<'_>, inventory: &Inventory, out: &mut Vec<Evidence>) {
        let attempt = event.attempt().copied();
        let attempt = attempt.or_else(|| Attempt::behind_refusal(event, inventory));
        let Some(attempt) = attempt else { return };
        if attempt.service.transport == Transport::Icmp || is_traceroute(attempt.service) {
            return;
        }
        let key = (attempt.src, attempt.dst);
        // Most pairs never fail; only a failure is worth an entry.
        if attempt.is_accepted() && self.pairs.peek(&key).is_none() {
            return;
        }
        let is_own = attempt.is_own();
        let weight = inventory.failure_weight();
        let is_outage = !attempt.is_stealth_probe() && !attempt.is_accepted() && attempt.is_offered;
        let config = &self.config;
        let evidence = self.pairs.update(
            key,
            is_own,
            || Pair::new(attempt.start),
            |pair| {
                pair.try_port(&attempt, weight, is_outage, config);
                pair.evidence(&attempt, config)
            },
        );
        let Some(evidence) = evidence else { return };
        let max = self.config.targets_max;
        let is_among = self.reported.update(attempt.src, is_own, Reported::default, |reported| {
            let is_known = reported.0.contains(&attempt.dst);
            if !is_known && reported.0.len() < max {
                reported.0.push(attempt.dst);
            }
            is_known || reported.0.last() == Some(&attempt.dst)
        });
        if is_among {
            out.push(evidence);
        }
    }

    fn state_bytes(&self) -> usize {
        self.pairs.bytes() + self.reported.bytes()
    }
}

impl Pair {
    fn new(ts: Timestamp) -> Self {
        Self {
            since: ts,
            last: ts,
            ports: Vec::new(),
            failed: 0.0,
            tried: 0,
            stealthy: 0,
            failed_kinds: 0,
            failed_again: 0,
            hurried: false,
            burst_since: ts,
            burst: 0,
            has_talked: false,
            gate: Gate::default(),
            conns: Vec::new(),
        }
    }

    fn try_port(
        &mut self,
        attempt: &Attempt,
        failure_weight: f64,
        is_outage: bool,
        config: &Config,
    ) {
        if attempt.start.since(self.last) > config.forget_after {
            *self = Self { gate: self.gate, ..Self::new(attempt.start) };
        }
        self.last = self.last.max(attempt.start);
        let key = (attempt.service.transport as u32) << 16 | u32::from(attempt.service.port);
        let Err(at) = self.ports.binary_search(&key) else { return };
        if self.ports.len() < config.ports_max {
            self.ports.insert(at, key);
        }
        self.tried = self.tried.saturating_add(1);
        let kind = 1 << services::kind(attempt.service);
        if attempt.is_accepted() {
            self.has_talked |= attempt.service.transport != Transport::Udp;
            let is_known_kind = self.failed_kinds & kind == kind;
            let relief =
                if is_known_kind { config.accepted_relief } else { config.stranger_relief };
            self.failed = (self.failed - relief as f32).max(0.0);
            return;
        }
        let failure = self.failure(attempt, failure_weight, config);
        let mut worth = if is_outage { config.offered_weight } else { worth(attempt, config) };
        if !is_outage && failure >= 0.5 && attempt.class != Class::Dynamic {
            if self.failed_again & kind != 0 && !attempt.is_stealth_probe() {
                worth *= config.same_kind_weight;
            }
            self.failed_again |= self.failed_kinds & kind;
            self.failed_kinds |= kind;
        }
        self.failed += (failure * worth) as f32;
        if attempt.is_stealth_probe() {
            self.stealthy = self.stealthy.saturating_add(1);
        }
        // A pair that failed on one port is everyday; its connection is not worth the room.
        if self.tried > 1 && self.conns.len() < super::report::CONNS_MAX {
            self.conns.push(attempt.conversation);
        }
    }

    fn failure(&mut self, attempt: &Attempt, failure_weight: f64, config: &Config) -> f64 {
        let failure = attempt.failure(failure_weight);
        if attempt.is_stealth_probe() {
            return 1.0; // the probe itself is the evidence, whatever it met
        }
        if attempt.start.since(self.burst_since).as_secs() >= 1 {
            self.burst_since = attempt.start;
            self.burst = 0;
        }
        if class(attempt.service) == Class::Dynamic {
            return failure;
        }
        self.burst = self.burst.saturating_add(1);
        self.hurried |= self.burst >= config.burst;
        if attempt.outcome.is_some() {
            return failure;
        }
        // The first ones of a burst were taken for undecided; that it is one makes up for them.
        match self.burst.cmp(&config.burst) {
            std::cmp::Ordering::Less => failure,
            std::cmp::Ordering::Equal => f64::from(config.burst) * failure_weight,
            std::cmp::Ordering::Greater => failure_weight,
        }
    }

    fn evidence(&mut self, attempt: &Attempt, config: &Config) -> Option<Evidence> {
        let kinds = if self.hurried { self.failed_kinds.count_ones() } else { 0 };
        let failed = f64::from(self.failed) + f64::from(kinds.saturating_sub(config.kinds));
        let llr = ((failed - config.forgiven) * config.nats).min(config.llr_max);
        if !self.gate.opens(llr, config.llr_max, u64::from(self.tried)) {
            return None;
        }
        let how = if self.stealthy * 2 > self.tried {
            "with segments that no TCP sends, "
        } else if self.has_talked {
            "few of which let it in, "
        } else {
            "none of which let it in, "
        };
        let techniques: &'static [&'static str] =
            if attempt.direction == Direction::Internal { &["T1046"] } else { &["T1046", "T1595"] };
        let mut sample = Sample::default();
        sample.add(attempt.dst, None);
        Some(Evidence {
            ts: attempt.ts,
            host: attempt.src,
            detector: Vertical::ID,
            family: Family::Failure,
            llr,
            subject: attempt.dst.to_string(),
            peers: sample.peers(),
            peers_total: 1,
            service: None,
            techniques,
            conns: self.conns.clone(),
            forgeable: !self.has_talked,
            summary: format!(
                "tried {} ports of {}, {how}in {}",
                self.tried,
                attempt.dst,
                spoken(attempt.ts.since(self.since)),
            ),
        })
    }
}

/// What a failed attempt counts, of one, for its port and its first packet.
fn worth(attempt: &Attempt, config: &Config) -> f64 {
    let is_arbitrary = attempt.class == Class::Dynamic;
    match attempt.opening {
        _ if attempt.is_stealth_probe() => config.stealth_weight,
        Opening::Ack | Opening::Fin if is_arbitrary => config.stray_weight,
        Opening::Ack | Opening::Fin if attempt.outcome != Some(Outcome::Refused) => {
            config.stray_known_weight
        }
        _ if is_arbitrary => config.dynamic_weight,
        Opening::Rst => config.unasked_weight,
        _ => 1.0,
    }
}

/// The UDP ports that traceroute counts upwards from (33434, one a probe; Malkin, RFC 1393 names
/// the practice).
fn is_traceroute(service: Service) -> bool {
    service.transport == Transport::Udp && (33_434..=33_700).contains(&service.port)
}

impl Weigh for Pair {
    fn heap_bytes(&self) -> usize {
        self.ports.capacity() * size_of::<u32>() + self.conns.capacity() * size_of::<Conversation>()
    }
}

impl Weigh for Reported {
    fn heap_bytes(&self) -> usize {
        self.0.capacity() * size_of::<IpAddr>()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Stage, tcp, udp};
    use super::*;

    fn stage() -> Stage<Vertical> {
        Stage::new(Vertical::new(&Config::default()))
    }

    const SCANNER: &str = "10.0.0.66";
    const TARGET: &str = "10.0.0.2";

    #[test]
    fn convicts_a_thousand_refused_ports() {
        let mut stage = stage();

        stage.play((1..1000).map(|port| tcp(SCANNER, TARGET, port).refused()));

        assert!(stage.weight(SCANNER) >= 9.0);
        assert!(stage.said.len() < 25, "{}", stage.said.len());
        assert!(stage.last(SCANNER).summary.contains("ports of 10.0.0.2, none of which"));
    }

    #[test]
    fn convicts_ten_well_known_ports_within_an_instant() {
        let mut stage = stage();
        let ports = [21, 113, 23, 135, 111, 143, 445, 554, 25, 80];

        stage.play(ports.iter().zip(0..).map(|(port, n)| {
            let at = f64::from(n) * 2e-5;
            tcp(SCANNER, TARGET, *port).at(at).cut_off(2e-4 - at)
        }));

        assert!(stage.weight(SCANNER) >= 9.0, "{}", stage.weight(SCANNER));
        assert!(stage.last(SCANNER).forgeable);
    }

    #[test]
    fn convicts_probes_that_no_stack_sends() {
        for opening in [Opening::Null, Opening::Xmas] {
            let mut stage = stage();

            stage.play((1..9).map(|n| {
                tcp(SCANNER, TARGET, n * 1000).opening(opening).at(f64::from(n)).unanswered()
            }));

            assert!(stage.weight(SCANNER) >= 9.0);
            assert!(stage.last(SCANNER).summary.contains("no TCP sends"));
        }
    }

    #[test]
    fn convicts_a_udp_scan_and_an_ack_scan() {
        let mut udp_stage = stage();
        let mut ack_stage = stage();

        udp_stage.play((1..1000).map(|port| udp(SCANNER, TARGET, port * 60).unanswered()));
        ack_stage.play((1..1000).map(|port| {
            tcp(SCANNER, TARGET, port).opening(Opening::Ack).client_port(60_000).refused()
        }));

        assert!(udp_stage.weight(SCANNER) >= 9.0);
        assert!(ack_stage.weight(SCANNER) >= 9.0);
    }

    #[test]
    fn convicts_a_scan_that_takes_all_day() {
        let mut stage = stage();

        stage.play((1..40).map(|n| tcp(SCANNER, TARGET, n).at(f64::from(n) * 3600.0).refused()));

        assert!(stage.weight(SCANNER) >= 9.0);
    }

    #[test]
    fn ignores_a_client_that_calls_a_dead_server_again_and_again() {
        let mut stage = stage();

        stage.play((0..500).map(|n| tcp(SCANNER, TARGET, 8883).at(f64::from(n)).unanswered()));

        stage.assert_silent();
    }

    #[test]
    fn ignores_agreed_high_ports() {
        let mut stage = stage();

        stage.play((0..300).map(|n| tcp(SCANNER, TARGET, 50_000 + n).accepted())); // passive FTP
        stage.play((0..20).map(|n| tcp(SCANNER, TARGET, 49_152 + n).refused())); // RPC, restarted
        stage.play((0..20).map(|n| udp(SCANNER, TARGET, 16_384 + 2 * n).unanswered())); // RTP

        stage.assert_silent();
    }

    #[test]
    fn ignores_a_mail_client_that_looks_for_its_server() {
        let mut stage = stage();

        for (n, port) in [993, 143, 995, 110, 465, 587, 25].into_iter().enumerate() {
            let talk = tcp(SCANNER, TARGET, port).at(n as f64 * 0.01);
            stage.play([if n % 2 == 0 { talk.accepted() } else { talk.refused() }]);
        }

        stage.assert_silent();
    }

    #[test]
    fn ignores_traceroute() {
        let mut stage = stage();

        stage.play((0..90).map(|n| udp(SCANNER, "203.0.113.1", 33_434 + n).unanswered()));

        stage.assert_silent();
    }

    #[test]
    fn ignores_a_name_server_whose_questions_are_not_captured() {
        let mut stage = stage();

        stage.play(
            (0..1000).map(|n| udp("203.0.113.53", TARGET, 20_000 + n).client_port(53).unanswered()),
        );

        stage.assert_silent();
    }

    #[test]
    fn names_few_targets_of_one_source() {
        let mut stage = stage();

        for target in 0..100 {
            let target = format!("10.0.1.{target}");
            stage.play((1..50).map(|port| tcp(SCANNER, &target, port).refused()));
        }

        let subjects: std::collections::BTreeSet<_> =
            stage.said.iter().map(|evidence| &evidence.subject).collect();
        assert_eq!(subjects.len(), 8);
    }
}

//! Stories about the life of incidents.

use super::*;
use crate::config::units::ByteSize;
use crate::detect::Family;
use crate::event::Conversation;
use crate::incident::{AlertKind, Exposed, Severity};
use crate::net::Service;
use crate::score::ScoreConfig;
use crate::score::testing::{about, evidence, ip};

const HOUR: i64 = 3600;

/// The book with the scores, and who infected whom as of now.
struct Desk {
    book: IncidentBook,
    board: ScoreBoard,
    infections: Vec<Infection>,
    now: i64,
}

impl Desk {
    fn new() -> Self {
        Self::with(&AlertConfig::default())
    }

    fn with(config: &AlertConfig) -> Self {
        let name = |conn: &Conversation| format!("1:{}", conn.uid.0);
        let book = IncidentBook::new(config, &NetworkConfig::default(), Some("core"), name);
        let board = ScoreBoard::new(&ScoreConfig::default());
        Self { book, board, infections: Vec::new(), now: 0 }
    }

    /// `from` infects `to` at this second, which both are accused of.
    fn infect(&mut self, secs: i64, from: &str, to: &str, incident: &str) {
        self.infect_over(445, secs, from, to, incident);
    }

    fn infect_over(&mut self, port: u16, secs: i64, from: &str, to: &str, incident: &str) {
        self.now = secs;
        let parent = self.infections.iter().find(|found| found.to == ip(from));
        self.infections.push(Infection {
            from: ip(from),
            to: ip(to),
            at: Timestamp::from_secs(secs),
            confidence: 0.9,
            generation: parent.map_or(1, |parent| parent.generation + 1),
            service: Some(Service::tcp(port)),
            incident: incident.to_owned(),
            reasons: Vec::new(),
            runner_up: None,
        });
        for host in [from, to] {
            let turn = evidence("propagation.turn", Family::Causality, 7.0, secs);
            self.board.add(about(host, turn));
        }
    }

    /// All infections of one incident are another's from now on.
    fn rename(&mut self, from: &str, to: &str) {
        for infection in self.infections.iter_mut().filter(|found| found.incident == from) {
            to.clone_into(&mut infection.incident);
        }
    }

    fn incidents(&self) -> Vec<Incident> {
        let mut by_id: BTreeMap<&str, Vec<&Infection>> = BTreeMap::new();
        for infection in &self.infections {
            by_id.entry(&infection.incident).or_default().push(infection);
        }
        let told = by_id.into_iter().map(|(id, infections)| {
            let mut hosts: Vec<_> = infections.iter().map(|found| found.to).collect();
            let is_zero = |host: &IpAddr| !infections.iter().any(|found| found.to == *host);
            let mut zero: Vec<_> =
                infections.iter().map(|found| found.from).filter(is_zero).collect();
            zero.dedup();
            hosts.extend(&zero);
            hosts.sort_unstable();
            hosts.dedup();
            Incident {
                id: id.to_owned(),
                since: infections[0].at,
                updated: infections[infections.len() - 1].at,
                patient_zero: zero,
                origin: crate::incident::Origin::Inside,
                hosts: hosts.len() as u64,
                generations: infections.iter().map(|found| found.generation).max().unwrap(),
                reproduction_number: 1.0,
                reproduction_interval: (0.0, 2.0),
                doubling_time: Some(Duration::from_secs(90)),
                exposed: vec![Exposed {
                    host: ip("10.1.0.99"),
                    from: infections[0].from,
                    service: Service::tcp(445),
                    contacted: true,
                }],
            }
        });
        told.collect()
    }

    fn look_at(&mut self, secs: i64, is_end: bool) -> Vec<Alert> {
        self.now = secs;
        let (incidents, mut out) = (self.incidents(), Vec::new());
        let now = Timestamp::from_secs(secs);
        self.book.look((&incidents, &self.infections), &self.board, now, is_end, &mut out);
        out
    }

    fn look(&mut self) -> Vec<Alert> {
        self.look_at(self.now, false)
    }
}

fn statuses(alerts: &[Alert]) -> Vec<Status> {
    alerts.iter().map(|alert| alert.status).collect()
}

#[test]
fn an_incident_opens_as_one_alert_about_all_its_hosts() {
    let mut desk = Desk::new();
    desk.infect(100, "10.1.0.1", "10.1.0.2", "w");
    desk.infect(130, "10.1.0.2", "10.1.0.3", "w");

    let [alert] = desk.look().try_into().unwrap();

    assert_eq!((alert.status, alert.kind), (Status::Open, AlertKind::Worm));
    assert_eq!((alert.host, alert.incident.as_deref()), (None, Some("w")));
    let hosts: Vec<_> = alert.hosts.iter().map(|named| named.host.to_string()).collect();
    assert_eq!(hosts, ["10.1.0.1", "10.1.0.2", "10.1.0.3"]);
    assert_eq!((alert.severity, alert.verdict), (Severity::Critical, Verdict::Suspicious));
    assert_eq!(alert.detectors, ["propagation.turn"]);
    assert_eq!(alert.services, [Service::tcp(445)]);
    assert_eq!(alert.targets, "internal 10.1.0.0/16");
    insta::assert_snapshot!(alert.summary, @"A worm seems to be spreading from host to host: 10.1.0.1 (patient zero) and 2 more hosts in 2 generations over tcp/445, since 1970-01-01 00:01 UTC. The number of infected hosts doubles in 1 min 30 s. The latest is 10.1.0.3, infected by 10.1.0.2 over tcp/445 on 1970-01-01 00:02 UTC. May be next: 10.1.0.99 (called over tcp/445). The sensor is not certain: suspicious, 73.1 of 100. Next: isolate these hosts before cleaning any of them; `wormwatch contain --incident w` says what to cut.");
}

#[test]
fn nobody_hears_of_it_while_no_host_is_suspicious() {
    let mut desk = Desk::new();
    desk.infect(100, "10.1.0.1", "10.1.0.2", "w");
    desk.board = ScoreBoard::new(&ScoreConfig::default());

    assert!(desk.look().is_empty());
    assert_eq!(desk.book.open_count(), 0);
}

#[test]
fn one_likely_infection_is_high_and_the_second_is_told_at_once_as_critical() {
    let mut desk = Desk::new();
    desk.infect(100, "10.1.0.1", "10.1.0.2", "w");
    let [first] = desk.look().try_into().unwrap();
    desk.infect(101, "10.1.0.2", "10.1.0.3", "w");
    let [second] = desk.look().try_into().unwrap();

    assert_eq!((first.severity, second.severity), (Severity::High, Severity::Critical));
    assert_eq!((second.status, &second.id), (Status::Update, &first.id));
    assert_eq!((second.ts, second.updated.as_nanos()), (first.ts, 101_000_000_000));
}

#[test]
fn what_joins_is_told_after_the_pause_and_nothing_is_told_twice() {
    let mut desk = Desk::new();
    for n in 1..5 {
        desk.infect(100 + n, &format!("10.1.0.{n}"), &format!("10.1.0.{}", n + 1), "w");
    }
    desk.look();
    desk.infect(110, "10.1.0.1", "10.1.0.10", "w");

    assert!(desk.look().is_empty());
    assert!(!desk.book.is_due(Timestamp::from_secs(163)));
    assert!(desk.book.is_due(Timestamp::from_secs(164)));
    let [alert] = desk.look_at(164, false).try_into().unwrap();
    assert!(desk.look_at(300, false).is_empty());

    assert_eq!((alert.status, alert.hosts_total), (Status::Update, 6));
    let since = |host: &str| alert.names(ip(host)).map(|at| at.as_nanos() / 1_000_000_000);
    assert_eq!((since("10.1.0.1"), since("10.1.0.10")), (Some(104), Some(164)));
}

#[test]
fn a_new_way_in_is_told_and_three_make_it_adaptive() {
    let mut desk = Desk::new();
    desk.infect_over(445, 100, "10.1.0.1", "10.1.0.2", "w");
    desk.infect_over(22, 110, "10.1.0.1", "10.1.0.3", "w");
    let [before] = desk.look().try_into().unwrap();
    desk.infect_over(3389, 400, "10.1.0.1", "10.1.0.4", "w");

    let [after] = desk.look().try_into().unwrap();

    assert_eq!((before.kind, after.kind), (AlertKind::Worm, AlertKind::AdaptiveWorm));
    assert_eq!(after.services.len(), 3);
}

/// 300 hosts in 30 seconds.
#[test]
fn a_flash_worm_is_a_few_lines() {
    let mut desk = Desk::new();
    let addr = |n: u32| std::net::Ipv4Addr::from_bits(0x0a01_0000 + n).to_string();
    let mut told = Vec::new();
    for n in 1..300_u32 {
        desk.infect(100 + i64::from(n) / 10, &addr(n / 2), &addr(n), "w");
        told.extend(desk.look());
    }
    told.extend(desk.look_at(200, false));

    // Opened with 2, then at 4, 8, ... 256; once for three infections and once after the pause.
    assert!(told.len() <= 11, "{}", told.len());
    assert_eq!(statuses(&told)[0], Status::Open);
    assert!(told.iter().skip(1).all(|alert| alert.status == Status::Update));
    assert_eq!(told.last().map(|alert| alert.hosts_total), Some(300));
}

#[test]
fn two_that_turn_out_to_be_one_live_on_as_the_older() {
    let mut desk = Desk::new();
    desk.infect(100, "10.1.0.1", "10.1.0.2", "old");
    desk.infect(100, "10.1.0.2", "10.1.0.3", "old");
    desk.infect(100, "10.1.0.7", "10.1.0.8", "young");
    let [old, young] = desk.look().try_into().unwrap();
    desk.rename("young", "old");
    desk.infect(200, "10.1.0.3", "10.1.0.7", "old");

    let [closed, update] = desk.look().try_into().unwrap();

    assert_eq!((closed.status, &closed.id), (Status::Closed, &young.id));
    assert_eq!(closed.incident.as_deref(), Some("young"));
    assert!(closed.summary.starts_with("Closed, because it is part of incident old"), "{closed:?}");
    assert_eq!((update.status, &update.id), (Status::Update, &old.id));
    assert_eq!(update.hosts_total, 5);
    assert!(update.summary.starts_with("Incident young turned out to be part of this one."));
    assert_eq!(desk.book.open_count(), 1);
    assert_eq!(
        desk.book.changes(),
        &[(Status::Open, 2), (Status::Update, 1), (Status::Closed, 1)].into()
    );
}

#[test]
fn an_incident_that_gets_an_older_name_keeps_its_alert() {
    let mut desk = Desk::new();
    desk.infect(100, "10.1.0.1", "10.1.0.2", "w");
    let [before] = desk.look().try_into().unwrap();
    desk.rename("w", "elder");
    desk.infect(200, "10.1.0.9", "10.1.0.1", "elder");

    let [after] = desk.look().try_into().unwrap();

    assert_eq!((after.status, &after.id), (Status::Update, &before.id));
    assert_eq!(after.incident.as_deref(), Some("elder"));
    assert!(after.summary.starts_with("This incident was called w so far."));
}

#[test]
fn an_incident_that_is_quiet_is_closed_and_opens_again_with_another_host_only() {
    let mut desk = Desk::new();
    desk.infect(100, "10.1.0.1", "10.1.0.2", "w");
    let [open] = desk.look().try_into().unwrap();

    assert!(desk.look_at(100 + 24 * HOUR - 1, false).is_empty());
    let [closed] = desk.look_at(100 + 24 * HOUR + 50, false).try_into().unwrap();
    assert!(desk.look_at(100 + 30 * HOUR, true).is_empty());
    desk.infect(100 + 40 * HOUR, "10.1.0.2", "10.1.0.3", "w");
    let [again] = desk.look().try_into().unwrap();

    assert_eq!((closed.status, &closed.id), (Status::Closed, &open.id));
    assert_eq!(closed.updated, Timestamp::from_secs(100 + 24 * HOUR));
    assert!(closed.summary.starts_with("Closed: no host was infected for 1 d 0 h."));
    assert_eq!((again.status, again.incident.as_deref()), (Status::Open, Some("w")));
    assert_ne!(again.id, open.id);
    assert_eq!(desk.book.alerts().len(), 2);
}

#[test]
fn a_moment_of_doubt_is_not_told_and_ten_minutes_withdraw_it() {
    let mut desk = Desk::new();
    desk.infect(100, "10.1.0.1", "10.1.0.2", "w");
    desk.look();
    let infections = std::mem::take(&mut desk.infections);

    assert!(desk.look_at(150, false).is_empty());
    desk.infections = infections;
    assert!(desk.look_at(200, false).is_empty());
    desk.infections.clear();
    assert!(desk.look_at(800, false).is_empty());
    assert!(desk.book.is_due(Timestamp::from_secs(1400)));
    let [closed] = desk.look_at(1400, false).try_into().unwrap();

    assert_eq!(closed.status, Status::Closed);
    assert!(closed.summary.starts_with("Withdrawn: "), "{}", closed.summary);
}

#[test]
fn at_the_end_nothing_waits() {
    let mut desk = Desk::new();
    desk.infect(100, "10.1.0.1", "10.1.0.2", "doubtful");
    for n in 3..7 {
        desk.infect(100, "10.1.0.3", &format!("10.1.0.{}", n + 1), "w");
    }
    desk.look();
    desk.infections.retain(|found| found.incident == "w");
    desk.infect(101, "10.1.0.3", "10.1.0.30", "w");

    let told = desk.look_at(101, true);

    assert_eq!(statuses(&told), [Status::Closed, Status::Update]);
    assert_eq!(told[1].hosts_total, 6);
}

#[test]
fn a_flood_of_incidents_stays_in_the_budget() {
    let config = AlertConfig { budget: ByteSize(400_000), ..AlertConfig::default() };
    let mut desk = Desk::with(&config);
    let addr = |n: u32| std::net::Ipv4Addr::from_bits(0x0a01_0000 + n).to_string();
    for n in 0..100 {
        desk.infect(i64::from(n), &addr(2 * n), &addr(2 * n + 1), &format!("w{n:03}"));
        desk.look();
        assert!(desk.book.state_bytes() <= config.budget_of_incidents());
    }

    let opened = desk.book.changes()[&Status::Open];
    assert_eq!(opened, 100);
    assert_eq!(desk.book.alerts().len() as u64 + desk.book.evicted(), 100);
}

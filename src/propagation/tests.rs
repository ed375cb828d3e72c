use super::exchange::Axis;
use super::*;
use crate::detect::Family;
use crate::detect::testing::{ip, tcp};
use crate::event::{Login, Record, Smtp};
use crate::inventory::InventoryConfig;
use crate::score::ScoreBoard;

const PUSH: (u64, u64) = (21_054, 849);
const TALK: (u64, u64) = (1_594, 1_181);

/// The stage with an inventory, and the scores that it hears.
struct Story {
    stage: Propagation,
    inventory: Inventory,
    board: ScoreBoard,
    said: Vec<Evidence>,
}

impl Story {
    fn new() -> Self {
        let score = ScoreConfig::default();
        Self {
            stage: Propagation::new(&Config::default(), score.prior),
            inventory: Inventory::new(&InventoryConfig::default()),
            board: ScoreBoard::new(&score),
            said: Vec::new(),
        }
    }

    fn play(&mut self, event: &Event) {
        let mut out = Vec::new();
        self.stage.on_tick(event.ts, &mut out);
        self.stage.on_event(event, &self.inventory, &mut out);
        self.inventory.on_event(event);
        for evidence in out {
            self.hear(evidence);
        }
    }

    fn hear(&mut self, evidence: Evidence) {
        let (host, ts) = (evidence.host, evidence.ts);
        self.said.push(evidence.clone());
        self.board.add(evidence);
        let score = self.board.get(host).unwrap();
        self.stage.on_score(score, self.board.config(), ts);
    }

    /// A conversation of a tenth of a second.
    fn talk(&mut self, from: &str, to: &str, port: u16, at: f64, bytes: (u64, u64)) {
        let talk = tcp(from, to, port).at(at);
        self.play(&talk.accepted());
        self.play(&talk.conn(0.1, bytes, 3));
    }

    /// Twenty desks that use one file server for an hour, each in its own way.
    fn morning() -> Self {
        let mut story = Self::new();
        for n in 0..20u32 {
            let desk = format!("10.0.1.{n}");
            story.talk(
                &desk,
                "10.0.0.5",
                445,
                f64::from(n) * 60.0,
                (900 + u64::from(n) * 331, 2_000),
            );
        }
        story
    }

    fn edges(&self) -> Vec<(String, String)> {
        let account = self.stage.account(&self.inventory);
        let sure = account.infections.iter().filter(|found| found.is_likely());
        sure.map(|found| (found.from.to_string(), found.to.to_string())).collect()
    }

    fn score(&self, host: &str) -> f64 {
        self.board.get(ip(host)).map_or(0.0, |score| score.peak)
    }
}

fn edge(from: &str, to: &str) -> (String, String) {
    (from.to_owned(), to.to_owned())
}

#[test]
fn a_chain_that_passes_something_on_is_a_worm() {
    let mut story = Story::morning();
    for (n, at) in [(1, 3600.0), (2, 3605.0), (3, 3609.0)] {
        story.talk(&format!("10.0.1.{n}"), &format!("10.0.1.{}", n + 1), 445, at, PUSH);
    }

    let edges = story.edges();
    assert!(edges.contains(&edge("10.0.1.1", "10.0.1.2")), "{edges:?}");
    assert!(edges.contains(&edge("10.0.1.2", "10.0.1.3")), "{edges:?}");
    assert!(story.score("10.0.1.2") >= 50.0, "{}", story.score("10.0.1.2"));
    // Who called one host that turned may be its administrator.
    assert!(story.score("10.0.1.1") < 50.0, "{}", story.score("10.0.1.1"));
    let account = story.stage.account(&story.inventory);
    let [incident] = account.incidents.as_slice() else { panic!("{:?}", account.incidents) };
    assert_eq!(incident.patient_zero, [ip("10.0.1.1")]);
    assert!(incident.generations >= 2);
    assert!(incident.exposed.iter().any(|next| next.host == ip("10.0.0.5")));
    let named: Vec<_> = account.infections.iter().map(|found| &found.incident).collect();
    assert!(named.iter().all(|name| **name == incident.id));
    assert_eq!(story.stage.incident_of(ip("10.0.1.2")).as_ref(), Some(&incident.id));
}

/// A host turns out to come from elsewhere: what was one tree is two, and still one incident.
#[test]
fn a_tree_that_falls_apart_stays_one_incident() {
    let mut story = Story::morning();
    for n in 1..7 {
        let at = 3600.0 + f64::from(n) * 5.0;
        story.talk(&format!("10.0.1.{n}"), &format!("10.0.1.{}", n + 1), 445, at, PUSH);
    }
    let before = story.stage.account(&story.inventory);
    story.stage.forest.turned.get_mut(&ip("10.0.1.4")).unwrap().entry.peer = ip("10.0.1.15");
    story.stage.forest.stir(ip("10.0.1.4"));
    story.stage.on_tick(Timestamp::from_secs(3700), &mut Vec::new());

    let after = story.stage.account(&story.inventory);

    let [[old], [new]] = [&before, &after].map(|account| account.incidents.as_slice()) else {
        panic!("{:?} {:?}", before.incidents, after.incidents)
    };
    assert_eq!(old.id, new.id);
    assert_eq!(new.patient_zero, [ip("10.0.1.1"), ip("10.0.1.15")]);
    assert_eq!(new.hosts, old.hosts + 1);
}

#[test]
fn a_chain_over_different_services_is_a_chain() {
    let mut story = Story::morning();
    let ways = [(3389, 41_000), (5985, 41_300), (445, 40_900), (22, 41_100)];
    for (n, (port, sent)) in (1u32..).zip(ways) {
        let (from, to) = (format!("10.0.1.{n}"), format!("10.0.1.{}", n + 1));
        story.talk(&from, &to, port, 3600.0 + f64::from(n) * 6.0, (sent, 9_000));
    }

    let edges = story.edges();

    for n in 1..4 {
        let expected = edge(&format!("10.0.1.{n}"), &format!("10.0.1.{}", n + 1));
        assert!(edges.contains(&expected), "{edges:?}");
    }
}

#[test]
fn one_step_alone_convicts_nobody() {
    let mut story = Story::morning();
    story.talk("10.0.1.1", "10.0.1.2", 445, 3600.0, PUSH);
    story.talk("10.0.1.2", "10.0.1.3", 445, 3605.0, PUSH);

    assert!(story.score("10.0.1.2") < 50.0, "{}", story.score("10.0.1.2"));
    assert_eq!(story.edges(), []);
}

#[test]
fn what_others_say_of_a_pair_makes_one_step_enough() {
    let mut story = Story::morning();
    for host in ["10.0.1.1", "10.0.1.2"] {
        let mut scan =
            crate::score::testing::evidence("scan.horizontal", Family::Failure, 10.0, 3500);
        scan.host = ip(host);
        story.hear(scan);
    }
    story.talk("10.0.1.1", "10.0.1.2", 445, 3600.0, PUSH);
    story.talk("10.0.1.2", "10.0.1.3", 445, 3605.0, PUSH);

    assert_eq!(story.edges().first(), Some(&edge("10.0.1.1", "10.0.1.2")));
}

#[test]
fn a_habit_is_no_turn() {
    let mut story = Story::morning();
    for n in 1..5 {
        story.talk(&format!("10.0.1.{n}"), "10.0.1.15", 445, 1500.0 + f64::from(n), PUSH);
    }
    for (n, at) in [(1, 3600.0), (2, 3605.0), (3, 3609.0)] {
        story.talk(&format!("10.0.1.{n}"), &format!("10.0.1.{}", n + 1), 445, at, PUSH);
    }

    assert_eq!(story.edges(), []);
    assert!(story.said.is_empty(), "{:?}", story.said);
}

#[test]
fn who_distributes_is_not_who_turns() {
    let mut story = Story::morning();
    for n in 0..20 {
        story.talk("10.0.0.9", &format!("10.0.1.{n}"), 445, 3600.0 + f64::from(n), PUSH);
    }
    // And the desks go on with their work.
    for n in 0..20u32 {
        let bytes = (700 + u64::from(n) * 410, 3_000);
        story.talk(&format!("10.0.1.{n}"), "10.0.0.5", 445, 3700.0 + f64::from(n), bytes);
    }

    assert_eq!(story.edges(), []);
}

#[test]
fn a_relay_passes_on_what_is_still_coming_in() {
    let mut story = Story::morning();
    let outer = tcp("10.0.1.1", "10.0.0.7", 22).at(3600.0);
    let inner = tcp("10.0.0.7", "10.0.0.8", 22).at(3600.2);
    for event in
        [outer.accepted(), inner.accepted(), inner.conn(20.0, TALK, 9), outer.conn(21.0, TALK, 9)]
    {
        story.play(&event);
    }

    assert_eq!(story.edges(), []);
    assert!(story.score("10.0.0.7") < 27.0, "{}", story.score("10.0.0.7"));
}

#[test]
fn mail_finds_its_reader_by_the_mailbox() {
    let mut story = Story::morning();
    let mut letter = |from: &str, mailbox: &str, to: &str, at: f64| {
        let talk = tcp(from, "10.0.0.25", 25).at(at);
        story.play(&talk.accepted());
        let mail = Smtp {
            mailfrom: Some(format!("{mailbox}@corp.example")),
            rcptto: vec![format!("{to}@corp.example")],
            ..Smtp::default()
        };
        let mut event = talk.accepted();
        event.body = Body::Record(Box::new(Record::Smtp(mail)));
        story.play(&event);
        story.play(&talk.conn(0.2, (16_224, 107), 3));
    };
    letter("10.0.1.1", "anna", "bert", 3600.0);
    letter("10.0.1.2", "bert", "cleo", 3700.0);
    letter("10.0.1.3", "cleo", "dora", 3790.0);
    letter("10.0.1.4", "dora", "emil", 3900.0);

    let edges = story.edges();

    for (from, to) in [("10.0.1.1", "10.0.1.2"), ("10.0.1.2", "10.0.1.3"), ("10.0.1.3", "10.0.1.4")]
    {
        assert!(edges.contains(&edge(from, to)), "{edges:?}");
    }
}

#[test]
fn what_it_said_itself_is_not_heard_again() {
    let mut story = Story::morning();
    story.talk("10.0.1.1", "10.0.1.2", 445, 3600.0, PUSH);
    story.talk("10.0.1.2", "10.0.1.3", 445, 3605.0, PUSH);
    let before = story.stage.forest.tree(ip("10.0.1.2")).unwrap().odds();
    let own = crate::score::testing::evidence(Propagation::ID, Family::Causality, 8.0, 3606);
    story.hear(Evidence { host: ip("10.0.1.2"), ..own });
    story.talk("10.0.1.9", "10.0.1.10", 445, 3607.0, (77, 77));

    assert!((story.stage.forest.tree(ip("10.0.1.2")).unwrap().odds() - before).abs() < 1e-9);
}

#[test]
fn a_login_that_was_refused_brought_nothing() {
    let mut story = Story::morning();
    let mut login = |from: &str, at: f64, is_in: bool| {
        let talk = tcp(from, "10.0.1.9", 23).at(at);
        story.play(&talk.accepted());
        let mut event = talk.accepted();
        event.body = Body::Record(Box::new(Record::Login(Login {
            protocol: "telnet",
            method: "password",
            user: Some("root".to_owned()),
            domain: None,
            workstation: None,
            success: Some(is_in),
            inferred: false,
        })));
        story.play(&event);
        story.play(&talk.conn(0.2, if is_in { (70, 145) } else { (72, 150) }, 3));
    };
    login("10.0.1.1", 3600.0, true);
    login("10.0.1.2", 3610.0, false);
    story.talk("10.0.1.1", "10.0.1.8", 23, 3590.0, (71, 146));
    story.talk("10.0.1.9", "10.0.1.10", 23, 3620.0, (70, 145));

    let turned = story.stage.forest.turned.get(&ip("10.0.1.9")).unwrap();
    assert_eq!(turned.entry.peer, ip("10.0.1.1"));
    assert_eq!(turned.tie.axis, Axis::Same);
}

#[test]
fn a_flood_of_hosts_stays_in_the_budget_and_is_counted() {
    let config = Config { budget: crate::config::units::ByteSize::mib(1), ..Config::default() };
    let mut story = Story::new();
    story.stage = Propagation::new(&config, -6.0);
    for n in 0..20_000u32 {
        let addr = |n: u32| std::net::Ipv4Addr::from_bits(0x0a00_0000 + n).to_string();
        story.talk(&addr(n), &addr(n * 7 + 1), 445, f64::from(n) * 0.01, PUSH);
    }

    assert!(story.stage.hosts.bytes() <= 1 << 20);
    assert!(story.stage.evicted() > 0);
}

/// Fifty thousand hosts, each of which calls twenty others in its own way: a million edges.
#[test]
fn a_large_house_fits_into_a_quarter_of_a_gibibyte() {
    const HOSTS: u32 = 50_000;
    let budget = crate::config::units::ByteSize::mib(256);
    let mut stage = Propagation::new(&Config { budget, ..Config::default() }, -6.0);
    let inventory = Inventory::new(&InventoryConfig::default());
    let addr = |n: u32| IpAddr::from(std::net::Ipv4Addr::from_bits(0x0a00_0000 + n % HOSTS));
    let mut event = tcp("10.0.0.1", "10.0.0.2", 22).conn(0.1, PUSH, 3);
    let (mut most, mut out) = (0, Vec::new());
    for n in 0..20 * HOSTS {
        let (round, host) = (n / HOSTS, n % HOSTS);
        event.ts = Timestamp::from_nanos(i64::from(n) * 1_000_000);
        let talk = event.conversation.as_mut().unwrap();
        (talk.client.addr, talk.server.addr) = (addr(host), addr(host + 1 + round * round));
        let Body::Conn(conn) = &mut event.body else { panic!("{event:?}") };
        conn.start = event.ts;
        conn.client.bytes = u64::from(n.wrapping_mul(2_654_435_761) % 90_000) + 100;
        if n % 1000 == 0 {
            stage.on_tick(event.ts, &mut out);
        }
        stage.on_event(&event, &inventory, &mut out);
        out.clear();
        if n % 4096 == 0 {
            most = most.max(stage.state_bytes());
        }
    }

    assert!(most <= budget.0, "{most}");
    // Each host is remembered, or was and is counted as forgotten.
    let (hosts, forgotten) = (stage.hosts.len() as u64, stage.hosts.evicted());
    assert!(hosts + forgotten >= u64::from(HOSTS), "{hosts} {forgotten}");
    assert!(stage.evicted() >= forgotten);
}

/// Who fetches what its caller brought does so over a port that nothing else is known of.
fn fetched(story: &mut Story, intruder: &str, victim: &str, port: u16, at: f64) {
    story.talk(intruder, victim, port, at, TALK);
    story.talk(victim, intruder, 8080, at + 1.0, (90, 41_000));
}

#[test]
fn what_is_fetched_from_the_caller_makes_a_chain_whatever_the_door() {
    let mut story = Story::morning();
    for (n, port) in (1u32..).zip([22, 5985, 3389, 445]) {
        let (from, to) = (format!("10.0.1.{n}"), format!("10.0.1.{}", n + 1));
        fetched(&mut story, &from, &to, port, 3600.0 + f64::from(n) * 4000.0);
    }

    let edges = story.edges();

    for n in 1..4 {
        let expected = edge(&format!("10.0.1.{n}"), &format!("10.0.1.{}", n + 1));
        assert!(edges.contains(&expected), "{edges:?}");
    }
}

#[test]
fn what_was_always_fetched_there_is_no_copy() {
    let mut story = Story::morning();
    for n in 2..6u32 {
        let (desk, server) = (format!("10.0.1.{n}"), format!("10.0.1.{}", n - 1));
        story.talk(&desk, &server, 8080, 1500.0 + f64::from(n), (90, 41_000));
    }
    for (n, port) in (1u32..).zip([22, 5985, 3389, 445]) {
        let (from, to) = (format!("10.0.1.{n}"), format!("10.0.1.{}", n + 1));
        fetched(&mut story, &from, &to, port, 3600.0 + f64::from(n) * 4000.0);
    }

    assert_eq!(story.edges(), []);
}

#[test]
fn a_victim_that_comes_back_to_ask_has_infected_nobody() {
    let mut story = Story::morning();
    fetched(&mut story, "10.0.1.1", "10.0.1.2", 22, 3600.0);
    // It asks the one that it came from, for hours, before that one goes on.
    for n in 0..3 {
        story.talk("10.0.1.2", "10.0.1.1", 443, 7200.0 + f64::from(n) * 900.0, (9_000, 70_000));
    }
    fetched(&mut story, "10.0.1.1", "10.0.1.3", 5985, 12_000.0);
    fetched(&mut story, "10.0.1.2", "10.0.1.4", 3389, 15_000.0);
    fetched(&mut story, "10.0.1.3", "10.0.1.5", 445, 18_000.0);
    fetched(&mut story, "10.0.1.4", "10.0.1.6", 22, 21_000.0);
    fetched(&mut story, "10.0.1.5", "10.0.1.7", 22, 24_000.0);

    let account = story.stage.account(&story.inventory);
    let [incident] = account.incidents.as_slice() else { panic!("{:?}", account.incidents) };
    assert_eq!(incident.patient_zero, [ip("10.0.1.1")]);
}

#[test]
fn a_server_infects_those_who_use_it() {
    let mut story = Story::morning();
    story.talk("10.0.1.1", "10.0.0.5", 445, 7200.0, PUSH);
    story.talk("10.0.0.5", "10.0.1.7", 445, 7206.0, PUSH);
    story.talk("10.0.1.7", "10.0.1.8", 445, 7211.0, PUSH);

    let edges = story.edges();

    assert!(edges.contains(&edge("10.0.0.5", "10.0.1.7")), "{edges:?}");
}

#[test]
fn a_server_that_answers_a_call_with_a_call_infects_nobody() {
    let mut story = Story::morning();
    for n in 1..6 {
        let (desk, at) = (format!("10.0.1.{n}"), 7200.0 + f64::from(n) * 30.0);
        story.talk(&desk, "10.0.0.5", 445, at, PUSH);
        story.talk("10.0.0.5", &desk, 445, at + 2.0, PUSH);
    }

    assert_eq!(story.edges(), []);
}

#[test]
fn suspects_whom_little_ties_together_are_no_chain() {
    let mut story = Story::morning();
    for host in ["10.0.1.1", "10.0.1.2"] {
        for family in [Family::Failure, Family::Lateral, Family::Credential] {
            let mut heard = crate::score::testing::evidence("scan.horizontal", family, 10.0, 3500);
            heard.host = ip(host);
            story.hear(heard);
        }
    }
    // Both do what everybody here does.
    for n in 3..18 {
        story.talk(&format!("10.0.1.{n}"), "10.0.1.19", 445, 3000.0 + f64::from(n), PUSH);
    }
    story.talk("10.0.1.1", "10.0.1.2", 445, 3600.0, PUSH);
    story.talk("10.0.1.2", "10.0.1.3", 445, 7600.0, PUSH);

    assert_eq!(story.edges(), []);
}

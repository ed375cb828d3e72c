//! Victims that think with their intruder's model, and everybody else who asks one.

use super::super::testing::{Stage, ip, tcp};
use super::*;
use crate::config::units::ByteSize;
use crate::event::Event;

const HOUR: f64 = 3600.0;
const DAY: f64 = 24.0 * HOUR;
/// When the stories begin, in an office that was watched before.
const NOW: f64 = 10.0 * DAY;
/// An infected host that can run a model.
const BRAIN: &str = "10.0.8.1";
/// A server of the house's own models.
const MODELS: &str = "10.0.8.9";

/// Ten days in which forty hosts use a file server and a web server, half of them over SSH too.
fn office() -> Stage<Relay> {
    office_with(&Config::default())
}

fn office_with(config: &Config) -> Stage<Relay> {
    let mut stage = Stage::new(Relay::new(config));
    stage.play((0..10).flat_map(|day| {
        (1..=40).flat_map(move |n| {
            let host = format!("10.0.0.{n}");
            let at = f64::from(day) * DAY + f64::from(n) * 60.0;
            [
                tcp(&host, "10.0.9.5", 445).at(at).accepted(),
                tcp(&host, "10.0.9.6", 443).at(at + 1.0).accepted(),
                tcp(&host, "10.0.9.7", if n % 2 == 0 { 22 } else { 443 }).at(at + 2.0).accepted(),
                tcp(BRAIN, "10.0.9.5", 445).at(at + 3.0).accepted(),
            ]
        })
    }));
    stage
}

fn enter(by: &str, victim: &str, at: f64) -> Event {
    tcp(by, victim, 22).at(at).accepted()
}

/// A question, answered within four seconds.
fn ask(asker: &str, server: &str, at: f64) -> [Event; 2] {
    let talk = tcp(asker, server, 11_434).at(at);
    [talk.accepted(), talk.answered(4.0, "/api/chat")]
}

/// Each thinks with the brain and tries somebody new two seconds after the answer, three times.
fn think_and_act(victim: &str, brain: &str, from: f64) -> Vec<Event> {
    let round = |n: u32| {
        let at = from + f64::from(n) * 5.0 * HOUR;
        let target = format!("10.0.7.{}", n + 1);
        let [call, answer] = ask(victim, brain, at);
        [call, answer, tcp(victim, &target, 445).at(at + 6.0).refused()]
    };
    (0..3).flat_map(round).collect()
}

#[test]
fn speaks_of_a_host_that_asks_its_intruder_and_suspects_it_of_nothing_yet() {
    let mut stage = office();

    stage.play([enter(BRAIN, "10.0.0.3", NOW)]);
    stage.play(ask("10.0.0.3", BRAIN, NOW + 2.0 * HOUR));

    let weight = stage.weight("10.0.0.3");
    assert!((2.5..5.0).contains(&weight), "{weight}");
    let last = stage.last("10.0.0.3");
    assert_eq!(
        (last.family, last.peers.as_slice()),
        (super::super::Family::Inference, &[ip(BRAIN)][..])
    );
    assert!(last.summary.contains("2 h after being entered by it"), "{}", last.summary);
    assert_eq!(stage.weight(BRAIN), 0.0);
}

#[test]
fn finds_the_way_up_to_a_grandparent() {
    let mut stage = office();

    stage.play([enter(BRAIN, "10.0.0.3", NOW), enter("10.0.0.3", "10.0.0.4", NOW + HOUR)]);
    stage.play(ask("10.0.0.4", BRAIN, NOW + 2.0 * HOUR));

    assert!(stage.weight("10.0.0.4") >= 2.5, "{}", stage.weight("10.0.0.4"));
    let summary = &stage.last("10.0.0.4").summary;
    assert!(summary.contains("entered by 10.0.0.3, which descends from it"), "{summary}");
}

#[test]
fn weighs_more_where_several_converge_and_speaks_of_their_server() {
    let mut stage = office();
    let mut weights = Vec::new();

    for n in 3..7u32 {
        let victim = format!("10.0.0.{n}");
        let at = NOW + f64::from(n) * HOUR;
        stage.play([enter(BRAIN, &victim, at)]);
        stage.play(ask(&victim, BRAIN, at + 600.0));
        weights.push(stage.weight(&victim));
    }

    assert!(weights[1] > weights[0] && weights[2] > weights[1], "{weights:?}");
    let server = stage.weight(BRAIN);
    assert!((3.0..=4.0).contains(&server), "{server}");
    assert!(stage.last(BRAIN).summary.contains("3 hosts"), "{}", stage.last(BRAIN).summary);
}

#[test]
fn weighs_more_what_acts_upon_answers() {
    let mut stage = office();

    stage.play([enter(BRAIN, "10.0.0.3", NOW)]);
    stage.play(think_and_act("10.0.0.3", BRAIN, NOW + HOUR));

    let weight = stage.weight("10.0.0.3");
    assert_eq!(weight, Config::default().llr_max);
    // More cannot be said than after the second.
    assert!(stage.last("10.0.0.3").summary.contains("after 2 of 2 answers"));
}

#[test]
fn notices_who_acts_upon_answers_even_if_nobody_saw_it_entered_and_suspects_it_of_nothing_yet() {
    let mut stage = office();

    stage.play(think_and_act("10.0.0.3", BRAIN, NOW));

    let weight = stage.weight("10.0.0.3");
    assert!((2.0..4.0).contains(&weight), "{weight}");
}

/// A question over TLS, of which only the cadence of the answer is known, when the connection ends.
fn ask_in_secret(asker: &str, server: &str, port: u16, at: f64) -> [Event; 2] {
    let talk = tcp(asker, server, port).at(at);
    [talk.accepted(), talk.dripped(35.0, &[4.0])]
}

#[test]
fn knows_by_their_cadence_answers_that_it_cannot_read() {
    let mut stage = office();

    stage.play([enter(BRAIN, "10.0.0.3", NOW)]);
    stage.play(ask_in_secret("10.0.0.3", BRAIN, 443, NOW + HOUR));
    assert_eq!(stage.weight("10.0.0.3"), 0.0);
    stage.play(ask_in_secret("10.0.0.3", BRAIN, 443, NOW + 2.0 * HOUR));

    assert!(stage.weight("10.0.0.3") >= 2.5, "{}", stage.weight("10.0.0.3"));
}

#[test]
fn finds_what_followed_answers_that_became_known_late() {
    let mut stage = office();

    for n in 0..3u32 {
        let at = NOW + f64::from(n) * HOUR;
        let [call, answer] = ask_in_secret("10.0.0.3", BRAIN, 443, at);
        let act = tcp("10.0.0.3", &format!("10.0.7.{}", n + 1), 445).at(at + 6.0).refused();
        stage.play([call, act, answer]);
    }

    assert!(stage.weight("10.0.0.3") >= 2.0, "{}", stage.weight("10.0.0.3"));
    assert!(stage.last("10.0.0.3").summary.contains("after 3 of 3 answers"));
}

#[test]
fn counts_an_answer_once_that_it_read_and_that_dripped() {
    let mut stage = office();
    let talk = tcp("10.0.0.3", BRAIN, 11_434).at(NOW + HOUR);

    stage.play([enter(BRAIN, "10.0.0.3", NOW)]);
    let act = tcp("10.0.0.3", "10.0.7.1", 445).at(NOW + HOUR + 6.0).refused();
    stage.play([talk.accepted(), talk.answered(4.0, "/api/chat"), act, talk.dripped(35.0, &[4.0])]);
    let acts = &stage.detector.hosts.peek(&ip("10.0.0.3")).unwrap().acts;

    assert_eq!((acts.answers, acts.followed), (1, 1));
}

#[test]
fn ignores_what_programs_print_over_a_way_to_administer_a_host() {
    let mut stage = office();

    stage.play([enter(BRAIN, "10.0.0.3", NOW)]);
    stage
        .play((1..9).flat_map(|n| ask_in_secret("10.0.0.3", BRAIN, 22, NOW + f64::from(n) * HOUR)));

    stage.assert_silent();
}

#[test]
fn ignores_a_host_that_merely_asks_a_server_that_was_none_before() {
    let mut stage = office();

    stage.play((0..50).flat_map(|n| ask("10.0.0.3", BRAIN, NOW + f64::from(n) * 300.0)));

    stage.assert_silent();
}

#[test]
fn ignores_a_developer_with_a_local_model() {
    // He asks all day, logs in to his usual servers, to the one of the models too, and sometimes to another.
    let mut stage = office();

    stage.play((0..200).flat_map(|n| {
        let at = NOW + f64::from(n) * 400.0;
        let [call, answer] = ask("10.0.0.3", MODELS, at);
        let usual = tcp("10.0.0.3", "10.0.9.7", 22).at(at + 10.0).accepted();
        let other = format!("10.0.6.{}", n / 40 + 1);
        let models = tcp("10.0.0.3", MODELS, 22).at(at + 100.0).accepted();
        [call, answer, usual, models, tcp("10.0.0.3", &other, 22).at(at + 200.0).accepted()]
    }));

    stage.assert_silent();
}

#[test]
fn ignores_a_chat_interface_that_twenty_use_and_the_twenty() {
    let mut stage = office();

    stage.play((0..400).flat_map(|n| {
        let at = NOW + f64::from(n) * 200.0;
        let user = format!("10.0.0.{}", n % 20 + 1);
        let visit = tcp(&user, "10.0.9.20", 443).at(at).accepted();
        let [call, answer] = ask("10.0.9.20", MODELS, at + 0.5);
        let [own_call, own_answer] = ask(&user, MODELS, at + 90.0);
        [visit, call, answer, own_call, own_answer]
    }));

    stage.assert_silent();
}

#[test]
fn ignores_a_service_that_asks_and_searches_all_day() {
    // It looks something up in one of three databases after each answer.
    let mut stage = office();

    stage.play((0..500).flat_map(|n| {
        let at = NOW + f64::from(n) * 170.0;
        let [call, answer] = ask("10.0.9.21", MODELS, at);
        let database = format!("10.0.9.{}", 30 + n % 3);
        [call, answer, tcp("10.0.9.21", &database, 5432).at(at + 4.5).accepted()]
    }));

    assert_eq!(stage.weight("10.0.9.21"), 0.0);
    assert_eq!(stage.weight(MODELS), 0.0);
}

#[test]
fn ignores_an_assistant_that_asks_with_every_line() {
    // Five developers, who now and then log in somewhere new while they work.
    let mut stage = office();

    stage.play((0..600).flat_map(|n| {
        let at = NOW + f64::from(n) * 60.0;
        let who = format!("10.0.0.{}", n % 5 + 1);
        let [call, answer] = ask(&who, MODELS, at);
        let new = format!("10.0.6.{}", n / 20 + 1);
        let login = tcp(&who, &new, 22).at(at + if n % 2 == 0 { 25.0 } else { 310.0 }).accepted();
        [Some(call), Some(answer), (n % 20 == 0).then_some(login)].into_iter().flatten()
    }));

    for n in 1..=5 {
        assert_eq!(stage.weight(&format!("10.0.0.{n}")), 0.0, "{n}");
    }
}

#[test]
fn ignores_a_host_that_a_server_of_the_house_happened_to_enter() {
    let mut stage = office();
    stage.play(
        (10..30).flat_map(|n| ask(&format!("10.0.0.{n}"), MODELS, NOW + f64::from(n) * 60.0)),
    );

    stage.play([enter(MODELS, "10.0.0.3", NOW + DAY)]);
    stage.play(ask("10.0.0.3", MODELS, NOW + DAY + HOUR));

    stage.assert_silent();
}

#[test]
fn takes_back_what_it_said_of_a_server_that_turns_out_to_be_one_of_the_house() {
    let mut stage = office();
    stage.play([enter(MODELS, "10.0.0.3", NOW)]);
    stage.play(ask("10.0.0.3", MODELS, NOW + HOUR));
    let before = stage.weight("10.0.0.3");

    stage.play(
        (10..14).flat_map(|n| {
            ask(&format!("10.0.0.{n}"), MODELS, NOW + 2.0 * HOUR + f64::from(n) * 60.0)
        }),
    );

    assert!(before >= 2.5, "{before}");
    assert_eq!(stage.weight("10.0.0.3"), 0.0);
}

#[test]
fn ignores_hosts_that_were_entered_long_ago_or_had_asked_before() {
    let mut stage = office();
    stage.play([enter(BRAIN, "10.0.0.3", NOW)]);
    stage.play(ask("10.0.0.4", BRAIN, NOW));

    stage.play([enter(BRAIN, "10.0.0.4", NOW + HOUR)]);
    stage.play(ask("10.0.0.4", BRAIN, NOW + 2.0 * HOUR));
    stage.play(ask("10.0.0.3", BRAIN, NOW + 4.0 * DAY));

    stage.assert_silent();
}

#[test]
fn ignores_a_host_that_had_called_whoever_entered_it() {
    // A developer logs in to the server of the models and copies something back from there.
    let mut stage = office();

    stage.play([
        tcp("10.0.0.3", BRAIN, 22).at(NOW).accepted(),
        tcp(BRAIN, "10.0.0.3", 22).at(NOW + 60.0).accepted(),
    ]);
    stage.play(ask("10.0.0.3", BRAIN, NOW + 120.0));

    stage.assert_silent();
}

#[test]
fn doubts_a_visit_of_a_web_server() {
    let weight = |port| {
        let mut stage = office();
        let at = NOW + 8.0 * DAY;
        stage.play([tcp(BRAIN, "10.0.0.3", port).at(at).accepted()]);
        stage.play(ask("10.0.0.3", BRAIN, at + DAY));
        stage.weight("10.0.0.3")
    };

    assert!(weight(80) < weight(22), "{} {}", weight(80), weight(22));
}

#[test]
fn learns_that_servers_of_models_enter_their_askers_here() {
    // Each team's server entered its desks long before they asked it.
    let mut stage = office();
    stage.play((1..=30).map(|n| enter(&format!("10.0.5.{n}"), &format!("10.0.4.{n}"), NOW)));
    stage.play((1..=30).flat_map(|n| {
        let at = NOW + 5.0 * DAY + f64::from(n) * 60.0;
        ask(&format!("10.0.4.{n}"), &format!("10.0.5.{n}"), at)
    }));

    stage.play([enter(BRAIN, "10.0.0.3", NOW + 6.0 * DAY)]);
    stage.play(ask("10.0.0.3", BRAIN, NOW + 6.0 * DAY + 8.0 * HOUR));

    assert_eq!(stage.weight("10.0.0.3"), 0.0);
}

#[test]
fn ignores_servers_that_are_listed_or_outside() {
    let config = Config {
        servers: serde_json::from_str(&format!("[\"{BRAIN}\"]")).unwrap(),
        ..Config::default()
    };
    let mut stage = office_with(&config);

    stage.play([enter(BRAIN, "10.0.0.3", NOW), enter("203.0.113.5", "10.0.0.4", NOW)]);
    stage.play(think_and_act("10.0.0.3", BRAIN, NOW + HOUR));
    stage.play(think_and_act("10.0.0.4", "203.0.113.5", NOW + HOUR));

    stage.assert_silent();
}

#[test]
fn stays_within_its_budget() {
    let config = Config { budget: ByteSize::kib(128), ..Config::default() };
    let mut stage = Stage::new(Relay::new(&config));

    stage.play((0..3000u32).flat_map(|n| {
        let (host, at) = (format!("10.1.{}.{}", n / 250, n % 250 + 1), f64::from(n));
        let [call, answer] = ask(&host, BRAIN, at + 0.5);
        [enter(BRAIN, &host, at), call, answer]
    }));

    let held = stage.detector.state_bytes();
    assert!((1..=(128 << 10) + 4096).contains(&held), "{held}");
}

#[test]
fn a_workstation_costs_little() {
    let mut stage = Stage::new(Relay::new(&Config::default()));

    stage.play((0..1000u32).flat_map(|n| {
        (0..5u32).map(move |service| {
            let (host, at) =
                (format!("10.1.{}.{}", n / 250, n % 250 + 1), f64::from(n * 5 + service));
            tcp(&host, &format!("10.0.9.{service}"), [53, 80, 443, 445, 389][service as usize])
                .at(at)
                .accepted()
        })
    }));

    let each = stage.detector.state_bytes() / 1000;
    assert_eq!(each, 356, "docs/detectors.md says so");
}

//! Rules from their text to their evidence.

use std::net::IpAddr;
use std::sync::Arc;

use super::*;
use crate::detect::{Evidence, Family};
use crate::event::{Body, Conversation, Event, Login, Uid};
use crate::inventory::{Inventory, InventoryConfig};
use crate::net::{Endpoint, Transport};
use crate::time::Timestamp;

pub(super) fn file(text: &str) -> RuleFile {
    RuleFile { name: "test/a.yml".to_owned(), group: "test".to_owned(), text: text.to_owned() }
}

pub(super) fn set(text: &str) -> RuleSet {
    RuleSet::new(&[file(text)], &Levels::default(), &[]).unwrap_or_else(|error| panic!("{error}"))
}

fn complaints(text: &str) -> Vec<String> {
    match RuleSet::new(&[file(text)], &Levels::default(), &[]) {
        Ok(_) => Vec::new(),
        Err(RuleError::Wrong(mistakes)) => {
            mistakes.iter().map(|m| format!("{}: {}", m.line, m.what)).collect()
        }
        Err(error) => panic!("{error}"),
    }
}

fn login(secs: i64, from: &str, to: &str, user: &str, success: bool) -> Event {
    let login = Login {
        protocol: "ssh",
        method: "password",
        user: Some(user.to_owned()),
        domain: None,
        workstation: None,
        success: Some(success),
        inferred: false,
    };
    Event {
        ts: Timestamp::from_secs(secs),
        packet: secs as u64,
        conversation: Some(Conversation {
            uid: Uid(secs as u128),
            transport: Transport::Tcp,
            client: Endpoint::new(from.parse().unwrap(), 40_000),
            server: Endpoint::new(to.parse().unwrap(), 22),
            inferred: false,
        }),
        body: Body::Record(Box::new(login.into())),
    }
}

fn run(rules: &mut Rules, events: &[Event]) -> Vec<Evidence> {
    let inventory = Inventory::new(&InventoryConfig::default());
    let mut out = Vec::new();
    for event in events {
        rules.on_event(event, &inventory, &mut out);
    }
    out
}

fn rules(text: &str) -> Rules {
    let mut config = RuleConfig::default();
    config.use_set(Arc::new(set(text)));
    Rules::new(&config)
}

const ROOT: &str = "\
title: Root logs in
id: r-root
name: root_login
tags: [attack.lateral-movement, attack.t1021.004]
logsource: {product: zeek, service: login}
detection:
    selection:
        user: root
        success: true
    condition: selection
level: medium
";

const WALK: &str = "
---
title: Root logs in everywhere
id: r-walk
correlation:
    type: value_count
    rules: [root_login]
    group-by: [id.orig_h]
    timespan: 10m
    condition: {field: id.resp_h, gte: 3}
level: high
generate: true
";

#[test]
fn a_match_becomes_evidence_about_who_opened_the_connection() {
    let mut rules = rules(ROOT);

    let out = run(&mut rules, &[login(5, "10.0.0.1", "10.0.0.2", "root", true)]);

    let [evidence] = out.as_slice() else { panic!("{out:?}") };
    assert_eq!(evidence.host, "10.0.0.1".parse::<IpAddr>().unwrap());
    assert_eq!((evidence.detector, evidence.family), ("lateral.test", Family::Lateral));
    assert_eq!((evidence.subject.as_str(), evidence.llr), ("r-root", 2.0));
    assert_eq!(evidence.techniques, ["T1021.004"]);
    assert_eq!(evidence.peers, ["10.0.0.2".parse::<IpAddr>().unwrap()]);
    assert_eq!(evidence.service.map(|s| s.port), Some(22));
    assert!(!evidence.forgeable);
    assert_eq!(evidence.summary, "Root logs in: 10.0.0.2 (success true, user root)");
}

#[test]
fn a_near_miss_is_nothing() {
    let mut rules = rules(ROOT);

    let events = [
        login(5, "10.0.0.1", "10.0.0.2", "root", false),
        login(6, "10.0.0.1", "10.0.0.2", "rooty", true),
    ];

    assert!(run(&mut rules, &events).is_empty());
}

#[test]
fn who_talks_to_itself_is_left_alone() {
    let mut rules = rules(ROOT);

    assert!(run(&mut rules, &[login(5, "10.0.0.1", "10.0.0.1", "root", true)]).is_empty());
}

#[test]
fn says_it_again_only_when_it_is_news() {
    let mut rules = rules(ROOT);
    let to = |secs, n: u32| login(secs, "10.0.0.1", &format!("10.0.1.{n}"), "root", true);

    let same = run(&mut rules, &[to(1, 1), to(2, 1), to(3, 1)]);
    let more = run(&mut rules, &[to(4, 2), to(5, 3), to(6, 4), to(7, 5)]);
    let later = run(&mut rules, &[to(4000, 1)]);

    assert_eq!(same.len(), 1);
    assert_eq!(more.iter().map(|e| e.peers_total).collect::<Vec<_>>(), [2, 4]);
    assert_eq!(later.len(), 1);
}

#[test]
fn host_after_host_is_a_pattern_of_its_own() {
    let mut rules = rules(&format!("{ROOT}{WALK}"));
    let to = |secs, n: u32| login(secs, "10.0.0.1", &format!("10.0.1.{n}"), "root", true);

    let out = run(&mut rules, &[to(1, 1), to(2, 2), to(3, 2), to(700, 3), to(701, 4), to(702, 1)]);

    let walks: Vec<_> = out.iter().filter(|e| e.subject == "r-walk").collect();
    let [walk] = walks.as_slice() else { panic!("{out:?}") };
    assert_eq!(walk.ts, Timestamp::from_secs(702));
    assert_eq!(walk.llr, 4.0);
    assert_eq!(
        walk.summary,
        "Root logs in everywhere: 10.0.1.1 and 2 more (3 different in 10 min)"
    );
    assert_eq!(walk.peers.len(), 3);
    assert_eq!(walk.conns.len(), 3);
}

#[test]
fn what_only_counts_for_a_pattern_does_not_speak() {
    let mut rules = rules(&format!("{ROOT}{}", WALK.replace("generate: true\n", "")));

    let out = run(&mut rules, &[login(5, "10.0.0.1", "10.0.0.2", "root", true)]);

    assert!(out.is_empty());
}

#[test]
fn a_chain_leads_through_the_host_in_the_middle() {
    let hop = "
---
title: In and out again
id: r-hop
correlation:
    type: temporal_ordered
    rules: [root_login, root_again]
    group-by: [hop]
    timespan: 5m
    aliases:
        hop: {root_login: id.resp_h, root_again: id.orig_h}
level: high
";
    let again = ROOT.replace("r-root", "r-again").replace("root_login", "root_again");
    let text = format!("{ROOT}---\n{again}{hop}");

    let there = run(
        &mut rules(&text),
        &[
            login(1, "10.0.0.1", "10.0.0.2", "root", true),
            login(2, "10.0.0.2", "10.0.0.3", "root", true),
        ],
    );
    let back = run(
        &mut rules(&text),
        &[
            login(1, "10.0.0.2", "10.0.0.3", "root", true),
            login(2, "10.0.0.1", "10.0.0.2", "root", true),
            login(400, "10.0.0.2", "10.0.0.3", "root", true),
        ],
    );

    let [evidence] = there.as_slice() else { panic!("{there:?}") };
    assert_eq!(evidence.host.to_string(), "10.0.0.2");
    assert_eq!(evidence.subject, "r-hop");
    assert!(back.is_empty(), "{back:?}");
}

#[test]
fn patterns_watch_patterns() {
    let storm = "
---
title: Storm
id: r-storm
correlation:
    type: event_count
    rules: [r-walk]
    group-by: [id.orig_h]
    timespan: 1h
    condition: {gte: 2}
level: critical
";
    let mut rules = rules(&format!("{ROOT}{WALK}{storm}"));
    let to = |secs, n: u32| login(secs, "10.0.0.1", &format!("10.0.1.{n}"), "root", true);

    let out = run(&mut rules, &[to(1, 1), to(2, 2), to(3, 3), to(4, 4)]);

    let storms: Vec<_> = out.iter().filter(|e| e.subject == "r-storm").collect();
    assert_eq!(storms.len(), 1);
    assert_eq!(storms[0].ts, Timestamp::from_secs(4));
}

#[test]
fn a_reload_keeps_what_unchanged_rules_remember() {
    let text = format!("{ROOT}{WALK}");
    let to = |secs, n: u32| login(secs, "10.0.0.1", &format!("10.0.1.{n}"), "root", true);
    let walks = |after: &str| {
        let mut rules = rules(&text);
        run(&mut rules, &[to(1, 1), to(2, 2)]);
        let mut config = RuleConfig::default();
        config.use_set(Arc::new(set(after)));
        rules.reload(&config);
        run(&mut rules, &[to(3, 3)]).iter().filter(|e| e.subject == "r-walk").count()
    };

    assert_eq!(walks(&text), 1);
    assert_eq!(
        walks(&format!(
            "{}---\n{text}",
            ROOT.replace("r-root", "r-x").replace("root_login", "other")
        )),
        1
    );
    assert_eq!(walks(&text.replace("user: root", "user: [root, admin]")), 0);
    assert_eq!(walks(&text.replace("10m", "11m")), 0);
}

#[test]
fn a_site_narrows_rules_without_touching_them() {
    let filter = "
---
title: Our backup
filter:
    rules: [r-root]
    selection:
        src_ip: 10.0.0.9
    condition: not selection
logsource: {product: zeek, service: login}
";
    let mut rules = rules(&format!("{ROOT}{filter}"));

    let events = [
        login(1, "10.0.0.9", "10.0.0.2", "root", true),
        login(2, "10.0.0.1", "10.0.0.2", "root", true),
    ];
    let out = run(&mut rules, &events);

    assert_eq!(out.len(), 1);
    assert_eq!(out[0].host.to_string(), "10.0.0.1");
}

#[test]
fn a_disabled_rule_still_counts_for_patterns() {
    let text = format!("{ROOT}{WALK}");
    let disabled = ["r-root".to_owned(), "r-wlak".to_owned()];
    let set = RuleSet::new(&[file(&text)], &Levels::default(), &disabled).unwrap();
    assert_eq!(set.notes()[0].what, "no rule has the id r-wlak: did you mean `r-walk`?");
    let mut config = RuleConfig::default();
    config.use_set(Arc::new(set));
    let to = |secs, n: u32| login(secs, "10.0.0.1", &format!("10.0.1.{n}"), "root", true);

    let out = run(&mut Rules::new(&config), &[to(1, 1), to(2, 2), to(3, 3)]);

    assert_eq!(out.iter().map(|e| e.subject.as_str()).collect::<Vec<_>>(), ["r-walk"]);
}

#[test]
fn mistakes_name_line_field_and_what_was_meant() {
    let with = |from: &str, to: &str| {
        let text = format!("{ROOT}{WALK}");
        assert!(text.contains(from), "{from}");
        complaints(&text.replacen(from, to, 1)).join("; ")
    };

    assert_eq!(
        with("        user:", "        usr:"),
        "8: no field of login is called `usr`: did you mean `user`?"
    );
    assert_eq!(
        with("service: login", "service: lgoin"),
        "5: `service` lgoin is no log of Zeek: did you mean `login`?"
    );
    assert_eq!(
        with("condition: selection", "condition: selction"),
        "10: nothing in the detection is called `selction`: did you mean `selection`?"
    );
    assert_eq!(
        with("condition: selection", "condition: 1 of sel_*"),
        "10: nothing in the detection is called `sel_*`"
    );
    assert_eq!(with("user: root", "user|re: '('").split(':').next(), Some("8"));
    assert_eq!(
        with("rules: [root_login]", "rules: [root_logn]"),
        "18: no rule has the id or name `root_logn`: did you mean `root_login`?"
    );
    assert_eq!(
        with("group-by: [id.orig_h]", "group-by: [id.orig]"),
        "19: no event of rule `root_login` has a field `id.orig`: did you mean `id.orig_h`?"
    );
    assert_eq!(
        with("timespan: 10m", "timespan: 90d"),
        "20: `timespan` is more than nothing and at most 31 days"
    );
    assert_eq!(
        with("{field: id.resp_h, gte: 3}", "{gte: 3}"),
        "21: value_count needs a `field` to count"
    );
    assert_eq!(
        with("type: value_count", "type: value_avg"),
        "17: `value_avg` is not watched here: event_count, value_count, temporal and temporal_ordered are"
    );
    assert_eq!(
        with("id: r-walk", "id: r-root"),
        "15: `id` r-root belongs to another rule, in test/a.yml"
    );
    assert_eq!(
        with("rules: [root_login]", "rules: [r-walk]"),
        "18: this correlation depends on itself"
    );
    assert!(
        with("level: high", "level: high\ncustom: {host: user}").contains("`host` is id.orig_h")
    );
}

#[test]
fn rules_that_can_never_match_are_noted() {
    let notes = |text: &str| {
        let set = set(text);
        set.notes().iter().map(|m| format!("{}: {}", m.line, m.what)).collect::<Vec<_>>()
    };

    assert_eq!(
        notes(&ROOT.replace("product: zeek, service: login", "product: windows")),
        ["5: never matches: wormwatch makes no events of this log source"]
    );
    assert_eq!(
        notes(
            &ROOT
                .replace("service: login", "service: ssh")
                .replace("user: root", "direction: x")
                .replace("        success: true\n", "")
        ),
        ["8: `direction` is never there: wormwatch does not fill it in for ssh"]
    );
    assert_eq!(
        notes(&format!("{ROOT}status: deprecated\n")),
        ["12: not used: its `status` says so"]
    );
}

#[test]
fn events_that_no_rule_asks_for_are_left_alone() {
    let set = set(ROOT);

    assert!(set.asks_for("login"));
    assert!(!set.asks_for("conn"));
}

#[test]
fn a_flood_of_groups_stays_within_the_budget() {
    let mut config = RuleConfig::default();
    config.budget = crate::config::units::ByteSize(100_000);
    config.use_set(Arc::new(set(&format!("{ROOT}{WALK}"))));
    let mut rules = Rules::new(&config);

    for n in 0..20_000 {
        let from = format!("172.16.{}.{}", n / 250, n % 250);
        run(&mut rules, &[login(n, &from, "10.0.0.2", "root", true)]);
    }

    assert!(rules.state_bytes() <= 100_000, "{}", rules.state_bytes());
}

#[test]
fn a_rule_may_ask_what_a_host_is_for() {
    let text = ROOT.replace(
        "    condition: selection",
        "    dc:\n        orig_roles: domain-controller\n    condition: selection and not dc",
    );
    let set = set(&text);

    assert!(set.route("login").unwrap().want_roles(&[0]));
    assert!(!super::tests::set(ROOT).route("login").unwrap().want_roles(&[0]));
}

#[test]
fn wildcards_go_with_both_ends() {
    let matches = |item: &str, user: &str| {
        let text = ROOT.replace("        user: root\n", &format!("        {item}\n"));
        !run(&mut rules(&text), &[login(1, "10.0.0.1", "10.0.0.2", user, true)]).is_empty()
    };

    assert!(matches("user|startswith: 'ro?t'", "rootkit"));
    assert!(!matches("user|startswith: 'ro?t'", "a root"));
    assert!(matches("user|endswith: ['ro?t', 'x']", "a root"));
    assert!(matches("user|endswith: ['ro?t', 'x']", "ax"));
    assert!(!matches("user|endswith: 'ro?t'", "rootkit"));
    assert!(matches("user|contains: 'o*k'", "rootkit"));
    assert!(matches("user: 'r*t'", "root"));
    assert!(!matches("user: 'r*t'", "roots"));
}

proptest::proptest! {
    #[test]
    fn no_text_panics(text in ".{0,200}", at in 0usize..900, cut in 0usize..40) {
        let whole = format!("{ROOT}{WALK}");
        let (at, end) = (whole.floor_char_boundary(at), whole.floor_char_boundary(at + cut));
        let changed = format!("{}{text}{}", &whole[..at], &whole[end..]);

        for text in [text, changed] {
            let _ = RuleSet::new(&[file(&text)], &Levels::default(), &[]);
        }
    }
}

//! The shipped rules and SigmaHQ's, by their tests, and on captures where there are some.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test says what it skips, and fails"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use wormwatch::rules::{Case, Input, Levels, RuleSet, cases, load};
use yaml_serde::Value;

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A folder that lies beside the repository, if it does.
fn shared(path: &str) -> Option<PathBuf> {
    let folder = here("../shared").join(path);
    if folder.exists() {
        return Some(folder);
    }
    println!("skipped: no {path} beside the repository");
    None
}

fn set(folder: &Path) -> RuleSet {
    RuleSet::new(&load(folder).unwrap(), &Levels::default(), &[]).expect("the rules are right")
}

fn wormwatch(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_wormwatch")).args(arguments).output().unwrap()
}

fn said(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    format!("{}{}", String::from_utf8_lossy(out), String::from_utf8_lossy(err))
}

#[test]
fn every_shipped_rule_does_what_its_cases_say() {
    let set = set(&here("rules"));
    let cases = cases(&here("rules"), &set).unwrap();
    let name = |id: &String| set.find(id).map_or(id.clone(), |rule| rule.title.clone());

    let wrong: Vec<_> = cases
        .iter()
        .filter(|case| matches!(case.input, Input::Events(_)))
        .filter_map(|case| {
            let matched = case.run(&set);
            let told = |ids: &BTreeSet<String>| ids.iter().map(name).collect::<Vec<_>>();
            let Case { file, line, name, matches, .. } = case;
            (matched != *matches).then(|| {
                format!(
                    "{file}:{line}: {name}: {:?} instead of {:?}",
                    told(&matched),
                    told(matches)
                )
            })
        })
        .collect();

    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// At least 40 rules, at least three cases for each that speaks, at least one that fires it, and
/// near misses beside.
#[test]
fn every_shipped_rule_is_tested() {
    let set = set(&here("rules"));
    let cases = cases(&here("rules"), &set).unwrap();
    let mut by_file: BTreeMap<&str, Vec<&Case>> = BTreeMap::new();
    for case in &cases {
        by_file.entry(&case.rules).or_default().push(case);
    }
    let mut speaking: BTreeMap<&str, usize> = BTreeMap::new();

    for rule in set.rules().iter().filter(|rule| rule.speaks) {
        let of_file = by_file.get(rule.file.as_str()).map(Vec::as_slice).unwrap_or_default();
        assert!(
            of_file.iter().any(|case| case.matches.contains(&rule.id)),
            "{} never fires",
            rule.title
        );
        assert!(
            of_file.iter().any(|case| !case.matches.contains(&rule.id)),
            "{} misses none",
            rule.title
        );
        *speaking.entry(&rule.file).or_default() += 1;
    }

    assert!(speaking.values().sum::<usize>() >= 40, "{speaking:?}");
    for (file, rules) in speaking {
        assert!(by_file[file].len() >= 3 * rules, "{file}: fewer than three cases a rule");
        let near_misses = by_file[file].iter().filter(|case| case.matches.is_empty()).count();
        assert!(near_misses > 0, "{file}: no near miss");
    }
}

#[test]
fn every_shipped_rule_explains_itself() {
    for file in load(&here("rules")).unwrap() {
        for text in file.text.split("\n---\n") {
            let rule: Value = yaml_serde::from_str(text).unwrap();
            let title = rule["title"].as_str().unwrap();
            for key in ["id", "name", "status", "description", "author", "date", "level"] {
                assert!(rule[key].as_str().is_some_and(|text| !text.is_empty()), "{title}: {key}");
            }
            for key in ["references", "falsepositives", "tags"] {
                let list = rule[key].as_sequence().map(Vec::as_slice).unwrap_or_default();
                assert!(!list.is_empty(), "{title}: {key}");
            }
            let tags = rule["tags"].as_sequence().unwrap();
            let is_technique =
                |tag: &Value| tag.as_str().is_some_and(|tag| tag.starts_with("attack.t1"));
            assert!(tags.iter().any(is_technique), "{title}: no technique");
        }
    }
}

#[test]
fn the_page_lists_the_shipped_rules() {
    let output = wormwatch(&["rules", "list", "--markdown"]);
    let page = std::fs::read_to_string(here("docs/rules.md")).unwrap();

    let table = String::from_utf8(output.stdout).unwrap();
    assert!(
        page.contains(table.trim()),
        "docs/rules.md is not what `wormwatch rules list --markdown` prints"
    );
}

#[test]
fn the_command_tests_the_shipped_rules() {
    let folder = here("rules");
    let captures = shared("corpus").map(|path| path.to_str().unwrap().to_owned());
    let mut arguments = vec!["rules", "test", folder.to_str().unwrap()];
    if let Some(captures) = &captures {
        arguments.extend(["--captures", captures]);
    }

    let output = wormwatch(&arguments);

    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(said(&output).contains(" 0 failed"), "{}", said(&output));
}

#[test]
fn a_failing_case_and_a_wrong_rule_have_a_status_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let rule = "title: a\nid: a\nlogsource: {product: zeek, service: dns}\ndetection:\n    s:\n        qeury: x\n    condition: s\nlevel: low\n";
    let case = "- name: one\n  events: [{log: dns, query: y}]\n  matches: [a]\n";
    let file = folder.path().join("a.yml");
    let path = folder.path().to_str().unwrap();
    std::fs::write(folder.path().join("a.test.yml"), case).unwrap();

    std::fs::write(&file, rule).unwrap();
    let wrong = wormwatch(&["rules", "check", path]);
    std::fs::write(&file, rule.replace("qeury", "query")).unwrap();
    let right = wormwatch(&["rules", "check", path]);
    let failing = wormwatch(&["rules", "test", path]);

    assert_eq!(wrong.status.code(), Some(2));
    let complaint = "a.yml:6: no field of dns is called `qeury`: did you mean `query`?";
    assert!(said(&wrong).contains(complaint), "{}", said(&wrong));
    assert_eq!(right.status.code(), Some(0), "{}", said(&right));
    assert_eq!(failing.status.code(), Some(1), "{}", said(&failing));
    assert!(said(&failing).contains("one: should match a, matched nothing"), "{}", said(&failing));
}

/// SigmaHQ's network rules as they are, in a folder beside the repository.
#[test]
fn sigmahqs_rules_load_as_they_are() {
    let Some(folder) = shared("sigma") else { return };

    let set = set(&folder);

    assert_eq!(set.rules().len(), 29);
    // Only x509 is nothing that is seen here; nothing else may be without events.
    let blind: Vec<_> = set.rules().iter().filter(|rule| rule.kinds.is_empty()).collect();
    assert_eq!(blind.len(), 1, "{blind:?}");
    assert!(blind[0].title.contains("Certificate"), "{}", blind[0].title);
}

/// A configuration with SigmaHQ's rules and no others.
fn only(rules: &Path, folder: &Path) -> PathBuf {
    let config = folder.join("wormwatch.toml");
    let text = format!("[rules]\nshipped = false\ndirectory = {:?}\n", rules.to_str().unwrap());
    std::fs::write(&config, text).unwrap();
    config
}

/// What a replay with this configuration says.
fn replay(config: &Path, capture: &Path) -> String {
    let paths = [config, capture].map(|path| path.to_str().unwrap());
    said(&wormwatch(&["replay", "--json", "-c", paths[0], paths[1]]))
}

/// And they match where a capture shows what they are for.
#[test]
fn sigmahqs_rules_match_what_they_describe() {
    let (Some(rules), Some(corpus)) = (shared("sigma"), shared("corpus")) else { return };
    let folder = tempfile::tempdir().unwrap();
    let config = only(&rules, folder.path());
    let shown = [
        ("exploit/corelight.CVE-2021-1675__PrintNightmare.pcap", "SMB Spoolss Name Piped Usage"),
        ("benign/arkime.arkime__dcerpc_synthetic.pcap", "Potential PetitPotam Attack Via EFS RPC"),
        ("benign/ntop.nDPI__rdp_over_tls.pcap", "Publicly Accessible RDP Service"),
        ("benign/CESNET.ipfixprobe__dns.pcap", "Suspicious DNS Z Flag Bit Set"),
        ("benign/zeek.zeek__ftp-many-port-expected.pcap", "Cleartext Protocol Usage"),
    ];

    for (capture, title) in shown {
        let told = replay(&config, &corpus.join(capture));
        assert!(told.contains(title), "{capture}: {title}");
    }
}

/// What a record of Zeek's has to say for a rule of SigmaHQ's to match it.
type Described = fn(&serde_json::Value) -> bool;

/// Rules that many captures show: their title, the log, and what they describe.
const DESCRIBED: [(&str, &str, Described); 2] = [
    ("MITRE BZAR Indicators for Execution", "dce_rpc.log", |record| {
        matches!(
            (record["endpoint"].as_str(), record["operation"].as_str()),
            (
                Some("svcctl"),
                Some("CreateServiceA" | "CreateServiceW" | "StartServiceA" | "StartServiceW")
            ) | (
                Some("ITaskSchedulerService"),
                Some("SchRpcEnableTask" | "SchRpcRegisterTask" | "SchRpcRun")
            ) | (Some("IWbemServices"), Some("ExecMethod" | "ExecMethodAsync"))
        )
    }),
    ("Kerberos Network Traffic RC4 Ticket Encryption", "kerberos.log", |record| {
        record["request_type"] == "TGS"
            && record["cipher"] == "rc4-hmac"
            && record["service"].as_str().is_some_and(|service| !service.starts_with('$'))
    }),
];

/// On the attack captures they match exactly where a real Zeek's logs have what they describe.
#[test]
fn sigmahqs_rules_match_where_zeek_logs_what_they_describe() {
    let (Some(rules), Some(corpus)) = (shared("sigma"), shared("corpus")) else { return };
    let folder = tempfile::tempdir().unwrap();
    let config = only(&rules, folder.path());
    let mut shown = 0;
    for label in std::fs::read_dir(corpus.join("zeek-logs")).unwrap().flatten() {
        for logs in std::fs::read_dir(label.path()).into_iter().flatten().flatten() {
            let wanted = DESCRIBED.map(|(title, log, described)| {
                let log = std::fs::read_to_string(logs.path().join(log)).ok()?;
                let records = log.lines().map(|line| serde_json::from_str(line).unwrap());
                Some((title, records.filter(described).count() > 0))
            });
            let wanted: Vec<_> = wanted.into_iter().flatten().collect();
            if wanted.is_empty() {
                continue;
            }
            let capture = corpus.join(label.file_name()).join(logs.file_name());
            let told = replay(&config, &capture);
            for (title, is_shown) in wanted {
                assert_eq!(told.contains(title), is_shown, "{}: {title}", capture.display());
                shown += usize::from(is_shown);
            }
        }
    }
    assert_eq!(shown, 13, "what Zeek's logs show");
}

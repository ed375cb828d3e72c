//! What an evaluation shows.

use super::*;

/// A corpus of one scan and one benign capture; the engine sees the outbreak in both.
fn corpus() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let truth = |name: &str, text: &str| {
        std::fs::write(folder.path().join(format!("{name}.truth.toml")), text).unwrap();
    };
    truth(
        "a.pcap",
        "label = \"scan\"\nbenign = false\nothers = \"benign\"\n\
         [[host]]\naddress = \"10.0.0.5\"\nverdict = \"malicious\"\nclasses = [\"scan\"]\n\
         [[host]]\naddress = \"10.0.0.6\"\nverdict = \"malicious\"\nclasses = [\"scan\"]\n",
    );
    truth("b.pcap", "label = \"benign\"\nbenign = true\nothers = \"benign\"\n");
    folder
}

#[test]
fn eval_prints_measures_and_every_mistake() {
    let folder = corpus();

    let words = ["eval", folder.path().to_str().unwrap(), "--jobs", "2"];
    let (status, page) = type_in(&words, &Canned(Ok(outbreak())));

    assert_eq!(status.unwrap(), Status::Done);
    insta::assert_snapshot!(page, @r"
    who was found
     label    captures   malicious   benign       recall      recall    precision   precision      right    Brier
                             hosts    hosts   suspicious   malicious   suspicious   malicious   detector    score
    ──────────────────────────────────────────────────────────────────────────────────────────────────────────────
     benign          1           0        3            -           -        0.0 %       0.0 %          -   0.5109
     scan            1           2        2       50.0 %      50.0 %       50.0 %     100.0 %    100.0 %   0.3827
     all             2           2        5       50.0 %      50.0 %       25.0 %      50.0 %    100.0 %   0.4376

    what it cost
     label    false alarms   false alarms       infected    s to   connections        edge     edge
                  /capture      /host-day   before alert   alert      to alert   precision   recall
    ────────────────────────────────────────────────────────────────────────────────────────────────
     benign          2.000              -              -       -             -           -        -
     scan            1.000              -              -    89.0             -           -        -
     all             1.500              -              -    89.0             -           -        -

    benign captures
      with a malicious host: 1 of 1 (100.0 %)
      with a suspicious host or worse: 1 of 1 (100.0 %)

    by class in the truth (spoken for: a detector of the class had evidence; the truth may expect several classes)
     class   malicious   spoken       recall      recall
                 hosts      for   suspicious   malicious
    ─────────────────────────────────────────────────────
     scan            2   50.0 %       50.0 %      50.0 %

    by family of evidence (hosts that a family had evidence about; decisive: not suspicious without it; nats after the cap)
     family       malicious   decisive    mean   benign   decisive    mean
                      hosts               nats    hosts    wrongly    nats
    ───────────────────────────────────────────────────────────────────────
     failure              1          1   10.00        1          1   10.00
     novelty              0          0       -        2          0    2.00
     credential           1          0    3.50        3          2    5.83

    by ATT&CK technique (hosts with evidence of a technique; found and false alarms: those that are suspicious)
     technique   malicious   found   benign    false   precision       used   recall
                     hosts            hosts   alarms               in truth
    ─────────────────────────────────────────────────────────────────────────────────
     T1046               1       1        5        3      25.0 %          0        -

    reliability of the score (calibrated is: as many per cent malicious as the mean score says)
     score       hosts    mean   malicious
                         score
    ───────────────────────────────────────
     0 to 10         3     1.2      33.3 %
     70 to 80        2    73.1       0.0 %
     90 to 100       2    99.9      50.0 %

    ranking (over the hosts counted above)
      area under the ROC curve: 0.4500
      average precision: 0.3929

    missed (1)
      a.pcap  10.0.0.6  benign  0.2  nothing spoke (expected scan)

    false alarms (3)
      a.pcap  192.0.2.66  suspicious  73.1  auth.bruteforce
      b.pcap  10.0.0.5  malicious  99.9  auth.bruteforce, scan.horizontal
      b.pcap  192.0.2.66  suspicious  73.1  auth.bruteforce
    ");
}

#[test]
fn eval_thresholds_set_the_exit_status() {
    let folder = corpus();
    let code = |threshold: &[&str]| {
        let words = [&["eval", folder.path().to_str().unwrap()], threshold].concat();
        type_in(&words, &Canned(Ok(outbreak()))).0.unwrap().code()
    };

    assert_eq!(code(&["--min-recall", "0.5"]), 0);
    assert_eq!(code(&["--min-recall", "0.6"]), 1);
    assert_eq!(code(&["--min-recall-malicious", "0.5"]), 0);
    assert_eq!(code(&["--max-benign-malicious", "1"]), 0);
    assert_eq!(code(&["--max-benign-malicious", "0.5"]), 1);
    assert_eq!(code(&["--max-benign-suspicious", "0.99"]), 1);
    // There is no benign capture with that label, so nothing shows that the limit is kept.
    assert_eq!(code(&["--label", "scan", "--max-benign-malicious", "0.5"]), 1);
}

#[test]
fn eval_json_carries_the_same_numbers() {
    let folder = corpus();

    let words = ["eval", folder.path().to_str().unwrap(), "--json"];
    let (_, text) = type_in(&words, &Canned(Ok(outbreak())));

    let document: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(document["schema"], "wormwatch.eval/1");
    assert_eq!(document["all"]["recall_suspicious"], 0.5);
    assert_eq!(document["labels"]["benign"]["benign_with_malicious"], 1);
    assert_eq!(document["misses"][0]["host"], "10.0.0.6");
    assert_eq!(document["reliability"].as_array().unwrap().len(), 10);
}

#[test]
fn eval_tells_what_changed_since_an_earlier_result() {
    let folder = corpus();
    let earlier = folder.path().join("earlier.json");
    let eval = ["eval", folder.path().to_str().unwrap()];
    let compare = [&eval[..], &["--compare", earlier.to_str().unwrap()]].concat();
    let (_, text) = type_in(&[&eval[..], &["--json"]].concat(), &Canned(Ok(Summary::default())));
    std::fs::write(&earlier, &text).unwrap();

    let (_, same) = type_in(&compare, &Canned(Ok(Summary::default())));
    let (_, page) = type_in(&compare, &Canned(Ok(outbreak())));
    std::fs::write(&earlier, "{\"schema\":\"wormwatch.eval/9\"}").unwrap();
    let (other, _) = type_in(&compare, &Canned(Ok(Summary::default())));

    assert!(same.contains("what changed since the earlier result\n  nothing\n"), "{same}");
    assert!(page.contains("  better: all: recall_suspicious 0.0000 -> 0.5000\n"), "{page}");
    assert!(page.contains("  worse: all: false_alarms_per_capture 0.0000 -> 1.5000\n"), "{page}");
    assert!(page.contains("  better: found: a.pcap 10.0.0.5\n"), "{page}");
    assert!(page.contains("  worse: false alarm: b.pcap 192.0.2.66\n"), "{page}");
    assert!(matches!(other, Err(Error::OtherSchema { .. })));
}

#[test]
fn eval_html_is_one_file_that_loads_nothing() {
    let folder = corpus();
    let html = folder.path().join("page.html");

    let words = ["eval", folder.path().to_str().unwrap(), "--html", html.to_str().unwrap()];
    type_in(&words, &Canned(Ok(outbreak()))).0.unwrap();

    let page = std::fs::read_to_string(html).unwrap();
    assert_eq!(page.matches("<svg").count(), 3, "{page}");
    assert!(page.contains("<li>a.pcap  10.0.0.6  benign  0.2"), "{page}");
    for outside in ["http:", "https:", "src=", "href=", "url(", "@import", "<script"] {
        assert!(!page.contains(outside), "{outside}");
    }
}

#[test]
fn eval_markdown_has_the_same_sections() {
    let folder = corpus();

    let words = ["eval", folder.path().to_str().unwrap(), "--markdown"];
    let (_, page) = type_in(&words, &Canned(Ok(outbreak())));

    assert!(page.starts_with("### Who was found\n\n| label | captures |"), "{page}");
    assert!(page.contains("| all | 2 | 2 | 5 | 50.0 % |"), "{page}");
    assert!(page.contains("### Missed (1)\n\n- a.pcap  10.0.0.6"), "{page}");
}

#[test]
fn eval_shows_baselines_and_names_where_they_are_ahead() {
    let folder = corpus();

    let words = ["eval", folder.path().to_str().unwrap(), "--baseline", "trw,slips"];
    let (_, page) = type_in(&words, &Canned(Ok(outbreak())));

    assert!(page.contains("beside published detectors"), "{page}");
    assert!(page.contains("  benign: trw raises 0 false alarms, wormwatch 2\n"), "{page}");
    assert!(page.contains("  slips: Slips, network_discovery"), "{page}");
    assert!(!page.contains("fanout"), "{page}");
}

#[test]
fn eval_of_an_empty_folder_is_wrong_use() {
    let folder = tempfile::tempdir().unwrap();

    let words = ["eval", folder.path().to_str().unwrap()];
    let (status, _) = type_in(&words, &Canned(Ok(outbreak())));

    assert!(matches!(status, Err(Error::NothingToEvaluate(_))));
}

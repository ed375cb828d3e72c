//! The report as a real browser shows it.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test")]

#[path = "support/browser.rs"]
mod browser;
#[path = "support/outbreak.rs"]
mod outbreak;
#[path = "support/tools.rs"]
mod tools;

use std::path::{Path, PathBuf};

use browser::Browser;
use serde_json::{Value, json};
use tools::{command, present, said};
use wormwatch::incident::Summary;
use wormwatch::report::{self, Format};
use wormwatch::score::ScoreConfig;

/// Every host of the trees, and whether it is shown.
const SHOWN: &str = "[...document.querySelectorAll('.member')]
    .map((host) => [host.dataset.host, getComputedStyle(host).visibility === 'visible'])";

/// A folder that stays, so that somebody can look at the pictures.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn open(summary: &Summary, folder: &Path) -> Browser {
    let path = folder.join("report.html");
    std::fs::write(&path, report::html(summary, &ScoreConfig::default())).unwrap();
    let mut browser = Browser::start();
    browser.prefer("light");
    browser.open(&path);
    browser
}

/// Nothing went wrong on the page, and nothing was asked for but the page.
fn assert_calm(browser: &Browser) {
    for trouble in ["Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded"] {
        assert_eq!(browser.events_of(trouble), [&Value::Null; 0], "{trouble}");
    }
    let requests = browser.events_of("Network.requestWillBeSent");
    let urls: Vec<_> = requests.iter().map(|event| &event["params"]["request"]["url"]).collect();
    assert!(urls.len() == 1 && urls[0].as_str().unwrap().ends_with("report.html"), "{urls:?}");
}

fn shown(browser: &mut Browser) -> Vec<String> {
    let hosts: Vec<(String, bool)> = serde_json::from_value(browser.evaluate(SHOWN)).unwrap();
    hosts.into_iter().filter(|(_, shown)| *shown).map(|(host, _)| host).collect()
}

#[test]
fn the_tree_grows_with_the_slider_and_the_table_filters() {
    if !present(&["chromium"]) {
        return;
    }
    let folder = folder("report");
    let mut browser = open(&outbreak::summary(), &folder);

    let everybody =
        ["10.0.0.1", "10.0.0.2", "10.0.0.4", "10.0.0.5", "10.0.0.3", "2001:db8::1", "2001:db8::2"];
    assert_eq!(shown(&mut browser), everybody);
    assert_eq!(browser.evaluate("document.querySelectorAll('svg.tree').length"), 2);
    assert_eq!(browser.evaluate("document.querySelectorAll('svg.tree path.edge').length"), 5);
    browser.picture(&folder.join("light.png"));

    // By keyboard: to the start, two infections on, and to the end.
    browser.evaluate("document.getElementById('slider').focus()");
    browser.press("Home", 36);
    assert_eq!(shown(&mut browser), ["10.0.0.1"]);
    let moment = "document.getElementById('moment').textContent";
    assert_eq!(browser.evaluate(moment), "2017-05-18 08:12:00 UTC, 1 of 7 hosts");
    browser.press("ArrowRight", 39);
    browser.press("ArrowRight", 39);
    assert_eq!(shown(&mut browser), ["10.0.0.1", "10.0.0.2", "2001:db8::1"]);
    browser.picture(&folder.join("early.png"));
    browser.press("End", 35);
    assert_eq!(shown(&mut browser), everybody);

    // A host by keyboard: why it is thought to be infected by that other.
    browser.evaluate("document.querySelector('.member').focus()");
    browser.press("ArrowDown", 40);
    browser.press("ArrowDown", 40);
    browser.press("Enter", 13);
    let pane = browser.evaluate("document.querySelector('.pane').innerText");
    let pane = pane.as_str().unwrap();
    assert!(pane.contains("10.0.0.4, generation 2, infected 2017-05-18 08:14:10 UTC"), "{pane}");
    assert!(pane.contains("by 10.0.0.2 over tcp/22, 62 % sure"), "{pane}");
    assert!(pane.contains("It could also have been 10.0.0.3 (21 %)."), "{pane}");
    assert!(pane.contains(outbreak::HOSTILE), "{pane}");

    browser.evaluate("document.getElementById('filter').focus()");
    browser.type_in("suspicious ssh");
    let rows = "[...document.querySelectorAll('#host-table tbody tr')]
        .filter((row) => !row.hidden).map((row) => row.firstChild.textContent)";
    assert_eq!(browser.evaluate(rows), json!([]));
    browser.evaluate("document.getElementById('filter').value = ''");
    browser.type_in("tcp/22 novelty");
    assert_eq!(browser.evaluate(rows), json!(["10.0.0.4"]));
    let matches = "document.getElementById('matches').textContent";
    assert_eq!(browser.evaluate(matches), "1 of 4 hosts");

    assert_calm(&browser);
}

#[test]
fn the_page_turns_dark_and_can_be_printed() {
    if !present(&["chromium"]) {
        return;
    }
    let folder = folder("report-dark");
    let mut browser = open(&outbreak::summary(), &folder);
    let paper = "getComputedStyle(document.body).backgroundColor";
    assert_eq!(browser.evaluate(paper), "rgb(255, 255, 255)");

    browser.prefer("dark");
    assert_eq!(browser.evaluate(paper), "rgb(20, 24, 31)");
    browser.picture(&folder.join("dark.png"));

    // On paper the slider hides nothing.
    browser.evaluate("document.getElementById('slider').focus()");
    browser.press("Home", 36);
    browser.call("Emulation.setEmulatedMedia", json!({"media": "print"}));
    assert_eq!(shown(&mut browser).len(), 7);
    let slider = "document.getElementById('slider').checkVisibility()";
    assert_eq!(browser.evaluate(slider), false);
    browser.call("Emulation.setEmulatedMedia", json!({"media": ""}));
    browser.print(&folder.join("print.pdf"));

    assert_calm(&browser);
}

#[test]
fn nothing_to_show_is_said() {
    if !present(&["chromium"]) {
        return;
    }
    let folder = folder("report-quiet");
    let mut browser = open(&Summary::default(), &folder);

    let text = browser.evaluate("document.body.innerText");
    let text = text.as_str().unwrap();
    assert!(text.contains("No host is suspicious."), "{text}");
    assert!(text.contains("No host was seen to infect another."), "{text}");
    assert!(text.contains("There is no evidence against any host."), "{text}");
    assert_eq!(browser.evaluate("document.getElementById('slider').checkVisibility()"), false);
    assert_calm(&browser);

    // Without incidents the hosts are shown still.
    let hosts = Summary { infections: Vec::new(), incidents: Vec::new(), ..outbreak::summary() };
    let mut browser = open(&hosts, &folder);
    let rows = browser.evaluate("document.querySelectorAll('#host-table tbody tr').length");
    assert_eq!(rows, 4);
    assert_calm(&browser);
}

#[test]
fn what_came_from_the_wire_does_not_run() {
    if !present(&["chromium"]) {
        return;
    }
    let mut summary = outbreak::summary();
    summary.notices = vec![outbreak::HOSTILE.to_owned()];
    summary.incidents[0].id = outbreak::HOSTILE.to_owned();
    for infection in summary.infections.iter_mut().filter(|i| i.incident == "worm-1") {
        infection.incident = outbreak::HOSTILE.to_owned();
    }
    let mut browser = open(&summary, &folder("report-hostile"));

    assert_eq!(browser.evaluate("document.scripts.length"), 2);
    assert_eq!(browser.evaluate("document.querySelectorAll('img').length"), 0);
    assert_eq!(browser.evaluate("typeof broken"), "undefined");
    let title = browser.evaluate("document.querySelector('.incident h3').textContent");
    assert_eq!(title, outbreak::HOSTILE);
    assert_calm(&browser);
}

#[test]
fn a_large_outbreak_is_drawn_and_the_rest_counted() {
    if !present(&["chromium"]) {
        return;
    }
    let mut browser = open(&outbreak::large(), &folder("report-large"));

    assert_eq!(browser.evaluate("document.querySelectorAll('.member').length"), 500);
    let note = browser.evaluate("document.querySelector('.incident .note').textContent");
    assert_eq!(note, "1501 more hosts infected later, not drawn.");
    assert_calm(&browser);
}

#[test]
fn graphviz_draws_the_graph() {
    if !present(&["dot"]) {
        return;
    }
    let mut summary = outbreak::summary();
    summary.incidents[1].id = "\"; worm \\ <&".to_owned();
    summary.infections[4].incident = summary.incidents[1].id.clone();
    let path = folder("report-graph").join("graph.dot");
    std::fs::write(&path, report::graph(&summary, Format::Dot)).unwrap();

    let drawn = command("dot").arg("-Tsvg").arg(&path).output().unwrap();

    let svg = said(&drawn);
    assert!(drawn.status.success() && drawn.stderr.is_empty(), "{svg}");
    assert_eq!(svg.matches("class=\"node\"").count(), 9, "{svg}");
    assert_eq!(svg.matches("class=\"edge\"").count(), 7, "{svg}");
}

//! What a calibration shows, and the configuration that it writes.

use super::*;
use crate::config::Config;

/// Captures of some origins, in each of which a host is as guilty as it looks.
fn corpus(origins: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (n, origin) in origins.iter().enumerate() {
        let truth = format!(
            "origin = \"{origin}: {n}.pcap\"\nlabel = \"scan\"\nbenign = false\nothers = \"benign\"\n\
             [[host]]\naddress = \"10.0.0.5\"\nverdict = \"malicious\"\nclasses = [\"scan\"]\n"
        );
        std::fs::write(folder.path().join(format!("{n}.pcap.truth.toml")), truth).unwrap();
    }
    folder
}

#[test]
fn calibrate_shows_what_it_is_worth_and_writes_a_configuration() {
    let folder = corpus(&["a", "a", "b", "c"]);
    let file = folder.path().join("fitted.toml");

    let words = ["calibrate", folder.path().to_str().unwrap(), "--output", file.to_str().unwrap()];
    let (status, page) = type_in(&words, &Canned(Ok(outbreak())));

    assert_eq!(status.unwrap(), Status::Done);
    for part in ["4 captures from 3 origins", "fitted, held out", "prior, nats", "cap of failure"] {
        assert!(page.contains(part), "{part} is not in:\n{page}");
    }
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(
        text.starts_with("# Constants of the score, fitted by `wormwatch calibrate`"),
        "{text}"
    );
    let fitted = Config::parse(&text, &file).unwrap().score;
    assert!(!fitted.scales.is_empty());
}

#[test]
fn calibrate_needs_two_origins() {
    let folder = corpus(&["a", "a"]);

    let words = ["calibrate", folder.path().to_str().unwrap()];
    let (status, _) = type_in(&words, &Canned(Ok(outbreak())));

    let said = status.unwrap_err().to_string();
    assert!(said.contains("from only 1 origin") && said.contains("at least 2"), "{said}");
}

#[test]
fn calibrate_as_json_has_both_qualities() {
    let folder = corpus(&["a", "b"]);

    let words = ["calibrate", folder.path().to_str().unwrap(), "--json"];
    let (_, page) = type_in(&words, &Canned(Ok(outbreak())));

    let document: serde_json::Value = serde_json::from_str(&page).unwrap();
    for quality in ["before", "held_out"] {
        assert!(document[quality]["log_loss"].as_f64().unwrap() > 0.0);
    }
    assert!(document["fitted"]["caps"]["failure"].is_number());
}

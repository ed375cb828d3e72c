use std::fs;

use tempfile::TempDir;

use super::*;
use crate::source::file::samples::{
    Order, enhanced, interface, option, pcap, plain, record, section, statistics,
};

/// A directory with these files.
fn directory(files: &[(&str, Vec<u8>)]) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = directory.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    directory
}

fn open(directory: &TempDir, names: &[&str]) -> Result<CaptureSet, SourceError> {
    let paths: Vec<PathBuf> = names.iter().map(|name| directory.path().join(name)).collect();
    CaptureSet::open(&paths)
}

/// Seconds, input and interface of every frame.
fn timeline(set: &mut CaptureSet) -> Vec<(i64, u16, u16)> {
    let mut timeline = Vec::new();
    loop {
        let mut frames = Vec::new();
        if set.next(7, &mut frames) == Next::End {
            return timeline;
        }
        let seen =
            |frame: &Frame<'_>| (frame.ts.as_nanos() / 1_000_000_000, frame.input, frame.interface);
        timeline.extend(frames.iter().map(seen));
    }
}

#[test]
fn two_taps_are_one_timeline_and_ties_go_in_the_order_given() {
    let directory = directory(&[("a", plain(10, 3)), ("b", plain(11, 3))]);

    let mut set = open(&directory, &["b", "a"]).unwrap();

    let expected = [(10, 1, 0), (11, 0, 1), (11, 1, 0), (12, 0, 1), (12, 1, 0), (13, 0, 1)];
    assert_eq!(timeline(&mut set), expected);
    let name = directory.path().join("a").display().to_string();
    assert_eq!(set.interface_name(0), name);
    let reports = set.inputs();
    assert_eq!((reports[1].name.as_str(), reports[1].packets, reports[1].bytes), (&*name, 3, 180));
    assert_eq!(reports[1].first_ts, Some(Timestamp::from_secs(10)));
    assert_eq!(reports[1].last_ts, Some(Timestamp::from_secs(12)));
}

#[test]
fn rotated_files_are_opened_one_after_the_other() {
    let files: Vec<(String, Vec<u8>)> =
        (0..50).rev().map(|n: u32| (format!("{n:02}"), plain(100 - n, 1))).collect();
    let files: Vec<(&str, Vec<u8>)> =
        files.iter().map(|(name, content)| (name.as_str(), content.clone())).collect();
    let directory = directory(&files);

    let mut set = open(&directory, &["."]).unwrap();
    let mut inputs = Vec::new();
    let mut most_open = 0;
    loop {
        let mut frames = Vec::new();
        if set.next(7, &mut frames) == Next::End {
            break;
        }
        inputs.extend(frames.iter().map(|frame| frame.input));
        let open = set.inputs.iter().filter(|input| input.reader.is_some()).count();
        most_open = most_open.max(open);
    }

    assert_eq!(inputs, (0..50).rev().collect::<Vec<u16>>());
    assert!(most_open <= 2, "{most_open}");
}

#[test]
fn more_files_than_may_stay_open_are_merged_all_the_same() {
    let count = KEPT_OPEN + 20;
    let files: Vec<(String, Vec<u8>)> =
        (0..count).map(|n| (format!("{n:04}"), plain(1, 250))).collect();
    let files: Vec<(&str, Vec<u8>)> =
        files.iter().map(|(name, content)| (name.as_str(), content.clone())).collect();
    let directory = directory(&files);

    let mut set = open(&directory, &["."]).unwrap();
    let frames = timeline(&mut set);

    let expected = (1..=250).flat_map(|second| (0..count as u16).map(move |n| (second, n, n)));
    assert!(frames.into_iter().eq(expected));
    assert!(set.inputs().iter().all(|report| report.time_went_back == 0));
}

#[test]
fn time_that_runs_back_is_clamped_and_counted() {
    let mut file = pcap(Order::Little, 0xa1b2_c3d4, 0, 1);
    for second in [5, 9, 7, 8, 9] {
        file.extend(record(Order::Little, (second, 0), 4, b"abcd"));
    }
    let directory = directory(&[("a", file), ("b", plain(6, 1))]);

    let mut set = open(&directory, &["a", "b"]).unwrap();

    let seconds: Vec<i64> = timeline(&mut set).iter().map(|&(second, ..)| second).collect();
    assert_eq!(seconds, [5, 6, 9, 9, 9, 9]);
    let reports = set.inputs();
    assert_eq!((reports[0].time_went_back, reports[1].time_went_back), (2, 0));
    assert_eq!(reports[0].last_ts, Some(Timestamp::from_secs(9)));
}

#[test]
fn a_directory_is_searched_to_its_bottom_and_what_is_no_capture_is_passed_over() {
    let directory = directory(&[
        ("b/deep/er.txt", plain(1, 2)),
        ("a.pcap", plain(2, 2)),
        ("a.pcap.truth.toml", b"label = \"x\"".to_vec()),
        ("empty.pcap", Vec::new()),
        ("text.pcap", b"not a capture".to_vec()),
    ]);

    let set = open(&directory, &["."]).unwrap();

    let names: Vec<String> = set.inputs().into_iter().map(|report| report.name).collect();
    assert_eq!(names.len(), 2);
    assert!(names[0].ends_with("a.pcap") && names[1].ends_with("er.txt"), "{names:?}");
}

#[test]
fn a_file_named_by_itself_must_be_a_capture() {
    let directory = directory(&[("text.pcap", b"not a capture".to_vec()), ("none/x", vec![])]);
    let error = |names: &[&str]| open(&directory, names).unwrap_err().to_string();

    assert!(error(&["text.pcap"]).contains("is not a capture file but text; give a pcap"));
    assert!(error(&["none"]).starts_with("no capture file in"));
    assert!(error(&["missing"]).starts_with("cannot read"));
    assert!(matches!(CaptureSet::open(&[]), Err(SourceError::NoInput)));
}

#[test]
fn damage_and_emptiness_are_told_and_do_not_stop_the_others() {
    let cut = plain(1, 2)[..150].to_vec();
    let directory = directory(&[("a", cut), ("b", plain(5, 1)), ("c", vec![])]);

    let mut set = open(&directory, &["a", "b", "c"]).unwrap();
    assert_eq!(timeline(&mut set).len(), 2);

    let damages: Vec<Option<String>> =
        set.inputs().into_iter().map(|report| report.damage).collect();
    assert_eq!(damages[0].as_deref(), Some("cut off in the middle of record 2 at byte 100"));
    assert_eq!(damages[1], None);
    assert_eq!(damages[2].as_deref(), Some("empty: not even a file header"));
    assert_eq!(set.progress(), Some((150 + 100, 150 + 100)));
}

#[test]
fn interfaces_are_numbered_over_all_inputs_as_they_appear() {
    let order = Order::Little;
    let file = |first: u64| {
        [
            section(order),
            interface(order, 1, 0, &option(order, 2, b"eth0")),
            interface(order, 1, 0, &option(order, 2, b"eth1")),
            enhanced(order, 1, first * 1_000_000, 1, b"x"),
            enhanced(order, 0, (first + 2) * 1_000_000, 1, b"x"),
        ]
        .concat()
    };
    let directory = directory(&[("a", file(1)), ("b", file(2))]);

    let mut set = open(&directory, &["a", "b"]).unwrap();

    assert_eq!(timeline(&mut set), [(1, 0, 0), (2, 1, 1), (3, 0, 2), (4, 1, 3)]);
    assert!(set.interface_name(3).starts_with("eth0 of "));
    assert_eq!(set.interface_name(9), "interface 9");
}

/// Lengths of the bursts until the end, none longer than `most`.
fn bursts(set: &mut CaptureSet, most: usize) -> Vec<usize> {
    let mut lengths = Vec::new();
    loop {
        let mut frames = Vec::new();
        if set.next(most, &mut frames) == Next::End {
            return lengths;
        }
        lengths.push(frames.len());
    }
}

#[test]
fn a_burst_is_what_lies_in_memory_up_to_where_another_file_is_due() {
    let order = Order::Little;
    let next_generation = [
        section(order),
        interface(order, 1, 0, &[]),
        enhanced(order, 0, 1_000_000, 1, b"x"),
        enhanced(order, 0, 2_000_000, 1, b"y"),
        statistics(order, 0, [1, 0]),
        enhanced(order, 0, 3_000_000, 1, b"z"),
    ];
    let directory = directory(&[
        ("a", plain(10, 4)),
        ("b", plain(12, 3)),
        ("long", plain(10, 100)),
        ("ng", next_generation.concat()),
    ]);
    let of = |names: &[&str], most| bursts(&mut open(&directory, names).unwrap(), most);

    // 10, 11 and 12 of the one; then the other has 12, the one 13, and the other the rest.
    assert_eq!(of(&["a", "b"], 32), [3, 1, 1, 2]);
    assert_eq!(of(&["long"], 32), [32, 32, 32, 4]);
    // What is no packet is read by itself.
    assert_eq!(of(&["ng"], 32), [2, 1]);
}

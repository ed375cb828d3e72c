//! What an evaluation found, section by section.

use super::section::{Column, Section, number, percent};
use crate::cli::look::{clean, counted};
use crate::eval::{
    Bin, Change, ClassRow, Comparison, EarlierHost, FamilyRow, Finding, Group, Interval, Measures,
    Report, Row, Standing, TechniqueRow, Turn,
};

/// All sections, in the order in which they are read.
pub(super) fn of(report: &Report<'_>) -> Vec<Section> {
    let mut sections = Vec::new();
    sections.extend(measures(report));
    sections.extend(benign(&report.all.measures));
    sections.extend(sure(report));
    sections.extend(report.baselines.iter().flat_map(baselines));
    sections.extend(cuts(report));
    sections.extend(scores(report));
    sections.extend(report.compared.iter().flat_map(compared));
    sections.extend(mistakes(report));
    sections.extend(Section::lines("below the threshold", "", report.failures.clone()));
    sections
}

fn groups<'a>(report: &'a Report<'_>) -> impl Iterator<Item = (String, &'a Group)> {
    let labels = report.labels.iter().map(|(label, group)| (clean(label), group));
    labels.chain([("all".to_owned(), &report.all)])
}

/// Who was found, and rightly so; what it cost, in false alarms and in time.
fn measures(report: &Report<'_>) -> impl Iterator<Item = Section> {
    const FOUND: [Column<Measures>; 9] = [
        ("captures", |m| m.captures.to_string()),
        ("malicious\nhosts", |m| m.malicious_hosts.to_string()),
        ("benign\nhosts", |m| m.benign_hosts.to_string()),
        ("recall\nsuspicious", |m| percent(m.recall_suspicious)),
        ("recall\nmalicious", |m| percent(m.recall_malicious)),
        ("precision\nsuspicious", |m| percent(m.precision_suspicious)),
        ("precision\nmalicious", |m| percent(m.precision_malicious)),
        ("right\ndetector", |m| percent(m.right_detector)),
        ("Brier\nscore", |m| number(m.brier, 4)),
    ];
    const COST: [Column<Measures>; 7] = [
        ("false alarms\n/capture", |m| number(m.false_alarms_per_capture, 3)),
        ("false alarms\n/host-day", |m| number(m.false_alarms_per_host_day, 3)),
        ("infected\nbefore alert", |m| number(m.infected_before_alert.map(|n| n as f64), 0)),
        ("s to\nalert", |m| number(m.seconds_to_alert, 1)),
        ("connections\nto alert", |m| number(m.connections_to_alert, 1)),
        ("edge\nprecision", |m| percent(m.edge_precision)),
        ("edge\nrecall", |m| percent(m.edge_recall)),
    ];
    let rows = || groups(report).map(|(label, group)| (label, &group.measures));
    let found = Section::table("who was found", "", "label", &FOUND, rows());
    let cost = Section::table("what it cost", "", "label", &COST, rows());
    found.into_iter().chain(cost)
}

fn benign(all: &Measures) -> Option<Section> {
    let of = all.benign_captures;
    let line = |(what, count): (&str, u64)| {
        let share = 100.0 * count as f64 / of as f64;
        format!("{what}: {count} of {of} ({share:.1} %)")
    };
    let counts = [
        ("with a malicious host", all.benign_with_malicious),
        ("with a suspicious host or worse", all.benign_with_suspicious),
    ];
    let lines = if of > 0 { counts.map(line).to_vec() } else { Vec::new() };
    Section::lines("benign captures", "", lines)
}

fn sure(report: &Report<'_>) -> Option<Section> {
    fn between(group: &Group, name: &str, show: fn(Option<f64>) -> String) -> String {
        group.intervals.get(name).map_or_else(
            || "-".to_owned(),
            |Interval { low, high }| format!("{} to {}", show(Some(*low)), show(Some(*high))),
        )
    }
    const COLUMNS: [Column<Group>; 6] = [
        ("recall\nsuspicious", |g| between(g, "recall_suspicious", percent)),
        ("recall\nmalicious", |g| between(g, "recall_malicious", percent)),
        ("precision\nsuspicious", |g| between(g, "precision_suspicious", percent)),
        ("false alarms\n/capture", |g| {
            between(g, "false_alarms_per_capture", |value| number(value, 3))
        }),
        ("s to\nalert", |g| between(g, "seconds_to_alert", |value| number(value, 1))),
        ("Brier\nscore", |g| between(g, "brier", |value| number(value, 4))),
    ];
    let rows = groups(report).filter(|(_, group)| !group.intervals.is_empty());
    let note =
        "95 % intervals, bootstrap over captures; labels with fewer than five captures have none";
    Section::table("how sure that is", note, "label", &COLUMNS, rows)
}

fn baselines(standing: &Standing) -> Vec<Section> {
    let cell = |row: &Row| {
        format!("{} / {} / {}", percent(row.recall), percent(row.precision), row.false_alarms)
    };
    let names = standing.all.iter().map(|row| row.detector.to_owned());
    let header = ["label".to_owned(), "malicious\nhosts".to_owned()].into_iter().chain(names);
    let labels = standing.labels.iter().map(|(label, rows)| (clean(label), rows));
    let rows = labels.chain([("all".to_owned(), &standing.all)]).map(|(label, rows)| {
        let hosts = rows.first().map_or(0, |row| row.malicious_hosts).to_string();
        [label, hosts].into_iter().chain(rows.iter().map(cell)).collect()
    });
    let benign = standing.all.iter().filter(|row| row.benign_captures > 0).map(|row| {
        format!(
            "{}: an alarm in {} of {}",
            row.detector,
            row.benign_with_alarm,
            counted(row.benign_captures, "benign capture")
        )
    });
    let table = Section {
        title: "beside published detectors".to_owned(),
        note: "recall / precision / false alarms; an alarm of wormwatch is a suspicious host"
            .to_owned(),
        body: super::section::Body::Table(header.collect(), rows.collect()),
    };
    let gaps: Vec<_> = standing
        .gaps
        .iter()
        .map(|gap| format!("{}: {} {}", clean(&gap.label), gap.baseline, gap.what))
        .collect();
    let gaps = if gaps.is_empty() { vec!["none".to_owned()] } else { gaps };
    let sources = standing.sources.iter().map(|(name, source)| format!("{name}: {source}"));
    let lines = [
        Section::lines("alarms in benign captures", "", benign.collect()),
        Section::lines("gaps: classes where a published detector is ahead", "", gaps),
        Section::lines("what they are", "", sources.collect()),
    ];
    std::iter::once(table).chain(lines.into_iter().flatten()).collect()
}

/// The same hosts by class, by family, by technique.
fn cuts(report: &Report<'_>) -> Vec<Section> {
    const CLASSES: [Column<ClassRow>; 4] = [
        ("malicious\nhosts", |row| row.hosts.to_string()),
        ("spoken\nfor", |row| percent(row.spoken_for)),
        ("recall\nsuspicious", |row| percent(row.recall_suspicious)),
        ("recall\nmalicious", |row| percent(row.recall_malicious)),
    ];
    const FAMILIES: [Column<FamilyRow>; 6] = [
        ("malicious\nhosts", |row| row.malicious_hosts.to_string()),
        ("decisive", |row| row.decisive.to_string()),
        ("mean\nnats", |row| number(row.mean_malicious, 2)),
        ("benign\nhosts", |row| row.benign_hosts.to_string()),
        ("decisive\nwrongly", |row| row.decisive_false.to_string()),
        ("mean\nnats", |row| number(row.mean_benign, 2)),
    ];
    const TECHNIQUES: [Column<TechniqueRow>; 7] = [
        ("malicious\nhosts", |row| row.malicious_hosts.to_string()),
        ("found", |row| row.found.to_string()),
        ("benign\nhosts", |row| row.benign_hosts.to_string()),
        ("false\nalarms", |row| row.false_alarms.to_string()),
        ("precision", |row| percent(row.precision)),
        ("used\nin truth", |row| row.used.to_string()),
        ("recall", |row| percent(row.recall)),
    ];
    let classes = report.classes.iter().map(|row| (clean(&row.class), row));
    let families = report.families.iter().map(|row| (row.family.to_string(), row));
    let techniques = report.techniques.iter().map(|row| (row.technique.clone(), row));
    let class_note =
        "spoken for: a detector of the class had evidence; the truth may expect several classes";
    let family_note = "hosts that a family had evidence about; decisive: not suspicious without it; nats after the cap";
    let technique_note =
        "hosts with evidence of a technique; found and false alarms: those that are suspicious";
    let sections = [
        Section::table("by class in the truth", class_note, "class", &CLASSES, classes),
        Section::table("by family of evidence", family_note, "family", &FAMILIES, families),
        Section::table("by ATT&CK technique", technique_note, "technique", &TECHNIQUES, techniques),
    ];
    sections.into_iter().flatten().collect()
}

/// How scores and truth go together.
fn scores(report: &Report<'_>) -> Vec<Section> {
    const BINS: [Column<Bin>; 3] = [
        ("hosts", |bin| bin.hosts.to_string()),
        ("mean\nscore", |bin| number(bin.mean_score, 1)),
        ("malicious", |bin| percent(bin.observed.map(|share| share / 100.0))),
    ];
    let bins = report
        .reliability
        .iter()
        .filter(|bin| bin.hosts > 0)
        .map(|bin| (format!("{} to {}", bin.from, bin.from + 10), bin));
    let note = "calibrated is: as many per cent malicious as the mean score says";
    let areas = [
        ("area under the ROC curve", report.curves.roc_area),
        ("average precision", report.curves.average_precision),
    ];
    let lines = areas.iter().filter_map(|(what, area)| Some(format!("{what}: {:.4}", (*area)?)));
    let sections = [
        Section::table("reliability of the score", note, "score", &BINS, bins),
        Section::lines("ranking", "over the hosts counted above", lines.collect()),
    ];
    sections.into_iter().flatten().collect()
}

fn compared(comparison: &Comparison) -> Vec<Section> {
    let line = |label: &str, change: &Change| {
        let Change { measure, before, after, turn } = change;
        let turn = match turn {
            Turn::Better => "better",
            Turn::Worse => "worse",
            Turn::Other => "not comparable",
        };
        let (before, after) = (number(*before, 4), number(*after, 4));
        format!("{turn}: {label}: {measure} {before} -> {after}")
    };
    let labels = comparison.labels.iter().flat_map(|(label, changes)| {
        let label = clean(label);
        changes.iter().map(move |change| line(&label, change)).collect::<Vec<_>>()
    });
    let all = comparison.all.iter().map(|change| line("all", change));
    let hosts = |what: &'static str, hosts: &[EarlierHost]| -> Vec<String> {
        hosts
            .iter()
            .map(|h| format!("{what}: {} {}", clean(&h.path.display().to_string()), clean(&h.host)))
            .collect()
    };
    let only = comparison
        .only_in_one
        .iter()
        .map(|label| format!("not compared: {} is in one of the two only", clean(label)));
    let mut lines: Vec<String> = labels.chain(all).collect();
    lines.extend(hosts("better: found", &comparison.newly_found));
    lines.extend(hosts("worse: missed", &comparison.newly_missed));
    lines.extend(hosts("better: no false alarm any more", &comparison.gone_false_alarms));
    lines.extend(hosts("worse: false alarm", &comparison.new_false_alarms));
    lines.extend(only);
    if lines.is_empty() {
        lines.push("nothing".to_owned());
    }
    Section::lines("what changed since the earlier result", "", lines).into_iter().collect()
}

/// Every host that was judged wrongly, or for the wrong reason.
fn mistakes(report: &Report<'_>) -> Vec<Section> {
    let lists = [
        ("missed", &report.misses),
        ("suspicious only", &report.weak),
        ("false alarms", &report.false_alarms),
        ("found for another reason", &report.wrong_detectors),
    ];
    let list = |(title, findings): (&str, &Vec<Finding<'_>>)| {
        let title = format!("{title} ({})", findings.len());
        Section::lines(&title, "", findings.iter().map(finding).collect())
    };
    let unreadable = report
        .unreadable
        .iter()
        .map(|it| format!("{}: {}", clean(&it.path.display().to_string()), clean(it.why)));
    let unreadable = Section::lines("could not be analysed", "", unreadable.collect());
    lists.into_iter().filter_map(list).chain(unreadable).collect()
}

fn finding(finding: &Finding<'_>) -> String {
    let Finding { path, host, verdict, score, detectors, expected, .. } = finding;
    let spoke =
        if detectors.is_empty() { "nothing spoke".to_owned() } else { detectors.join(", ") };
    let wanted = if expected.is_empty() {
        String::new()
    } else {
        format!(" (expected {})", expected.join(" or "))
    };
    let path = clean(&path.display().to_string());
    clean(&format!("{path}  {host}  {}  {score:.1}  {spoke}{wanted}", verdict.as_str()))
}

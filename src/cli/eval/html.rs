//! The page as one file of HTML: nothing is loaded from anywhere, no script, light and dark, and
//! readable on paper.

use std::fmt::Write as _;

use super::section::{Body, Section};
use super::{sections, svg};
use crate::eval::Report;

const HEAD: &str = r#"<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>wormwatch eval</title>
<style>
:root { color-scheme: light dark; --ink: #1c2330; --dim: #5d6878; --paper: #fff; --rule: #d5dae1; --curve: #1f5fbf; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e8ee; --dim: #98a3b3; --paper: #14181f; --rule: #353d49; --curve: #7fb2ff; }
}
body { margin: 2rem auto; padding: 0 1rem; max-width: 76rem; color: var(--ink); background: var(--paper); font: 15px/1.45 system-ui, sans-serif; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.05rem; margin: 2rem 0 .4rem; }
p.note { color: var(--dim); margin: 0 0 .5rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .2rem .7rem; text-align: right; border-bottom: 1px solid var(--rule); white-space: nowrap; }
th { vertical-align: bottom; font-weight: 600; }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
tbody tr:last-child td { font-weight: 600; }
ul { padding-left: 1.1rem; margin: 0; } li { overflow-wrap: anywhere; }
.plots { display: flex; flex-wrap: wrap; gap: 1.5rem; }
figure { margin: 0; width: 19rem; } figcaption { color: var(--dim); }
svg { width: 100%; } svg text { fill: var(--dim); font-size: 10px; }
.frame { fill: none; stroke: var(--rule); } .guide { stroke: var(--rule); stroke-dasharray: 4 4; }
.curve { fill: none; stroke: var(--curve); stroke-width: 2; } .dot { fill: var(--curve); fill-opacity: .45; }
@media print {
  :root { --ink: #000; --dim: #444; --paper: #fff; --rule: #bbb; --curve: #1f5fbf; }
  body { margin: 0; max-width: none; font-size: 10px; } .scroll { overflow: visible; }
  h2 { break-after: avoid; } tr, figure, li { break-inside: avoid; } th, td { padding: .1rem .4rem; }
}
</style>
</head>
<body>
<h1>wormwatch eval</h1>
"#;

/// Writes the page.
pub(super) fn page(report: &Report<'_>) -> String {
    let mut page = HEAD.to_owned();
    let all = &report.all.measures;
    let _ = writeln!(
        page,
        "<p>{} captures, {} malicious and {} benign hosts that could be told, by wormwatch {}.</p>",
        all.captures,
        all.malicious_hosts,
        all.benign_hosts,
        env!("CARGO_PKG_VERSION")
    );
    page += &plots(report);
    for section in sections::of(report) {
        page += &write(&section);
    }
    page + "</body>\n</html>\n"
}

fn plots(report: &Report<'_>) -> String {
    let figure = |plot: String, caption: String| {
        format!("<figure>{plot}<figcaption>{caption}</figcaption></figure>\n")
    };
    let mut figures = figure(
        svg::reliability(&report.reliability),
        "Reliability: dots on the dashed line are calibrated".to_owned(),
    );
    let curves = &report.curves;
    if let (Some(area), Some(precision)) = (curves.roc_area, curves.average_precision) {
        figures += &figure(svg::roc(curves), format!("ROC, area {area:.4}"));
        let caption = format!("Precision and recall, average precision {precision:.4}");
        figures += &figure(svg::precision_recall(curves), caption);
    }
    format!("<div class=\"plots\">\n{figures}</div>\n")
}

fn write(section: &Section) -> String {
    let mut text = format!("<h2>{}</h2>\n", escaped(&section.title));
    if !section.note.is_empty() {
        let _ = writeln!(text, "<p class=\"note\">{}</p>", escaped(&section.note));
    }
    match &section.body {
        Body::Table(header, rows) => {
            text += "<div class=\"scroll\"><table>\n<thead>";
            text += &row("th", header);
            text += "</thead>\n<tbody>\n";
            text.extend(rows.iter().map(|cells| row("td", cells)));
            text += "</tbody>\n</table></div>\n";
        }
        Body::Lines(lines) => {
            text += "<ul>\n";
            text.extend(lines.iter().map(|line| format!("<li>{}</li>\n", escaped(line))));
            text += "</ul>\n";
        }
    }
    text
}

fn row(cell: &str, cells: &[String]) -> String {
    let cells = cells.iter().map(|text| {
        let text = escaped(text).replace('\n', "<br>");
        format!("<{cell}>{text}</{cell}>")
    });
    format!("<tr>{}</tr>\n", cells.collect::<String>())
}

/// `text` as text: names of files and hosts come from outside.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_from_outside_stays_text() {
        let section =
            Section::lines("missed (1)", "", vec!["<script>&\".pcap".to_owned()]).unwrap();

        let html = write(&section);

        assert!(html.contains("<li>&lt;script&gt;&amp;&quot;.pcap</li>"), "{html}");
    }
}

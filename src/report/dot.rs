//! The graph in Graphviz' language (<https://graphviz.org/doc/info/lang.html>).

use std::fmt::{self, Write};

use super::forest::Tree;
use super::graph::outside;
use super::words::{how, reach, second};
use crate::incident::Summary;
use crate::score::Verdict;

const HEAD: &str = r#"digraph wormwatch {
  rankdir=LR;
  node [shape=box, style=rounded, fontname="sans-serif"];
  edge [fontname="sans-serif", fontsize=10];
"#;

/// Writes `trees`: a box around each incident, the surer the thicker, dashed who may be next.
pub(super) fn write(summary: &Summary, trees: &[Tree<'_>]) -> String {
    let mut text = HEAD.to_owned();
    for (number, tree) in trees.iter().enumerate() {
        incident(summary, tree, number, &mut text).expect("a string takes any text");
    }
    text + "}\n"
}

fn incident(summary: &Summary, tree: &Tree<'_>, number: usize, out: &mut String) -> fmt::Result {
    writeln!(out, "  subgraph cluster_{number} {{")?;
    writeln!(out, "    label={};", quoted(&tree.incident.id))?;
    for member in &tree.members {
        let host = member.host.to_string();
        let mut label = host.clone();
        if member.infection.is_none() {
            label += "\npatient zero";
        }
        let mut width = 1;
        if let Some(report) = summary.host(member.host) {
            write!(label, "\n{} {:.1}", report.score.verdict.as_str(), report.score.peak)?;
            width += u8::from(report.score.verdict == Verdict::Malicious);
        }
        writeln!(out, "    {} [label={}, penwidth={width}];", quoted(&host), quoted(&label))?;
    }
    writeln!(out, "  }}")?;
    for host in outside(tree) {
        writeln!(out, "  {} [style=\"rounded,dashed\"];", quoted(&host.to_string()))?;
    }
    for infection in tree.members.iter().filter_map(|member| member.infection) {
        let (from, to) = (infection.from.to_string(), infection.to.to_string());
        let label = quoted(&format!("{}\n{}", second(infection.at), how(infection)));
        let width = 1.0 + 2.0 * infection.confidence.clamp(0.0, 1.0);
        writeln!(
            out,
            "  {} -> {} [label={label}, penwidth={width:.1}];",
            quoted(&from),
            quoted(&to)
        )?;
    }
    for exposed in &tree.incident.exposed {
        let (from, to) = (exposed.from.to_string(), exposed.host.to_string());
        let label = quoted(&format!("{} {}", exposed.service, reach(exposed)));
        writeln!(out, "  {} -> {} [label={label}, style=dashed];", quoted(&from), quoted(&to))?;
    }
    Ok(())
}

/// `text` as a string of the language, in which only quotes and backslashes mean anything.
fn quoted(text: &str) -> String {
    let text: String = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("\"{text}\"")
}

#[cfg(test)]
mod tests {
    use super::super::graph::{Format, graph};
    use super::super::testing::outbreak;
    use super::*;

    #[test]
    fn draws_incidents_as_boxes_and_the_exposed_dashed() {
        let mut summary = outbreak();
        summary.incidents.truncate(1);

        insta::assert_snapshot!(graph(&summary, Format::Dot), @r#"
        digraph wormwatch {
          rankdir=LR;
          node [shape=box, style=rounded, fontname="sans-serif"];
          edge [fontname="sans-serif", fontsize=10];
          subgraph cluster_0 {
            label="worm-1";
            "10.0.0.1" [label="10.0.0.1\npatient zero\nmalicious 99.3", penwidth=2];
            "10.0.0.2" [label="10.0.0.2\nsuspicious 73.1", penwidth=1];
            "10.0.0.4" [label="10.0.0.4\nbenign 1.7", penwidth=1];
            "10.0.0.5" [label="10.0.0.5", penwidth=1];
            "10.0.0.3" [label="10.0.0.3", penwidth=1];
          }
          "10.0.0.8" [style="rounded,dashed"];
          "10.0.0.9" [style="rounded,dashed"];
          "10.0.0.1" -> "10.0.0.2" [label="2017-05-18 08:13:00\ntcp/445 97 %", penwidth=2.9];
          "10.0.0.2" -> "10.0.0.4" [label="2017-05-18 08:14:10\ntcp/22 62 %", penwidth=2.2];
          "10.0.0.4" -> "10.0.0.5" [label="2017-05-18 08:15:20\ntcp/445 97 %", penwidth=2.9];
          "10.0.0.1" -> "10.0.0.3" [label="2017-05-18 08:13:35\ntcp/445 97 %", penwidth=2.9];
          "10.0.0.4" -> "10.0.0.8" [label="tcp/22 contacted", style=dashed];
          "10.0.0.4" -> "10.0.0.9" [label="tcp/22 offers it", style=dashed];
          "10.0.0.4" -> "10.0.0.3" [label="tcp/22 offers it", style=dashed];
        }
        "#);
    }

    #[test]
    fn a_name_ends_no_string() {
        assert_eq!(quoted("a\"; b\\\n"), r#""a\"; b\\\n""#);
    }
}

//! The graph in Mermaid's language (<https://mermaid.js.org/syntax/flowchart.html>).

use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::net::IpAddr;

use super::forest::Tree;
use super::graph::outside;
use super::words::{how, reach, second};

/// Writes `trees`: a box around each incident, dashed who may be next.
pub(super) fn write(trees: &[Tree<'_>]) -> String {
    let mut text = "flowchart LR\n".to_owned();
    // An address is no identifier there, so each host gets a number.
    let mut names = Names::default();
    for (number, tree) in trees.iter().enumerate() {
        incident(tree, number, &mut names, &mut text).expect("a string takes any text");
    }
    text
}

/// The identifiers of hosts.
#[derive(Default)]
struct Names(BTreeMap<IpAddr, usize>);

impl Names {
    fn of(&mut self, host: IpAddr) -> String {
        let next = self.0.len();
        format!("h{}", self.0.entry(host).or_insert(next))
    }
}

fn incident(tree: &Tree<'_>, number: usize, names: &mut Names, out: &mut String) -> fmt::Result {
    writeln!(out, "  subgraph incident{number} [{}]", quoted(&tree.incident.id))?;
    for member in &tree.members {
        let (name, host) = (names.of(member.host), member.host);
        match member.infection {
            Some(_) => writeln!(out, "    {name}[\"{host}\"]")?,
            None => writeln!(out, "    {name}([\"{host}<br/>patient zero\"])")?,
        }
    }
    writeln!(out, "  end")?;
    for host in outside(tree) {
        writeln!(out, "  {}[\"{host}\"]", names.of(host))?;
    }
    for infection in tree.members.iter().filter_map(|member| member.infection) {
        let (from, to) = (names.of(infection.from), names.of(infection.to));
        let (at, how) = (second(infection.at), how(infection));
        writeln!(out, "  {from} -- \"{at}<br/>{how}\" --> {to}")?;
    }
    for exposed in &tree.incident.exposed {
        let (from, to) = (names.of(exposed.from), names.of(exposed.host));
        writeln!(out, "  {from} -. \"{} {}\" .-> {to}", exposed.service, reach(exposed))?;
    }
    Ok(())
}

/// `text` as a label. No escape holds everywhere in the language, so what could end a label, or be
/// markup in it, is replaced.
fn quoted(text: &str) -> String {
    let harmless = |c: char| c.is_alphanumeric() || " -_.:/,".contains(c);
    let label: String = text.chars().map(|c| if harmless(c) { c } else { '\u{fffd}' }).collect();
    format!("\"{label}\"")
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

        insta::assert_snapshot!(graph(&summary, Format::Mermaid), @r#"
        flowchart LR
          subgraph incident0 ["worm-1"]
            h0(["10.0.0.1<br/>patient zero"])
            h1["10.0.0.2"]
            h2["10.0.0.4"]
            h3["10.0.0.5"]
            h4["10.0.0.3"]
          end
          h5["10.0.0.8"]
          h6["10.0.0.9"]
          h0 -- "2017-05-18 08:13:00<br/>tcp/445 97 %" --> h1
          h1 -- "2017-05-18 08:14:10<br/>tcp/22 62 %" --> h2
          h2 -- "2017-05-18 08:15:20<br/>tcp/445 97 %" --> h3
          h0 -- "2017-05-18 08:13:35<br/>tcp/445 97 %" --> h4
          h2 -. "tcp/22 contacted" .-> h5
          h2 -. "tcp/22 offers it" .-> h6
          h2 -. "tcp/22 offers it" .-> h4
        "#);
    }

    #[test]
    fn a_name_ends_no_label() {
        assert_eq!(quoted("a-1\"] <b>"), "\"a-1\u{fffd}\u{fffd} \u{fffd}b\u{fffd}\"");
    }
}

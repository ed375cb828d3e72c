//! The graph of infections for other tools.

use std::collections::BTreeSet;
use std::net::IpAddr;

use serde::Serialize;

use super::forest::{Tree, forest};
use super::{dot, mermaid};
use crate::incident::{Infection, Summary, rounded};
use crate::net::Service;
use crate::score::Verdict;
use crate::time::Timestamp;

/// The name and version of the JSON's shape.
const SCHEMA: &str = "wormwatch.graph/1";

/// How the graph is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Graphviz' language.
    Dot,
    /// Mermaid, which wikis and issue trackers draw.
    Mermaid,
    /// JSON with nodes and edges, as `node_link_graph` of NetworkX and D3 read it.
    Json,
}

/// Writes who infected whom, and who may be next.
pub fn graph(summary: &Summary, format: Format) -> String {
    let trees = forest(summary, usize::MAX);
    match format {
        Format::Dot => dot::write(summary, &trees),
        Format::Mermaid => mermaid::write(&trees),
        Format::Json => json(summary, &trees),
    }
}

/// The hosts that `tree` may reach next, each once, without those that it has reached.
pub(super) fn outside(tree: &Tree<'_>) -> Vec<IpAddr> {
    let mut known: BTreeSet<_> = tree.members.iter().map(|member| member.host).collect();
    let exposed = tree.incident.exposed.iter().map(|exposed| exposed.host);
    exposed.filter(|host| known.insert(*host)).collect()
}

#[derive(Serialize)]
struct Graph<'a> {
    schema: &'static str,
    directed: bool,
    multigraph: bool,
    nodes: Vec<Node<'a>>,
    edges: Vec<Edge<'a>>,
}

#[derive(Serialize)]
struct Node<'a> {
    id: IpAddr,
    incident: &'a str,
    state: State,
    generation: Option<usize>,
    at: Option<Timestamp>,
    score: Option<f64>,
    verdict: Option<Verdict>,
}

/// What an incident means to a host or along an edge.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
enum State {
    PatientZero,
    Infected,
    Exposed,
}

#[derive(Serialize)]
struct Edge<'a> {
    source: IpAddr,
    target: IpAddr,
    incident: &'a str,
    state: State,
    at: Option<Timestamp>,
    service: Option<Service>,
    confidence: Option<f64>,
    reasons: &'a [String],
    runner_up: Option<RunnerUp>,
    contacted: Option<bool>,
}

#[derive(Serialize)]
struct RunnerUp {
    source: IpAddr,
    confidence: f64,
}

fn json(summary: &Summary, trees: &[Tree<'_>]) -> String {
    let mut nodes = Vec::new();
    let mut edges = Vec::new();
    let mut known = BTreeSet::new();
    for tree in trees {
        for member in tree.members.iter().filter(|member| known.insert(member.host)) {
            let (state, at) = match member.infection {
                Some(infection) => (State::Infected, infection.at),
                None => (State::PatientZero, tree.incident.since),
            };
            let node = node(summary, tree, member.host, state);
            nodes.push(Node { generation: Some(member.depth), at: Some(at), ..node });
        }
        edges.extend(tree.members.iter().filter_map(|member| member.infection).map(edge));
    }
    // A host that one incident may reach can be in another, and then it is no news.
    for tree in trees {
        for id in outside(tree).into_iter().filter(|host| known.insert(*host)) {
            nodes.push(node(summary, tree, id, State::Exposed));
        }
        edges.extend(tree.incident.exposed.iter().map(|exposed| Edge {
            source: exposed.from,
            target: exposed.host,
            incident: &tree.incident.id,
            state: State::Exposed,
            at: None,
            service: Some(exposed.service),
            confidence: None,
            reasons: &[],
            runner_up: None,
            contacted: Some(exposed.contacted),
        }));
    }
    let graph = Graph { schema: SCHEMA, directed: true, multigraph: true, nodes, edges };
    serde_json::to_string(&graph).expect("a graph has only text for keys") + "\n"
}

fn node<'a>(summary: &Summary, tree: &Tree<'a>, id: IpAddr, state: State) -> Node<'a> {
    let score = summary.host(id).map(|report| &report.score);
    Node {
        id,
        incident: &tree.incident.id,
        state,
        generation: None,
        at: None,
        score: score.map(|score| rounded(score.peak, 1)),
        verdict: score.map(|score| score.verdict),
    }
}

fn edge(infection: &Infection) -> Edge<'_> {
    Edge {
        source: infection.from,
        target: infection.to,
        incident: &infection.incident,
        state: State::Infected,
        at: Some(infection.at),
        service: infection.service,
        confidence: Some(rounded(infection.confidence, 2)),
        reasons: &infection.reasons,
        runner_up: infection
            .runner_up
            .map(|(source, sure)| RunnerUp { source, confidence: rounded(sure, 2) }),
        contacted: None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::outbreak;
    use super::*;

    #[test]
    fn json_names_every_end_of_its_edges() {
        let text = graph(&outbreak(), Format::Json);

        let graph: serde_json::Value = serde_json::from_str(&text).unwrap();
        let ids: BTreeSet<_> = graph["nodes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|node| node["id"].clone().to_string())
            .collect();
        let edges = graph["edges"].as_array().unwrap();
        assert_eq!(ids.len(), graph["nodes"].as_array().unwrap().len());
        assert_eq!(edges.len(), 8);
        for edge in edges {
            assert!(ids.contains(&edge["source"].to_string()), "{edge}");
            assert!(ids.contains(&edge["target"].to_string()), "{edge}");
        }
        assert_eq!(edges[0]["confidence"], 0.97);
        assert_eq!(edges[0]["runner_up"]["source"], "10.0.0.9");
    }

    #[test]
    fn a_graph_of_nothing_is_one_still() {
        let nothing = Summary::default();

        assert_eq!(graph(&nothing, Format::Mermaid), "flowchart LR\n");
        assert!(graph(&nothing, Format::Dot).starts_with("digraph wormwatch {\n"));
        assert!(graph(&nothing, Format::Json).contains(r#""nodes":[],"edges":[]"#));
    }
}

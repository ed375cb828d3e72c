//! Cuts as one JSON document whose names only ever gain neighbours.

use std::collections::BTreeSet;
use std::net::IpAddr;

use serde::Serialize;

use crate::contain::{Cut, Plan};
use crate::incident::rounded;
use crate::net::Service;

/// The name and version of the document's shape.
const SCHEMA: &str = "wormwatch.contain/1";

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    plans: Vec<PlanDoc<'a>>,
}

#[derive(Serialize)]
struct PlanDoc<'a> {
    incident: &'a str,
    suspects: &'a BTreeSet<IpAddr>,
    services: Vec<ServiceDoc>,
    /// Infections of which the service is not known.
    unknown: u64,
    /// How likely the next infection goes through another service.
    novelty: f64,
    predictable: bool,
    exact: bool,
    price: u64,
    connections: u64,
    forgotten: u64,
    cuts: Vec<CutDoc>,
}

#[derive(Serialize)]
struct ServiceDoc {
    service: Service,
    infections: u64,
}

#[derive(Serialize)]
struct CutDoc {
    kind: &'static str,
    /// Nothing for the hosts that no other cut names.
    host: Option<IpAddr>,
    /// Nothing for all.
    service: Option<Service>,
    family: &'static str,
    connections: u64,
}

/// Writes the document of `plans`, on one line.
pub(super) fn render(plans: &[Plan]) -> String {
    let document = Document { schema: SCHEMA, plans: plans.iter().map(PlanDoc::from).collect() };
    serde_json::to_string(&document).expect("the document has only text for keys") + "\n"
}

impl<'a> From<&'a Plan> for PlanDoc<'a> {
    fn from(plan: &'a Plan) -> Self {
        let services = plan.spread.services.iter();
        Self {
            incident: &plan.incident,
            suspects: &plan.spread.suspects,
            services: services
                .map(|(service, infections)| ServiceDoc {
                    service: *service,
                    infections: *infections,
                })
                .collect(),
            unknown: plan.spread.unknown,
            novelty: rounded(plan.spread.novelty(), 3),
            predictable: plan.spread.is_predictable(),
            exact: plan.is_exact(),
            price: plan.price,
            connections: plan.connections,
            forgotten: plan.forgotten,
            cuts: plan.cuts.iter().map(CutDoc::from).collect(),
        }
    }
}

impl From<&Cut> for CutDoc {
    fn from(cut: &Cut) -> Self {
        Self {
            kind: cut.rule.kind(),
            host: cut.rule.host(),
            service: cut.rule.service(),
            family: cut.rule.family().as_str(),
            connections: cut.connections,
        }
    }
}

//! Cuts as a table, in the look of `replay`.

use std::fmt::Write as _;

use comfy_table::Cell;

use crate::cli::Look;
use crate::cli::look::{BOLD, clean, counted};
use crate::contain::{Cut, Family, Plan, Rule, Spread};

/// Cuts of one plan in the table.
const CUTS: usize = 100;

/// `write!` into a string, which cannot fail.
macro_rules! line {
    ($page:expr, $($text:tt)*) => {
        writeln!($page, $($text)*).expect("a string takes any text")
    };
}

/// Writes the page that a person reads.
pub(super) fn render(plans: &[Plan], look: Look) -> String {
    let mut page = String::new();
    if plans.is_empty() {
        line!(page, "No incident, so there is nothing to cut.");
    }
    for (number, plan) in plans.iter().enumerate() {
        if number > 0 {
            page.push('\n');
        }
        write_plan(&mut page, plan, look);
    }
    page
}

fn write_plan(page: &mut String, plan: &Plan, look: Look) {
    let suspects = counted(plan.spread.suspects.len() as u64, "suspect");
    let title = format!("Incident {}: {suspects}", clean(&plan.incident));
    line!(page, "{}, {}\n", look.paint(BOLD, &title), spread(&plan.spread));
    if plan.cuts.is_empty() {
        line!(page, "Nobody in it is likely enough to be cut off.");
        return;
    }
    let mut table = look.table();
    let titles = ["cut", "host", "service", "connections"];
    table.set_header(titles.map(|title| {
        let cell = Cell::new(title);
        if look.colour { cell.add_attribute(comfy_table::Attribute::Bold) } else { cell }
    }));
    for cut in plan.cuts.iter().take(CUTS) {
        table.add_row(row(cut));
    }
    line!(page, "{}\n", table.trim_fmt());
    let more = plan.cuts.len().saturating_sub(CUTS);
    if more > 0 {
        line!(page, "and {} (all with --format json)", counted(more as u64, "more cut"));
    }
    let cuts = counted(plan.cuts.len() as u64, "cut");
    let connections = counted(plan.connections, "connection");
    line!(page, "{cuts}, which would have stopped {connections} with hosts outside the incident.");
    line!(page, "{}", worth(plan));
}

/// How it spread, and whether that will go on.
pub(super) fn spread(spread: &Spread) -> String {
    let mut through: Vec<_> = spread.services.keys().map(ToString::to_string).collect();
    if spread.unknown > 0 || through.is_empty() {
        through.push("services unknown".to_owned());
    }
    let through = through.join(", ");
    let chance = spread.novelty() * 100.0;
    if spread.is_predictable() {
        format!("spread through {through}; next through another with {chance:.0} %")
    } else {
        format!(
            "spread through {through}; next through another with {chance:.0} %, so only isolation \
             is safe"
        )
    }
}

/// Whether anything cheaper would do.
pub(super) fn worth(plan: &Plan) -> String {
    if !plan.is_exact() {
        let pairs = counted(plan.forgotten, "pair");
        return format!(
            "Approximate: {pairs} of hosts were forgotten for want of room ([inventory] traffic), so \
             cuts may cost more than shown."
        );
    }
    let text = if plan.spread.is_predictable() {
        "Exact: no other such cuts cost less in connections and cuts, by the traffic that was seen."
    } else {
        "Exact: every suspect has to go, so there is no choice."
    };
    text.to_owned()
}

fn row(cut: &Cut) -> Vec<Cell> {
    let what = match cut.rule {
        Rule::Isolate(_) => "isolate",
        Rule::Bar(_) => "keep out",
        Rule::Block(..) => "block calls of",
        Rule::Shield(..) | Rule::ShieldRest(..) => "shield from suspects",
    };
    let host = match cut.rule {
        Rule::ShieldRest(_, Family::V4) => "every other own host (IPv4)".to_owned(),
        Rule::ShieldRest(_, Family::V6) => "every other own host (IPv6)".to_owned(),
        rule => rule.host().map_or_else(String::new, |host| host.to_string()),
    };
    let service =
        cut.rule.service().map_or_else(|| "all".to_owned(), |service| service.to_string());
    vec![Cell::new(what), Cell::new(host), Cell::new(service), Cell::new(cut.connections)]
}

//! The trees as text, for a terminal.

use std::fmt::{self, Write};

use super::forest::{Member, Tree, forest};
use super::words::{counted, how, percent, reach, second};
use crate::incident::{Incident, Summary, span};

/// Incidents drawn.
const INCIDENTS: usize = 10;
/// Hosts drawn of each.
const HOSTS: usize = 60;
/// Generations drawn: the next would leave the screen.
const DEPTH: usize = 12;
/// Hosts named that may be next.
const EXPOSED: usize = 5;

/// Draws who infected whom, a tree for each incident; nothing where there is none.
pub fn text_tree(summary: &Summary) -> String {
    let mut text = String::new();
    draw(summary, &mut text).expect("a string takes any text");
    text
}

fn draw(summary: &Summary, out: &mut String) -> fmt::Result {
    for (place, tree) in forest(summary, HOSTS).iter().take(INCIDENTS).enumerate() {
        if place > 0 {
            writeln!(out)?;
        }
        describe(tree.incident, out)?;
        branches(tree, out)?;
        exposed(tree.incident, out)?;
    }
    more(summary.incidents.len().saturating_sub(INCIDENTS), "incident", out)
}

/// How large it is, and how fast it grows.
fn describe(incident: &Incident, out: &mut String) -> fmt::Result {
    let Incident { id, hosts, generations, reproduction_number: r, .. } = incident;
    let (low, high) = incident.reproduction_interval;
    let since = second(incident.since);
    let hosts = counted(*hosts, "host");
    let generations = counted(u64::from(*generations), "generation");
    writeln!(out, "{id}: {hosts} in {generations} since {since} UTC")?;
    write!(out, "each infects {r:.1} others (95 %: {low:.1} to {high:.1})")?;
    if let Some(time) = incident.doubling_time {
        write!(out, ", doubling in {}", span(time))?;
    }
    writeln!(out)
}

fn branches(tree: &Tree<'_>, out: &mut String) -> fmt::Result {
    // For each generation above the line: whether a sibling is still to come below it.
    let mut open: Vec<bool> = Vec::new();
    let mut deeper = 0;
    // The date is said above; it matters again only where the incident went on past midnight.
    let day = |moment| second(moment).get(..10).map(str::to_owned);
    let skip = if day(tree.incident.since) == day(tree.incident.updated) { 11 } else { 5 };
    for member in &tree.members {
        let Member { host, depth, last, infection } = member;
        if *depth > DEPTH {
            deeper += 1;
            continue;
        }
        let Some(infection) = infection else {
            match tree.incident.origin.words() {
                Some(words) => writeln!(out, "{host} (patient zero, {words})")?,
                None => writeln!(out, "{host} (patient zero)")?,
            }
            open.clear();
            continue;
        };
        open.truncate(depth - 1);
        for more in &open {
            out.push_str(if *more { "│  " } else { "   " });
        }
        open.push(!last);
        let branch = if *last { "└─" } else { "├─" };
        let moment = second(infection.at);
        let moment = moment.get(skip..).unwrap_or(&moment);
        write!(out, "{branch} {moment} {} → {host}", how(infection))?;
        if let Some((other, sure)) = infection.runner_up {
            write!(out, " (or by {other}, {})", percent(sure))?;
        }
        writeln!(out)?;
    }
    more(deeper + tree.left_out, "host", out)
}

fn exposed(incident: &Incident, out: &mut String) -> fmt::Result {
    if incident.exposed.is_empty() {
        return Ok(());
    }
    writeln!(out, "may be next:")?;
    for exposed in incident.exposed.iter().take(EXPOSED) {
        let (host, from, service) = (exposed.host, exposed.from, exposed.service);
        writeln!(out, "  {host} by {from} over {service} ({})", reach(exposed))?;
    }
    let rest = incident.exposed.len().saturating_sub(EXPOSED);
    if rest > 0 {
        write!(out, "  ")?;
    }
    more(rest, "host", out)
}

fn more(count: usize, thing: &str, out: &mut String) -> fmt::Result {
    if count == 0 {
        return Ok(());
    }
    writeln!(out, "and {}", counted(count as u64, &format!("more {thing}")))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{infection, outbreak};
    use super::*;

    #[test]
    fn shows_who_infected_whom_and_who_may_be_next() {
        insta::assert_snapshot!(text_tree(&outbreak()), @r"
        worm-1: 5 hosts in 3 generations since 2017-05-18 08:12:00 UTC
        each infects 1.3 others (95 %: 0.4 to 3.0), doubling in 1 min 24 s
        10.0.0.1 (patient zero)
        ├─ 08:13:00 tcp/445 97 % → 10.0.0.2 (or by 10.0.0.9, 2 %)
        │  └─ 08:14:10 tcp/22 62 % → 10.0.0.4
        │     └─ 08:15:20 tcp/445 97 % → 10.0.0.5
        └─ 08:13:35 tcp/445 97 % → 10.0.0.3
        may be next:
          10.0.0.8 by 10.0.0.4 over tcp/22 (contacted)
          10.0.0.9 by 10.0.0.4 over tcp/22 (offers it)
          10.0.0.3 by 10.0.0.4 over tcp/22 (offers it)

        worm-2: 2 hosts in 1 generation since 2017-05-18 08:12:00 UTC
        each infects 1.3 others (95 %: 0.4 to 3.0)
        2001:db8::1 (patient zero)
        └─ 08:18:40 tcp/3389 97 % → 2001:db8::2
        ");
    }

    #[test]
    fn says_nothing_where_nothing_spread() {
        assert_eq!(text_tree(&Summary::default()), "");
    }

    #[test]
    fn keeps_to_the_screen_and_counts_the_rest() {
        let mut summary = outbreak();
        let mut from = "10.0.0.5".to_owned();
        for n in 0..100 {
            let to = format!("10.0.1.{n}");
            summary.infections.push(infection(&from, &to, 1000 + n, 4, "worm-1"));
            from = to;
        }

        let text = text_tree(&summary);

        let deepest = text.lines().map(|line| line.chars().count()).max().unwrap();
        assert!(deepest < 100, "{text}");
        assert!(text.contains("\nand 91 more hosts\n"), "{text}");
    }

    #[test]
    fn past_midnight_each_line_has_its_date() {
        let mut summary = outbreak();
        summary.incidents[0].updated =
            summary.incidents[0].since + std::time::Duration::from_secs(86_400);

        assert!(text_tree(&summary).contains("├─ 05-18 08:13:00 tcp/445 97 % → 10.0.0.2"));
    }
}

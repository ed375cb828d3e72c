//! Cuts as a ruleset for `nft -f`, in a table of its own that is gone with one command.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::IpAddr;

use super::table;
use crate::contain::{Family, Plan, Rule};
use crate::net::{Service, Transport};

const TABLE: &str = "wormwatch_contain";

/// `write!` into a string, which cannot fail.
macro_rules! line {
    ($page:expr, $($text:tt)*) => {
        writeln!($page, $($text)*).expect("a string takes any text")
    };
}

/// Writes the ruleset. Loading it again replaces it.
pub(super) fn render(plans: &[Plan]) -> String {
    let mut page = String::from("#!/usr/sbin/nft -f\n");
    if plans.is_empty() {
        line!(page, "# No incident, so there is nothing to cut.");
        return page;
    }
    line!(page, "# Cuts that `wormwatch contain` advises; nothing was loaded yet.");
    line!(page, "# Try it:       nft -c -f FILE");
    line!(page, "# Take it back: nft delete table inet {TABLE}");
    line!(page, "# A router sees what it forwards. Hosts of one switch have to be cut there.");
    let mut rules = Ruleset::default();
    for (number, plan) in plans.iter().enumerate() {
        line!(page, "#");
        line!(page, "# i{}: incident {}", number + 1, printable(&plan.incident));
        line!(page, "#     {}", printable(&table::spread(&plan.spread)));
        line!(page, "#     {}", printable(&table::worth(plan)));
        rules.add(&format!("i{}", number + 1), plan);
    }
    // Made first, so that what is deleted is there.
    line!(page, "\ntable inet {TABLE}\ndelete table inet {TABLE}\n\ntable inet {TABLE} {{");
    for ((name, family), elements) in &rules.sets {
        let elements: Vec<_> = elements.iter().map(String::as_str).collect();
        line!(page, "    set {name}_{} {{", family.as_str());
        line!(
            page,
            "        type {}",
            if *family == Family::V4 { "ipv4_addr" } else { "ipv6_addr" }
        );
        if name == HOME {
            line!(page, "        flags interval\n        auto-merge");
        }
        line!(page, "        elements = {{ {} }}\n    }}\n", elements.join(", "));
    }
    line!(page, "    chain forward {{");
    line!(page, "        type filter hook forward priority filter - 10; policy accept;");
    for rule in &rules.lines {
        line!(page, "        {rule}");
    }
    line!(page, "    }}\n}}");
    page
}

/// The set of the own networks.
const HOME: &str = "home";

/// Sets of addresses by name, and rules in the order they were written first.
#[derive(Default)]
struct Ruleset {
    sets: BTreeMap<(String, Family), BTreeSet<String>>,
    lines: Vec<String>,
}

impl Ruleset {
    fn add(&mut self, incident: &str, plan: &Plan) {
        for cut in &plan.cuts {
            let family = cut.rule.family();
            let (ip, suffix) = (if family == Family::V4 { "ip" } else { "ip6" }, family.as_str());
            let suspects = format!("{incident}_suspects");
            match cut.rule {
                Rule::Isolate(host) | Rule::Bar(host) => {
                    let off = format!("{incident}_off");
                    self.insert(&off, family, host);
                    self.drop(&format!("{ip} saddr @{off}_{suffix}"), "from who is off");
                    self.drop(&format!("{ip} daddr @{off}_{suffix}"), "to who is off");
                }
                Rule::Block(host, service) => {
                    let (word, calls) = of_service(service, family);
                    let blocked = format!("{incident}_block_{word}");
                    self.insert(&blocked, family, host);
                    self.drop(&format!("{ip} saddr @{blocked}_{suffix} {calls}"), "suspect calls");
                }
                Rule::Shield(host, service) => {
                    let (word, calls) = of_service(service, family);
                    let shielded = format!("{incident}_shield_{word}");
                    self.insert_suspects(&suspects, family, plan);
                    self.insert(&shielded, family, host);
                    let ends =
                        format!("{ip} saddr @{suspects}_{suffix} {ip} daddr @{shielded}_{suffix}");
                    self.drop(&format!("{ends} {calls}"), "suspect calls who offers it");
                }
                Rule::ShieldRest(service, _) if self.insert_home(family, plan) => {
                    let (_, calls) = of_service(service, family);
                    self.insert_suspects(&suspects, family, plan);
                    let ends =
                        format!("{ip} saddr @{suspects}_{suffix} {ip} daddr @{HOME}_{suffix}");
                    self.drop(&format!("{ends} {calls}"), "suspect calls any own host");
                }
                // There is no own host of this family.
                Rule::ShieldRest(..) => {}
            }
        }
    }

    fn insert(&mut self, name: &str, family: Family, host: IpAddr) {
        self.sets.entry((name.to_owned(), family)).or_default().insert(host.to_string());
    }

    fn insert_suspects(&mut self, name: &str, family: Family, plan: &Plan) {
        if !self.sets.contains_key(&(name.to_owned(), family)) {
            for suspect in plan.spread.suspects.iter().filter(|host| Family::of(**host) == family) {
                self.insert(name, family, *suspect);
            }
        }
    }

    /// Whether there are own networks of this family.
    fn insert_home(&mut self, family: Family, plan: &Plan) -> bool {
        let own = plan.home.listed().iter().filter(|net| Family::of(net.addr()) == family);
        let own: BTreeSet<_> = own.map(|net| net.trunc().to_string()).collect();
        let is_some = !own.is_empty();
        if is_some {
            self.sets.insert((HOME.to_owned(), family), own);
        }
        is_some
    }

    /// Drops and counts what `calls` matches, unless a rule does already.
    fn drop(&mut self, calls: &str, why: &str) {
        let rule = format!("{calls} counter drop comment \"{why}\"");
        if !self.lines.contains(&rule) {
            self.lines.push(rule);
        }
    }
}

/// A service as part of a name, and what matches calls for it.
fn of_service(service: Service, family: Family) -> (String, String) {
    let Service { transport, port } = service;
    let calls = match (transport, family) {
        (Transport::Icmp, Family::V4) => format!("icmp type {port}"),
        (Transport::Icmp, Family::V6) => format!("icmpv6 type {port}"),
        _ => format!("{} dport {port}", transport.as_str()),
    };
    (format!("{}_{port}", transport.as_str()), calls)
}

/// On one line and in ASCII, whatever an identifier holds.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' }).collect()
}

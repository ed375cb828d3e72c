//! From an incident and the traffic around it to cuts.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::Spread;
use super::cover::{self, Way};
use super::rule::{Family, Rule};
use crate::incident::{Incident, Infection, Summary, Traffic};
use crate::inventory::Networks;
use crate::net::Service;

/// What a cut costs beside the traffic that it stops, in connections, so that fewer are better.
const PRICE: u64 = 1;

/// What to cut so that one incident reaches nothing clean.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The incident.
    pub incident: String,
    /// Who is in it, and how it spread.
    pub spread: Spread,
    /// The cuts, in order of their rules.
    pub cuts: Vec<Cut>,
    /// What was minimised: the connections that each cut stops, and one for each cut.
    pub price: u64,
    /// Connections between suspects and others that the cuts would have stopped, each once.
    pub connections: u64,
    /// Pairs of hosts and services whose connections were forgotten, and so cost nothing.
    pub forgotten: u64,
    /// What is ours.
    pub home: Networks,
}

/// A cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// What it is.
    pub rule: Rule,
    /// Connections between suspects and others, as far as seen, that it would have stopped.
    pub connections: u64,
}

impl Plan {
    /// Finds the cheapest cuts for `incident`, with what `summary` knows of it and of the traffic.
    pub fn new(incident: &Incident, summary: &Summary, home: &Networks) -> Self {
        let spread = Spread::of(incident, &summary.infections);
        let mut plan = Self {
            incident: incident.id.clone(),
            forgotten: summary.traffic_forgotten,
            home: home.clone(),
            spread,
            ..Self::default()
        };
        let affairs = Affairs::of(&plan.spread.suspects, &summary.traffic);
        let mut cuts = if plan.spread.is_predictable() {
            plan.cheapest(&affairs, &plan.offers(incident, &summary.traffic))
        } else {
            plan.spread.suspects.iter().map(|suspect| plan.off(*suspect, &affairs)).collect()
        };
        cuts.sort_unstable_by_key(|cut| cut.rule);
        plan.price = cuts.iter().map(|cut| cut.connections + PRICE).sum();
        plan.cuts = cuts;
        let stopped = affairs.all.iter().filter(|of| plan.stops(of.client, of.server, of.service));
        plan.connections = stopped.map(|of| of.connections).sum();
        plan
    }

    /// Whether no cheaper set of cuts does it. Only what was forgotten of the traffic makes it
    /// doubtful: then the prices are estimates from below.
    pub const fn is_exact(&self) -> bool {
        self.forgotten == 0
    }

    /// Whether a call of `client` to `server` for `service` is stopped.
    pub fn stops(&self, client: IpAddr, server: IpAddr, service: Service) -> bool {
        let shielded = || {
            let rest = Rule::ShieldRest(service, Family::of(server));
            self.holds(Rule::Shield(server, service))
                || (self.holds(rest) && self.home.contains(server))
        };
        self.is_off(client)
            || self.is_off(server)
            || self.holds(Rule::Block(client, service))
            || (self.spread.suspects.contains(&client) && shielded())
    }

    /// Plays `later` infections, in order of time, against the cuts: those that would still happen.
    ///
    /// Nobody infects who was not infected: what follows from an infection that was stopped does
    /// not happen either. Where the service is not known, only isolation is sure to stop it.
    pub fn crossing<'a>(&self, later: &'a [Infection]) -> Vec<&'a Infection> {
        let mut infected = self.spread.suspects.clone();
        let mut crossing = Vec::new();
        for infection in later {
            let Infection { from, to, service, .. } = *infection;
            let stopped = match service {
                Some(service) => self.stops(from, to, service),
                None => self.is_off(from) || self.is_off(to),
            };
            if infected.contains(&from) && !stopped && infected.insert(to) {
                crossing.push(infection);
            }
        }
        crossing
    }

    fn is_off(&self, host: IpAddr) -> bool {
        self.holds(Rule::Isolate(host)) || self.holds(Rule::Bar(host))
    }

    fn holds(&self, rule: Rule) -> bool {
        self.cuts.binary_search_by_key(&rule, |cut| cut.rule).is_ok()
    }

    /// The cut that leaves a suspect nothing.
    fn off(&self, suspect: IpAddr, affairs: &Affairs<'_>) -> Cut {
        let is_ours = self.home.contains(suspect);
        let rule = if is_ours { Rule::Isolate(suspect) } else { Rule::Bar(suspect) };
        Cut { rule, connections: affairs.of_host(suspect) }
    }

    /// The clean hosts that offer what the incident spreads through, by service.
    fn offers(&self, incident: &Incident, traffic: &[Traffic]) -> BTreeSet<(Service, IpAddr)> {
        let seen = traffic.iter().map(|of| (of.service, of.server));
        let exposed = incident.exposed.iter().map(|of| (of.service, of.host));
        seen.chain(exposed)
            .filter(|(service, host)| {
                self.spread.services.contains_key(service)
                    && !self.spread.suspects.contains(host)
                    && self.home.contains(*host)
            })
            .collect()
    }

    fn cheapest(&self, affairs: &Affairs<'_>, offers: &BTreeSet<(Service, IpAddr)>) -> Vec<Cut> {
        let suspects: Vec<_> = self.spread.suspects.iter().copied().collect();
        let off: Vec<_> = suspects.iter().map(|suspect| self.off(*suspect, affairs)).collect();
        let mut ways = Vec::new();
        let mut closings = Vec::new();
        for service in self.spread.services.keys() {
            for family in [Family::V4, Family::V6] {
                let closing = Closing::of((*service, family), &suspects, affairs, offers);
                ways.push(closing.way());
                closings.push(closing);
            }
        }
        let prices: Vec<_> = off.iter().map(|cut| cut.connections + PRICE).collect();
        let choice = cover::cheapest(&prices, &ways);
        let is_off = |number: usize| choice.isolated.get(number).copied().unwrap_or(false);
        let mut cuts: Vec<_> =
            off.into_iter().enumerate().filter(|(n, _)| is_off(*n)).map(|(_, cut)| cut).collect();
        for (closing, shielded) in closings.into_iter().zip(&choice.shielded) {
            if closing.blocks.is_empty() {
                continue;
            }
            if *shielded {
                cuts.extend(closing.shields);
            } else {
                let open = closing.blocks.into_iter().filter(|(number, _)| !is_off(*number));
                cuts.extend(open.map(|(_, cut)| cut));
            }
        }
        cuts
    }
}

/// The two manners of closing a way: cuts at its clean hosts, or at its suspects.
struct Closing {
    shields: Vec<Cut>,
    /// With the number of the suspect.
    blocks: Vec<(usize, Cut)>,
}

impl Closing {
    fn of(
        (service, family): (Service, Family),
        suspects: &[IpAddr],
        affairs: &Affairs<'_>,
        offers: &BTreeSet<(Service, IpAddr)>,
    ) -> Self {
        let block = |suspect: IpAddr| Cut {
            rule: Rule::Block(suspect, service),
            connections: affairs.called_by(suspect, service),
        };
        let shield = |host: IpAddr| Cut {
            rule: Rule::Shield(host, service),
            connections: affairs.called_for(host, service),
        };
        let of_family = |host: &IpAddr| Family::of(*host) == family;
        let offering = offers.iter().filter(|(of, host)| *of == service && of_family(host));
        // Nobody was seen there, so nobody is missed.
        let rest = Cut { rule: Rule::ShieldRest(service, family), connections: 0 };
        let numbered = suspects.iter().enumerate().filter(|(_, suspect)| of_family(suspect));
        Self {
            shields: offering.map(|(_, host)| shield(*host)).chain([rest]).collect(),
            blocks: numbered.map(|(number, suspect)| (number, block(*suspect))).collect(),
        }
    }

    fn way(&self) -> Way {
        let price = |cut: &Cut| cut.connections + PRICE;
        Way {
            shields: self.shields.iter().map(price).sum(),
            blocks: self.blocks.iter().map(|(number, cut)| (*number, price(cut))).collect(),
        }
    }
}

/// The traffic between suspects and others, and sums of it.
struct Affairs<'a> {
    all: Vec<&'a Traffic>,
    /// Connections of each suspect.
    hosts: BTreeMap<IpAddr, u64>,
    /// Connections that a suspect opened, by service.
    calls: BTreeMap<(IpAddr, Service), u64>,
    /// Connections from suspects that another host let in, by service.
    answers: BTreeMap<(IpAddr, Service), u64>,
}

impl<'a> Affairs<'a> {
    fn of(suspects: &BTreeSet<IpAddr>, traffic: &'a [Traffic]) -> Self {
        let mut affairs = Self {
            all: Vec::new(),
            hosts: BTreeMap::new(),
            calls: BTreeMap::new(),
            answers: BTreeMap::new(),
        };
        for of in traffic {
            let suspect = match (suspects.contains(&of.client), suspects.contains(&of.server)) {
                (true, false) => {
                    let Traffic { client, server, service, connections, .. } = *of;
                    *affairs.calls.entry((client, service)).or_default() += connections;
                    *affairs.answers.entry((server, service)).or_default() += connections;
                    client
                }
                (false, true) => of.server,
                (true, true) | (false, false) => continue,
            };
            *affairs.hosts.entry(suspect).or_default() += of.connections;
            affairs.all.push(of);
        }
        affairs
    }

    fn of_host(&self, suspect: IpAddr) -> u64 {
        self.hosts.get(&suspect).copied().unwrap_or(0)
    }

    fn called_by(&self, suspect: IpAddr, service: Service) -> u64 {
        self.calls.get(&(suspect, service)).copied().unwrap_or(0)
    }

    fn called_for(&self, host: IpAddr, service: Service) -> u64 {
        self.answers.get(&(host, service)).copied().unwrap_or(0)
    }
}

//! The incidents, as HTTP and metrics show them.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use serde::Serialize;

use crate::incident::{Alert, Incident, IncidentDoc, Infection, InfectionDoc, Status};
use crate::net::Service;
use crate::propagation::Account;

/// Services that have a count of their own among those over which hosts were infected.
pub const SERVICE_LIMIT: usize = 8;

/// Who infected whom, and which incidents are open: one moment of it, shared and never changed.
#[derive(Clone, Debug, Default)]
pub struct IncidentBoard {
    account: Arc<Account>,
    /// The alert of each incident that is open.
    open: BTreeMap<String, String>,
    /// What alerts about incidents told, by status.
    changes: BTreeMap<Status, u64>,
}

/// An incident, as HTTP shows it.
#[derive(Debug, Serialize)]
pub struct IncidentView<'a> {
    #[serde(flatten)]
    incident: IncidentDoc<'a>,
    /// `open`, or `closed` for one that has been quiet.
    status: Status,
    /// The id of the alert about it, while that is open.
    alert: Option<&'a str>,
    /// How many infections are told of it.
    infections_total: usize,
}

/// An incident with its infections, as HTTP shows it.
#[derive(Debug, Serialize)]
pub struct IncidentPage<'a> {
    #[serde(flatten)]
    view: IncidentView<'a>,
    /// In order of time.
    infections: Vec<InfectionDoc<'a>>,
}

/// What the metrics say of the open incidents.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct IncidentFigures {
    /// Incidents that are open.
    pub open: usize,
    /// Likely infections in them, by the services with most of them; `None` for all others.
    pub infections: BTreeMap<Option<Service>, u64>,
    /// Of the one with most hosts: how many, ...
    pub hosts: u64,
    /// ... how many generations, ...
    pub generations: u32,
    /// ... and how many others each infected host infects.
    pub reproduction_number: f64,
}

impl IncidentBoard {
    /// The board of `account`, of whose incidents these are open, each with its alert.
    pub fn new<'a>(
        account: &Arc<Account>,
        open: impl Iterator<Item = (&'a str, &'a Alert)>,
        changes: &BTreeMap<Status, u64>,
    ) -> Self {
        Self {
            account: Arc::clone(account),
            open: open.map(|(id, alert)| (id.to_owned(), alert.id.clone())).collect(),
            changes: changes.clone(),
        }
    }

    /// The `limit` incidents that grew last, newest first, and how many there are.
    pub fn incidents(&self, limit: usize) -> (Vec<IncidentView<'_>>, usize) {
        let mut all: Vec<_> = self.account.incidents.iter().collect();
        all.sort_by(|a, b| (b.updated, &b.id).cmp(&(a.updated, &a.id)));
        let mut infections: BTreeMap<&str, usize> = BTreeMap::new();
        for infection in &self.account.infections {
            *infections.entry(&infection.incident).or_default() += 1;
        }
        let total = |incident: &Incident| infections.get(incident.id.as_str()).copied();
        let views = all.iter().take(limit).map(|of| self.view(of, total(of).unwrap_or(0)));
        (views.collect(), self.account.incidents.len())
    }

    /// One incident with its infections, if there is one of that id.
    pub fn incident(&self, id: &str) -> Option<IncidentPage<'_>> {
        let incident = self.account.incidents.iter().find(|incident| incident.id == id)?;
        let infections = self.account.infections.iter().filter(|of| of.incident == id);
        let infections: Vec<_> = infections.map(InfectionDoc::from).collect();
        Some(IncidentPage { view: self.view(incident, infections.len()), infections })
    }

    /// The `limit` latest infections, newest first, and how many there are.
    pub fn infections(&self, limit: usize) -> (Vec<InfectionDoc<'_>>, usize) {
        let all = &self.account.infections;
        (all.iter().rev().take(limit).map(InfectionDoc::from).collect(), all.len())
    }

    /// What alerts about incidents told so far, by status.
    pub const fn changes(&self) -> &BTreeMap<Status, u64> {
        &self.changes
    }

    /// What the metrics say.
    pub fn figures(&self) -> IncidentFigures {
        let is_open = |id: &str| self.open.contains_key(id);
        let likely = self.account.infections.iter().filter(|of| of.is_likely());
        let open = self.account.incidents.iter().filter(|of| is_open(&of.id));
        let largest = open.max_by(|a, b| a.hosts.cmp(&b.hosts).then_with(|| b.id.cmp(&a.id)));
        IncidentFigures {
            open: self.open.len(),
            infections: by_service(likely.filter(|of| is_open(&of.incident))),
            hosts: largest.map_or(0, |of| of.hosts),
            generations: largest.map_or(0, |of| of.generations),
            reproduction_number: largest.map_or(0.0, |of| of.reproduction_number),
        }
    }

    fn view<'a>(&'a self, incident: &'a Incident, infections_total: usize) -> IncidentView<'a> {
        let alert = self.open.get(&incident.id).map(String::as_str);
        IncidentView {
            incident: IncidentDoc::from(incident),
            status: if alert.is_some() { Status::Open } else { Status::Closed },
            alert,
            infections_total,
        }
    }
}

/// Counts hosts by the service over which they were infected: the services with most of them, and
/// all others in one, so that there are never many.
fn by_service<'a>(
    infections: impl Iterator<Item = &'a Infection>,
) -> BTreeMap<Option<Service>, u64> {
    let mut hosts: BTreeMap<IpAddr, Option<Service>> = BTreeMap::new();
    for infection in infections {
        hosts.entry(infection.to).or_insert(infection.service);
    }
    let mut counts: BTreeMap<Option<Service>, u64> = BTreeMap::new();
    for service in hosts.into_values() {
        *counts.entry(service).or_default() += 1;
    }
    let mut ranked: Vec<_> = counts.into_iter().collect();
    ranked.sort_by_key(|(service, count)| (service.is_none(), std::cmp::Reverse(*count)));
    let mut result = BTreeMap::from([(None, 0)]);
    for (place, (service, count)) in ranked.into_iter().enumerate() {
        let key = service.filter(|_| place < SERVICE_LIMIT);
        *result.entry(key).or_default() += count;
    }
    result
}

//! What the trees say of each host, as evidence.

use std::net::IpAddr;

use super::Propagation;
use super::exchange::Exchange;
use super::forest::{log_odds, probability};
use crate::detect::{Evidence, Family, spoken};
use crate::time::Timestamp;

impl Propagation {
    /// Log-odds that `host` is infected, by its tree alone: what others say of it is left out.
    fn odds_of(&self, host: IpAddr) -> Option<f64> {
        let tree = self.forest.tree(host)?;
        let of_tree = probability(tree.odds_without(self.others_of(host)));
        let of_link = match self.forest.turned.get(&host) {
            Some(turned) => probability(tree.link_prior(turned, &self.config) + turned.tie.nats()),
            None => 1.0,
        };
        Some(log_odds(of_tree * of_link))
    }

    /// Says what the trees make of their hosts, where that is news.
    pub(super) fn tell(&mut self, now: Timestamp, out: &mut Vec<Evidence>) {
        self.told = now;
        let victims = std::mem::take(&mut self.victims);
        out.extend(victims.into_iter().map(|(host, victim)| as_victim(host, victim, now)));
        if !self.forest.grow(&self.hosts, &self.others, &self.config) {
            return;
        }
        let mut news = Vec::new();
        for tree in &self.forest.trees {
            for host in &tree.members {
                let Some(odds) = self.odds_of(*host) else { continue };
                let is_lone_origin = *host == tree.root && self.forest.children(*host).len() < 2;
                let most =
                    if is_lone_origin { self.config.origin_max } else { self.config.llr_max };
                news.push((*host, (odds - self.host_prior).clamp(0.0, most)));
            }
        }
        let most = self.config.llr_max;
        // Whose tree is no more is told, too.
        let is_alone = |host: &&IpAddr| self.forest.tree(**host).is_none();
        let alone: Vec<_> = self.forest.gates.keys().filter(is_alone).copied().collect();
        for host in alone {
            if self.forest.gates.remove(&host).is_some_and(|mut gate| gate.sinks(0.0)) {
                out.push(withdrawn(host, now));
            }
        }
        for (host, llr) in news {
            let gate = self.forest.gates.entry(host).or_default();
            if gate.opens(llr, most, 1) || gate.sinks(llr) {
                out.extend(self.evidence(host, llr, now));
            }
        }
    }

    fn evidence(&self, host: IpAddr, llr: f64, now: Timestamp) -> Option<Evidence> {
        let tree = self.forest.tree(host)?;
        let children = self.forest.children(host);
        let turned = self.forest.turned.get(&host);
        let size = tree.members.len();
        let (service, summary) = match turned {
            Some(turned) => {
                let lag = turned.tie.onset.since(turned.entry.start);
                let summary = format!(
                    "was called by {} on {}, and {} later began to do as that host does, alike in {}; \
                     {size} hosts make one chain",
                    turned.entry.peer,
                    self.door(host, &turned.entry),
                    spoken(lag),
                    turned.tie.axis.words(),
                );
                (Some(turned.tie.deed.service), summary)
            }
            None => {
                let service = |child: &IpAddr| {
                    self.forest.turned.get(child).map(|turned| self.door(*child, &turned.entry))
                };
                let summary = format!(
                    "{} of the hosts that it called went on to do as it does; {size} hosts make one \
                     chain",
                    children.len(),
                );
                (children.first().and_then(service), summary)
            }
        };
        let peers: Vec<_> = turned
            .map(|turned| turned.entry.peer)
            .into_iter()
            .chain(children.iter().copied())
            .collect();
        Some(Evidence {
            ts: now,
            host,
            detector: Self::ID,
            family: Family::Causality,
            llr,
            subject: "tree".to_owned(),
            peers_total: peers.len() as u64,
            peers: peers.into_iter().take(16).collect(),
            service,
            techniques: &["T1021", "T1570"],
            conns: Vec::new(),
            forgeable: turned.is_some_and(|turned| {
                turned.entry.is_forgeable() || turned.tie.deed.is_forgeable()
            }),
            summary,
        })
    }
}

/// What tied a host to a tree no longer does.
fn withdrawn(host: IpAddr, now: Timestamp) -> Evidence {
    Evidence {
        ts: now,
        host,
        detector: Propagation::ID,
        family: Family::Causality,
        llr: 0.0,
        subject: "tree".to_owned(),
        peers: Vec::new(),
        peers_total: 0,
        service: None,
        techniques: &["T1021", "T1570"],
        conns: Vec::new(),
        forgeable: false,
        summary: "is part of no chain any more: what it began has another cause".to_owned(),
    }
}

/// What being called by a worm says of a host that has done nothing yet.
fn as_victim(host: IpAddr, (entry, llr): (Exchange, f64), now: Timestamp) -> Evidence {
    let summary = format!(
        "was called by {} on {} as others were that then went on to do the same",
        entry.peer, entry.service
    );
    Evidence {
        ts: now,
        host,
        detector: Propagation::ID,
        family: Family::Causality,
        llr,
        subject: "called".to_owned(),
        peers: vec![entry.peer],
        peers_total: 1,
        service: Some(entry.service),
        techniques: &["T1021"],
        conns: Vec::new(),
        forgeable: entry.is_forgeable(),
        summary,
    }
}

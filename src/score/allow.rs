//! The allowlist: the one place where an operator says "this is ours".
//!
//! An entry hides only what it covers whole. Evidence of a source, detector or single service is
//! hidden as evidence; an entry that names a destination hides evidence only if every peer is known
//! and matches, because a sample of 16 of 5000 peers proves nothing about the rest. Such entries
//! (and those that name a service) also hide single events from the detectors they name, so that what is
//! allowed never becomes evidence, and what is not allowed still does.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Serialize, Serializer};

use crate::detect::Evidence;
use crate::event::Event;
use crate::time::Timestamp;

use super::entry::{AllowEntry, Expiry};

/// Pairs of host and detector remembered an entry, to say what it hid; beyond, it only counts.
const REMEMBERED: usize = 1024;
/// Hosts named in a report.
const NAMED: usize = 16;

/// What one entry hid.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AllowReport {
    /// Its place in the configuration, from 1.
    pub entry: usize,
    /// What it covers.
    pub scope: String,
    /// Why it is there.
    pub reason: String,
    /// Its last day, where it has one.
    #[serde(serialize_with = "as_text")]
    pub expires: Option<Expiry>,
    /// Whether it has expired by the latest time seen.
    pub expired: bool,
    /// Reports of evidence that it hid.
    pub hidden_evidence: u64,
    /// Events that it hid from detectors.
    pub hidden_events: u64,
    /// Reports and events that it would have hidden, had it not expired.
    pub missed: u64,
    /// A sample of the hosts whose evidence it hid, at most 16, by address.
    pub hosts: Vec<IpAddr>,
}

fn as_text<S: Serializer>(expiry: &Option<Expiry>, serializer: S) -> Result<S::Ok, S::Error> {
    match expiry {
        Some(expiry) => serializer.collect_str(expiry),
        None => serializer.serialize_none(),
    }
}

/// What the allowlist hid about one host.
#[derive(Clone, Debug, PartialEq)]
pub struct Hidden {
    /// The entry's place in the configuration, from 1.
    pub entry: usize,
    /// Why it is there.
    pub reason: String,
    /// The detector that spoke.
    pub detector: &'static str,
    /// The strongest that it said, in nats.
    pub llr: f64,
}

#[derive(Debug, Default)]
struct Hits {
    evidence: u64,
    events: u64,
    missed: u64,
    /// Bounded by [`REMEMBERED`]; the first come stay.
    strongest: BTreeMap<(IpAddr, &'static str), f64>,
}

/// The allowlist and what it hid.
#[derive(Debug, Default)]
pub struct Allowlist {
    entries: Vec<(AllowEntry, Hits)>,
    now: Option<Timestamp>,
}

impl Allowlist {
    /// The allowlist of `entries`, in the order of the configuration.
    pub fn new(entries: &[AllowEntry]) -> Self {
        let entries = entries.iter().map(|entry| (entry.clone(), Hits::default())).collect();
        Self { entries, now: None }
    }

    /// Takes other entries; what an unchanged one hid so far is kept.
    pub fn reload(&mut self, entries: &[AllowEntry]) {
        let mut known = std::mem::take(&mut self.entries);
        for entry in entries {
            let place = known.iter().position(|(old, _)| old == entry);
            let hits = place.map(|place| known.swap_remove(place).1).unwrap_or_default();
            self.entries.push((entry.clone(), hits));
        }
    }

    /// Whether an entry covers the evidence whole; counts it.
    pub fn hides(&mut self, evidence: &Evidence) -> bool {
        self.now = self.now.max(Some(evidence.ts));
        for (entry, hits) in &mut self.entries {
            if !entry.covers_evidence(evidence) {
                continue;
            }
            if entry.has_expired(evidence.ts) {
                hits.missed += 1;
                continue;
            }
            hits.evidence += 1;
            let key = (evidence.host, evidence.detector);
            if hits.strongest.len() < REMEMBERED || hits.strongest.contains_key(&key) {
                let strongest = hits.strongest.entry(key).or_insert(evidence.llr);
                *strongest = strongest.max(evidence.llr);
            }
            return true;
        }
        false
    }

    /// Whether an entry with a destination or a service hides the event from `detector`; counts it.
    ///
    /// The event's client is the source and its server the destination.
    pub fn hides_event(&mut self, detector: &str, event: &Event) -> bool {
        self.now = self.now.max(Some(event.ts));
        for (entry, hits) in &mut self.entries {
            if !entry.covers_event(detector, event) {
                continue;
            }
            if entry.has_expired(event.ts) {
                hits.missed += 1;
                continue;
            }
            hits.events += 1;
            return true;
        }
        false
    }

    /// Whether there is any entry that [`Self::hides_event`] could match, so that the caller may
    /// skip asking.
    pub fn has_event_entries(&self) -> bool {
        self.entries.iter().any(|(e, _)| !(e.destination.is_empty() && e.service.is_empty()))
    }

    /// What every entry hid so far, in the order of the configuration.
    pub fn reports(&self) -> Vec<AllowReport> {
        let report = |(index, (entry, hits)): (usize, &(AllowEntry, Hits))| {
            let mut hosts: Vec<_> = hits.strongest.keys().map(|(host, _)| *host).collect();
            hosts.dedup();
            hosts.truncate(NAMED);
            AllowReport {
                entry: index + 1,
                scope: entry.scope(),
                reason: entry.reason.clone(),
                expires: entry.expires,
                expired: self.now.is_some_and(|now| entry.has_expired(now)),
                hidden_evidence: hits.evidence,
                hidden_events: hits.events,
                missed: hits.missed,
                hosts,
            }
        };
        self.entries.iter().enumerate().map(report).collect()
    }

    /// What was hidden about `host`.
    pub fn hidden_about(&self, host: IpAddr) -> Vec<Hidden> {
        let mut hidden = Vec::new();
        for (index, (entry, hits)) in self.entries.iter().enumerate() {
            let about =
                hits.strongest.range((host, "")..).take_while(|((about, _), _)| *about == host);
            for ((_, detector), llr) in about {
                hidden.push(Hidden {
                    entry: index + 1,
                    reason: entry.reason.clone(),
                    detector,
                    llr: *llr,
                });
            }
        }
        hidden
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde::Deserialize;

    use super::super::testing::{about, evidence, ip, to};
    use super::*;
    use crate::detect::Family;
    use crate::event::{Body, Contact, Conversation, Opening, Outcome, Uid};
    use crate::net::{Endpoint, Service, Transport};

    fn list(text: &str) -> Allowlist {
        #[derive(Deserialize)]
        struct File {
            allow: Vec<AllowEntry>,
        }
        Allowlist::new(&toml::from_str::<File>(text).unwrap().allow)
    }

    fn scan() -> Evidence {
        evidence("scan.horizontal", Family::Failure, 9.0, 0)
    }

    fn contact(client: &str, server: &str, port: u16) -> Event {
        Event {
            ts: Timestamp::EPOCH,
            packet: 1,
            conversation: Some(Conversation {
                uid: Uid(1),
                transport: Transport::Tcp,
                client: Endpoint::new(ip(client), 40_000),
                server: Endpoint::new(ip(server), port),
                inferred: false,
            }),
            body: Body::Contact(Contact {
                outcome: Some(Outcome::Refused),
                opening: Opening::Syn,
                start: Timestamp::EPOCH,
                client_packets: 1,
                server_packets: 1,
                waited: Duration::ZERO,
                to_group: false,
            }),
        }
    }

    #[test]
    fn hides_a_source_and_nobody_else() {
        let mut allow = list("[[allow]]\nsource = \"10.0.0.5\"\nreason = \"scanner\"");

        assert!(allow.hides(&scan()));
        assert!(!allow.hides(&about("10.0.0.6", scan())));
    }

    #[test]
    fn every_part_of_the_scope_has_to_match() {
        let mut allow = list(
            r#"
            [[allow]]
            source = ["10.0.0.0/24", "10.0.9.0/24"]
            destination = "10.1.0.0/16"
            service = ["tcp/445", "udp/161"]
            detector = "scan"
            reason = "inventory"
            "#,
        );
        let udp = Evidence { service: Some(Service::udp(161)), ..scan() };
        let ssh = Evidence { service: Some(Service::tcp(22)), ..scan() };
        let any = Evidence { service: None, ..scan() };
        let login = evidence("auth.bruteforce", Family::Credential, 3.0, 0);

        assert!(allow.hides(&scan()));
        assert!(allow.hides(&udp));
        assert!(allow.hides(&about("10.0.9.1", scan())));
        for other in [ssh, any, login, about("10.0.1.1", scan())] {
            assert!(!allow.hides(&other), "{other:?}");
        }
    }

    #[test]
    fn one_peer_outside_shows_everything() {
        let mut allow = list("[[allow]]\ndestination = \"10.1.0.0/16\"\nreason = \"lab\"");

        assert!(allow.hides(&to(&["10.1.0.1", "10.1.9.9"], scan())));
        assert!(!allow.hides(&to(&["10.1.0.1", "10.2.0.1"], scan())));
        assert!(!allow.hides(&to(&[], scan())));
    }

    #[test]
    fn a_sample_of_peers_proves_nothing_about_the_rest() {
        let mut allow = list("[[allow]]\ndestination = \"10.1.0.0/16\"\nreason = \"lab\"");
        let many = Evidence { peers_total: 5000, ..scan() };

        assert!(!allow.hides(&many));
    }

    #[test]
    fn events_to_an_allowed_destination_never_reach_the_detector() {
        let mut allow = list(
            "[[allow]]\nsource = \"10.0.0.5\"\ndestination = \"10.1.0.0/16\"\n\
             detector = \"scan\"\nreason = \"scanner\"",
        );

        assert!(allow.has_event_entries());
        assert!(allow.hides_event("scan.horizontal", &contact("10.0.0.5", "10.1.0.1", 445)));
        assert!(!allow.hides_event("auth.spray", &contact("10.0.0.5", "10.1.0.1", 445)));
        assert!(!allow.hides_event("scan.horizontal", &contact("10.0.0.5", "10.2.0.1", 445)));
        assert!(!allow.hides_event("scan.horizontal", &contact("10.1.0.1", "10.0.0.5", 445)));
        assert_eq!(allow.reports()[0].hidden_events, 1);
    }

    #[test]
    fn a_source_alone_hides_no_event() {
        let mut allow = list("[[allow]]\nsource = \"10.0.0.5\"\nreason = \"scanner\"");

        assert!(!allow.has_event_entries());
        assert!(!allow.hides_event("scan.horizontal", &contact("10.0.0.5", "10.1.0.1", 445)));
    }

    #[test]
    fn an_expired_entry_hides_nothing_and_says_what_it_missed() {
        let mut allow =
            list("[[allow]]\nsource = \"10.0.0.5\"\nreason = \"test week\"\nexpires = 1970-01-01");
        let last_second = Evidence { ts: Timestamp::from_secs(86_399), ..scan() };
        let next_day = Evidence { ts: Timestamp::from_secs(86_400), ..scan() };

        assert!(allow.hides(&last_second));
        assert!(!allow.hides(&next_day));

        let [report] = allow.reports().try_into().unwrap();
        assert!(report.expired);
        assert_eq!((report.hidden_evidence, report.missed), (1, 1));
        assert_eq!(report.expires.unwrap().to_string(), "1970-01-01");
    }

    #[test]
    fn what_is_hidden_is_counted_and_named() {
        let mut allow = list(
            "[[allow]]\nsource = \"10.0.0.0/24\"\ndetector = \"scan\"\nreason = \"scanner\"\n\
             [[allow]]\nsource = \"192.0.2.1\"\nreason = \"monitor\"",
        );

        allow.hides(&scan());
        allow.hides(&Evidence { llr: 12.0, ..scan() });
        allow.hides(&about("10.0.0.6", scan()));

        let reports = allow.reports();
        assert_eq!(reports[0].hidden_evidence, 3);
        assert_eq!(reports[0].scope, "10.0.0.0/24, detector scan");
        assert_eq!(reports[0].hosts, [ip("10.0.0.5"), ip("10.0.0.6")]);
        assert_eq!(reports[1].hidden_evidence, 0);
        let about_five = allow.hidden_about(ip("10.0.0.5"));
        assert_eq!(about_five.len(), 1);
        assert_eq!((about_five[0].entry, about_five[0].llr), (1, 12.0));
    }

    #[test]
    fn reloading_keeps_the_counts_of_unchanged_entries() {
        let entry = |source: &str| -> AllowEntry {
            toml::from_str(&format!("source = \"{source}\"\nreason = \"x\"")).unwrap()
        };
        let mut allow = Allowlist::new(&[entry("192.0.2.1"), entry("10.0.0.5")]);
        allow.hides(&scan());

        allow.reload(&[entry("10.0.0.5"), entry("10.0.0.6")]);

        let hidden: Vec<_> = allow.reports().iter().map(|r| r.hidden_evidence).collect();
        assert_eq!(hidden, [1, 0]);
    }
}

//! Events against rules: which match, and which patterns over several then hold.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::Fields;
use super::rule::{About, What};
use super::set::RuleSet;
use super::window::{Held, Moment, Windows};
use crate::detect::Sample;
use crate::event::Conversation;
use crate::inventory::Role;
use crate::time::Timestamp;

/// A rule that matched.
#[derive(Debug)]
pub struct Match {
    /// Its place in the set.
    pub rule: usize,
    /// Whom it is about.
    pub host: IpAddr,
    /// The other end of the event that completed it, where it has one.
    pub peer: Option<IpAddr>,
    /// What exactly.
    pub(super) detail: Detail,
}

/// An event, ready to be compared with rules.
pub struct Seen<'a> {
    /// Its kind, by Zeek's name of the log.
    pub kind: &'a str,
    /// When it was.
    pub at: Timestamp,
    /// Its fields.
    pub fields: &'a mut Fields,
    /// The connection it belongs to.
    pub conversation: Option<Conversation>,
    /// Tells which addresses are the site's own.
    pub is_own: &'a dyn Fn(IpAddr) -> bool,
    /// Tells what a host is for.
    pub roles: &'a dyn Fn(IpAddr) -> Vec<Role>,
}

/// What a match is made of.
#[derive(Debug)]
pub(super) enum Detail {
    /// The fields that a detection asked for, and their values.
    Fields(Vec<(String, String)>),
    /// How many events or values a correlation found, and among whom.
    Pattern { count: u64, sample: Sample },
}

/// Rules at work: a set of them, and what its correlations remember.
#[derive(Debug)]
pub struct Watch {
    windows: Windows,
    candidates: Vec<usize>,
}

impl Watch {
    /// Remembers at most `budget` bytes.
    pub fn new(budget: usize) -> Self {
        Self { windows: Windows::new(budget), candidates: Vec::new() }
    }

    /// Bytes remembered.
    pub fn bytes(&self) -> usize {
        self.windows.bytes()
    }

    /// Windows remembered.
    pub fn len(&self) -> usize {
        self.windows.len()
    }

    /// Whether nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Windows that had to go for want of space.
    pub fn evicted(&self) -> u64 {
        self.windows.evicted()
    }

    /// Compares an event with the rules of `set` that ask for its kind. What only counts for
    /// correlations is left out of `found`.
    pub fn on_event(&mut self, set: &RuleSet, seen: Seen<'_>, found: &mut Vec<Match>) {
        let Seen { kind, at, fields, conversation, is_own, roles } = seen;
        let Some(route) = set.route(kind) else { return };
        route.candidates(fields, &mut self.candidates);
        if let (Some(talk), true) = (&conversation, route.want_roles(&self.candidates)) {
            fields.put("orig_roles", roles(talk.client.addr));
            fields.put("resp_roles", roles(talk.server.addr));
        }
        let fields = &*fields;
        let mut matched = self.candidates.iter().filter_map(|&index| {
            let detection = set.detection(index, kind)?;
            let asked = if set.rules().get(index)?.speaks {
                detection.matches(fields)?
            } else if detection.holds(fields) {
                Vec::new()
            } else {
                return None;
            };
            Some((index, asked))
        });
        let Some(first) = matched.next() else { return };
        let matched: Vec<_> = std::iter::once(first).chain(matched).collect();
        let ends = |talk: Conversation| (Some(talk.client.addr), Some(talk.server.addr));
        let (client, server) = conversation.map_or_else(
            || {
                let client = address(fields, ["id.orig_h", "orig_h", "src"]);
                (client, address(fields, ["id.resp_h", "resp_h", "dst"]))
            },
            ends,
        );
        let is_own = client.is_some_and(is_own) || server.is_some_and(is_own);
        let moment = Moment { at, fields, conversation, client, server, is_own };
        let mut waiting = Waiting::default();
        for (rule, asked) in matched {
            waiting.add(set, rule);
            self.tell(set, rule, &moment, &[], Detail::Fields(asked), found);
        }
        let mut held = Vec::new();
        while let Some((index, parts)) = waiting.next() {
            let Some(rule) = set.rules().get(index) else { continue };
            let What::Correlation(correlation) = &rule.what else { continue };
            self.windows.on_match(rule, correlation, &parts, moment, &mut held);
            if !held.is_empty() {
                waiting.add(set, index);
            }
            for Held { group, count, sample } in held.drain(..) {
                let detail = Detail::Pattern { count, sample };
                self.tell(set, index, &moment, &group, detail, found);
            }
        }
    }

    fn tell(
        &self,
        set: &RuleSet,
        index: usize,
        moment: &Moment<'_>,
        group: &[String],
        detail: Detail,
        found: &mut Vec<Match>,
    ) {
        let Some(rule) = set.rules().get(index).filter(|rule| rule.speaks) else { return };
        let host = match rule.about {
            About::Client => moment.client,
            About::Server => moment.server,
            About::Group(part) => {
                group.get(part).and_then(|value| value.parse().ok()).or(moment.client)
            }
        };
        let Some(host) = host else { return };
        let peer = if moment.client == Some(host) { moment.server } else { moment.client };
        found.push(Match { rule: index, host, peer, detail });
    }
}

/// The first of the fields that is an address.
fn address(fields: &Fields, names: [&str; 3]) -> Option<IpAddr> {
    names.iter().find_map(|name| fields.text_of(name)?.parse().ok())
}

/// Correlations that have parts to look at, those nearest to events first.
#[derive(Debug, Default)]
struct Waiting(BTreeMap<(usize, usize), Vec<usize>>);

impl Waiting {
    fn add(&mut self, set: &RuleSet, rule: usize) {
        for (correlation, part) in set.watched_by(rule) {
            let place = (set.height(*correlation), *correlation);
            self.0.entry(place).or_default().push(*part);
        }
    }

    fn next(&mut self) -> Option<(usize, Vec<usize>)> {
        self.0.pop_first().map(|((_, correlation), parts)| (correlation, parts))
    }
}

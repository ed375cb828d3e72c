//! The rules as a stage of the pipeline: events in, evidence out.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::Fields;
use super::config::RuleConfig;
use super::rule::{Correlation, Pattern, Rule, What};
use super::set::RuleSet;
use super::watch::{Detail, Match, Seen, Watch};
use crate::detect::sketch::Sketch;
use crate::detect::{Evidence, Sample, spoken};
use crate::event::{Body, Conversation, Event};
use crate::inventory::{Inventory, Table, Weigh, stable_hash};
use crate::net::Transport;
use crate::time::Timestamp;

/// A match that is no news is told again after this time, so that its weight does not fade while it
/// goes on.
const AGAIN: Duration = Duration::from_secs(3600);
/// Fields in a sentence, and letters of each.
const TOLD_FIELDS: usize = 4;
const TOLD_LETTERS: usize = 60;

/// Compares events with rules.
pub struct Rules {
    set: Arc<RuleSet>,
    fields: Fields,
    watch: Watch,
    told: Table<(IpAddr, u64), Told>,
    found: Vec<Match>,
}

/// What was said of one host by one rule.
#[derive(Debug, Default)]
struct Told {
    sample: Sample,
    peers: Sketch,
    at: Option<Timestamp>,
    reported: u64,
}

impl Weigh for Told {
    fn heap_bytes(&self) -> usize {
        self.sample.heap_bytes() + self.peers.heap_bytes()
    }
}

impl Rules {
    /// The rules of `config`, before the first event.
    pub fn new(config: &RuleConfig) -> Self {
        let budget = config.budget.0;
        Self {
            set: config.set(),
            fields: Fields::default(),
            watch: Watch::new(budget / 2),
            told: Table::new(budget / 2),
            found: Vec::new(),
        }
    }

    /// Takes the rules of `config` from now on. What rules remember that did not change stays.
    pub fn reload(&mut self, config: &RuleConfig) {
        self.set = config.set();
    }

    /// The rules in use.
    pub fn set(&self) -> &RuleSet {
        &self.set
    }

    /// Windows and reports remembered.
    pub fn len(&self) -> usize {
        self.watch.len() + self.told.len()
    }

    /// Whether nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Windows and reports that had to go for want of space.
    pub fn evicted(&self) -> u64 {
        self.watch.evicted() + self.told.evicted()
    }

    /// Bytes of state held.
    pub fn state_bytes(&self) -> usize {
        self.watch.bytes() + self.told.bytes()
    }

    /// Compares an event with the rules that ask for its kind.
    pub fn on_event(&mut self, event: &Event, inventory: &Inventory, out: &mut Vec<Evidence>) {
        let kind = event.kind();
        if !self.set.asks_for(kind) {
            return;
        }
        // Who talks to itself moves nowhere.
        if event.conversation.is_some_and(|talk| {
            let client = talk.client.addr;
            client == talk.server.addr || inventory.may_scan(client)
        }) {
            return;
        }
        let (is_own, roles) = (|addr| inventory.is_internal(addr), |addr| inventory.roles(addr));
        let Self { set, fields, watch, told, found } = self;
        fields.fill(event, &is_own);
        let (at, conversation) = (event.ts, event.conversation);
        let seen = Seen { kind, at, fields, conversation, is_own: &is_own, roles: &roles };
        watch.on_event(set, seen, found);
        for found in found.drain(..) {
            let Some(rule) = set.rules().get(found.rule) else { continue };
            let key = (found.host, rule.fingerprint);
            let evidence = told.update(key, is_own(found.host), Told::default, |told| {
                told.add(rule, event, &found)
            });
            out.extend(evidence);
        }
    }
}

impl Told {
    /// Takes a match; gives evidence where that is news.
    fn add(&mut self, rule: &Rule, event: &Event, found: &Match) -> Option<Evidence> {
        if let Some(peer) = found.peer {
            self.peers.insert(stable_hash(peer));
            self.sample.add(peer, event.conversation);
        }
        let (mut sample, mut peers) = (self.sample.clone(), self.peers.count().round() as u64);
        if let Detail::Pattern { sample: of_pattern, .. } = &found.detail {
            sample = of_pattern.clone();
            peers =
                peers.max(sample.peers().iter().filter(|peer| **peer != found.host).count() as u64);
        }
        let is_news = self.at.is_none_or(|at| event.ts.since(at) >= AGAIN)
            || peers >= self.reported.saturating_mul(2).max(1);
        if !is_news {
            return None;
        }
        self.at = Some(event.ts);
        self.reported = peers.max(1);
        Some(Evidence {
            ts: event.ts,
            host: found.host,
            detector: rule.detector,
            family: rule.family,
            llr: rule.llr,
            subject: rule.id.clone(),
            peers: sample.peers().into_iter().filter(|peer| *peer != found.host).collect(),
            peers_total: peers,
            service: event.conversation.map(|talk| talk.service()),
            techniques: rule.techniques,
            conns: sample.conns(),
            forgeable: is_forgeable(event),
            summary: sentence(rule, found, peers),
        })
    }
}

/// Whether a blind spoofer could have planted the event: everything that needs no answer.
fn is_forgeable(event: &Event) -> bool {
    match (&event.body, &event.conversation) {
        (Body::Conn(conn), _) => conn.server.packets == 0 || conn.client.packets == 0,
        (Body::Contact(contact), _) => contact.server_packets == 0 || contact.client_packets == 0,
        (_, Some(Conversation { transport, .. })) => *transport != Transport::Tcp,
        (_, None) => true,
    }
}

fn sentence(rule: &Rule, found: &Match, peers: u64) -> String {
    let mut text = rule.title.clone();
    if let Some(peer) = found.peer {
        let _ = match peers {
            0 | 1 => write!(text, ": {peer}"),
            peers => write!(text, ": {peer} and {} more", peers - 1),
        };
    }
    match (&found.detail, &rule.what) {
        (Detail::Fields(fields), _) => {
            let told: Vec<_> = fields
                .iter()
                .take(TOLD_FIELDS)
                .map(|(name, value)| format!("{name} {}", shortened(value)))
                .collect();
            if !told.is_empty() {
                let _ = write!(text, " ({})", told.join(", "));
            }
        }
        (Detail::Pattern { count, .. }, What::Correlation(correlation)) => {
            let _ = write!(text, " ({})", pattern(correlation, *count));
        }
        (Detail::Pattern { .. }, What::Detection(_)) => {}
    }
    text
}

fn pattern(correlation: &Correlation, count: u64) -> String {
    let within = spoken(correlation.within);
    match &correlation.pattern {
        Pattern::EventCount(_) => format!("{count} events in {within}"),
        Pattern::ValueCount(_) => format!("{count} different in {within}"),
        Pattern::Temporal(_) | Pattern::Ordered => format!("{count} kinds of events in {within}"),
    }
}

fn shortened(value: &str) -> String {
    let mut letters = value.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c });
    let mut text: String = letters.by_ref().take(TOLD_LETTERS).collect();
    if letters.next().is_some() {
        text.push('…');
    }
    text
}

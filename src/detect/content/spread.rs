//! What is known of one fingerprint: where it came up, who received it, and who handed it on.

use std::net::IpAddr;

use super::{Config, Prevalence};
use crate::detect::report::Sample;
use crate::detect::{Evidence, Family};
use crate::event::Conversation;
use crate::inventory::Weigh;
use crate::time::Timestamp;

/// What is alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Content,
    Shape,
}

/// Something that crossed from one host to another.
#[derive(Debug)]
pub(super) struct Crossing {
    pub(super) kind: Kind,
    pub(super) from: IpAddr,
    pub(super) to: IpAddr,
    /// Whether the sender brought it about: it pushed it through a way in, or serves it to a host that it
    /// has just entered. Whoever is asked hands nothing on.
    pub(super) is_handed: bool,
    pub(super) start: Timestamp,
    pub(super) end: Timestamp,
    pub(super) talk: Conversation,
    pub(super) keys: Vec<u64>,
}

/// A host that received it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Holder {
    pub(super) host: IpAddr,
    pub(super) from: IpAddr,
    pub(super) since: Timestamp,
    pub(super) is_own: bool,
    pub(super) is_heir: bool,
}

/// What is known of one fingerprint.
#[derive(Debug, Default)]
pub(super) struct Spread {
    /// Who sent it without having received it, in order.
    pub(super) spontaneous: Vec<IpAddr>,
    /// Who had it first, as far as was seen, whether it was asked for it or not.
    pub(super) origin: Option<IpAddr>,
    pub(super) holders: Vec<Holder>,
    pub(super) is_common: bool,
}

/// What a crossing changed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct News {
    /// The sender became an heir.
    pub(super) is_heir: bool,
    /// The receiver has it from now on.
    pub(super) is_received: bool,
    /// It turned out to be everybody's.
    pub(super) is_common: bool,
}

impl Spread {
    /// Takes a crossing to a host that `is_own` or not.
    pub(super) fn cross(&mut self, crossing: &Crossing, is_own: bool, config: &Config) -> News {
        let mut news = News::default();
        let (from, to) = (crossing.from, crossing.to);
        if self.is_common {
            return news;
        }
        let is_held = |holders: &[Holder], host| holders.iter().any(|holder| holder.host == host);
        let has_it = is_held(&self.holders, to) || self.spontaneous.contains(&to);
        let is_new = !has_it && self.origin != Some(to);
        let sender = self.holders.iter_mut().find(|holder| holder.host == from);
        match sender {
            // Who passes on what is still coming in is a relay.
            Some(holder) if crossing.is_handed && is_new && holder.since <= crossing.start => {
                news.is_heir = holder.is_own && !holder.is_heir;
                holder.is_heir |= holder.is_own;
            }
            Some(_) => {}
            None => {
                self.origin.get_or_insert(from);
                // Of those that have it some are not remembered, so this may be one of them.
                let is_known = self.holders.len() < config.holders_max;
                if is_known && crossing.is_handed && !self.spontaneous.contains(&from) {
                    grow(&mut self.spontaneous, from);
                }
            }
        }
        if self.spontaneous.len() >= config.common {
            self.is_common = true;
            news.is_common = true;
        } else if is_new && self.holders.len() < config.holders_max {
            let since = crossing.end;
            grow(&mut self.holders, Holder { host: to, from, since, is_own, is_heir: false });
            news.is_received = true;
        }
        news
    }

    /// Lets go of who has what is everybody's.
    pub(super) fn forget(&mut self) {
        *self = Self { is_common: true, ..Self::default() };
    }

    /// Those that received it and handed it on.
    pub(super) fn heirs(&self) -> impl Iterator<Item = &Holder> {
        self.holders.iter().filter(|holder| holder.is_heir)
    }

    /// Whom a host gave it to, a sample and how many.
    pub(super) fn given_by(&self, host: IpAddr) -> (Sample, u64) {
        let mut sample = Sample::default();
        let given = self.holders.iter().filter(|holder| holder.from == host);
        let count = given.map(|holder| sample.add(holder.host, None)).count();
        (sample, count as u64)
    }

    pub(super) fn evidence(
        &self,
        host: IpAddr,
        llr: f64,
        (given, many): (Sample, u64),
        crossing: &Crossing,
        ts: Timestamp,
    ) -> Evidence {
        let what = match crossing.kind {
            Kind::Content => "the same content",
            Kind::Shape => "an exchange of the same shape",
        };
        let held = self.holders.iter().find(|holder| holder.host == host);
        let from = held.map_or_else(
            || format!("was the first to send {what}"),
            |holder| format!("received {what} from {} and handed it on", holder.from),
        );
        let is_part = crossing.from == host || crossing.to == host;
        Evidence {
            ts,
            host,
            detector: Prevalence::ID,
            family: Family::Content,
            llr,
            subject: match crossing.kind {
                Kind::Content => "content".to_owned(),
                Kind::Shape => "shape".to_owned(),
            },
            peers: given.peers(),
            peers_total: many,
            service: Some(crossing.talk.service()),
            techniques: &["T1570", "T1105"],
            conns: if is_part { vec![crossing.talk] } else { Vec::new() },
            forgeable: false,
            summary: format!(
                "{from}, to {many} hosts; of {} that received it {} handed it on, and {} had it of their own",
                self.holders.len(),
                self.heirs().count(),
                self.spontaneous.len(),
            ),
        }
    }
}

impl Weigh for Spread {
    fn heap_bytes(&self) -> usize {
        self.holders.capacity() * size_of::<Holder>()
            + self.spontaneous.capacity() * size_of::<IpAddr>()
    }
}

/// Adds to a list that mostly stays short.
fn grow<T>(list: &mut Vec<T>, item: T) {
    if list.len() == list.capacity() {
        list.reserve_exact(list.len().max(1));
    }
    list.push(item);
}

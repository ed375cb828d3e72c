//! What `host.new` and `host.awakened` share: a host appears, and soon calls others inside.

use std::net::IpAddr;
use std::time::Duration;

use super::report::{Sample, spoken};
use super::seen::{Seen, peer_hash};
use super::services::Direction;
use super::sight::Sight;
use super::{Evidence, Family};
use crate::config::units::ByteSize;
use crate::inventory::{Table, Weigh};
use crate::time::Timestamp;

/// What makes an arrival worth a word.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    /// Time after the arrival in which its calls count.
    pub(crate) within: Duration,
    /// Different internal hosts called for the first report; twice as many for the second.
    pub(crate) peers: u32,
    /// The most nats.
    pub(crate) llr_max: f64,
    /// Bytes for all arrivals; the oldest is forgotten first.
    pub(crate) budget: ByteSize,
}

/// One arrival and whom it called since.
#[derive(Debug, Default)]
struct Arrival {
    at: Timestamp,
    called: u32,
    seen: Seen,
    sample: Sample,
}

/// All hosts that arrived lately.
#[derive(Debug)]
pub(crate) struct Arrivals {
    terms: Terms,
    arrivals: Table<IpAddr, Arrival>,
}

impl Arrivals {
    pub(crate) fn new(terms: Terms) -> Self {
        Self { arrivals: Table::new(terms.budget.0), terms }
    }

    /// Watches `host` from now on.
    pub(crate) fn arrive(&mut self, host: IpAddr, at: Timestamp) {
        self.arrivals.remove(&host);
        self.arrivals.update(host, true, Arrival::default, |arrival| arrival.at = at);
    }

    /// Counts whom an arrival calls. `what` begins the sentence.
    pub(crate) fn on_event(
        &mut self,
        event: &Sight<'_>,
        detector: &'static str,
        what: &str,
    ) -> Option<Evidence> {
        if self.arrivals.is_empty() {
            return None;
        }
        let attempt = event.attempt()?;
        let at = self.arrivals.peek(&attempt.src)?.at;
        if attempt.ts.since(at) > self.terms.within {
            self.arrivals.remove(&attempt.src);
            return None;
        }
        if attempt.direction != Direction::Internal {
            return None;
        }
        let terms = self.terms;
        self.arrivals.update(attempt.src, true, Arrival::default, |arrival| {
            if !arrival.seen.insert(peer_hash(attempt.dst), 64) {
                return None;
            }
            arrival.called += 1;
            arrival.sample.add(attempt.dst, Some(attempt.conversation));
            let llr = match arrival.called {
                called if called == terms.peers => terms.llr_max / 2.0,
                called if called == 2 * terms.peers => terms.llr_max,
                _ => return None,
            };
            Some(Evidence {
                ts: attempt.ts,
                host: attempt.src,
                detector,
                family: Family::Context,
                llr,
                subject: "arrival".to_owned(),
                peers: arrival.sample.peers(),
                peers_total: u64::from(arrival.called),
                service: None,
                techniques: &[],
                conns: arrival.sample.conns(),
                forgeable: true,
                summary: format!(
                    "{what} and called {} internal hosts within {}",
                    arrival.called,
                    spoken(attempt.ts.since(at)),
                ),
            })
        })
    }

    pub(crate) fn state_bytes(&self) -> usize {
        self.arrivals.bytes()
    }
}

impl Weigh for Arrival {
    fn heap_bytes(&self) -> usize {
        self.seen.heap_bytes() + self.sample.heap_bytes()
    }
}

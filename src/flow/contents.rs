//! What a connection carries: its bytes in order for the recognisers and then for what reads the
//! protocol, and those that are missing.

use super::endpoint::{Endpoint, State};
use super::oddity::Oddity;
use super::reading::{Lens, Reading};
use super::reassembly::Chunk;
use super::tcp::Tcp;
use crate::decode::TcpSegment;
use crate::event::Conversation;
use crate::proto::{Findings, Ports, Protocol, Role, Sniffer};

/// The protocol that was recognised, and who sent what gave it away.
type Found = (Protocol, Option<Role>);

/// Who looks at the bytes of a stream.
#[derive(Debug)]
pub(super) enum Content {
    /// The recognisers: the protocol is not known yet.
    Sniffing(Sniffer),
    /// What reads the protocol.
    Reading(Box<Reading>),
}

const _: () = assert!(size_of::<Content>() == size_of::<Sniffer>(), "sniffing costs what it did");

impl Default for Content {
    fn default() -> Self {
        Self::Sniffing(Sniffer::default())
    }
}

impl Content {
    /// Swaps the ends, because the direction was inferred the wrong way round.
    pub(super) fn flip(&mut self) {
        match self {
            Self::Sniffing(sniffer) => sniffer.flip(),
            Self::Reading(reading) => reading.flip(),
        }
    }

    /// Bytes on the heap, itself included.
    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>()
            + match self {
                Self::Sniffing(sniffer) => sniffer.heap_bytes(),
                Self::Reading(reading) => reading.bytes(),
            }
    }

    /// Up to which sequence number the content of `sender`'s direction is wanted.
    fn keep_until(&self, sender: Role, prefix: usize) -> i64 {
        match self {
            Self::Sniffing(sniffer) if sniffer.wants(sender) => 1 + prefix as i64,
            Self::Reading(reading) if reading.wants(sender) => i64::MAX,
            _ => 0,
        }
    }
}

/// Which bytes are at hand: their sender, his ports, and how far the other side's stream came.
#[derive(Clone, Copy)]
struct Place {
    sender: Role,
    ports: Ports,
    peer_next: i64,
}

/// Gives bytes to whoever looks at them.
fn feed(
    content: &mut Option<Box<Content>>,
    found: &mut Option<Found>,
    lens: Lens,
    place: Place,
    (from, data): (i64, &[u8]),
) {
    let Some(content) = content.as_deref_mut() else { return };
    let sniffer = match content {
        Content::Sniffing(sniffer) => sniffer,
        Content::Reading(reading) => return reading.on_data(lens, place.sender, from, data),
    };
    let Some(told) = sniffer.feed(place.sender, data, place.ports, lens.prefix) else { return };
    *found = Some(told);
    let Some(dissector) = (lens.dissectors)(told.0) else { return };
    let mut reading = Reading::unopened(dissector);
    for (role, head) in sniffer.take_heads() {
        let end = if role == place.sender { from } else { place.peer_next };
        if !head.is_empty() {
            reading.on_data(lens, role, end - head.len() as i64, &head);
        }
    }
    reading.on_data(lens, place.sender, from, data);
    *content = Content::Reading(Box::new(reading));
}

impl Tcp {
    /// Everything of the other side before `acked` arrived: what was not captured is missing.
    pub(super) fn give_up_holes(
        &mut self,
        segment: &TcpSegment<'_>,
        sender: Role,
        acked: i64,
        lens: Lens,
    ) -> Option<Found> {
        let is_partial = self.is_partial;
        let Self { client, server, history, content, prints, missed_bytes, .. } = self;
        let (peer, side, peer_role) = match sender {
            Role::Client => (server, client, Role::Server),
            Role::Server => (client, server, Role::Client),
        };
        let mut acked = acked;
        if peer.has_fin && acked >= peer.fin_end {
            acked = peer.fin_end - 1;
        }
        // The side was numbered as if its SYN had come just before, and that byte is no gap; nor is
        // the byte of a keep-alive that came first.
        if (is_partial && acked <= 2) || peer.stream.next() >= acked {
            peer.stream.note_ack(acked);
            return None;
        }
        if let Some(Content::Sniffing(sniffer)) = content.as_deref_mut() {
            sniffer.lose(peer_role);
        }
        let place = Place {
            sender: peer_role,
            ports: Ports { sender: segment.dst_port, receiver: segment.src_port },
            peer_next: side.stream.next(),
        };
        let wanted = keep_until(content, peer_role, lens.prefix);
        let mut found = None;
        let gaps = peer.stream.on_ack(acked, wanted.max(prints.until()), &mut |from, bytes| {
            prints.feed(peer_role, from, bytes, lens.key);
            if from < wanted {
                feed(content, &mut found, lens, place, (from, bytes));
            }
        });
        if let Some(Content::Reading(reading)) = content.as_deref_mut() {
            reading.skip_to(peer_role, peer.stream.next());
        }
        // Zeek's rule: before establishment and after a reset, sequence numbers prove nothing.
        if peer.is_clean() && side.is_clean() {
            *missed_bytes += gaps.bytes;
            for _ in 0..gaps.holes {
                if peer.gaps.hit() {
                    history.push(peer_role, 'G');
                }
            }
        }
        self.stop_sniffing_if_done();
        found
    }

    pub(super) fn take_data(
        &mut self,
        segment: &TcpSegment<'_>,
        sender: Role,
        from: i64,
        lens: Lens,
    ) -> Option<Found> {
        let Self { client, server, content, prints, oddities, .. } = self;
        let (side, peer) = match sender {
            Role::Client => (client, server),
            Role::Server => (server, client),
        };
        let place = Place {
            sender,
            ports: Ports { sender: segment.src_port, receiver: segment.dst_port },
            peer_next: peer.stream.next(),
        };
        let mut found = None;
        if segment.payload.len() < segment.payload_len as usize {
            // Cut off by the snap length: no stream, but its first bytes may still tell.
            take_cut(content, &mut found, lens, place, (from, segment));
        } else {
            let wanted = keep_until(content, sender, lens.prefix);
            let until = wanted.max(prints.until());
            let chunk = Chunk { from, data: segment.payload };
            let mut deliver = |from: i64, bytes: &[u8]| {
                prints.feed(sender, from, bytes, lens.key);
                if from < wanted {
                    feed(content, &mut found, lens, place, (from, bytes));
                }
            };
            if side.stream.on_data(chunk, until, &mut deliver) {
                oddities.note(Oddity::Retransmission);
            }
            if let Some(Content::Reading(_)) = content.as_deref() {
                if peer.state == State::Inactive {
                    side.stream.give_up_if_stuck(i64::MAX, &mut |from, bytes| {
                        feed(content, &mut found, lens, place, (from, bytes));
                    });
                }
                if let Some(Content::Reading(reading)) = content.as_deref_mut() {
                    reading.skip_to(sender, side.stream.next());
                }
            }
        }
        self.stop_sniffing_if_done();
        found
    }

    /// Lets the reading go on to what came with this packet, now that it is settled who is the
    /// client, and to the end if this was the last one; returns what it has to say.
    ///
    /// `talk` says who that is if this packet gave the protocol away.
    pub(super) fn read(&mut self, lens: Lens, talk: Option<Conversation>) -> Option<Findings> {
        let has_closed = self.has_closed();
        let Some(Content::Reading(reading)) = self.content.as_deref_mut() else { return None };
        if let Some(talk) = talk {
            reading.open(lens, talk);
        }
        if has_closed {
            reading.end(lens);
        }
        let findings = reading.take_findings();
        if reading.is_done() {
            self.forget_content();
        }
        findings
    }

    /// The connection is over, whatever became of it; returns what is left to say.
    pub(super) fn finish_reading(&mut self, lens: Lens) -> Option<Findings> {
        let Some(Content::Reading(reading)) = self.content.as_deref_mut() else { return None };
        reading.end(lens);
        reading.take_findings()
    }

    fn stop_sniffing_if_done(&mut self) {
        if let Some(Content::Sniffing(sniffer)) = self.content.as_deref()
            && sniffer.is_done()
        {
            self.forget_content();
        }
    }

    pub(super) fn forget_content(&mut self) {
        self.content = None;
        // Fingerprints may still want what waits for its turn; it is bounded all the same.
        if self.prints.is_on() {
            return;
        }
        let forget = |side: &mut Endpoint| side.stream.forget_content();
        forget(&mut self.client);
        forget(&mut self.server);
    }
}

/// Takes a segment that the snap length has cut. It has no place in the stream; but where it
/// follows what was read, its beginning can be read, and the rest is a gap.
fn take_cut(
    content: &mut Option<Box<Content>>,
    found: &mut Option<Found>,
    lens: Lens,
    place: Place,
    (from, segment): (i64, &TcpSegment<'_>),
) {
    match content.as_deref() {
        None => return,
        Some(Content::Sniffing(_)) => {}
        Some(Content::Reading(reading)) if reading.is_next(place.sender, from) => {}
        Some(Content::Reading(_)) => return,
    }
    feed(content, found, lens, place, (from, segment.payload));
    if let Some(Content::Reading(reading)) = content.as_deref_mut() {
        reading.skip_to(place.sender, from + i64::from(segment.payload_len));
    }
}

/// Up to which sequence number the content of `sender`'s direction is wanted.
fn keep_until(content: &Option<Box<Content>>, sender: Role, prefix: usize) -> i64 {
    content.as_deref().map_or(0, |content| content.keep_until(sender, prefix))
}

//! One entry of the table. An unanswered SYN, of which a scan leaves thousands, is only this
//! struct; all that a conversation needs beside it is allocated when the second packet comes.

use std::slice;
use std::time::Duration;

use prefetch_index::prefetch_index;

use super::key::{End, FlowKey, Orientation};
use super::reading::Reading;
use super::store::{NOWHERE, Queue};
use super::tcp::Tcp;
use crate::decode::Tunnel;
use crate::event::{Conversation, Opening, Outcome};
use crate::index::Index;
use crate::net::{MacAddr, Transport};
use crate::proto::{Protocol, Role};
use crate::time::Timestamp;

/// A connection. In this order in memory: what every packet reads is in the first two of three cache
/// lines.
#[derive(Debug)]
#[repr(C, align(64))]
pub(super) struct Connection {
    pub(super) key: FlowKey,
    /// When its last packet came that counts for its duration.
    pub(super) last: Timestamp,
    /// When it entered its queue, or was last moved to the end of it.
    pub(super) queued: Timestamp,
    pub(super) facts: Facts,
    pub(super) client: Counters,
    pub(super) server: Counters,
    /// Times that client and server began to talk.
    pub(super) turns: (u32, u32),
    pub(super) detail: Detail,
    pub(super) queue: Queue,
    /// Who sent payload last.
    pub(super) talker: Option<Role>,
    pub(super) outcome: Option<Outcome>,
    pub(super) orientation: Orientation,
    pub(super) opening: Opening,
    pub(super) service: Option<Protocol>,
    /// When its first packet came, and that packet's number.
    pub(super) start: Timestamp,
    pub(super) number: u64,
    /// Neighbours in the queue.
    pub(super) next: u32,
    pub(super) previous: u32,
    /// Hardware addresses of client and server.
    pub(super) macs: Option<(MacAddr, MacAddr)>,
    pub(super) vlan: Option<u16>,
    pub(super) tunnel: Option<Tunnel>,
}

/// Packets and bytes of one side.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counters {
    pub(super) packets: u64,
    pub(super) ip_bytes: u64,
}

/// What is particular to a transport.
#[derive(Debug)]
pub(super) enum Detail {
    /// TCP, and nothing but plain SYNs with this sequence number from the client.
    Syn(u32),
    /// TCP.
    Tcp(Box<Tcp>),
    /// Anything else.
    Datagrams(Datagrams),
    /// Anything else, of a protocol that something reads.
    ReadDatagrams(Box<(Datagrams, Reading)>),
    /// The same, between an answer and the next question: what reads it has nothing in mind.
    Resting(Datagrams),
}

/// Payload bytes of client and server.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Datagrams {
    pub(super) client: u64,
    pub(super) server: u64,
}

impl Detail {
    /// The payload bytes, unless it is TCP.
    pub(super) fn datagrams_mut(&mut self) -> Option<&mut Datagrams> {
        match self {
            Self::Syn(_) | Self::Tcp(_) => None,
            Self::Datagrams(datagrams) | Self::Resting(datagrams) => Some(datagrams),
            Self::ReadDatagrams(read) => Some(&mut read.0),
        }
    }

    /// Lets something read the datagrams.
    pub(super) fn read_datagrams(&mut self, reading: Reading) {
        if let Some(datagrams) = self.datagrams_mut().copied() {
            *self = Self::ReadDatagrams(Box::new((datagrams, reading)));
        }
    }

    /// Lets what reads the datagrams go, and becomes `rest`.
    pub(super) fn put_down(&mut self, rest: fn(Datagrams) -> Self) {
        if let Some(datagrams) = self.datagrams_mut().copied() {
            *self = rest(datagrams);
        }
    }
}

/// Yes-or-no facts.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Facts {
    /// The contact was reported.
    pub(super) reported: bool,
    /// The outcome will not change any more.
    pub(super) settled: bool,
    /// The destination is a group address.
    pub(super) to_group: bool,
    /// Nobody owes an answer.
    pub(super) one_way: bool,
    /// The direction was guessed from ports, so that content may still turn it round.
    pub(super) may_flip: bool,
    /// The client is not who sent the first packet.
    pub(super) flipped: bool,
    /// The server was the first to send (datagrams only).
    pub(super) server_first: bool,
    /// TCP: a RST, or FINs; what still comes is late.
    pub(super) over: bool,
    /// Its record was written.
    pub(super) told: bool,
}

impl Facts {
    const NONE: Self = Self {
        reported: false,
        settled: false,
        to_group: false,
        one_way: false,
        may_flip: false,
        flipped: false,
        server_first: false,
        over: false,
        told: false,
    };
}

impl Connection {
    /// What stands in a place that is free.
    pub(super) const fn vacant() -> Self {
        const NEVER: Timestamp = Timestamp::EPOCH;
        const NOTHING: Counters = Counters { packets: 0, ip_bytes: 0 };
        Self {
            key: FlowKey::VACANT,
            last: NEVER,
            queued: NEVER,
            facts: Facts::NONE,
            client: NOTHING,
            server: NOTHING,
            turns: (0, 0),
            detail: Detail::Syn(0),
            queue: Queue::Over,
            talker: None,
            outcome: None,
            orientation: Orientation { client: End::Low, inferred: false },
            opening: Opening::Datagram,
            service: None,
            start: NEVER,
            number: 0,
            next: NOWHERE,
            previous: NOWHERE,
            macs: None,
            vlan: None,
            tunnel: None,
        }
    }

    /// Whether it is only a place that is free.
    #[inline]
    pub(super) const fn is_vacant(&self) -> bool {
        self.key.is_vacant()
    }

    /// Has fetched what every packet reads, of a connection of which nothing was read yet.
    #[inline]
    pub(super) fn prefetch(&self) {
        prefetch_index(slice::from_ref(&self.key), 0);
        prefetch_index(slice::from_ref(&self.client), 0);
    }

    /// Which role `sender` has.
    pub(super) fn role(&self, sender: End) -> Role {
        if self.orientation.client == sender { Role::Client } else { Role::Server }
    }

    /// The counters of `role`.
    pub(super) const fn counters_mut(&mut self, role: Role) -> &mut Counters {
        match role {
            Role::Client => &mut self.client,
            Role::Server => &mut self.server,
        }
    }

    /// Counts a packet of `ip_len` bytes from `sender`.
    pub(super) fn count(&mut self, sender: Role, ip_len: u32, has_payload: bool) {
        let begins = has_payload && self.talker.is_some_and(|talker| talker != sender);
        if has_payload {
            self.talker = Some(sender);
        }
        let counters = self.counters_mut(sender);
        counters.packets += 1;
        counters.ip_bytes += u64::from(ip_len);
        let turns = match sender {
            Role::Client => &mut self.turns.0,
            Role::Server => &mut self.turns.1,
        };
        *turns = turns.saturating_add(u32::from(begins));
    }

    /// Turns client and server round.
    pub(super) fn flip(&mut self) {
        self.orientation.client = self.orientation.client.other();
        std::mem::swap(&mut self.client, &mut self.server);
        self.turns = (self.turns.1, self.turns.0);
        self.macs = self.macs.map(|(client, server)| (server, client));
        self.facts.flipped = !self.facts.flipped;
        self.talker = self.talker.map(|talker| match talker {
            Role::Client => Role::Server,
            Role::Server => Role::Client,
        });
        match &mut self.detail {
            Detail::Syn(_) => {}
            Detail::Tcp(tcp) => tcp.flip(),
            detail @ (Detail::Datagrams(_) | Detail::Resting(_) | Detail::ReadDatagrams(_)) => {
                if let Some(bytes) = detail.datagrams_mut() {
                    std::mem::swap(&mut bytes.client, &mut bytes.server);
                }
                self.facts.server_first = !self.facts.server_first;
            }
        }
    }

    /// Who talks to whom, as events say it.
    pub(super) fn conversation(&self) -> Conversation {
        Conversation {
            uid: self.key.uid(self.start, self.number),
            transport: self.key.transport(),
            client: self.key.endpoint(self.orientation.client),
            server: self.key.endpoint(self.orientation.client.other()),
            inferred: self.orientation.inferred,
        }
    }

    /// From first to last packet.
    pub(super) fn duration(&self) -> Duration {
        self.last.since(self.start)
    }

    /// Whether packets of both sides were seen.
    pub(super) const fn is_two_sided(&self) -> bool {
        self.client.packets > 0 && self.server.packets > 0
    }

    /// Whether both sides of a TCP connection have closed it.
    pub(super) const fn has_closed(&self) -> bool {
        matches!(&self.detail, Detail::Tcp(tcp) if tcp.has_closed())
    }

    /// Whether TCP.
    pub(super) fn is_tcp(&self) -> bool {
        self.key.transport() == Transport::Tcp
    }

    /// Has fetched what its packets need of what it holds elsewhere.
    #[inline]
    pub(super) fn prefetch_detail(&self) {
        if let Detail::Tcp(tcp) = &self.detail {
            tcp.prefetch();
        }
    }

    /// Bytes that the budget is charged for it.
    pub(super) fn cost(&self) -> usize {
        ENTRY_BYTES
            + match &self.detail {
                Detail::Tcp(tcp) => size_of::<Tcp>() + tcp.heap_bytes(),
                Detail::ReadDatagrams(read) => size_of::<Datagrams>() + read.1.bytes(),
                Detail::Syn(_) | Detail::Datagrams(_) | Detail::Resting(_) => 0,
            }
    }
}

/// An entry with its share of the index.
pub(super) const ENTRY_BYTES: usize = size_of::<Connection>() + Index::BYTES;

const _: () = assert!(size_of::<Connection>() <= 3 * 64, "an unanswered SYN is small");

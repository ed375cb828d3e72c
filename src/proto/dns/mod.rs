//! Name services: DNS over UDP and TCP (RFC 1035, RFC 7766), multicast DNS (RFC 6762), LLMNR
//! (RFC 4795) and NetBIOS names (RFC 1002), which share one message.
//!
//! One record a query with its answer, matched by number. Where a group is asked, the answer comes
//! from somebody else on another connection, or to the group at large: then it is a record of its
//! own, which says who answered.

mod message;
mod netbios;
mod render;

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;

use self::message::{Header, Reader};
use super::bytes::be16;
use super::framing::{Framers, Size};
use super::{Dissector, Findings, Role};
use crate::event::{self, Conversation};
use crate::net::Transport;
use crate::time::Timestamp;

/// Queries that wait for their answers (Zeek's `max_pending_query_ids`).
const MAX_PENDING: usize = 50;

/// How long a query waits: servers that ask others give up within it, and say so.
const PATIENCE: Duration = Duration::from_secs(30);

/// Bytes of a message over TCP that are read; a zone transfer goes on for longer.
const MAX_MESSAGE: usize = 16 << 10;

/// Answers of one message that are told.
const MAX_ANSWERS: usize = 64;

/// Questions of one message that are read; multicast DNS asks several at once.
const MAX_QUESTIONS: u16 = 32;

/// The port of NetBIOS names.
const NETBIOS: u16 = 137;

/// Reads a connection of one of the name services.
#[derive(Debug)]
pub(super) struct Dns {
    transport: Transport,
    ends: Option<(IpAddr, IpAddr)>,
    is_netbios: bool,
    pending: VecDeque<Pending>,
    /// The two directions of TCP, if it is that.
    framers: Option<Box<Framers>>,
}

#[derive(Debug)]
struct Pending {
    asked: Timestamp,
    sender: Role,
    record: event::Dns,
}

impl Default for Dns {
    fn default() -> Self {
        Self {
            transport: Transport::Udp,
            ends: None,
            is_netbios: false,
            pending: VecDeque::new(),
            framers: None,
        }
    }
}

impl Dns {
    fn on_message(&mut self, at: Timestamp, sender: Role, message: &[u8], out: &mut Findings) {
        let is_stale = |pending: &Pending| at.since(pending.asked) > PATIENCE;
        while self.pending.front().is_some_and(is_stale) || self.pending.len() > MAX_PENDING {
            let Some(pending) = self.pending.pop_front() else { break };
            out.say(pending.record);
        }
        let Some((header, reader)) = Reader::new(message) else { return };
        if header.is_response() {
            self.on_response(at, sender, header, reader, out);
        } else {
            let mut record = self.record(header);
            record.recursion_desired = header.flags & 0x100 != 0;
            record.truncated = header.flags & 0x200 != 0;
            record.reserved = (header.flags >> 4) as u8 & 7;
            self.ask(&mut record, header, reader);
            if self.pending.is_empty() {
                // Most are alone.
                self.pending.reserve_exact(1);
            }
            self.pending.push_back(Pending { asked: at, sender, record });
        }
    }

    fn on_response(
        &mut self,
        at: Timestamp,
        sender: Role,
        header: Header,
        reader: Reader<'_>,
        out: &mut Findings,
    ) {
        let is_asked = |it: &Pending| it.record.trans_id == header.id && it.sender != sender;
        let at_place = self.pending.iter().position(is_asked);
        let asked = at_place.and_then(|place| self.pending.remove(place));
        let (mut record, asked) = match asked {
            Some(pending) => (pending.record, Some(pending.asked)),
            None => (self.record(header), None),
        };
        let mut reader = if asked.is_none() {
            self.ask(&mut record, header, reader)
        } else {
            let mut reader = reader;
            for _ in 0..header.questions.min(MAX_QUESTIONS) {
                let _ = reader.skip_question();
            }
            reader
        };
        record.rcode = Some(header.rcode());
        record.rcode_name = Some(render::rcode(header.rcode()));
        record.truncated |= header.flags & 0x200 != 0;
        record.rejected = if header.questions == 0 {
            header.rcode() != 0
        } else {
            header.answers == 0 && header.others == 0
        };
        record.responder = self.ends.map(|(client, server)| match sender {
            Role::Client => client,
            Role::Server => server,
        });
        let (mut answers, mut ttls) = (Vec::new(), Vec::new());
        for i in 0..usize::from(header.answers).min(MAX_ANSWERS) {
            let Some(resource) = reader.resource() else { break };
            if i == 0 {
                // Zeek's reading: these speak of answers, so without any they stay as they are.
                record.authoritative = header.flags & 0x400 != 0;
                record.recursion_available = header.flags & 0x80 != 0;
                record.rtt = asked.map(|asked| at.since(asked)).filter(|rtt| !rtt.is_zero());
                // An announcement may ask as well, about something else.
                if record.query.is_none() || (asked.is_none() && header.questions > 1) {
                    record.query = Some(self.name(reader.name_of(&resource)));
                }
            }
            if let Some(answer) = render::answer(reader, &resource, self.is_netbios) {
                answers.push(answer);
                ttls.push(resource.ttl);
            }
        }
        if !answers.is_empty() {
            (record.answers, record.ttls) = (Some(answers), Some(ttls));
        }
        out.say(record);
    }

    /// Fills in what is asked, and leads beyond it.
    fn ask<'m>(
        &self,
        record: &mut event::Dns,
        header: Header,
        mut reader: Reader<'m>,
    ) -> Reader<'m> {
        for _ in 0..header.questions.min(MAX_QUESTIONS) {
            let Some(question) = reader.question() else { break };
            record.query = Some(self.name(question.name));
            record.qclass = Some(question.class);
            record.qtype = Some(question.kind);
        }
        record.qclass_name = record.qclass.map(render::class);
        record.qtype_name = record.qtype.map(|kind| render::kind(kind, self.is_netbios));
        reader
    }

    fn name(&self, name: String) -> String {
        let decoded = self.is_netbios.then(|| netbios::decode(&name)).flatten();
        decoded.unwrap_or(name)
    }

    fn record(&self, header: Header) -> event::Dns {
        event::Dns {
            proto: self.transport,
            trans_id: header.id,
            rtt: None,
            query: None,
            qclass: None,
            qclass_name: None,
            qtype: None,
            qtype_name: None,
            rcode: None,
            rcode_name: None,
            authoritative: false,
            truncated: false,
            recursion_desired: false,
            recursion_available: false,
            reserved: 0,
            answers: None,
            ttls: None,
            rejected: false,
            opcode: header.opcode(),
            opcode_name: render::opcode(header.opcode(), self.is_netbios),
            responder: None,
        }
    }
}

impl Dissector for Dns {
    fn on_start(&mut self, talk: &Conversation) {
        self.transport = talk.transport;
        let is_tcp = talk.transport == Transport::Tcp;
        self.framers = is_tcp.then(|| Box::new(Framers::new(MAX_MESSAGE)));
        self.ends = Some((talk.client.addr, talk.server.addr));
        self.is_netbios = [talk.client.port, talk.server.port].contains(&NETBIOS);
    }

    fn on_data(&mut self, at: Timestamp, sender: Role, data: &[u8], out: &mut Findings) {
        let Some(mut framers) = self.framers.take() else {
            return self.on_message(at, sender, data, out);
        };
        let mut rest = data;
        while let Some(message) = framers.of(sender).next(&mut rest, measure) {
            self.on_message(at, sender, message.head.get(2..).unwrap_or_default(), out);
        }
        self.framers = Some(framers);
    }

    fn on_gap(&mut self, sender: Role, bytes: u64) {
        if let Some(framers) = &mut self.framers {
            framers.lose(sender, bytes);
        }
    }

    fn on_end(&mut self, _: Timestamp, out: &mut Findings) {
        for pending in self.pending.drain(..) {
            out.say(pending.record);
        }
    }

    fn wants(&self, sender: Role) -> bool {
        self.framers.as_ref().is_none_or(|framers| !framers.is_lost(sender))
    }

    fn is_resting(&self) -> bool {
        self.pending.is_empty()
    }

    fn bytes(&self) -> usize {
        /// What the texts of a query take, about.
        const TEXTS: usize = 96;
        size_of::<Self>()
            + self.pending.capacity() * size_of::<Pending>()
            + self.pending.len() * TEXTS
            + self.framers.as_ref().map_or(0, |it| size_of::<Framers>() + it.heap_bytes())
    }
}

/// Over TCP the length comes first (RFC 1035 section 4.2.2).
fn measure(data: &[u8]) -> Size {
    match be16(data, 0) {
        None => Size::Need(2),
        // No message is shorter than its header.
        Some(length) if length < 12 => Size::Lost,
        Some(length) => Size::Is(u64::from(length) + 2),
    }
}

#[cfg(test)]
mod tests;

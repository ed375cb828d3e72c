//! DCE/RPC (C706, [MS-RPCE]): which interface is bound, which operation is called and, where it is
//! in clear, on what. Over TCP, and over the named pipes that SMB hands on.

mod activation;
mod arguments;
mod calls;
mod epmapper;
mod interfaces;
mod ndr;
mod pdu;
mod uuid;

use std::net::IpAddr;

use calls::{Call, Calls};
use pdu::{Datagram, Pdu, measure};
use uuid::Uuid;

use super::budget::Budget;
use super::bytes::filled;
use super::framing::{Framers, Size};
use super::gss::Exchange;
use super::recent::Recent;
use super::{Dissector, Findings, Role};
use crate::event::{self, Conversation};
use crate::net::Transport;
use crate::time::Timestamp;

/// What is held of a fragment: its header and the arguments that matter.
const HEAD: usize = 4096;

/// Packet type numbers (C706 chapter 12.6.4).
mod kind {
    pub(super) const REQUEST: u8 = 0;
    pub(super) const RESPONSE: u8 = 2;
    pub(super) const FAULT: u8 = 3;
    pub(super) const BIND: u8 = 11;
    pub(super) const BIND_ACK: u8 = 12;
    pub(super) const BIND_NAK: u8 = 13;
    pub(super) const ALTER_CONTEXT: u8 = 14;
    pub(super) const ALTER_CONTEXT_RESPONSE: u8 = 15;
    pub(super) const AUTH3: u8 = 16;
}

/// RPC_C_AUTHN_LEVEL_PKT_PRIVACY ([MS-RPCE] 2.2.1.1.8): arguments and results are encrypted.
const PRIVACY: u8 = 6;
/// ERROR_ACCESS_DENIED, as the status of a fault.
const ACCESS_DENIED: u32 = 5;

/// One client's association with a server: a TCP connection, or an open pipe.
#[derive(Debug)]
pub(super) struct Association {
    carrier: &'static str,
    framers: Framers,
    is_datagram: Option<bool>,
    /// The server's address.
    host: Option<IpAddr>,
    /// Where the server listens, in its own words or by the pipe's name.
    named_pipe: Option<String>,
    /// What the pipe usually leads to.
    usual: Option<Uuid>,
    contexts: Recent<u16, Uuid, 16>,
    calls: Calls,
    level: Option<u8>,
    exchange: Option<Exchange>,
    budget: Budget,
}

impl Association {
    /// Over TCP.
    pub(super) fn new() -> Self {
        Self {
            carrier: "dce_rpc",
            framers: Framers::new(HEAD),
            is_datagram: None,
            host: None,
            named_pipe: None,
            usual: None,
            contexts: Recent::default(),
            calls: Calls::default(),
            level: None,
            exchange: None,
            budget: Budget::default(),
        }
    }

    /// Over the pipe `name`, if its name is known.
    pub(super) fn over_pipe(name: Option<&str>) -> Self {
        let usual = name.and_then(interfaces::by_pipe);
        let named_pipe = name.map(|name| name.chars().take(128).collect());
        Self { is_datagram: Some(false), named_pipe, usual, ..Self::new() }
    }

    /// Whether a stream that begins like this is one of remote calls.
    pub(super) fn begins(data: &[u8]) -> bool {
        matches!(measure(data), Size::Is(_))
    }

    fn on_unit(&mut self, at: Timestamp, sender: Role, pdu: &Pdu<'_>, out: &mut Findings) {
        match (sender, pdu.kind) {
            (Role::Client, kind::BIND | kind::ALTER_CONTEXT) => {
                for (number, uuid) in pdu.contexts() {
                    self.contexts.insert(number, uuid);
                }
                self.on_proof(pdu);
            }
            (Role::Client, kind::AUTH3) => self.on_proof(pdu),
            (Role::Client, kind::REQUEST) => self.on_request(at, pdu, out),
            (Role::Server, kind::BIND_ACK | kind::ALTER_CONTEXT_RESPONSE) => {
                if pdu.kind == kind::BIND_ACK
                    && let Some(address) = pdu.secondary_address()
                {
                    self.named_pipe = Some(address);
                }
                // The answer to what a client shows at once, as a ticket, is the result; that to a
                // first NTLM message is the challenge.
                let decided = self.exchange.as_ref().is_some_and(Exchange::is_decisive);
                self.on_proof(pdu);
                if decided {
                    self.on_result(Some(true), out);
                }
            }
            (Role::Server, kind::BIND_NAK) => self.on_result(Some(false), out),
            (Role::Server, kind::RESPONSE) => {
                self.on_first_answer(Some(true), out);
                self.on_response(at, pdu, out);
            }
            (Role::Server, kind::FAULT) => {
                // A server denies access to who is not let in, and to who is and may not do this.
                let is_denied = pdu.fault() == Some(ACCESS_DENIED);
                self.on_first_answer((!is_denied).then_some(true), out);
                if let Some(call) = self.calls.take(pdu.call) {
                    self.say(call.failed(at, pdu.fault()), out);
                }
            }
            _ => {}
        }
    }

    fn on_proof(&mut self, pdu: &Pdu<'_>) {
        let Some(auth) = pdu.auth() else { return };
        self.level = Some(auth.level);
        let carrier = self.carrier;
        self.exchange.get_or_insert_with(|| Exchange::new(carrier)).on_token(auth.token);
    }

    /// The first call after the client has shown who it is tells whether it was let in.
    fn on_first_answer(&mut self, success: Option<bool>, out: &mut Findings) {
        if self.exchange.as_ref().is_some_and(Exchange::is_decisive) {
            self.on_result(success, out);
        }
    }

    fn on_result(&mut self, success: Option<bool>, out: &mut Findings) {
        if let Some(exchange) = self.exchange.take() {
            exchange.conclude(success, out);
        }
    }

    fn on_request(&mut self, at: Timestamp, pdu: &Pdu<'_>, out: &mut Findings) {
        if !pdu.is_first() {
            return;
        }
        let Some((context, operation)) = pdu.operation() else { return };
        let Some(uuid) = self.contexts.get(&context).copied().or(self.usual) else { return };
        // What protects this call; a level that was agreed upon holds where it is not said again.
        let level = pdu.auth().map(|auth| auth.level).or(self.level);
        let arguments = if level == Some(PRIVACY) { &[] } else { pdu.arguments() };
        let call = Call::new(at, uuid, operation, level, arguments);
        if let Some(unanswered) = self.calls.add(pdu.call, call) {
            self.say(unanswered, out);
        }
    }

    fn on_response(&mut self, at: Timestamp, pdu: &Pdu<'_>, out: &mut Findings) {
        let Some(call) = self.calls.get_mut(pdu.call) else { return };
        if pdu.is_first() {
            call.answered(at);
            if call.asks_for_port() {
                out.expected.extend(epmapper::announced(pdu.results(), self.host));
            }
        }
        if !pdu.is_last() {
            return;
        }
        let code = if call.is_encrypted() { None } else { pdu.return_code() };
        if let Some(call) = self.calls.take(pdu.call) {
            self.say(call.returned(code), out);
        }
    }

    fn say(&self, call: Call, out: &mut Findings) {
        if let Some(record) = call.record() {
            out.say(event::DceRpc {
                named_pipe: self.named_pipe.clone().and_then(filled),
                ..record
            });
        }
    }

    fn on_datagram(&mut self, at: Timestamp, data: &[u8], out: &mut Findings) {
        let Some(datagram) = Datagram::read(data) else { return };
        match datagram.kind {
            // A request that is sent again has the number that it had.
            0 if datagram.fragment == 0 && self.calls.get_mut(datagram.sequence).is_none() => {
                let Datagram { interface, operation, sequence, .. } = datagram;
                let call = Call::new(at, interface, operation, None, &[]);
                if let Some(unanswered) = self.calls.add(sequence, call) {
                    self.say(unanswered, out);
                }
            }
            2 | 3 | 6 => {
                if let Some(mut call) = self.calls.take(datagram.sequence) {
                    call.answered(at);
                    self.say(call, out);
                }
            }
            _ => {}
        }
    }

    fn read(&mut self, at: Timestamp, sender: Role, data: &[u8], out: &mut Findings) {
        let first = data.first().copied();
        if *self.is_datagram.get_or_insert(first == Some(4)) {
            self.on_datagram(at, data, out);
            return;
        }
        let mut data = data;
        loop {
            let mut framer = self.framers.take(sender);
            framer.resume_at(data, measure);
            let found = framer.next(&mut data, measure).map(|message| Pdu::read(message.head));
            let is_done = found.is_none();
            if let Some(Some(pdu)) = found {
                self.on_unit(at, sender, &pdu, out);
            }
            self.framers.put(sender, framer);
            if is_done {
                return;
            }
        }
    }
}

impl Dissector for Association {
    fn on_start(&mut self, talk: &Conversation) {
        self.is_datagram = Some(talk.transport == Transport::Udp);
        self.host = Some(talk.server.addr);
    }

    fn on_data(&mut self, at: Timestamp, sender: Role, data: &[u8], out: &mut Findings) {
        let known = out.records.len();
        self.read(at, sender, data, out);
        self.budget.trim(at, known, out);
    }

    fn on_gap(&mut self, sender: Role, bytes: u64) {
        self.framers.lose(sender, bytes);
    }

    fn on_end(&mut self, _: Timestamp, out: &mut Findings) {
        self.on_result(None, out);
        for call in self.calls.take_all() {
            self.say(call, out);
        }
    }

    fn bytes(&self) -> usize {
        size_of::<Self>()
            + self.framers.heap_bytes()
            + self.named_pipe.as_ref().map_or(0, String::capacity)
            + self.contexts.heap_bytes()
            + self.calls.heap_bytes()
            + self.exchange.as_ref().map_or(0, Exchange::heap_bytes)
    }
}

#[cfg(test)]
mod story;

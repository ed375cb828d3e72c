//! Kerberos (RFC 4120): tickets that are asked for, granted or refused, over UDP and TCP.
//!
//! The parser is our own. It reads the dozen fields that are in clear, from messages that may be
//! cut off anywhere, with the same few lines that read LDAP and SPNEGO.

mod message;
mod names;

#[cfg(test)]
pub(super) use message::tests;
pub(super) use message::{Message, Ticket, read};

use message::{Failure, Reply, Request};

use super::budget::Budget;
use super::bytes::be32;
use super::framing::{Framers, Size};
use super::recent::Recent;
use super::{Dissector, Findings, Protocol, Role};
use crate::event::{Kerberos, Login};
use crate::time::Timestamp;

/// Only the authorization data of a ticket lies behind these first bytes.
const HEAD: usize = 4096;

/// Reads one connection, or the datagrams between two ports.
#[derive(Debug)]
pub(super) struct Dissect {
    protocol: Protocol,
    framers: Framers,
    /// Requests without an answer, by what they are: a client asks one thing at a time, and sends
    /// it again over UDP when it is not answered.
    pending: Recent<bool, Request, 2>,
    budget: Budget,
}

/// The method of a login whose proof was looked at.
const PROOF: &str = "kerberos";
/// The method of one that was refused for the account's sake: unknown, locked, expired.
const NO_PROOF: &str = "kerberos-account";

impl Dissect {
    /// For `Protocol::Krb` (datagrams) or `Protocol::KrbTcp`.
    pub(super) fn new(protocol: Protocol) -> Self {
        let (pending, budget) = (Recent::default(), Budget::default());
        Self { protocol, framers: Framers::new(HEAD), pending, budget }
    }

    fn on_message(&mut self, message: Message, out: &mut Findings) {
        match message {
            Message::Request(request) => {
                let repeated = self.pending.get(&request.is_tgs) == Some(&request);
                let gone = self.pending.insert(request.is_tgs, request);
                if let Some(unanswered) = gone.filter(|_| !repeated) {
                    out.say(asked(unanswered));
                }
            }
            Message::Reply(reply) => {
                let request = self.pending.remove(&reply.is_tgs);
                self.on_reply(request, reply, out);
            }
            Message::Error(failure) => {
                let request = self.pending.remove_last(|_| true);
                self.on_failure(request, failure, out);
            }
            Message::Presents(_) => {}
        }
    }

    fn on_reply(&self, request: Option<Request>, reply: Reply, out: &mut Findings) {
        let is_tgs = reply.is_tgs;
        if !is_tgs {
            self.login(reply.client.clone(), reply.realm.clone(), (PROOF, true), out);
        }
        let mut record = request.map(asked).unwrap_or_default();
        record.request_type = Some(if is_tgs { "TGS" } else { "AS" });
        if record.client.is_none() {
            record.client = principal(reply.client, reply.realm);
        }
        out.say(Kerberos {
            service: reply.ticket.service.or(record.service),
            cipher: reply.ticket.cipher,
            reply_cipher: reply.cipher,
            success: Some(true),
            ..record
        });
    }

    fn on_failure(&self, request: Option<Request>, failure: Failure, out: &mut Findings) {
        // Wrong password, account locked or expired or unknown; other errors are no failed login:
        // being asked for proof is how every login begins.
        let is_login = request.as_ref().is_none_or(|request| !request.is_tgs);
        if is_login && matches!(failure.code, 6 | 18 | 23 | 24 | 31) {
            let (user, realm) = match &request {
                Some(request) => (request.client.clone(), request.realm.clone()),
                None => (failure.client.clone(), failure.realm.clone()),
            };
            // The others are said whatever the proof is, and before it is looked at.
            let method = if matches!(failure.code, 24 | 31) { PROOF } else { NO_PROOF };
            self.login(user, realm, (method, false), out);
        }
        let mut record = request.map(asked).unwrap_or_default();
        if record.client.is_none() {
            record.client = principal(failure.client, failure.realm);
        }
        out.say(Kerberos {
            service: failure.service.or(record.service),
            success: Some(false),
            error_msg: Some(failure.text.unwrap_or_else(|| names::error(failure.code))),
            error_code: Some(failure.code),
            ..record
        });
    }

    fn login(
        &self,
        user: Option<String>,
        domain: Option<String>,
        (method, success): (&'static str, bool),
        out: &mut Findings,
    ) {
        if user.is_none() {
            return;
        }
        out.say(Login {
            protocol: self.protocol.as_str(),
            method,
            user,
            domain,
            workstation: None,
            success: Some(success),
            inferred: false,
        });
    }

    fn read(&mut self, sender: Role, data: &[u8], out: &mut Findings) {
        if self.protocol == Protocol::Krb {
            if let Some(message) = read(data) {
                self.on_message(message, out);
            }
            return;
        }
        let mut data = data;
        loop {
            let framer = self.framers.of(sender);
            // What begins with a plausible length finds the way back after a loss.
            framer.resume_at(data, measure);
            let Some(message) = framer.next(&mut data, measure) else { return };
            let Some(message) = message.head.get(4..).and_then(read) else { continue };
            self.on_message(message, out);
        }
    }
}

impl Dissector for Dissect {
    fn on_data(&mut self, at: Timestamp, sender: Role, data: &[u8], out: &mut Findings) {
        let known = out.records.len();
        self.read(sender, data, out);
        self.budget.trim(at, known, out);
    }

    fn on_gap(&mut self, sender: Role, bytes: u64) {
        self.framers.lose(sender, bytes);
    }

    fn on_end(&mut self, _: Timestamp, out: &mut Findings) {
        for request in self.pending.take() {
            out.say(asked(request));
        }
    }

    fn bytes(&self) -> usize {
        let texts = self.pending.values().map(|request| 3 * 64 + request.ciphers.len() * 48);
        size_of::<Self>()
            + self.framers.heap_bytes()
            + self.pending.heap_bytes()
            + texts.sum::<usize>()
    }
}

/// The length before a message over TCP (section 7.2.2); its first bit is reserved, and no message
/// is longer than a ticket with a big authorization.
fn measure(data: &[u8]) -> Size {
    match be32(data, 0) {
        None => Size::Need(4),
        Some(length @ 16..0x10_0000) => Size::Is(u64::from(length) + 4),
        Some(_) => Size::Lost,
    }
}

/// The record of a request.
fn asked(request: Request) -> Kerberos {
    let client = match request.is_tgs {
        // A ticket names the client of a TGS request, and it is encrypted.
        true => None,
        false => {
            let (client, realm) = (request.client, request.realm);
            Some(format!("{}/{}", client.unwrap_or_default(), realm.unwrap_or_default()))
        }
    };
    Kerberos {
        request_type: Some(if request.is_tgs { "TGS" } else { "AS" }),
        client,
        service: request.service,
        from: request.from,
        till: request.till,
        forwardable: request.forwardable,
        renewable: request.renewable,
        offered_ciphers: request.ciphers,
        preauth: (!request.is_tgs).then_some(request.preauth),
        ..Kerberos::default()
    }
}

fn principal(name: Option<String>, realm: Option<String>) -> Option<String> {
    match (name, realm) {
        (None, None) => None,
        (name, realm) => {
            Some(format!("{}/{}", name.unwrap_or_default(), realm.unwrap_or_default()))
        }
    }
}

#[cfg(test)]
mod story {
    use super::tests::{ap_request, as_request, error, tgs_reply};
    use super::*;
    use crate::event::Record;
    use proptest::prelude::*;

    const NOW: Timestamp = Timestamp::from_secs(1);

    fn framed(message: Vec<u8>) -> Vec<u8> {
        [(message.len() as u32).to_be_bytes().to_vec(), message].concat()
    }

    fn exchange(protocol: Protocol, messages: &[(Role, Vec<u8>)]) -> Vec<Record> {
        let mut dissect = Dissect::new(protocol);
        let mut out = Findings::default();
        for (sender, message) in messages {
            dissect.on_data(NOW, *sender, message, &mut out);
        }
        dissect.on_end(NOW, &mut out);
        out.records
    }

    #[test]
    fn tells_a_wrong_password() {
        let records =
            exchange(Protocol::Krb, &[(Role::Client, as_request(true)), (Role::Server, error(24))]);

        let [Record::Login(login), Record::Kerberos(record)] = &records[..] else { panic!() };
        assert_eq!(login.user.as_deref(), Some("alice"));
        assert_eq!((login.success, login.protocol), (Some(false), "krb"));
        assert_eq!(record.client.as_deref(), Some("alice/EX.NET"));
        assert_eq!(record.error_msg.as_deref(), Some("KDC_ERR_PREAUTH_FAILED"));
    }

    #[test]
    fn being_asked_for_proof_is_no_failed_login() {
        let records = exchange(
            Protocol::Krb,
            &[(Role::Client, as_request(false)), (Role::Server, error(25))],
        );

        let [Record::Kerberos(record)] = &records[..] else { panic!() };
        assert_eq!((record.success, record.preauth), (Some(false), Some(false)));
    }

    #[test]
    fn tells_a_weakly_encrypted_ticket_however_the_stream_is_cut() {
        let reply = framed(tgs_reply(23));

        for split in 0..reply.len() {
            let (first, second) = reply.split_at(split);
            let records = exchange(
                Protocol::KrbTcp,
                &[(Role::Server, first.to_vec()), (Role::Server, second.to_vec())],
            );
            let [Record::Kerberos(record)] = &records[..] else { panic!() };
            assert_eq!(record.cipher.as_deref(), Some("rc4-hmac"));
            assert_eq!(record.client.as_deref(), Some("alice/EX.NET"));
            assert_eq!(record.reply_cipher.as_deref(), Some("aes256-cts-hmac-sha1-96"));
        }
    }

    #[test]
    fn a_request_sent_again_is_one_and_an_unanswered_one_is_told_at_the_end() {
        let records = exchange(
            Protocol::Krb,
            &[(Role::Client, as_request(true)), (Role::Client, as_request(true))],
        );

        let [Record::Kerberos(record)] = &records[..] else { panic!() };
        assert_eq!(record.success, None);
    }

    #[test]
    fn finds_the_next_message_after_a_loss() {
        let mut dissect = Dissect::new(Protocol::KrbTcp);
        let mut out = Findings::default();
        let reply = framed(tgs_reply(18));
        dissect.on_data(NOW, Role::Server, &reply[..50], &mut out);
        dissect.on_gap(Role::Server, reply.len() as u64);
        dissect.on_data(NOW, Role::Server, &reply, &mut out);

        assert_eq!(out.records.len(), 1);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(pieces: Vec<(bool, Vec<u8>)>) {
            for protocol in [Protocol::Krb, Protocol::KrbTcp] {
                let mut dissect = Dissect::new(protocol);
                let mut out = Findings::default();
                for (client, piece) in &pieces {
                    let sender = if *client { Role::Client } else { Role::Server };
                    dissect.on_data(NOW, sender, piece, &mut out);
                    dissect.on_gap(sender, piece.len() as u64);
                    dissect.on_data(NOW, sender, &framed(ap_request()), &mut out);
                }
                dissect.on_end(NOW, &mut out);
                prop_assert!(dissect.bytes() < 16 * 1024);
            }
        }
    }
}

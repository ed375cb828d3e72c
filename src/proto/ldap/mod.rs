//! LDAP (RFC 4511), over TCP and UDP: who binds and how it ends, what is searched for, what is
//! changed.
//!
//! After a SASL bind the messages may be signed, which leaves them readable behind a few bytes, or
//! sealed, which does not ([MS-ADTS] 5.1.1.1).

mod filter;
mod names;

use super::ber::{Element, Elements};
use super::budget::Budget;
use super::bytes::{be16, be32, ber, byte, filled, part, text};
use super::framing::{Framers, Size};
use super::gss::Exchange;
use super::recent::Recent;
use super::{Dissector, Findings, Protocol, Role};
use crate::event::{Ldap, LdapSearch, Login};
use crate::time::Timestamp;

/// A request, or the beginning of an entry that comes back.
const HEAD: usize = 4096;
/// Bytes of a name that are kept.
const NAME_LIMIT: usize = 512;
/// Attributes that are listed.
const ATTRIBUTE_LIMIT: usize = 16;

/// `invalidCredentials` and `saslBindInProgress` (section 4.1.9).
const INVALID_CREDENTIALS: i64 = 49;
const IN_PROGRESS: i64 = 14;

/// Reads one connection, or the datagrams between two ports.
#[derive(Debug)]
pub(super) struct Dissect {
    protocol: Protocol,
    framers: Framers,
    pending: Recent<i64, Pending, 16>,
    exchange: Option<Exchange>,
    budget: Budget,
}

#[derive(Debug)]
enum Pending {
    Operation(Ldap),
    Bind(Ldap, Option<Box<Login>>),
    StartTls(Ldap),
    Search(LdapSearch),
}

impl Dissect {
    /// For `Protocol::LdapTcp` or `Protocol::LdapUdp`.
    pub(super) fn new(protocol: Protocol) -> Self {
        let framers = Framers::new(HEAD);
        let (pending, budget) = (Recent::default(), Budget::default());
        Self { protocol, framers, pending, exchange: None, budget }
    }

    fn on_message(&mut self, message: &[u8], out: &mut Findings) {
        let Some(sequence) = Elements(message).expect(0x30) else { return };
        let mut parts = sequence.elements();
        let Some(id) = parts.expect(2).and_then(Element::integer) else { return };
        let Some(operation) = parts.next() else { return };
        match operation.tag {
            0x60 => self.on_bind(id, operation, out),
            0x63 => self.add(id, Pending::Search(search(id, operation)), out),
            0x66 | 0x68 | 0x6c | 0x6e | 0x4a => {
                self.add(id, Pending::Operation(change(id, operation)), out);
            }
            0x77 => self.on_extended(id, operation, out),
            // Unbinding and abandoning have no answer.
            0x42 => out.say(Ldap { message_id: id, opcode: "unbind", ..Ldap::default() }),
            0x50 => out.say(Ldap { message_id: id, opcode: "abandon", ..Ldap::default() }),
            0x64 => {
                if let Some(Pending::Search(search)) = self.pending.get_mut(&id) {
                    search.result_count += 1;
                }
            }
            0x61 | 0x65 | 0x67 | 0x69 | 0x6b | 0x6d | 0x6f | 0x78 => {
                self.on_result(id, operation, out);
            }
            _ => {}
        }
    }

    fn add(&mut self, id: i64, pending: Pending, out: &mut Findings) {
        if let Some(unanswered) = self.pending.insert(id, pending) {
            tell(unanswered, out);
        }
    }

    /// BindRequest (section 4.2): version, name, then a password [0], a SASL mechanism with its
    /// token [3], or a token of NTLM ([MS-ADTS] 5.1.1.1.3).
    fn on_bind(&mut self, id: i64, operation: Element<'_>, out: &mut Findings) {
        let mut parts = operation.elements();
        let version = parts.next().and_then(Element::integer);
        let object = parts.next().and_then(|name| filled(name.text(NAME_LIMIT)));
        let Some(proof) = parts.next() else { return };
        let mut record = Ldap { message_id: id, version, object, ..Ldap::default() };
        let mut login = None;
        match proof.tag {
            0x80 => {
                record.opcode = "bind simple";
                record.argument = (!proof.content.is_empty()).then(|| "REDACTED".to_owned());
                // A name without a password is nobody (section 5.1.2).
                if !proof.content.is_empty() {
                    login = record.object.clone().map(|user| self.login("password", user));
                }
            }
            0xa3 => {
                let mut parts = proof.elements();
                let mechanism = parts.next().map(|name| name.text(32));
                let token = parts.next().map_or(&[][..], |token| token.content);
                record.opcode = "bind SASL";
                login = match mechanism.as_deref() {
                    Some("PLAIN") => plain_user(token).map(|user| self.login("password", user)),
                    Some("DIGEST-MD5") => digest_user(token).map(|user| self.login("digest", user)),
                    _ => {
                        self.on_token(token);
                        None
                    }
                };
                record.argument = mechanism;
            }
            0x8a | 0x8b => {
                record.opcode = if proof.tag == 0x8a {
                    "bind sicily negotiate"
                } else {
                    "bind sicily response"
                };
                self.on_token(proof.content);
            }
            _ => record.opcode = "bind",
        }
        self.add(id, Pending::Bind(record, login.map(Box::new)), out);
    }

    fn on_token(&mut self, token: &[u8]) {
        let carrier = self.protocol.as_str();
        self.exchange.get_or_insert_with(|| Exchange::new(carrier)).on_token(token);
    }

    fn login(&self, method: &'static str, user: String) -> Login {
        Login {
            protocol: self.protocol.as_str(),
            method,
            user: Some(user),
            domain: None,
            workstation: None,
            success: None,
            inferred: false,
        }
    }

    fn on_extended(&mut self, id: i64, operation: Element<'_>, out: &mut Findings) {
        let name = operation.elements().find(|part| part.tag == 0x80).map(|it| it.text(64));
        let record = Ldap {
            message_id: id,
            opcode: "extended",
            object: name.as_deref().map(names::extension),
            ..Ldap::default()
        };
        let pending = match name.as_deref() {
            Some(names::STARTTLS) => Pending::StartTls(record),
            _ => Pending::Operation(record),
        };
        self.add(id, pending, out);
    }

    /// LDAPResult (section 4.1.9): a code, a name, words; a bind adds a token [7].
    fn on_result(&mut self, id: i64, operation: Element<'_>, out: &mut Findings) {
        let mut parts = operation.elements();
        let Some(code) = parts.next().and_then(Element::integer) else { return };
        let words = parts.nth(1).and_then(|words| filled(words.text(NAME_LIMIT)));
        let Some(mut pending) = self.pending.remove(&id) else { return };
        let result = Some(names::result(code));
        match &mut pending {
            Pending::Search(search) => {
                (search.result, search.diagnostic_message) = (result, words);
            }
            Pending::Operation(record) | Pending::Bind(record, _) | Pending::StartTls(record) => {
                (record.result, record.diagnostic_message) = (result, words);
            }
        }
        match pending {
            Pending::Bind(record, login) => {
                if let Some(token) = parts.find(|part| part.tag == 0x87)
                    && let Some(exchange) = &mut self.exchange
                {
                    exchange.on_token(token.content);
                }
                self.on_bound(code, login, out);
                out.say(record);
            }
            Pending::StartTls(record) => {
                if code == 0 {
                    out.becomes = Some(Protocol::Ssl);
                }
                out.say(record);
            }
            other => tell(other, out),
        }
    }

    fn on_bound(&mut self, code: i64, login: Option<Box<Login>>, out: &mut Findings) {
        let success = match code {
            0 => Some(true),
            INVALID_CREDENTIALS => Some(false),
            IN_PROGRESS => return,
            // Refused for another reason than who it is.
            _ => None,
        };
        if let Some(login) = login {
            out.say(Login { success, ..*login });
        }
        if let Some(exchange) = self.exchange.take()
            && !exchange.is_empty()
        {
            exchange.conclude(success, out);
        }
    }

    fn read(&mut self, sender: Role, data: &[u8], out: &mut Findings) {
        if self.protocol == Protocol::LdapUdp {
            self.on_message(data, out);
            return;
        }
        let mut data = data;
        loop {
            let mut framer = self.framers.take(sender);
            // An LDAP message begins with a SEQUENCE and a number: that finds the way back.
            if framer.is_lost() && is_beginning(data) {
                framer.restart();
            }
            let found = framer.next(&mut data, measure).map(|message| message.head);
            let is_done = found.is_none();
            match found {
                Some(head) if head.first() == Some(&0) => {
                    // An entry and the end of its search often share a buffer.
                    let mut inner = unwrapped(head).unwrap_or_default();
                    while let Some((_, start, length)) = ber(inner).filter(|_| is_beginning(inner))
                    {
                        self.on_message(inner, out);
                        inner = inner.get(start.saturating_add(length)..).unwrap_or_default();
                    }
                }
                Some(head) => self.on_message(head, out),
                None => {}
            }
            self.framers.put(sender, framer);
            if is_done || out.becomes.is_some() {
                return;
            }
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
        if let Some(exchange) = self.exchange.take()
            && !exchange.is_empty()
        {
            exchange.conclude(None, out);
        }
        for pending in self.pending.take() {
            tell(pending, out);
        }
    }

    fn bytes(&self) -> usize {
        let texts = self.pending.values().map(|pending| {
            let texts = match pending {
                Pending::Operation(record)
                | Pending::StartTls(record)
                | Pending::Bind(record, _) => [&record.object, &record.argument],
                Pending::Search(search) => [&search.base_object, &search.filter],
            };
            let attributes = match pending {
                Pending::Search(search) => search.attributes.capacity() * 48,
                Pending::Bind(_, Some(_)) => size_of::<Login>() + 64,
                _ => 0,
            };
            attributes + texts.into_iter().flatten().map(String::capacity).sum::<usize>()
        });
        size_of::<Self>()
            + self.framers.heap_bytes()
            + self.pending.heap_bytes()
            + texts.sum::<usize>()
            + self.exchange.as_ref().map_or(0, Exchange::heap_bytes)
    }
}

/// How long the message at the start of `data` is: an LDAPMessage, or a SASL buffer of at most
/// 16 MiB (RFC 4422 section 3.7).
fn measure(data: &[u8]) -> Size {
    match byte(data, 0) {
        None => Size::Need(2),
        Some(0x30) => match ber(data) {
            Some((_, start, length)) if length >= 3 => Size::Is((start + length) as u64),
            None if data.len() < 6 => Size::Need(data.len() + 1),
            _ => Size::Lost,
        },
        Some(0) => match be32(data, 0) {
            None => Size::Need(4),
            Some(length @ 1..) => Size::Is(u64::from(length) + 4),
            Some(_) => Size::Lost,
        },
        Some(_) => Size::Lost,
    }
}

fn is_beginning(data: &[u8]) -> bool {
    match ber(data) {
        Some((0x30, start, 3..)) => matches!(data.get(start..start + 2), Some([2, 1..=4])),
        _ => false,
    }
}

/// The message in a SASL buffer that is signed and not sealed.
fn unwrapped(buffer: &[u8]) -> Option<&[u8]> {
    let token = buffer.get(4..)?;
    let inner = match token {
        // Kerberos (RFC 4121 section 4.2.6.2): flags, lengths; a checksum that is rotated to the
        // front.
        [5, 4, flags, ..] if flags & 2 == 0 => token.get(16 + usize::from(be16(token, 6)?)..)?,
        // NTLM ([MS-NLMP] 2.2.2.9): a signature of 16 bytes.
        [1, 0, 0, 0, ..] => token.get(16..)?,
        _ => return None,
    };
    is_beginning(inner).then_some(inner)
}

/// Says what got no answer, or one that needs no more thought.
fn tell(pending: Pending, out: &mut Findings) {
    match pending {
        Pending::Operation(record) | Pending::StartTls(record) => out.say(record),
        Pending::Bind(record, login) => {
            if let Some(login) = login {
                out.say(*login);
            }
            out.say(record);
        }
        Pending::Search(search) => out.say(search),
    }
}

/// SearchRequest (section 4.5.1).
fn search(id: i64, operation: Element<'_>) -> LdapSearch {
    let mut parts = operation.elements();
    let base_object = parts.next().and_then(|base| filled(base.text(NAME_LIMIT)));
    let scope = parts.next().and_then(Element::integer).map(names::scope);
    let deref_aliases = parts.next().and_then(Element::integer).map(names::deref);
    // Limits of size and time, and whether only types are wanted.
    let filter = parts.nth(3).map(filter::text);
    let listed = parts.next().into_iter().flat_map(Element::elements);
    let attributes = listed.take(ATTRIBUTE_LIMIT).map(|name| name.text(64)).collect();
    let search =
        LdapSearch { message_id: id, scope, deref_aliases, base_object, ..LdapSearch::default() };
    LdapSearch { filter, attributes, ..search }
}

/// The operations that change an entry (sections 4.6 to 4.9), and compare.
fn change(id: i64, operation: Element<'_>) -> Ldap {
    let mut parts = operation.elements();
    let (opcode, object, argument) = match operation.tag {
        0x4a => ("delete", Some(operation), None),
        0x66 => {
            let object = parts.next();
            let changes = parts.next().into_iter().flat_map(Element::elements);
            // SEQUENCE { operation, SEQUENCE { type, values } }
            let changed = changes.take(ATTRIBUTE_LIMIT).filter_map(|change| {
                let attribute = change.elements().nth(1)?.inner()?;
                Some(attribute.text(64))
            });
            ("modify", object, filled(changed.collect::<Vec<_>>().join(",")))
        }
        0x68 => ("add", parts.next(), None),
        0x6c => {
            let object = parts.next();
            ("modify", object, parts.next().and_then(|name| filled(name.text(NAME_LIMIT))))
        }
        _ => ("compare", parts.next(), None),
    };
    let object = object.and_then(|name| filled(name.text(NAME_LIMIT)));
    Ldap { message_id: id, opcode, object, argument, ..Ldap::default() }
}

/// The account in a PLAIN token (RFC 4616): between two zeros.
fn plain_user(token: &[u8]) -> Option<String> {
    let start = token.iter().position(|&b| b == 0)? + 1;
    filled(text(part(token, start, token.len()), 128))
}

/// The account in a DIGEST-MD5 response (RFC 2831 section 2.1.2).
fn digest_user(token: &[u8]) -> Option<String> {
    let token = text(token, 512);
    let (_, rest) = token.split_once("username=\"")?;
    let (user, _) = rest.split_once('"')?;
    filled(user.to_owned())
}

#[cfg(test)]
mod story;

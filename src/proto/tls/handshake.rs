//! What the messages of a handshake add up to, whoever sent them in whichever pieces.
//!
//! Follows the rules of Zeek's `ssl` scripts where they define a field.

use std::borrow::Cow;

use sha2::{Digest, Sha256};

use super::certificate::Names;
use super::hello::{ClientHello, ServerHello, named_curve};
use super::ja4::ja4;
use super::names::{alert_name, curve_name, version_name};
use super::suites::cipher_name;
use crate::event::Ssl;
use crate::proto::cursor::Cursor;
use crate::proto::render::{hex, text};
use crate::proto::{Findings, Role};

/// As long as Zeek's.
const MAX_HISTORY: usize = 100;
/// No chain is longer.
const MAX_CHAIN: usize = 10;
pub(super) const TLS_1_3: u16 = 0x0304;

/// Handshake types.
const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;
const CERTIFICATE: u8 = 11;
const SERVER_KEY_EXCHANGE: u8 = 12;
const CLIENT_KEY_EXCHANGE: u8 = 16;

/// What both directions add up to.
#[derive(Debug, Default)]
pub(super) struct Talk {
    pub(super) record: Ssl,
    pub(super) version: u16,
    session: Vec<u8>,
    pub(super) has_ticket: bool,
    pub(super) has_exchanged_keys: bool,
    offered_key: bool,
    is_elliptic: bool,
    /// There is something to tell.
    pub(super) has_begun: bool,
    pub(super) is_said: bool,
}

impl Talk {
    pub(super) fn note(&mut self, sender: Role, letter: char) {
        let history = &mut self.record.ssl_history;
        if history.len() < MAX_HISTORY {
            history.push(match sender {
                Role::Client => letter.to_ascii_uppercase(),
                Role::Server => letter,
            });
        }
    }

    pub(super) fn on_handshake(&mut self, sender: Role, kind: u8, body: &[u8], is_datagram: bool) {
        let mut letter = letter(kind);
        match (kind, sender) {
            (CLIENT_HELLO, Role::Client) => self.on_client_hello(body, is_datagram),
            (SERVER_HELLO, Role::Server) => {
                letter = if self.on_server_hello(body) { 'j' } else { letter };
            }
            (CERTIFICATE, _) => self.on_certificates(sender, body),
            (SERVER_KEY_EXCHANGE, Role::Server) if self.is_elliptic => {
                self.record.curve = named_curve(body).map(curve_name);
            }
            (CLIENT_KEY_EXCHANGE, Role::Client) => self.has_exchanged_keys = true,
            _ => {}
        }
        self.note(sender, letter);
    }

    fn on_client_hello(&mut self, body: &[u8], is_datagram: bool) {
        self.has_begun = true;
        let Some(hello) = ClientHello::read(body, is_datagram) else { return };
        // A ticket goes with an empty session or an invented one.
        self.has_ticket = hello.has_ticket && hello.session.is_empty();
        self.offered_key = hello.has_key;
        let record = &mut self.record;
        if record.ja4.is_none() {
            record.ja4 = Some(ja4(&hello, if is_datagram { 'd' } else { 't' }));
            record.server_name = hello.server_name.as_ref().map(|name| text(name, name.len()));
        }
        self.session = hello.session;
    }

    /// Whether it asks for another client hello.
    fn on_server_hello(&mut self, body: &[u8]) -> bool {
        self.has_begun = true;
        let Some(hello) = ServerHello::read(body) else { return false };
        let cipher = cipher_name(hello.suite);
        self.version = hello.version;
        self.is_elliptic = cipher.is_some_and(|name| name.contains("ECDH"));
        let is_modern = hello.version == TLS_1_3 || hello.version >> 8 == 0x7f;
        let repeats = !hello.session.is_empty() && hello.session == self.session;
        let record = &mut self.record;
        record.version = Some(version_name(hello.version));
        record.cipher = Some(
            cipher.map_or_else(|| Cow::Owned(format!("unknown-{}", hello.suite)), Cow::Borrowed),
        );
        record.curve = hello.group.map(curve_name).or(record.curve.take());
        record.resumed |= (repeats && !is_modern) || (hello.has_key && self.offered_key);
        if let Some(protocol) = hello.protocol {
            record.next_protocol = Some(text(&protocol, protocol.len()));
        }
        hello.is_retry
    }

    fn on_certificates(&mut self, sender: Role, body: &[u8]) {
        let mut list = Cursor::new(body);
        list.be24();
        let record = &mut self.record;
        let (chain, subject, issuer) = match sender {
            Role::Client => {
                let Ssl { client_cert_chain_fps, client_subject, client_issuer, .. } = record;
                (client_cert_chain_fps, client_subject, client_issuer)
            }
            Role::Server => (&mut record.cert_chain_fps, &mut record.subject, &mut record.issuer),
        };
        while let Some(length) = list.be24() {
            let length = length as usize;
            let certificate = list.take_most(length);
            if chain.is_empty()
                && subject.is_none()
                && let Some(names) = Names::read(certificate)
            {
                *subject = Some(names.subject);
                *issuer = Some(names.issuer);
            }
            // The end of a long chain is not kept, and a part has no fingerprint.
            if certificate.len() < length || chain.len() >= MAX_CHAIN {
                break;
            }
            chain.push(hex(&Sha256::digest(certificate)));
        }
    }

    pub(super) fn on_alert(&mut self, sender: Role, description: u8) {
        self.note(sender, 'l');
        self.record.last_alert = Some(alert_name(description));
    }

    pub(super) fn tell(&mut self, out: &mut Findings) {
        if self.has_begun && !self.is_said {
            self.is_said = true;
            out.say(std::mem::take(&mut self.record));
        }
    }
}

/// Zeek's letter for a handshake message.
const fn letter(kind: u8) -> char {
    match kind {
        0 => 'h',
        CLIENT_HELLO => 'c',
        SERVER_HELLO => 's',
        3 => 'v',
        4 => 't',
        5 => 'e',
        6 => 'j',
        8 => 'o',
        CERTIFICATE => 'x',
        SERVER_KEY_EXCHANGE => 'k',
        13 => 'r',
        14 => 'n',
        15 => 'y',
        CLIENT_KEY_EXCHANGE => 'g',
        20 => 'f',
        21 => 'w',
        22 => 'u',
        23 => 'a',
        24 => 'p',
        254 => 'm',
        _ => 'z',
    }
}

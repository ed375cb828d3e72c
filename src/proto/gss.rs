//! SPNEGO (RFC 4178) and what it negotiates: one way to read the security blobs that SMB, DCE/RPC,
//! LDAP and HTTP carry, and to say who was let in.
//!
//! A carrier feeds the tokens of both sides in order and says how it ended; the names come from
//! NTLM messages, or from the outside of a Kerberos ticket.

use super::Findings;
use super::ber::{Element, Elements};
use super::kerberos::{self, Ticket};
use super::ntlm;
use crate::event::{Kerberos, Login};

/// The OBJECT IDENTIFIERs of Kerberos, Microsoft's misspelt one and user-to-user ([MS-SPNG] 3.1.5.2).
const KERBEROS: [&[u8]; 3] = [
    &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 1, 2, 2],
    &[0x2a, 0x86, 0x48, 0x82, 0xf7, 0x12, 1, 2, 2],
    &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 1, 2, 2, 3],
];

/// One authentication inside a carrying protocol.
#[derive(Debug)]
pub(super) struct Exchange {
    carrier: &'static str,
    ntlm: Option<Box<ntlm::Session>>,
    ticket: Option<Box<Ticket>>,
    /// What the server's negotiation token says of the result.
    verdict: Option<bool>,
}

impl Exchange {
    /// An exchange inside `carrier`, by its `service` name.
    pub(super) const fn new(carrier: &'static str) -> Self {
        Self { carrier, ntlm: None, ticket: None, verdict: None }
    }

    /// Takes a token of either side, raw or wrapped, whole or cut off.
    pub(super) fn on_token(&mut self, token: &[u8]) {
        let (state, inner) = unwrap(token);
        match state {
            // accept-completed, reject; incomplete and request-mic go on.
            Some(0) => self.verdict = Some(true),
            Some(2) => self.verdict = Some(false),
            _ => {}
        }
        let Some(inner) = inner else { return };
        if inner.starts_with(b"NTLMSSP\0") {
            self.ntlm.get_or_insert_default().on_message(inner);
        } else if let Some(kerberos::Message::Presents(ticket)) = kerberos::read(inner) {
            self.ticket = Some(Box::new(ticket));
        }
    }

    /// Whether the client has shown who it is, so that an answer is a result.
    pub(super) fn is_decisive(&self) -> bool {
        self.ticket.is_some() || self.ntlm.as_ref().is_some_and(|ntlm| ntlm.is_authenticated())
    }

    /// Whether it has seen anything that is worth saying.
    pub(super) const fn is_empty(&self) -> bool {
        self.ticket.is_none() && self.ntlm.is_none()
    }

    /// The account, if it is in clear.
    pub(super) fn username(&self) -> Option<&str> {
        self.ntlm.as_ref().and_then(|ntlm| ntlm.username())
    }

    /// Says what is known of it; `success` is what the carrier says of the result, where it does.
    pub(super) fn conclude(self, success: Option<bool>, out: &mut Findings) {
        let (carrier, success) = (self.carrier, success.or(self.verdict));
        if let Some(ntlm) = self.ntlm {
            let authenticated = ntlm.is_authenticated();
            let record = ntlm.conclude(carrier, success);
            // Nobody tried to log in where the client went no further than asking for a challenge,
            // nor as an account that has no name.
            if authenticated && record.username.is_some() {
                out.say(Login {
                    protocol: carrier,
                    method: "ntlm",
                    user: record.username.clone(),
                    domain: record.domainname.clone(),
                    workstation: record.hostname.clone(),
                    success,
                    inferred: false,
                });
            }
            out.say(record);
        } else if let Some(ticket) = self.ticket {
            out.say(Login {
                protocol: carrier,
                method: "kerberos",
                user: None,
                domain: ticket.realm.clone(),
                workstation: None,
                success,
                inferred: false,
            });
            out.say(Kerberos {
                request_type: Some("AP"),
                // Who presents it is inside the ticket; Zeek writes the realm alone.
                client: ticket.realm.map(|realm| format!("/{realm}")),
                service: ticket.service,
                cipher: ticket.cipher,
                success,
                ..Kerberos::default()
            });
        }
    }

    /// Bytes held on the heap.
    pub(super) fn heap_bytes(&self) -> usize {
        let ntlm = self.ntlm.as_ref();
        ntlm.map_or(0, |ntlm| size_of::<ntlm::Session>() + ntlm.heap_bytes())
            + self.ticket.as_ref().map_or(0, |_| size_of::<Ticket>() + 3 * 64)
    }
}

/// The state that a token declares, and the mechanism's own token in it.
fn unwrap(token: &[u8]) -> (Option<i64>, Option<&[u8]>) {
    let Some(outer) = Elements(token).next() else { return (None, Some(token)) };
    match outer.tag {
        // InitialContextToken (RFC 2743 section 3.1): which mechanism, then its token.
        0x60 => {
            let mut parts = outer.elements();
            let Some(mechanism) = parts.expect(0x06) else { return (None, None) };
            if KERBEROS.contains(&mechanism.content) {
                // Two bytes say which message it is (RFC 4121 section 4.1).
                return (None, parts.0.get(2..));
            }
            // NegTokenInit: mechToken [2].
            (None, parts.seek(0xa0).and_then(|init| mechanism_token(init)))
        }
        // NegTokenResp: negState [0], responseToken [2].
        0xa1 => {
            let fields = || outer.inner().into_iter().flat_map(Element::elements);
            let state = fields().find(|field| field.tag == 0xa0).and_then(Element::inner);
            (state.and_then(Element::integer), mechanism_token(outer))
        }
        _ => (None, Some(token)),
    }
}

/// The token in field [2] of NegTokenInit and NegTokenResp, without Kerberos' own wrapping.
fn mechanism_token(token: Element<'_>) -> Option<&[u8]> {
    let token = token.inner()?.elements().seek(0xa2)?.inner()?.content;
    if token.first() == Some(&0x60) { unwrap_kerberos(token) } else { Some(token) }
}

fn unwrap_kerberos(token: &[u8]) -> Option<&[u8]> {
    let mut parts = Elements(token).next()?.elements();
    parts.expect(0x06)?;
    parts.0.get(2..)
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::kerberos::tests::{ap_request, tlv};
    use super::super::ntlm::tests::{authenticate, challenge};
    use super::*;
    use crate::event::Record;
    use proptest::prelude::*;

    /// NegTokenInit around a mechanism's token.
    pub(in crate::proto) fn init(token: Vec<u8>) -> Vec<u8> {
        let spnego = tlv(6, &[vec![0x2b, 6, 1, 5, 5, 2]]);
        let fields = tlv(0x30, &[tlv(0xa2, &[tlv(4, &[token])])]);
        tlv(0x60, &[spnego, tlv(0xa0, &[fields])])
    }

    /// NegTokenResp with a state and a mechanism's token.
    pub(in crate::proto) fn response(state: u8, token: Vec<u8>) -> Vec<u8> {
        let state = tlv(0xa0, &[vec![0x0a, 1, state]]);
        tlv(0xa1, &[tlv(0x30, &[state, tlv(0xa2, &[tlv(4, &[token])])])])
    }

    /// A Kerberos token as SPNEGO carries it.
    pub(in crate::proto) fn kerberos_token() -> Vec<u8> {
        tlv(0x60, &[tlv(6, &[KERBEROS[0].to_vec()]), vec![1, 0], ap_request()])
    }

    fn conclude(exchange: Exchange, success: Option<bool>) -> Vec<Record> {
        let mut out = Findings::default();
        exchange.conclude(success, &mut out);
        out.records
    }

    #[test]
    fn tells_who_logs_in_with_ntlm_wrapped_or_raw() {
        let wrapped =
            [init(vec![0; 4]), response(1, challenge()), response(1, authenticate("eve"))];
        let raw = [vec![0; 4], challenge(), authenticate("eve")];

        for tokens in [wrapped, raw] {
            let mut exchange = Exchange::new("smb");
            for token in &tokens {
                assert!(!exchange.is_decisive());
                exchange.on_token(token);
            }
            assert!(exchange.is_decisive());

            let records = conclude(exchange, Some(false));
            let [Record::Login(login), Record::Ntlm(ntlm)] = &records[..] else { panic!() };
            assert_eq!(login.user.as_deref(), Some("eve"));
            assert_eq!((login.method, login.success), ("ntlm", Some(false)));
            assert_eq!(ntlm.server_nb_computer_name.as_deref(), Some("DC"));
        }
    }

    #[test]
    fn tells_that_a_ticket_was_presented_and_taken() {
        for token in [init(kerberos_token()), kerberos_token(), ap_request()] {
            let mut exchange = Exchange::new("smb");
            exchange.on_token(&token);
            assert!(exchange.is_decisive());
            exchange.on_token(&response(0, Vec::new()));

            let records = conclude(exchange, None);
            let [Record::Login(login), Record::Kerberos(kerberos)] = &records[..] else { panic!() };
            assert_eq!((login.method, login.success), ("kerberos", Some(true)));
            assert_eq!(kerberos.client.as_deref(), Some("/EX.NET"));
            assert_eq!(kerberos.service.as_deref(), Some("cifs/dc"));
        }
    }

    #[test]
    fn an_anonymous_session_is_nobodys_login() {
        let mut exchange = Exchange::new("smb");
        exchange.on_token(&authenticate(""));

        let records = conclude(exchange, Some(true));

        assert!(matches!(&records[..], [Record::Ntlm(_)]));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(data: Vec<u8>, at in 0usize..300, byte: u8) {
            let mut exchange = Exchange::new("smb");
            exchange.on_token(&data);
            for mut token in [init(kerberos_token()), response(1, challenge())] {
                if let Some(place) = token.get_mut(at) {
                    *place = byte;
                }
                exchange.on_token(&token);
            }
            let _ = conclude(exchange, None);
        }
    }
}

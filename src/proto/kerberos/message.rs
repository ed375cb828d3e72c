//! Kerberos messages (RFC 4120 section 5) as far as they are in clear: who asks for what, how it is
//! encrypted, and what went wrong.

use super::names;
use crate::proto::ber::{Element, Elements};
use crate::proto::bytes::filled;

/// A principal's name has a few parts; longer ones are cut off.
const NAME_LIMIT: usize = 256;
/// Nobody offers more encryption types.
const CIPHER_LIMIT: usize = 16;
/// Pre-authentication that proves who asks: an encrypted timestamp, a signature (PKINIT), or an
/// encrypted challenge (RFC 4120 section 7.5.2, RFC 4556, RFC 6113).
const PROOFS: [i64; 5] = [2, 16, 17, 138, 151];

/// A message.
#[derive(Debug, PartialEq)]
pub(in crate::proto) enum Message {
    /// A client asks for a ticket.
    Request(Request),
    /// The server grants one.
    Reply(Reply),
    /// A client presents one.
    Presents(Ticket),
    /// The other side refuses.
    Error(Failure),
}

/// AS-REQ or TGS-REQ.
#[derive(Debug, Default, PartialEq)]
pub(in crate::proto) struct Request {
    /// Whether it asks for a ticket to a service with a ticket that it has.
    pub(in crate::proto) is_tgs: bool,
    pub(in crate::proto) client: Option<String>,
    pub(in crate::proto) realm: Option<String>,
    pub(in crate::proto) service: Option<String>,
    pub(in crate::proto) from: Option<f64>,
    pub(in crate::proto) till: Option<f64>,
    pub(in crate::proto) forwardable: Option<bool>,
    pub(in crate::proto) renewable: Option<bool>,
    pub(in crate::proto) ciphers: Vec<String>,
    pub(in crate::proto) preauth: bool,
}

/// AS-REP or TGS-REP.
#[derive(Debug, Default, PartialEq)]
pub(in crate::proto) struct Reply {
    pub(in crate::proto) is_tgs: bool,
    pub(in crate::proto) client: Option<String>,
    pub(in crate::proto) realm: Option<String>,
    pub(in crate::proto) ticket: Ticket,
    pub(in crate::proto) cipher: Option<String>,
}

/// A ticket's outside.
#[derive(Debug, Default, PartialEq)]
pub(in crate::proto) struct Ticket {
    pub(in crate::proto) realm: Option<String>,
    pub(in crate::proto) service: Option<String>,
    pub(in crate::proto) cipher: Option<String>,
}

/// KRB-ERROR.
#[derive(Debug, Default, PartialEq)]
pub(in crate::proto) struct Failure {
    pub(in crate::proto) code: i64,
    pub(in crate::proto) client: Option<String>,
    pub(in crate::proto) realm: Option<String>,
    pub(in crate::proto) service: Option<String>,
    pub(in crate::proto) text: Option<String>,
}

/// Reads a message, which may be cut off.
pub(in crate::proto) fn read(data: &[u8]) -> Option<Message> {
    let outer = Elements(data).next()?;
    let fields = outer.inner().filter(|sequence| sequence.tag == 0x30)?.elements();
    match outer.tag {
        0x6a => Some(Message::Request(request(fields, false))),
        0x6c => Some(Message::Request(request(fields, true))),
        0x6b => Some(Message::Reply(reply(fields, false))),
        0x6d => Some(Message::Reply(reply(fields, true))),
        0x6e => {
            let mut fields = fields;
            fields.seek(0xa3)?.inner().map(|it| Message::Presents(ticket(it)))
        }
        0x7e => Some(Message::Error(failure(fields))),
        _ => None,
    }
}

fn request(fields: Elements<'_>, is_tgs: bool) -> Request {
    let mut request = Request { is_tgs, ..Request::default() };
    for field in fields {
        match (field.tag, field.inner()) {
            (0xa3, Some(padata)) => {
                // SEQUENCE OF PA-DATA { padata-type [1], padata-value [2] }
                request.preauth = padata.elements().any(|entry| {
                    let kind = entry.elements().seek(0xa1).and_then(Element::inner);
                    kind.and_then(Element::integer).is_some_and(|kind| PROOFS.contains(&kind))
                });
            }
            (0xa4, Some(body)) => request_body(body, &mut request),
            _ => {}
        }
    }
    request
}

fn request_body(body: Element<'_>, request: &mut Request) {
    for field in body.elements() {
        let Some(value) = field.inner() else { continue };
        match field.tag {
            0xa0 => {
                // A BIT STRING: a byte that counts unused bits, then forwardable at bit 1 and
                // renewable at bit 8 (section 5.4.1).
                let bit = |byte: usize, mask: u8| value.content.get(byte).map(|b| b & mask != 0);
                request.forwardable = bit(1, 0x40);
                request.renewable = bit(2, 0x80);
            }
            0xa1 => request.client = principal(value),
            0xa2 => request.realm = filled(value.text(NAME_LIMIT)),
            0xa3 => request.service = principal(value),
            0xa4 => request.from = time(value),
            0xa5 => request.till = time(value),
            0xa8 => {
                let etypes = value.elements().take(CIPHER_LIMIT).filter_map(Element::integer);
                request.ciphers = etypes.map(names::cipher).collect();
            }
            _ => {}
        }
    }
}

fn reply(fields: Elements<'_>, is_tgs: bool) -> Reply {
    let mut reply = Reply { is_tgs, ..Reply::default() };
    for field in fields {
        let Some(value) = field.inner() else { continue };
        match field.tag {
            0xa3 => reply.realm = filled(value.text(NAME_LIMIT)),
            0xa4 => reply.client = principal(value),
            0xa5 => reply.ticket = ticket(value),
            0xa6 => reply.cipher = cipher_of(value),
            _ => {}
        }
    }
    reply
}

/// Ticket, with its application tag around it.
fn ticket(outer: Element<'_>) -> Ticket {
    let mut ticket = Ticket::default();
    for field in outer.inner().into_iter().flat_map(Element::elements) {
        let Some(value) = field.inner() else { continue };
        match field.tag {
            0xa1 => ticket.realm = filled(value.text(NAME_LIMIT)),
            0xa2 => ticket.service = principal(value),
            0xa3 => ticket.cipher = cipher_of(value),
            _ => {}
        }
    }
    ticket
}

fn failure(fields: Elements<'_>) -> Failure {
    let mut failure = Failure::default();
    for field in fields {
        let Some(value) = field.inner() else { continue };
        match field.tag {
            0xa6 => failure.code = value.integer().unwrap_or_default(),
            0xa7 => failure.realm = filled(value.text(NAME_LIMIT)),
            0xa8 => failure.client = principal(value),
            0xaa => failure.service = principal(value),
            0xab => failure.text = filled(value.text(NAME_LIMIT)),
            _ => {}
        }
    }
    failure
}

/// PrincipalName: its parts, joined by slashes.
fn principal(value: Element<'_>) -> Option<String> {
    let parts = value.elements().seek(0xa1)?.inner()?;
    let mut name = String::new();
    for part in parts.elements() {
        if !name.is_empty() {
            name.push('/');
        }
        name.push_str(&part.text(NAME_LIMIT.saturating_sub(name.len())));
        if name.len() >= NAME_LIMIT {
            break;
        }
    }
    filled(name)
}

/// The encryption type of EncryptedData.
fn cipher_of(value: Element<'_>) -> Option<String> {
    value.elements().expect(0xa0)?.inner()?.integer().map(names::cipher)
}

/// KerberosTime, `YYYYMMDDHHMMSSZ`, as seconds since the epoch.
fn time(value: Element<'_>) -> Option<f64> {
    let digits = std::str::from_utf8(value.content.get(..14)?).ok()?;
    let number = |range: std::ops::Range<usize>| digits.get(range)?.parse::<i64>().ok();
    let (year, month, day) = (number(0..4)?, number(4..6)?, number(6..8)?);
    let (hour, minute, second) = (number(8..10)?, number(10..12)?, number(12..14)?);
    let date =
        jiff::civil::Date::new(year.try_into().ok()?, month.try_into().ok()?, day.try_into().ok()?);
    let days = date.ok()?.duration_since(jiff::civil::date(1970, 1, 1)).as_secs();
    Some((days + hour * 3600 + minute * 60 + second) as f64)
}

#[cfg(test)]
pub(in crate::proto) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// An element around others.
    pub(in crate::proto) fn tlv(tag: u8, parts: &[Vec<u8>]) -> Vec<u8> {
        let content = parts.concat();
        let length = content.len();
        let head = match length {
            0..0x80 => vec![tag, length as u8],
            _ => vec![tag, 0x82, (length >> 8) as u8, length as u8],
        };
        [head, content].concat()
    }

    pub(in crate::proto) fn text(tag: u8, value: &str) -> Vec<u8> {
        tlv(tag, &[value.as_bytes().to_vec()])
    }

    pub(in crate::proto) fn integer(value: u8) -> Vec<u8> {
        vec![2, 1, value]
    }

    pub(in crate::proto) fn name(parts: &[&str]) -> Vec<u8> {
        let parts: Vec<_> = parts.iter().map(|part| text(0x1b, part)).collect();
        tlv(0x30, &[tlv(0xa0, &[integer(1)]), tlv(0xa1, &[tlv(0x30, &parts)])])
    }

    /// AS-REQ of `alice` in `EX.NET`.
    pub(in crate::proto) fn as_request(proof: bool) -> Vec<u8> {
        let padata = tlv(0x30, &[tlv(0xa1, &[integer(if proof { 2 } else { 128 })])]);
        let body = tlv(
            0x30,
            &[
                tlv(0xa0, &[vec![3, 5, 0, 0x40, 0x80, 0, 0x10]]),
                tlv(0xa1, &[name(&["alice"])]),
                tlv(0xa2, &[text(0x1b, "EX.NET")]),
                tlv(0xa3, &[name(&["krbtgt", "EX.NET"])]),
                tlv(0xa5, &[text(0x18, "20370913024805Z")]),
                tlv(0xa8, &[tlv(0x30, &[integer(18), integer(23)])]),
            ],
        );
        let parts = [
            tlv(0xa1, &[integer(5)]),
            tlv(0xa2, &[integer(10)]),
            tlv(0xa3, &[tlv(0x30, &[padata])]),
            tlv(0xa4, &[body]),
        ];
        tlv(0x6a, &[tlv(0x30, &parts)])
    }

    fn encrypted(etype: u8) -> Vec<u8> {
        tlv(0x30, &[tlv(0xa0, &[integer(etype)]), tlv(0xa2, &[tlv(4, &[vec![0; 200]])])])
    }

    fn a_ticket(etype: u8) -> Vec<u8> {
        let parts = [
            tlv(0xa0, &[integer(5)]),
            tlv(0xa1, &[text(0x1b, "EX.NET")]),
            tlv(0xa2, &[name(&["cifs", "dc"])]),
            tlv(0xa3, &[encrypted(etype)]),
        ];
        tlv(0x61, &[tlv(0x30, &parts)])
    }

    /// TGS-REP for `alice`, encrypted with `etype`.
    pub(in crate::proto) fn tgs_reply(etype: u8) -> Vec<u8> {
        let parts = [
            tlv(0xa3, &[text(0x1b, "EX.NET")]),
            tlv(0xa4, &[name(&["alice"])]),
            tlv(0xa5, &[a_ticket(etype)]),
            tlv(0xa6, &[encrypted(18)]),
        ];
        tlv(0x6d, &[tlv(0x30, &parts)])
    }

    /// AP-REQ to `cifs/dc`.
    pub(in crate::proto) fn ap_request() -> Vec<u8> {
        let parts = [
            tlv(0xa0, &[integer(5)]),
            tlv(0xa1, &[integer(14)]),
            tlv(0xa2, &[vec![3, 5, 0, 0, 0, 0, 0]]),
            tlv(0xa3, &[a_ticket(18)]),
        ];
        tlv(0x6e, &[tlv(0x30, &parts)])
    }

    /// KRB-ERROR with `code`.
    pub(in crate::proto) fn error(code: u8) -> Vec<u8> {
        let parts = [tlv(0xa6, &[integer(code)]), tlv(0xaa, &[name(&["krbtgt", "EX.NET"])])];
        tlv(0x7e, &[tlv(0x30, &parts)])
    }

    #[test]
    fn reads_a_request() {
        let Some(Message::Request(request)) = read(&as_request(true)) else { panic!() };

        assert!(!request.is_tgs && request.preauth);
        assert_eq!(request.client.as_deref(), Some("alice"));
        assert_eq!(request.realm.as_deref(), Some("EX.NET"));
        assert_eq!(request.service.as_deref(), Some("krbtgt/EX.NET"));
        assert_eq!(request.till, Some(2_136_422_885.0));
        assert_eq!((request.forwardable, request.renewable), (Some(true), Some(true)));
        assert_eq!(request.ciphers, ["aes256-cts-hmac-sha1-96", "rc4-hmac"]);
    }

    #[test]
    fn a_request_to_be_told_more_proves_nothing() {
        let Some(Message::Request(request)) = read(&as_request(false)) else { panic!() };

        assert!(!request.preauth);
    }

    #[test]
    fn reads_a_reply_and_what_is_there_of_one_that_is_cut_off() {
        let whole = tgs_reply(23);

        for data in [&whole[..], &whole[..120]] {
            let Some(Message::Reply(reply)) = read(data) else { panic!() };
            assert!(reply.is_tgs);
            assert_eq!(reply.client.as_deref(), Some("alice"));
            assert_eq!(reply.ticket.service.as_deref(), Some("cifs/dc"));
            assert_eq!(reply.ticket.cipher.as_deref(), Some("rc4-hmac"));
        }
    }

    #[test]
    fn reads_a_presented_ticket_and_an_error() {
        let Some(Message::Presents(ticket)) = read(&ap_request()) else { panic!() };
        assert_eq!(ticket.realm.as_deref(), Some("EX.NET"));
        assert_eq!(ticket.service.as_deref(), Some("cifs/dc"));

        let Some(Message::Error(failure)) = read(&error(24)) else { panic!() };
        assert_eq!(failure.code, 24);
        assert_eq!(failure.service.as_deref(), Some("krbtgt/EX.NET"));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(data: Vec<u8>, at in 0usize..300, byte: u8) {
            let _ = read(&data);
            for mut message in [as_request(true), tgs_reply(23), ap_request(), error(6)] {
                if let Some(place) = message.get_mut(at) {
                    *place = byte;
                }
                let _ = read(&message);
            }
        }
    }
}

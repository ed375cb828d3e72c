//! Kerberos (RFC 4120) and LDAP (RFC 4511): what a logon to a directory looks like.

/// The realm's word for a wrong or missing proof: pre-authentication is required.
const PROOF_REQUIRED: u8 = 25;

/// An element of DER around others.
fn tlv(tag: u8, parts: &[Vec<u8>]) -> Vec<u8> {
    let content = parts.concat();
    let length = content.len();
    let mut element = match length {
        0..0x80 => vec![tag, length as u8],
        0x80..0x100 => vec![tag, 0x81, length as u8],
        _ => vec![tag, 0x82, (length >> 8) as u8, length as u8],
    };
    element.extend_from_slice(&content);
    element
}

fn text(value: &str) -> Vec<u8> {
    tlv(0x1b, &[value.as_bytes().to_vec()])
}

fn integer(value: u8) -> Vec<u8> {
    vec![2, 1, value]
}

fn long_integer(value: u32) -> Vec<u8> {
    let [a, b, c, d] = (value & 0x7fff_ffff).to_be_bytes();
    vec![2, 4, a | 1, b, c, d]
}

fn name(kind: u8, parts: &[&str]) -> Vec<u8> {
    let parts: Vec<_> = parts.iter().map(|part| text(part)).collect();
    tlv(0x30, &[tlv(0xa0, &[integer(kind)]), tlv(0xa1, &[tlv(0x30, &parts)])])
}

fn encrypted(length: usize) -> Vec<u8> {
    // AES-256 with SHA-1 (18); the cipher is filler.
    let cipher = tlv(4, &[vec![0x5c; length]]);
    tlv(0x30, &[tlv(0xa0, &[integer(18)]), tlv(0xa2, &[cipher])])
}

fn ticket(realm: &str, service: &[&str]) -> Vec<u8> {
    let parts = [
        tlv(0xa0, &[integer(5)]),
        tlv(0xa1, &[text(realm)]),
        tlv(0xa2, &[name(2, service)]),
        tlv(0xa3, &[encrypted(900)]),
    ];
    tlv(0x61, &[tlv(0x30, &parts)])
}

fn body(client: Option<&str>, realm: &str, service: &[&str], nonce: u32) -> Vec<u8> {
    let mut parts = vec![tlv(0xa0, &[vec![3, 5, 0, 0x40, 0x81, 0, 0x10]])];
    if let Some(client) = client {
        parts.push(tlv(0xa1, &[name(1, &[client])]));
    }
    parts.extend([
        tlv(0xa2, &[text(realm)]),
        tlv(0xa3, &[name(2, service)]),
        tlv(0xa5, &[tlv(0x18, &[b"20370913024805Z".to_vec()])]),
        tlv(0xa7, &[long_integer(nonce)]),
        tlv(0xa8, &[tlv(0x30, &[integer(18), integer(17), integer(23)])]),
    ]);
    tlv(0x30, &parts)
}

fn request(tag: u8, kind: u8, proof: Option<(u8, Vec<u8>)>, body: Vec<u8>) -> Vec<u8> {
    let mut parts = vec![tlv(0xa1, &[integer(5)]), tlv(0xa2, &[integer(kind)])];
    if let Some((number, value)) = proof {
        let entry = [tlv(0xa1, &[integer(number)]), tlv(0xa2, &[tlv(4, &[value])])];
        parts.push(tlv(0xa3, &[tlv(0x30, &[tlv(0x30, &entry)])]));
    }
    parts.push(tlv(0xa4, &[body]));
    tlv(tag, &[tlv(0x30, &parts)])
}

/// A request for a ticket that grants tickets, with a proof of the password or without.
pub fn as_request(client: &str, realm: &str, proves: bool, nonce: u32) -> Vec<u8> {
    let proof = proves.then(|| (2, encrypted(56)));
    request(0x6a, 10, proof, body(Some(client), realm, &["krbtgt", realm], nonce))
}

/// That ticket.
pub fn as_reply(client: &str, realm: &str) -> Vec<u8> {
    reply(0x6b, 11, client, realm, &["krbtgt", realm])
}

/// The answer to a request without a proof.
pub fn proof_required(realm: &str) -> Vec<u8> {
    let parts = [
        tlv(0xa0, &[integer(5)]),
        tlv(0xa1, &[integer(30)]),
        tlv(0xa4, &[tlv(0x18, &[b"20260302080000Z".to_vec()])]),
        tlv(0xa5, &[integer(1)]),
        tlv(0xa6, &[integer(PROOF_REQUIRED)]),
        tlv(0xa9, &[text(realm)]),
        tlv(0xaa, &[name(2, &["krbtgt", realm])]),
    ];
    tlv(0x7e, &[tlv(0x30, &parts)])
}

/// A request for a ticket to a service.
pub fn tgs_request(realm: &str, service: &[&str], nonce: u32) -> Vec<u8> {
    let parts = [
        tlv(0xa0, &[integer(5)]),
        tlv(0xa1, &[integer(14)]),
        tlv(0xa2, &[vec![3, 5, 0, 0, 0, 0, 0]]),
        tlv(0xa3, &[ticket(realm, &["krbtgt", realm])]),
        tlv(0xa4, &[encrypted(180)]),
    ];
    let presents = tlv(0x6e, &[tlv(0x30, &parts)]);
    request(0x6c, 12, Some((1, presents)), body(None, realm, service, nonce))
}

/// That ticket.
pub fn tgs_reply(client: &str, realm: &str, service: &[&str]) -> Vec<u8> {
    reply(0x6d, 13, client, realm, service)
}

fn reply(tag: u8, kind: u8, client: &str, realm: &str, service: &[&str]) -> Vec<u8> {
    let parts = [
        tlv(0xa0, &[integer(5)]),
        tlv(0xa1, &[integer(kind)]),
        tlv(0xa3, &[text(realm)]),
        tlv(0xa4, &[name(1, &[client])]),
        tlv(0xa5, &[ticket(realm, service)]),
        tlv(0xa6, &[encrypted(300)]),
    ];
    tlv(tag, &[tlv(0x30, &parts)])
}

/// A Kerberos message as it goes over TCP: after its length (RFC 4120 section 7.2.2).
pub fn over_tcp(message: &[u8]) -> Vec<u8> {
    let mut framed = (message.len() as u32).to_be_bytes().to_vec();
    framed.extend_from_slice(message);
    framed
}

fn ldap(id: u8, operation: Vec<u8>) -> Vec<u8> {
    tlv(0x30, &[integer(id), operation])
}

fn octets(value: &str) -> Vec<u8> {
    tlv(4, &[value.as_bytes().to_vec()])
}

/// A search below `base` for what has the attribute `objectClass`, asking for `attribute`.
pub fn search(id: u8, base: &str, attribute: &str) -> Vec<u8> {
    let scope = if base.is_empty() { 0 } else { 2 };
    let operation = [
        octets(base),
        vec![10, 1, scope],
        vec![10, 1, 0],
        integer(0),
        integer(120),
        vec![1, 1, 0],
        tlv(0x87, &[b"objectClass".to_vec()]),
        tlv(0x30, &[octets(attribute)]),
    ];
    ldap(id, tlv(0x63, &operation))
}

/// What is found: entries with `length` bytes each in `attribute`, and that this is all.
pub fn found(id: u8, base: &str, attribute: &str, entries: usize, length: usize) -> Vec<u8> {
    let mut all = Vec::new();
    for number in 0..entries {
        let value = tlv(4, &[vec![b'v'; length]]);
        let attributes = tlv(0x30, &[octets(attribute), tlv(0x31, &[value])]);
        let entry = [octets(&format!("CN=entry-{number},{base}")), tlv(0x30, &[attributes])];
        all.extend(ldap(id, tlv(0x64, &entry)));
    }
    all.extend(ldap(id, tlv(0x65, &[vec![10, 1, 0], octets(""), octets("")])));
    all
}

/// An anonymous bind, and that it is accepted.
pub fn bind(id: u8) -> (Vec<u8>, Vec<u8>) {
    let ask = [integer(3), octets(""), tlv(0x80, &[])];
    let answer = [vec![10, 1, 0], octets(""), octets("")];
    (ldap(id, tlv(0x60, &ask)), ldap(id, tlv(0x61, &answer)))
}

/// The end of a session.
pub fn unbind(id: u8) -> Vec<u8> {
    ldap(id, vec![0x42, 0])
}

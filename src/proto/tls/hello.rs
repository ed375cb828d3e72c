//! The hello of either side (RFC 8446 sections 4.1.2 and 4.1.3, RFC 5246 section 7.4.1).

use crate::proto::cursor::Cursor;

/// More of a list than this is not kept; JA4 counts up to 99.
const MAX_LIST: usize = 256;
/// Names are kept up to the longest that DNS knows.
const MAX_NAME: usize = 255;

/// SNI (RFC 6066 section 3).
pub(super) const SERVER_NAME: u16 = 0;
/// ALPN (RFC 7301).
pub(super) const PROTOCOLS: u16 = 16;
const SIGNATURE_ALGORITHMS: u16 = 13;
const SESSION_TICKET: u16 = 35;
const PRE_SHARED_KEY: u16 = 41;
const SUPPORTED_VERSIONS: u16 = 43;
const KEY_SHARE: u16 = 51;

/// The random value of a server hello that asks for another client hello (RFC 8446 section 4.1.3).
const RETRY: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
    0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

/// What a client offers.
#[derive(Clone, Debug, Default)]
pub(super) struct ClientHello {
    pub(super) version: u16,
    pub(super) session: Vec<u8>,
    pub(super) suites: Vec<u16>,
    pub(super) extensions: Vec<u16>,
    pub(super) server_name: Option<Vec<u8>>,
    pub(super) protocols: Option<Vec<u8>>,
    pub(super) versions: Vec<u16>,
    pub(super) signatures: Vec<u16>,
    pub(super) has_ticket: bool,
    pub(super) has_key: bool,
}

/// What a server chose.
#[derive(Clone, Debug, Default)]
pub(super) struct ServerHello {
    pub(super) version: u16,
    pub(super) session: Vec<u8>,
    pub(super) suite: u16,
    pub(super) is_retry: bool,
    pub(super) protocol: Option<Vec<u8>>,
    pub(super) group: Option<u16>,
    pub(super) has_key: bool,
}

impl ClientHello {
    /// Reads the body of a handshake message; `has_cookie` is DTLS's.
    pub(super) fn read(body: &[u8], has_cookie: bool) -> Option<Self> {
        let mut body = Cursor::new(body);
        let mut hello = Self { version: body.be16()?, ..Self::default() };
        body.take(32)?;
        hello.session = short(&mut body)?.to_vec();
        if has_cookie {
            short(&mut body)?;
        }
        let length = body.be16()?;
        hello.suites = numbers(body.take(usize::from(length))?);
        short(&mut body)?;
        for (kind, data) in extensions(&mut body) {
            if hello.extensions.len() < MAX_LIST {
                hello.extensions.push(kind);
            }
            hello.on_extension(kind, data);
        }
        Some(hello)
    }

    fn on_extension(&mut self, kind: u16, data: &[u8]) {
        let mut data = Cursor::new(data);
        match kind {
            SERVER_NAME => self.server_name = server_name(&mut data),
            PROTOCOLS => self.protocols = first_protocol(&mut data),
            SIGNATURE_ALGORITHMS => {
                data.be16();
                self.signatures = numbers(data.rest());
            }
            SUPPORTED_VERSIONS => {
                data.u8();
                self.versions = numbers(data.rest());
            }
            SESSION_TICKET => self.has_ticket = !data.is_empty(),
            PRE_SHARED_KEY => self.has_key = true,
            _ => {}
        }
    }
}

impl ServerHello {
    /// Reads the body of a handshake message.
    pub(super) fn read(body: &[u8]) -> Option<Self> {
        let mut body = Cursor::new(body);
        let mut hello = Self { version: body.be16()?, ..Self::default() };
        hello.is_retry = body.take(32)? == RETRY;
        // Drafts of TLS 1.3 before 22 had neither session nor compression here.
        let is_draft = (0x7f00..0x7f16).contains(&hello.version);
        if !is_draft {
            hello.session = short(&mut body)?.to_vec();
        }
        hello.suite = body.be16()?;
        if !is_draft {
            body.u8()?;
        }
        for (kind, data) in extensions(&mut body) {
            let mut data = Cursor::new(data);
            match kind {
                SUPPORTED_VERSIONS => hello.version = data.be16().unwrap_or(hello.version),
                PROTOCOLS => hello.protocol = first_protocol(&mut data),
                // The draft's number and the final one.
                KEY_SHARE | 40 => hello.group = data.be16(),
                PRE_SHARED_KEY => hello.has_key = true,
                _ => {}
            }
        }
        Some(hello)
    }
}

/// The named curve of a ServerKeyExchange message (RFC 8422 section 5.4).
pub(super) fn named_curve(body: &[u8]) -> Option<u16> {
    let mut body = Cursor::new(body);
    (body.u8()? == 3).then(|| body.be16())?
}

/// Whether a number is one of those that say nothing (RFC 8701).
pub(super) const fn is_grease(number: u16) -> bool {
    number & 0x0f0f == 0x0a0a && number >> 8 == number & 0xff
}

fn extensions<'a>(body: &mut Cursor<'a>) -> impl Iterator<Item = (u16, &'a [u8])> {
    let length = body.be16().unwrap_or(0);
    let mut rest = Cursor::new(body.take_most(usize::from(length)));
    std::iter::from_fn(move || {
        let kind = rest.be16()?;
        let length = rest.be16()?;
        Some((kind, rest.take(usize::from(length))?))
    })
}

fn server_name(data: &mut Cursor<'_>) -> Option<Vec<u8>> {
    data.be16()?;
    // A list by the letter, one name in practice; 0 is a host name.
    let kind = data.u8()?;
    let length = data.be16()?;
    let name = data.take(usize::from(length))?;
    (kind == 0).then(|| name.get(..MAX_NAME).unwrap_or(name).to_vec())
}

fn first_protocol(data: &mut Cursor<'_>) -> Option<Vec<u8>> {
    data.be16()?;
    short(data).map(<[u8]>::to_vec)
}

/// A length byte and as many bytes.
fn short<'a>(data: &mut Cursor<'a>) -> Option<&'a [u8]> {
    let length = data.u8()?;
    data.take(usize::from(length))
}

fn numbers(data: &[u8]) -> Vec<u16> {
    let (pairs, _) = data.as_chunks();
    pairs.iter().take(MAX_LIST).map(|pair| u16::from_be_bytes(*pair)).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    fn extension(kind: u16, data: &[u8]) -> Vec<u8> {
        [&kind.to_be_bytes()[..], &(data.len() as u16).to_be_bytes(), data].concat()
    }

    fn list(numbers: &[u16]) -> Vec<u8> {
        numbers.iter().flat_map(|number| number.to_be_bytes()).collect()
    }

    /// The body of a client hello with a name, protocols, signatures and versions.
    pub(in crate::proto::tls) fn client_hello(suites: &[u16], extra: &[u16]) -> Vec<u8> {
        let mut body = vec![3, 3];
        body.extend([7; 32]);
        body.push(0);
        body.extend(((suites.len() * 2) as u16).to_be_bytes());
        body.extend(list(suites));
        body.extend([1, 0]);
        let signatures = list(&[0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601]);
        let mut extensions = extension(SERVER_NAME, b"\x00\x0e\x00\x00\x0bexample.org");
        extensions.extend(extension(PROTOCOLS, b"\x00\x0c\x02h2\x08http/1.1"));
        extensions.extend(extension(
            SIGNATURE_ALGORITHMS,
            &[&(signatures.len() as u16).to_be_bytes()[..], &signatures].concat(),
        ));
        extensions.extend(extension(SUPPORTED_VERSIONS, &[6, 0x0a, 0x0a, 3, 4, 3, 3]));
        for &kind in extra {
            extensions.extend(extension(kind, &[]));
        }
        body.extend((extensions.len() as u16).to_be_bytes());
        body.extend(extensions);
        body
    }

    /// The body of a server hello.
    pub(in crate::proto::tls) fn server_hello(suite: u16, extensions: &[(u16, &[u8])]) -> Vec<u8> {
        let mut body = vec![3, 3];
        body.extend([8; 32]);
        body.push(0);
        body.extend(suite.to_be_bytes());
        body.push(0);
        let extensions: Vec<u8> =
            extensions.iter().flat_map(|(kind, data)| extension(*kind, data)).collect();
        body.extend((extensions.len() as u16).to_be_bytes());
        body.extend(extensions);
        body
    }

    #[test]
    fn reads_what_a_client_offers() {
        let hello = ClientHello::read(&client_hello(&[0x1301, 0xc02f], &[23]), false).unwrap();

        assert_eq!(hello.server_name.as_deref(), Some(&b"example.org"[..]));
        assert_eq!(hello.protocols.as_deref(), Some(&b"h2"[..]));
        assert_eq!(hello.suites, [0x1301, 0xc02f]);
        assert_eq!(hello.versions, [0x0a0a, 0x0304, 0x0303]);
        assert_eq!(hello.extensions, [0, 16, 13, 43, 23]);
        assert_eq!(hello.signatures.len(), 8);
    }

    #[test]
    fn reads_what_a_server_chose() {
        let body = server_hello(0x1301, &[(43, &[3, 4]), (51, &[0, 29, 0, 1, 9])]);

        let hello = ServerHello::read(&body).unwrap();

        assert_eq!((hello.version, hello.suite, hello.group), (0x0304, 0x1301, Some(29)));
        assert!(!hello.is_retry);
    }

    #[test]
    fn reads_a_hello_without_extensions_and_one_that_is_cut_off() {
        let mut body = client_hello(&[5], &[]);
        body.truncate(2 + 32 + 1 + 2 + 2 + 2);

        assert!(ClientHello::read(&body, false).is_some_and(|hello| hello.extensions.is_empty()));
        assert!(ClientHello::read(&body[..30], false).is_none());
        assert_eq!(named_curve(&[3, 0, 23, 65]), Some(23));
        assert_eq!(named_curve(&[1]), None);
    }

    #[test]
    fn knows_numbers_that_say_nothing() {
        assert!(is_grease(0x0a0a) && is_grease(0xfafa));
        assert!(!is_grease(0x0a1a) && !is_grease(0x1301));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(body: Vec<u8>, has_cookie: bool) {
            let _ = ClientHello::read(&body, has_cookie);
            let _ = ServerHello::read(&body);
            let _ = named_curve(&body);
        }
    }
}

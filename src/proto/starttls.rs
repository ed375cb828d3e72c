//! Protocols of which only the change to TLS is of interest: XMPP (RFC 6120 section 5.4.2) and IRC
//! (its `tls` capability).

use super::bytes::contains;
use super::framing::Lines;
use super::{Dissector, Findings, Protocol, Role};
use crate::time::Timestamp;

/// Of a line that many bytes are looked at.
const MAX_LINE: usize = 512;
/// A session that did not change by then will not.
const MAX_BYTES: usize = 64 * 1024;

/// Waits for both sides to agree.
#[derive(Debug)]
pub(super) struct Dissection {
    server: Lines,
    /// How the server agrees, at the start of a line or anywhere.
    agrees: Agreement,
    is_asked: bool,
    seen: usize,
}

#[derive(Clone, Copy, Debug)]
enum Agreement {
    /// `<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>`, without an end of line.
    Xmpp,
    /// `:server 670 nick :STARTTLS successful`
    Irc,
}

impl Dissection {
    pub(super) const fn xmpp() -> Self {
        Self::new(Agreement::Xmpp)
    }

    pub(super) const fn irc() -> Self {
        Self::new(Agreement::Irc)
    }

    const fn new(agrees: Agreement) -> Self {
        Self { server: Lines::new(MAX_LINE), agrees, is_asked: false, seen: 0 }
    }
}

impl Dissector for Dissection {
    fn on_data(&mut self, _: Timestamp, sender: Role, mut data: &[u8], out: &mut Findings) {
        self.seen = self.seen.saturating_add(data.len());
        let head = data.get(..MAX_LINE).unwrap_or(data);
        match (sender, self.agrees) {
            (Role::Client, Agreement::Xmpp) => self.is_asked |= contains(head, b"<starttls"),
            (Role::Client, Agreement::Irc) => self.is_asked |= contains(head, b"STARTTLS"),
            (Role::Server, Agreement::Xmpp) => {
                if self.is_asked && contains(head, b"<proceed") {
                    out.becomes = Some(Protocol::Ssl);
                }
            }
            (Role::Server, Agreement::Irc) => {
                while let Some(line) = self.server.next(&mut data) {
                    if self.is_asked && contains(line, b" 670 ") {
                        out.becomes = Some(Protocol::Ssl);
                    }
                }
            }
        }
    }

    fn on_gap(&mut self, _: Role, _: u64) {
        self.server.lose();
    }

    fn wants(&self, _: Role) -> bool {
        self.seen < MAX_BYTES
    }

    fn bytes(&self) -> usize {
        size_of::<Self>() + self.server.heap_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn play(mut session: Dissection, turns: &[(Role, &[u8])]) -> Option<Protocol> {
        let mut out = Findings::default();
        for (sender, data) in turns {
            session.on_data(Timestamp::EPOCH, *sender, data, &mut out);
        }
        out.becomes
    }

    #[test]
    fn goes_on_as_tls_once_both_agree() {
        let xmpp = [
            (Role::Server, &b"<stream:stream id='x'>"[..]),
            (Role::Client, b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"),
            (Role::Server, b"<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"),
        ];
        let irc = [
            (Role::Client, &b"STARTTLS\r\n"[..]),
            (Role::Server, b":irc.example 670 * :STARTTLS successful\r\n"),
        ];

        assert_eq!(play(Dissection::xmpp(), &xmpp), Some(Protocol::Ssl));
        assert_eq!(play(Dissection::irc(), &irc), Some(Protocol::Ssl));
        assert_eq!(play(Dissection::irc(), &irc[1..]), None);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(pieces: Vec<(bool, Vec<u8>)>, is_irc: bool) {
            let mut session = if is_irc { Dissection::irc() } else { Dissection::xmpp() };
            let mut out = Findings::default();
            for (is_client, piece) in &pieces {
                let sender = if *is_client { Role::Client } else { Role::Server };
                session.on_data(Timestamp::EPOCH, sender, piece, &mut out);
            }
            prop_assert!(session.bytes() < 4096);
        }
    }
}

//! A connection: its records in the clear, put together to messages, and when they end.
//!
//! A session is established, by Zeek's rule, once an encrypted record is seen after both sides
//! changed their cipher.

use super::datagrams::Fragments;
use super::handshake::{TLS_1_3, Talk};
use super::records::{ALERT, APPLICATION, CHANGE_CIPHER, HANDSHAKE, HEARTBEAT, OLD_HELLO};
use super::records::{Piece, Records};
use crate::proto::bytes::byte;
use crate::proto::cursor::Cursor;
use crate::proto::framing::{Framer, Size};
use crate::proto::{Dissector, Findings, Role};
use crate::time::Timestamp;

/// Handshake messages are read up to here: hellos and all but the longest chains.
pub(super) const MAX_HANDSHAKE: usize = 16 * 1024;

/// Reads one connection, of TLS or, where each piece is a datagram, of DTLS.
#[derive(Debug)]
pub(in crate::proto) struct Dissection {
    client: Half,
    server: Half,
    talk: Talk,
}

/// One direction.
#[derive(Debug)]
struct Half {
    records: Records,
    handshake: Framer,
    fragments: Fragments,
    alert: Vec<u8>,
    /// What follows is encrypted.
    is_sealed: bool,
    /// The record that is being read is.
    is_cipher: bool,
}

impl Dissection {
    pub(in crate::proto) fn new() -> Self {
        let half = || Half {
            records: Records::default(),
            handshake: Framer::new(MAX_HANDSHAKE),
            fragments: Fragments::default(),
            alert: Vec::new(),
            is_sealed: false,
            is_cipher: false,
        };
        Self { client: half(), server: half(), talk: Talk::default() }
    }

    const fn halves(&mut self, sender: Role) -> (&mut Half, &mut Half, &mut Talk) {
        let Self { client, server, talk } = self;
        match sender {
            Role::Client => (client, server, talk),
            Role::Server => (server, client, talk),
        }
    }

    /// A record of `kind` begins.
    fn start(&mut self, sender: Role, kind: u8, out: &mut Findings) {
        let (half, other, talk) = self.halves(sender);
        let is_tls_1_3 = talk.version == TLS_1_3;
        // TLS 1.3 disguises its encrypted handshake as application data, so that its clear one may
        // still follow a change of cipher that means nothing.
        if is_tls_1_3 && kind == APPLICATION {
            half.is_sealed = true;
        }
        half.is_cipher =
            half.is_sealed && kind != CHANGE_CIPHER && !(is_tls_1_3 && kind == HANDSHAKE);
        if half.is_cipher && other.is_sealed && talk.has_begun && !talk.record.established {
            talk.record.established = true;
            talk.tell(out);
        }
        if half.is_cipher {
            return;
        }
        match kind {
            CHANGE_CIPHER => {
                half.is_sealed = true;
                talk.note(sender, 'i');
                if sender == Role::Client && talk.has_ticket && !talk.has_exchanged_keys {
                    talk.record.resumed = true;
                }
            }
            HEARTBEAT => talk.note(sender, 'b'),
            OLD_HELLO => {
                talk.has_begun = true;
                talk.note(sender, 'c');
            }
            _ => {}
        }
    }

    fn content(&mut self, sender: Role, kind: u8, mut data: &[u8]) {
        let (half, _, talk) = self.halves(sender);
        if half.is_cipher {
            return;
        }
        match kind {
            HANDSHAKE => {
                while let Some(message) = half.handshake.next(&mut data, handshake_size) {
                    if let Some((&[kind, ..], body)) = message.head.split_first_chunk::<4>() {
                        talk.on_handshake(sender, kind, body, false);
                    }
                }
            }
            ALERT => {
                for &byte in data {
                    half.alert.push(byte);
                    if let [_, description] = *half.alert {
                        talk.on_alert(sender, description);
                        half.alert.clear();
                    }
                }
            }
            _ => {}
        }
    }

    fn on_datagram(&mut self, sender: Role, data: &[u8], out: &mut Findings) {
        let mut rest = Cursor::new(data);
        while let Some(record) = super::datagrams::Record::read(&mut rest) {
            let (half, _, _) = self.halves(sender);
            // The first epoch is in the clear (RFC 6347 section 4.1).
            half.is_sealed |= record.epoch > 0;
            self.start(sender, record.kind, out);
            let (half, _, talk) = self.halves(sender);
            if half.is_cipher {
                continue;
            }
            if record.kind == HANDSHAKE {
                half.fragments.feed(record.content, |kind, body| {
                    talk.on_handshake(sender, kind, body, true);
                });
            } else {
                self.content(sender, record.kind, record.content);
            }
        }
    }
}

impl Dissector for Dissection {
    fn on_data(&mut self, _: Timestamp, sender: Role, mut data: &[u8], out: &mut Findings) {
        if matches!(byte(data, 0), Some(CHANGE_CIPHER..=26)) && byte(data, 1) == Some(0xfe) {
            self.on_datagram(sender, data, out);
            return;
        }
        loop {
            let (half, ..) = self.halves(sender);
            match half.records.next(&mut data) {
                Some(Piece::Start(kind)) => self.start(sender, kind, out),
                Some(Piece::Content(kind, content)) => self.content(sender, kind, content),
                None => break,
            }
        }
        if self.client.records.is_lost() && self.server.records.is_lost() {
            self.talk.tell(out);
        }
    }

    fn on_gap(&mut self, sender: Role, bytes: u64) {
        let (half, ..) = self.halves(sender);
        half.records.lose(bytes);
        half.handshake.lose(bytes);
        half.alert.clear();
    }

    fn on_end(&mut self, _: Timestamp, out: &mut Findings) {
        self.talk.tell(out);
    }

    fn wants(&self, _: Role) -> bool {
        let is_lost = self.client.records.is_lost() && self.server.records.is_lost();
        !self.talk.is_said && (!is_lost || self.talk.has_begun)
    }

    fn bytes(&self) -> usize {
        let held: usize = [&self.client, &self.server]
            .iter()
            .map(|half| half.handshake.heap_bytes() + half.fragments.heap_bytes() + 8)
            .sum();
        let record = &self.talk.record;
        let chain = record.cert_chain_fps.len() + record.client_cert_chain_fps.len();
        // Names are at most a kilobyte each, and mostly a tenth of it.
        size_of::<Self>() + held + chain * 88 + 1024
    }
}

/// A handshake message: a type and 24 bits of length (RFC 8446 section 4).
fn handshake_size(data: &[u8]) -> Size {
    match crate::proto::bytes::be32(data, 0) {
        None => Size::Need(4),
        Some(word) if word & 0x00ff_ffff <= 0x4_0000 => Size::Is(u64::from(word & 0x00ff_ffff) + 4),
        Some(_) => Size::Lost,
    }
}

#[cfg(test)]
mod tests {
    use super::super::certificate::tests::certificate;
    use super::super::hello::tests::{client_hello, server_hello};
    use super::*;
    use crate::event::{Record, Ssl};
    use proptest::prelude::*;

    fn handshake(kind: u8, body: &[u8]) -> Vec<u8> {
        let mut message = (body.len() as u32).to_be_bytes().to_vec();
        message[0] = kind;
        message.extend(body);
        record(22, &message)
    }

    fn record(kind: u8, content: &[u8]) -> Vec<u8> {
        let mut record = vec![kind, 3, 3];
        record.extend((content.len() as u16).to_be_bytes());
        record.extend(content);
        record
    }

    fn chain(certificates: &[Vec<u8>]) -> Vec<u8> {
        let mut list = Vec::new();
        for certificate in certificates {
            list.extend(&(certificate.len() as u32).to_be_bytes()[1..]);
            list.extend(certificate);
        }
        [&(list.len() as u32).to_be_bytes()[1..], &list].concat()
    }

    fn play(turns: &[(Role, Vec<u8>)], piece: usize) -> (Dissection, Option<Ssl>) {
        let mut tls = Dissection::new();
        let mut out = Findings::default();
        for (sender, data) in turns {
            for piece in data.chunks(piece) {
                tls.on_data(Timestamp::EPOCH, *sender, piece, &mut out);
            }
        }
        tls.on_end(Timestamp::EPOCH, &mut out);
        assert!(out.records.len() <= 1);
        let record = out.records.pop().map(|record| match record {
            Record::Ssl(ssl) => ssl,
            other => panic!("{other:?}"),
        });
        (tls, record)
    }

    #[test]
    fn reads_a_full_handshake_however_it_is_cut() {
        let client = [handshake(16, &[1, 2, 3]), record(20, &[1]), record(22, &[0xee; 40])];
        let turns = [
            (Role::Client, handshake(1, &client_hello(&[0xc02f], &[]))),
            (Role::Server, handshake(2, &server_hello(0xc02f, &[(16, b"\x00\x03\x02h2")]))),
            (Role::Server, handshake(11, &chain(&[certificate("ca", "host"), vec![1, 2]]))),
            (Role::Server, handshake(12, &[3, 0, 23, 65])),
            (Role::Server, handshake(14, &[])),
            (Role::Client, client.concat()),
            (Role::Server, [record(20, &[1]), record(22, &[0xee; 40])].concat()),
        ];

        for piece in [1, 7, 4096] {
            let (tls, ssl) = play(&turns, piece);
            let ssl = ssl.unwrap();
            assert_eq!(ssl.version.as_deref(), Some("TLSv12"));
            assert_eq!(ssl.cipher.as_deref(), Some("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"));
            assert_eq!(ssl.curve.as_deref(), Some("secp256r1"));
            assert_eq!(ssl.server_name.as_deref(), Some("example.org"));
            assert_eq!(ssl.next_protocol.as_deref(), Some("h2"));
            assert_eq!(ssl.subject.as_deref(), Some("CN=host"));
            assert_eq!(ssl.issuer.as_deref(), Some("CN=ca,C=DE"));
            assert_eq!(ssl.cert_chain_fps.len(), 2);
            assert_eq!(ssl.ssl_history, "CsxknGIi");
            assert!(ssl.established && !ssl.resumed);
            assert!(!tls.wants(Role::Client) && !tls.wants(Role::Server));
        }
    }

    #[test]
    fn reads_what_tls_1_3_shows() {
        let retry = {
            let mut body = server_hello(0x1301, &[(43, &[3, 4]), (51, &[0, 23])]);
            body[2..34].copy_from_slice(&[
                0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65,
                0xb8, 0x91, 0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2,
                0xc8, 0xa8, 0x33, 0x9c,
            ]);
            body
        };
        let hello = client_hello(&[0x1301], &[41]);
        let chosen = server_hello(0x1301, &[(43, &[3, 4]), (51, &[0, 23]), (41, &[0, 0])]);
        let turns = [
            (Role::Client, handshake(1, &hello)),
            (Role::Server, [handshake(2, &retry), record(20, &[1])].concat()),
            (Role::Client, [record(20, &[1]), handshake(1, &hello)].concat()),
            (Role::Server, [handshake(2, &chosen), record(23, &[0xee; 60])].concat()),
            (Role::Client, record(23, &[0xee; 60])),
        ];

        let (_, ssl) = play(&turns, 4096);

        let ssl = ssl.unwrap();
        assert_eq!(ssl.version.as_deref(), Some("TLSv13"));
        assert_eq!(ssl.curve.as_deref(), Some("secp256r1"));
        assert_eq!(ssl.ssl_history, "CjiICs");
        assert!(ssl.established && ssl.resumed);
    }

    #[test]
    fn tells_a_handshake_that_failed() {
        let turns = [
            (Role::Client, handshake(1, &client_hello(&[0xc02f], &[]))),
            (Role::Server, record(21, &[2, 40])),
        ];

        let (_, ssl) = play(&turns, 3);

        let ssl = ssl.unwrap();
        assert_eq!(ssl.last_alert.as_deref(), Some("handshake_failure"));
        assert_eq!((ssl.established, ssl.version, &*ssl.ssl_history), (false, None, "Cl"));
    }

    #[test]
    fn says_nothing_of_a_session_without_its_beginning() {
        let turns =
            [(Role::Client, record(23, &[0xee; 100])), (Role::Server, record(23, &[0xee; 100]))];

        assert_eq!(play(&turns, 4096).1, None);
    }

    #[test]
    fn reads_datagrams() {
        let datagram = |epoch: u8, kind: u8, content: &[u8]| {
            let mut out = vec![kind, 0xfe, 0xfd, 0, epoch, 0, 0, 0, 0, 0, 0];
            out.extend((content.len() as u16).to_be_bytes());
            out.extend(content);
            out
        };
        let message = |kind: u8, body: &[u8]| {
            let length = (body.len() as u32).to_be_bytes();
            [&[kind][..], &length[1..], &[0, 0, 0, 0, 0], &length[1..], body].concat()
        };
        let mut hello = client_hello(&[0xc02b], &[]);
        hello.splice(0..2, [0xfe, 0xfd]);
        // The cookie of DTLS stands behind the session.
        hello.insert(35, 0);
        let mut chosen = server_hello(0xc02b, &[]);
        chosen.splice(0..2, [0xfe, 0xfd]);
        let turns = [
            (Role::Client, datagram(0, 22, &message(1, &hello))),
            (Role::Server, datagram(0, 22, &message(2, &chosen))),
            (Role::Client, [datagram(0, 20, &[1]), datagram(1, 22, &[0xee; 40])].concat()),
            (Role::Server, [datagram(0, 20, &[1]), datagram(1, 22, &[0xee; 40])].concat()),
        ];

        let (_, ssl) = play(&turns, 4096);

        let ssl = ssl.unwrap();
        assert_eq!(ssl.version.as_deref(), Some("DTLSv12"));
        assert_eq!(ssl.server_name.as_deref(), Some("example.org"));
        assert_eq!(ssl.ssl_history, "CsIi");
        assert!(ssl.established);
        assert!(ssl.ja4.is_some_and(|ja4| ja4.starts_with("d13d01")));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(pieces: Vec<(bool, Vec<u8>)>, kind in 19u8..27, inner: u8) {
            let mut tls = Dissection::new();
            let mut out = Findings::default();
            for (is_client, piece) in &pieces {
                let sender = if *is_client { Role::Client } else { Role::Server };
                let framed = if piece.len() % 2 == 0 {
                    record(kind, piece)
                } else {
                    handshake(inner, piece)
                };
                tls.on_data(Timestamp::EPOCH, sender, &framed, &mut out);
                tls.on_data(Timestamp::EPOCH, sender, piece, &mut out);
                if piece.len() == 5 {
                    tls.on_gap(sender, 5);
                }
            }
            tls.on_end(Timestamp::EPOCH, &mut out);
            prop_assert!(tls.bytes() < 80 * 1024);
        }
    }
}

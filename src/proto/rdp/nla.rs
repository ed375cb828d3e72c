//! Whether a network level authentication ([MS-CSSP]) went well, told from the sizes and turns of
//! the TLS records that carry it.
//!
//! Inside TLS the client opens, the server challenges, the client proves itself. A server that is
//! convinced answers with a proof of its own about its key, and the client sends its credentials;
//! one that is not answers with an error of a few bytes, or not at all.

use crate::proto::Role;
use crate::proto::bytes::{be16, byte, part};

/// The content type of application data (RFC 8446 section 5.1).
const APPLICATION_DATA: u8 = 23;
/// Bytes of a record that are too many for an error, whatever the cipher adds: an error has 15, the
/// shortest proof 59, and ciphers add 17 to 65.
const PROOF: u64 = 100;
/// Bytes that may be either; then the client's going on decides.
const PROOF_OR_ERROR: u64 = 72;

/// Records of both sides, counted.
#[derive(Debug, Default)]
pub(super) struct Watch {
    client: Side,
    server: Side,
    last: Option<Role>,
    /// Whether the client still has to end a handshake in application data, if it is of that kind.
    is_hidden: Option<bool>,
    /// Bytes of the server's answer to the client's proof.
    answer: u64,
}

#[derive(Debug, Default)]
struct Side {
    /// The beginning of a record's header.
    held: [u8; 5],
    count: usize,
    /// What is left of a record.
    left: usize,
    is_data: bool,
    turns: u32,
    is_lost: bool,
}

impl Watch {
    /// Takes the next bytes of TLS.
    pub(super) fn on_data(&mut self, sender: Role, data: &[u8]) {
        let Self { client, server, last, is_hidden, answer } = self;
        let side = match sender {
            Role::Client => client,
            Role::Server => server,
        };
        let mut data = data;
        while !data.is_empty() && !side.is_lost {
            if side.left > 0 {
                let passed = part(data, 0, side.left).len();
                data = data.get(passed..).unwrap_or_default();
                side.left -= passed;
                if side.is_data && sender == Role::Server && side.turns == 2 {
                    *answer += passed as u64;
                }
                continue;
            }
            let Some((first, rest)) = data.split_first() else { return };
            data = rest;
            if let Some(place) = side.held.get_mut(side.count) {
                *place = *first;
                side.count += 1;
            }
            if side.count < side.held.len() || !side.begin() {
                continue;
            }
            match (sender, *last) {
                // What a server says first is the rest of TLS 1.3's handshake, which the client
                // ends with a record of its own, and which tickets may follow.
                (Role::Server, None) => {
                    is_hidden.get_or_insert(true);
                }
                (Role::Client, None) if *is_hidden == Some(true) => *is_hidden = Some(false),
                (_, Some(before)) if before == sender => {}
                _ => {
                    *last = Some(sender);
                    side.turns += 1;
                }
            }
        }
    }

    /// Bytes are missing.
    pub(super) fn on_gap(&mut self, sender: Role, bytes: u64) {
        let side = match sender {
            Role::Client => &mut self.client,
            Role::Server => &mut self.server,
        };
        match side.left.checked_sub(usize::try_from(bytes).unwrap_or(usize::MAX)) {
            Some(left) => side.left = left,
            None => side.is_lost = true,
        }
    }

    /// Whether the client is in, as soon as that is sure.
    pub(super) const fn is_in(&self) -> bool {
        self.answer >= PROOF || (self.answer >= PROOF_OR_ERROR && self.client.turns > 2)
    }

    /// What the end of the connection means: `None` if nobody tried, or if too little was seen.
    pub(super) const fn result(&self) -> Option<bool> {
        let has_tried = self.client.turns >= 2 && self.server.turns >= 1;
        let is_whole = !self.client.is_lost && !self.server.is_lost;
        match self.answer {
            _ if self.is_in() => Some(true),
            0..PROOF_OR_ERROR if has_tried && is_whole => Some(false),
            _ => None,
        }
    }
}

impl Side {
    /// A header is complete; returns whether application data follows.
    fn begin(&mut self) -> bool {
        self.count = 0;
        self.left = be16(&self.held, 3).map_or(0, usize::from);
        let kind = byte(&self.held, 0).unwrap_or(0);
        self.is_lost = !(20..=24).contains(&kind) || byte(&self.held, 1) != Some(3);
        self.is_data = kind == APPLICATION_DATA;
        self.is_data && !self.is_lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn record(kind: u8, length: usize) -> Vec<u8> {
        let mut out = vec![kind, 3, 3, (length >> 8) as u8, length as u8];
        out.resize(5 + length, 0);
        out
    }

    fn watch(records: &[(Role, usize)]) -> Watch {
        let mut watch = Watch::default();
        watch.on_data(Role::Client, &record(22, 200));
        watch.on_data(Role::Server, &record(22, 900));
        for (sender, length) in records {
            for piece in record(APPLICATION_DATA, *length).chunks(7) {
                watch.on_data(*sender, piece);
            }
        }
        watch
    }

    use Role::{Client, Server};

    const PROVING: [(Role, usize); 3] = [(Client, 85), (Server, 341), (Client, 933)];

    fn after(answers: &[(Role, usize)]) -> Watch {
        watch(&[&PROVING[..], answers].concat())
    }

    #[test]
    fn an_answer_that_is_a_proof_means_that_it_went_well() {
        assert!(after(&[(Server, 341)]).is_in());
        assert_eq!(after(&[(Server, 341)]).result(), Some(true));
        assert_eq!(after(&[(Server, 80), (Client, 200)]).result(), Some(true));
    }

    #[test]
    fn an_error_or_an_end_means_that_it_did_not() {
        assert_eq!(after(&[(Server, 40)]).result(), Some(false));
        assert_eq!(after(&[]).result(), Some(false));
    }

    #[test]
    fn what_may_be_either_means_nothing() {
        assert_eq!(after(&[(Server, 80)]).result(), None);
        assert_eq!(watch(&[]).result(), None);
        assert_eq!(watch(&PROVING[..2]).result(), None);
    }

    #[test]
    fn a_handshake_of_tls_1_3_counts_for_nothing() {
        let handshake = [(Server, 1200), (Client, 74), (Server, 500)];
        let records = |answer| [&handshake[..], &PROVING, &[(Server, answer)]].concat();

        assert_eq!(watch(&records(76)[..6]).result(), Some(false));
        assert_eq!(watch(&records(32)).result(), Some(false));
        assert_eq!(watch(&records(341)).result(), Some(true));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(pieces: Vec<(bool, Vec<u8>, u16)>) {
            let mut watch = Watch::default();
            for (client, piece, gap) in &pieces {
                let sender = if *client { Client } else { Server };
                watch.on_data(sender, piece);
                watch.on_data(sender, &record(23, piece.len()));
                watch.on_gap(sender, u64::from(*gap));
            }
            let _ = watch.result();
        }
    }
}

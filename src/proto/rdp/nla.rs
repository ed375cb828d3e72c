//! Whether a network level authentication ([MS-CSSP]) went well, told from the sizes and turns of
//! the TLS records that carry it.
//!
//! Inside TLS the client opens, the server challenges, the client proves itself. If it is let in
//! the server answers that, the client sends its credentials and the desktop begins: many turns
//! and kilobytes. If not, the connection ends there.

use crate::proto::Role;
use crate::proto::bytes::{be16, byte, part};

/// The content type of application data (RFC 8446 section 5.1).
const APPLICATION_DATA: u8 = 23;
/// Turns of the client after which it has been let in: opening, proof, credentials, and the
/// desktop's first requests. TLS 1.3 hides a turn more in the same content type.
const TURNS_IN: u32 = 5;
/// What a server sends before a desktop appears is less than this.
const BYTES_IN: u64 = 3000;
/// Turns of each side without which nothing was proven.
const TURNS_TRIED: u32 = 2;

/// Records of both sides, counted.
#[derive(Debug, Default)]
pub(super) struct Watch {
    client: Side,
    server: Side,
    last: Option<Role>,
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
    bytes: u64,
    is_lost: bool,
}

impl Watch {
    /// Takes the next bytes of TLS.
    pub(super) fn on_data(&mut self, sender: Role, data: &[u8]) {
        let Self { client, server, last } = self;
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
                side.bytes += if side.is_data { passed as u64 } else { 0 };
                continue;
            }
            let Some((first, rest)) = data.split_first() else { return };
            data = rest;
            if let Some(place) = side.held.get_mut(side.count) {
                *place = *first;
                side.count += 1;
            }
            if side.count == side.held.len() && side.begin() && *last != Some(sender) {
                *last = Some(sender);
                side.turns += 1;
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
    pub(super) fn is_in(&self) -> bool {
        self.client.turns >= TURNS_IN && self.server.bytes >= BYTES_IN
    }

    /// What the end of the connection means: `None` if nobody tried, or if too little was seen.
    pub(super) fn result(&self) -> Option<bool> {
        if self.is_in() {
            return Some(true);
        }
        let tried = self.client.turns >= TURNS_TRIED && self.server.turns >= TURNS_TRIED - 1;
        let is_whole = !self.client.is_lost && !self.server.is_lost;
        (tried && is_whole && self.client.turns < TURNS_IN).then_some(false)
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

    #[test]
    fn a_desktop_means_that_it_went_well() {
        let records = [
            (Client, 100),
            (Server, 300),
            (Client, 700),
            (Server, 150),
            (Client, 200),
            (Client, 450),
            (Server, 400),
            (Client, 60),
            (Server, 9000),
            (Client, 60),
            (Server, 9000),
        ];

        assert!(watch(&records).is_in());
        assert_eq!(watch(&records).result(), Some(true));
    }

    #[test]
    fn an_end_after_the_proof_means_that_it_did_not() {
        let records = [(Client, 100), (Server, 300), (Client, 700), (Server, 60)];

        assert_eq!(watch(&records).result(), Some(false));
        assert_eq!(watch(&records[..3]).result(), Some(false));
    }

    #[test]
    fn a_handshake_alone_means_nothing() {
        assert_eq!(watch(&[]).result(), None);
        assert_eq!(watch(&[(Client, 100), (Server, 300)]).result(), None);
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

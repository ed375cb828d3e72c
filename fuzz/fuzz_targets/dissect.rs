//! No dissector panics, holds much, or says something about nothing, whatever either side sends.
//! The first byte chooses the protocol and the second the transport; then comes a byte for who
//! sends, or what is missing, and one for how much.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wormwatch::event::{Conversation, Uid};
use wormwatch::net::{Endpoint, Transport};
use wormwatch::proto::{Findings, Protocol, Role, dissector};
use wormwatch::time::Timestamp;

/// What one connection may hold.
const LIMIT: usize = 512 << 10;

fuzz_target!(|data: &[u8]| {
    let Some((&[which, over], mut rest)) = data.split_first_chunk::<2>() else { return };
    let Some(&protocol) = Protocol::ALL.get(usize::from(which) % Protocol::ALL.len()) else {
        return;
    };
    let Some(mut reader) = dissector(protocol) else { return };
    let end = |last, port| Endpoint::new([192, 0, 2, last].into(), port);
    let talk = Conversation {
        uid: Uid(1),
        transport: if over & 1 == 0 { Transport::Tcp } else { Transport::Udp },
        client: end(1, 40_000),
        server: end(2, if over & 2 == 0 { 445 } else { 137 }),
        inferred: false,
    };
    reader.on_start(&talk);
    let (mut out, mut secs) = (Findings::default(), 0);
    while let Some((&[kind, length], bytes)) = rest.split_first_chunk::<2>() {
        // A length of zero takes all that is left.
        let length = if length == 0 { bytes.len() } else { usize::from(length).min(bytes.len()) };
        let (piece, after) = bytes.split_at(length);
        rest = after;
        secs += i64::from(kind >> 4);
        let (at, sender) =
            (Timestamp::from_secs(secs), if kind & 1 == 0 { Role::Client } else { Role::Server });
        if kind & 6 == 6 {
            reader.on_gap(sender, length as u64 * u64::from(kind));
        } else if reader.wants(sender) {
            reader.on_data(at, sender, piece, &mut out);
        }
        if let Some(mut next) = out.becomes.take().and_then(dissector) {
            reader.on_end(at, &mut out);
            next.on_start(&talk);
            reader = next;
        }
        assert!(reader.bytes() < LIMIT, "{protocol:?} holds {}", reader.bytes());
    }
    reader.on_end(Timestamp::from_secs(secs), &mut out);
    for record in &out.records {
        assert!(!record.kind().is_empty());
    }
});

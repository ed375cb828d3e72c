//! File sharing: many peers on ports of their own choice, of which half are gone.

use std::time::Duration;

use super::super::super::conversation::{End as Close, Fate, Side};
use super::super::chance::{fixed, pareto};
use super::super::speech::{AT_ONCE, filler, text};
use super::super::stage::Stage;
use super::super::world::Party::Host as of;
use super::super::world::{HostId, Party};
use super::volume;

/// Where peers begin among the hosts of the Internet.
const PEERS: u32 = 114_000;

/// Tries a peer, and exchanges pieces with it if it is there (BEP 3's handshake).
pub(super) fn exchange(stage: &mut Stage, host: HostId) {
    let peer = PEERS + stage.rng.below(9000) as u32;
    let drawn = fixed(&[u64::from(peer), 81]);
    let port = 6881 + (drawn >> 16) as u16 % 50_000;
    if drawn.is_multiple_of(3) {
        // The table of who has what: a question over UDP (BEP 5) that many do not answer.
        let (now, mine) = (stage.now, (6881, port));
        let question = b"d1:ad2:id20:Filler-of-a-capture-e1:q4:ping1:t2:aa1:y1:qe".to_vec();
        let answer = b"d1:rd2:id20:Filler-of-a-capture-e1:t2:aa1:y1:re".to_vec();
        let answer = (drawn >> 8 & 1 == 0).then_some(answer);
        stage.ask(now, (of(host), Party::Outside(peer)), mine, question, answer, AT_ONCE);
        return;
    }
    let mut call = stage.call(of(host), Party::Outside(peer), port);
    call.fate = match drawn >> 32 & 7 {
        0..3 => Fate::Accepted,
        3 => Fate::Refused,
        _ => Fate::Unanswered { syns: 3 },
    };
    let hello = "\u{13}BitTorrent protocol\0\0\0\0\0\0\0\0Filler-of-a-capture-Filler-of-a-captur";
    text(&mut call, Side::Client, AT_ONCE, hello);
    text(&mut call, Side::Server, Duration::from_millis(20), hello);
    let size = pareto(&mut stage.rng, (16_000, 8_000_000), 1.0);
    let size = volume(stage, size);
    filler(&mut call, Side::Client, Duration::from_millis(50), 90);
    filler(&mut call, Side::Server, Duration::from_millis(80), size);
    call.close = Close::Reset(Side::Client);
    stage.play(call);
}

//! Voice and pictures: telephone calls within the house, meetings over a service of the Internet.

use std::time::Duration;

use super::super::super::conversation::Side;
use super::super::chance::pareto;
use super::super::names::Name;
use super::super::role::Role;
use super::super::speech::{sealed, tls};
use super::super::stage::{Media, Stage};
use super::super::world::Party::Host as of;
use super::super::world::{HostId, Party};

/// Services for meetings, among the other hosts of the Internet.
const MEETINGS: u32 = 700;

/// One telephone calls another: G.711 (payload type 0), 50 packets a second each way (RFC 3551).
pub(super) fn telephone(stage: &mut Stage, host: HostId) {
    let phones = stage.world.of_role(Role::Phone).to_vec();
    let Some(other) = stage.rng.pick(&phones).copied().filter(|other| *other != host) else {
        return;
    };
    if !stage.world.is_up(other, stage.now) {
        return;
    }
    let seconds = pareto(&mut stage.rng, (15, 1800), 1.0) as u32;
    let ports = (16_384 + 2 * (stage.rng.short() % 4000), 16_384 + 2 * (stage.rng.short() % 4000));
    let ends = (stage.world.end(of(host)), stage.world.end(of(other)));
    let start = stage.now + Duration::from_secs(6);
    stage.media(Media {
        ends,
        ports,
        start,
        beat: Duration::from_millis(20),
        count: shorter(stage, seconds * 50),
        sizes: (172, 172),
        kind: 0,
    });
}

/// A meeting: signalling over TLS, sound and pictures over UDP, more down than up.
pub(super) fn meeting(stage: &mut Stage, host: HostId) {
    let service = MEETINGS + stage.rng.below(6) as u32;
    let Some(party) = Name::Other(service).party() else { return };
    let now = stage.now;
    let Some(at) = super::super::names::look_up(stage, now, host, Name::Other(service)) else {
        return;
    };
    let name = Name::Other(service).text(&stage.world);
    let minutes = pareto(&mut stage.rng, (5, 120), 1.1);
    let mut call = stage.call(of(host), party, 443);
    call.start = at;
    tls(&mut call, &name, 3_100);
    for _ in 0..minutes {
        sealed(&mut call, Side::Client, Duration::from_secs(30), 240);
        sealed(&mut call, Side::Server, Duration::from_secs(30), 310);
    }
    stage.play(call);
    let ends = (stage.world.end(of(host)), stage.world.end(party));
    let mut stream = |beat: u64, sizes, kind: u16| {
        let port = stage.port(Party::Host(host));
        let start = at + Duration::from_millis(900);
        let count = minutes as u32 * 60_000 / beat as u32;
        let beat = Duration::from_millis(beat);
        let count = shorter(stage, count);
        let (ports, kind) = ((port, 3478 + kind), 96 + kind as u8);
        stage.media(Media { ends, ports, start, beat, count, sizes, kind });
    };
    stream(20, (130, 130), 1);
    stream(25, (700, 1100), 2);
}

/// A number of packets in this world's measure.
fn shorter(stage: &Stage, packets: u32) -> u32 {
    ((f64::from(packets) * stage.world.background.volume.min(1.0)) as u32).max(10)
}

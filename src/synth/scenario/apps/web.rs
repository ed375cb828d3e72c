//! The web: a page is one site and a dozen others that deliver parts of it, of which some are dead.

use std::time::Duration;

use super::super::super::conversation::{End as Close, Side};
use super::super::chance::{fixed, pareto, rank};
use super::super::names::{DELIVERIES, Name, look_up};
use super::super::speech::{sealed, tls};
use super::super::stage::Stage;
use super::super::world::HostId;
use super::super::world::Party::Host as of;
use super::volume;
use crate::time::Timestamp;

/// Sites that a person visits again and again.
const FAVOURITES: u64 = 12;

/// Opens a page: the site's own connections, then those of whoever delivers its parts.
pub(super) fn page(stage: &mut Stage, host: HostId) {
    let sites = u64::from(stage.world.background.sites);
    let site = if stage.rng.chance(65) {
        let which = rank(&mut stage.rng, FAVOURITES);
        // A favourite is as popular with others as any site.
        let mut rng =
            super::super::super::rng::Rng::new(fixed(&[stage.world.host(host).seed, which]));
        rank(&mut rng, sites)
    } else {
        rank(&mut stage.rng, sites)
    };
    let begin = stage.now;
    let Some(known) = look_up(stage, begin, host, Name::Site(site as u32)) else { return };
    let size = pareto(&mut stage.rng, (6_000, 3_000_000), 1.15);
    visit(stage, known, host, Name::Site(site as u32), size);
    let parts = stage.rng.between(1, 14);
    for _ in 0..parts {
        let after = stage.rng.around(Duration::from_millis(350));
        let delivery = Name::Delivery(rank(&mut stage.rng, u64::from(DELIVERIES)) as u32);
        let Some(known) = look_up(stage, known + after, host, delivery) else { return };
        let size = pareto(&mut stage.rng, (1_500, 4_000_000), 1.1);
        visit(stage, known, host, delivery, size);
    }
}

/// A connection over TLS at `at` that fetches `size` bytes in a few answers.
pub(super) fn visit(stage: &mut Stage, at: Timestamp, host: HostId, name: Name, size: u64) {
    let Some(party) = name.party() else { return };
    let text = name.text(&stage.world);
    let mut call = stage.call(of(host), party, 443);
    call.start = at + Duration::from_micros(500);
    let certificates = 2_600 + (fixed(&[size, 71]) % 2_000) as usize;
    tls(&mut call, &text, certificates);
    let size = volume(stage, size);
    let answers = 1 + size.min(200_000) / 60_000;
    for _ in 0..answers {
        let asks = 300 + (stage.rng.below(700)) as usize;
        sealed(&mut call, Side::Client, Duration::from_micros(400), asks);
        let thought = stage.rng.around(Duration::from_millis(18));
        sealed(&mut call, Side::Server, thought, size / answers);
    }
    (call.linger, call.close) = match stage.rng.below(20) {
        0..9 => (stage.rng.around(Duration::from_secs(20)), Close::Fin(Side::Client)),
        9..15 => (stage.rng.around(Duration::from_secs(60)), Close::Fin(Side::Server)),
        15..19 => (stage.rng.around(Duration::from_secs(5)), Close::Reset(Side::Client)),
        _ => (Duration::ZERO, Close::Stays),
    };
    stage.play(call);
}

/// Looks up a name that does not exist.
pub(super) fn nothing(stage: &mut Stage, host: HostId) {
    let missing = Name::Missing(stage.rng.below(3000) as u32);
    let begin = stage.now;
    look_up(stage, begin, host, missing);
}

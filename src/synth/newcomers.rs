//! Devices that nobody knew, or had forgotten: harmless until they begin to act.

use std::time::Duration;

use super::conversation::{Fate, Side};
use super::exchange::take_address;
use super::office::{browse, find_router, live, moment, read_file, says, set_clock};
use super::packet::{Stamped, Station, udp};
use super::payload;
use super::scene::{DAY, HOUR, MINUTE, START, Scene, local, outside, routed, router};
use super::truth::Truth;
use crate::net::MacAddr;

/// Administration services that an intruder tries first.
const ADMIN_PORTS: [u16; 4] = [445, 3389, 22, 5985];

/// After two quiet days a device appears that nobody has seen, and tries a few dozen doors.
pub fn new_host(scene: &mut Scene) -> Truth {
    let stranger = Station { mac: MacAddr([0x02, 0x99, 0, 0, 0x13, 0x37]), ..local(77) };
    quiet_days(scene, 2 * DAY);
    arrive(scene, 2 * DAY, &stranger);
    try_doors(scene, 2 * DAY + 5 * MINUTE, stranger, 24);
    Truth::benign("host-new", "an unknown device appears after 2 quiet days and tries 24 hosts")
        .and_malicious(stranger.addr, &["host.new"])
}

/// After two quiet days a new laptop appears, and does what everybody does.
pub fn new_host_near_miss(scene: &mut Scene) -> Truth {
    let laptop = Station { mac: MacAddr([0x02, 0x99, 0, 0, 0x13, 0x38]), ..local(78) };
    quiet_days(scene, 2 * DAY);
    arrive(scene, 2 * DAY, &laptop);
    live(scene, &[laptop], (2 * DAY + MINUTE, 2 * DAY + HOUR), 4 * MINUTE);
    let mut print = scene.call(2 * DAY + 20 * MINUTE, laptop, routed(4, 91), 9100);
    print.turns = vec![says(Side::Client, b"%!PS-Adobe-3.0\n".to_vec(), 12_000)];
    scene.play(print);
    Truth::benign("benign", "a new laptop appears after 2 quiet days and works")
}

/// A device that has been silent for ten days begins to try administration services.
pub fn awakened(scene: &mut Scene) -> Truth {
    let sleeper = local(88);
    live(scene, &[sleeper], (Duration::ZERO, 2 * HOUR), 10 * MINUTE);
    quiet_days(scene, 10 * DAY + 4 * HOUR);
    try_doors(scene, 10 * DAY + 3 * HOUR, sleeper, 24);
    Truth::benign("host-awakened", "silent for 10 days, then administration services of 24 hosts")
        .and_malicious(sleeper.addr, &["host.awakened"])
}

/// Somebody comes back from ten days of holiday and does what they did before.
pub fn awakened_near_miss(scene: &mut Scene) -> Truth {
    let desktop = local(89);
    live(scene, &[desktop], (Duration::ZERO, 2 * HOUR), 10 * MINUTE);
    quiet_days(scene, 10 * DAY + 4 * HOUR);
    live(scene, &[desktop], (10 * DAY + 3 * HOUR, 10 * DAY + 5 * HOUR), 8 * MINUTE);
    Truth::benign("benign", "a desktop is back after 10 silent days and does what it did before")
}

/// After ten quiet days a desktop takes to administration: five of its neighbours let it in, ten
/// other hosts refuse.
pub fn edge(scene: &mut Scene) -> Truth {
    let desktop = local(10);
    quiet_days(scene, 10 * DAY + 4 * HOUR);
    let mut after = 10 * DAY;
    for number in 0..15u8 {
        after += scene.rng.around(8 * MINUTE);
        let is_open = number % 3 == 1;
        let target = if is_open { local(12 + number / 3) } else { routed(6, 30 + number) };
        let mut call = scene.call(after, desktop, target, if is_open { 3389 } else { 22 });
        call.fate = if is_open { Fate::Accepted } else { Fate::Refused };
        call.turns =
            vec![says(Side::Client, Vec::new(), 900), says(Side::Server, Vec::new(), 9000)];
        scene.play(call);
    }
    Truth::benign("novelty-edge", "after 10 quiet days a desktop calls 5 others on tcp/3389")
        .and_malicious(desktop.addr, &["novelty.edge"])
}

/// An administrator gets to know two more hosts on each of eleven days.
pub fn edge_near_miss(scene: &mut Scene) -> Truth {
    let administrator = local(19);
    quiet_days(scene, 10 * DAY + 4 * HOUR);
    find_router(scene, MINUTE, &administrator);
    for day in 0..11u8 {
        for (number, hour) in [1, 3].into_iter().zip(0u8..) {
            let after = u32::from(day) * DAY + number * HOUR;
            let target = routed(6, 30 + 2 * day + hour);
            let mut call = scene.call(after, administrator, target, 3389);
            call.turns =
                vec![says(Side::Client, Vec::new(), 900), says(Side::Server, Vec::new(), 9000)];
            scene.play(call);
        }
    }
    Truth::benign("benign", "an administrator calls 2 hosts that are new to him each day")
}

/// Eight hosts that set their clocks, and now and then fetch something.
fn quiet_days(scene: &mut Scene, length: Duration) {
    for last in 10..18u8 {
        let host = local(last);
        find_router(scene, Duration::from_secs(u64::from(last)), &host);
        let mut after = scene.rng.around(HOUR);
        while after < length {
            match scene.rng.below(20) {
                0 => read_file(scene, after, &host, &routed(4, 10), 9000),
                1 => {
                    browse(scene, after, &host, &outside(u32::from(last)), 6000);
                }
                _ => set_clock(scene, after, &host),
            }
            after += scene.rng.around(3 * HOUR);
        }
    }
}

/// DHCP, then the address is probed and announced.
fn arrive(scene: &mut Scene, after: Duration, host: &Station) {
    let unnamed = Station { addr: std::net::Ipv4Addr::UNSPECIFIED.into(), ..*host };
    let everybody =
        Station { mac: MacAddr::BROADCAST, addr: std::net::Ipv4Addr::BROADCAST.into(), ttl: 64 };
    let addr = match host.addr {
        std::net::IpAddr::V4(v4) => v4.octets(),
        std::net::IpAddr::V6(_) => [0; 4],
    };
    let frames = [(1, &unnamed), (2, &router()), (3, &unnamed), (5, &router())]
        .into_iter()
        .zip(0u32..)
        .map(|((kind, from), number)| {
            let ports = if matches!(kind, 2 | 5) { (67, 68) } else { (68, 67) };
            let message = payload::dhcp(kind, host.mac.0, addr);
            let frame = udp(from, &everybody, scene.rng.short(), ports, &message);
            Stamped { ts: START + after + number * Duration::from_millis(40), frame }
        })
        .collect();
    scene.show(frames);
    scene.show(take_address(host, moment(after + Duration::from_millis(300))));
    find_router(scene, after + Duration::from_secs(8), host);
}

/// Tries one administration service on each of `count` hosts; five of eight tries fail.
fn try_doors(scene: &mut Scene, after: Duration, intruder: Station, count: u8) {
    find_router(scene, after, &intruder);
    let mut after = after + Duration::from_secs(1);
    for number in 0..count {
        after += scene.rng.around(Duration::from_secs(20));
        let port = ADMIN_PORTS.get(usize::from(number % 4)).copied().unwrap_or(445);
        let mut call = scene.call(after, intruder, routed(6, 30 + number), port);
        call.fate = match number % 8 {
            0 | 3 | 7 => Fate::Refused,
            1 | 6 => Fate::Unanswered { syns: 3 },
            _ => Fate::Accepted,
        };
        call.turns = vec![says(Side::Client, Vec::new(), 180), says(Side::Server, Vec::new(), 240)];
        scene.play(call);
    }
}

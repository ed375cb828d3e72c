//! What machines do by themselves: clocks, multicast, telemetry, clouds, patches.

use std::net::Ipv4Addr;
use std::time::Duration;

use super::super::super::conversation::Side;
use super::super::super::payload;
use super::super::chance::{fixed, pareto};
use super::super::names::{Name, look_up};
use super::super::place::group;
use super::super::rhythm;
use super::super::role::Role;
use super::super::speech::{http, sealed, stamp, tls};
use super::super::stage::Stage;
use super::super::world::Party::Host as of;
use super::super::world::{HostId, Party};
use super::volume;
use super::web::visit;

/// Time servers of the Internet, among its other hosts.
const CLOCKS: u32 = 600;
/// Clouds of things and makers of programs.
const CLOUDS: u32 = 800;

/// Sets the clock (RFC 5905): of the controller, where there is one.
pub(super) fn set_clock(stage: &mut Stage, host: HostId) {
    let inner = stage.world.usual(host, Role::DomainController);
    let server = inner.map_or(Party::Outside(super::super::names::OTHER + CLOCKS + host.0 % 4), of);
    let (now, question, answer) = (stage.now, payload::ntp(3), payload::ntp(4));
    let port = if inner.is_some() { 123 } else { stage.port(of(host)) };
    let think = Duration::from_micros(50);
    stage.ask(now, (of(host), server), (port, 123), question, Some(answer), think);
}

/// Looks for something in the neighbourhood: mDNS, LLMNR or SSDP.
pub(super) fn discover(stage: &mut Stage, host: HostId) {
    let end = stage.world.end(of(host));
    let search: &[u8] = b"M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: \"ssdp:discover\"\r\nMX: 2\r\nST: ssdp:all\r\n\r\n";
    let id = stage.rng.short();
    let own = stage.port(of(host));
    let (to, ports, question) = match stage.rng.below(3) {
        0 => ([224, 0, 0, 251], (5353, 5353), payload::dns_question(0, "_ipp._tcp.local")),
        1 => ([224, 0, 0, 252], (own, 5355), payload::dns_question(id, "printer")),
        _ => ([239, 255, 255, 250], (own, 1900), search.to_vec()),
    };
    let to = group(Ipv4Addr::from(to), end.subnet);
    let mut at = stage.now;
    for _ in 0..2 {
        stage.datagram(at, (&end, &to), ports, question.clone());
        at = at + Duration::from_secs(1);
    }
}

/// A program tells its maker how it is.
pub(super) fn report(stage: &mut Stage, host: HostId) {
    let cloud = Name::Other(CLOUDS + stage.rng.below(30) as u32);
    let now = stage.now;
    let Some(at) = look_up(stage, now, host, cloud) else { return };
    let size = pareto(&mut stage.rng, (800, 60_000), 1.2);
    visit(stage, at, host, cloud, size);
}

/// A thing calls its cloud: always the same, a little up, less down.
pub(super) fn cloud(stage: &mut Stage, host: HostId) {
    let cloud = Name::Other(CLOUDS + 50 + host.0 % 3);
    let now = stage.now;
    let Some(at) = look_up(stage, now, host, cloud) else { return };
    let Some(party) = cloud.party() else { return };
    let name = cloud.text(&stage.world);
    let mut call = stage.call(of(host), party, 443);
    call.start = at;
    tls(&mut call, &name, 2_900);
    let up = stage.rng.between(300, 9_000);
    let up = volume(stage, up);
    sealed(&mut call, Side::Client, Duration::from_millis(20), up);
    sealed(&mut call, Side::Server, Duration::from_millis(40), 180);
    stage.play(call);
}

/// Asks the update server what is new; on Tuesdays a lot is.
pub(super) fn patch(stage: &mut Stage, host: HostId) {
    let Some(server) = stage.world.usual(host, Role::UpdateServer) else { return };
    let now = stage.now;
    let Some(at) = look_up(stage, now, host, Name::Host(server)) else { return };
    let name = stage.world.full_name(server);
    let is_patch_day = rhythm::weekday(rhythm::day(now)) == 1;
    let mut call = stage.call(of(host), of(server), 8530);
    call.start = at;
    let own = stamp(&call);
    let think = Duration::from_millis(30);
    let path = "/ClientWebService/client";
    http(&mut call, ("POST", &name, path), "text/xml", (900, 4_000), think, own);
    if is_patch_day {
        // The same patches for everybody.
        for patch in 0..4u64 {
            let content = fixed(&[rhythm::day(now) as u64, patch, 91]);
            let size = volume(stage, 2_000_000 + content % 30_000_000);
            let path = format!("/Content/{content:016x}.cab");
            let what = ("GET", name.as_str(), path.as_str());
            http(&mut call, what, "application/octet-stream", (0, size), think, content as u32);
        }
    }
    call.linger = Duration::from_secs(20);
    stage.play(call);
}

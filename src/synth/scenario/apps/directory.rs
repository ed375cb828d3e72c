//! The directory: an address in the morning, a logon, tickets that run out.

use std::net::Ipv4Addr;
use std::time::Duration;

use super::super::super::conversation::Side;
use super::super::super::payload;
use super::super::body::Body;
use super::super::names::{Name, look_up};
use super::super::place::{End, group};
use super::super::role::{Role, System};
use super::super::smb::{Account, Session};
use super::super::speech::AT_ONCE;
use super::super::stage::Stage;
use super::super::tickets;
use super::super::world::HostId;
use super::super::world::Party::Host as of;
use crate::time::Timestamp;

/// Somebody arrives and switches the host on: DHCP (RFC 2131), ARP (RFC 5227), the logon. Where it
/// was on all night, the screen is unlocked.
pub(super) fn arrive(stage: &mut Stage, host: HostId) {
    let world = stage.world.clone();
    let end = world.host(host).end;
    let is_windows = world.host(host).system == System::Windows;
    if world.host(host).always_on {
        if is_windows {
            let now = stage.now;
            prove(stage, now, host);
        }
        return;
    }
    let Some(subnet) = end.subnet.and_then(|subnet| world.subnets.get(usize::from(subnet))) else {
        return;
    };
    let (router, mut at) = (subnet.router, stage.now);
    let everybody = group(Ipv4Addr::BROADCAST, end.subnet);
    let unnamed = End { addr: Ipv4Addr::UNSPECIFIED, ..end };
    for (kind, from) in [(1, unnamed), (2, router), (3, unnamed), (5, router)] {
        let ports = if matches!(kind, 2 | 5) { (67, 68) } else { (68, 67) };
        let message = payload::dhcp(kind, end.mac.0, end.addr.octets());
        stage.datagram(at, (&from, &everybody), ports, message);
        at = at + Duration::from_millis(35);
    }
    for (number, asker) in [(0, unnamed), (1, unnamed), (2, unnamed), (5, end), (7, end)] {
        stage.arp(at + Duration::from_secs(number), 1, &asker, &end);
    }
    if is_windows {
        logon(stage, at + Duration::from_secs(9), host);
    }
}

/// A ticket runs out.
pub(super) fn renew(stage: &mut Stage, host: HostId) {
    let Some(controller) = stage.world.usual(host, Role::DomainController) else { return };
    let now = stage.now;
    let service = stage.rng.pick(&["cifs", "http", "ldap"]).copied().unwrap_or("cifs");
    ticket(stage, now, host, controller, service);
    if stage.rng.chance(40) {
        search(stage, now + Duration::from_millis(30), host, controller);
    }
}

/// A logon of Windows: where is the controller, who am I, which policies are there for me.
fn logon(stage: &mut Stage, at: Timestamp, host: HostId) {
    let Some(controller) = prove(stage, at, host) else { return };
    let (world, at) = (stage.world.clone(), at + Duration::from_millis(4));
    let user = format!("person-{}", host.0);
    for (number, service) in (0..).zip(["ldap", "cifs", "host"]) {
        ticket(stage, at + Duration::from_millis(30 + 12 * number), host, controller, service);
    }
    search(stage, at + Duration::from_millis(90), host, controller);
    let mut call = stage.call(of(host), of(controller), 445);
    call.start = at + Duration::from_millis(160);
    let machine = &world.host(host).name;
    let account = Account { user: &user, domain: &world.domain, machine };
    let mut session = Session::open(&mut call, &account, true);
    session.connect(&world.host(controller).name, "SYSVOL", true);
    for _ in 0..stage.rng.between(4, 12) {
        let size = stage.rng.between(300, 12_000) as usize;
        session.sealed(180, size);
    }
    call.linger = Duration::from_secs(15);
    stage.play(call);
}

/// Asks the controller for a ticket that grants tickets: without a proof first, as Windows does.
fn prove(stage: &mut Stage, at: Timestamp, host: HostId) -> Option<HostId> {
    let controller = stage.world.usual(host, Role::DomainController)?;
    let at = look_up(stage, at, host, Name::Host(controller))?;
    let (user, realm) = (format!("person-{}", host.0), stage.world.domain.to_uppercase());
    let nonce = stage.rng.bits() as u32;
    let answers = [tickets::proof_required(&realm), tickets::as_reply(&user, &realm)];
    for ((proves, answer), late) in [false, true].into_iter().zip(answers).zip([2, 14]) {
        let mut call = stage.call(of(host), of(controller), 88);
        call.start = at + Duration::from_millis(late);
        let question = tickets::as_request(&user, &realm, proves, nonce);
        call.say(Side::Client, AT_ONCE, Body::of(tickets::over_tcp(&question)));
        call.say(Side::Server, Duration::from_millis(2), Body::of(tickets::over_tcp(&answer)));
        stage.play(call);
    }
    Some(controller)
}

fn ticket(stage: &mut Stage, at: Timestamp, host: HostId, controller: HostId, service: &str) {
    let world = stage.world.clone();
    let (user, realm) = (format!("person-{}", host.0), world.domain.to_uppercase());
    let server = world.full_name(controller);
    let mut call = stage.call(of(host), of(controller), 88);
    call.start = at;
    let nonce = stage.rng.bits() as u32;
    let question = tickets::tgs_request(&realm, &[service, &server], nonce);
    call.say(Side::Client, AT_ONCE, Body::of(tickets::over_tcp(&question)));
    let answer = tickets::tgs_reply(&user, &realm, &[service, &server]);
    call.say(Side::Server, Duration::from_millis(1), Body::of(tickets::over_tcp(&answer)));
    stage.play(call);
}

fn search(stage: &mut Stage, at: Timestamp, host: HostId, controller: HostId) {
    let base: Vec<_> = stage.world.domain.split('.').map(|part| format!("DC={part}")).collect();
    let base = base.join(",");
    let mut call = stage.call(of(host), of(controller), 389);
    call.start = at;
    let think = Duration::from_millis(1);
    call.say(Side::Client, AT_ONCE, Body::of(tickets::search(1, "", "supportedCapabilities")));
    call.say(Side::Server, think, Body::of(tickets::found(1, "", "supportedCapabilities", 1, 60)));
    let (ask, answer) = tickets::bind(2);
    call.say(Side::Client, AT_ONCE, Body::of(ask));
    call.say(Side::Server, think, Body::of(answer));
    for id in 3..3 + stage.rng.between(1, 4) as u8 {
        let entries = stage.rng.between(1, 12) as usize;
        call.say(Side::Client, think, Body::of(tickets::search(id, &base, "gPLink")));
        call.say(Side::Server, think, Body::of(tickets::found(id, &base, "gPLink", entries, 90)));
    }
    call.say(Side::Client, think, Body::of(tickets::unbind(9)));
    stage.play(call);
}

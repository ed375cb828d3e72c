//! Errands that lead from host to host: monitoring, configuration, backup, assessment. From outside
//! each looks like a worm's walk.

use std::time::Duration;

use super::super::super::conversation::{End as Close, Side};
use super::super::super::payload;
use super::super::chance::{fixed, pareto};
use super::super::role::{Role, System};
use super::super::smb::{Account, Session};
use super::super::speech::{filler, http, ssh_key, ssh_open, ssh_password, stamp};
use super::super::stage::Stage;
use super::super::world::Party::Host as of;
use super::super::world::{HostId, World};
use super::volume;

/// The hosts that an errand visits, in the order of the scenario.
fn stops(world: &World, own: HostId, wanted: fn(Role, System) -> bool) -> Vec<HostId> {
    (0..)
        .map(HostId)
        .zip(&world.hosts)
        .filter(|(id, host)| *id != own && wanted(host.role, host.system))
        .map(|(id, _)| id)
        .collect()
}

/// The stop of this number (from 0), and the number to go on with: 0 when it was the last.
fn stop(stops: &[HostId], number: u32) -> Option<(HostId, u32)> {
    let host = *stops.get(number as usize)?;
    let is_last = number as usize + 1 == stops.len();
    Some((host, if is_last { 0 } else { number + 1 }))
}

/// Asks a server, or a thing, how it is: a ping, SNMP, and the service that it is there for.
pub(super) fn monitor(stage: &mut Stage, own: HostId, number: u32) -> u32 {
    let world = stage.world.clone();
    let all = stops(&world, own, |role, _| role.is_server() || role == Role::Printer);
    let Some((target, next)) = stop(&all, number) else { return 0 };
    let (now, id) = (stage.now, own.0 as u16);
    stage.ping(now, (of(own), of(target)), id, (number + 1) as u16);
    let host = world.host(target);
    let port = stage.port(of(own));
    let (question, answer) = (payload::snmp(false), payload::snmp(true));
    let at = now + Duration::from_millis(40);
    if host.system != System::Windows {
        let think = Duration::from_millis(2);
        stage.ask(at, (of(own), of(target)), (port, 161), question, Some(answer), think);
    }
    if let Some(service) = host.services.iter().copied().find(|port| matches!(port, 25 | 80 | 443))
    {
        let mut call = stage.call(of(own), of(target), service);
        call.start = now + Duration::from_millis(80);
        if service == 80 {
            let name = world.full_name(target);
            let own = stamp(&call);
            let think = Duration::from_millis(8);
            http(&mut call, ("GET", &name, "/health"), "text/plain", (0, 15), think, own);
        }
        stage.play(call);
    }
    next
}

/// Configures a server over SSH: a dozen small steps, each with a file and an answer.
pub(super) fn configure(stage: &mut Stage, own: HostId, number: u32) -> u32 {
    let world = stage.world.clone();
    let all = stops(&world, own, |role, system| role.is_server() && system == System::Linux);
    let Some((target, next)) = stop(&all, number) else { return 0 };
    let mut call = stage.call(of(own), of(target), 22);
    ssh_open(&mut call, "OpenSSH_9.2p1");
    ssh_key(&mut call, "automation");
    for _ in 0..stage.rng.between(4, 14) {
        let pushed = pareto(&mut stage.rng, (900, 120_000), 1.2) as usize;
        let printed = pareto(&mut stage.rng, (120, 8_000), 1.2) as usize;
        filler(&mut call, Side::Client, Duration::from_millis(40), pushed);
        let worked = stage.rng.around(Duration::from_millis(700));
        filler(&mut call, Side::Server, worked, printed);
    }
    stage.play(call);
    next
}

/// Fetches what has changed on a server: over SMB from Windows, over SSH from the rest.
pub(super) fn back_up(stage: &mut Stage, own: HostId, number: u32) -> u32 {
    let world = stage.world.clone();
    let all = stops(&world, own, |role, _| role.is_server());
    let Some((target, next)) = stop(&all, number) else { return 0 };
    let size = pareto(&mut stage.rng, (3_000_000, 2_000_000_000), 0.9);
    let size = volume(stage, size).min(1 << 30);
    let host = world.host(target);
    if host.system == System::Windows {
        let mut call = stage.call(of(own), of(target), 445);
        let machine = &world.host(own).name;
        let account = Account { user: "svc-backup", domain: &world.domain, machine };
        let mut session = Session::open(&mut call, &account, true);
        session.connect(&host.name, "backup", true);
        session.sealed(200, size);
        stage.play(call);
    } else {
        let mut call = stage.call(of(own), of(target), 22);
        ssh_open(&mut call, "OpenSSH_9.2p1");
        ssh_password(&mut call, "svc-backup");
        filler(&mut call, Side::Server, Duration::from_millis(300), size);
        stage.play(call);
    }
    next
}

/// Ports that an assessment tries.
const ASSESSED: [u16; 12] = [21, 22, 23, 25, 80, 135, 139, 443, 445, 3389, 5432, 8080];

/// Tries a dozen ports of a host, and reads what greets.
pub(super) fn assess(stage: &mut Stage, own: HostId, number: u32) -> u32 {
    let world = stage.world.clone();
    let all = stops(&world, own, |_, _| true);
    let (host, port) = (number / ASSESSED.len() as u32, number as usize % ASSESSED.len());
    let Some(target) = all.get(host as usize).copied() else { return 0 };
    let Some(port) = ASSESSED.get(port).copied() else { return 0 };
    let mut call = stage.call(of(own), of(target), port);
    call.close = Close::Reset(Side::Client);
    call.linger = Duration::from_millis(fixed(&[u64::from(number), 93]) % 300);
    stage.play(call);
    number + 1
}

//! What an office does inside: mail, files, programs of the house, paper.

use std::time::Duration;

use super::super::super::conversation::{End as Close, Side};
use super::super::chance::{fixed, pareto};
use super::super::names::{Name, look_up};
use super::super::role::Role;
use super::super::smb::{Account, Session};
use super::super::speech::{AT_ONCE, filler, http, sealed, smtp, stamp, text, tls};
use super::super::stage::Stage;
use super::super::world::HostId;
use super::super::world::Party::Host as of;
use super::volume;

/// Looks into the mailbox over encrypted IMAP, and now and then sends something.
pub(super) fn mail(stage: &mut Stage, host: HostId) {
    let Some(server) = stage.world.usual(host, Role::MailServer) else { return };
    let begin = stage.now;
    let Some(at) = look_up(stage, begin, host, Name::Host(server)) else { return };
    let name = stage.world.full_name(server);
    let mut call = stage.call(of(host), of(server), 993);
    call.start = at;
    tls(&mut call, &name, 2_400);
    for _ in 0..stage.rng.between(2, 7) {
        sealed(&mut call, Side::Client, Duration::from_millis(2), 60);
        let size = pareto(&mut stage.rng, (200, 2_000_000), 1.0);
        let size = volume(stage, size);
        sealed(&mut call, Side::Server, Duration::from_millis(3), size);
    }
    call.linger = stage.rng.around(Duration::from_mins(4));
    stage.play(call);
    if stage.rng.chance(20) {
        let mut call = stage.call(of(host), of(server), 587);
        let size = pareto(&mut stage.rng, (1_500, 3_000_000), 1.1);
        let size = volume(stage, size);
        let (domain, stamp) = (stage.world.domain.clone(), stamp(&call));
        let people = (format!("person-{}@{domain}", host.0), format!("person-1@{domain}"));
        smtp(&mut call, (&people.0, &people.1), "about the meeting", size, stamp);
        stage.play(call);
    }
}

/// Opens a few files of a share.
pub(super) fn files(stage: &mut Stage, host: HostId) {
    let Some(server) = stage.world.usual(host, Role::FileServer) else { return };
    let begin = stage.now;
    let Some(at) = look_up(stage, begin, host, Name::Host(server)) else { return };
    let world = stage.world.clone();
    let user = format!("person-{}", host.0);
    let machine = &world.host(host).name;
    let account = Account { user: &user, domain: &world.domain, machine };
    let mut call = stage.call(of(host), of(server), 445);
    call.start = at;
    let mut session = Session::open(&mut call, &account, true);
    session.connect(&world.host(server).name, "common", true);
    for _ in 0..stage.rng.between(2, 9) {
        let size = pareto(&mut stage.rng, (400, 20_000_000), 1.05);
        let size = volume(stage, size);
        if stage.rng.chance(25) {
            session.sealed(size, 160);
        } else {
            session.sealed(180, size);
        }
    }
    call.linger = stage.rng.around(Duration::from_mins(8));
    call.close =
        if stage.rng.chance(30) { Close::Reset(Side::Client) } else { Close::Fin(Side::Client) };
    stage.play(call);
}

/// Works with a program of the house, over HTTPS or, where it is old, HTTP.
pub(super) fn intranet(stage: &mut Stage, host: HostId) {
    let Some(server) = stage.world.usual(host, Role::WebServer) else { return };
    let begin = stage.now;
    let Some(at) = look_up(stage, begin, host, Name::Host(server)) else { return };
    let name = stage.world.full_name(server);
    let is_old = stage.rng.chance(30);
    let mut call = stage.call(of(host), of(server), if is_old { 80 } else { 443 });
    call.start = at;
    if !is_old {
        tls(&mut call, &name, 2_200);
    }
    for page in 0..stage.rng.between(1, 6) {
        let size = pareto(&mut stage.rng, (800, 800_000), 1.1);
        let size = volume(stage, size);
        let thought = stage.rng.around(Duration::from_millis(40));
        if is_old {
            let path = format!("/app/page-{page}");
            let stamp = fixed(&[call.seed, page]) as u32;
            http(&mut call, ("GET", &name, &path), "text/plain", (0, size), thought, stamp);
        } else {
            sealed(&mut call, Side::Client, Duration::from_secs(page.min(1) * 8), 600);
            sealed(&mut call, Side::Server, thought, size);
        }
    }
    call.close = Close::Fin(Side::Server);
    call.linger = Duration::from_secs(5);
    stage.play(call);
}

/// Prints something: asks the printer how it is, then sends the job.
pub(super) fn print(stage: &mut Stage, host: HostId) {
    let Some(printer) = stage.world.usual(host, Role::Printer) else { return };
    let mut call = stage.call(of(host), of(printer), 9100);
    text(&mut call, Side::Client, AT_ONCE, "@PJL INFO STATUS\r\n");
    text(&mut call, Side::Server, Duration::from_millis(30), "@PJL INFO STATUS\r\nCODE=10001\r\n");
    let size = pareto(&mut stage.rng, (20_000, 8_000_000), 1.2);
    let size = volume(stage, size);
    filler(&mut call, Side::Client, Duration::from_millis(200), size);
    text(&mut call, Side::Server, Duration::from_secs(2), "@PJL USTATUS JOB\r\nEND\r\n");
    stage.play(call);
}

//! How getting in looks, or failing to: the service's own openings, sizes and times, and then a copy
//! that is filler.

use std::time::Duration;

use super::super::super::conversation::{End as Close, Fate, Side};
use super::super::super::rng::Rng;
use super::super::body::{Body, Framing};
use super::super::chance::{fixed, happens, wait};
use super::super::names::OTHER;
use super::super::role::Role;
use super::super::smb::{Account, Session};
use super::super::speech::{
    AT_ONCE, filler, ftp_login, http, http_refused, rdp_open, sealed, smtp, ssh_key, ssh_open,
    ssh_password, ssh_refused, telnet_login, text, tls,
};
use super::super::stage::Stage;
use super::super::tcp::Call;
use super::super::world::{Party, World};
use super::super::worm_file::{Copies, Way, WormFile};
use super::{Kind, Step};
use crate::time::Timestamp;

/// Where copies are fetched from, among the other hosts of the Internet.
const DEPOT: u32 = OTHER + 5000;
/// The port on which an intruder hands out copies.
const HAND_OUT: u16 = 8080;
/// The port on which an intruder waits for its victims.
const REPORT_TO: u16 = 8443;

/// What one attempt is about.
struct Attempt<'a> {
    file: &'a WormFile,
    account: String,
    domain: &'a str,
    intruder: String,
    target: String,
    is_in: bool,
    pushes: bool,
    size: usize,
    content: u32,
}

/// Knocks at a service. Returns when the copy has arrived, or when the victim may fetch it; `None`
/// if nobody opened.
pub(super) fn knock(
    stage: &mut Stage,
    worm: usize,
    (host, target): (Party, Party),
    way: Way,
    is_in: bool,
    rng: &mut Rng,
) -> Option<Timestamp> {
    let world = stage.world.clone();
    let file = &world.worms.get(worm)?.file;
    let mut call = stage.call(host, target, way.port());
    let accepted = call.fate == Fate::Accepted;
    let attempt = Attempt {
        file,
        account: account(file, &world, host),
        domain: &world.domain,
        intruder: name(&world, host),
        target: name(&world, target),
        is_in,
        pushes: file.entry.copies == Copies::Pushed,
        size: size(file, rng),
        content: content(file, rng),
    };
    match way {
        Way::Smb => smb(&mut call, &attempt, rng),
        Way::Ssh => ssh(&mut call, &attempt),
        Way::Telnet => telnet(&mut call, &attempt),
        Way::Http => web(&mut call, &attempt, rng),
        Way::Winrm => winrm(&mut call, &attempt),
        Way::Rdp => rdp(&mut call, &attempt),
        Way::Ftp => ftp_login(&mut call, &attempt.account, guesses(&attempt), is_in),
        Way::Postgresql => postgresql(&mut call, &attempt),
        Way::Redis => redis(&mut call, &attempt),
        Way::Mail => {}
    }
    if !is_in && rng.chance(50) {
        call.close = Close::Reset(if rng.chance(50) { Side::Server } else { Side::Client });
    }
    let took = call.duration();
    let at = stage.now + took;
    stage.play(call);
    accepted.then_some(at)
}

/// How often it guesses in vain in this attempt.
const fn guesses(attempt: &Attempt<'_>) -> u32 {
    let guesses = attempt.file.entry.guesses;
    if attempt.is_in { guesses.saturating_sub(1) } else { guesses }
}

fn smb(call: &mut Call, attempt: &Attempt<'_>, rng: &mut Rng) {
    let account =
        Account { user: &attempt.account, domain: attempt.domain, machine: &attempt.intruder };
    let has_account = attempt.file.account.is_some();
    // Without an account it is the protocol that fails, after a login as nobody.
    let mut session = Session::open(call, &account, attempt.is_in || !has_account);
    if !attempt.is_in {
        if !has_account {
            session.connect(&attempt.target, "IPC$", rng.chance(70));
        }
        return;
    }
    session.connect(&attempt.target, if has_account { "ADMIN$" } else { "IPC$" }, true);
    if attempt.pushes {
        let name = format!("Temp\\filler-{:04x}.bin", attempt.content & 0xffff);
        session.write(&name, attempt.size, attempt.content);
    } else {
        session.sealed(900, 300);
    }
}

fn ssh(call: &mut Call, attempt: &Attempt<'_>) {
    ssh_open(call, "libssh2_1.11.0");
    let has_key = attempt.file.account.is_some();
    let refused = guesses(attempt);
    if !attempt.is_in {
        ssh_refused(call, &attempt.account, refused);
        return;
    }
    if has_key {
        ssh_key(call, &attempt.account);
    } else if refused > 0 {
        ssh_refused(call, &attempt.account, refused);
        let none = Duration::from_millis(25);
        filler(call, Side::Client, none, 76);
        filler(call, Side::Server, Duration::from_millis(12), 28);
    } else {
        ssh_password(call, &attempt.account);
    }
    if attempt.pushes {
        push(call, attempt, Duration::from_millis(60));
        filler(call, Side::Server, Duration::from_millis(40), 64);
    }
    filler(call, Side::Client, Duration::from_millis(30), 180);
    filler(call, Side::Server, Duration::from_millis(250), 300);
}

fn telnet(call: &mut Call, attempt: &Attempt<'_>) {
    telnet_login(call, &attempt.account, guesses(attempt), attempt.is_in);
    if attempt.is_in {
        text(call, Side::Client, Duration::from_millis(60), "echo filler\r\n");
        text(call, Side::Server, Duration::from_millis(9), "filler\r\n# ");
        if attempt.pushes {
            push(call, attempt, Duration::from_millis(100));
            text(call, Side::Server, Duration::from_millis(30), "\r\n# ");
        }
    }
}

fn web(call: &mut Call, attempt: &Attempt<'_>, rng: &mut Rng) {
    if !attempt.is_in {
        let statuses = ["404 Not Found", "403 Forbidden", "500 Internal Server Error"];
        let status = rng.pick(&statuses).copied().unwrap_or("404 Not Found");
        let path = format!("/app/page-{}", rng.below(40));
        http_refused(call, ("POST", &attempt.target, &path), status);
        return;
    }
    let sent = if attempt.pushes { attempt.size } else { 600 };
    let what = ("POST", attempt.target.as_str(), "/app/upload");
    let kind = "application/octet-stream";
    http(call, what, kind, (sent, 120), Duration::from_millis(90), attempt.content);
}

fn winrm(call: &mut Call, attempt: &Attempt<'_>) {
    let what = ("POST", attempt.target.as_str(), "/wsman");
    if !attempt.is_in {
        http_refused(call, what, "401 Unauthorized");
        return;
    }
    let kind = "application/soap+xml;charset=UTF-8";
    http(call, what, kind, (1_600, 1_100), Duration::from_millis(40), attempt.content);
    if attempt.pushes {
        let sizes = (attempt.size, 700);
        http(call, what, kind, sizes, Duration::from_millis(80), attempt.content);
    }
}

fn rdp(call: &mut Call, attempt: &Attempt<'_>) {
    rdp_open(call, &attempt.account, &attempt.target);
    sealed(call, Side::Client, Duration::from_millis(5), 600);
    sealed(call, Side::Server, Duration::from_millis(30), 400);
    if attempt.is_in {
        sealed(call, Side::Client, Duration::from_millis(200), 900);
        sealed(call, Side::Server, Duration::from_millis(500), 40_000);
        if attempt.pushes {
            sealed(call, Side::Client, Duration::from_secs(2), attempt.size);
            sealed(call, Side::Server, Duration::from_millis(100), 9_000);
        }
    }
}

fn postgresql(call: &mut Call, attempt: &Attempt<'_>) {
    let mut startup = vec![0, 0, 0, 0, 0, 3, 0, 0];
    startup.extend_from_slice(format!("user\0{}\0\0", attempt.account).as_bytes());
    let length = startup.len() as u32;
    super::super::speech::put(&mut startup, 0, &length.to_be_bytes());
    call.say(Side::Client, AT_ONCE, Body::of(startup));
    if attempt.is_in {
        let ready = [b"R\0\0\0\x08\0\0\0\0".as_slice(), b"Z\0\0\0\x05I"].concat();
        call.say(Side::Server, Duration::from_millis(2), Body::of(ready));
        if attempt.pushes {
            let mut message = vec![b'd'];
            message.extend_from_slice(&(attempt.size as u32 + 4).to_be_bytes());
            let length = message.len() + attempt.size;
            let body = Body::framed(Framing::Plain, message, length, attempt.content);
            call.say(Side::Client, Duration::from_millis(20), body);
            call.say(Side::Server, Duration::from_millis(9), Body::of(b"Z\0\0\0\x05I".to_vec()));
        }
    } else {
        let words = b"SFATAL\0C28P01\0Mpassword authentication failed\0\0";
        let mut error = vec![b'E'];
        error.extend_from_slice(&(words.len() as u32 + 4).to_be_bytes());
        error.extend_from_slice(words);
        call.say(Side::Server, Duration::from_millis(4), Body::of(error));
    }
}

fn redis(call: &mut Call, attempt: &Attempt<'_>) {
    text(call, Side::Client, AT_ONCE, "*1\r\n$4\r\nPING\r\n");
    if attempt.is_in {
        text(call, Side::Server, Duration::from_micros(200), "+PONG\r\n");
        if attempt.pushes {
            let head = format!("*3\r\n$3\r\nSET\r\n$6\r\nfiller\r\n${}\r\n", attempt.size);
            let length = head.len() + attempt.size;
            let body = Body::framed(Framing::Plain, head.into_bytes(), length, attempt.content);
            call.say(Side::Client, Duration::from_millis(3), body);
            text(call, Side::Client, AT_ONCE, "\r\n");
            text(call, Side::Server, Duration::from_millis(1), "+OK\r\n");
        }
    } else {
        text(
            call,
            Side::Server,
            Duration::from_micros(200),
            "-NOAUTH Authentication required.\r\n",
        );
    }
}

fn push(call: &mut Call, attempt: &Attempt<'_>, after: Duration) {
    let body = Body::framed(Framing::Plain, Vec::new(), attempt.size, attempt.content);
    call.say(Side::Client, after, body);
}

/// The victim fetches its copy over HTTP. Returns when it is there.
pub(super) fn fetch(stage: &mut Stage, worm: usize, host: Party, from: Party) -> Timestamp {
    let world = stage.world.clone();
    let Some(file) = world.worms.get(worm).map(|plague| &plague.file) else { return stage.now };
    let is_hosted = file.entry.copies == Copies::Hosted;
    let source = if is_hosted { Party::Outside(DEPOT + worm as u32) } else { from };
    let mut call = stage.call(host, source, if is_hosted { 80 } else { HAND_OUT });
    call.fate = Fate::Accepted;
    let mut rng = Rng::new(call.seed);
    let (size, content) = (size(file, &mut rng), content(file, &mut rng));
    let name = world.end(source).addr.to_string();
    let what = ("GET", name.as_str(), "/filler.bin");
    let kind = "application/octet-stream";
    http(&mut call, what, kind, (0, size), Duration::from_millis(4), content);
    let took = call.duration();
    stage.play(call);
    stage.now + took
}

/// The victim opens a connection back to its intruder that stays: a beat in five minutes, for hours.
pub(super) fn report(stage: &mut Stage, host: Party, to: Party) {
    let mut call = stage.call(host, to, REPORT_TO);
    call.fate = Fate::Accepted;
    let name = stage.world.end(to).addr.to_string();
    tls(&mut call, &name, 1_100);
    let mut rng = Rng::new(call.seed);
    for _ in 0..48 {
        sealed(&mut call, Side::Client, rng.around(Duration::from_mins(5)), 120);
        sealed(&mut call, Side::Server, Duration::from_millis(3), 60);
    }
    stage.play(call);
}

/// A mail with the worm goes to a colleague over the house's server, or to somebody outside over
/// the worm's own.
pub(super) fn mail(stage: &mut Stage, worm: usize, host: Party, target: Party, rng: &mut Rng) {
    let world = stage.world.clone();
    let Some(file) = world.worms.get(worm).map(|plague| &plague.file) else { return };
    let (size, content) = (size(file, rng), content(file, rng));
    let goes_out = rng.chance(60);
    let server = match host {
        Party::Host(id) if !goes_out => world.usual(id, Role::MailServer).map(Party::Host),
        _ => None,
    };
    let server = server.unwrap_or_else(|| Party::Outside(OTHER + 6000 + rng.below(900) as u32));
    let people = (format!("{}@{}", name(&world, host), world.domain), name(&world, target));
    let mut call = stage.call(host, server, 25);
    smtp(&mut call, (&people.0, &people.1), "look at this", size * 4 / 3, content);
    let took = call.duration();
    stage.play(call);
    if !goes_out && super::can_enter(&world, worm, target) && happens(rng, file.entry.success) {
        let opens = wait(rng, Duration::from_mins(12));
        let at = stage.now + took + opens;
        stage.plan(at, Step { worm, host: target, kind: Kind::Open(host) });
    }
}

/// How many bytes a copy has.
fn size(file: &WormFile, rng: &mut Rng) -> usize {
    let size = u64::from(file.entry.size);
    let drawn =
        if file.entry.polymorphic { rng.between(size * 7 / 10, size * 13 / 10) } else { size };
    drawn.max(1) as usize
}

/// What makes a copy's filler its own: the worm, or this one edge.
fn content(file: &WormFile, rng: &mut Rng) -> u32 {
    let name: Vec<u64> = file.name.get_ref().bytes().map(u64::from).collect();
    if file.entry.polymorphic { rng.bits() as u32 } else { fixed(&name) as u32 }
}

fn account(file: &WormFile, world: &World, host: Party) -> String {
    match &file.account {
        Some(account) if account.shared => account.name.clone(),
        Some(account) => format!("{}-{}", account.name, name(world, host)),
        None => "admin".to_owned(),
    }
}

fn name(world: &World, party: Party) -> String {
    match party {
        Party::Host(id) => world.host(id).name.clone(),
        party => world.end(party).addr.to_string(),
    }
}

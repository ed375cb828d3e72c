//! Errands that a scenario describes: rounds from host to host, and chains of them.
//!
//! What a worm does, ordinary machines do as well: receive something over a service and give it on
//! over the same one. Software goes down a tree of servers, a rumour through a cluster, a patch from
//! desk to desk. One mechanism plays all of it: a host visits others, and whoever was visited may
//! begin an errand of its own.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::conversation::{End as Close, Fate, Side};
use super::super::payload;
use super::super::rng::Rng;
use super::body::{Body, Framing};
use super::chance::fixed;
use super::errand_file::{ErrandFile, Over};
use super::smb::{Account, Session};
use super::speech::{AT_ONCE, filler, http, sealed, ssh_key, ssh_open, text, tls};
use super::stage::Stage;
use super::tcp::Call;
use super::world::Party::Host as of;
use super::world::{Errand, HostId, World};
use crate::time::Timestamp;

/// The most that a datagram carries.
const DATAGRAM: u32 = 1400;

/// Something that an errand does at a moment.
#[derive(Clone, Debug)]
pub struct Step {
    errand: usize,
    host: HostId,
    round: u32,
    /// What is brought: its filler's stamp, the same all along a chain.
    parcel: u32,
    /// Who is still to be visited, the next one last; `None` when it has not begun.
    left: Option<Vec<HostId>>,
}

/// How far each host is with each errand: the round that it began last, and its random numbers.
#[derive(Debug, Default)]
pub struct Errands(BTreeMap<(usize, HostId), (Option<u32>, Rng)>);

impl Errands {
    fn of(&mut self, world: &World, errand: usize, host: HostId) -> &mut (Option<u32>, Rng) {
        self.0
            .entry((errand, host))
            .or_insert_with(|| (None, Rng::new(fixed(&[world.host(host).seed, errand as u64, 97]))))
    }
}

/// Lets every errand of the scenario begin that has a time of its own.
pub fn begin(stage: &mut Stage) {
    let world = stage.world.clone();
    for (number, errand) in world.errands.iter().enumerate() {
        let Some(after) = errand.file.after else { continue };
        for host in &errand.by {
            let parcel = parcel(&world, number, 0);
            start(stage, (number, *host), (0, parcel), world.start + after);
        }
    }
}

/// What an errand that begins by itself brings in this round.
fn parcel(world: &World, errand: usize, round: u32) -> u32 {
    fixed(&[world.seed, errand as u64, u64::from(round), 98]) as u32
}

/// A host begins within the errand's span after `at`.
fn start(
    stage: &mut Stage,
    (errand, host): (usize, HostId),
    (round, parcel): (u32, u32),
    at: Timestamp,
) {
    let world = stage.world.clone();
    let Some(within) = world.errands.get(errand).map(|errand| errand.file.within) else { return };
    let (_, rng) = stage.errands.of(&world, errand, host);
    let late = Duration::from_nanos(rng.below(within.as_nanos() as u64));
    stage.plan_errand(at + late, Step { errand, host, round, parcel, left: None });
}

/// Lets a step happen.
pub fn act(stage: &mut Stage, step: &Step) {
    let world = stage.world.clone();
    let Some(errand) = world.errands.get(step.errand) else { return };
    let key = (step.errand, step.host);
    let (began, mut rng) = stage.errands.of(&world, key.0, key.1).clone();
    std::mem::swap(&mut stage.rng, &mut rng);
    let is_first = began.is_none_or(|began| began < step.round);
    match step.left.clone() {
        None if is_first => set_out(stage, errand, step),
        None => {}
        Some(left) => visit(stage, errand, step, left),
    }
    std::mem::swap(&mut stage.rng, &mut rng);
    let began = if step.left.is_none() && is_first { Some(step.round) } else { began };
    *stage.errands.of(&world, key.0, key.1) = (began, rng);
}

/// Decides whom to visit in this round, and when the next one is.
fn set_out(stage: &mut Stage, errand: &Errand, step: &Step) {
    let world = stage.world.clone();
    if let (Some(after), Some(every)) = (errand.file.after, errand.file.every)
        && errand.by.contains(&step.host)
    {
        let round = step.round + 1;
        let late = Duration::from_nanos(stage.rng.below(errand.file.within.as_nanos() as u64));
        let at = world.start + after + every * round + late;
        let parcel = parcel(&world, step.errand, round);
        stage.plan_errand(at, Step { round, parcel, left: None, ..step.clone() });
    }
    let subnet = world.host(step.host).end.subnet;
    let is_near = |host: &HostId| !errand.file.near || world.host(*host).end.subnet == subnet;
    let others = errand.to.iter().copied().filter(|host| *host != step.host);
    let mut left: Vec<_> = others.filter(is_near).collect();
    match errand.file.picks {
        0 => left.reverse(),
        picks => {
            stage.rng.shuffle(&mut left);
            left.truncate(picks as usize);
        }
    }
    stage.plan_errand(stage.now, Step { left: Some(left), ..step.clone() });
}

/// Visits the next one, and sends it on errands of its own.
fn visit(stage: &mut Stage, errand: &Errand, step: &Step, mut left: Vec<HostId>) {
    let Some(target) = left.pop() else { return };
    if !stage.answers(of(step.host), stage.now) {
        return;
    }
    let world = stage.world.clone();
    if let Some(at) = meet(stage, errand, step, target) {
        for next in &errand.then {
            let may = world
                .errands
                .get(*next)
                .is_some_and(|next| next.by.is_empty() || next.by.contains(&target));
            if may {
                start(stage, (*next, target), (step.round, step.parcel), at);
            }
        }
    }
    let later = stage.now + stage.rng.around(errand.file.pause);
    stage.plan_errand(later, Step { left: Some(left), ..step.clone() });
}

/// A visit. Returns when it is over, if there was somebody.
fn meet(stage: &mut Stage, errand: &Errand, step: &Step, target: HostId) -> Option<Timestamp> {
    let file = &errand.file;
    let (caller, called) = if file.fetched { (target, step.host) } else { (step.host, target) };
    let (now, parcel) = (stage.now, step.parcel);
    let Some(through) = errand.through else {
        return speak(stage, file, (caller, called), parcel, now);
    };
    let mut outer = stage.call(of(caller), of(through), file.over.port().unwrap_or(22));
    // What is said beyond is said within, and a little more.
    let (sent, received) = (file.bytes as usize + 3_400, file.answer as usize + 2_900);
    ssh_open(&mut outer, "OpenSSH_9.6");
    ssh_key(&mut outer, &file.account);
    filler(&mut outer, Side::Client, Duration::from_millis(120), sent);
    filler(&mut outer, Side::Server, Duration::from_millis(300), received);
    let is_in = outer.fate == Fate::Accepted;
    stage.play(outer);
    let at = now + Duration::from_millis(80);
    is_in.then(|| speak(stage, file, (through, called), parcel, at)).flatten()
}

/// One calls the other at `at`. Returns when all is said, if there was somebody.
fn speak(
    stage: &mut Stage,
    file: &ErrandFile,
    (caller, called): (HostId, HostId),
    parcel: u32,
    at: Timestamp,
) -> Option<Timestamp> {
    let world = stage.world.clone();
    let (sent, received) =
        if file.fetched { (file.answer, file.bytes) } else { (file.bytes, file.answer) };
    let ends = (of(caller), of(called));
    let port = file.over.port().unwrap_or_else(|| own_port(&world, called));
    if let Over::Udp(port) = file.over {
        let words = |length: u32, is_answer| match port {
            161 => payload::snmp(is_answer),
            _ => vec![b'F'; length.min(DATAGRAM) as usize],
        };
        // Peers speak from the port that they listen on.
        let own = if port == 161 { stage.port(ends.0) } else { port };
        let is_there = stage.answers(ends.1, at);
        let think = Duration::from_millis(1);
        let at = stage.ask(
            at,
            ends,
            (own, port),
            words(sent, false),
            Some(words(received, true)),
            think,
        );
        return is_there.then_some(at);
    }
    let mut call = stage.call(ends.0, ends.1, port);
    call.start = at;
    let (from, to) = (world.host(caller), world.host(called));
    let names = (from.name.as_str(), to.name.as_str());
    say(&mut call, &world, file, names, (sent as usize, received as usize), parcel);
    let is_there = call.fate == Fate::Accepted;
    let at = at + call.duration();
    stage.play(call);
    is_there.then_some(at)
}

/// What is said over TCP, in the words of the service.
fn say(
    call: &mut Call,
    world: &World,
    file: &ErrandFile,
    (machine, server): (&str, &str),
    (sent, received): (usize, usize),
    parcel: u32,
) {
    let think = Duration::from_millis(30);
    match file.over {
        Over::Smb => {
            let account = Account { user: &file.account, domain: &world.domain, machine };
            let mut session = Session::open(call, &account, true);
            session.connect(server, "packages$", true);
            if file.fetched {
                session.sealed(sent, received);
            } else {
                session.write(&format!("package-{:04x}.cab", parcel & 0xffff), sent, parcel);
            }
        }
        Over::Ssh => {
            ssh_open(call, "OpenSSH_9.6");
            ssh_key(call, &file.account);
            filler(call, Side::Client, think, sent);
            filler(call, Side::Server, Duration::from_millis(200), received);
        }
        Over::Http(_) => {
            let path = format!("/package/{parcel:08x}");
            let what = (if sent > received { "POST" } else { "GET" }, server, path.as_str());
            let sent = if sent > received { sent } else { 0 };
            http(call, what, "application/octet-stream", (sent, received), think, parcel);
        }
        Over::Winrm => {
            let what = ("POST", server, "/wsman");
            let kind = "application/soap+xml;charset=UTF-8";
            http(call, what, kind, (1_600, 1_100), think, parcel);
            http(call, what, kind, (sent, received), think, parcel);
        }
        Over::Tls(_) => {
            tls(call, &format!("{server}.{}", world.domain), 2_900);
            sealed(call, Side::Client, think, sent);
            sealed(call, Side::Server, think, received);
        }
        Over::Tcp(_) | Over::Udp(_) => exchange(call, (sent, received), parcel),
        Over::Bittorrent => {
            let hello =
                "\u{13}BitTorrent protocol\0\0\0\0\0\0\0\0Filler-of-a-capture-Filler-of-a-captur";
            text(call, Side::Client, AT_ONCE, hello);
            text(call, Side::Server, think, hello);
            exchange(call, (sent, received), parcel);
            call.close = Close::Reset(Side::Client);
        }
    }
}

/// The parcel one way, and something back.
fn exchange(call: &mut Call, (sent, received): (usize, usize), parcel: u32) {
    let body = |length| Body::framed(Framing::Plain, Vec::new(), length, parcel);
    call.say(Side::Client, AT_ONCE, body(sent));
    call.say(Side::Server, Duration::from_millis(5), body(received));
}

/// The port on which a host's own client of BitTorrent listens.
pub(super) fn own_port(world: &World, host: HostId) -> u16 {
    49_152 + (world.host(host).seed >> 16) as u16 % 16_000
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::stage::What;
    use super::super::wire::Layer;
    use super::*;
    use crate::decode::TcpFlags;

    const HOUSE: &str = "title = \"a test\"\n\
        start = 2026-03-02T10:00:00Z\n\
        duration = \"3h\"\n\
        [background]\n\
        scale = 0.0\n\
        [[subnet]]\n\
        name = \"near\"\n\
        network = \"10.20.2.0/24\"\n\
        [[subnet]]\n\
        name = \"far\"\n\
        network = \"10.20.4.0/24\"\n\
        [[hosts]]\n\
        role = \"server\"\n\
        subnet = \"near\"\n\
        count = 8\n\
        [[hosts]]\n\
        role = \"printer\"\n\
        subnet = \"far\"\n\
        count = 2\n";

    /// Who calls whom, by the last number of the address, on which port.
    fn calls(errands: &str) -> Vec<(u8, u8, u16)> {
        let world = World::parse(&format!("{HOUSE}{errands}"), Path::new("s.toml")).unwrap();
        let mut stage = Stage::new(world);
        let mut calls = Vec::new();
        while let Some(passing) = stage.advance() {
            if let What::Ip(Layer::Tcp(segment)) = passing.what
                && segment.flags == TcpFlags::SYN
            {
                let [from, to] = [passing.from, passing.to].map(|end| end.addr.octets()[3]);
                calls.push((from, to, segment.ports.1));
            }
        }
        calls
    }

    #[test]
    fn a_rumour_reaches_everybody_and_nobody_passes_it_on_twice() {
        let calls = calls(
            "[[errand]]\nname = \"news\"\nby = [\"server-1\"]\nto = [\"server\"]\npicks = 3\n\
             over = \"tcp/7946\"\nbytes = 900\nafter = \"1m\"\nthen = [\"rumour\"]\n\
             [[errand]]\nname = \"rumour\"\nto = [\"server\"]\npicks = 3\n\
             over = \"tcp/7946\"\nbytes = 900\nthen = [\"rumour\"]\n",
        );

        for host in 2..10 {
            let made = calls.iter().filter(|(from, ..)| *from == host).count();
            assert!(made == 3 || (host == 2 && made == 6), "{host}: {calls:?}");
            assert!(calls.iter().any(|(_, to, _)| *to == host), "{host}: {calls:?}");
        }
    }

    #[test]
    fn what_is_fetched_is_asked_for_and_what_goes_through_a_host_calls_twice() {
        let fetched = calls(
            "[[errand]]\nname = \"e\"\nby = [\"server-1\"]\nto = [\"printer\"]\nfetched = true\n\
             over = \"http/8530\"\nbytes = 900\nafter = \"1m\"\nevery = \"1h\"\n",
        );
        let through = calls(
            "[[errand]]\nname = \"e\"\nby = [\"server-1\"]\nto = [\"server-5\"]\n\
             through = \"server-3\"\nover = \"ssh\"\nbytes = 900\nafter = \"1m\"\n",
        );

        let round = [(2, 2, 8530), (3, 2, 8530)];
        assert_eq!(fetched, [round, round, round].concat());
        assert_eq!(through, [(2, 4, 22), (4, 6, 22)]);
    }

    #[test]
    fn only_those_of_the_own_subnet_are_near() {
        let calls = calls(
            "[[errand]]\nname = \"e\"\nby = [\"printer-1\"]\nto = [\"server\", \"printer\"]\n\
             near = true\nover = \"smb\"\nbytes = 900\nafter = \"1m\"\n",
        );

        assert_eq!(calls, [(2, 3, 445)]);
    }
}

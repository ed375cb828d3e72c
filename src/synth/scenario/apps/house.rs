//! Servers that serve: shells, databases, mail from outside, people at home.

use std::time::Duration;

use super::super::super::conversation::{End as Close, Side};
use super::super::body::{Body, Framing};
use super::super::chance::{fixed, pareto};
use super::super::names::OTHER;
use super::super::place::Stack;
use super::super::role::Role;
use super::super::speech::{
    AT_ONCE, filler, sealed, smtp, ssh_key, ssh_open, ssh_refused, stamp, tls,
};
use super::super::stage::Stage;
use super::super::world::Party::Host as of;
use super::super::world::{HostId, Party};
use super::volume;

/// Where people at home and mail servers of others begin among the hosts of the Internet.
const HOMES: u32 = OTHER + 3000;

/// A developer works on one of a handful of servers.
pub(super) fn shell(stage: &mut Stage, host: HostId) {
    let world = stage.world.clone();
    let servers: Vec<_> = (0..)
        .map(HostId)
        .zip(&world.hosts)
        .filter(|(_, server)| server.role.is_server() && server.services.contains(&22))
        .map(|(id, _)| id)
        .collect();
    // Everybody has a few servers of their own.
    let which = stage.rng.below(4);
    let index = fixed(&[world.host(host).seed, which, 92]) as usize % servers.len().max(1);
    let Some(server) = servers.get(index).copied() else { return };
    let mut call = stage.call(of(host), of(server), 22);
    ssh_open(&mut call, "OpenSSH_9.6");
    let account = format!("dev-{}", host.0);
    if stage.rng.chance(6) {
        ssh_refused(&mut call, &account, 1);
        stage.play(call);
        return;
    }
    ssh_key(&mut call, &account);
    let is_fetch = stage.rng.chance(40);
    if is_fetch {
        let size = pareto(&mut stage.rng, (3_000, 30_000_000), 0.9);
        let size = volume(stage, size);
        filler(&mut call, Side::Client, Duration::from_millis(2), 900);
        filler(&mut call, Side::Server, Duration::from_millis(60), size);
    } else {
        for _ in 0..stage.rng.between(20, 160) {
            let pause = pareto(&mut stage.rng, (90, 40_000), 0.9);
            filler(&mut call, Side::Client, Duration::from_millis(pause), 36);
            filler(&mut call, Side::Server, Duration::from_micros(500), 36);
            if stage.rng.chance(12) {
                let shown = pareto(&mut stage.rng, (100, 40_000), 1.0) as usize;
                filler(&mut call, Side::Server, Duration::from_millis(15), shown);
            }
        }
    }
    stage.play(call);
}

/// A web server asks its database: a startup without TLS, then questions (PostgreSQL protocol 3.0).
pub(super) fn query(stage: &mut Stage, host: HostId) {
    let Some(server) = stage.world.usual(host, Role::DatabaseServer) else { return };
    let mut call = stage.call(of(host), of(server), 5432);
    let mut startup = vec![0, 0, 0, 0, 0, 3, 0, 0];
    startup.extend_from_slice(b"user\0app\0database\0app\0\0");
    let length = startup.len() as u32;
    super::super::speech::put(&mut startup, 0, &length.to_be_bytes());
    call.say(Side::Client, AT_ONCE, Body::of(startup));
    let ready = [b"R\0\0\0\x08\0\0\0\0".as_slice(), b"Z\0\0\0\x05I"].concat();
    call.say(Side::Server, Duration::from_millis(1), Body::of(ready));
    for _ in 0..stage.rng.between(1, 8) {
        let question = b"SELECT value FROM things WHERE id = 7\0";
        let mut message = vec![b'Q'];
        message.extend_from_slice(&(question.len() as u32 + 4).to_be_bytes());
        message.extend_from_slice(question);
        call.say(Side::Client, Duration::from_millis(3), Body::of(message));
        let size = pareto(&mut stage.rng, (80, 300_000), 1.1) as usize;
        let mut row = vec![b'D'];
        row.extend_from_slice(&(size as u32 + 10).to_be_bytes());
        row.extend_from_slice(&[0, 1]);
        row.extend_from_slice(&(size as u32).to_be_bytes());
        let (length, own) = (row.len() + size, stamp(&call));
        call.say(
            Side::Server,
            Duration::from_millis(2),
            Body::framed(Framing::Plain, row, length, own),
        );
        call.say(Side::Server, AT_ONCE, Body::of(b"C\0\0\0\x0dSELECT 1\0Z\0\0\0\x05I".to_vec()));
    }
    call.say(Side::Client, Duration::from_millis(2), Body::of(b"X\0\0\0\x04".to_vec()));
    stage.play(call);
}

/// A mail arrives from another house's server.
pub(super) fn inbound_mail(stage: &mut Stage, host: HostId) {
    let sender = HOMES + 1000 + stage.rng.below(700) as u32;
    let mut call = stage.call(Party::Outside(sender), of(host), 25);
    let size = pareto(&mut stage.rng, (2_000, 6_000_000), 1.1);
    let size = volume(stage, size);
    let to = format!("person-{}@{}", stage.rng.below(500), stage.world.domain);
    let own = stamp(&call);
    smtp(&mut call, ("somebody@elsewhere.example", &to), "hello", size, own);
    stage.play(call);
    // As many go out; a few servers of others cannot be reached.
    if stage.rng.chance(60) {
        let other = HOMES + 1000 + stage.rng.below(700) as u32;
        let mut call = stage.call(of(host), Party::Outside(other), 25);
        let size = pareto(&mut stage.rng, (2_000, 6_000_000), 1.1);
        let size = volume(stage, size);
        let own = stamp(&call);
        smtp(&mut call, (&to, "somebody@elsewhere.example"), "re: hello", size, own);
        stage.play(call);
    }
}

/// Somebody at home opens a tunnel over TLS, and works through it for a while.
pub(super) fn remote(stage: &mut Stage, host: HostId) {
    let home = HOMES + stage.rng.below(400) as u32;
    let name = stage.world.full_name(host);
    let mut call = stage.call(Party::Outside(home), of(host), 443);
    call.client.stack = Stack::Windows;
    tls(&mut call, &name, 2_300);
    for _ in 0..stage.rng.between(40, 400) {
        let sent = pareto(&mut stage.rng, (80, 40_000), 1.1) as usize;
        let received = pareto(&mut stage.rng, (80, 400_000), 1.0);
        let received = volume(stage, received);
        let pause = pareto(&mut stage.rng, (100, 120_000), 0.8);
        sealed(&mut call, Side::Client, Duration::from_millis(pause), sent);
        sealed(&mut call, Side::Server, Duration::from_millis(4), received);
    }
    call.close = Close::Reset(Side::Client);
    stage.play(call);
}

//! Getting in by password: guesses at one login service, and automation that only looks like it.

use std::time::Duration;

use super::conversation::{Conversation, Side};
use super::office::{live, says, says_after};
use super::payload;
use super::scene::{MINUTE, Scene, local, routed};
use super::truth::Truth;

/// Sixty SSH sessions to one server, each with three wrong passwords: short and all alike.
pub fn brute_force(scene: &mut Scene) -> Truth {
    let (guesser, server) = (local(40), routed(4, 22));
    live(scene, &[guesser, local(41)], (Duration::ZERO, 20 * MINUTE), 5 * MINUTE);
    let mut after = 10 * MINUTE;
    for _ in 0..60 {
        after += scene.rng.around(Duration::from_secs(4));
        let mut session = scene.call(after, guesser, server, 22);
        open_ssh(&mut session, "libssh2_1.11.0");
        for _ in 0..3 {
            // A request of one password; the server takes its time to say no.
            session.turns.push(says_after(Duration::from_millis(30), Side::Client, 148));
            session.turns.push(says_after(Duration::from_millis(1900), Side::Server, 52));
        }
        scene.play(session);
    }
    Truth::benign(
        "bruteforce",
        "60 SSH sessions to 10.20.4.22 in 4 minutes, 3 wrong passwords each",
    )
    .and_malicious(guesser.addr, &["auth.bruteforce"])
}

/// A build runner fetches from one Git server over SSH sixty times; the sizes are what changed.
pub fn brute_force_near_miss(scene: &mut Scene) -> Truth {
    let (runner, server) = (local(42), routed(4, 22));
    let mut after = MINUTE;
    for _ in 0..60 {
        after += scene.rng.around(Duration::from_secs(20));
        let mut session = scene.call(after, runner, server, 22);
        open_ssh(&mut session, "OpenSSH_9.2p1");
        log_in(&mut session);
        let fetched = scene.rng.between(3000, 60_000) as usize;
        session.turns.push(says_after(Duration::from_millis(20), Side::Client, 900));
        session.turns.push(says_after(Duration::from_millis(60), Side::Server, fetched));
        scene.play(session);
    }
    Truth::benign("benign", "a build runner fetches 60 times from one Git server over SSH")
}

/// One run of a configuration tool: thirty hosts, all let it in, each with more or less to do.
pub fn automation(scene: &mut Scene) -> Truth {
    let developer = local(43);
    live(scene, &[developer], (Duration::ZERO, 10 * MINUTE), 3 * MINUTE);
    let mut after = 5 * MINUTE;
    for last in 10..40 {
        after += scene.rng.around(Duration::from_millis(700));
        let mut session = scene.call(after, developer, routed(6, last), 22);
        open_ssh(&mut session, "OpenSSH_9.2p1");
        log_in(&mut session);
        for _ in 0..scene.rng.between(2, 9) {
            let pushed = scene.rng.between(300, 9000) as usize;
            let printed = scene.rng.between(100, 4000) as usize;
            session.turns.push(says_after(Duration::from_millis(40), Side::Client, pushed));
            session.turns.push(says_after(Duration::from_millis(400), Side::Server, printed));
        }
        scene.play(session);
    }
    Truth::benign("benign", "one run of a configuration tool over SSH to 30 hosts, all succeed")
}

/// What every SSH session begins with: banners, key exchange, the request to authenticate.
fn open_ssh(session: &mut Conversation, software: &str) {
    let (mine, theirs) = (payload::ssh_banner(software), payload::ssh_banner("OpenSSH_9.2p1"));
    let keys = payload::ssh_key_exchange();
    session.turns = vec![
        says(Side::Client, mine.clone(), mine.len()),
        says(Side::Server, theirs.clone(), theirs.len()),
        says(Side::Client, keys.clone(), 1024),
        says(Side::Server, keys, 1080),
        says(Side::Client, Vec::new(), 48),
        says_after(Duration::from_millis(6), Side::Server, 564),
        says(Side::Client, Vec::new(), 60),
        says(Side::Server, Vec::new(), 44),
    ];
}

/// A public key that the server takes, and the channel that follows.
fn log_in(session: &mut Conversation) {
    session.turns.push(says_after(Duration::from_millis(4), Side::Client, 512));
    session.turns.push(says_after(Duration::from_millis(9), Side::Server, 28));
    session.turns.push(says(Side::Client, Vec::new(), 112));
    session.turns.push(says(Side::Server, Vec::new(), 500));
}

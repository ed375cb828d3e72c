//! Accounts that are tried on many servers, or turn up on many hosts, and those that belong there.

use std::time::Duration;

use super::conversation::{Side, Turn};
use super::office::{live, says};
use super::packet::Station;
use super::scene::{DAY, HOUR, MINUTE, Scene, local, routed};
use super::truth::Truth;

/// One account and one password on fourteen file transfer servers; all say no.
pub fn spray(scene: &mut Scene) -> Truth {
    let intruder = local(46);
    live(scene, &[intruder, local(41)], (Duration::ZERO, 20 * MINUTE), 5 * MINUTE);
    let mut after = 10 * MINUTE;
    for last in 30..44 {
        after += scene.rng.around(Duration::from_secs(9));
        log_in(scene, after, intruder, routed(6, last), "deploy", false);
    }
    Truth::benign("auth-spray", "one account tried on 14 FTP servers in 2 minutes, all refuse")
        .and_malicious(intruder.addr, &["auth.spray"])
}

/// A terminal server on Monday morning: twenty people log in, every third mistypes first.
pub fn spray_near_miss(scene: &mut Scene) -> Truth {
    let (terminal, server) = (local(47), routed(4, 21));
    let mut after = MINUTE;
    for person in 0..20 {
        after += scene.rng.around(MINUTE);
        let user = format!("person{person}");
        if person % 3 == 0 {
            log_in(scene, after, terminal, server, &user, false);
            after += Duration::from_secs(12);
        }
        log_in(scene, after, terminal, server, &user, true);
    }
    Truth::benign("benign", "20 people log in from a terminal server, every third mistypes first")
}

/// For five days one host uses an account; then five others do within minutes.
pub fn shared(scene: &mut Scene) -> Truth {
    let server = routed(4, 21);
    work(scene, &[local(20)], server, "archive");
    let thieves: Vec<Station> = (61..66).map(local).collect();
    let mut after = 5 * DAY;
    for thief in &thieves {
        after += scene.rng.around(MINUTE);
        log_in(scene, after, *thief, server, "archive", true);
    }
    let truth =
        Truth::benign("auth-shared", "an account of one host is used by 5 others within 5 minutes");
    thieves.iter().fold(truth, |truth, thief| truth.and_malicious(thief.addr, &["auth.shared"]))
}

/// For five days eight hosts use a service account; then it is rolled out to four more.
pub fn shared_near_miss(scene: &mut Scene) -> Truth {
    let server = routed(4, 21);
    let fleet: Vec<Station> = (20..28).map(local).collect();
    work(scene, &fleet, server, "telemetry");
    let mut after = 5 * DAY;
    for last in 61..65 {
        after += scene.rng.around(MINUTE);
        log_in(scene, after, local(last), server, "telemetry", true);
    }
    Truth::benign("benign", "a service account of 8 hosts is rolled out to 4 more in 4 minutes")
}

/// Five days, six logins a day by each host.
fn work(scene: &mut Scene, hosts: &[Station], server: Station, user: &str) {
    for day in 0..5 {
        for hour in 0..6 {
            for host in hosts {
                let after = day * DAY + hour * HOUR + scene.rng.around(20 * MINUTE);
                log_in(scene, after, *host, server, user, true);
            }
        }
    }
}

/// An FTP session (RFC 959) that is let in or refused.
fn log_in(
    scene: &mut Scene,
    after: Duration,
    client: Station,
    server: Station,
    user: &str,
    is_let_in: bool,
) {
    let answer = if is_let_in { "230 Login successful." } else { "530 Login incorrect." };
    let mut session = scene.call(after, client, server, 21);
    session.turns = vec![
        line(Side::Server, "220 Service ready."),
        line(Side::Client, &format!("USER {user}")),
        line(Side::Server, "331 Please specify the password."),
        line(Side::Client, "PASS not-a-real-one"),
        Turn { after: Duration::from_millis(300), ..line(Side::Server, answer) },
        line(Side::Client, "QUIT"),
        line(Side::Server, "221 Goodbye."),
    ];
    scene.play(session);
}

fn line(from: Side, text: &str) -> Turn {
    let text = format!("{text}\r\n").into_bytes();
    let length = text.len();
    says(from, text, length)
}

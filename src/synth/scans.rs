//! Looking for hosts: six ways to scan, and beside each what looks most like it and is not.

use std::time::Duration;

use super::conversation::{End, Fate, Side, Turn};
use super::exchange::{ping, resolve};
use super::office::{live, look_up, moment, read_file, says};
use super::payload;
use super::scene::{DAY, HOUR, MINUTE, START, Scene, local, routed, router};
use super::truth::Truth;

/// A worm that found TCP port 445 walks through a /24, after half an hour of ordinary life.
pub fn horizontal(scene: &mut Scene) -> Truth {
    let worm = local(17);
    live(scene, &[worm, local(18), local(19)], (Duration::ZERO, 40 * MINUTE), 6 * MINUTE);
    let mut targets: Vec<u8> = (1..=254).collect();
    scene.rng.shuffle(&mut targets);
    let mut after = 31 * MINUTE;
    for last in targets {
        after += scene.rng.around(Duration::from_millis(20));
        let mut call = scene.call(after, worm, routed(3, last), 445);
        (call.fate, call.end) = match last {
            1..=12 => (Fate::Accepted, End::Reset(Side::Client)),
            13..=40 => (Fate::Refused, call.end),
            _ => (Fate::Unanswered { syns: 3 }, call.end),
        };
        let hello = payload::smb_negotiate();
        let answer = payload::smb_negotiated();
        call.turns = vec![
            says(Side::Client, hello.clone(), hello.len()),
            says(Side::Server, answer.clone(), answer.len()),
        ];
        scene.play(call);
    }
    Truth::benign(
        "scan-horizontal",
        "tcp/445 over 10.20.3.0/24 at 50 a second, past 30 clean minutes",
    )
    .and_malicious(worm.addr, &["scan.horizontal"])
}

/// A patch server reaches sixty clients on TCP port 445 within ten minutes. All of them answer, and
/// all had come to it before.
pub fn horizontal_near_miss(scene: &mut Scene) -> Truth {
    let server = local(20);
    let clients: Vec<_> = (10..70).map(|last| routed(3, last)).collect();
    let mut after = MINUTE;
    for client in &clients {
        after += scene.rng.around(Duration::from_secs(30));
        let mut poll = scene.call(after, *client, server, 8530);
        let request = payload::http_request("updates.example.com", "/selfupdate");
        poll.turns = vec![
            says(Side::Client, request.clone(), request.len()),
            says(Side::Server, payload::http_response(1800), 1900),
        ];
        scene.play(poll);
    }
    let mut after = 2 * HOUR;
    for client in &clients {
        after += scene.rng.around(Duration::from_secs(10));
        let length = scene.rng.between(3000, 30_000) as usize;
        read_file(scene, after, &server, client, length);
    }
    Truth::benign("benign", "a patch server pushes over tcp/445 to 60 known clients, all answer")
}

/// A thousand ports of one server in random order, as `nmap -sS` does it.
pub fn vertical(scene: &mut Scene) -> Truth {
    let (scanner, target) = (local(31), routed(3, 5));
    live(scene, &[scanner, local(32)], (Duration::ZERO, 20 * MINUTE), 5 * MINUTE);
    let mut ports: Vec<u16> = (1..=1000).collect();
    scene.rng.shuffle(&mut ports);
    let mut after = 10 * MINUTE;
    // One source port for the whole run is what the tool does.
    let source_port = scene.ephemeral_port();
    for port in ports {
        after += scene.rng.around(Duration::from_millis(5));
        let mut call = scene.call(after, scanner, target, port);
        call.ports.0 = source_port;
        call.fate = match port {
            22 | 80 | 111 | 443 => Fate::HalfOpen,
            135..=139 => Fate::Unanswered { syns: 1 },
            _ => Fate::Refused,
        };
        scene.play(call);
    }
    Truth::benign("scan-vertical", "1000 ports of 10.20.3.5 in 5 s, 4 of them open")
        .and_malicious(scanner.addr, &["scan.vertical"])
}

/// Passive FTP: one control connection, and for each of two hundred files another high port.
pub fn vertical_near_miss(scene: &mut Scene) -> Truth {
    let (client, server) = (local(33), routed(3, 6));
    let mut control = scene.call(MINUTE, client, server, 21);
    let line = |from, text: &str| says(from, text.as_bytes().to_vec(), text.len());
    control.turns = vec![
        line(Side::Server, "220 ready\r\n"),
        line(Side::Client, "USER reader\r\n"),
        line(Side::Server, "331 password, please\r\n"),
        line(Side::Client, "PASS secret\r\n"),
        line(Side::Server, "230 welcome\r\n"),
    ];
    let mut files = Vec::new();
    for number in 0..200 {
        let port = 50_000 + scene.rng.below(10_000) as u16;
        let [high, low] = port.to_be_bytes();
        let wait = Duration::from_millis(150);
        control.turns.push(Turn { after: wait, ..line(Side::Client, "PASV\r\n") });
        let entered = format!("{ENTERED} (10,20,3,6,{high},{low})\r\n");
        control.turns.push(line(Side::Server, &entered));
        control.turns.push(line(Side::Client, &format!("RETR file-{number:03}\r\n")));
        control.turns.push(Turn { after: wait, ..line(Side::Server, "226 complete\r\n") });
        files.push(port);
    }
    // Each data connection begins when the client has read where to.
    let announced: Vec<_> = control
        .clone()
        .play()
        .filter(|packet| {
            packet.frame.get(54..).is_some_and(|data| data.starts_with(ENTERED.as_bytes()))
        })
        .map(|packet| packet.ts.since(START))
        .collect();
    scene.play(control);
    for (port, after) in files.into_iter().zip(announced) {
        let mut data = scene.call(after + Duration::from_micros(80), client, server, port);
        data.turns = vec![says(Side::Server, Vec::new(), scene.rng.between(500, 6000) as usize)];
        data.end = End::Fin(Side::Server);
        scene.play(data);
    }
    Truth::benign("benign", "passive FTP uses 200 high ports of one server, each of them open")
}

/// How a server announces a passive port (RFC 959 section 4.2).
const ENTERED: &str = "227 Entering Passive Mode";

/// As far as a worm gets that wants to know what it has found.
fn smb_greeting() -> Vec<Turn> {
    let hello = payload::smb_negotiate();
    vec![
        says(Side::Client, hello.clone(), hello.len()),
        says(Side::Server, payload::smb_negotiated(), 400),
    ]
}

/// A new host on TCP port 445 every half hour for two days; six of ten attempts fail.
pub fn slow(scene: &mut Scene) -> Truth {
    let worm = local(44);
    live(scene, &[worm, local(45), local(46)], (Duration::ZERO, 2 * DAY), 3 * HOUR);
    for (turn, number) in (0..96u32).zip(0u8..) {
        let jitter = scene.rng.around(Duration::from_secs(300));
        let target = routed(5 + number % 3, 20 + number);
        let mut call = scene.call(turn * 30 * MINUTE + jitter, worm, target, 445);
        call.fate = match scene.rng.below(10) {
            0..3 => Fate::Refused,
            3..6 => Fate::Unanswered { syns: 3 },
            _ => Fate::Accepted,
        };
        call.turns = smb_greeting();
        scene.play(call);
    }
    Truth::benign("scan-slow", "one new host on tcp/445 every 30 minutes for 2 days, 60 % fail")
        .and_malicious(worm.addr, &["scan.slow", "scan.horizontal"])
}

/// A slow worm that knows where it goes: nobody it calls was ever called by it, and all answer.
pub fn slow_hit_list(scene: &mut Scene) -> Truth {
    let worm = local(48);
    live(scene, &[worm, local(45), local(46)], (Duration::ZERO, 4 * DAY), 6 * HOUR);
    for (turn, number) in (0..192u32).zip(0u8..) {
        let jitter = scene.rng.around(Duration::from_secs(300));
        let target = routed(5 + number % 3, 20 + number);
        let mut call = scene.call(turn * 30 * MINUTE + jitter, worm, target, 445);
        call.turns = smb_greeting();
        scene.play(call);
    }
    Truth::benign("scan-slow", "one new host on tcp/445 every half hour for 4 days, all answer")
        .and_malicious(worm.addr, &["scan.slow"])
}

/// A backup server opens TCP port 445 at the same pace, to the same two dozen hosts, day after day.
pub fn slow_near_miss(scene: &mut Scene) -> Truth {
    let server = local(47);
    live(scene, &[server, local(45), local(46)], (Duration::ZERO, 2 * DAY), 4 * HOUR);
    for turn in 0..96u32 {
        let jitter = scene.rng.around(Duration::from_secs(300));
        let target = routed(5, 20 + (turn % 24) as u8);
        let length = scene.rng.between(4000, 40_000) as usize;
        read_file(scene, turn * 30 * MINUTE + jitter, &server, &target, length);
    }
    Truth::benign("benign", "a backup server reads 24 hosts over tcp/445, one every 30 minutes")
}

/// An ARP sweep over the own /24; thirty hosts answer.
pub fn arp(scene: &mut Scene) -> Truth {
    let scanner = local(50);
    live(scene, &[scanner, local(51), local(52)], (Duration::ZERO, 20 * MINUTE), 5 * MINUTE);
    let mut after = 10 * MINUTE;
    for last in 1..=254 {
        after += scene.rng.around(Duration::from_millis(30));
        let target = local(last);
        let owner = (last <= 2 || (40..68).contains(&last)).then_some(&target);
        scene.show(resolve(&scanner, target.addr, owner, moment(after)));
    }
    Truth::benign("scan-arp", "an ARP request for each of 254 addresses in 8 s, 30 answer")
        .and_malicious(scanner.addr, &["scan.arp"])
}

/// The router looks for a hundred and twenty live hosts, again and again; four went home.
pub fn arp_near_miss(scene: &mut Scene) -> Truth {
    for round in 0..6u32 {
        let mut after = round * 5 * MINUTE + MINUTE;
        for last in 10..130 {
            after += scene.rng.around(Duration::from_millis(400));
            let target = local(last);
            let gone = round > 2 && (60..64).contains(&last);
            scene.show(resolve(&router(), target.addr, (!gone).then_some(&target), moment(after)));
        }
    }
    Truth::benign("benign", "the router resolves 120 live hosts every 5 minutes, 4 of them leave")
}

/// A ping sweep over another /24; thirty hosts answer.
pub fn icmp(scene: &mut Scene) -> Truth {
    let scanner = local(55);
    live(scene, &[scanner, local(56)], (Duration::ZERO, 20 * MINUTE), 5 * MINUTE);
    let mut after = 10 * MINUTE;
    for last in 1..=254u8 {
        after += scene.rng.around(Duration::from_millis(25));
        let target = routed(3, last);
        let rtt = scene.rtt(&scanner, &target);
        let id = (0x1d00 + u16::from(last), 1);
        let alive = (10..40).contains(&last);
        let frames = ping(&mut scene.rng, (&scanner, &target), moment(after), rtt, id, alive);
        scene.show(frames);
    }
    Truth::benign("scan-icmp", "an echo request to each of 254 addresses in 6 s, 30 answer")
        .and_malicious(scanner.addr, &["scan.icmp"])
}

/// A monitor pings the same sixty hosts every minute; all answer.
pub fn icmp_near_miss(scene: &mut Scene) -> Truth {
    let monitor = local(57);
    for round in 0..20u16 {
        let mut after = u32::from(round) * MINUTE;
        for last in 10..70u8 {
            after += scene.rng.around(Duration::from_millis(25));
            let target = routed(3, last);
            let rtt = scene.rtt(&monitor, &target);
            let id = (u16::from(last), round + 1);
            let frames = ping(&mut scene.rng, (&monitor, &target), moment(after), rtt, id, true);
            scene.show(frames);
        }
    }
    Truth::benign("benign", "a monitor pings the same 60 hosts every minute, all answer")
}

/// Twelve touches of addresses that nobody uses, over a day, in a /24 where sixty hosts live.
pub fn dark(scene: &mut Scene) -> Truth {
    let intruder = local(66);
    lively_subnet(scene);
    live(scene, &[intruder], (Duration::ZERO, DAY), 90 * MINUTE);
    for turn in 0..12u32 {
        let jitter = scene.rng.around(8 * MINUTE);
        let target = routed(3, 100 + 9 * turn as u8);
        let port = [445, 3389, 22, 80].get(turn as usize % 4).copied().unwrap_or(445);
        let mut call = scene.call(2 * HOUR + turn * 100 * MINUTE + jitter, intruder, target, port);
        call.fate = Fate::Unanswered { syns: 3 };
        scene.play(call);
    }
    Truth::benign("scan-dark", "12 unused addresses of a lively /24, one every 100 minutes")
        .and_malicious(intruder.addr, &["scan.dark"])
}

/// A client looks for its old printer and a server that moved, all day, in the same lively /24.
pub fn dark_near_miss(scene: &mut Scene) -> Truth {
    let client = local(67);
    lively_subnet(scene);
    live(scene, &[client], (Duration::ZERO, DAY), 90 * MINUTE);
    for turn in 0..24u32 {
        let jitter = scene.rng.around(8 * MINUTE);
        let (last, port) = if turn % 3 == 0 { (210, 445) } else { (200, 9100) };
        let at = 2 * HOUR + turn * 50 * MINUTE + jitter;
        look_up(scene, at.saturating_sub(Duration::from_millis(30)), &client, "old.example.com");
        let mut call = scene.call(at, client, routed(3, last), port);
        call.fate = Fate::Unanswered { syns: 3 };
        scene.play(call);
    }
    Truth::benign("benign", "24 tries to reach two addresses that are no longer used")
}

/// Sixty hosts of 10.20.3.0/24, each called by somebody in the first two hours.
fn lively_subnet(scene: &mut Scene) {
    for last in 10..70u8 {
        let client = local(100 + last % 12);
        let after = scene.rng.around(HOUR);
        let length = scene.rng.between(500, 3000) as usize;
        let request = payload::http_request("intranet.example.com", "/");
        let mut call = scene.call(after, client, routed(3, last), 80);
        call.turns = vec![
            says(Side::Client, request.clone(), request.len()),
            says(Side::Server, payload::http_response(length), length),
        ];
        scene.play(call);
    }
}

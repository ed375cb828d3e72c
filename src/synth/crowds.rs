//! Hosts that speak with many others because that is their work, and convict no one.

use std::time::Duration;

use super::conversation::{End, Fate, Side, View};
use super::exchange::{Answer, ask};
use super::office::{browse, host_name, look_up, moment, says, says_after};
use super::payload;
use super::scene::{HOUR, MINUTE, Scene, local, outside, routed};
use super::truth::Truth;

/// A resolver asks a hundred and fifty name servers for its clients; a few never answer.
pub fn resolver(scene: &mut Scene) -> Truth {
    let (resolver, mut after) = (local(53), Duration::ZERO);
    for number in 0..400u32 {
        after += scene.rng.around(Duration::from_secs(3));
        let client = local(100 + scene.rng.below(20) as u8);
        let authority = outside(scene.rng.below(150) as u32);
        let name = format!("n{number}.example.net");
        let id = scene.rng.short();
        let question = payload::dns_question(id, &name);
        let dead = scene.rng.chance(8);
        let found = if dead {
            Answer::Nothing
        } else {
            Answer::Payload(payload::dns_answer(id, &name, [203, 0, 113, 9]))
        };
        let rtt = scene.rtt(&resolver, &authority);
        let ports = (scene.ephemeral_port(), 53);
        let at = moment(after + Duration::from_micros(400));
        let upstream =
            ask(&mut scene.rng, (&resolver, &authority), ports, at, rtt, &question, &found);
        scene.show(upstream);
        let ports = (scene.ephemeral_port(), 53);
        let wait = rtt + Duration::from_millis(if dead { 1900 } else { 1 });
        let at = moment(after);
        let downstream =
            ask(&mut scene.rng, (&client, &resolver), ports, at, wait, &question, &found);
        scene.show(downstream);
    }
    Truth::benign("benign", "a resolver asks 150 name servers, 8 % of the questions go unanswered")
}

/// Three pages that load from eighty servers; two trackers are blocked.
pub fn browsing(scene: &mut Scene) -> Truth {
    let reader = local(60);
    let mut number = 0;
    for page in 0..3u32 {
        let mut after = page * 40 * Duration::from_secs(1) + Duration::from_secs(5);
        for _ in 0..27 {
            let server = outside(number);
            number += 1;
            after += scene.rng.around(Duration::from_millis(60));
            if number % 40 == 7 {
                let answered = look_up(scene, after, &reader, &host_name(&server));
                let mut blocked = scene.call(answered, reader, server, 443);
                blocked.fate = Fate::Refused;
                scene.play(blocked);
            } else {
                let length = scene.rng.between(1500, 12_000) as usize;
                browse(scene, after, &reader, &server, length);
            }
        }
    }
    Truth::benign("benign", "three web pages load from 81 servers within two minutes")
}

/// A file-sharing client meets two hundred peers on as many ports; most are gone.
pub fn file_sharing(scene: &mut Scene) -> Truth {
    let sharer = local(61);
    look_up(scene, Duration::from_secs(1), &sharer, "tracker.example.org");
    let mut after = Duration::from_secs(3);
    for number in 0..200u32 {
        after += scene.rng.around(Duration::from_millis(1200));
        let peer = outside(300 + number);
        let port = 10_000 + scene.rng.below(50_000) as u16;
        // The "find peers" question of BEP 5, with identifiers of filler.
        let id = "abcdefghij0123456789";
        let question = format!("d1:ad2:id20:{id}9:info_hash20:{id}e1:q9:get_peers1:t2:aa1:y1:qe");
        let reply = format!("d1:rd2:id20:{id}5:token8:aoeusnth6:valuesl6:axje.uee1:t2:aa1:y1:re");
        let answer = if scene.rng.chance(45) {
            Answer::Payload(reply.into_bytes())
        } else {
            Answer::Nothing
        };
        let (rtt, at) = (scene.rtt(&sharer, &peer), moment(after));
        let ends = (&sharer, &peer);
        let frames = ask(&mut scene.rng, ends, (6881, port), at, rtt, question.as_bytes(), &answer);
        scene.show(frames);
        if number % 3 == 0 {
            let mut transfer = scene.call(after + Duration::from_secs(2), sharer, peer, port);
            if answer == Answer::Nothing {
                transfer.fate = Fate::Unanswered { syns: 2 };
            }
            let hello = b"\x13BitTorrent protocol\0\0\0\0\0\0\0\0".to_vec();
            transfer.turns = vec![
                says(Side::Client, hello.clone(), 68),
                says(Side::Server, hello, 68),
                says(Side::Server, Vec::new(), 9000),
            ];
            scene.play(transfer);
        }
    }
    Truth::benign("benign", "a file-sharing client tries 200 peers on 200 ports, half are gone")
}

/// A mail server delivers to seventy others; some are down, some say no.
pub fn mail_server(scene: &mut Scene) -> Truth {
    let server = local(25);
    let mut after = Duration::ZERO;
    for number in 0..70u32 {
        after += scene.rng.around(Duration::from_secs(25));
        let other = outside(500 + number);
        let answered = look_up(scene, after, &server, &host_name(&other));
        let mut delivery = scene.call(answered + Duration::from_millis(2), server, other, 25);
        delivery.fate = match scene.rng.below(10) {
            0 => Fate::Unanswered { syns: 3 },
            1 => Fate::Refused,
            _ => Fate::Accepted,
        };
        delivery.turns = smtp(scene.rng.between(1500, 9000) as usize);
        scene.play(delivery);
        if number % 2 == 0 {
            let mut incoming =
                scene.call(after + Duration::from_secs(4), outside(600 + number), server, 25);
            incoming.turns = smtp(4000);
            scene.play(incoming);
        }
    }
    Truth::benign(
        "benign",
        "a mail server delivers to 70 others, a fifth of them cannot be reached",
    )
}

fn smtp(length: usize) -> Vec<super::conversation::Turn> {
    let line = |from, text: &str| says(from, text.as_bytes().to_vec(), text.len());
    vec![
        line(Side::Server, "220 mail.example.com ESMTP\r\n"),
        line(Side::Client, "EHLO mail.example.org\r\n"),
        line(Side::Server, "250 mail.example.com\r\n"),
        line(Side::Client, "MAIL FROM:<a@example.org>\r\n"),
        line(Side::Server, "250 ok\r\n"),
        line(Side::Client, "RCPT TO:<b@example.com>\r\n"),
        line(Side::Server, "250 ok\r\n"),
        line(Side::Client, "DATA\r\n"),
        line(Side::Server, "354 go ahead\r\n"),
        says(Side::Client, b"Subject: hello\r\n\r\n".to_vec(), length),
        line(Side::Server, "250 queued\r\n"),
    ]
}

/// A monitor asks forty hosts for their services every five minutes; three services are down.
pub fn monitoring(scene: &mut Scene) -> Truth {
    let monitor = local(58);
    for round in 0..6u32 {
        let mut after = round * 5 * MINUTE + Duration::from_secs(2);
        for last in 10..50u8 {
            after += scene.rng.around(Duration::from_millis(150));
            let target = routed(3, last);
            let rtt = scene.rtt(&monitor, &target);
            let ports = (scene.ephemeral_port(), 161);
            let answer = Answer::Payload(payload::snmp(true));
            let (question, at) = (payload::snmp(false), moment(after));
            let ends = (&monitor, &target);
            let frames = ask(&mut scene.rng, ends, ports, at, rtt, &question, &answer);
            scene.show(frames);
            let port = [22, 80, 443, 5666].get(usize::from(last % 4)).copied().unwrap_or(80);
            let mut check = scene.call(after + Duration::from_millis(20), monitor, target, port);
            if matches!(last, 13 | 26 | 39) {
                check.fate = Fate::Refused;
            }
            check.turns =
                vec![says(Side::Client, Vec::new(), 90), says(Side::Server, Vec::new(), 300)];
            scene.play(check);
        }
    }
    Truth::benign("benign", "a monitor checks 40 hosts every 5 minutes, 3 services are down")
}

/// A mirror of one direction only: twenty clients browse and read files, nobody seems to answer.
pub fn one_way(scene: &mut Scene) -> Truth {
    for last in 100..120u8 {
        let client = local(last);
        let mut after = scene.rng.around(MINUTE);
        for _ in 0..scene.rng.between(6, 40) {
            after += scene.rng.around(Duration::from_secs(20));
            let server = outside(scene.rng.below(250) as u32);
            let mut call = scene.call(after, client, server, 443);
            let hello = payload::tls_client_hello(&host_name(&server));
            call.turns = vec![
                says(Side::Client, hello.clone(), hello.len()),
                says(Side::Server, Vec::new(), 2900),
                says(Side::Client, Vec::new(), 700),
                says_after(Duration::from_millis(20), Side::Server, 8000),
            ];
            call.view = View::Only(Side::Client);
            call.end = End::Fin(Side::Client);
            scene.play(call);
        }
    }
    Truth::benign("benign", "20 clients browse, and the mirror shows only what they send")
}

/// A client whose server is down asks again for hours: five hundred times, in two ways.
pub fn dead_server(scene: &mut Scene) -> Truth {
    let client = local(70);
    let mut after = Duration::ZERO;
    for attempt in 0..500u32 {
        after += scene.rng.around(Duration::from_secs(20));
        // First the service is stopped, then the machine is off.
        let mut call = scene.call(after, client, routed(4, 80), 8080);
        call.fate = if attempt < 250 { Fate::Refused } else { Fate::Unanswered { syns: 3 } };
        scene.play(call);
    }
    debug_assert!(after < 4 * HOUR, "500 tries take under three hours");
    Truth::benign("benign", "a client asks a dead server 500 times")
}

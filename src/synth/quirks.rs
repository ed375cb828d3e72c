//! Traffic that is odd on the wire and means nothing: backscatter, discovery, reused ports.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use super::conversation::Side;
use super::office::{live, moment, says, set_clock};
use super::packet::{Flags, Segment, Stamped, Station, tcp, udp};
use super::payload;
use super::scene::{MINUTE, Scene, local, outside, routed};
use super::truth::Truth;
use crate::net::MacAddr;

/// Somebody floods two servers of the Internet with our addresses as the forged source; their
/// answers reach addresses here, most of which nobody uses.
pub fn backscatter(scene: &mut Scene) -> Truth {
    let mut after = Duration::from_secs(1);
    let mut frames = Vec::new();
    for number in 0..600u32 {
        after += scene.rng.around(Duration::from_millis(300));
        let victim = outside(400 + number % 2);
        let reached = local(2 + scene.rng.below(250) as u8);
        let segment = Segment {
            ports: (80, 1024 + scene.rng.below(60_000) as u16),
            seq: scene.rng.bits() as u32,
            ack: scene.rng.bits() as u32,
            flags: if scene.rng.chance(70) { Flags::SYN_ACK } else { Flags::RST_ACK },
            window: 64_240,
            payload: &[],
        };
        let frame = tcp(&victim, &reached, scene.rng.short(), &segment);
        frames.push(Stamped { ts: moment(after), frame });
        // Where somebody is, the stack says that it never asked (RFC 9293 section 3.10.7).
        if segment.flags == Flags::SYN_ACK && scene.rng.chance(20) {
            let (theirs, mine) = segment.ports;
            let reset = Segment {
                ports: (mine, theirs),
                seq: segment.ack,
                flags: Flags::RST,
                ..Segment::default()
            };
            let frame = tcp(&reached, &victim, 0, &reset);
            frames.push(Stamped { ts: moment(after + Duration::from_micros(200)), frame });
        }
    }
    scene.show(frames);
    live(scene, &[local(80), local(81)], (Duration::ZERO, 5 * MINUTE), MINUTE);
    Truth::benign("benign", "answers of two flooded servers reach 250 addresses that never asked")
}

/// Twenty hosts look for printers, names, media players and the time, by multicast and broadcast.
pub fn discovery(scene: &mut Scene) -> Truth {
    let mdns = (group([224, 0, 0, 251]), 5353, payload::dns_question(0, "_ipp._tcp.local"));
    let llmnr = (group([224, 0, 0, 252]), 5355, payload::dns_question(7, "printer"));
    let search = b"M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: \"ssdp:discover\"\r\nMX: 2\r\nST: ssdp:all\r\n\r\n";
    let ssdp = (group([239, 255, 255, 250]), 1900, search.to_vec());
    let netbios = (subnet_broadcast(), 137, payload::dns_question(9, "WORKGROUP"));
    let questions = [mdns, llmnr, ssdp, netbios];
    for last in 100..120u8 {
        // RFC 6762 section 11 wants 255; the others do not mind.
        let host = Station { ttl: 255, ..local(last) };
        let mut after = scene.rng.around(MINUTE);
        for turn in 0..24usize {
            after += scene.rng.around(Duration::from_secs(20));
            let Some((whom, port, question)) = questions.get(turn % 4) else { continue };
            let source_port =
                if matches!(port, 5353 | 137) { *port } else { scene.ephemeral_port() };
            let frame = udp(&host, whom, scene.rng.short(), (source_port, *port), question);
            scene.show(vec![Stamped { ts: moment(after), frame }]);
            if turn % 6 == 0 {
                set_clock(scene, after + Duration::from_secs(1), &host);
            }
        }
    }
    Truth::benign("benign", "20 hosts use mDNS, LLMNR, SSDP, NetBIOS names and NTP")
}

/// A client with a fixed source port opens the same connection again and again.
pub fn port_reuse(scene: &mut Scene) -> Truth {
    let (client, server) = (local(71), routed(4, 33));
    for turn in 0..80u32 {
        let jitter = scene.rng.around(Duration::from_secs(1));
        let after = turn * Duration::from_secs(90) + jitter;
        let mut call = scene.call(after, client, server, 1521);
        call.ports.0 = 20_000;
        call.turns = vec![says(Side::Client, Vec::new(), 260), says(Side::Server, Vec::new(), 900)];
        scene.play(call);
    }
    Truth::benign("benign", "80 connections, one after another, with the same four numbers")
}

/// A multicast group, with the hardware address that belongs to it (RFC 1112 section 6.4).
fn group(addr: [u8; 4]) -> Station {
    let [_, second, third, fourth] = addr;
    let mac = MacAddr([0x01, 0x00, 0x5e, second & 0x7f, third, fourth]);
    Station { mac, addr: IpAddr::V4(Ipv4Addr::from(addr)), ttl: 1 }
}

fn subnet_broadcast() -> Station {
    let addr = IpAddr::V4(Ipv4Addr::new(10, 20, 2, 255));
    Station { mac: MacAddr::BROADCAST, addr, ttl: 64 }
}

//! The decoder on real captures that nobody of this project made: every frame of every file gives a
//! packet or a reason, nothing panics, and nearly everything that is IP is understood.
//!
//! With `WORMWATCH_DUMP=FILE` it prints one line per frame of that file, to be compared by hand with
//! what another decoder says.

#![allow(clippy::print_stdout)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use wormwatch::decode::{Body, DecodeConfig, Decoder, Packet, Skip, TransportHeader};
use wormwatch::source::{Frame, LinkType};
use wormwatch::time::Timestamp;

/// Where the captures are, if they are on this machine.
fn corpus() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus");
    let dir = std::env::var_os("WORMWATCH_CORPUS").map_or(beside, PathBuf::from);
    dir.is_dir().then_some(dir)
}

fn captures(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).expect("the corpus can be listed") {
        let path = entry.expect("its entries can be read").path();
        if path.is_dir() {
            captures(&path, found);
        } else if path
            .extension()
            .and_then(|extension| extension.to_str())
            .is_some_and(|extension| matches!(extension, "pcap" | "pcapng" | "cap" | "trace"))
        {
            found.push(path);
        }
    }
}

/// Gives every frame of a capture that libpcap can read, up to the damage if there is any.
fn for_each_frame(path: &Path, mut seen: impl FnMut(&mut Decoder, &Frame<'_>)) {
    let Ok(mut capture) = pcap::Capture::from_file(path) else { return };
    let link = LinkType(u16::try_from(capture.get_datalink().0).expect("link types are 16 bits"));
    let mut decoder = Decoder::new(&DecodeConfig::default());
    while let Ok(packet) = capture.next_packet() {
        let time = packet.header.ts;
        let nanos = time.tv_sec * 1_000_000_000 + time.tv_usec * 1000;
        let frame = Frame {
            ts: Timestamp::from_nanos(nanos),
            link,
            input: 0,
            interface: 0,
            wire_len: packet.header.len,
            data: packet.data,
        };
        seen(&mut decoder, &frame);
    }
}

#[test]
fn every_frame_of_the_corpus_is_a_packet_or_has_a_reason() {
    let Some(dir) = corpus() else {
        println!("skipped: no corpus");
        return;
    };
    let mut paths = Vec::new();
    captures(&dir, &mut paths);
    paths.sort();

    let (mut packets, mut skips) = (0u64, BTreeMap::<&str, u64>::new());
    let mut benign_errors = (0u64, 0u64);
    for path in &paths {
        let benign = path.parent().is_some_and(|parent| parent.ends_with("benign"));
        for_each_frame(path, |decoder, frame| {
            let result = decoder.decode(frame).map(|packet| check(&packet));
            match result {
                Ok(()) => packets += 1,
                Err(skip) => *skips.entry(skip.as_str()).or_default() += 1,
            }
            if benign {
                benign_errors.0 += u64::from(result.is_err_and(Skip::is_error));
                benign_errors.1 += 1;
            }
        });
    }

    println!("{} captures, {packets} packets, skipped: {skips:#?}", paths.len());
    println!("benign: {} errors in {} frames", benign_errors.0, benign_errors.1);
    assert!(packets > 100_000);
    // Ordinary captures hold next to nothing that cannot be understood.
    assert!(benign_errors.0 * 200 < benign_errors.1);
}

/// What holds for every packet.
fn check(packet: &Packet<'_>) {
    if let Body::Ip(ip) = &packet.body {
        let (claimed, captured) = match ip.transport {
            TransportHeader::Tcp(tcp) => (tcp.payload_len, tcp.payload.len()),
            TransportHeader::Udp(udp) => (udp.payload_len, udp.payload.len()),
            TransportHeader::Icmp(icmp) => (icmp.payload_len, icmp.payload.len()),
            TransportHeader::Sctp(sctp) => (sctp.payload_len, sctp.payload.len()),
        };
        assert!(claimed as usize >= captured);
    }
}

#[test]
fn dumps_one_capture_on_request() {
    let Some(path) = std::env::var_os("WORMWATCH_DUMP").map(PathBuf::from) else { return };

    for_each_frame(&path, |decoder, frame| {
        let line = match decoder.decode(frame) {
            Ok(packet) => line(&packet),
            Err(skip) => format!("skip {}", skip.as_str()),
        };
        let odd: Vec<_> = decoder.oddities().iter().map(|oddity| oddity.as_str()).collect();
        println!("{line} {}", odd.join(","));
    });
}

fn line(packet: &Packet<'_>) -> String {
    let ip = match &packet.body {
        Body::Arp(arp) => return format!("arp {} {} {}", arp.operation, arp.sender, arp.target),
        Body::Ip(ip) => ip,
    };
    let ends = format!("{} {}", ip.src, ip.dst);
    match ip.transport {
        TransportHeader::Tcp(tcp) => format!(
            "tcp {ends} {} {} {:#04x} {}",
            tcp.src_port, tcp.dst_port, tcp.flags.0, tcp.payload_len
        ),
        TransportHeader::Udp(udp) => {
            format!("udp {ends} {} {} {}", udp.src_port, udp.dst_port, udp.payload_len)
        }
        TransportHeader::Icmp(icmp) => format!("icmp {ends} {} {}", icmp.kind, icmp.code),
        TransportHeader::Sctp(sctp) => format!("sctp {ends} {} {}", sctp.src_port, sctp.dst_port),
    }
}

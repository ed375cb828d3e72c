//! How long does one frame take to become a packet? Plain TCP in Ethernet, which is most of all
//! traffic, must stay below 60 ns.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use etherparse::PacketBuilder;
use wormwatch::decode::{DecodeConfig, Decoder};
use wormwatch::source::{Frame, LinkType};
use wormwatch::time::Timestamp;

const MACS: ([u8; 6], [u8; 6]) = ([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 9]);

fn frame(data: &[u8]) -> Frame<'_> {
    Frame {
        ts: Timestamp::from_secs(1),
        link: LinkType::ETHERNET,
        input: 0,
        interface: 0,
        wire_len: u32::try_from(data.len()).expect("test frames are short"),
        data,
    }
}

fn tcp4(payload: &[u8]) -> Vec<u8> {
    let builder = PacketBuilder::ethernet2(MACS.0, MACS.1)
        .ipv4([192, 0, 2, 1], [192, 0, 2, 9], 64)
        .tcp(40_000, 445, 1, 8192)
        .ack(7);
    let mut data = Vec::new();
    builder.write(&mut data, payload).expect("a vector takes any frame");
    data
}

fn tcp4_in_vlan() -> Vec<u8> {
    let mut data = tcp4(&[7; 500]);
    data.splice(12..12, [0x81, 0, 0, 5]);
    data
}

fn tcp6() -> Vec<u8> {
    let builder = PacketBuilder::ethernet2(MACS.0, MACS.1)
        .ipv6([1; 16], [2; 16], 64)
        .tcp(40_000, 445, 1, 8192);
    let mut data = Vec::new();
    builder.write(&mut data, &[7; 500]).expect("a vector takes any frame");
    data
}

fn udp4(port: u16, payload: &[u8]) -> Vec<u8> {
    let builder = PacketBuilder::ethernet2(MACS.0, MACS.1)
        .ipv4([192, 0, 2, 1], [192, 0, 2, 9], 64)
        .udp(40_000, port);
    let mut data = Vec::new();
    builder.write(&mut data, payload).expect("a vector takes any frame");
    data
}

fn how_long_for_one_frame(criterion: &mut Criterion) {
    let vxlan = [&[8, 0, 0, 0, 0, 0, 9, 0], &tcp4(&[7; 500])[..]].concat();
    let frames = [
        ("ethernet_ipv4_tcp", tcp4(&[7; 500])),
        ("ethernet_vlan_ipv4_tcp", tcp4_in_vlan()),
        ("ethernet_ipv6_tcp", tcp6()),
        ("ethernet_ipv4_udp", udp4(53, &[7; 60])),
        ("vxlan_ethernet_ipv4_tcp", udp4(4789, &vxlan)),
    ];
    let mut group = criterion.benchmark_group("how_long_for_one_frame");
    group.throughput(Throughput::Elements(1));
    for (name, data) in &frames {
        let mut decoder = Decoder::new(&DecodeConfig::default());
        // As the pipeline does it: the short way, or else the general one.
        let mut becomes_a_packet = |frame: &Frame<'_>| {
            let plain = Decoder::plain(frame, |packet| {
                black_box(packet);
            });
            plain.is_some() || black_box(&decoder.decode(frame)).is_ok()
        };
        assert!(becomes_a_packet(&frame(data)), "{name} is a packet");
        group.bench_function(*name, |bencher| {
            bencher.iter(|| becomes_a_packet(black_box(&frame(data))));
        });
    }
    group.finish();
}

criterion_group!(benches, how_long_for_one_frame);
criterion_main!(benches);

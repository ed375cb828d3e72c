//! How long connection tracking takes for one packet: of an established connection, of a scan, of
//! a whole short conversation.

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use wormwatch::decode::{
    Body, IpPacket, Packet, TcpFlags, TcpSegment, TransportHeader, UdpDatagram,
};
use wormwatch::event::Event;
use wormwatch::flow::{FlowConfig, FlowTable};
use wormwatch::time::Timestamp;

const PACKETS: u32 = 100_000;
const PAYLOAD: [u8; 1200] = [0x5a; 1200];
const SYN: u8 = TcpFlags::SYN;
const ACK: u8 = TcpFlags::ACK;
const FIN: u8 = TcpFlags::FIN;

fn packet(ts: i64, src: u32, dst: u32, transport: TransportHeader<'static>) -> Packet<'static> {
    let addr = |host: u32| IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 | host));
    let ip = IpPacket { src: addr(src), dst: addr(dst), ttl: 64, ip_len: 1240, transport };
    Packet {
        ts: Timestamp::from_nanos(ts),
        interface: 0,
        macs: None,
        vlan: None,
        tunnel: None,
        body: Body::Ip(ip),
    }
}

fn tcp(
    ports: (u16, u16),
    flags: u8,
    (seq, ack): (u32, u32),
    payload: &'static [u8],
) -> TransportHeader<'static> {
    TransportHeader::Tcp(TcpSegment {
        src_port: ports.0,
        dst_port: ports.1,
        seq,
        ack,
        flags: TcpFlags(flags),
        window: 1024,
        payload_len: payload.len() as u32,
        payload,
    })
}

/// Handshakes of `connections` connections between hosts `0..` and one server.
fn establish(table: &mut FlowTable, connections: u32, out: &mut Vec<Event>) {
    for host in 0..connections {
        let client = 1 + host;
        let steps = [
            (true, SYN, (99, 0), &b""[..]),
            (false, SYN | ACK, (499, 100), &b""[..]),
            (true, ACK, (100, 500), &b"SSH-2.0-bench\r\n"[..]),
            (false, ACK, (500, 115), &b"SSH-2.0-bench\r\n"[..]),
        ];
        for (up, flags, numbers, payload) in steps {
            let ports = if up { (40_000, 22) } else { (22, 40_000) };
            let (src, dst) = if up { (client, 0) } else { (0, client) };
            let header = tcp(ports, flags, numbers, payload);
            table.on_packet(1, &packet(0, src, dst, header), None, out);
        }
    }
}

fn established(c: &mut Criterion, connections: u32) {
    let mut group = c.benchmark_group("a packet of an established connection");
    group.throughput(Throughput::Elements(u64::from(PACKETS)));
    group.bench_function(format!("of {connections}"), |b| {
        let mut table = FlowTable::new(&FlowConfig::default());
        let mut out = Vec::new();
        establish(&mut table, connections, &mut out);
        let (mut round, mut now) = (0u32, 0i64);
        b.iter(|| {
            for i in 0..PACKETS {
                // A stride that visits all connections in an order no cache foresees.
                let host = i.wrapping_mul(40_503) % connections;
                let seq = 115 + (round * (PACKETS / connections) + i / connections) * 1200;
                now += 1000;
                let header = if i % 2 == 0 {
                    tcp((40_000, 22), ACK, (seq, 515), &PAYLOAD)
                } else {
                    tcp((22, 40_000), ACK, (515, seq), b"")
                };
                let (src, dst) = if i % 2 == 0 { (1 + host, 0) } else { (0, 1 + host) };
                table.on_packet(
                    u64::from(i),
                    black_box(&packet(now, src, dst, header)),
                    None,
                    &mut out,
                );
            }
            round = round.wrapping_add(1);
            out.clear();
        });
    });
    group.finish();
}

fn flows(c: &mut Criterion) {
    established(c, 1_000);
    established(c, 100_000);

    let mut group = c.benchmark_group("a packet of");
    group.throughput(Throughput::Elements(u64::from(PACKETS)));
    group.bench_function("a SYN scan, with time-outs", |b| {
        let mut table = FlowTable::new(&FlowConfig::default());
        let mut out = Vec::new();
        let mut now = 0i64;
        b.iter(|| {
            for i in 0..PACKETS {
                now += 100_000;
                let header = tcp((40_000, 445), SYN, (i, 0), b"");
                table.on_packet(
                    u64::from(i),
                    black_box(&packet(now, 0, 1 + i, header)),
                    None,
                    &mut out,
                );
                if i % 10_000 == 0 {
                    table.on_tick(u64::from(i), Timestamp::from_nanos(now), &mut out);
                }
            }
            out.clear();
        });
    });
    group.throughput(Throughput::Elements(u64::from(PACKETS)));
    group.bench_function("short conversations, begun and ended", |b| {
        let mut table = FlowTable::new(&FlowConfig::default());
        let mut out = Vec::new();
        let mut now = 0i64;
        b.iter(|| {
            for i in 0..PACKETS / 10 {
                let client = 1 + i;
                let steps = [
                    (true, SYN, (99, 0), &b""[..]),
                    (false, SYN | ACK, (499, 100), &b""[..]),
                    (true, ACK, (100, 500), &b""[..]),
                    (true, ACK, (100, 500), &b"GET / HTTP/1.1\r\n\r\n"[..]),
                    (false, ACK, (500, 118), &b""[..]),
                    (false, ACK, (500, 118), &PAYLOAD[..]),
                    (true, ACK, (118, 1700), &b""[..]),
                    (true, FIN | ACK, (118, 1700), &b""[..]),
                    (false, FIN | ACK, (1700, 119), &b""[..]),
                    (true, ACK, (119, 1701), &b""[..]),
                ];
                for (up, flags, numbers, payload) in steps {
                    now += 100_000;
                    let ports = if up { (40_000, 80) } else { (80, 40_000) };
                    let (src, dst) = if up { (client, 0) } else { (0, client) };
                    let header = tcp(ports, flags, numbers, payload);
                    table.on_packet(1, black_box(&packet(now, src, dst, header)), None, &mut out);
                }
                if i % 1000 == 0 {
                    table.on_tick(1, Timestamp::from_nanos(now), &mut out);
                }
            }
            out.clear();
        });
    });
    group.bench_function("datagrams asked and answered", |b| {
        let mut table = FlowTable::new(&FlowConfig::default());
        let mut out = Vec::new();
        let mut now = 0i64;
        b.iter(|| {
            for i in 0..PACKETS {
                now += 100_000;
                let host = 1 + (i / 2) % 5000;
                let up = i % 2 == 0;
                let (src_port, dst_port) = if up { (40_000, 9999) } else { (9999, 40_000) };
                let (src, dst) = if up { (host, 0) } else { (0, host) };
                let payload = &PAYLOAD[..64];
                let header = TransportHeader::Udp(UdpDatagram {
                    src_port,
                    dst_port,
                    payload_len: 64,
                    payload,
                });
                table.on_packet(1, black_box(&packet(now, src, dst, header)), None, &mut out);
            }
            out.clear();
        });
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(3));
    targets = flows
}
criterion_main!(benches);

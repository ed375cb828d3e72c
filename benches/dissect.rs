//! How long does a dissector take at worst? Each gets streams that try to make it look at the same
//! bytes again and again: messages that never end, messages of nothing, nested ones, lengths that
//! promise more than comes, all of it in whole segments and byte by byte.
//!
//! `cargo bench --bench dissect [-- PROTOCOL]` prints, for each protocol, its worst stream when it
//! comes in segments and when it comes byte by byte: nanoseconds a byte, and how much more that is
//! than for a stream of a sixteenth of the length. Linear time gives 1, quadratic time 16; from
//! [`QUADRATIC`] on the benchmark fails.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a benchmark measures wall time and prints what it measured"
)]

use std::time::{Duration, Instant};

use anyhow::ensure;
use wormwatch::event::{Conversation, Uid};
use wormwatch::net::{Endpoint, Transport};
use wormwatch::proto::{Dissector, Findings, Protocol, Role, dissector};
use wormwatch::time::Timestamp;

use Role::{Client, Server};

/// Bytes of the long stream, and of the short one that it is compared with.
const LONG: usize = 256 << 10;
const SHORT: usize = LONG / 16;

/// Bytes of a full segment over Ethernet.
const SEGMENT: usize = 1448;

/// How often each is measured; the best counts.
const ROUNDS: usize = 3;

/// How often what looks quadratic is measured again.
const TRIES: usize = 5;

/// Growth from which a dissector is no longer taken for a linear one; caches make up to 2.
const QUADRATIC: f64 = 4.0;

/// What takes less than this for a byte is too short to compare.
const NOTICEABLE: f64 = 5.0;

/// What is said in turn.
type Talk = Vec<(Role, Vec<u8>)>;

/// A conversation that begins with `opening` and goes on with `unit` over and over.
struct Stream {
    name: &'static str,
    opening: Talk,
    unit: Talk,
}

/// The worst stream of a protocol.
#[derive(Clone, Copy, Default)]
struct Worst {
    name: &'static str,
    nanos_per_byte: f64,
    growth: f64,
}

fn main() -> anyhow::Result<()> {
    let wanted: Vec<_> = std::env::args().skip(1).filter(|each| each != "--bench").collect();
    let is_wanted = |protocol: &Protocol| {
        wanted.is_empty() || wanted.iter().any(|name| name == protocol.as_str())
    };
    let mut quadratic = Vec::new();
    println!(
        "{:<12} {:<34} {:>8} {:>7}   {:<34} {:>8} {:>7}",
        "protocol",
        "in segments: worst stream",
        "ns/byte",
        "growth",
        "byte by byte",
        "ns/byte",
        "growth"
    );
    let read = Protocol::ALL.iter().filter(|protocol| dissector(**protocol).is_some());
    for &protocol in read.filter(|protocol| is_wanted(protocol)) {
        let [whole, single] = [SEGMENT, 1].map(|piece| worst(protocol, piece, &mut quadratic));
        println!(
            "{:<12} {:<34} {:>8.1} {:>7.1}   {:<34} {:>8.1} {:>7.1}",
            protocol.as_str(),
            whole.name,
            whole.nanos_per_byte,
            whole.growth,
            single.name,
            single.nanos_per_byte,
            single.growth
        );
    }
    ensure!(quadratic.is_empty(), "more than linear time:\n{}", quadratic.join("\n"));
    Ok(())
}

/// Measures all streams, cut into pieces of this many bytes, and gives the one that took longest.
fn worst(protocol: Protocol, piece: usize, quadratic: &mut Vec<String>) -> Worst {
    let mut worst = Worst::default();
    for stream in streams(protocol) {
        let (mut long, mut short) = (f64::INFINITY, f64::INFINITY);
        let mut growth = f64::INFINITY;
        // On a busy machine one of the two may have been unlucky.
        for _ in 0..TRIES {
            if growth < QUADRATIC {
                break;
            }
            long = long.min(time(protocol, &stream, piece, LONG));
            short = short.min(time(protocol, &stream, piece, SHORT));
            growth = long / short.max(0.1);
        }
        if growth >= QUADRATIC && long >= NOTICEABLE {
            quadratic.push(format!(
                "{} with {}, {piece} bytes at once: {long:.1} ns a byte, {growth:.1} times as much",
                protocol.as_str(),
                stream.name
            ));
        }
        if long > worst.nanos_per_byte {
            worst = Worst { name: stream.name, nanos_per_byte: long, growth };
        }
    }
    worst
}

/// Nanoseconds for a byte of `length` bytes of the stream, at best.
fn time(protocol: Protocol, stream: &Stream, piece: usize, length: usize) -> f64 {
    let pieces = Pieces::new(stream, piece, length);
    let rounds = (0..ROUNDS).map(|_| {
        let reader = dissector(protocol).expect("only those that are read are measured");
        feed(reader, &pieces).as_nanos() as f64 / length as f64
    });
    rounds.fold(f64::INFINITY, f64::min)
}

fn feed(mut reader: Box<dyn Dissector>, pieces: &Pieces) -> Duration {
    let end = |last, port| Endpoint::new([192, 0, 2, last].into(), port);
    let talk = Conversation {
        uid: Uid(1),
        transport: Transport::Tcp,
        client: end(1, 40_000),
        server: end(2, 445),
        inferred: false,
    };
    let at = Timestamp::from_secs(1);
    let begun = Instant::now();
    reader.on_start(&talk);
    let mut rest = pieces.data.as_slice();
    for &(sender, length) in &pieces.cuts {
        let Some((data, after)) = rest.split_at_checked(length) else { break };
        rest = after;
        let mut out = Findings::default();
        if reader.wants(sender) {
            reader.on_data(at, sender, data, &mut out);
        } else {
            reader.on_gap(sender, data.len() as u64);
        }
    }
    reader.on_end(at, &mut Findings::default());
    begun.elapsed()
}

/// A stream in pieces. They lie one behind the other, so that the time is the dissector's and not
/// that of memory.
#[derive(Default)]
struct Pieces {
    data: Vec<u8>,
    cuts: Vec<(Role, usize)>,
}

impl Pieces {
    /// The stream up to `length` bytes. What one side sends in a row is cut into pieces.
    fn new(stream: &Stream, piece: usize, length: usize) -> Self {
        let mut pieces = Self::default();
        for (role, data) in &stream.opening {
            pieces.add(*role, data, piece);
        }
        if let [(role, data)] = stream.unit.as_slice() {
            pieces.add(*role, &data.repeat(length / data.len() + 1), piece);
        }
        while pieces.data.len() < length {
            for (role, data) in &stream.unit {
                pieces.add(*role, data, piece);
            }
        }
        pieces
    }

    fn add(&mut self, role: Role, data: &[u8], piece: usize) {
        self.data.extend(data);
        self.cuts.extend(data.chunks(piece).map(|part| (role, part.len())));
    }
}

/// Everything that this protocol's dissector is tried with.
fn streams(protocol: Protocol) -> Vec<Stream> {
    let opening = opening(protocol);
    let mut streams: Vec<Stream> = particular(protocol)
        .into_iter()
        .map(|(name, unit)| Stream { name, opening: opening.clone(), unit })
        .collect();
    for (name, unit) in general() {
        for role in [Client, Server] {
            let unit = vec![(role, unit.clone())];
            streams.push(Stream { name, opening: opening.clone(), unit });
        }
        // Requests, and answers that are none.
        let unit = vec![(Client, unit.clone()), (Server, unit)];
        streams.push(Stream { name, opening: Vec::new(), unit });
    }
    streams
}

/// What may trouble any parser.
fn general() -> Vec<(&'static str, Vec<u8>)> {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut noise = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    vec![
        ("zeros", vec![0; 64]),
        ("ones", vec![0xff; 64]),
        ("a line without end", vec![b'a'; 64]),
        ("empty lines", b"\r\n".repeat(32)),
        ("spaces", vec![b' '; 64]),
        ("nested containers", [0x30, 0x80].repeat(32)),
        ("deep containers of 32 KiB", [0x30, 0x82, 0x7f, 0xff].repeat(16)),
        ("short records", [1, 0, 0, 0].repeat(16)),
        ("short records, big-endian", [0, 0, 0, 1].repeat(16)),
        ("long records", [0x16, 3, 1, 0x3f, 0xff].repeat(13)),
        ("noise", (0..4096).map(|_| noise()).collect()),
    ]
}

/// How a conversation has to begin for its dissector to go on.
fn opening(protocol: Protocol) -> Talk {
    let text = |role, text: &str| (role, text.as_bytes().to_vec());
    match protocol {
        Protocol::Ftp => vec![text(Server, "220 x\r\n")],
        Protocol::Http => vec![
            text(Client, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
            text(Server, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
        ],
        Protocol::Imap => vec![text(Server, "* OK x\r\n")],
        Protocol::Mysql => {
            let greeting = b"\x0a5.7.1\0\x01\0\0\0abcdefgh\0\xff\xf7\x21\x02\0\xff\x81\x15\0\0\0\0\0\0\0\0\0\0abcdefghijkl\0mysql_native_password\0";
            let login = b"\x85\xa6\xff\x01\0\0\0\x01\x21\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0root\0\0";
            let packet = |number, body: &[u8]| [&[body.len() as u8, 0, 0, number], body].concat();
            vec![
                (Server, packet(0, greeting)),
                (Client, packet(1, login)),
                (Server, packet(2, b"\0\0\0\x02\0\0\0")),
            ]
        }
        Protocol::Pop3 => vec![text(Server, "+OK x\r\n")],
        Protocol::Postgresql => {
            let startup = b"\0\0\0\x13\0\x03\0\0user\0root\0\0";
            let ready = b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I";
            vec![(Client, startup.to_vec()), (Server, ready.to_vec())]
        }
        Protocol::Rdp => vec![
            (Client, b"\x03\0\0\x13\x0e\xe0\0\0\0\0\0\x01\0\x08\0\x03\0\0\0".to_vec()),
            (Server, b"\x03\0\0\x13\x0e\xd0\0\0\0\0\0\x02\0\x08\0\x02\0\0\0".to_vec()),
        ],
        Protocol::Rfb => vec![
            text(Server, "RFB 003.008\n"),
            text(Client, "RFB 003.008\n"),
            (Server, vec![1, 2]),
            (Client, vec![2]),
        ],
        Protocol::Smtp => vec![text(Server, "220 x\r\n"), text(Client, "EHLO x\r\n")],
        Protocol::Ssh => vec![text(Client, "SSH-2.0-a\r\n"), text(Server, "SSH-2.0-b\r\n")],
        Protocol::Telnet => vec![text(Server, "login: "), text(Client, "root\r\n")],
        _ => Vec::new(),
    }
}

/// What may trouble this protocol's parser.
fn particular(protocol: Protocol) -> Vec<(&'static str, Talk)> {
    let text = |role, text: &str| (role, text.as_bytes().to_vec());
    let netbios = |message: &[u8]| [&[0, 0, 0, message.len() as u8], message].concat();
    let smb1 = |command: u8, words: &[u8]| {
        let head = [&[0xff, b'S', b'M', b'B', command][..], &[0; 27]].concat();
        netbios(&[&head[..], &[(words.len() / 2) as u8], words, &[0, 0]].concat())
    };
    let smb2 = |command: u8, next: u8, body: &[u8]| {
        let mut head = [&[0xfe, b'S', b'M', b'B', 64, 0][..], &[0; 58]].concat();
        for (at, byte) in [(12, command), (20, next)] {
            if let Some(place) = head.get_mut(at) {
                *place = byte;
            }
        }
        [&head[..], body].concat()
    };
    match protocol {
        Protocol::DceRpc => {
            let bind = b"\x05\0\x0b\x03\x10\0\0\0\x48\0\0\0\x01\0\0\0\xb8\x10\xb8\x10\0\0\0\0\x01\0\0\0\0\0\x01\0\x81\xbb\x7a\x36\x44\x98\xf1\x35\xad\x32\x98\xf0\x38\0\x10\x03\x02\0\0\0\x04\x5d\x88\x8a\xeb\x1c\xc9\x11\x9f\xe8\x08\0\x2b\x10\x48\x60\x02\0\0\0";
            let fragment = |flags| {
                [&[5, 0, 0, flags, 0x10, 0, 0, 0, 26, 0, 0, 0, 1, 0, 0, 0][..], &[0; 10]].concat()
            };
            vec![
                ("binds", vec![(Client, bind.to_vec())]),
                ("requests without an answer", vec![(Client, fragment(3))]),
                ("fragments without a last", vec![(Client, fragment(1))]),
                ("fragments of nothing known", vec![(Client, fragment(0))]),
            ]
        }
        Protocol::Dns => {
            let query =
                b"\0\x1f\0\x01\x01\0\0\x01\0\0\0\0\0\0\x01a\xc0\x0c\0\x01\0\x01\0\0\0\0\0\0\0";
            let labels =
                [&b"\x03\x02\0\x01\x81\x80\0\x40\0\x40\0\0\0\0"[..], &[0xc0, 0x0c].repeat(378)]
                    .concat();
            let pointers = [
                &b"\x03\x02\0\x01\x81\x80\0\0\0\xff\0\0\0\0"[..],
                &b"\x01a\xc0\x0c\0\x01\0\x01\0\0\0\0\0\0".repeat(54)[..],
            ]
            .concat();
            vec![
                ("queries without an answer", vec![(Client, query.to_vec())]),
                ("names that point at themselves", vec![(Server, labels)]),
                ("names that point at names", vec![(Server, pointers)]),
            ]
        }
        Protocol::Ftp => vec![
            ("commands without a reply", vec![text(Client, "NOOP\r\n")]),
            ("a reply of many lines", vec![text(Server, "220-x\r\n")]),
            (
                "logins",
                vec![text(Client, "USER a\r\nPASS b\r\n"), text(Server, "331 x\r\n530 x\r\n")],
            ),
        ],
        Protocol::Http => vec![
            ("requests without an answer", vec![text(Client, "GET / HTTP/1.1\r\n\r\n")]),
            ("fields without end", vec![text(Client, "a: b\r\n")]),
            ("folded fields", vec![text(Client, " b\r\n")]),
            ("chunks of a byte", vec![text(Server, "1\r\na\r\n")]),
            ("chunks with long extensions", vec![text(Server, "1;aaaaaaaaaaaaaaaa=b\r\na\r\n")]),
            ("interim responses", vec![text(Server, "HTTP/1.1 100 Continue\r\n\r\n")]),
        ],
        Protocol::Imap => vec![
            ("literals", vec![text(Client, "a LOGIN {1}\r\na\r\n")]),
            ("commands without an answer", vec![text(Client, "a NOOP\r\n")]),
        ],
        Protocol::Krb | Protocol::KrbTcp => vec![(
            "sequences within sequences",
            vec![(
                Client,
                [&[0, 0, 4, 0][..], &[0x6a, 0x82, 3, 0xfc], &[0x30, 0x82, 3, 0xf0].repeat(255)]
                    .concat(),
            )],
        )],
        Protocol::LdapTcp | Protocol::LdapUdp => {
            let nested = [
                &[0x30, 0x82, 1, 0, 2, 1, 1, 0x63, 0x81, 0xfa][..],
                &[0xa2, 0x81, 0xf0].repeat(83),
                &[0],
            ]
            .concat();
            vec![
                ("filters within filters", vec![(Client, nested)]),
                ("searches without a result", vec![(Client, b"\x30\x25\x02\x01\x01\x63\x20\x04\0\x0a\x01\0\x0a\x01\0\x02\x01\0\x02\x01\0\x01\x01\0\x87\x0bobjectClass\x30\0".to_vec())]),
            ]
        }
        Protocol::Mongodb => {
            let nested = [
                &[0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0xdd, 7, 0, 0, 0, 0, 0, 0, 0][..],
                &[0xeb, 0, 0, 0, 3, b'a', 0].repeat(33),
                &[0; 4],
            ]
            .concat();
            vec![("documents within documents", vec![(Client, nested)])]
        }
        Protocol::Mqtt => vec![
            ("pings", vec![(Client, vec![0xc0, 0])]),
            ("lengths of four bytes", vec![(Client, vec![0x30, 0x81, 0x80, 0x80, 0, 0])]),
            ("subscriptions to everything", vec![(Client, b"\x82\x06\0\x01\0\x01#\0".to_vec())]),
        ],
        Protocol::Mysql => vec![
            ("queries", vec![(Client, b"\x09\0\0\0\x03SELECT 1".to_vec())]),
            ("empty packets", vec![(Client, vec![0, 0, 0, 0])]),
            ("results", vec![(Client, vec![1, 0, 0, 0, 14]), (Server, vec![1, 0, 0, 1, 0])]),
        ],
        Protocol::Pop3 => vec![("commands without an answer", vec![text(Client, "NOOP\r\n")])],
        Protocol::Postgresql => vec![
            ("queries", vec![(Client, b"Q\0\0\0\x0dSELECT 1\0".to_vec())]),
            ("syncs", vec![(Client, b"S\0\0\0\x04".to_vec())]),
        ],
        Protocol::Redis => vec![
            ("commands", vec![text(Client, "*1\r\n$4\r\nPING\r\n")]),
            ("an array without end", vec![text(Client, "*1000000\r\n$1\r\na\r\n")]),
            ("arrays within arrays", vec![text(Client, "*1\r\n")]),
            ("inline commands", vec![text(Client, "PING\r\n")]),
            ("replies", vec![text(Client, "PING\r\n"), text(Server, "*2\r\n$1\r\na\r\n:1\r\n")]),
        ],
        Protocol::Smb => {
            let compound: Vec<u8> =
                (0..3).flat_map(|_| smb2(14, 64, &[])).chain(smb2(14, 0, &[])).collect();
            let close = smb2(
                6,
                0,
                &[24, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            );
            vec![
                ("compounds", vec![(Client, [&[0, 0, 1, 0][..], &compound].concat())]),
                ("closes without an answer", vec![(Client, netbios(&close))]),
                ("empty messages", vec![(Client, vec![0, 0, 0, 0])]),
                (
                    "requests that follow themselves",
                    vec![(Client, smb1(0x73, &[0x73, 0, 32, 0, 0, 0]))],
                ),
                ("transactions in parts", vec![(Client, smb1(0x26, &[1; 36]))]),
                ("transactions", vec![(Client, smb1(0x32, &[0; 30]))]),
            ]
        }
        Protocol::Smtp => vec![
            ("commands without a reply", vec![text(Client, "NOOP\r\n")]),
            ("a reply of many lines", vec![text(Server, "250-x\r\n")]),
            ("mail", vec![text(Client, "MAIL FROM:<a>\r\n"), text(Server, "250 x\r\n")]),
        ],
        Protocol::Snmp => vec![(
            "sequences within sequences",
            vec![(
                Client,
                [
                    &[0x30, 0x81, 0xfa, 2, 1, 0, 4, 6][..],
                    b"public",
                    &[0xa0, 0x81, 0xed],
                    &[0x30, 0x81, 0xe0].repeat(78),
                ]
                .concat(),
            )],
        )],
        Protocol::Ssh => vec![
            ("ignored messages", vec![(Client, [&[0, 0, 0, 12, 10, 2][..], &[0; 10]].concat())]),
            (
                "keys without end",
                vec![(
                    Client,
                    [&[0, 0, 0x7f, 0xfc, 4, 20][..], &b"aes128-ctr,".repeat(60)].concat(),
                )],
            ),
            ("long packets of nothing", vec![(Client, vec![0, 0, 0, 4, 0, 0, 0, 0])]),
        ],
        Protocol::Ssl => vec![
            ("handshakes in fragments of a byte", vec![(Client, vec![0x16, 3, 1, 0, 1, 1])]),
            ("empty records", vec![(Client, vec![0x16, 3, 3, 0, 0])]),
            ("alerts", vec![(Server, vec![0x15, 3, 3, 0, 2, 1, 0])]),
        ],
        Protocol::Tds => vec![
            ("packets without a last", vec![(Client, vec![1, 0, 0, 8, 0, 0, 0, 0])]),
            (
                "tokens",
                vec![(
                    Server,
                    [&[4, 1, 0, 0x48, 0, 0, 0, 0][..], &[0xfd, 0, 0, 0, 0, 0, 0, 0].repeat(8)]
                        .concat(),
                )],
            ),
        ],
        Protocol::Telnet => vec![
            ("options", vec![(Client, vec![0xff, 0xfb, 1])]),
            ("a subnegotiation without end", vec![(Client, vec![0xff, 0xfa, 0x18, 0xff, 0xff])]),
            (
                "logins",
                vec![
                    text(Server, "login: "),
                    text(Client, "root\r\n"),
                    text(Server, "Password: "),
                    text(Client, "x\r\n"),
                ],
            ),
            ("prompts", vec![text(Server, "login: ")]),
        ],
        Protocol::Tftp => vec![("requests", vec![(Client, b"\0\x01a\0octet\0".to_vec())])],
        _ => Vec::new(),
    }
}

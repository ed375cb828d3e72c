//! What dissectors are given and what becomes of what they say.

use std::cell::RefCell;
use std::net::{IpAddr, Ipv4Addr};

use crate::config::units::ByteSize;
use crate::event::{Body, Conversation, Login, Record};
use crate::flow::FlowConfig;
use crate::flow::connection::ENTRY_BYTES;
use crate::flow::testkit::*;
use crate::net::{Endpoint, Transport};
use crate::proto::{Dissector, Expected, Findings, Protocol, Role};
use crate::synth::payload::{dns_answer, dns_question};
use crate::time::Timestamp;

thread_local! {
    /// What the dissectors of this test were told.
    static TOLD: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Writes down what it is told; obeys orders that stand in the stream.
#[derive(Debug)]
struct Scribe {
    name: &'static str,
    wants: bool,
    held: usize,
    server: IpAddr,
}

impl Scribe {
    fn note(&self, text: &str) {
        TOLD.with_borrow_mut(|told| told.push(format!("{}{text}", self.name)));
    }
}

fn arrow(sender: Role) -> char {
    if sender == Role::Client { '>' } else { '<' }
}

fn login(user: &str) -> Login {
    Login {
        protocol: "ssh",
        method: "password",
        user: Some(user.to_owned()),
        domain: None,
        workstation: None,
        success: None,
        inferred: false,
    }
}

impl Dissector for Scribe {
    fn on_start(&mut self, talk: &Conversation) {
        self.server = talk.server.addr;
    }

    fn on_data(&mut self, _: Timestamp, sender: Role, data: &[u8], out: &mut Findings) {
        let text = String::from_utf8_lossy(data);
        let text = text.trim_end();
        self.note(&format!("{}{text}", arrow(sender)));
        match text {
            "login" => out.say(login("a")),
            "enough" => self.wants = false,
            "hold" => self.held = 1 << 20,
            "starttls" => out.becomes = Some(Protocol::Ssl),
            "quit" => out.becomes = Some(Protocol::Ntp),
            "open" | "port" => out.expected.push(Expected {
                transport: Transport::Tcp,
                server: Endpoint::new(self.server, 49_152),
                protocol: Protocol::Ftp,
                file: (text == "port").then(|| "a.exe".to_owned()),
            }),
            _ => {}
        }
    }

    fn on_gap(&mut self, sender: Role, bytes: u64) {
        self.note(&format!("{}[{bytes}]", arrow(sender)));
    }

    fn on_announced(&mut self, file: &str) {
        self.note(&format!("={file}"));
    }

    fn on_end(&mut self, _: Timestamp, out: &mut Findings) {
        self.note(".");
        out.say(login("end"));
    }

    fn wants(&self, _: Role) -> bool {
        self.wants
    }

    fn bytes(&self) -> usize {
        size_of::<Self>() + self.held
    }
}

fn scribe(protocol: Protocol) -> Option<Box<dyn Dissector>> {
    let name = match protocol {
        Protocol::Ssh => "",
        Protocol::Ssl => "tls",
        Protocol::Ftp => "ftp",
        Protocol::Dns => "dns",
        _ => return None,
    };
    Some(Box::new(Scribe { name, wants: true, held: 0, server: Ipv4Addr::UNSPECIFIED.into() }))
}

fn wire() -> Wire {
    wire_with(&FlowConfig::default())
}

fn wire_with(config: &FlowConfig) -> Wire {
    TOLD.take();
    let mut wire = Wire::with(config);
    wire.table.dissectors = scribe;
    wire
}

fn told() -> Vec<String> {
    TOLD.take()
}

/// Who logged in, and before what kinds of events the records stand.
fn order(wire: &Wire) -> Vec<String> {
    let name = |body: &Body| match body {
        Body::Contact(_) => "contact".to_owned(),
        Body::Conn(_) => "conn".to_owned(),
        Body::Record(record) => match &**record {
            crate::event::Record::Login(login) => login.user.clone().unwrap_or_default(),
            #[allow(unreachable_patterns, reason = "there may be one kind of record only")]
            other => other.kind().to_owned(),
        },
        _ => "other".to_owned(),
    };
    wire.events.iter().map(|event| name(&event.body)).collect()
}

const UP: &[u8] = b"SSH-2.0-up\n";
const DOWN: &[u8] = b"SSH-2.0-dn\n";

#[test]
fn a_dissector_gets_all_bytes_in_order_once() {
    let mut wire = wire();

    wire.handshake().up(data(101, 501, UP)).down(data(501, 112, DOWN));
    wire.up(data(115, 512, b"d e f")).up(data(112, 512, b"abc")).up(data(112, 512, b"abc"));
    wire.down(data(512, 120, b"ok"));

    assert_eq!(told(), [">SSH-2.0-up", "<SSH-2.0-dn", ">abc", ">d e f", "<ok"]);
}

#[test]
fn a_dissector_gets_what_came_before_its_protocol_was_known() {
    let mut wire = wire();

    wire.handshake().down(data(501, 101, b"SS")).up(data(101, 503, b"SSH"));
    wire.down(data(503, 104, b"H-2.0-x\n"));

    assert_eq!(told(), ["<SS", ">SSH", "<H-2.0-x"]);
}

#[test]
fn a_dissector_sees_gaps_where_they_are() {
    let mut wire = wire();

    wire.handshake().up(data(101, 501, UP)).up(data(122, 501, b"after"));
    wire.down(tcp(ACK, 501, 127)).up(data(137, 501, b"more"));
    wire.down(data(501, 141, b"ok"));

    assert_eq!(told(), [">SSH-2.0-up", ">[10]", ">after", ">[10]", ">more", "<ok"]);
}

#[test]
fn a_gap_at_the_end_is_told_when_it_is_known() {
    let mut wire = wire();

    wire.handshake().up(data(101, 501, UP)).down(tcp(ACK, 501, 212));

    assert_eq!(told(), [">SSH-2.0-up", ">[100]"]);
}

#[test]
fn a_side_whose_peer_is_not_captured_is_read_beyond_its_gaps() {
    let mut wire = wire();
    wire.up(tcp(SYN, 100, 0)).up(data(101, 501, UP));

    for i in 0..20 {
        wire.up(data(122 + i, 501, b"x"));
    }

    let told = told();
    assert_eq!(told[..2], [">SSH-2.0-up", ">[10]"]);
    assert_eq!(told.len(), 2 + 20);
}

#[test]
fn what_the_snap_length_cuts_is_a_gap() {
    let mut wire = wire();
    let cut = |seq, text| Segment { cut_to: 4, ..data(seq, 501, text) };

    wire.handshake().up(data(101, 501, UP)).up(cut(112, b"0123456789")).up(cut(122, b"abcdef"));
    wire.down(tcp(ACK, 501, 128)).up(data(128, 501, b"whole"));

    assert_eq!(told(), [">SSH-2.0-up", ">0123", ">[6]", ">abcd", ">[2]", ">whole"]);
}

#[test]
fn a_first_segment_that_is_cut_is_read_as_well() {
    let mut wire = wire();

    wire.handshake().up(Segment { cut_to: 8, ..data(101, 501, UP) }).up(data(112, 501, b"next"));
    wire.down(tcp(ACK, 501, 116));

    assert_eq!(told(), [">SSH-2.0-", ">[3]", ">next"]);
}

#[test]
fn a_dissector_is_told_the_end_at_the_last_fin() {
    let mut wire = wire();

    wire.handshake().up(data(101, 501, UP)).up(tcp(FIN | ACK, 112, 501));
    wire.down(tcp(ACK, 501, 113));
    assert_eq!(told(), [">SSH-2.0-up"]);
    wire.down(tcp(FIN | ACK, 501, 113)).up(tcp(ACK, 113, 502));

    assert_eq!(told(), ["."]);
    wire.finish();
    assert_eq!(order(&wire), ["contact", "end", "conn"]);
}

#[test]
fn a_dissector_is_told_the_end_of_what_never_ended() {
    let mut wire = wire();

    wire.handshake().up(data(101, 501, UP)).finish();

    assert_eq!(told(), [">SSH-2.0-up", "."]);
    assert_eq!(order(&wire), ["contact", "end", "conn"]);
}

#[test]
fn records_come_at_once_and_after_the_contact() {
    let mut wire = wire();
    let ssh = b"SSH-2.0-up\n";

    wire.up(data(101, 501, ssh)).down(data(501, 112, b"login")).up(data(112, 506, b"login"));

    assert_eq!(order(&wire), ["contact", "a", "a"]);
    let records = wire.events.iter().filter(|event| matches!(event.body, Body::Record(_)));
    assert!(records.clone().all(|event| event.conversation.is_some()));
    assert_eq!(records.map(|event| event.packet).collect::<Vec<_>>(), [2, 3]);
}

#[test]
fn who_wants_no_more_is_dropped() {
    let mut wire = wire();
    wire.handshake().up(data(101, 501, UP)).up(data(112, 501, b"enough"));
    let before = wire.table.stats().bytes;

    wire.up(data(118, 501, b"more")).up(data(222, 501, b"out of order")).finish();

    assert_eq!(told(), [">SSH-2.0-up", ">enough"]);
    assert!(wire.table.stats().bytes <= before);
}

#[test]
fn a_dissector_is_exchanged_for_the_next_protocol() {
    let mut wire = wire();

    wire.handshake().up(data(101, 501, UP)).up(data(112, 501, b"starttls"));
    wire.down(data(501, 120, b"hello")).finish();

    assert_eq!(told(), [">SSH-2.0-up", ">starttls", ".", "tls<hello", "tls."]);
}

#[test]
fn nobody_reads_on_where_the_next_protocol_has_no_reader() {
    let mut wire = wire();

    wire.handshake().up(data(101, 501, UP)).up(data(112, 501, b"quit"));
    wire.down(data(501, 116, b"hello")).finish();

    assert_eq!(told(), [">SSH-2.0-up", ">quit", "."]);
}

#[test]
fn an_announced_connection_is_read_from_its_first_byte() {
    let mut wire = wire();
    let there = ("198.51.100.2", 49_152);

    wire.handshake().up(data(101, 501, UP)).up(data(112, 501, b"port"));
    wire.send(CLIENT, there, tcp(SYN, 1, 0)).send(there, CLIENT, tcp(SYN | ACK, 7, 2));
    wire.send(CLIENT, there, data(2, 8, b"no protocol at all")).finish();

    assert_eq!(
        told(),
        [">SSH-2.0-up", ">port", "ftp=a.exe", "ftp>no protocol at all", ".", "ftp."]
    );
    let services: Vec<_> = wire.conns().iter().map(|(_, conn)| conn.service).collect();
    assert_eq!(services, [Some("ssh"), Some("ftp")]);
}

#[test]
fn a_file_may_be_named_after_its_connection_was_opened() {
    let mut wire = wire();
    let there = ("198.51.100.2", 49_152);

    wire.handshake().up(data(101, 501, UP)).up(data(112, 501, b"open"));
    wire.send(CLIENT, there, tcp(SYN, 1, 0)).send(there, CLIENT, tcp(SYN | ACK, 7, 2));
    wire.send(CLIENT, there, data(2, 8, b"content")).up(data(116, 501, b"port"));
    wire.send(CLIENT, there, tcp(FIN | ACK, 9, 8)).send(there, CLIENT, tcp(FIN | ACK, 8, 10));
    wire.finish();

    assert_eq!(told(), [">SSH-2.0-up", ">open", "ftp>content", ">port", "ftp=a.exe", "ftp.", "."]);
}

#[test]
fn the_first_message_settles_who_is_the_client_before_it_is_told() {
    let mut wire = wire();
    let (high, low) = (("192.0.2.1", 40_000), ("198.51.100.2", 50_000));

    // Both ports are ephemeral, so that the first sender passes for the client.
    wire.send(high, low, data(501, 101, b"220 FTP server ready\r\n"));
    wire.send(low, high, data(101, 523, b"USER a\r\n"));
    wire.finish();

    assert_eq!(wire.conns()[0].0.server.port, 40_000);
    assert_eq!(told(), ["ftp<220 FTP server ready", "ftp>USER a", "ftp."]);
}

#[test]
fn datagrams_are_told_whole() {
    let mut wire = wire();
    let query: &[u8] = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x01a\0\0\x01\0\x01";

    wire.udp(CLIENT, ("198.51.100.2", 53), query);
    wire.udp(CLIENT, ("198.51.100.2", 53), b"login");
    let with_reading = wire.table.stats().bytes;
    wire.udp(CLIENT, ("198.51.100.2", 53), b"enough").udp(CLIENT, ("198.51.100.2", 53), b"x");

    assert!(wire.table.stats().bytes < with_reading);
    wire.finish();
    assert_eq!(told().len(), 3);
    assert_eq!(order(&wire), ["a", "contact", "conn"]);
    assert_eq!(wire.table.stats().bytes, 0);
}

#[test]
fn the_end_of_datagrams_is_told() {
    let mut wire = wire();
    let query: &[u8] = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x01a\0\0\x01\0\x01";

    wire.udp(CLIENT, ("198.51.100.2", 53), query).tick(10_000).tick(61_000);

    assert_eq!(told().last().map(String::as_str), Some("dns."));
    assert_eq!(order(&wire), ["contact", "end", "conn"]);
}

#[test]
fn what_dissectors_hold_is_charged_to_the_budget() {
    let mut wire = wire_with(&FlowConfig { budget: ByteSize(64 << 10), ..FlowConfig::default() });

    wire.handshake().up(data(101, 501, UP)).up(data(112, 501, b"hold"));

    assert_eq!((wire.table.stats().evicted, wire.table.stats().bytes), (1, 0));
    assert_eq!(told(), [">SSH-2.0-up", ">hold", "."]);
}

#[test]
fn a_stream_that_is_read_holds_only_so_much() {
    static BLOCK: [u8; 60_000] = [b'x'; 60_000];
    let mut wire = wire();
    wire.handshake().up(data(101, 501, UP));
    let before = wire.table.stats().bytes;

    for i in 0..20 {
        wire.up(data(200 + i * 60_000, 501, &BLOCK));
    }

    assert!(wire.table.stats().bytes - before < 128 << 10);
    wire.finish();
    assert_eq!(wire.table.stats().bytes, 0);
}

#[test]
fn a_name_query_holds_nothing_between_its_answer_and_the_next() {
    const RESOLVER: End = ("198.51.100.53", 53);
    let leak = |message: Vec<u8>| -> &'static [u8] { message.leak() };
    let mut wire = Wire::new();
    let held = |wire: &mut Wire, id, name| {
        wire.udp(CLIENT, RESOLVER, leak(dns_question(id, name)));
        let asked = wire.table.stats().bytes;
        wire.udp(RESOLVER, CLIENT, leak(dns_answer(id, name, [192, 0, 2, 7])));
        (asked, wire.table.stats().bytes)
    };

    let first = held(&mut wire, 7, "a.example");
    let second = held(&mut wire, 8, "b.example");

    assert!(first.0 > first.1, "{first:?}");
    assert_eq!(first.1, ENTRY_BYTES as u64);
    assert_eq!(second.1, first.1);
    let names = wire.events.iter().filter_map(|event| match &event.body {
        Body::Record(record) => match record.as_ref() {
            Record::Dns(dns) => Some((dns.query.clone()?, dns.answers.clone()?.len())),
            _ => None,
        },
        _ => None,
    });
    let expected = ["a.example", "b.example"].map(|name| (name.to_owned(), 1));
    assert_eq!(names.collect::<Vec<_>>(), expected);
}

//! What is said of queries and answers.

use proptest::prelude::*;

use super::*;
use crate::event::{Record, Uid};
use crate::net::Endpoint;

const QUERY: u16 = 0x0100;
const ANSWER: u16 = 0x8580;

fn labels(name: &str) -> Vec<u8> {
    let labels = name.split('.').filter(|label| !label.is_empty());
    let mut bytes: Vec<u8> =
        labels.flat_map(|label| [&[label.len() as u8], label.as_bytes()].concat()).collect();
    bytes.push(0);
    bytes
}

/// A message with these flags, questions and answers.
fn message(
    id: u16,
    flags: u16,
    questions: &[(&str, u16)],
    answers: &[(&str, u16, &[u8])],
) -> Vec<u8> {
    let mut bytes = Vec::new();
    for word in [id, flags, questions.len() as u16, answers.len() as u16, 0, 0] {
        bytes.extend(word.to_be_bytes());
    }
    for (name, kind) in questions {
        bytes.extend([labels(name), kind.to_be_bytes().to_vec(), vec![0, 1]].concat());
    }
    for (name, kind, data) in answers {
        bytes.extend([labels(name), kind.to_be_bytes().to_vec(), vec![0, 1, 0, 0, 0, 60]].concat());
        bytes.extend((data.len() as u16).to_be_bytes());
        bytes.extend(*data);
    }
    bytes
}

struct Talk {
    dns: Dns,
    out: Findings,
}

impl Talk {
    fn new(transport: Transport, server: (&str, u16)) -> Self {
        let talk = Conversation {
            uid: Uid(1),
            transport,
            client: Endpoint::new("192.0.2.1".parse().unwrap(), 40_000),
            server: Endpoint::new(server.0.parse().unwrap(), server.1),
            inferred: false,
        };
        let mut dns = Dns::default();
        dns.on_start(&talk);
        Self { dns, out: Findings::default() }
    }

    fn udp() -> Self {
        Self::new(Transport::Udp, ("192.0.2.53", 53))
    }

    fn send(&mut self, millis: u64, sender: Role, data: &[u8]) -> &mut Self {
        let at = Timestamp::from_secs(100) + Duration::from_millis(millis);
        self.dns.on_data(at, sender, data, &mut self.out);
        self
    }

    fn up(&mut self, millis: u64, data: &[u8]) -> &mut Self {
        self.send(millis, Role::Client, data)
    }

    fn down(&mut self, millis: u64, data: &[u8]) -> &mut Self {
        self.send(millis, Role::Server, data)
    }

    fn end(&mut self) -> &mut Self {
        self.dns.on_end(Timestamp::from_secs(200), &mut self.out);
        self
    }

    fn records(&self) -> Vec<event::Dns> {
        let dns = |record: &Record| match record {
            Record::Dns(dns) => dns.clone(),
            other => panic!("{other:?}"),
        };
        self.out.records.iter().map(dns).collect()
    }
}

#[test]
fn a_query_and_its_answer_are_one_record() {
    let mut talk = Talk::udp();
    let answers: [(&str, u16, &[u8]); 2] =
        [("www.example", 5, b"\x03web\x07example\0"), ("web.example", 1, &[192, 0, 2, 80])];

    talk.up(0, &message(7, QUERY, &[("WWW.example", 1)], &[]));
    talk.down(25, &message(7, ANSWER, &[("www.example", 1)], &answers));

    let json = serde_json::to_value(&talk.records()[0]).unwrap();
    assert_eq!(
        json,
        serde_json::json!({
            "proto": "udp", "trans_id": 7, "rtt": 0.025, "query": "www.example",
            "qclass": 1, "qclass_name": "C_INTERNET", "qtype": 1, "qtype_name": "A",
            "rcode": 0, "rcode_name": "NOERROR", "AA": true, "TC": false, "RD": true, "RA": true,
            "Z": 0, "answers": ["web.example", "192.0.2.80"], "TTLs": [60, 60], "rejected": false,
            "opcode": 0, "opcode_name": "query", "responder": "192.0.2.53",
        })
    );
}

#[test]
fn answers_find_their_queries_in_any_order() {
    let mut talk = Talk::udp();

    talk.up(0, &message(1, QUERY, &[("a", 1)], &[])).up(1, &message(2, QUERY, &[("b", 28)], &[]));
    talk.down(2, &message(2, 0x8183, &[("b", 28)], &[]))
        .down(3, &message(1, ANSWER, &[("a", 1)], &[]));

    let records = talk.records();
    let told: Vec<_> = records.iter().map(|it| (it.query.as_deref(), it.rcode_name)).collect();
    assert_eq!(told, [(Some("b"), Some("NXDOMAIN")), (Some("a"), Some("NOERROR"))]);
    assert!(records[0].rejected);
}

#[test]
fn unanswered_queries_are_told_at_the_end_or_when_nobody_waits_any_more() {
    let mut talk = Talk::udp();

    talk.up(0, &message(1, QUERY, &[("a", 1)], &[]));
    talk.up(10_001, &message(2, QUERY, &[("b", 1)], &[]));
    assert_eq!(talk.records().len(), 1);
    talk.end();

    let records = talk.records();
    assert_eq!(records.len(), 2);
    assert!(records.iter().all(|record| record.rcode.is_none() && record.responder.is_none()));
}

#[test]
fn an_answer_that_nobody_asked_for_says_who_gave_it() {
    let mut talk = Talk::new(Transport::Udp, ("224.0.0.251", 5353));
    let announcement = message(0, 0x8400, &[], &[("Printer.local", 1, &[192, 0, 2, 9])]);

    talk.up(0, &message(0, 0, &[("printer.local", 255)], &[])).up(5, &announcement).end();

    let records = talk.records();
    assert_eq!(records.len(), 2);
    assert_eq!(records[0].query.as_deref(), Some("printer.local"));
    assert_eq!(records[0].answers.as_deref(), Some(&["192.0.2.9".to_owned()][..]));
    assert_eq!(records[0].responder, Some("192.0.2.1".parse().unwrap()));
    assert_eq!((records[1].qtype, records[1].rcode), (Some(255), None));
}

#[test]
fn names_of_netbios_are_decoded() {
    let mut talk = Talk::new(Transport::Udp, ("192.0.2.7", 137));
    let workgroup = "FHEPFCELEHFCEPFFFACACACACACACAAA";

    talk.up(0, &message(3, 0x0110, &[(workgroup, 32)], &[]));
    talk.down(4, &message(3, 0x8500, &[], &[(workgroup, 32, &[0, 0, 192, 0, 2, 7])]));

    let record = &talk.records()[0];
    assert_eq!(record.query.as_deref(), Some("WORKGROUP"));
    assert_eq!(record.qtype_name.as_deref(), Some("NIMLOC"));
    assert_eq!(record.opcode_name, "netbios-query");
    assert_eq!(record.answers.as_deref(), Some(&["192.0.2.7".to_owned()][..]));
    assert_eq!(record.reserved, 1);
}

#[test]
fn streams_are_cut_into_messages() {
    let mut talk = Talk::new(Transport::Tcp, ("192.0.2.53", 53));
    let framed = |bytes: Vec<u8>| [&(bytes.len() as u16).to_be_bytes()[..], &bytes].concat();
    let query = framed(message(1, QUERY, &[("zone", 252)], &[]));
    let answer = framed(message(1, ANSWER, &[("zone", 252)], &[("zone", 2, b"\x01n\0")]));

    for (i, byte) in query.iter().enumerate() {
        talk.up(i as u64, &[*byte]);
    }
    talk.down(90, &[answer.clone(), answer].concat());

    let records = talk.records();
    assert_eq!(records.len(), 2);
    assert_eq!(records[0].qtype_name.as_deref(), Some("AXFR"));
    assert_eq!(records[0].answers.as_deref(), Some(&["n".to_owned()][..]));
    assert_eq!(records[0].proto, Transport::Tcp);
}

#[test]
fn a_lost_place_in_a_stream_is_not_guessed() {
    let mut talk = Talk::new(Transport::Tcp, ("192.0.2.53", 53));

    talk.up(0, b"\0\x05");
    talk.dns.on_gap(Role::Server, 7);

    assert!(!talk.dns.wants(Role::Client) && !talk.dns.wants(Role::Server));
    assert!(talk.records().is_empty());
}

#[test]
fn a_flood_of_queries_is_bounded() {
    let mut talk = Talk::udp();

    for id in 0..5000 {
        talk.up(0, &message(id, QUERY, &[("a", 1)], &[]));
    }

    assert!(talk.dns.bytes() < 64 << 10, "{}", talk.dns.bytes());
    assert!(talk.records().len() >= 4900);
}

#[test]
fn counts_that_lie_cost_nothing() {
    let mut talk = Talk::udp();
    let mut lie = message(1, ANSWER, &[("a", 1)], &[("a", 1, &[1, 2, 3, 4])]);
    lie[4..8].copy_from_slice(&[0xff; 4]);

    talk.down(0, &lie);

    assert_eq!(talk.records().len(), 1);
}

proptest! {
    #[test]
    fn no_bytes_panic(
        pieces in proptest::collection::vec((any::<bool>(), any::<bool>(), proptest::collection::vec(any::<u8>(), 0..80)), 0..30),
        tcp: bool,
    ) {
        let transport = if tcp { Transport::Tcp } else { Transport::Udp };
        for port in [53, 137] {
            let mut talk = Talk::new(transport, ("192.0.2.53", port));
            for (up, headed, tail) in &pieces {
                let start = message(1, if *up { QUERY } else { ANSWER }, &[("abc", 33)], &[]);
                let data = if *headed { [start, tail.clone()].concat() } else { tail.clone() };
                let sender = if *up { Role::Client } else { Role::Server };
                talk.send(0, sender, &data);
                if tail.len() % 7 == 0 {
                    talk.dns.on_gap(sender, 3);
                }
            }
            prop_assert!(talk.dns.bytes() < 96 << 10);
            talk.end();
        }
    }
}

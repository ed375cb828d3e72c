//! Whole associations, as administrators and worms have them.

use super::epmapper::tests::{answer, question};
use super::ndr::tests::wide;
use super::*;
use crate::event::Record;
use crate::proto::gss::tests::{init, kerberos_token, response};
use crate::proto::ntlm::tests::{authenticate, challenge};
use proptest::prelude::*;

const SVCCTL: &str = "367abb81-9844-35f1-ad32-98f038001003";
const EPMAPPER: &str = "e1af8308-5d1f-11c9-91a4-08002b14a0fa";

fn unit(kind: u8, call: u32, body: &[u8], auth: Option<(u8, &[u8])>) -> Vec<u8> {
    fragment(kind, 3, call, body, auth)
}

fn fragment(kind: u8, flags: u8, call: u32, body: &[u8], auth: Option<(u8, &[u8])>) -> Vec<u8> {
    let mut out = vec![5, 0, kind, flags, 0x10, 0, 0, 0, 0, 0, 0, 0];
    out.extend(call.to_le_bytes());
    out.extend(body);
    if let Some((level, token)) = auth {
        out[10..12].copy_from_slice(&(token.len() as u16).to_le_bytes());
        out.extend([10, level, 0, 0, 0, 0, 0, 0]);
        out.extend(token);
    }
    let length = (out.len() as u16).to_le_bytes();
    out[8..10].copy_from_slice(&length);
    out
}

fn bind(interface: &str, auth: Option<(u8, &[u8])>) -> Vec<u8> {
    let mut body = vec![0xb8, 0x10, 0xb8, 0x10, 0, 0, 0, 0, 1, 0, 0, 0, 7, 0, 1, 0];
    body.extend(Uuid::parse(interface).unwrap().to_wire());
    body.extend([2, 0, 0, 0]);
    body.extend([0; 20]);
    unit(kind::BIND, 1, &body, auth)
}

fn bind_ack(address: &str, auth: Option<(u8, &[u8])>) -> Vec<u8> {
    let mut body = vec![0xb8, 0x10, 0xb8, 0x10, 0, 0, 0, 0];
    body.extend((address.len() as u16 + 1).to_le_bytes());
    body.extend(address.as_bytes());
    body.push(0);
    unit(kind::BIND_ACK, 1, &body, auth)
}

fn request(call: u32, operation: u16, arguments: &[u8], auth: Option<(u8, &[u8])>) -> Vec<u8> {
    let body = [&[0, 0, 0, 0, 7, 0][..], &operation.to_le_bytes(), arguments].concat();
    unit(kind::REQUEST, call, &body, auth)
}

fn reply(call: u32, results: &[u8]) -> Vec<u8> {
    unit(kind::RESPONSE, call, &[&[0; 8], results].concat(), None)
}

fn fault(call: u32, status: u32) -> Vec<u8> {
    unit(kind::FAULT, call, &[&[0; 8][..], &status.to_le_bytes(), &[0; 4]].concat(), None)
}

fn create_service() -> Vec<u8> {
    [&[0; 20][..], &wide("svc"), &[0; 4], &[0; 16], &wide("cmd.exe")].concat()
}

fn hear(association: &mut Association, messages: &[(Role, Vec<u8>)]) -> Findings {
    let mut out = Findings::default();
    for (second, (sender, message)) in messages.iter().enumerate() {
        let at = Timestamp::from_secs(second as i64);
        association.on_data(at, *sender, message, &mut out);
    }
    association.on_end(Timestamp::from_secs(99), &mut out);
    out
}

use Role::{Client, Server};

#[test]
fn tells_what_is_called_with_what_and_how_it_ended() {
    let messages = [
        (Client, bind(SVCCTL, None)),
        (Server, bind_ack("\\PIPE\\svcctl", None)),
        (Client, request(2, 12, &create_service(), None)),
        (Server, reply(2, &[0, 0, 0, 0, 0x31, 4, 0, 0])),
    ];

    let out = hear(&mut Association::new(), &messages);

    let [Record::DceRpc(call)] = &out.records[..] else { panic!("{out:?}") };
    assert_eq!((call.endpoint.as_str(), call.operation.as_str()), ("svcctl", "CreateServiceW"));
    assert_eq!(call.named_pipe.as_deref(), Some("\\PIPE\\svcctl"));
    assert_eq!(call.object.as_deref(), Some("svc"));
    assert_eq!(call.command.as_deref(), Some("cmd.exe"));
    assert_eq!(call.rtt, Some(std::time::Duration::from_secs(1)));
    assert_eq!(call.return_code, Some(0x431));
}

#[test]
fn is_the_same_however_the_stream_is_cut() {
    let sent = [bind(SVCCTL, None), request(2, 12, &create_service(), None)].concat();
    let messages = [(Client, sent.clone()), (Server, reply(2, &[0; 4]))];
    let whole = hear(&mut Association::new(), &messages);

    for split in 1..sent.len() {
        let (first, second) = sent.split_at(split);
        let mut association = Association::new();
        let mut out = Findings::default();
        for (sender, data) in [(Client, first), (Client, second), (Server, &reply(2, &[0; 4]))] {
            association.on_data(Timestamp::from_secs(0), sender, data, &mut out);
        }
        let named = |out: &Findings| match &out.records[..] {
            [Record::DceRpc(call)] => (call.object.clone(), call.command.clone()),
            _ => panic!("{out:?}"),
        };
        assert_eq!(named(&out), named(&whole));
    }
}

#[test]
fn a_pipe_is_enough_where_the_bind_was_not_seen() {
    let messages = [(Client, request(2, 19, &[], None)), (Server, reply(2, &[0; 4]))];

    let out = hear(&mut Association::over_pipe(Some("svcctl")), &messages);
    assert!(hear(&mut Association::new(), &messages).records.is_empty());

    let [Record::DceRpc(call)] = &out.records[..] else { panic!("{out:?}") };
    assert_eq!((call.endpoint.as_str(), call.operation.as_str()), ("svcctl", "StartServiceW"));
    assert_eq!(call.named_pipe.as_deref(), Some("svcctl"));
}

#[test]
fn what_is_encrypted_has_no_arguments_and_no_result() {
    let auth = Some((PRIVACY, &[1; 16][..]));
    let messages = [
        (Client, bind(SVCCTL, None)),
        (Client, request(2, 12, &create_service(), auth)),
        (Server, reply(2, &[0; 4])),
    ];

    let out = hear(&mut Association::new(), &messages);

    let [Record::DceRpc(call)] = &out.records[..] else { panic!("{out:?}") };
    assert_eq!(call.operation, "CreateServiceW");
    assert_eq!(call.auth_level, Some("privacy"));
    assert_eq!((&call.object, &call.return_code), (&None, &None));
}

#[test]
fn an_authentication_is_judged_by_the_first_answer() {
    let answers = [
        (reply(2, &[0; 4]), Some(true), None),
        (fault(2, ACCESS_DENIED), None, Some(ACCESS_DENIED)),
        (fault(2, 0x1c01_0002), Some(true), Some(0x1c01_0002)),
    ];
    for (result, success, status) in answers {
        let negotiate = b"NTLMSSP\0\x01\0\0\0";
        let messages = [
            (Client, bind(SVCCTL, Some((5, negotiate)))),
            (Server, bind_ack("49152", Some((5, &challenge())))),
            (Client, unit(kind::AUTH3, 1, &[0; 4], Some((5, &authenticate("eve"))))),
            (Client, request(2, 15, &[], Some((5, &[1; 16])))),
            (Server, result),
        ];

        let out = hear(&mut Association::new(), &messages);

        let [Record::Login(login), Record::Ntlm(ntlm), Record::DceRpc(call)] = &out.records[..]
        else {
            panic!("{out:?}")
        };
        assert_eq!((login.user.as_deref(), login.success), (Some("eve"), success));
        assert_eq!(ntlm.success, success);
        assert_eq!(call.auth_level, Some("integrity"));
        assert_eq!(call.fault, status);
    }
}

#[test]
fn a_ticket_is_judged_by_the_answer_to_the_bind() {
    let messages = [
        (Client, bind(SVCCTL, Some((6, &init(kerberos_token()))))),
        (Server, bind_ack("49152", Some((6, &response(1, Vec::new()))))),
    ];

    let out = hear(&mut Association::new(), &messages);

    let [Record::Login(login), Record::Kerberos(ticket)] = &out.records[..] else {
        panic!("{out:?}")
    };
    assert_eq!((login.method, login.success), ("kerberos", Some(true)));
    assert_eq!(ticket.service.as_deref(), Some("cifs/dc"));
}

#[test]
fn the_endpoint_mapper_announces_connections() {
    let messages = [
        (Client, bind(EPMAPPER, None)),
        (Client, request(2, 3, &question(SVCCTL), None)),
        (Server, reply(2, &answer(SVCCTL, 49_152))),
    ];

    let out = hear(&mut Association::new(), &messages);

    let [Record::DceRpc(call)] = &out.records[..] else { panic!("{out:?}") };
    assert_eq!((call.operation.as_str(), call.object.as_deref()), ("ept_map", Some("svcctl")));
    assert_eq!(out.expected.len(), 1);
    assert_eq!(out.expected[0].server.port, 49_152);
}

#[test]
fn an_answer_in_fragments_is_one_answer() {
    let results = |last: bool, bytes: &[u8]| {
        let flags = if last { 2 } else { 1 };
        fragment(kind::RESPONSE, flags, 2, &[&[0; 8], bytes].concat(), None)
    };
    let messages = [
        (Client, bind(SVCCTL, None)),
        (Client, request(2, 14, &[], None)),
        (Server, results(false, &[1; 64])),
        (Server, results(true, &[5, 0, 0, 0])),
    ];

    let out = hear(&mut Association::new(), &messages);

    let [Record::DceRpc(call)] = &out.records[..] else { panic!("{out:?}") };
    assert_eq!(call.return_code, Some(5));
    assert_eq!(call.rtt, Some(std::time::Duration::from_secs(1)));
}

#[test]
fn a_call_without_answer_is_told_at_the_end() {
    let messages = [(Client, bind(SVCCTL, None)), (Client, request(2, 19, &[], None))];

    let out = hear(&mut Association::new(), &messages);

    let [Record::DceRpc(call)] = &out.records[..] else { panic!("{out:?}") };
    assert_eq!((call.operation.as_str(), call.rtt), ("StartServiceW", None));
}

#[test]
fn goes_on_behind_a_gap() {
    let mut association = Association::new();
    let mut out = Findings::default();
    let now = Timestamp::from_secs(0);
    association.on_data(now, Client, &bind(SVCCTL, None), &mut out);
    association.on_data(now, Client, &request(2, 12, &create_service(), None)[..40], &mut out);
    association.on_gap(Client, 1000);
    association.on_data(now, Client, &request(3, 19, &[], None), &mut out);
    association.on_data(now, Server, &reply(3, &[0; 4]), &mut out);

    let [Record::DceRpc(call)] = &out.records[..] else { panic!("{out:?}") };
    assert_eq!(call.operation, "StartServiceW");
}

#[test]
fn reads_the_connectionless_protocol_too() {
    let datagram = |kind: u8| {
        let mut out = vec![0; 80];
        (out[0], out[1], out[4]) = (4, kind, 0x10);
        out[24..40].copy_from_slice(&Uuid::parse(EPMAPPER).unwrap().to_wire());
        out[68] = 3;
        out
    };
    let messages = [(Client, datagram(0)), (Client, datagram(0)), (Server, datagram(2))];

    let out = hear(&mut Association::new(), &messages);

    let [Record::DceRpc(call)] = &out.records[..] else { panic!("{out:?}") };
    assert_eq!((call.endpoint.as_str(), call.operation.as_str()), ("epmapper", "ept_map"));
}

proptest! {
    #[test]
    fn no_bytes_panic(
        pieces: Vec<(bool, Vec<u8>)>,
        changes: Vec<(u8, u8)>,
        gap in 0u64..70_000,
    ) {
        let mut association = Association::new();
        let mut out = Findings::default();
        let now = Timestamp::from_secs(0);
        let known = [
            bind(EPMAPPER, Some((5, &init(kerberos_token())))),
            bind_ack("135", Some((5, &challenge()))),
            request(2, 3, &question(SVCCTL), None),
            reply(2, &answer(SVCCTL, 7)),
            fault(2, 5),
        ];
        for message in known {
            let mut message = message;
            for (at, byte) in &changes {
                if let Some(place) = message.get_mut(usize::from(*at)) {
                    *place = *byte;
                }
            }
            association.on_data(now, Client, &message, &mut out);
            association.on_data(now, Server, &message, &mut out);
        }
        for (client, piece) in &pieces {
            let sender = if *client { Client } else { Server };
            association.on_data(now, sender, piece, &mut out);
            association.on_gap(sender, gap);
        }
        association.on_end(now, &mut out);
        prop_assert!(association.bytes() < 64 * 1024);
    }
}

//! Whole conversations with a directory.

use super::*;
use crate::event::Record;
use crate::proto::gss::tests::init;
use crate::proto::kerberos::tests::{integer, text as string, tlv};
use crate::proto::ntlm::tests::authenticate;
use proptest::prelude::*;

const NOW: Timestamp = Timestamp::from_secs(1);

fn message(id: u8, operation: Vec<u8>) -> Vec<u8> {
    tlv(0x30, &[integer(id), operation])
}

fn bind(name: &str, proof: Vec<u8>) -> Vec<u8> {
    message(1, tlv(0x60, &[integer(3), string(4, name), proof]))
}

fn result(id: u8, tag: u8, code: u8) -> Vec<u8> {
    message(id, tlv(tag, &[vec![0x0a, 1, code], string(4, ""), string(4, "words")]))
}

fn searching() -> Vec<u8> {
    let filter = string(0x87, "servicePrincipalName");
    let attributes = tlv(0x30, &[string(4, "cn"), string(4, "servicePrincipalName")]);
    let numbers = vec![0x0a, 1, 2, 0x0a, 1, 0, 2, 1, 0, 2, 1, 0, 1, 1, 0];
    message(7, tlv(0x63, &[string(4, "DC=ex,DC=net"), numbers, filter, attributes]))
}

fn hear(messages: &[(Role, Vec<u8>)]) -> (Vec<Record>, Option<Protocol>) {
    let mut dissect = Dissect::new(Protocol::LdapTcp);
    let mut out = Findings::default();
    for (sender, data) in messages {
        dissect.on_data(NOW, *sender, data, &mut out);
    }
    dissect.on_end(NOW, &mut out);
    (out.records, out.becomes)
}

use Role::{Client, Server};

#[test]
fn tells_who_binds_and_whether_the_password_was_right() {
    for (code, success) in [(0, Some(true)), (49, Some(false)), (8, None)] {
        let messages =
            [(Client, bind("EX\\eve", string(0x80, "secret"))), (Server, result(1, 0x61, code))];

        let (records, _) = hear(&messages);

        let [Record::Login(login), Record::Ldap(bound)] = &records[..] else {
            panic!("{records:?}")
        };
        assert_eq!((login.user.as_deref(), login.success), (Some("EX\\eve"), success));
        assert_eq!((bound.opcode, bound.version), ("bind simple", Some(3)));
        assert_eq!(bound.argument.as_deref(), Some("REDACTED"));
    }
}

#[test]
fn a_bind_without_a_password_is_nobodys_login() {
    let (records, _) = hear(&[(Client, bind("", string(0x80, ""))), (Server, result(1, 0x61, 0))]);

    assert!(matches!(&records[..], [Record::Ldap(_)]));
}

#[test]
fn tells_who_binds_with_a_mechanism() {
    let token = tlv(4, &[init(authenticate("eve"))]);
    let proof = tlv(0xa3, &[string(4, "GSS-SPNEGO"), token]);

    let (records, _) = hear(&[(Client, bind("", proof)), (Server, result(1, 0x61, 49))]);

    let [Record::Login(login), Record::Ntlm(_), Record::Ldap(bound)] = &records[..] else {
        panic!("{records:?}")
    };
    assert_eq!((login.user.as_deref(), login.success), (Some("eve"), Some(false)));
    assert_eq!(bound.argument.as_deref(), Some("GSS-SPNEGO"));
}

#[test]
fn tells_what_is_searched_for_however_the_stream_is_cut() {
    let entry = message(7, tlv(0x64, &[string(4, "CN=svc"), vec![0x30, 0]]));
    let answers = [entry.clone(), entry, result(7, 0x65, 0)].concat();

    for split in 0..answers.len() {
        let (first, second) = answers.split_at(split);
        let messages = [(Client, searching()), (Server, first.to_vec()), (Server, second.to_vec())];
        let (records, _) = hear(&messages);
        let [Record::LdapSearch(search)] = &records[..] else { panic!("{records:?}") };
        assert_eq!(search.filter.as_deref(), Some("(servicePrincipalName=*)"));
        assert_eq!(search.base_object.as_deref(), Some("DC=ex,DC=net"));
        assert_eq!((search.scope, search.result_count), (Some("tree"), 2));
        assert_eq!(search.attributes, ["cn", "servicePrincipalName"]);
        assert_eq!(search.result, Some("success"));
    }
}

#[test]
fn tells_which_attributes_are_changed() {
    let attribute = tlv(0x30, &[string(4, "servicePrincipalName"), vec![0x31, 0]]);
    let changes = tlv(0x30, &[tlv(0x30, &[vec![0x0a, 1, 0], attribute])]);
    let modify = message(9, tlv(0x66, &[string(4, "CN=svc"), changes]));

    let (records, _) = hear(&[(Client, modify), (Server, result(9, 0x67, 50))]);

    let [Record::Ldap(change)] = &records[..] else { panic!("{records:?}") };
    assert_eq!((change.opcode, change.object.as_deref()), ("modify", Some("CN=svc")));
    assert_eq!(change.argument.as_deref(), Some("servicePrincipalName"));
    assert_eq!(change.result, Some("insufficient access rights"));
}

#[test]
fn goes_on_as_tls_once_that_is_agreed() {
    let request = message(2, tlv(0x77, &[string(0x80, names::STARTTLS)]));

    let (records, becomes) = hear(&[(Client, request), (Server, result(2, 0x78, 0))]);

    assert_eq!(becomes, Some(Protocol::Ssl));
    let [Record::Ldap(record)] = &records[..] else { panic!("{records:?}") };
    assert_eq!(record.object.as_deref(), Some("1.3.6.1.4.1.1466.20037 (StartTLS)"));
}

#[test]
fn reads_what_is_signed_and_passes_what_is_sealed() {
    let buffer = |token: Vec<u8>| [(token.len() as u32).to_be_bytes().to_vec(), token].concat();
    let kerberos =
        |flags| [vec![5, 4, flags, 0xff, 0, 12, 0, 12], vec![7; 8 + 12], searching()].concat();
    let ntlm = [vec![1, 0, 0, 0], vec![7; 12], searching()].concat();

    assert_eq!(hear(&[(Client, buffer(kerberos(4)))]).0.len(), 1);
    assert_eq!(hear(&[(Client, buffer(ntlm))]).0.len(), 1);
    assert_eq!(hear(&[(Client, buffer(kerberos(6)))]).0.len(), 0);
}

#[test]
fn reads_all_messages_that_share_a_buffer() {
    let entry = message(7, tlv(0x64, &[string(4, "CN=svc"), vec![0x30, 0]]));
    let signature = [vec![1, 0, 0, 0], vec![7; 12]].concat();
    let token = [signature, entry, result(7, 0x65, 0)].concat();
    let buffer = [(token.len() as u32).to_be_bytes().to_vec(), token].concat();

    let (records, _) = hear(&[(Client, searching()), (Server, buffer)]);

    let [Record::LdapSearch(search)] = &records[..] else { panic!("{records:?}") };
    assert_eq!((search.result_count, search.result), (1, Some("success")));
}

#[test]
fn finds_the_next_message_after_a_loss() {
    let mut dissect = Dissect::new(Protocol::LdapTcp);
    let mut out = Findings::default();
    dissect.on_data(NOW, Client, &searching()[..20], &mut out);
    dissect.on_gap(Client, 5000);
    dissect.on_data(NOW, Client, b"rest of something", &mut out);
    dissect.on_data(NOW, Client, &searching(), &mut out);
    dissect.on_end(NOW, &mut out);

    assert_eq!(out.records.len(), 1);
}

proptest! {
    #[test]
    fn no_bytes_panic(pieces: Vec<(bool, Vec<u8>)>, tag: u8, changes: Vec<(u8, u8)>) {
        for protocol in [Protocol::LdapTcp, Protocol::LdapUdp] {
            let mut dissect = Dissect::new(protocol);
            let mut out = Findings::default();
            for known in [searching(), bind("a", string(0x80, "b")), result(1, 0x61, 0)] {
                let mut known = known;
                for (at, byte) in &changes {
                    if let Some(place) = known.get_mut(usize::from(*at)) {
                        *place = *byte;
                    }
                }
                dissect.on_data(NOW, Client, &known, &mut out);
                dissect.on_data(NOW, Server, &known, &mut out);
            }
            for (client, piece) in &pieces {
                let sender = if *client { Client } else { Server };
                dissect.on_data(NOW, sender, piece, &mut out);
                let operation = tlv(tag, std::slice::from_ref(piece));
                dissect.on_data(NOW, sender, &message(3, operation), &mut out);
                dissect.on_gap(sender, piece.len() as u64);
            }
            dissect.on_end(NOW, &mut out);
            prop_assert!(dissect.bytes() < 64 * 1024);
        }
    }
}

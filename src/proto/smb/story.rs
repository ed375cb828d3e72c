//! Whole connections, as administrators and worms have them.

use super::*;
use crate::event::{Record, SmbFiles, SmbTransaction};
use crate::proto::Role::{Client, Server};
use crate::proto::gss::tests::{init, kerberos_token, response};
use crate::proto::ntlm::tests::{authenticate, challenge};
use proptest::prelude::*;

const HANDLE: [u8; 16] = [9; 16];

fn wide(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn framed(message: &[u8]) -> Vec<u8> {
    [&(message.len() as u32).to_be_bytes()[..], message].concat()
}

/// A command of SMB2 with a body.
fn command2(command: u16, message: u64, body: &[u8]) -> Vec<u8> {
    let mut out = vec![0; 64];
    out[..4].copy_from_slice(b"\xfeSMB");
    out[4] = 64;
    out[12..14].copy_from_slice(&command.to_le_bytes());
    out[24..32].copy_from_slice(&message.to_le_bytes());
    out[36] = 5;
    out[40] = 77;
    out.extend(body);
    out
}

fn answer2(command: u16, message: u64, status: u32, body: &[u8]) -> Vec<u8> {
    let mut out = command2(command, message, body);
    out[8..12].copy_from_slice(&status.to_le_bytes());
    out[16] = 1;
    out
}

/// A body with `fields`, then `buffer`, whose offset and length of 16 bits stand at `at`.
fn with_buffer(fields: usize, at: usize, buffer: &[u8]) -> Vec<u8> {
    let mut out = vec![0; fields];
    out[at..at + 2].copy_from_slice(&(64 + fields as u16).to_le_bytes());
    out[at + 2..at + 4].copy_from_slice(&(buffer.len() as u16).to_le_bytes());
    out.extend(buffer);
    out
}

fn tree_connect(path: &str) -> [(Role, Vec<u8>); 2] {
    let mut answer = vec![0; 16];
    answer[2] = if path.ends_with("IPC$") { 2 } else { 1 };
    let request = with_buffer(8, 4, &wide(path));
    [(Client, framed(&command2(3, 1, &request))), (Server, framed(&answer2(3, 1, 0, &answer)))]
}

fn create(name: &str, options: u32) -> Vec<u8> {
    let mut out = with_buffer(56, 44, &wide(name));
    out[24..28].copy_from_slice(&0x0013_0197_u32.to_le_bytes());
    out[40..44].copy_from_slice(&options.to_le_bytes());
    out
}

fn created() -> Vec<u8> {
    let mut out = vec![0; 88];
    out[4] = 2;
    for at in [8, 16, 24, 32] {
        out[at..at + 8].copy_from_slice(&131_533_000_000_000_000_u64.to_le_bytes());
    }
    out[64..80].copy_from_slice(&HANDLE);
    out
}

fn write(data: &[u8]) -> Vec<u8> {
    let mut out = vec![0; 48];
    out[2] = 64 + 48;
    out[4..8].copy_from_slice(&(data.len() as u32).to_le_bytes());
    out[16..32].copy_from_slice(&HANDLE);
    out.extend(data);
    out
}

fn close() -> Vec<u8> {
    [&[0; 8][..], &HANDLE].concat()
}

fn set_info(class: u8, data: &[u8]) -> Vec<u8> {
    let mut out = vec![0; 32];
    (out[2], out[3], out[8]) = (1, class, 96);
    out[4..8].copy_from_slice(&(data.len() as u32).to_le_bytes());
    out[16..32].copy_from_slice(&HANDLE);
    out.extend(data);
    out
}

/// A message of SMB1: words, then bytes.
fn message1(command: u8, mid: u16, words: &[u8], bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![0; 32];
    out[..4].copy_from_slice(b"\xffSMB");
    out[4] = command;
    out[10..12].copy_from_slice(&0xc000_u16.to_le_bytes());
    out[24] = 8;
    out[30..32].copy_from_slice(&mid.to_le_bytes());
    out.push((words.len() / 2) as u8);
    out.extend(words);
    out.extend((bytes.len() as u16).to_le_bytes());
    out.extend(bytes);
    out
}

fn answer1(command: u8, mid: u16, status: u32, words: &[u8], bytes: &[u8]) -> Vec<u8> {
    let mut out = message1(command, mid, words, bytes);
    out[5..9].copy_from_slice(&status.to_le_bytes());
    out[9] = 0x80;
    out
}

fn hear(messages: &[(Role, Vec<u8>)]) -> Vec<Record> {
    let mut dissect = Dissect::new();
    let mut out = Findings::default();
    for (second, (sender, message)) in messages.iter().enumerate() {
        dissect.on_data(Timestamp::from_secs(second as i64), *sender, message, &mut out);
    }
    dissect.on_end(Timestamp::from_secs(99), &mut out);
    out.records
}

fn files(records: &[Record]) -> Vec<&SmbFiles> {
    let files = records.iter().filter_map(|record| match record {
        Record::SmbFiles(file) => Some(file),
        _ => None,
    });
    files.collect()
}

fn actions(records: &[Record]) -> Vec<(&'static str, &str)> {
    files(records).iter().map(|file| (file.action, file.name.as_deref().unwrap_or(""))).collect()
}

fn transactions(records: &[Record]) -> Vec<(&SmbCmd, &SmbTransaction)> {
    let commands = records.iter().filter_map(|record| match record {
        Record::SmbCmd(command) => command.transaction.as_ref().map(|shape| (command, shape)),
        _ => None,
    });
    commands.collect()
}

#[test]
fn tells_a_copy_to_an_administrators_share() {
    let mut messages = tree_connect("\\\\pc\\ADMIN$").to_vec();
    messages.extend([
        (Client, framed(&command2(5, 2, &create("svc.exe", 0)))),
        (Server, framed(&answer2(5, 2, 0, &created()))),
        (Client, framed(&command2(9, 3, &write(b"MZ and more")))),
        (Server, framed(&answer2(9, 3, 0, &[0; 16]))),
        (Client, framed(&command2(6, 4, &close()))),
        (Server, framed(&answer2(6, 4, 0, &[0; 60]))),
    ]);

    let records = hear(&messages);

    let [
        Record::SmbMapping(tree),
        Record::SmbFiles(open),
        ..,
        Record::Files(file),
        Record::SmbFiles(close),
    ] = &records[..]
    else {
        panic!("{records:?}")
    };
    assert_eq!((tree.path.as_deref(), tree.share_type), (Some("\\\\pc\\ADMIN$"), "DISK"));
    assert_eq!(open.path.as_deref(), Some("\\\\pc\\ADMIN$"));
    assert_eq!(open.disposition, Some("created"));
    assert_eq!(open.access.as_deref(), Some("read,write,delete"));
    assert_eq!(open.modified, Some(1_508_826_400.0));
    assert_eq!((file.seen_bytes, file.mime_type), (11, Some("application/x-dosexec")));
    assert_eq!(close.bytes_written, Some(11));
    let expected =
        ["SMB::FILE_OPEN", "SMB::FILE_WRITE", "SMB::FILE_CLOSE"].map(|action| (action, "svc.exe"));
    assert_eq!(actions(&records), expected);
}

#[test]
fn is_the_same_however_the_stream_is_cut() {
    let request = [
        framed(&command2(3, 1, &with_buffer(8, 4, &wide("\\\\pc\\C$")))),
        framed(&command2(5, 2, &create("a.bat", 0))),
        framed(&command2(9, 3, &write(&[b'x'; 5000]))),
    ]
    .concat();
    let mut answer = vec![0; 16];
    answer[2] = 1;
    let answers =
        [framed(&answer2(3, 1, 0, &answer)), framed(&answer2(5, 2, 0, &created()))].concat();
    let cut = |size: usize| {
        let pieces = request.chunks(size).map(|piece| (Client, piece.to_vec()));
        let answers = answers.chunks(size).map(|piece| (Server, piece.to_vec()));
        let records = hear(&pieces.chain(answers).collect::<Vec<_>>());
        actions(&records)
            .into_iter()
            .map(|(action, name)| format!("{action} {name}"))
            .collect::<Vec<_>>()
    };

    let whole = cut(100_000);

    assert_eq!(whole, ["SMB::FILE_OPEN a.bat"]);
    for size in [1, 2, 3, 7, 63, 64, 65, 1448, 4096] {
        assert_eq!(cut(size), whole, "pieces of {size}");
    }
}

#[test]
fn tells_renames_and_deletions_once_they_succeed() {
    let rename = [&[0; 16][..], &10_u32.to_le_bytes(), &wide("b.exe")].concat();
    let mut messages = tree_connect("\\\\pc\\C$").to_vec();
    messages.extend([
        (Client, framed(&command2(5, 2, &create("a.tmp", 0)))),
        (Server, framed(&answer2(5, 2, 0, &created()))),
        (Client, framed(&command2(17, 3, &set_info(10, &rename)))),
        (Server, framed(&answer2(17, 3, 0, &[0; 2]))),
        (Client, framed(&command2(17, 4, &set_info(13, &[1])))),
        (Server, framed(&answer2(17, 4, 0xc000_0022, &[0; 8]))),
        (Client, framed(&command2(17, 5, &set_info(13, &[1])))),
        (Server, framed(&answer2(17, 5, 0, &[0; 2]))),
    ]);

    let records = hear(&messages);

    let expected =
        [("SMB::FILE_OPEN", "a.tmp"), ("SMB::FILE_RENAME", "b.exe"), ("SMB::FILE_DELETE", "b.exe")];
    assert_eq!(actions(&records), expected);
    assert_eq!(files(&records)[1].prev_name.as_deref(), Some("a.tmp"));
    let denied = records.iter().find_map(|record| match record {
        Record::SmbCmd(command) => Some(command),
        _ => None,
    });
    assert_eq!(denied.unwrap().status.as_deref(), Some("ACCESS_DENIED"));
}

#[test]
fn tells_a_deletion_on_close_and_a_compound() {
    let mut compound = command2(5, 2, &create("a.tmp", 0x1000));
    compound.resize(compound.len().next_multiple_of(8), 0);
    let length = compound.len() as u32;
    compound[20..24].copy_from_slice(&length.to_le_bytes());
    let mut related = command2(6, 3, &[&[0; 8][..], &[0xff; 16]].concat());
    related[16] = 4;
    compound.extend(related);
    let mut answers = answer2(5, 2, 0, &created());
    let length = answers.len() as u32;
    answers[20..24].copy_from_slice(&length.to_le_bytes());
    answers.extend(answer2(6, 3, 0, &[0; 60]));
    let mut messages = tree_connect("\\\\pc\\C$").to_vec();
    messages.extend([(Client, framed(&compound)), (Server, framed(&answers))]);

    let records = hear(&messages);

    assert_eq!(actions(&records), [("SMB::FILE_OPEN", "a.tmp"), ("SMB::FILE_DELETE", "a.tmp")]);
}

#[test]
fn tells_who_is_let_in_and_who_is_not() {
    let setup = |message, token: Vec<u8>| command2(1, message, &with_buffer(24, 12, &token));
    let answered =
        |message, status, token: Vec<u8>| answer2(1, message, status, &with_buffer(8, 4, &token));
    for (status, success) in [(0, true), (0xc000_006d, false)] {
        let records = hear(&[
            (Client, framed(&setup(1, init(b"NTLMSSP\0\x01\0\0\0".to_vec())))),
            (Server, framed(&answered(1, 0xc000_0016, response(1, challenge())))),
            (Client, framed(&setup(2, response(1, authenticate("eve"))))),
            (Server, framed(&answered(2, status, Vec::new()))),
        ]);

        let [Record::Login(login), Record::Ntlm(ntlm), Record::SmbCmd(command)] = &records[..]
        else {
            panic!("{records:?}")
        };
        assert_eq!((login.user.as_deref(), login.success), (Some("eve"), Some(success)));
        assert_eq!(ntlm.server_nb_computer_name.as_deref(), Some("DC"));
        assert_eq!(command.username.as_deref(), Some("eve"));
    }

    let records = hear(&[
        (Client, framed(&setup(1, init(kerberos_token())))),
        (Server, framed(&answered(1, 0, response(0, Vec::new())))),
    ]);
    assert!(matches!(&records[..], [Record::Login(_), Record::Kerberos(_), Record::SmbCmd(_)]));
}

fn rpc_bind() -> Vec<u8> {
    let mut out = vec![5, 0, 11, 3, 0x10, 0, 0, 0, 72, 0, 0, 0, 1, 0, 0, 0];
    out.extend([0xb8, 0x10, 0xb8, 0x10, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0]);
    out.extend([
        0x81, 0xbb, 0x7a, 0x36, 0x44, 0x98, 0xf1, 0x35, 0xad, 0x32, 0x98, 0xf0, 0x38, 0, 0x10, 3,
    ]);
    out.resize(72, 0);
    out
}

fn rpc_call(kind: u8, operation: u8) -> Vec<u8> {
    let mut out = vec![5, 0, kind, 3, 0x10, 0, 0, 0, 28, 0, 0, 0, 2, 0, 0, 0];
    out.extend([0, 0, 0, 0, 0, 0, operation, 0, 0, 0, 0, 0]);
    out
}

fn transceive(data: &[u8], is_answer: bool) -> Vec<u8> {
    let mut out = vec![0; if is_answer { 48 } else { 56 }];
    out[4..8].copy_from_slice(&0x0011_c017_u32.to_le_bytes());
    out[8..24].copy_from_slice(&HANDLE);
    let at = if is_answer { 32 } else { 24 };
    let start = 64 + out.len() as u32;
    out[at..at + 4].copy_from_slice(&start.to_le_bytes());
    out[at + 4..at + 8].copy_from_slice(&(data.len() as u32).to_le_bytes());
    out.extend(data);
    out
}

#[test]
fn hands_the_bytes_of_pipes_on() {
    let mut messages = tree_connect("\\\\pc\\IPC$").to_vec();
    messages.extend([
        (Client, framed(&command2(5, 2, &create("svcctl", 0)))),
        (Server, framed(&answer2(5, 2, 0, &created()))),
        (Client, framed(&command2(9, 3, &write(&rpc_bind())))),
        (Server, framed(&answer2(9, 3, 0, &[0; 16]))),
        (Client, framed(&command2(11, 4, &transceive(&rpc_call(0, 19), false)))),
        (Server, framed(&answer2(11, 4, 0, &transceive(&rpc_call(2, 0), true)))),
    ]);

    let whole = hear(&messages);
    // The same without the tree connect and the open.
    let middle = hear(&messages[4..]);

    let [Record::SmbMapping(_), Record::SmbFiles(open), Record::DceRpc(call)] = &whole[..] else {
        panic!("{whole:?}")
    };
    assert_eq!((open.action, open.name.as_deref()), ("SMB::PIPE_OPEN", Some("svcctl")));
    assert_eq!((call.endpoint.as_str(), call.operation.as_str()), ("svcctl", "StartServiceW"));
    assert_eq!(call.named_pipe.as_deref(), Some("svcctl"));
    let [Record::DceRpc(call)] = &middle[..] else { panic!("{middle:?}") };
    assert_eq!(call.operation, "StartServiceW");
}

#[test]
fn says_that_the_rest_is_encrypted() {
    let records = hear(&[
        (Client, framed(&[&b"\xfdSMB"[..], &[7; 80]].concat())),
        (Server, framed(&[&b"\xfdSMB"[..], &[7; 80]].concat())),
    ]);

    let [Record::SmbCmd(command)] = &records[..] else { panic!("{records:?}") };
    assert_eq!(command.opaque, Some("encrypted"));
}

/// NT_TRANSACT that announces more data than one message holds.
fn nt_transact(total: u32, sent: u32) -> Vec<u8> {
    let mut words = vec![0; 38];
    words[7..11].copy_from_slice(&total.to_le_bytes());
    words[27..31].copy_from_slice(&sent.to_le_bytes());
    message1(0xa0, 64, &words, &vec![0; sent as usize])
}

fn secondary(command: u8, data: u16) -> Vec<u8> {
    let mut words = vec![0; 18];
    words[10..12].copy_from_slice(&data.to_le_bytes());
    message1(command, 64, &words, &vec![0; usize::from(data)])
}

#[test]
fn tells_the_shape_of_a_transaction_that_changes_its_kind() {
    let records = hear(&[
        (Client, framed(&nt_transact(66_512, 976))),
        (Server, framed(&answer1(0xa0, 64, 0, &[], &[]))),
        (Client, framed(&secondary(0x33, 4096))),
        (Client, framed(&secondary(0x33, 4096))),
        (Server, framed(&answer1(0xa0, 64, 0xc000_000d, &[], &[]))),
    ]);

    let found = transactions(&records);
    let [(command, shape)] = &found[..] else { panic!("{records:?}") };
    assert_eq!(
        (command.command, command.status.as_deref()),
        ("NT_TRANSACT", Some("INVALID_PARAMETER"))
    );
    assert_eq!((shape.total_data, shape.sent_data, shape.secondaries), (66_512, 9168, 2));
    assert_eq!(shape.secondary_command, Some("TRANSACTION2_SECONDARY"));
    assert!(shape.mixed);
}

#[test]
fn a_transaction_in_several_messages_of_its_kind_is_not_mixed() {
    let mut words = vec![0; 30];
    words[2..4].copy_from_slice(&6000_u16.to_le_bytes());
    words[22..24].copy_from_slice(&1000_u16.to_le_bytes());
    words[26] = 1;
    words[28] = 8;
    let records = hear(&[
        (Client, framed(&message1(0x32, 64, &words, &[0; 1000]))),
        (Server, framed(&answer1(0x32, 64, 0, &[], &[]))),
        (Client, framed(&secondary(0x33, 5000))),
        (Server, framed(&answer1(0x32, 64, 0, &[0; 20], &[]))),
    ]);

    let found = transactions(&records);
    let [(command, shape)] = &found[..] else { panic!("{records:?}") };
    assert_eq!(command.sub_command.as_deref(), Some("SET_FILE_INFORMATION"));
    assert_eq!((shape.sent_data, shape.mixed), (6000, false));
}

#[test]
fn tells_an_answer_under_another_number() {
    let mut words = vec![0; 30];
    (words[26], words[28]) = (1, 0x0e);
    let records = hear(&[
        (Client, framed(&message1(0x32, 65, &words, &[]))),
        (Server, framed(&answer1(0x32, 81, 0xc000_0002, &[], &[]))),
    ]);

    let found = transactions(&records);
    let [(command, shape)] = &found[..] else { panic!("{records:?}") };
    assert_eq!(command.sub_command.as_deref(), Some("SESSION_SETUP"));
    assert_eq!(command.status.as_deref(), Some("NOT_IMPLEMENTED"));
    assert_eq!((shape.mid, shape.reply_mid), (65, Some(81)));
}

#[test]
fn reads_a_session_of_the_old_protocol() {
    let dialects = b"\x02PC NETWORK PROGRAM 1.0\0\x02NT LM 0.12\0";
    let mut login = vec![0; 26];
    (login[0], login[14], login[16]) = (0xff, 24, 24);
    let names = [&[0; 48][..], &[0], &wide("eve\0"), &wide("EX\0")].concat();
    let mut connect = vec![0; 8];
    (connect[0], connect[6]) = (0xff, 1);
    let path = [&[0][..], &wide("\\\\pc\\C$\0"), b"?????\0"].concat();
    let mut open = vec![0; 48];
    open[0] = 0xff;
    let mut opened = vec![0; 68];
    (opened[0], opened[5], opened[7]) = (0xff, 3, 2);
    let mut write = vec![0; 28];
    (write[0], write[4], write[20], write[22]) = (0xff, 3, 4, 63);
    let records = hear(&[
        (Client, framed(&message1(0x72, 1, &[], dialects))),
        (Server, framed(&answer1(0x72, 1, 0, &[1, 0], &[]))),
        (Client, framed(&message1(0x73, 2, &login, &names))),
        (Server, framed(&answer1(0x73, 2, 0, &[0xff, 0, 0, 0, 0, 0], &[]))),
        (Client, framed(&message1(0x75, 3, &connect, &path))),
        (Server, framed(&answer1(0x75, 3, 0, &[0xff, 0, 0, 0, 0, 0], b"A:\0N\0T\0F\0S\0\0\0"))),
        (Client, framed(&message1(0xa2, 4, &open, &[&[0][..], &wide("\\a.exe\0")].concat()))),
        (Server, framed(&answer1(0xa2, 4, 0, &opened, &[]))),
        (Client, framed(&message1(0x2f, 5, &write, b"MZ.."))),
        (Client, framed(&message1(0x04, 6, &[3, 0, 0, 0, 0, 0], &[]))),
        (Server, framed(&answer1(0x04, 6, 0, &[], &[]))),
    ]);

    let logins: Vec<_> = records
        .iter()
        .filter_map(|record| match record {
            Record::Login(login) => {
                Some((login.user.as_deref(), login.domain.as_deref(), login.success))
            }
            _ => None,
        })
        .collect();
    assert_eq!(logins, [(Some("eve"), Some("EX"), Some(true))]);
    let tree = records.iter().find_map(|record| match record {
        Record::SmbMapping(tree) => Some(tree),
        _ => None,
    });
    let tree = tree.unwrap();
    assert_eq!((tree.path.as_deref(), tree.service.as_deref()), (Some("\\\\pc\\C$"), Some("A:")));
    assert_eq!(tree.native_file_system.as_deref(), Some("NTFS"));
    assert_eq!(tree.username.as_deref(), Some("eve"));
    let expected =
        ["SMB::FILE_OPEN", "SMB::FILE_WRITE", "SMB::FILE_CLOSE"].map(|action| (action, "\\a.exe"));
    assert_eq!(actions(&records), expected);
}

proptest! {
    #[test]
    fn no_bytes_panic(
        pieces: Vec<(u8, u8, bool, Vec<u8>)>,
        changes: Vec<(u8, u8)>,
        gap in 0u64..100_000,
    ) {
        let mut dissect = Dissect::new();
        let mut out = Findings::default();
        let now = Timestamp::from_secs(0);
        let mut known = tree_connect("\\\\pc\\IPC$").map(|(_, message)| message).to_vec();
        known.extend([
            framed(&command2(5, 2, &create("svcctl", 0x1000))),
            framed(&answer2(5, 2, 0, &created())),
            framed(&command2(9, 3, &write(&rpc_bind()))),
            framed(&command2(11, 4, &transceive(&rpc_call(0, 19), false))),
            framed(&answer2(11, 4, 0, &transceive(&rpc_call(2, 0), true))),
            framed(&nt_transact(66_512, 40)),
            framed(&secondary(0x33, 40)),
            framed(&answer1(0xa0, 64, 0xc000_000d, &[], &[])),
        ]);
        for mut message in known {
            for (at, byte) in &changes {
                // The frame's own length is left alone, or nothing behind it would be read.
                if let Some(place) = message.get_mut(8 + usize::from(*at)) {
                    *place = *byte;
                }
            }
            dissect.on_data(now, Client, &message, &mut out);
            dissect.on_data(now, Server, &message, &mut out);
        }
        for (kind, command, client, piece) in &pieces {
            let sender = if *client { Client } else { Server };
            let message = match kind % 5 {
                0 => piece.clone(),
                1 => framed(&command2(u16::from(*command % 20), 9, piece)),
                2 => framed(&answer2(u16::from(*command % 20), 9, 0, piece)),
                3 => framed(&message1(*command, 9, piece, piece)),
                _ => framed(&answer1(*command, 9, u32::from(*kind), piece, piece)),
            };
            dissect.on_data(now, sender, &message, &mut out);
            if gap % 3 == 0 {
                dissect.on_gap(sender, gap);
            }
        }
        dissect.on_end(now, &mut out);
        prop_assert!(dissect.bytes() < 256 * 1024);
    }
}

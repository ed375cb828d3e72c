//! What crosses: the openings by which a protocol is recognised, then filler.
//!
//! Openings are the shortest well-formed messages. Everything after them is the same inert text, so
//! captures compress well and no byte can do anything to anybody.

/// Repeated for as long as there is something left to say.
const FILLER: &[u8] = b"This is filler of a generated capture and means nothing at all. ";

/// Bytes `from` to `from + length` of a message that begins with `opening` and goes on with filler.
pub fn slice(opening: &[u8], from: usize, length: usize) -> Vec<u8> {
    let filler = FILLER.iter().copied().cycle().skip(from.saturating_sub(opening.len()) % 64);
    opening.iter().copied().skip(from).chain(filler).take(length).collect()
}

/// A DNS question (RFC 1035 section 4.1) for the A record of `name`.
pub fn dns_question(id: u16, name: &str) -> Vec<u8> {
    let mut message = dns_header(id, [0x01, 0x00], 0);
    push_question(&mut message, name);
    message
}

/// The answer to [`dns_question`] with one address.
pub fn dns_answer(id: u16, name: &str, addr: [u8; 4]) -> Vec<u8> {
    let mut message = dns_header(id, [0x81, 0x80], 1);
    push_question(&mut message, name);
    // A pointer to the name in the question, type A, class IN, one hour, four bytes.
    message.extend_from_slice(&[0xc0, 0x0c, 0, 1, 0, 1, 0, 0, 0x0e, 0x10, 0, 4]);
    message.extend_from_slice(&addr);
    message
}

/// The answer to [`dns_question`] that no such name exists (RFC 1035 section 4.1.1, code 3).
pub fn dns_no_such_name(id: u16, name: &str) -> Vec<u8> {
    let mut message = dns_header(id, [0x81, 0x83], 0);
    push_question(&mut message, name);
    message
}

fn dns_header(id: u16, flags: [u8; 2], answers: u8) -> Vec<u8> {
    let [high, low] = id.to_be_bytes();
    let [first, second] = flags;
    vec![high, low, first, second, 0, 1, 0, answers, 0, 0, 0, 0]
}

fn push_question(message: &mut Vec<u8>, name: &str) {
    for label in name.split('.').filter(|label| !label.is_empty()) {
        let label: Vec<u8> = label.bytes().take(63).collect();
        message.push(label.len() as u8);
        message.extend_from_slice(&label);
    }
    message.extend_from_slice(&[0, 0, 1, 0, 1]);
}

/// An HTTP/1.1 request without a body.
pub fn http_request(host: &str, path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: synth\r\nAccept: */*\r\n\r\n")
        .into_bytes()
}

/// The head of an HTTP/1.1 response whose body has `length` bytes.
pub fn http_response(length: usize) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\r\n")
        .into_bytes()
}

/// A TLS 1.2 ClientHello (RFC 5246 section 7.4.1.2) that names `host` (RFC 6066 section 3).
pub fn tls_client_hello(host: &str) -> Vec<u8> {
    let name: Vec<u8> = host.bytes().take(200).collect();
    let mut server_name = vec![0, 0];
    push_sized(&mut server_name, 2, |list| {
        push_sized(list, 2, |entries| {
            entries.push(0);
            push_sized(entries, 2, |host| host.extend_from_slice(&name));
        });
    });
    let mut body = vec![3, 3];
    body.extend_from_slice(&[0x5a; 32]);
    body.push(0);
    // TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 and its 256-bit sister; no compression.
    body.extend_from_slice(&[0, 4, 0xc0, 0x2f, 0xc0, 0x30, 1, 0]);
    push_sized(&mut body, 2, |extensions| extensions.extend_from_slice(&server_name));
    tls_record(22, &handshake(1, &body))
}

/// A TLS 1.2 ServerHello (RFC 5246 section 7.4.1.3).
pub fn tls_server_hello() -> Vec<u8> {
    let mut body = vec![3, 3];
    body.extend_from_slice(&[0xa5; 32]);
    body.extend_from_slice(&[0, 0xc0, 0x2f, 0]);
    tls_record(22, &handshake(2, &body))
}

fn handshake(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut message = vec![kind];
    push_sized(&mut message, 3, |out| out.extend_from_slice(body));
    message
}

fn tls_record(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut record = vec![kind, 3, 3];
    push_sized(&mut record, 2, |out| out.extend_from_slice(body));
    record
}

/// The identification line of an SSH client or server (RFC 4253 section 4.2).
pub fn ssh_banner(software: &str) -> Vec<u8> {
    format!("SSH-2.0-{software}\r\n").into_bytes()
}

/// An SSH KEXINIT (RFC 4253 section 7.1) that offers one algorithm of each kind.
pub fn ssh_key_exchange() -> Vec<u8> {
    let lists: [&str; 10] = [
        "curve25519-sha256",
        "ssh-ed25519",
        "aes128-ctr",
        "aes128-ctr",
        "hmac-sha2-256",
        "hmac-sha2-256",
        "none",
        "none",
        "",
        "",
    ];
    let mut body = vec![20];
    body.extend_from_slice(&[0x33; 16]);
    for list in lists {
        push_sized(&mut body, 4, |out| out.extend_from_slice(list.as_bytes()));
    }
    body.extend_from_slice(&[0; 5]);
    // Binary packet protocol (section 6): to a multiple of eight, with at least four of padding.
    let short = 8 - (body.len() + 5) % 8;
    let padding = if short < 4 { short + 8 } else { short };
    let mut packet = Vec::new();
    push_sized(&mut packet, 4, |out| {
        out.push(padding as u8);
        out.extend_from_slice(&body);
        out.resize(out.len() + padding, 0);
    });
    packet
}

/// An SMB2 NEGOTIATE request ([MS-SMB2] section 2.2.3) for dialects 2.1 and 3.0, in its NetBIOS
/// session frame (RFC 1002 section 4.3.1).
pub fn smb_negotiate() -> Vec<u8> {
    let mut body = vec![36, 0, 2, 0, 1, 0, 0, 0, 0x7f, 0, 0, 0];
    body.extend_from_slice(&[0x44; 16]);
    body.extend_from_slice(&[0; 8]);
    body.extend_from_slice(&[0x10, 0x02, 0x00, 0x03]);
    smb_message(0, false, &body)
}

/// The head of an SMB2 NEGOTIATE response ([MS-SMB2] section 2.2.4), no security buffer.
pub fn smb_negotiated() -> Vec<u8> {
    let mut body = vec![65, 0, 1, 0, 0x00, 0x03, 0, 0];
    body.extend_from_slice(&[0x55; 16]);
    body.extend_from_slice(&[0x7f, 0, 0, 0]);
    for _ in 0..3 {
        body.extend_from_slice(&0x0010_0000_u32.to_le_bytes());
    }
    body.extend_from_slice(&[0; 16]);
    body.extend_from_slice(&[128, 0, 0, 0, 0, 0, 0, 0]);
    smb_message(0, true, &body)
}

/// The head of an SMB2 READ response ([MS-SMB2] section 2.2.20) that carries `length` bytes.
pub fn smb_read(length: usize) -> Vec<u8> {
    let length = u32::try_from(length).unwrap_or(0x00ff_0000).min(0x00ff_0000);
    let mut body = vec![17, 0, 80, 0];
    body.extend_from_slice(&length.to_le_bytes());
    body.extend_from_slice(&[0; 8]);
    let mut message = smb_message(8, true, &body);
    // The frame counts the data that follows as filler.
    let total = 64 + 16 + length;
    message.splice(1..4, total.to_be_bytes().into_iter().skip(1));
    message
}

fn smb_message(command: u8, is_response: bool, body: &[u8]) -> Vec<u8> {
    let mut message = vec![0];
    push_sized(&mut message, 3, |out| {
        out.extend_from_slice(b"\xfeSMB");
        out.extend_from_slice(&[64, 0, 0, 0, 0, 0, 0, 0, command, 0, 1, 0]);
        out.extend_from_slice(&[u8::from(is_response), 0, 0, 0, 0, 0, 0, 0]);
        out.extend_from_slice(&[0; 40]);
        out.extend_from_slice(body);
    });
    message
}

/// An NTP version 4 message (RFC 5905 section 7.3) with the given mode: 3 client, 4 server.
pub fn ntp(mode: u8) -> Vec<u8> {
    let mut message = vec![0x20 | (mode & 7), 2, 6, 0xe9];
    message.resize(48, 0);
    message
}

/// An SNMPv2c get-request (RFC 3416) of sysUpTime with the community `public`, or its response.
pub fn snmp(is_response: bool) -> Vec<u8> {
    let mut pdu = vec![2, 1, 1, 2, 1, 0, 2, 1, 0, 0x30, 0x0e, 0x30, 0x0c];
    pdu.extend_from_slice(&[6, 8, 0x2b, 6, 1, 2, 1, 1, 3, 0]);
    pdu.extend_from_slice(&[5, 0]);
    let mut body = vec![2, 1, 1, 4, 6];
    body.extend_from_slice(b"public");
    body.extend_from_slice(&[if is_response { 0xa2 } else { 0xa0 }, pdu.len() as u8]);
    body.extend_from_slice(&pdu);
    let mut message = vec![0x30, body.len() as u8];
    message.extend_from_slice(&body);
    message
}

/// A DHCP message (RFC 2131 section 2) of the given type (option 53): 1 discover, 2 offer,
/// 3 request, 5 acknowledge.
pub fn dhcp(kind: u8, mac: [u8; 6], your_addr: [u8; 4]) -> Vec<u8> {
    let is_reply = matches!(kind, 2 | 5);
    let mut message = vec![if is_reply { 2 } else { 1 }, 1, 6, 0, 0x12, 0x34, 0x56, 0x78];
    message.extend_from_slice(&[0; 8]);
    message.extend_from_slice(&if is_reply { your_addr } else { [0; 4] });
    message.extend_from_slice(&[0; 8]);
    message.extend_from_slice(&mac);
    message.resize(236, 0);
    message.extend_from_slice(&[0x63, 0x82, 0x53, 0x63, 53, 1, kind, 255]);
    message.resize(300, 0);
    message
}

/// Appends what `write` writes, after its length in `width` bytes, big-endian.
fn push_sized(out: &mut Vec<u8>, width: usize, write: impl FnOnce(&mut Vec<u8>)) {
    let mut inner = Vec::new();
    write(&mut inner);
    let length = (inner.len() as u64).to_be_bytes();
    out.extend(length.iter().skip(8 - width.min(8)));
    out.append(&mut inner);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_join_to_one_message() {
        let whole = slice(b"opening", 0, 500);

        let parts =
            [slice(b"opening", 0, 3), slice(b"opening", 3, 200), slice(b"opening", 203, 297)];

        assert_eq!(parts.concat(), whole);
        assert!(whole.starts_with(b"openingThis is filler"));
    }

    #[test]
    fn lengths_inside_messages_match_their_bytes() {
        let hello = tls_client_hello("www.example.com");
        let negotiate = smb_negotiate();
        let exchange = ssh_key_exchange();

        assert_eq!(usize::from(u16::from_be_bytes([hello[3], hello[4]])), hello.len() - 5);
        assert_eq!(usize::from(negotiate[3]), negotiate.len() - 4);
        assert_eq!(exchange.len() % 8, 0);
        assert_eq!(usize::from(exchange[2]) * 256 + usize::from(exchange[3]), exchange.len() - 4);
        assert!(exchange[4] >= 4);
    }

    #[test]
    fn a_dns_answer_repeats_its_question() {
        let question = dns_question(7, "www.example.com");
        let answer = dns_answer(7, "www.example.com", [192, 0, 2, 1]);

        assert_eq!(answer[12..question.len()], question[12..]);
        assert_eq!(answer[..3], [0, 7, 0x81]);
        assert!(answer.ends_with(&[0, 4, 192, 0, 2, 1]));
    }
}

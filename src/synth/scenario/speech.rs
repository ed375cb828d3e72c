//! What is said over TCP: true openings, then filler of the right sizes in the protocol's records.

use std::time::Duration;

use super::super::conversation::Side;
use super::super::payload;
use super::body::{Body, Framing};
use super::tcp::Call;

/// No time at all.
pub const AT_ONCE: Duration = Duration::ZERO;

/// Lines of text, each side's as they come.
pub fn text(call: &mut Call, from: Side, after: Duration, words: &str) {
    call.say(from, after, Body::of(words.as_bytes().to_vec()));
}

/// Bytes without structure.
pub fn filler(call: &mut Call, from: Side, after: Duration, length: usize) {
    let stamp = stamp(call);
    call.say(from, after, Body::framed(Framing::Plain, Vec::new(), length, stamp));
}

/// A TLS handshake with the server `name`, whose certificates take `certificates` bytes.
pub fn tls(call: &mut Call, name: &str, certificates: usize) {
    let stamp = stamp(call);
    call.say(Side::Client, AT_ONCE, Body::of(payload::tls_client_hello(name)));
    // Everything after the hello is encrypted in TLS 1.3, which this looks like from outside.
    let mut hello = payload::tls_server_hello();
    hello.extend_from_slice(&[20, 3, 3, 0, 1, 1]);
    let greeting = Body::framed(Framing::Tls, hello, certificates, stamp);
    call.say(Side::Server, Duration::from_micros(900), greeting);
    let mut finished = vec![20, 3, 3, 0, 1, 1];
    finished.extend_from_slice(&[23, 3, 3, 0, 53]);
    finished.resize(64, 0x46);
    call.say(Side::Client, Duration::from_micros(700), Body::of(finished));
}

/// Encrypted application data of `length` bytes.
pub fn sealed(call: &mut Call, from: Side, after: Duration, length: usize) {
    let stamp = stamp(call);
    call.say(from, after, Body::framed(Framing::Tls, Vec::new(), length.max(26), stamp));
}

/// An HTTP request with a body of `sent` bytes, and its answer with one of `received`.
pub fn http(
    call: &mut Call,
    (method, host, path): (&str, &str, &str),
    kind: &str,
    (sent, received): (usize, usize),
    thought: Duration,
    stamp: u32,
) {
    let about = if sent == 0 {
        String::new()
    } else {
        format!("Content-Type: {kind}\r\nContent-Length: {sent}\r\n")
    };
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: synth\r\nAccept: */*\r\n{about}\r\n"
    );
    let length = head.len() + sent;
    let question = Body::framed(Framing::Plain, head.into_bytes(), length, stamp);
    call.say(Side::Client, AT_ONCE, question);
    let head =
        format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {received}\r\n\r\n");
    let length = head.len() + received;
    let answer = Body::framed(Framing::Plain, head.into_bytes(), length, stamp);
    call.say(Side::Server, thought, answer);
}

/// An HTTP request that the server does not like.
pub fn http_refused(call: &mut Call, (method, host, path): (&str, &str, &str), status: &str) {
    let head = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nAccept: */*\r\n\r\n");
    text(call, Side::Client, AT_ONCE, &head);
    let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    text(call, Side::Server, Duration::from_millis(2), &answer);
}

/// Bytes on the wire of an SSH packet with so much payload under chacha20-poly1305, OpenSSH's first
/// choice: a length of its own, blocks of eight with at least four bytes of padding, a tag.
const fn packet(payload: usize) -> usize {
    (payload + 1 + 4).next_multiple_of(8) + 4 + 16
}

/// A KEXINIT (RFC 4253 section 7.1) that offers what OpenSSH takes.
fn key_exchange() -> Vec<u8> {
    let lists = [
        "curve25519-sha256",
        "ssh-ed25519",
        "chacha20-poly1305@openssh.com",
        "chacha20-poly1305@openssh.com",
        "umac-64-etm@openssh.com",
        "umac-64-etm@openssh.com",
        "none",
        "none",
        "",
        "",
    ];
    let mut body = vec![0x33; 16];
    for list in lists {
        body.extend_from_slice(&(list.len() as u32).to_be_bytes());
        body.extend_from_slice(list.as_bytes());
    }
    body.extend_from_slice(&[0; 5]);
    let mut message = clear(20, body.len());
    put(&mut message, 6, &body);
    message
}

/// An SSH packet in clear, of a message with a number and `rest` bytes.
fn clear(number: u8, rest: usize) -> Vec<u8> {
    let padding = 8 - (rest + 6) % 8;
    let padding = if padding < 4 { padding + 8 } else { padding };
    let mut message = ((rest + 2 + padding) as u32).to_be_bytes().to_vec();
    message.extend_from_slice(&[padding as u8, number]);
    message.resize(message.len() + rest + padding, 0x33);
    message
}

/// Banners, key exchange (curve25519, ed25519), and the request for authentication.
pub fn ssh_open(call: &mut Call, software: &str) {
    let think = Duration::from_millis(3);
    call.say(Side::Client, AT_ONCE, Body::of(payload::ssh_banner(software)));
    call.say(Side::Server, think, Body::of(payload::ssh_banner("OpenSSH_9.2p1")));
    call.say(Side::Client, AT_ONCE, Body::of(key_exchange()));
    call.say(Side::Server, AT_ONCE, Body::of(key_exchange()));
    // KEX_ECDH_INIT with a point; the reply has key, point and signature, and NEWKEYS follows.
    let mut init = clear(30, 36);
    put(&mut init, 6, &32u32.to_be_bytes());
    call.say(Side::Client, AT_ONCE, Body::of(init));
    let mut reply = clear(31, 55 + 36 + 87);
    put(&mut reply, 6, &51u32.to_be_bytes());
    put(&mut reply, 10, b"\0\0\0\x0bssh-ed25519\0\0\0\x20");
    put(&mut reply, 61, &32u32.to_be_bytes());
    put(&mut reply, 97, &83u32.to_be_bytes());
    put(&mut reply, 101, b"\0\0\0\x0bssh-ed25519\0\0\0\x40");
    reply.extend_from_slice(&clear(21, 0));
    call.say(Side::Server, think, Body::of(reply));
    call.say(Side::Client, AT_ONCE, Body::of(clear(21, 0)));
    filler(call, Side::Client, Duration::from_micros(300), packet(17));
    filler(call, Side::Server, AT_ONCE, packet(17));
}

/// Passwords that are refused, `count` of them.
pub fn ssh_refused(call: &mut Call, account: &str, count: u32) {
    ssh_none(call, account);
    for _ in 0..count {
        let thought = Duration::from_millis(25);
        filler(call, Side::Client, thought, packet(49 + account.len()));
        filler(call, Side::Server, Duration::from_millis(1900), packet(24));
    }
}

/// A login with a key that is let in.
pub fn ssh_key(call: &mut Call, account: &str) {
    ssh_none(call, account);
    filler(call, Side::Client, Duration::from_millis(1), packet(107 + account.len()));
    filler(call, Side::Server, Duration::from_millis(2), packet(71));
    filler(call, Side::Client, Duration::from_millis(2), packet(194 + account.len()));
    ssh_welcome(call);
}

/// A login with a password that is let in.
pub fn ssh_password(call: &mut Call, account: &str) {
    ssh_none(call, account);
    filler(call, Side::Client, Duration::from_millis(25), packet(49 + account.len()));
    ssh_welcome(call);
}

/// The question which methods there are.
fn ssh_none(call: &mut Call, account: &str) {
    filler(call, Side::Client, AT_ONCE, packet(31 + account.len()));
    filler(call, Side::Server, Duration::from_millis(4), packet(24));
}

/// Success, host keys, a channel.
fn ssh_welcome(call: &mut Call) {
    filler(call, Side::Server, Duration::from_millis(9), packet(1));
    filler(call, Side::Client, AT_ONCE, packet(24));
    filler(call, Side::Server, Duration::from_millis(3), packet(500));
    filler(call, Side::Client, AT_ONCE, packet(40));
    filler(call, Side::Server, Duration::from_millis(1), packet(24));
}

/// A Telnet login with `guesses` refused and, perhaps, one let in; then the prompt.
pub fn telnet_login(call: &mut Call, account: &str, guesses: u32, is_in: bool) {
    let think = Duration::from_millis(12);
    // RFC 854, 857, 858: the server will echo and suppress go-ahead, and wants a terminal type.
    call.say(Side::Server, think, Body::of(vec![255, 251, 1, 255, 251, 3, 255, 253, 24]));
    call.say(Side::Client, AT_ONCE, Body::of(vec![255, 253, 1, 255, 253, 3, 255, 252, 24]));
    text(call, Side::Server, think, "\r\ncamera login: ");
    for guess in 0..guesses + u32::from(is_in) {
        text(call, Side::Client, think, &format!("{account}\r\n"));
        text(call, Side::Server, think, "Password: ");
        text(call, Side::Client, think, &format!("guess{guess:03}\r\n"));
        if guess < guesses {
            let slow = Duration::from_millis(1500);
            text(call, Side::Server, slow, "\r\nLogin incorrect\r\ncamera login: ");
        } else {
            text(call, Side::Server, think, "\r\nWelcome.\r\n# ");
        }
    }
}

/// An FTP login with `guesses` refused and, perhaps, one let in.
pub fn ftp_login(call: &mut Call, account: &str, guesses: u32, is_in: bool) {
    let think = Duration::from_millis(4);
    text(call, Side::Server, think, "220 ready\r\n");
    for guess in 0..guesses + u32::from(is_in) {
        text(call, Side::Client, think, &format!("USER {account}\r\n"));
        text(call, Side::Server, think, "331 password, please\r\n");
        text(call, Side::Client, think, &format!("PASS guess{guess:03}\r\n"));
        if guess < guesses {
            text(call, Side::Server, Duration::from_millis(900), "530 no\r\n");
        } else {
            text(call, Side::Server, think, "230 welcome\r\n");
        }
    }
}

/// A mail over SMTP (RFC 5321) with so many bytes of content.
pub fn smtp(call: &mut Call, (from, to): (&str, &str), subject: &str, length: usize, stamp: u32) {
    let think = Duration::from_millis(15);
    text(call, Side::Server, think, "220 mail ESMTP\r\n");
    text(call, Side::Client, AT_ONCE, "EHLO client\r\n");
    text(call, Side::Server, think, "250-mail\r\n250-SIZE 50000000\r\n250 8BITMIME\r\n");
    text(call, Side::Client, AT_ONCE, &format!("MAIL FROM:<{from}>\r\n"));
    text(call, Side::Server, think, "250 OK\r\n");
    text(call, Side::Client, AT_ONCE, &format!("RCPT TO:<{to}>\r\n"));
    text(call, Side::Server, think, "250 OK\r\n");
    text(call, Side::Client, AT_ONCE, "DATA\r\n");
    text(call, Side::Server, think, "354 go on\r\n");
    let head = format!(
        "From: <{from}>\r\nTo: <{to}>\r\nSubject: {subject}\r\nMIME-Version: 1.0\r\n\
         Content-Type: text/plain\r\n\r\n"
    );
    let length = head.len() + length;
    let content = Body::framed(Framing::Lines, head.into_bytes(), length, stamp);
    call.say(Side::Client, AT_ONCE, content);
    text(call, Side::Client, Duration::from_micros(200), "\r\n.\r\n");
    text(call, Side::Server, Duration::from_millis(60), "250 queued\r\n");
    text(call, Side::Client, AT_ONCE, "QUIT\r\n");
    text(call, Side::Server, think, "221 bye\r\n");
}

/// A Remote Desktop connection request ([MS-RDPBCGR] section 2.2.1.1) for enhanced security, its
/// confirmation, and the TLS handshake that follows.
pub fn rdp_open(call: &mut Call, account: &str, name: &str) {
    let cookie = format!("Cookie: mstshash={account}\r\n");
    let length = 11 + cookie.len() + 8;
    let mut request = vec![3, 0, 0, length as u8, (length - 5) as u8, 0xe0, 0, 0, 0, 0, 0];
    request.extend_from_slice(cookie.as_bytes());
    request.extend_from_slice(&[1, 0, 8, 0, 3, 0, 0, 0]);
    call.say(Side::Client, AT_ONCE, Body::of(request));
    let confirm = vec![3, 0, 0, 19, 14, 0xd0, 0, 0, 0x12, 0x34, 0, 2, 0, 8, 0, 2, 0, 0, 0];
    call.say(Side::Server, Duration::from_millis(3), Body::of(confirm));
    tls(call, name, 1400);
}

/// What makes this call's filler its own.
pub const fn stamp(call: &Call) -> u32 {
    (call.seed >> 20) as u32
}

/// Writes `bytes` over what stands at `at`, where they fit.
pub fn put(message: &mut [u8], at: usize, bytes: &[u8]) {
    if let Some(room) = message.get_mut(at..at + bytes.len()) {
        room.copy_from_slice(bytes);
    }
}

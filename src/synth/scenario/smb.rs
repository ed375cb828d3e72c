//! SMB2 ([MS-SMB2]) with NTLM logins ([MS-NLMP]): sessions, shares, files that are written.

use std::time::Duration;

use super::super::conversation::Side;
use super::super::payload;
use super::body::{Body, Framing};
use super::speech::{AT_ONCE, put, stamp};
use super::tcp::Call;

/// A status of a response: all is well.
const OK: u32 = 0;
/// More of the login is wanted.
const MORE: u32 = 0xc000_0016;
/// Account or password is wrong.
const LOGON_FAILURE: u32 = 0xc000_006d;
/// The account may not.
const ACCESS_DENIED: u32 = 0xc000_0022;

/// How much of a file one request carries.
const PIECE: usize = 1 << 16;

/// How long a server takes.
const THINK: Duration = Duration::from_micros(600);

/// Who logs in, and from which machine.
#[derive(Clone, Copy, Debug)]
pub struct Account<'a> {
    /// The account.
    pub user: &'a str,
    /// Its domain.
    pub domain: &'a str,
    /// The client's name.
    pub machine: &'a str,
}

/// A conversation over SMB that goes on.
#[derive(Debug)]
pub struct Session<'a> {
    call: &'a mut Call,
    message: u64,
}

impl<'a> Session<'a> {
    /// Negotiates, and logs in; whether with success is for the caller to say.
    pub fn open(call: &'a mut Call, account: &Account<'_>, is_in: bool) -> Self {
        call.say(Side::Client, AT_ONCE, Body::of(payload::smb_negotiate()));
        call.say(Side::Server, THINK, Body::of(payload::smb_negotiated()));
        let seed = call.seed;
        let mut session = Self { call, message: 1 };
        session.ask(1, &setup(&hello()));
        session.answer(1, MORE, &set_up(&challenge(account.domain, seed)));
        session.ask(1, &setup(&response(account)));
        session.answer(1, if is_in { OK } else { LOGON_FAILURE }, &set_up(&[]));
        session
    }

    /// Connects to a share of `server`.
    pub fn connect(&mut self, server: &str, share: &str, is_in: bool) {
        let path = wide(&format!("\\\\{server}\\{share}"));
        let mut body = vec![9, 0, 0, 0, 72, 0, path.len() as u8, 0];
        body.extend_from_slice(&path);
        self.ask(3, &body);
        let kind = if share == "IPC$" { 2 } else { 1 };
        let body = [16, 0, kind, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 1, 0x1f, 0];
        self.answer(3, if is_in { OK } else { ACCESS_DENIED }, if is_in { &body } else { &ERROR });
    }

    /// Writes a file of `length` bytes, whose filler has `content` as its stamp.
    pub fn write(&mut self, name: &str, length: usize, content: u32) {
        let name = wide(name);
        let mut body = vec![57, 0, 0, 0, 2, 0, 0, 0];
        body.resize(24, 0);
        // Write and read attributes; normal; disposition: overwrite or create; no directory.
        for field in [0x0012_0196u32, 0x80, 0, 5, 0x40] {
            body.extend_from_slice(&field.to_le_bytes());
        }
        body.extend_from_slice(&[120, 0, name.len() as u8, 0]);
        body.resize(56, 0);
        body.extend_from_slice(&name);
        self.ask(5, &body);
        let mut body = vec![89, 0, 0, 0, 2, 0, 0, 0];
        body.resize(64, 0);
        body.extend_from_slice(&FILE);
        body.resize(88, 0);
        self.answer(5, OK, &body);
        let mut written = 0;
        while written < length {
            let piece = PIECE.min(length - written);
            let mut body = vec![49, 0, 112, 0];
            body.extend_from_slice(&(piece as u32).to_le_bytes());
            body.extend_from_slice(&(written as u64).to_le_bytes());
            body.extend_from_slice(&FILE);
            body.resize(48, 0);
            let mut message = self.message(9, OK, false, &body);
            let total = (message.len() - 4 + piece) as u32;
            put(&mut message, 0, &total.to_be_bytes());
            let length = message.len() + piece;
            let body = Body::framed(Framing::Plain, message, length, content);
            self.call.say(Side::Client, AT_ONCE, body);
            let mut body = vec![17, 0, 0, 0];
            body.extend_from_slice(&(piece as u32).to_le_bytes());
            body.resize(16, 0);
            self.answer(9, OK, &body);
            written += piece;
        }
        let mut body = vec![24, 0, 0, 0, 0, 0, 0, 0];
        body.extend_from_slice(&FILE);
        self.ask(6, &body);
        let mut body = vec![60, 0];
        body.resize(60, 0);
        self.answer(6, OK, &body);
    }

    /// Goes on under encryption: so many bytes there, so many back.
    pub fn sealed(&mut self, sent: usize, received: usize) {
        let stamp = stamp(self.call);
        let body = |length: usize| Body::framed(Framing::Smb, Vec::new(), length.max(140), stamp);
        self.call.say(Side::Client, Duration::from_millis(1), body(sent));
        self.call.say(Side::Server, THINK, body(received));
    }

    fn ask(&mut self, command: u16, body: &[u8]) {
        let message = self.message(command, OK, false, body);
        self.call.say(Side::Client, AT_ONCE, Body::of(message));
    }

    fn answer(&mut self, command: u16, status: u32, body: &[u8]) {
        let message = self.message(command, status, true, body);
        self.message += 1;
        self.call.say(Side::Server, THINK, Body::of(message));
    }

    fn message(&self, command: u16, status: u32, is_response: bool, body: &[u8]) -> Vec<u8> {
        let mut message = ((64 + body.len()) as u32).to_be_bytes().to_vec();
        message.extend_from_slice(b"\xfeSMB\x40\0\0\0");
        message.extend_from_slice(&status.to_le_bytes());
        message.extend_from_slice(&command.to_le_bytes());
        message.extend_from_slice(&[1, 0, u8::from(is_response), 0, 0, 0, 0, 0, 0, 0]);
        message.extend_from_slice(&self.message.to_le_bytes());
        let tree = u8::from(command > 3 || (command == 3 && is_response));
        let session = u8::from(self.message > 1 || is_response);
        message.extend_from_slice(&[0xff, 0xfe, 0, 0, tree, 0, 0, 0, session, 0, 0, 0, 4, 0, 0, 0]);
        message.extend_from_slice(&[0; 16]);
        message.extend_from_slice(body);
        message
    }
}

/// The handle of whatever file is open.
const FILE: [u8; 16] = [7, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0];

/// The body of a response that is an error ([MS-SMB2] section 2.2.2).
const ERROR: [u8; 9] = [9, 0, 0, 0, 0, 0, 0, 0, 0];

fn setup(token: &[u8]) -> Vec<u8> {
    let mut body = vec![25, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 88, 0];
    body.extend_from_slice(&(token.len() as u16).to_le_bytes());
    body.extend_from_slice(&[0; 8]);
    body.extend_from_slice(token);
    body
}

fn set_up(token: &[u8]) -> Vec<u8> {
    let mut body = vec![9, 0, 0, 0, 72, 0];
    body.extend_from_slice(&(token.len() as u16).to_le_bytes());
    body.extend_from_slice(token);
    // The buffer has at least one byte, which the structure's size counts.
    if token.is_empty() {
        body.push(0);
    }
    body
}

/// Unicode, NTLM, extended session security, 128 bits, version.
const FLAGS: u32 = 0xa208_8207;

fn hello() -> Vec<u8> {
    let mut message = b"NTLMSSP\0\x01\0\0\0".to_vec();
    message.extend_from_slice(&FLAGS.to_le_bytes());
    message.resize(32, 0);
    message.extend_from_slice(&[10, 0, 0x61, 0x4a, 0, 0, 0, 15]);
    message
}

/// Attribute and value: the domain, and the end.
fn pairs(domain: &str) -> Vec<u8> {
    let domain = wide(domain);
    let mut pairs = vec![2, 0, domain.len() as u8, 0];
    pairs.extend_from_slice(&domain);
    pairs.extend_from_slice(&[0; 4]);
    pairs
}

fn challenge(text: &str, seed: u64) -> Vec<u8> {
    let domain = wide(text);
    let info = pairs(text);
    let mut message = b"NTLMSSP\0\x02\0\0\0".to_vec();
    field(&mut message, domain.len(), 56);
    // The domain is the target, which comes first.
    message.extend_from_slice(&(FLAGS | 0x0081_0000).to_le_bytes());
    // What must not come twice: two sessions with one challenge are a relay.
    message.extend_from_slice(&seed.to_le_bytes());
    message.extend_from_slice(&[0; 8]);
    field(&mut message, info.len(), 56 + domain.len());
    message.extend_from_slice(&[10, 0, 0x61, 0x4a, 0, 0, 0, 15]);
    message.extend_from_slice(&domain);
    message.extend_from_slice(&info);
    message
}

fn response(account: &Account<'_>) -> Vec<u8> {
    let words = [wide(account.domain), wide(account.user), wide(account.machine)];
    // An NTLMv2 response: a proof that proves nothing, then a client's challenge of version 1.
    let mut proof = vec![0x22; 16];
    proof.extend_from_slice(&[1, 1, 0, 0, 0, 0, 0, 0]);
    proof.resize(16 + 24, 0x11);
    proof.extend_from_slice(&[0; 4]);
    proof.extend_from_slice(&pairs(account.domain));
    let mut message = b"NTLMSSP\0\x03\0\0\0".to_vec();
    let mut at = 72;
    let (mut fields, mut buffer) = (Vec::new(), Vec::new());
    for part in words.iter().chain([&vec![0; 24], &proof]) {
        fields.push((part.len(), at));
        at += part.len();
        buffer.extend_from_slice(part);
    }
    // Order on the wire: both responses, then domain, user, machine, and no session key.
    for number in [3, 4, 0, 1, 2] {
        let (length, offset) = fields.get(number).copied().unwrap_or_default();
        field(&mut message, length, offset);
    }
    field(&mut message, 0, at);
    message.extend_from_slice(&FLAGS.to_le_bytes());
    message.extend_from_slice(&[10, 0, 0x61, 0x4a, 0, 0, 0, 15]);
    message.extend_from_slice(&buffer);
    message
}

fn field(message: &mut Vec<u8>, length: usize, offset: usize) {
    let length = (length as u16).to_le_bytes();
    message.extend_from_slice(&length);
    message.extend_from_slice(&length);
    message.extend_from_slice(&(offset as u32).to_le_bytes());
}

fn wide(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

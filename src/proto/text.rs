//! Protocols that talk in words, and two old ones that nearly do.

use super::bytes::{be16, be32, byte, contains, first_line, starts_with_any_case};
use super::{Ports, Protocol, Role, Verdict};

/// What a message may start with, what that makes it, and who says so.
struct Keyword {
    starts: &'static [u8],
    verdict: Verdict,
}

const fn keyword(starts: &'static [u8], protocol: Protocol, role: Option<Role>) -> Keyword {
    Keyword { starts, verdict: Verdict::Is(protocol, role) }
}

const CLIENT: Option<Role> = Some(Role::Client);
const SERVER: Option<Role> = Some(Role::Server);

/// Openings that no other protocol shares.
const KEYWORDS: &[Keyword] = &[
    keyword(b"SSH-", Protocol::Ssh, None),
    keyword(b"HTTP/1.", Protocol::Http, SERVER),
    keyword(b"PRI * HTTP/2", Protocol::Http, CLIENT),
    keyword(b"RTSP/1.", Protocol::Rtsp, SERVER),
    keyword(b"SIP/2.0 ", Protocol::Sip, SERVER),
    keyword(b"RFB 00", Protocol::Rfb, None),
    keyword(b"@RSYNCD:", Protocol::Rsync, None),
    keyword(b"\x13BitTorrent protocol", Protocol::Bittorrent, CLIENT),
    keyword(b"GNUTELLA CONNECT/", Protocol::Gnutella, CLIENT),
    keyword(b"GNUTELLA/0.", Protocol::Gnutella, SERVER),
    keyword(b"EHLO ", Protocol::Smtp, CLIENT),
    keyword(b"HELO ", Protocol::Smtp, CLIENT),
    keyword(b"MAIL FROM:", Protocol::Smtp, CLIENT),
    keyword(b"+OK ", Protocol::Pop3, SERVER),
    keyword(b"+OK\r\n", Protocol::Pop3, SERVER),
    keyword(b"* OK ", Protocol::Imap, SERVER),
    keyword(b"* PREAUTH ", Protocol::Imap, SERVER),
    keyword(b"<stream:stream", Protocol::Xmpp, None),
    keyword(b"NICK ", Protocol::Irc, CLIENT),
    keyword(b"CAP LS", Protocol::Irc, CLIENT),
    keyword(b"STARTTLS\r\n", Protocol::Irc, CLIENT),
    keyword(b"NOTICE AUTH :", Protocol::Irc, SERVER),
    keyword(b"AUTH TLS\r\n", Protocol::Ftp, CLIENT),
];

/// Request methods of HTTP (RFC 9110, RFC 4918, RFC 5789) and what else borrowed its first line.
const METHODS: &[&[u8]] = &[
    b"GET ",
    b"POST ",
    b"HEAD ",
    b"PUT ",
    b"DELETE ",
    b"OPTIONS ",
    b"CONNECT ",
    b"TRACE ",
    b"PATCH ",
    b"PROPFIND ",
    b"REPORT ",
    b"DESCRIBE ",
    b"SETUP ",
    b"PLAY ",
    b"INVITE ",
    b"REGISTER ",
    b"ACK ",
    b"BYE ",
    b"CANCEL ",
    b"SUBSCRIBE ",
    b"NOTIFY ",
    b"MESSAGE ",
    b"PUBLISH ",
    b"INFO ",
    b"UPDATE ",
    b"M-SEARCH ",
    b"RPC_IN_DATA ",
    b"RPC_OUT_DATA ",
    b"WSMAN_POST ",
];

/// Whether a message may begin with a keyword or a method, or with the first bytes of one: told by
/// the first four bytes, which every one of them has. Most messages begin with none of fifty, and
/// this finds out by comparing numbers side by side.
fn may_have_keyword(data: &[u8]) -> bool {
    #[expect(clippy::indexing_slicing, clippy::panic, reason = "the compiler works it out")]
    const FIRST: [u32; KEYWORDS.len() + METHODS.len()] = {
        const fn first(word: &[u8]) -> u32 {
            match word.first_chunk() {
                Some(first) => u32::from_le_bytes(*first),
                None => panic!("every keyword has four bytes"),
            }
        }
        let mut all = [0; KEYWORDS.len() + METHODS.len()];
        let mut at = 0;
        while at < all.len() {
            all[at] = match at.checked_sub(KEYWORDS.len()) {
                None => first(KEYWORDS[at].starts),
                Some(at) => first(METHODS[at]),
            };
            at += 1;
        }
        all
    };
    data.first_chunk().is_none_or(|&first| FIRST.contains(&u32::from_le_bytes(first)))
}

/// Recognises a protocol by the words that a message begins with.
pub(super) fn by_keyword(data: &[u8], ports: Ports) -> Verdict {
    let may_have_keyword = may_have_keyword(data);
    if may_have_keyword {
        for keyword in KEYWORDS {
            if data.starts_with(keyword.starts) {
                return keyword.verdict;
            }
        }
        if let Some(verdict) = request_line(data) {
            return verdict;
        }
    }
    if is_odd_request(data) {
        return Verdict::client(Protocol::Http);
    }
    if let Some(verdict) = greeting(data, ports) {
        return verdict;
    }
    if let Some(verdict) = login(data, ports) {
        return verdict;
    }
    if starts_with_any_case(data, b"<?xml") && contains(data, b"stream:stream") {
        return Verdict::either(Protocol::Xmpp);
    }
    if b"220 ".starts_with(data)
        || b"USER ".starts_with(data)
        || may_have_keyword && is_prefix_of_a_keyword(data)
    {
        return Verdict::NeedMore;
    }
    Verdict::Unknown
}

/// Whether the first line asks over HTTP with a method that nobody knows, as scanners do to see
/// what comes of it.
fn is_odd_request(data: &[u8]) -> bool {
    let method = data.iter().take(20).take_while(|b| b.is_ascii_uppercase()).count();
    let is_version = |line: &[u8]| line.ends_with(b" HTTP/1.1") || line.ends_with(b" HTTP/1.0");
    method >= 3 && byte(data, method) == Some(b' ') && is_version(first_line(data))
}

/// `METHOD target PROTOCOL/version`: the version tells HTTP, SIP, RTSP and SSDP apart.
fn request_line(data: &[u8]) -> Option<Verdict> {
    let begins = |method: &&&[u8]| data.first() == method.first() && data.starts_with(method);
    let method = METHODS.iter().find(begins)?;
    let line = first_line(data);
    let rest = line.get(method.len()..)?;
    if contains(rest, b" SIP/2.0") || rest.starts_with(b"sip:") || rest.starts_with(b"sips:") {
        return Some(Verdict::client(Protocol::Sip));
    }
    if contains(rest, b" RTSP/1.") || rest.starts_with(b"rtsp:") {
        return Some(Verdict::client(Protocol::Rtsp));
    }
    if rest.starts_with(b"* HTTP/1.") && (method.starts_with(b"M-") || method.starts_with(b"NOT")) {
        return Some(Verdict::client(Protocol::Ssdp));
    }
    if contains(rest, b" HTTP/") || rest.starts_with(b"/") || rest.starts_with(b"http://") {
        return Some(Verdict::client(Protocol::Http));
    }
    (line.len() == data.len()).then_some(Verdict::NeedMore)
}

/// `220` opens FTP and SMTP alike; the rest of the line or the port says which. IRC servers start
/// with a colon and their own name.
fn greeting(data: &[u8], ports: Ports) -> Option<Verdict> {
    if data.starts_with(b"220 ") || data.starts_with(b"220-") {
        let line = first_line(data).to_ascii_lowercase();
        let is_mail = contains(&line, b"smtp") || contains(&line, b"mail");
        let is_mail_port = [25, 465, 587, 2525].contains(&ports.sender);
        return Some(if contains(&line, b"ftp") || ports.sender == 21 {
            Verdict::server(Protocol::Ftp)
        } else if is_mail || is_mail_port {
            Verdict::server(Protocol::Smtp)
        } else {
            Verdict::Unknown
        });
    }
    if !data.starts_with(b":") {
        return None;
    }
    let line = first_line(data);
    let is_irc = contains(line, b" NOTICE ") || contains(line, b" 001 ");
    is_irc.then_some(Verdict::server(Protocol::Irc))
}

/// `USER` opens FTP, POP3 and IRC; its arguments or the port tell. IMAP clients number commands.
fn login(data: &[u8], ports: Ports) -> Option<Verdict> {
    if starts_with_any_case(data, b"USER ") || starts_with_any_case(data, b"PASS ") {
        let is_irc = contains(data, b" :") || contains(data, b"NICK ");
        return Some(match (is_irc, ports.receiver) {
            (true, _) => Verdict::client(Protocol::Irc),
            (false, 110) => Verdict::client(Protocol::Pop3),
            (false, 21) => Verdict::client(Protocol::Ftp),
            (false, _) => Verdict::Unknown,
        });
    }
    if starts_with_any_case(data, b"CAPA\r\n") || starts_with_any_case(data, b"STLS\r\n") {
        return Some(Verdict::client(Protocol::Pop3));
    }
    const LONGEST_TAG: usize = 8;
    let tag_end = data.iter().take(LONGEST_TAG + 1).position(|&b| b == b' ')?;
    let (tag, rest) = data.split_at_checked(tag_end)?;
    let is_tag = !tag.is_empty()
        && tag.iter().all(u8::is_ascii_alphanumeric)
        && tag.iter().any(u8::is_ascii_digit);
    if !is_tag {
        return None;
    }
    let command = first_line(rest.get(1..)?).split(|&b| b == b' ').next()?;
    let is_imap = [&b"CAPABILITY"[..], b"LOGIN", b"AUTHENTICATE", b"STARTTLS", b"ID"]
        .iter()
        .any(|name| command.eq_ignore_ascii_case(name));
    is_imap.then_some(Verdict::client(Protocol::Imap))
}

fn is_prefix_of_a_keyword(data: &[u8]) -> bool {
    data.len() < 24
        && (KEYWORDS.iter().any(|keyword| keyword.starts.starts_with(data))
            || METHODS.iter().any(|method| method.starts_with(data)))
}

/// Android Debug Bridge: `CNXN`, a version, a size, and the command's complement at byte 20.
pub(super) fn adb(data: &[u8], _: Ports) -> Verdict {
    let is_open = data.starts_with(b"CNXN") || data.starts_with(b"AUTH");
    let complement = be32(data, 0).zip(be32(data, 20)).is_some_and(|(a, b)| a == !b);
    if is_open && complement { Verdict::either(Protocol::Adb) } else { Verdict::Unknown }
}

/// Telnet option negotiation (RFC 854): IAC, WILL to DONT, an option. A server that negotiates nothing
/// is told by its prompt, where Telnet lives.
pub(super) fn telnet(data: &[u8], ports: Ports) -> Verdict {
    match (byte(data, 0), byte(data, 1), byte(data, 2)) {
        (Some(0xff), Some(0xfa..=0xfe), Some(0..=49 | 255)) => {
            Verdict::Is(Protocol::Telnet, ports.role_at(23))
        }
        (Some(0xff), None | Some(0xfa..=0xfe), None) => Verdict::NeedMore,
        _ if [23, 2323].contains(&ports.sender) => {
            let end = data.trim_ascii_end().to_ascii_lowercase();
            let asks =
                [&b"login:"[..], b"username:", b"password:"].iter().any(|word| end.ends_with(word));
            match data.len() {
                _ if asks => Verdict::server(Protocol::Telnet),
                // A greeting may come before the prompt.
                0..512 if data.is_ascii() => Verdict::NeedMore,
                _ => Verdict::Unknown,
            }
        }
        _ => Verdict::Unknown,
    }
}

/// SOCKS 5 method offers (RFC 1928 section 3) and SOCKS 4 connects, whose lengths must fit exactly.
pub(super) fn socks(data: &[u8], ports: Ports) -> Verdict {
    if let (Some(5), Some(count @ 1..=9)) = (byte(data, 0), byte(data, 1)) {
        let methods = data.get(2..).unwrap_or_default();
        let known = methods.iter().all(|&method| method <= 9);
        if methods.len() == usize::from(count) && known && ports.receiver != 135 {
            return Verdict::client(Protocol::Socks);
        }
    }
    let is_v4 = matches!((byte(data, 0), byte(data, 1)), (Some(4), Some(1 | 2)));
    let has_target = be16(data, 2).is_some_and(|port| port > 0) && data.len() >= 9;
    if is_v4 && has_target && data.last() == Some(&0) && data.len() < 300 {
        return Verdict::client(Protocol::Socks);
    }
    Verdict::Unknown
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::recognise_stream;

    fn seen(data: &[u8], sender: u16, receiver: u16) -> Verdict {
        recognise_stream(data, Ports { sender, receiver })
    }

    #[test]
    fn tells_protocols_by_their_first_words() {
        let cases: &[(&[u8], Verdict)] = &[
            (b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n", Verdict::client(Protocol::Http)),
            (b"XFOC / HTTP/1.1\r\n", Verdict::client(Protocol::Http)),
            (b"HTTP/1.1 200 OK\r\n", Verdict::server(Protocol::Http)),
            (b"OPTIONS sip:a@b SIP/2.0\r\n", Verdict::client(Protocol::Sip)),
            (b"OPTIONS rtsp://a/ RTSP/1.0\r\n", Verdict::client(Protocol::Rtsp)),
            (b"M-SEARCH * HTTP/1.1\r\n", Verdict::client(Protocol::Ssdp)),
            (b"SSH-2.0-OpenSSH_9.6\r\n", Verdict::either(Protocol::Ssh)),
            (b"RFB 003.008\n", Verdict::either(Protocol::Rfb)),
            (b"220 mx ESMTP ready\r\n", Verdict::server(Protocol::Smtp)),
            (b"220 ProFTPD Server\r\n", Verdict::server(Protocol::Ftp)),
            (b"+OK ready\r\n", Verdict::server(Protocol::Pop3)),
            (b"* OK IMAP4rev1\r\n", Verdict::server(Protocol::Imap)),
            (b"a001 LOGIN me secret\r\n", Verdict::client(Protocol::Imap)),
            (b"NICK a\r\nUSER a 0 * :a\r\n", Verdict::client(Protocol::Irc)),
            (b"\x05\x01\x00", Verdict::client(Protocol::Socks)),
            (b"\xff\xfd\x18\xff\xfd\x20", Verdict::either(Protocol::Telnet)),
        ];

        for (data, expected) in cases {
            assert_eq!(seen(data, 40_000, 40_001), *expected, "{}", data.escape_ascii());
        }
    }

    #[test]
    fn lets_the_port_break_a_tie_and_nothing_more() {
        assert_eq!(seen(b"220 hello\r\n", 21, 40_000), Verdict::server(Protocol::Ftp));
        assert_eq!(seen(b"220 hello\r\n", 25, 40_000), Verdict::server(Protocol::Smtp));
        assert_eq!(seen(b"220 hello\r\n", 7, 40_000), Verdict::Unknown);
        assert_eq!(seen(b"\r\ncam login: ", 23, 40_000), Verdict::server(Protocol::Telnet));
        assert_eq!(seen(b"\r\ncam login: ", 7, 40_000), Verdict::Unknown);
        assert_eq!(seen(b"\x99\x98\x97\x96 not http", 40_000, 80), Verdict::Unknown);
    }

    #[test]
    fn waits_for_the_rest_of_a_word() {
        assert_eq!(seen(b"GE", 40_000, 40_001), Verdict::NeedMore);
        assert_eq!(seen(b"SSH", 40_000, 40_001), Verdict::NeedMore);
    }
}

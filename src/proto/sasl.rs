//! Logging in over mail protocols (RFC 4422): whose account it is about, from what the client sends in
//! Base64.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::Protocol;
use super::render::text;
use crate::event::Login;

/// Longer names are cut off.
const MAX_USER: usize = 256;

/// A login that is going on.
#[derive(Debug)]
pub(super) struct Exchange {
    method: &'static str,
    user: Option<String>,
    /// The server waits for the client's next response.
    is_asked: bool,
    responses: u32,
}

/// What an answer of the server's means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The client is to say more.
    Goes,
    /// It is over: with this result, if it is one.
    Done(Option<bool>),
}

impl Exchange {
    /// Begins with the argument of AUTH or AUTHENTICATE: a mechanism, and perhaps a first response.
    pub(super) fn begin(arg: &str) -> Self {
        let mut words = arg.split_whitespace();
        let method = match words.next().unwrap_or_default().to_ascii_uppercase().as_str() {
            "PLAIN" => "plain",
            "LOGIN" => "login",
            "CRAM-MD5" => "cram-md5",
            "DIGEST-MD5" => "digest-md5",
            "XOAUTH2" => "xoauth2",
            "OAUTHBEARER" => "oauthbearer",
            "NTLM" => "ntlm",
            "GSSAPI" => "gssapi",
            "EXTERNAL" => "external",
            "SCRAM-SHA-1" => "scram-sha-1",
            "SCRAM-SHA-256" => "scram-sha-256",
            _ => "sasl",
        };
        let mut exchange = Self { method, user: None, is_asked: false, responses: 0 };
        if let Some(response) = words.next() {
            exchange.on_response(response.as_bytes());
        }
        exchange
    }

    /// Whether the next line of the client's is a response.
    pub(super) const fn is_asked(&self) -> bool {
        self.is_asked
    }

    /// The server wants to hear more.
    pub(super) const fn on_challenge(&mut self) -> Step {
        self.is_asked = true;
        Step::Goes
    }

    /// Takes a response in Base64.
    pub(super) fn on_response(&mut self, line: &[u8]) {
        self.is_asked = false;
        let is_first = self.responses == 0;
        self.responses = self.responses.saturating_add(1);
        let line = line.get(..1024).unwrap_or(line);
        if !is_first || self.user.is_some() {
            return;
        }
        let Ok(decoded) = STANDARD.decode(line.trim_ascii()) else { return };
        self.user = user(self.method, &decoded)
            .filter(|user| !user.is_empty())
            .map(|user| text(user, MAX_USER));
    }

    /// The attempt as a record.
    pub(super) fn login(self, protocol: Protocol, success: Option<bool>) -> Login {
        Login {
            protocol: protocol.as_str(),
            method: self.method,
            user: self.user,
            domain: None,
            workstation: None,
            success,
            inferred: false,
        }
    }
}

/// The account in a first response.
fn user<'a>(method: &str, response: &'a [u8]) -> Option<&'a [u8]> {
    match method {
        "login" | "external" => Some(response),
        // Authorization identity, account, password, with zeros between (RFC 4616).
        "plain" => response.split(|&byte| byte == 0).nth(1),
        // The account, a space, the digest (RFC 2195).
        "cram-md5" => response.rsplitn(2, |&byte| byte == b' ').nth(1),
        // `user=...` up to a control character; `n,a=...,` (RFC 7628)
        "xoauth2" => {
            let rest = response.strip_prefix(b"user=")?;
            rest.split(|&byte| byte == 1).next()
        }
        "oauthbearer" => {
            let rest = response.strip_prefix(b"n,a=")?;
            rest.split(|&byte| byte == b',').next()
        }
        // `n,,n=user,r=...` (RFC 5802 section 7)
        "scram-sha-1" | "scram-sha-256" => {
            response.split(|&byte| byte == b',').skip(2).find_map(|part| part.strip_prefix(b"n="))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user_of(method: &str, response: &[u8]) -> Option<String> {
        Exchange::begin(&format!("{method} {}", STANDARD.encode(response))).user
    }

    #[test]
    fn finds_the_account_in_every_mechanism() {
        assert_eq!(user_of("PLAIN", b"\0a\0b").as_deref(), Some("a"));
        assert_eq!(user_of("login", b"a").as_deref(), Some("a"));
        assert_eq!(user_of("CRAM-MD5", b"a b 0123").as_deref(), Some("a b"));
        assert_eq!(
            user_of("XOAUTH2", b"user=a@b\x01auth=Bearer x\x01\x01").as_deref(),
            Some("a@b")
        );
        assert_eq!(user_of("SCRAM-SHA-256", b"n,,n=a,r=x").as_deref(), Some("a"));
        assert_eq!(user_of("NTLM", b"NTLMSSP\0"), None);
        assert_eq!(Exchange::begin("PLAIN %%%").user, None);
    }

    #[test]
    fn a_password_is_not_taken_for_a_name() {
        let mut exchange = Exchange::begin("LOGIN");
        exchange.on_challenge();
        exchange.on_response(STANDARD.encode("a").as_bytes());
        exchange.on_challenge();
        exchange.on_response(STANDARD.encode("secret").as_bytes());

        let login = exchange.login(Protocol::Smtp, Some(true));
        assert_eq!((login.user.as_deref(), login.success), (Some("a"), Some(true)));
    }
}

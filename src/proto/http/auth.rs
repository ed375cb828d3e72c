//! Who logs in over HTTP (RFC 9110 section 11): by name and password, by digest, or by NTLM and
//! Kerberos, which authenticate the connection over several exchanges. A bearer's token was given
//! to him before, and is no attempt to log in.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::super::bytes::{part, starts_with_any_case, text};

/// Bytes of a name that are kept.
const MAX_NAME: usize = 256;

/// As many writers leave the padding out.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What a request or a challenge says about authentication.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Credentials {
    /// A name with the password beside it, or with proof of it: the method and the name.
    Named(&'static str, Option<String>),
    /// A message of NTLM, Kerberos or SPNEGO (RFC 4559).
    Token(Vec<u8>),
}

impl Credentials {
    /// Reads the value of `Authorization`, `WWW-Authenticate` or their proxy forms.
    pub(super) fn read(value: &[u8]) -> Option<Self> {
        let space = value.iter().position(u8::is_ascii_whitespace).unwrap_or(value.len());
        let (scheme, rest) = value.split_at_checked(space)?;
        let rest = rest.trim_ascii();
        let is = |name: &[u8]| scheme.eq_ignore_ascii_case(name);
        if is(b"basic") {
            Some(Self::Named("password", basic_name(rest)))
        } else if is(b"digest") {
            Some(Self::Named("digest", parameter(rest, b"username")))
        } else if is(b"ntlm") || is(b"negotiate") || is(b"kerberos") {
            let token = BASE64.decode(rest).ok()?;
            (!token.is_empty()).then_some(Self::Token(token))
        } else {
            None
        }
    }
}

fn basic_name(rest: &[u8]) -> Option<String> {
    let pair = BASE64.decode(rest).ok()?;
    let colon = pair.iter().position(|&b| b == b':')?;
    Some(text(part(&pair, 0, colon), MAX_NAME))
}

/// The value of parameter `name` in a list of `name=value` or `name="value"`.
pub(super) fn parameter(list: &[u8], name: &[u8]) -> Option<String> {
    let mut rest = list;
    while !rest.is_empty() {
        let start =
            rest.iter().position(|b| !matches!(b, b',' | b';') && !b.is_ascii_whitespace())?;
        rest = rest.get(start..)?;
        let is_ours = starts_with_any_case(rest, name)
            && rest.get(name.len()..)?.trim_ascii_start().first() == Some(&b'=');
        let Some(equals) = rest.iter().position(|b| matches!(b, b'=' | b',' | b';')) else { break };
        let value = rest.get(equals + 1..)?;
        if rest.get(equals) != Some(&b'=') {
            rest = value;
            continue;
        }
        let value = value.trim_ascii_start();
        let (value, more) = match value.strip_prefix(b"\"") {
            Some(quoted) => cut(quoted, |b| b == b'"'),
            None => cut(value, |b| matches!(b, b',' | b';') || b.is_ascii_whitespace()),
        };
        if is_ours {
            return Some(text(value, MAX_NAME));
        }
        rest = more;
    }
    None
}

/// What lies before the first byte that is an end, and what lies behind it.
fn cut(data: &[u8], is_end: impl Fn(u8) -> bool) -> (&[u8], &[u8]) {
    let end = data.iter().position(|&b| is_end(b)).unwrap_or(data.len());
    (part(data, 0, end), data.get(end + 1..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_the_name_of_basic_authentication() {
        let named = |name: &str| Some(Credentials::Named("password", Some(name.to_owned())));

        assert_eq!(Credentials::read(b"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="), named("Aladdin"));
        assert_eq!(Credentials::read(b"basic   dGVzdDoxMjM0"), named("test"));
        assert_eq!(Credentials::read(b"BASIC YTo"), named("a"));
        assert_eq!(Credentials::read(b"Basic ?"), Some(Credentials::Named("password", None)));
    }

    #[test]
    fn reads_the_name_of_a_digest() {
        let value = b"Digest realm=\"a, username=b\", uri=\"/\", username=\"Mufasa\", nc=1";

        let named = Credentials::Named("digest", Some("Mufasa".to_owned()));
        assert_eq!(Credentials::read(value), Some(named));
    }

    #[test]
    fn decodes_tokens() {
        let token = Some(Credentials::Token(b"NTLMSSP\0".to_vec()));

        assert_eq!(Credentials::read(b"NTLM TlRMTVNTUAA="), token);
        assert_eq!(Credentials::read(b"Negotiate TlRMTVNTUAA"), token);
        assert_eq!(Credentials::read(b"Negotiate"), None);
        assert_eq!(Credentials::read(b"Bearer abc"), None);
    }

    #[test]
    fn reads_parameters() {
        let list = b"attachment; filename = \"a b.exe\"; size=3";

        assert_eq!(parameter(list, b"filename").as_deref(), Some("a b.exe"));
        assert_eq!(parameter(list, b"size").as_deref(), Some("3"));
        assert_eq!(parameter(list, b"file"), None);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(value: Vec<u8>, list in "[a=\",; ]{0,60}") {
            let _ = Credentials::read(&value);
            let _ = parameter(list.as_bytes(), b"a");
        }
    }
}

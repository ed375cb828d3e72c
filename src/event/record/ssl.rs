//! `ssl`: a TLS, SSL or DTLS handshake, in the fields of Zeek's `ssl` log and of the JA4 package.

use std::borrow::Cow;

use serde::Serialize;

/// A handshake, as far as it is in the clear.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Ssl {
    /// The version that the server chose.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<Cow<'static, str>>,
    /// The cipher suite that the server chose.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cipher: Option<Cow<'static, str>>,
    /// The group of the key exchange.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub curve: Option<Cow<'static, str>>,
    /// The name that the client asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_name: Option<String>,
    /// Whether an earlier session was taken up.
    pub resumed: bool,
    /// The last alert in the clear.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_alert: Option<Cow<'static, str>>,
    /// The protocol that the server chose for what follows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_protocol: Option<String>,
    /// Whether the handshake was completed.
    pub established: bool,
    /// One letter a message, the client's in capitals.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub ssl_history: String,
    /// SHA-256 of the server's certificates.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cert_chain_fps: Vec<String>,
    /// SHA-256 of the client's certificates.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub client_cert_chain_fps: Vec<String>,
    /// Whose certificate the server's is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Who signed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// Whose certificate the client's is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_subject: Option<String>,
    /// Who signed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_issuer: Option<String>,
    /// JA4 of the client's hello.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ja4: Option<String>,
}

//! `ssh`: a secure shell connection, in the fields of Zeek's `ssh` log and of its HASSH package.

use serde::Serialize;

/// A secure shell connection: who spoke what with whom, and whether anybody got in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Ssh {
    /// Protocol version, 1 or 2; 0 if the two sides have none in common.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<u8>,
    /// Whether somebody was let in; `None` if nobody was seen to try.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth_success: Option<bool>,
    /// Attempts that were answered, refused keys included; concluded from sizes and order.
    pub auth_attempts: u32,
    /// How the successful attempt was made: `password`, `publickey`, `keyboard-interactive`, `none`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth_method: Option<&'static str>,
    /// The client's banner.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// The server's banner.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// The cipher.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cipher_alg: Option<String>,
    /// The message authentication code; not in use with an authenticated cipher.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mac_alg: Option<String>,
    /// The compression.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compression_alg: Option<String>,
    /// The key exchange.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kex_alg: Option<String>,
    /// The kind of the server's key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host_key_alg: Option<String>,
    /// The fingerprint of the server's key, as OpenSSH prints it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host_key_fingerprint: Option<String>,
    /// HASSH of the client.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hassh: Option<String>,
    /// HASSH of the server.
    #[serde(rename = "hasshServer", skip_serializing_if = "Option::is_none")]
    pub hassh_server: Option<String>,
}

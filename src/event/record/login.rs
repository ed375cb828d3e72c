//! `login`: an attempt to authenticate and its result, the same for every protocol, so that the
//! credential detectors need to know none of them. Our own; Zeek has it spread over its logs.

use serde::Serialize;

/// One attempt to authenticate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Login {
    /// The protocol that it happened in, by its `service` name.
    pub protocol: &'static str,
    /// How: `password`, `ntlm`, `kerberos`, `publickey`, ...; `kerberos-account` where it was refused
    /// for what the account is, whatever the proof.
    pub method: &'static str,
    /// The account, where it is visible.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The domain or realm of the account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// The name that the client gives its own host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workstation: Option<String>,
    /// Whether it was let in; `None` if the answer was not seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub success: Option<bool>,
    /// Whether the result was concluded from sizes and order, because the exchange is encrypted.
    pub inferred: bool,
}

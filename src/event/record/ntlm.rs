//! `ntlm`: an NTLM authentication, whatever protocol carries it.

use serde::Serialize;

/// One exchange of negotiate, challenge and authenticate messages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Ntlm {
    /// The account; absent for an anonymous one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// The client's name for itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    /// The account's domain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domainname: Option<String>,
    /// The server's NetBIOS name, from its challenge.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_nb_computer_name: Option<String>,
    /// The server's DNS name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_dns_computer_name: Option<String>,
    /// The DNS name of the server's forest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_tree_name: Option<String>,
    /// Whether the client was let in; unknown if the carrying protocol does not tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub success: Option<bool>,
    /// Our own: the server's challenge in hexadecimal. The same one in two connections is a relay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_challenge: Option<String>,
    /// Our own: the service that the client believes to talk to, as `cifs/name`. Another name than
    /// the server's is a relay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_name: Option<String>,
    /// Our own: `NTLMv1` or `NTLMv2`, by the length of the response.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ntlm_version: Option<&'static str>,
    /// Our own: the protocol that carries it, by its `service` name.
    pub carrier: &'static str,
}

//! `winrm`: a remote management operation over WS-Management. Our own; Zeek shows it as `http`.

use serde::Serialize;

/// One WS-Management request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Winrm {
    /// What is to be done: the last part of the SOAP action, as `Create`, `Command`, `Receive`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// With what: the resource without the prefix that all share, as
    /// `windows/shell/Microsoft.PowerShell` or `wmi/root/cimv2/Win32_Process`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// The command line or script commands, where they are in clear.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// Whether the message is encrypted, so that all of this is hidden.
    pub encrypted: bool,
    /// The HTTP status of the response.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_code: Option<u16>,
    /// Bytes of the request's body.
    pub request_body_len: u64,
    /// Bytes of the response's body.
    pub response_body_len: u64,
}

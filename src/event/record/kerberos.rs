//! `kerberos`: a request for a ticket and its answer, or a ticket that is presented.

use serde::Serialize;

/// One exchange.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Kerberos {
    /// `AS`, `TGS`, or `AP` for a ticket that is presented to a service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_type: Option<&'static str>,
    /// The client, as `name/REALM`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// The service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// Whether it was granted; unknown if there was no answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub success: Option<bool>,
    /// The error by its name or the server's own text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_msg: Option<String>,
    /// Our own: the error by its number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_code: Option<i64>,
    /// When the ticket is to begin, seconds since the epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<f64>,
    /// When the ticket is to end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub till: Option<f64>,
    /// The encryption of the ticket.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cipher: Option<String>,
    /// Whether a forwardable ticket was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forwardable: Option<bool>,
    /// Whether a renewable ticket was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub renewable: Option<bool>,
    /// Our own: the encryptions that the client offers, in its order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub offered_ciphers: Vec<String>,
    /// Our own: whether an AS request proves who asks (pre-authentication).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preauth: Option<bool>,
    /// Our own: the encryption of the part of the answer that the client reads: in an AS exchange
    /// its own long-term key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply_cipher: Option<String>,
}

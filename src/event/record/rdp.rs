//! `rdp`: the opening of a Remote Desktop connection.

use serde::Serialize;

/// What client and server agree upon, and what the client says of itself where it is in clear.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Rdp {
    /// What the client sends for load balancers: usually the account's first letters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cookie: Option<String>,
    /// `encrypted`, `Success`, or why the server says no.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
    /// What the server chose: `RDP`, `SSL`, `HYBRID` (authentication before the desktop), ...
    #[serde(skip_serializing_if = "Option::is_none")]
    pub security_protocol: Option<String>,
    /// Virtual channels that the client asks for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub client_channels: Vec<String>,
    /// The client's keyboard.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keyboard_layout: Option<String>,
    /// The client's version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_build: Option<String>,
    /// The client's name for its own host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_name: Option<String>,
    /// The client's product id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_dig_product_id: Option<String>,
    /// Width of the desktop.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub desktop_width: Option<u16>,
    /// Height of the desktop.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub desktop_height: Option<u16>,
    /// Colours that the client asks for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requested_color_depth: Option<String>,
    /// The kind of certificate of RDP's own encryption.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cert_type: Option<&'static str>,
    /// How many certificates came.
    pub cert_count: u32,
    /// Whether the certificate was issued for good.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cert_permanent: Option<bool>,
    /// How strong RDP's own encryption is to be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encryption_level: Option<String>,
    /// Which of RDP's own encryptions is used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encryption_method: Option<String>,
    /// Our own: whether the client insists on administering without sending its credentials.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub restricted_admin: bool,
}

//! `rfb`: a shared screen, in the fields of Zeek's `rfb` log.

use std::borrow::Cow;

use serde::Serialize;

/// The opening of a VNC session.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Rfb {
    /// The client's version, before the dot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_major_version: Option<String>,
    /// The client's version, behind the dot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_minor_version: Option<String>,
    /// The server's version, before the dot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_major_version: Option<String>,
    /// The server's version, behind the dot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_minor_version: Option<String>,
    /// How the client has to identify itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authentication_method: Option<Cow<'static, str>>,
    /// Whether it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth: Option<bool>,
    /// Whether others may stay connected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub share_flag: Option<bool>,
    /// The name of the screen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub desktop_name: Option<String>,
    /// Its width.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub width: Option<u16>,
    /// Its height.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub height: Option<u16>,
}

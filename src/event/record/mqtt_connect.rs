//! `mqtt_connect`: a client at a broker, in the fields of Zeek's log.

use std::borrow::Cow;

use serde::Serialize;

/// A client that connects, and whether the broker takes it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct MqttConnect {
    /// `MQTT`, or `MQIsdp` before version 3.1.1.
    pub proto_name: String,
    /// The version.
    pub proto_version: Cow<'static, str>,
    /// What the client calls itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// The account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// What the broker says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connect_status: Option<Cow<'static, str>>,
    /// Where its last words go to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub will_topic: Option<String>,
    /// Its last words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub will_payload: Option<String>,
}

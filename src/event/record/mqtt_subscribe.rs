//! `mqtt_subscribe`: what a client wants to hear, in the fields of Zeek's log.

use serde::Serialize;

/// A subscription, or the end of one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct MqttSubscribe {
    /// `MQTT::SUBSCRIBE` or `MQTT::UNSUBSCRIBE`.
    pub action: &'static str,
    /// The topics, or patterns of them.
    pub topics: Vec<String>,
    /// How it is to be assured that messages arrive, one a topic.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub qos_levels: Vec<u8>,
}

//! `mqtt_publish`: a message, in the fields of Zeek's log.

use serde::Serialize;

/// A message to a topic, or from one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct MqttPublish {
    /// Whether the client sent it.
    pub from_client: bool,
    /// Whether the broker is to keep it.
    pub retain: bool,
    /// How it is assured that it arrives.
    pub qos: &'static str,
    /// The topic.
    pub topic: String,
    /// The beginning of the content.
    pub payload: String,
    /// The size of the content.
    pub payload_len: u64,
}

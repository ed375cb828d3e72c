//! `dns`: a name query with its answer, in the fields of Zeek's log; for multicast DNS, LLMNR and
//! NetBIOS as well, where anybody may answer.

use std::borrow::Cow;
use std::net::IpAddr;
use std::time::Duration;

use serde::Serialize;

use super::as_seconds;
use crate::net::Transport;

/// One query and its answer, or what was seen of the two.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Dns {
    /// The transport protocol.
    pub proto: Transport,
    /// The number that the client chose for it.
    pub trans_id: u16,
    /// From the query to the first answer.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_seconds")]
    pub rtt: Option<Duration>,
    /// The name that is asked for, in lower case; of several, the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// The class of the question.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub qclass: Option<u16>,
    /// The same in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub qclass_name: Option<Cow<'static, str>>,
    /// The type of the question.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub qtype: Option<u16>,
    /// The same in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub qtype_name: Option<Cow<'static, str>>,
    /// The result.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rcode: Option<u8>,
    /// The same in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rcode_name: Option<&'static str>,
    /// Whether answers come from an authority.
    #[serde(rename = "AA")]
    pub authoritative: bool,
    /// Whether a message was cut off.
    #[serde(rename = "TC")]
    pub truncated: bool,
    /// Whether the client wants recursion.
    #[serde(rename = "RD")]
    pub recursion_desired: bool,
    /// Whether the server that answered offers it.
    #[serde(rename = "RA")]
    pub recursion_available: bool,
    /// The three bits of the query that were once reserved.
    #[serde(rename = "Z")]
    pub reserved: u8,
    /// What was answered, in order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answers: Option<Vec<String>>,
    /// How many seconds each of the answers may be remembered.
    #[serde(rename = "TTLs", skip_serializing_if = "Option::is_none")]
    pub ttls: Option<Vec<u32>>,
    /// Whether the server refused to say anything.
    pub rejected: bool,
    /// The operation.
    pub opcode: u8,
    /// The same in words.
    pub opcode_name: &'static str,
    /// Our own: who answered. Over multicast and broadcast it is not who was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub responder: Option<IpAddr>,
}

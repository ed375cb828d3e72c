//! What an operator may change about connection tracking.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::config::units::{self, ByteSize};

/// Time-outs and limits of a connection table. Where a default is Zeek's, it says so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FlowConfig {
    /// Bytes that one table may hold: entries, their index, buffers.
    #[serde(deserialize_with = "units::budget")]
    pub budget: ByteSize,
    /// How long a TCP attempt may go unanswered before its contact is `unanswered` (Zeek's
    /// `tcp_attempt_delay`).
    #[serde(with = "units::span")]
    pub attempt_timeout: Duration,
    /// The same for a UDP, SCTP or ICMP request.
    #[serde(with = "units::span")]
    pub datagram_attempt_timeout: Duration,
    /// How long after its last packet an unanswered attempt is remembered, so that the
    /// retransmissions of one SYN (RFC 6298: after 1, 2, 4, 8 and 16 s) stay one attempt.
    #[serde(with = "units::span")]
    pub unanswered_linger: Duration,
    /// How long an established TCP connection may be silent before it is over. Zeek says 5 minutes;
    /// an interactive session is often silent for longer, and meeting it again would mean to guess
    /// its direction.
    #[serde(with = "units::span")]
    pub tcp_idle_timeout: Duration,
    /// The same for a TCP connection of which only one side, or no handshake, was seen (Zeek's
    /// `tcp_inactivity_timeout`).
    #[serde(with = "units::span")]
    pub tcp_partial_timeout: Duration,
    /// How long after its end a TCP connection is reported: what overtook each other on the way has
    /// arrived by then. Zeek waits five seconds (`tcp_close_delay`); a fast worm is elsewhere by then.
    #[serde(with = "units::span")]
    pub tcp_report_delay: Duration,
    /// How long a TCP connection that was reported still takes late packets, so that they do not
    /// begin another.
    #[serde(with = "units::span")]
    pub tcp_close_linger: Duration,
    /// Silence after which a UDP or SCTP exchange is over (Zeek's `udp_inactivity_timeout`).
    #[serde(with = "units::span")]
    pub udp_timeout: Duration,
    /// Silence after which an ICMP exchange is over (Zeek's `icmp_inactivity_timeout`).
    #[serde(with = "units::span")]
    pub icmp_timeout: Duration,
    /// Bytes of each direction that are put in order and looked at.
    pub prefix: ByteSize,
    /// What fingerprints of content are keyed with, any number up to 2^63. Who knows it can write copies
    /// of which only what differs is sampled; sensors that are to compare theirs need the same one.
    pub fingerprint_key: u64,
    /// ICMP errors of one flow that become events; the rest is only counted.
    pub icmp_errors_per_flow: u64,
}

impl Default for FlowConfig {
    fn default() -> Self {
        Self {
            budget: ByteSize::mib(512),
            attempt_timeout: Duration::from_secs(5),
            datagram_attempt_timeout: Duration::from_secs(10),
            unanswered_linger: Duration::from_secs(20),
            tcp_idle_timeout: Duration::from_secs(3600),
            tcp_partial_timeout: Duration::from_secs(300),
            tcp_report_delay: Duration::from_millis(250),
            tcp_close_linger: Duration::from_secs(5),
            udp_timeout: Duration::from_secs(60),
            icmp_timeout: Duration::from_secs(60),
            prefix: ByteSize::kib(16),
            fingerprint_key: 0,
            icmp_errors_per_flow: 16,
        }
    }
}

//! The order in which recognisers are asked, and what their answers mean together.

use super::{Protocol, Role, databases, datagrams, industrial, text, tls, windows};

/// What a recogniser concludes from the start of a direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is this protocol, and where the message tells, sent by this end.
    Is(Protocol, Option<Role>),
    /// It could become something known with more bytes.
    NeedMore,
    /// It is nothing known.
    Unknown,
}

impl Verdict {
    /// It is `protocol`, sent by the client.
    pub(super) const fn client(protocol: Protocol) -> Self {
        Self::Is(protocol, Some(Role::Client))
    }

    /// It is `protocol`, sent by the server.
    pub(super) const fn server(protocol: Protocol) -> Self {
        Self::Is(protocol, Some(Role::Server))
    }

    /// It is `protocol`, sent by either.
    pub(super) const fn either(protocol: Protocol) -> Self {
        Self::Is(protocol, None)
    }
}

/// The ports of a message, for ties that content leaves open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    /// Port it was sent from.
    pub sender: u16,
    /// Port it was sent to.
    pub receiver: u16,
}

impl Ports {
    /// Whether either end is `port`.
    pub const fn touch(self, port: u16) -> bool {
        self.sender == port || self.receiver == port
    }

    /// Which end sent it, if the service lives at `port` on exactly one side.
    pub(super) const fn role_at(self, port: u16) -> Option<Role> {
        match (self.sender == port, self.receiver == port) {
            (true, false) => Some(Role::Server),
            (false, true) => Some(Role::Client),
            _ => None,
        }
    }
}

type Recogniser = fn(&[u8], Ports) -> Verdict;

/// Strict formats come before loose ones, so that a loose one never shadows a strict one.
const STREAMS: &[Recogniser] = &[
    tls::stream,
    windows::smb,
    windows::dce_rpc,
    windows::kerberos,
    windows::ldap,
    windows::tpkt,
    text::by_keyword,
    databases::mysql,
    databases::postgresql,
    databases::redis,
    databases::mongodb,
    databases::tds,
    databases::mqtt,
    industrial::dnp3,
    industrial::modbus,
    industrial::enip,
    datagrams::dns_over_stream,
    datagrams::rpc_over_stream,
    text::adb,
    text::telnet,
    text::socks,
];

const DATAGRAMS: &[Recogniser] = &[
    datagrams::dns,
    datagrams::dhcp,
    datagrams::ntp,
    text::by_keyword,
    datagrams::quic,
    tls::datagram,
    datagrams::stun,
    windows::kerberos_datagram,
    windows::ldap_datagram,
    datagrams::snmp,
    datagrams::radius,
    datagrams::ike,
    datagrams::tftp,
    datagrams::syslog,
    datagrams::netbios_datagram,
    datagrams::rpc,
    windows::dce_rpc_datagram,
    industrial::bacnet,
    industrial::dnp3_datagram,
    industrial::enip,
    datagrams::bittorrent,
];

/// Recognises a protocol from the first bytes of one direction of a stream.
pub fn recognise_stream(prefix: &[u8], ports: Ports) -> Verdict {
    first_match(STREAMS, prefix, ports)
}

/// Recognises a protocol from a datagram's payload.
pub fn recognise_datagram(payload: &[u8], ports: Ports) -> Verdict {
    first_match(DATAGRAMS, payload, ports)
}

fn first_match(recognisers: &[Recogniser], data: &[u8], ports: Ports) -> Verdict {
    if data.is_empty() {
        return Verdict::NeedMore;
    }
    let mut verdict = Verdict::Unknown;
    for recognise in recognisers {
        match recognise(data, ports) {
            Verdict::Unknown => {}
            Verdict::NeedMore => verdict = Verdict::NeedMore,
            found => return found,
        }
    }
    verdict
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn takes_any_bytes(data: Vec<u8>, sender: u16, receiver: u16) {
            let ports = Ports { sender, receiver };
            let _ = recognise_stream(&data, ports);
            let _ = recognise_datagram(&data, ports);
        }

        #[test]
        fn rarely_sees_a_protocol_in_noise(data in proptest::collection::vec(any::<u8>(), 64..256)) {
            // Ciphertext starts with anything; a first byte that is a text letter or a known type
            // must not be enough.
            let ports = Ports { sender: 40_000, receiver: 40_001 };
            let loose = matches!(data.first(), Some(0x16 | 0x17 | 0xc0..=0xff | 0x00..=0x05));
            prop_assume!(!loose);
            prop_assert!(!matches!(recognise_stream(&data, ports), Verdict::Is(..)));
        }
    }
}

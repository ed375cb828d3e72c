//! Community ID, version 1: one identifier for a flow in every tool that computes it
//! (github.com/corelight/community-id-spec).

use std::net::IpAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};

use super::Conversation;
use crate::net::Transport;

/// The Community ID of a conversation, with `seed` (0 unless a site has agreed on another):
/// `1:` and the base64 of a SHA-1 over seed, addresses, protocol and ports in a fixed order.
pub fn community_id(conversation: &Conversation, seed: u16) -> String {
    let v6 = conversation.client.addr.is_ipv6();
    let mut from = (octets(conversation.client.addr), conversation.client.port);
    let mut to = (octets(conversation.server.addr), conversation.server.port);
    let one_way = conversation.transport == Transport::Icmp && !is_answered(v6, from.1, to.1);
    if !one_way && to < from {
        std::mem::swap(&mut from, &mut to);
    }
    let mut hash = Sha1::new();
    hash.update(seed.to_be_bytes());
    hash.update(&from.0);
    hash.update(&to.0);
    hash.update([conversation.transport.number(v6), 0]);
    hash.update(from.1.to_be_bytes());
    hash.update(to.1.to_be_bytes());
    format!("1:{}", STANDARD.encode(hash.finalize()))
}

fn octets(addr: IpAddr) -> Vec<u8> {
    match addr {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    }
}

/// Whether the types are a question and its answer. The specification names the pairs; all other
/// ICMP messages go one way and keep their direction.
fn is_answered(v6: bool, a: u16, b: u16) -> bool {
    const V4: &[(u16, u16)] = &[(0, 8), (9, 10), (13, 14), (15, 16), (17, 18)];
    const V6: &[(u16, u16)] =
        &[(128, 129), (130, 131), (133, 134), (135, 136), (139, 140), (144, 145)];
    let pair = (a.min(b), a.max(b));
    if v6 { V6.contains(&pair) } else { V4.contains(&pair) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Uid;
    use crate::net::Endpoint;

    fn id(transport: Transport, client: (&str, u16), server: (&str, u16), seed: u16) -> String {
        let end = |(addr, port): (&str, u16)| Endpoint::new(addr.parse().unwrap(), port);
        let (client, server) = (end(client), end(server));
        community_id(
            &Conversation { uid: Uid(0), transport, client, server, inferred: false },
            seed,
        )
    }

    #[test]
    fn agrees_with_the_published_baseline() {
        let tcp = (("128.232.110.120", 34855), ("66.35.250.204", 80));
        let cases = [
            (Transport::Tcp, tcp.0, tcp.1, "1:LQU9qZlK+B5F3KDmev6m5PMibrg="),
            (Transport::Tcp, tcp.1, tcp.0, "1:LQU9qZlK+B5F3KDmev6m5PMibrg="),
            (
                Transport::Tcp,
                ("2001:470:e5bf:dead:4957:2174:e82c:4887", 63943),
                ("2607:f8b0:400c:c03::1a", 25),
                "1:/qFaeAR+gFe1KYjMzVDsMv+wgU4=",
            ),
            (
                Transport::Udp,
                ("192.168.1.52", 54585),
                ("8.8.8.8", 53),
                "1:d/FP5EW3wiY1vCndhwleRRKHowQ=",
            ),
            (
                Transport::Sctp,
                ("192.168.170.8", 7),
                ("192.168.170.56", 7),
                "1:MP2EtRCAUIZvTw6MxJHLV7N7JDs=",
            ),
            (
                Transport::Icmp,
                ("192.168.0.89", 8),
                ("192.168.0.1", 0),
                "1:X0snYXpgwiv9TZtqg64sgzUn6Dk=",
            ),
            (
                Transport::Icmp,
                ("fe80::260:97ff:fe07:69ea", 134),
                ("ff02::1", 133),
                "1:pkvHqCL88/tg1k4cPigmZXUtL00=",
            ),
        ];

        for (transport, client, server, expected) in cases {
            assert_eq!(id(transport, client, server, 0), expected, "{client:?} {server:?}");
        }
    }

    #[test]
    fn a_seed_gives_other_identifiers() {
        let (a, b) = (("128.232.110.120", 34855), ("66.35.250.204", 80));

        assert_ne!(id(Transport::Tcp, a, b, 1), id(Transport::Tcp, a, b, 0));
    }

    #[test]
    fn one_way_messages_keep_their_direction() {
        let (router, host) = (("192.0.2.9", 3), ("192.0.2.1", 1));

        assert_ne!(id(Transport::Icmp, router, host, 0), id(Transport::Icmp, host, router, 0));
    }
}

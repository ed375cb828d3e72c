//! What a connection carries: its bytes in order for the recognisers, and those that are missing.

use super::oddity::Oddity;
use super::reassembly::Chunk;
use super::tcp::Tcp;
use crate::decode::TcpSegment;
use crate::proto::{Ports, Protocol, Role, Sniffer};

impl Tcp {
    /// Everything of the other side before `acked` arrived: what was not captured is missing.
    pub(super) fn give_up_holes(
        &mut self,
        segment: &TcpSegment<'_>,
        sender: Role,
        acked: i64,
        prefix: usize,
    ) -> Option<(Protocol, Option<Role>)> {
        let is_partial = self.is_partial;
        let Self { client, server, history, sniffer, missed_bytes, .. } = self;
        let (peer, side, peer_role) = match sender {
            Role::Client => (server, client, Role::Server),
            Role::Server => (client, server, Role::Client),
        };
        let mut acked = acked;
        if peer.has_fin && acked >= peer.fin_end {
            acked = peer.fin_end - 1;
        }
        // The side was numbered as if its SYN had come just before, and that byte is no gap; nor is
        // the byte of a keep-alive that came first.
        if (is_partial && acked <= 2) || peer.stream.next() >= acked {
            peer.stream.note_ack(acked);
            return None;
        }
        if let Some(sniffer) = sniffer {
            sniffer.lose(peer_role);
        }
        let ports = Ports { sender: segment.dst_port, receiver: segment.src_port };
        let until = keep_until(sniffer.as_deref(), peer_role, prefix);
        let mut found = None;
        let gaps = peer.stream.on_ack(acked, until, &mut |bytes| {
            if let (Some(sniffer), None) = (sniffer.as_mut(), found) {
                found = sniffer.feed(peer_role, bytes, ports, prefix);
            }
        });
        // Zeek's rule: before establishment and after a reset, sequence numbers prove nothing.
        if peer.is_clean() && side.is_clean() {
            *missed_bytes += gaps.bytes;
            for _ in 0..gaps.holes {
                if peer.gaps.hit() {
                    history.push(peer_role, 'G');
                }
            }
        }
        self.stop_sniffing_if_done();
        found
    }

    pub(super) fn take_data(
        &mut self,
        segment: &TcpSegment<'_>,
        sender: Role,
        from: i64,
        prefix: usize,
    ) -> Option<(Protocol, Option<Role>)> {
        let Self { client, server, sniffer, oddities, .. } = self;
        let side = match sender {
            Role::Client => client,
            Role::Server => server,
        };
        let ports = Ports { sender: segment.src_port, receiver: segment.dst_port };
        let mut found = None;
        if segment.payload.len() < segment.payload_len as usize {
            // Cut off by the snap length: no stream, but its first bytes may still tell.
            if let Some(sniffer) = sniffer {
                found = sniffer.feed(sender, segment.payload, ports, prefix);
            }
        } else {
            let until = keep_until(sniffer.as_deref(), sender, prefix);
            let mut feed = |bytes: &[u8]| {
                if let (Some(sniffer), None) = (sniffer.as_mut(), found) {
                    found = sniffer.feed(sender, bytes, ports, prefix);
                }
            };
            let chunk = Chunk { from, data: segment.payload };
            if side.stream.on_data(chunk, until, &mut feed) {
                oddities.note(Oddity::Retransmission);
            }
        }
        self.stop_sniffing_if_done();
        found
    }

    fn stop_sniffing_if_done(&mut self) {
        if self.sniffer.as_ref().is_some_and(|sniffer| sniffer.is_done()) {
            self.sniffer = None;
            self.client.stream.forget_content();
            self.server.stream.forget_content();
        }
    }
}

/// Up to which sequence number the content of `sender`'s direction is wanted.
fn keep_until(sniffer: Option<&Sniffer>, sender: Role, prefix: usize) -> i64 {
    if sniffer.is_some_and(|sniffer| sniffer.wants(sender)) { 1 + prefix as i64 } else { 0 }
}

//! What a proxy's connection carries once the proxy has agreed (HTTP's CONNECT, SOCKS): another
//! conversation from its first byte on, recognised and read as if it came alone.

use super::http::Http;
use super::{Dissector, Findings, Ports, Protocol, Role, Sniffer, dissector};
use crate::event::Conversation;
use crate::time::Timestamp;

/// Bytes of a direction that are looked at.
const PREFIX: usize = 4 << 10;

/// A conversation inside another.
#[derive(Debug)]
pub(super) struct Unwrapped {
    /// The port that the client asked the proxy for.
    port: u16,
    talk: Option<Conversation>,
    inside: Inside,
}

#[derive(Debug)]
enum Inside {
    Unknown(Sniffer),
    Read(Box<dyn Dissector>),
    Unread,
}

/// What reads `protocol` inside a tunnel.
fn inside(protocol: Protocol) -> Option<Box<dyn Dissector>> {
    match protocol {
        // Tunnels in tunnels in tunnels would use up the stack.
        Protocol::Http => Some(Box::new(Http::inside_tunnel())),
        Protocol::Socks => None,
        _ => dissector(protocol),
    }
}

impl Unwrapped {
    /// A conversation with `port` of wherever it goes to.
    pub(super) fn new(port: u16) -> Self {
        Self { port, talk: None, inside: Inside::Unknown(Sniffer::default()) }
    }
}

impl Dissector for Unwrapped {
    fn on_start(&mut self, talk: &Conversation) {
        self.talk = Some(*talk);
    }

    fn on_data(&mut self, at: Timestamp, sender: Role, data: &[u8], out: &mut Findings) {
        let sniffer = match &mut self.inside {
            Inside::Unknown(sniffer) => sniffer,
            Inside::Read(inside) => return inside.on_data(at, sender, data, out),
            Inside::Unread => return,
        };
        let client = self.talk.map_or(0, |talk| talk.client.port);
        let ports = match sender {
            Role::Client => Ports { sender: client, receiver: self.port },
            Role::Server => Ports { sender: self.port, receiver: client },
        };
        let found = sniffer.feed(sender, data, ports, PREFIX);
        if let Some(mut inside) = found.and_then(|(protocol, _)| inside(protocol)) {
            if let Some(talk) = &self.talk {
                inside.on_start(talk);
            }
            for (role, head) in sniffer.take_heads() {
                if !head.is_empty() {
                    inside.on_data(at, role, &head, out);
                }
            }
            inside.on_data(at, sender, data, out);
            self.inside = Inside::Read(inside);
        } else if sniffer.is_done() {
            self.inside = Inside::Unread;
        }
    }

    fn on_gap(&mut self, sender: Role, bytes: u64) {
        match &mut self.inside {
            Inside::Unknown(sniffer) => sniffer.lose(sender),
            Inside::Read(inside) => inside.on_gap(sender, bytes),
            Inside::Unread => {}
        }
    }

    fn on_end(&mut self, at: Timestamp, out: &mut Findings) {
        if let Inside::Read(inside) = &mut self.inside {
            inside.on_end(at, out);
        }
    }

    fn wants(&self, sender: Role) -> bool {
        match &self.inside {
            Inside::Unknown(sniffer) => sniffer.wants(sender),
            Inside::Read(inside) => inside.wants(sender),
            Inside::Unread => false,
        }
    }

    fn bytes(&self) -> usize {
        size_of::<Self>()
            + match &self.inside {
                Inside::Unknown(sniffer) => sniffer.heap_bytes(),
                Inside::Read(inside) => inside.bytes(),
                Inside::Unread => 0,
            }
    }
}

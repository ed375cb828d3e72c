//! What is known of a connection's protocol so far, and the few bytes kept until it is known.

use super::{Ports, Protocol, Role, Verdict, recognise_stream};

/// Watches both directions of a stream until one of them gives the protocol away.
///
/// The usual first message decides on the spot and is never copied; only a message that is split
/// over segments is collected, up to the limit that the caller gives.
#[derive(Debug, Default)]
pub struct Sniffer {
    client: Direction,
    server: Direction,
}

#[derive(Debug, Default)]
struct Direction {
    head: Vec<u8>,
    done: bool,
    /// Whether it had bytes before the other direction.
    spoke_first: bool,
}

impl Sniffer {
    /// Whether it still wants bytes that `sender` sends.
    pub fn wants(&self, sender: Role) -> bool {
        !self.of(sender).done
    }

    /// Whether neither direction can tell anything any more.
    pub fn is_done(&self) -> bool {
        self.client.done && self.server.done
    }

    /// Takes the next bytes of a direction, in order; returns the protocol once it is known.
    /// At most `limit` bytes are collected before the direction is given up.
    pub fn feed(
        &mut self,
        sender: Role,
        chunk: &[u8],
        ports: Ports,
        limit: usize,
    ) -> Option<(Protocol, Option<Role>)> {
        let is_silent = self.of(sender.other()).head.is_empty();
        let direction = self.of_mut(sender);
        if direction.done || chunk.is_empty() {
            return None;
        }
        let before = direction.head.len();
        let verdict = if before == 0 {
            direction.spoke_first = is_silent;
            recognise_stream(chunk, ports)
        } else {
            let room = limit.saturating_sub(before);
            direction.head.extend(chunk.iter().take(room));
            recognise_stream(&direction.head, ports)
        };
        match verdict {
            Verdict::Is(protocol, role) => {
                direction.head.truncate(before);
                (self.client.done, self.server.done) = (true, true);
                Some((protocol, role))
            }
            Verdict::NeedMore if chunk.len().max(direction.head.len()) < limit => {
                if direction.head.is_empty() {
                    direction.head.extend_from_slice(chunk);
                }
                None
            }
            Verdict::NeedMore | Verdict::Unknown => {
                *direction = Direction::finished();
                None
            }
        }
    }

    /// Takes what was collected of both directions before the last chunk, in order of arrival.
    pub fn take_heads(&mut self) -> [(Role, Vec<u8>); 2] {
        let client = (Role::Client, std::mem::take(&mut self.client.head));
        let server = (Role::Server, std::mem::take(&mut self.server.head));
        if self.server.spoke_first { [server, client] } else { [client, server] }
    }

    /// Forgets what was collected of a direction, because bytes of it are lost: what follows may
    /// start another message.
    pub fn lose(&mut self, sender: Role) {
        self.of_mut(sender).head = Vec::new();
    }

    /// Swaps the ends, because the direction was inferred the wrong way round.
    pub fn flip(&mut self) {
        std::mem::swap(&mut self.client, &mut self.server);
    }

    /// Bytes held on the heap.
    pub fn heap_bytes(&self) -> usize {
        self.client.head.capacity() + self.server.head.capacity()
    }

    const fn of(&self, sender: Role) -> &Direction {
        match sender {
            Role::Client => &self.client,
            Role::Server => &self.server,
        }
    }

    const fn of_mut(&mut self, sender: Role) -> &mut Direction {
        match sender {
            Role::Client => &mut self.client,
            Role::Server => &mut self.server,
        }
    }
}

impl Direction {
    const fn finished() -> Self {
        Self { head: Vec::new(), done: true, spoke_first: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PORTS: Ports = Ports { sender: 40_000, receiver: 8080 };

    #[test]
    fn decides_on_the_first_segment_without_keeping_it() {
        let mut sniffer = Sniffer::default();

        let found = sniffer.feed(Role::Client, b"GET / HTTP/1.1\r\n\r\n", PORTS, 1024);

        assert_eq!(found, Some((Protocol::Http, Some(Role::Client))));
        assert!(sniffer.is_done());
        assert_eq!(sniffer.heap_bytes(), 0);
    }

    #[test]
    fn collects_a_message_that_comes_in_pieces() {
        let mut sniffer = Sniffer::default();

        assert_eq!(sniffer.feed(Role::Client, b"SS", PORTS, 1024), None);
        let found = sniffer.feed(Role::Client, b"H-2.0-x\r\n", PORTS, 1024);

        assert_eq!(found.map(|(protocol, _)| protocol), Some(Protocol::Ssh));
        assert!(sniffer.is_done());
    }

    #[test]
    fn hands_over_what_it_held_in_order_of_arrival() {
        let mut sniffer = Sniffer::default();
        let ports = Ports { sender: 21, receiver: 40_000 };

        sniffer.feed(Role::Server, b"22", ports, 1024);
        sniffer.feed(Role::Client, b"SS", PORTS, 1024);
        sniffer.feed(Role::Client, b"H-2.0-x\r\n", PORTS, 1024);

        let heads = [(Role::Server, b"22".to_vec()), (Role::Client, b"SS".to_vec())];
        assert_eq!(sniffer.take_heads(), heads);
        assert_eq!(sniffer.heap_bytes(), 0);
    }

    #[test]
    fn gives_up_at_the_limit() {
        let mut sniffer = Sniffer::default();

        for _ in 0..20 {
            sniffer.feed(Role::Client, b"GET x", PORTS, 16);
        }

        assert!(!sniffer.wants(Role::Client));
        assert!(sniffer.wants(Role::Server));
        assert!(sniffer.heap_bytes() <= 32);
    }
}

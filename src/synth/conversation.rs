//! What two hosts say to each other over TCP, from the first SYN to the last FIN.
//!
//! A conversation is played lazily, a few frames at a time, so tens of thousands can run at once.
//! The capture point is near the client: what the server sends arrives a round trip later.

use std::collections::VecDeque;
use std::time::Duration;

use super::packet::{Flags, Segment, Stamped, Station, tcp, unreachable};
use super::payload;
use super::rng::Rng;
use crate::time::Timestamp;

/// Which end of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Opened it.
    Client,
    /// Was called.
    Server,
}

impl Side {
    /// The other one.
    pub const fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

/// What comes of the attempt to open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Three-way handshake, then the turns.
    Accepted,
    /// SYN, SYN-ACK, RST: how a SYN scan leaves an open port.
    HalfOpen,
    /// The server answers with RST.
    Refused,
    /// Nobody answers; the SYN is sent this often in all, at 0, 1, 3, 7 s (RFC 6298 section 2).
    Unanswered {
        /// How often the SYN is sent.
        syns: u32,
    },
    /// A router in between answers with ICMP "administratively prohibited" (type 3, code 13).
    Prohibited {
        /// The router.
        by: Station,
    },
}

/// How an established conversation ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Both directions are closed, this side first.
    Fin(Side),
    /// This side aborts.
    Reset(Side),
    /// Not within the capture.
    Stays,
}

/// One side speaks.
#[derive(Clone, Debug)]
pub struct Turn {
    /// Who.
    pub from: Side,
    /// How long it thinks before.
    pub after: Duration,
    /// What it says first.
    pub opening: Vec<u8>,
    /// How many bytes it says in all; beyond the opening they are filler.
    pub length: usize,
}

/// What of a conversation the capture point sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// Both directions.
    Both,
    /// Only what this side sends: asymmetric routes, or a mirror of one direction.
    Only(Side),
}

/// A TCP conversation, ready to be played.
#[derive(Clone, Debug)]
pub struct Conversation {
    /// Who opens it.
    pub client: Station,
    /// Who is called.
    pub server: Station,
    /// The ports of client and server.
    pub ports: (u16, u16),
    /// When the first SYN passes.
    pub start: Timestamp,
    /// From a client's segment to the server's answer.
    pub rtt: Duration,
    /// From one segment of a burst to the next.
    pub gap: Duration,
    /// The payload of a full segment in bytes; at least 1 is used.
    pub mss: usize,
    /// What comes of it.
    pub fate: Fate,
    /// Who says what.
    pub turns: Vec<Turn>,
    /// How it ends, where it was accepted.
    pub end: End,
    /// What of it is seen.
    pub view: View,
    /// Decides sequence numbers and identifications.
    pub seed: u64,
}

/// Segments that are sent before the other side's acknowledgements are waited for: the initial
/// window of RFC 6928.
const BURST: usize = 10;

/// How long a stack takes to answer a segment that needs no thought.
const REACTION: Duration = Duration::from_micros(30);

impl Conversation {
    /// The frames of the conversation, in order of time.
    pub fn play(self) -> Playing {
        let mut rng = Rng::new(self.seed);
        let next = [rng.bits() as u32, rng.bits() as u32];
        Playing {
            clock: self.start,
            client: Half { next: next[0], ident: rng.short() },
            server: Half { next: next[1], ident: rng.short() },
            step: Step::Open,
            queue: VecDeque::new(),
            spec: self,
        }
    }
}

/// A conversation while it is played.
#[derive(Debug)]
pub struct Playing {
    spec: Conversation,
    step: Step,
    clock: Timestamp,
    client: Half,
    server: Half,
    queue: VecDeque<Stamped>,
}

#[derive(Clone, Copy, Debug)]
struct Half {
    next: u32,
    ident: u16,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Open,
    Turn { index: usize, said: usize },
    Close,
    Done,
}

impl Iterator for Playing {
    type Item = Stamped;

    fn next(&mut self) -> Option<Stamped> {
        loop {
            if let Some(packet) = self.queue.pop_front() {
                return Some(packet);
            }
            match self.step {
                Step::Open => self.open(),
                Step::Turn { index, said } => self.turn(index, said),
                Step::Close => self.close(),
                Step::Done => return None,
            }
        }
    }
}

impl Playing {
    fn open(&mut self) {
        self.step = Step::Done;
        match self.spec.fate {
            Fate::Accepted => {
                self.shake_hands();
                self.send(Side::Client, Flags::ACK, &[]);
                self.step = Step::Turn { index: 0, said: 0 };
            }
            Fate::HalfOpen => {
                self.shake_hands();
                self.send(Side::Client, Flags::RST, &[]);
            }
            Fate::Refused => {
                self.send(Side::Client, Flags::SYN, &[]);
                self.wait(self.spec.rtt);
                // RFC 9293 section 3.5.2: a reset that answers a SYN has sequence number 0.
                self.server.next = 0;
                self.send(Side::Server, Flags::RST_ACK, &[]);
            }
            Fate::Unanswered { syns } => {
                for attempt in 0..syns {
                    self.resend_syn(attempt);
                }
            }
            Fate::Prohibited { by } => {
                self.send(Side::Client, Flags::SYN, &[]);
                let Some(syn) = self.queue.back() else { return };
                let frame = unreachable(&by, &self.spec.client, self.server.ident, 13, &syn.frame);
                self.wait(self.spec.rtt);
                self.queue.push_back(Stamped { ts: self.clock, frame });
            }
        }
    }

    fn shake_hands(&mut self) {
        self.send(Side::Client, Flags::SYN, &[]);
        self.wait(self.spec.rtt);
        self.send(Side::Server, Flags::SYN_ACK, &[]);
        self.wait(REACTION);
    }

    fn resend_syn(&mut self, attempt: u32) {
        if attempt > 0 {
            self.wait(Duration::from_secs(1 << (attempt - 1).min(6)));
            self.client.next = self.client.next.wrapping_sub(1);
        }
        self.send(Side::Client, Flags::SYN, &[]);
    }

    /// Plays one burst of the turn `index`, of which `said` bytes are out.
    fn turn(&mut self, index: usize, said: usize) {
        let Some(turn) = self.spec.turns.get_mut(index) else {
            self.step = Step::Close;
            return;
        };
        let (from, after, length) = (turn.from, turn.after, turn.length);
        let opening = std::mem::take(&mut turn.opening);
        if said == 0 {
            self.wait(after);
            if from == Side::Server && index == 0 {
                self.wait(self.spec.rtt);
            }
        }
        let mss = self.spec.mss.max(1);
        let (mut said, mut segments) = (said, 0);
        let mut unacknowledged = Vec::new();
        while said < length && segments < BURST {
            let take = mss.min(length - said);
            let data = payload::slice(&opening, said, take);
            said += take;
            segments += 1;
            self.wait(self.spec.gap.max(REACTION * 2));
            let flags = if said == length { Flags::PSH_ACK } else { Flags::ACK };
            self.send(from, flags, &data);
            if from == Side::Server && (segments % 2 == 0 || said == length) {
                self.wait(REACTION);
                self.send(Side::Client, Flags::ACK, &[]);
            } else if from == Side::Client && (segments % 2 == 0 || said == length) {
                unacknowledged.push(self.client.next);
            }
        }
        if from == Side::Client {
            self.wait(self.spec.rtt);
            for upto in unacknowledged {
                self.wait(REACTION);
                self.send_upto(Side::Server, upto, Flags::ACK, &[]);
            }
        }
        let over = said >= length;
        if let Some(turn) = self.spec.turns.get_mut(index)
            && !over
        {
            turn.opening = opening;
        }
        self.step = if over {
            Step::Turn { index: index + 1, said: 0 }
        } else {
            Step::Turn { index, said }
        };
    }

    fn close(&mut self) {
        self.step = Step::Done;
        self.wait(REACTION * 4);
        match self.spec.end {
            End::Fin(side) => {
                self.send(side, Flags::FIN_ACK, &[]);
                self.wait(if side == Side::Client { self.spec.rtt } else { REACTION });
                self.send(side.other(), Flags::FIN_ACK, &[]);
                self.wait(if side == Side::Client { REACTION } else { self.spec.rtt });
                self.send(side, Flags::ACK, &[]);
            }
            End::Reset(side) => self.send(side, Flags::RST_ACK, &[]),
            End::Stays => {}
        }
    }

    fn wait(&mut self, time: Duration) {
        self.clock = self.clock + time;
    }

    /// Sends a segment that acknowledges all that the other side has sent.
    fn send(&mut self, from: Side, flags: Flags, data: &[u8]) {
        let theirs = match from {
            Side::Client => self.server.next,
            Side::Server => self.client.next,
        };
        self.send_upto(from, theirs, flags, data);
    }

    fn send_upto(&mut self, from: Side, theirs: u32, flags: Flags, data: &[u8]) {
        let Conversation { client, server, ports: (client_port, server_port), .. } = self.spec;
        let (source, destination, ports, mine) = match from {
            Side::Client => (client, server, (client_port, server_port), &mut self.client),
            Side::Server => (server, client, (server_port, client_port), &mut self.server),
        };
        let segment = Segment {
            ports,
            seq: mine.next,
            ack: theirs,
            flags,
            window: if flags.rst { 0 } else { 64_240 },
            payload: data,
        };
        let frame = tcp(&source, &destination, mine.ident, &segment);
        mine.ident = mine.ident.wrapping_add(1);
        let used = data.len() as u32 + u32::from(flags.syn) + u32::from(flags.fin);
        mine.next = mine.next.wrapping_add(used);
        if self.spec.view == View::Both || self.spec.view == View::Only(from) {
            self.queue.push_back(Stamped { ts: self.clock, frame });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use etherparse::{SlicedPacket, TransportSlice};

    use super::*;
    use crate::net::MacAddr;

    fn station(last: u8) -> Station {
        let addr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, last));
        Station { mac: MacAddr([2, 0, 0, 0, 0, last]), addr, ttl: 64 }
    }

    fn talk(fate: Fate) -> Conversation {
        Conversation {
            client: station(1),
            server: station(2),
            ports: (40_000, 80),
            start: Timestamp::from_secs(100),
            rtt: Duration::from_millis(2),
            gap: Duration::from_micros(100),
            mss: 1460,
            fate,
            turns: vec![
                Turn {
                    from: Side::Client,
                    after: Duration::ZERO,
                    opening: b"GET".to_vec(),
                    length: 300,
                },
                Turn {
                    from: Side::Server,
                    after: Duration::ZERO,
                    opening: b"HTTP".to_vec(),
                    length: 40_000,
                },
            ],
            end: End::Fin(Side::Server),
            view: View::Both,
            seed: 1,
        }
    }

    /// Who sent it, flags as Zeek's history letters would group them, and payload length.
    fn seen(packet: &Stamped) -> (u16, String, usize) {
        let sliced = SlicedPacket::from_ethernet(&packet.frame).unwrap();
        let Some(TransportSlice::Tcp(tcp)) = sliced.transport else { panic!("no TCP") };
        let flags = [(tcp.syn(), 'S'), (tcp.fin(), 'F'), (tcp.rst(), 'R'), (tcp.ack(), 'A')];
        let letters = flags.iter().filter(|(set, _)| *set).map(|(_, letter)| letter).collect();
        (tcp.source_port(), letters, tcp.payload().len())
    }

    #[test]
    fn an_accepted_one_carries_every_byte_and_closes() {
        let packets: Vec<_> = talk(Fate::Accepted).play().collect();

        let seen: Vec<_> = packets.iter().map(seen).collect();
        let flags: Vec<_> = seen.iter().map(|(_, flags, _)| flags.as_str()).collect();
        assert_eq!(flags[..3], ["S", "SA", "A"]);
        assert_eq!(flags[flags.len() - 3..], ["FA", "FA", "A"]);
        let bytes = |port| seen.iter().filter(|s| s.0 == port).map(|s| s.2).sum::<usize>();
        assert_eq!((bytes(40_000), bytes(80)), (300, 40_000));
        assert!(packets.is_sorted_by_key(|packet| packet.ts));
    }

    #[test]
    fn numbers_follow_each_other_without_a_hole() {
        let mut expected = [None::<u32>; 2];

        for packet in talk(Fate::Accepted).play() {
            let sliced = SlicedPacket::from_ethernet(&packet.frame).unwrap();
            let Some(TransportSlice::Tcp(tcp)) = sliced.transport else { panic!("no TCP") };
            let side = usize::from(tcp.source_port() == 80);
            if let Some(next) = expected[side] {
                assert_eq!(tcp.sequence_number(), next);
            }
            let used = tcp.payload().len() as u32 + u32::from(tcp.syn()) + u32::from(tcp.fin());
            expected[side] = Some(tcp.sequence_number().wrapping_add(used));
            if let (true, Some(theirs)) = (tcp.ack(), expected[1 - side]) {
                assert!(theirs.wrapping_sub(tcp.acknowledgment_number()) < 20_000);
            }
        }
    }

    #[test]
    fn an_upload_is_acknowledged_piece_by_piece() {
        let mut upload = talk(Fate::Accepted);
        upload.turns.truncate(1);
        upload.turns[0].length = 20_000;

        let mut acknowledged: Vec<_> = upload
            .play()
            .filter(|packet| seen(packet) == (80, "A".to_owned(), 0))
            .map(|packet| u32::from_be_bytes(packet.frame[42..46].try_into().unwrap()))
            .collect();

        let all = acknowledged.len();
        acknowledged.dedup();
        // Fourteen segments in two bursts, and the end.
        assert_eq!((acknowledged.len(), all), (8, 8));
    }

    #[test]
    fn a_prohibited_one_quotes_its_syn() {
        let router = station(9);

        let packets: Vec<_> = talk(Fate::Prohibited { by: router }).play().collect();

        assert_eq!(packets.len(), 2);
        assert_eq!(packets[1].frame[34..36], [3, 13]);
        assert_eq!(packets[1].frame[42..62], packets[0].frame[14..34]);
    }

    #[test]
    fn an_unanswered_one_is_tried_again_after_one_and_three_seconds() {
        let packets: Vec<_> = talk(Fate::Unanswered { syns: 3 }).play().collect();

        let times: Vec<_> = packets.iter().map(|packet| packet.ts).collect();
        assert_eq!(times, [100, 101, 103].map(Timestamp::from_secs));
        assert!(packets.iter().all(|packet| seen(packet).1 == "S"));
    }

    #[test]
    fn a_refused_one_is_a_syn_and_a_reset() {
        let seen: Vec<_> = talk(Fate::Refused).play().map(|packet| seen(&packet)).collect();

        assert_eq!(seen, [(40_000, "S".to_owned(), 0), (80, "RA".to_owned(), 0)]);
    }

    #[test]
    fn a_one_way_view_hides_the_other_side() {
        let view = View::Only(Side::Client);

        let seen: Vec<_> =
            Conversation { view, ..talk(Fate::Accepted) }.play().map(|p| seen(&p)).collect();

        assert!(seen.len() > 10);
        assert!(seen.iter().all(|(port, _, _)| *port == 40_000));
    }
}

//! Endless links, for the benchmark.
//!
//! [`Mixture::everyday`] has the proportions of an ordinary network: by packets, 30 % transfers of
//! heavy-tailed size, 38 % sessions, 19 % web pages, 6 % voice, 4 % DNS, 1 % scans, the rest ARP and
//! ICMP; over 5 million packets 27 a connection, 11 an event, 567 bytes a frame. The larger benign captures of
//! the test corpus have 27 and 12 in the median; a campus with four billion flows and 275 TB
//! (Jurkiewicz, Rzym, Borylo: "Flow length and size distributions in campus Internet traffic",
//! 2021) has at least 45 full frames a flow, which would be easier.
//!
//! [`Mixture::restless`] is a bad day: connections of 10 packets, an event every 4, small frames,
//! twenty thousand sessions in no order that a cache could follow, four scanners. It asks how fast
//! it goes where everything is new.
//!
//! Both run at 83 000 packets a second of packet time, in an order that no connection's packets
//! keep together.

use std::time::Duration;

use super::conversation::{Conversation, End, Fate, Side, Turn, View};
use super::exchange::{Answer, ask, ping, resolve};
use super::office::says;
use super::packet::{Stamped, Station};
use super::payload;
use super::rng::Rng;
use super::scene::{START, outside, routed};
use super::timeline::Timeline;
use crate::net::MacAddr;
use crate::time::Timestamp;

/// Turns of a session; each pair of turns is four packets, and lasts about 1.6 s.
const SESSION_TURNS: u64 = 76;

/// The time between two arrivals, in which each kind of traffic comes with its own chance.
const BEAT: Duration = Duration::from_micros(100);

/// What makes one link another.
#[derive(Clone, Copy, Debug)]
struct Pace {
    /// Sessions that are under way when it begins.
    sessions: u64,
    /// Chances of an arrival per beat, in ten thousandths.
    arrivals: &'static [(Kind, u64)],
}

const EVERYDAY: Pace = Pace {
    sessions: 12_000,
    arrivals: &[
        (Kind::Transfer, 250),
        (Kind::Session, 205),
        (Kind::Page, 350),
        (Kind::Dns, 1660),
        (Kind::Probe, 380),
        (Kind::Arp, 620),
        (Kind::Ping, 200),
        (Kind::Call, 25),
    ],
};

const RESTLESS: Pace = Pace {
    sessions: 20_000,
    arrivals: &[
        (Kind::Session, 330),
        (Kind::Request, 1500),
        (Kind::Dns, 3300),
        (Kind::Probe, 2000),
        (Kind::Arp, 1600),
        (Kind::Ping, 900),
        (Kind::Chirp, 250),
    ],
};

#[derive(Clone, Copy, Debug)]
enum Kind {
    /// A file, of any size.
    Transfer,
    /// A session or a transfer in small pieces.
    Session,
    /// A web page over TLS: greeting, certificate, request, tens of kilobytes.
    Page,
    /// A small web request in clear.
    Request,
    Dns,
    Probe,
    Arp,
    Ping,
    /// Two seconds of voice.
    Call,
    /// A tenth of a second of voice.
    Chirp,
}

/// Endless mixed traffic.
pub struct Mixture {
    pace: Pace,
    rng: Rng,
    timeline: Timeline,
    next_beat: Timestamp,
    started: u64,
    ports: u32,
}

impl Mixture {
    /// An ordinary network's traffic, the same for the same `seed`.
    pub fn everyday(seed: u64) -> Self {
        Self::new(EVERYDAY, seed)
    }

    /// Traffic where everything is new.
    pub fn restless(seed: u64) -> Self {
        Self::new(RESTLESS, seed)
    }

    fn new(pace: Pace, seed: u64) -> Self {
        Self {
            pace,
            rng: Rng::new(seed),
            timeline: Timeline::default(),
            next_beat: START,
            started: 0,
            ports: 0,
        }
    }
}

impl Iterator for Mixture {
    type Item = Stamped;

    fn next(&mut self) -> Option<Stamped> {
        // Everything that arrives before the next frame has to be in the timeline first.
        while self.timeline.next_ts().is_none_or(|ts| ts >= self.next_beat) {
            self.beat();
        }
        self.timeline.next()
    }
}

impl Mixture {
    fn beat(&mut self) {
        let at = self.next_beat;
        self.next_beat = at + BEAT;
        // In the first second the sessions that are under way already join in.
        if self.started < self.pace.sessions {
            for _ in 0..2 {
                let left = self.rng.between(2, SESSION_TURNS);
                self.session(at, left);
            }
        }
        for &(kind, chance) in self.pace.arrivals {
            if self.rng.below(10_000) < chance {
                self.arrive(kind, at);
            }
        }
    }

    fn arrive(&mut self, kind: Kind, at: Timestamp) {
        let at = at + Duration::from_nanos(self.rng.below(100_000));
        match kind {
            Kind::Transfer => self.transfer(at),
            Kind::Session => self.session(at, SESSION_TURNS),
            Kind::Page => self.page(at),
            Kind::Request => self.request(at),
            Kind::Dns => self.dns(at),
            Kind::Probe => self.probe(at),
            Kind::Arp => self.arp(at),
            Kind::Ping => self.ping(at),
            Kind::Call => self.voice(at, 100),
            Kind::Chirp => self.voice(at, 5),
        }
    }

    /// A file whose size follows a Pareto distribution with exponent 1.1 between 20 kB and 4 MB, as
    /// sizes of files do (Crovella and Bestavros: "Self-Similarity in World Wide Web Traffic", 1997).
    fn transfer(&mut self, at: Timestamp) {
        const LEAST: f64 = 20_000.0;
        const MOST: f64 = 4e6;
        let (client, server) = (self.client(), self.server());
        let uniform = (self.rng.below(1 << 30) + 1) as f64 / f64::from(1 << 30);
        let length = (LEAST / uniform.powf(1.0 / 1.1)).min(MOST) as usize;
        let port = self.rng.pick(&[443u16, 445, 2049, 8443]).copied().unwrap_or(443);
        let turns =
            vec![says(Side::Client, Vec::new(), 300), says(Side::Server, Vec::new(), length)];
        self.open(at, (client, server), port, Fate::Accepted, turns);
    }

    fn page(&mut self, at: Timestamp) {
        let (client, server) = (self.client(), self.server());
        let length = self.rng.between(2_000, 60_000) as usize;
        let turns = vec![
            says(Side::Client, payload::tls_client_hello("www.example.com"), 517),
            says(Side::Server, payload::tls_server_hello(), 4_000),
            says(Side::Client, Vec::new(), 700),
            says(Side::Server, Vec::new(), length),
        ];
        self.open(at, (client, server), 443, Fate::Accepted, turns);
    }

    fn session(&mut self, at: Timestamp, turns: u64) {
        self.started += 1;
        let (client, server) = (self.client(), self.server());
        let port = self.rng.pick(&[22u16, 443, 445, 1433, 3306, 5432, 8443]).copied();
        let turns = (0..turns)
            .map(|turn| {
                let from = if turn % 2 == 0 { Side::Client } else { Side::Server };
                let most = if turn % 2 == 0 { 320 } else { 1100 };
                let length = self.rng.between(20, most) as usize;
                let after = self.rng.around(Duration::from_millis(800));
                Turn { from, after, opening: Vec::new(), length }
            })
            .collect();
        self.open(at, (client, server), port.unwrap_or(443), Fate::Accepted, turns);
    }

    fn request(&mut self, at: Timestamp) {
        let (client, server) = (self.client(), self.server());
        let length = self.rng.between(200, 3000) as usize;
        let turns = vec![
            says(Side::Client, payload::http_request("www.example.com", "/"), 180),
            says(Side::Server, payload::http_response(length), length),
        ];
        self.open(at, (client, server), 80, Fate::Accepted, turns);
    }

    fn dns(&mut self, at: Timestamp) {
        let (client, server) = (self.client(), routed(4, 53));
        let id = self.rng.short();
        let name = format!("n{}.example.net", self.rng.below(5000));
        let question = payload::dns_question(id, &name);
        let answer = match self.rng.below(20) {
            0 => payload::dns_no_such_name(id, &name),
            _ => payload::dns_answer(id, &name, [198, 51, 100, 7]),
        };
        let ports = (self.port(), 53);
        let rtt = self.rng.around(Duration::from_millis(2));
        let ends = (&client, &server);
        let answer = Answer::Payload(answer);
        let frames = ask(&mut self.rng, ends, ports, at, rtt, &question, &answer);
        self.timeline.add_all(frames);
    }

    /// A step of one of four scans; most of what is looked for is not there.
    fn probe(&mut self, at: Timestamp) {
        let scanner = client(self.rng.below(4));
        let target = routed(100 + self.rng.below(100) as u8, 1 + self.rng.below(254) as u8);
        let fate = match self.rng.below(10) {
            0..2 => Fate::HalfOpen,
            2..6 => Fate::Refused,
            _ => Fate::Unanswered { syns: 2 },
        };
        let port = self.rng.pick(&[22u16, 23, 445, 3389]).copied().unwrap_or(445);
        self.open(at, (scanner, target), port, fate, Vec::new());
    }

    fn arp(&mut self, at: Timestamp) {
        let (asker, owner) = (self.client(), self.client());
        self.timeline.add_all(resolve(&asker, owner.addr, Some(&owner), at));
    }

    fn ping(&mut self, at: Timestamp) {
        let (client, server) = (self.client(), self.server());
        let (rtt, id) = (self.rng.around(Duration::from_millis(5)), self.rng.short());
        let answered = self.rng.chance(95);
        let frames = ping(&mut self.rng, (&client, &server), at, rtt, (id, 1), answered);
        self.timeline.add_all(frames);
    }

    /// As many datagrams of voice each way, 20 ms apart.
    fn voice(&mut self, at: Timestamp, datagrams: u32) {
        let (client, server) = (self.client(), self.server());
        let ports = (self.port(), 16_384);
        let mut frames = Vec::new();
        for step in 0..datagrams {
            let at = at + step * Duration::from_millis(20);
            let voice = payload::slice(&[0x80, 0], 0, 172);
            let rtt = Duration::from_millis(9);
            let answer = Answer::Payload(voice.clone());
            frames.extend(ask(&mut self.rng, (&client, &server), ports, at, rtt, &voice, &answer));
        }
        self.timeline.add_all(frames);
    }

    fn open(
        &mut self,
        start: Timestamp,
        (client, server): (Station, Station),
        port: u16,
        fate: Fate,
        turns: Vec<Turn>,
    ) {
        let conversation = Conversation {
            client,
            server,
            ports: (self.port(), port),
            start,
            rtt: self.rng.around(Duration::from_millis(4)),
            gap: Duration::from_micros(100),
            mss: 1460,
            fate,
            turns,
            end: if self.rng.chance(90) {
                End::Fin(Side::Client)
            } else {
                End::Reset(Side::Server)
            },
            view: View::Both,
            seed: self.rng.bits(),
        };
        self.timeline.add(Box::new(conversation.play()));
    }

    fn client(&mut self) -> Station {
        client(self.rng.below(4000))
    }

    fn server(&mut self) -> Station {
        match self.rng.below(3) {
            0 => routed(4, 1 + self.rng.below(250) as u8),
            _ => outside(self.rng.below(20_000) as u32),
        }
    }

    const fn port(&mut self) -> u16 {
        self.ports = self.ports.wrapping_add(1);
        1024 + (self.ports % 64_000) as u16
    }
}

/// One of the clients, in 10.20.32.0/19.
fn client(number: u64) -> Station {
    let (third, last) = ((32 + number / 250) as u8, (1 + number % 250) as u8);
    Station { mac: MacAddr([0x02, 0x57, 0x0a, 0x14, third, last]), ttl: 64, ..routed(third, last) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_are_mixed_in_order_and_the_same_each_time() {
        for mixture in [Mixture::everyday, Mixture::restless] {
            let packets: Vec<_> = mixture(1).take(60_000).collect();

            let again: Vec<_> = mixture(1).take(60_000).collect();
            assert!(packets == again);
            assert!(packets.is_sorted_by_key(|packet| packet.ts));
            let with = |wanted: fn(&[u8]) -> bool| {
                packets.iter().filter(|packet| wanted(&packet.frame)).count()
            };
            let arp = with(|frame| frame[12..14] == [8, 6]);
            let [icmp, tcp, udp] = [
                with(|frame| frame[12..14] == [8, 0] && frame[23] == 1),
                with(|frame| frame[12..14] == [8, 0] && frame[23] == 6),
                with(|frame| frame[12..14] == [8, 0] && frame[23] == 17),
            ];
            assert_eq!(arp + icmp + tcp + udp, packets.len());
            assert!(arp > 400 && icmp > 100 && udp > 2000 && tcp > 40_000, "{arp} {icmp} {udp}");
        }
    }
}

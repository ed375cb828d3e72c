//! Hand-made events for tests, and a stage to play them on.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use super::{DetectConfig, Detector, Evidence, Sight, all};
use crate::event::{
    Arp, Body, Conn, ConnState, Contact, Conversation, Drips, Event, Http, Icmp, Login, Opening,
    Outcome, Record, Side, Uid,
};
use crate::inventory::{Inventory, InventoryConfig};
use crate::net::{Endpoint, MacAddr, Transport};
use crate::score::{ScoreBoard, ScoreConfig, Verdict};
use crate::time::Timestamp;

/// An address from its text.
pub(crate) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// A moment in seconds.
pub(crate) fn seconds(secs: f64) -> Timestamp {
    Timestamp::from_nanos((secs * 1e9) as i64)
}

/// A connection in the making.
#[derive(Clone, Copy)]
pub(crate) struct Talk {
    start: f64,
    took: f64,
    client: Endpoint,
    server: Endpoint,
    transport: Transport,
    opening: Opening,
    macs: Option<(MacAddr, MacAddr)>,
}

fn talk(transport: Transport, client: &str, server: &str, port: u16, opening: Opening) -> Talk {
    Talk {
        start: 0.0,
        took: 0.001,
        client: Endpoint::new(ip(client), 50_000),
        server: Endpoint::new(ip(server), port),
        transport,
        opening,
        macs: None,
    }
}

/// A TCP connection that begins with a SYN.
pub(crate) fn tcp(client: &str, server: &str, port: u16) -> Talk {
    talk(Transport::Tcp, client, server, port, Opening::Syn)
}

/// A UDP exchange.
pub(crate) fn udp(client: &str, server: &str, port: u16) -> Talk {
    talk(Transport::Udp, client, server, port, Opening::Datagram)
}

/// An ICMP echo request.
pub(crate) fn ping(client: &str, server: &str) -> Talk {
    let talk = talk(Transport::Icmp, client, server, 0, Opening::Datagram);
    let kind = if ip(client).is_ipv6() { 128 } else { 8 };
    Talk { client: Endpoint::new(ip(client), kind), ..talk }
}

impl Talk {
    /// Begins at `secs`.
    pub(crate) fn at(self, secs: f64) -> Self {
        Self { start: secs, ..self }
    }

    /// Has another first packet.
    pub(crate) fn opening(self, opening: Opening) -> Self {
        Self { opening, ..self }
    }

    /// Has another client port.
    pub(crate) fn client_port(self, port: u16) -> Self {
        Self { client: Endpoint::new(self.client.addr, port), ..self }
    }

    /// Was carried by frames with these last octets of hardware addresses.
    pub(crate) fn macs(self, client: u8, server: u8) -> Self {
        Self { macs: Some((mac(client), mac(server))), ..self }
    }

    /// Is accepted at once.
    pub(crate) fn accepted(self) -> Event {
        self.contact(Some(Outcome::Accepted), self.took, (2, 1))
    }

    /// Is accepted, as its client's packets prove; the server's are not captured.
    pub(crate) fn accepted_unseen(self) -> Event {
        self.contact(Some(Outcome::Accepted), self.took, (3, 0))
    }

    /// Is refused at once.
    pub(crate) fn refused(self) -> Event {
        self.contact(Some(Outcome::Refused), self.took, (1, 1))
    }

    /// A router says that nobody is there.
    pub(crate) fn unreachable(self) -> Event {
        self.contact(Some(Outcome::Unreachable), 0.01, (1, 0))
    }

    /// Is not answered, which is known ten seconds later.
    pub(crate) fn unanswered(self) -> Event {
        self.contact(Some(Outcome::Unanswered), 10.0, (1, 0))
    }

    /// Is still waiting when the input ends, `waited` seconds later.
    pub(crate) fn cut_off(self, waited: f64) -> Event {
        self.contact(None, waited, (1, 0))
    }

    /// Only the server was seen.
    pub(crate) fn backscatter(self) -> Event {
        self.contact(None, 1.0, (0, 1))
    }

    /// Is over after `duration` seconds, with this many payload bytes and turns of each side.
    pub(crate) fn conn(self, duration: f64, bytes: (u64, u64), turns: u32) -> Event {
        let side = |bytes| Side {
            packets: 4 + bytes / 1400 + u64::from(turns),
            ip_bytes: bytes + 200,
            bytes,
            turns,
        };
        let body = Body::Conn(Box::new(Conn {
            start: seconds(self.start),
            duration: Duration::from_secs_f64(duration),
            service: None,
            state: ConnState::SF,
            outcome: Some(Outcome::Accepted),
            opening: self.opening,
            history: "ShADadFf".to_owned(),
            client: side(bytes.0),
            server: side(bytes.1),
            missed_bytes: 0,
            vlan: None,
            tunnel: None,
            macs: self.macs,
            fingerprints: None,
            drips: None,
        }));
        self.event(self.start + duration, body)
    }

    /// Has a login with this result at once.
    pub(crate) fn login(self, account: Account) -> Event {
        self.login_after(0.0, account)
    }

    /// Has a login with this result `after` seconds.
    pub(crate) fn login_after(self, after: f64, account: Account) -> Event {
        let login = Login {
            protocol: account.protocol,
            method: account.method,
            user: account.user.map(str::to_owned),
            domain: account.domain.map(str::to_owned),
            workstation: None,
            success: Some(account.is_let_in),
            inferred: false,
        };
        self.event(self.start + after, Body::Record(Box::new(Record::Login(login))))
    }

    /// Is over after `duration` seconds; answers dripped until so many seconds after its start.
    pub(crate) fn dripped(self, duration: f64, ends: &[f64]) -> Event {
        let mut event = self.conn(duration, (3000, 9000), 4);
        if let Body::Conn(conn) = &mut event.body {
            let ends: Vec<_> = ends.iter().map(|end| seconds(self.start + end)).collect();
            conn.drips = Some(Box::new(Drips { answers: ends.len() as u32, ends }));
        }
        event
    }

    /// Has a question over HTTP to this path answered after `took` seconds, in JSON.
    pub(crate) fn answered(self, took: f64, path: &str) -> Event {
        let http = Http {
            trans_depth: 1,
            method: Some("POST".to_owned()),
            uri: Some(path.to_owned()),
            request_body_len: 3000,
            response_body_len: 9000,
            status_code: Some(200),
            resp_mime_types: vec!["text/json"],
            ..Http::default()
        };
        self.event(self.start + took, Body::Record(Box::new(Record::Http(http))))
    }

    fn contact(self, outcome: Option<Outcome>, waited: f64, packets: (u32, u32)) -> Event {
        let body = Body::Contact(Contact {
            outcome,
            opening: self.opening,
            start: seconds(self.start),
            client_packets: packets.0,
            server_packets: packets.1,
            waited: Duration::from_secs_f64(waited),
            to_group: false,
        });
        self.event(self.start + waited, body)
    }

    fn event(self, at: f64, body: Body) -> Event {
        let conversation = Conversation {
            uid: Uid((self.start * 1e6) as u128),
            transport: self.transport,
            client: self.client,
            server: self.server,
            inferred: false,
        };
        Event { ts: seconds(at), packet: 1, conversation: Some(conversation), body }
    }
}

/// Who logs in and how it ends.
#[derive(Clone, Copy)]
pub(crate) struct Account {
    protocol: &'static str,
    method: &'static str,
    user: Option<&'static str>,
    domain: Option<&'static str>,
    is_let_in: bool,
}

impl Account {
    /// An account by its name, which is let in by its password.
    pub(crate) const fn of(protocol: &'static str, user: &'static str) -> Self {
        Self { user: Some(user), ..Self::unnamed(protocol) }
    }

    /// An account whose name cannot be seen.
    pub(crate) const fn unnamed(protocol: &'static str) -> Self {
        Self { protocol, method: "password", user: None, domain: None, is_let_in: true }
    }

    /// Is refused.
    pub(crate) const fn refused(self) -> Self {
        Self { is_let_in: false, ..self }
    }

    /// Belongs to a domain.
    pub(crate) const fn domain(self, domain: &'static str) -> Self {
        Self { domain: Some(domain), ..self }
    }

    /// Proves itself in another way.
    pub(crate) const fn method(self, method: &'static str) -> Self {
        Self { method, ..self }
    }
}

/// A hardware address that ends in `last`.
pub(crate) fn mac(last: u8) -> MacAddr {
    MacAddr([0x00, 0x16, 0x3e, 0, 0, last])
}

/// An ARP request.
pub(crate) fn who_has(at: f64, sender: &str, sender_mac: u8, target: &str) -> Event {
    arp(at, true, sender, sender_mac, target)
}

/// An ARP answer to `to`.
pub(crate) fn is_at(at: f64, sender: &str, sender_mac: u8, to: &str) -> Event {
    arp(at, false, sender, sender_mac, to)
}

fn arp(at: f64, is_request: bool, sender: &str, sender_mac: u8, target: &str) -> Event {
    let body = Body::Arp(Arp {
        is_request,
        sender_mac: mac(sender_mac),
        sender: ip(sender),
        target_mac: MacAddr::default(),
        target: ip(target),
    });
    Event { ts: seconds(at), packet: 1, conversation: None, body }
}

/// An ICMP message that is no part of a conversation.
pub(crate) fn icmp(at: f64, src: &str, dst: &str, kind: u8) -> Event {
    let v6 = ip(src).is_ipv6();
    let body = Body::Icmp(Icmp { v6, src: ip(src), dst: ip(dst), kind, code: 0, about: None });
    Event { ts: seconds(at), packet: 1, conversation: None, body }
}

/// One detector, one inventory, and everything that was said.
pub(crate) struct Stage<D> {
    pub(crate) detector: D,
    pub(crate) inventory: Inventory,
    pub(crate) said: Vec<Evidence>,
}

impl<D: Detector> Stage<D> {
    pub(crate) fn new(detector: D) -> Self {
        Self::with(detector, &InventoryConfig::default())
    }

    pub(crate) fn with(detector: D, config: &InventoryConfig) -> Self {
        Self { detector, inventory: Inventory::new(config), said: Vec::new() }
    }

    /// Plays events in the order given.
    pub(crate) fn play(&mut self, events: impl IntoIterator<Item = Event>) {
        for event in events {
            let sight = Sight::new(&event, &self.inventory);
            self.detector.on_event(&sight, &self.inventory, &mut self.said);
            self.inventory.on_event(&event);
        }
    }

    /// The latest weight of each subject of a host, summed, as a score would.
    pub(crate) fn weight(&self, host: &str) -> f64 {
        let mut latest = BTreeMap::new();
        for evidence in self.said.iter().filter(|evidence| evidence.host == ip(host)) {
            latest.insert(evidence.subject.clone(), evidence.llr);
        }
        latest.values().sum()
    }

    /// The last thing said of a host.
    pub(crate) fn last(&self, host: &str) -> &Evidence {
        self.said.iter().rfind(|evidence| evidence.host == ip(host)).unwrap()
    }

    /// Asserts that nobody was accused.
    pub(crate) fn assert_silent(&self) {
        assert!(self.said.is_empty(), "{:#?}", self.said);
    }
}

/// What all detectors and the score together make of a story.
pub(crate) struct Judged {
    board: ScoreBoard,
    pub(crate) said: Vec<Evidence>,
}

/// All detectors over one story, in order of time.
pub(crate) fn judge(events: impl IntoIterator<Item = Event>) -> Judged {
    let mut events: Vec<Event> = events.into_iter().collect();
    events.sort_by_key(|event| event.ts);
    let mut inventory = Inventory::default();
    let mut detectors = all(&DetectConfig::default());
    let mut board = ScoreBoard::new(&ScoreConfig::default());
    let mut said = Vec::new();
    let mut told = 0;
    for event in &events {
        board.advance(event.ts);
        for detector in &mut detectors {
            detector.on_event(&Sight::new(event, &inventory), &inventory, &mut said);
        }
        inventory.on_event(event);
        for evidence in said.iter().skip(told) {
            board.add(evidence.clone());
        }
        told = said.len();
    }
    Judged { board, said }
}

impl Judged {
    /// Asserts that nobody comes near a suspicion: at most five of the six nats that it takes.
    pub(crate) fn assert_innocent(&self) {
        self.assert_guilty(Verdict::Benign, &[]);
    }

    /// Asserts that these hosts, and nobody else, are malicious.
    pub(crate) fn assert_malicious(&self, guilty: &[&str]) {
        self.assert_guilty(Verdict::Malicious, guilty);
    }

    /// Asserts that these hosts, and nobody else, are suspicious at least.
    pub(crate) fn assert_suspicious(&self, guilty: &[&str]) {
        self.assert_guilty(Verdict::Suspicious, guilty);
    }

    fn assert_guilty(&self, verdict: Verdict, guilty: &[&str]) {
        let guilty: Vec<_> = guilty.iter().map(|host| ip(host)).collect();
        for host in &guilty {
            let score = self.board.get(*host).map_or(0.0, |score| score.peak);
            assert!(Verdict::of(score) >= verdict, "{host} {score}\n{}", self.told());
        }
        for score in self.board.hosts() {
            let spared = guilty.contains(&score.host) || score.peak < 27.0;
            assert!(spared, "{} {}\n{}", score.host, score.peak, self.told());
        }
    }

    fn told(&self) -> String {
        let line = |e: &Evidence| {
            format!("{} {} {:.1} {} [{}]\n", e.host, e.detector, e.llr, e.summary, e.subject)
        };
        self.said.iter().map(line).collect()
    }
}

//! The stage: everything that is going on at a moment, and what it takes to start more of it.
//!
//! One heap holds the moment at which each thing that goes on will do something next: a habit of a
//! host, a step of a worm, the next segment of a conversation. So memory is what goes on at once
//! (some thousand conversations), never what has been or will be, and a week costs what an hour
//! costs.

mod media;
mod reach;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use super::super::conversation::{End as Close, Fate, Side};
use super::super::rng::Rng;
use super::apps::{Habit, Habits};
use super::errand::{self, Errands};
use super::names::Names;
use super::place::End;
use super::tcp::{Call, Playing};
use super::wire::Layer;
use super::world::{Party, World};
use super::worm::{Outbreak, Step};
use crate::net::MacAddr;
use crate::time::Timestamp;
pub use media::Media;

/// A packet as it is under way; a tap makes a frame of it.
#[derive(Clone, Copy, Debug)]
pub struct Passing {
    /// When.
    pub ts: Timestamp,
    /// Who sends it.
    pub from: End,
    /// Who gets it.
    pub to: End,
    /// Its identification.
    pub ident: u16,
    /// What it is.
    pub what: What,
}

/// What passes.
#[derive(Clone, Copy, Debug)]
pub enum What {
    /// An IPv4 packet.
    Ip(Layer),
    /// An ARP message: operation, sender, target.
    Arp(u16, (MacAddr, Ipv4Addr), (MacAddr, Ipv4Addr)),
}

/// One packet that is known beforehand.
#[derive(Clone, Debug)]
struct Shot {
    head: Passing,
    payload: Vec<u8>,
}

#[derive(Debug)]
enum Job {
    Call(Box<Playing>),
    Shot(Box<Shot>),
    Media(Box<media::Playing>),
    Habit(u32),
    Worm(Box<Step>),
    Errand(Box<errand::Step>),
}

/// What changes about a host.
#[derive(Clone, Debug, Default)]
struct HostState {
    next_port: u16,
    /// Whom it has resolved by ARP, until when; the latest last.
    neighbours: VecDeque<(Ipv4Addr, Timestamp)>,
    ident: u16,
}

/// Ephemeral ports (RFC 6335 section 6).
const EPHEMERAL: (u16, u16) = (49_152, 16_384);

/// Everything that is going on.
pub struct Stage {
    /// Where it plays.
    pub world: Arc<World>,
    /// The moment.
    pub now: Timestamp,
    /// Random numbers of whoever acts.
    pub rng: Rng,
    /// Who knows which names.
    pub names: Names,
    /// What the worms have done.
    pub outbreak: Outbreak,
    /// How far the errands are.
    pub errands: Errands,
    agenda: BinaryHeap<Reverse<(Timestamp, u64, u32)>>,
    added: u64,
    jobs: Vec<Option<Job>>,
    free: Vec<u32>,
    habits: Habits,
    hosts: Vec<HostState>,
    routers: Vec<VecDeque<(Ipv4Addr, Timestamp)>>,
    translated: u16,
    payload: Vec<u8>,
}

impl Stage {
    /// A scenario at its beginning.
    pub fn new(world: World) -> Self {
        let world = Arc::new(world);
        let seed = world.seed;
        let host = |index| HostState {
            next_port: (super::chance::fixed(&[seed, index, 21]) % 16_384) as u16,
            ident: super::chance::fixed(&[seed, index, 22]) as u16,
            ..HostState::default()
        };
        let mut stage = Self {
            now: world.start,
            rng: Rng::new(seed),
            names: Names::new(&world),
            outbreak: Outbreak::new(&world),
            errands: Errands::default(),
            agenda: BinaryHeap::new(),
            added: 0,
            jobs: Vec::new(),
            free: Vec::new(),
            habits: Habits::new(&world),
            hosts: (0..world.hosts.len() as u64).map(host).collect(),
            routers: vec![VecDeque::new(); world.subnets.len()],
            translated: 0,
            payload: Vec::with_capacity(2048),
            world,
        };
        for index in 0..stage.habits.count() {
            stage.schedule_habit(index);
        }
        super::worm::begin(&mut stage);
        errand::begin(&mut stage);
        stage
    }

    /// The next packet; `None` when the scenario is over. [`Self::payload`] has what it carries.
    pub fn advance(&mut self) -> Option<Passing> {
        loop {
            let Reverse((ts, _, slot)) = self.agenda.pop()?;
            if ts >= self.world.end {
                return None;
            }
            self.now = ts;
            let Some(job) = self.jobs.get_mut(slot as usize).and_then(Option::take) else {
                continue;
            };
            match job {
                Job::Call(mut playing) => {
                    let Some(shown) = playing.pass(&mut self.payload) else {
                        self.free.push(slot);
                        continue;
                    };
                    let (client, server) = playing.ends();
                    let (from, to) = match shown.from {
                        Side::Client => (*client, *server),
                        Side::Server => (*server, *client),
                    };
                    self.again(slot, playing.next_ts(), Job::Call(playing));
                    let what = What::Ip(Layer::Tcp(shown.segment));
                    return Some(Passing { ts, from, to, ident: shown.ident, what });
                }
                Job::Shot(mut shot) => {
                    self.free.push(slot);
                    self.payload.clear();
                    self.payload.append(&mut shot.payload);
                    return Some(shot.head);
                }
                Job::Media(mut playing) => {
                    let head = playing.pass(ts, &mut self.payload);
                    self.again(slot, playing.next_ts(), Job::Media(playing));
                    return Some(head);
                }
                Job::Habit(index) => {
                    self.free.push(slot);
                    self.act(index);
                }
                Job::Worm(step) => {
                    self.free.push(slot);
                    super::worm::act(self, *step);
                }
                Job::Errand(step) => {
                    self.free.push(slot);
                    errand::act(self, &step);
                }
            }
        }
    }

    /// What the packet carries that passed last.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// How many things go on at the moment.
    pub fn going_on(&self) -> usize {
        self.agenda.len()
    }

    fn again(&mut self, slot: u32, next: Option<Timestamp>, job: Job) {
        let Some(next) = next else {
            self.free.push(slot);
            return;
        };
        self.added += 1;
        self.agenda.push(Reverse((next, self.added, slot)));
        if let Some(room) = self.jobs.get_mut(slot as usize) {
            *room = Some(job);
        }
    }

    fn add(&mut self, at: Timestamp, job: Job) {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.jobs.push(None);
            (self.jobs.len() - 1) as u32
        });
        self.again(slot, Some(at), job);
    }

    fn act(&mut self, index: u32) {
        let Some(mut habit) = self.habits.take(index) else { return };
        std::mem::swap(&mut self.rng, &mut habit.rng);
        habit.act(self);
        std::mem::swap(&mut self.rng, &mut habit.rng);
        self.habits.put(index, habit);
        self.schedule_habit(index);
    }

    fn schedule_habit(&mut self, index: u32) {
        let (world, now) = (self.world.clone(), self.now);
        let next = self.habits.get_mut(index).and_then(|habit: &mut Habit| habit.next(&world, now));
        if let Some(next) = next.filter(|next| *next < world.end) {
            self.add(next, Job::Habit(index));
        }
    }

    /// Lets a worm do a step at `at`.
    pub fn plan(&mut self, at: Timestamp, step: Step) {
        self.add(at, Job::Worm(Box::new(step)));
    }

    /// Lets an errand do a step at `at`.
    pub fn plan_errand(&mut self, at: Timestamp, step: errand::Step) {
        self.add(at, Job::Errand(Box::new(step)));
    }

    /// A call from one to the other that begins now: what comes of it follows from who is there,
    /// the rest is for the caller to say before [`Self::play`].
    pub fn call(&mut self, from: Party, to: Party, port: u16) -> Call {
        let fate = self.fate(from, to, port);
        let (client, server) = (self.world.end(from), self.world.end(to));
        let ports = (self.port(from), port);
        Call {
            client: self.beyond(client, server),
            server: self.called(server, &client, port),
            ports,
            start: self.now,
            path: self.path(&client, &server),
            fate,
            lines: Vec::new(),
            linger: Duration::ZERO,
            close: Close::Fin(Side::Client),
            seed: self.rng.bits(),
        }
    }

    /// Lets a call happen, after ARP where the next hop is not known. A neighbour that is not there
    /// is asked for and never called.
    pub fn play(&mut self, mut call: Call) {
        let silent = matches!(call.fate, Fate::Unanswered { .. });
        let (client, server) = (call.client, call.server);
        if !self.reach(&client, &server, call.start, silent) {
            return;
        }
        call.start = call.start + Duration::from_micros(400);
        let mut playing = Box::new(call.play());
        if let Some(first) = playing.next_ts() {
            self.add(first, Job::Call(playing));
        }
    }

    /// Sends one datagram, without an answer, after ARP where it is needed.
    pub fn datagram(
        &mut self,
        at: Timestamp,
        (from, to): (&End, &End),
        ports: (u16, u16),
        payload: Vec<u8>,
    ) {
        let from = self.beyond(*from, *to);
        self.packet(at, (from, *to), Layer::Udp(ports.0, ports.1), payload);
    }

    /// A question over UDP at `at`, and its answer after a round trip and some thought; returns
    /// when the answer is there.
    pub fn ask(
        &mut self,
        at: Timestamp,
        (from, to): (Party, Party),
        ports: (u16, u16),
        question: Vec<u8>,
        answer: Option<Vec<u8>>,
        thought: Duration,
    ) -> Timestamp {
        let (client, server) = (self.world.end(from), self.world.end(to));
        let path = self.path(&client, &server);
        let (client, server) = (self.beyond(client, server), self.called(server, &client, ports.1));
        let is_up = self.answers(to, at);
        if !self.reach(&client, &server, at, !is_up) {
            return at;
        }
        let at = at + Duration::from_micros(400);
        self.packet(at, (client, server), Layer::Udp(ports.0, ports.1), question);
        let back = at + path.to_server + thought + Duration::from_micros(90);
        if let Some(answer) = answer.filter(|_| is_up) {
            self.packet(back, (server, client), Layer::Udp(ports.1, ports.0), answer);
        }
        back
    }

    /// A ping, and its reply if somebody is there.
    pub fn ping(&mut self, at: Timestamp, (from, to): (Party, Party), id: u16, seq: u16) {
        let (client, server) = (self.world.end(from), self.world.end(to));
        let is_up = self.answers(to, at);
        let path = self.path(&client, &server);
        let client = self.beyond(client, server);
        if !self.reach(&client, &server, at, !is_up) {
            return;
        }
        let ([i, d], [s, q]) = (id.to_be_bytes(), seq.to_be_bytes());
        let data: Vec<u8> = (0x10..0x38).collect();
        let at = at + Duration::from_micros(400);
        self.packet(at, (client, server), Layer::Icmp(8, 0, [i, d, s, q]), data.clone());
        if is_up {
            let back = at + path.to_server + Duration::from_micros(60);
            self.packet(back, (server, client), Layer::Icmp(0, 0, [i, d, s, q]), data);
        }
    }

    /// Begins a stream of voice or pictures.
    pub fn media(&mut self, media: Media) {
        let (start, seed) = (media.start, self.rng.bits() as u32);
        let (first, second) = media.ends;
        let first = self.beyond(first, second);
        let media = Media { ends: (first, second), ..media };
        self.add(start, Job::Media(Box::new(media.play(seed))));
    }

    /// An ARP message at `at`: who asks or tells, and about whom.
    pub fn arp(&mut self, at: Timestamp, operation: u16, from: &End, to: &End) {
        let target_mac = if operation == 2 { to.mac } else { MacAddr::default() };
        let what = What::Arp(operation, (from.mac, from.addr), (target_mac, to.addr));
        let to = if operation == 2 { *to } else { End { mac: MacAddr::BROADCAST, ..*to } };
        let head = Passing { ts: at, from: *from, to, ident: 0, what };
        self.add(at, Job::Shot(Box::new(Shot { head, payload: Vec::new() })));
    }

    /// The next port that a stack takes for a new connection.
    pub fn port(&mut self, of: Party) -> u16 {
        match of {
            Party::Host(id) => {
                let Some(host) = self.hosts.get_mut(id.0 as usize) else { return EPHEMERAL.0 };
                host.next_port = (host.next_port + 1) % EPHEMERAL.1;
                EPHEMERAL.0 + host.next_port
            }
            _ => 1024 + (self.rng.short() % 60_000),
        }
    }

    /// Whether somebody is there to answer at `at`.
    pub fn answers(&self, party: Party, at: Timestamp) -> bool {
        match party {
            Party::Host(id) => self.world.is_up(id, at),
            Party::Outside(_) => true,
            Party::Nobody(_) => false,
        }
    }

    fn packet(&mut self, at: Timestamp, (from, to): (End, End), layer: Layer, payload: Vec<u8>) {
        let ident = match self.world.owner(from.addr) {
            Party::Host(id) => self.hosts.get_mut(id.0 as usize).map_or(0, |host| {
                host.ident = host.ident.wrapping_add(1);
                host.ident
            }),
            _ => self.rng.short(),
        };
        let head = Passing { ts: at, from, to, ident, what: What::Ip(layer) };
        self.add(at, Job::Shot(Box::new(Shot { head, payload })));
    }
}

impl std::fmt::Debug for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stage").field("now", &self.now).field("going_on", &self.going_on()).finish()
    }
}

//! Names and who remembers them: the caches of hosts and of the resolver.

use std::collections::VecDeque;
use std::time::Duration;

use hashbrown::HashMap;

use super::super::payload;
use super::chance::fixed;
use super::role::Role;
use super::stage::Stage;
use super::world::{HostId, Party, World};
use crate::time::Timestamp;

/// A name that can be looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name {
    /// A web site, by number.
    Site(u32),
    /// A network that delivers others' pages, by number.
    Delivery(u32),
    /// Another host of the Internet (mail, time, clouds), by number.
    Other(u32),
    /// A host of the house.
    Host(HostId),
    /// A name that does not exist.
    Missing(u32),
}

/// Numbers of hosts of the Internet: sites come first, then these.
pub const DELIVERY: u32 = 100_000;
/// How many delivery networks there are.
pub const DELIVERIES: u32 = 400;
/// Where the other hosts of the Internet begin.
pub const OTHER: u32 = 110_000;

/// Names that a host remembers.
const REMEMBERED: usize = 48;
/// Names that a resolver remembers.
const RESOLVER_REMEMBERS: usize = 1 << 16;

/// Who remembers which names, until when.
#[derive(Debug)]
pub struct Names {
    hosts: Vec<VecDeque<(u64, Timestamp)>>,
    resolver: HashMap<u64, Timestamp>,
}

impl Name {
    /// Who has the name.
    pub const fn party(self) -> Option<Party> {
        match self {
            Self::Site(number) => Some(Party::Outside(number)),
            Self::Delivery(number) => Some(Party::Outside(DELIVERY + number)),
            Self::Other(number) => Some(Party::Outside(OTHER + number)),
            Self::Host(id) => Some(Party::Host(id)),
            Self::Missing(_) => None,
        }
    }

    /// The name as text.
    pub fn text(self, world: &World) -> String {
        match self {
            Self::Site(number) => format!("www.site-{number}.example"),
            Self::Delivery(number) => format!("d{number}.delivery.example"),
            Self::Other(number) => format!("host-{number}.cloud.example"),
            Self::Host(id) => world.full_name(id),
            Self::Missing(number) => match number % 3 {
                0 => format!("wpad.{}", world.domain),
                1 => format!("www.site-{number}.example.{}", world.domain),
                _ => format!("old-{}.{}", number % 40, world.domain),
            },
        }
    }

    fn key(self) -> u64 {
        match self {
            Self::Host(id) => 1 << 33 | u64::from(id.0),
            Self::Missing(number) => 1 << 34 | u64::from(number),
            Self::Site(_) | Self::Delivery(_) | Self::Other(_) => match self.party() {
                Some(Party::Outside(number)) => u64::from(number),
                _ => 0,
            },
        }
    }

    /// How long it may be remembered: a minute to four hours, always the same for a name.
    fn life(self) -> Duration {
        let lives = [60, 60, 300, 300, 300, 1800, 3600, 14_400];
        let drawn = fixed(&[self.key(), 41]) as usize % lives.len();
        Duration::from_secs(lives.get(drawn).copied().unwrap_or(300))
    }
}

impl Names {
    /// Nobody knows anything.
    pub fn new(world: &World) -> Self {
        Self { hosts: vec![VecDeque::new(); world.hosts.len()], resolver: HashMap::new() }
    }

    fn host_knows(&mut self, host: HostId, name: Name, at: Timestamp) -> bool {
        let Some(known) = self.hosts.get_mut(host.0 as usize) else { return true };
        let (key, until) = (name.key(), at + name.life());
        if let Some(entry) = known.iter_mut().find(|(other, _)| *other == key) {
            let is_fresh = at < entry.1;
            if !is_fresh {
                entry.1 = until;
            }
            return is_fresh;
        }
        if known.len() == REMEMBERED {
            known.pop_front();
        }
        known.push_back((key, until));
        false
    }

    fn forget(&mut self, host: HostId, name: Name) {
        if let Some(known) = self.hosts.get_mut(host.0 as usize) {
            known.retain(|(other, _)| *other != name.key());
        }
    }

    fn resolver_knows(&mut self, name: Name, at: Timestamp) -> bool {
        if self.resolver.len() >= RESOLVER_REMEMBERS {
            // Forgetting all at once is what a restart does; no order of a map is involved.
            self.resolver.clear();
        }
        let until = at + name.life();
        let entry = self.resolver.entry(name.key()).or_insert(at);
        let is_fresh = at < *entry;
        if !is_fresh {
            *entry = until;
        }
        is_fresh
    }
}

/// Looks `name` up for `client`, unless it remembers it. Returns when it knows; `None` if nobody
/// answers, which it waits for twice.
pub fn look_up(stage: &mut Stage, at: Timestamp, client: HostId, name: Name) -> Option<Timestamp> {
    if stage.names.host_knows(client, name, at) {
        return Some(at);
    }
    let world = stage.world.clone();
    let resolver = resolver_of(&world, client);
    let Some(resolver) = resolver else { return Some(at) };
    let text = name.text(&world);
    if !world.is_up(resolver, at) {
        stage.names.forget(client, name);
        let (ports, id) = ((stage.port(Party::Host(client)), 53), stage.rng.short());
        for late in [0, 1, 3] {
            let question = payload::dns_question(id, &text);
            let ends = (Party::Host(client), Party::Host(resolver));
            let at = at + Duration::from_secs(late);
            stage.ask(at, ends, ports, question, None, Duration::ZERO);
        }
        return None;
    }
    let (addr, is_inner) = match name.party() {
        Some(party) => (Some(world.end(party).addr.octets()), matches!(name, Name::Host(_))),
        None => (None, false),
    };
    let known = is_inner || stage.names.resolver_knows(name, at);
    let mut thought = Duration::from_micros(200);
    if !known {
        // The resolver asks around: the zone above, then the zone's own server.
        let mut asked = at + Duration::from_millis(1);
        let first = fixed(&[name.key(), 42]) as u32;
        for server in [first % 13, 13 + first % 500] {
            let id = stage.rng.short();
            let ports = (1024 + stage.rng.short() % 60_000, 53);
            let question = payload::dns_question(id, &text);
            let answer = answer(id, &text, addr);
            let ends = (Party::Host(resolver), Party::Outside(OTHER + 2000 + server));
            asked = stage.ask(asked, ends, ports, question, Some(answer), Duration::ZERO);
        }
        thought += asked.since(at);
    }
    let mut done = at;
    // Programs ask for both families; there is no sixth here, which the second answer says.
    let wants_both = world.host(client).role.is_desk();
    for family in 0..=u32::from(wants_both) {
        let id = stage.rng.short();
        let ports = (stage.port(Party::Host(client)), 53);
        let mut question = payload::dns_question(id, &text);
        let mut reply =
            if family == 0 { answer(id, &text, addr) } else { nothing(id, &text, addr) };
        if family == 1 {
            set_type(&mut question, text.len());
            set_type(&mut reply, text.len());
        }
        let ends = (Party::Host(client), Party::Host(resolver));
        let at = at + Duration::from_micros(30) * family;
        done = stage.ask(at, ends, ports, question, Some(reply), thought);
    }
    Some(done)
}

/// Whom `host` asks for names.
pub fn resolver_of(world: &World, host: HostId) -> Option<HostId> {
    world.usual(host, Role::Resolver).or_else(|| world.usual(host, Role::DomainController))
}

fn answer(id: u16, name: &str, addr: Option<[u8; 4]>) -> Vec<u8> {
    match addr {
        Some(addr) => payload::dns_answer(id, name, addr),
        None => payload::dns_no_such_name(id, name),
    }
}

/// The answer that the name exists (or not) and has no record of the type that was asked for.
fn nothing(id: u16, name: &str, addr: Option<[u8; 4]>) -> Vec<u8> {
    let mut message = payload::dns_no_such_name(id, name);
    if addr.is_some()
        && let Some(flags) = message.get_mut(3)
    {
        *flags = 0x80;
    }
    message
}

/// Makes a question for IPv6 addresses (type 28) of one for IPv4, about a name of so many letters.
fn set_type(message: &mut [u8], letters: usize) {
    // Twelve bytes of header, a length before each label, and the root.
    if let Some(low) = message.get_mut(12 + letters + 2 + 1) {
        *low = 28;
    }
}

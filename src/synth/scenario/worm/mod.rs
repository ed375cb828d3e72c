//! Worms as models of behaviour: how they look for hosts, how often they get in, what a copy weighs,
//! when the victim begins. What the exploit would be is nowhere in it.
//!
//! One engine with parameters plays every family; a family is a scenario file.

mod entry;
mod search;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::super::rng::Rng;
use super::chance::{fixed, happens, wait};
use super::inference::{Question, ask};
use super::stage::Stage;
use super::world::{HostId, Party, World};
use super::worm_file::Way;
use crate::time::Timestamp;

/// A host that has a worm.
#[derive(Debug)]
struct Infection {
    generation: u32,
    parent: Option<Party>,
    attempts: u32,
    rng: Rng,
    /// What is left of its list, for a worm that has one.
    list: Vec<HostId>,
    /// How far it has counted, for a worm that counts.
    counted: u64,
    /// The target that it has not given up, and the ways that it has tried there.
    retry: Option<(Party, BTreeSet<Way>)>,
}

/// Who infected whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edge {
    /// The worm's number.
    pub worm: usize,
    /// Who.
    pub from: Party,
    /// Whom.
    pub to: Party,
    /// When the copy was complete.
    pub at: Timestamp,
    /// Through what.
    pub way: Way,
    /// How many steps from the first.
    pub generation: u32,
}

/// What the worms of a scenario have done.
#[derive(Debug, Default)]
pub struct Outbreak {
    infected: Vec<BTreeMap<Party, Infection>>,
    edges: Vec<Edge>,
}

/// Something that a worm does at a moment.
#[derive(Clone, Debug)]
pub struct Step {
    worm: usize,
    host: Party,
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    /// It looks for the next target.
    Look,
    /// It has thought, and tries one.
    Try,
    /// The copy is complete: `host` has it, from this one, through this way.
    Arrive(Party, Way),
    /// `host` opens a lasting connection back to its intruder.
    Report(Party),
    /// `host` fetches its copy from its intruder, or from a server of the Internet.
    Fetch(Party, Way),
    /// Somebody opens a mail.
    Open(Party),
}

impl Outbreak {
    /// Nobody has anything.
    pub fn new(world: &World) -> Self {
        Self { infected: world.worms.iter().map(|_| BTreeMap::new()).collect(), edges: Vec::new() }
    }

    /// Every infection so far, in order of time.
    pub fn edges(&self) -> &[Edge] {
        &self.edges
    }

    /// Everybody who has the worm, and whether it has tried anything yet.
    pub fn hosts(&self, worm: usize) -> impl Iterator<Item = (Party, bool)> {
        let infected = self.infected.get(worm).into_iter().flatten();
        infected.map(|(party, infection)| (*party, infection.attempts > 0))
    }

    fn has(&self, worm: usize, party: Party) -> bool {
        self.infected.get(worm).is_some_and(|infected| infected.contains_key(&party))
    }

    fn count(&self, worm: usize) -> u32 {
        self.infected.get(worm).map_or(0, |infected| infected.len() as u32)
    }

    fn get_mut(&mut self, worm: usize, party: Party) -> Option<&mut Infection> {
        self.infected.get_mut(worm)?.get_mut(&party)
    }

    fn add(&mut self, worm: usize, party: Party, infection: Infection) {
        if let Some(infected) = self.infected.get_mut(worm) {
            infected.insert(party, infection);
        }
    }
}

/// Lets every worm of the scenario begin.
pub fn begin(stage: &mut Stage) {
    let world = stage.world.clone();
    for (worm, plague) in world.worms.iter().enumerate() {
        let at = world.start + plague.file.after;
        for (origin, number) in plague.origin.iter().zip(0u64..) {
            let seed = fixed(&[world.seed, worm as u64, number, 95]);
            let mut infection = Infection::new(seed, 0, None);
            infection.list = search::list(&world, worm, &mut infection.rng);
            stage.outbreak.add(worm, *origin, infection);
            stage.plan(at, Step { worm, host: *origin, kind: Kind::Look });
        }
    }
}

impl Infection {
    const fn new(seed: u64, generation: u32, parent: Option<Party>) -> Self {
        Self {
            generation,
            parent,
            attempts: 0,
            rng: Rng::new(seed),
            list: Vec::new(),
            counted: 0,
            retry: None,
        }
    }
}

/// Does a step.
pub fn act(stage: &mut Stage, step: Step) {
    let Step { worm, host, kind } = step;
    if !stage.answers(host, stage.now) {
        // Whoever is off goes on when it is on again.
        let later = stage.now + Duration::from_mins(7);
        stage.plan(later, Step { worm, host, kind });
        return;
    }
    match kind {
        Kind::Look => look(stage, worm, host),
        Kind::Try => attempt(stage, worm, host),
        Kind::Arrive(from, way) => arrive(stage, worm, host, from, way),
        Kind::Report(to) => entry::report(stage, host, to),
        Kind::Fetch(from, way) => {
            let at = entry::fetch(stage, worm, host, from);
            stage.plan(at, Step { worm, host, kind: Kind::Arrive(from, way) });
        }
        Kind::Open(from) => arrive(stage, worm, host, from, Way::Mail),
    }
}

/// Thinks, where it has something to think with, and tries something afterwards.
fn look(stage: &mut Stage, worm: usize, host: Party) {
    let world = stage.world.clone();
    let Some(plague) = world.worms.get(worm) else { return };
    let search = &plague.file.search;
    let is_over = stage.outbreak.count(worm) >= plague.file.most;
    let Some(infection) = stage.outbreak.get_mut(worm, host) else { return };
    if is_over || infection.attempts >= search.attempts {
        return;
    }
    let is_tired = search.burst > 0 && (infection.attempts + 1).is_multiple_of(search.burst);
    let pause = if is_tired {
        search.sleep
    } else if search.regular {
        search.pace
    } else {
        wait(&mut infection.rng, search.pace)
    };
    let thought = think(stage, worm, host);
    let at = stage.now + thought;
    stage.plan(at, Step { worm, host, kind: Kind::Try });
    stage.plan(at + pause, Step { worm, host, kind: Kind::Look });
}

/// Asks the nearest ancestor that can run the model, unless the host can itself. Returns how long
/// it takes until it knows what to do.
fn think(stage: &mut Stage, worm: usize, host: Party) -> Duration {
    let world = stage.world.clone();
    let Some(plague) = world.worms.get(worm) else { return Duration::ZERO };
    let Some(inference) = &plague.file.inference else { return Duration::ZERO };
    let mut brain = Some(host);
    let can_think = |party: Party| match party {
        Party::Host(id) => plague.gpus.contains(&id) && world.is_up(id, stage.now),
        // Who comes from outside has brought one.
        _ => true,
    };
    while let Some(party) = brain.filter(|party| !can_think(*party)) {
        brain = stage.outbreak.get_mut(worm, party).and_then(|infection| infection.parent);
    }
    let Some(infection) = stage.outbreak.get_mut(worm, host) else { return Duration::ZERO };
    let mut rng = infection.rng.fork();
    let tokens = rng.between(u64::from(inference.tokens) / 2, u64::from(inference.tokens) * 3 / 2);
    let acts = wait(&mut rng, inference.acts_after);
    let Some(brain) = brain.filter(|brain| *brain != host) else {
        return inference.cadence * tokens as u32 + acts;
    };
    let mut call = stage.call(host, brain, inference.port);
    call.fate = super::super::conversation::Fate::Accepted;
    let name = world.end(brain).addr.to_string();
    let question = Question {
        host: &name,
        api: inference.api,
        tls: inference.tls,
        model: &inference.model,
        prompt: rng.between(1_500, 9_000) as usize,
        tokens: tokens as u32,
        cadence: inference.cadence,
    };
    let took = ask(&mut call, &question, &mut rng);
    stage.play(call);
    took + acts
}

/// Tries to get into the next target.
fn attempt(stage: &mut Stage, worm: usize, host: Party) {
    let world = stage.world.clone();
    let Some(plague) = world.worms.get(worm) else { return };
    let Some((target, way)) = search::next(stage, worm, host) else { return };
    let Some(infection) = stage.outbreak.get_mut(worm, host) else { return };
    infection.attempts += 1;
    let mut rng = infection.rng.fork();
    if way == Way::Mail {
        entry::mail(stage, worm, host, target, &mut rng);
        return;
    }
    let is_in = can_enter(&world, worm, target)
        && !stage.outbreak.has(worm, target)
        && happens(&mut rng, plague.file.entry.success);
    let accepted = entry::knock(stage, worm, (host, target), way, is_in, &mut rng);
    if !is_in || accepted.is_none() {
        if plague.file.search.persistent
            && let Some(infection) = stage.outbreak.get_mut(worm, host)
        {
            let tried = infection.retry.get_or_insert_with(|| (target, BTreeSet::new()));
            tried.1.insert(way);
        }
        return;
    }
    if let Some(infection) = stage.outbreak.get_mut(worm, host) {
        infection.retry = None;
    }
    let Some(at) = accepted else { return };
    let kind = match plague.file.entry.copies {
        super::worm_file::Copies::Pushed if way != Way::Ftp => Kind::Arrive(host, way),
        _ => Kind::Fetch(host, way),
    };
    stage.plan(at, Step { worm, host: target, kind });
}

/// Whether a host has what this worm needs, on some day with luck.
fn can_enter(world: &World, worm: usize, target: Party) -> bool {
    let (Some(plague), Party::Host(id)) = (world.worms.get(worm), target) else { return false };
    let host = world.host(id);
    let systems = plague.file.systems.as_deref();
    let immune = (fixed(&[host.seed, worm as u64, 96]) % 1000) as f64 / 1000.0;
    systems.is_none_or(|systems| systems.contains(&host.system))
        && immune >= plague.file.entry.immune
}

/// A host has the worm from now on.
fn arrive(stage: &mut Stage, worm: usize, host: Party, from: Party, way: Way) {
    let world = stage.world.clone();
    let Some(plague) = world.worms.get(worm) else { return };
    if stage.outbreak.has(worm, host) || stage.outbreak.count(worm) >= plague.file.most {
        return;
    }
    let Some(parent) = stage.outbreak.get_mut(worm, from) else { return };
    let generation = parent.generation + 1;
    let mut infection = Infection::new(parent.rng.bits(), generation, Some(from));
    infection.list = search::share(&mut parent.list);
    let begins = wait(&mut infection.rng, plague.file.entry.latency);
    let reports = happens(&mut infection.rng, plague.file.entry.reversal);
    let after = infection.rng.around(Duration::from_secs(4));
    let at = stage.now;
    stage.outbreak.edges.push(Edge { worm, from, to: host, at, way, generation });
    stage.outbreak.add(worm, host, infection);
    if reports {
        stage.plan(at + after, Step { worm, host, kind: Kind::Report(from) });
    }
    stage.plan(at + begins, Step { worm, host, kind: Kind::Look });
}

//! How a worm finds its next target: at random, by counting, from a list, or where it knows that
//! something listens.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use super::super::super::rng::Rng;
use super::super::chance::happens;
use super::super::stage::Stage;
use super::super::world::{HostId, Party, World};
use super::super::worm_file::{SearchFile, Strategy, Way};

/// The next target of `host` and the way to try; `None` if there is nobody left.
pub(super) fn next(stage: &mut Stage, worm: usize, host: Party) -> Option<(Party, Way)> {
    let world = stage.world.clone();
    let file = &world.worms.get(worm)?.file;
    let (services, search) = (&file.services, &file.search);
    let infection = stage.outbreak.get_mut(worm, host)?;
    if let Some((target, tried)) = infection.retry.clone() {
        let left = untried(&world, target, services, &tried);
        if let Some(way) = infection.rng.pick(&left).copied() {
            return Some((target, way));
        }
        infection.retry = None;
    }
    let own = world.end(host).addr;
    let target = match search.strategy {
        Strategy::Random => random(&world, search, own, &mut infection.rng)?,
        Strategy::Sequential => {
            infection.counted += 1;
            counted(&world, search, own, infection.counted)?
        }
        Strategy::HitList => Party::Host(infection.list.pop()?),
        Strategy::Known => {
            let mut rng = infection.rng.fork();
            let known: Vec<_> = list_of(&world, services)
                .filter(|id| world.is_up(*id, stage.now) && Party::Host(*id) != host)
                .filter(|id| !stage.outbreak.has(worm, Party::Host(*id)))
                .collect();
            Party::Host(*rng.pick(&known)?)
        }
    };
    let infection = stage.outbreak.get_mut(worm, host)?;
    let open = untried(&world, target, services, &BTreeSet::new());
    // Who goes where something listens knows what; who does not tries its luck.
    let knows = matches!(search.strategy, Strategy::HitList | Strategy::Known) || search.persistent;
    let ways = if knows && !open.is_empty() { &open } else { services };
    let way = infection.rng.pick(ways).copied()?;
    Some((target, way))
}

/// Every host that a list made beforehand would hold, in random order.
pub(super) fn list(world: &World, worm: usize, rng: &mut Rng) -> Vec<HostId> {
    let Some(plague) = world.worms.get(worm) else { return Vec::new() };
    if plague.file.search.strategy != Strategy::HitList {
        return Vec::new();
    }
    let mut list: Vec<_> = list_of(world, &plague.file.services)
        .filter(|id| !plague.origin.contains(&Party::Host(*id)))
        .collect();
    rng.shuffle(&mut list);
    list
}

/// The half of a list that goes to a victim.
pub(super) fn share(list: &mut Vec<HostId>) -> Vec<HostId> {
    let half = list.len() / 2;
    list.split_off(half)
}

fn list_of(world: &World, services: &[Way]) -> impl Iterator<Item = HostId> {
    let hosts = (0..).map(HostId).zip(&world.hosts);
    hosts.filter(move |(_, host)| services.iter().any(|way| is_open(host, *way))).map(|(id, _)| id)
}

fn is_open(host: &super::super::world::Host, way: Way) -> bool {
    match way {
        // Mail finds people, not ports.
        Way::Mail => host.role.is_desk(),
        way => SearchFile::wants(host.role) && host.services.contains(&way.port()),
    }
}

/// The ways of `services` that are open at a target and have not been tried.
fn untried(world: &World, target: Party, services: &[Way], tried: &BTreeSet<Way>) -> Vec<Way> {
    let Party::Host(id) = target else { return Vec::new() };
    let host = world.host(id);
    services.iter().copied().filter(|way| is_open(host, *way) && !tried.contains(way)).collect()
}

/// Where it looks: first and last address of each network.
fn ranges(world: &World, search: &SearchFile) -> Vec<(u32, u32)> {
    let range = |network: &ipnet::Ipv4Net| {
        (u32::from(network.network()) + 1, u32::from(network.broadcast()).saturating_sub(1))
    };
    if search.networks.is_empty() {
        world.subnets.iter().map(|subnet| range(&subnet.network)).collect()
    } else {
        search.networks.iter().map(range).collect()
    }
}

fn random(world: &World, search: &SearchFile, own: Ipv4Addr, rng: &mut Rng) -> Option<Party> {
    let near = world
        .subnet_of(own)
        .and_then(|subnet| world.subnets.get(usize::from(subnet)))
        .filter(|_| happens(rng, search.local));
    let (first, last) = match near {
        Some(subnet) => (
            u32::from(subnet.network.network()) + 1,
            u32::from(subnet.network.broadcast()).saturating_sub(1),
        ),
        None => *rng.pick(&ranges(world, search))?,
    };
    let drawn = rng.between(u64::from(first), u64::from(last) + 1) as u32;
    let addr = Ipv4Addr::from(drawn);
    Some(world.owner(if addr == own { Ipv4Addr::from(first) } else { addr }))
}

/// The address that is so many further than its own, over all networks and round again.
fn counted(world: &World, search: &SearchFile, own: Ipv4Addr, count: u64) -> Option<Party> {
    let ranges = ranges(world, search);
    let size = |(first, last): &(u32, u32)| u64::from(last - first) + 1;
    let total: u64 = ranges.iter().map(size).sum();
    let own = u32::from(own);
    let mut before = 0;
    let mut at = 0;
    for range in &ranges {
        if (range.0..=range.1).contains(&own) {
            at = before + u64::from(own - range.0);
        }
        before += size(range);
    }
    let mut left = (at + count) % total.max(1);
    for range in &ranges {
        if left < size(range) {
            return Some(world.owner(Ipv4Addr::from(range.0 + left as u32)));
        }
        left -= size(range);
    }
    None
}

//! The truth of a scenario: known, because it was decided here.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use super::super::truth::Truth;
use super::role::Role;
use super::stage::Stage;
use super::tap::Tap;
use super::world::{Party, World};

/// What is true of what `taps` have seen.
///
/// Hosts behind a translator have their own addresses only where a tap sees inside. A host that was
/// infected and has tried nothing before the end is `unknown`: nobody could see it spread.
pub fn of(stage: &Stage, taps: &[Tap]) -> Truth {
    let world = &*stage.world;
    let mut truth = Truth::benign(&world.label, &world.title);
    let mut verdicts: BTreeMap<Ipv4Addr, (bool, Vec<String>)> = BTreeMap::new();
    for (number, plague) in world.worms.iter().enumerate() {
        for (party, has_tried) in stage.outbreak.hosts(number) {
            let entry = verdicts.entry(address(world, taps, party)).or_default();
            entry.0 |= has_tried;
            entry.1.extend(plague.file.classes.iter().cloned());
        }
    }
    for id in world.of_role(Role::VulnerabilityScanner) {
        verdicts.entry(address(world, taps, Party::Host(*id))).or_default();
    }
    for (addr, (is_malicious, classes)) in verdicts {
        truth = if is_malicious {
            truth.and_malicious_of(IpAddr::V4(addr), classes)
        } else {
            truth.and_unknown(IpAddr::V4(addr))
        };
    }
    for edge in stage.outbreak.edges() {
        let from = address(world, taps, edge.from);
        let to = address(world, taps, edge.to);
        if from != to {
            let worm =
                world.worms.get(edge.worm).map_or("", |plague| plague.file.name.get_ref().as_str());
            let way = format!("{:?}", edge.way).to_lowercase();
            truth =
                truth.and_infection((from.into(), to.into()), edge.at, worm, &way, edge.generation);
        }
    }
    truth
}

fn address(world: &World, taps: &[Tap], party: Party) -> Ipv4Addr {
    let end = world.end(party);
    let Some(subnet) = end.subnet else { return end.addr };
    let nat = world.subnets.get(usize::from(subnet)).and_then(|subnet| subnet.nat);
    match nat {
        Some(nat) if !taps.iter().any(|tap| tap.sees_inside(subnet)) => nat,
        _ => end.addr,
    }
}

//! What a tap sees of a packet: which of its addresses, whose hardware, how much of it, if at all.

use std::net::Ipv4Addr;

use super::super::pcap::SNAP_LENGTH;
use super::super::rng::Rng;
use super::chance::{fixed, happens};
use super::place::End;
use super::stage::{Passing, What};
use super::wire::{self, Edge, Layer};
use super::world::{GATEWAY, UPLINK, World};
use crate::net::MacAddr;

/// A place where packets are seen.
#[derive(Debug)]
pub struct Tap {
    /// What it is called.
    pub name: String,
    /// Whether it writes a file of its own.
    pub apart: bool,
    /// Bytes that it keeps of a packet.
    pub snap_length: u32,
    sees: Option<Vec<u8>>,
    loss: f64,
    damage: f64,
    rng: Rng,
    routers: Vec<MacAddr>,
}

impl Tap {
    /// The taps of a scenario; one that sees everything, if it names none.
    pub fn all(world: &World) -> Vec<Self> {
        let routers: Vec<_> = world.subnets.iter().map(|subnet| subnet.router.mac).collect();
        let everything = || Self {
            name: "all".to_owned(),
            apart: false,
            snap_length: SNAP_LENGTH,
            sees: None,
            loss: 0.0,
            damage: 0.0,
            rng: Rng::new(0),
            routers: routers.clone(),
        };
        if world.taps.is_empty() {
            return vec![everything()];
        }
        let taps = world.taps.iter().zip(0u64..).map(|((file, sees), number)| Self {
            name: file.name.get_ref().clone(),
            apart: file.apart,
            snap_length: file.snap_length,
            sees: sees.clone(),
            loss: file.loss,
            damage: file.damage,
            rng: Rng::new(fixed(&[world.seed, number, 51])),
            ..everything()
        });
        taps.collect()
    }

    /// Whether it sees inside a translated subnet, so that its hosts have their own addresses.
    pub fn sees_inside(&self, subnet: u8) -> bool {
        self.sees.as_ref().is_some_and(|sees| sees.contains(&subnet))
    }

    /// Makes the frame that it sees in `out`; returns the frame's whole length, or `None` if it does
    /// not see the packet.
    pub fn show(&mut self, passing: &Passing, payload: &[u8], out: &mut Vec<u8>) -> Option<u32> {
        let place = self.place(&passing.from, &passing.to)?;
        if self.loss > 0.0 && happens(&mut self.rng, self.loss) {
            return None;
        }
        let damaged = self.damage > 0.0 && happens(&mut self.rng, self.damage);
        match &passing.what {
            What::Arp(operation, sender, target) => {
                wire::arp(out, *operation, *sender, *target, passing.to.mac);
            }
            What::Ip(layer) => {
                let (mut from, source) = self.edge(&passing.from, place);
                from.ttl = match passing.to.addr.octets() {
                    // RFC 6762 section 11 wants 255; a group of a site goes a few routers far.
                    [224, 0, 0, _] => 255,
                    [239, ..] => 4,
                    _ => from.ttl,
                };
                let (to, destination) = self.edge(&passing.to, place);
                let layer = translated(layer, source, destination);
                wire::frame(out, (&from, &to), passing.ident, &layer, payload, damaged);
            }
        }
        let length = out.len() as u32;
        out.truncate(self.snap_length as usize);
        Some(length)
    }

    /// The subnet in which a packet is seen: the tap's own, or, where everything is seen, where it
    /// comes from, but beyond any translation; `Some(None)` between the house and the Internet.
    fn place(&self, from: &End, to: &End) -> Option<Option<u8>> {
        let Some(sees) = &self.sees else {
            return Some(match (from.outer, to.outer) {
                (Some(_), _) => to.subnet,
                (_, Some(_)) => from.subnet,
                _ => from.subnet.or(to.subnet),
            });
        };
        let seen = |end: &End| end.subnet.filter(|subnet| sees.contains(subnet));
        seen(from).or_else(|| seen(to)).map(Some)
    }

    /// An end as it looks in a subnet, and the port that it has there if that is not its own.
    fn edge(&self, end: &End, place: Option<u8>) -> (Edge, Option<u16>) {
        if end.mac.is_group() || (end.subnet == place && place.is_some()) {
            return (Edge { mac: end.mac, addr: end.addr, ttl: end.stack.ttl() }, None);
        }
        let mac = match place {
            Some(subnet) => self.routers.get(usize::from(subnet)).copied().unwrap_or(GATEWAY),
            None if end.subnet.is_none() => UPLINK,
            None => GATEWAY,
        };
        let (addr, port): (Ipv4Addr, _) = match end.outer {
            Some((addr, port)) => (addr, Some(port)),
            None => (end.addr, None),
        };
        (Edge { mac, addr, ttl: end.stack.ttl() - end.hops - 1 }, port)
    }
}

/// The layer with other ports, and for a ping with another identifier, where they are translated.
const fn translated(layer: &Layer, source: Option<u16>, destination: Option<u16>) -> Layer {
    const fn or(port: Option<u16>, own: u16) -> u16 {
        match port {
            Some(port) => port,
            None => own,
        }
    }
    match *layer {
        Layer::Tcp(segment) => {
            let (mine, theirs) = segment.ports;
            Layer::Tcp(wire::Segment {
                ports: (or(source, mine), or(destination, theirs)),
                ..segment
            })
        }
        Layer::Udp(mine, theirs) => Layer::Udp(or(source, mine), or(destination, theirs)),
        Layer::Icmp(kind, code, [a, b, c, d]) => {
            let id = u16::from_be_bytes([a, b]);
            let [a, b] = or(source, or(destination, id)).to_be_bytes();
            Layer::Icmp(kind, code, [a, b, c, d])
        }
    }
}

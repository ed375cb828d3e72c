//! The endpoint mapper (C706 appendices L and O): which interface somebody looks for, and at which
//! port it listens.

use std::net::{IpAddr, Ipv4Addr};

use super::interfaces;
use super::uuid::Uuid;
use crate::net::{Endpoint, Transport};
use crate::proto::bytes::{be16, byte, le16, le32, part};
use crate::proto::{Expected, Protocol};

/// Towers in one answer that are looked at.
const TOWER_LIMIT: usize = 8;
/// Floors of a tower: interface, encoding, RPC, transport, network.
const FLOOR_LIMIT: usize = 8;

/// What a tower says ([MS-RPCE] 2.2.1.2).
#[derive(Debug, Default, PartialEq)]
struct Tower {
    interface: Option<Uuid>,
    port: Option<u16>,
    address: Option<Ipv4Addr>,
}

/// The interface that the arguments of ept_map ask for.
pub(super) fn wanted(arguments: &[u8]) -> Option<String> {
    // An object's pointer and identifier, then the tower's pointer, its size and its length.
    let object = if le32(arguments, 0)? == 0 { 4 } else { 20 };
    let uuid = tower(arguments.get(object + 12..)?).interface?;
    let known = interfaces::by_uuid(uuid).map(|interface| interface.name.to_owned());
    Some(known.unwrap_or_else(|| uuid.to_string()))
}

/// The connections that the results of ept_map, which `host` gave, announce.
pub(super) fn announced(results: &[u8], host: Option<IpAddr>) -> Vec<Expected> {
    // A handle, the number of towers; then the array's size, offset and length, its pointers, and
    // the towers, each with its size and its length.
    let count = le32(results, 32).map_or(0, |count| count as usize).min(TOWER_LIMIT);
    let mut at = 36 + 4 * count;
    let mut out = Vec::new();
    for _ in 0..count {
        let Some(length) = le32(results, at).map(|length| length as usize) else { break };
        let tower = tower(part(results, at + 8, length));
        let named = tower.address.filter(|address| !address.is_unspecified()).map(IpAddr::V4);
        if let (Some(port), Some(addr)) = (tower.port, named.or(host)) {
            let server = Endpoint { addr, port };
            let (transport, protocol) = (Transport::Tcp, Protocol::DceRpc);
            out.push(Expected { transport, server, protocol, file: None });
        }
        at = at.saturating_add(8).saturating_add(length).min(results.len()).next_multiple_of(4);
    }
    out
}

fn tower(data: &[u8]) -> Tower {
    let mut tower = Tower::default();
    let floors = le16(data, 0).map_or(0, usize::from).min(FLOOR_LIMIT);
    let mut at = 2;
    for floor in 0..floors {
        let Some(left) = le16(data, at).map(usize::from) else { break };
        let protocol = part(data, at + 2, left);
        let Some(right) = le16(data, at + 2 + left).map(usize::from) else { break };
        let value = part(data, at + 4 + left, right);
        match byte(protocol, 0) {
            Some(0x0d) if floor == 0 => tower.interface = Uuid::read(protocol, 1, true),
            Some(0x07) => tower.port = be16(value, 0),
            Some(0x09) => {
                tower.address = value.first_chunk::<4>().map(|&bytes| Ipv4Addr::from(bytes));
            }
            _ => {}
        }
        at += 4 + left + right;
    }
    tower
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    fn floor(left: &[u8], right: &[u8]) -> Vec<u8> {
        let count = |part: &[u8]| (part.len() as u16).to_le_bytes();
        [&count(left)[..], left, &count(right), right].concat()
    }

    fn tower_of(interface: &str, port: u16) -> Vec<u8> {
        let uuid = Uuid::parse(interface).unwrap().to_wire();
        let floors = [
            floor(&[&[0x0d], &uuid[..], &[2, 0]].concat(), &[0, 0]),
            floor(&[&[0x0d][..], &[0; 18]].concat(), &[0, 0]),
            floor(&[0x0b], &[0, 0]),
            floor(&[0x07], &port.to_be_bytes()),
            floor(&[0x09], &[192, 0, 2, 7]),
        ];
        let mut out = [&[5, 0][..], &floors.concat()].concat();
        let length = (out.len() as u32).to_le_bytes();
        out = [&length[..], &length, &out].concat();
        out.resize(out.len().next_multiple_of(4), 0);
        out
    }

    /// The arguments of ept_map for `interface`.
    pub(in crate::proto::dce_rpc) fn question(interface: &str) -> Vec<u8> {
        [vec![1, 0, 0, 0], vec![0; 16], vec![2, 0, 0, 0], tower_of(interface, 0)].concat()
    }

    /// The results of ept_map: `interface` listens at `port` of 192.0.2.7.
    pub(in crate::proto::dce_rpc) fn answer(interface: &str, port: u16) -> Vec<u8> {
        let mut out = vec![0; 20];
        out.extend([1, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0]);
        out.extend(tower_of(interface, port));
        out.extend([0; 4]);
        out
    }

    const SVCCTL: &str = "367abb81-9844-35f1-ad32-98f038001003";

    #[test]
    fn tells_what_is_looked_for_and_where_it_is() {
        assert_eq!(wanted(&question(SVCCTL)).as_deref(), Some("svcctl"));

        let found = announced(&answer(SVCCTL, 49_152), None);

        let server = Endpoint { addr: "192.0.2.7".parse().unwrap(), port: 49_152 };
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].server, server);
        assert_eq!(found[0].protocol, Protocol::DceRpc);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(data: Vec<u8>, at in 0usize..200, byte: u8) {
            let _ = (wanted(&data), announced(&data, None));
            let mut changed = answer(SVCCTL, 1);
            if let Some(place) = changed.get_mut(at) {
                *place = byte;
            }
            prop_assert!(announced(&changed, None).len() <= TOWER_LIMIT);
        }
    }
}

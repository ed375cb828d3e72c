//! What is known of one host: since when, behind which hardware address, what it serves and calls.

use std::net::IpAddr;
use std::time::Duration;

use super::table::Weigh;
use super::tally::{Tally, mix, stable_hash};
use crate::net::{MacAddr, Service};
use crate::time::Timestamp;

/// One host that has sent at least one packet.
#[derive(Clone, Debug)]
pub struct Host {
    /// When it first sent anything.
    pub first_seen: Timestamp,
    /// When it last sent anything.
    pub last_seen: Timestamp,
    /// Its hardware address, where the sensor sees its own segment's frames.
    pub mac: Option<MacAddr>,
    /// What it really offers: services somebody got an answer from, at most [`Host::OFFERED_MAX`].
    pub offered: Vec<Offered>,
    /// What it does as a client; only kept once it opened a connection.
    pub client: Option<Box<ClientSide>>,
    /// Outsiders that were answered on a dynamic port.
    pub dynamic_callers: Tally,
}

/// A service that a host has answered on.
#[derive(Clone, Copy, Debug)]
pub struct Offered {
    /// Transport and port.
    pub service: Service,
    /// The application protocol in Zeek's name, once a connection showed it.
    pub name: Option<&'static str>,
    /// Clients that were answered.
    pub clients: Tally,
    /// When it last answered.
    pub last: Timestamp,
}

/// What a host does as a client.
#[derive(Clone, Debug)]
pub struct ClientSide {
    /// When it first opened a connection.
    pub since: Timestamp,
    /// When it last called somebody it had not called before.
    pub last_new_peer: Timestamp,
    /// Connections that it opened.
    pub contacts: u32,
    /// Peers inside.
    pub internal_peers: Tally,
    /// Peers outside.
    pub external_peers: Tally,
    /// Name servers outside that it asked.
    pub name_servers: Tally,
    /// Web servers that answered it.
    pub web_servers: Tally,
    /// Outside peers called on dynamic ports.
    pub dynamic_peers: Tally,
    /// Different dynamic ports called outside.
    pub dynamic_ports: Tally,
}

/// Who a host is beyond its address, without a list of vendors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identity {
    /// A hardware address that its maker assigned: the host keeps it when its IP address changes.
    Hardware(MacAddr),
    /// A locally administered address (IEEE 802 bit 1 of the first octet): private or virtual,
    /// and may be another one tomorrow.
    Randomised(MacAddr),
    /// Nothing but the IP address is known.
    Address,
}

impl Host {
    /// Services remembered for one host; the one with the fewest clients, then the oldest, goes.
    pub const OFFERED_MAX: usize = 16;

    /// Silence after which another hardware address may take over the IP address.
    const OWNER_QUIET: Duration = Duration::from_secs(3600);

    /// A host that is first seen at `ts`.
    pub(super) fn new(ts: Timestamp) -> Self {
        Self {
            first_seen: ts,
            last_seen: ts,
            mac: None,
            offered: Vec::new(),
            client: None,
            dynamic_callers: Tally::default(),
        }
    }

    /// Who it is beyond its IP address.
    pub fn identity(&self) -> Identity {
        match self.mac {
            Some(mac) if mac.0.first().is_some_and(|first| first & 2 != 0) => {
                Identity::Randomised(mac)
            }
            Some(mac) => Identity::Hardware(mac),
            None => Identity::Address,
        }
    }

    /// Whether it has answered anybody on `service`.
    pub fn offers(&self, service: Service) -> bool {
        self.offered.iter().any(|offered| offered.service == service)
    }

    /// About how many clients it has answered on `service`.
    pub fn clients_of(&self, service: Service) -> u32 {
        self.offered
            .iter()
            .find(|offered| offered.service == service)
            .map_or(0, |offered| offered.clients.count())
    }

    /// Notes that `mac` claims its IP address. A claim that comes while the last owner is active may
    /// be forged, so the first one holds until the host was quiet for an hour.
    pub(super) fn claim(&mut self, ts: Timestamp, mac: MacAddr) {
        if self.mac.is_none() || ts.since(self.last_seen) >= Self::OWNER_QUIET {
            self.mac = Some(mac);
        }
    }

    /// Notes that it answered `client` on `service`.
    pub(super) fn answered(
        &mut self,
        ts: Timestamp,
        service: Service,
        client: IpAddr,
        name: Option<&'static str>,
    ) {
        let position = self.offered.iter().position(|offered| offered.service == service);
        let offered = match position.and_then(|at| self.offered.get_mut(at)) {
            Some(offered) => offered,
            None => {
                self.make_room();
                self.offered.push(Offered { service, name, clients: Tally::default(), last: ts });
                let Some(offered) = self.offered.last_mut() else { return };
                offered
            }
        };
        offered.clients.add(stable_hash(client));
        offered.last = ts;
        offered.name = name.or(offered.name);
    }

    /// Notes that it called a peer.
    pub(super) fn called(&mut self, ts: Timestamp, call: &Call) {
        let side = self.client.get_or_insert_with(|| Box::new(ClientSide::new(ts)));
        side.contacts = side.contacts.saturating_add(1);
        let peer = stable_hash(call.peer);
        let peers =
            if call.is_internal { &mut side.internal_peers } else { &mut side.external_peers };
        if peers.add(peer) {
            side.last_new_peer = ts;
        }
        match call.service.port {
            53 | 853 if !call.is_internal => {
                side.name_servers.add(peer);
            }
            80 | 443 | 8080 | 8443 if call.is_answered => {
                side.web_servers.add(peer);
            }
            port if port >= 1024 && !call.is_internal => {
                side.dynamic_peers.add(peer);
                side.dynamic_ports.add(mix(u64::from(port)));
            }
            _ => {}
        }
    }

    fn make_room(&mut self) {
        if self.offered.len() < Self::OFFERED_MAX {
            return;
        }
        let worst = self
            .offered
            .iter()
            .enumerate()
            .min_by_key(|(_, offered)| (offered.clients.count(), offered.last))
            .map(|(at, _)| at);
        if let Some(worst) = worst {
            self.offered.remove(worst);
        }
    }
}

/// One connection that a host opened.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call {
    /// To whom.
    pub(super) peer: IpAddr,
    /// Whether the peer is inside.
    pub(super) is_internal: bool,
    /// What for.
    pub(super) service: Service,
    /// Whether the peer answered.
    pub(super) is_answered: bool,
}

impl ClientSide {
    fn new(ts: Timestamp) -> Self {
        Self {
            since: ts,
            last_new_peer: ts,
            contacts: 0,
            internal_peers: Tally::default(),
            external_peers: Tally::default(),
            name_servers: Tally::default(),
            web_servers: Tally::default(),
            dynamic_peers: Tally::default(),
            dynamic_ports: Tally::default(),
        }
    }

    /// About how many peers it called in all.
    pub fn peers(&self) -> u32 {
        self.internal_peers.count() + self.external_peers.count()
    }
}

impl Weigh for Host {
    fn heap_bytes(&self) -> usize {
        self.offered.capacity() * size_of::<Offered>()
            + self.client.as_ref().map_or(0, |_| size_of::<ClientSide>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remembers_the_services_with_most_clients() {
        let mut host = Host::new(Timestamp::from_secs(0));
        for client in 1..=3u8 {
            let client = IpAddr::from([10, 0, 0, client]);
            host.answered(Timestamp::from_secs(1), Service::tcp(443), client, Some("ssl"));
        }

        for port in 0..100 {
            let client = IpAddr::from([10, 0, 0, 9]);
            host.answered(Timestamp::from_secs(2), Service::udp(40_000 + port), client, None);
        }

        assert_eq!(host.offered.len(), Host::OFFERED_MAX);
        assert_eq!(host.clients_of(Service::tcp(443)), 3);
        assert!(host.offers(Service::udp(40_099)));
        assert!(!host.offers(Service::udp(40_000)));
    }

    #[test]
    fn knows_a_private_hardware_address_from_an_assigned_one() {
        let mut host = Host::new(Timestamp::from_secs(0));
        assert_eq!(host.identity(), Identity::Address);

        host.mac = Some(MacAddr([0x00, 0x0c, 0x29, 1, 2, 3]));
        assert!(matches!(host.identity(), Identity::Hardware(_)));

        host.mac = Some(MacAddr([0xda, 0x0c, 0x29, 1, 2, 3]));
        assert!(matches!(host.identity(), Identity::Randomised(_)));
    }
}

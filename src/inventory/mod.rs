//! What each host is, learned from what it does, so that detectors can ask before they accuse.

mod host;
mod networks;
mod roles;
mod table;
mod tally;
mod visibility;

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

pub use host::{ClientSide, Host, Identity, Offered};
pub use networks::Networks;
pub use roles::{Role, RolesConfig};
pub use table::{Table, Weigh};
pub use tally::{Tally, mix, stable_hash};
pub use visibility::{Visibility, VisibilityConfig};

use crate::event::{Body, Conn, Contact, Conversation, Event, Opening, Outcome};
use crate::net::{MacAddr, Service, Transport, is_group};
use crate::time::Timestamp;
use host::Call;

/// What the inventory takes for granted.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct InventoryConfig {
    /// The own networks; private, link-local and loopback ranges where nothing is said.
    pub home_nets: Networks,
    /// Hosts and networks that may scan: vulnerability scanners, asset discovery.
    pub allowed_scanners: Networks,
    /// Bytes that the hosts may take; the outsider seen least recently is forgotten first.
    pub budget_bytes: usize,
    /// From when on behaviour makes a role.
    pub roles: RolesConfig,
    /// When a capture counts as seen in one direction only.
    pub visibility: VisibilityConfig,
}

impl Default for InventoryConfig {
    fn default() -> Self {
        Self {
            home_nets: Networks::private(),
            allowed_scanners: Networks::default(),
            budget_bytes: 64 << 20,
            roles: RolesConfig::default(),
            visibility: VisibilityConfig::default(),
        }
    }
}

/// Everything known about the hosts of the network.
///
/// Only an address that was seen to send something is a host; an address that was merely called is
/// not. Forged sources therefore do become hosts, which is why outsiders are forgotten first.
#[derive(Debug)]
pub struct Inventory {
    config: InventoryConfig,
    hosts: Table<IpAddr, Host>,
    forwarders: Table<MacAddr, Tally>,
    /// Internal hosts in each /24 or /64.
    inhabited: BTreeMap<IpAddr, u32>,
    visibility: Visibility,
    first_event: Option<Timestamp>,
}

/// One part in sixteen of the budget is for hardware addresses.
const FORWARDERS_SHARE: usize = 16;
/// /24 and /64 networks that are counted at most; later ones are not.
const INHABITED_MAX: usize = 65_536;

impl Inventory {
    /// An inventory that knows no host.
    pub fn new(config: &InventoryConfig) -> Self {
        Self {
            hosts: Table::new(config.budget_bytes),
            forwarders: Table::new(config.budget_bytes / FORWARDERS_SHARE),
            inhabited: BTreeMap::new(),
            visibility: Visibility::new(config.visibility.clone()),
            first_event: None,
            config: config.clone(),
        }
    }

    /// Learns from an event. The detectors have seen it before, so what they ask is the past.
    pub fn on_event(&mut self, event: &Event) {
        self.first_event.get_or_insert(event.ts);
        match &event.body {
            Body::Contact(contact) => {
                self.visibility.on_contact(contact);
                if let Some(conversation) = &event.conversation {
                    self.on_contact(event.ts, conversation, contact);
                }
            }
            Body::Conn(conn) => {
                if let Some(conversation) = &event.conversation {
                    self.on_conn(event.ts, conversation, conn);
                }
            }
            Body::Arp(arp) => {
                self.change(event.ts, arp.sender, |host| host.claim(event.ts, arp.sender_mac));
            }
            Body::Icmp(icmp) => self.change(event.ts, icmp.src, |_| ()),
            Body::Weird(_) => {}
        }
    }

    /// What is known of `addr`; nothing if it never sent anything.
    pub fn host(&self, addr: IpAddr) -> Option<&Host> {
        self.hosts.peek(&addr)
    }

    /// Whether `addr` lies in the own networks.
    pub fn is_internal(&self, addr: IpAddr) -> bool {
        self.config.home_nets.contains(addr)
    }

    /// Whether `addr` was ever seen to send anything.
    pub fn is_alive(&self, addr: IpAddr) -> bool {
        self.hosts.peek(&addr).is_some()
    }

    /// Whether `addr` has answered anybody on `service`.
    pub fn offers(&self, addr: IpAddr, service: Service) -> bool {
        self.host(addr).is_some_and(|host| host.offers(service))
    }

    /// About how many clients `addr` has answered on `service`.
    pub fn clients_of(&self, addr: IpAddr, service: Service) -> u32 {
        self.host(addr).map_or(0, |host| host.clients_of(service))
    }

    /// How many internal hosts live in the /24 or /64 around `addr`.
    pub fn neighbours(&self, addr: IpAddr) -> u32 {
        self.inhabited.get(&neighbourhood(addr)).copied().unwrap_or(0)
    }

    /// Whether `addr` may scan, by configuration.
    pub fn may_scan(&self, addr: IpAddr) -> bool {
        self.config.allowed_scanners.contains(addr)
    }

    /// Whether `addr` has this role.
    pub fn has_role(&self, addr: IpAddr, role: Role) -> bool {
        if role == Role::AllowedScanner {
            return self.may_scan(addr);
        }
        let Some(host) = self.host(addr) else { return false };
        roles::earns(role, host, &self.config.roles)
            || (role == Role::Gateway && host.mac.is_some_and(|mac| self.forwards(mac)))
    }

    /// All roles of `addr`, in alphabetical order.
    pub fn roles(&self, addr: IpAddr) -> Vec<Role> {
        Role::ALL.into_iter().filter(|role| self.has_role(addr, *role)).collect()
    }

    /// How well the sensor sees both directions.
    pub fn visibility(&self) -> &Visibility {
        &self.visibility
    }

    /// What an unanswered attempt is worth, 0 to 1: little where answers are not captured.
    pub fn failure_weight(&self) -> f64 {
        self.visibility.failure_weight()
    }

    /// When the first event came.
    pub fn since(&self) -> Option<Timestamp> {
        self.first_event
    }

    /// Hosts known.
    pub fn len(&self) -> usize {
        self.hosts.len()
    }

    /// Whether no host is known.
    pub fn is_empty(&self) -> bool {
        self.hosts.is_empty()
    }

    /// Hosts that were forgotten for want of space.
    pub fn evicted(&self) -> u64 {
        self.hosts.evicted()
    }

    /// Bytes held.
    pub fn state_bytes(&self) -> usize {
        self.hosts.bytes()
            + self.forwarders.bytes()
            + self.inhabited.len() * (size_of::<(IpAddr, u32)>() + 8)
    }

    fn on_contact(&mut self, ts: Timestamp, talk: &Conversation, contact: &Contact) {
        let (client, server, service) = (talk.client.addr, talk.server.addr, talk.service());
        let is_answered = contact.outcome == Some(Outcome::Accepted) && contact.server_packets > 0;
        let asked = !matches!(contact.opening, Opening::SynAck | Opening::Rst);
        if contact.client_packets > 0 {
            let is_internal = self.is_internal(server);
            self.change(ts, client, |host| {
                if asked && !contact.to_group {
                    host.called(ts, &Call { peer: server, is_internal, service, is_answered });
                }
            });
        }
        if contact.server_packets > 0 {
            let from_outside = !self.is_internal(client);
            self.change(ts, server, |host| {
                if is_answered && contact.client_packets > 0 {
                    host.answered(ts, service, client, None);
                    if from_outside && service.port >= 1024 {
                        host.dynamic_callers.add(stable_hash(client));
                    }
                }
            });
        }
    }

    fn on_conn(&mut self, ts: Timestamp, talk: &Conversation, conn: &Conn) {
        if conn.client.packets > 0 && conn.server.packets > 0 && talk.transport != Transport::Icmp {
            let accepted = conn.outcome == Some(Outcome::Accepted);
            let client = talk.client.addr;
            self.change(ts, talk.server.addr, |host| {
                if accepted {
                    host.answered(ts, talk.service(), client, conn.service);
                }
            });
        }
        let Some((client_mac, server_mac)) = conn.macs else { return };
        if conn.client.packets > 0 {
            self.on_mac(ts, talk.client.addr, client_mac);
        }
        if conn.server.packets > 0 {
            self.on_mac(ts, talk.server.addr, server_mac);
        }
    }

    /// A hardware address in front of outsiders is a gateway's; in front of an internal host it is
    /// the host's own, unless it is a gateway's.
    fn on_mac(&mut self, ts: Timestamp, addr: IpAddr, mac: MacAddr) {
        if mac.is_group() || mac == MacAddr::default() {
            return;
        }
        if !self.is_internal(addr) {
            self.forwarders
                .update(mac, true, Tally::default, |behind| behind.add(stable_hash(addr)));
        } else if !self.forwards(mac) {
            self.change(ts, addr, |host| {
                host.mac.get_or_insert(mac);
            });
        }
    }

    fn forwards(&self, mac: MacAddr) -> bool {
        self.forwarders
            .peek(&mac)
            .is_some_and(|behind| behind.count() >= self.config.roles.gateway_addresses)
    }

    fn change(&mut self, ts: Timestamp, addr: IpAddr, change: impl FnOnce(&mut Host)) {
        if is_group(addr) {
            return;
        }
        let is_own = self.is_internal(addr);
        let mut is_new = false;
        let make = || {
            is_new = true;
            Host::new(ts)
        };
        self.hosts.update(addr, is_own, make, |host| {
            change(host);
            host.last_seen = host.last_seen.max(ts);
        });
        if is_new && is_own {
            let net = neighbourhood(addr);
            if self.inhabited.len() < INHABITED_MAX || self.inhabited.contains_key(&net) {
                let count = self.inhabited.entry(net).or_insert(0);
                *count = count.saturating_add(1);
            }
        }
    }
}

impl Default for Inventory {
    fn default() -> Self {
        Self::new(&InventoryConfig::default())
    }
}

impl Weigh for Tally {}

/// The /24 (IPv4) or /64 (IPv6) around `addr`, as its first address.
pub fn neighbourhood(addr: IpAddr) -> IpAddr {
    match addr {
        IpAddr::V4(v4) => IpAddr::V4((v4.to_bits() & 0xffff_ff00).into()),
        IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() >> 64 << 64).into()),
    }
}

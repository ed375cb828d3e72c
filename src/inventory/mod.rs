//! What each host is, learned from what it does, so that detectors can ask before they accuse.

mod host;
mod networks;
mod roles;
mod table;
mod tally;
mod traffic;
mod visibility;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use crate::index::Fetch;
pub use host::{ClientSide, Host, Identity, Offered};
pub use networks::Networks;
pub use roles::{Role, RolesConfig};
pub use table::{Table, Weigh};
pub use tally::{Tally, mix, stable_hash};
pub use traffic::Traffic;
pub use visibility::{Visibility, VisibilityConfig};

use crate::config::units::{self, ByteSize};
use crate::event::{Body, Conn, Contact, Conversation, Event, Opening, Outcome};
use crate::net::{MacAddr, Service, Transport, is_group};
use crate::time::Timestamp;
use host::Call;

/// What the inventory takes for granted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct InventoryConfig {
    /// The own networks; private, link-local and loopback ranges where nothing is said. Comes from
    /// `[network]`.
    #[serde(skip, default = "Networks::private")]
    pub home_nets: Networks,
    /// Hosts and networks that may scan: vulnerability scanners, asset discovery. Comes from
    /// `[network]`.
    #[serde(skip)]
    pub allowed_scanners: Networks,
    /// Bytes that the hosts may take; the outsider seen least recently is forgotten first.
    #[serde(deserialize_with = "units::budget")]
    pub budget: ByteSize,
    /// Bytes that the memory of who has business with whom may take; business with outsiders is
    /// forgotten first.
    #[serde(deserialize_with = "units::budget")]
    pub traffic: ByteSize,
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
            budget: ByteSize::mib(64),
            traffic: ByteSize::mib(32),
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
    traffic: Traffic,
    forwarders: Table<MacAddr, Tally>,
    /// Internal hosts in each /24 or /64.
    inhabited: BTreeMap<IpAddr, u32>,
    visibility: Visibility,
    first_event: Option<Timestamp>,
    last_outsider: Option<Timestamp>,
}

/// A working uplink brings something every minute.
const UPLINK_QUIET: Duration = Duration::from_secs(60);
/// One part in sixteen of the budget is for hardware addresses.
const FORWARDERS_SHARE: usize = 16;
/// /24 and /64 networks that are counted at most; later ones are not.
const INHABITED_MAX: usize = 65_536;

impl Inventory {
    /// An inventory that knows no host.
    pub fn new(config: &InventoryConfig) -> Self {
        Self {
            hosts: Table::new(config.budget.0),
            traffic: Traffic::new(config.traffic.0),
            forwarders: Table::new(config.budget.0 / FORWARDERS_SHARE),
            inhabited: BTreeMap::new(),
            visibility: Visibility::new(config.visibility.clone()),
            first_event: None,
            last_outsider: None,
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
            Body::Weird(_) | Body::Record(_) => {}
        }
    }

    /// Has fetched what a look-up of `addr` will read.
    #[inline]
    pub fn prefetch(&self, addr: IpAddr, what: Fetch) {
        self.hosts.prefetch(&addr, what);
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

    /// Whether no outsider was heard in the minute before `moment`: the uplink is down, or nobody
    /// called.
    pub fn outside_is_silent(&self, moment: Timestamp) -> bool {
        self.last_outsider.is_none_or(|last| moment.since(last) >= UPLINK_QUIET)
    }

    /// Who has business with whom.
    pub fn traffic(&self) -> &Traffic {
        &self.traffic
    }

    /// When the first event came.
    pub fn since(&self) -> Option<Timestamp> {
        self.first_event
    }

    /// Over all hosts known, the time between first and last sight of each.
    pub fn host_time(&self) -> Duration {
        self.hosts.values().map(|host| host.last_seen.since(host.first_seen)).sum()
    }

    /// Own hosts known.
    pub fn own_hosts(&self) -> u64 {
        self.inhabited.values().map(|count| u64::from(*count)).sum()
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

    /// Bytes held, but for those of [`Inventory::traffic`], which has a budget of its own.
    pub fn state_bytes(&self) -> usize {
        self.hosts.bytes()
            + self.forwarders.bytes()
            + self.inhabited.len() * (size_of::<(IpAddr, u32)>() + 8)
    }

    fn on_contact(&mut self, ts: Timestamp, talk: &Conversation, contact: &Contact) {
        let (client, server, service) = (talk.client.addr, talk.server.addr, talk.service());
        let is_answered = contact.outcome == Some(Outcome::Accepted) && contact.server_packets > 0;
        let asked = !matches!(contact.opening, Opening::SynAck | Opening::Rst);
        if matches!(contact.outcome, Some(Outcome::Accepted | Outcome::AppFailed)) {
            self.on_business(talk, contact);
        }
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

    /// Remembers who was let in. Echoes are nobody's business.
    fn on_business(&mut self, talk: &Conversation, contact: &Contact) {
        let (client, server) = (talk.client.addr, talk.server.addr);
        let ours = (self.is_internal(client), self.is_internal(server));
        let counts = !contact.to_group && talk.transport != Transport::Icmp;
        if counts && ours != (false, false) {
            let is_own = ours == (true, true);
            self.traffic.add((client, server, talk.service()), contact.start, is_own);
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
        if !is_own {
            self.last_outsider = Some(ts);
        }
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::detect::testing::{icmp, ip, is_at, mac, tcp, udp, who_has};

    fn learned(events: impl IntoIterator<Item = Event>) -> Inventory {
        let mut inventory = Inventory::default();
        for event in events {
            inventory.on_event(&event);
        }
        inventory
    }

    fn clients(count: u8) -> impl Iterator<Item = String> {
        (1..=count).map(|n| format!("10.0.0.{n}"))
    }

    #[test]
    fn knows_only_services_that_answered() {
        let inventory = learned([
            tcp("10.0.0.1", "10.0.0.9", 445).accepted(),
            tcp("10.0.0.1", "10.0.0.9", 3389).refused(),
            tcp("10.0.0.1", "10.0.0.8", 445).unanswered(),
        ]);

        assert!(inventory.offers(ip("10.0.0.9"), Service::tcp(445)));
        assert!(!inventory.offers(ip("10.0.0.9"), Service::tcp(3389)));
        assert!(inventory.is_alive(ip("10.0.0.9")));
        assert!(!inventory.is_alive(ip("10.0.0.8")));
    }

    #[test]
    fn learns_servers_by_what_they_answer() {
        let inventory = learned(clients(6).flat_map(|client| {
            [
                udp(&client, "10.0.1.53", 53).accepted(),
                udp(&client, "10.0.1.123", 123).accepted(),
                tcp(&client, "10.0.1.80", 443).accepted(),
                tcp(&client, "10.0.1.25", 993).accepted(),
                tcp(&client, "10.0.1.45", 445).accepted(),
                tcp(&client, "10.0.1.4", 88).accepted(),
                tcp(&client, "10.0.1.4", 389).accepted(),
                tcp(&client, "10.0.1.4", 445).accepted(),
            ]
        }));

        assert_eq!(inventory.roles(ip("10.0.1.53")), [Role::Resolver]);
        assert_eq!(inventory.roles(ip("10.0.1.123")), [Role::TimeServer]);
        assert_eq!(inventory.roles(ip("10.0.1.80")), [Role::WebServer]);
        assert_eq!(inventory.roles(ip("10.0.1.25")), [Role::MailServer]);
        assert_eq!(inventory.roles(ip("10.0.1.45")), [Role::FileServer]);
        assert_eq!(inventory.roles(ip("10.0.1.4")), [Role::DomainController, Role::FileServer]);
    }

    #[test]
    fn learns_a_gateway_from_the_outsiders_behind_it() {
        let mut events = vec![is_at(0.0, "10.0.0.254", 1, "10.0.0.7")];
        for n in 1..=6 {
            let outsider = format!("203.0.113.{n}");
            events.push(tcp("10.0.0.7", &outsider, 443).macs(7, 1).conn(1.0, (100, 100), 1));
        }
        let inventory = learned(events);

        assert_eq!(inventory.roles(ip("10.0.0.254")), [Role::Gateway]);
        assert_eq!(inventory.host(ip("10.0.0.7")).unwrap().mac, Some(mac(7)));
        assert!(!inventory.has_role(ip("10.0.0.7"), Role::Gateway));
    }

    #[test]
    fn learns_a_monitor_and_not_a_scanner_that_repeats_itself_once() {
        let rounds = |count: u32| {
            learned((0..count).flat_map(|round| {
                (1..=20).map(move |n| {
                    let at = f64::from(round) * 60.0;
                    tcp("10.0.0.99", &format!("10.0.0.{n}"), 22).at(at).accepted()
                })
            }))
        };

        assert!(rounds(60).has_role(ip("10.0.0.99"), Role::Monitor));
        assert!(!rounds(2).has_role(ip("10.0.0.99"), Role::Monitor));
    }

    #[test]
    fn learns_a_p2p_peer_and_a_workstation() {
        let peers = |n: u32| format!("{}.{}.1.9", 20 + n % 150, n);
        let p2p = learned(
            (0..100).map(|n| udp("10.0.0.7", &peers(n), 10_000 + n as u16 * 131).unanswered()),
        );
        let browser = learned((0..40).map(|n| tcp("10.0.0.8", &peers(n), 443).accepted()));

        assert!(p2p.has_role(ip("10.0.0.7"), Role::P2pPeer));
        assert_eq!(browser.roles(ip("10.0.0.8")), [Role::Workstation]);
    }

    #[test]
    fn keeps_the_owner_of_an_address_while_he_is_active() {
        let inventory = learned([
            is_at(0.0, "10.0.0.5", 5, "10.0.0.1"),
            is_at(10.0, "10.0.0.5", 66, "10.0.0.1"),
        ]);
        let later = learned([
            is_at(0.0, "10.0.0.5", 5, "10.0.0.1"),
            is_at(90_000.0, "10.0.0.5", 6, "10.0.0.1"),
        ]);

        assert_eq!(inventory.host(ip("10.0.0.5")).unwrap().mac, Some(mac(5)));
        assert_eq!(later.host(ip("10.0.0.5")).unwrap().mac, Some(mac(6)));
    }

    #[test]
    fn counts_the_living_in_a_neighbourhood() {
        let inventory = learned([
            is_at(0.0, "10.0.0.5", 5, "10.0.0.1"),
            is_at(0.0, "10.0.0.5", 5, "10.0.0.1"),
            who_has(0.0, "10.0.0.6", 6, "10.0.0.77"),
            icmp(0.0, "10.0.1.7", "10.0.0.5", 8),
        ]);

        assert_eq!(inventory.neighbours(ip("10.0.0.200")), 2);
        assert_eq!(inventory.neighbours(ip("10.0.1.1")), 1);
        assert_eq!(inventory.neighbours(ip("10.0.2.1")), 0);
    }

    #[test]
    fn notices_that_the_uplink_is_down() {
        let inventory = learned([tcp("10.0.0.1", "203.0.113.1", 443).at(100.0).accepted()]);

        assert!(!inventory.outside_is_silent(Timestamp::from_secs(130)));
        assert!(inventory.outside_is_silent(Timestamp::from_secs(300)));
    }

    #[test]
    fn forgets_outsiders_first() {
        let config = InventoryConfig { budget: ByteSize(100_000), ..InventoryConfig::default() };
        let mut inventory = Inventory::new(&config);
        inventory.on_event(&tcp("10.0.0.1", "10.0.0.2", 445).accepted());

        for n in 0..10_000u32 {
            let outsider = format!("{}.{}.{}.9", 20 + n % 150, n / 250, n % 250);
            inventory.on_event(&tcp(&outsider, "10.0.0.2", 445).refused());
        }

        assert!(inventory.is_alive(ip("10.0.0.1")));
        assert!(inventory.evicted() > 5000);
    }

    proptest! {
        #[test]
        fn never_exceeds_its_budget(hosts in proptest::collection::vec(any::<(u32, u32, u16)>(), 0..600)) {
            let config = InventoryConfig { budget: ByteSize(40_000), ..InventoryConfig::default() };
            let mut inventory = Inventory::new(&config);

            for (client, server, port) in hosts {
                let client = IpAddr::V4(client.into()).to_string();
                let server = IpAddr::V4(server.into()).to_string();
                inventory.on_event(&tcp(&client, &server, port).accepted());
                prop_assert!(inventory.hosts.bytes() <= 40_000);
            }
        }
    }
}

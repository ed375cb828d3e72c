//! Roles learned from behaviour, so that a detector can ask instead of keeping a list of names.

use serde::{Deserialize, Serialize};

use super::host::Host;
use crate::config::units;
use crate::net::{Service, Transport};

/// What a host is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Answers name queries of many, or asks many name servers itself.
    Resolver,
    /// Answers several clients over HTTP or TLS.
    WebServer,
    /// Answers several clients over SMTP, POP3 or IMAP.
    MailServer,
    /// Answers several clients over SMB, NFS or FTP.
    FileServer,
    /// Answers Kerberos, LDAP and SMB: a Windows domain controller.
    DomainController,
    /// Answers time queries.
    TimeServer,
    /// Forwards for others: their packets carry its hardware address, or it answers as a proxy.
    Gateway,
    /// Calls the same set of internal hosts again and again and hardly ever a new one.
    Monitor,
    /// Calls and is called by many outsiders on many dynamic ports.
    P2pPeer,
    /// Allowed to scan, by configuration.
    AllowedScanner,
    /// Uses others' services and offers none to several.
    Workstation,
}

impl Role {
    /// All roles, in the order in which they are listed.
    pub const ALL: [Self; 11] = [
        Self::AllowedScanner,
        Self::DomainController,
        Self::FileServer,
        Self::Gateway,
        Self::MailServer,
        Self::Monitor,
        Self::P2pPeer,
        Self::Resolver,
        Self::TimeServer,
        Self::WebServer,
        Self::Workstation,
    ];

    /// The name, as it is printed.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Resolver => "resolver",
            Self::WebServer => "web-server",
            Self::MailServer => "mail-server",
            Self::FileServer => "file-server",
            Self::DomainController => "domain-controller",
            Self::TimeServer => "time-server",
            Self::Gateway => "gateway",
            Self::Monitor => "monitor",
            Self::P2pPeer => "p2p-peer",
            Self::AllowedScanner => "allowed-scanner",
            Self::Workstation => "workstation",
        }
    }
}

/// From when on behaviour makes a role.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RolesConfig {
    /// Clients that a server must have answered to be one. Two: a service that only ever answers
    /// one host may be that host's own business.
    #[serde(deserialize_with = "units::count")]
    pub server_clients: u32,
    /// Clients that a resolver must have answered. Five: fewer is a laptop that shares its line.
    #[serde(deserialize_with = "units::count")]
    pub resolver_clients: u32,
    /// Name servers outside that a host must have asked to be a resolver itself. Twenty: stub
    /// resolvers know two or three, an iterating one meets that many within minutes.
    #[serde(deserialize_with = "units::count")]
    pub resolver_servers: u32,
    /// Outside addresses behind one hardware address that make its owner a gateway. Four: a
    /// dual-stack host has two or three of its own.
    #[serde(deserialize_with = "units::count")]
    pub gateway_addresses: u32,
    /// Internal hosts that a monitor calls at least.
    #[serde(deserialize_with = "units::count")]
    pub monitor_peers: u32,
    /// Times that a monitor calls each of them at least.
    #[serde(deserialize_with = "units::count")]
    pub monitor_rounds: u32,
    /// Outsiders on dynamic ports that a P2P peer calls at least. Twenty: games and calls meet
    /// fewer.
    #[serde(deserialize_with = "units::count")]
    pub p2p_peers: u32,
    /// Different dynamic ports among these. Ten: peers choose their ports at random, servers do
    /// not.
    #[serde(deserialize_with = "units::count")]
    pub p2p_ports: u32,
    /// Web servers that a workstation has used at least.
    #[serde(deserialize_with = "units::count")]
    pub workstation_web_servers: u32,
}

impl Default for RolesConfig {
    fn default() -> Self {
        Self {
            server_clients: 2,
            resolver_clients: 5,
            resolver_servers: 20,
            gateway_addresses: 4,
            monitor_peers: 8,
            monitor_rounds: 10,
            p2p_peers: 20,
            p2p_ports: 10,
            workstation_web_servers: 3,
        }
    }
}

/// Whether `host`'s own behaviour gives it `role`.
pub(super) fn earns(role: Role, host: &Host, config: &RolesConfig) -> bool {
    match role {
        Role::Resolver => {
            clients(host, &[53, 853], &["dns"]) >= config.resolver_clients
                || host
                    .client
                    .as_ref()
                    .is_some_and(|side| side.name_servers.count() >= config.resolver_servers)
        }
        Role::WebServer => {
            clients(host, &[80, 443, 8080, 8443], &["http", "ssl", "quic"]) >= config.server_clients
        }
        Role::MailServer => {
            let ports = [25, 465, 587, 110, 143, 993, 995];
            clients(host, &ports, &["smtp", "pop3", "imap"]) >= config.server_clients
        }
        Role::FileServer => {
            clients(host, &[445, 139, 2049, 21], &["smb", "nfs", "ftp"]) >= config.server_clients
        }
        Role::DomainController => {
            [88, 389, 445].iter().all(|port| host.offers(Service::tcp(*port)))
                || (host.offers(Service::udp(88)) && host.offers(Service::udp(389)))
        }
        Role::TimeServer => host.offers(Service::udp(123)),
        Role::Gateway => clients(host, &[1080, 3128], &["socks"]) >= config.server_clients,
        Role::Monitor => is_monitor(host, config),
        Role::P2pPeer => is_p2p_peer(host, config),
        Role::AllowedScanner => false,
        Role::Workstation => is_workstation(host, config),
    }
}

/// The most clients that any one service with such a port or name has answered.
fn clients(host: &Host, ports: &[u16], names: &[&str]) -> u32 {
    host.offered
        .iter()
        .filter(|offered| match offered.name {
            Some(name) => names.contains(&name),
            None => ports.contains(&offered.service.port),
        })
        .map(|offered| offered.clients.count())
        .max()
        .unwrap_or(0)
}

/// Every peer many times, and the latter half of the time nobody new.
fn is_monitor(host: &Host, config: &RolesConfig) -> bool {
    let Some(side) = &host.client else { return false };
    let lasted = host.last_seen.since(side.since);
    let settled = host.last_seen.since(side.last_new_peer);
    side.internal_peers.count() >= config.monitor_peers
        && side.contacts / side.peers().max(1) >= config.monitor_rounds
        && settled >= lasted / 2
}

/// Many outsiders on many different dynamic ports, and outsiders that were answered likewise; or
/// twice as many of the former where the callers cannot get in (behind NAT).
fn is_p2p_peer(host: &Host, config: &RolesConfig) -> bool {
    let Some(side) = &host.client else { return false };
    let peers = side.dynamic_peers.count();
    side.dynamic_ports.count() >= config.p2p_ports
        && (peers >= 2 * config.p2p_peers
            || (peers >= config.p2p_peers && host.dynamic_callers.count() >= 3))
}

fn is_workstation(host: &Host, config: &RolesConfig) -> bool {
    let serves = host.offered.iter().any(|offered| {
        offered.service.port < 1024
            && offered.service.transport != Transport::Icmp
            && offered.clients.count() >= config.server_clients
    });
    !serves
        && host
            .client
            .as_ref()
            .is_some_and(|side| side.web_servers.count() >= config.workstation_web_servers)
}

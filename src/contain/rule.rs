//! One cut, and what it stops.

use std::net::IpAddr;

use crate::net::Service;

/// Something that a firewall, a switch or the host itself can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// Nothing from and nothing to this suspect, which is ours.
    Isolate(IpAddr),
    /// Nothing from and nothing to this suspect, which is not ours: it stays where it is.
    Bar(IpAddr),
    /// This suspect calls nobody for this service.
    Block(IpAddr, Service),
    /// No suspect calls this clean host for this service.
    Shield(IpAddr, Service),
    /// No suspect calls any own host for this service that was not seen to offer it; in IPv6 or
    /// in IPv4.
    ShieldRest(Service, Family),
}

/// A family of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// The family that `addr` is of.
    pub const fn of(addr: IpAddr) -> Self {
        match addr {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(_) => Self::V6,
        }
    }

    /// The name in lower case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V4 => "v4",
            Self::V6 => "v6",
        }
    }
}

impl Rule {
    /// The kind of cut as a word.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Isolate(_) => "isolate",
            Self::Bar(_) => "bar",
            Self::Block(..) => "block",
            Self::Shield(..) => "shield",
            Self::ShieldRest(..) => "shield-rest",
        }
    }

    /// The host that it is about, if it is about one.
    pub const fn host(&self) -> Option<IpAddr> {
        match self {
            Self::Isolate(host) | Self::Bar(host) => Some(*host),
            Self::Block(host, _) | Self::Shield(host, _) => Some(*host),
            Self::ShieldRest(..) => None,
        }
    }

    /// The service that it is about, if not about all.
    pub const fn service(&self) -> Option<Service> {
        match self {
            Self::Isolate(_) | Self::Bar(_) => None,
            Self::Block(_, service) | Self::Shield(_, service) => Some(*service),
            Self::ShieldRest(service, _) => Some(*service),
        }
    }

    /// The family of the addresses that it is about.
    pub const fn family(&self) -> Family {
        match self {
            Self::Isolate(host) | Self::Bar(host) => Family::of(*host),
            Self::Block(host, _) | Self::Shield(host, _) => Family::of(*host),
            Self::ShieldRest(_, family) => *family,
        }
    }
}

//! From what is written to what can be played: names are found, addresses given out, and everything
//! that cannot be is an error at its place in the file.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::ops::Range;

use toml::Spanned;
use toml::value::{Datetime, Offset};

use super::super::chance::fixed;
use super::super::errand::own_port;
use super::super::errand_file::{ErrandFile, Over};
use super::super::file::{HostsFile, ScenarioFile};
use super::super::place::{End, Stack};
use super::super::role::Role;
use super::super::worm_file::WormFile;
use super::{Errand, Host, HostId, Party, Plague, Subnet, World};
use crate::net::MacAddr;
use crate::time::Timestamp;

/// What is wrong, and where it stands.
type Wrong = (Range<usize>, String);

impl World {
    /// Checks a scenario file.
    pub(super) fn of(file: ScenarioFile) -> Result<Self, Wrong> {
        let start = moment(&file.start)?;
        let subnets = subnets(&file)?;
        let mut world = Self {
            title: file.title,
            label: file.label,
            domain: file.domain,
            seed: file.seed,
            start,
            end: start + file.duration,
            subnets,
            hosts: Vec::new(),
            background: file.background,
            internet: file.internet,
            taps: Vec::new(),
            errands: Vec::new(),
            worms: Vec::new(),
            by_addr: BTreeMap::new(),
            by_name: BTreeMap::new(),
            by_role: BTreeMap::new(),
            outages: BTreeMap::new(),
        };
        let mut taken = vec![1u32; world.subnets.len()];
        for group in &file.hosts {
            let subnet = world.subnet_called(&group.subnet)?;
            let next = taken.get(usize::from(subnet)).copied().unwrap_or(1);
            let first = group.first.as_ref().map_or(next + 1, |first| *first.get_ref());
            let span = group.first.as_ref().map_or(group.subnet.span(), Spanned::span);
            for number in 0..group.count {
                let name = match (&group.name, group.count) {
                    (Some(name), 1) => name.clone(),
                    (Some(name), _) => format!("{name}-{}", number + 1),
                    (None, _) => world.free_name(group.role),
                };
                let place = (subnet, first.saturating_add(number));
                world.add(group, name, place).map_err(|what| (span.clone(), what))?;
            }
            if let Some(taken) = taken.get_mut(usize::from(subnet)) {
                *taken = first + group.count - 1;
            }
        }
        for outage in &file.outages {
            let hosts = match (&outage.host, &outage.subnet) {
                (Some(host), None) => vec![world.host_called(host)?],
                (None, Some(subnet)) => world.of_subnet(world.subnet_called(subnet)?),
                _ => {
                    let what = "an outage is of one `host` or of one `subnet`: name one of them";
                    return Err((outage.lasts.span(), what.to_owned()));
                }
            };
            let from = start + outage.after;
            for host in hosts {
                let to = from + *outage.lasts.get_ref();
                world.outages.entry(host).or_default().push((from, to));
            }
        }
        for tap in file.taps {
            let sees = match &tap.sees {
                Some(names) => Some(
                    names.iter().map(|name| world.subnet_called(name)).collect::<Result<_, _>>()?,
                ),
                None => None,
            };
            if world.taps.iter().any(|(other, _)| other.name.get_ref() == tap.name.get_ref()) {
                let what = "another tap has this name: each needs one of its own";
                return Err((tap.name.span(), what.to_owned()));
            }
            world.taps.push((tap, sees));
        }
        let names: Vec<_> =
            file.errands.iter().map(|errand| errand.name.get_ref().clone()).collect();
        for errand in file.errands {
            let errand = world.errand(errand, &names)?;
            world.open_for(&errand);
            world.errands.push(errand);
        }
        for worm in file.worms {
            let plague = world.plague(worm)?;
            world.worms.push(plague);
        }
        Ok(world)
    }

    fn add(
        &mut self,
        group: &HostsFile,
        name: String,
        (subnet, number): (u8, u32),
    ) -> Result<(), String> {
        let place = self.subnets.get(usize::from(subnet)).ok_or("no such subnet")?;
        let last = u32::from(place.network.broadcast());
        let address = u32::from(place.network.network())
            .checked_add(number)
            .filter(|address| *address < last && number > 1)
            .map(Ipv4Addr::from)
            .ok_or_else(|| {
                format!(
                    "host number {number} has no place in {}: numbers go from 2 to {}, a larger \
                     network has more",
                    place.network,
                    last - u32::from(place.network.network()) - 1
                )
            })?;
        let id = HostId(self.hosts.len() as u32);
        if self.by_addr.insert(address, id).is_some() {
            return Err(format!("{address} is taken by another host: choose another `first`"));
        }
        if self.by_name.insert(name.clone(), id).is_some() {
            return Err(format!("another host is called `{name}`: choose another `name`"));
        }
        let system = group.system.unwrap_or_else(|| group.role.system());
        let services = group.services.as_deref().unwrap_or_else(|| group.role.services());
        let seed = fixed(&[self.seed, u64::from(id.0), 11]);
        let stays_on = (fixed(&[seed, 12]) % 1000) as f64 / 1000.0 < self.background.stay_on;
        let end = End {
            addr: address,
            mac: mac(address),
            subnet: Some(subnet),
            stack: system.stack(),
            hops: 0,
            outer: None,
        };
        self.hosts.push(Host {
            name,
            role: group.role,
            system,
            end,
            services: services.into(),
            always_on: group.always_on.unwrap_or(!group.role.is_desk() || stays_on),
            seed,
        });
        self.by_role.entry(group.role).or_default().push(id);
        Ok(())
    }

    fn of_subnet(&self, subnet: u8) -> Vec<HostId> {
        let hosts = (0..).map(HostId).zip(&self.hosts);
        hosts.filter(|(_, host)| host.end.subnet == Some(subnet)).map(|(id, _)| id).collect()
    }

    fn free_name(&self, role: Role) -> String {
        let number = self.by_role.get(&role).map_or(0, Vec::len) + 1;
        format!("{}-{number}", role.name())
    }

    fn subnet_called(&self, name: &Spanned<String>) -> Result<u8, Wrong> {
        let position = self.subnets.iter().position(|subnet| subnet.name == *name.get_ref());
        position.and_then(|position| u8::try_from(position).ok()).ok_or_else(|| {
            let known: Vec<_> =
                self.subnets.iter().map(|subnet| format!("`{}`", subnet.name)).collect();
            let what = format!("no subnet is called so: there are {}", known.join(", "));
            (name.span(), what)
        })
    }

    fn host_called(&self, name: &Spanned<String>) -> Result<HostId, Wrong> {
        let text = name.get_ref();
        let by_addr = || text.parse().ok().and_then(|addr| self.by_addr.get(&addr));
        self.by_name.get(text).or_else(by_addr).copied().ok_or_else(|| {
            let near = self
                .by_name
                .keys()
                .min_by_key(|known| strsim::damerau_levenshtein(text, known))
                .map_or_else(String::new, |near| format!(", as `{near}` is"));
            (name.span(), format!("no host has this name or address: write one{near}"))
        })
    }

    /// The host of this name or address, or all whose names are this and a number.
    fn hosts_called(&self, names: &[Spanned<String>]) -> Result<Vec<HostId>, Wrong> {
        let mut hosts = Vec::new();
        for name in names {
            let is_of_group = |host: &Host| {
                let number = host.name.strip_prefix(name.get_ref().as_str());
                number
                    .and_then(|number| number.strip_prefix('-'))
                    .is_some_and(|number| number.bytes().all(|digit| digit.is_ascii_digit()))
            };
            let ids = (0..).map(HostId).zip(&self.hosts);
            let group: Vec<_> =
                ids.filter(|(_, host)| is_of_group(host)).map(|(id, _)| id).collect();
            if group.is_empty() {
                hosts.push(self.host_called(name)?);
            } else {
                hosts.extend(group);
            }
        }
        Ok(hosts)
    }

    fn errand(&self, file: ErrandFile, names: &[String]) -> Result<Errand, Wrong> {
        let wrong = |what: &str| Err((file.name.span(), what.to_owned()));
        if names.iter().filter(|name| *name == file.name.get_ref()).count() > 1 {
            return wrong("another errand has this name: each needs one of its own");
        }
        if file.after.is_some() && file.by.is_empty() {
            return wrong("begins by itself, so it needs to know who does it: name them in `by`");
        }
        if file.every.is_some() && file.after.is_none() {
            return wrong("comes round, so it needs a first time: say when in `after`");
        }
        if file.through.is_some() && (file.over != Over::Ssh || file.fetched) {
            return wrong("goes through a host, which only what is pushed over `ssh` does");
        }
        let mut then = Vec::new();
        for next in &file.then {
            let Some(number) = names.iter().position(|name| name == next.get_ref()) else {
                let known: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
                let what = format!("no errand is called so: there are {}", known.join(", "));
                return Err((next.span(), what));
            };
            then.push(number);
        }
        let through = file.through.as_ref().map(|name| self.host_called(name)).transpose()?;
        let (by, to) = (self.hosts_called(&file.by)?, self.hosts_called(&file.to)?);
        Ok(Errand { file, by, to, through, then })
    }

    /// Lets whoever an errand calls listen.
    fn open_for(&mut self, errand: &Errand) {
        if matches!(errand.file.over, Over::Udp(_)) {
            return;
        }
        // Who passes on what another has brought is not named: it is one of the same.
        let is_holder = errand.file.fetched && !errand.by.is_empty();
        let called = if is_holder { &errand.by } else { &errand.to };
        for id in called.iter().chain(&errand.through) {
            let port = errand.file.over.port().unwrap_or_else(|| own_port(self, *id));
            if let Some(host) = self.hosts.get_mut(id.0 as usize)
                && !host.services.contains(&port)
            {
                host.services = host.services.iter().copied().chain([port]).collect();
            }
        }
    }

    fn plague(&self, file: WormFile) -> Result<Plague, Wrong> {
        let wrong = |what: &str| Err((file.name.span(), what.to_owned()));
        if file.patient_zero.is_empty() {
            return wrong("needs at least one host, or `outside`, in `patient_zero`");
        }
        if file.services.is_empty() {
            return wrong("needs at least one of `services` to enter through");
        }
        if self.start + file.after >= self.end {
            return wrong(
                "would begin when the scenario is over: let `after` be less than `duration`",
            );
        }
        let mut origin = Vec::new();
        for name in &file.patient_zero {
            origin.push(match name.get_ref().as_str() {
                "outside" => Party::Outside(OUTSIDE_ATTACKER + self.worms.len() as u32),
                _ => Party::Host(self.host_called(name)?),
            });
        }
        let mut gpus = BTreeSet::new();
        for name in file.inference.iter().flat_map(|inference| &inference.gpus) {
            gpus.insert(self.host_called(name)?);
        }
        Ok(Plague { file, origin, gpus })
    }
}

/// Numbers of hosts of the Internet from which worms enter, beyond all sites.
const OUTSIDE_ATTACKER: u32 = 125_000;

/// A locally administered hardware address that shows the network address.
const fn mac(addr: Ipv4Addr) -> MacAddr {
    let [a, b, c, d] = addr.octets();
    MacAddr([0x02, 0x57, a, b, c, d])
}

fn moment(start: &Spanned<Datetime>) -> Result<Timestamp, Wrong> {
    let written = *start.get_ref();
    let wrong = || {
        let what = "needs a date and a time between 1970 and 2100, as 2026-03-02T08:00:00Z has";
        (start.span(), what.to_owned())
    };
    let text = match written {
        Datetime { date: None, .. } | Datetime { time: None, .. } => return Err(wrong()),
        Datetime { offset: None, .. } => {
            Datetime { offset: Some(Offset::Z), ..written }.to_string()
        }
        _ => written.to_string(),
    };
    let moment: jiff::Timestamp = text.parse().map_err(|_| wrong())?;
    // The format of capture files ends in 2106.
    if !(0..4_102_444_800).contains(&moment.as_second()) {
        return Err(wrong());
    }
    Ok(Timestamp::from_secs(moment.as_second()))
}

fn subnets(file: &ScenarioFile) -> Result<Vec<Subnet>, Wrong> {
    let mut subnets: Vec<Subnet> = Vec::new();
    for subnet in &file.subnets {
        let (network, span) = (subnet.network.get_ref().trunc(), subnet.network.span());
        if !(8..=30).contains(&network.prefix_len()) {
            return Err((span, "needs a prefix length from 8 to 30".to_owned()));
        }
        let overlaps = |other: &&Subnet| {
            other.network.contains(&network.network()) || network.contains(&other.network.network())
        };
        if let Some(other) = subnets.iter().find(overlaps) {
            let what = format!("overlaps `{}` ({}): subnets are apart", other.name, other.network);
            return Err((span, what));
        }
        if subnets.iter().any(|other| other.name == *subnet.name.get_ref()) {
            let what = "another subnet has this name: each needs one of its own";
            return Err((subnet.name.span(), what.to_owned()));
        }
        if subnets.len() == 200 {
            return Err((span, "200 subnets are the most: use larger ones".to_owned()));
        }
        let addr = network.hosts().next().unwrap_or(network.network());
        let router = End {
            addr,
            mac: mac(addr),
            subnet: Some(subnets.len() as u8),
            stack: Stack::Embedded,
            hops: 0,
            outer: None,
        };
        let name = subnet.name.get_ref().clone();
        subnets.push(Subnet { name, network, router, nat: subnet.nat });
    }
    Ok(subnets)
}

//! A scenario that has been checked: who lives where, what is open, who is up.

mod build;

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ipnet::Ipv4Net;

use super::super::scene::outside;
use super::chance::fixed;
use super::errand_file::ErrandFile;
use super::file::{BackgroundFile, InternetFile, ScenarioFile, TapFile};
use super::place::{End, Stack};
use super::rhythm;
use super::role::{Role, System};
use super::worm_file::WormFile;
use crate::config::Mistake;
use crate::net::MacAddr;
use crate::time::Timestamp;

/// A scenario that cannot be played.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// Its file cannot be read.
    #[error("cannot read the scenario {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It says something that has no meaning here.
    #[error("{0}")]
    Wrong(Box<Mistake>),
}

/// The number of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostId(pub u32);

/// Somebody who may speak or be spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Party {
    /// A host of the house.
    Host(HostId),
    /// A host of the Internet, by number.
    Outside(u32),
    /// An address of the house that nobody has.
    Nobody(Ipv4Addr),
}

impl Party {
    /// The host of the house, if it is one.
    pub const fn into_host(self) -> Option<HostId> {
        match self {
            Self::Host(id) => Some(id),
            _ => None,
        }
    }
}

/// A host.
#[derive(Clone, Debug)]
pub struct Host {
    /// Its name, without the domain.
    pub name: String,
    /// What it is there for.
    pub role: Role,
    /// Its system.
    pub system: System,
    /// Where it is.
    pub end: End,
    /// The TCP ports that are open.
    pub services: Arc<[u16]>,
    /// Whether it is on day and night.
    pub always_on: bool,
    /// What its habits come from.
    pub seed: u64,
}

/// Hosts between which no router stands.
#[derive(Clone, Debug)]
pub struct Subnet {
    /// Its name.
    pub name: String,
    /// Its addresses.
    pub network: Ipv4Net,
    /// Its router.
    pub router: End,
    /// The one address that its hosts have beyond it.
    pub nat: Option<Ipv4Addr>,
}

/// An errand and who has to do with it.
#[derive(Clone, Debug)]
pub struct Errand {
    /// How it goes.
    pub file: ErrandFile,
    /// Who does it.
    pub by: Vec<HostId>,
    /// Whom they visit.
    pub to: Vec<HostId>,
    /// Whom each visit goes through.
    pub through: Option<HostId>,
    /// The numbers of those that whoever was visited goes on with.
    pub then: Vec<usize>,
}

/// A worm and where it begins.
#[derive(Clone, Debug)]
pub struct Plague {
    /// How it behaves.
    pub file: WormFile,
    /// Who has it first.
    pub origin: Vec<Party>,
    /// Who can run its model.
    pub gpus: BTreeSet<HostId>,
}

/// A scenario, ready to be played.
#[derive(Clone, Debug)]
pub struct World {
    /// What to see.
    pub title: String,
    /// Its class.
    pub label: String,
    /// The domain of the house.
    pub domain: String,
    /// What decides everything random.
    pub seed: u64,
    /// When it begins.
    pub start: Timestamp,
    /// When it is over.
    pub end: Timestamp,
    /// The subnets.
    pub subnets: Vec<Subnet>,
    /// The hosts.
    pub hosts: Vec<Host>,
    /// What ordinary hosts do.
    pub background: BackgroundFile,
    /// The way out.
    pub internet: InternetFile,
    /// Where something is seen, and of which subnets; `None` for all.
    pub taps: Vec<(TapFile, Option<Vec<u8>>)>,
    /// The errands.
    pub errands: Vec<Errand>,
    /// The worms.
    pub worms: Vec<Plague>,
    by_addr: BTreeMap<Ipv4Addr, HostId>,
    by_name: BTreeMap<String, HostId>,
    by_role: BTreeMap<Role, Vec<HostId>>,
    outages: BTreeMap<HostId, Vec<(Timestamp, Timestamp)>>,
}

impl World {
    /// Reads a scenario; `seed` takes the place of its own.
    ///
    /// # Errors
    /// If the file cannot be read, or what it says cannot be; with line, column and what to do.
    pub fn load(path: &Path, seed: Option<u64>) -> Result<Self, ScenarioError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ScenarioError::Unreadable { path: path.to_owned(), source })?;
        Self::parse_with_seed(&text, path, seed)
    }

    /// Reads a scenario from `text`, which came from `path`.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn parse(text: &str, path: &Path) -> Result<Self, ScenarioError> {
        Self::parse_with_seed(text, path, None)
    }

    fn parse_with_seed(text: &str, path: &Path, seed: Option<u64>) -> Result<Self, ScenarioError> {
        let mut file: ScenarioFile = toml::from_str(text).map_err(|error| {
            let mistake = Mistake::reading(&error, text, path.to_owned(), Vec::new);
            ScenarioError::Wrong(Box::new(mistake))
        })?;
        file.seed = seed.unwrap_or(file.seed);
        Self::of(file).map_err(|(span, what)| {
            ScenarioError::Wrong(Box::new(Mistake::at(&span, &what, text, path.to_owned())))
        })
    }

    /// A host by number. Numbers come from this world, so there is one.
    pub fn host(&self, id: HostId) -> &Host {
        self.hosts.get(id.0 as usize).expect("host numbers are made here, one for each host")
    }

    /// The hosts of a role, in the order of the scenario.
    pub fn of_role(&self, role: Role) -> &[HostId] {
        self.by_role.get(&role).map_or(&[], Vec::as_slice)
    }

    /// The host of `role` that `host` uses, always the same; `None` if there is none beside it.
    pub fn usual(&self, host: HostId, role: Role) -> Option<HostId> {
        let all = self.of_role(role);
        let index = fixed(&[self.host(host).seed, role as u64]) as usize % all.len().max(1);
        all.get(index).copied().filter(|other| *other != host)
    }

    /// Who has this address.
    pub fn owner(&self, addr: Ipv4Addr) -> Party {
        self.by_addr.get(&addr).map_or(Party::Nobody(addr), |id| Party::Host(*id))
    }

    /// The subnet that an address is in.
    pub fn subnet_of(&self, addr: Ipv4Addr) -> Option<u8> {
        let position = self.subnets.iter().position(|subnet| subnet.network.contains(&addr))?;
        u8::try_from(position).ok()
    }

    /// Whether a host is switched on and reached at `at`.
    pub fn is_up(&self, id: HostId, at: Timestamp) -> bool {
        let is_out = self
            .outages
            .get(&id)
            .is_some_and(|outages| outages.iter().any(|(from, to)| (*from..*to).contains(&at)));
        if is_out {
            return false;
        }
        let host = self.host(id);
        host.always_on
            || rhythm::presence(host.seed, rhythm::day(at))
                .is_some_and(|(from, to)| (from..to).contains(&at))
    }

    /// Where somebody is.
    pub fn end(&self, party: Party) -> End {
        match party {
            Party::Host(id) => self.host(id).end,
            Party::Outside(number) => {
                let drawn = fixed(&[u64::from(number), 13]);
                let addr = match outside(number).addr {
                    std::net::IpAddr::V4(addr) => addr,
                    std::net::IpAddr::V6(_) => Ipv4Addr::UNSPECIFIED,
                };
                End {
                    addr,
                    mac: UPLINK,
                    subnet: None,
                    stack: if drawn % 10 < 8 { Stack::Linux } else { Stack::Windows },
                    hops: 7 + (drawn >> 8) as u8 % 12,
                    outer: None,
                }
            }
            Party::Nobody(addr) => End {
                addr,
                mac: MacAddr::default(),
                subnet: self.subnet_of(addr),
                stack: Stack::Linux,
                hops: 0,
                outer: None,
            },
        }
    }

    /// The full name of a host.
    pub fn full_name(&self, id: HostId) -> String {
        format!("{}.{}", self.host(id).name, self.domain)
    }
}

/// The hardware address of the provider's router.
pub const UPLINK: MacAddr = MacAddr([0x02, 0x57, 0xff, 0, 0, 1]);
/// The hardware address of the house's router on the provider's side.
pub const GATEWAY: MacAddr = MacAddr([0x02, 0x57, 0xff, 0, 0, 2]);
#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const HEAD: &str = "title = \"a test\"\n\
        start = 2026-03-02T10:00:00Z\n\
        duration = \"1h\"\n\
        [[subnet]]\n\
        name = \"clients\"\n\
        network = \"10.20.2.0/24\"\n\
        [[subnet]]\n\
        name = \"servers\"\n\
        network = \"10.20.4.0/24\"\n";

    fn complaint(rest: &str) -> String {
        World::parse(&format!("{HEAD}{rest}"), Path::new("s.toml")).unwrap_err().to_string()
    }

    #[test]
    fn hosts_follow_each_other_and_know_their_services() {
        let text = format!(
            "{HEAD}\n[[hosts]]\nrole = \"workstation\"\nsubnet = \"clients\"\ncount = 3\n\
             [[hosts]]\nrole = \"file-server\"\nsubnet = \"servers\"\nfirst = 10\n"
        );

        let world = World::parse(&text, Path::new("s.toml")).unwrap();

        let addresses: Vec<_> = world.hosts.iter().map(|host| host.end.addr.to_string()).collect();
        assert_eq!(addresses, ["10.20.2.2", "10.20.2.3", "10.20.2.4", "10.20.4.10"]);
        assert_eq!(world.hosts[1].name, "workstation-2");
        assert_eq!(world.of_role(Role::FileServer), [HostId(3)]);
        assert_eq!(world.usual(HostId(0), Role::FileServer), Some(HostId(3)));
        assert_eq!(world.owner("10.20.2.9".parse().unwrap()).into_host(), None);
        assert_eq!(world.subnet_of("10.20.4.77".parse().unwrap()), Some(1));
    }

    #[test]
    fn says_what_is_wrong_where_and_what_to_do() {
        insta::assert_snapshot!(complaint("[[hosts]]\nrole = \"workstation\"\nsubnet = \"cleints\""), @r#"
        s.toml: `subnet` in [hosts] at line 12, column 10: no subnet is called so: there are `clients`, `servers`
           |
        12 | subnet = "cleints"
           |          ^^^^^^^^^
        "#);
        insta::assert_snapshot!(complaint("[[hosts]]\nrole = \"server\"\nsubnet = \"clients\"\ncount = 300"), @r#"
        s.toml: `subnet` in [hosts] at line 12, column 10: host number 255 has no place in 10.20.2.0/24: numbers go from 2 to 254, a larger network has more
           |
        12 | subnet = "clients"
           |          ^^^^^^^^^
        "#);
        insta::assert_snapshot!(complaint("[[hosts]]\nrole = \"server\"\nsubnet = \"clients\"\n[background.rates]\nweb = -1.0"), @r#"
        s.toml: `web` in [background.rates] at line 14, column 7: invalid value: floating point `-1.0`, expected a number per hour from 0 to 3600
           |
        14 | web = -1.0
           |       ^^^^
        "#);
        insta::assert_snapshot!(complaint("[[hosts]]\nrole = \"server\"\nsubnet = \"clients\"\n[background.rates]\nwbe = 1.0"), @r#"
        s.toml: unknown key `wbe` in [background.rates] at line 14, column 1: did you mean `web`?
           |
        14 | wbe = 1.0
           | ^^^
        "#);
        insta::assert_snapshot!(complaint("[[hosts]]\nrole = \"server\"\nsubnet = \"clients\"\n[[worm]]\nname = \"w\"\npatient_zero = [\"serve-1\"]\nafter = \"1m\"\nservices = [\"smb\"]"), @r#"
        s.toml: `patient_zero` in [worm] at line 15, column 17: no host has this name or address: write one, as `server-1` is
           |
        15 | patient_zero = ["serve-1"]
           |                 ^^^^^^^^^
        "#);
        insta::assert_snapshot!(complaint("[[hosts]]\nrole = \"server\"\nsubnet = \"clients\"\n[[worm]]\nname = \"w\"\npatient_zero = [\"server-1\"]\nafter = \"2h\"\nservices = [\"smb\"]"), @r#"
        s.toml: `name` in [worm] at line 14, column 8: would begin when the scenario is over: let `after` be less than `duration`
           |
        14 | name = "w"
           |        ^^^
        "#);
    }

    #[test]
    fn says_what_is_wrong_with_an_errand() {
        const ERRAND: &str = "[[hosts]]\nrole = \"server\"\nsubnet = \"clients\"\n[[errand]]\nname = \"e\"\nto = [\"server\"]\nbytes = 9\n";
        insta::assert_snapshot!(complaint(&format!("{ERRAND}over = \"smtp\"")), @r#"
        s.toml: `over` in [errand] at line 17, column 8: invalid value: string "smtp", expected `smb`, `ssh`, `winrm`, `bittorrent`, `http`, `http/8530`, `tls`, `tls/8443`, `tcp/7680` or `udp/7946`
           |
        17 | over = "smtp"
           |        ^^^^^^
        "#);
        insta::assert_snapshot!(complaint(&format!("{ERRAND}over = \"smb\"\nthen = [\"f\"]")), @r#"
        s.toml: `then` in [errand] at line 18, column 9: no errand is called so: there are `e`
           |
        18 | then = ["f"]
           |         ^^^
        "#);
        insta::assert_snapshot!(complaint(&format!("{ERRAND}over = \"smb\"\nafter = \"1m\"")), @r#"
        s.toml: `name` in [errand] at line 14, column 8: begins by itself, so it needs to know who does it: name them in `by`
           |
        14 | name = "e"
           |        ^^^
        "#);
    }

    #[test]
    fn an_outage_takes_a_host_away_and_gives_it_back() {
        let text = format!(
            "{HEAD}\n[[hosts]]\nrole = \"server\"\nsubnet = \"servers\"\n\
             [[outage]]\nhost = \"server-1\"\nafter = \"10m\"\nlasts = \"5m\"\n"
        );
        let world = World::parse(&text, Path::new("s.toml")).unwrap();

        let up = |minute| world.is_up(HostId(0), world.start + Duration::from_mins(minute));

        assert_eq!([up(9), up(10), up(14), up(15)], [true, false, false, true]);
    }
}

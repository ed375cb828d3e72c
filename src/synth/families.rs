//! The fixtures that come from scenario files: a worm family each, and what looks like one.
//!
//! The scenario lies beside its capture, so that a reader of the one sees how the other is described.

use std::fs;
use std::io;
use std::path::Path;

use super::scenario::output::Format;
use super::scenario::world::World;
use super::scenario::write;
use super::sink::FOR_EVER;

/// A scenario with its capture and truth.
#[derive(Clone, Copy, Debug)]
pub struct Family {
    /// The name of its folder.
    pub name: &'static str,
    /// What to see in it, for a person.
    pub sees: &'static str,
    /// Hosts that spread the worm, by its truth.
    pub spread: usize,
    /// Of them, those that are at least suspicious to the detectors that there are. A test holds
    /// this as the least; what is missing is a gap that the list shows.
    pub found: usize,
    scenario: &'static str,
}

macro_rules! scenario {
    ($name:literal) => {
        include_str!(concat!("../../fixtures/", $name, "/scenario.toml"))
    };
}

/// Scenarios without a capture: too large, or (`over-ssh`) still taken for a worm. Name and text.
pub const SCENARIOS: &[(&str, &str)] = &[
    ("office.toml", include_str!("../../fixtures/scenarios/office.toml")),
    ("over-ssh.toml", include_str!("../../fixtures/scenarios/over-ssh.toml")),
    ("week.toml", include_str!("../../fixtures/scenarios/week.toml")),
];

/// All of them: worms first, then what looks like one and is none, and the guards.
pub const FAMILIES: &[Family] = &[
    Family {
        name: "worm-smb",
        sees: "10.31.2.13 scans for tcp/445 at random; whoever it gets into does the same.",
        spread: 19,
        found: 19,
        scenario: scenario!("worm-smb"),
    },
    Family {
        name: "worm-hit-list",
        sees: "From 10.32.2.16 every desk and server is infected off a list, in minutes, without a miss.",
        spread: 27,
        found: 27,
        scenario: scenario!("worm-hit-list"),
    },
    Family {
        name: "worm-ssh",
        sees: "From 10.33.3.12 a stolen key opens server after server; some victims call back.",
        spread: 19,
        found: 19,
        scenario: scenario!("worm-ssh"),
    },
    Family {
        name: "worm-telnet",
        sees: "From 10.34.30.22 cameras guess each other's Telnet passwords, and fetch copies outside.",
        spread: 23,
        found: 23,
        scenario: scenario!("worm-telnet"),
    },
    Family {
        name: "worm-mail",
        sees: "From 10.35.2.14 a mail worm goes to colleagues over the mail server, and to strangers.",
        spread: 13,
        found: 13,
        scenario: scenario!("worm-mail"),
    },
    Family {
        name: "worm-slow",
        sees: "From 10.36.2.18 a worm takes a step in about eight hours, for a week, and never fails much.",
        spread: 7,
        found: 7,
        scenario: scenario!("worm-slow"),
    },
    Family {
        name: "worm-nat",
        sees: "Three infected hosts behind one address, 10.37.8.2, scan the house.",
        spread: 15,
        found: 15,
        scenario: scenario!("worm-nat"),
    },
    Family {
        name: "worm-polymorphic",
        sees: "From 10.38.2.11 a worm whose copies share neither bytes nor length; victims fetch them.",
        spread: 21,
        found: 21,
        scenario: scenario!("worm-polymorphic"),
    },
    Family {
        name: "worm-two",
        sees: "A scanner (from 10.39.2.13) and a key thief (from 10.39.2.41) at the same time.",
        spread: 32,
        found: 32,
        scenario: scenario!("worm-two"),
    },
    Family {
        name: "worm-adaptive",
        sees: "From 10.40.4.60 a model-driven worm for a week; children ask their parents' GPUs in clear.",
        spread: 23,
        found: 22,
        scenario: scenario!("worm-adaptive"),
    },
    Family {
        name: "worm-adaptive-tls",
        sees: "The same worm with another week's luck, asking its model under TLS.",
        spread: 23,
        found: 23,
        scenario: scenario!("worm-adaptive-tls"),
    },
    Family {
        name: "worm-relay",
        sees: "Two victims ask the model of 10.57.4.60, which entered them, and act upon its answers.",
        spread: 3,
        found: 3,
        scenario: scenario!("worm-relay"),
    },
    Family {
        name: "worm-steered",
        sees: "Somebody at 10.58.4.60 tries one service after the other of each host, and is let in nowhere.",
        spread: 1,
        found: 1,
        scenario: scenario!("worm-steered"),
    },
    Family {
        name: "worm-heirs",
        sees: "From 10.59.2.18 a slow worm; its victims hand on the content that they received.",
        spread: 7,
        found: 7,
        scenario: scenario!("worm-heirs"),
    },
    Family {
        name: "worm-near-miss-racks",
        sees: "Backup, monitor and configuration tool go from server to server; one server is down.",
        spread: 0,
        found: 0,
        scenario: scenario!("worm-near-miss-racks"),
    },
    Family {
        name: "worm-near-miss-office",
        sees: "A morning on patch day: everybody fetches the same patches and asks the house's model.",
        spread: 0,
        found: 0,
        scenario: scenario!("worm-near-miss-office"),
    },
    Family {
        name: "worm-near-miss-things",
        sees: "Cameras call home; a monitor and a configuration tool walk over things with open Telnet.",
        spread: 0,
        found: 0,
        scenario: scenario!("worm-near-miss-things"),
    },
    Family {
        name: "worm-near-miss-mail",
        sees: "Two mail servers deliver to hundreds of strangers, of whom some are gone; everybody answers.",
        spread: 0,
        found: 0,
        scenario: scenario!("worm-near-miss-mail"),
    },
    Family {
        name: "worm-near-miss-nat",
        sees: "A branch of eighteen desks behind one address, people at home behind another.",
        spread: 0,
        found: 0,
        scenario: scenario!("worm-near-miss-nat"),
    },
    Family {
        name: "worm-near-miss-logon",
        sees: "Backup over SMB at night, everybody's logon in the morning, the same software at noon.",
        spread: 0,
        found: 0,
        scenario: scenario!("worm-near-miss-logon"),
    },
    Family {
        name: "worm-near-miss-models",
        sees: "Developers ask models of the house and outside for three days, and work on the same servers.",
        spread: 0,
        found: 0,
        scenario: scenario!("worm-near-miss-models"),
    },
    Family {
        name: "guard-distribution",
        sees: "Packages go from a server to points or mirrors, and from these to everybody, over the same service.",
        spread: 0,
        found: 0,
        scenario: scenario!("guard-distribution"),
    },
    Family {
        name: "guard-scan-then-patch",
        sees: "A scan by order tries every port of everybody; then each host is patched, and calls back.",
        spread: 0,
        found: 0,
        scenario: scenario!("guard-scan-then-patch"),
    },
    Family {
        name: "guard-failover",
        sees: "A load balancer fails, and its standby calls twelve back ends that it has never called.",
        spread: 0,
        found: 0,
        scenario: scenario!("guard-failover"),
    },
    Family {
        name: "guard-rolling-update",
        sees: "Nodes hand an image on from one to the next; new addresses act at once as old ones that vanish did.",
        spread: 0,
        found: 0,
        scenario: scenario!("guard-rolling-update"),
    },
    Family {
        name: "guard-backup",
        sees: "Twenty servers send to a vault, the vault sends as much on to another over SSH, a restore is tried.",
        spread: 0,
        found: 0,
        scenario: scenario!("guard-backup"),
    },
    Family {
        name: "guard-swarm",
        sees: "Fourteen desks exchange pieces, everybody with everybody, on ports of their own, and with strangers.",
        spread: 0,
        found: 0,
        scenario: scenario!("guard-swarm"),
    },
    Family {
        name: "guard-gossip",
        sees: "A rumour goes from member to member of a cluster, the same bytes on one port; a new member joins.",
        spread: 0,
        found: 0,
        scenario: scenario!("guard-gossip"),
    },
    Family {
        name: "guard-printers",
        sees: "Every desk asks ten addresses for printers, of which two are off, and fetches the same driver.",
        spread: 0,
        found: 0,
        scenario: scenario!("guard-printers"),
    },
    Family {
        name: "guard-peer-delivery",
        sees: "An update goes from desk to desk on tcp/7680: whoever has received it hands it out.",
        spread: 0,
        found: 0,
        scenario: scenario!("guard-peer-delivery"),
    },
    Family {
        name: "guard-ansible",
        sees: "A playbook logs in to twenty servers, and to two through a jump host, alike to the byte; each fetches a package.",
        spread: 0,
        found: 0,
        scenario: scenario!("guard-ansible"),
    },
    Family {
        name: "guard-agents",
        sees: "A new agent goes from server to proxy to agent on tcp/10050, and each agent calls back.",
        spread: 0,
        found: 0,
        scenario: scenario!("guard-agents"),
    },
];

/// What ordinary operation has that looks like a worm, and where each is: the first is made for it.
pub const GUARDS: &[(&str, &[&str])] = &[
    ("software distribution", &["guard-distribution"]),
    ("a login script at nine", &["worm-near-miss-logon", "worm-near-miss-nat"]),
    ("a vulnerability scan, then patching", &["guard-scan-then-patch"]),
    ("a load balancer failing over", &["guard-failover"]),
    ("a rolling update of Kubernetes", &["guard-rolling-update"]),
    ("backup, fan-in and fan-out", &["guard-backup", "worm-near-miss-racks"]),
    ("a BitTorrent swarm", &["guard-swarm", "innocent-file-sharing"]),
    ("gossip of a cluster", &["guard-gossip"]),
    ("discovery of printers", &["guard-printers", "innocent-discovery"]),
    ("updates delivered by peers", &["guard-peer-delivery", "worm-near-miss-office"]),
    ("an administrator with Ansible", &["guard-ansible", "innocent-automation"]),
    ("monitoring agents upgrading", &["guard-agents", "innocent-monitoring"]),
];

impl Family {
    /// The scenario, checked.
    pub fn world(&self) -> io::Result<World> {
        World::parse(self.scenario, Path::new(self.name)).map_err(io::Error::other)
    }

    /// Writes the scenario, its capture and its truth into the folder `dir`, which it makes.
    pub fn write(&self, dir: &Path) -> io::Result<()> {
        fs::create_dir_all(dir)?;
        fs::write(dir.join("scenario.toml"), self.scenario)?;
        let format = Format { is_next: false, is_packed: true };
        write(self.world()?, &dir.join("capture.pcap.zst"), format, FOR_EVER)?;
        Ok(())
    }
}

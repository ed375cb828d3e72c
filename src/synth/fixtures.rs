//! The captures in `fixtures/`: which there are, what each shows, and how they are written.
//!
//! `cargo run --example fixtures -- fixtures` writes them again; a test compares byte for byte.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;

use super::families::{FAMILIES, GUARDS, SCENARIOS};
use super::pcap::{Resolution, write_file};
use super::scene::Scene;
use super::truth::Truth;
use super::{accounts, crowds, logins, newcomers, quirks, scans};

/// A capture with its truth.
#[derive(Clone, Copy, Debug)]
pub struct Fixture {
    /// The name of its folder.
    pub name: &'static str,
    /// What to see in it, for a person.
    pub sees: &'static str,
    build: fn(&mut Scene) -> Truth,
}

/// All fixtures: for each detector one that fires it and one near miss, then the innocents.
pub const FIXTURES: &[Fixture] = &[
    Fixture {
        name: "scan-horizontal",
        sees: "After half an hour of ordinary work 10.20.2.17 walks through 10.20.3.0/24 on tcp/445.",
        build: scans::horizontal,
    },
    Fixture {
        name: "scan-horizontal-near-miss",
        sees: "A patch server calls 60 clients on tcp/445: all answer, all had called it before.",
        build: scans::horizontal_near_miss,
    },
    Fixture {
        name: "scan-vertical",
        sees: "10.20.2.31 tries 1000 ports of 10.20.3.5 with half-open connections.",
        build: scans::vertical,
    },
    Fixture {
        name: "scan-vertical-near-miss",
        sees: "Passive FTP opens 200 high ports of one server, each of them announced and open.",
        build: scans::vertical_near_miss,
    },
    Fixture {
        name: "scan-slow",
        sees: "10.20.2.44 tries one new host on tcp/445 every half hour for two days.",
        build: scans::slow,
    },
    Fixture {
        name: "scan-slow-hit-list",
        sees: "10.20.2.48 calls one new host on tcp/445 every half hour for four days; all answer.",
        build: scans::slow_hit_list,
    },
    Fixture {
        name: "scan-slow-near-miss",
        sees: "A backup server keeps the same pace, with the same 24 hosts again and again.",
        build: scans::slow_near_miss,
    },
    Fixture {
        name: "scan-arp",
        sees: "10.20.2.50 asks by ARP for all 254 addresses of its subnet in a few seconds.",
        build: scans::arp,
    },
    Fixture {
        name: "scan-arp-near-miss",
        sees: "The router asks for 120 hosts every five minutes; nearly all of them answer.",
        build: scans::arp_near_miss,
    },
    Fixture {
        name: "scan-icmp",
        sees: "10.20.2.55 pings all 254 addresses of 10.20.3.0/24; 30 answer.",
        build: scans::icmp,
    },
    Fixture {
        name: "scan-icmp-near-miss",
        sees: "A monitor pings the same 60 hosts every minute; all answer.",
        build: scans::icmp_near_miss,
    },
    Fixture {
        name: "scan-dark",
        sees: "10.20.2.66 touches 12 unused addresses of a lively subnet, one every 100 minutes.",
        build: scans::dark,
    },
    Fixture {
        name: "scan-dark-near-miss",
        sees: "A client keeps looking for a printer and a server that moved away.",
        build: scans::dark_near_miss,
    },
    Fixture {
        name: "auth-bruteforce",
        sees: "10.20.2.40 opens 60 SSH sessions to 10.20.4.22, alike to the byte.",
        build: logins::brute_force,
    },
    Fixture {
        name: "auth-bruteforce-near-miss",
        sees: "A build runner fetches 60 times from a Git server over SSH; sizes differ.",
        build: logins::brute_force_near_miss,
    },
    Fixture {
        name: "auth-spray",
        sees: "10.20.2.46 tries one account on 14 FTP servers; all refuse.",
        build: accounts::spray,
    },
    Fixture {
        name: "auth-spray-near-miss",
        sees: "20 people log in from a terminal server; every third mistypes first.",
        build: accounts::spray_near_miss,
    },
    Fixture {
        name: "auth-shared",
        sees: "An account that one host used for five days appears on five others in five minutes.",
        build: accounts::shared,
    },
    Fixture {
        name: "auth-shared-near-miss",
        sees: "A service account that eight hosts used for five days is rolled out to four more.",
        build: accounts::shared_near_miss,
    },
    Fixture {
        name: "novelty-edge",
        sees: "After ten quiet days 10.20.2.10 calls five neighbours on tcp/3389, and ten that refuse.",
        build: newcomers::edge,
    },
    Fixture {
        name: "novelty-edge-near-miss",
        sees: "An administrator calls two hosts on tcp/3389 that are new to him, each day.",
        build: newcomers::edge_near_miss,
    },
    Fixture {
        name: "host-new",
        sees: "10.20.2.77 appears after two quiet days and tries administration services.",
        build: newcomers::new_host,
    },
    Fixture {
        name: "host-new-near-miss",
        sees: "A new laptop appears after two quiet days, browses, reads files and prints.",
        build: newcomers::new_host_near_miss,
    },
    Fixture {
        name: "host-awakened",
        sees: "10.20.2.88 was silent for ten days and then tries administration services.",
        build: newcomers::awakened,
    },
    Fixture {
        name: "host-awakened-near-miss",
        sees: "A desktop is back after ten days of holiday and does what it did before.",
        build: newcomers::awakened_near_miss,
    },
    Fixture {
        name: "innocent-automation",
        sees: "One run of a configuration tool logs in to 30 hosts over SSH.",
        build: logins::automation,
    },
    Fixture {
        name: "innocent-backscatter",
        sees: "Two flooded servers answer 250 addresses here that never asked them anything.",
        build: quirks::backscatter,
    },
    Fixture {
        name: "innocent-browsing",
        sees: "Three web pages load from 81 servers in two minutes.",
        build: crowds::browsing,
    },
    Fixture {
        name: "innocent-dead-server",
        sees: "A client asks a server that is down 500 times.",
        build: crowds::dead_server,
    },
    Fixture {
        name: "innocent-discovery",
        sees: "mDNS, LLMNR, SSDP, NetBIOS names and NTP from 20 hosts.",
        build: quirks::discovery,
    },
    Fixture {
        name: "innocent-file-sharing",
        sees: "A file-sharing client tries 200 peers on 200 ports; half of them are gone.",
        build: crowds::file_sharing,
    },
    Fixture {
        name: "innocent-mail-server",
        sees: "A mail server delivers to 70 others; a fifth of them cannot be reached.",
        build: crowds::mail_server,
    },
    Fixture {
        name: "innocent-monitoring",
        sees: "A monitor asks 40 hosts for SNMP and one service each; three are down.",
        build: crowds::monitoring,
    },
    Fixture {
        name: "innocent-one-way",
        sees: "20 clients browse, and the mirror shows only what they send.",
        build: crowds::one_way,
    },
    Fixture {
        name: "innocent-port-reuse",
        sees: "80 connections with the same addresses and ports, one after another.",
        build: quirks::port_reuse,
    },
    Fixture {
        name: "innocent-resolver",
        sees: "A resolver asks 150 name servers of the Internet.",
        build: crowds::resolver,
    },
];

/// Writes every fixture and the list of them below `dir`, replacing what is there.
pub fn write_all(dir: &Path) -> io::Result<()> {
    for fixture in FIXTURES {
        fixture.write(&dir.join(fixture.name))?;
    }
    for family in FAMILIES {
        family.write(&dir.join(family.name))?;
    }
    fs::create_dir_all(dir.join("scenarios"))?;
    for (name, scenario) in SCENARIOS {
        fs::write(dir.join("scenarios").join(name), scenario)?;
    }
    fs::write(dir.join("README.md"), readme())
}

impl Fixture {
    /// Writes the capture and its truth into the folder `dir`, which it makes.
    pub fn write(&self, dir: &Path) -> io::Result<()> {
        let mut scene = Scene::new(self.seed());
        let truth = (self.build)(&mut scene);
        fs::create_dir_all(dir)?;
        let capture = dir.join("capture.pcap.zst");
        write_file(&capture, Resolution::Micros, scene.into_timeline())?;
        fs::write(dir.join("capture.pcap.zst.truth.toml"), truth.to_toml())
    }

    /// Comes from the name, so that a new fixture leaves the others as they are (FNV-1a).
    fn seed(&self) -> u64 {
        self.name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        })
    }
}

fn readme() -> String {
    let mut text = String::from(
        "# Fixtures\n\n\
         Small captures whose truth is known, because `src/synth/` made them: for each detector one\n\
         that fires it and one *near miss* that must stay silent, then innocents that look guilty.\n\
         All addresses are private or reserved for documentation, payloads are inert filler.\n\n\
         Each folder holds `capture.pcap.zst` and its ground truth. Look at one with\n\
         `wormwatch replay fixtures/scan-horizontal/capture.pcap.zst`, at all with `wormwatch eval\n\
         fixtures`. Nobody edits them by hand: `cargo run --example fixtures -- fixtures` writes\n\
         them and this page, and a test compares byte for byte.\n\n\
         | fixture | what to see |\n| --- | --- |\n",
    );
    for fixture in FIXTURES {
        writeln!(text, "| `{}` | {} |", fixture.name, fixture.sees)
            .expect("a string takes any text");
    }
    text.push_str(
        "\n## Worms\n\n\
         Each comes from the `scenario.toml` beside its capture (`docs/synth.md` explains its keys). The\n\
         last column says how many of the hosts that spread the worm are at least suspicious to the\n\
         detectors that there are: where it is less than all, that is a gap, and `wormwatch eval fixtures`\n\
         shows it as one. A test holds the number as the least. `scenarios/` has what is too large to\n\
         store.\n\n\
         | fixture | what to see | found |\n| --- | --- | --: |\n",
    );
    for family in FAMILIES.iter().filter(|family| !family.name.starts_with("guard-")) {
        let found = match family.spread {
            0 => "nobody, as it should be".to_owned(),
            spread => format!("{} of {spread}", family.found),
        };
        writeln!(text, "| `{}` | {} | {found} |", family.name, family.sees)
            .expect("a string takes any text");
    }
    text.push_str(
        "\n## Guards\n\n\
         What ordinary operation has that looks like a worm, each with the capture that has it: hosts\n\
         that receive something over a service and then do the same to others, hosts that suddenly call\n\
         everybody, addresses that nobody had before. Nobody in them may be suspicious, and nothing in\n\
         them is an infection. In `guard-scan-then-patch` the scanner's truth is `unknown`: it does scan.\n\
         `scenarios/over-ssh.toml` is a guard that is not kept yet: jump hosts and mirrors over SSH are\n\
         taken for a worm.\n\n\
         | what | fixture | what looks like a worm | also in |\n| --- | --- | --- | --- |\n",
    );
    let sees = |name: &str| {
        FAMILIES.iter().find(|family| family.name == name).map_or("", |family| family.sees)
    };
    for (what, fixtures) in GUARDS {
        let Some((first, others)) = fixtures.split_first() else { continue };
        let others: Vec<_> = others.iter().map(|name| format!("`{name}`")).collect();
        writeln!(text, "| {what} | `{first}` | {} | {} |", sees(first), others.join(", "))
            .expect("a string takes any text");
    }
    text
}

//! Who lives in the network of the live tests: servers, one good user, attackers.

use std::net::IpAddr;
use std::path::Path;
use std::process::Child;

use crate::keys;
use crate::netns::Lab;

/// Programs that they use.
pub(crate) const TOOLS: [&str; 7] =
    ["nmap", "hydra", "sshd", "ssh-keygen", "curl", "python3", "mount"];

/// The user who does nothing wrong.
pub(crate) const GOOD: &str = "10.77.0.50";

/// Somebody who does wrong: a name, an address, a command line, and what should speak against them.
pub(crate) struct Attacker {
    pub(crate) name: &'static str,
    pub(crate) address: &'static str,
    pub(crate) line: &'static str,
    pub(crate) detector: &'static str,
}

impl Attacker {
    /// The address as such.
    pub(crate) fn host(&self) -> IpAddr {
        self.address.parse().unwrap()
    }
}

/// One attacker for each kind of scan, and one who guesses passwords. `{words}` is a file of them.
pub(crate) const ATTACKERS: [Attacker; 7] = [
    Attacker {
        name: "syn",
        address: "10.77.0.101",
        line: "nmap -sS -n -Pn --max-retries 1 -p 22,445,3389 10.78.0.0/26",
        detector: "scan.",
    },
    Attacker {
        name: "connect",
        address: "10.77.0.102",
        line: "nmap -sT -n -Pn --max-retries 1 -p 445,8080 10.78.0.0/26",
        detector: "scan.",
    },
    Attacker {
        name: "udp",
        address: "10.77.0.103",
        line: "nmap -sU -n -Pn --max-retries 1 -p 161,1900 10.78.0.0/26",
        detector: "scan.",
    },
    Attacker {
        name: "arp",
        address: "10.77.0.104",
        line: "nmap -sn -n 10.77.0.0/24",
        detector: "scan.arp",
    },
    Attacker {
        name: "ping",
        address: "10.77.0.105",
        line: "nmap -sn -PE -n --max-retries 1 10.78.0.0/25",
        detector: "scan.icmp",
    },
    Attacker {
        name: "slow",
        address: "10.77.0.106",
        line: "nmap -sS -n -Pn --max-retries 0 --scan-delay 1s --max-hostgroup 1 -p 445 10.78.0.0/27",
        detector: "scan.",
    },
    Attacker {
        name: "guess",
        address: "10.77.0.107",
        line: "hydra -I -l root -P {words} -t 8 ssh://10.77.0.22",
        detector: "auth.bruteforce",
    },
];

/// Servers: a resolver and three web servers, and one to log in to. Files come from `folder`.
pub(crate) fn open_servers(lab: &mut Lab, folder: &Path) {
    let site = folder.join("site");
    std::fs::create_dir(&site).unwrap();
    std::fs::write(site.join("index.html"), "<p>welcome</p>").unwrap();
    std::fs::write(site.join("large.bin"), vec![7; 5_000_000]).unwrap();
    let site = site.to_str().unwrap();
    for (name, address) in [("web1", "10.77.0.11"), ("web2", "10.77.0.12"), ("web3", "10.77.0.13")]
    {
        lab.host(name, address);
        let quiet = format!("exec python3 -m http.server 80 --directory {site} >/dev/null 2>&1");
        lab.serve_shell(name, &quiet);
    }
    lab.host("dns", "10.77.0.10");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/resolver.py");
    let known =
        ["web1.lab.test=10.77.0.11", "web2.lab.test=10.77.0.12", "web3.lab.test=10.77.0.13"];
    let arguments = [&["-u", script, "10.77.0.10"], &known[..]].concat();
    lab.serve("dns", "python3", &arguments);
    open_sshd(lab, folder);
    for (name, port) in [("web1", 80), ("web2", 80), ("web3", 80), ("ssh", 22)] {
        lab.await_listener(name, port);
    }
}

/// A real sshd with its own key, which knows no password, so every guess fails.
fn open_sshd(lab: &mut Lab, folder: &Path) {
    let key = folder.join("host_key");
    keys::make(&key);
    let config = folder.join("sshd_config");
    let text = format!(
        "HostKey {}\nPidFile none\nUsePAM no\nPasswordAuthentication yes\nPermitRootLogin yes\n\
         MaxAuthTries 3\nMaxStartups 100\nUseDNS no\nLogLevel QUIET\n",
        key.display()
    );
    std::fs::write(&config, text).unwrap();
    lab.host("ssh", "10.77.0.22");
    // sshd insists on a folder in /run, which here is seen by it alone.
    let line = format!(
        "mount -t tmpfs tmpfs /run && mkdir -m 755 /run/sshd && exec /usr/sbin/sshd -D -f {}",
        config.display()
    );
    lab.serve_shell("ssh", &line);
}

/// Lets the good user work until the lab ends: resolve, browse three sites, download, mistype a
/// name now and then, ask a port that is closed once.
pub(crate) fn let_good_user_work(lab: &mut Lab, folder: &Path) {
    let resolver = folder.join("resolv.conf");
    std::fs::write(&resolver, "nameserver 10.77.0.10\noptions timeout:2\n").unwrap();
    lab.host("good", GOOD);
    let line = format!(
        "mount --bind {} /etc/resolv.conf\n\
         get() {{ curl --silent --max-time 10 --output /dev/null \"$@\"; }}\n\
         get http://web1.lab.test:8080/\n\
         while :; do\n\
         for site in web1 web2 web3; do get http://$site.lab.test/; done\n\
         get http://web2.lab.test/large.bin\n\
         get http://web1.lab.test/missing\n\
         get http://typo.lab.test/\n\
         sleep 1\n\
         done",
        resolver.display()
    );
    lab.serve_shell("good", &line);
}

/// Plugs an attacker in and lets them begin.
pub(crate) fn unleash(lab: &mut Lab, attacker: &Attacker, folder: &Path) -> Child {
    let words = folder.join("words.txt");
    if !words.exists() {
        let guesses: String = (0..100).map(|n| format!("Password{n}!\n")).collect();
        std::fs::write(&words, guesses).unwrap();
    }
    lab.host(attacker.name, attacker.address);
    let line = attacker.line.replace("{words}", words.to_str().unwrap());
    let mut parts = line.split(' ');
    let program = parts.next().unwrap();
    let log = std::fs::File::create(folder.join(format!("{}.log", attacker.name))).unwrap();
    lab.inside_whole(attacker.name, program)
        .args(parts)
        .current_dir(folder)
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap()
}

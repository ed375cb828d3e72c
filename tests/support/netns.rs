//! A small network of namespaces: a switch with the sensor in it, hosts on veth pairs, a router to
//! a second subnet. Everything is gone when the value is, whatever the test did.
//!
//! ```text
//!   host ─┐
//!   host ─┼─ br0 (10.77.0.0/24, the sensor listens here) ─ router 10.77.0.1 ─ 10.78.0.0/24
//!   host ─┘
//! ```

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::tools::{command, said};

/// What the names of all namespaces begin with; the number of the process that made them follows.
const PREFIX: &str = "ww";

/// Programs that the lab is made with.
pub(crate) const TOOLS: [&str; 5] = ["ip", "setpriv", "sh", "ss", "unshare"];

/// Whether this process may make namespaces. As with tools, CI must.
pub(crate) fn permitted() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let root = status.lines().any(|line| line.starts_with("Uid:\t0\t"));
    let made = root && {
        let probe = format!("{PREFIX}{}probe", std::process::id());
        let made = command("ip").args(["netns", "add", &probe]).output().unwrap().status.success();
        let _ = command("ip").args(["netns", "del", &probe]).output();
        made
    };
    if !made {
        assert!(std::env::var_os("CI").is_none(), "cannot make network namespaces; run as root");
        eprintln!("skipped: cannot make network namespaces; run as root");
    }
    made
}

/// The network.
pub(crate) struct Lab {
    prefix: String,
    namespaces: Vec<String>,
    children: Vec<Child>,
}

impl Lab {
    /// The switch and the router; hosts are plugged in with [`Lab::host`].
    pub(crate) fn new() -> Self {
        sweep();
        let prefix = format!("{PREFIX}{}", std::process::id());
        let mut lab = Self { prefix, namespaces: Vec::new(), children: Vec::new() };
        lab.namespace("sw");
        lab.ip("sw", "link add br0 type bridge");
        lab.ip("sw", "link set br0 up");
        lab.host("gw", "10.77.0.1");
        // Behind `far` nobody listens, and nobody is asked for a hardware address: what is sent to
        // the second subnet, but to these few addresses, goes unanswered without an error.
        lab.ip("gw", "link add far type veth peer name nowhere");
        lab.ip("gw", "link set far arp off up");
        lab.ip("gw", "link set nowhere up");
        for n in [1, 2, 3, 4] {
            lab.ip("gw", &format!("address add 10.78.0.{n}/24 dev far"));
        }
        lab.shell("gw", "echo 1 > /proc/sys/net/ipv4/ip_forward");
        lab
    }

    fn namespace(&mut self, name: &str) {
        let full = self.full(name);
        run(command("ip").args(["netns", "add", &full]));
        self.namespaces.push(full);
        self.ip(name, "link set lo up");
    }

    /// Plugs a host into the switch.
    pub(crate) fn host(&mut self, name: &str, address: &str) {
        self.namespace(name);
        let port = format!("p-{name}");
        let (switch, host) = (self.full("sw"), self.full(name));
        let line = format!("link add {port} netns {switch} type veth peer name eth0 netns {host}");
        run(command("ip").args(line.split(' ')));
        self.ip("sw", &format!("link set {port} master br0 up"));
        self.ip(name, &format!("address add {address}/24 dev eth0"));
        self.ip(name, "link set eth0 up");
        if name != "gw" {
            self.ip(name, "route add default via 10.77.0.1");
        }
    }

    fn full(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    fn ip(&self, name: &str, line: &str) {
        run(command("ip").args(["-n", &self.full(name)]).args(line.split(' ')));
    }

    /// Runs a line of shell in a namespace and waits for it.
    fn shell(&self, name: &str, line: &str) {
        run(self.inside(name, "sh").args(["-c", line]));
    }

    /// What stands before a command that shall run in a namespace. The kernel kills the command
    /// when the thread that started it ends, so a killed test leaves no process behind.
    pub(crate) fn prefix(&self, name: &str) -> Vec<String> {
        let full = self.full(name);
        ["ip", "netns", "exec", &full, "setpriv", "--pdeathsig", "KILL"].map(str::to_owned).into()
    }

    /// A command in a namespace.
    pub(crate) fn inside(&self, name: &str, program: &str) -> Command {
        let prefix = self.prefix(name);
        let mut whole = command(&prefix[0]);
        whole.args(&prefix[1..]).arg(program).stdin(Stdio::null());
        whole
    }

    /// The same for one that forks: what it leaves behind is killed with it.
    pub(crate) fn inside_whole(&self, name: &str, program: &str) -> Command {
        let mut whole = self.inside(name, "unshare");
        // The first process of a namespace of processes takes all others along.
        whole.args(["--fork", "--kill-child", "--pid", "--mount-proc", program]);
        whole
    }

    /// Starts a program that runs as long as the lab; what it says goes to the test's output.
    pub(crate) fn serve(&mut self, name: &str, program: &str, arguments: &[&str]) {
        let child = self.inside_whole(name, program).args(arguments).spawn().unwrap();
        self.children.push(child);
    }

    /// Waits until somebody in a namespace listens on a TCP port. No packet shows that one waits.
    pub(crate) fn await_listener(&self, name: &str, port: u16) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while Instant::now() < deadline {
            let filter = format!("sport = :{port}");
            let found = self.inside(name, "ss").args(["-Hltn", &filter]).output().unwrap();
            if !found.stdout.is_empty() {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("nobody listens on port {port} of {name}");
    }

    /// Starts a line of shell that runs as long as the lab. It has its own /run and may bind mounts,
    /// which nobody else sees (ip-netns(8)).
    pub(crate) fn serve_shell(&mut self, name: &str, line: &str) {
        self.serve(name, "sh", &["-c", line]);
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
        for namespace in &self.namespaces {
            remove(namespace);
        }
    }
}

/// Removes namespaces of tests that were killed: their process is gone.
fn sweep() {
    let Ok(entries) = fs::read_dir("/run/netns") else { return };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(rest) = name.strip_prefix(PREFIX) else { continue };
        let number: String = rest.chars().take_while(char::is_ascii_digit).collect();
        if !number.is_empty() && !Path::new("/proc").join(&number).exists() {
            remove(&name);
        }
    }
}

/// Kills what a program left behind in a namespace of ours (forks of sshd, workers of hydra), then
/// removes it, and with it every interface in it.
fn remove(namespace: &str) {
    // Again and again: what was about to fork when it was killed has done so since.
    for _ in 0..50 {
        let Ok(left) = command("ip").args(["netns", "pids", namespace]).output() else { break };
        let left = String::from_utf8_lossy(&left.stdout);
        if left.trim().is_empty() {
            break;
        }
        let _ = command("kill").arg("-KILL").args(left.split_ascii_whitespace()).output();
        std::thread::sleep(Duration::from_millis(20));
    }
    let _ = command("ip").args(["netns", "del", namespace]).output();
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", said(&output));
}

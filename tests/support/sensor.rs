//! The daemon under test, in the switch of a [`Lab`].

use std::net::IpAddr;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::netns::Lab;
use crate::tools::{command, said};

/// Where the daemon answers, in its namespace.
pub(crate) const LISTEN: &str = "127.0.0.1:9477";

/// A running daemon and its folder.
pub(crate) struct Sensor {
    child: Child,
    folder: tempfile::TempDir,
    heard: Receiver<String>,
    ask: Vec<String>,
}

impl Sensor {
    /// Starts `wormwatch run` on the switch and waits until it says that it is ready.
    pub(crate) fn start(lab: &Lab) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("notify");
        let notified = UnixDatagram::bind(&socket).unwrap();
        // Somebody always listens, as systemd does; the thread ends with the test.
        let (told, heard) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length) = notified.recv(&mut buffer) {
                let message = String::from_utf8_lossy(&buffer[..length]).into_owned();
                if told.send(message).is_err() {
                    return;
                }
            }
        });
        let config = folder.path().join("wormwatch.toml");
        std::fs::write(&config, configuration(folder.path())).unwrap();
        let child = lab
            .inside("sw", env!("CARGO_BIN_EXE_wormwatch"))
            .args(["run", "-c"])
            .arg(&config)
            .env("NOTIFY_SOCKET", &socket)
            .env("WATCHDOG_USEC", "2000000")
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let started = Self { child, folder, heard, ask: lab.prefix("sw") };
        started.hear("READY=1");
        started
    }

    /// Waits for a message to systemd that holds `word`.
    pub(crate) fn hear(&self, word: &str) -> String {
        let mut others = String::new();
        while let Ok(message) = self.heard.recv_timeout(Duration::from_secs(30)) {
            if message.contains(word) {
                return message;
            }
            others.push_str(&message);
        }
        panic!("the daemon never said {word}, only: {others}");
    }

    /// A page, if it is there.
    pub(crate) fn page(&self, path: &str) -> Option<String> {
        let answer = command(&self.ask[0])
            .args(&self.ask[1..])
            .args(["curl", "--silent", "--fail", "--max-time", "10"])
            .arg(format!("http://{LISTEN}{path}"))
            .output()
            .unwrap();
        answer.status.success().then(|| said(&answer))
    }

    /// Every host on the board.
    pub(crate) fn hosts(&self) -> Vec<Value> {
        let page = self.page("/api/hosts?limit=1000").expect("the board is there");
        let list: Value = serde_json::from_str(&page).unwrap();
        list["hosts"].as_array().unwrap().clone()
    }

    /// The score of one host among the metrics.
    pub(crate) fn score(&self, host: IpAddr) -> Option<f64> {
        let series = format!("wormwatch_host_score{{host=\"{host}\"}} ");
        let page = self.page("/metrics")?;
        page.lines().find_map(|line| line.strip_prefix(&series)?.parse().ok())
    }

    /// Every alert on disk.
    pub(crate) fn alerts(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.alert_file()).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).expect("an alert is JSON")).collect()
    }

    /// Where the alerts are.
    pub(crate) fn alert_file(&self) -> PathBuf {
        self.folder.path().join("alerts.jsonl")
    }

    /// Adds lines to the configuration; they count after [`Sensor::signal`] with `HUP`.
    pub(crate) fn write_configuration(&self, text: &str) {
        std::fs::write(self.folder.path().join("wormwatch.toml"), text).unwrap();
    }

    /// What it was started with.
    pub(crate) fn configuration(&self) -> String {
        configuration(self.folder.path())
    }

    /// The permitted capabilities of each of its threads, as bits.
    pub(crate) fn capabilities(&self) -> Vec<u64> {
        let threads = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
        let sets: Vec<_> = threads
            .map(|thread| std::fs::read_to_string(thread.unwrap().path().join("status")).unwrap())
            .map(|status| {
                let line = status.lines().find_map(|line| line.strip_prefix("CapPrm:\t"));
                u64::from_str_radix(line.unwrap(), 16).unwrap()
            })
            .collect();
        assert!(sets.len() > 1, "the daemon has threads");
        sets
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, name: &str) {
        let sent = command("kill").args(["-s", name, &self.child.id().to_string()]).status();
        assert!(sent.unwrap().success());
    }

    /// Asks it to stop and waits until it has.
    pub(crate) fn stop(&mut self) -> ExitStatus {
        self.signal("TERM");
        let deadline = Instant::now() + Duration::from_secs(30);
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("the daemon did not stop");
    }
}

impl Drop for Sensor {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The configuration of the sensor; the one place that knows the names of its settings.
fn configuration(folder: &Path) -> String {
    format!(
        "[capture]\ninterfaces = [\"br0\"]\n\n\
         [web]\nlisten = \"{LISTEN}\"\n\n\
         [alerts]\nfile = \"{}\"\n\n\
         [log]\nlevel = \"info\"\n",
        folder.join("alerts.jsonl").display()
    )
}

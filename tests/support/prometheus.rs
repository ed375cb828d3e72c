//! A real Prometheus with its own folder, scraping once a second.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::tools::{command, said};

/// What the dashboard's variables stand for in a test.
const VARIABLES: [(&str, &str); 2] = [("$instance", ".*"), ("$__rate_interval", "5s")];

/// A running Prometheus; it ends with the value.
pub(crate) struct Prometheus {
    /// What stands before a command that shall run where Prometheus listens.
    prefix: Vec<String>,
    port: u16,
    child: Child,
    _folder: tempfile::TempDir,
}

impl Prometheus {
    /// Starts one on `port` of loopback that scrapes `target` with the rules of this repository.
    /// `prefix` stands before its command line, to run it in a network namespace.
    pub(crate) fn start(prefix: &[String], port: u16, target: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("prometheus.yml");
        let rules = concat!(env!("CARGO_MANIFEST_DIR"), "/prometheus/wormwatch.rules.yml");
        let text = format!(
            "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\n\
             rule_files: [\"{rules}\"]\n\
             scrape_configs:\n- job_name: wormwatch\n  static_configs: [{{targets: [\"{target}\"]}}]\n"
        );
        std::fs::write(&config, text).unwrap();
        let child = prefixed(prefix, "prometheus")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .arg("--log.level=error")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let started = Self { prefix: prefix.to_vec(), port, child, _folder: folder };
        let ready = Instant::now() + Duration::from_secs(30);
        while started.ask("/-/ready", None).is_none() {
            assert!(Instant::now() < ready, "prometheus did not start");
            std::thread::sleep(Duration::from_millis(200));
        }
        started
    }

    /// The result of a query at this moment; an error says what is wrong with the query.
    pub(crate) fn query(&self, expr: &str) -> Result<Vec<Value>, String> {
        let expr =
            VARIABLES.iter().fold(expr.to_owned(), |e, (name, value)| e.replace(name, value));
        let answer =
            self.ask("/api/v1/query", Some(&expr)).ok_or_else(|| format!("no answer to {expr}"))?;
        let answer: Value = serde_json::from_str(&answer).map_err(|e| e.to_string())?;
        match answer["data"]["result"].as_array() {
            Some(series) => Ok(series.clone()),
            None => Err(format!("{expr}: {answer}")),
        }
    }

    /// Alerting rules whose expression could not be evaluated.
    pub(crate) fn broken_rules(&self) -> Vec<String> {
        let answer = self.ask("/api/v1/rules", None).expect("prometheus lists its rules");
        let answer: Value = serde_json::from_str(&answer).unwrap();
        let groups = answer["data"]["groups"].as_array().unwrap();
        assert!(!groups.is_empty(), "no rules were loaded");
        groups
            .iter()
            .flat_map(|group| group["rules"].as_array().unwrap())
            .filter(|rule| rule["health"] == "err")
            .map(|rule| format!("{}: {}", rule["name"], rule["lastError"]))
            .collect()
    }

    /// Waits until every one of `queries` has data, and names those that never do.
    pub(crate) fn unanswered(
        &self,
        queries: Vec<(String, String)>,
        patience: Duration,
    ) -> Vec<String> {
        let deadline = Instant::now() + patience;
        let mut open = queries;
        assert!(open.len() > 20, "a dashboard of {} queries", open.len());
        loop {
            open.retain(|(_, expr)| self.query(expr).map_or(true, |series| series.is_empty()));
            if open.is_empty() || Instant::now() > deadline {
                break;
            }
            std::thread::sleep(Duration::from_secs(1));
        }
        open.into_iter()
            .map(|(panel, expr)| format!("{panel}: {expr}: {:?}", self.query(&expr)))
            .collect()
    }

    fn ask(&self, path: &str, query: Option<&str>) -> Option<String> {
        let mut curl = prefixed(&self.prefix, "curl");
        curl.args(["--silent", "--max-time", "10"]);
        if let Some(query) = query {
            curl.arg("--data-urlencode").arg(format!("query={query}"));
        }
        let answer = curl.arg(format!("http://127.0.0.1:{}{path}", self.port)).output().unwrap();
        let text = said(&answer);
        // While it starts, Prometheus answers in words, not in JSON.
        (answer.status.success() && !text.contains("Service Unavailable")).then_some(text)
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn prefixed(prefix: &[String], program: &str) -> Command {
    match prefix {
        [] => command(program),
        [first, rest @ ..] => {
            let mut whole = command(first);
            whole.args(rest).arg(program);
            whole
        }
    }
}

/// Every query of a dashboard, with its panel's title.
pub(crate) fn queries(dashboard: &Path) -> Vec<(String, String)> {
    let dashboard: Value =
        serde_json::from_str(&std::fs::read_to_string(dashboard).unwrap()).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let mut found = Vec::new();
    for panel in panels.iter().filter(|panel| panel["type"] != "row") {
        let title = panel["title"].as_str().unwrap();
        for target in panel["targets"].as_array().expect("a panel has queries") {
            found.push((title.to_owned(), target["expr"].as_str().unwrap().to_owned()));
        }
    }
    found
}

//! The truth beside a capture: `NAME.truth.toml`.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::value::{Datetime, Offset};

use crate::time::Timestamp;

/// What ends the name of a file of truth.
const SUFFIX: &str = ".truth.toml";

/// What is known about a capture. Keys that mean nothing here are left alone: origins add notes.
#[derive(Clone, Debug, Deserialize)]
pub struct Truth {
    /// Where the capture comes from; up to the first colon, what it shares with its siblings.
    #[serde(default)]
    pub origin: String,
    /// The class of the capture.
    pub label: String,
    /// Whether any suspicious host at all is a false positive.
    pub benign: bool,
    /// What is known of every host that is not named.
    #[serde(default)]
    pub others: Known,
    /// The hosts that are named.
    #[serde(default, rename = "host")]
    pub hosts: Vec<TrueHost>,
    /// Who infected whom.
    #[serde(default, rename = "infection")]
    pub infections: Vec<TrueInfection>,
}

/// What is known of a host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Known {
    /// It attacks.
    Malicious,
    /// It does not.
    Benign,
    /// Nothing: it is not scored.
    #[default]
    Unknown,
}

/// A host that is named.
#[derive(Clone, Debug, Deserialize)]
pub struct TrueHost {
    /// Its address; where it is none (`(unresolved)`), the host cannot be scored.
    pub address: String,
    /// What is known of it.
    pub verdict: Known,
    /// Detector ids or their prefixes, any of which should have spoken for it.
    #[serde(default)]
    pub classes: Vec<String>,
    /// ATT&CK techniques that it used, where the truth tells them.
    #[serde(default)]
    pub techniques: Vec<String>,
}

/// One host that infected another.
#[derive(Clone, Debug, Deserialize)]
pub struct TrueInfection {
    /// Who.
    pub from: IpAddr,
    /// Whom.
    pub to: IpAddr,
    /// When, where it is known.
    pub at: Option<Datetime>,
}

impl TrueInfection {
    /// When, where it is known; a time without offset is in UTC.
    pub fn moment(&self) -> Option<Timestamp> {
        let at = self.at?;
        let text = match at {
            Datetime { time: None, .. } => return None,
            Datetime { offset: None, .. } => Datetime { offset: Some(Offset::Z), ..at }.to_string(),
            _ => at.to_string(),
        };
        let moment: jiff::Timestamp = text.parse().ok()?;
        i64::try_from(moment.as_nanosecond()).ok().map(Timestamp::from_nanos)
    }
}

/// Truth that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TruthError {
    /// A file or folder cannot be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file does not say what it must.
    #[error("cannot understand {}", path.display())]
    Wrong {
        /// Which.
        path: PathBuf,
        /// Why.
        source: Box<toml::de::Error>,
    },
    /// A malicious host has no address to look for.
    #[error("{}: the malicious host `{address}` has no address", path.display())]
    NoAddress {
        /// Which.
        path: PathBuf,
        /// What stands there.
        address: String,
    },
}

impl Truth {
    /// Reads a file of truth.
    ///
    /// # Errors
    /// If it cannot be read or understood, or names a malicious host without an address.
    pub fn load(path: &Path) -> Result<Self, TruthError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| TruthError::Unreadable { path: path.to_owned(), source })?;
        let truth: Self = toml::from_str(&text).map_err(|source| TruthError::Wrong {
            path: path.to_owned(),
            source: Box::new(source),
        })?;
        for host in &truth.hosts {
            if host.verdict != Known::Unknown && host.address.parse::<IpAddr>().is_err() {
                let address = host.address.clone();
                return Err(TruthError::NoAddress { path: path.to_owned(), address });
            }
        }
        Ok(truth)
    }
}

/// Every capture under `folder` that has truth beside it, with the path of the truth, by path.
///
/// # Errors
/// If a folder cannot be read.
pub fn find(folder: &Path) -> Result<Vec<(PathBuf, PathBuf)>, TruthError> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let unreadable = |source| TruthError::Unreadable { path: folder.clone(), source };
        for entry in std::fs::read_dir(&folder).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            let path = entry.path();
            if entry.file_type().map_err(unreadable)?.is_dir() {
                folders.push(path);
            } else if let Some(name) = entry.file_name().to_str()
                && let Some(capture) = name.strip_suffix(SUFFIX)
            {
                found.push((path.with_file_name(capture), path));
            }
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_truth_with_notes_of_its_own() {
        let truth: Truth = toml::from_str(
            r#"
            origin = "somewhere"
            confidence = "documented"
            label = "worm"
            benign = false
            others = "benign"
            [[host]]
            address = "192.0.2.7"
            verdict = "malicious"
            classes = ["scan", "lateral"]
            techniques = ["T1210"]
            what = "patient zero"
            [[infection]]
            from = "192.0.2.7"
            to = "192.0.2.9"
            at = 1970-01-02T00:00:00Z
            [[infection]]
            from = "192.0.2.9"
            to = "192.0.2.11"
            "#,
        )
        .unwrap();

        assert_eq!((truth.label.as_str(), truth.others), ("worm", Known::Benign));
        assert_eq!(truth.origin, "somewhere");
        assert_eq!(truth.hosts[0].classes, ["scan", "lateral"]);
        assert_eq!(truth.hosts[0].techniques, ["T1210"]);
        assert_eq!(truth.infections[0].moment(), Some(Timestamp::from_secs(86_400)));
        assert_eq!(truth.infections[1].moment(), None);
    }

    #[test]
    fn times_without_offset_are_utc() {
        let at = |text: &str| {
            let text = format!("from = \"192.0.2.1\"\nto = \"192.0.2.2\"\nat = {text}");
            toml::from_str::<TrueInfection>(&text).unwrap().moment()
        };

        assert_eq!(at("1970-01-01T01:00:00"), Some(Timestamp::from_secs(3600)));
        assert_eq!(at("1970-01-01T01:00:00+01:00"), Some(Timestamp::EPOCH));
        assert_eq!(at("1970-01-01"), None);
    }

    #[test]
    fn unknown_hosts_need_no_address_and_malicious_ones_do() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.pcap.truth.toml");
        let load = |verdict: &str| {
            let host = format!("[[host]]\naddress = \"(unresolved)\"\nverdict = \"{verdict}\"");
            std::fs::write(&path, format!("label = \"x\"\nbenign = false\n{host}")).unwrap();
            Truth::load(&path)
        };

        assert!(load("unknown").is_ok());
        assert!(load("malicious").unwrap_err().to_string().contains("`(unresolved)`"));
    }

    #[test]
    fn finds_captures_by_their_truth_in_order() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("b")).unwrap();
        for name in ["z.pcap.truth.toml", "b/y.pcapng.truth.toml", "b/x.pcap", "z.pcap"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }

        let found = find(folder.path()).unwrap();

        let captures: Vec<_> =
            found.iter().map(|(c, _)| c.strip_prefix(folder.path()).unwrap()).collect();
        assert_eq!(captures, [Path::new("b/y.pcapng"), Path::new("z.pcap")]);
    }
}

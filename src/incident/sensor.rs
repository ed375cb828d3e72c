//! Alerts about the sensor itself: who cannot see, cannot accuse, and somebody should repair it.
//!
//! They say nothing about any host: no score, no verdict, nobody's peers.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::score::Verdict;
use crate::time::Timestamp;

use super::digest;
use super::{Alert, AlertKind, Severity, Status, TargetClass};

/// Packet time without further signs after which a trouble is over. Ten minutes: bursts that
/// overrun a buffer come in every few minutes, and are one trouble.
const OVER_AFTER: Duration = Duration::from_secs(600);

/// What keeps the sensor from seeing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trouble {
    /// Only one direction of the traffic arrives.
    OneWay,
    /// The kernel drops packets of this interface for want of buffer.
    Drops(String),
    /// This table is full and forgets early.
    Evictions(&'static str),
    /// This input is damaged, and was read up to there.
    Damage(String),
}

/// Its name among the facts that make an alert's identity; never changes.
impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OneWay => f.write_str("one-way"),
            Self::Drops(interface) => write!(f, "drops {interface}"),
            Self::Evictions(table) => write!(f, "evictions {table}"),
            Self::Damage(input) => write!(f, "damage {input}"),
        }
    }
}

impl Trouble {
    /// Lost packets are lost for good, so somebody should look now.
    const fn severity(&self) -> Severity {
        match self {
            Self::Drops(_) => Severity::High,
            Self::OneWay | Self::Evictions(_) => Severity::Medium,
            Self::Damage(_) => Severity::Low,
        }
    }

    /// Opens the alert about it; `found` says how it shows.
    pub fn alert(&self, sensor: Option<&str>, now: Timestamp, found: &str) -> Alert {
        let name =
            format!("{}\n{}\n{self}\n{}", sensor.unwrap_or_default(), "sensor", now.as_nanos());
        Alert {
            id: digest(&name),
            ts: now,
            updated: now,
            status: Status::Open,
            kind: AlertKind::Sensor,
            severity: self.severity(),
            host: None,
            hosts: Vec::new(),
            hosts_total: 0,
            score: 0.0,
            verdict: Verdict::Benign,
            detectors: Vec::new(),
            techniques: Vec::new(),
            services: Vec::new(),
            peers: Vec::new(),
            peers_total: 0,
            targets: TargetClass::Unnamed.to_string(),
            community_ids: Vec::new(),
            incident: None,
            sensor: sensor.map(str::to_owned),
            summary: format!("The sensor cannot see as it should: {found}. {}", self.next_step()),
            evidence: Vec::new(),
        }
    }

    const fn next_step(&self) -> &'static str {
        match self {
            Self::OneWay => {
                "Mirror both directions of the port, or add the tap's other interface to [capture]."
            }
            Self::Drops(_) => {
                "Raise `buffer` in [capture] and `threads` in [sensor], or filter what need not be \
                 seen."
            }
            Self::Evictions(_) => {
                "Raise the table's `budget`, unless a flood of forged addresses fills it."
            }
            Self::Damage(_) => "What came after the damage was not analysed.",
        }
    }
}

/// What the pipeline shows of its health.
#[derive(Clone, Debug, Default)]
pub struct Signs {
    /// What the inventory says of one-way traffic, if there is any.
    pub one_way: Option<String>,
    /// Packets that the kernel dropped since the start, by interface.
    pub drops: Vec<(String, u64)>,
    /// Entries that went early since the start, by table.
    pub evictions: Vec<(&'static str, u64)>,
}

#[derive(Debug)]
struct Lasting {
    alert: Alert,
    /// When it last showed.
    seen: Timestamp,
}

/// Tells once when a trouble begins, and once when it is over.
///
/// Bounded by the interfaces and tables that there are.
#[derive(Debug, Default)]
pub struct SensorWatch {
    lasting: BTreeMap<Trouble, Lasting>,
    counts: BTreeMap<Trouble, u64>,
}

impl SensorWatch {
    /// Looks at the signs; appends the alerts that open and close to `out`.
    pub fn look(
        &mut self,
        now: Timestamp,
        sensor: Option<&str>,
        signs: &Signs,
        out: &mut Vec<Alert>,
    ) {
        if let Some(found) = &signs.one_way {
            self.show(Trouble::OneWay, now, sensor, found, out);
        }
        for (interface, count) in &signs.drops {
            let more = self.growth(Trouble::Drops(interface.clone()), *count);
            if more > 0 {
                let found = format!("the kernel dropped {more} packets of {interface} in a moment");
                self.show(Trouble::Drops(interface.clone()), now, sensor, &found, out);
            }
        }
        for (table, count) in &signs.evictions {
            let more = self.growth(Trouble::Evictions(table), *count);
            if more > 0 {
                let found = format!("the table of {table} is full and forgot {more} entries early");
                self.show(Trouble::Evictions(table), now, sensor, &found, out);
            }
        }
        for (_, over) in self.lasting.extract_if(.., |_, held| held.seen + OVER_AFTER <= now) {
            let updated = over.seen + OVER_AFTER;
            out.push(Alert { status: Status::Closed, updated, ..over.alert });
        }
    }

    /// Alerts that are open.
    pub fn open_count(&self) -> usize {
        self.lasting.len()
    }

    fn show(
        &mut self,
        trouble: Trouble,
        now: Timestamp,
        sensor: Option<&str>,
        found: &str,
        out: &mut Vec<Alert>,
    ) {
        if let Some(held) = self.lasting.get_mut(&trouble) {
            held.seen = held.seen.max(now);
            return;
        }
        let alert = trouble.alert(sensor, now, found);
        out.push(alert.clone());
        self.lasting.insert(trouble, Lasting { alert, seen: now });
    }

    /// By how much a count has grown since the last look; the first one counts from zero.
    fn growth(&mut self, trouble: Trouble, count: u64) -> u64 {
        let before = self.counts.insert(trouble, count).unwrap_or(0);
        count.saturating_sub(before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drops(count: u64) -> Signs {
        Signs { drops: vec![("eth1".to_owned(), count)], ..Signs::default() }
    }

    /// What is told at each look, as (second, status).
    fn told(looks: &[(i64, Signs)]) -> Vec<(i64, Status)> {
        let mut watch = SensorWatch::default();
        let mut told = Vec::new();
        for (second, signs) in looks {
            let mut out = Vec::new();
            watch.look(Timestamp::from_secs(*second), Some("a"), signs, &mut out);
            told.extend(out.iter().map(|alert| (*second, alert.status)));
        }
        told
    }

    #[test]
    fn a_trouble_is_told_when_it_begins_and_when_it_is_over() {
        let looks = [
            (0, drops(0)),
            (1, drops(7)),
            (2, drops(9)),
            (500, drops(10)),
            (1099, drops(10)),
            (1100, drops(10)),
            (1101, drops(10)),
            (2000, drops(11)),
        ];

        let expected = [(1, Status::Open), (1100, Status::Closed), (2000, Status::Open)];
        assert_eq!(told(&looks), expected);
    }

    #[test]
    fn a_healthy_sensor_says_nothing() {
        let signs = Signs { evictions: vec![("hosts", 0)], ..drops(0) };

        assert_eq!(told(&[(0, signs.clone()), (5000, signs)]), []);
    }

    #[test]
    fn each_trouble_is_an_alert_of_its_own_about_no_host() {
        let signs = Signs {
            one_way: Some("half is missing".to_owned()),
            evictions: vec![("hosts", 3), ("connections", 0)],
            ..drops(1)
        };
        let mut out = Vec::new();

        SensorWatch::default().look(Timestamp::from_secs(9), None, &signs, &mut out);

        let severities: Vec<_> = out.iter().map(|alert| alert.severity).collect();
        assert_eq!(severities, [Severity::Medium, Severity::High, Severity::Medium]);
        assert!(out.iter().all(|alert| alert.host.is_none() && alert.kind == AlertKind::Sensor));
        assert!(out.iter().all(|alert| alert.verdict == Verdict::Benign && alert.score == 0.0));
        assert!(out[2].summary.contains("the table of hosts is full and forgot 3 entries early"));
        assert_ne!(out[0].id, out[1].id);
        let json = serde_json::to_value(&out[0]).unwrap();
        assert_eq!((&json["host"], &json["kind"]), (&serde_json::Value::Null, &"sensor".into()));
        assert_eq!(json["hosts"], serde_json::json!([]));
    }

    #[test]
    fn an_alert_that_closes_keeps_its_identity() {
        let mut watch = SensorWatch::default();
        let mut out = Vec::new();
        watch.look(Timestamp::from_secs(1), None, &drops(1), &mut out);

        watch.look(Timestamp::from_secs(900), None, &drops(1), &mut out);

        assert_eq!(out[0].id, out[1].id);
        assert_eq!(out[1].ts, Timestamp::from_secs(1));
        assert_eq!(out[1].updated, Timestamp::from_secs(601));
        assert_eq!(watch.open_count(), 0);
    }
}

//! Two small outbreaks for tests.

use std::time::Duration;

use crate::detect::Family;
use crate::incident::{Exposed, HostReport, Incident, Infection, Summary};
use crate::net::Service;
use crate::score::testing::{about, evidence, forgeable, ip};
use crate::score::{ScoreBoard, ScoreConfig};
use crate::time::Timestamp;

/// 2017-05-18 08:12:00 UTC.
const START: i64 = 1_495_095_120;

/// An infection `secs` after the start, which nobody else could have done.
pub(crate) fn infection(from: &str, to: &str, secs: i64, generation: u32, id: &str) -> Infection {
    Infection {
        from: ip(from),
        to: ip(to),
        at: Timestamp::from_secs(START + secs),
        confidence: 0.97,
        generation,
        service: Some(Service::tcp(445)),
        incident: id.to_owned(),
        reasons: vec!["the same file crossed both edges".to_owned()],
        runner_up: None,
    }
}

/// One outbreak of three generations, and one of one.
pub(crate) fn outbreak() -> Summary {
    let infections = vec![
        Infection {
            runner_up: Some((ip("10.0.0.9"), 0.02)),
            ..infection("10.0.0.1", "10.0.0.2", 60, 1, "worm-1")
        },
        infection("10.0.0.1", "10.0.0.3", 95, 1, "worm-1"),
        Infection {
            service: Some(Service::tcp(22)),
            confidence: 0.62,
            ..infection("10.0.0.2", "10.0.0.4", 130, 2, "worm-1")
        },
        infection("10.0.0.4", "10.0.0.5", 200, 3, "worm-1"),
        Infection {
            service: Some(Service::tcp(3389)),
            ..infection("2001:db8::1", "2001:db8::2", 400, 1, "worm-2")
        },
    ];
    let incident = |id: &str, zero: &str, hosts, generations, updated| Incident {
        id: id.to_owned(),
        since: Timestamp::from_secs(START),
        updated: Timestamp::from_secs(START + updated),
        patient_zero: vec![ip(zero)],
        origin: crate::incident::Origin::Inside,
        hosts,
        generations,
        reproduction_number: 1.333,
        reproduction_interval: (0.4, 3.0),
        doubling_time: (hosts > 2).then(|| Duration::from_secs(84)),
        exposed: Vec::new(),
    };
    let exposed = |host, contacted| Exposed {
        host: ip(host),
        from: ip("10.0.0.4"),
        service: Service::tcp(22),
        contacted,
    };
    Summary {
        hosts: hosts(),
        infections,
        incidents: vec![
            Incident {
                exposed: vec![
                    exposed("10.0.0.8", true),
                    exposed("10.0.0.9", false),
                    exposed("10.0.0.3", false),
                ],
                ..incident("worm-1", "10.0.0.1", 5, 3, 200)
            },
            incident("worm-2", "2001:db8::1", 2, 1, 400),
        ],
        ..Summary::default()
    }
}

fn hosts() -> Vec<HostReport> {
    let mut board = ScoreBoard::new(&ScoreConfig::default());
    board.add(about("10.0.0.1", forgeable("scan.horizontal", Family::Failure, 14.0, START + 50)));
    board.add(about("10.0.0.1", evidence("host.new", Family::Context, 1.0, START)));
    board.add(about("10.0.0.2", evidence("auth.bruteforce", Family::Credential, 7.0, START + 90)));
    let mut ssh = about("10.0.0.4", evidence("novelty.edge", Family::Novelty, 2.0, START + 150));
    ssh.service = Some(Service::tcp(22));
    board.add(ssh);
    let report = |score: crate::score::HostScore| HostReport {
        internal: true,
        first_seen: Timestamp::from_secs(START),
        last_seen: Timestamp::from_secs(START + 300),
        roles: Vec::new(),
        connections: 40,
        connections_to_alert: None,
        hidden: Vec::new(),
        score,
    };
    board.hosts().into_iter().map(report).collect()
}

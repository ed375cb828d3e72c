//! Outbreaks made by hand.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use wormwatch::detect::{Evidence, Family};
use wormwatch::incident::{Exposed, HostReport, Incident, Infection, InputSummary, Summary};
use wormwatch::net::Service;
use wormwatch::score::{ScoreBoard, ScoreConfig};
use wormwatch::source::InputReport;
use wormwatch::time::Timestamp;

/// What an intruder might have somebody's logs say.
pub(crate) const HOSTILE: &str =
    "</script><script>broken = 1</script><img src=x onerror=\"broken = 1\">";

/// 2017-05-18 08:12:00 UTC.
const START: i64 = 1_495_095_120;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(START + secs)
}

/// One outbreak of three generations and one of one, and evidence against four of the hosts.
pub(crate) fn summary() -> Summary {
    let service = Some(Service::tcp(22));
    let infections = vec![
        infection(ip("10.0.0.1"), ip("10.0.0.2"), 60, 1, "worm-1"),
        infection(ip("10.0.0.1"), ip("10.0.0.3"), 95, 1, "worm-1"),
        Infection {
            service,
            confidence: 0.62,
            reasons: vec![HOSTILE.to_owned(), "the same client program on both edges".to_owned()],
            runner_up: Some((ip("10.0.0.3"), 0.21)),
            ..infection(ip("10.0.0.2"), ip("10.0.0.4"), 130, 2, "worm-1")
        },
        infection(ip("10.0.0.4"), ip("10.0.0.5"), 200, 3, "worm-1"),
        Infection {
            service,
            confidence: 0.41,
            ..infection(ip("2001:db8::1"), ip("2001:db8::2"), 240, 1, "worm-2")
        },
    ];
    let exposed = |host, contacted| Exposed {
        host: ip(host),
        from: ip("10.0.0.4"),
        service: Service::tcp(22),
        contacted,
    };
    let first = Incident {
        hosts: 5,
        generations: 3,
        doubling_time: Some(Duration::from_secs(84)),
        exposed: vec![exposed("10.0.0.8", true), exposed("10.0.0.9", false)],
        ..incident("worm-1", ip("10.0.0.1"), 0, 200)
    };
    Summary {
        inputs: vec![InputSummary {
            report: InputReport {
                name: "outbreak.pcap".to_owned(),
                packets: 4981,
                first_ts: Some(at(-30)),
                last_ts: Some(at(400)),
                damage: Some("the file ends within a packet".to_owned()),
                ..InputReport::default()
            },
            ..InputSummary::default()
        }],
        hosts: hosts(),
        infections,
        incidents: vec![first, incident("worm-2", ip("2001:db8::1"), 40, 240)],
        notices: vec!["only one direction of the traffic is seen".to_owned()],
        packets: 4981,
        connections: 812,
        hosts_seen: 223,
        ..Summary::default()
    }
}

/// Two thousand hosts, each infected by the one of half its number.
pub(crate) fn large() -> Summary {
    let host = |n: u32| IpAddr::V4(Ipv4Addr::from(0x0a00_0000 + n));
    let infections =
        (2..=2001).map(|n| infection(host(n / 2), host(n), i64::from(n), n.ilog2(), "worm-1"));
    Summary {
        infections: infections.collect(),
        incidents: vec![incident("worm-1", host(1), 0, 2001)],
        ..Summary::default()
    }
}

fn incident(id: &str, zero: IpAddr, since: i64, updated: i64) -> Incident {
    Incident {
        id: id.to_owned(),
        since: at(since),
        updated: at(updated),
        patient_zero: vec![zero],
        origin: wormwatch::incident::Origin::Inside,
        hosts: 2,
        generations: 1,
        reproduction_number: 1.33,
        reproduction_interval: (0.4, 3.1),
        doubling_time: None,
        exposed: Vec::new(),
    }
}

fn infection(from: IpAddr, to: IpAddr, secs: i64, generation: u32, incident: &str) -> Infection {
    Infection {
        from,
        to,
        at: at(secs),
        confidence: 0.97,
        generation,
        service: Some(Service::tcp(445)),
        incident: incident.to_owned(),
        reasons: vec!["the same file crossed both edges".to_owned()],
        runner_up: None,
    }
}

fn hosts() -> Vec<HostReport> {
    let evidence = |host, detector, family, llr, secs| Evidence {
        ts: at(secs),
        host: ip(host),
        detector,
        family,
        llr,
        subject: "tcp/445".to_owned(),
        peers: vec![ip("10.1.0.1"), ip("10.1.0.2")],
        peers_total: 214,
        service: Some(Service::tcp(445)),
        techniques: &["T1046"],
        conns: Vec::new(),
        forgeable: family == Family::Failure,
        summary: "214 of 220 first contacts on tcp/445 failed".to_owned(),
    };
    let mut board = ScoreBoard::new(&ScoreConfig::default());
    for told in [
        evidence("10.0.0.1", "scan.horizontal", Family::Failure, 14.0, 20),
        evidence("10.0.0.1", "novelty.edge", Family::Novelty, 2.5, 25),
        evidence("10.0.0.1", "host.new", Family::Context, 1.0, -20),
        evidence("10.0.0.2", "scan.horizontal", Family::Failure, 9.0, 80),
        evidence("10.0.0.2", "causality.turn", Family::Causality, 6.0, 82),
        evidence("10.0.0.2", "auth.bruteforce", Family::Credential, 4.0, 110),
        evidence("10.0.0.3", "lateral.service", Family::Lateral, 7.0, 99),
        Evidence {
            service: Some(Service::tcp(22)),
            summary: HOSTILE.to_owned(),
            ..evidence("10.0.0.4", "novelty.edge", Family::Novelty, 5.5, 150)
        },
    ] {
        board.add(told);
    }
    let report = |score: wormwatch::score::HostScore| HostReport {
        internal: true,
        first_seen: at(-30),
        last_seen: at(400),
        roles: vec!["workstation"],
        connections: 240,
        connections_to_alert: None,
        hidden: Vec::new(),
        score,
    };
    board.hosts().into_iter().map(report).collect()
}

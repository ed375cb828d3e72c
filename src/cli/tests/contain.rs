//! `contain`: a plan in each of its formats.

use super::*;
use crate::incident::{Incident, Infection, Traffic};
use crate::net::Service;

/// A worm that keeps to SMB among nine hosts, and one that does not among three, one of them
/// outside.
fn two_incidents() -> Summary {
    let incident = |id: &str, patient_zero: &str| Incident {
        id: id.to_owned(),
        since: Timestamp::from_secs(1),
        updated: Timestamp::from_secs(2),
        patient_zero: vec![ip(patient_zero)],
        origin: crate::incident::Origin::Inside,
        hosts: 3,
        generations: 1,
        reproduction_number: 1.0,
        reproduction_interval: (0.5, 2.0),
        doubling_time: None,
        exposed: Vec::new(),
    };
    let infection = |incident: &str, from: &str, to: &str, port| Infection {
        from: ip(from),
        to: ip(to),
        at: Timestamp::from_secs(2),
        confidence: 0.9,
        generation: 1,
        service: Some(Service::tcp(port)),
        incident: incident.to_owned(),
        reasons: Vec::new(),
        runner_up: None,
    };
    let traffic = |client: &str, server: &str, port, connections| Traffic {
        client: ip(client),
        server: ip(server),
        service: Service::tcp(port),
        connections,
        last: Timestamp::from_secs(2),
    };
    let smb = (1..=8).map(|n| infection("smb-worm", "10.0.0.9", &format!("10.0.0.{n}"), 445));
    let adaptive = [
        infection("any-worm", "203.0.113.66", "10.0.7.1", 22),
        infection("any-worm", "10.0.7.1", "fd00::7", 80),
    ];
    Summary {
        infections: smb.chain(adaptive).collect(),
        incidents: vec![incident("smb-worm", "10.0.0.9"), incident("any-worm", "203.0.113.66")],
        traffic: vec![
            traffic("10.0.0.77", "10.0.1.1", 445, 500),
            traffic("10.0.7.1", "198.51.100.7", 443, 31),
            traffic("10.0.0.1", "10.0.1.1", 445, 20),
        ],
        ..Summary::default()
    }
}

fn contain(words: &[&str]) -> String {
    let words = [&["contain", "x.pcap"], words].concat();
    let (status, page) = type_in(&words, &Canned(Ok(two_incidents())));
    assert_eq!(status.unwrap(), Status::Done);
    page
}

#[test]
fn shows_what_to_cut_and_what_it_costs() {
    insta::assert_snapshot!(contain(&[]), @r#"
    Incident smb-worm: 9 suspects, spread through tcp/445; next through another with 11 %

     cut                    host                          service   connections
    ────────────────────────────────────────────────────────────────────────────
     shield from suspects   10.0.1.1                      tcp/445   20
     shield from suspects   every other own host (IPv4)   tcp/445   0

    2 cuts, which would have stopped 20 connections with hosts outside the incident.
    Exact: no other such cuts cost less in connections and cuts, by the traffic that was seen.

    Incident any-worm: 3 suspects, spread through tcp/22, tcp/80; next through another with 50 %, so only isolation is safe

     cut        host           service   connections
    ─────────────────────────────────────────────────
     isolate    10.0.7.1       all       31
     isolate    fd00::7        all       0
     keep out   203.0.113.66   all       0

    3 cuts, which would have stopped 31 connections with hosts outside the incident.
    Exact: every suspect has to go, so there is no choice.
    "#);
}

#[test]
fn writes_a_ruleset() {
    insta::assert_snapshot!(contain(&["--format", "nftables"]), @r#"
    #!/usr/sbin/nft -f
    # Cuts that `wormwatch contain` advises; nothing was loaded yet.
    # Try it:       nft -c -f FILE
    # Take it back: nft delete table inet wormwatch_contain
    # A router sees what it forwards. Hosts of one switch have to be cut there.
    #
    # i1: incident smb-worm
    #     spread through tcp/445; next through another with 11 %
    #     Exact: no other such cuts cost less in connections and cuts, by the traffic that was seen.
    #
    # i2: incident any-worm
    #     spread through tcp/22, tcp/80; next through another with 50 %, so only isolation is safe
    #     Exact: every suspect has to go, so there is no choice.

    table inet wormwatch_contain
    delete table inet wormwatch_contain

    table inet wormwatch_contain {
        set home_v4 {
            type ipv4_addr
            flags interval
            auto-merge
            elements = { 10.0.0.0/8, 100.64.0.0/10, 127.0.0.0/8, 169.254.0.0/16, 172.16.0.0/12, 192.168.0.0/16 }
        }

        set i1_shield_tcp_445_v4 {
            type ipv4_addr
            elements = { 10.0.1.1 }
        }

        set i1_suspects_v4 {
            type ipv4_addr
            elements = { 10.0.0.1, 10.0.0.2, 10.0.0.3, 10.0.0.4, 10.0.0.5, 10.0.0.6, 10.0.0.7, 10.0.0.8, 10.0.0.9 }
        }

        set i2_off_v4 {
            type ipv4_addr
            elements = { 10.0.7.1, 203.0.113.66 }
        }

        set i2_off_v6 {
            type ipv6_addr
            elements = { fd00::7 }
        }

        chain forward {
            type filter hook forward priority filter - 10; policy accept;
            ip saddr @i1_suspects_v4 ip daddr @i1_shield_tcp_445_v4 tcp dport 445 counter drop comment "suspect calls who offers it"
            ip saddr @i1_suspects_v4 ip daddr @home_v4 tcp dport 445 counter drop comment "suspect calls any own host"
            ip saddr @i2_off_v4 counter drop comment "from who is off"
            ip daddr @i2_off_v4 counter drop comment "to who is off"
            ip6 saddr @i2_off_v6 counter drop comment "from who is off"
            ip6 daddr @i2_off_v6 counter drop comment "to who is off"
        }
    }
    "#);
}

#[test]
fn writes_json() {
    let text = contain(&["--format", "json", "--incident", "any-worm"]);

    assert_eq!(text.lines().count(), 1);
    let document: serde_json::Value = serde_json::from_str(&text).unwrap();
    insta::assert_snapshot!(serde_json::to_string_pretty(&document).unwrap(), @r#"
    {
      "plans": [
        {
          "connections": 31,
          "cuts": [
            {
              "connections": 31,
              "family": "v4",
              "host": "10.0.7.1",
              "kind": "isolate",
              "service": null
            },
            {
              "connections": 0,
              "family": "v6",
              "host": "fd00::7",
              "kind": "isolate",
              "service": null
            },
            {
              "connections": 0,
              "family": "v4",
              "host": "203.0.113.66",
              "kind": "bar",
              "service": null
            }
          ],
          "exact": true,
          "forgotten": 0,
          "incident": "any-worm",
          "novelty": 0.5,
          "predictable": false,
          "price": 34,
          "services": [
            {
              "infections": 1,
              "service": "tcp/22"
            },
            {
              "infections": 1,
              "service": "tcp/80"
            }
          ],
          "suspects": [
            "10.0.7.1",
            "203.0.113.66",
            "fd00::7"
          ],
          "unknown": 0
        }
      ],
      "schema": "wormwatch.contain/1"
    }
    "#);
}

#[test]
fn says_that_there_is_nothing_to_cut() {
    let said = |format| {
        let words = ["contain", "x.pcap", "--format", format];
        let (status, page) = type_in(&words, &Canned(Ok(Summary::default())));
        assert_eq!(status.unwrap(), Status::Done);
        page
    };

    assert_eq!(said("table"), "No incident, so there is nothing to cut.\n");
    assert_eq!(said("json"), "{\"schema\":\"wormwatch.contain/1\",\"plans\":[]}\n");
    assert!(said("nftables").ends_with("# No incident, so there is nothing to cut.\n"));
}

#[test]
fn names_the_incidents_that_there_are() {
    let complaint = |summary| {
        let words = ["contain", "x.pcap", "--incident", "mail-worm"];
        type_in(&words, &Canned(Ok(summary))).0.unwrap_err().to_string()
    };

    assert_eq!(
        complaint(two_incidents()),
        "no incident `mail-worm` in the input, only smb-worm, any-worm"
    );
    assert_eq!(
        complaint(Summary::default()),
        "no incident `mail-worm` in the input, nor any other"
    );
}

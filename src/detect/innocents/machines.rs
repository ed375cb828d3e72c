//! What machines do by themselves: watch, back up, deploy, poll, and ask for their keys.

use super::outsider;
use crate::detect::testing::{judge, ping, tcp, udp, who_has};
use crate::event::Event;

#[test]
fn a_poller_of_two_hundred_devices_in_its_first_round() {
    judge((1..=200).flat_map(|n| {
        let (at, device) = (f64::from(n) * 0.2, format!("10.0.3.{n}"));
        let asked = udp("10.0.0.9", &device, 161).at(at);
        let pinged = ping("10.0.0.9", &device).at(at);
        let is_down = n % 7 == 0;
        if is_down {
            [asked.unanswered(), pinged.unanswered()]
        } else {
            [asked.accepted(), pinged.accepted()]
        }
    }))
    .assert_innocent();
}

#[test]
fn a_building_and_a_plant_that_are_polled() {
    judge((0..400).flat_map(|n| {
        let (at, place) = (f64::from(n) * 0.5, n % 39 + 1);
        let controller = format!("10.0.5.{place}");
        let building = udp("10.0.0.8", &controller, 47_808).client_port(47_808).at(at);
        let plant = tcp("10.0.0.8", &controller, 502).client_port(50_000 + n as u16).at(at);
        let is_down = place % 8 == 0;
        if is_down {
            [building.unanswered(), plant.unanswered()]
        } else {
            [building.accepted(), plant.accepted()]
        }
    }))
    .assert_innocent();
}

#[test]
fn a_monitor_that_pings_a_hundred_hosts_of_which_eight_are_down() {
    judge((0..30).flat_map(|round| {
        (1..=100).flat_map(move |n| {
            let at = f64::from(round) * 60.0 + f64::from(n) * 0.05;
            let (inside, outside) = (format!("10.0.3.{n}"), outsider(n));
            let [inside, outside] = [ping("10.0.0.9", &inside), ping("10.0.0.9", &outside)];
            let is_down = n % 12 == 0;
            [inside.at(at), outside.at(at)]
                .map(|talk| if is_down { talk.unanswered() } else { talk.accepted() })
        })
    }))
    .assert_innocent();
}

#[test]
fn a_backup_that_visits_sixty_clients_of_which_nine_are_off() {
    judge((0..5).flat_map(|night| {
        (1..=60).map(move |n| {
            let at = f64::from(night) * 86_400.0 + f64::from(n) * 240.0;
            let visit = tcp("10.0.0.6", &format!("10.0.2.{n}"), 445).at(at);
            if n % 7 == 3 { visit.unanswered() } else { visit.accepted() }
        })
    }))
    .assert_innocent();
}

/// A session of an administrator's tool with `host`: the contact, then what it was.
fn session(client: &str, host: &str, at: f64, bytes: (u64, u64)) -> [Event; 2] {
    let talk = tcp(client, host, 22).at(at);
    [talk.accepted(), talk.conn(4.0, bytes, 24)]
}

#[test]
fn a_playbook_for_thirty_hosts() {
    judge((0..8).flat_map(|task| {
        (1..=30).flat_map(move |n| {
            let at = task as f64 * 30.0 + f64::from(n % 5) * 0.1 + f64::from(n / 5) * 4.0;
            session("10.0.0.4", &format!("10.0.2.{n}"), at, (4100 + task * 400, 4400 + task * 90))
        })
    }))
    .assert_innocent();
}

#[test]
fn a_build_runner_that_fetches_all_day() {
    judge((0..400u64).flat_map(|n| {
        session(
            "10.0.0.5",
            "10.0.4.22",
            n as f64 * 90.0,
            (3300 + n % 3 * 50, 4200 + n * 997 % 50_000),
        )
    }))
    .assert_innocent();
}

#[test]
fn checks_that_read_banners_every_minute() {
    judge((0..600).flat_map(|n| {
        let at = f64::from(n) * 60.0;
        let host = format!("10.0.4.{}", n % 5);
        [
            tcp("10.0.0.9", &host, 22).at(at).conn(0.1, (24, 42), 1),
            tcp("10.0.0.9", &host, 25).at(at + 1.0).conn(0.1, (6, 90), 1),
            tcp("10.0.0.9", &host, 21).at(at + 2.0).conn(0.1, (6, 60), 1),
            tcp("10.0.0.9", &host, 143).at(at + 3.0).conn(0.1, (14, 110), 1),
            tcp("10.0.0.9", &host, 3306).at(at + 4.0).conn(0.1, (0, 95), 0),
            tcp("10.0.0.9", &host, 5900).at(at + 5.0).conn(0.1, (12, 16), 1),
        ]
    }))
    .assert_innocent();
}

#[test]
fn an_application_with_a_pool_of_databases() {
    judge((0..3000u64).flat_map(|n| {
        let at = n as f64 * 0.4;
        [
            tcp("10.0.0.80", "10.0.4.33", 3306).at(at).conn(0.05, (310 + n % 9, 700 + n % 7), 4),
            tcp("10.0.0.80", "10.0.4.54", 5432).at(at).conn(0.05, (420, 560), 5),
            tcp("10.0.0.80", "10.0.4.63", 6379).at(at).conn(0.02, (60, 40), 2),
            tcp("10.0.0.80", "10.0.4.14", 1433).at(at).conn(0.05, (900, 1400), 6),
        ]
    }))
    .assert_innocent();
}

#[test]
fn a_phone_that_polls_four_mailboxes() {
    judge((0..500).flat_map(|n| {
        let at = f64::from(n) * 120.0;
        [
            tcp("10.0.0.7", "203.0.113.1", 143).at(at).conn(0.4, (150, 640), 6),
            tcp("10.0.0.7", "203.0.113.2", 110).at(at).conn(0.3, (50, 130), 4),
            tcp("10.0.0.7", "203.0.113.3", 993).at(at).conn(0.4, (900, 4200), 6),
        ]
    }))
    .assert_innocent();
}

#[test]
fn a_program_that_calls_an_interface_thousands_of_times() {
    judge((0..4000u64).flat_map(|n| {
        let call = tcp("10.0.0.7", &outsider((n % 4) as u32), 443)
            .client_port(32_768 + (n % 20_000) as u16)
            .at(n as f64 * 0.2);
        [call.accepted(), call.conn(0.1, (900, 3100), 2)]
    }))
    .assert_innocent();
}

#[test]
fn a_house_full_of_things_that_announce_themselves() {
    judge((0..400u32).flat_map(|n| {
        let at = f64::from(n) * 1.5;
        let thing = format!("10.0.0.{}", n % 20 + 1);
        let asker = format!("10.0.0.{}", n % 7 + 1);
        [
            udp(&thing, "10.0.0.255", 137).client_port(137).at(at).unanswered(),
            // Answers to a search that went to a group.
            udp(&thing, &asker, 50_000 + (n % 300) as u16).client_port(1900).at(at).unanswered(),
            udp(&thing, &asker, 51_000 + (n % 300) as u16).client_port(3702).at(at).unanswered(),
            udp(&thing, &asker, 5353).client_port(5353).at(at).unanswered(),
            udp(&thing, &asker, 52_000 + (n % 300) as u16).client_port(5355).at(at).unanswered(),
        ]
    }))
    .assert_innocent();
}

#[test]
fn a_client_whose_lease_cannot_be_renewed() {
    let renewals = (0..200).map(|n| {
        udp("10.0.0.7", "10.0.0.2", 67).client_port(68).at(f64::from(n) * 60.0).unanswered()
    });
    let probes = (0..3).map(|n| who_has(f64::from(n), "0.0.0.0", 7, "10.0.0.7"));

    judge(renewals.chain(probes)).assert_innocent();
}

#[test]
fn a_cluster_that_looks_for_its_members() {
    judge((0..20).flat_map(|round| {
        (1..=12).flat_map(move |n| {
            let at = f64::from(round) * 5.0 + f64::from(n) * 0.01;
            let member = format!("10.0.7.{n}");
            let is_down = n % 4 == 0;
            [9300, 2380, 7946].map(|port| {
                let call = tcp("10.0.7.100", &member, port).at(at);
                if is_down { call.unanswered() } else { call.accepted() }
            })
        })
    }))
    .assert_innocent();
}

//! What servers and the machines in front of them do: deliver, resolve, balance, translate.

use super::outsider;
use crate::detect::testing::{icmp, is_at, judge, ping, tcp, udp, who_has};
use crate::event::Opening;

#[test]
fn a_resolver_of_whose_questions_a_third_fail() {
    judge((0..3000).flat_map(|n| {
        let (at, server) = (f64::from(n) * 0.1, outsider(n));
        let asked = udp("10.0.0.53", &server, 53).at(at);
        let again = tcp("10.0.0.53", &server, 53).at(at + 1.0);
        [
            if n % 10 < 3 { asked.unanswered() } else { asked.accepted() },
            if n % 10 == 3 { again.refused() } else { again.accepted() },
            udp("2a01::53", &format!("2a00:{:x}::53", n % 500), 53).at(at).unreachable(),
        ]
    }))
    .assert_innocent();
}

#[test]
fn a_mail_server_and_the_hosts_of_one_big_provider() {
    judge((0..120).map(|n| {
        let other = format!("198.51.100.{}", n + 1);
        let delivery = tcp("10.0.0.25", &other, 25).at(f64::from(n) * 14.0);
        match n * 7 % 10 {
            0 => delivery.unanswered(),
            1 => delivery.refused(),
            _ => delivery.accepted(),
        }
    }))
    .assert_innocent();
}

#[test]
fn a_mail_queue_whose_recipients_are_mostly_dead() {
    judge((0..300).map(|n| {
        let delivery = tcp("10.0.0.25", &outsider(n), 25).at(f64::from(n) * 3.0);
        if n % 5 == 0 { delivery.accepted() } else { delivery.unanswered() }
    }))
    .assert_innocent();
}

#[test]
fn a_pool_of_time_servers_that_is_half_dead() {
    judge((0..80).map(|n| {
        let asked = udp("10.0.0.7", &outsider(n), 123).at(f64::from(n) * 64.0);
        if n % 2 == 0 { asked.accepted() } else { asked.unanswered() }
    }))
    .assert_innocent();
}

#[test]
fn a_balancer_that_checks_twenty_backends_of_which_four_are_down() {
    judge((0..30).flat_map(|round| {
        (1..=20).flat_map(move |n| {
            let at = f64::from(round) * 5.0 + f64::from(n) * 0.01;
            [8080, 8443, 9000].map(|port| {
                let check = tcp("10.0.1.1", &format!("10.0.2.{n}"), port).at(at);
                if n % 5 == 0 { check.refused() } else { check.accepted() }
            })
        })
    }))
    .assert_innocent();
}

#[test]
fn a_node_that_probes_a_hundred_pods_before_they_are_ready() {
    judge((1..=100).flat_map(|n| {
        let (pod, at) = (format!("10.0.3.{n}"), f64::from(n) * 20.0);
        let port = [8080, 9090, 3000, 8081, 15_021][n as usize % 5];
        let first = tcp("10.0.3.254", &pod, port).at(at);
        [
            if n * 7 % 10 < 4 { first.refused() } else { first.accepted() },
            tcp("10.0.3.254", &pod, port).at(at + 10.0).accepted(),
        ]
    }))
    .assert_innocent();
}

#[test]
fn a_translator_behind_which_fifty_people_sit() {
    judge((0..2000).flat_map(|n| {
        let at = f64::from(n) * 0.5;
        let web = tcp("192.168.0.1", &outsider(n), 443).at(at);
        let shell = tcp("192.168.0.1", &outsider(n * 3), 22).at(at);
        [
            if n % 9 == 0 { web.unanswered() } else { web.accepted() },
            if n / 60 % 10 < 2 { shell.unanswered() } else { shell.accepted() },
        ]
        .into_iter()
        .take(if n % 60 == 0 { 2 } else { 1 })
    }))
    .assert_innocent();
}

#[test]
fn a_proxy_that_tries_what_its_users_ask_for() {
    judge((0..1500).map(|n| {
        let port = if n % 3 == 0 { 80 } else { 443 };
        let call = tcp("10.0.0.31", &outsider(n), port).at(f64::from(n) * 0.3);
        if n % 6 == 0 { call.unanswered() } else { call.accepted() }
    }))
    .assert_innocent();
}

#[test]
fn a_router_that_looks_for_whomever_the_internet_calls() {
    let known = (0..8).map(|n| {
        tcp("10.0.0.9", &outsider(n), 443).macs(9, 254).at(f64::from(n)).conn(1.0, (800, 4000), 2)
    });
    let named = [is_at(0.0, "10.0.0.254", 254, "10.0.0.9")];
    let asked = (0..600u32).map(|n| {
        let target = format!("10.0.{}.{}", n * 7 % 4, n * 37 % 254 + 1);
        who_has(20.0 + f64::from(n) * 0.1, "10.0.0.254", 254, &target)
    });

    judge(known.chain(named).chain(asked)).assert_innocent();
}

#[test]
fn a_standby_router_that_takes_over_two_hundred_addresses() {
    judge((0..600u32).flat_map(|n| {
        let address = format!("10.0.0.{}", n % 200 + 1);
        let at = f64::from(n / 200) + f64::from(n % 200) * 0.001;
        [who_has(at, &address, 254, &address), is_at(at, &address, 254, &address)]
    }))
    .assert_innocent();
}

#[test]
fn a_server_under_a_flood_with_forged_sources() {
    judge((0..4000u32).flat_map(|n| {
        let (at, source) = (f64::from(n) * 0.001, outsider(n));
        let syn = tcp(&source, "10.0.0.80", 80).client_port(1024 + (n % 60_000) as u16).at(at);
        let overload = n % 2 == 0;
        [
            if overload { syn.unanswered() } else { syn.accepted() },
            udp(&source, "10.0.0.80", (n * 31 % 65_535) as u16).at(at).unanswered(),
            icmp(at, "10.0.0.80", &source, 3),
            ping(&source, "10.0.0.80").at(at).accepted(),
        ]
    }))
    .assert_innocent();
}

#[test]
fn refusals_that_outsiders_of_a_flood_send_back() {
    judge((0..500u16).flat_map(|n| {
        let at = f64::from(n) * 0.01;
        let victim = outsider(u32::from(n) % 3);
        [
            tcp("10.0.0.9", &victim, n * 60).opening(Opening::Rst).at(at).backscatter(),
            tcp("10.0.0.9", &victim, 80)
                .client_port(n * 60)
                .opening(Opening::SynAck)
                .at(at)
                .backscatter(),
        ]
    }))
    .assert_innocent();
}

#[test]
fn a_tap_that_begins_in_the_middle_of_everything() {
    judge((0..600u32).flat_map(|n| {
        let at = f64::from(n) * 0.05;
        let client = format!("10.0.0.{}", n % 30 + 1);
        let server = format!("10.0.4.{}", n % 7 + 1);
        let port = [445, 443, 389, 22, 3306, 49_700, 3389, 1433][n as usize % 8];
        let talk = tcp(&client, &server, port).client_port(50_000 + (n % 9000) as u16).at(at);
        [
            talk.opening(Opening::Midstream).accepted(),
            tcp(&client, &outsider(n), 443).opening(Opening::Fin).at(at).cut_off(3.0),
            tcp(&client, &outsider(n), 443).opening(Opening::Ack).at(at).refused(),
            tcp(&client, &server, port).opening(Opening::Rst).at(at).backscatter(),
        ]
    }))
    .assert_innocent();
}

#[test]
fn clients_whose_farm_of_servers_goes_down() {
    let up = (1..=14)
        .map(|n| tcp("10.0.0.3", &format!("10.0.4.{n}"), 1433).at(f64::from(n) * 600.0).accepted());
    let down = (1..=14).flat_map(|n| {
        (10..14).map(move |client| {
            tcp(&format!("10.0.0.{client}"), &format!("10.0.4.{n}"), 1433)
                .at(100_000.0 + f64::from(n))
                .unanswered()
        })
    });

    judge(up.chain(down)).assert_innocent();
}

#[test]
fn addresses_and_ports_that_are_used_again_and_again() {
    judge((0..2000).map(|n| {
        let call = tcp("10.0.0.3", "10.0.4.1", 443).client_port(50_000).at(f64::from(n) * 0.1);
        if n % 50 == 0 { call.refused() } else { call.accepted() }
    }))
    .assert_innocent();
}

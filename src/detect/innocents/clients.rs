//! What people's machines do: browse, play, call, share, log on, travel, and lose their network.

use super::outsider;
use crate::detect::testing::{judge, ping, tcp, udp, who_has};

const ME: &str = "10.0.0.7";

#[test]
fn a_browser_races_a_dead_ipv6_against_ipv4() {
    judge((0..80).flat_map(|n| {
        let at = f64::from(n) * 0.3;
        let site = format!("2a00:{n:x}::1");
        [
            tcp("2a01::7", &site, 443).at(at).unanswered(),
            udp("2a01::7", &site, 443).at(at).unanswered(),
            tcp(ME, &outsider(n), 443).at(at + 0.25).accepted(),
        ]
    }))
    .assert_innocent();
}

#[test]
fn quic_is_blocked_and_pages_load_from_a_hundred_and_fifty_hosts() {
    judge((0..150).flat_map(|n| {
        let at = f64::from(n) * 0.05;
        let site = tcp(ME, &outsider(n), 443).at(at + 0.3);
        [
            udp(ME, &outsider(n), 443).at(at).unanswered(),
            if n % 17 == 3 { site.refused() } else { site.accepted() },
        ]
    }))
    .assert_innocent();
}

#[test]
fn a_network_behind_a_portal_where_no_name_resolves() {
    judge((0..300).flat_map(|n| {
        let at = f64::from(n) * 0.7;
        let resolver = ["10.0.0.1", "8.8.8.8", "1.1.1.1", "9.9.9.9"][n as usize % 4];
        [
            udp(ME, resolver, 53).client_port(40_000 + n).at(at).unanswered(),
            tcp(ME, resolver, 853).client_port(40_000 + n).at(at).refused(),
            tcp(ME, "8.8.4.4", 443).at(at).unanswered(),
        ]
    }))
    .assert_innocent();
}

#[test]
fn a_laptop_whose_gateway_is_down() {
    let servers = ["10.0.4.10", "10.0.4.11", "10.0.5.1"];
    let others = [(993, 2), (587, 1), (5223, 3), (5228, 2), (8883, 1), (22, 1), (3389, 1)];
    let web = (0..60).map(|n| tcp(ME, &outsider(n), 443).at(f64::from(n)).unanswered());
    let names = (0..4).map(|n| udp(ME, &outsider(200 + n), 53).at(1.0).unanswered());
    let time = (0..4).map(|n| udp(ME, &outsider(210 + n), 123).at(1.0).unanswered());
    let rest = others.iter().flat_map(|(port, hosts)| {
        (0..*hosts).map(|n| tcp(ME, &outsider(300 + n), *port).at(30.0).unanswered())
    });
    let inside = servers
        .iter()
        .map(|server| tcp(ME, server, 445).at(20.0).unanswered())
        .chain([udp(ME, "10.0.4.10", 389).at(22.0).unanswered()]);

    judge(web.chain(names).chain(time).chain(rest).chain(inside)).assert_innocent();
}

#[test]
fn a_vpn_client_that_goes_through_its_list_of_gateways() {
    judge((0..60).flat_map(|n| {
        let (at, gateway) = (f64::from(n) * 2.0, outsider(n % 20));
        let call = tcp(ME, &gateway, 443).client_port(50_000 + n as u16).at(at + 1.0);
        [
            udp(ME, &gateway, 500).client_port(500).at(at).unanswered(),
            udp(ME, &gateway, 4500).client_port(4500).at(at).unanswered(),
            udp(ME, &gateway, 1194).at(at).unanswered(),
            udp(ME, &gateway, 51_820).at(at).unanswered(),
            if n % 3 == 0 { call.accepted() } else { call.unanswered() },
        ]
    }))
    .assert_innocent();
}

#[test]
fn a_file_sharer_on_four_networks_at_once() {
    judge((0..2000).flat_map(|n| {
        let at = f64::from(n) * 0.2;
        let port = 1025 + (n * 7919 % 64_000) as u16;
        let dht = udp(ME, &outsider(n * 3), port).client_port(6881).at(at);
        let peer = tcp(ME, &outsider(n * 3), port).at(at + 1.0);
        [
            if n % 3 == 0 { dht.accepted() } else { dht.unanswered() },
            if n % 9 == 0 { peer.accepted() } else { peer.unanswered() },
            tcp(ME, &outsider(n * 7), 4662).at(at).unanswered(),
            udp(ME, &outsider(n * 7), 4672).at(at).unanswered(),
            tcp(ME, &outsider(n * 11), 6346).at(at).refused(),
        ]
    }))
    .assert_innocent();
}

#[test]
fn a_caller_that_tries_old_supernodes_on_every_port() {
    judge((0..40).flat_map(|n| {
        let (at, node) = (f64::from(n) * 0.8, outsider(n));
        let port = 10_000 + (n * 977 % 50_000) as u16;
        [
            udp(ME, &node, port).at(at).unanswered(),
            tcp(ME, &node, port).at(at + 0.2).unanswered(),
            tcp(ME, &node, 443).at(at + 0.4).unanswered(),
            tcp(ME, &node, 80).at(at + 0.6).refused(),
        ]
    }))
    .assert_innocent();
}

#[test]
fn a_video_conference_checks_the_private_addresses_of_its_guests() {
    let neighbours = (1..=9).map(|n| who_has(0.0, &format!("10.0.0.{n}"), n, "10.0.0.254"));
    let candidates = (0..24).flat_map(|n| {
        let at = 5.0 + f64::from(n) * 0.05;
        let port = 49_152 + (n * 577 % 16_000) as u16;
        [
            udp(ME, &format!("192.168.{}.{}", n % 4, 10 + n), port).at(at).unanswered(),
            udp(ME, &format!("10.0.0.{}", 100 + n), port).at(at).unanswered(),
            udp(ME, &format!("172.17.0.{}", n % 3 + 1), port).at(at).unreachable(),
            udp(ME, &outsider(n), port).at(at).accepted(),
        ]
    });
    let stun = (0..10).map(|n| {
        let talk = udp(ME, &outsider(50 + n), if n % 2 == 0 { 3478 } else { 19_302 }).at(4.0);
        if n % 3 == 0 { talk.unanswered() } else { talk.accepted() }
    });

    judge(neighbours.chain(candidates).chain(stun)).assert_innocent();
}

#[test]
fn a_game_that_asks_every_server_of_its_list() {
    judge((0..400).map(|n| {
        let server = format!("{}.{}.7.{}", 91 + n % 5, n % 11, n % 240 + 1);
        let talk = udp(ME, &server, 27_015 + (n % 4) as u16).at(f64::from(n) * 0.02);
        if n % 5 < 2 { talk.unanswered() } else { talk.accepted() }
    }))
    .assert_innocent();
}

#[test]
fn a_broadband_test_that_pings_servers_in_threes() {
    judge((0..30).map(|n| {
        let server = format!("200.194.{}.{}", 130 + n / 3, 66 + n % 3);
        let talk = udp(ME, &server, 6000).at(f64::from(n));
        if n / 3 % 3 == 0 { talk.accepted() } else { talk.unanswered() }
    }))
    .assert_innocent();
}

#[test]
fn a_telephone_with_a_dozen_media_streams() {
    judge((0..60).flat_map(|n| {
        let at = f64::from(n) * 30.0;
        let port = 16_384 + 2 * (n * 37 % 8000) as u16;
        let media = udp(ME, "10.0.6.2", port).client_port(port).at(at);
        [
            udp(ME, "10.0.6.1", 5060).client_port(5060).at(at).accepted(),
            if n % 4 == 0 { media.unanswered() } else { media.accepted() },
            udp(ME, "10.0.6.2", port + 1).client_port(port + 1).at(at + 5.0).unanswered(),
        ]
    }))
    .assert_innocent();
}

#[test]
fn a_windows_logon_that_finds_two_of_four_controllers() {
    let ports = [88, 389, 445, 135, 464, 636, 3268, 49_667, 49_671];
    judge((1..=4).flat_map(|n| {
        let controller = format!("10.0.{n}.10");
        let at = f64::from(n);
        let is_up = n % 2 == 1;
        let ldap = udp(ME, &controller, 389).at(at);
        let asked = if is_up { ldap.accepted() } else { ldap.unanswered() };
        ports
            .iter()
            .filter(move |port| is_up || matches!(port, 88 | 389))
            .map(|port| {
                let talk = tcp(ME, &controller, *port).at(at + f64::from(*port) * 1e-5);
                match (is_up, port) {
                    (false, _) => talk.unanswered(),
                    (true, 636) => talk.refused(),
                    _ => talk.accepted(),
                }
            })
            .chain([asked])
            .collect::<Vec<_>>()
    }))
    .assert_innocent();
}

#[test]
fn an_explorer_that_looks_for_six_drives_that_moved() {
    judge((0..90).flat_map(|n| {
        let (at, server) = (f64::from(n) * 60.0, format!("10.0.4.{}", 20 + n % 6));
        [
            tcp(ME, &server, 445).at(at).unanswered(),
            tcp(ME, &server, 139).at(at).unanswered(),
            tcp(ME, "10.0.4.9", 445).at(at).accepted(),
        ]
    }))
    .assert_innocent();
}

#[test]
fn a_driver_that_looks_for_printers_of_which_two_are_off() {
    judge((1..=6).flat_map(|n| {
        let printer = format!("10.0.9.{n}");
        let at = f64::from(n) * 0.1;
        [9100, 631, 515, 80]
            .map(|port| {
                let talk = tcp(ME, &printer, port).at(at);
                match (n, port) {
                    (2 | 5, _) => talk.unanswered(),
                    (_, 515) => talk.refused(),
                    _ => talk.accepted(),
                }
            })
            .into_iter()
            .chain([if n % 3 == 2 {
                udp(ME, &printer, 161).at(at).unanswered()
            } else {
                udp(ME, &printer, 161).at(at).accepted()
            }])
    }))
    .assert_innocent();
}

#[test]
fn a_mail_program_that_guesses_where_its_server_is() {
    judge((0..3).flat_map(|n| {
        let server = outsider(n);
        [993, 143, 995, 110, 465, 587, 25, 443].map(|port| {
            tcp(ME, &server, port).at(f64::from(n) * 20.0 + f64::from(port) * 1e-4).unanswered()
        })
    }))
    .assert_innocent();
}

#[test]
fn a_person_who_traces_routes_in_three_ways() {
    let traces = (0..12u32).flat_map(|n| {
        let (at, there) = (f64::from(n) * 60.0, outsider(n * 5));
        (0..30u16)
            .flat_map(|hop| {
                let at = at + f64::from(hop) * 0.5;
                [
                    udp(ME, &there, 33_434 + hop).at(at).unanswered(),
                    tcp(ME, &there, 80).client_port(40_000 + hop).at(at).unanswered(),
                    ping(ME, &there).at(at).unanswered(),
                ]
            })
            .collect::<Vec<_>>()
    });

    judge(traces).assert_innocent();
}

#[test]
fn somebody_knocks_at_ports_and_is_let_in() {
    judge((0..20).flat_map(|n| {
        let at = f64::from(n) * 3600.0;
        [7000, 8000, 9000, 7100, 443]
            .map(|port| tcp(ME, "10.0.8.8", port).at(at).unanswered())
            .into_iter()
            .chain([tcp(ME, "10.0.8.8", 22).at(at + 1.0).accepted()])
    }))
    .assert_innocent();
}

#[test]
fn an_administrator_finds_out_what_a_dead_server_still_does() {
    judge([22, 3389, 80, 443, 445, 5900].iter().zip(0..).flat_map(|(port, n)| {
        let at = f64::from(n) * 20.0;
        [
            ping(ME, "10.0.8.8").at(at).unanswered(),
            tcp(ME, "10.0.8.8", *port).at(at + 5.0).unanswered(),
        ]
    }))
    .assert_innocent();
}

#[test]
fn a_visitor_on_an_old_terminal_system() {
    judge((0..40).map(|n| {
        let at = f64::from(n) * 900.0;
        let bytes = (200 + n as u64 * 331 % 4000, 5000 + n as u64 * 7717 % 90_000);
        tcp(ME, &outsider(n % 3), 23).at(at).conn(200.0, bytes, 50)
    }))
    .assert_innocent();
}

#[test]
fn a_transfer_with_a_hundred_passive_connections_of_which_some_are_closed() {
    judge((0..100).map(|n| {
        let talk = tcp(ME, "203.0.113.21", 40_000 + n * 13).at(f64::from(n) * 0.2);
        if n % 8 == 0 { talk.refused() } else { talk.accepted() }
    }))
    .assert_innocent();
}

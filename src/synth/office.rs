//! What ordinary hosts of the little network do all day: look up, browse, read files, set clocks.

use std::time::Duration;

use super::conversation::{End, Side, Turn};
use super::exchange::{Answer, ask, resolve};
use super::packet::Station;
use super::payload;
use super::scene::{START, Scene, outside, resolver, routed, router};
use crate::time::Timestamp;

/// The file servers that everybody uses.
pub const FILE_SERVERS: [Station; 2] = [routed(4, 10), routed(4, 11)];

/// Looks up a name at the resolver, with success, and returns when the answer is there.
pub fn look_up(scene: &mut Scene, after: Duration, client: &Station, name: &str) -> Duration {
    let server = resolver();
    let rtt = scene.rtt(client, &server);
    let ports = (scene.ephemeral_port(), 53);
    let id = scene.rng.short();
    let question = payload::dns_question(id, name);
    let answer = Answer::Payload(payload::dns_answer(id, name, [198, 51, 100, 7]));
    let at = START + after;
    let frames = ask(&mut scene.rng, (client, &server), ports, at, rtt, &question, &answer);
    scene.show(frames);
    after + rtt
}

/// Gets something over HTTPS: a lookup, a handshake, `length` bytes of answer.
pub fn browse(
    scene: &mut Scene,
    after: Duration,
    client: &Station,
    server: &Station,
    length: usize,
) -> Duration {
    let name = host_name(server);
    let answered = look_up(scene, after, client, &name);
    let begin = answered + Duration::from_millis(1);
    let mut call = scene.call(begin, *client, *server, 443);
    let hello = payload::tls_client_hello(&name);
    call.turns = vec![
        says(Side::Client, hello.clone(), hello.len()),
        says(Side::Server, payload::tls_server_hello(), 2900),
        says(Side::Client, Vec::new(), 460),
        Turn { after: Duration::from_millis(15), ..says(Side::Server, Vec::new(), length) },
    ];
    call.end = End::Fin(Side::Client);
    scene.play(call);
    begin
}

/// Reads a file of `length` bytes from a file server over SMB.
pub fn read_file(
    scene: &mut Scene,
    after: Duration,
    client: &Station,
    server: &Station,
    length: usize,
) {
    let mut call = scene.call(after, *client, *server, 445);
    let (ask, answer) = (payload::smb_negotiate(), payload::smb_negotiated());
    call.turns = vec![
        says(Side::Client, ask.clone(), ask.len()),
        says(Side::Server, answer.clone(), answer.len()),
        says(Side::Client, Vec::new(), 620),
        says(Side::Server, Vec::new(), 310),
        says(Side::Client, Vec::new(), 140),
        says(Side::Server, payload::smb_read(length), length + 84),
    ];
    scene.play(call);
}

/// Asks the time server of the house.
pub fn set_clock(scene: &mut Scene, after: Duration, client: &Station) {
    let server = routed(4, 123);
    let rtt = scene.rtt(client, &server);
    let at = START + after;
    let answer = Answer::Payload(payload::ntp(4));
    let question = payload::ntp(3);
    let frames = ask(&mut scene.rng, (client, &server), (123, 123), at, rtt, &question, &answer);
    scene.show(frames);
}

/// Finds the router's hardware address, as every host does before it speaks to anybody beyond.
pub fn find_router(scene: &mut Scene, after: Duration, client: &Station) {
    scene.show(resolve(client, router().addr, Some(&router()), START + after));
}

/// Lets `clients` live an ordinary life from `from` to `to`: each does one thing in about every
/// `pace`, always with the same two file servers and its own few sites.
pub fn live(
    scene: &mut Scene,
    clients: &[Station],
    (from, to): (Duration, Duration),
    pace: Duration,
) {
    for client in clients {
        let mut rng = scene.rng.fork();
        let first_site = u32::from(last_octet(client)) % 200;
        let mut after = from + rng.around(pace) / 2;
        find_router(scene, after.saturating_sub(Duration::from_millis(2)), client);
        while after < to {
            match rng.below(5) {
                0 => set_clock(scene, after, client),
                1 => {
                    let server = rng.pick(&FILE_SERVERS).copied().unwrap_or(routed(4, 10));
                    let length = rng.between(2000, 20_000) as usize;
                    read_file(scene, after, client, &server, length);
                }
                _ => {
                    let site = outside(first_site + rng.below(4) as u32);
                    let length = rng.between(2000, 16_000) as usize;
                    browse(scene, after, client, &site, length);
                }
            }
            after += rng.around(pace);
        }
    }
}

/// A turn without hesitation.
pub fn says(from: Side, opening: Vec<u8>, length: usize) -> Turn {
    Turn { from, after: Duration::ZERO, opening, length }
}

/// A turn of `length` bytes after some thought.
pub fn says_after(after: Duration, from: Side, length: usize) -> Turn {
    Turn { from, after, opening: Vec::new(), length }
}

/// A name for a server, from its address.
pub fn host_name(station: &Station) -> String {
    format!("h{}.example.com", station.addr.to_string().replace('.', "-"))
}

/// When a scenario's offset is in packet time.
pub fn moment(after: Duration) -> Timestamp {
    START + after
}

fn last_octet(station: &Station) -> u8 {
    match station.addr {
        std::net::IpAddr::V4(v4) => v4.octets()[3],
        std::net::IpAddr::V6(v6) => v6.octets()[15],
    }
}

#[cfg(test)]
mod tests {
    use super::super::scene::{HOUR, MINUTE, local};
    use super::*;

    #[test]
    fn an_ordinary_hour_has_a_few_things_in_it() {
        let mut scene = Scene::new(1);

        live(&mut scene, &[local(10), local(11)], (Duration::ZERO, HOUR), 10 * MINUTE);

        let packets: Vec<_> = scene.into_timeline().collect();
        assert!(packets.len() > 100);
        assert!(packets.is_sorted_by_key(|packet| packet.ts));
    }
}

//! What two hosts say to each other below and beside TCP: a question and, perhaps, its answer.

use std::net::IpAddr;
use std::time::Duration;

use super::packet::{
    Echo, Stamped, Station, arp_announcement, arp_reply, arp_request, echo, udp, unreachable,
};
use super::rng::Rng;
use crate::time::Timestamp;

/// What comes of a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// This, a round trip later.
    Payload(Vec<u8>),
    /// ICMP "port unreachable" (type 3, code 3).
    PortUnreachable,
    /// Nothing.
    Nothing,
}

/// A UDP question from `client` to `server` and what comes of it.
pub fn ask(
    rng: &mut Rng,
    (client, server): (&Station, &Station),
    ports: (u16, u16),
    at: Timestamp,
    rtt: Duration,
    question: &[u8],
    answer: &Answer,
) -> Vec<Stamped> {
    let frame = udp(client, server, rng.short(), ports, question);
    let reply = match answer {
        Answer::Payload(bytes) => Some(udp(server, client, rng.short(), (ports.1, ports.0), bytes)),
        Answer::PortUnreachable => Some(unreachable(server, client, rng.short(), 3, &frame)),
        Answer::Nothing => None,
    };
    let reply = reply.map(|frame| Stamped { ts: at + rtt, frame });
    std::iter::once(Stamped { ts: at, frame }).chain(reply).collect()
}

/// An echo request and, if somebody is there, its reply. Sequence numbers count from `seq`.
pub fn ping(
    rng: &mut Rng,
    (client, server): (&Station, &Station),
    at: Timestamp,
    rtt: Duration,
    (id, seq): (u16, u16),
    answered: bool,
) -> Vec<Stamped> {
    let request = echo(client, server, rng.short(), Echo::Request, id, seq);
    let mut frames = vec![Stamped { ts: at, frame: request }];
    if answered {
        let reply = echo(server, client, rng.short(), Echo::Reply, id, seq);
        frames.push(Stamped { ts: at + rtt, frame: reply });
    }
    frames
}

/// An ARP request for `target` and, if `owner` is there, its reply.
pub fn resolve(
    asker: &Station,
    target: IpAddr,
    owner: Option<&Station>,
    at: Timestamp,
) -> Vec<Stamped> {
    let request = arp_request(asker, target).map(|frame| Stamped { ts: at, frame });
    let reply = owner
        .and_then(|owner| arp_reply(owner, asker))
        .map(|frame| Stamped { ts: at + Duration::from_micros(180), frame });
    request.into_iter().chain(reply).collect()
}

/// What a stack sends when it takes an address: three probes, then two announcements (RFC 5227
/// section 2.1 and 2.3).
pub fn take_address(owner: &Station, at: Timestamp) -> Vec<Stamped> {
    let asking = Station { addr: IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), ..*owner };
    let probes = (0..3).filter_map(|number| {
        arp_request(&asking, owner.addr)
            .map(|frame| Stamped { ts: at + Duration::from_secs(number), frame })
    });
    let announcements = (0..2).filter_map(|number| {
        arp_announcement(owner)
            .map(|frame| Stamped { ts: at + Duration::from_secs(5 + 2 * number), frame })
    });
    probes.chain(announcements).collect()
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::net::MacAddr;

    fn station(last: u8) -> Station {
        let addr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, last));
        Station { mac: MacAddr([2, 0, 0, 0, 0, last]), addr, ttl: 64 }
    }

    #[test]
    fn an_answer_comes_a_round_trip_later_and_silence_not_at_all() {
        let (client, server) = (station(1), station(2));
        let (at, rtt) = (Timestamp::from_secs(5), Duration::from_millis(3));
        let mut rng = Rng::new(1);
        let mut asked =
            |answer| ask(&mut rng, (&client, &server), (5000, 53), at, rtt, b"q", &answer);

        let answered = asked(Answer::Payload(b"a".to_vec()));
        let refused = asked(Answer::PortUnreachable);
        let silent = asked(Answer::Nothing);

        assert_eq!(answered.iter().map(|p| p.ts).collect::<Vec<_>>(), [at, at + rtt]);
        assert_eq!(refused.len(), 2);
        assert_eq!(silent.len(), 1);
    }

    #[test]
    fn only_an_owner_answers_arp() {
        let at = Timestamp::from_secs(5);

        assert_eq!(resolve(&station(1), station(2).addr, Some(&station(2)), at).len(), 2);
        assert_eq!(resolve(&station(1), station(2).addr, None, at).len(), 1);
    }

    #[test]
    fn taking_an_address_is_three_probes_and_two_announcements() {
        let frames = take_address(&station(9), Timestamp::from_secs(0));

        assert_eq!(frames.len(), 5);
        assert_eq!(frames[0].frame[28..32], [0, 0, 0, 0]);
        assert_eq!(frames[3].frame[28..32], [10, 0, 0, 9]);
    }
}

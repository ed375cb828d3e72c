//! What is said of an asker and of its server.

use std::net::IpAddr;

use super::super::report::{CONNS_MAX, PEERS_MAX, spoken};
use super::super::{Evidence, Family};
use super::{Asked, Relay};
use crate::event::Conversation;
use crate::time::Timestamp;

/// Evidence about an asker of `asked`, which acted after so many of so many answers, and so do `others`.
pub(super) fn of_asker(
    asker: IpAddr,
    asked: &Asked,
    acted: Option<(u32, u32)>,
    others: usize,
    (ts, llr): (Timestamp, f64),
) -> Evidence {
    let server = asked.server;
    let mut summary = format!("asked a language model on {server}");
    if let Some(descent) = asked.descent.filter(|_| asked.entered > 0.0) {
        let lag = spoken(asked.first.since(descent.at));
        summary += &if descent.by == server {
            format!(", {lag} after being entered by it")
        } else {
            format!(", {lag} after being entered by {}, which descends from it", descent.by)
        };
        if others > 0 {
            summary += &format!("; so did {others} more");
        }
    }
    if let Some((followed, answers)) = acted {
        summary += &format!(
            "; after {followed} of {answers} answers it called a host over a service that it never \
             had called"
        );
    }
    Evidence {
        ts,
        host: asker,
        detector: Relay::ID,
        family: Family::Inference,
        llr,
        subject: "asker".to_owned(),
        peers: vec![server],
        peers_total: 1,
        service: Some(asked.talk.service()),
        techniques: &["T1071", "T1090"],
        conns: vec![asked.talk],
        forgeable: false,
        summary,
    }
}

/// Evidence about the server of these suspects, their weights and connections.
pub(super) fn of_server(
    server: IpAddr,
    suspects: &[(IpAddr, f64, Conversation)],
    (ts, llr): (Timestamp, f64),
) -> Evidence {
    Evidence {
        ts,
        host: server,
        detector: Relay::ID,
        family: Family::Inference,
        llr,
        subject: "server".to_owned(),
        peers: suspects.iter().map(|(asker, ..)| *asker).take(PEERS_MAX).collect(),
        peers_total: suspects.len() as u64,
        service: suspects.first().map(|(.., talk)| talk.service()),
        techniques: &["T1090"],
        conns: suspects.iter().map(|(.., talk)| *talk).take(CONNS_MAX).collect(),
        forgeable: false,
        summary: format!(
            "runs a language model for {} hosts that were entered from it or act upon its answers",
            suspects.len(),
        ),
    }
}

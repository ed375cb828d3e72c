//! Zeek's `conn_state`, from what both sides did.

use super::endpoint::{Endpoint, State};
use crate::event::ConnState;

/// The state of a TCP connection; `letters` is its history without `^`.
pub(super) fn tcp_state(client: &Endpoint, server: &Endpoint, letters: &str) -> ConnState {
    use State::{Closed, Established, Inactive, Partial, Reset, SynAckSent, SynSent};
    let client_silent = matches!(client.state, Inactive | Partial);
    let server_silent = matches!(server.state, Inactive | Partial);
    match (client.state, server.state) {
        (SynSent | SynAckSent, Reset) => ConnState::REJ,
        (Reset, Reset)
            if client.payload_bytes(server.state) == 0
                && server.payload_bytes(client.state) == 0 =>
        {
            ConnState::REJ
        }
        (_, Reset) if client_silent => ConnState::RSTRH,
        (_, Reset) => ConnState::RSTR,
        (Reset, _) if server_silent && is_aborted_attempt(letters) => ConnState::RSTOS0,
        (Reset, _) if server_silent => ConnState::OTH,
        (Reset, _) => ConnState::RSTO,
        (Closed, Closed) => ConnState::SF,
        (Closed, _) if server_silent => ConnState::SH,
        (Closed, _) => ConnState::S2,
        (_, Closed) if client_silent => ConnState::SHR,
        (_, Closed) => ConnState::S3,
        (SynSent, Inactive) => ConnState::S0,
        (Established, Established) => ConnState::S1,
        _ => ConnState::OTH,
    }
}

/// A SYN and later a RST of the client's, with no handshake, acknowledgement, FIN or worse of its
/// own between.
fn is_aborted_attempt(letters: &str) -> bool {
    let Some(rest) = letters.strip_prefix('S') else { return false };
    rest.find(['H', 'A', 'F', 'G', 'I', 'Q', 'R'])
        .and_then(|at| rest.get(at..))
        .is_some_and(|from| from.starts_with('R'))
}

/// The state of an exchange of datagrams.
pub(super) const fn datagram_state(client_sent: bool, server_sent: bool) -> ConnState {
    match (client_sent, server_sent) {
        (true, true) => ConnState::SF,
        (true, false) => ConnState::S0,
        (false, true) => ConnState::SHR,
        (false, false) => ConnState::OTH,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_aborted_attempt_has_nothing_between_syn_and_rst() {
        assert!(is_aborted_attempt("SR"));
        assert!(is_aborted_attempt("SaR"));
        assert!(!is_aborted_attempt("SAR"));
        assert!(!is_aborted_attempt("R"));
        assert!(!is_aborted_attempt("Sr"));
    }
}

//! What is said of HTTP connections, from first byte to last.

use proptest::prelude::*;

use super::*;
use crate::event::{self, Files, Login, Record, Winrm};

/// What a dissector says of some bytes, sent by `>` the client or `<` the server; `#` is a gap.
#[derive(Default)]
struct Talk {
    http: Http,
    out: Findings,
}

impl Talk {
    fn up(&mut self, data: &str) -> &mut Self {
        self.http.on_data(Timestamp::from_secs(1), Role::Client, data.as_bytes(), &mut self.out);
        self
    }

    fn down(&mut self, data: &str) -> &mut Self {
        self.http.on_data(Timestamp::from_secs(1), Role::Server, data.as_bytes(), &mut self.out);
        self
    }

    fn gap(&mut self, sender: Role, bytes: u64) -> &mut Self {
        self.http.on_gap(sender, bytes);
        self
    }

    fn end(&mut self) -> &mut Self {
        self.http.on_end(Timestamp::from_secs(2), &mut self.out);
        self
    }

    fn records<T: Clone>(&self, pick: impl Fn(&Record) -> Option<&T>) -> Vec<T> {
        self.out.records.iter().filter_map(|record| pick(record).cloned()).collect()
    }

    fn https(&self) -> Vec<event::Http> {
        self.records(|it| if let Record::Http(it) = it { Some(it) } else { None })
    }

    fn files(&self) -> Vec<Files> {
        self.records(|it| if let Record::Files(it) = it { Some(it) } else { None })
    }

    fn logins(&self) -> Vec<Login> {
        self.records(|it| if let Record::Login(it) = it { Some(it) } else { None })
    }

    fn winrms(&self) -> Vec<Winrm> {
        self.records(|it| if let Record::Winrm(it) = it { Some(it) } else { None })
    }

    /// Method, target and status of all records.
    fn summary(&self) -> String {
        let line = |it: &event::Http| {
            let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
            let status = it.status_code.map_or("-".to_owned(), |status| status.to_string());
            format!("{} {} {} {status}", it.trans_depth, text(&it.method), text(&it.uri))
        };
        self.https().iter().map(line).collect::<Vec<_>>().join(", ")
    }
}

#[test]
fn a_request_and_its_response_are_one_record() {
    let mut talk = Talk::default();

    talk.up("POST /a%20b?c=d HTTP/1.1\r\nHost: h:81\r\nUser-Agent: ua\r\nReferer: r\r\n")
        .up("Origin: o\r\nContent-Length: 3\r\nVia: 1.1 p\r\n\r\nabc")
        .down("HTTP/1.0 200 Fine with me\r\nContent-Length: 2\r\n\r\nok");

    let text = |text: &str| Some(text.to_owned());
    assert_eq!(
        talk.https(),
        [event::Http {
            trans_depth: 1,
            method: text("POST"),
            host: text("h:81"),
            uri: text("/a b?c=d"),
            referrer: text("r"),
            version: text("1.0"),
            user_agent: text("ua"),
            origin: text("o"),
            request_body_len: 3,
            response_body_len: 2,
            status_code: Some(200),
            status_msg: text("Fine with me"),
            proxied: vec!["VIA -> 1.1 p".to_owned()],
            orig_mime_types: vec!["text/plain"],
            resp_mime_types: vec!["text/plain"],
            ..event::Http::default()
        }]
    );
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let mut talk = Talk::default();

    talk.up("GET /1 HTTP/1.1\r\n\r\nHEAD /2 HTTP/1.1\r\n\r\nGET /3 HTTP/1.1\r\n\r\n")
        .down("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n")
        .down("HTTP/1.1 404 No\r\nContent-Length: 100\r\n\r\nHTTP/1.1 304 Not Modified\r\n\r\n");

    assert_eq!(talk.summary(), "1 GET /1 200, 2 HEAD /2 404, 3 GET /3 304");
}

#[test]
fn a_preliminary_status_is_followed_by_the_real_one() {
    let mut talk = Talk::default();

    talk.up("PUT /x HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
        .down("HTTP/1.1 100 Continue\r\n\r\n")
        .up("body")
        .down("HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n");

    let record = &talk.https()[0];
    assert_eq!(
        (record.info_code, record.status_code, record.request_body_len),
        (Some(100), Some(201), 4)
    );
}

#[test]
fn who_is_refused_leave_goes_on_with_the_next_request() {
    let mut talk = Talk::default();

    talk.up("PUT /x HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
        .down("HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n")
        .up("GET /y HTTP/1.1\r\n\r\n")
        .down("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");

    assert_eq!(talk.summary(), "1 PUT /x 417, 2 GET /y 200");
}

#[test]
fn the_end_of_the_connection_ends_a_response_without_a_length() {
    let mut talk = Talk::default();

    talk.up("GET /a.sh HTTP/1.0\r\n\r\n")
        .down("HTTP/1.0 200 OK\r\n\r\n#!/bin/sh\n")
        .down("wget b\n");
    assert!(talk.out.records.is_empty());
    talk.end();

    assert_eq!(talk.https()[0].response_body_len, 17);
    let file = &talk.files()[0];
    assert_eq!(file.filename.as_deref(), Some("a.sh"));
    assert_eq!((file.mime_type, file.seen_bytes), (Some("text/x-shellscript"), 17));
    assert!(file.sha256.is_some());
}

#[test]
fn unanswered_requests_are_told_at_the_end() {
    let mut talk = Talk::default();

    talk.up("GET /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\n").end();

    assert_eq!(talk.summary(), "1 GET /1 -, 2 GET /2 -");
}

#[test]
fn a_response_without_its_request_is_told_too() {
    let mut talk = Talk::default();

    talk.down("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    talk.up("GET /1 HTTP/1.1\r\n\r\n").down("HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n");

    assert_eq!(talk.summary(), "1 - - 200, 2 GET /1 500");
}

#[test]
fn requests_of_the_oldest_kind_get_content_alone() {
    let mut talk = Talk::default();

    talk.up("GET /x\r\n").down("<html>").end();

    assert_eq!(talk.summary(), "1 GET /x 0");
    assert_eq!(talk.https()[0].response_body_len, 6);
}

#[test]
fn a_gap_inside_a_body_is_passed_over() {
    let mut talk = Talk::default();

    talk.up("GET /x HTTP/1.1\r\n\r\n")
        .down("HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nMZ")
        .gap(Role::Server, 18)
        .up("GET /y HTTP/1.1\r\n\r\n")
        .down("HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n");

    assert_eq!(talk.summary(), "1 GET /x 200, 2 GET /y 404");
    let file = &talk.files()[0];
    assert_eq!((file.seen_bytes, file.missing_bytes, file.total_bytes), (2, 18, Some(20)));
    assert_eq!(file.mime_type, Some("application/x-dosexec"));
}

#[test]
fn after_a_gap_the_thread_is_taken_up_at_the_next_message() {
    let mut talk = Talk::default();

    talk.up("GET /x HTTP/1.1\r\n\r\n")
        .gap(Role::Server, 500)
        .down("rest of something")
        .up("GET /y HTTP/1.1\r\n\r\n")
        .down("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        .gap(Role::Client, 10)
        .up("nonsense")
        .up("GET /z HTTP/1.1\r\n\r\n")
        .down("HTTP/1.1 201 OK\r\nContent-Length: 0\r\n\r\n");

    assert_eq!(talk.summary(), "1 GET /x -, 2 GET /y 200, 3 GET /z 201");
}

#[test]
fn basic_authentication_is_judged_by_the_status() {
    let mut talk = Talk::default();
    let ask = "GET / HTTP/1.1\r\nAuthorization: Basic cm9vdDphZG1pbg==\r\n\r\n";

    talk.up(ask).down("HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n");
    talk.up(ask).down("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").up(ask).end();

    let logins = talk.logins();
    assert_eq!(
        logins.iter().map(|login| login.success).collect::<Vec<_>>(),
        [Some(false), Some(true), None]
    );
    assert!(logins.iter().all(|login| login.user.as_deref() == Some("root")));
    assert_eq!(talk.https()[0].username.as_deref(), Some("root"));
}

#[test]
fn an_old_nonce_is_no_wrong_password() {
    let mut talk = Talk::default();
    let ask = "GET / HTTP/1.1\r\nAuthorization: Digest username=\"eve\", nonce=\"x\"\r\n\r\n";

    talk.up(ask)
        .down("HTTP/1.1 401 No\r\nContent-Length: 0\r\n")
        .down("WWW-Authenticate: Digest nonce=\"y\", stale=TRUE\r\n\r\n")
        .up(ask)
        .down("HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n")
        .up(ask)
        .down("HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n");

    let told: Vec<_> = talk.logins().iter().map(|login| login.success).collect();
    assert_eq!(told, [None, Some(false), None]);
}

#[test]
fn ntlm_authenticates_over_several_exchanges() {
    use crate::proto::ntlm::tests::{authenticate, challenge};
    use base64::Engine;
    let encode = |token: Vec<u8>| base64::prelude::BASE64_STANDARD.encode(token);
    let mut talk = Talk::default();

    talk.up("POST /wsman HTTP/1.1\r\nAuthorization: Negotiate TlRMTVNTUAABAAAA\r\n")
        .up("Content-Length: 0\r\n\r\n")
        .down("HTTP/1.1 401 \r\nWWW-Authenticate: Negotiate ")
        .down(&encode(challenge()))
        .down("\r\nContent-Length: 0\r\n\r\n")
        .up("POST /wsman HTTP/1.1\r\nAuthorization: Negotiate ")
        .up(&encode(authenticate("eve")))
        .up("\r\nContent-Type: multipart/encrypted\r\nContent-Length: 3\r\n\r\nxyz")
        .down("HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n");

    let logins = talk.logins();
    assert_eq!(logins.len(), 1);
    assert_eq!((logins[0].user.as_deref(), logins[0].success), (Some("eve"), Some(true)));
    let winrms = talk.winrms();
    assert_eq!(winrms.len(), 1);
    assert!(winrms[0].encrypted);
    assert_eq!((winrms[0].status_code, winrms[0].request_body_len), (Some(200), 3));
    assert!(talk.files().is_empty());
}

#[test]
fn what_a_proxy_carries_is_read_as_well() {
    let mut talk = Talk::default();

    talk.up("CONNECT inside:80 HTTP/1.1\r\n\r\n")
        .down("HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\n")
        .up("GET /in HTTP/1.1\r\nHost: inside\r\n\r\n")
        .down("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
        .up("CONNECT deeper:80 HTTP/1.1\r\n\r\n")
        .down("HTTP/1.1 200 OK\r\n\r\n")
        .up("GET /deeper HTTP/1.1\r\n\r\n")
        .end();

    assert_eq!(talk.summary(), "1 CONNECT inside:80 200, 1 GET /in 200, 2 CONNECT deeper:80 200");
    assert!(!talk.http.wants(Role::Client));
}

#[test]
fn leaves_a_connection_to_what_it_is_upgraded_to() {
    let mut talk = Talk::default();

    talk.up("GET /chat HTTP/1.1\r\nUpgrade: websocket\r\n\r\n");
    talk.down("HTTP/1.1 101 Switching Protocols\r\n\r\n\x01\x02");

    assert_eq!(talk.summary(), "1 GET /chat 101");
    assert!(!talk.http.wants(Role::Client) && !talk.http.wants(Role::Server));
}

#[test]
fn a_pipeline_without_answers_is_bounded() {
    let mut talk = Talk::default();
    let ask = format!("GET /{} HTTP/1.1\r\nHost: {}\r\n\r\n", "a".repeat(2000), "b".repeat(2000));

    for _ in 0..1000 {
        talk.up(&ask);
    }

    assert!(talk.http.bytes() < 200 << 10, "{}", talk.http.bytes());
    assert!(talk.https().len() > 900);
}

#[test]
fn what_smugglers_write_ambiguously_is_read_as_chunks() {
    let mut talk = Talk::default();

    talk.up("POST / HTTP/1.1\r\nContent-Length: 4\r\nTransfer-Encoding:\r\n chunked\r\n\r\n")
        .up("0\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n")
        .end();

    assert_eq!(talk.summary(), "1 POST / -, 2 GET /smuggled -");
}

proptest! {
    #[test]
    fn no_bytes_panic(
        pieces in proptest::collection::vec((any::<bool>(), any::<u8>(), proptest::collection::vec(any::<u8>(), 0..60)), 0..40)
    ) {
        const STARTS: &[&[u8]] = &[
            b"GET / HTTP/1.1\r\n\r\n",
            b"POST /wsman HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n",
            b"HTTP/1.1 100 \r\n\r\n",
            b"CONNECT a:80 HTTP/1.1\r\n\r\n",
            b"GET /\r\n",
            b"5\r\nabcde\r\n",
        ];
        let mut talk = Talk::default();
        for (up, start, tail) in pieces {
            let sender = if up { Role::Client } else { Role::Server };
            let start = STARTS.get(usize::from(start)).copied().unwrap_or_default();
            if start.is_empty() && tail.len() % 5 == 0 {
                talk.gap(sender, tail.len() as u64);
            }
            let data = [start, &tail].concat();
            talk.http.on_data(Timestamp::from_secs(1), sender, &data, &mut talk.out);
            prop_assert!(talk.http.bytes() < 300 << 10);
        }
        talk.end();
    }
}

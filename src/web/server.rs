//! Serves the pages within limits that a stranger on the port cannot exceed: connections, header
//! size, time to send a request, time to take the answer.

use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tracing::{debug, warn};

/// Connections served at once; further ones wait in the kernel's backlog.
const CONNECTIONS: usize = 64;

/// Bytes of request line and headers; a scrape's are below 1 KiB.
const REQUEST_BYTES: usize = 16 * 1024;

/// Time to send the headers of a request.
const REQUEST_TIME: Duration = Duration::from_secs(5);

/// Time that one connection may last, keep-alive included; scrapers open another one then.
const CONNECTION_TIME: Duration = Duration::from_mins(5);

/// Time that answers in flight get when the process ends.
const DRAIN_TIME: Duration = Duration::from_secs(2);

/// Why there is no HTTP door.
#[derive(Debug, thiserror::Error)]
pub enum WebError {
    /// Somebody else listens there.
    #[error(
        "cannot listen on {0}: the port is taken, perhaps by another wormwatch; stop that or \
         change `listen` in [web]"
    )]
    Taken(SocketAddr),
    /// The address cannot be listened on.
    #[error("cannot listen on {listen} (`listen` in [web])")]
    Listen {
        /// The address.
        listen: SocketAddr,
        /// Why.
        source: io::Error,
    },
}

/// Takes the port, before anything else is started that would have to be stopped again.
pub fn bind(listen: SocketAddr) -> Result<TcpListener, WebError> {
    let listener = TcpListener::bind(listen).map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => WebError::Taken(listen),
        _ => WebError::Listen { listen, source },
    })?;
    listener.set_nonblocking(true).map_err(|source| WebError::Listen { listen, source })?;
    Ok(listener)
}

/// Serves `router` until `stop` is done, then lets answers in flight finish.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let slots = Arc::new(Semaphore::new(CONNECTIONS));
    let graceful = GracefulShutdown::new();
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(REQUEST_TIME).max_buf_size(REQUEST_BYTES);
    tokio::pin!(stop);
    loop {
        let slot = tokio::select! {
            slot = Arc::clone(&slots).acquire_owned() => slot,
            () = &mut stop => break,
        };
        let Ok(slot) = slot else { break };
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(trouble) => {
                    // Out of descriptors, most likely: wait for some to come back.
                    warn!(%trouble, "cannot accept a connection");
                    sleep(Duration::from_millis(200)).await;
                    continue;
                }
            },
            () = &mut stop => break,
        };
        let service = TowerToHyperService::new(router.clone());
        let connection = graceful.watch(http.serve_connection(TokioIo::new(stream), service));
        tokio::spawn(async move {
            match timeout(CONNECTION_TIME, connection).await {
                Ok(Ok(())) => {}
                Ok(Err(trouble)) => debug!(%trouble, "a connection broke off"),
                Err(_) => debug!("a connection lasted too long"),
            }
            drop(slot);
        });
    }
    if timeout(DRAIN_TIME, graceful.shutdown()).await.is_err() {
        debug!("some answers were cut off");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;
    use std::sync::atomic::AtomicBool;

    use tokio::sync::oneshot;

    use super::super::{Heart, View, now, router};
    use super::*;
    use crate::incident::{AlertKind, Severity, Status, Trouble};
    use crate::pipeline::published::{HostView, IncidentBoard, Published};
    use crate::propagation::Account;
    use crate::report::testing::outbreak;
    use crate::score::{Explanation, HostScore, ScoreConfig, Verdict};
    use crate::time::Timestamp;

    /// A server on a free port, and everything it shows.
    struct Served {
        address: SocketAddr,
        published: Arc<Published>,
        stop: Option<oneshot::Sender<()>>,
        thread: Option<std::thread::JoinHandle<io::Result<()>>>,
    }

    impl Served {
        fn start() -> Self {
            let published = Arc::new(Published::default());
            let view = Arc::new(View {
                heart: Heart::new(Arc::clone(&published), now()),
                published: Arc::clone(&published),
                alert_log: None,
                started: 1.0,
                config_loaded: AtomicBool::new(true),
            });
            let listener = bind("127.0.0.1:0".parse().unwrap()).unwrap();
            let address = listener.local_addr().unwrap();
            let (stop, stopped) = oneshot::channel();
            let thread =
                std::thread::spawn(move || {
                    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(
                        serve(listener, router(view), async {
                            let _ = stopped.await;
                        }),
                    )
                });
            Self { address, published, stop: Some(stop), thread: Some(thread) }
        }

        fn ask(&self, request: &str) -> String {
            let mut stream = TcpStream::connect(self.address).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            // The server may refuse a long request before it was sent in full.
            let _ = stream.write_all(request.as_bytes());
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer);
            String::from_utf8(answer).unwrap()
        }

        fn get(&self, path: &str) -> String {
            self.ask(&format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"))
        }
    }

    impl Drop for Served {
        fn drop(&mut self) {
            let _ = self.stop.take().map(|stop| stop.send(()));
            let _ = self.thread.take().map(std::thread::JoinHandle::join);
        }
    }

    #[test]
    fn shows_hosts_and_explains_one() {
        let served = Served::start();
        let scored = HostScore {
            host: "2001:db8::7".parse().unwrap(),
            score: 99.0,
            peak: 99.0,
            verdict: Verdict::Malicious,
            first_evidence: Timestamp::from_secs(1),
            last_evidence: Timestamp::from_secs(2),
            evidence: Vec::new(),
        };
        let explanation =
            Explanation::new(&scored, &ScoreConfig::default(), Timestamp::from_secs(2), &[]);
        served.published.update_hosts([HostView::new(
            &scored,
            explanation,
            true,
            vec!["workstation"],
        )]);

        let list = served.get("/api/hosts?verdict=malicious");
        let none = served.get("/api/hosts?verdict=benign");
        let one = served.get("/api/hosts/2001:db8::7");

        assert!(list.contains("\"host\":\"2001:db8::7\""), "{list}");
        assert!(none.ends_with("\"total\":0,\"hosts\":[]}"), "{none}");
        assert!(one.contains("\"roles\":[\"workstation\"]"), "{one}");
        assert!(!one.contains("explanation"), "{one}");
        assert!(served.get("/api/explain/2001:db8::7").contains("\"prior\":-6.0"));
        assert!(served.get("/api/explain/192.0.2.1").starts_with("HTTP/1.1 404"));
        assert!(served.get("/api/hosts/192.0.2.1").starts_with("HTTP/1.1 404"));
        assert!(served.get("/api/hosts/..%2f").starts_with("HTTP/1.1 400"));
    }

    #[test]
    fn gives_alert_lines_as_they_are() {
        let served = Served::start();
        for line in ["{\"id\":\"a\"}", "{\"id\":\"b\"}"] {
            let line = Arc::from(line);
            served.published.record_alert(AlertKind::Scan, Severity::High, Status::Open, line);
        }

        let answer = served.get("/api/alerts?limit=5");

        assert!(answer.contains("\"alerts\":[{\"id\":\"b\"},{\"id\":\"a\"}]}"), "{answer}");
    }

    #[test]
    fn shows_incidents_and_who_infected_whom() {
        let served = Served::start();
        let empty = served.get("/api/incidents");
        let summary = outbreak();
        let account = Account { incidents: summary.incidents, infections: summary.infections };
        let total = account.infections.len();
        let alert = Trouble::OneWay.alert(None, Timestamp::EPOCH, "");
        let open = [("worm-1", &alert)].into_iter();
        let changes = [(Status::Open, 1)].into();
        served.published.update_incidents(IncidentBoard::new(&Arc::new(account), open, &changes));

        let body = |path: &str| -> serde_json::Value {
            let answer = served.get(path);
            serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
        };
        let list = body("/api/incidents?limit=1");
        let one = body("/api/incidents/worm-1");
        let infections = body("/api/infections?limit=2");

        assert!(empty.ends_with("\"total\":0,\"incidents\":[]}"), "{empty}");
        assert_eq!((&list["schema"], &list["total"]), (&"wormwatch.incidents/1".into(), &2.into()));
        // The one that grew last.
        let [latest] = list["incidents"].as_array().unwrap().as_slice() else { panic!("{list}") };
        assert_eq!((&latest["id"], &latest["status"]), (&"worm-2".into(), &"closed".into()));
        assert_eq!((&one["status"], &one["alert"]), (&"open".into(), &alert.id.clone().into()));
        assert_eq!((&one["hosts"], &one["generations"]), (&5.into(), &3.into()));
        let infected: Vec<_> = one["infections"].as_array().unwrap().iter().collect();
        assert_eq!(one["infections_total"], infected.len());
        assert!(infected.iter().all(|infection| infection["incident"] == "worm-1"));
        for name in ["from", "to", "at", "confidence", "generation", "service", "reasons"] {
            assert!(!infected[0][name].is_null(), "{name}");
        }
        assert_eq!(infected[0]["runner_up"]["from"], "10.0.0.9");
        assert_eq!(infections["total"], total);
        assert_eq!(infections["infections"].as_array().unwrap().len(), 2);
        assert!(served.get("/api/incidents/worm-9").starts_with("HTTP/1.1 404"));
        assert!(served.get("/api/infections?verdict=benign").starts_with("HTTP/1.1 400"));
    }

    #[test]
    fn is_ready_once_the_capture_is_open() {
        let served = Served::start();

        assert!(served.get("/readyz").starts_with("HTTP/1.1 503"));
        served.published.set_capturing(true);
        assert!(served.get("/readyz").starts_with("HTTP/1.1 200"));
        assert!(served.get("/healthz").starts_with("HTTP/1.1 200"));
    }

    #[test]
    fn only_reads_and_only_a_little() {
        let served = Served::start();
        let long = format!("GET /{} HTTP/1.1\r\n", "x".repeat(100_000));

        assert!(
            served.ask("POST /api/hosts HTTP/1.0\r\n\r\n").starts_with("HTTP/1.1 405")
                || served.ask("POST /api/hosts HTTP/1.0\r\n\r\n").starts_with("HTTP/1.0 405")
        );
        assert!(!served.ask(&long).contains(" 200 "));
        assert!(served.get("/etc/passwd").starts_with("HTTP/1.1 404"));
    }

    #[test]
    fn hangs_up_on_a_client_that_never_finishes_its_request() {
        let served = Served::start();
        let start = now();

        let answer = served.ask("GET /metrics HTTP/1.1\r\nHost");

        assert!(!answer.contains(" 200 "), "{answer}");
        assert!(start.elapsed() < Duration::from_secs(15));
    }

    #[test]
    fn says_that_the_port_is_taken() {
        let first = bind("127.0.0.1:0".parse().unwrap()).unwrap();

        let trouble = bind(first.local_addr().unwrap()).unwrap_err();

        assert!(matches!(trouble, WebError::Taken(_)));
        assert!(trouble.to_string().contains("change `listen` in [web]"));
    }
}

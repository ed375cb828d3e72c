//! What each path answers. Nothing here changes anything, so only GET and HEAD are answered.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;
use serde_json::json;
use tracing::error;

use super::View;
use super::health::{STALL, now};
use crate::incident::InfectionDoc;
use crate::pipeline::published::{ALERT_LIMIT, HOST_LIMIT, HostView, IncidentView};
use crate::score::Verdict;
use crate::sink::metrics::{self, ProcessView};

/// Hosts, alerts, incidents and infections listed when nobody says how many.
const LIMIT: usize = 100;

/// Incidents listed at most; one takes some KiB with the hosts that may be next.
const INCIDENT_LIMIT: usize = 1000;

/// Infections listed at most; one takes about half a KiB.
const INFECTION_LIMIT: usize = 10_000;

/// The pages over `view`.
pub fn router(view: Arc<View>) -> Router {
    Router::new()
        .route("/metrics", get(metrics_page))
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/api/hosts", get(hosts))
        .route("/api/hosts/{host}", get(host))
        .route("/api/explain/{host}", get(explain))
        .route("/api/alerts", get(alerts))
        .route("/api/incidents", get(incidents))
        .route("/api/incidents/{id}", get(incident))
        .route("/api/infections", get(infections))
        .fallback(nowhere)
        .with_state(view)
}

/// A refusal, in words for a person.
struct Refusal(StatusCode, String);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.0, GUARDS, Json(json!({ "error": self.1 }))).into_response()
    }
}

/// For every answer: do not guess its type, do not keep it.
const GUARDS: [(HeaderName, HeaderValue); 2] = [
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
];

fn text(status: StatusCode, body: String) -> Response {
    (status, GUARDS, body).into_response()
}

async fn nowhere() -> Refusal {
    Refusal(
        StatusCode::NOT_FOUND,
        "no such page; there are /metrics, /healthz, /readyz, /api/hosts, /api/hosts/ADDRESS, \
         /api/explain/ADDRESS, /api/alerts, /api/incidents, /api/incidents/ID and /api/infections"
            .to_owned(),
    )
}

async fn metrics_page(State(view): State<Arc<View>>) -> Response {
    let process = ProcessView {
        alert_log: view.alert_log.as_deref(),
        started: view.started,
        heartbeat_age: view.heart.age(now()),
        config_loaded: view.config_loaded.load(Ordering::Relaxed),
    };
    match metrics::render(&view.published, &process) {
        Ok(page) => {
            let kind = [(header::CONTENT_TYPE, metrics::CONTENT_TYPE)];
            (GUARDS, kind, page).into_response()
        }
        Err(trouble) => {
            error!(%trouble, "cannot answer a scrape");
            Refusal(StatusCode::INTERNAL_SERVER_ERROR, trouble.to_string()).into_response()
        }
    }
}

/// Alive: the packet loop turns. A sensor whose loop hangs should be restarted.
async fn healthz(State(view): State<Arc<View>>) -> Response {
    let age = view.heart.age(now());
    if age < STALL {
        text(StatusCode::OK, "ok\n".to_owned())
    } else {
        let words = format!("the packet loop has not turned for {} s\n", age.as_secs());
        text(StatusCode::SERVICE_UNAVAILABLE, words)
    }
}

/// Ready: packets can come in.
async fn readyz(State(view): State<Arc<View>>) -> Response {
    if view.published.is_capturing() {
        text(StatusCode::OK, "ok\n".to_owned())
    } else {
        text(StatusCode::SERVICE_UNAVAILABLE, "the capture is not open\n".to_owned())
    }
}

/// The list of `/api/hosts`.
#[derive(Serialize)]
struct HostList {
    schema: &'static str,
    total: usize,
    hosts: Vec<HostView>,
}

async fn hosts(
    State(view): State<Arc<View>>,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let query = Query::parse(query.as_deref(), &["verdict", "limit"], HOST_LIMIT)?;
    let wanted = |seen: &HostView| query.verdict.is_none_or(|verdict| seen.verdict == verdict);
    let (hosts, total) = view.published.worst_hosts(query.limit, wanted);
    Ok((GUARDS, Json(HostList { schema: "wormwatch.hosts/1", total, hosts })).into_response())
}

async fn host(
    State(view): State<Arc<View>>,
    Path(address): Path<String>,
) -> Result<Response, Refusal> {
    let address = parsed(&address)?;
    let seen = view.published.host(address).ok_or_else(|| nothing_about(address))?;
    Ok((GUARDS, Json(seen)).into_response())
}

/// The score of one host taken apart, as `wormwatch explain --api` reads it.
async fn explain(
    State(view): State<Arc<View>>,
    Path(address): Path<String>,
) -> Result<Response, Refusal> {
    let address = parsed(&address)?;
    let held = view.published.explanation(address).ok_or_else(|| nothing_about(address))?;
    Ok((GUARDS, Json(held.as_ref())).into_response())
}

fn parsed(address: &str) -> Result<IpAddr, Refusal> {
    address
        .parse()
        .map_err(|_| Refusal(StatusCode::BAD_REQUEST, "not an IPv4 or IPv6 address".to_owned()))
}

fn nothing_about(host: IpAddr) -> Refusal {
    Refusal(StatusCode::NOT_FOUND, format!("there is no evidence about {host}"))
}

async fn alerts(
    State(view): State<Arc<View>>,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let query = Query::parse(query.as_deref(), &["limit"], ALERT_LIMIT)?;
    // The lines are JSON already, byte for byte what the alert file has.
    let lines = view.published.recent_alerts(query.limit);
    let body = format!("{{\"schema\":\"wormwatch.alerts/1\",\"alerts\":[{}]}}\n", lines.join(","));
    Ok((GUARDS, [(header::CONTENT_TYPE, "application/json")], body).into_response())
}

/// The list of `/api/incidents`, latest first.
#[derive(Serialize)]
struct IncidentList<'a> {
    schema: &'static str,
    total: usize,
    incidents: Vec<IncidentView<'a>>,
}

async fn incidents(
    State(view): State<Arc<View>>,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let query = Query::parse(query.as_deref(), &["limit"], INCIDENT_LIMIT)?;
    let board = view.published.incidents();
    let (incidents, total) = board.incidents(query.limit);
    let list = IncidentList { schema: "wormwatch.incidents/1", total, incidents };
    Ok((GUARDS, Json(list)).into_response())
}

/// One incident with all its infections.
async fn incident(
    State(view): State<Arc<View>>,
    Path(id): Path<String>,
) -> Result<Response, Refusal> {
    let board = view.published.incidents();
    let page = board.incident(&id).ok_or_else(|| {
        // The id is whatever somebody asked for, so it is not repeated.
        Refusal(StatusCode::NOT_FOUND, "there is no incident of that id".to_owned())
    })?;
    Ok((GUARDS, Json(page)).into_response())
}

/// The list of `/api/infections`, latest first.
#[derive(Serialize)]
struct InfectionList<'a> {
    schema: &'static str,
    total: usize,
    infections: Vec<InfectionDoc<'a>>,
}

async fn infections(
    State(view): State<Arc<View>>,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let query = Query::parse(query.as_deref(), &["limit"], INFECTION_LIMIT)?;
    let board = view.published.incidents();
    let (infections, total) = board.infections(query.limit);
    let list = InfectionList { schema: "wormwatch.infections/1", total, infections };
    Ok((GUARDS, Json(list)).into_response())
}

/// What the part after the question mark asks for.
#[derive(Debug, PartialEq, Eq)]
struct Query {
    verdict: Option<Verdict>,
    limit: usize,
}

impl Query {
    /// Reads `query`, of which only the keys in `known` may occur and nothing needs decoding.
    fn parse(query: Option<&str>, known: &[&str], most: usize) -> Result<Self, Refusal> {
        let bad = |words: String| Refusal(StatusCode::BAD_REQUEST, words);
        let mut asked = Self { verdict: None, limit: LIMIT };
        for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            match key {
                _ if !known.contains(&key) => {
                    return Err(bad(format!("there is only {} to ask for", known.join(", "))));
                }
                "verdict" => asked.verdict = Some(verdict(value).map_err(bad)?),
                _ => {
                    let limit: usize = value.parse().map_err(|_| bad("limit=N".to_owned()))?;
                    asked.limit = limit.min(most);
                }
            }
        }
        Ok(asked)
    }
}

fn verdict(name: &str) -> Result<Verdict, String> {
    [Verdict::Benign, Verdict::Suspicious, Verdict::Malicious]
        .into_iter()
        .find(|verdict| metrics::verdict_name(*verdict) == name)
        .ok_or_else(|| "verdict is benign, suspicious or malicious".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_is_asked_for_and_refuses_the_rest() {
        let ask = |query| Query::parse(Some(query), &["verdict", "limit"], 500).ok();

        assert_eq!(
            ask("verdict=malicious&limit=9999"),
            Some(Query { verdict: Some(Verdict::Malicious), limit: 500 })
        );
        assert_eq!(ask(""), Some(Query { verdict: None, limit: LIMIT }));
        assert_eq!(ask("limit=-1"), None);
        assert_eq!(ask("verdict=evil"), None);
        assert_eq!(ask("order=desc"), None);
    }
}

//! HTTP and DNS records against what a real Zeek writes for every attack capture of the corpus, and
//! against Zeek's own tests.

#![allow(
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test; its table goes to standard output"
)]

mod common;

use common::zeek_logs::Comparison;

const HTTP: Comparison = Comparison {
    kind: "http",
    identity: &["trans_depth"],
    fields: &[
        "method",
        "host",
        "uri",
        "referrer",
        "version",
        "user_agent",
        "origin",
        "request_body_len",
        "response_body_len",
        "status_code",
        "status_msg",
        "info_code",
        "info_msg",
        "username",
        "proxied",
        "orig_mime_types",
        "resp_mime_types",
    ],
    incomparable: &[("http.261.", "no addresses are told")],
};

const DNS: Comparison = Comparison {
    kind: "dns",
    identity: &["trans_id", "query"],
    fields: &[
        "proto",
        "rtt",
        "qclass",
        "qclass_name",
        "qtype",
        "qtype_name",
        "rcode",
        "rcode_name",
        "AA",
        "TC",
        "RD",
        "RA",
        "Z",
        "answers",
        "TTLs",
        "rejected",
        "opcode",
        "opcode_name",
    ],
    incomparable: &[],
};

#[test]
fn http_agrees_with_zeek() {
    let Some(corpus) = common::corpus().filter(|dir| dir.join("zeek-logs").is_dir()) else {
        eprintln!("skipped: no corpus");
        return;
    };

    let logs = HTTP.with_logs(&corpus);
    logs.print("http, attack captures", HTTP.fields);
    let baselines = HTTP.with_baselines(&corpus);
    baselines.print("http, baselines", HTTP.fields);

    // What differs, and why, is in docs/zeek-differences.md.
    for agreement in [&logs, &baselines] {
        assert!(agreement.zeek >= 50, "{agreement:?}");
        assert!(agreement.found() >= 95.0, "{agreement:?}");
        for field in HTTP.fields {
            let least = if field.ends_with("_body_len") { 70.0 } else { 93.0 };
            assert!(agreement.same(field) >= least, "{field}: {agreement:?}");
        }
    }
}

#[test]
fn dns_agrees_with_zeek() {
    let Some(corpus) = common::corpus().filter(|dir| dir.join("zeek-logs").is_dir()) else {
        eprintln!("skipped: no corpus");
        return;
    };

    let logs = DNS.with_logs(&corpus);
    logs.print("dns, attack captures", DNS.fields);
    let baselines = DNS.with_baselines(&corpus);
    baselines.print("dns, baselines", DNS.fields);

    for agreement in [&logs, &baselines] {
        assert!(agreement.zeek >= 30, "{agreement:?}");
        assert!(agreement.found() >= 99.0, "{agreement:?}");
        for field in DNS.fields {
            assert!(agreement.same(field) >= 97.0, "{field}: {agreement:?}");
        }
    }
}

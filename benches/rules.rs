//! How long an event takes with all shipped rules: one that no rule asks for, one that rules ask
//! for and that concerns none, one that concerns many, one that correlations count.

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use wormwatch::config::Config;
use wormwatch::event::{
    Body, Contact, Conversation, DceRpc, Event, Opening, Outcome, SmbFiles, Uid,
};
use wormwatch::inventory::{Inventory, InventoryConfig};
use wormwatch::net::{Endpoint, Transport};
use wormwatch::rules::Rules;
use wormwatch::time::Timestamp;

const EVENTS: u32 = 10_000;

fn event(number: u32, body: Body) -> Event {
    let addr = |host: u32| IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 | host));
    Event {
        ts: Timestamp::from_nanos(i64::from(number) * 1_000_000),
        packet: u64::from(number),
        conversation: Some(Conversation {
            uid: Uid(u128::from(number)),
            transport: Transport::Tcp,
            client: Endpoint::new(addr(1 + number % 250), 40_000),
            server: Endpoint::new(addr(0x100 + number % 9), 445),
            inferred: false,
        }),
        body,
    }
}

fn contact() -> Body {
    Body::Contact(Contact {
        outcome: Some(Outcome::Accepted),
        opening: Opening::Syn,
        start: Timestamp::EPOCH,
        client_packets: 2,
        server_packets: 1,
        waited: Duration::from_millis(1),
        to_group: false,
    })
}

fn call(endpoint: &str, operation: &str, command: Option<&str>) -> Body {
    Body::Record(Box::new(
        DceRpc {
            named_pipe: Some("\\pipe\\ntsvcs".to_owned()),
            endpoint: endpoint.to_owned(),
            operation: operation.to_owned(),
            command: command.map(str::to_owned),
            ..DceRpc::default()
        }
        .into(),
    ))
}

fn file(action: &'static str, name: &str) -> Body {
    Body::Record(Box::new(
        SmbFiles {
            action,
            path: Some("\\\\ws6\\C$".to_owned()),
            name: Some(name.to_owned()),
            version: "SMB2",
            ..SmbFiles::default()
        }
        .into(),
    ))
}

/// An event's name, and what makes it.
type Case = (&'static str, fn() -> Body);

fn bench(c: &mut Criterion) {
    let config = Config::default();
    let inventory = Inventory::new(&InventoryConfig::default());
    let cases: [Case; 5] = [
        ("no rule asks for it", contact),
        ("concerns none, by its operation", || call("samr", "SamrLookupNamesInDomain", None)),
        ("concerns none, by its file", || {
            file("SMB::FILE_OPEN", "Users\\ann\\Documents\\Report 2026.docx")
        }),
        ("concerns many", || call("svcctl", "CreateServiceW", Some("%COMSPEC% /c dir"))),
        ("concerns many, by its file", || file("SMB::FILE_WRITE", "Windows\\Temp\\tool.exe")),
    ];
    let mut group = c.benchmark_group("rules");
    group.throughput(Throughput::Elements(u64::from(EVENTS)));
    for (name, body) in cases {
        let events: Vec<_> = (0..EVENTS).map(|number| event(number, body())).collect();
        group.bench_function(name, |b| {
            let mut rules = Rules::new(&config.rules);
            let mut out = Vec::new();
            b.iter(|| {
                for event in &events {
                    rules.on_event(event, &inventory, &mut out);
                }
                black_box(out.len());
                out.clear();
            });
        });
    }
    group.finish();
    c.bench_function("rules/load the shipped ones", |b| {
        let files = wormwatch::rules::load(std::path::Path::new("rules")).unwrap_or_default();
        b.iter(|| {
            wormwatch::rules::RuleSet::new(&files, &wormwatch::rules::Levels::default(), &[])
                .is_ok()
        });
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).measurement_time(Duration::from_secs(5));
    targets = bench
}
criterion_main!(benches);

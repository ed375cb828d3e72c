//! What Windows' administration protocols are told to do, against what a real Zeek writes for every
//! attack capture of the corpus, and against Zeek's own test baselines.

#![allow(
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test; its table goes to standard output"
)]

mod common;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use common::simple_decoder::events_of;
use serde_json::Value;
use wormwatch::event::Body;
use wormwatch::flow::FlowConfig;

/// How one of Zeek's logs is compared.
struct Log {
    name: &'static str,
    /// Fields that say which record it is, beside the connection.
    identity: &'static [&'static str],
    /// Fields that are compared.
    fields: &'static [&'static str],
    /// Why a record of Zeek's is not compared, if it is not; docs/zeek-differences.md says more.
    left_out: fn(&Record) -> Option<&'static str>,
    /// Percentage of the records compared that must be there, and of those whose fields must all
    /// be equal.
    floor: (usize, usize),
}

/// A record's fields as text.
type Record = BTreeMap<String, String>;

const LOGS: &[Log] = &[
    Log {
        name: "smb_mapping",
        identity: &["share_type"],
        fields: &["path", "service", "native_file_system", "share_type"],
        left_out: |_| None,
        floor: (99, 94),
    },
    Log {
        name: "smb_files",
        identity: &["name"],
        fields: &[
            "action",
            "path",
            "name",
            "size",
            "prev_name",
            "times.modified",
            "times.accessed",
            "times.created",
            "times.changed",
        ],
        left_out: |zeek| {
            let is = |field: &str, value: &str| zeek.get(field).is_some_and(|it| it == value);
            let is_pipe = zeek.get("path").is_none_or(|path| path.ends_with("IPC$"));
            match is("action", "SMB::FILE_WRITE") {
                true if is_pipe => Some("every write to a pipe"),
                true if zeek.contains_key("fuid") => Some("the first write once more, with a fuid"),
                _ => None,
            }
        },
        floor: (99, 97),
    },
    Log {
        name: "dce_rpc",
        identity: &["endpoint", "operation"],
        fields: &["named_pipe", "endpoint", "operation", "rtt"],
        left_out: |zeek| {
            let is =
                |field: &str, word: &str| zeek.get(field).is_some_and(|it| it.starts_with(word));
            if is("operation", "unknown-") {
                return Some("an operation that has no name in Zeek");
            }
            // Zeek gives operation 16 the name of operation 10.
            (is("endpoint", "IWbemServices") && is("operation", "DeleteClass"))
                .then_some("DeleteInstance, which Zeek calls DeleteClass")
        },
        floor: (99, 99),
    },
    Log {
        name: "ntlm",
        identity: &[],
        fields: &[
            "username",
            "hostname",
            "domainname",
            "server_nb_computer_name",
            "server_dns_computer_name",
            "server_tree_name",
            "success",
        ],
        left_out: |_| None,
        floor: (99, 99),
    },
    Log {
        name: "kerberos",
        identity: &["request_type"],
        fields: &[
            "request_type",
            "client",
            "service",
            "success",
            "error_msg",
            "from",
            "till",
            "cipher",
            "forwardable",
            "renewable",
        ],
        left_out: |zeek| {
            let is_empty = !zeek.contains_key("request_type") && !zeek.contains_key("success");
            is_empty.then_some("a ticket that is presented, without any field")
        },
        floor: (99, 99),
    },
    Log {
        name: "rdp",
        identity: &[],
        fields: &[
            "cookie",
            "result",
            "security_protocol",
            "client_channels",
            "keyboard_layout",
            "client_build",
            "client_name",
            "client_dig_product_id",
            "desktop_width",
            "desktop_height",
            "requested_color_depth",
            "cert_type",
            "cert_count",
            "cert_permanent",
            "encryption_level",
            "encryption_method",
        ],
        left_out: |_| None,
        floor: (99, 80),
    },
];

/// What is unknown to Zeek and known here is no difference: `success` where the carrier tells.
const MORE_IS_FINE: &[&str] = &["success", "path", "security_protocol", "result"];

#[derive(Debug, Default, Clone)]
struct Agreement {
    zeek: usize,
    left_out: BTreeMap<&'static str, usize>,
    found: usize,
    equal: usize,
    fields: BTreeMap<&'static str, usize>,
    ours: usize,
}

impl Agreement {
    fn compared(&self) -> usize {
        self.zeek - self.left_out.values().sum::<usize>()
    }

    fn percent(&self, count: usize) -> f64 {
        100.0 * count as f64 / self.compared().max(1) as f64
    }

    fn print(&self, name: &str) {
        println!(
            "{name}: zeek {}, compared {}, found {:.1} %, equal {:.1} %; ours {}",
            self.zeek,
            self.compared(),
            self.percent(self.found),
            self.percent(self.equal),
            self.ours
        );
        for (field, count) in &self.fields {
            println!("    {field:<26} {:>5.1} %", self.percent(*count));
        }
        for (reason, count) in &self.left_out {
            println!("    not compared: {count} ({reason})");
        }
    }

    fn hold(&self, name: &str, (found, equal): (usize, usize)) {
        assert!(self.found * 100 >= self.compared() * found, "{name}: {self:?}");
        assert!(self.equal * 100 >= self.compared() * equal, "{name}: {self:?}");
    }
}

#[test]
fn agrees_with_zeek_on_the_attack_captures() {
    let Some(corpus) = common::corpus().filter(|dir| dir.join("zeek-logs").is_dir()) else {
        eprintln!("skipped: no corpus");
        return;
    };
    let mut totals = vec![Agreement::default(); LOGS.len()];
    for folder in folders(&corpus.join("zeek-logs")) {
        let theirs: Vec<_> = LOGS.iter().map(|log| json(&folder, log.name)).collect();
        if theirs.iter().all(Vec::is_empty) {
            continue;
        }
        let name = folder.strip_prefix(corpus.join("zeek-logs")).expect("below the logs");
        let ours = our_records(&corpus.join(name));
        for ((log, theirs), total) in LOGS.iter().zip(theirs).zip(&mut totals) {
            let ours = ours.get(log.name).cloned().unwrap_or_default();
            compare(&name.to_string_lossy(), log, &theirs, ours, total);
        }
    }
    for (log, total) in LOGS.iter().zip(&totals) {
        total.print(log.name);
    }
    for (log, total) in LOGS.iter().zip(&totals) {
        assert!(total.zeek > 0, "{}", log.name);
        total.hold(log.name, log.floor);
    }
}

#[test]
fn agrees_with_zeeks_own_baselines() {
    let Some(corpus) = common::corpus().filter(|dir| dir.join("zeek-baseline").is_dir()) else {
        eprintln!("skipped: no corpus");
        return;
    };
    let captures = captures(&corpus);
    let mut totals = vec![Agreement::default(); LOGS.len()];
    for folder in std::fs::read_dir(corpus.join("zeek-baseline")).unwrap() {
        let folder = folder.unwrap().path();
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        let Some(capture) = captures.get(&name).filter(|_| folder.is_dir()) else { continue };
        let mut ours = None;
        for (log, total) in LOGS.iter().zip(&mut totals) {
            let ending = format!("__{}.log", log.name);
            let files = std::fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path());
            // A capture with several baselines of one log differs in what its tests configure.
            let Some(file) = files.filter(|file| file.to_string_lossy().ends_with(&ending)).min()
            else {
                continue;
            };
            let theirs = table(&file);
            let ours = ours.get_or_insert_with(|| our_records(capture));
            let ours = ours.get(log.name).cloned().unwrap_or_default();
            compare(&name, log, &theirs, ours, total);
        }
    }
    let mut all = Agreement::default();
    for (log, total) in LOGS.iter().zip(&totals) {
        total.print(log.name);
        all.zeek += total.zeek;
        all.found += total.found;
        all.equal += total.equal;
        for (reason, count) in &total.left_out {
            *all.left_out.entry(reason).or_default() += count;
        }
    }
    all.print("baselines");
    assert!(all.compared() > 40, "{all:?}");
    all.hold("baselines", BASELINE_FLOOR);
}

/// Percentages for Zeek's baselines.
const BASELINE_FLOOR: (usize, usize) = (95, 85);

fn compare(name: &str, log: &Log, theirs: &[Record], mut ours: Vec<Record>, total: &mut Agreement) {
    let show = std::env::var_os("WORMWATCH_SHOW_DIFFERENCES").is_some();
    total.ours += ours.len();
    for zeek in theirs {
        total.zeek += 1;
        if let Some(reason) = (log.left_out)(zeek) {
            *total.left_out.entry(reason).or_default() += 1;
            continue;
        }
        let ends = ["id.orig_h", "id.orig_p", "id.resp_h", "id.resp_p"];
        let who: Vec<&str> = ends.iter().chain(log.identity).copied().collect();
        let same_one = |mine: &&mut Record| who.iter().all(|field| same(field, zeek, mine));
        let score =
            |mine: &Record| log.fields.iter().filter(|field| same(field, zeek, mine)).count();
        let best = ours.iter_mut().filter(same_one).max_by_key(|mine| score(mine));
        let Some(mine) = best else {
            if show {
                println!("  missing {name} {} {zeek:?}", log.name);
            }
            continue;
        };
        total.found += 1;
        for field in log.fields {
            *total.fields.entry(field).or_default() += usize::from(same(field, zeek, mine));
        }
        let is_equal = score(mine) == log.fields.len();
        total.equal += usize::from(is_equal);
        if show && !is_equal {
            println!("  differs {name} {}\n    zeek {zeek:?}\n    ours {mine:?}", log.name);
        }
        // Taken: no other record of Zeek's is this one.
        mine.clear();
    }
}

fn same(field: &str, zeek: &Record, mine: &Record) -> bool {
    let number = |record: &Record| record.get(field).and_then(|text| text.parse::<f64>().ok());
    match (zeek.get(field), mine.get(field)) {
        // Zeek measures to the packet that ends an answer, or to the one before.
        _ if field == "rtt" => match (number(zeek), number(mine)) {
            (Some(zeek), Some(mine)) => (zeek - mine).abs() < 0.02,
            (zeek, _) => zeek.is_none(),
        },
        (Some(zeek), Some(mine)) if zeek != mine => {
            // What Zeek has opened as a file may be known to be a pipe.
            field == "action" && mine == "SMB::PIPE_OPEN" && zeek == "SMB::FILE_OPEN"
        }
        (None, Some(_)) => MORE_IS_FINE.contains(&field),
        (zeek, mine) => zeek == mine,
    }
}

fn our_records(capture: &Path) -> BTreeMap<&'static str, Vec<Record>> {
    let mut out: BTreeMap<&'static str, Vec<Record>> = BTreeMap::new();
    for event in events_of(capture, &FlowConfig::default()).unwrap() {
        let Body::Record(record) = &event.body else { continue };
        let Some(conversation) = &event.conversation else { continue };
        let mut fields = flatten(&serde_json::to_value(record).unwrap());
        let (client, server) = (conversation.client, conversation.server);
        fields.insert("id.orig_h".to_owned(), client.addr.to_string());
        fields.insert("id.orig_p".to_owned(), canonical(&client.port.to_string()));
        fields.insert("id.resp_h".to_owned(), server.addr.to_string());
        fields.insert("id.resp_p".to_owned(), canonical(&server.port.to_string()));
        out.entry(record.kind()).or_default().push(fields);
    }
    out
}

fn flatten(record: &Value) -> Record {
    let fields = record.as_object().unwrap().iter();
    let texts = fields.map(|(name, value)| {
        let text = match value {
            Value::Bool(true) => "T".to_owned(),
            Value::Bool(false) => "F".to_owned(),
            Value::String(text) => text.clone(),
            Value::Array(values) => {
                values.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(",")
            }
            other => other.to_string(),
        };
        (name.clone(), canonical(&text))
    });
    // Empty and absent are the same.
    texts.filter(|(_, text)| !text.is_empty()).collect()
}

/// Numbers with three decimals, whoever wrote them.
fn canonical(text: &str) -> String {
    match text.parse::<f64>() {
        Ok(number) if text.starts_with(|c: char| c.is_ascii_digit()) => format!("{number:.3}"),
        _ => text.to_owned(),
    }
}

fn json(folder: &Path, name: &str) -> Vec<Record> {
    let text = std::fs::read_to_string(folder.join(format!("{name}.log"))).unwrap_or_default();
    text.lines().map(|line| flatten(&serde_json::from_str(line).unwrap())).collect()
}

fn table(file: &Path) -> Vec<Record> {
    let text = std::fs::read_to_string(file).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with("###"));
    let header =
        lines.clone().find(|line| line.starts_with("#fields\t") || line.starts_with("ts\t"));
    let Some(header) = header.map(|line| line.trim_start_matches("#fields\t")) else {
        return Vec::new();
    };
    let names: Vec<&str> = header.split('\t').collect();
    let rows = lines.filter(|line| !line.starts_with('#') && !line.starts_with("ts\t"));
    let records = rows.map(|line| {
        let values = names.iter().zip(line.split('\t'));
        let known = values.filter(|(_, value)| !["-", "(empty)", ""].contains(value));
        known.map(|(name, value)| ((*name).to_owned(), canonical(&unescaped(value)))).collect()
    });
    records.collect()
}

/// Zeek's text logs write a backslash twice.
fn unescaped(value: &str) -> String {
    value.replace("\\\\", "\\")
}

fn folders(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for class in std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()) {
        if class.is_dir() {
            found.extend(std::fs::read_dir(class).unwrap().map(|entry| entry.unwrap().path()));
        }
    }
    found.sort();
    found
}

fn captures(corpus: &Path) -> BTreeMap<String, PathBuf> {
    let folders = std::fs::read_dir(corpus).unwrap().map(|entry| entry.unwrap().path());
    let folders = folders.filter(|path| {
        path.is_dir() && !path.file_name().unwrap().to_string_lossy().starts_with("zeek-")
    });
    let files = folders.flat_map(|folder| std::fs::read_dir(folder).unwrap());
    let named = files.map(|entry| {
        let path = entry.unwrap().path();
        (path.file_name().unwrap().to_string_lossy().into_owned(), path)
    });
    named.collect()
}

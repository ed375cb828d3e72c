//! The words that a rule may use: log sources, the kinds of events behind them, and their fields.
//!
//! A rule that asks for a field which no event can have never matches, and nobody would notice. So
//! every field of every kind stands here (a test compares the list with the records), beside those
//! that only Zeek fills in, and the names that Sigma's taxonomies have for the same things.

/// A kind of event.
#[derive(Debug)]
pub(super) struct Kind {
    /// Zeek's name of the log.
    pub(super) name: &'static str,
    /// Fields that wormwatch fills in, beside [`COMMON`] ones.
    fields: &'static str,
    /// Fields that Zeek's log has beside these.
    unfilled: &'static str,
    /// Names that Sigma's taxonomies have for its fields.
    aliases: &'static [(&'static str, &'static str)],
}

/// What is known of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// A field, under Zeek's name.
    Field(&'static str),
    /// A field of Zeek's log that wormwatch does not fill in.
    Unfilled,
    /// Nothing.
    Unknown,
}

/// Fields that everything with a connection has.
const COMMON: &str = "ts uid id.orig_h id.orig_p id.resp_h id.resp_p proto local_orig local_resp \
                      orig_roles resp_roles";

const ADDRESSES: &[(&str, &str)] = &[
    ("src_ip", "id.orig_h"),
    ("dst_ip", "id.resp_h"),
    ("src_port", "id.orig_p"),
    ("dst_port", "id.resp_p"),
    ("protocol", "proto"),
];

const HTTP: &[(&str, &str)] = &[
    ("c-ip", "id.orig_h"),
    ("c-uri", "uri"),
    ("c-uri-query", "uri"),
    ("c-uri-stem", "uri"),
    ("c-useragent", "user_agent"),
    ("cs-bytes", "request_body_len"),
    ("cs-host", "host"),
    ("cs-method", "method"),
    ("cs-referer", "referrer"),
    ("cs-referrer", "referrer"),
    ("cs-uri", "uri"),
    ("cs-uri-query", "uri"),
    ("cs-uri-stem", "uri"),
    ("cs-user-agent", "user_agent"),
    ("cs-version", "version"),
    ("r-dns", "host"),
    ("sc-bytes", "response_body_len"),
    ("sc-status", "status_code"),
];

const DNS: &[(&str, &str)] =
    &[("record_type", "qtype_name"), ("answer", "answers"), ("QueryName", "query")];

/// Every kind of event that wormwatch makes.
pub(super) const KINDS: &[Kind] = &[
    Kind {
        name: "conn",
        fields: "service duration orig_bytes resp_bytes conn_state missed_bytes history orig_pkts \
                 orig_ip_bytes resp_pkts resp_ip_bytes ip_proto vlan orig_l2_addr resp_l2_addr \
                 community_id outcome opening inferred action blocked",
        unfilled: "tunnel_parents inner_vlan",
        aliases: &[],
    },
    Kind {
        name: "contact",
        fields: "outcome opening waited orig_pkts resp_pkts to_group community_id inferred",
        unfilled: "",
        aliases: &[],
    },
    Kind {
        name: "arp",
        fields: "operation orig_l2_addr orig_h resp_l2_addr resp_h",
        unfilled: "",
        aliases: &[],
    },
    Kind {
        name: "icmp",
        fields: "orig_h resp_h v6 itype icode about.orig_h about.orig_p about.resp_h about.resp_p \
                 about.ip_proto about.proto",
        unfilled: "",
        aliases: &[],
    },
    Kind {
        name: "weird",
        fields: "name src dst",
        unfilled: "addl notice peer source",
        aliases: &[],
    },
    Kind {
        name: "dce_rpc",
        fields: "rtt named_pipe endpoint operation object command return_code fault \
                 auth_level",
        unfilled: "",
        aliases: &[],
    },
    Kind {
        name: "dns",
        fields: "trans_id rtt query qclass qclass_name qtype qtype_name rcode rcode_name \
                 AA TC RD RA Z answers TTLs rejected opcode opcode_name responder",
        unfilled: "total_answers total_replies saw_query saw_reply auth addl original_query",
        aliases: DNS,
    },
    Kind {
        name: "files",
        fields: "source mime_type filename is_orig seen_bytes total_bytes missing_bytes \
                 sha256",
        unfilled: "fuid tx_hosts rx_hosts conn_uids depth analyzers duration overflow_bytes \
                 timedout parent_fuid md5 sha1 extracted extracted_cutoff extracted_size \
                 entropy",
        aliases: &[],
    },
    Kind {
        name: "ftp",
        fields: "user password command arg file_size reply_code reply_msg \
                 data_channel.passive data_channel.orig_h data_channel.resp_h \
                 data_channel.resp_p",
        unfilled: "mime_type cwd fuid",
        aliases: &[],
    },
    Kind {
        name: "http",
        fields: "trans_depth method host uri referrer version user_agent origin \
                 request_body_len response_body_len status_code status_msg info_code \
                 info_msg username proxied orig_mime_types resp_filenames resp_mime_types",
        unfilled: "tags password orig_fuids orig_filenames resp_fuids client_header_names \
                 server_header_names cookie_vars uri_vars post_body",
        aliases: HTTP,
    },
    Kind {
        name: "kerberos",
        fields: "request_type client service success error_msg error_code from till \
                 cipher forwardable renewable offered_ciphers preauth reply_cipher",
        unfilled: "client_cert_subject client_cert_fuid server_cert_subject \
                 server_cert_fuid auth_ticket new_ticket",
        aliases: &[],
    },
    Kind {
        name: "ldap",
        fields: "message_id version opcode result diagnostic_message object argument",
        unfilled: "",
        aliases: &[],
    },
    Kind {
        name: "ldap_search",
        fields: "message_id scope deref_aliases base_object result_count result \
                 diagnostic_message filter attributes",
        unfilled: "",
        aliases: &[],
    },
    Kind {
        name: "login",
        fields: "protocol method user domain workstation success inferred",
        unfilled: "",
        aliases: &[],
    },
    Kind {
        name: "mongodb",
        fields: "command database collection success error",
        unfilled: "",
        aliases: &[],
    },
    Kind {
        name: "mqtt_connect",
        fields: "proto_name proto_version client_id user connect_status will_topic \
                 will_payload",
        unfilled: "",
        aliases: &[],
    },
    Kind {
        name: "mqtt_publish",
        fields: "from_client retain qos topic payload payload_len",
        unfilled: "status",
        aliases: &[],
    },
    Kind {
        name: "mqtt_subscribe",
        fields: "action topics qos_levels",
        unfilled: "granted_qos_level ack",
        aliases: &[],
    },
    Kind { name: "mysql", fields: "cmd arg success rows response", unfilled: "", aliases: &[] },
    Kind {
        name: "ntlm",
        fields: "username hostname domainname server_nb_computer_name \
                 server_dns_computer_name server_tree_name success server_challenge \
                 target_name ntlm_version carrier",
        unfilled: "",
        aliases: &[],
    },
    Kind {
        name: "postgresql",
        fields: "user database application_name frontend frontend_arg backend backend_arg \
                 success rows",
        unfilled: "",
        aliases: &[],
    },
    Kind {
        name: "rdp",
        fields: "cookie result security_protocol client_channels keyboard_layout \
                 client_build client_name client_dig_product_id desktop_width \
                 desktop_height requested_color_depth cert_type cert_count cert_permanent \
                 encryption_level encryption_method restricted_admin",
        unfilled: "",
        aliases: &[],
    },
    Kind {
        name: "redis",
        fields: "cmd.name cmd.key cmd.value success reply.value",
        unfilled: "",
        aliases: &[],
    },
    Kind {
        name: "rfb",
        fields: "client_major_version client_minor_version server_major_version \
                 server_minor_version authentication_method auth share_flag desktop_name \
                 width height",
        unfilled: "",
        aliases: &[],
    },
    Kind {
        name: "smb_cmd",
        fields: "command sub_command argument status rtt version username tree \
                 tree_service opaque total_params total_data sent_data secondaries \
                 secondary_command mixed mid reply_mid",
        unfilled: "referenced_file.ts referenced_file.uid referenced_file.fuid \
                 referenced_file.action referenced_file.path referenced_file.name \
                 referenced_file.size",
        aliases: &[],
    },
    Kind {
        name: "smb_files",
        fields: "action path name size prev_name times.modified times.accessed \
                 times.created times.changed data_offset_req data_len_req access \
                 disposition is_directory bytes_written bytes_read version username",
        unfilled: "fuid data_len_rsp",
        aliases: &[],
    },
    Kind {
        name: "smb_mapping",
        fields: "path service native_file_system share_type version username encrypted",
        unfilled: "",
        aliases: &[],
    },
    Kind {
        name: "smtp",
        fields: "trans_depth helo mailfrom rcptto date from to cc reply_to msg_id \
                 in_reply_to subject first_received second_received last_reply path \
                 user_agent tls",
        unfilled: "x_originating_ip fuids is_webmail",
        aliases: &[],
    },
    Kind {
        name: "snmp",
        fields: "duration version community user communities get_requests \
                 get_bulk_requests get_responses set_requests display_string",
        unfilled: "up_since",
        aliases: &[],
    },
    Kind {
        name: "ssh",
        fields: "version auth_success auth_attempts auth_method client server cipher_alg \
                 mac_alg compression_alg kex_alg host_key_alg host_key_fingerprint hassh \
                 hasshServer",
        unfilled: "direction host_key remote_location.country_code remote_location.region \
                 remote_location.city remote_location.latitude remote_location.longitude",
        aliases: &[],
    },
    Kind {
        name: "ssh_session",
        fields: "session orig_bytes resp_bytes keystrokes",
        unfilled: "",
        aliases: &[],
    },
    Kind {
        name: "ssl",
        fields: "version cipher curve server_name resumed last_alert next_protocol \
                 established ssl_history cert_chain_fps client_cert_chain_fps subject \
                 issuer client_subject client_issuer ja4",
        unfilled: "cert_chain_fuids client_cert_chain_fuids sni_matches_cert \
                 validation_status ja3 ja3s ja4s",
        aliases: &[],
    },
    Kind {
        name: "tds",
        fields: "user host app server database command arg success error error_msg",
        unfilled: "",
        aliases: &[],
    },
    Kind {
        name: "telnet",
        fields: "user success factory_login command effect",
        unfilled: "",
        aliases: &[],
    },
    Kind {
        name: "tftp",
        fields: "wrq fname mode size error_code error_msg",
        unfilled: "uid_data block_sent block_acked",
        aliases: &[],
    },
    Kind {
        name: "winrm",
        fields: "operation resource command encrypted status_code request_body_len \
                 response_body_len",
        unfilled: "",
        aliases: &[],
    },
];

/// Logs of Zeek that wormwatch has no events for.
const FOREIGN: &str = "analyzer capture_loss cluster config dhcp dnp3 dpd intel irc known_certs \
    known_hosts known_services loaded_scripts modbus notice notice_alarm ntp ocsp packet_filter pe \
    quic radius reporter signatures sip socks software stats syslog traceroute tunnel websocket \
    x509";

/// Which events a log source of a rule is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// These kinds.
    Kinds(Vec<&'static Kind>),
    /// None that wormwatch makes.
    Foreign,
    /// A service of Zeek that neither it nor wormwatch has.
    UnknownService,
    /// Nothing is said.
    Nothing,
}

impl PartialEq for Kind {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Kind {}

/// The events that a rule of this log source is about.
pub(super) fn source(
    product: Option<&str>,
    category: Option<&str>,
    service: Option<&str>,
) -> Source {
    if product.is_none() && category.is_none() && service.is_none() {
        return Source::Nothing;
    }
    let is_zeek = matches!(product, Some("zeek" | "bro" | "wormwatch"));
    if product.is_some() && !is_zeek {
        return Source::Foreign;
    }
    let mut kinds: Vec<_> = match category {
        None => KINDS.iter().collect(),
        Some("dns") => named(&["dns"]),
        Some("firewall") => named(&["conn"]),
        Some("proxy" | "webserver") => named(&["http"]),
        Some(_) => return Source::Foreign,
    };
    match service {
        None => {}
        Some(name) if KINDS.iter().any(|kind| kind.name == name) => {
            kinds.retain(|kind| kind.name == name);
        }
        Some(name) if FOREIGN.split_whitespace().any(|known| known == name) => {
            return Source::Foreign;
        }
        Some(_) if is_zeek => return Source::UnknownService,
        Some(_) => return Source::Foreign,
    }
    if kinds.is_empty() { Source::Foreign } else { Source::Kinds(kinds) }
}

fn named(names: &[&str]) -> Vec<&'static Kind> {
    KINDS.iter().filter(|kind| names.contains(&kind.name)).collect()
}

/// The kind of this name.
pub(super) fn kind(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.name == name)
}

/// Every service that a log source of Zeek may name.
pub(super) fn services() -> impl Iterator<Item = &'static str> {
    KINDS.iter().map(|kind| kind.name).chain(FOREIGN.split_whitespace())
}

impl Kind {
    /// What `name` is among its fields.
    pub(super) fn word(&self, name: &str) -> Word {
        let find = |name: &str| self.filled().find(|field| *field == name);
        if let Some(field) = find(name) {
            return Word::Field(field);
        }
        if self.unfilled.split_whitespace().any(|field| field == name) {
            return Word::Unfilled;
        }
        let alias = self.aliases.iter().chain(ADDRESSES).find(|(other, _)| *other == name);
        match alias.map(|(_, field)| find(field)) {
            Some(Some(field)) => Word::Field(field),
            Some(None) => Word::Unfilled,
            None => Word::Unknown,
        }
    }

    /// The fields that wormwatch fills in.
    pub(super) fn filled(&self) -> impl Iterator<Item = &'static str> {
        COMMON.split_whitespace().chain(self.fields.split_whitespace())
    }

    /// Every name that a rule may use.
    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        let aliases = self.aliases.iter().chain(ADDRESSES).map(|(name, _)| *name);
        self.filled().chain(self.unfilled.split_whitespace()).chain(aliases)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// Records do not tell the names of what they leave out, so this reads their declarations.
    fn declared() -> Vec<(String, Vec<String>)> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/event/record");
        let list = std::fs::read_to_string(folder.join("mod.rs")).unwrap();
        let entries = list.lines().filter_map(|line| {
            let (left, kind) = line.trim().split_once(" = \"")?;
            let (module, _) = left.split_once("::")?;
            Some((module.to_owned(), kind.split_once('"')?.0.to_owned()))
        });
        entries
            .map(|(module, kind)| {
                let file = folder.join(&module).with_extension("rs");
                let file = if file.exists() { file } else { folder.join(module).join("mod.rs") };
                (kind, fields_in(&std::fs::read_to_string(file).unwrap()))
            })
            .collect()
    }

    fn fields_in(text: &str) -> Vec<String> {
        let (mut fields, mut renamed, mut flat) = (Vec::new(), None, false);
        for line in text.lines().map(str::trim).take_while(|line| *line != "#[cfg(test)]") {
            if line.starts_with("#[serde") {
                let name =
                    line.split_once("rename = \"").and_then(|(_, rest)| rest.split_once('"'));
                renamed = name.map(|(name, _)| name.to_owned()).or(renamed);
                flat |= line.contains("flatten") || line.contains("skip)");
            } else if let Some((name, _)) =
                line.strip_prefix("pub ").and_then(|rest| rest.split_once(": "))
            {
                let name = renamed.take().unwrap_or_else(|| name.to_owned());
                if !std::mem::take(&mut flat) && name.chars().all(|c| c != ' ' && c != '(') {
                    fields.push(name);
                }
            }
        }
        fields
    }

    #[test]
    fn the_fields_of_records_are_known_and_no_others() {
        let declared = declared();
        assert!(declared.len() > 20);

        for (name, mut fields) in declared {
            let known = kind(&name).unwrap_or_else(|| panic!("{name} is missing in KINDS"));
            let mut words: Vec<_> = known.fields.split_whitespace().collect();
            fields.retain(|field| !COMMON.split_whitespace().any(|common| common == field));
            fields.sort();
            words.sort_unstable();
            assert_eq!(words, fields, "{name}");
            for field in known.unfilled.split_whitespace() {
                assert!(!words.contains(&field), "{name}.{field} is filled in");
            }
        }
    }

    #[test]
    fn a_log_source_leads_to_its_events() {
        let kinds = |product, category, service| match source(product, category, service) {
            Source::Kinds(kinds) => kinds.into_iter().map(|kind| kind.name).collect(),
            _ => Vec::new(),
        };

        assert_eq!(kinds(Some("zeek"), None, Some("login")), ["login"]);
        assert_eq!(kinds(None, Some("firewall"), None), ["conn"]);
        assert_eq!(kinds(Some("zeek"), None, None).len(), KINDS.len());
        assert_eq!(source(Some("windows"), None, Some("security")), Source::Foreign);
        assert_eq!(source(Some("zeek"), None, Some("x509")), Source::Foreign);
        assert_eq!(source(Some("zeek"), None, Some("lgoin")), Source::UnknownService);
        assert_eq!(source(None, None, None), Source::Nothing);
    }

    #[test]
    fn the_names_of_other_taxonomies_are_fields_too() {
        let conn = kind("conn").unwrap();

        assert_eq!(conn.word("dst_port"), Word::Field("id.resp_p"));
        assert_eq!(conn.word("id.resp_p"), Word::Field("id.resp_p"));
        assert_eq!(conn.word("tunnel_parents"), Word::Unfilled);
        assert_eq!(conn.word("dst_prot"), Word::Unknown);
    }
}

//! What was done inside a protocol: one record a request with its answer, under the names of the
//! Zeek log that it corresponds to.
//!
//! One file a kind. A record derives `Serialize` with Zeek's field names; what is unknown is
//! `None` and left out.

use std::time::Duration;

use serde::{Serialize, Serializer};

macro_rules! records {
    ($($(#[$doc:meta])* $module:ident :: $record:ident = $kind:literal,)+) => {
        $(mod $module; pub use $module::$record;)+

        /// What was done inside a protocol.
        #[derive(Clone, Debug, PartialEq, Serialize)]
        #[serde(untagged)]
        pub enum Record {
            $($(#[$doc])* $record($record),)+
        }

        impl Record {
            /// The kind of log that it belongs to, by Zeek's name where Zeek has one.
            pub const fn kind(&self) -> &'static str {
                match self {
                    $(Self::$record(_) => $kind,)+
                }
            }
        }

        $(impl From<$record> for Record {
            fn from(record: $record) -> Self {
                Self::$record(record)
            }
        })+
    };
}

records! {
    /// A remote procedure call.
    dce_rpc::DceRpc = "dce_rpc",
    /// A name was asked for, or told.
    dns::Dns = "dns",
    /// A file crossed.
    files::Files = "files",
    /// A command of FTP.
    ftp::Ftp = "ftp",
    /// Something was asked of a web server.
    http::Http = "http",
    /// A ticket was asked for or presented.
    kerberos::Kerberos = "kerberos",
    /// A directory operation other than a search.
    ldap::Ldap = "ldap",
    /// A search in a directory.
    ldap_search::LdapSearch = "ldap_search",
    /// Somebody tried to log in, whatever the protocol.
    login::Login = "login",
    /// A command to MongoDB.
    mongodb::Mongodb = "mongodb",
    /// A client at a broker.
    mqtt_connect::MqttConnect = "mqtt_connect",
    /// A message at a broker.
    mqtt_publish::MqttPublish = "mqtt_publish",
    /// What a client of a broker wants to hear.
    mqtt_subscribe::MqttSubscribe = "mqtt_subscribe",
    /// A command to MySQL.
    mysql::Mysql = "mysql",
    /// An NTLM authentication.
    ntlm::Ntlm = "ntlm",
    /// A request to PostgreSQL.
    postgresql::Postgresql = "postgresql",
    /// The opening of a Remote Desktop connection.
    rdp::Rdp = "rdp",
    /// A command to Redis.
    redis::Redis = "redis",
    /// A shared screen.
    rfb::Rfb = "rfb",
    /// An SMB command that tells something in itself.
    smb_cmd::SmbCmd = "smb_cmd",
    /// Something was done with a file or pipe of a share.
    smb_files::SmbFiles = "smb_files",
    /// A client connected to a share.
    smb_mapping::SmbMapping = "smb_mapping",
    /// A mail.
    smtp::Smtp = "smtp",
    /// A conversation with a management agent.
    snmp::Snmp = "snmp",
    /// A secure shell connection.
    ssh::Ssh = "ssh",
    /// What a secure shell session was used for.
    ssh_session::SshSession = "ssh_session",
    /// A TLS handshake.
    ssl::Ssl = "ssl",
    /// A request to Microsoft SQL Server.
    tds::Tds = "tds",
    /// A login over a terminal connection, or a line that was typed.
    telnet::Telnet = "telnet",
    /// A file that was asked for over TFTP.
    tftp::Tftp = "tftp",
    /// A host was managed over WS-Management.
    winrm::Winrm = "winrm",
}

pub use smb_cmd::SmbTransaction;

/// Writes a duration as Zeek does: seconds as a number.
fn as_seconds<S: Serializer>(value: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    match value {
        Some(duration) => serializer.serialize_f64(duration.as_micros() as f64 / 1e6),
        None => serializer.serialize_none(),
    }
}

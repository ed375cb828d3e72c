//! What was done inside a protocol: one record a request with its answer, under the names of the
//! Zeek log that it corresponds to.
//!
//! One file a kind. A record derives `Serialize` with Zeek's field names; what is unknown is
//! `None` and left out.

use serde::Serialize;

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
    /// A file crossed.
    files::Files = "files",
    /// Somebody tried to log in, whatever the protocol.
    login::Login = "login",
    /// A command of FTP.
    ftp::Ftp = "ftp",
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
    /// A request to PostgreSQL.
    postgresql::Postgresql = "postgresql",
    /// A command to Redis.
    redis::Redis = "redis",
    /// A shared screen.
    rfb::Rfb = "rfb",
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
}

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
    /// A secure shell connection.
    ssh::Ssh = "ssh",
    /// What a secure shell session was used for.
    ssh_session::SshSession = "ssh_session",
    /// A TLS handshake.
    ssl::Ssl = "ssl",
}

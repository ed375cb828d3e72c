//! What a failed login looks like from outside, for each protocol that people log in over.

use serde::{Deserialize, Serialize};

use crate::config::units;
use crate::event::Conn;
use crate::net::{Service, Transport};

/// A protocol that people log in over, and the shape of its failed sessions in payload bytes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Login {
    /// The protocol, in Zeek's name; tells subjects apart.
    pub name: String,
    /// Other names that the same protocol goes by.
    #[serde(default)]
    pub also: Vec<String>,
    /// TCP ports that stand for it where no name was recognised, or only that of what carries it.
    pub ports: Vec<u16>,
    /// Protocols that carry it on these ports.
    #[serde(default)]
    pub over: Vec<String>,
    /// Bytes that a client sends at least when it really tries: a check that only reads the
    /// banner sends less.
    pub client_min: u64,
    /// Bytes that a client sends at most.
    pub client_max: u64,
    /// Bytes that the server sends at least.
    pub server_min: u64,
    /// Bytes that the server sends at most when it says no: whoever gets in gets more.
    pub server_max: u64,
    /// Bytes that a client sends at most when only its side is captured and the server's size does
    /// not tell whether it got in; 0 where one side alone tells nothing.
    #[serde(default)]
    pub blind_max: u64,
    /// Times that the client speaks at most.
    #[serde(deserialize_with = "units::count")]
    pub turns_max: u32,
    /// Such sessions in a row that are forgiven.
    #[serde(deserialize_with = "units::amount")]
    pub forgiven: f64,
    /// Such sessions an hour that are everyday life, and leak away.
    #[serde(deserialize_with = "units::amount")]
    pub hourly: f64,
    /// Nats for each further one.
    #[serde(deserialize_with = "units::nats")]
    pub nats: f64,
}

impl Login {
    /// Whether a connection to `service` speaks this protocol.
    pub(crate) fn is_spoken(&self, service: Service, conn: &Conn) -> bool {
        let is_port = service.transport == Transport::Tcp && self.ports.contains(&service.port);
        let Some(name) = conn.service else { return is_port };
        // Zeek joins the names of stacked protocols by commas: `gssapi,smb`.
        name.split(',').any(|part| {
            self.goes_by(part) || (is_port && self.over.iter().any(|carrier| carrier == part))
        })
    }

    /// Whether it is called `name`.
    pub(crate) fn goes_by(&self, name: &str) -> bool {
        name == self.name || self.also.iter().any(|other| other == name)
    }

    /// Whether only one side was captured.
    pub(crate) fn is_blind(conn: &Conn) -> bool {
        (conn.client.packets == 0) != (conn.server.packets == 0)
    }

    /// Whether a session has the size of a failed login, as far as it was captured.
    pub(crate) fn fits(&self, conn: &Conn) -> bool {
        if Self::is_blind(conn) {
            let client = conn.client.packets == 0
                || (self.client_min..=self.blind_max).contains(&conn.client.bytes);
            let server = conn.server.packets == 0
                || (self.server_min..=self.server_max).contains(&conn.server.bytes);
            return self.blind_max > 0 && client && server;
        }
        (self.client_min..=self.client_max).contains(&conn.client.bytes)
            && (self.server_min..=self.server_max).contains(&conn.server.bytes)
            && conn.client.turns <= self.turns_max
    }
}

/// Everything that any login speaks or listens at, to find out quickly that nearly every connection
/// is none.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spoken {
    /// Sorted.
    ports: Vec<u16>,
    names: Vec<String>,
}

impl Spoken {
    pub(crate) fn new(logins: &[Login]) -> Self {
        let mut ports: Vec<u16> = logins.iter().flat_map(|login| &login.ports).copied().collect();
        ports.sort_unstable();
        let names = logins.iter().flat_map(|login| std::iter::once(&login.name).chain(&login.also));
        Self { ports, names: names.cloned().collect() }
    }

    /// Whether [`Login::is_spoken`] may hold for any of them.
    pub(crate) fn may_be(&self, service: Service, conn: &Conn) -> bool {
        self.may_speak(service, conn.service.unwrap_or_default())
    }

    /// Whether [`Login::is_spoken`] may hold for any of them and a connection in which `protocol` is
    /// spoken.
    pub(crate) fn may_speak(&self, service: Service, protocol: &str) -> bool {
        self.ports.binary_search(&service.port).is_ok()
            || protocol.contains(',')
            || self.names.iter().any(|known| known == protocol)
    }
}

/// The known protocols. Where the sizes come from is in `docs/detectors.md`.
pub(crate) fn known() -> Vec<Login> {
    type Row = (&'static str, &'static [&'static str], &'static [u16], [u64; 4], u32, [f64; 3]);
    #[rustfmt::skip]
    let table: [Row; 13] = [
        // name, also, ports, [client min, max, server min, max], turns, [forgiven, hourly, nats]
        // A session that gets in adds channels, output and host key proofs: over 3.3 KB.
        ("ssh", &[], &[22, 2222], [400, 6000, 300, 3300], 40, [2.2, 4.0, 1.9]),
        ("ftp", &[], &[21], [16, 400, 40, 1200], 8, [5.0, 20.0, 1.0]),
        ("telnet", &[], &[23, 2323], [12, 600, 20, 3000], 60, [3.0, 6.0, 1.3]),
        ("rdp", &[], &[3389], [300, 8000, 300, 8000], 20, [3.0, 6.0, 1.2]),
        ("smb", &["netbios-ssn"], &[445, 139], [150, 3000, 150, 3000], 12, [2.5, 20.0, 1.1]),
        ("rfb", &["vnc"], &[5900, 5901, 5902, 5903], [28, 300, 30, 300], 8, [3.0, 6.0, 1.3]),
        // A page of a web application connects, asks and goes: more turns than a refusal.
        ("mysql", &[], &[3306], [40, 400, 60, 400], 2, [6.0, 30.0, 0.8]),
        ("postgresql", &["postgres"], &[5432], [30, 500, 20, 300], 3, [6.0, 30.0, 0.8]),
        ("tds", &["mssql"], &[1433], [100, 1200, 60, 500], 4, [6.0, 30.0, 0.8]),
        // Mailboxes are polled by the minute, for good.
        ("imap", &[], &[143], [20, 400, 60, 700], 6, [10.0, 90.0, 0.8]),
        ("pop3", &["pop"], &[110], [15, 200, 30, 300], 6, [10.0, 90.0, 0.8]),
        ("ldap", &["ldap_tcp"], &[389], [14, 200, 14, 250], 1, [12.0, 240.0, 0.5]),
        ("winrm", &[], &[5985], [150, 4000, 100, 2500], 4, [4.0, 12.0, 1.0]),
    ];
    table
        .into_iter()
        .map(|(name, also, ports, bytes, turns_max, weights)| {
            let [client_min, client_max, server_min, server_max] = bytes;
            let [forgiven, hourly, nats] = weights;
            Login {
                name: name.to_owned(),
                also: also.iter().map(|name| (*name).to_owned()).collect(),
                ports: ports.to_vec(),
                over: if name == "winrm" { vec!["http".to_owned()] } else { Vec::new() },
                client_min,
                client_max,
                server_min,
                server_max,
                blind_max: match name {
                    // The key exchange of a guessing tool and one to six passwords; who gets in
                    // sends a signature or goes on to ask for a channel.
                    "ssh" => 2400,
                    // USER, PASS, QUIT.
                    "ftp" => 80,
                    _ => 0,
                },
                turns_max,
                forgiven,
                hourly,
                nats,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::tcp;
    use super::*;
    use crate::event::Body;

    #[test]
    fn goes_by_the_protocol_before_the_port() {
        let logins = known();
        let ssh = logins.iter().find(|login| login.name == "ssh").unwrap();
        let event = tcp("10.0.0.1", "10.0.0.2", 22).conn(1.0, (1000, 2000), 8);
        let Body::Conn(mut conn) = event.body else { panic!("a connection") };

        assert!(ssh.is_spoken(Service::tcp(22), &conn));
        conn.service = Some("http");
        assert!(!ssh.is_spoken(Service::tcp(22), &conn));
        conn.service = Some("ssh");
        assert!(ssh.is_spoken(Service::tcp(443), &conn));
        conn.service = Some("http");
        let winrm = logins.iter().find(|login| login.name == "winrm").unwrap();
        assert!(winrm.is_spoken(Service::tcp(5985), &conn));
        assert!(!winrm.is_spoken(Service::tcp(80), &conn));
    }
}

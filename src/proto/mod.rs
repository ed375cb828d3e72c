//! Which application protocol a connection speaks, told from the first bytes of either direction.
//!
//! Ports lie: worms move services, tunnels borrow 443, and a capture that starts in the middle has
//! no handshake to go by. So content decides, and a port at most confirms what content leaves open.

mod ber;
mod budget;
mod bytes;
mod cursor;
mod databases;
mod datagrams;
mod dce_rpc;
mod dissect;
mod dns;
pub mod file;
mod framing;
mod ftp;
mod gss;
mod http;
mod industrial;
mod kerberos;
mod ldap;
mod mailbox;
mod mongodb;
mod mqtt;
mod mysql;
mod ntlm;
mod postgresql;
mod rdp;
mod recent;
mod recognise;
mod redis;
mod render;
mod sasl;
mod smb;
mod smtp;
mod sniffer;
mod snmp;
mod ssh;
mod starttls;
mod tds;
mod telnet;
mod text;
mod tftp;
mod tls;
mod unwrapped;
mod vnc;
mod windows;

pub use dissect::{Dissector, Expected, Findings, dissector};
pub use recognise::{Ports, Verdict, recognise_datagram, recognise_stream};
pub use sniffer::Sniffer;

/// Which end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Opened it, sends requests.
    Client,
    /// Was called, sends replies and banners.
    Server,
}

impl Role {
    /// The other end.
    pub const fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

macro_rules! protocols {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)+) => {
        /// An application protocol; its name is Zeek's where Zeek has one.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Protocol {
            $($(#[$doc])* $variant,)+
        }

        impl Protocol {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The name, as it stands in the `service` field.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }
    };
}

protocols! {
    /// Android Debug Bridge.
    Adb = "adb",
    /// BACnet/IP virtual link control.
    Bacnet = "bacnet",
    /// BitTorrent peer protocol and its distributed hash table.
    Bittorrent = "bittorrent",
    /// DCE/RPC, connection-oriented or datagram.
    DceRpc = "dce_rpc",
    /// DHCP and BOOTP.
    Dhcp = "dhcp",
    /// DNP3 over TCP.
    Dnp3Tcp = "dnp3_tcp",
    /// DNP3 over UDP.
    Dnp3Udp = "dnp3_udp",
    /// DNS, multicast DNS, LLMNR and NetBIOS names, which share one message format.
    Dns = "dns",
    /// EtherNet/IP encapsulation.
    Enip = "enip",
    /// FTP control connection.
    Ftp = "ftp",
    /// FTP data connection.
    FtpData = "ftp-data",
    /// Gnutella.
    Gnutella = "gnutella",
    /// HTTP/1 and the HTTP/2 preface.
    Http = "http",
    /// IMAP.
    Imap = "imap",
    /// IKE (ISAKMP).
    Ike = "ipsec",
    /// IRC.
    Irc = "irc",
    /// Kerberos over UDP.
    Krb = "krb",
    /// Kerberos over TCP.
    KrbTcp = "krb_tcp",
    /// LDAP over TCP.
    LdapTcp = "ldap_tcp",
    /// Connectionless LDAP.
    LdapUdp = "ldap_udp",
    /// Modbus/TCP.
    Modbus = "modbus",
    /// MongoDB wire protocol.
    Mongodb = "mongodb",
    /// ONC RPC mount protocol.
    Mount = "mount",
    /// MQTT.
    Mqtt = "mqtt",
    /// MySQL client/server protocol.
    Mysql = "mysql",
    /// NetBIOS datagram service.
    NetbiosDgm = "netbios-dgm",
    /// ONC RPC network file system.
    Nfs = "nfs",
    /// Network Time Protocol.
    Ntp = "ntp",
    /// POP3.
    Pop3 = "pop3",
    /// ONC RPC port mapper.
    Portmapper = "portmapper",
    /// PostgreSQL frontend/backend protocol.
    Postgresql = "postgresql",
    /// QUIC with a long header.
    Quic = "quic",
    /// RADIUS.
    Radius = "radius",
    /// Remote Desktop over TPKT.
    Rdp = "rdp",
    /// Redis serialisation protocol.
    Redis = "redis",
    /// Remote framebuffer (VNC).
    Rfb = "rfb",
    /// rsync daemon.
    Rsync = "rsync",
    /// Real-time streaming protocol.
    Rtsp = "rtsp",
    /// ISO transport and what rides on it, S7 among others.
    S7comm = "s7comm",
    /// Session initiation protocol.
    Sip = "sip",
    /// Server message block, versions 1 to 3.
    Smb = "smb",
    /// SMTP.
    Smtp = "smtp",
    /// SNMP.
    Snmp = "snmp",
    /// SOCKS 4 and 5.
    Socks = "socks",
    /// Simple service discovery protocol.
    Ssdp = "ssdp",
    /// Secure shell.
    Ssh = "ssh",
    /// TLS, SSL and DTLS.
    Ssl = "ssl",
    /// STUN and TURN.
    Stun = "stun",
    /// Syslog.
    Syslog = "syslog",
    /// Tabular data stream (Microsoft SQL Server).
    Tds = "tds",
    /// Telnet option negotiation.
    Telnet = "telnet",
    /// TFTP.
    Tftp = "tftp",
    /// XMPP.
    Xmpp = "xmpp",
}

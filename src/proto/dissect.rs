//! What reads a conversation once its protocol is known, and says what was done in it.
//!
//! A dissector gets both directions as they arrive, in order within each, and keeps only what the
//! next message cannot be understood without. What it cannot follow it leaves: a wrong guess about
//! an administration protocol costs more than a missing record.

use super::{
    Protocol, Role, dce_rpc, dns, ftp, http, kerberos, ldap, mailbox, mongodb, mqtt, mysql,
    postgresql, rdp, redis, smb, smtp, snmp, ssh, starttls, tds, telnet, tftp, tls, vnc,
};
use crate::event::{Conversation, Record};
use crate::net::{Endpoint, Transport};
use crate::time::Timestamp;

/// Reads one connection of one protocol.
///
/// Everything it is given was chosen by somebody else: lengths lie, messages begin in the middle,
/// bytes are missing. No input may make it panic, keep more than a few tens of KiB, or take more
/// than linear time.
pub trait Dissector: std::fmt::Debug + Send {
    /// Is told which connection it reads, before anything else.
    fn on_start(&mut self, talk: &Conversation) {
        let _ = talk;
    }

    /// Takes the next bytes that `sender` sent: of a stream any piece, in order and each once; of
    /// datagrams one whole.
    fn on_data(&mut self, at: Timestamp, sender: Role, data: &[u8], out: &mut Findings);

    /// `bytes` of the stream that `sender` sent are missing here: lost, or cut off by the snap
    /// length.
    fn on_gap(&mut self, sender: Role, bytes: u64);

    /// The connection was announced by another one, which named the file that it carries.
    fn on_announced(&mut self, file: &str) {
        let _ = file;
    }

    /// The connection is over, or goes on as another protocol: what was asked and not answered is
    /// told as that.
    fn on_end(&mut self, at: Timestamp, out: &mut Findings) {
        let _ = (at, out);
    }

    /// Whether bytes of `sender` can still tell something. Where neither direction's can, the
    /// dissector is dropped, and the stream is not put in order any more. Bytes of a direction that
    /// is not wanted are told as a gap.
    fn wants(&self, sender: Role) -> bool {
        let _ = sender;
        true
    }

    /// Whether a new one would say the same of what comes, so that it can be dropped until then. Only
    /// what reads datagrams is asked.
    fn is_resting(&self) -> bool {
        false
    }

    /// Bytes held, the dissector's own size included.
    fn bytes(&self) -> usize;
}

/// What a dissector says.
#[derive(Debug, Default)]
pub struct Findings {
    /// What was done, in order.
    pub records: Vec<Record>,
    /// Connections that were agreed upon and will carry something of this one.
    pub expected: Vec<Expected>,
    /// The protocol that follows on the same connection (STARTTLS, CONNECT, an upgrade).
    pub becomes: Option<Protocol>,
}

impl Findings {
    /// Adds a record.
    pub fn say(&mut self, record: impl Into<Record>) {
        self.records.push(record.into());
    }
}

/// A connection that was announced in another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// The transport protocol.
    pub transport: Transport,
    /// Where it goes to.
    pub server: Endpoint,
    /// What it will speak.
    pub protocol: Protocol,
    /// The name of the file that it carries, where it carries one.
    pub file: Option<String>,
}

/// What reads `protocol`, if anything does.
pub fn dissector(protocol: Protocol) -> Option<Box<dyn Dissector>> {
    // One line a protocol; those that only get a name have none.
    let reads: Box<dyn Dissector> = match protocol {
        Protocol::DceRpc => Box::new(dce_rpc::Association::new()),
        Protocol::Dns => Box::new(dns::Dns::default()),
        Protocol::Ftp => Box::new(ftp::Dissection::new()),
        Protocol::FtpData => Box::new(ftp::DataDissection::default()),
        Protocol::Http => Box::new(http::Http::default()),
        Protocol::Imap => Box::new(mailbox::Dissection::imap()),
        Protocol::Irc => Box::new(starttls::Dissection::irc()),
        Protocol::Krb | Protocol::KrbTcp => Box::new(kerberos::Dissect::new(protocol)),
        Protocol::LdapTcp | Protocol::LdapUdp => Box::new(ldap::Dissect::new(protocol)),
        Protocol::Mongodb => Box::new(mongodb::Dissection::new()),
        Protocol::Mqtt => Box::new(mqtt::Dissection::new()),
        Protocol::Mysql => Box::new(mysql::Dissection::new()),
        Protocol::Pop3 => Box::new(mailbox::Dissection::pop3()),
        Protocol::Postgresql => Box::new(postgresql::Dissection::new()),
        Protocol::Rdp => Box::new(rdp::Dissect::new()),
        Protocol::Redis => Box::new(redis::Dissection::new()),
        Protocol::Rfb => Box::new(vnc::Dissection::new()),
        Protocol::Smb => Box::new(smb::Dissect::new()),
        Protocol::Smtp => Box::new(smtp::Dissection::new()),
        Protocol::Snmp => Box::new(snmp::Dissection::new()),
        Protocol::Ssh => Box::new(ssh::Dissection::new()),
        Protocol::Ssl => Box::new(tls::Dissection::new()),
        Protocol::Tds => Box::new(tds::Dissection::new()),
        Protocol::Telnet => Box::new(telnet::Dissection::new()),
        Protocol::Tftp => Box::new(tftp::Dissection::new()),
        Protocol::Xmpp => Box::new(starttls::Dissection::xmpp()),
        _ => return None,
    };
    Some(reads)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Uid;
    use proptest::prelude::*;

    fn talk(transport: Transport) -> Conversation {
        let end = |last, port| Endpoint::new([192, 0, 2, last].into(), port);
        let (client, server) = (end(1, 40_000), end(2, 445));
        Conversation { uid: Uid(1), transport, client, server, inferred: false }
    }

    proptest! {
        #[test]
        fn no_dissector_minds_what_it_is_given(
            tcp: bool,
            pieces in proptest::collection::vec(
                (0u8..8, proptest::collection::vec(any::<u8>(), 0..200)),
                0..30,
            ),
        ) {
            let talk = talk(if tcp { Transport::Tcp } else { Transport::Udp });
            for &protocol in Protocol::ALL {
                let Some(mut reader) = dissector(protocol) else { continue };
                let mut out = Findings::default();
                reader.on_start(&talk);
                for (kind, data) in &pieces {
                    let sender = if kind & 1 == 0 { Role::Client } else { Role::Server };
                    if kind & 6 == 6 {
                        reader.on_gap(sender, data.len() as u64);
                    } else {
                        reader.on_data(Timestamp::from_secs(1), sender, data, &mut out);
                    }
                    prop_assert!(reader.bytes() < 512 << 10);
                }
                reader.on_end(Timestamp::from_secs(2), &mut out);
            }
        }
    }
}

//! What records tell of a conversation that goes on, until it is over and becomes an exchange.

use crate::detect::text_hash;
use crate::event::Record;
use crate::inventory::Weigh;

/// Mailboxes remembered of one mail.
const MAILBOXES: usize = 4;

/// What was read inside an exchange; hashes, 0 where nothing was.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Said {
    /// The account.
    pub(super) account: u32,
    /// The client's software.
    pub(super) software: u32,
    /// Whether a login was let in, where one was seen.
    pub(super) is_in: Option<bool>,
    /// Whether it fetches what its server brought by calling just before.
    pub(super) is_fetching: bool,
    /// The mailbox of who sent a mail.
    pub(super) from: u32,
    /// The mailboxes of those who get it.
    pub(super) to: [u32; MAILBOXES],
}

impl Weigh for Said {}

impl Said {
    /// Whether `record` says something that is kept.
    pub(super) const fn is_told_by(record: &Record) -> bool {
        matches!(record, Record::Login(_) | Record::Smtp(_) | Record::Ssh(_))
    }

    /// Whether account and software are the same.
    pub(super) const fn is_same(self, other: Self) -> bool {
        self.account == other.account && self.software == other.software
    }

    /// Takes what `record` says.
    pub(super) fn read(&mut self, record: &Record) {
        match record {
            Record::Login(login) => {
                if let Some(user) = login.user.as_deref().filter(|user| !user.is_empty()) {
                    self.account = short(&user.to_lowercase());
                }
                self.is_in = login.success.or(self.is_in);
            }
            Record::Smtp(smtp) => {
                self.from = smtp.mailfrom.as_deref().map_or(0, mailbox);
                self.to = [0; MAILBOXES];
                let named = smtp.rcptto.iter().chain(&smtp.to);
                for (place, to) in self.to.iter_mut().zip(named) {
                    *place = mailbox(to);
                }
            }
            Record::Ssh(ssh) => self.software = ssh.client.as_deref().map_or(0, short),
            _ => {}
        }
    }

    /// The mailboxes of others that get the mail. Who writes to itself, as machines do whose mail to
    /// `root` is gathered somewhere, is not read by the next machine of that name.
    pub(super) fn readers(self) -> impl Iterator<Item = u32> {
        self.to.into_iter().filter(move |mailbox| *mailbox != 0 && *mailbox != self.from)
    }
}

/// A hash of a mailbox: its name without the domain, which senders write or leave out.
fn mailbox(address: &str) -> u32 {
    let name = address.trim_matches(|c| matches!(c, '<' | '>' | ' '));
    let name = name.split('@').next().unwrap_or(name).to_lowercase();
    // Bounces come from nobody (RFC 5321, section 4.5.5).
    if name.is_empty() { 0 } else { short(&name) }
}

fn short(text: &str) -> u32 {
    (text_hash(text) >> 32) as u32
}

//! An attempt to log in, as the credential detectors look at it.

use std::net::IpAddr;

use crate::event::{Body, Conversation, Event, Login, Record};
use crate::inventory::{Inventory, mix, stable_hash};
use crate::net::is_group;
use crate::time::Timestamp;

/// Accounts that let in whoever asks: to use one is no login.
const GUESTS: [&str; 5] = ["", "-", "anonymous", "ftp", "guest"];
/// Characters of an account's name that a sentence shows.
const SHOWN_MAX: usize = 32;

/// Somebody tried to log in, and the answer was seen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Logon<'a> {
    /// When the answer came.
    pub(crate) ts: Timestamp,
    /// The connection.
    pub(crate) talk: &'a Conversation,
    /// Whether it was let in.
    pub(crate) is_in: bool,
    login: &'a Login,
}

impl<'a> Logon<'a> {
    /// The logon that an event tells of, if its client may not do as it likes. Guests and those who
    /// ask without a proof (`none`) do not log in; whose answer was not seen proves nothing.
    pub(crate) fn of(event: &'a Event, inventory: &Inventory) -> Option<Self> {
        let (Body::Record(record), Some(talk)) = (&event.body, &event.conversation) else {
            return None;
        };
        let Record::Login(login) = record.as_ref() else { return None };
        let (client, server) = (talk.client.addr, talk.server.addr);
        let is_guest = login
            .user
            .as_deref()
            .is_some_and(|user| GUESTS.iter().any(|guest| user.trim().eq_ignore_ascii_case(guest)));
        if is_guest
            || login.method == "none"
            || client == server
            || is_group(server)
            || inventory.may_scan(client)
        {
            return None;
        }
        Some(Self { ts: event.ts, talk, is_in: login.success?, login })
    }

    /// Who tried.
    pub(crate) const fn client(&self) -> IpAddr {
        self.talk.client.addr
    }

    /// Where.
    pub(crate) const fn server(&self) -> IpAddr {
        self.talk.server.addr
    }

    /// In which protocol.
    pub(crate) const fn protocol(&self) -> &'static str {
        self.login.protocol
    }

    /// Whether its result was concluded from sizes and order, because the exchange is encrypted.
    pub(crate) const fn is_inferred(&self) -> bool {
        self.login.inferred
    }

    /// Whether a key was offered. A client offers all that it has until one fits, and nobody guesses
    /// keys.
    pub(crate) fn is_key(&self) -> bool {
        self.login.method == "publickey"
    }

    /// Whether a proof was looked at: an account that is unknown or locked is refused without, so to
    /// ask for it again is no other guess.
    pub(crate) fn is_proof(&self) -> bool {
        self.login.method != "kerberos-account"
    }

    /// A hash of the account's bare name: `CORP\Anna`, `anna@corp.example` and `anna` are one.
    pub(crate) fn name(&self) -> Option<u64> {
        Some(text_hash(&self.bare_name()?))
    }

    /// A hash that tells the account from all others: its name with the first label of its domain
    /// (`CORP` and `corp.example` are one), or with the server where there is no domain, because
    /// every device has its own `admin`.
    pub(crate) fn account(&self) -> Option<u64> {
        let name = self.name()?;
        let user = self.login.user.as_deref()?;
        let in_name = user.split_once('\\').map(|(domain, _)| domain);
        let in_name = in_name.or_else(|| user.split_once('@').map(|(_, domain)| domain));
        let domain = self.login.domain.as_deref().filter(|domain| !domain.is_empty()).or(in_name);
        let label = domain.and_then(|domain| domain.split('.').next()).unwrap_or_default();
        let realm = match label {
            "" => stable_hash(self.server()),
            label => text_hash(&label.to_lowercase()),
        };
        Some(mix(name ^ mix(realm)))
    }

    /// Whether the account is a host's own (`PC17$`).
    pub(crate) fn is_machine(&self) -> bool {
        self.bare_name().is_some_and(|name| name.ends_with('$'))
    }

    /// The account's name, short and printable.
    pub(crate) fn shown(&self) -> String {
        let name = self.login.user.as_deref().unwrap_or("an account");
        name.chars().filter(|c| !c.is_control()).take(SHOWN_MAX).collect()
    }

    fn bare_name(&self) -> Option<String> {
        let user = self.login.user.as_deref()?;
        let user = user.rsplit_once('\\').map_or(user, |(_, name)| name);
        let user = user.split_once('@').map_or(user, |(name, _)| name);
        Some(user.to_lowercase())
    }
}

/// A hash of a text that is the same on every machine and in every version (FNV-1a, then mixed).
pub(crate) fn text_hash(text: &str) -> u64 {
    mix(text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    }))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Account, tcp};
    use super::*;

    fn account(login: Account) -> Option<u64> {
        let event = tcp("10.0.0.1", "10.0.0.2", 445).login(login);
        Logon::of(&event, &Inventory::default()).and_then(|logon| logon.account())
    }

    #[test]
    fn knows_an_account_by_all_of_its_names() {
        let anna = account(Account::of("smb", "anna").domain("CORP"));

        assert!(anna.is_some());
        assert_eq!(anna, account(Account::of("krb", "Anna").domain("CORP.EXAMPLE")));
        assert_eq!(anna, account(Account::of("ldap", "CORP\\anna")));
        assert_eq!(anna, account(Account::of("ldap", "anna@corp.example")));
        assert_ne!(anna, account(Account::of("smb", "anna")));
        assert_ne!(anna, account(Account::of("smb", "bert").domain("CORP")));
    }

    #[test]
    fn a_guest_is_nobody_and_a_machine_is_a_machine() {
        let event = tcp("10.0.0.1", "10.0.0.2", 445).login(Account::of("smb", "PC17$"));

        assert!(Logon::of(&event, &Inventory::default()).unwrap().is_machine());
        assert_eq!(account(Account::of("ftp", "anonymous")), None);
        assert_eq!(account(Account::of("smb", "x").method("none")), None);
    }
}

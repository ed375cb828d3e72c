//! What both directions add up to: who speaks what, who got in, and what it is for.

use super::auth::{Attempt, Auth};
use super::hello::{self, Agreement, Offer, both_directions};
use super::suite::Suite;
use super::traffic::Traffic;
use crate::event::{Login, Record, Ssh};
use crate::proto::framing::Message;
use crate::proto::{Findings, Protocol, Role};
use crate::time::Timestamp;

/// SSH_MSG_KEXINIT.
const KEXINIT: u8 = 20;
/// SSH_MSG_NEWKEYS.
const NEWKEYS: u8 = 21;

/// What both directions add up to.
#[derive(Debug, Default)]
pub(super) struct Talk {
    pub(super) record: Ssh,
    pub(super) offers: [Option<Offer>; 2],
    /// How lengths are hidden, to the server and to the client.
    pub(super) suites: Option<[Suite; 2]>,
    pub(super) auth: Option<Auth>,
    pub(super) traffic: Traffic,
    pub(super) attempts: Vec<Attempt>,
    pub(super) is_record_said: bool,
    pub(super) is_session_said: bool,
}

impl Talk {
    pub(super) fn on_banner(&mut self, sender: Role, banner: String) {
        let record = &mut self.record;
        match sender {
            Role::Client => record.client = Some(banner),
            Role::Server => record.server = Some(banner),
        }
        if let (Some(client), Some(server)) = (&record.client, &record.server) {
            record.version = Some(hello::version(client, server));
        }
    }

    /// Takes a message in the clear; whether what follows is encrypted.
    pub(super) fn on_message(&mut self, sender: Role, message: &Message<'_>) -> bool {
        let padding = message.head.get(4).map_or(0, |&padding| usize::from(padding));
        let length = usize::try_from(message.length).unwrap_or(usize::MAX);
        let payload = message.head.get(5..length.saturating_sub(padding)).unwrap_or_default();
        match payload.first() {
            Some(&KEXINIT) => {
                if let Some(offer) = Offer::read(payload) {
                    self.on_offer(sender, offer);
                }
                false
            }
            Some(&NEWKEYS) => true,
            // The replies of every method that is in use carry the host key first.
            Some(31 | 33)
                if sender == Role::Server && self.record.host_key_fingerprint.is_none() =>
            {
                self.record.host_key_fingerprint = hello::host_key(payload);
                false
            }
            _ => false,
        }
    }

    fn on_offer(&mut self, sender: Role, offer: Offer) {
        let hassh = offer.hassh(sender);
        let [client, server] = &mut self.offers;
        match sender {
            Role::Client => {
                self.record.hassh = Some(hassh);
                *client = Some(offer);
            }
            Role::Server => {
                self.record.hassh_server = Some(hassh);
                *server = Some(offer);
            }
        }
        let (Some(client), Some(server)) = (&client, &server) else { return };
        let agreement = Agreement::of(client, server);
        self.record.cipher_alg = both_directions(&agreement.cipher);
        self.record.mac_alg = both_directions(&agreement.mac);
        self.record.compression_alg = both_directions(&agreement.compression);
        self.record.kex_alg.clone_from(&agreement.kex);
        self.record.host_key_alg.clone_from(&agreement.host_key);
        self.offers = [None, None];
        self.seal(&agreement);
    }

    fn seal(&mut self, agreement: &Agreement) {
        let suite = |[cipher, mac]: [&Option<String>; 2]| {
            Suite::new(cipher.as_deref()?, mac.as_deref().unwrap_or_default())
        };
        let ([cipher_up, cipher_down], [mac_up, mac_down]) = (&agreement.cipher, &agreement.mac);
        let to_server = suite([cipher_up, mac_up]);
        self.suites = to_server.zip(suite([cipher_down, mac_down])).map(|(up, down)| [up, down]);
        let [compression, _] = &agreement.compression;
        // zlib@openssh.com begins after authentication; plain zlib makes sizes meaningless.
        if let (Some([to_server, to_client]), true) =
            (self.suites, compression.as_deref() != Some("zlib"))
        {
            let client = self.record.client.as_deref().unwrap_or_default();
            self.auth = Some(Auth::new(to_server, to_client, client));
        }
    }

    pub(super) fn on_sealed(&mut self, at: Timestamp, sender: Role, length: u64) {
        let size = u32::try_from(length).unwrap_or(u32::MAX);
        let Some(auth) = &mut self.auth else { return };
        if auth.is_done() {
            self.traffic.on_data(at, sender, size);
            return;
        }
        match sender {
            Role::Client => auth.on_client(at, size, &mut self.attempts),
            Role::Server => auth.on_server(at, size, &mut self.attempts),
        }
    }

    /// Says what became known.
    pub(super) fn tell(&mut self, out: &mut Findings) {
        for attempt in std::mem::take(&mut self.attempts) {
            self.record.auth_attempts = self.record.auth_attempts.saturating_add(1);
            self.record.auth_success = Some(attempt.success);
            out.say(Login {
                protocol: Protocol::Ssh.as_str(),
                method: attempt.method,
                user: None,
                domain: None,
                workstation: None,
                success: Some(attempt.success),
                inferred: true,
            });
            if attempt.success {
                self.record.auth_method = Some(attempt.method);
                self.tell_record(out);
            }
        }
        if !self.is_session_said
            && let Some(session) = self.traffic.early()
        {
            self.is_session_said = true;
            out.say(session);
        }
    }

    pub(super) fn tell_record(&mut self, out: &mut Findings) {
        let is_seen = self.record.client.is_some() || self.record.server.is_some();
        if is_seen && !self.is_record_said {
            self.is_record_said = true;
            out.say(Record::Ssh(self.record.clone()));
        }
    }
}

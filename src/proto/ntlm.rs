//! NTLMSSP ([MS-NLMP] 2.2.1): who authenticates to whom, from the three messages that SMB,
//! DCE/RPC, LDAP, HTTP and others carry around.

use super::bytes::{filled, le16, le32, part, text, utf16};
use crate::event;

const SIGNATURE: &[u8] = b"NTLMSSP\0";
/// NTLMSSP_NEGOTIATE_UNICODE ([MS-NLMP] 2.2.2.5).
const UNICODE: u32 = 1;
/// Longer names than any directory allows are cut off.
const NAME_LIMIT: usize = 256;
/// A target information list has a dozen pairs.
const PAIR_LIMIT: usize = 32;

/// One authentication as far as its messages were seen.
#[derive(Debug, Default)]
pub(super) struct Session {
    record: event::Ntlm,
    authenticated: bool,
}

impl Session {
    /// Takes a message of either side; returns whether it is one.
    pub(super) fn on_message(&mut self, message: &[u8]) -> bool {
        if !message.starts_with(SIGNATURE) {
            return false;
        }
        match le32(message, 8) {
            Some(1) => {}
            Some(2) => self.on_challenge(message),
            Some(3) => self.on_authenticate(message),
            _ => return false,
        }
        true
    }

    fn on_challenge(&mut self, message: &[u8]) {
        let challenge = part(message, 24, 8);
        let hex = challenge.iter().map(|byte| format!("{byte:02x}")).collect();
        self.record.server_challenge = filled(hex);
        for (id, value) in pairs(field(message, 40)) {
            let name = || filled(utf16(value, NAME_LIMIT));
            match id {
                1 => self.record.server_nb_computer_name = name(),
                3 => self.record.server_dns_computer_name = name(),
                5 => self.record.server_tree_name = name(),
                _ => {}
            }
        }
    }

    fn on_authenticate(&mut self, message: &[u8]) {
        let unicode = le32(message, 60).is_none_or(|flags| flags & UNICODE != 0);
        let name = |at| {
            let bytes = field(message, at);
            filled(if unicode { utf16(bytes, NAME_LIMIT) } else { text(bytes, NAME_LIMIT) })
        };
        self.record.domainname = name(28);
        self.record.username = name(36);
        self.record.hostname = name(44);
        let response = field(message, 20);
        self.record.ntlm_version = match response.len() {
            24 => Some("NTLMv1"),
            44.. => Some("NTLMv2"),
            _ => None,
        };
        // NTLMv2_RESPONSE ([MS-NLMP] 2.2.2.8): 16 bytes of proof, 28 of header, then pairs that the
        // client signs.
        let target = pairs(response.get(44..).unwrap_or_default()).find(|&(id, _)| id == 9);
        self.record.target_name = target.and_then(|(_, value)| filled(utf16(value, NAME_LIMIT)));
        self.authenticated = true;
    }

    /// Whether the client has named its account, or said that it has none.
    pub(super) const fn is_authenticated(&self) -> bool {
        self.authenticated
    }

    /// The account.
    pub(super) fn username(&self) -> Option<&str> {
        self.record.username.as_deref()
    }

    /// What is known, with the result that the carrying protocol gives.
    pub(super) fn conclude(self, carrier: &'static str, success: Option<bool>) -> event::Ntlm {
        event::Ntlm { carrier, success, ..self.record }
    }

    /// Bytes held on the heap.
    pub(super) fn heap_bytes(&self) -> usize {
        let record = &self.record;
        let texts = [
            &record.username,
            &record.hostname,
            &record.domainname,
            &record.server_nb_computer_name,
            &record.server_dns_computer_name,
            &record.server_tree_name,
            &record.server_challenge,
            &record.target_name,
        ];
        texts.into_iter().flatten().map(String::capacity).sum()
    }
}

/// The bytes that a length, a maximal length and an offset at `at` describe.
fn field(message: &[u8], at: usize) -> &[u8] {
    let (Some(length), Some(offset)) = (le16(message, at), le32(message, at + 4)) else {
        return &[];
    };
    part(message, offset as usize, usize::from(length))
}

/// The AV_PAIRs of a list ([MS-NLMP] 2.2.2.1), up to the one that ends it.
fn pairs(mut list: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let next = move || {
        let (id, length) = (le16(list, 0)?, usize::from(le16(list, 2)?));
        let value = part(list, 4, length);
        list = list.get(4 + length..).unwrap_or_default();
        (id != 0).then_some((id, value))
    };
    std::iter::from_fn(next).take(PAIR_LIMIT)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    fn wide(text: &str) -> Vec<u8> {
        text.encode_utf16().flat_map(u16::to_le_bytes).collect()
    }

    fn message(kind: u32, header: usize, fields: &[(usize, Vec<u8>)]) -> Vec<u8> {
        let mut out = vec![0; header];
        out[..8].copy_from_slice(SIGNATURE);
        out[8..12].copy_from_slice(&kind.to_le_bytes());
        for (at, value) in fields {
            let (length, offset) = (value.len() as u16, out.len() as u32);
            out[*at..at + 2].copy_from_slice(&length.to_le_bytes());
            out[at + 4..at + 8].copy_from_slice(&offset.to_le_bytes());
            out.extend(value);
        }
        out
    }

    fn pair(id: u16, value: &str) -> Vec<u8> {
        let value = wide(value);
        [&id.to_le_bytes()[..], &(value.len() as u16).to_le_bytes(), &value].concat()
    }

    /// A challenge of a server called `DC`.
    pub(in crate::proto) fn challenge() -> Vec<u8> {
        let info = [pair(1, "DC"), pair(3, "dc.example.net"), pair(5, "example.net"), vec![0; 4]];
        let mut out = message(2, 48, &[(40, info.concat())]);
        out[24..32].copy_from_slice(&[1, 2, 3, 4, 5, 6, 7, 8]);
        out
    }

    /// An NTLMv2 answer of `user` in the domain `EX` on `PC`, to a share of `dc`.
    pub(in crate::proto) fn authenticate(user: &str) -> Vec<u8> {
        let response = [vec![0; 44], pair(9, "cifs/dc"), vec![0; 4]].concat();
        let fields = [(20, response), (28, wide("EX")), (36, wide(user)), (44, wide("PC"))];
        let mut out = message(3, 64, &fields);
        out[60] = 1;
        out
    }

    #[test]
    fn tells_who_authenticates_to_whom() {
        let mut session = Session::default();

        assert!(session.on_message(&challenge()));
        assert!(!session.is_authenticated());
        assert!(session.on_message(&authenticate("alice")));

        let record = session.conclude("smb", Some(true));
        assert_eq!(record.username.as_deref(), Some("alice"));
        assert_eq!(record.domainname.as_deref(), Some("EX"));
        assert_eq!(record.hostname.as_deref(), Some("PC"));
        assert_eq!(record.server_nb_computer_name.as_deref(), Some("DC"));
        assert_eq!(record.server_dns_computer_name.as_deref(), Some("dc.example.net"));
        assert_eq!(record.server_tree_name.as_deref(), Some("example.net"));
        assert_eq!(record.server_challenge.as_deref(), Some("0102030405060708"));
        assert_eq!(record.target_name.as_deref(), Some("cifs/dc"));
        assert_eq!(record.ntlm_version, Some("NTLMv2"));
    }

    #[test]
    fn an_anonymous_account_has_no_name() {
        let mut session = Session::default();

        session.on_message(&authenticate(""));

        assert!(session.is_authenticated());
        assert_eq!(session.username(), None);
    }

    #[test]
    fn survives_fields_that_point_elsewhere() {
        let mut message = authenticate("alice");
        message[40..44].copy_from_slice(&u32::MAX.to_le_bytes());
        let mut session = Session::default();

        assert!(session.on_message(&message));

        assert_eq!(session.username(), None);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(kind in 0u32..5, data: Vec<u8>) {
            let mut session = Session::default();
            session.on_message(&[SIGNATURE, &kind.to_le_bytes(), &data].concat());
            session.on_message(&data);
            prop_assert!(session.heap_bytes() < 8 * 3 * NAME_LIMIT);
        }
    }
}

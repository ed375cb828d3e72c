//! What both sides say in the clear: version banners and the lists of algorithms (RFC 4253 sections
//! 4.2 and 7.1), and their fingerprints.
//!
//! HASSH (Salesforce, 2018, BSD-3-Clause) is the MD5 of a side's key exchange, encryption, MAC and
//! compression lists, joined by semicolons: it tells implementations apart whatever the banner says.

use md5::{Digest, Md5};
use sha2::Sha256;

use crate::proto::Role;
use crate::proto::bytes::be32;
use crate::proto::render::{hex, text};

/// The lists of SSH_MSG_KEXINIT that matter, in its order.
#[derive(Clone, Debug, Default)]
pub(super) struct Offer {
    kex: String,
    host_key: String,
    cipher: [String; 2],
    mac: [String; 2],
    compression: [String; 2],
}

impl Offer {
    /// Reads the payload of SSH_MSG_KEXINIT: its number, 16 random bytes, ten lists.
    pub(super) fn read(payload: &[u8]) -> Option<Self> {
        let mut rest = payload.get(17..)?;
        let mut list = || {
            let length = be32(rest, 0)? as usize;
            let names = rest.get(4..)?.get(..length)?;
            rest = rest.get(4..)?.get(length..)?;
            names.is_ascii().then(|| text(names, names.len()))
        };
        Some(Self {
            kex: list()?,
            host_key: list()?,
            cipher: [list()?, list()?],
            mac: [list()?, list()?],
            compression: [list()?, list()?],
        })
    }

    /// HASSH of a client's offer, hasshServer of a server's.
    pub(super) fn hassh(&self, sender: Role) -> String {
        let [cipher, mac, compression] =
            [&self.cipher, &self.mac, &self.compression].map(|[up, down]| match sender {
                Role::Client => up,
                Role::Server => down,
            });
        let lists = [self.kex.as_str(), cipher, mac, compression].join(";");
        hex(&Md5::digest(lists.as_bytes()))
    }
}

/// What two offers lead to: the client's first choice that the server has too.
#[derive(Clone, Debug)]
pub(super) struct Agreement {
    pub(super) kex: Option<String>,
    pub(super) host_key: Option<String>,
    pub(super) cipher: [Option<String>; 2],
    pub(super) mac: [Option<String>; 2],
    pub(super) compression: [Option<String>; 2],
}

impl Agreement {
    pub(super) fn of(client: &Offer, server: &Offer) -> Self {
        let both = |client: &[String; 2], server: &[String; 2]| {
            let ([up, down], [server_up, server_down]) = (client, server);
            [first_common(up, server_up), first_common(down, server_down)]
        };
        Self {
            kex: first_common(&client.kex, &server.kex),
            host_key: first_common(&client.host_key, &server.host_key),
            cipher: both(&client.cipher, &server.cipher),
            mac: both(&client.mac, &server.mac),
            compression: both(&client.compression, &server.compression),
        }
    }
}

fn first_common(client: &str, server: &str) -> Option<String> {
    // Both lists are someone else's: a set keeps the search linear.
    let offered: std::collections::BTreeSet<&str> = server.split(',').collect();
    client.split(',').find(|name| offered.contains(name)).map(str::to_owned)
}

/// One name for both directions, as Zeek writes it.
pub(super) fn both_directions(names: &[Option<String>; 2]) -> Option<String> {
    match names {
        [Some(up), Some(down)] if up == down => Some(up.clone()),
        [Some(up), Some(down)] => Some(format!("To server: {up}, to client: {down}")),
        _ => None,
    }
}

/// The major version that two banners agree on (RFC 4253 section 5.1): 1.99 speaks both.
pub(super) fn version(client: &str, server: &str) -> u8 {
    let speaks = |banner: &str| {
        let number = banner.strip_prefix("SSH-").unwrap_or_default();
        (number.starts_with('1'), number.starts_with('2') || number.starts_with("1.99"))
    };
    match (speaks(client), speaks(server)) {
        ((_, true), (_, true)) => 2,
        ((true, _), (true, _)) => 1,
        _ => 0,
    }
}

/// The fingerprint of the host key that a key-exchange reply begins with, as OpenSSH prints it.
pub(super) fn host_key(payload: &[u8]) -> Option<String> {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD_NO_PAD;

    let key = string(payload.get(1..)?)?;
    // A group of parameters has the same place in another message: a key begins with its name.
    let name = string(key)?;
    let is_name = ["ssh-", "ecdsa-", "rsa-", "sk-", "x509v3-"]
        .iter()
        .any(|prefix| name.starts_with(prefix.as_bytes()));
    is_name.then(|| format!("SHA256:{}", STANDARD_NO_PAD.encode(Sha256::digest(key))))
}

/// A length and as many bytes.
fn string(data: &[u8]) -> Option<&[u8]> {
    let length = be32(data, 0)? as usize;
    data.get(4..)?.get(..length)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A KEXINIT payload with the same lists in both directions.
    pub(in crate::proto::ssh) fn kexinit(lists: [&str; 5]) -> Vec<u8> {
        let [kex, host_key, cipher, mac, compression] = lists;
        let mut payload = vec![20];
        payload.extend([7; 16]);
        for list in [kex, host_key, cipher, cipher, mac, mac, compression, compression, "", ""] {
            payload.extend((list.len() as u32).to_be_bytes());
            payload.extend(list.as_bytes());
        }
        payload.extend([0; 5]);
        payload
    }

    #[test]
    fn fingerprints_a_side_by_its_lists() {
        let offer = Offer::read(&kexinit(["a,b", "k", "c", "m", "none"])).unwrap();

        // md5sum of "a,b;c;m;none".
        assert_eq!(offer.hassh(Role::Client), "e879290846ada353c032eab42f57cd65");
        assert_eq!(offer.hassh(Role::Client), offer.hassh(Role::Server));
    }

    #[test]
    fn agrees_on_what_the_client_likes_best() {
        let client = Offer::read(&kexinit(["x,b,a", "k", "c", "m,n", "none"])).unwrap();
        let server = Offer::read(&kexinit(["a,b", "j", "d,c", "n,m", "none"])).unwrap();

        let agreement = Agreement::of(&client, &server);

        assert_eq!(agreement.kex.as_deref(), Some("b"));
        assert_eq!(agreement.host_key, None);
        assert_eq!(both_directions(&agreement.mac).as_deref(), Some("m"));
    }

    #[test]
    fn a_list_that_lies_about_its_length_is_no_offer() {
        let mut payload = kexinit(["a", "k", "c", "m", "none"]);
        payload[17] = 0xff;

        assert!(Offer::read(&payload).is_none());
        assert!(Offer::read(&payload[..20]).is_none());
    }

    #[test]
    fn reads_versions_as_zeek_does() {
        assert_eq!(version("SSH-2.0-a", "SSH-2.0-b"), 2);
        assert_eq!(version("SSH-2.0-a", "SSH-1.99-b"), 2);
        assert_eq!(version("SSH-1.5-a", "SSH-1.99-b"), 1);
        assert_eq!(version("SSH-2.0-a", "SSH-1.5-b"), 0);
    }

    #[test]
    fn takes_only_a_key_for_a_key() {
        let mut reply = vec![31];
        reply.extend(19u32.to_be_bytes());
        reply.extend(11u32.to_be_bytes());
        reply.extend(b"ssh-ed25519");
        reply.extend([1, 2, 3, 4]);

        assert!(host_key(&reply).is_some_and(|key| key.starts_with("SHA256:")));
        reply[8] = 200;
        assert_eq!(host_key(&reply), None);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(payload: Vec<u8>) {
            let _ = Offer::read(&payload);
            let _ = host_key(&payload);
        }
    }
}

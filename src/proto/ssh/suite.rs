//! How many bytes a message takes on the wire under the negotiated algorithms (RFC 4253 section 6).
//!
//! Encryption hides what a message says, not how long it is: padding is minimal in every common
//! implementation, so a payload of known length has one length on the wire.

use std::ops::RangeInclusive;

use crate::proto::framing::Size;

/// No implementation sends more in one packet (RFC 4253 section 6.1 asks for 35 000).
const MAX_PACKET: u32 = 0x4_0000;

/// One direction's encryption, as far as lengths go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Suite {
    /// Padding makes a packet a multiple of this.
    block: u32,
    /// Bytes of authentication code behind each packet.
    code: u32,
    /// Whether the length field takes part in the padding: it does where it is encrypted with the
    /// rest, and not with authenticated ciphers or encrypt-then-MAC.
    pads_length: bool,
    /// Whether the length field stands in the clear.
    shows_length: bool,
}

impl Suite {
    /// What `cipher` and `code` make of lengths; `None` for those we do not know.
    pub(super) fn new(cipher: &str, code: &str) -> Option<Self> {
        let sealed =
            |block, shows_length| Self { block, code: 16, pads_length: false, shows_length };
        if cipher.starts_with("chacha20-poly1305") {
            return Some(sealed(8, false));
        }
        if cipher.contains("-gcm") || cipher.ends_with("_GCM") {
            return Some(sealed(16, true));
        }
        let block = match cipher {
            _ if ["aes", "rijndael", "twofish", "serpent", "camellia"]
                .iter()
                .any(|name| cipher.starts_with(name)) =>
            {
                16
            }
            _ if ["3des", "blowfish", "cast128", "arcfour", "idea", "des-"]
                .iter()
                .any(|name| cipher.starts_with(name)) =>
            {
                8
            }
            _ => return None,
        };
        let is_outside = code.contains("-etm@");
        let code = match code.trim_end_matches("@openssh.com").trim_end_matches("-etm") {
            "hmac-sha1" | "hmac-ripemd160" => 20,
            "hmac-sha1-96" | "hmac-md5-96" => 12,
            "hmac-md5" | "umac-128" => 16,
            "hmac-sha2-256" => 32,
            "hmac-sha2-512" => 64,
            "umac-64" => 8,
            _ => return None,
        };
        Some(Self { block, code, pads_length: !is_outside, shows_length: is_outside })
    }

    /// What a payload of `payload` bytes takes on the wire.
    pub(super) const fn wire(self, payload: u32) -> u32 {
        // Four bytes of length, one that tells the padding, at least four of padding.
        let least = if self.pads_length { payload + 9 } else { payload + 5 };
        let padded = least.next_multiple_of(self.block);
        let length = if self.pads_length { 0 } else { 4 };
        padded + length + self.code
    }

    /// Which payloads take `wire` bytes; empty where none does.
    pub(super) const fn payload(self, wire: u32) -> RangeInclusive<u32> {
        let most = wire.saturating_sub(self.code).saturating_sub(9);
        most.saturating_sub(self.block - 1)..=most
    }

    /// Padding is a multiple of this: how coarsely a payload shows.
    pub(super) const fn block(self) -> u32 {
        self.block
    }

    /// Whether packets can be told apart.
    pub(super) const fn shows_length(self) -> bool {
        self.shows_length
    }

    /// How long the packet at the start of `data` is, where its length shows.
    pub(super) fn measure(self, data: &[u8]) -> Size {
        let Some(length) = crate::proto::bytes::be32(data, 0) else { return Size::Need(4) };
        if length == 0 || length > MAX_PACKET || length % self.block != 0 {
            return Size::Lost;
        }
        Size::Is(u64::from(4 + length + self.code))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The payloads of SSH_MSG_USERAUTH_SUCCESS, SSH_MSG_SERVICE_ACCEPT for `ssh-userauth`, and
    /// SSH_MSG_USERAUTH_FAILURE that offers `publickey,password`.
    const PAYLOADS: [u32; 3] = [1, 17, 24];

    fn wire(cipher: &str, code: &str) -> [u32; 3] {
        let suite = Suite::new(cipher, code).unwrap();
        PAYLOADS.map(|payload| suite.wire(payload))
    }

    #[test]
    fn knows_lengths_that_were_seen_on_the_wire() {
        // Between OpenSSH, libssh and ncrack; captured.
        assert_eq!(wire("chacha20-poly1305@openssh.com", "umac-64-etm@openssh.com"), [28, 44, 52]);
        assert_eq!(wire("aes256-ctr", "hmac-sha1"), [36, 52, 68]);
        assert_eq!(wire("aes256-ctr", "hmac-sha2-256"), [48, 64, 80]);
        assert_eq!(wire("aes128-ctr", "hmac-sha1-etm@openssh.com"), [40, 56, 56]);
        assert_eq!(wire("aes128-gcm@openssh.com", ""), [36, 52, 52]);
        assert_eq!(Suite::new("rot13", "hmac-sha1"), None);
    }

    #[test]
    fn a_length_on_the_wire_tells_its_payload() {
        for (cipher, code) in [
            ("chacha20-poly1305@openssh.com", ""),
            ("aes256-ctr", "hmac-sha2-256"),
            ("aes128-ctr", "hmac-sha1-etm@openssh.com"),
            ("3des-cbc", "hmac-md5"),
        ] {
            let suite = Suite::new(cipher, code).unwrap();
            for payload in 1..400 {
                assert!(
                    suite.payload(suite.wire(payload)).contains(&payload),
                    "{cipher} {payload}"
                );
            }
        }
        let suite = Suite::new("aes256-ctr", "hmac-sha1").unwrap();
        assert!(suite.payload(3).contains(&0));
    }

    #[test]
    fn refuses_lengths_that_no_packet_has() {
        let suite = Suite::new("aes128-gcm@openssh.com", "").unwrap();

        assert_eq!(suite.measure(&[0, 0, 0, 32]), Size::Is(52));
        assert_eq!(suite.measure(&[0, 0, 0, 33]), Size::Lost);
        assert_eq!(suite.measure(&[0xff, 0xff, 0xff, 0xf0]), Size::Lost);
        assert_eq!(suite.measure(&[0, 0]), Size::Need(4));
    }
}

//! Versions, curves and alerts by the names that Zeek gives them.

use std::borrow::Cow;

/// `TLSv12` and the like.
pub(super) fn version_name(version: u16) -> Cow<'static, str> {
    Cow::Borrowed(match version {
        0x0002 => "SSLv2",
        0x0300 => "SSLv3",
        0x0301 => "TLSv10",
        0x0302 => "TLSv11",
        0x0303 => "TLSv12",
        0x0304 => "TLSv13",
        0xfeff => "DTLSv10",
        0xfefd => "DTLSv12",
        0xfefc => "DTLSv13",
        0x7f00..=0x7fff => return Cow::Owned(format!("TLSv13-draft{}", version & 0xff)),
        _ => return Cow::Owned(format!("unknown-{version}")),
    })
}

/// A group of RFC 8422, RFC 7919 and their successors.
pub(super) fn curve_name(group: u16) -> Cow<'static, str> {
    const FIRST: [&str; 41] = [
        "sect163k1",
        "sect163r1",
        "sect163r2",
        "sect193r1",
        "sect193r2",
        "sect233k1",
        "sect233r1",
        "sect239k1",
        "sect283k1",
        "sect283r1",
        "sect409k1",
        "sect409r1",
        "sect571k1",
        "sect571r1",
        "secp160k1",
        "secp160r1",
        "secp160r2",
        "secp192k1",
        "secp192r1",
        "secp224k1",
        "secp224r1",
        "secp256k1",
        "secp256r1",
        "secp384r1",
        "secp521r1",
        "brainpoolP256r1",
        "brainpoolP384r1",
        "brainpoolP512r1",
        "x25519",
        "x448",
        "brainpoolP256r1tls13",
        "brainpoolP384r1tls13",
        "brainpoolP512r1tls13",
        "GC256A",
        "GC256B",
        "GC256C",
        "GC256D",
        "GC512A",
        "GC512B",
        "GC512C",
        "curveSM2",
    ];
    let first = usize::from(group).checked_sub(1).and_then(|at| FIRST.get(at));
    Cow::Borrowed(match (first, group) {
        (Some(name), _) => name,
        (None, 256) => "ffdhe2048",
        (None, 257) => "ffdhe3072",
        (None, 258) => "ffdhe4096",
        (None, 259) => "ffdhe6144",
        (None, 260) => "ffdhe8192",
        (None, 512) => "MLKEM512",
        (None, 513) => "MLKEM768",
        (None, 514) => "MLKEM1024",
        (None, 4587) => "SecP256r1MLKEM768",
        (None, 4588) => "X25519MLKEM768",
        (None, 4589) => "SecP384r1MLKEM1024",
        (None, 16_696) => "CECPQ2",
        (None, 25_497) => "X25519Kyber768Draft00",
        (None, 25_498) => "SecP256r1Kyber768Draft00",
        (None, 0xff01) => "arbitrary_explicit_prime_curves",
        (None, 0xff02) => "arbitrary_explicit_char2_curves",
        _ => return Cow::Owned(format!("unknown-{group}")),
    })
}

/// What an alert complains of (RFC 8446 section 6 and its predecessors).
pub(super) fn alert_name(description: u8) -> Cow<'static, str> {
    Cow::Borrowed(match description {
        0 => "close_notify",
        10 => "unexpected_message",
        20 => "bad_record_mac",
        21 => "decryption_failed",
        22 => "record_overflow",
        30 => "decompression_failure",
        40 => "handshake_failure",
        41 => "no_certificate",
        42 => "bad_certificate",
        43 => "unsupported_certificate",
        44 => "certificate_revoked",
        45 => "certificate_expired",
        46 => "certificate_unknown",
        47 => "illegal_parameter",
        48 => "unknown_ca",
        49 => "access_denied",
        50 => "decode_error",
        51 => "decrypt_error",
        60 => "export_restriction",
        70 => "protocol_version",
        71 => "insufficient_security",
        80 => "internal_error",
        86 => "inappropriate_fallback",
        90 => "user_canceled",
        100 => "no_renegotiation",
        109 => "missing_extension",
        110 => "unsupported_extension",
        111 => "certificate_unobtainable",
        112 => "unrecognized_name",
        113 => "bad_certificate_status_response",
        114 => "bad_certificate_hash_value",
        115 => "unknown_psk_identity",
        116 => "certificate_required",
        117 => "general_error",
        120 => "no_application_protocol",
        121 => "ech_required",
        _ => return Cow::Owned(format!("unknown-{description}")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_what_is_registered_and_numbers_the_rest() {
        assert_eq!(version_name(0x0303), "TLSv12");
        assert_eq!(version_name(0x7f1c), "TLSv13-draft28");
        assert_eq!(version_name(0x7e01), "unknown-32257");
        assert_eq!(curve_name(23), "secp256r1");
        assert_eq!(curve_name(29), "x25519");
        assert_eq!(curve_name(41), "curveSM2");
        assert_eq!(curve_name(0), "unknown-0");
        assert_eq!(alert_name(40), "handshake_failure");
        assert_eq!(alert_name(255), "unknown-255");
    }
}

//! The words of LDAP's numbers (RFC 4511), as Zeek writes them.

/// The result of an operation (section 4.1.9).
pub(super) const fn result(code: i64) -> &'static str {
    match code {
        0 => "success",
        1 => "operations error",
        2 => "protocol error",
        3 => "time limit exceeded",
        4 => "size limit exceeded",
        5 => "compare false",
        6 => "compare true",
        7 => "auth method not supported",
        8 => "stronger auth required",
        9 => "partial results",
        10 => "referral",
        11 => "admin limit exceeded",
        12 => "unavailable critical extension",
        13 => "confidentiality required",
        14 => "SASL bind in progress",
        16 => "no such attribute",
        17 => "undefined attribute type",
        18 => "inappropriate matching",
        19 => "constraint violation",
        20 => "attribute or value exists",
        21 => "invalid attribute syntax",
        32 => "no such object",
        33 => "alias problem",
        34 => "invalid DN syntax",
        36 => "alias dereferencing problem",
        48 => "inappropriate authentication",
        49 => "invalid credentials",
        50 => "insufficient access rights",
        51 => "busy",
        52 => "unavailable",
        53 => "unwilling to perform",
        54 => "loop detect",
        60 => "sort control missing",
        61 => "offset range error",
        64 => "naming violation",
        65 => "object class violation",
        66 => "not allowed on non-leaf",
        67 => "not allowed on RDN",
        68 => "entry already exists",
        69 => "object class mods prohibited",
        70 => "results too large",
        71 => "affects multiple DSAs",
        76 => "control error",
        80 => "other",
        _ => "unknown",
    }
}

/// How deep a search goes (section 4.5.1.2).
pub(super) const fn scope(value: i64) -> &'static str {
    match value {
        0 => "base",
        1 => "single",
        2 => "tree",
        _ => "unknown",
    }
}

/// When a search follows aliases (section 4.5.1.3).
pub(super) const fn deref(value: i64) -> &'static str {
    match value {
        0 => "never",
        1 => "searching",
        2 => "finding",
        3 => "always",
        _ => "unknown",
    }
}

/// An extended operation behind its identifier.
pub(super) fn extension(oid: &str) -> String {
    let name = match oid {
        STARTTLS => "StartTLS",
        "1.3.6.1.4.1.4203.1.11.3" => "whoami",
        "1.3.6.1.4.1.4203.1.11.1" => "password modify",
        "1.2.840.113556.1.4.1781" => "fast bind",
        _ => "unknown",
    };
    format!("{oid} ({name})")
}

/// The request to go on with TLS (section 4.14.1).
pub(super) const STARTTLS: &str = "1.3.6.1.4.1.1466.20037";

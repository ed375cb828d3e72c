//! Accounts and passwords that devices leave the factory with and that botnets try, as published in
//! analyses of Mirai (Antonakakis et al., "Understanding the Mirai Botnet", USENIX Security 2017,
//! table 5) and of its descendants. Known so that a login with one of them can be told from a
//! mistyped password; the password itself is not written anywhere.

/// Whether devices are shipped with this pair.
pub(super) fn is_factory_login(user: &str, password: &str) -> bool {
    FACTORY.iter().any(|(known, passwords)| *known == user && passwords.contains(&password))
}

#[rustfmt::skip]
const FACTORY: &[(&str, &[&str])] = &[
    ("root", &[
        "", "xc3511", "vizxv", "admin", "888888", "xmhdipc", "default", "juantech", "123456",
        "54321", "root", "12345", "pass", "password", "1111", "666666", "klv123", "klv1234",
        "Zte521", "hi3518", "jvbzd", "anko", "zlxx.", "7ujMko0vizxv", "7ujMko0admin", "system",
        "ikwb", "dreambox", "user", "realtek", "00000000", "1234", "1001chin", "GM8182",
        "hslwificam", "antslq", "hunt5759", "cat1029", "2011vsta", "tsgoingon", "uClinux",
    ]),
    ("admin", &[
        "", "admin", "password", "smcadmin", "1111", "admin1234", "1111111", "1234", "12345",
        "54321", "123456", "7ujMko0admin", "pass", "meinsm", "default", "ho4uku6at", "CenturyL1nk",
        "QwestM0dem", "gvt12345",
    ]),
    ("support", &["support", "1234"]),
    ("user", &["user", "1234"]),
    ("guest", &["guest", "12345"]),
    ("default", &["", "default", "OxhlwSG8", "S2fGqNFs", "antslq", "tluafed", "lJwpbo6"]),
    ("service", &["service"]),
    ("supervisor", &["supervisor"]),
    ("administrator", &["1234"]),
    ("Administrator", &["admin"]),
    ("666666", &["666666"]),
    ("888888", &["888888"]),
    ("ubnt", &["ubnt"]),
    ("tech", &["tech"]),
    ("mother", &["fucker"]),
    ("telnetadmin", &["telnetadmin"]),
    ("telecomadmin", &["admintelecom"]),
    ("e8ehome", &["e8ehome"]),
    ("daemon", &["daemon"]),
    ("bin", &[""]),
    ("pi", &["raspberry"]),
    ("vstarcam2015", &["20150602"]),
    ("hikvision", &["hikvision"]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_pairs_and_not_their_parts() {
        assert!(is_factory_login("root", "xc3511"));
        assert!(!is_factory_login("alice", "xc3511"));
        assert!(!is_factory_login("root", "correct horse"));
    }
}

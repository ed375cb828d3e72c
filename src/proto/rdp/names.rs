//! The words of Remote Desktop's numbers ([MS-RDPBCGR] 2.2.1), as Zeek writes them.

/// Which security was chosen (2.2.1.2.1).
pub(super) fn security(protocol: u32) -> String {
    let name = match protocol {
        0 => "RDP",
        1 => "SSL",
        2 => "HYBRID",
        8 => "HYBRID_EX",
        other => return format!("security_protocol-{other}"),
    };
    name.to_owned()
}

/// Why nothing was agreed upon (2.2.1.2.2).
pub(super) fn failure(code: u32) -> String {
    let name = match code {
        1 => "SSL_REQUIRED_BY_SERVER",
        2 => "SSL_NOT_ALLOWED_BY_SERVER",
        3 => "SSL_CERT_NOT_ON_SERVER",
        4 => "INCONSISTENT_FLAGS",
        5 => "HYBRID_REQUIRED_BY_SERVER",
        6 => "SSL_WITH_USER_AUTH_REQUIRED_BY_SERVER",
        other => return format!("failure_code-{other}"),
    };
    name.to_owned()
}

/// How a conference was created (T.124).
pub(super) fn result(code: u8) -> String {
    let name = match code {
        0 => "Success",
        1 => "User rejected",
        2 => "Resources not available",
        3 => "Rejected for symmetry breaking",
        4 => "Locked conference",
        other => return format!("result-{other}"),
    };
    name.to_owned()
}

/// A client's version by its build number.
pub(super) fn build(number: u32) -> String {
    let name = match number {
        419 => "RDP 4.0",
        2195 | 2221 => "RDP 5.0",
        2600 => "RDP 5.1",
        3790 => "RDP 5.2",
        6000 => "RDP 6.0",
        6001 => "RDP 6.1",
        6002 => "RDP 6.2",
        7600 => "RDP 7.0",
        7601 => "RDP 7.1",
        9200 => "RDP 8.0",
        9600 => "RDP 8.1",
        25189 | 25282 => "RDP 8.0 (Mac)",
        other => return format!("client_build-{other}"),
    };
    name.to_owned()
}

/// Colours (2.2.1.3.2).
pub(super) fn depth(value: u16) -> String {
    let name = match value {
        4 => "4bit",
        8 => "8bit",
        15 => "15bit",
        16 => "16bit",
        24 => "24bit",
        other => return format!("high_color_depth-{other}"),
    };
    name.to_owned()
}

/// RDP's own encryptions (2.2.1.4.3).
pub(super) fn encryption(method: u32) -> String {
    let name = match method {
        0 => "None",
        1 => "40bit",
        2 => "128bit",
        8 => "56bit",
        16 => "FIPS",
        other => return format!("encryption_method-{other}"),
    };
    name.to_owned()
}

/// How much is encrypted (2.2.1.4.3).
pub(super) fn level(value: u32) -> String {
    let name = match value {
        0 => "None",
        1 => "Low",
        2 => "Client compatible",
        3 => "High",
        4 => "FIPS",
        other => return format!("encryption_level-{other}"),
    };
    name.to_owned()
}

/// A keyboard by its layout number, or by the language in its lower half.
pub(super) fn keyboard(layout: u32) -> String {
    match (language(layout), language(layout & 0xffff)) {
        (Some(name), _) => name.to_owned(),
        (None, Some(name)) => format!("{name} (Best Guess for {layout})"),
        _ => format!("keyboard-{layout}"),
    }
}

const fn language(number: u32) -> Option<&'static str> {
    Some(match number {
        1025 => "Arabic - Saudi Arabia",
        1026 => "Bulgarian",
        1028 => "Chinese - Taiwan",
        1029 => "Czech",
        1030 => "Danish",
        1031 => "German - Germany",
        1032 => "Greek",
        1033 => "English - United States",
        1034 => "Spanish - Spain (Traditional Sort)",
        1035 => "Finnish",
        1036 => "French - France",
        1037 => "Hebrew",
        1038 => "Hungarian",
        1039 => "Icelandic",
        1040 => "Italian - Italy",
        1041 => "Japanese",
        1042 => "Korean",
        1043 => "Dutch - Netherlands",
        1044 => "Norwegian (Bokmal)",
        1045 => "Polish",
        1046 => "Portuguese - Brazil",
        1048 => "Romanian",
        1049 => "Russian",
        1050 => "Croatian",
        1051 => "Slovak",
        1053 => "Swedish",
        1054 => "Thai",
        1055 => "Turkish",
        1056 => "Urdu",
        1057 => "Indonesian",
        1058 => "Ukrainian",
        1060 => "Slovenian",
        1061 => "Estonian",
        1062 => "Latvian",
        1063 => "Lithuanian",
        1065 => "Farsi",
        1066 => "Vietnamese",
        1081 => "Hindi",
        1086 => "Malay - Malaysia",
        2052 => "Chinese - People's Republic of China",
        2055 => "German - Switzerland",
        2057 => "English - United Kingdom",
        2058 => "Spanish - Mexico",
        2060 => "French - Belgium",
        2064 => "Italian - Switzerland",
        2067 => "Dutch - Belgium",
        2068 => "Norwegian (Nynorsk)",
        2070 => "Portuguese - Portugal",
        2077 => "Swedish - Finland",
        3076 => "Chinese - Hong Kong SAR",
        3079 => "German - Austria",
        3081 => "English - Australia",
        3082 => "Spanish - Spain (Modern Sort)",
        3084 => "French - Canada",
        4100 => "Chinese - Singapore",
        4105 => "English - Canada",
        4108 => "French - Switzerland",
        5129 => "English - New Zealand",
        6153 => "English - Ireland",
        7177 => "English - South Africa",
        11274 => "Spanish - Argentina",
        16393 => "English - India",
        66569 => "English - United States (Dvorak)",
        132105 => "English - United States (International)",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guesses_a_keyboard_by_its_language() {
        assert_eq!(keyboard(1033), "English - United States");
        assert_eq!(keyboard(263_198), "Thai (Best Guess for 263198)");
        assert_eq!(keyboard(7), "keyboard-7");
    }
}

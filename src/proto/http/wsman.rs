//! WS-Management over HTTP ([MS-WSMV], DMTF DSP0226): what WinRM is asked to do. Most of it is
//! encrypted under the key of the authentication, and then only that it happens can be said.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::super::bytes::{contains, starts_with_any_case, text, utf16};
use crate::event::Winrm;

/// Bytes of an envelope that are kept: action, resource and command come first.
const MAX_ENVELOPE: usize = 8 << 10;

/// Bytes of a command that are kept.
const MAX_COMMAND: usize = 1024;

/// What all resources of Windows begin with.
const RESOURCES: &str = "http://schemas.microsoft.com/wbem/wsman/1/";

/// A request that is collected.
#[derive(Debug, Default)]
pub(super) struct Envelope {
    encrypted: bool,
    body: Vec<u8>,
}

impl Envelope {
    /// Whether a request for `target` is WS-Management.
    pub(super) fn is_asked_of(target: &[u8]) -> bool {
        let path = target.split(|&b| b == b'?').next().unwrap_or_default();
        starts_with_any_case(path, b"/wsman")
    }

    /// The body of a request whose `Content-Type` is this.
    pub(super) fn new(content_type: &[u8]) -> Self {
        let encrypted = starts_with_any_case(content_type, b"multipart/encrypted");
        Self { encrypted, body: Vec::new() }
    }

    /// Takes the next bytes of the body.
    pub(super) fn on_bytes(&mut self, data: &[u8]) {
        if !self.encrypted {
            let room = MAX_ENVELOPE.saturating_sub(self.body.len());
            self.body.extend(data.iter().take(room));
        }
    }

    /// Bytes on the heap.
    pub(super) const fn heap_bytes(&self) -> usize {
        self.body.capacity()
    }

    /// What it asks for; `None` where there was no message, as while authentication goes on.
    pub(super) fn read(&self, body_len: u64) -> Option<Winrm> {
        if body_len == 0 {
            return None;
        }
        let xml = if self.body.starts_with(b"\xff\xfe") {
            utf16(self.body.get(2..).unwrap_or_default(), MAX_ENVELOPE)
        } else {
            text(&self.body, MAX_ENVELOPE)
        };
        let mut record = Winrm { encrypted: self.encrypted, ..Winrm::default() };
        let mut command = String::new();
        for (name, value) in Elements(&xml) {
            match name {
                "Action" if record.operation.is_none() => {
                    let last = value.trim().rsplit('/').next().unwrap_or_default();
                    record.operation = Some(unescape(last));
                }
                "ResourceURI" if record.resource.is_none() => {
                    let value = value.trim();
                    record.resource =
                        Some(unescape(value.strip_prefix(RESOURCES).unwrap_or(value)));
                }
                "Command" | "CommandLine" => add(&mut command, &unescape(value)),
                "Arguments" | "creationXml" => match script(value) {
                    Some(script) => add(&mut command, &script),
                    None if name == "Arguments" => add(&mut command, &unescape(value)),
                    None => {}
                },
                _ => {}
            }
        }
        record.command = (!command.is_empty()).then_some(command);
        Some(record)
    }
}

fn add(command: &mut String, more: &str) {
    if !command.is_empty() && !more.is_empty() {
        command.push(' ');
    }
    let room = MAX_COMMAND.saturating_sub(command.len());
    command.push_str(more.get(..more.floor_char_boundary(room)).unwrap_or_default());
}

/// The commands of a PowerShell pipeline: base64 around a fragment whose object is XML ([MS-PSRP]
/// 2.2.3.12 calls a command's text `Cmd`).
fn script(value: &str) -> Option<String> {
    const CMD: &str = "N=\"Cmd\">";
    let value = value.trim();
    // What was cut off in the middle of four letters is still read up to there.
    let whole = value.get(..value.len() / 4 * 4)?;
    let bytes = BASE64_STANDARD.decode(whole).ok()?;
    if !contains(&bytes, CMD.as_bytes()) {
        return None;
    }
    let xml = String::from_utf8_lossy(&bytes);
    let commands = xml.split(CMD).skip(1).filter_map(|rest| rest.split('<').next());
    Some(commands.map(unescape).collect::<Vec<_>>().join("; "))
}

/// Elements with text in them, by their names without prefix.
struct Elements<'x>(&'x str);

impl<'x> Iterator for Elements<'x> {
    type Item = (&'x str, &'x str);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (_, tag) = self.0.split_once('<')?;
            let (tag, rest) = tag.split_once('>')?;
            self.0 = rest;
            let name = tag.split_ascii_whitespace().next().unwrap_or_default();
            let name = name.rsplit(':').next().unwrap_or_default();
            let value = rest.split('<').next().unwrap_or_default();
            if !tag.starts_with(['/', '?', '!']) && !tag.ends_with('/') && !value.trim().is_empty()
            {
                return Some((name, value));
            }
        }
    }
}

/// Undoes the five escapes of XML.
fn unescape(text: &str) -> String {
    let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"");
    text.replace("&apos;", "'").replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SHELL: &str = concat!(
        "<s:Envelope xmlns:s=\"x\"><s:Header><a:To>http://192.0.2.1:5985/wsman</a:To>",
        "<w:ResourceURI s:mustUnderstand=\"true\">",
        "http://schemas.microsoft.com/wbem/wsman/1/windows/shell/cmd</w:ResourceURI>",
        "<a:Action s:mustUnderstand=\"true\">",
        "http://schemas.microsoft.com/wbem/wsman/1/windows/shell/Command</a:Action></s:Header>",
        "<s:Body><rsp:CommandLine xmlns:rsp=\"y\"><rsp:Command>&quot;whoami&quot;</rsp:Command>",
        "<rsp:Arguments>/all</rsp:Arguments></rsp:CommandLine></s:Body></s:Envelope>"
    );

    fn read(body: &[u8]) -> Option<Winrm> {
        let mut envelope = Envelope::new(b"application/soap+xml;charset=UTF-8");
        envelope.on_bytes(body);
        envelope.read(body.len() as u64)
    }

    #[test]
    fn reads_what_a_shell_is_told() {
        let record = read(SHELL.as_bytes()).unwrap();

        assert_eq!(record.operation.as_deref(), Some("Command"));
        assert_eq!(record.resource.as_deref(), Some("windows/shell/cmd"));
        assert_eq!(record.command.as_deref(), Some("\"whoami\" /all"));
        assert!(!record.encrypted);
    }

    #[test]
    fn reads_sixteen_bit_text() {
        let wide: Vec<u8> = SHELL.encode_utf16().flat_map(u16::to_le_bytes).collect();

        let record = read(&[&b"\xff\xfe"[..], &wide].concat()).unwrap();

        assert_eq!(record.operation.as_deref(), Some("Command"));
    }

    #[test]
    fn reads_the_commands_of_a_pipeline() {
        let fragment =
            b"\0\0\0\0\0\0\0\x01<Obj><S N=\"Cmd\">Get-Process</S><S N=\"Cmd\">Out-String</S>";
        let body = SHELL.replace("/all", &BASE64_STANDARD.encode(fragment)).replace("&quot;", "");

        let record = read(body.as_bytes()).unwrap();

        assert_eq!(record.command.as_deref(), Some("whoami Get-Process; Out-String"));
    }

    #[test]
    fn says_of_what_is_encrypted_only_that_it_is() {
        let mut envelope = Envelope::new(b"multipart/encrypted;protocol=\"x\"");
        envelope.on_bytes(b"--Encrypted Boundary");

        let record = envelope.read(20).unwrap();

        assert_eq!(record, Winrm { encrypted: true, ..Winrm::default() });
        assert_eq!(envelope.heap_bytes(), 0);
    }

    #[test]
    fn knows_its_path() {
        assert!(Envelope::is_asked_of(b"/wsman?PSVersion=5.1"));
        assert!(Envelope::is_asked_of(b"/WSMan"));
        assert!(!Envelope::is_asked_of(b"/index.html"));
        assert_eq!(read(b""), None);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(body: Vec<u8>, text in "[<>a:/=& \"!?]{0,200}", value: String) {
            let _ = (read(&body), read(text.as_bytes()), script(&value));
        }
    }
}

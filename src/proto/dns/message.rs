//! A DNS message (RFC 1035 section 4) taken apart, as far as it goes.

use super::super::bytes::{be16, be32, byte, part};

/// Bytes of a name (RFC 1035 section 3.1), NetBIOS' longer ones included.
const MAX_NAME: usize = 512;

/// Bytes that are enough for most names.
const USUAL_NAME: usize = 64;

/// Labels and pointers of a name that are followed.
const MAX_LABELS: usize = 128;

/// Flags and counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) id: u16,
    pub(super) flags: u16,
    pub(super) questions: u16,
    pub(super) answers: u16,
    /// Records of the other two sections.
    pub(super) others: u32,
}

impl Header {
    /// Whether it answers.
    pub(super) const fn is_response(self) -> bool {
        self.flags & 0x8000 != 0
    }

    pub(super) const fn opcode(self) -> u8 {
        (self.flags >> 11) as u8 & 15
    }

    pub(super) const fn rcode(self) -> u8 {
        self.flags as u8 & 15
    }
}

/// A question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Question {
    pub(super) name: String,
    pub(super) kind: u16,
    pub(super) class: u16,
}

/// A resource record, whose name is read only for who asks; `data` is where its data lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Resource {
    /// Where its name lies.
    name: usize,
    pub(super) kind: u16,
    pub(super) ttl: u32,
    pub(super) data: (usize, usize),
}

/// Reads a message from its beginning on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'m> {
    message: &'m [u8],
    at: usize,
}

impl<'m> Reader<'m> {
    /// The header of a message, and a reader of what follows.
    pub(super) fn new(message: &'m [u8]) -> Option<(Header, Self)> {
        let header = Header {
            id: be16(message, 0)?,
            flags: be16(message, 2)?,
            questions: be16(message, 4)?,
            answers: be16(message, 6)?,
            others: u32::from(be16(message, 8)?) + u32::from(be16(message, 10)?),
        };
        Some((header, Self { message, at: 12 }))
    }

    /// The next question.
    pub(super) fn question(&mut self) -> Option<Question> {
        let (name, end) = name(self.message, self.at)?;
        let question =
            Question { name, kind: be16(self.message, end)?, class: be16(self.message, end + 2)? };
        self.at = end + 4;
        Some(question)
    }

    /// Goes on behind the next question.
    pub(super) fn skip_question(&mut self) -> Option<()> {
        self.at = walk(self.message, self.at, |_| Some(()))? + 4;
        Some(())
    }

    /// The next resource record.
    pub(super) fn resource(&mut self) -> Option<Resource> {
        let end = walk(self.message, self.at, |_| Some(()))?;
        let length = usize::from(be16(self.message, end + 8)?);
        let resource = Resource {
            name: self.at,
            kind: be16(self.message, end)?,
            ttl: be32(self.message, end + 4)?,
            data: (end + 10, length),
        };
        self.at = end + 10 + length;
        Some(resource)
    }

    /// What `resource` is about.
    pub(super) fn name_of(&self, resource: &Resource) -> String {
        name(self.message, resource.name).map_or_else(String::new, |(name, _)| name)
    }

    /// The data of `resource`, as much of it as is there.
    pub(super) fn data(&self, resource: &Resource) -> &'m [u8] {
        part(self.message, resource.data.0, resource.data.1)
    }

    /// The name that lies `skip` bytes into the data of `resource`, and how long its data is with
    /// it.
    pub(super) fn name_in(&self, resource: &Resource, skip: usize) -> Option<(String, usize)> {
        let (name, end) = name(self.message, resource.data.0 + skip)?;
        Some((name, end - resource.data.0))
    }
}

/// The name at `at`, in lower case, and where what follows it begins.
fn name(message: &[u8], at: usize) -> Option<(String, usize)> {
    let mut text = Vec::with_capacity(USUAL_NAME);
    let end = walk(message, at, |label| {
        if !text.is_empty() {
            text.push(b'.');
        }
        text.extend_from_slice(label);
        (text.len() <= MAX_NAME).then_some(())
    })?;
    let mut name = printable(text);
    name.make_ascii_lowercase();
    Some((name, end))
}

/// Gives each label of the name at `at`; returns where what follows it begins. Pointers only lead back,
/// so that none leads round; at one that leads on, the name ends.
fn walk(message: &[u8], at: usize, mut each: impl FnMut(&[u8]) -> Option<()>) -> Option<usize> {
    let (mut at, mut end) = (at, None);
    for _ in 0..MAX_LABELS {
        match byte(message, at)? {
            0 => return Some(end.unwrap_or(at + 1)),
            length @ 1..=63 => {
                let from = at + 1;
                at = from + usize::from(length);
                each(message.get(from..at)?)?;
            }
            0xc0..=0xff => {
                let target = usize::from(be16(message, at)? & 0x3fff);
                let end = *end.get_or_insert(at + 2);
                if target >= at {
                    return Some(end);
                }
                at = target;
            }
            _ => return None,
        }
    }
    None
}

/// A name with control characters written as Zeek writes them.
pub(super) fn printable(name: Vec<u8>) -> String {
    if name.iter().any(u8::is_ascii_control) || !name.is_ascii() {
        return written_out(&name);
    }
    String::from_utf8(name).unwrap_or_default()
}

#[cold]
fn written_out(name: &[u8]) -> String {
    let mut text = String::with_capacity(name.len());
    for c in String::from_utf8_lossy(name).chars() {
        if c.is_ascii_control() {
            text.push_str(&format!("\\x{:02x}", c as u32));
        } else {
            text.push(c);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_pointers_back() {
        let message = b"\x03Com\0\x01a\xc0\0\x01b\xc0\x05";

        assert_eq!(name(message, 0), Some(("com".to_owned(), 5)));
        assert_eq!(name(message, 9), Some(("b.a.com".to_owned(), 13)));
    }

    #[test]
    fn pointers_that_lead_round_lead_nowhere() {
        assert_eq!(name(b"\x01a\xc0\0", 0), None);
        assert_eq!(name(b"\xc0\x02\xc0\0", 2), Some((String::new(), 4)));
        assert_eq!(name(b"\x01a\xc0\x09", 0), Some(("a".to_owned(), 4)));
        assert_eq!(name(b"\xc0\0", 0), Some((String::new(), 2)));
        assert_eq!(name(b"\x40a", 0), None);
        assert_eq!(name(b"", 0), None);
    }

    #[test]
    fn control_characters_are_written_out() {
        assert_eq!(printable(b"\x01A\x7f".to_vec()), "\\x01A\\x7f");
    }

    #[test]
    fn the_root_has_an_empty_name() {
        assert_eq!(name(b"\0", 0), Some((String::new(), 1)));
    }

    #[test]
    fn a_name_has_an_end() {
        let endless =
            b"\x3faaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa".repeat(20);

        assert_eq!(name(&endless, 0), None);
    }
}

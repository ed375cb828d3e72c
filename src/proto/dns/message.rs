//! A DNS message (RFC 1035 section 4) taken apart, as far as it goes.

use super::super::bytes::{be16, be32, byte, part};

/// Bytes of a name (RFC 1035 section 3.1), NetBIOS' longer ones included.
const MAX_NAME: usize = 512;

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

/// A resource record; `data` is where its data lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Resource {
    pub(super) name: String,
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

    /// The next resource record.
    pub(super) fn resource(&mut self) -> Option<Resource> {
        let (name, end) = name(self.message, self.at)?;
        let length = usize::from(be16(self.message, end + 8)?);
        let resource = Resource {
            name,
            kind: be16(self.message, end)?,
            ttl: be32(self.message, end + 4)?,
            data: (end + 10, length),
        };
        self.at = end + 10 + length;
        Some(resource)
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

/// The name at `at`, in lower case, and where what follows it begins. Pointers only lead back, so
/// that none leads round.
fn name(message: &[u8], at: usize) -> Option<(String, usize)> {
    let (mut text, mut at, mut end) = (Vec::new(), at, None);
    for _ in 0..MAX_LABELS {
        match byte(message, at)? {
            0 => {
                let text = String::from_utf8_lossy(&text).to_ascii_lowercase();
                return Some((text, end.unwrap_or(at + 1)));
            }
            length @ 1..=63 => {
                if !text.is_empty() {
                    text.push(b'.');
                }
                let from = at + 1;
                text.extend_from_slice(message.get(from..from + usize::from(length))?);
                if text.len() > MAX_NAME {
                    return None;
                }
                at = from + usize::from(length);
            }
            0xc0..=0xff => {
                let target = usize::from(be16(message, at)? & 0x3fff);
                if target >= at {
                    return None;
                }
                end.get_or_insert(at + 2);
                at = target;
            }
            _ => return None,
        }
    }
    None
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
        assert_eq!(name(b"\xc0\x02\xc0\0", 2), None);
        assert_eq!(name(b"\xc0\0", 0), None);
        assert_eq!(name(b"\x40a", 0), None);
        assert_eq!(name(b"", 0), None);
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

//! The header of a mail (RFC 5322), as far as Zeek's log has its fields.

use std::net::{IpAddr, Ipv4Addr};

use crate::event::Smtp;
use crate::proto::render::text;

/// A field is kept up to here, its continuations included.
const MAX_FIELD: usize = 2048;
/// Receivers of a field that are kept.
const MAX_RECEIVERS: usize = 64;
/// Stations of a mail that are kept.
const MAX_PATH: usize = 32;

/// Puts lines together to fields.
#[derive(Debug, Default)]
pub(super) struct Header {
    field: Vec<u8>,
}

impl Header {
    pub(super) fn on_line(&mut self, line: &[u8], mail: &mut Smtp) {
        // A line that begins with white space continues the field (RFC 5322 section 2.2.3).
        let continues = matches!(line.first(), Some(b' ' | b'\t')) && !self.field.is_empty();
        let line = if continues {
            self.field.push(b' ');
            line.trim_ascii_start()
        } else {
            self.finish(mail);
            // A dot at the start was doubled for the way (RFC 5321 section 4.5.2).
            line.strip_prefix(b".").unwrap_or(line)
        };
        let room = MAX_FIELD.saturating_sub(self.field.len());
        self.field.extend(line.iter().take(room));
    }

    /// No line continues the field that is being read.
    pub(super) fn finish(&mut self, mail: &mut Smtp) {
        let field = std::mem::take(&mut self.field);
        let Some(colon) = field.iter().position(|&byte| byte == b':') else { return };
        let (name, value) = field.split_at(colon);
        let value = text(value.get(1..).unwrap_or_default().trim_ascii(), MAX_FIELD);
        match name.to_ascii_lowercase().as_slice() {
            b"date" => mail.date = Some(value),
            b"from" => mail.from = Some(value),
            b"to" => receivers(&value, &mut mail.to),
            b"cc" => receivers(&value, &mut mail.cc),
            b"reply-to" => mail.reply_to = Some(value),
            b"message-id" => mail.msg_id = Some(value),
            b"in-reply-to" => mail.in_reply_to = Some(value),
            b"subject" => mail.subject = Some(value),
            b"x-mailer" | b"user-agent" | b"x-user-agent" => mail.user_agent = Some(value),
            b"received" => {
                if let Some(addr) = station(&value)
                    && mail.path.last() != Some(&addr)
                    && mail.path.len() < MAX_PATH
                {
                    mail.path.push(addr);
                }
                mail.second_received = mail.first_received.replace(value);
            }
            _ => {}
        }
    }

    pub(super) const fn heap_bytes(&self) -> usize {
        self.field.capacity()
    }
}

/// Parts between commas that stand outside of quotation marks.
fn receivers(value: &str, out: &mut Vec<String>) {
    let mut is_quoted = false;
    let parts = value.split(|c: char| {
        is_quoted ^= c == '"';
        c == ',' && !is_quoted
    });
    for part in parts.map(str::trim).filter(|part| !part.is_empty()) {
        if out.len() < MAX_RECEIVERS && !out.iter().any(|known| known == part) {
            out.push(part.to_owned());
        }
    }
}

/// The address of a `Received` field: the second if there are two, as in Zeek, because the first is
/// what the sender says of himself.
fn station(value: &str) -> Option<IpAddr> {
    let is_part = |c: char| c.is_ascii_digit() || c == '.';
    let mut found = value
        .split(|c: char| !is_part(c))
        .filter_map(|word| word.parse::<Ipv4Addr>().ok().map(IpAddr::from));
    let first = found.next()?;
    Some(found.next().unwrap_or(first))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_the_way_of_a_mail() {
        let mut header = Header::default();
        let mut mail = Smtp::default();

        for line in [
            &b"Received: from a ([192.0.2.9]) by b (10.0.0.1)"[..],
            b"  with ESMTP",
            b"Received: from c (198.51.100.4)",
            b"X-Mailer: m",
            b"nonsense",
        ] {
            header.on_line(line, &mut mail);
        }
        header.finish(&mut mail);

        let path: Vec<_> = mail.path.iter().map(ToString::to_string).collect();
        assert_eq!(path, ["10.0.0.1", "198.51.100.4"]);
        assert_eq!(mail.first_received.as_deref(), Some("from c (198.51.100.4)"));
        assert!(mail.second_received.is_some_and(|field| field.ends_with("with ESMTP")));
        assert_eq!(mail.user_agent.as_deref(), Some("m"));
    }

    #[test]
    fn a_field_without_end_stays_short() {
        let mut header = Header::default();
        let mut mail = Smtp::default();

        for _ in 0..1000 {
            header.on_line(b" aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", &mut mail);
        }

        assert!(header.heap_bytes() <= 2 * MAX_FIELD);
    }
}

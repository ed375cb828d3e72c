//! Captured bytes as something that can be written into a record.

/// Captured bytes as text of at most `limit` characters; what is no text shows as `\xNN`, as Zeek
/// writes it.
pub(super) fn text(bytes: &[u8], limit: usize) -> String {
    let mut out = String::new();
    let mut length = 0;
    for chunk in bytes.utf8_chunks() {
        for letter in chunk.valid().chars() {
            if length >= limit {
                return out;
            }
            length += 1;
            if letter.is_control() {
                let mut raw = [0; 4];
                letter.encode_utf8(&mut raw).bytes().for_each(|byte| escape(byte, &mut out));
            } else {
                out.push(letter);
            }
        }
        for &byte in chunk.invalid() {
            if length >= limit {
                return out;
            }
            length += 1;
            escape(byte, &mut out);
        }
    }
    out
}

/// Bytes as lower-case hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() * 2);
    bytes.iter().for_each(|&byte| digits(byte, &mut out));
    out
}

fn escape(byte: u8, out: &mut String) {
    out.push_str("\\x");
    digits(byte, out);
}

fn digits(byte: u8, out: &mut String) {
    for nibble in [byte >> 4, byte & 0xf] {
        out.push(char::from_digit(u32::from(nibble), 16).unwrap_or('0'));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_what_is_no_text() {
        assert_eq!(text(b"a\x00\xffb\n", 100), "a\\x00\\xffb\\x0a");
        assert_eq!(text("gr\u{fc}\u{df}e".as_bytes(), 3), "gr\u{fc}");
        assert_eq!(hex(&[0, 0xaf]), "00af");
    }
}

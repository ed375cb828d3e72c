//! How a connection's identifier is written.

use std::fmt;

use super::Uid;

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// `C` and the number in base 62, as Zeek: up to 18 characters for 96 bits.
impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        // 62^22 > 2^128, so 22 digits hold any number.
        let mut text = [b'0'; 23];
        let mut length = 0;
        for place in text.iter_mut().rev() {
            *place = DIGITS.get((rest % 62) as usize).copied().unwrap_or(b'0');
            rest /= 62;
            length += 1;
            if rest == 0 {
                break;
            }
        }
        let digits = text.get(text.len() - length..).unwrap_or_default();
        write!(f, "C{}", std::str::from_utf8(digits).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_in_base_62() {
        assert_eq!(Uid(0).to_string(), "C0");
        assert_eq!(Uid(61).to_string(), "Cz");
        assert_eq!(Uid(62).to_string(), "C10");
        assert_eq!(Uid((1 << 96) - 1).to_string().len(), 18);
        assert_eq!(Uid(u128::MAX).to_string().len(), 23);
    }
}

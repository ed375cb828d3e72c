//! Identifiers of interfaces and classes (C706 appendix A).

use std::fmt;

/// A UUID, its first hexadecimal digit in the highest bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Uuid(u128);

impl Uuid {
    /// Reads it in its usual form, with hyphens.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let digits = text.bytes().filter(|&b| b != b'-').map(|b| char::from(b).to_digit(16));
        let value =
            digits.clone().try_fold(0u128, |sum, digit| Some((sum << 4) | u128::from(digit?)))?;
        (digits.count() == 32).then_some(Self(value))
    }

    /// Reads it at `at`, its first three parts being in the sender's byte order.
    pub(super) fn read(data: &[u8], at: usize, little: bool) -> Option<Self> {
        let bytes: &[u8; 16] = data.get(at..)?.first_chunk()?;
        let value = u128::from_be_bytes(*bytes);
        if !little {
            return Some(Self(value));
        }
        let first = ((value >> 96) as u32).swap_bytes();
        let second = ((value >> 80) as u16).swap_bytes();
        let third = ((value >> 64) as u16).swap_bytes();
        let head =
            (u128::from(first) << 96) | (u128::from(second) << 80) | (u128::from(third) << 64);
        Some(Self(head | (value & u128::from(u64::MAX))))
    }

    /// Its bytes as Windows puts them on the wire.
    #[cfg(test)]
    pub(super) fn to_wire(self) -> [u8; 16] {
        let Self(twice) = Self::read(&self.0.to_be_bytes(), 0, true).unwrap();
        twice.to_be_bytes()
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = |shift: u32, mask: u128| (self.0 >> shift) & mask;
        let (first, second) = (part(96, 0xffff_ffff), part(80, 0xffff));
        let (third, fourth, last) = (part(64, 0xffff), part(48, 0xffff), part(0, 0xffff_ffff_ffff));
        write!(f, "{first:08x}-{second:04x}-{third:04x}-{fourth:04x}-{last:012x}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SVCCTL: &str = "367abb81-9844-35f1-ad32-98f038001003";

    #[test]
    fn reads_what_is_on_the_wire_and_writes_it_as_people_do() {
        let wire = [
            0x81, 0xbb, 0x7a, 0x36, 0x44, 0x98, 0xf1, 0x35, 0xad, 0x32, 0x98, 0xf0, 0x38, 0, 0x10,
            3,
        ];

        let uuid = Uuid::read(&wire, 0, true).unwrap();

        assert_eq!(uuid.to_string(), SVCCTL);
        assert_eq!(Some(uuid), Uuid::parse(SVCCTL));
        assert_eq!(uuid.to_wire(), wire);
        assert_eq!(Uuid::read(&wire, 1, true), None);
        assert_eq!(Uuid::read(&wire, 0, false).unwrap().to_string().get(..8), Some("81bb7a36"));
    }

    #[test]
    fn what_is_no_identifier_is_none() {
        assert_eq!(Uuid::parse("367abb81"), None);
        assert_eq!(Uuid::parse("# a remark in a table"), None);
    }
}

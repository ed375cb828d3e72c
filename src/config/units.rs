//! Values with a unit or a range, checked once when the file is read, so that nothing downstream
//! has to check again.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::de::{self, Unexpected};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An amount of memory, written `64 MiB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(pub usize);

/// Binary units, largest first.
const UNITS: [(&str, usize); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

/// The smallest budget that a table works with.
const SMALLEST_BUDGET: ByteSize = ByteSize(64 << 10);

impl ByteSize {
    /// `kibibytes` × 2^10 bytes.
    pub const fn kib(kibibytes: usize) -> Self {
        Self(kibibytes << 10)
    }

    /// `mebibytes` × 2^20 bytes.
    pub const fn mib(mebibytes: usize) -> Self {
        Self(mebibytes << 20)
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (unit, factor) in UNITS {
            if self.0 >= factor && self.0.is_multiple_of(factor) {
                return write!(f, "{} {unit}", self.0 / factor);
            }
        }
        write!(f, "{} B", self.0)
    }
}

impl FromStr for ByteSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a size like `64 MiB` (units: B, KiB, MiB, GiB)");
        let text = text.trim();
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at_checked(digits).ok_or_else(wrong)?;
        let unit = unit.trim();
        let number: usize = number.parse().map_err(|_| wrong())?;
        let (_, factor) =
            UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit)).ok_or_else(wrong)?;
        number.checked_mul(*factor).map(Self).ok_or_else(wrong)
    }
}

impl Serialize for ByteSize {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

/// Reads a number of nats that is finite and not negative.
///
/// # Errors
/// If it is neither.
pub fn nats<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    let value = f64::deserialize(deserializer)?;
    if value.is_finite() && value >= 0.0 {
        return Ok(value);
    }
    Err(de::Error::invalid_value(Unexpected::Float(value), &"a number of nats from 0 upwards"))
}

/// Reads a number that is finite and not negative.
///
/// # Errors
/// If it is neither.
pub fn amount<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    let value = f64::deserialize(deserializer)?;
    if value.is_finite() && value >= 0.0 {
        return Ok(value);
    }
    Err(de::Error::invalid_value(Unexpected::Float(value), &"a number from 0 upwards"))
}

/// Reads a probability that leaves room for doubt: above 0 and below 1.
///
/// # Errors
/// If it is certain, or none.
pub fn odds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    let value = f64::deserialize(deserializer)?;
    if value > 0.0 && value < 1.0 {
        return Ok(value);
    }
    Err(de::Error::invalid_value(Unexpected::Float(value), &"a probability above 0 and below 1"))
}

/// Reads factors under names, each from 0 to 10.
///
/// # Errors
/// If one of them is not.
pub fn factors<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, f64>, D::Error> {
    let factors = BTreeMap::<String, f64>::deserialize(deserializer)?;
    match factors.values().find(|factor| !(0.0..=10.0).contains(*factor)) {
        Some(wrong) => {
            Err(de::Error::invalid_value(Unexpected::Float(*wrong), &"a factor from 0 to 10"))
        }
        None => Ok(factors),
    }
}

/// Reads a count of at least one.
///
/// # Errors
/// If it is zero, negative or too large.
pub fn count<'de, T: TryFrom<u64>, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    let expected = &"a count from 1 upwards";
    let value = i64::deserialize(deserializer)?;
    u64::try_from(value)
        .ok()
        .filter(|value| *value > 0)
        .and_then(|value| T::try_from(value).ok())
        .ok_or_else(|| de::Error::invalid_value(Unexpected::Signed(value), expected))
}

/// Reads a budget of at least 64 KiB: below, a table forgets what it has just learned.
///
/// # Errors
/// If it is no size, or a smaller one.
pub fn budget<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ByteSize, D::Error> {
    let size = ByteSize::deserialize(deserializer)?;
    if size >= SMALLEST_BUDGET {
        return Ok(size);
    }
    Err(de::Error::custom(format!("a budget of {size}, expected at least {SMALLEST_BUDGET}")))
}

/// Reads prior log-odds: finite, and below zero because an infected host is the exception.
///
/// # Errors
/// If they are not.
pub fn prior<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    let value = f64::deserialize(deserializer)?;
    if value.is_finite() && value < 0.0 {
        return Ok(value);
    }
    Err(de::Error::invalid_value(Unexpected::Float(value), &"negative log-odds in nats"))
}

/// Reads a share between 0 and 1.
///
/// # Errors
/// If it lies outside.
pub fn share<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    let value = f64::deserialize(deserializer)?;
    if (0.0..=1.0).contains(&value) {
        return Ok(value);
    }
    Err(de::Error::invalid_value(Unexpected::Float(value), &"a share between 0 and 1"))
}

/// Durations as people write them (`7d`, `1h 30m`), never zero.
pub mod span {
    use std::time::Duration;

    use serde::{Deserializer, Serializer, de};

    /// Writes a duration as `7days`.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(span: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        humantime_serde::serialize(span, serializer)
    }

    /// Reads a duration above zero.
    ///
    /// # Errors
    /// If it is none, or zero.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        let span: Duration = humantime_serde::deserialize(deserializer)?;
        if span.is_zero() {
            return Err(de::Error::custom("invalid value: a duration of zero, expected more"));
        }
        Ok(span)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_back_as_written() {
        for size in [ByteSize(0), ByteSize(1), ByteSize(1536), ByteSize::mib(64), ByteSize(3 << 30)]
        {
            assert_eq!(size.to_string().parse(), Ok(size));
        }
        assert_eq!("64MiB".parse(), Ok(ByteSize::mib(64)));
        assert_eq!("12 kib".parse(), Ok(ByteSize(12 << 10)));
    }

    #[test]
    fn sizes_without_a_known_unit_or_beyond_memory_are_refused() {
        for text in ["", "64", "64 MB", "MiB", "-1 B", "1.5 MiB", "99999999999999999999 GiB"] {
            assert!(text.parse::<ByteSize>().is_err(), "{text}");
        }
    }
}
